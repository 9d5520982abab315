/* SPDX-License-Identifier: MIT */
#include "client/vailctl/command-table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/plain-words.h"
#include "client/common/png.h"
#include "client/common/program-options.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"

#define ANY_COMMAND                                                                           \
	(OPTION_BIT(OPTION_SOCKET) | OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_NO_LEGEND) | \
	 OPTION_BIT(OPTION_NO_PAGER) | OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_VERSION))
#define PAGED OPTION_BIT(OPTION_NO_PAGER) /* for commands with long output */

/*
 * For commands whose first argument names a VM: a running one, or a GUID in quarantine as well. The
 * command gets its GUID. Commands that look for the VM themselves have neither.
 */
#define TAKES_VM          (UINT64_C(1) << 63)
#define TAKES_QUARANTINED (UINT64_C(1) << 62)

#define VM_OPTIONS                                                                           \
	(OPTION_BIT(OPTION_NAME) | OPTION_BIT(OPTION_USER) | OPTION_BIT(OPTION_CLIENT_PID) | \
	 OPTION_BIT(OPTION_AGENT_USER) | OPTION_BIT(OPTION_AGENT_PID))

#define WATCH_OPTIONS (OPTION_BIT(OPTION_ALL) | OPTION_BIT(OPTION_KIND) | OPTION_BIT(OPTION_OBJECT))

#define FLEET OPTION_BIT(OPTION_FLEET_SOCKET)

#define FLEET_HELP                                                  \
	"  --fleet-socket PATH  vaild-fleet's socket; by default\n" \
	"                       $VAILD_FLEET_SOCKET or /run/vaild-fleet/socket\n"

#define VM_OPTIONS_HELP                                                              \
	"  --name NAME        a display name\n"                                      \
	"  --user USER[:RIGHTS]\n"                                                   \
	"                     a display client: processes with the ids and groups\n" \
	"                     of this user, and no capabilities, may register;\n"    \
	"                     repeatable. RIGHTS on the VM's display are view\n"     \
	"                     (always included), input, clipboard, audioOutput\n"    \
	"                     and audioInput: alice:view,input\n"                    \
	"  --client-pid PID[:RIGHTS]\n"                                              \
	"                     a display client: processes with the same\n"           \
	"                     privileges as this one may register; repeatable.\n"    \
	"                     Processes of root have capabilities, so name one:\n"   \
	"                     $$ is the shell\n"                                     \
	"  --agent-user USER  the agent: processes of this user may share objects\n" \
	"                     for the VM\n"                                          \
	"  --agent-pid PID    the agent: this process may share objects for the VM\n"

