/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/registration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/client-list.h"
#include "client/common/machine-settings.h"
#include "client/common/user-message.h"
#include "client/vail-libvirt/consent.h"
#include "proto/macros.h"
#include <vail.h>

/* A VM as it is registered. */
typedef struct Registration {
	struct vail *vail;
	const char *guid;
	const char *name;
	pid_t qemu;
	VailParty agent;
	ClientList clients;
} Registration;

static bool is_refused_name(const Registration *registration, NTSTATUS status)
{
	const char *parameter = vail_error_parameter(registration->vail);

	return status == STATUS_INVALID_PARAMETER && parameter && strcmp(parameter, "name") == 0;
}

/* Registers the VM. libvirt allows longer names than vaild, which are left out. */
static NTSTATUS call_register(const Registration *registration)
{
	VailMachine machine = VAIL_MACHINE_INIT;

	machine.name = registration->name;
	machine.vmm_pid = registration->qemu;
	machine.agent = &registration->agent;
	client_list_put(&registration->clients, &machine);
	machine.settings_source = "libvirt";
	NTSTATUS status =
		vail_register_virtual_machine(registration->vail, registration->guid, &machine);
	if (!is_refused_name(registration, status))
		return status;
	machine.name = NULL;
	return vail_register_virtual_machine(registration->vail, registration->guid, &machine);
}

/*
 * Adds the agent and the display clients that a VM lacks which vaild knew before. If QEMU is its
 * incoming VMM, the agent becomes that of QEMU.
 */
static NTSTATUS add_missing(const Registration *registration, const MachineSettings *settings)
{
	bool is_incoming = settings->vmm != registration->qemu;
	VailMachine missing = VAIL_MACHINE_INIT;

	missing.vmm_pid = registration->qemu;
	if (is_incoming || !settings->has_agent)
		missing.agent = &registration->agent;
	if (settings->client_count == 0) {
		client_list_put(&registration->clients, &missing);
		missing.settings_source = "libvirt";
	}
	if (!missing.agent && !missing.display_clients)
		return STATUS_SUCCESS;
	return vail_update_virtual_machine(registration->vail, registration->guid, &missing);
}

/* Processes can register only for a VM with a virtual GPU. */
static NTSTATUS assign_missing_gpu(const Registration *registration,
				   const MachineSettings *settings)
{
	if (settings->virtual_gpu_count > 0)
		return STATUS_SUCCESS;
	return vail_assign_virtual_gpu(registration->vail, registration->guid, NULL, "vail-qemu",
				       NULL);
}

static NTSTATUS add(const Registration *registration)
{
	_cleanup_(settings_deinit) MachineSettings settings = MACHINE_SETTINGS_INIT;
	NTSTATUS status = call_register(registration);

	if (status == STATUS_SUCCESS)
		status = settings_read(registration->vail, registration->guid, &settings);
	if (status == STATUS_SUCCESS)
		status = add_missing(registration, &settings);
	if (status == STATUS_SUCCESS)
		status = assign_missing_gpu(registration, &settings);
	return status;
}

static void registration_deinit(Registration *registration)
{
	client_list_deinit(&registration->clients);
	vail_close(registration->vail);
}

bool registration_add(const char *socket, const char *guid, const char *name, pid_t qemu,
		      uid_t agent, const Domain *consent)
{
	_cleanup_(registration_deinit)
		Registration registration = { .guid = guid, .name = name, .qemu = qemu };
	char user[16];
	NTSTATUS status = vail_new(socket, &registration.vail);

	snprintf(user, sizeof(user), "%u", (unsigned int)agent);
	registration.agent.user = user;
	if (status == STATUS_SUCCESS)
		status = consent_clients(consent, &registration.clients);
	if (status == STATUS_SUCCESS)
		status = add(&registration);
	if (status == STATUS_SUCCESS)
		return true;
	_cleanup_free_ char *reason = message_refusal(registration.vail, status, NULL);
	log_message("%s: vaild does not accept the virtual machine: %s", name,
		    reason ? reason : "out of memory");
	return false;
}
