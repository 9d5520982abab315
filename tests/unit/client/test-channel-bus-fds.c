/* SPDX-License-Identifier: MIT */
/* The agent's end of a channel neither keeps nor mixes up the descriptors that a viewer sends. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/common/channel-bus.h"
#include "proto/fd-util.h"
#include "proto/macros.h"
#include "tests/support/lingering-socket.h"

#define FIELDS_MAX 512

static ChannelBus bus;
static int viewer;
static size_t calls;        /* that have arrived */
static ino_t arrived;       /* the file of the last one; 0 without a descriptor */
static size_t open_at_once; /* descriptors before the test */

static int on_message(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct stat status;
	int fd;

	(void)context, (void)error;
	calls++;
	arrived = 0;
	if (sd_bus_message_read(message, "h", &fd) > 0 && fstat(fd, &status) == 0)
		arrived = status.st_ino;
	return 1;
}

static size_t count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* Handles what the viewer has sent. Returns what the bus has returned last. */
static int work(void)
{
	int result;

	do
		result = channel_bus_process(&bus);
	while (result > 0);
	return result;
}

static void say(const char *line)
{
	cr_assert_eq(write(viewer, line, strlen(line)), (ssize_t)strlen(line));
	cr_assert_eq(work(), 0);
}

static void set_up(void)
{
	char replies[256];
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	viewer = pair[1];
	cr_assert_geq(channel_bus_init(&bus, pair[0]), 0);
	cr_assert_geq(sd_bus_add_filter(bus.bus, NULL, on_message, NULL), 0);
	cr_assert_eq(write(viewer, "", 1), 1);
	say("AUTH ANONYMOUS\r\n");
	say("NEGOTIATE_UNIX_FD\r\n");
	say("BEGIN\r\n");
	cr_assert_gt(read(viewer, replies, sizeof(replies)), 0);
	open_at_once = count_fds();
}

static void tear_down(void)
{
	channel_bus_deinit(&bus);
	fd_close(&viewer);
}

TestSuite(channel_bus_fds, .init = set_up, .fini = tear_down);

/* ---- Messages ---- */

typedef struct Message {
	uint8_t bytes[FIELDS_MAX];
	size_t size;
} Message;

static void append(Message *message, const void *bytes, size_t size)
{
	memcpy(message->bytes + message->size, bytes, size);
	message->size += size;
}

static void append_number(Message *message, uint32_t number)
{
	append(message, &number, sizeof(number));
}

static void pad(Message *message)
{
	message->size = (message->size + 7) / 8 * 8;
}

static void append_field(Message *message, uint8_t field, char type, const char *text)
{
	pad(message);
	append(message, (uint8_t[]){ field, 1, (uint8_t)type, 0 }, 4);
	if (type == 'g')
		append(message, &(uint8_t){ (uint8_t)strlen(text) }, 1);
	else
		append_number(message, (uint32_t)strlen(text));
	append(message, text, strlen(text) + 1);
}

/* Makes a call with a descriptor. member: may be no valid name. */
static Message make_call(const char *member, uint32_t fds)
{
	Message message = { 0 };
	uint32_t fields;

	append(&message, (uint8_t[]){ 'l', SD_BUS_MESSAGE_METHOD_CALL, 0, 1 }, 4);
	append_number(&message, sizeof(uint32_t));
	append_number(&message, 7);
	append_number(&message, 0);
	append_field(&message, 1, 'o', "/org/qemu/Display1/Console_0");
	append_field(&message, 2, 's', "org.qemu.Display1.Console");
	append_field(&message, 3, 's', member);
	append_field(&message, 6, 's', "org.qemu");
	append_field(&message, 8, 'g', "h");
	pad(&message);
	append(&message, (uint8_t[]){ 9, 1, 'u', 0 }, 4);
	append_number(&message, fds);
	fields = (uint32_t)message.size - 16;
	memcpy(message.bytes + 12, &fields, sizeof(fields));
	pad(&message);
	append_number(&message, 0);
	return message;
}

