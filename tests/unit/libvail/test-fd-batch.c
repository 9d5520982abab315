/* SPDX-License-Identifier: MIT */
/*
 * Tests that fds travel with their message in both directions, regardless of the messages before
 * and after it, and that the library closes fds that the user does not take.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/fake-server.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static FakeServer server;
static ReceivedData received;
static size_t open_before;

static void set_up(void)
{
	open_before = count_open_fds();
	fake_server_init(&server);
}

static void tear_down(void)
{
	received_data_close(&received);
	fake_server_deinit(&server);
	cr_assert_eq(count_open_fds(), open_before, "fds are left open");
}

TestSuite(fd_batch, .init = set_up, .fini = tear_down);

/* The replies passed to log_reply(). */
typedef struct ReplyLog {
	unsigned int replies;
	NTSTATUS status;
	char parameters[64];
	int taken; /* the fd taken from the last reply; -1 for none */
	bool takes;
} ReplyLog;

static bool log_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		      void *context)
{
	ReplyLog *log = context;

	log->replies++;
	log->status = status;
	snprintf(log->parameters, sizeof(log->parameters), "%s", parameters ? parameters : "");
	log->taken = log->takes ? vail_take_descriptor(vail, 0) : -1;
	return continues;
}

Test(fd_batch, requests_carry_copies)
{
	int files[2] = { make_file("one"), make_file("two") };

	fake_server_answer_once(&server);
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_call_with_descriptors(server.vail, "a.B", "{}", files, 2, NULL),
		     STATUS_SUCCESS);
	cr_assert_eq(vail_take_descriptor(server.vail, 0), -1);
	close(files[0]);
	close(files[1]);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"a.B\",\"parameters\":{}}");
	cr_assert_eq(received.size, strlen(received.bytes) + 1, "one message");
	cr_assert_eq(received.count, 2u);
	cr_assert(has_content(received.fds[0], "one"));
	cr_assert(has_content(received.fds[1], "two"));
}

/* Submits calls until the socket is full. Returns their number. */
static size_t submit_until_full(ReplyLog *log)
{
	char *parameters = NULL;
	size_t calls = 0;

	cr_assert_gt(asprintf(&parameters, "{\"padding\":\"%030000d\"}", 0), 0);
	while (!(vail_events(server.vail) & POLLOUT)) {
		cr_assert_eq(vail_submit(server.vail, "a.B", parameters, false, log_reply, log),
			     STATUS_SUCCESS);
		calls++;
	}
	free(parameters);
	return calls;
}

/* Receives up to the message with fds. Returns the number of bytes before it. */
static size_t receive_up_to_fds(void)
{
	size_t before = 0;

	for (;;) {
		vail_process(server.vail);
		fake_server_receive(&server, &received);
		if (received.count > 0)
			return before;
		before += received.size;
	}
}

Test(fd_batch, pipelined_calls_keep_their_fds)
{
	static const char message[] = "{\"method\":\"c.D\"}";
	static ReplyLog log; /* static: the handle is closed after the test has returned */
	int file = make_file("the file");

	submit_until_full(&log);
	cr_assert_eq(vail_submit_with_descriptors(server.vail, "c.D", NULL, &file, 1, false,
						  log_reply, &log),
		     STATUS_SUCCESS);
	cr_assert_eq(vail_submit(server.vail, "e.F", NULL, false, log_reply, &log), STATUS_SUCCESS);
	close(file);
	receive_up_to_fds();

	/* One recvmsg() may also return data before the message, which is the last to begin. */
	const char *begin = received.bytes + received.size - sizeof(message);
	cr_assert_arr_eq(begin, message, sizeof(message));
	cr_assert(begin == received.bytes || begin[-1] == '\0');
	cr_assert_eq(received.count, 1u);
	cr_assert(has_content(received.fds[0], "the file"));
	received_data_close(&received);
	vail_process(server.vail);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"e.F\"}");
	cr_assert_eq(received.count, 0u);
}

