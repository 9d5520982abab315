/* SPDX-License-Identifier: MIT */
/*
 * soak [OPTION...] SOCKET RUNTIME-DIR CONFIGURATION COMMAND...: starts COMMAND..., a daemon, under
 * a fake service manager, and clients of several users (client.c). Kills and stops random clients,
 * changes the configuration file CONFIGURATION, and reloads, kills and restarts the daemon. Must be
 * started by root. Prints TAP, with the daemon's memory after each round. The options are
 *
 *   --operations N  total number of requests
 *   --clients N     number of clients at a time
 *   --rounds N      number of rounds; at the end of each, all clients have ended and the daemon's
 *                   state must be as at the beginning
 *   --restarts N    number of kills and restarts of the daemon, all in the first tenth of the
 *                   operations
 *   --seed N        seed of all random choices
 *   --bound BYTES   maximum growth of the daemon's heap after the first tenth
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <time.h>

#include "tests/soak/client.h"

#define STOPPED_MAX 8
#define ROUNDS_MAX  200

/* Average numbers of operations between two events of a kind. */
#define BETWEEN_KILLS   1000
#define BETWEEN_STOPS   1500
#define BETWEEN_RELOADS 20000
#define BETWEEN_CHANGES 50000
#define RECORDS_AT_MOST (66 << 10) /* the size from which the file is compacted, and a line */

typedef struct Stopped {
	pid_t pid;      /* 0 if the entry is free */
	uint64_t until; /* number of operations at which it continues */
} Stopped;

typedef struct Director {
	Soak soak;
	uint64_t fates[FATE_MAX];
	uint64_t kills, stops, reloads, changes, restarts;
	uint64_t next_kill, next_stop, next_reload, next_change, next_restart;
	Stopped stopped[STOPPED_MAX];
	Audit first;
	size_t heap; /* at the last audit */
	struct {
		double operations, heap;
	} series[ROUNDS_MAX]; /* after each round of the last daemon */
	size_t series_count;
	unsigned int failures;
} Director;

static void check(Director *director, bool is_ok, const char *what)
{
	printf("%s soak: %s\n", is_ok ? "ok" : "not ok", what);
	fflush(stdout);
	director->failures += !is_ok;
}

/* --- clients --------------------------------------------------------------------------------- */

static void start_client(Director *director, size_t number)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		client_live(&director->soak, number);
	}
	director->soak.board->pids[number] = pid;
}

static size_t find_client(const Director *director, pid_t pid)
{
	size_t i = 0;

	while (i < director->soak.client_count && director->soak.board->pids[i] != pid)
		i++;
	return i;
}

static void count_fate(Director *director, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		director->fates[FATE_KILLED]++;
	else if (WIFEXITED(status) && WEXITSTATUS(status) < FATE_FAILED)
		director->fates[WEXITSTATUS(status)]++;
	else
		director->fates[FATE_FAILED]++;
}

/*
 * Reaps clients that have ended, and replaces them until the round's operations are done. Returns
 * the number of running clients.
 */
static size_t reap_clients(Director *director)
{
	const Board *board = director->soak.board;
	size_t living = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		size_t number = find_client(director, pid);

		if (number == director->soak.client_count)
			errx(1, "the fake service manager has ended");
		count_fate(director, status);
		for (size_t i = 0; i < STOPPED_MAX; i++)
			if (director->stopped[i].pid == pid)
				director->stopped[i].pid = 0;
		if (board->operations < board->goal)
			start_client(director, number);
		else
			director->soak.board->pids[number] = 0;
	}
	for (size_t i = 0; i < director->soak.client_count; i++)
		living += board->pids[i] != 0;
	return living;
}

/* --- events ---------------------------------------------------------------------------------- */

static bool is_due(Director *director, uint64_t *next, uint64_t between)
{
	uint64_t now = director->soak.board->operations;
	bool is_first = *next == 0;

	if (now < *next)
		return false;
	*next = now + 1 + draw(&director->soak.random, 2 * between);
	return !is_first;
}

static pid_t pick_client(Director *director)
{
	return director->soak.board
		->pids[draw(&director->soak.random, director->soak.client_count)];
}

static void stop_one(Director *director)
{
	Stopped *place = &PICK(&director->soak.random, director->stopped);
	pid_t pid = pick_client(director);

	if (place->pid != 0 || pid == 0)
		return;
	*place = (Stopped){
		.pid = pid,
		.until = director->soak.board->operations +
			 draw(&director->soak.random, 8 * BETWEEN_STOPS),
	};
	kill(pid, SIGSTOP);
	director->stops++;
}

static void release(Director *director, bool of_all)
{
	for (size_t i = 0; i < STOPPED_MAX; i++) {
		Stopped *stopped = &director->stopped[i];

		if (stopped->pid == 0 ||
		    (!of_all && director->soak.board->operations < stopped->until))
			continue;
		kill(stopped->pid, SIGCONT);
		stopped->pid = 0;
	}
}

