/* SPDX-License-Identifier: MIT */
/*
 * Proves what a handle does not do while vaild is away: wait for nothing, ask in the name of the
 * process that has forked this one, or say that nothing was done of what may have been.
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

static bool is_ready(int descriptor, int milliseconds)
{
	struct pollfd ready = { .fd = descriptor, .events = POLLIN };

	return poll(&ready, 1, milliseconds) > 0;
}

/* Lets the handle go on until it has made a connection. */
static void wait_for_connection(FakeServer *server)
{
	while (!is_ready(server->listener, 0)) {
		cr_assert(is_ready(vail_descriptor(server->vail), 10000), "nobody comes");
		vail_process(server->vail);
	}
	fake_server_accept(server);
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

/* That a program has no descriptor left for a moment ends nothing that it waits for. */
Test(libvail_absence, who_has_no_descriptor_waits_on)
{
	struct rlimit limit, none;
	NTSTATUS status = STATUS_SUCCESS;
	FakeServer server;

	fake_server_init(&server);
	leave(&server);
	cr_assert_eq(vail_submit(server.vail, "a.B", NULL, false, keep_status, &status),
		     STATUS_SUCCESS);
	fake_server_listen(&server);
	cr_assert(is_ready(vail_descriptor(server.vail), 10000));
	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_eq(status, STATUS_SUCCESS);
	wait_for_connection(&server);
	fake_server_reply(&server, "", NULL, 0);
	status = STATUS_IO_TIMEOUT;
	while (status == STATUS_IO_TIMEOUT && is_ready(vail_descriptor(server.vail), 10000))
		vail_process(server.vail);
	cr_assert_eq(status, STATUS_SUCCESS);
	fake_server_deinit(&server);
}

/* A sentence is about the last function that failed, and none has. */
Test(libvail_absence, that_it_waits_is_no_failure)
{
	NTSTATUS status = STATUS_SUCCESS;
	FakeServer server;

	fake_server_init(&server);
	leave(&server);
	cr_assert_eq(vail_submit(server.vail, "a.B", NULL, false, keep_status, &status),
		     STATUS_SUCCESS);
	cr_assert_str_eq(vail_error_message(server.vail), "");
	cr_assert(is_ready(vail_descriptor(server.vail), 10000));
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert_str_eq(vail_error_message(server.vail), "");
	server.connection = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server.listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fake_server_deinit(&server);
}

/* Who submits all the time finds that it is too much, and not that its memory is gone. */
Test(libvail_absence, what_waits_is_bounded)
{
	NTSTATUS status, ended = STATUS_SUCCESS;
	char *parameters = NULL;
	FakeServer server;
	size_t count = 0;

	fake_server_init(&server);
	leave(&server);
	cr_assert_gt(asprintf(&parameters, "{\"padding\":\"%060000d\"}", 0), 0);
	while ((status = vail_submit(server.vail, "a.B", parameters, false, keep_status, &ended)) ==
	       STATUS_SUCCESS)
		cr_assert_lt(++count, 2000);
	free(parameters);
	cr_assert_eq(status, STATUS_INSUFFICIENT_RESOURCES);
	cr_assert_gt(count, 1000, "%zu", count);
	cr_assert_not_null(strstr(vail_error_message(server.vail), "try again later"));
	cr_assert_geq(vail_descriptor(server.vail), 0, "those before it go on");
	fake_server_listen(&server);
	wait_for_connection(&server);
	fake_server_reply(&server, "", NULL, 0);
	vail_process(server.vail);
	cr_assert_eq(vail_submit(server.vail, "a.B", NULL, false, keep_status, &ended),
		     STATUS_SUCCESS, "there is room for another");
	fake_server_deinit(&server);
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

/* Another sentence on the handle is not to take the place of what the watcher is told. */
Test(libvail_absence, why_it_is_interrupted_lasts_as_long_as_the_event)
{
	bool was_told = false;
	FakeServer server;

	fake_server_init(&server);
	cr_assert_eq(vail_watch(server.vail, NULL, ask_when_interrupted, &was_told),
		     STATUS_SUCCESS);
	shutdown(server.connection, SHUT_RDWR);
	vail_process(server.vail);
	cr_assert(was_told);
	fake_server_deinit(&server);
}

/* In the child: the call is the parent's, and ends here. */
_Noreturn static void go_on_as_child(FakeServer *server, const NTSTATUS *status)
{
	NTSTATUS processed = STATUS_SUCCESS;

	while (vail_descriptor(server->vail) >= 0 && !is_ready(server->listener, 0) &&
	       is_ready(vail_descriptor(server->vail), 10000))
		processed = vail_process(server->vail);
	_exit(processed == STATUS_CONNECTION_DISCONNECTED &&
			      *status == STATUS_CONNECTION_DISCONNECTED
		      ? 0
		      : 1);
}

static void fork_and_go_on(FakeServer *server, const NTSTATUS *status)
{
	int result;
	pid_t child = fork();

	cr_assert_geq(child, 0);
	if (child == 0)
		go_on_as_child(server, status);
	cr_assert_eq(waitpid(child, &result, 0), child);
	cr_assert_eq(result, 0, "the child has asked what its parent had asked");
	cr_assert_not(is_ready(server->listener, 0));
}

Test(libvail_absence, a_child_asks_nothing_again_of_its_parents)
{
	NTSTATUS status = STATUS_SUCCESS;
	FakeServer server;

	fake_server_init(&server);
	cr_assert_eq(vail_submit(server.vail, "io.vaild.ListRegistrations", NULL, false,
				 keep_status, &status),
		     STATUS_SUCCESS);
	close(server.connection); /* which is lost, but nobody knows yet */
	server.connection = -1;
	fork_and_go_on(&server, &status);
	close(server.listener);
	unlink(server.path);
	vail_process(server.vail);
	cr_assert_geq(vail_descriptor(server.vail), 0, "it waits");
	fake_server_listen(&server);
	fork_and_go_on(&server, &status);
	wait_for_connection(&server);
	fake_server_reply(&server, "", NULL, 0);
	status = STATUS_IO_TIMEOUT;
	vail_process(server.vail);
	cr_assert_eq(status, STATUS_SUCCESS);
	fake_server_deinit(&server);
}

#define PIPELINED 10

/* The server takes all that the handle has to send. */
static void read_all(FakeServer *server)
{
	static Received received;

	while (vail_events(server->vail) & POLLOUT) {
		fake_server_receive(server, &received);
		vail_process(server->vail);
	}
	fake_server_receive(server, &received);
}

/* What one vaild has seen whole, and those behind it have not, may have been done. */
Test(libvail_absence, what_was_sent_once_may_have_been_done)
{
	NTSTATUS statuses[PIPELINED];
	char *parameters = NULL;
	FakeServer server;

	fake_server_init(&server);
	cr_assert_gt(asprintf(&parameters, "{\"padding\":\"%060000d\"}", 0), 0);
	for (size_t i = 0; i < PIPELINED; i++)
		cr_assert_eq(vail_submit(server.vail, "io.vaild.ListRegistrations", parameters,
					 false, keep_status, &statuses[i]),
			     STATUS_SUCCESS);
	free(parameters);
	read_all(&server);
	for (int connections = 1; connections <= 5; connections++) {
		close(server.connection);
		server.connection = -1;
		vail_process(server.vail);
		wait_for_connection(&server);
	}
	cr_assert(vail_events(server.vail) & POLLOUT, "there is more than the socket holds");
	close(server.connection);
	server.connection = open("/dev/null", O_RDONLY | O_CLOEXEC);
	vail_process(server.vail);
	for (size_t i = 0; i < PIPELINED; i++)
		cr_assert_eq(statuses[i], STATUS_CONNECTION_DISCONNECTED, "%zu: %s", i,
			     vail_status_name(statuses[i]));
	fake_server_deinit(&server);
}
