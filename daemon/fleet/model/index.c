/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/index.h"

#include <stdlib.h>
#include <string.h>

static int compare_entries(const FleetEntry *a, const FleetEntry *b)
{
	return fleet_key_compare(&a->key, &b->key);
}

RB_GENERATE_INTERNAL(FleetEntryTree, FleetEntry, link, compare_entries,
		     __attribute__((unused)) static)

static int compare_host_counts(const FleetHostCount *a, const FleetHostCount *b)
{
	return handle_compare(&a->host, &b->host);
}

RB_GENERATE_INTERNAL(FleetHostCountTree, FleetHostCount, link, compare_host_counts,
		     __attribute__((unused)) static)

bool fleet_index_init(FleetIndex *index, const HostId *self)
{
	*index = (FleetIndex){ .self = *self };
	RB_INIT(&index->tree);
	RB_INIT(&index->host_counts);
	TAILQ_INIT(&index->own);
	index->parser = json_parser_new();
	return index->parser != NULL;
}

/* --- entries --------------------------------------------------------------------------------- */

/* Tests whether this host has to look after the key: it is the only one that changes or deletes it.
 */
static bool is_own(const FleetIndex *index, const FleetEntry *entry)
{
	if (entry->key.kind == FLEET_KEY_WHERE)
		return handle_compare(&entry->value.where.host, &index->self) == 0;
	return fleet_key_is_leased(&entry->key) &&
	       handle_compare(&entry->key.host, &index->self) == 0;
}

static void entry_unlink_own(FleetIndex *index, FleetEntry *entry)
{
	if (!entry->text)
		return;
	TAILQ_REMOVE(&index->own, entry, own);
	free(entry->text);
	entry->text = NULL;
}

static bool is_counted(const FleetKey *key)
{
	return key->kind == FLEET_KEY_VM || key->kind == FLEET_KEY_GPU;
}

static FleetHostCount *find_host_count(const FleetIndex *index, const HostId *host)
{
	const FleetHostCount wanted = { .host = *host };

	return RB_FIND(FleetHostCountTree, (FleetHostCountTree *)&index->host_counts,
		       (FleetHostCount *)&wanted);
}

/* Counts a new entry for its host. Returns false if out of memory. */
static bool count_entry(FleetIndex *index, const FleetKey *key)
{
	FleetHostCount *found = is_counted(key) ? find_host_count(index, &key->host) : NULL;

	if (!found && is_counted(key)) {
		found = calloc(1, sizeof(*found));
		if (!found)
			return false;
		found->host = key->host;
		RB_INSERT(FleetHostCountTree, &index->host_counts, found);
	}
	if (found)
		found->count++;
	index->counts[key->kind]++;
	return true;
}

static void uncount_entry(FleetIndex *index, const FleetKey *key)
{
	FleetHostCount *found = is_counted(key) ? find_host_count(index, &key->host) : NULL;

	index->counts[key->kind]--;
	if (!found || --found->count > 0)
		return;
	RB_REMOVE(FleetHostCountTree, &index->host_counts, found);
	free(found);
}

/* Counts an entry of before a snapshot apart, until the snapshot shows it, too. */
static void set_swept(FleetIndex *index, FleetEntry *entry, bool is_swept)
{
	FleetHostCount *found;

	if (entry->is_swept == is_swept)
		return;
	found = is_counted(&entry->key) ? find_host_count(index, &entry->key.host) : NULL;
	entry->is_swept = is_swept;
	if (is_swept)
		index->swept[entry->key.kind]++;
	else
		index->swept[entry->key.kind]--;
	if (found && is_swept)
		found->swept++;
	else if (found)
		found->swept--;
}

/*
 * Tests whether there is room for another entry, and notes if not. Own keys always have room.
 * Swept entries take none, because the snapshot ends those that it lacks.
 */
static bool has_room(FleetIndex *index, const FleetKey *key)
{
	const FleetHostCount *found = is_counted(key) ? find_host_count(index, &key->host) : NULL;

	if (found && found->count - found->swept >= FLEET_ENTRIES_PER_HOST_MAX &&
	    handle_compare(&key->host, &index->self) != 0) {
		index->has_crowded = true;
		index->crowded_host = key->host;
		return false;
	}
	if (index->counts[key->kind] - index->swept[key->kind] < FLEET_ENTRIES_MAX)
		return true;
	index->has_overflown = true;
	return false;
}

