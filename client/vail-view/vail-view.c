/* SPDX-License-Identifier: MIT */
/*
 * vail-view: shows the screen of a VM in a window, and passes input to it. Or writes the screen as
 * images, or opens a display channel for another program.
 *
 *   vail-view.c    the command line and the main loop
 *   viewer.c       registration and events
 *   pictures.c     the names of all shared pictures
 *   follower.c     the objects of one name; decides which of them to show
 *   screen.c       the open object
 *   framebuffer.c  the copy of its pixels, and which of them are stale
 *   output.c       the destination of the frames
 *   bitmap.c       the BMP encoding
 *   window/        the window and its main loop; no-window.c, if it is not built
 *   placement.c    where the picture is in the window
 *   keyboard.c     which keys of the window reach the guest
 *   guest-size.c   when the guest is asked for another size
 *   text-image.c   draws a sentence
 *   font.c         its characters
 *   passed-channel.c
 *                  a display channel for another program
 *   channel-program.c
 *                  runs that program
 *   channel-arguments.c
 *                  the number of the channel's fd in its arguments
 *   channel-socket.c
 *                  sends the channel to it
 *   waker.c        the thread that wakes the window when vaild or the agent has sent something
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/client-list.h"
#include "client/common/completion-entities.h"
#include "client/common/completion.h"
#include "client/common/machine-search.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vail-view/channel-program.h"
#include "client/vail-view/channel-socket.h"
#include "client/vail-view/desktop-window.h"
#include "client/vail-view/output.h"
#include "client/vail-view/viewer.h"
#include "proto/macros.h"
#include "proto/process-start.h"

const char program_name[] = "vail-view";

/* Time without a picture after which the viewer says what it waits for, in milliseconds. */
#define WAIT_SAID_AFTER 1000

/* In seconds; the timeout in milliseconds must fit into an int, for poll(). */
#define TIMEOUT_MAX 1000000

/* The result of getopt_long() for a word that is no option. */
#define WORD 1

/* Buffer size for the name of a console. */
#define CONSOLE_NAME_SIZE 32

typedef struct Options {
	const char *machine; /* the VM, as typed: see machine-search.h */
	char guid[MACHINE_GUID_SIZE];
	const char *png;
	const char *name;
	char console[CONSOLE_NAME_SIZE]; /* the name that --console stands for */
	const char *socket;
	bool is_raw;
	unsigned long frames;  /* number of frames to write; 0 for no limit */
	unsigned long timeout; /* in seconds; 0 for none */
	char **program;        /* of --exec, with its arguments; NULL without one */
	int socket_fd;         /* of --dbus-fd; -1 without it */
	unsigned int rights;   /* of --rights; 0 without it */
} Options;

/* The state of the main loop. */
typedef struct View {
	const Options *options;
	Viewer viewer;
	Output output;
	unsigned long delivered; /* number of frames written */
	bool has_delivered;      /* the last turn completed a frame, so check for another at once */
	int64_t wait_said_at;    /* when the viewer says what it waits for; INT64_MAX if it did */
	char wait_said[WAIT_MESSAGE_SIZE]; /* the last sentence that it said */
	int64_t delivered_at; /* when the last frame was written, or the start; milliseconds */
} View;

/* ---- The loop ---- */

static bool has_deadline(const View *view)
{
	return view->options->timeout > 0 && !view->output.is_writing;
}

static int64_t deadline(const View *view)
{
	return view->delivered_at + (int64_t)view->options->timeout * 1000;
}

/* Tests whether nothing can be shown, so that the user must wait for the virtual machine. */
static bool is_waiting(const View *view)
{
	return view->viewer.state == VIEWER_WATCHING && !view->viewer.picture.screen;
}

/* Says what the viewer waits for, if that takes longer than WAIT_SAID_AFTER. */
static void say_wait(View *view)
{
	char sentence[WAIT_MESSAGE_SIZE];
	int64_t now = now_milliseconds();

	if (!is_waiting(view)) {
		view->wait_said_at = now + WAIT_SAID_AFTER;
		view->wait_said[0] = '\0';
	}
	if (now < view->wait_said_at || (has_deadline(view) && now >= deadline(view)))
		return; /* is_finished() says it as well */
	view->wait_said_at = INT64_MAX;
	viewer_describe_wait(&view->viewer, sentence);
	if (strcmp(sentence, view->wait_said) != 0)
		log_message("waiting: %s", sentence);
	memcpy(view->wait_said, sentence, sizeof(sentence));
}

