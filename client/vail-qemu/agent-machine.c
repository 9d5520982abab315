/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/agent-machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "client/vail-qemu/wait.h"
#include "proto/macros.h"

/* Number of looks after which the other agent is logged. */
#define LOOKS_TO_LOG 4

/* ---- The VM's settings ---- */

/*
 * Logs that another process or user is the agent. A process may be about to end: an earlier
 * vail-qemu that has just lost its display.
 */
static void log_other_agent(Agent *agent)
{
	const MachineSettings *settings = &agent->settings;
	bool may_end_soon = !settings->agent_user && agent->looks < LOOKS_TO_LOG;

	if (agent->has_logged_agent || may_end_soon)
		return;
	agent->has_logged_agent = true;
	if (settings->agent_user)
		log_message("nothing is shared, because the VM's agent is user %s; run vail-qemu "
			    "as that user, or make it the agent with: vailctl vm update %s "
			    "--agent-pid %d",
			    settings->agent_user, agent->machine.guid, (int)getpid());
	else
		log_message("nothing is shared, because the VM's agent is process %d; stop it, or "
			    "make vail-qemu the agent with: vailctl vm update %s --agent-pid %d",
			    (int)settings->agent_pid, agent->machine.guid, (int)getpid());
}

/* Notes whether this process may share. If another process may, looks again after a while. */
static void judge_agent(Agent *agent)
{
	agent->has_other_agent = settings_have_other_agent(&agent->settings);
	agent->look_again_at = 0;
	if (!agent->has_other_agent) {
		agent->looks = 0;
		agent->has_logged_agent = false;
		return;
	}
	log_other_agent(agent);
	if (agent->settings.agent_user)
		return;
	agent->looks++;
	agent->look_again_at = wait_system_clock.now() + AGENT_LOOK_INTERVAL;
}

static void log_kept_clients(Agent *agent)
{
	const AgentMachine *machine = &agent->machine;
	bool differ = machine->clients.count > 0 &&
		      !settings_clients_are(&agent->settings, &machine->clients);

	if (!differ || agent->has_logged_clients)
		return;
	log_message("vaild has other display clients for this VM than vail-qemu was "
		    "started with, and those in vaild apply; change them with: vailctl "
		    "vm update %s --user USER, or for root --client-pid PID (and one of "
		    "the two for each other display client)",
		    machine->guid);
	agent->has_logged_clients = true;
}

/* Returns STATUS_NOT_FOUND, and keeps the settings, if the VM of this GUID has another VMM. */
static NTSTATUS read_settings(Agent *agent)
{
	MachineSettings settings;
	NTSTATUS status = settings_read(agent->calls, agent->machine.guid, &settings);

	if (status != STATUS_SUCCESS)
		return status;
	if (settings.vmm != agent->machine.qemu) {
		settings_deinit(&settings);
		return STATUS_NOT_FOUND;
	}
	settings_deinit(&agent->settings);
	agent->settings = settings;
	return STATUS_SUCCESS;
}

/*
 * Tests whether the display clients of the command line count. Those that vail-libvirt has read
 * from the metadata of a domain count only until vaild has them: the owner may have withdrawn them
 * since.
 */
static bool may_name_clients(const Agent *agent)
{
	const char *source = agent->machine.settings_source;

	return !agent->has_joined || !source || strcmp(source, "libvirt") != 0;
}

/*
 * Adds the settings that the VM lacks. Leaves that to another process which is the agent: it may be
 * a vail-qemu that was started at the same time, with other display clients.
 */
static NTSTATUS add_missing(Agent *agent)
{
	const AgentMachine *machine = &agent->machine;
	const MachineSettings *settings = &agent->settings;
	VailMachine missing = VAIL_MACHINE_INIT;
	VailParty self = { .pid = getpid() };

	if (settings_have_other_agent(settings) && !settings->agent_user)
		return STATUS_SUCCESS;
	missing.name = settings->name ? NULL : machine->name;
	missing.agent = settings->has_agent ? NULL : &self;
	if (settings->client_count == 0 && may_name_clients(agent)) {
		client_list_put(&machine->clients, &missing);
		missing.settings_source = machine->settings_source;
	}
	if (!missing.name && !missing.agent && !missing.display_clients)
		return STATUS_SUCCESS;
	NTSTATUS status = vail_update_virtual_machine(agent->calls, machine->guid, &missing);
	return status == STATUS_SUCCESS ? read_settings(agent) : status;
}

NTSTATUS agent_adopt_settings(Agent *agent)
{
	if (agent->refusal)
		return STATUS_SUCCESS;
	NTSTATUS status = read_settings(agent);
	if (status == STATUS_NOT_FOUND)
		return STATUS_SUCCESS; /* the watch will report the end of the VM */
	if (status == STATUS_SUCCESS)
		status = add_missing(agent);
	if (status != STATUS_SUCCESS)
		return status;
	agent->has_joined = true;
	judge_agent(agent);
	log_kept_clients(agent);
	return STATUS_SUCCESS;
}

