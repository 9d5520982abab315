/* SPDX-License-Identifier: MIT */
#include "proto/suggest.h"

#include <stdbool.h>
#include <string.h>

#include "proto/macros.h"

static size_t minimum(size_t one, size_t other)
{
	return one < other ? one : other;
}

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* Copies the characters that count. Returns false if they are too many. */
static bool normalize(const char *text, char out[static SUGGEST_LENGTH_MAX], size_t *ret_length)
{
	size_t length = 0;

	for (; *text != '\0'; text++) {
		if (*text == '-' || *text == '_')
			continue;
		if (length == SUGGEST_LENGTH_MAX)
			return false;
		out[length++] = lower(*text);
	}
	*ret_length = length;
	return true;
}

/*
 * The optimal string alignment distance, row by row: now[j] is the distance between the first i
 * bytes of one text and the first j bytes of the other.
 */
size_t suggest_distance(const char *one, const char *other)
{
	size_t rows[3][SUGGEST_LENGTH_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	char a[SUGGEST_LENGTH_MAX], b[SUGGEST_LENGTH_MAX];
	size_t a_length, b_length;

	if (!normalize(one, a, &a_length) || !normalize(other, b, &b_length))
		return SUGGEST_LENGTH_MAX;
	for (size_t j = 0; j <= b_length; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *oldest = before;

		now[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			now[j] = minimum(last[j - 1] + (a[i - 1] != b[j - 1]),
					 minimum(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = minimum(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[b_length];
}

/* Returns the highest distance at which a text of this length still resembles a name. */
static size_t highest_distance(size_t length)
{
	if (length < 4)
		return length < 2 ? 0 : 1;
	return length < 9 ? 2 : length / 3;
}

/* Tests whether the name begins with the text. */
static bool is_beginning(const char *text, const char *name)
{
	char a[SUGGEST_LENGTH_MAX], b[SUGGEST_LENGTH_MAX];
	size_t a_length, b_length;

	return normalize(text, a, &a_length) && normalize(name, b, &b_length) && a_length > 0 &&
	       a_length <= b_length && memcmp(a, b, a_length) == 0;
}

/* beginning: in small letters. */
static bool begins_with(const char *text, const char *beginning)
{
	while (*beginning != '\0' && lower(*text) == *beginning) {
		text++;
		beginning++;
	}
	return *beginning == '\0';
}

/*
 * Tests whether the longer text is a negation of the other one, as "unregister" is of "register":
 * without its first letters it would be nearer.
 */
static bool is_negation(const char *longer, const char *other, size_t distance)
{
	static const char *const beginnings[] = { "un", "no", "dis" };

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
		size_t length = strlen(beginnings[i]);

		if (begins_with(longer, beginnings[i]) &&
		    suggest_distance(longer + length, other) < distance)
			return true;
	}
	return false;
}

const char *suggest_nearest(const char *typed, const char *const *names, size_t count)
{
	size_t length = strlen(typed), best = SUGGEST_LENGTH_MAX;
	const char *nearest = NULL;

	if (length > SUGGEST_LENGTH_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!names[i])
			continue;
		size_t distance = suggest_distance(typed, names[i]);
		bool is_near = distance <= highest_distance(length) ||
			       (length > 1 && is_beginning(typed, names[i]));
		if (is_near && distance < best && !is_negation(typed, names[i], distance) &&
		    !is_negation(names[i], typed, distance)) {
			best = distance;
			nearest = names[i];
		}
	}
	return nearest;
}
