/* SPDX-License-Identifier: MIT */
/*
 * Measures the most expensive request of each method, after as much was set up as one user may set
 * up by the default limits. Prints the daemon's CPU time as a multiple of that for GetInfo.
 *
 * A request that is served in slices takes long in total, but delays others only by a slice. So a
 * second column shows the CPU time until GetInfo is answered that another user has sent right after
 * the request. This program runs before the daemon whenever both can run, so that it reads the
 * daemon's CPU time as soon as a reply has been sent.
 */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "tests/bench/requests/bench.h"
#include "tests/support/helper.h"
#include "tests/support/measure.h"

#define ROUNDS       9
#define MACHINES     900
#define RANGES       32000 /* each, outside of a reservation and inside */
#define OBJECTS      500   /* of 4 planes each, for 2048 entries in the fd store */
#define WATCHES      200
#define PLANES       4
#define EXIT_OBJECTS 921
#define EXIT_WATCHES 255
#define OTHER_UID    2 /* bin */
#define VMM_USER     "daemon"
#define VMM_UID      1
#define CASES_MAX    80
#define TEXT_SIZE    65664 /* a message of the greatest length, and its NUL */
#define REPLY_SIZE   (4 << 20)

typedef struct Result {
	const char *name;
	double total; /* nanoseconds of CPU time */
	double delay; /* until another connection is served; the longest one */
} Result;

typedef struct Worst {
	const char *path;
	pid_t pid;
	int connection; /* of the requests */
	int other;      /* of GetInfo */
	pid_t watcher;  /* a child that watches the VM */
	char guid[40];  /* of the VM with many objects, vGPUs and registrations */
	char process[40], reserving[40], object[40], adapter[40], driven[40];
	char handle[40]; /* the first handle or address in the last reply */
	int memory[PLANES];
	char *reply;
	size_t reply_size;
	Result results[CASES_MAX];
	size_t result_count;
} Worst;

static const char get_info[] = "{\"method\":\"org.varlink.service.GetInfo\"}";

/* --- talking --------------------------------------------------------------------------------- */

/* Returns the text that replaces the placeholder: $ and one letter. */
static const char *value_of(const Worst *worst, char placeholder)
{
	static char self[16];

	switch (placeholder) {
	case 'v':
		return worst->guid;
	case 'p':
		return worst->process;
	case 'r':
		return worst->reserving;
	case 'o':
		return worst->object;
	case 'a':
		return worst->adapter;
	case 'd':
		return worst->driven;
	case 'h':
		return worst->handle;
	default:
		snprintf(self, sizeof(self), "%d", (int)getpid());
		return self;
	}
}

/* Writes "METHOD PARAMETERS" as a request, with its placeholders replaced. Returns its size. */
static size_t make_request(const Worst *worst, const char *text, char request[static TEXT_SIZE])
{
	const char *more = text[0] == '+' ? ",\"more\":true" : "";
	size_t method = strcspn(text += text[0] == '+', " ");
	size_t size = (size_t)snprintf(request, TEXT_SIZE, "{\"method\":\"%.*s\"%s", (int)method,
				       text, more);

	if (text[method] != '\0')
		size += (size_t)snprintf(request + size, TEXT_SIZE - size, ",\"parameters\":");
	for (const char *c = text + method; *c != '\0' && size < TEXT_SIZE - 64; c++) {
		if (*c != '$')
			request[size++] = *c;
		else
			size += (size_t)snprintf(request + size, TEXT_SIZE - size, "%s",
						 value_of(worst, *++c));
	}
	request[size++] = '}';
	request[size++] = '\0';
	return size;
}

/* Tests whether the reply that ends at the NUL is the last one. */
static bool is_last_reply(const char *end)
{
	static const char continues[] = "\"continues\":true}";

	return memcmp(end - strlen(continues), continues, strlen(continues)) != 0;
}

