/* SPDX-License-Identifier: MIT */
/*
 * Checks what `journalctl -x` shows: the message catalog with the fields of each entry that the
 * daemon can write. No name of a field remains, and the explanation fits the reason.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/names.h"
#include "daemon/api/policy.h"
#include "daemon/core/adapter.h"
#include "daemon/core/display-channel.h"
#include "daemon/host/log/audit-entry.h"

#define CATALOG "systemd/vaild.catalog"

static char catalog[32 << 10];

static void read_catalog(void)
{
	FILE *file = fopen(CATALOG, "re");

	cr_assert_not_null(file);
	cr_assert_gt(fread(catalog, 1, sizeof(catalog) - 1, file), 0u);
	cr_assert(feof(file));
	fclose(file);
}

TestSuite(catalog, .init = read_catalog);

/* Returns the value of the entry's field, or NULL. */
static const char *field_of(const LogEntry *entry, const char *name, size_t length)
{
	for (size_t i = 0; i < entry->count; i++) {
		const char *field = entry->fields[i].iov_base;

		if (strncmp(field, name, length) == 0 && field[length] == '=')
			return field + length + 1;
	}
	return NULL;
}

#define SHOWN_SIZE 4096

/* Writes the section of the entry's id, with the entry's fields, as journalctl does. */
static void show(const LogEntry *entry, char shown[SHOWN_SIZE])
{
	char heading[64];
	size_t size = 0;

	snprintf(heading, sizeof(heading), "-- %s\n", field_of(entry, "MESSAGE_ID", 10));
	const char *at = strstr(catalog, heading);
	cr_assert_not_null(at, "%s has no section", heading);
	at += strlen(heading);
	const char *end = strstr(at, "\n-- ");
	if (!end)
		end = at + strlen(at);
	while (at < end) {
		const char *next = *at == '@' ? strchr(at + 1, '@') : NULL;
		const char *value = next ? field_of(entry, at + 1, (size_t)(next - at - 1)) : NULL;

		cr_assert_lt(size, (size_t)SHOWN_SIZE - 1);
		if (!value) {
			cr_assert_neq(*at, '@', "the entry has no field %.30s", at);
			shown[size++] = *at++;
			continue;
		}
		size += (size_t)snprintf(shown + size, SHOWN_SIZE - size, "%s", value);
		at = next + 1;
	}
	shown[size] = '\0';
}

static const Guid guid = { { 0xaf, 1 } };
static const Handle handle = { { 0xbe, 1 } };
static const Caller caller = { .pid = 17, .credentials = { .uid = 1000, .gid = 1000 } };

static bool says(const char *shown, const char *text)
{
	return strstr(shown, text) != NULL;
}

/* Shows a decision in each form: with and without a VM and an object. */
static void check_decision(AuditRecord decision, bool is_about_privileges)
{
	char shown[SHOWN_SIZE];
	LogEntry entry;

	decision.caller = &caller;
	for (int form = 0; form < 4; form++) {
		decision.virtual_machine = form & 1 ? &guid : NULL;
		decision.object = form & 2 ? &handle : NULL;
		audit_entry_init_decision(&entry, &decision, "/usr/bin/program");
		show(&entry, shown);
		cr_assert_eq(says(shown, "af010000-"), (form & 1) != 0, "%s", shown);
		cr_assert_eq(says(shown, "be010000"), (form & 2) != 0, "%s", shown);
		cr_assert(!decision.message || says(shown, decision.message), "%s", shown);
		cr_assert_eq(says(shown, "display client"), is_about_privileges, "%s: %s",
			     decision.reason, shown);
	}
}

static void check_denial(const Failure *failure, bool is_about_privileges)
{
	cr_assert_neq(failure->status, STATUS_SUCCESS);
	cr_assert_not_null(failure->reason);
	check_decision((AuditRecord){ .method = "io.vaild.OpenSharedObject",
				      .status = failure->status,
				      .reason = failure->reason,
				      .message = failure->message },
		       is_about_privileges);
}

static const PolicyGroups groups = { "vaild", "vaild-observers", "wardens" };

Test(catalog, denials_by_each_rule)
{
	for (Rule rule = 0; rule <= RULE_MAX; rule++) {
		const PolicyFacts facts = { .names_machine = true,
					    .difference = DIFFERENCE_UNREADABLE };
		Failure failure = FAILURE_INIT;

		if (policy_check(rule, &facts, &groups, &failure) != STATUS_SUCCESS)
			check_denial(&failure, false);
	}
}

