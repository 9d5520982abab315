/* SPDX-License-Identifier: MIT */
/*
 * Random requests about the displays of one VM, with two viewers, an agent and an operator, beside
 * a naive model that is written from the interface. Each answer must be the model's. After each
 * request, exactly the channels of the model are open, each viewer sees its own, and vaild has told
 * the agent of each channel that has opened or closed.
 *
 * VAILD_SEED=N selects another run, VAILD_STEPS=N its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/random.h"
#include "tests/support/fake-display.h"

#define STEPS_DEFAULT 20000
#define SEED_DEFAULT  1

#define VIEWERS      2
#define RIGHTS       5
#define VIEW         1u
#define CLIENTS_MAX  3
#define CHANNELS_MAX 6 /* the limit of the VM */
#define SHARE_MAX    5 /* the part of it that one user can have */
#define HANDLE_SIZE  64

static const char *const right_names[RIGHTS] = { "view", "input", "clipboard", "audioOutput",
						 "audioInput" };
static const char *const users[VIEWERS] = { "alice", "bob" };

/* All statuses that must occur in a run. */
static const char *const statuses[] = {
	"STATUS_SUCCESS",        "STATUS_ACCESS_DENIED", "STATUS_INVALID_DEVICE_STATE",
	"STATUS_QUOTA_EXCEEDED", "STATUS_NOT_FOUND",     "STATUS_INVALID_HANDLE",
};
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

/* A channel in the order of opening. */
typedef struct ModelChannel {
	char handle[HANDLE_SIZE];
	size_t viewer;
	unsigned int rights;
	int fd; /* the viewer's end */
	bool has_ended;
} ModelChannel;

typedef struct DisplayRun {
	HostFixture fixture;
	Dice dice;
	uint64_t seed, step;
	const char *request; /* what the step does */

	unsigned int granted[VIEWERS]; /* the rights of each viewer; 0 if it is no display client */
	bool is_registered[VIEWERS];
	bool is_quarantined;
	bool is_served;
	ModelChannel channels[CHANNELS_MAX];
	size_t channel_count;
	char ended_handle[HANDLE_SIZE]; /* of a channel that has ended earlier, or empty */

	bool seen[STATUSES];
	size_t withdrawn; /* number of channels that ended while their registration went on */

	FakeAgent agent;
	size_t opened; /* number of channels of which vaild must tell the agent now */
} DisplayRun;

TestSuite(display_model);

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

/* Asserts with the step and the seed in the message. */
#define expect(run, condition, ...)                                                           \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			fprintf(stderr, "display_model: step %" PRIu64 ", %s: ", (run)->step, \
				(run)->request);                                              \
			fprintf(stderr, __VA_ARGS__);                                         \
			cr_assert_fail("%s; repeat with VAILD_SEED=%" PRIu64, #condition,     \
				       (run)->seed);                                          \
		}                                                                             \
	} while (0)

static Caller *viewer_of(const DisplayRun *run, size_t viewer)
{
	return viewer == 0 ? run->fixture.client : run->fixture.stranger;
}

/* ---- Random values ---- */

static unsigned int random_rights(DisplayRun *run)
{
	unsigned int rights = 0;

	for (unsigned int i = 0; i < RIGHTS; i++)
		rights |= dice_chance(&run->dice, 2) ? 1u << i : 0;
	return rights;
}

/* Writes rights as JSON. */
static const char *rights_json(unsigned int rights, char text[static 96])
{
	size_t length = 0;

	for (unsigned int i = 0; i < RIGHTS; i++)
		if (rights & 1u << i)
			length += (size_t)sprintf(text + length, "%s\"%s\"", length > 0 ? "," : "[",
						  right_names[i]);
	strcpy(text + length, length > 0 ? "]" : "[]");
	return text;
}

/* ---- The model ---- */

static void end_channels(DisplayRun *run, size_t viewer, unsigned int kept_rights)
{
	for (size_t i = 0; i < run->channel_count; i++)
		if (run->channels[i].viewer == viewer && run->channels[i].rights & ~kept_rights)
			run->channels[i].has_ended = true;
}

static void end_registration(DisplayRun *run, size_t viewer)
{
	run->is_registered[viewer] = false;
	end_channels(run, viewer, 0);
}

static const char *model_register_viewer(DisplayRun *run, size_t viewer)
{
	if (run->is_registered[viewer])
		return "STATUS_SUCCESS";
	if (run->is_quarantined || run->granted[viewer] == 0)
		return "STATUS_ACCESS_DENIED";
	run->is_registered[viewer] = true;
	return "STATUS_SUCCESS";
}

