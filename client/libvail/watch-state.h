/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_WATCH_STATE_H
#define CLIENT_LIBVAIL_WATCH_STATE_H

/*
 * Remembers which entities a watch has reported, each with the event that reported it. Comparing
 * this with what vaild reports after a restart yields the changes in between.
 */

#include <stdbool.h>
#include <sys/queue.h>

#include "proto/json.h"

/* An entity that exists, or a holder of a shared object. */
typedef struct WatchedItem {
	TAILQ_ENTRY(WatchedItem) link;
	char *key;      /* kind and identifier; unique among existing items */
	char *identity; /* distinguishes it from an earlier item with the same key */
	char *event;    /* the event that reported it, as JSON text; NULL for a holder */
	char *holder;   /* the holder as JSON text; NULL for an entity */
	char *object;   /* key of the object that it holds; NULL for an entity */
} WatchedItem;

typedef struct WatchState {
	TAILQ_HEAD(WatchedItemList, WatchedItem) list; /* in the order of arrival */
	void *tree;                                    /* a tsearch() tree by key */
} WatchState;

void watch_state_init(WatchState *state);
void watch_state_deinit(WatchState *state);

/* Moves all items of from into to, which must be empty. */
void watch_state_move(WatchState *to, WatchState *from);

/* Applies an event of vaild. Returns false if out of memory. */
bool watch_state_apply(WatchState *state, const JsonValue *event);

/* Receives an event as JSON text. Returns false if the user wants no more. */
typedef bool (*WatchStateReporter)(const char *event, void *context);

typedef enum WatchStateResult {
	WATCH_STATE_REPORTED, /* all changes were reported */
	WATCH_STATE_STOPPED,  /* the reporter returned false */
	WATCH_STATE_NO_MEMORY,
} WatchStateResult;

/*
 * Reports the changes between two states: first the items that ended, the latest first, then the
 * items that began.
 */
WatchStateResult watch_state_diff(const WatchState *before, const WatchState *after,
				  JsonParser *parser, WatchStateReporter report, void *context);

#endif
