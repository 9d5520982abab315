/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_CONFIG_TEXT_H
#define DAEMON_CONFIG_CONFIG_TEXT_H

#include "daemon/config/config-mistake.h"
#include "proto/buffer.h"
#include "proto/json.h"

/*
 * Reads the object of one file into context, which the caller chooses. Returns true, or false with
 * a mistake in the file's error.
 */
typedef bool ConfigReader(const ConfigFile *file, const JsonValue *object, void *context);

/*
 * Parses the text of a file, which has to be one JSON object without keys that stand twice, and
 * calls the reader with it. Returns what the reader returns, or false with a mistake in the file's
 * error.
 */
bool config_text_read(ConfigFile *file, const Buffer *text, ConfigReader *reader, void *context);

/* Does the same with a value, which need not be an object. */
bool config_read_value(const ConfigFile *file, const JsonValue *value, ConfigReader *reader,
		       void *context);

#endif
