/* SPDX-License-Identifier: MIT */
/*
 * Names display clients of one VM at random, by requests, libvirt's metadata and drop-ins, beside a
 * naive model of whose count. Restarts, withdrawals and new registrations come in between.
 *
 * VAILD_SEED=N selects another run, VAILD_STEPS=N its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"
#include "tests/support/drop-in-fixture.h"

TestSuite(client_sources);

#define STEPS_DEFAULT 4000
#define SEED_DEFAULT  1

#define SUCCESS "STATUS_SUCCESS"

/* Sets of display clients: a bit for each user, and one if they all have the right input. */
static const char *const users[] = { "alice", "bob", "0" };
#define USERS     ARRAY_SIZE(users)
#define HAS_INPUT (1u << USERS)

/* An empty set means that a source names nobody. */
typedef struct ModelSources {
	unsigned int requested, metadata, drop_in;
	bool agree; /* the metadata have named the same ones as the request */
	bool has_metadata;
} ModelSources;

typedef struct SourcesRun {
	HostFixture fixture;
	FakeHost *fake_host;
	DropIns drop_ins;
	ModelSources model;
	uint64_t seed, step;
	char last[512]; /* parameters of the last request */
	size_t seen[5]; /* by source */
	size_t given_up, kept, refused;
} SourcesRun;

/* Returns 0 to sides - 1. */
static unsigned long roll(unsigned long sides)
{
	return (unsigned long)random() % sides;
}

/* --- the model ------------------------------------------------------------------------------- */

static void model_request(ModelSources *model, unsigned int clients)
{
	if (model->requested)
		model->agree &= model->requested == clients;
	else
		model->agree = model->metadata == clients;
	model->agree &= clients != 0;
	model->requested = clients;
	model->metadata = 0;
}

static void model_metadata(SourcesRun *run, unsigned int clients)
{
	ModelSources *model = &run->model;

	model->has_metadata = true;
	if (model->requested && model->requested == clients) {
		model->agree = true;
		return;
	}
	if (model->requested && !model->agree) {
		run->kept++;
		return;
	}
	run->given_up += model->requested != 0;
	model->requested = 0;
	model->agree = false;
	model->metadata = model->drop_in ? 0 : clients;
}

static void model_drop_in(ModelSources *model, unsigned int clients)
{
	model->drop_in = clients;
	if (clients)
		model->metadata = 0;
}

static bool model_can_withdraw(const ModelSources *model)
{
	return model->requested ? model->agree : !model->drop_in;
}

static const char *model_source(SourcesRun *run, unsigned int *ret_clients)
{
	static const char *const names[] = { "api", "dropIn", "libvirt", "nobody", "vmm" };
	const ModelSources *model = &run->model;
	size_t source = model->requested      ? 0
			: model->drop_in      ? 1
			: model->metadata     ? 2
			: model->has_metadata ? 3
					      : 4;
	const unsigned int clients[] = { model->requested, model->drop_in, model->metadata, 0, 0 };

	run->seen[source]++;
	*ret_clients = clients[source];
	return names[source];
}

/* --- the daemon ------------------------------------------------------------------------------ */

/* Writes the set as a member, its users in a random order. */
static void write_clients(unsigned int set, char *text, size_t size)
{
	size_t first = roll(USERS);
	FILE *out = fmemopen(text, size, "w");
	const char *separator = "";

	cr_assert_not_null(out);
	fputs("\"displayClients\":[", out);
	for (size_t i = 0; i < USERS; i++) {
		size_t user = (first + i) % USERS;

		if (!(set & (1u << user)))
			continue;
		fprintf(out, "%s{\"user\":\"%s\"%s}", separator, users[user],
			set & HAS_INPUT ? ",\"rights\":[\"input\"]" : "");
		separator = ",";
	}
	fputc(']', out);
	cr_assert_eq(fclose(out), 0);
}

static const char *send_settings(SourcesRun *run, const char *method, unsigned int clients,
				 bool is_for_libvirt)
{
	char text[256];

	write_clients(clients, text, sizeof(text));
	snprintf(run->last, sizeof(run->last), "{\"virtualMachineGuid\":\"" GUID_A "\",%s%s%s}",
		 text, is_for_libvirt ? ",\"settingsSource\":\"libvirt\"" : "",
		 strcmp(method, REGISTER_MACHINE) == 0 ? ",\"vmmPid\":500" : "");
	return call(run->fake_host, run->fixture.admin, method, run->last);
}

/* Returns the display clients that the VM has. */
static unsigned int described(SourcesRun *run)
{
	unsigned int set = 0;
	char path[80];

	for (size_t i = 0; i < reply_count(run->fake_host, "virtualMachine.displayClients"); i++) {
		snprintf(path, sizeof(path), "virtualMachine.displayClients[%zu].user", i);
		for (size_t user = 0; user < USERS; user++)
			if (strcmp(reply_string(run->fake_host, path), users[user]) == 0)
				set |= 1u << user;
		snprintf(path, sizeof(path), "virtualMachine.displayClients[%zu].rights[1]", i);
		if (*reply_string(run->fake_host, path) != '\0')
			set |= HAS_INPUT;
	}
	return set;
}

