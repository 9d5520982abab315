/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "daemon/host/config-machines.h"
#include "daemon/host/config.h"
#include "daemon/host/log/log-line.h"
#include "daemon/host/log/log.h"
#include "daemon/host/server.h"
#include "proto/option-fault.h"
#include "proto/process-start.h"
#include "proto/version.h"

static void print_help(void)
{
	puts("usage: vaild [OPTIONS]\n"
	     "\n"
	     "The VAIL broker: registers host processes that may share GPU allocations with a\n"
	     "virtual machine. Runs in the foreground; SIGTERM ends it, SIGHUP reloads its\n"
	     "configuration.\n"
	     "\n"
	     "  --socket PATH          listen on this Unix socket (/run/vaild/vaild.sock)\n"
	     "  --runtime-dir DIR      state of the current boot (/run/vaild/state)\n"
	     "  --state-dir DIR        what survives reboots: quarantines, the last right\n"
	     "                         configuration (/var/lib/vaild)\n"
	     "  --config DIR           vaild.json, vaild.json.d/*.json and machines.d/*.json\n"
	     "                         (/etc/vaild)\n"
	     "  --check-config [FILE]  check the configuration, or only FILE, and exit\n"
	     "  --version              print the version and exit\n"
	     "  -h, --help             print this help and exit");
}

/*
 * Returns the path, to be freed, with the working directory before a relative one, because the
 * daemon leaves that directory. Exits if that directory has no path.
 */
static char *make_absolute(const char *path)
{
	_cleanup_free_ char *directory = NULL;
	char *absolute = *path == '/' ? strdup(path) : NULL;

	if (!absolute && *path != '/' && (directory = getcwd(NULL, 0)) &&
	    asprintf(&absolute, "%s/%s", directory, path) < 0)
		absolute = NULL;
	if (absolute)
		return absolute;
	message_print(
		"%s: cannot find the path of the working directory: %s; give an absolute path",
		path, strerror(errno));
	exit(EXIT_FAILURE);
}

/*
 * Brings what the daemon inherits into a known state. Files and folders get the modes that their
 * callers name.
 */
static void prepare(void)
{
	StartState start; /* the daemon runs no other program */

	process_start("vaild", false, &start);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a write beyond RLIMIT_FSIZE then fails */
	umask(022);
}

typedef struct Options {
	ServerOptions server;
	bool checks_config;
	const char *checked_path; /* NULL for the configuration of the daemon */
	bool names_config;        /* --config was given */
} Options;

enum {
	OPTION_SOCKET = LONG_OPTION_BASE,
	OPTION_RUNTIME,
	OPTION_STATE,
	OPTION_CONFIG,
	OPTION_CHECK_CONFIG,
	OPTION_VERSION,
	OPTION_HELP
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "runtime-dir", required_argument, NULL, OPTION_RUNTIME },
	{ "state-dir", required_argument, NULL, OPTION_STATE },
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "check-config", optional_argument, NULL, OPTION_CHECK_CONFIG },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* Prints the message, which ends with a semicolon or a question. */
_printf_(1, 2) static _Noreturn void exit_with_usage(const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	message_print("%s see vaild --help", message ? message : "wrong arguments;");
	exit(EXIT_USAGE);
}

/* Prints why getopt_long() returned result. */
static _Noreturn void exit_with_wrong_option(int result, char *const *argv)
{
	_cleanup_free_ char *fault =
		option_fault_describe(LAST_OPTION_FAULT(result, argv), long_options);

	exit_with_usage("%s", fault ? fault : "wrong arguments;");
}

/* Handles one result of getopt_long(). Exits if the option says so or is wrong. */
static void set_option(Options *options, int option, char **argv)
{
	switch (option) {
	case OPTION_SOCKET:
		options->server.socket_path = optarg;
		break;
	case OPTION_RUNTIME:
		options->server.runtime_directory = optarg;
		break;
	case OPTION_STATE:
		options->server.state_directory = optarg;
		break;
	case OPTION_CONFIG:
		options->server.config_directory = optarg;
		options->names_config = true;
		break;
	case OPTION_CHECK_CONFIG:
		options->checks_config = true;
		options->checked_path = optarg;
		break;
	case OPTION_VERSION:
		puts("vaild " VAILD_VERSION);
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
	if (options->checks_config && !options->checked_path && optind < argc)
		options->checked_path = argv[optind++];
	if (optind < argc)
		exit_with_usage("unexpected argument \"%s\";", argv[optind]);
}

/* Tests whether the folder has any file of the configuration. */
static bool has_configuration(const char *directory)
{
	static const char *const names[] = { "vaild.json", "vaild.json.d", CONFIG_MACHINES_FOLDER };
	char path[PATH_MAX];
	struct stat status;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		if (stat(path, &status) == 0)
			return true;
	}
	return false;
}

