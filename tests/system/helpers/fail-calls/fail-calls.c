/* SPDX-License-Identifier: MIT */
/*
 * fail-calls [OPTION...] FOLDER VAILD PREFIX...: runs a scenario many times, each time with one
 * fault in the daemon. The scenario creates and removes entities of every persistent kind. A fault
 * makes one system call fail or kills the daemon there; strace(1) injects it. If the daemon is
 * built with tests/faults/allocator.h, a fault can also make one memory allocation fail. Each run
 * checks:
 *
 *   - If a request succeeded, its effect survives a restart.
 *   - If a request got no reply, its effect is complete or absent.
 *   - If a request was refused, it changed nothing, and it succeeds when it is sent again.
 *   - At the end the daemon has released everything.
 *
 * FOLDER is where each run makes a folder. VAILD is the daemon, and PREFIX... the command that it
 * is started through. Must be started by root. The options are
 *
 *   --kill        kill the daemon at each system call
 *   --fail        make each system call fail, with each error in a table
 *   --allocate    make each allocation fail
 *   --seconds N   stop after N seconds, but try one fault of each kind; without it, try all faults
 *   --seed N      seed of the random order of the faults
 *   --only FAULT  try only this fault, in the form that a failed run prints
 *
 * Prints TAP: a line for each kind of fault, and details of each failed run as comments.
 */
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <time.h>

#include "tests/system/helpers/fail-calls/faulty-run.h"

#define FAULTS_MAX 65536
#define NAMES_MAX  128
#define CALLS_MAX  2048

/* --- faults ---------------------------------------------------------------------------------- */

/*
 * System calls and the errors that they return on a host that is short of resources or broken.
 * Calls that allocate memory, such as mmap(), are missing: allocation-faults makes allocations
 * fail, and json-c does not survive a failed allocation.
 */
static const struct {
	const char *call;
	const char *errors[6];
} failures[] = {
	{ "accept4", { "EMFILE", "ENFILE", "ENOMEM", "ECONNABORTED", "EINTR" } },
	{ "clone", { "EAGAIN", "ENOMEM" } },
	{ "connect", { "EAGAIN", "ENOENT", "ECONNREFUSED" } },
	{ "epoll_ctl", { "ENOMEM", "ENOSPC" } },
	{ "fallocate", { "ENOSPC", "EIO", "EINTR", "EOPNOTSUPP" } },
	{ "fcntl", { "EMFILE" } },
	{ "fsync", { "EIO", "ENOSPC" } },
	{ "getdents64", { "EIO", "ENOMEM" } },
	{ "getrandom", { "EINTR" } },
	{ "getsockopt", { "EMFILE", "ENOMEM" } },
	{ "mkdir", { "ENOSPC", "EROFS" } },
	{ "newfstatat", { "ENOMEM" } },
	{ "openat", { "EMFILE", "ENFILE", "ENOMEM" } },
	{ "pidfd_open", { "EMFILE", "ENFILE", "ENOMEM" } },
	{ "poll", { "EINTR" } },
	{ "pread64", { "EIO", "EINTR" } },
	{ "pwrite64", { "ENOSPC", "EIO", "EDQUOT", "EINTR" } },
	{ "readlinkat", { "ENOMEM" } },
	{ "recvmsg", { "ENOMEM", "EAGAIN", "EINTR", "ECONNRESET" } },
	{ "rename", { "ENOSPC", "EIO", "EROFS" } },
	{ "renameat", { "ENOSPC", "EIO", "EROFS" } },
	{ "sendmsg", { "ENOBUFS", "ENOMEM", "EAGAIN", "EINTR", "EPIPE", "ECONNREFUSED" } },
	{ "sendto", { "ENOBUFS", "ENOMEM", "EAGAIN", "EINTR", "EPIPE" } },
	{ "setsockopt", { "ENOMEM" } },
	{ "socket", { "EMFILE", "ENFILE", "ENOBUFS" } },
	{ "unlink", { "EIO", "EROFS" } },
	{ "unlinkat", { "EIO", "EROFS" } },
	{ "write", { "ENOSPC", "EIO", "EINTR" } },
};

/* Calls with one of these names can only fail if strace(1) prints them with this text. */
static const struct {
	const char *call;
	const char *text;
} conditions[] = {
	{ "fcntl", "F_DUPFD" },
	{ "getsockopt", "SO_PEERPIDFD" },
	{ "newfstatat", ", 0)" },
};

/* All calls with one name, as strace(1) prints them. */
typedef struct Calls {
	char name[24];
	unsigned int count;
	const char *lines[CALLS_MAX];
} Calls;

/* The faults and their results, in memory that all workers share. */
typedef struct Plan {
	size_t count, next;
	size_t required; /* number of faults, from the first on, that ignore the deadline */
	time_t deadline; /* 0 for none */
	Fault faults[FAULTS_MAX];
	char results[FAULTS_MAX]; /* RunResult + 1, or 0 if the fault was not tried */
} Plan;

