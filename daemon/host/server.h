/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_SERVER_H
#define DAEMON_HOST_SERVER_H

#include "daemon/api/service.h"
#include "daemon/host/device-watch.h"
#include "daemon/host/driver-timeout.h"
#include "daemon/host/examiner/examiner-client.h"
#include "daemon/host/fd-info.h"
#include "daemon/host/gpu-looks.h"
#include "daemon/host/log/audit-log.h"
#include "daemon/host/machine-watch.h"
#include "daemon/host/net/connection.h"
#include "daemon/host/net/fd-closer.h"
#include "daemon/host/net/fdstore-wait.h"
#include "daemon/host/net/listener.h"
#include "daemon/host/net/peer-user.h"
#include "daemon/host/persist/persistence.h"
#include "daemon/host/persist/quarantine-store.h"
#include "daemon/host/process/process-table.h"
#include "daemon/host/process/subordinate-ids.h"
#include "daemon/host/service-manager.h"
#include "daemon/host/turns.h"
#include "daemon/host/upkeep.h"

/* Paths are absolute, because the daemon changes to the root directory once it listens. */
typedef struct ServerOptions {
	const char *socket_path;
	const char *given_socket_path; /* as the user gave it, perhaps relative and shorter */
	const char *runtime_directory;
	const char *state_directory;
	const char *config_directory;
	FsRoots roots;
} ServerOptions;

/*
 * The daemon: the pure service, and around it the code that uses the kernel. It is single-threaded
 * with one event loop. The Server owns everything here.
 */
typedef struct Server {
	ServerOptions options;
	Settings configured; /* in force, but without the bounds of this start of the daemon */
	DropIns drop_ins;    /* in force */
	struct event_base *base;
	UserNamespace own_namespace;
	SubordinateIds subordinate_ids;
	MemfdIdentity memfds;
	Host host;
	Service service;
	Examiner examiner;
	ProcessTable processes;
	Turns turns;
	Upkeep upkeep;
	PeerUsers users;
	FdCloser closer;
	AuditLog journal;
	ServiceManager manager;
	FdstoreWaits fdstore_waits;
	QuarantineStore quarantines;
	ListenFds passed;
	int passed_socket; /* -1 if none, or once the listener owns it */
	Persistence persistence;
	DriverTimeout driver_wait;
	DeviceWatch devices;
	MachineWatch machines;
	GpuLooks looks;
	Connections connections;
	Listener listener;
	struct event terminate_event;
	struct event interrupt_event;
	struct event reload_event;
} Server;

/*
 * Loads the configuration, restores the persisted state, and serves until SIGTERM or SIGINT.
 * Returns the exit status of the process; errors have been logged.
 */
int server_run(const ServerOptions *options);

/* Fills the table of functions that core and api call. */
void host_ops_init(Host *host, Server *server);

/* Returns the server of a connection, which is that of its session's service. */
static inline Server *connection_server(const Connection *connection)
{
	return container_of(connection->session.service, Server, service);
}

#endif
