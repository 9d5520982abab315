/* SPDX-License-Identifier: MIT */
/*
 * Ends display channels on which fds wait whose close blocks for ten hours. A test that closes such
 * an fd runs into its timeout.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/child/socket-drain.h"
#include "daemon/host/persist/fd-store.h"
#include "proto/macros.h"
#include "tests/support/fake-service-manager.h"
#include "tests/support/lingering-socket.h"

#define TIMEOUT 60

/* Sends the fd, or only a byte if it is negative. */
static void send_fd(int channel, int fd, int flags)
{
	char byte = 'b', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec bytes = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(int));
	}
	cr_assert_eq(sendmsg(channel, &message, flags), 1, "%s", strerror(errno));
}

/* Sends the last open fd of a lingering socket. The peer stays open. */
static void send_lingering(int channel, int flags)
{
	int peer, fd = open_lingering(&peer);

	send_fd(channel, fd, flags);
	close(fd);
}

static int waiting(int fd)
{
	int count;

	cr_assert_eq(ioctl(fd, SIOCINQ, &count), 0);
	return count;
}

/* A channel whose own end the service manager has as well. */
typedef struct Channel {
	int viewer, own, stored;
} Channel;

static Channel open_channel(void)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	return (Channel){ .viewer = ends[0], .own = ends[1], .stored = dup(ends[1]) };
}

Test(socket_drain, the_last_close_of_an_ended_socket_does_not_block, .timeout = TIMEOUT)
{
	Channel channel = open_channel();

	send_fd(channel.viewer, -1, 0);
	send_lingering(channel.viewer, 0);
	cr_assert(socket_end(channel.own));
	cr_assert_eq(waiting(channel.own), 0);
	cr_assert_eq(send(channel.viewer, "b", 1, MSG_NOSIGNAL), -1);
	close(channel.own);
	close(channel.stored);
}

Test(socket_drain, out_of_band_bytes_bring_fds_too, .timeout = TIMEOUT)
{
	Channel channel = open_channel();

	send_lingering(channel.viewer, MSG_OOB);
	cr_assert(socket_has_fds(channel.own));
	cr_assert(socket_end(channel.own));
	cr_assert_eq(waiting(channel.own), 0);
	close(channel.own);
	close(channel.stored);
}

/* The fd table of one child is too small for all. */
Test(socket_drain, more_fds_than_one_process_can_have, .timeout = TIMEOUT)
{
	struct rlimit limit = { .rlim_cur = 64, .rlim_max = 64 };
	Channel channel = open_channel();
	int peer, lingering = open_lingering(&peer), memory = memfd_create("memory", 0);

	for (int i = 0; i < 100; i++)
		send_fd(channel.viewer, i == 70 ? lingering : memory, 0);
	close(lingering);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert(socket_end(channel.own));
	cr_assert_eq(waiting(channel.own), 0);
	close(channel.own);
	close(channel.stored);
}

Test(socket_drain, a_daemon_without_fds_can_end_a_socket, .timeout = TIMEOUT)
{
	struct rlimit before, limit;
	Channel channel = open_channel();

	send_lingering(channel.viewer, 0);
	send_lingering(channel.viewer, 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = (struct rlimit){ .rlim_cur = 1, .rlim_max = before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(dup(channel.own), -1);
	cr_assert(socket_end(channel.own));
	cr_assert_eq(waiting(channel.own), 0);
	setrlimit(RLIMIT_NOFILE, &before); /* the sanitizer needs fds */
	close(channel.own);
	close(channel.stored);
}

Test(socket_drain, the_fds_that_wait_stay_there_when_they_are_looked_for)
{
	Channel channel = open_channel();
	int memory = memfd_create("memory", 0);

	cr_assert_not(socket_has_fds(channel.own));
	send_fd(channel.viewer, -1, 0);
	cr_assert_not(socket_has_fds(channel.own));
	send_fd(channel.viewer, memory, 0);
	cr_assert(socket_has_fds(channel.own));
	cr_assert_eq(waiting(channel.own), 2);
}

Test(socket_drain, other_fds_stay_as_they_are)
{
	int memory = memfd_create("memory", 0);

	cr_assert_eq(ftruncate(memory, 4096), 0);
	cr_assert(socket_end(memory));
	cr_assert_not(socket_has_fds(memory));
}

static void note_end(void *context, const StoreName *name)
{
	(void)name;
	++*(int *)context;
}

Test(socket_drain, the_store_empties_a_channel_before_the_service_manager_closes_it,
     .timeout = TIMEOUT)
{
	const StoreName name = { .kind = PERSISTED_FD, .number = 1 };
	Channel channel = open_channel();
	FakeServiceManager manager;
	FdStore store;
	int ended = 0;

	fake_service_manager_init(&manager, 2);
	fd_store_init(&store);
	send_lingering(channel.viewer, 0);
	cr_assert(fd_store_restore(&store, &name, channel.own));
	cr_assert_eq(fd_store_end_unclaimed(&store, note_end, &ended), 1u);
	cr_assert_eq(ended, 1);
	cr_assert_eq(waiting(channel.stored), 0);
	fd_store_remove_ended(&store);
	close(channel.stored);
	fd_store_deinit(&store);
	fake_service_manager_deinit(&manager);
}
