/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "limit.h"
#include "log.h"
#include "status.h"

/* What one uid was denied in this second. */
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

static void journal_end_second(Journal *journal)
{
	Denials *denials, *next;

	RB_FOREACH_SAFE (denials, DenialsTree, &journal->by_uid, next) {
		if (denials->count > LIMIT_DENY_RECORDS_PER_SECOND)
			log_notice("denied %u further requests of uid=%u within a second",
				   denials->count - LIMIT_DENY_RECORDS_PER_SECOND, denials->uid);
		RB_REMOVE(DenialsTree, &journal->by_uid, denials);
		free(denials);
	}
}

static void on_second(evutil_socket_t descriptor, short what, void *context)
{
	(void)descriptor;
	(void)what;
	journal_end_second(context);
}

void journal_init(Journal *journal, struct event_base *base, const Roots *roots)
{
	*journal = (Journal){ .roots = *roots };
	RB_INIT(&journal->by_uid);
	event_assign(&journal->second_event, base, -1, 0, on_second, journal);
}

void journal_deinit(Journal *journal)
{
	event_del(&journal->second_event);
	journal_end_second(journal);
}

/* Whether a deny of the uid is to be a line of its own. */
static bool journal_admits(Journal *journal, uid_t uid)
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
	char path[256];
} Executable;

/* For people: a link's text proves nothing, and it may name whoever has the pid by now. What would
 * break the line is left out. */
static Executable read_executable(const Roots *roots, pid_t pid)
{
	Executable executable = { "?" };
	char link[256];

	snprintf(link, sizeof(link), "%s/%d/exe", roots->proc, (int)pid);
	ssize_t length = readlink(link, executable.path, sizeof(executable.path) - 1);
	if (length > 0)
		executable.path[length] = '\0';
	for (char *c = executable.path; *c != '\0'; c++)
		if (*c <= ' ' || *c == 0x7f)
			*c = '?';
	return executable;
}

void journal_record(Journal *journal, const Record *record)
{
	const Caller *caller = record->caller;
	bool denied = record->status != STATUS_SUCCESS;
	char guid[GUID_TEXT_LENGTH + 1] = "-";

	if (denied && !journal_admits(journal, caller->account))
		return;
	if (record->virtual_machine)
		guid_format(record->virtual_machine, guid);
	Executable executable = read_executable(&journal->roots, caller->pid);
	(denied ? log_notice
		: log_info)("%s %s vm=%s pid=%d uid=%u gid=%u exe=%s status=%s%s%s",
			    denied ? "denied" : "allowed", record->method, guid, (int)caller->pid,
			    caller->credentials.uid, caller->credentials.gid, executable.path,
			    status_name(record->status), record->reason ? " reason=" : "",
			    record->reason ? record->reason : "");
}

static bool somebody_asked(EndReason reason)
{
	return reason == END_REQUESTED || reason == END_REVOKED || reason == END_DAEMON_STOPPED;
}

void journal_event(Journal *journal, const Event *event)
{
	char guid[GUID_TEXT_LENGTH + 1];

	(void)journal;
	if (somebody_asked(event->reason))
		return;
	if (event->kind != EVENT_UNREGISTERED && event->kind != EVENT_VIRTUAL_MACHINE_REMOVED)
		return;
	log_info("%s vm=%s pid=%d uid=%u reason=%s", event_kind_name(event->kind),
		 guid_format(event->virtual_machine, guid), (int)event->pid, event->uid,
		 end_reason_name(event->reason));
}
