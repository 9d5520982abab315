/* SPDX-License-Identifier: MIT */
#include "client/common/channel-bus.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#include "client/common/dbus-time.h"
#include "client/common/fd-call.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Replies of a server that may wait for the viewer to read. */
#define REPLIES_MAX 64

/* The part of a D-Bus message that has its size. */
#define BEGINNING_SIZE FD_CALL_BEGINNING

/* The largest message that D-Bus allows, in bytes. */
#define DBUS_MESSAGE_MAX (128u << 20)

/* The longest line of the authentication. */
#define LINE_MAX_SIZE 1024

/* ---- Life ---- */

int channel_bus_init_client(ChannelBus *bus, int socket, size_t message_max)
{
	_cleanup_close_ int to_peer = socket, input = -1;
	int pair[2];

	*bus = (ChannelBus){ .socket = -1, .feed = -1, .message_max = message_max };
	bus->closes = close_aside_new();
	bus->message = malloc(message_max);
	if (!bus->closes || !bus->message)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	bus->feed = pair[0];
	input = pair[1];
	int result = sd_bus_new(&bus->bus);
	/* vaild has authenticated the peer, and a passed socket has no credentials of it. */
	if (result >= 0)
		result = sd_bus_set_anonymous(bus->bus, true);
	if (result >= 0)
		result = sd_bus_set_fd(bus->bus, input, to_peer);
	if (result < 0)
		return result;
	bus->socket = TAKE_FD(to_peer);
	TAKE_FD(input);
	return 0;
}

int channel_bus_init(ChannelBus *bus, int socket)
{
	sd_id128_t id;
	int result = channel_bus_init_client(bus, socket, CHANNEL_MESSAGE_MAX);

	bus->is_server = true;
	if (result >= 0)
		result = sd_id128_randomize(&id);
	if (result >= 0)
		result = sd_bus_set_server(bus->bus, true, id);
	if (result >= 0)
		result = sd_bus_negotiate_fds(bus->bus, true);
	return result < 0 ? result : sd_bus_start(bus->bus);
}

void channel_bus_join(ChannelBus *bus, const ChannelBus *channel)
{
	close_aside_unref(bus->closes);
	bus->closes = close_aside_ref(channel->closes);
}

static void close_fds(ChannelBus *bus)
{
	close_aside(bus->closes, bus->fds, bus->fd_count);
	bus->fd_count = 0;
}

/* Closes the bus. The last close of the socket can hang, because the peer may have sent fds on it.
 */
static void close_bus(ChannelBus *bus)
{
	int socket = bus->bus && bus->socket >= 0 ? fcntl(bus->socket, F_DUPFD_CLOEXEC, 0) : -1;

	if (socket >= 0)
		shutdown(socket, SHUT_RDWR);
	sd_bus_close_unref(bus->bus);
	if (socket >= 0)
		close_aside(bus->closes, &socket, 1);
}

void channel_bus_deinit(ChannelBus *bus)
{
	close_bus(bus);
	if (bus->message)
		close_fds(bus);
	if (bus->message)
		fd_close(&bus->feed);
	free(bus->message);
	close_aside_unref(bus->closes);
	*bus = (ChannelBus){ .socket = -1, .feed = -1 };
}

/* ---- Input of the peer ---- */

/* Keeps the descriptors of one read. Returns false if there are more than the message may have. */
static bool take_fds(ChannelBus *bus, struct msghdr *header)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(bus->fds + bus->fd_count, CMSG_DATA(part), count * sizeof(int));
		bus->fd_count += count;
	}
	return !(header->msg_flags & MSG_CTRUNC) && bus->fd_count <= (bus->is_server ? 1 : 0);
}

/* Reads until the message has this size. Returns 1 if it has, 0 if not yet, or a negative errno. */
static int read_up_to(ChannelBus *bus, size_t size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SCM_FDS_MAX * sizeof(int))];
	} control;
	struct iovec vector = { .iov_base = bus->message + bus->size, .iov_len = size - bus->size };
	struct msghdr header = { .msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };

	if (bus->size >= size)
		return 1;
	ssize_t count = recvmsg(bus->socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!take_fds(bus, &header))
		return -EMSGSIZE;
	if (count == 0)
		return -ECONNRESET;
	bus->size += (size_t)count;
	return bus->size == size;
}

