/* SPDX-License-Identifier: MIT */
#include "daemon/host/server.h"

#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "daemon/child/socket-drain.h"
#include "daemon/core/broker.h"
#include "daemon/core/display-channel.h"
#include "daemon/host/configure.h"
#include "daemon/host/examiner/capabilities.h"
#include "daemon/host/log/log-entry.h"
#include "daemon/host/log/log.h"
#include "daemon/host/process/user-namespace.h"
#include "daemon/host/restore.h"
#include "proto/fd-util.h"
#include "proto/version.h"

/* Enough for two connections and a pidfd per process, and the daemon's own fds. */
#define FDS_WANTED 65536

/* With fewer fds, the default limits cannot be reached by far. */
#define FDS_FEW 4096

#define MISTAKE_SIZE 240

static void on_process_exited(void *context, ProcessKey key)
{
	Server *server = context;

	broker_process_exited(server->service.broker, key);
	upkeep_after_change(&server->upkeep);
}

static void on_fds_closed(void *context)
{
	Server *server = context;

	listener_recover(&server->listener);
}

static void on_terminate(evutil_socket_t signal_number, short what, void *context)
{
	Server *server = context;

	(void)signal_number;
	(void)what;
	event_base_loopexit(server->base, NULL);
}

static void on_reload(evutil_socket_t signal_number, short what, void *context)
{
	char mistake[MISTAKE_SIZE];

	(void)signal_number;
	(void)what;
	configure_reload(context, mistake, sizeof(mistake));
}

/* In another user namespace all users appear as uid 65534 and cannot be distinguished. */
static bool check_user_namespace(Server *server)
{
	if (!user_namespace_own(&server->options.roots, &server->own_namespace)) {
		log_error("cannot read the user namespace: %s/self/ns/user does not exist; mount "
			  "/proc",
			  server->options.roots.proc);
		return false;
	}
	if (user_namespace_is_initial(&server->own_namespace))
		return true;
	log_error("vaild must run in the initial user namespace, because it cannot tell users "
		  "apart in any other; start it outside of containers, with PrivateUsers=no");
	return false;
}

/* Raises the fd limit to what the daemon can use, or as far as the host permits. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (limit.rlim_max < FDS_WANTED) {
		struct rlimit wanted = { FDS_WANTED, FDS_WANTED };
		if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
			return;
	}
	if (limit.rlim_max < FDS_FEW)
		log_warning("vaild may open only %llu files, which is too few for the default "
			    "limits; let it open %d, for example with LimitNOFILE=",
			    (unsigned long long)limit.rlim_max, FDS_WANTED);
	setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Starts the examiner, which keeps the one capability, and gives up all others and that one here.
 * Nothing that a stranger wrote has been read before.
 */
static bool start_examiner(const Server *server, ExaminerSockets *ret)
{
	int error = examiner_start(&server->options.roots, &server->own_namespace, ret);

	if (error < 0) {
		log_error("cannot start the process that examines other processes: %s",
			  strerror(-error));
		return false;
	}
	error = capabilities_give_up(false);
	if (error == 0)
		return true;
	log_error("cannot give up the capabilities: %s; let vaild call capset(), for example in "
		  "SystemCallFilter= of its unit",
		  strerror(-error));
	return false;
}

static void add_signal(Server *server, struct event *event, int signal_number,
		       void (*handler)(evutil_socket_t, short, void *))
{
	event_assign(event, server->base, signal_number, EV_SIGNAL | EV_PERSIST, handler, server);
	event_add(event, NULL);
}

