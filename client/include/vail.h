/* SPDX-License-Identifier: MIT */
#ifndef VAIL_H
#define VAIL_H

/*
 * libvail is the client library of vaild(8), which lets host processes share GPU allocations with
 * virtual machines (VMs). A host process can do so once it is registered for the VM.
 *
 * Each typed function below calls one method of vaild and names it. io.vaild(7) describes the
 * methods, libvail(3) gives an overview and examples.
 *
 * Threads
 *   One thread at a time may use a handle (struct vail), or an open object (struct vail_object).
 *   Give each thread its own, or hold a lock from each call until its error details are read.
 *   Handles are independent, and the library has no other state but one pointer per thread.
 *
 *   While one thread is in a call or in a callback, other threads are refused, and the first one
 *   is not disturbed. Functions with a status return STATUS_INVALID_DEVICE_STATE, and
 *   vail_error_message() tells the refused thread why until its next call on the handle; the other
 *   error details are NULL then. vail_descriptor() and vail_take_descriptor() return -1 and
 *   vail_events() returns 0. The functions without a result, vail_close() included, do nothing.
 *   So end the calls of other threads before you close a handle, and join those threads.
 *
 *   A thread must not be cancelled inside the library, and a signal handler must not call it.
 *
 * Processes
 *   Registrations and graphics contexts belong to the calling process, not to the handle. They
 *   outlive vail_close() and execve(), and end when the process exits. After fork() the child may
 *   use its copy of a handle, which then makes its own connection, unless another thread of the
 *   parent was using the handle: then it stays in use in the child. Calls and watches that were
 *   pending belong to the parent. In the child they end with STATUS_CONNECTION_DISCONNECTED.
 *
 * Callbacks
 *   The library calls the functions that the caller passes to it (VailReply, VailWatch and so on)
 *   only from its own functions. On the handle that it is given, a callback may use vail_submit(),
 *   vail_watch(), vail_serve_displays(), vail_send_oneway(), vail_send_update(),
 *   vail_take_descriptor(), vail_object_close() and the getters, but no function that waits for a
 *   reply. It cannot close the handle. Other handles may be used without restriction. A callback
 *   must return: it must not throw a C++ exception or call longjmp(), because its handle would
 *   stay in use.
 *
 * Connections
 *   A handle connects when a call needs a connection. Once it has been connected, it survives
 *   restarts of vaild, and so does the state in vaild: registrations, contexts, objects and their
 *   holders, address spaces and handles. Calls made while vaild is away wait for it until their
 *   timeout. Watches resume, see vail_watch(). If the connection is lost while a call is pending,
 *   the library
 *
 *     - sends the call again if vaild cannot have received all of it;
 *     - sends the call again if its method may be executed twice. These are the methods that
 *       query, set, open or close something. The reply may then describe the second execution:
 *       ending something by its handle returns STATUS_INVALID_HANDLE, and
 *       vail_unregister_process() returns STATUS_NOT_FOUND, if the first execution succeeded;
 *     - ends every other call with STATUS_CONNECTION_DISCONNECTED, because it cannot know whether
 *       vaild executed it. These are the methods that create something (contexts, objects, vGPUs,
 *       adapters, GPU processes), reserve, map or free addresses, set page tables, or end
 *       something by a GUID or pid (vail_unregister_virtual_machine(),
 *       vail_revoke_registration()). Also included are methods that this library does not know,
 *       and vail_call_more() after its first reply.
 *
 *   A call is sent again at most five times.
 *
 * Errors
 *   Every function returns an NTSTATUS or is a getter that cannot fail. Results (ret_...) are set
 *   only if the function returns STATUS_SUCCESS. These are the general statuses. Every function may
 *   return
 *
 *     STATUS_INVALID_PARAMETER         a required argument is NULL, or text is not UTF-8 or JSON
 *     STATUS_NO_MEMORY                 this process or vaild is out of memory
 *
 *   and every function that calls a method of vaild may also return
 *
 *     STATUS_CONNECTION_REFUSED        vaild is not listening on the socket; nothing was done
 *     STATUS_CONNECTION_DISCONNECTED   vaild closed the connection before it replied; the method
 *                                      may have been executed
 *     STATUS_IO_TIMEOUT                vaild did not reply, or come back, in time; the method may
 *                                      have been executed
 *     STATUS_INVALID_NETWORK_RESPONSE  vaild's reply was invalid
 *     STATUS_ACCESS_DENIED             the process may not open the socket or call the method
 *     STATUS_QUOTA_EXCEEDED            a limit is reached, see vail_error_limit()
 *     STATUS_INSUFFICIENT_RESOURCES    vaild or this process is out of file descriptors or buffers
 *     STATUS_PROCESS_IS_TERMINATING    the calling process has exited, according to vaild
 *     STATUS_INVALID_DEVICE_STATE      another thread is using the handle, or the function waits
 *                                      for a reply but was called from a callback
 *     STATUS_NOT_SUPPORTED             this vaild lacks the method (Varlink's MethodNotFound,
 *                                      InterfaceNotFound or MethodNotImplemented), or cannot do it
 *
 *   In addition to these, each function below lists the statuses specific to it. Varlink's errors
 *   InvalidParameter and ExpectedMore become STATUS_INVALID_PARAMETER, and PermissionDenied
 *   becomes STATUS_ACCESS_DENIED. Other errors become the status that vaild sends with them, even
 *   one that vail-status.h does not define.
 *
 *   The library never raises SIGPIPE and never returns because of EINTR. All its file descriptors
 *   are close-on-exec.
 *
 * Structs
 *   Structs that may grow begin with their size, so that later versions can add members. A struct
 *   that the caller fills is initialized with its VAIL_..._INIT macro. In a struct that the
 *   library fills, size is the number of bytes filled: a member of a later version is set if size
 *   extends beyond it. NULL and 0 mean that a value is absent, unless stated otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vail-status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VAIL_PUBLIC __attribute__((visibility("default")))

/*
 * Size of a handle as text (of a context, GPU process, adapter, vGPU or object): 32 hex digits and
 * a NUL.
 */
#define VAIL_HANDLE_SIZE 33

/* Timeout for waiting without a limit. */
#define VAIL_TIMEOUT_NONE (-1)

/* Timeout of a new handle, in milliseconds. */
#define VAIL_TIMEOUT_DEFAULT 30000

struct vail;

/* ---- Handles ---- */

/**
 * vail_new() - Creates a handle
 * @path: vaild's socket; copied. NULL for the environment variable VAILD_SOCKET, which set-uid
 *   programs ignore, or else /run/vaild/vaild.sock.
 * @ret_vail: the handle. The caller frees it with vail_close().
 *
 * Connects only when the first call is made.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER or STATUS_NO_MEMORY.
 *
 * Source: libvail(3), Handles.
 */
VAIL_PUBLIC NTSTATUS vail_new(const char *path, struct vail **ret_vail);

/**
 * vail_open() - Creates a handle like vail_new(), and connects it
 * @path: see vail_new().
 * @ret_vail: the connected handle. The caller frees it with vail_close().
 *
 * Reports at once if vaild cannot be reached. There is no handle then, and vail_error_message(NULL)
 * says why.
 *
 * Return: the statuses of vail_new(), STATUS_CONNECTION_REFUSED, STATUS_ACCESS_DENIED (the mode of
 * the socket or of its directory), STATUS_INSUFFICIENT_RESOURCES (this process is at its limit of
 * file descriptors), or STATUS_IO_TIMEOUT (vaild did not accept the connection within
 * VAIL_TIMEOUT_DEFAULT).
 *
 * Source: libvail(3), Handles.
 */
VAIL_PUBLIC NTSTATUS vail_open(const char *path, struct vail **ret_vail);

/**
 * vail_close() - Closes the connection and frees the handle
 * @vail: the handle, which is freed; may be NULL.
 *
 * Pending calls and watches end with STATUS_CONNECTION_DISCONNECTED. Registrations and contexts
 * remain. Does nothing from a callback of the handle, and while another thread uses it.
 *
 * Source: libvail(3), Handles.
 */
VAIL_PUBLIC void vail_close(struct vail *vail);

/**
 * vail_set_timeout() - Sets how long a blocking call waits for each reply, for vaild to accept the
 *   connection, or for vaild to come back
 * @vail: the handle.
 * @milliseconds: 0 or more. Any negative number means VAIL_TIMEOUT_NONE.
 *
 * A call that times out closes the connection, which ends all pending calls.
 *
 * Source: libvail(3), Restarts.
 */
VAIL_PUBLIC void vail_set_timeout(struct vail *vail, int milliseconds);

/**
 * typedef VailWaiting - Reports that a blocking call waits
 * @vail: the handle of the call.
 * @what: a sentence without a full stop about what the call waits for; valid during the callback.
 * @context: as given to vail_set_waiting().
 *
 * Must not call a function of the handle that waits for a reply, and must not close the handle.
 *
 * Source: libvail(3), Restarts.
 */
typedef void (*VailWaiting)(struct vail *vail, const char *what, void *context);

/**
 * vail_set_waiting() - Sets a callback for blocking calls that take long, so that a program can
 *   tell its user
 * @vail: the handle.
 * @milliseconds: 0 or more.
 * @waiting: NULL for none.
 * @context: passed to waiting.
 *
 * The callback runs once a call has waited for this long for vaild to accept the connection, to
 * send a reply, or to come back, and again when that for which the call waits has changed.
 *
 * Source: libvail(3), Restarts.
 */
VAIL_PUBLIC void vail_set_waiting(struct vail *vail, int milliseconds, VailWaiting waiting,
				  void *context);

/**
 * vail_set_resume() - Sets whether the handle survives restarts of vaild
 * @vail: the handle.
 * @resumes: If false, calls and watches end with their connection, and calls made while vaild is
 *   away return STATUS_CONNECTION_REFUSED at once. Programs need this if they must not block, or
 *   recover from a restart themselves.
 *
 * A new handle does, see Connections above. Call this before the first call: when the connection is
 * lost, the setting also applies to calls that are already pending.
 *
 * Source: libvail(3), Restarts.
 */
VAIL_PUBLIC void vail_set_resume(struct vail *vail, bool resumes);

/**
 * vail_path() - Returns the path of the handle's socket
 * @vail: the handle.
 *
 * Return: the path, which the handle owns; NULL if vail is NULL.
 *
 * Source: libvail(3), Handles.
 */
VAIL_PUBLIC const char *vail_path(const struct vail *vail);

/* ---- Error details ---- */