/* Returns the timeout for poll(): milliseconds until the next deadline, or -1 without one. */
static int time_left(const View *view)
{
	int64_t now = now_milliseconds(), at = view->has_delivered ? now : INT64_MAX;

	if (has_deadline(view) && deadline(view) < at)
		at = deadline(view);
	if (view->viewer.state == VIEWER_RECONNECTING && view->viewer.retry_at < at)
		at = view->viewer.retry_at;
	if (is_waiting(view) && view->wait_said_at < at)
		at = view->wait_said_at;
	if (at == INT64_MAX)
		return -1;
	return at > now ? (int)(at - now) : 0;
}

/* Waits for an event or a deadline. Returns false if the reader has closed the output. */
static bool wait_for_event(const View *view)
{
	bool is_watching = view->viewer.state == VIEWER_WATCHING;
	struct pollfd descriptors[] = {
		{ .fd = is_watching ? vail_descriptor(view->viewer.watch) : -1,
		  .events = is_watching ? vail_events(view->viewer.watch) : 0 },
		{ .fd = view->output.fd, .events = output_events(&view->output) },
	};

	if (poll(descriptors, 2, time_left(view)) < 0)
		return true; /* interrupted by a signal */
	return !(descriptors[1].revents & (POLLERR | POLLHUP));
}

/* Tells a person at a terminal that the first frame has been written to a file. */
static void say_written(const View *view)
{
	const char *png = view->options->png;

	if (view->delivered == 1 && png && strcmp(png, "-") != 0 && isatty(STDERR_FILENO))
		log_message("wrote %s", png);
}

/*
 * Starts to write the next frame, or continues with the current one. Returns false with an exit
 * status if the program must end.
 */
static bool deliver(View *view, int *ret_exit_status)
{
	Output *output = &view->output;
	char message[OUTPUT_MESSAGE_SIZE];

	*ret_exit_status = EXIT_FAILED;
	view->has_delivered = false;
	if (!output->is_writing) {
		if (!viewer_next_frame(&view->viewer))
			return true;
		if (!output_begin(output, &view->viewer.picture.screen->framebuffer, message)) {
			log_message("cannot write %s: %s", view->options->png, message);
			return false;
		}
	}
	int error = output_continue(output, &view->viewer.picture.screen->framebuffer);
	if (error == -EPIPE)
		*ret_exit_status = EXIT_DONE; /* the reader has seen enough */
	else if (error < 0)
		log_message("cannot write the output: %s", strerror(-error));
	if (error == 0 && !output->is_writing) {
		view->delivered++;
		view->has_delivered = true;
		view->delivered_at = now_milliseconds();
		say_written(view);
	}
	return error == 0;
}

/* Tests whether the program must end, and with which exit status. */
static bool is_finished(const View *view, int *ret_exit_status)
{
	const Options *options = view->options;
	char sentence[WAIT_MESSAGE_SIZE], typed[PLAIN_QUOTE_SIZE];

	*ret_exit_status = EXIT_FAILED;
	if (view->output.is_writing)
		return false; /* complete the frame first */
	if (options->frames > 0 && view->delivered >= options->frames) {
		*ret_exit_status = EXIT_DONE;
		return true;
	}
	if (view->viewer.state == VIEWER_ENDED) {
		log_message("the virtual machine %s has ended",
			    plain_quote(options->machine, typed));
		if (options->frames == 0 && view->delivered > 0)
			*ret_exit_status = EXIT_DONE;
		return true;
	}
	if (view->viewer.state == VIEWER_FAILED)
		return true;
	if (has_deadline(view) && now_milliseconds() >= deadline(view)) {
		viewer_describe_wait(&view->viewer, sentence);
		log_message("no %sframe came within %lu second%s: %s",
			    view->delivered > 0 ? "further " : "", options->timeout,
			    options->timeout == 1 ? "" : "s", sentence);
		return true;
	}
	return false;
}

