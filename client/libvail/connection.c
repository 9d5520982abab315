/* SPDX-License-Identifier: MIT */
/* The socket. Only connect() may block, and no callback runs but that of vail_set_waiting(). */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/libvail/internal.h"
#include "proto/fd-util.h"

/* The bytes to receive at once, and the capacity that an empty input may keep. */
#define RECEIVE_SIZE 16384
#define INPUT_KEPT   (256u << 10)

static NTSTATUS connect_failed(struct vail *vail, int error)
{
	struct stat file;

	if (error == ECONNREFUSED && stat(vail->path, &file) == 0 && !S_ISSOCK(file.st_mode))
		return error_set(vail, STATUS_CONNECTION_REFUSED,
				 "cannot reach vaild at %s: it is not a socket; give the path of "
				 "vaild's socket",
				 vail->path);
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return error_set(vail, STATUS_CONNECTION_REFUSED,
				 "cannot reach vaild at %s: %s; start it with: "
				 "systemctl start vaild, or by hand with: vaild",
				 vail->path, strerror(error));
	case EAGAIN:
		return error_set(
			vail, STATUS_IO_TIMEOUT,
			"vaild at %s does not accept the connection; see its log "
			"with: journalctl -u vaild, or on the stderr of a vaild started by hand",
			vail->path);
	case EACCES:
	case EPERM:
		return error_set(vail, STATUS_ACCESS_DENIED,
				 "cannot reach vaild at %s: %s; give this user access to the "
				 "socket and its directory",
				 vail->path, strerror(error));
	case ENOMEM:
	case ENOBUFS:
		return error_set_no_memory(vail);
	case EMFILE:
	case ENFILE:
		return error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
				 "cannot reach vaild: %s; close file descriptors or raise "
				 "RLIMIT_NOFILE",
				 strerror(error));
	default:
		return error_set(vail, STATUS_CONNECTION_REFUSED,
				 "cannot reach vaild at %s: %s; check that this is vaild's "
				 "socket",
				 vail->path, strerror(error));
	}
}

/* Limits how long connect() waits for a full listen queue. SO_SNDTIMEO of 0 would mean no limit. */
static void limit_connect(int fd, int timeout)
{
	struct timeval limit = { .tv_sec = timeout / 1000, .tv_usec = timeout % 1000 * 1000 };

	if (timeout < 0)
		limit = (struct timeval){ 0 };
	if (timeout == 0)
		limit.tv_usec = 1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Connects within the time. Returns 0 or a negative errno. */
static int connect_within(int fd, const struct sockaddr_un *address, int timeout)
{
	limit_connect(fd, timeout);
	/* An interrupted connect() of a Unix socket can simply be retried. */
	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The same within the handle's timeout. Reports a long wait. */
static int connect_to(struct vail *vail, int fd, const struct sockaddr_un *address, bool may_wait)
{
	int timeout = vail->timeout, delay = vail->waiting_delay;

	if (!may_wait || !vail->waiting || (timeout >= 0 && timeout <= delay))
		return connect_within(fd, address, timeout);
	int error = connect_within(fd, address, delay);
	if (error != -EAGAIN)
		return error;
	waiting_report(vail, WAIT_CONNECT);
	return connect_within(fd, address, timeout < 0 ? timeout : timeout - delay);
}

NTSTATUS connection_connect(struct vail *vail, bool may_wait)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(vail->path);

	if (length == 0 || length >= sizeof(address.sun_path))
		return error_set(vail, STATUS_INVALID_PARAMETER,
				 "the path of vaild's socket must have 1 to %zu bytes; give "
				 "another path",
				 sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, vail->path, length);

	int type = SOCK_STREAM | SOCK_CLOEXEC | (may_wait ? 0 : SOCK_NONBLOCK);
	_cleanup_close_ int fd = socket(AF_UNIX, type, 0);
	if (fd < 0)
		return connect_failed(vail, errno);
	int error = connect_to(vail, fd, &address, may_wait);
	if (error < 0)
		return connect_failed(vail, -error);
	vail->owner_pid = getpid();
	vail->has_answered = false;
	vail->was_connected = true;
	vail->fd = TAKE_FD(fd);
	return STATUS_SUCCESS;
}

void connection_close(struct vail *vail)
{
	if (vail->fd < 0)
		return;
	close(vail->fd);
	vail->fd = -1;
	vail->generation++;
	vail->scanned = 0;
	buffer_truncate(&vail->input, 0);
	buffer_truncate(&vail->output, 0);
	fd_batch_queue_clear(&vail->received_fds);
	fd_batch_queue_clear(&vail->outgoing_fds);
}

bool connection_is_stale(const struct vail *vail)
{
	char byte;
	ssize_t size;

	do
		size = recv(vail->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	while (size < 0 && errno == EINTR);
	/* Unexpected bytes may be a refusal, which the next call receives as its reply. */
	return size == 0 || (size < 0 && errno != EAGAIN);
}

/* Sends once. Stops before a message with fds, because they travel with its first byte. */
static ssize_t send_some(struct vail *vail)
{
	const FdBatch *batch = vail->outgoing_fds.first;
	bool is_due = batch && batch->position == vail->output_position;
	size_t size = buffer_size(&vail->output);

	if (batch)
		size = is_due ? batch->length : batch->position - vail->output_position;
	ssize_t sent = send_with_fds(vail->fd, buffer_head(&vail->output), size,
				     is_due ? &batch->fds : NULL);
	/*
	 * The kernel refuses the fds, or too many are in flight. Send the message without them, so
	 * that vaild replies with the reason.
	 */
	bool is_barred = sent < 0 && is_due && errno != EAGAIN && errno != EINTR &&
			 errno != EPIPE && errno != ECONNRESET;
	if (is_due && (sent > 0 || is_barred))
		fd_batch_queue_drop_first(&vail->outgoing_fds);
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
			fd_batch_queue_clear(&vail->outgoing_fds);
		} else if (errno != EINTR) {
			return;
		}
	}
}

