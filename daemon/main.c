/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/host/log/log.h"
#include "daemon/host/server.h"
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
	     "  --socket PATH       listen on this Unix socket (/run/vaild/vaild.sock)\n"
	     "  --runtime-dir DIR   state of the current boot (/run/vaild/state)\n"
	     "  --state-dir DIR     quarantines, which survive reboots (/var/lib/vaild)\n"
	     "  --config DIR        vaild.json and vaild.json.d/*.json (/etc/vaild)\n"
	     "  --version           print the version and exit\n"
	     "  --help              print this help and exit");
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

int main(int argc, char **argv)
{
	enum {
		OPTION_SOCKET = 1,
		OPTION_RUNTIME,
		OPTION_STATE,
		OPTION_CONFIG,
		OPTION_VERSION,
		OPTION_HELP
	};
	static const struct option long_options[] = {
		{ "socket", required_argument, NULL, OPTION_SOCKET },
		{ "runtime-dir", required_argument, NULL, OPTION_RUNTIME },
		{ "state-dir", required_argument, NULL, OPTION_STATE },
		{ "config", required_argument, NULL, OPTION_CONFIG },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ "help", no_argument, NULL, OPTION_HELP },
		{ NULL, 0, NULL, 0 },
	};
	ServerOptions options = {
		.socket_path = "/run/vaild/vaild.sock",
		.runtime_directory = "/run/vaild/state",
		.state_directory = "/var/lib/vaild",
		.config_directory = "/etc/vaild",
		.roots = FS_ROOTS_DEFAULT,
	};
	int option;

	prepare();
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPTION_SOCKET:
			options.socket_path = optarg;
			break;
		case OPTION_RUNTIME:
			options.runtime_directory = optarg;
			break;
		case OPTION_STATE:
			options.state_directory = optarg;
			break;
		case OPTION_CONFIG:
			options.config_directory = optarg;
			break;
		case OPTION_VERSION:
			puts("vaild " VAILD_VERSION);
			return EXIT_SUCCESS;
		case OPTION_HELP:
			print_help();
			return EXIT_SUCCESS;
		default:
			fputs("see vaild --help\n",
			      stderr); /* getopt_long() has printed the reason */
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vaild: unexpected argument \"%s\"; see vaild --help\n",
			argv[optind]);
		return 2;
	}
	_cleanup_free_ char *socket = make_absolute(options.socket_path);
	_cleanup_free_ char *runtime = make_absolute(options.runtime_directory);
	_cleanup_free_ char *state = make_absolute(options.state_directory);
	_cleanup_free_ char *config = make_absolute(options.config_directory);
	options.given_socket_path = options.socket_path;
	options.socket_path = socket;
	options.runtime_directory = runtime;
	options.state_directory = state;
	options.config_directory = config;
	log_open();
	return server_run(&options);
}
