/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_MEMORY_H
#define CLIENT_LIBVAIL_MEMORY_H

#include <vail.h>

/*
 * Seals a memfd before it is shared for this access. Fixes its size; for read access, allows writes
 * through existing mappings only. Also seals the seals, so that no holder can seal it against its
 * owner. Sets all of these seals or none. Ignores fds that are no memfds or cannot be sealed;
 * vaild decides whether to accept them.
 */
void memory_seal(int fd, VailAccess access);

#endif
