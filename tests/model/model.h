/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include "tests/support/fake-host.h"

/*
 * A naive model of the daemon with plain arrays and linear search, written from the contract and
 * not from the daemon's code. It gets each request as a struct, returns the answer that the daemon
 * must give, and changes its state accordingly. Processes and users are those of the fake host for
 * both.
 */

#define MODEL_GUID_MAX    6
#define MODEL_ITEM_MAX    256
#define MODEL_PARTY_MAX   3
#define MODEL_HANDLE_SIZE (HANDLE_TEXT_LENGTH + 1)

typedef enum ModelMethod {
	MODEL_GET_INFO,
	MODEL_GET_DESCRIPTION,
	MODEL_REGISTER,
	MODEL_UNREGISTER,
	MODEL_REVOKE,
	MODEL_LIST_REGISTRATIONS,
	MODEL_REGISTER_MACHINE,
	MODEL_UPDATE_MACHINE,
	MODEL_UNREGISTER_MACHINE,
	MODEL_ASSIGN,
	MODEL_REMOVE,
	MODEL_LIST_MACHINES,
	MODEL_DESCRIBE,
	MODEL_SET_QUARANTINE,
	MODEL_LIST_QUARANTINES,
	MODEL_LIST_ADAPTERS,
	MODEL_CREATE_CONTEXT,
	MODEL_DESTROY_CONTEXT,
	MODEL_METHOD_MAX,
} ModelMethod;

typedef struct ModelParty {
	const char *user; /* NULL if absent */
	bool has_pid;
	uint64_t pid;
} ModelParty;

typedef struct ModelRequest {
	ModelMethod method;
	Caller *caller;
	bool foreign;              /* another process than the caller sent some of its bytes */
	const char *bad_parameter; /* path of a malformed parameter, or NULL */
	char repeated[24];         /* name of a parameter that stands twice, or empty */
	int guid;
	bool has_name, has_vmm_pid, has_clients, has_agent, has_profile, has_handle;
	int name;
	uint64_t pid; /* vmmPid, or the pid of RevokeRegistration */
	size_t client_count;
	ModelParty clients[MODEL_PARTY_MAX];
	ModelParty agent;
	char handle[MODEL_HANDLE_SIZE + 8];
	bool quarantined;
	bool known_interface; /* of GetInterfaceDescription */
} ModelRequest;

typedef struct ModelAnswer {
	NTSTATUS status;
	char parameter[64];
	const char *limit;
	uint64_t used;
	uint64_t serials[MODEL_ITEM_MAX]; /* items of a list */
	size_t count;
	uint64_t machine;      /* serial of the VM in the reply, or 0 */
	uint64_t registration; /* serial of the registration in the reply, or 0 */
} ModelAnswer;

typedef struct ModelClient {
	bool is_user;
	uid_t uid;
	pid_t pid;
	bool unreadable; /* the user database failed; snapshot is empty */
	Credentials snapshot;
} ModelClient;

/*
 * Entries of the arrays of Model. All but ModelEntry begin with the serial, which is 0 in a free
 * entry.
 */

typedef struct ModelMachine {
	uint64_t serial;
	int guid;
	ProcessKey vmm;
	pid_t vmm_pid;
	uid_t registrar;
	Payer payer;
	bool by_operator;
	int name; /* -1 if it has none */
	bool clients_named;
	size_t client_count;
	ModelClient clients[MODEL_PARTY_MAX];
	bool has_agent;
	ProcessKey agent;    /* PROCESS_KEY_NONE if the agent is a user */
	ProcessKey incoming; /* PROCESS_KEY_NONE without an incoming VMM */
	pid_t incoming_pid;
	bool names_agent; /* together with the incoming VMM */
	bool has_incoming_agent;
	ProcessKey incoming_agent;
} ModelMachine;

typedef struct ModelVirtualGpu {
	uint64_t serial, machine;
	Payer payer;
	char handle[MODEL_HANDLE_SIZE];
} ModelVirtualGpu;

typedef struct ModelRegistration {
	uint64_t serial, machine;
	ProcessKey process;
	pid_t pid;
	uid_t uid;
	Payer payer;
	GraphicsContextKind context;
	Credentials credentials;
	ConnectionCredentials connection;
} ModelRegistration;

typedef struct ModelGpuProcess {
	uint64_t serial;
	ProcessKey process;
	Payer payer;
	char handle[MODEL_HANDLE_SIZE];
} ModelGpuProcess;

typedef struct ModelContext {
	uint64_t serial, gpu_process;
	Payer payer;
	char handle[MODEL_HANDLE_SIZE];
} ModelContext;