/* Receives all replies to a request. Keeps the first REPLY_SIZE bytes, and closes fds. */
static void receive_replies(Worst *worst, int connection)
{
	static char chunk[1 << 18];
	size_t kept = 0;
	char last = '\0';

	worst->reply_size = 0;
	for (;;) {
		int fds[HELPER_FDS_MAX];
		size_t count;
		ssize_t size = helper_recvmsg(connection, chunk, sizeof(chunk), MSG_CMSG_CLOEXEC,
					      fds, HELPER_FDS_MAX, &count);

		if (size <= 0)
			bench_fail("the daemon has closed the connection");
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
		/* The end of the last reply must be in the kept text. */
		if (kept + (size_t)size >= REPLY_SIZE)
			kept = 64;
		memcpy(worst->reply + kept, chunk, (size_t)size);
		kept += (size_t)size;
		last = worst->reply[kept - 1];
		worst->reply_size += (size_t)size;
		if (last == '\0' && kept > 32 && is_last_reply(worst->reply + kept - 1))
			return;
	}
}

/* Finds the first handle in the reply, or the address that a reservation returns. */
static void remember_handle(Worst *worst)
{
	static const char digits[] = "0123456789abcdef";
	const char *address = strstr(worst->reply, "irtualAddress\":\"0x");

	if (address && worst->reply_size < 160) {
		address += strlen("irtualAddress\":\"");
		snprintf(worst->handle, sizeof(worst->handle), "%.*s", (int)strcspn(address, "\""),
			 address);
		return;
	}
	for (const char *c = worst->reply; (c = strchr(c, '"')); c++)
		if (strspn(c + 1, digits) == 32 && c[33] == '"') {
			snprintf(worst->handle, sizeof(worst->handle), "%.32s", c + 1);
			return;
		}
}

/* Sends a request and receives its replies. The request may begin with +, for "more". */
static void ask(Worst *worst, const char *text)
{
	char request[TEXT_SIZE];

	bench_send(worst->connection, request, make_request(worst, text, request));
	receive_replies(worst, worst->connection);
	if (strstr(worst->reply, "\"error\""))
		bench_fail("%s: %s", request, worst->reply);
	remember_handle(worst);
}

/* --- measuring ------------------------------------------------------------------------------- */

static void sleep_for(long nanoseconds)
{
	nanosleep(&(struct timespec){ .tv_nsec = nanoseconds }, NULL);
}

/* Waits until the daemon has nothing left to do, such as to send events of earlier requests. */
static void await_idle(const Worst *worst)
{
	uint64_t before, used = bench_cpu(worst->pid);

	do {
		before = used;
		sleep_for(1000000);
		used = bench_cpu(worst->pid);
	} while (used != before);
}

/*
 * Sends the request, and a GetInfo when the daemon has begun with it. The daemon runs only while
 * this process sleeps.
 */
static void send_both(Worst *worst, const char *request, size_t size, const int *fds, size_t count)
{
	if (helper_sendmsg(worst->connection, request, size, fds, count, 0) != (ssize_t)size)
		bench_fail("cannot send a request");
	sleep_for(20000);
	bench_send(worst->other, get_info, sizeof(get_info));
}

/*
 * Tests for the refusals that are measured: a list is too long, no gap is large enough, or a member
 * stands twice.
 */
static bool is_expected_refusal(const char *reply)
{
	return strstr(reply, "\"more\\\": true") || strstr(reply, "STATUS_NO_MEMORY") ||
	       strstr(reply, "stands twice");
}

/* Measures the CPU time of one request, in total and until another connection is served. */
static void measure_once(Worst *worst, const char *text, double *total, double *delay)
{
	char request[TEXT_SIZE];
	size_t size = make_request(worst, text, request);
	bool shares = strncmp(text, "io.vaild.ShareObject", 20) == 0;

	await_idle(worst);
	uint64_t begin = bench_cpu(worst->pid);
	send_both(worst, request, size, worst->memory, shares ? PLANES : 0);
	receive_replies(worst, worst->other);
	*delay = (double)(bench_cpu(worst->pid) - begin);
	receive_replies(worst, worst->connection);
	*total = (double)(bench_cpu(worst->pid) - begin);
	if (strstr(worst->reply, "\"error\"") && !is_expected_refusal(worst->reply))
		bench_fail("%s: %s", request, worst->reply);
	remember_handle(worst);
}

static void add_result(Worst *worst, const char *name, double *totals, double *delays, size_t count)
{
	if (worst->result_count == CASES_MAX)
		bench_fail("too many cases");
	for (size_t i = 1; i < count; i++)
		if (delays[i] > delays[0])
			delays[0] = delays[i];
	worst->results[worst->result_count++] = (Result){
		.name = name,
		.total = bench_median(totals, count),
		.delay = delays[0],
	};
}

