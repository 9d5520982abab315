/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_CONFIG_FAULT_H
#define DAEMON_CONFIG_CONFIG_FAULT_H

#include "daemon/config/config-mistake.h"
#include "proto/json-table.h"

/* Words wrong keys and values of the configuration, with suggestions. */

/* The keys of one kind of object in the configuration. */
typedef struct ConfigKeys {
	const char *place; /* of the object, as part of a sentence: "\"limits\"" */
	const JsonTable *table;
	bool are_many; /* too many for a sentence; vaild.json(5) lists them */
} ConfigKeys;

/*
 * Reports a fault that json_table_decode() has found. all: the keys of each object of the
 * configuration, the outermost one first. Returns false.
 */
bool config_fault(const ConfigFile *file, const JsonFault *fault, const ConfigKeys *all,
		  size_t count);

#endif
