/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_NAMES_H
#define CLIENT_LIBVAIL_NAMES_H

#include <vail.h>

/*
 * The names of enumeration values in messages. vail_event_name() and the names of rights on a
 * display are in names.c, too.
 */

/* Return NULL if the value is not one that vaild knows. */
const char *access_name(VailAccess access);
const char *first_row_name(VailFirstRow first_row);
const char *object_type_name(VailObjectType type);
const char *protection_name(VailProtection protection);

/* Return 0 if the name is NULL or unknown. 0 is the access that allows least. */
VailAccess access_from_name(const char *name);
VailFirstRow first_row_from_name(const char *name);
VailEventKind event_kind_from_name(const char *name);
VailMemoryKind memory_kind_from_name(const char *name);
VailObjectType object_type_from_name(const char *name);
VailProtection protection_from_name(const char *name);
VailRangeKind range_kind_from_name(const char *name);
VailTranslationState translation_state_from_name(const char *name);

#endif