static void entry_free(FleetIndex *index, FleetEntry *entry)
{
	entry_unlink_own(index, entry);
	set_swept(index, entry, false);
	RB_REMOVE(FleetEntryTree, &index->tree, entry);
	uncount_entry(index, &entry->key);
	fleet_value_deinit(&entry->value);
	free(entry);
}

static FleetEntry *find_entry(const FleetIndex *index, const FleetKey *key)
{
	const FleetEntry wanted = { .key = *key };

	return RB_FIND(FleetEntryTree, (FleetEntryTree *)&index->tree, (FleetEntry *)&wanted);
}

/* Returns the entry of the key, new if necessary; NULL if out of memory. */
static FleetEntry *get_entry(FleetIndex *index, const FleetKey *key)
{
	FleetEntry *entry = find_entry(index, key);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry || !count_entry(index, key)) {
		free(entry);
		return NULL;
	}
	entry->key = *key;
	entry->value.kind = key->kind;
	RB_INSERT(FleetEntryTree, &index->tree, entry);
	return entry;
}

void fleet_index_deinit(FleetIndex *index)
{
	FleetEntry *entry, *next;

	for (entry = RB_MIN(FleetEntryTree, &index->tree); entry; entry = next) {
		next = RB_NEXT(FleetEntryTree, &index->tree, entry);
		entry_free(index, entry);
	}
	json_parser_free(index->parser);
	free(index->why);
	free(index->alarm);
}

/* --- reach ----------------------------------------------------------------------------------- */

void fleet_index_reach(FleetIndex *index, bool is_reached, const char *why, uint64_t since)
{
	index->is_reached = is_reached;
	index->since = since;
	free(index->why);
	index->why = why && !is_reached ? fleet_text_copy(why) : NULL;
}

void fleet_index_alarm(FleetIndex *index, const char *alarm, uint64_t since)
{
	index->has_alarm = alarm != NULL;
	index->alarm_since = since;
	free(index->alarm);
	index->alarm = alarm ? fleet_text_copy(alarm) : NULL;
}

bool fleet_index_is_current(const FleetIndex *index)
{
	return index->is_reached && !index->is_incomplete;
}

bool fleet_index_is_whole(const FleetIndex *index)
{
	return !index->is_incomplete && !index->has_overflown && !index->has_crowded;
}

/* --- changes --------------------------------------------------------------------------------- */

/* Notes since when the host of where/GUID has no key of the VM. */
static void refresh_where(FleetIndex *index, const Guid *vm, uint64_t now)
{
	const FleetKey where_key = fleet_key_where(vm);
	FleetEntry *where = find_entry(index, &where_key);

	if (!where)
		return;
	const FleetKey vm_key = fleet_key_vm(vm, &where->value.where.host);
	if (find_entry(index, &vm_key))
		where->unreachable_since = 0;
	else if (where->unreachable_since == 0)
		where->unreachable_since = now > 0 ? now : 1;
}

/* Calls refresh_where() after a change of the key, unless a snapshot is incomplete as yet. */
static void refresh_after(FleetIndex *index, const FleetKey *key, uint64_t now)
{
	if (key->kind == FLEET_KEY_VM || key->kind == FLEET_KEY_WHERE)
		refresh_where(index, &key->vm, now);
}

/* Another host in where/GUID makes earlier observations of its key void. */
static void forget_unreachable(FleetEntry *entry, const FleetValue *value)
{
	if (entry->key.kind == FLEET_KEY_WHERE &&
	    handle_compare(&entry->value.where.host, &value->where.host) != 0)
		entry->unreachable_since = 0;
}

/* Sets the entry's value, which it takes over, and its text if this host looks after it. */
static void entry_set(FleetIndex *index, FleetEntry *entry, FleetValue *value, const char *text,
		      int64_t mod_revision)
{
	entry_unlink_own(index, entry);
	forget_unreachable(entry, value);
	fleet_value_deinit(&entry->value);
	entry->value = *value;
	entry->mod_revision = mod_revision;
	set_swept(index, entry, false);
	if (!is_own(index, entry))
		return;
	entry->text = strdup(text);
	if (entry->text)
		TAILQ_INSERT_TAIL(&index->own, entry, own);
	else
		index->is_incomplete = true;
}

