/* SPDX-License-Identifier: MIT */
#include "client/common/client-list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/program-options.h"

/* ---- Display clients ---- */

bool client_list_add(ClientList *clients, VailParty party, unsigned int rights)
{
	size_t count = clients->count + 1;
	VailParty *parties = reallocarray(clients->parties, count, sizeof(*parties));

	if (!parties)
		return false;
	clients->parties = parties;
	unsigned int *all_rights = reallocarray(clients->rights, count, sizeof(*all_rights));
	if (!all_rights)
		return false;
	clients->rights = all_rights;
	parties[clients->count] = party;
	all_rights[clients->count] = rights | VAIL_DISPLAY_VIEW;
	clients->count = count;
	return true;
}

void client_list_deinit(ClientList *clients)
{
	free(clients->parties);
	free(clients->rights);
	*clients = (ClientList){ 0 };
}

void client_list_put(const ClientList *clients, VailMachine *request)
{
	request->display_clients = clients->parties;
	request->display_client_count = clients->count;
	request->display_client_rights = NULL;
	for (size_t i = 0; i < clients->count; i++)
		if (clients->rights[i] != VAIL_DISPLAY_VIEW)
			request->display_client_rights = clients->rights;
}

/* ---- Rights ---- */

bool display_rights_parse(char *names, unsigned int *ret_rights)
{
	const char *name;

	*ret_rights = VAIL_DISPLAY_VIEW;
	while ((name = strsep(&names, ","))) {
		unsigned int right = vail_display_right(name);

		if (right == 0) {
			usage_error(
				"%s is not a right on a display; give some of " DISPLAY_RIGHT_NAMES,
				*name ? name : "\"\"");
			return false;
		}
		*ret_rights |= right;
	}
	return true;
}

bool display_rights_split(char *value, unsigned int *ret_rights)
{
	char *colon = strchr(value, ':');

	if (colon)
		*colon = '\0';
	return display_rights_parse(colon ? colon + 1 : NULL, ret_rights);
}

unsigned int display_rights_read(const JsonValue *names)
{
	unsigned int rights = VAIL_DISPLAY_VIEW;

	for (size_t i = 0; i < json_array_size(names); i++)
		rights |= vail_display_right(json_string(json_array_at(names, i)));
	return rights;
}

const char *display_rights_text(unsigned int rights, char separator,
				char text[static DISPLAY_RIGHTS_SIZE])
{
	size_t length = 0;

	text[0] = '\0';
	for (unsigned int right = 1; right != 0 && length < DISPLAY_RIGHTS_SIZE; right <<= 1) {
		const char *name = rights & right ? vail_display_right_name(right) : NULL;
		const char between[] = { separator, '\0' };

		if (name)
			length += (size_t)snprintf(text + length, DISPLAY_RIGHTS_SIZE - length,
						   "%s%s", length > 0 ? between : "", name);
	}
	return text;
}
