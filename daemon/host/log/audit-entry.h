/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_LOG_AUDIT_ENTRY_H
#define DAEMON_HOST_LOG_AUDIT_ENTRY_H

#include "daemon/core/audit-record.h"
#include "daemon/core/event.h"
#include "daemon/host/log/log-entry.h"

/*
 * The fields of the audit log's entries. systemd/vaild.catalog may use only fields that every entry
 * of its id has, because journalctl prints the name of a missing one. Therefore each entry has
 * sentences for what depends on the case: VAIL_ABOUT, VAIL_EXPLANATION and VAIL_ADVICE.
 */

/* Details as they follow in a log line: ` quarantined=true quarantineReason="it is infected"`. */
typedef struct AuditDetailsText {
	char text[AUDIT_DETAILS_MAX * (AUDIT_DETAIL_SIZE + 32)];
} AuditDetailsText;

/*
 * Returns the details with a space before each. A text with a space stands in double quotes.
 * Control characters of a text become '?' and its double quotes single ones, so that it looks like
 * no other part of the line. details may be NULL.
 */
AuditDetailsText audit_entry_details(const AuditDetails *details);

/* Initialises the entry of a decision. executable is a path without spaces, or "?". */
void audit_entry_init_decision(LogEntry *entry, const AuditRecord *decision,
			       const char *executable);

/* Initialises the entry of the end of a registration or a VM. */
void audit_entry_init_end(LogEntry *entry, const Event *event);

/* Initialises the entry of a hand-over that was completed or abandoned. */
void audit_entry_init_hand_over(LogEntry *entry, const Event *event);

/* Initialises the entry of the end of an adapter. */
void audit_entry_init_adapter(LogEntry *entry, const Event *event);

/* Initialises the entry of the end of a display channel. */
void audit_entry_init_display(LogEntry *entry, const Event *event);

#endif
