/* SPDX-License-Identifier: MIT */
#include "tests/system/helpers/fail-calls/faulty-run.h"

#include <signal.h>
#include <stdarg.h>
#include <time.h>

#define ATTEMPTS_MAX 4

typedef struct Run {
	TracedDaemon daemon;
	Scenario scenario;
	const Fault *fault;
	const Expected *expected;
	size_t done;       /* number of finished steps */
	bool has_occurred; /* the fault has occurred */
	bool is_checked;   /* the state after the fault has been checked */
	bool has_failed;
} Run;

static __attribute__((format(printf, 2, 3))) void fail(Run *run, const char *format, ...)
{
	bool is_at_end = run->done == scenario_step_count;
	const char *method = is_at_end ? "the end" : scenario_steps[run->done].method;
	const Fault *fault = run->fault;
	va_list arguments;

	if (run->has_failed)
		return;
	run->has_failed = true;
	printf("# --only %s%s:%s:%u: step %zu (%s): ", fault->is_at_start ? "start:" : "",
	       fault->call, fault->what, fault->when, run->done,
	       method ? method : "a process starts or ends");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	traced_daemon_print_refused(&run->daemon);
	traced_daemon_print_log(&run->daemon);
	fflush(stdout);
}

/* --- setup and teardown ---------------------------------------------------------------------- */

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
	errx(2, "the daemon did not start");
}

static void run_deinit(Run *run)
{
	scenario_clear(&run->scenario);
	traced_daemon_deinit(&run->daemon);
}

static size_t count_actors(const Run *run)
{
	size_t count = 0;

	for (Role role = 0; role < ROLE_MAX; role++)
		count += run->scenario.actors[role].pid != 0;
	return count;
}

/*
 * Sends SIGCHLD again if the fault is a failed write(). libevent's signal handler writes to a pipe;
 * if that fails, the signal is lost until the next one.
 */
static void repeat_lost_signal(const Run *run)
{
	if (run->fault && strcmp(run->fault->call, "write") == 0)
		kill(run->daemon.pid, SIGCHLD);
}

/*
 * Counts the daemon's fds while the given number of actors and this process are connected. First
 * waits until the daemon has noticed closed connections and its children have closed discarded fds.
 */
static size_t count_held(Run *run, size_t connected)
{
	time_t deadline = time(NULL) + HELPER_HANG_SECONDS;
	char wanted[32], *status = NULL;
	int connection;
	size_t count = 0;
	unsigned int settled = 0;

	snprintf(wanted, sizeof(wanted), "\"connections\":%zu,", connected + 1);
	do {
		free(status);
		status = operator_request_on(
			&run->daemon, "{\"method\":\"io.vaild.Monitor.GetStatus\"}\n", &connection);
		bool is_settled =
			strstr(status, wanted) && !traced_daemon_has_children(&run->daemon);
		settled = is_settled ? settled + 1 : 0;
		count = traced_daemon_count_fds(&run->daemon);
		close(connection);
		if (time(NULL) > deadline)
			errx(2,
			     "%s:%s:%u: connections or closing children remain: %s instead of %s",
			     run->fault ? run->fault->call : "", run->fault ? run->fault->what : "",
			     run->fault ? run->fault->when : 0, status, wanted);
		if (!is_settled)
			repeat_lost_signal(run);
		/* Twice, because a child that closes fds may start just after the first answer. */
	} while (settled < 2);
	free(status);
	return count;
}

/* --- recording ------------------------------------------------------------------------------- */

static void must_execute(Run *run, size_t count)
{
	const char *answer = "";

	for (; run->done < count; run->done++)
		if (scenario_execute(&run->scenario, &scenario_steps[run->done], &answer) !=
		    OUTCOME_SUCCESS)
			errx(2, "step %zu (%s) without a fault: the reply is %s", run->done,
			     scenario_steps[run->done].method, answer);
}

static void record_step(Run *run, Expected *expected)
{
	char *snapshot = snapshot_take(&run->daemon, run->scenario.actors);

	expected->fds = count_held(run, count_actors(run));
	traced_daemon_end(&run->daemon, SIGKILL);
	must_start(run, NULL);
	expected->snapshot = snapshot_take(&run->daemon, run->scenario.actors);
	expected->records = snapshot_take_records(&run->daemon);
	expected->restored_fds = count_held(run, 0);
	if (strcmp(snapshot, expected->snapshot) != 0)
		errx(2, "a restart after step %zu changes the state from\n%s\nto\n%s", run->done,
		     snapshot, expected->snapshot);
	free(snapshot);
	scenario_reconnect(&run->scenario);
}

