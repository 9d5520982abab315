/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/agent.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "proto/macros.h"

/* Time between attempts to reconnect to vaild, in milliseconds. */
#define RETRY_INTERVAL 500

static bool is_connection_lost(NTSTATUS status)
{
	return status == STATUS_CONNECTION_DISCONNECTED || status == STATUS_CONNECTION_REFUSED ||
	       status == STATUS_INVALID_NETWORK_RESPONSE || status == STATUS_IO_TIMEOUT;
}

/* Handles the loss of the connection. Keeps the handles, because vaild may restore the objects. */
static void agent_disconnected(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		surface->is_shared_upstream = false;
		surface->refused = STATUS_SUCCESS;
	}
	if (agent->state == AGENT_ENDED)
		return;
	agent->state = AGENT_DISCONNECTED;
	if (!agent->has_logged_loss)
		log_message("vaild is not reachable: %s; waiting for it",
			    vail_error_message(agent->calls));
	agent->has_logged_loss = true;
}

static void agent_end(Agent *agent, const char *what, const char *reason)
{
	if (agent->state != AGENT_ENDED)
		snprintf(agent->end_reason, sizeof(agent->end_reason), "%s: %s", what, reason);
	agent->state = AGENT_ENDED;
}

/* Ends the agent, because the last call on the handle failed. */
static void agent_end_refused(Agent *agent, const char *what, const struct vail *vail,
			      NTSTATUS status)
{
	_cleanup_free_ char *reason = message_refusal(vail, status);

	agent_end(agent, what, reason ? reason : "out of memory");
}

/* ---- Objects ---- */

/* Logs a failure to share, unless the surface's previous failure had the same status. */
static void log_refusal(const Agent *agent, Surface *surface, NTSTATUS status)
{
	_cleanup_free_ char *reason = message_refusal(agent->calls, status);

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
	if (agent->state != AGENT_READY || !surface_is_shown(surface))
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

static void share_missing(Agent *agent)
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

/*
 * Handles objects from before the connection was lost. Forgets the handles of those that vaild has
 * lost, so that they are shared again. Marks the others as damaged everywhere, because updates were
 * missed. That also makes them the current ones of their names; idle surfaces are left alone.
 */
static void recover_objects(Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		if (!surface->is_shared_upstream)
			surface->handle[0] = '\0';
		else if (surface_is_shared(surface) && !surface->is_idle)
			vail_send_update(agent->calls, surface->handle, NULL, 0);
	}
}

/* ---- The VM ---- */

/* Handles the end of the initial events: from now on, surfaces can be shared. */
static void agent_synced(Agent *agent)
{
	const AgentMachine *machine = &agent->machine;

	agent->state = AGENT_READY;
	if (!agent->has_virtual_gpu) {
		NTSTATUS status = vail_assign_virtual_gpu(agent->calls, machine->guid,
							  machine->adapter, machine->profile, NULL);
		_cleanup_free_ char *reason = message_refusal(agent->calls, status);
		if (status != STATUS_SUCCESS)
			log_message("cannot assign a vGPU: %s", reason ? reason : "out of memory");
	}
	if (agent->has_logged_loss)
		log_message("vaild is reachable again");
	agent->has_logged_loss = false;
	recover_objects(agent);
	share_missing(agent);
}

static Surface *find_surface(Agent *agent, const VailSharedObject *object)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries)
		if (object && strcmp(surface->handle, object->handle) == 0)
			return surface;
	return NULL;
}

/* Handles an object that vaild has restored after a restart. */
static void agent_found_object(Agent *agent, const VailSharedObject *object)
{
	Surface *surface = find_surface(agent, object);

	if (surface)
		surface->is_shared_upstream = true;
	else if (object->shared_by_pid == getpid()) /* the surface has changed since */
		vail_unshare_object(agent->calls, object->handle, NULL);
}

/*
 * Reads whether QEMU is the incoming VMM. When it has become the VMM, reports all objects as
 * updated, so that viewers show them instead of those of the former VMM.
 */
static void look_at_hand_over(Agent *agent)
{
	const AgentMachine *machine = &agent->machine;
	HandOverState state = hand_over_read(agent->calls, machine->guid);
	bool was_incoming = agent->is_incoming;

	agent->is_incoming = state.incoming == machine->qemu;
	if (agent->is_incoming && !was_incoming)
		log_message("process %d runs the virtual machine; QEMU takes it over when that "
			    "process exits",
			    (int)state.vmm);
	if (!was_incoming || state.vmm != machine->qemu)
		return;
	log_message("QEMU has taken over the virtual machine");
	if (agent->state == AGENT_READY)
		recover_objects(agent);
}

