/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_INTERNAL_H
#define CLIENT_LIBVAIL_INTERNAL_H

/*
 * The private interfaces of libvail. Each file calls only files further down in this list:
 *
 *   d3dkmt.c            the documented Windows function
 *   machine.c           typed calls for processes and VMs
 *   gpu.c               typed calls for adapters, GPU processes and their address spaces
 *   object.c            typed calls for sharing objects
 *   object-open.c       opening and closing objects
 *   object-read.c       reading, mapping and waiting for open objects
 *   display.c           typed calls for display channels
 *   display-serve.c     serving display channels
 *   watch.c             watches
 *   watch-state.c       remembers what a watch has reported, to compare after a reconnect
 *   event.c             decodes events
 *   object-info.c       decodes descriptions of shared objects
 *   display-info.c      reads and writes descriptions of display channels
 *   memory.c            memory to share, and its seals
 *   fault-safe-copy.c   copies memory that may disappear
 *   names.c             the names of enumeration values in messages
 *   list.c              calls methods that return a list, one item per reply
 *   parameters.c        writes parameters and reads replies
 *   call-wait.c         blocking calls
 *   call.c              submits calls, receives replies and runs all callbacks
 *   resume.c            resends or fails calls after the connection is lost
 *   handle.c            creates and frees handles, sets their options
 *   call-queue.c        the queue of pending calls
 *   connection.c        the socket: connects, sends and receives
 *   waiting.c           tells the program what a blocking call waits for
 *   reconnect.c         an fd that becomes readable when it is time to connect again
 *   request.c           encodes requests
 *   reply.c             decodes replies
 *   fd-batch.c          file descriptors that travel with messages
 *   error.c             the error details of a handle
 *   exclusive-use.c     refuses a second thread
 *
 * Between two calls into the library these invariants hold:
 *
 *   - The queue holds the pending calls in the order in which they were sent, which is also the
 *     order of their replies.
 *   - While a call is pending, the handle is connected or is waiting to reconnect.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/libvail/exclusive-use.h"
#include "client/libvail/fd-batch.h"
#include "client/libvail/reconnect.h"
#include "proto/buffer.h"
#include "proto/json.h"
#include "proto/macros.h"
#include <vail.h>

#define SOCKET_PATH_DEFAULT  "/run/vaild/vaild.sock"
#define SOCKET_PATH_VARIABLE "VAILD_SOCKET"

/* The longest reply accepted, in bytes. vaild itself sends at most 1 MiB. */
#define REPLY_SIZE_MAX (64u << 20)

/* A call is refused if the pending calls' messages already exceed this, in bytes. */
#define QUEUED_BYTES_MAX (64u << 20)

/* A request to encode. All pointers are borrowed. */
typedef struct CallRequest {
	const char *method;
	const char *parameters; /* JSON text; NULL for none */
	const int *fds;
	size_t fd_count;
	bool more;
	bool oneway;
	bool needs_answered_connection; /* send only after vaild has replied on this connection */
} CallRequest;

/* A decoded reply. A handler may move message and fds out of it. */
typedef struct Reply {
	NTSTATUS status;
	JsonValue *message;    /* the whole reply; NULL if none was received */
	JsonValue *parameters; /* borrowed from message; NULL if the reply has none */
	bool continues;
	FdList fds;
} Reply;

typedef struct PendingCall PendingCall;

/* Handles a reply. Returns false to end a call whose reply continues. */
typedef bool (*ReplyHandler)(struct vail *vail, const PendingCall *call, Reply *reply);

/* A call that was submitted and has not ended. Owned by the queue. */
struct PendingCall {
	PendingCall *next;
	bool more;
	ReplyHandler handler;
	/*
	 * Decides whether to repeat the call after the connection is lost, and may change its
	 * message for that. If it returns false, it has also freed the context. NULL for calls that
	 * follow the general rules of resume.c.
	 */
	bool (*on_disconnect)(struct vail *vail, PendingCall *call);

	VailReply reply; /* the user's callback; NULL for internal handlers */
	void *context;   /* argument of the callback or of the handler */

	Buffer message;      /* the encoded request with its NUL, kept for resending */
	uint64_t output_end; /* position of its end in the output stream */
	bool has_fds;
	bool is_repeatable; /* the method may be executed twice, see method_is_repeatable() */
	bool has_reply;     /* at least one reply has arrived */
	bool was_sent;      /* a lost connection may have delivered the whole message */
	unsigned int lost_connections;
};