/* clang-format off */
static const Command commands[] = {
	/* The first one is what vailctl does without a command. */
	{ { "list", NULL }, 0, 0, false, PAGED, command_list, "",
	  "Show the VMs and the processes registered for them",
	  "vailctl without a command does the same, and so does vailctl vm list. The STATE\n"
	  "found is that of a VM that systemd-machined has named; see vailctl vm add.\n" },
	{ { "show", NULL }, 1, 1, false, PAGED | TAKES_VM, command_describe, "VM",
	  "Show the details of one virtual machine", NULL },
	{ { "describe", NULL }, 1, 1, false, PAGED | TAKES_VM, command_describe, "VM",
	  "Show the details of one virtual machine, like: vailctl show", NULL },
	{ { "registrations", NULL }, 0, 0, false, PAGED, command_registrations, "",
	  "Show the registrations of VMs; operators see all",
	  "Other users see only those of the process that asks, as in:\n"
	  "vailctl exec VM -- vailctl registrations\n"
	  "To see how many processes a VM has registered, use: vailctl list\n" },
	{ { "objects", NULL }, 0, 1, false, PAGED | TAKES_VM, command_objects, "[VM]",
	  "Show the shared objects of VMs; operators see all",
	  "Other users see only those that the process that asks shares or may open,\n"
	  "as in: vailctl exec VM -- vailctl objects\n" },
	{ { "holders", NULL }, 1, 1, false, PAGED, command_holders, "HANDLE",
	  "Show which processes hold a shared object open", NULL },
	{ { "save", NULL }, 2, 2, false, 0, command_save, "HANDLE FILE",
	  "Save a shared object as a PNG file",
	  "Registers this process for the object's VM (see vailctl register --help), opens\n"
	  "the object, waits up to 5 seconds for its fence, and writes the PNG file. An\n"
	  "existing FILE is replaced atomically, and keeps its mode. A device or a FIFO is\n"
	  "written to, and - is stdout. The object must be linear, and its format one of\n"
	  PICTURE_FORMATS "; alpha is saved unchanged.\n\n"
	  "The handle of a screen ends when the guest changes its mode. For a VM's screen,\n"
	  "whatever its handle is, use: vail-view VM --png FILE\n" },
	{ { "displays", NULL }, 0, 1, false, PAGED | TAKES_VM, command_displays, "[VM]",
	  "Show the display channels of VMs; operators see all",
	  "A display channel connects a viewer with the VM's agent, for keyboard, pointer,\n"
	  "clipboard and sound. A window of vail-view opens one only if its display client\n"
	  "may send input. Otherwise the window shows pictures and has no channel.\n"
	  "To see every viewer, run vailctl list, registrations or holders.\n\n"
	  "Other users see those of VMs that they added. A process sees those that it has\n"
	  "opened, and those of the VM of which it is the VMM or the agent.\n" },
	{ { "display", "close" }, 1, 1, false, 0, command_display_close, "HANDLE",
	  "End a display channel",
	  "Viewer and agent see its end at once. The viewer may open another one. To\n"
	  "prevent that, revoke its registration or change the rights of its display\n"
	  "client.\n" },
	{ { "adapters", NULL }, 0, 0, false, PAGED, command_gpu_adapters, "",
	  "Show the GPU adapters",
	  "Adapters with the source drm are GPU devices of this host, which vaild has\n"
	  "found and only shows. Their page tables are unknown.\n\n"
	  "vailctl gpu list and vailctl gpu adapters do the same.\n" },
	{ { "gpu", "list" }, 0, 0, false, PAGED, command_gpu_adapters, "",
	  "Show the GPU adapters, like: vailctl adapters", NULL },
	{ { "gpu", "adapters" }, 0, 0, false, PAGED, command_gpu_adapters, "",
	  "Show the GPU adapters, like: vailctl adapters", NULL },
	{ { "gpu", "processes" }, 0, 0, false, PAGED, command_gpu_processes, "",
	  "Show your own GPU processes and those on your adapters",
	  "Operators see all. PID is none if the adapter's driver has named no host\n"
	  "process. The adapter's own system process has neither a pid nor a VM; its NAME\n"
	  "is (system).\n" },
	{ { "gpu", "holders" }, 0, 1, false, PAGED | TAKES_VM, command_gpu_holders, "[VM]",
	  "Show which VMs hold GPU devices now",
	  "Looks at the files that each VMM has open now: DRM nodes, mediated devices, and\n"
	  "functions that it got through VFIO, also those that are no GPUs, see CLASS.\n"
	  "KIND is paravirtual, virtualFunction, mdev or passthrough. Operators see all\n"
	  "VMs, other users those that they added or run.\n" },
	{ { "gpu", "map" }, 1, 1, false, PAGED, command_gpu_map, "PROCESS",
	  "Draw the address space of a GPU process",
	  "Draws page tables as bars, to scale: the root table, then the tables below it\n"
	  "that show where ranges begin and end. A list of the ranges and the totals\n"
	  "follow. PROCESS is a handle that vailctl gpu processes shows. With --json,\n"
	  "prints all ranges instead.\n" },
	{ { "watch", NULL }, 0, 1, false, WATCH_OPTIONS | TAKES_VM, command_watch,
	  "[VM] [--kind KIND]... [--object HANDLE] [--all]",
	  "Show the current state, then each change as it happens",
	  "Prints one line for each event: the time, the VM, and what has changed. Ends\n"
	  "when it is interrupted, or when you may watch nothing any more. With --json,\n"
	  "each line is one document. Operators see everything. Other users see the VMs\n"
	  "whose agent they are, and those for which the process is registered, as in:\n"
	  "vailctl exec VM -- vailctl watch\n\n"
	  "  --all            also each update of an object's picture; --json prints these\n"
	  "                   always\n"
	  "  --kind KIND      only events of this kind, or of a list with commas;\n"
	  "                   repeatable\n"
	  "  --object HANDLE  only events of this object, which vailctl objects shows\n\n"
	  "The kinds are current, registered, unregistered, virtualMachineAdded,\n"
	  "virtualMachineChanged, virtualMachineRemoved, virtualGpuAssigned,\n"
	  "virtualGpuRemoved, quarantined, quarantineLifted, adapterAdded, adapterRemoved,\n"
	  "gpuProcessRemoved, pageTableResident, shared, updated, unshared, opened,\n"
	  "released, displayOpened, displayClosed, interrupted and resumed.\n" },
	{ { "wait", NULL }, 1, 1, false, OPTION_BIT(OPTION_FOR) | OPTION_BIT(OPTION_TIMEOUT),
	  command_wait, "VM [--for registered|shared|ended] [--timeout SECONDS]",
	  "Wait until something has happened to a virtual machine",
	  "Ends at once if it has happened already. An operator may wait for a VM that\n"
	  "does not run yet.\n\n"
	  "  --for registered   until a process is registered for the VM, which is the\n"
	  "                     default; prints its pid\n"
	  "  --for shared       until an object of the VM is shared; prints its handle\n"
	  "  --for ended        until the VM has ended\n"
	  "  --timeout SECONDS  exit with status 124 if it does not happen in this time\n\n"
	  "The handle of a screen ends when the guest changes its mode. After a second,\n"
	  "vailctl says on stderr what it waits for, and whether that cannot happen,\n"
	  "because the VM is in quarantine or has no virtual GPU.\n" },
	{ { "logs", NULL }, 0, 1, false,
	  OPTION_BIT(OPTION_FOLLOW) | OPTION_BIT(OPTION_LINES),
	  command_logs, "[VM] [--follow] [--lines N]",
	  "Show the daemon's journal, or the entries about one VM",
	  "Runs journalctl, with a pager on a terminal. With --json, each line is one\n"
	  "document. A VM that has ended is named by its whole GUID. A vaild that was\n"
	  "started by hand writes its log to its terminal instead.\n\n"
	  "  -f, --follow   show new entries as they come, after the last 10\n"
	  "  -n, --lines N  only the last N entries\n" },
	{ { "status", NULL }, 0, 0, false, PAGED, command_status, "",
	  "Show the state of the daemon",
	  "Shows whether it runs and since when, the limits that are nearly reached, its\n"
	  "remarks about the configuration and the last start, and how many entities\n"
	  "there are.\n" },
	{ { "limits", NULL }, 0, 0, false, PAGED | OPTION_BIT(OPTION_USED), command_limits, "[--used]",
	  "Show the limits and how much of each is used",
	  "A limit has the name of its key in vaild.json, except maxVirtualGpus,\n"
	  "closesUnderWay and virtualGpusPerMachine, which cannot be changed.\n"
	  "FOR USERS is the part of MAXIMUM that all users can use; the rest is kept for\n"
	  "operators. Operators see the use by all users, and others their own, except\n"
	  "that maxVirtualGpus counts the virtual GPUs of all VMs on one adapter, which\n"
	  "is the one with the fewest left.\n\n"
	  "  --used  only the limits of which something is used, most used first\n" },
	{ { "metrics", NULL }, 0, 0, false, PAGED, command_metrics, "",
	  "Print the daemon's metrics as OpenMetrics text", NULL },
	{ { "reload", NULL }, 0, 0, false, 0, command_reload, "",
	  "Make the daemon reload its configuration",
	  "If the configuration has an error, prints the file and the key. The daemon then\n"
	  "keeps its previous configuration.\n" },
	{ { "register", NULL }, 1, 1, false, OPTION_BIT(OPTION_CONTEXT) | TAKES_VM,
	  command_register, "VM [--context]",
	  "Register this process for a VM until it is interrupted",
	  "Prints one line when it is registered, waits for SIGINT, SIGTERM or SIGHUP, and\n"
	  "then unregisters. Fails if the registration ends before that. vailctl first\n"
	  "creates a graphics context through vaild, unless it has inherited an open GPU\n"
	  "device, which counts as a context.\n\n"
	  "  --context  always create a context through vaild before registering\n" },
	{ { "exec", NULL }, 1, 1, true, TAKES_VM, command_exec, "VM -- COMMAND [ARGUMENT]...",
	  "Run a program that is registered for a VM",
	  "Creates a graphics context through vaild, registers this process, and replaces\n"
	  "itself by COMMAND. Context and registration belong to the process and last\n"
	  "until it ends. Processes that COMMAND starts are not registered, so a program\n"
	  "that a shell starts is not. The exit status is COMMAND's, 126 if it cannot be\n"
	  "run, or 127 if it is not found. With --socket, VAILD_SOCKET in the environment\n"
	  "of COMMAND is the same socket.\n" },
	{ { "revoke", NULL }, 2, 2, false, TAKES_VM, command_revoke, "VM PID",
	  "End the registration of another process",
	  "PID is one that vailctl registrations shows. The process may register again. To\n"
	  "keep it out, name other display clients with vailctl vm update, or keep out all\n"
	  "processes with vailctl vm quarantine.\n" },
	{ { "vm", "list" }, 0, 0, false, PAGED, command_list, "",
	  "Show the virtual machines, like: vailctl list", NULL },
	{ { "vm", "add" }, 1, 1, true, OPTION_BIT(OPTION_PID) | VM_OPTIONS, command_vm_add,
	  "GUID [OPTION]... {--pid PID | -- COMMAND [ARGUMENT]...}",
	  "Add a virtual machine",
	  "The VM lasts as long as its VMM: the process given by --pid, or COMMAND, which\n"
	  "vailctl runs in the foreground. If COMMAND continues in the background, as QEMU\n"
	  "does with -daemonize, or ends at once, vailctl reports that the VM has ended,\n"
	  "and fails. It also reports if COMMAND fails, and exits with the same status.\n\n"
	  "The VM's display clients may register for it. If none is given, processes with\n"
	  "the same privileges as the VMM may.\n\n"
	  "GUID is the value of QEMU's option -uuid. To make one for a new VM, run:\n"
	  "cat /proc/sys/kernel/random/uuid\n\n"
	  "If the VM runs already, the process is its incoming VMM. It takes over the VM\n"
	  "when the present VMM exits. Only the agent is used of the other options. To\n"
	  "call the hand-over off, end that process, or name another one.\n\n"
	  "A VM that systemd-machined has named is taken over at once, with all options.\n"
	  "Without --pid it keeps its VMM.\n\n"
	  "  --pid PID          the VMM\n" VM_OPTIONS_HELP },
	{ { "vm", "update" }, 1, 1, false, OPTION_BIT(OPTION_PID) | VM_OPTIONS | TAKES_VM,
	  command_vm_update, "VM [OPTION]...",
	  "Change the settings of a VM",
	  "Settings that are not given keep their values. If any display client is given,\n"
	  "the list of display clients is replaced. Registrations that fit none of them\n"
	  "end, and vailctl names them. Without any setting nothing is changed, and\n"
	  "vailctl says so.\n\n"
	  "  --pid PID          the VM's VMM or incoming VMM, whose agent is set\n" VM_OPTIONS_HELP },
	{ { "vm", "remove" }, 1, 1, false, TAKES_VM, command_vm_remove, "VM",
	  "Remove a VM and end its registrations",
	  "Its VMM goes on, also one that vm add has started.\n" },
	{ { "vm", "quarantine" }, 1, 1, false, OPTION_BIT(OPTION_REASON) | TAKES_VM | TAKES_QUARANTINED,
	  command_vm_quarantine, "VM [--reason TEXT]",
	  "End a VM's registrations and refuse new ones",
	  "The quarantine applies to the GUID, whether the VM runs or not. It survives\n"
	  "restarts and reboots until it is lifted with: vailctl vm release VM\n\n"
	  "  --reason TEXT  the reason, shown to users\n" },
	{ { "vm", "release" }, 1, 1, false, TAKES_VM | TAKES_QUARANTINED, command_vm_release, "VM",
	  "Lift a quarantine",
	  "If the VM is not in quarantine, vailctl says that nothing was done. A\n"
	  "quarantine of the fleet, whose reason begins with \"fleet: \", comes back on this\n"
	  "host; it is lifted on all hosts with: vailctl fleet release VM\n" },
	{ { "vm", "quarantines" }, 0, 0, false, PAGED, command_quarantines, "",
	  "Show the GUIDs in quarantine", NULL },
	{ { "vgpu", "list" }, 0, 0, false, PAGED, command_vgpu_list, "",
	  "Show the virtual GPUs with their VMs and adapters",
	  "The SOURCE api is that of vailctl vgpu assign. The others were found: the VM's\n"
	  "VMM has FUNCTION open, which is a mediated device (mdev), an SR-IOV virtual\n"
	  "function (virtualFunction), or a GPU that VMs share (paravirtual).\n" },
	{ { "vgpu", "assign" }, 1, 1, false, OPTION_BIT(OPTION_ADAPTER) | OPTION_BIT(OPTION_PROFILE) | TAKES_VM,
	  command_vgpu_assign, "VM [--adapter HANDLE] [--profile NAME]",
	  "Assign a virtual GPU to a VM and print its handle",
	  "A VM may have several: one that has a virtual GPU already gets another one, and\n"
	  "vailctl says on a terminal how many it has.\n\n"
	  "  --adapter HANDLE  an adapter that vailctl adapters shows; by default, the\n"
	  "                    software adapter\n"
	  "  --profile NAME    a display name\n" },
	{ { "vgpu", "remove" }, 1, 1, false, 0, command_vgpu_remove, "HANDLE",
	  "Remove a virtual GPU",
	  "When a VM loses its last virtual GPU, its registrations end.\n" },
	{ { "fleet", "hosts" }, 0, 0, false, PAGED | FLEET, command_fleet_hosts, "",
	  "Show the hosts of the fleet",
	  "The hosts that run vaild-fleet with the same etcd. FREE VGPUS counts the\n"
	  "virtual GPUs of any type that their adapters can still have, without those\n"
	  "of vaild's software adapter.\n\n" FLEET_HELP },
	{ { "fleet", "vms" }, 0, 0, false, PAGED | FLEET, command_fleet_vms, "",
	  "Show the virtual machines of all hosts",
	  "A VM that several hosts have is running on one of them. On the others it is\n"
	  "incoming, as in a migration, or in conflict: it runs there, although another\n"
	  "host has claimed it. SINCE is when the VM was added on that host, in UTC.\n\n" FLEET_HELP },
	{ { "fleet", "gpus" }, 0, 0, false, PAGED | FLEET, command_fleet_gpus, "",
	  "Show the GPU adapters of all hosts",
	  "FREE BY TYPE has the types of virtual GPUs that a device offers, each with the\n"
	  "number that it can still have, or any if the type is only a label there.\n\n"
	  FLEET_HELP },
	{ { "fleet", "where" }, 1, 1, false, FLEET, command_fleet_where, "VM",
	  "Show which host has a virtual machine",
	  "EPOCH grows whenever another host gets the VM, and begins with any number.\n"
	  "SINCE is when the host got the VM, in UTC. A host that has gone stays, and is\n"
	  "unreachable.\n\n"
	  FLEET_HELP },
	{ { "fleet", "place" }, 0, 0, false, FLEET | OPTION_BIT(OPTION_TYPE), command_fleet_place,
	  "--type PROFILE",
	  "Show which hosts can have another virtual GPU",
	  "The host with the most free virtual GPUs is first. REASON says why a host has\n"
	  "none. Reserves nothing. Refused while etcd cannot be reached or is full.\n\n"
	  "  --type PROFILE       the type, as vailctl fleet gpus shows it\n" FLEET_HELP },
	{ { "fleet", "quarantine" }, 1, 1, false, FLEET | OPTION_BIT(OPTION_REASON),
	  command_fleet_quarantine, "VM [--reason TEXT]",
	  "Put a virtual machine into quarantine on all hosts",
	  "VM runs on one of the hosts, or is a whole GUID, which need not run. Applies to\n"
	  "hosts that join later, too. A host whose operators have put the GUID into\n"
	  "quarantine themselves keeps that one.\n\n"
	  "  --reason TEXT        the reason, for people\n" FLEET_HELP },
	{ { "fleet", "release" }, 1, 1, false, FLEET, command_fleet_release, "VM",
	  "Lift a quarantine on all hosts",
	  "Lifts what vailctl fleet quarantine has imposed. A quarantine that operators of\n"
	  "a host have imposed there with vailctl vm quarantine stays. If the fleet shows\n"
	  "no quarantine of the VM, vailctl says that nothing was done.\n\n" FLEET_HELP },
	{ { "fleet", "quarantines" }, 0, 0, false, PAGED | FLEET, command_fleet_quarantines, "",
	  "Show the quarantines of all hosts",
	  "SINCE is when the quarantine was imposed, in UTC. Those of one host are shown\n"
	  "by vailctl vm quarantines there.\n\n" FLEET_HELP },
	{ { "fleet", "metrics" }, 0, 0, false, PAGED | FLEET, command_fleet_metrics, "",
	  "Print the metrics of vaild-fleet as OpenMetrics text", FLEET_HELP },
	{ { "help", NULL }, 0, 2, false, PAGED, command_help, "[COMMAND]",
	  "Show all commands, or the help of one command", NULL },
	{ { "call", NULL }, 1, 2, false, OPTION_BIT(OPTION_MORE), command_call,
	  "METHOD [JSON] [--more]",
	  "Call any method and print the parameters of its reply",
	  "  --more  request a stream and print each reply on its own line until the\n"
	  "          stream ends\n\n"
	  "  vailctl call io.vaild.ListRegistrations --more\n"
	  "  vailctl call io.vaild.Gpu.CreateContext '{}'\n" },
};
/* clang-format on */

