/* SPDX-License-Identifier: MIT */
#include "client/vail-view/view-options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/common/client-list.h"
#include "client/common/completion-entities.h"
#include "client/common/completion.h"
#include "client/common/plain-words.h"
#include "client/common/program-options.h"
#include "client/vail-view/channel-socket.h"
#include "client/vail-view/view-help.h"

/* In seconds; the timeout in milliseconds must fit into an int, for poll(). */
#define TIMEOUT_MAX 1000000

/* The result of getopt_long() for a word that is no option. */
#define WORD 1

enum {
	SHARED_OPTION_VALUES,
	OPTION_PNG,
	OPTION_RAW,
	OPTION_FRAMES,
	OPTION_NAME,
	OPTION_CONSOLE,
	OPTION_TIMEOUT,
	OPTION_EXEC,
	OPTION_DBUS_FD,
	OPTION_RIGHTS,
	OPTION_NO_CLIPBOARD,
	OPTION_NO_SOUND,
	OPTION_MICROPHONE,
};

static const struct option long_options[] = {
	SHARED_OPTION_ROWS,
	{ "png", required_argument, NULL, OPTION_PNG },
	{ "raw", no_argument, NULL, OPTION_RAW },
	{ "frames", required_argument, NULL, OPTION_FRAMES },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "console", required_argument, NULL, OPTION_CONSOLE },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "exec", required_argument, NULL, OPTION_EXEC },
	{ "dbus-fd", required_argument, NULL, OPTION_DBUS_FD },
	{ "rights", required_argument, NULL, OPTION_RIGHTS },
	{ "no-clipboard", no_argument, NULL, OPTION_NO_CLIPBOARD },
	{ "no-sound", no_argument, NULL, OPTION_NO_SOUND },
	{ "microphone", no_argument, NULL, OPTION_MICROPHONE },
	{ 0 },
};

static void complete(const CompletionLine *line)
{
	int option = line->option ? line->option->val : 0;

	if (line->program > 0) {
		completion_program(line);
		return;
	}
	if (option == OPTION_PNG || option == OPTION_SOCKET) {
		completion_files(line);
		return;
	}
	completion_begin_values();
	if (option == OPTION_NAME)
		completion_object_names(line, line->words[0]);
	else if (option == OPTION_RIGHTS)
		completion_right_list(line);
	else if (option == 0 && *line->current == '-')
		completion_options(line, long_options, NULL, NULL);
	else if (option == 0 && line->word_count == 0)
		completion_machines(line);
}

int view_options_complete(int argc, char **argv)
{
	return completion_run(long_options, complete, argc, argv);
}

/* Sets *ret_number, or logs an error. Returns the exit status. */
static int set_number(const char *option, const char *text, unsigned long maximum,
		      unsigned long *ret_number)
{
	if (number_parse(text, maximum, ret_number))
		return EXIT_DONE;
	return usage_error("%s takes a number from 1 to %lu, not %s; see vail-view --help", option,
			   maximum, text);
}

/* Sets the name to that of a console of vail-qemu, or logs an error. Returns the exit status. */
static int set_console(ViewOptions *options, const char *text)
{
	unsigned long number = 0;

	if (strcmp(text, "0") != 0 && !number_parse(text, UINT32_MAX, &number))
		return usage_error("--console takes a number from 0 to %lu, not %s; see vail-view "
				   "--help",
				   (unsigned long)UINT32_MAX, text);
	snprintf(options->console, CONSOLE_NAME_SIZE, "console %lu", number);
	options->name = options->console;
	return EXIT_DONE;
}

/* Sets the program of --exec: the rest of the command line. Returns the exit status. */
static int set_program(ViewOptions *options, char **argv)
{
	if (*optarg == '\0' || strcmp(optarg, "--") == 0)
		return usage_error("--exec needs a program directly behind it; see vail-view "
				   "--help");
	options->program = argv + optind - 1;
	options->program[0] = optarg; /* also with --exec=PROGRAM */
	return EXIT_DONE;
}

static int set_socket_fd(ViewOptions *options)
{
	unsigned long number = 0;

	if (strcmp(optarg, "0") != 0 && !number_parse(optarg, INT_MAX, &number))
		return usage_error("--dbus-fd takes the number of a file descriptor, not %s; see "
				   "vail-view --help",
				   optarg);
	options->socket_fd = (int)number;
	return EXIT_DONE;
}

/* Handles a word that is no option. Returns the exit status. */
static int set_machine(ViewOptions *options, const char *word)
{
	char first[PLAIN_QUOTE_SIZE], second[PLAIN_QUOTE_SIZE];

	if (options->machine)
		return usage_error("more than one virtual machine is given: %s and %s; see "
				   "vail-view --help",
				   plain_quote(options->machine, first), plain_quote(word, second));
	options->machine = word;
	return EXIT_DONE;
}