static void server_init_parts(Server *server, const ExaminerSockets *sockets)
{
	struct event_base *base = server->base;
	const FsRoots *roots = &server->options.roots;

	examiner_init(&server->examiner, base, sockets, EXAMINER_MILLISECONDS);
	process_table_init(&server->processes, base, roots, on_process_exited, server);
	process_table_set_examiner(&server->processes, &server->examiner);
	subordinate_ids_init(&server->subordinate_ids, SUBORDINATE_IDS_PATH);
	turns_init(&server->turns, base, &server->host);
	upkeep_init(&server->upkeep, server);
	peer_users_init(&server->users, &server->turns);
	fd_closer_init(&server->closer, base, &server->turns, on_fds_closed, server);
	audit_log_init(&server->journal, base, &server->processes);
	service_manager_init(&server->manager, base, &server->service);
	fdstore_waits_init(&server->fdstore_waits, base, &server->persistence.store,
			   &server->upkeep);
	connections_init(&server->connections, server);
	driver_timeout_init(&server->driver_wait, base);
	device_watch_init(&server->devices, server);
	machine_watch_init(&server->machines, server);
	gpu_looks_init(&server->looks, server);
	add_signal(server, &server->terminate_event, SIGTERM, on_terminate);
	add_signal(server, &server->interrupt_event, SIGINT, on_terminate);
	add_signal(server, &server->reload_event, SIGHUP, on_reload);
}

static bool server_init_service(Server *server)
{
	Service *service = &server->service;

	host_ops_init(&server->host, server);
	service->host = &server->host;
	TAILQ_INIT(&service->watches);
	service->statistics.pid = getpid();
	service->statistics.started_at = server->host.now(server);
	service->statistics.under_systemd = sd_booted() > 0 && getenv("INVOCATION_ID");
	service->watch_ready = connection_watch_ready;
	service->broker = broker_new(&server->host, &service->settings.limits,
				     &service->settings.software_adapter);
	if (service->broker)
		service->broker->drop_ins = &server->drop_ins;
	service->parser = json_parser_new();
	store_init(&service->store, service->broker, service->parser);
	if (service->broker && service->parser)
		return true;
	log_error("out of memory at startup");
	return false;
}

