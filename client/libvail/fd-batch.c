/* SPDX-License-Identifier: MIT */
#include "client/libvail/fd-batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/macros.h"

/* ---- Lists ---- */

void fd_list_close(FdList *fds)
{
	for (size_t i = 0; i < fds->count; i++)
		if (fds->list[i] >= 0)
			close(fds->list[i]);
	free(fds->list);
	*fds = (FdList){ 0 };
}

FdList fd_list_take(FdList *fds)
{
	FdList taken = *fds;

	*fds = (FdList){ 0 };
	return taken;
}

int fd_list_duplicate(const int *list, size_t count, FdList *ret_fds)
{
	_cleanup_(fd_list_close) FdList copies = { 0 };

	if (count > FDS_PER_MESSAGE_MAX)
		return -E2BIG;
	copies.list = malloc(count * sizeof(int));
	if (!copies.list && count > 0)
		return -ENOMEM;
	for (; copies.count < count; copies.count++) {
		int copy = fcntl(list[copies.count], F_DUPFD_CLOEXEC, 0);

		if (copy < 0)
			return -errno;
		copies.list[copies.count] = copy;
	}
	*ret_fds = fd_list_take(&copies);
	return 0;
}

/* ---- Sending and receiving ---- */

/* A buffer for one control message, aligned as the kernel and CMSG_DATA() require. */
typedef union Control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(FDS_PER_MESSAGE_MAX * sizeof(int))];
} Control;

ssize_t send_with_fds(int socket, const void *data, size_t size, const FdList *fds)
{
	struct iovec vector = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	size_t length = fds ? fds->count * sizeof(int) : 0;
	Control control = { 0 };

	if (length > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(length);
		memcpy(CMSG_DATA(&control.header), fds->list, length);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(length);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Moves the message's fds into *fds. If out of memory, closes them and returns false. */
static bool collect_fds(struct msghdr *message, FdList *fds)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	/* The kernel puts all fds into one control message. */
	while (header && (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS))
		header = CMSG_NXTHDR(message, header);
	if (!header)
		return true;

	size_t size = header->cmsg_len - CMSG_LEN(0);
	int received[FDS_PER_MESSAGE_MAX];

	memcpy(received, CMSG_DATA(header), size);
	fds->list = malloc(size);
	fds->count = size / sizeof(int);
	if (fds->list) {
		memcpy(fds->list, received, size);
		return true;
	}
	while (fds->count > 0)
		close(received[--fds->count]);
	return false;
}

ssize_t receive_with_fds(int socket, void *data, size_t size, FdList *ret_fds)
{
	_cleanup_(fd_list_close) FdList fds = { 0 };
	struct iovec vector = { .iov_base = data, .iov_len = size };
	Control control;
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (received < 0)
		return received;
	bool collected = collect_fds(&message, &fds);
	/* The buffer fits any message, so truncation means that this process is at its fd limit. */
	if (!collected || (message.msg_flags & MSG_CTRUNC)) {
		errno = collected ? EMFILE : ENOMEM;
		return -1;
	}
	*ret_fds = fd_list_take(&fds);
	return received;
}

/* ---- Batches ---- */

FdBatch *fd_batch_new(FdList *fds)
{
	FdBatch *batch = calloc(1, sizeof(*batch));

	if (batch)
		batch->fds = fd_list_take(fds);
	return batch;
}

void fd_batch_free(FdBatch *batch)
{
	if (!batch)
		return;
	fd_list_close(&batch->fds);
	free(batch);
}

void fd_batch_queue_append(FdBatchQueue *queue, FdBatch *batch)
{
	if (queue->first)
		queue->last->next = batch;
	else
		queue->first = batch;
	queue->last = batch;
}

void fd_batch_queue_drop_first(FdBatchQueue *queue)
{
	FdBatch *first = queue->first;

	queue->first = first->next;
	fd_batch_free(first);
}

void fd_batch_queue_clear(FdBatchQueue *queue)
{
	while (queue->first)
		fd_batch_queue_drop_first(queue);
}

FdList fd_batch_queue_take_before(FdBatchQueue *queue, uint64_t position)
{
	FdBatch *first = queue->first;

	if (!first || first->position >= position)
		return (FdList){ 0 };
	FdList fds = fd_list_take(&first->fds);
	fd_batch_queue_drop_first(queue);
	return fds;
}
