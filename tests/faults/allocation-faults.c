/* SPDX-License-Identifier: MIT */
/*
 * Runs a scenario in which every method succeeds, many times. Each time one allocation of vaild's
 * own code fails: first only that one, then also all later ones until the request is finished. A
 * request must then fail with the right status and change nothing, and succeed when it is sent
 * again. The allocations of json-c do not fail, because it does not survive that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "tests/faults/allocator.h"
#include "tests/faults/scenario.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

static void check_leaks(void)
{
#ifdef __SANITIZE_ADDRESS__
	fake_host_must(__lsan_do_recoverable_leak_check() == 0);
#endif
}

static bool is_success(const char *status)
{
	return status && strcmp(status, "STATUS_SUCCESS") == 0;
}

/* Checks that the request failed as it must without memory. */
static void check_refusal(FakeHost *fake_host, const Step *step, const char *status)
{
	if (status &&
	    (strcmp(status, "STATUS_NO_MEMORY") == 0 ||
	     strcmp(status, "STATUS_INSUFFICIENT_RESOURCES") == 0) &&
	    strchr(reply_string(fake_host, "message"), ' '))
		return;
	if (!status && fake_host->was_broken)
		return; /* there was no memory for a reply either */
	fprintf(stderr, "%s: %s\n", step->method, fake_host->reply_text);
	fake_host_must(false && "the right status");
}

/* Checks that a failed request changed nothing and that it succeeds now. */
static void check_unchanged(Scenario *scenario, const Step *step, const char *before)
{
	char *after = fake_host_snapshot(scenario->fake_host, scenario->callers[ADMIN]);

	if (strcmp(before, after) != 0)
		fprintf(stderr, "%s: before\n%s\nafter\n%s\n", step->method, before, after);
	fake_host_must(strcmp(before, after) == 0);
	free(after);
	fake_host_must(is_success(scenario_send(scenario, step)));
}

/*
 * Sends the step's request while the allocation with this number fails. Checks the result and reads
 * the watch. Returns false if the request makes fewer allocations.
 */
static bool send_with_fault(Scenario *scenario, const Step *step, size_t number, bool lasts)
{
	FakeHost *fake_host = scenario->fake_host;

	scenario_listen(scenario);
	char *before = fake_host_snapshot(fake_host, scenario->callers[ADMIN]);
	allocator_fail(number, lasts);
	const char *status = scenario_send(scenario, step);
	if (allocator_refused() == 0) {
		fake_host_must(is_success(status));
		scenario_listen(scenario);
	}
	bool is_refused = allocator_refused() > 0;
	allocator_heal();
	broker_check(fake_host->service.broker);
	if (!is_success(status)) {
		check_refusal(fake_host, step, status);
		check_unchanged(scenario, step, before);
	}
	free(before);
	scenario_listen(scenario);
	return is_refused;
}

static void send_steps(Scenario *scenario, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		const char *status = scenario_send(scenario, &steps[i]);

		if (!is_success(status))
			fprintf(stderr, "%s: %s\n", steps[i].method,
				scenario->fake_host->reply_text);
		fake_host_must(is_success(status));
		scenario_listen(scenario);
	}
}

/* Runs the scenario with a fault in one step. Returns false if the fault did not occur. */
static bool run_with_fault(size_t step, size_t number, bool lasts)
{
	Scenario *scenario = scenario_new();

	allocator_heal();
	send_steps(scenario, 0, step);
	bool is_refused = send_with_fault(scenario, &steps[step], number, lasts);
	send_steps(scenario, step + 1, step_count);
	scenario_free(scenario);
	return is_refused;
}

static void sweep_requests(bool lasts)
{
	size_t faults = 0;

	for (size_t step = 0; step < step_count; step++)
		for (size_t number = 1; run_with_fault(step, number, lasts); number++)
			faults++;
	check_leaks();
	fake_host_must(faults > step_count);
	printf("ok %zu allocations of requests failed, %s\n", faults,
	       lasts ? "each with all later ones" : "each alone");
}

/* --- a reply that outgrows its buffer -------------------------------------------------------- */

#define MANY_VIRTUAL_GPUS 64

static const Step assign_one = { ADMIN, ASSIGN, NAMES_A, false, false };
static const Step describe = { ADMIN, DESCRIBE, NAMES_A, false, false };
static const Step rename_machine = {
	ADMIN, UPDATE_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"renamed\"}",
	false, false,
};

