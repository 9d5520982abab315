/* SPDX-License-Identifier: MIT */
#ifndef VAIL_H
#define VAIL_H

/*
 * libvail: talks to vaild, which lets a host process share GPU allocations with a virtual machine
 * (VM) once it has been registered for it.
 *
 * Threads: a handle (struct vail) belongs to one thread at a time. Give each thread its own, or put
 * a lock around every call. Handles do not know of each other, and the library has no other state.
 *
 * Processes: a registration and a graphics context belong to the process that asks for them, not to
 * the handle, so they outlive vail_close(), and execve(). After fork() the child may go on using
 * its copy of a handle: it makes a connection of its own, and speaks for itself. Calls and watches
 * that were under way are the parent's; in the child they end with STATUS_CONNECTION_DISCONNECTED.
 *
 * Connections: a handle connects by itself when it has something to ask and no connection, and one
 * that was connected once goes on over a restart of vaild. What vaild knows of the process lasts as
 * well: registrations, contexts, objects and who holds them, address spaces, handles. What is asked
 * while vaild is away waits for it, for as long as the timeout allows; a watch begins again, see
 * vail_watch(). Of a call that is under way when the connection is lost
 *
 *   - what vaild cannot have seen whole is asked again, whatever it is;
 *   - what may be done twice is asked again: everything that only asks, sets, opens or closes. An
 *     answer to that may speak of the first time: ending a thing by its handle is answered
 *     STATUS_INVALID_HANDLE, and vail_unregister_process() STATUS_NOT_FOUND, when it was done;
 *   - of the rest, whether it was done is not known: STATUS_CONNECTION_DISCONNECTED. That is what
 *     makes something new (contexts, objects, vGPUs, adapters, GPU processes), reserves, maps and
 *     frees addresses or sets page tables, or ends what is named by a GUID or a pid
 *     (vail_unregister_virtual_machine(), vail_revoke_registration()); vail_call() with a method
 *     that this library does not know; and a list of vail_call_more(), once some of it was told.
 *
 * A call on which vaild goes away five times is not asked again either.
 *
 * Every function returns an NTSTATUS, or is a getter that cannot fail. Outputs (ret_...) are left
 * as they are unless the status is STATUS_SUCCESS. Any function may also return
 *
 *   STATUS_INVALID_PARAMETER         an argument is NULL that may not be, or is no UTF-8 or JSON
 *   STATUS_NO_MEMORY                 no memory, here or in vaild
 *
 * and every function that asks vaild something may also return
 *
 *   STATUS_CONNECTION_REFUSED        no vaild listens on the socket: nothing was done
 *   STATUS_CONNECTION_DISCONNECTED   vaild closed the connection before it answered: whether it was
 *                                    done is not known
 *   STATUS_IO_TIMEOUT                vaild did not answer, or come back, in time: that is not known
 *                                    either
 *   STATUS_INVALID_NETWORK_RESPONSE  what came back was no answer
 *   STATUS_ACCESS_DENIED             the socket, or vaild, does not let this process do this
 *   STATUS_QUOTA_EXCEEDED            a limit; see vail_error_limit()
 *   STATUS_INSUFFICIENT_RESOURCES    vaild, or this process, has no descriptors or room left
 *   STATUS_PROCESS_IS_TERMINATING    vaild sees the calling process as gone
 *   STATUS_NOT_SUPPORTED             this vaild has no such method (its MethodNotFound,
 *                                    InterfaceNotFound and MethodNotImplemented), or cannot do it
 *
 * Of Varlink's other errors InvalidParameter and ExpectedMore are STATUS_INVALID_PARAMETER, and
 * PermissionDenied is STATUS_ACCESS_DENIED. An error of vaild is the status that it carries; one
 * that is newer than this library is passed on as its number. No signal is raised (SIGPIPE), all
 * descriptors are close-on-exec, and EINTR is never returned.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vail-status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VAIL_PUBLIC __attribute__((visibility("default")))

/* A handle's text (context, GPU process, adapter, vGPU, object): 32 hex digits and a NUL. */
#define VAIL_HANDLE_SIZE 33

/* For vail_set_timeout(): wait for ever. */
#define VAIL_TIMEOUT_NONE (-1)

/* Milliseconds that a new handle waits for each reply. */
#define VAIL_TIMEOUT_DEFAULT 30000

struct vail;

/* ---- Handles ---- */

/*
 * Makes a handle without connecting yet; the first call does. The caller frees it with
 * vail_close().
 *
 * path: the socket of vaild; copied. NULL for the environment's VAILD_SOCKET, which set-uid
 *       programs ignore, or else /run/vaild/vaild.sock.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER or STATUS_NO_MEMORY.
 */
VAIL_PUBLIC NTSTATUS vail_new(const char *path, struct vail **ret_vail);

/*
 * As vail_new(), and connects, so that a vaild that cannot be reached is found out here.
 *
 * Returns also STATUS_CONNECTION_REFUSED, STATUS_ACCESS_DENIED (the socket's mode),
 * STATUS_INSUFFICIENT_RESOURCES, and STATUS_IO_TIMEOUT when vaild takes no connection for
 * VAIL_TIMEOUT_DEFAULT.
 */
VAIL_PUBLIC NTSTATUS vail_open(const char *path, struct vail **ret_vail);

/*
 * Closes the connection and frees the handle; NULL is fine. Registrations and contexts stay. Calls
 * of vail_submit() that are not answered yet end with STATUS_CONNECTION_DISCONNECTED. Not to be
 * called from a VailReply.
 */
VAIL_PUBLIC void vail_close(struct vail *vail);

/*
 * How long a blocking call waits for each reply, and for a connection to be taken, or for a vaild
 * that has gone away to come back.
 *
 * milliseconds: 0 or more; VAIL_TIMEOUT_NONE, or any negative number, waits for ever. A call that
 *               times out loses the connection, and all that was under way on it.
 */
VAIL_PUBLIC void vail_set_timeout(struct vail *vail, int milliseconds);

/*
 * Whether the handle goes on over a restart of vaild, as described at the top; true for a new one.
 *
 * resumes: false: calls and watches end with their connection, and what is asked while vaild is
 *          away returns STATUS_CONNECTION_REFUSED at once. For a program that must not stand still
 *          meanwhile, or begins anew in a way of its own. To be set before anything is asked: when
 *          the connection is lost, what is under way goes by it as well.
 */
VAIL_PUBLIC void vail_set_resume(struct vail *vail, bool resumes);

/* The path of the socket that the handle uses; the handle's. */
VAIL_PUBLIC const char *vail_path(const struct vail *vail);

/* ---- What went wrong ---- */

/*
 * About the last function that failed on this handle, or, inside a VailReply, about the reply that
 * it is given. The texts are the handle's, and hold until its next call.
 */

/* A sentence for a person, which says what to do; "" when the last call succeeded. */
VAIL_PUBLIC const char *vail_error_message(const struct vail *vail);

