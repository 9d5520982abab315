/* SPDX-License-Identifier: MIT */
/*
 * vail-view: a VM's screen, as pictures. What there is in this folder:
 *
 *   vail-view.c    the command line, and the loop that everything happens in
 *   viewer.c       registration and events: which object is shown
 *   screen.c       the object that is open
 *   framebuffer.c  the copy of its bytes, and which are to be read anew
 *   output.c       where frames go
 *   bitmap.c       frames as BMP
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

#include "output.h"
#include "version.h"
#include "viewer.h"

/* Exit statuses. */
#define EXIT_DONE   0
#define EXIT_FAILED 1
#define EXIT_USAGE  2

/* So that it fits into milliseconds of poll(). */
#define TIMEOUT_MAX 1000000

typedef struct Options {
	const char *guid;
	const char *png;
	const char *name;
	const char *socket;
	bool is_raw;
	unsigned long frames;  /* 0: for ever */
	unsigned long timeout; /* in seconds; 0: none */
} Options;

/* What is under way. */
typedef struct View {
	const Options *options;
	Viewer viewer;
	Output output;
	unsigned long delivered; /* frames that are out */
	bool has_delivered;      /* just now: meanwhile there may be another */
	int64_t delivered_at;    /* the last one, or when it all began; by now_milliseconds() */
} View;

/* ---- The loop ---- */

static bool has_deadline(const View *view)
{
	return view->options->timeout > 0 && !view->output.is_under_way;
}

static int64_t deadline(const View *view)
{
	return view->delivered_at + (int64_t)view->options->timeout * 1000;
}

/* In milliseconds, until something is to be done though nothing has happened; -1: never. */
static int time_left(const View *view)
{
	int64_t now = now_milliseconds(), at = view->has_delivered ? now : INT64_MAX;

	if (has_deadline(view) && deadline(view) < at)
		at = deadline(view);
	if (view->viewer.state == VIEWER_LOST && view->viewer.retry_at < at)
		at = view->viewer.retry_at;
	if (at == INT64_MAX)
		return -1;
	return at > now ? (int)(at - now) : 0;
}

/* Waits until something has happened. Returns false when nobody reads the output any more. */
static bool wait_for_something(const View *view)
{
	bool watches = view->viewer.state == VIEWER_WATCHES;
	struct pollfd descriptors[] = {
		{ .fd = watches ? vail_descriptor(view->viewer.watch) : -1,
		  .events = watches ? vail_events(view->viewer.watch) : 0 },
		{ .fd = view->output.descriptor, .events = output_events(&view->output) },
	};

	if (poll(descriptors, 2, time_left(view)) < 0)
		return true; /* by a signal */
	return !(descriptors[1].revents & (POLLERR | POLLHUP));
}

/* Brings the next frame, or the rest of one, on its way. Returns false with an exit status. */
static bool deliver(View *view, int *ret_exit_status)
{
	Output *output = &view->output;
	const Framebuffer *framebuffer = &view->viewer.screen.framebuffer;
	char message[OUTPUT_MESSAGE_SIZE];

	*ret_exit_status = EXIT_FAILED;
	view->has_delivered = false;
	if (!output->is_under_way) {
		if (!viewer_next_frame(&view->viewer))
			return true;
		if (!output_begin(output, framebuffer, message)) {
			say("cannot write %s: %s", view->options->png, message);
			return false;
		}
	}
	int error = output_continue(output, framebuffer);
	if (error == -EPIPE)
		*ret_exit_status = EXIT_DONE; /* the reader has seen enough */
	else if (error < 0)
		say("cannot write the output: %s", strerror(-error));
	if (error == 0 && !output->is_under_way) {
		view->delivered++;
		view->has_delivered = true;
		view->delivered_at = now_milliseconds();
	}
	return error == 0;
}

/* Whether there is nothing more to do; then with an exit status. */
static bool is_over(const View *view, int *ret_exit_status)
{
	const Options *options = view->options;

	*ret_exit_status = EXIT_FAILED;
	if (view->output.is_under_way)
		return false; /* a reader gets whole frames */
	if (options->frames > 0 && view->delivered >= options->frames) {
		*ret_exit_status = EXIT_DONE;
		return true;
	}
	if (view->viewer.state == VIEWER_ENDED) {
		say("the virtual machine %s has ended", options->guid);
		if (options->frames == 0 && view->delivered > 0)
			*ret_exit_status = EXIT_DONE;
		return true;
	}
	if (view->viewer.state == VIEWER_FAILED)
		return true;
	if (has_deadline(view) && now_milliseconds() >= deadline(view)) {
		say("no %sframe came within %lu seconds", view->delivered > 0 ? "further " : "",
		    options->timeout);
		return true;
	}
	return false;
}

/* Returns the exit status. */
static int view_run(const Options *options)
{
	View view = {
		.options = options,
		.output = { .path = options->png,
			    .descriptor = options->is_raw ? STDOUT_FILENO : -1 },
		.delivered_at = now_milliseconds(),
	};
	int exit_status = EXIT_FAILED;

	if (viewer_init(&view.viewer, options->socket, options->guid, options->name))
		do {
			if (!wait_for_something(&view)) {
				exit_status = EXIT_DONE;
				break;
			}
			viewer_process(&view.viewer);
		} while (deliver(&view, &exit_status) && !is_over(&view, &exit_status));
	viewer_deinit(&view.viewer);
	return exit_status;
}

