/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_GPU_LIFE_MODEL_H
#define TESTS_MODEL_GPU_LIFE_MODEL_H

#include "tests/model/random.h"
#include "tests/support/fake-host.h"

/*
 * A simple model of adapters, GPU processes and contexts: arrays in the order of creation, searched
 * from the beginning. Entities refer to each other by handle, as text. It is written from the
 * documentation, not from the daemon.
 */

enum {
	LIFE_HOSTS = 16,
	LIFE_CONNECTIONS = 32,
	LIFE_ADAPTERS = 16,
	LIFE_GPU_PROCESSES = 64,
	LIFE_CONTEXTS = 32,
	LIFE_VIRTUAL_GPUS = 32,
	LIFE_REGISTRATIONS = 64,
	LIFE_MACHINES = 3,
	LIFE_EVENTS = 256,
	LIFE_DEAD = 32,
	LIFE_NO_MACHINE = -1,
};

#define LIFE_OPERATOR_UID 1100 /* operator by group membership, while that is in force */
#define LIFE_VIEWER_UID   1000 /* alice, the display client of each VM */
#define LIFE_DAEMON_PAYER ((uid_t)-1)

typedef char LifeHandle[HANDLE_TEXT_LENGTH + 1];

/* A host process, from its start until its exit is reported. */
typedef struct LifeHost {
	ProcessKey key;
	pid_t pid;
	uid_t uid;
	bool alive;
} LifeHost;

typedef struct LifeConnection {
	Caller *caller;
	ProcessKey key;
	pid_t pid;
	uid_t uid;
} LifeConnection;

typedef struct LifeAdapter {
	LifeHandle handle;
	LifeHandle system_process;
	char name[24];
	uint64_t max_virtual_gpus;
	const Caller *connection; /* NULL for the software adapter */
	uid_t payer;
} LifeAdapter;

typedef struct LifeGpuProcess {
	LifeHandle handle;
	LifeHandle adapter;
	char name[24];
	ProcessKey key; /* PROCESS_KEY_NONE without a host process */
	pid_t pid;
	uid_t uid;   /* of the host process, otherwise of the payer */
	uid_t payer; /* LIFE_DAEMON_PAYER for the daemon's own */
	int machine;
	bool is_system;
	bool is_running;
	uint64_t reservations; /* by the driver */
	uint64_t user_ranges;
} LifeGpuProcess;

typedef struct LifeContext {
	LifeHandle handle;
	LifeHandle process;
	uid_t payer;
} LifeContext;

typedef struct LifeVirtualGpu {
	LifeHandle handle;
	LifeHandle adapter;
	int machine;
	uid_t payer;
} LifeVirtualGpu;

typedef struct LifeRegistration {
	int machine;
	ProcessKey key;
	pid_t pid;
	uid_t uid;
} LifeRegistration;

typedef struct LifeMachine {
	bool runs;
	ProcessKey vmm;
	pid_t pid;
	uid_t uid;
	uid_t registered_by;
} LifeMachine;

/*
 * An expected event. Each must occur once. The events of one step can be in any order, except that
 * an entity's end follows the ends of its parts.
 */
typedef struct LifeEvent {
	EventKind kind;
	EndReason reason;
	LifeHandle handle; /* "" without a handle, and until it is known */
	int machine;
	pid_t pid;
	uid_t uid;
	unsigned int group;  /* group of parts that the entity belongs to, or 0 */
	unsigned int closes; /* group that ends with this event, or 0 */
} LifeEvent;

typedef struct Life {
	LifeHost hosts[LIFE_HOSTS];
	LifeConnection connections[LIFE_CONNECTIONS];
	LifeAdapter adapters[LIFE_ADAPTERS];
	LifeGpuProcess processes[LIFE_GPU_PROCESSES];
	LifeContext contexts[LIFE_CONTEXTS];
	LifeVirtualGpu virtual_gpus[LIFE_VIRTUAL_GPUS];
	LifeRegistration registrations[LIFE_REGISTRATIONS];
	LifeMachine machines[LIFE_MACHINES];
	LifeEvent events[LIFE_EVENTS]; /* expected in this step */
	size_t host_count, connection_count, adapter_count, process_count, context_count;
	size_t virtual_gpu_count, registration_count, event_count;
	LifeHandle dead[LIFE_DEAD]; /* of recently ended entities */
	size_t dead_count;
	unsigned int group, last_group;
	uint64_t ended_creating, ended_with_contexts; /* GPU processes so far */
	bool group_in_force;                          /* operators by group are operators */
	uint64_t limits[LIMIT_MAX];
} Life;

