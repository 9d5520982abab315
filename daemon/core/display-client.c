/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "vm.h"

void display_clients_deinit(DisplayClients *clients)
{
	for (size_t i = 0; i < clients->count; i++) {
		free(clients->items[i].user);
		credentials_deinit(&clients->items[i].credentials);
	}
	free(clients->items);
	*clients = DISPLAY_CLIENTS_INIT;
}

static Difference display_client_compare(const DisplayClient *client, const Privileges *privileges)
{
	const Credentials *credentials = &client->credentials;

	if (client->unreadable)
		return DIFFERENCE_UNREADABLE;
	Difference difference =
		connection_credentials_compare(privileges->connection, credentials, !client->user);
	if (difference != DIFFERENCE_NONE)
		return difference;
	return client->user ? credentials_compare_user(privileges->process, credentials)
			    : credentials_compare(privileges->process, credentials);
}

/* Of two differences, the one that was found later: its client is the nearer one. */
static Difference nearer(Difference a, Difference b)
{
	if (a == DIFFERENCE_UNREADABLE || b == DIFFERENCE_UNREADABLE)
		return a == DIFFERENCE_UNREADABLE ? b : a;
	return a > b ? a : b;
}

Difference display_clients_compare(const DisplayClients *clients, const Privileges *privileges)
{
	Difference nearest = DIFFERENCE_UNREADABLE;

	for (size_t i = 0; i < clients->count; i++) {
		Difference difference = display_client_compare(&clients->items[i], privileges);

		if (difference == DIFFERENCE_NONE)
			return DIFFERENCE_NONE;
		nearest = nearer(nearest, difference);
	}
	return nearest;
}

bool display_clients_refresh(DisplayClients *clients, const Host *host, uid_t uid)
{
	for (size_t i = 0; i < clients->count; i++) {
		DisplayClient *client = &clients->items[i];
		Credentials now = CREDENTIALS_INIT;

		if (!client->user || client->uid != uid)
			continue; /* another user's are not equal anyway */
		Evidence evidence = host->read_user(host->self, client->uid, &now);
		if (evidence == EVIDENCE_EXHAUSTED)
			return false;
		client->unreadable = evidence != EVIDENCE_FOUND;
		credentials_deinit(&client->credentials);
		client->credentials = now;
	}
	return true;
}

static bool display_client_resembles(const DisplayClient *client, const Caller *caller)
{
	/* A user's are the initial namespace's; of a process's nothing is known here. */
	if (client->unreadable || (client->user && !caller->in_initial_user_namespace))
		return false;
	return connection_credentials_compare(&caller->credentials, &client->credentials,
					      !client->user) == DIFFERENCE_NONE;
}

bool display_clients_resemble(const DisplayClients *clients, const Caller *caller)
{
	for (size_t i = 0; i < clients->count; i++)
		if (display_client_resembles(&clients->items[i], caller))
			return true;
	return false;
}
