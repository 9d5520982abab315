/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#include "daemon/fleet/fleet.h"
#include "daemon/fleet/settings.h"
#include "proto/option-fault.h"
#include "proto/process-start.h"
#include "proto/version.h"

#define GID_UNKNOWN 65534 /* the kernel's substitute for an unmapped gid */

static void print_help(void)
{
	puts("usage: vaild-fleet [OPTIONS]\n"
	     "\n"
	     "Shows the VMs, vGPUs and hosts of a fleet, with an etcd that the hosts share. It\n"
	     "grants nothing: each vaild decides alone. Runs in the foreground; SIGTERM ends it.\n"
	     "\n"
	     "  --config FILE          the configuration (/etc/vaild/fleet.json)\n"
	     "  --socket PATH          listen on this Unix socket (/run/vaild-fleet/socket)\n"
	     "  --vaild-socket PATH    socket of vaild (/run/vaild/vaild.sock)\n"
	     "  --check-config [FILE]  check the configuration, or FILE, and exit\n"
	     "  --version              print the version and exit\n"
	     "  -h, --help             print this help and exit");
}

typedef struct Options {
	const char *config;
	const char *socket;
	const char *vaild_socket; /* NULL for the usual one */
	bool checks_config;
} Options;

/* --- the command line ------------------------------------------------------------------------ */

enum {
	OPTION_CONFIG = LONG_OPTION_BASE,
	OPTION_SOCKET,
	OPTION_VAILD_SOCKET,
	OPTION_CHECK_CONFIG,
	OPTION_VERSION,
	OPTION_HELP
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "vaild-socket", required_argument, NULL, OPTION_VAILD_SOCKET },
	{ "check-config", optional_argument, NULL, OPTION_CHECK_CONFIG },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* Prints the message, which ends with a semicolon or a question. */
_printf_(1, 2) static _Noreturn void exit_with_usage(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("vaild-fleet: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs(" see vaild-fleet --help\n", stderr);
	va_end(arguments);
	exit(EXIT_USAGE);
}

/* Prints why getopt_long() returned result. */
static _Noreturn void exit_with_wrong_option(int result, char *const *argv)
{
	_cleanup_free_ char *fault =
		option_fault_describe(LAST_OPTION_FAULT(result, argv), long_options);

	exit_with_usage("%s", fault ? fault : "wrong arguments;");
}

static void set_option(Options *options, int option, char **argv)
{
	switch (option) {
	case OPTION_CONFIG:
		options->config = optarg;
		break;
	case OPTION_SOCKET:
		options->socket = optarg;
		break;
	case OPTION_VAILD_SOCKET:
		options->vaild_socket = optarg;
		break;
	case OPTION_CHECK_CONFIG:
		options->checks_config = true;
		if (optarg)
			options->config = optarg;
		break;
	case OPTION_VERSION:
		puts("vaild-fleet " VAILD_VERSION);
		exit(EXIT_SUCCESS);
	case OPTION_HELP:
	case 'h':
		print_help();
		exit(EXIT_SUCCESS);
	default:
		exit_with_wrong_option(option, argv);
	}
}

static void parse_options(int argc, char **argv, Options *options)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1)
		set_option(options, option, argv);
	/* getopt_long() finds an optional value only after a "=". */
	if (options->checks_config && optind < argc)
		options->config = argv[optind++];
	if (optind < argc)
		exit_with_usage("unexpected argument \"%s\";", argv[optind]);
}

/* --- the log --------------------------------------------------------------------------------- */

/* Writes one line to stderr, with systemd's priority prefix if the journal reads it. */
_printf_(2, 3) static void say(int priority, const char *format, ...)
{
	bool is_journal = getenv("JOURNAL_STREAM") != NULL;
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (is_journal)
		fprintf(stderr, "<%d>%s\n", priority, message);
	else
		fprintf(stderr, "vaild-fleet: %s\n", message);
}

static void log_of_fleet(void *context, const char *message)
{
	(void)context;
	say(LOG_NOTICE, "%s", message);
	sd_notifyf(0, "STATUS=%s", message);
}

/* --- the program ----------------------------------------------------------------------------- */

typedef struct Program {
	struct event_base *base;
	Settings settings;
	Fleet *fleet;
	Etcd *etcd;
	struct event *ends[2]; /* SIGTERM and SIGINT */
	struct event *watchdog;
} Program;

/*
 * Looks up a group. Sets *ret to (gid_t)-1, which nobody has, if it does not exist, and says so
 * unless the configuration is only checked. Refuses gids that stand for more than one group: many
 * processes in containers have 0, and the kernel shows 65534 for every unmapped one.
 */