/* Parses a value, or makes one without facts of a malformed one that must not be ignored. */
static FleetParse parse_value(FleetIndex *index, FleetKeyKind kind, const char *text,
			      FleetValue *ret_value)
{
	FleetParse result = fleet_value_parse(index->parser, kind, text, ret_value);

	if (result != FLEET_PARSE_MALFORMED)
		return result;
	index->ignored++;
	if (kind != FLEET_KEY_QUARANTINE && kind != FLEET_KEY_WHERE)
		return result;
	return fleet_value_init(ret_value, kind) ? FLEET_PARSE_DONE : FLEET_PARSE_NO_MEMORY;
}

static void put_key(FleetIndex *index, const FleetKey *key, const char *text, int64_t mod_revision)
{
	FleetEntry *entry = find_entry(index, key);
	FleetValue value;

	/* A snapshot counts as it is: an etcd that was restored has lower revisions than before. */
	if (entry && !entry->is_swept && entry->mod_revision > mod_revision)
		return;
	if ((!entry || entry->is_swept) && !has_room(index, key)) {
		index->ignored++;
		return;
	}
	FleetParse result = parse_value(index, key->kind, text, &value);
	if (result == FLEET_PARSE_DONE && !entry) {
		entry = get_entry(index, key);
		if (!entry) {
			fleet_value_deinit(&value);
			result = FLEET_PARSE_NO_MEMORY;
		}
	}
	if (result == FLEET_PARSE_DONE)
		entry_set(index, entry, &value, text, mod_revision);
	else if (entry)
		entry_free(index, entry);
	if (result == FLEET_PARSE_NO_MEMORY)
		index->is_incomplete = true;
}

void fleet_index_put(FleetIndex *index, const char *key_text, const char *value,
		     int64_t mod_revision, uint64_t now)
{
	FleetKey key;

	if (mod_revision > index->revision)
		index->revision = mod_revision;
	if (!fleet_key_parse(key_text, &key)) {
		index->ignored++;
		return;
	}
	put_key(index, &key, value, mod_revision);
	refresh_after(index, &key, now);
}

void fleet_index_delete(FleetIndex *index, const char *key_text, int64_t revision, uint64_t now)
{
	FleetKey key;

	if (revision > index->revision)
		index->revision = revision;
	if (!fleet_key_parse(key_text, &key))
		return;
	FleetEntry *entry = find_entry(index, &key);
	if (!entry || entry->mod_revision > revision)
		return;
	entry_free(index, entry);
	refresh_after(index, &key, now);
}

void fleet_index_begin_snapshot(FleetIndex *index)
{
	FleetEntry *entry;

	index->is_incomplete = false;
	RB_FOREACH (entry, FleetEntryTree, &index->tree)
		set_swept(index, entry, true);
}

void fleet_index_end_snapshot(FleetIndex *index, int64_t revision, uint64_t now)
{
	FleetEntry *entry, *next;

	for (entry = RB_MIN(FleetEntryTree, &index->tree); entry; entry = next) {
		next = RB_NEXT(FleetEntryTree, &index->tree, entry);
		if (entry->is_swept)
			entry_free(index, entry);
	}
	RB_FOREACH (entry, FleetEntryTree, &index->tree)
		if (entry->key.kind == FLEET_KEY_WHERE)
			refresh_where(index, &entry->key.vm, now);
	index->revision = revision;
	index->snapshot_revision = revision;
}

/* --- reading --------------------------------------------------------------------------------- */

const FleetEntry *fleet_index_find(const FleetIndex *index, const FleetKey *key)
{
	return find_entry(index, key);
}

const FleetEntry *fleet_index_where(const FleetIndex *index, const Guid *vm)
{
	const FleetKey key = fleet_key_where(vm);

	return find_entry(index, &key);
}

const FleetEntry *fleet_index_host(const FleetIndex *index, const HostId *host)
{
	const FleetKey key = fleet_key_host(host);

	return find_entry(index, &key);
}

