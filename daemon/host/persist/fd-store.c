/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/fd-store.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "daemon/child/socket-drain.h"
#include "daemon/core/limit.h"
#include "daemon/host/log/log.h"
#include "daemon/host/persist/notify-socket.h"
#include "proto/fd-util.h"

#define NAME_SIZE 32

static const char letters[PERSISTED_KIND_MAX] = { [PERSISTED_PROCESS] = 'p', [PERSISTED_FD] = 'm' };

/*
 * Returns 0 if both are one open file description, and 1 or 2 for an order that is stable while
 * both are open.
 */
static long compare_descriptions(int a, int b)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, (long)a, (long)b);
}

static bool has_kcmp(void)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_VM, 0L, 0L) == 0;
}

static int fd_of(const StoreEntry *entry)
{
	return entry->own >= 0 ? entry->own : LIST_FIRST(&entry->uses)->fd;
}

static int compare_uses(const StoreUse *a, const StoreUse *b)
{
	return compare_numbers((uint64_t)a->fd, (uint64_t)b->fd);
}

static int compare_names(const StoreEntry *a, const StoreEntry *b)
{
	int order = compare_numbers(a->name.kind, b->name.kind);

	return order != 0 ? order : compare_numbers(a->name.number, b->name.number);
}

static int compare_entries(const StoreEntry *a, const StoreEntry *b)
{
	long order = compare_descriptions(fd_of(a), fd_of(b));

	return order == 0 ? 0 : order == 1 ? -1 : 1;
}

TREE_GENERATE(StoreUseTree, StoreUse, by_fd, compare_uses)
TREE_GENERATE(StoreNameTree, StoreEntry, by_name, compare_names)
TREE_GENERATE(StoreDescriptionTree, StoreEntry, by_description, compare_entries)

size_t fd_store_capacity(void)
{
	const char *text = getenv("FDSTORE"); /* not set by older versions of systemd */
	char *end;
	unsigned long maximum = text ? strtoul(text, &end, 10) : STORE_ENTRIES_MAX;

	if (text && (*text == '\0' || *end != '\0'))
		return STORE_ENTRIES_MAX;
	return maximum < STORE_ENTRIES_MAX ? maximum : STORE_ENTRIES_MAX;
}

void fd_store_init(FdStore *store)
{
	bool has_manager = getenv("NOTIFY_SOCKET");

	*store = (FdStore){
		.maximum = fd_store_capacity(),
		.notify = has_manager ? notify_socket_open() : -1,
	};
	RB_INIT(&store->uses);
	RB_INIT(&store->by_name);
	RB_INIT(&store->by_description);
	TAILQ_INIT(&store->ended);
	store->is_lasting = has_manager && has_kcmp();
	if (has_manager && !store->is_lasting)
		log_warning("nothing is persisted across restarts: the kernel has no kcmp(): %s",
			    strerror(errno));
}

/*
 * Tests whether other fds can refer to the entry's open file description. The daemon has one pidfd
 * per process, so those need no comparison, which costs a system call each.
 */
static bool may_be_shared(const StoreEntry *entry)
{
	return entry->name.kind == PERSISTED_FD;
}

static void use_free(FdStore *store, StoreUse *use)
{
	RB_REMOVE(StoreUseTree, &store->uses, use);
	LIST_REMOVE(use, of_entry);
	free(use);
}

static void entry_end(FdStore *store, StoreEntry *entry)
{
	entry->has_ended = true;
	TAILQ_INSERT_TAIL(&store->ended, entry, of_ended);
}

static void entry_keep(FdStore *store, StoreEntry *entry)
{
	if (entry->has_ended)
		TAILQ_REMOVE(&store->ended, entry, of_ended);
	entry->has_ended = false;
}

static void entry_free(FdStore *store, StoreEntry *entry)
{
	entry_keep(store, entry);
	RB_REMOVE(StoreNameTree, &store->by_name, entry);
	if (may_be_shared(entry))
		RB_REMOVE(StoreDescriptionTree, &store->by_description, entry);
	fd_close(&entry->own);
	free(entry);
	store->used--;
}

