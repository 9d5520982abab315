/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_HOST_H
#define TESTS_SUPPORT_FAKE_HOST_H

#include "daemon/api/service.h"
#include "daemon/api/session.h"
#include "daemon/core/broker.h"

/*
 * A fake host for the pure part of the daemon. Tests set its processes, users, clock and random
 * bytes, and inspect the events, audit records and persisted records that the daemon passes to it.
 * It enforces the contract of Host: a process that is watched twice, unwatched without a watch, or
 * still watched when the broker has been freed aborts the test.
 */

#define FAKE_HOST_PROCESS_MAX      64
#define FAKE_HOST_USER_MAX         16
#define FAKE_HOST_EVENT_MAX        1024 /* size of the ring of the last events */
#define FAKE_HOST_AUDIT_RECORD_MAX 256  /* size of the ring of the last audit records */
#define FAKE_HOST_QUARANTINE_MAX   256

/* The account of a uid: that of an operator, and that of any other caller. */
#define OPERATOR(payer_uid) (&(Payer){ .uid = (payer_uid), .is_operator = true })
#define ORDINARY(payer_uid) (&(Payer){ .uid = (payer_uid) })

#define FAKE_HOST_OPERATOR_GROUP   900
#define FAKE_HOST_OBSERVERS_GROUP  901
#define FAKE_HOST_QUARANTINE_GROUP 902
#define FAKE_HOST_NAMESPACE        7 /* inode of the initial user namespace */

/* Aborts the program if the condition does not hold. Works in fuzzers, too, unlike cr_assert(). */
#define fake_host_must(condition) fake_host_check((condition), #condition, __FILE__, __LINE__)
void fake_host_check(bool holds, const char *condition, const char *file, int line);

typedef struct FakeProcess {
	ProcessKey key;
	pid_t pid;
	bool alive;
	bool watched;
	bool is_persisted;  /* the key survives a restart */
	bool is_hidden;     /* find_persisted_process() fails with EXHAUSTED */
	bool exit_reported; /* broker_process_exited() has been called */
	Credentials credentials;
	Lookup credentials_lookup;  /* result of read_credentials() while the process lives */
	Lookup context_lookup;      /* result of find_graphics_context(), while it lives */
	unsigned int context_turns; /* turns for which that result is still pending */
	Lookup held_lookup;         /* result of find_held_gpus(), while it lives */
	unsigned int held_turns;    /* turns for which that result is still pending */
	HeldGpus held;              /* if held_lookup is FOUND */
	bool has_many_groups;       /* its connections leave their groups unread */
	unsigned int find_turns;    /* the same for find_process() in an inner namespace */
	InnerPids *inner_pids;      /* see fake_host_enter() */
	bool has_graphics_context;
	GraphicsContextKind graphics_context;
} FakeProcess;

typedef struct FakeUser {
	char name[32];
	uid_t uid;
	bool is_login_user;
	Credentials credentials;
	Lookup lookup; /* result of read_user() */
} FakeUser;

typedef struct FakeEvent {
	EventKind kind;
	EndReason reason;
	HandOver hand_over;
	bool has_guid;
	Guid guid;
	bool has_handle;
	Handle handle;
	pid_t pid;
	uid_t uid;
} FakeEvent;

typedef struct FakeAuditRecord {
	char method[96];
	NTSTATUS status;
	char reason[32];
	bool has_guid;
	Guid guid;
	bool has_object;
	Handle object;
	unsigned int rights; /* of a display */
	char details[1200];  /* " name=text" for each */
	uid_t uid;
} FakeAuditRecord;

typedef struct FakeQuarantine {
	Guid guid;
	char reason[LIMIT_NAME_LENGTH + 1];
	bool has_reason;
	Payer payer;
} FakeQuarantine;

