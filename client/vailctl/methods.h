/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_METHODS_H
#define CLIENT_VAILCTL_METHODS_H

#include <stdbool.h>

#include "proto/interfaces.h"

/* The methods of the interfaces that this vailctl knows. */

/* Buffer size for the name of a method, with that of its interface. */
#define METHOD_NAME_SIZE 128

/*
 * Finds the next method that an interface file declares. Returns where the search goes on, or NULL
 * if there is none.
 *
 * at: the description of the interface, or what the last call has returned.
 */
const char *method_next(const Interface *interface, const char *at,
			char ret_name[static METHOD_NAME_SIZE]);

/*
 * Finds the method that a person meant whose text names none: the one whose name without its
 * interface is nearest, in the same interface if several are. Returns false if none is near.
 */
bool method_suggest(const char *typed, char ret_name[static METHOD_NAME_SIZE]);

#endif
