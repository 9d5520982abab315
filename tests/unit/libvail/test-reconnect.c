/* SPDX-License-Identifier: MIT */
/*
 * Tests handles that wait for vaild: they wait only while a call is pending, a forked child does
 * not repeat its parent's calls, and a call that vaild may have executed is never reported as
 * refused.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fake-server.h"

static FakeServer server;

static void set_up(void)
{
	fake_server_init(&server);
}

static void tear_down(void)
{
	fake_server_deinit(&server);
}

TestSuite(reconnect, .init = set_up, .fini = tear_down);

static bool store_status(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			 void *context)
{
	(void)vail;
	(void)parameters;
	*(NTSTATUS *)context = status;
	return continues;
}

/* Closes the server's sockets and removes the socket file. */
static void stop_server(void)
{
	close(server.connection);
	close(server.listener);
	unlink(server.path);
	server.connection = -1;
}

static bool is_ready(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) > 0;
}

/* Waits until the handle's fd is readable. */
static void wait_for_handle(void)
{
	struct pollfd ready = { .fd = vail_descriptor(server.vail), .events = POLLIN };

	cr_assert_geq(ready.fd, 0, "the handle has no fd to wait for");
	cr_assert_eq(poll(&ready, 1, -1), 1);
}

/* Processes the handle until it has connected, and accepts the connection. */
static void wait_for_connection(void)
{
	while (!is_ready(server.listener)) {
		wait_for_handle();
		vail_process(server.vail);
	}
	fake_server_accept(&server);
}

Test(reconnect, no_wait_without_a_pending_call)
{
	static ReceivedData received;
	int file = make_file("a");
	NTSTATUS status = STATUS_SUCCESS;

	stop_server();
	cr_assert_eq(vail_submit(server.vail, "a.B", "{", false, store_status, &status),
		     STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_descriptor(server.vail), -1);
	cr_assert_eq(vail_submit_with_descriptors(server.vail, "a.B", NULL, &file, 1, false,
						  store_status, &status),
		     STATUS_CONNECTION_REFUSED);
	cr_assert_eq(vail_descriptor(server.vail), -1);
	fake_server_listen(&server);
	cr_assert_eq(vail_send_oneway(server.vail, "a.B", NULL), STATUS_SUCCESS,
		     "the server is back: %s", vail_error_message(server.vail));
	fake_server_accept(&server);
	fake_server_receive(&server, &received);
	cr_assert_eq(status, STATUS_SUCCESS, "a refused call has no reply");
	close(file);
}

Test(reconnect, fd_limit_does_not_end_the_wait)
{
	struct rlimit limit, none;
	NTSTATUS status = STATUS_SUCCESS;

	stop_server();
	cr_assert_eq(vail_submit(server.vail, "a.B", NULL, false, store_status, &status),
		     STATUS_SUCCESS);
	fake_server_listen(&server);
	wait_for_handle();
	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_eq(status, STATUS_SUCCESS);
	wait_for_connection();
	fake_server_reply(&server, "", NULL, 0);
	status = STATUS_IO_TIMEOUT;
	while (status == STATUS_IO_TIMEOUT) {
		wait_for_handle();
		vail_process(server.vail);
	}
	cr_assert_eq(status, STATUS_SUCCESS);
}

