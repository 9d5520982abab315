/* SPDX-License-Identifier: MIT */
/* The functions of Host on plain arrays. fake-store.c has those for restarts. */
#include "tests/support/fake-host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/stream.h"
#include "daemon/core/audit-record.h"
#include "daemon/store/apply-look.h"

void fake_host_check(bool holds, const char *condition, const char *file, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

static FakeProcess *find_by_key(FakeHost *fake_host, ProcessKey key)
{
	for (size_t i = 0; i < fake_host->process_count; i++)
		if (fake_host->processes[i].key == key)
			return &fake_host->processes[i];
	return NULL;
}

static uint64_t fake_now(void *self)
{
	FakeHost *fake_host = self;

	fake_host->now += fake_host->tick;
	return fake_host->now;
}

static void fake_random_bytes(void *self, void *bytes, size_t size)
{
	FakeHost *fake_host = self;

	for (size_t i = 0; i < size; i++) {
		fake_host->random = fake_host->random * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)bytes)[i] = (uint8_t)(fake_host->random >> 56);
	}
}

static bool fake_watch_process(void *self, ProcessKey key)
{
	FakeHost *fake_host = self;
	FakeProcess *process = find_by_key(fake_host, key);

	fake_host_must(process != NULL);
	fake_host_must(!process->watched);
	fake_host_must(!fake_host->must_ask_fdstore);
	if (fake_host->refuse_watch)
		return false;
	process->watched = process->is_persisted = true;
	process->exit_reported = false;
	return true;
}

static void fake_unwatch_process(void *self, ProcessKey key)
{
	const FakeHost *fake_host = self;
	FakeProcess *process = find_by_key(self, key);

	fake_host_must(process != NULL);
	fake_host_must(process->watched);
	process->watched = false;
	if (!fake_host->is_stopping && !fake_host->crashes)
		process->is_persisted = false;
}

static bool fake_process_is_alive(void *self, ProcessKey key)
{
	const FakeProcess *process = find_by_key(self, key);

	return process && process->alive;
}

static Lookup fake_find_process(void *self, const Caller *caller, pid_t pid, ProcessKey *ret_key,
				pid_t *ret_pid)
{
	FakeHost *fake_host = self;

	fake_host_must(pid > 0);
	if (fake_host->exhaust_find)
		return LOOKUP_EXHAUSTED;
	for (size_t i = 0; i < fake_host->process_count; i++) {
		FakeProcess *process = &fake_host->processes[i];

		if (inner_pids_translate(process->inner_pids, process->pid,
					 caller->pid_namespace) != pid ||
		    !process->alive)
			continue;
		if (process->find_turns > 0) {
			process->find_turns--;
			return LOOKUP_PENDING;
		}
		*ret_key = process->key;
		*ret_pid = process->pid;
		return LOOKUP_FOUND;
	}
	return LOOKUP_ABSENT;
}

static InnerPids *fake_find_inner_pids(void *self, ProcessKey key)
{
	const FakeProcess *process = find_by_key(self, key);

	return process ? process->inner_pids : NULL;
}

static Lookup fake_read_credentials(void *self, ProcessKey key, Credentials *ret)
{
	FakeHost *fake_host = self;
	const FakeProcess *process = find_by_key(fake_host, key);

	fake_host->credential_reads++;
	if (!process || !process->alive)
		return LOOKUP_GONE;
	if (process->credentials_lookup != LOOKUP_FOUND)
		return process->credentials_lookup;
	return credentials_copy(&process->credentials, ret) ? LOOKUP_FOUND : LOOKUP_EXHAUSTED;
}

static Lookup fake_read_groups(void *self, const Caller *caller)
{
	FakeHost *fake_host = self;
	const FakeProcess *process = find_by_key(fake_host, caller->process);
	Caller *changed = (Caller *)caller;
	Credentials copy;

	fake_host->group_reads++;
	fake_host_must(caller->unread_groups > 0);
	if (fake_host->exhaust_groups || !credentials_copy(&process->credentials, &copy))
		return LOOKUP_EXHAUSTED;
	groups_deinit(&changed->credentials.groups);
	changed->credentials.groups = copy.groups;
	changed->unread_groups = 0;
	copy.groups = (Groups){ 0 };
	credentials_deinit(&copy);
	return LOOKUP_FOUND;
}