/* ---- The command line ---- */

enum {
	OPTION_PNG = 0x100,
	OPTION_RAW,
	OPTION_FRAMES,
	OPTION_NAME,
	OPTION_TIMEOUT,
	OPTION_SOCKET,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "png", required_argument, NULL, OPTION_PNG },
	{ "raw", no_argument, NULL, OPTION_RAW },
	{ "frames", required_argument, NULL, OPTION_FRAMES },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

static void print_help(void)
{
	puts("Usage: vail-view GUID --png FILE [OPTION...]\n"
	     "       vail-view GUID --raw [OPTION...]\n\n"
	     "Shows what a virtual machine shares of its screen.\n\n"
	     "  --png FILE         write each frame to the file, one in place of the other\n"
	     "  --raw              write each frame to stdout, as one BMP behind the other\n"
	     "  --frames N         end after so many frames; else after one with --png, and with\n"
	     "                     --raw when the virtual machine ends, or the reader\n"
	     "  --name NAME        show what is shared under this name; else the first picture\n"
	     "  --timeout SECONDS  fail when no frame comes for so long; else wait for ever\n"
	     "  --socket PATH      vaild's socket; else $VAILD_SOCKET, else /run/vaild/vaild.sock\n"
	     "  -h, --help         show this\n"
	     "  --version          show vail-view's version\n\n"
	     "Exit status: 0 when it delivered what was asked for, 1 when not, 2 when the command\n"
	     "line is wrong.");
}

/* Says so when it is none. Returns the exit status. */
static int take_number(const char *option, const char *text, unsigned long maximum,
		       unsigned long *ret_number)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || number < 1 ||
	    number > maximum) {
		say("%s takes a number from 1 to %lu, not %s; see vail-view --help", option,
		    maximum, text);
		return EXIT_USAGE;
	}
	*ret_number = number;
	return EXIT_DONE;
}

static int take_wrong_option(char *const *argv, int result)
{
	/* A long option that is wrong has been passed already; a short one may still be at it. */
	if (optopt > 0 && optopt < OPTION_PNG)
		say("-%c is no option; see vail-view --help", optopt);
	else if (result == ':')
		say("%s needs a value; see vail-view --help", argv[optind - 1]);
	else
		say("%s is no option, or takes no value; see vail-view --help", argv[optind - 1]);
	return EXIT_USAGE;
}

/* One step of getopt_long(). Returns the exit status. */
static int take_option(Options *options, char *const *argv, int result)
{
	switch (result) {
	case OPTION_PNG:
		options->png = optarg;
		return EXIT_DONE;
	case OPTION_RAW:
		options->is_raw = true;
		return EXIT_DONE;
	case OPTION_FRAMES:
		return take_number("--frames", optarg, UINT32_MAX, &options->frames);
	case OPTION_NAME:
		options->name = optarg;
		return EXIT_DONE;
	case OPTION_TIMEOUT:
		return take_number("--timeout", optarg, TIMEOUT_MAX, &options->timeout);
	case OPTION_SOCKET:
		options->socket = optarg;
		return EXIT_DONE;
	default:
		return take_wrong_option(argv, result);
	}
}

static int usage_error(const char *sentence)
{
	say("%s; see vail-view --help", sentence);
	return EXIT_USAGE;
}

/* What only all options together say. Returns the exit status. */
static int check_options(Options *options, int words)
{
	if (words == 0)
		return usage_error("no virtual machine is given");
	if (words > 1)
		return usage_error("more than one virtual machine is given");
	if (options->is_raw && options->png)
		return usage_error("--png and --raw exclude each other");
	if (!options->is_raw && !options->png)
		return usage_error("neither --png nor --raw is given");
	if (options->is_raw && fcntl(STDOUT_FILENO, F_GETFD) < 0)
		return usage_error("--raw writes to stdout, which is closed");
	if (options->is_raw && isatty(STDOUT_FILENO))
		return usage_error("--raw writes no pictures to a terminal");
	if (options->png && options->frames == 0)
		options->frames = 1;
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	Options options = { 0 };
	int result, exit_status = EXIT_DONE;

	setlocale(LC_CTYPE, "");
	opterr = 0;
	while (exit_status == EXIT_DONE &&
	       (result = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (result == 'h') {
			print_help();
			return EXIT_DONE;
		}
		if (result == OPTION_VERSION) {
			puts("vail-view " VAILD_VERSION);
			return EXIT_DONE;
		}
		exit_status = take_option(&options, argv, result);
	}
	if (exit_status == EXIT_DONE)
		exit_status = check_options(&options, argc - optind);
	if (exit_status != EXIT_DONE)
		return exit_status;
	options.guid = argv[optind];
	signal(SIGPIPE, SIG_IGN); /* write() says so as well */
	return view_run(&options);
}