static const char *model_unregister(DisplayRun *run, size_t viewer)
{
	if (!run->is_registered[viewer])
		return "STATUS_NOT_FOUND";
	end_registration(run, viewer);
	return "STATUS_SUCCESS";
}

static const char *model_open(const DisplayRun *run, size_t viewer, unsigned int rights)
{
	size_t own = 0;

	if (!run->is_registered[viewer] || rights & ~run->granted[viewer])
		return "STATUS_ACCESS_DENIED";
	if (!run->is_served)
		return "STATUS_INVALID_DEVICE_STATE";
	for (size_t i = 0; i < run->channel_count; i++)
		own += run->channels[i].viewer == viewer;
	return run->channel_count == CHANNELS_MAX || own == SHARE_MAX ? "STATUS_QUOTA_EXCEEDED"
								      : "STATUS_SUCCESS";
}

/* ---- Requests ---- */

static void expect_status(DisplayRun *run, const char *got, const char *expected)
{
	expect(run, strcmp(got, expected) == 0, "got %s, not %s\n", got, expected);
	for (size_t i = 0; i < STATUSES; i++)
		run->seen[i] |= strcmp(got, statuses[i]) == 0;
}

/* Makes some users the display clients. A user who is named twice has the rights of both. */
static void update(DisplayRun *run)
{
	size_t count = 1 + dice_roll(&run->dice, CLIENTS_MAX);
	unsigned int granted[VIEWERS] = { 0 };
	char clients[512] = "", rights[96];

	for (size_t i = 0; i < count; i++) {
		size_t viewer = dice_roll(&run->dice, VIEWERS);
		unsigned int given = random_rights(run);

		granted[viewer] |= given | VIEW;
		sprintf(clients + strlen(clients), "%s{\"user\":\"%s\",\"rights\":%s}",
			i > 0 ? "," : "", users[viewer], rights_json(given, rights));
	}
	expect_status(run,
		      callf(run->fixture.fake_host, run->fixture.admin, UPDATE_MACHINE,
			    "{\"virtualMachineGuid\":\"" GUID_A "\",\"displayClients\":[%s]}",
			    clients),
		      "STATUS_SUCCESS");
	for (size_t viewer = 0; viewer < VIEWERS; viewer++) {
		run->granted[viewer] = granted[viewer];
		end_channels(run, viewer, granted[viewer]);
		for (size_t i = 0; granted[viewer] != 0 && i < run->channel_count; i++)
			run->withdrawn +=
				run->channels[i].viewer == viewer && run->channels[i].has_ended;
		if (granted[viewer] == 0)
			run->is_registered[viewer] = false;
	}
}

static void register_viewer(DisplayRun *run)
{
	size_t viewer = dice_roll(&run->dice, VIEWERS);
	const char *status =
		call(run->fixture.fake_host, viewer_of(run, viewer), REGISTER, NAMES_A);

	expect_status(run, status, model_register_viewer(run, viewer));
}

static void unregister(DisplayRun *run)
{
	size_t viewer = dice_roll(&run->dice, VIEWERS);
	const char *status =
		call(run->fixture.fake_host, viewer_of(run, viewer), UNREGISTER, NAMES_A);

	expect_status(run, status, model_unregister(run, viewer));
}

static void revoke(DisplayRun *run)
{
	size_t viewer = dice_roll(&run->dice, VIEWERS);
	const char *status = callf(run->fixture.fake_host, run->fixture.admin, REVOKE,
				   "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":%d}",
				   (int)viewer_of(run, viewer)->pid);

	expect_status(run, status, model_unregister(run, viewer));
}

static void set_quarantine(DisplayRun *run)
{
	run->is_quarantined = dice_chance(&run->dice, 2);
	expect_status(run,
		      callf(run->fixture.fake_host, run->fixture.admin, SET_QUARANTINE,
			    "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":%s}",
			    run->is_quarantined ? "true" : "false"),
		      "STATUS_SUCCESS");
	for (size_t viewer = 0; run->is_quarantined && viewer < VIEWERS; viewer++)
		end_registration(run, viewer);
}

