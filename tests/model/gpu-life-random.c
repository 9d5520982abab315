/* SPDX-License-Identifier: MIT */
/* Random requests about adapters and GPU processes. Most of them can succeed. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/model/gpu-life-model.h"

/* Returns a random item of an array, or NULL if it is empty. */
#define ANY(dice, array, count) ((count) > 0 ? &(array)[dice_roll((dice), (count))] : NULL)

#define ANY_HANDLE(dice, array, count)                                  \
	({                                                              \
		__typeof__(&(array)[0]) _any = ANY(dice, array, count); \
		_any ? _any->handle : NULL;                             \
	})

#define MIB (UINT64_C(1) << 20)

enum { FIRST_PID = 100, PIDS = 20, NAMES = 9 };

void life_machine_guid(int machine, char ret[static GUID_TEXT_LENGTH + 1])
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

static void append_machine(LifeRequest *request, char *text, int machine)
{
	char guid[GUID_TEXT_LENGTH + 1];

	request->machine = machine;
	life_machine_guid(machine, guid);
	append(text, ",\"virtualMachineGuid\":\"%s\"", guid);
}

/* Appends the handle; sometimes one that does not exist or is of another kind. */
static void append_handle(Life *life, Dice *dice, LifeRequest *request, char *text, const char *key,
			  const char *handle)
{
	static const char nothing[] = "0123456789abcdef0123456789abcdef";
	const char *other[] = {
		ANY_HANDLE(dice, life->adapters, life->adapter_count),
		ANY_HANDLE(dice, life->processes, life->process_count),
		ANY_HANDLE(dice, life->contexts, life->context_count),
		ANY_HANDLE(dice, life->virtual_gpus, life->virtual_gpu_count),
	};

	if (!handle || dice_chance(dice, 20)) {
		size_t dead = life->dead_count < LIFE_DEAD ? life->dead_count : LIFE_DEAD;

		handle = dead > 0 ? life->dead[dice_roll(dice, dead)] : nothing;
		if (dice_chance(dice, 3))
			handle = other[dice_roll(dice, ARRAY_SIZE(other))];
		if (!handle || dice_chance(dice, 10))
			handle = dice_chance(dice, 2) ? nothing : "none";
	}
	snprintf(request->handle, sizeof(request->handle), "%s", handle);
	append(text, ",\"%s\":\"%s\"", key, request->handle);
}

/* --- senders --------------------------------------------------------------------------------- */

static const LifeConnection *any_connection(const Life *life, Dice *dice)
{
	return ANY(dice, life->connections, life->connection_count);
}

/* Returns an operator's connection, or any other after a few tries. */
static const LifeConnection *any_operator(const Life *life, Dice *dice)
{
	const LifeConnection *connection = any_connection(life, dice);

	for (int i = 0; i < 8 && !life_is_operator(life, connection); i++)
		connection = any_connection(life, dice);
	return connection;
}

/* Returns a connection of that process, or any other if it has none. */
static const LifeConnection *connection_of(const Life *life, Dice *dice, ProcessKey key)
{
	size_t begin = dice_roll(dice, life->connection_count);

	for (size_t i = 0; i < life->connection_count; i++) {
		const LifeConnection *connection =
			&life->connections[(begin + i) % life->connection_count];

		if (connection->key == key)
			return connection;
	}
	return any_connection(life, dice);
}

/* Returns the driver's connection, or sometimes another of its process, an operator's, or any. */
static const LifeConnection *driver_connection(const Life *life, Dice *dice,
					       const LifeAdapter *adapter)
{
	const LifeConnection *driver = NULL;

	for (size_t i = 0; adapter && i < life->connection_count; i++)
		if (life->connections[i].caller == adapter->connection)
			driver = &life->connections[i];
	if (!driver || dice_chance(dice, 12))
		return dice_chance(dice, 2) ? any_connection(life, dice) : any_operator(life, dice);
	return dice_chance(dice, 12) ? connection_of(life, dice, driver->key) : driver;
}

