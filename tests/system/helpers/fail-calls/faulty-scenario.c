/* SPDX-License-Identifier: MIT */
#include "tests/system/helpers/fail-calls/faulty-scenario.h"

#include <signal.h>

#define GUID_A "5ca1ab1e-0000-4000-8000-00000000000a"
#define GUID_B "5ca1ab1e-0000-4000-8000-00000000000b"
#define GUID_C "5ca1ab1e-0000-4000-8000-00000000000c"

#define NAMES_A           "\"virtualMachineGuid\":\"" GUID_A "\""
#define NAMES_B           "\"virtualMachineGuid\":\"" GUID_B "\""
#define NAMES_C           "\"virtualMachineGuid\":\"" GUID_C "\""
#define PROCESS           "\"process\":\"$process\",\"sizeInBytes\":"
#define AT                ",\"baseAddress\":"
#define IMAGE             ",\"width\":64,\"height\":32,\"format\":\"XR24\",\"planes\":[" PLANE(0)
#define PLANE(n)          "{\"fileDescriptor\":" #n ",\"offset\":0,\"stride\":256}"
#define FIRST             "{\"handle\":\"$first\"}"
#define SECOND            "{\"handle\":\"$second\"}"
#define LIFT              "{" NAMES_C ",\"quarantined\":false}"
#define QUARANTINE_METHOD "io.vaild.Machine.SetQuarantine"

/* clang-format off */
const Step scenario_steps[] = {
	{ .kind = STEP_START, .role = ROLE_OPERATOR },
	{ .kind = STEP_START, .role = ROLE_VMM },
	{ .kind = STEP_START, .role = ROLE_CLIENT },
	{ STEP_ASK, ROLE_OPERATOR, "io.vaild.Machine.RegisterVirtualMachine", "{" NAMES_A
	  ",\"vmmPid\":$vmm,\"name\":\"guest\",\"displayClients\":[{\"user\":\"vail-alice\"},"
	  "{\"user\":\"vail-bob\"}],\"agent\":{\"pid\":$vmm}}", 0, 0 },
	{ STEP_ASK, ROLE_OPERATOR, "io.vaild.Machine.UpdateVirtualMachine", "{" NAMES_A
	  ",\"name\":\"other\"}", 0, 0 },
	{ STEP_ASK, ROLE_OPERATOR, "io.vaild.Machine.AssignVirtualGpu", "{" NAMES_A "}", 0, 0 },
	{ STEP_ASK, ROLE_OPERATOR, "io.vaild.Machine.RegisterVirtualMachine", "{" NAMES_B
	  ",\"vmmPid\":$vmm,\"displayClients\":[{\"user\":\"vail-bob\"}]}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.Gpu.CreateContext", "{}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.Gpu.ReserveGpuVirtualAddress",
	  "{" PROCESS "1048576" AT "\"0x20000000000\"}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.Gpu.MapGpuVirtualAddress", "{" PROCESS "262144,"
	  "\"protection\":\"readWrite\",\"allocation\":7" AT "\"0x20000010000\"}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.Gpu.FreeGpuVirtualAddress",
	  "{" PROCESS "4096" AT "\"0x20000020000\"}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.Gpu.MapGpuVirtualAddress",
	  "{" PROCESS "8192,\"protection\":\"zero\"}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.RegisterVailProcess", "{" NAMES_A "}", 0, 0 },
	{ STEP_SHARE, ROLE_VMM, "io.vaild.ShareObjectWithHost", "{" NAMES_A ",\"object\":{"
	  "\"name\":\"first\",\"type\":\"resource\",\"access\":\"read\"" IMAGE "]}}", 1, 1 },
	{ STEP_SHARE, ROLE_VMM, "io.vaild.ShareObjectWithHost", "{" NAMES_A ",\"object\":{"
	  "\"name\":\"second\",\"type\":\"resource\",\"access\":\"readWrite\"" IMAGE ","
	  PLANE(1) "," PLANE(2) "]}}", 3, 2 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.OpenSharedObject", FIRST, 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.OpenSharedObject", SECOND, 0, 0 },
	{ STEP_ASK, ROLE_VMM, "io.vaild.UpdateObject", "{\"handle\":\"$first\"}", 0, 0 },
	{ .kind = STEP_START, .role = ROLE_VIEWER },
	{ STEP_ASK, ROLE_VIEWER, "io.vaild.Gpu.CreateContext", "{}", 0, 0 },
	{ STEP_ASK, ROLE_VIEWER, "io.vaild.RegisterVailProcess", "{" NAMES_A "}", 0, 0 },
	{ STEP_ASK, ROLE_VIEWER, "io.vaild.OpenSharedObject", FIRST, 0, 0 },
	{ STEP_ASK, ROLE_OPERATOR, QUARANTINE_METHOD,
	  "{" NAMES_C ",\"quarantined\":true,\"reason\":\"odd\"}", 0, 0 },
	/* The following steps mostly remove entities. */
	{ STEP_ASK, ROLE_VMM, "io.vaild.UnshareObject", FIRST, 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.CloseSharedObject", FIRST, 0, 0 },
	{ .kind = STEP_KILL, .role = ROLE_VIEWER },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.Gpu.FreeGpuVirtualAddress",
	  "{" PROCESS "524288" AT "\"0x20000028000\"}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.CloseSharedObject", SECOND, 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.OpenSharedObject", SECOND, 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.UnregisterVailProcess", "{" NAMES_A "}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.RegisterVailProcess", "{" NAMES_A "}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.OpenSharedObject", SECOND, 0, 0 },
	{ STEP_ASK, ROLE_OPERATOR, "io.vaild.RevokeRegistration",
	  "{" NAMES_A ",\"pid\":$client}", 0, 0 },
	{ STEP_ASK, ROLE_OPERATOR, "io.vaild.Machine.RemoveVirtualGpu",
	  "{\"virtualGpu\":\"$virtualGpu\"}", 0, 0 },
	{ STEP_ASK, ROLE_CLIENT, "io.vaild.Gpu.DestroyContext", "{\"context\":\"$context\"}", 0, 0 },
	{ STEP_ASK, ROLE_OPERATOR, "io.vaild.Machine.UnregisterVirtualMachine", "{" NAMES_B "}", 0, 0 },
	{ STEP_ASK, ROLE_OPERATOR, QUARANTINE_METHOD, LIFT, 0, 0 },
	{ .kind = STEP_KILL, .role = ROLE_CLIENT },
	{ .kind = STEP_KILL, .role = ROLE_VMM },
};
/* clang-format on */