/* Opens a display, mostly with rights that the viewer has, and sometimes without naming any. */
static void open_channel(DisplayRun *run)
{
	size_t viewer = dice_roll(&run->dice, VIEWERS);
	bool names_rights = !dice_chance(&run->dice, 3);
	unsigned int rights = random_rights(run) | VIEW;
	char text[96], handle[HANDLE_SIZE];
	int fd;

	if (!dice_chance(&run->dice, 4))
		rights &= run->granted[viewer] | VIEW;
	if (!names_rights)
		rights = run->granted[viewer];
	/* Every channel has view, named or not. */
	rights_json(dice_chance(&run->dice, 2) ? rights : rights & ~VIEW, text);
	const char *expected = model_open(run, viewer, rights);
	const char *status = open_display(run->fixture.fake_host, viewer_of(run, viewer),
					  names_rights ? text : NULL, handle, &fd);
	expect_status(run, status, expected);
	if (strcmp(expected, "STATUS_SUCCESS") != 0)
		return;
	ModelChannel *channel = &run->channels[run->channel_count++];
	*channel = (ModelChannel){ .viewer = viewer, .rights = rights, .fd = fd };
	snprintf(channel->handle, sizeof(channel->handle), "%s", handle);
	run->opened++;
}

/* Closes a channel as a random caller, who may be another viewer. */
static void close_channel(DisplayRun *run)
{
	Caller *const callers[] = { run->fixture.admin, run->fixture.machine, run->fixture.client,
				    run->fixture.stranger };
	Caller *caller = callers[dice_roll(&run->dice, sizeof(callers) / sizeof(callers[0]))];
	size_t at = dice_roll(&run->dice, CHANNELS_MAX);
	ModelChannel *channel = at < run->channel_count ? &run->channels[at] : NULL;
	const char *expected = "STATUS_SUCCESS";

	if (!channel && !run->ended_handle[0])
		return;
	if (!channel)
		expected = "STATUS_INVALID_HANDLE";
	else if (caller == viewer_of(run, 1 - channel->viewer))
		expected = "STATUS_ACCESS_DENIED";
	else
		channel->has_ended = true;
	expect_status(run,
		      callf(run->fixture.fake_host, caller, CLOSE_DISPLAY, "{\"display\":\"%s\"}",
			    channel ? channel->handle : run->ended_handle),
		      expected);
}

/* The agent begins to serve, or another one of the same VM tries to. */
static void serve(DisplayRun *run)
{
	FakeAgent second, *agent = run->is_served ? &second : &run->agent;
	const char *replies =
		fake_agent_serve(agent, run->fixture.fake_host, run->fixture.machine, NAMES_A);
	bool is_refused = strstr(replies, "STATUS_INVALID_DEVICE_STATE") != NULL;

	expect(run, is_refused == run->is_served, "%s\n", replies);
	if (run->is_served)
		fake_agent_end(&second);
	run->is_served = true;
}

static void end_agent(DisplayRun *run)
{
	if (!run->is_served)
		return;
	fake_agent_end(&run->agent);
	run->is_served = false;
	for (size_t i = 0; i < run->channel_count; i++)
		run->channels[i].has_ended = true;
}

static const struct {
	const char *name;
	void (*make)(DisplayRun *run);
	unsigned int weight;
} requests[] = {
	{ "update", update, 4 },
	{ "register", register_viewer, 10 },
	{ "unregister", unregister, 1 },
	{ "revoke", revoke, 1 },
	{ "quarantine", set_quarantine, 1 },
	{ "open", open_channel, 20 },
	{ "close", close_channel, 4 },
	{ "serve", serve, 4 },
	{ "end of the agent", end_agent, 1 },
};

static void make_request(DisplayRun *run)
{
	const size_t count = sizeof(requests) / sizeof(requests[0]);
	unsigned int sum = 0;
	size_t at = 0;

	for (size_t i = 0; i < count; i++)
		sum += requests[i].weight;
	uint64_t roll = dice_roll(&run->dice, sum);
	while (roll >= requests[at].weight)
		roll -= requests[at++].weight;
	run->request = requests[at].name;
	requests[at].make(run);
}

/* ---- Comparing ---- */

/* Counts the occurrences of a word. */
static size_t count_of(const char *text, const char *word)
{
	size_t count = 0;

	for (; (text = strstr(text, word)); text++)
		count++;
	return count;
}

/* Checks that vaild tells the agent of the channels that have opened and ended, and of no others.
 */
