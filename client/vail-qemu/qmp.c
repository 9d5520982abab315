/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/qmp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/common/json-members.h"
#include "client/common/user-message.h"
#include "client/vail-qemu/guest-watch.h"
#include "proto/buffer.h"
#include "proto/fd-util.h"
#include "proto/json-scan.h"
#include "proto/json.h"
#include "proto/macros.h"

/* Time between attempts to connect to a monitor whose queue is full, in milliseconds. */
#define CONNECT_INTERVAL 50

/*
 * Maximum size of a message from QEMU. A name can have 128 KiB, and QEMU escapes each character of
 * two bytes as six.
 */
#define MESSAGE_SIZE_MAX (1u << 20)

#define RECEIVE_SIZE 4096

static const JsonBounds message_bounds = { .depth = JSON_DEPTH_MAX, .values = 65536, .digits = 32 };

typedef struct QmpClient {
	const char *path;
	const WaitClock *clock;
	int socket;
	pid_t qemu;
	JsonParser *parser;
	Buffer input; /* begins after the last message; may have the start of further ones */
} QmpClient;

static void qmp_deinit(QmpClient *qmp)
{
	fd_close(&qmp->socket);
	json_parser_free(qmp->parser);
	buffer_deinit(&qmp->input);
}

/* ---- Connecting ---- */

/* Logs why the monitor cannot be reached, and what to do. */
static void log_unconnected(const QmpClient *qmp, int error)
{
	struct stat file;

	if (error == ECONNREFUSED && stat(qmp->path, &file) == 0 && !S_ISSOCK(file.st_mode))
		log_message("cannot connect to QEMU's monitor %s: it is not a socket; give --qmp "
			    "the path that QEMU has after -qmp unix:",
			    qmp->path);
	else if (error == EACCES || error == EPERM)
		log_message("cannot connect to QEMU's monitor %s: %s; run vail-qemu as root or as "
			    "the user of QEMU",
			    qmp->path, strerror(error));
	else
		log_message("cannot connect to QEMU's monitor %s: %s; start QEMU with -qmp "
			    "unix:%s,server=on,wait=off",
			    qmp->path, strerror(error), qmp->path);
}

/* The kernel reports a full queue as EAGAIN. There is no event when the queue has room again. */
static bool connect_in_time(QmpClient *qmp, const struct sockaddr_un *address)
{
	Wait wait;

	wait_begin(&wait, qmp->clock, "QEMU's monitor %s to accept the connection", qmp->path);
	while (connect(qmp->socket, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		if (errno != EAGAIN && errno != EINTR) {
			log_unconnected(qmp, errno);
			return false;
		}
		if (!wait_for_fd(&wait, -1, 0, CONNECT_INTERVAL)) {
			wait_log_failure(&wait, 0,
					 "it serves one client at a time, and others are waiting; "
					 "disconnect them, and check that QEMU is not stopped");
			return false;
		}
	}
	return true;
}

/*
 * Tests whether libvirt uses the monitor itself: .../domain-ID-NAME/monitor.sock. Only one client
 * can use a monitor, so libvirt could not return to it after its own restart.
 */
static bool belongs_to_libvirt(const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	const char *file = real ? strrchr(real, '/') : NULL;
	const char *folder = file && file > real ? memrchr(real, '/', (size_t)(file - real)) : NULL;

	return folder && strcmp(file, "/monitor.sock") == 0 &&
	       strncmp(folder, "/domain-", strlen("/domain-")) == 0;
}

static bool qmp_connect(QmpClient *qmp)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (belongs_to_libvirt(qmp->path)) {
		log_message("%s is libvirt's own monitor, and only one program can use it; give "
			    "QEMU a second monitor, or use --display-fd or --bus",
			    qmp->path);
		return false;
	}
	if (strlen(qmp->path) >= sizeof(address.sun_path)) {
		log_message("%s is too long for the path of a socket; give a path of at most %zu "
			    "bytes",
			    qmp->path, sizeof(address.sun_path) - 1);
		return false;
	}
	memcpy(address.sun_path, qmp->path, strlen(qmp->path));
	qmp->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (qmp->socket < 0) {
		log_message("cannot create a socket: %s", strerror(errno));
		return false;
	}
	return connect_in_time(qmp, &address);
}

/* ---- Messages ---- */

static void log_lost(const QmpClient *qmp)
{
	log_message("QEMU has closed its monitor %s; check that QEMU runs and that no other "
		    "program uses this monitor",
		    qmp->path);
}

static void log_no_monitor(const QmpClient *qmp)
{
	log_message("%s is not a QEMU monitor (QMP); give the socket of QEMU's option -qmp",
		    qmp->path);
}

static void log_timeout(const QmpClient *qmp, const Wait *wait)
{
	wait_log_failure(wait, qmp->qemu,
			 "the monitor serves one client at a time; disconnect its current client");
}

