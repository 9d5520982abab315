/* SPDX-License-Identifier: MIT */
#ifndef API_METHODS_H
#define API_METHODS_H

#include "params.h"
#include "policy.h"
#include "service.h"
#include "writer.h"

/*
 * The method table: one row a method, and everything that is decided about a method stands in its
 * row. tests hold it against the interface files.
 */

/* What the first parameter names, and what it has to name for the request to go on. */
typedef enum SubjectType {
	SUBJECT_NONE,
	SUBJECT_VM,          /* a running VM, else STATUS_NOT_FOUND */
	SUBJECT_VM_IF_NAMED, /* the same, where a GUID is there */
	SUBJECT_ADAPTER,     /* an adapter, the software adapter where absent */
	SUBJECT_VIRTUAL_GPU, /* a live vGPU and its VM; these and below else STATUS_INVALID_HANDLE
			      */
	SUBJECT_CONTEXT,
	SUBJECT_GPU_PROCESS,
	SUBJECT_OBJECT,      /* one that is shared, and its VM */
	SUBJECT_HELD_OBJECT, /* or one that only its holders know any more */
} SubjectType;

typedef struct Subject {
	VirtualMachine *vm;
	Registration *registration; /* the caller's for that VM, or NULL */
	Adapter *adapter;
	VirtualGpu *virtual_gpu;
	Context *context;
	GpuProcess *gpu_process;
	SharedObject *object;
} Subject;

typedef struct Method Method;

/* One request under way: everything a handler needs, resolved and authorised. */
typedef struct Request {
	Service *service;
	const Caller *caller;
	const Method *method;
	Params params;
	Subject subject;
	Credentials credentials; /* of the caller now; read under RULE_DISPLAY_CLIENT */
	Stream *stream;          /* that the method may take up, with "more"; else NULL */
	Writer *reply;           /* inside "parameters", behind "status" */
	Failure failure;
	/* That came with the message: the session's, and released with the message. */
	const Descriptor *descriptors;
	size_t descriptor_count;

	/* To go with the reply: owned, until the reply is written. */
	Descriptor offered[OBJECT_DESCRIPTORS_MAX];
	size_t offered_count;

	bool changed; /* the handler changed state: the allow is recorded */

	/* The VM that the request is about; kept by value, since a handler may end it. */
	Guid virtual_machine;
	bool names_virtual_machine;
	Handle object; /* likewise: the shared object */
	bool names_object;
} Request;

/* Does the work and writes the reply's fields, or returns what it left in request->failure. */
typedef NTSTATUS (*MethodHandler)(Request *request);

typedef struct ListOperations ListOperations;

/* Who looks at which list. What it is a list of is named by its handle, for that may go while the
 * list is being read. */
typedef struct ListView {
	Service *service;
	const Caller *caller;
	const ListOperations *list;
	Handle subject;
	Guid machine; /* nil: of all VMs */
} ListView;

/* A list is gone through by a cursor, 0 at its beginning, which stays good whatever comes and goes.
 * Nothing is copied. */
struct ListOperations {
	/* Moves the cursor behind the next item, and writes that (NULL: only moves). False: there
	 * is none. */
	bool (*next)(const ListView *view, uint64_t *cursor, Writer *writer);

	/* With next_thing(): all things of a type that the caller may see. */
	ThingType type;
	bool (*is_visible)(Service *service, const Caller *caller, const Thing *thing);
	void (*write)(Service *service, Writer *writer, const Thing *thing);
	const Guid *(*machine)(const Thing *thing); /* NULL: the list is not of a VM's */
};

bool next_thing(const ListView *view, uint64_t *cursor, Writer *writer);

typedef enum MethodFlags {
	METHOD_READS = 0,
	METHOD_CHANGES_STATE = 1,    /* a caller that is gone is refused */
	METHOD_RECORDS_REFUSALS = 2, /* each refusal is a journal record, whatever its status */
	METHOD_STREAMS = 4,          /* answers by a Stream alone: "more" is required */
	METHOD_TAKES_DESCRIPTORS = 8,
	METHOD_GIVES_DESCRIPTORS = 16,
} MethodFlags;

struct Method {
	const char *interface;
	const char *name;
	Rule rule;
	SubjectType subject;
	int flags;
	const JsonTable *params;
	MethodHandler handler;      /* NULL for a list */
	const ListOperations *list; /* NULL for all others */
	const char *list_key;       /* the reply's field, quoted and with its colon */
};

#define INTERFACE_SERVICE "org.varlink.service"
#define INTERFACE_VAILD   "io.vaild"
#define INTERFACE_MACHINE "io.vaild.Machine"
#define INTERFACE_GPU     "io.vaild.Gpu"
#define INTERFACE_MONITOR "io.vaild.Monitor"

extern const Method methods[];
extern const size_t method_count;

typedef enum MethodLookup { METHOD_FOUND, METHOD_UNKNOWN, METHOD_INTERFACE_UNKNOWN } MethodLookup;

/* Finds "interface.Method". */
MethodLookup method_find(const char *name, const Method **ret_method);

/* Whether each row has all that it needs; a daemon whose table has not does not start. */
bool methods_are_sound(void);

/* Handlers, an interface a file. */
NTSTATUS method_get_info(Request *request);
NTSTATUS method_get_interface_description(Request *request);

NTSTATUS method_register_vail_process(Request *request);
NTSTATUS method_unregister_vail_process(Request *request);
NTSTATUS method_revoke_registration(Request *request);
NTSTATUS method_watch(Request *request);

NTSTATUS method_share_object_with_host(Request *request);
NTSTATUS method_update_object(Request *request);
NTSTATUS method_unshare_object(Request *request);
NTSTATUS method_open_shared_object(Request *request);
NTSTATUS method_close_shared_object(Request *request);
extern const ListOperations list_shared_objects;

extern const ListOperations list_registrations;

NTSTATUS method_register_virtual_machine(Request *request);
NTSTATUS method_update_virtual_machine(Request *request);
NTSTATUS method_unregister_virtual_machine(Request *request);
NTSTATUS method_assign_virtual_gpu(Request *request);
NTSTATUS method_remove_virtual_gpu(Request *request);
NTSTATUS method_describe_virtual_machine(Request *request);
NTSTATUS method_set_quarantine(Request *request);
extern const ListOperations list_virtual_machines;
extern const ListOperations list_quarantines;

NTSTATUS method_register_adapter(Request *request);
NTSTATUS method_unregister_adapter(Request *request);
NTSTATUS method_create_context(Request *request);
NTSTATUS method_destroy_context(Request *request);
extern const ListOperations list_adapters;

NTSTATUS method_create_process(Request *request);
NTSTATUS method_reserve_gpu_virtual_address_range(Request *request);
NTSTATUS method_complete_create_process(Request *request);
NTSTATUS method_destroy_process(Request *request);
NTSTATUS method_set_reserved_page_table_entry(Request *request);
NTSTATUS method_evict_page_table(Request *request);
NTSTATUS method_make_page_table_resident(Request *request);
extern const ListOperations list_processes;

NTSTATUS method_reserve_gpu_virtual_address(Request *request);
NTSTATUS method_map_gpu_virtual_address(Request *request);
NTSTATUS method_free_gpu_virtual_address(Request *request);
NTSTATUS method_translate_gpu_virtual_address(Request *request);
extern const ListOperations list_ranges;

NTSTATUS method_get_status(Request *request);
NTSTATUS method_get_metrics(Request *request);
NTSTATUS method_reload_configuration(Request *request);

#endif
