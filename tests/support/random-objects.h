/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_RANDOM_OBJECTS_H
#define TESTS_SUPPORT_RANDOM_OBJECTS_H

#include <inttypes.h>

#include "tests/system/helpers/fd-kinds.h"

/*
 * Random requests about shared objects, valid and invalid, with fds of all kinds, and the replies
 * to them.
 */

#define HANDLES_MAX 64
#define HANDLE_SIZE 33

/*
 * Return a random number below the limit, or true once in count times. They update *random, whose
 * first value is the seed.
 */
uint64_t draw(uint64_t *random, uint64_t below);
bool one_in(uint64_t *random, uint64_t count);

#define PICK(random, items) (items)[draw(random, sizeof(items) / sizeof((items)[0]))]

typedef struct Request {
	char text[8192];
	size_t length;
	int fds[HELPER_FDS_MAX];
	size_t count;
	bool is_broken; /* the daemon may close the connection because of it */
} Request;

typedef struct RandomObjects {
	uint64_t random;
	const char *guid;   /* of the VM */
	int pool[FD_KINDS]; /* an fd of each kind, or -1 */
	char handles[HANDLES_MAX][HANDLE_SIZE];
	char forgotten[HANDLES_MAX][HANDLE_SIZE]; /* to be closed, before they are lost */
	size_t forgotten_count;
} RandomObjects;

/* Makes the fds of the pool. */
void random_objects_make_pool(RandomObjects *objects);

/* Stores a handle from a reply, unless it is known. It replaces another one, which is forgotten. */
void random_objects_remember(RandomObjects *objects, const char *handle);

/* Fills an empty request, without its terminator. */
void random_objects_request(RandomObjects *objects, Request *request);

/* Appends the beginning of a call, up to "parameters":. The method is without "io.vaild.". */
void request_begin(Request *request, const char *method);
void request_add(Request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
void request_add_fds(RandomObjects *objects, Request *request, size_t count, size_t kinds);

/* Breaks the request once in 500 times, and appends its terminator, a newline or a NUL. */
void request_end(uint64_t *random, Request *request);

/*
 * Calls look() for each complete reply in the text, with its terminator replaced by a NUL. Moves
 * the rest to the beginning of the text and returns its size. The first searched bytes are known to
 * contain no terminator.
 */
size_t replies_take(char *text, size_t size, size_t searched,
		    void (*look)(void *context, const char *reply, size_t length), void *context);

#endif
