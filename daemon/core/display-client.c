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

Difference display_clients_compare(const DisplayClients *clients, const Privileges *privileges)
{
	Difference difference = DIFFERENCE_UNREADABLE;

	for (size_t i = 0; i < clients->count; i++) {
		difference = display_client_compare(&clients->items[i], privileges);
		if (difference == DIFFERENCE_NONE)
			break;
	}
	return difference;
}

bool display_clients_resemble(const DisplayClients *clients,
			      const ConnectionCredentials *connection)
{
	for (size_t i = 0; i < clients->count; i++) {
		const DisplayClient *client = &clients->items[i];

		if (!client->unreadable &&
		    connection_credentials_compare(connection, &client->credentials,
						   !client->user) == DIFFERENCE_NONE)
			return true;
	}
	return false;
}
