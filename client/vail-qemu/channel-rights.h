/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_CHANNEL_RIGHTS_H
#define CLIENT_VAIL_QEMU_CHANNEL_RIGHTS_H

#include <stdbool.h>

/*
 * Tests whether a viewer with these rights (VAIL_DISPLAY_VIEW and its siblings) may call this
 * method. What no row of the table names is denied.
 *
 * interface, member: may be NULL, as in a D-Bus message; such a call is denied.
 */
bool channel_allows(unsigned int rights, const char *interface, const char *member);

/* Tests whether the rights allow any method or property of the interface. */
bool channel_has_interface(unsigned int rights, const char *interface);

#endif
