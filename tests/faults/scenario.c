/* SPDX-License-Identifier: MIT */
#include "tests/faults/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/session-fds.h"
#include "tests/faults/allocator.h"
#include "tests/support/fake-share.h"

#define STATUS_OF_SERVICE "io.vaild.Monitor.GetStatus"
#define GET_METRICS       "io.vaild.Monitor.GetMetrics"
#define RELOAD            "io.vaild.Monitor.ReloadConfiguration"

#define SHARED_IMAGE \
	"{\"virtualMachineGuid\":\"" GUID_A "\",\"object\":{\"name\":\"screen\"," IMAGE "}}"
#define PROCESS     "{\"process\":\"$process\"}"
#define OF_PROCESS  "{\"process\":\"$process\",\"sizeInBytes\":"
#define AT          ",\"baseAddress\":"
#define ENTRY       "{\"process\":\"$process\",\"virtualAddress\":\"0x10000000000\""
#define HANDLE      "{\"handle\":\"$handle\"}"
#define OF_DROP_IN  "build"
#define VIRTUAL_GPU "{\"virtualGpu\":\"$virtualGpu\"}"

/* clang-format off */
const Step steps[] = {
	{ ADMIN, REGISTER_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
	  "\"name\":\"guest\",\"displayClients\":[{\"user\":\"alice\"},{\"pid\":400}],"
	  "\"agent\":{\"user\":\"bob\"}}", false, false },
	{ ADMIN, UPDATE_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"other\","
	  "\"displayClients\":[{\"pid\":400},{\"user\":\"alice\"}],"
	  "\"agent\":{\"user\":\"libvirt-qemu\"}}", false, false },
	{ ADMIN, REGISTER_MACHINE, "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":400}",
	  false, false },
	{ ADMIN, REGISTER_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":100,"
	  "\"agent\":{\"pid\":300}}", false, false },
	{ ADMIN, UPDATE_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":100,"
	  "\"agent\":{\"user\":\"libvirt-qemu\"}}", false, false },
	{ ADMIN, ASSIGN, "{\"virtualMachineGuid\":\"" GUID_A "\",\"profile\":\"half\"}", false, false },
	{ CLIENT, CREATE_CONTEXT, NULL, false, false },
	{ CLIENT, RESERVE_ADDRESS, OF_PROCESS "1048576" AT "\"0x20000000000\"}", false, false },
	{ CLIENT, MAP_ADDRESS, OF_PROCESS "262144,\"protection\":\"readWrite\",\"allocation\":7"
	  AT "\"0x20000010000\"}", false, false },
	{ CLIENT, FREE_ADDRESS, OF_PROCESS "4096" AT "\"0x20000020000\"}", false, false },
	{ CLIENT, FREE_ADDRESS, OF_PROCESS "524288" AT "\"0x20000028000\"}", false, false },
	{ CLIENT, MAP_ADDRESS, OF_PROCESS "8192,\"protection\":\"zero\"}", false, false },
	{ CLIENT, TRANSLATE, "{\"process\":\"$process\",\"virtualAddress\":\"0x20000010000\"}",
	  false, false },
	{ CLIENT, DESCRIBE_SPACE, PROCESS, false, false },
	{ ADMIN, DESCRIBE_SPACE, PROCESS, true, false },
	{ CLIENT, REGISTER, NAMES_A, false, false },
	{ STRANGER, REGISTER, NAMES_A, false, false },
	{ MACHINE, SHARE, SHARED_IMAGE, false, true },
	{ CLIENT, OPEN, HANDLE, false, false },
	{ MACHINE, UPDATE_OBJECT, "{\"handle\":\"$handle\",\"damage\":[{\"x\":1,\"y\":2,"
	  "\"width\":3,\"height\":4}]}", false, false },
	{ ADMIN, LIST_OBJECTS, NULL, false, false },
	{ ADMIN, LIST_REGISTRATIONS, NULL, false, false },
	{ ADMIN, LIST_MACHINES, NULL, false, false },
	{ ADMIN, LIST_MACHINES, NULL, true, false },
	{ ADMIN, LIST_ADAPTERS, NULL, false, false },
	{ ADMIN, LIST_GPU_HOLDERS, NULL, false, false },
	{ ADMIN, LIST_PROCESSES, NULL, false, false },
	{ MACHINE, DESCRIBE, NAMES_A, false, false },
	{ ADMIN, WATCH, NULL, true, false },
	{ MACHINE, SERVE_DISPLAYS, NAMES_A, true, false },
	{ CLIENT, OPEN_DISPLAY, NAMES_A, false, false },
	{ ADMIN, LIST_DISPLAYS, NULL, false, false },
	{ ADMIN, CLOSE_DISPLAY, "{\"display\":\"$display\"}", false, false },
	/* The next steps mostly remove entities. */
	{ MACHINE, UNSHARE, HANDLE, false, false },
	{ CLIENT, CLOSE, HANDLE, false, false },
	{ CLIENT, DESTROY_CONTEXT, "{\"context\":\"$context\"}", false, false },
	{ ADMIN, REGISTER_ADAPTER, "{\"name\":\"card\",\"virtualAddressBitCount\":48,"
	  "\"pageTableIndexBitCount\":[9,9,9,9],\"maxVirtualGpus\":4}", false, false },
	{ ADMIN, COMPLETE_PROCESS, "{\"process\":\"$systemProcess\"}", false, false },
	{ ADMIN, CREATE_PROCESS, "{\"adapter\":\"$adapter\",\"pid\":300,\"name\":\"drawing\","
	  "\"virtualMachineGuid\":\"" GUID_A "\"}", false, false },
	{ ADMIN, RESERVE_RANGE, OF_PROCESS "4194304" AT "\"0x10000000000\"}", false, false },
	{ ADMIN, SET_ENTRY, ENTRY ",\"pageTableAddress\":\"0x5000\"}", false, false },
	{ ADMIN, COMPLETE_PROCESS, PROCESS, false, false },
	{ ADMIN, SET_ENTRY, "{\"process\":\"$process\",\"virtualAddress\":\"0x10000200000\","
	  "\"pageTableAddress\":\"0x6000\"}", false, false },
	{ ADMIN, EVICT, ENTRY "}", false, false },
	{ ADMIN, MAKE_RESIDENT, ENTRY "}", false, false },
	{ CLIENT, CREATE_CONTEXT, "{\"adapter\":\"$adapter\"}", false, false },
	{ CLIENT, DESTROY_CONTEXT, "{\"context\":\"$context\"}", false, false },
	{ ADMIN, DESTROY_PROCESS, PROCESS, false, false },
	{ ADMIN, UNREGISTER_ADAPTER, "{\"adapter\":\"$adapter\"}", false, false },
	{ ADMIN, REVOKE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":400}", false, false },
	{ CLIENT, UNREGISTER, NAMES_A, false, false },
	{ CLIENT, REGISTER, NAMES_A, false, false },
	{ MACHINE, SHARE, SHARED_IMAGE, false, true },
	{ CLIENT, OPEN, HANDLE, false, false },
	{ ADMIN, REMOVE, VIRTUAL_GPU, false, false },
	{ ADMIN, SET_QUARANTINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true,"
	  "\"reason\":\"odd\"}", false, false },
	{ ADMIN, LIST_QUARANTINES, NULL, false, false },
	{ ADMIN, SET_QUARANTINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":false}",
	  false, false },
	{ ADMIN, UNREGISTER_MACHINE, NAMES_A, false, false },
	{ ADMIN, REGISTER_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
	  "\"name\":\"" OF_DROP_IN "\"}", false, false },
	{ ADMIN, UPDATE_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"other\"}",
	  false, false },
	{ ADMIN, UPDATE_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\""
	  OF_DROP_IN "\"}", false, false },
	{ ADMIN, UNREGISTER_MACHINE, NAMES_A, false, false },
	{ ADMIN, STATUS_OF_SERVICE, NULL, false, false },
	{ ADMIN, GET_METRICS, NULL, false, false },
	{ ADMIN, RELOAD, NULL, false, false },
	{ ADMIN, GET_INFO, NULL, false, false },
	{ ADMIN, GET_DESCRIPTION, "{\"interface\":\"io.vaild.Gpu\"}", false, false },
};
/* clang-format on */

