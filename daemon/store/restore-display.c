/* SPDX-License-Identifier: MIT */
/* Restores display channels, which then wait for the agents that serve them. */
#include "daemon/store/restore.h"
#include "proto/macros.h"

static Registration *find_registration(Restore *restore, uint64_t serial)
{
	return entity_container(entity_find(restore->broker, ENTITY_REGISTRATION, serial),
				Registration);
}

/* Takes the channel's socket from the fd store, and restores the channel with it. */
static RestoreReason open_again(Restore *restore, RecordedDisplay *from, Registration *registration)
{
	const Host *host = restore->broker->host;
	Failure failure;

	from->display.own.facts.kind = FD_SOCKET;
	RestoreReason reason = restore_find_fd(restore, from->fd, &from->display.own);

	if (reason == RESTORE_OK)
		reason = restore_reason(display_channel_restore(restore->broker, registration,
								&from->display, &failure));
	if (reason == RESTORE_OK || from->display.own.fd == FD_NONE)
		return reason;
	if (restore_reason_is_exhaustion(reason))
		host->stop_persisting(host->self); /* keeps the channel for the next start */
	host->end_channel(host->self, from->display.own.fd, &from->display.payer);
	return reason;
}

RestoreReason restore_display(Restore *restore, void *record)
{
	RecordedDisplay *from = record;
	Registration *registration = find_registration(restore, from->registration);

	if (!registration)
		return restore_without_registration(restore, from->registration);
	if (handle_entry_is_taken(restore->broker, &from->display.handle))
		return RESTORE_HANDLE_IS_TAKEN;
	from->display.rights |= DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW);
	return open_again(restore, from, registration);
}
