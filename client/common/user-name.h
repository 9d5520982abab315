/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_USER_NAME_H
#define CLIENT_COMMON_USER_NAME_H

#include <stddef.h>
#include <stdint.h>

/* Buffer size of the texts below. A longer name is cut. */
#define USER_NAME_SIZE 80

/*
 * Writes the name of the user, or the uid of a user without one, such as 1000. Both can be given to
 * the options that name a user. Returns text.
 */
const char *user_name(uint64_t uid, char text[static USER_NAME_SIZE]);

/* Writes the name with the uid, such as "alice (uid 1000)", or "uid 1000". Returns text. */
const char *user_name_and_uid(uint64_t uid, char text[static USER_NAME_SIZE]);

#endif
