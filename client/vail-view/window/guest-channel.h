/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_GUEST_CHANNEL_H
#define CLIENT_VAIL_VIEW_WINDOW_GUEST_CHANNEL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/common/channel-bus.h"
#include "client/vail-view/placement.h"
#include <vail.h>

/*
 * The display channel through which the window sends keys, the pointer and its size to the guest,
 * and through which clipboard and sound pass. vaild opens it with the rights that this process has.
 * If that is view alone, the channel is closed again. The agent of the VM serves org.qemu.Display1
 * on it. Nothing here blocks. All times are in milliseconds.
 */

/* No time for guest_channel_poll_for(). */
#define GUEST_CHANNEL_NEVER INT64_MAX

/* Number of fds that a channel polls. */
#define GUEST_CHANNEL_FDS 2

/* Buffer size for a reason, and for the D-Bus path of a console. */
#define CHANNEL_REASON_SIZE 512
#define CONSOLE_PATH_SIZE   64

typedef enum GuestChannelState {
	GUEST_CHANNEL_CLOSED,
	GUEST_CHANNEL_ASKED,    /* vaild was asked to open it */
	GUEST_CHANNEL_STARTING, /* the agent has not replied yet */
	GUEST_CHANNEL_READY,    /* see guest_channel_has() */
} GuestChannelState;

/* Why the guest gets no input: vaild or the agent has refused the last channel, or a right. */
typedef enum GuestChannelLack {
	LACK_NOTHING,
	LACK_RIGHT,   /* the display client has no right to input */
	LACK_AGENT,   /* no agent serves the display */
	LACK_CONSOLE, /* the picture is not a console that the agent has */
	LACK_OTHER,   /* see reason */
} GuestChannelLack;

typedef struct GuestChannel {
	const char *path; /* of vaild's socket, see vail_new() */
	const char *guid;
	GuestChannelState state;
	GuestChannelLack lack;
	char reason[CHANNEL_REASON_SIZE]; /* of LACK_OTHER, without a period */
	unsigned int wanted;              /* rights that the window has a use for, beside view */
	unsigned int rights;              /* of the channel, or of the last one */
	unsigned int had_rights;          /* of all channels that were ready */
	char console[CONSOLE_PATH_SIZE];  /* "" if the picture is not a console */
	bool is_absolute;                 /* the guest takes positions; otherwise motions */

	struct vail *vail;   /* while vaild is asked; otherwise NULL */
	bool is_answered;    /* vail is to be closed */
	bool is_about_input; /* vaild was asked for input alone */
	bool asks_again;     /* for input alone, when vail is closed */
	bool may_have_more;  /* with LACK_RIGHT: another right is not known to be missing */
	ChannelBus bus;      /* to the agent; its bus is NULL without a channel */
	uint64_t openings;   /* number of buses so far */
	bool is_broken;      /* the channel is to be closed */

	uint64_t rights_seen; /* the occasions of the last attempt */
	uint64_t shares_seen;
	int64_t opened_at; /* when the channel was opened */
	int64_t retry_at;  /* the next attempt without an occasion, or GUEST_CHANNEL_NEVER */
	int64_t delay;     /* until the attempt after the next */
} GuestChannel;

/*
 * path, guid: must outlive the channel.
 * wanted: the rights that the window has a use for, such as VAIL_DISPLAY_INPUT.
 */
void guest_channel_init(GuestChannel *channel, const char *path, const char *guid,
			unsigned int wanted);
void guest_channel_deinit(GuestChannel *channel);

/* Tests whether the channel can be used for what this right allows. */
bool guest_channel_has(const GuestChannel *channel, unsigned int right);

/* Returns the number of messages that wait for the agent to read. */
uint64_t guest_channel_unsent(const GuestChannel *channel);

/* Counts changes that can make another attempt succeed. The numbers only grow. */
typedef struct GuestChannelOccasions {
	uint64_t rights; /* the display clients of the VM, or the registration */
	uint64_t shares; /* the shared objects, and the agent that serves the display */
} GuestChannelOccasions;

/*
 * Asks vaild for a channel, if none is open and the rights are a new occasion, or a delay after a
 * failure has passed. New shares shorten that delay. Also asks on that occasion if the channel
 * lacks a right that is wanted, and replaces the channel by one with more rights. Call it only
 * while this process is registered for the VM.
 *
 * name: of the picture, like "console 0".
 */
void guest_channel_open_if_due(GuestChannel *channel, const char *name,
			       GuestChannelOccasions occasions, int64_t now);

/*
 * Uses a channel that vaild has opened, in place of the former one. Takes ownership of the socket.
 * Closes the new one again if it has no right that the former one lacks.
 */
void guest_channel_use(GuestChannel *channel, int socket, unsigned int rights);

/* Tries again at once if a channel was refused for another reason than a right. */
void guest_channel_retry(GuestChannel *channel, int64_t now);

/* Handles what vaild and the agent have sent. */
void guest_channel_process(GuestChannel *channel, int64_t now);

/*
 * Fills in the fds to poll. Returns when the functions above have something to do without them.
 *
 * may_open: whether guest_channel_open_if_due() may be called.
 */
int64_t guest_channel_poll_for(const GuestChannel *channel, bool may_open,
			       struct pollfd ret_fds[GUEST_CHANNEL_FDS]);

/* ---- Input, which is dropped without a channel that has the right ---- */

/* Tests whether the agent has read everything. Otherwise, motions should wait. */
bool guest_channel_is_idle(const GuestChannel *channel);

/* code: QEMU's number of the key. A press is dropped if too much waits for the agent. */
void guest_channel_key(GuestChannel *channel, uint8_t code, bool is_down);

/* QEMU's numbers of the buttons. */
typedef enum GuestButton {
	BUTTON_LEFT,
	BUTTON_MIDDLE,
	BUTTON_RIGHT,
	BUTTON_WHEEL_UP,
	BUTTON_WHEEL_DOWN,
	BUTTON_SIDE,
	BUTTON_EXTRA,
	BUTTON_WHEEL_LEFT,
	BUTTON_WHEEL_RIGHT,
} GuestButton;

void guest_channel_button(GuestChannel *channel, GuestButton button, bool is_down);

/* Moves the pointer of an absolute mouse. */
void guest_channel_position(GuestChannel *channel, Point point);

/* Moves a relative mouse by a distance of at most GUEST_MOTION_MAX in each direction. */
#define GUEST_MOTION_MAX 32767
void guest_channel_motion(GuestChannel *channel, Point distance);

/* Asks the guest for a screen of this size. */
void guest_channel_size(GuestChannel *channel, Size size);

/*
 * Has the kernel keep out fds that the agent sends on the socket from now on: the window needs
 * none, and to close one could block for ever. Does nothing before Linux 6.16.
 */
void guest_channel_refuse_fds(int socket);

#endif