/* An fd of the fake kernel. Its number is its index in FakeHost.fds plus one. */
typedef struct FakeFd {
	bool open;
	FdInfo facts;
	bool is_forbidden;   /* cannot be reopened */
	uint64_t fdstore_id; /* id in the fd store, or 0 if not stored */
	bool is_claimed;     /* fdstore_find() has returned it since the restart */
	uint64_t channel;    /* number of the display channel that it is an end of, or 0 */
} FakeFd;

/* A persisted record. */
typedef struct FakePersistedRecord {
	uint64_t serial;
	char *text;
} FakePersistedRecord;

#define FAKE_HOST_FD_MAX      512
#define FAKE_HOST_CHANNEL_MAX 65536

/* Fds received with a reply. */
#define CALL_FDS_MAX 8
typedef struct ReceivedFds {
	size_t count;
	int items[CALL_FDS_MAX];
} ReceivedFds;

typedef struct FakeHost {
	Host host;
	Service service;

	uint64_t now;
	uint64_t tick; /* microseconds that pass whenever the daemon reads the clock */
	uint64_t random;
	ProcessKey last_key;
	uint64_t last_inode;
	FakeProcess processes[FAKE_HOST_PROCESS_MAX];
	size_t process_count;
	FakeUser users[FAKE_HOST_USER_MAX];
	size_t user_count;
	const DropIns *drop_ins; /* those of the next broker; NULL for none */

	/* All that the daemon has reported and persisted. Rings hold the last entries. */
	FakeEvent events[FAKE_HOST_EVENT_MAX];
	size_t event_count;
	FakeAuditRecord records[FAKE_HOST_AUDIT_RECORD_MAX];
	size_t record_count;
	FakeQuarantine quarantines[FAKE_HOST_QUARANTINE_MAX];
	size_t quarantine_count;
	FakeFd fds[FAKE_HOST_FD_MAX];
	const int *sent; /* fds to send with the next exchange */
	size_t sent_count;
	ReceivedFds offered;                 /* fds received in the last exchange */
	uint64_t last_channel;               /* number of the newest display channel */
	bool is_shut[FAKE_HOST_CHANNEL_MAX]; /* the display channels that were shut down */
	size_t fd_limit;                     /* maximum number of open fds, or 0 for no limit */
	FakePersistedRecord *persisted;      /* sorted by serial */
	size_t persisted_count;
	FakePersistedRecord *ended; /* by remove_later(), in that order; back at the next start */
	size_t ended_count;
	size_t persist_calls; /* number of successful calls of persist() */
	uint64_t last_fdstore_id, last_persisted_serial;
	bool has_lost_records; /* records may be missing at the next start */
	bool is_stopping;      /* ignores removals, after stop_persisting() or before a restart */
	StoreReport report;    /* result of the last start */

	/* Failures to inject. */
	bool refuse_watch;
	bool refuse_quarantine;
	bool refuse_persist; /* persist() fails after persists_before_refusal successes */
	size_t persists_before_refusal;
	bool crashes; /* ignores removals after removals_before_crash of them */
	size_t removals_before_crash;
	bool refuse_fdstore_add;
	bool exhaust_find;
	bool exhaust_fdstore_find;
	Payer closer;        /* the only payer whose fds are being closed */
	uint64_t closes;     /* number of child processes that do that */
	const char *mistake; /* error of the next reload of the configuration, or NULL */

	/* Called, unless NULL, before (true) and after (false) each run of daemon code. */
	void (*own_code)(bool begins);

	/* Number of calls that read facts. Replies from stored state need none. */
	size_t credential_reads;
	size_t user_reads;
	size_t group_reads;
	unsigned int fdstore_turns; /* turns for which the fdstore is not ready */
	bool must_ask_fdstore; /* a request is handled, and has not asked whether it is ready */
	bool exhaust_groups;   /* read_groups() returns EXHAUSTED */
	size_t context_reads;
	size_t held_reads;
	size_t looks;            /* calls of look_at_gpus() */
	unsigned int look_turns; /* such calls that only begin a look, which a later one ends */

	Caller *callers[256];
	size_t caller_count;
	bool was_broken; /* the last exchange's session ended with requests not answered */
	char *reply_text;
	JsonValue *reply;
} FakeHost;

