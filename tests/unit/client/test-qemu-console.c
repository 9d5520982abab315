/* SPDX-License-Identifier: MIT */
/*
 * vail-qemu's consoles: calls from QEMU change the shared surfaces. A fake agent counts shared and
 * unshared surfaces, and reads the shared memory.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "client/vail-qemu/console.h"
#include "client/vail-qemu/pixman-format.h"
#include "tests/support/fake-server.h"

#define XRGB 0x20020888u
#define ARGB 0x20028888u

/* ---- Fake agent ---- */

static unsigned int shared, unshared, messages;
static CursorPlace place_when_shared; /* after the image, at the time when it was last shared */

void agent_add(Agent *agent, Surface *surface)
{
	LIST_INSERT_HEAD(&agent->surfaces, surface, entries);
}

void agent_remove(Agent *agent, Surface *surface)
{
	agent_unshare(agent, surface);
	LIST_REMOVE(surface, entries);
}

void agent_share(Agent *agent, Surface *surface)
{
	agent_unshare(agent, surface);
	cr_assert(surface_is_shown(surface));
	snprintf(surface->handle, sizeof(surface->handle), "%032u", ++shared);
	place_when_shared = (CursorPlace){ 0 };
	pread(surface->object.planes[0].descriptor, &place_when_shared, sizeof(place_when_shared),
	      (off_t)(surface->object.planes[0].stride * surface->object.height));
}

void agent_unshare(Agent *agent, Surface *surface)
{
	(void)agent;
	if (surface_is_shared(surface))
		unshared++;
	surface->handle[0] = '\0';
	surface->damage.count = 0;
}

void log_message(const char *format, ...)
{
	(void)format;
	messages++;
}

/* ---- Fixture ---- */

typedef struct Fixture {
	Agent agent;
	Console console;
	size_t open_fds; /* when the fixture was made */
} Fixture;

static Fixture fixture;

static void set_up(void)
{
	fixture = (Fixture){ .open_fds = count_open_fds() };
	shared = unshared = messages = 0;
	LIST_INIT(&fixture.agent.surfaces);
	console_init(&fixture.console, 3, &fixture.agent);
}

/* Checks that all surfaces and fds have been released. */
static void tear_down(void)
{
	console_deinit(&fixture.console);
	cr_assert_eq(shared, unshared);
	cr_assert(LIST_EMPTY(&fixture.agent.surfaces));
	cr_assert_eq(count_open_fds(), fixture.open_fds);
}

TestSuite(qemu_console, .init = set_up, .fini = tear_down);

static Pixels pixels(uint32_t width, uint32_t height, uint32_t format, const void *data,
		     size_t size)
{
	return (Pixels){ .width = width,
			 .height = height,
			 .stride = 4 * width,
			 .format = format,
			 .data = data,
			 .size = size };
}

/* Reads a pixel from the shared memory. */
static uint32_t pixel_of(const Surface *surface, uint32_t x, uint32_t y)
{
	const VailPlane *plane = &surface->object.planes[0];
	uint32_t pixel = 0;

	cr_assert_eq(pread(plane->descriptor, &pixel, sizeof(pixel),
			   (off_t)(plane->offset + y * plane->stride + 4 * x)),
		     (ssize_t)sizeof(pixel));
	return pixel;
}

Test(qemu_console, memory_is_shared_without_a_copy)
{
	const Surface *screen = &fixture.console.screen;
	int memory = memfd_create("screen", MFD_CLOEXEC);
	SharedPixels map = { .fd = memory,
			     .offset = 4096,
			     .width = 64,
			     .height = 32,
			     .stride = 256,
			     .format = pixman_format_to_drm(XRGB) };

	cr_assert_eq(ftruncate(memory, 4096 + 32 * 256), 0);
	console_show_memory(&fixture.console, &map);
	cr_assert_str_eq(screen->object.name, "console 3");
	cr_assert_eq(screen->object.planes[0].offset, 4096u);
	cr_assert_eq(screen->object.format, VAIL_FORMAT('X', 'R', '2', '4'));
	close(memory); /* the console has its own duplicate */
	cr_assert_eq(pixel_of(screen, 63, 31), 0u);
	console_damage(&fixture.console, (int32_t[]){ -1, -1, 3, 4 });
	console_damage(&fixture.console, (int32_t[]){ 64, 0, 3, 4 });
	cr_assert_eq(screen->damage.count, 1u);
	cr_assert_eq(screen->damage.rectangles[0].height, 3u);
	console_disable(&fixture.console);
	cr_assert_not(surface_is_shown(screen));
	console_damage(&fixture.console, (int32_t[]){ 0, 0, 3, 4 });
	cr_assert_eq(screen->damage.count, 0u);
}

Test(qemu_console, memory_of_an_unknown_format_is_not_shared)
{
	console_show_memory(&fixture.console,
			    &(SharedPixels){ .fd = 0, .width = 1, .height = 1, .stride = 4 });
	cr_assert_not(surface_is_shown(&fixture.console.screen));
	cr_assert_eq(messages, 1u);
}

