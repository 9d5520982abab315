/* SPDX-License-Identifier: MIT */
/* The commands, what help says of them, and main. */
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "picture.h"
#include "vailctl.h"
#include "version.h"

#define ANY_COMMAND                                                                           \
	(OPTION_BIT(OPTION_SOCKET) | OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_NO_LEGEND) | \
	 OPTION_BIT(OPTION_NO_PAGER) | OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_VERSION))
#define PAGED OPTION_BIT(OPTION_NO_PAGER) /* what it prints can be long */
#define VM_OPTIONS                                                                           \
	(OPTION_BIT(OPTION_NAME) | OPTION_BIT(OPTION_USER) | OPTION_BIT(OPTION_CLIENT_PID) | \
	 OPTION_BIT(OPTION_AGENT_USER) | OPTION_BIT(OPTION_AGENT_PID))

#define VM_OPTIONS_HELP                                                                            \
	"  --name NAME        a name for people\n"                                                 \
	"  --user USER        a display client: processes of this user may register; repeatable\n" \
	"  --client-pid PID   a display client: processes with this one's privileges may\n"        \
	"                     register; repeatable\n"                                              \
	"  --agent-user USER  processes of this user may share objects beside the VMM\n"           \
	"  --agent-pid PID    this process may share objects beside the VMM\n"

typedef struct Command {
	const char *words[2]; /* the second may be NULL */
	size_t minimum;       /* of arguments behind them */
	size_t maximum;
	bool runs; /* takes -- COMMAND */
	unsigned int options;
	int (*command)(Tool *tool);
	const char *arguments; /* as help shows them */
	const char *summary;
	const char *details; /* NULL when the summary says all */
} Command;