/* The path of the parameter at fault, like "displayClients[0].user"; NULL where none is. */
VAIL_PUBLIC const char *vail_error_parameter(const struct vail *vail);

/* The Varlink name of the error, like "io.vaild.NotFound"; NULL where vaild sent none. */
VAIL_PUBLIC const char *vail_error_name(const struct vail *vail);

/*
 * With STATUS_QUOTA_EXCEEDED the name of the limit, its value and the caller's own use (either may
 * be NULL when it is not wanted). NULL, with nothing set, where no limit was named.
 */
VAIL_PUBLIC const char *vail_error_limit(const struct vail *vail, uint64_t *ret_maximum,
					 uint64_t *ret_used);

/* "STATUS_ACCESS_DENIED" for that value; NULL for one that vail-status.h does not name. */
VAIL_PUBLIC const char *vail_status_name(NTSTATUS status);

/* ---- Any method ---- */

/*
 * Calls a method and waits for its reply.
 *
 * method: its full name, like "io.vaild.ListRegistrations".
 * parameters: a JSON object as text; NULL for none.
 * ret_parameters: the reply's parameters, a JSON object as text, without line breaks; the caller
 *                 frees it. NULL when it is not wanted.
 *
 * Returns the status of the reply, or one of those at the top. STATUS_INVALID_DEVICE_STATE when it
 * is called from a VailReply, where only vail_submit() and the getters may be used.
 */
VAIL_PUBLIC NTSTATUS vail_call(struct vail *vail, const char *method, const char *parameters,
			       char **ret_parameters);

/*
 * As vail_call(), with descriptors that travel with the request; its parameters name them by their
 * index. They stay the caller's. What the reply brings is taken with vail_take_descriptor().
 *
 * descriptors: up to 253; may be NULL where there are none.
 *
 * Returns as vail_call(); STATUS_INVALID_PARAMETER also for one that is not open,
 * STATUS_INSUFFICIENT_RESOURCES also when this process has no room for copies of them.
 */
VAIL_PUBLIC NTSTATUS vail_call_with_descriptors(struct vail *vail, const char *method,
						const char *parameters, const int *descriptors,
						size_t descriptor_count, char **ret_parameters);

/*
 * Takes a descriptor that came with a reply: inside a VailReply with this one, otherwise with that
 * of the last blocking call, until the handle is used for anything else. Those that nobody takes
 * are closed.
 *
 * Returns the descriptor, which is the caller's from now on, and close-on-exec; -1 where the reply
 * brought no descriptor of this index, or it was taken already.
 */
VAIL_PUBLIC int vail_take_descriptor(struct vail *vail, size_t index);

/*
 * Is given each reply of a call, and exactly one final one.
 *
 * status: of this reply; vail_error_...() tell more.
 * parameters: the reply's, as JSON text, an error's too. NULL where no reply came, because the
 *             connection was lost. The library's: copy what is to be kept.
 * continues: another reply follows.
 *
 * Returns whether to go on. false while it continues ends the call: since Varlink knows no other
 * way, the connection is closed, which ends the calls behind it with
 * STATUS_CONNECTION_DISCONNECTED. What the final reply's returns does not matter.
 */
typedef bool (*VailReply)(struct vail *vail, NTSTATUS status, const char *parameters,
			  bool continues, void *context);

/*
 * Calls a method that streams ("more": true), and waits until its last reply; the timeout is for
 * each one. Parameters as in vail_call(); context is handed to reply.
 *
 * Returns the status of the last reply; STATUS_SUCCESS when reply asked to stop;
 * STATUS_INVALID_DEVICE_STATE as vail_call().
 */
VAIL_PUBLIC NTSTATUS vail_call_more(struct vail *vail, const char *method, const char *parameters,
				    VailReply reply, void *context);

/* ---- Event loops ---- */

/*
 * Sends a call without waiting for its replies; vail_process(), or any blocking call on the same
 * handle, hands them to reply. Calls are answered in the order in which they were sent. Connecting,
 * where that is needed, waits only when vaild has more connections waiting than it can queue. While
 * a vaild that was there is away, the call waits for it, without a timeout.
 *
 * more: whether the method is to stream, as in vail_call_more().
 * context: handed to reply.
 *
 * Returns STATUS_SUCCESS when the call is on its way, and reply will be called;
 * STATUS_INSUFFICIENT_RESOURCES when 64 MiB of calls are under way already; otherwise a status from
 * the top. Then reply will not be called.
 */
VAIL_PUBLIC NTSTATUS vail_submit(struct vail *vail, const char *method, const char *parameters,
				 bool more, VailReply reply, void *context);

/*
 * The same with descriptors, as in vail_call_with_descriptors(). The library sends copies of its
 * own, so they may be closed at once. vaild takes none on a connection that it has not accepted
 * yet: let something have been answered on it before; the calls that wait see to that themselves.
 * So this is not asked again on another connection: STATUS_CONNECTION_REFUSED, here or to reply,
 * says that it was not sent.
 */
VAIL_PUBLIC NTSTATUS vail_submit_with_descriptors(struct vail *vail, const char *method,
						  const char *parameters, const int *descriptors,
						  size_t descriptor_count, bool more,
						  VailReply reply, void *context);

/*
 * Sends a call that is not answered ("oneway"), also from a VailReply. Whether it worked, nobody
 * says; when vaild goes away meanwhile it is lost.
 *
 * Returns STATUS_SUCCESS when the call is on its way; STATUS_INSUFFICIENT_RESOURCES when vaild
 * takes nothing and 256 KiB wait already: then it was not sent; otherwise a status from the top.
 */
VAIL_PUBLIC NTSTATUS vail_send_oneway(struct vail *vail, const char *method,
				      const char *parameters);

/*
 * Sends and receives what is possible without waiting, and calls each VailReply that is due. For an
 * event loop to call when vail_descriptor() has one of vail_events().
 *
 * Returns STATUS_SUCCESS also when there was nothing to do; STATUS_INVALID_DEVICE_STATE from a
 * VailReply; STATUS_CONNECTION_DISCONNECTED or STATUS_INVALID_NETWORK_RESPONSE when the connection
 * is lost and nothing goes on: then every call under way has been told, and the descriptor is
 * closed.
 */
VAIL_PUBLIC NTSTATUS vail_process(struct vail *vail);

/*
 * The descriptor to watch; -1 while there is no connection and nothing under way. The handle's:
 * only poll it. Ask again after each call, for a handle connects anew where it must, and has
 * another descriptor while it waits for vaild to come back.
 */
VAIL_PUBLIC int vail_descriptor(const struct vail *vail);

/* What to wait for on it, as of now: POLLIN, and POLLOUT while something is left to send. */
VAIL_PUBLIC short vail_events(const struct vail *vail);

/* ---- Watching ---- */

