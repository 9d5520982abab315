/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_MACHINE_NAME_H
#define CLIENT_VAIL_QEMU_MACHINE_NAME_H

/* Buffer size for a name: as many bytes as vaild accepts, and a NUL. */
#define MACHINE_NAME_SIZE 256

/*
 * Makes a name for the VM that vaild accepts. Replaces invalid UTF-8 by U+FFFD and control
 * characters by spaces. Shortens a long name before a character, with its combining marks.
 *
 * name: from QEMU; without visible characters, the name becomes "QEMU " and the first part of the
 *       GUID.
 * guid: in text form.
 */
void machine_name_make(const char *name, const char *guid, char ret[static MACHINE_NAME_SIZE]);

#endif