static Lookup fake_find_graphics_context(void *self, const Caller *caller, GraphicsContextKind *ret)
{
	FakeHost *fake_host = self;
	FakeProcess *process = find_by_key(fake_host, caller->process);

	fake_host->context_reads++;
	if (!process || !process->alive)
		return LOOKUP_GONE;
	if (process->context_turns > 0) {
		process->context_turns--;
		return LOOKUP_PENDING;
	}
	if (process->context_lookup != LOOKUP_FOUND)
		return process->context_lookup;
	if (!process->has_graphics_context)
		return LOOKUP_ABSENT;
	*ret = process->graphics_context;
	return LOOKUP_FOUND;
}

static Lookup fake_find_held_gpus(void *self, const Caller *caller, ProcessKey key, uid_t uid,
				  HeldGpus *ret)
{
	FakeHost *fake_host = self;
	FakeProcess *process = find_by_key(fake_host, key);

	(void)caller;
	fake_host->held_reads++;
	if (!process || !process->alive)
		return LOOKUP_GONE;
	fake_host_must(uid == process->credentials.uids[ID_EFFECTIVE]);
	if (process->held_turns > 0) {
		process->held_turns--;
		return LOOKUP_PENDING;
	}
	if (process->held_lookup == LOOKUP_FOUND)
		*ret = process->held;
	return process->held_lookup;
}

static void add_held(FakeHost *fake_host, const Process *vmm, GpuLook *look)
{
	const FakeProcess *process = find_by_key(fake_host, vmm->key);

	if (!process || !process->alive)
		return;
	if (process->held_lookup == LOOKUP_FOUND)
		gpu_look_add(look, &process->held);
	else if (process->held_lookup != LOOKUP_ABSENT)
		look->is_certain = false;
}

void fake_host_look(FakeHost *fake_host, uint64_t serial)
{
	Broker *broker = fake_host->service.broker;
	VirtualMachine *vm = entity_container(entity_find(broker, ENTITY_VIRTUAL_MACHINE, serial),
					      VirtualMachine);
	GpuLook look = { .is_certain = true };

	if (!vm || vm_is_ending(vm))
		return;
	look.number = gpu_look_begin(broker);
	add_held(fake_host, vm->vmm, &look);
	if (vm->incoming)
		add_held(fake_host, vm->incoming->process, &look);
	store_apply_look(&fake_host->service.store, vm, &look);
}

static void fake_look_at_gpus(void *self, const Caller *caller, uint64_t vm, uint64_t number)
{
	FakeHost *fake_host = self;

	(void)caller;
	(void)number;
	fake_host->looks++;
	if (fake_host->look_turns == 0)
		fake_host_look(fake_host, vm);
	else
		fake_host->look_turns--;
}

static const FakeUser *find_user_by_uid(const FakeHost *fake_host, uid_t uid)
{
	for (size_t i = 0; i < fake_host->user_count; i++)
		if (fake_host->users[i].uid == uid)
			return &fake_host->users[i];
	return NULL;
}

static Lookup fake_find_user(void *self, const char *user, uid_t *ret_uid)
{
	const FakeHost *fake_host = self;
	char decimal[16];

	for (size_t i = 0; i < fake_host->user_count; i++) {
		snprintf(decimal, sizeof(decimal), "%u", fake_host->users[i].uid);
		if (strcmp(user, fake_host->users[i].name) != 0 && strcmp(user, decimal) != 0)
			continue;
		*ret_uid = fake_host->users[i].uid;
		return LOOKUP_FOUND;
	}
	return LOOKUP_ABSENT;
}

