/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/model/freshness.h"
#include "daemon/fleet/model/place.h"
#include "daemon/fleet/server/answer.h"

static void write_text(Writer *writer, const char *text)
{
	writer_string(writer, text ? text : "");
}

/* Writes a member that is a text, unless it is empty. */
#define write_optional(writer, name, text)           \
	do {                                         \
		if ((text)[0] != '\0') {             \
			writer_key(writer, name);    \
			writer_string(writer, text); \
		}                                    \
	} while (0)

static void write_number(Writer *writer, uint64_t number)
{
	writer_unsigned(writer, number);
}

void write_freshness(Writer *writer, const FleetService *service)
{
	FleetFreshness freshness;

	fleet_index_freshness(service->index, service->now, &freshness);
	writer_key(writer, "current");
	writer_boolean(writer, freshness.is_current);
	if (!freshness.problem[0])
		return;
	if (freshness.has_age) {
		writer_key(writer, "age");
		writer_seconds(writer, freshness.age * 1000);
	}
	writer_key(writer, "problem");
	write_text(writer, freshness.problem);
}

/* Writes a host by its ID and name. */
static void write_host_of(Writer *writer, const FleetService *service, const HostId *host)
{
	const FleetEntry *entry = fleet_index_host(service->index, host);

	writer_key(writer, "host");
	writer_handle(writer, host);
	writer_key(writer, "hostName");
	write_text(writer, entry ? entry->value.host.name : "");
}

static void write_host(Writer *writer, const FleetService *service, const FleetEntry *entry)
{
	const FleetHost *host = &entry->value.host;
	const FleetEntry *gpu = fleet_index_first_gpu(service->index, &entry->key.host);
	uint64_t adapters = 0, free = 0;

	for (; gpu; gpu = fleet_index_next_gpu(gpu)) {
		adapters++;
		if (!fleet_gpu_is_software(&gpu->value.gpu))
			free += fleet_gpu_free(&gpu->value.gpu, NULL);
	}
	writer_object_begin(writer);
	writer_key(writer, "host");
	writer_handle(writer, &entry->key.host);
	writer_key(writer, "name");
	write_text(writer, host->name);
	writer_key(writer, "version");
	write_text(writer, host->version);
	writer_key(writer, "vaildIsAway");
	writer_boolean(writer, host->is_vaild_away);
	writer_key(writer, "self");
	writer_boolean(writer, handle_compare(&entry->key.host, &service->index->self) == 0);
	writer_key(writer, "virtualMachines");
	write_number(writer, host->vms);
	writer_key(writer, "registrations");
	write_number(writer, host->registrations);
	writer_key(writer, "adapters");
	write_number(writer, adapters);
	writer_key(writer, "free");
	write_number(writer, free);
	writer_object_end(writer);
}

static void write_vm(Writer *writer, const FleetService *service, const FleetEntry *entry)
{
	const FleetVm *vm = &entry->value.vm;
	const FleetEntry *where = fleet_index_where(service->index, &entry->key.vm);
	bool is_here = where && handle_compare(&where->value.where.host, &entry->key.host) == 0;

	writer_object_begin(writer);
	writer_key(writer, "virtualMachineGuid");
	writer_guid(writer, &entry->key.vm);
	write_optional(writer, "name", vm->name);
	write_host_of(writer, service, &entry->key.host);
	writer_key(writer, "state");
	write_text(writer, fleet_vm_state_name(vm->state));
	writer_key(writer, "where");
	writer_boolean(writer, is_here);
	writer_key(writer, "virtualGpus");
	write_number(writer, vm->vgpus);
	writer_key(writer, "registrations");
	write_number(writer, vm->registrations);
	write_optional(writer, "date", vm->date);
	writer_object_end(writer);
}

