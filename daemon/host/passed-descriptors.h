/* SPDX-License-Identifier: MIT */
#ifndef HOST_PASSED_DESCRIPTORS_H
#define HOST_PASSED_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What the service manager has passed at start: the socket to listen on, and what an earlier daemon
 * has put into its descriptor store. They are told apart by what they are, and named by whoever
 * stored them.
 */
typedef struct PassedDescriptor {
	int descriptor; /* -1: somebody took it */
	char *name;
} PassedDescriptor;

typedef struct PassedDescriptors {
	PassedDescriptor *items;
	size_t count;
} PassedDescriptors;

/* Once, at start. What is left when it is deinited is closed. Returns 0 or a negative errno. */
int passed_descriptors_init(PassedDescriptors *passed);
void passed_descriptors_deinit(PassedDescriptors *passed);

/* The socket that listens, which is the caller's from then on; -1: none was passed. */
int passed_descriptors_take_socket(PassedDescriptors *passed);

#endif
