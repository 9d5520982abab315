/* SPDX-License-Identifier: MIT */
/* Implements the Host interface on top of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/api/stream.h"
#include "daemon/child/socket-drain.h"
#include "daemon/host/configure.h"
#include "daemon/host/fd-info.h"
#include "daemon/host/log/log.h"
#include "daemon/host/net/caller-search.h"
#include "daemon/host/process/process-pids.h"
#include "daemon/host/process/user-database.h"
#include "daemon/host/server.h"
#include "proto/fd-util.h"

static uint64_t host_ops_now(void *self)
{
	struct timespec now;

	(void)self;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void host_ops_random_bytes(void *self, void *bytes, size_t size)
{
	(void)self;
	/*
	 * getrandom() returns this few bytes completely and without waiting, because the kernel's
	 * pool is initialised long before the daemon starts.
	 */
	while (getrandom(bytes, size, 0) != (ssize_t)size)
		;
}

static HostProcess *find_process(const Server *server, ProcessKey key)
{
	return process_table_find((ProcessTable *)&server->processes, key);
}

static bool host_ops_watch_process(void *self, ProcessKey key)
{
	HostProcess *process = find_process(self, key);

	return process && host_process_watch(process);
}

static void host_ops_unwatch_process(void *self, ProcessKey key)
{
	HostProcess *process = find_process(self, key);

	if (process)
		host_process_unwatch(process);
}

static bool host_ops_process_is_alive(void *self, ProcessKey key)
{
	const HostProcess *process = find_process(self, key);

	return process && host_process_is_alive(process);
}

static Lookup host_ops_find_process(void *self, const Caller *caller, pid_t pid,
				    ProcessKey *ret_key, pid_t *ret_pid)
{
	Server *server = self;
	HostProcess *process;
	Lookup lookup = caller->pid_namespace == PID_NAMESPACE_OWN
				? process_table_open(&server->processes, pid, &process)
				: connection_find_process(container_of(caller, Connection, caller),
							  pid, &process);

	if (lookup != LOOKUP_FOUND)
		return lookup;
	*ret_key = process->key;
	*ret_pid = process->pid;
	return LOOKUP_FOUND;
}

static InnerPids *host_ops_find_inner_pids(void *self, ProcessKey key)
{
	HostProcess *process = find_process(self, key);

	return process ? host_process_inner_pids(process) : NULL;
}

static Lookup host_ops_read_credentials(void *self, ProcessKey key, Credentials *ret)
{
	HostProcess *process = find_process(self, key);

	return process ? host_process_read_credentials(process, ret) : LOOKUP_GONE;
}

static Lookup host_ops_read_groups(void *self, const Caller *caller)
{
	(void)self;
	return connection_read_groups(container_of(caller, Connection, caller));
}

static Lookup host_ops_find_graphics_context(void *self, const Caller *caller,
					     GraphicsContextKind *ret_kind)
{
	(void)self;
	return connection_find_graphics_context(container_of(caller, Connection, caller), ret_kind);
}

static Lookup host_ops_find_held_gpus(void *self, const Caller *caller, ProcessKey key, uid_t uid,
				      HeldGpus *ret)
{
	HostProcess *process = find_process(self, key);

	if (!process)
		return LOOKUP_GONE;
	Lookup lookup = host_process_complete_uid(process, &uid);
	if (lookup != LOOKUP_FOUND)
		return lookup;
	return connection_find_held_gpus(container_of(caller, Connection, caller), process, uid,
					 ret);
}

static void host_ops_look_at_gpus(void *self, const Caller *caller, uint64_t vm, uint64_t number)
{
	Server *server = self;

	gpu_looks_want(&server->looks, vm, number, container_of(caller, Connection, caller));
}

static Lookup host_ops_find_user(void *self, const char *user, uid_t *ret_uid)
{
	(void)self;
	return user_database_find(user, ret_uid);
}

static Lookup host_ops_read_user(void *self, uid_t uid, Credentials *ret)
{
	const Server *server = self;

	return user_database_read(uid, &server->own_namespace, ret);
}