void fd_store_deinit(FdStore *store)
{
	StoreUse *use, *next_use;
	StoreEntry *entry, *next;

	RB_FOREACH_SAFE (use, StoreUseTree, &store->uses, next_use)
		use_free(store, use);
	RB_FOREACH_SAFE (entry, StoreNameTree, &store->by_name, next)
		entry_free(store, entry);
	fd_close(&store->notify);
	store->is_lasting = false;
}

bool fd_store_has_room(const FdStore *store)
{
	return store->used < store->maximum;
}

StoreEntry *fd_store_find_same(const FdStore *store, int fd)
{
	FdStore *self = (FdStore *)store;
	StoreEntry wanted = { .own = fd };

	return RB_FIND(StoreDescriptionTree, &self->by_description, &wanted);
}

StoreEntry *fd_store_find(const FdStore *store, const StoreName *name)
{
	FdStore *self = (FdStore *)store;
	StoreEntry wanted = { .name = *name };

	return RB_FIND(StoreNameTree, &self->by_name, &wanted);
}

/* Connects again if the service manager has a new socket. Returns 0 or a negative errno. */
static int send_message(FdStore *store, const char *message, int fd)
{
	bool was_connected = store->notify >= 0;

	if (!was_connected)
		store->notify = notify_socket_open();
	int error =
		store->notify < 0 ? store->notify : notify_socket_send(store->notify, message, fd);
	if (error != -ECONNREFUSED || !was_connected)
		return error;
	fd_close(&store->notify);
	return send_message(store, message, fd);
}

static bool send_store(FdStore *store, const StoreEntry *entry, int fd)
{
	char message[NAME_SIZE + sizeof("FDSTORE=1\nFDPOLL=0\nFDNAME=")];

	snprintf(message, sizeof(message), "FDSTORE=1\nFDPOLL=0\nFDNAME=%c%" PRIu64,
		 letters[entry->name.kind], entry->name.number);
	int error = send_message(store, message, fd);
	if (error < 0)
		log_error("cannot store a file descriptor in the service manager: %s",
			  strerror(-error));
	return error == 0;
}

static bool send_remove(FdStore *store, const char *name)
{
	char message[NAME_SIZE + sizeof("FDSTOREREMOVE=1\nFDNAME=")];

	snprintf(message, sizeof(message), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	int error = send_message(store, message, -1);
	if (error < 0)
		log_error("cannot remove file descriptor %s from the service manager: %s", name,
			  strerror(-error));
	return error == 0;
}

void fd_store_remove(FdStore *store, const char *name)
{
	/* The service manager still stores it, so it uses space until the next start. */
	if (!send_remove(store, name))
		store->used++;
}

/*
 * Closes the fd first. If it is the last but one of a memfd, the service manager frees the memory,
 * which can take long.
 */
static void entry_remove(FdStore *store, StoreEntry *entry)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%c%" PRIu64, letters[entry->name.kind], entry->name.number);
	entry_free(store, entry);
	fd_store_remove(store, name);
}

/* Adds an entry that owns the fd until its first use. Returns NULL with errno set on failure. */
static StoreEntry *entry_new(FdStore *store, const StoreName *name, int fd)
{
	StoreEntry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->name = *name;
	entry->own = fd;
	LIST_INIT(&entry->uses);
	if (RB_INSERT(StoreNameTree, &store->by_name, entry)) {
		free(entry);
		errno = EEXIST;
		return NULL;
	}
	if (may_be_shared(entry) &&
	    RB_INSERT(StoreDescriptionTree, &store->by_description, entry)) {
		RB_REMOVE(StoreNameTree, &store->by_name, entry);
		free(entry);
		errno = EEXIST;
		return NULL;
	}
	store->used++;
	return entry;
}

