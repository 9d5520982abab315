/* SPDX-License-Identifier: MIT */
#include "monitor.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd-util.h"
#include "json.h"
#include "members.h"
#include "say.h"

#define SECONDS_TO_ANSWER 10

/* A line of QEMU's is its greeting, an event or a short answer. */
#define LINE_MAX_SIZE 65536

typedef struct Monitor {
	const char *path;
	int socket;
	JsonParser *parser;
	char line[LINE_MAX_SIZE];
	size_t size; /* of what was read behind the last line, too */
} Monitor;

static void monitor_deinit(Monitor *monitor)
{
	fd_close(&monitor->socket);
	json_parser_free(monitor->parser);
}

static bool monitor_connect(Monitor *monitor)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = SECONDS_TO_ANSWER };

	if (strlen(monitor->path) >= sizeof(address.sun_path)) {
		say("%s is longer than a socket's path can be", monitor->path);
		return false;
	}
	memcpy(address.sun_path, monitor->path, strlen(monitor->path));
	monitor->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (monitor->socket < 0 ||
	    setsockopt(monitor->socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(monitor->socket, (struct sockaddr *)&address, sizeof(address)) < 0) {
		say("cannot connect to QEMU's monitor %s: %s", monitor->path, strerror(errno));
		return false;
	}
	return true;
}

/* What failed while QEMU was to answer. */
static void say_lost(const Monitor *monitor, ssize_t received)
{
	if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		say("QEMU's monitor %s does not answer; it serves one client at a time, so end the "
		    "one that it has",
		    monitor->path);
	else
		say("QEMU closed its monitor %s", monitor->path);
}

/* The next line as JSON, which the caller frees. NULL when something was said. */
static JsonValue *monitor_read(Monitor *monitor)
{
	const char *error = NULL;
	char *end;

	while (!(end = memchr(monitor->line, '\n', monitor->size))) {
		size_t room = sizeof(monitor->line) - monitor->size;
		ssize_t received =
			room == 0 ? 0
				  : recv(monitor->socket, monitor->line + monitor->size, room, 0);
		if (received <= 0) {
			say_lost(monitor, received);
			return NULL;
		}
		monitor->size += (size_t)received;
	}
	*end = '\0';
	size_t length = (size_t)(end - monitor->line);
	JsonValue *value = json_parse(monitor->parser, monitor->line, length, &error);
	monitor->size -= length + 1;
	memmove(monitor->line, end + 1, monitor->size);
	if (!value)
		say("%s is no QEMU monitor (QMP)", monitor->path);
	return value;
}

/* Sends a line, with a descriptor unless that is -1. */
static bool monitor_send(Monitor *monitor, const char *line, int descriptor)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec vector = { .iov_base = (char *)line, .iov_len = strlen(line) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(descriptor));
	if (descriptor >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	if (sendmsg(monitor->socket, &message, MSG_NOSIGNAL) == (ssize_t)strlen(line))
		return true;
	say_lost(monitor, 0);
	return false;
}

/* Has a command carried out. what: what is said with QEMU's own words when it refuses. */
static bool monitor_execute(Monitor *monitor, const char *command, int descriptor, const char *what)
{
	if (!monitor_send(monitor, command, descriptor))
		return false;
	for (;;) {
		JsonValue *answer = monitor_read(monitor);
		if (!answer)
			return false;
		const JsonValue *error = json_member(answer, "error");
		bool is_done = json_member(answer, "return") != NULL;
		if (error)
			say("%s: %s", what, member_text(error, "desc"));
		json_free(answer);
		if (error || is_done)
			return is_done;
	}
}

/* The greeting: whoever else listens there says none. */
static bool monitor_greet(Monitor *monitor)
{
	JsonValue *greeting = monitor_read(monitor);
	bool is_qemu = json_member(greeting, "QMP") != NULL;

	if (greeting && !is_qemu)
		say("%s is no QEMU monitor (QMP)", monitor->path);
	json_free(greeting);
	return is_qemu && monitor_execute(monitor, "{\"execute\":\"qmp_capabilities\"}\n", -1,
					  "QEMU's monitor refuses");
}

static bool monitor_identify(const Monitor *monitor, pid_t *ret_pid, int *ret_pidfd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(monitor->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	    peer.pid > 0) {
		*ret_pid = peer.pid;
		*ret_pidfd = pidfd_open(peer.pid, 0);
		if (*ret_pidfd >= 0)
			return true;
	}
	say("the process behind %s cannot be told; it is none of this pid namespace, or has ended",
	    monitor->path);
	return false;
}

static bool monitor_add_display(Monitor *monitor, int *ret_display)
{
	_cleanup_close_ int theirs = -1;
	_cleanup_close_ int ours = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		say("socketpair: %s", strerror(errno));
		return false;
	}
	ours = pair[0];
	theirs = pair[1];
	if (!monitor_execute(monitor,
			     "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"vail-qemu\"}}\n",
			     theirs, "QEMU does not take a socket for its display") ||
	    !monitor_execute(monitor,
			     "{\"execute\":\"add_client\",\"arguments\":{\"protocol\":"
			     "\"@dbus-display\",\"fdname\":\"vail-qemu\"}}\n",
			     -1, "QEMU offers no display; start it with -display dbus,p2p=yes"))
		return false;
	*ret_display = TAKE_DESCRIPTOR(ours);
	return true;
}

bool monitor_join_display(const char *path, pid_t *ret_pid, int *ret_pidfd, int *ret_display)
{
	_cleanup_(monitor_deinit)
		Monitor monitor = { .path = path, .socket = -1, .parser = json_parser_new() };
	_cleanup_close_ int pidfd = -1;

	if (!monitor.parser) {
		say("no memory");
		return false;
	}
	if (!monitor_connect(&monitor) || !monitor_identify(&monitor, ret_pid, &pidfd) ||
	    !monitor_greet(&monitor) || !monitor_add_display(&monitor, ret_display))
		return false;
	*ret_pidfd = TAKE_DESCRIPTOR(pidfd);
	return true;
}
