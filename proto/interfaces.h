/* SPDX-License-Identifier: MIT */
#ifndef PROTO_INTERFACES_H
#define PROTO_INTERFACES_H

#include <stddef.h>

/* A .varlink file of this folder. The Makefile generates the array from the files. */
typedef struct Interface {
	const char *name;
	const char *description;
} Interface;

extern const Interface interfaces[];
extern const size_t interface_count;

/* Those that vaild-fleet serves. vaild serves the others. */
extern const Interface fleet_interfaces[];
extern const size_t fleet_interface_count;

#endif
