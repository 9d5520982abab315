/* SPDX-License-Identifier: MIT */
/*
 * Checks that the examiner's death, silence and invalid answers stop the event loop, and that each
 * question still gets a result. The test has the examiner's ends of the sockets.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/host/examiner/examiner-client.h"
#include "proto/fd-util.h"

#define FOREVER 1000000 /* milliseconds */

typedef struct Fixture {
	struct event_base *base;
	Examiner examiner;
	int who; /* the examiner's ends */
	int context;
	SearchRequest request;
	unsigned int answers;
	Lookup lookup;
	uint32_t value;
} Fixture;

static Fixture fixture;

static void set_up_patient(unsigned int milliseconds)
{
	int who[2], context[2];

	fixture = (Fixture){ .base = event_base_new() };
	event_base_priority_init(fixture.base, 2);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, who), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, context), 0);
	fixture.who = who[1];
	fixture.context = context[1];
	examiner_init(&fixture.examiner, fixture.base, &(ExaminerSockets){ who[0], context[0] },
		      milliseconds);
}

static void set_up(void)
{
	set_up_patient(FOREVER);
}

static void tear_down(void)
{
	examiner_deinit(&fixture.examiner);
	fd_close(&fixture.who);
	fd_close(&fixture.context);
	event_base_free(fixture.base);
}

TestSuite(examiner_client, .init = set_up, .fini = tear_down);

/* Replaces the client by one that waits only this long. */
static void be_impatient(void)
{
	tear_down();
	set_up_patient(1);
}

/* Checks that the examiner has failed, and that no further question is asked. */
static void expect_failed(void)
{
	WhoAnswer answer;

	cr_assert(fixture.examiner.has_failed);
	cr_assert_eq(examiner_ask_who(&fixture.examiner, getpid(), false, &answer), -EPIPE);
	fixture.request = (SearchRequest){ 0 };
	cr_assert_eq(examiner_ask_search(&fixture.examiner, &fixture.request, getpid(), 0,
					 &(Payer){ 0 }),
		     LOOKUP_EXHAUSTED);
}

/* --- who ------------------------------------------------------------------------------------- */

/* The number of the first question. */
#define FIRST 1

static void expect_who(const void *message, size_t size, int expected)
{
	WhoAnswer answer;
	WhoQuestion question;

	cr_assert_eq(send(fixture.who, message, size, 0), (ssize_t)size);
	cr_assert_eq(examiner_ask_who(&fixture.examiner, 4711, false, &answer), expected);
	cr_assert_eq(recv(fixture.who, &question, sizeof(question), MSG_DONTWAIT),
		     sizeof(question));
	cr_assert_eq(question.number, FIRST);
	cr_assert_eq(question.pid, 4711);
	if (expected < 0)
		expect_failed();
}

static const WhoAnswer valid = { .number = FIRST, .error = EACCES, .executable = "/bin/viewer" };

Test(examiner_client, who_is_answered)
{
	expect_who(&valid, sizeof(valid), 0);
	cr_assert_not(fixture.examiner.has_failed);
}

Test(examiner_client, who_with_another_number)
{
	WhoAnswer answer = valid;

	answer.number++;
	expect_who(&answer, sizeof(answer), -EPIPE);
}

Test(examiner_client, who_with_an_error_that_is_none)
{
	WhoAnswer answer = valid;

	answer.error = -1;
	expect_who(&answer, sizeof(answer), -EPIPE);
}

Test(examiner_client, who_with_an_owner_error_that_is_none)
{
	WhoAnswer answer = valid;

	answer.owner_error = 1 << 20;
	expect_who(&answer, sizeof(answer), -EPIPE);
}

Test(examiner_client, who_with_an_endless_path)
{
	WhoAnswer answer = valid;

	memset(answer.executable, 'x', sizeof(answer.executable));
	expect_who(&answer, sizeof(answer), -EPIPE);
}

