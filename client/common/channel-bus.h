/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_CHANNEL_BUS_H
#define CLIENT_COMMON_CHANNEL_BUS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "client/common/close-aside.h"

/* The largest message of a viewer, in bytes. */
#define CHANNEL_MESSAGE_MAX 65536

/* The most descriptors that the kernel passes at once, SCM_MAX_FD. */
#define SCM_FDS_MAX 253

/*
 * A D-Bus connection of a display channel, or of a listener that came with one. The peer is not
 * trusted. vail-qemu is the server, and the window of vail-view is a client. sd-bus checks the
 * messages, and writes to the socket itself. Input of the peer goes through this buffer first, one
 * message at a time:
 *
 * - sd-bus would accept messages of 128 MiB. A reply that is too large is dropped, as if the peer
 *   had not replied, because a peer cannot know how much text fits;
 * - sd-bus never closes a descriptor that comes with a malformed message. A message of a viewer has
 *   one descriptor at most, and fd_call_is_sound() then. All descriptors of the peer are closed by
 *   close_aside(), whether they were wanted or not;
 * - sd-bus fails if the first message and its descriptors arrive together with the end of the
 *   authentication, and GDBus does not wait between them.
 */
typedef struct ChannelBus {
	sd_bus *bus; /* NULL before the start, and after the end */
	int socket;  /* to the peer; owned by the bus */
	int feed;    /* the bus reads the bytes that are written here */
	bool is_server;
	bool is_authenticated; /* messages follow */
	bool has_fed;          /* the bus may have unread input */
	size_t message_max;    /* size of the buffer, in bytes */
	uint8_t *message;      /* the beginning of one; NULL before the first */
	size_t size;
	size_t fed;       /* bytes of the message that the bus has; 0 before it is complete */
	uint64_t skipped; /* bytes that are left of a reply that is too large */
	int fds[1 + SCM_FDS_MAX]; /* of the message, or more than it may have */
	size_t fd_count;
	CloseAside *closes; /* of descriptors of the peer */
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

/*
 * Prepares a connection as the client, and takes ownership of the socket, also on failure. The
 * caller then sets up bus->bus and calls sd_bus_start(). The connection ends if the peer sends a
 * descriptor. Returns 0 or a negative errno. The connection must be deinitialised in either case.
 *
 * message_max: bytes of the largest message of the peer.
 */
int channel_bus_init_client(ChannelBus *bus, int socket, size_t message_max);

/* Counts the closes of a listener with those of the channel on which it was registered. */
void channel_bus_join(ChannelBus *bus, const ChannelBus *channel);

/* Closes the connection. A connection that is all zero is ignored. */
void channel_bus_deinit(ChannelBus *bus);

/*
 * Tests whether the connection was shut down, by vaild or by the peer, although that may not have
 * been handled yet.
 */
bool channel_bus_is_cut(const ChannelBus *bus);

/* Tests whether messages to the peer wait for it to read. */
bool channel_bus_is_stuck(const ChannelBus *bus);

/*
 * Handles one message, or a part of one. Returns a positive number if there may be more, 0 if not,
 * and a negative errno if the connection has ended: -EMSGSIZE for a message that is too large, and
 * -EMFILE if the peer has sent too many descriptors whose closes hang.
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
 * accepts: whether messages of the peer can be handled now.
 */
int channel_bus_poll_for(const ChannelBus *bus, bool accepts, struct pollfd *ret);

#endif
