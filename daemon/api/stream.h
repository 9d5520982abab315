/* SPDX-License-Identifier: MIT */
#ifndef API_STREAM_H
#define API_STREAM_H

#include "methods.h"

/*
 * A call that is answered by many replies: a list, or a watch. What exists is produced only as it
 * is read, in the order of serials; requests behind the stream wait for its end.
 *
 * A watch begins with one event for each thing that exists, then one of kind current, then each
 * change once, in order. While it is still telling what exists, the changes of what it has told
 * already are told in between, and those of what is yet to come are not: what comes tells them.
 * Changes wait in a buffer of the watch; one that lets them pass its bound is dropped.
 */
typedef struct Session Session;

struct Stream {
	Session *session;
	const Method *method;
	char terminator;
	uint64_t cursor; /* of a watch: serial of the last thing that was told */
	Handle subject;  /* of a list of what belongs to one thing */

	/* Of a watch. */
	bool is_watch;
	bool is_current;  /* all that existed was told */
	bool is_over;     /* the last event is in the buffer */
	bool is_dropped;  /* it did not read: the connection is to be closed */
	bool has_machine; /* it watches one VM, else all that the caller is entitled to */
	Guid machine;
	Buffer events;
	Charge charge;
	TAILQ_ENTRY(Stream) link; /* among the service's watches */
};

/* NULL when there is no memory. */
Stream *stream_new(Session *session, const Method *method, char terminator);

/* Returns NULL; NULL is fine. */
Stream *stream_free(Stream *stream);

typedef enum StreamStep {
	STREAM_GOES_ON, /* something was written; there may be more at once */
	STREAM_WAITS,   /* nothing to tell until something changes */
	STREAM_ENDS,    /* the last reply was written */
	STREAM_BREAKS,  /* it cannot go on: the connection is to be closed */
} StreamStep;

/* Writes the next replies. */
StreamStep stream_next(Stream *stream, Buffer *out);

/* Makes a watch of the stream, for the request's caller and VM. STATUS_SUCCESS or
 * STATUS_QUOTA_EXCEEDED. */
NTSTATUS stream_watch(Stream *stream, Request *request);

/* Tells every watch that may hear of it. */
void watches_tell(Service *service, const Event *event);

/* Whether it let too much wait, and is to be closed with its connection. NULL is fine. */
bool stream_is_dropped(const Stream *stream);

/* How many bytes of events wait in the stream. NULL is fine. */
size_t stream_unread(const Stream *stream);

#endif
