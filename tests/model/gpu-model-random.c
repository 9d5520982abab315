/* SPDX-License-Identifier: MIT */
/* Random requests about adapters and GPU processes. Most of them can succeed. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/model/gpu-model.h"

/* Returns a random item of an array, or NULL if it is empty. */
#define ANY(dice, array, count) ((count) > 0 ? &(array)[dice_roll((dice), (count))] : NULL)

#define ANY_HANDLE(dice, array, count)                                  \
	({                                                              \
		__typeof__(&(array)[0]) _any = ANY(dice, array, count); \
		_any ? _any->handle : NULL;                             \
	})

#define MIB (UINT64_C(1) << 20)

enum { FIRST_PID = 100, PIDS = 20, NAMES = 9 };

void gpu_model_machine_guid(int machine, char ret[static GUID_TEXT_LENGTH + 1])
{
	snprintf(ret, GUID_TEXT_LENGTH + 1, "40000000-0000-4000-8000-%012d", machine);
}

static _printf_(2, 3) void append(char text[static 512], const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + length, 512 - length, format, arguments);
	va_end(arguments);
}

static void append_machine(GpuModelRequest *request, char *text, int machine)
{
	char guid[GUID_TEXT_LENGTH + 1];

	request->machine = machine;
	gpu_model_machine_guid(machine, guid);
	append(text, ",\"virtualMachineGuid\":\"%s\"", guid);
}

/* Appends the handle; sometimes one that does not exist or is of another kind. */
static void append_handle(GpuModel *model, Dice *dice, GpuModelRequest *request, char *text,
			  const char *key, const char *handle)
{
	static const char nothing[] = "0123456789abcdef0123456789abcdef";
	const char *other[] = {
		ANY_HANDLE(dice, model->adapters, model->adapter_count),
		ANY_HANDLE(dice, model->processes, model->process_count),
		ANY_HANDLE(dice, model->contexts, model->context_count),
		ANY_HANDLE(dice, model->virtual_gpus, model->virtual_gpu_count),
	};

	if (!handle || dice_chance(dice, 20)) {
		size_t dead =
			model->dead_count < GPU_MODEL_DEAD ? model->dead_count : GPU_MODEL_DEAD;

		handle = dead > 0 ? model->dead[dice_roll(dice, dead)] : nothing;
		if (dice_chance(dice, 3))
			handle = other[dice_roll(dice, ARRAY_SIZE(other))];
		if (!handle || dice_chance(dice, 10))
			handle = dice_chance(dice, 2) ? nothing : "none";
	}
	snprintf(request->handle, sizeof(request->handle), "%s", handle);
	append(text, ",\"%s\":\"%s\"", key, request->handle);
}

/* --- senders --------------------------------------------------------------------------------- */

static const GpuModelConnection *any_connection(const GpuModel *model, Dice *dice)
{
	return ANY(dice, model->connections, model->connection_count);
}

/* Returns an operator's connection, or any other after a few tries. */
static const GpuModelConnection *any_operator(const GpuModel *model, Dice *dice)
{
	const GpuModelConnection *connection = any_connection(model, dice);

	for (int i = 0; i < 8 && !gpu_model_is_operator(model, connection); i++)
		connection = any_connection(model, dice);
	return connection;
}

/* Returns a connection of that process, or any other if it has none. */
static const GpuModelConnection *connection_of(const GpuModel *model, Dice *dice, ProcessKey key)
{
	size_t begin = dice_roll(dice, model->connection_count);

	for (size_t i = 0; i < model->connection_count; i++) {
		const GpuModelConnection *connection =
			&model->connections[(begin + i) % model->connection_count];

		if (connection->key == key)
			return connection;
	}
	return any_connection(model, dice);
}

/* Returns the driver's connection, or sometimes another of its process, an operator's, or any. */
static const GpuModelConnection *driver_connection(const GpuModel *model, Dice *dice,
						   const GpuModelAdapter *model_adapter)
{
	const GpuModelConnection *driver = NULL;

	for (size_t i = 0; model_adapter && i < model->connection_count; i++)
		if (model->connections[i].caller == model_adapter->connection)
			driver = &model->connections[i];
	if (!driver || dice_chance(dice, 12))
		return dice_chance(dice, 2) ? any_connection(model, dice)
					    : any_operator(model, dice);
	return dice_chance(dice, 12) ? connection_of(model, dice, driver->key) : driver;
}

