/* SPDX-License-Identifier: MIT */
#include "client/common/fleet-search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/common/json-members.h"
#include "proto/guid.h"
#include "proto/json-writer.h"
#include "proto/macros.h"

#define ANSWER_MILLISECONDS 2000

/* How long to look for a VM that has ended here, and how long to wait between two looks. */
#define MOVE_MILLISECONDS 3000
#define MOVE_PAUSE        200

static int64_t monotonic_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *fleet_socket_path(void)
{
	const char *path = secure_getenv("VAILD_FLEET_SOCKET");

	return path && *path ? path : "/run/vaild-fleet/socket";
}

/* Writes the parameters of Where. Returns NULL if out of memory. */
static char *write_parameters(const char *machine)
{
	Buffer out = BUFFER_INIT;
	Writer writer = WRITER_INIT(&out);
	Guid guid;

	writer_object_begin(&writer);
	if (guid_parse(machine, &guid))
		writer_key(&writer, "virtualMachineGuid");
	else
		writer_key(&writer, "name");
	writer_string(&writer, machine);
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	char *text = writer.failed ? NULL : strdup(buffer_head(&out));
	buffer_deinit(&out);
	return text;
}

/* Calls Where, and waits. Returns its reply, or NULL. */
static char *ask_where(const char *machine)
{
	_cleanup_free_ char *parameters = write_parameters(machine);
	char *reply = NULL;
	struct vail *fleet;

	if (!parameters || vail_new(fleet_socket_path(), &fleet) != STATUS_SUCCESS)
		return NULL;
	vail_set_resume(fleet, false);
	vail_set_timeout(fleet, ANSWER_MILLISECONDS);
	if (vail_call(fleet, "io.vaild.Fleet.Where", parameters, &reply) != STATUS_SUCCESS)
		reply = NULL;
	vail_close(fleet);
	return reply;
}

/* Reads a reply of Where. Sets *ret_host, to be freed by the caller, if it is another host. */
static FleetPlace read_place(const char *reply, char **ret_host)
{
	JsonParser *parser = reply ? json_parser_new() : NULL;
	FleetPlace place = FLEET_UNKNOWN;
	const char *error;
	double seconds;

	*ret_host = NULL;
	if (!parser)
		return FLEET_UNKNOWN;
	JsonValue *where = json_parse(parser, reply, strlen(reply), &error);
	const char *host = member_text(where, "hostName");
	if (!host || !*host)
		host = member_text(where, "host");
	if (host && member_flag(where, "self"))
		place = FLEET_HERE;
	else if (host && (*ret_host = strdup(host)))
		place = json_read_real(json_member(where, "unreachable"), &seconds)
				? FLEET_UNREACHABLE
				: FLEET_ELSEWHERE;
	json_free(where);
	json_parser_free(parser);
	return place;
}

/* Returns NULL if the place is not on another host, or if out of memory. */
static char *make_note(FleetPlace place, const char *machine, const char *verb, const char *host,
		       const char *program)
{
	char *note = NULL;
	int length = 0;

	if (place == FLEET_UNREACHABLE)
		length = asprintf(&note,
				  "virtual machine %s was last on the host %s, which cannot be "
				  "reached now",
				  machine, host);
	else if (place == FLEET_ELSEWHERE)
		length = asprintf(&note, "virtual machine %s %s the host %s; run %s there", machine,
				  verb, host, program);
	return length < 0 ? NULL : note;
}

char *fleet_note(const char *machine, const char *program)
{
	_cleanup_free_ char *reply = ask_where(machine);
	_cleanup_free_ char *host = NULL;
	FleetPlace place = read_place(reply, &host);

	return make_note(place, machine, "is on", host, program);
}

/* ---- A VM that has just ended here ---- */

static bool on_place(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		     void *context)
{
	FleetMove *move = context;

	(void)continues;
	if (vail != move->fleet)
		return false; /* the handle is being closed */
	move->is_answered = true;
	move->place = read_place(status == STATUS_SUCCESS ? parameters : NULL, &move->host);
	return false;
}

/* Asks for the host. Without a vaild-fleet on this host, nobody can tell. */
static void ask(FleetMove *move, int64_t answer_until)
{
	_cleanup_free_ char *parameters = write_parameters(move->guid);
	NTSTATUS status =
		parameters ? vail_new(fleet_socket_path(), &move->fleet) : STATUS_NO_MEMORY;

	vail_set_resume(move->fleet, false);
	vail_set_timeout(move->fleet, 0); /* not even to connect */
	if (status == STATUS_SUCCESS)
		status = vail_submit(move->fleet, "io.vaild.Fleet.Where", parameters, false,
				     on_place, move);
	move->place = FLEET_UNKNOWN;
	move->is_answered = status != STATUS_SUCCESS;
	move->at = answer_until;
}

void fleet_move_begin(FleetMove *move, const char *guid)
{
	int64_t now = monotonic_milliseconds();

	*move = (FleetMove){ .guid = guid, .end = now + MOVE_MILLISECONDS };
	ask(move, now + ANSWER_MILLISECONDS);
}

void fleet_move_deinit(FleetMove *move)
{
	vail_close(TAKE_POINTER(move->fleet)); /* calls on_place() */
	free(move->host);
	*move = (FleetMove){ 0 };
}

/* Ends the question. The fleet may notice a little later that the VM is no longer here. */
static void finish_asking(FleetMove *move, int64_t now)
{
	bool asks_again = move->place == FLEET_HERE && now + MOVE_PAUSE < move->end;

	vail_close(TAKE_POINTER(move->fleet));
	move->is_answered = false;
	move->at = now + MOVE_PAUSE;
	if (!asks_again)
		move->end = 0;
}

bool fleet_move_process(FleetMove *move)
{
	int64_t now = monotonic_milliseconds();

	if (move->end == 0)
		return true;
	if (move->fleet && !move->is_answered)
		vail_process(move->fleet); /* reports errors to on_place() */
	if (move->is_answered || (move->fleet && now >= move->at))
		finish_asking(move, now);
	else if (!move->fleet && now >= move->at)
		ask(move, move->end);
	return move->end == 0;
}

int64_t fleet_move_poll_for(const FleetMove *move, struct pollfd *ret)
{
	*ret = (struct pollfd){ .fd = -1 };
	if (move->end == 0)
		return INT64_MAX;
	if (move->is_answered)
		return 0;
	if (move->fleet)
		*ret = (struct pollfd){ .fd = vail_descriptor(move->fleet),
					.events = vail_events(move->fleet) };
	return move->at;
}

char *fleet_move_note(const FleetMove *move, const char *machine, const char *program)
{
	return make_note(move->place, machine, "has moved to", move->host, program);
}

void fleet_move_finish(FleetMove *move)
{
	struct pollfd poll_fd;

	while (!fleet_move_process(move)) {
		int64_t left = fleet_move_poll_for(move, &poll_fd) - monotonic_milliseconds();

		poll(&poll_fd, 1, left > 0 ? (int)left : 0);
	}
}