void run_record(const RunOptions *options, Expected expected[static SCENARIO_STEPS_MAX])
{
	Run run;

	run_init(&run, options, NULL);
	must_start(&run, NULL);
	record_step(&run, &expected[0]);
	while (run.done < scenario_step_count) {
		must_execute(&run, run.done + 1);
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
		must_execute(&run, scenario_steps_before_restart);
		traced_daemon_end(&run.daemon, SIGKILL);
		must_start(&run, &none);
	} else {
		traced_daemon_attach(&run.daemon, NULL);
		must_execute(&run, scenario_step_count);
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
		must_execute(&run, scenario_steps_before_restart);
		traced_daemon_end(&run.daemon, SIGKILL);
		must_start(&run, NULL);
	} else {
		traced_daemon_attach(&run.daemon, &none);
		must_execute(&run, scenario_step_count);
	}
	size_t count = traced_daemon_count_allocations(&run.daemon);
	run_deinit(&run);
	return count;
}

/* --- checks ---------------------------------------------------------------------------------- */

static bool kills(const Fault *fault)
{
	return strncmp(fault->what, "signal=", strlen("signal=")) == 0;
}

/*
 * Returns true if the fault may have lost a message to the service manager. The daemon corrects the
 * fd store only at its next start.
 */
static bool may_have_lost_message(const Run *run)
{
	const char *call = run->fault->call;

	return !run->is_checked && !kills(run->fault) &&
	       (strcmp(call, "sendmsg") == 0 || strcmp(call, "socket") == 0 ||
		strcmp(call, "connect") == 0);
}

static bool snapshot_is(Run *run, const char *expected)
{
	char *snapshot = snapshot_take(&run->daemon, run->scenario.actors);
	const char *stored = strstr(expected, "stored ");
	size_t size =
		may_have_lost_message(run) ? (size_t)(stored - expected) : strlen(expected) + 1;
	bool is_same = strncmp(snapshot, expected, size) == 0;

	free(snapshot);
	return is_same;
}

/*
 * Waits until the snapshot equals the one after either step, because ends of processes and closes
 * in children take a moment. Returns that step, or SIZE_MAX if it equals neither.
 */
static size_t find_snapshot(Run *run, size_t step, size_t other)
{
	time_t deadline = time(NULL) + HELPER_HANG_SECONDS;

	do {
		if (snapshot_is(run, run->expected[step].snapshot))
			return step;
		if (snapshot_is(run, run->expected[other].snapshot))
			return other;
		poll(NULL, 0, 5);
	} while (time(NULL) < deadline);
	return SIZE_MAX;
}

static void expect_snapshot(Run *run, const char *when, size_t step)
{
	if (run->has_failed || find_snapshot(run, step, step) == step)
		return;
	char *snapshot = snapshot_take(&run->daemon, run->scenario.actors);
	fail(run, "%s the state is\n%s\ninstead of\n%s", when, snapshot,
	     run->expected[step].snapshot);
	free(snapshot);
}

static void expect_fds(Run *run, const char *when, size_t connected, size_t expected)
{
	time_t deadline = time(NULL) + HELPER_HANG_SECONDS;
	size_t count;

	if (run->has_failed)
		return;
	while ((count = count_held(run, connected)) != expected)
		if (time(NULL) > deadline) {
			fail(run, "%s the daemon has %zu fds instead of %zu", when, count,
			     expected);
			return;
		}
}

/* Checks the state after a restart, while no actor is connected. */
static void expect_restored(Run *run, const char *when, size_t step)
{
	const Expected *expected = &run->expected[step];

	expect_snapshot(run, when, step);
	if (run->has_failed)
		return;
	char *records = snapshot_take_records(&run->daemon);
	if (strcmp(records, expected->records) != 0)
		fail(run, "%s the records are\n%s\ninstead of\n%s", when, records,
		     expected->records);
	free(records);
	/* An actor that was just started may have connected to the new daemon already. */
	if (step == 0 || scenario_steps[step - 1].kind != STEP_START)
		expect_fds(run, when, 0, expected->restored_fds);
}

/* Stops the daemon with SIGTERM, which must succeed, starts it again and checks the state. */
static void restart(Run *run, size_t step)
{
	traced_daemon_end(&run->daemon, SIGTERM);
	if (run->daemon.status != 0)
		fail(run, "the daemon exited with status %#x", (unsigned int)run->daemon.status);
	must_start(run, NULL);
	expect_restored(run, "after a restart", step);
	scenario_reconnect(&run->scenario);
}

/* --- steps ----------------------------------------------------------------------------------- */

static void look_for_fault(Run *run)
{
	if (run->daemon.deaths > 0 && !kills(run->fault))
		fail(run, "the daemon died: status %#x", (unsigned int)run->daemon.status);
	if (!run->has_occurred)
		run->has_occurred = run->daemon.deaths > 0 ||
				    (!kills(run->fault) && traced_daemon_was_refused(&run->daemon));
}

