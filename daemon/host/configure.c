/* SPDX-License-Identifier: MIT */
#include "daemon/host/configure.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "daemon/discovery/drop-in-apply.h"
#include "daemon/host/config-kept.h"
#include "daemon/host/config-machines.h"
#include "daemon/host/config.h"
#include "daemon/host/log/log-entry.h"
#include "daemon/host/log/log.h"
#include "daemon/host/server.h"

/* Never accept more persisted fds than the service manager stores. */
static void limit_to_store(Limits *limits)
{
	uint64_t *entries = &limits->host_wide[LIMIT_STORE_ENTRIES];

	if (*entries > fd_store_capacity())
		*entries = fd_store_capacity();
}

/* A whole configuration. */
typedef struct Configuration {
	Settings settings;
	DropIns drop_ins;
} Configuration;

/* Loads all files. Returns false, with nothing to deinitialise, at the first mistake. */
static bool load(const Server *server, Configuration *ret, ConfigError *ret_error)
{
	const char *directory = server->options.config_directory;

	return config_load(directory, &ret->settings, ret_error) &&
	       config_load_drop_ins(directory, &ret->drop_ins, ret_error);
}

/*
 * Brings the configuration into force, and takes over its drop-ins. The limit of the store depends
 * on this start of the daemon.
 */
static void apply(Server *server, const Configuration *configuration)
{
	const Settings *settings = &configuration->settings;

	drop_ins_deinit(&server->drop_ins);
	server->drop_ins = configuration->drop_ins;
	server->configured = *settings;
	server->service.settings = *settings;
	limit_to_store(&server->service.settings.limits);
}

/* Words the consequence of a mistake as the predicate of a sentence about the configuration. */
static const char *consequence(const Server *server)
{
	return server->service.settings.operators_only
		       ? "has a mistake and no earlier one is kept, so only operators are served"
		       : "has a mistake, so the last one that was right stays in force";
}

static void set_mistake(Server *server, const char *mistake)
{
	char *text = server->service.statistics.configuration;

	text[0] = '\0';
	if (mistake)
		snprintf(text, STATISTICS_CONFIGURATION_SIZE, "%s: %s", consequence(server),
			 mistake);
}

/* --- the start ------------------------------------------------------------------------------- */

/* Reads the configuration that is kept, or the defaults. Returns false if that must be retried. */
static bool fall_back(Server *server, Configuration *ret, ConfigError *error)
{
	ret->drop_ins = DROP_INS_INIT;
	switch (config_kept_read(server->options.state_directory, &ret->settings, &ret->drop_ins,
				 error)) {
	case KEPT_CONFIG_READ:
		return true;
	case KEPT_CONFIG_TEMPORARY:
		return false;
	case KEPT_CONFIG_DAMAGED:
	case KEPT_CONFIG_NEWER:
		log_warning("the configuration of an earlier start cannot be used: %s",
			    error->message);
		break;
	case KEPT_CONFIG_ABSENT:
		break;
	}
	if (!config_default(&ret->settings, error))
		return false;
	ret->settings.operators_only = true;
	return true;
}

static void log_start_mistake(const Server *server, const char *mistake)
{
	LogEntry entry;

	log_entry_init(&entry, LOG_ERR, MESSAGE_CONFIGURATION_WRONG);
	log_entry_add(&entry, "VAIL_REASON=%s", mistake);
	log_entry_send(&entry, "the configuration %s; correct it, then run \"vailctl reload\": %s",
		       consequence(server), mistake);
}

/* The unit decides how many fds systemd stores. Without any, no process could own anything. */
static void warn_about_store(void)
{
	size_t capacity = fd_store_capacity();

	if (capacity < LIMIT_OPERATOR_SHARE)
		log_warning("systemd stores only %zu file descriptors for vaild, so almost every "
			    "request will be refused; set FileDescriptorStoreMax=%d in its unit",
			    capacity, STORE_ENTRIES_MAX);
}

bool configure_start(Server *server)
{
	ConfigError error, fallback;
	Configuration configuration;

	warn_about_store();
	if (load(server, &configuration, &error)) {
		apply(server, &configuration);
		return true;
	}
	if (error.is_temporary || !fall_back(server, &configuration, &fallback)) {
		log_error("%s", error.message);
		if (!error.is_temporary)
			log_error("%s", fallback.message);
		return false;
	}
	apply(server, &configuration);
	set_mistake(server, error.message);
	log_start_mistake(server, error.message);
	return true;
}

void configure_keep(Server *server)
{
	const char *directory = server->options.state_directory;

	if (server->service.statistics.configuration[0] != '\0')
		return;
	int error = config_keep(directory, &server->configured, &server->drop_ins);
	if (error == 0)
		return;
	log_warning("%s: cannot keep the configuration for later starts: %s; a start with a "
		    "mistake in it will use an older one",
		    directory, strerror(-error));
}

/* --- reloads --------------------------------------------------------------------------------- */

static void log_reload(const char *mistake)
{
	LogEntry entry;

	log_entry_init(&entry, mistake ? LOG_WARNING : LOG_INFO,
		       mistake ? MESSAGE_RELOAD_REFUSED : MESSAGE_RELOADED);
	if (mistake) {
		log_entry_add(&entry, "VAIL_REASON=%s", mistake);
		log_entry_send(&entry,
			       "the configuration was not reloaded, the old one stays in force: "
			       "%s",
			       mistake);
	} else {
		log_entry_send(&entry, "the configuration was reloaded");
	}
}

void configure_machines(Server *server)
{
	/* Without a configuration the drop-ins are unknown, so the VMs keep what they have. */
	if (server->service.settings.operators_only)
		return;
	size_t failures = drop_ins_apply(&server->service.store);

	if (failures > 0)
		log_warning("out of resources: %zu VM%s not follow the drop-ins yet; run \"vailctl "
			    "reload\"",
			    failures, failures == 1 ? " does" : "s do");
	upkeep_after_change(&server->upkeep);
}

static void reload(Server *server, const Configuration *configuration)
{
	const Settings *in_force = &server->service.settings;

	apply(server, configuration);
	broker_configure(server->service.broker, &in_force->limits, &in_force->software_adapter);
	connections_reclassify(&server->connections);
	watches_reclassify(&server->service);
	configure_machines(server);
	set_mistake(server, NULL);
	configure_keep(server);
	device_watch_read(&server->devices);
	machine_watch_refresh(&server->machines);
}

bool configure_reload(Server *server, char *ret_mistake, size_t size)
{
	ConfigError error;
	Configuration configuration;

	service_manager_reloading(&server->manager);
	subordinate_ids_reload(&server->subordinate_ids);
	bool reloaded = load(server, &configuration, &error);

	if (reloaded) {
		reload(server, &configuration);
	} else {
		if (!error.is_temporary)
			set_mistake(server, error.message);
		snprintf(ret_mistake, size, "%s", error.message);
	}
	log_reload(reloaded ? NULL : error.message);
	service_manager_ready(&server->manager);
	return reloaded;
}