static Lookup fake_read_user(void *self, uid_t uid, Credentials *ret)
{
	const FakeUser *user = find_user_by_uid(self, uid);

	((FakeHost *)self)->user_reads++;
	if (!user)
		return LOOKUP_ABSENT;
	if (user->lookup != LOOKUP_FOUND)
		return user->lookup;
	return credentials_copy(&user->credentials, ret) ? LOOKUP_FOUND : LOOKUP_EXHAUSTED;
}

static bool fake_is_login_user(void *self, uid_t uid)
{
	const FakeUser *user = find_user_by_uid(self, uid);

	return user && user->is_login_user;
}

static FakeQuarantine *find_quarantine(FakeHost *fake_host, const Guid *guid)
{
	for (size_t i = 0; i < fake_host->quarantine_count; i++)
		if (guid_compare(&fake_host->quarantines[i].guid, guid) == 0)
			return &fake_host->quarantines[i];
	return NULL;
}

/* --- fds ------------------------------------------------------------------------------------- */

FakeFd *fake_host_fd_of(FakeHost *fake_host, int fd)
{
	fake_host_must(fd > 0 && fd <= FAKE_HOST_FD_MAX);
	FakeFd *fake = &fake_host->fds[fd - 1];
	fake_host_must(fake->open);
	return fake;
}

size_t fake_host_open_fds(const FakeHost *fake_host)
{
	size_t count = 0;

	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		count += fake_host->fds[i].open;
	return count;
}

/* Returns the lowest free number, or FD_NONE if all are in use. */
static int open_fake(FakeHost *fake_host, const FakeFd *fake)
{
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		if (!fake_host->fds[i].open) {
			fake_host->fds[i] = *fake;
			fake_host->fds[i].open = true;
			return (int)i + 1;
		}
	return FD_NONE;
}

int fake_host_fd(FakeHost *fake_host, FdKind kind, uint64_t size)
{
	FakeFd fake = {
		.facts = {
			.kind = kind,
			.device = 1,
			.inode = ++fake_host->last_inode,
			.size = size,
			.is_writable = true,
		},
	};
	int fd = open_fake(fake_host, &fake);

	fake_host_must(fd != FD_NONE);
	return fd;
}

void fake_host_close(FakeHost *fake_host, int fd)
{
	fake_host_fd_of(fake_host, fd)->open = false;
}

static Lookup fake_read_fd_info(void *self, int fd, FdInfo *ret)
{
	*ret = fake_host_fd_of(self, fd)->facts;
	return LOOKUP_FOUND;
}

static Lookup fake_open_fd(void *self, int fd, FdKind kind, bool read_write, int *ret)
{
	FakeHost *fake_host = self;
	FakeFd fake = *fake_host_fd_of(fake_host, fd);

	fake.fdstore_id = 0; /* the copy is not in the fd store */
	fake_host_must(kind == fake.facts.kind && kind != FD_OTHER && kind != FD_SOCKET);
	if (fake.is_forbidden)
		return LOOKUP_UNREADABLE;
	if (fake_host->fd_limit > 0 && fake_host_open_fds(fake_host) >= fake_host->fd_limit)
		return LOOKUP_EXHAUSTED;
	if (kind == FD_MEMFD)
		fake.facts.is_writable = read_write;
	*ret = open_fake(fake_host, &fake);
	return *ret == FD_NONE ? LOOKUP_EXHAUSTED : LOOKUP_FOUND;
}

static void fake_release_fd(void *self, int fd)
{
	const FakeHost *fake_host = self;

	if (!fake_host->is_stopping || fake_host_fd_of(self, fd)->fdstore_id == 0)
		fake_host_close(self, fd);
}

static int open_end(FakeHost *fake_host, uint64_t inode)
{
	const FakeFd end = {
		.facts = { .kind = FD_SOCKET, .device = 8, .inode = inode },
		.channel = fake_host->last_channel,
	};

	return open_fake(fake_host, &end);
}