bool fd_store_use(FdStore *store, StoreEntry *entry, int fd)
{
	StoreUse *use = calloc(1, sizeof(*use));

	if (!use)
		return false;
	use->fd = fd;
	use->entry = entry;
	LIST_INSERT_HEAD(&entry->uses, use, of_entry);
	StoreUse *other = RB_INSERT(StoreUseTree, &store->uses, use);
	assert(!other);
	entry_keep(store, entry);
	if (entry->own != fd)
		fd_close(&entry->own);
	entry->own = -1;
	return true;
}

/* Adds an entry and its first use. The caller keeps the fd. */
static StoreEntry *entry_new_used(FdStore *store, const StoreName *name, int fd)
{
	StoreEntry *entry = entry_new(store, name, fd);

	if (!entry || fd_store_use(store, entry, fd))
		return entry;
	entry->own = -1;
	entry_free(store, entry);
	errno = ENOMEM;
	return NULL;
}

StoreEntry *fd_store_add(FdStore *store, const StoreName *name, int fd)
{
	if (!store->is_lasting || !fd_store_has_room(store))
		return NULL;
	StoreEntry *entry = entry_new_used(store, name, fd);
	if (!entry || send_store(store, entry, fd))
		return entry;
	use_free(store, LIST_FIRST(&entry->uses));
	entry_free(store, entry);
	return NULL;
}

StoreEntry *fd_store_release(FdStore *store, int fd)
{
	StoreUse wanted = { .fd = fd };
	StoreUse *use = RB_FIND(StoreUseTree, &store->uses, &wanted);

	if (!use)
		return NULL;
	StoreEntry *entry = use->entry;
	use_free(store, use);
	if (!LIST_EMPTY(&entry->uses))
		return NULL;
	if (may_be_shared(entry))
		entry->own = fd;
	entry_end(store, entry);
	return entry;
}

StoreEntry *fd_store_first_ended(const FdStore *store)
{
	return TAILQ_FIRST(&store->ended);
}

void fd_store_remove_ended(FdStore *store)
{
	entry_remove(store, TAILQ_FIRST(&store->ended));
}

bool fd_store_restore(FdStore *store, const StoreName *name, int fd)
{
	return entry_new(store, name, fd) != NULL;
}

bool fd_store_restore_used(FdStore *store, const StoreName *name, int fd)
{
	return entry_new_used(store, name, fd) != NULL;
}

bool store_name_parse(const char *text, StoreName *ret)
{
	const char *digits = text[0] == '\0' ? text : text + 1;
	uint64_t number;

	if (text[0] != letters[PERSISTED_PROCESS] && text[0] != letters[PERSISTED_FD])
		return false;
	if (*digits < '1' || *digits > '9' || digits[strspn(digits, "0123456789")] != '\0')
		return false;
	errno = 0;
	number = strtoull(digits, NULL, 10);
	if (errno != 0 || number > PERSISTED_NUMBER_MAX)
		return false;
	ret->kind = text[0] == letters[PERSISTED_PROCESS] ? PERSISTED_PROCESS : PERSISTED_FD;
	ret->number = number;
	return true;
}

int fd_store_claim(FdStore *store, StoreEntry *entry)
{
	bool is_first = entry->own >= 0;
	int fd = is_first ? entry->own : fcntl(fd_of(entry), F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (fd_store_use(store, entry, fd))
		return fd;
	if (!is_first)
		close(fd);
	return -ENOMEM;
}

size_t fd_store_end_unclaimed(FdStore *store, void (*ended)(void *context, const StoreName *name),
			      void *context)
{
	StoreEntry *entry;
	size_t count = 0;

	RB_FOREACH (entry, StoreNameTree, &store->by_name) {
		if (entry->own < 0 || entry->has_ended)
			continue;
		/* Ends a display channel, which nobody could end later. The next start retries. */
		if (entry->name.kind == PERSISTED_FD && !socket_end(entry->own)) {
			log_warning("cannot drop the stored file descriptor %" PRIu64
				    " now: out of memory",
				    entry->name.number);
			continue;
		}
		entry_end(store, entry);
		ended(context, &entry->name);
		count++;
	}
	return count;
}
