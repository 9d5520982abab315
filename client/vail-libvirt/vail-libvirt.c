/* SPDX-License-Identifier: MIT */
/*
 * vail-libvirt: runs vail-qemu for each domain of libvirt whose owner has given consent.
 *
 *   vail-libvirt.c  the command line, the connection to libvirt and the main loop
 *   guest.c         the running domains, and what to do about each
 *   bus.c           finds QEMU on the bus of a domain's display
 *   registration.c  brings the VM of such a domain into vaild
 *   agent-process.c the vail-qemu of a domain; agent-arguments.c has its arguments
 *   consent.c       the display clients in vaild, and a file that remembers them
 *   domain.c        reads a domain's XML description
 *   status.c        shows all domains
 */
#include <errno.h>
#include <getopt.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "client/common/completion.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vail-libvirt/consent.h"
#include "client/vail-libvirt/domain.h"
#include "client/vail-libvirt/guest.h"
#include "client/vail-libvirt/status.h"
#include "proto/fd-util.h"
#include "proto/macros.h"
#include "proto/process-start.h"

const char program_name[] = "vail-libvirt";

/* Time between two attempts to connect to libvirt, in milliseconds. */
#define CONNECT_INTERVAL 1000

/* Seconds between two probes of the connection, and how many may stay without a reply. */
#define KEEPALIVE_INTERVAL 5
#define KEEPALIVE_COUNT    3

/* ---- The command line ---- */

static const char usage[] =
	"vail-libvirt [--connect URI] [--socket PATH]\n"
	"vail-libvirt status [--connect URI] [--socket PATH]\n"
	"\n"
	"Run vail-qemu for each running libvirt domain that has <graphics type='dbus'/>,\n"
	"with or without p2p='yes', and names in its metadata the users who may\n"
	"register. The command status shows all domains and how to change them.\n"
	"\n"
	"  --connect URI  libvirt's URI; by default, libvirt's own default:\n"
	"                 qemu:///system for root, and qemu:///session for other users\n"
	"  --socket PATH  vaild's socket; by default $VAILD_SOCKET or\n"
	"                 /run/vaild/vaild.sock\n"
	"  -h, --help, --version\n";

enum {
	SHARED_OPTION_VALUES,
	OPTION_CONNECT,
};

typedef struct Options {
	const char *uri;
	const char *socket;
	bool shows_status;
} Options;

static const struct option long_options[] = {
	SHARED_OPTION_ROWS,
	{ "connect", required_argument, NULL, OPTION_CONNECT },
	{ 0 },
};

static void set_option(Options *options, char **argv, int option)
{
	switch (option) {
	case OPTION_CONNECT:
		options->uri = optarg;
		break;
	case OPTION_SOCKET:
		options->socket = optarg;
		break;
	default:
		exit_for_option(argv, option, long_options, usage);
	}
}

static void complete(const CompletionLine *line)
{
	int option = line->option ? line->option->val : 0;

	if (option == OPTION_SOCKET) {
		completion_files(line);
		return;
	}
	completion_begin_values();
	if (option == OPTION_CONNECT) {
		completion_value(line, "qemu:///system", "guests of the host");
		completion_value(line, "qemu:///session", "your own guests");
	} else {
		if (line->word_count == 0)
			completion_value(line, "status", "show all domains");
		completion_options(line, long_options, NULL, NULL);
	}
}

static void parse_options(int argc, char **argv, Options *options)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) >= 0)
		set_option(options, argv, option);
	if (argc - optind > 1)
		exit(usage_error("unexpected argument \"%s\"; see vail-libvirt --help",
				 argv[optind + 1]));
	if (argc - optind == 1 && strcmp(argv[optind], "status") != 0)
		exit(usage_error("%s is not a command, and the only one is status; see "
				 "vail-libvirt --help",
				 argv[optind]));
	options->shows_status = argc - optind == 1;
}

/* ---- Following libvirt ---- */

typedef struct Follower {
	const char *uri;
	Guests guests;
	virConnectPtr connection; /* NULL while libvirt is away */
	int callbacks[2];         /* libvirt's numbers; -1 for none */
	virDomainPtr *changed;    /* domains to check; references */
	size_t changed_count;
	bool has_logged_absence;
	bool is_over; /* a signal asks this process to exit */
} Follower;

static void add_changed(Follower *follower, virDomainPtr domain)
{
	virDomainPtr *more =
		reallocarray(follower->changed, follower->changed_count + 1, sizeof(virDomainPtr));

	if (!more) {
		log_message("this process is out of memory");
		return;
	}
	virDomainRef(domain);
	follower->changed = more;
	follower->changed[follower->changed_count++] = domain;
}

/*
 * Checks the domains outside libvirt's callbacks, because the calls of a check wait for libvirt. A
 * call may add further domains.
 */
static void check_changed(Follower *follower)
{
	for (size_t i = 0; i < follower->changed_count; i++) {
		guest_check(&follower->guests, follower->changed[i]);
		virDomainFree(follower->changed[i]);
	}
	follower->changed_count = 0;
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail,
			void *context)
{
	(void)connection, (void)event, (void)detail;
	add_changed(context, domain);
	return 0;
}

static void on_metadata(virConnectPtr connection, virDomainPtr domain, int type, const char *uri,
			void *context)
{
	(void)connection;
	if (type == VIR_DOMAIN_METADATA_ELEMENT && uri && strcmp(uri, DOMAIN_NAMESPACE) == 0)
		add_changed(context, domain);
}

