/* SPDX-License-Identifier: MIT */
#include "daemon/api/audit-details.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/api/names.h"

/* Stands for the rest of a list that is too long. */
#define MORE "; ..."

/* Adds a detail. Returns its text, to be filled in. */
static char *add(AuditDetails *details, const char *name)
{
	AuditDetail *detail = &details->items[details->count++];

	detail->name = name;
	detail->text[0] = '\0';
	return detail->text;
}

static void add_text(AuditDetails *details, const char *name, const char *text)
{
	if (text)
		snprintf(add(details, name), AUDIT_DETAIL_SIZE, "%s", text);
}

static void add_integer(AuditDetails *details, const char *name, const OptionalInteger *integer)
{
	if (integer->present)
		snprintf(add(details, name), AUDIT_DETAIL_SIZE, "%" PRIu64, integer->value);
}

/* Adds a handle in its usual form. Whatever is no handle can name nothing, and is left out. */
static void add_handle(AuditDetails *details, const char *name, const char *text)
{
	Handle handle;

	if (text && handle_parse(text, &handle))
		handle_format(&handle, add(details, name));
}

/*
 * Appends a display client or an agent, such as "user alice:view,input" or "process 17". Returns
 * false if it does not fit.
 */
static bool append_party(char text[static AUDIT_DETAIL_SIZE], const PartyParams *party)
{
	const DisplayRightsText rights = rights_names_text((unsigned int)party->rights.value);
	size_t length = strlen(text), room = AUDIT_DETAIL_SIZE - strlen(MORE) - length;
	const char *before = length > 0 ? "; " : "", *colon = *rights.text ? ":" : "";
	int written;

	if (party->pid.present)
		written = snprintf(text + length, room, "%sprocess %" PRIu64 "%s%s", before,
				   party->pid.value, colon, rights.text);
	else
		written = snprintf(text + length, room, "%suser %s%s%s", before,
				   party->user ? party->user : "", colon, rights.text);
	if (written >= 0 && (size_t)written < room)
		return true;
	strcpy(text + length, MORE);
	return false;
}

static void add_display_clients(AuditDetails *details, const DisplayClientsParams *clients)
{
	if (clients->array.count == 0) /* the same as none in the request */
		return;
	char *text = add(details, "displayClients");
	for (size_t i = 0; i < clients->array.count; i++)
		if (!append_party(text, &clients->items[i]))
			return;
}

static void add_machine_settings(AuditDetails *details, const MachineSettingsParams *settings)
{
	add_text(details, "machineName", settings->name);
	add_integer(details, "vmmPid", &settings->vmm_pid);
	add_display_clients(details, &settings->display_clients);
	if (settings->agent.present)
		append_party(add(details, "agent"), &settings->agent);
	if (settings->guest_state.present)
		add_text(details, "guestState",
			 guest_state_name(
				 (GuestState)(GUEST_STATE_RUNNING + settings->guest_state.value)));
}

static void add_quarantine(AuditDetails *details, const QuarantineParams *params)
{
	add_text(details, "quarantined", params->quarantined.value ? "true" : "false");
	add_text(details, "quarantineReason", params->reason);
}

static void add_assignment(AuditDetails *details, const AssignParams *params)
{
	add_handle(details, "adapterHandle", params->adapter);
	add_text(details, "profile", params->profile);
}

void audit_details_init(AuditDetails *details, const Request *request)
{
	const JsonTable *table = request->method->params;
	const Params *params = &request->params;

	details->count = 0;
	if (table == &params_quarantine)
		add_quarantine(details, &params->quarantine);
	else if (table == &params_revoke)
		add_integer(details, "revokedPid", &params->revoke.pid);
	else if (table == &params_register_machine || table == &params_update_machine)
		add_machine_settings(details, &params->machine_settings);
	else if (table == &params_assign)
		add_assignment(details, &params->assign);
	else if (table == &params_virtual_gpu)
		add_handle(details, "virtualGpu", params->handle);
	else if (table == &params_register_adapter)
		add_text(details, "adapter", params->register_adapter.name);
	else if (table == &params_unregister_adapter)
		add_handle(details, "adapterHandle", params->handle);
}
