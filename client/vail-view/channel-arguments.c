/* SPDX-License-Identifier: MIT */
#include "client/vail-view/channel-arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Buffer size for a number. */
#define NUMBER_SIZE 16

/* Returns a copy of the text with the number in each place, or NULL if out of memory. */
static char *fill_places(const char *text, const char *number)
{
	char *filled = NULL;
	size_t size;
	FILE *out = open_memstream(&filled, &size);
	const char *place;

	if (!out)
		return NULL;
	for (; (place = strstr(text, CHANNEL_FD_PLACE)); text = place + strlen(CHANNEL_FD_PLACE))
		fprintf(out, "%.*s%s", (int)(place - text), text, number);
	fputs(text, out);
	if (fclose(out) == 0)
		return filled;
	free(filled);
	return NULL;
}

char **channel_arguments_new(char *const *arguments, int number)
{
	char text[NUMBER_SIZE];
	size_t count = 0;

	snprintf(text, sizeof(text), "%d", number);
	while (arguments[count])
		count++;
	char **filled = calloc(count + 1, sizeof(*filled));
	for (size_t i = 0; filled && i < count; i++) {
		filled[i] = i == 0 ? strdup(arguments[0]) : fill_places(arguments[i], text);
		if (filled[i])
			continue;
		channel_arguments_free(filled);
		return NULL;
	}
	return filled;
}

void channel_arguments_free(char **arguments)
{
	for (size_t i = 0; arguments && arguments[i]; i++)
		free(arguments[i]);
	free(arguments);
}
