/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_PROCESS_TABLE_H
#define DAEMON_HOST_PROCESS_PROCESS_TABLE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "daemon/core/host.h"
#include "daemon/core/tree.h"
#include "daemon/host/examiner/examiner-client.h"
#include "daemon/host/process/fs-roots.h"
#include "daemon/host/process/pid-namespace-table.h"
#include "daemon/host/process/proc-credentials.h"

/*
 * Processes, identified by pidfd. A pid can be reused; a HostProcess is one process for ever, and
 * its key is never reused.
 *
 * An entry exists while a connection references it or core watches it, and at least until the end
 * of the turn.
 */
typedef struct HostProcess {
	ProcessKey key;
	pid_t pid;
	int pidfd;
	char *executable;        /* its path when last examined, or NULL */
	unsigned int references; /* number of connections */
	bool watched;            /* by core; exit_event is pending */
	bool is_persisted;       /* the table's persistence has its persisted record */
	bool has_pid;            /* in by_pid: the pid has not been reused */
	bool is_unused;          /* in the table's unused list */
	bool knows_pids;         /* the two members below are known */
	InnerPids *inner_pids;   /* its pids in the namespaces below the daemon's, or NULL */
	KnownPidNamespace *pid_namespace; /* its own if below the daemon's, or NULL */
	struct event exit_event;
	struct ProcessTable *table;
	RB_ENTRY(HostProcess) by_key;
	RB_ENTRY(HostProcess) by_pid;
	LIST_ENTRY(HostProcess) unused;
} HostProcess;

/*
 * Identifies a process across restarts of the daemon. Saved in its persisted record and compared
 * with the pidfd that the service manager returns.
 */
typedef struct ProcessIdentity {
	pid_t pid;
	uint64_t start_time; /* in clock ticks since boot */
} ProcessIdentity;

/*
 * Persists processes across restarts of the daemon. Every watched process is persisted, and
 * released when it is no longer watched. Processes persisted when the table is deinitialised stay
 * persisted.
 */
typedef struct ProcessPersistence {
	void *self;
	/* Returns false if there is no room. */
	bool (*persist)(void *self, const HostProcess *process);
	void (*release)(void *self, const HostProcess *process);
} ProcessPersistence;

typedef RB_HEAD(HostProcessKeyTree, HostProcess) HostProcessKeyTree;
typedef RB_HEAD(HostProcessPidTree, HostProcess) HostProcessPidTree;

typedef struct ProcessTable {
	struct event_base *base;
	FsRoots roots;
	LabelFiles label_files; /* read from roots.proc */
	HostProcessKeyTree by_key;
	HostProcessPidTree by_pid;
	ProcessKey last_key;
	PidNamespaceTable pid_namespaces;
	LIST_HEAD(, HostProcess) unused;
	struct event sweep_event; /* frees the unused list at the end of the turn */
	void (*exited)(void *context, ProcessKey key);
	void *context;
	ProcessPersistence persistence; /* no functions: processes are not persisted */
	Examiner *examiner;             /* NULL if this process examines the others itself */
} ProcessTable;

/* Initialises the table. The function exited is called once for each watched process that exits. */
void process_table_init(ProcessTable *table, struct event_base *base, const FsRoots *roots,
			void (*exited)(void *context, ProcessKey key), void *context);
void process_table_deinit(ProcessTable *table);

/*
 * Finds or adds the process of a pidfd. Takes ownership of the pidfd; pid must be its process's.
 * Returns LOOKUP_FOUND, LOOKUP_GONE if the process is dead or a zombie, or LOOKUP_EXHAUSTED if out
 * of memory.
 */
Lookup process_table_add(ProcessTable *table, pid_t pid, int pidfd, HostProcess **ret_process);

/*
 * Finds or adds the live process that has this pid now. Returns the same as process_table_add(),
 * and LOOKUP_ABSENT if there is no such process.
 */
Lookup process_table_open(ProcessTable *table, pid_t pid, HostProcess **ret_process);

/*
 * Sets the functions that persist processes. With NULL, processes are no longer persisted or
 * released.
 */
void process_table_set_persistence(ProcessTable *table, const ProcessPersistence *persistence);

/*
 * Sets the examiner, which must outlive the table. Without one, this process needs CAP_SYS_PTRACE,
 * which only tests have.
 */
void process_table_set_examiner(ProcessTable *table, Examiner *examiner);

/* Marks keys up to this one as used by an earlier daemon, so that they are not assigned again. */
void process_table_continue_keys(ProcessTable *table, ProcessKey last_key);

/*
 * Restores a process that an earlier daemon persisted, with the key it had. Takes ownership of the
 * pidfd. Returns LOOKUP_FOUND; LOOKUP_GONE if the process is dead; LOOKUP_ABSENT if the pidfd's pid
 * or start time differs from identity, or if the key or the pid is in use; or LOOKUP_EXHAUSTED.
 */
Lookup process_table_restore(ProcessTable *table, ProcessKey key, const ProcessIdentity *identity,
			     int pidfd, HostProcess **ret_process);

/* Releases all persisted processes that are not watched. Returns their number. */
size_t process_table_release_unwatched(ProcessTable *table);

/* Returns NULL if the key is no longer valid. */
HostProcess *process_table_find(ProcessTable *table, ProcessKey key);

void host_process_ref(HostProcess *process);
void host_process_unref(HostProcess *process);

/*
 * Starts watching and persisting the process. Returns false if out of memory, or if no more
 * processes can be persisted; a tenth of that room is reserved for operators.
 */
bool host_process_watch(HostProcess *process);
void host_process_unwatch(HostProcess *process);

bool host_process_is_alive(const HostProcess *process);

/*
 * Reads pid and start time, which identify the process until the next boot. Returns LOOKUP_FOUND,
 * LOOKUP_GONE or LOOKUP_EXHAUSTED.
 */
Lookup host_process_identify(const HostProcess *process, ProcessIdentity *ret);

/*
 * Asks the examiner about the process. The answer is about this process only if it is found alive
 * afterwards. Returns 0, -EPIPE if the examiner has failed, or another negative errno if out of
 * memory.
 */
int host_process_ask_who(const HostProcess *process, WhoAnswer *ret);

/*
 * Reads the process's current credentials, and checks afterwards that it is alive. The caller
 * deinitialises *ret. Returns LOOKUP_FOUND; or, with nothing to deinitialise, LOOKUP_GONE,
 * LOOKUP_UNREADABLE, or LOOKUP_EXHAUSTED, which includes the examiner's failure.
 */
Lookup host_process_read_credentials(HostProcess *process, Credentials *ret);

/*
 * Sets *uid to the effective uid that the process has now, if *uid is UID_UNKNOWN; otherwise only
 * keeps it. vaild does not know the uid of a VMM that it has found. Returns the lookups of
 * host_process_read_credentials(), with *uid changed only if LOOKUP_FOUND.
 */
Lookup host_process_complete_uid(HostProcess *process, uid_t *uid);

/*
 * Returns the path of the process's executable, empty if it is not known. It is as when the
 * credentials were last read or, with now, in this turn. For information only: the process may have
 * executed another one, and the path proves nothing. Valid until the next call.
 */
const char *host_process_executable(HostProcess *process, bool now);

#endif
