/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/process-pids.h"

#include <errno.h>

static int ask_pids(const HostProcess *process, PidsAnswer *ret)
{
	const ProcessTable *table = process->table;

	if (table->examiner)
		return examiner_ask_pids(table->examiner, process->pid, ret);
	examine_pids(&table->roots, process->pid, ret);
	return 0;
}

int host_process_learn_pids(HostProcess *process, const WhoAnswer *who)
{
	PidsAnswer answer = { 0 };

	if (process->knows_pids)
		return 0;
	if (!who->is_in_own_pid_namespace) {
		int error = ask_pids(process, &answer);

		if (error < 0)
			return error;
		if (answer.error != 0 || !host_process_is_alive(process))
			return 0;
	}
	if (answer.count > 0) {
		process->pid_namespace = pid_namespace_get(&process->table->pid_namespaces, &answer,
							   &process->inner_pids);
		if (!process->pid_namespace)
			return -ENOMEM;
	}
	process->knows_pids = true;
	return 0;
}

InnerPids *host_process_inner_pids(HostProcess *process)
{
	WhoAnswer who;

	if (!process->knows_pids && host_process_ask_who(process, &who) == 0 &&
	    host_process_is_alive(process))
		host_process_learn_pids(process, &who);
	return process->inner_pids;
}

PidNamespace host_process_pid_namespace(const HostProcess *process)
{
	if (!process->knows_pids)
		return PID_NAMESPACE_UNKNOWN;
	return process->pid_namespace ? process->pid_namespace->number : PID_NAMESPACE_OWN;
}