typedef struct ModelQuarantine {
	uint64_t serial;
	int guid;
	Payer payer;
} ModelQuarantine;

/* A store entry: one for each process that is a VMM or an agent, is registered or has a context. */
typedef struct ModelEntry {
	ProcessKey process; /* PROCESS_KEY_NONE if this entry is free */
	Payer payer;
} ModelEntry;

typedef struct Model {
	FakeHost *fake_host;
	uint64_t serial;
	char adapter[MODEL_HANDLE_SIZE];
	ModelMachine machines[MODEL_ITEM_MAX];
	ModelVirtualGpu virtual_gpus[MODEL_ITEM_MAX];
	ModelRegistration registrations[MODEL_ITEM_MAX];
	ModelGpuProcess gpu_processes[MODEL_ITEM_MAX];
	ModelContext contexts[MODEL_ITEM_MAX];
	ModelQuarantine quarantines[MODEL_ITEM_MAX];
	ModelEntry entries[MODEL_ITEM_MAX];
} Model;

extern const char *const model_guids[MODEL_GUID_MAX];

/* Returns the answer that the daemon must give, and applies the changes of the request. */
ModelAnswer model_answer(Model *model, const ModelRequest *request);

/* Stores the handles that the daemon chose in its last reply. */
void model_set_handles(Model *model, ModelMethod method, const char *handle,
		       const char *gpu_process);

/* Applies the exits of dead processes. Call when the daemon is notified of them. */
void model_report_exits(Model *model);

/* Ends all VMs and frees their memory. */
void model_clear(Model *model);

/* --- internal to the model's files ----------------------------------------------------------- */

#define MODEL_ADD(model, list) model_add((model), (model)->list, sizeof((model)->list[0]))
#define MODEL_EACH(model, item, list)                                                   \
	for ((item) = (model)->list; (item) < (model)->list + MODEL_ITEM_MAX; (item)++) \
		if ((item)->serial != 0)

/* Returns a zeroed free entry with a new serial. Aborts if the array is full. */
void *model_add(Model *model, void *items, size_t size);
const FakeProcess *model_process(const Model *model, ProcessKey key);
bool model_is_alive(const Model *model, ProcessKey key);
ModelMachine *model_machine_of(Model *model, int guid);
ModelMachine *model_machine(Model *model, uint64_t serial);
ModelQuarantine *model_quarantine(Model *model, int guid);
ModelRegistration *model_registration(Model *model, ProcessKey process, uint64_t machine);
bool model_has_context(Model *model, ProcessKey process);
void model_end_registrations(Model *model, uint64_t machine);
void model_end_registration(ModelRegistration *registration);
void model_end_machine(Model *model, ModelMachine *machine);
void model_end_virtual_gpu(Model *model, ModelVirtualGpu *virtual_gpu);
void model_process_exits(Model *model, ProcessKey process);

/* Removes the incoming VMM. */
void model_end_incoming(ModelMachine *machine);
bool model_may_see(Model *model, const Caller *caller, const ModelMachine *machine);

/* Tests for "the same privileges" (contract, section 3). */
bool model_has_same_connection(const ModelClient *client, const Caller *caller);
bool model_has_same_privileges(const ModelClient *client, const ConnectionCredentials *connection,
			       const Credentials *now);

/* Tests the part of it that is known of a connection. */
bool model_matches_connection(const ModelClient *client, const Caller *caller);

/* Updates the credentials of those display clients of the VM that are this user. */
void model_refresh_users(Model *model, ModelMachine *machine, uid_t uid);

/*
 * Checks the limits of a kind by counting entries. Returns false and sets the answer if one is
 * reached.
 */
/* Tests whether an id can match anything: it is neither 65534 nor -1. */
bool model_is_real(uint32_t id);
bool model_has_real_ids(const Credentials *credentials);

bool model_is_same_payer(const Payer *a, const Payer *b);
bool model_check_limit(Model *model, const Caller *caller, LimitKind kind, ModelAnswer *answer);

/*
 * Adds a store entry for the process, charged to the caller, unless it has one. Returns false and
 * sets the answer if a limit is reached or the fake host refuses the watch.
 */
bool model_watch_process(Model *model, const Caller *caller, ProcessKey process,
			 ModelAnswer *answer);

/* Frees the store entries of processes that no entity refers to any more. */
void model_sweep_entries(Model *model);

/* RegisterVirtualMachine and UpdateVirtualMachine. */
void model_register_machine(Model *model, const ModelRequest *request, ModelAnswer *answer);
void model_update_machine(Model *model, const ModelRequest *request, ModelMachine *machine,
			  ModelAnswer *answer);

#endif