/* What an event says; vail_event_name() has vaild's own names. */
typedef enum VailEventKind {
	VAIL_EVENT_UNKNOWN, /* vaild is newer than this library: see json */
	VAIL_EVENT_CURRENT, /* all that existed was told; changes follow */
	VAIL_EVENT_REGISTERED,
	VAIL_EVENT_UNREGISTERED,
	VAIL_EVENT_VIRTUAL_MACHINE_ADDED,
	VAIL_EVENT_VIRTUAL_MACHINE_CHANGED,
	VAIL_EVENT_VIRTUAL_MACHINE_REMOVED,
	VAIL_EVENT_VIRTUAL_GPU_ASSIGNED,
	VAIL_EVENT_VIRTUAL_GPU_REMOVED,
	VAIL_EVENT_QUARANTINED,
	VAIL_EVENT_QUARANTINE_LIFTED,
	VAIL_EVENT_ADAPTER_ADDED,
	VAIL_EVENT_ADAPTER_REMOVED,
	VAIL_EVENT_GPU_PROCESS_REMOVED,
	VAIL_EVENT_PAGE_TABLE_RESIDENT, /* to a driver: write your entries of this table again */
	VAIL_EVENT_SHARED,
	VAIL_EVENT_UPDATED,  /* an object's contents have changed: read it again */
	VAIL_EVENT_UNSHARED, /* nobody can open the object any more: close it */
	VAIL_EVENT_OPENED,
	VAIL_EVENT_RELEASED,

	/* The library's own: vaild has gone, and the watch waits for it; status and reason tell of
	 * the loss. And it has come back, and what has come and gone meanwhile was told: read again
	 * what only changes would tell (see vail_watch()). */
	VAIL_EVENT_INTERRUPTED,
	VAIL_EVENT_RESUMED
} VailEventKind;

/* Declared with the functions for shared objects. */
struct VailSharedObject;
struct VailRectangle;

/* One event. Texts are the library's: copy what is to be kept. NULL and 0 mean absent. */
typedef struct VailEvent {
	size_t size; /* of the struct that the library filled, so that it can grow: a later field is
		      * there when size reaches beyond it */
	VailEventKind kind;
	const char *virtual_machine; /* GUID */
	const char *virtual_gpu;     /* handle */
	const char *adapter;         /* handle */

	/* With (un)registered. */
	pid_t pid; /* in the daemon's pid namespace; 0: the event is of no registration */
	uid_t uid;
	const char *graphics_context; /* "vaild", "drm", "nvidia", "kfd", "dxg" */
	double since;                 /* seconds on CLOCK_BOOTTIME; also of a VM that was added */

	/* With unregistered, removed, unshared and released: why. With quarantined, reason is the
	 * operator's. */
	NTSTATUS status; /* STATUS_SUCCESS where the owner asked for it, and where none is told */
	const char *reason;

	const char *json; /* the whole event, as vaild has sent it, or would have */

	const char *process;      /* handle of a GPU process */
	uint64_t virtual_address; /* the first that the page table covers */

	/* With shared, updated, unshared, opened and released. */
	const struct VailSharedObject *shared_object;

	/* With opened and released: which process. */
	pid_t holder_pid; /* in the daemon's pid namespace */
	uid_t holder_uid;

	/* With updated: where; none means everywhere. */
	const struct VailRectangle *damage;
	size_t damage_count;
} VailEvent;

/* "registered" for VAIL_EVENT_REGISTERED, and so on; NULL for what is no known kind. */
VAIL_PUBLIC const char *vail_event_name(VailEventKind kind);

/*
 * Is given each event, and exactly one call with continues false, unless it has asked to stop.
 *
 * status: STATUS_SUCCESS with an event; otherwise why the watch has ended, and event is NULL.
 * continues: further events follow. false with an event: it ended the caller's last entitlement.
 *
 * Returns whether to go on; false while it continues closes the connection, as with VailReply.
 */
typedef bool (*VailWatch)(struct vail *vail, NTSTATUS status, const VailEvent *event,
			  bool continues, void *context);

/*
 * Begins to watch: one event for each thing that exists, then VAIL_EVENT_CURRENT, then each change
 * once and in order. For event loops: vail_process() hands events to watch. A watch keeps its
 * connection to itself, and whatever is called on the handle afterwards waits for its end: give it
 * a handle of its own. Who lets a MiB of events wait unread loses the connection.
 *
 * Over a restart of vaild the watch goes on, unless vail_set_resume() says otherwise, and holds in
 * memory what it has told for that. VAIL_EVENT_INTERRUPTED comes at the loss of the connection.
 * When vaild is back, what has gone since is told, last come first, by the same events as otherwise
 * (STATUS_SUCCESS, and a reason that says that it was not heard), then what has come, and then
 * VAIL_EVENT_RESUMED: what existed before and exists still is not told again. What changes alone
 * would tell may have changed since, and nobody knows: the contents of objects, the settings of
 * VMs, page tables, who holds what is not shared any more. When the VM has ended, or the caller may
 * watch it no longer, the watch ends with STATUS_NOT_FOUND or STATUS_ACCESS_DENIED.
 *
 * virtual_machine: one VM's GUID, for its registered processes, VMM, agent, and operators. NULL for
 *                  all that the caller may watch.
 * context: handed to watch.
 *
 * Returns as vail_submit(). What vaild refuses comes to watch: STATUS_INVALID_PARAMETER,
 * STATUS_NOT_FOUND, STATUS_ACCESS_DENIED, STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_watch(struct vail *vail, const char *virtual_machine, VailWatch watch,
				void *context);

/* ---- Registration of host processes ---- */

/*
 * In what follows virtual_machine is a VM's GUID as text: 8-4-4-4-12 hex digits, either case, with
 * or without {}. STATUS_NOT_FOUND always says that no running VM has it.
 */

/*
 * Registers the calling process for the VM, which must have the privileges of the VM's display
 * client and a graphics context. Again is a success that changes nothing.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER (no GUID), STATUS_NOT_FOUND,
 * STATUS_ACCESS_DENIED (other privileges, or the VM is quarantined),
 * STATUS_GRAPHICS_VAIL_STATE_CHANGED (the VM has no vGPU), STATUS_INVALID_DISPOSITION (the process
 * has no graphics context; vail_create_context() makes one), STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_register_process(struct vail *vail, const char *virtual_machine);

/* Ends the calling process's registration. STATUS_NOT_FOUND also when there is none. */
VAIL_PUBLIC NTSTATUS vail_unregister_process(struct vail *vail, const char *virtual_machine);

/*
 * Ends another process's registration. For operators, and for who registered the VM.
 *
 * pid: in the daemon's pid namespace.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND (also: no such registration),
 * STATUS_ACCESS_DENIED.
 */
VAIL_PUBLIC NTSTATUS vail_revoke_registration(struct vail *vail, const char *virtual_machine,
					      pid_t pid);

/* ---- Graphics contexts ---- */