/*
 * These functions describe the last failure on the handle. Inside a VailReply they describe the
 * reply that it was called with. The handle owns the strings, which are valid until its next call.
 */

/**
 * vail_error_message() - Returns a sentence for people that says what to do
 * @vail: the handle. NULL for the last vail_open() or D3DKMTRegisterVailProcess() of the calling
 *   thread, which leave no handle behind when they fail.
 *
 * Return: a sentence, which the handle owns, or the library until the next of these two calls of
 * the thread; "" if the last call succeeded.
 *
 * Source: libvail(3), RETURN VALUES.
 */
VAIL_PUBLIC const char *vail_error_message(const struct vail *vail);

/**
 * vail_error_parameter() - Returns the path of the invalid parameter
 * @vail: the handle.
 *
 * Return: the path of the invalid parameter, like "displayClients[0].user"; NULL if none.
 *
 * Source: libvail(3), RETURN VALUES.
 */
VAIL_PUBLIC const char *vail_error_parameter(const struct vail *vail);

/**
 * vail_error_name() - Returns the Varlink name of the error
 * @vail: the handle.
 *
 * Return: the Varlink name of the error, like "io.vaild.NotFound"; NULL if vaild sent none.
 *
 * Source: libvail(3), RETURN VALUES.
 */
VAIL_PUBLIC const char *vail_error_name(const struct vail *vail);

/**
 * vail_error_limit() - Returns the name of the limit behind STATUS_QUOTA_EXCEEDED
 * @vail: the handle.
 * @ret_maximum: the value of the limit; may be NULL.
 * @ret_used: how much of it the caller uses; may be NULL.
 *
 * Return: the name of the limit behind STATUS_QUOTA_EXCEEDED; NULL, with no results set, if vaild
 * named no limit. vaild.json(5) describes the limits.
 *
 * Source: libvail(3), RETURN VALUES.
 */
VAIL_PUBLIC const char *vail_error_limit(const struct vail *vail, uint64_t *ret_maximum,
					 uint64_t *ret_used);

/**
 * vail_status_name() - Returns the name of a status
 * @status: any status.
 *
 * Return: the name of a status, like "STATUS_ACCESS_DENIED"; NULL if vail-status.h does not define
 * it. The string is static.
 *
 * Source: libvail(3), RETURN VALUES.
 */
VAIL_PUBLIC const char *vail_status_name(NTSTATUS status);

/* ---- Calling any method ---- */

/**
 * vail_call() - Calls a method and waits for its reply
 * @vail: the handle.
 * @method: its full name, like "io.vaild.ListRegistrations".
 * @parameters: a JSON object; NULL for none.
 * @ret_parameters: the reply's parameters, a JSON object on one line. The caller frees it. May be
 *   NULL.
 *
 * Return: the status of the reply, or a general status.
 *
 * Source: libvail(3), Event loops.
 */
VAIL_PUBLIC NTSTATUS vail_call(struct vail *vail, const char *method, const char *parameters,
			       char **ret_parameters);

/**
 * vail_call_with_descriptors() - Calls a method like vail_call(), and sends file descriptors with
 *   the request
 * @vail: the handle.
 * @method: its full name, see vail_call().
 * @parameters: a JSON object, see vail_call(); NULL for none.
 * @descriptors: up to 253, which remain the caller's; NULL for none.
 * @descriptor_count: their number; 0 for none.
 * @ret_parameters: see vail_call().
 *
 * The parameters refer to them by their index. Descriptors in the reply are taken with
 * vail_take_descriptor().
 *
 * Return: the statuses of vail_call(), STATUS_INVALID_PARAMETER also if a descriptor is not open,
 * and STATUS_INSUFFICIENT_RESOURCES also if this process has no room for copies of them.
 *
 * Source: libvail(3), File descriptors.
 */
VAIL_PUBLIC NTSTATUS vail_call_with_descriptors(struct vail *vail, const char *method,
						const char *parameters, const int *descriptors,
						size_t descriptor_count, char **ret_parameters);

/**
 * vail_take_descriptor() - Takes a file descriptor that arrived with a reply
 * @vail: the handle.
 * @index: in the reply, from 0.
 *
 * Inside a VailReply this is the reply that it was called with. Otherwise it is the reply of the
 * last blocking call, until the next call on the handle. The library closes descriptors that are
 * not taken.
 *
 * Return: the descriptor, which the caller then owns; -1 if the reply has none with this index or
 * it was taken before.
 *
 * Source: libvail(3), File descriptors.
 */
VAIL_PUBLIC int vail_take_descriptor(struct vail *vail, size_t index);

/**
 * typedef VailReply - Receives each reply of a call
 * @vail: the handle of the call.
 * @status: of this reply. vail_error_...() give details.
 * @parameters: of the reply or error, as JSON. NULL if the connection was lost. Valid until the
 *   function returns.
 * @continues: whether more replies follow.
 * @context: as given with the call.
 *
 * The last call of the function has continues false.
 *
 * Return: whether to continue. Returning false while continues is true ends the call and closes the
 * connection, because Varlink has no other way to stop a stream. This ends all later calls with
 * STATUS_CONNECTION_DISCONNECTED. The result does not matter if continues is false.
 *
 * Source: libvail(3), Event loops.
 */
typedef bool (*VailReply)(struct vail *vail, NTSTATUS status, const char *parameters,
			  bool continues, void *context);

/**
 * vail_call_more() - Calls a method that streams ("more": true) and waits for its last reply
 * @vail: the handle.
 * @method: see vail_call().
 * @parameters: see vail_call().
 * @reply: receives each reply.
 * @context: passed to reply.
 *
 * The timeout applies to each reply.
 *
 * Return: the status of the last reply, STATUS_SUCCESS if reply returned false, or a general
 * status.
 *
 * Source: libvail(3), Event loops.
 */
VAIL_PUBLIC NTSTATUS vail_call_more(struct vail *vail, const char *method, const char *parameters,
				    VailReply reply, void *context);

/* ---- Event loops ---- */

/**
 * vail_submit() - Submits a call without waiting for its replies
 * @vail: the handle.
 * @method: see vail_call().
 * @parameters: see vail_call().
 * @more: whether the method streams, see vail_call_more().
 * @reply: receives the replies.
 * @context: passed to reply.
 *
 * vail_process(), or any blocking call on the same handle, passes them to reply. Replies arrive in
 * the order of the calls. The function blocks only to connect, and only if vaild's listen queue is
 * full. While a vaild that was reached before is away, the call waits for it without a timeout.
 *
 * Return: STATUS_SUCCESS if the call is pending. Otherwise reply is never called, and the function
 * returns STATUS_INSUFFICIENT_RESOURCES (more than 64 MiB of calls are pending) or a general
 * status.
 *
 * Source: libvail(3), Event loops.
 */
VAIL_PUBLIC NTSTATUS vail_submit(struct vail *vail, const char *method, const char *parameters,
				 bool more, VailReply reply, void *context);

/**
 * vail_submit_with_descriptors() - Submits a call with file descriptors, see
 *   vail_call_with_descriptors()
 * @vail: the handle.
 * @method: see vail_call().
 * @parameters: a JSON object, see vail_call(); NULL for none.
 * @descriptors: up to 253, which remain the caller's; NULL for none.
 * @descriptor_count: their number; 0 for none.
 * @more: whether the method streams, see vail_call_more().
 * @reply: receives the replies.
 * @context: passed to the callback.
 *
 * The library sends copies, so the caller may close its descriptors at once.
 *
 * vaild accepts no descriptors on a connection before it has accepted the connection itself. Wait
 * for the reply to another call first; the blocking functions do this themselves. For the same
 * reason such a call is not sent again on another connection. STATUS_CONNECTION_REFUSED, returned
 * or passed to reply, means that it was not sent.
 *
 * Return: the statuses of vail_submit() and of vail_call_with_descriptors().
 *
 * Source: libvail(3), File descriptors.
 */
VAIL_PUBLIC NTSTATUS vail_submit_with_descriptors(struct vail *vail, const char *method,
						  const char *parameters, const int *descriptors,
						  size_t descriptor_count, bool more,
						  VailReply reply, void *context);

/**
 * vail_send_oneway() - Sends a call that gets no reply ("oneway")
 * @vail: the handle.
 * @method: see vail_call().
 * @parameters: see vail_call().
 *
 * May be called from a callback. The caller cannot know whether it succeeded. It is lost if vaild
 * stops before reading it.
 *
 * Return: STATUS_SUCCESS if the call is being sent. Otherwise it was not sent, and the function
 * returns STATUS_INSUFFICIENT_RESOURCES (vaild does not read, and more than 256 KiB are unsent) or
 * a general status.
 *
 * Source: libvail(3), Event loops.
 */
VAIL_PUBLIC NTSTATUS vail_send_oneway(struct vail *vail, const char *method,
				      const char *parameters);

/**
 * vail_process() - Sends and receives as much as possible without blocking, and calls the callbacks
 *   that are due
 * @vail: the handle.
 *
 * An event loop calls this when vail_descriptor() is ready for vail_events().
 *
 * Return: STATUS_SUCCESS, also if there was nothing to do; STATUS_INVALID_DEVICE_STATE from a
 * callback, or while another thread uses the handle. Any other status is the reason why the
 * connection was lost and all pending calls have ended, usually STATUS_CONNECTION_DISCONNECTED or
 * STATUS_INVALID_NETWORK_RESPONSE.
 *
 * Source: libvail(3), Event loops.
 */
VAIL_PUBLIC NTSTATUS vail_process(struct vail *vail);

/**
 * vail_descriptor() - Returns the file descriptor to poll
 * @vail: the handle.
 *
 * Return: the file descriptor to poll; -1 if the handle is not connected and no call is pending.
 * The handle owns it. It changes when the handle reconnects or waits for vaild, so get it again
 * before each poll().
 *
 * Source: libvail(3), Event loops.
 */
VAIL_PUBLIC int vail_descriptor(const struct vail *vail);

/**
 * vail_events() - Returns the events to poll for
 * @vail: the handle.
 *
 * Get them again before each poll().
 *
 * Return: POLLIN, and POLLOUT while output is unsent; 0 if the handle has no descriptor.
 *
 * Source: libvail(3), Event loops.
 */
VAIL_PUBLIC short vail_events(const struct vail *vail);

/* ---- Watching ---- */

