/* SPDX-License-Identifier: MIT */
#include "daemon/host/log/audit-entry.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "daemon/api/names.h"
#include "daemon/core/adapter.h"
#include "daemon/core/display-channel.h"
#include "daemon/core/process.h"
#include "proto/status.h"

/* ---- Texts ---- */

/* The text of VAIL_ABOUT. */
typedef struct About {
	char text[2 * GUID_TEXT_LENGTH + 2 * HANDLE_TEXT_LENGTH];
} About;

static About about_subject(const char *guid, const char *object)
{
	About about;

	if (guid && *object)
		snprintf(about.text, sizeof(about.text),
			 "The call concerned shared object %s of virtual machine %s.", object,
			 guid);
	else if (guid)
		snprintf(about.text, sizeof(about.text), "The call concerned virtual machine %s.",
			 guid);
	else if (*object)
		snprintf(about.text, sizeof(about.text), "The call concerned shared object %s.",
			 object);
	else
		snprintf(about.text, sizeof(about.text),
			 "The call concerned no virtual machine that runs.");
	return about;
}

/* Advice for readers of the journal, in addition to the message of the refusal. */
static const struct {
	const char *reason;
	const char *advice;
} advice_on_denials[] = {
	{ "notOperator",
	  "Operators are root and the members of the group that operatorGroup names in "
	  "vaild.json(5), by default vaild. Its other keys give some rights to other groups." },
	{ "notRegistrar",
	  "`vailctl list` shows the virtual machines and who brought them in to operators." },
	{ "notRegistered", "`vailctl registrations` shows an operator who is registered." },
	{ "lacksRight",
	  "`vailctl describe` shows the rights of each display client. `vailctl vm update` grants "
	  "more, for example with --user alice:view,input, or with --client-pid PID:view,input for "
	  "a process with more privileges than its user has after a login." },
	{ "notServed", "`vailctl displays` shows an operator the display channels." },
	{ "quarantined",
	  "`vailctl vm quarantines` shows an operator the quarantines and their reasons." },
	{ "virtualMachine", "`vailctl list` shows an operator the virtual machines that run." },
	{ "quota", "`vailctl limits` shows the use of each limit." },
	{ "noDisplayClient",
	  "`vailctl vm update` names a display client: a user with --user, or with --client-pid a "
	  "process that has more privileges. A drop-in names it for each start of "
	  "the virtual machine, see vaild-machines(5)." },
	{ "unreadable",
	  "The entries just before this one may say why the privileges could not be read." },
};

static bool is_difference(const char *reason)
{
	for (Difference difference = 0; difference < DIFFERENCE_MAX; difference++) {
		const char *name = difference_name(difference);

		if (name && difference != DIFFERENCE_UNREADABLE && strcmp(name, reason) == 0)
			return true;
	}
	return false;
}

static const char *advice_on_denial(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(advice_on_denials); i++)
		if (strcmp(advice_on_denials[i].reason, reason) == 0)
			return advice_on_denials[i].advice;
	if (is_difference(reason))
		return "`vailctl describe` shows the display clients of a virtual machine. A "
		       "process needs exactly the user, groups and capabilities of one of them; "
		       "root is no exception.";
	return "io.vaild(7) explains each status.";
}

/* The reason of an end as a sentence, and advice. */
static const struct {
	const char *explanation;
	const char *advice;
} ends[] = {
	[END_REQUESTED] = { "The owner has ended it.", "No action is required." },
	[END_REVOKED] = { "An operator, or the user who added the virtual machine, has "
			  "revoked it.",
			  "The process can register again, unless its display client was "
			  "removed." },
	[END_PROCESS_EXITED] = { "The process has exited.", "No action is required." },
	[END_VMM_EXITED] = { "The process that runs the virtual machine has exited.",
			     "If it exited unexpectedly, look for the cause in its own log." },
	[END_VM_UNREGISTERED] = { "An operator, or the user who added the virtual machine, "
				  "has removed it.",
				  "No action is required." },
	[END_VM_DISPLACED] = { "An operator has added another virtual machine with this GUID.",
			       "Processes can register for the new virtual machine." },
	[END_LAST_VIRTUAL_GPU_REMOVED] = { "The virtual machine has lost its last virtual GPU.",
					   "Assign one with `vailctl vgpu assign`; processes can "
					   "register again then." },
	[END_QUARANTINED] = { "An operator has put the virtual machine in quarantine.",
			      "An operator can lift it with `vailctl vm release`." },
	[END_PRIVILEGES_CHANGED] = { "The process no longer has the privileges of a display client "
				     "of the virtual machine.",
				     "`vailctl describe` shows the display clients. A process "
				     "needs "
				     "exactly the privileges of one of them." },
	[END_ADAPTER_REMOVED] = { "The adapter was removed.",
				  "Assign a virtual GPU of another adapter." },
	[END_DRIVER_GONE] = { "The connection of the driver has closed, or the driver did not "
			      "register the adapter again after a restart of vaild.",
			      "If the driver crashed, look for the cause in its own log." },
	[END_SHARER_EXITED] = { "The process that shared it has exited.",
				"No action is required." },
	[END_AGENT_GONE] = { "The agent no longer serves the virtual machine's display.",
			     "If it crashed, look for the cause in its own log, such as "
			     "vail-qemu's." },
	[END_RIGHTS_WITHDRAWN] = { "The display client has lost a right that the channel had.",
				   "The process can open another channel with the rights that are "
				   "left." },
	[END_OVER_BUDGET] = { "Its memory has grown beyond a limit.",
			      "`vailctl limits` shows the use of each limit." },
	[END_FUNCTION_CLOSED] = { "No process that runs the virtual machine has the function of "
				  "the GPU open any more.",
				  "No action is required." },
	[END_DAEMON_STOPPED] = { "vaild was stopped.", "No action is required." },
};

