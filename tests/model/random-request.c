/* SPDX-License-Identifier: MIT */
/* Random requests of random callers. Most are well-formed and name an existing entity. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/random.h"

static const char *const method_names[MODEL_METHOD_MAX] = {
	[MODEL_GET_INFO] = GET_INFO,
	[MODEL_GET_DESCRIPTION] = GET_DESCRIPTION,
	[MODEL_REGISTER] = REGISTER,
	[MODEL_UNREGISTER] = UNREGISTER,
	[MODEL_REVOKE] = REVOKE,
	[MODEL_LIST_REGISTRATIONS] = LIST_REGISTRATIONS,
	[MODEL_REGISTER_MACHINE] = REGISTER_MACHINE,
	[MODEL_UPDATE_MACHINE] = UPDATE_MACHINE,
	[MODEL_UNREGISTER_MACHINE] = UNREGISTER_MACHINE,
	[MODEL_ASSIGN] = ASSIGN,
	[MODEL_REMOVE] = REMOVE,
	[MODEL_LIST_MACHINES] = LIST_MACHINES,
	[MODEL_DESCRIBE] = DESCRIBE,
	[MODEL_SET_QUARANTINE] = SET_QUARANTINE,
	[MODEL_LIST_QUARANTINES] = LIST_QUARANTINES,
	[MODEL_LIST_ADAPTERS] = LIST_ADAPTERS,
	[MODEL_CREATE_CONTEXT] = CREATE_CONTEXT,
	[MODEL_DESTROY_CONTEXT] = DESTROY_CONTEXT,
};

/*
 * Relative frequencies. Methods that create entities are called more often than those that end
 * them.
 */
static const unsigned int weights[MODEL_METHOD_MAX] = {
	[MODEL_GET_INFO] = 1,          [MODEL_GET_DESCRIPTION] = 1, [MODEL_REGISTER] = 30,
	[MODEL_UNREGISTER] = 5,        [MODEL_REVOKE] = 4,          [MODEL_LIST_REGISTRATIONS] = 8,
	[MODEL_REGISTER_MACHINE] = 16, [MODEL_UPDATE_MACHINE] = 8,  [MODEL_UNREGISTER_MACHINE] = 2,
	[MODEL_ASSIGN] = 12,           [MODEL_REMOVE] = 6,          [MODEL_LIST_MACHINES] = 6,
	[MODEL_DESCRIBE] = 8,          [MODEL_SET_QUARANTINE] = 5,  [MODEL_LIST_QUARANTINES] = 4,
	[MODEL_LIST_ADAPTERS] = 2,     [MODEL_CREATE_CONTEXT] = 8,  [MODEL_DESTROY_CONTEXT] = 6,
};

static ModelMethod random_method(Dice *dice)
{
	unsigned int sum = 0, at = 0;

	for (int method = 0; method < MODEL_METHOD_MAX; method++)
		sum += weights[method];
	uint64_t roll = dice_roll(dice, sum);
	while (roll >= weights[at])
		roll -= weights[at++];
	return (ModelMethod)at;
}

static uint64_t random_pid(const FakeHost *fake_host, Dice *dice)
{
	static const uint64_t odd[] = { 0, 1, 99999, INT32_MAX, UINT64_C(1) << 31, INT64_MAX };

	if (dice_chance(dice, 15))
		return odd[dice_roll(dice, ARRAY_SIZE(odd))];
	return (uint64_t)fake_host->processes[dice_roll(dice, fake_host->process_count)].pid;
}

static const char *random_user(Dice *dice)
{
	static const char *const users[] = {
		"alice", "bob", "carol", "1000", "root", "nobody-here"
	};

	return users[dice_roll(dice, ARRAY_SIZE(users))];
}

static ModelParty random_party(const FakeHost *fake_host, const ModelRequest *request, Dice *dice)
{
	ModelParty party = { 0 };

	if (dice_chance(dice, 2)) {
		party.user = random_user(dice);
	} else {
		party.has_pid = true;
		party.pid = dice_chance(dice, 2) ? (uint64_t)request->caller->pid
						 : random_pid(fake_host, dice);
	}
	if (dice_chance(dice, 30)) /* both members or none: invalid */
		party = party.user ? (ModelParty){ .user = party.user, .has_pid = true, .pid = 1 }
				   : (ModelParty){ 0 };
	return party;
}

