/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_MEMORY_H
#define LIBVAIL_MEMORY_H

#include "vail.h"

/*
 * Seals a memfd before it is shared for this access: its size, for read access its contents against
 * all but existing mappings, and the seals, lest a holder seal it against its owner. All at once,
 * or not at all. What is no memfd, or can be sealed no more, stays as it is; vaild judges it.
 */
void memory_seal(int descriptor, VailAccess access);

#endif