const size_t scenario_step_count = sizeof(scenario_steps) / sizeof(scenario_steps[0]);
const size_t scenario_steps_before_restart = 23;

_Static_assert(sizeof(scenario_steps) / sizeof(scenario_steps[0]) < SCENARIO_STEPS_MAX,
	       "the expected states need one entry more than there are steps");

static const char *const users[ROLE_MAX] = {
	[ROLE_OPERATOR] = "root",
	[ROLE_VMM] = "vail-vmm",
	[ROLE_CLIENT] = "vail-alice",
	[ROLE_VIEWER] = "vail-bob",
};

/* --- handles --------------------------------------------------------------------------------- */

/*
 * The place of a handle in the reply of a list method: it follows the last key before the mark, or
 * the first key if that is the mark.
 */
static const struct {
	const char *name;
	const char *method;
	const char *key;
	const char *mark;
} slots[SLOT_MAX] = {
	[SLOT_FIRST] = { "first", "io.vaild.ListSharedObjects", "\"handle\":\"",
			 "\"name\":\"first\"" },
	[SLOT_SECOND] = { "second", "io.vaild.ListSharedObjects", "\"handle\":\"",
			  "\"name\":\"second\"" },
	[SLOT_PROCESS] = { "process", "io.vaild.Gpu.ListProcesses", "\"process\":\"",
			   "\"systemProcess\":false" },
	[SLOT_VIRTUAL_GPU] = { "virtualGpu", "io.vaild.Machine.ListVirtualMachines",
			       "\"virtualGpu\":\"", "\"virtualGpu\":\"" },
	[SLOT_CONTEXT] = { "context", NULL, "\"context\":\"", NULL },
};

static void copy_handle(Scenario *scenario, Slot slot, const char *at)
{
	snprintf(scenario->handles[slot], HANDLE_SIZE, "%.*s", HANDLE_SIZE - 1,
		 at + strlen(slots[slot].key));
}

static void look_up(Scenario *scenario, Slot slot)
{
	char request[128];
	const char *found = NULL;

	snprintf(request, sizeof(request), "{\"method\":\"%s\"}\n", slots[slot].method);
	char *reply = operator_request(scenario->daemon, request);
	const char *mark = strstr(reply, slots[slot].mark);
	for (const char *at = reply; mark && (at = strstr(at, slots[slot].key)) && at <= mark; at++)
		found = at;
	if (found)
		copy_handle(scenario, slot, found);
	free(reply);
}

/* Looks up the handle if necessary. Returns false if it is unknown. */
static bool find_handle(Scenario *scenario, Slot slot)
{
	if (scenario->handles[slot][0] == '\0' && slots[slot].method)
		look_up(scenario, slot);
	return scenario->handles[slot][0] != '\0';
}

