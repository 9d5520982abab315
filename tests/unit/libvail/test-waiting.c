/* SPDX-License-Identifier: MIT */
/* The callback that reports what a blocking call waits for. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/fd-util.h"
#include "tests/support/fake-server.h"

static FakeServer server;

/* The reports of a call. */
typedef struct Reports {
	int count;
	char last[256];
	NTSTATUS nested; /* of a blocking call that the callback tries */
} Reports;

static void on_waiting(struct vail *vail, const char *what, void *context)
{
	Reports *reports = context;

	reports->count++;
	strncpy(reports->last, what, sizeof(reports->last) - 1);
	reports->nested = vail_call(vail, "a.B", NULL, NULL);
}

static void setup(void)
{
	fake_server_init(&server);
}

static void teardown(void)
{
	fake_server_deinit(&server);
}

TestSuite(waiting, .init = setup, .fini = teardown);

Test(waiting, a_missing_reply_is_reported_once)
{
	Reports reports = { 0 };

	vail_set_timeout(server.vail, 50);
	vail_set_waiting(server.vail, 0, on_waiting, &reports);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_IO_TIMEOUT);
	cr_assert_eq(reports.count, 1);
	cr_assert_not_null(strstr(reports.last, server.path), "%s", reports.last);
	cr_assert_not_null(strstr(reports.last, "has not answered yet"), "%s", reports.last);
	cr_assert_eq(reports.nested, STATUS_INVALID_DEVICE_STATE);
}

Test(waiting, an_answer_is_not_reported)
{
	Reports reports = { 0 };

	vail_set_waiting(server.vail, 1000000, on_waiting, &reports);
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_SUCCESS);
	vail_set_timeout(server.vail, 20);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_IO_TIMEOUT,
		     "the delay is longer than the timeout");
	cr_assert_eq(reports.count, 0);
}

Test(waiting, a_vaild_that_has_stopped_is_reported)
{
	Reports reports = { 0 };

	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_SUCCESS);
	fd_close(&server.connection);
	fd_close(&server.listener);
	unlink(server.path);
	vail_set_timeout(server.vail, 50);
	vail_set_waiting(server.vail, 0, on_waiting, &reports);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_IO_TIMEOUT);
	cr_assert_eq(reports.count, 1);
	cr_assert_not_null(strstr(reports.last, "has stopped and is not back yet"), "%s",
			   reports.last);
	vail_set_waiting(server.vail, 0, NULL, NULL);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_IO_TIMEOUT);
	cr_assert_eq(reports.count, 1, "there is no callback any more");
}

Test(waiting, a_full_listen_queue_is_reported)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct vail *other;
	Reports reports = { 0 };
	int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(listen(server.listener, 0), 0);
	strcpy(address.sun_path, server.path);
	cr_assert_eq(connect(first, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(vail_new(server.path, &other), STATUS_SUCCESS);
	vail_set_timeout(other, 50);
	vail_set_waiting(other, 0, on_waiting, &reports);
	cr_assert_eq(vail_call(other, "a.B", NULL, NULL), STATUS_IO_TIMEOUT);
	cr_assert_eq(reports.count, 1);
	cr_assert_not_null(strstr(reports.last, "has not accepted the connection yet"), "%s",
			   reports.last);
	vail_close(other);
	close(first);
}

/* Replies of a stream come when something happens. */
static bool take_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		       void *context)
{
	(void)vail;
	(void)status;
	(void)parameters;
	(void)context;
	return continues;
}

Test(waiting, the_silence_of_a_stream_is_not_reported)
{
	static const char reply[] = "{\"parameters\":{},\"continues\":true}";
	Reports reports = { 0 };

	fake_server_send(&server, reply, sizeof(reply), NULL, 0);
	vail_set_timeout(server.vail, 50);
	vail_set_waiting(server.vail, 10, on_waiting, &reports);
	cr_assert_eq(vail_call_more(server.vail, "a.B", NULL, take_reply, NULL), STATUS_IO_TIMEOUT);
	cr_assert_eq(reports.count, 0);
}
