/* SPDX-License-Identifier: MIT */
#include "tests/soak/client.h"

/* One page or two, 64 KiB or two of them, ranges of whole leaf tables, and invalid sizes. */
static const char *const sizes[] = { "4096",    "8192",    "65536", "131072",
				     "2097152", "4194304", "1",     "0" };

static const char *pick_name(Client *client, NameKind kind)
{
	static const char *const strange[] = { "", "00112233445566778899aabbccddeeff" };
	uint64_t *random = client_random(client);
	const char *name = PICK(random, client->names[kind]);

	return *name == '\0' || one_in(random, 32) ? PICK(random, strange) : name;
}

static const char *pick_address(Client *client)
{
	static const char *const usual[] = { "0x8000000000", "0x8000010000", "0x8000200000", "0x0",
					     "0x1" };
	uint64_t *random = client_random(client);
	const char *address = PICK(random, client->addresses);

	return *address == '\0' || one_in(random, 8) ? PICK(random, usual) : address;
}

/* Returns the pid of a random client. */
static pid_t pick_pid(Client *client)
{
	return client->soak->board->pids[draw(client_random(client), client->soak->client_count)];
}

static void add_guid(Client *client, Request *request)
{
	char guid[GUID_SIZE];

	if (one_in(client_random(client), 8))
		guid_write(guid, draw(client_random(client), GUIDS));
	else
		memcpy(guid, client->guid, GUID_SIZE);
	request_add(request, "{\"virtualMachineGuid\":\"%s\"", guid);
}

static void call(Request *request, const char *method)
{
	request_begin(request, method);
	request_add(request, "{}}");
}

static void call_with_guid(Client *client, Request *request, const char *method)
{
	request_begin(request, method);
	add_guid(client, request);
	request_add(request, "}}");
}

static void call_with_name(Client *client, Request *request, const char *method, NameKind kind)
{
	static const char *const keys[NAME_KINDS] = { "context", "process", "virtualGpu",
						      "adapter" };

	request_begin(request, method);
	request_add(request, "{\"%s\":\"%s\"}}", keys[kind], pick_name(client, kind));
}

/* --- registrations and objects --------------------------------------------------------------- */

/* Replaces the known handles with those that other clients have published for the VM. */
static void look_at_board(Client *client)
{
	char(*known)[HANDLE_SIZE] =
		client->soak->board->handles[strtoul(client->guid + GUID_SIZE - 3, NULL, 16)];

	for (size_t i = 0; i < ON_BOARD; i++)
		if (known[i][0] != '\0')
			memcpy(client->objects.handles[i], known[i], HANDLE_SIZE - 1);
	for (size_t i = ON_BOARD; i < HANDLES_MAX; i++)
		memcpy(client->objects.handles[i], client->objects.handles[i % ON_BOARD],
		       HANDLE_SIZE);
}

static void ask_for_object(Client *client, Request *request)
{
	look_at_board(client);
	if (!one_in(client_random(client), 4))
		client->objects.forgotten_count = 0; /* the exit of the client closes them */
	random_objects_request(&client->objects, request);
}

static void register_process(Client *client, Request *request)
{
	call_with_guid(client, request, "RegisterVailProcess");
}

static void unregister_process(Client *client, Request *request)
{
	call_with_guid(client, request, "UnregisterVailProcess");
}

static void revoke_registration(Client *client, Request *request)
{
	request_begin(request, "RevokeRegistration");
	add_guid(client, request);
	request_add(request, ",\"pid\":%d}}", pick_pid(client));
}

/* --- VMs ------------------------------------------------------------------------------------- */

static void add_party(Client *client, Request *request)
{
	static const char *const users[] = { "vail-alice", "vail-bob", "vail-vmm", "nobody-here" };

	if (one_in(client_random(client), 2))
		request_add(request, "{\"user\":\"%s\"}", PICK(client_random(client), users));
	else
		request_add(request, "{\"pid\":%d}", pick_pid(client));
}