/* Receives more input. Returns false after it has logged an error. */
static bool qmp_receive(QmpClient *qmp, Wait *wait)
{
	if (buffer_size(&qmp->input) >= MESSAGE_SIZE_MAX) {
		log_no_monitor(qmp);
		return false;
	}
	if (!buffer_reserve(&qmp->input, RECEIVE_SIZE)) {
		log_message("this process is out of memory");
		return false;
	}
	for (;;) {
		ssize_t size = recv(qmp->socket, buffer_tail(&qmp->input), RECEIVE_SIZE, 0);

		if (size > 0) {
			qmp->input.end += (size_t)size;
			return true;
		}
		if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
			log_lost(qmp);
			return false;
		}
		if (!wait_for_fd(wait, qmp->socket, POLLIN, -1)) {
			log_timeout(qmp, wait);
			return false;
		}
	}
}

/* Removes a message of this length from the input. Returns NULL after it has logged an error. */
static JsonValue *take_message(QmpClient *qmp, size_t length)
{
	const char *error;
	JsonValue *value = json_parse(qmp->parser, buffer_head(&qmp->input), length, &error);

	buffer_consume(&qmp->input, length);
	if (json_type_of(value) == JSON_OBJECT)
		return value;
	json_free(value);
	log_no_monitor(qmp);
	return NULL;
}

/*
 * Reads the next message, which may have line breaks anywhere between its tokens. The caller frees
 * it. Returns NULL after it has logged an error.
 */
static JsonValue *qmp_read(QmpClient *qmp, Wait *wait)
{
	JsonScan scan = { 0 };
	size_t position = 0;

	for (;;) {
		JsonScanResult result = json_scan(&scan, &message_bounds, buffer_head(&qmp->input),
						  buffer_size(&qmp->input), &position);

		if (result == JSON_SCAN_COMPLETE)
			return take_message(qmp, position);
		if (result != JSON_SCAN_INCOMPLETE) {
			log_no_monitor(qmp);
			return NULL;
		}
		if (!qmp_receive(qmp, wait))
			return NULL;
	}
}

/* Sends the text, with the fd unless that is -1. The fd travels with the first byte. */
static ssize_t send_with_fd(int socket, const char *text, size_t size, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec vector = { .iov_base = (char *)text, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL);
}

/* Returns false after it has logged an error. */
static bool qmp_send(QmpClient *qmp, const char *text, int fd, Wait *wait)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t sent = send_with_fd(qmp->socket, text, left, fd);

		if (sent > 0) {
			text += sent;
			left -= (size_t)sent;
			fd = -1;
		} else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			log_lost(qmp);
			return false;
		} else if (!wait_for_fd(wait, qmp->socket, POLLOUT, -1)) {
			log_timeout(qmp, wait);
			return false;
		}
	}
	return true;
}

/* A command, with the arguments as JSON text, or "" for none. */
typedef struct QmpCommand {
	const char *name;
	const char *arguments;
	int fd;              /* sent with the command; -1 for none */
	const char *failure; /* prefix of the message if QEMU returns an error */
} QmpCommand;

/*
 * Sends a command, and skips events until the reply: an object with "return" or "error". The caller
 * frees it. Returns NULL after it has logged an error.
 */
static JsonValue *qmp_call(QmpClient *qmp, const QmpCommand *command)
{
	_cleanup_free_ char *text = NULL;
	Wait wait;

	wait_begin(&wait, qmp->clock, "QEMU's monitor %s to answer %s", qmp->path, command->name);
	if (asprintf(&text, "{\"execute\":\"%s\"%s%s}\n", command->name,
		     *command->arguments ? ",\"arguments\":" : "", command->arguments) < 0) {
		text = NULL;
		log_message("this process is out of memory");
		return NULL;
	}
	if (!qmp_send(qmp, text, command->fd, &wait))
		return NULL;
	for (;;) {
		JsonValue *reply = qmp_read(qmp, &wait);

		if (!reply || json_member(reply, "return") || json_member(reply, "error"))
			return reply;
		json_free(reply);
		if (wait_is_over(&wait)) { /* events without end */
			log_timeout(qmp, &wait);
			return NULL;
		}
	}
}

/* Executes a command. Returns false after it has logged an error. */
static bool qmp_execute(QmpClient *qmp, const QmpCommand *command)
{
	JsonValue *reply = qmp_call(qmp, command);
	const JsonValue *error = json_member(reply, "error");
	bool is_done = reply && !error;

	if (error) {
		const char *reason = member_text(error, "desc");
		log_message("%s: %s", command->failure, reason ? reason : "QEMU gives no reason");
	}
	json_free(reply);
	return is_done;
}

/* ---- The steps ---- */

