/* SPDX-License-Identifier: MIT */
#include "tests/hostile/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MICROSECOND UINT64_C(1000)
#define MILLISECOND UINT64_C(1000000)

/* The promises that every attack is measured by. */
#define RATIO_MAX        5
#define WAIT_ALWAYS_FINE (2 * MILLISECOND)
#define PEAK_MAX         (64 << 10) /* KiB */
#define OPERATOR_MAX     (50 * MILLISECOND)
#define WATCHDOG_MAX     (WATCHDOG_SECONDS * 1000 * MILLISECOND)
#define CONNECTIONS_MAX  512 /* connectionsPerUid */

/*
 * The CPU time that the daemon may use while an honest user waits: the rest of one turn of a
 * hostile user, whose last request costs at most 50 times the cheapest, and 5 times what it uses
 * without attack.
 */
#define TURN            (200 * MICROSECOND)
#define LONGEST_REQUEST 50

static void add_failure(Result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_failure(Result *result, const char *format, ...)
{
	size_t used = strlen(result->failures);
	va_list arguments;

	if (used > 0)
		used += (size_t)snprintf(result->failures + used, sizeof(result->failures) - used,
					 "; ");
	if (used >= sizeof(result->failures))
		return;
	va_start(arguments, format);
	vsnprintf(result->failures + used, sizeof(result->failures) - used, format, arguments);
	va_end(arguments);
}

static double milliseconds(uint64_t nanoseconds)
{
	return (double)nanoseconds / (double)MILLISECOND;
}

/* --- waits ----------------------------------------------------------------------------------- */

static void measure_phase(Result *result, const Board *board, Phase phase)
{
	Histogram waits = { .count = 0 }, cpu = { .count = 0 };

	for (int i = LOAD_ALICE; i <= LOAD_BOB; i++) {
		histogram_merge(&waits, &board->meters[i].waits[phase]);
		histogram_merge(&cpu, &board->meters[i].cpu[phase]);
	}
	result->p50[phase] = histogram_quantile(&waits, 0.5);
	result->p99[phase] = histogram_quantile(&waits, 0.99);
	result->cpu_p50[phase] = histogram_quantile(&cpu, 0.5);
	result->cpu_p99[phase] = histogram_quantile(&cpu, 0.99);
	result->cpu_longest[phase] = cpu.longest;
}

static void judge_clock(Result *result)
{
	uint64_t base = result->p99[PHASE_BASELINE], wait = result->p99[PHASE_ATTACK];

	if (wait > RATIO_MAX * base && wait > WAIT_ALWAYS_FINE)
		add_failure(result, "honest users wait");
	if (result->operator_longest > OPERATOR_MAX)
		add_failure(result, "the operator waits");
	if (result->watchdog_gap > WATCHDOG_MAX)
		add_failure(result, "the watchdog is late");
}

static void judge_cpu(Result *result, const Board *board)
{
	uint64_t allowed = TURN + LONGEST_REQUEST * result->cpu_p50[PHASE_BASELINE] +
			   RATIO_MAX * result->cpu_p99[PHASE_BASELINE];
	const Histogram *operator_cpu = &board->meters[LOAD_OPERATOR].cpu[PHASE_ATTACK];

	if (result->cpu_p99[PHASE_ATTACK] > allowed)
		add_failure(result, "honest users wait");
	if (histogram_quantile(operator_cpu, 0.99) > allowed)
		add_failure(result, "the operator waits");
	result->cpu_allowed = allowed;
}

/* --- everything else ------------------------------------------------------------------------- */

static void judge_failures(Result *result, const Board *board)
{
	static const char *const names[LOAD_MAX] = {
		[LOAD_ALICE] = "an honest user",
		[LOAD_BOB] = "an honest user",
		[LOAD_OPERATOR] = "the operator",
		[LOAD_NEWCOMER] = "an operator's new connection",
	};

	for (int i = 0; i < LOAD_MAX; i++)
		if (board->meters[i].failures > 0)
			add_failure(result, "%s got %" PRIu64 " failures: %.120s", names[i],
				    board->meters[i].failures, board->meters[i].failure);
	if (board->meters[LOAD_NEWCOMER].waits[PHASE_ATTACK].count == 0)
		add_failure(result, "no operator could connect");
}

static void judge_attackers(Result *result, const Board *board, const Observed *observed)
{
	if (!observed->attackers_live)
		add_failure(result, "the attack could not be carried out");
	else if (board->attackers_ready < observed->owners)
		add_failure(result, "the preparations of the attack did not end");
	else if (board->work == 0)
		add_failure(result, "the attackers were not served");
	for (size_t i = 0; i < observed->owners; i++)
		if (board->held[i] > CONNECTIONS_MAX)
			add_failure(result, "a user has %" PRIu64 " connections", board->held[i]);
	if (board->breaches > 0)
		add_failure(result, "%" PRIu64 " answers to the wrong process", board->breaches);
}

void result_init(Result *result, const Board *board, const Observed *observed, Judge judge)
{
	const Histogram *operator_waits = board->meters[LOAD_OPERATOR].waits;

	*result = (Result){
		.operator_longest =
			operator_waits[PHASE_ATTACK].longest > operator_waits[PHASE_ONSET].longest
				? operator_waits[PHASE_ATTACK].longest
				: operator_waits[PHASE_ONSET].longest,
		.watchdog_gap = board->watchdog_gap,
		.peak = observed->peak,
		.work = board->work,
	};
	measure_phase(result, board, PHASE_BASELINE);
	measure_phase(result, board, PHASE_ATTACK);
	if (!observed->daemon_lives)
		add_failure(result, "the daemon has died");
	if (judge == JUDGE_CLOCK)
		judge_clock(result);
	else
		judge_cpu(result, board);
	if (result->peak > PEAK_MAX)
		add_failure(result, "the daemon and its examiner need more than 64 MiB");
	judge_failures(result, board);
	judge_attackers(result, board, observed);
}

/* --- the table ------------------------------------------------------------------------------- */

void result_print_heading(void)
{
	printf("%-14s %-7s %15s %26s %31s %9s %6s %8s\n", "", "", "baseline ms",
	       "under attack ms   ", "daemon's CPU ms     ", "GetStatus", "RSS", "watchdog");
	printf("%-14s %-7s %7s %7s %9s %9s %6s %7s %7s %7s %7s %9s %6s %8s  %s\n", "pattern",
	       "users", "p50", "p99", "p50", "p99", "ratio", "base", "p50", "p99", "longest",
	       "longest", "MiB", "gap s", "verdict");
}

void result_print(const Result *result, const char *attack, const char *form)
{
	double base = milliseconds(result->p99[PHASE_BASELINE]);
	double wait = milliseconds(result->p99[PHASE_ATTACK]);

	printf("%-14s %-7s %7.2f %7.2f %9.2f %9.2f %6.1f ", attack, form,
	       milliseconds(result->p50[PHASE_BASELINE]), base,
	       milliseconds(result->p50[PHASE_ATTACK]), wait, base > 0 ? wait / base : 0);
	printf("%7.3f %7.2f %7.2f %7.2f ", milliseconds(result->cpu_p99[PHASE_BASELINE]),
	       milliseconds(result->cpu_p50[PHASE_ATTACK]),
	       milliseconds(result->cpu_p99[PHASE_ATTACK]),
	       milliseconds(result->cpu_longest[PHASE_ATTACK]));
	printf("%9.1f %6.1f %8.2f  %s%s\n", milliseconds(result->operator_longest),
	       (double)result->peak / 1024, milliseconds(result->watchdog_gap) / 1000,
	       result->failures[0] == '\0' ? "ok" : "FAILED: ", result->failures);
	fflush(stdout);
}

void result_print_tap(const Result *result, const Attack *attack)
{
	bool is_ok = result->failures[0] == '\0';

	printf("%s %s: %s%s%s\n"
	       "# the daemon used %.2f ms of CPU time before one reply in 100 to honest users; "
	       "%.2f ms without attack, %.2f ms allowed; it had %.1f MiB\n",
	       is_ok ? "ok" : "not ok", attack->name, attack->promise, is_ok ? "" : ": ",
	       result->failures, milliseconds(result->cpu_p99[PHASE_ATTACK]),
	       milliseconds(result->cpu_p99[PHASE_BASELINE]), milliseconds(result->cpu_allowed),
	       (double)result->peak / 1024);
	fflush(stdout);
}