static void add_machine(Client *client, Request *request)
{
	uint64_t *random = client_random(client);
	bool is_operators = client->role == ROLE_OPERATOR || one_in(random, 20);

	if (one_in(random, 4))
		request_add(request, ",\"name\":\"soak %zu\"", client->number);
	if (is_operators) {
		request_add(request, ",\"displayClients\":[");
		add_party(client, request);
		request_add(request, ",");
		add_party(client, request);
		request_add(request, "]");
	}
	if (is_operators || one_in(random, 4)) {
		request_add(request, ",\"agent\":");
		add_party(client, request);
	}
	request_add(request, "}}");
}

static void register_machine(Client *client, Request *request)
{
	request_begin(request, "Machine.RegisterVirtualMachine");
	add_guid(client, request);
	if (client->role == ROLE_OPERATOR)
		request_add(request, ",\"vmmPid\":%d", pick_pid(client));
	add_machine(client, request);
}

static void update_machine(Client *client, Request *request)
{
	request_begin(request, "Machine.UpdateVirtualMachine");
	add_guid(client, request);
	if (one_in(client_random(client), 4))
		request_add(request, ",\"vmmPid\":%d", pick_pid(client));
	add_machine(client, request);
}

static void unregister_machine(Client *client, Request *request)
{
	call_with_guid(client, request, "Machine.UnregisterVirtualMachine");
}

static void describe_machine(Client *client, Request *request)
{
	call_with_guid(client, request, "Machine.DescribeVirtualMachine");
}

static void assign(Client *client, Request *request)
{
	request_begin(request, "Machine.AssignVirtualGpu");
	add_guid(client, request);
	if (one_in(client_random(client), 4))
		request_add(request, ",\"adapter\":\"%s\"", pick_name(client, NAME_ADAPTER));
	request_add(request, "}}");
}

static void remove_virtual_gpu(Client *client, Request *request)
{
	call_with_name(client, request, "Machine.RemoveVirtualGpu", NAME_VIRTUAL_GPU);
}

static void quarantine(Client *client, Request *request)
{
	request_begin(request, "Machine.SetQuarantine");
	add_guid(client, request);
	request_add(request, ",\"quarantined\":%s,\"reason\":\"soak\"}}",
		    one_in(client_random(client), 8) ? "true" : "false");
}

/* --- GPU processes --------------------------------------------------------------------------- */

static void create_context(Client *client, Request *request)
{
	if (one_in(client_random(client), 8))
		call_with_name(client, request, "Gpu.CreateContext", NAME_ADAPTER);
	else
		call(request, "Gpu.CreateContext");
}

static void destroy_context(Client *client, Request *request)
{
	call_with_name(client, request, "Gpu.DestroyContext", NAME_CONTEXT);
}

/* Appends a process, a size and sometimes an address or a minimum address. */
static void begin_placement(Client *client, Request *request, const char *method)
{
	uint64_t *random = client_random(client);

	request_begin(request, method);
	request_add(request, "{\"process\":\"%s\",\"sizeInBytes\":%s",
		    pick_name(client, NAME_PROCESS), PICK(random, sizes));
	if (one_in(random, 3))
		request_add(request, ",\"baseAddress\":\"%s\"", pick_address(client));
	if (one_in(random, 16))
		request_add(request, ",\"minimumAddress\":\"%s\"", pick_address(client));
}

static void reserve(Client *client, Request *request)
{
	begin_placement(client, request, "Gpu.ReserveGpuVirtualAddress");
	request_add(request, "}}");
}

static void map(Client *client, Request *request)
{
	static const char *const protections[] = { "read", "readWrite", "noAccess", "zero", "x" };

	begin_placement(client, request, "Gpu.MapGpuVirtualAddress");
	request_add(request, ",\"protection\":\"%s\",\"allocation\":%zu}}",
		    PICK(client_random(client), protections), client->number);
}

static void free_range(Client *client, Request *request)
{
	request_begin(request, "Gpu.FreeGpuVirtualAddress");
	request_add(request, "{\"process\":\"%s\",\"baseAddress\":\"%s\",\"sizeInBytes\":%s}}",
		    pick_name(client, NAME_PROCESS), pick_address(client),
		    PICK(client_random(client), sizes));
}

static void call_with_address(Client *client, Request *request, const char *method)
{
	request_begin(request, method);
	request_add(request, "{\"process\":\"%s\",\"virtualAddress\":\"%s\"",
		    pick_name(client, NAME_PROCESS), pick_address(client));
}

