/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "client/common/user-name.h"
#include "client/vail-qemu/agent-machine.h"
#include "client/vail-qemu/agent-surfaces.h"
#include "client/vail-qemu/wait.h"
#include "proto/macros.h"

/* Time between attempts to reconnect to vaild, in milliseconds. */
#define RETRY_INTERVAL 500

bool is_connection_lost(NTSTATUS status)
{
	return status == STATUS_CONNECTION_DISCONNECTED || status == STATUS_CONNECTION_REFUSED ||
	       status == STATUS_INVALID_NETWORK_RESPONSE || status == STATUS_IO_TIMEOUT;
}

void agent_disconnected(Agent *agent)
{
	agent_doubt_surfaces(agent);
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
	_cleanup_free_ char *reason = agent_describe_refusal(agent, vail, status);

	agent_end(agent, what, reason ? reason : "out of memory");
}

/* ---- The VM ---- */

/* Reads the settings again after a change, and shares what this process may share now. */
static void agent_refresh(Agent *agent)
{
	if (agent->state != AGENT_READY)
		return;                /* the settings will be read when vaild is reachable */
	if (agent->look_again_at != 0) /* also if they cannot be read now */
		agent->look_again_at = wait_system_clock.now() + AGENT_LOOK_INTERVAL;
	if (is_connection_lost(agent_adopt_settings(agent)))
		agent_disconnected(agent);
	else
		agent_share_missing(agent);
}

/* Tests whether only another --adapter helps against the refusal of a virtual GPU. */
static bool is_wrong_adapter(const Agent *agent, NTSTATUS status)
{
	return agent->machine.adapter &&
	       (status == STATUS_INVALID_HANDLE || status == STATUS_INVALID_PARAMETER ||
		status == STATUS_NOT_SUPPORTED);
}

/*
 * Assigns a virtual GPU to the VM, because nobody can see a VM without one. A wrong --adapter ends
 * the agent at the start, like a wrong --user. Later the adapter was right once, and its driver may
 * be about to return. Returns false if the agent cannot go on now.
 */
static bool assign_virtual_gpu(Agent *agent)
{
	const AgentMachine *machine = &agent->machine;
	NTSTATUS status = vail_assign_virtual_gpu(agent->calls, machine->guid, machine->adapter,
						  machine->profile, NULL);

	if (status == STATUS_SUCCESS)
		return true;
	if (is_connection_lost(status)) {
		agent_disconnected(agent);
		return false;
	}
	if (!agent->was_ready && is_wrong_adapter(agent, status)) {
		agent_end_refused(agent, "cannot assign a vGPU", agent->calls, status);
		return false;
	}
	_cleanup_free_ char *reason = agent_describe_refusal(agent, agent->calls, status);
	log_message("cannot assign a vGPU: %s; nobody can see the VM until an operator runs: "
		    "vailctl vgpu assign %s",
		    reason ? reason : "out of memory", machine->guid);
	return true;
}

/* Handles the end of the initial events: from now on, surfaces can be shared. */
static void agent_synced(Agent *agent)
{
	agent->state = AGENT_READY;
	/* The watch has not reported changes from before it began. */
	if (agent->is_incoming)
		agent_machine_has_taken_over(agent);
	if (!agent->is_incoming && is_connection_lost(agent_adopt_settings(agent))) {
		agent_disconnected(agent);
		return;
	}
	if (!agent->has_virtual_gpu && !assign_virtual_gpu(agent))
		return;
	if (agent->has_logged_loss)
		log_message("vaild is reachable again");
	agent->has_logged_loss = false;
	agent->was_ready = true;
	agent_recover_objects(agent);
	agent_share_missing(agent);
}

/*
 * Reads whether QEMU is the incoming VMM. When it has become the VMM, reports all objects as
 * updated, so that viewers show them instead of those of the former VMM.
 */
static void agent_look_at_hand_over(Agent *agent)
{
	if (!agent_machine_has_taken_over(agent) || agent->state != AGENT_READY)
		return;
	agent_recover_objects(agent);
	agent_refresh(agent);
}