static void compare(SourcesRun *run)
{
	unsigned int clients;
	const char *source = model_source(run, &clients);

	cr_assert_str_eq(call(run->fake_host, run->fixture.admin, DESCRIBE, NAMES_A), SUCCESS);
	cr_assert_str_eq(reply_string(run->fake_host, "virtualMachine.displayClientsSource"),
			 source, "seed %" PRIu64 ", step %" PRIu64 ", after %s", run->seed,
			 run->step, run->last);
	cr_assert_eq(described(run), clients, "seed %" PRIu64 ", step %" PRIu64 ", after %s",
		     run->seed, run->step, run->last);
}

/* --- steps ----------------------------------------------------------------------------------- */

/* Returns an empty set now and then. */
static unsigned int any_clients(void)
{
	unsigned int set = 1u << roll(USERS);

	if (roll(6) == 0)
		return 0;
	if (roll(3) == 0)
		set |= 1u << roll(USERS);
	return roll(4) == 0 ? set | HAS_INPUT : set;
}

static void add_vm(SourcesRun *run)
{
	bool is_for_libvirt = roll(2) == 0;
	unsigned int clients = any_clients();

	cr_assert_str_eq(send_settings(run, REGISTER_MACHINE, clients, is_for_libvirt), SUCCESS);
	run->model = (ModelSources){ .drop_in = run->model.drop_in };
	if (is_for_libvirt)
		model_metadata(run, clients);
	else
		model_request(&run->model, clients);
}

static void update(SourcesRun *run, bool is_for_libvirt)
{
	unsigned int clients = any_clients();

	cr_assert_str_eq(send_settings(run, UPDATE_MACHINE, clients, is_for_libvirt), SUCCESS);
	if (is_for_libvirt)
		model_metadata(run, clients);
	else
		model_request(&run->model, clients);
}

static void change_drop_in(SourcesRun *run)
{
	unsigned int clients = roll(2) == 0 ? any_clients() : 0;
	char members[256];

	write_clients(clients, members, sizeof(members));
	snprintf(run->last, sizeof(run->last), "{\"virtualMachineGuid\":\"" GUID_A "\",%s}",
		 members);
	set_drop_ins(run->fake_host, &run->drop_ins, (const char *const[]){ run->last },
		     clients != 0);
	model_drop_in(&run->model, clients);
}

/* Ends the VM, if the metadata may, and adds another one. */
static void withdraw(SourcesRun *run)
{
	bool can_withdraw = model_can_withdraw(&run->model);

	snprintf(run->last, sizeof(run->last),
		 "{\"virtualMachineGuid\":\"" GUID_A "\",\"settingsSource\":\"libvirt\"}");
	cr_assert_str_eq(call(run->fake_host, run->fixture.admin, UNREGISTER_MACHINE, run->last),
			 can_withdraw ? SUCCESS : "STATUS_INVALID_DEVICE_STATE",
			 "seed %" PRIu64 ", step %" PRIu64, run->seed, run->step);
	run->refused += !can_withdraw;
	if (can_withdraw)
		add_vm(run);
}

/* An operator ends the VM, whoever its display clients are. */
static void replace_vm(SourcesRun *run)
{
	cr_assert_str_eq(call(run->fake_host, run->fixture.admin, UNREGISTER_MACHINE, NAMES_A),
			 SUCCESS);
	add_vm(run);
}

static void make_step(SourcesRun *run)
{
	unsigned long kind = roll(16);

	if (kind < 4)
		update(run, false);
	else if (kind < 9)
		update(run, true);
	else if (kind < 11)
		change_drop_in(run);
	else if (kind < 12)
		withdraw(run);
	else if (kind < 14)
		replace_vm(run);
	else
		fake_host_restart(run->fake_host);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

Test(client_sources, the_first_source_that_names_somebody_counts)
{
	SourcesRun run = { .fixture = host_fixture_new_quiet(),
			   .drop_ins = DROP_INS_INIT,
			   .seed = setting("VAILD_SEED", SEED_DEFAULT) };
	uint64_t steps = setting("VAILD_STEPS", STEPS_DEFAULT);

	run.fake_host = run.fixture.fake_host;
	srandom((unsigned int)run.seed);
	fprintf(stderr, "client_sources: seed %" PRIu64 ", %" PRIu64 " steps\n", run.seed, steps);
	fake_host_process(run.fake_host, 500, 1001); /* of bob, who logs in */
	add_vm(&run);
	for (run.step = 0; run.step < steps; run.step++) {
		make_step(&run);
		compare(&run);
	}
	for (size_t i = 0; i < ARRAY_SIZE(run.seen); i++)
		cr_expect(steps < STEPS_DEFAULT || run.seen[i] > 20, "source %zu", i);
	cr_expect(steps < STEPS_DEFAULT ||
			  (run.given_up > 20 && run.kept > 100 && run.refused > 20),
		  "%zu %zu %zu", run.given_up, run.kept, run.refused);
	host_fixture_free(&run.fixture);
	drop_ins_deinit(&run.drop_ins);
}