_Static_assert(ARRAY_SIZE(ends) == END_MAX, "each reason has an explanation");

/* ---- Fields ---- */

/* Adds the fields of a display channel, which may be NULL, and of its rights, which may be 0. */
static void add_display(LogEntry *entry, const Handle *display, unsigned int rights)
{
	char handle[HANDLE_TEXT_LENGTH + 1];

	if (display)
		log_entry_add(entry, "VAIL_DISPLAY=%s", handle_format(display, handle));
	if (rights != 0)
		log_entry_add(entry, "VAIL_RIGHTS=%s", rights_names_text(rights).text);
}

/*
 * Replaces control characters by '?' in a text that a client may have influenced, because
 * journalctl prints catalog texts as they are.
 */
static void replace_controls(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++)
		if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
			*c = '?';
}

_Static_assert(sizeof(((Failure *)NULL)->message) <= AUDIT_DETAIL_SIZE, "add_safe() cuts none");

/* Adds the field with a text that a client may have influenced. */
static void add_safe(LogEntry *entry, const char *name, const char *text)
{
	char safe[AUDIT_DETAIL_SIZE];

	snprintf(safe, sizeof(safe), "%s", text);
	replace_controls(safe);
	log_entry_add(entry, "%s=%s", name, safe);
}

/* Converts the name of a detail into that of its field: "revokedPid" into "VAIL_REVOKED_PID". */
static void format_field_name(const char *name, char field[static 64])
{
	size_t length = strlen(strcpy(field, "VAIL_"));

	for (; *name != '\0' && length + 3 < 64; name++) {
		if (isupper((unsigned char)*name))
			field[length++] = '_';
		field[length++] = (char)toupper((unsigned char)*name);
	}
	field[length] = '\0';
}

static void add_details(LogEntry *entry, const AuditDetails *details)
{
	char field[64];

	for (size_t i = 0; details && i < details->count; i++) {
		format_field_name(details->items[i].name, field);
		add_safe(entry, field, details->items[i].text);
	}
}

/* Adds the fields of a process and its VM. guid may be NULL. */
static void add_subject(LogEntry *entry, const char *guid, pid_t pid, uid_t uid)
{
	if (guid)
		log_entry_add(entry, "VAIL_VM=%s", guid);
	log_entry_add(entry, "VAIL_PID=%d", (int)pid);
	if (uid != UID_UNKNOWN)
		log_entry_add(entry, "VAIL_UID=%u", uid);
}

/* Adds why a request was denied. */
static void add_denial(LogEntry *entry, const AuditRecord *decision)
{
	const char *reason = decision->reason ? decision->reason : "unknown";

	log_entry_add(entry, "VAIL_REASON=%s", reason);
	add_safe(entry, "VAIL_EXPLANATION", decision->message ? decision->message : reason);
	log_entry_add(entry, "VAIL_ADVICE=%s", advice_on_denial(reason));
}

/* Adds the command that withdraws the permission. */
static void add_advice_on_grant(LogEntry *entry, const AuditRecord *decision, const char *guid)
{
	if (guid && strcmp(decision->method, "io.vaild.RegisterVailProcess") == 0)
		log_entry_add(entry,
			      "VAIL_ADVICE=To revoke the registration, run: vailctl revoke %s %d",
			      guid, (int)decision->caller->pid);
	else
		log_entry_add(entry, "VAIL_ADVICE=No action is required: the entry documents who "
				     "was granted what.");
}

