/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/guest-watch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/common/json-members.h"
#include "proto/fd-util.h"
#include "proto/json-scan.h"
#include "proto/macros.h"

/* Milliseconds between two looks, and for a minute while the guest is not here. */
#define INTERVAL        1000
#define INTERVAL_SHORT  200
#define SHORT_LOOKS_MAX 300

#define ANSWER_SIZE_MAX 65536
#define RECEIVE_SIZE    4096

static const JsonBounds message_bounds = { .depth = JSON_DEPTH_MAX, .values = 4096, .digits = 32 };

bool guest_watch_init(GuestWatch *watch, const char *path, const char *fleet, pid_t qemu,
		      const WaitClock *clock)
{
	JsonParser *parser = path ? json_parser_new() : NULL;

	*watch = GUEST_WATCH_INIT;
	watch->fleet = fleet;
	watch->qemu = qemu;
	watch->clock = clock;
	watch->is_timed = true;
	watch->parser = parser;
	watch->path = parser ? path : NULL;
	return parser || !path;
}

const char *guest_state_of(const char *status)
{
	if (strcmp(status, "inmigrate") == 0)
		return "incoming";
	if (strcmp(status, "postmigrate") == 0)
		return "migrated";
	/* The migration may still fail, and then this QEMU goes on. */
	return strcmp(status, "finish-migrate") == 0 ? NULL : "running";
}

/* Ends the look in progress, if there is one. */
static void end_look(GuestWatch *watch)
{
	bool is_settled = (watch->state && strcmp(watch->state, "running") == 0) ||
			  watch->short_looks == SHORT_LOOKS_MAX;

	if (!is_settled)
		watch->short_looks++;
	fd_close(&watch->socket);
	watch->has_asked = false;
	buffer_consume(&watch->input, buffer_size(&watch->input));
	watch->next_look = watch->clock->now() + (is_settled ? INTERVAL : INTERVAL_SHORT);
	watch->is_timed = access(watch->fleet, F_OK) == 0;
}

void guest_watch_deinit(GuestWatch *watch)
{
	fd_close(&watch->socket);
	buffer_deinit(&watch->input);
	json_parser_free(watch->parser);
	*watch = GUEST_WATCH_INIT;
}

struct pollfd guest_watch_poll_for(const GuestWatch *watch)
{
	return (struct pollfd){ .fd = watch->socket, .events = POLLIN };
}

int guest_watch_timeout(const GuestWatch *watch)
{
	if (!watch->path || watch->socket >= 0 || !watch->is_timed)
		return -1;
	int64_t left = watch->next_look - watch->clock->now();
	return left > 0 ? (int)left : 0;
}

static bool is_due(const GuestWatch *watch)
{
	return watch->path && watch->clock->now() >= watch->next_look;
}

/* ---- A look ---- */

/* Tests whether QEMU itself listens there. Another program may have taken the path since. */
static bool is_qemu(const GuestWatch *watch)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(watch->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       peer.pid == watch->qemu;
}

static void begin_look(GuestWatch *watch)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strncpy(address.sun_path, watch->path, sizeof(address.sun_path) - 1);
	watch->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (watch->socket < 0 ||
	    connect(watch->socket, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    !is_qemu(watch))
		end_look(watch);
}

/* Asks as soon as QEMU has sent its greeting. Both commands fit into any socket. */
static bool ask(GuestWatch *watch)
{
	static const char commands[] = "{\"execute\":\"qmp_capabilities\"}\n"
				       "{\"execute\":\"query-status\"}\n";

	watch->has_asked = true;
	return send(watch->socket, commands, strlen(commands), MSG_NOSIGNAL) ==
	       (ssize_t)strlen(commands);
}

/* Handles a message of QEMU. Returns false if the look has ended. */
static bool take_message(GuestWatch *watch, const JsonValue *message)
{
	const char *status = member_text(json_member(message, "return"), "status");
	const char *state = status ? guest_state_of(status) : NULL;

	if (state && (!watch->state || strcmp(state, watch->state) != 0)) {
		watch->state = state;
		watch->short_looks = 0;
	}
	if (json_member(message, "error"))
		watch->path = NULL; /* it will not answer the next time either */
	if (json_member(message, "QMP") && !watch->has_asked)
		return ask(watch);
	return !status && watch->path;
}

/* Removes the next message from the input. Returns NULL if it is incomplete, or sets *ret_bad. */
static JsonValue *next_message(GuestWatch *watch, bool *ret_bad)
{
	JsonScan scan = { 0 };
	size_t position = 0;
	const char *error;
	JsonScanResult result = json_scan(&scan, &message_bounds, buffer_head(&watch->input),
					  buffer_size(&watch->input), &position);

	*ret_bad = false;
	if (result == JSON_SCAN_INCOMPLETE)
		return NULL;
	JsonValue *message =
		result == JSON_SCAN_COMPLETE
			? json_parse(watch->parser, buffer_head(&watch->input), position, &error)
			: NULL;
	buffer_consume(&watch->input, position);
	*ret_bad = message == NULL;
	return message;
}

/* Handles all complete messages. Returns false if the look has ended. */
static bool take_messages(GuestWatch *watch)
{
	JsonValue *message;
	bool is_bad;

	while ((message = next_message(watch, &is_bad))) {
		bool goes_on = take_message(watch, message);

		json_free(message);
		if (!goes_on)
			return false;
	}
	return !is_bad && buffer_size(&watch->input) < ANSWER_SIZE_MAX;
}

/* Receives what has arrived. Returns false if the look has ended. */
static bool receive(GuestWatch *watch)
{
	if (!buffer_reserve(&watch->input, RECEIVE_SIZE))
		return false;
	ssize_t size = recv(watch->socket, buffer_tail(&watch->input), RECEIVE_SIZE, 0);
	if (size < 0)
		return errno == EAGAIN || errno == EINTR;
	watch->input.end += (size_t)size;
	return size > 0 && take_messages(watch);
}

void guest_watch_process(GuestWatch *watch)
{
	if (watch->socket >= 0) {
		if (!receive(watch))
			end_look(watch);
	} else if (is_due(watch)) {
		begin_look(watch);
	}
}
