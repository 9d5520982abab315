/* SPDX-License-Identifier: MIT */
#include "client/common/fleet-search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vail.h>

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

/* Calls Where. milliseconds: how long to wait. Returns its reply, or NULL. */
static char *ask_where(const char *machine, int milliseconds)
{
	_cleanup_free_ char *parameters = write_parameters(machine);
	char *reply = NULL;
	struct vail *fleet;

	if (!parameters || vail_new(fleet_socket_path(), &fleet) != STATUS_SUCCESS)
		return NULL;
	vail_set_resume(fleet, false);
	vail_set_timeout(fleet, milliseconds);
	if (vail_call(fleet, "io.vaild.Fleet.Where", parameters, &reply) != STATUS_SUCCESS)
		reply = NULL;
	vail_close(fleet);
	return reply;
}

typedef enum Place {
	PLACE_UNKNOWN,
	PLACE_HERE,
	PLACE_ELSEWHERE,
	PLACE_UNREACHABLE, /* on another host, which has gone */
} Place;

/*
 * Asks for the host of the VM. milliseconds: how long to wait. Sets *ret_host, to be freed by the
 * caller, if it is another one.
 */
static Place find_place(const char *machine, int milliseconds, char **ret_host)
{
	_cleanup_free_ char *reply = ask_where(machine, milliseconds);
	JsonParser *parser = reply ? json_parser_new() : NULL;
	Place place = PLACE_UNKNOWN;
	const char *error;
	double seconds;

	*ret_host = NULL;
	if (!parser)
		return PLACE_UNKNOWN;
	JsonValue *where = json_parse(parser, reply, strlen(reply), &error);
	const char *host = member_text(where, "hostName");
	if (!host || !*host)
		host = member_text(where, "host");
	if (host && member_flag(where, "self"))
		place = PLACE_HERE;
	else if (host && (*ret_host = strdup(host)))
		place = json_read_real(json_member(where, "unreachable"), &seconds)
				? PLACE_UNREACHABLE
				: PLACE_ELSEWHERE;
	json_free(where);
	json_parser_free(parser);
	return place;
}

/* Returns NULL if the place is not on another host, or if out of memory. */
static char *make_note(Place place, const char *machine, const char *verb, const char *host,
		       const char *program)
{
	char *note = NULL;
	int length = 0;

	if (place == PLACE_UNREACHABLE)
		length = asprintf(&note,
				  "virtual machine %s was last on the host %s, which cannot be "
				  "reached now",
				  machine, host);
	else if (place == PLACE_ELSEWHERE)
		length = asprintf(&note, "virtual machine %s %s the host %s; run %s there", machine,
				  verb, host, program);
	return length < 0 ? NULL : note;
}

char *fleet_note(const char *machine, const char *program)
{
	_cleanup_free_ char *host = NULL;
	Place place = find_place(machine, ANSWER_MILLISECONDS, &host);

	return make_note(place, machine, "is on", host, program);
}

char *fleet_moved_note(const char *guid, const char *machine, const char *program)
{
	const struct timespec pause = { .tv_nsec = MOVE_PAUSE * 1000000L };
	const int64_t end = monotonic_milliseconds() + MOVE_MILLISECONDS;
	_cleanup_free_ char *host = NULL;
	Place place = find_place(guid, ANSWER_MILLISECONDS, &host);

	while (place == PLACE_HERE && monotonic_milliseconds() + MOVE_PAUSE < end) {
		nanosleep(&pause, NULL);
		int64_t left = end - monotonic_milliseconds();
		place = find_place(guid, left > 1 ? (int)left : 1, &host);
	}
	return make_note(place, machine, "has moved to", host, program);
}