/* --- requests -------------------------------------------------------------------------------- */

static void make_register_adapter(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	static const struct {
		const char *index_bits;
		unsigned int address_bits;
		GpuModelFlaw flaw;
	} sound[] = { { "9,9,9,9", 48, GPU_MODEL_SOUND },
		      { "10,10,10", 42, GPU_MODEL_SOUND },
		      { "9,9", 30, GPU_MODEL_SOUND },
		      { "12,11,11,11", 57, GPU_MODEL_SOUND } },
	  flawed[] = { { "9,9,9,9", 47, GPU_MODEL_BAD_VALUE },
		       { "25,9", 46, GPU_MODEL_BAD_VALUE },
		       { "9", 21, GPU_MODEL_BAD_VALUE },
		       { "0,9,9", 30, GPU_MODEL_BAD_VALUE },
		       { "24,24,24", 84, GPU_MODEL_BAD_VALUE },
		       { "", 12, GPU_MODEL_BAD_VALUE },
		       { "9,9,9,9,9,9,9", 75, GPU_MODEL_BAD_SHAPE },
		       { "\"nine\"", 21, GPU_MODEL_BAD_SHAPE } };
	bool is_flawed = dice_chance(dice, 10);
	size_t at = dice_roll(dice, is_flawed ? ARRAY_SIZE(flawed) : ARRAY_SIZE(sound));

	ret->from = dice_chance(dice, 10) ? any_connection(model, dice) : any_operator(model, dice);
	ret->flaw = is_flawed ? flawed[at].flaw : GPU_MODEL_SOUND;
	ret->max_virtual_gpus = dice_roll(dice, 4);
	snprintf(ret->name, sizeof(ret->name), "adapter %u", (unsigned int)dice_roll(dice, NAMES));
	if (dice_chance(dice, 60)) {
		ret->name[0] = '\0';
		ret->flaw = ret->flaw == GPU_MODEL_SOUND ? GPU_MODEL_BAD_VALUE : ret->flaw;
	}
	append(text,
	       ",\"name\":\"%s\",\"virtualAddressBitCount\":%u,\"pageTableIndexBitCount\":[%s]",
	       ret->name, is_flawed ? flawed[at].address_bits : sound[at].address_bits,
	       is_flawed ? flawed[at].index_bits : sound[at].index_bits);
	if (ret->max_virtual_gpus > 0)
		append(text, ",\"maxVirtualGpus\":%" PRIu64, ret->max_virtual_gpus);
}

static void make_unregister_adapter(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	const GpuModelAdapter *model_adapter = ANY(dice, model->adapters, model->adapter_count);

	ret->from = dice_chance(dice, 2)   ? driver_connection(model, dice, model_adapter)
		    : dice_chance(dice, 2) ? any_operator(model, dice)
					   : any_connection(model, dice);
	append_handle(model, dice, ret, text, "adapter", model_adapter->handle);
}

/* Appends mostly a live process's pid, otherwise an unused or an impossible one. */
static void append_pid(GpuModel *model, Dice *dice, GpuModelRequest *request, char *text,
		       const char *key)
{
	const GpuModelHost *host = ANY(dice, model->hosts, model->host_count);

	request->has_pid = true;
	request->pid = host && !dice_chance(dice, 10) ? (uint64_t)host->pid
						      : FIRST_PID + dice_roll(dice, PIDS + 5);
	if (dice_chance(dice, 40))
		request->pid = dice_chance(dice, 2) ? 0 : UINT64_C(1) << 31;
	append(text, ",\"%s\":%" PRIu64, key, request->pid);
}

static void make_create_process(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	const GpuModelAdapter *model_adapter = ANY(dice, model->adapters, model->adapter_count);

	ret->from = driver_connection(model, dice, model_adapter);
	append_handle(model, dice, ret, text, "adapter", model_adapter->handle);
	if (!dice_chance(dice, 4))
		append_pid(model, dice, ret, text, "pid");
	if (dice_chance(dice, 3))
		append_machine(ret, text, (int)dice_roll(dice, GPU_MODEL_MACHINES));
	if (dice_chance(dice, 3)) {
		snprintf(ret->name, sizeof(ret->name), "process %u",
			 (unsigned int)dice_roll(dice, NAMES));
		append(text, ",\"name\":\"%s\"", ret->name);
	}
}