/* Returns the first entry that is not before the key. */
static const FleetEntry *find_from(const FleetIndex *index, const FleetKey *key)
{
	const FleetEntry wanted = { .key = *key };

	return RB_NFIND(FleetEntryTree, (FleetEntryTree *)&index->tree, (FleetEntry *)&wanted);
}

const FleetEntry *fleet_index_from(const FleetIndex *index, const FleetKey *key)
{
	const FleetEntry *entry = find_from(index, key);

	return entry && entry->key.kind == key->kind ? entry : NULL;
}

const FleetEntry *fleet_index_first(const FleetIndex *index, FleetKeyKind kind)
{
	const FleetKey key = { .kind = kind };

	return fleet_index_from(index, &key);
}

const FleetEntry *fleet_index_quarantine_from(const FleetIndex *index, const Guid *vm)
{
	const FleetKey key = fleet_key_quarantine(vm);

	return fleet_index_from(index, &key);
}

const FleetEntry *fleet_index_next(const FleetEntry *entry)
{
	const FleetEntry *next = RB_NEXT(FleetEntryTree, NULL, (FleetEntry *)entry);

	return next && next->key.kind == entry->key.kind ? next : NULL;
}

const FleetEntry *fleet_index_first_of_vm(const FleetIndex *index, const Guid *vm)
{
	const FleetKey key = { .kind = FLEET_KEY_VM, .vm = *vm };
	const FleetEntry *entry = find_from(index, &key);

	return entry && entry->key.kind == FLEET_KEY_VM && guid_compare(&entry->key.vm, vm) == 0
		       ? entry
		       : NULL;
}

const FleetEntry *fleet_index_first_gpu(const FleetIndex *index, const HostId *host)
{
	const FleetKey key = { .kind = FLEET_KEY_GPU, .host = *host };
	const FleetEntry *entry = find_from(index, &key);

	return entry && entry->key.kind == FLEET_KEY_GPU &&
			       handle_compare(&entry->key.host, host) == 0
		       ? entry
		       : NULL;
}

const FleetEntry *fleet_index_next_of_vm(const FleetEntry *entry)
{
	const FleetEntry *next = fleet_index_next(entry);

	return next && guid_compare(&next->key.vm, &entry->key.vm) == 0 ? next : NULL;
}

const FleetEntry *fleet_index_next_gpu(const FleetEntry *entry)
{
	const FleetEntry *next = fleet_index_next(entry);

	return next && handle_compare(&next->key.host, &entry->key.host) == 0 ? next : NULL;
}

static const char *name_of(const FleetEntry *entry)
{
	return entry->key.kind == FLEET_KEY_VM ? entry->value.vm.name : entry->value.where.vm_name;
}

/*
 * Counts the VMs of one kind of key with this name, but not those that have running keys if the key
 * is where/GUID. Entries of one VM follow one another.
 */
static size_t count_named(const FleetIndex *index, FleetKeyKind kind, const char *name,
			  size_t before, Guid *ret_vm)
{
	const FleetEntry *entry;
	size_t count = before;
	Guid last = { 0 };

	for (entry = fleet_index_first(index, kind); entry; entry = fleet_index_next(entry)) {
		if (strcmp(name_of(entry), name) != 0 || guid_compare(&entry->key.vm, &last) == 0)
			continue;
		if (kind == FLEET_KEY_WHERE && fleet_index_first_of_vm(index, &entry->key.vm))
			continue;
		last = entry->key.vm;
		if (count++ == 0)
			*ret_vm = last;
	}
	return count;
}

size_t fleet_index_find_name(const FleetIndex *index, const char *name, Guid *ret_vm)
{
	if (name[0] == '\0')
		return 0;
	size_t count = count_named(index, FLEET_KEY_VM, name, 0, ret_vm);
	return count_named(index, FLEET_KEY_WHERE, name, count, ret_vm);
}

bool fleet_index_has_name(const FleetIndex *index, const Guid *vm, const char *name)
{
	const FleetEntry *entry = fleet_index_first_of_vm(index, vm);

	if (!entry)
		entry = fleet_index_where(index, vm);
	for (; entry;
	     entry = entry->key.kind == FLEET_KEY_VM ? fleet_index_next_of_vm(entry) : NULL)
		if (name[0] != '\0' && strcmp(name_of(entry), name) == 0)
			return true;
	return false;
}
