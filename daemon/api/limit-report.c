/* SPDX-License-Identifier: MIT */
#include "daemon/api/limit-report.h"

#include "daemon/api/dispatch.h"
#include "daemon/api/encode.h"

/* One element of the array. */
typedef struct LimitReport {
	const char *name;
	uint64_t maximum;
	uint64_t maximum_for_others; /* less than maximum if operators have a reserve */
	uint64_t used;
	uint64_t highest;     /* use of fullest */
	const Payer *fullest; /* the payer with the highest use; NULL if it is not reported */
	const VirtualMachine *virtual_machine; /* whose use it is; NULL if it is of none */
	const GpuProcess *gpu_process;
	const Adapter *adapter;
} LimitReport;

static void write_limit(Writer *reply, const LimitReport *limit)
{
	writer_object_begin(reply);
	writer_key(reply, "name");
	writer_string(reply, limit->name);
	writer_key(reply, "maximum");
	writer_unsigned(reply, limit->maximum);
	writer_key(reply, "used");
	writer_unsigned(reply, limit->used);
	if (limit->maximum_for_others < limit->maximum) {
		writer_key(reply, "maximumForOthers");
		writer_unsigned(reply, limit->maximum_for_others);
	}
	if (limit->fullest) {
		writer_key(reply, "highest");
		writer_unsigned(reply, limit->highest);
		writer_key(reply, "uid");
		writer_unsigned(reply, limit->fullest->uid);
	}
	if (limit->virtual_machine) {
		writer_key(reply, "virtualMachineGuid");
		writer_guid(reply, &limit->virtual_machine->guid);
	}
	if (limit->gpu_process) {
		writer_key(reply, "gpuProcess");
		writer_handle(reply, &limit->gpu_process->handle_entry.handle);
	}
	if (limit->adapter) {
		writer_key(reply, "adapter");
		writer_handle(reply, &limit->adapter->handle_entry.handle);
	}
	writer_object_end(reply);
}

/* ---- The entities with the highest use ---- */

/* The GPU process or VM that uses most of a limit on one of them. */
typedef struct Highest {
	uint64_t used;
	const GpuProcess *gpu_process;
	const VirtualMachine *machine;
} Highest;

typedef struct Fullest {
	Highest of_limits[LIMIT_MAX];
	Highest of_virtual_gpus;
} Fullest;

static void look_at_process(Fullest *fullest, const GpuProcess *gpu_process)
{
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		uint64_t used = address_space_count(&gpu_process->space, kind);

		if (used > fullest->of_limits[kind].used)
			fullest->of_limits[kind] =
				(Highest){ .used = used, .gpu_process = gpu_process };
	}
}

static void compare_machine(Highest *highest, const VirtualMachine *vm, uint64_t used)
{
	if (used > highest->used)
		*highest = (Highest){ .used = used, .machine = vm };
}

/* There can be thousands of VMs, so nothing is done here for the limits that are not of VMs. */
static void look_at_machine(Fullest *fullest, const VirtualMachine *vm)
{
	compare_machine(&fullest->of_limits[LIMIT_OBJECTS], vm, vm->object_count);
	compare_machine(&fullest->of_limits[LIMIT_OBJECT_MEBIBYTES], vm, vm->object_mebibytes);
	compare_machine(&fullest->of_limits[LIMIT_DISPLAYS], vm, vm->display_count);
	compare_machine(&fullest->of_virtual_gpus, vm, vm->virtual_gpu_count);
}

/* Looks at all GPU processes if the caller sees everything, else at the calling process's own. */
static void look_at_processes(const Request *request, Fullest *fullest)
{
	Broker *broker = request->service->broker;
	const Process *process = process_find(broker, request->caller->process);
	const GpuProcess *gpu_process;
	const Entity *entity = NULL;

	if (caller_sees_all(request->caller))
		entity = entity_after(broker, ENTITY_GPU_PROCESS, 0);
	else if (process)
		LIST_FOREACH (gpu_process, &process->gpu_processes, of_process)
			look_at_process(fullest, gpu_process);
	for (; entity; entity = entity_next(entity))
		look_at_process(fullest, container_of(entity, GpuProcess, entity));
}

/* Looks at the VMs that the caller administers or shares objects for. */
static void look_at_machines(const Request *request, Fullest *fullest)
{
	Broker *broker = request->service->broker;
	const Caller *caller = request->caller;
	const Payer payer = payer_of(caller);
	const Entity *entity = entity_after(broker, ENTITY_VIRTUAL_MACHINE, 0);

	/* Saves strangers the walk. */
	if (!caller_sees_all(caller) && !caller_may_share(request->service, caller) &&
	    accounts_used(&broker->accounts, &payer, LIMIT_VIRTUAL_MACHINES) == 0)
		return;
	for (; entity; entity = entity_next(entity)) {
		const VirtualMachine *vm = container_of(entity, VirtualMachine, entity);

		if (!vm_is_ending(vm) && caller_monitors_vm(caller, vm))
			look_at_machine(fullest, vm);
	}
}

