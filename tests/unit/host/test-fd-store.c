/* SPDX-License-Identifier: MIT */
/*
 * Proves that the service manager stores exactly the entries: it silently drops duplicates and fds
 * beyond its capacity, so the daemon must never send any.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/host/persist/fd-store.h"
#include "proto/macros.h"
#include "tests/support/fake-service-manager.h"

#define ROOM 20

typedef struct Stores {
	FakeServiceManager manager;
	FdStore store;
} Stores;

static Stores stores;

static void set_up(void)
{
	fake_service_manager_init(&stores.manager, ROOM);
	fd_store_init(&stores.store);
	cr_assert(stores.store.is_lasting);
}

static void tear_down(void)
{
	cr_assert_eq(stores.manager.dropped, 0,
		     "it received a duplicate, or an fd beyond its capacity");
	fd_store_deinit(&stores.store);
	fake_service_manager_deinit(&stores.manager);
}

TestSuite(fd_store, .init = set_up, .fini = tear_down);

static int open_memory(void)
{
	int memory = memfd_create("memory", MFD_CLOEXEC);

	cr_assert_geq(memory, 0);
	return memory;
}

static StoreName name_of(uint64_t number)
{
	return (StoreName){ .kind = PERSISTED_FD, .number = number };
}

static StoreEntry *add(uint64_t number, int fd)
{
	StoreName name = name_of(number);

	return fd_store_add(&stores.store, &name, fd);
}

/* Returns whether this removed the entry. */
static bool release_and_close(int fd)
{
	bool has_ended = fd_store_release(&stores.store, fd);

	if (has_ended)
		fd_store_remove_ended(&stores.store);
	else
		close(fd);
	return has_ended;
}

/* Like two planes of one dma-buf, or an fd that is shared twice. */
Test(fd_store, duplicates_share_an_entry)
{
	int first = open_memory(), other = open_memory();

	StoreEntry *entry = add(1, first);
	cr_assert_not_null(entry);
	cr_assert_null(fd_store_find_same(&stores.store, other));
	cr_assert_not_null(add(2, other));
	int second = dup(first), third = dup(first);
	cr_assert_eq(fd_store_find_same(&stores.store, second), entry);
	cr_assert(fd_store_use(&stores.store, entry, second));
	cr_assert(fd_store_use(&stores.store, entry, third));
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "m1 m2");
	cr_assert_not(release_and_close(first));
	cr_assert_not(release_and_close(third));
	cr_assert_eq(fd_store_find_same(&stores.store, second), entry);
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "m1 m2");
	cr_assert(release_and_close(second));
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "m2");
	cr_assert(release_and_close(other));
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "");
}

/* The service manager drops a second fd of one description, so its entry must be found. */
Test(fd_store, ended_entry_is_used_again)
{
	int first = open_memory(), second = dup(first);
	StoreEntry *entry = add(1, first);

	cr_assert_eq(fd_store_release(&stores.store, first), entry);
	cr_assert_eq(fd_store_first_ended(&stores.store), entry);
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "m1");
	cr_assert_eq(stores.store.used, 1, "it uses room until the service manager is told");
	cr_assert_eq(fd_store_find_same(&stores.store, second), entry);
	cr_assert(fd_store_use(&stores.store, entry, second));
	cr_assert_null(fd_store_first_ended(&stores.store));
	cr_assert_eq(fcntl(first, F_GETFD), -1, "it was closed");
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "m1");
	cr_assert(release_and_close(second));
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "");
	cr_assert_eq(fcntl(second, F_GETFD), -1);
	cr_assert_eq(stores.store.used, 0);
}

/* Reopening a memfd creates another open file description. */
Test(fd_store, reopened_memory_has_its_own_entry)
{
	int memory = open_memory();
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	int again = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_not_null(add(1, memory));
	cr_assert_null(fd_store_find_same(&stores.store, again));
	cr_assert_not_null(add(2, again));
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "m1 m2");
	release_and_close(memory);
	release_and_close(again);
}