const size_t step_count = ARRAY_SIZE(steps);
const size_t steps_before_restart[] = { 28, 45 };
_Static_assert(ARRAY_SIZE(steps_before_restart) == RESTARTS, "RESTARTS is wrong");

/* The handles that later requests use, and their paths in replies. */
static const struct {
	const char *name;
	const char *path;
} slots[] = {
	{ "virtualGpu", "virtualGpu" },   { "handle", "sharedObject.handle" },
	{ "context", "context" },         { "process", "process" },
	{ "adapter", "adapter" },         { "systemProcess", "systemProcess" },
	{ "display", "display.display" },
};
_Static_assert(ARRAY_SIZE(slots) == SLOTS_MAX, "SLOTS_MAX is wrong");

static size_t slot_find(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		if (strlen(slots[i].name) == length && strncmp(slots[i].name, name, length) == 0)
			return i;
	fake_host_must(false && "a handle of that name");
	return 0;
}

/* Returns the parameters with the handles inserted. The caller frees them. */
static char *fill_in(const Scenario *scenario, const char *text)
{
	char *filled = NULL;
	size_t size;
	FILE *out = open_memstream(&filled, &size);

	fake_host_must(out != NULL);
	for (; *text; text++) {
		size_t length = strspn(text + 1, "abcdefghijklmnopqrstuvwxyzGP");

		if (*text != '$') {
			fputc(*text, out);
			continue;
		}
		fputs(scenario->handles[slot_find(text + 1, length)], out);
		text += length;
	}
	fclose(out);
	return filled;
}

