/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_CLIENT_LOGGED_MESSAGES_H
#define TESTS_UNIT_CLIENT_LOGGED_MESSAGES_H

#include <stdbool.h>

/* Replaces log_message() of the programs: keeps the messages instead of printing them. */

void logged_messages_clear(void);
unsigned int logged_messages_count(void);

/* Tests whether a message contains the text. */
bool logged_messages_have(const char *text);

/* Returns all messages, one a line, for the text of a failed assertion. */
const char *logged_messages(void);

#endif
