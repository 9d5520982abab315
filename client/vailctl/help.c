/* SPDX-License-Identifier: MIT */
/* The help of vailctl: an overview, a group of commands, or one command. */
#include <stdio.h>
#include <string.h>

#include "client/common/program-options.h"
#include "client/vailctl/command-table.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"

static void print_usage(const Command *command)
{
	printf("  vailctl %s%s%s%s%s\n", command->words[0], command->words[1] ? " " : "",
	       command->words[1] ? command->words[1] : "", *command->arguments ? " " : "",
	       command->arguments);
}

/* The titles of the overview, each with the command that begins its section. */
static const struct {
	const char *words[2];
	const char *title;
} sections[] = {
	{ { "list", NULL }, "See and use what is shared" },
	{ { "adapters", NULL }, "GPUs" },
	{ { "watch", NULL }, "Events and the daemon" },
	{ { "register", NULL }, "Registrations" },
	{ { "vm", "list" }, "Virtual machines" },
	{ { "vgpu", "list" }, "Virtual GPUs" },
	{ { "fleet", "hosts" }, "Fleet" },
	{ { "help", NULL }, "Others" },
};

/* Returns the title of the section that begins with the command, or NULL. */
static const char *title_of(const Command *command)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (command_has_words(command, sections[i].words))
			return sections[i].title;
	return NULL;
}

/* Tests whether the command is only another name of one, which its summary says. */
static bool is_alias(const Command *command)
{
	return strstr(command->summary, ", like: ");
}

/* Columns of the longest name, so that all summaries begin in one column. */
#define NAME_COLUMNS 17

static void print_summary(const Command *command)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%s%s", command->words[0], command->words[1] ? " " : "",
		 command->words[1] ? command->words[1] : "");
	printf("  %-*s  %s\n", NAME_COLUMNS, name, command->summary);
}

static void print_all(void)
{
	const Command *command;

	puts("vailctl: show and control which processes may share GPU allocations with\n"
	     "virtual machines\n\n"
	     "  vailctl [OPTION]... [COMMAND [ARGUMENT]...]\n\n"
	     "For the arguments of a command, run: vailctl help COMMAND");
	for (size_t i = 0; (command = command_at(i)); i++) {
		const char *title = title_of(command);

		if (title)
			printf("\n%s:\n", title);
		if (!is_alias(command))
			print_summary(command);
	}
	puts("\nvm list is the same as list, describe the same as show, and gpu list and gpu\n"
	     "adapters are the same as adapters.\n\n"
	     "VM is the GUID of a virtual machine, at least the first 4 characters of it, or\n"
	     "its name. HANDLE may be shortened to its first characters, too. Put -- before\n"
	     "arguments that begin with -, as in: vailctl show -- -odd-name\n\n"
	     "Operators are root and the members of a group, by default vaild.\n\n"
	     "Options:");
	fputs(help_options(), stdout);
	puts("\nExit status: 0 if vaild returned STATUS_SUCCESS, 1 if not, 2 for a usage error,\n"
	     "124 after the timeout of wait.");
}

const char *help_options(void)
{
	return "  --socket PATH  vaild's socket; by default $VAILD_SOCKET or\n"
	       "                 /run/vaild/vaild.sock\n"
	       "  --json[=pretty|short]\n"
	       "                 print one JSON document, even if the call is refused or the\n"
	       "                 usage is wrong; indented, or on one line, which is the\n"
	       "                 default\n"
	       "  --no-legend    print no column names, and nothing for an empty table\n"
	       "  --no-pager     never start a pager, which is $PAGER or less\n"
	       "  -h, --help     show this help, or the help of a command\n"
	       "  --version      show vailctl's version\n";
}

static void print_command(const Command *command)
{
	print_usage(command);
	printf("\n%s.\n", command->summary);
	if (command->details)
		printf("\n%s", command->details);
}

static void print_group(const char *first)
{
	const Command *command;

	printf("Commands (for details, run vailctl help %s COMMAND):\n", first);
	for (size_t i = 0; (command = command_at(i)); i++) {
		if (!command_is_in_group(command, first))
			continue;
		print_usage(command);
		printf("      %s\n", command->summary);
	}
}

void help_print(const Options *options)
{
	size_t word_count;
	const Command *command = command_find(options, &word_count);

	if (command && word_count > 0)
		print_command(command);
	else if (options->word_count > 0 && command_is_group(options->words[0]))
		print_group(options->words[0]);
	else
		print_all();
}

int command_help(Tool *tool)
{
	const Options *options = &tool->options;
	const Options about = { .words = options->words + 1,
				.word_count = options->word_count - 1 };
	size_t word_count;

	if (!command_find(&about, &word_count) &&
	    !(about.word_count == 1 && command_is_group(about.words[0])))
		return command_unknown(&about, false);
	help_print(&about);
	return EXIT_DONE;
}