/*
 * Makes a graphics context for the calling process. On the software adapter that makes its GPU
 * process, too, if it has none; on another, its driver has to have made that. Both end with the
 * process.
 *
 * adapter: a handle from io.vaild.Gpu.ListAdapters; NULL for the software adapter.
 * ret_context: the context's handle.
 * ret_process: the GPU process's handle; NULL when it is not wanted.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such adapter), STATUS_NOT_SUPPORTED (the
 * adapter's driver has made no process for this one), STATUS_INVALID_DEVICE_STATE (it has not
 * completed it yet), STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_create_context(struct vail *vail, const char *adapter,
					 char ret_context[VAIL_HANDLE_SIZE],
					 char ret_process[VAIL_HANDLE_SIZE]);

/*
 * Ends a context of the calling process. A registration stays.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED (another process's).
 */
VAIL_PUBLIC NTSTATUS vail_destroy_context(struct vail *vail, const char *context);

/* ---- Shared objects ---- */

/*
 * A VM's VMM, or its agent, shares resources (dma-bufs or memfds of 1 to 4 planes), fences
 * (sync_files), or both as one, with the host processes that are registered for the VM. What was
 * handed out cannot be taken back: a holder has the memory until it closes it or ends.
 *
 * Sharer and holders need not trust each other's memory: the functions that read below cannot be
 * made to fault, or to wait for ever, by a sharer.
 */

/* A format as drm_fourcc.h has it (DRM_FORMAT_...): VAIL_FORMAT('X', 'R', '2', '4'). */
#define VAIL_FORMAT(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* What holders may do. Only for memfds can more than this word see to it; see access_enforced. */
typedef enum VailAccess { VAIL_ACCESS_READ, VAIL_ACCESS_READ_WRITE } VailAccess;

/* How many planes a resource has at most. */
#define VAIL_PLANE_MAX 4

/* A plane of what is to be shared. Planes may be parts of the same memory. */
typedef struct VailPlane {
	int descriptor;  /* of a dma-buf or memfd; stays the caller's */
	uint64_t offset; /* of its first row, in bytes */
	uint64_t stride; /* from row to row, in bytes */
} VailPlane;

/*
 * What is to be shared: a resource where it has planes, a fence where it has one. Begin with
 * VAIL_OBJECT_INIT; NULL and 0 mean absent.
 */
typedef struct VailObject {
	size_t size; /* sizeof(VailObject) of the caller's header, so that the struct can grow */
	VailAccess access;
	const char *name; /* for people */

	/* Of a resource. */
	uint32_t width;  /* in pixels */
	uint32_t height; /* in pixels */
	uint32_t format; /* VAIL_FORMAT() */
	uint64_t modifier;
	VailPlane planes[VAIL_PLANE_MAX];
	size_t plane_count;

	int fence; /* a sync_file; -1: none. Stays the caller's */
} VailObject;

#define VAIL_OBJECT_INIT                                                                  \
	{                                                                                 \
		sizeof(VailObject), VAIL_ACCESS_READ, NULL, 0, 0, 0, 0,                   \
			{ { -1, 0, 0 }, { -1, 0, 0 }, { -1, 0, 0 }, { -1, 0, 0 } }, 0, -1 \
	}

/* In pixels, of the resource. */
typedef struct VailRectangle {
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
} VailRectangle;

/*
 * Shares an object with the processes that are registered for the VM. For its VMM and its agent.
 * The object ends with the process that shared it.
 *
 * A memfd that can be sealed is sealed first, so that holders can rely on it: it can neither shrink
 * nor grow any more, and with VAIL_ACCESS_READ it can be written by way of the mappings alone that
 * exist now. That lasts, also when it is not shared after all. vail_memory_new() makes memory that
 * is mapped already.
 *
 * ret_handle: the object's handle.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_ACCESS_DENIED (no VMM
 * or agent of the VM, or it is in quarantine), STATUS_OBJECT_TYPE_MISMATCH (a descriptor of a kind
 * that cannot be shared), STATUS_GRAPHICS_VAIL_STATE_CHANGED (the VM has no vGPU),
 * STATUS_QUOTA_EXCEEDED, STATUS_INSUFFICIENT_RESOURCES; STATUS_INVALID_DEVICE_STATE from a
 * VailReply.
 */
VAIL_PUBLIC NTSTATUS vail_share_object(struct vail *vail, const char *virtual_machine,
				       const VailObject *object, char ret_handle[VAIL_HANDLE_SIZE]);

/*
 * Tells watchers that the contents have changed, but for those of this process. For the sharer.
 *
 * handle: from vail_share_object().
 * damage: where; with NULL, or a count of 0, everywhere.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such object, or it is unshared),
 * STATUS_INVALID_PARAMETER (a rectangle outside of the resource, or so many that they pass 64 KiB
 * as text), STATUS_ACCESS_DENIED (another's); STATUS_INVALID_DEVICE_STATE from a VailReply.
 */
VAIL_PUBLIC NTSTATUS vail_update_object(struct vail *vail, const char *handle,
					const VailRectangle *damage, size_t count);

/*
 * The same without an answer, for each frame: it does not wait, and costs vaild no reply. May be
 * called from a VailReply.
 *
 * Returns as vail_send_oneway(); with STATUS_INSUFFICIENT_RESOURCES tell it with the next frame.
 */
VAIL_PUBLIC NTSTATUS vail_send_update(struct vail *vail, const char *handle,
				      const VailRectangle *damage, size_t count);

/*
 * Ends the sharing: nobody can open the object any more, and its holders are told. For the sharer
 * and operators.
 *
 * ret_holders: how many processes still hold it; NULL when it is not wanted.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED; STATUS_INVALID_DEVICE_STATE
 * from a VailReply.
 */
VAIL_PUBLIC NTSTATUS vail_unshare_object(struct vail *vail, const char *handle,
					 uint64_t *ret_holders);

/* Memory to share: a memfd that can be sealed, and is mapped for the process that made it. */
struct vail_memory;

/*
 * Makes memory of this size, all zero. It never shrinks or grows. The caller frees it with
 * vail_memory_free().
 *
 * size: in bytes, not 0.
 * name: for people, in /proc; up to 249 bytes; NULL for none.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY,
 * STATUS_INSUFFICIENT_RESOURCES (this process has no room for the descriptor), STATUS_NOT_SUPPORTED
 * (this kernel has no memory that can be sealed).
 */
VAIL_PUBLIC NTSTATUS vail_memory_new(size_t size, const char *name,
				     struct vail_memory **ret_memory);

/* Unmaps and closes it; NULL is fine. What is shared of it stays shared. */
VAIL_PUBLIC void vail_memory_free(struct vail_memory *memory);

/* Where it is mapped, to be read and written, also once it is shared; the memory's. */
VAIL_PUBLIC void *vail_memory_data(const struct vail_memory *memory);

/* In bytes. */
VAIL_PUBLIC size_t vail_memory_size(const struct vail_memory *memory);