bool command_has_words(const Command *command, const char *const words[2])
{
	const char *second = command->words[1];

	return strcmp(command->words[0], words[0]) == 0 && !second == !words[1] &&
	       (!second || strcmp(second, words[1]) == 0);
}

bool command_is_in_group(const Command *command, const char *first)
{
	return command->words[1] && strcmp(command->words[0], first) == 0;
}

bool command_is_group(const char *first)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (command_is_in_group(&commands[i], first))
			return true;
	return false;
}

/* Returns how many words name the command, or 0 if they name another. */
static size_t match_words(const Command *command, const Options *options)
{
	if (options->word_count < 1 || strcmp(options->words[0], command->words[0]) != 0)
		return 0;
	if (!command->words[1])
		return 1;
	return options->word_count >= 2 && strcmp(options->words[1], command->words[1]) == 0 ? 2
											     : 0;
}

const Command *command_find(const Options *options, size_t *ret_word_count)
{
	*ret_word_count = 0;
	if (options->word_count == 0)
		return &commands[0];
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		*ret_word_count = match_words(&commands[i], options);
		if (*ret_word_count > 0)
			return &commands[i];
	}
	return NULL;
}

/* Tests whether the words go on where only "--" and a program may follow. */
static bool lacks_dashes(const Command *command, size_t argument_count)
{
	return command->runs_program && argument_count > command->maximum;
}

