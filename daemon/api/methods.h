/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_METHODS_H
#define DAEMON_API_METHODS_H

#include "daemon/api/params.h"
#include "daemon/api/policy.h"
#include "daemon/api/service.h"
#include "proto/json-writer.h"

/*
 * The method table. One row per method says everything that applies before its handler runs. Tests
 * compare the table with the interface files.
 */

/* The entity that the first parameter names, and the error if it does not exist. */
typedef enum SubjectType {
	SUBJECT_NONE,
	SUBJECT_VM,          /* a running VM, else STATUS_NOT_FOUND */
	SUBJECT_VM_IF_NAMED, /* the same, if the message contains a GUID */
	SUBJECT_ADAPTER,     /* an adapter; without a handle, the software adapter */
	SUBJECT_VIRTUAL_GPU, /* a vGPU and its VM, else STATUS_INVALID_HANDLE, as for all below */
	SUBJECT_CONTEXT,
	SUBJECT_GPU_PROCESS,
	SUBJECT_OBJECT,      /* a shared object and its VM */
	SUBJECT_HELD_OBJECT, /* an object, shared or only held */
	SUBJECT_DISPLAY,     /* a display channel and its VM */
} SubjectType;

typedef struct Subject {
	VirtualMachine *vm;
	Registration *registration; /* the caller's for that VM, or NULL */
	Adapter *adapter;
	VirtualGpu *virtual_gpu;
	Context *context;
	GpuProcess *gpu_process;
	SharedObject *object;
	DisplayChannel *display;
} Subject;

typedef struct Method Method;

/* A request in progress, with everything that its handler needs. */
typedef struct Request {
	Service *service;
	const Caller *caller;
	const Method *method;
	Params params;
	Subject subject;
	Credentials credentials; /* the caller's current ones, if the rule compares privileges */
	Stream *stream;          /* for the replies, if the caller asked for "more"; else NULL */
	Writer *reply;           /* inside "parameters", after "status" */
	Failure failure;

	/* Fds of the message, owned by the session until the message is answered. */
	const int *fds;
	size_t fd_count;

	/* Fds for the reply, owned by the request until the reply is written. */
	int outgoing_fds[OBJECT_FDS_MAX];
	size_t outgoing_count;
	bool sends_socket; /* they are sockets, whose close may block */

	bool changed;        /* the handler changed state, so the success gets an audit record */
	const char *change;  /* the reason in that record, one word; NULL for none */
	bool audits_refusal; /* the handler refuses with a status that usually gets none */

	bool is_repeated;      /* with STATUS_PENDING: the session asks again in its next turn */
	uint64_t awaited_ends; /* see request_await_ends(); 0 before the first call */
	uint64_t awaited_look; /* see request_await_look(); 0 before the first call */

	/* The VM that the request concerns, stored by value because the handler may end it. */
	Guid virtual_machine;
	bool names_virtual_machine;
	Handle object; /* the shared object that the request concerns, if names_object */
	bool names_object;
	Handle display; /* the display channel that the request concerns, if names_display */
	bool names_display;
	unsigned int
		rights; /* of a display, requested or granted, as DISPLAY_RIGHT_BIT(); 0: none */
	unsigned int
		granted_rights; /* of the caller's display clients, if privileges were compared */
} Request;

/*
 * The result of a request that the host or the core is still busy with. Nothing was changed and
 * nothing is answered; the session makes the call again when the host has finished, or in its next
 * turn if request->is_repeated. Callers never see it.
 */
#define STATUS_PENDING ((NTSTATUS)0x00000103)

/*
 * Executes the request and writes the reply's members. On failure returns the status, with
 * request->failure filled in; or STATUS_PENDING.
 */
typedef NTSTATUS (*MethodHandler)(Request *request);

typedef struct ListOperations ListOperations;

/*
 * One caller's view of a list. The entity that the list belongs to is identified by its handle,
 * because it may end while the list is read.
 */
