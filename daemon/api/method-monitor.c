/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild.Monitor: the daemon's state. */
#include <string.h>

#include "daemon/api/encode.h"
#include "daemon/api/limit-report.h"
#include "daemon/api/methods.h"
#include "daemon/api/metrics.h"
#include "proto/version.h"

/* Returns the total use of a limit if the caller sees everything, else the caller's own use. */
static uint64_t visible_use(const Request *request, LimitKind kind)
{
	Accounts *accounts = &request->service->broker->accounts;
	const Payer payer = payer_of(request->caller);

	return caller_sees_all(request->caller) ? accounts->used[kind]
						: accounts_used(accounts, &payer, kind);
}

static void write_remark(Writer *reply, const char *subject, const char *message)
{
	writer_object_begin(reply);
	writer_key(reply, "subject");
	writer_string(reply, subject);
	writer_key(reply, "message");
	writer_string(reply, message);
	writer_object_end(reply);
}

static void write_remarks(Request *request)
{
	Writer *reply = request->reply;
	const Statistics *statistics = &request->service->statistics;
	bool sees_all = caller_sees_all(request->caller);

	writer_key(reply, "remarks");
	writer_array_begin(reply);
	if (sees_all && statistics->configuration[0] != '\0')
		write_remark(reply, "the configuration", statistics->configuration);
	if (sees_all && statistics->devices[0] != '\0')
		write_remark(reply, "the GPU devices of the host", statistics->devices);
	for (size_t i = 0; sees_all && i < statistics->remark_count; i++)
		write_remark(reply, statistics->remarks[i].subject, statistics->remarks[i].message);
	if (sees_all && statistics->machines[0] != '\0')
		write_remark(reply, "the VMs of systemd-machined", statistics->machines);
	writer_array_end(reply);
}

NTSTATUS method_get_status(Request *request)
{
	Writer *reply = request->reply;
	const Statistics *statistics = &request->service->statistics;

	writer_key(reply, "version");
	writer_string(reply, VAILD_VERSION);
	writer_key(reply, "pid");
	writer_unsigned(reply, (uint64_t)inner_pids_translate(NULL, statistics->pid,
							      request->caller->pid_namespace));
	writer_key(reply, "startedAt");
	writer_seconds(reply, statistics->started_at);
	writer_key(reply, "underSystemd");
	writer_boolean(reply, statistics->under_systemd);
	writer_key(reply, "virtualMachines");
	writer_unsigned(reply, visible_use(request, LIMIT_VIRTUAL_MACHINES));
	writer_key(reply, "virtualGpus");
	writer_unsigned(reply, visible_use(request, LIMIT_VIRTUAL_GPUS));
	writer_key(reply, "registrations");
	writer_unsigned(reply, visible_use(request, LIMIT_REGISTRATIONS));
	writer_key(reply, "sharedObjects");
	writer_unsigned(reply, visible_use(request, LIMIT_OBJECTS));
	writer_key(reply, "displays");
	writer_unsigned(reply, visible_use(request, LIMIT_DISPLAYS));
	writer_key(reply, "connections");
	writer_unsigned(reply, visible_use(request, LIMIT_CONNECTIONS));
	writer_key(reply, "restored");
	writer_unsigned(reply, caller_sees_all(request->caller) ? statistics->restored : 0);
	writer_key(reply, "dropped");
	writer_unsigned(reply, caller_sees_all(request->caller) ? statistics->dropped : 0);
	limit_report_write(request);
	write_remarks(request);
	return STATUS_SUCCESS;
}

NTSTATUS method_get_metrics(Request *request)
{
	Buffer text = BUFFER_INIT;
	bool written = metrics_write(&text, request->service);

	if (written) {
		writer_key(request->reply, "openMetrics");
		writer_string(request->reply, buffer_head(&text));
	}
	buffer_deinit(&text);
	return written ? STATUS_SUCCESS : failure_no_memory(&request->failure);
}

NTSTATUS method_reload_configuration(Request *request)
{
	const Host *host = request->service->host;
	char mistake[sizeof(request->failure.message)];

	if (!host->reload_configuration(host->self, mistake, sizeof(mistake)))
		return failure_set(&request->failure, STATUS_INVALID_PARAMETER, "configuration",
				   "%s", mistake);
	request->changed = true;
	return STATUS_SUCCESS;
}