/*
 * Returns the command line, quoted for the shell, with "--" before this word. The caller frees it.
 * Returns NULL if out of memory.
 */
static char *write_dashes(char *const *line, const char *program)
{
	char *text = NULL, quoted[SHELL_QUOTE_SIZE];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (char *const *word = line + 1; *word; word++)
		fprintf(out, " %s%s", *word == program ? "-- " : "", shell_quote(*word, quoted));
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

int command_check_dashes(const Command *command, const Options *options, size_t word_count)
{
	if (!lacks_dashes(command, options->word_count - word_count))
		return EXIT_DONE;
	_cleanup_free_ char *line =
		write_dashes(options->line, options->words[word_count + command->maximum]);

	return usage_error("put -- before the command: vailctl%s", line ? line : "");
}

/* Names the first argument that is missing. In the help, each one that must be given is a word. */
static int lacks_argument(const Command *command, const char *name, size_t argument_count)
{
	const char *missing = command->arguments;

	for (size_t i = 0; i < argument_count; i++)
		missing += strcspn(missing, " ") + 1;
	return usage_error("%s: the argument %.*s is missing; the usage is: vailctl %s %s", name,
			   (int)strcspn(missing, " "), missing, name, command->arguments);
}

int command_check_usage(const Command *command, const Options *options, size_t argument_count)
{
	const char *second = command->words[1];
	char name[40];

	snprintf(name, sizeof(name), "%s%s%s", command->words[0], second ? " " : "",
		 second ? second : "");
	if (!options->run &&
	    command_check_dashes(command, options, options->word_count - argument_count))
		return EXIT_USAGE;
	for (Option option = LONG_OPTION_BASE; option < OPTION_MAX; option++)
		if (options->given & ~(command->options | ANY_COMMAND) & OPTION_BIT(option))
			return usage_error("%s does not take %s; see vailctl %s --help", name,
					   option_text(option), name);
	if (argument_count < command->minimum)
		return lacks_argument(command, name, argument_count);
	if (argument_count > command->maximum && options->has_rest)
		return usage_error("%s runs no command after --, and has too many arguments; give "
				   "fewer, or run a registered command with: vailctl exec VM -- "
				   "COMMAND",
				   name);
	if (argument_count > command->maximum)
		return usage_error("%s has too many arguments; the usage is: vailctl %s%s%s", name,
				   name, *command->arguments ? " " : "", command->arguments);
	if (command->run == command_exec && !options->run)
		return usage_error("exec needs a command to run: vailctl exec VM -- COMMAND");
	return EXIT_DONE;
}

bool command_is_paged(const Command *command)
{
	return command->options & PAGED;
}

bool command_takes_machine(const Command *command, MachineScope *ret_scope)
{
	*ret_scope =
		command->options & TAKES_QUARANTINED ? MACHINES_AND_QUARANTINES : MACHINES_RUNNING;
	return command->options & TAKES_VM;
}

const Command *command_at(size_t index)
{
	return index < ARRAY_SIZE(commands) ? &commands[index] : NULL;
}

bool command_takes_option(const Command *command, Option option)
{
	return ((command ? command->options : 0) | ANY_COMMAND) & OPTION_BIT(option);
}
