/* SPDX-License-Identifier: MIT */
/*
 * hostile-neighbours [OPTION...] SOCKET RUNTIME-DIR CONFIGURATION COMMAND...: starts COMMAND..., a
 * daemon, for each pattern of attack, and measures how the honest users and the operator fare.
 * Writes the configuration file CONFIGURATION. Must be started by root. The options are
 *
 *   --seconds N   length of the baseline and of each attack
 *   --only NAME   runs only this pattern; --list prints their names
 *   --attempts N  repeats a measurement that broke a promise up to this number of times, because a
 *                 busy machine can spoil one
 *   --short       small forms of a few patterns, judged by the CPU time of the daemon, with TAP
 *                 instead of a table
 *
 * Exits with 1 if a promise was broken.
 */
#include <getopt.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "tests/hostile/attacker.h"
#include "tests/hostile/load.h"
#include "tests/hostile/stage.h"
#include "tests/hostile/verdict.h"
#include "tests/support/helper.h"
#include "tests/support/measure.h"

#define FDS_WANTED    65536
#define RANGES_MOST   65535
#define RANGES_SHORT  16384
#define ONSET_SECONDS 120 /* for the preparations of an attack */
#define NOTICE_MS     2000

/* The number of hostile users, and of the connections and ranges of each. */
typedef struct Form {
	const char *name;
	unsigned int owners, connections, ranges;
	unsigned int honest; /* connections of each honest user */
} Form;

static const Form full_forms[] = {
	{ "2 x 50", 2, 50, RANGES_MOST, 50 },
	{ "1 x 500", 1, 500, RANGES_MOST, 50 },
};
static const Form short_form = { "2 x 40", 2, 40, RANGES_SHORT, 10 };

typedef struct Director {
	StageOptions options;
	const char *only; /* NULL for all patterns */
	unsigned int seconds;
	unsigned int attempts; /* for each attack, until the promises are kept */
	bool is_short;
	Board *board;
	unsigned int failed, run;
} Director;

static void wait_seconds(unsigned int seconds)
{
	struct timespec left = { .tv_sec = seconds };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* --- phases ---------------------------------------------------------------------------------- */

/*
 * Sets the phase and waits until the loads have noticed, so that the measurements of the previous
 * phase are complete. Does not wait for ever, because a load may hang with the daemon.
 */
static void set_phase(Board *board, Phase phase)
{
	board->phase = phase;
	for (size_t i = 0; i < LOAD_MAX; i++)
		for (int wait = 0; board->meters[i].phase != phase && wait < NOTICE_MS; wait++)
			usleep(1000);
}

/* Counts the gap at the end of the attack, which no watchdog message has ended. */
static void finish_watchdog(Board *board)
{
	uint64_t gap = bench_now() - board->watchdog_last;

	if (gap > board->watchdog_gap)
		board->watchdog_gap = gap;
}

/* Waits until all attackers are ready, or one has failed. */
static void await_attackers(const Board *board, unsigned int owners)
{
	uint64_t deadline = bench_now() + ONSET_SECONDS * UINT64_C(1000000000);

	while (board->attackers_ready < owners && bench_now() < deadline) {
		siginfo_t ended = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0)
			return;
		usleep(1000);
	}
}

/* --- processes ------------------------------------------------------------------------------- */

static void start_loads(const Stage *stage, const Form *form, pid_t loads[static LOAD_MAX])
{
	const LoadOptions options = {
		.socket = stage->options->socket,
		.guid = honest_guid,
		.handle = stage->handle,
		.connections = form->honest,
	};

	for (int i = 0; i < LOAD_MAX; i++)
		loads[i] = load_start(stage->board, (LoadKind)i, &options);
	while (stage->board->loads_ready < LOAD_MAX) {
		siginfo_t ended = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0)
			errx(2, "a load has failed");
		usleep(1000);
	}
}

static void start_attackers(const Stage *stage, const Attack *attack, const Form *form,
			    pid_t *attackers)
{
	for (unsigned int i = 0; i < form->owners; i++)
		attackers[i] = attacker_start(attack, &(Attacker){
							      .board = stage->board,
							      .socket = stage->options->socket,
							      .user = hostile_users[i],
							      .guid = hostile_guids[i],
							      .number = i,
							      .owners = form->owners,
							      .connections = form->connections,
							      .ranges = form->ranges,
						      });
}

