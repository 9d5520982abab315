/* SPDX-License-Identifier: MIT */
#include "daemon/host/log/audit-log.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "daemon/api/names.h"
#include "daemon/core/adapter.h"
#include "daemon/core/display-channel.h"
#include "daemon/core/limit.h"
#include "daemon/core/process.h"
#include "daemon/host/log/audit-entry.h"
#include "proto/status.h"

/* Number of requests denied to one uid in the current second. */
struct Denials {
	uid_t uid;
	unsigned int count;
	RB_ENTRY(Denials) by_uid;
};

static int compare_uids(const Denials *a, const Denials *b)
{
	return compare_numbers(a->uid, b->uid);
}

TREE_GENERATE(DenialsTree, Denials, by_uid, compare_uids)

static const struct timeval one_second = { .tv_sec = 1 };

static void log_denial_count(const Denials *denials)
{
	unsigned int further = denials->count - LIMIT_DENY_RECORDS_PER_SECOND;
	LogEntry entry;

	log_entry_init(&entry, LOG_NOTICE, MESSAGE_DENIALS_SUMMARISED);
	log_entry_add(&entry, "VAIL_UID=%u", denials->uid);
	log_entry_add(&entry, "VAIL_DENIED=%u", further);
	log_entry_send(&entry, "denied %u further request%s of uid=%u within a second", further,
		       further == 1 ? "" : "s", denials->uid);
}

static void journal_end_second(AuditLog *journal)
{
	Denials *denials, *next;

	RB_FOREACH_SAFE (denials, DenialsTree, &journal->by_uid, next) {
		if (denials->count > LIMIT_DENY_RECORDS_PER_SECOND)
			log_denial_count(denials);
		RB_REMOVE(DenialsTree, &journal->by_uid, denials);
		free(denials);
	}
}

static void on_second(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	journal_end_second(context);
}

void audit_log_init(AuditLog *journal, struct event_base *base, ProcessTable *processes)
{
	*journal = (AuditLog){ .processes = processes };
	RB_INIT(&journal->by_uid);
	event_assign(&journal->second_event, base, -1, 0, on_second, journal);
}

void audit_log_deinit(AuditLog *journal)
{
	event_del(&journal->second_event);
	journal_end_second(journal);
}

/* Counts a denial. Returns true if it gets its own log entry. */
static bool denial_is_within_rate(AuditLog *journal, uid_t uid)
{
	Denials *denials = RB_FIND(DenialsTree, &journal->by_uid, &(Denials){ .uid = uid });

	if (!denials) {
		denials = calloc(1, sizeof(*denials));
		if (!denials)
			return true;
		denials->uid = uid;
		RB_INSERT(DenialsTree, &journal->by_uid, denials);
		if (!event_pending(&journal->second_event, EV_TIMEOUT, NULL))
			event_add(&journal->second_event, &one_second);
	}
	return ++denials->count <= LIMIT_DENY_RECORDS_PER_SECOND;
}

typedef struct Executable {
	char path[EXECUTABLE_SIZE];
} Executable;

/*
 * Finds the executable's path, and replaces characters that would break the log line. Only a denial
 * asks for it each time.
 */
static Executable find_executable(ProcessTable *processes, const Caller *caller, bool denied)
{
	HostProcess *process = process_table_find(processes, caller->process);
	const char *path = process ? host_process_executable(process, denied) : "";
	Executable executable;

	snprintf(executable.path, sizeof(executable.path), "%s", *path ? path : "?");
	for (char *c = executable.path; *c != '\0'; c++)
		if (*c <= ' ' || *c == 0x7f)
			*c = '?';
	return executable;
}

