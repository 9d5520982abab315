/* SPDX-License-Identifier: MIT */
/* Proves that a handle does not wait for a vaild of which nothing is asked. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "fake-server.h"

static bool keep_status(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			void *context)
{
	(void)vail;
	(void)parameters;
	*(NTSTATUS *)context = status;
	return continues;
}

/* The server is gone, with its socket. */
static void leave(FakeServer *server)
{
	close(server->connection);
	close(server->listener);
	unlink(server->path);
	server->connection = -1;
}

Test(libvail_absence, nothing_is_waited_for_when_nothing_is_asked)
{
	static Received received;
	int file = make_file("a");
	NTSTATUS status = STATUS_SUCCESS;
	FakeServer server;

	fake_server_init(&server);
	leave(&server);
	cr_assert_eq(vail_submit(server.vail, "a.B", "{", false, keep_status, &status),
		     STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_descriptor(server.vail), -1);
	cr_assert_eq(vail_submit_with_descriptors(server.vail, "a.B", NULL, &file, 1, false,
						  keep_status, &status),
		     STATUS_CONNECTION_REFUSED);
	cr_assert_eq(vail_descriptor(server.vail), -1);
	fake_server_listen(&server);
	cr_assert_eq(vail_send_oneway(server.vail, "a.B", NULL), STATUS_SUCCESS,
		     "vaild is there again: %s", vail_error_message(server.vail));
	fake_server_accept(&server);
	fake_server_receive(&server, &received);
	cr_assert_eq(status, STATUS_SUCCESS, "what was refused is not told as well");
	close(file);
	fake_server_deinit(&server);
}
