/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_DESCRIPTORS_H
#define LIBVAIL_DESCRIPTORS_H

/*
 * Descriptors on their way between processes. A sendmsg() that carries some holds exactly one
 * message from its first byte, and the kernel hands them out with that byte; so on the receiving
 * side they belong to the last message that begins in what one recvmsg() has brought.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the kernel takes in one message (SCM_MAX_FD). */
#define DESCRIPTOR_MAX 253

/* Owns them. Begin with zeroes; -1 is one that was taken away. */
typedef struct Descriptors {
	int *list;
	size_t count;
} Descriptors;

void descriptors_close(Descriptors *descriptors);

/* Moves ownership out; none are left. */
Descriptors descriptors_take(Descriptors *descriptors);

/* Duplicates what stays its owner's. Returns 0, or a negative errno: EBADF for what is no open
 * descriptor, EMFILE, ENOMEM, E2BIG for more than fit into a message. */
int descriptors_copy(const int *list, size_t count, Descriptors *ret_descriptors);

/* As send() without waiting and signal; descriptors may be NULL. */
ssize_t descriptors_send(int socket, const void *data, size_t size, const Descriptors *descriptors);

/* As recv() without waiting. Where descriptors came that could not be taken in, none are, what came
 * with them is lost, and errno is EMFILE, or ENOMEM. */
ssize_t descriptors_receive(int socket, void *data, size_t size, Descriptors *ret_descriptors);

/* The descriptors of one message. */
typedef struct Parcel Parcel;

struct Parcel {
	Parcel *next;
	uint64_t position; /* of the message's first byte in the stream */
	size_t length;     /* of the message, with its NUL; on the way in it is not known */
	Descriptors descriptors;
};

/* In the order of their messages. */
typedef struct Parcels {
	Parcel *first;
	Parcel *last;
} Parcels;

/* Takes the descriptors, unless there is no memory: then it returns NULL. */
Parcel *parcel_new(Descriptors *descriptors);
void parcel_free(Parcel *parcel);

void parcels_append(Parcels *parcels, Parcel *parcel);
void parcels_drop_first(Parcels *parcels);
void parcels_clear(Parcels *parcels);

/* The descriptors of the first, when its message begins before the position; else none. */
Descriptors parcels_take_before(Parcels *parcels, uint64_t position);

#endif
