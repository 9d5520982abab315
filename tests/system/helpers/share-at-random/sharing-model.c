/* SPDX-License-Identifier: MIT */
#include "tests/system/helpers/share-at-random/sharing-model.h"

#define SUCCESS        "STATUS_SUCCESS"
#define DENIED         "STATUS_ACCESS_DENIED"
#define INVALID_HANDLE "STATUS_INVALID_HANDLE"
#define NOT_FOUND      "STATUS_NOT_FOUND"

/* --- users and roles ------------------------------------------------------------------------- */

const char *model_user(unsigned int actor)
{
	static const char *const users[MODEL_ACTORS] = {
		"vail-vmm", "vail-vmm",   "vail-vmm",   "vail-bob",   "vail-alice",
		"vail-vmm", "vail-alice", "vail-alice", "vail-alice", "vail-bob",
		"vail-bob", "vail-bob",   "vail-carol", "root",
	};

	return users[actor];
}

bool model_is_display_client(const char *user, unsigned int machine)
{
	static const char *const clients[MODEL_MACHINES][2] = {
		{ "vail-alice", "" },
		{ "vail-alice", "vail-bob" },
		{ "vail-bob", "" },
	};

	return strcmp(user, clients[machine][0]) == 0 || strcmp(user, clients[machine][1]) == 0;
}

bool model_is_operator(unsigned int actor)
{
	return strcmp(model_user(actor), "root") == 0 ||
	       strcmp(model_user(actor), "vail-carol") == 0;
}

bool model_may_share(unsigned int actor, unsigned int machine)
{
	return actor < MODEL_SHARERS && actor % MODEL_MACHINES == machine;
}

/* --- expected statuses ----------------------------------------------------------------------- */

const char *model_register_status(const Model *model, unsigned int actor, unsigned int machine)
{
	return model->registered[actor][machine] ||
			       model_is_display_client(model_user(actor), machine)
		       ? SUCCESS
		       : DENIED;
}

const char *model_unregister_status(const Model *model, unsigned int actor, unsigned int machine)
{
	return model->registered[actor][machine] ? SUCCESS : NOT_FOUND;
}

const char *model_open_status(const Model *model, unsigned int actor, unsigned int object)
{
	const ModelObject *it = &model->objects[object];

	if (!it->is_shared)
		return INVALID_HANDLE;
	return model->registered[actor][it->machine] ? SUCCESS : DENIED;
}

/* The daemon knows an ended object until its last holder closes it. */
const char *model_close_status(const Model *model, unsigned int actor, unsigned int object)
{
	if (model_is_free(model, object))
		return INVALID_HANDLE;
	return model->objects[object].held_by[actor] ? SUCCESS : DENIED;
}

const char *model_unshare_status(const Model *model, unsigned int actor, unsigned int object)
{
	const ModelObject *it = &model->objects[object];

	if (!it->is_shared)
		return INVALID_HANDLE;
	return it->sharer == actor || model_is_operator(actor) ? SUCCESS : DENIED;
}

/* --- changes --------------------------------------------------------------------------------- */

void model_opened(Model *model, unsigned int actor, unsigned int object)
{
	model->objects[object].held_by[actor] = true;
	model->open_fds[actor][object] += model->objects[object].planes;
}

void model_closed(Model *model, unsigned int actor, unsigned int object)
{
	model->objects[object].held_by[actor] = false;
	model->open_fds[actor][object] = 0;
}

static bool is_vmm(unsigned int actor)
{
	return actor < MODEL_MACHINES;
}

bool model_ends_with(const Model *model, unsigned int object, unsigned int actor)
{
	const ModelObject *it = &model->objects[object];

	return it->is_shared && (it->sharer == actor || (is_vmm(actor) && it->machine == actor));
}

void model_actor_ended(Model *model, unsigned int actor)
{
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++) {
		if (model_ends_with(model, i, actor))
			model->objects[i].is_shared = false;
		model_closed(model, actor, i);
	}
	for (unsigned int i = 0; i < MODEL_MACHINES; i++)
		model->registered[actor][i] = false;
	for (unsigned int i = 0; is_vmm(actor) && i < MODEL_ACTORS; i++)
		model->registered[i][actor] = false;
}

/* --- counts ---------------------------------------------------------------------------------- */

size_t model_holders(const Model *model, unsigned int object)
{
	size_t count = 0;

	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		count += model->objects[object].held_by[i];
	return count;
}

bool model_is_free(const Model *model, unsigned int object)
{
	return !model->objects[object].is_shared && model_holders(model, object) == 0;
}

size_t model_open_fds(const Model *model, unsigned int actor)
{
	size_t count = 0;

	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		count += model->open_fds[actor][i];
	return count;
}

size_t model_shared_objects(const Model *model)
{
	size_t count = 0;

	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		count += model->objects[i].is_shared;
	return count;
}

size_t model_shared_planes(const Model *model)
{
	size_t count = 0;

	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		if (model->objects[i].is_shared)
			count += model->objects[i].planes;
	return count;
}
