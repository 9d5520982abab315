/* SPDX-License-Identifier: MIT */
#include "agent.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "say.h"

static bool is_lost(NTSTATUS status)
{
	return status == STATUS_CONNECTION_DISCONNECTED || status == STATUS_CONNECTION_REFUSED ||
	       status == STATUS_INVALID_NETWORK_RESPONSE || status == STATUS_IO_TIMEOUT;
}

/* What is to be seen stays, and whether vaild knows it still is seen when it is back. */
static void agent_lose(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		surface->is_known = false;
		surface->refused = STATUS_SUCCESS;
	}
	if (agent->state == AGENT_ENDED)
		return;
	agent->state = AGENT_LOST;
	if (!agent->said_lost)
		say("vaild is not there: %s; waiting for it", vail_error_message(agent->calls));
	agent->said_lost = true;
}

static void agent_end(Agent *agent, const char *why, const char *more)
{
	if (agent->state != AGENT_ENDED)
		snprintf(agent->why_ended, sizeof(agent->why_ended), "%s: %s", why, more);
	agent->state = AGENT_ENDED;
}

/* Ends since the last call on the handle was refused. */
static void agent_end_refused(Agent *agent, const char *why, const struct vail *vail,
			      NTSTATUS status)
{
	_cleanup_free_ char *more = message_refusal(vail, status);

	agent_end(agent, why, more ? more : "no memory");
}

/* ---- Objects ---- */

/* Said once, until something else is refused or it works. */
static void surface_refused(const Agent *agent, Surface *surface, NTSTATUS status)
{
	_cleanup_free_ char *why = message_refusal(agent->calls, status);

	if (surface->refused != status)
		say("%s cannot be shared: %s", surface->name, why ? why : "no memory");
	surface->refused = status;
}

void agent_share(Agent *agent, Surface *surface)
{
	agent_unshare(agent, surface);
	if (agent->state != AGENT_PRESENT || !surface_is_shown(surface))
		return;
	NTSTATUS status = vail_share_object(agent->calls, agent->machine.guid, &surface->object,
					    surface->handle);
	if (status == STATUS_SUCCESS) {
		surface->is_known = true;
		surface->refused = STATUS_SUCCESS;
		return;
	}
	surface->handle[0] = '\0';
	if (is_lost(status))
		agent_lose(agent);
	else
		surface_refused(agent, surface, status);
}

void agent_unshare(Agent *agent, Surface *surface)
{
	bool is_known = surface_is_shared(surface) && agent->state == AGENT_PRESENT;

	if (is_known && is_lost(vail_unshare_object(agent->calls, surface->handle, NULL)))
		agent_lose(agent);
	surface->damage.count = 0;
	surface->handle[0] = '\0';
}

static void share_what_is_not(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries)
		if (!surface_is_shared(surface))
			agent_share(agent, surface);
}

/* Returns false when vaild takes nothing now. */
static bool tell_damage(Agent *agent, const Surface *surface)
{
	return vail_send_update(agent->calls, surface->handle, surface->damage.rectangles,
				surface->damage.count) != STATUS_INSUFFICIENT_RESOURCES;
}

/* What vaild does not take stays for the next turn, which comes when it does. */
void agent_flush(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		/* Who comes to know the object later reads it whole. */
		bool is_told = agent->state != AGENT_PRESENT || !surface_is_shared(surface);

		if (surface->damage.count > 0 && (is_told || tell_damage(agent, surface)))
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

/* Of what was shared before vaild was lost: what it has forgotten is shared anew, and of the rest
 * nobody was told what was drawn meanwhile. */
static void go_on_with_what_is_known(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		if (!surface->is_known)
			surface->handle[0] = '\0';
		else if (surface_is_shared(surface))
			vail_send_update(agent->calls, surface->handle, NULL, 0);
	}
}

/* ---- The VM ---- */

/* All that existed was told. */
static void agent_arrive(Agent *agent)
{
	const AgentMachine *machine = &agent->machine;

	agent->state = AGENT_PRESENT;
	if (!agent->has_virtual_gpu) {
		NTSTATUS status = vail_assign_virtual_gpu(agent->calls, machine->guid,
							  machine->adapter, machine->profile, NULL);
		_cleanup_free_ char *why = message_refusal(agent->calls, status);
		if (status != STATUS_SUCCESS)
			say("no vGPU can be assigned: %s", why ? why : "no memory");
	}
	if (agent->said_lost)
		say("vaild is there again");
	agent->said_lost = false;
	go_on_with_what_is_known(agent);
	share_what_is_not(agent);
}

static Surface *find_surface(Agent *agent, const VailSharedObject *object)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries)
		if (object && strcmp(surface->handle, object->handle) == 0)
			return surface;
	return NULL;
}

/* While it enters: what a vaild that came back has of this process's, over a restart of its own. */
static void agent_recognise(Agent *agent, const VailSharedObject *object)
{
	Surface *surface = find_surface(agent, object);

	if (surface)
		surface->is_known = true;
	else if (object->shared_by_pid == getpid()) /* of a mode that ended meanwhile */
		vail_unshare_object(agent->calls, object->handle, NULL);
}

