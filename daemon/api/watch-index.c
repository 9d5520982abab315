/* SPDX-License-Identifier: MIT */
#include "daemon/api/watch-index.h"

#include "daemon/api/session.h"

static int compare_processes(const Stream *a, const Stream *b)
{
	int order = compare_numbers(a->process, b->process);

	return order != 0 ? order : compare_numbers(a->number, b->number);
}

static int compare_uids(const Stream *a, const Stream *b)
{
	int order = compare_numbers(a->uid, b->uid);

	return order != 0 ? order : compare_numbers(a->number, b->number);
}

TREE_GENERATE(WatchProcessTree, Stream, by_process, compare_processes)
TREE_GENERATE(WatchUidTree, Stream, by_uid, compare_uids)

/* --- filing ---------------------------------------------------------------------------------- */

static void file_watch(Service *service, Stream *watch)
{
	watch->is_full = caller_sees_all(watch->session->caller);
	if (watch->is_full) {
		LIST_INSERT_HEAD(&service->full_watches, watch, of_full);
		return;
	}
	RB_INSERT(WatchProcessTree, &service->watches_by_process, watch);
	RB_INSERT(WatchUidTree, &service->watches_by_uid, watch);
	service->user_watch_count++;
}

static void unfile_watch(Service *service, Stream *watch)
{
	if (watch->is_full) {
		LIST_REMOVE(watch, of_full);
		return;
	}
	RB_REMOVE(WatchProcessTree, &service->watches_by_process, watch);
	RB_REMOVE(WatchUidTree, &service->watches_by_uid, watch);
	service->user_watch_count--;
}

void watch_index_add(Service *service, Stream *watch)
{
	watch->number = ++service->last_watch;
	watch->process = watch->session->caller->process;
	watch->uid = watch->session->caller->credentials.uid;
	TAILQ_INSERT_TAIL(&service->watches, watch, link);
	file_watch(service, watch);
}

void watch_index_remove(Service *service, Stream *watch)
{
	unfile_watch(service, watch);
	TAILQ_REMOVE(&service->watches, watch, link);
}

void watch_index_reclassify(Service *service, Stream *watch)
{
	if (watch->is_full == caller_sees_all(watch->session->caller))
		return;
	unfile_watch(service, watch);
	file_watch(service, watch);
}

/* --- finding --------------------------------------------------------------------------------- */

/* Visits the watch, unless it was visited for this event already. */
static void visit_once(WatchVisit *visit, Stream *watch)
{
	if (watch->last_visit == visit->service->watch_visits)
		return;
	watch->last_visit = visit->service->watch_visits;
	visit->visit(visit, watch);
}

static void visit_process(WatchVisit *visit, ProcessKey process)
{
	Stream first = { .process = process };
	Stream *watch = RB_NFIND(WatchProcessTree, &visit->service->watches_by_process, &first);

	for (; watch && watch->process == process; watch = RB_NEXT(WatchProcessTree, NULL, watch))
		visit_once(visit, watch);
}

static void visit_uid(WatchVisit *visit, uid_t uid)
{
	Stream first = { .uid = uid };
	Stream *watch = RB_NFIND(WatchUidTree, &visit->service->watches_by_uid, &first);

	for (; watch && watch->uid == uid; watch = RB_NEXT(WatchUidTree, NULL, watch))
		visit_once(visit, watch);
}

static void visit_agent(WatchVisit *visit, const Agent *agent)
{
	if (agent->process)
		visit_process(visit, agent->process->key);
	else if (agent->user)
		visit_uid(visit, agent->uid);
}

/* Visits the processes that are registered for the VM, or all watches if there are fewer. */
static void visit_registered(WatchVisit *visit, const VirtualMachine *vm)
{
	Service *service = visit->service;
	const Registration *registration;
	Stream *watch;

	if (vm->registration_count > service->user_watch_count) {
		RB_FOREACH (watch, WatchProcessTree, &service->watches_by_process)
			visit_once(visit, watch);
		return;
	}
	LIST_FOREACH (registration, &vm->registrations, of_vm)
		visit_process(visit, registration->process->key);
}

static void visit_users_of_vm(WatchVisit *visit, const VirtualMachine *vm)
{
	visit_process(visit, vm->vmm->key);
	visit_agent(visit, &vm->agent);
	if (vm->incoming) {
		visit_process(visit, vm->incoming->process->key);
		visit_agent(visit, &vm->incoming->agent);
	}
	visit_registered(visit, vm);
}

void watch_index_visit(WatchVisit *visit, const VirtualMachine *vm)
{
	Service *service = visit->service;
	const Entity *entity = visit->event->entity;
	Stream *watch;

	service->watch_visits++;
	LIST_FOREACH (watch, &service->full_watches, of_full)
		visit_once(visit, watch);
	if (service->user_watch_count == 0)
		return;
	if (vm)
		visit_users_of_vm(visit, vm);
	if (visit->event->former_vmm)
		visit_process(visit, visit->event->former_vmm->key);
	if (visit->event->former_agent)
		visit_agent(visit, visit->event->former_agent);
	if (entity->type == ENTITY_REGISTRATION)
		visit_process(visit, container_of(entity, Registration, entity)->process->key);
	if (entity->type == ENTITY_GPU_PROCESS)
		visit_process(visit,
			      container_of(entity, GpuProcess, entity)->adapter->driver_process);
}
