/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/server/refusal.h"

#include <stdio.h>
#include <string.h>

#include "daemon/fleet/model/freshness.h"
#include "proto/error-reply.h"
#include "proto/status.h"

/* Copies a text that is UTF-8, cut behind a character. */
static void copy_text(char *to, size_t size, const char *text)
{
	size_t length = strnlen(text, size);

	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(to, text, length);
	to[length] = '\0';
}

void refuse(Refusal *refusal, NTSTATUS status, const char *message)
{
	*refusal = (Refusal){ .status = status };
	copy_text(refusal->message, sizeof(refusal->message), message);
}

void refuse_parameter(Refusal *refusal, const char *parameter, const char *text)
{
	*refusal = (Refusal){ .status = STATUS_INVALID_PARAMETER };
	copy_text(refusal->parameter, sizeof(refusal->parameter), parameter);
	snprintf(refusal->message, sizeof(refusal->message), "%s %s", refusal->parameter, text);
}

void refuse_varlink(Refusal *refusal, const char *error, const char *parameter)
{
	*refusal = (Refusal){ .status = STATUS_NOT_SUPPORTED, .varlink_error = error };
	copy_text(refusal->parameter, sizeof(refusal->parameter), parameter);
}

bool refuse_if_old(Refusal *refusal, const FleetIndex *index, uint64_t now)
{
	FleetFreshness freshness;
	char text[640];

	fleet_index_freshness(index, now, &freshness);
	if (freshness.is_current)
		return false;
	snprintf(text, sizeof(text), "%s; try again when %s",
		 freshness.problem[0] ? freshness.problem : "the present state is not known yet",
		 !index->is_reached ? "it is back"
		 : index->has_alarm ? "it has none any more"
				    : "it is");
	refuse(refusal, STATUS_INVALID_DEVICE_STATE, text);
	return true;
}

bool refuse_if_away(Refusal *refusal, const FleetIndex *index, uint64_t now)
{
	return !fleet_index_is_current(index) && refuse_if_old(refusal, index, now);
}

/* Writes the only parameter of a Varlink error, whose name follows from that of the error. */
static void write_varlink(const Refusal *refusal, Writer *writer)
{
	error_reply_begin(writer, "org.varlink.service", refusal->varlink_error);
	if (strcmp(refusal->varlink_error, "MethodNotFound") == 0)
		writer_key(writer, "method");
	else if (strcmp(refusal->varlink_error, "InterfaceNotFound") == 0)
		writer_key(writer, "interface");
	else
		writer_key(writer, "parameter");
	writer_string(writer, refusal->parameter);
}

void refusal_write(const Refusal *refusal, const char *interface, Writer *writer, char terminator)
{
	if (refusal->varlink_error) {
		write_varlink(refusal, writer);
	} else {
		error_reply_begin(writer, interface, status_error_name(refusal->status));
		error_reply_write_status(writer, refusal->status, refusal->message,
					 refusal->parameter);
	}
	writer_object_end(writer);
	writer_object_end(writer);
	writer_terminator(writer, terminator);
}