static void agent_hear(Agent *agent, const VailEvent *event)
{
	Surface *surface;

	switch (event->kind) {
	case VAIL_EVENT_CURRENT:
		agent_arrive(agent);
		break;
	case VAIL_EVENT_SHARED:
		if (agent->state == AGENT_ENTERING && event->shared_object)
			agent_recognise(agent, event->shared_object);
		break;
	case VAIL_EVENT_VIRTUAL_GPU_ASSIGNED:
		agent->has_virtual_gpu = true;
		share_what_is_not(agent);
		break;
	case VAIL_EVENT_QUARANTINE_LIFTED:
		share_what_is_not(agent);
		break;
	case VAIL_EVENT_UNSHARED:
		surface = find_surface(agent, event->shared_object);
		if (surface) {
			surface->handle[0] = '\0';
			say("%s is not shared any more: %s", surface->name,
			    event->reason ? event->reason : vail_status_name(event->status));
		}
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_REMOVED:
		agent_end(agent, "vaild has let go of the virtual machine",
			  event->reason ? event->reason : "nobody says why");
		break;
	default:
		break;
	}
}

static bool on_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		     void *context)
{
	Agent *agent = context;

	if (event)
		agent_hear(agent, event);
	else if (is_lost(status))
		agent_lose(agent);
	else
		agent_end_refused(agent, "vaild does not let the virtual machine be watched", vail,
				  status);
	if (event && !continues)
		agent_end(agent, "vaild tells no more of the virtual machine", "it has ended");
	return agent->state != AGENT_ENDED && agent->state != AGENT_LOST;
}

/* Makes this process the VM's agent. Where it may not, an operator may have done so. */
static NTSTATUS agent_bring_in(Agent *agent)
{
	const AgentMachine *known = &agent->machine;
	VailParty self = { .pid = getpid() };
	VailMachine machine = VAIL_MACHINE_INIT;

	machine.name = known->name;
	machine.agent = &self;
	if (known->display_client_count > 0) {
		machine.display_clients = known->display_clients;
		machine.display_client_count = known->display_client_count;
	}
	machine.vmm_pid = known->qemu;
	NTSTATUS status = vail_register_virtual_machine(agent->calls, known->guid, &machine);
	if (status != STATUS_SUCCESS)
		return status == STATUS_ACCESS_DENIED ? STATUS_SUCCESS : status;
	machine.vmm_pid = 0; /* it was there already, perhaps, with another agent */
	return vail_update_virtual_machine(agent->calls, known->guid, &machine);
}

/* A handle for the watch that has nothing of an earlier one. */
static bool agent_renew_watch(Agent *agent)
{
	vail_close(agent->watch); /* its watch hears that it is lost */
	if (vail_new(vail_path(agent->calls), &agent->watch) != STATUS_SUCCESS)
		return false;
	vail_set_resume(agent->watch, false); /* it brings the VM in before it watches again */
	return true;
}

void agent_enter(Agent *agent)
{
	if (!agent_renew_watch(agent)) {
		agent_end(agent, "vail-qemu cannot go on", "no memory");
		return;
	}
	agent->state = AGENT_ENTERING;
	agent->has_virtual_gpu = false;
	NTSTATUS status = agent_bring_in(agent);
	if (is_lost(status)) {
		agent_lose(agent);
		return;
	}
	if (status != STATUS_SUCCESS) {
		agent_end_refused(agent, "vaild does not take the virtual machine", agent->calls,
				  status);
		return;
	}
	status = vail_watch(agent->watch, agent->machine.guid, on_event, agent);
	if (status != STATUS_SUCCESS)
		agent_lose(agent);
}

/* ---- Life ---- */

bool agent_init(Agent *agent, const char *path, const AgentMachine *machine)
{
	*agent = (Agent){ .machine = *machine, .state = AGENT_LOST };
	LIST_INIT(&agent->surfaces);
	if (vail_new(path, &agent->calls) != STATUS_SUCCESS)
		return false;
	vail_set_resume(agent->calls, false); /* QEMU waits for nobody */
	return true;
}

void agent_deinit(Agent *agent)
{
	agent->state = AGENT_ENDED;
	vail_close(agent->watch);
	vail_close(agent->calls);
}

void agent_poll_for(const Agent *agent, struct pollfd descriptors[static AGENT_DESCRIPTORS])
{
	const struct vail *handles[AGENT_DESCRIPTORS] = { agent->calls, agent->watch };

	for (size_t i = 0; i < AGENT_DESCRIPTORS; i++)
		descriptors[i] = (struct pollfd){ .fd = vail_descriptor(handles[i]),
						  .events = vail_events(handles[i]) };
}

void agent_process(Agent *agent)
{
	if (is_lost(vail_process(agent->calls)))
		agent_lose(agent);
	vail_process(agent->watch); /* what is wrong comes to on_event() */
}