/* Kills the processes with their children. Returns false if one had ended before. */
static bool end_processes(const pid_t *pids, size_t count)
{
	bool all_lived = true;

	for (size_t i = 0; i < count; i++)
		all_lived &= waitpid(pids[i], NULL, WNOHANG) == 0;
	for (size_t i = 0; i < count; i++) {
		if (kill(-pids[i], SIGKILL) < 0)
			kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	return all_lived;
}

/* --- one attack ------------------------------------------------------------------------------ */

static void attempt_attack(const Director *director, const Attack *attack, const Form *form,
			   Result *result)
{
	Board *board = director->board;
	Observed observed = { .owners = form->owners };
	pid_t loads[LOAD_MAX], attackers[OWNERS_MAX];
	Stage stage;

	stage_open(&stage, &director->options, board);
	if (attack->prepare)
		attack->prepare(&stage);
	start_loads(&stage, form, loads);
	set_phase(board, PHASE_BASELINE);
	wait_seconds(director->seconds);
	set_phase(board, PHASE_ONSET);
	stage_reset_peak(&stage);
	start_attackers(&stage, attack, form, attackers);
	await_attackers(board, form->owners);
	set_phase(board, PHASE_ATTACK);
	wait_seconds(director->seconds);
	finish_watchdog(board);
	set_phase(board, PHASE_IDLE);
	observed.peak = stage_peak(&stage);
	observed.attackers_live = end_processes(attackers, form->owners);
	end_processes(loads, LOAD_MAX);
	observed.daemon_lives = stage_close(&stage);
	result_init(result, board, &observed, director->is_short ? JUDGE_CPU : JUDGE_CLOCK);
}

static void run_attack(const Director *director, const Attack *attack, const Form *form,
		       Result *result)
{
	unsigned int attempt = 0;

	do
		attempt_attack(director, attack, form, result);
	while (result->failures[0] != '\0' && ++attempt < director->attempts);
}

static void run_full(Director *director, const Attack *attack)
{
	Result result;

	for (size_t i = 0; i < sizeof(full_forms) / sizeof(full_forms[0]); i++) {
		run_attack(director, attack, &full_forms[i], &result);
		result_print(&result, attack->name, full_forms[i].name);
		director->run++;
		director->failed += result.failures[0] != '\0';
	}
}

static void run_short(Director *director, const Attack *attack)
{
	Result result;

	run_attack(director, attack, &short_form, &result);
	result_print_tap(&result, attack);
	director->run++;
	director->failed += result.failures[0] != '\0';
}

static void run_all(Director *director)
{
	if (!director->is_short)
		result_print_heading();
	for (const Attack *attack = attacks; attack->name; attack++) {
		if (director->only && strcmp(director->only, attack->name) != 0)
			continue;
		if (!director->is_short)
			run_full(director, attack);
		else if (attack->is_short || director->only)
			run_short(director, attack);
	}
	if (director->run == 0)
		errx(2, "no pattern has the name %s; --list prints them", director->only);
	if (!director->is_short)
		printf("%u of %u attacks broke a promise\n", director->failed, director->run);
}

/* --- the command line ------------------------------------------------------------------------ */

static _Noreturn void list_attacks(void)
{
	for (const Attack *attack = attacks; attack->name; attack++)
		printf("%-14s %s\n", attack->name, attack->promise);
	exit(EXIT_SUCCESS);
}

static void read_options(Director *director, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "only", required_argument, NULL, 'o' },
		{ "attempts", required_argument, NULL, 'a' },
		{ "short", no_argument, NULL, 'h' },
		{ "list", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == 's')
			director->seconds = (unsigned int)helper_number(optarg);
		else if (option == 'a')
			director->attempts = (unsigned int)helper_number(optarg);
		else if (option == 'o')
			director->only = optarg;
		else if (option == 'h')
			director->is_short = true;
		else if (option == 'l')
			list_attacks();
		else
			exit(2);
	}
	if (argc - optind < 4 || director->seconds == 0)
		errx(2, "usage: hostile-neighbours [OPTION...] SOCKET RUNTIME-DIR CONFIGURATION "
			"COMMAND...");
	director->options = (StageOptions){
		.socket = argv[optind],
		.runtime_directory = argv[optind + 1],
		.configuration = argv[optind + 2],
		.command = argv + optind + 3,
	};
}

int main(int argc, char **argv)
{
	static Director director = { .seconds = 4, .attempts = 1 };

	read_options(&director, argc, argv);
	raise_fd_limit(FDS_WANTED);
	close_range(STDERR_FILENO + 1, UINT_MAX, 0); /* so that the daemon does not inherit them */
	signal(SIGPIPE, SIG_IGN);
	director.board = mmap(NULL, sizeof(Board), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (director.board == MAP_FAILED)
		err(2, "mmap");
	run_all(&director);
	return director.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
