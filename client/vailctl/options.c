/* SPDX-License-Identifier: MIT */
#include "client/vailctl/options.h"

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/user-message.h"
#include "client/vailctl/command-table.h"
#include "client/vailctl/watch-filter.h"
#include "proto/macros.h"

/* Maximum of --timeout and --lines. The timeout in milliseconds must fit into an int, for poll().
 */
#define NUMBER_MAX 1000000

#define INDEX(option)          ((option)-LONG_OPTION_BASE)
#define FLAG(option, name)     [INDEX(option)] = { name, no_argument, NULL, option }
#define VALUE(option, name)    [INDEX(option)] = { name, required_argument, NULL, option }
#define OPTIONAL(option, name) [INDEX(option)] = { name, optional_argument, NULL, option }

static const struct option long_options[INDEX(OPTION_MAX) + 1] = {
	SHARED_OPTION_ROWS,
	OPTIONAL(OPTION_JSON, "json"),
	FLAG(OPTION_NO_LEGEND, "no-legend"),
	FLAG(OPTION_NO_PAGER, "no-pager"),
	FLAG(OPTION_CONTEXT, "context"),
	FLAG(OPTION_MORE, "more"),
	VALUE(OPTION_NAME, "name"),
	VALUE(OPTION_PID, "pid"),
	VALUE(OPTION_USER, "user"),
	VALUE(OPTION_CLIENT_PID, "client-pid"),
	VALUE(OPTION_AGENT_USER, "agent-user"),
	VALUE(OPTION_AGENT_PID, "agent-pid"),
	VALUE(OPTION_ADAPTER, "adapter"),
	VALUE(OPTION_PROFILE, "profile"),
	VALUE(OPTION_REASON, "reason"),
	VALUE(OPTION_FOR, "for"),
	VALUE(OPTION_TIMEOUT, "timeout"),
	FLAG(OPTION_FOLLOW, "follow"),
	VALUE(OPTION_LINES, "lines"),
	FLAG(OPTION_USED, "used"),
	FLAG(OPTION_ALL, "all"),
	VALUE(OPTION_KIND, "kind"),
	VALUE(OPTION_OBJECT, "object"),
	VALUE(OPTION_FLEET_SOCKET, "fleet-socket"),
	VALUE(OPTION_TYPE, "type"),
};

_Static_assert(INDEX(OPTION_MAX) <= 62, "Options.given has a bit for each option");

const struct option *options_table(void)
{
	return long_options;
}

const char *option_text(Option option)
{
	static char text[32];

	snprintf(text, sizeof(text), "--%s", long_options[INDEX(option)].name);
	return text;
}

bool pid_parse(const char *text, pid_t *ret_pid)
{
	unsigned long number;

	if (!number_parse(text, INT32_MAX, &number)) {
		usage_error("%s is not a pid; give the number of a process", text);
		return false;
	}
	*ret_pid = (pid_t)number;
	return true;
}

static int options_no_memory(void)
{
	log_message("this process is out of memory (STATUS_NO_MEMORY)");
	return EXIT_FAILED;
}

static int set_pid(Option option, const char *value, pid_t *ret_pid)
{
	unsigned long number;

	if (!number_parse(value, INT32_MAX, &number))
		return usage_error("%s %s: this is not a pid; give the number of a process",
				   option_text(option), value);
	*ret_pid = (pid_t)number;
	return EXIT_DONE;
}

/* value: NULL for the short style, which is the default. main() finds the style itself. */
static int check_json(const char *value)
{
	if (value && strcmp(value, "pretty") != 0 && strcmp(value, "short") != 0)
		return usage_error("--json=%s is unknown; give --json=pretty, or --json=short, "
				   "which is the default",
				   value);
	return EXIT_DONE;
}

/* Parses a number from 1 to NUMBER_MAX. Returns the exit status. */
static int set_number(Option option, const char *value, unsigned long *ret_number)
{
	if (number_parse(value, NUMBER_MAX, ret_number))
		return EXIT_DONE;
	return usage_error("%s takes a number from 1 to %d, not %s", option_text(option),
			   NUMBER_MAX, value);
}

/*
 * Adds the display client of --user NAME[:RIGHTS] or --client-pid PID[:RIGHTS]. Cuts the value
 * apart.
 */
static int add_named_client(Options *options, Option option, char *value)
{
	VailParty client = { 0 };
	unsigned int rights;

	if (!display_rights_split(value, &rights))
		return EXIT_USAGE;
	if (option == OPTION_USER)
		client.user = value;
	else if (set_pid(option, value, &client.pid) != EXIT_DONE)
		return EXIT_USAGE;
	return client_list_add(&options->clients, client, rights) ? EXIT_DONE : options_no_memory();
}