/* Measures a request and, if not NULL, the one that undoes it. */
static void measure_pair(Worst *worst, const char *name, const char *text, const char *undo_name,
			 const char *undo)
{
	double totals[ROUNDS], delays[ROUNDS], undo_totals[ROUNDS], undo_delays[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++) {
		measure_once(worst, text, &totals[i], &delays[i]);
		if (undo)
			measure_once(worst, undo, &undo_totals[i], &undo_delays[i]);
	}
	add_result(worst, name, totals, delays, ROUNDS);
	if (undo && undo_name)
		add_result(worst, undo_name, undo_totals, undo_delays, ROUNDS);
}

/* Measures a request only once, because it ends what was set up. */
static void measure_single(Worst *worst, const char *name, const char *text)
{
	double total, delay;

	measure_once(worst, text, &total, &delay);
	add_result(worst, name, &total, &delay, 1);
}

/* --- what is set up -------------------------------------------------------------------------- */

#define CLIENT_4  "{\"pid\":$s},{\"pid\":$s},{\"pid\":$s},{\"pid\":$s}"
#define CLIENT_16 CLIENT_4 "," CLIENT_4 "," CLIENT_4 "," CLIENT_4
#define USER_4    "{\"user\":\"root\"},{\"user\":\"root\"},{\"user\":\"root\"},{\"user\":\"root\"}"
#define USER_16   USER_4 "," USER_4 "," USER_4 "," USER_4

/* Has room for the mappings inside, with a gap behind each. */
#define RESERVATION \
	"{\"process\":\"$p\",\"baseAddress\":\"0x10000000000\",\"sizeInBytes\":262144000}"

#define VM "{\"virtualMachineGuid\":\"$v\"}"
#define SHARE                                                                                 \
	"io.vaild.ShareObjectWithHost {\"virtualMachineGuid\":\"$v\",\"object\":{\"type\":"   \
	"\"resource\",\"access\":\"read\",\"width\":64,\"height\":16,\"format\":\"XR24\","    \
	"\"planes\":[{\"fileDescriptor\":0,\"offset\":0,\"stride\":256},{\"fileDescriptor\":" \
	"1,\"offset\":0,\"stride\":256},{\"fileDescriptor\":2,\"offset\":0,\"stride\":256},"  \
	"{\"fileDescriptor\":3,\"offset\":0,\"stride\":256}]}}"

#define SHARE_ONE                                                                           \
	"io.vaild.ShareObjectWithHost {\"virtualMachineGuid\":\"$v\",\"object\":{\"type\":" \
	"\"resource\",\"access\":\"read\",\"width\":64,\"height\":16,\"format\":\"XR24\","  \
	"\"planes\":[{\"fileDescriptor\":0,\"offset\":0,\"stride\":256}]}}"

static void add_machine(Worst *worst, int number)
{
	snprintf(worst->guid, sizeof(worst->guid), "0000bec4-0000-4000-8000-%012d", number);
	ask(worst, "io.vaild.Machine.RegisterVirtualMachine {\"virtualMachineGuid\":\"$v\","
		   "\"vmmPid\":$s,\"displayClients\":[" CLIENT_16 "]}");
	ask(worst, "io.vaild.Machine.AssignVirtualGpu " VM);
	ask(worst, "io.vaild.RegisterVailProcess " VM);
}

