/* SPDX-License-Identifier: MIT */
#ifndef TESTS_GPU_LIFE_MODEL_H
#define TESTS_GPU_LIFE_MODEL_H

#include "fake-host.h"
#include "random.h"

/*
 * How adapters, GPU processes and contexts come and go, as plain as can be: arrays, in the order in
 * which things came, that are searched from the beginning. What refers to another thing has its
 * handle, as text. Written from the documents, not from the daemon.
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

#define LIFE_OPERATOR_UID 1100 /* by its group, which is not always in force */
#define LIFE_VIEWER_UID   1000 /* alice, who is each VM's display client */
#define LIFE_NOBODY       ((uid_t)-1)

typedef char LifeHandle[HANDLE_TEXT_LENGTH + 1];

/* A host process, from its beginning until its end was told. */
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
	const Caller *connection; /* NULL: the software adapter */
	uid_t payer;
} LifeAdapter;

typedef struct LifeGpuProcess {
	LifeHandle handle;
	LifeHandle adapter;
	char name[24];
	ProcessKey key; /* PROCESS_KEY_NONE: of no host process */
	pid_t pid;
	uid_t uid;   /* the host process's, or the payer */
	uid_t payer; /* LIFE_NOBODY: the daemon's own */
	int machine;
	bool is_system;
	bool is_running;
	uint64_t reservations; /* the driver's */
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

/* An event that has to be told. Each once; those of one step in any order, but what ends something
 * as a whole comes behind what ends with it. */
typedef struct LifeEvent {
	EventKind kind;
	EndReason reason;
	LifeHandle handle; /* "" without one, and while it is not known */
	int machine;
	pid_t pid;
	uid_t uid;
	unsigned int group;  /* the whole that it ends with, or 0 */
	unsigned int closes; /* the group that it is the end of, or 0 */
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
	LifeEvent events[LIFE_EVENTS]; /* of this step */
	size_t host_count, connection_count, adapter_count, process_count, context_count;
	size_t virtual_gpu_count, registration_count, event_count;
	LifeHandle dead[LIFE_DEAD]; /* handles of what has ended lately */
	size_t dead_count;
	unsigned int group, last_group;
	uint64_t ended_creating, ended_with_contexts; /* GPU processes, so far */
	bool group_in_force;                          /* the operators' group */
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

/* What is wrong with a request's values: with their form, which is looked at before all else, or
 * with what they say. */
typedef enum LifeFlaw { LIFE_SOUND, LIFE_BAD_SHAPE, LIFE_BAD_VALUE } LifeFlaw;

typedef struct LifeRequest {
	LifeMethod method;
	const LifeConnection *from;
	LifeHandle handle; /* "": none is given */
	bool has_pid;
	uint64_t pid;
	int machine;
	char name[24];
	uint64_t max_virtual_gpus;
	LifeFlaw flaw;
} LifeRequest;

/* The status, and everything that comes of the request. */
NTSTATUS life_answer(Life *life, const LifeRequest *request);

/* After a success that made something: its handle, and that of the GPU process that came with it,
 * or that a context is in. Returns false where the context had to be in another. */
bool life_learn(Life *life, LifeMethod method, const char *handle, const char *process);

/* --- parts of the answers ----------------------------------------------------------------------
 */

NTSTATUS life_check_caller(const Life *life, const LifeRequest *request, bool is_allowed);
NTSTATUS life_check_limit(const Life *life, LimitKind kind, uid_t uid);
NTSTATUS life_register_machine(Life *life, const LifeRequest *request);
NTSTATUS life_unregister_machine(Life *life, const LifeRequest *request);
NTSTATUS life_assign(Life *life, const LifeRequest *request);
NTSTATUS life_remove_virtual_gpu(Life *life, const LifeRequest *request);
NTSTATUS life_register_process(Life *life, const LifeRequest *request);

/* --- ends ------------------------------------------------------------------------------------ */

void life_tell(Life *life, LifeEvent event);

void life_connection_closed(Life *life, const Caller *caller);
void life_process_exited(Life *life, ProcessKey key);
void life_end_adapter(Life *life, LifeAdapter *adapter, EndReason reason);
void life_end_process(Life *life, LifeGpuProcess *process, EndReason reason);
void life_end_context(Life *life, LifeContext *context);
void life_end_virtual_gpu(Life *life, LifeVirtualGpu *virtual_gpu, EndReason reason);
void life_stop(Life *life); /* the daemon's end, which is that of all */
void life_end_machine(Life *life, int machine, EndReason reason);

/* --- looking --------------------------------------------------------------------------------- */

const LifeHost *life_host(const Life *life, ProcessKey key);
const LifeHost *life_live_pid(const Life *life, uint64_t pid); /* NULL: nobody alive has it */
bool life_is_operator(const Life *life, const LifeConnection *connection);
LifeAdapter *life_adapter(Life *life, const char *handle);
LifeGpuProcess *life_process(Life *life, const char *handle);
LifeContext *life_context(Life *life, const char *handle);
LifeVirtualGpu *life_virtual_gpu(Life *life, const char *handle);

uint64_t life_contexts_of(const Life *life, const LifeGpuProcess *process);
uint64_t life_virtual_gpus_of(const Life *life, const LifeAdapter *adapter);

/* Who sees the process in a list. */
bool life_is_visible(Life *life, const LifeConnection *connection, const LifeGpuProcess *process);

/* --- dice: gpu-life-random.c ----------------------------------------------------------------- */

/* A random request, and its parameters as text. Returns false where nobody is there to send it. */
bool life_make_request(Life *life, Dice *dice, LifeRequest *ret, char parameters[static 512]);

/* Something happens in the world: processes and connections come and go. */
void life_stir(Life *life, World *world, Dice *dice);

void life_machine_guid(int machine, char ret[static GUID_TEXT_LENGTH + 1]);

#endif
