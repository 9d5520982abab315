/* SPDX-License-Identifier: MIT */
#include "tests/support/fake-server.h"

#include <criterion/criterion.h>
#include <dirent.h>

#include "proto/macros.h"
#include "tests/support/helper.h"

void fake_server_listen(FakeServer *server)
{
	struct sockaddr_un address = helper_address(server->path);

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

void fake_server_send(const FakeServer *server, const char *bytes, size_t size, const int *fds,
		      size_t count)
{
	cr_assert_eq(helper_sendmsg(server->connection, bytes, size, fds, count, 0), (ssize_t)size);
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
	ssize_t size =
		helper_recvmsg(server->connection, ret_received->bytes, sizeof(ret_received->bytes),
			       MSG_DONTWAIT | MSG_CMSG_CLOEXEC, ret_received->fds,
			       ARRAY_SIZE(ret_received->fds), &ret_received->count);

	cr_assert_geq(size, 0, "no data has arrived");
	ret_received->size = (size_t)size;
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