/* The kind of an event. vail_event_name() returns vaild's name for it, see Watch in io.vaild(7). */
typedef enum VailEventKind {
	VAIL_EVENT_UNKNOWN, /* this library does not know the kind, see VailEvent.json */
	VAIL_EVENT_CURRENT, /* all that exists was reported; changes follow */
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
	VAIL_EVENT_PAGE_TABLE_RESIDENT, /* for the driver: set your entries of this table again */
	VAIL_EVENT_SHARED,
	VAIL_EVENT_UPDATED,  /* the contents of an object have changed: read it again */
	VAIL_EVENT_UNSHARED, /* the object can no longer be opened: close it */
	VAIL_EVENT_OPENED,
	VAIL_EVENT_RELEASED,

	/*
	 * Events made by the library. INTERRUPTED: the connection to vaild is lost, and the watch
	 * waits for vaild; status and reason describe the loss. RESUMED: vaild is back, and the
	 * entities that began or ended in between have been reported. Other changes were missed:
	 * read again what they concern, see vail_watch().
	 */
	VAIL_EVENT_INTERRUPTED,
	VAIL_EVENT_RESUMED,

	VAIL_EVENT_DISPLAY_OPENED, /* a display channel */
	VAIL_EVENT_DISPLAY_CLOSED
} VailEventKind;

/* Defined below, with the functions for shared objects. */
struct VailSharedObject;
struct VailRectangle;
struct VailDisplay;

/* An event. The library owns the strings, which are valid until the callback returns. */
typedef struct VailEvent {
	size_t size; /* bytes filled by the library */
	VailEventKind kind;
	const char *virtual_machine; /* GUID */
	const char *virtual_gpu;     /* handle */
	const char *adapter;         /* handle */

	/* The registration of REGISTERED and UNREGISTERED. */
	pid_t pid; /* as getpid() there; 0 if it is not visible here, or without a registration */
	uid_t uid;
	const char *graphics_context; /* "vaild", "drm", "nvidia", "kfd" or "dxg" */
	double since; /* of the registration, or of an added VM; seconds on CLOCK_BOOTTIME */

	/*
	 * Why an entity ended: with UNREGISTERED, ..._REMOVED, UNSHARED, RELEASED and
	 * DISPLAY_CLOSED. The reason of QUARANTINED is the operator's.
	 */
	NTSTATUS status; /* STATUS_SUCCESS if the owner requested it, or if there is no status */
	const char *reason;

	const char *json; /* the complete event as vaild sends it */

	const char *process;      /* handle of a GPU process */
	uint64_t virtual_address; /* first address that the page table covers, in bytes */

	/* The object of SHARED, UPDATED, UNSHARED, OPENED and RELEASED. */
	const struct VailSharedObject *shared_object;

	/* The process of OPENED and RELEASED. */
	pid_t holder_pid; /* as pid */
	uid_t holder_uid;

	/* The changed areas of UPDATED; a count of 0 means the whole object. */
	const struct VailRectangle *damage;
	size_t damage_count;

	/*
	 * The members of the VM that are different after VIRTUAL_MACHINE_CHANGED, by their names in
	 * the interface io.vaild.Machine: "name", "displayClients", "agent" and others. With
	 * "displayServerPid", an agent has begun or ceased to serve the displays of the VM. A count
	 * of 0 means that vaild does not say.
	 */
	const char *const *changed;
	size_t changed_count;

	/* The channel of DISPLAY_OPENED and DISPLAY_CLOSED. */
	const struct VailDisplay *display;
} VailEvent;

/**
 * vail_event_name() - Returns vaild's name of a kind
 * @kind: the kind.
 *
 * Return: vaild's name of a kind, like "registered" for VAIL_EVENT_REGISTERED; NULL if the kind is
 * unknown. The string is static.
 *
 * Source: libvail(3), Watching.
 */
VAIL_PUBLIC const char *vail_event_name(VailEventKind kind);

/**
 * typedef VailWatch - Receives each event of a watch
 * @vail: the handle of the watch.
 * @status: STATUS_SUCCESS with an event. Otherwise event is NULL, and status is the reason why the
 *   watch has ended.
 * @event: what has happened; valid until the function returns. NULL if the watch has ended.
 * @continues: whether more events follow. false with an event if the event ended the caller's last
 *   right to watch.
 * @context: as given to vail_watch().
 *
 * The last call of the function has continues false, unless an earlier one has returned false.
 *
 * Return: whether to continue. Returning false while continues is true closes the connection, as
 * with VailReply.
 *
 * Source: libvail(3), Watching.
 */
typedef bool (*VailWatch)(struct vail *vail, NTSTATUS status, const VailEvent *event,
			  bool continues, void *context);

/**
 * vail_watch() - Starts a watch
 * @vail: the handle.
 * @virtual_machine: GUID of a VM, which its registered processes, its VMM, its agent, operators and
 *   observers may watch. NULL for all that the caller may watch.
 * @watch: receives the events.
 * @context: passed to watch.
 *
 * Reports one event for each entity that exists, then VAIL_EVENT_CURRENT, then each change once and
 * in order. vail_process() passes the events to watch.
 *
 * Calls made on the same handle afterwards wait until the watch ends, so give a watch its own
 * handle. vaild closes the connection of a client that leaves a MiB of events unread.
 *
 * A watch survives restarts of vaild, unless vail_set_resume() says otherwise, and for this purpose
 * remembers what it has reported. It reports VAIL_EVENT_INTERRUPTED when the connection is lost.
 * When vaild is back, it reports the entities that have ended, the latest first, then those that
 * have begun, and then VAIL_EVENT_RESUMED. Events about ended entities have STATUS_SUCCESS and a
 * reason that says that the connection was lost. Entities that still exist are not reported again.
 * The watch cannot know what else has changed: the contents of objects, the settings of VMs, page
 * tables, and the holders of unshared objects. If the VM has ended or the caller may no longer
 * watch it, the watch ends with STATUS_NOT_FOUND or STATUS_ACCESS_DENIED.
 *
 * Return: the statuses of vail_submit(). Statuses of vaild are passed to watch:
 * STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND (no such VM), STATUS_ACCESS_DENIED,
 * STATUS_QUOTA_EXCEEDED.
 *
 * Source: io.vaild(7), method io.vaild.Watch.
 */
VAIL_PUBLIC NTSTATUS vail_watch(struct vail *vail, const char *virtual_machine, VailWatch watch,
				void *context);

/* ---- Registering host processes ---- */

/*
 * In the following, virtual_machine is a VM's GUID as text: 8-4-4-4-12 hex digits in either case,
 * with or without braces. STATUS_INVALID_PARAMETER includes a malformed GUID, and STATUS_NOT_FOUND
 * means that no running VM has this GUID.
 */

/**
 * vail_register_process() - Registers the calling process for the VM
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 *
 * The process must have the privileges of the VM's display client, and a graphics context.
 * Registering again succeeds and changes nothing.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_ACCESS_DENIED (the
 * process has other privileges, or the VM is in quarantine), STATUS_GRAPHICS_VAIL_STATE_CHANGED
 * (the VM has no vGPU), STATUS_INVALID_DISPOSITION (the process has no graphics context, see
 * vail_create_context()), or STATUS_QUOTA_EXCEEDED; or a general status.
 *
 * Source: Microsoft's page D3DKMTRegisterVailProcess; io.vaild(7), method
 * io.vaild.RegisterVailProcess.
 */
VAIL_PUBLIC NTSTATUS vail_register_process(struct vail *vail, const char *virtual_machine);

/**
 * vail_unregister_process() - Ends the calling process's registration
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, or STATUS_NOT_FOUND (also if the process is not
 * registered); or a general status.
 *
 * Source: io.vaild(7), method io.vaild.UnregisterVailProcess.
 */
VAIL_PUBLIC NTSTATUS vail_unregister_process(struct vail *vail, const char *virtual_machine);

/**
 * vail_revoke_registration() - Ends another process's registration
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 * @pid: in the calling process's pid namespace.
 *
 * Allowed for operators and for the user who registered the VM.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND (also if the process is not
 * registered), or STATUS_ACCESS_DENIED; or a general status.
 *
 * Source: io.vaild(7), method io.vaild.RevokeRegistration.
 */
VAIL_PUBLIC NTSTATUS vail_revoke_registration(struct vail *vail, const char *virtual_machine,
					      pid_t pid);

/* ---- Graphics contexts ---- */

/**
 * vail_create_context() - Creates a graphics context for the calling process
 * @vail: the handle.
 * @adapter: a handle from io.vaild.Gpu.ListAdapters; NULL for the software adapter.
 * @ret_context: handle of the context.
 * @ret_process: handle of the GPU process; may be NULL.
 *
 * On the software adapter this also creates the process's GPU process if necessary. On another
 * adapter its driver must have created and completed the GPU process. Context and GPU process end
 * when the calling process exits.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such adapter), STATUS_NOT_SUPPORTED (the driver
 * has created no GPU process for this process), STATUS_INVALID_DEVICE_STATE (the driver has not
 * completed it), or STATUS_QUOTA_EXCEEDED; or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.CreateContext.
 */
VAIL_PUBLIC NTSTATUS vail_create_context(struct vail *vail, const char *adapter,
					 char ret_context[VAIL_HANDLE_SIZE],
					 char ret_process[VAIL_HANDLE_SIZE]);

/**
 * vail_destroy_context() - Destroys a context of the calling process
 * @vail: the handle.
 * @context: its handle, from vail_create_context().
 *
 * Registrations remain.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, or STATUS_ACCESS_DENIED (the context belongs to
 * another process); or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.DestroyContext.
 */
VAIL_PUBLIC NTSTATUS vail_destroy_context(struct vail *vail, const char *context);

/* ---- Sharing objects ---- */

/*
 * A VM's VMM or its agent shares objects with the host processes that are registered for the VM.
 * An object is a resource (1 to 4 planes of dma-bufs or memfds), a fence (a sync_file), or both.
 * Access cannot be revoked: a holder keeps the memory until it closes the object or exits.
 *
 * Sharer and holders need not trust each other. No sharer can make the reading functions below
 * fault or wait without a limit.
 */

/* Makes a format code of drm_fourcc.h, like VAIL_FORMAT('X', 'R', '2', '4'). */
#define VAIL_FORMAT(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/*
 * The access that holders have to an object. The kernel enforces VAIL_ACCESS_READ only for memfds,
 * see VailObjectInfo.access_enforced.
 */
typedef enum VailAccess { VAIL_ACCESS_READ, VAIL_ACCESS_READ_WRITE } VailAccess;

/*
 * Which row of the picture comes first in memory. Readers must turn a picture whose first row is
 * the bottom one upside down. The functions below that read images do that themselves.
 */