/*
 * Create a fake host with a started broker, without processes and users. Operators are uid 0 and
 * the members of FAKE_HOST_OPERATOR_GROUP. The other two groups are configured as well.
 */
FakeHost *fake_host_new(void);
FakeHost *fake_host_new_with(const Limits *limits);

/* Frees the broker and the fake host. Asserts that no fd, persisted record or watch is left. */
void fake_host_free(FakeHost *fake_host);

/*
 * Stop the daemon and start it again: a new broker with the same processes, callers and persisted
 * records. Call stop and start separately to change something in between. fake_host->report says
 * what was restored.
 */
void fake_host_restart(FakeHost *fake_host);
void fake_host_stop(FakeHost *fake_host);
void fake_host_start(FakeHost *fake_host);

/* Returns false if the start fails; the daemon is then stopped as before. */
bool fake_host_try_start(FakeHost *fake_host);

/* Called by fake_host_new() to set the functions of fake-store.c. */
void fake_host_init_store(FakeHost *fake_host);

/* Returns the first persisted record that contains the text, or NULL. */
const char *fake_host_record(const FakeHost *fake_host, const char *part);

/* Writes the removals of the first records that have ended, as a daemon does that has the time. */
void fake_host_write_ended(FakeHost *fake_host, size_t count);

/* Adds or replaces a persisted record. */
void fake_host_persist_record(FakeHost *fake_host, uint64_t serial, const char *text, size_t size);

/*
 * Returns the visible state as text: all that the API shows to an operator, and the accounts,
 * serials and handles, but not the times of the last updates. Equal states give equal texts. The
 * caller frees the text.
 */
char *fake_host_snapshot(FakeHost *fake_host, Caller *operator);

/*
 * Adds a live process with this uid, the group of the same number, and no capabilities, or all
 * capabilities if uid is 0.
 */
FakeProcess *fake_host_process(FakeHost *fake_host, pid_t pid, uid_t uid);

/*
 * Puts the process into a pid namespace below the one that it is in, where it has this pid. Call
 * before the process connects.
 */
void fake_host_enter(FakeProcess *process, PidNamespace namespace, pid_t pid);
void process_set_groups(FakeProcess *process, gid_t primary, size_t count, const gid_t *groups);
void process_set_context(FakeProcess *process, GraphicsContextKind kind);

/*
 * Adds a user with the credentials of fake_host_process(). uids 0 and 1000 to 59999 are login
 * users.
 */
FakeUser *fake_host_user(FakeHost *fake_host, const char *name, uid_t uid);

/* Opens a new fd for a message. size is in bytes. */
int fake_host_fd(FakeHost *fake_host, FdKind kind, uint64_t size);

/* Returns the entry of an open fd. Tests change its facts to change what the kernel reports. */
FakeFd *fake_host_fd_of(FakeHost *fake_host, int fd);

/* Tests whether the display channel that the fd is an end of was shut down. */
bool fake_host_is_shut(FakeHost *fake_host, int fd);

/* Returns the number of open fds. */
size_t fake_host_open_fds(const FakeHost *fake_host);

/*
 * Calls a method like call() and sends fds, which the daemon then owns. Stores the fds of the reply
 * in *ret_offered, to be closed with fake_host_close(). If ret_offered is NULL, no fd may come.
 */
const char *call_with_fds(FakeHost *fake_host, Caller *caller, const char *method,
			  const char *parameters, const int *fds, size_t count,
			  ReceivedFds *ret_offered);
void fake_host_close(FakeHost *fake_host, int fd);

/* Kills a process without notifying the daemon. */
void fake_host_kill(FakeHost *fake_host, FakeProcess *process);

/* Notifies the daemon of the exits of watched processes that it does not know yet. */
void fake_host_report_exits(FakeHost *fake_host);

