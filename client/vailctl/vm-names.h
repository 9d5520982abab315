/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_VM_NAMES_H
#define CLIENT_VAILCTL_VM_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include <vail.h>

/*
 * The names of the VMs that the caller may see, for output only: a name identifies nothing, because
 * two VMs may have the same one.
 */

typedef struct VmName {
	char *guid;
	char *name;    /* NULL if the VM has none */
	int namesakes; /* number of other VMs with this name */
} VmName;

typedef struct VmNames {
	VmName *entries; /* sorted by GUID */
	size_t count;
} VmNames;

void vm_names_deinit(VmNames *names);

/*
 * Lists the VMs into names, which must be all zero.
 *
 * Returns STATUS_SUCCESS, STATUS_NO_MEMORY, or as vail_call_more().
 */
NTSTATUS vm_names_fetch(Tool *tool, VmNames *names);

/*
 * Ask for the names of all VMs, or of one, on a connection of their own, because that of a watch is
 * busy. Do not wait for vaild if it is away. Names stay as they are if there is no answer.
 */
void vm_names_fetch_apart(const Tool *tool, VmNames *names);
void vm_names_refresh(const Tool *tool, VmNames *names, const char *guid);

/* Remembers a copy of the VM's name; NULL if it has none. Returns false if out of memory. */
bool vm_names_set(VmNames *names, const char *guid, const char *name);
void vm_names_forget(VmNames *names, const char *guid);

/* Returns the entry of the VM, or NULL if it is unknown. */
const VmName *vm_names_find(const VmNames *names, const char *guid);

/*
 * Returns the text that stands for the VM: its name, the name with the first digits of the GUID if
 * another VM has the same, or the GUID if it has none. A name that reads as a GUID counts as none.
 *
 * ret_tail: number of bytes at its end that must stay when it is shortened: digits of the GUID.
 *
 * The caller frees the text. Returns NULL if out of memory.
 */
char *vm_names_label(const VmNames *names, const char *guid, size_t *ret_tail);

/* Adds a cell with that text, of which digits of the GUID are never cut. NULL is shown
 * as "-". */
void table_add_vm(Table *table, const VmNames *names, const char *guid);

#endif