typedef enum VailFirstRow { VAIL_FIRST_ROW_TOP, VAIL_FIRST_ROW_BOTTOM } VailFirstRow;

/* The maximum number of planes of a resource. */
#define VAIL_PLANE_MAX 4

/* A plane of a resource. Several planes may be parts of the same memory. */
typedef struct VailPlane {
	int descriptor;  /* a dma-buf or memfd, which remains the caller's */
	uint64_t offset; /* of the first row in memory, in bytes */
	uint64_t stride; /* from one row to the next, in bytes */
} VailPlane;

/*
 * An object to share: a resource if it has planes, a fence if it has one. Initialize with
 * VAIL_OBJECT_INIT.
 */
typedef struct VailObject {
	size_t size; /* set by VAIL_OBJECT_INIT */
	VailAccess access;
	const char *name; /* for people */

	/* The resource. */
	uint32_t width;  /* in pixels */
	uint32_t height; /* in pixels */
	uint32_t format; /* made with VAIL_FORMAT() */
	uint64_t modifier;
	VailPlane planes[VAIL_PLANE_MAX];
	size_t plane_count;

	int fence;    /* a sync_file, which remains the caller's; -1 for none */
	int reserved; /* 0 */

	VailFirstRow first_row; /* of a resource */
} VailObject;

#define VAIL_OBJECT_INIT                                                                      \
	{                                                                                     \
		sizeof(VailObject), VAIL_ACCESS_READ, NULL, 0, 0, 0, 0,                       \
			{ { -1, 0, 0 }, { -1, 0, 0 }, { -1, 0, 0 }, { -1, 0, 0 } }, 0, -1, 0, \
			VAIL_FIRST_ROW_TOP                                                    \
	}

/*
 * An area of a picture, in pixels. The origin is the top left corner of the picture, whatever row
 * comes first in memory.
 */
typedef struct VailRectangle {
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
} VailRectangle;

/**
 * vail_share_object() - Shares an object with the processes registered for the VM
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 * @object: what to share, with its descriptors; borrowed during the call.
 * @ret_handle: handle of the object.
 *
 * Allowed for the VM's VMM and its agent. The object ends when the process that shared it exits.
 *
 * The function first seals each memfd that can be sealed, so that holders can rely on it. The size
 * can no longer change, and with VAIL_ACCESS_READ the memory can be written only through mappings
 * that exist now. Seals are permanent, even if sharing fails. vail_memory_new() creates memory that
 * is already mapped.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_ACCESS_DENIED (the
 * process is neither VMM nor agent, or the VM is in quarantine), STATUS_OBJECT_TYPE_MISMATCH (a
 * descriptor is of a kind that cannot be shared), STATUS_GRAPHICS_VAIL_STATE_CHANGED (the VM has no
 * vGPU), STATUS_QUOTA_EXCEEDED, or STATUS_INSUFFICIENT_RESOURCES; or a general status.
 *
 * Source: io.vaild(7), method io.vaild.ShareObjectWithHost.
 */
VAIL_PUBLIC NTSTATUS vail_share_object(struct vail *vail, const char *virtual_machine,
				       const VailObject *object, char ret_handle[VAIL_HANDLE_SIZE]);

/**
 * vail_update_object() - Notifies watchers, except those of this process, that the object's
 *   contents have changed
 * @vail: the handle.
 * @handle: from vail_share_object().
 * @damage: the changed areas, at most 64. NULL for the whole object.
 * @count: number of areas; 0 for the whole object.
 *
 * Allowed for the sharer.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such object, or it is unshared),
 * STATUS_INVALID_PARAMETER (too many areas, or one is outside the resource), or
 * STATUS_ACCESS_DENIED (another process shares the object); or a general status.
 *
 * Source: io.vaild(7), method io.vaild.UpdateObject.
 */
VAIL_PUBLIC NTSTATUS vail_update_object(struct vail *vail, const char *handle,
					const VailRectangle *damage, size_t count);

/**
 * vail_send_update() - Sends the notification of vail_update_object() without waiting for a reply
 * @vail: the handle.
 * @handle: see vail_update_object().
 * @damage: see vail_update_object().
 * @count: see vail_update_object().
 *
 * Use it for each frame. May be called from a callback.
 *
 * Return: the statuses of vail_send_oneway(). After STATUS_INSUFFICIENT_RESOURCES, include the
 * areas in the next update.
 *
 * Source: libvail(3), Sharing objects.
 */
VAIL_PUBLIC NTSTATUS vail_send_update(struct vail *vail, const char *handle,
				      const VailRectangle *damage, size_t count);

/**
 * vail_unshare_object() - Ends the sharing: the object can no longer be opened, and its holders are
 *   notified
 * @vail: the handle.
 * @handle: of the object, from vail_share_object(), vail_list_objects() or an event.
 * @ret_holders: number of processes that still hold the object; may be NULL.
 *
 * Allowed for the sharer and for operators.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, or STATUS_ACCESS_DENIED; or a general status.
 *
 * Source: io.vaild(7), method io.vaild.UnshareObject.
 */
VAIL_PUBLIC NTSTATUS vail_unshare_object(struct vail *vail, const char *handle,
					 uint64_t *ret_holders);

/* Memory to share: a memfd that can be sealed, mapped into the process that created it. */
struct vail_memory;

/**
 * vail_memory_new() - Creates memory filled with zeroes
 * @size: in bytes; not 0.
 * @name: for people, shown in /proc; at most 249 bytes. NULL for a default.
 * @ret_memory: the memory. The caller frees it with vail_memory_free().
 *
 * Its size is fixed.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES
 * (out of file descriptors), or STATUS_NOT_SUPPORTED (the kernel has no memfds).
 *
 * Source: libvail(3), Sharing objects.
 */
VAIL_PUBLIC NTSTATUS vail_memory_new(size_t size, const char *name,
				     struct vail_memory **ret_memory);

/**
 * vail_memory_free() - Unmaps and closes the memory
 * @memory: the memory, which is freed; may be NULL.
 *
 * Objects that were shared from it remain shared.
 *
 * Source: libvail(3), Sharing objects.
 */
VAIL_PUBLIC void vail_memory_free(struct vail_memory *memory);

/**
 * vail_memory_data() - Returns the address of the mapping
 * @memory: the memory.
 *
 * Return: the address, which the memory owns; NULL if memory is NULL. The process can read and
 * write there, even after sharing the memory.
 *
 * Source: libvail(3), Sharing objects.
 */
VAIL_PUBLIC void *vail_memory_data(const struct vail_memory *memory);

/**
 * vail_memory_size() - Returns the size in bytes
 * @memory: the memory.
 *
 * Return: the size; 0 if memory is NULL.
 *
 * Source: libvail(3), Sharing objects.
 */
VAIL_PUBLIC size_t vail_memory_size(const struct vail_memory *memory);

/**
 * vail_memory_descriptor() - Returns the memfd
 * @memory: the memory.
 *
 * Return: the memfd, for VailPlane.descriptor; -1 if memory is NULL. The memory owns it.
 *
 * Source: libvail(3), Sharing objects.
 */
VAIL_PUBLIC int vail_memory_descriptor(const struct vail_memory *memory);

/* The type of an object. */
typedef enum VailObjectType {
	VAIL_OBJECT_UNKNOWN, /* this library does not know the type */
	VAIL_OBJECT_RESOURCE,
	VAIL_OBJECT_FENCE,
	VAIL_OBJECT_RESOURCE_WITH_FENCE
} VailObjectType;

/* The kind of a resource's memory, according to the kernel. */
typedef enum VailMemoryKind {
	VAIL_MEMORY_UNKNOWN, /* this library does not know the kind */
	VAIL_MEMORY_NONE,    /* the object is a fence */
	VAIL_MEMORY_DMABUF,
	VAIL_MEMORY_MEMFD
} VailMemoryKind;

/* The description of a shared object. */
typedef struct VailObjectInfo {
	size_t size; /* bytes filled by the library */
	VailObjectType type;
	VailAccess access;
	const char *name;
	uint32_t width;  /* in pixels */
	uint32_t height; /* in pixels */
	uint32_t format; /* see VAIL_FORMAT() */
	uint64_t modifier;
	VailPlane planes[VAIL_PLANE_MAX]; /* their descriptors are -1 */
	size_t plane_count;
	VailMemoryKind memory;
	uint64_t size_in_bytes; /* of the memory, when vaild last looked */
	bool size_sealed;       /* the size cannot change */
	bool access_enforced;   /* the kernel prevents writes by holders; else they are trusted */
	VailFirstRow first_row;
} VailObjectInfo;

/* A process that has an object open. */
typedef struct VailHolder {
	pid_t pid; /* in the calling process's pid namespace; 0 if it is not visible there */
	uid_t uid;
	double since; /* seconds on CLOCK_BOOTTIME */
} VailHolder;

/* A shared object in a list or event. Strings and arrays are valid until the callback returns. */
typedef struct VailSharedObject {
	size_t size; /* bytes filled by the library */
	const char *handle;
	const char *virtual_machine; /* GUID */
	const VailObjectInfo *object;
	pid_t shared_by_pid; /* as VailHolder.pid */
	double since;        /* seconds on CLOCK_BOOTTIME */
	const VailHolder *holders;
	size_t holder_count;
	double last_update; /* as since; 0 without an update since vaild has started */
} VailSharedObject;

/**
 * typedef VailObjectTaker - Receives each object of a list
 * @vail: the handle of the list.
 * @object: one object; valid until the function returns.
 * @context: as given to vail_list_objects().
 *
 * Return: whether to continue, see VailRangeTaker.
 *
 * Source: libvail(3), Sharing objects.
 */
typedef bool (*VailObjectTaker)(struct vail *vail, const VailSharedObject *object, void *context);

/**
 * vail_list_objects() - Lists the objects that the caller shares or may open
 * @vail: the handle.
 * @virtual_machine: GUID of the VM whose objects to list; NULL for all VMs.
 * @take: receives each object.
 * @context: passed to take.
 *
 * Operators and observers see all.
 *
 * Return: STATUS_SUCCESS, also if take returned false; STATUS_NOT_FOUND; or a general status. If it
 * fails, some objects may already have been reported.
 *
 * Source: io.vaild(7), method io.vaild.ListSharedObjects.
 */
VAIL_PUBLIC NTSTATUS vail_list_objects(struct vail *vail, const char *virtual_machine,
				       VailObjectTaker take, void *context);

/* ---- Opening objects ---- */

