/* SPDX-License-Identifier: MIT */
/*
 * Random requests of all kinds of callers on a fake host that changes at random. Each request
 * passes through the whole pure part of the daemon (bytes in, replies out) and through a naive
 * model. Each reply must be the model's answer and match the interface files. The broker's
 * invariants are checked after each step.
 *
 * VAILD_SEED=N repeats a run, VAILD_STEPS=N sets its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/status.h"
#include "tests/model/compare.h"
#include "tests/model/random.h"
#include "tests/support/varlink-text.h"

#define STEPS_DEFAULT 400000

TestSuite(model);

/* All statuses that the called methods can return, except STATUS_NO_MEMORY. */
static const NTSTATUS statuses[] = {
	STATUS_SUCCESS,
	STATUS_INVALID_HANDLE,
	STATUS_INVALID_PARAMETER,
	STATUS_ACCESS_DENIED,
	STATUS_INVALID_DISPOSITION,
	STATUS_OBJECT_NAME_COLLISION,
	STATUS_QUOTA_EXCEEDED,
	STATUS_INSUFFICIENT_RESOURCES,
	STATUS_PROCESS_IS_TERMINATING,
	STATUS_NOT_FOUND,
	STATUS_GRAPHICS_VAIL_STATE_CHANGED,
};

typedef struct Run {
	FakeHost *fake_host;
	Model *model;
	Dice dice;
	VarlinkService service;
	uint64_t seed, step;
	uint64_t outcomes[MODEL_METHOD_MAX][2]; /* failures and successes */
	bool seen[ARRAY_SIZE(statuses)];
	const char *request;
	const char *replies;
} Run;

