/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/agent-arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/client-list.h"
#include "client/vail-libvirt/agent-process.h"
#include "proto/macros.h"

/* Room for all arguments but those of users, and for NULL. */
#define ARGUMENTS_MAX 8

typedef struct Arguments {
	char **values;
	size_t count;
	bool has_failed;
} Arguments;

/* Adds the strings, with the separator between them, as one argument. */
static void add(Arguments *arguments, const char *first, const char *separator, const char *second)
{
	char *value = NULL;

	if (asprintf(&value, "%s%s%s", first, separator, second) >= 0)
		arguments->values[arguments->count++] = value;
	else
		arguments->has_failed = true;
}

/* The rights are left out if they are view alone. */
static void add_client(Arguments *arguments, const char *user, unsigned int rights)
{
	char names[DISPLAY_RIGHTS_SIZE];
	bool has_more = rights != VAIL_DISPLAY_VIEW;

	add(arguments, "--user", "", "");
	add(arguments, user, has_more ? ":" : "",
	    has_more ? display_rights_text(rights, ',', names) : "");
}

char **agent_arguments_new(const char *label, const char *socket, const char *bus,
			   const Domain *clients)
{
	Arguments arguments = { .values = calloc(ARGUMENTS_MAX + 2 * clients->client_count,
						 sizeof(*arguments.values)) };

	if (!arguments.values)
		return NULL;
	add(&arguments, "vail-qemu", "", "");
	add(&arguments, "--label", "=", label);
	if (socket)
		add(&arguments, "--socket", "=", socket);
	if (bus) {
		add(&arguments, "--bus", "=", bus);
		add(&arguments, "--registered", "", "");
	} else {
		add(&arguments, "--display-fd", "=", AGENT_DISPLAY_FD_TEXT);
		add(&arguments, "--settings-source", "=", "libvirt");
		for (size_t i = 0; i < clients->client_count; i++)
			add_client(&arguments, clients->clients[i], clients->rights[i]);
	}
	if (arguments.has_failed)
		agent_arguments_free(&arguments.values);
	return arguments.values;
}

void agent_arguments_free(char ***arguments)
{
	for (char **argument = *arguments; argument && *argument; argument++)
		free(*argument);
	free(*arguments);
	*arguments = NULL;
}
