/* SPDX-License-Identifier: MIT */
#include "client/common/machine-search.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/terminal-text.h"
#include "proto/json.h"
#include "proto/macros.h"

/* Number of attempts to fetch a list whose connection is lost before it is complete. */
#define ATTEMPTS_MAX 5

void machine_search_init(MachineSearch *search, const char *text)
{
	*search = (MachineSearch){ .text = text };
}

void machine_search_deinit(MachineSearch *search)
{
	for (size_t i = 0; i < search->fit_count; i++)
		free(search->fits[i].name);
	free(search->fits);
	search->fits = NULL;
	search->fit_count = 0;
}

/* ---- Comparing ---- */

static bool is_place_of_dash(size_t place)
{
	return place == 8 || place == 13 || place == 18 || place == 23;
}

/*
 * Returns the beginning of a GUID without its brace. Returns NULL if no GUID begins with the text,
 * whatever its length.
 */
static const char *guid_beginning(const char *text)
{
	const char *digits = *text == '{' ? text + 1 : text;
	size_t length = strlen(digits);

	if (length > GUID_TEXT_LENGTH)
		return NULL;
	for (size_t i = 0; i < length; i++)
		if (is_place_of_dash(i) ? digits[i] != '-' : !isxdigit((unsigned char)digits[i]))
			return NULL;
	return digits;
}

static bool guid_begins_with(const char *guid, const char *text)
{
	const char *beginning = guid_beginning(text);
	size_t length = beginning ? strlen(beginning) : 0;

	return length >= GUID_BEGINNING_MIN && strncasecmp(guid, beginning, length) == 0;
}

bool machine_may_begin_guid(const char *text)
{
	const char *beginning = guid_beginning(text);
	size_t length = beginning ? strlen(beginning) : 0;

	return length >= GUID_BEGINNING_MIN && length < GUID_TEXT_LENGTH;
}

static bool has_fit(const MachineSearch *search, const char *guid)
{
	for (size_t i = 0; i < search->fit_count; i++)
		if (strcmp(search->fits[i].guid, guid) == 0)
			return true;
	return false;
}

static void add_fit(MachineSearch *search, const char *guid, const char *name)
{
	MachineFit *fits = reallocarray(search->fits, search->fit_count + 1, sizeof(*search->fits));
	char *copy = name ? strdup(name) : NULL;

	if (fits)
		search->fits = fits;
	if (!fits || (name && !copy)) {
		free(copy);
		search->failed = true;
		return;
	}
	MachineFit *fit = &search->fits[search->fit_count++];
	snprintf(fit->guid, sizeof(fit->guid), "%s", guid);
	fit->name = copy;
}

void machine_search_add(MachineSearch *search, const char *guid, const char *name)
{
	bool has_name = *search->text && name && strcmp(name, search->text) == 0;

	if ((has_name || guid_begins_with(guid, search->text)) && !has_fit(search, guid))
		add_fit(search, guid, name);
}

NTSTATUS machine_search_status(const MachineSearch *search)
{
	if (*search->text == '\0')
		return STATUS_INVALID_PARAMETER;
	if (search->failed)
		return STATUS_NO_MEMORY;
	if (search->fit_count > 1)
		return STATUS_OBJECT_NAME_COLLISION;
	return search->fit_count == 1 ? STATUS_SUCCESS : STATUS_NOT_FOUND;
}

/* ---- Messages ---- */

/* Writes "GUID ("NAME")" of the fits. */
static bool write_fits(const MachineSearch *search, FILE *out)
{
	for (size_t i = 0; i < search->fit_count && i < MACHINES_SHOWN_MAX; i++) {
		const MachineFit *fit = &search->fits[i];
		_cleanup_free_ char *name = text_escape(fit->name ? fit->name : "", NULL);

		if (!name)
			return false;
		fprintf(out, "%s%s", i == 0 ? "" : ", ", fit->guid);
		if (*name)
			fprintf(out, " (\"%s\")", name);
		else
			fputs(" (no name)", out);
	}
	if (search->fit_count > MACHINES_SHOWN_MAX)
		fprintf(out, " and %zu more", search->fit_count - MACHINES_SHOWN_MAX);
	return true;
}

/* How people see the GUIDs of each scope. */
static const char *const list_hints[] = {
	[MACHINES_RUNNING] = "vailctl list",
	[MACHINES_AND_QUARANTINES] = "vailctl list; to see the GUIDs in quarantine, which keep no "
				     "name, run: vailctl vm quarantines",
	[FLEET_MACHINES] = "vailctl fleet vms",
	[FLEET_MACHINES_AND_QUARANTINES] =
		"vailctl fleet vms; to see the GUIDs in quarantine, which keep no name, run: "
		"vailctl fleet quarantines",
};