typedef struct ListView {
	Service *service;
	const Caller *caller;
	const ListOperations *list;
	Handle subject;
	Guid machine; /* only entities of this VM; nil for all VMs */
} ListView;

/* Walks through a list without a copy. It stays valid while entities come and go. */
typedef struct ListCursor {
	uint64_t position; /* 0 at the beginning */
	size_t parts;      /* of the items counted so far */
	bool is_inside;    /* the entity at the position has a further item */
} ListCursor;

typedef enum ListStep {
	LIST_ITEM,    /* the cursor is past the next item */
	LIST_GOES_ON, /* enough work for one step; call again */
	LIST_WAITS,   /* the host is busy with the next item; only with a writer */
	LIST_ENDS,
} ListStep;

struct ListOperations {
	/*
	 * Moves the cursor past the next item and writes the item, unless writer is NULL. Writes
	 * nothing if it returns anything else than LIST_ITEM.
	 */
	ListStep (*next)(const ListView *view, ListCursor *cursor, Writer *writer);

	/*
	 * Counts the parts of the next items, without writing them. Returns LIST_GOES_ON or
	 * LIST_ENDS.
	 */
	ListStep (*count)(const ListView *view, ListCursor *cursor);

	/*
	 * For list_next_entity() and list_count_entities(), which list all entities of a type that
	 * the caller may see.
	 */
	EntityType type;
	bool (*is_visible)(Service *service, const Caller *caller, const Entity *entity);
	void (*write)(const ListView *view, Writer *writer, const Entity *entity);
	const Guid *(*machine)(const Entity *entity); /* NULL if entities belong to no VM */
	size_t (*parts)(const Entity *entity);        /* NULL if each entity has one part */
};

ListStep list_next_entity(const ListView *view, ListCursor *cursor, Writer *writer);
ListStep list_count_entities(const ListView *view, ListCursor *cursor);

typedef enum MethodFlags {
	METHOD_READS = 0,
	METHOD_CHANGES_STATE = 1,   /* refused if the calling process has ended */
	METHOD_AUDITS_REFUSALS = 2, /* every refusal gets an audit record, not only denials */
	METHOD_STREAMS = 4,         /* replies only with a Stream, so "more" is required */
	METHOD_TAKES_FDS = 8,
	METHOD_GIVES_FDS = 16,
} MethodFlags;

struct Method {
	const char *interface;
	const char *name;
	Rule rule;
	SubjectType subject;
	int flags;
	const JsonTable *params;
	MethodHandler handler;      /* NULL for a list */
	const ListOperations *list; /* NULL unless the method is a list */
	const char *list_key;       /* the reply's member, with quotes and colon */
};

#define INTERFACE_SERVICE "org.varlink.service"
#define INTERFACE_VAILD   "io.vaild"
#define INTERFACE_MACHINE "io.vaild.Machine"
#define INTERFACE_DISPLAY "io.vaild.Display"
#define INTERFACE_GPU     "io.vaild.Gpu"
#define INTERFACE_MONITOR "io.vaild.Monitor"

extern const Method methods[];
extern const size_t method_count;

typedef enum MethodLookup { METHOD_FOUND, METHOD_UNKNOWN, METHOD_INTERFACE_UNKNOWN } MethodLookup;

/* Finds a method by its full name, "interface.Method". */
MethodLookup method_find(const char *name, const Method **ret_method);

/* Checks that each row is complete. The daemon does not start otherwise. */
bool methods_are_sound(void);

/* Handlers and lists, in the order of the interfaces. */
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

NTSTATUS method_open_display(Request *request);
NTSTATUS method_serve_displays(Request *request);
NTSTATUS method_close_display(Request *request);
extern const ListOperations list_displays;

NTSTATUS method_register_adapter(Request *request);
NTSTATUS method_unregister_adapter(Request *request);
NTSTATUS method_create_context(Request *request);
NTSTATUS method_destroy_context(Request *request);
extern const ListOperations list_adapters;
extern const ListOperations list_gpu_holders;

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