static void make_memory(Worst *worst)
{
	for (size_t i = 0; i < PLANES; i++) {
		worst->memory[i] = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (worst->memory[i] < 0 || ftruncate(worst->memory[i], 65536) < 0 ||
		    fcntl(worst->memory[i], F_ADD_SEALS,
			  F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
			bench_fail("cannot make memory to share");
	}
}

/* Shares an object that has this number of planes. */
static void share(Worst *worst, const char *text, size_t planes)
{
	char request[TEXT_SIZE];
	size_t size = make_request(worst, text, request);

	if (helper_sendmsg(worst->connection, request, size, worst->memory, planes, 0) !=
	    (ssize_t)size)
		bench_fail("cannot send a request");
	receive_replies(worst, worst->connection);
	if (strstr(worst->reply, "\"error\""))
		bench_fail("%s", worst->reply);
	remember_handle(worst);
}

static void share_object(Worst *worst)
{
	share(worst, SHARE, PLANES);
	snprintf(worst->object, sizeof(worst->object), "%s", worst->handle);
}

static void take_handle(Worst *worst, const char *key, char *ret)
{
	const char *value = strstr(worst->reply, key);

	if (!value)
		bench_fail("no %s in %s", key, worst->reply);
	snprintf(ret, 33, "%s", value + strlen(key));
}

/* A mapping in every second page, so that there is a gap behind each. */
static void map_ranges(Worst *worst, const char *process, int count, uint64_t base)
{
	char text[512];

	for (int i = 0; i < count; i++, base += 8192) {
		snprintf(text, sizeof(text),
			 "io.vaild.Gpu.MapGpuVirtualAddress {\"process\":\"%s\","
			 "\"sizeInBytes\":4096,\"baseAddress\":\"0x%llx\",\"protection\":\"zero\"}",
			 process, (unsigned long long)base);
		ask(worst, text);
	}
}

static void set_up_gpu(Worst *worst)
{
	ask(worst, "io.vaild.Gpu.CreateContext");
	take_handle(worst, "\"process\":\"", worst->process);
	map_ranges(worst, worst->process, RANGES, UINT64_C(0x8000000000));
	ask(worst, "io.vaild.Gpu.ReserveGpuVirtualAddress " RESERVATION);
	map_ranges(worst, worst->process, RANGES, UINT64_C(0x10000000000));
	ask(worst, "io.vaild.Gpu.RegisterAdapter {\"name\":\"worst\",\"virtualAddressBitCount\":"
		   "48,\"pageTableIndexBitCount\":[9,9,9,9]}");
	take_handle(worst, "\"adapter\":\"", worst->adapter);
	take_handle(worst, "\"systemProcess\":\"", worst->driven);
	ask(worst, "io.vaild.Gpu.CompleteCreateProcess {\"process\":\"$d\"}");
	ask(worst, "io.vaild.Gpu.CreateProcess {\"adapter\":\"$a\"}");
	take_handle(worst, "\"process\":\"", worst->driven);
	for (int i = 0; i < 4095; i++)
		ask(worst, "io.vaild.Gpu.ReserveGpuVirtualAddressRange {\"process\":\"$d\","
			   "\"sizeInBytes\":2097152}");
}

/* Reads the events of a watch up to the one that ends the present state. */
static void await_present_state(int connection)
{
	static char chunk[1 << 18];
	ssize_t size;

	do
		size = recv(connection, chunk, sizeof(chunk), 0);
	while (size > 0 && !memmem(chunk, (size_t)size, "\"current\"", strlen("\"current\"")));
	if (size <= 0)
		bench_fail("a watch has ended");
}

static void watch_vm(const Worst *worst)
{
	char request[256];
	int connection = bench_connect(worst->path);

	snprintf(request, sizeof(request),
		 "{\"method\":\"io.vaild.Watch\",\"more\":true,\"parameters\":"
		 "{\"virtualMachineGuid\":\"%s\"}}",
		 worst->guid);
	bench_send(connection, request, strlen(request) + 1);
	await_present_state(connection);
}

/* Starts a process that watches the VM. A sharer would not be sent its own updates. */
static void start_watchers(Worst *worst)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("cannot make a pipe");
	worst->watcher = fork();
	if (worst->watcher == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < WATCHES; i++)
			watch_vm(worst);
		close(ends[1]);
		for (;;)
			pause();
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 0) /* the child closes its end */
		bench_fail("the watches cannot begin");
	close(ends[0]);
}

static void set_up(Worst *worst)
{
	make_memory(worst);
	set_up_gpu(worst);
	for (int i = 0; i < MACHINES; i++)
		add_machine(worst, i);
	for (int i = 1; i < 64; i++)
		ask(worst, "io.vaild.Machine.AssignVirtualGpu " VM);
	for (int i = 0; i < OBJECTS; i++)
		share_object(worst);
	start_watchers(worst);
}

/* --- the cases ------------------------------------------------------------------------------- */

static const char *update_with_damage(void)
{
	static char text[TEXT_SIZE];
	size_t size = (size_t)snprintf(text, sizeof(text),
				       "io.vaild.UpdateObject {\"handle\":\"$o\",\"damage\":[");

	for (int i = 0; i < 64; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size,
					 "%s{\"x\":%d,\"y\":1,\"width\":1,\"height\":1}",
					 i > 0 ? "," : "", i);
	snprintf(text + size, sizeof(text) - size, "]}");
	return text;
}

