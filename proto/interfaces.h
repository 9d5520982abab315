/* SPDX-License-Identifier: MIT */
#ifndef PROTO_INTERFACES_H
#define PROTO_INTERFACES_H

#include <stddef.h>

/* The .varlink files of this folder, as they stand, made into C by the Makefile. */
typedef struct Interface {
	const char *name;
	const char *description;
} Interface;

extern const Interface interfaces[];
extern const size_t interface_count;

#endif
