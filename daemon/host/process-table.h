/* SPDX-License-Identifier: MIT */
#ifndef HOST_PROCESS_TABLE_H
#define HOST_PROCESS_TABLE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "host.h"
#include "proc-credentials.h"
#include "roots.h"
#include "tree.h"

/*
 * Processes as the kernel knows them: by pidfd. A pid is only a number, which the next process may
 * get; a HostProcess is one process for good, and its key is never used again.
 *
 * It is kept while a connection refers to it or the core watches it, and to the end of the turn in
 * any case.
 */
typedef struct HostProcess {
	ProcessKey key;
	pid_t pid;
	int pidfd;
	unsigned int references; /* of connections */
	bool watched;            /* by the core: the event is added */
	bool is_kept;            /* over a restart, by the table's keeper */
	bool has_number;         /* it is in by_pid: no later process has its pid */
	bool is_unused;          /* nobody refers to it: it is in the table's list of those */
	struct event exit_event;
	struct ProcessTable *table;
	RB_ENTRY(HostProcess) by_key;
	RB_ENTRY(HostProcess) by_pid;
	LIST_ENTRY(HostProcess) unused;
} HostProcess;

/* What is recorded of a process, and has to be so again of the pidfd that comes back. */
typedef struct ProcessIdentity {
	pid_t pid;
	uint64_t start_time; /* in clock ticks since boot */
} ProcessIdentity;

/*
 * Who makes processes last over a restart of the daemon: each that is watched is kept, and let go
 * when it is watched no more. What is kept when the table is deinited stays kept.
 */
typedef struct ProcessKeeper {
	void *self;
	/* False: there is no room. */
	bool (*keep)(void *self, const HostProcess *process);
	void (*let_go)(void *self, const HostProcess *process);
} ProcessKeeper;

typedef RB_HEAD(HostProcessKeyTree, HostProcess) HostProcessKeyTree;
typedef RB_HEAD(HostProcessPidTree, HostProcess) HostProcessPidTree;

typedef struct ProcessTable {
	struct event_base *base;
	Roots roots;
	LabelFiles label_files; /* of roots.proc */
	HostProcessKeyTree by_key;
	HostProcessPidTree by_pid;
	ProcessKey last_key;
	LIST_HEAD(, HostProcess) unused;
	struct event sweep_event; /* frees at the end of the turn what nobody refers to */
	void (*exited)(void *context, ProcessKey key);
	void *context;
	ProcessKeeper keeper; /* without functions: nothing is kept */
} ProcessTable;

/* exited is called once for each watched process that exits. */
void process_table_init(ProcessTable *table, struct event_base *base, const Roots *roots,
			void (*exited)(void *context, ProcessKey key), void *context);
void process_table_deinit(ProcessTable *table);

/*
 * The process behind a pidfd, which is taken, and its number. Returns EVIDENCE_FOUND,
 * EVIDENCE_GONE when it is dead or a zombie, or EVIDENCE_EXHAUSTED.
 */
Evidence process_table_add(ProcessTable *table, pid_t pid, int pidfd, HostProcess **ret_process);

/* The live process that has this number now. As above, and EVIDENCE_ABSENT for no process. */
Evidence process_table_open(ProcessTable *table, pid_t pid, HostProcess **ret_process);

/* From now on the keeper is asked; with NULL nobody is. */
void process_table_set_keeper(ProcessTable *table, const ProcessKeeper *keeper);

/* Keys up to this one were given by an earlier daemon, and are not given again. */
void process_table_continue_keys(ProcessTable *table, ProcessKey last_key);

/*
 * A process that an earlier daemon has kept, under the key that it had. The pidfd is taken. Returns
 * EVIDENCE_FOUND; EVIDENCE_GONE when it is dead; EVIDENCE_ABSENT when it is not the process that
 * has that number and was started then, or the key is another's; or EVIDENCE_EXHAUSTED.
 */
Evidence process_table_restore(ProcessTable *table, ProcessKey key, const ProcessIdentity *identity,
			       int pidfd, HostProcess **ret_process);

/* Lets go of all that were restored and that nobody watches. Returns how many. */
size_t process_table_let_go_unwatched(ProcessTable *table);

/* NULL for a key that is no longer good. */
HostProcess *process_table_find(ProcessTable *table, ProcessKey key);

void host_process_ref(HostProcess *process);
void host_process_unref(HostProcess *process);

/* False: there is no room to watch it, or to keep it. A tenth of the latter is operators'. */
bool host_process_watch(HostProcess *process);
void host_process_unwatch(HostProcess *process);

bool host_process_is_alive(const HostProcess *process);

/* What tells it from every other process of this boot. FOUND, GONE or EXHAUSTED. */
Evidence host_process_identify(const HostProcess *process, ProcessIdentity *ret);

/*
 * Opens its folder in /proc, O_PATH. What is read there is its own as long as the process is found
 * alive afterwards. Returns a descriptor or a negative errno.
 */
int host_process_open_folder(const HostProcess *process);

/* Its credentials now, read around a check of the pidfd. */
Evidence host_process_read_credentials(const HostProcess *process, Credentials *ret);

#endif
