/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_PID_NAMESPACE_TABLE_H
#define DAEMON_HOST_PROCESS_PID_NAMESPACE_TABLE_H

#include "daemon/core/inner-pids.h"
#include "daemon/core/tree.h"
#include "daemon/host/examiner/question.h"

/*
 * The pid namespaces below the daemon's that known processes are in. The kernel uses an inode again
 * for another namespace, but not while a pidfd of a process in the namespace, or in one below it,
 * is open. Each known process has one open. So an inode names one namespace as long as its entry
 * exists, and the number that an entry gets is never used again.
 */
typedef struct KnownPidNamespace {
	uint64_t inode;
	PidNamespace number;
	unsigned int references;          /* number of processes in it, and of entries below it */
	struct KnownPidNamespace *parent; /* a reference; NULL if that is the daemon's own */
	RB_ENTRY(KnownPidNamespace) by_inode;
} KnownPidNamespace;

typedef RB_HEAD(PidNamespaceTree, KnownPidNamespace) PidNamespaceTree;

typedef struct PidNamespaceTable {
	PidNamespaceTree tree;
	PidNamespace last_number;
} PidNamespaceTable;

void pid_namespace_table_init(PidNamespaceTable *table);

/*
 * Finds or adds the namespaces of a process whose pidfd is open, and returns a reference to the
 * innermost one. *ret_pids gets the pids there, with a reference. Returns NULL if out of memory.
 * The answer must have a level.
 */
KnownPidNamespace *pid_namespace_get(PidNamespaceTable *table, const PidsAnswer *answer,
				     InnerPids **ret_pids);

/* Drops a reference. Ignores NULL. Call before closing the pidfd of the process. */
void pid_namespace_put(PidNamespaceTable *table, KnownPidNamespace *known);

#endif
