/* SPDX-License-Identifier: MIT */
#include "daemon/core/handle-entry.h"

#include "daemon/core/broker.h"

static int named_compare(const Named *a, const Named *b)
{
	return handle_compare(&a->handle, &b->handle);
}

TREE_GENERATE(NamedTree, Named, by_handle, named_compare)

bool named_is_taken(Broker *broker, const Handle *handle)
{
	return RB_FIND(NamedTree, &broker->named, &(Named){ .handle = *handle }) != NULL;
}

void named_prepare(Broker *broker, Named *named, NamedType type)
{
	named->type = type;
	do
		broker->host->random_bytes(broker->host->self, &named->handle,
					   sizeof(named->handle));
	while (named_is_taken(broker, &named->handle));
}

void named_insert(Broker *broker, Named *named)
{
	RB_INSERT(NamedTree, &broker->named, named);
}

void named_add(Broker *broker, Named *named, NamedType type)
{
	named_prepare(broker, named, type);
	named_insert(broker, named);
}

void named_remove(Broker *broker, Named *named)
{
	RB_REMOVE(NamedTree, &broker->named, named);
}

void named_change(Broker *broker, Named *named, const Handle *handle)
{
	named_remove(broker, named);
	named->handle = *handle;
	named_insert(broker, named);
}

Named *named_find(Broker *broker, NamedType type, const Handle *handle)
{
	Named *named = RB_FIND(NamedTree, &broker->named, &(Named){ .handle = *handle });

	return named && named->type == type ? named : NULL;
}
