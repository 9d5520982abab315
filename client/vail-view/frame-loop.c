/* SPDX-License-Identifier: MIT */
#include "client/vail-view/frame-loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vail-view/output.h"
#include "client/vail-view/viewer.h"

/* Time without a picture until the viewer gives the reason, in milliseconds. */
#define WAIT_SAID_AFTER 1000

/* The state of the main loop. */
typedef struct View {
	const ViewOptions *options;
	Viewer viewer;
	Output output;
	unsigned long delivered; /* number of frames written */
	bool has_delivered;      /* the last turn completed a frame, so check for another at once */
	int64_t wait_said_at;    /* when the viewer gives the reason; INT64_MAX if it did */
	char wait_said[WAIT_MESSAGE_SIZE]; /* the last sentence that it said */
	int64_t delivered_at; /* when the last frame was written, or the start; milliseconds */
} View;

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
		log_message("waiting: %s%s", sentence,
			    view->options->timeout > 0
				    ? ""
				    : "; to bound the wait, give --timeout SECONDS");
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

/* Reports that the PNG file was not written. Returns the exit status. */
static int fail_to_write(const char *path, const char *message)
{
	struct pollfd output = { .fd = STDOUT_FILENO };
	bool is_output = strcmp(path, "-") == 0;

	/* The reader of a pipe has seen enough, and has closed it. */
	if (is_output && poll(&output, 1, 0) > 0 && output.revents & POLLERR)
		return EXIT_DONE;
	log_message("cannot write %s: %s", is_output ? "to standard output" : path, message);
	return EXIT_FAILED;
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
			*ret_exit_status = fail_to_write(view->options->png, message);
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
static bool is_finished(View *view, int *ret_exit_status)
{
	const ViewOptions *options = view->options;
	char sentence[WAIT_MESSAGE_SIZE];

	*ret_exit_status = EXIT_FAILED;
	if (view->output.is_writing)
		return false; /* complete the frame first */
	if (options->frames > 0 && view->delivered >= options->frames) {
		*ret_exit_status = EXIT_DONE;
		return true;
	}
	if (view->viewer.state == VIEWER_ENDED) {
		viewer_log_end(&view->viewer);
		viewer_finish_search(&view->viewer);
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

int frame_loop_run(const ViewOptions *options)
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