/* For VailPlane.descriptor; the memory's. -1 where memory is NULL. */
VAIL_PUBLIC int vail_memory_descriptor(const struct vail_memory *memory);

typedef enum VailObjectType {
	VAIL_OBJECT_UNKNOWN, /* vaild is newer than this library */
	VAIL_OBJECT_RESOURCE,
	VAIL_OBJECT_FENCE,
	VAIL_OBJECT_RESOURCE_WITH_FENCE
} VailObjectType;

/* What the kernel says that the memory of a resource is. */
typedef enum VailMemoryKind {
	VAIL_MEMORY_UNKNOWN, /* vaild is newer than this library */
	VAIL_MEMORY_NONE,    /* of a fence alone */
	VAIL_MEMORY_DMABUF,
	VAIL_MEMORY_MEMFD
} VailMemoryKind;

/* What is known of an object that is shared. NULL and 0 mean absent. */
typedef struct VailObjectInfo {
	size_t size; /* of the struct that the library filled, as in VailEvent */
	VailObjectType type;
	VailAccess access;
	const char *name;
	uint32_t width;
	uint32_t height;
	uint32_t format; /* VAIL_FORMAT() */
	uint64_t modifier;
	VailPlane planes[VAIL_PLANE_MAX]; /* without descriptors: they are -1 */
	size_t plane_count;
	VailMemoryKind memory;
	uint64_t size_in_bytes; /* of the memory, when vaild last looked */
	bool size_sealed;       /* it stays that */
	bool access_enforced;   /* the kernel keeps holders from writing; otherwise they are trusted
				 */
} VailObjectInfo;

/* A process that has an object open. */
typedef struct VailHolder {
	pid_t pid; /* in the daemon's pid namespace */
	uid_t uid;
	double since; /* seconds on CLOCK_BOOTTIME */
} VailHolder;

/* One shared object, in lists and events. Texts and arrays are the library's. */
typedef struct VailSharedObject {
	size_t size; /* of the struct that the library filled, as in VailEvent */
	const char *handle;
	const char *virtual_machine; /* GUID */
	const VailObjectInfo *object;
	pid_t shared_by_pid; /* in the daemon's pid namespace */
	double since;        /* seconds on CLOCK_BOOTTIME */
	const VailHolder *holders;
	size_t holder_count;
} VailSharedObject;

/* As VailRangeTaker, with shared objects. */
typedef bool (*VailObjectTaker)(struct vail *vail, const VailSharedObject *object, void *context);

/*
 * Tells the objects that the caller shares or may open; for operators all.
 *
 * virtual_machine: of one VM; NULL for all.
 *
 * Returns STATUS_SUCCESS, also when take wanted no more; STATUS_NOT_FOUND;
 * STATUS_INVALID_DEVICE_STATE from a VailReply. When it fails, objects may have been told already.
 */
VAIL_PUBLIC NTSTATUS vail_list_objects(struct vail *vail, const char *virtual_machine,
				       VailObjectTaker take, void *context);

/* ---- Shared objects that are open ---- */

/*
 * One that this process holds. It belongs to one thread at a time, as a handle does, but to no
 * handle: it stays what it is over vail_close() and over the loss of the connection. What the
 * functions here have to say of a failure is in vail_object_error_message(). The holder is the
 * process: a child of fork() has a copy that it may read, and vaild does not know of.
 */
struct vail_object;

/*
 * Opens an object. For processes that are registered for its VM; from now on the process is one of
 * the object's holders. Opening twice is holding once: the first vail_object_close() tells vaild
 * that it is over.
 *
 * handle: of the object, from vail_list_objects(), an event or the sharer.
 * ret_object: the caller closes it with vail_object_close().
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such object, or it is unshared),
 * STATUS_ACCESS_DENIED (not registered for its VM, or with other privileges than a display client
 * any more), STATUS_OBJECT_TYPE_MISMATCH (the sharer keeps its memory from being opened by now),
 * STATUS_QUOTA_EXCEEDED; STATUS_INVALID_DEVICE_STATE from a VailReply.
 */
VAIL_PUBLIC NTSTATUS vail_open_object(struct vail *vail, const char *handle,
				      struct vail_object **ret_object);

/*
 * Closes what is open of the object, frees it, and tells vaild that this process holds it no
 * longer; object may be NULL.
 *
 * vail: any handle of this process. NULL: vaild is not told, and sees the process as a holder until
 *       it opens and closes the object again or exits. From a VailReply vaild is told without
 *       waiting for its answer.
 *
 * Returns STATUS_SUCCESS, or why vaild could not be told; the object is closed and freed all the
 * same. STATUS_INVALID_HANDLE: the process was no holder.
 */
VAIL_PUBLIC NTSTATUS vail_object_close(struct vail *vail, struct vail_object *object);

/* A sentence on the last function with this object that failed; "" when the last succeeded. */
VAIL_PUBLIC const char *vail_object_error_message(const struct vail_object *object);

/* Its handle, and what is known of it; the object's. */
VAIL_PUBLIC const char *vail_object_handle(const struct vail_object *object);
VAIL_PUBLIC const VailObjectInfo *vail_object_info(const struct vail_object *object);

/*
 * The memory of a plane, for those who import it into EGL or Vulkan, and the fence (sync_file), for
 * poll(): POLLIN once it is signalled. The object's; -1 where there is none.
 *
 * Who maps memory whose size is not sealed gets SIGBUS when the sharer shrinks it.
 */
VAIL_PUBLIC int vail_object_descriptor(const struct vail_object *object, size_t plane);
VAIL_PUBLIC int vail_object_fence_descriptor(const struct vail_object *object);

/*
 * Waits until the object's fence is signalled, which is at once where it has none.
 *
 * timeout: in milliseconds; VAIL_TIMEOUT_NONE, or any negative number, for ever: then who made the
 *          fence can keep this process waiting.
 *
 * Returns STATUS_SUCCESS, STATUS_IO_TIMEOUT, STATUS_INVALID_DEVICE_STATE (what it was to wait for
 * has failed).
 */
VAIL_PUBLIC NTSTATUS vail_object_wait(struct vail_object *object, int timeout);

/*
 * How long the functions that read wait for a GPU that is writing into a dma-buf, in milliseconds
 * as in vail_object_wait(); VAIL_TIMEOUT_DEFAULT at first. They do not wait for the object's fence.
 */
VAIL_PUBLIC void vail_object_set_timeout(struct vail_object *object, int timeout);

/*
 * Copies bytes out of a plane. Whatever the sharer does with the memory meanwhile, this does not
 * fault.
 *
 * plane: 0 to plane_count - 1.
 * offset: of the first byte, from that of the plane.
 * buffer: takes size bytes. What is in it after a failure is not told.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER (there is no such plane, or its memory never
 * reached so far), STATUS_INVALID_DEVICE_STATE (the memory has shrunk, or was taken away),
 * STATUS_IO_TIMEOUT (a GPU is still writing), STATUS_NOT_SUPPORTED (a dma-buf that the CPU cannot
 * read: import it), STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY.
 */
