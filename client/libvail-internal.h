/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_INTERNAL_H
#define LIBVAIL_INTERNAL_H

/*
 * How libvail works inside.
 *
 *   libvail.c             handles, timeouts, error details
 *   libvail-connection.c  the socket: connect, send and receive without waiting
 *   libvail-absence.c     waiting for the socket of a vaild that is not there
 *   libvail-descriptors.c descriptors that travel with messages
 *   libvail-request.c     from method and parameters to bytes
 *   libvail-reply.c       from JSON to status and error details
 *   libvail-queue.c       the queue of calls, and how it is lost
 *   libvail-call.c        what is sent and received, and everything that calls back
 *   libvail-resume.c      what is asked again when vaild has gone and come back
 *   libvail-wait.c        calls that wait for their replies
 *   libvail-parameters.c  what the typed calls share: parameters written, replies read
 *   libvail-listing.c     the same for lists, which come one item a reply
 *   libvail-methods.c     the typed calls for processes and VMs, each a few lines on top
 *   libvail-gpu.c         those for adapters, GPU processes and their address spaces
 *   libvail-object.c      those for shared objects, with -info.c, which reads what is told of them
 *   libvail-object-open.c objects that are open, with -read.c, and libvail-guard.c under it
 *   libvail-memory.c      memory to share, and its seals
 *   libvail-watch.c       events, with -event.c, which reads them
 *   libvail-known.c       what a watch has told, to go on from when vaild comes back
 *
 * What always holds between calls of the library: calls under way are queued in the order in which
 * they were sent, which is the order of their replies, and as long as one is queued there is a
 * connection, or a wait for one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buffer.h"
#include "json.h"
#include "libvail-absence.h"
#include "libvail-descriptors.h"
#include "macros.h"
#include "vail.h"

#define SOCKET_PATH_DEFAULT  "/run/vaild/vaild.sock"
#define SOCKET_PATH_VARIABLE "VAILD_SOCKET"

/* A reply that is longer is none of vaild's, which bounds its own at 1 MiB. */
#define REPLY_SIZE_MAX (64u << 20)

/* No call joins a queue whose messages have more bytes: vaild is away, or takes nothing. */
#define QUEUED_MAX (64u << 20)

/* One request. Nothing in it is its own. */
typedef struct Request {
	const char *method;
	const char *parameters; /* JSON text; NULL for none */
	const int *descriptors;
	size_t descriptor_count;
	bool more;
	bool oneway;
	bool to_known; /* only on a connection on which vaild has answered */
} Request;

/* One reply. Who decodes it owns it; a handler may take message and descriptors away. */
typedef struct Reply {
	NTSTATUS status;
	JsonValue *message;    /* all of it; NULL where none came */
	JsonValue *parameters; /* inside the message; NULL where it has none */
	bool continues;
	Descriptors descriptors;
} Reply;

typedef struct Call Call;

/* Returns whether to go on, as a VailReply does. */
typedef bool (*ReplyHandler)(struct vail *vail, const Call *call, Reply *reply);

/* A call under way. The queue owns it. */
struct Call {
	Call *next;
	bool more;
	ReplyHandler handler;
	/* The connection is lost, and another will be made: returns whether to ask there again,
	 * from the beginning. NULL for a call that has nothing of its own to say about that. */
	bool (*interrupted)(struct vail *vail, const Call *call);
	VailReply reply; /* the caller's; NULL for a call of the library's own */
	void *context;   /* for the caller's reply, or for the handler */

	Buffer message; /* with its NUL, to be sent again */
	uint64_t end;   /* where it ends in all that is sent */
	bool has_descriptors;
	bool is_repeatable; /* by its method */
	bool was_told;      /* a reply that continues has come */
	bool was_sent;      /* on a connection that is lost: vaild may have seen it whole */
	unsigned int lost;  /* connections */
};

/* Owns its texts; each may be NULL. */
typedef struct ErrorDetails {
	char *message;
	char *name;
	char *parameter;
	char *limit;
	uint64_t maximum;
	uint64_t used;
} ErrorDetails;

struct vail {
	char *path;
	int timeout;         /* milliseconds; negative: none */
	int descriptor;      /* -1 when not connected */
	pid_t owner;         /* who connected; a child of fork() is somebody else */
	uint64_t generation; /* grows when a connection is closed */
	uint64_t replies;    /* grows with each reply */
	bool is_known;       /* vaild has answered on this connection, or on the last one */
	bool was_there;      /* there was a connection once */
	bool in_reply;       /* a handler is running */
	bool closing;        /* nothing more is submitted */
	bool resumes;        /* calls and watches outlive their connection */
	bool is_waiting;     /* for the next one, to ask what is queued */
	Absence absence;
	Buffer input;
	size_t scanned; /* bytes of the input that hold no NUL */
	Buffer output;
	uint64_t input_position;  /* where the input's head is in all that came, and the output's */
	uint64_t output_position; /* in all that went, so that parcels find their messages */
	Parcels received;
	Parcels sending;
	Descriptors descriptors; /* of the reply that the user can see now */
	Call *first;
	Call **end;    /* where the next one is hung */
	size_t queued; /* bytes of their messages */
	JsonParser *parser;
	ErrorDetails error;
};