static Lookup fake_make_channel(void *self, ChannelEnds *ret)
{
	FakeHost *fake_host = self;
	size_t open = fake_host_open_fds(fake_host);
	size_t limit = fake_host->fd_limit > 0 ? fake_host->fd_limit : FAKE_HOST_FD_MAX;

	if (open + 3 > limit)
		return LOOKUP_EXHAUSTED;
	fake_host_must(++fake_host->last_channel < FAKE_HOST_CHANNEL_MAX);
	ret->viewer = open_end(fake_host, ++fake_host->last_inode);
	ret->agent = open_end(fake_host, ++fake_host->last_inode);
	ret->own = open_end(fake_host, fake_host->last_inode);
	ret->own_info = fake_host_fd_of(fake_host, ret->own)->facts;
	return LOOKUP_FOUND;
}

static void fake_cut_channel(void *self, int fd)
{
	FakeHost *fake_host = self;
	const FakeFd *fake = fake_host_fd_of(fake_host, fd);

	fake_host_must(fake->channel > 0);
	if (!fake_host->is_stopping || fake->fdstore_id == 0)
		fake_host->is_shut[fake->channel] = true;
}

static void fake_end_channel(void *self, int fd, const Payer *payer)
{
	(void)payer;
	fake_cut_channel(self, fd);
	fake_release_fd(self, fd);
}

bool fake_host_is_shut(FakeHost *fake_host, int fd)
{
	uint64_t channel = fake_host_fd_of(fake_host, fd)->channel;

	fake_host_must(channel > 0);
	return fake_host->is_shut[channel];
}

static void fake_discard_fd(void *self, int fd, const Payer *payer)
{
	(void)payer;
	fake_host_close(self, fd);
}

static bool fake_persist_quarantine(void *self, const Guid *guid, const char *reason,
				    const Payer *payer)
{
	FakeHost *fake_host = self;
	FakeQuarantine *quarantine = find_quarantine(fake_host, guid);

	if (fake_host->refuse_quarantine)
		return false;
	if (!quarantine) {
		fake_host_must(fake_host->quarantine_count < FAKE_HOST_QUARANTINE_MAX);
		quarantine = &fake_host->quarantines[fake_host->quarantine_count++];
	}
	*quarantine =
		(FakeQuarantine){ .guid = *guid, .has_reason = reason != NULL, .payer = *payer };
	snprintf(quarantine->reason, sizeof(quarantine->reason), "%s", reason ? reason : "");
	return true;
}

static bool fake_remove_quarantine(void *self, const Guid *guid)
{
	FakeHost *fake_host = self;
	FakeQuarantine *quarantine = find_quarantine(fake_host, guid);

	if (fake_host->refuse_quarantine)
		return false;
	fake_host_must(quarantine != NULL);
	*quarantine = fake_host->quarantines[--fake_host->quarantine_count];
	return true;
}

static void fake_event(void *self, const Event *event)
{
	FakeHost *fake_host = self;

	FakeEvent *copy = &fake_host->events[fake_host->event_count++ % FAKE_HOST_EVENT_MAX];

	fake_host_must(event->kind < EVENT_MAX && event->reason < END_MAX);
	*copy = (FakeEvent){
		.kind = event->kind,
		.reason = event->reason,
		.hand_over = event->hand_over,
		.has_guid = event->virtual_machine != NULL,
		.has_handle = event->handle != NULL,
		.pid = event->pid,
		.uid = event->uid,
	};
	if (event->virtual_machine)
		copy->guid = *event->virtual_machine;
	if (event->handle)
		copy->handle = *event->handle;
	streams_send(&fake_host->service, event);
}

/* No session outlives its exchange here. Tests of watches replace this function. */
static void fake_watch_ready(Session *session)
{
	(void)session;
}

static bool fake_reload_configuration(void *self, char *ret_mistake, size_t size)
{
	const FakeHost *fake_host = self;

	if (fake_host->mistake)
		snprintf(ret_mistake, size, "%s", fake_host->mistake);
	return !fake_host->mistake;
}

