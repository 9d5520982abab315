/* SPDX-License-Identifier: MIT */
/*
 * vail-qemu: shares what a QEMU guest shows with the processes that are registered for it.
 *
 *   vail-qemu.c      the command line, and the loop
 *   monitor.c        QEMU's monitor: the way into its display
 *   display.c        QEMU's display, over D-Bus: the VM and its consoles
 *   listener.c       what QEMU tells of a console, decoded
 *   console.c        one console: its screen and its cursor
 *   agent.c          vaild: the VM, and an object for each screen and cursor
 *   damage.c, pixman-format.c
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#include "agent.h"
#include "display.h"
#include "fd-util.h"
#include "message.h"
#include "monitor.h"
#include "say.h"
#include "version.h"

#define EXIT_USAGE 2

/* How long after vaild was lost it is looked for again, in milliseconds. */
#define LOOK_AGAIN 500

/* How long a QEMU whose display has ended may take to end itself, in milliseconds. */
#define QEMU_ENDS_WITHIN 1000

#define DISPLAY_CLIENT_MAX 64

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_write("vail-qemu", format, arguments);
	va_end(arguments);
}

/* ---- The command line ---- */

static const char usage[] =
	"vail-qemu --qmp SOCKET [OPTION]...\n"
	"\n"
	"Share what a QEMU guest shows, through vaild, with the processes that are registered\n"
	"for it, for as long as QEMU runs. QEMU is to be started with -display dbus,p2p=yes,\n"
	"-uuid, and a monitor: -qmp unix:SOCKET,server=on,wait=off.\n"
	"\n"
	"  --qmp SOCKET      QEMU's monitor\n"
	"  --user USER       a display client: processes of this user may register; repeatable.\n"
	"                    Without, what vaild knows stays, at first QEMU's own privileges\n"
	"  --adapter HANDLE  whose vGPU the VM gets where it has none; without, that of vaild's\n"
	"                    software adapter\n"
	"  --socket PATH     vaild's socket\n"
	"  --help, --version\n";

typedef struct Options {
	const char *qmp;
	const char *socket;
	const char *adapter;
	VailParty clients[DISPLAY_CLIENT_MAX];
	size_t client_count;
} Options;

static _Noreturn void exit_with_usage(const char *why)
{
	say("%s; see vail-qemu --help", why);
	exit(EXIT_USAGE);
}

static void take_option(Options *options, int option)
{
	switch (option) {
	case 'q':
		options->qmp = optarg;
		break;
	case 's':
		options->socket = optarg;
		break;
	case 'a':
		options->adapter = optarg;
		break;
	case 'u':
		if (options->client_count == DISPLAY_CLIENT_MAX)
			exit_with_usage("--user was given too often");
		options->clients[options->client_count++].user = optarg;
		break;
	case 'h':
		fputs(usage, stdout);
		exit(EXIT_SUCCESS);
	case 'v':
		puts("vail-qemu " VAILD_VERSION);
		exit(EXIT_SUCCESS);
	default:
		exit(EXIT_USAGE); /* getopt_long() has said why */
	}
}

