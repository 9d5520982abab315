/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_AGENT_SURFACES_H
#define CLIENT_VAIL_QEMU_AGENT_SURFACES_H

#include "client/vail-qemu/agent.h"

/*
 * The part of the agent that concerns its surfaces: shares an object for each, and keeps the
 * handles true while the connection to vaild is lost and returns.
 */

/* Shares the surfaces that are shown but not shared, except idle ones. */
void agent_share_missing(Agent *agent);

/*
 * Call when the connection is lost. Keeps the handles, because vaild may restore the objects, but
 * regards them as unconfirmed.
 */
void agent_doubt_surfaces(Agent *agent);

/*
 * Handles an object that vaild reports while the agent synchronises: confirms the handle of its
 * surface, or unshares it if the surface has changed since.
 */
void agent_found_object(Agent *agent, const VailSharedObject *object);

/*
 * Handles objects from before the connection was lost. Forgets the handles of those that vaild has
 * lost, so that they are shared again. Marks the others as damaged everywhere, because updates were
 * missed. That also makes them the current ones of their names; idle surfaces are left alone.
 */
void agent_recover_objects(Agent *agent);

/* Handles the event that vaild does not share an object any more. Logs why. */
void agent_lost_object(Agent *agent, const VailEvent *event);

#endif
