/* SPDX-License-Identifier: MIT */
/* The functions of Host on plain arrays. fake-store.c has those for restarts. */
#include "tests/support/fake-host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/stream.h"
#include "daemon/core/audit-record.h"

void world_check(bool holds, const char *condition, const char *file, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

static FakeProcess *find_by_key(World *world, ProcessKey key)
{
	for (size_t i = 0; i < world->process_count; i++)
		if (world->processes[i].key == key)
			return &world->processes[i];
	return NULL;
}

static uint64_t fake_now(void *self)
{
	return ((World *)self)->now;
}

static void fake_random_bytes(void *self, void *bytes, size_t size)
{
	World *world = self;

	for (size_t i = 0; i < size; i++) {
		world->random = world->random * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)bytes)[i] = (uint8_t)(world->random >> 56);
	}
}

static bool fake_watch_process(void *self, ProcessKey key)
{
	World *world = self;
	FakeProcess *process = find_by_key(world, key);

	world_must(process != NULL);
	world_must(!process->watched);
	if (world->refuse_watch)
		return false;
	process->watched = process->is_persisted = true;
	process->exit_told = false;
	return true;
}

static void fake_unwatch_process(void *self, ProcessKey key)
{
	const World *world = self;
	FakeProcess *process = find_by_key(self, key);

	world_must(process != NULL);
	world_must(process->watched);
	process->watched = false;
	if (!world->is_stopping && !world->crashes)
		process->is_persisted = false;
}

static bool fake_process_is_alive(void *self, ProcessKey key)
{
	const FakeProcess *process = find_by_key(self, key);

	return process && process->alive;
}

static Evidence fake_find_process(void *self, pid_t pid, ProcessKey *ret_key)
{
	World *world = self;

	world_must(pid > 0);
	if (world->exhaust_find)
		return EVIDENCE_EXHAUSTED;
	for (size_t i = 0; i < world->process_count; i++) {
		const FakeProcess *process = &world->processes[i];

		if (process->pid != pid || !process->alive)
			continue;
		*ret_key = process->key;
		return EVIDENCE_FOUND;
	}
	return EVIDENCE_ABSENT;
}

static Evidence fake_read_credentials(void *self, ProcessKey key, Credentials *ret)
{
	World *world = self;
	const FakeProcess *process = find_by_key(world, key);

	world->credential_reads++;
	if (!process || !process->alive)
		return EVIDENCE_GONE;
	if (process->credentials_evidence != EVIDENCE_FOUND)
		return process->credentials_evidence;
	return credentials_copy(&process->credentials, ret) ? EVIDENCE_FOUND : EVIDENCE_EXHAUSTED;
}

static Evidence fake_find_graphics_context(void *self, ProcessKey key, uid_t account,
					   GraphicsContextKind *ret)
{
	(void)account;
	World *world = self;
	const FakeProcess *process = find_by_key(world, key);

	world->context_reads++;
	if (!process || !process->alive)
		return EVIDENCE_GONE;
	if (process->context_evidence != EVIDENCE_FOUND)
		return process->context_evidence;
	if (!process->has_graphics_context)
		return EVIDENCE_ABSENT;
	*ret = process->graphics_context;
	return EVIDENCE_FOUND;
}

static const FakeUser *find_user_by_uid(const World *world, uid_t uid)
{
	for (size_t i = 0; i < world->user_count; i++)
		if (world->users[i].uid == uid)
			return &world->users[i];
	return NULL;
}

static Evidence fake_find_user(void *self, const char *user, uid_t *ret_uid)
{
	const World *world = self;
	char decimal[16];

	for (size_t i = 0; i < world->user_count; i++) {
		snprintf(decimal, sizeof(decimal), "%u", world->users[i].uid);
		if (strcmp(user, world->users[i].name) != 0 && strcmp(user, decimal) != 0)
			continue;
		*ret_uid = world->users[i].uid;
		return EVIDENCE_FOUND;
	}
	return EVIDENCE_ABSENT;
}

