/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_CONFIG_READ_H
#define DAEMON_HOST_CONFIG_READ_H

#include "daemon/config/config-text.h"

/* Reads the files of the configuration from the disk. */

/* The power of those who can change a file, as parts of sentences. */
typedef struct ConfigRisk {
	const char *of_owner;  /* behind "who could" */
	const char *of_others; /* behind "other users can change it and could" */
} ConfigRisk;

/*
 * Checks that root alone, or the daemon's own user, can change the open file. Returns true, or
 * false with a mistake in the file's error.
 */
bool config_check_owner(const ConfigFile *file, int fd, const ConfigRisk *risk);

/*
 * Reads a regular file and calls the reader with its object. risk: NULL if anybody may own the
 * file. Returns true, or false with *ret_error filled in.
 */
bool config_read_file(const char *path, const ConfigRisk *risk, ConfigReader *reader, void *context,
		      ConfigError *ret_error);

/*
 * Does the same with all files of the folder whose names end in ".json", in the order of their
 * names, until one has a mistake. The folder may be absent.
 */
bool config_read_folder(const char *path, const ConfigRisk *risk, ConfigReader *reader,
			void *context, ConfigError *ret_error);

/* Returns DIRECTORY/NAME, to be freed, or NULL with *ret_error filled in if out of memory. */
char *config_path(const char *directory, const char *name, ConfigError *ret_error);

#endif
