/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_MACHINE_TABLE_H
#define DAEMON_DISCOVERY_MACHINE_TABLE_H

#include "daemon/core/tree.h"
#include "daemon/discovery/machine-facts.h"

/*
 * The machines that systemd-machined knows, and what vaild must still ask about them. Reaches
 * nothing but memory.
 *
 * machined is asked for a list of its machines, and once for the properties of each. Its signals
 * are only hints to ask again: they bring no facts.
 */

/* VMs beyond this number are ignored. */
#define MACHINES_MAX 4096

/* Other machines, such as containers, beyond this number are ignored. They take no place of a VM.
 */
#define OTHER_MACHINES_MAX 512

/* machined escapes each unusual character of a name in the path as three. */
#define MACHINE_PATH_SIZE 256

typedef struct KnownMachine {
	char name[MACHINE_NAME_SIZE];
	char path[MACHINE_PATH_SIZE]; /* the D-Bus object */
	bool is_other;                /* no VM by its class in the list */
	bool is_listed;               /* in the newest list */
	bool must_ask;                /* its properties are unknown or outdated */
	bool is_asked;                /* an answer is awaited */
	bool has_failed;              /* machined has not told its properties when last asked */
	bool is_answered;             /* the verdict is known */
	bool is_mentioned;            /* in the log */
	MachineVerdict verdict;
	FoundMachine found; /* if the verdict is MACHINE_IS_VM */
	RB_ENTRY(KnownMachine) by_name;
	RB_ENTRY(KnownMachine) by_guid; /* if it is answered, and the verdict is MACHINE_IS_VM */
} KnownMachine;

typedef RB_HEAD(KnownMachineTree, KnownMachine) KnownMachineTree;
typedef RB_HEAD(MachineGuidTree, KnownMachine) MachineGuidTree;

typedef struct MachineTable {
	KnownMachineTree machines;
	MachineGuidTree vms;
	size_t count;
	size_t others;   /* of these, those that are no VMs by their class */
	size_t left_out; /* VMs of the newest list for which there was no room */
} MachineTable;

void machine_table_init(MachineTable *table);
void machine_table_deinit(MachineTable *table);

/* --- a list ---------------------------------------------------------------------------------- */

/* Brackets a new list of all machines. The end forgets those that are not in it. */
void machine_table_begin(MachineTable *table);
void machine_table_list(MachineTable *table, const char *name, const char *class, const char *path);
void machine_table_end(MachineTable *table);

/* --- questions ------------------------------------------------------------------------------- */

/* Returns a machine to ask for its properties, and notes that it is asked. Returns NULL if none. */
KnownMachine *machine_table_ask(MachineTable *table);

/*
 * Notes the answer about the machine of that name. NULL facts mean that machined has refused, so
 * the earlier facts stay; an ended machine is missing in the next list. Ignores answers about
 * machines that are no longer listed. An answer that is outdated by now is ignored, and vaild asks
 * again.
 */
void machine_table_answer(MachineTable *table, const char *name, const MachineFacts *facts);

/* Lets the machines be asked again about which machined has told nothing. */
void machine_table_retry(MachineTable *table);

/* Notes that a machine of this name is new, so that earlier facts about the name are outdated. */
void machine_table_renewed(MachineTable *table, const char *name);

/* Notes that all facts are outdated, because machined or the bus has started again. */
void machine_table_outdated(MachineTable *table);

/* --- results --------------------------------------------------------------------------------- */

/* Iterates over all machines by name. Returns NULL at the end. */
KnownMachine *machine_table_first(MachineTable *table);
KnownMachine *machine_table_next(KnownMachine *machine);

/* Tests whether nothing is left to ask. Of some machines, machined may have told nothing. */
bool machine_table_is_complete(MachineTable *table);

/* Returns the number of machines about which machined has told nothing when last asked. */
size_t machine_table_failed(MachineTable *table);

/*
 * Tests whether the table has all VMs that machined has, so that a VM that is not in it has ended.
 * False as long as a VM had no room, or machined has told nothing about one.
 */
bool machine_table_is_certain(MachineTable *table);

/* Returns the VM with the GUID, or NULL. Of several, only the first one by name counts. */
KnownMachine *machine_table_find(MachineTable *table, const Guid *guid);

#endif
