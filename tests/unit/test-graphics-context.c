/* SPDX-License-Identifier: MIT */
/* A graphics context is an open device of the right number: not a name, not a node that was only
 * looked up, not another device of the same driver. */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "graphics-context.h"

static const DynamicDevices no_dynamic = { 0 };

Test(graphics_context, numbers)
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

/* A world in which the kernel calls /dev/null the kfd device: opening it is having a context. */
typedef struct World {
	char sys[64];
	struct event_base *base;
	ProcessTable processes;
	Owners owners;
	Closer closer;
	HostProcess *self;
} World;

static void ignore_exit(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

static void ignore_closed(void *context)
{
	(void)context;
}

static void make_sys(World *world, const char *device)
{
	char path[128];

	snprintf(world->sys, sizeof(world->sys), "/tmp/vaild-sys-XXXXXX");
	cr_assert_not_null(mkdtemp(world->sys));
	snprintf(path, sizeof(path), "%s/class", world->sys);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/class/kfd", world->sys);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/class/kfd/kfd", world->sys);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/class/kfd/kfd/dev", world->sys);
	FILE *file = fopen(path, "we");
	fputs(device, file);
	fclose(file);
}

static void remove_sys(World *world)
{
	static const char *const parts[] = { "/class/kfd/kfd/dev", "/class/kfd/kfd", "/class/kfd",
					     "/class", "" };
	char path[128];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", world->sys, parts[i]);
		cr_assert_eq(remove(path), 0);
	}
}

static void world_begin(World *world, const char *device)
{
	make_sys(world, device);
	Roots roots = { .proc = "/proc", .sys = world->sys };
	world->base = event_base_new();
	event_base_priority_init(world->base, 2);
	process_table_init(&world->processes, world->base, &roots, ignore_exit, NULL);
	owners_init(&world->owners);
	closer_init(&world->closer, world->base, ignore_closed, NULL);
	cr_assert_eq(process_table_open(&world->processes, getpid(), &world->self), EVIDENCE_FOUND);
	host_process_ref(world->self);
}

static void world_end(World *world)
{
	host_process_unref(world->self);
	while (owners_first(&world->owners)) /* until every child that closes is done */
		event_base_loop(world->base, EVLOOP_ONCE);
	closer_deinit(&world->closer);
	process_table_deinit(&world->processes);
	owners_deinit(&world->owners);
	event_base_free(world->base);
	remove_sys(world);
}

static int count_descriptors(void)
{
	int count = 0;

	for (int descriptor = 0; descriptor < 1024; descriptor++)
		count += fcntl(descriptor, F_GETFD) >= 0;
	return count;
}

static Evidence find(World *world, GraphicsContextKind *ret_kind)
{
	Owner *owner = owner_get(&world->owners, getuid());
	Evidence evidence = graphics_context_find(world->self, &world->closer, owner, ret_kind);

	owner_put(owner);
	return evidence;
}

Test(graphics_context, an_open_device_of_the_number_is_one)
{
	World world;
	GraphicsContextKind kind = GRAPHICS_CONTEXT_MAX;

	world_begin(&world, "1:7\n"); /* /dev/full */
	cr_assert_eq(find(&world, &kind), EVIDENCE_ABSENT);
	int device = open("/dev/full", O_RDWR | O_CLOEXEC);
	cr_assert_eq(find(&world, &kind), EVIDENCE_FOUND);
	cr_assert_eq(kind, GRAPHICS_CONTEXT_KFD);
	close(device);
	world_end(&world);
}

Test(graphics_context, a_node_that_was_only_looked_up_is_none)
{
	World world;
	GraphicsContextKind kind;

	world_begin(&world, "1:7\n");
	int device = open("/dev/full", O_PATH | O_CLOEXEC);
	cr_assert_geq(device, 0);
	cr_assert_eq(find(&world, &kind), EVIDENCE_ABSENT);
	close(device);
	world_end(&world);
}

Test(graphics_context, a_regular_file_is_none)
{
	World world;
	GraphicsContextKind kind;

	world_begin(&world, "1:7\n");
	int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(find(&world, &kind), EVIDENCE_ABSENT);
	close(file);
	world_end(&world);
}

Test(graphics_context, what_was_fetched_is_closed)
{
	World world;
	GraphicsContextKind kind;
	int before = count_descriptors();

	world_begin(&world, "1:7\n");
	find(&world, &kind);
	world_end(&world);
	cr_assert_eq(count_descriptors(), before);
}
