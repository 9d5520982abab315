/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/qmp.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/common/json-members.h"
#include "client/common/user-message.h"
#include "proto/fd-util.h"
#include "proto/json.h"
#include "proto/macros.h"

/* Timeout for a reply, in seconds. */
#define REPLY_TIMEOUT 10

/* Maximum size of a line from QEMU: its greeting, an event or a short reply. */
#define LINE_SIZE_MAX 65536

typedef struct QmpClient {
	const char *path;
	int socket;
	JsonParser *parser;
	char line[LINE_SIZE_MAX];
	size_t size; /* number of bytes in line; may include the start of the next line */
} QmpClient;

static void qmp_deinit(QmpClient *qmp)
{
	fd_close(&qmp->socket);
	json_parser_free(qmp->parser);
}

static bool qmp_connect(QmpClient *qmp)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = REPLY_TIMEOUT };

	if (strlen(qmp->path) >= sizeof(address.sun_path)) {
		log_message("%s is too long for the path of a socket", qmp->path);
		return false;
	}
	memcpy(address.sun_path, qmp->path, strlen(qmp->path));
	qmp->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (qmp->socket < 0 ||
	    setsockopt(qmp->socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(qmp->socket, (struct sockaddr *)&address, sizeof(address)) < 0) {
		log_message("cannot connect to QEMU's monitor %s: %s", qmp->path, strerror(errno));
		return false;
	}
	return true;
}

/* Logs why no reply was received. received: the result of recv(). */
static void log_lost(const QmpClient *qmp, ssize_t received)
{
	if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		log_message("QEMU's monitor %s does not reply; it serves one client at a time, so "
			    "disconnect its current client",
			    qmp->path);
	else
		log_message("QEMU has closed its monitor %s", qmp->path);
}

/* Reads the next line as JSON. The caller frees it. Returns NULL after it has logged an error. */
static JsonValue *qmp_read(QmpClient *qmp)
{
	const char *error = NULL;
	char *end;

	while (!(end = memchr(qmp->line, '\n', qmp->size))) {
		size_t room = sizeof(qmp->line) - qmp->size;
		ssize_t received =
			room == 0 ? 0 : recv(qmp->socket, qmp->line + qmp->size, room, 0);
		if (received <= 0) {
			log_lost(qmp, received);
			return NULL;
		}
		qmp->size += (size_t)received;
	}
	*end = '\0';
	size_t length = (size_t)(end - qmp->line);
	JsonValue *value = json_parse(qmp->parser, qmp->line, length, &error);
	qmp->size -= length + 1;
	memmove(qmp->line, end + 1, qmp->size);
	if (!value)
		log_message("%s is not a QEMU monitor (QMP)", qmp->path);
	return value;
}

/* Sends a line, with the fd unless that is -1. Returns false after it has logged an error. */
static bool qmp_send(QmpClient *qmp, const char *line, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec vector = { .iov_base = (char *)line, .iov_len = strlen(line) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	if (sendmsg(qmp->socket, &message, MSG_NOSIGNAL) == (ssize_t)strlen(line))
		return true;
	log_lost(qmp, 0);
	return false;
}

/*
 * Executes a command, and skips events until the reply. Returns false after it has logged an error.
 *
 * fd: sent with the command; -1 for none.
 * what: prefix of the message if QEMU returns an error.
 */
static bool qmp_execute(QmpClient *qmp, const char *command, int fd, const char *what)
{
	if (!qmp_send(qmp, command, fd))
		return false;
	for (;;) {
		JsonValue *reply = qmp_read(qmp);
		if (!reply)
			return false;
		const JsonValue *error = json_member(reply, "error");
		bool is_done = json_member(reply, "return") != NULL;
		if (error)
			log_message("%s: %s", what, member_text(error, "desc"));
		json_free(reply);
		if (error || is_done)
			return is_done;
	}
}

/* Checks QEMU's greeting, which no other program sends, and leaves negotiation mode. */
static bool qmp_greet(QmpClient *qmp)
{
	JsonValue *greeting = qmp_read(qmp);
	bool is_qemu = json_member(greeting, "QMP") != NULL;

	if (greeting && !is_qemu)
		log_message("%s is not a QEMU monitor (QMP)", qmp->path);
	json_free(greeting);
	return is_qemu && qmp_execute(qmp, "{\"execute\":\"qmp_capabilities\"}\n", -1,
				      "QEMU's monitor cannot be used");
}

static bool qmp_identify(const QmpClient *qmp, pid_t *ret_pid, int *ret_pidfd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(qmp->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0) {
		*ret_pid = peer.pid;
		*ret_pidfd = pidfd_open(peer.pid, 0);
		if (*ret_pidfd >= 0)
			return true;
	}
	log_message("the process behind %s cannot be identified; it is in another pid namespace, "
		    "or has ended",
		    qmp->path);
	return false;
}

static bool qmp_add_display(QmpClient *qmp, int *ret_display)
{
	_cleanup_close_ int theirs = -1;
	_cleanup_close_ int ours = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		log_message("cannot create a socket pair: %s", strerror(errno));
		return false;
	}
	ours = pair[0];
	theirs = pair[1];
	if (!qmp_execute(qmp, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"vail-qemu\"}}\n",
			 theirs, "QEMU does not accept a socket for its display") ||
	    !qmp_execute(qmp,
			 "{\"execute\":\"add_client\",\"arguments\":{\"protocol\":"
			 "\"@dbus-display\",\"fdname\":\"vail-qemu\"}}\n",
			 -1, "QEMU offers no display; start it with -display dbus,p2p=yes"))
		return false;
	*ret_display = TAKE_FD(ours);
	return true;
}

bool qmp_join_display(const char *path, pid_t *ret_pid, int *ret_pidfd, int *ret_display)
{
	_cleanup_(qmp_deinit)
		QmpClient qmp = { .path = path, .socket = -1, .parser = json_parser_new() };
	_cleanup_close_ int pidfd = -1;

	if (!qmp.parser) {
		log_message("this process is out of memory");
		return false;
	}
	if (!qmp_connect(&qmp) || !qmp_identify(&qmp, ret_pid, &pidfd) || !qmp_greet(&qmp) ||
	    !qmp_add_display(&qmp, ret_display))
		return false;
	*ret_pidfd = TAKE_FD(pidfd);
	return true;
}