/* Sends bytes with descriptors, which remain the caller's. */
static void send_on(int socket, const void *bytes, size_t size, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SCM_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec vector = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (count > 0) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	cr_assert_eq(sendmsg(socket, &header, MSG_NOSIGNAL), (ssize_t)size);
}

static void send_part(const void *bytes, size_t size, const int *fds, size_t count)
{
	send_on(viewer, bytes, size, fds, count);
}

static void send_call(const Message *message, const int *fds, size_t count)
{
	send_part(message->bytes, message->size, fds, count);
}

/* Opens memory. Returns its file's number. */
static ino_t open_memory(int *ret)
{
	struct stat status;

	*ret = memfd_create("fd", MFD_CLOEXEC);
	cr_assert_eq(fstat(*ret, &status), 0);
	return status.st_ino;
}

/* Waits for the end of closes that do not hang. */
static void expect_no_more_fds(void)
{
	while (close_aside_count() > 0)
		sched_yield();
	cr_assert_eq(count_fds(), open_at_once);
}

/* ---- Tests ---- */

Test(channel_bus_fds, each_call_gets_its_own)
{
	const Message call = make_call("RegisterListener", 1);

	for (int i = 0; i < 40; i++) {
		_cleanup_close_ int fd = -1;
		ino_t expected = open_memory(&fd);

		send_call(&call, &fd, 1);
		cr_assert_eq(work(), 0);
		cr_assert_eq(arrived, expected);
	}
	cr_assert_eq(calls, 40u);
	expect_no_more_fds();
}

/* Two calls that arrive before the first one is handled. */
Test(channel_bus_fds, calls_in_a_queue_are_not_mixed_up)
{
	const Message call = make_call("RegisterListener", 1);
	int first, second;
	ino_t files[2] = { open_memory(&first), open_memory(&second) };

	send_call(&call, &first, 1);
	send_call(&call, &second, 1);
	for (size_t i = 0; i < 2; i++) {
		while (calls == i)
			cr_assert_gt(channel_bus_process(&bus), 0);
		cr_assert_eq(arrived, files[i]);
	}
	cr_assert_eq(work(), 0);
	close(first);
	close(second);
	expect_no_more_fds();
}

/* The descriptor may come with any byte of its message. */
Test(channel_bus_fds, a_call_may_come_byte_by_byte)
{
	const Message call = make_call("RegisterListener", 1);
	_cleanup_close_ int fd = -1;
	ino_t expected = open_memory(&fd);

	for (size_t i = 0; i < call.size; i++) {
		send_part(call.bytes + i, 1, &fd, i == call.size / 2);
		cr_assert_eq(work(), 0);
	}
	cr_assert_eq(calls, 1u);
	cr_assert_eq(arrived, expected);
	fd_close(&fd);
	expect_no_more_fds();
}

/* The two ways to send too many: all at once, and one with each byte. */
Test(channel_bus_fds, too_many_end_the_connection)
{
	const Message call = make_call("RegisterListener", SCM_FDS_MAX);
	int fds[SCM_FDS_MAX];

	for (size_t i = 0; i < SCM_FDS_MAX; i++)
		open_memory(&fds[i]);
	send_call(&call, fds, SCM_FDS_MAX);
	for (size_t i = 0; i < SCM_FDS_MAX; i++)
		close(fds[i]);
	cr_assert_eq(work(), -EMSGSIZE);
	cr_assert_eq(calls, 0u);
	open_at_once -= 3; /* the socket, and the pair before the bus */
	channel_bus_deinit(&bus);
	expect_no_more_fds();
}