/* Chooses a handle: mostly a valid one, or one of another type, or none. */
static void random_handle(const Model *model, ModelRequest *request, Dice *dice)
{
	const char *handle = "no handle at all";
	size_t at = dice_roll(dice, 12); /* the first entries are used most */

	switch (dice_roll(dice, 10)) {
	case 0:
		handle = model->adapter;
		break;
	case 1:
		handle = "00112233445566778899aabbccddeeff";
		break;
	case 2:
		handle = model->gpu_processes[at].handle;
		break;
	case 3:
		break;
	default:
		if (request->method == MODEL_REMOVE)
			handle = model->virtual_gpus[at].handle;
		else if (request->method == MODEL_DESTROY_CONTEXT)
			handle = model->contexts[at].handle;
		else
			handle = model->adapter;
	}
	snprintf(request->handle, sizeof(request->handle), "%s", handle);
}

/* Makes the request name an existing registration, if the chosen entry has one. */
static void aim_at_registration(Model *model, ModelRequest *request, Dice *dice)
{
	const ModelRegistration *registration = &model->registrations[dice_roll(dice, 6)];

	if (registration->serial == 0)
		return;
	request->guid = model_machine(model, registration->machine)->guid;
	request->pid = (uint64_t)registration->pid;
}

static void fill_machine(const FakeHost *fake_host, ModelRequest *request, Dice *dice)
{
	request->has_name = dice_chance(dice, 3);
	request->name = (int)dice_roll(dice, 5);
	request->has_vmm_pid = request->method == MODEL_REGISTER_MACHINE ? !dice_chance(dice, 3)
									 : dice_chance(dice, 3);
	request->pid = random_pid(fake_host, dice);
	request->has_clients = dice_chance(dice, 2);
	request->client_count = dice_roll(dice, MODEL_PARTY_MAX + 1);
	for (size_t i = 0; i < request->client_count; i++)
		request->clients[i] = random_party(fake_host, request, dice);
	request->has_agent = dice_chance(dice, 3);
	request->agent = random_party(fake_host, request, dice);
}

static void write_party(FILE *out, const ModelParty *party)
{
	fputc('{', out);
	if (party->user)
		fprintf(out, "\"user\":\"%s\"", party->user);
	if (party->has_pid)
		fprintf(out, "%s\"pid\":%" PRIu64, party->user ? "," : "", party->pid);
	fputc('}', out);
}

static void write_machine(FILE *out, const ModelRequest *request)
{
	if (request->has_name)
		fprintf(out, ",\"name\":\"n%d\"", request->name);
	if (request->has_vmm_pid)
		fprintf(out, ",\"vmmPid\":%" PRIu64, request->pid);
	if (request->has_clients) {
		fputs(",\"displayClients\":[", out);
		for (size_t i = 0; i < request->client_count; i++) {
			fputs(i > 0 ? "," : "", out);
			write_party(out, &request->clients[i]);
		}
		fputc(']', out);
	}
	if (request->has_agent) {
		fputs(",\"agent\":", out);
		write_party(out, &request->agent);
	}
}

/* Unknown and mistyped members. The error must name the path. */
static const struct {
	int method; /* -1 for every method */
	const char *text, *path;
} spoilers[] = {
	{ -1, ",\"bogus\":null", "bogus" },
	{ -1, ",\"Virtualmachineguid\":1", "Virtualmachineguid" },
	{ MODEL_REGISTER, ",\"virtualMachineGuid\":7", "virtualMachineGuid" },
	{ MODEL_ASSIGN, ",\"virtualMachineGuid\":null", "virtualMachineGuid" },
	{ MODEL_ASSIGN, ",\"adapter\":[]", "adapter" },
	{ MODEL_REVOKE, ",\"pid\":-1", "pid" },
	{ MODEL_REVOKE, ",\"pid\":\"1\"", "pid" },
	{ MODEL_REVOKE, ",\"pid\":null", "pid" },
	{ MODEL_SET_QUARANTINE, ",\"quarantined\":1", "quarantined" },
	{ MODEL_REGISTER_MACHINE, ",\"vmmPid\":1.0", "vmmPid" },
	{ MODEL_REGISTER_MACHINE, ",\"displayClients\":{}", "displayClients" },
	{ MODEL_REGISTER_MACHINE, ",\"displayClients\":[{\"pid\":1},{\"pid\":true}]",
	  "displayClients[1].pid" },
	{ MODEL_UPDATE_MACHINE, ",\"vmmPid\":-1", "vmmPid" },
	{ MODEL_UPDATE_MACHINE, ",\"agent\":{\"uid\":1}", "agent.uid" },
	{ MODEL_UPDATE_MACHINE, ",\"displayClients\":[null]", "displayClients[0]" },
	{ MODEL_DESTROY_CONTEXT, ",\"context\":7", "context" },
	{ MODEL_REMOVE, ",\"virtualGpu\":{}", "virtualGpu" },
};

