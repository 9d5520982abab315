/* SPDX-License-Identifier: MIT */
/* Plays the service manager of the daemon, in a process with the highest priority. */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "tests/hostile/stage.h"
#include "tests/support/fake-service-manager.h"
#include "tests/support/helper.h"
#include "tests/support/measure.h"

#define REALTIME_PRIORITY 20 /* above the loads */

static void watchdog_arrived(Board *board)
{
	uint64_t now = bench_now(), gap = now - board->watchdog_last;
	bool is_measured = board->phase == PHASE_ONSET || board->phase == PHASE_ATTACK;

	if (is_measured && gap > board->watchdog_gap)
		board->watchdog_gap = gap;
	board->watchdog_last = now;
}

static _Noreturn void serve(FakeServiceManager *manager, Board *board)
{
	struct pollfd poll_for = { .fd = manager->socket, .events = POLLIN };
	size_t seen = manager->watchdog_messages;

	for (;;) {
		if (poll(&poll_for, 1, -1) < 0)
			err(2, "poll");
		fake_service_manager_read_one(manager);
		if (manager->watchdog_messages > seen)
			watchdog_arrived(board);
		seen = manager->watchdog_messages;
		board->daemon_is_ready = manager->is_ready;
	}
}

pid_t manager_start(FakeServiceManager *manager, Board *board)
{
	struct sched_param parameters = { .sched_priority = REALTIME_PRIORITY };
	pid_t pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run_on_last_cpu();
	sched_setscheduler(0, SCHED_FIFO, &parameters); /* the times are coarse enough without */
	serve(manager, board);
}