static bool is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Checks all files of the folder. */
static bool check_folder(const char *path, ConfigError *ret_error)
{
	_cleanup_(drop_ins_deinit) DropIns drop_ins = DROP_INS_INIT;
	Settings settings;

	return config_load(path, &settings, ret_error) &&
	       config_load_drop_ins(path, &drop_ins, ret_error);
}

/* Tests whether the file is a drop-in for VMs, by the name of its folder. */
static bool is_in_machines_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
	_cleanup_free_ char *absolute = realpath(folder ? folder : ".", NULL);
	const char *name = absolute ? strrchr(absolute, '/') : NULL;

	return name && strcmp(name + 1, CONFIG_MACHINES_FOLDER) == 0;
}

static bool check_file(const char *path, ConfigError *ret_error)
{
	return is_in_machines_folder(path) ? config_check_drop_in(path, ret_error)
					   : config_check_file(path, ret_error);
}

/* Checks a file or a folder. A missing folder is a mistake only if the user named it. */
static bool check_path(const Options *options, const char *path, ConfigError *ret_error)
{
	if (is_directory(path))
		return check_folder(path, ret_error);
	if (options->checked_path)
		return check_file(path, ret_error);
	if (!options->names_config)
		return check_folder(path, ret_error);
	snprintf(ret_error->message, sizeof(ret_error->message),
		 "%s: there is no such folder; --config takes the folder of vaild.json", path);
	return false;
}

/* Returns the exit status. Needs no privileges, and changes nothing. */
static int check_configuration(const Options *options)
{
	const char *path =
		options->checked_path ? options->checked_path : options->server.config_directory;
	bool is_file = options->checked_path && !is_directory(path);
	ConfigError error;

	if (!check_path(options, path, &error)) {
		message_print("%s", error.message);
		return EXIT_FAILURE;
	}
	if (is_file || has_configuration(path))
		printf("%s: the configuration is right\n", path);
	else
		printf("%s: there is no vaild.json, so the defaults apply\n", path);
	return EXIT_SUCCESS;
}

/*
 * Closes what the parent has left open, such as pipes whose readers wait for their end. Spares the
 * fds from systemd, see sd_listen_fds(3).
 */
static void close_inherited_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	bool is_ours = pid && fds && strtol(pid, NULL, 10) == getpid();
	long count = is_ours ? strtol(fds, NULL, 10) : 0;

	if (count >= 0 && count <= INT_MAX - SD_LISTEN_FDS_START)
		close_range(SD_LISTEN_FDS_START + (unsigned int)count, UINT_MAX, 0);
}

static int serve(ServerOptions *options)
{
	close_inherited_fds();
	_cleanup_free_ char *socket = make_absolute(options->socket_path);
	_cleanup_free_ char *runtime = make_absolute(options->runtime_directory);
	_cleanup_free_ char *state = make_absolute(options->state_directory);
	_cleanup_free_ char *config = make_absolute(options->config_directory);

	options->given_socket_path = options->socket_path;
	options->socket_path = socket;
	options->runtime_directory = runtime;
	options->state_directory = state;
	options->config_directory = config;
	log_open();
	return server_run(options);
}

int main(int argc, char **argv)
{
	Options options = {
		.server = {
			.socket_path = "/run/vaild/vaild.sock",
			.runtime_directory = "/run/vaild/state",
			.state_directory = "/var/lib/vaild",
			.config_directory = "/etc/vaild",
			.roots = FS_ROOTS_DEFAULT,
		},
	};

	prepare();
	parse_options(argc, argv, &options);
	return options.checks_config ? check_configuration(&options) : serve(&options.server);
}