/* Creates the directory and its parents. Returns 0 or a negative errno. */
static int make_directories(const char *path)
{
	char parent[PATH_MAX];

	if (strlen(path) >= sizeof(parent))
		return -ENAMETOOLONG;
	strcpy(parent, path);
	for (char *slash = parent + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static bool server_make_runtime_directory(const Server *server)
{
	const char *directory = server->options.runtime_directory;
	int error = make_directories(directory);

	if (error == 0)
		return true;
	log_error("%s: cannot create the directory: %s; %s, or choose another with --runtime-dir",
		  directory, strerror(-error),
		  error == -EACCES && geteuid() != 0 ? "start vaild as root" : "create it");
	return false;
}

/* Takes all fds that the service manager has passed, before any is used. */
static bool server_take_passed(Server *server)
{
	int error = listen_fds_init(&server->passed);

	if (error < 0)
		log_error("cannot take over the file descriptors from the service manager: %s",
			  strerror(-error));
	server->passed_socket = listen_fds_take_socket(&server->passed);
	return error >= 0;
}

static bool server_listen(Server *server)
{
	int socket = TAKE_FD(server->passed_socket);

	return listener_open(&server->listener, server, socket) == 0;
}

static void log_lifecycle(const char *message_id, const char *what, const char *socket_path)
{
	LogEntry entry;

	log_entry_init(&entry, LOG_INFO, message_id);
	log_entry_add(&entry, "VAIL_VERSION=" VAILD_VERSION);
	log_entry_add(&entry, "VAIL_SOCKET=%s", socket_path);
	log_entry_send(&entry, "%s %s", what, socket_path);
}

/*
 * Serves until the daemon is asked to stop. Returns false if the event loop or the examiner fails;
 * a restart then restores everything.
 */
static bool server_serve(Server *server)
{
	const char *path = server->options.socket_path;

	if (chdir("/") < 0) /* otherwise its file system could not be unmounted */
		log_warning("cannot leave the working directory: %s", strerror(errno));
	log_lifecycle(MESSAGE_STARTED, "ready on", path);
	service_manager_ready(&server->manager);
	if (event_base_dispatch(server->base) < 0) {
		log_error("the event loop has failed: %s", strerror(errno));
		return false;
	}
	if (server->examiner.has_failed)
		return false;
	service_manager_stopping(&server->manager);
	log_lifecycle(MESSAGE_STOPPING, "stops serving", path);
	return true;
}

/*
 * Ends the display channels on which fds wait, before the daemon stops. If this is no restart, the
 * service manager closes its channels itself, and would block if it closed such fds.
 */
static void end_channels_with_fds(Server *server)
{
	Broker *broker = server->service.broker;
	DisplayChannel *channel;
	uint64_t cursor = 0;

	if (!server->persistence.is_open || !broker)
		return;
	while ((channel = display_channel_after(broker, cursor))) {
		cursor = channel->entity.serial;
		if (socket_has_fds(channel->own.fd) && socket_end(channel->own.fd))
			display_channel_end(broker, channel, END_DAEMON_STOPPED);
	}
}

static void server_deinit(Server *server)
{
	listener_close(&server->listener);
	fd_close(&server->passed_socket);
	listen_fds_deinit(&server->passed);
	end_channels_with_fds(server);
	if (server->service.broker)
		display_channels_complete(server->service.broker);
	/* Stop persisting first: a shutdown must not remove persisted records. */
	persistence_close(&server->persistence);
	if (server->service.broker)
		broker_stop(server->service.broker);
	connections_deinit(&server->connections);
	driver_timeout_deinit(&server->driver_wait);
	device_watch_deinit(&server->devices);
	machine_watch_deinit(&server->machines);
	server->service.broker = broker_free(server->service.broker);
	json_parser_free(server->service.parser);
	store_deinit(&server->service.store);
	quarantine_store_close(&server->quarantines);
	examiner_deinit(&server->examiner);
	gpu_looks_deinit(&server->looks);
	audit_log_deinit(&server->journal);
	fdstore_waits_deinit(&server->fdstore_waits);
	service_manager_deinit(&server->manager);
	fd_closer_deinit(&server->closer);
	process_table_deinit(&server->processes);
	peer_users_deinit(&server->users);
	upkeep_deinit(&server->upkeep);
	turns_deinit(&server->turns);
	subordinate_ids_deinit(&server->subordinate_ids);
	drop_ins_deinit(&server->drop_ins);
	event_del(&server->terminate_event);
	event_del(&server->interrupt_event);
	event_del(&server->reload_event);
	event_base_free(server->base);
	libevent_global_shutdown();
}

/* Returns the exit status. Sets *ret_started if the daemon has served. */
static int run(const ServerOptions *options, bool *ret_started)
{
	Server server = { .options = *options,
			  .quarantines = { .directory = -1 },
			  .passed_socket = -1 };
	ExaminerSockets sockets;

	if (!methods_are_sound()) {
		log_error("internal error: a method has no access rule");
		return EXIT_FAILURE;
	}
	raise_fd_limit();
	if (!check_user_namespace(&server) || !start_examiner(&server, &sockets))
		return EXIT_FAILURE;
	if (fd_info_init(&server.memfds) < 0) {
		log_error("this kernel does not support memfd_create(), which vaild needs to share "
			  "memory");
		return EXIT_FAILURE;
	}
	if (!configure_start(&server))
		return EXIT_FAILURE;
	server.base = event_base_new();
	if (!server.base || event_base_priority_init(server.base, 2) < 0) {
		log_error("cannot create the event loop");
		return EXIT_FAILURE;
	}
	server_init_parts(&server, &sockets);
	bool ready = server_init_service(&server) && server_make_runtime_directory(&server) &&
		     server_take_passed(&server) && restore_all(&server);
	if (ready)
		device_watch_read(&server.devices);
	ready = ready && server_listen(&server) && !server.examiner.has_failed;
	*ret_started = ready;
	if (ready) {
		configure_machines(&server);
		configure_keep(&server);
		machine_watch_refresh(&server.machines);
		gpu_looks_start(&server.looks);
	}
	bool served = ready && server_serve(&server);
	server_deinit(&server);
	return served ? EXIT_SUCCESS : EXIT_FAILURE;
}

int server_run(const ServerOptions *options)
{
	bool started = false;
	int exit_status = run(options, &started);

	if (!started)
		service_manager_failed();
	return exit_status;
}
