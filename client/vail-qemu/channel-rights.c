/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channel-rights.h"

#include <stddef.h>
#include <string.h>

#include "client/common/display-names.h"
#include "proto/macros.h"
#include <vail.h>

/* The first row that fits decides. */
static const struct {
	const char *interface;
	const char *member; /* NULL for all others */
	unsigned int right;
} rows[] = {
	{ "org.freedesktop.DBus.Peer", NULL, VAIL_DISPLAY_VIEW },
	{ "org.freedesktop.DBus.Introspectable", NULL, VAIL_DISPLAY_VIEW },
	{ DISPLAY_PROPERTIES, NULL, VAIL_DISPLAY_VIEW },
	{ DISPLAY_VM, NULL, VAIL_DISPLAY_VIEW },
	{ DISPLAY_CONSOLE, "SetUIInfo", VAIL_DISPLAY_INPUT },
	{ DISPLAY_CONSOLE, NULL, VAIL_DISPLAY_VIEW },
	{ DISPLAY_KEYBOARD, NULL, VAIL_DISPLAY_INPUT },
	{ DISPLAY_MOUSE, NULL, VAIL_DISPLAY_INPUT },
	{ DISPLAY_MULTITOUCH, NULL, VAIL_DISPLAY_INPUT },
	{ DISPLAY_CLIPBOARD, NULL, VAIL_DISPLAY_CLIPBOARD },
	{ DISPLAY_AUDIO, "RegisterOutListener", VAIL_DISPLAY_AUDIO_OUTPUT },
	{ DISPLAY_AUDIO, "RegisterInListener", VAIL_DISPLAY_AUDIO_INPUT },
};

bool channel_allows(unsigned int rights, const char *interface, const char *member)
{
	if (!interface || !member)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].interface, interface) == 0 &&
		    (!rows[i].member || strcmp(rows[i].member, member) == 0))
			return rights & rows[i].right;
	return false;
}

bool channel_has_interface(unsigned int rights, const char *interface)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].interface, interface) == 0 && (rights & rows[i].right))
			return true;
	return false;
}
