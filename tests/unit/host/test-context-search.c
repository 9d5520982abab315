/* SPDX-License-Identifier: MIT */
/*
 * The examiner's searches: who pays for a child, which question waits, and when it is refused. A
 * fake /sys has a VFIO group with the number of /dev/zero, and a function that is read from a FIFO.
 * So a search for the GPUs of this process hangs until the test closes the FIFO.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/host.h"
#include "daemon/core/limit.h"
#include "daemon/host/examiner/call-filter.h"
#include "daemon/host/examiner/context-search.h"
#include "tests/unit/discovery/device-tree.h"

/* Children give up the examiner's sockets by their numbers, so the fds of the test are others. */
#define OTHER_FDS (EXAMINER_CONTEXT_FD + 1)

typedef union Answer {
	SearchAnswer head;
	HeldGpusAnswer held;
} Answer;

static DeviceTree tree;
static ContextSearches searches;
static FsRoots roots;
static int answers[2];
static char fifo[128];
static uint64_t last_number;

static int move_away(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, OTHER_FDS);

	cr_assert_geq(moved, OTHER_FDS);
	close(fd);
	return moved;
}

static void set_up(void)
{
	tree_init(&tree);
	tree_pci(&tree, "pci0000:00/0000:00:02.1", "vfio-pci", "0x8086", "0x030000");
	tree_group(&tree, 12, "1:5", "pci0000:00/0000:00:02.1");
	roots = (FsRoots){ .proc = "/proc", .sys = tree.path };
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, answers), 0);
	answers[0] = move_away(answers[0]);
	answers[1] = move_away(answers[1]);
	context_searches_init(&searches, &roots, answers[1], EXAMINER_WHO_FD);
}

/* Replaces /proc. */
static void let_searches_hang(void)
{
	char link[32];

	snprintf(link, sizeof(link), "%d/ns/unused", (int)getpid());
	tree_link(&tree, link, "nothing");
	snprintf(fifo, sizeof(fifo), "%s/%d/ns/pid", tree.path, (int)getpid());
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	roots.proc = tree.path;
	context_searches_init(&searches, &roots, answers[1], EXAMINER_WHO_FD);
}

static void tear_down(void)
{
	close(answers[0]);
	close(answers[1]);
	tree_deinit(&tree);
}

TestSuite(context_search, .init = set_up, .fini = tear_down);

/* Asks about this process. The key says which process that is, as the daemon does. */
static uint64_t ask(SearchTopic topic, uint64_t key, uint32_t payer)
{
	const SearchQuestion question = {
		.number = ++last_number,
		.process = key,
		.pid = getpid(),
		.payer = payer,
		.inner_pid = 1,
		.topic = topic,
	};

	context_searches_begin(&searches, &question, move_away(pidfd_open(getpid(), 0)));
	return last_number;
}

/* Runs the searches until there is an answer. */
static Answer await_answer(void)
{
	struct pollfd socket = { .fd = answers[0], .events = POLLIN };
	Answer answer = { 0 };

	while (poll(&socket, 1, 0) == 0) {
		struct timespec timeout = { 0, 0 };

		if (context_searches_timeout(&searches, &timeout))
			ppoll(&socket, 1, &timeout, NULL);
		sched_yield();
		context_searches_update(&searches);
	}
	cr_assert_geq(recv(answers[0], &answer, sizeof(answer), 0), (ssize_t)sizeof(answer.head));
	return answer;
}

static void expect_lookup(uint64_t number, Lookup lookup)
{
	Answer answer = await_answer();

	cr_assert_eq(answer.head.number, number);
	cr_assert_eq(answer.head.lookup, lookup);
}

/* Runs the searches until none is left. */
static void end_all(void)
{
	while (!TAILQ_EMPTY(&searches.children)) {
		sched_yield();
		context_searches_update(&searches);
	}
	cr_assert(TAILQ_EMPTY(&searches.payers));
	cr_assert(TAILQ_EMPTY(&searches.waits));
}

Test(context_search, each_topic_is_answered)
{
	struct timespec timeout;

	expect_lookup(ask(SEARCH_CONTEXT, 1, 1000), LOOKUP_ABSENT);
	expect_lookup(ask(SEARCH_PID, 1, 1000), LOOKUP_FOUND);
	expect_lookup(ask(SEARCH_HELD_GPUS, 1, 1000), LOOKUP_ABSENT);
	cr_assert_not(context_searches_timeout(&searches, &timeout));
	end_all();
}

Test(context_search, held_gpus_are_sent)
{
	cr_assert_geq(open("/dev/zero", O_RDONLY | O_CLOEXEC), 0);
	uint64_t number = ask(SEARCH_HELD_GPUS, 1, 1000);
	Answer answer = await_answer();
	cr_assert_eq(answer.head.number, number);
	cr_assert_eq(answer.head.lookup, LOOKUP_FOUND);
	cr_assert_eq(answer.head.value, 1u);
	cr_assert_str_eq(answer.held.items[0].function, "0000:00:02.1");
	end_all();
}

/* Opens the FIFO for as long as searches wait for it. */
static void release_searches(void)
{
	int writer = open(fifo, O_RDWR | O_CLOEXEC);

	cr_assert_geq(writer, 0);
	end_all();
	close(writer);
}

/* The payer's next question waits in vain. Another payer, and questions of others about the payer's
 * processes, are answered. */
Test(context_search, a_payer_has_a_limited_number_of_children)
{
	let_searches_hang();
	for (uint64_t i = 0; i < LIMIT_CLOSES_UNDER_WAY; i++)
		ask(SEARCH_PID, 1 + i, 1000);
	expect_lookup(ask(SEARCH_CONTEXT, 100, 1000), LOOKUP_EXHAUSTED);
	expect_lookup(ask(SEARCH_CONTEXT, 100, 1001), LOOKUP_UNREADABLE);
	expect_lookup(ask(SEARCH_HELD_GPUS, 100, 1000), LOOKUP_UNREADABLE);
	release_searches();
}

/* A question that waits begins when an earlier child exits. */
Test(context_search, a_question_waits_for_room)
{
	uint64_t expected = 0;

	for (uint64_t i = 0; i < LIMIT_CLOSES_UNDER_WAY + 1; i++)
		expected += ask(SEARCH_PID, 1 + i, 1000);
	for (uint64_t i = 0; i < LIMIT_CLOSES_UNDER_WAY + 1; i++)
		expected -= await_answer().head.number;
	cr_assert_eq(expected, 0u);
	end_all();
}