static void check_agent(DisplayRun *run)
{
	char closed[HANDLE_SIZE + 16];
	size_t ended = 0;

	if (!run->is_served)
		return;
	const char *replies = fake_agent_read(&run->agent);
	for (size_t i = 0; i < run->channel_count; i++) {
		snprintf(closed, sizeof(closed), "\"closed\":\"%s\"", run->channels[i].handle);
		expect(run, count_of(replies, closed) == run->channels[i].has_ended, "%s\n",
		       replies);
		ended += run->channels[i].has_ended;
	}
	expect(run, count_of(replies, "\"closed\"") == ended, "%s\n", replies);
	expect(run, count_of(replies, "\"opened\"") == run->opened, "%s\n", replies);
	expect(run, run->agent.fds.count == run->opened, "%zu fds\n", run->agent.fds.count);
	fake_agent_close_fds(&run->agent);
	run->opened = 0;
}

/* Checks that the ended channels are shut and the others not, and removes those that have ended. */
static void check_ends(DisplayRun *run)
{
	FakeHost *fake_host = run->fixture.fake_host;
	size_t kept = 0;

	for (size_t i = 0; i < run->channel_count; i++) {
		const ModelChannel *channel = &run->channels[i];

		expect(run, fake_host_is_shut(fake_host, channel->fd) == channel->has_ended,
		       "channel %zu\n", i);
		if (!channel->has_ended) {
			run->channels[kept++] = *channel;
			continue;
		}
		fake_host_close(fake_host, channel->fd);
		memcpy(run->ended_handle, channel->handle, sizeof(run->ended_handle));
	}
	run->channel_count = kept;
}

static unsigned int rights_in_reply(const DisplayRun *run, size_t index)
{
	unsigned int rights = 0;
	char path[64];

	for (size_t i = 0; i < RIGHTS; i++) {
		snprintf(path, sizeof(path), "displays[%zu].rights[%zu]", index, i);
		for (unsigned int right = 0; right < RIGHTS; right++)
			if (strcmp(reply_string(run->fixture.fake_host, path),
				   right_names[right]) == 0)
				rights |= 1u << right;
	}
	return rights;
}

/* Checks the list of a caller, who sees the channels of one viewer, or all. */
static void check_list(DisplayRun *run, Caller *caller, size_t viewer)
{
	FakeHost *fake_host = run->fixture.fake_host;
	size_t at = 0;
	char path[64];

	expect_status(run, call(fake_host, caller, LIST_DISPLAYS, NULL), "STATUS_SUCCESS");
	for (size_t i = 0; i < run->channel_count; i++) {
		const ModelChannel *channel = &run->channels[i];

		if (viewer < VIEWERS && channel->viewer != viewer)
			continue;
		snprintf(path, sizeof(path), "displays[%zu].display", at);
		expect(run, strcmp(reply_string(fake_host, path), channel->handle) == 0,
		       "item %zu is %s\n", at, reply_string(fake_host, path));
		expect(run, rights_in_reply(run, at) == channel->rights, "rights of item %zu\n",
		       at);
		at++;
	}
	expect(run, reply_count(fake_host, "displays") == at, "%zu items, not %zu\n",
	       reply_count(fake_host, "displays"), at);
}

static void step(DisplayRun *run)
{
	make_request(run);
	fake_host_report_exits(run->fixture.fake_host); /* does the rest of longer work */
	check_agent(run);
	check_ends(run);
	check_list(run, run->fixture.admin, VIEWERS);
	check_list(run, run->fixture.machine, VIEWERS);
	for (size_t viewer = 0; viewer < VIEWERS; viewer++)
		check_list(run, viewer_of(run, viewer), viewer);
	broker_check(run->fixture.fake_host->service.broker);
}

Test(display_model, random_requests_get_the_answers_of_the_model)
{
	DisplayRun run = { .fixture = host_fixture_new(),
			   .seed = number_from("VAILD_SEED", SEED_DEFAULT),
			   .granted = { VIEW, 0 } };
	uint64_t steps = number_from("VAILD_STEPS", STEPS_DEFAULT);
	Accounts *accounts = &run.fixture.fake_host->service.broker->accounts;

	run.dice.state = run.seed;
	accounts->limits.per_entity[LIMIT_DISPLAYS] = CHANNELS_MAX;
	fprintf(stderr, "display_model: seed %" PRIu64 ", %" PRIu64 " steps\n", run.seed, steps);
	for (run.step = 0; run.step < steps; run.step++)
		step(&run);
	for (size_t i = 0; steps >= STEPS_DEFAULT && i < STATUSES; i++)
		cr_expect(run.seen[i], "%s never occurred", statuses[i]);
	cr_expect(steps < STEPS_DEFAULT || run.withdrawn > steps / 1000,
		  "rights were withdrawn too rarely");
	end_agent(&run);
	check_ends(&run);
	host_fixture_free(&run.fixture);
}
