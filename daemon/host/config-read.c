/* SPDX-License-Identifier: MIT */
#include "daemon/host/config-read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/host/process/file-read.h"
#include "proto/fd-util.h"

/* A larger file is no configuration, and reading it could take all memory. */
#define FILE_SIZE_MAX (1 << 20)

static bool check_type(const ConfigFile *file, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return config_cannot_read(file, errno);
	if (!S_ISREG(status.st_mode))
		return config_mistake(file, "is not a regular file; replace it");
	return status.st_size <= FILE_SIZE_MAX ||
	       config_mistake(file, "is larger than %d bytes; make it smaller", FILE_SIZE_MAX);
}

bool config_check_owner(const ConfigFile *file, int fd, const ConfigRisk *risk)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return config_cannot_read(file, errno);
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return config_mistake(file,
				      "belongs to uid %u, who could %s; check its contents and "
				      "give it to root with: chown root",
				      status.st_uid, risk->of_owner);
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return config_mistake(file,
				      "other users can change it and could %s; check its contents "
				      "and protect it with: chmod go-w",
				      risk->of_others);
	return true;
}

/* Opens the file, and checks that it is what the daemon may read. Returns an fd, or -1. */
static int open_file(const ConfigFile *file, const ConfigRisk *risk)
{
	/* O_NONBLOCK, because opening a FIFO would wait for a writer. */
	_cleanup_close_ int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		config_cannot_read(file, errno);
	else if (check_type(file, fd) && (!risk || config_check_owner(file, fd, risk)))
		return TAKE_FD(fd);
	return -1;
}

bool config_read_file(const char *path, const ConfigRisk *risk, ConfigReader *reader, void *context,
		      ConfigError *ret_error)
{
	ConfigFile file = { .path = path, .ret_error = ret_error };
	_cleanup_close_ int fd = open_file(&file, risk);
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;

	if (fd < 0)
		return false;
	int error = file_read_all(fd, &text);
	return error < 0 ? config_cannot_read(&file, -error)
			 : config_text_read(&file, &text, reader, context);
}

char *config_path(const char *directory, const char *name, ConfigError *ret_error)
{
	char *path;

	if (asprintf(&path, "%s/%s", directory, name) >= 0)
		return path;
	*ret_error = (ConfigError){ .message = "out of memory", .is_temporary = true };
	return NULL;
}

static int is_drop_in(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && suffix && strcmp(suffix, ".json") == 0;
}

static bool read_entry(const char *directory, const char *name, const ConfigRisk *risk,
		       ConfigReader *reader, void *context, ConfigError *ret_error)
{
	_cleanup_free_ char *path = config_path(directory, name, ret_error);

	return path && config_read_file(path, risk, reader, context, ret_error);
}

bool config_read_folder(const char *path, const ConfigRisk *risk, ConfigReader *reader,
			void *context, ConfigError *ret_error)
{
	ConfigFile folder = { .path = path, .ret_error = ret_error };
	struct dirent **entries = NULL;
	bool read = true;

	int count = scandir(path, &entries, is_drop_in, alphasort);
	if (count < 0)
		return errno == ENOENT || config_cannot_read(&folder, errno);
	for (int i = 0; i < count; i++) {
		read = read &&
		       read_entry(path, entries[i]->d_name, risk, reader, context, ret_error);
		free(entries[i]);
	}
	free(entries);
	return read;
}