VAIL_PUBLIC NTSTATUS vail_object_read(struct vail_object *object, size_t plane, uint64_t offset,
				      void *buffer, size_t size);

/*
 * Copies the whole image, in its own format, row by row without gaps. For linear formats of one
 * plane and 32 bits a pixel.
 *
 * pixels: takes 4 * width * height bytes.
 * size: of pixels, in bytes, at least that.
 *
 * Returns as vail_object_read(); STATUS_NOT_SUPPORTED also for other formats and modifiers.
 */
VAIL_PUBLIC NTSTATUS vail_object_read_image(struct vail_object *object, void *pixels, size_t size);

/*
 * Maps the memory of a plane, from its first byte to the end of the memory, to be read, and with
 * VAIL_ACCESS_READ_WRITE written. Only for a memfd whose size is sealed, so that it cannot fault;
 * of a dma-buf take the descriptor, for who maps one has to tell the kernel when it reads.
 *
 * ret_data: the object's, until it is closed. The sharer may write to it at any time: copy what is
 *           to be checked first.
 * ret_size: in bytes.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER (there is no such plane), STATUS_NOT_SUPPORTED
 * (no memfd, or its size is not sealed: use vail_object_read()), STATUS_ACCESS_DENIED (the kernel
 * does not let it be written), STATUS_NO_MEMORY.
 */
VAIL_PUBLIC NTSTATUS vail_object_map(struct vail_object *object, size_t plane, void **ret_data,
				     size_t *ret_size);

/* ---- GPU virtual addresses, for graphics processes ---- */

/*
 * process is the handle of the caller's own GPU process, from vail_create_context(); every function
 * here returns STATUS_INVALID_HANDLE where there is none of it (any more), STATUS_ACCESS_DENIED
 * where it is another's, and STATUS_INVALID_DEVICE_STATE while its driver has not completed it.
 *
 * Addresses and sizes are in bytes. Nothing is ever placed at address 0, so an address of 0 means
 * absent. STATUS_NO_MEMORY also says that there is no place.
 */

/* What the GPU may do with a mapping. */
typedef enum VailProtection {
	VAIL_PROTECTION_NONE, /* none is told, or one that is newer than this library */
	VAIL_PROTECTION_READ,
	VAIL_PROTECTION_READ_WRITE,
	VAIL_PROTECTION_NO_ACCESS,
	VAIL_PROTECTION_ZERO /* reads give 0, writes are lost */
} VailProtection;

/*
 * Reserves addresses, for mappings to be placed there. Granularity: 64 KiB.
 *
 * size: of the range.
 * base: exactly here; 0: at a place that vaild chooses.
 * minimum, maximum: with base 0, the place begins at or above the one and ends at or below the
 *                   other; 0: no bound.
 * ret_address: where it begins; may be NULL where a base is given.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
 * STATUS_CONFLICTING_ADDRESSES (something is at base), STATUS_NO_MEMORY (no place),
 * STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE, STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_reserve_address(struct vail *vail, const char *process, uint64_t size,
					  uint64_t base, uint64_t minimum, uint64_t maximum,
					  uint64_t *ret_address);

/* What is to be mapped. Begin with VAIL_MAPPING_INIT; 0 means absent. Granularity: 4 KiB. */
typedef struct VailMapping {
	size_t size; /* sizeof(VailMapping) of the caller's header, so that the struct can grow */
	uint64_t size_in_bytes;
	uint64_t base;             /* exactly here: free, inside a reservation of the process, or
				    * inside a driver's that allows it; 0: vaild chooses */
	uint64_t minimum;          /* with base 0, the place begins at or above it */
	uint64_t maximum;          /* with base 0, the place ends at or below it */
	VailProtection protection; /* required */
	uint64_t allocation; /* the caller's own number, below 2^63, which vaild keeps and gives
			      * back; told with read and read-write even where it is 0 */
	uint64_t offset;     /* into the allocation */
} VailMapping;

#define VAIL_MAPPING_INIT                                                   \
	{                                                                   \
		sizeof(VailMapping), 0, 0, 0, 0, VAIL_PROTECTION_NONE, 0, 0 \
	}

/*
 * Maps an allocation, or no access, or zero pages.
 *
 * ret_address: where it begins; may be NULL where a base is given.
 *
 * Returns as vail_reserve_address(); STATUS_CONFLICTING_ADDRESSES also where the driver has set the
 * page table entry.
 */
VAIL_PUBLIC NTSTATUS vail_map_address(struct vail *vail, const char *process,
				      const VailMapping *mapping, uint64_t *ret_address);

/*
 * Frees what is mapped or reserved, in whole or in part. Inside one mapping, only that goes, and
 * what was reserved under it is reserved again; inside one reservation, it goes with the mappings
 * that it holds. Granularity: 4 KiB.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (the range is in no one
 * mapping or reservation of the process), STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE,
 * STATUS_QUOTA_EXCEEDED (the parts that it leaves would be too many).
 */
VAIL_PUBLIC NTSTATUS vail_free_address(struct vail *vail, const char *process, uint64_t address,
				       uint64_t size);

/* What a walk of the page tables ends at. */
typedef enum VailTranslationState {
	VAIL_TRANSLATION_UNKNOWN,           /* vaild is newer than this library */
	VAIL_TRANSLATION_INVALID,           /* nothing is there, or it is in root entry 0 */
	VAIL_TRANSLATION_RESERVED,          /* by the driver, and the entry is invalid */
	VAIL_TRANSLATION_DRIVER_PAGE_TABLE, /* the driver has set the entry */
	VAIL_TRANSLATION_NOT_RESIDENT,      /* the table of the entry is evicted */
	VAIL_TRANSLATION_USER_RESERVED,     /* by the process */
	VAIL_TRANSLATION_MAPPED
} VailTranslationState;

/* Begin with VAIL_TRANSLATION_INIT. */
typedef struct VailTranslation {
	size_t size; /* sizeof(VailTranslation) of the caller's header; becomes that of what the
		      * library has filled: a later field is there when it reaches beyond it */
	VailTranslationState state;
	VailProtection protection; /* with mapped, as are the next two */
	uint64_t allocation;
	uint64_t offset;             /* of the address, into the allocation */
	uint64_t page_table_address; /* to driver and operators; 0: none is told */
} VailTranslation;

#define VAIL_TRANSLATION_INIT                                                                    \
	{                                                                                        \
		sizeof(VailTranslation), VAIL_TRANSLATION_UNKNOWN, VAIL_PROTECTION_NONE, 0, 0, 0 \
	}

/*
 * Walks the page tables. For the process itself, its driver, and operators.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (past the end of the
 * address space), STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE from a VailReply.
 */