static void translate(Client *client, Request *request)
{
	call_with_address(client, request, "Gpu.TranslateGpuVirtualAddress");
	request_add(request, "}}");
}

static void describe_space(Client *client, Request *request)
{
	request_begin(request, "Gpu.DescribeAddressSpace");
	request_add(request, "{\"process\":\"%s\"}%s}", pick_name(client, NAME_PROCESS),
		    one_in(client_random(client), 2) ? ",\"more\":true" : "");
}

/* --- drivers --------------------------------------------------------------------------------- */

static void register_adapter(Client *client, Request *request)
{
	static const char *const mmus[] = {
		"\"virtualAddressBitCount\":48,\"pageTableIndexBitCount\":[9,9,9,9]",
		"\"virtualAddressBitCount\":32,\"pageTableIndexBitCount\":[10,10]",
		"\"virtualAddressBitCount\":39,\"pageTableIndexBitCount\":[9,9,9]",
		"\"virtualAddressBitCount\":58,\"pageTableIndexBitCount\":[9]",
	};

	request_begin(request, "Gpu.RegisterAdapter");
	request_add(request, "{\"name\":\"soak %zu\",%s}}", client->number,
		    PICK(client_random(client), mmus));
}

static void unregister_adapter(Client *client, Request *request)
{
	call_with_name(client, request, "Gpu.UnregisterAdapter", NAME_ADAPTER);
}

static void create_process(Client *client, Request *request)
{
	request_begin(request, "Gpu.CreateProcess");
	request_add(request, "{\"adapter\":\"%s\",\"pid\":%d}}", pick_name(client, NAME_ADAPTER),
		    pick_pid(client));
}

static void reserve_range(Client *client, Request *request)
{
	begin_placement(client, request, "Gpu.ReserveGpuVirtualAddressRange");
	request_add(request, ",\"allowUserModeMapping\":true}}");
}

static void complete_process(Client *client, Request *request)
{
	call_with_name(client, request, "Gpu.CompleteCreateProcess", NAME_PROCESS);
}

static void destroy_process(Client *client, Request *request)
{
	call_with_name(client, request, "Gpu.DestroyProcess", NAME_PROCESS);
}

static void change_page_table(Client *client, Request *request)
{
	static const char *const methods[] = { "Gpu.EvictPageTable", "Gpu.MakePageTableResident" };

	call_with_address(client, request, PICK(client_random(client), methods));
	request_add(request, "}}");
}

static void set_entry(Client *client, Request *request)
{
	call_with_address(client, request, "Gpu.SetReservedPageTableEntry");
	request_add(request, ",\"pageTableAddress\":\"0x1000\"}}");
}

/* --- lists and other methods ----------------------------------------------------------------- */

void request_list(Client *client, Request *request)
{
	static const char *const methods[] = {
		"ListRegistrations",       "ListSharedObjects", "Machine.ListVirtualMachines",
		"Machine.ListQuarantines", "Gpu.ListAdapters",  "Gpu.ListProcesses",
		"Gpu.ListHolders",
	};

	request_begin(request, PICK(client_random(client), methods));
	request_add(request, "{}%s}", one_in(client_random(client), 2) ? ",\"more\":true" : "");
}

static void look_at_daemon(Client *client, Request *request)
{
	static const char *const methods[] = { "Monitor.GetStatus", "Monitor.GetMetrics",
					       "Monitor.ReloadConfiguration" };

	call(request, PICK(client_random(client), methods));
}

static void look_at_service(Client *client, Request *request)
{
	static const char *const texts[] = {
		"{\"method\":\"org.varlink.service.GetInfo\"}",
		("{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		 "\"interface\":\"io.vaild.Gpu\"}}"),
		"{\"method\":\"org.varlink.service.Nothing\"}",
		"{\"method\":\"io.vaild.Watch\",\"parameters\":{}}",
		"{\"method\":\"io.nobody.Nothing\"}",
	};

	request_add(request, "%s", PICK(client_random(client), texts));
}

