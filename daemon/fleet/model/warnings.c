/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/warnings.h"

#include <stdio.h>

/* Names a host with more keys than the index keeps of one. */
static void tell_crowded(const FleetIndex *index, WarningsTell *tell, void *context)
{
	char host[HANDLE_TEXT_LENGTH + 1], text[256];

	snprintf(text, sizeof(text),
		 "the host %s has more than %zu VMs and adapters in etcd, and the rest is ignored; "
		 "delete those that it has not put",
		 handle_format(&index->crowded_host, host), FLEET_ENTRIES_PER_HOST_MAX);
	tell(context, text);
}

void warnings_tell(Warnings *warnings, const FleetIndex *index, uint64_t mended, WarningsTell *tell,
		   void *context)
{
	if (!warnings->has_told_mended && mended > WARNINGS_MENDED_MAX) {
		warnings->has_told_mended = true;
		tell(context,
		     "another host changes the keys of this one in etcd; give each host a machine "
		     "ID of its own, see machine-id(5)");
	}
	if (!warnings->has_told_overflow && index->has_overflown) {
		warnings->has_told_overflow = true;
		tell(context,
		     "etcd has more than 65536 keys of one kind, and the rest is ignored; delete "
		     "those that no host of the fleet has put");
	}
	if (!warnings->has_told_crowded && index->has_crowded) {
		warnings->has_told_crowded = true;
		tell_crowded(index, tell, context);
	}
}
