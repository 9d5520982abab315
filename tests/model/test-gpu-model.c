/* SPDX-License-Identifier: MIT */
/*
 * Compares adapters, GPU processes and contexts with a naive model. Random requests are sent while
 * processes exit and connections close. Each step compares the status, the lists and the events,
 * and checks the accounting.
 *
 * VAILD_SEED=N selects another run, VAILD_STEPS=N its length. VAILD_COUNTS=1 prints the counts.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/names.h"
#include "proto/status.h"
#include "tests/model/gpu-model-counts.h"
#include "tests/model/gpu-model.h"

#define SEED_DEFAULT  20261121
#define STEPS_DEFAULT 40000

TestSuite(gpu_model);

typedef struct Run {
	FakeHost *fake_host;
	GpuModel *model;
	Dice dice;
	Caller *observer; /* root, which only reads */
	uint64_t seed, step;
	GpuModelCounts counts;
	const char *method;
	char parameters[512];
	const char *got;
} Run;

_printf_(2, 3) static void fail(const Run *run, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "gpu_model: step %" PRIu64 ", %s %s, status %s: ", run->step,
		run->method ? run->method : "no request", run->parameters,
		run->got ? run->got : "nothing");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	cr_assert_fail("repeat with VAILD_SEED=%" PRIu64, run->seed);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

/* --- the lists ------------------------------------------------------------------------------- */

static bool text_is(const JsonValue *object, const char *key, const char *expected)
{
	const char *text = json_string(json_member(object, key));

	return strcmp(text ? text : "", expected) == 0;
}

/* An absent number counts as 0. */
static bool number_is(const JsonValue *object, const char *key, uint64_t expected)
{
	uint64_t number = 0;

	json_read_unsigned(json_member(object, key), &number);
	return number == expected;
}

static bool adapter_is(const GpuModel *model, const JsonValue *item,
		       const GpuModelAdapter *model_adapter)
{
	return text_is(item, "adapter", model_adapter->handle) &&
	       text_is(item, "name", model_adapter->name) &&
	       text_is(item, "source", model_adapter->connection ? "client" : "software") &&
	       text_is(item, "systemProcess", model_adapter->system_process) &&
	       number_is(item, "maxVirtualGpus", model_adapter->max_virtual_gpus) &&
	       number_is(item, "virtualGpus", gpu_model_virtual_gpus_of(model, model_adapter));
}

static bool process_is(const GpuModel *model, const JsonValue *item,
		       const GpuModelGpuProcess *process)
{
	char guid[GUID_TEXT_LENGTH + 1] = "";
	bool is_system = !process->is_system;

	if (process->machine != GPU_MODEL_NO_MACHINE)
		gpu_model_machine_guid(process->machine, guid);
	json_read_boolean(json_member(item, "systemProcess"), &is_system);
	return text_is(item, "process", process->handle) &&
	       text_is(item, "adapter", process->adapter) &&
	       text_is(item, "state", process->is_running ? "running" : "creating") &&
	       text_is(item, "name", process->name) && text_is(item, "virtualMachineGuid", guid) &&
	       number_is(item, "pid", (uint64_t)process->pid) && is_system == process->is_system &&
	       number_is(item, "contexts", gpu_model_contexts_of(model, process)) &&
	       number_is(item, "ranges", 1 + process->reservations + process->user_ranges);
}

static const JsonValue *read_list(Run *run, Caller *caller, const char *method, const char *key)
{
	const char *status = call(run->fake_host, caller, method, NULL);

	if (strcmp(status, "STATUS_SUCCESS") != 0)
		fail(run, "%s: %s", method, status);
	return reply_value(run->fake_host, key);
}

/* All connections see all adapters. */
static void check_adapters(Run *run, Caller *caller)
{
	const GpuModel *model = run->model;
	const JsonValue *list = read_list(run, caller, LIST_ADAPTERS, "adapters");

	if (json_array_size(list) != model->adapter_count)
		fail(run, "%zu adapters, expected %zu", json_array_size(list),
		     model->adapter_count);
	for (size_t i = 0; i < model->adapter_count; i++)
		if (!adapter_is(model, json_array_at(list, i), &model->adapters[i]))
			fail(run, "unexpected adapters: %s", run->fake_host->reply_text);
}

/* A NULL connection means the observer, which sees all processes. */
static void check_processes(Run *run, const GpuModelConnection *connection)
{
	GpuModel *model = run->model;
	const JsonValue *list = read_list(run, connection ? connection->caller : run->observer,
					  LIST_PROCESSES, "processes");
	size_t at = 0;

	for (size_t i = 0; i < model->process_count; i++) {
		const GpuModelGpuProcess *process = &model->processes[i];

		if (connection && !gpu_model_is_visible(model, connection, process))
			continue;
		if (at >= json_array_size(list) ||
		    !process_is(model, json_array_at(list, at++), process))
			fail(run, "process %s is missing or different: %s", process->handle,
			     run->fake_host->reply_text);
	}
	if (at != json_array_size(list))
		fail(run, "too many processes: %s", run->fake_host->reply_text);
}