Test(qemu_console, each_mode_has_one_copy)
{
	static const uint32_t first[6] = { 1, 2, 3, 4, 5, 6 }, part[2] = { 7, 8 };
	Console *console = &fixture.console;
	Pixels screen = pixels(3, 2, XRGB, first, sizeof(first));
	Pixels column = pixels(1, 2, XRGB, part, sizeof(part));

	console_show_pixels(console, &screen);
	console_copy_pixels(console, 2, 0, &column);
	cr_assert_eq(shared, 1u);
	cr_assert_eq(messages, 1u, "copying is logged");
	cr_assert_eq(pixel_of(&console->screen, 0, 1), 4u);
	cr_assert_eq(pixel_of(&console->screen, 2, 0), 7u);
	cr_assert_eq(pixel_of(&console->screen, 2, 1), 8u);
	cr_assert_eq(console->screen.damage.count, 1u);
	console_show_pixels(console, &screen); /* the same mode, so the same object */
	cr_assert_eq(shared, 1u);
	cr_assert_eq(pixel_of(&console->screen, 2, 0), 3u);
	screen = pixels(2, 3, XRGB, first, sizeof(first));
	console_show_pixels(console, &screen);
	cr_assert_eq(shared, 2u);
	cr_assert_eq(unshared, 1u);
	cr_assert_eq(messages, 1u);
}

/* The fd of a copy is closed with its memory. Another file may have its number from then on. */
Test(qemu_console, hiding_a_copy_twice_closes_no_other_file)
{
	static const uint32_t some[6] = { 0 };
	Console *console = &fixture.console;
	Pixels screen = pixels(3, 2, XRGB, some, sizeof(some));

	console_show_pixels(console, &screen);
	int number = console->screen.object.planes[0].descriptor;
	console_disable(console);
	int other = memfd_create("other", MFD_CLOEXEC);
	cr_assert_eq(other, number, "the lowest free number");
	console_disable(console);
	cr_assert_eq(fcntl(other, F_GETFD), FD_CLOEXEC);
	close(other);
}

/* Invalid sizes cause neither reads beyond the data nor writes beyond the screen. */
Test(qemu_console, pixels_of_invalid_size_are_ignored)
{
	static const uint32_t some[6] = { 0 };
	Console *console = &fixture.console;
	Pixels good = pixels(3, 2, XRGB, some, sizeof(some));
	Pixels wrong[] = { good, good, good, good, good, good };

	wrong[0].size--;
	wrong[1].width = 4;
	wrong[2].height = 3;
	wrong[3].stride = 11;
	wrong[4].height = UINT32_MAX;
	wrong[5].width = 0;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		console_show_pixels(console, &wrong[i]);
	cr_assert_eq(shared, 0u);
	console_show_pixels(console, &good);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		console_copy_pixels(console, 0, 0, &wrong[i]);
	cr_assert_not(console->is_stale);
	cr_assert_eq(console->screen.damage.count, 0u);
}

/* An older QEMU changes its mode without notice, and sends parts of the new screen. */
Test(qemu_console, mode_change_makes_the_copy_stale)
{
	static const uint32_t some[12] = { 0 };
	Console *console = &fixture.console;
	Pixels screen = pixels(3, 2, XRGB, some, 24), row = pixels(4, 1, XRGB, some, 16);
	Pixels other = pixels(1, 1, ARGB, some, 4);

	console_check_size(console, 3, 2);
	console_show_pixels(console, &screen);
	console_check_size(console, 3, 2);
	cr_assert_not(console->is_stale);
	console_copy_pixels(console, 0, 0, &row);
	cr_assert(console->is_stale);
	console_show_pixels(console, &screen);
	cr_assert_not(console->is_stale);
	console_copy_pixels(console, 0, 0, &other);
	cr_assert(console->is_stale);
	console_show_pixels(console, &screen);
	console_check_size(console, 3, 3);
	cr_assert(console->is_stale);
}

Test(qemu_console, cursor_place_follows_its_image)
{
	static const uint32_t image[4] = { 0xff000001, 2, 3, 4 };
	Surface *cursor = &fixture.console.cursor;
	Pixels look = pixels(2, 2, ARGB, image, sizeof(image));
	CursorPlace place;

	console_move_cursor(&fixture.console, 30, 40, true);
	cr_assert_not(surface_is_shown(cursor));
	console_define_cursor(&fixture.console, 1, 1, &look);
	cr_assert_str_eq(cursor->object.name, "console 3 cursor");
	cr_assert(place_when_shared.x == 30 && place_when_shared.y == 40 &&
		  place_when_shared.is_visible && place_when_shared.hot_x == 1);
	cr_assert_eq(pixel_of(cursor, 0, 0), 0xff000001u);
	console_move_cursor(&fixture.console, -5, 6, true);
	console_define_cursor(&fixture.console, 0, 1, &look);
	cr_assert_eq(shared, 1u);
	cr_assert_eq(cursor->damage.count, 1u);
	cr_assert_eq(pread(cursor->object.planes[0].descriptor, &place, sizeof(place), 16),
		     (ssize_t)sizeof(place));
	cr_assert(place.x == -5 && place.y == 6 && place.is_visible && place.hot_x == 0 &&
		  place.hot_y == 1);
	look.width = 513;
	console_define_cursor(&fixture.console, 0, 1, &look);
	cr_assert_eq(shared, 1u);
}

Test(qemu_console, pixman_formats_are_converted_to_drm)
{
	cr_assert_eq(pixman_format_to_drm(XRGB), VAIL_FORMAT('X', 'R', '2', '4'));
	cr_assert_eq(pixman_format_to_drm(0x20038888), VAIL_FORMAT('A', 'B', '2', '4'));
	cr_assert_eq(pixman_format_to_drm(0x10020565), VAIL_FORMAT('R', 'G', '1', '6'));
	cr_assert_eq(pixman_format_to_drm(0), 0u);
	cr_assert_eq(pixman_format_size(XRGB), 4u);
	cr_assert_eq(pixman_format_size(0x10020565), 2u);
}
