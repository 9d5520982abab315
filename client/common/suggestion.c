/* SPDX-License-Identifier: MIT */
#include "client/common/suggestion.h"

#include <string.h>

/* Longer words are not compared. */
#define LENGTH_MAX 40

static size_t minimum(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Returns the number of mistakes that turn one word into the other (optimal string alignment). Both
 * have at most LENGTH_MAX letters. Rows are of a's letters, columns of b's.
 */
static size_t count_mistakes(const char *a, const char *b)
{
	size_t rows = strlen(a), columns = strlen(b);
	size_t distance[LENGTH_MAX + 1][LENGTH_MAX + 1];

	for (size_t i = 0; i <= rows; i++)
		distance[i][0] = i;
	for (size_t j = 0; j <= columns; j++)
		distance[0][j] = j;
	for (size_t i = 1; i <= rows; i++)
		for (size_t j = 1; j <= columns; j++) {
			size_t best = distance[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = minimum(best, distance[i - 1][j] + 1);
			best = minimum(best, distance[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = minimum(best, distance[i - 2][j - 2] + 1);
			distance[i][j] = best;
		}
	return distance[rows][columns];
}

const char *suggestion_find(const char *word, const char *const *choices, size_t count)
{
	size_t length = strlen(word), least = length <= 3 ? 2 : 3; /* more than is allowed */
	const char *nearest = NULL;

	if (length == 0 || length > LENGTH_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const char *choice = choices[i];

		if (!choice || strlen(choice) > LENGTH_MAX)
			continue;
		size_t mistakes = count_mistakes(word, choice);
		if (mistakes == 0)
			return NULL;
		if (strncmp(choice, word, length) == 0)
			mistakes = 1;
		if (mistakes < least && mistakes < length) {
			nearest = choice;
			least = mistakes;
		}
	}
	return nearest;
}
