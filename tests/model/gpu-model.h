/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_GPU_MODEL_H
#define TESTS_MODEL_GPU_MODEL_H

#include "tests/model/random.h"
#include "tests/support/fake-host.h"

/*
 * A simple model of adapters, GPU processes and contexts: arrays in the order of creation, searched
 * from the beginning. Entities refer to each other by handle, as text. It is written from the
 * documentation, not from the daemon.
 */

enum {
	GPU_MODEL_HOSTS = 16,
	GPU_MODEL_CONNECTIONS = 32,
	GPU_MODEL_ADAPTERS = 16,
	GPU_MODEL_GPU_PROCESSES = 64,
	GPU_MODEL_CONTEXTS = 32,
	GPU_MODEL_VIRTUAL_GPUS = 32,
	GPU_MODEL_REGISTRATIONS = 64,
	GPU_MODEL_MACHINES = 3,
	GPU_MODEL_EVENTS = 256,
	GPU_MODEL_DEAD = 32,
	GPU_MODEL_NO_MACHINE = -1,
};

#define GPU_MODEL_OPERATOR_UID 1100 /* operator by group membership, while that is in force */
#define GPU_MODEL_VIEWER_UID   1000 /* alice, the display client of each VM */
#define GPU_MODEL_DAEMON_PAYER ((GpuModelPayer)-1)
#define GPU_MODEL_OF_OPERATORS 0x10000u

/* An account: the uid, and GPU_MODEL_OF_OPERATORS if it is an operator's. */
typedef uint64_t GpuModelPayer;

typedef char GpuModelHandle[HANDLE_TEXT_LENGTH + 1];

/* A host process, from its start until its exit is reported. */
typedef struct GpuModelHost {
	ProcessKey key;
	pid_t pid;
	uid_t uid;
	bool alive;
} GpuModelHost;

typedef struct GpuModelConnection {
	Caller *caller;
	ProcessKey key;
	pid_t pid;
	uid_t uid;
} GpuModelConnection;

typedef struct GpuModelAdapter {
	GpuModelHandle handle;
	GpuModelHandle system_process;
	char name[24];
	uint64_t max_virtual_gpus;
	const Caller *connection; /* NULL for the software adapter */
	GpuModelPayer payer;
} GpuModelAdapter;

typedef struct GpuModelGpuProcess {
	GpuModelHandle handle;
	GpuModelHandle adapter;
	char name[24];
	ProcessKey key; /* PROCESS_KEY_NONE without a host process */
	pid_t pid;
	uid_t uid;                 /* of the host process, otherwise of the payer */
	GpuModelPayer payer;       /* GPU_MODEL_DAEMON_PAYER for the daemon's own */
	GpuModelPayer range_payer; /* of user ranges, while there are any: the first one's */
	int machine;
	bool is_system;
	bool is_running;
	uint64_t reservations; /* by the driver */
	uint64_t user_ranges;
} GpuModelGpuProcess;

typedef struct GpuModelContext {
	GpuModelHandle handle;
	GpuModelHandle process;
	GpuModelPayer payer;
} GpuModelContext;

typedef struct GpuModelVirtualGpu {
	GpuModelHandle handle;
	GpuModelHandle adapter;
	int machine;
	GpuModelPayer payer;
} GpuModelVirtualGpu;

typedef struct GpuModelRegistration {
	int machine;
	ProcessKey key;
	pid_t pid;
	uid_t uid;
} GpuModelRegistration;

typedef struct GpuModelMachine {
	bool runs;
	ProcessKey vmm;
	pid_t pid;
	uid_t uid;
	uid_t registered_by;
	ProcessKey incoming; /* PROCESS_KEY_NONE without an incoming VMM */
	pid_t incoming_pid;
	uid_t incoming_uid;
} GpuModelMachine;

/*
 * An expected event. Each must occur once. The events of one step can be in any order, except that
 * an entity's end follows the ends of its parts.
 */
typedef struct GpuModelEvent {
	EventKind kind;
	EndReason reason;
	GpuModelHandle handle; /* "" without a handle, and until it is known */
	int machine;
	pid_t pid;
	uid_t uid;
	unsigned int group;  /* group of parts that the entity belongs to, or 0 */
	unsigned int closes; /* group that ends with this event, or 0 */
} GpuModelEvent;

typedef struct GpuModel {
	GpuModelHost hosts[GPU_MODEL_HOSTS];
	GpuModelConnection connections[GPU_MODEL_CONNECTIONS];
	GpuModelAdapter adapters[GPU_MODEL_ADAPTERS];
	GpuModelGpuProcess processes[GPU_MODEL_GPU_PROCESSES];
	GpuModelContext contexts[GPU_MODEL_CONTEXTS];
	GpuModelVirtualGpu virtual_gpus[GPU_MODEL_VIRTUAL_GPUS];
	GpuModelRegistration registrations[GPU_MODEL_REGISTRATIONS];
	GpuModelMachine machines[GPU_MODEL_MACHINES];
	GpuModelEvent events[GPU_MODEL_EVENTS]; /* expected in this step */
	size_t host_count, connection_count, adapter_count, process_count, context_count;
	size_t virtual_gpu_count, registration_count, event_count;
	GpuModelHandle dead[GPU_MODEL_DEAD]; /* of recently ended entities */
	size_t dead_count;
	unsigned int group, last_group;
	uint64_t ended_creating, ended_with_contexts; /* GPU processes so far */
	bool group_in_force;                          /* operators by group are operators */
	uint64_t limits[LIMIT_MAX];
} GpuModel;

/* --- requests -------------------------------------------------------------------------------- */

