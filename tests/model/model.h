/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "fake-host.h"

/*
 * A naive second daemon: plain arrays and linear search, written from the contract and not from the
 * daemon. It is told each request as a struct, answers with what the daemon has to say, and keeps
 * what follows from it. The made-up world is the truth about processes and users for both.
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
	const char *user; /* NULL: by pid */
	bool has_pid;
	uint64_t pid;
} ModelParty;

typedef struct ModelRequest {
	ModelMethod method;
	Caller *caller;
	bool foreign;
	const char *bad_parameter; /* shape: the path at fault, NULL where all is well-formed */
	int guid;
	bool has_name, has_vmm_pid, has_clients, has_agent, has_profile, has_handle;
	int name;
	uint64_t pid; /* vmmPid, or that of a registration to revoke */
	size_t client_count;
	ModelParty clients[MODEL_PARTY_MAX];
	ModelParty agent;
	char handle[MODEL_HANDLE_SIZE + 8];
	bool quarantined;
	bool known_interface;
} ModelRequest;

typedef struct ModelAnswer {
	NTSTATUS status;
	char parameter[64];
	const char *limit;
	uint64_t used;
	uint64_t serials[MODEL_ITEM_MAX]; /* of a list's items */
	size_t count;
	uint64_t machine; /* serial of the VM that is described; 0: none */
	uint64_t registration;
} ModelAnswer;

typedef struct ModelClient {
	bool is_user;
	uid_t uid;
	pid_t pid;
	bool unreadable;
	Credentials snapshot;
} ModelClient;

typedef struct ModelMachine {
	uint64_t serial; /* 0: this place is free; so in all that follow */
	int guid;
	ProcessKey vmm;
	pid_t vmm_pid;
	uid_t registrar, account;
	bool by_operator;
	int name; /* -1: none */
	bool clients_named;
	size_t client_count;
	ModelClient clients[MODEL_PARTY_MAX];
	bool has_agent;
	ProcessKey agent; /* PROCESS_KEY_NONE: a user */
} ModelMachine;

typedef struct ModelVirtualGpu {
	uint64_t serial, machine;
	uid_t account;
	char handle[MODEL_HANDLE_SIZE];
} ModelVirtualGpu;

typedef struct ModelRegistration {
	uint64_t serial, machine;
	ProcessKey process;
	pid_t pid;
	uid_t uid, account;
	GraphicsContextKind context;
	Credentials credentials;
	ConnectionCredentials connection;
} ModelRegistration;

typedef struct ModelGpuProcess {
	uint64_t serial;
	ProcessKey process;
	uid_t account;
	char handle[MODEL_HANDLE_SIZE];
} ModelGpuProcess;

typedef struct ModelContext {
	uint64_t serial, gpu_process;
	uid_t account;
	char handle[MODEL_HANDLE_SIZE];
} ModelContext;

typedef struct ModelQuarantine {
	uint64_t serial;
	int guid;
	uid_t account;
} ModelQuarantine;

/* A process on which something hangs has an entry in the store. */
typedef struct ModelEntry {
	ProcessKey process; /* PROCESS_KEY_NONE: this place is free */
	uid_t account;
} ModelEntry;

typedef struct Model {
	World *world;
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

/* What the daemon has to answer; the model is then as after it. */
ModelAnswer model_answer(Model *model, const ModelRequest *request);

/* The handles that the daemon gave out with its last answer. */
void model_learn(Model *model, ModelMethod method, const char *handle, const char *gpu_process);

/* The daemon hears of the exits that it was not told of yet. */
void model_tell_exits(Model *model);

void model_clear(Model *model);

/* Parts of it, for the files of the model. */
typedef struct ModelPlace {
	void *items;
	size_t size;
} ModelPlace;

#define MODEL_ADD(model, list) model_add((model), (model)->list, sizeof((model)->list[0]))
#define MODEL_EACH(model, item, list)                                                   \
	for ((item) = (model)->list; (item) < (model)->list + MODEL_ITEM_MAX; (item)++) \
		if ((item)->serial != 0)

void *model_add(Model *model, void *items, size_t size);
const FakeProcess *model_process(const Model *model, ProcessKey key);
bool model_alive(const Model *model, ProcessKey key);
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
bool model_sees(Model *model, const Caller *caller, const ModelMachine *machine);

/* "The same privileges", naively. */
bool model_equals(const ModelClient *client, const ConnectionCredentials *connection,
		  const Credentials *now);
bool model_resembles(const ModelClient *client, const Caller *caller);
void model_refresh(Model *model, ModelMachine *machine, uid_t uid);

/* Quotas: counted from the arrays each time. False with the answer filled in. */
bool model_may_have(Model *model, const Caller *caller, LimitKind kind, ModelAnswer *answer);

/* Whether something may hang on the process, for which the caller pays where it is the first. */
bool model_may_watch(Model *model, const Caller *caller, ProcessKey process, ModelAnswer *answer);

/* Entries of processes on which nothing hangs any more go. */
void model_sweep_entries(Model *model);

/* io.vaild.Machine's two that make and change a VM. */
void model_register_machine(Model *model, const ModelRequest *request, ModelAnswer *answer);
void model_update_machine(Model *model, const ModelRequest *request, ModelMachine *machine,
			  ModelAnswer *answer);

#endif
