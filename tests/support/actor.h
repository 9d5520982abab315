/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_ACTOR_H
#define TESTS_SUPPORT_ACTOR_H

#include <limits.h>

#include "tests/support/helper.h"

/*
 * An actor is a child process that runs as a given user and sends requests to the daemon on its own
 * connection. It obeys commands of its parent and reports the reply, the fds that came with it, and
 * the number of its open fds in /proc/self/fd. It does not use libvail. Only root can start actors.
 */
typedef struct Actor {
	pid_t pid;
	int channel; /* carries commands to the actor and its reports back */
} Actor;

#define ACTOR_TEXT_SIZE  1024
#define ACTOR_REPLY_SIZE (64 << 10)
#define ACTOR_PLANES_MAX 3
#define ACTOR_GROUPS_MAX 32

typedef enum ActorCommandKind {
	ACTOR_REQUEST,         /* sends text, and holds the fds that arrive */
	ACTOR_SHARE,           /* sends text with new memory for each plane */
	ACTOR_CLOSE,           /* closes the fds that it holds under tag */
	ACTOR_LOOK,            /* only reports */
	ACTOR_SET_GROUPS,      /* sets its supplementary groups */
	ACTOR_SEND_CONNECTION, /* sends a copy of its connection to the parent */
	ACTOR_USE_CONNECTION,  /* replaces its connection with the one that the parent sends */
	ACTOR_RECONNECT,       /* closes its connection and opens a new one */
} ActorCommandKind;

typedef struct ActorCommand {
	ActorCommandKind kind;
	unsigned int tag; /* identifies the fds that arrive, for ACTOR_CLOSE */
	unsigned int planes;
	unsigned int memories; /* memfds that the planes use in turn; 0 for one per plane */
	size_t group_count;
	gid_t groups[ACTOR_GROUPS_MAX];
	char text[ACTOR_TEXT_SIZE];
} ActorCommand;

/* An fd, as fstat() and F_GETFL describe it. */
typedef struct Arrived {
	ino_t inode;
	int access; /* O_RDONLY or O_RDWR */
} Arrived;

/* The report of an actor after each command. */
typedef struct ActorReport {
	char status[48]; /* of the reply; "closed" or "silent" if there is no reply */
	size_t rights;   /* number of fds that came with the reply */
	Arrived arrived[ACTOR_PLANES_MAX];
	Arrived shared[ACTOR_PLANES_MAX]; /* the memory that it made for the planes */
	size_t open_fds;                  /* open fds, without those that it started with */
	bool unasked;                     /* the connection has data that it did not ask for */
	size_t reply_length;
	char reply[ACTOR_REPLY_SIZE]; /* only sent up to its NUL */
} ActorReport;

/* Starts a process that becomes the user, connects to the daemon and waits for commands. */
Actor actor_start(const char *socket, const char *user);

/*
 * Ends the process and waits for it. If signal is 0, it closes the channel, so that the process
 * exits by itself; otherwise it sends the signal.
 */
void actor_end(Actor *actor, int signal);

/* Sends a command without waiting, so that several actors can work at the same time. */
void actor_send(const Actor *actor, const ActorCommand *command);

/* Waits for the report on a command. It is valid until the next call. */
const ActorReport *actor_receive(const Actor *actor);

/* Send a command or a request and wait for the report. */
const ActorReport *actor_execute(const Actor *actor, const ActorCommand *command);
const ActorReport *actor_request(const Actor *actor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Makes the borrower use the lender's connection, which both share from then on. */
void actor_lend_connection(const Actor *lender, const Actor *borrower);

/* Fills in a command that shares an object with this number of planes for the VM. */
void command_share(ActorCommand *command, const char *guid, unsigned int planes, bool writes);

/* Counts the open fds of a process; folder is its /proc/PID/fd. */
size_t count_fds(const char *folder);

#endif
