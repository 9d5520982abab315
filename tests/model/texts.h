/* SPDX-License-Identifier: MIT */
#ifndef TESTS_TEXTS_H
#define TESTS_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

#include "macros.h"

/* A set of texts, in their order. Begin with { 0 }. */
typedef struct Texts {
	char **items;
	size_t count;
	size_t capacity;
} Texts;

void texts_deinit(Texts *texts);

/* Each returns false when the text is there already, or is not. */
_printf_(2, 3) bool texts_add(Texts *texts, const char *format, ...);
_printf_(2, 3) bool texts_remove(Texts *texts, const char *format, ...);

/* The first text that one of them has and the other has not; NULL: they are equal. */
const char *texts_difference(const Texts *a, const Texts *b);

/* The first text of part that whole has not; NULL: it has them all. */
const char *texts_missing(const Texts *part, const Texts *whole);

#endif
