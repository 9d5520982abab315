/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "vailctl.h"

/* Values that getopt_long() gives back for long options: beyond any character. */
#define OPTION_BASE 0x100

#define FLAG(option, name)  [option] = { name, no_argument, NULL, OPTION_BASE + (option) }
#define VALUE(option, name) [option] = { name, required_argument, NULL, OPTION_BASE + (option) }

static const struct option long_options[OPTION_MAX + 1] = {
	VALUE(OPTION_SOCKET, "socket"),
	FLAG(OPTION_JSON, "json"),
	FLAG(OPTION_NO_LEGEND, "no-legend"),
	FLAG(OPTION_NO_PAGER, "no-pager"),
	FLAG(OPTION_HELP, "help"),
	FLAG(OPTION_VERSION, "version"),
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
};

_Static_assert(OPTION_MAX <= 32, "options fit into Options.given");

const char *option_text(Option option)
{
	static char text[32];

	snprintf(text, sizeof(text), "--%s", long_options[option].name);
	return text;
}

bool pid_parse(const char *text, pid_t *ret_pid)
{
	char *end;

	errno = 0;
	long number = strtol(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || number < 1 ||
	    number > INT32_MAX) {
		usage_error("%s is not a pid; give the number of a process", text);
		return false;
	}
	*ret_pid = (pid_t)number;
	return true;
}

static int add_client(Options *options, VailParty client)
{
	VailParty *clients =
		reallocarray(options->clients, options->client_count + 1, sizeof(*clients));

	if (!clients)
		return tool_no_memory();
	clients[options->client_count++] = client;
	options->clients = clients;
	return EXIT_DONE;
}

static int take_pid(const char *value, pid_t *ret_pid)
{
	return pid_parse(value, ret_pid) ? EXIT_DONE : EXIT_USAGE;
}

/* value: what was given with it; NULL for a flag. */
static int option_take(Options *options, Option option, const char *value)
{
	VailParty client = { .user = value };
	int failed = EXIT_DONE;

	options->given |= OPTION_BIT(option);
	switch (option) {
	case OPTION_SOCKET:
		options->socket = value;
		break;
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
	case OPTION_PID:
		return take_pid(value, &options->pid);
	case OPTION_CLIENT_PID:
		client.user = NULL;
		failed = take_pid(value, &client.pid);
		return failed ? failed : add_client(options, client);
	case OPTION_USER:
		return add_client(options, client);
	case OPTION_AGENT_USER:
		options->agent.user = value;
		break;
	case OPTION_AGENT_PID:
		return take_pid(value, &options->agent.pid);
	default:
		break; /* a flag: that it was given is all there is */
	}
	return EXIT_DONE;
}

static int option_unknown(char **argv, int result)
{
	/* A long option that is wrong has been passed already; a short one may still be at it. */
	bool is_long = optopt == 0 || optopt >= OPTION_BASE;

	if (is_long && result == ':')
		return usage_error("%s needs a value; see vailctl --help", argv[optind - 1]);
	if (is_long)
		return usage_error("%s is no option, or takes no value; see vailctl --help",
				   argv[optind - 1]);
	return usage_error("-%c is no option; see vailctl --help", optopt);
}

/* One step of getopt_long(). A word comes as 1. */
static int options_take(Options *options, char **argv, int result)
{
	switch (result) {
	case 1:
		options->words[options->word_count++] = optarg;
		return EXIT_DONE;
	case 'h':
		return option_take(options, OPTION_HELP, NULL);
	case '?':
	case ':':
		return option_unknown(argv, result);
	default:
		return option_take(options, (Option)(result - OPTION_BASE), optarg);
	}
}

int options_parse(int argc, char **argv, Options *ret_options)
{
	int result, failed = EXIT_DONE;

	ret_options->words = calloc((size_t)argc + 1, sizeof(char *));
	if (!ret_options->words)
		return tool_no_memory();
	opterr = 0;
	/* The "-" hands words over in their place, so that options may stand before and behind. */
	while (!failed && (result = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1)
		failed = options_take(ret_options, argv, result);
	if (!failed && optind < argc)
		ret_options->run = argv + optind;
	return failed;
}

void options_deinit(Options *options)
{
	free(options->clients);
	free(options->words);
	*options = (Options){ 0 };
}
