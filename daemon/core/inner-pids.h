/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_INNER_PIDS_H
#define DAEMON_CORE_INNER_PIDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A process in a container has a pid in each pid namespace around it. The daemon knows it by the
 * pid in its own namespace. Requests and replies contain the pid in the caller's namespace.
 */

/* Identifies a pid namespace. The host assigns these numbers and never reuses one. */
typedef uint64_t PidNamespace;

#define PID_NAMESPACE_OWN     UINT64_C(0) /* the daemon's own */
#define PID_NAMESPACE_UNKNOWN UINT64_MAX  /* could not be read; no process has a pid in it */

typedef struct InnerPid {
	PidNamespace namespace;
	pid_t pid;
} InnerPid;

/*
 * The pids of one process in the namespaces below the daemon's, the innermost last. It does not
 * change, and it is still valid after the process has exited. Most processes have none: a NULL
 * pointer stands for that.
 */
typedef struct InnerPids {
	unsigned int references;
	size_t count;
	InnerPid items[];
} InnerPids;

/* Both accept NULL. The last reference frees the pids. */
InnerPids *inner_pids_ref(InnerPids *pids);
void inner_pids_unref(InnerPids *pids);

/*
 * Returns the pid of a process in the namespace, or 0 if the process is not visible there. pid is
 * its pid in the daemon's namespace.
 */
pid_t inner_pids_translate(const InnerPids *pids, pid_t pid, PidNamespace namespace);

#endif
