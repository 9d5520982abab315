/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_CONFIG_MISTAKE_H
#define DAEMON_CONFIG_CONFIG_MISTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/json-text.h"
#include "proto/macros.h"

/* Words mistakes of the configuration, with their positions in the files. */

/* Why a configuration was not read. */
typedef struct ConfigError {
	/*
	 * "PATH:LINE:COLUMN: KEY …", a sentence. Line and column are missing if the mistake is not
	 * inside of a file. Control characters are replaced.
	 */
	char message[480];
	bool is_temporary; /* the user database does not answer, or memory or fds have run out */
} ConfigError;

typedef struct ConfigFile {
	const char *path;
	const char *text; /* NULL if mistakes have no position */
	JsonText value;   /* the whole text without blanks around it, once it is known to be JSON */
	bool is_kept;     /* written by the daemon itself */
	ConfigError *ret_error;
} ConfigFile;

/*
 * Stores "PATH:LINE:COLUMN: SENTENCE" in the file's error. Always returns false, so that callers
 * can return the result. position: NULL for a mistake of the file as a whole.
 */
_printf_(3, 4) bool config_mistake_at(const ConfigFile *file, const char *position,
				      const char *format, ...);

#define config_mistake(file, ...) config_mistake_at((file), NULL, __VA_ARGS__)

/* The same for a system call's errno. A lack of memory or fds says nothing about the file. */
bool config_cannot_read(const ConfigFile *file, int error);

/* The size of a quoted text: its beginning, "…" and a NUL. */
#define CONFIG_QUOTE_SIZE 48

/*
 * Copies a text of the file for a sentence. Replaces the rest of a long one by "…", behind a
 * character. Returns quote.
 */
const char *config_quote(const char *text, size_t length, char quote[static CONFIG_QUOTE_SIZE]);

/* Returns the position of the value at this path, as in JsonFault, or NULL. */
const char *config_find(const ConfigFile *file, const char *path);

#endif
