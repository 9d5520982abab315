/* SPDX-License-Identifier: MIT */
#include "client/vail-view/passed-channel.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/common/client-list.h"
#include "client/common/fleet-search.h"
#include "client/common/self-register.h"
#include "client/common/user-message.h"
#include "client/vail-view/clock.h"
#include "client/vail-view/rights-text.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Time for vaild to say why a channel has ended, in milliseconds. */
#define FINISH_LIMIT 30000

/* ---- Messages ---- */

/* Logs why vaild has refused a call on the handle. */
static void log_refusal(const PassedChannel *channel, const struct vail *vail, NTSTATUS status)
{
	char typed[PLAIN_QUOTE_SIZE];
	const Wording wording = { .subject = plain_quote(channel->machine, typed),
				  .machine = channel->machine };
	_cleanup_free_ char *sentence = message_refusal(vail, status, &wording);

	log_message("%s", sentence ? sentence : "this process is out of memory");
}

/* The reasons after which the same command can succeed, and when. */
static const struct {
	const char *reason;
	const char *advice;
} remedies[] = {
	{ "rightsWithdrawn", "run vail-view again for the rights that are left" },
	{ "agentGone", "run vail-view again when vail-qemu serves the display again" },
	{ "vmmExited", "start the VM again to see it" },
	{ "virtualMachineUnregistered", "start the VM again to see it" },
	{ "quarantined", "have an operator run: vailctl vm release VM" },
};

/* Logs on which host the VM is, if it has moved to another one. */
static void log_other_host(const PassedChannel *channel, const char *machine)
{
	FleetMove move;

	fleet_move_begin(&move, channel->guid);
	fleet_move_finish(&move);
	_cleanup_free_ char *note = fleet_move_note(&move, machine, program_name);
	fleet_move_deinit(&move);
	if (note)
		log_message("%s", note);
}

static void log_end(const PassedChannel *channel, const char *reason)
{
	char typed[PLAIN_QUOTE_SIZE];
	char quoted[SHELL_QUOTE_SIZE];
	const char *machine = plain_quote(channel->machine, typed);
	const char *ending = !reason && channel->is_away ? "vaild was restarted without it"
							 : plain_ending(reason);
	const char *advice = NULL;

	for (size_t i = 0; reason && i < ARRAY_SIZE(remedies); i++)
		if (strcmp(remedies[i].reason, reason) == 0)
			advice = remedies[i].advice;
	if (advice)
		log_message("the display channel of %s has ended: %s; %s", machine, ending, advice);
	else
		log_message("the display channel of %s has ended: %s; to see the VM, run: vailctl "
			    "show %s",
			    machine, ending, shell_quote(channel->machine, quoted));
	if (reason && strcmp(reason, "vmmExited") == 0)
		log_other_host(channel, machine);
}

/* Says which rights the program lacks, if it was not asked for less than the user has. */
static void log_rights(const PassedChannel *channel)
{
	char rights[DISPLAY_RIGHTS_SIZE], command[RIGHTS_COMMAND_SIZE];

	if (channel->rights & VAIL_DISPLAY_INPUT)
		return;
	rights_command(channel->rights | VAIL_DISPLAY_INPUT, channel->machine, command);
	log_message("the program gets a display channel without input, because vail-view has only "
		    "these rights: %s; the VM's owner grants more with: %s",
		    display_rights_text(channel->rights, ',', rights), command);
}

/* ---- Events ---- */

static void handle_end(PassedChannel *channel, const VailEvent *event)
{
	/* The channel's own end comes first, with the registration's or the VM's as the reason. */
	channel->has_ended = true;
	channel->is_requested = event->status == STATUS_SUCCESS && event->reason &&
				strcmp(event->reason, "requested") == 0;
	if (!channel->is_requested)
		log_end(channel, event->reason);
}

static bool is_own(const PassedChannel *channel, const VailEvent *event)
{
	return event->display && event->display->handle &&
	       strcmp(event->display->handle, channel->handle) == 0;
}

static void handle_event(PassedChannel *channel, const VailEvent *event)
{
	switch (event->kind) {
	case VAIL_EVENT_DISPLAY_OPENED:
		channel->is_listed = channel->is_listed || is_own(channel, event);
		break;
	case VAIL_EVENT_CURRENT:
		if (channel->is_listed)
			break;
		channel->has_ended = true; /* before the watch began */
		log_end(channel, NULL);
		break;
	case VAIL_EVENT_DISPLAY_CLOSED:
		if (is_own(channel, event))
			handle_end(channel, event);
		break;
	case VAIL_EVENT_INTERRUPTED:
	case VAIL_EVENT_RESUMED:
		channel->is_away = event->kind == VAIL_EVENT_INTERRUPTED;
		break;
	default:
		break;
	}
}

