/* SPDX-License-Identifier: MIT */
/*
 * vail-view: shows the screen of a VM in a window, passes input to it, and shares its clipboard and
 * sound. Or writes the screen as images, or opens a display channel for another program.
 *
 *   vail-view.c    finds the VM, and chooses between the window, frames and a channel
 *   view-options.c the command line
 *   view-help.c    its help
 *   frame-loop.c   the main loop that writes frames
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
 *   clipboard-sync.c
 *                  which texts pass between the clipboards of the desktop and of the guest
 *   sound-format.c converts the guest's samples
 *   sound-pace.c   how much sound waits to be played
 *   own-login.c    whether a named user can match this process
 *   rights-text.c  sentences about missing rights
 *   notice.c       a sentence that is shown for some seconds
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
#include <locale.h>
#include <signal.h>
#include <stdlib.h>

#include "client/common/completion.h"
#include "client/common/fleet-search.h"
#include "client/common/machine-search.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vail-view/channel-program.h"
#include "client/vail-view/channel-socket.h"
#include "client/vail-view/desktop-window.h"
#include "client/vail-view/frame-loop.h"
#include "client/vail-view/view-options.h"
#include "proto/macros.h"
#include "proto/process-start.h"

const char program_name[] = "vail-view";

static bool is_guid(const char *text)
{
	Guid guid;

	return guid_parse(text, &guid);
}

/* Says on which other host the VM is, if vaild-fleet knows. */
static void say_other_host(const char *machine)
{
	_cleanup_free_ char *note = fleet_note(machine, program_name);

	if (note)
		log_message("%s", note);
}

/* Finds the VM that was typed. Returns false after it has logged an error. */
static bool find_machine(ViewOptions *options)
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
	/* A whole GUID is never looked up. */
	if (status == STATUS_NOT_FOUND || is_guid(options->machine))
		say_other_host(options->machine);
	vail_close(vail);
	return status == STATUS_SUCCESS;
}

/* Returns the exit status. */
static int show_window(const ViewOptions *options)
{
	const WindowRequest request = {
		.machine = options->machine,
		.guid = options->guid,
		.name = options->name,
		.socket = options->socket,
		.no_clipboard = options->no_clipboard,
		.no_sound = options->no_sound,
		.microphone = options->microphone,
	};

	return desktop_window_run(&request);
}

/* Opens a display channel for another program. Returns the exit status. */
static int pass_channel(const ViewOptions *options, const StartState *start)
{
	const ChannelRequest request = { options->machine, options->guid, options->socket,
					 options->rights };

	return options->program ? channel_program_run(&request, options->program, start)
				: channel_socket_pass(&request, options->socket_fd);
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

int main(int argc, char **argv)
{
	ViewOptions options;
	StartState start;
	int exit_status;

	process_start(program_name, true, &start);
	setlocale(LC_CTYPE, "");
	if (completion_wanted(argc, argv))
		return view_options_complete(argc, argv);
	if (!view_options_parse(argc, argv, &options, &exit_status))
		return exit_status;
	signal(SIGPIPE, SIG_IGN); /* write() returns EPIPE instead */
	if (!find_machine(&options))
		return EXIT_FAILED;
	if (view_options_pass_channel(&options))
		return pass_channel(&options, &start);
	if (options.is_raw || options.png)
		return frame_loop_run(&options);
	/* Only now: without a desktop, too, people first learn that the VM is misspelt. */
	exit_status = check_desktop();
	return exit_status == EXIT_DONE ? show_window(&options) : exit_status;
}
