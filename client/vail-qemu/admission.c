/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/admission.h"

#include <stdio.h>
#include <string.h>

#include "client/common/user-message.h"

/* Reads the name of a process, which is empty if it has ended. */
static void read_process_name(pid_t pid, char name[static 32])
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file || !fgets(name, 32, file))
		*name = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
}

static void log_server(pid_t server)
{
	char name[32];

	read_process_name(server, name);
	log_message("process %d%s%s%s shares the screen of this QEMU already, and QEMU's display "
		    "serves only one client; to replace that process, end it first",
		    (int)server, *name ? " (" : "", name, *name ? ")" : "");
}

/*
 * Tests whether another process serves the display of this QEMU. Logs which one.
 *
 * ret_is_unknown: whether vaild does not know the VM yet.
 */
static bool is_served(const Agent *agent, bool *ret_is_unknown)
{
	_cleanup_(settings_deinit) MachineSettings settings = MACHINE_SETTINGS_INIT;
	NTSTATUS status = settings_read(agent->calls, agent->machine.guid, &settings);
	pid_t server = settings_server_of(&settings, agent->machine.qemu);

	*ret_is_unknown = status == STATUS_NOT_FOUND;
	if (server > 0)
		log_server(server);
	return server > 0;
}

/*
 * Registers the VM and waits for the end of the initial events. After that, only looks whether
 * another process is still the agent. Returns false if QEMU ends.
 */
static bool settle(Agent *agent, int qemu)
{
	struct pollfd poll_fds[1 + AGENT_FDS] = { { .fd = qemu, .events = POLLIN } };

	if (agent->state == AGENT_READY)
		agent_process(agent);
	else
		agent_connect(agent);
	while (agent->state == AGENT_SYNCING) {
		agent_poll_for(agent, poll_fds + 1);
		poll(poll_fds, 1 + AGENT_FDS, agent_timeout(agent));
		if (poll_fds[0].revents)
			return false;
		agent_process(agent);
	}
	return true;
}

/* Tests whether this process has registered the VM and is its agent. */
static bool has_registered(const Agent *agent)
{
	return agent->refused == STATUS_SUCCESS && !agent->is_incoming &&
	       agent->settings.has_agent && !settings_have_other_agent(&agent->settings);
}

/*
 * Decides once the VM is registered. Another process that is the agent may be a vail-qemu that
 * joins the display now, and that vaild will soon name as the one that serves it.
 */
static Admission judge(const Agent *agent)
{
	bool has_rival = agent->has_other_agent && !agent->settings.agent_user;

	return has_rival ? ADMISSION_DELAYED : ADMISSION_GRANTED;
}

Admission admission_ask(Agent *agent, int qemu)
{
	bool is_unknown;

	if (is_served(agent, &is_unknown) || !settle(agent, qemu))
		return ADMISSION_REFUSED;
	if (is_unknown && has_registered(agent))
		agent->is_new = true;
	if (agent->state == AGENT_ENDED)
		log_message("%s", agent->end_reason);
	switch (agent->state) {
	case AGENT_READY:
		return judge(agent);
	case AGENT_COLLIDING: /* a VM of another QEMU, or another agent of this one */
		return agent->has_other_agent ? ADMISSION_DELAYED : ADMISSION_GRANTED;
	case AGENT_DISCONNECTED:
		return ADMISSION_DELAYED;
	default:
		return ADMISSION_REFUSED;
	}
}

void admission_withdraw(Agent *agent)
{
	bool is_known =
		agent->state == AGENT_READY || (agent->state == AGENT_ENDED && !agent->is_removed);

	if (agent->is_new && is_known && has_registered(agent))
		vail_unregister_virtual_machine(agent->calls, agent->machine.guid);
}