Test(examiner_client, who_too_short)
{
	expect_who(&valid, sizeof(valid) - 1, -EPIPE);
}

Test(examiner_client, who_too_long)
{
	const char bytes[sizeof(WhoAnswer) + 1] = { FIRST };

	expect_who(bytes, sizeof(bytes), -EPIPE);
}

Test(examiner_client, who_in_silence)
{
	WhoAnswer answer;

	be_impatient();
	cr_assert_eq(examiner_ask_who(&fixture.examiner, 1, false, &answer), -EPIPE);
	expect_failed();
}

Test(examiner_client, who_after_death)
{
	WhoAnswer answer;

	fd_close(&fixture.who);
	fd_close(&fixture.context);
	cr_assert_eq(examiner_ask_who(&fixture.examiner, 1, false, &answer), -EPIPE);
	event_base_dispatch(fixture.base);
	expect_failed();
}

Test(examiner_client, who_that_dies_over_a_question)
{
	WhoAnswer answer;

	shutdown(fixture.who, SHUT_WR);
	cr_assert_eq(examiner_ask_who(&fixture.examiner, 1, false, &answer), -EPIPE);
	expect_failed();
}

/* --- pids ------------------------------------------------------------------------------------ */

static const PidsAnswer two_levels = {
	.number = FIRST,
	.count = 2,
	.levels = { { .inode = 4026532001, .pid = 17 }, { .inode = 4026532002, .pid = 1 } },
};

static void expect_pids(const void *message, size_t size, int expected)
{
	PidsAnswer answer;
	WhoQuestion question;

	cr_assert_eq(send(fixture.who, message, size, 0), (ssize_t)size);
	cr_assert_eq(examiner_ask_pids(&fixture.examiner, 4711, &answer), expected);
	cr_assert_eq(recv(fixture.who, &question, sizeof(question), MSG_DONTWAIT),
		     sizeof(question));
	cr_assert_eq(question.topic, WHO_PIDS);
	cr_assert_eq(question.pid, 4711);
	if (expected < 0)
		expect_failed();
	else
		cr_assert_eq(memcmp(&answer, message, size), 0);
}

Test(examiner_client, pids_are_answered)
{
	expect_pids(&two_levels, sizeof(two_levels), 0);
}

Test(examiner_client, pids_of_too_many_levels)
{
	PidsAnswer answer = two_levels;

	answer.count = PID_LEVELS_MAX + 1;
	expect_pids(&answer, sizeof(answer), -EPIPE);
}

Test(examiner_client, pids_that_are_none)
{
	PidsAnswer answer = two_levels;

	answer.levels[1].pid = 0;
	expect_pids(&answer, sizeof(answer), -EPIPE);
}

Test(examiner_client, pids_in_a_namespace_without_an_inode)
{
	PidsAnswer answer = two_levels;

	answer.levels[0].inode = 0;
	expect_pids(&answer, sizeof(answer), -EPIPE);
}

Test(examiner_client, pids_and_an_error)
{
	PidsAnswer answer = two_levels;

	answer.error = EACCES;
	expect_pids(&answer, sizeof(answer), -EPIPE);
}

Test(examiner_client, who_instead_of_pids)
{
	expect_pids(&valid, sizeof(valid), -EPIPE);
}

Test(examiner_client, an_executable_is_asked_for_once)
{
	cr_assert_eq(send(fixture.who, &valid, sizeof(valid), 0), sizeof(valid));
	cr_assert_str_eq(examiner_executable(&fixture.examiner, 7, 4711), "/bin/viewer");
	cr_assert_str_eq(examiner_executable(&fixture.examiner, 7, 4711), "/bin/viewer");
	cr_assert_not(fixture.examiner.has_failed);
	examiner_forget(&fixture.examiner);
	fd_close(&fixture.who);
	cr_assert_str_eq(examiner_executable(&fixture.examiner, 7, 4711), "");
}