/* Returns the end of the member that begins at the comma. */
static char *member_end(char *at)
{
	int depth = 0;

	for (at++; depth > 0 || (*at != ',' && *at != '}'); at++) {
		depth += *at == '{' || *at == '[';
		depth -= *at == '}' || *at == ']';
	}
	return at;
}

/*
 * Adds a member to the parameters, which end the text. If they have it already, mostly replaces it;
 * otherwise it stands twice. Frees the text and returns the new one.
 */
static char *spoil(char *text, char *parameters, ModelRequest *request, Dice *dice)
{
	size_t at = dice_roll(dice, ARRAY_SIZE(spoilers));
	const char *member = spoilers[at].text;
	char name[sizeof(request->repeated) + 8], *spoiled = NULL;

	if (spoilers[at].method != -1 && spoilers[at].method != (int)request->method)
		return text;
	int length = (int)strcspn(member, ":");
	snprintf(name, sizeof(name), "%.*s:", length, member);
	char *old = strstr(parameters, name);

	request->bad_parameter = spoilers[at].path;
	if (old && dice_chance(dice, 4))
		snprintf(request->repeated, sizeof(request->repeated), "%.*s", length - 3,
			 member + 2);
	else if (old)
		memmove(old, member_end(old), strlen(member_end(old)) + 1);
	fake_host_must(asprintf(&spoiled, "%.*s%s}", (int)strlen(text) - 1, text, member) > 0);
	free(text);
	return spoiled;
}

static bool has_guid_parameter(ModelMethod method)
{
	switch (method) {
	case MODEL_REGISTER:
	case MODEL_UNREGISTER:
	case MODEL_REVOKE:
	case MODEL_REGISTER_MACHINE:
	case MODEL_UPDATE_MACHINE:
	case MODEL_UNREGISTER_MACHINE:
	case MODEL_ASSIGN:
	case MODEL_DESCRIBE:
	case MODEL_SET_QUARANTINE:
		return true;
	default:
		return false;
	}
}

static void write_parameters(FILE *out, ModelRequest *request)
{
	if (has_guid_parameter(request->method))
		fprintf(out, ",\"virtualMachineGuid\":\"%s\"", model_guids[request->guid]);
	if (request->method == MODEL_REGISTER_MACHINE || request->method == MODEL_UPDATE_MACHINE)
		write_machine(out, request);
	if (request->method == MODEL_REVOKE)
		fprintf(out, ",\"pid\":%" PRIu64, request->pid);
	if (request->method == MODEL_SET_QUARANTINE)
		fprintf(out, ",\"quarantined\":%s,\"reason\":\"r\"",
			request->quarantined ? "true" : "false");
	if (request->method == MODEL_REMOVE)
		fprintf(out, ",\"virtualGpu\":\"%s\"", request->handle);
	if (request->method == MODEL_DESTROY_CONTEXT)
		fprintf(out, ",\"context\":\"%s\"", request->handle);
	if (request->has_handle)
		fprintf(out, ",\"adapter\":\"%s\"", request->handle);
	if (request->method == MODEL_GET_DESCRIPTION)
		fprintf(out, ",\"interface\":\"io.%s\"", request->known_interface ? "vaild" : "x");
}

char *random_request(FakeHost *fake_host, Model *model, Dice *dice, ModelRequest *ret)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fake_host_must(out != NULL);
	*ret = (ModelRequest){
		.method = random_method(dice),
		.caller = fake_host->callers[dice_roll(dice, fake_host->caller_count)],
		.guid = (int)dice_roll(dice, MODEL_GUID_MAX),
		.foreign = dice_chance(dice, 200),
		.quarantined = dice_chance(dice, 3),
		.known_interface = dice_chance(dice, 2),
	};
	random_handle(model, ret, dice);
	ret->pid = random_pid(fake_host, dice);
	if (ret->method == MODEL_REGISTER_MACHINE || ret->method == MODEL_UPDATE_MACHINE)
		fill_machine(fake_host, ret, dice);
	if (ret->method == MODEL_REVOKE)
		aim_at_registration(model, ret, dice);
	if (ret->method == MODEL_ASSIGN || ret->method == MODEL_CREATE_CONTEXT)
		ret->has_handle = dice_chance(dice, 3);

	/* Every member is written with a comma before it. The first comma is removed below. */
	fprintf(out, "{\"method\":\"%s\",\"parameters\":{", method_names[ret->method]);
	long begin = ftell(out);
	write_parameters(out, ret);
	fputs("}", out);
	fclose(out);
	if (dice_chance(dice, 40))
		text = spoil(text, text + begin, ret, dice);
	if (text[begin] == ',')
		memmove(text + begin, text + begin + 1, strlen(text + begin));
	return text;
}