/* Returns a process that is being created, or any other after a few tries. */
static const GpuModelGpuProcess *creating_process(const GpuModel *model, Dice *dice)
{
	const GpuModelGpuProcess *process = ANY(dice, model->processes, model->process_count);

	for (int i = 0; i < 4 && process->is_running; i++)
		process = ANY(dice, model->processes, model->process_count);
	return process;
}

/* CompleteCreateProcess, ReserveGpuVirtualAddressRange and DestroyProcess. */
static void make_driver_call(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	const GpuModelGpuProcess *process =
		ret->method == GPU_MODEL_DESTROY_PROCESS
			? ANY(dice, model->processes, model->process_count)
			: creating_process(model, dice);

	ret->from = driver_connection(model, dice, gpu_model_adapter(model, process->adapter));
	append_handle(model, dice, ret, text, "process", process->handle);
	if (ret->method != GPU_MODEL_RESERVE_RANGE)
		return;
	ret->flaw = dice_chance(dice, 8) ? GPU_MODEL_BAD_VALUE : GPU_MODEL_SOUND;
	append(text, ",\"sizeInBytes\":%" PRIu64,
	       ret->flaw == GPU_MODEL_SOUND ? 16 * MIB : 4096 * dice_roll(dice, 10));
}

static void make_create_context(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	const GpuModelGpuProcess *process = ANY(dice, model->processes, model->process_count);

	if (dice_chance(dice, 2)) { /* the driver may have created a process for it */
		ret->from = connection_of(model, dice, process->key);
		append_handle(model, dice, ret, text, "adapter", process->adapter);
		return;
	}
	ret->from = any_connection(model, dice);
	if (!dice_chance(dice, 4))
		append_handle(model, dice, ret, text, "adapter",
			      ANY_HANDLE(dice, model->adapters, model->adapter_count));
}

static void make_destroy_context(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	const GpuModelContext *context = ANY(dice, model->contexts, model->context_count);
	const GpuModelGpuProcess *process =
		context ? gpu_model_process(model, context->process) : NULL;

	ret->from = !process || dice_chance(dice, 6) ? any_connection(model, dice)
						     : connection_of(model, dice, process->key);
	append_handle(model, dice, ret, text, "context", context ? context->handle : NULL);
}

/* ReserveGpuVirtualAddress and MapGpuVirtualAddress. */
static void make_take_address(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	const GpuModelGpuProcess *process =
		dice_chance(dice, 5) ? creating_process(model, dice)
				     : ANY(dice, model->processes, model->process_count);
	bool is_map = ret->method == GPU_MODEL_MAP_ADDRESS;

	ret->from =
		dice_chance(dice, 6) ? any_connection(model, dice)
		: dice_chance(dice, 8)
			? driver_connection(model, dice, gpu_model_adapter(model, process->adapter))
			: connection_of(model, dice, process->key);
	append_handle(model, dice, ret, text, "process", process->handle);
	ret->flaw = dice_chance(dice, 8) ? GPU_MODEL_BAD_VALUE : GPU_MODEL_SOUND;
	append(text, ",\"sizeInBytes\":%d%s",
	       ret->flaw == GPU_MODEL_BAD_VALUE ? 1000
	       : is_map                         ? 4096
						: 65536,
	       is_map ? ",\"protection\":\"zero\"" : "");
}

static void make_register_machine(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	ret->from = dice_chance(dice, 8) ? any_connection(model, dice) : any_operator(model, dice);
	int machine = (int)dice_roll(dice, GPU_MODEL_MACHINES);

	/* A VM with an incoming VMM seldom ends, so most registrations are for other VMs. */
	while (model->machines[machine].runs && !dice_chance(dice, 6))
		machine = (int)dice_roll(dice, GPU_MODEL_MACHINES);
	append_machine(ret, text, machine);
	append_pid(model, dice, ret, text, "vmmPid");
	append(text, ",\"displayClients\":[{\"user\":\"alice\"}]");
}

