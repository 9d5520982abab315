/* SPDX-License-Identifier: MIT */
/* Encoders for the object types of io.vaild. */
#include "daemon/api/encode-optional.h"
#include "daemon/api/encode.h"
#include "daemon/api/names.h"
#include "proto/macros.h"

/* with_fds: the reply carries one fd per plane in their order, then the fence's fd. */
static void encode_planes(Writer *writer, const ObjectDescription *description, bool with_fds)
{
	writer_key(writer, "planes");
	writer_array_begin(writer);
	for (size_t i = 0; i < description->plane_count; i++) {
		writer_object_begin(writer);
		if (with_fds) {
			writer_key(writer, "fileDescriptor");
			writer_unsigned(writer, i);
		}
		writer_key(writer, "offset");
		writer_unsigned(writer, description->planes[i].offset);
		writer_key(writer, "stride");
		writer_unsigned(writer, description->planes[i].stride);
		writer_object_end(writer);
	}
	writer_array_end(writer);
}

static void encode_resource(Writer *writer, const ObjectDescription *description, bool with_fds)
{
	writer_key(writer, "width");
	writer_unsigned(writer, description->width);
	writer_key(writer, "height");
	writer_unsigned(writer, description->height);
	writer_key(writer, "format");
	writer_string(writer, description->format);
	writer_key(writer, "modifier");
	writer_address(writer, description->modifier);
	if (description->first_row != OBJECT_FIRST_ROW_TOP) {
		writer_key(writer, "firstRow");
		writer_string(writer, object_first_row_names[description->first_row]);
	}
	encode_planes(writer, description, with_fds);
}

static void encode_object(Writer *writer, const SharedObject *object, bool with_fds)
{
	const ObjectDescription *description = &object->description;

	writer_key(writer, "object");
	writer_object_begin(writer);
	writer_key(writer, "type");
	writer_string(writer, object_type_names[description->type]);
	writer_key(writer, "access");
	writer_string(writer, object_access_names[description->access]);
	OPTIONAL_STRING(writer, "name", object->name);
	if (description->type != OBJECT_FENCE)
		encode_resource(writer, description, with_fds);
	if (description->type != OBJECT_RESOURCE) {
		writer_key(writer, "fence");
		writer_object_begin(writer);
		if (with_fds) {
			writer_key(writer, "fileDescriptor");
			writer_unsigned(writer, description->plane_count);
		}
		writer_object_end(writer);
	}
	writer_object_end(writer);
}

static void encode_memory(Writer *writer, const SharedObject *object)
{
	writer_key(writer, "memory");
	writer_object_begin(writer);
	writer_key(writer, "kind");
	writer_string(writer, memory_kind_name(object_memory_kind(object)));
	writer_key(writer, "sizeInBytes");
	writer_unsigned(writer, object_size(object));
	writer_key(writer, "sizeSealed");
	writer_boolean(writer, object_size_is_sealed(object));
	writer_key(writer, "accessEnforced");
	writer_boolean(writer, object_access_is_enforced(object));
	writer_object_end(writer);
}

void encode_opened_object(Writer *writer, const SharedObject *object)
{
	encode_object(writer, object, true);
	encode_memory(writer, object);
}

void encode_holder(Writer *writer, const ObjectHolder *holder, PidNamespace reader)
{
	writer_object_begin(writer);
	writer_key(writer, "pid");
	encode_pid(writer, holder->process, reader);
	writer_key(writer, "uid");
	writer_unsigned(writer, holder->process->uid);
	writer_key(writer, "since");
	writer_seconds(writer, holder->since);
	writer_object_end(writer);
}

void encode_holders(Writer *writer, const SharedObject *object, PidNamespace reader)
{
	const ObjectHolder *holder;

	writer_key(writer, "holders");
	writer_array_begin(writer);
	LIST_FOREACH (holder, &object->holders, of_object)
		encode_holder(writer, holder, reader);
	writer_array_end(writer);
}

void encode_shared_object(Writer *writer, const SharedObject *object, PidNamespace reader)
{
	writer_object_begin(writer);
	writer_key(writer, "handle");
	writer_handle(writer, &object->handle_entry.handle);
	writer_key(writer, "virtualMachineGuid");
	writer_guid(writer, &object->virtual_machine);
	encode_object(writer, object, false);
	encode_memory(writer, object);
	writer_key(writer, "sharedByPid");
	writer_unsigned(writer, (uint64_t)inner_pids_translate(object->sharer_inner_pids,
							       object->sharer_pid, reader));
	writer_key(writer, "since");
	writer_seconds(writer, object->since);
	if (object->last_update > 0) {
		writer_key(writer, "lastUpdate");
		writer_seconds(writer, object->last_update);
	}
	encode_holders(writer, object, reader);
	writer_object_end(writer);
}

static void encode_damage(Writer *writer, const Event *event)
{
	writer_key(writer, "damage");
	writer_array_begin(writer);
	for (size_t i = 0; i < event->damage_count; i++) {
		const Rectangle *rectangle = &event->damage[i];

		writer_object_begin(writer);
		writer_key(writer, "x");
		writer_unsigned(writer, rectangle->x);
		writer_key(writer, "y");
		writer_unsigned(writer, rectangle->y);
		writer_key(writer, "width");
		writer_unsigned(writer, rectangle->width);
		writer_key(writer, "height");
		writer_unsigned(writer, rectangle->height);
		writer_object_end(writer);
	}
	writer_array_end(writer);
}

void encode_event_object(Writer *writer, const Event *event, PidNamespace reader)
{
	writer_key(writer, "sharedObject");
	encode_shared_object(writer, container_of(event->entity, SharedObject, entity), reader);
	if (event->holder) {
		writer_key(writer, "holder");
		encode_holder(writer, event->holder, reader);
	}
	if (event->damage_count > 0)
		encode_damage(writer, event);
}
