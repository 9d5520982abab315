/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_CLIENT_LIST_H
#define CLIENT_COMMON_CLIENT_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/json.h"
#include <vail.h>

/* The names of all rights on a display, for messages. */
#define DISPLAY_RIGHT_NAMES "view, input, clipboard, audioOutput, audioInput"

/* Size of the buffer of display_rights_text(). */
#define DISPLAY_RIGHTS_SIZE 64

/* Display clients as VailMachine has them. Zero-initialize it. The strings belong to others. */
typedef struct ClientList {
	VailParty *parties;
	unsigned int *rights; /* of each display client; each includes VAIL_DISPLAY_VIEW */
	size_t count;
} ClientList;

/* Appends a display client with these rights and view. Returns false if out of memory. */
bool client_list_add(ClientList *clients, VailParty party, unsigned int rights);
void client_list_deinit(ClientList *clients);

/*
 * Makes them the display clients of a request, which borrows them. Leaves out the rights if all
 * have view alone, so that an older vaild takes the request, too.
 */
void client_list_put(const ClientList *clients, VailMachine *request);

/*
 * Cuts the rights off NAME[:RIGHTS], the value of an option. The result includes view. No user name
 * has a colon, because passwd(5) separates its fields with colons. Logs a usage error and returns
 * false if a right is unknown.
 */
bool display_rights_split(char *value, unsigned int *ret_rights);

/*
 * Parses names of rights with commas between them, and changes the text. The result includes view.
 * Logs a usage error and returns false if a right is unknown.
 *
 * names: NULL for none.
 */
bool display_rights_parse(char *names, unsigned int *ret_rights);

/* Reads vaild's array of names. Ignores unknown ones. The result includes view. */
unsigned int display_rights_read(const JsonValue *names);

/* Writes the names with the separator between them, such as "view,input". Returns text. */
const char *display_rights_text(unsigned int rights, char separator,
				char text[static DISPLAY_RIGHTS_SIZE]);

#endif
