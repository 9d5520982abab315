/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_DISPLAY_CHANNEL_H
#define DAEMON_CORE_DISPLAY_CHANNEL_H

#include "daemon/core/display-right.h"
#include "daemon/core/object.h"
#include "daemon/core/registration.h"

typedef struct DisplayServer DisplayServer;

/*
 * A connection between a viewer and the agent of a VM, on which the agent serves the VM's display,
 * limited to the viewer's rights. The viewer is a registered process. The daemon makes the pair of
 * sockets, gives each side one end, and keeps a duplicate of the agent's end. With that it shuts
 * both ends down at once, whoever holds them, when the channel ends.
 *
 * A channel ends with its registration and with its server, when it has a right that its display
 * client has lost, or when somebody closes it. After a restart of the daemon it waits for its
 * server, for at most LIMIT_DRIVER_WAIT_SECONDS.
 *
 * If many channels end together, they are cut: shut down at once, because nobody may go on to send
 * input. No request finds them any more. The rest of their ends is made in slices, before that of
 * anything else (daemon/core/ending.h).
 */
typedef struct DisplayChannel {
	HandleEntry handle_entry;
	Entity entity;
	Registration *registration; /* of the process that opened it */
	DisplayServer *server;      /* NULL while it waits for the server after a restart */
	unsigned int rights;        /* as DISPLAY_RIGHT_BIT() */
	uint64_t since;             /* microseconds (CLOCK_BOOTTIME) */
	ObjectFd own;               /* the daemon's duplicate of the agent's end */
	int agent_fd;               /* the agent's end, until the server takes it; then FD_NONE */
	Charge charge;
	Charge entry; /* fdstore entry of the daemon's duplicate */
	LIST_ENTRY(DisplayChannel) of_registration;
	TAILQ_ENTRY(DisplayChannel) of_server;
	uint64_t end_number; /* among all ends that have begun; 0 unless the channel is cut */
	EndReason end_reason;
	TAILQ_ENTRY(DisplayChannel) of_cut;
} DisplayChannel;

/*
 * Prepares a channel to the VM's server, for the registered process that calls. On success
 * *ret_viewer_fd is the viewer's end, which the calling code owns. Returns STATUS_SUCCESS,
 * STATUS_INVALID_DEVICE_STATE without a server, STATUS_QUOTA_EXCEEDED, also while too many fds of
 * the caller or of the server are being closed, STATUS_NO_MEMORY or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS display_channel_prepare(Broker *broker, const Caller *caller, Registration *registration,
				 unsigned int rights, DisplayChannel **ret_channel,
				 int *ret_viewer_fd, Failure *failure);
void display_channel_commit(Broker *broker, DisplayChannel *channel);
void display_channel_discard(Broker *broker, DisplayChannel *channel);

/* A channel from before a restart. */
typedef struct RestoredDisplay {
	uint64_t serial;
	Handle handle; /* must be unused */
	unsigned int rights;
	uint64_t since; /* microseconds (CLOCK_BOOTTIME) */
	ObjectFd own;   /* belongs to the channel on success */
	Payer payer;
} RestoredDisplay;

/*
 * Restores a channel, which waits for its server. Returns STATUS_SUCCESS, STATUS_NO_MEMORY or
 * STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS display_channel_restore(Broker *broker, Registration *registration,
				 const RestoredDisplay *from, Failure *failure);

/* Returns NULL if no channel has the handle. */
DisplayChannel *display_channel_find(Broker *broker, const Handle *handle);

/* Returns the first channel whose serial is above the cursor, or NULL at the end. */
DisplayChannel *display_channel_after(Broker *broker, uint64_t serial);

/* Shuts both ends down, and frees the channel. */
void display_channel_end(Broker *broker, DisplayChannel *channel, EndReason reason);

/*
 * Shuts the channel down and hides it. The rest of its end follows. Does nothing if the channel is
 * cut already.
 */
void display_channel_cut(Broker *broker, DisplayChannel *channel, EndReason reason);

static inline bool display_channel_is_cut(const DisplayChannel *channel)
{
	return channel->end_number > 0;
}

/* Tests whether the channel is cut, and was so when the newest end had this number. */
static inline bool display_channel_ended_before(const DisplayChannel *channel, uint64_t newest_end)
{
	return display_channel_is_cut(channel) && channel->end_number <= newest_end;
}

/* Ends the registration's channels, also those that are cut already. */
void display_channels_end(Broker *broker, Registration *registration, EndReason reason);

/* Cuts the registration's channels. */
void display_channels_cut(Broker *broker, Registration *registration, EndReason reason);

/* Cuts the registration's channels that have a right which is not among these. */
void display_channels_withdraw(Broker *broker, Registration *registration, unsigned int rights);

/*
 * The time at which channels that wait for their server end, in microseconds (CLOCK_BOOTTIME), or
 * UINT64_MAX if none waits.
 */
uint64_t display_channels_deadline(Broker *broker);

/*
 * Ends the channels that still wait at that time, at most LIMIT_DISPLAYS_ENDED in one call. Call
 * again until display_channels_deadline() says that none waits.
 */
void display_channels_end_overdue(Broker *broker);

/* Completes the ends of all channels that are cut. */
void display_channels_complete(Broker *broker);

/* Asserts the invariants of all channels. */
void display_channels_check(Broker *broker);

#endif
