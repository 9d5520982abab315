/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/machine-table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const KnownMachine *a, const KnownMachine *b)
{
	return strcmp(a->name, b->name);
}

static int compare_guids(const KnownMachine *a, const KnownMachine *b)
{
	int result = guid_compare(&a->found.guid, &b->found.guid);

	return result != 0 ? result : compare_names(a, b);
}

TREE_GENERATE(KnownMachineTree, KnownMachine, by_name, compare_names)
TREE_GENERATE(MachineGuidTree, KnownMachine, by_guid, compare_guids)

void machine_table_init(MachineTable *table)
{
	*table = (MachineTable){ .count = 0 };
	RB_INIT(&table->machines);
	RB_INIT(&table->vms);
}

static bool is_vm(const KnownMachine *machine)
{
	return machine->is_answered && machine->verdict == MACHINE_IS_VM;
}

static void forget(MachineTable *table, KnownMachine *machine)
{
	if (is_vm(machine))
		RB_REMOVE(MachineGuidTree, &table->vms, machine);
	RB_REMOVE(KnownMachineTree, &table->machines, machine);
	table->count--;
	table->others -= machine->is_other;
	free(machine);
}

void machine_table_deinit(MachineTable *table)
{
	KnownMachine *machine;

	while ((machine = RB_ROOT(&table->machines)))
		forget(table, machine);
}

/* Copies the name, with "?" for each character that it should not have, and cut at the size. */
static void copy_name(const char *name, char copy[static MACHINE_NAME_SIZE])
{
	snprintf(copy, MACHINE_NAME_SIZE, "%s", name);
	for (char *c = copy; *c != '\0'; c++) {
		const char text[] = { *c, '\0' };

		if (!machine_name_is_valid(text))
			*c = '?';
	}
}

static KnownMachine *find(MachineTable *table, const char *name)
{
	KnownMachine key;

	copy_name(name, key.name);
	return RB_FIND(KnownMachineTree, &table->machines, &key);
}

/* --- a list ---------------------------------------------------------------------------------- */

void machine_table_begin(MachineTable *table)
{
	KnownMachine *machine;

	RB_FOREACH (machine, KnownMachineTree, &table->machines)
		machine->is_listed = false;
	table->left_out = 0;
}

static bool has_room(const MachineTable *table, bool is_other)
{
	return is_other ? table->others < OTHER_MACHINES_MAX
			: table->count - table->others < MACHINES_MAX;
}

/*
 * Forgets a VM that is not in the new list so far, if the table is full. A list that is longer than
 * the table searches only once.
 */
static void make_room(MachineTable *table)
{
	KnownMachine *machine;

	if (has_room(table, false) || table->left_out > 0)
		return;
	RB_FOREACH (machine, KnownMachineTree, &table->machines) {
		if (machine->is_listed || machine->is_other)
			continue;
		forget(table, machine);
		return;
	}
}

/* Returns NULL if there is no room. */
static KnownMachine *add(MachineTable *table, const char *name, bool is_other)
{
	if (!is_other)
		make_room(table);
	KnownMachine *machine = has_room(table, is_other) ? calloc(1, sizeof(*machine)) : NULL;

	if (!machine) {
		table->left_out += !is_other;
		return NULL;
	}
	copy_name(name, machine->name);
	machine->is_other = is_other;
	RB_INSERT(KnownMachineTree, &table->machines, machine);
	table->count++;
	table->others += is_other;
	return machine;
}

/* found: the recognised VM if the verdict is MACHINE_IS_VM, else NULL. */
static void decide(MachineTable *table, KnownMachine *machine, MachineVerdict verdict,
		   const FoundMachine *found)
{
	if (is_vm(machine))
		RB_REMOVE(MachineGuidTree, &table->vms, machine);
	machine->is_mentioned &= machine->is_answered && machine->verdict == verdict;
	machine->is_answered = true;
	machine->verdict = verdict;
	if (!found)
		return;
	machine->found = *found;
	RB_INSERT(MachineGuidTree, &table->vms, machine);
}

