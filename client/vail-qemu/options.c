/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/completion-entities.h"
#include "client/common/completion.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"

#define DISPLAY_CLIENT_MAX 64

static const char usage[] =
	"vail-qemu {--qmp SOCKET | --display-fd FD | --bus ADDRESS} [OPTION]...\n"
	"\n"
	"Share the screen of a QEMU guest, through vaild, with the processes that are\n"
	"registered for it, for as long as QEMU runs. Start QEMU with -uuid,\n"
	"-display dbus,p2p=yes, and a monitor: -qmp unix:SOCKET,server=on,wait=off.\n"
	"\n"
	"  --qmp SOCKET      QEMU's monitor\n"
	"  --display-fd FD   an inherited socket that QEMU has accepted as its display's\n"
	"                    client, like those from libvirt's virDomainOpenGraphicsFD\n"
	"  --bus ADDRESS     the D-Bus address of a bus that QEMU has joined, with\n"
	"                    -display dbus,addr=ADDRESS\n"
	"  --user USER[:RIGHTS]\n"
	"                    a display client: processes of this user may register;\n"
	"                    repeatable. RIGHTS on the VM's display are view (always\n"
	"                    included), input, clipboard, audioOutput and audioInput, as\n"
	"                    in alice:view,input. Without --user, processes with QEMU's\n"
	"                    own privileges may register. A VM that has display clients\n"
	"                    in vaild keeps them\n"
	"  --settings-source SOURCE\n"
	"                    where the users come from: libvirt for the metadata of a\n"
	"                    domain, before which drop-ins of the administrator count;\n"
	"                    by default api\n"
	"  --registered      an operator has added the VM, with this user as its agent;\n"
	"                    never add it\n"
	"  --adapter HANDLE  the adapter of the vGPU that the VM gets if it has none; by\n"
	"                    default, vaild's software adapter\n"
	"  --label TEXT      begin each message with this text, such as the guest's name\n"
	"  --socket PATH     vaild's socket; by default $VAILD_SOCKET or\n"
	"                    /run/vaild/vaild.sock\n"
	"  -h, --help, --version\n";

enum {
	SHARED_OPTION_VALUES,
	OPTION_QMP,
	OPTION_DISPLAY_FD,
	OPTION_BUS,
	OPTION_USER,
	OPTION_SETTINGS_SOURCE,
	OPTION_REGISTERED,
	OPTION_ADAPTER,
	OPTION_LABEL,
};

void options_deinit(Options *options)
{
	client_list_deinit(&options->clients);
}

static _Noreturn void exit_with_usage(const char *reason)
{
	exit(usage_error("%s; see vail-qemu --help", reason));
}

static int parse_fd(const char *text)
{
	unsigned long number;

	if (!number_parse(text, INT_MAX, &number) || number <= STDERR_FILENO)
		exit(usage_error("--display-fd needs the number of an inherited socket, above 2, "
				 "not %s; see vail-qemu --help",
				 text));
	return (int)number;
}

/* Adds the display client of --user NAME[:RIGHTS]. Cuts the value apart. */
static void add_client(Options *options, char *value)
{
	const VailParty user = { .user = value };
	unsigned int rights;

	if (options->clients.count == DISPLAY_CLIENT_MAX)
		exit_with_usage("--user is given too often");
	if (!display_rights_split(value, &rights))
		exit(EXIT_USAGE);
	if (client_list_add(&options->clients, user, rights))
		return;
	log_message("this process is out of memory");
	exit(EXIT_FAILED);
}

static const struct option long_options[] = {
	SHARED_OPTION_ROWS,
	{ "qmp", required_argument, NULL, OPTION_QMP },
	{ "display-fd", required_argument, NULL, OPTION_DISPLAY_FD },
	{ "bus", required_argument, NULL, OPTION_BUS },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "settings-source", required_argument, NULL, OPTION_SETTINGS_SOURCE },
	{ "registered", no_argument, NULL, OPTION_REGISTERED },
	{ "adapter", required_argument, NULL, OPTION_ADAPTER },
	{ "label", required_argument, NULL, OPTION_LABEL },
	{ 0 },
};

static void set_option(Options *options, char **argv, int option)
{
	switch (option) {
	case OPTION_QMP:
		options->qmp = optarg;
		break;
	case OPTION_DISPLAY_FD:
		options->display_fd = parse_fd(optarg);
		break;
	case OPTION_BUS:
		options->bus = optarg;
		break;
	case OPTION_SOCKET:
		options->socket = optarg;
		break;
	case OPTION_ADAPTER:
		options->adapter = optarg;
		break;
	case OPTION_USER:
		add_client(options, optarg);
		break;
	case OPTION_SETTINGS_SOURCE:
		if (strcmp(optarg, "libvirt") != 0 && strcmp(optarg, "api") != 0)
			exit_with_usage("--settings-source must be libvirt or api");
		options->settings_source = optarg;
		break;
	case OPTION_REGISTERED:
		options->is_registered = true;
		break;
	case OPTION_LABEL:
		log_set_label(*optarg ? optarg : NULL);
		break;
	default:
		exit_for_option(argv, option, long_options, usage);
	}
}

static void complete(const CompletionLine *line)
{
	int option = line->option ? line->option->val : 0;

	if (option == OPTION_QMP || option == OPTION_SOCKET) {
		completion_files(line);
		return;
	}
	completion_begin_values();
	if (option == OPTION_USER && !completion_rights(line))
		completion_users(line);
	else if (option == OPTION_ADAPTER)
		completion_adapters(line);
	else if (option == 0)
		completion_options(line, long_options, NULL, NULL);
}

void options_parse(int argc, char **argv, Options *options)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) >= 0)
		set_option(options, argv, option);
	if (optind < argc)
		exit(usage_error(
			"unexpected argument \"%s\"; to give QEMU's monitor, use --qmp; see "
			"vail-qemu --help",
			argv[optind]));
	int ways = (options->qmp != NULL) + (options->bus != NULL) + (options->display_fd >= 0);
	if (ways == 0)
		exit_with_usage("--qmp is missing; give the socket of QEMU's monitor");
	if (ways > 1)
		exit_with_usage("only one of --qmp, --display-fd and --bus can be given");
}

int options_complete(int argc, char **argv)
{
	return completion_run(long_options, complete, argc, argv);
}