/* The error details of one failure. Owns its strings; each may be NULL. */
typedef struct ErrorDetails {
	char *message;
	char *name;
	char *parameter;
	char *limit;
	uint64_t maximum;
	uint64_t used;
} ErrorDetails;

struct vail {
	ExclusiveUse use;
	char *path;
	int timeout;         /* in milliseconds; negative for no timeout */
	VailWaiting waiting; /* NULL for none */
	int waiting_delay;   /* of that callback, in milliseconds */
	void *waiting_context;
	int fd;               /* the socket; -1 when not connected */
	pid_t owner_pid;      /* process that connected; differs in a child after fork() */
	uint64_t generation;  /* incremented when a connection is closed */
	uint64_t reply_count; /* replies received so far */
	bool has_answered;  /* vaild has replied on the current, or else on the last, connection */
	bool was_connected; /* a connection has succeeded at least once */
	bool in_callback;   /* a reply handler is running */
	bool closing;       /* the handle is being freed and accepts no calls */
	bool resumes;       /* pending calls and watches survive the loss of the connection */
	bool is_reconnecting; /* waiting for vaild, to resend the queued calls */
	Reconnect reconnect;
	Buffer input;
	size_t scanned; /* number of leading input bytes that contain no NUL */
	Buffer output;
	/* Stream positions of the first byte of input and of output, which tie fds to messages. */
	uint64_t input_position;
	uint64_t output_position;
	FdBatchQueue received_fds;
	FdBatchQueue outgoing_fds;
	FdList reply_fds; /* of the reply that the user can currently take fds from */
	PendingCall *first_call;
	PendingCall **last_link; /* where the next call is appended */
	size_t queued_bytes;     /* total size of the pending calls' messages */
	JsonParser *parser;
	ErrorDetails error;
};

/* ---- error.c ---- */

void error_details_deinit(ErrorDetails *details);
void error_clear(struct vail *vail);

/* Replaces the handle's error details by the formatted sentence. Returns status. */
_printf_(3, 4) NTSTATUS error_set(struct vail *vail, NTSTATUS status, const char *format, ...);

/* The same for STATUS_NO_MEMORY. */
NTSTATUS error_set_no_memory(struct vail *vail);

/*
 * Keeps the sentence for the calling thread, to be read without a handle. vail: the handle that
 * failed; NULL if out of memory, or if the caller has passed NULL. Returns status.
 */
NTSTATUS error_keep(const struct vail *vail, NTSTATUS status);

/* ---- waiting.c ---- */

typedef enum WaitReason {
	WAIT_NOTHING,
	WAIT_CONNECT, /* the listen queue is full */
	WAIT_REPLY,
	WAIT_RETURN, /* the connection is lost */
	WAIT_REASON_MAX,
} WaitReason;

/* Calls the callback of vail_set_waiting(), if there is one. */
void waiting_report(struct vail *vail, WaitReason reason);

/* ---- connection.c ---- */

typedef enum ReceiveResult {
	RECEIVE_DATA,    /* bytes were appended to the input */
	RECEIVE_NOTHING, /* no data for now */
	RECEIVE_CLOSED,  /* the peer has closed the connection */
	RECEIVE_NO_MEMORY,
	RECEIVE_NO_FDS,    /* fds were received, but this process is at its fd limit */
	RECEIVE_STRAY_FDS, /* fds were received that belong to no message */
} ReceiveResult;

/*
 * Connects to vaild. If may_wait is set and vaild's listen queue is full, waits for up to the
 * handle's timeout. Returns STATUS_SUCCESS, or sets the error and returns its status.
 */
NTSTATUS connection_connect(struct vail *vail, bool may_wait);

/* Closes the connection and drops buffered input and output. Leaves the queue of calls alone. */
void connection_close(struct vail *vail);

/* Tests whether vaild has closed an idle connection. */
bool connection_is_stale(const struct vail *vail);

/*
 * Sends as much output as possible without blocking, fds with their messages. If vaild has closed
 * the connection, drops the output; replies that vaild sent before can still be received.
 */
void connection_flush(struct vail *vail);

/*
 * Receives once without blocking. The connection is unusable after every result but RECEIVE_DATA
 * and RECEIVE_NOTHING.
 */
