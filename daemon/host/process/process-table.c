/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/process-table.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>

#include "daemon/core/process.h"
#include "daemon/host/process/file-read.h"
#include "daemon/host/process/pid-namespace.h"
#include "daemon/host/process/process-pids.h"
#include "daemon/host/process/process-stat.h"
#include "daemon/host/process/user-namespace.h"
#include "proto/fd-util.h"

static int compare_keys(const HostProcess *a, const HostProcess *b)
{
	return compare_numbers(a->key, b->key);
}

static int compare_pids(const HostProcess *a, const HostProcess *b)
{
	return compare_numbers((uint64_t)a->pid, (uint64_t)b->pid);
}

TREE_GENERATE(HostProcessKeyTree, HostProcess, by_key, compare_keys)
TREE_GENERATE(HostProcessPidTree, HostProcess, by_pid, compare_pids)

static void host_process_forget_pid(HostProcess *process)
{
	if (process->has_pid)
		RB_REMOVE(HostProcessPidTree, &process->table->by_pid, process);
	process->has_pid = false;
}

static void host_process_free(HostProcess *process)
{
	if (process->watched)
		event_del(&process->exit_event);
	if (process->is_unused)
		LIST_REMOVE(process, unused);
	host_process_forget_pid(process);
	RB_REMOVE(HostProcessKeyTree, &process->table->by_key, process);
	inner_pids_unref(process->inner_pids);
	pid_namespace_put(&process->table->pid_namespaces, process->pid_namespace);
	fd_close(&process->pidfd);
	free(process->executable);
	free(process);
}

static bool host_process_persist(HostProcess *process)
{
	const ProcessPersistence *persistence = &process->table->persistence;

	if (process->is_persisted || !persistence->persist)
		return true;
	process->is_persisted = persistence->persist(persistence->self, process);
	return process->is_persisted;
}

static void host_process_release(HostProcess *process)
{
	const ProcessPersistence *persistence = &process->table->persistence;

	if (process->is_persisted && persistence->release)
		persistence->release(persistence->self, process);
	process->is_persisted = false;
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	ProcessTable *table = context;
	HostProcess *process;

	(void)fd;
	(void)what;
	while ((process = LIST_FIRST(&table->unused))) {
		host_process_release(process);
		host_process_free(process);
	}
}

/* Updates the table's list of unused processes, which are freed at the end of the turn. */
static void host_process_use_changed(HostProcess *process)
{
	bool is_unused = process->references == 0 && !process->watched;

	if (is_unused == process->is_unused)
		return;
	process->is_unused = is_unused;
	if (!is_unused) {
		LIST_REMOVE(process, unused);
		return;
	}
	LIST_INSERT_HEAD(&process->table->unused, process, unused);
	event_active(&process->table->sweep_event, EV_TIMEOUT, 0);
}

static void on_exit_of_process(evutil_socket_t fd, short what, void *context)
{
	HostProcess *process = context;
	ProcessTable *table = process->table;

	(void)fd;
	(void)what;
	host_process_forget_pid(process);
	event_del(&process->exit_event);
	table->exited(table->context, process->key);
}

static LabelFiles find_label_files(const FsRoots *roots)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/self", roots->proc);
	_cleanup_close_ int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return label_files_find(folder);
}

void process_table_init(ProcessTable *table, struct event_base *base, const FsRoots *roots,
			void (*exited)(void *context, ProcessKey key), void *context)
{
	*table = (ProcessTable){
		.base = base,
		.roots = *roots,
		.label_files = find_label_files(roots),
		.exited = exited,
		.context = context,
	};
	RB_INIT(&table->by_key);
	RB_INIT(&table->by_pid);
	LIST_INIT(&table->unused);
	pid_namespace_table_init(&table->pid_namespaces);
	event_assign(&table->sweep_event, base, -1, 0, on_sweep, table);
}

void process_table_deinit(ProcessTable *table)
{
	HostProcess *process, *next;

	RB_FOREACH_SAFE (process, HostProcessKeyTree, &table->by_key, next)
		host_process_free(process);
	event_del(&table->sweep_event);
}

static bool pidfd_is_alive(int pidfd)
{
	/* A pidfd becomes readable when the process exits, even while it is a zombie. */
	return fd_poll(pidfd, POLLIN) == 0;
}

bool host_process_is_alive(const HostProcess *process)
{
	return pidfd_is_alive(process->pidfd);
}

/* Returns the entry with this pid if its process is still alive and therefore still has the pid. */
static HostProcess *find_by_pid(ProcessTable *table, pid_t pid)
{
	HostProcess *process =
		RB_FIND(HostProcessPidTree, &table->by_pid, &(HostProcess){ .pid = pid });

	if (!process || host_process_is_alive(process))
		return process;
	host_process_forget_pid(process);
	return NULL;
}

static HostProcess *process_table_insert(ProcessTable *table, ProcessKey key, pid_t pid, int pidfd)
{
	HostProcess *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->key = key;
	process->pid = pid;
	process->pidfd = pidfd;
	process->has_pid = true;
	process->table = table;
	RB_INSERT(HostProcessKeyTree, &table->by_key, process);
	RB_INSERT(HostProcessPidTree, &table->by_pid, process);
	/* Without a reference it lives until the end of the turn. */
	host_process_use_changed(process);
	return process;
}