static void measure_service(Worst *worst)
{
	measure_pair(worst, "GetInfo", "org.varlink.service.GetInfo", NULL, NULL);
	measure_pair(worst, "GetInterfaceDescription",
		     "org.varlink.service.GetInterfaceDescription {\"interface\":\"io.vaild\"}",
		     NULL, NULL);
	measure_pair(worst, "GetStatus", "io.vaild.Monitor.GetStatus", NULL, NULL);
	measure_pair(worst, "GetMetrics (operators)", "io.vaild.Monitor.GetMetrics", NULL, NULL);
	measure_pair(worst, "ReloadConfiguration (operators)",
		     "io.vaild.Monitor.ReloadConfiguration", NULL, NULL);
}

/*
 * Returns a call of GetInfo with the most members and bytes that a message can have. All of them
 * are ignored, but their names are compared.
 */
static const char *get_info_with_members(const char *filler, const char *last)
{
	static char text[TEXT_SIZE];
	char *at = stpcpy(text, "org.varlink.service.GetInfo {},\"ignored\":{");

	for (int i = 0; i < 506; i++) {
		at += sprintf(at, "\"%03d", i);
		for (size_t begin = 0; begin + strlen(filler) <= 120; begin += strlen(filler))
			at = stpcpy(at, filler);
		at = stpcpy(at, "\":0,");
	}
	snprintf(at, 64, "\"%s\":0,\"z\":0}", last);
	return text;
}

static void measure_messages(Worst *worst)
{
	measure_pair(worst, "GetInfo, 508 long members", get_info_with_members("x", "y"), NULL,
		     NULL);
	measure_pair(worst, "GetInfo, 508 members of escapes",
		     get_info_with_members("\\u0001", "y"), NULL, NULL);
	measure_pair(worst, "GetInfo, the last of 508 members stands twice",
		     get_info_with_members("\\u0001", "z"), NULL, NULL);
}

static void measure_lists(Worst *worst)
{
	static const struct {
		const char *whole, *items;
		const char *whole_name, *items_name;
	} lists[] = {
#define LIST_ROW(method, parameters, name) \
	{ method parameters, "+" method parameters, name, name " with more" }
		LIST_ROW("io.vaild.ListRegistrations", "", "ListRegistrations"),
		LIST_ROW("io.vaild.ListSharedObjects", "", "ListSharedObjects"),
		LIST_ROW("io.vaild.Machine.ListVirtualMachines", "", "ListVirtualMachines"),
		LIST_ROW("io.vaild.Machine.ListQuarantines", "", "ListQuarantines (operators)"),
		LIST_ROW("io.vaild.Gpu.ListAdapters", "", "ListAdapters"),
		LIST_ROW("io.vaild.Gpu.ListProcesses", "", "ListProcesses"),
		LIST_ROW("io.vaild.Gpu.DescribeAddressSpace", " {\"process\":\"$p\"}",
			 "DescribeAddressSpace"),
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		measure_pair(worst, lists[i].whole_name, lists[i].whole, NULL, NULL);
		measure_pair(worst, lists[i].items_name, lists[i].items, NULL, NULL);
	}
}

static void measure_machines(Worst *worst)
{
	static const char register_vm[] = "io.vaild.Machine.RegisterVirtualMachine "
					  "{\"virtualMachineGuid\":\"0000bec4-0000-4000-8000-"
					  "ffffffffffff\",\"displayClients\":[" USER_16 "]}";
	static const char unregister_vm[] = "io.vaild.Machine.UnregisterVirtualMachine "
					    "{\"virtualMachineGuid\":\"0000bec4-0000-4000-8000-"
					    "ffffffffffff\"}";
	static const char quarantine[] = "io.vaild.Machine.SetQuarantine {\"virtualMachineGuid\":"
					 "\"0000bec4-0000-4000-8000-ffffffffffff\",\"quarantined\":"
					 "true}";

	measure_pair(worst, "RegisterVirtualMachine, 16 users", register_vm,
		     "UnregisterVirtualMachine", unregister_vm);
	measure_pair(worst, "UpdateVirtualMachine, 16 processes",
		     "io.vaild.Machine.UpdateVirtualMachine {\"virtualMachineGuid\":\"$v\","
		     "\"displayClients\":[" CLIENT_16 "]}",
		     NULL, NULL);
	measure_pair(worst, "UpdateVirtualMachine, name",
		     "io.vaild.Machine.UpdateVirtualMachine {\"virtualMachineGuid\":\"$v\","
		     "\"name\":\"bench\"}",
		     NULL, NULL);
	measure_pair(worst, "DescribeVirtualMachine", "io.vaild.Machine.DescribeVirtualMachine " VM,
		     NULL, NULL);
	worst->guid[strlen(worst->guid) - 1] ^= 1; /* the last VM has all its vGPUs */
	measure_pair(worst, "AssignVirtualGpu", "io.vaild.Machine.AssignVirtualGpu " VM,
		     "RemoveVirtualGpu",
		     "io.vaild.Machine.RemoveVirtualGpu {\"virtualGpu\":\"$h\"}");
	worst->guid[strlen(worst->guid) - 1] ^= 1;
	measure_pair(worst, "SetQuarantine (operators)", quarantine, NULL, NULL);
}

