/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "daemon/host/config.h"
#include "daemon/host/log/log.h"
#include "daemon/host/server.h"
#include "proto/process-start.h"
#include "proto/version.h"

#define EXIT_USAGE 2

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
	     "  --config DIR           vaild.json and vaild.json.d/*.json (/etc/vaild)\n"
	     "  --check-config [FILE]  check the configuration, or only FILE, and exit\n"
	     "  --version              print the version and exit\n"
	     "  --help                 print this help and exit");
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
	fprintf(stderr,
		"vaild: %s: cannot find the path of the working directory: %s; give an absolute "
		"path\n",
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
} Options;

enum {
	OPTION_SOCKET = 1,
	OPTION_RUNTIME,
	OPTION_STATE,
	OPTION_CONFIG,
	OPTION_CHECK_CONFIG,
	OPTION_VERSION,
	OPTION_HELP
};

/* Handles one result of getopt_long(). Exits if the option says so or is wrong. */
static void set_option(Options *options, int option)
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
		break;
	case OPTION_CHECK_CONFIG:
		options->checks_config = true;
		options->checked_path = optarg;
		break;
	case OPTION_VERSION:
		puts("vaild " VAILD_VERSION);
		exit(EXIT_SUCCESS);
	case OPTION_HELP:
		print_help();
		exit(EXIT_SUCCESS);
	default: /* getopt_long() has printed the reason */
		fputs("see vaild --help\n", stderr);
		exit(EXIT_USAGE);
	}
}

static void parse_options(int argc, char **argv, Options *options)
{
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
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		set_option(options, option);
	/* getopt_long() finds an optional value only after a "=". */
	if (options->checks_config && !options->checked_path && optind < argc)
		options->checked_path = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "vaild: unexpected argument \"%s\"; see vaild --help\n",
			argv[optind]);
		exit(EXIT_USAGE);
	}
}

/* Returns the exit status. Needs no privileges, and changes nothing. */
static int check_configuration(const Options *options)
{
	const char *path = options->checked_path;
	struct stat status;
	Settings settings;
	ConfigError error;
	bool is_directory = !path || (stat(path, &status) == 0 && S_ISDIR(status.st_mode));
	bool is_right = is_directory ? config_load(path ? path : options->server.config_directory,
						   &settings, &error)
				     : config_check_file(path, &error);

	if (!is_right)
		fprintf(stderr, "vaild: %s\n", error.message);
	return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
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
