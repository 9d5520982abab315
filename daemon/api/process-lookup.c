/* SPDX-License-Identifier: MIT */
#include "daemon/api/process-lookup.h"

#include "daemon/api/dispatch.h"

static NTSTATUS no_such_process(Request *request, const char *path)
{
	return failure_parameter(
		&request->failure, path,
		"is not the pid of a live process in your pid namespace; give the number "
		"that \"ps\" shows where you are");
}

NTSTATUS process_read(Request *request, const char *path, ResolvedProcess *process)
{
	const Host *host = request->service->host;

	switch (host->read_credentials(host->self, process->key, &process->credentials)) {
	case LOOKUP_FOUND:
		return STATUS_SUCCESS;
	case LOOKUP_EXHAUSTED:
		return caller_lookup_failure(LOOKUP_EXHAUSTED, &request->failure);
	case LOOKUP_UNREADABLE:
		return failure_parameter(&request->failure, path,
					 "is a process whose credentials cannot be read; run the "
					 "daemon with CAP_SYS_PTRACE");
	default:
		return no_such_process(request, path);
	}
}

NTSTATUS process_check_own(Request *request, const char *path, const ResolvedProcess *process)
{
	ResolvedProcess caller = { .key = request->caller->process, .pid = request->caller->pid };

	if (request->caller->is_operator)
		return STATUS_SUCCESS;
	NTSTATUS status = process_read(request, path, &caller);
	bool own = status == STATUS_SUCCESS &&
		   caller.credentials.uids[ID_EFFECTIVE] == request->caller->credentials.uid &&
		   credentials_are_own(&process->credentials, &caller.credentials);
	credentials_deinit(&caller.credentials);
	if (status != STATUS_SUCCESS || own)
		return status;
	return no_such_process(request, path);
}

NTSTATUS process_resolve(Request *request, const char *path, uint64_t pid, ResolvedProcess *ret)
{
	const Host *host = request->service->host;

	if (pid == 0 || pid > INT32_MAX)
		return no_such_process(request, path);
	Lookup lookup =
		host->find_process(host->self, request->caller, (pid_t)pid, &ret->key, &ret->pid);
	if (lookup == LOOKUP_PENDING)
		return STATUS_PENDING;
	if (lookup == LOOKUP_EXHAUSTED)
		return caller_lookup_failure(lookup, &request->failure);
	if (lookup != LOOKUP_FOUND)
		return no_such_process(request, path);
	NTSTATUS status = process_read(request, path, ret);
	return status == STATUS_SUCCESS ? process_check_own(request, path, ret) : status;
}
