/* SPDX-License-Identifier: MIT */
#ifndef HOST_SERVER_H
#define HOST_SERVER_H

#include "closer.h"
#include "connection.h"
#include "descriptor-facts.h"
#include "driver-wait.h"
#include "journal.h"
#include "keeper.h"
#include "listener.h"
#include "owner.h"
#include "process-table.h"
#include "quarantine-store.h"
#include "service-manager.h"
#include "service.h"

/*
 * The daemon: the pure service in the middle, and around it what touches the host. Single-threaded;
 * one event loop. Everything here belongs to the one Server.
 */
typedef struct ServerOptions {
	const char *socket_path;
	const char *runtime_directory;
	const char *state_directory;
	const char *config_directory;
	Roots roots;
} ServerOptions;

typedef struct Server {
	ServerOptions options;
	struct event_base *base;
	UserNamespace own_namespace;
	MemfdIdentity memfds;
	Host host;
	Service service;
	ProcessTable processes;
	Owners owners;
	Closer closer;
	Journal journal;
	ServiceManager manager;
	QuarantineStore quarantines;
	PassedDescriptors passed;
	int passed_socket; /* -1: none, or the listener has it */
	Keeper keeper;
	DriverWait driver_wait;
	Connections connections;
	Listener listener;
	struct event terminate_event;
	struct event interrupt_event;
	struct event reload_event;
} Server;

/*
 * Loads the configuration, restores what lasts, and serves until SIGTERM or SIGINT. Returns the
 * process's exit status; what went wrong has been logged.
 */
int server_run(const ServerOptions *options);

/* Reads the configuration anew. False: the old one stays in force, and *ret_mistake says why. */
bool server_reload(Server *server, char *ret_mistake, size_t size);

/* Fills the table through which the core asks for the world. */
void world_init(Host *host, Server *server);

#endif