static bool find_group(const char *key, const char *name, bool is_checked_only, gid_t *ret)
{
	char buffer[65536];
	struct group group, *found = NULL;
	int error = name[0] ? getgrnam_r(name, &group, buffer, sizeof(buffer), &found) : 0;

	*ret = found ? found->gr_gid : (gid_t)-1;
	if (!found && name[0] && !is_checked_only)
		say(LOG_WARNING, "%s: group \"%s\" %s; only root has its rights", key, name,
		    error ? strerror(error) : "does not exist");
	if (!found || (*ret != 0 && *ret != GID_UNKNOWN && *ret != (gid_t)-1))
		return true;
	if (*ret == 0)
		say(LOG_ERR,
		    "%s: group \"%s\" has gid 0, which many processes in containers have; name "
		    "another",
		    key, name);
	else
		say(LOG_ERR,
		    "%s: group \"%s\" has gid %u, which stands for unknown groups; name another",
		    key, name, *ret);
	return false;
}

static bool find_groups(const Settings *settings, bool is_checked_only, FleetSettings *ret)
{
	return find_group("operatorGroup", settings->operator_group, is_checked_only,
			  &ret->operators) &&
	       find_group("observersGroup", settings->observer_group, is_checked_only,
			  &ret->observers);
}

static bool find_host(const Settings *settings, FleetSettings *ret,
		      char name[static HOST_NAME_MAX + 1])
{
	sd_id128_t machine;
	int error = sd_id128_get_machine(&machine);

	if (error < 0) {
		say(LOG_ERR,
		    "the ID of this machine cannot be read: %s; run systemd-machine-id-setup",
		    strerror(-error));
		return false;
	}
	static_assert(sizeof(ret->self) == sizeof(machine), "both have 128 bits");
	memcpy(&ret->self, &machine, sizeof(machine));
	if (!settings->name && gethostname(name, HOST_NAME_MAX + 1) < 0) {
		say(LOG_ERR, "the host name cannot be read: %s; name this host in fleet.json",
		    strerror(errno));
		return false;
	}
	name[HOST_NAME_MAX] = '\0';
	ret->host_name = settings->name ? settings->name : name;
	return true;
}

/*
 * Makes the folder of the socket if only that is missing, with the mode that the unit gives it, as
 * the user of this process. Returns 0, or a negative errno. Whatever stands in its place stays, and
 * listening fails.
 */