static uint64_t fake_count_closes(void *self, const Payer *payer, uid_t *ret_uid)
{
	const FakeHost *fake_host = self;

	if (ret_uid)
		*ret_uid = fake_host->closer.uid;
	return !payer || payer_compare(payer, &fake_host->closer) == 0 ? fake_host->closes : 0;
}

static void fake_audit(void *self, const AuditRecord *record)
{
	FakeHost *fake_host = self;
	FakeAuditRecord *copy =
		&fake_host->records[fake_host->record_count++ % FAKE_HOST_AUDIT_RECORD_MAX];

	/* Each denial says why, for the journal's catalog. */
	fake_host_must(record->status == STATUS_SUCCESS ||
		       (record->reason && *record->reason && record->message && *record->message));
	*copy = (FakeAuditRecord){
		.status = record->status,
		.has_guid = record->virtual_machine != NULL,
		.has_object = record->object != NULL,
		.rights = record->rights,
		.uid = record->caller->credentials.uid,
	};
	if (record->virtual_machine)
		copy->guid = *record->virtual_machine;
	if (record->object)
		copy->object = *record->object;
	snprintf(copy->method, sizeof(copy->method), "%s", record->method);
	snprintf(copy->reason, sizeof(copy->reason), "%s", record->reason ? record->reason : "");
	for (size_t i = 0; record->details && i < record->details->count; i++) {
		size_t length = strlen(copy->details);

		snprintf(copy->details + length, sizeof(copy->details) - length, " %s=%s",
			 record->details->items[i].name, record->details->items[i].text);
	}
}

FakeHost *fake_host_new_with(const Limits *limits)
{
	FakeHost *fake_host = calloc(1, sizeof(*fake_host));

	fake_host_must(fake_host != NULL);
	fake_host->now = 5000000;
	fake_host->random = 1;
	fake_host->host = (Host){
		.self = fake_host,
		.now = fake_now,
		.random_bytes = fake_random_bytes,
		.watch_process = fake_watch_process,
		.unwatch_process = fake_unwatch_process,
		.process_is_alive = fake_process_is_alive,
		.find_process = fake_find_process,
		.find_inner_pids = fake_find_inner_pids,
		.read_credentials = fake_read_credentials,
		.read_groups = fake_read_groups,
		.find_graphics_context = fake_find_graphics_context,
		.find_held_gpus = fake_find_held_gpus,
		.look_at_gpus = fake_look_at_gpus,
		.find_user = fake_find_user,
		.read_user = fake_read_user,
		.is_login_user = fake_is_login_user,
		.read_fd_info = fake_read_fd_info,
		.open_fd = fake_open_fd,
		.release_fd = fake_release_fd,
		.make_channel = fake_make_channel,
		.cut_channel = fake_cut_channel,
		.end_channel = fake_end_channel,
		.discard_fd = fake_discard_fd,
		.persist_quarantine = fake_persist_quarantine,
		.remove_quarantine = fake_remove_quarantine,
		.event = fake_event,
		.audit = fake_audit,
		.reload_configuration = fake_reload_configuration,
		.count_closes = fake_count_closes,
	};
	fake_host_init_store(fake_host);
	fake_host->service = (Service){
		.host = &fake_host->host,
		.parser = json_parser_new(),
		.watch_ready = fake_watch_ready,
		.settings = {
			.operators = { .exists = true, .gid = FAKE_HOST_OPERATOR_GROUP },
			.observers = { .exists = true, .gid = FAKE_HOST_OBSERVERS_GROUP },
			.quarantiners = { .exists = true, .gid = FAKE_HOST_QUARANTINE_GROUP },
			.limits = *limits,
		},
	};
	TAILQ_INIT(&fake_host->service.watches);
	fake_host_must(fake_host->service.parser != NULL);
	fake_host_start(fake_host);
	return fake_host;
}