static bool write_message(const MachineSearch *search, const char *typed, FILE *out)
{
	const char *beginning = guid_beginning(search->text);
	bool is_short = beginning && strlen(beginning) < GUID_BEGINNING_MIN;

	if (*search->text == '\0') {
		fputs("the virtual machine is an empty text; give its GUID or its name", out);
		return true;
	}
	if (search->fit_count > 1) {
		fprintf(out, "\"%s\" fits %zu virtual machines: ", typed, search->fit_count);
		if (!write_fits(search, out))
			return false;
		fputs("; give the GUID of one of them, or more of its beginning", out);
		return true;
	}
	fprintf(out, "no virtual machine that you may see has the name \"%s\"", typed);
	if (is_short)
		fprintf(out, ", and the beginning of a GUID needs at least %d characters",
			GUID_BEGINNING_MIN);
	else if (beginning)
		fputs(" or a GUID that begins with it", out);
	fprintf(out, "; to see the virtual machines, run: %s", list_hints[search->scope]);
	return true;
}

char *machine_search_message(const MachineSearch *search)
{
	_cleanup_free_ char *typed = text_escape(search->text, NULL);
	char *message = NULL;
	size_t size;
	FILE *out = typed ? open_memstream(&message, &size) : NULL;

	if (!out)
		return NULL;
	bool written = write_message(search, typed, out);
	if (fclose(out) == 0 && written)
		return message;
	free(message);
	return NULL;
}

/* ---- Asking vaild ---- */

/* A list that is being received. */
typedef struct ListFetch {
	MachineSearch *search;
	JsonParser *parser;
	const char *key; /* name of the member with the items */
} ListFetch;

/* A VailReply. */
static bool add_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		      void *context)
{
	ListFetch *fetch = context;
	const char *error;

	(void)vail;
	(void)continues;
	if (status != STATUS_SUCCESS || !parameters)
		return true; /* vail_call_more() returns the status as well */
	JsonValue *reply = json_parse(fetch->parser, parameters, strlen(parameters), &error);
	const JsonValue *items = json_member(reply, fetch->key);
	fetch->search->failed |= !reply;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const JsonValue *item = json_array_at(items, i);
		const char *guid = member_text(item, "virtualMachineGuid");

		if (guid)
			machine_search_add(fetch->search, guid, member_text(item, "name"));
	}
	json_free(reply);
	return !fetch->search->failed;
}

static NTSTATUS fetch_list(struct vail *vail, const char *method, ListFetch *fetch)
{
	NTSTATUS status;
	int attempts = 0;

	do /* an item that is received twice is added once */
		status = vail_call_more(vail, method, NULL, add_reply, fetch);
	while (status == STATUS_CONNECTION_DISCONNECTED && ++attempts < ATTEMPTS_MAX);
	return status;
}

/* The lists of each scope. An ordinary user gets no quarantines. */
static const struct {
	const char *machines;
	const char *quarantines; /* NULL for none */
} methods[] = {
	[MACHINES_RUNNING] = { "io.vaild.Machine.ListVirtualMachines", NULL },
	[MACHINES_AND_QUARANTINES] = { "io.vaild.Machine.ListVirtualMachines",
				       "io.vaild.Machine.ListQuarantines" },
	[FLEET_MACHINES] = { "io.vaild.Fleet.ListVirtualMachines", NULL },
	[FLEET_MACHINES_AND_QUARANTINES] = { "io.vaild.Fleet.ListVirtualMachines",
					     "io.vaild.Fleet.ListQuarantines" },
};

static NTSTATUS fetch_machines(struct vail *vail, MachineScope scope, MachineSearch *search)
{
	ListFetch fetch = { .search = search, .parser = json_parser_new() };
	NTSTATUS status = STATUS_NO_MEMORY;

	fetch.key = "virtualMachines";
	if (fetch.parser)
		status = fetch_list(vail, methods[scope].machines, &fetch);
	if (status == STATUS_SUCCESS && methods[scope].quarantines) {
		fetch.key = "quarantines";
		status = fetch_list(vail, methods[scope].quarantines, &fetch);
		if (status == STATUS_ACCESS_DENIED)
			status = STATUS_SUCCESS; /* ordinary users do not see them */
	}
	json_parser_free(fetch.parser);
	return status;
}

NTSTATUS machine_find(struct vail *vail, const char *text, MachineScope scope,
		      char ret_guid[static MACHINE_GUID_SIZE], char **ret_message)
{
	_cleanup_(machine_search_deinit) MachineSearch search;
	NTSTATUS status = STATUS_SUCCESS;
	Guid guid;

	*ret_message = NULL;
	machine_search_init(&search, text);
	search.scope = scope;
	if (guid_parse(text, &guid)) {
		snprintf(ret_guid, MACHINE_GUID_SIZE, "%s", text);
		return STATUS_SUCCESS;
	}
	if (*text)
		status = fetch_machines(vail, scope, &search);
	if (status != STATUS_SUCCESS)
		return status;
	status = machine_search_status(&search);
	if (status == STATUS_SUCCESS)
		snprintf(ret_guid, MACHINE_GUID_SIZE, "%s", search.fits[0].guid);
	else
		*ret_message = machine_search_message(&search);
	return status;
}

char *machine_name(struct vail *vail, const char *guid)
{
	_cleanup_(machine_search_deinit) MachineSearch search;

	machine_search_init(&search, guid);
	if (fetch_machines(vail, MACHINES_RUNNING, &search) != STATUS_SUCCESS ||
	    machine_search_status(&search) != STATUS_SUCCESS)
		return NULL;
	return TAKE_POINTER(search.fits[0].name);
}
