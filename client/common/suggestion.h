/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_SUGGESTION_H
#define CLIENT_COMMON_SUGGESTION_H

#include <stddef.h>

/*
 * Returns the choice that the user has probably meant by the word: the one with the fewest wrong,
 * missing, additional and exchanged letters, of equal ones the first. A word of up to 3 letters may
 * have 1 of these mistakes, and a longer one 2. A choice that begins with the word counts as one
 * mistake. Returns NULL if no choice is near enough, or if the word is one of the choices.
 *
 * choices: may contain NULL, which is skipped.
 */
const char *suggestion_find(const char *word, const char *const *choices, size_t count);

#endif