FakeHost *fake_host_new(void)
{
	return fake_host_new_with(&limits_default);
}

void fake_host_free(FakeHost *fake_host)
{
	fake_host->service.broker = broker_free(fake_host->service.broker);
	store_deinit(&fake_host->service.store);
	fake_host_must(fake_host_open_fds(fake_host) == 0);
	fake_host_must(fake_host->persisted_count == 0);
	free(fake_host->persisted);
	fake_host_write_ended(fake_host, fake_host->ended_count);
	json_parser_free(fake_host->service.parser);
	for (size_t i = 0; i < fake_host->process_count; i++) {
		fake_host_must(!fake_host->processes[i].watched);
		credentials_deinit(&fake_host->processes[i].credentials);
		inner_pids_unref(fake_host->processes[i].inner_pids);
	}
	for (size_t i = 0; i < fake_host->user_count; i++)
		credentials_deinit(&fake_host->users[i].credentials);
	while (fake_host->caller_count > 0)
		fake_host_disconnect(fake_host, fake_host->callers[0]);
	json_free(fake_host->reply);
	free(fake_host->reply_text);
	free(fake_host);
}

/* Returns the credentials of an unprivileged process, or with all capabilities if uid is 0. */
static Credentials ordinary_credentials(uid_t uid)
{
	Credentials credentials = {
		.user_namespace = { .device = 4, .inode = FAKE_HOST_NAMESPACE },
		.label = strdup(""),
		.stacked_labels = strdup(""),
	};

	for (int kind = 0; kind < ID_MAX; kind++)
		credentials.uids[kind] = credentials.gids[kind] = uid;
	credentials.groups = groups_take(malloc(sizeof(gid_t)), 0, uid);
	if (uid == 0)
		credentials.permitted = credentials.effective = 0x1ffffffffff;
	return credentials;
}

/* Returns a new entry of the table, or that of a dead process that is not watched. */
static FakeProcess *find_free_process(FakeHost *fake_host)
{
	if (fake_host->process_count < FAKE_HOST_PROCESS_MAX)
		return &fake_host->processes[fake_host->process_count++];
	for (size_t i = 0; i < FAKE_HOST_PROCESS_MAX; i++) {
		FakeProcess *process = &fake_host->processes[i];

		if (process->alive || process->watched)
			continue;
		credentials_deinit(&process->credentials);
		inner_pids_unref(process->inner_pids);
		return process;
	}
	fake_host_must(false && "a free entry for a process");
	return NULL;
}

FakeProcess *fake_host_process(FakeHost *fake_host, pid_t pid, uid_t uid)
{
	FakeProcess *process = find_free_process(fake_host);

	*process = (FakeProcess){
		.key = ++fake_host->last_key,
		.pid = pid,
		.alive = true,
		.held_lookup = LOOKUP_ABSENT,
		.credentials = ordinary_credentials(uid),
	};
	return process;
}

void fake_host_enter(FakeProcess *process, PidNamespace namespace, pid_t pid)
{
	const InnerPids *outer = process->inner_pids;
	size_t count = outer ? outer->count : 0;
	InnerPids *pids = calloc(1, sizeof(*pids) + (count + 1) * sizeof(pids->items[0]));

	fake_host_must(pids != NULL);
	pids->references = 1;
	pids->count = count + 1;
	if (count > 0)
		memcpy(pids->items, outer->items, count * sizeof(pids->items[0]));
	pids->items[count] = (InnerPid){ namespace, pid };
	inner_pids_unref(process->inner_pids);
	process->inner_pids = pids;
}

void process_set_groups(FakeProcess *process, gid_t primary, size_t count, const gid_t *groups)
{
	gid_t *ids = malloc((count + 1) * sizeof(*ids));

	fake_host_must(ids != NULL);
	if (count > 0)
		memcpy(ids, groups, count * sizeof(*ids));
	groups_deinit(&process->credentials.groups);
	process->credentials.groups = groups_take(ids, count, primary);
	for (int kind = 0; kind < ID_MAX; kind++)
		process->credentials.gids[kind] = primary;
}