static Evidence fake_read_user(void *self, uid_t uid, Credentials *ret)
{
	const FakeUser *user = find_user_by_uid(self, uid);

	((World *)self)->user_reads++;
	if (!user)
		return EVIDENCE_ABSENT;
	if (user->evidence != EVIDENCE_FOUND)
		return user->evidence;
	return credentials_copy(&user->credentials, ret) ? EVIDENCE_FOUND : EVIDENCE_EXHAUSTED;
}

static bool fake_is_login_user(void *self, uid_t uid)
{
	const FakeUser *user = find_user_by_uid(self, uid);

	return user && user->is_login_user;
}

static FakeQuarantine *find_quarantine(World *world, const Guid *guid)
{
	for (size_t i = 0; i < world->quarantine_count; i++)
		if (guid_compare(&world->quarantines[i].guid, guid) == 0)
			return &world->quarantines[i];
	return NULL;
}

/* --- fds ------------------------------------------------------------------------------------- */

FakeDescriptor *world_descriptor_of(World *world, Descriptor descriptor)
{
	world_must(descriptor > 0 && descriptor <= WORLD_DESCRIPTOR_MAX);
	FakeDescriptor *fake = &world->descriptors[descriptor - 1];
	world_must(fake->open);
	return fake;
}

size_t world_open_descriptors(const World *world)
{
	size_t count = 0;

	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		count += world->descriptors[i].open;
	return count;
}

/* Returns the lowest free number, or DESCRIPTOR_NONE if all are in use. */
static Descriptor open_fake(World *world, const FakeDescriptor *fake)
{
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		if (!world->descriptors[i].open) {
			world->descriptors[i] = *fake;
			world->descriptors[i].open = true;
			return (Descriptor)i + 1;
		}
	return DESCRIPTOR_NONE;
}

Descriptor world_descriptor(World *world, DescriptorKind kind, uint64_t size)
{
	FakeDescriptor fake = {
		.facts = {
			.kind = kind,
			.device = 1,
			.inode = ++world->last_inode,
			.size = size,
			.is_writable = true,
		},
	};
	Descriptor descriptor = open_fake(world, &fake);

	world_must(descriptor != DESCRIPTOR_NONE);
	return descriptor;
}

void world_close(World *world, Descriptor descriptor)
{
	world_descriptor_of(world, descriptor)->open = false;
}

static Evidence fake_read_descriptor(void *self, Descriptor descriptor, DescriptorFacts *ret)
{
	*ret = world_descriptor_of(self, descriptor)->facts;
	return EVIDENCE_FOUND;
}

static Evidence fake_open_descriptor(void *self, Descriptor descriptor, DescriptorKind kind,
				     bool read_write, Descriptor *ret)
{
	World *world = self;
	FakeDescriptor fake = *world_descriptor_of(world, descriptor);

	fake.kept_id = 0; /* the copy is not in the fd store */
	world_must(kind == fake.facts.kind && kind != DESCRIPTOR_OTHER);
	if (fake.is_forbidden)
		return EVIDENCE_UNREADABLE;
	if (world->descriptor_limit > 0 && world_open_descriptors(world) >= world->descriptor_limit)
		return EVIDENCE_EXHAUSTED;
	if (kind == DESCRIPTOR_MEMFD)
		fake.facts.is_writable = read_write;
	*ret = open_fake(world, &fake);
	return *ret == DESCRIPTOR_NONE ? EVIDENCE_EXHAUSTED : EVIDENCE_FOUND;
}

static void fake_release_descriptor(void *self, Descriptor descriptor)
{
	const World *world = self;

	if (!world->is_stopping || world_descriptor_of(self, descriptor)->kept_id == 0)
		world_close(self, descriptor);
}

static void fake_discard_descriptor(void *self, Descriptor descriptor, uid_t account)
{
	(void)account;
	world_close(self, descriptor);
}

static bool fake_keep_quarantine(void *self, const Guid *guid, const char *reason)
{
	World *world = self;
	FakeQuarantine *quarantine = find_quarantine(world, guid);

	if (world->refuse_store)
		return false;
	if (!quarantine) {
		world_must(world->quarantine_count < WORLD_QUARANTINE_MAX);
		quarantine = &world->quarantines[world->quarantine_count++];
	}
	*quarantine = (FakeQuarantine){ .guid = *guid, .has_reason = reason != NULL };
	snprintf(quarantine->reason, sizeof(quarantine->reason), "%s", reason ? reason : "");
	return true;
}

