/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_LISTEN_FDS_H
#define DAEMON_HOST_PERSIST_LISTEN_FDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The fds that the service manager passes at start: the listening socket, recognised by its type,
 * and the fds that an earlier daemon has stored, recognised by their names.
 */
typedef struct PassedDescriptor {
	int descriptor; /* -1 once taken */
	char *name;
} PassedDescriptor;

typedef struct PassedDescriptors {
	PassedDescriptor *items;
	size_t count;
} PassedDescriptors;

/*
 * Call once, at start. Returns 0 or a negative errno. Deinitialising closes all fds that were not
 * taken.
 */
int passed_descriptors_init(PassedDescriptors *passed);
void passed_descriptors_deinit(PassedDescriptors *passed);

/* Returns the listening socket, which the caller then owns; -1 if none was passed. */
int passed_descriptors_take_socket(PassedDescriptors *passed);

#endif
