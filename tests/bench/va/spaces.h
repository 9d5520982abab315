/* SPDX-License-Identifier: MIT */
#ifndef SPACES_H
#define SPACES_H

#include "range-tree.h"

/*
 * Spaces of pages by one implementation or the other. A range is part of an object as large as the
 * daemon's, which is allocated when pages are taken and freed with them.
 */
typedef struct SpaceKind {
	const char *name;
	void *(*create)(uint64_t end);
	void (*destroy)(void *space); /* what was taken has been given back */
	/* Takes pages that fit the wish, or those. NULL: there are none, they are taken. */
	void *(*allocate)(void *space, const RangeWish *wish);
	void *(*take)(void *space, uint64_t first, uint64_t end);
	void (*give_back)(void *space, void *object);
	uint64_t (*first)(const void *object);
} SpaceKind;

extern const SpaceKind ours, reference;

#endif
