/* SPDX-License-Identifier: MIT */
#include "tests/bench/fleet/played-local.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/local/local.h"
#include "proto/macros.h"
#include "tests/support/measure.h"

#define HOSTS_MAX 4096

struct Local {
	LocalHandlers handlers;
	void *context;
	FleetFacts facts;
};

static Local *locals[HOSTS_MAX]; /* by the number of the host */

static _printf_(1, 2) char *text(const char *format, ...)
{
	va_list arguments;
	char *made = NULL;

	va_start(arguments, format);
	if (vasprintf(&made, format, arguments) < 0)
		bench_fail("out of memory");
	va_end(arguments);
	return made;
}

static void play_vm(FleetFacts *facts, unsigned int host, unsigned int vm)
{
	FleetLocalVm *local = &facts->vms[vm];
	FleetGpuHolder *holder = &facts->gpus->gpu.holders[vm];
	char *guid = text(PLAYED_VM_FORMAT, host + 1, vm + 1);

	if (!guid_parse(guid, &local->guid))
		bench_fail("%s is no GUID", guid);
	free(guid);
	local->vm = (FleetVm){ .name = text("desktop-%u-%u", host, vm),
			       .vgpus = 1,
			       .registrations = 1,
			       .date = fleet_text_copy("2026-11-30T08:00:00Z") };
	*holder = (FleetGpuHolder){ .vm = local->guid, .type = fleet_text_copy("nvidia-558") };
}

static void play_gpu(FleetLocalGpu *local)
{
	snprintf(local->address, sizeof(local->address), "0000:41:00.0");
	local->gpu = (FleetGpu){ .name = fleet_text_copy("NVIDIA A40"),
				 .source = fleet_text_copy("device"),
				 .capacity = 32,
				 .used = PLAYED_VMS,
				 .types = calloc(1, sizeof(FleetGpuType)),
				 .type_count = 1,
				 .holders = calloc(PLAYED_VMS, sizeof(FleetGpuHolder)),
				 .holder_count = PLAYED_VMS };
	local->gpu.types[0] =
		(FleetGpuType){ .name = fleet_text_copy("nvidia-558"), .free = 32 - PLAYED_VMS };
}

FleetFacts played_facts(unsigned int host)
{
	FleetFacts facts = {
		.is_known = true,
		.host = { .name = text("host-%u", host),
			  .version = fleet_text_copy("0.1.0"),
			  .vms = PLAYED_VMS,
			  .registrations = PLAYED_VMS },
		.vms = calloc(PLAYED_VMS, sizeof(FleetLocalVm)),
		.vm_count = PLAYED_VMS,
		.gpus = calloc(1, sizeof(FleetLocalGpu)),
		.gpu_count = 1,
	};

	play_gpu(facts.gpus);
	for (unsigned int vm = 0; vm < PLAYED_VMS; vm++)
		play_vm(&facts, host, vm);
	return facts;
}

Local *local_new(struct event_base *base, const char *socket, const char *host_name,
		 const LocalHandlers *handlers, void *context)
{
	unsigned int host = (unsigned int)strtoul(socket, NULL, 10);
	Local *local = calloc(1, sizeof(*local));

	(void)base;
	(void)host_name;
	if (!local || host >= HOSTS_MAX)
		bench_fail("host %u cannot be played", host);
	*local = (Local){ .handlers = *handlers, .context = context, .facts = played_facts(host) };
	locals[host] = local;
	return local;
}

void local_free(Local *local)
{
	if (!local)
		return;
	fleet_facts_deinit(&local->facts);
	free(local);
}

const FleetFacts *local_facts(const Local *local)
{
	return &local->facts;
}

void local_set_quarantine(Local *local, const Guid *guid, const char *reason)
{
	(void)reason;
	local->handlers.on_quarantine(local->context, guid, false);
}

void played_local_register(unsigned int host, unsigned int vm, uint64_t registrations)
{
	Local *local = locals[host];
	FleetVm *changed = &local->facts.vms[vm].vm;

	local->facts.host.registrations += registrations - changed->registrations;
	changed->registrations = registrations;
	local->handlers.on_facts(local->context);
}
