/* SPDX-License-Identifier: MIT */
#include "faulty-run.h"

#include <signal.h>
#include <stdarg.h>
#include <time.h>

#define SETTLE_SECONDS 4
#define ATTEMPTS_MAX   4

typedef struct Run {
	TracedDaemon daemon;
	Scenario scenario;
	const Fault *fault;
	const Expected *expected;
	size_t done;     /* steps */
	bool has_come;   /* the fault */
	bool is_checked; /* what it left behind */
	bool has_failed;
} Run;

static __attribute__((format(printf, 2, 3))) void fail(Run *run, const char *format, ...)
{
	bool is_over = run->done == scenario_step_count;
	const char *method = is_over ? "the end" : scenario_steps[run->done].method;
	const Fault *fault = run->fault;
	va_list arguments;

	if (run->has_failed)
		return;
	run->has_failed = true;
	printf("# --only %s%s:%s:%u: step %zu (%s): ", fault->is_at_start ? "start:" : "",
	       fault->call, fault->what, fault->when, run->done,
	       method ? method : "a process begins or ends");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	traced_daemon_print_refused(&run->daemon);
	traced_daemon_print_log(&run->daemon);
	fflush(stdout);
}

/* --- beginning and end ----------------------------------------------------------------------- */

static void run_init(Run *run, const RunOptions *options, const Fault *fault)
{
	static unsigned int count;
	char directory[64];

	*run = (Run){
		.daemon = { .program = options->program,
			    .prefix = options->prefix,
			    .owner = options->owner },
		.fault = fault,
	};
	run->scenario.daemon = &run->daemon;
	snprintf(directory, sizeof(directory), "%s/%d-%u", options->folder, (int)getpid(), count++);
	traced_daemon_init(&run->daemon, directory);
}

static void must_start(Run *run, const Fault *fault)
{
	traced_daemon_start(&run->daemon, fault);
	if (run->daemon.pidfd >= 0)
		return;
	traced_daemon_print_log(&run->daemon);
	errx(2, "the daemon does not start");
}

static void run_deinit(Run *run)
{
	scenario_clear(&run->scenario);
	traced_daemon_deinit(&run->daemon);
}

static size_t count_cast(const Run *run)
{
	size_t count = 0;

	for (Role role = 0; role < ROLE_MAX; role++)
		count += run->scenario.cast.actors[role].pid != 0;
	return count;
}

/* That a signal came, libevent's handler writes to its own pipe; where that fails it is told by the
 * next one only. */
static void tell_again_of_children(const Run *run)
{
	if (run->fault && strcmp(run->fault->call, "write") == 0)
		kill(run->daemon.pid, SIGCHLD);
}

/* With so many connected, and this process, which asks: before each has been buried, and all that
 * is not kept has been closed, there are more. */
static size_t count_held(Run *run, size_t connected)
{
	time_t deadline = time(NULL) + SETTLE_SECONDS;
	char wanted[32], *status = NULL;
	int connection;
	size_t count = 0;
	bool is_settled;

	snprintf(wanted, sizeof(wanted), "\"connections\":%zu,", connected + 1);
	do {
		free(status);
		status = picture_ask_on(
			&run->daemon, "{\"method\":\"io.vaild.Monitor.GetStatus\"}\n", &connection);
		is_settled = strstr(status, wanted) && !traced_daemon_has_children(&run->daemon);
		count = traced_daemon_count_descriptors(&run->daemon);
		close(connection);
		if (time(NULL) > deadline)
			errx(2, "%s:%s:%u: connections stay, or closes: %s instead of %s",
			     run->fault ? run->fault->call : "", run->fault ? run->fault->what : "",
			     run->fault ? run->fault->when : 0, status, wanted);
		if (!is_settled)
			tell_again_of_children(run);
	} while (!is_settled);
	free(status);
	return count;
}

/* --- recording ------------------------------------------------------------------------------- */