static void write_gpu(Writer *writer, const FleetService *service, const FleetEntry *entry)
{
	const FleetGpu *gpu = &entry->value.gpu;

	writer_object_begin(writer);
	write_host_of(writer, service, &entry->key.host);
	writer_key(writer, "address");
	write_text(writer, entry->key.address);
	writer_key(writer, "name");
	write_text(writer, gpu->name);
	writer_key(writer, "source");
	write_text(writer, gpu->source);
	writer_key(writer, "capacity");
	write_number(writer, gpu->capacity);
	writer_key(writer, "used");
	write_number(writer, gpu->used);
	writer_key(writer, "takesAnyType");
	writer_boolean(writer, gpu->takes_any_type);
	fleet_gpu_write_types(writer, gpu);
	fleet_gpu_write_holders(writer, gpu);
	writer_object_end(writer);
}

static void write_quarantine(Writer *writer, const FleetService *service, const FleetEntry *entry)
{
	const FleetQuarantine *quarantine = &entry->value.quarantine;

	(void)service;
	if (quarantine->is_released)
		return;
	writer_object_begin(writer);
	writer_key(writer, "virtualMachineGuid");
	writer_guid(writer, &entry->key.vm);
	write_optional(writer, "reason", quarantine->reason);
	write_optional(writer, "who", quarantine->who);
	write_optional(writer, "date", quarantine->date);
	writer_object_end(writer);
}

/* The lists: the member of their replies, with quotes and colon, and what writes an entry. */
static const struct {
	const char *member;
	void (*write)(Writer *, const FleetService *, const FleetEntry *);
} lists[] = {
	[FLEET_KEY_HOST] = { "\"hosts\":", write_host },
	[FLEET_KEY_VM] = { "\"virtualMachines\":", write_vm },
	[FLEET_KEY_GPU] = { "\"gpus\":", write_gpu },
	[FLEET_KEY_QUARANTINE] = { "\"quarantines\":", write_quarantine },
};

const FleetEntry *write_entries(Writer *writer, const FleetService *service,
				const FleetCursor *from, size_t size_max)
{
	const FleetEntry *entry = fleet_index_from(service->index, &from->next);
	const char *member = lists[from->next.kind].member;
	const size_t begin = buffer_size(writer->out);

	writer_key_quoted(writer, member, strlen(member));
	writer_array_begin(writer);
	for (; entry && buffer_size(writer->out) - begin <= size_max;
	     entry = fleet_index_next(entry))
		lists[from->next.kind].write(writer, service, entry);
	writer_array_end(writer);
	return entry;
}

void write_where(Writer *writer, const FleetService *service, const FleetEntry *entry)
{
	const FleetWhere *where = &entry->value.where;
	const FleetEntry *host = fleet_index_host(service->index, &where->host);

	writer_key(writer, "virtualMachineGuid");
	writer_guid(writer, &entry->key.vm);
	write_optional(writer, "name", where->vm_name);
	writer_key(writer, "host");
	writer_handle(writer, &where->host);
	writer_key(writer, "hostName");
	write_text(writer, host ? host->value.host.name : where->host_name);
	writer_key(writer, "self");
	writer_boolean(writer, handle_compare(&where->host, &service->index->self) == 0);
	writer_key(writer, "epoch");
	write_number(writer, (uint64_t)entry->mod_revision);
	write_optional(writer, "date", where->date);
	if (entry->unreachable_since > 0) {
		writer_key(writer, "unreachable");
		writer_seconds(writer, (service->now - entry->unreachable_since) * 1000);
	}
}

static void write_place(Writer *writer, const FleetPlace *place)
{
	writer_object_begin(writer);
	writer_key(writer, "host");
	writer_handle(writer, &place->host->key.host);
	writer_key(writer, "hostName");
	write_text(writer, place->host->value.host.name);
	writer_key(writer, "free");
	write_number(writer, place->free);
	if (place->why_not) {
		writer_key(writer, "reason");
		write_text(writer, place->why_not);
	}
	writer_object_end(writer);
}

bool write_places(Writer *writer, const FleetService *service, const char *type)
{
	FleetPlace *places;
	size_t count;

	if (!fleet_place(service->index, type, &places, &count))
		return false;
	writer_key(writer, "places");
	writer_array_begin(writer);
	for (size_t i = 0; i < count && buffer_size(writer->out) <= FLEET_REPLY_MAX; i++)
		write_place(writer, &places[i]);
	writer_array_end(writer);
	free(places);
	return true;
}