/* ---- libvail.c ---- */

void error_details_deinit(ErrorDetails *details);
void vail_error_clear(struct vail *vail);

/* Records the sentence, and nothing else, as what went wrong. Returns status. */
_printf_(3, 4) NTSTATUS vail_error_set(struct vail *vail, NTSTATUS status, const char *format, ...);

NTSTATUS vail_error_no_memory(struct vail *vail);

/* ---- libvail-connection.c ---- */

typedef enum Received {
	RECEIVED_BYTES,   /* they are in the input */
	RECEIVED_NOTHING, /* nothing more for now */
	RECEIVED_END,     /* the other side has closed */
	RECEIVED_NO_MEMORY,
	RECEIVED_NO_DESCRIPTORS,    /* this process has no room for those that came */
	RECEIVED_STRAY_DESCRIPTORS, /* of no message */
} Received;

/* Connects. Where vaild's queue of connections is full, and it may wait, that is up to the timeout.
 */
NTSTATUS connection_open(struct vail *vail, bool may_wait);

/* Closes, and forgets what was on its way. Calls under way are the caller's affair. */
void connection_close(struct vail *vail);

/* Whether an idle connection is of no use any more, because vaild has closed it. */
bool connection_is_stale(const struct vail *vail);

/* Sends what can be sent without waiting, parcels with their messages; the rest stays in the
 * output. Where vaild has closed, the output is dropped: what vaild said before that is still to be
 * received. */
void connection_flush(struct vail *vail);

/* Receives once, without waiting. After one of the last three the connection is of no use. */
Received connection_receive(struct vail *vail);

/* ---- libvail-request.c ---- */

/*
 * Appends the request and its NUL to out, after a look at it with vaild's own eyes: a message that
 * vaild would take for malformed costs the connection, and so is refused here.
 */
NTSTATUS request_encode(struct vail *vail, const Request *request, Buffer *out);

/* ---- libvail-reply.c ---- */

void reply_deinit(Reply *reply);

/*
 * Takes reply->message apart into the other fields and the handle's error details. Returns
 * STATUS_INVALID_NETWORK_RESPONSE when it is no reply to a call that may (more) continue.
 */
NTSTATUS reply_decode(struct vail *vail, Reply *reply, bool more);

/* ---- libvail-queue.c ---- */

void call_free(Call *call);

void queue_append(struct vail *vail, Call *call);
Call *queue_take_first(struct vail *vail);

/* Returns the first, with the others behind it. */
Call *queue_take_all(struct vail *vail);

/* Hands the reply to the call's handler. Returns whether to go on. */
bool call_handle(struct vail *vail, const Call *call, Reply *reply);

/* Tells a call, which is in no queue, that it ended with this status, and frees it. */
void call_lose(struct vail *vail, Call *call, NTSTATUS status);

/* Ends the connection, or the wait for one, and tells every call under way that it ended with this
 * status. */
void calls_lose(struct vail *vail, NTSTATUS status);

/* ---- libvail-resume.c ---- */

/* Whether nothing is lost when vaild carries it out twice. */
bool method_is_repeatable(const char *method);

/* Whether a failure to connect is one that passes. */
bool may_come_back(const struct vail *vail, NTSTATUS status);

/* Begins to wait for vaild, or goes on with that. When it fails every call was told. */
NTSTATUS wait_for_vaild(struct vail *vail);

/* Ends the wait where nothing is queued for it. */
void wait_end_if_idle(struct vail *vail);

/* While it waits: something has happened. Returns why the calls under way were lost. */
NTSTATUS wait_go_on(struct vail *vail);

/* vaild has closed the connection. What cannot go on is told so; the rest is asked again. Returns
 * STATUS_CONNECTION_DISCONNECTED when nothing is left that goes on. */
NTSTATUS calls_interrupt(struct vail *vail);

/* ---- libvail-call.c ---- */

/* Begins a call of the library's user: what the last one has left on the handle goes. Not so inside
 * a reply. */
void vail_begin(struct vail *vail);

/* Puts the call's message behind the output. Returns false when there is no memory. */
bool call_put(struct vail *vail, Call *call);

/* Queues a copy of the call, and sends what can be sent. */
NTSTATUS call_submit(struct vail *vail, const Request *request, const Call *call);

/* Sends and receives what is possible without waiting. Returns why the connection was lost. */
NTSTATUS vail_pump(struct vail *vail);

/* The handler of what the library's users submit: calls call->reply. */
bool reply_to_caller(struct vail *vail, const Call *call, Reply *reply);

/* ---- libvail-wait.c ---- */

/* Calls and waits. The caller frees the reply's message, which holds *ret_parameters (NULL where it
 * has none). */
NTSTATUS vail_call_value(struct vail *vail, const Request *request, JsonValue **ret_message,
			 JsonValue **ret_parameters);

static inline void free_message(JsonValue **message)
{
	json_free(*message);
}

#endif