static void must_play(Run *run, size_t count)
{
	const char *answer = "";

	for (; run->done < count; run->done++)
		if (scenario_play(&run->scenario, &scenario_steps[run->done], &answer) !=
		    OUTCOME_SUCCESS)
			errx(2, "step %zu (%s) is answered with %s", run->done,
			     scenario_steps[run->done].method, answer);
}

static void record_step(Run *run, Expected *expected)
{
	char *picture = picture_take(&run->daemon, &run->scenario.cast);

	expected->descriptors = count_held(run, count_cast(run));
	traced_daemon_end(&run->daemon, SIGKILL);
	must_start(run, NULL);
	expected->picture = picture_take(&run->daemon, &run->scenario.cast);
	expected->records = picture_of_records(&run->daemon);
	expected->restored_descriptors = count_held(run, 0);
	if (strcmp(picture, expected->picture) != 0)
		errx(2, "a restart after step %zu changes\n%s\nto\n%s", run->done, picture,
		     expected->picture);
	free(picture);
	scenario_reconnect(&run->scenario);
}

void run_record(const RunOptions *options, Expected expected[static SCENARIO_STEPS_MAX])
{
	Run run;

	run_init(&run, options, NULL);
	must_start(&run, NULL);
	record_step(&run, &expected[0]);
	while (run.done < scenario_step_count) {
		must_play(&run, run.done + 1);
		record_step(&run, &expected[run.done]);
	}
	run_deinit(&run);
}

char *run_list_calls(const RunOptions *options, bool is_at_start)
{
	static const Fault none = { .when = 0 };
	char *calls;
	Run run;

	run_init(&run, options, NULL);
	must_start(&run, NULL);
	if (is_at_start) {
		must_play(&run, scenario_steps_before_restart);
		traced_daemon_end(&run.daemon, SIGKILL);
		must_start(&run, &none);
	} else {
		traced_daemon_attach(&run.daemon, NULL);
		must_play(&run, scenario_step_count);
		traced_daemon_detach(&run.daemon);
	}
	calls = traced_daemon_read_trace(&run.daemon);
	run_deinit(&run);
	return calls;
}

size_t run_count_allocations(const RunOptions *options, bool is_at_start)
{
	static const Fault none = { .call = FAULT_ALLOCATION };
	Run run;

	run_init(&run, options, NULL);
	must_start(&run, NULL);
	if (is_at_start) {
		must_play(&run, scenario_steps_before_restart);
		traced_daemon_end(&run.daemon, SIGKILL);
		must_start(&run, NULL);
	} else {
		traced_daemon_attach(&run.daemon, &none);
		must_play(&run, scenario_step_count);
	}
	size_t count = traced_daemon_count_allocations(&run.daemon);
	run_deinit(&run);
	return count;
}

/* --- what has to be so ----------------------------------------------------------------------- */

static bool kills(const Fault *fault)
{
	return strncmp(fault->what, "signal=", strlen("signal=")) == 0;
}

/* What the service manager was told in vain it knows after the next start. */
static bool may_be_unheard(const Run *run)
{
	const char *call = run->fault->call;

	return !run->is_checked && !kills(run->fault) &&
	       (strcmp(call, "sendmsg") == 0 || strcmp(call, "socket") == 0 ||
		strcmp(call, "connect") == 0);
}

static bool picture_is(Run *run, const char *expected)
{
	char *picture = picture_take(&run->daemon, &run->scenario.cast);
	const char *stored = strstr(expected, "stored ");
	size_t size = may_be_unheard(run) ? (size_t)(stored - expected) : strlen(expected) + 1;
	bool is_same = strncmp(picture, expected, size) == 0;

	free(picture);
	return is_same;
}

/* What ends, or is closed in a child, takes a moment. Returns the step after which it is like that,
 * of the two; SIZE_MAX: neither. */
static size_t find_picture(Run *run, size_t step, size_t other)
{
	time_t deadline = time(NULL) + SETTLE_SECONDS;

	do {
		if (picture_is(run, run->expected[step].picture))
			return step;
		if (picture_is(run, run->expected[other].picture))
			return other;
		poll(NULL, 0, 5);
	} while (time(NULL) < deadline);
	return SIZE_MAX;
}