/* --- requests -------------------------------------------------------------------------------- */

static void make_register_adapter(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	static const struct {
		const char *index_bits;
		unsigned int address_bits;
		LifeFlaw flaw;
	} sound[] = { { "9,9,9,9", 48, LIFE_SOUND },
		      { "10,10,10", 42, LIFE_SOUND },
		      { "9,9", 30, LIFE_SOUND },
		      { "12,11,11,11", 57, LIFE_SOUND } },
	  flawed[] = { { "9,9,9,9", 47, LIFE_BAD_VALUE },
		       { "25,9", 46, LIFE_BAD_VALUE },
		       { "9", 21, LIFE_BAD_VALUE },
		       { "0,9,9", 30, LIFE_BAD_VALUE },
		       { "24,24,24", 84, LIFE_BAD_VALUE },
		       { "", 12, LIFE_BAD_VALUE },
		       { "9,9,9,9,9,9,9", 75, LIFE_BAD_SHAPE },
		       { "\"nine\"", 21, LIFE_BAD_SHAPE } };
	bool is_flawed = dice_chance(dice, 10);
	size_t at = dice_roll(dice, is_flawed ? ARRAY_SIZE(flawed) : ARRAY_SIZE(sound));

	ret->from = dice_chance(dice, 10) ? any_connection(life, dice) : any_operator(life, dice);
	ret->flaw = is_flawed ? flawed[at].flaw : LIFE_SOUND;
	ret->max_virtual_gpus = dice_roll(dice, 4);
	snprintf(ret->name, sizeof(ret->name), "adapter %u", (unsigned int)dice_roll(dice, NAMES));
	if (dice_chance(dice, 60)) {
		ret->name[0] = '\0';
		ret->flaw = ret->flaw == LIFE_SOUND ? LIFE_BAD_VALUE : ret->flaw;
	}
	append(text,
	       ",\"name\":\"%s\",\"virtualAddressBitCount\":%u,\"pageTableIndexBitCount\":[%s]",
	       ret->name, is_flawed ? flawed[at].address_bits : sound[at].address_bits,
	       is_flawed ? flawed[at].index_bits : sound[at].index_bits);
	if (ret->max_virtual_gpus > 0)
		append(text, ",\"maxVirtualGpus\":%" PRIu64, ret->max_virtual_gpus);
}

static void make_unregister_adapter(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	const LifeAdapter *adapter = ANY(dice, life->adapters, life->adapter_count);

	ret->from = dice_chance(dice, 2)   ? driver_connection(life, dice, adapter)
		    : dice_chance(dice, 2) ? any_operator(life, dice)
					   : any_connection(life, dice);
	append_handle(life, dice, ret, text, "adapter", adapter->handle);
}

/* Appends mostly a live process's pid, otherwise an unused or an impossible one. */
static void append_pid(Life *life, Dice *dice, LifeRequest *request, char *text, const char *key)
{
	const LifeHost *host = ANY(dice, life->hosts, life->host_count);

	request->has_pid = true;
	request->pid = host && !dice_chance(dice, 10) ? (uint64_t)host->pid
						      : FIRST_PID + dice_roll(dice, PIDS + 5);
	if (dice_chance(dice, 40))
		request->pid = dice_chance(dice, 2) ? 0 : UINT64_C(1) << 31;
	append(text, ",\"%s\":%" PRIu64, key, request->pid);
}

static void make_create_process(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	const LifeAdapter *adapter = ANY(dice, life->adapters, life->adapter_count);

	ret->from = driver_connection(life, dice, adapter);
	append_handle(life, dice, ret, text, "adapter", adapter->handle);
	if (!dice_chance(dice, 4))
		append_pid(life, dice, ret, text, "pid");
	if (dice_chance(dice, 3))
		append_machine(ret, text, (int)dice_roll(dice, LIFE_MACHINES));
	if (dice_chance(dice, 3)) {
		snprintf(ret->name, sizeof(ret->name), "process %u",
			 (unsigned int)dice_roll(dice, NAMES));
		append(text, ",\"name\":\"%s\"", ret->name);
	}
}