/* --- contexts -------------------------------------------------------------------------------- */

static void on_answer(SearchRequest *request, Lookup lookup, uint32_t value)
{
	cr_assert_eq(request, &fixture.request);
	fixture.answers++;
	fixture.lookup = lookup;
	fixture.value = value;
	event_base_loopbreak(fixture.base);
}

static void ask_context(void)
{
	fixture.request.answered = on_answer;
	cr_assert_eq(examiner_ask_search(&fixture.examiner, &fixture.request, 4711, 0,
					 &(Payer){ .uid = 47001 }),
		     LOOKUP_PENDING);
}

/* Sends an answer, and runs the loop until it is handled. */
static void answer_context(const void *message, size_t size)
{
	cr_assert_eq(send(fixture.context, message, size, 0), (ssize_t)size);
	event_base_loop(fixture.base, EVLOOP_ONCE);
}

static const SearchAnswer found = { .number = FIRST,
				    .lookup = LOOKUP_FOUND,
				    .value = GRAPHICS_CONTEXT_DRM };

Test(examiner_client, context_is_found)
{
	SearchQuestion question;

	ask_context();
	cr_assert_eq(recv(fixture.context, &question, sizeof(question), MSG_DONTWAIT),
		     sizeof(question));
	cr_assert_eq(question.number, FIRST);
	cr_assert_eq(question.pid, 4711);
	cr_assert_eq(question.payer, 47001);
	cr_assert_eq(question.payer_is_operator, 0);
	answer_context(&found, sizeof(found));
	cr_assert_eq(fixture.answers, 1);
	cr_assert_eq(fixture.lookup, LOOKUP_FOUND);
	cr_assert_eq(fixture.value, GRAPHICS_CONTEXT_DRM);
	/* An answer that is not awaited any more is ignored. */
	answer_context(&found, sizeof(found));
	cr_assert_eq(fixture.answers, 1);
	cr_assert_not(fixture.examiner.has_failed);
}

Test(examiner_client, pid_is_found)
{
	SearchAnswer answer = { .number = FIRST, .lookup = LOOKUP_FOUND, .value = 4000000 };
	SearchQuestion question;

	fixture.request.topic = SEARCH_PID;
	fixture.request.inner_pid = 17;
	ask_context();
	cr_assert_eq(recv(fixture.context, &question, sizeof(question), MSG_DONTWAIT),
		     sizeof(question));
	cr_assert_eq(question.inner_pid, 17);
	answer_context(&answer, sizeof(answer));
	cr_assert_eq(fixture.answers, 1);
	cr_assert_eq(fixture.value, 4000000);
}

/* Expects that the answer stops the loop, and that the request ends with the client. */
static void expect_invalid(const void *message, size_t size)
{
	ask_context();
	answer_context(message, size);
	cr_assert_eq(fixture.answers, 0);
	cr_assert(event_base_got_break(fixture.base));
	cr_assert(fixture.examiner.has_failed);
	examiner_deinit(&fixture.examiner);
	cr_assert_eq(fixture.answers, 1);
	cr_assert_eq(fixture.lookup, LOOKUP_EXHAUSTED);
}

Test(examiner_client, pid_that_is_none)
{
	SearchAnswer answer = { .number = FIRST, .lookup = LOOKUP_FOUND, .value = UINT32_MAX };

	fixture.request.topic = SEARCH_PID;
	fixture.request.inner_pid = 17;
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, context_with_a_number_never_asked)
{
	SearchAnswer answer = found;

	answer.number++;
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, context_without_a_number)
{
	SearchAnswer answer = found;

	answer.number = 0;
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, context_with_a_lookup_that_is_none)
{
	SearchAnswer answer = { .number = FIRST, .lookup = LOOKUP_PENDING };

	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, context_with_a_kind_that_is_none)
{
	SearchAnswer answer = found;

	answer.value = GRAPHICS_CONTEXT_MAX;
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, context_of_the_daemon_itself)
{
	SearchAnswer answer = found;

	answer.value = GRAPHICS_CONTEXT_VAILD;
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, context_that_is_absent_and_has_a_kind)
{
	SearchAnswer answer = found;

	answer.lookup = LOOKUP_ABSENT;
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, context_too_short)
{
	expect_invalid(&found, sizeof(found) - 1);
}

