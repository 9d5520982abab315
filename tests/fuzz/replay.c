/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target on stored inputs, in builds without libFuzzer. The arguments are files, or
 * folders that contain files. Prints the number of inputs. If an input crashes the target, prints
 * the name of its file.
 */
#include <dirent.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/common/fuzz-input.h"

static size_t replayed;
static const char *current; /* path of the input that runs */

static void print_current(void)
{
	fprintf(stderr, "crashed on input: %s\n", current);
}

static void on_abort(int number)
{
	(void)number;
	print_current();
}

static int replay_file(const char *path, const struct stat *status)
{
	size_t size = (size_t)status->st_size;
	uint8_t *data = malloc(size + 1);
	FILE *file = fopen(path, "rb");

	if (!data || !file || fread(data, 1, size, file) != size) {
		perror(path);
		free(data);
		if (file)
			fclose(file);
		return 1;
	}
	fclose(file);
	current = path;
	/* Exactly as large as the input, so that ASan finds reads behind its end. */
	uint8_t *exact = realloc(data, size > 0 ? size : 1);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	replayed++;
	return 0;
}

static int replay(const char *path);

static int replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int failed = folder == NULL;

	while (folder && (entry = readdir(folder))) {
		char *child;

		if (entry->d_name[0] == '.' || asprintf(&child, "%s/%s", path, entry->d_name) < 0)
			continue;
		failed |= replay(child);
		free(child);
	}
	if (folder)
		closedir(folder);
	return failed;
}

static int replay(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0) {
		perror(path);
		return 1;
	}
	return S_ISDIR(status.st_mode) ? replay_folder(path) : replay_file(path, &status);
}

int main(int count, char **arguments)
{
	int failed = 0;

	signal(SIGABRT, on_abort);
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_set_death_callback(print_current);
#endif
	for (int i = 1; i < count; i++)
		failed |= replay(arguments[i]);
	printf("%zu inputs replayed\n", replayed);
	return failed || replayed == 0;
}
