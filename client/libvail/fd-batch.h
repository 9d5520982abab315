/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_FD_BATCH_H
#define CLIENT_LIBVAIL_FD_BATCH_H

/*
 * File descriptors sent between processes. A sendmsg() that carries fds contains exactly one
 * message, and the kernel delivers the fds with its first byte. On the receiving side they
 * therefore belong to the last message that begins in the data of one recvmsg().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel's limit of fds per message (SCM_MAX_FD). */
#define FDS_PER_MESSAGE_MAX 253

/* Owns its fds. Initialize with zeroes. An entry of -1 has been taken by the user. */
typedef struct FdList {
	int *list;
	size_t count;
} FdList;

void fd_list_close(FdList *fds);

/* Moves the fds into the returned list and leaves this one empty. */
FdList fd_list_take(FdList *fds);

/*
 * Duplicates fds, which stay the caller's. Returns 0, -EBADF if one is not open, -EMFILE, -ENOMEM,
 * or -E2BIG if there are more than FDS_PER_MESSAGE_MAX.
 */
int fd_list_duplicate(const int *list, size_t count, FdList *ret_fds);

/* Like send(), but never blocks and raises no SIGPIPE. fds may be NULL. */
ssize_t send_with_fds(int socket, const void *data, size_t size, const FdList *fds);

/*
 * Like recv(), but never blocks and stores the received fds in *ret_fds, which the caller closes.
 * If they do not fit into this process, closes them, loses the data, and fails with EMFILE or
 * ENOMEM.
 */
ssize_t receive_with_fds(int socket, void *data, size_t size, FdList *ret_fds);

/* The fds of one message. */
typedef struct FdBatch FdBatch;

struct FdBatch {
	FdBatch *next;
	uint64_t position; /* of the message's first byte in the stream, in bytes */
	size_t length;     /* of an outgoing message with its NUL; 0 for received ones */
	FdList fds;
};

/* In the order of the messages. Initialize with zeroes. */
typedef struct FdBatchQueue {
	FdBatch *first;
	FdBatch *last;
} FdBatchQueue;

/* Moves the fds into a new batch. Returns NULL, leaving them alone, if out of memory. */
FdBatch *fd_batch_new(FdList *fds);
void fd_batch_free(FdBatch *batch);

void fd_batch_queue_append(FdBatchQueue *queue, FdBatch *batch);
void fd_batch_queue_drop_first(FdBatchQueue *queue);
void fd_batch_queue_clear(FdBatchQueue *queue);

/*
 * If the first batch's message begins before the position, removes the batch and returns its fds,
 * which the caller closes. Otherwise returns an empty list.
 */
FdList fd_batch_queue_take_before(FdBatchQueue *queue, uint64_t position);

#endif