/*
 * An object that this process has open. One thread at a time may use it. It depends on no handle:
 * it survives vail_close() and the loss of the connection. The functions below describe their
 * failures in vail_object_error_message(). The holder is the process, so a child after fork() may
 * read its copy, but vaild does not count it as a holder.
 */
struct vail_object;

/**
 * vail_open_object() - Opens an object and makes the calling process one of its holders
 * @vail: the handle.
 * @handle: of the object, from vail_list_objects(), an event or the sharer.
 * @ret_object: the open object. The caller closes it with vail_object_close().
 *
 * Allowed for processes that are registered for the VM and have a display client's privileges at
 * the moment. Opening an object twice counts once: the first vail_object_close() ends it in vaild.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such object, or it is unshared),
 * STATUS_ACCESS_DENIED (the process is not registered for the VM, or no longer has a display
 * client's privileges), STATUS_OBJECT_TYPE_MISMATCH (the sharer has changed its memory so that it
 * can no longer be opened), STATUS_QUOTA_EXCEEDED, or STATUS_INSUFFICIENT_RESOURCES; or a general
 * status.
 *
 * Source: io.vaild(7), method io.vaild.OpenSharedObject.
 */
VAIL_PUBLIC NTSTATUS vail_open_object(struct vail *vail, const char *handle,
				      struct vail_object **ret_object);

/**
 * vail_object_close() - Closes and frees the object, and notifies vaild that this process no longer
 *   holds it
 * @vail: any handle of this process. NULL to skip the notification: vaild then regards the process
 *   as a holder until it opens and closes the object again, or exits. In a callback of this handle,
 *   the notification is sent without waiting for the reply.
 * @object: may be NULL.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE (the process was not a holder),
 * STATUS_INVALID_DEVICE_STATE (another thread is using the handle or the object), or a general
 * status. The object is closed and freed with every status but STATUS_INVALID_DEVICE_STATE, with
 * which it stays open.
 *
 * Source: io.vaild(7), method io.vaild.CloseSharedObject.
 */
VAIL_PUBLIC NTSTATUS vail_object_close(struct vail *vail, struct vail_object *object);

/**
 * vail_object_error_message() - Returns a sentence about the last failure with this object
 * @object: the open object.
 *
 * Return: a sentence about the last failure with this object; "" if the last call succeeded. The
 * object owns it.
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC const char *vail_object_error_message(const struct vail_object *object);

/**
 * vail_object_handle() - Returns the handle of the object in vaild
 * @object: the open object.
 *
 * Return: the handle, which the object owns; NULL if object is NULL.
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC const char *vail_object_handle(const struct vail_object *object);

/**
 * vail_object_info() - Returns the description of the object
 * @object: the open object.
 *
 * Return: the description, which the object owns; NULL if object is NULL.
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC const VailObjectInfo *vail_object_info(const struct vail_object *object);

/**
 * vail_object_descriptor() - Returns the memory of a plane, to import into EGL or Vulkan
 * @object: the open object.
 * @plane: its index, less than plane_count.
 *
 * A process that maps memory whose size is not sealed gets SIGBUS if the sharer shrinks it.
 *
 * Return: a dma-buf or memfd, which the object owns; -1 if the object has no such plane.
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC int vail_object_descriptor(const struct vail_object *object, size_t plane);

/**
 * vail_object_fence_descriptor() - Returns the fence, to wait for it in an event loop
 * @object: the open object.
 *
 * Return: a sync_file that polls readable once it is signalled, and which the object owns; -1 if
 * the object has no fence.
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC int vail_object_fence_descriptor(const struct vail_object *object);

/**
 * vail_object_wait() - Waits until the object's fence is signalled
 * @object: the open object.
 * @timeout: in milliseconds. With VAIL_TIMEOUT_NONE, or any negative number, the creator of the
 *   fence can block this process without a limit.
 *
 * Ends at once if the object has none.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER (object is NULL), STATUS_IO_TIMEOUT, or
 * STATUS_INVALID_DEVICE_STATE (the GPU work behind the fence has failed, or another thread is using
 * the object).
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC NTSTATUS vail_object_wait(struct vail_object *object, int timeout);

/**
 * vail_object_set_timeout() - Sets how long the reading functions wait for a GPU that is writing to
 *   a dma-buf
 * @object: the open object.
 * @timeout: in milliseconds, as for vail_object_wait(); VAIL_TIMEOUT_DEFAULT initially.
 *
 * They do not wait for the object's fence.
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC void vail_object_set_timeout(struct vail_object *object, int timeout);

/**
 * vail_object_read() - Copies bytes from a plane
 * @object: the open object.
 * @plane: its index, less than plane_count.
 * @offset: of the first byte, in bytes from the plane's offset. Rows are in the order of the
 *   memory, see VailObjectInfo.first_row.
 * @buffer: receives size bytes. Its contents are undefined after a failure.
 * @size: number of bytes to copy.
 *
 * Never faults, even if the sharer changes the memory at the same time.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER (no such plane, or the memory was never large
 * enough), STATUS_INVALID_DEVICE_STATE (the memory has shrunk or is gone, or another thread is
 * using the object), STATUS_IO_TIMEOUT (a GPU is still writing), STATUS_NOT_SUPPORTED (the CPU
 * cannot read this dma-buf: import it), STATUS_INSUFFICIENT_RESOURCES, or STATUS_NO_MEMORY.
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC NTSTATUS vail_object_read(struct vail_object *object, size_t plane, uint64_t offset,
				      void *buffer, size_t size);

/**
 * vail_object_read_image() - Copies the whole image in its own format, row by row without gaps,
 *   with the top row first
 * @object: the open object.
 * @pixels: receives 4 * width * height bytes.
 * @size: of pixels, in bytes; at least that.
 *
 * Supports linear formats with one plane and 32 bits per pixel. Never faults, see
 * vail_object_read().
 *
 * Return: the statuses of vail_object_read(), and STATUS_NOT_SUPPORTED also for other formats and
 * modifiers.
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC NTSTATUS vail_object_read_image(struct vail_object *object, void *pixels, size_t size);

/**
 * vail_object_map() - Maps a plane from its first byte to the end of the memory, for reading and,
 *   with VAIL_ACCESS_READ_WRITE, for writing
 * @object: the open object.
 * @plane: its index, less than plane_count.
 * @ret_data: the mapping, which the object owns until it is closed. The sharer may write to it at
 *   any time, so copy data before checking it.
 * @ret_size: in bytes.
 *
 * Supports only memfds whose size is sealed, because their mapping cannot fault. Map the descriptor
 * of a dma-buf yourself, because reads of such a mapping must be announced to the kernel.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER (no such plane, or the memory ends before it),
 * STATUS_NOT_SUPPORTED (not a memfd, or its size is not sealed: use vail_object_read()),
 * STATUS_INVALID_DEVICE_STATE (the memory is empty or has shrunk, or another thread is using the
 * object), STATUS_ACCESS_DENIED (the kernel does not allow writing), or STATUS_NO_MEMORY.
 *
 * Source: libvail(3), Opening objects.
 */
VAIL_PUBLIC NTSTATUS vail_object_map(struct vail_object *object, size_t plane, void **ret_data,
				     size_t *ret_size);

/* ---- GPU virtual addresses, for graphics processes ---- */

/*
 * process is the handle of the caller's GPU process, from vail_create_context(). Every function of
 * this section may return STATUS_INVALID_HANDLE (no such process), STATUS_ACCESS_DENIED (it
 * belongs to another process) and STATUS_INVALID_DEVICE_STATE (its driver has not completed it).
 *
 * Addresses and sizes are in bytes. Nothing is ever placed at address 0, so 0 means that no
 * address is given.
 */

/* The access that the GPU has to a mapping. */
typedef enum VailProtection {
	VAIL_PROTECTION_NONE, /* not set, or unknown to this library */
	VAIL_PROTECTION_READ,
	VAIL_PROTECTION_READ_WRITE,
	VAIL_PROTECTION_NO_ACCESS,
	VAIL_PROTECTION_ZERO /* reads return 0, writes are discarded */
} VailProtection;

/**
 * vail_reserve_address() - Reserves addresses, in which the process can later place mappings
 * @vail: the handle.
 * @process: handle of the GPU process.
 * @size: of the range; a multiple of 64 KiB.
 * @base: exact start, a multiple of 64 KiB; 0 lets vaild choose.
 * @minimum: lowest start of a range that vaild chooses; 0 for no bound.
 * @maximum: highest end of a range that vaild chooses; 0 for no bound.
 * @ret_address: start of the range; may be NULL if base is given.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
 * STATUS_CONFLICTING_ADDRESSES (the range at base is in use), STATUS_NO_MEMORY (also: no free range
 * is large enough), STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE, or STATUS_QUOTA_EXCEEDED; or
 * a general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.ReserveGpuVirtualAddress.
 */
VAIL_PUBLIC NTSTATUS vail_reserve_address(struct vail *vail, const char *process, uint64_t size,
					  uint64_t base, uint64_t minimum, uint64_t maximum,
					  uint64_t *ret_address);

/* A mapping to create. Initialize with VAIL_MAPPING_INIT. Granularity is 4 KiB. */
typedef struct VailMapping {
	size_t size;               /* set by VAIL_MAPPING_INIT */
	uint64_t size_in_bytes;    /* of the range */
	uint64_t base;             /* exact start: free, inside a reservation of the process, or
				    * inside a driver reservation that allows it; 0 lets vaild
				    * choose */
	uint64_t minimum;          /* lowest start, if base is 0; 0 for no bound */
	uint64_t maximum;          /* highest end, if base is 0; 0 for no bound */
	VailProtection protection; /* required */
	uint64_t allocation;       /* a number below 2^63 that only the caller interprets; required
				    * for read and read-write, where 0 is a valid number */
	uint64_t offset;           /* into the allocation, in bytes */
} VailMapping;

#define VAIL_MAPPING_INIT                                                   \
	{                                                                   \
		sizeof(VailMapping), 0, 0, 0, 0, VAIL_PROTECTION_NONE, 0, 0 \
	}

/**
 * vail_map_address() - Maps an allocation, a range without access, or zero pages
 * @vail: the handle.
 * @process: handle of the GPU process.
 * @mapping: the mapping to create; borrowed during the call.
 * @ret_address: start of the mapping; may be NULL if mapping->base is given.
 *
 * Return: the statuses of vail_reserve_address(), and STATUS_CONFLICTING_ADDRESSES also if the
 * driver has set the page table entry.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.MapGpuVirtualAddress.
 */