/* ---- Hand-over ---- */

bool agent_machine_has_taken_over(Agent *agent)
{
	pid_t qemu = agent->machine.qemu;
	HandOverState state = hand_over_read(agent->calls, agent->machine.guid);
	bool was_incoming = agent->is_incoming;

	agent->is_incoming = state.incoming == qemu;
	if (agent->is_incoming && !was_incoming)
		log_message("process %d runs the virtual machine; QEMU takes it over when that "
			    "process exits",
			    (int)state.vmm);
	if (!was_incoming || state.vmm != qemu)
		return false;
	log_message("QEMU has taken over the virtual machine");
	return true;
}

/*
 * Makes this process the incoming VMM's agent, because another one may have been. A user whom an
 * operator has made the VM's agent stays that, if vaild allows this process to say so.
 */
static NTSTATUS update_incoming_agent(Agent *agent)
{
	VailMachine request = VAIL_MACHINE_INIT;
	VailParty self = { .pid = getpid() }, user = { 0 };
	MachineSettings settings;
	NTSTATUS status = settings_read(agent->calls, agent->machine.guid, &settings);

	if (status != STATUS_SUCCESS)
		return status;
	user.user = settings.agent_user;
	request.vmm_pid = agent->machine.qemu;
	request.agent = user.user ? &user : &self;
	agent->has_other_agent = user.user && settings_have_other_agent(&settings);
	status = vail_update_virtual_machine(agent->calls, agent->machine.guid, &request);
	if (status == STATUS_INVALID_PARAMETER && user.user) {
		request.agent = &self;
		agent->has_other_agent = false;
		status = vail_update_virtual_machine(agent->calls, agent->machine.guid, &request);
	}
	settings_deinit(&settings);
	return status;
}

/* ---- The guest ---- */

/*
 * A user who may not change the VM is refused. vaild then takes the guest for running, as it does
 * without vail-qemu.
 */
void agent_tell_guest_state(Agent *agent)
{
	VailMachine request = VAIL_MACHINE_INIT;
	GuestReport *report = &agent->guest_report;

	if (agent->state != AGENT_READY || agent->has_other_agent ||
	    !guest_report_is_due(report, wait_system_clock.now()))
		return;
	request.vmm_pid = agent->machine.qemu;
	request.guest_state = report->state;
	NTSTATUS status = vail_update_virtual_machine(agent->calls, agent->machine.guid, &request);
	guest_report_answered(report, status, wait_system_clock.now());
	if (is_connection_lost(status))
		agent_disconnected(agent);
}

void agent_note_guest(Agent *agent, const char *state)
{
	agent->guest_report.state = state;
	agent_tell_guest_state(agent);
}

void agent_look_at_guest_state(Agent *agent)
{
	if (!agent->guest_report.told)
		return;
	HandOverState state = hand_over_read(agent->calls, agent->machine.guid);
	if (state.vmm != agent->machine.qemu || !state.lacks_guest_state)
		return;
	guest_report_begin(&agent->guest_report);
	agent_tell_guest_state(agent);
}

/* ---- Refusals ---- */

/*
 * Returns the option for the parameter, or NULL. --user is not sent if the VM has earlier display
 * clients.
 */
static const char *typed_parameter(const Agent *agent, const char *parameter, char *text,
				   size_t size)
{
	const AgentMachine *machine = &agent->machine;
	char typed[PLAIN_QUOTE_SIZE];
	size_t index = 0;

	if (strcmp(parameter, "displayClients") == 0)
		return "--user";
	if (sscanf(parameter, "displayClients[%zu]", &index) == 1 &&
	    agent->settings.client_count == 0 && index < machine->clients.count)
		snprintf(text, size, "--user %s",
			 plain_quote(machine->clients.parties[index].user, typed));
	else if (strcmp(parameter, "adapter") == 0 && machine->adapter)
		snprintf(text, size, "--adapter %s", plain_quote(machine->adapter, typed));
	else if (strcmp(parameter, "vmmPid") == 0)
		snprintf(text, size, "QEMU's process %d", (int)machine->qemu);
	else
		return NULL;
	return text;
}