/* clang-format off */
static const Command commands[] = {
	{ { "list", NULL }, 0, 0, false, PAGED, command_list, "",
	  "Show the virtual machines, and who is registered for them", NULL },
	{ { "describe", NULL }, 1, 1, false, PAGED, command_describe, "GUID",
	  "Show all that is known of one virtual machine", NULL },
	{ { "registrations", NULL }, 0, 0, false, PAGED, command_registrations, "",
	  "Show the registrations: your own, or for operators all", NULL },
	{ { "objects", NULL }, 0, 1, false, PAGED, command_objects, "[GUID]",
	  "Show the shared objects: those that you share or may open, or for operators all", NULL },
	{ { "holders", NULL }, 1, 1, false, PAGED, command_holders, "HANDLE",
	  "Show which processes hold a shared object", NULL },
	{ { "save", NULL }, 2, 2, false, 0, command_save, "HANDLE FILE",
	  "Save a shared object as a PNG",
	  "Registers this process for the object's VM as register does, opens the object, waits up\n"
	  "to 5 seconds for its fence, and writes a PNG. A file of this name is replaced at once and\n"
	  "whole. Formats are " PICTURE_FORMATS ", linear; alpha is written as it stands.\n" },
	{ { "adapters", NULL }, 0, 0, false, PAGED, command_gpu_adapters, "",
	  "Show the adapters", NULL },
	{ { "gpu", "adapters" }, 0, 0, false, PAGED, command_gpu_adapters, "",
	  "Show the adapters, as does: vailctl adapters", NULL },
	{ { "gpu", "processes" }, 0, 0, false, PAGED, command_gpu_processes, "",
	  "Show the GPU processes: your own, or for operators all", NULL },
	{ { "gpu", "map" }, 1, 1, false, PAGED, command_gpu_map, "PROCESS",
	  "Draw the address space of a GPU process",
	  "Bars show page tables to scale: the root, and then those in which ranges are told apart.\n"
	  "A list of the ranges and the sums follow. PROCESS is a handle, as in: vailctl gpu\n"
	  "processes. With --json all ranges are told.\n" },
	{ { "watch", NULL }, 0, 1, false, 0, command_watch, "[GUID]",
	  "Show what there is, and then each change as it comes",
	  "A line an event, until it is interrupted, or the last of what you may watch has ended.\n"
	  "With --json each line is one document. Operators see all; others the VMs that they run,\n"
	  "are agents of, or are registered for.\n" },
	{ { "status", NULL }, 0, 0, false, PAGED, command_status, "",
	  "Show what the daemon is doing", NULL },
	{ { "limits", NULL }, 0, 0, false, PAGED, command_limits, "",
	  "Show the limits, and how much of each is used", NULL },
	{ { "metrics", NULL }, 0, 0, false, PAGED, command_metrics, "",
	  "Print the daemon's metrics as OpenMetrics text", NULL },
	{ { "reload", NULL }, 0, 0, false, 0, command_reload, "",
	  "Have the daemon read its configuration anew",
	  "A mistake in it is told with file and key, and leaves the old one in force.\n" },
	{ { "register", NULL }, 1, 1, false, OPTION_BIT(OPTION_CONTEXT), command_register,
	  "GUID [--context]",
	  "Register this process for the VM until it is interrupted",
	  "Prints one line once it is registered, waits for SIGINT, SIGTERM or SIGHUP, and\n"
	  "unregisters. A graphics context is made through vaild when vaild says that one is\n"
	  "missing (STATUS_INVALID_DISPOSITION); a GPU device that vailctl was started with counts\n"
	  "as one.\n\n"
	  "  --context  make a context through vaild in any case, before registering\n" },
	{ { "exec", NULL }, 1, 1, true, 0, command_exec, "GUID -- COMMAND [ARGUMENT]...",
	  "Run a program that is registered for the VM",
	  "Makes a graphics context through vaild, registers this process, and becomes COMMAND:\n"
	  "context and registration belong to the process and stay until it ends. The exit status\n"
	  "is COMMAND's; 126 when it cannot be run, 127 when it is not found.\n" },
	{ { "revoke", NULL }, 2, 2, false, 0, command_revoke, "GUID PID",
	  "End another process's registration", NULL },
	{ { "vm", "add" }, 1, 1, true, OPTION_BIT(OPTION_PID) | VM_OPTIONS, command_vm_add,
	  "GUID [OPTION]... {--pid PID | -- COMMAND [ARGUMENT]...}",
	  "Bring in a virtual machine",
	  "The VM runs as long as its VMM: the process of --pid, or COMMAND, which vailctl becomes.\n"
	  "Who may register for it are its display clients; without any, processes with the VMM's\n"
	  "own privileges.\n\n"
	  "  --pid PID          the VMM\n" VM_OPTIONS_HELP },
	{ { "vm", "update" }, 1, 1, false, VM_OPTIONS, command_vm_update, "GUID [OPTION]...",
	  "Change what is known of a VM",
	  "What is not given stays. Display clients that are given replace all that there were.\n\n"
	  VM_OPTIONS_HELP },
	{ { "vm", "remove" }, 1, 1, false, 0, command_vm_remove, "GUID",
	  "Forget a VM, and end its registrations", NULL },
	{ { "vm", "quarantine" }, 1, 1, false, OPTION_BIT(OPTION_REASON), command_vm_quarantine,
	  "GUID [--reason TEXT]",
	  "End a VM's registrations and refuse new ones",
	  "Quarantine belongs to the GUID, running or not, and lasts over restarts and reboots until\n"
	  "it is lifted with: vailctl vm release GUID\n\n"
	  "  --reason TEXT  why, for people\n" },
	{ { "vm", "release" }, 1, 1, false, 0, command_vm_release, "GUID",
	  "Lift a quarantine", NULL },
	{ { "vm", "quarantines" }, 0, 0, false, PAGED, command_quarantines, "",
	  "Show the GUIDs in quarantine", NULL },
	{ { "vgpu", "assign" }, 1, 1, false, OPTION_BIT(OPTION_ADAPTER) | OPTION_BIT(OPTION_PROFILE),
	  command_vgpu_assign, "GUID [--adapter HANDLE] [--profile NAME]",
	  "Assign a virtual GPU to a VM, and print its handle",
	  "  --adapter HANDLE  as in: vailctl adapters; the software adapter without it\n"
	  "  --profile NAME    a name for people\n" },
	{ { "vgpu", "remove" }, 1, 1, false, 0, command_vgpu_remove, "HANDLE",
	  "Take a virtual GPU away", "With a VM's last one its registrations end.\n" },
	{ { "call", NULL }, 1, 2, false, OPTION_BIT(OPTION_MORE), command_call,
	  "METHOD [JSON] [--more]",
	  "Call any method, and print its reply's parameters",
	  "  --more  ask for a stream, and print each reply on a line, for as long as they come\n\n"
	  "  vailctl call io.vaild.ListRegistrations --more\n"
	  "  vailctl call io.vaild.Gpu.CreateContext '{}'\n" },
};
/* clang-format on */

static void print_usage(const Command *command)
{
	printf("  vailctl %s%s%s%s%s\n", command->words[0], command->words[1] ? " " : "",
	       command->words[1] ? command->words[1] : "", *command->arguments ? " " : "",
	       command->arguments);
}