Test(reconnect, waiting_sets_no_error)
{
	static NTSTATUS status; /* set when tear_down() closes the handle */

	stop_server();
	cr_assert_eq(vail_submit(server.vail, "a.B", NULL, false, store_status, &status),
		     STATUS_SUCCESS);
	cr_assert_str_eq(vail_error_message(server.vail), "");
	wait_for_handle();
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert_str_eq(vail_error_message(server.vail), "");
	server.connection = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server.listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* A program that submits calls in a loop gets an error before it runs out of memory. */
Test(reconnect, queued_calls_are_limited)
{
	NTSTATUS status, ended = STATUS_SUCCESS;
	char *parameters = NULL;
	size_t count = 0;

	stop_server();
	cr_assert_gt(asprintf(&parameters, "{\"padding\":\"%060000d\"}", 0), 0);
	while ((status = vail_submit(server.vail, "a.B", parameters, false, store_status,
				     &ended)) == STATUS_SUCCESS)
		cr_assert_lt(++count, 2000);
	free(parameters);
	cr_assert_eq(status, STATUS_INSUFFICIENT_RESOURCES);
	cr_assert_gt(count, 1000, "%zu", count);
	cr_assert_not_null(strstr(vail_error_message(server.vail), "try again later"));
	cr_assert_geq(vail_descriptor(server.vail), 0, "the calls before are still pending");
	fake_server_listen(&server);
	wait_for_connection();
	fake_server_reply(&server, "", NULL, 0);
	vail_process(server.vail);
	cr_assert_eq(vail_submit(server.vail, "a.B", NULL, false, store_status, &ended),
		     STATUS_SUCCESS, "the queue has room again");
	vail_close(server.vail);
	server.vail = NULL;
	cr_assert_eq(ended, STATUS_CONNECTION_DISCONNECTED);
}

static bool ask_when_interrupted(struct vail *vail, NTSTATUS status, const VailEvent *event,
				 bool continues, void *context)
{
	(void)status;
	if (!event || event->kind != VAIL_EVENT_INTERRUPTED)
		return continues;
	cr_assert_eq(vail_send_oneway(vail, "a.B", NULL), STATUS_CONNECTION_REFUSED);
	*(bool *)context = strstr(event->reason, "closed the connection") != NULL;
	return true;
}

/* The callback uses the handle, which replaces the handle's error message. */
Test(reconnect, interruption_reason_stays_valid_during_the_callback)
{
	bool was_notified = false;

	cr_assert_eq(vail_watch(server.vail, NULL, ask_when_interrupted, &was_notified),
		     STATUS_SUCCESS);
	shutdown(server.connection, SHUT_RDWR);
	vail_process(server.vail);
	cr_assert(was_notified);
}

/* Runs in the child, where the parent's call must end. */
_Noreturn static void process_in_child(const NTSTATUS *status)
{
	NTSTATUS processed = STATUS_SUCCESS;

	while (vail_descriptor(server.vail) >= 0 && !is_ready(server.listener)) {
		wait_for_handle();
		processed = vail_process(server.vail);
	}
	_exit(processed == STATUS_CONNECTION_DISCONNECTED &&
			      *status == STATUS_CONNECTION_DISCONNECTED
		      ? 0
		      : 1);
}

static void fork_and_process(const NTSTATUS *status)
{
	int result;
	pid_t child = fork();

	cr_assert_geq(child, 0);
	if (child == 0)
		process_in_child(status);
	cr_assert_eq(waitpid(child, &result, 0), child);
	cr_assert_eq(result, 0, "the child has repeated its parent's call");
	cr_assert_not(is_ready(server.listener));
}

Test(reconnect, forked_child_does_not_repeat_calls)
{
	NTSTATUS status = STATUS_SUCCESS;

	cr_assert_eq(vail_submit(server.vail, "io.vaild.ListRegistrations", NULL, false,
				 store_status, &status),
		     STATUS_SUCCESS);
	close(server.connection); /* the handle has not noticed yet */
	server.connection = -1;
	fork_and_process(&status);
	close(server.listener);
	unlink(server.path);
	vail_process(server.vail);
	cr_assert_geq(vail_descriptor(server.vail), 0, "the handle waits");
	fake_server_listen(&server);
	fork_and_process(&status);
	wait_for_connection();
	fake_server_reply(&server, "", NULL, 0);
	status = STATUS_IO_TIMEOUT;
	vail_process(server.vail);
	cr_assert_eq(status, STATUS_SUCCESS);
}

#define PIPELINED 10

/* Receives all that the handle has to send. */
static void read_all(void)
{
	static ReceivedData received;

	while (vail_events(server.vail) & POLLOUT) {
		fake_server_receive(&server, &received);
		vail_process(server.vail);
	}
	fake_server_receive(&server, &received);
}

/* The first connection delivers the calls completely, the later ones do not. */
Test(reconnect, call_sent_completely_once_may_have_been_executed)
{
	NTSTATUS statuses[PIPELINED];
	char *parameters = NULL;

	cr_assert_gt(asprintf(&parameters, "{\"padding\":\"%060000d\"}", 0), 0);
	for (size_t i = 0; i < PIPELINED; i++)
		cr_assert_eq(vail_submit(server.vail, "io.vaild.ListRegistrations", parameters,
					 false, store_status, &statuses[i]),
			     STATUS_SUCCESS);
	free(parameters);
	read_all();
	for (int connections = 1; connections <= 5; connections++) {
		close(server.connection);
		server.connection = -1;
		vail_process(server.vail);
		wait_for_connection();
	}
	cr_assert(vail_events(server.vail) & POLLOUT, "the calls do not fit into the socket");
	close(server.connection);
	server.connection = open("/dev/null", O_RDONLY | O_CLOEXEC);
	vail_process(server.vail);
	for (size_t i = 0; i < PIPELINED; i++)
		cr_assert_eq(statuses[i], STATUS_CONNECTION_DISCONNECTED, "%zu: %s", i,
			     vail_status_name(statuses[i]));
}
