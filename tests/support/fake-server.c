/* SPDX-License-Identifier: MIT */
#include "tests/support/fake-server.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void fake_server_listen(FakeServer *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, server->path);
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(server->listener, 8), 0);
}

void fake_server_init(FakeServer *server)
{
	strcpy(server->directory, "/tmp/vail-fake-XXXXXX");
	cr_assert_not_null(mkdtemp(server->directory));
	snprintf(server->path, sizeof(server->path), "%s/socket", server->directory);
	fake_server_listen(server);
	server->connection = -1;
	cr_assert_eq(vail_open(server->path, &server->vail), STATUS_SUCCESS);
	vail_set_timeout(server->vail, VAIL_TIMEOUT_NONE);
	fake_server_accept(server);
}

void fake_server_deinit(FakeServer *server)
{
	vail_close(server->vail);
	close(server->connection);
	close(server->listener);
	unlink(server->path);
	rmdir(server->directory);
}

void fake_server_accept(FakeServer *server)
{
	if (server->connection >= 0)
		close(server->connection);
	server->connection = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(server->connection, 0);
}

/* A buffer for a control message with the kernel's maximum of fds. */
typedef union Control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(253 * sizeof(int))];
} Control;

void fake_server_send(const FakeServer *server, const char *bytes, size_t size, const int *fds,
		      size_t count)
{
	Control control = { 0 };
	struct iovec vector = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	cr_assert_eq(sendmsg(server->connection, &message, MSG_NOSIGNAL), (ssize_t)size);
}

void fake_server_reply(const FakeServer *server, const char *parameters, const int *fds,
		       size_t count)
{
	char *text = NULL;
	int length = asprintf(&text, "{\"parameters\":{%s}}", parameters);

	cr_assert_gt(length, 0);
	fake_server_send(server, text, (size_t)length + 1, fds, count);
	free(text);
}

void fake_server_receive(const FakeServer *server, ReceivedData *ret_received)
{
	Control control;
	struct iovec vector = { .iov_base = ret_received->bytes,
				.iov_len = sizeof(ret_received->bytes) };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t size = recvmsg(server->connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	cr_assert_geq(size, 0, "no data has arrived");
	ret_received->size = (size_t)size;
	ret_received->count = 0;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header)
		return;
	size_t bytes = header->cmsg_len - CMSG_LEN(0);
	memcpy(ret_received->fds, CMSG_DATA(header), bytes);
	ret_received->count = bytes / sizeof(int);
}

void received_data_close(ReceivedData *received)
{
	for (size_t i = 0; i < received->count; i++)
		close(received->fds[i]);
	received->count = 0;
}

size_t count_open_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	cr_assert_not_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

int make_file(const char *content)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	size_t size = strlen(content);

	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, content, size, 0), (ssize_t)size);
	return fd;
}

bool has_content(int fd, const char *content)
{
	char bytes[256];
	ssize_t size = pread(fd, bytes, sizeof(bytes), 0);

	return size == (ssize_t)strlen(content) && memcmp(bytes, content, (size_t)size) == 0;
}

void fake_server_answer_once(const FakeServer *server)
{
	static ReceivedData received;

	fake_server_reply(server, "", NULL, 0);
	cr_assert_eq(vail_call(server->vail, "org.varlink.service.GetInfo", NULL, NULL),
		     STATUS_SUCCESS);
	fake_server_receive(server, &received);
}
