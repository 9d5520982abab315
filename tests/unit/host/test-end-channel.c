/* SPDX-License-Identifier: MIT */
/* The end of display channels on which fds wait, also while fds and processes have run out. */
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/host/server.h"

#define TIMEOUT  60
#define FDS_FEW  128
#define MESSAGES 3
#define NOBODY   65534

static Server server;
static unsigned int closed;                    /* children that have ended */
static int viewer = -1, own = -1, stored = -1; /* ends of a channel; stored is a copy of own */
static const Payer payer = { .uid = 1000 };

static void count_closed(void *context)
{
	(void)context;
	closed++;
}

/* Sends /dev/null, which closes nowhere but where it is received. */
static void send_fd(int channel)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	char byte = 'b';
	struct iovec bytes = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	cr_assert_eq(sendmsg(channel, &message, 0), 1);
	close(fd);
}

static void set_up(void)
{
	int ends[2];

	server = (Server){ .base = event_base_new() };
	event_base_priority_init(server.base, 2);
	host_ops_init(&server.host, &server);
	turns_init(&server.turns, server.base, &server.host);
	peer_users_init(&server.users, &server.turns);
	fd_closer_init(&server.closer, server.base, &server.turns, count_closed, NULL);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	viewer = ends[0];
	own = ends[1];
	stored = fcntl(own, F_DUPFD_CLOEXEC, 0);
	for (size_t i = 0; i < MESSAGES; i++)
		send_fd(viewer);
}

static void tear_down(void)
{
	fd_closer_deinit(&server.closer);
	peer_users_deinit(&server.users);
	turns_deinit(&server.turns);
	event_base_free(server.base);
}

TestSuite(end_channel, .init = set_up, .fini = tear_down, .timeout = TIMEOUT);

static void end_channel(void)
{
	server.host.end_channel(&server, own, &payer);
}

static int count_waiting(void)
{
	int count;

	cr_assert_eq(ioctl(stored, SIOCINQ, &count), 0);
	return count;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool viewer_can_send(void)
{
	return send(viewer, "b", 1, MSG_NOSIGNAL) == 1;
}

/* Takes all fds that this process may have. Returns the limit before. */
static struct rlimit use_up_fds(void)
{
	struct rlimit before;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	struct rlimit few = { .rlim_cur = FDS_FEW, .rlim_max = before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (fcntl(viewer, F_DUPFD_CLOEXEC, 0) >= 0)
		;
	cr_assert_eq(errno, EMFILE);
	return before;
}

Test(end_channel, a_child_empties_the_channel)
{
	end_channel();
	cr_assert_not(viewer_can_send());
	cr_assert_not(is_open(own));
	while (closed == 0)
		event_base_loop(server.base, EVLOOP_ONCE);
	cr_assert_eq(count_waiting(), 0);
}

/* Without a copy for the child, the daemon waits until the channel is empty. */
Test(end_channel, it_is_emptied_at_once_when_fds_have_run_out)
{
	struct rlimit before = use_up_fds();

	end_channel();
	setrlimit(RLIMIT_NOFILE, &before);
	cr_assert_eq(count_waiting(), 0);
	cr_assert_not(viewer_can_send());
	cr_assert_not(is_open(own));
}

/* Ends the channel while this process may have no children. That limit does not hold for root. */
static void end_channel_without_children(void)
{
	uid_t uid = getuid();
	struct rlimit before, none;

	cr_assert_eq(getrlimit(RLIMIT_NPROC, &before), 0);
	none = before;
	none.rlim_cur = 0;
	cr_assert_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	if (uid == 0)
		cr_assert_eq(setresuid(NOBODY, NOBODY, uid), 0);
	end_channel();
	if (uid == 0)
		cr_assert_eq(setresuid(uid, uid, uid), 0);
	cr_assert_eq(setrlimit(RLIMIT_NPROC, &before), 0);
	/* LeakSanitizer traces this process. */
	cr_assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

/* The last close of a channel with fds can block, so the daemon does not close it. */
Test(end_channel, it_stays_open_when_processes_have_run_out_too)
{
	struct rlimit before = use_up_fds();

	end_channel_without_children();
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_assert_eq(count_waiting(), MESSAGES);
	cr_assert_not(viewer_can_send());
	cr_assert(is_open(own));
}
