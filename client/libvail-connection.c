/* SPDX-License-Identifier: MIT */
/* The socket. Nothing here waits but connect(), and nothing calls back. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd-util.h"
#include "libvail-internal.h"

/* What is read at once, and how much of an empty input is kept for the next reply. */
#define RECEIVE_SIZE 16384
#define INPUT_KEPT   (256u << 10)

static NTSTATUS connect_failed(struct vail *vail, int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return vail_error_set(vail, STATUS_CONNECTION_REFUSED,
				      "cannot reach vaild at %s: %s; start it with: "
				      "systemctl start vaild",
				      vail->path, strerror(error));
	case EAGAIN:
		return vail_error_set(vail, STATUS_IO_TIMEOUT,
				      "vaild at %s takes no connection; see its log with: "
				      "journalctl -u vaild",
				      vail->path);
	case EACCES:
	case EPERM:
		return vail_error_set(vail, STATUS_ACCESS_DENIED,
				      "cannot reach vaild at %s: %s; the socket and its folder "
				      "must let this user in",
				      vail->path, strerror(error));
	case ENOMEM:
	case ENOBUFS:
		return vail_error_no_memory(vail);
	case EMFILE:
	case ENFILE:
		return vail_error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
				      "cannot reach vaild: %s; close some, or raise RLIMIT_NOFILE",
				      strerror(error));
	default:
		return vail_error_set(vail, STATUS_CONNECTION_REFUSED,
				      "cannot reach vaild at %s: %s; this is not its socket",
				      vail->path, strerror(error));
	}
}

/* A full queue of connections makes connect() wait; a timeout of 0 there would mean for ever. */
static void limit_connect(int descriptor, int timeout)
{
	struct timeval limit = { .tv_sec = timeout / 1000, .tv_usec = timeout % 1000 * 1000 };

	if (timeout < 0)
		return;
	if (timeout == 0)
		limit.tv_usec = 1;
	setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

NTSTATUS connection_open(struct vail *vail, bool may_wait)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(vail->path);

	if (length == 0 || length >= sizeof(address.sun_path))
		return vail_error_set(vail, STATUS_INVALID_PARAMETER,
				      "the path of vaild's socket must have 1 to %zu bytes; name "
				      "another",
				      sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, vail->path, length);

	int type = SOCK_STREAM | SOCK_CLOEXEC | (may_wait ? 0 : SOCK_NONBLOCK);
	_cleanup_close_ int descriptor = socket(AF_UNIX, type, 0);
	if (descriptor < 0)
		return connect_failed(vail, errno);
	limit_connect(descriptor, vail->timeout);
	/* Of a Unix socket nothing is under way after EINTR: it is simply asked again. */
	while (connect(descriptor, (struct sockaddr *)&address, sizeof(address)) < 0)
		if (errno != EINTR)
			return connect_failed(vail, errno);
	vail->owner = getpid();
	vail->is_known = false;
	vail->was_there = true;
	vail->descriptor = TAKE_DESCRIPTOR(descriptor);
	return STATUS_SUCCESS;
}

void connection_close(struct vail *vail)
{
	if (vail->descriptor < 0)
		return;
	close(vail->descriptor);
	vail->descriptor = -1;
	vail->generation++;
	vail->scanned = 0;
	buffer_truncate(&vail->input, 0);
	buffer_truncate(&vail->output, 0);
	parcels_clear(&vail->received);
	parcels_clear(&vail->sending);
}

bool connection_is_stale(const struct vail *vail)
{
	char byte;
	ssize_t size;

	do
		size = recv(vail->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	while (size < 0 && errno == EINTR);
	/* Bytes that nobody asked for may be a refusal, for the next call to receive. */
	return size == 0 || (size < 0 && errno != EAGAIN);
}

/* Sends once, up to where descriptors are due: those go with the first byte of their message. */
static ssize_t send_some(struct vail *vail)
{
	const Parcel *parcel = vail->sending.first;
	bool is_due = parcel && parcel->position == vail->output_position;
	size_t size = buffer_size(&vail->output);

	if (parcel)
		size = is_due ? parcel->length : parcel->position - vail->output_position;
	ssize_t sent = descriptors_send(vail->descriptor, buffer_head(&vail->output), size,
					is_due ? &parcel->descriptors : NULL);
	/* Some that the kernel takes from nobody here, or of which too many are under way: without
	 * them vaild gets the message all the same, and says why it wanted none, or which it lacks.
	 */
	bool is_barred = sent < 0 && is_due && errno != EAGAIN && errno != EINTR &&
			 errno != EPIPE && errno != ECONNRESET;
	if (is_due && (sent > 0 || is_barred))
		parcels_drop_first(&vail->sending);
	if (is_barred)
		errno = EINTR;
	return sent;
}

void connection_flush(struct vail *vail)
{
	while (buffer_size(&vail->output) > 0) {
		ssize_t size = send_some(vail);

		if (size >= 0) {
			buffer_consume(&vail->output, (size_t)size);
			vail->output_position += (size_t)size;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			buffer_truncate(&vail->output, 0);
			parcels_clear(&vail->sending);
		} else if (errno != EINTR) {
			return;
		}
	}
}

/* Puts descriptors that came with all but the first so many bytes of the input to the last message
 * that begins there. */
static Received keep_descriptors(struct vail *vail, size_t before, Descriptors *descriptors)
{
	const char *head = buffer_head(&vail->input);
	const char *nul = memrchr(head, '\0', buffer_size(&vail->input) - 1);
	size_t begin = nul ? (size_t)(nul + 1 - head) : 0;

	if (begin < before)
		return RECEIVED_STRAY_DESCRIPTORS;
	Parcel *parcel = parcel_new(descriptors);
	if (!parcel)
		return RECEIVED_NO_MEMORY;
	parcel->position = vail->input_position + begin;
	parcels_append(&vail->received, parcel);
	return RECEIVED_BYTES;
}

static Received receive_failed(int error)
{
	switch (error) {
	case EAGAIN:
		return RECEIVED_NOTHING;
	case ENOMEM:
		return RECEIVED_NO_MEMORY;
	case EMFILE:
		return RECEIVED_NO_DESCRIPTORS;
	default:
		return RECEIVED_END;
	}
}

Received connection_receive(struct vail *vail)
{
	_cleanup_(descriptors_close) Descriptors descriptors = { 0 };
	size_t before = buffer_size(&vail->input);
	ssize_t size;

	if (before == 0 && vail->input.capacity > INPUT_KEPT)
		buffer_shrink(&vail->input);
	/* One byte is left for the NUL that the last message may lack. */
	if (!buffer_reserve(&vail->input, RECEIVE_SIZE + 1))
		return RECEIVED_NO_MEMORY;
	do
		size = descriptors_receive(vail->descriptor, buffer_tail(&vail->input),
					   RECEIVE_SIZE, &descriptors);
	while (size < 0 && errno == EINTR);
	if (size <= 0)
		return size == 0 ? RECEIVED_END : receive_failed(errno);
	vail->input.end += (size_t)size;
	return descriptors.count > 0 ? keep_descriptors(vail, before, &descriptors)
				     : RECEIVED_BYTES;
}
