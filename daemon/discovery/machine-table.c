/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/machine-table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const KnownMachine *a, const KnownMachine *b)
{
	return strcmp(a->name, b->name);
}

TREE_GENERATE(KnownMachineTree, KnownMachine, by_name, compare_names)

void machine_table_init(MachineTable *table)
{
	*table = (MachineTable){ .count = 0 };
	RB_INIT(&table->machines);
}

static void forget(MachineTable *table, KnownMachine *machine)
{
	RB_REMOVE(KnownMachineTree, &table->machines, machine);
	table->count--;
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

/*
 * Forgets a machine that is not in the new list so far, if the table is full. A list that is longer
 * than the table searches only once.
 */
static void make_room(MachineTable *table)
{
	KnownMachine *machine;

	if (table->count < MACHINES_MAX || table->left_out > 0)
		return;
	RB_FOREACH (machine, KnownMachineTree, &table->machines) {
		if (machine->is_listed)
			continue;
		forget(table, machine);
		return;
	}
}

/* Returns NULL if there is no room. */
static KnownMachine *add(MachineTable *table, const char *name)
{
	make_room(table);
	KnownMachine *machine = table->count < MACHINES_MAX ? calloc(1, sizeof(*machine)) : NULL;

	if (!machine) {
		table->left_out++;
		return NULL;
	}
	copy_name(name, machine->name);
	RB_INSERT(KnownMachineTree, &table->machines, machine);
	table->count++;
	return machine;
}

static void decide(KnownMachine *machine, MachineVerdict verdict)
{
	machine->is_mentioned &= machine->is_answered && machine->verdict == verdict;
	machine->is_answered = true;
	machine->verdict = verdict;
}

void machine_table_list(MachineTable *table, const char *name, const char *class, const char *path)
{
	KnownMachine *machine = find(table, name);
	bool is_vm = strcmp(class, "vm") == 0;
	bool is_odd = !machine_name_is_valid(name) || strlen(path) >= MACHINE_PATH_SIZE;

	if (!machine)
		machine = add(table, name);
	if (!machine || machine->is_listed)
		return;
	machine->is_listed = true;
	if (!is_vm || is_odd) {
		decide(machine, is_vm ? MACHINE_HAS_ODD_NAME : MACHINE_IS_OTHER);
		machine->must_ask = machine->is_asked = false;
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
	if (facts)
		decide(machine, machine_recognise(facts, &machine->found));
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

KnownMachine *machine_table_find(MachineTable *table, const Guid *guid)
{
	KnownMachine *machine;

	RB_FOREACH (machine, KnownMachineTree, &table->machines)
		if (machine->is_answered && machine->verdict == MACHINE_IS_VM &&
		    guid_compare(&machine->found.guid, guid) == 0)
			return machine;
	return NULL;
}