/* Tests whether vaild may have another state of QEMU's guest since the event. */
static bool may_change_guest_state(const VailEvent *event)
{
	bool may_change = event->changed_count == 0;

	for (size_t i = 0; !may_change && i < event->changed_count; i++)
		may_change = strcmp(event->changed[i], "guestState") == 0 ||
			     strcmp(event->changed[i], "vmmPid") == 0;
	return may_change;
}

static void agent_machine_changed(Agent *agent, const VailEvent *event)
{
	if (agent->is_incoming)
		agent_look_at_hand_over(agent);
	else
		agent_refresh(agent);
	if (may_change_guest_state(event))
		agent_look_at_guest_state(agent);
}

static void handle_event(Agent *agent, const VailEvent *event)
{
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
		agent_share_missing(agent);
		break;
	case VAIL_EVENT_QUARANTINE_LIFTED:
		log_message("the quarantine of the VM was lifted; sharing its screen again");
		agent_share_missing(agent);
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_CHANGED:
		agent_machine_changed(agent, event);
		break;
	case VAIL_EVENT_UNSHARED:
		agent_lost_object(agent, event);
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_REMOVED:
		agent->is_removed = true;
		agent_end(agent, "vaild has removed the virtual machine",
			  event->reason ? plain_reason(event->reason) : "no reason given");
		break;
	default:
		break;
	}
}

/* Waits for the end of the other VM. Logs that once for each VM that is in the way. */
static void agent_collide(Agent *agent)
{
	char user[USER_NAME_SIZE], quoted[SHELL_QUOTE_SIZE];

	if (agent->collision.interval == 0)
		log_message("another virtual machine with the GUID %s runs, and belongs to another "
			    "user; vail-qemu tries again until it has ended. To share this one at "
			    "once, have an operator start vail-qemu, or run: vailctl vm update %s "
			    "--agent-user %s",
			    agent->machine.guid, agent->machine.guid,
			    shell_quote(user_name(geteuid(), user), quoted));
	collision_wait_begin(&agent->collision, wait_system_clock.now());
	agent->state = AGENT_COLLIDING;
}

static void agent_end_registration(Agent *agent)
{
	agent_end(agent, "vaild does not accept the virtual machine",
		  agent->refusal ? agent->refusal : "out of memory");
}

/* Ends the agent, because it may not watch the VM. Names the reason for which it is not the agent.
 */
static void agent_end_unwatched(Agent *agent, const struct vail *vail, NTSTATUS status)
{
	bool is_invisible = status == STATUS_NOT_FOUND || status == STATUS_ACCESS_DENIED;
	bool has_reason = agent->refusal && agent->refused != STATUS_ACCESS_DENIED;
	char user[USER_NAME_SIZE], quoted[SHELL_QUOTE_SIZE];
	_cleanup_free_ char *advice = NULL;

	if (is_invisible && agent->refused == STATUS_OBJECT_NAME_COLLISION) {
		agent_collide(agent);
		return;
	}
	if (!agent->refusal && agent->has_other_agent && status == STATUS_ACCESS_DENIED) {
		/* The other agent may be a vail-qemu that is about to end. */
		collision_wait_begin(&agent->collision, wait_system_clock.now());
		agent->state = AGENT_COLLIDING;
		return;
	}
	if (asprintf(&advice, "%s%shave an operator run: vailctl vm update %s --agent-user %s",
		     has_reason ? agent->refusal : "it is not its agent",
		     has_reason ? "; if an operator has added this VM, " : "; ",
		     agent->machine.guid, shell_quote(user_name(geteuid(), user), quoted)) < 0)
		advice = NULL;
	if (agent->refusal && status == STATUS_NOT_FOUND)
		agent_end_registration(agent);
	else if (agent->refusal && status == STATUS_ACCESS_DENIED)
		agent_end(agent, "vail-qemu may not share for the virtual machine",
			  advice ? advice : "out of memory");
	else
		agent_end_refused(agent, "vaild does not allow watching the virtual machine", vail,
				  status);
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
		agent_end_unwatched(agent, vail, status);
	if (event && !continues)
		agent_end(agent, "vaild has stopped reporting on the virtual machine",
			  event->kind == VAIL_EVENT_VIRTUAL_MACHINE_CHANGED
				  ? "another VMM or another agent has taken over"
				  : "it has ended");
	return agent->state == AGENT_SYNCING || agent->state == AGENT_READY;
}