static void check_lists(Run *run)
{
	const GpuModel *model = run->model;
	const GpuModelConnection *connection = NULL;

	if (model->connection_count > 0)
		connection = &model->connections[dice_roll(&run->dice, model->connection_count)];
	check_adapters(run, connection ? connection->caller : run->observer);
	check_processes(run, NULL);
	if (connection)
		check_processes(run, connection);
}

/* --- events ---------------------------------------------------------------------------------- */

static bool event_is(const FakeEvent *event, const GpuModelEvent *expected)
{
	char guid[GUID_TEXT_LENGTH + 1] = "", expected_guid[GUID_TEXT_LENGTH + 1] = "";
	GpuModelHandle handle = "";

	if (event->has_guid)
		guid_format(&event->guid, guid);
	if (expected->machine != GPU_MODEL_NO_MACHINE)
		gpu_model_machine_guid(expected->machine, expected_guid);
	if (event->has_handle)
		handle_format(&event->handle, handle);
	return event->kind == expected->kind && event->reason == expected->reason &&
	       event->pid == expected->pid && event->uid == expected->uid &&
	       strcmp(handle, expected->handle) == 0 && strcmp(guid, expected_guid) == 0;
}

/*
 * Returns the index of an expected event that matches and was not seen yet, or the count of events.
 */
static size_t match(const Run *run, const FakeEvent *event, const bool seen[])
{
	size_t at = 0;

	while (at < run->model->event_count &&
	       (seen[at] || !event_is(event, &run->model->events[at])))
		at++;
	return at;
}

/* An entity's parts must end before it. */
static void check_group(const Run *run, const GpuModelEvent *end, const bool seen[])
{
	for (size_t i = 0; end->closes > 0 && i < run->model->event_count; i++)
		if (run->model->events[i].group == end->closes && !seen[i])
			fail(run, "%s occurred before the end of its parts",
			     event_kind_name(end->kind));
}

/*
 * Each expected event must occur once, and no others. Events of a two-level root table that grows
 * are ignored; another test covers them.
 */
static void check_events(Run *run, size_t first)
{
	bool seen[GPU_MODEL_EVENTS] = { false };
	size_t count = 0;

	for (size_t i = first; i < run->fake_host->event_count; i++) {
		const FakeEvent *event = &run->fake_host->events[i % FAKE_HOST_EVENT_MAX];
		size_t at = match(run, event, seen);

		if (event->kind == EVENT_PAGE_TABLE_RESIDENT)
			continue;
		if (at == run->model->event_count)
			fail(run, "%s, %s, is not expected", event_kind_name(event->kind),
			     end_reason_name(event->reason));
		seen[at] = true;
		count++;
		check_group(run, &run->model->events[at], seen);
		run->counts.events[event->kind][event->reason]++;
	}
	for (size_t i = 0; i < run->model->event_count; i++)
		if (!seen[i])
			fail(run, "%s, %s, did not occur",
			     event_kind_name(run->model->events[i].kind),
			     end_reason_name(run->model->events[i].reason));
	cr_assert_eq(count, run->model->event_count);
}

/* --- steps ----------------------------------------------------------------------------------- */

/* Stores the handles from a successful reply. */
static void learn(Run *run, GpuModelMethod method)
{
	static const char *const keys[] = {
		[GPU_MODEL_REGISTER_ADAPTER] = "adapter",
		[GPU_MODEL_CREATE_PROCESS] = "process",
		[GPU_MODEL_CREATE_CONTEXT] = "context",
		[GPU_MODEL_ASSIGN] = "virtualGpu",
		[GPU_MODEL_METHOD_MAX] = NULL,
	};
	const char *process_key =
		method == GPU_MODEL_REGISTER_ADAPTER ? "systemProcess" : "process";

	if (!keys[method])
		return;
	const char *handle = reply_string(run->fake_host, keys[method]);
	const char *process = reply_string(run->fake_host, process_key);
	if (strlen(handle) != HANDLE_TEXT_LENGTH)
		fail(run, "no handle: %s", run->fake_host->reply_text);
	if (!gpu_model_learn(run->model, method, handle, process))
		fail(run, "the context is in another process: %s", run->fake_host->reply_text);
}