/* Looks at what the processes of the VM with this serial have open, and applies it. */
void fake_host_look(FakeHost *fake_host, uint64_t serial);

/* Kills a process and notifies the daemon. */
void fake_host_exit(FakeHost *fake_host, FakeProcess *process);

/* Connects a process with its present credentials. The fake host owns the caller. */
Caller *fake_host_connect(FakeHost *fake_host, const FakeProcess *process);
void fake_host_disconnect(FakeHost *fake_host, Caller *caller);

/* Applies changed settings: limits, the software adapter, and the rights of callers. */
void fake_host_reload(FakeHost *fake_host);

/*
 * Send bytes in a new session of the caller, then the end of input. Return all replies, terminated
 * by a NUL that *ret_size does not count. The text is owned by the fake host and valid until the
 * next exchange.
 */
const char *exchange(FakeHost *fake_host, Caller *caller, const char *text);
const char *exchange_bytes(FakeHost *fake_host, Caller *caller, const char *bytes, size_t size,
			   size_t *ret_size);

/*
 * Call a method with parameters as JSON text; call() accepts NULL for none. Return the status of
 * the reply, like "STATUS_SUCCESS", or the name of the error if it has no status.
 */
const char *call(FakeHost *fake_host, Caller *caller, const char *method, const char *parameters);
const char *callf(FakeHost *fake_host, Caller *caller, const char *method, const char *format, ...)
	_printf_(4, 5);

/*
 * Return a field of the last reply's parameters. A path is like "virtualMachine.agent.pid" or
 * "virtualMachine.displayClients[0].pid".
 */
JsonValue *reply_value(FakeHost *fake_host, const char *path);
const char *reply_string(FakeHost *fake_host, const char *path); /* "" if absent */
uint64_t reply_number(FakeHost *fake_host, const char *path);    /* UINT64_MAX if absent */
size_t reply_count(FakeHost *fake_host, const char *path);

/* Returns the number of events of a kind among the last FAKE_HOST_EVENT_MAX. */
size_t fake_host_events(const FakeHost *fake_host, EventKind kind);

/* Return the last event of a kind or the last audit record, or NULL. */
const FakeEvent *fake_host_last_event(const FakeHost *fake_host, EventKind kind);
const FakeAuditRecord *fake_host_last_audit_record(const FakeHost *fake_host);

/* Returns the persisted quarantine of a GUID, or NULL. */
const FakeQuarantine *fake_host_find_quarantine(const FakeHost *fake_host, const char *guid);

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
#define LIST_GPU_HOLDERS   "io.vaild.Gpu.ListHolders"
#define CREATE_CONTEXT     "io.vaild.Gpu.CreateContext"
#define DESTROY_CONTEXT    "io.vaild.Gpu.DestroyContext"
#define OPEN_DISPLAY       "io.vaild.Display.OpenDisplay"
#define SERVE_DISPLAYS     "io.vaild.Display.ServeDisplays"
#define CLOSE_DISPLAY      "io.vaild.Display.CloseDisplay"
#define LIST_DISPLAYS      "io.vaild.Display.ListDisplays"
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
 * The usual fixture: a fake host with four processes, each with a connection.
 *
 *	process          connection  uid
 *	root (100)       admin       0
 *	vmm (200)        machine     64055 (libvirt-qemu, not a login user)
 *	viewer (300)     client      1000 (alice), has a DRM context
 *	mallory (400)    stranger    1001 (bob), has a DRM context
 */
typedef struct HostFixture {
	FakeHost *fake_host;
	FakeProcess *root, *vmm, *viewer, *mallory;
	Caller *admin, *machine, *client, *stranger;
} HostFixture;

/* Root has registered the VM GUID_A with vmm, the display client alice and one vGPU. */
HostFixture host_fixture_new(void);

/* Without a VM. */
HostFixture host_fixture_new_quiet(void);

/* Checks the broker's invariants, then frees the fixture. */
void host_fixture_free(HostFixture *fixture);

#endif