Test(fd_store, release_ignores_other_fds)
{
	int memory = open_memory();

	cr_assert_not(release_and_close(memory));
}

Test(fd_store, full_store_refuses)
{
	int memories[ROOM + 1];

	for (size_t i = 0; i <= ROOM; i++) {
		StoreName name = name_of(i + 1);

		memories[i] = open_memory();
		cr_assert_eq(fd_store_has_room(&stores.store), i < ROOM);
		cr_assert_eq(fd_store_add(&stores.store, &name, memories[i]) != NULL, i < ROOM,
			     "entry %zu", i);
		fake_service_manager_read(&stores.manager);
	}
	cr_assert_eq(stores.manager.count, ROOM);
	/* Removing an entry makes room for another one. */
	cr_assert(release_and_close(memories[0]));
	StoreName name = name_of(100);
	cr_assert_not_null(fd_store_add(&stores.store, &name, memories[ROOM]));
	fake_service_manager_read(&stores.manager);
	cr_assert_eq(stores.manager.count, ROOM);
	for (size_t i = 1; i <= ROOM; i++) {
		release_and_close(memories[i]);
		fake_service_manager_read(&stores.manager);
	}
}

Test(fd_store_alone, capacity_is_that_of_the_manager)
{
	static const struct {
		const char *value;
		size_t maximum;
	} cases[] = {
		{ "7", 7 }, { "100000", 4096 }, { "", 4096 }, { "x", 4096 }, { "0", 0 },
	};

	setenv("NOTIFY_SOCKET", "@nobody", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FdStore store;

		setenv("FDSTORE", cases[i].value, 1);
		fd_store_init(&store);
		cr_assert_eq(store.maximum, cases[i].maximum, "%s", cases[i].value);
	}
}

Test(fd_store_alone, add_fails_without_a_service_manager)
{
	int memory = open_memory();
	StoreName name = name_of(1);
	FdStore store;

	unsetenv("NOTIFY_SOCKET");
	fd_store_init(&store);
	cr_assert_not(store.is_lasting);
	cr_assert_null(fd_store_add(&store, &name, memory));
	setenv("NOTIFY_SOCKET", "@nobody-at-all", 1);
	fd_store_init(&store);
	cr_assert(store.is_lasting);
	cr_assert_null(fd_store_add(&store, &name, memory));
	cr_assert_null(fd_store_find(&store, &name));
	cr_assert_null(fd_store_find_same(&store, memory));
	cr_assert_eq(store.used, 0);
	cr_assert_eq(fcntl(memory, F_GETFD), FD_CLOEXEC, "the caller keeps the fd");
	close(memory);
	fd_store_deinit(&store);
}

static size_t forgotten_count;

static void count_forgotten(void *context, const StoreName *name)
{
	(void)context;
	cr_assert_eq(name->number, 2);
	forgotten_count++;
}

