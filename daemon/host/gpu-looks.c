/* SPDX-License-Identifier: MIT */
#include "daemon/host/gpu-looks.h"

#include <event2/event.h>
#include <stdlib.h>

#include "daemon/host/log/log.h"
#include "daemon/host/server.h"
#include "daemon/store/apply-look.h"

/*
 * If the examiner refuses a search, mostly because the last one about the same process has not
 * exited yet, requests wait for this many further attempts.
 */
#define LOOK_ATTEMPTS           30
#define LOOK_RETRY_MICROSECONDS 100000

#define SECOND UINT64_C(1000000)

/* While this many looks are under way, only requests begin further ones. */
#define LOOKS_AT_A_TIME 32

/* The looks at one VM. Exists while there is one, or one is due. */
struct VmLook {
	GpuLooks *looks;
	uint64_t vm;     /* its serial */
	GpuLook *result; /* of the look under way, else NULL */
	bool is_wanted;  /* another look has to begin when this one has ended */
	bool is_refused; /* the examiner could not make the search, or the process has exited */
	bool searches_incoming;
	unsigned int attempts; /* refused in a row */
	SearchRequest request;
	HostProcess *process; /* a reference to the one that is searched, or NULL */
	VmLookQueue *queue;   /* where it is due, or NULL */
	uint64_t due;         /* microseconds of Host.now() */
	TAILQ_HEAD(, ConnectionWaits) waiting;
	RB_ENTRY(VmLook) by_vm;
	TAILQ_ENTRY(VmLook) of_queue;
};

static int compare_looks(const VmLook *a, const VmLook *b)
{
	return compare_numbers(a->vm, b->vm);
}

TREE_GENERATE(VmLookTree, VmLook, by_vm, compare_looks)

/* --- when ------------------------------------------------------------------------------------ */

static uint64_t now(const GpuLooks *looks)
{
	return looks->server->host.now(looks->server);
}

/* Sets the timer to the first look that is due. */
static void set_timer(GpuLooks *looks)
{
	const VmLook *firsts[] = { TAILQ_FIRST(&looks->soon), TAILQ_FIRST(&looks->later),
				   TAILQ_FIRST(&looks->retries) };
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++)
		if (firsts[i] && firsts[i]->due < first)
			first = firsts[i]->due;
	if (first == UINT64_MAX || looks->under_way >= LOOKS_AT_A_TIME) {
		event_del(&looks->due_event);
		return;
	}
	uint64_t present = now(looks), left = first > present ? first - present : 0;
	struct timeval delay = { .tv_sec = (time_t)(left / SECOND),
				 .tv_usec = (suseconds_t)(left % SECOND) };
	event_add(&looks->due_event, &delay);
}

static void leave_queue(VmLook *look)
{
	if (look->queue)
		TAILQ_REMOVE(look->queue, look, of_queue);
	look->queue = NULL;
}

static void make_due(VmLook *look, VmLookQueue *queue, uint64_t microseconds)
{
	leave_queue(look);
	look->queue = queue;
	look->due = now(look->looks) + microseconds;
	TAILQ_INSERT_TAIL(queue, look, of_queue);
	set_timer(look->looks);
}

/* --- the VM and its look --------------------------------------------------------------------- */

static VmLook *find_look(GpuLooks *looks, uint64_t vm)
{
	return RB_FIND(VmLookTree, &looks->by_vm, &(VmLook){ .vm = vm });
}

/* Returns NULL if out of memory. */
static VmLook *get_look(GpuLooks *looks, uint64_t vm)
{
	VmLook *look = find_look(looks, vm);

	if (look)
		return look;
	look = calloc(1, sizeof(*look));
	if (!look)
		return NULL;
	look->looks = looks;
	look->vm = vm;
	TAILQ_INIT(&look->waiting);
	RB_INSERT(VmLookTree, &looks->by_vm, look);
	return look;
}

static void stop_waiting(ConnectionWaits *waits)
{
	TAILQ_REMOVE(&waits->look->waiting, waits, of_look);
	waits->look = NULL;
}

/* Gives all connections that wait a turn. Returns whether there were any. */
static bool wake(VmLook *look)
{
	bool has_waiters = !TAILQ_EMPTY(&look->waiting);
	ConnectionWaits *waits;

	while ((waits = TAILQ_FIRST(&look->waiting))) {
		stop_waiting(waits);
		connection_queue(waits->connection);
	}
	return has_waiters;
}