static bool subscribe(Follower *follower)
{
	virConnectPtr connection = follower->connection;

	virConnectSetKeepAlive(connection, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT);
	follower->callbacks[0] = virConnectDomainEventRegisterAny(
		connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), follower, NULL);
	follower->callbacks[1] = virConnectDomainEventRegisterAny(
		connection, NULL, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
		VIR_DOMAIN_EVENT_CALLBACK(on_metadata), follower, NULL);
	return follower->callbacks[0] >= 0 && follower->callbacks[1] >= 0;
}

/* Removes the callbacks, because each of them keeps the connection open. */
static void unsubscribe(Follower *follower)
{
	for (size_t i = 0; i < ARRAY_SIZE(follower->callbacks); i++) {
		if (follower->callbacks[i] >= 0)
			virConnectDomainEventDeregisterAny(follower->connection,
							   follower->callbacks[i]);
		follower->callbacks[i] = -1;
	}
}

static bool list_domains(Follower *follower)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(follower->connection, &domains,
					     VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	for (int i = 0; i < count; i++) {
		add_changed(follower, domains[i]);
		virDomainFree(domains[i]);
	}
	free(domains);
	return count >= 0;
}

static void disconnect(Follower *follower)
{
	for (size_t i = 0; i < follower->changed_count; i++)
		virDomainFree(follower->changed[i]);
	follower->changed_count = 0;
	if (!follower->connection)
		return;
	unsubscribe(follower);
	virConnectClose(follower->connection);
	follower->connection = NULL;
}

static void log_absence(Follower *follower, const char *what)
{
	if (!follower->has_logged_absence)
		log_message("%s: %s; trying again until libvirt answers", what,
			    virGetLastErrorMessage());
	follower->has_logged_absence = true;
	sd_notify(0, "STATUS=Waiting for libvirt.");
}

static void try_to_connect(Follower *follower)
{
	follower->connection = virConnectOpen(follower->uri);
	if (!follower->connection || !subscribe(follower) || !list_domains(follower)) {
		log_absence(follower, "cannot use libvirt");
		disconnect(follower);
		return;
	}
	char *uri = virConnectGetURI(follower->connection);
	log_message("following %s", uri ? uri : "libvirt");
	sd_notifyf(0, "STATUS=Following %s.", uri ? uri : "libvirt");
	free(uri);
	follower->has_logged_absence = false;
}

static void on_timer(int timer, void *context)
{
	Follower *follower = context;

	(void)timer;
	if (follower->connection && virConnectIsAlive(follower->connection) != 1) {
		log_message("libvirt has gone; the screens stay shared");
		disconnect(follower);
	}
	if (!follower->connection)
		try_to_connect(follower);
}

static void on_signal(int watch, int fd, int events, void *context)
{
	Follower *follower = context;

	(void)watch, (void)fd, (void)events;
	follower->is_over = true;
}

/* libvirt logs each error on stderr by default; here, each function that fails logs its own. */
static void ignore_error(void *context, virErrorPtr error)
{
	(void)context, (void)error;
}

/* The path of vail-qemu: in the folder of this program. Returns NULL if out of memory. */
static char *find_vail_qemu(void)
{
	char own[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *path = NULL;

	if (length < 0)
		return strdup("/usr/bin/vail-qemu");
	own[length] = '\0';
	char *slash = strrchr(own, '/');
	if (slash)
		*slash = '\0';
	return asprintf(&path, "%s/vail-qemu", own) >= 0 ? path : NULL;
}

static int follow(const Options *options)
{
	_cleanup_free_ char *vail_qemu = find_vail_qemu();
	_cleanup_free_ char *folder = consent_folder();
	_cleanup_close_ int signals = -1;
	Follower follower = {
		.uri = options->uri,
		.callbacks = { -1, -1 },
		.guests = { .socket = options->socket, .vail_qemu = vail_qemu, .folder = folder }
	};
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!vail_qemu || signals < 0 ||
	    virEventAddHandle(signals, VIR_EVENT_HANDLE_READABLE, on_signal, &follower, NULL) < 0 ||
	    virEventAddTimeout(CONNECT_INTERVAL, on_timer, &follower, NULL) < 0) {
		log_message("cannot prepare the main loop: %s", strerror(errno));
		return EXIT_FAILED;
	}
	/*
	 * A libvirt of this user that this process starts would be one of its service, and its
	 * guests would end with that.
	 */
	setenv("LIBVIRT_AUTOSTART", "0", 0);
	/* Ready at once, because libvirt may be started later or never. */
	sd_notify(0, "READY=1\nSTATUS=Waiting for libvirt.");
	try_to_connect(&follower);
	while (!follower.is_over) {
		check_changed(&follower);
		virEventRunDefaultImpl();
	}
	guests_deinit(&follower.guests);
	disconnect(&follower);
	free(follower.changed);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	Options options = { 0 };
	StartState inherited;

	process_start(program_name, true, &inherited);
	setlocale(LC_CTYPE, ""); /* for names in messages and tables */
	if (completion_wanted(argc, argv))
		return completion_run(long_options, complete, argc, argv);
	signal(SIGPIPE, SIG_IGN); /* it goes on when the reader of its messages has gone */
	parse_options(argc, argv, &options);
	virSetErrorFunc(NULL, ignore_error);
	if (virEventRegisterDefaultImpl() < 0 || virInitialize() < 0) {
		log_message("libvirt cannot be used: %s", virGetLastErrorMessage());
		return EXIT_FAILED;
	}
	return options.shows_status ? status_print(options.uri, options.socket) : follow(&options);
}
