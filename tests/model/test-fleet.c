/* SPDX-License-Identifier: MIT */
/*
 * Random runs of four hosts around one etcd. Messages are late or lost, hosts are cut off, paused
 * and restarted, leases expire, VMs move, and quarantines come and go. After a break, a host lists
 * the keys, or is shown what it has missed. In every step
 *
 * - no host changes a key without a lease that it may rely on, or while etcd is away,
 * - no host claims a VM that another host has, as far as it has been shown,
 * - the epoch that a host shows never decreases,
 * - no host touches a quarantine of its own operators, or lifts one that the fleet still has.
 *
 * Again and again everything is repaired. Then exactly one of the hosts that run a VM is shown as
 * where it is, on all hosts, and each host has exactly the quarantines of the fleet.
 *
 * VAILD_SEED=N selects another run, VAILD_STEPS=N its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/model/fleet-run.h"

#define STEPS_DEFAULT  240000
#define SEED_DEFAULT   1
#define STEPS_TOGETHER 600

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

Test(fleet_model, one_host_has_each_vm)
{
	static FleetRun run;
	uint64_t seed = setting("VAILD_SEED", SEED_DEFAULT);
	uint64_t steps = setting("VAILD_STEPS", STEPS_DEFAULT);
	size_t moves = 0, conflicts = 0, lost = 0, late = 0, expired = 0, imposed = 0, lifted = 0;
	size_t resumed = 0;

	fprintf(stderr, "fleet_model: seed %" PRIu64 ", %" PRIu64 " steps\n", seed, steps);
	for (uint64_t done = 0; done < steps; done += 10 * STEPS_TOGETHER, seed++) {
		fleet_run_init(&run, seed);
		for (run.step = 0; run.step < 10 * STEPS_TOGETHER; run.step++) {
			fleet_run_step(&run);
			if (run.step % STEPS_TOGETHER == STEPS_TOGETHER - 1)
				fleet_run_settle(&run);
		}
		moves += run.moves;
		conflicts += run.conflicts;
		lost += run.lost;
		late += run.late;
		expired += run.expired;
		imposed += run.imposed;
		lifted += run.lifted;
		resumed += run.resumed;
		fleet_run_deinit(&run);
	}
	cr_expect(steps < STEPS_DEFAULT ||
			  (moves > 50 && conflicts > 50 && lost > 20 && late > 5 && expired > 50 &&
			   imposed > 50 && lifted > 50 && resumed > 50),
		  "%zu moves, %zu conflicts, %zu lost, %zu late, %zu expired, %zu imposed, %zu "
		  "lifted, %zu resumed",
		  moves, conflicts, lost, late, expired, imposed, lifted, resumed);
}