Test(channel_bus_fds, one_with_each_byte_ends_the_connection)
{
	const Message call = make_call("RegisterListener", 1);
	_cleanup_close_ int fd = -1;

	open_memory(&fd);
	for (size_t i = 0; i < call.size; i++)
		send_part(call.bytes + i, 1, &fd, 1);
	fd_close(&fd);
	cr_assert_eq(work(), 0); /* a part of the message */
	cr_assert_eq(work(), -EMSGSIZE);
	cr_assert_eq(calls, 0u);
	open_at_once -= 3;
	channel_bus_deinit(&bus);
	expect_no_more_fds();
}

/* sd-bus drops such messages, and would leave the descriptor open. */
static void expect_refused(const Message *message, size_t count)
{
	int fds[2];

	open_memory(&fds[0]);
	open_memory(&fds[1]);
	send_call(message, fds, count);
	close(fds[0]);
	close(fds[1]);
	cr_assert_lt(work(), 0);
	cr_assert_eq(calls, 0u);
	open_at_once -= 3;
	channel_bus_deinit(&bus);
	expect_no_more_fds();
}

Test(channel_bus_fds, a_malformed_call_keeps_none_open)
{
	const Message call = make_call("no.member", 1);

	expect_refused(&call, 1);
}

Test(channel_bus_fds, a_call_that_names_more_than_it_has_keeps_none_open)
{
	const Message call = make_call("RegisterListener", 2);

	expect_refused(&call, 1);
}

Test(channel_bus_fds, a_call_that_names_none_keeps_none_open)
{
	const Message call = make_call("RegisterListener", 0);

	expect_refused(&call, 1);
}

/* ---- Descriptors whose last close hangs ---- */

/* Without a thread, this test would never end. */
Test(channel_bus_fds, lingering_sockets_delay_nothing)
{
	const Message call = make_call("RegisterListener", 1);
	int peers[8];

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		int fd = open_lingering(&peers[i]);

		send_call(&call, &fd, 1);
		close(fd);
		cr_assert_eq(work(), 0);
		cr_assert_eq(calls, i + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		close(peers[i]);
	expect_no_more_fds();
}

Test(channel_bus_fds, too_many_lingering_sockets_delay_no_end)
{
	const Message call = make_call("RegisterListener", 1);
	int peers[32], fds[32];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = open_lingering(&peers[i]);
	send_call(&call, fds, ARRAY_SIZE(fds));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	cr_assert_eq(work(), -EMSGSIZE);
	channel_bus_deinit(&bus);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(peers[i]);
}

/* The kernel closes what nobody has read together with the socket. */
Test(channel_bus_fds, unread_lingering_sockets_delay_no_end)
{
	int peer, fd = open_lingering(&peer);

	send_part("x", 1, &fd, 1);
	close(fd);
	channel_bus_deinit(&bus);
	close(peer);
}

/* Otherwise, a viewer would get as many threads as it likes. */
Test(channel_bus_fds, the_connection_ends_when_too_many_closes_hang)
{
	const Message call = make_call("RegisterListener", 1);
	int peers[128];
	size_t count = 0;
	int result = 0;

	while (result == 0 && count < ARRAY_SIZE(peers)) {
		int fd = open_lingering(&peers[count++]);

		send_call(&call, &fd, 1);
		close(fd);
		result = work();
	}
	cr_assert_eq(result, -EMFILE);
	cr_assert_eq(calls, 64u);
	channel_bus_deinit(&bus);
	while (count > 0)
		close(peers[--count]);
	open_at_once -= 3;
	expect_no_more_fds();
}

/* A viewer may cause hanging closes with listeners as well. */
Test(channel_bus_fds, closes_of_a_listener_count_for_its_channel)
{
	ChannelBus listener;
	int peers[64], pair[2];

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		int fd = open_lingering(&peers[i]);

		cr_assert_eq(work(), 0);
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		cr_assert_geq(channel_bus_init(&listener, pair[0]), 0);
		channel_bus_join(&listener, &bus);
		send_on(pair[1], "x", 1, &fd, 1);
		close(fd);
		close(pair[1]);
		channel_bus_deinit(&listener);
	}
	cr_assert_eq(work(), -EMFILE);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		close(peers[i]);
}