static void parse_options(int argc, char **argv, Options *options)
{
	static const struct option names[] = {
		{ "qmp", required_argument, NULL, 'q' },
		{ "socket", required_argument, NULL, 's' },
		{ "user", required_argument, NULL, 'u' },
		{ "adapter", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0)
		take_option(options, option);
	if (optind < argc)
		exit_with_usage("only options are taken");
	if (!options->qmp)
		exit_with_usage("--qmp is missing: the socket of QEMU's monitor");
}

/* ---- The loop ---- */

typedef struct Bridge {
	int qemu; /* pidfd */
	Display display;
	Agent agent;
	struct pollfd *descriptors;
	bool is_ready; /* systemd was told */
} Bridge;

static void wait_for_something(Bridge *bridge)
{
	size_t count = 0;

	bridge->descriptors[count++] = (struct pollfd){ .fd = bridge->qemu, .events = POLLIN };
	agent_poll_for(&bridge->agent, bridge->descriptors + count);
	count += AGENT_DESCRIPTORS;
	int milliseconds = display_poll_for(&bridge->display, bridge->descriptors + count);
	count += 1 + bridge->display.console_count;
	if (bridge->agent.state == AGENT_LOST)
		milliseconds = sooner(milliseconds, LOOK_AGAIN);
	poll(bridge->descriptors, count, milliseconds);
}

static void tell_ready(Bridge *bridge)
{
	if (!bridge->is_ready && bridge->agent.state == AGENT_PRESENT)
		bridge->is_ready = sd_notifyf(0, "READY=1\nSTATUS=Sharing the screen of %s.",
					      bridge->agent.machine.guid) >= 0;
}

/* A display that ends, or a VM that vaild lets go, is mostly a QEMU that is about to. */
static bool qemu_ends(const Bridge *bridge)
{
	struct pollfd descriptor = { .fd = bridge->qemu, .events = POLLIN };

	return poll(&descriptor, 1, QEMU_ENDS_WITHIN) > 0;
}

/* Returns the exit status. */
static int run(Bridge *bridge)
{
	bool display_goes_on = true;

	agent_enter(&bridge->agent);
	while (display_goes_on && bridge->agent.state != AGENT_ENDED) {
		tell_ready(bridge);
		display_listen(&bridge->display);
		wait_for_something(bridge);
		display_goes_on = display_process(&bridge->display);
		agent_flush(&bridge->agent);
		agent_process(&bridge->agent);
		if (bridge->agent.state == AGENT_LOST)
			agent_enter(&bridge->agent);
		display_goes_on = display_goes_on && bridge->descriptors[0].revents == 0;
	}
	if (qemu_ends(bridge)) {
		say("QEMU has ended");
		return EXIT_SUCCESS;
	}
	say("%s", display_goes_on ? bridge->agent.why_ended
				  : "QEMU has closed its display, perhaps for another client");
	return EXIT_FAILURE;
}

/* ---- Beginning ---- */

/* Whether QEMU was given a UUID; without one it says the nil UUID. */
static bool is_machine_id(const char *uuid)
{
	sd_id128_t id;

	if (uuid && sd_id128_from_string(uuid, &id) >= 0 && !sd_id128_is_null(id))
		return true;
	say("QEMU's VM has no UUID, by which vaild knows it; start QEMU with -uuid");
	return false;
}

static bool begin(Bridge *bridge, const Options *options)
{
	AgentMachine machine = { .adapter = options->adapter,
				 .profile = "vail-qemu",
				 .display_clients = options->clients,
				 .display_client_count = options->client_count };
	int socket;

	if (!monitor_join_display(options->qmp, &machine.qemu, &bridge->qemu, &socket) ||
	    !display_init(&bridge->display, socket) || !is_machine_id(bridge->display.uuid))
		return false;
	snprintf(machine.guid, sizeof(machine.guid), "%s", bridge->display.uuid);
	machine.name = *bridge->display.name ? bridge->display.name : NULL;
	if (!agent_init(&bridge->agent, options->socket, &machine) ||
	    !display_find_consoles(&bridge->display, &bridge->agent))
		return false;
	bridge->descriptors = calloc(2 + AGENT_DESCRIPTORS + bridge->display.console_count,
				     sizeof(*bridge->descriptors));
	return bridge->descriptors != NULL;
}

static void bridge_deinit(Bridge *bridge)
{
	bridge->agent.state =
		AGENT_ENDED; /* vaild sees this process end, and its objects with it */
	display_deinit(&bridge->display);
	agent_deinit(&bridge->agent);
	fd_close(&bridge->qemu);
	free(bridge->descriptors);
}

int main(int argc, char **argv)
{
	_cleanup_(bridge_deinit) Bridge bridge = { .qemu = -1 };
	Options options = { 0 };

	parse_options(argc, argv, &options);
	return begin(&bridge, &options) ? run(&bridge) : EXIT_FAILURE;
}