/* Replaces the handle of the watch by a new one. Returns false if out of memory. */
static bool renew_watch(Agent *agent)
{
	vail_close(agent->watch); /* calls on_event() with the loss of the connection */
	if (vail_new(vail_path(agent->calls), &agent->watch) != STATUS_SUCCESS)
		return false;
	vail_set_resume(agent->watch, false); /* the VM must be registered before the next watch */
	vail_set_timeout(agent->watch, WAIT_LIMIT);
	return true;
}

void agent_connect(Agent *agent)
{
	if (!renew_watch(agent)) {
		agent_end(agent, "vail-qemu cannot continue", "out of memory");
		return;
	}
	agent->state = AGENT_SYNCING;
	agent->has_virtual_gpu = false;
	guest_report_begin(&agent->guest_report);
	NTSTATUS status = agent_register_machine(agent);
	if (is_connection_lost(status)) {
		agent_disconnected(agent);
		return;
	}
	if (status == STATUS_OBJECT_NAME_COLLISION) {
		agent_collide(agent);
		return;
	}
	if (agent->refused != STATUS_OBJECT_NAME_COLLISION && !agent->has_other_agent)
		agent->collision.interval = 0;
	if (status != STATUS_SUCCESS) {
		if (agent->refusal)
			agent_end_registration(agent);
		else
			agent_end_refused(agent, "vaild does not accept the virtual machine",
					  agent->calls, status);
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
		collision_wait_left(&agent->collision, wait_system_clock.now()) == 0);
}

/* Returns the milliseconds until the settings must be read again, or -1. */
static int refresh_timeout(const Agent *agent)
{
	if (agent->look_again_at == 0 || agent->state != AGENT_READY)
		return -1;
	int64_t left = agent->look_again_at - wait_system_clock.now();
	return left > 0 ? (int)left : 0;
}

/* Returns the milliseconds until the state of the guest must be reported again, or -1. */
static int report_timeout(const Agent *agent)
{
	if (agent->state != AGENT_READY || agent->has_other_agent)
		return -1;
	return guest_report_timeout(&agent->guest_report, wait_system_clock.now());
}

int agent_timeout(const Agent *agent)
{
	if (agent->state == AGENT_COLLIDING)
		return collision_wait_left(&agent->collision, wait_system_clock.now());
	if (agent->state == AGENT_DISCONNECTED)
		return RETRY_INTERVAL;
	int refresh = refresh_timeout(agent), report = report_timeout(agent);
	return refresh < 0 || (report >= 0 && report < refresh) ? report : refresh;
}

/* ---- Life ---- */

bool agent_init(Agent *agent, const char *path, const AgentMachine *machine)
{
	*agent = (Agent){ .machine = *machine, .state = AGENT_DISCONNECTED };
	LIST_INIT(&agent->surfaces);
	if (vail_new(path, &agent->calls) != STATUS_SUCCESS)
		return false;
	vail_set_resume(agent->calls, false); /* calls must not block while vaild is away */
	vail_set_timeout(agent->calls, WAIT_LIMIT);
	return true;
}

void agent_deinit(Agent *agent)
{
	agent->state = AGENT_ENDED;
	vail_close(agent->watch);
	vail_close(agent->calls);
	settings_deinit(&agent->settings);
	free(agent->refusal);
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
	if (refresh_timeout(agent) == 0)
		agent_refresh(agent);
	vail_process(agent->watch); /* reports errors to on_event() */
}