Lookup process_table_add(ProcessTable *table, pid_t pid, int pidfd, HostProcess **ret_process)
{
	_cleanup_close_ int taken = pidfd;
	HostProcess *process;

	if (!pidfd_is_alive(pidfd))
		return LOOKUP_GONE;
	/* Both are alive and have the same pid, so they are the same process. */
	process = find_by_pid(table, pid);
	if (!process) {
		process = process_table_insert(table, table->last_key + 1, pid, taken);
		if (!process)
			return LOOKUP_EXHAUSTED;
		table->last_key++;
		taken = -1;
	}
	*ret_process = process;
	return LOOKUP_FOUND;
}

Lookup process_table_open(ProcessTable *table, pid_t pid, HostProcess **ret_process)
{
	HostProcess *process = find_by_pid(table, pid);

	if (process) {
		*ret_process = process;
		return LOOKUP_FOUND;
	}
	int pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		return errno_is_exhaustion(errno) ? LOOKUP_EXHAUSTED : LOOKUP_ABSENT;
	return process_table_add(table, pid, pidfd, ret_process);
}

void process_table_set_persistence(ProcessTable *table, const ProcessPersistence *persistence)
{
	table->persistence = persistence ? *persistence : (ProcessPersistence){ 0 };
}

void process_table_set_examiner(ProcessTable *table, Examiner *examiner)
{
	table->examiner = examiner;
}

void process_table_continue_keys(ProcessTable *table, ProcessKey last_key)
{
	if (last_key > table->last_key)
		table->last_key = last_key;
}

/*
 * In linux/pidfd.h since 6.13, but not in Debian's headers. Older kernels report the pid in fdinfo.
 */
#ifndef PIDFD_GET_INFO
struct pidfd_info {
	uint64_t mask;
	uint64_t cgroup;
	uint32_t pid;
	uint32_t rest[11];
};
_Static_assert(sizeof(struct pidfd_info) == 64, "as the first kernels had it");
#define PIDFD_INFO_PID UINT64_C(1)
#define PIDFD_GET_INFO _IOWR(0xff, 11, struct pidfd_info)
#endif

/*
 * Reads the pid of a pidfd's process: -1 if it has exited, 0 if it is in a pid namespace outside
 * the daemon's. Returns 0 or a negative errno.
 */
static int pidfd_read_pid(const FsRoots *roots, int pidfd, pid_t *ret)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_PID };
	char path[256];
	Buffer file;
	int pid = 0;

	if (ioctl(pidfd, PIDFD_GET_INFO, &info) == 0) {
		*ret = (pid_t)info.pid;
		return 0;
	}
	snprintf(path, sizeof(path), "%s/self/fdinfo/%d", roots->proc, pidfd);
	int error = proc_file_read(AT_FDCWD, path, &file);
	if (error < 0)
		return error;
	const char *line = strstr(file.data, "\nPid:");
	if (line && sscanf(line, "\nPid: %d", &pid) != 1)
		pid = 0;
	buffer_deinit(&file);
	*ret = pid;
	return 0;
}

/*
 * Tests whether the pidfd refers to the process with this identity. Returns LOOKUP_FOUND,
 * LOOKUP_ABSENT or LOOKUP_EXHAUSTED.
 */
static Lookup pidfd_is_of(const FsRoots *roots, int pidfd, const ProcessIdentity *identity)
{
	uint64_t start_time = 0;
	pid_t pid = 0;
	int error = pidfd_read_pid(roots, pidfd, &pid);

	if (error == 0 && pid == identity->pid)
		error = process_read_start_time(roots->proc, pid, &start_time);
	if (error < 0)
		return errno_is_exhaustion(-error) ? LOOKUP_EXHAUSTED : LOOKUP_ABSENT;
	return pid == identity->pid && start_time == identity->start_time ? LOOKUP_FOUND
									  : LOOKUP_ABSENT;
}

Lookup process_table_restore(ProcessTable *table, ProcessKey key, const ProcessIdentity *identity,
			     int pidfd, HostProcess **ret_process)
{
	_cleanup_close_ int taken = pidfd;
	Lookup lookup = pidfd_is_of(&table->roots, pidfd, identity);

	/* The data read above is the process's own only if it is still alive. */
	if (!pidfd_is_alive(pidfd))
		return LOOKUP_GONE;
	if (lookup != LOOKUP_FOUND)
		return lookup;
	if (key == PROCESS_KEY_NONE || process_table_find(table, key) ||
	    find_by_pid(table, identity->pid))
		return LOOKUP_ABSENT;
	HostProcess *process = process_table_insert(table, key, identity->pid, taken);
	if (!process)
		return LOOKUP_EXHAUSTED;
	taken = -1;
	process->is_persisted = true;
	process_table_continue_keys(table, key);
	*ret_process = process;
	return LOOKUP_FOUND;
}

