/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_SHARE_AT_RANDOM_SHARING_MODEL_H
#define TESTS_SYSTEM_HELPERS_SHARE_AT_RANDOM_SHARING_MODEL_H

#include "tests/support/actor.h"

/*
 * A model of the holders of objects and of the actors that may open them. VMs ("machines"), actors
 * and objects are numbers. When a process ends, a new one takes its number and starts without
 * registrations and objects.
 */

#define MODEL_MACHINES 3
#define MODEL_OBJECTS  24
#define HANDLE_SIZE    33

/* Actors are in this order: one VMM for each machine, one agent for each machine, the viewers. */
#define MODEL_SHARERS (2 * MODEL_MACHINES)
#define MODEL_VIEWERS 8
#define MODEL_ACTORS  (MODEL_SHARERS + MODEL_VIEWERS)

/* The last viewer is an operator and never registers. */
#define MODEL_OPERATOR (MODEL_ACTORS - 1)

typedef struct ModelObject {
	char handle[HANDLE_SIZE]; /* "" until an object has this number */
	bool is_shared;
	unsigned int machine, sharer, planes;
	Arrived memory[ACTOR_PLANES_MAX]; /* inode and access mode of each plane for its holders */
	bool held_by[MODEL_ACTORS];
} ModelObject;

typedef struct Model {
	ModelObject objects[MODEL_OBJECTS];
	bool registered[MODEL_ACTORS][MODEL_MACHINES];
	size_t open_fds[MODEL_ACTORS][MODEL_OBJECTS]; /* open fds of the object in the actor */
} Model;

/* Facts that never change. */
const char *model_user(unsigned int actor);
bool model_is_display_client(const char *user, unsigned int machine);
bool model_is_operator(unsigned int actor);
bool model_may_share(unsigned int actor, unsigned int machine);

/* Return the status that the daemon must reply. */
const char *model_register_status(const Model *model, unsigned int actor, unsigned int machine);
const char *model_unregister_status(const Model *model, unsigned int actor, unsigned int machine);
const char *model_open_status(const Model *model, unsigned int actor, unsigned int object);
const char *model_close_status(const Model *model, unsigned int actor, unsigned int object);
const char *model_unshare_status(const Model *model, unsigned int actor, unsigned int object);

/* Update the model after a success. */
void model_opened(Model *model, unsigned int actor, unsigned int object);
void model_closed(Model *model, unsigned int actor, unsigned int object);

/* Tells whether the object ends when the actor ends, which is its sharer or its machine's VMM. */
bool model_ends_with(const Model *model, unsigned int object, unsigned int actor);

/* Updates the model after the end of an actor. */
void model_actor_ended(Model *model, unsigned int actor);

/* Tells whether the object is neither shared nor held, so that another one may have its number. */
bool model_is_free(const Model *model, unsigned int object);

/* Return numbers: of an actor's fds, of an object's holders, of shared objects and their planes. */
size_t model_open_fds(const Model *model, unsigned int actor);
size_t model_holders(const Model *model, unsigned int object);
size_t model_shared_objects(const Model *model);
size_t model_shared_planes(const Model *model);

#endif
