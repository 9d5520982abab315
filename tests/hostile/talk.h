/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTILE_TALK_H
#define TESTS_HOSTILE_TALK_H

#include <stdbool.h>
#include <stddef.h>

/* Simple conversations with the daemon, for preparations. They block, and exit on any failure. */

#define HANDLE_SIZE 33

/* Sends a request and returns the reply, which is valid until the next call. */
const char *talk(int connection, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, but exits unless the request succeeds. */
const char *talk_successfully(int connection, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Receives one reply. It is valid until the next call. */
const char *talk_receive(int connection);

/* Copies a member of the reply, which must be a string. Exits if the reply has no such member. */
void reply_text(const char *reply, const char *member, char *ret, size_t size);

/* Returns false if the reply is an error. */
bool reply_is_success(const char *reply);

#endif
