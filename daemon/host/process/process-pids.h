/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_PROCESS_PIDS_H
#define DAEMON_HOST_PROCESS_PROCESS_PIDS_H

#include "daemon/host/process/process-table.h"

/*
 * The pids of a known process in the pid namespaces below the daemon's. They never change, so the
 * examiner is asked at most once: with the first question about the process.
 */

/*
 * Learns the pids of the process in the namespaces below the daemon's, unless they are known. Call
 * with an answer after which the process was found alive. Asks nothing more if the process is in
 * the daemon's namespace. If the process exits meanwhile, nothing is learned. Returns as
 * host_process_ask_who().
 */
int host_process_learn_pids(HostProcess *process, const WhoAnswer *who);

/*
 * Returns the pids of the process in the namespaces below the daemon's, which stay the entry's, or
 * NULL if it has none or they are not known. Asks about them if that was not done.
 */
InnerPids *host_process_inner_pids(HostProcess *process);

/* Returns the pid namespace of the process. */
PidNamespace host_process_pid_namespace(const HostProcess *process);

#endif
