/* SPDX-License-Identifier: MIT */
/*
 * Proves that descriptors travel with their message, out and in, whatever is pipelined before and
 * behind it, and that none is left open that nobody has taken.
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

#include "fake-server.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static FakeServer server;
static Received received;
static size_t open_before;

static void set_up(void)
{
	open_before = count_open_descriptors();
	fake_server_init(&server);
}

static void tear_down(void)
{
	received_close(&received);
	fake_server_deinit(&server);
	cr_assert_eq(count_open_descriptors(), open_before, "descriptors are left open");
}

TestSuite(libvail_descriptors, .init = set_up, .fini = tear_down);

/* What a VailReply was told. */
typedef struct Heard {
	unsigned int replies;
	NTSTATUS status;
	char parameters[64];
	int taken; /* -1: none came */
	bool takes;
} Heard;

static bool hear(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		 void *context)
{
	Heard *heard = context;

	heard->replies++;
	heard->status = status;
	snprintf(heard->parameters, sizeof(heard->parameters), "%s", parameters ? parameters : "");
	heard->taken = heard->takes ? vail_take_descriptor(vail, 0) : -1;
	return continues;
}

Test(libvail_descriptors, a_request_takes_copies_along)
{
	int files[2] = { make_file("one"), make_file("two") };

	fake_server_know(&server);
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
	cr_assert(reads_as(received.descriptors[0], "one"));
	cr_assert(reads_as(received.descriptors[1], "two"));
}

/* Fills the socket until no more goes out. */
static size_t submit_until_full(Heard *heard)
{
	char *parameters = NULL;
	size_t calls = 0;

	cr_assert_gt(asprintf(&parameters, "{\"padding\":\"%030000d\"}", 0), 0);
	while (!(vail_events(server.vail) & POLLOUT)) {
		cr_assert_eq(vail_submit(server.vail, "a.B", parameters, false, hear, heard),
			     STATUS_SUCCESS);
		calls++;
	}
	free(parameters);
	return calls;
}

/* Receives until the message with the descriptors has come. Returns how many bytes stood before. */
static size_t receive_up_to_descriptors(void)
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

Test(libvail_descriptors, pipelined_calls_keep_their_own)
{
	static const char message[] = "{\"method\":\"c.D\"}";
	static Heard heard; /* the last reply comes when the test has ended */
	int file = make_file("the file");

	submit_until_full(&heard);
	cr_assert_eq(vail_submit_with_descriptors(server.vail, "c.D", NULL, &file, 1, false, hear,
						  &heard),
		     STATUS_SUCCESS);
	cr_assert_eq(vail_submit(server.vail, "e.F", NULL, false, hear, &heard), STATUS_SUCCESS);
	close(file);
	receive_up_to_descriptors();

	/* What stood before may come in the same recvmsg(); the message is the last that begins. */
	const char *begin = received.bytes + received.size - sizeof(message);
	cr_assert_arr_eq(begin, message, sizeof(message));
	cr_assert(begin == received.bytes || begin[-1] == '\0');
	cr_assert_eq(received.count, 1u);
	cr_assert(reads_as(received.descriptors[0], "the file"));
	received_close(&received);
	vail_process(server.vail);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"e.F\"}");
	cr_assert_eq(received.count, 0u);
}

Test(libvail_descriptors, what_waits_goes_with_the_handle)
{
	Heard heard = { 0 };
	int file = make_file("the file");

	size_t calls = submit_until_full(&heard);
	cr_assert_eq(vail_submit_with_descriptors(server.vail, "c.D", NULL, &file, 1, false, hear,
						  &heard),
		     STATUS_SUCCESS);
	close(file);
	vail_close(server.vail);
	server.vail = NULL;
	cr_assert_eq(heard.replies, calls + 1);
	cr_assert_eq(heard.status, STATUS_CONNECTION_DISCONNECTED);
}

Test(libvail_descriptors, a_reply_brings_them)
{
	char *reply = NULL;
	int file = make_file("held");

	fake_server_reply(&server, "\"a\":1", &file, 1);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, &reply), STATUS_SUCCESS);
	cr_assert_str_eq(reply, "{\"a\":1}");
	free(reply);
	close(file);
	int taken = vail_take_descriptor(server.vail, 0);
	cr_assert(reads_as(taken, "held"));
	cr_assert(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(vail_take_descriptor(server.vail, 0), -1, "taken once");
	cr_assert_eq(vail_take_descriptor(server.vail, 1), -1, "there is no other");
	close(taken);
}

Test(libvail_descriptors, what_nobody_takes_is_closed)
{
	int file = make_file("held");

	fake_server_reply(&server, "", &file, 1);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_SUCCESS);
	size_t count = count_open_descriptors();
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_SUCCESS);
	cr_assert_eq(count_open_descriptors(), count - 1, "the next call closes them");
	cr_assert_eq(vail_take_descriptor(server.vail, 0), -1);
	fake_server_reply(&server, "", &file, 1);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_SUCCESS);
	close(file); /* and the end of the handle the last */
}

