/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_H
#define CLIENT_VAIL_QEMU_CHANNEL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "client/common/channel-bus.h"
#include "client/vail-qemu/channel-clipboard.h"
#include "client/vail-qemu/channel-input.h"
#include "client/vail-qemu/channel-sound.h"
#include "client/vail-qemu/channel-viewer.h"
#include "client/vail-qemu/clipboard.h"
#include "client/vail-qemu/display.h"
#include "client/vail-qemu/guest-sound.h"
#include <vail.h>

/*
 * A display channel: a D-Bus connection on which org.qemu.Display1 is served to one viewer, limited
 * to its rights. What the rights lack is not on the bus, and a call of it is AccessDenied.
 */

struct Channel;

/* A console on a channel. */
typedef struct ChannelConsole {
	struct Channel *channel;
	const DisplayConsole *console;
	ChannelInput input;
	ChannelViewer *viewer; /* NULL without a listener */

	/* The last values of which the viewer knows. */
	uint32_t width;
	uint32_t height;
	uint32_t modifiers;
	bool is_absolute;
} ChannelConsole;

typedef struct Channel {
	char handle[VAIL_HANDLE_SIZE];
	unsigned int rights;
	const Display *display;
	const char *name; /* of the VM */
	Clipboard *guest_clipboard;
	ChannelClipboard clipboard;
	GuestSound *guest_sounds;               /* by SoundDirection, and so is the next one */
	ChannelSound *sounds[SOUND_DIRECTIONS]; /* NULL without a listener */
	sd_bus_slot *audio;                     /* the object for both; NULL without one */
	ChannelBus bus;
	bool is_serving;           /* the objects are on the bus */
	unsigned int serves_sound; /* so are these directions of sound, one bit for each */
	bool is_ended;             /* the channel has to be closed */
	const char *reason;        /* for that; NULL if the viewer has closed it */
	int64_t opened_at;         /* milliseconds */
	int64_t stuck_since;       /* the viewer has left replies unread; milliseconds, 0 if not */
	ChannelConsole *consoles;  /* as in the display */
	TAILQ_ENTRY(Channel) entries;
} Channel;

/* The parts of a guest that its channels share, and must outlive them. */
typedef struct ChannelGuest {
	const Display *display;
	Clipboard *clipboard;
	GuestSound *sounds; /* by SoundDirection */
	const char *name;   /* of the VM */
} ChannelGuest;

/*
 * Opens a channel. Takes ownership of the socket, also on failure.
 *
 * handle: of vaild.
 * rights: VAIL_DISPLAY_VIEW and its siblings.
 *
 * Returns NULL on failure.
 */
Channel *channel_open(int socket, const char *handle, unsigned int rights,
		      const ChannelGuest *guest);

/* Closes the channel, and releases in QEMU what its viewer holds down. NULL is ignored. */
void channel_close(Channel *channel);

/* Notes what QEMU has drawn. Must be called before the damage of the display is dropped. */
void channel_note(Channel *channel);

/*
 * Handles input of the viewer, and sends the replies and calls that are due. Sets is_ended when the
 * caller must close the channel.
 *
 * accepts: whether QEMU can take input now.
 * now: the clock of the display, in milliseconds.
 */
void channel_process(Channel *channel, bool accepts, int64_t now);

/*
 * Fills in 1 + SOUND_DIRECTIONS + console_count fds to poll before channel_process(). Returns the
 * timeout in milliseconds, or -1.
 */
int channel_poll_for(const Channel *channel, bool accepts, int64_t now, struct pollfd *poll_fds);

#endif
