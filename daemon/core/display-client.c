/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "daemon/core/vm.h"

void display_clients_deinit(DisplayClients *clients)
{
	for (size_t i = 0; i < clients->count; i++) {
		free(clients->items[i].user);
		inner_pids_unref(clients->items[i].inner_pids);
		credentials_deinit(&clients->items[i].credentials);
	}
	free(clients->items);
	*clients = DISPLAY_CLIENTS_INIT;
}

static bool display_client_is_same(const DisplayClient *a, const DisplayClient *b)
{
	if (!a->user != !b->user || a->rights != b->rights)
		return false;
	if (a->user)
		return strcmp(a->user, b->user) == 0 && a->uid == b->uid;
	return a->pid == b->pid &&
	       credentials_compare(&a->credentials, &b->credentials) == DIFFERENCE_NONE;
}

/* Tests whether each client of some is one of all. */
static bool are_among(const DisplayClients *some, const DisplayClients *all)
{
	for (size_t i = 0; i < some->count; i++) {
		size_t at = 0;

		while (at < all->count && !display_client_is_same(&some->items[i], &all->items[at]))
			at++;
		if (at == all->count)
			return false;
	}
	return true;
}

bool display_clients_match(const DisplayClients *a, const DisplayClients *b)
{
	return a->are_explicit == b->are_explicit && are_among(a, b) && are_among(b, a);
}

bool display_clients_are_same(const DisplayClients *a, const DisplayClients *b)
{
	bool is_same = a->count == b->count && a->are_explicit == b->are_explicit &&
		       a->are_from_drop_in == b->are_from_drop_in &&
		       a->are_from_libvirt == b->are_from_libvirt;

	for (size_t i = 0; is_same && i < a->count; i++)
		is_same = display_client_is_same(&a->items[i], &b->items[i]);
	return is_same;
}

bool display_clients_yield_to_libvirt(const DisplayClients *clients)
{
	return !clients->are_explicit || clients->are_from_libvirt || clients->libvirt_agrees;
}

static Difference display_client_compare_connection(const DisplayClient *client,
						    const ConnectionCredentials *connection)
{
	if (client->unreadable)
		return DIFFERENCE_UNREADABLE;
	return connection_credentials_compare(connection, &client->credentials, !client->user);
}

static Difference display_client_compare_caller(const DisplayClient *client, const Caller *caller)
{
	if (!client->unreadable && caller->has_user_namespace &&
	    !user_namespaces_equal(&caller->user_namespace, &client->credentials.user_namespace))
		return DIFFERENCE_USER_NAMESPACE;
	Difference difference = display_client_compare_connection(client, &caller->credentials);
	bool has_equal_ids = difference == DIFFERENCE_NONE || difference == DIFFERENCE_LABEL;
	/* Groups that have not been read equal none. */
	return caller->unread_groups > 0 && has_equal_ids ? DIFFERENCE_GROUPS : difference;
}

static Difference display_client_compare(const DisplayClient *client, const Privileges *privileges)
{
	const Credentials *credentials = &client->credentials;
	Difference difference = display_client_compare_connection(client, privileges->connection);

	if (difference != DIFFERENCE_NONE)
		return difference;
	return client->user ? credentials_compare_user(privileges->process, credentials)
			    : credentials_compare(privileges->process, credentials);
}

/*
 * Returns the difference that the comparison reached later, because that client is more similar. A
 * client that could not be read is the least similar.
 */
static Difference nearer(Difference a, Difference b)
{
	if (a == DIFFERENCE_UNREADABLE || b == DIFFERENCE_UNREADABLE)
		return a == DIFFERENCE_UNREADABLE ? b : a;
	return a > b ? a : b;
}

Difference display_clients_compare_connection(const DisplayClients *clients, const Caller *caller)
{
	Difference nearest = DIFFERENCE_UNREADABLE;

	if (display_clients_are_nobody(clients))
		return DIFFERENCE_NO_CLIENT;

	for (size_t i = 0; i < clients->count; i++) {
		Difference difference = display_client_compare_caller(&clients->items[i], caller);

		if (difference == DIFFERENCE_NONE)
			return DIFFERENCE_NONE;
		nearest = nearer(nearest, difference);
	}
	return nearest;
}

Difference display_clients_compare(const DisplayClients *clients, const Privileges *privileges)
{
	Difference nearest = DIFFERENCE_UNREADABLE;

	if (display_clients_are_nobody(clients))
		return DIFFERENCE_NO_CLIENT;

	for (size_t i = 0; i < clients->count; i++) {
		Difference difference = display_client_compare(&clients->items[i], privileges);

		if (difference == DIFFERENCE_NONE)
			return DIFFERENCE_NONE;
		nearest = nearer(nearest, difference);
	}
	return nearest;
}

unsigned int display_clients_rights(const DisplayClients *clients, const Privileges *privileges)
{
	unsigned int rights = 0;

	for (size_t i = 0; i < clients->count; i++)
		if (display_client_compare(&clients->items[i], privileges) == DIFFERENCE_NONE)
			rights |= clients->items[i].rights | DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW);
	return rights;
}

static bool is_user(const DisplayClient *client, uid_t uid)
{
	return client->user && client->uid == uid;
}

bool display_clients_contain_user(const DisplayClients *clients, uid_t uid)
{
	for (size_t i = 0; i < clients->count; i++)
		if (is_user(&clients->items[i], uid))
			return true;
	return false;
}

bool display_clients_set_user(DisplayClients *clients, uid_t uid, const Credentials *found)
{
	for (size_t i = 0; i < clients->count; i++) {
		DisplayClient *client = &clients->items[i];
		Credentials now = CREDENTIALS_INIT;

		if (!is_user(client, uid))
			continue;
		if (found && !credentials_copy(found, &now))
			return false;
		client->unreadable = !found;
		credentials_deinit(&client->credentials);
		client->credentials = now;
	}
	return true;
}

bool display_clients_refresh(DisplayClients *clients, const Host *host, uid_t uid)
{
	Credentials now = CREDENTIALS_INIT;

	if (!display_clients_contain_user(clients, uid))
		return true;
	Lookup lookup = host->read_user(host->self, uid, &now);
	if (lookup == LOOKUP_EXHAUSTED)
		return false;
	bool is_set = display_clients_set_user(clients, uid, lookup == LOOKUP_FOUND ? &now : NULL);
	credentials_deinit(&now);
	return is_set;
}

static bool display_client_resembles(const DisplayClient *client, const Caller *caller)
{
	/* A user's credentials apply only in the initial user namespace. */
	if (client->unreadable || (client->user && !caller->in_initial_user_namespace))
		return false;
	return display_client_compare_caller(client, caller) == DIFFERENCE_NONE;
}

bool display_clients_match_connection(const DisplayClients *clients, const Caller *caller)
{
	for (size_t i = 0; i < clients->count; i++)
		if (display_client_resembles(&clients->items[i], caller))
			return true;
	return false;
}
