/* SPDX-License-Identifier: MIT */
#include "client/vailctl/ended.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/client-list.h"
#include "client/common/json-members.h"
#include "client/common/user-message.h"
#include "client/common/user-name.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "proto/macros.h"

#define LIST_MACHINES      "io.vaild.Machine.ListVirtualMachines"
#define LIST_REGISTRATIONS "io.vaild.ListRegistrations"
#define LIST_DISPLAYS      "io.vaild.Display.ListDisplays"

/* The number of processes of each kind that messages name. */
#define NAMED_MAX 8

/* ---- Before the command ---- */

static NTSTATUS fetch_machines(Tool *tool, Listing *machines)
{
	return listing_fetch(tool, LIST_MACHINES, NULL, "virtualMachines", machines);
}

/* Fetches the lists unless they must be empty. machine: NULL for all VMs. */
static void fetch_processes(Tool *tool, const JsonValue *machine, Listing *registrations,
			    Listing *displays)
{
	if (!machine || member_number(machine, "registrations") > 0)
		listing_fetch(tool, LIST_REGISTRATIONS, NULL, "registrations", registrations);
	if (!machine || member_number(machine, "displays") > 0)
		listing_fetch(tool, LIST_DISPLAYS, NULL, "displays", displays);
}

/* Tests whether the registration or display channel is one of the VM. */
static bool is_of(const JsonValue *item, const char *guid)
{
	const char *of = member_text(item, "virtualMachineGuid");

	return of && strcmp(of, guid) == 0;
}

static const JsonValue *find_machine(const Listing *machines, const char *guid)
{
	return listing_find(machines, "virtualMachineGuid", guid);
}

/* Reads the name of the program that the process runs, and whether the process has exited. */
static void read_program(pid_t pid, EndedProgram *ret)
{
	char path[64];
	FILE *file;

	*ret = (EndedProgram){ .pid = pid };
	ret->has_exited = pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (pid <= 0 || !(file = fopen(path, "re")))
		return;
	if (!fgets(ret->name, sizeof(ret->name), file))
		*ret->name = '\0';
	ret->name[strcspn(ret->name, "\n")] = '\0';
	fclose(file);
}

/* Notes the programs of the registrations that may end. Without memory, they are looked up later.
 */
static void note_programs(Ended *ended)
{
	const Listing *registrations = &ended->registrations;

	ended->programs = calloc(registrations->item_count + 1, sizeof(*ended->programs));
	for (size_t i = 0; ended->programs && i < registrations->item_count; i++)
		if (ended->is_of_all || is_of(registrations->items[i], ended->guid))
			read_program((pid_t)member_number(registrations->items[i], "pid"),
				     &ended->programs[ended->program_count++]);
}

/* Continues with a VM of the list. machine: NULL if there is none. */
static void begin_with(Tool *tool, const JsonValue *machine, Ended *ended)
{
	const char *guid = member_text(machine, "virtualMachineGuid");

	if (!guid)
		return;
	snprintf(ended->guid, sizeof(ended->guid), "%s", guid);
	ended->is_known = true;
	fetch_processes(tool, machine, &ended->registrations, &ended->displays);
	note_programs(ended);
}

void ended_begin(Tool *tool, const char *guid, Ended *ret_ended)
{
	char canonical[GUID_TEXT_LENGTH + 1];
	Guid parsed;

	*ret_ended = ENDED_INIT;
	if (guid && !guid_parse(guid, &parsed))
		return; /* the command says so */
	fetch_machines(tool, &ret_ended->machines);
	if (guid) {
		guid_format(&parsed, canonical);
		begin_with(tool, find_machine(&ret_ended->machines, canonical), ret_ended);
		return;
	}
	ret_ended->is_of_all = ret_ended->is_known = true;
	fetch_processes(tool, NULL, &ret_ended->registrations, &ret_ended->displays);
	note_programs(ret_ended);
}

static bool has_virtual_gpu(const JsonValue *machine, const char *handle)
{
	const JsonValue *virtual_gpus = json_member(machine, "virtualGpus");

	for (size_t i = 0; i < json_array_size(virtual_gpus); i++) {
		const char *own = member_text(json_array_at(virtual_gpus, i), "virtualGpu");

		if (own && strcmp(own, handle) == 0)
			return true;
	}
	return false;
}

void ended_begin_of_virtual_gpu(Tool *tool, const char *handle, Ended *ret_ended)
{
	const JsonValue *machine = NULL;

	*ret_ended = ENDED_INIT;
	fetch_machines(tool, &ret_ended->machines);
	for (size_t i = 0; i < ret_ended->machines.item_count && !machine; i++)
		if (has_virtual_gpu(ret_ended->machines.items[i], handle))
			machine = ret_ended->machines.items[i];
	begin_with(tool, machine, ret_ended);
}

