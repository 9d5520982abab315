/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_TEXTS_H
#define TESTS_MODEL_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/macros.h"

/* A sorted set of texts. Initialise with { 0 }. */
typedef struct Texts {
	char **items;
	size_t count;
	size_t capacity;
} Texts;

void texts_deinit(Texts *texts);

/* Return false if the text is already in the set (add) or not in it (remove). */
_printf_(2, 3) bool texts_add(Texts *texts, const char *format, ...);
_printf_(2, 3) bool texts_remove(Texts *texts, const char *format, ...);

/* Returns the first text that is in only one of the sets, or NULL if they are equal. */
const char *texts_difference(const Texts *a, const Texts *b);

/* Returns the first text of part that is not in whole, or NULL. */
const char *texts_missing(const Texts *part, const Texts *whole);

#endif