size_t process_table_release_unwatched(ProcessTable *table)
{
	HostProcess *process;
	size_t count = 0;

	RB_FOREACH (process, HostProcessKeyTree, &table->by_key) {
		if (!process->is_persisted || process->watched)
			continue;
		host_process_release(process);
		count++;
	}
	return count;
}

HostProcess *process_table_find(ProcessTable *table, ProcessKey key)
{
	return RB_FIND(HostProcessKeyTree, &table->by_key, &(HostProcess){ .key = key });
}

void host_process_ref(HostProcess *process)
{
	process->references++;
	host_process_use_changed(process);
}

void host_process_unref(HostProcess *process)
{
	if (!process)
		return;
	assert(process->references > 0);
	process->references--;
	host_process_use_changed(process);
}

bool host_process_watch(HostProcess *process)
{
	bool was_persisted = process->is_persisted;

	assert(!process->watched);
	if (!host_process_persist(process))
		return false;
	event_assign(&process->exit_event, process->table->base, process->pidfd, EV_READ,
		     on_exit_of_process, process);
	/*
	 * Handle exits before requests: a dead process must lose everything before anyone is
	 * served.
	 */
	event_priority_set(&process->exit_event, 0);
	if (event_add(&process->exit_event, NULL) < 0) {
		if (!was_persisted)
			host_process_release(process);
		return false;
	}
	process->watched = true;
	host_process_use_changed(process);
	return true;
}

void host_process_unwatch(HostProcess *process)
{
	if (!process->watched)
		return;
	event_del(&process->exit_event);
	process->watched = false;
	host_process_release(process);
	host_process_use_changed(process);
}

Lookup host_process_identify(const HostProcess *process, ProcessIdentity *ret)
{
	ProcessIdentity identity = { .pid = process->pid };
	int error = process_read_start_time(process->table->roots.proc, process->pid,
					    &identity.start_time);

	if (!host_process_is_alive(process))
		return LOOKUP_GONE;
	if (error < 0)
		return errno_is_exhaustion(-error) ? LOOKUP_EXHAUSTED : LOOKUP_GONE;
	*ret = identity;
	return LOOKUP_FOUND;
}

int host_process_ask_who(const HostProcess *process, WhoAnswer *ret)
{
	const ProcessTable *table = process->table;
	UserNamespace own = { 0 };

	if (table->examiner)
		return examiner_ask_who(table->examiner, process->pid, !process->knows_pids, ret);
	user_namespace_own(&table->roots, &own);
	examine_who(&table->roots, &own, pid_namespace_own(&table->roots), process->pid, ret);
	return 0;
}

/* Reads what needs no capability. Returns 0 or a negative errno. */
static int read_open_credentials(const HostProcess *process, Credentials *ret)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%d", process->table->roots.proc, (int)process->pid);
	_cleanup_close_ int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	return proc_credentials_read(folder, &process->table->label_files, ret);
}

/* Out of memory, the executable stays unknown. */
static void host_process_set_executable(HostProcess *process, const char *path)
{
	if (process->executable && strcmp(process->executable, path) == 0)
		return;
	free(process->executable);
	process->executable = strdup(path);
}

const char *host_process_executable(HostProcess *process, bool now)
{
	Examiner *examiner = process->table->examiner;

	if (examiner && (now || !process->executable))
		host_process_set_executable(
			process, examiner_executable(examiner, process->key, process->pid));
	return process->executable ? process->executable : "";
}

/* Returns 0 or a negative errno with *ret empty. */
static int read_all_credentials(HostProcess *process, WhoAnswer *who, Credentials *ret)
{
	Examiner *examiner = process->table->examiner;

	if (host_process_ask_who(process, who) < 0)
		return -ENOMEM;
	int error = who->error == 0 ? read_open_credentials(process, ret) : -who->error;
	if (error < 0)
		return error;
	ret->user_namespace = (UserNamespace){
		.device = who->namespace_device,
		.inode = who->namespace_inode,
	};
	if (examiner)
		examiner_remember(examiner, process->key, who);
	host_process_set_executable(process, who->executable);
	return 0;
}

Lookup host_process_read_credentials(HostProcess *process, Credentials *ret)
{
	WhoAnswer who;
	int error = read_all_credentials(process, &who, ret);
	bool is_alive = host_process_is_alive(process);
	int pids_error = is_alive && error == 0 ? host_process_learn_pids(process, &who) : 0;

	if (error == 0 && is_alive && pids_error == 0)
		return LOOKUP_FOUND;
	if (error == 0)
		credentials_deinit(ret);
	if (!is_alive)
		return LOOKUP_GONE;
	if (error == 0)
		return LOOKUP_EXHAUSTED;
	return errno_is_exhaustion(-error) ? LOOKUP_EXHAUSTED : LOOKUP_UNREADABLE;
}

Lookup host_process_complete_uid(HostProcess *process, uid_t *uid)
{
	Credentials credentials = { 0 };

	if (*uid != UID_UNKNOWN)
		return LOOKUP_FOUND;
	Lookup lookup = host_process_read_credentials(process, &credentials);
	if (lookup == LOOKUP_FOUND) {
		*uid = credentials.uids[ID_EFFECTIVE];
		credentials_deinit(&credentials);
	}
	return lookup;
}
