/* SPDX-License-Identifier: MIT */
#include "client/common/fleet-search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vail.h>

#include "client/common/json-members.h"
#include "proto/guid.h"
#include "proto/json-writer.h"
#include "proto/macros.h"

#define ANSWER_MILLISECONDS 2000

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

/* Calls Where. Returns its reply, or NULL. */
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

/* Words where the VM is. Returns NULL if it is on this host, or if out of memory. */
static char *make_note(const JsonValue *where, const char *machine, const char *program)
{
	const char *host = member_text(where, "hostName");
	double seconds;
	char *note;

	if (!host || !*host)
		host = member_text(where, "host");
	if (!host || member_flag(where, "self"))
		return NULL;
	bool is_gone = json_read_real(json_member(where, "unreachable"), &seconds);
	int length = is_gone ? asprintf(&note,
					"virtual machine %s was last on the host %s, which cannot "
					"be reached now",
					machine, host)
			     : asprintf(&note, "virtual machine %s is on the host %s; run %s there",
					machine, host, program);
	return length < 0 ? NULL : note;
}

char *fleet_note(const char *machine, const char *program)
{
	_cleanup_free_ char *reply = ask_where(machine);
	JsonParser *parser = reply ? json_parser_new() : NULL;
	const char *error;

	if (!parser)
		return NULL;
	JsonValue *where = json_parse(parser, reply, strlen(reply), &error);
	char *note = make_note(where, machine, program);
	json_free(where);
	json_parser_free(parser);
	return note;
}