Test(examiner_client, context_too_long)
{
	const char bytes[sizeof(SearchAnswer) + 1] = { FIRST };

	expect_invalid(bytes, sizeof(bytes));
}

/* --- held GPUs ------------------------------------------------------------------------------- */

static HeldGpus held;

static void want_gpus(void)
{
	held = (HeldGpus){ 0 };
	fixture.request.topic = SEARCH_HELD_GPUS;
	fixture.request.held = &held;
}

static HeldGpusAnswer one_gpu(void)
{
	return (HeldGpusAnswer){
		.head = { .number = FIRST, .lookup = LOOKUP_FOUND, .value = 1 },
		.items = { { .kind = HELD_GPU_MDEV, .function = "x", .profile = "nvidia-63" } },
		.is_complete = 1,
	};
}

Test(examiner_client, held_gpus_are_found)
{
	const HeldGpusAnswer answer = one_gpu();
	SearchQuestion question;

	want_gpus();
	ask_context();
	cr_assert_eq(recv(fixture.context, &question, sizeof(question), MSG_DONTWAIT),
		     sizeof(question));
	cr_assert_eq(question.topic, (uint32_t)SEARCH_HELD_GPUS);
	answer_context(&answer, sizeof(answer));
	cr_assert_eq(fixture.answers, 1);
	cr_assert_eq(fixture.lookup, LOOKUP_FOUND);
	cr_assert_eq(held.count, 1u);
	cr_assert(held.is_complete);
	cr_assert_str_eq(held.items[0].profile, "nvidia-63");
	/* An answer that is not awaited any more is ignored. */
	held.count = 7;
	answer_context(&answer, sizeof(answer));
	cr_assert_eq(held.count, 7u);
	cr_assert_not(fixture.examiner.has_failed);
}

Test(examiner_client, no_held_gpus)
{
	const SearchAnswer answer = { .number = FIRST, .lookup = LOOKUP_ABSENT };

	want_gpus();
	ask_context();
	answer_context(&answer, sizeof(answer));
	cr_assert_eq(fixture.answers, 1);
	cr_assert_eq(fixture.lookup, LOOKUP_ABSENT);
}

Test(examiner_client, held_gpus_that_nobody_asked_for)
{
	const HeldGpusAnswer answer = one_gpu();

	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, held_gpus_without_the_gpus)
{
	const HeldGpusAnswer answer = one_gpu();

	want_gpus();
	expect_invalid(&answer, sizeof(answer.head));
}

Test(examiner_client, held_gpus_that_are_too_many)
{
	HeldGpusAnswer answer = one_gpu();

	answer.head.value = LIMIT_HELD_GPUS + 1;
	want_gpus();
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, held_gpu_of_a_kind_that_is_none)
{
	HeldGpusAnswer answer = one_gpu();

	answer.items[0].kind = HELD_GPU_KIND_MAX;
	want_gpus();
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, held_gpu_with_an_endless_text)
{
	HeldGpusAnswer answer = one_gpu();

	memset(answer.items[0].parent, 'x', sizeof(answer.items[0].parent));
	want_gpus();
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, held_gpu_with_a_control_character)
{
	HeldGpusAnswer answer = one_gpu();

	answer.items[0].profile[0] = '\033';
	want_gpus();
	expect_invalid(&answer, sizeof(answer));
}

Test(examiner_client, held_gpu_without_a_name)
{
	HeldGpusAnswer answer = one_gpu();

	answer.items[0].function[0] = '\0';
	want_gpus();
	expect_invalid(&answer, sizeof(answer));
}