static void look_free(VmLook *look)
{
	leave_queue(look);
	RB_REMOVE(VmLookTree, &look->looks->by_vm, look);
	free(look->result);
	free(look);
}

/* Returns NULL if the VM has ended or is ending. */
static VirtualMachine *machine_of(const VmLook *look)
{
	Broker *broker = look->looks->server->service.broker;
	Entity *entity = entity_find(broker, ENTITY_VIRTUAL_MACHINE, look->vm);
	VirtualMachine *vm = entity_container(entity, VirtualMachine);

	return vm_is_ending(vm) ? NULL : vm;
}

/* --- looking --------------------------------------------------------------------------------- */

static void begin(VmLook *look);

/* Decides when the next look is due, or that none is. */
static void plan_next(VmLook *look, bool had_waiters)
{
	const VirtualMachine *vm = machine_of(look);

	if (look->is_wanted)
		begin(look);
	else if (!vm || vm->found_gpu_count == 0)
		look_free(look);
	else if (had_waiters || vm->registration_count > 0)
		make_due(look, &look->looks->soon, LOOK_SECONDS * SECOND);
	else
		make_due(look, &look->looks->later, LOOK_IDLE_SECONDS * SECOND);
}

static void finish(VmLook *look)
{
	struct Server *server = look->looks->server;
	VirtualMachine *vm = machine_of(look);
	GpuLook *result = TAKE_POINTER(look->result);

	look->looks->under_way--;
	if (vm && look->is_refused && !TAILQ_EMPTY(&look->waiting) &&
	    look->attempts++ < LOOK_ATTEMPTS) {
		make_due(look, &look->looks->retries, LOOK_RETRY_MICROSECONDS);
	} else {
		look->attempts = 0;
		if (vm)
			store_apply_look(&server->service.store, vm, result);
		plan_next(look, wake(look));
		upkeep_after_change(&server->upkeep);
	}
	set_timer(&server->looks);
	free(result);
}

static bool search(VmLook *look, const Process *process);

/* Searches the other process that runs the VM, if there is one. Returns false at the end. */
static bool search_next(VmLook *look)
{
	const VirtualMachine *vm = machine_of(look);

	if (!vm || !vm->incoming || look->searches_incoming)
		return false;
	look->searches_incoming = true;
	return search(look, vm->incoming->process);
}

static void on_answer(SearchRequest *request, Lookup lookup, uint32_t count)
{
	VmLook *look = container_of(request, VmLook, request);

	(void)count;
	host_process_unref(TAKE_POINTER(look->process));
	if (!look->looks->server->service.broker)
		return; /* the daemon stops */
	if (lookup == LOOKUP_FOUND)
		gpu_look_add(look->result, &look->looks->held);
	else if (lookup != LOOKUP_ABSENT)
		look->result->is_certain = false;
	look->is_refused |= lookup == LOOKUP_EXHAUSTED || lookup == LOOKUP_GONE;
	if (!search_next(look))
		finish(look);
}

/* Begins to search the process. Returns false, with the look refused, if that is impossible. */
static bool search(VmLook *look, const Process *process)
{
	struct Server *server = look->looks->server;
	Payer payer = { .uid = process->uid };

	look->process = process_table_find(&server->processes, process->key);
	/* Without its uid, all found VMs would share one user's number of searches. */
	if (look->process && host_process_complete_uid(look->process, &payer.uid) != LOOKUP_FOUND)
		look->process = NULL;
	if (look->process) {
		look->request = (SearchRequest){ .answered = on_answer,
						 .topic = SEARCH_HELD_GPUS,
						 .process = process->key,
						 .held = &look->looks->held };
		host_process_ref(look->process);
		if (examiner_ask_search(&server->examiner, &look->request, look->process->pid,
					look->process->pidfd, &payer) == LOOKUP_PENDING)
			return true;
		host_process_unref(TAKE_POINTER(look->process));
	}
	look->result->is_certain = false;
	look->is_refused = true;
	return false;
}

static void begin(VmLook *look)
{
	const VirtualMachine *vm = machine_of(look);

	leave_queue(look);
	look->is_wanted = look->is_refused = look->searches_incoming = false;
	look->result = vm ? calloc(1, sizeof(*look->result)) : NULL;
	if (!look->result) { /* the requests notice that the VM has ended, or try again */
		wake(look);
		look_free(look);
		return;
	}
	look->looks->under_way++;
	look->result->number = gpu_look_begin(look->looks->server->service.broker);
	look->result->is_certain = true;
	if (!search(look, vm->vmm) && !search_next(look))
		finish(look);
}