Test(catalog, denials_for_each_difference)
{
	static const Rule rules[] = { RULE_DISPLAY_CLIENT, RULE_OBJECT_OPENER };

	for (Difference difference = DIFFERENCE_NONE + 1; difference < DIFFERENCE_MAX; difference++)
		for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
			const PolicyFacts facts = { .is_registered = i == 1,
						    .difference = difference };
			Failure failure = FAILURE_INIT;

			if (policy_check(rules[i], &facts, &groups, &failure) == STATUS_SUCCESS)
				continue; /* the record of the registration decides */
			check_denial(&failure, difference != DIFFERENCE_UNREADABLE);
		}
}

Test(catalog, denials_in_quarantine)
{
	static const Rule rules[] = { RULE_DISPLAY_CLIENT, RULE_OBJECT_OPENER };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		Failure failure = FAILURE_INIT;

		policy_check(rules[i], &(PolicyFacts){ .is_quarantined = true }, &groups, &failure);
		cr_assert_str_eq(failure.reason, "quarantined");
		check_denial(&failure, false);
	}
}

/* Refused registrations and opens have entries whatever their status is. */
Test(catalog, other_refusals)
{
	static const char *const reasons[] = {
		"virtualMachine", "graphicsContext", "quota",        "store",      "memory",
		"exhausted",      "parameter",       "handle",       "gone",       "foreign",
		"watch",          "replySize",       "registration", "objectType", "unheard of",
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		Failure failure;

		failure_set(&failure, STATUS_INVALID_PARAMETER, reasons[i], "%s", "it is so");
		check_denial(&failure, false);
	}
	check_decision((AuditRecord){ .method = "a.B", .status = STATUS_NO_MEMORY }, false);
}

Test(catalog, control_characters_of_clients_are_not_shown)
{
	char shown[SHOWN_SIZE];
	LogEntry entry;
	const AuditRecord decision = { .caller = &caller,
				       .method = "io.vaild.RegisterVailProcess",
				       .status = STATUS_INVALID_PARAMETER,
				       .reason = "parameter",
				       .message = "a\x1b[2Jb\nc\x7f"
						  "d\xc2\x9b"
						  "e \xc3\xa9" };

	audit_entry_init_decision(&entry, &decision, "?");
	show(&entry, shown);
	cr_assert(says(shown, "a?[2Jb?c?d?"), "%s", shown);
	cr_assert(says(shown, "e \xc3\xa9"));
	cr_assert_not(says(shown, "\xc2\x9b"));
}

Test(catalog, grants)
{
	static const char *const methods[] = { "io.vaild.RegisterVailProcess",
					       "io.vaild.Gpu.CreateContext" };

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		check_decision((AuditRecord){ .method = methods[i] }, false);
}

Test(catalog, longest_texts_leave_no_field_out)
{
	char executable[300], message[240], shown[SHOWN_SIZE];
	AuditDetails details = { .count = AUDIT_DETAILS_MAX };
	LogEntry entry;

	for (size_t i = 0; i < details.count; i++) {
		details.items[i].name = "quarantineReason";
		memset(details.items[i].text, 'd', AUDIT_DETAIL_SIZE);
		details.items[i].text[AUDIT_DETAIL_SIZE - 1] = '\0';
	}

	memset(executable, 'e', sizeof(executable));
	memset(message, 'm', sizeof(message));
	executable[255] = message[239] = '\0';
	audit_entry_init_decision(&entry,
				  &(AuditRecord){ .caller = &caller,
						  .method = "io.vaild.Machine.Register",
						  .virtual_machine = &guid,
						  .object = &handle,
						  .display = &handle,
						  .rights = DISPLAY_RIGHTS_ALL,
						  .details = &details,
						  .status = STATUS_ACCESS_DENIED,
						  .reason = "capabilities",
						  .message = message },
				  executable);
	show(&entry, shown);
	cr_assert_leq(entry.count, LOG_ENTRY_FIELDS_MAX - 1u, "no room for MESSAGE");
	cr_assert_leq(entry.used + LOG_ENTRY_MESSAGE_SIZE + sizeof("MESSAGE="), sizeof(entry.text));
	cr_assert_lt(strlen(audit_entry_details(&details).text) + 512,
		     (size_t)LOG_ENTRY_MESSAGE_SIZE);
}