static void make_unregister_machine(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	ret->from = dice_chance(dice, 4) ? any_connection(model, dice) : any_operator(model, dice);
	append_machine(ret, text, (int)dice_roll(dice, GPU_MODEL_MACHINES));
}

static void make_assign(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	make_unregister_machine(model, dice, ret, text);
	if (!dice_chance(dice, 5))
		append_handle(model, dice, ret, text, "adapter",
			      ANY_HANDLE(dice, model->adapters, model->adapter_count));
}

static void make_remove(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	ret->from = dice_chance(dice, 4) ? any_connection(model, dice) : any_operator(model, dice);
	append_handle(model, dice, ret, text, "virtualGpu",
		      ANY_HANDLE(dice, model->virtual_gpus, model->virtual_gpu_count));
}

/*
 * Registers a process, mostly one with a context. A dead process unregisters a VM instead, because
 * the model does not cover lookups of dead processes.
 */
static void make_register(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text)
{
	const GpuModelContext *context = ANY(dice, model->contexts, model->context_count);
	const GpuModelHost *host;

	ret->from = context && !dice_chance(dice, 4)
			    ? connection_of(model, dice,
					    gpu_model_process(model, context->process)->key)
			    : any_connection(model, dice);
	host = gpu_model_host(model, ret->from->key);
	if (!host || !host->alive)
		ret->method = GPU_MODEL_UNREGISTER_MACHINE;
	append_machine(ret, text, (int)dice_roll(dice, GPU_MODEL_MACHINES));
}

static const struct {
	unsigned int weight;
	void (*make)(GpuModel *model, Dice *dice, GpuModelRequest *ret, char *text);
} makers[] = {
	[GPU_MODEL_REGISTER_ADAPTER] = { 12, make_register_adapter },
	[GPU_MODEL_UNREGISTER_ADAPTER] = { 3, make_unregister_adapter },
	[GPU_MODEL_CREATE_PROCESS] = { 16, make_create_process },
	[GPU_MODEL_RESERVE_RANGE] = { 8, make_driver_call },
	[GPU_MODEL_COMPLETE_PROCESS] = { 18, make_driver_call },
	[GPU_MODEL_DESTROY_PROCESS] = { 3, make_driver_call },
	[GPU_MODEL_CREATE_CONTEXT] = { 12, make_create_context },
	[GPU_MODEL_DESTROY_CONTEXT] = { 5, make_destroy_context },
	[GPU_MODEL_RESERVE_ADDRESS] = { 6, make_take_address },
	[GPU_MODEL_MAP_ADDRESS] = { 6, make_take_address },
	[GPU_MODEL_REGISTER_MACHINE] = { 5, make_register_machine },
	[GPU_MODEL_UNREGISTER_MACHINE] = { 1, make_unregister_machine },
	[GPU_MODEL_ASSIGN] = { 6, make_assign },
	[GPU_MODEL_REMOVE] = { 2, make_remove },
	[GPU_MODEL_REGISTER] = { 6, make_register },
};
_Static_assert(ARRAY_SIZE(makers) == GPU_MODEL_METHOD_MAX, "each method has an entry");

static GpuModelMethod any_method(Dice *dice)
{
	unsigned int sum = 0;
	GpuModelMethod method = 0;

	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		sum += makers[i].weight;
	uint64_t roll = dice_roll(dice, sum);
	while (roll >= makers[method].weight)
		roll -= makers[method++].weight;
	return method;
}

bool gpu_model_make_request(GpuModel *model, Dice *dice, GpuModelRequest *ret,
			    char parameters[static 512])
{
	if (model->connection_count == 0)
		return false;
	*ret = (GpuModelRequest){ .method = any_method(dice), .machine = GPU_MODEL_NO_MACHINE };
	parameters[0] = '\0';
	makers[ret->method].make(model, dice, ret, parameters);
	if (dice_chance(dice, 60)) {
		ret->flaw = GPU_MODEL_BAD_SHAPE;
		append(parameters, ",\"surprise\":1");
	}
	/* The comma before the first member becomes the opening brace. */
	append(parameters, parameters[0] != '\0' ? "}" : " }");
	parameters[0] = '{';
	return true;
}