/* The watch has ended without an event: vaild was restarted and does not know the VM any more. */
static void handle_lost_watch(PassedChannel *channel, const struct vail *vail, NTSTATUS status)
{
	char typed[PLAIN_QUOTE_SIZE];

	channel->has_ended = true;
	if (status == STATUS_NOT_FOUND || status == STATUS_ACCESS_DENIED)
		log_message("the display channel of %s has ended: vaild was restarted and does not "
			    "know its registration any more; run vail-view again",
			    plain_quote(channel->machine, typed));
	else
		log_refusal(channel, vail, status);
}

static bool watch_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
			void *context)
{
	PassedChannel *channel = context;

	if (channel->has_ended)
		return false;
	if (event)
		handle_event(channel, event);
	else
		handle_lost_watch(channel, vail, status);
	return continues && !channel->has_ended;
}

/* ---- Opening and closing ---- */

static NTSTATUS open_channel(PassedChannel *channel, unsigned int rights)
{
	NTSTATUS status = self_register(channel->vail, channel->guid, channel->context, false);

	if (status == STATUS_SUCCESS)
		status = vail_open_display(channel->vail, channel->guid, rights, channel->handle,
					   &channel->rights, &channel->fd);
	return status;
}

/*
 * Waits until the watch has reported the channel, so that later it only tells of its end. Returns
 * false after it has logged an error.
 */
static bool wait_for_listing(PassedChannel *channel)
{
	while (!channel->has_ended && !channel->is_listed) {
		struct pollfd poll_fd = passed_channel_poll(channel);

		if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR) {
			log_message("cannot wait for vaild: %s", strerror(errno));
			return false;
		}
		passed_channel_process(channel);
	}
	return !channel->has_ended;
}

bool passed_channel_open(PassedChannel *channel, const ChannelRequest *request)
{
	*channel = (PassedChannel){ .machine = request->machine, .guid = request->guid, .fd = -1 };
	if (vail_new(request->socket, &channel->vail) != STATUS_SUCCESS ||
	    vail_new(request->socket, &channel->watch) != STATUS_SUCCESS) {
		log_message("this process is out of memory");
		return false;
	}
	vail_set_resume(channel->vail, false);
	NTSTATUS status = open_channel(channel, request->rights);
	if (status != STATUS_SUCCESS) {
		log_refusal(channel, channel->vail, status);
		return false;
	}
	status = vail_watch(channel->watch, channel->guid, watch_event, channel);
	if (status != STATUS_SUCCESS) {
		log_refusal(channel, channel->watch, status);
		return false;
	}
	if (!wait_for_listing(channel))
		return false;
	if (request->rights == 0)
		log_rights(channel);
	return true;
}

void passed_channel_release(PassedChannel *channel)
{
	fd_close(&channel->fd);
}

void passed_channel_close(PassedChannel *channel)
{
	channel->has_ended = true;
	passed_channel_release(channel);
	vail_close(channel->watch);
	vail_close(channel->vail);
}

/* ---- Turns ---- */

struct pollfd passed_channel_poll(const PassedChannel *channel)
{
	if (channel->has_ended)
		return (struct pollfd){ .fd = -1 };
	return (struct pollfd){ .fd = vail_descriptor(channel->watch),
				.events = vail_events(channel->watch) };
}

void passed_channel_process(PassedChannel *channel)
{
	if (!channel->has_ended)
		vail_process(channel->watch); /* reports errors to watch_event() */
}

void passed_channel_finish(PassedChannel *channel)
{
	NTSTATUS status;

	if (channel->has_ended)
		return;
	status = vail_close_display(channel->vail, channel->handle);
	if (status == STATUS_SUCCESS || status == STATUS_IO_TIMEOUT)
		return;
	/* vaild has the event ready, unless the two have lost each other. */
	int64_t end = now_milliseconds() + FINISH_LIMIT;
	while (!channel->has_ended && !channel->is_away) {
		struct pollfd poll_fd = passed_channel_poll(channel);
		int64_t left = end - now_milliseconds();

		if (left <= 0 || (poll(&poll_fd, 1, (int)left) < 0 && errno != EINTR))
			return;
		passed_channel_process(channel);
	}
}
