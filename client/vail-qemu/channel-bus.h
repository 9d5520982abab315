/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_BUS_H
#define CLIENT_VAIL_QEMU_CHANNEL_BUS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* The largest message of a viewer, in bytes, and the most descriptors that come with it. */
#define CHANNEL_MESSAGE_MAX 65536
#define CHANNEL_FDS_MAX     16

/*
 * A D-Bus connection to a viewer, who is not trusted. sd-bus checks the messages, and writes to the
 * socket itself. What the viewer sends goes through this buffer first, one message at a time:
 *
 * - sd-bus would accept messages of 128 MiB. A reply that is too large is dropped, as if the viewer
 *   had not replied, because a viewer cannot know how much text fits;
 * - sd-bus fails if the first message and its descriptors arrive together with the end of the
 *   authentication, and GDBus does not wait between them.
 */
typedef struct ChannelBus {
	sd_bus *bus;
	int socket;            /* to the viewer; owned by the bus */
	int feed;              /* what is written here, the bus reads */
	bool is_authenticated; /* the viewer has sent BEGIN; messages follow */
	bool has_fed;          /* the bus may have unread input */
	uint8_t *message;      /* the beginning of one; NULL before the first */
	size_t size;
	uint64_t skipped; /* bytes that are left of a reply that is too large */
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
} ChannelBus;

/* The beginning of a function that reads a property for sd-bus. */
#define CHANNEL_GETTER(name)                                                        \
	static int name(sd_bus *bus, const char *path, const char *interface,       \
			const char *property, sd_bus_message *reply, void *context, \
			sd_bus_error *error)

/*
 * Starts a connection as the server, which accepts anybody. Takes ownership of the socket, also on
 * failure. Returns 0 or a negative errno. The connection must be deinitialised in either case.
 */
int channel_bus_init(ChannelBus *bus, int socket);
void channel_bus_deinit(ChannelBus *bus);

/* Tests whether messages to the viewer wait for it to read. */
bool channel_bus_is_stuck(const ChannelBus *bus);

/*
 * Handles one message, or a part of one. Returns a positive number if there may be more, 0 if not,
 * and a negative errno if the connection has ended: -EMSGSIZE for a message that is too large.
 */
int channel_bus_process(ChannelBus *bus);

/*
 * Reads the socket of a listener, which a viewer sends. Returns an fd that the caller owns, or a
 * negative errno. Sets the error if it is no connected Unix stream socket.
 */
int channel_bus_read_socket(sd_bus_message *message, sd_bus_error *error);

/*
 * Fills in what to poll for. Returns the timeout in milliseconds, or -1.
 *
 * accepts: whether messages of the viewer can be handled now.
 */
int channel_bus_poll_for(const ChannelBus *bus, bool accepts, struct pollfd *ret);

#endif