/* Writes a configuration with low random limits, which is sometimes invalid. */
static void change_configuration(Director *director, bool is_mistake)
{
	uint64_t *random = &director->soak.random;
	char beside[512];

	snprintf(beside, sizeof(beside), "%s.new", director->soak.configuration);
	FILE *file = fopen(beside, "we");
	if (!file)
		err(2, "%s", beside);
	fprintf(file,
		"{\"allowUserMachines\":true,\"limits\":{\"watchesPerUid\":%u,"
		"\"objectsPerMachine\":%u,\"userRangesPerProcess\":64,"
		"\"driverReservationsPerProcess\":16,\"pageTableEntriesPerProcess\":16,"
		"\"virtualGpusPerUid\":40,\"adaptersPerUid\":16,\"contextsPerUid\":%u%s",
		2 + (unsigned int)draw(random, 6), 4 + (unsigned int)draw(random, 8),
		40 + (unsigned int)draw(random, 100), is_mistake ? "" : "}}");
	fclose(file);
	if (chmod(beside, 0644) < 0 || rename(beside, director->soak.configuration) < 0)
		err(2, "%s", director->soak.configuration);
	director->changes++;
}

static void restart_if_due(Director *director, uint64_t between)
{
	if (director->restarts == director->soak.restarts ||
	    director->soak.board->operations < director->next_restart)
		return;
	director->next_restart += between;
	change_configuration(director, false); /* the daemon needs a valid one to start */
	service_command(director->restarts++ % 2 == 0 ? SERVICE_KILL : SERVICE_RESTART);
}

static void cause_events(Director *director)
{
	if (is_due(director, &director->next_kill, BETWEEN_KILLS)) {
		pid_t pid = pick_client(director);

		if (pid != 0) {
			kill(pid, SIGKILL);
			director->kills++;
		}
	}
	if (is_due(director, &director->next_stop, BETWEEN_STOPS))
		stop_one(director);
	release(director, false);
	if (is_due(director, &director->next_change, BETWEEN_CHANGES))
		change_configuration(director, one_in(&director->soak.random, 4));
	if (is_due(director, &director->next_reload, BETWEEN_RELOADS)) {
		service_command(SERVICE_RELOAD);
		director->reloads++;
	}
}

/* --- a round --------------------------------------------------------------------------------- */

static void wait_for_clients(void)
{
	static const struct timespec tick = { .tv_nsec = 1000000 };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigtimedwait(&child, NULL, &tick);
}

static void run_round(Director *director, uint64_t goal)
{
	Board *board = director->soak.board;
	time_t deadline = 0;
	uint64_t between = director->soak.operations / 10 / (director->soak.restarts + 1);

	board->goal = goal;
	for (size_t i = 0; i < director->soak.client_count; i++)
		start_client(director, i);
	while (reap_clients(director) > 0) {
		if (board->operations < goal) {
			cause_events(director);
			restart_if_due(director, between);
		} else {
			release(director, true);
			deadline = deadline == 0 ? time(NULL) + HELPER_HANG_SECONDS : deadline;
			if (time(NULL) > deadline)
				errx(1, "not ok soak: HANG: a client does not end");
		}
		wait_for_clients();
	}
}

static void print_state(const Director *director, const char *when, const Audit *audit)
{
	size_t count = 1;

	for (const char *at = audit->fds; (at = strchr(at, ' ')); at++)
		count++;
	printf("# %-8s %10" PRIu64 " %8zu %9zu %8zu %11zu %7ld %6zu\n", when,
	       director->soak.board->operations, audit->memory.resident, audit->memory.anonymous,
	       audit->memory.heap, count, (long)audit->records, audit->stored);
	fflush(stdout);
}

/* Checks the daemon's state after all clients have ended. */
static void audit_round(Director *director, const char *when)
{
	char text[64];
	Audit audit;

	audit_clear(&director->soak);
	snprintf(text, sizeof(text), "%s the state is as at the start", when);
	check(director, audit_returns(&director->soak, &director->first, &audit), text);
	snprintf(text, sizeof(text), "%s there are no unexpected remarks about the start", when);
	check(director, audit.remarks == 0, text);
	snprintf(text, sizeof(text), "%s the record file is compacted", when);
	check(director, audit.records <= RECORDS_AT_MOST, text);
	print_state(director, when, &audit);
	director->heap = audit.memory.heap;
	audit_free(&audit);
}

static void run_rounds(Director *director)
{
	const Soak *soak = &director->soak;

	for (size_t round = 1; round <= soak->rounds; round++) {
		char when[16];

		snprintf(when, sizeof(when), "%zu %%", round * 100 / soak->rounds);
		run_round(director, soak->operations * round / soak->rounds);
		audit_round(director, when);
		if (director->restarts < soak->restarts)
			continue;
		director->series[director->series_count].operations =
			(double)soak->board->operations;
		director->series[director->series_count++].heap = (double)director->heap;
	}
}