/*
 * Renames a VM with many vGPUs, so that the reply needs more memory. Checks that the VM is renamed
 * if and only if the reply says so. *ret_silent is true if it is renamed but got no reply. Returns
 * false if the request makes fewer allocations than number.
 */
static bool rename_with_fault(size_t number, bool *ret_silent)
{
	Scenario *scenario = scenario_new();

	allocator_heal();
	send_steps(scenario, 0, 1);
	for (size_t i = 0; i < MANY_VIRTUAL_GPUS; i++)
		fake_host_must(is_success(scenario_send(scenario, &assign_one)));
	allocator_fail(number, true);
	const char *status = scenario_send(scenario, &rename_machine);
	bool is_refused = allocator_refused() > 0, is_answered = status != NULL;
	bool is_granted = is_success(status);
	fake_host_must(is_answered || scenario->fake_host->was_broken);
	allocator_heal();
	fake_host_must(is_success(scenario_send(scenario, &describe)));
	bool is_done =
		strcmp(reply_string(scenario->fake_host, "virtualMachine.name"), "renamed") == 0;
	fake_host_must(!is_answered || is_granted == is_done);
	*ret_silent = is_done && !is_answered;
	scenario_free(scenario);
	return is_refused;
}

static void sweep_large_answer(void)
{
	size_t silent = 0;
	bool is_silent;

	for (size_t number = 1; rename_with_fault(number, &is_silent); number++)
		silent += is_silent;
	check_leaks();
	fake_host_must(silent > 0);
	printf("ok no finished request is reported as failed\n");
}

/* --- the scenario ---------------------------------------------------------------------------- */

static bool is_in_scenario(const Method *method)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.%s", method->interface, method->name);
	for (size_t i = 0; i < step_count; i++)
		if (strcmp(steps[i].method, name) == 0)
			return true;
	fprintf(stderr, "%s is not in the scenario\n", name);
	return false;
}

static void check_scenario(void)
{
	Scenario *scenario = scenario_new();

	for (size_t i = 0; i < method_count; i++)
		fake_host_must(is_in_scenario(&methods[i]));
	send_steps(scenario, 0, step_count);
	scenario_free(scenario);
	check_leaks();
	printf("ok all %zu methods succeed\n", method_count);
}

/* --- restarts -------------------------------------------------------------------------------- */

/*
 * Restarts with a failing allocation. If the start fails, all persisted records and fds must stay,
 * and the next start must restore everything. Returns false if the fault did not occur.
 */
static bool restart_with_fault(size_t step_count_before, size_t number, bool lasts)
{
	Scenario *scenario = scenario_new();
	FakeHost *fake_host = scenario->fake_host;

	allocator_heal();
	send_steps(scenario, 0, step_count_before);
	session_deinit(&scenario->watch);
	char *before = fake_host_snapshot(fake_host, scenario->callers[ADMIN]);
	fake_host_stop(fake_host);
	allocator_fail(number, lasts);
	bool is_started = fake_host_try_start(fake_host);
	bool is_refused = allocator_refused() > 0;
	allocator_heal();
	fake_host_must(fake_host->report.drop_count == 0);
	if (!is_started)
		fake_host_start(fake_host);
	session_init(&scenario->watch, &fake_host->service, scenario->callers[ADMIN]);
	char *after = fake_host_snapshot(fake_host, scenario->callers[ADMIN]);
	if (strcmp(before, after) != 0)
		fprintf(stderr, "before\n%s\nafter\n%s\n", before, after);
	fake_host_must(strcmp(before, after) == 0);
	free(before);
	free(after);
	scenario_free(scenario);
	return is_refused;
}

static void sweep_restart(bool lasts)
{
	size_t faults = 0;

	for (size_t i = 0; i < RESTARTS; i++)
		for (size_t number = 1; restart_with_fault(steps_before_restart[i], number, lasts);
		     number++)
			faults++;
	check_leaks();
	fake_host_must(faults > steps_before_restart[0] + steps_before_restart[1]);
	printf("ok %zu allocations of restarts failed, %s\n", faults,
	       lasts ? "each with all later ones" : "each alone");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	check_scenario();
	sweep_requests(false);
	sweep_requests(true);
	sweep_large_answer();
	sweep_restart(false);
	sweep_restart(true);
	return 0;
}
