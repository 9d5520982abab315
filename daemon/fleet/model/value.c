/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/value.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json-writer.h"
#include "proto/macros.h"

static const char *const state_names[] = {
	[FLEET_VM_RUNNING] = "running",
	[FLEET_VM_INCOMING] = "incoming",
	[FLEET_VM_ENDED] = "ended",
	[FLEET_VM_CONFLICT] = "conflict",
};

_Static_assert(ARRAY_SIZE(state_names) == FLEET_VM_STATE_MAX, "each state has a name");

const char *fleet_vm_state_name(FleetVmState state)
{
	return state_names[state];
}

char *fleet_text_copy(const char *text)
{
	size_t length = text ? strnlen(text, FLEET_TEXT_MAX + 1) : 0;

	if (length > FLEET_TEXT_MAX) {
		length = FLEET_TEXT_MAX;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	return strndup(length > 0 ? text : "", length);
}

/* --- reading --------------------------------------------------------------------------------- */

/* Reads a member that is a text. Returns false if out of memory. */
static bool read_text(const JsonValue *object, const char *name, char **ret)
{
	*ret = fleet_text_copy(json_string(json_member(object, name)));
	return *ret != NULL;
}

/* Bounds a number, so that sums of them do not overflow. */
static uint64_t read_number(const JsonValue *object, const char *name)
{
	uint64_t number = 0;

	json_read_unsigned(json_member(object, name), &number);
	return number < UINT32_MAX ? number : UINT32_MAX;
}

static bool read_boolean(const JsonValue *object, const char *name)
{
	bool value = false;

	json_read_boolean(json_member(object, name), &value);
	return value;
}

/* An unknown state counts as a running VM, because that one keeps others from claiming it. */
static FleetVmState read_state(const JsonValue *object)
{
	const char *name = json_string(json_member(object, "state"));

	for (FleetVmState state = 0; name && state < FLEET_VM_STATE_MAX; state++)
		if (strcmp(name, state_names[state]) == 0)
			return state;
	return FLEET_VM_RUNNING;
}

static size_t count_items(const JsonValue *array)
{
	size_t count = json_array_size(array);

	return count < FLEET_ITEMS_MAX ? count : FLEET_ITEMS_MAX;
}

static bool read_types(const JsonValue *array, FleetGpu *gpu)
{
	size_t count = count_items(array);

	gpu->types = calloc(count + 1, sizeof(*gpu->types));
	if (!gpu->types)
		return false;
	for (size_t i = 0; i < count; i++) {
		const JsonValue *item = json_array_at(array, i);
		FleetGpuType *type = &gpu->types[gpu->type_count];

		if (!read_text(item, "name", &type->name))
			return false;
		type->free = read_number(item, "free");
		gpu->type_count++;
	}
	return true;
}

/* Ignores holders without a GUID. */
static bool read_holders(const JsonValue *array, FleetGpu *gpu)
{
	size_t count = count_items(array);

	gpu->holders = calloc(count + 1, sizeof(*gpu->holders));
	if (!gpu->holders)
		return false;
	for (size_t i = 0; i < count; i++) {
		const JsonValue *item = json_array_at(array, i);
		const char *guid = json_string(json_member(item, "virtualMachineGuid"));
		FleetGpuHolder *holder = &gpu->holders[gpu->holder_count];

		if (!guid || !guid_parse(guid, &holder->vm))
			continue;
		if (!read_text(item, "type", &holder->type))
			return false;
		gpu->holder_count++;
	}
	return true;
}

static bool read_gpu(const JsonValue *object, FleetGpu *gpu)
{
	gpu->capacity = read_number(object, "capacity");
	gpu->used = read_number(object, "used");
	gpu->takes_any_type = read_boolean(object, "takesAnyType");
	return read_text(object, "name", &gpu->name) && read_text(object, "source", &gpu->source) &&
	       read_types(json_member(object, "types"), gpu) &&
	       read_holders(json_member(object, "holders"), gpu);
}

static bool read_where(const JsonValue *object, FleetWhere *where)
{
	const char *host = json_string(json_member(object, "host"));

	const char *previous = json_string(json_member(object, "previousHost"));

	if (host)
		host_id_parse(host, &where->host);
	if (previous)
		host_id_parse(previous, &where->previous);
	return read_text(object, "name", &where->host_name) &&
	       read_text(object, "virtualMachineName", &where->vm_name) &&
	       read_text(object, "since", &where->date);
}

static bool read_value(const JsonValue *object, FleetValue *value)
{
	switch (value->kind) {
	case FLEET_KEY_HOST:
		value->host.vms = read_number(object, "virtualMachines");
		value->host.registrations = read_number(object, "registrations");
		value->host.is_vaild_away = read_boolean(object, "vaildIsAway");
		return read_text(object, "name", &value->host.name) &&
		       read_text(object, "version", &value->host.version);
	case FLEET_KEY_VM:
		value->vm.state = read_state(object);
		value->vm.vgpus = read_number(object, "virtualGpus");
		value->vm.registrations = read_number(object, "registrations");
		return read_text(object, "name", &value->vm.name) &&
		       read_text(object, "since", &value->vm.date);
	case FLEET_KEY_GPU:
		return read_gpu(object, &value->gpu);
	case FLEET_KEY_WHERE:
		return read_where(object, &value->where);
	case FLEET_KEY_QUARANTINE:
		value->quarantine.is_released = read_boolean(object, "released");
		return read_text(object, "reason", &value->quarantine.reason) &&
		       read_text(object, "who", &value->quarantine.who) &&
		       read_text(object, "when", &value->quarantine.date);
	case FLEET_KEY_KIND_MAX:
		break;
	}
	return false;
}

bool fleet_value_init(FleetValue *value, FleetKeyKind kind)
{
	*value = (FleetValue){ .kind = kind };
	if (read_value(NULL, value))
		return true;
	fleet_value_deinit(value);
	return false;
}

FleetParse fleet_value_parse(JsonParser *parser, FleetKeyKind kind, const char *text,
			     FleetValue *ret_value)
{
	size_t length = strnlen(text, FLEET_VALUE_MAX + 1);
	FleetValue value = { .kind = kind };
	const char *error = NULL;

	if (length > FLEET_VALUE_MAX)
		return FLEET_PARSE_MALFORMED;
	JsonValue *object = json_parse(parser, text, length, &error);
	if (json_type_of(object) != JSON_OBJECT) {
		json_free(object);
		return FLEET_PARSE_MALFORMED;
	}
	bool is_read = read_value(object, &value);
	json_free(object);
	if (!is_read) {
		fleet_value_deinit(&value);
		return FLEET_PARSE_NO_MEMORY;
	}
	*ret_value = value;
	return FLEET_PARSE_DONE;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Writes a member that is a text, unless it is empty. */
#define write_text(writer, name, text)               \
	do {                                         \
		if ((text) && (text)[0] != '\0') {   \
			writer_key(writer, name);    \
			writer_string(writer, text); \
		}                                    \
	} while (0)

static void write_host(Writer *writer, const FleetHost *host)
{
	write_text(writer, "name", host->name);
	write_text(writer, "version", host->version);
	writer_key(writer, "virtualMachines");
	writer_unsigned(writer, host->vms);
	writer_key(writer, "registrations");
	writer_unsigned(writer, host->registrations);
	if (host->is_vaild_away) {
		writer_key(writer, "vaildIsAway");
		writer_boolean(writer, true);
	}
}

static void write_vm(Writer *writer, const FleetVm *vm)
{
	write_text(writer, "name", vm->name);
	writer_key(writer, "state");
	writer_string(writer, state_names[vm->state]);
	writer_key(writer, "virtualGpus");
	writer_unsigned(writer, vm->vgpus);
	writer_key(writer, "registrations");
	writer_unsigned(writer, vm->registrations);
	write_text(writer, "since", vm->date);
}

void fleet_gpu_write_types(Writer *writer, const FleetGpu *gpu)
{
	writer_key(writer, "types");
	writer_array_begin(writer);
	for (size_t i = 0; i < gpu->type_count; i++) {
		writer_object_begin(writer);
		writer_key(writer, "name");
		writer_string(writer, gpu->types[i].name);
		writer_key(writer, "free");
		writer_unsigned(writer, gpu->types[i].free);
		writer_object_end(writer);
	}
	writer_array_end(writer);
}

void fleet_gpu_write_holders(Writer *writer, const FleetGpu *gpu)
{
	writer_key(writer, "holders");
	writer_array_begin(writer);
	for (size_t i = 0; i < gpu->holder_count; i++) {
		writer_object_begin(writer);
		writer_key(writer, "virtualMachineGuid");
		writer_guid(writer, &gpu->holders[i].vm);
		write_text(writer, "type", gpu->holders[i].type);
		writer_object_end(writer);
	}
	writer_array_end(writer);
}

static void write_gpu(Writer *writer, const FleetGpu *gpu)
{
	write_text(writer, "name", gpu->name);
	write_text(writer, "source", gpu->source);
	writer_key(writer, "capacity");
	writer_unsigned(writer, gpu->capacity);
	writer_key(writer, "used");
	writer_unsigned(writer, gpu->used);
	if (gpu->takes_any_type) {
		writer_key(writer, "takesAnyType");
		writer_boolean(writer, true);
	}
	fleet_gpu_write_types(writer, gpu);
	fleet_gpu_write_holders(writer, gpu);
}

static void write_where(Writer *writer, const FleetWhere *where)
{
	static const HostId nobody = { 0 };

	writer_key(writer, "host");
	writer_handle(writer, &where->host);
	if (handle_compare(&where->previous, &nobody) != 0) {
		writer_key(writer, "previousHost");
		writer_handle(writer, &where->previous);
	}
	write_text(writer, "name", where->host_name);
	write_text(writer, "virtualMachineName", where->vm_name);
	write_text(writer, "since", where->date);
}

static void write_members(Writer *writer, const FleetValue *value)
{
	switch (value->kind) {
	case FLEET_KEY_HOST:
		write_host(writer, &value->host);
		break;
	case FLEET_KEY_VM:
		write_vm(writer, &value->vm);
		break;
	case FLEET_KEY_GPU:
		write_gpu(writer, &value->gpu);
		break;
	case FLEET_KEY_WHERE:
		write_where(writer, &value->where);
		break;
	case FLEET_KEY_QUARANTINE:
		write_text(writer, "reason", value->quarantine.reason);
		write_text(writer, "who", value->quarantine.who);
		write_text(writer, "when", value->quarantine.date);
		if (value->quarantine.is_released) {
			writer_key(writer, "released");
			writer_boolean(writer, true);
		}
		break;
	case FLEET_KEY_KIND_MAX:
		break;
	}
}

char *fleet_value_format(const FleetValue *value)
{
	Buffer out = BUFFER_INIT;
	Writer writer = WRITER_INIT(&out);

	writer_object_begin(&writer);
	write_members(&writer, value);
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	char *text = writer.failed ? NULL : strdup(buffer_head(&out));
	buffer_deinit(&out);
	return text;
}

/* --- the rest -------------------------------------------------------------------------------- */

static void gpu_deinit(FleetGpu *gpu)
{
	free(gpu->name);
	free(gpu->source);
	for (size_t i = 0; i < gpu->type_count; i++)
		free(gpu->types[i].name);
	for (size_t i = 0; i < gpu->holder_count; i++)
		free(gpu->holders[i].type);
	free(gpu->types);
	free(gpu->holders);
}

void fleet_value_deinit(FleetValue *value)
{
	switch (value->kind) {
	case FLEET_KEY_HOST:
		free(value->host.name);
		free(value->host.version);
		break;
	case FLEET_KEY_VM:
		free(value->vm.name);
		free(value->vm.date);
		break;
	case FLEET_KEY_GPU:
		gpu_deinit(&value->gpu);
		break;
	case FLEET_KEY_WHERE:
		free(value->where.host_name);
		free(value->where.vm_name);
		free(value->where.date);
		break;
	case FLEET_KEY_QUARANTINE:
		free(value->quarantine.reason);
		free(value->quarantine.who);
		free(value->quarantine.date);
		break;
	case FLEET_KEY_KIND_MAX:
		break;
	}
	*value = (FleetValue){ .kind = value->kind };
}

static uint64_t unused(const FleetGpu *gpu)
{
	return gpu->used < gpu->capacity ? gpu->capacity - gpu->used : 0;
}

static const FleetGpuType *find_type(const FleetGpu *gpu, const char *name)
{
	for (size_t i = 0; i < gpu->type_count; i++)
		if (strcmp(gpu->types[i].name, name) == 0)
			return &gpu->types[i];
	return NULL;
}

bool fleet_gpu_is_software(const FleetGpu *gpu)
{
	return strcmp(gpu->source, "software") == 0;
}

bool fleet_gpu_names(const FleetGpu *gpu, const char *type)
{
	return find_type(gpu, type) != NULL;
}

bool fleet_gpu_offers(const FleetGpu *gpu, const char *type)
{
	return (gpu->takes_any_type && gpu->capacity > 0) || find_type(gpu, type);
}

uint64_t fleet_gpu_free(const FleetGpu *gpu, const char *type)
{
	if (!type || gpu->takes_any_type)
		return unused(gpu);
	const FleetGpuType *found = find_type(gpu, type);
	return found ? found->free : 0;
}