static void measure_objects(Worst *worst)
{
	measure_pair(worst, "UnregisterVailProcess", "io.vaild.UnregisterVailProcess " VM,
		     "RegisterVailProcess", "io.vaild.RegisterVailProcess " VM);
	measure_pair(worst, "RevokeRegistration",
		     "io.vaild.RevokeRegistration {\"virtualMachineGuid\":\"$v\",\"pid\":$s}", NULL,
		     "io.vaild.RegisterVailProcess " VM);
	measure_pair(worst, "ShareObjectWithHost, 4 planes", SHARE, "UnshareObject",
		     "io.vaild.UnshareObject {\"handle\":\"$h\"}");
	measure_pair(worst, "OpenSharedObject, 4 planes",
		     "io.vaild.OpenSharedObject {\"handle\":\"$o\"}", "CloseSharedObject",
		     "io.vaild.CloseSharedObject {\"handle\":\"$o\"}");
	measure_pair(worst, "UpdateObject, 200 watches", update_with_damage(), NULL, NULL);
}

static void measure_gpu(Worst *worst)
{
	measure_pair(worst, "CreateContext", "io.vaild.Gpu.CreateContext", "DestroyContext",
		     "io.vaild.Gpu.DestroyContext {\"context\":\"$h\"}");
	measure_pair(worst, "ReserveGpuVirtualAddress",
		     "io.vaild.Gpu.ReserveGpuVirtualAddress {\"process\":\"$p\","
		     "\"sizeInBytes\":65536}",
		     "FreeGpuVirtualAddress",
		     "io.vaild.Gpu.FreeGpuVirtualAddress {\"process\":\"$p\",\"sizeInBytes\":65536,"
		     "\"baseAddress\":\"$h\"}");
	measure_pair(worst, "MapGpuVirtualAddress",
		     "io.vaild.Gpu.MapGpuVirtualAddress {\"process\":\"$p\",\"sizeInBytes\":4096,"
		     "\"protection\":\"zero\"}",
		     NULL,
		     "io.vaild.Gpu.FreeGpuVirtualAddress {\"process\":\"$p\",\"sizeInBytes\":4096,"
		     "\"baseAddress\":\"$h\"}");
	measure_pair(worst, "MapGpuVirtualAddress, no gap is large enough",
		     "io.vaild.Gpu.MapGpuVirtualAddress {\"process\":\"$p\",\"sizeInBytes\":8192,"
		     "\"minimumAddress\":\"0x8000000000\",\"maximumAddress\":\"0x800fa00000\","
		     "\"protection\":\"zero\"}",
		     NULL, NULL);
	measure_pair(worst, "TranslateGpuVirtualAddress",
		     "io.vaild.Gpu.TranslateGpuVirtualAddress {\"process\":\"$p\","
		     "\"virtualAddress\":\"0x8010000000\"}",
		     NULL, NULL);
}