VAIL_PUBLIC NTSTATUS vail_map_address(struct vail *vail, const char *process,
				      const VailMapping *mapping, uint64_t *ret_address);

/**
 * vail_free_address() - Frees a range that lies inside one mapping or one reservation of the
 *   process
 * @vail: the handle.
 * @process: handle of the GPU process.
 * @address: start of the range, a multiple of 4 KiB.
 * @size: in bytes, a multiple of 4 KiB.
 *
 * Inside a mapping, only that part of the mapping is freed, and a reservation under it remains.
 * Inside a reservation, that part is freed with the mappings in it.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (the range is not inside
 * one mapping or reservation of the process), STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE, or
 * STATUS_QUOTA_EXCEEDED (too many parts would remain); or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.FreeGpuVirtualAddress.
 */
VAIL_PUBLIC NTSTATUS vail_free_address(struct vail *vail, const char *process, uint64_t address,
				       uint64_t size);

/* The result of a page table walk. */
typedef enum VailTranslationState {
	VAIL_TRANSLATION_UNKNOWN,           /* this library does not know the state */
	VAIL_TRANSLATION_INVALID,           /* neither mapped nor reserved, or in root entry 0 */
	VAIL_TRANSLATION_RESERVED,          /* reserved by the driver; the entry is invalid */
	VAIL_TRANSLATION_DRIVER_PAGE_TABLE, /* the driver has set the entry */
	VAIL_TRANSLATION_NOT_RESIDENT,      /* the table with the entry is evicted */
	VAIL_TRANSLATION_USER_RESERVED,     /* reserved by the process */
	VAIL_TRANSLATION_MAPPED
} VailTranslationState;

/* A translation. Initialize with VAIL_TRANSLATION_INIT. */
typedef struct VailTranslation {
	size_t size; /* set by VAIL_TRANSLATION_INIT; on return the bytes filled by the library */
	VailTranslationState state;
	VailProtection protection;   /* with VAIL_TRANSLATION_MAPPED, as the next two */
	uint64_t allocation;         /* see VailMapping */
	uint64_t offset;             /* of the address in the allocation, in bytes */
	uint64_t page_table_address; /* for the driver and operators; 0 for others */
} VailTranslation;

#define VAIL_TRANSLATION_INIT                                                                    \
	{                                                                                        \
		sizeof(VailTranslation), VAIL_TRANSLATION_UNKNOWN, VAIL_PROTECTION_NONE, 0, 0, 0 \
	}

/**
 * vail_translate_address() - Walks the page tables
 * @vail: the handle.
 * @process: handle of the GPU process.
 * @address: the address to translate, in bytes.
 * @ret_translation: the result. Its size must be initialized.
 *
 * Allowed for the process, its driver, operators and observers.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (the address is beyond
 * the address space), or STATUS_ACCESS_DENIED; or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.TranslateGpuVirtualAddress.
 */
VAIL_PUBLIC NTSTATUS vail_translate_address(struct vail *vail, const char *process,
					    uint64_t address, VailTranslation *ret_translation);

/* The kind of a range. */
typedef enum VailRangeKind {
	VAIL_RANGE_UNKNOWN,         /* this library does not know the kind */
	VAIL_RANGE_ROOT_ENTRY_ZERO, /* always invalid */
	VAIL_RANGE_DRIVER_RESERVATION,
	VAIL_RANGE_USER_RESERVATION,
	VAIL_RANGE_MAPPING
} VailRangeKind;

/* A range of an address space. */
typedef struct VailRange {
	size_t size; /* bytes filled by the library */
	VailRangeKind kind;
	uint64_t address;
	uint64_t size_in_bytes;
	bool allow_user_mode_mapping; /* the process may map inside this driver reservation */
	VailProtection protection;    /* with VAIL_RANGE_MAPPING, as the next two */
	uint64_t allocation;          /* see VailMapping */
	uint64_t offset;              /* into the allocation, in bytes */
} VailRange;

/**
 * typedef VailRangeTaker - Receives each range of a list
 * @vail: the handle of the list.
 * @range: one range; valid until the function returns.
 * @context: as given to vail_describe_address_space().
 *
 * Return: whether to continue. Unlike with VailReply, returning false keeps the connection, because
 * an adapter may depend on it. The rest of the list is received and dropped.
 *
 * Source: libvail(3), GPU virtual addresses.
 */
typedef bool (*VailRangeTaker)(struct vail *vail, const VailRange *range, void *context);

/**
 * vail_describe_address_space() - Lists the ranges of an address space in ascending order, starting
 *   with root entry 0
 * @vail: the handle.
 * @process: handle of the GPU process.
 * @take: receives each range.
 * @context: passed to take.
 *
 * Allowed for the process, its driver, operators and observers, in every state of the process.
 *
 * Return: STATUS_SUCCESS, also if take returned false; STATUS_INVALID_HANDLE; STATUS_ACCESS_DENIED;
 * or a general status. If it fails, some ranges may already have been reported.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.DescribeAddressSpace.
 */
VAIL_PUBLIC NTSTATUS vail_describe_address_space(struct vail *vail, const char *process,
						 VailRangeTaker take, void *context);

/* A GPU process in a list. The strings are valid until the callback returns. */
typedef struct VailListedGpuProcess {
	size_t size;         /* bytes filled by the library */
	const char *process; /* handle */
	const char *adapter; /* handle */
	bool is_running;     /* false until its driver has completed it */
	bool is_system;      /* the adapter's system process */
	pid_t pid;           /* in the calling process's pid namespace; 0 if not visible there */
	const char *name;
	const char *virtual_machine; /* GUID */
	uint64_t contexts;           /* number of its contexts */
	uint64_t ranges;             /* number of ranges in its address space */
} VailListedGpuProcess;

/**
 * typedef VailGpuProcessTaker - Receives each GPU process of a list
 * @vail: the handle of the list.
 * @process: one GPU process; valid until the function returns.
 * @context: as given to vail_list_gpu_processes().
 *
 * Return: whether to continue, see VailRangeTaker.
 *
 * Source: libvail(3), GPU virtual addresses.
 */
typedef bool (*VailGpuProcessTaker)(struct vail *vail, const VailListedGpuProcess *process,
				    void *context);

/**
 * vail_list_gpu_processes() - Lists GPU processes: the caller's own, and those of its adapters if
 *   it is a driver
 * @vail: the handle.
 * @take: receives each GPU process.
 * @context: passed to take.
 *
 * Operators and observers see all.
 *
 * Return: STATUS_SUCCESS, also if take returned false; or a general status. If it fails, some
 * processes may already have been reported.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.ListProcesses.
 */
VAIL_PUBLIC NTSTATUS vail_list_gpu_processes(struct vail *vail, VailGpuProcessTaker take,
					     void *context);

/* ---- Adapters and their GPU processes, for drivers ---- */

/*
 * A driver is a connection that has registered an adapter. Only operators can register one. The
 * adapter belongs to this connection: keep the handle (struct vail) open, and make all calls about
 * the adapter on it. On other connections these calls return STATUS_ACCESS_DENIED.
 *
 * When the connection ends, the adapter ends with its GPU processes and their address spaces. The
 * handle reconnects by itself, but vaild does not regard the new connection as the driver: calls
 * return STATUS_INVALID_HANDLE until the driver registers again. A driver must therefore not lose
 * its connection by a call that times out (set VAIL_TIMEOUT_NONE), by a VailReply that returns
 * false, or by execve(). The functions of this header that list keep the connection.
 *
 * When vaild restarts, the adapter waits 30 seconds for its driver. Calls return
 * STATUS_ACCESS_DENIED until the driver has registered it again with the same name, MMU and uid.
 * All completed processes are then as before, but the page table entries that the driver had set
 * are invalid, and the driver must set them again.
 *
 * A driver watches for VAIL_EVENT_PAGE_TABLE_RESIDENT and VAIL_EVENT_GPU_PROCESS_REMOVED on a
 * second handle, because a watch blocks other calls on its connection.
 */

/* The maximum number of page table levels. */
#define VAIL_PAGE_TABLE_LEVEL_MAX 6

/* An adapter to register. Initialize with VAIL_ADAPTER_INIT. */
typedef struct VailAdapter {
	size_t size;      /* set by VAIL_ADAPTER_INIT */
	const char *name; /* unique; identifies the adapter after a restart of vaild */

	/*
	 * Number of address bits that index the page table of each level, from the leaf table to
	 * the root, followed by 0. 2 to 6 levels with 1 to 24 bits each. Pages have 4 KiB, so an
	 * address has 12 bits more than the sum; at most 57.
	 */
	uint8_t page_table_index_bit_count[VAIL_PAGE_TABLE_LEVEL_MAX];

	uint64_t max_virtual_gpus; /* maximum number of vGPUs assigned to VMs */
} VailAdapter;

#define VAIL_ADAPTER_INIT                           \
	{                                           \
		sizeof(VailAdapter), NULL, { 0 }, 0 \
	}

/**
 * vail_register_adapter() - Registers an adapter and creates its system process
 * @vail: the handle.
 * @adapter: its description; borrowed during the call.
 * @ret_adapter: handle of the adapter.
 * @ret_system_process: handle of its system process.
 * @ret_restored: whether the adapter was restored after a restart of vaild. The handles are then
 *   the old ones, and the system process is already completed. vail_list_gpu_processes() lists the
 *   other processes.
 *
 * The driver must complete the system process like any other, before it creates more. Allowed for
 * operators.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED,
 * STATUS_OBJECT_NAME_COLLISION (another adapter has this name), or STATUS_QUOTA_EXCEEDED; or a
 * general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.RegisterAdapter.
 */
VAIL_PUBLIC NTSTATUS vail_register_adapter(struct vail *vail, const VailAdapter *adapter,
					   char ret_adapter[VAIL_HANDLE_SIZE],
					   char ret_system_process[VAIL_HANDLE_SIZE],
					   bool *ret_restored);

/**
 * vail_unregister_adapter() - Ends the adapter with its GPU processes, their address spaces, and
 *   the vGPUs on it
 * @vail: the handle.
 * @adapter: its handle.
 *
 * Allowed for its driver and for operators.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED, or STATUS_NOT_SUPPORTED (the
 * software adapter cannot be unregistered); or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.UnregisterAdapter.
 */
VAIL_PUBLIC NTSTATUS vail_unregister_adapter(struct vail *vail, const char *adapter);

