/* SPDX-License-Identifier: MIT */
/* Commands that change VMs, their virtual GPUs, and registrations of other processes. */
#include <stdio.h>

#include "client/common/program-options.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/output.h"
#include "client/vailctl/vailctl.h"
#include "client/vailctl/vmm-process.h"
#include <vail.h>

/* Returns the VM that the options describe. It points into the options. */
static VailMachine machine_of(const Options *options)
{
	VailMachine machine = VAIL_MACHINE_INIT;

	machine.name = options->name;
	machine.vmm_pid = options->pid;
	machine.display_clients = options->clients;
	machine.display_client_count = options->client_count;
	if (options_have(options, OPTION_AGENT_USER) || options_have(options, OPTION_AGENT_PID))
		machine.agent = &options->agent;
	return machine;
}

static int check_agent(const Options *options)
{
	if (options_have(options, OPTION_AGENT_USER) && options_have(options, OPTION_AGENT_PID))
		return usage_error(
			"--agent-user and --agent-pid exclude each other; give only one");
	return EXIT_DONE;
}

/* vailctl cannot be the VMM itself, because the VM would end when vailctl exits. */
static int check_vmm(const Options *options)
{
	bool has_pid = options_have(options, OPTION_PID);

	if (!has_pid && !options->run)
		return usage_error(
			"vm add needs a VMM; give its --pid PID, or -- COMMAND to run it");
	if (has_pid && options->run)
		return usage_error("--pid and -- COMMAND exclude each other; give only one");
	return EXIT_DONE;
}

int command_vm_add(Tool *tool)
{
	const Options *options = &tool->options;
	VailMachine machine = machine_of(options);
	int wrong = check_vmm(options);

	if (!wrong)
		wrong = check_agent(options);
	if (wrong)
		return wrong;
	if (options->run)
		return vmm_process_run(tool, &machine);
	return tool_finish(tool,
			   vail_register_virtual_machine(tool->vail, tool->arguments[0], &machine));
}

int command_vm_update(Tool *tool)
{
	VailMachine machine = machine_of(&tool->options);
	int wrong = check_agent(&tool->options);

	if (wrong)
		return wrong;
	return tool_finish(tool,
			   vail_update_virtual_machine(tool->vail, tool->arguments[0], &machine));
}

int command_vm_remove(Tool *tool)
{
	return tool_finish(tool, vail_unregister_virtual_machine(tool->vail, tool->arguments[0]));
}

int command_vm_quarantine(Tool *tool)
{
	return tool_finish(tool, vail_set_quarantine(tool->vail, tool->arguments[0], true,
						     tool->options.reason));
}

int command_vm_release(Tool *tool)
{
	return tool_finish(tool, vail_set_quarantine(tool->vail, tool->arguments[0], false, NULL));
}

int command_vgpu_assign(Tool *tool)
{
	const Options *options = &tool->options;
	char handle[VAIL_HANDLE_SIZE];
	NTSTATUS status = vail_assign_virtual_gpu(tool->vail, tool->arguments[0], options->adapter,
						  options->profile, handle);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(options, OPTION_JSON))
		printf("{\"status\":\"STATUS_SUCCESS\",\"virtualGpu\":\"%s\"}\n", handle);
	else
		puts(handle);
	return EXIT_DONE;
}

int command_vgpu_remove(Tool *tool)
{
	return tool_finish(tool, vail_remove_virtual_gpu(tool->vail, tool->arguments[0]));
}

int command_revoke(Tool *tool)
{
	pid_t pid;

	if (!pid_parse(tool->arguments[1], &pid))
		return EXIT_USAGE;
	return tool_finish(tool, vail_revoke_registration(tool->vail, tool->arguments[0], pid));
}
