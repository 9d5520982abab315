/* SPDX-License-Identifier: MIT */
#include "tests/bench/va/spaces.h"

#include <stdlib.h>

#include "tests/bench/va/reference-tree.h"
#include "tests/support/measure.h"

static void *allocate_or_fail(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		bench_fail("out of memory");
	return memory;
}

/* --- ours ------------------------------------------------------------------------------------ */

typedef struct Object {
	Range range;
	uint64_t allocation;
	uint64_t rest;
} Object;

static void *ours_create(uint64_t end, uint64_t alignment)
{
	RangeTree *tree = allocate_or_fail(sizeof(*tree));

	range_tree_init(tree, end, alignment);
	return tree;
}

static void ours_destroy(void *space)
{
	range_tree_deinit(space, NULL);
	free(space);
}

static Object *ours_insert(RangeTree *tree, const RangePlace *place)
{
	Object *object = allocate_or_fail(sizeof(*object));

	if (!range_tree_prepare(tree))
		bench_fail("out of memory");
	range_tree_insert(tree, place, &object->range);
	return object;
}

static void *ours_allocate(void *space, const RangeRequest *request)
{
	RangePlace place;

	return range_tree_choose(space, request, &place) ? ours_insert(space, &place) : NULL;
}

static void *ours_take(void *space, uint64_t first, uint64_t end)
{
	RangePlace place;

	return range_tree_place_at(space, first, end, &place) ? ours_insert(space, &place) : NULL;
}

static void ours_release(void *space, void *object)
{
	range_tree_remove(space, &((Object *)object)->range);
	free(object);
}

static uint64_t ours_first(const void *object)
{
	return ((const Object *)object)->range.first;
}

const SpaceKind ours = {
	.name = "vaild",
	.create = ours_create,
	.destroy = ours_destroy,
	.allocate = ours_allocate,
	.take = ours_take,
	.release = ours_release,
	.first = ours_first,
};

/* --- the reference --------------------------------------------------------------------------- */

typedef struct ReferenceObject {
	ReferenceRange range;
	uint64_t allocation;
	uint64_t rest;
} ReferenceObject;

static void *reference_create(uint64_t end, uint64_t alignment)
{
	(void)alignment;
	ReferenceTree *tree = allocate_or_fail(sizeof(*tree));

	reference_tree_init(tree, end);
	return tree;
}

static ReferenceObject *reference_insert(ReferenceTree *tree, const ReferencePlace *place)
{
	ReferenceObject *object = allocate_or_fail(sizeof(*object));

	reference_tree_insert(tree, place, &object->range);
	return object;
}

static void *reference_allocate(void *space, const RangeRequest *request)
{
	ReferencePlace place;

	return reference_tree_choose(space, request, &place) ? reference_insert(space, &place)
							     : NULL;
}

static void *reference_take(void *space, uint64_t first, uint64_t end)
{
	ReferencePlace place;

	if (!reference_tree_place_at(space, first, end, &place))
		return NULL;
	return reference_insert(space, &place);
}

static void reference_release(void *space, void *object)
{
	reference_tree_remove(space, &((ReferenceObject *)object)->range);
	free(object);
}

static uint64_t reference_first(const void *object)
{
	return ((const ReferenceObject *)object)->range.first;
}

const SpaceKind reference = {
	.name = "reference",
	.create = reference_create,
	.destroy = free,
	.allocate = reference_allocate,
	.take = reference_take,
	.release = reference_release,
	.first = reference_first,
};
