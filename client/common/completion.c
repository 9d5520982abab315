/* SPDX-License-Identifier: MIT */
#include "client/common/completion.h"

#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/program-options.h"
#include "client/common/terminal-text.h"
#include "proto/macros.h"
#include <vail.h>

bool completion_wanted(int argc, char *const *argv)
{
	return argc > 2 && strcmp(argv[1], "--complete") == 0;
}

/* ---- The line ---- */

/* Returns the option that the word names, which may continue with "=". */
static const struct option *find_option(const struct option *options, const char *word)
{
	size_t length = strcspn(word, "=");

	if (strncmp(word, "--", 2) != 0)
		return NULL;
	for (const struct option *option = options; option->name; option++)
		if (strlen(option->name) == length - 2 &&
		    strncmp(option->name, word + 2, length - 2) == 0)
			return option;
	return NULL;
}

/* Reads a word before the last one. value: the word behind it. Returns the number of words read. */
static size_t read_word(CompletionLine *line, const struct option *options, const char *word,
			const char *value)
{
	const struct option *option = find_option(options, word);
	const char *inline_value = strchr(word, '=');

	if (*word != '-')
		line->words[line->word_count++] = word;
	if (!option)
		return 1;
	if (strcmp(option->name, "socket") == 0)
		line->socket = inline_value ? inline_value + 1 : value;
	return option->has_arg == required_argument && !inline_value ? 2 : 1;
}

static void read_current(CompletionLine *line, const struct option *options)
{
	const char *value = strchr(line->before, '=');
	const struct option *option = find_option(options, line->before);

	if (!option || !value || option->has_arg == no_argument)
		return;
	line->option = option;
	line->current = value + 1;
}

/* Tests whether the words behind this one are another program's command line. */
static bool begins_program(const struct option *options, const char *word)
{
	return strcmp(word, "--") == 0 ||
	       (strcmp(word, "--exec") == 0 && find_option(options, word));
}

/* line: has its array of words. */
static void read_line(CompletionLine *line, const struct option *options, char *const *words,
		      size_t count)
{
	size_t i = 0;

	while (i + 1 < count && !begins_program(options, words[i]))
		i += read_word(line, options, words[i], words[i + 1]);
	if (i + 1 < count) {
		line->program = i + 1;
		line->rest = words + i + 1;
		line->rest_count = count - i - 2;
	} else if (i == count) {
		line->option = find_option(options, words[i - 2]);
	} else {
		read_current(line, options);
	}
}

CompletionLine completion_take_rest(const CompletionLine *line)
{
	CompletionLine whole = *line;

	for (size_t i = 0; i < line->rest_count; i++)
		whole.words[whole.word_count++] = line->rest[i];
	whole.program = 0;
	whole.is_argument = true;
	return whole;
}

int completion_run(const struct option *options, void (*complete)(const CompletionLine *line),
		   int argc, char *const *argv)
{
	char *const *words = argv + 2;
	size_t count = (size_t)argc - 2;
	CompletionLine line = { .current = words[count - 1], .before = words[count - 1] };

	line.words = calloc(count + 1, sizeof(*line.words));
	if (!line.words)
		return EXIT_FAILED;
	read_line(&line, options, words, count);
	complete(&line);
	free(line.words);
	return EXIT_DONE;
}

/* ---- Answers ---- */

void completion_files(const CompletionLine *line)
{
	printf("files\n%.*s\n", (int)(line->current - line->before), line->before);
}

void completion_program(const CompletionLine *line)
{
	printf("program %zu\n", line->program);
}

void completion_begin_values(void)
{
	puts("values");
}

bool completion_is_printable(const char *text)
{
	_cleanup_free_ char *safe = text_escape(text, NULL);

	return safe && strcmp(safe, text) == 0;
}

void completion_value(const CompletionLine *line, const char *value, const char *description)
{
	_cleanup_free_ char *safe = text_escape(description ? description : "", NULL);

	if (strncmp(value, line->current, strlen(line->current)) != 0 ||
	    !completion_is_printable(value))
		return;
	printf("%.*s%s\t%s\n", (int)(line->current - line->before), line->before, value,
	       safe ? safe : "");
}

void completion_options(const CompletionLine *line, const struct option *options,
			bool (*is_offered)(int value, const void *context), const void *context)
{
	char text[64];

	for (const struct option *option = options; option->name; option++) {
		snprintf(text, sizeof(text), "--%s", option->name);
		if (!is_offered || is_offered(option->val, context))
			completion_value(line, text, NULL);
	}
}

void completion_users(const CompletionLine *line)
{
	const struct passwd *user;

	setpwent();
	while ((user = getpwent()))
		completion_value(line, user->pw_name, user->pw_gecos);
	endpwent();
}

void completion_right_list(const CompletionLine *line)
{
	const char *comma = strrchr(line->current, ',');
	CompletionLine last = *line;

	if (comma)
		last.current = comma + 1;
	for (unsigned int right = 1; right != 0; right <<= 1)
		if (vail_display_right_name(right))
			completion_value(&last, vail_display_right_name(right), NULL);
}

bool completion_rights(const CompletionLine *line)
{
	const char *colon = strchr(line->current, ':');
	CompletionLine rights = *line;

	if (!colon)
		return false;
	rights.current = colon + 1;
	completion_right_list(&rights);
	return true;
}

/* Reads the name of a process, which is empty after its end. */
static void read_process_name(const char *pid, char *name, size_t size)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	FILE *file = fopen(path, "re");
	if (!file || !fgets(name, (int)size, file))
		*name = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
}

void completion_pids(const CompletionLine *line)
{
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	char name[64];

	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		read_process_name(entry->d_name, name, sizeof(name));
		completion_value(line, entry->d_name, name);
	}
	closedir(folder);
}