Test(libvail_descriptors, each_reply_has_its_own)
{
	Heard heard[3] = { { .takes = true }, { .takes = true }, { .takes = true } };
	int file = make_file("of the second"), other = make_file("of the third");

	for (size_t i = 0; i < 3; i++)
		vail_submit(server.vail, "a.B", NULL, false, hear, &heard[i]);
	/* The kernel may hand the first two out in one recvmsg(). */
	fake_server_reply(&server, "\"a\":1", NULL, 0);
	fake_server_reply(&server, "\"a\":2", &file, 1);
	fake_server_reply(&server, "\"a\":3", &other, 1);
	close(file);
	close(other);
	while (heard[2].replies == 0)
		cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert_eq(heard[0].taken, -1);
	cr_assert(reads_as(heard[1].taken, "of the second"));
	cr_assert_str_eq(heard[1].parameters, "{\"a\":2}");
	cr_assert(reads_as(heard[2].taken, "of the third"));
	close(heard[1].taken);
	close(heard[2].taken);
}

Test(libvail_descriptors, a_reply_in_pieces_keeps_them)
{
	static const char head[] = "{\"parameters\":", tail[] = "{\"a\":2}}";
	Heard heard[2] = { { .takes = true }, { .takes = true } };
	int file = make_file("of the second");

	for (size_t i = 0; i < 2; i++)
		vail_submit(server.vail, "a.B", NULL, false, hear, &heard[i]);
	fake_server_reply(&server, "\"a\":1", NULL, 0);
	fake_server_send(&server, head, sizeof(head) - 1, &file, 1);
	close(file);
	vail_process(server.vail);
	cr_assert_eq(heard[0].replies, 1u);
	cr_assert_eq(heard[1].replies, 0u);
	fake_server_send(&server, tail, sizeof(tail), NULL, 0);
	vail_process(server.vail);
	cr_assert_eq(heard[0].taken, -1);
	cr_assert(reads_as(heard[1].taken, "of the second"));
	close(heard[1].taken);
}

Test(libvail_descriptors, those_of_no_message_end_the_connection)
{
	Heard heard = { 0 };
	int file = make_file("stray");

	vail_submit(server.vail, "a.B", NULL, false, hear, &heard);
	fake_server_send(&server, "{\"parameters\":", 14, NULL, 0);
	vail_process(server.vail);
	fake_server_send(&server, "{}}", 4, &file, 1);
	close(file);
	cr_assert_eq(vail_process(server.vail), STATUS_INVALID_NETWORK_RESPONSE);
	cr_assert_eq(heard.status, STATUS_INVALID_NETWORK_RESPONSE);
	cr_assert_eq(vail_descriptor(server.vail), -1);
}

Test(libvail_descriptors, those_of_a_wrong_answer_are_closed)
{
	static const char answer[] = "{\"error\":5}";
	int file = make_file("held");

	fake_server_send(&server, answer, sizeof(answer), &file, 1);
	close(file);
	size_t count = count_open_descriptors();
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_INVALID_NETWORK_RESPONSE);
	cr_assert_eq(count_open_descriptors(), count - 1, "the connection alone has gone");
}

/* Allows no descriptor beyond the lowest that is free. */
static void limit_descriptors(rlim_t more)
{
	int lowest = dup(server.connection);
	struct rlimit limit;

	close(lowest);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)lowest + more;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void unlimit_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

Test(libvail_descriptors, control_data_that_was_cut_is_an_error)
{
	int files[3] = { make_file("one"), make_file("two"), make_file("three") };

	fake_server_reply(&server, "", files, 3);
	for (size_t i = 0; i < 3; i++)
		close(files[i]);
	limit_descriptors(1); /* room for one of the three */
	NTSTATUS status = vail_call(server.vail, "a.B", NULL, NULL);
	unlimit_descriptors();
	cr_assert_eq(status, STATUS_INSUFFICIENT_RESOURCES);
	cr_assert_not_null(strstr(vail_error_message(server.vail), "RLIMIT_NOFILE"));
	cr_assert_eq(vail_take_descriptor(server.vail, 0), -1);
	cr_assert_eq(vail_descriptor(server.vail), -1);
}

Test(libvail_descriptors, what_cannot_be_sent_is_refused)
{
	int files[254] = { 0 };

	fake_server_know(&server);
	files[1] = -1;
	cr_assert_eq(vail_call_with_descriptors(server.vail, "a.B", NULL, files, 2, NULL),
		     STATUS_INVALID_PARAMETER);
	files[1] = 0;
	cr_assert_eq(vail_call_with_descriptors(server.vail, "a.B", NULL, files, 254, NULL),
		     STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_call_with_descriptors(server.vail, "a.B", NULL, NULL, 1, NULL),
		     STATUS_INVALID_PARAMETER);
	limit_descriptors(0);
	NTSTATUS status = vail_call_with_descriptors(server.vail, "a.B", NULL, files, 1, NULL);
	unlimit_descriptors();
	cr_assert_eq(status, STATUS_INSUFFICIENT_RESOURCES);

	/* None of it has reached the other side, and the connection is as it was. */
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_call_with_descriptors(server.vail, "c.D", NULL, files, 253, NULL),
		     STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"c.D\"}");
	cr_assert_eq(received.count, 253u);
}

/* So vaild does with whom it takes none from; the kernel then refuses the whole message. */
Test(libvail_descriptors, what_the_other_side_bars_goes_without_them)
{
	int off = 0, file = make_file("barred");
	Heard heard = { 0 };

	if (setsockopt(server.connection, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) < 0) {
		close(file);
		cr_skip_test("this kernel has no SO_PASSRIGHTS");
	}
	cr_assert_eq(vail_submit_with_descriptors(server.vail, "a.B", NULL, &file, 1, false, hear,
						  &heard),
		     STATUS_SUCCESS);
	close(file);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"a.B\"}");
	cr_assert_eq(received.count, 0u);
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert_eq(heard.replies, 1u);
}

Test(libvail_descriptors, oneway_is_bounded)
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