static void expect_picture(Run *run, const char *when, size_t step)
{
	if (run->has_failed || find_picture(run, step, step) == step)
		return;
	char *picture = picture_take(&run->daemon, &run->scenario.cast);
	fail(run, "%s there is\n%s\ninstead of\n%s", when, picture, run->expected[step].picture);
	free(picture);
}

static void expect_descriptors(Run *run, const char *when, size_t connected, size_t expected)
{
	time_t deadline = time(NULL) + SETTLE_SECONDS;
	size_t count;

	if (run->has_failed)
		return;
	while ((count = count_held(run, connected)) != expected)
		if (time(NULL) > deadline) {
			fail(run, "%s it has %zu descriptors instead of %zu", when, count,
			     expected);
			return;
		}
}

/* The daemon was started anew, and nobody is connected. */
static void expect_restored(Run *run, const char *when, size_t step)
{
	const Expected *expected = &run->expected[step];

	expect_picture(run, when, step);
	if (run->has_failed)
		return;
	char *records = picture_of_records(&run->daemon);
	if (strcmp(records, expected->records) != 0)
		fail(run, "%s recorded is\n%s\ninstead of\n%s", when, records, expected->records);
	free(records);
	/* Who has just begun may have waited for the new daemon, and is connected. */
	if (step == 0 || scenario_steps[step - 1].kind != STEP_BEGIN)
		expect_descriptors(run, when, 0, expected->restored_descriptors);
}

/* It ends as systemd would have it, with no leak, and comes back. */
static void restart(Run *run, size_t step)
{
	traced_daemon_end(&run->daemon, SIGTERM);
	if (run->daemon.status != 0)
		fail(run, "it ends with status %#x", (unsigned int)run->daemon.status);
	must_start(run, NULL);
	expect_restored(run, "after a restart", step);
	scenario_reconnect(&run->scenario);
}

/* --- playing --------------------------------------------------------------------------------- */

static void look_for_fault(Run *run)
{
	if (run->daemon.deaths > 0 && !kills(run->fault))
		fail(run, "the daemon died: status %#x", (unsigned int)run->daemon.status);
	if (!run->has_come)
		run->has_come = run->daemon.deaths > 0 ||
				(!kills(run->fault) && traced_daemon_was_refused(&run->daemon));
}

/* Once after the fault: everything is as it is after so many steps, and after a restart as well. */
static void check_once(Run *run, size_t step)
{
	if (run->is_checked || !run->has_come)
		return;
	if (kills(run->fault)) {
		run->is_checked = true;
		expect_restored(run, "after its death", step);
		scenario_reconnect(&run->scenario);
		return;
	}
	expect_picture(run, "after the fault", step);
	scenario_reconnect(&run->scenario); /* who was cut off */
	expect_descriptors(run, "after the fault", count_cast(run),
			   run->expected[step].descriptors);
	run->is_checked = true;
	restart(run, step);
}

static bool is_exhaustion(const char *error)
{
	static const char *const errors[] = { "EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ENOSPC" };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(error + strlen("error="), errors[i]) == 0)
			return true;
	return false;
}

/* It was refused, which is allowed once the fault has come: then it has changed nothing. */
static void check_refusal(Run *run, const char *answer)
{
	if (!run->has_come || run->is_checked)
		fail(run, "%s without a reason", answer);
	if (is_exhaustion(run->fault->what) && strcmp(answer, "STATUS_NO_MEMORY") != 0 &&
	    strcmp(answer, "STATUS_INSUFFICIENT_RESOURCES") != 0)
		fail(run, "is answered with %s", answer);
	expect_picture(run, "refused", run->done);
	if (run->fault->when % 2 == 0)
		check_once(run, run->done);
}

