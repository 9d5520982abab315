/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_CONNECTION_H
#define DAEMON_HOST_NET_CONNECTION_H

#include <event2/event_struct.h>

#include "daemon/api/session.h"
#include "daemon/host/net/message-timeout.h"
#include "daemon/host/net/peer-user.h"
#include "daemon/host/process/process-table.h"
#include "daemon/host/turns.h"

/*
 * A socket and its session. Receives bytes together with the kernel's data about their sender,
 * sends the session's replies, and enforces the bounds on memory and time.
 *
 * Many connections are idle, so they have no buffers: all connections share one pair, which is lent
 * to the connection being served. Whatever else is seldom needed is allocated when it is.
 */
struct FoundProcess;

/* The searches and the room that a connection's request waits for. Exists only while it waits. */
typedef struct ConnectionWaits {
	Connection *connection;
	CallerSearch *search;             /* or NULL */
	SLIST_HEAD(, FoundProcess) found; /* see caller-search.c */
	bool waits_for_fdstore;           /* in PeerUser.storing */
	TAILQ_ENTRY(ConnectionWaits) of_storing;
	struct VmLook *look; /* see gpu-looks.c, or NULL */
	TAILQ_ENTRY(ConnectionWaits) of_look;
} ConnectionWaits;

/* The timeout of a partial message. */
typedef struct PartialMessage {
	MessageTimeout timeout;
	Connection *connection;
} PartialMessage;

struct Connection {
	PeerUser *user;
	HostProcess *process; /* a reference, or NULL if the peer has no process */
	int socket;           /* -1 after connection_shut() */
	uint32_t buffered;    /* bytes of input and output, included in the user's sum */
	short waits_for;      /* EV_READ, EV_WRITE or EV_TIMEOUT, as set in event; 0 for nothing */
	short ready;          /* events since its last turn */
	uint8_t useless_events; /* that came while it was waiting for its turn */
	bool takes_fds;         /* the caller is a VMM or an agent and may send fds */
	bool may_hold_fds;      /* fds may be queued, so that closing it can block */
	bool is_behind;         /* more input was there than one receive takes */
	struct event event;
	Task task;
	ConnectionWaits *waits; /* of the request that waits, or NULL */
	Caller caller;
	Session session;
	Buffer *unsent; /* output that the peer has not read, or NULL */
	Charge charge;
	PartialMessage *partial;      /* the timeout of a partial message, or NULL */
	TAILQ_ENTRY(Connection) link; /* of its user, or in Connections.dead */
};

typedef TAILQ_HEAD(ConnectionList, Connection) ConnectionList;

/* State shared by all connections. */
typedef struct Connections {
	struct Server *server;
	Buffer spare_input;
	Buffer spare_output;
	MessageTimeouts message_timeouts;
	MessageTimeouts linger_timeouts; /* for the rest of malformed messages */
	ConnectionList dead;             /* closed in this turn, to be freed at its end */
	struct event free_event;
} Connections;

void connections_init(Connections *connections, struct Server *server);

/* Closes and frees all connections. */
void connections_deinit(Connections *connections);

/*
 * Serves a new socket and takes ownership of it. If the peer is over its limit, sends the failure
 * and closes the socket, which counts as success. Closes the socket of a peer that has exited, too,
 * because its account may be unknown. Returns 0; or a negative errno if out of fds or
 * memory, and then the socket still belongs to the caller.
 */
int connection_accept(struct Server *server, int socket);

/* Takes ownership of a socket that connection_accept() could not serve, and closes it. */
void connection_give_up(struct Server *server, int socket);

/* Closes the socket now; the memory is freed at the end of the turn. Idempotent. */
void connection_shut(Connection *connection);

/* Lets the connection have a turn, because there is something to do for it. */
void connection_queue(Connection *connection);

/* The same for a session whose watch has events. A callback of the service. */
void connection_watch_ready(Session *session);

/* Updates which connections may send fds. Call for each event that changes sharers. */
void connections_update_fd_passing(Connections *connections, const Event *event);

/* Updates which callers are operators. Call after reloading the configuration. */
void connections_reclassify(Connections *connections);

/* --- between connection.c and connection-serve.c --------------------------------------------- */

/* The connection's task. Answers requests and sends replies until its turn has ended. */
bool connection_run(Task *task);

/* Waits for the first request. Returns false if out of memory, with the connection closed. */
bool connection_begin_to_read(Connection *connection);

/* Stops and frees the timeout of a partial message, and the unsent output. Idempotent. */
void connection_stop_timeout(Connection *connection);
void connection_drop_unsent(Connection *connection);

/* Updates the user's sum of buffered bytes. Call after the buffers have changed. */
void connection_account_buffered(Connection *connection);

/* Returns what the request waits for, allocated at the first call; NULL if out of memory. */
ConnectionWaits *connection_get_waits(Connection *connection);

/* Ends what the connection's request waited for. Call when it is answered, or at the end. */
void connection_end_waits(Connection *connection);

/* Reads the groups that were left unread at accept. Returns LOOKUP_FOUND or LOOKUP_EXHAUSTED. */
Lookup connection_read_groups(Connection *connection);

/*
 * If the user has more than LIMIT_BUFFERED_PER_UID bytes buffered, closes the connection with most
 * of them.
 */
void peer_user_shed_buffered(PeerUser *user);

#endif