static int make_folder(const char *socket)
{
	const char *slash = strrchr(socket, '/');
	_cleanup_free_ char *folder =
		slash && slash > socket ? strndup(socket, (size_t)(slash - socket)) : NULL;

	return folder && mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static bool start_fleet(Program *program, const Options *options)
{
	char name[HOST_NAME_MAX + 1];
	FleetSettings settings = {
		.version = VAILD_VERSION,
		.vaild_socket = options->vaild_socket,
		.socket_path = options->socket,
		.listening = -1,
		.ttl = program->settings.ttl,
		.log = log_of_fleet,
	};
	int error = 0;

	if (!find_groups(&program->settings, false, &settings) ||
	    !find_host(&program->settings, &settings, name))
		return false;
	error = make_folder(options->socket);
	if (error == 0)
		program->fleet = fleet_new(program->base, &settings, &error);
	if (!program->fleet)
		say(LOG_ERR, "cannot listen on %s: %s%s", options->socket, strerror(-error),
		    error == -ENOENT ? "; create its folder, or name another path with --socket"
				     : "");
	return program->fleet != NULL;
}

static void log_reach(void *context, bool is_reached, const char *why, int64_t since)
{
	if (is_reached)
		say(LOG_NOTICE, "etcd is reached");
	else
		say(LOG_WARNING, "etcd is away: %s", why);
	sd_notifyf(0, "STATUS=etcd is %s%s", is_reached ? "reached" : "away: ", why ? why : "");
	fleet_etcd_handlers.on_reach(context, is_reached, why, since);
}

static void log_alarm(void *context, const char *alarm, int64_t since)
{
	if (alarm)
		say(LOG_WARNING,
		    "etcd takes no changes, because it has the alarm %s, so what hosts show of "
		    "each "
		    "other gets old; see vaild-fleet(8)",
		    alarm);
	else
		say(LOG_NOTICE, "etcd has no alarm any more");
	sd_notifyf(0, "STATUS=etcd is reached%s%s", alarm ? ", but takes no changes: " : "",
		   alarm ? alarm : "");
	fleet_etcd_handlers.on_alarm(context, alarm, since);
}

static void log_lease(void *context, bool is_held, const char *why)
{
	if (!is_held)
		say(LOG_WARNING, "other hosts do not see this one: %s", why);
	fleet_etcd_handlers.on_lease(context, is_held, why);
}

static bool start_etcd(Program *program)
{
	static const FleetEtcd functions = { .put = etcd_put,
					     .remove = etcd_delete,
					     .swap = etcd_swap,
					     .has_lease = etcd_has_lease,
					     .statistics = etcd_statistics,
					     .check = etcd_check };
	const Settings *own = &program->settings;
	EtcdHandlers handlers = fleet_etcd_handlers;
	EtcdSettings settings = { .endpoints = (const char *const *)own->endpoints,
				  .endpoint_count = own->endpoint_count,
				  .prefix = own->prefix,
				  .ca = own->ca,
				  .certificate = own->certificate,
				  .private_key = own->private_key,
				  .ttl = own->ttl };

	handlers.on_reach = log_reach;
	handlers.on_lease = log_lease;
	handlers.on_alarm = log_alarm;
	program->etcd = etcd_new(program->base, &settings, &handlers, program->fleet);
	if (!program->etcd) {
		say(LOG_ERR, "the client of etcd cannot start: out of memory");
		return false;
	}
	fleet_set_etcd(program->fleet, program->etcd, &functions);
	return true;
}

static void on_end(evutil_socket_t number, short events, void *context)
{
	Program *program = context;

	(void)number;
	(void)events;
	event_base_loopbreak(program->base);
}

static void on_watchdog(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	(void)context;
	sd_notify(0, "WATCHDOG=1");
}

/* Handles signals, and serves systemd's watchdog if there is one. */
static bool start_events(Program *program)
{
	static const int signals[] = { SIGTERM, SIGINT };
	uint64_t period = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		program->ends[i] = evsignal_new(program->base, signals[i], on_end, program);
		if (!program->ends[i] || event_add(program->ends[i], NULL) != 0)
			return false;
	}
	if (sd_watchdog_enabled(0, &period) <= 0)
		return true;
	struct timeval half = { .tv_sec = (time_t)(period / 2000000),
				.tv_usec = (suseconds_t)(period / 2 % 1000000) };
	program->watchdog = event_new(program->base, -1, EV_PERSIST, on_watchdog, program);
	return program->watchdog && event_add(program->watchdog, &half) == 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

/* Ends in the order that the parts need: the client of etcd calls the fleet. */
static void program_deinit(Program *program)
{
	etcd_free(program->etcd);
	fleet_free(program->fleet);
	free_event(program->ends[0]);
	free_event(program->ends[1]);
	free_event(program->watchdog);
	if (program->base)
		event_base_free(program->base);
	settings_deinit(&program->settings);
}

/* Returns what to do if the configuration is missing, or "". */
static const char *advice_on_config(const char *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT
		       ? "; write it as fleet.json(5) shows, or name another with --config"
		       : "";
}

static int run(const Options *options)
{
	_cleanup_(program_deinit) Program program = { 0 };
	ConfigError error;

	if (!settings_load(options->config, false, &program.settings, &error)) {
		say(LOG_ERR, "%s%s", error.message, advice_on_config(options->config));
		return EXIT_FAILURE;
	}
	program.base = event_base_new();
	if (!program.base || !start_events(&program)) {
		say(LOG_ERR, "the event loop cannot start: out of memory");
		return EXIT_FAILURE;
	}
	if (!start_fleet(&program, options) || !start_etcd(&program))
		return EXIT_FAILURE;
	say(LOG_INFO, "ready on %s", options->socket);
	sd_notify(0, "READY=1");
	event_base_dispatch(program.base);
	sd_notify(0, "STOPPING=1");
	return EXIT_SUCCESS;
}

/* Returns the exit status. Needs no privileges, and changes nothing. */
static int check_configuration(const Options *options)
{
	_cleanup_(settings_deinit) Settings settings = { 0 };
	FleetSettings fleet_settings;
	ConfigError error;

	if (!settings_load(options->config, true, &settings, &error)) {
		fprintf(stderr, "vaild-fleet: %s%s\n", error.message,
			advice_on_config(options->config));
		return EXIT_FAILURE;
	}
	if (!find_groups(&settings, true, &fleet_settings))
		return EXIT_FAILURE;
	printf("%s: the configuration is right\n", options->config);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	Options options = { .config = "/etc/vaild/fleet.json",
			    .socket = "/run/vaild-fleet/socket" };
	StartState start; /* it runs no other program */

	process_start("vaild-fleet", false, &start);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	parse_options(argc, argv, &options);
	return options.checks_config ? check_configuration(&options) : run(&options);
}
