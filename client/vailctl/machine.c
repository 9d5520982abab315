/* SPDX-License-Identifier: MIT */
/* Commands that change VMs, their virtual GPUs, and registrations of other processes. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/ended.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/monitor.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "client/vailctl/vm-state.h"
#include "client/vailctl/vmm-process.h"
#include "proto/guid.h"
#include "proto/macros.h"
#include "proto/quarantine-reason.h"
#include <vail.h>

/* Returns the VM that the options describe. It points into the options. */
static VailMachine machine_of(const Options *options)
{
	VailMachine machine = VAIL_MACHINE_INIT;

	machine.name = options->name;
	machine.vmm_pid = options->pid;
	client_list_put(&options->clients, &machine);
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

/*
 * vailctl cannot be the VMM itself, because the VM would end when vailctl exits. A VM that vaild
 * has found keeps its VMM.
 */
static int check_vmm(Tool *tool, VailMachine *machine)
{
	const Options *options = &tool->options;
	bool has_pid = options_have(options, OPTION_PID);

	if (!has_pid && !options->run) {
		machine->vmm_pid = vm_found_vmm(tool, tool->arguments[0]);
		if (machine->vmm_pid == 0)
			return usage_error(
				"vm add needs a VMM; give its --pid PID, or -- COMMAND to run it");
	}
	if (has_pid && options->run)
		return usage_error("--pid and -- COMMAND exclude each other; give only one");
	return EXIT_DONE;
}

/*
 * Ends a command that vaild accepts but that changes nothing. Logs the sentence, and prints success
 * with "changed":false with --json.
 */
_printf_(2, 3) static int finish_unchanged(const Tool *tool, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_message_list(format, arguments);
	va_end(arguments);
	if (options_have(&tool->options, OPTION_JSON))
		puts("{\"status\":\"STATUS_SUCCESS\",\"changed\":false}");
	return EXIT_DONE;
}

/* Tests whether the VM still has the settings from before. before: see vm_settings(). */
static bool is_as_before(Tool *tool, const char *before)
{
	_cleanup_free_ char *after = before ? vm_settings(tool, tool->arguments[0]) : NULL;

	return after && strcmp(before, after) == 0;
}

int command_vm_add(Tool *tool)
{
	const Options *options = &tool->options;
	const char *guid = tool->arguments[0];
	_cleanup_free_ char *before = NULL;
	_cleanup_(ended_deinit) Ended ended = ENDED_INIT;
	pid_t former;
	VailMachine machine = machine_of(options);
	int wrong = check_vmm(tool, &machine);

	if (!wrong)
		wrong = check_agent(options);
	if (wrong)
		return wrong;
	if (options->run)
		return vmm_process_run(tool, &machine);
	before = vm_settings(tool, guid);
	former = before ? vm_incoming_vmm(tool, guid) : 0;
	if (before)
		ended_begin(tool, guid, &ended);
	NTSTATUS status = vail_register_virtual_machine(tool->vail, guid, &machine);
	if (status == STATUS_SUCCESS && is_as_before(tool, before))
		return finish_unchanged(tool,
					"nothing was done, because %s runs already, with process "
					"%d as its VMM; to change its settings, run: vailctl vm "
					"update %s",
					guid, (int)machine.vmm_pid, guid);
	if (status == STATUS_SUCCESS &&
	    !(before && vm_note_incoming(tool, machine.vmm_pid, &machine, former))) {
		vm_note_root_client(tool, &ended.registrations);
		vm_note_same_name(tool, guid, options->name);
	}
	return ended_finish(tool, status, &ended);
}

int command_vm_update(Tool *tool)
{
	const Options *options = &tool->options;
	_cleanup_(ended_deinit) Ended ended = ENDED_INIT;
	VailMachine machine = machine_of(options);
	int wrong = check_agent(options);

	if (wrong)
		return wrong;
	if (machine.display_client_count > 0)
		ended_begin(tool, tool->arguments[0], &ended);
	NTSTATUS status = vail_update_virtual_machine(tool->vail, tool->arguments[0], &machine);
	if (status == STATUS_SUCCESS && !machine.name && !machine.agent &&
	    machine.display_client_count == 0)
		return finish_unchanged(tool, "nothing was done, because no setting is given; see "
					      "vailctl vm update --help");
	if (status == STATUS_SUCCESS) {
		vm_note_root_client(tool, &ended.registrations);
		vm_note_same_name(tool, tool->arguments[0], options->name);
	}
	return ended_finish(tool, status, &ended);
}

int command_vm_remove(Tool *tool)
{
	_cleanup_(ended_deinit) Ended ended = ENDED_INIT;

	ended_begin(tool, tool->arguments[0], &ended);
	return ended_finish(tool, vail_unregister_virtual_machine(tool->vail, tool->arguments[0]),
			    &ended);
}

/* Returns the quarantine of the GUID, which the user may have written in capital letters. */
static const JsonValue *find_quarantine(const Listing *quarantines, const char *text)
{
	char canonical[GUID_TEXT_LENGTH + 1];
	Guid guid;

	if (!guid_parse(text, &guid))
		return NULL;
	return listing_find(quarantines, "virtualMachineGuid", guid_format(&guid, canonical));
}

/* Returns a copy of the reason why the GUID is in quarantine, "" for none; NULL if it is not. */
static char *quarantine_reason(Tool *tool)
{
	_cleanup_(listing_deinit) Listing quarantines = { 0 };

	if (listing_fetch(tool, "io.vaild.Machine.ListQuarantines", NULL, "quarantines",
			  &quarantines) != STATUS_SUCCESS)
		return NULL; /* the next call says why */
	const JsonValue *quarantine = find_quarantine(&quarantines, tool->arguments[0]);
	const char *reason = member_text(quarantine, "reason");
	return quarantine ? strdup(reason ? reason : "") : NULL;
}

/* Tests whether a quarantine with this reason, which may be NULL, is one of the fleet. */
static bool is_reason_of_fleet(const char *reason)
{
	static const char of_fleet[] = QUARANTINE_REASON_OF_FLEET;

	return reason && strncmp(reason, of_fleet, strlen(of_fleet)) == 0;
}

/* A reason that begins as those of the fleet would make vaild-fleet lift the quarantine. */
static int check_reason(const char *reason)
{
	if (!is_reason_of_fleet(reason))
		return EXIT_DONE;
	return usage_error("--reason begins with \"" QUARANTINE_REASON_OF_FLEET
			   "\", which marks the quarantines that vaild-fleet imposes and lifts; "
			   "choose another text");
}

int command_vm_quarantine(Tool *tool)
{
	int wrong = check_reason(tool->options.reason);
	if (wrong)
		return wrong;
	_cleanup_free_ char *before = tool_sees_all(tool) ? quarantine_reason(tool) : NULL;
	_cleanup_free_ char *after = NULL;
	_cleanup_(ended_deinit) Ended ended = ENDED_INIT;
	char quoted[SHELL_QUOTE_SIZE];

	ended_begin(tool, tool->arguments[0], &ended);
	NTSTATUS status =
		vail_set_quarantine(tool->vail, tool->arguments[0], true, tool->options.reason);

	if (status == STATUS_SUCCESS && before)
		after = quarantine_reason(tool);
	if (after && strcmp(before, after) == 0)
		return finish_unchanged(
			tool,
			"nothing was done, because %s is in quarantine already%s%s%s; "
			"to lift the quarantine, run: vailctl vm release %s",
			tool->typed, *before ? " for the reason \"" : "", before,
			*before ? "\", which --reason replaces" : "",
			shell_quote(tool->typed, quoted));
	return ended_finish(tool, status, &ended);
}

/* Says that the fleet does not keep the release of its own quarantine. */
static void note_fleet(const Tool *tool)
{
	char quoted[SHELL_QUOTE_SIZE];

	if (!options_have(&tool->options, OPTION_JSON))
		log_message("the fleet has put %s into quarantine, so vaild-fleet imposes that "
			    "here again; to lift it on all hosts, run: vailctl fleet release %s",
			    tool->typed, shell_quote(tool->typed, quoted));
}

int command_vm_release(Tool *tool)
{
	_cleanup_(listing_deinit) Listing quarantines = { 0 };
	NTSTATUS status = listing_fetch(tool, "io.vaild.Machine.ListQuarantines", NULL,
					"quarantines", &quarantines);

	/* A user who may not see them may not lift one. That refusal names those who may. */
	if (status != STATUS_SUCCESS && status != STATUS_ACCESS_DENIED)
		return tool_refused(tool, status);
	const JsonValue *quarantine = find_quarantine(&quarantines, tool->arguments[0]);
	if (status == STATUS_SUCCESS && !quarantine)
		return finish_unchanged(tool,
					"nothing was done, because %s is not in quarantine; to see "
					"the quarantines, run: vailctl vm quarantines",
					tool->typed);
	status = vail_set_quarantine(tool->vail, tool->arguments[0], false, NULL);
	if (status == STATUS_SUCCESS && is_reason_of_fleet(member_text(quarantine, "reason")))
		note_fleet(tool);
	return tool_finish(tool, status);
}

static const TableColumn quarantine_columns[] = {
	{ .name = "GUID" }, { .name = "REASON", .minimum = 16, .folds = true }
};

static void fill_quarantine(Table *table, const JsonValue *quarantine)
{
	table_add(table, member_text(quarantine, "virtualMachineGuid"));
	table_add(table, member_text(quarantine, "reason"));
}

int command_quarantines(Tool *tool)
{
	_cleanup_(table_deinit) Table table = TABLE_INIT(quarantine_columns);

	return report_list(tool, "io.vaild.Machine.ListQuarantines", "quarantines", &table,
			   fill_quarantine, "No quarantines.");
}

/*
 * Says how many virtual GPUs the VM has if it has several, because people repeat the command and
 * expect no other one. Scripts get only the handle.
 */
static void print_virtual_gpu_count(Tool *tool)
{
	_cleanup_free_ char *text = NULL;
	const char *error;

	if (!tool->terminal.is_terminal ||
	    vm_describe(tool, tool->arguments[0], &text) != STATUS_SUCCESS)
		return;
	JsonValue *reply = json_parse(tool->parser, text, strlen(text), &error);
	const JsonValue *machine = json_member(reply, "virtualMachine");
	size_t count = json_array_size(json_member(machine, "virtualGpus"));
	json_free(reply);
	if (count > 1)
		printf("The VM has %zu virtual GPUs now; to see them, run: vailctl vgpu list\n",
		       count);
}

int command_vgpu_assign(Tool *tool)
{
	const Options *options = &tool->options;
	char handle[VAIL_HANDLE_SIZE];
	NTSTATUS status = vail_assign_virtual_gpu(tool->vail, tool->arguments[0], options->adapter,
						  options->profile, handle);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(options, OPTION_JSON)) {
		printf("{\"status\":\"STATUS_SUCCESS\",\"virtualGpu\":\"%s\"}\n", handle);
		return EXIT_DONE;
	}
	tool_print_result(tool, "Virtual GPU", handle);
	print_virtual_gpu_count(tool);
	return EXIT_DONE;
}

int command_vgpu_remove(Tool *tool)
{
	_cleanup_(ended_deinit) Ended ended = ENDED_INIT;

	ended_begin_of_virtual_gpu(tool, tool->arguments[0], &ended);
	return ended_finish(tool, vail_remove_virtual_gpu(tool->vail, tool->arguments[0]), &ended);
}

int command_revoke(Tool *tool)
{
	_cleanup_(ended_deinit) Ended ended = ENDED_INIT;
	pid_t pid;

	if (!pid_parse(tool->arguments[1], &pid))
		return EXIT_USAGE;
	ended_begin(tool, tool->arguments[0], &ended);
	return ended_finish(tool, vail_revoke_registration(tool->vail, tool->arguments[0], pid),
			    &ended);
}