static void mismatch(const Run *run, const ModelAnswer *answer, const char *difference)
{
	fprintf(stderr,
		"model: seed %" PRIu64 ", step %" PRIu64 "\n  request: %s\n"
		"  expected: %s %s, %zu items\n  got: %s\n  differs: %s\n",
		run->seed, run->step, run->request, status_name(answer->status), answer->parameter,
		answer->count, run->replies, difference);
	cr_assert_fail("repeat with VAILD_SEED=%" PRIu64, run->seed);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

static void pump(Session *session, Buffer *taken)
{
	Buffer out = BUFFER_INIT;
	SessionState state;

	do {
		state = session_pump(session, &out);
		buffer_append(taken, buffer_head(&out), buffer_size(&out));
		buffer_consume(&out, buffer_size(&out));
	} while (state == SESSION_PAUSED || state == SESSION_WAITS);
	cr_assert_eq(state, session->end_of_input ? SESSION_FINISHED : SESSION_READS);
	buffer_deinit(&out);
}

/* Sends the text in up to three turns. If the request is foreign, one of them is. */
static Buffer send_request(Run *run, const ModelRequest *request, const char *text)
{
	Session session;
	Buffer taken = BUFFER_INIT;
	size_t size = strlen(text), begin = 0;
	size_t turns = 1 + dice_roll(&run->dice, 3), foreign = dice_roll(&run->dice, turns);

	session_init(&session, &run->fake_host->service, request->caller);
	for (size_t turn = 0; turn < turns; turn++) {
		size_t end = turn + 1 == turns ? size : begin + 1 + (size - begin) / 3;

		buffer_append(&session.input, text + begin, end - begin);
		session_arrived(&session,
				&(InputMetadata){ .foreign = request->foreign && turn == foreign });
		pump(&session, &taken);
		begin = end;
	}
	session_end_of_input(&session);
	pump(&session, &taken);
	session_deinit(&session);
	buffer_append(&taken, "", 1);
	return taken;
}

static const char *method_of(const char *text, char name[static 96])
{
	sscanf(text, "{\"method\":\"%95[^\"]\"", name);
	return name;
}

static void store_handles(Run *run, const ModelRequest *request, const JsonValue *reply)
{
	const JsonValue *parameters = json_member(reply, "parameters");
	const char *handle = json_string(json_member(parameters, "virtualGpu"));

	if (request->method == MODEL_CREATE_CONTEXT)
		handle = json_string(json_member(parameters, "context"));
	if (handle)
		model_set_handles(run->model, request->method, handle,
				  json_string(json_member(parameters, "process")));
}

/* Checks each reply against the interface files and the model. Returns their number. */
static size_t check_replies(Run *run, const ModelRequest *request, const ModelAnswer *answer)
{
	size_t count = 0, at = 0;
	char name[96];

	for (const char *text = run->replies; *text != '\0'; count++) {
		const char *error, *end = strchr(text, '\n');
		bool continues = false;

		cr_assert_not_null(end);
		char *line = strndup(text, (size_t)(end - text));
		JsonValue *reply = json_parse(run->fake_host->service.parser, line,
					      (size_t)(end - text), &error);
		const char *found = error ? error : NULL;
		if (!found)
			found = varlink_reply_flaw(&run->service, method_of(run->request, name),
						   reply);
		if (!found)
			found = compare_reply(run->model, request, answer, reply, &at);
		json_read_boolean(json_member(reply, "continues"), &continues);
		if (!found && continues != (end[1] != '\0'))
			found = "only the last reply must lack \"continues\"";
		if (found)
			mismatch(run, answer, found);
		store_handles(run, request, reply);
		json_free(reply);
		free(line);
		text = end + 1;
	}
	if (count > 0 && at != answer->count)
		mismatch(run, answer, "fewer items");
	return count;
}

static size_t replies_expected(const ModelRequest *request, const ModelAnswer *answer, bool more,
			       bool oneway)
{
	if (oneway)
		return 0;
	bool is_list = request->method == MODEL_LIST_REGISTRATIONS ||
		       request->method == MODEL_LIST_MACHINES ||
		       request->method == MODEL_LIST_QUARANTINES ||
		       request->method == MODEL_LIST_ADAPTERS;
	return more && is_list && answer->count > 1 ? answer->count : 1;
}

static void step(Run *run)
{
	ModelRequest request;
	char *call, *text = NULL;

	random_host_change(run->fake_host, run->model, &run->dice);
	if (run->fake_host->caller_count == 0)
		return;
	call = random_request(run->fake_host, run->model, &run->dice, &request);
	bool more = dice_chance(&run->dice, 4);
	bool gives_handle =
		request.method == MODEL_ASSIGN || request.method == MODEL_CREATE_CONTEXT;
	bool oneway = !more && !gives_handle && dice_chance(&run->dice, 20);
	cr_assert_gt(asprintf(&text, "%s%s}\n", call,
			      more     ? ",\"more\":true"
			      : oneway ? ",\"oneway\":true"
				       : ""),
		     0);
	run->request = text;
	Buffer taken = send_request(run, &request, text);
	run->replies = buffer_head(&taken);
	ModelAnswer answer = model_answer(run->model, &request);
	size_t count = check_replies(run, &request, &answer);
	if (count != replies_expected(&request, &answer, more, oneway))
		mismatch(run, &answer, "wrong number of replies");
	run->outcomes[request.method][answer.status == STATUS_SUCCESS]++;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		run->seen[i] |= statuses[i] == answer.status;
	broker_check(run->fake_host->service.broker);
	buffer_deinit(&taken);
	free(text);
	free(call);
}

static void run_begin(Run *run)
{
	static const struct {
		const char *name;
		uid_t uid;
	} users[] = { { "root", 0 },
		      { "alice", 1000 },
		      { "bob", 1001 },
		      { "carol", 1002 },
		      { "libvirt-qemu", 64055 } };

	run->seed = number_from("VAILD_SEED", (uint64_t)time(NULL));
	run->dice.state = run->seed;
	run->service = varlink_service();
	run->fake_host = fake_host_new();
	run->fake_host->random = run->seed;
	run->fake_host->service.settings.allow_user_machines = true;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		fake_host_user(run->fake_host, users[i].name, users[i].uid);
	Caller *caller =
		fake_host_connect(run->fake_host, fake_host_process(run->fake_host, 100, 0));
	run->model = calloc(1, sizeof(*run->model));
	run->model->fake_host = run->fake_host;
	call(run->fake_host, caller, LIST_ADAPTERS, NULL);
	snprintf(run->model->adapter, MODEL_HANDLE_SIZE, "%s",
		 reply_string(run->fake_host, "adapters[0].adapter"));
}

/*
 * Checks that the run was long and varied enough: each method fails and succeeds, each status
 * occurs.
 */
static void check_outcomes(const Run *run)
{
	for (int method = 0; method < MODEL_METHOD_MAX; method++) {
		cr_expect_gt(run->outcomes[method][1], run->step / 10000,
			     "method %d succeeded too rarely", method);
		cr_expect_gt(run->outcomes[method][0], 0u, "method %d never failed", method);
	}
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		cr_expect(run->seen[i], "%s never occurred", status_name(statuses[i]));
}

Test(model, random_requests_get_the_answers_of_the_model)
{
	Run run = { 0 };
	uint64_t steps = number_from("VAILD_STEPS", STEPS_DEFAULT);

	run_begin(&run);
	fprintf(stderr, "model: seed %" PRIu64 ", %" PRIu64 " steps\n", run.seed, steps);
	for (run.step = 0; run.step < steps; run.step++)
		step(&run);
	if (steps >= 100000)
		check_outcomes(&run);
	model_clear(run.model);
	free(run.model);
	fake_host_free(run.fake_host);
	varlink_service_deinit(&run.service);
}
