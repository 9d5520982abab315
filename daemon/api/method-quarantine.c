/* SPDX-License-Identifier: MIT */
/* io.vaild.Machine: quarantine, which belongs to a GUID and lasts. */
#include <string.h>

#include "encode.h"
#include "methods.h"

static NTSTATUS not_kept(Request *request)
{
	return failure_set(&request->failure, STATUS_INSUFFICIENT_RESOURCES, "store",
			   "the quarantine could not be written to the state directory, and is as "
			   "it was; see the daemon's log");
}

static NTSTATUS impose(Request *request)
{
	const Host *host = request->service->host;
	Broker *broker = request->service->broker;
	const QuarantineParams *params = &request->params.quarantine;
	Quarantine *quarantine = quarantine_find(broker, &params->virtual_machine);
	/* Imposed again without a reason, it keeps the one that it has. */
	const char *text = params->reason || !quarantine ? params->reason : quarantine->reason;
	_cleanup_free_ char *reason = text ? strdup(text) : NULL;

	if (text && !reason)
		return failure_no_memory(&request->failure);
	const Payer payer = payer_of(request->caller);
	NTSTATUS status = quarantine_prepare(broker, &payer, &params->virtual_machine, &reason,
					     &quarantine, &request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	if (!host->keep_quarantine(host->self, &quarantine->guid, quarantine->reason)) {
		quarantine_discard(broker, quarantine);
		return not_kept(request);
	}
	quarantine_commit(broker, quarantine);
	return STATUS_SUCCESS;
}

static NTSTATUS lift(Request *request)
{
	const Host *host = request->service->host;
	Broker *broker = request->service->broker;
	Quarantine *quarantine = quarantine_find(broker, &request->params.virtual_machine);

	if (!quarantine)
		return STATUS_SUCCESS; /* it is as it is asked to be */
	if (!host->drop_quarantine(host->self, &quarantine->guid))
		return not_kept(request);
	quarantine_lift(broker, quarantine);
	return STATUS_SUCCESS;
}

NTSTATUS method_set_quarantine(Request *request)
{
	NTSTATUS status =
		request->params.quarantine.quarantined.value ? impose(request) : lift(request);

	request->changed = status == STATUS_SUCCESS;
	return status;
}

static bool quarantine_is_visible(Service *service, const Caller *caller, const Thing *thing)
{
	(void)service;
	(void)thing;
	return caller->is_operator; /* the rule has let nobody else come here */
}

static void quarantine_write(Service *service, Writer *writer, const Thing *thing)
{
	(void)service;
	encode_quarantine(writer, container_of(thing, Quarantine, thing));
}

const ListOperations list_quarantines = {
	.next = next_thing,
	.type = THING_QUARANTINE,
	.is_visible = quarantine_is_visible,
	.write = quarantine_write,
};