/* value: NULL if the option takes none. Returns the exit status. */
static int set_option(Options *options, Option option, char *value)
{
	options->given |= OPTION_BIT(option);
	switch (option) {
	case OPTION_SOCKET:
		options->socket = value;
		break;
	case OPTION_JSON:
		return check_json(value);
	case OPTION_NAME:
		options->name = value;
		break;
	case OPTION_ADAPTER:
		options->adapter = value;
		break;
	case OPTION_PROFILE:
		options->profile = value;
		break;
	case OPTION_REASON:
		options->reason = value;
		break;
	case OPTION_FOR:
		options->goal = value;
		break;
	case OPTION_TIMEOUT:
		return set_number(option, value, &options->timeout);
	case OPTION_LINES:
		return set_number(option, value, &options->lines);
	case OPTION_OBJECT:
		options->object = value;
		break;
	case OPTION_FLEET_SOCKET:
		options->fleet_socket = value;
		break;
	case OPTION_TYPE:
		options->type = value;
		break;
	case OPTION_KIND:
		return event_kinds_parse(value, &options->kinds);
	case OPTION_PID:
		return set_pid(option, value, &options->pid);
	case OPTION_CLIENT_PID:
	case OPTION_USER:
		return add_named_client(options, option, value);
	case OPTION_AGENT_USER:
		options->agent.user = value;
		break;
	case OPTION_AGENT_PID:
		return set_pid(option, value, &options->agent.pid);
	default:
		break; /* a flag, recorded above */
	}
	return EXIT_DONE;
}

/*
 * Finds the command of the line, whose words may follow behind the wrong option. Returns NULL if
 * there is none. ret_word_count: the number of words of its name.
 */
static const Command *find_command(const Options *options, char **argv, size_t *ret_word_count)
{
	char *words[2] = { NULL };
	Options rest = { .words = words };

	if (options->word_count > 0)
		return command_find(options, ret_word_count);
	for (int i = optind; argv[i] && rest.word_count < ARRAY_SIZE(words); i++)
		if (*argv[i] != '-')
			words[rest.word_count++] = argv[i];
	return rest.word_count > 0 ? command_find(&rest, ret_word_count) : NULL;
}

/* Logs what is wrong, and suggests only options that the command takes. Returns EXIT_USAGE. */
static int wrong_option(const Options *options, char **argv, int result)
{
	/* A name that people try in place of --user. */
	static const struct option client_user = { "client-user", required_argument, NULL,
						   OPTION_USER };
	struct option offered[ARRAY_SIZE(long_options) + 1] = { 0 };
	char help[64];
	size_t word_count = 0, count = 0;
	const Command *command = find_command(options, argv, &word_count);

	/* In "exec VM ls -l", the option belongs to a program that lacks its "--". */
	if (command && options->word_count > 0 &&
	    command_check_dashes(command, options, word_count))
		return EXIT_USAGE;
	for (const struct option *row = long_options; row->name; row++)
		if (!command || command_takes_option(command, (Option)row->val))
			offered[count++] = *row;
	if (!command || command_takes_option(command, OPTION_USER))
		offered[count] = client_user;
	if (!command)
		return usage_error_option(argv, result, offered, NULL);
	const char *second = command->words[1];
	snprintf(help, sizeof(help), "vailctl help %s%s%s", command->words[0], second ? " " : "",
		 second ? second : "");
	return usage_error_option(argv, result, offered, help);
}

/* Handles one result of getopt_long(), which is 1 for a word. Returns the exit status. */
static int handle_result(Options *options, char **argv, int result)
{
	switch (result) {
	case 1:
		options->words[options->word_count++] = optarg;
		return EXIT_DONE;
	case 'h':
		return set_option(options, OPTION_HELP, NULL);
	case 'f':
		return set_option(options, OPTION_FOLLOW, NULL);
	case 'n':
		return set_option(options, OPTION_LINES, optarg);
	case '?':
	case ':':
		return wrong_option(options, argv, result);
	default:
		return set_option(options, (Option)result, optarg);
	}
}

int options_parse(int argc, char **argv, Options *ret_options)
{
	int result, failed = EXIT_DONE;

	ret_options->line = argv;
	ret_options->words = calloc((size_t)argc + 1, sizeof(char *));
	if (!ret_options->words)
		return options_no_memory();
	opterr = 0;
	/* The "-" returns words in order, so that options may stand before and after them. */
	while (!failed && (result = getopt_long(argc, argv, "-:hfn:", long_options, NULL)) != -1)
		failed = handle_result(ret_options, argv, result);
	if (!failed && optind < argc)
		ret_options->run = argv + optind;
	return failed;
}

void options_take_rest(Options *options, bool up_to_dashes)
{
	char **rest = options->run;

	/* The array has room for all words of the command line. */
	while (*rest && !(up_to_dashes && strcmp(*rest, "--") == 0))
		options->words[options->word_count++] = *rest++;
	options->run = *rest ? rest + 1 : NULL;
	options->has_rest = true;
}

void options_deinit(Options *options)
{
	client_list_deinit(&options->clients);
	free(options->words);
	*options = (Options){ 0 };
}
