/* SPDX-License-Identifier: MIT */
#include "libvail-descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "macros.h"

/* ---- Sets ---- */

void descriptors_close(Descriptors *descriptors)
{
	for (size_t i = 0; i < descriptors->count; i++)
		if (descriptors->list[i] >= 0)
			close(descriptors->list[i]);
	free(descriptors->list);
	*descriptors = (Descriptors){ 0 };
}

Descriptors descriptors_take(Descriptors *descriptors)
{
	Descriptors taken = *descriptors;

	*descriptors = (Descriptors){ 0 };
	return taken;
}

int descriptors_copy(const int *list, size_t count, Descriptors *ret_descriptors)
{
	_cleanup_(descriptors_close) Descriptors copies = { 0 };

	if (count > DESCRIPTOR_MAX)
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
	*ret_descriptors = descriptors_take(&copies);
	return 0;
}

/* ---- Sending and receiving ---- */

/* Room for one control message, aligned as the kernel and CMSG_DATA() want it. */
typedef union Control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(DESCRIPTOR_MAX * sizeof(int))];
} Control;

ssize_t descriptors_send(int socket, const void *data, size_t size, const Descriptors *descriptors)
{
	struct iovec vector = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	size_t length = descriptors ? descriptors->count * sizeof(int) : 0;
	Control control = { 0 };

	if (length > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(length);
		memcpy(CMSG_DATA(&control.header), descriptors->list, length);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(length);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Takes them out of the message. Returns false when there is no memory, and they are closed. */
static bool collect(struct msghdr *message, Descriptors *descriptors)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	/* The kernel puts all that came into one. */
	while (header && (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS))
		header = CMSG_NXTHDR(message, header);
	if (!header)
		return true;

	size_t size = header->cmsg_len - CMSG_LEN(0);
	int received[DESCRIPTOR_MAX];

	memcpy(received, CMSG_DATA(header), size);
	descriptors->list = malloc(size);
	descriptors->count = size / sizeof(int);
	if (descriptors->list) {
		memcpy(descriptors->list, received, size);
		return true;
	}
	while (descriptors->count > 0)
		close(received[--descriptors->count]);
	return false;
}

ssize_t descriptors_receive(int socket, void *data, size_t size, Descriptors *ret_descriptors)
{
	_cleanup_(descriptors_close) Descriptors descriptors = { 0 };
	struct iovec vector = { .iov_base = data, .iov_len = size };
	Control control;
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (received < 0)
		return received;
	bool collected = collect(&message, &descriptors);
	/* The room is enough for any message: what was cut found no number in this process. */
	if (!collected || (message.msg_flags & MSG_CTRUNC)) {
		errno = collected ? EMFILE : ENOMEM;
		return -1;
	}
	*ret_descriptors = descriptors_take(&descriptors);
	return received;
}

/* ---- Parcels ---- */

Parcel *parcel_new(Descriptors *descriptors)
{
	Parcel *parcel = calloc(1, sizeof(*parcel));

	if (parcel)
		parcel->descriptors = descriptors_take(descriptors);
	return parcel;
}

void parcel_free(Parcel *parcel)
{
	if (!parcel)
		return;
	descriptors_close(&parcel->descriptors);
	free(parcel);
}

void parcels_append(Parcels *parcels, Parcel *parcel)
{
	if (parcels->first)
		parcels->last->next = parcel;
	else
		parcels->first = parcel;
	parcels->last = parcel;
}

void parcels_drop_first(Parcels *parcels)
{
	Parcel *first = parcels->first;

	parcels->first = first->next;
	parcel_free(first);
}

void parcels_clear(Parcels *parcels)
{
	while (parcels->first)
		parcels_drop_first(parcels);
}

Descriptors parcels_take_before(Parcels *parcels, uint64_t position)
{
	Parcel *first = parcels->first;

	if (!first || first->position >= position)
		return (Descriptors){ 0 };
	Descriptors descriptors = descriptors_take(&first->descriptors);
	parcels_drop_first(parcels);
	return descriptors;
}