static void send_one(Run *run)
{
	GpuModelRequest request;
	NTSTATUS status;

	run->method = run->got = NULL;
	run->parameters[0] = '\0';
	if (!gpu_model_make_request(run->model, &run->dice, &request, run->parameters))
		return;
	run->method = gpu_model_method_names[request.method];
	run->got = call(run->fake_host, request.from->caller, run->method, run->parameters);
	status = gpu_model_answer(run->model, &request);
	if (strcmp(run->got, status_name(status)) != 0)
		fail(run, "expected %s", status_name(status));
	run->counts.answers[request.method][status_index(status)]++;
	if (status == STATUS_SUCCESS)
		learn(run, request.method);
	run->got = status_name(status);
}

static void step(Run *run)
{
	size_t first = run->fake_host->event_count;

	run->model->event_count = 0;
	gpu_model_disturb(run->model, run->fake_host, &run->dice);
	send_one(run);
	check_events(run, first);
	check_lists(run);
	/* Reap a little. The next step must not see a difference. */
	broker_reap(run->fake_host->service.broker, run->step % 3);
	broker_check(run->fake_host->service.broker);
}

/* --- the run --------------------------------------------------------------------------------- */

static void learn_software_adapter(Run *run)
{
	GpuModel *model = run->model;
	GpuModelAdapter *model_adapter = &model->adapters[model->adapter_count++];
	GpuModelGpuProcess *process = &model->processes[model->process_count++];

	call(run->fake_host, run->observer, LIST_ADAPTERS, NULL);
	strcpy(model_adapter->handle, reply_string(run->fake_host, "adapters[0].adapter"));
	strcpy(model_adapter->system_process,
	       reply_string(run->fake_host, "adapters[0].systemProcess"));
	strcpy(model_adapter->name, reply_string(run->fake_host, "adapters[0].name"));
	model_adapter->max_virtual_gpus = LIMIT_SOFTWARE_ADAPTER_VIRTUAL_GPUS;
	model_adapter->payer = GPU_MODEL_DAEMON_PAYER;
	*process = (GpuModelGpuProcess){
		.payer = GPU_MODEL_DAEMON_PAYER,
		.machine = GPU_MODEL_NO_MACHINE,
		.is_system = true,
		.is_running = true,
	};
	strcpy(process->handle, model_adapter->system_process);
	strcpy(process->adapter, model_adapter->handle);
}

static void run_begin(Run *run)
{
	static const struct {
		LimitKind kind;
		uint64_t maximum;
	} few[] = {
		{ LIMIT_ADAPTERS, 3 },         { LIMIT_GPU_PROCESSES, 9 },
		{ LIMIT_CONTEXTS, 5 },         { LIMIT_VIRTUAL_GPUS, 6 },
		{ LIMIT_USER_RANGES, 8 },      { LIMIT_DRIVER_RESERVATIONS, 4 },
		{ LIMIT_VIRTUAL_MACHINES, 2 },
	};
	Limits limits = limits_default;

	for (size_t i = 0; i < ARRAY_SIZE(few); i++)
		limits.per_uid[few[i].kind] = few[i].maximum;
	run->seed = number_from("VAILD_SEED", SEED_DEFAULT);
	run->dice.state = run->seed;
	run->fake_host = fake_host_new_with(&limits);
	run->fake_host->random = run->seed;
	run->model = calloc(1, sizeof(*run->model));
	memcpy(run->model->limits, limits.per_uid, sizeof(run->model->limits));
	run->model->group_in_force = true;
	fake_host_user(run->fake_host, "alice", GPU_MODEL_VIEWER_UID);
	run->observer = fake_host_connect(run->fake_host, fake_host_process(run->fake_host, 50, 0));
	learn_software_adapter(run);
}

/* Stopping the daemon ends everything, with events. broker_free() checks the accounting. */
static void run_end(Run *run)
{
	size_t first = run->fake_host->event_count;

	run->model->event_count = 0;
	gpu_model_stop(run->model);
	run->fake_host->service.broker = broker_free(run->fake_host->service.broker);
	check_events(run, first);
	cr_assert_eq(run->model->process_count + run->model->context_count, 0u);
	free(run->model);
	fake_host_free(run->fake_host);
}

Test(gpu_model, random_requests_match_the_naive_model)
{
	Run run = { 0 };
	uint64_t steps = number_from("VAILD_STEPS", STEPS_DEFAULT);

	run_begin(&run);
	fprintf(stderr, "gpu_model: VAILD_SEED=%" PRIu64 "\n", run.seed);
	for (run.step = 0; run.step < steps; run.step++)
		step(&run);
	if (getenv("VAILD_COUNTS"))
		gpu_model_counts_print(&run.counts);
	if (steps >= STEPS_DEFAULT) {
		gpu_model_counts_check(&run.counts);
		cr_expect_gt(run.model->ended_creating, 200u);
		cr_expect_gt(run.model->ended_with_contexts, 50u);
	}
	run_end(&run);
}
