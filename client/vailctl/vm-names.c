/* SPDX-License-Identifier: MIT */
#include "client/vailctl/vm-names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/guid.h"

/* Digits of a GUID that tell apart VMs with one name. */
#define SHORT_DIGITS 8

void vm_names_deinit(VmNames *names)
{
	for (size_t i = 0; i < names->count; i++) {
		free(names->entries[i].guid);
		free(names->entries[i].name);
	}
	free(names->entries);
	*names = (VmNames){ 0 };
}

const VmName *vm_names_find(const VmNames *names, const char *guid)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->entries[i].guid, guid) == 0)
			return &names->entries[i];
	return NULL;
}

static VmName *vm_names_add(VmNames *names, const char *guid)
{
	VmName *entries = reallocarray(names->entries, names->count + 1, sizeof(*entries));

	if (!entries)
		return NULL;
	names->entries = entries;
	entries[names->count] = (VmName){ .guid = strdup(guid) };
	return entries[names->count].guid ? &entries[names->count++] : NULL;
}

bool vm_names_set(VmNames *names, const char *guid, const char *name)
{
	VmName *entry = (VmName *)vm_names_find(names, guid);
	char *copy = name && *name ? strdup(name) : NULL;
	bool is_copied = copy || !name || !*name;

	if (!entry && is_copied)
		entry = vm_names_add(names, guid);
	if (!entry || !is_copied) {
		free(copy);
		return false;
	}
	free(entry->name);
	entry->name = copy;
	return true;
}

void vm_names_forget(VmNames *names, const char *guid)
{
	VmName *entry = (VmName *)vm_names_find(names, guid);

	if (!entry)
		return;
	free(entry->guid);
	free(entry->name);
	*entry = names->entries[--names->count];
}

static bool is_shared(const VmNames *names, const VmName *entry)
{
	for (size_t i = 0; i < names->count; i++)
		if (&names->entries[i] != entry && names->entries[i].name &&
		    strcmp(names->entries[i].name, entry->name) == 0)
			return true;
	return false;
}

/* Tests whether the first digits of the GUID are those of another VM as well. */
static bool is_ambiguous(const VmNames *names, const VmName *entry)
{
	for (size_t i = 0; i < names->count; i++)
		if (&names->entries[i] != entry &&
		    strncmp(names->entries[i].guid, entry->guid, SHORT_DIGITS) == 0)
			return true;
	return false;
}

char *vm_names_label(const VmNames *names, const char *guid, size_t *ret_tail)
{
	const VmName *entry = vm_names_find(names, guid);
	char *text = NULL;
	Guid other;

	*ret_tail = strlen(guid);
	if (!entry || !entry->name || guid_parse(entry->name, &other))
		return strdup(guid);
	*ret_tail = 0;
	if (!is_shared(names, entry))
		return strdup(entry->name);
	int digits = is_ambiguous(names, entry) ? GUID_TEXT_LENGTH : SHORT_DIGITS;
	if (asprintf(&text, "%s (%.*s)", entry->name, digits, guid) < 0)
		return NULL;
	*ret_tail = strlen(" ()") + (size_t)digits;
	return text;
}

void table_add_vm(Table *table, const VmNames *names, const char *guid)
{
	size_t tail = 0;
	_cleanup_free_ char *label = guid ? vm_names_label(names, guid, &tail) : NULL;

	if (guid && !label)
		table->failed = true;
	else
		table_add_tail(table, label, tail);
}