static bool qmp_identify(QmpClient *qmp, int *ret_pidfd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(qmp->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0) {
		qmp->qemu = peer.pid;
		*ret_pidfd = pidfd_open(peer.pid, 0);
		if (*ret_pidfd >= 0)
			return true;
	}
	log_message("the process behind %s cannot be identified; it is in another pid namespace, "
		    "or has ended",
		    qmp->path);
	return false;
}

/* Checks QEMU's greeting, which no other program sends, and leaves negotiation mode. */
static bool qmp_greet(QmpClient *qmp)
{
	const QmpCommand negotiate = { "qmp_capabilities", "", -1,
				       "QEMU's monitor cannot be used" };
	Wait wait;

	wait_begin(&wait, qmp->clock, "QEMU's monitor %s to send its greeting", qmp->path);
	JsonValue *greeting = qmp_read(qmp, &wait);
	bool is_qemu = json_member(greeting, "QMP") != NULL;
	if (greeting && !is_qemu)
		log_no_monitor(qmp);
	json_free(greeting);
	return is_qemu && qmp_execute(qmp, &negotiate);
}

/* Copies the member of a reply, or sets NULL if it is absent. Returns false if out of memory. */
static bool copy_member(const JsonValue *result, const char *member, char **ret)
{
	const char *text = member_text(result, member);

	*ret = text ? strdup(text) : NULL;
	if (*ret || !text)
		return true;
	log_message("this process is out of memory");
	return false;
}

/* Reads the name of QEMU's option -name. Returns false after it has logged an error. */
static bool qmp_read_name(QmpClient *qmp, QmpDisplay *display)
{
	const QmpCommand query = { "query-name", "", -1, NULL };
	JsonValue *reply = qmp_call(qmp, &query);
	const JsonValue *result = json_member(reply, "return");
	bool is_valid = reply && copy_member(result, "name", &display->name);

	display->is_old = result == NULL;
	json_free(reply);
	return is_valid;
}

/* Reads the UUID of the VM. Returns false after it has logged an error. */
static bool qmp_read_uuid(QmpClient *qmp, QmpDisplay *display)
{
	const QmpCommand query = { "query-uuid", "", -1, NULL };
	JsonValue *reply = qmp_call(qmp, &query);
	bool is_valid = reply && copy_member(json_member(reply, "return"), "UUID", &display->uuid);

	json_free(reply);
	return is_valid;
}

/*
 * Reads whether QEMU runs its guest, so that vaild never takes an awaited guest for a running one.
 * Returns false after it has logged an error.
 */
static bool qmp_read_guest_state(QmpClient *qmp, QmpDisplay *display)
{
	const QmpCommand query = { "query-status", "", -1, NULL };
	JsonValue *reply = qmp_call(qmp, &query);
	bool is_valid = reply != NULL;
	const char *status = member_text(json_member(reply, "return"), "status");

	display->guest_state = status ? guest_state_of(status) : NULL;
	json_free(reply);
	return is_valid;
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
	const QmpCommand pass = { "getfd", "{\"fdname\":\"vail-qemu\"}", theirs,
				  "QEMU does not accept a socket for its display" };
	const QmpCommand add = { "add_client",
				 "{\"protocol\":\"@dbus-display\",\"fdname\":\"vail-qemu\"}", -1,
				 "QEMU offers no display; start it with -display dbus,p2p=yes" };
	if (!qmp_execute(qmp, &pass) || !qmp_execute(qmp, &add))
		return false;
	*ret_display = TAKE_FD(ours);
	return true;
}

static void qmp_display_deinit(QmpDisplay *display)
{
	fd_close(&display->pidfd);
	fd_close(&display->socket);
	free(display->name);
	free(display->uuid);
}

/* Connects to the monitor, and reads which QEMU it is. Returns false after it has logged an error.
 */
static bool qmp_find_qemu(QmpClient *qmp, QmpDisplay *display)
{
	if (!qmp_connect(qmp) || !qmp_identify(qmp, &display->pidfd) || !qmp_greet(qmp) ||
	    !qmp_read_name(qmp, display))
		return false;
	display->qemu = qmp->qemu;
	return true;
}

bool qmp_join_display(const char *path, const WaitClock *clock, QmpCheck check, void *context,
		      QmpDisplay *ret)
{
	_cleanup_(qmp_deinit) QmpClient qmp = {
		.path = path, .clock = clock, .socket = -1, .parser = json_parser_new()
	};
	_cleanup_(qmp_display_deinit) QmpDisplay display = { .pidfd = -1, .socket = -1 };

	if (!qmp.parser) {
		log_message("this process is out of memory");
		return false;
	}
	if (!qmp_find_qemu(&qmp, &display) ||
	    (check && (!qmp_read_uuid(&qmp, &display) || !qmp_read_guest_state(&qmp, &display) ||
		       !check(&display, context))) ||
	    !qmp_add_display(&qmp, &display.socket))
		return false;
	*ret = display;
	display = (QmpDisplay){ .pidfd = -1, .socket = -1 };
	return true;
}
