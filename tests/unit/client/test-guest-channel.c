/* SPDX-License-Identifier: MIT */
/*
 * When the window of vail-view asks for a display channel again. The test's clock is a number, and
 * vaild cannot be reached, so that each attempt fails at once.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/vail-view/window/guest-channel.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define NOWHERE "/nonexistent/vaild.sock"
#define GUID    "1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f12"

static GuestChannel channel;
static GuestChannelOccasions occasions;
static int64_t now;

/* Returns the milliseconds until the next attempt, or GUEST_CHANNEL_NEVER. */
static int64_t delay(void)
{
	struct pollfd poll_fds[GUEST_CHANNEL_FDS];
	int64_t at = guest_channel_poll_for(&channel, true, poll_fds);

	return at == GUEST_CHANNEL_NEVER ? at : at - now;
}

/* One turn of the window. Returns whether vaild was asked. */
static bool turn(void)
{
	guest_channel_open_if_due(&channel, "console 0", occasions, now);
	bool has_asked = channel.is_answered || channel.vail;
	guest_channel_process(&channel, now);
	return has_asked;
}

static void setup(void)
{
	guest_channel_init(&channel, NOWHERE, GUID, VAIL_DISPLAY_INPUT);
	occasions = (GuestChannelOccasions){ .rights = 1, .shares = 1 };
	now = 1000;
	cr_assert(turn());
	cr_assert_eq(delay(), 250);
}

static void teardown(void)
{
	guest_channel_deinit(&channel);
}

TestSuite(guest_channel, .init = setup, .fini = teardown);

/* Lets attempts fail until the window gives up. */
static void exhaust(void)
{
	while (delay() != GUEST_CHANNEL_NEVER) {
		now += delay();
		cr_assert(turn());
	}
}

Test(guest_channel, each_delay_is_longer_than_the_last)
{
	now += 250;
	cr_assert(turn());
	cr_assert_eq(delay(), 500);
	exhaust();
	cr_assert_not(turn());
}

Test(guest_channel, a_shared_object_shortens_the_delay)
{
	exhaust();
	occasions.shares++;
	cr_assert_not(turn());
	cr_assert_eq(delay(), 250);
	now += 250;
	cr_assert(turn());
}

/* An agent that shares a thousand objects in a second causes four attempts, and not a thousand. */
Test(guest_channel, many_shared_objects_are_few_occasions)
{
	unsigned int asked = 0;

	exhaust();
	for (int i = 0; i < 1000; i++) {
		occasions.shares++;
		asked += turn();
		now++;
	}
	cr_assert_leq(asked, 4u);
}

Test(guest_channel, shares_leave_a_short_delay_alone)
{
	now += 200;
	occasions.shares++;
	cr_assert_not(turn());
	cr_assert_eq(delay(), 50);
}

Test(guest_channel, changed_rights_are_asked_for_at_once)
{
	exhaust();
	occasions.rights++;
	cr_assert(turn());
	cr_assert_eq(delay(), 250);
}

typedef union Control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
} Control;

/* Sends a byte with an fd, which the kernel may refuse. */
static void send_fd(int socket, int fd)
{
	struct iovec vector = { .iov_base = "x", .iov_len = 1 };
	Control control = { .header = { .cmsg_len = CMSG_LEN(sizeof(fd)),
					.cmsg_level = SOL_SOCKET,
					.cmsg_type = SCM_RIGHTS } };
	const struct msghdr message = { .msg_iov = &vector,
					.msg_iovlen = 1,
					.msg_control = &control,
					.msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	sendmsg(socket, &message, 0);
}

/* Tests whether a message with an fd has arrived. */
static bool has_fd(int socket)
{
	char byte;
	struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
	Control control = { 0 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	return recvmsg(socket, &message, MSG_DONTWAIT) == 1 && CMSG_FIRSTHDR(&message);
}

Test(guest_channel, the_kernel_keeps_out_fds_of_the_agent)
{
	int pair[2], passes;
	socklen_t size = sizeof(passes);

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	if (getsockopt(pair[0], SOL_SOCKET, SO_PASSRIGHTS, &passes, &size) < 0)
		cr_skip_test("this kernel has no SO_PASSRIGHTS");
	send_fd(pair[1], pair[1]);
	cr_assert(has_fd(pair[0]));
	guest_channel_refuse_fds(pair[0]);
	send_fd(pair[1], pair[1]);
	cr_assert_not(has_fd(pair[0]));
}