/* After a restart the daemon has other fds of the same open file descriptions. */
Test(fd_store, restored_fds_are_claimed_or_removed)
{
	int memories[3];
	ListenFds passed;

	for (uint64_t i = 0; i < 3; i++) {
		memories[i] = open_memory();
		cr_assert_not_null(add(i + 1, memories[i]));
	}
	fake_service_manager_pass(&stores.manager, &passed);
	fd_store_deinit(&stores.store);
	fd_store_init(&stores.store);
	for (size_t i = 0; i < 3; i++) {
		StoreName name;

		close(memories[i]);
		cr_assert(store_name_parse(passed.items[i].name, &name));
		cr_assert(fd_store_restore(&stores.store, &name, TAKE_FD(passed.items[i].fd)));
	}
	listen_fds_deinit(&passed);
	StoreName name = name_of(1);
	StoreEntry *entry = fd_store_find(&stores.store, &name);
	int first = fd_store_claim(&stores.store, entry);
	int second = fd_store_claim(&stores.store, entry);
	cr_assert_geq(first, 0);
	cr_assert_geq(second, 0);
	cr_assert_neq(second, first);
	/* An fd that is shared again before it is claimed belongs to the same entry. */
	name = name_of(3);
	entry = fd_store_find(&stores.store, &name);
	int third = fcntl(entry->own, F_DUPFD_CLOEXEC, 0);
	cr_assert_eq(fd_store_find_same(&stores.store, third), entry);
	cr_assert(fd_store_use(&stores.store, entry, third));
	cr_assert_eq(fd_store_end_unclaimed(&stores.store, count_forgotten, NULL), 1);
	cr_assert_eq(forgotten_count, 1);
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "m1 m2 m3");
	fd_store_remove_ended(&stores.store);
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "m1 m3");
	cr_assert_not(release_and_close(first));
	cr_assert(release_and_close(second));
	cr_assert(release_and_close(third));
	cr_assert_str_eq(fake_service_manager_names(&stores.manager), "");
}

Test(fd_store_alone, names)
{
	static const char *const wrong[] = { "",
					     "p",
					     "m",
					     "x1",
					     "p0",
					     "p01",
					     "m-1",
					     "m1 ",
					     "m1x",
					     "pp1",
					     "1p",
					     "stored",
					     "vaild.socket",
					     "m4611686018427387904",
					     "m18446744073709551616" };
	StoreName name;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not(store_name_parse(wrong[i], &name), "%s", wrong[i]);
	cr_assert(store_name_parse("p4611686018427387903", &name));
	cr_assert_eq(name.kind, PERSISTED_PROCESS);
	cr_assert_eq(name.number, PERSISTED_NUMBER_MAX);
	cr_assert(store_name_parse("m10", &name));
	cr_assert_eq(name.kind, PERSISTED_FD);
	cr_assert_eq(name.number, 10);
}

/* Many fds of a few memfds: the store must have the memfds that have an open fd. */
#define MEMORIES 8
#define OPEN_MAX 60

typedef struct Opened {
	int fd;
	size_t memory;
} Opened;

static void open_at_random(int memory, int *ret, uint64_t *last_number)
{
	*ret = dup(memory);
	StoreEntry *same = fd_store_find_same(&stores.store, *ret);
	if (same)
		cr_assert(fd_store_use(&stores.store, same, *ret));
	else
		cr_assert_not_null(add(++*last_number, *ret));
}

Test(fd_store, random_operations)
{
	int memories[MEMORIES];
	size_t counts[MEMORIES] = { 0 }, count = 0, different = 0;
	Opened opened[OPEN_MAX];
	uint64_t last_number = 0;

	srandom(5);
	for (size_t i = 0; i < MEMORIES; i++)
		memories[i] = open_memory();
	for (int step = 0; step < 5000; step++) {
		size_t at = (size_t)random() % OPEN_MAX;
		bool is_new = at >= count && count < OPEN_MAX && random() % 2;

		if (is_new) {
			Opened *one = &opened[count++];
			one->memory = (size_t)random() % MEMORIES;
			open_at_random(memories[one->memory], &one->fd, &last_number);
			different += counts[one->memory]++ == 0;
		} else if (at < count) {
			Opened one = opened[at];
			opened[at] = opened[--count];
			bool is_last = --counts[one.memory] == 0;
			cr_assert_eq(release_and_close(one.fd), is_last);
			different -= is_last;
		}
		fake_service_manager_read(&stores.manager);
		cr_assert_eq(stores.manager.count, different, "step %d", step);
		cr_assert_eq(stores.store.used, different);
	}
	cr_assert_gt(last_number, 50);
	while (count > 0) {
		release_and_close(opened[--count].fd);
		fake_service_manager_read(&stores.manager);
	}
	for (size_t i = 0; i < MEMORIES; i++)
		close(memories[i]);
}
