/* SPDX-License-Identifier: MIT */
#include "client/vailctl/machine-argument.h"

#include "client/common/program-options.h"
#include "client/vailctl/command-table.h"
#include "client/vailctl/output.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"

int tool_find_machine(Tool *tool, const char *text, MachineScope scope,
		      char ret_guid[static MACHINE_GUID_SIZE])
{
	_cleanup_free_ char *message = NULL;
	NTSTATUS status = machine_find(tool->vail, text, scope, ret_guid, &message);

	if (status == STATUS_SUCCESS)
		return EXIT_DONE;
	if (!message)
		return tool_refused(tool, status);
	int exit_status = tool_failed(tool, status, "%s", message);
	tool_note_host(tool, status);
	return exit_status;
}

int tool_resolve_machine(const Command *command, Tool *tool)
{
	MachineScope scope;

	if (!command_takes_machine(command, &scope) || !tool->arguments[0])
		return EXIT_DONE;
	tool->typed = tool->arguments[0];
	int exit_status = tool_find_machine(tool, tool->typed, scope, tool->guid);
	tool->arguments[0] = tool->guid;
	return exit_status;
}