VAIL_PUBLIC NTSTATUS vail_translate_address(struct vail *vail, const char *process,
					    uint64_t address, VailTranslation *ret_translation);

typedef enum VailRangeKind {
	VAIL_RANGE_UNKNOWN,         /* vaild is newer than this library */
	VAIL_RANGE_ROOT_ENTRY_ZERO, /* always invalid */
	VAIL_RANGE_DRIVER_RESERVATION,
	VAIL_RANGE_USER_RESERVATION,
	VAIL_RANGE_MAPPING
} VailRangeKind;

typedef struct VailRange {
	size_t size; /* of the struct that the library filled, as in VailEvent */
	VailRangeKind kind;
	uint64_t address;
	uint64_t size_in_bytes;
	bool allow_user_mode_mapping; /* the process may map inside this driver reservation */
	VailProtection protection;    /* with a mapping, as are the next two */
	uint64_t allocation;
	uint64_t offset;
} VailRange;

/*
 * Is given each range. Of the functions on the same handle it may use those that a VailReply may.
 *
 * Returns whether it wants more. Other than with VailReply, false leaves the connection as it is,
 * since an adapter may hang on it: what is left is read and not told.
 */
typedef bool (*VailRangeTaker)(struct vail *vail, const VailRange *range, void *context);

/*
 * Tells what is where, in ascending order, root entry 0 first. For the process itself, its driver,
 * and operators, whatever its state.
 *
 * Returns STATUS_SUCCESS, also when take wanted no more; STATUS_INVALID_HANDLE,
 * STATUS_ACCESS_DENIED; STATUS_INVALID_DEVICE_STATE from a VailReply. When it fails, ranges may
 * have been told already.
 */
VAIL_PUBLIC NTSTATUS vail_describe_address_space(struct vail *vail, const char *process,
						 VailRangeTaker take, void *context);

/* One GPU process. Texts are the library's; NULL and 0 mean absent. */
typedef struct VailListedGpuProcess {
	size_t size;         /* of the struct that the library filled, as in VailEvent */
	const char *process; /* handle */
	const char *adapter; /* handle */
	bool is_running;     /* false: its driver has not completed it */
	bool is_system;      /* the adapter's own */
	pid_t pid;
	const char *name;
	const char *virtual_machine; /* GUID */
	uint64_t contexts;
	uint64_t ranges;
} VailListedGpuProcess;

/* As VailRangeTaker, with GPU processes. */
typedef bool (*VailGpuProcessTaker)(struct vail *vail, const VailListedGpuProcess *process,
				    void *context);

/*
 * Tells the GPU processes: the caller's own, those of the caller's adapter, for operators all.
 *
 * Returns STATUS_SUCCESS, also when take wanted no more; STATUS_INVALID_DEVICE_STATE from a
 * VailReply. When it fails, processes may have been told already.
 */
VAIL_PUBLIC NTSTATUS vail_list_gpu_processes(struct vail *vail, VailGpuProcessTaker take,
					     void *context);

/* ---- Adapters and their GPU processes, for drivers ---- */

/*
 * A driver is an operator's connection that has registered an adapter. The adapter belongs to that
 * connection: keep its handle (struct vail) open, and ask for all that concerns the adapter on it;
 * everybody else is answered STATUS_ACCESS_DENIED.
 *
 * When the connection ends, so does the adapter, with its GPU processes and their address spaces.
 * The handle connects anew by itself, but to a vaild for which this is no driver: its calls return
 * STATUS_INVALID_HANDLE, and the driver has to register again. So whatever loses the connection (a
 * call that times out, a VailReply that returns false, an execve()) loses the adapter: a driver
 * sets VAIL_TIMEOUT_NONE. The functions of this header that list lose none.
 *
 * When vaild restarts, the adapter waits 30 seconds for its driver: calls return
 * STATUS_ACCESS_DENIED until the driver has registered it again, with the same name, MMU and uid.
 * Then all that was completed is as it was, but for the page table entries that the driver has set,
 * which are invalid, and which it sets again.
 *
 * A watch keeps its connection to itself, so watching needs a handle of its own: by
 * VAIL_EVENT_PAGE_TABLE_RESIDENT and VAIL_EVENT_GPU_PROCESS_REMOVED a driver hears of its own.
 */

#define VAIL_PAGE_TABLE_LEVEL_MAX 6

/* Begin with VAIL_ADAPTER_INIT. */
typedef struct VailAdapter {
	size_t size; /* sizeof(VailAdapter) of the caller's header, so that the struct can grow */
	const char *name; /* for people, and what a driver that comes back is known by */

	/* How many bits of an address index the page table of each level: the leaf table first, the
	 * root last, 0 behind it. 2 to 6 levels of 1 to 24 bits. Pages have 4 KiB, so that
	 * addresses have 12 more bits than the sum, at most 57. */
	uint8_t page_table_index_bit_count[VAIL_PAGE_TABLE_LEVEL_MAX];

	uint64_t max_virtual_gpus; /* that can be assigned to VMs */
} VailAdapter;

#define VAIL_ADAPTER_INIT                           \
	{                                           \
		sizeof(VailAdapter), NULL, { 0 }, 0 \
	}

/*
 * Registers an adapter, and makes its system process, which the driver completes like any other
 * before it creates more. Operators.
 *
 * ret_adapter: the adapter's handle.
 * ret_system_process: its system process's handle.
 * ret_restored: whether vaild knew the adapter from before its restart: then the handles are the
 * old ones, the system process is running, and nothing is to be reserved in it or completed;
 * vail_list_gpu_processes() tells which others there are.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED,
 * STATUS_OBJECT_NAME_COLLISION (there is one of this name), STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_register_adapter(struct vail *vail, const VailAdapter *adapter,
					   char ret_adapter[VAIL_HANDLE_SIZE],
					   char ret_system_process[VAIL_HANDLE_SIZE],
					   bool *ret_restored);

/*
 * Ends the adapter, its GPU processes and their address spaces, and the vGPUs on it. Operators may
 * do it as well.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED, STATUS_NOT_SUPPORTED (the
 * software adapter is always there).
 */
VAIL_PUBLIC NTSTATUS vail_unregister_adapter(struct vail *vail, const char *adapter);

/* Whom a GPU process is for. Begin with VAIL_GPU_PROCESS_INIT; NULL and 0 mean absent. */
typedef struct VailGpuProcess {
	size_t size;      /* sizeof(VailGpuProcess) of the caller's header, so that it can grow */
	pid_t pid;        /* the host process, with which the GPU process ends */
	const char *name; /* for people */
	const char *virtual_machine; /* GUID */
} VailGpuProcess;

#define VAIL_GPU_PROCESS_INIT                         \
	{                                             \
		sizeof(VailGpuProcess), 0, NULL, NULL \
	}