typedef enum GpuModelMethod {
	GPU_MODEL_REGISTER_ADAPTER,
	GPU_MODEL_UNREGISTER_ADAPTER,
	GPU_MODEL_CREATE_PROCESS,
	GPU_MODEL_RESERVE_RANGE,
	GPU_MODEL_COMPLETE_PROCESS,
	GPU_MODEL_DESTROY_PROCESS,
	GPU_MODEL_CREATE_CONTEXT,
	GPU_MODEL_DESTROY_CONTEXT,
	GPU_MODEL_RESERVE_ADDRESS,
	GPU_MODEL_MAP_ADDRESS,
	GPU_MODEL_REGISTER_MACHINE,
	GPU_MODEL_UNREGISTER_MACHINE,
	GPU_MODEL_ASSIGN,
	GPU_MODEL_REMOVE,
	GPU_MODEL_REGISTER,
	GPU_MODEL_METHOD_MAX,
} GpuModelMethod;

/* An error in a request's values: in their form, which is checked first, or in their meaning. */
typedef enum GpuModelFlaw {
	GPU_MODEL_SOUND,
	GPU_MODEL_BAD_SHAPE,
	GPU_MODEL_BAD_VALUE
} GpuModelFlaw;

typedef struct GpuModelRequest {
	GpuModelMethod method;
	const GpuModelConnection *from;
	GpuModelHandle handle; /* "" if not given */
	bool has_pid;
	uint64_t pid;
	int machine;
	char name[24];
	uint64_t max_virtual_gpus;
	GpuModelFlaw flaw;
} GpuModelRequest;

/* Returns the expected status, and applies the effects of the request. */
NTSTATUS gpu_model_answer(GpuModel *model, const GpuModelRequest *request);

/*
 * Stores the handles from a successful reply: the new entity's, and its GPU process's. Returns
 * false if the context should be in another GPU process.
 */
bool gpu_model_learn(GpuModel *model, GpuModelMethod method, const char *handle,
		     const char *process);

/* --- parts of gpu_model_answer()
 * ------------------------------------------------------------------ */

NTSTATUS gpu_model_check_caller(const GpuModel *model, const GpuModelRequest *request,
				bool is_allowed);
NTSTATUS gpu_model_check_limit(const GpuModel *model, LimitKind kind, GpuModelPayer payer);
NTSTATUS gpu_model_register_machine(GpuModel *model, const GpuModelRequest *request);
NTSTATUS gpu_model_unregister_machine(GpuModel *model, const GpuModelRequest *request);
NTSTATUS gpu_model_assign(GpuModel *model, const GpuModelRequest *request);
NTSTATUS gpu_model_remove_virtual_gpu(GpuModel *model, const GpuModelRequest *request);
NTSTATUS gpu_model_register_process(GpuModel *model, const GpuModelRequest *request);

/* --- ends ------------------------------------------------------------------------------------ */

void gpu_model_expect(GpuModel *model, GpuModelEvent event);

void gpu_model_connection_closed(GpuModel *model, const Caller *caller);

/* Expects the event that the VM has changed. */
void gpu_model_expect_change(GpuModel *model, int machine);

void gpu_model_process_exited(GpuModel *model, ProcessKey key);
void gpu_model_end_adapter(GpuModel *model, GpuModelAdapter *model_adapter, EndReason reason);
void gpu_model_end_process(GpuModel *model, GpuModelGpuProcess *process, EndReason reason);
void gpu_model_end_context(GpuModel *model, GpuModelContext *context);
void gpu_model_end_virtual_gpu(GpuModel *model, GpuModelVirtualGpu *virtual_gpu, EndReason reason);
void gpu_model_stop(GpuModel *model); /* the daemon stops, which ends everything */
void gpu_model_end_machine(GpuModel *model, int machine, EndReason reason);

/* --- lookups --------------------------------------------------------------------------------- */

const GpuModelHost *gpu_model_host(const GpuModel *model, ProcessKey key);
const GpuModelHost *gpu_model_live_pid(const GpuModel *model,
				       uint64_t pid); /* NULL if no live process has it */
bool gpu_model_is_operator(const GpuModel *model, const GpuModelConnection *connection);
GpuModelPayer gpu_model_payer(const GpuModel *model, const GpuModelConnection *connection);
GpuModelAdapter *gpu_model_adapter(GpuModel *model, const char *handle);
GpuModelGpuProcess *gpu_model_process(GpuModel *model, const char *handle);
GpuModelContext *gpu_model_context(GpuModel *model, const char *handle);
GpuModelVirtualGpu *gpu_model_virtual_gpu(GpuModel *model, const char *handle);

uint64_t gpu_model_contexts_of(const GpuModel *model, const GpuModelGpuProcess *process);
uint64_t gpu_model_virtual_gpus_of(const GpuModel *model, const GpuModelAdapter *model_adapter);

/* Tests whether the connection sees the process in a list. */
bool gpu_model_is_visible(GpuModel *model, const GpuModelConnection *connection,
			  const GpuModelGpuProcess *process);

/* --- randomness: gpu-model-random.c and gpu-model-host.c -------------------------------------- */

/* Makes a random request, and its parameters as text. Returns false if there is no connection. */
bool gpu_model_make_request(GpuModel *model, Dice *dice, GpuModelRequest *ret,
			    char parameters[static 512]);

/* Starts and ends random processes and connections. */
void gpu_model_disturb(GpuModel *model, FakeHost *fake_host, Dice *dice);

void gpu_model_machine_guid(int machine, char ret[static GUID_TEXT_LENGTH + 1]);

#endif
