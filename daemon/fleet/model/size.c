/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/size.h"

#include <string.h>

/* Returns the size of a text with its NUL, or 0 for NULL. */
static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static size_t gpu_size(const FleetGpu *gpu)
{
	size_t size = text_size(gpu->name) + text_size(gpu->source);

	for (size_t i = 0; i < gpu->type_count; i++)
		size += sizeof(gpu->types[i]) + text_size(gpu->types[i].name);
	for (size_t i = 0; i < gpu->holder_count; i++)
		size += sizeof(gpu->holders[i]) + text_size(gpu->holders[i].type);
	return size;
}

static size_t value_size(const FleetValue *value)
{
	switch (value->kind) {
	case FLEET_KEY_HOST:
		return text_size(value->host.name) + text_size(value->host.version);
	case FLEET_KEY_VM:
		return text_size(value->vm.name) + text_size(value->vm.date);
	case FLEET_KEY_GPU:
		return gpu_size(&value->gpu);
	case FLEET_KEY_WHERE:
		return text_size(value->where.host_name) + text_size(value->where.vm_name) +
		       text_size(value->where.date);
	case FLEET_KEY_QUARANTINE:
		return text_size(value->quarantine.reason) + text_size(value->quarantine.who) +
		       text_size(value->quarantine.date);
	case FLEET_KEY_KIND_MAX:
		break;
	}
	return 0;
}

size_t fleet_index_size(const FleetIndex *index)
{
	const FleetEntry *entry;
	size_t size = 0;

	for (FleetKeyKind kind = 0; kind < FLEET_KEY_KIND_MAX; kind++)
		for (entry = fleet_index_first(index, kind); entry; entry = fleet_index_next(entry))
			size += sizeof(*entry) + value_size(&entry->value) + text_size(entry->text);
	return size;
}
