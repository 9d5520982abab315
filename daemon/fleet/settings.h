/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_SETTINGS_H
#define DAEMON_FLEET_SETTINGS_H

#include "daemon/config/config-mistake.h"
#include "proto/buffer.h"

/* The configuration of vaild-fleet, see fleet.json(5). */

#define SETTINGS_ENDPOINTS_MAX 16
#define SETTINGS_TTL_MIN       3
#define SETTINGS_TTL_MAX       3600

typedef struct Settings {
	char *endpoints[SETTINGS_ENDPOINTS_MAX]; /* URLs */
	size_t endpoint_count;
	char *prefix;
	char *ca;          /* path; NULL for the system's certificates */
	char *certificate; /* path; NULL for none */
	char *private_key; /* path; NULL exactly if certificate is */
	char *name;        /* of this host; NULL for its host name */
	char *operator_group;
	char *observer_group;
	unsigned int ttl; /* of the lease, in seconds */
} Settings;

void settings_deinit(Settings *settings);

/*
 * Reads the text of a file. Returns true, or false with *ret_settings unchanged and *ret_error
 * filled in. Free the settings with settings_deinit().
 */
bool settings_parse(const char *path, const Buffer *text, Settings *ret_settings,
		    ConfigError *ret_error);

/*
 * Reads a file in the same way. Refuses a file that other users can change, unless is_checked_only
 * is set.
 */
bool settings_load(const char *path, bool is_checked_only, Settings *ret_settings,
		   ConfigError *ret_error);

#endif