static void add_fault(Plan *plan, const char *call, unsigned int when, const char *kind,
		      const char *what, bool is_at_start)
{
	Fault *fault = &plan->faults[plan->count++];

	if (plan->count == FAULTS_MAX)
		errx(2, "too many faults");
	snprintf(fault->call, sizeof(fault->call), "%.23s", call);
	snprintf(fault->what, sizeof(fault->what), "%.7s=%.15s", kind, what);
	fault->when = when;
	fault->is_at_start = is_at_start;
}

/* Groups the calls of a trace by name. Returns the number of names. */
static size_t sort_calls(char *trace, Calls calls[static NAMES_MAX])
{
	size_t count = 0;

	for (char *rest = trace, *line; (line = strsep(&rest, "\n"));) {
		size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyz_0123456789"), i = 0;

		if (line[length] != '(' || length >= sizeof(calls->name))
			continue;
		line[length] = '\0';
		while (i < count && strcmp(calls[i].name, line) != 0)
			i++;
		if (i == NAMES_MAX || calls[i].count == CALLS_MAX)
			errx(2, "too many calls");
		count += i == count;
		strcpy(calls[i].name, line);
		calls[i].lines[calls[i].count++] = line + length + 1;
	}
	return count;
}

static bool can_fail(const char *call, const char *line)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (strcmp(conditions[i].call, call) == 0 && !strstr(line, conditions[i].text))
			return false;
	/* glibc looks up users there, and treats a file that it cannot open as empty. */
	return !strstr(line, "\"/etc/");
}

static void add_failures(Plan *plan, const Calls *calls, bool is_at_start)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (strcmp(failures[i].call, calls->name) != 0)
			continue;
		for (size_t j = 0; j < 6 && failures[i].errors[j]; j++)
			for (unsigned int when = 1; when <= calls->count; when++)
				if (can_fail(calls->name, calls->lines[when - 1]))
					add_fault(plan, calls->name, when, "error",
						  failures[i].errors[j], is_at_start);
	}
}

static void add_faults(Plan *plan, const RunOptions *options, bool is_at_start, bool kill_it,
		       bool fail_it)
{
	Calls *calls = calloc(NAMES_MAX, sizeof(*calls));
	char *trace = run_list_calls(options, is_at_start);
	size_t sum = 0;

	if (!calls)
		err(2, "memory");
	size_t count = sort_calls(trace, calls);
	for (size_t i = 0; i < count; i++) {
		sum += calls[i].count;
		for (unsigned int when = 1; kill_it && when <= calls[i].count; when++)
			add_fault(plan, calls[i].name, when, "signal", "KILL", is_at_start);
		if (fail_it)
			add_failures(plan, &calls[i], is_at_start);
	}
	printf("# %s: %zu system calls of %zu kinds\n", is_at_start ? "a start" : "the scenario",
	       sum, count);
	free(trace);
	free(calls);
}

static void add_allocations(Plan *plan, const RunOptions *options, bool is_at_start)
{
	size_t count = run_count_allocations(options, is_at_start);

	for (unsigned int when = 1; when <= count; when++)
		add_fault(plan, FAULT_ALLOCATION, when, "error", "ENOMEM", is_at_start);
	printf("# %s: %zu allocations\n", is_at_start ? "a start" : "the scenario", count);
}

/* --- order of the faults --------------------------------------------------------------------- */

static bool is_same_kind(const Fault *a, const Fault *b)
{
	return a->is_at_start == b->is_at_start && strcmp(a->call, b->call) == 0 &&
	       strcmp(a->what, b->what) == 0;
}

static void swap(Plan *plan, size_t a, size_t b)
{
	Fault fault = plan->faults[a];

	plan->faults[a] = plan->faults[b];
	plan->faults[b] = fault;
}

/* Shuffles the faults, then moves one of each kind to the front. */
static void shuffle(Plan *plan, unsigned int seed)
{
	uint64_t random = seed;

	for (size_t i = plan->count; i > 1; i--) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		swap(plan, i - 1, (size_t)(random >> 33) % i);
	}
	for (size_t i = 0; i < plan->count; i++) {
		size_t j = 0;

		while (j < plan->required && !is_same_kind(&plan->faults[i], &plan->faults[j]))
			j++;
		if (j == plan->required)
			swap(plan, i, plan->required++);
	}
}

/* --- runs ------------------------------------------------------------------------------------ */

static _Noreturn void work(Plan *plan, const RunOptions *options, const Expected *expected)
{
	for (;;) {
		size_t i = __atomic_fetch_add(&plan->next, 1, __ATOMIC_SEQ_CST);

		if (i >= plan->count ||
		    (i >= plan->required && plan->deadline > 0 && time(NULL) >= plan->deadline))
			exit(0);
		plan->results[i] = (char)(RUN_FAILED + 1); /* in case this process dies */
		plan->results[i] = (char)(run_with_fault(options, &plan->faults[i], expected) + 1);
	}
}