/* It was not answered: it is whole, or absent. */
static void check_lost(Run *run, const char *answer)
{
	if (!run->has_come || strcmp(answer, "silent") == 0) {
		fail(run, "%s", answer);
		return;
	}
	/* A process that has begun is there, whoever answers it. */
	bool has_begun = scenario_steps[run->done].kind == STEP_BEGIN;
	size_t step = find_picture(run, run->done + has_begun, run->done + 1);
	if (step == SIZE_MAX) {
		expect_picture(run, "not answered", run->done);
		return;
	}
	if (run->is_checked || run->daemon.deaths == 0)
		scenario_reconnect(&run->scenario);
	check_once(run, step);
	run->done = step;
}

/* Returns false when the rest cannot be played. */
static bool play_step(Run *run)
{
	size_t before = run->done;

	for (int attempt = 0; attempt < ATTEMPTS_MAX && !run->has_failed; attempt++) {
		const char *answer = "";
		Outcome outcome =
			scenario_play(&run->scenario, &scenario_steps[run->done], &answer);

		if (outcome == OUTCOME_LOST) /* perhaps since it died, which shows a little later */
			free(picture_ask(&run->daemon, GET_INFO "\n"));
		look_for_fault(run);
		if (outcome == OUTCOME_NO_HANDLE) {
			if (!run->has_come)
				fail(run, "a handle is not known");
			return false;
		}
		if (outcome == OUTCOME_SUCCESS) {
			run->done++;
			check_once(run, run->done);
		} else if (outcome == OUTCOME_REFUSED) {
			check_refusal(run, answer);
		} else {
			check_lost(run, answer);
		}
		if (run->done > before)
			return true;
	}
	fail(run, "is not done in the end");
	return false;
}

/* Restores all that there is, with the fault, and then without. */
static void start_with_fault(Run *run)
{
	TracedDaemon *daemon = &run->daemon;

	must_play(run, scenario_steps_before_restart);
	traced_daemon_end(daemon, SIGKILL);
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it does not work in who is traced */
	traced_daemon_start(daemon, run->fault);
	unsetenv("ASAN_OPTIONS");
	run->has_come = kills(run->fault) ? daemon->pidfd < 0 : traced_daemon_was_refused(daemon);
	if (daemon->pidfd >= 0 && run->has_come)
		expect_picture(run, "started with the fault", run->done);
	if (daemon->pidfd >= 0)
		traced_daemon_end(daemon, SIGKILL);
	daemon->deaths = 0;
	must_start(run, NULL);
	expect_restored(run, "after that start", run->done);
	run->is_checked = true;
	scenario_reconnect(&run->scenario);
}

/* Everything is given back, and no tool has found anything. */
static void check_end(Run *run)
{
	static const char *const reports[] = { "Sanitizer", "runtime error", "Assertion" };

	scenario_clear(&run->scenario);
	traced_daemon_detach(&run->daemon);
	expect_picture(run, "in the end", 0);
	look_for_fault(run);
	expect_descriptors(run, "in the end", 0,
			   run->is_checked || run->daemon.deaths > 0
				   ? run->expected[0].restored_descriptors
				   : run->expected[0].descriptors);
	traced_daemon_end(&run->daemon, SIGTERM);
	if (run->daemon.status != 0)
		fail(run, "in the end its status is %#x", (unsigned int)run->daemon.status);
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (traced_daemon_log_has(&run->daemon, reports[i]))
			fail(run, "there is a report");
}

RunResult run_with_fault(const RunOptions *options, const Fault *fault,
			 const Expected expected[static SCENARIO_STEPS_MAX])
{
	Run run;

	run_init(&run, options, fault);
	run.expected = expected;
	must_start(&run, NULL);
	if (fault->is_at_start)
		start_with_fault(&run);
	else
		traced_daemon_attach(&run.daemon, fault);
	while (!run.has_failed && run.done < scenario_step_count && play_step(&run))
		;
	if (!run.has_failed)
		check_end(&run);
	else
		scenario_clear(&run.scenario);
	traced_daemon_deinit(&run.daemon);
	return run.has_failed ? RUN_FAILED : run.has_come ? RUN_PASSED : RUN_WITHOUT_FAULT;
}
