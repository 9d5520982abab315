/* SPDX-License-Identifier: MIT */
/*
 * Checks that only an open device with the right number is a graphics context: not a name, not a
 * node opened with O_PATH, and not another device of the same driver.
 */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/host/process/graphics-context.h"

static const DynamicDevices no_dynamic = { 0 };

Test(graphics_context, device_numbers)
{
	static const struct {
		unsigned int major, minor;
		bool is_context;
		GraphicsContextKind kind;
	} table[] = {
		{ 226, 0, true, GRAPHICS_CONTEXT_DRM },
		{ 226, 128, true, GRAPHICS_CONTEXT_DRM },
		{ 225, 0, false, 0 },
		{ 227, 0, false, 0 },
		{ 195, 0, true, GRAPHICS_CONTEXT_NVIDIA },
		{ 195, 253, true, GRAPHICS_CONTEXT_NVIDIA },
		{ 195, 254, false, 0 }, /* nvidia-modeset */
		{ 195, 255, false, 0 }, /* nvidiactl */
		{ 235, 0, true, GRAPHICS_CONTEXT_KFD },
		{ 10, 124, true, GRAPHICS_CONTEXT_DXG },
		{ 10, 125, false, 0 },
		{ 1, 3, false, 0 },
		{ 0, 0, false, 0 },
	};
	DynamicDevices devices = { .kfd = makedev(235, 0), .dxg = makedev(10, 124) };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		GraphicsContextKind kind = GRAPHICS_CONTEXT_MAX;
		dev_t device = makedev(table[i].major, table[i].minor);

		cr_assert_eq(graphics_context_of_device(&devices, device, &kind),
			     table[i].is_context, "row %zu", i);
		if (table[i].is_context)
			cr_assert_eq(kind, table[i].kind, "row %zu", i);
		if (i >= 8)
			cr_assert_not(graphics_context_of_device(&no_dynamic, device, &kind));
	}
}

/*
 * A fake /sys that gives the kfd device the number of /dev/full, so that opening it is a context.
 */
typedef struct Fixture {
	char sys[64];
	struct event_base *base;
	ProcessTable processes;
	Host host;
	Turns turns;
	PeerUsers owners;
	FdCloser closer;
	HostProcess *self;
	int open_fds; /* before the fixture was set up */
} Fixture;

static Fixture fixture;

static void ignore_exit(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

static void ignore_closed(void *context)
{
	(void)context;
}

static void make_sys(const char *device)
{
	char path[128];

	snprintf(fixture.sys, sizeof(fixture.sys), "/tmp/vaild-sys-XXXXXX");
	cr_assert_not_null(mkdtemp(fixture.sys));
	snprintf(path, sizeof(path), "%s/class", fixture.sys);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/class/kfd", fixture.sys);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/class/kfd/kfd", fixture.sys);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/class/kfd/kfd/dev", fixture.sys);
	FILE *file = fopen(path, "we");
	fputs(device, file);
	fclose(file);
}

static void remove_sys(void)
{
	static const char *const parts[] = { "/class/kfd/kfd/dev", "/class/kfd/kfd", "/class/kfd",
					     "/class", "" };
	char path[128];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", fixture.sys, parts[i]);
		cr_assert_eq(remove(path), 0);
	}
}

static int count_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static uint64_t stopped_clock(void *self)
{
	(void)self;
	return 0;
}

/* Tests whether fds are waiting for their close, or children are closing some. */
static bool is_closing(void)
{
	const PeerUser *owner = peer_users_first(&fixture.owners);

	return owner && (owner->waiting_count > 0 || owner->closes_under_way > 0);
}

static void set_up(void)
{
	fixture.open_fds = count_fds();
	make_sys("1:7\n"); /* /dev/full */
	FsRoots roots = { .proc = "/proc", .sys = fixture.sys };
	fixture.base = event_base_new();
	event_base_priority_init(fixture.base, 2);
	process_table_init(&fixture.processes, fixture.base, &roots, ignore_exit, NULL);
	fixture.host.now = stopped_clock;
	turns_init(&fixture.turns, fixture.base, &fixture.host);
	peer_users_init(&fixture.owners, &fixture.turns);
	fd_closer_init(&fixture.closer, fixture.base, &fixture.turns, ignore_closed, NULL);
	cr_assert_eq(process_table_open(&fixture.processes, getpid(), &fixture.self), LOOKUP_FOUND);
	host_process_ref(fixture.self);
}

/* Checks that all fds are closed. */
static void tear_down(void)
{
	host_process_unref(fixture.self);
	while (is_closing())
		event_base_loop(fixture.base, EVLOOP_ONCE);
	fd_closer_deinit(&fixture.closer);
	process_table_deinit(&fixture.processes);
	peer_users_deinit(&fixture.owners);
	turns_deinit(&fixture.turns);
	event_base_free(fixture.base);
	remove_sys();
	cr_assert_eq(count_fds(), fixture.open_fds);
}

TestSuite(graphics_context, .init = set_up, .fini = tear_down);

static Lookup find(GraphicsContextKind *ret_kind)
{
	PeerUser *owner = peer_user_get(&fixture.owners, &(Payer){ .uid = getuid() });
	ContextSearch search;

	context_search_begin(&search, fixture.self, &fixture.closer, owner);
	while (!context_search_step(&search))
		;
	peer_user_put(owner);
	*ret_kind = search.kind;
	return search.lookup;
}

Test(graphics_context, an_open_device_with_the_number)
{
	GraphicsContextKind kind = GRAPHICS_CONTEXT_MAX;

	cr_assert_eq(find(&kind), LOOKUP_ABSENT);
	int device = open("/dev/full", O_RDWR | O_CLOEXEC);
	cr_assert_eq(find(&kind), LOOKUP_FOUND);
	cr_assert_eq(kind, GRAPHICS_CONTEXT_KFD);
	close(device);
}

Test(graphics_context, an_o_path_fd_is_no_context)
{
	GraphicsContextKind kind;

	int device = open("/dev/full", O_PATH | O_CLOEXEC);
	cr_assert_geq(device, 0);
	cr_assert_eq(find(&kind), LOOKUP_ABSENT);
	close(device);
}

Test(graphics_context, a_regular_file_is_no_context)
{
	GraphicsContextKind kind;

	int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(find(&kind), LOOKUP_ABSENT);
	close(file);
}

Test(graphics_context, fetched_fds_are_closed)
{
	GraphicsContextKind kind;

	find(&kind); /* tear_down() counts the fds */
}