void ended_begin_of_display(Tool *tool, const char *handle, Ended *ret_ended)
{
	*ret_ended = ENDED_INIT;
	listing_fetch(tool, LIST_DISPLAYS, NULL, "displays", &ret_ended->displays);
	const char *guid = member_text(listing_find(&ret_ended->displays, "display", handle),
				       "virtualMachineGuid");
	if (!guid)
		return; /* the command says so */
	snprintf(ret_ended->guid, sizeof(ret_ended->guid), "%s", guid);
	ret_ended->is_known = true;
}

void ended_deinit(Ended *ended)
{
	listing_deinit(&ended->machines);
	listing_deinit(&ended->registrations);
	listing_deinit(&ended->displays);
	free(ended->programs);
}

/* ---- Comparison ---- */

/* Tests whether both are one registration, or one display channel. */
static bool is_same(const JsonValue *before, const JsonValue *after)
{
	double begun_before = 0, begun_after = 0;

	json_read_real(json_member(before, "since"), &begun_before);
	json_read_real(json_member(after, "since"), &begun_after);
	return member_number(before, "pid") == member_number(after, "pid") &&
	       begun_before == begun_after;
}

static bool had_exited(const Ended *ended, pid_t pid)
{
	for (size_t i = 0; pid > 0 && i < ended->program_count; i++)
		if (ended->programs[i].pid == pid)
			return ended->programs[i].has_exited;
	return false;
}

/*
 * Replaces the items from before by those that have ended. Items keep their order in a list, and
 * new ones follow at its end. Items of processes that had exited before the command do not count.
 */
static void keep_ended(const Ended *ended, Listing *before, const Listing *after)
{
	size_t kept = 0, at = 0;

	for (size_t i = 0; i < before->item_count; i++) {
		JsonValue *item = before->items[i];

		if (at < after->item_count && is_same(item, after->items[at]))
			at++;
		else if ((ended->is_of_all || is_of(item, ended->guid)) &&
			 !had_exited(ended, (pid_t)member_number(item, "pid")))
			before->items[kept++] = item;
	}
	before->item_count = kept;
}

/*
 * Returns how many items of the VM have ended. was_listed: the caller saw items before, so that it
 * has seen those end, too. Otherwise only their number is known. member: the member of a VM with
 * it.
 */
static uint64_t count_ended(const Ended *ended, const Listing *machines, const char *member,
			    const Listing *seen, bool was_listed)
{
	uint64_t before = member_number(find_machine(&ended->machines, ended->guid), member);
	uint64_t after = member_number(find_machine(machines, ended->guid), member);

	if (was_listed)
		return seen->item_count;
	return before > after ? before - after : 0;
}

/* ---- Messages ---- */

static EndedProgram program_of(const Ended *ended, pid_t pid)
{
	EndedProgram program;

	for (size_t i = 0; i < ended->program_count; i++)
		if (ended->programs[i].pid == pid)
			return ended->programs[i];
	read_program(pid, &program);
	return program;
}

static const char *name_of_machine(const Ended *ended, const JsonValue *item)
{
	const char *guid = member_text(item, "virtualMachineGuid");
	const char *name = member_text(find_machine(&ended->machines, guid), "name");

	return name && *name ? name : guid;
}

/* what: such as "the registration". */
static void log_ended(const Ended *ended, const JsonValue *item, const char *what)
{
	char process[64] = "a process that is not visible here";
	char user[USER_NAME_SIZE], quoted[PLAIN_QUOTE_SIZE];
	pid_t pid = (pid_t)member_number(item, "pid");
	const char *machine = ended->is_of_all ? name_of_machine(ended, item) : NULL;

	if (pid > 0)
		snprintf(process, sizeof(process), "process %d", (int)pid);
	EndedProgram program = program_of(ended, pid);
	log_message("this ended %s of %s (%s%suser %s)%s%s", what, process, program.name,
		    *program.name ? ", " : "", user_name(member_number(item, "uid"), user),
		    machine ? " for VM " : "", machine ? plain_quote(machine, quoted) : "");
}

/* Words for one kind of what has ended. */
typedef struct Kind {
	const char *one;  /* with an article, for one of a process that is named */
	const char *noun; /* for several; the plural ends with an s */
} Kind;

/* total: the number of all that have ended, of which the list has those that the caller may see. */
static void log_kind(const Ended *ended, const Listing *listing, uint64_t total, const Kind *kind)
{
	size_t named = listing->item_count < NAMED_MAX ? listing->item_count : NAMED_MAX;

	for (size_t i = 0; i < named; i++)
		log_ended(ended, listing->items[i], kind->one);
	uint64_t rest = total - named;
	if (rest == 0)
		return;
	log_message("this ended %" PRIu64 " %s%s%s", rest, named > 0 ? "more " : "", kind->noun,
		    rest > 1 ? "s" : "");
}

