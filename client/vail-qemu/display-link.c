/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/display-link.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "client/common/dbus-time.h"
#include "client/common/user-message.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* ---- D-Bus ---- */

int dbus_start_peer(int socket, sd_bus **ret_bus)
{
	_cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
	int result = sd_bus_new(&bus);

	if (result >= 0)
		result = sd_bus_set_fd(bus, socket, socket);
	if (result < 0) {
		fd_close(&socket);
		return result;
	}
	result = sd_bus_set_method_call_timeout(bus, DBUS_CALL_TIMEOUT);
	if (result >= 0)
		result = sd_bus_start(bus);
	if (result < 0)
		return result;
	*ret_bus = TAKE_POINTER(bus);
	return 0;
}

bool dbus_failed(int result, const char *what)
{
	if (result < 0)
		log_message("%s: %s", what, strerror(-result));
	return result < 0;
}

/* ---- Calls, which wait for QEMU ---- */

/* Handles one message, or waits for it. Returns 0 or a negative errno: -ETIMEDOUT at the limit. */
static int process_or_wait(const DisplayLink *link, Wait *wait)
{
	int result = sd_bus_process(link->bus, NULL);

	if (result != 0)
		return result < 0 ? result : 0;
	bool waits = wait_for_fd(wait, sd_bus_get_fd(link->bus),
				 (short)sd_bus_get_events(link->bus), dbus_time_left(link->bus));
	return waits ? 0 : -ETIMEDOUT;
}

/* Logs an error of a wait. Returns true if there was one. */
static bool wait_failed(const DisplayLink *link, const Wait *wait, int result)
{
	if (result == -ETIMEDOUT)
		wait_log_failure(wait, link->qemu, "restart QEMU if it hangs");
	else if (result < 0)
		log_message("cannot use QEMU's display while waiting for %s: %s", wait->what,
			    strerror(-result));
	return result < 0;
}

/* Waits until the other side has authenticated the connection. who: completes "waiting for". */
static bool wait_until_ready(const DisplayLink *link, const char *who)
{
	int result;
	Wait wait;

	wait_begin(&wait, link->clock, "%s to accept the connection", who);
	while ((result = sd_bus_is_ready(link->bus)) == 0)
		if ((result = process_or_wait(link, &wait)) < 0)
			break;
	return !wait_failed(link, &wait, result);
}

static int on_reply(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	(void)error;
	*(sd_bus_message **)context = sd_bus_message_ref(reply);
	return 0;
}

/*
 * Waits until on_reply() has set the reply. Returns a negative errno if the call has failed.
 *
 * result: of the function that sent the call.
 */
static int wait_for_reply(const DisplayLink *link, Wait *wait, int result,
			  sd_bus_message *const *reply)
{
	while (result >= 0 && !*reply)
		result = process_or_wait(link, wait);
	return result >= 0 ? -sd_bus_message_get_errno(*reply) : result;
}

bool link_get_property(const DisplayLink *link, const char *path, const char *interface,
		       const char *property, const char *type, sd_bus_message **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
	Wait wait;

	wait_begin(&wait, link->clock, "QEMU's display to give the property %s of %s", property,
		   path);
	int result = sd_bus_call_method_async(link->bus, &slot, link->peer, path,
					      "org.freedesktop.DBus.Properties", "Get", on_reply,
					      &reply, "ss", interface, property);
	result = wait_for_reply(link, &wait, result, &reply);
	if (result >= 0)
		result = sd_bus_message_enter_container(reply, 'v', type);
	if (wait_failed(link, &wait, result))
		return false;
	*ret = TAKE_POINTER(reply);
	return true;
}

bool link_get_string(const DisplayLink *link, const char *path, const char *interface,
		     const char *property, char **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const char *text;

	if (!link_get_property(link, path, interface, property, "s", &reply) ||
	    dbus_failed(sd_bus_message_read(reply, "s", &text), "cannot read a property of QEMU"))
		return false;
	*ret = strdup(text);
	if (!*ret)
		log_message("this process is out of memory");
	return *ret;
}

/* ---- Opening ---- */

/* Opens a pidfd of link->qemu. */
static bool open_pidfd(const DisplayLink *link, int *ret_pidfd)
{
	int pidfd = link->qemu > 0 ? pidfd_open(link->qemu, 0) : -1;

	if (pidfd < 0) {
		log_message("the process behind the display cannot be identified; it is in another "
			    "pid namespace, or has ended");
		return false;
	}
	*ret_pidfd = pidfd;
	return true;
}

bool link_open(DisplayLink *link, int socket, pid_t qemu, const WaitClock *clock)
{
	*link = (DisplayLink){ .clock = clock, .qemu = qemu };
	return !dbus_failed(dbus_start_peer(socket, &link->bus),
			    "cannot connect to QEMU's display") &&
	       wait_until_ready(link, "QEMU's display");
}