Test(fd_batch, closing_the_handle_closes_unsent_fds)
{
	ReplyLog log = { 0 };
	int file = make_file("the file");

	size_t calls = submit_until_full(&log);
	cr_assert_eq(vail_submit_with_descriptors(server.vail, "c.D", NULL, &file, 1, false,
						  log_reply, &log),
		     STATUS_SUCCESS);
	close(file);
	vail_close(server.vail);
	server.vail = NULL;
	cr_assert_eq(log.replies, calls + 1);
	cr_assert_eq(log.status, STATUS_CONNECTION_DISCONNECTED);
}

Test(fd_batch, replies_carry_fds)
{
	char *reply = NULL;
	int file = make_file("held");

	fake_server_reply(&server, "\"a\":1", &file, 1);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, &reply), STATUS_SUCCESS);
	cr_assert_str_eq(reply, "{\"a\":1}");
	free(reply);
	close(file);
	int taken = vail_take_descriptor(server.vail, 0);
	cr_assert(has_content(taken, "held"));
	cr_assert(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(vail_take_descriptor(server.vail, 0), -1, "it was already taken");
	cr_assert_eq(vail_take_descriptor(server.vail, 1), -1, "the reply has only one");
	close(taken);
}

Test(fd_batch, untaken_fds_are_closed)
{
	int file = make_file("held");

	fake_server_reply(&server, "", &file, 1);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_SUCCESS);
	size_t count = count_open_fds();
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_SUCCESS);
	cr_assert_eq(count_open_fds(), count - 1, "the next call closes the fd");
	cr_assert_eq(vail_take_descriptor(server.vail, 0), -1);
	fake_server_reply(&server, "", &file, 1);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_SUCCESS);
	close(file); /* closing the handle closes the last fd */
}

Test(fd_batch, each_reply_has_its_own_fds)
{
	ReplyLog log[3] = { { .takes = true }, { .takes = true }, { .takes = true } };
	int file = make_file("of the second"), other = make_file("of the third");

	for (size_t i = 0; i < 3; i++)
		vail_submit(server.vail, "a.B", NULL, false, log_reply, &log[i]);
	/* The kernel may return the first two in one recvmsg(). */
	fake_server_reply(&server, "\"a\":1", NULL, 0);
	fake_server_reply(&server, "\"a\":2", &file, 1);
	fake_server_reply(&server, "\"a\":3", &other, 1);
	close(file);
	close(other);
	while (log[2].replies == 0)
		cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert_eq(log[0].taken, -1);
	cr_assert(has_content(log[1].taken, "of the second"));
	cr_assert_str_eq(log[1].parameters, "{\"a\":2}");
	cr_assert(has_content(log[2].taken, "of the third"));
	close(log[1].taken);
	close(log[2].taken);
}

Test(fd_batch, partial_replies_keep_their_fds)
{
	static const char head[] = "{\"parameters\":", tail[] = "{\"a\":2}}";
	ReplyLog log[2] = { { .takes = true }, { .takes = true } };
	int file = make_file("of the second");

	for (size_t i = 0; i < 2; i++)
		vail_submit(server.vail, "a.B", NULL, false, log_reply, &log[i]);
	fake_server_reply(&server, "\"a\":1", NULL, 0);
	fake_server_send(&server, head, sizeof(head) - 1, &file, 1);
	close(file);
	vail_process(server.vail);
	cr_assert_eq(log[0].replies, 1u);
	cr_assert_eq(log[1].replies, 0u);
	fake_server_send(&server, tail, sizeof(tail), NULL, 0);
	vail_process(server.vail);
	cr_assert_eq(log[0].taken, -1);
	cr_assert(has_content(log[1].taken, "of the second"));
	close(log[1].taken);
}

Test(fd_batch, fds_without_a_message_end_the_connection)
{
	ReplyLog log = { 0 };
	int file = make_file("stray");

	vail_submit(server.vail, "a.B", NULL, false, log_reply, &log);
	fake_server_send(&server, "{\"parameters\":", 14, NULL, 0);
	vail_process(server.vail);
	fake_server_send(&server, "{}}", 4, &file, 1);
	close(file);
	cr_assert_eq(vail_process(server.vail), STATUS_INVALID_NETWORK_RESPONSE);
	cr_assert_eq(log.status, STATUS_INVALID_NETWORK_RESPONSE);
	cr_assert_eq(vail_descriptor(server.vail), -1);
}