static Fullest find_fullest(const Request *request)
{
	Fullest fullest = { 0 };

	look_at_processes(request, &fullest);
	look_at_machines(request, &fullest);
	return fullest;
}

/* ---- The limits ---- */

static void write_limit_per_uid(Request *request, LimitKind kind, const Account *fullest)
{
	Accounts *accounts = &request->service->broker->accounts;
	const Payer payer = payer_of(request->caller);
	LimitReport limit = {
		.name = limit_name(kind, true),
		.maximum = limits_per_uid(&accounts->limits, &payer, kind),
		.maximum_for_others = UINT64_MAX,
		.used = accounts_used(accounts, &payer, kind),
	};

	if (fullest) {
		limit.highest = fullest->used[kind];
		limit.fullest = &fullest->payer;
	}
	write_limit(request->reply, &limit);
}

static void write_total(Request *request, LimitKind kind)
{
	const Accounts *accounts = &request->service->broker->accounts;

	if (caller_sees_all(request->caller))
		write_limit(request->reply, &(LimitReport){
						    .name = limit_name(kind, false),
						    .maximum = accounts->limits.host_wide[kind],
						    .maximum_for_others = limit_maximum_for_others(
							    &accounts->limits, kind),
						    .used = accounts->used[kind],
					    });
}

static void write_limit_of_entity(Request *request, LimitKind kind, const Fullest *fullest)
{
	const Highest *highest = &fullest->of_limits[kind];
	LimitReport limit = {
		.name = limit_entity_name(kind),
		.maximum = request->service->broker->accounts.limits.per_entity[kind],
		.maximum_for_others = UINT64_MAX,
		.used = highest->used,
		.virtual_machine = highest->machine,
		.gpu_process = highest->gpu_process,
	};

	if (limit.name)
		write_limit(request->reply, &limit);
}

/* Writes the limit of the adapter with the fewest vGPUs left. */
static void write_limit_of_adapter(Request *request)
{
	const Entity *entity = entity_after(request->service->broker, ENTITY_ADAPTER, 0);
	const Adapter *fullest = NULL;

	for (; entity; entity = entity_next(entity)) {
		const Adapter *adapter = container_of(entity, Adapter, entity);
		uint64_t left = adapter->max_virtual_gpus - adapter->virtual_gpus;

		if (adapter->max_virtual_gpus > 0 &&
		    (!fullest || left < fullest->max_virtual_gpus - fullest->virtual_gpus))
			fullest = adapter;
	}
	if (fullest)
		write_limit(request->reply, &(LimitReport){ .name = LIMIT_NAME_ADAPTER_VIRTUAL_GPUS,
							    .maximum = fullest->max_virtual_gpus,
							    .maximum_for_others = UINT64_MAX,
							    .used = fullest->virtual_gpus,
							    .adapter = fullest });
}

static void write_closes(Request *request)
{
	const Host *host = request->service->host;
	Payer payer = payer_of(request->caller);
	LimitReport limit = {
		.name = LIMIT_NAME_CLOSES,
		.maximum = LIMIT_CLOSES_UNDER_WAY,
		.maximum_for_others = UINT64_MAX,
		.used = host->count_closes(host->self, &payer, NULL),
	};

	if (caller_sees_all(request->caller))
		limit.highest = host->count_closes(host->self, NULL, &payer.uid);
	if (limit.highest > 0)
		limit.fullest = &payer;
	write_limit(request->reply, &limit);
}

static void write_limit_of_machine(Request *request, const Highest *highest)
{
	write_limit(request->reply, &(LimitReport){
					    .name = LIMIT_NAME_MACHINE_VIRTUAL_GPUS,
					    .maximum = LIMIT_VIRTUAL_GPUS_OF_MACHINE,
					    .maximum_for_others = UINT64_MAX,
					    .used = highest->used,
					    .virtual_machine = highest->machine,
				    });
}

void limit_report_write(Request *request)
{
	Writer *reply = request->reply;
	const Fullest fullest = find_fullest(request);
	const Account *accounts[LIMIT_MAX] = { NULL };

	if (caller_sees_all(request->caller))
		accounts_find_fullest(&request->service->broker->accounts, accounts);
	writer_key(reply, "limits");
	writer_array_begin(reply);
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		write_limit_per_uid(request, kind, accounts[kind]);
		write_total(request, kind);
		write_limit_of_entity(request, kind, &fullest);
	}
	write_limit_of_machine(request, &fullest.of_virtual_gpus);
	write_limit_of_adapter(request);
	write_closes(request);
	writer_array_end(reply);
}