/*
 * Queues received fds for the last message that begins in the input. before is the size of the
 * input before the fds and their bytes arrived.
 */
static ReceiveResult queue_received_fds(struct vail *vail, size_t before, FdList *fds)
{
	const char *head = buffer_head(&vail->input);
	const char *nul = memrchr(head, '\0', buffer_size(&vail->input) - 1);
	size_t begin = nul ? (size_t)(nul + 1 - head) : 0;

	if (begin < before)
		return RECEIVE_STRAY_FDS;
	FdBatch *batch = fd_batch_new(fds);
	if (!batch)
		return RECEIVE_NO_MEMORY;
	batch->position = vail->input_position + begin;
	fd_batch_queue_append(&vail->received_fds, batch);
	return RECEIVE_DATA;
}

static ReceiveResult receive_failed(int error)
{
	switch (error) {
	case EAGAIN:
		return RECEIVE_NOTHING;
	case ENOMEM:
		return RECEIVE_NO_MEMORY;
	case EMFILE:
		return RECEIVE_NO_FDS;
	default:
		return RECEIVE_CLOSED;
	}
}

ReceiveResult connection_receive(struct vail *vail)
{
	_cleanup_(fd_list_close) FdList fds = { 0 };
	size_t before = buffer_size(&vail->input);
	ssize_t size;

	if (before == 0 && vail->input.capacity > INPUT_KEPT)
		buffer_shrink(&vail->input);
	/* Reserve one byte for the NUL that the last message may lack. */
	if (!buffer_reserve(&vail->input, RECEIVE_SIZE + 1))
		return RECEIVE_NO_MEMORY;
	do
		size = receive_with_fds(vail->fd, buffer_tail(&vail->input), RECEIVE_SIZE, &fds);
	while (size < 0 && errno == EINTR);
	if (size <= 0)
		return size == 0 ? RECEIVE_CLOSED : receive_failed(errno);
	vail->input.end += (size_t)size;
	return fds.count > 0 ? queue_received_fds(vail, before, &fds) : RECEIVE_DATA;
}
