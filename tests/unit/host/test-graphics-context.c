/* SPDX-License-Identifier: MIT */
/*
 * Checks that only an open device with the right number is a graphics context: not a name, not a
 * node opened with O_PATH, and not another device of the same driver.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/host/process/graphics-context.h"
#include "tests/support/child.h"

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
	FsRoots roots;
	int self; /* a pidfd */
} Fixture;

static Fixture fixture;

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

static void set_up(void)
{
	make_sys("1:7\n"); /* /dev/full */
	fixture.roots = (FsRoots){ .proc = "/proc", .sys = fixture.sys };
	fixture.self = pidfd_open(getpid(), 0);
}

static void tear_down(void)
{
	close(fixture.self);
	remove_sys();
}

TestSuite(graphics_context, .init = set_up, .fini = tear_down);

/* Searches this process. */
static Lookup find(GraphicsContextKind *ret_kind)
{
	const SearchedProcess process = { .pid = getpid(), .pidfd = fixture.self };

	return graphics_context_find(&fixture.roots, &process, ret_kind);
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

static Lookup find_by_pidfd(pid_t pid, int pidfd)
{
	const SearchedProcess process = { .pid = pid, .pidfd = pidfd };
	GraphicsContextKind kind;

	return graphics_context_find(&fixture.roots, &process, &kind);
}

Test(graphics_context, a_process_that_has_ended)
{
	pid_t child = start_child();
	int pidfd = pidfd_open(child, 0);

	cr_assert_eq(find_by_pidfd(child, fixture.self), LOOKUP_ABSENT);
	end_child(child);
	cr_assert_neq(find_by_pidfd(child, pidfd), LOOKUP_ABSENT);
	/* Another process may have the number by now. */
	cr_assert_eq(find_by_pidfd(getpid(), pidfd), LOOKUP_GONE);
	close(pidfd);
}
