/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_HOST_H
#define TESTS_FAKE_HOST_H

#include "broker.h"
#include "service.h"
#include "session.h"

/*
 * A made-up world for the pure part of the daemon: processes, users, a clock and random bytes that
 * a test sets, and everything that the daemon told it, kept for a test to look at. It is as strict
 * as the real host's contract: a process that is watched twice, unwatched without need, or still
 * watched when the broker has gone stops the test.
 */

#define WORLD_PROCESS_MAX    64
#define WORLD_USER_MAX       16
#define WORLD_EVENT_MAX      1024 /* the last so many are kept */
#define WORLD_RECORD_MAX     256
#define WORLD_QUARANTINE_MAX 256

#define WORLD_OPERATOR_GROUP 900
#define WORLD_NAMESPACE      7 /* inode of the initial user namespace */

/* Stops the test where the code under test broke its host's contract. */
#define world_must(condition) world_check((condition), #condition, __FILE__, __LINE__)
void world_check(bool holds, const char *condition, const char *file, int line);

typedef struct FakeProcess {
	ProcessKey key;
	pid_t pid;
	bool alive;
	bool watched;
	bool kept;      /* over a restart */
	bool is_hidden; /* after one, for want of descriptors */
	bool exit_told;
	Credentials credentials;
	Evidence credentials_evidence; /* EVIDENCE_FOUND: as the rest of this struct says */
	Evidence context_evidence;
	bool has_graphics_context;
	GraphicsContextKind graphics_context;
} FakeProcess;

typedef struct FakeUser {
	char name[32];
	uid_t uid;
	bool is_login_user;
	Credentials credentials;
	Evidence evidence;
} FakeUser;

typedef struct FakeEvent {
	EventKind kind;
	EndReason reason;
	bool has_guid;
	Guid guid;
	bool has_handle;
	Handle handle;
	pid_t pid;
	uid_t uid;
} FakeEvent;

typedef struct FakeRecord {
	char method[96];
	NTSTATUS status;
	char reason[32];
	bool has_guid;
	Guid guid;
	bool has_object;
	Handle object;
	uid_t uid;
} FakeRecord;

typedef struct FakeQuarantine {
	Guid guid;
	char reason[LIMIT_NAME_LENGTH + 1];
	bool has_reason;
} FakeQuarantine;

/* A descriptor of the made-up kernel. Its number is its place in the world's table, plus one. */
typedef struct FakeDescriptor {
	bool open;
	DescriptorFacts facts;
	bool is_forbidden; /* cannot be opened anew */
	uint64_t kept_id;  /* 0: it is not kept */
	bool is_found;     /* since the restart */
} FakeDescriptor;

/* A record that is kept, in the order of serials. */
typedef struct FakeKept {
	uint64_t serial;
	char *text;
} FakeKept;

#define WORLD_DESCRIPTOR_MAX 512

/* Descriptors that came with a reply. */
#define CALL_DESCRIPTORS_MAX 8
typedef struct Offered {
	size_t count;
	Descriptor items[CALL_DESCRIPTORS_MAX];
} Offered;

typedef struct World {
	Host host;
	Service service;

	uint64_t now;
	uint64_t random;
	ProcessKey last_key;
	uint64_t last_inode;
	FakeProcess processes[WORLD_PROCESS_MAX];
	size_t process_count;
	FakeUser users[WORLD_USER_MAX];
	size_t user_count;

	/* What was told and kept. */
	FakeEvent events[WORLD_EVENT_MAX];
	size_t event_count;
	FakeRecord records[WORLD_RECORD_MAX];
	size_t record_count;
	FakeQuarantine quarantines[WORLD_QUARANTINE_MAX];
	size_t quarantine_count;
	FakeDescriptor descriptors[WORLD_DESCRIPTOR_MAX];
	const Descriptor *sent; /* that go with the next exchange */
	size_t sent_count;
	Offered offered;         /* that came with the last one, and were not taken */
	size_t descriptor_limit; /* how many may be open; 0: all */
	FakeKept *kept;
	size_t kept_count;
	size_t keeps; /* how often something was kept */
	uint64_t last_kept_id, last_kept_serial;
	bool is_stopping;   /* nothing is let go */
	StoreReport report; /* of the last start */

	/* Failures to be had. */
	bool refuse_watch;
	bool refuse_store;
	bool refuse_keep; /* once so many more have been kept */
	size_t keeps_before_refusal;
	bool crashes; /* once so many more were dropped: nothing is let go from then on */
	size_t drops_before_crash;
	bool refuse_keep_descriptor;
	bool exhaust_find;
	bool exhaust_find_descriptor;
	const char *mistake; /* in the configuration, when it is reloaded; NULL: none */

	/* Told, unless NULL, when the daemon's own code begins to run and when it has run. */
	void (*own_code)(bool begins);

	/* How often the caller's privileges were read, to see what was answered from the record. */
	size_t credential_reads;
	size_t user_reads;
	size_t context_reads;

	Caller *callers[256];
	size_t caller_count;
	bool was_broken; /* the connection of the last exchange ended with less than all answered */
	char *reply_text;
	JsonValue *reply;
} World;

