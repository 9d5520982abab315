/* SPDX-License-Identifier: MIT */
#include "faulty-scenario.h"

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
	{ .kind = STEP_BEGIN, .role = ROLE_OPERATOR },
	{ .kind = STEP_BEGIN, .role = ROLE_VMM },
	{ .kind = STEP_BEGIN, .role = ROLE_CLIENT },
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
	{ .kind = STEP_BEGIN, .role = ROLE_VIEWER },
	{ STEP_ASK, ROLE_VIEWER, "io.vaild.Gpu.CreateContext", "{}", 0, 0 },
	{ STEP_ASK, ROLE_VIEWER, "io.vaild.RegisterVailProcess", "{" NAMES_A "}", 0, 0 },
	{ STEP_ASK, ROLE_VIEWER, "io.vaild.OpenSharedObject", FIRST, 0, 0 },
	{ STEP_ASK, ROLE_OPERATOR, QUARANTINE_METHOD,
	  "{" NAMES_C ",\"quarantined\":true,\"reason\":\"odd\"}", 0, 0 },
	/* What the rest takes away is there now. */
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
	       "there is room for what is expected after each");

static const char *const users[ROLE_MAX] = {
	[ROLE_OPERATOR] = "root",
	[ROLE_VMM] = "vail-vmm",
	[ROLE_CLIENT] = "vail-alice",
	[ROLE_VIEWER] = "vail-bob",
};

/* --- handles --------------------------------------------------------------------------------- */

/* Where they are listed: the one that stands before a mark, or behind it where that is the key. */
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
	char *reply = picture_ask(scenario->daemon, request);
	const char *mark = strstr(reply, slots[slot].mark);
	for (const char *at = reply; mark && (at = strstr(at, slots[slot].key)) && at <= mark; at++)
		found = at;
	if (found)
		copy_handle(scenario, slot, found);
	free(reply);
}

/* Returns false where nobody knows it. */
static bool know_handle(Scenario *scenario, Slot slot)
{
	if (scenario->handles[slot][0] == '\0' && slots[slot].method)
		look_up(scenario, slot);
	return scenario->handles[slot][0] != '\0';
}

/* Writes what stands for the name. Returns false where that is not known. */
static bool fill_in(Scenario *scenario, const char *name, size_t length, FILE *out)
{
	if (strncmp(name, "vmm", length) == 0)
		return fprintf(out, "%d", scenario->cast.actors[ROLE_VMM].pid) > 0;
	if (strncmp(name, "client", length) == 0)
		return fprintf(out, "%d", scenario->cast.actors[ROLE_CLIENT].pid) > 0;
	for (Slot slot = 0; slot < SLOT_MAX; slot++)
		if (strlen(slots[slot].name) == length &&
		    strncmp(slots[slot].name, name, length) == 0)
			return know_handle(scenario, slot) &&
			       fputs(scenario->handles[slot], out) >= 0;
	errx(2, "nothing is called %.*s", (int)length, name);
}

static bool make_order(Scenario *scenario, const Step *step, Order *order)
{
	FILE *out = fmemopen(order->text, sizeof(order->text), "w");
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

static const Seen *order(Scenario *scenario, Role role, const Order *what)
{
	const Actor *actor = &scenario->cast.actors[role];

	actor_tell(actor, what);
	traced_daemon_await(scenario->daemon, actor->channel);
	return actor_hear(actor);
}

static Outcome judge(const Seen *seen, const char **ret_answer)
{
	*ret_answer = seen->status;
	if (strcmp(seen->status, "STATUS_SUCCESS") == 0)
		return OUTCOME_SUCCESS;
	return strncmp(seen->status, "STATUS_", strlen("STATUS_")) == 0 ? OUTCOME_REFUSED
									: OUTCOME_LOST;
}

/* Asks for something that everybody is answered, on the connection that it has. */
static Outcome greet(Scenario *scenario, Role role, const char **ret_answer)
{
	static const Order get_info = { .kind = ORDER_ASK, .text = GET_INFO "\n" };
	const Seen *seen = order(scenario, role, &get_info);

	*ret_answer = seen->status;
	return strstr(seen->reply, "\"vendor\"") ? OUTCOME_SUCCESS : OUTCOME_LOST;
}

static Outcome begin(Scenario *scenario, Role role, const char **ret_answer)
{
	Actor *actor = &scenario->cast.actors[role];

	if (actor->pid == 0)
		*actor = actor_start(scenario->daemon->socket, users[role]);
	return greet(scenario, role, ret_answer);
}

static void end(Scenario *scenario, Role role)
{
	Actor *actor = &scenario->cast.actors[role];

	if (actor->pid == 0)
		return;
	actor_end(actor, SIGKILL);
	actor->pid = 0;
	/* It hears of ends before it answers anything. */
	free(picture_ask(scenario->daemon, GET_INFO "\n"));
}

static Outcome ask(Scenario *scenario, const Step *step, const char **ret_answer)
{
	static Order what;

	what = (Order){ .kind = step->kind == STEP_SHARE ? ORDER_SHARE : ORDER_ASK,
			.planes = step->planes,
			.memories = step->memories };
	if (!make_order(scenario, step, &what))
		return OUTCOME_NO_HANDLE;
	const Seen *seen = order(scenario, step->role, &what);
	const char *context = strstr(seen->reply, slots[SLOT_CONTEXT].key);
	if (context && step->role == ROLE_CLIENT)
		copy_handle(scenario, SLOT_CONTEXT, context);
	return judge(seen, ret_answer);
}

Outcome scenario_play(Scenario *scenario, const Step *step, const char **ret_answer)
{
	switch (step->kind) {
	case STEP_BEGIN:
		return begin(scenario, step->role, ret_answer);
	case STEP_KILL:
		end(scenario, step->role);
		return OUTCOME_SUCCESS;
	default:
		return ask(scenario, step, ret_answer);
	}
}

void scenario_reconnect(Scenario *scenario)
{
	static const Order connect_anew = { .kind = ORDER_CONNECT };
	const char *answer;

	for (Role role = 0; role < ROLE_MAX; role++) {
		if (scenario->cast.actors[role].pid == 0)
			continue;
		order(scenario, role, &connect_anew);
		if (greet(scenario, role, &answer) != OUTCOME_SUCCESS)
			errx(2, "%s is not answered: %s", users[role], answer);
	}
}

void scenario_clear(Scenario *scenario)
{
	for (Role role = 0; role < ROLE_MAX; role++)
		end(scenario, role);
	free(picture_ask(scenario->daemon,
			 "{\"method\":\"" QUARANTINE_METHOD "\",\"parameters\":" LIFT "}\n"));
}
