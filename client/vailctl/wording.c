/* SPDX-License-Identifier: MIT */
#include "client/vailctl/wording.h"

#include <stdio.h>
#include <string.h>

#include "client/common/user-message.h"
#include "client/vailctl/command-table.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"

/* Size of the buffer of a subject. */
#define SUBJECT_SIZE (PLAIN_QUOTE_SIZE + 32)

typedef int (*Run)(Tool *tool);

/* ---- Subjects ---- */

static char *format_option(Option option, const char *value, char subject[static SUBJECT_SIZE])
{
	char quoted[PLAIN_QUOTE_SIZE];

	snprintf(subject, SUBJECT_SIZE, "%s%s%s", option_text(option), value ? " " : "",
		 value ? plain_quote(value, quoted) : "");
	return subject;
}

/* For a user or a process, which the person gave with one of two options. */
static char *format_party(Option user, Option pid, const VailParty *party,
			  char subject[static SUBJECT_SIZE])
{
	char number[16];

	if (party->user)
		return format_option(user, party->user, subject);
	snprintf(number, sizeof(number), "%d", (int)party->pid);
	return format_option(pid, number, subject);
}

static char *format_argument(const char *argument, char subject[static SUBJECT_SIZE])
{
	char quoted[PLAIN_QUOTE_SIZE];

	snprintf(subject, SUBJECT_SIZE, "%s", plain_quote(argument, quoted));
	return subject;
}

/* For a VM and the pid of a process. */
static char *format_registration(const char *const *typed, char subject[static SUBJECT_SIZE])
{
	char machine[PLAIN_QUOTE_SIZE];

	snprintf(subject, SUBJECT_SIZE, "%s %.20s", plain_quote(typed[0], machine), typed[1]);
	return subject;
}

/* Returns the option that was typed for the parameter, or NULL if none was. */
static const char *option_subject(const Options *options, const char *parameter,
				  char subject[static SUBJECT_SIZE])
{
	const VailParty vmm = { .pid = options->pid };
	size_t index = 0;

	if (strcmp(parameter, "vmmPid") == 0 && options_have(options, OPTION_PID))
		return format_party(OPTION_PID, OPTION_PID, &vmm, subject);
	if (strcmp(parameter, "displayClients") == 0)
		return format_option(OPTION_USER, NULL, subject);
	if (sscanf(parameter, "displayClients[%zu]", &index) == 1 && index < options->clients.count)
		return format_party(OPTION_USER, OPTION_CLIENT_PID,
				    &options->clients.parties[index], subject);
	if (strncmp(parameter, "agent", strlen("agent")) == 0)
		return format_party(OPTION_AGENT_USER, OPTION_AGENT_PID, &options->agent, subject);
	if (strcmp(parameter, "name") == 0 && options->name)
		return format_option(OPTION_NAME, options->name, subject);
	if (strcmp(parameter, "adapter") == 0 && options->adapter)
		return format_option(OPTION_ADAPTER, options->adapter, subject);
	if (strcmp(parameter, "profile") == 0 && options->profile)
		return format_option(OPTION_PROFILE, options->profile, subject);
	if (strcmp(parameter, "reason") == 0 && options->reason)
		return format_option(OPTION_REASON, options->reason, subject);
	return NULL;
}

/* Returns the argument that was typed for the parameter, or for the subject of the request. */
static const char *argument_subject(Run run, const char *const *typed, const char *parameter,
				    char subject[static SUBJECT_SIZE])
{
	static const char *const first[] = { "virtualMachineGuid", "handle", "process",
					     "virtualGpu", "display" };

	if (!*typed)
		return NULL;
	if (!parameter && run == command_revoke && typed[1])
		return format_registration(typed, subject);
	if (!parameter)
		return format_argument(typed[0], subject);
	if (strcmp(parameter, "pid") == 0 && typed[1])
		return format_argument(typed[1], subject);
	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		if (strcmp(parameter, first[i]) == 0)
			return format_argument(typed[0], subject);
	return NULL;
}

/* ---- Advice ---- */