/*
 * Reads who sent the first byte in the socket, without taking the byte out. Returns the result of
 * recvmsg().
 */
static ssize_t peek_sender(int socket, pid_t *ret_pid)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char byte;
	struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct ucred sender = { 0 };
	ssize_t size = recvmsg(socket, &message, MSG_PEEK | MSG_DONTWAIT);
	const struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS)
		memcpy(&sender, CMSG_DATA(header), sizeof(sender));
	*ret_pid = sender.pid;
	return size;
}

/*
 * Sets link->qemu to the process that answers. SO_PEERCRED would name the process that made the
 * socket pair.
 */
static bool identify_peer(DisplayLink *link, int socket)
{
	ssize_t size;
	Wait wait;

	wait_begin(&wait, link->clock, "QEMU's display to answer on the passed socket");
	while ((size = peek_sender(socket, &link->qemu)) < 0 && errno == EAGAIN)
		if (!wait_for_fd(&wait, socket, POLLIN, -1))
			return !wait_failed(link, &wait, -ETIMEDOUT);
	if (size > 0)
		return true;
	log_message("cannot use the passed socket: %s; pass a socket whose other end QEMU has just "
		    "accepted as a client of its D-Bus display",
		    size < 0 ? strerror(errno) : "the other end is closed");
	return false;
}

static bool is_connected_socket(int socket)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	if (sd_is_socket_unix(socket, SOCK_STREAM, 0, NULL, 0) > 0 &&
	    getpeername(socket, (struct sockaddr *)&peer, &size) == 0)
		return true;
	log_message("file descriptor %d is not a connected Unix stream socket; pass a socket whose "
		    "other end QEMU has accepted as a client of its D-Bus display",
		    socket);
	return false;
}

/*
 * The kernel attaches the sender's credentials while SO_PASSCRED is set. QEMU sends nothing before
 * it is asked, so the first bytes carry them already. QEMU answers again after the pidfd is open,
 * in wait_until_ready(), so the pidfd is that of the process that answered first.
 */
bool link_open_passed(DisplayLink *link, int socket, const WaitClock *clock, int *ret_pidfd)
{
	_cleanup_close_ int pidfd = -1;
	const int on = 1, off = 0;

	*link = (DisplayLink){ .clock = clock };
	if (!is_connected_socket(socket)) {
		fd_close(&socket);
		return false;
	}
	setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	if (dbus_failed(dbus_start_peer(socket, &link->bus), "cannot connect to QEMU's display") ||
	    !identify_peer(link, socket) || !open_pidfd(link, &pidfd))
		return false;
	setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
	if (!wait_until_ready(link, "QEMU's display"))
		return false;
	*ret_pidfd = TAKE_FD(pidfd);
	return true;
}

static int start_bus(DisplayLink *link, const char *address)
{
	int result = sd_bus_new(&link->bus);

	if (result >= 0)
		result = sd_bus_set_address(link->bus, address);
	if (result >= 0)
		result = sd_bus_set_bus_client(link->bus, true);
	if (result >= 0)
		result = sd_bus_negotiate_fds(link->bus, true);
	if (result >= 0)
		result = sd_bus_set_method_call_timeout(link->bus, DBUS_CALL_TIMEOUT);
	return result >= 0 ? sd_bus_start(link->bus) : result;
}

/* Asks the bus which process owns QEMU's name. */
static bool find_owner(DisplayLink *link)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
	uint32_t pid;
	Wait wait;

	wait_begin(&wait, link->clock, "the bus to name QEMU's process");
	int result = sd_bus_call_method_async(link->bus, &slot, "org.freedesktop.DBus",
					      "/org/freedesktop/DBus", "org.freedesktop.DBus",
					      "GetConnectionUnixProcessID", on_reply, &reply, "s",
					      link->peer);
	result = wait_for_reply(link, &wait, result, &reply);
	if (reply && sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
		log_message(
			"no QEMU has joined this bus; start QEMU with -display dbus,addr=ADDRESS, "
			"and vail-qemu after it");
		return false;
	}
	if (result >= 0)
		result = sd_bus_message_read(reply, "u", &pid);
	if (wait_failed(link, &wait, result))
		return false;
	link->qemu = (pid_t)pid;
	return true;
}

bool link_open_bus(DisplayLink *link, const char *address, const WaitClock *clock, int *ret_pidfd)
{
	*link = (DisplayLink){ .peer = "org.qemu", .clock = clock };
	int result = start_bus(link, address);

	if (result < 0) {
		log_message("cannot connect to the bus %s: %s", address, strerror(-result));
		return false;
	}
	return wait_until_ready(link, "the bus, which may require QEMU's user,") &&
	       find_owner(link) && open_pidfd(link, ret_pidfd);
}

void link_close(DisplayLink *link)
{
	link->bus = sd_bus_close_unref(link->bus);
}
