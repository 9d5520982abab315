/* SPDX-License-Identifier: MIT */
/* Tests how events of a watch are put into words. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/vailctl/event-text.h"
#include "proto/macros.h"

/* A uid that no user of the machine has. */
#define NAMELESS 3999999999u

TestSuite(event_text);

#define HANDLE "6c929f34ddfa8c9f63c9960ef6e348a3"

static void expect_text(const VailEvent *event, const char *sentence, const char *first_detail)
{
	EventText text;

	event_text_init(&text, event, 12);
	cr_expect_str_eq(text.sentence, sentence);
	if (first_detail)
		cr_expect_str_eq(text.details[0], first_detail);
	else
		cr_expect_eq(text.detail_count, 0, "%s", sentence);
	event_text_deinit(&text);
}

Test(event_text, words)
{
	static const char *const names[][2] = {
		{ "name", "name" },
		{ "displayClients", "display clients" },
		{ "incomingVmmPid", "incoming VMM PID" },
		{ "virtualMachineGuid", "virtual machine GUID" },
		{ "", "" },
		{ "A", "a" },
		{ "it ended while Away", "it ended while Away" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *words = words_of(names[i][0]);

		cr_expect_str_eq(words, names[i][1]);
	}
}

Test(event_text, registrations)
{
	VailEvent event = { .kind = VAIL_EVENT_REGISTERED, .pid = 12, .uid = NAMELESS };

	expect_text(&event, "process 12 registered", ", user 3999999999");
	event.kind = VAIL_EVENT_UNREGISTERED;
	event.reason = "privilegesChanged";
	expect_text(&event, "process 12 unregistered: privileges changed", ", user 3999999999");
	event.reason = "someNewReason";
	event.pid = 0;
	expect_text(&event, "a process that is not visible here unregistered: some new reason",
		    ", user 3999999999");
	event.reason = "requested";
	event.pid = 5;
	expect_text(&event, "process 5 unregistered", ", user 3999999999");
}

Test(event_text, machines)
{
	static const char *const changed[] = { "displayClients", "agent" };
	VailEvent event = { .kind = VAIL_EVENT_VIRTUAL_MACHINE_CHANGED,
			    .changed = changed,
			    .changed_count = 2 };

	expect_text(&event, "display clients, agent changed", NULL);
	event.changed = (const char *const[]){ "displayServerPid" };
	event.changed_count = 1;
	expect_text(&event, "agent that serves the displays changed", NULL);
	event.changed_count = 0;
	expect_text(&event, "settings changed", NULL);
	event.kind = VAIL_EVENT_VIRTUAL_MACHINE_REMOVED;
	event.reason = "vmmExited";
	expect_text(&event, "VM removed: VMM exited", NULL);
	event.reason = "virtualMachineUnregistered";
	expect_text(&event, "VM removed", NULL);
	event.kind = VAIL_EVENT_QUARANTINED;
	event.reason = "revoked"; /* the operator's word, and no name of a reason */
	expect_text(&event, "VM quarantined: revoked", NULL);
	event.reason = NULL;
	expect_text(&event, "VM quarantined", NULL);
}

Test(event_text, objects)
{
	VailObjectInfo info = { .name = "a name of many columns", .width = 64, .height = 32 };
	VailSharedObject shared = { .handle = HANDLE, .object = &info };
	VailRectangle damage[4] = { { 1, 2, 3, 4 } };
	VailEvent event = { .kind = VAIL_EVENT_SHARED, .shared_object = &shared };

	expect_text(&event, "object \"a name of...\" shared", ", 64x32");
	event.kind = VAIL_EVENT_RELEASED;
	event.holder_pid = 7;
	event.reason = "processExited";
	expect_text(&event, "object \"a name of...\" released by process 7: exited", ", user root");
	info.name = NULL;
	event.kind = VAIL_EVENT_UNSHARED;
	event.reason = "sharerExited";
	expect_text(&event, "object " HANDLE " unshared: sharer exited", NULL);
	event.kind = VAIL_EVENT_UPDATED;
	expect_text(&event, "object " HANDLE " updated", NULL);
	event.damage = damage;
	event.damage_count = ARRAY_SIZE(damage);
	expect_text(&event, "object " HANDLE " updated", ": 3x4+1+2");
}

Test(event_text, displays)
{
	VailDisplay display = { .handle = HANDLE,
				.rights = VAIL_DISPLAY_VIEW | VAIL_DISPLAY_INPUT,
				.pid = 7 };
	VailEvent event = { .kind = VAIL_EVENT_DISPLAY_OPENED, .display = &display };

	expect_text(&event, "display opened by process 7", ": view");
	event.kind = VAIL_EVENT_DISPLAY_CLOSED;
	event.reason = "rightsWithdrawn";
	expect_text(&event, "display closed: right withdrawn", ", process 7");
	event.reason = "agentGone";
	expect_text(&event, "display closed: agent gone", ", process 7");
	event.reason = "requested";
	display.pid = 0;
	expect_text(&event, "display closed", ", a process that is not visible here");
}

Test(event_text, every_kind_has_words)
{
	for (int kind = VAIL_EVENT_UNKNOWN; kind < VAIL_EVENT_INTERRUPTED; kind++) {
		VailEvent event = { .kind = (VailEventKind)kind };
		EventText text;

		event_text_init(&text, &event, 12);
		cr_expect(text.sentence && *text.sentence);
		event_text_deinit(&text);
	}
}