static void measure_driver(Worst *worst)
{
	measure_pair(worst, "CreateProcess (drivers)",
		     "io.vaild.Gpu.CreateProcess {\"adapter\":\"$a\"}", NULL,
		     "io.vaild.Gpu.DestroyProcess {\"process\":\"$h\"}");
	measure_single(worst, "ReserveGpuVirtualAddressRange (drivers)",
		       "io.vaild.Gpu.ReserveGpuVirtualAddressRange {\"process\":\"$d\","
		       "\"sizeInBytes\":2097152}");
	measure_pair(worst, "SetReservedPageTableEntry (drivers)",
		     "io.vaild.Gpu.SetReservedPageTableEntry {\"process\":\"$d\","
		     "\"virtualAddress\":\"0x8000000000\",\"pageTableAddress\":\"0x1000\"}",
		     NULL, NULL);
	measure_pair(worst, "EvictPageTable (drivers)",
		     "io.vaild.Gpu.EvictPageTable {\"process\":\"$d\",\"virtualAddress\":"
		     "\"0x8000000000\"}",
		     "MakePageTableResident (drivers)",
		     "io.vaild.Gpu.MakePageTableResident {\"process\":\"$d\",\"virtualAddress\":"
		     "\"0x8000000000\"}");
	measure_single(worst, "CompleteCreateProcess (drivers)",
		       "io.vaild.Gpu.CompleteCreateProcess {\"process\":\"$d\"}");
	measure_single(worst, "DestroyProcess (drivers)",
		       "io.vaild.Gpu.DestroyProcess {\"process\":\"$d\"}");
	measure_single(worst, "UnregisterAdapter (drivers)",
		       "io.vaild.Gpu.UnregisterAdapter {\"adapter\":\"$a\"}");
}

/* Measures requests that end what was set up. */
static void measure_ends(Worst *worst)
{
	static const char update[] = "io.vaild.Machine.UpdateVirtualMachine {"
				     "\"virtualMachineGuid\":\"$v\",\"displayClients\":["
				     "{\"user\":\"daemon\"}]}";

	measure_single(worst, "FreeGpuVirtualAddress, 32000 mappings",
		       "io.vaild.Gpu.FreeGpuVirtualAddress " RESERVATION);
	/* The first one of a daemon's life takes a millisecond longer; it has another VM. */
	worst->guid[strlen(worst->guid) - 1] ^= 1;
	ask(worst, update);
	worst->guid[strlen(worst->guid) - 1] ^= 1;
	measure_single(worst, "UpdateVirtualMachine, ends a registration", update);
	measure_single(worst, "UnregisterVirtualMachine, 500 objects",
		       "io.vaild.Machine.UnregisterVirtualMachine " VM);
}

/* --- the end of a VM ---------------------------------------------------------------------------
 */

static const char exit_guid[] = "0000bec4-0000-4000-8000-eeeeeeeeeeee";

static void become_vmm_user(void)
{
	if (setresuid(VMM_UID, VMM_UID, VMM_UID) < 0)
		bench_fail("cannot change the user");
}