/* A world with a broker and nothing else; operators are uid 0 and group WORLD_OPERATOR_GROUP. */
World *world_new(void);
World *world_new_with(const Limits *limits);
void world_free(World *world);

/*
 * The daemon stops and starts again: a new broker among the same processes, with what was kept. Who
 * is connected is connected again. What happens in between, happens between stop and start; what
 * came back and what did not is in world->report.
 */
void world_restart(World *world);
void world_stop(World *world);
void world_start(World *world);
bool world_try_start(World *world); /* false: it cannot, and is stopped as before */

/* For world_new() alone. */
void world_init_store(World *world);

/* The first record that has the text in it; NULL: none has. */
const char *world_record(const World *world, const char *part);
void world_write_record(World *world, uint64_t serial, const char *text, size_t size);

/* All that the api shows to an operator, with the books and the serials, as text to compare. The
 * caller frees it. */
char *world_picture(World *world, Caller *operator);

/* A live process with one uid, the group of that number, and no capabilities (uid 0: all). */
FakeProcess *world_process(World *world, pid_t pid, uid_t uid);
void process_set_groups(FakeProcess *process, gid_t primary, size_t count, const gid_t *groups);
void process_set_context(FakeProcess *process, GraphicsContextKind kind);

/* A user whose processes look like those of world_process(). */
FakeUser *world_user(World *world, const char *name, uid_t uid);

/* Descriptors that a message can bring: of a kind, and so large. What is done to facts later is
 * what the kernel says then. */
Descriptor world_descriptor(World *world, DescriptorKind kind, uint64_t size);
FakeDescriptor *world_descriptor_of(World *world, Descriptor descriptor);
size_t world_open_descriptors(const World *world);

/* As callf(), with descriptors; they are the daemon's then. *ret_offered are those that came with
 * the reply, which the caller is to close with world_close(). */
const char *call_with_descriptors(World *world, Caller *caller, const char *method,
				  const char *parameters, const Descriptor *descriptors,
				  size_t count, Offered *ret_offered);
void world_close(World *world, Descriptor descriptor);

/* It dies; the daemon hears of it with world_tell_exits(), or at once. */
void world_kill(World *world, FakeProcess *process);
void world_tell_exits(World *world);
void world_exit(World *world, FakeProcess *process);

/* Connects: the caller as the host would capture it now. Owned by the world. */
Caller *world_connect(World *world, const FakeProcess *process);
void world_disconnect(World *world, Caller *caller);

/* Looks anew who is an operator, after the settings changed. */
void world_reload(World *world);

/*
 * Sends bytes over a fresh connection of the caller, then the end of input, and returns all that
 * came back; NUL-terminated behind its end, owned by the world, good until the next exchange.
 */
const char *exchange(World *world, Caller *caller, const char *text);
const char *exchange_bytes(World *world, Caller *caller, const char *bytes, size_t size,
			   size_t *ret_size);

/*
 * Calls a method with parameters as JSON text (NULL: none), and returns the status of the reply,
 * like "STATUS_SUCCESS"; the name of the error where that carries none.
 */
const char *call(World *world, Caller *caller, const char *method, const char *parameters);
const char *callf(World *world, Caller *caller, const char *method, const char *format, ...)
	_printf_(4, 5);

/* Fields of the last call's parameters, by paths like "virtualMachine.displayClients[0].pid". */
JsonValue *reply_value(World *world, const char *path);
const char *reply_string(World *world, const char *path); /* "" where there is none */
uint64_t reply_number(World *world, const char *path);    /* UINT64_MAX where there is none */
size_t reply_count(World *world, const char *path);