/* Returns the rights that --user gives to the user, or 0 if no such option does. */
static unsigned int rights_given(const Options *options, const char *user)
{
	for (size_t i = 0; i < options->clients.count; i++) {
		const char *given = options->clients.parties[i].user;

		if (given && strcmp(given, user) == 0)
			return options->clients.rights[i];
	}
	return 0;
}

/* Writes the option that permits processes like this one. rights: 0 if --user does not name them.
 */
static void write_option(uint64_t uid, const char *user, unsigned int rights,
			 char option[static SHELL_QUOTE_SIZE])
{
	char names[DISPLAY_RIGHTS_SIZE];
	bool is_more = rights & ~VAIL_DISPLAY_VIEW;

	if (rights == 0 && uid != 0)
		snprintf(option, SHELL_QUOTE_SIZE, "--user %s", user);
	else
		snprintf(option, SHELL_QUOTE_SIZE, "--client-pid %s%s%s",
			 uid == getuid() ? "$$" : "PID", is_more ? ":" : "",
			 is_more ? display_rights_text(rights, ',', names) : "");
}

/*
 * Says how the display clients can include a process that they have shut out. Each command line is
 * about one VM, so the first process stands for the others.
 */
static void advise(const Tool *tool, const JsonValue *registration)
{
	uint64_t uid = member_number(registration, "uid");
	char user[USER_NAME_SIZE], option[SHELL_QUOTE_SIZE];

	if (tool->options.clients.count == 0)
		return;
	unsigned int rights = rights_given(&tool->options, user_name(uid, user));
	write_option(uid, user, rights, option);
	if (rights == 0)
		log_message("the display clients that you gave replace the former ones; to permit "
			    "user %s as well, repeat all of them, and add: %s",
			    user, option);
	else
		log_message(
			"--user %s permits only processes with the ids and groups of this user, "
			"and without capabilities%s; to permit %s as well, repeat all display "
			"clients, and add: %s",
			user, uid == 0 ? ", but those of root have some" : "",
			uid == getuid() ? "the programs of your shell" : "this one", option);
}

static void write_ended(Writer *writer, const char *key, Listing *listing)
{
	listing->key = key;
	if (listing->item_count > 0)
		listing_write(writer, listing);
}

static int print_json(Ended *ended)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	report_document_begin(&writer);
	write_ended(&writer, "endedRegistrations", &ended->registrations);
	write_ended(&writer, "endedDisplays", &ended->displays);
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

static void print_messages(const Tool *tool, const Ended *ended, const Listing *machines)
{
	static const Kind registration = { "the registration", "registration" };
	static const Kind display = { "a display channel", "display channel" };
	static const Kind object = { NULL, "shared object" };
	static const Listing none;
	const JsonValue *machine = find_machine(machines, ended->guid);

	log_kind(ended, &ended->registrations,
		 count_ended(ended, machines, "registrations", &ended->registrations,
			     ended->lists_registrations),
		 &registration);
	log_kind(ended, &ended->displays,
		 count_ended(ended, machines, "displays", &ended->displays, ended->lists_displays),
		 &display);
	/* Only then have the objects ended by the command: a screen's ends by itself, too. */
	if (!machine || member_flag(machine, "quarantined"))
		log_kind(ended, &none, count_ended(ended, machines, "sharedObjects", &none, false),
			 &object);
	if (ended->registrations.item_count > 0)
		advise(tool, ended->registrations.items[0]);
}

int ended_finish(Tool *tool, NTSTATUS status, Ended *ended)
{
	_cleanup_(listing_deinit) Listing machines = { 0 }, registrations = { 0 }, displays = { 0 };
	const char *guid = ended->is_of_all ? NULL : ended->guid;

	ended->lists_registrations = ended->registrations.item_count > 0;
	ended->lists_displays = ended->displays.item_count > 0;
	if (status != STATUS_SUCCESS || !ended->is_known ||
	    fetch_machines(tool, &machines) != STATUS_SUCCESS)
		return tool_finish(tool, status);
	/* The parts of a VM that has ended are listed until vaild has come to them. */
	if ((ended->lists_registrations || ended->lists_displays) &&
	    (!guid || find_machine(&machines, guid)))
		fetch_processes(tool, NULL, &registrations, &displays);
	keep_ended(ended, &ended->registrations, &registrations);
	keep_ended(ended, &ended->displays, &displays);
	if (options_have(&tool->options, OPTION_JSON))
		return print_json(ended);
	print_messages(tool, ended, &machines);
	return EXIT_DONE;
}