static void begin_due(GpuLooks *looks, VmLookQueue *queue)
{
	uint64_t present = now(looks);
	VmLook *look;

	while (looks->under_way < LOOKS_AT_A_TIME && (look = TAILQ_FIRST(queue)) &&
	       look->due <= present)
		begin(look);
}

static void on_due(evutil_socket_t fd, short what, void *context)
{
	GpuLooks *looks = context;

	(void)fd;
	(void)what;
	begin_due(looks, &looks->retries);
	begin_due(looks, &looks->soon);
	begin_due(looks, &looks->later);
	set_timer(looks);
}

void gpu_looks_want(GpuLooks *looks, uint64_t vm, uint64_t number, Connection *connection)
{
	VmLook *look = get_look(looks, vm);
	ConnectionWaits *waits = connection_get_waits(connection);

	if (!look || !waits) {
		connection_queue(connection); /* it tries again */
		return;
	}
	if (!waits->look) {
		waits->look = look;
		TAILQ_INSERT_TAIL(&look->waiting, waits, of_look);
	}
	if (look->result)
		look->is_wanted |= look->result->number < number;
	else if (look->queue != &looks->retries)
		begin(look);
}

void gpu_looks_end_wait(ConnectionWaits *waits)
{
	if (waits->look)
		stop_waiting(waits);
}

/* --- changes --------------------------------------------------------------------------------- */

/* Lets a look be due soon, unless one is due or under way. */
static void expect(GpuLooks *looks, uint64_t vm)
{
	VmLook *look = get_look(looks, vm);

	if (look && !look->result && !look->queue)
		make_due(look, &looks->soon, LOOK_SECONDS * SECOND);
}

/*
 * Lets a look be due at once. It cannot begin now, because the core is in the middle of the change.
 */
static void demand(GpuLooks *looks, uint64_t vm)
{
	VmLook *look = get_look(looks, vm);

	if (look && look->result)
		look->is_wanted = true;
	else if (look && look->queue != &looks->retries)
		make_due(look, &looks->retries, 0);
}

/* The VM has a registration, so the next look is due soon. */
static void hasten(GpuLooks *looks, const VirtualMachine *vm)
{
	VmLook *look = find_look(looks, vm->entity.serial);

	if (look && look->queue == &looks->later)
		make_due(look, &looks->soon, LOOK_SECONDS * SECOND);
}

void gpu_looks_note(GpuLooks *looks, const Event *event)
{
	const Entity *entity = event->entity;
	const VirtualMachine *vm;

	switch (event->kind) {
	case EVENT_VIRTUAL_MACHINE_CHANGED:
		vm = container_of(entity, VirtualMachine, entity);
		if (event->hand_over != HAND_OVER_NONE && vm->found_gpu_count > 0)
			demand(looks, entity->serial);
		break;
	case EVENT_REGISTERED:
		hasten(looks, container_of(entity, Registration, entity)->vm);
		break;
	case EVENT_VIRTUAL_GPU_REMOVED:
		/* The registrations may now depend on what the VMM has open. */
		vm = container_of(entity, VirtualGpu, entity)->vm;
		if (vm->registration_count > 0 && vm->found_gpu_count > 0 && !vm_is_ending(vm))
			expect(looks, vm->entity.serial);
		break;
	default:
		break;
	}
}

void gpu_looks_start(GpuLooks *looks)
{
	Broker *broker = looks->server->service.broker;
	const VirtualMachine *vm;
	uint64_t cursor = 0;

	while ((vm = vm_after(broker, cursor))) {
		cursor = vm->entity.serial;
		if (!vm_is_ending(vm) && vm->found_gpu_count > 0)
			demand(looks, cursor);
	}
}

void gpu_looks_init(GpuLooks *looks, struct Server *server)
{
	*looks = (GpuLooks){ .server = server };
	RB_INIT(&looks->by_vm);
	TAILQ_INIT(&looks->soon);
	TAILQ_INIT(&looks->later);
	TAILQ_INIT(&looks->retries);
	event_assign(&looks->due_event, server->base, -1, 0, on_due, looks);
	event_priority_set(&looks->due_event, 1);
}

void gpu_looks_deinit(GpuLooks *looks)
{
	VmLook *look;

	event_del(&looks->due_event);
	while ((look = RB_MIN(VmLookTree, &looks->by_vm))) {
		if (look->process)
			host_process_unref(look->process);
		look_free(look);
	}
}