static bool fake_drop_quarantine(void *self, const Guid *guid)
{
	World *world = self;
	FakeQuarantine *quarantine = find_quarantine(world, guid);

	if (world->refuse_store)
		return false;
	world_must(quarantine != NULL);
	*quarantine = world->quarantines[--world->quarantine_count];
	return true;
}

static void fake_event(void *self, const Event *event)
{
	World *world = self;

	FakeEvent *copy = &world->events[world->event_count++ % WORLD_EVENT_MAX];

	world_must(event->kind < EVENT_MAX && event->reason < END_MAX);
	*copy = (FakeEvent){
		.kind = event->kind,
		.reason = event->reason,
		.has_guid = event->virtual_machine != NULL,
		.has_handle = event->handle != NULL,
		.pid = event->pid,
		.uid = event->uid,
	};
	if (event->virtual_machine)
		copy->guid = *event->virtual_machine;
	if (event->handle)
		copy->handle = *event->handle;
	watches_tell(&world->service, event);
}

/* No session outlives its exchange here. Tests of watches replace this function. */
static void fake_watch_ready(Session *session)
{
	(void)session;
}

static bool fake_reload_configuration(void *self, char *ret_mistake, size_t size)
{
	const World *world = self;

	if (world->mistake)
		snprintf(ret_mistake, size, "%s", world->mistake);
	return !world->mistake;
}

static void fake_record(void *self, const Record *record)
{
	World *world = self;
	FakeRecord *copy = &world->records[world->record_count++ % WORLD_RECORD_MAX];

	*copy = (FakeRecord){
		.status = record->status,
		.has_guid = record->virtual_machine != NULL,
		.has_object = record->object != NULL,
		.uid = record->caller->credentials.uid,
	};
	if (record->virtual_machine)
		copy->guid = *record->virtual_machine;
	if (record->object)
		copy->object = *record->object;
	snprintf(copy->method, sizeof(copy->method), "%s", record->method);
	snprintf(copy->reason, sizeof(copy->reason), "%s", record->reason ? record->reason : "");
}

World *world_new_with(const Limits *limits)
{
	World *world = calloc(1, sizeof(*world));

	world_must(world != NULL);
	world->now = 5000000;
	world->random = 1;
	world->host = (Host){
		.self = world,
		.now = fake_now,
		.random_bytes = fake_random_bytes,
		.watch_process = fake_watch_process,
		.unwatch_process = fake_unwatch_process,
		.process_is_alive = fake_process_is_alive,
		.find_process = fake_find_process,
		.read_credentials = fake_read_credentials,
		.find_graphics_context = fake_find_graphics_context,
		.find_user = fake_find_user,
		.read_user = fake_read_user,
		.is_login_user = fake_is_login_user,
		.read_descriptor = fake_read_descriptor,
		.open_descriptor = fake_open_descriptor,
		.release_descriptor = fake_release_descriptor,
		.discard_descriptor = fake_discard_descriptor,
		.keep_quarantine = fake_keep_quarantine,
		.drop_quarantine = fake_drop_quarantine,
		.event = fake_event,
		.record = fake_record,
		.reload_configuration = fake_reload_configuration,
	};
	world_init_store(world);
	world->service = (Service){
		.host = &world->host,
		.parser = json_parser_new(),
		.watch_ready = fake_watch_ready,
		.settings = {
			.has_operator_group = true,
			.operator_group = WORLD_OPERATOR_GROUP,
			.limits = *limits,
		},
	};
	TAILQ_INIT(&world->service.watches);
	world_must(world->service.parser != NULL);
	world_start(world);
	return world;
}

World *world_new(void)
{
	return world_new_with(&limits_default);
}

void world_free(World *world)
{
	world->service.broker = broker_free(world->service.broker);
	store_deinit(&world->service.store);
	world_must(world_open_descriptors(world) == 0);
	world_must(world->kept_count == 0);
	free(world->kept);
	json_parser_free(world->service.parser);
	for (size_t i = 0; i < world->process_count; i++) {
		world_must(!world->processes[i].watched);
		credentials_deinit(&world->processes[i].credentials);
	}
	for (size_t i = 0; i < world->user_count; i++)
		credentials_deinit(&world->users[i].credentials);
	while (world->caller_count > 0)
		world_disconnect(world, world->callers[0]);
	json_free(world->reply);
	free(world->reply_text);
	free(world);
}

