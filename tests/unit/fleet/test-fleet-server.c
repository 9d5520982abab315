/* SPDX-License-Identifier: MIT */
/* The socket of io.vaild.Fleet: slow peers, and the places of users who may call nothing. */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/fleet/server/server.h"
#include "proto/fd-util.h"

static struct event_base *base;
static FleetIndex index_of;
static FleetServer *server;
static char folder[] = "/tmp/fleet-server-XXXXXX", path[64];
static uint64_t now;
static bool is_silent; /* etcd */

static uint64_t read_now(void)
{
	return now;
}

static bool on_change(void *context, const FleetCaller *caller, const Guid *guid,
		      const char *reason, uint64_t request)
{
	(void)context, (void)caller, (void)guid, (void)reason, (void)request;
	return false;
}

static void on_measure(void *context, FleetMetrics *ret)
{
	(void)context;
	ret->has_vaild = true;
}

/* The index has got old since the last message. */
static void on_check(void *context)
{
	(void)context;
	if (is_silent)
		fleet_index_reach(&index_of, false, "silent", now);
}

static void begin(void)
{
	const HostId self = { { 1 } };
	int error;

	now = 1000;
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	base = event_base_new();
	cr_assert(fleet_index_init(&index_of, &self));
	const FleetServerSettings settings = { .path = path,
					       .listening = -1,
					       .operators = (gid_t)-1,
					       .observers = getegid(),
					       .version = "1",
					       .index = &index_of,
					       .now = read_now,
					       .change = on_change,
					       .measure = on_measure,
					       .check = on_check };
	server = fleet_server_new(base, &settings, &error);
	cr_assert_not_null(server);
}

static void end(void)
{
	fleet_server_free(server);
	fleet_index_deinit(&index_of);
	event_base_free(base);
	rmdir(folder);
}

TestSuite(fleet_server, .init = begin, .fini = end);

/* Lets the server do everything that it can do now. */
static void serve(void)
{
	for (size_t i = 0; i < 16; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static int connect_to_server(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	serve();
	return fd;
}

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	serve();
}

/* Tests whether the server has closed the connection. */
static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

Test(fleet_server, each_byte_does_not_extend_the_time_of_a_message)
{
	_cleanup_close_ int fd = connect_to_server();

	say(fd, "{");
	now += FLEET_PATIENCE / 2;
	say(fd, " ");
	now += FLEET_PATIENCE / 2 - 1;
	say(fd, " ");
	cr_assert(!is_closed(fd));
	now++;
	say(fd, " ");
	cr_assert(is_closed(fd));
}

/* Asks for the hosts as root or as an observer. */
static void ask(int fd, char *reply, size_t size)
{
	say(fd, "{\"method\":\"io.vaild.Fleet.ListHosts\"}\n");
	ssize_t length = recv(fd, reply, size - 1, MSG_DONTWAIT);
	cr_assert_gt(length, 0);
	reply[length] = '\0';
}

Test(fleet_server, the_age_is_checked_before_each_answer)
{
	_cleanup_close_ int fd = connect_to_server();
	char reply[1024];

	fleet_index_reach(&index_of, true, NULL, now);
	ask(fd, reply, sizeof(reply));
	cr_assert(strstr(reply, "\"current\":true"), "%s", reply);
	is_silent = true;
	ask(fd, reply, sizeof(reply));
	cr_assert(strstr(reply, "\"current\":false"), "%s", reply);
}

Test(fleet_server, each_message_has_its_own_time)
{
	_cleanup_close_ int fd = connect_to_server();
	char reply[1024];

	for (size_t i = 0; i < 4; i++) {
		say(fd, "{");
		now += FLEET_PATIENCE - 1;
		say(fd, "}\n");
		cr_assert_gt(recv(fd, reply, sizeof(reply), MSG_DONTWAIT), 0);
	}
	now += 2 * FLEET_PATIENCE;
	say(fd, "{}\n");
	cr_assert_gt(recv(fd, reply, sizeof(reply), MSG_DONTWAIT), 0);
}

/* ---- Replies that do not fit into the socket ---- */

#define VMS 5000

static void put_vms(unsigned int count)
{
	char key[FLEET_KEY_SIZE];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(key, sizeof(key),
			 "vms/%08x-1111-4111-8111-111111111111/01000000000000000000000000000000",
			 i);
		fleet_index_put(&index_of, key, "{\"state\":\"running\"}", 1, now);
	}
}

/* Reads all replies, however slowly, and returns them. The caller frees them. */
static char *read_slowly(int fd)
{
	Buffer text = BUFFER_INIT;
	ssize_t size;

	do {
		cr_assert(buffer_reserve(&text, 1 << 20));
		size = recv(fd, buffer_tail(&text), 1 << 20, MSG_DONTWAIT);
		text.end += size > 0 ? (size_t)size : 0;
		now += FLEET_PATIENCE - 1;
		serve();
	} while (size > 0);
	cr_assert(buffer_append(&text, "", 1));
	char *copy = strdup(buffer_head(&text));
	buffer_deinit(&text);
	return copy;
}

static size_t count_parts(const char *text, const char *part)
{
	size_t count = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		count++;
	return count;
}

/* Each reply of a list has its own time, and the next message follows the last one. */
Test(fleet_server, a_list_in_parts_waits_for_its_reader)
{
	_cleanup_close_ int fd = connect_to_server();

	put_vms(VMS);
	say(fd, "{\"method\":\"io.vaild.Fleet.ListVirtualMachines\",\"more\":true}\n"
		"{\"method\":\"io.vaild.Fleet.ListHosts\"}\n");
	_cleanup_free_ char *text = read_slowly(fd);
	cr_assert_eq(count_parts(text, "\"virtualMachineGuid\""), VMS);
	cr_assert_geq(count_parts(text, "\"continues\":true"), 8u);
	cr_assert_eq(count_parts(text, "\"hosts\":"), 1u);
	cr_assert(!is_closed(fd));
}

/* Others are served between the replies of a list. */
Test(fleet_server, a_list_in_parts_has_one_reply_a_turn)
{
	_cleanup_close_ int fd = connect_to_server(), other = connect_to_server();
	char reply[1024];

	put_vms(VMS);
	static const char list[] =
		"{\"method\":\"io.vaild.Fleet.ListVirtualMachines\",\"more\":true}\n";
	cr_assert_gt(send(fd, list, strlen(list), MSG_NOSIGNAL), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	Buffer text = BUFFER_INIT;
	cr_assert(buffer_reserve(&text, 1 << 20));
	ssize_t size = recv(fd, buffer_tail(&text), 1 << 20, MSG_DONTWAIT);
	cr_assert_gt(size, FLEET_PART_SIZE);
	cr_assert_lt(size, 2 * FLEET_PART_SIZE);
	buffer_deinit(&text);
	ask(other, reply, sizeof(reply));
}

/* The next message is in the input already, so no byte comes that would show it. */
Test(fleet_server, a_message_behind_a_large_answer_is_answered)
{
	_cleanup_close_ int fd = connect_to_server();

	put_vms(2000);
	say(fd, "{\"method\":\"io.vaild.Fleet.ListVirtualMachines\"}\n"
		"{\"method\":\"io.vaild.Fleet.ListHosts\"}\n");
	_cleanup_free_ char *text = read_slowly(fd);
	cr_assert_eq(count_parts(text, "\"virtualMachineGuid\""), 2000u);
	cr_assert_eq(count_parts(text, "\"hosts\":"), 1u);
}
