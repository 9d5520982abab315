/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_SHARING_MODEL_H
#define SYSTEM_SHARING_MODEL_H

#include "actor.h"

/*
 * Who may have what, and who holds it, as simply as it can be said: tables. Machines, actors and
 * objects are numbers; a process that ends is followed by a new one of the same number, which has
 * nothing of the old one's.
 */

#define MODEL_MACHINES 3
#define MODEL_OBJECTS  24
#define HANDLE_SIZE    33

/* The VMMs come first, then the agents, one a machine each; then those who look on. */
#define MODEL_SHARERS (2 * MODEL_MACHINES)
#define MODEL_VIEWERS 8
#define MODEL_ACTORS  (MODEL_SHARERS + MODEL_VIEWERS)

/* An operator, and registered for nothing, ever. */
#define MODEL_OPERATOR (MODEL_ACTORS - 1)

typedef struct ModelObject {
	char handle[HANDLE_SIZE]; /* "": there was never one here */
	bool is_shared;
	unsigned int machine, sharer, planes;
	Arrived memory[ACTOR_PLANES_MAX]; /* as who opens it is to get it */
	bool held_by[MODEL_ACTORS];
} ModelObject;

typedef struct Model {
	ModelObject objects[MODEL_OBJECTS];
	bool registered[MODEL_ACTORS][MODEL_MACHINES];
	size_t kept[MODEL_ACTORS][MODEL_OBJECTS]; /* descriptors of it that the actor has */
} Model;

/* What never changes: who is whose user, and for which machines a user is a display client. */
const char *model_user(unsigned int actor);
bool model_is_display_client(const char *user, unsigned int machine);
bool model_is_operator(unsigned int actor);
bool model_may_share(unsigned int actor, unsigned int machine);

/* The statuses that are to be answered. */
const char *model_register_status(const Model *model, unsigned int actor, unsigned int machine);
const char *model_unregister_status(const Model *model, unsigned int actor, unsigned int machine);
const char *model_open_status(const Model *model, unsigned int actor, unsigned int object);
const char *model_close_status(const Model *model, unsigned int actor, unsigned int object);
const char *model_unshare_status(const Model *model, unsigned int actor, unsigned int object);

/* What is so afterwards, where that was STATUS_SUCCESS. */
void model_opened(Model *model, unsigned int actor, unsigned int object);
void model_closed(Model *model, unsigned int actor, unsigned int object);

/* Whether the object ends with that actor: its sharer, or its machine's VMM. */
bool model_ends_with(const Model *model, unsigned int object, unsigned int actor);
void model_actor_ended(Model *model, unsigned int actor);

/* Whether nobody knows the object any more, so that its place may be another's. */
bool model_is_free(const Model *model, unsigned int object);

size_t model_kept(const Model *model, unsigned int actor);
size_t model_holders(const Model *model, unsigned int object);
size_t model_shared_objects(const Model *model);
size_t model_shared_planes(const Model *model);

#endif
