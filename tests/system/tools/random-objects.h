/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_RANDOM_OBJECTS_H
#define SYSTEM_RANDOM_OBJECTS_H

#include <inttypes.h>

#include "descriptor-kinds.h"

/* Random requests about shared objects, good ones and broken ones, with descriptors of all kinds.
 */

#define HANDLES_MAX 64
#define HANDLE_SIZE 33

/* Each is drawn from the seed that *random was at first. */
uint64_t draw(uint64_t *random, uint64_t below);
bool one_in(uint64_t *random, uint64_t count);

#define PICK(random, items) (items)[draw(random, sizeof(items) / sizeof((items)[0]))]

typedef struct Request {
	char text[8192];
	size_t length;
	int descriptors[TOOL_DESCRIPTORS_MAX];
	size_t count;
	bool is_broken; /* nobody knows what becomes of the connection behind it */
} Request;

typedef struct RandomObjects {
	uint64_t random;
	const char *guid;           /* of the VM */
	int pool[DESCRIPTOR_KINDS]; /* -1: this machine has none of that kind */
	char handles[HANDLES_MAX][HANDLE_SIZE];
	char forgotten[HANDLES_MAX][HANDLE_SIZE]; /* to be closed, or they are held for good */
	size_t forgotten_count;
} RandomObjects;

void random_objects_make_pool(RandomObjects *objects);

/* One that was seen in an answer takes the place of another, if it is new. */
void random_objects_remember(RandomObjects *objects, const char *handle);

/* Appends one to an empty request, without its end. */
void random_objects_request(RandomObjects *objects, Request *request);

/* What other requests are made of; "io.vaild." is not part of the method. */
void request_begin(Request *request, const char *method);
void request_add(Request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
void request_add_descriptors(RandomObjects *objects, Request *request, size_t count, size_t kinds);
void request_break(uint64_t *random, Request *request);

#endif
