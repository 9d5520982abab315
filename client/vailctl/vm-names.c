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

/* Returns the place of the GUID in the entries, which are sorted by GUID, or where it belongs. */
static size_t place_of(const VmNames *names, const char *guid)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(names->entries[middle].guid, guid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const VmName *vm_names_find(const VmNames *names, const char *guid)
{
	size_t place = place_of(names, guid);

	if (place == names->count || strcmp(names->entries[place].guid, guid) != 0)
		return NULL;
	return &names->entries[place];
}

static VmName *vm_names_add(VmNames *names, const char *guid)
{
	size_t place = place_of(names, guid);
	VmName *entries = reallocarray(names->entries, names->count + 1, sizeof(*entries));
	char *copy = strdup(guid);

	if (entries)
		names->entries = entries;
	if (!entries || !copy) {
		free(copy);
		return NULL;
	}
	memmove(&entries[place + 1], &entries[place], (names->count - place) * sizeof(*entries));
	entries[place] = (VmName){ .guid = copy };
	names->count++;
	return &entries[place];
}

/* Counts the other VMs with the name of this one, and changes their counts. */
static void count_namesakes(VmNames *names, VmName *entry, int change)
{
	entry->namesakes = 0;
	for (size_t i = 0; entry->name && i < names->count; i++) {
		VmName *other = &names->entries[i];

		if (other == entry || !other->name || strcmp(other->name, entry->name) != 0)
			continue;
		other->namesakes += change;
		entry->namesakes++;
	}
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
	count_namesakes(names, entry, -1);
	free(entry->name);
	entry->name = copy;
	count_namesakes(names, entry, 1);
	return true;
}

void vm_names_forget(VmNames *names, const char *guid)
{
	VmName *entry = (VmName *)vm_names_find(names, guid);

	if (!entry)
		return;
	count_namesakes(names, entry, -1);
	free(entry->guid);
	free(entry->name);
	names->count--;
	size_t behind = names->count - (size_t)(entry - names->entries);
	memmove(entry, entry + 1, behind * sizeof(*entry));
}

/* Tests whether the first digits of the GUID are those of another VM, which is a neighbour then. */
static bool is_ambiguous(const VmNames *names, const VmName *entry)
{
	const VmName *first = names->entries, *last = first + names->count - 1;

	return (entry > first && strncmp(entry[-1].guid, entry->guid, SHORT_DIGITS) == 0) ||
	       (entry < last && strncmp(entry[1].guid, entry->guid, SHORT_DIGITS) == 0);
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
	if (entry->namesakes == 0)
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