/* --- requests -------------------------------------------------------------------------------- */

typedef enum LifeMethod {
	LIFE_REGISTER_ADAPTER,
	LIFE_UNREGISTER_ADAPTER,
	LIFE_CREATE_PROCESS,
	LIFE_RESERVE_RANGE,
	LIFE_COMPLETE_PROCESS,
	LIFE_DESTROY_PROCESS,
	LIFE_CREATE_CONTEXT,
	LIFE_DESTROY_CONTEXT,
	LIFE_RESERVE_ADDRESS,
	LIFE_MAP_ADDRESS,
	LIFE_REGISTER_MACHINE,
	LIFE_UNREGISTER_MACHINE,
	LIFE_ASSIGN,
	LIFE_REMOVE,
	LIFE_REGISTER,
	LIFE_METHOD_MAX,
} LifeMethod;

/* An error in a request's values: in their form, which is checked first, or in their meaning. */
typedef enum LifeFlaw { LIFE_SOUND, LIFE_BAD_SHAPE, LIFE_BAD_VALUE } LifeFlaw;

typedef struct LifeRequest {
	LifeMethod method;
	const LifeConnection *from;
	LifeHandle handle; /* "" if not given */
	bool has_pid;
	uint64_t pid;
	int machine;
	char name[24];
	uint64_t max_virtual_gpus;
	LifeFlaw flaw;
} LifeRequest;

/* Returns the expected status, and applies the effects of the request. */
NTSTATUS life_answer(Life *life, const LifeRequest *request);

/*
 * Stores the handles from a successful reply: the new entity's, and its GPU process's. Returns
 * false if the context should be in another GPU process.
 */
bool life_learn(Life *life, LifeMethod method, const char *handle, const char *process);

/* --- parts of life_answer() ------------------------------------------------------------------ */

NTSTATUS life_check_caller(const Life *life, const LifeRequest *request, bool is_allowed);
NTSTATUS life_check_limit(const Life *life, LimitKind kind, uid_t uid);
NTSTATUS life_register_machine(Life *life, const LifeRequest *request);
NTSTATUS life_unregister_machine(Life *life, const LifeRequest *request);
NTSTATUS life_assign(Life *life, const LifeRequest *request);
NTSTATUS life_remove_virtual_gpu(Life *life, const LifeRequest *request);
NTSTATUS life_register_process(Life *life, const LifeRequest *request);

/* --- ends ------------------------------------------------------------------------------------ */

void life_expect(Life *life, LifeEvent event);

void life_connection_closed(Life *life, const Caller *caller);
void life_process_exited(Life *life, ProcessKey key);
void life_end_adapter(Life *life, LifeAdapter *adapter, EndReason reason);
void life_end_process(Life *life, LifeGpuProcess *process, EndReason reason);
void life_end_context(Life *life, LifeContext *context);
void life_end_virtual_gpu(Life *life, LifeVirtualGpu *virtual_gpu, EndReason reason);
void life_stop(Life *life); /* the daemon stops, which ends everything */
void life_end_machine(Life *life, int machine, EndReason reason);

/* --- lookups --------------------------------------------------------------------------------- */

const LifeHost *life_host(const Life *life, ProcessKey key);
const LifeHost *life_live_pid(const Life *life, uint64_t pid); /* NULL if no live process has it */
bool life_is_operator(const Life *life, const LifeConnection *connection);
LifeAdapter *life_adapter(Life *life, const char *handle);
LifeGpuProcess *life_process(Life *life, const char *handle);
LifeContext *life_context(Life *life, const char *handle);
LifeVirtualGpu *life_virtual_gpu(Life *life, const char *handle);

uint64_t life_contexts_of(const Life *life, const LifeGpuProcess *process);
uint64_t life_virtual_gpus_of(const Life *life, const LifeAdapter *adapter);

/* Tests whether the connection sees the process in a list. */
bool life_is_visible(Life *life, const LifeConnection *connection, const LifeGpuProcess *process);

/* --- randomness: gpu-life-random.c and gpu-life-world.c -------------------------------------- */

/* Makes a random request, and its parameters as text. Returns false if there is no connection. */
bool life_make_request(Life *life, Dice *dice, LifeRequest *ret, char parameters[static 512]);

/* Starts and ends random processes and connections. */
void life_disturb(Life *life, FakeHost *fake_host, Dice *dice);

void life_machine_guid(int machine, char ret[static GUID_TEXT_LENGTH + 1]);

#endif