/* Checks once after the fault that the state, before and after a restart, is that of the step. */
static void check_once(Run *run, size_t step)
{
	if (run->is_checked || !run->has_occurred)
		return;
	if (kills(run->fault)) {
		run->is_checked = true;
		expect_restored(run, "after its death", step);
		scenario_reconnect(&run->scenario);
		return;
	}
	expect_snapshot(run, "after the fault", step);
	scenario_reconnect(&run->scenario); /* actors that lost their connection */
	expect_fds(run, "after the fault", count_actors(run), run->expected[step].fds);
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

/* Checks a refusal: only the fault may cause one, and it must leave the state unchanged. */
static void check_refusal(Run *run, const char *answer)
{
	if (!run->has_occurred || run->is_checked)
		fail(run, "the reply is %s although the fault cannot be the reason", answer);
	if (is_exhaustion(run->fault->what) && strcmp(answer, "STATUS_NO_MEMORY") != 0 &&
	    strcmp(answer, "STATUS_INSUFFICIENT_RESOURCES") != 0)
		fail(run, "the reply is %s, which is not an exhaustion status", answer);
	expect_snapshot(run, "after the refusal", run->done);
	if (run->fault->when % 2 == 0)
		check_once(run, run->done);
}

/* Checks a request without a reply: its effect must be complete or absent. */
static void check_lost(Run *run, const char *answer)
{
	if (!run->has_occurred || strcmp(answer, "silent") == 0) {
		fail(run, "%s", answer);
		return;
	}
	/* The process of a STEP_START runs even if the daemon does not reply to it. */
	bool is_started = scenario_steps[run->done].kind == STEP_START;
	size_t step = find_snapshot(run, run->done + is_started, run->done + 1);
	if (step == SIZE_MAX) {
		expect_snapshot(run, "without a reply", run->done);
		return;
	}
	if (run->is_checked || run->daemon.deaths == 0)
		scenario_reconnect(&run->scenario);
	check_once(run, step);
	run->done = step;
}

/* Executes a step until it succeeds. Returns false if the later steps cannot be executed. */
static bool execute_step(Run *run)
{
	size_t before = run->done;

	for (int attempt = 0; attempt < ATTEMPTS_MAX && !run->has_failed; attempt++) {
		const char *answer = "";
		Outcome outcome =
			scenario_execute(&run->scenario, &scenario_steps[run->done], &answer);

		if (outcome == OUTCOME_LOST) /* notice a death of the daemon */
			free(operator_request(&run->daemon, GET_INFO "\n"));
		look_for_fault(run);
		if (outcome == OUTCOME_NO_HANDLE) {
			if (!run->has_occurred)
				fail(run, "a handle is unknown although no fault occurred");
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
	fail(run, "the step failed %d times", ATTEMPTS_MAX);
	return false;
}

/* Restarts the daemon with entities of all kinds, first with the fault and then without it. */
static void start_with_fault(Run *run)
{
	TracedDaemon *daemon = &run->daemon;

	must_execute(run, scenario_steps_before_restart);
	traced_daemon_end(daemon, SIGKILL);
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* LeakSanitizer does not work under ptrace */
	traced_daemon_start(daemon, run->fault);
	unsetenv("ASAN_OPTIONS");
	run->has_occurred =
		kills(run->fault) ? daemon->pidfd < 0 : traced_daemon_was_refused(daemon);
	if (daemon->pidfd >= 0 && run->has_occurred)
		expect_snapshot(run, "after the start with the fault", run->done);
	if (daemon->pidfd >= 0)
		traced_daemon_end(daemon, SIGKILL);
	daemon->deaths = 0;
	must_start(run, NULL);
	expect_restored(run, "after the next start", run->done);
	run->is_checked = true;
	scenario_reconnect(&run->scenario);
}

/* Ends the scenario. Checks that nothing is left and that no sanitizer reported an error. */
static void check_end(Run *run)
{
	static const char *const reports[] = { "Sanitizer", "runtime error", "Assertion" };

	scenario_clear(&run->scenario);
	traced_daemon_detach(&run->daemon);
	expect_snapshot(run, "in the end", 0);
	look_for_fault(run);
	expect_fds(run, "in the end", 0,
		   run->is_checked || run->daemon.deaths > 0 ? run->expected[0].restored_fds
							     : run->expected[0].fds);
	traced_daemon_end(&run->daemon, SIGTERM);
	if (run->daemon.status != 0)
		fail(run, "in the end the daemon exited with status %#x",
		     (unsigned int)run->daemon.status);
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (traced_daemon_log_has(&run->daemon, reports[i]))
			fail(run, "the log contains \"%s\"", reports[i]);
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
	while (!run.has_failed && run.done < scenario_step_count && execute_step(&run))
		;
	if (!run.has_failed)
		check_end(&run);
	else
		scenario_clear(&run.scenario);
	traced_daemon_deinit(&run.daemon);
	return run.has_failed ? RUN_FAILED : run.has_occurred ? RUN_PASSED : RUN_WITHOUT_FAULT;
}