/* The details have fields of their own, and stay apart from the rest of the line. */
Test(catalog, details_are_escaped)
{
	AuditDetails details = { .count = 4,
				 .items = { { "quarantined", "true" },
					    { "quarantineReason", "a\nb\" status=\x1b[2J" },
					    { "revokedPid", "" },
					    { "machineName", "a\xe2\x80\x83pid" } } };
	const AuditRecord decision = { .caller = &caller,
				       .method = "io.vaild.Machine.SetQuarantine",
				       .details = &details };
	LogEntry entry;

	cr_assert_str_eq(audit_entry_details(&details).text,
			 " quarantined=true quarantineReason=\"a?b' status=?[2J\" revokedPid=\"\""
			 " machineName=\"a\xe2\x80\x83pid\"");
	cr_assert_str_empty(audit_entry_details(NULL).text);
	audit_entry_init_decision(&entry, &decision, "?");
	cr_assert_eq(strncmp(field_of(&entry, "VAIL_QUARANTINED", 16), "true", 5), 0);
	cr_assert_eq(
		strncmp(field_of(&entry, "VAIL_QUARANTINE_REASON", 22), "a?b\" status=?[2J", 18),
		0);
	cr_assert_not_null(field_of(&entry, "VAIL_REVOKED_PID", 16));
}

Test(catalog, each_end)
{
	static const EventKind kinds[] = { EVENT_UNREGISTERED, EVENT_VIRTUAL_MACHINE_REMOVED };
	Adapter adapter = { .name = (char[]){ "card 1" } };
	const DisplayChannel channel = { .rights = DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW) |
						   DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_INPUT) };
	char shown[SHOWN_SIZE];
	LogEntry entry;

	for (EndReason reason = 0; reason < END_MAX; reason++) {
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			audit_entry_init_end(&entry, &(Event){ .kind = kinds[i],
							       .virtual_machine = &guid,
							       .pid = 17,
							       .uid = 1000,
							       .reason = reason });
			show(&entry, shown);
			cr_assert(says(shown, end_reason_name(reason)), "%s", shown);
			cr_assert_eq(says(shown, "display clients"),
				     reason == END_PRIVILEGES_CHANGED, "%s", shown);
			cr_assert_eq(says(shown, "in its own log"),
				     reason == END_VMM_EXITED || reason == END_DRIVER_GONE ||
					     reason == END_AGENT_GONE,
				     "%s", shown);
		}
		audit_entry_init_adapter(&entry, &(Event){ .kind = EVENT_ADAPTER_REMOVED,
							   .entity = &adapter.entity,
							   .reason = reason });
		show(&entry, shown);
		cr_assert(says(shown, "card 1"));
		audit_entry_init_display(&entry, &(Event){ .kind = EVENT_DISPLAY_CLOSED,
							   .virtual_machine = &guid,
							   .handle = &handle,
							   .entity = &channel.entity,
							   .pid = 17,
							   .uid = 1000,
							   .reason = reason });
		show(&entry, shown);
		cr_assert(says(shown, "the rights view,input."), "%s", shown);
		cr_assert(says(shown, end_reason_name(reason)), "%s", shown);
	}
}

/* The other entries and the fields that each of them has. */
Test(catalog, entries_about_the_daemon)
{
	static const struct {
		const char *id;
		const char *fields[2];
	} rows[] = {
		{ MESSAGE_STARTED, { "VAIL_VERSION=1", "VAIL_SOCKET=/s" } },
		{ MESSAGE_STOPPING, { "VAIL_VERSION=1", "VAIL_SOCKET=/s" } },
		{ MESSAGE_DENIALS_SUMMARISED, { "VAIL_UID=1", "VAIL_DENIED=2" } },
		{ MESSAGE_RELOADED, { NULL } },
		{ MESSAGE_RELOAD_REFUSED, { "VAIL_REASON=it is so" } },
	};
	char shown[SHOWN_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		LogEntry entry;

		log_entry_init(&entry, 6, rows[i].id);
		for (size_t k = 0; k < 2 && rows[i].fields[k]; k++)
			log_entry_add(&entry, "%s", rows[i].fields[k]);
		show(&entry, shown);
	}
}