/* Returns a process that is being created, or any other after a few tries. */
static const LifeGpuProcess *creating_process(const Life *life, Dice *dice)
{
	const LifeGpuProcess *process = ANY(dice, life->processes, life->process_count);

	for (int i = 0; i < 4 && process->is_running; i++)
		process = ANY(dice, life->processes, life->process_count);
	return process;
}

/* CompleteCreateProcess, ReserveGpuVirtualAddressRange and DestroyProcess. */
static void make_driver_call(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	const LifeGpuProcess *process = ret->method == LIFE_DESTROY_PROCESS
						? ANY(dice, life->processes, life->process_count)
						: creating_process(life, dice);

	ret->from = driver_connection(life, dice, life_adapter(life, process->adapter));
	append_handle(life, dice, ret, text, "process", process->handle);
	if (ret->method != LIFE_RESERVE_RANGE)
		return;
	ret->flaw = dice_chance(dice, 8) ? LIFE_BAD_VALUE : LIFE_SOUND;
	append(text, ",\"sizeInBytes\":%" PRIu64,
	       ret->flaw == LIFE_SOUND ? 16 * MIB : 4096 * dice_roll(dice, 10));
}

static void make_create_context(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	const LifeGpuProcess *process = ANY(dice, life->processes, life->process_count);

	if (dice_chance(dice, 2)) { /* the driver may have created a process for it */
		ret->from = connection_of(life, dice, process->key);
		append_handle(life, dice, ret, text, "adapter", process->adapter);
		return;
	}
	ret->from = any_connection(life, dice);
	if (!dice_chance(dice, 4))
		append_handle(life, dice, ret, text, "adapter",
			      ANY_HANDLE(dice, life->adapters, life->adapter_count));
}

static void make_destroy_context(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	const LifeContext *context = ANY(dice, life->contexts, life->context_count);
	const LifeGpuProcess *process = context ? life_process(life, context->process) : NULL;

	ret->from = !process || dice_chance(dice, 6) ? any_connection(life, dice)
						     : connection_of(life, dice, process->key);
	append_handle(life, dice, ret, text, "context", context ? context->handle : NULL);
}

/* ReserveGpuVirtualAddress and MapGpuVirtualAddress. */
static void make_take_address(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	const LifeGpuProcess *process = dice_chance(dice, 5)
						? creating_process(life, dice)
						: ANY(dice, life->processes, life->process_count);
	bool is_map = ret->method == LIFE_MAP_ADDRESS;

	ret->from = dice_chance(dice, 6) ? any_connection(life, dice)
		    : dice_chance(dice, 8)
			    ? driver_connection(life, dice, life_adapter(life, process->adapter))
			    : connection_of(life, dice, process->key);
	append_handle(life, dice, ret, text, "process", process->handle);
	ret->flaw = dice_chance(dice, 8) ? LIFE_BAD_VALUE : LIFE_SOUND;
	append(text, ",\"sizeInBytes\":%d%s",
	       ret->flaw == LIFE_BAD_VALUE ? 1000
	       : is_map                    ? 4096
					   : 65536,
	       is_map ? ",\"protection\":\"zero\"" : "");
}

static void make_register_machine(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	ret->from = dice_chance(dice, 8) ? any_connection(life, dice) : any_operator(life, dice);
	append_machine(ret, text, (int)dice_roll(dice, LIFE_MACHINES));
	append_pid(life, dice, ret, text, "vmmPid");
	append(text, ",\"displayClients\":[{\"user\":\"alice\"}]");
}

