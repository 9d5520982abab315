/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_ACTOR_H
#define SYSTEM_ACTOR_H

#include <limits.h>

#include "tool.h"

/*
 * A process of a user's that talks to the daemon on a socket of its own, as it is told to, and says
 * what the kernel brought it: it receives with room for descriptors whatever it asked for, and
 * looks in its own /proc/self/fd. There is no library of vaild's in between. Whoever starts one has
 * to be root.
 */
typedef struct Actor {
	pid_t pid;
	int channel;
} Actor;

#define ACTOR_TEXT_SIZE  1024
#define ACTOR_REPLY_SIZE (64 << 10)
#define ACTOR_PLANES_MAX 3
#define ACTOR_GROUPS_MAX 32

typedef enum OrderKind {
	ORDER_ASK,     /* text: a request; what arrives is kept */
	ORDER_SHARE,   /* the same, with new memory of so many planes */
	ORDER_DROP,    /* closes what was kept under tag */
	ORDER_LOOK,    /* only tells what it has */
	ORDER_GROUPS,  /* changes its groups */
	ORDER_LEND,    /* gives its connection to who commands it */
	ORDER_TAKE,    /* from now on talks on the connection that comes with the order */
	ORDER_CONNECT, /* anew, and lets go of the connection that it had */
} OrderKind;

typedef struct Order {
	OrderKind kind;
	unsigned int tag; /* what descriptors that arrive are kept under */
	unsigned int planes;
	unsigned int memories; /* that the planes are of, in turns; 0: as many as planes */
	size_t group_count;
	gid_t groups[ACTOR_GROUPS_MAX];
	char text[ACTOR_TEXT_SIZE];
} Order;

/* What the kernel says of a descriptor. */
typedef struct Arrived {
	ino_t inode;
	int access; /* O_RDONLY, O_RDWR */
} Arrived;

typedef struct Seen {
	char status[48]; /* of the answer; "closed" or "silent" where there is none */
	size_t rights;   /* descriptors that came with it, by the kernel's control messages */
	Arrived arrived[ACTOR_PLANES_MAX];
	Arrived shared[ACTOR_PLANES_MAX]; /* the memory that it made and sent */
	size_t kept;                      /* open in /proc/self/fd, beyond those it began with */
	bool unasked;                     /* its connection has something that it did not ask for */
	size_t reply_length;
	char reply[ACTOR_REPLY_SIZE]; /* to its NUL alone */
} Seen;

/* Becomes the user as a login would, connects, and waits for orders. */
Actor actor_start(const char *socket, const char *user);

/* Waits until the process is gone: by itself, or killed where signal is SIGKILL. */
void actor_end(Actor *actor, int signal);

/* An order can be given before the last actor's answer is heard: then both are at work. */
void actor_tell(const Actor *actor, const Order *order);
const Seen *actor_hear(const Actor *actor); /* good until the next */

/* One after the other. */
const Seen *actor_do(const Actor *actor, const Order *order);
const Seen *actor_connect(const Actor *actor);
const Seen *actor_ask(const Actor *actor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* From now on the borrower talks on the lender's connection, too. */
void actor_lend(const Actor *lender, const Actor *borrower);

/* Fills in a request to share so many planes of memory for the VM. */
void order_to_share(Order *order, const char *guid, unsigned int planes, bool writes);

/* The number that the kernel knows of what the process has open. Any process. */
size_t count_descriptors(const char *folder);

#endif