void machine_table_list(MachineTable *table, const char *name, const char *class, const char *path)
{
	KnownMachine *machine = find(table, name);
	bool is_other = strcmp(class, "vm") != 0;
	bool is_odd = !machine_name_is_valid(name) || strlen(path) >= MACHINE_PATH_SIZE;

	if (machine && machine->is_listed)
		return;
	if (machine && machine->is_other != is_other) {
		forget(table, machine);
		machine = NULL;
	}
	if (!machine)
		machine = add(table, name, is_other);
	if (!machine)
		return;
	machine->is_listed = true;
	if (is_other || is_odd) {
		decide(table, machine, is_other ? MACHINE_IS_OTHER : MACHINE_HAS_ODD_NAME, NULL);
		machine->must_ask = machine->is_asked = machine->has_failed = false;
		return;
	}
	machine->must_ask |= strcmp(machine->path, path) != 0;
	snprintf(machine->path, sizeof(machine->path), "%s", path);
}

void machine_table_end(MachineTable *table)
{
	KnownMachine *machine, *next;

	RB_FOREACH_SAFE (machine, KnownMachineTree, &table->machines, next)
		if (!machine->is_listed)
			forget(table, machine);
}

/* --- questions ------------------------------------------------------------------------------- */

KnownMachine *machine_table_ask(MachineTable *table)
{
	KnownMachine *machine;

	RB_FOREACH (machine, KnownMachineTree, &table->machines) {
		if (!machine->must_ask || machine->is_asked)
			continue;
		machine->must_ask = false;
		machine->is_asked = true;
		return machine;
	}
	return NULL;
}

void machine_table_answer(MachineTable *table, const char *name, const MachineFacts *facts)
{
	KnownMachine *machine = find(table, name);

	if (!machine || !machine->is_asked)
		return;
	machine->is_asked = false;
	if (machine->must_ask)
		return;
	machine->has_failed = !facts;
	if (!facts)
		return;
	FoundMachine found;
	MachineVerdict verdict = machine_recognise(facts, &found);
	decide(table, machine, verdict, verdict == MACHINE_IS_VM ? &found : NULL);
}

void machine_table_retry(MachineTable *table)
{
	KnownMachine *machine;

	RB_FOREACH (machine, KnownMachineTree, &table->machines) {
		machine->must_ask |= machine->has_failed;
		machine->has_failed = false;
	}
}

void machine_table_renewed(MachineTable *table, const char *name)
{
	KnownMachine *machine = find(table, name);

	if (machine)
		machine->must_ask = true;
}

void machine_table_outdated(MachineTable *table)
{
	KnownMachine *machine;

	RB_FOREACH (machine, KnownMachineTree, &table->machines) {
		machine->must_ask = true;
		machine->is_asked = false;
	}
}

/* --- results --------------------------------------------------------------------------------- */

KnownMachine *machine_table_first(MachineTable *table)
{
	return RB_MIN(KnownMachineTree, &table->machines);
}

KnownMachine *machine_table_next(KnownMachine *machine)
{
	return RB_NEXT(KnownMachineTree, NULL, machine);
}

bool machine_table_is_complete(MachineTable *table)
{
	KnownMachine *machine;

	RB_FOREACH (machine, KnownMachineTree, &table->machines)
		if (machine->must_ask || machine->is_asked)
			return false;
	return true;
}

size_t machine_table_failed(MachineTable *table)
{
	KnownMachine *machine;
	size_t failed = 0;

	RB_FOREACH (machine, KnownMachineTree, &table->machines)
		failed += machine->has_failed;
	return failed;
}

bool machine_table_is_certain(MachineTable *table)
{
	KnownMachine *machine;

	if (table->left_out > 0)
		return false;
	RB_FOREACH (machine, KnownMachineTree, &table->machines)
		if (!machine->is_answered)
			return false;
	return true;
}

KnownMachine *machine_table_find(MachineTable *table, const Guid *guid)
{
	/* No name is less than "". */
	const KnownMachine key = { .found.guid = *guid };
	KnownMachine *machine = RB_NFIND(MachineGuidTree, &table->vms, (KnownMachine *)&key);

	return machine && guid_compare(&machine->found.guid, guid) == 0 ? machine : NULL;
}
