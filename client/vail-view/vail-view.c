/* SPDX-License-Identifier: MIT */
/*
 * vail-view: shows the screen of a VM in a window, or writes it as images.
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
 *   text-image.c   draws a sentence
 *   font.c         its characters
 *   waker.c        the thread that wakes the window when vaild has sent something
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/completion-entities.h"
#include "client/common/completion.h"
#include "client/common/machine-search.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
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
	}
	return error == 0;
}

/* Tests whether the program must end, and with which exit status. */
static bool is_finished(const View *view, int *ret_exit_status)
{
	const Options *options = view->options;
	char sentence[WAIT_MESSAGE_SIZE];

	*ret_exit_status = EXIT_FAILED;
	if (view->output.is_writing)
		return false; /* complete the frame first */
	if (options->frames > 0 && view->delivered >= options->frames) {
		*ret_exit_status = EXIT_DONE;
		return true;
	}
	if (view->viewer.state == VIEWER_ENDED) {
		log_message("the virtual machine %s has ended", options->machine);
		if (options->frames == 0 && view->delivered > 0)
			*ret_exit_status = EXIT_DONE;
		return true;
	}
	if (view->viewer.state == VIEWER_FAILED)
		return true;
	if (has_deadline(view) && now_milliseconds() >= deadline(view)) {
		viewer_describe_wait(&view->viewer, sentence);
		log_message("no %sframe came within %lu seconds: %s",
			    view->delivered > 0 ? "further " : "", options->timeout, sentence);
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

/* ---- The command line ---- */

enum {
	SHARED_OPTION_VALUES,
	OPTION_PNG,
	OPTION_RAW,
	OPTION_FRAMES,
	OPTION_NAME,
	OPTION_CONSOLE,
	OPTION_TIMEOUT,
};

static const struct option long_options[] = {
	SHARED_OPTION_ROWS,
	{ "png", required_argument, NULL, OPTION_PNG },
	{ "raw", no_argument, NULL, OPTION_RAW },
	{ "frames", required_argument, NULL, OPTION_FRAMES },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "console", required_argument, NULL, OPTION_CONSOLE },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ 0 },
};

static void complete(const CompletionLine *line)
{
	int option = line->option ? line->option->val : 0;

	if (option == OPTION_PNG || option == OPTION_SOCKET) {
		completion_files(line);
		return;
	}
	completion_begin_values();
	if (option == OPTION_NAME)
		completion_object_names(line, line->words[0]);
	else if (option == 0 && *line->current == '-')
		completion_options(line, long_options, NULL, NULL);
	else if (option == 0 && line->word_count == 0)
		completion_machines(line);
}

static void print_help(void)
{
	puts("Usage: vail-view VM [OPTION...]\n"
	     "       vail-view VM --png FILE [OPTION...]\n"
	     "       vail-view VM --raw [OPTION...]\n\n"
	     "Shows the screen that a virtual machine shares in a window, or writes it as\n"
	     "images. VM is its GUID, at least the first 4 characters of it, or its name.\n\n"
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
	     "  --socket PATH      vaild's socket; by default $VAILD_SOCKET or\n"
	     "                     /run/vaild/vaild.sock\n"
	     "  -h, --help         show this help\n"
	     "  --version          show vail-view's version\n\n"
	     "Keys of the window: Ctrl+Alt and F for full screen, O for the original size or\n"
	     "scaled to fit, S to save the screen as a PNG file in the current folder, R to\n"
	     "try again after the viewer was refused, Q to close.\n\n"
	     "Exit status: 0 if all requested frames were written, or the window was closed;\n"
	     "1 if not; 2 for a usage error.");
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

/* Handles one result of getopt_long(). Returns the exit status. */
static int set_option(Options *options, char *const *argv, int result)
{
	switch (result) {
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
	case OPTION_SOCKET:
		options->socket = optarg;
		return EXIT_DONE;
	default:
		return usage_error_option(argv, result, long_options);
	}
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

/* Checks the options for a window. Returns the exit status. */
static int check_window_options(const Options *options)
{
	if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY"))
		return usage_error("neither --png nor --raw is given, and there is no desktop for "
				   "a window, because neither DISPLAY nor WAYLAND_DISPLAY is set; "
				   "see vail-view --help");
	if (options->frames > 0 || options->timeout > 0)
		return usage_error("%s needs --png or --raw; see vail-view --help",
				   options->frames > 0 ? "--frames" : "--timeout");
	return EXIT_DONE;
}

/* Checks the options together, and sets defaults. Returns the exit status. */
static int check_options(Options *options, int machine_count)
{
	if (machine_count == 0)
		return usage_error("no virtual machine is given; see vail-view --help");
	if (machine_count > 1)
		return usage_error("more than one virtual machine is given; see vail-view --help");
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

int main(int argc, char **argv)
{
	Options options = { 0 };
	StartState start;
	int result, exit_status = EXIT_DONE;

	process_start(program_name, true, &start);
	setlocale(LC_CTYPE, "");
	if (completion_wanted(argc, argv))
		return completion_run(long_options, complete, argc, argv);
	opterr = 0;
	while (exit_status == EXIT_DONE &&
	       (result = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (result == 'h' || result == OPTION_HELP) {
			print_help();
			return EXIT_DONE;
		}
		if (result == OPTION_VERSION) {
			print_version();
			return EXIT_DONE;
		}
		exit_status = set_option(&options, argv, result);
	}
	if (exit_status == EXIT_DONE)
		exit_status = check_options(&options, argc - optind);
	if (exit_status != EXIT_DONE)
		return exit_status;
	options.machine = argv[optind];
	signal(SIGPIPE, SIG_IGN); /* write() returns EPIPE instead */
	if (!find_machine(&options))
		return EXIT_FAILED;
	return options.is_raw || options.png ? view_run(&options) : show_window(&options);
}
