/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_STREAM_H
#define DAEMON_API_STREAM_H

#include "daemon/api/event-queue.h"
#include "daemon/api/methods.h"

/*
 * A call whose reply needs more than one step: a list or a watch. Replies about existing entities
 * are produced only as the caller reads them, in the order of serials. Later requests of the
 * connection wait for the end of the stream.
 *
 * A watch begins with one event for each existing entity, then one of kind current, then each
 * change once, in order. Before the event current, a change of an entity that was already sent is
 * sent in between. A change of a later entity is not, because its first event will include it.
 * Changes wait in a queue of the watch. If it exceeds its bound, the watch is dropped.
 */
typedef struct Session Session;

struct Stream {
	Session *session;
	const Method *method;
	char terminator;
	ListCursor cursor; /* of a watch: its position is the serial of the last entity looked at */

	/* Only for a list. */
	Handle subject;  /* the entity that the list belongs to; 0 for most lists */
	bool is_whole;   /* the whole list is one reply, because the request has no "more" */
	bool is_counted; /* the whole list is not too long, and is written to reply */
	Buffer reply;
	Writer writer;

	/* Only for a watch. */
	bool is_watch;
	bool is_current;     /* all existing entities and the event current were sent */
	bool is_over;        /* the last event was sent, or is in the queue */
	bool is_dropped;     /* out of memory or not read; the connection has to be closed */
	uint64_t newest_end; /* number of the newest end that had begun before the watch */
	bool has_machine;    /* watches one VM instead of all that the caller may watch */
	Guid machine; /* also for a list: only entities of this VM, nil for all; and a server */
	EventQueue events;
	Charge charge;
	TAILQ_ENTRY(Stream) link; /* in Service.watches */

	/* Only for ServeDisplays, which also uses is_current, is_over, is_dropped and events. */
	bool serves_displays;
	DisplayServer server;
	LIST_ENTRY(Stream) of_servers; /* in Service.display_streams */

	/* Only for a watch: its place in the index. */
	uint64_t number;    /* its own; at least 1 */
	bool is_full;       /* its caller saw everything when it was filed */
	ProcessKey process; /* the caller's */
	uid_t uid;          /* the caller's */
	LIST_ENTRY(Stream) of_full;
	RB_ENTRY(Stream) by_process;
	RB_ENTRY(Stream) by_uid;
	uint64_t last_visit; /* the value of Service.watch_visits when it was visited last */
};

/* Returns NULL if out of memory. */
Stream *stream_new(Session *session, const Method *method, char terminator);

/* Frees the stream, which may be NULL. Returns NULL. */
Stream *stream_free(Stream *stream);

typedef enum StreamStep {
	STREAM_CONTINUES, /* call again; perhaps a reply was written */
	STREAM_WAITS,     /* no reply until the next event */
	STREAM_SEARCHES,  /* no reply until the host has finished, as with STATUS_PENDING */
	STREAM_ENDS,      /* the last reply was written */
	STREAM_BREAKS,    /* out of memory, or dropped; the connection has to be closed */
} StreamStep;

/* Does the next step, which never takes long, and may append replies to out. */
StreamStep stream_next(Stream *stream, Buffer *out);

/*
 * Turns the stream into a watch for the request's caller and VM, and charges the caller. Returns as
 * charge_take().
 */
NTSTATUS stream_watch(Stream *stream, Request *request);

/*
 * Sends the event to the display server that it concerns, and to every watch whose caller may see
 * it. Other streams cost nothing.
 */
void streams_send(Service *service, const Event *event);

/* Call after the rights of callers have changed. */
void watches_reclassify(Service *service);

/* Tests whether the connection has to be closed because of the stream, which may be NULL. */
bool stream_is_dropped(const Stream *stream);

/* Returns the number of bytes that wait in the stream, which may be NULL. */
size_t stream_unread(const Stream *stream);

#endif
