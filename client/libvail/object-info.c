/* SPDX-License-Identifier: MIT */
#include "client/libvail/object-info.h"

#include <stdlib.h>
#include <string.h>

#include "client/libvail/names.h"
#include "client/libvail/parameters.h"

/* Returns 0 if the member is absent or does not fit. */
static uint32_t member_number_32(const JsonValue *object, const char *name)
{
	uint64_t number = member_number(object, name);

	return number <= UINT32_MAX ? (uint32_t)number : 0;
}

static uint32_t read_format(const JsonValue *object)
{
	const char *text = member_text(object, "format");

	if (!text || strlen(text) != 4)
		return 0;
	return VAIL_FORMAT((uint8_t)text[0], (uint8_t)text[1], (uint8_t)text[2], (uint8_t)text[3]);
}

VailObjectInfo object_info_read(const JsonValue *object, const JsonValue *memory)
{
	const JsonValue *planes = json_member(object, "planes");
	size_t plane_count = json_array_size(planes);
	VailObjectInfo info = {
		.size = sizeof(info),
		.type = object_type_from_name(member_text(object, "type")),
		.access = access_from_name(member_text(object, "access")),
		.name = member_text(object, "name"),
		.width = member_number_32(object, "width"),
		.height = member_number_32(object, "height"),
		.format = read_format(object),
		.modifier = member_address(object, "modifier"),
		.plane_count = plane_count < VAIL_PLANE_MAX ? plane_count : VAIL_PLANE_MAX,
		.memory = memory_kind_from_name(member_text(memory, "kind")),
		.size_in_bytes = member_number(memory, "sizeInBytes"),
		.size_sealed = member_flag(memory, "sizeSealed"),
		.access_enforced = member_flag(memory, "accessEnforced"),
		.first_row = first_row_from_name(member_text(object, "firstRow")),
	};

	for (size_t i = 0; i < VAIL_PLANE_MAX; i++) {
		const JsonValue *plane = i < plane_count ? json_array_at(planes, i) : NULL;

		info.planes[i] = (VailPlane){ .descriptor = -1,
					      .offset = member_number(plane, "offset"),
					      .stride = member_number(plane, "stride") };
	}
	return info;
}

size_t fd_index(const JsonValue *plane_or_fence, size_t place)
{
	uint64_t index = place;

	json_read_unsigned(json_member(plane_or_fence, "fileDescriptor"), &index);
	return (size_t)index;
}

bool object_reading_init(ObjectReading *reading, const JsonValue *value)
{
	const JsonValue *holders = json_member(value, "holders");
	size_t count = json_array_size(holders);

	*reading = (ObjectReading){
		.info = object_info_read(json_member(value, "object"),
					 json_member(value, "memory")),
		.object = { .size = sizeof(reading->object),
			    .handle = member_text(value, "handle"),
			    .virtual_machine = member_text(value, "virtualMachineGuid"),
			    .object = &reading->info,
			    .shared_by_pid = (pid_t)member_number(value, "sharedByPid"),
			    .holder_count = count },
	};
	json_read_real(json_member(value, "since"), &reading->object.since);
	json_read_real(json_member(value, "lastUpdate"), &reading->object.last_update);
	reading->holders = calloc(count > 0 ? count : 1, sizeof(VailHolder));
	if (!reading->holders)
		return false;
	reading->object.holders = reading->holders;
	for (size_t i = 0; i < count; i++) {
		const JsonValue *holder = json_array_at(holders, i);

		reading->holders[i].pid = (pid_t)member_number(holder, "pid");
		reading->holders[i].uid = (uid_t)member_number(holder, "uid");
		json_read_real(json_member(holder, "since"), &reading->holders[i].since);
	}
	return true;
}

void object_reading_deinit(ObjectReading *reading)
{
	free(reading->holders);
}

bool rectangles_read(const JsonValue *array, VailRectangle **ret_rectangles, size_t *ret_count)
{
	size_t count = json_array_size(array);
	VailRectangle *rectangles = calloc(count > 0 ? count : 1, sizeof(*rectangles));

	if (!rectangles)
		return false;
	for (size_t i = 0; i < count; i++) {
		const JsonValue *value = json_array_at(array, i);

		rectangles[i] = (VailRectangle){ .x = member_number_32(value, "x"),
						 .y = member_number_32(value, "y"),
						 .width = member_number_32(value, "width"),
						 .height = member_number_32(value, "height") };
	}
	*ret_rectangles = rectangles;
	*ret_count = count;
	return true;
}