void audit_entry_init_decision(LogEntry *entry, const AuditRecord *decision, const char *executable)
{
	const Caller *caller = decision->caller;
	bool denied = decision->status != STATUS_SUCCESS;
	char text[GUID_TEXT_LENGTH + 1], object[HANDLE_TEXT_LENGTH + 1] = "";
	const char *guid = NULL;

	if (decision->virtual_machine)
		guid = guid_format(decision->virtual_machine, text);
	if (decision->object)
		handle_format(decision->object, object);
	log_entry_init(entry, denied ? LOG_NOTICE : LOG_INFO,
		       denied ? MESSAGE_DENIED : MESSAGE_ALLOWED);
	add_subject(entry, guid, caller->pid, caller->credentials.uid);
	if (decision->object)
		log_entry_add(entry, "VAIL_OBJECT=%s", object);
	add_display(entry, decision->display, decision->rights);
	add_details(entry, decision->details);
	log_entry_add(entry, "VAIL_ABOUT=%s", about_subject(guid, object).text);
	log_entry_add(entry, "VAIL_GID=%u", caller->credentials.gid);
	log_entry_add(entry, "VAIL_EXE=%s", executable);
	log_entry_add(entry, "VAIL_METHOD=%s", decision->method);
	log_entry_add(entry, "VAIL_STATUS=%s", status_name(decision->status));
	if (!denied && decision->reason) /* a step of a hand-over */
		log_entry_add(entry, "VAIL_REASON=%s", decision->reason);
	if (denied)
		add_denial(entry, decision);
	else
		add_advice_on_grant(entry, decision, guid);
}

/*
 * Tests whether a text can stand in a line as it is. Quotes keep texts of a client from looking
 * like other members of the line, also those with spaces that are not of ASCII.
 */
static bool is_one_word(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	while (*c != '\0' && *c < 0x80 && *c != ' ' && *c != '=')
		c++;
	return *text != '\0' && *c == '\0';
}

AuditDetailsText audit_entry_details(const AuditDetails *details)
{
	AuditDetailsText line = { 0 };
	size_t length = 0;

	for (size_t i = 0; details && i < details->count; i++) {
		char text[AUDIT_DETAIL_SIZE];

		snprintf(text, sizeof(text), "%s", details->items[i].text);
		replace_controls(text);
		for (char *c = text; *c != '\0'; c++)
			if (*c == '"')
				*c = '\'';
		const char *quote = is_one_word(text) ? "" : "\"";
		length +=
			(size_t)snprintf(line.text + length, sizeof(line.text) - length,
					 " %s=%s%s%s", details->items[i].name, quote, text, quote);
	}
	return line;
}

static void add_end(LogEntry *entry, EndReason reason)
{
	log_entry_add(entry, "VAIL_REASON=%s", end_reason_name(reason));
	log_entry_add(entry, "VAIL_EXPLANATION=%s", ends[reason].explanation);
	log_entry_add(entry, "VAIL_ADVICE=%s", ends[reason].advice);
}

void audit_entry_init_end(LogEntry *entry, const Event *event)
{
	char guid[GUID_TEXT_LENGTH + 1];

	log_entry_init(entry, LOG_INFO,
		       event->kind == EVENT_UNREGISTERED ? MESSAGE_REGISTRATION_ENDED
							 : MESSAGE_VM_ENDED);
	add_subject(entry, guid_format(event->virtual_machine, guid), event->pid, event->uid);
	add_end(entry, event->reason);
}

void audit_entry_init_hand_over(LogEntry *entry, const Event *event)
{
	pid_t former = event->former_vmm ? event->former_vmm->pid : 0;
	char guid[GUID_TEXT_LENGTH + 1];

	log_entry_init(entry, LOG_INFO,
		       event->hand_over == HAND_OVER_COMPLETED ? MESSAGE_VM_HANDED_OVER
							       : MESSAGE_HAND_OVER_ENDED);
	add_subject(entry, guid_format(event->virtual_machine, guid), event->pid, event->uid);
	log_entry_add(entry, "VAIL_FORMER_PID=%d", (int)former);
	log_entry_add(entry, "VAIL_REASON=%s", hand_over_name(event->hand_over));
}

void audit_entry_init_adapter(LogEntry *entry, const Event *event)
{
	const Adapter *adapter = container_of(event->entity, Adapter, entity);

	log_entry_init(entry, LOG_NOTICE, MESSAGE_ADAPTER_GONE);
	add_safe(entry, "VAIL_ADAPTER", adapter->name);
	add_end(entry, event->reason);
}

void audit_entry_init_display(LogEntry *entry, const Event *event)
{
	const DisplayChannel *channel = container_of(event->entity, DisplayChannel, entity);
	char guid[GUID_TEXT_LENGTH + 1];

	log_entry_init(entry, LOG_INFO, MESSAGE_DISPLAY_CLOSED);
	add_subject(entry, guid_format(event->virtual_machine, guid), event->pid, event->uid);
	add_display(entry, event->handle, channel->rights);
	add_end(entry, event->reason);
}