void request_watch(Client *client, Request *request)
{
	request_begin(request, "Watch");
	if (one_in(client_random(client), 4))
		request_add(request, "{},\"more\":true}");
	else
		request_add(request, "{\"virtualMachineGuid\":\"%s\"},\"more\":true}",
			    client->guid);
}

/* The relative frequencies of the requests. Those that create many entities are rare. */
static const struct {
	void (*make)(Client *client, Request *request);
	unsigned char weights[ROLE_MAX];
} kinds[] = {
	/* clang-format off */
	/*                    VMM viewer compute driver operator stranger */
	{ ask_for_object,     { 60, 60,  2,  2,  8, 20 } },
	{ register_process,   {  2, 20,  4,  1,  4,  8 } },
	{ unregister_process, {  0,  3,  1,  1,  1,  4 } },
	{ revoke_registration,             {  1,  0,  0,  0,  2,  1 } },
	{ register_machine,   {  4,  0,  0,  0,  4,  2 } },
	{ update_machine,     {  2,  0,  0,  0,  3,  1 } },
	{ unregister_machine, {  0,  0,  0,  0,  1,  1 } },
	{ describe_machine,   { 10, 10,  2,  0, 10,  4 } },
	{ assign,             {  6,  0,  0,  2,  8,  1 } },
	{ remove_virtual_gpu, {  1,  0,  0,  1,  2,  1 } },
	{ quarantine,         {  0,  0,  0,  0,  2,  1 } },
	{ create_context,     {  1,  8,  6,  1,  1,  3 } },
	{ destroy_context,    {  1,  1,  3,  0,  0,  3 } },
	{ reserve,            {  0,  2, 20,  4,  0,  4 } },
	{ map,                {  0,  2, 30,  4,  0,  4 } },
	{ free_range,         {  0,  1, 30,  2,  0,  4 } },
	{ translate,          {  0,  1, 10,  6,  2,  2 } },
	{ describe_space,     {  0,  1,  1,  1,  1,  1 } },
	{ register_adapter,   {  0,  0,  0,  4,  1,  1 } },
	{ unregister_adapter, {  0,  0,  0,  2,  1,  1 } },
	{ create_process,     {  0,  0,  0, 10,  0,  1 } },
	{ reserve_range,      {  0,  0,  0, 14,  0,  1 } },
	{ complete_process,   {  0,  0,  0,  8,  0,  1 } },
	{ destroy_process,    {  0,  0,  0,  4,  1,  1 } },
	{ change_page_table,  {  0,  0,  0,  6,  0,  1 } },
	{ set_entry,          {  0,  0,  0,  6,  0,  1 } },
	{ request_list,       {  1,  1,  1,  1,  2,  2 } },
	{ look_at_daemon,     {  1,  1,  1,  1,  2,  1 } },
	{ look_at_service,    {  2,  2,  2,  1,  1,  4 } },
	/* clang-format on */
};

void request_next(Client *client, Request *request)
{
	const size_t count = sizeof(kinds) / sizeof(kinds[0]);
	unsigned int sum = 0;
	size_t at = 0;

	for (size_t i = 0; i < count; i++)
		sum += kinds[i].weights[client->role];
	uint64_t drawn = draw(client_random(client), sum);
	while (drawn >= kinds[at].weights[client->role])
		drawn -= kinds[at++].weights[client->role];
	kinds[at].make(client, request);
}

void request_first(Client *client, Request *request)
{
	static void (*const firsts[ROLE_MAX])(Client *, Request *) = {
		[ROLE_VMM] = register_machine,      [ROLE_VIEWER] = create_context,
		[ROLE_COMPUTE] = create_context,    [ROLE_DRIVER] = register_adapter,
		[ROLE_OPERATOR] = register_machine, [ROLE_STRANGER] = look_at_service,
	};

	firsts[client->role](client, request);
}

void request_second(Client *client, Request *request)
{
	static void (*const seconds[ROLE_MAX])(Client *, Request *) = {
		[ROLE_VMM] = assign,      [ROLE_VIEWER] = register_process,
		[ROLE_COMPUTE] = reserve, [ROLE_DRIVER] = create_process,
		[ROLE_OPERATOR] = assign, [ROLE_STRANGER] = look_at_daemon,
	};

	seconds[client->role](client, request);
}