Test(fd_batch, fds_of_an_invalid_reply_are_closed)
{
	static const char answer[] = "{\"error\":5}";
	int file = make_file("held");

	fake_server_send(&server, answer, sizeof(answer), &file, 1);
	close(file);
	size_t count = count_open_fds();
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_INVALID_NETWORK_RESPONSE);
	cr_assert_eq(count_open_fds(), count - 1, "only the connection was closed");
}

/* Limits this process to its open fds and the given number of further ones. */
static void limit_fds(rlim_t more)
{
	int lowest = dup(server.connection);
	struct rlimit limit;

	close(lowest);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)lowest + more;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void unlimit_fds(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

Test(fd_batch, truncated_control_data_is_an_error)
{
	int files[3] = { make_file("one"), make_file("two"), make_file("three") };

	fake_server_reply(&server, "", files, 3);
	for (size_t i = 0; i < 3; i++)
		close(files[i]);
	limit_fds(1); /* one of the three fits */
	NTSTATUS status = vail_call(server.vail, "a.B", NULL, NULL);
	unlimit_fds();
	cr_assert_eq(status, STATUS_INSUFFICIENT_RESOURCES);
	cr_assert_not_null(strstr(vail_error_message(server.vail), "RLIMIT_NOFILE"));
	cr_assert_eq(vail_take_descriptor(server.vail, 0), -1);
	cr_assert_eq(vail_descriptor(server.vail), -1);
}

Test(fd_batch, unsendable_fds_are_refused)
{
	int files[254] = { 0 };

	fake_server_answer_once(&server);
	files[1] = -1;
	cr_assert_eq(vail_call_with_descriptors(server.vail, "a.B", NULL, files, 2, NULL),
		     STATUS_INVALID_PARAMETER);
	files[1] = 0;
	cr_assert_eq(vail_call_with_descriptors(server.vail, "a.B", NULL, files, 254, NULL),
		     STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_call_with_descriptors(server.vail, "a.B", NULL, NULL, 1, NULL),
		     STATUS_INVALID_PARAMETER);
	limit_fds(0);
	NTSTATUS status = vail_call_with_descriptors(server.vail, "a.B", NULL, files, 1, NULL);
	unlimit_fds();
	cr_assert_eq(status, STATUS_INSUFFICIENT_RESOURCES);

	/* These calls were not sent, and the connection still works. */
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_call_with_descriptors(server.vail, "c.D", NULL, files, 253, NULL),
		     STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"c.D\"}");
	cr_assert_eq(received.count, 253u);
}

/* vaild bars fds this way on connections that may not send any; sendmsg() then fails. */
Test(fd_batch, barred_fds_are_dropped_from_the_message)
{
	int off = 0, file = make_file("barred");
	ReplyLog log = { 0 };

	if (setsockopt(server.connection, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) < 0) {
		close(file);
		cr_skip_test("this kernel has no SO_PASSRIGHTS");
	}
	cr_assert_eq(vail_submit_with_descriptors(server.vail, "a.B", NULL, &file, 1, false,
						  log_reply, &log),
		     STATUS_SUCCESS);
	close(file);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"a.B\"}");
	cr_assert_eq(received.count, 0u);
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert_eq(log.replies, 1u);
}

Test(fd_batch, unsent_oneway_calls_are_limited)
{
	char *parameters = NULL;
	NTSTATUS status;

	cr_assert_eq(vail_send_oneway(server.vail, "a.B", NULL), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"a.B\",\"oneway\":true}");
	cr_assert_gt(asprintf(&parameters, "{\"padding\":\"%030000d\"}", 0), 0);
	do
		status = vail_send_oneway(server.vail, "a.B", parameters);
	while (status == STATUS_SUCCESS);
	free(parameters);
	cr_assert_eq(status, STATUS_INSUFFICIENT_RESOURCES);
	while (vail_events(server.vail) & POLLOUT) {
		fake_server_receive(&server, &received);
		vail_process(server.vail);
	}
	cr_assert_eq(vail_send_oneway(server.vail, "a.B", NULL), STATUS_SUCCESS);
}
