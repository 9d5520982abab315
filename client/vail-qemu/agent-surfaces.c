/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/agent-surfaces.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "client/vail-qemu/agent-machine.h"
#include "proto/macros.h"

/* Logs a failure to share, unless the surface's previous failure had the same status. */
static void log_refusal(const Agent *agent, Surface *surface, NTSTATUS status)
{
	_cleanup_free_ char *reason = agent_describe_refusal(agent, agent->calls, status);

	if (surface->refused != status)
		log_message("%s cannot be shared: %s", surface->name,
			    reason ? reason : "out of memory");
	surface->refused = status;
}

/* Unshares all idle surfaces. Returns false if there was none. */
static bool unshare_idle(Agent *agent)
{
	bool was_any = false;
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		if (!surface->is_idle || !surface_is_shared(surface))
			continue;
		agent_unshare(agent, surface);
		was_any = true;
	}
	return was_any && agent->state == AGENT_READY;
}

static NTSTATUS share(Agent *agent, Surface *surface)
{
	return vail_share_object(agent->calls, agent->machine.guid, &surface->object,
				 surface->handle);
}

/* Idle surfaces make room if a limit is reached. */
void agent_share(Agent *agent, Surface *surface)
{
	agent_unshare(agent, surface);
	if (agent->state != AGENT_READY || agent->has_other_agent || !surface_is_shown(surface))
		return;
	NTSTATUS status = share(agent, surface);
	if (status == STATUS_QUOTA_EXCEEDED && unshare_idle(agent))
		status = share(agent, surface);
	if (status == STATUS_SUCCESS) {
		surface->is_shared_upstream = true;
		surface->refused = STATUS_SUCCESS;
		return;
	}
	surface->handle[0] = '\0';
	if (is_connection_lost(status))
		agent_disconnected(agent);
	else
		log_refusal(agent, surface, status);
}

void agent_unshare(Agent *agent, Surface *surface)
{
	bool must_unshare = surface_is_shared(surface) && agent->state == AGENT_READY;

	if (must_unshare &&
	    is_connection_lost(vail_unshare_object(agent->calls, surface->handle, NULL)))
		agent_disconnected(agent);
	surface->damage.count = 0;
	surface->handle[0] = '\0';
}

void agent_share_missing(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries)
		if (!surface_is_shared(surface) && !surface->is_idle)
			agent_share(agent, surface);
}

/* Returns false if the connection to vaild accepts no more output now. */
static bool send_damage(Agent *agent, const Surface *surface)
{
	return vail_send_update(agent->calls, surface->handle, surface->damage.rectangles,
				surface->damage.count) != STATUS_INSUFFICIENT_RESOURCES;
}

/* Damage that cannot be sent now stays for the next turn of the loop. */
void agent_flush(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		/* Without an object, no one needs the update: a new object is read completely. */
		bool is_obsolete = agent->state != AGENT_READY || !surface_is_shared(surface);

		if (surface->damage.count > 0 && (is_obsolete || send_damage(agent, surface)))
			surface->damage.count = 0;
	}
}

void agent_add(Agent *agent, Surface *surface)
{
	LIST_INSERT_HEAD(&agent->surfaces, surface, entries);
}

void agent_remove(Agent *agent, Surface *surface)
{
	agent_unshare(agent, surface);
	LIST_REMOVE(surface, entries);
}

void agent_doubt_surfaces(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		surface->is_shared_upstream = false;
		surface->refused = STATUS_SUCCESS;
	}
}

static Surface *find_surface(Agent *agent, const VailSharedObject *object)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries)
		if (object && strcmp(surface->handle, object->handle) == 0)
			return surface;
	return NULL;
}

void agent_found_object(Agent *agent, const VailSharedObject *object)
{
	Surface *surface = find_surface(agent, object);

	if (surface)
		surface->is_shared_upstream = true;
	else if (object->shared_by_pid == getpid()) /* the surface has changed since */
		vail_unshare_object(agent->calls, object->handle, NULL);
}

void agent_recover_objects(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		if (!surface->is_shared_upstream)
			surface->handle[0] = '\0';
		else if (surface_is_shared(surface) && !surface->is_idle)
			vail_send_update(agent->calls, surface->handle, NULL, 0);
	}
}

/* Logs why the surface is not shared any more, and what an operator can do about a quarantine. */
static void log_unshared(const Agent *agent, const Surface *surface, const VailEvent *event)
{
	const char *why =
		event->reason ? plain_ending(event->reason) : vail_status_name(event->status);
	bool is_quarantined = event->reason && strcmp(event->reason, "quarantined") == 0;

	log_message("%s is not shared any more: %s%s%s", surface->name, why,
		    is_quarantined ? "; an operator can lift it with: vailctl vm release " : "",
		    is_quarantined ? agent->machine.guid : "");
}

void agent_lost_object(Agent *agent, const VailEvent *event)
{
	Surface *surface = find_surface(agent, event->shared_object);

	if (!surface)
		return;
	surface->handle[0] = '\0';
	log_unshared(agent, surface, event);
}