/* Finds the VM that was typed. Returns false after it has logged an error. */
static bool find_machine(Options *options)
{
	_cleanup_free_ char *message = NULL;
	struct vail *vail = NULL;
	NTSTATUS status = vail_new(options->socket, &vail);

	if (status == STATUS_SUCCESS)
		status = machine_find(vail, options->machine, MACHINES_RUNNING, options->guid,
				      &message);
	if (status != STATUS_SUCCESS && !message && vail)
		message = message_refusal(vail, status, NULL);
	if (status != STATUS_SUCCESS)
		log_message("%s", message ? message : "this process is out of memory");
	vail_close(vail);
	return status == STATUS_SUCCESS;
}

/* Returns the exit status. */
static int view_run(const Options *options)
{
	View view = {
		.options = options,
		.output = { .path = options->png, .fd = options->is_raw ? STDOUT_FILENO : -1 },
		.wait_said_at = now_milliseconds() + WAIT_SAID_AFTER,
		.delivered_at = now_milliseconds(),
	};
	int exit_status = EXIT_FAILED;

	if (viewer_init(&view.viewer, options->socket, options->guid, options->machine,
			options->name, false))
		do {
			if (!wait_for_event(&view)) {
				exit_status = EXIT_DONE;
				break;
			}
			viewer_process(&view.viewer);
			say_wait(&view);
		} while (deliver(&view, &exit_status) && !is_finished(&view, &exit_status));
	viewer_deinit(&view.viewer);
	return exit_status;
}

/* Returns the exit status. */
static int show_window(const Options *options)
{
	const WindowRequest request = { options->machine, options->guid, options->name,
					options->socket };

	return desktop_window_run(&request);
}

/* Opens a display channel for another program. Returns the exit status. */
static int pass_channel(const Options *options, const StartState *start)
{
	const ChannelRequest request = { options->machine, options->guid, options->socket,
					 options->rights };

	return options->program ? channel_program_run(&request, options->program, start)
				: channel_socket_pass(&request, options->socket_fd);
}

/* ---- The command line ---- */

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

static void print_help(void)
{
	puts("Usage: vail-view VM [OPTION...]\n"
	     "       vail-view VM --png FILE [OPTION...]\n"
	     "       vail-view VM --raw [OPTION...]\n"
	     "       vail-view VM [--rights RIGHTS] --exec PROGRAM [ARGUMENT...]\n"
	     "       vail-view VM [--rights RIGHTS] --dbus-fd N\n\n"
	     "Shows the screen that a virtual machine shares in a window, writes it as\n"
	     "images, or lets another program show it. VM is its GUID, at least the first 4\n"
	     "characters of it, or its name.\n\n"
	     "  --png FILE         write each frame to FILE, replacing the previous one; - is\n"
	     "                     stdout\n"
	     "  --raw              write each frame to stdout as a BMP file, one after the\n"
	     "                     other\n"
	     "  --frames N         exit after N frames; by default, after one frame with\n"
	     "                     --png, and with --raw when the virtual machine or the\n"
	     "                     reader ends\n"
	     "  --name NAME        show the object of this name; by default, the first image\n"
	     "  --console N        show console N of a QEMU guest, as --name \"console N\" does\n"
	     "  --timeout SECONDS  fail if no frame comes in this time; by default, wait for\n"
	     "                     ever\n"
	     "  --exec PROGRAM...  run PROGRAM with a D-Bus display like that of QEMU; {} in\n"
	     "                     its arguments stands for the number of the file\n"
	     "                     descriptor, which is also in $VAIL_DISPLAY_FD\n"
	     "  --dbus-fd N        send that display over the connected Unix socket that is\n"
	     "                     file descriptor N, for programs that run vail-view\n"
	     "  --rights RIGHTS    what the display may be used for, such as view,input; by\n"
	     "                     default, all that the user may do\n"
	     "  --socket PATH      vaild's socket; by default $VAILD_SOCKET or\n"
	     "                     /run/vaild/vaild.sock\n"
	     "  -h, --help         show this help\n"
	     "  --version          show vail-view's version\n\n"
	     "Keys of the window: Ctrl+Alt and F for full screen, O for the original size or\n"
	     "scaled to fit, G to grab the pointer and the keyboard or release them, K to\n"
	     "pass the next key to the guest even if it is one of these, S to save the\n"
	     "screen as a PNG file in the current folder, R to try again after the viewer\n"
	     "was refused, Q to close. All other keys reach the guest if you have the right\n"
	     "to input.\n\n"
	     "Exit status: 0 if all requested frames were written, or the window was closed;\n"
	     "1 if not; 2 for a usage error. With --exec, the status of PROGRAM, or 126 or\n"
	     "127 if it cannot be run.");
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
static int set_console(Options *options, const char *text)
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
static int set_program(Options *options, char **argv)
{
	if (*optarg == '\0' || strcmp(optarg, "--") == 0)
		return usage_error("--exec needs a program directly behind it; see vail-view "
				   "--help");
	options->program = argv + optind - 1;
	options->program[0] = optarg; /* also with --exec=PROGRAM */
	return EXIT_DONE;
}

static int set_socket_fd(Options *options)
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
static int set_machine(Options *options, const char *word)
{
	if (options->machine)
		return usage_error("more than one virtual machine is given; see vail-view --help");
	options->machine = word;
	return EXIT_DONE;
}

/* Handles one result of getopt_long(). Returns the exit status. */
static int set_option(Options *options, char **argv, int result)
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
	case OPTION_SOCKET:
		options->socket = optarg;
		return EXIT_DONE;
	default:
		return usage_error_option(argv, result, long_options, NULL);
	}
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

