/* SPDX-License-Identifier: MIT */
#include "client/common/machine-settings.h"

#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "client/common/json-members.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

void settings_deinit(MachineSettings *settings)
{
	for (size_t i = 0; i < settings->client_count; i++) {
		free(settings->clients[i].user);
		fd_close(&settings->clients[i].pidfd);
	}
	free(settings->clients);
	free(settings->name);
	free(settings->agent_user);
	*settings = MACHINE_SETTINGS_INIT;
}

/* ---- Reading ---- */

/* Copies a member of the object, or sets NULL if it is absent. Returns false if out of memory. */
static bool copy_member(const JsonValue *object, const char *name, char **ret)
{
	const char *text = member_text(object, name);

	*ret = text ? strdup(text) : NULL;
	return *ret || !text;
}

static bool read_client(const JsonValue *party, SettingsClient *ret)
{
	*ret = (SettingsClient){ .pid = (pid_t)member_number(party, "pid"),
				 .pidfd = -1,
				 .rights = display_rights_read(json_member(party, "rights")) };
	if (ret->pid > 0)
		ret->pidfd = pidfd_open(ret->pid, 0);
	return copy_member(party, "user", &ret->user);
}

static bool read_clients(const JsonValue *machine, MachineSettings *settings)
{
	const JsonValue *clients = json_member(machine, "displayClients");
	size_t count = json_array_size(clients);

	const char *source = member_text(machine, "displayClientsSource");

	settings->clients_are_from_drop_in = source && strcmp(source, "dropIn") == 0;
	settings->clients_are_from_libvirt = source && strcmp(source, "libvirt") == 0;
	settings->clients = calloc(count + 1, sizeof(*settings->clients));
	if (!settings->clients)
		return false;
	for (size_t i = 0; i < count; i++) {
		settings->client_count++;
		if (!read_client(json_array_at(clients, i), &settings->clients[i]))
			return false;
	}
	return true;
}

static bool read_machine(const JsonValue *machine, MachineSettings *settings)
{
	const JsonValue *agent = json_member(machine, "agent");

	settings->vmm = (pid_t)member_number(machine, "vmmPid");
	settings->server = (pid_t)member_number(machine, "displayServerPid");
	settings->incoming_vmm = (pid_t)member_number(machine, "incomingVmmPid");
	settings->incoming_server = (pid_t)member_number(machine, "incomingDisplayServerPid");
	settings->has_agent = agent != NULL;
	settings->virtual_gpu_count = json_array_size(json_member(machine, "virtualGpus"));
	settings->agent_pid = (pid_t)member_number(agent, "pid");
	return copy_member(machine, "name", &settings->name) &&
	       copy_member(agent, "user", &settings->agent_user) && read_clients(machine, settings);
}

/* Parses the parameters of a reply that has the VM. Returns false if out of memory. */
static bool parse_reply(const char *text, MachineSettings *settings)
{
	JsonParser *parser = json_parser_new();
	const char *error;
	JsonValue *reply = parser ? json_parse(parser, text, strlen(text), &error) : NULL;
	bool is_read = reply && read_machine(json_member(reply, "virtualMachine"), settings);

	json_free(reply);
	json_parser_free(parser);
	return is_read;
}

NTSTATUS settings_read(struct vail *vail, const char *guid, MachineSettings *ret)
{
	_cleanup_(settings_deinit) MachineSettings settings = MACHINE_SETTINGS_INIT;
	_cleanup_free_ char *reply = NULL;
	char parameters[96];

	snprintf(parameters, sizeof(parameters), "{\"virtualMachineGuid\":\"%s\"}", guid);
	NTSTATUS status =
		vail_call(vail, "io.vaild.Machine.DescribeVirtualMachine", parameters, &reply);
	if (status != STATUS_SUCCESS)
		return status;
	if (!parse_reply(reply, &settings))
		return STATUS_NO_MEMORY;
	*ret = settings;
	settings = MACHINE_SETTINGS_INIT;
	return STATUS_SUCCESS;
}

/* ---- Comparing ---- */

/* Tests whether the text is the name or the number of this process's user. */
static bool is_own_user(const char *user)
{
	const struct passwd *entry = getpwnam(user);
	char *end;

	if (entry)
		return entry->pw_uid == geteuid();
	unsigned long number = strtoul(user, &end, 10);
	return end != user && *end == '\0' && number == geteuid();
}

bool settings_have_other_agent(const MachineSettings *settings)
{
	if (!settings->has_agent)
		return false;
	return settings->agent_user ? !is_own_user(settings->agent_user)
				    : settings->agent_pid != getpid();
}

/* Tests whether the process has not exited. */
static bool process_runs(pid_t pid)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	return pidfd >= 0 && poll(&poll_fd, 1, 0) == 0;
}

pid_t settings_server_of(const MachineSettings *settings, pid_t qemu)
{
	pid_t server = 0;

	if (qemu == settings->vmm)
		server = settings->server;
	else if (qemu == settings->incoming_vmm)
		server = settings->incoming_server;
	return server > 0 && server != getpid() && process_runs(server) ? server : 0;
}

static bool has_user(const MachineSettings *settings, const char *user, unsigned int rights)
{
	for (size_t i = 0; i < settings->client_count; i++) {
		const SettingsClient *client = &settings->clients[i];

		if (client->user && strcmp(client->user, user) == 0 && client->rights == rights)
			return true;
	}
	return false;
}

bool settings_clients_are(const MachineSettings *settings, const ClientList *users)
{
	if (settings->client_count != users->count)
		return false;
	for (size_t i = 0; i < users->count; i++)
		if (!has_user(settings, users->parties[i].user, users->rights[i]))
			return false;
	return true;
}

bool settings_clients(const MachineSettings *settings, ClientList *clients)
{
	for (size_t i = 0; !settings->clients_are_from_drop_in && i < settings->client_count; i++) {
		const SettingsClient *client = &settings->clients[i];
		const VailParty party = { .user = client->user, .pid = client->pid };
		struct pollfd poll_fd = { .fd = client->pidfd, .events = POLLIN };
		bool runs = client->pidfd >= 0 && poll(&poll_fd, 1, 0) == 0;

		if ((client->user || runs) && !client_list_add(clients, party, client->rights))
			return false;
	}
	return true;
}