/*
 * Begins to create a GPU process. The driver reserves what it needs in its address space and then
 * completes it; until then nobody can use it. When the driver goes before that, all is undone.
 *
 * process: NULL for all absent.
 * ret_process: the GPU process's handle.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such adapter), STATUS_INVALID_PARAMETER (no
 * such process), STATUS_NOT_FOUND (no such VM), STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE
 * (the system process is not completed), STATUS_OBJECT_NAME_COLLISION (the host process has one on
 * this adapter), STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_create_process(struct vail *vail, const char *adapter,
					 const VailGpuProcess *process,
					 char ret_process[VAIL_HANDLE_SIZE]);

/*
 * Reserves a range of GPU virtual addresses for the driver while it creates the process: what
 * DXGKCB_RESERVEGPUVIRTUALADDRESSRANGE (DXGKARGCB_RESERVEGPUVIRTUALADDRESSRANGE of d3dkmddi.h) is
 * to a kernel mode display driver on Windows, with the same parameters.
 *
 * size: SizeInBytes, a multiple of what one page table entry above the leaf tables covers
 *       (leafCoverageInBytes of io.vaild.Gpu.ListAdapters).
 * alignment: of its start, a power of two and a multiple of that; 0 for just that.
 * base: BaseAddress, exactly here; 0: at a place that vaild chooses, never in root entry 0.
 * allow_user_mode_mapping: whether the process may map inside it.
 * ret_address: StartVirtualAddress; may be NULL where a base is given.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (a multiple that is none,
 * an overflow, a base in root entry 0 or past the end), STATUS_CONFLICTING_ADDRESSES (something is
 * at base), STATUS_NO_MEMORY (no place), STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE (the
 * process is completed), STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_reserve_address_range(struct vail *vail, const char *process,
						uint64_t size, uint64_t alignment, uint64_t base,
						bool allow_user_mode_mapping,
						uint64_t *ret_address);

/*
 * The process is ready: it runs, and nothing more can be reserved for the driver.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE
 * (it is completed already).
 */
VAIL_PUBLIC NTSTATUS vail_complete_create_process(struct vail *vail, const char *process);

/*
 * Ends a GPU process, in whatever state, with its contexts and its address space.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED, STATUS_NOT_SUPPORTED (an
 * adapter's system process goes with the adapter).
 */
VAIL_PUBLIC NTSTATUS vail_destroy_process(struct vail *vail, const char *process);

/*
 * Points the page table entry that covers the address, in a range of the driver, at a leaf table of
 * the driver's own.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (the driver has not
 * reserved the address), STATUS_CONFLICTING_ADDRESSES (the process has mapped under the entry),
 * STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE (the entry's table is not resident),
 * STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_set_page_table_entry(struct vail *vail, const char *process,
					       uint64_t address, uint64_t page_table_address);

/*
 * Evicts the level 1 table (its entries point at leaf tables; with two levels the root) that covers
 * the address, or makes it resident again. Then the entries for the process's mappings are as they
 * were, and those of the driver are invalid, until it sets them. Again is a success that changes
 * nothing. With two levels the root is made anew, and is resident, when ranges make it grow or
 * shrink.
 *
 * Return STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (past the end of the
 * address space, or in root entry 0), STATUS_ACCESS_DENIED, STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_evict_page_table(struct vail *vail, const char *process,
					   uint64_t address);
VAIL_PUBLIC NTSTATUS vail_make_page_table_resident(struct vail *vail, const char *process,
						   uint64_t address);

/* ---- Virtual machines, for VMMs, their managers and operators ---- */

/* Names a user (by name or decimal uid) or a live process: user is not NULL, or else pid is > 0. */
typedef struct VailParty {
	const char *user;
	pid_t pid;
} VailParty;

/* What is known of a VM. Begin with VAIL_MACHINE_INIT; NULL and 0 mean absent throughout. */
typedef struct VailMachine {
	size_t size; /* sizeof(VailMachine) of the caller's header, so that the struct can grow */
	const char *name; /* for people; up to 255 bytes */
	pid_t vmm_pid;    /* the VMM, with which the VM ends; absent: the calling process */

	/* Whose privileges a process must have to be registered. Absent: the VMM's own, or, in an
	 * update, unchanged. Not NULL with a count of 0: the VMM's own. */
	const VailParty *display_clients;
	size_t display_client_count;

	const VailParty *agent; /* who may share objects beside the VMM */
} VailMachine;

#define VAIL_MACHINE_INIT                                   \
	{                                                   \
		sizeof(VailMachine), NULL, 0, NULL, 0, NULL \
	}

/*
 * Brings a VM in. For operators, and, where vaild allows it, for anyone's own processes. The same
 * GUID and VMM again is a success that changes nothing.
 *
 * machine: NULL for all absent.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED,
 * STATUS_OBJECT_NAME_COLLISION (a VM with this GUID runs), STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_register_virtual_machine(struct vail *vail, const char *virtual_machine,
						   const VailMachine *machine);

/*
 * Changes what is known of a VM; what is absent stays. Registrations whose privileges match no
 * longer end. For operators, and for who registered the VM, as are the next three.
 *
 * machine: vmm_pid must be 0.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_ACCESS_DENIED.
 */
VAIL_PUBLIC NTSTATUS vail_update_virtual_machine(struct vail *vail, const char *virtual_machine,
						 const VailMachine *machine);

/* Ends a VM and its registrations. STATUS_NOT_SUPPORTED for one that vaild found by itself. */
VAIL_PUBLIC NTSTATUS vail_unregister_virtual_machine(struct vail *vail,
						     const char *virtual_machine);

/*
 * Assigns a virtual GPU to a VM.
 *
 * adapter: a handle from io.vaild.Gpu.ListAdapters; NULL for the software adapter.
 * profile: a name for people; NULL for none.
 * ret_virtual_gpu: the vGPU's handle; NULL when it is not wanted.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_ACCESS_DENIED,
 * STATUS_INVALID_HANDLE (no such adapter), STATUS_QUOTA_EXCEEDED.
 */
VAIL_PUBLIC NTSTATUS vail_assign_virtual_gpu(struct vail *vail, const char *virtual_machine,
					     const char *adapter, const char *profile,
					     char ret_virtual_gpu[VAIL_HANDLE_SIZE]);

/* Takes a virtual GPU away; with a VM's last one its registrations end. STATUS_INVALID_HANDLE when
 * there is none of this handle. */
VAIL_PUBLIC NTSTATUS vail_remove_virtual_gpu(struct vail *vail, const char *virtual_gpu);

/*
 * Quarantines a GUID, running or not, or lifts that. It is kept over stop and reboot. Operators.
 *
 * reason: for people; NULL for none, and when it is lifted.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED, STATUS_QUOTA_EXCEEDED,
 * STATUS_INSUFFICIENT_RESOURCES (it could not be written, and nothing has changed).
 */
VAIL_PUBLIC NTSTATUS vail_set_quarantine(struct vail *vail, const char *virtual_machine,
					 bool quarantined, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