/* Parses the first reply, stores its handles and returns its status. */
static const char *read_reply(Scenario *scenario, const char *text)
{
	FakeHost *fake_host = scenario->fake_host;
	const char *error;

	json_free(fake_host->reply);
	fake_host->reply = NULL;
	if (text[0] == '\0')
		return NULL;
	fake_host->reply = json_parse(fake_host->service.parser, text, strcspn(text, "\n"), &error);
	fake_host_must(fake_host->reply != NULL);
	if (!json_member(fake_host->reply, "error") && !reply_value(fake_host, "status"))
		return "STATUS_SUCCESS"; /* of org.varlink.service */
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		const char *handle = reply_string(fake_host, slots[i].path);

		if (handle[0] != '\0')
			snprintf(scenario->handles[i], sizeof(scenario->handles[i]), "%s", handle);
	}
	return reply_string(fake_host, "status");
}

static void end_server(Scenario *scenario)
{
	if (scenario->serves)
		session_deinit(&scenario->server);
	scenario->serves = false;
}

/* Begins to serve displays, in a session that stays open. Returns the first reply. */
static const char *serve(Scenario *scenario, const char *request)
{
	FakeHost *fake_host = scenario->fake_host;
	Buffer out = BUFFER_INIT;
	SessionState state;

	end_server(scenario);
	scenario->serves = true;
	session_init(&scenario->server, &fake_host->service, scenario->callers[MACHINE]);
	fake_host_must(buffer_append(&scenario->server.input, request, strlen(request)));
	session_arrived(&scenario->server, &(InputMetadata){ 0 });
	do {
		allocator_own_code(true);
		fake_host->must_ask_fdstore = true;
		state = session_pump(&scenario->server, &out);
		fake_host->must_ask_fdstore = false;
		allocator_own_code(false);
	} while (state == SESSION_PAUSED || state == SESSION_WAITS);
	fake_host->was_broken = state == SESSION_BROKEN;
	fake_host_must(buffer_append(&out, "", 1) && out.start == 0);
	free(fake_host->reply_text);
	fake_host->reply_text = out.data;
	return fake_host->reply_text;
}