ReceiveResult connection_receive(struct vail *vail);

/* ---- request.c ---- */

/*
 * Appends the encoded request and its NUL to out. Checks it with vaild's own parser first, because
 * vaild closes the connection on a malformed message. Returns STATUS_SUCCESS; otherwise sets the
 * error and returns STATUS_INVALID_PARAMETER or STATUS_NO_MEMORY.
 */
NTSTATUS request_encode(struct vail *vail, const CallRequest *request, Buffer *out);

/* ---- reply.c ---- */

void reply_deinit(Reply *reply);

/*
 * Decodes reply->message into the other fields and the handle's error details. more says whether
 * the call allows replies that continue. Returns STATUS_SUCCESS, or STATUS_INVALID_NETWORK_RESPONSE
 * if the message is no valid reply.
 */
NTSTATUS reply_decode(struct vail *vail, Reply *reply, bool more);

/* ---- call-queue.c ---- */

/* Frees a call that is in no queue; NULL is ignored. */
void call_free(PendingCall *call);

/* Appends the call, which the queue then owns. */
void queue_append(struct vail *vail, PendingCall *call);

/* Removes and returns the first call. The queue must not be empty. */
PendingCall *queue_take_first(struct vail *vail);

/* Empties the queue. Returns the first call, linked to the others; NULL if there were none. */
PendingCall *queue_take_all(struct vail *vail);

/* Appends the call's message to the output. Returns false if out of memory. */
bool call_write(struct vail *vail, PendingCall *call);

/* Passes the reply to the call's handler. Returns false if the handler wants no more replies. */
bool call_deliver(struct vail *vail, const PendingCall *call, Reply *reply);

/* Ends a call that is in no queue: reports the status to its handler and frees it. */
void call_fail(struct vail *vail, PendingCall *call, NTSTATUS status);

/* Ends the connection, or the wait for one, and fails all pending calls with the status. */
void calls_fail_all(struct vail *vail, NTSTATUS status);

/* ---- resume.c ---- */

/* Tests whether vaild may execute the method twice without harm. */
bool method_is_repeatable(const char *method);

/* Tests whether a failed attempt to connect is worth retrying on this handle. */
bool is_transient_failure(const struct vail *vail, NTSTATUS status);

/*
 * Starts waiting for vaild, or continues to wait longer. Returns STATUS_SUCCESS; otherwise fails
 * all pending calls and returns STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS resume_wait(struct vail *vail);

/* Stops waiting if no call is pending. */
void resume_cancel_if_idle(struct vail *vail);

/*
 * Call when the fd of the wait is readable: reconnects if it is time. Returns STATUS_SUCCESS;
 * otherwise all pending calls have failed with the returned status.
 */
NTSTATUS resume_continue(struct vail *vail);

/*
 * Call when vaild has closed the connection: fails the calls that cannot be repeated and reconnects
 * for the others. Returns STATUS_CONNECTION_DISCONNECTED if no call is left.
 */
NTSTATUS resume_calls(struct vail *vail);

/* ---- call.c ---- */

/*
 * Begins a call by the user: discards error details and fds of the previous call. Does nothing
 * inside a callback, where those of the current reply are still needed.
 */
void handle_begin_call(struct vail *vail);

/*
 * Queues a copy of the call and sends it as far as possible without blocking. Returns
 * STATUS_SUCCESS; otherwise sets the error and never calls the handler.
 */
NTSTATUS call_submit(struct vail *vail, const CallRequest *request, const PendingCall *call);

/*
 * Sends and receives without blocking and runs the handlers of the replies. Returns STATUS_SUCCESS,
 * or the reason why the connection was lost.
 */
NTSTATUS handle_pump(struct vail *vail);

/* The handler of calls that the user submits: passes the reply to call->reply. */
bool reply_to_caller(struct vail *vail, const PendingCall *call, Reply *reply);

/* ---- call-wait.c ---- */

/*
 * Calls a method and waits for its only reply. On success *ret_message is the reply, which the
 * caller frees. *ret_parameters is borrowed from it, and NULL if the reply has no parameters.
 * Returns the status of the reply or of the failure.
 */
NTSTATUS call_blocking(struct vail *vail, const CallRequest *request, JsonValue **ret_message,
		       JsonValue **ret_parameters);

static inline void free_message(JsonValue **message)
{
	json_free(*message);
}

#endif