/* Runs one worker for each CPU. Returns the number of workers that failed. */
static int work_all(Plan *plan, const RunOptions *options, const Expected *expected)
{
	long workers = sysconf(_SC_NPROCESSORS_ONLN);
	int failed = 0, status;

	fflush(stdout);
	for (long i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(2, "fork");
		if (pid == 0)
			work(plan, options, expected);
	}
	for (long i = 0; i < workers; i++)
		failed += wait(&status) < 0 || status != 0;
	return failed;
}

/* Prints a line for each kind of fault. Returns how many kinds failed. */
static int report(const Plan *plan)
{
	int all_failed = 0;

	for (size_t i = 0; i < plan->required; i++) {
		const Fault *fault = &plan->faults[i];
		size_t count = 0, counts[RUN_WITHOUT_FAULT + 1] = { 0 };

		for (size_t j = 0; j < plan->count; j++) {
			if (!is_same_kind(fault, &plan->faults[j]))
				continue;
			count++;
			if (plan->results[j])
				counts[plan->results[j] - 1]++;
		}
		printf("%s %s%s, %s: %zu of %zu", counts[RUN_FAILED] > 0 ? "not ok" : "ok",
		       fault->is_at_start ? "start: " : "", fault->call, fault->what,
		       counts[RUN_PASSED], count);
		if (counts[RUN_WITHOUT_FAULT] > 0)
			printf(" (%zu did not occur)", counts[RUN_WITHOUT_FAULT]);
		if (counts[RUN_FAILED] > 0)
			printf(": %zu failed", counts[RUN_FAILED]);
		putchar('\n');
		all_failed += counts[RUN_FAILED] > 0;
	}
	return all_failed;
}

/* --- options --------------------------------------------------------------------------------- */

typedef struct Options {
	bool kill, fail, allocate;
	unsigned int seconds, seed;
	const char *only; /* [start:]CALL:WHAT:WHEN */
	RunOptions run;
} Options;

static void add_only(Plan *plan, const char *text)
{
	bool is_at_start = strncmp(text, "start:", strlen("start:")) == 0;
	char call[24], kind[16], what[16];
	unsigned int when;

	if (is_at_start)
		text += strlen("start:");
	if (sscanf(text, "%23[^:]:%15[^=]=%15[^:]:%u", call, kind, what, &when) != 4)
		errx(2, "%s is not a fault: write [start:]CALL:WHAT:NUMBER", text);
	add_fault(plan, call, when, kind, what, is_at_start);
}

static void parse_options(int argc, char **argv, Options *options)
{
	static const struct option names[] = {
		{ "kill", no_argument, NULL, 'k' },
		{ "fail", no_argument, NULL, 'f' },
		{ "allocate", no_argument, NULL, 'a' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' },
		{ "only", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", names, NULL)) != -1) {
		if (option == 'k')
			options->kill = true;
		else if (option == 'f')
			options->fail = true;
		else if (option == 'a')
			options->allocate = true;
		else if (option == 's')
			options->seconds = (unsigned int)helper_number(optarg);
		else if (option == 'r')
			options->seed = (unsigned int)helper_number(optarg);
		else if (option == 'o')
			options->only = optarg;
		else
			exit(2);
	}
	if (argc - optind < 2)
		errx(2, "usage: fail-calls [OPTIONS] FOLDER VAILD PREFIX...");
	options->run.folder = argv[optind];
	options->run.program = argv[optind + 1];
	options->run.prefix = argv + optind + 2;
}

int main(int argc, char **argv)
{
	static Expected expected[SCENARIO_STEPS_MAX];
	Options options = { .seed = 1 };
	Plan *plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	const struct passwd *owner = getpwnam("vaild");

	/* Close fds of the shell, which the daemon would inherit. */
	close_range(STDERR_FILENO + 1, ~0U, 0);
	parse_options(argc, argv, &options);
	if (plan == MAP_FAILED || !owner)
		errx(2, "out of memory, or user vaild does not exist");
	options.run.owner = owner->pw_uid;
	run_record(&options.run, expected);
	printf("# recorded: %zu steps\n", scenario_step_count);
	for (int at_start = 0; at_start < 2 && !options.only; at_start++) {
		if (options.kill || options.fail)
			add_faults(plan, &options.run, at_start, options.kill, options.fail);
		if (options.allocate)
			add_allocations(plan, &options.run, at_start);
	}
	if (options.only)
		add_only(plan, options.only);
	shuffle(plan, options.seed);
	plan->deadline = options.seconds > 0 ? time(NULL) + options.seconds : 0;
	int failed = work_all(plan, &options.run, expected);
	return report(plan) + failed > 0;
}