/* The owner of a GPU process. Initialize with VAIL_GPU_PROCESS_INIT. */
typedef struct VailGpuProcess {
	size_t size;                 /* set by VAIL_GPU_PROCESS_INIT */
	pid_t pid;                   /* host process; the GPU process ends with it */
	const char *name;            /* for people */
	const char *virtual_machine; /* GUID; the GPU process ends with the VM */
} VailGpuProcess;

#define VAIL_GPU_PROCESS_INIT                         \
	{                                             \
		sizeof(VailGpuProcess), 0, NULL, NULL \
	}

/**
 * vail_create_process() - Starts to create a GPU process
 * @vail: the handle.
 * @adapter: handle of the driver's adapter.
 * @process: NULL if it belongs to no host process or VM and has no name.
 * @ret_process: handle of the GPU process.
 *
 * The driver then reserves what it needs in its address space, and completes it with
 * vail_complete_create_process(). It cannot be used before that. If the connection ends first, the
 * process is removed. Allowed for the driver.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such adapter), STATUS_INVALID_PARAMETER (no
 * such host process), STATUS_NOT_FOUND (no such VM), STATUS_ACCESS_DENIED,
 * STATUS_INVALID_DEVICE_STATE (the system process is not completed), STATUS_OBJECT_NAME_COLLISION
 * (the host process already has a GPU process on this adapter), or STATUS_QUOTA_EXCEEDED; or a
 * general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.CreateProcess.
 */
VAIL_PUBLIC NTSTATUS vail_create_process(struct vail *vail, const char *adapter,
					 const VailGpuProcess *process,
					 char ret_process[VAIL_HANDLE_SIZE]);

/**
 * vail_reserve_address_range() - Reserves GPU virtual addresses for the driver, while it creates
 *   the process
 * @vail: the handle.
 * @process: handle of the GPU process.
 * @size: SizeInBytes; a multiple of the bytes that one leaf table covers (leafCoverageInBytes of
 *   io.vaild.Gpu.ListAdapters).
 * @alignment: of the start; a power of two that is a multiple of the same, or 0 for just that.
 * @base: BaseAddress, the exact start; 0 lets vaild choose. Never in root entry 0.
 * @allow_user_mode_mapping: whether the process may map inside the range.
 * @ret_address: StartVirtualAddress; may be NULL if base is given.
 *
 * This corresponds to DXGKCB_RESERVEGPUVIRTUALADDRESSRANGE of a kernel mode display driver on
 * Windows, with the parameters of DXGKARGCB_RESERVEGPUVIRTUALADDRESSRANGE in d3dkmddi.h. Allowed
 * for the driver.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (size, alignment or base
 * is no such multiple, overflows, is in root entry 0 or beyond the address space),
 * STATUS_CONFLICTING_ADDRESSES (the range at base is in use), STATUS_NO_MEMORY (also: no free range
 * is large enough), STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE (the process is completed),
 * or STATUS_QUOTA_EXCEEDED; or a general status.
 *
 * Source: Microsoft's page DXGKCB_RESERVEGPUVIRTUALADDRESSRANGE; io.vaild(7), method
 * io.vaild.Gpu.ReserveGpuVirtualAddressRange.
 */
VAIL_PUBLIC NTSTATUS vail_reserve_address_range(struct vail *vail, const char *process,
						uint64_t size, uint64_t alignment, uint64_t base,
						bool allow_user_mode_mapping,
						uint64_t *ret_address);

/**
 * vail_complete_create_process() - Completes a GPU process: it is running, and the driver can
 *   reserve nothing more in it
 * @vail: the handle.
 * @process: handle of the GPU process, which is being created.
 *
 * Allowed for the driver.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED, or
 * STATUS_INVALID_DEVICE_STATE (it is already completed); or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.CompleteCreateProcess.
 */
VAIL_PUBLIC NTSTATUS vail_complete_create_process(struct vail *vail, const char *process);

/**
 * vail_destroy_process() - Ends a GPU process with its contexts and its address space
 * @vail: the handle.
 * @process: handle of the GPU process.
 *
 * Allowed for the driver.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED, or STATUS_NOT_SUPPORTED (the
 * system process ends only with its adapter); or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.DestroyProcess.
 */
VAIL_PUBLIC NTSTATUS vail_destroy_process(struct vail *vail, const char *process);

/**
 * vail_set_page_table_entry() - Points a page table entry at one of the driver's own leaf tables
 * @vail: the handle.
 * @process: handle of the GPU process.
 * @address: an address that the entry covers, in a range reserved by the driver.
 * @page_table_address: of the leaf table; vaild stores it without interpreting it.
 *
 * Allowed for the driver.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (the driver has not
 * reserved the address), STATUS_CONFLICTING_ADDRESSES (the process has a mapping under the entry),
 * STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_STATE (the entry's table is not resident), or
 * STATUS_QUOTA_EXCEEDED; or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.SetReservedPageTableEntry.
 */
VAIL_PUBLIC NTSTATUS vail_set_page_table_entry(struct vail *vail, const char *process,
					       uint64_t address, uint64_t page_table_address);

/**
 * vail_evict_page_table() - Evicts a level 1 table
 * @vail: the handle.
 * @process: handle of the GPU process.
 * @address: an address that the table covers.
 *
 * The entries of a level 1 table point at leaf tables; with two levels it is the root. Repeating
 * the call succeeds and changes nothing. Allowed for the driver.
 *
 * With two levels, the root is replaced by a new, resident one when it must grow or shrink for the
 * ranges of the process.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER (the address is beyond
 * the address space or in root entry 0), STATUS_ACCESS_DENIED, or STATUS_QUOTA_EXCEEDED; or a
 * general status.
 *
 * Source: io.vaild(7), method io.vaild.Gpu.EvictPageTable.
 */
VAIL_PUBLIC NTSTATUS vail_evict_page_table(struct vail *vail, const char *process,
					   uint64_t address);

/**
 * vail_make_page_table_resident() - Makes an evicted level 1 table resident again
 * @vail: the handle.
 * @process: handle of the GPU process.
 * @address: an address that the table covers.
 *
 * It has the entries of the process's mappings as before, but the driver's entries are invalid
 * until the driver sets them. Repeating the call succeeds and changes nothing. Allowed for the
 * driver.
 *
 * Return: the statuses of vail_evict_page_table().
 *
 * Source: io.vaild(7), method io.vaild.Gpu.MakePageTableResident.
 */
VAIL_PUBLIC NTSTATUS vail_make_page_table_resident(struct vail *vail, const char *process,
						   uint64_t address);

/* ---- Display channels ---- */

/*
 * A display channel is a connected stream socket on which the agent of a VM serves the VM's display
 * (org.qemu.Display1) to a viewer, limited to the rights of the viewer's display client. vaild
 * shuts it down at both ends when it ends: reads give the end of the file, writes fail with EPIPE.
 */

/* Rights on a display, to be combined. io.vaild(7) says which interfaces each one allows. */
#define VAIL_DISPLAY_VIEW         0x01u
#define VAIL_DISPLAY_INPUT        0x02u
#define VAIL_DISPLAY_CLIPBOARD    0x04u
#define VAIL_DISPLAY_AUDIO_OUTPUT 0x08u
#define VAIL_DISPLAY_AUDIO_INPUT  0x10u

/**
 * vail_display_right_name() - Returns the name of a right on a display
 * @right: one right, like VAIL_DISPLAY_AUDIO_OUTPUT.
 *
 * Return: vaild's name, like "audioOutput", which is static; NULL if it is not one known right.
 *
 * Source: libvail(3), Displays.
 */
VAIL_PUBLIC const char *vail_display_right_name(unsigned int right);

/**
 * vail_display_right() - Finds a right on a display by its name
 * @name: vaild's name, like "audioOutput"; may be NULL.
 *
 * Return: the right, like VAIL_DISPLAY_AUDIO_OUTPUT; 0 if it is not the name of one.
 *
 * Source: libvail(3), Displays.
 */
VAIL_PUBLIC unsigned int vail_display_right(const char *name);

/* A display channel. The library owns the strings, which are valid until the callback returns. */
typedef struct VailDisplay {
	size_t size; /* bytes filled by the library */
	const char *handle;
	const char *virtual_machine; /* GUID */
	unsigned int rights;
	pid_t pid; /* the process that opened it, as getpid() there; 0 if not visible here */
	uid_t uid;
	double since; /* seconds on CLOCK_BOOTTIME */
} VailDisplay;

/**
 * vail_open_display() - Opens a channel to the VM's display
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 * @rights: VAIL_DISPLAY_VIEW and its siblings; 0 for all rights of the display client.
 *   VAIL_DISPLAY_VIEW is always included.
 * @ret_display: handle of the channel; may be NULL.
 * @ret_rights: rights of the channel; may be NULL.
 * @ret_descriptor: the viewer's end, which the caller owns. Closing it ends the channel.
 *
 * Allowed for processes that are registered for the VM and have a display client's privileges at
 * the moment. The channel belongs to the registration, and ends with it. It also ends when one of
 * its rights is withdrawn: open another one then, with the rights that are left.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_ACCESS_DENIED (not
 * registered, or the display client lacks a right; vail_error_parameter() is "rights" then),
 * STATUS_QUOTA_EXCEEDED, or STATUS_INVALID_DEVICE_STATE (no agent serves the VM's display); or a
 * general status.
 *
 * Source: io.vaild(7), method io.vaild.Display.OpenDisplay.
 */
VAIL_PUBLIC NTSTATUS vail_open_display(struct vail *vail, const char *virtual_machine,
				       unsigned int rights, char ret_display[VAIL_HANDLE_SIZE],
				       unsigned int *ret_rights, int *ret_descriptor);

/**
 * vail_close_display() - Ends a display channel
 * @vail: the handle.
 * @display: handle of the channel.
 *
 * Allowed for the process that opened it, the VM's VMM and agent, and operators.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE (it has ended), or STATUS_ACCESS_DENIED; or a
 * general status.
 *
 * Source: io.vaild(7), method io.vaild.Display.CloseDisplay.
 */
VAIL_PUBLIC NTSTATUS vail_close_display(struct vail *vail, const char *display);

/**
 * typedef VailDisplayTaker - Receives each display channel of a list
 * @vail: the handle of the list.
 * @display: one channel; valid until the function returns.
 * @context: as given to vail_list_displays().
 *
 * Return: whether to continue, see VailRangeTaker.
 *
 * Source: libvail(3), Displays.
 */
typedef bool (*VailDisplayTaker)(struct vail *vail, const VailDisplay *display, void *context);

