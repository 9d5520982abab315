/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/common/fuzz-input.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/fd-util.h"

void fuzz_check(bool holds, const char *condition, const char *file, int line)
{
	if (holds)
		return;
	/* Not through stderr, which may be silenced. */
	dprintf(STDERR_FILENO, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

uint8_t input_byte(Input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

uint64_t input_long_number(Input *input)
{
	uint64_t number = 0;

	for (unsigned int i = 0; i < sizeof(number); i++)
		number |= (uint64_t)input_byte(input) << (8 * i);
	return number;
}

uint32_t input_number(Input *input)
{
	uint32_t number = 0;

	for (unsigned int i = 0; i < sizeof(number); i++)
		number |= (uint32_t)input_byte(input) << (8 * i);
	return number;
}

Input input_take(Input *input, size_t size)
{
	Input taken = { input->data, size < input->size ? size : input->size };

	if (taken.size > 0)
		input->data += taken.size;
	input->size -= taken.size;
	return taken;
}

Input input_until(Input *input, char separator)
{
	const uint8_t *end = input->size > 0 ? memchr(input->data, separator, input->size) : NULL;
	Input taken = input_take(input, end ? (size_t)(end - input->data) : input->size);

	if (end)
		input_byte(input);
	return taken;
}

char *input_text(Input input)
{
	char *text = malloc(input.size + 1);

	fuzz_must(text != NULL);
	if (input.size > 0)
		memcpy(text, input.data, input.size);
	text[input.size] = '\0';
	return text;
}

static char folder[128];
static pid_t folder_owner; /* a child must not remove the folder */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	return walk->level > 0 ? remove(path) : 0;
}

void fuzz_folder_clear(void)
{
	nftw(fuzz_folder(), remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void remove_folder(void)
{
	if (getpid() != folder_owner)
		return;
	fuzz_folder_clear();
	rmdir(folder);
}

const char *fuzz_folder(void)
{
	if (folder[0] != '\0')
		return folder;
	const char *parent = getenv("TMPDIR");
	if (!parent)
		parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(folder, sizeof(folder), "%s/vaild-fuzz-XXXXXX", parent);
	fuzz_must(mkdtemp(folder) != NULL);
	folder_owner = getpid();
	atexit(remove_folder);
	return folder;
}

/* Creates the folders that lead to the path. */
static void make_folders(char *path)
{
	for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
}

void fuzz_file_write(const char *name, Input content)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
	make_folders(path);
	_cleanup_close_ int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fuzz_must(file >= 0);
	fuzz_must(write(file, content.data, content.size) == (ssize_t)content.size);
}

size_t fuzz_count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	fuzz_must(directory != NULL);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

void fuzz_silence(void)
{
	static bool is_silent;

	if (!is_silent)
		stderr = fopen("/dev/null", "we");
	is_silent = true;
	fuzz_must(stderr != NULL);
}
