/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/local/quarantine-call.h"

#include <string.h>

#include "proto/json-writer.h"

/*
 * Where no quarantine is expected, QUARANTINE_REASON_OF_FLEET alone equals no reason that one
 * imposed meanwhile may have.
 */
char *quarantine_parameters(const FleetFacts *facts, const Guid *guid, const char *reason)
{
	const FleetLocalQuarantine *known = fleet_facts_quarantine(facts, guid);
	Buffer out = BUFFER_INIT;
	Writer writer = WRITER_INIT(&out);

	writer_object_begin(&writer);
	writer_key(&writer, "virtualMachineGuid");
	writer_guid(&writer, guid);
	writer_key(&writer, "quarantined");
	writer_boolean(&writer, reason != NULL);
	if (reason) {
		writer_key(&writer, "reason");
		writer_string(&writer, reason);
	}
	writer_key(&writer, "expectedReason");
	writer_string(&writer, known ? known->reason : QUARANTINE_REASON_OF_FLEET);
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	char *text = writer.failed ? NULL : strdup(buffer_head(&out));
	buffer_deinit(&out);
	return text;
}

QuarantineOutcome quarantine_outcome(NTSTATUS status)
{
	switch (status) {
	case STATUS_SUCCESS:
		return QUARANTINE_DONE;
	case STATUS_INVALID_DEVICE_STATE:
		return QUARANTINE_OVERTAKEN;
	case STATUS_INVALID_PARAMETER:
		return QUARANTINE_REFUSED;
	case STATUS_CONNECTION_DISCONNECTED:
	case STATUS_CONNECTION_REFUSED:
	case STATUS_INVALID_NETWORK_RESPONSE:
	case STATUS_IO_TIMEOUT:
		return QUARANTINE_UNKNOWN;
	default:
		/* Rights, space, memory and limits concern every change of this host. */
		return QUARANTINE_HINDERED;
	}
}