/* How many events of that kind there were, and the last of them (NULL: none). */
size_t world_events(const World *world, EventKind kind);
const FakeEvent *world_last_event(const World *world, EventKind kind);
const FakeRecord *world_last_record(const World *world); /* NULL: none */
const FakeQuarantine *world_kept_quarantine(const World *world, const char *guid);

#define GUID_A "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define GUID_B "b1111111-2222-4333-8444-555555555555"
#define GUID_C "c1111111-2222-4333-8444-555555555555"

#define NAMES_A "{\"virtualMachineGuid\":\"" GUID_A "\"}"
#define NAMES_B "{\"virtualMachineGuid\":\"" GUID_B "\"}"

#define REGISTER           "io.vaild.RegisterVailProcess"
#define UNREGISTER         "io.vaild.UnregisterVailProcess"
#define REVOKE             "io.vaild.RevokeRegistration"
#define WATCH              "io.vaild.Watch"
#define LIST_REGISTRATIONS "io.vaild.ListRegistrations"
#define SHARE              "io.vaild.ShareObjectWithHost"
#define UPDATE_OBJECT      "io.vaild.UpdateObject"
#define UNSHARE            "io.vaild.UnshareObject"
#define OPEN               "io.vaild.OpenSharedObject"
#define CLOSE              "io.vaild.CloseSharedObject"
#define LIST_OBJECTS       "io.vaild.ListSharedObjects"
#define REGISTER_MACHINE   "io.vaild.Machine.RegisterVirtualMachine"
#define UPDATE_MACHINE     "io.vaild.Machine.UpdateVirtualMachine"
#define UNREGISTER_MACHINE "io.vaild.Machine.UnregisterVirtualMachine"
#define ASSIGN             "io.vaild.Machine.AssignVirtualGpu"
#define REMOVE             "io.vaild.Machine.RemoveVirtualGpu"
#define LIST_MACHINES      "io.vaild.Machine.ListVirtualMachines"
#define DESCRIBE           "io.vaild.Machine.DescribeVirtualMachine"
#define SET_QUARANTINE     "io.vaild.Machine.SetQuarantine"
#define LIST_QUARANTINES   "io.vaild.Machine.ListQuarantines"
#define LIST_ADAPTERS      "io.vaild.Gpu.ListAdapters"
#define CREATE_CONTEXT     "io.vaild.Gpu.CreateContext"
#define DESTROY_CONTEXT    "io.vaild.Gpu.DestroyContext"
#define REGISTER_ADAPTER   "io.vaild.Gpu.RegisterAdapter"
#define UNREGISTER_ADAPTER "io.vaild.Gpu.UnregisterAdapter"
#define CREATE_PROCESS     "io.vaild.Gpu.CreateProcess"
#define RESERVE_RANGE      "io.vaild.Gpu.ReserveGpuVirtualAddressRange"
#define COMPLETE_PROCESS   "io.vaild.Gpu.CompleteCreateProcess"
#define DESTROY_PROCESS    "io.vaild.Gpu.DestroyProcess"
#define LIST_PROCESSES     "io.vaild.Gpu.ListProcesses"
#define SET_ENTRY          "io.vaild.Gpu.SetReservedPageTableEntry"
#define EVICT              "io.vaild.Gpu.EvictPageTable"
#define MAKE_RESIDENT      "io.vaild.Gpu.MakePageTableResident"
#define RESERVE_ADDRESS    "io.vaild.Gpu.ReserveGpuVirtualAddress"
#define MAP_ADDRESS        "io.vaild.Gpu.MapGpuVirtualAddress"
#define FREE_ADDRESS       "io.vaild.Gpu.FreeGpuVirtualAddress"
#define TRANSLATE          "io.vaild.Gpu.TranslateGpuVirtualAddress"
#define DESCRIBE_SPACE     "io.vaild.Gpu.DescribeAddressSpace"
#define GET_INFO           "org.varlink.service.GetInfo"
#define GET_DESCRIPTION    "org.varlink.service.GetInterfaceDescription"

/*
 * The usual cast: root (100), who runs GUID_A in vmm (200, uid 64055, no login user) for the
 * display client alice; viewer (300) is hers and draws with a DRM node; mallory (400) is bob's.
 */
typedef struct Cast {
	World *world;
	FakeProcess *root, *vmm, *viewer, *mallory;
	Caller *admin, *machine, *client, *stranger;
} Cast;

Cast cast_new(void);        /* GUID_A is registered and has one vGPU */
Cast cast_new_quiet(void);  /* no VM yet */
void cast_free(Cast *cast); /* checks the books on the way */

#endif