static bool host_ops_is_login_user(void *self, uid_t uid)
{
	(void)self;
	return user_database_is_login_user(uid);
}

static Lookup host_ops_read_fd_info(void *self, int fd, FdInfo *ret)
{
	const Server *server = self;
	int error = fd_info_read(&server->options.roots, &server->memfds, fd, ret);

	return error < 0 ? LOOKUP_EXHAUSTED : LOOKUP_FOUND;
}

static Lookup host_ops_open_fd(void *self, int fd, FdKind kind, bool read_write, int *ret)
{
	const Server *server = self;
	int opened = kind == FD_MEMFD ? fd_reopen(&server->options.roots, fd, read_write)
				      : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (opened < 0 && kind == FD_MEMFD && opened != -EMFILE && opened != -ENFILE &&
	    opened != -ENOMEM)
		return LOOKUP_UNREADABLE;
	if (opened < 0)
		return LOOKUP_EXHAUSTED;
	*ret = opened;
	return LOOKUP_FOUND;
}

static void host_ops_release_fd(void *self, int fd)
{
	Server *server = self;

	if (!persistence_fdstore_release(&server->persistence, fd))
		close(fd);
}

static void host_ops_discard_fd(void *self, int fd, const Payer *payer)
{
	Server *server = self;
	PeerUser *user = peer_user_get(&server->users, payer);

	if (!user) /* leaking an fd is better than blocking in close() */
		return;
	fd_closer_close(&server->closer, user, fd);
	peer_user_put(user);
}

static Lookup host_ops_make_channel(void *self, ChannelEnds *ret)
{
	const Server *server = self;
	_cleanup_close_ int viewer = -1, agent = -1, own = -1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return LOOKUP_EXHAUSTED;
	viewer = ends[0];
	agent = ends[1];
	own = fcntl(agent, F_DUPFD_CLOEXEC, 0);
	if (own < 0 ||
	    fd_info_read(&server->options.roots, &server->memfds, own, &ret->own_info) < 0)
		return LOOKUP_EXHAUSTED;
	ret->viewer = TAKE_FD(viewer);
	ret->agent = TAKE_FD(agent);
	ret->own = TAKE_FD(own);
	return LOOKUP_FOUND;
}

static void host_ops_cut_channel(void *self, int fd)
{
	const Server *server = self;

	if (!persistence_keeps(&server->persistence))
		shutdown(fd, SHUT_RDWR);
}

static void host_ops_end_channel(void *self, int fd, const Payer *payer)
{
	Server *server = self;
	PeerUser *user = NULL;

	if (persistence_keeps(&server->persistence)) {
		close(fd); /* the next daemon has it in the store */
		return;
	}
	shutdown(fd, SHUT_RDWR);
	user = peer_user_get(&server->users, payer);
	int copy = user ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (copy >= 0)
		fd_closer_drain(&server->closer, user, copy);
	if (user)
		peer_user_put(user);
	/* Without a copy for a child to drain and close, the fd itself must be empty. */
	if (copy >= 0 || socket_end(fd))
		host_ops_release_fd(self, fd);
	else
		log_warning("cannot close a display channel now: out of memory; fd %d stays open",
			    fd);
}

static bool host_ops_persist_quarantine(void *self, const Guid *guid, const char *reason,
					const Payer *payer)
{
	Server *server = self;

	return quarantine_store_save(&server->quarantines, guid, reason, payer);
}

static bool host_ops_remove_quarantine(void *self, const Guid *guid)
{
	Server *server = self;

	return quarantine_store_remove(&server->quarantines, guid);
}

static bool host_ops_persist(void *self, uint64_t serial, const char *record, size_t size)
{
	Server *server = self;

	return persistence_save(&server->persistence, serial, record, size);
}

static void host_ops_remove(void *self, const uint64_t *serials, size_t count)
{
	Server *server = self;

	persistence_remove(&server->persistence, serials, count);
}

static void host_ops_remove_later(void *self, const uint64_t *serials, size_t count)
{
	Server *server = self;

	persistence_remove_later(&server->persistence, serials, count);
}