/* Writes the pid or the handle with this name. Returns false if the handle is unknown. */
static bool fill_in(Scenario *scenario, const char *name, size_t length, FILE *out)
{
	if (strncmp(name, "vmm", length) == 0)
		return fprintf(out, "%d", scenario->actors[ROLE_VMM].pid) > 0;
	if (strncmp(name, "client", length) == 0)
		return fprintf(out, "%d", scenario->actors[ROLE_CLIENT].pid) > 0;
	for (Slot slot = 0; slot < SLOT_MAX; slot++)
		if (strlen(slots[slot].name) == length &&
		    strncmp(slots[slot].name, name, length) == 0)
			return find_handle(scenario, slot) &&
			       fputs(scenario->handles[slot], out) >= 0;
	errx(2, "unknown name in a step: %.*s", (int)length, name);
}

static bool make_request(Scenario *scenario, const Step *step, ActorCommand *command)
{
	FILE *out = fmemopen(command->text, sizeof(command->text), "w");
	const char *text = step->parameters;
	bool is_known = true;

	if (!out)
		err(2, "fmemopen");
	fprintf(out, "{\"method\":\"%s\",\"parameters\":", step->method);
	for (; *text && is_known; text++) {
		size_t length = strspn(text + 1, "abcdefghijklmnopqrstuvwxyzGP");

		if (*text != '$') {
			fputc(*text, out);
			continue;
		}
		is_known = fill_in(scenario, text + 1, length, out);
		text += length;
	}
	fputs("}\n", out);
	fclose(out);
	return is_known;
}

/* --- steps ----------------------------------------------------------------------------------- */

static const ActorReport *execute(Scenario *scenario, Role role, const ActorCommand *command)
{
	const Actor *actor = &scenario->actors[role];

	actor_send(actor, command);
	traced_daemon_await(scenario->daemon, actor->channel);
	return actor_receive(actor);
}

static Outcome classify(const ActorReport *report, const char **ret_answer)
{
	*ret_answer = report->status;
	if (strcmp(report->status, "STATUS_SUCCESS") == 0)
		return OUTCOME_SUCCESS;
	return strncmp(report->status, "STATUS_", strlen("STATUS_")) == 0 ? OUTCOME_REFUSED
									  : OUTCOME_LOST;
}

/* Sends GetInfo on the actor's connection. */
static Outcome ping(Scenario *scenario, Role role, const char **ret_answer)
{
	static const ActorCommand get_info = { .kind = ACTOR_REQUEST, .text = GET_INFO "\n" };
	const ActorReport *report = execute(scenario, role, &get_info);

	*ret_answer = report->status;
	return strstr(report->reply, "\"vendor\"") ? OUTCOME_SUCCESS : OUTCOME_LOST;
}

static Outcome start(Scenario *scenario, Role role, const char **ret_answer)
{
	Actor *actor = &scenario->actors[role];

	if (actor->pid == 0)
		*actor = actor_start(scenario->daemon->socket, users[role]);
	return ping(scenario, role, ret_answer);
}

static void end(Scenario *scenario, Role role)
{
	Actor *actor = &scenario->actors[role];

	if (actor->pid == 0)
		return;
	actor_end(actor, SIGKILL);
	actor->pid = 0;
	/* The daemon handles exits before requests. */
	free(operator_request(scenario->daemon, GET_INFO "\n"));
}

static Outcome ask(Scenario *scenario, const Step *step, const char **ret_answer)
{
	static ActorCommand command;

	command = (ActorCommand){ .kind = step->kind == STEP_SHARE ? ACTOR_SHARE : ACTOR_REQUEST,
				  .planes = step->planes,
				  .memories = step->memories };
	if (!make_request(scenario, step, &command))
		return OUTCOME_NO_HANDLE;
	const ActorReport *report = execute(scenario, step->role, &command);
	const char *context = strstr(report->reply, slots[SLOT_CONTEXT].key);
	if (context && step->role == ROLE_CLIENT)
		copy_handle(scenario, SLOT_CONTEXT, context);
	return classify(report, ret_answer);
}

Outcome scenario_execute(Scenario *scenario, const Step *step, const char **ret_answer)
{
	switch (step->kind) {
	case STEP_START:
		return start(scenario, step->role, ret_answer);
	case STEP_KILL:
		end(scenario, step->role);
		return OUTCOME_SUCCESS;
	default:
		return ask(scenario, step, ret_answer);
	}
}

void scenario_reconnect(Scenario *scenario)
{
	static const ActorCommand reconnect = { .kind = ACTOR_RECONNECT };
	const char *answer;

	for (Role role = 0; role < ROLE_MAX; role++) {
		if (scenario->actors[role].pid == 0)
			continue;
		execute(scenario, role, &reconnect);
		if (ping(scenario, role, &answer) != OUTCOME_SUCCESS)
			errx(2, "%s gets no reply after reconnecting: %s", users[role], answer);
	}
}

void scenario_clear(Scenario *scenario)
{
	for (Role role = 0; role < ROLE_MAX; role++)
		end(scenario, role);
	free(operator_request(scenario->daemon,
			      "{\"method\":\"" QUARANTINE_METHOD "\",\"parameters\":" LIFT "}\n"));
}
