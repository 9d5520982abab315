/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/pid-namespace-table.h"

#include <assert.h>
#include <stdlib.h>

static int compare_inodes(const KnownPidNamespace *a, const KnownPidNamespace *b)
{
	return compare_numbers(a->inode, b->inode);
}

TREE_GENERATE(PidNamespaceTree, KnownPidNamespace, by_inode, compare_inodes)

void pid_namespace_table_init(PidNamespaceTable *table)
{
	*table = (PidNamespaceTable){ 0 };
	RB_INIT(&table->tree);
}

void pid_namespace_put(PidNamespaceTable *table, KnownPidNamespace *known)
{
	while (known) {
		KnownPidNamespace *parent = known->parent;

		assert(known->references > 0);
		if (--known->references > 0)
			return;
		RB_REMOVE(PidNamespaceTree, &table->tree, known);
		free(known);
		known = parent;
	}
}

/*
 * Returns a reference to the entry of the namespace, and takes over the reference to its parent.
 * Returns NULL if out of memory.
 */
static KnownPidNamespace *get_one(PidNamespaceTable *table, uint64_t inode,
				  KnownPidNamespace *parent)
{
	const KnownPidNamespace key = { .inode = inode };
	KnownPidNamespace *known =
		RB_FIND(PidNamespaceTree, &table->tree, (KnownPidNamespace *)&key);

	if (known) {
		known->references++;
		pid_namespace_put(table, parent); /* the entry has its own */
		return known;
	}
	known = calloc(1, sizeof(*known));
	if (!known) {
		pid_namespace_put(table, parent);
		return NULL;
	}
	known->inode = inode;
	known->number = ++table->last_number;
	known->references = 1;
	known->parent = parent;
	RB_INSERT(PidNamespaceTree, &table->tree, known);
	return known;
}

KnownPidNamespace *pid_namespace_get(PidNamespaceTable *table, const PidsAnswer *answer,
				     InnerPids **ret_pids)
{
	InnerPids *pids = calloc(1, sizeof(*pids) + answer->count * sizeof(pids->items[0]));
	KnownPidNamespace *known = NULL;

	if (!pids)
		return NULL;
	pids->references = 1;
	pids->count = answer->count;
	for (uint32_t i = 0; i < answer->count; i++) {
		known = get_one(table, answer->levels[i].inode, known);
		if (!known) {
			inner_pids_unref(pids);
			return NULL;
		}
		pids->items[i] = (InnerPid){ known->number, answer->levels[i].pid };
	}
	*ret_pids = pids;
	return known;
}