const char *scenario_send(Scenario *scenario, const Step *step)
{
	FakeHost *fake_host = scenario->fake_host;
	int memory = step->shares ? sealed_memory(fake_host) : FD_NONE;
	char *parameters = fill_in(scenario, step->parameters ? step->parameters : "{}"), *request;

	fake_host_must(asprintf(&request, "{\"method\":\"%s\",\"more\":%s,\"parameters\":%s}\n",
				step->method, step->more ? "true" : "false", parameters) > 0);
	fake_host->sent = &memory;
	fake_host->sent_count = step->shares;
	const char *text = strcmp(step->method, SERVE_DISPLAYS) == 0
				   ? serve(scenario, request)
				   : exchange(fake_host, scenario->callers[step->who], request);
	for (size_t i = 0; i < fake_host->offered.count; i++)
		fake_host_close(fake_host, fake_host->offered.items[i]);
	free(parameters);
	free(request);
	const char *status = read_reply(scenario, text);
	if (strcmp(step->method, CLOSE_DISPLAY) == 0 && status &&
	    strcmp(status, "STATUS_SUCCESS") == 0)
		end_server(scenario);
	return status;
}

/* --- the watch ------------------------------------------------------------------------------- */

static void begin_watch(Scenario *scenario)
{
	static const char request[] = "{\"method\":\"" WATCH "\",\"more\":true}\n";

	session_init(&scenario->watch, &scenario->fake_host->service, scenario->callers[ADMIN]);
	fake_host_must(buffer_append(&scenario->watch.input, request, strlen(request)));
	session_arrived(&scenario->watch, &(InputMetadata){ 0 });
}

void scenario_listen(Scenario *scenario)
{
	Buffer out = BUFFER_INIT;
	SessionState state;

	do {
		allocator_own_code(true);
		state = session_pump(&scenario->watch, &out);
		allocator_own_code(false);
		buffer_truncate(&out, 0);
	} while (state == SESSION_PAUSED);
	buffer_deinit(&out);
	if (state == SESSION_WATCHES)
		return;
	session_deinit(&scenario->watch);
	begin_watch(scenario);
}

/* --- setup and teardown ---------------------------------------------------------------------- */

/* A drop-in for the VMs of one name. Nothing frees it. */
static char drop_in_name[] = OF_DROP_IN, alice[] = "alice", bob[] = "bob";
static DropInUser drop_in_clients[] = { { .name = alice, .uid = 1000 },
					{ .name = bob, .uid = 1001 } };
static DropIn drop_in = {
	.subject = DROP_IN_NAME,
	.name = drop_in_name,
	.clients = drop_in_clients,
	.client_count = ARRAY_SIZE(drop_in_clients),
	.has_agent = true,
	.agent = { .name = bob, .uid = 1001 },
};
static const DropIns drop_ins = { .items = &drop_in, .count = 1 };

Scenario *scenario_new(void)
{
	Scenario *scenario = calloc(1, sizeof(*scenario));

	fake_host_must(scenario != NULL);
	scenario->fixture = host_fixture_new_quiet();
	scenario->fake_host = scenario->fixture.fake_host;
	scenario->fake_host->own_code = allocator_own_code;
	scenario->fake_host->drop_ins = scenario->fake_host->service.broker->drop_ins = &drop_ins;
	scenario->callers[ADMIN] = scenario->fixture.admin;
	scenario->callers[MACHINE] = scenario->fixture.machine;
	scenario->callers[CLIENT] = scenario->fixture.client;
	scenario->callers[STRANGER] = scenario->fixture.stranger;
	begin_watch(scenario);
	return scenario;
}

void scenario_free(Scenario *scenario)
{
	FakeHost *fake_host = scenario->fake_host;

	end_server(scenario);
	session_deinit(&scenario->watch);
	for (size_t i = 0; i < fake_host->process_count; i++)
		fake_host_exit(fake_host, &fake_host->processes[i]);
	while (fake_host->caller_count > 0)
		fake_host_disconnect(fake_host, fake_host->callers[0]);
	/* End the adapters that still wait for their drivers after a restart. */
	fake_host->now += UINT64_C(1000000) * LIMIT_DRIVER_WAIT_SECONDS;
	adapters_end_overdue(fake_host->service.broker);
	while (broker_reap(fake_host->service.broker, SIZE_MAX))
		;
	broker_check(fake_host->service.broker);
	fake_host_must(fake_host->quarantine_count > 0 ||
		       RB_EMPTY(&fake_host->service.broker->accounts.tree));
	fake_host_must(fake_host_open_fds(fake_host) == 0);
	/* The persisted record of the software adapter. */
	fake_host_must(fake_host->persisted_count == 1);
	fake_host_free(fake_host);
	free(scenario);
}