/* Kills or restarts the last daemon in the middle of an additional round. */
static void kill_old_daemon(Director *director)
{
	uint64_t further = director->soak.operations / 100 + 100 * director->soak.client_count;

	director->next_restart = director->soak.board->operations + further / 4;
	director->soak.restarts++;
	run_round(director, director->soak.operations + further);
	audit_round(director, "killed");
}

/* --- the end --------------------------------------------------------------------------------- */

/* Returns the growth of the heap in bytes per operation, by least squares. */
static double slope(const Director *director)
{
	double n = (double)director->series_count, x = 0, y = 0, xx = 0, xy = 0;

	for (size_t i = 0; i < director->series_count; i++) {
		x += director->series[i].operations / n;
		y += director->series[i].heap / n;
	}
	for (size_t i = 0; i < director->series_count; i++) {
		double from = director->series[i].operations - x;

		xx += from * from;
		xy += from * (director->series[i].heap - y);
	}
	return xx > 0 ? xy / xx : 0;
}

static void check_memory(Director *director)
{
	char text[128];

	if (director->series_count < 2 || director->soak.bound == 0)
		return;
	double grown = director->series[director->series_count - 1].heap - director->series[0].heap;
	printf("# heap: %+.0f bytes in %.0f operations, a slope of %.4f bytes per operation\n",
	       grown,
	       director->series[director->series_count - 1].operations -
		       director->series[0].operations,
	       slope(director));
	snprintf(text, sizeof(text), "the heap grew by at most %zu bytes", director->soak.bound);
	check(director, grown <= (double)director->soak.bound, text);
}

static void print_counts(const Director *director)
{
	const Board *board = director->soak.board;

	for (size_t i = 0; answer_words[i]; i++)
		if (board->words[i] > 0)
			printf("# %s %" PRIu64 "\n", answer_words[i], board->words[i]);
	printf("# %" PRIu64 " operations, %" PRIu64
	       " connections, of which the daemon closed %" PRIu64 ", %" PRIu64 " events, %" PRIu64
	       " fds received\n",
	       board->operations, board->connections, board->lost, board->events, board->fds);
	printf("# %u clients: %" PRIu64 " finished, %" PRIu64 " exited early, %" PRIu64
	       " were killed, %" PRIu64 " of them by soak; %" PRIu64 " were stopped for a while\n",
	       board->lives, director->fates[FATE_LEFT], director->fates[FATE_EXITED],
	       director->fates[FATE_KILLED], director->kills, director->stops);
	printf("# %" PRIu64 " kills and restarts, %" PRIu64 " reloads, %" PRIu64
	       " configuration changes\n",
	       director->restarts, director->reloads, director->changes);
}

/* For sigtimedwait(). Called after the daemon was started, which must not inherit the mask. */
static void block_child_signals(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
}

static void run(Director *director)
{
	Soak *soak = &director->soak;
	time_t begin = time(NULL);

	change_configuration(director, false);
	service_start(soak);
	service_command(SERVICE_RELOAD);
	block_child_signals();
	director->first = audit_take(soak);
	printf("# when     operations VmRSS kB anonymous     heap descriptors records stored\n");
	print_state(director, "start", &director->first);
	run_rounds(director);
	kill_old_daemon(director);
	print_counts(director);
	printf("# %ld seconds\n", (long)(time(NULL) - begin));
	check(director, director->fates[FATE_FAILED] == 0, "each client got its replies");
	check(director, director->restarts == soak->restarts, "the daemon was restarted");
	check_memory(director);
	service_command(SERVICE_STOP);
	check(director, true, "the daemon ends cleanly");
}

static Soak read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "operations", required_argument, NULL, 'o' },
		{ "clients", required_argument, NULL, 'c' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "restarts", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "bound", required_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	Soak soak = { .operations = 100000, .client_count = 200, .rounds = 10 };
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		size_t number = option == '?' ? 0 : helper_number(optarg);

		*(option == 'c'   ? &soak.client_count
		  : option == 'r' ? &soak.rounds
		  : option == 't' ? &soak.restarts
		  : option == 's' ? &soak.seed
		  : option == 'b' ? &soak.bound
				  : &soak.operations) = number;
	}
	if (argc - optind < 4 || soak.client_count == 0 || soak.client_count > CLIENTS_MAX ||
	    soak.rounds == 0 || soak.rounds > ROUNDS_MAX || soak.operations == 0)
		errx(2, "usage: soak [OPTION...] SOCKET RUNTIME-DIR CONFIGURATION COMMAND...");
	soak.socket = argv[optind];
	soak.runtime_directory = argv[optind + 1];
	soak.configuration = argv[optind + 2];
	soak.command = argv + optind + 3;
	soak.random = soak.seed;
	return soak;
}

int main(int argc, char **argv)
{
	static Director director;

	director.soak = read_options(argc, argv);
	director.soak.board = mmap(NULL, sizeof(Board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (director.soak.board == MAP_FAILED)
		err(2, "mmap");
	close_range(STDERR_FILENO + 1, UINT_MAX, 0); /* so that the daemon does not inherit them */
	random_objects_make_pool(&director.soak.pool);
	run(&director);
	return director.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
