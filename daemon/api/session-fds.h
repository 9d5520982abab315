/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_SESSION_FDS_H
#define DAEMON_API_SESSION_FDS_H

#include "daemon/api/session.h"

/* The fds of a session. Received fds belong to a message, and fds to send belong to a reply. */

/* Fds to send with the first byte of a reply. */
typedef struct OutgoingFds {
	size_t begin; /* offset of the reply in the output */
	size_t end;   /* offset of its end */
	int items[OBJECT_FDS_MAX];
	size_t count;
	bool are_sockets;   /* closed by a child process, because a client may have sent fds on them
			     */
	bool are_of_viewer; /* the viewer's end of a display channel */
	Handle display;     /* of that channel */
	STAILQ_ENTRY(OutgoingFds) link;
} OutgoingFds;

typedef STAILQ_HEAD(OutgoingFdsList, OutgoingFds) OutgoingFdsList;

/*
 * The fds of one session, allocated only if it has any.
 *
 * Fds are received only from callers that may share. The first ones belong to the partial message
 * that began earlier. The others arrived with the last bytes and belong to the last message begun
 * in it. All are closed when their message has been answered, because shared objects use the
 * daemon's own fds.
 */
struct SessionFds {
	size_t carried; /* from earlier receives */
	size_t count;
	int items[LIMIT_MESSAGE_FDS];
	OutgoingFdsList outgoing; /* in the order of the output */
};

/* --- for the connection ---------------------------------------------------------------------- */

/*
 * Adds an fd that arrived with the last bytes, and takes ownership. If there is no room,
 * discards it and sets a flag in *metadata, so that its message is refused.
 */
void session_fd_arrived(Session *session, int fd, InputMetadata *metadata);

/* Call after sending size bytes of output, and with them the fds of replies that begin there. */
void session_sent(Session *session, size_t size);

/* Returns the first fds to send, or NULL if no fds wait. */
OutgoingFds *session_outgoing_fds(const Session *session);

/* --- for the session ------------------------------------------------------------------------- */

/*
 * Counts the fds of the first message in the input, which come first in the array: those from
 * earlier receives and, if is_last (no other message begins behind it), those of the last one.
 */
size_t session_count_fds(const Session *session, bool is_last);

/* Discards the first count fds, whose message has been answered. */
void session_discard_fds(Session *session, size_t count);

/* Ends a receive: the remaining fds belong to the partial message in the input. */
void session_carry_fds(Session *session);

/* Allocates room for the fds of a reply. Returns NULL if out of memory. */
OutgoingFds *session_prepare_outgoing(Session *session);

/* Frees unused room, which may be NULL. */
void session_discard_outgoing(Session *session, OutgoingFds *outgoing);

/*
 * Moves the request's fds for the reply into outgoing, and takes ownership of outgoing. begin and
 * end are the offsets of the reply in the output.
 */
void session_add_outgoing(Session *session, OutgoingFds *outgoing, Request *request, size_t begin,
			  size_t end);

/* Sends a socket with a reply, in the same way. Takes ownership of it. */
void session_add_socket(Session *session, OutgoingFds *outgoing, int fd, size_t begin, size_t end);

/*
 * Closes the request's fds for the reply that were not moved into an OutgoingFds. Ends the display
 * channel whose viewer thus does not get its end.
 */
void session_release_outgoing(Request *request);

/*
 * Closes the fds of all replies that begin at or after begin, because those are discarded. Ends the
 * display channels whose viewers thus do not get their ends.
 */
void session_cancel_outgoing(Session *session, size_t begin);

#endif