/* Handles one result of getopt_long(). Returns the exit status. */
static int set_option(ViewOptions *options, char **argv, int result)
{
	switch (result) {
	case WORD:
		return set_machine(options, optarg);
	case OPTION_PNG:
		options->png = optarg;
		return EXIT_DONE;
	case OPTION_RAW:
		options->is_raw = true;
		return EXIT_DONE;
	case OPTION_FRAMES:
		return set_number("--frames", optarg, UINT32_MAX, &options->frames);
	case OPTION_NAME:
		options->name = optarg;
		return EXIT_DONE;
	case OPTION_CONSOLE:
		return set_console(options, optarg);
	case OPTION_TIMEOUT:
		return set_number("--timeout", optarg, TIMEOUT_MAX, &options->timeout);
	case OPTION_EXEC:
		return set_program(options, argv);
	case OPTION_DBUS_FD:
		return set_socket_fd(options);
	case OPTION_RIGHTS:
		return display_rights_parse(optarg, &options->rights) ? EXIT_DONE : EXIT_USAGE;
	case OPTION_NO_CLIPBOARD:
		options->no_clipboard = true;
		return EXIT_DONE;
	case OPTION_NO_SOUND:
		options->no_sound = true;
		return EXIT_DONE;
	case OPTION_MICROPHONE:
		options->microphone = true;
		return EXIT_DONE;
	case OPTION_SOCKET:
		options->socket = optarg;
		return EXIT_DONE;
	default:
		return usage_error_option(argv, result, long_options, NULL);
	}
}

/* Returns an option that was given and needs a window, or NULL. */
static const char *window_only_option(const ViewOptions *options)
{
	if (options->no_clipboard)
		return "--no-clipboard";
	if (options->no_sound)
		return "--no-sound";
	return options->microphone ? "--microphone" : NULL;
}

/* Checks the options for a window. Returns the exit status. */
static int check_window_options(const ViewOptions *options)
{
	if (options->frames > 0 || options->timeout > 0)
		return usage_error("%s needs --png or --raw; see vail-view --help",
				   options->frames > 0 ? "--frames" : "--timeout");
	return EXIT_DONE;
}

bool view_options_pass_channel(const ViewOptions *options)
{
	return options->program || options->socket_fd >= 0;
}

/* Checks the options for a display channel. Returns the exit status. */
static int check_channel_options(const ViewOptions *options)
{
	const char *option = options->program ? "--exec" : "--dbus-fd";

	if (options->program && options->socket_fd >= 0)
		return usage_error("--exec and --dbus-fd exclude each other; see vail-view --help");
	if (options->is_raw || options->png || options->name || options->frames > 0 ||
	    options->timeout > 0 || window_only_option(options))
		return usage_error("%s goes with --rights and --socket only; see vail-view --help",
				   option);
	if (options->socket_fd >= 0 && !channel_socket_is_usable(options->socket_fd))
		return usage_error("--dbus-fd: file descriptor %d is not a connected Unix stream "
				   "socket; give one over which the display can be sent, or use "
				   "--exec",
				   options->socket_fd);
	return EXIT_DONE;
}

/* Checks the options together, and sets defaults. Returns the exit status. */
static int check_options(ViewOptions *options)
{
	if (!options->machine)
		return usage_error("no virtual machine is given; see vail-view --help");
	if (view_options_pass_channel(options))
		return check_channel_options(options);
	if (options->rights != 0)
		return usage_error("--rights needs --exec or --dbus-fd; see vail-view --help");
	if (options->is_raw && options->png)
		return usage_error("--png and --raw exclude each other; see vail-view --help");
	if (!options->is_raw && !options->png)
		return check_window_options(options);
	if (window_only_option(options))
		return usage_error("%s is for the window, and goes with neither --png nor --raw; "
				   "see vail-view --help",
				   window_only_option(options));
	const char *to_stdout = options->is_raw ? "--raw" : "--png -";
	bool uses_stdout = options->is_raw || strcmp(options->png, "-") == 0;
	if (uses_stdout && (fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return usage_error(
			"%s writes to stdout, which is closed or read-only; see vail-view --help",
			to_stdout);
	if (uses_stdout && isatty(STDOUT_FILENO))
		return usage_error("%s writes no pictures to a terminal; see vail-view --help",
				   to_stdout);
	if (options->png && options->frames == 0)
		options->frames = 1;
	return EXIT_DONE;
}

bool view_options_parse(int argc, char **argv, ViewOptions *ret_options, int *ret_exit_status)
{
	ViewOptions *options = ret_options;
	int result;

	*options = (ViewOptions){ .socket_fd = -1 };
	*ret_exit_status = EXIT_DONE;
	opterr = 0;
	while (*ret_exit_status == EXIT_DONE && !options->program &&
	       (result = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1) {
		if (result == 'h' || result == OPTION_HELP) {
			view_help_print();
			return false;
		}
		if (result == OPTION_VERSION) {
			print_version();
			return false;
		}
		*ret_exit_status = set_option(options, argv, result);
	}
	/* Words behind "--" follow here. */
	while (*ret_exit_status == EXIT_DONE && !options->program && optind < argc)
		*ret_exit_status = set_machine(options, argv[optind++]);
	if (*ret_exit_status == EXIT_DONE)
		*ret_exit_status = check_options(options);
	return *ret_exit_status == EXIT_DONE;
}