/* Sends a part of the message to the bus, with the descriptor. Returns as sendmsg(). */
static ssize_t send_part(ChannelBus *bus)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec vector = { .iov_base = bus->message + bus->fed,
				.iov_len = bus->size - bus->fed };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (bus->fd_count > 0 && bus->fed == 0) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), bus->fds, sizeof(int));
	}
	return sendmsg(bus->feed, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * Feeds the bus with as much of the message as fits into the kernel's buffer. The bus has read
 * everything before, so that there is room for a part. The descriptor goes with the first one, and
 * stays open here until the bus has closed its own, because the last close can hang.
 */
static int feed(ChannelBus *bus)
{
	ssize_t count = send_part(bus);

	if (count <= 0)
		return count < 0 ? -errno : -EIO;
	bus->fed += (size_t)count;
	bus->has_fed = true;
	if (bus->fed == bus->size)
		bus->fed = bus->size = 0;
	return 1;
}

/* Tests whether the server's first message begins, instead of a line of the authentication. */
static bool begins_message(const ChannelBus *bus)
{
	return !bus->is_server && bus->size == 1 &&
	       (bus->message[0] == 'l' || bus->message[0] == 'B');
}

/* Takes a line of the authentication, byte by byte, so that nothing after it is read. */
static int take_line(ChannelBus *bus)
{
	static const char end[] = "BEGIN\r\n";
	int result;

	do {
		if (bus->size == LINE_MAX_SIZE)
			return -EMSGSIZE;
		result = read_up_to(bus, bus->size + 1);
		if (result <= 0)
			return result;
		if (begins_message(bus)) {
			bus->is_authenticated = true;
			return 1;
		}
	} while (bus->message[bus->size - 1] != '\n');
	if (bus->fd_count > 0)
		return -EBADMSG;
	bus->is_authenticated = bus->is_server && bus->size == sizeof(end) - 1 &&
				memcmp(bus->message, end, sizeof(end) - 1) == 0;
	return feed(bus);
}

static uint32_t number_at(const ChannelBus *bus, size_t offset)
{
	uint32_t number;

	memcpy(&number, bus->message + offset, sizeof(number));
	return bus->message[0] == 'B' ? be32toh(number) : le32toh(number);
}

/* Returns the size of the message that begins in the buffer. */
static uint64_t message_size(const ChannelBus *bus)
{
	uint64_t fields = number_at(bus, 12), body = number_at(bus, 4);

	return BEGINNING_SIZE + (fields + 7) / 8 * 8 + body;
}

/* Tests whether the message in the buffer is a reply without an error. */
static bool is_reply(const ChannelBus *bus)
{
	return bus->message[1] == SD_BUS_MESSAGE_METHOD_RETURN;
}

/* Reads a part of a reply that is too large, and drops it. Returns as read_up_to(). */
static int skip(ChannelBus *bus)
{
	uint64_t size = bus->skipped < bus->message_max ? bus->skipped : bus->message_max;
	int result = read_up_to(bus, (size_t)size);

	bus->skipped -= bus->size;
	bus->size = 0;
	return result;
}

static int take_message(ChannelBus *bus)
{
	if (bus->skipped > 0)
		return skip(bus);
	int result = bus->size < BEGINNING_SIZE ? read_up_to(bus, BEGINNING_SIZE) : 1;
	if (result <= 0)
		return result;
	uint64_t size = message_size(bus);
	if (size > bus->message_max && size <= DBUS_MESSAGE_MAX && is_reply(bus)) {
		bus->skipped = size - bus->size;
		bus->size = 0;
		return 1;
	}
	if (size > bus->message_max)
		return -EMSGSIZE;
	result = read_up_to(bus, (size_t)size);
	if (result > 0 && bus->fd_count > 0 && !fd_call_is_sound(bus->message, bus->size))
		return -EBADMSG;
	return result <= 0 ? result : feed(bus);
}

/* ---- Turns ---- */

static uint64_t unsent(const ChannelBus *bus)
{
	uint64_t count;

	return sd_bus_get_n_queued_write(bus->bus, &count) < 0 ? 0 : count;
}

/* Tests whether messages may be read now. A client's own limit is up to its owner. */
static bool may_read(const ChannelBus *bus)
{
	return !bus->is_server || unsent(bus) <= REPLIES_MAX;
}

bool channel_bus_is_cut(const ChannelBus *bus)
{
	struct pollfd poll_fd = { .fd = bus->socket, .events = POLLRDHUP };

	return poll(&poll_fd, 1, 0) > 0;
}

bool channel_bus_is_stuck(const ChannelBus *bus)
{
	return unsent(bus) > 0;
}

int channel_bus_process(ChannelBus *bus)
{
	int result = sd_bus_process(bus->bus, NULL);

	if (result != 0)
		return result;
	bus->has_fed = false;
	if (bus->fed > 0)
		return feed(bus);
	if (bus->size == 0)
		close_fds(bus); /* the bus has handled the message that they came with */
	if (close_aside_is_full(bus->closes))
		return -EMFILE;
	if (!may_read(bus))
		return 0;
	return bus->is_authenticated ? take_message(bus) : take_line(bus);
}

int channel_bus_poll_for(const ChannelBus *bus, bool accepts, struct pollfd *ret)
{
	short events = (short)(sd_bus_get_events(bus->bus) & POLLOUT);

	if (accepts && may_read(bus))
		events |= POLLIN;
	/* A closed connection would end each poll(). */
	*ret = (struct pollfd){ .fd = events ? bus->socket : -1, .events = events };
	if (!accepts)
		return -1;
	return bus->has_fed ? 0 : dbus_time_left(bus->bus);
}

int channel_bus_read_socket(sd_bus_message *message, sd_bus_error *error)
{
	int fd, result = sd_bus_message_read(message, "h", &fd);

	if (result < 0)
		return result;
	if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 0) <= 0)
		return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
					"a listener is a connected Unix stream socket");
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}