/* Checks that a window has a desktop. Returns the exit status. */
static int check_desktop(void)
{
	if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY"))
		return usage_error("neither --png nor --raw is given, and there is no desktop for "
				   "a window, because neither DISPLAY nor WAYLAND_DISPLAY is set; "
				   "see vail-view --help");
	return EXIT_DONE;
}

/* Checks the options for a window. Returns the exit status. */
static int check_window_options(const Options *options)
{
	if (options->frames > 0 || options->timeout > 0)
		return usage_error("%s needs --png or --raw; see vail-view --help",
				   options->frames > 0 ? "--frames" : "--timeout");
	return EXIT_DONE;
}

static bool passes_channel(const Options *options)
{
	return options->program || options->socket_fd >= 0;
}

/* Checks the options for a display channel. Returns the exit status. */
static int check_channel_options(const Options *options)
{
	const char *option = options->program ? "--exec" : "--dbus-fd";

	if (options->program && options->socket_fd >= 0)
		return usage_error("--exec and --dbus-fd exclude each other; see vail-view --help");
	if (options->is_raw || options->png || options->name || options->frames > 0 ||
	    options->timeout > 0)
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
static int check_options(Options *options)
{
	if (!options->machine)
		return usage_error("no virtual machine is given; see vail-view --help");
	if (passes_channel(options))
		return check_channel_options(options);
	if (options->rights != 0)
		return usage_error("--rights needs --exec or --dbus-fd; see vail-view --help");
	if (options->is_raw && options->png)
		return usage_error("--png and --raw exclude each other; see vail-view --help");
	if (!options->is_raw && !options->png)
		return check_window_options(options);
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

/*
 * Parses the command line. Prints the help or the version if that is asked for. Returns true if
 * the program shall go on; otherwise with the exit status.
 */
static bool parse_options(Options *options, int argc, char **argv, int *ret_exit_status)
{
	int result;

	*ret_exit_status = EXIT_DONE;
	opterr = 0;
	while (*ret_exit_status == EXIT_DONE && !options->program &&
	       (result = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1) {
		if (result == 'h' || result == OPTION_HELP) {
			print_help();
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

int main(int argc, char **argv)
{
	Options options = { .socket_fd = -1 };
	StartState start;
	int exit_status;

	process_start(program_name, true, &start);
	setlocale(LC_CTYPE, "");
	if (completion_wanted(argc, argv))
		return completion_run(long_options, complete, argc, argv);
	if (!parse_options(&options, argc, argv, &exit_status))
		return exit_status;
	signal(SIGPIPE, SIG_IGN); /* write() returns EPIPE instead */
	if (!find_machine(&options))
		return EXIT_FAILED;
	if (passes_channel(&options))
		return pass_channel(&options, &start);
	if (options.is_raw || options.png)
		return view_run(&options);
	/* Only now: without a desktop, too, people first learn that the VM is misspelt. */
	exit_status = check_desktop();
	return exit_status == EXIT_DONE ? show_window(&options) : exit_status;
}
