/* SPDX-License-Identifier: MIT */
/* Implements the Host interface on top of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "daemon/api/stream.h"
#include "daemon/host/fd-info.h"
#include "daemon/host/log/log.h"
#include "daemon/host/process/graphics-context.h"
#include "daemon/host/process/user-database.h"
#include "daemon/host/server.h"

static uint64_t world_now(void *self)
{
	struct timespec now;

	(void)self;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void world_random_bytes(void *self, void *bytes, size_t size)
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

static bool world_watch_process(void *self, ProcessKey key)
{
	HostProcess *process = find_process(self, key);

	return process && host_process_watch(process);
}

static void world_unwatch_process(void *self, ProcessKey key)
{
	HostProcess *process = find_process(self, key);

	if (process)
		host_process_unwatch(process);
}

static bool world_process_is_alive(void *self, ProcessKey key)
{
	const HostProcess *process = find_process(self, key);

	return process && host_process_is_alive(process);
}

static Evidence world_find_process(void *self, pid_t pid, ProcessKey *ret_key)
{
	Server *server = self;
	HostProcess *process;
	Evidence evidence = process_table_open(&server->processes, pid, &process);

	if (evidence == EVIDENCE_FOUND)
		*ret_key = process->key;
	return evidence;
}

static Evidence world_read_credentials(void *self, ProcessKey key, Credentials *ret)
{
	const HostProcess *process = find_process(self, key);

	return process ? host_process_read_credentials(process, ret) : EVIDENCE_GONE;
}

static Evidence world_find_graphics_context(void *self, ProcessKey key, uid_t account,
					    GraphicsContextKind *ret_kind)
{
	Server *server = self;
	const HostProcess *process = find_process(server, key);
	Owner *owner = process ? owner_get(&server->owners, account) : NULL;

	if (!process)
		return EVIDENCE_GONE;
	if (!owner)
		return EVIDENCE_EXHAUSTED;
	Evidence evidence = graphics_context_find(process, &server->closer, owner, ret_kind);
	owner_put(owner);
	return evidence;
}

static Evidence world_find_user(void *self, const char *user, uid_t *ret_uid)
{
	(void)self;
	return user_database_find(user, ret_uid);
}

static Evidence world_read_user(void *self, uid_t uid, Credentials *ret)
{
	const Server *server = self;

	return user_database_read(uid, &server->own_namespace, ret);
}

static bool world_is_login_user(void *self, uid_t uid)
{
	(void)self;
	return user_database_is_login_user(uid);
}

static Evidence world_read_descriptor(void *self, Descriptor descriptor, DescriptorFacts *ret)
{
	const Server *server = self;
	int error = descriptor_facts_read(&server->options.roots, &server->memfds, descriptor, ret);

	return error < 0 ? EVIDENCE_EXHAUSTED : EVIDENCE_FOUND;
}

static Evidence world_open_descriptor(void *self, Descriptor descriptor, DescriptorKind kind,
				      bool read_write, Descriptor *ret)
{
	const Server *server = self;
	int opened = kind == DESCRIPTOR_MEMFD
			     ? descriptor_reopen(&server->options.roots, descriptor, read_write)
			     : fcntl(descriptor, F_DUPFD_CLOEXEC, 0);

	if (opened < 0 && kind == DESCRIPTOR_MEMFD && opened != -EMFILE && opened != -ENFILE &&
	    opened != -ENOMEM)
		return EVIDENCE_UNREADABLE;
	if (opened < 0)
		return EVIDENCE_EXHAUSTED;
	*ret = opened;
	return EVIDENCE_FOUND;
}

static void world_release_descriptor(void *self, Descriptor descriptor)
{
	Server *server = self;

	keeper_release_descriptor(&server->keeper, descriptor);
	close(descriptor);
}

static void world_discard_descriptor(void *self, Descriptor descriptor, uid_t account)
{
	Server *server = self;
	Owner *owner = owner_get(&server->owners, account);

	if (!owner) /* leaking an fd is better than blocking in close() */
		return;
	closer_close(&server->closer, owner, descriptor);
	owner_put(owner);
}

static bool world_keep_quarantine(void *self, const Guid *guid, const char *reason)
{
	Server *server = self;

	return quarantine_store_keep(&server->quarantines, guid, reason);
}

static bool world_drop_quarantine(void *self, const Guid *guid)
{
	Server *server = self;

	return quarantine_store_drop(&server->quarantines, guid);
}

static bool world_keep(void *self, uint64_t serial, const char *record, size_t size)
{
	Server *server = self;

	return keeper_keep(&server->keeper, serial, record, size);
}

static void world_drop(void *self, const uint64_t *serials, size_t count)
{
	Server *server = self;

	keeper_drop(&server->keeper, serials, count);
}

static uint64_t world_keep_descriptor(void *self, Descriptor descriptor)
{
	Server *server = self;

	return keeper_keep_descriptor(&server->keeper, descriptor);
}

static Evidence world_find_kept_descriptor(void *self, uint64_t id, Descriptor *ret)
{
	Server *server = self;

	return keeper_find_descriptor(&server->keeper, id, ret);
}

static Evidence world_find_kept_process(void *self, ProcessKey key, pid_t *ret_pid)
{
	const Server *server = self;

	return keeper_find_process(&server->keeper, key, ret_pid);
}

static void world_restoring(void *self, size_t done, size_t count)
{
	Server *server = self;

	service_manager_restoring(&server->manager, done, count);
}

static void world_stop_keeping(void *self)
{
	Server *server = self;

	keeper_close(&server->keeper);
}

static bool world_reload_configuration(void *self, char *ret_mistake, size_t size)
{
	return server_reload(self, ret_mistake, size);
}

static void world_event(void *self, const Event *event)
{
	Server *server = self;

	journal_event(event);
	service_manager_changed(&server->manager);
	if (event->kind == EVENT_VIRTUAL_MACHINE_ADDED ||
	    event->kind == EVENT_VIRTUAL_MACHINE_CHANGED ||
	    event->kind == EVENT_VIRTUAL_MACHINE_REMOVED)
		connections_update_fd_passing(&server->connections);
	watches_tell(&server->service, event);
}

static void world_record(void *self, const Record *record)
{
	Server *server = self;

	journal_record(&server->journal, record);
}

void world_init(Host *host, Server *server)
{
	*host = (Host){
		.self = server,
		.now = world_now,
		.random_bytes = world_random_bytes,
		.watch_process = world_watch_process,
		.unwatch_process = world_unwatch_process,
		.process_is_alive = world_process_is_alive,
		.find_process = world_find_process,
		.read_credentials = world_read_credentials,
		.find_graphics_context = world_find_graphics_context,
		.find_user = world_find_user,
		.read_user = world_read_user,
		.is_login_user = world_is_login_user,
		.read_descriptor = world_read_descriptor,
		.open_descriptor = world_open_descriptor,
		.release_descriptor = world_release_descriptor,
		.discard_descriptor = world_discard_descriptor,
		.keep_quarantine = world_keep_quarantine,
		.drop_quarantine = world_drop_quarantine,
		.keep = world_keep,
		.drop = world_drop,
		.keep_descriptor = world_keep_descriptor,
		.find_kept_descriptor = world_find_kept_descriptor,
		.find_kept_process = world_find_kept_process,
		.restoring = world_restoring,
		.stop_keeping = world_stop_keeping,
		.reload_configuration = world_reload_configuration,
		.event = world_event,
		.record = world_record,
	};
}
