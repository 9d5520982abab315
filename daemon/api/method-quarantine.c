/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild.Machine: quarantines, which belong to a GUID and survive reboots. */
#include <string.h>

#include "daemon/api/encode.h"
#include "daemon/api/methods.h"
#include "proto/quarantine-reason.h"

static NTSTATUS persist_failure(Request *request)
{
	return failure_set(&request->failure, STATUS_INSUFFICIENT_RESOURCES, "store",
			   "the quarantine was not changed, because it cannot be written to the "
			   "state directory; see the daemon's log");
}

/*
 * Returns the reason of a quarantine that is imposed. Imposed again without a reason, it keeps the
 * reason that it has, except one of the fleet's: the fleet would lift the quarantine later.
 */
static const char *reason_to_impose(const QuarantineParams *params, const Quarantine *old)
{
	static const char of_fleet[] = QUARANTINE_REASON_OF_FLEET;

	if (params->reason || !old || !old->reason)
		return params->reason;
	return strncmp(old->reason, of_fleet, strlen(of_fleet)) == 0 ? NULL : old->reason;
}

static NTSTATUS impose(Request *request)
{
	const Host *host = request->service->host;
	Broker *broker = request->service->broker;
	const QuarantineParams *params = &request->params.quarantine;
	Quarantine *quarantine = quarantine_find(broker, &params->virtual_machine);
	const char *text = reason_to_impose(params, quarantine);
	_cleanup_free_ char *reason = text ? strdup(text) : NULL;

	if (text && !reason)
		return failure_no_memory(&request->failure);
	const Payer payer = payer_of(request->caller);
	NTSTATUS status = quarantine_prepare(broker, &payer, &params->virtual_machine, &reason,
					     &quarantine, &request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	if (!host->persist_quarantine(host->self, &quarantine->guid, quarantine->reason, &payer)) {
		quarantine_discard(broker, quarantine);
		return persist_failure(request);
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
		return STATUS_SUCCESS;
	if (!host->remove_quarantine(host->self, &quarantine->guid))
		return persist_failure(request);
	quarantine_lift(broker, quarantine);
	return STATUS_SUCCESS;
}

/* Refuses a change of a quarantine that has another reason than the caller expects. */
static NTSTATUS check_expected_reason(Request *request)
{
	const QuarantineParams *params = &request->params.quarantine;
	const Quarantine *quarantine =
		quarantine_find(request->service->broker, &params->virtual_machine);

	if (!params->expected_reason || !quarantine)
		return STATUS_SUCCESS;
	const char *reason = quarantine->reason ? quarantine->reason : "";
	if (strcmp(reason, params->expected_reason) == 0)
		return STATUS_SUCCESS;
	return failure_set(&request->failure, STATUS_INVALID_DEVICE_STATE, "otherReason",
			   "the quarantine was not changed, because it has another reason than "
			   "expected; list the quarantines again");
}

NTSTATUS method_set_quarantine(Request *request)
{
	NTSTATUS status = check_expected_reason(request);

	if (status == STATUS_SUCCESS)
		status = request->params.quarantine.quarantined.value ? impose(request)
								      : lift(request);
	request->changed = status == STATUS_SUCCESS;
	return status;
}

static bool quarantine_is_visible(Service *service, const Caller *caller, const Entity *entity)
{
	(void)service;
	(void)entity;
	/* As the method's rule, which a reload may have made untrue while the list is read. */
	return caller_sees_all(caller) || caller->may_quarantine;
}

static void quarantine_write(const ListView *view, Writer *writer, const Entity *entity)
{
	(void)view;
	encode_quarantine(writer, container_of(entity, Quarantine, entity));
}

const ListOperations list_quarantines = {
	.next = list_next_entity,
	.count = list_count_entities,
	.type = ENTITY_QUARANTINE,
	.is_visible = quarantine_is_visible,
	.write = quarantine_write,
};
