/* SPDX-License-Identifier: MIT */
#ifndef QEMU_SAY_H
#define QEMU_SAY_H

#include "macros.h"

/* Writes "vail-qemu: ..." and a line's end to stderr, which is the journal under systemd. */
_printf_(1, 2) void say(const char *format, ...);

#endif
