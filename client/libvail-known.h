/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_KNOWN_H
#define LIBVAIL_KNOWN_H

/*
 * What a watch has told of what there is: each thing by the event of its coming. With what a vaild
 * that came back tells of the same, it says what has changed meanwhile.
 */

#include <stdbool.h>
#include <sys/queue.h>

#include "json.h"

/* A thing that exists, or a holder of an object. */
typedef struct Known {
	TAILQ_ENTRY(Known) link;
	char *key;      /* what it is, and which: as long as it lasts no other has the same */
	char *identity; /* tells it from an earlier one that had the same key */
	char *event;    /* that it came with, as JSON text; NULL for a holder */
	char *holder;   /* as JSON text; NULL for what is none */
	char *object;   /* the key of the object that it holds, likewise */
} Known;

typedef struct Knowledge {
	TAILQ_HEAD(KnownList, Known) list; /* in the order in which they came */
	void *tree;                        /* of tsearch(), by key */
} Knowledge;

void knowledge_init(Knowledge *knowledge);
void knowledge_deinit(Knowledge *knowledge);

/* Moves all of the second into the first, which is empty. */
void knowledge_move(Knowledge *to, Knowledge *from);

/* Applies an event of vaild. Returns false when there is no memory. */
bool knowledge_apply(Knowledge *knowledge, const JsonValue *event);

/* Is given an event as JSON text. Returns whether it wants more. */
typedef bool (*KnowledgeTeller)(const char *event, void *context);

typedef enum KnowledgeResult {
	KNOWLEDGE_TOLD,
	KNOWLEDGE_STOPPED, /* no more is wanted */
	KNOWLEDGE_NO_MEMORY,
} KnowledgeResult;

/* Tells what has gone from the one to the other, last come first, and then what has come. */
KnowledgeResult knowledge_compare(const Knowledge *before, const Knowledge *after,
				  JsonParser *parser, KnowledgeTeller tell, void *context);

#endif
