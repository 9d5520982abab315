/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_PASSED_CHANNEL_H
#define CLIENT_VAIL_VIEW_PASSED_CHANNEL_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include <vail.h>

/*
 * A display channel that vail-view opens for another program. vail-view stays registered for the
 * VM as long as that program uses the channel, because the channel ends with the registration. It
 * watches the VM, and says why the channel has ended.
 *
 * vail-view keeps no descriptor of the channel once the program has it. The VM's agent then notices
 * when the program closes it.
 */
typedef struct PassedChannel {
	const char *machine; /* the VM, as typed */
	const char *guid;
	struct vail *vail;  /* for calls; fails while vaild is away */
	struct vail *watch; /* NULL before it has begun, and after its end */
	char context[VAIL_HANDLE_SIZE];
	char handle[VAIL_HANDLE_SIZE];
	unsigned int rights;
	int fd;            /* the viewer's end; -1 after passed_channel_release() */
	bool is_listed;    /* the watch has reported the channel */
	bool is_away;      /* the connection of the watch is lost */
	bool has_ended;    /* the channel, or the watch, which could tell of its end */
	bool is_requested; /* the end: the program has closed the channel, or an operator has */
} PassedChannel;

/* A channel to open. The strings must outlive it. */
typedef struct ChannelRequest {
	const char *machine; /* the VM, as typed */
	const char *guid;
	const char *socket;  /* of vaild; NULL for the default */
	unsigned int rights; /* VAIL_DISPLAY_VIEW and its siblings; 0 for all that the user has */
} ChannelRequest;

/*
 * Registers this process, opens a channel and begins to watch the VM. Returns false after it has
 * logged an error. The caller calls passed_channel_close() in either case.
 */
bool passed_channel_open(PassedChannel *channel, const ChannelRequest *request);
void passed_channel_close(PassedChannel *channel);

/* Closes the descriptor, because the program has it now. */
void passed_channel_release(PassedChannel *channel);

/* Returns what to poll for before passed_channel_process(). */
struct pollfd passed_channel_poll(const PassedChannel *channel);

/* Handles events. Logs why the channel has ended, unless the program or an operator has closed it.
 */
void passed_channel_process(PassedChannel *channel);

/*
 * Closes the channel after the end of the program. If it had ended before, waits for vaild to say
 * why, so that the program's end does not hide the reason. A vaild that hangs can delay this by a
 * minute, so the caller lets signals end the process.
 */
void passed_channel_finish(PassedChannel *channel);

#endif