/* Returns the credentials of an unprivileged process, or with all capabilities if uid is 0. */
static Credentials ordinary_credentials(uid_t uid)
{
	Credentials credentials = {
		.user_namespace = { .device = 4, .inode = WORLD_NAMESPACE },
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
static FakeProcess *find_free_process(World *world)
{
	if (world->process_count < WORLD_PROCESS_MAX)
		return &world->processes[world->process_count++];
	for (size_t i = 0; i < WORLD_PROCESS_MAX; i++) {
		FakeProcess *process = &world->processes[i];

		if (process->alive || process->watched)
			continue;
		credentials_deinit(&process->credentials);
		return process;
	}
	world_must(!"a free entry for a process");
	return NULL;
}

FakeProcess *world_process(World *world, pid_t pid, uid_t uid)
{
	FakeProcess *process = find_free_process(world);

	*process = (FakeProcess){
		.key = ++world->last_key,
		.pid = pid,
		.alive = true,
		.credentials = ordinary_credentials(uid),
	};
	return process;
}

void process_set_groups(FakeProcess *process, gid_t primary, size_t count, const gid_t *groups)
{
	gid_t *ids = malloc((count + 1) * sizeof(*ids));

	world_must(ids != NULL);
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

FakeUser *world_user(World *world, const char *name, uid_t uid)
{
	world_must(world->user_count < WORLD_USER_MAX);
	FakeUser *user = &world->users[world->user_count++];

	*user = (FakeUser){
		.uid = uid,
		.is_login_user = uid == 0 || (uid >= 1000 && uid < 60000),
		.credentials = ordinary_credentials(uid),
	};
	snprintf(user->name, sizeof(user->name), "%s", name);
	return user;
}

void world_kill(World *world, FakeProcess *process)
{
	(void)world;
	process->alive = false;
}

void world_tell_exits(World *world)
{
	for (size_t i = 0; i < world->process_count; i++) {
		FakeProcess *process = &world->processes[i];

		if (process->alive || !process->watched || process->exit_told)
			continue;
		process->exit_told = true;
		broker_process_exited(world->service.broker, process->key);
	}
}

void world_exit(World *world, FakeProcess *process)
{
	world_kill(world, process);
	world_tell_exits(world);
}

Caller *world_connect(World *world, const FakeProcess *process)
{
	Caller *caller = calloc(1, sizeof(*caller));
	const Credentials *credentials = &process->credentials;
	ConnectionCredentials connection = {
		.uid = credentials->uids[ID_EFFECTIVE],
		.gid = credentials->gids[ID_EFFECTIVE],
		.groups = credentials->groups,
		.label = credentials->label,
	};

	world_must(caller && world->caller_count < ARRAY_SIZE(world->callers));
	caller->process = process->key;
	caller->pid = process->pid;
	caller->account = connection.uid;
	caller->in_initial_user_namespace = credentials->user_namespace.inode == WORLD_NAMESPACE;
	world_must(connection_credentials_copy(&connection, &caller->credentials));
	caller->is_operator = settings_make_operator(&world->service.settings, caller);
	world->callers[world->caller_count++] = caller;
	return caller;
}

void world_disconnect(World *world, Caller *caller)
{
	size_t i = 0;

	while (world->callers[i] != caller)
		world_must(++i < world->caller_count);
	world->callers[i] = world->callers[--world->caller_count];
	if (world->service.broker)
		broker_connection_closed(world->service.broker, caller);
	connection_credentials_deinit(&caller->credentials);
	free(caller);
}

void world_reload(World *world)
{
	for (size_t i = 0; i < world->caller_count; i++)
		world->callers[i]->is_operator =
			settings_make_operator(&world->service.settings, world->callers[i]);
	broker_configure(world->service.broker, &world->service.settings.limits,
			 &world->service.settings.software_adapter);
}
