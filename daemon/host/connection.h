/* SPDX-License-Identifier: MIT */
#ifndef HOST_CONNECTION_H
#define HOST_CONNECTION_H

#include <event2/event_struct.h>

#include "half-message.h"
#include "owner.h"
#include "process-table.h"
#include "session.h"

/*
 * A socket and its session: receives bytes with what the kernel says of their sender, sends what
 * the session answers, and keeps to the bounds on memory and time. An idle connection holds no
 * buffer; one pair of buffers is lent to whichever connection is being served.
 */
struct Connection {
	struct Server *server;
	Owner *owner;
	HostProcess *process;      /* referred to; NULL where there is none */
	int socket;                /* -1 once it was shut */
	short waits_for;           /* EV_READ, EV_WRITE or EV_TIMEOUT: what the event is set to */
	bool takes_descriptors;    /* the caller is a VMM or an agent, who may send some */
	bool may_hold_descriptors; /* somebody may have queued some: its close can hang */
	bool is_ready;             /* in the list of those whose watch has something to tell */
	uint32_t unread;           /* bytes of output counted with the owner */
	struct event event;
	Caller caller;
	Session session;
	Buffer output;
	Charge charge;
	MessageTimeout message_timeout;
	TAILQ_ENTRY(Connection) of_owner;
	TAILQ_ENTRY(Connection) link; /* in Connections.ready, or once shut in Connections.dead */
};

typedef TAILQ_HEAD(ConnectionList, Connection) ConnectionList;

/* What connections share. */
typedef struct Connections {
	struct Server *server;
	Buffer spare_input;
	Buffer spare_output;
	MessageTimeouts message_timeouts;
	ConnectionList ready; /* to be pumped at the end of the turn */
	ConnectionList dead;  /* shut in this turn, freed at its end */
	struct event ready_event;
	struct event bury_event;
} Connections;

void connections_init(Connections *connections, struct Server *server);

/* Shuts and frees all that are left. */
void connections_deinit(Connections *connections);

/* Serves a new socket, and takes it. Returns a negative errno, with the socket still the caller's,
 * when there was no room to find out whose it is. */
int connection_open(struct Server *server, int socket);

/* Takes and closes a socket that could not be served. */
void connection_give_up(struct Server *server, int socket);

/* Closes it now; it is freed at the end of the turn. Idempotent. */
void connection_shut(Connection *connection);

/* The session's watch has something to tell. */
void connection_watch_ready(Session *session);

/* After a change of VMs: who may send descriptors may be another. */
void connections_find_sharers(Connections *connections);

/* After a reload: who is an operator may be another. */
void connections_reclassify(Connections *connections);

#endif