/* The first row that fits counts. The VM that was typed takes the place of each "@". */
static const struct {
	NTSTATUS status;
	Run run; /* the command; NULL for all */
	const char *advice;
} advices[] = {
	{ STATUS_NOT_FOUND, command_vm_update,
	  "list the VMs with: vailctl list, or add it with: vailctl vm add" },
	{ STATUS_NOT_FOUND, command_vgpu_assign,
	  "list the VMs with: vailctl list, or add it with: vailctl vm add" },
	{ STATUS_NOT_FOUND, command_vm_remove, "list the VMs with: vailctl list" },
	{ STATUS_NOT_FOUND, command_revoke, "list the registrations with: vailctl registrations" },
	{ STATUS_NOT_FOUND, command_fleet_where,
	  "list the VMs of all hosts with: vailctl fleet vms" },
	{ STATUS_NOT_FOUND, NULL, "start it, or list the VMs that you may see with: vailctl list" },
	{ STATUS_INVALID_HANDLE, command_vgpu_assign, "list the adapters with: vailctl adapters" },
	{ STATUS_INVALID_HANDLE, command_vgpu_remove,
	  "list the virtual GPUs with: vailctl vgpu list" },
	{ STATUS_INVALID_HANDLE, command_gpu_map,
	  "list the GPU processes with: vailctl gpu processes" },
	{ STATUS_INVALID_HANDLE, command_display_close,
	  "list the display channels with: vailctl displays" },
	{ STATUS_INVALID_HANDLE, NULL, "list the objects that you may see with: vailctl objects" },
	{ STATUS_GRAPHICS_VAIL_STATE_CHANGED, NULL, "have an operator run: vailctl vgpu assign @" },
	{ STATUS_INVALID_DISPOSITION, command_register, "run it with --context" },
	{ STATUS_ACCESS_DENIED, command_watch,
	  "call as root, or, without a shell in between, run: vailctl exec @ -- vailctl watch @" },
};

/* Returns NULL if the advice of vaild fits. */
static const char *find_advice(NTSTATUS status, Run run)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (advices[i].status == status && (!advices[i].run || advices[i].run == run))
			return advices[i].advice;
	return NULL;
}

/* Size of the buffer of advice that names the VM. */
#define ADVICE_SIZE (2 * SHELL_QUOTE_SIZE + 64)

/* Tests whether the first argument of the command is a VM that advice can name. */
static bool names_machine(Run run)
{
	return run == command_register || run == command_exec || run == command_watch ||
	       run == command_wait;
}

/* Puts the VM into the advice. typed: the arguments. */
static const char *format_advice(const char *pattern, Run run, const char *const *typed,
				 char advice[static ADVICE_SIZE])
{
	char quoted[SHELL_QUOTE_SIZE];
	const char *machine = names_machine(run) && *typed ? shell_quote(*typed, quoted) : "VM";
	size_t length = 0;

	for (const char *at = pattern; *at != '\0' && length < ADVICE_SIZE; at++)
		length += (size_t)(*at == '@' ? snprintf(advice + length, ADVICE_SIZE - length,
							 "%s", machine)
					      : snprintf(advice + length, ADVICE_SIZE - length,
							 "%c", *at));
	return advice;
}

/* ---- Refusals ---- */

/* Returns the word of the command line at this index, or NULL behind its end. */
static const char *typed_word(const Tool *tool, size_t index)
{
	return index < tool->options.word_count ? tool->options.words[index] : NULL;
}

char *wording_refusal(const Tool *tool, NTSTATUS status)
{
	const char *parameter = vail_error_parameter(tool->vail);
	char subject[SUBJECT_SIZE], advice[ADVICE_SIZE];
	size_t word_count = 0;
	const Command *command = command_find(&tool->options, &word_count);
	const char *typed[] = { tool->typed ? tool->typed : typed_word(tool, word_count),
				typed_word(tool, word_count + 1), NULL };
	Run run = command ? command->run : NULL;
	Wording wording = { .machine = tool->typed };

	/* The configuration's mistakes are about its own keys, which are not vaild's interface. */
	if (run == command_call || run == command_reload)
		return message_refusal_raw(tool->vail, status);
	if (parameter)
		wording.subject = option_subject(&tool->options, parameter, subject);
	if (status == STATUS_INVALID_HANDLE && run == command_vgpu_assign && tool->options.adapter)
		wording.subject = format_option(OPTION_ADAPTER, tool->options.adapter, subject);
	if (!wording.subject)
		wording.subject = argument_subject(run, typed, parameter, subject);
	wording.advice = find_advice(status, run);
	if (wording.advice && strchr(wording.advice, '@'))
		wording.advice = format_advice(wording.advice, run, typed, advice);
	return message_refusal(tool->vail, status, &wording);
}