static void print_help(void)
{
	puts("vailctl: who may share GPU allocations with which virtual machine, through vaild\n\n"
	     "  vailctl [OPTION]... COMMAND [ARGUMENT]...\n\n"
	     "Commands (vailctl COMMAND --help tells more):");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		print_usage(&commands[i]);
		printf("      %s\n", commands[i].summary);
	}
	puts("\nOptions:\n"
	     "  --socket PATH  vaild's socket; else $VAILD_SOCKET, else /run/vaild/vaild.sock\n"
	     "  --json         print one JSON document, also when the call is refused\n"
	     "  --no-legend    print tables without names of columns, and nothing when empty\n"
	     "  --no-pager     do not show long output with $PAGER or less\n"
	     "  -h, --help     show this, or with a command what it does\n"
	     "  --version      show vailctl's version\n\n"
	     "Exit status: 0 when vaild said STATUS_SUCCESS, 1 when not, 2 when the command line\n"
	     "is wrong.");
}

static int print_command_help(const Command *command)
{
	print_usage(command);
	printf("\n%s.\n", command->summary);
	if (command->details)
		printf("\n%s", command->details);
	return EXIT_DONE;
}

/* How many words name the command: 1 or 2; 0 when they name another. */
static size_t command_matches(const Command *command, const Options *options)
{
	if (options->word_count < 1 || strcmp(options->words[0], command->words[0]) != 0)
		return 0;
	if (!command->words[1])
		return 1;
	return options->word_count >= 2 && strcmp(options->words[1], command->words[1]) == 0 ? 2
											     : 0;
}

static const Command *find_command(const Options *options, size_t *ret_words)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		*ret_words = command_matches(&commands[i], options);
		if (*ret_words > 0)
			return &commands[i];
	}
	return NULL;
}

static int unknown_command(const Options *options)
{
	const char *first = options->word_count > 0 ? options->words[0] : NULL;

	if (!first)
		return usage_error("no command is given; see vailctl --help");
	if (strcmp(first, "vm") != 0 && strcmp(first, "vgpu") != 0 && strcmp(first, "gpu") != 0)
		return usage_error("there is no command %s; see vailctl --help", first);
	if (options->word_count == 1)
		return usage_error("%s needs to be told what to do; see vailctl --help", first);
	return usage_error("there is no command %s %s; see vailctl --help", first,
			   options->words[1]);
}

static int check_usage(const Command *command, const Options *options, size_t count)
{
	const char *second = command->words[1];
	char name[40];

	snprintf(name, sizeof(name), "%s%s%s", command->words[0], second ? " " : "",
		 second ? second : "");
	for (Option option = 0; option < OPTION_MAX; option++)
		if (options->given & ~(command->options | ANY_COMMAND) & OPTION_BIT(option))
			return usage_error("%s does not take %s; see vailctl %s --help", name,
					   option_text(option), name);
	if (count < command->minimum)
		return usage_error("%s lacks an argument: vailctl %s %s", name, name,
				   command->arguments);
	if (count > command->maximum)
		return usage_error("%s has too many arguments: vailctl %s%s%s", name, name,
				   *command->arguments ? " " : "", command->arguments);
	if (options->run && !command->runs)
		return usage_error("%s runs no command; leave out what follows --", name);
	return EXIT_DONE;
}

static int run_command(const Command *command, Tool *tool)
{
	NTSTATUS status = vail_new(tool->options.socket, &tool->vail);

	tool->parser = json_parser_new();
	terminal_open(tool, command->options & PAGED);
	int exit_status = status == STATUS_SUCCESS && tool->parser ? command->command(tool)
								   : tool_no_memory();
	terminal_close(tool);
	json_parser_free(tool->parser);
	vail_close(tool->vail);
	return exit_status;
}

static int run(Tool *tool)
{
	const Options *options = &tool->options;
	size_t words = 0;
	const Command *command = find_command(options, &words);

	if (options_have(options, OPTION_VERSION)) {
		puts("vailctl " VAILD_VERSION);
		return EXIT_DONE;
	}
	if (options_have(options, OPTION_HELP) && command)
		return print_command_help(command);
	if (options_have(options, OPTION_HELP)) {
		print_help();
		return EXIT_DONE;
	}
	if (!command)
		return unknown_command(options);
	int wrong = check_usage(command, options, options->word_count - words);
	if (wrong)
		return wrong;
	tool->arguments = (const char *const *)options->words + words;
	return run_command(command, tool);
}

int main(int argc, char **argv)
{
	Tool tool = { 0 };

	setlocale(LC_CTYPE, "");
	int exit_status = options_parse(argc, argv, &tool.options);
	if (exit_status == EXIT_DONE)
		exit_status = run(&tool);
	options_deinit(&tool.options);
	/* A full disk must not look like success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && exit_status == EXIT_DONE)
		exit_status = command_error("cannot write the output: %s", strerror(errno));
	return exit_status;
}