char *agent_describe_refusal(const Agent *agent, const struct vail *vail, NTSTATUS status)
{
	const char *parameter = vail_error_parameter(vail);
	char text[PLAIN_QUOTE_SIZE + 32];
	Wording wording = { 0 };

	if (status == STATUS_NOT_FOUND && !may_name_clients(agent))
		wording.advice = "start vail-qemu again, as vail-libvirt does, so that the display "
				 "clients are read again";
	if (parameter)
		wording.subject = typed_parameter(agent, parameter, text, sizeof(text));
	if (status == STATUS_INVALID_HANDLE && agent->machine.adapter)
		wording.advice =
			"give --adapter a handle that this command shows: vailctl adapters";
	return message_refusal(vail, status, &wording);
}

/* ---- Registration ---- */

static void refusal_set(Agent *agent, NTSTATUS status)
{
	free(agent->refusal);
	agent->refusal = agent_describe_refusal(agent, agent->calls, status);
}

/*
 * Registers the VM with this process as its agent. Repeats settings that the VM had before, because
 * vaild may have forgotten it. Returns STATUS_NOT_FOUND if it has, and nobody but the owner could
 * name the display clients now.
 */
static NTSTATUS call_register(Agent *agent)
{
	const AgentMachine *machine = &agent->machine;
	const MachineSettings *known = &agent->settings;
	VailMachine request = VAIL_MACHINE_INIT;
	VailParty self = { .pid = getpid() }, user = { .user = known->agent_user };
	_cleanup_(client_list_deinit) ClientList clients = { 0 };

	if (!settings_clients(known, &clients))
		return STATUS_NO_MEMORY;
	if (clients.count == 0 && !may_name_clients(agent))
		return read_settings(agent);
	request.vmm_pid = machine->qemu;
	request.guest_state = agent->guest_report.state;
	request.name = known->name ? known->name : machine->name;
	request.agent = known->agent_user ? &user : &self;
	client_list_put(clients.count > 0 ? &clients : &machine->clients, &request);
	if (clients.count == 0)
		request.settings_source = machine->settings_source;
	else if (known->clients_are_from_libvirt)
		request.settings_source = "libvirt";
	return vail_register_virtual_machine(agent->calls, machine->guid, &request);
}

/* Tests whether vaild refuses QEMU as the VMM. A user may name only processes of that user. */
static bool is_foreign_vmm(const Agent *agent, NTSTATUS status)
{
	const char *parameter = vail_error_parameter(agent->calls);

	return status == STATUS_INVALID_PARAMETER && parameter && strcmp(parameter, "vmmPid") == 0;
}

/* Tests whether the VM has another VMM. A caller who may not see the VM cannot tell. */
static bool has_other_vmm(Agent *agent)
{
	HandOverState state = hand_over_read(agent->calls, agent->machine.guid);

	return state.vmm != 0 && state.vmm != agent->machine.qemu;
}

/*
 * Tests whether vaild refuses the settings that the VM had before. An operator may have chosen
 * users that this process may not name, or a user may have been deleted.
 */
static bool refuses_settings(const Agent *agent, NTSTATUS status)
{
	const char *parameter = vail_error_parameter(agent->calls);

	return status == STATUS_INVALID_PARAMETER && parameter &&
	       (strncmp(parameter, "displayClients", strlen("displayClients")) == 0 ||
		strncmp(parameter, "agent", strlen("agent")) == 0) &&
	       (agent->settings.client_count > 0 || agent->settings.agent_user);
}

/* Leaves the VM to others. The watch shows whether vaild knows it, and this user is its agent. */
static NTSTATUS leave_registration(Agent *agent)
{
	free(agent->refusal);
	agent->refusal = strdup("vaild does not know it, and --registered leaves it to an operator "
				"to add it; without a manager of VMs like vail-libvirt, start "
				"vail-qemu without --registered");
	agent->refused = STATUS_ACCESS_DENIED;
	agent->has_other_agent = false;
	agent->look_again_at = 0;
	return agent->refusal ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

NTSTATUS agent_register_machine(Agent *agent)
{
	if (agent->machine.is_registered)
		return leave_registration(agent);
	NTSTATUS status = call_register(agent);

	if (refuses_settings(agent, status)) {
		/* If vaild still knows the VM, it has kept them. */
		settings_deinit(&agent->settings);
		agent->settings = MACHINE_SETTINGS_INIT;
		status = call_register(agent);
	}
	free(TAKE_POINTER(agent->refusal));
	agent->refused = status;
	agent->has_other_agent = false;
	agent->look_again_at = 0;
	if (status == STATUS_SUCCESS) {
		agent_machine_has_taken_over(agent);
		return agent->is_incoming ? update_incoming_agent(agent)
					  : agent_adopt_settings(agent);
	}
	bool is_foreign = status == STATUS_OBJECT_NAME_COLLISION || is_foreign_vmm(agent, status);
	refusal_set(agent, status);
	if (status != STATUS_ACCESS_DENIED && !is_foreign)
		return status;
	return is_foreign && has_other_vmm(agent) ? status : STATUS_SUCCESS;
}