static bool host_ops_fdstore_is_ready(void *self, const Caller *caller)
{
	Server *server = self;

	return fdstore_is_ready(&server->fdstore_waits, container_of(caller, Connection, caller));
}

static uint64_t host_ops_fdstore_add(void *self, int fd)
{
	Server *server = self;

	return persistence_fdstore_add(&server->persistence, fd);
}

static Lookup host_ops_fdstore_find(void *self, uint64_t id, int *ret)
{
	Server *server = self;

	return persistence_fdstore_find(&server->persistence, id, ret);
}

static Lookup host_ops_find_persisted_process(void *self, ProcessKey key, pid_t *ret_pid)
{
	const Server *server = self;

	return persistence_find_process(&server->persistence, key, ret_pid);
}

static void host_ops_restoring(void *self, size_t done, size_t count)
{
	Server *server = self;

	service_manager_restoring(&server->manager, done, count);
}

static void host_ops_stop_persisting(void *self)
{
	Server *server = self;

	persistence_close(&server->persistence);
}

static bool host_ops_reload_configuration(void *self, char *ret_mistake, size_t size)
{
	return configure_reload(self, ret_mistake, size);
}

static uint64_t host_ops_count_closes(void *self, const Payer *payer, uid_t *ret_uid)
{
	Server *server = self;
	uint64_t most = 0;

	for (PeerUser *user = peer_users_first(&server->users); user; user = peer_user_next(user)) {
		const Payer other = { .uid = user->uid, .is_operator = user->is_operator };

		if ((payer && payer_compare(payer, &other) != 0) || user->closes_under_way <= most)
			continue;
		most = user->closes_under_way;
		if (ret_uid)
			*ret_uid = user->uid;
	}
	return most;
}

static void host_ops_event(void *self, const Event *event)
{
	Server *server = self;

	audit_log_event(event);
	service_manager_changed(&server->manager);
	if (event->changes_sharers)
		connections_update_fd_passing(&server->connections, event);
	gpu_looks_note(&server->looks, event);
	streams_send(&server->service, event);
	machine_watch_event(&server->machines, event);
}

static void host_ops_audit(void *self, const AuditRecord *record)
{
	Server *server = self;

	audit_log_decision(&server->journal, record);
}

void host_ops_init(Host *host, Server *server)
{
	*host = (Host){
		.self = server,
		.now = host_ops_now,
		.random_bytes = host_ops_random_bytes,
		.watch_process = host_ops_watch_process,
		.unwatch_process = host_ops_unwatch_process,
		.process_is_alive = host_ops_process_is_alive,
		.find_process = host_ops_find_process,
		.find_inner_pids = host_ops_find_inner_pids,
		.read_credentials = host_ops_read_credentials,
		.read_groups = host_ops_read_groups,
		.find_graphics_context = host_ops_find_graphics_context,
		.find_held_gpus = host_ops_find_held_gpus,
		.look_at_gpus = host_ops_look_at_gpus,
		.find_user = host_ops_find_user,
		.read_user = host_ops_read_user,
		.is_login_user = host_ops_is_login_user,
		.read_fd_info = host_ops_read_fd_info,
		.open_fd = host_ops_open_fd,
		.release_fd = host_ops_release_fd,
		.make_channel = host_ops_make_channel,
		.cut_channel = host_ops_cut_channel,
		.end_channel = host_ops_end_channel,
		.discard_fd = host_ops_discard_fd,
		.persist_quarantine = host_ops_persist_quarantine,
		.remove_quarantine = host_ops_remove_quarantine,
		.persist = host_ops_persist,
		.remove = host_ops_remove,
		.remove_later = host_ops_remove_later,
		.fdstore_is_ready = host_ops_fdstore_is_ready,
		.fdstore_add = host_ops_fdstore_add,
		.fdstore_find = host_ops_fdstore_find,
		.find_persisted_process = host_ops_find_persisted_process,
		.restoring = host_ops_restoring,
		.stop_persisting = host_ops_stop_persisting,
		.reload_configuration = host_ops_reload_configuration,
		.count_closes = host_ops_count_closes,
		.event = host_ops_event,
		.audit = host_ops_audit,
	};
}