/* Forks a child of the VMM's user. Returns its pid, and in the child 0. */
static pid_t fork_vmm_user(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	become_vmm_user();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

/* Starts a VMM that shares objects as soon as it has a VM, and lives until it is killed. */
static pid_t start_vmm(Worst *worst)
{
	pid_t pid = fork_vmm_user();

	if (pid != 0)
		return pid;
	worst->connection = bench_connect(worst->path);
	snprintf(worst->guid, sizeof(worst->guid), "%s", exit_guid);
	raise(SIGSTOP);
	for (int i = 0; i < EXIT_OBJECTS; i++)
		share(worst, SHARE_ONE, 1);
	raise(SIGSTOP);
	for (;;)
		pause();
}

static void await_stop(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		bench_fail("a child process has failed");
}

/* Starts a process that watches the VM as its agent, and reads no events. */
static pid_t start_exit_watchers(Worst *worst)
{
	pid_t pid = fork_vmm_user();

	if (pid != 0)
		return pid;
	snprintf(worst->guid, sizeof(worst->guid), "%s", exit_guid);
	for (int i = 0; i < EXIT_WATCHES; i++)
		watch_vm(worst);
	raise(SIGSTOP);
	for (;;)
		pause();
}

/*
 * Kills the VMM and sends one GetInfo after another until the daemon has nothing else to do. The
 * delay is that of the slowest one.
 */
static void measure_exit(Worst *worst, pid_t vmm, const char *name)
{
	uint64_t begin = bench_cpu(worst->pid);
	double delay = 0, total, base = worst->results[0].total / 2;
	int idle = 0;

	kill(worst->pid, SIGSTOP);
	kill(vmm, SIGKILL);
	waitpid(vmm, NULL, 0);
	kill(worst->pid, SIGCONT);
	while (idle < 50) {
		uint64_t before = bench_cpu(worst->pid);

		bench_send(worst->other, get_info, sizeof(get_info));
		receive_replies(worst, worst->other);
		double cost = (double)(bench_cpu(worst->pid) - before);
		delay = cost > delay ? cost : delay;
		idle = cost < 2 * base ? idle + 1 : 0;
	}
	total = (double)(bench_cpu(worst->pid) - begin);
	add_result(worst, name, &total, &delay, 1);
}

/* Measures the exit of a VMM with many objects, which many connections of one user watch. */
static void measure_exits(Worst *worst)
{
	char saved[sizeof(worst->guid)];
	pid_t vmm = start_vmm(worst);

	await_stop(vmm);
	memcpy(saved, worst->guid, sizeof(saved));
	snprintf(worst->guid, sizeof(worst->guid), "%s", exit_guid);
	snprintf(worst->handle, sizeof(worst->handle), "%d", (int)vmm);
	ask(worst,
	    "io.vaild.Machine.RegisterVirtualMachine {\"virtualMachineGuid\":\"$v\","
	    "\"vmmPid\":$h,\"agent\":{\"user\":\"" VMM_USER "\"},\"displayClients\":[{\"user\":"
	    "\"root\"}]}");
	ask(worst, "io.vaild.Machine.AssignVirtualGpu " VM);
	memcpy(worst->guid, saved, sizeof(saved));
	kill(vmm, SIGCONT);
	await_stop(vmm);
	pid_t watcher = start_exit_watchers(worst);
	await_stop(watcher);
	measure_exit(worst, vmm, "exit of a VMM, 921 objects, 255 watches");
	kill(watcher, SIGKILL);
	waitpid(watcher, NULL, 0);
}

/* --- the table ------------------------------------------------------------------------------- */

static int by_total(const void *a, const void *b)
{
	double first = ((const Result *)a)->total, second = ((const Result *)b)->total;

	return first < second ? 1 : first > second ? -1 : 0;
}

static void print_results(Worst *worst)
{
	double base = worst->results[0].total / 2; /* two GetInfo */

	qsort(worst->results, worst->result_count, sizeof(Result), by_total);
	printf("\nThe most expensive request of each method at its limits: CPU time of the daemon\n"
	       "in multiples of GetInfo (%.1f us), in total (median of %d), and until "
	       "another\nuser (the longest).\n\n%-44s %9s %9s\n",
	       base / 1000, ROUNDS, "request", "in total", "delay");
	for (size_t i = 0; i < worst->result_count; i++) {
		const Result *result = &worst->results[i];

		printf("%-44s %9.1f %9.1f\n", result->name, result->total / base - 1,
		       result->delay / base - 1);
	}
}

/* Connects as another user, whom no request of this process can delay by more than a turn. */
static int connect_as_other_user(const char *path)
{
	if (geteuid() != 0) {
		fprintf(stderr, "bench: not root: the delays below are those of the same user\n");
		return bench_connect(path);
	}
	if (seteuid(OTHER_UID) < 0)
		bench_fail("cannot change the user");
	int connection = bench_connect(path);
	if (seteuid(0) < 0)
		bench_fail("cannot change the user back");
	return connection;
}

/* Lets this process run as soon as it can, in place of the daemon on the same CPU. */
static void run_before_daemon(void)
{
	const struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) < 0)
		fprintf(stderr, "bench: no real-time priority: the figures below are too high\n");
}

void bench_worst(const char *path, pid_t pid)
{
	static Worst worst;

	worst = (Worst){ .path = path, .pid = pid };
	worst.connection = bench_connect(path);
	worst.other = connect_as_other_user(path);
	worst.reply = malloc(REPLY_SIZE + (1 << 18));
	if (!worst.reply)
		bench_fail("out of memory");
	set_up(&worst);
	run_before_daemon();
	measure_service(&worst);
	measure_messages(&worst);
	measure_lists(&worst);
	measure_machines(&worst);
	measure_objects(&worst);
	measure_gpu(&worst);
	measure_driver(&worst);
	measure_ends(&worst);
	if (geteuid() == 0)
		measure_exits(&worst);
	print_results(&worst);
	kill(worst.watcher, SIGKILL);
	waitpid(worst.watcher, NULL, 0);
	free(worst.reply);
}