static void make_unregister_machine(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	ret->from = dice_chance(dice, 4) ? any_connection(life, dice) : any_operator(life, dice);
	append_machine(ret, text, (int)dice_roll(dice, LIFE_MACHINES));
}

static void make_assign(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	make_unregister_machine(life, dice, ret, text);
	if (!dice_chance(dice, 5))
		append_handle(life, dice, ret, text, "adapter",
			      ANY_HANDLE(dice, life->adapters, life->adapter_count));
}

static void make_remove(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	ret->from = dice_chance(dice, 4) ? any_connection(life, dice) : any_operator(life, dice);
	append_handle(life, dice, ret, text, "virtualGpu",
		      ANY_HANDLE(dice, life->virtual_gpus, life->virtual_gpu_count));
}

/*
 * Registers a process, mostly one with a context. A dead process unregisters a VM instead, because
 * the model does not cover lookups of dead processes.
 */
static void make_register(Life *life, Dice *dice, LifeRequest *ret, char *text)
{
	const LifeContext *context = ANY(dice, life->contexts, life->context_count);
	const LifeHost *host;

	ret->from = context && !dice_chance(dice, 4)
			    ? connection_of(life, dice, life_process(life, context->process)->key)
			    : any_connection(life, dice);
	host = life_host(life, ret->from->key);
	if (!host || !host->alive)
		ret->method = LIFE_UNREGISTER_MACHINE;
	append_machine(ret, text, (int)dice_roll(dice, LIFE_MACHINES));
}

static const struct {
	unsigned int weight;
	void (*make)(Life *life, Dice *dice, LifeRequest *ret, char *text);
} makers[] = {
	[LIFE_REGISTER_ADAPTER] = { 12, make_register_adapter },
	[LIFE_UNREGISTER_ADAPTER] = { 3, make_unregister_adapter },
	[LIFE_CREATE_PROCESS] = { 16, make_create_process },
	[LIFE_RESERVE_RANGE] = { 8, make_driver_call },
	[LIFE_COMPLETE_PROCESS] = { 18, make_driver_call },
	[LIFE_DESTROY_PROCESS] = { 3, make_driver_call },
	[LIFE_CREATE_CONTEXT] = { 12, make_create_context },
	[LIFE_DESTROY_CONTEXT] = { 5, make_destroy_context },
	[LIFE_RESERVE_ADDRESS] = { 6, make_take_address },
	[LIFE_MAP_ADDRESS] = { 6, make_take_address },
	[LIFE_REGISTER_MACHINE] = { 5, make_register_machine },
	[LIFE_UNREGISTER_MACHINE] = { 1, make_unregister_machine },
	[LIFE_ASSIGN] = { 6, make_assign },
	[LIFE_REMOVE] = { 2, make_remove },
	[LIFE_REGISTER] = { 6, make_register },
};
_Static_assert(ARRAY_SIZE(makers) == LIFE_METHOD_MAX, "each method has an entry");

static LifeMethod any_method(Dice *dice)
{
	unsigned int sum = 0;
	LifeMethod method = 0;

	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		sum += makers[i].weight;
	uint64_t roll = dice_roll(dice, sum);
	while (roll >= makers[method].weight)
		roll -= makers[method++].weight;
	return method;
}

bool life_make_request(Life *life, Dice *dice, LifeRequest *ret, char parameters[static 512])
{
	if (life->connection_count == 0)
		return false;
	*ret = (LifeRequest){ .method = any_method(dice), .machine = LIFE_NO_MACHINE };
	parameters[0] = '\0';
	makers[ret->method].make(life, dice, ret, parameters);
	if (dice_chance(dice, 60)) {
		ret->flaw = LIFE_BAD_SHAPE;
		append(parameters, ",\"surprise\":1");
	}
	/* The comma before the first member becomes the opening brace. */
	append(parameters, parameters[0] != '\0' ? "}" : " }");
	parameters[0] = '{';
	return true;
}
