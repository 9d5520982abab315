/* SPDX-License-Identifier: MIT */
#include "client/libvail/names.h"

#include <string.h>

#include "proto/macros.h"
#include "proto/names.h"

/* The entry of a value that has no name, such as VAIL_EVENT_UNKNOWN, is NULL. */
#define ROW(value, name) [VAIL_ACCESS_##value] = (name),
static const char *const accesses[] = { OBJECT_ACCESS_NAMES(ROW) };
#undef ROW

#define ROW(value, name) [VAIL_FIRST_ROW_##value] = (name),
static const char *const first_rows[] = { OBJECT_FIRST_ROW_NAMES(ROW) };
#undef ROW

#define ROW(value, name) [VAIL_OBJECT_##value] = (name),
static const char *const object_types[] = { OBJECT_TYPE_NAMES(ROW) };
#undef ROW

#define ROW(value, name) [VAIL_MEMORY_##value] = (name),
static const char *const memory_kinds[] = { MEMORY_KIND_NAMES(ROW) };
#undef ROW

#define ROW(value, name) [VAIL_PROTECTION_##value] = (name),
static const char *const protections[] = { PROTECTION_NAMES(ROW) };
#undef ROW

#define ROW(value, name) [VAIL_RANGE_##value] = (name),
static const char *const range_kinds[] = { RANGE_KIND_NAMES(ROW) };
#undef ROW

#define ROW(value, name) [VAIL_TRANSLATION_##value] = (name),
static const char *const translation_states[] = { TRANSLATION_STATE_NAMES(ROW) };
#undef ROW

#define ROW(value, name) [VAIL_EVENT_##value] = (name),
static const char *const event_kinds[] = {
	/* These two come from the library itself. */
	[VAIL_EVENT_INTERRUPTED] = "interrupted",
	[VAIL_EVENT_RESUMED] = "resumed",
	EVENT_KIND_NAMES(ROW)
};
#undef ROW
_Static_assert(ARRAY_SIZE(event_kinds) == VAIL_EVENT_DISPLAY_CLOSED + 1, "each kind has a name");

static const struct {
	unsigned int right;
	const char *name;
} display_rights[] = {
#define ROW(value, text) { VAIL_DISPLAY_##value, text },
	DISPLAY_RIGHT_NAMES(ROW)
#undef ROW
};

static const char *name_at(const char *const *names, size_t count, size_t value)
{
	return value < count ? names[value] : NULL;
}

/* Returns the index of name in names; 0 if it is not there. */
static size_t find_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; name && i < count; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return i;
	return 0;
}

#define NAME_AT(names, value)  name_at((names), ARRAY_SIZE(names), (size_t)(value))
#define FIND_NAME(names, name) find_name((names), ARRAY_SIZE(names), (name))

const char *access_name(VailAccess access)
{
	return NAME_AT(accesses, access);
}

const char *object_type_name(VailObjectType type)
{
	return NAME_AT(object_types, type);
}

const char *protection_name(VailProtection protection)
{
	return NAME_AT(protections, protection);
}

const char *first_row_name(VailFirstRow first_row)
{
	return NAME_AT(first_rows, first_row);
}

const char *vail_event_name(VailEventKind kind)
{
	return NAME_AT(event_kinds, kind);
}

const char *vail_display_right_name(unsigned int right)
{
	for (size_t i = 0; i < ARRAY_SIZE(display_rights); i++)
		if (display_rights[i].right == right)
			return display_rights[i].name;
	return NULL;
}

unsigned int vail_display_right(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(display_rights); i++)
		if (strcmp(display_rights[i].name, name) == 0)
			return display_rights[i].right;
	return 0;
}

VailAccess access_from_name(const char *name)
{
	return (VailAccess)FIND_NAME(accesses, name);
}

VailFirstRow first_row_from_name(const char *name)
{
	return (VailFirstRow)FIND_NAME(first_rows, name);
}

VailEventKind event_kind_from_name(const char *name)
{
	return (VailEventKind)FIND_NAME(event_kinds, name);
}

VailMemoryKind memory_kind_from_name(const char *name)
{
	return (VailMemoryKind)FIND_NAME(memory_kinds, name);
}

VailObjectType object_type_from_name(const char *name)
{
	return (VailObjectType)FIND_NAME(object_types, name);
}

VailProtection protection_from_name(const char *name)
{
	return (VailProtection)FIND_NAME(protections, name);
}

VailRangeKind range_kind_from_name(const char *name)
{
	return (VailRangeKind)FIND_NAME(range_kinds, name);
}

VailTranslationState translation_state_from_name(const char *name)
{
	return (VailTranslationState)FIND_NAME(translation_states, name);
}