void audit_log_decision(AuditLog *journal, const AuditRecord *decision)
{
	const Caller *caller = decision->caller;
	bool denied = decision->status != STATUS_SUCCESS;
	char text[GUID_TEXT_LENGTH + 1];
	const char *guid = NULL;
	char object[HANDLE_TEXT_LENGTH + 1] = "", display[HANDLE_TEXT_LENGTH + 1] = "";
	LogEntry entry;

	if (denied && !denial_is_within_rate(journal, caller->account))
		return;
	if (decision->virtual_machine)
		guid = guid_format(decision->virtual_machine, text);
	if (decision->object)
		handle_format(decision->object, object);
	if (decision->display)
		handle_format(decision->display, display);
	Executable executable = find_executable(journal->processes, caller, denied);
	audit_entry_init_decision(&entry, decision, executable.path);
	log_entry_send(&entry,
		       "%s %s vm=%s%s%s%s%s%s%s%s pid=%d uid=%u gid=%u exe=%s status=%s%s%s",
		       denied ? "denied" : "allowed", decision->method, guid ? guid : "-",
		       decision->object ? " object=" : "", object,
		       decision->display ? " display=" : "", display,
		       decision->rights ? " rights=" : "", rights_names_text(decision->rights).text,
		       audit_entry_details(decision->details).text, (int)caller->pid,
		       caller->credentials.uid, caller->credentials.gid, executable.path,
		       status_name(decision->status), decision->reason ? " reason=" : "",
		       decision->reason ? decision->reason : "");
}

static bool end_was_requested(EndReason reason)
{
	return reason == END_REQUESTED || reason == END_REVOKED || reason == END_DAEMON_STOPPED;
}

/* Words the uid, which is not known of the VMM of a found VM. */
static const char *uid_text(uid_t uid, char text[static 16])
{
	snprintf(text, 16, "%u", uid);
	return uid == UID_UNKNOWN ? "?" : text;
}

/* Logs the unrequested end of a registration or a VM. */
static void log_end(const Event *event)
{
	char guid[GUID_TEXT_LENGTH + 1], uid[16];
	LogEntry entry;

	guid_format(event->virtual_machine, guid);
	audit_entry_init_end(&entry, event);
	log_entry_send(&entry, "%s vm=%s pid=%d uid=%s reason=%s", event_kind_name(event->kind),
		       guid, (int)event->pid, uid_text(event->uid, uid),
		       end_reason_name(event->reason));
}

/* Logs that a VM has another VMM, or has lost its incoming VMM. */
static void log_hand_over(const Event *event)
{
	pid_t former = event->former_vmm ? event->former_vmm->pid : 0;
	char guid[GUID_TEXT_LENGTH + 1];
	LogEntry entry;

	guid_format(event->virtual_machine, guid);
	audit_entry_init_hand_over(&entry, event);
	log_entry_send(&entry, "%s vm=%s pid=%d uid=%u formerPid=%d reason=%s",
		       event_kind_name(event->kind), guid, (int)event->pid, event->uid, (int)former,
		       hand_over_name(event->hand_over));
}

static void log_adapter_removed(const Event *event)
{
	const Adapter *adapter = container_of(event->entity, Adapter, entity);
	LogEntry entry;

	audit_entry_init_adapter(&entry, event);
	log_entry_send(&entry, "%s adapter=%s reason=%s", event_kind_name(event->kind),
		       adapter->name, end_reason_name(event->reason));
}

/* Logs the end of a display channel, also if it was requested: perhaps only its owner's end was. */
static void log_display_closed(const Event *event)
{
	const DisplayChannel *channel = container_of(event->entity, DisplayChannel, entity);
	char guid[GUID_TEXT_LENGTH + 1], display[HANDLE_TEXT_LENGTH + 1];
	LogEntry entry;

	guid_format(event->virtual_machine, guid);
	handle_format(event->handle, display);
	audit_entry_init_display(&entry, event);
	log_entry_send(&entry, "%s vm=%s display=%s rights=%s pid=%d uid=%u reason=%s",
		       event_kind_name(event->kind), guid, display,
		       rights_names_text(channel->rights).text, (int)event->pid, event->uid,
		       end_reason_name(event->reason));
}

void audit_log_event(const Event *event)
{
	if (event->hand_over == HAND_OVER_COMPLETED || event->hand_over == HAND_OVER_ABANDONED)
		log_hand_over(event);
	if (event->kind == EVENT_DISPLAY_CLOSED && event->reason != END_DAEMON_STOPPED)
		log_display_closed(event);
	if (end_was_requested(event->reason))
		return;
	if (event->kind == EVENT_UNREGISTERED || event->kind == EVENT_VIRTUAL_MACHINE_REMOVED)
		log_end(event);
	else if (event->kind == EVENT_ADAPTER_REMOVED)
		log_adapter_removed(event);
}