void process_set_context(FakeProcess *process, GraphicsContextKind kind)
{
	process->has_graphics_context = true;
	process->graphics_context = kind;
}

FakeUser *fake_host_user(FakeHost *fake_host, const char *name, uid_t uid)
{
	fake_host_must(fake_host->user_count < FAKE_HOST_USER_MAX);
	FakeUser *user = &fake_host->users[fake_host->user_count++];

	*user = (FakeUser){
		.uid = uid,
		.is_login_user = uid == 0 || (uid >= 1000 && uid < 60000),
		.credentials = ordinary_credentials(uid),
	};
	snprintf(user->name, sizeof(user->name), "%s", name);
	return user;
}

void fake_host_kill(FakeHost *fake_host, FakeProcess *process)
{
	(void)fake_host;
	process->alive = false;
}

void fake_host_report_exits(FakeHost *fake_host)
{
	for (size_t i = 0; i < fake_host->process_count; i++) {
		FakeProcess *process = &fake_host->processes[i];

		if (process->alive || !process->watched || process->exit_reported)
			continue;
		process->exit_reported = true;
		broker_process_exited(fake_host->service.broker, process->key);
	}
	/* Unless the clock ticks, nothing is left. */
	broker_end_some(fake_host->service.broker, ENDING_MICROSECONDS);
}

void fake_host_exit(FakeHost *fake_host, FakeProcess *process)
{
	fake_host_kill(fake_host, process);
	fake_host_report_exits(fake_host);
}

Caller *fake_host_connect(FakeHost *fake_host, const FakeProcess *process)
{
	Caller *caller = calloc(1, sizeof(*caller));
	const Credentials *credentials = &process->credentials;
	ConnectionCredentials connection = {
		.uid = credentials->uids[ID_EFFECTIVE],
		.gid = credentials->gids[ID_EFFECTIVE],
		.groups = credentials->groups,
		.label = credentials->label,
	};

	fake_host_must(caller && fake_host->caller_count < ARRAY_SIZE(fake_host->callers));
	caller->process = process->key;
	caller->pid = process->pid;
	caller->account = connection.uid;
	if (process->inner_pids)
		caller->pid_namespace =
			process->inner_pids->items[process->inner_pids->count - 1].namespace;
	caller->in_initial_user_namespace =
		credentials->user_namespace.inode == FAKE_HOST_NAMESPACE;
	fake_host_must(connection_credentials_copy(&connection, &caller->credentials));
	caller->has_user_namespace = true;
	caller->user_namespace = credentials->user_namespace;
	if (process->has_many_groups) {
		groups_deinit(&caller->credentials.groups);
		caller->credentials.groups =
			groups_take(malloc(sizeof(gid_t)), 0, caller->credentials.gid);
		caller->unread_groups = (uint32_t)credentials->groups.count;
	}
	settings_grant(&fake_host->service.settings, caller);
	fake_host->callers[fake_host->caller_count++] = caller;
	return caller;
}

void fake_host_disconnect(FakeHost *fake_host, Caller *caller)
{
	size_t i = 0;

	while (fake_host->callers[i] != caller)
		fake_host_must(++i < fake_host->caller_count);
	fake_host->callers[i] = fake_host->callers[--fake_host->caller_count];
	if (fake_host->service.broker) {
		store_forget_guests(&fake_host->service.store, caller);
		broker_connection_closed(fake_host->service.broker, caller);
	}
	connection_credentials_deinit(&caller->credentials);
	free(caller);
}

void fake_host_reload(FakeHost *fake_host)
{
	for (size_t i = 0; i < fake_host->caller_count; i++)
		settings_grant(&fake_host->service.settings, fake_host->callers[i]);
	watches_reclassify(&fake_host->service);
	broker_configure(fake_host->service.broker, &fake_host->service.settings.limits,
			 &fake_host->service.settings.software_adapter);
}