static void handle_event(Agent *agent, const VailEvent *event)
{
	Surface *surface;

	switch (event->kind) {
	case VAIL_EVENT_CURRENT:
		agent_synced(agent);
		break;
	case VAIL_EVENT_SHARED:
		if (agent->state == AGENT_SYNCING && event->shared_object)
			agent_found_object(agent, event->shared_object);
		break;
	case VAIL_EVENT_VIRTUAL_GPU_ASSIGNED:
		agent->has_virtual_gpu = true;
		share_missing(agent);
		break;
	case VAIL_EVENT_QUARANTINE_LIFTED:
		share_missing(agent);
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_CHANGED:
		if (agent->is_incoming)
			look_at_hand_over(agent);
		break;
	case VAIL_EVENT_UNSHARED:
		surface = find_surface(agent, event->shared_object);
		if (surface) {
			surface->handle[0] = '\0';
			if (!surface->is_idle)
				log_message("%s is not shared any more: %s", surface->name,
					    event->reason ? event->reason
							  : vail_status_name(event->status));
		}
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_REMOVED:
		agent_end(agent, "vaild has removed the virtual machine",
			  event->reason ? event->reason : "no reason given");
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
		handle_event(agent, event);
	else if (is_connection_lost(status))
		agent_disconnected(agent);
	else
		agent_end_refused(agent, "vaild does not allow watching the virtual machine", vail,
				  status);
	if (event && !continues)
		agent_end(agent, "vaild has stopped reporting on the virtual machine",
			  event->kind == VAIL_EVENT_VIRTUAL_MACHINE_CHANGED
				  ? "another VMM or another agent has taken over"
				  : "it has ended");
	return agent->state != AGENT_ENDED && agent->state != AGENT_DISCONNECTED;
}

/*
 * Makes this process the agent, because the VM may have existed with another one. An incoming VMM
 * leaves the other settings to the VMM.
 */
static NTSTATUS update_machine(Agent *agent, VailMachine *machine)
{
	machine->vmm_pid = 0;
	if (agent->is_incoming) {
		machine->vmm_pid = agent->machine.qemu;
		machine->name = NULL;
		machine->display_clients = NULL;
	}
	return vail_update_virtual_machine(agent->calls, agent->machine.guid, machine);
}

/*
 * Registers the VM with this process as its agent. Ignores STATUS_ACCESS_DENIED, because an
 * operator may have registered the VM with this agent already.
 */
static NTSTATUS register_machine(Agent *agent)
{
	const AgentMachine *settings = &agent->machine;
	VailParty self = { .pid = getpid() };
	VailMachine machine = VAIL_MACHINE_INIT;

	machine.name = settings->name;
	machine.agent = &self;
	if (settings->display_client_count > 0) {
		machine.display_clients = settings->display_clients;
		machine.display_client_count = settings->display_client_count;
	}
	machine.vmm_pid = settings->qemu;
	NTSTATUS status = vail_register_virtual_machine(agent->calls, settings->guid, &machine);
	if (status != STATUS_SUCCESS)
		return status == STATUS_ACCESS_DENIED ? STATUS_SUCCESS : status;
	look_at_hand_over(agent);
	return update_machine(agent, &machine);
}

/* Replaces the handle of the watch by a new one. Returns false if out of memory. */
static bool renew_watch(Agent *agent)
{
	vail_close(agent->watch); /* calls on_event() with the loss of the connection */
	if (vail_new(vail_path(agent->calls), &agent->watch) != STATUS_SUCCESS)
		return false;
	vail_set_resume(agent->watch, false); /* the VM must be registered before the next watch */
	return true;
}

/* Waits for the end of the other VM. Logs that once for each VM that is in the way. */
static void agent_collide(Agent *agent)
{
	if (agent->collision.interval == 0)
		log_message("another virtual machine with the GUID %s runs, and belongs to another "
			    "user; vail-qemu tries again until it has ended. To share this one at "
			    "once, have an operator start vail-qemu",
			    agent->machine.guid);
	collision_wait_begin(&agent->collision, hand_over_now());
	agent->state = AGENT_COLLIDING;
}

void agent_connect(Agent *agent)
{
	if (!renew_watch(agent)) {
		agent_end(agent, "vail-qemu cannot continue", "out of memory");
		return;
	}
	agent->state = AGENT_SYNCING;
	agent->has_virtual_gpu = false;
	NTSTATUS status = register_machine(agent);
	if (is_connection_lost(status)) {
		agent_disconnected(agent);
		return;
	}
	if (status == STATUS_OBJECT_NAME_COLLISION) {
		agent_collide(agent);
		return;
	}
	agent->collision.interval = 0;
	if (status != STATUS_SUCCESS) {
		agent_end_refused(agent, "vaild does not accept the virtual machine", agent->calls,
				  status);
		return;
	}
	status = vail_watch(agent->watch, agent->machine.guid, on_event, agent);
	if (status != STATUS_SUCCESS)
		agent_disconnected(agent);
}

bool agent_must_connect(const Agent *agent)
{
	return agent->state == AGENT_DISCONNECTED ||
	       (agent->state == AGENT_COLLIDING &&
		collision_wait_left(&agent->collision, hand_over_now()) == 0);
}

int agent_timeout(const Agent *agent)
{
	if (agent->state == AGENT_COLLIDING)
		return collision_wait_left(&agent->collision, hand_over_now());
	return agent->state == AGENT_DISCONNECTED ? RETRY_INTERVAL : -1;
}

/* ---- Life ---- */

bool agent_init(Agent *agent, const char *path, const AgentMachine *machine)
{
	*agent = (Agent){ .machine = *machine, .state = AGENT_DISCONNECTED };
	LIST_INIT(&agent->surfaces);
	if (vail_new(path, &agent->calls) != STATUS_SUCCESS)
		return false;
	vail_set_resume(agent->calls, false); /* calls must not block while vaild is away */
	return true;
}

void agent_deinit(Agent *agent)
{
	agent->state = AGENT_ENDED;
	vail_close(agent->watch);
	vail_close(agent->calls);
}

void agent_poll_for(const Agent *agent, struct pollfd poll_fds[static AGENT_FDS])
{
	const struct vail *handles[AGENT_FDS] = { agent->calls, agent->watch };

	for (size_t i = 0; i < AGENT_FDS; i++)
		poll_fds[i] = (struct pollfd){ .fd = vail_descriptor(handles[i]),
					       .events = vail_events(handles[i]) };
}

void agent_process(Agent *agent)
{
	if (is_connection_lost(vail_process(agent->calls)))
		agent_disconnected(agent);
	vail_process(agent->watch); /* reports errors to on_event() */
}