/**
 * vail_list_displays() - Lists display channels
 * @vail: the handle.
 * @virtual_machine: GUID of the VM whose channels to list; NULL for all VMs.
 * @take: receives each channel.
 * @context: passed to take.
 *
 * Lists the channels that the caller has opened, and those of VMs that it has registered or runs,
 * or is the agent of. Operators and observers see all.
 *
 * Return: STATUS_SUCCESS, also if take returned false; STATUS_NOT_FOUND; or a general status. If it
 * fails, some channels may already have been reported.
 *
 * Source: io.vaild(7), method io.vaild.Display.ListDisplays.
 */
VAIL_PUBLIC NTSTATUS vail_list_displays(struct vail *vail, const char *virtual_machine,
					VailDisplayTaker take, void *context);

/* The events of displays that a process serves. */
typedef enum VailServeEventKind {
	VAIL_SERVE_BEGUN,  /* the caller serves the VM's display from now on */
	VAIL_SERVE_OPENED, /* a channel: take its descriptor with vail_take_descriptor(vail, 0) */
	VAIL_SERVE_CLOSED, /* close the channel's descriptor */

	/*
	 * The connection to vaild is lost, and the library waits for vaild. Channels go on, but
	 * nobody can end them from outside: close them if vaild stays away for more than 30
	 * seconds. VAIL_SERVE_BEGUN follows when vaild is back, and VAIL_SERVE_CLOSED for each
	 * channel that has ended.
	 */
	VAIL_SERVE_INTERRUPTED,

	VAIL_SERVE_ENDED /* the VM has ended, or the caller may no longer serve it; see reason */
} VailServeEventKind;

typedef struct VailServeEvent {
	size_t size; /* bytes filled by the library */
	VailServeEventKind kind;
	const char *handle;         /* of the channel, for OPENED and CLOSED */
	const VailDisplay *display; /* for OPENED */
	const char *reason;         /* of CLOSED and ENDED, like "revoked" */
} VailServeEvent;

/**
 * typedef VailDisplayServer - Receives each event of the displays that a process serves
 * @vail: the handle.
 * @status: STATUS_SUCCESS with an event; otherwise the reason why the caller does not serve the
 *   display.
 * @event: the event, valid until the function returns; NULL unless status is STATUS_SUCCESS.
 * @continues: false in the last call of the function, unless an earlier one has returned false.
 * @context: as given to vail_serve_displays().
 *
 * Return: whether to continue. Returning false while continues is true closes the connection, as
 * with VailReply, and ends all channels.
 *
 * Source: libvail(3), Displays.
 */
typedef bool (*VailDisplayServer)(struct vail *vail, NTSTATUS status, const VailServeEvent *event,
				  bool continues, void *context);

/**
 * vail_serve_displays() - Serves the VM's display until the stream ends
 * @vail: the handle, which should be used for nothing else, as that of a watch.
 * @virtual_machine: GUID of the VM.
 * @server: receives each event, which vail_process() passes to it.
 * @context: passed to server.
 *
 * The end of the stream also ends all channels. Allowed for the VM's VMM and its agent, and for the
 * incoming VMM and the agent of that. When a viewer closes its end, the agent reads the end of the
 * file, and calls vail_close_display() on another handle. A restart of vaild interrupts no channel,
 * except one on which descriptors wait that the agent has not received.
 *
 * Return: the statuses of vail_submit(). Statuses of vaild are passed to server:
 * STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_ACCESS_DENIED, STATUS_QUOTA_EXCEEDED, or
 * STATUS_INVALID_DEVICE_STATE (another process serves the VM's display).
 *
 * Source: io.vaild(7), method io.vaild.Display.ServeDisplays.
 */
VAIL_PUBLIC NTSTATUS vail_serve_displays(struct vail *vail, const char *virtual_machine,
					 VailDisplayServer server, void *context);

/* ---- Virtual machines, for VMMs, their managers and operators ---- */

/* A user or a live process. Set user, or else pid. */
typedef struct VailParty {
	const char *user; /* a name or a decimal uid */
	pid_t pid;        /* in the calling process's pid namespace */
} VailParty;

/* The description of a VM. Initialize with VAIL_MACHINE_INIT. */
typedef struct VailMachine {
	size_t size;      /* set by VAIL_MACHINE_INIT */
	const char *name; /* for people; at most 255 bytes */
	pid_t vmm_pid;    /* the VMM, with which the VM ends, as pid; 0 for the calling process */

	/*
	 * The display clients: a process must have the privileges of one of them to be registered.
	 * NULL for the VMM's own privileges or, in an update, for no change. A pointer with a
	 * count of 0 always means the VMM's own, or nobody's if the metadata of a domain have ever
	 * named display clients of the VM.
	 */
	const VailParty *display_clients;
	size_t display_client_count;

	const VailParty *agent; /* may share objects like the VMM; NULL for none */

	/*
	 * The rights of each display client on the VM's display, as VAIL_DISPLAY_VIEW and its
	 * siblings. VAIL_DISPLAY_VIEW is always included. NULL if all have that one alone.
	 */
	const unsigned int *display_client_rights;

	/*
	 * Where the display clients come from: "libvirt" for the metadata of a domain, after which
	 * vaild prefers those of a drop-in, and an update does not replace others that a request
	 * has named; NULL or "api" for any other source.
	 */
	const char *settings_source;

	/*
	 * The state of the guest in the VMM: "running", also if it is paused; "incoming" while the
	 * VMM waits for it as the destination of a migration; "migrated" if the VMM has sent it to
	 * another VMM and lives on. NULL to leave that unchanged. vaild forgets the state when the
	 * handle that has told it last is closed, or loses its connection.
	 */
	const char *guest_state;
} VailMachine;

#define VAIL_MACHINE_INIT                                                     \
	{                                                                     \
		sizeof(VailMachine), NULL, 0, NULL, 0, NULL, NULL, NULL, NULL \
	}

/**
 * vail_register_virtual_machine() - Registers a VM
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 * @machine: NULL for the calling process as VMM, without further settings.
 *
 * Allowed for operators and, if vaild's configuration allows it, for any user's own processes.
 * Registering the same GUID and VMM again succeeds and changes nothing.
 *
 * Registering the GUID of a running VM with another VMM begins a hand-over, as in a local
 * migration; operators and the user who registered the VM may do that. The process is the incoming
 * VMM: it takes the place of the VMM when that exits. It and machine->agent may share objects at
 * once. The VM keeps its registrations, virtual GPUs, name and display clients.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED,
 * STATUS_OBJECT_NAME_COLLISION (another VM with this GUID is running, and the caller may not hand
 * it over), or STATUS_QUOTA_EXCEEDED; or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Machine.RegisterVirtualMachine.
 */
VAIL_PUBLIC NTSTATUS vail_register_virtual_machine(struct vail *vail, const char *virtual_machine,
						   const VailMachine *machine);

/**
 * vail_update_virtual_machine() - Changes the settings of a VM
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 * @machine: its vmm_pid is the VMM whose agent and guest_state to set: the VM's VMM, also if 0, or
 *   its incoming VMM.
 *
 * Absent settings are not changed. Registrations end if their privileges match no display client
 * any more, and display channels if their display client has lost one of their rights. Allowed for
 * operators and the user who registered the VM.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, or STATUS_ACCESS_DENIED; or a
 * general status.
 *
 * Source: io.vaild(7), method io.vaild.Machine.UpdateVirtualMachine.
 */
VAIL_PUBLIC NTSTATUS vail_update_virtual_machine(struct vail *vail, const char *virtual_machine,
						 const VailMachine *machine);

/**
 * vail_unregister_virtual_machine() - Unregisters a VM and ends its registrations
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 *
 * Allowed for operators and the user who registered the VM.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_ACCESS_DENIED, or
 * STATUS_NOT_SUPPORTED (vaild discovered the VM itself); or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Machine.UnregisterVirtualMachine.
 */
VAIL_PUBLIC NTSTATUS vail_unregister_virtual_machine(struct vail *vail,
						     const char *virtual_machine);

/**
 * vail_assign_virtual_gpu() - Assigns a virtual GPU to a VM
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 * @adapter: a handle from io.vaild.Gpu.ListAdapters; NULL for the software adapter.
 * @profile: a name for people; NULL for none.
 * @ret_virtual_gpu: handle of the vGPU; may be NULL.
 *
 * Allowed for operators and the user who registered the VM.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_ACCESS_DENIED,
 * STATUS_INVALID_HANDLE (no such adapter), or STATUS_QUOTA_EXCEEDED; or a general status.
 *
 * Source: io.vaild(7), method io.vaild.Machine.AssignVirtualGpu.
 */
VAIL_PUBLIC NTSTATUS vail_assign_virtual_gpu(struct vail *vail, const char *virtual_machine,
					     const char *adapter, const char *profile,
					     char ret_virtual_gpu[VAIL_HANDLE_SIZE]);

/**
 * vail_remove_virtual_gpu() - Removes a virtual GPU
 * @vail: the handle.
 * @virtual_gpu: its handle, from vail_assign_virtual_gpu().
 *
 * The VM's registrations end with its last vGPU. Allowed for operators and the user who registered
 * the VM.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_HANDLE (no such vGPU), or STATUS_ACCESS_DENIED; or a
 * general status.
 *
 * Source: io.vaild(7), method io.vaild.Machine.RemoveVirtualGpu.
 */
VAIL_PUBLIC NTSTATUS vail_remove_virtual_gpu(struct vail *vail, const char *virtual_gpu);

/**
 * vail_set_quarantine() - Imposes or lifts the quarantine of a GUID, whether or not its VM is
 *   running
 * @vail: the handle.
 * @virtual_machine: GUID of the VM.
 * @quarantined: true to impose the quarantine, false to lift it.
 * @reason: for people; NULL for none, or when lifting the quarantine. Imposed again without a
 *   reason, a quarantine keeps the one that it has, except one that begins with "fleet: ".
 *
 * A quarantine ends the VM's registrations, and survives the end of the VM and reboots. Allowed for
 * operators and the quarantine group.
 *
 * Return: STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED, STATUS_QUOTA_EXCEEDED, or
 * STATUS_INSUFFICIENT_RESOURCES (it could not be written to disk; nothing has changed); or a
 * general status.
 *
 * Source: io.vaild(7), method io.vaild.Machine.SetQuarantine.
 */
VAIL_PUBLIC NTSTATUS vail_set_quarantine(struct vail *vail, const char *virtual_machine,
					 bool quarantined, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