/* --- the examiner's end ---------------------------------------------------------------------- */

Test(examiner_client, death_is_noticed_without_a_question)
{
	fd_close(&fixture.context);
	event_base_dispatch(fixture.base);
	expect_failed();
}

/* A search may be slow on a busy machine, while the examiner answers other questions. */
Test(examiner_client, a_slow_search_is_given_up)
{
	WhoAnswer alive = { .number = FIRST + 1 };

	be_impatient();
	ask_context();
	cr_assert_eq(send(fixture.who, &alive, sizeof(alive), 0), sizeof(alive));
	event_base_dispatch(fixture.base);
	cr_assert_eq(fixture.answers, 1);
	cr_assert_eq(fixture.lookup, LOOKUP_EXHAUSTED);
	cr_assert_not(fixture.examiner.has_failed);
	answer_context(&found, sizeof(found));
	cr_assert_eq(fixture.answers, 1);
	cr_assert_not(fixture.examiner.has_failed);
}

Test(examiner_client, a_silent_examiner_is_noticed_by_its_searches)
{
	be_impatient();
	ask_context();
	event_base_dispatch(fixture.base);
	cr_assert_eq(fixture.answers, 1);
	expect_failed();
}

/* --- the examiner ---------------------------------------------------------------------------- */

/* Starts a real examiner instead of the test's sockets. */
static void start_examiner(void)
{
	FsRoots roots = FS_ROOTS_DEFAULT;
	UserNamespace own = { .device = 1, .inode = 2 }; /* of no process */
	ExaminerSockets sockets;

	tear_down();
	fixture = (Fixture){ .base = event_base_new(), .who = -1, .context = -1 };
	event_base_priority_init(fixture.base, 2);
	cr_assert_eq(examiner_start(&roots, &own, &sockets), 0);
	examiner_init(&fixture.examiner, fixture.base, &sockets, FOREVER);
}

Test(examiner_client, the_examiner_answers)
{
	WhoAnswer answer;
	char own[EXECUTABLE_SIZE] = "";

	start_examiner();
	cr_assert_gt(readlink("/proc/self/exe", own, sizeof(own) - 1), 0);
	cr_assert_eq(examiner_ask_who(&fixture.examiner, getpid(), false, &answer), 0);
	cr_assert_eq(answer.error, 0);
	cr_assert_neq(answer.namespace_inode, 0);
	cr_assert_str_eq(answer.executable, own);
	cr_assert_eq(examiner_ask_who(&fixture.examiner, 0, false, &answer), 0);
	cr_assert_eq(answer.error, ENOENT);
	cr_assert_eq(answer.owner_error, ENOENT);
}

static void expect_exit(const void *question, size_t size, int socket, int status)
{
	int result;

	if (size > 0)
		cr_assert_eq(send(socket, question, size, 0), (ssize_t)size);
	else
		shutdown(socket, SHUT_WR);
	cr_assert_gt(wait(&result), 0);
	cr_assert(WIFEXITED(result));
	cr_assert_eq(WEXITSTATUS(result), status);
	event_base_dispatch(fixture.base);
	expect_failed();
}

Test(examiner_client, the_examiner_ends_with_the_daemon)
{
	start_examiner();
	expect_exit(NULL, 0, fixture.examiner.sockets.context, EXIT_SUCCESS);
}

Test(examiner_client, a_short_question_ends_the_examiner)
{
	start_examiner();
	expect_exit("x", 1, fixture.examiner.sockets.who, EXIT_FAILURE);
}

Test(examiner_client, a_context_question_without_a_pidfd_ends_the_examiner)
{
	const SearchQuestion question = { .number = FIRST };

	start_examiner();
	expect_exit(&question, sizeof(question), fixture.examiner.sockets.context, EXIT_FAILURE);
}
