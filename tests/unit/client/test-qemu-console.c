/* SPDX-License-Identifier: MIT */
/*
 * vail-qemu's consoles: calls from QEMU change the shared surfaces. A fake agent counts shared and
 * unshared surfaces, and reads the shared memory.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/common/object-image.h"
#include "client/vail-qemu/console.h"
#include "client/vail-qemu/pixman-format.h"
#include "proto/macros.h"
#include "tests/support/fake-server.h"
#include "tests/unit/client/logged-messages.h"

#define XRGB 0x20020888u
#define ARGB 0x20028888u
#define XBGR 0x20030888u

/* ---- Fake agent ---- */

static unsigned int shared, unshared;
static bool had_gap;                  /* nothing was shared for a moment, after something was */
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
	had_gap = had_gap || (shared > 0 && shared == unshared);
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
	shared = unshared = 0;
	had_gap = false;
	logged_messages_clear();
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

static Surface *screen_of(Console *console)
{
	return buffers_surface(&console->screen);
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

/* Makes memory for 64 x 32 pixels of four bytes without gaps. */
static int new_screen_memory(void)
{
	int memory = memfd_create("screen", MFD_CLOEXEC);

	cr_assert_eq(ftruncate(memory, 32 * 256), 0);
	return memory;
}

static SharedPixels map_of(int memory)
{
	return (SharedPixels){ .fd = memory,
			       .width = 64,
			       .height = 32,
			       .stride = 256,
			       .format = pixman_format_to_drm(XRGB) };
}

static void draw(int memory, uint32_t x, uint32_t y, uint32_t pixel)
{
	cr_assert_eq(pwrite(memory, &pixel, sizeof(pixel), (off_t)(y * 256 + x * 4)), 4);
}

/* Checks that the damage is exactly one rectangle, and removes it as the agent would. */
static void take_damage(Surface *surface, VailRectangle expected)
{
	const VailRectangle *real = surface->damage.rectangles;

	cr_assert_eq(surface->damage.count, 1u, "%zu rectangles", surface->damage.count);
	cr_assert_eq(memcmp(real, &expected, sizeof(expected)), 0, "%u,%u %ux%u", real->x, real->y,
		     real->width, real->height);
	surface->damage.count = 0;
}

static const int32_t everything[] = { 0, 0, INT32_MAX, INT32_MAX };

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
	int memory = memfd_create("screen", MFD_CLOEXEC);
	SharedPixels map = map_of(memory);
	uint32_t pixel = 7;

	map.offset = 4096;
	cr_assert_eq(ftruncate(memory, 4096 + 32 * 256), 0);
	console_show_memory(&fixture.console, &map);
	Surface *screen = screen_of(&fixture.console);
	cr_assert_str_eq(screen->object.name, "console 3");
	cr_assert_eq(screen->object.planes[0].offset, 4096u);
	cr_assert_eq(screen->object.format, VAIL_FORMAT('X', 'R', '2', '4'));
	cr_assert_eq(pixel_of(screen, 63, 31), 0u);
	cr_assert_eq(pwrite(memory, &pixel, sizeof(pixel), 4096 + 256 + 4), 4);
	close(memory); /* the console has its own duplicate */
	console_redraw(&fixture.console, (int32_t[]){ -1, -1, 3, 4 });
	console_redraw(&fixture.console, (int32_t[]){ 64, 0, 3, 4 });
	take_damage(screen, (VailRectangle){ 1, 1, 1, 1 });
	console_disable(&fixture.console);
	cr_assert_not(surface_is_shown(screen));
	console_redraw(&fixture.console, (int32_t[]){ 0, 0, 3, 4 });
	cr_assert_eq(screen->damage.count, 0u);
}

/* With blob=on, QEMU tells that it has released the former buffer as it tells that the screen is
 * off. */
Test(qemu_console, a_screen_stays_when_its_former_buffer_is_released)
{
	SharedPixels map = map_of(new_screen_memory()), other = map_of(new_screen_memory());
	Console *console = &fixture.console;

	console_show_dmabuf(console, &map);
	for (int i = 0; i < 6; i++) {
		console_show_dmabuf(console, i % 3 == 0 ? &other : &map); /* also the same again */
		console_disable(console);
		cr_assert(surface_is_shown(screen_of(console)), "flip %d", i);
	}
	console_disable(console);
	cr_assert_not(surface_is_shown(screen_of(console)),
		      "only one buffer is released at a flip");

	console_show_dmabuf(console, &map);
	console_disable(console);
	cr_assert_not(surface_is_shown(screen_of(console)), "the first screen replaces no other");

	console_show_dmabuf(console, &map);
	console_show_dmabuf(console, &other);
	console_redraw(console, everything);
	console_disable(console);
	cr_assert_not(surface_is_shown(screen_of(console)),
		      "a screen that was drawn is turned off");

	console_show_dmabuf(console, &map);
	console_show_memory(console, &other);
	console_disable(console);
	cr_assert_not(surface_is_shown(screen_of(console)), "memory is not released");
	close(map.fd);
	close(other.fd);
}

/* QEMU 10 sends only the Disable of the former buffer, if it comes before the next buffer is sent.
 */
Test(qemu_console, a_screen_that_is_drawn_after_its_dma_buf_is_disabled_is_asked_for_again)
{
	SharedPixels map = map_of(new_screen_memory()), other = map_of(new_screen_memory());
	Console *console = &fixture.console;

	console_show_dmabuf(console, &map);
	console_redraw(console, everything);
	console_disable(console);
	cr_assert_not(console->is_stale, "the screen may be off");
	console_redraw(console, everything);
	cr_assert(console->is_stale);

	console->is_stale = false;
	console_show_dmabuf(console,
			    &other); /* QEMU's own picture, which a new listener gets first */
	console_show_dmabuf(console, &map);
	console_disable(console);
	console_redraw(console, everything);
	cr_assert(console->is_stale, "the next buffer was dropped, too");

	console->is_stale = false;
	console_disable(console);
	console_redraw(console, everything);
	cr_assert_not(console->is_stale, "QEMU cannot export its screen");

	console_show_memory(console, &map);
	console_disable(console);
	console_redraw(console, everything);
	cr_assert_not(console->is_stale, "an update of memory was late");
	close(map.fd);
	close(other.fd);
}

Test(qemu_console, redraws_that_change_nothing_are_not_reported)
{
	int memory = new_screen_memory();
	SharedPixels map = map_of(memory);

	console_show_memory(&fixture.console, &map);
	Surface *screen = screen_of(&fixture.console);
	for (int i = 0; i < 30; i++)
		console_redraw(&fixture.console, everything);
	console_show_memory(&fixture.console, &map); /* the same buffer */
	cr_assert_eq(screen->damage.count, 0u);
	for (uint32_t y = 16; y < 18; y++)
		for (uint32_t x = 8; x < 16; x++)
			draw(memory, x, y, 0xffffff);
	console_redraw(&fixture.console, everything);
	take_damage(screen, (VailRectangle){ 8, 16, 8, 2 });
	console_redraw(&fixture.console, everything);
	cr_assert_eq(screen->damage.count, 0u);
	draw(memory, 0, 0, 1);
	draw(memory, 63, 31, 1);
	console_redraw(&fixture.console, everything);
	cr_assert_eq(screen->damage.count, 2u, "changes far apart are different rectangles");
	screen->damage.count = 0;
	draw(memory, 5, 5, 1);
	console_redraw(&fixture.console, (int32_t[]){ 6, 0, 10, 10 });
	cr_assert_eq(screen->damage.count, 0u, "the change is outside the redrawn rectangle");
	console_redraw(&fixture.console, (int32_t[]){ 5, 5, 1, 1 });
	take_damage(screen, (VailRectangle){ 5, 5, 1, 1 });
	close(memory);
}

/* Damage is in pixels of the picture, whatever row comes first in memory. */
Test(qemu_console, the_bottom_row_may_come_first)
{
	int memory = new_screen_memory();
	SharedPixels map = map_of(memory);

	map.is_bottom_up = true;
	console_show_memory(&fixture.console, &map);
	Surface *screen = screen_of(&fixture.console);
	cr_assert_eq(screen->object.first_row, VAIL_FIRST_ROW_BOTTOM);
	draw(memory, 3, 2, 1);
	console_redraw(&fixture.console, everything);
	take_damage(screen, (VailRectangle){ 3, 29, 1, 1 });
	draw(memory, 4, 30, 1);
	console_redraw(&fixture.console, (int32_t[]){ 0, 0, 64, 1 });
	cr_assert_eq(screen->damage.count, 0u);
	console_redraw(&fixture.console, (int32_t[]){ 0, 1, 64, 1 });
	take_damage(screen, (VailRectangle){ 4, 1, 1, 1 });
	close(memory);
}

/* The memory ends with the last pixel. If it shrinks, redraws count as changes. */
Test(qemu_console, shrunken_memory_is_redrawn_without_faults)
{
	int memory = memfd_create("screen", MFD_CLOEXEC);
	SharedPixels map = map_of(memory);

	map.width = 63;
	cr_assert_eq(ftruncate(memory, 31 * 256 + 63 * 4), 0);
	console_show_memory(&fixture.console, &map);
	Surface *screen = screen_of(&fixture.console);
	console_redraw(&fixture.console, everything);
	cr_assert_eq(screen->damage.count, 0u);
	cr_assert_eq(ftruncate(memory, 31 * 256 + 63 * 4 - 1), 0);
	for (int i = 0; i < 3; i++) {
		console_redraw(&fixture.console, everything);
		take_damage(screen, (VailRectangle){ 0, 0, 63, 32 });
	}
	close(memory);
}

/* The CPU cannot find rows in tiled memory, so each redraw counts as a change. */
Test(qemu_console, tiled_memory_is_not_compared)
{
	int memory = new_screen_memory();
	SharedPixels map = map_of(memory);

	map.modifier = 1;
	console_show_memory(&fixture.console, &map);
	for (int i = 0; i < 3; i++) {
		console_redraw(&fixture.console, (int32_t[]){ 1, 2, 3, 4 });
		take_damage(screen_of(&fixture.console), (VailRectangle){ 1, 2, 3, 4 });
	}
	close(memory);
}

/* ---- Flips ---- */

Test(qemu_console, flips_between_buffers_use_the_same_handles)
{
	int memories[3], copy;
	char handles[3][VAIL_HANDLE_SIZE];
	Console *console = &fixture.console;

	for (size_t i = 0; i < 3; i++) {
		SharedPixels map = map_of(memories[i] = new_screen_memory());

		console_show_memory(console, &map);
		strcpy(handles[i], screen_of(console)->handle);
	}
	cr_assert_eq(shared, 3u);
	for (size_t i = 0; i < 30; i++) {
		copy = dup(memories[i % 3]); /* the number of the fd means nothing */
		SharedPixels map = map_of(copy);

		console_show_memory(console, &map);
		cr_assert_str_eq(screen_of(console)->handle, handles[i % 3]);
		take_damage(screen_of(console), (VailRectangle){ 0, 0, 64, 32 });
		close(copy);
	}
	cr_assert_eq(shared, 3u);
	cr_assert_eq(unshared, 0u);
	for (size_t i = 0; i < 3; i++)
		close(memories[i]);
}

/* Shows as many new buffers, each of 32 rows of this stride or more. */
static void show_new_buffers(Console *console, unsigned int count, uint32_t stride)
{
	for (unsigned int i = 0; i < count; i++) {
		int memory = memfd_create("screen", MFD_CLOEXEC);
		SharedPixels map = map_of(memory);

		map.stride = stride > map.stride ? stride : map.stride;
		cr_assert_eq(ftruncate(memory, (off_t)map.stride * 32), 0);
		console_show_memory(console, &map);
		close(memory);
	}
}

Test(qemu_console, a_new_buffer_is_shared_before_another_goes)
{
	Console *console = &fixture.console;

	show_new_buffers(console, 40, 1);
	cr_assert_eq(shared, 40u);
	cr_assert_eq(shared - unshared, SCREEN_BUFFERS_MAX, "small buffers are kept");
	show_new_buffers(console, 40, 128 << 10); /* of 4 MiB each */
	cr_assert_eq(shared - unshared, SCREEN_BUFFERS_SIZE_MAX >> 22);
	show_new_buffers(console, 40, 1 << 20);
	cr_assert_eq(shared - unshared, SCREEN_BUFFERS_KEPT, "32 MiB each");
	for (uint32_t width = 60; width < 64; width++) {
		int memory = new_screen_memory();
		SharedPixels map = map_of(memory);

		map.width = width;
		console_show_memory(console, &map);
		close(memory);
		cr_assert_eq(shared - unshared, 1u, "buffers of the former mode are dropped");
	}
	static const uint32_t some[6] = { 0 };
	Pixels bytes = pixels(3, 2, XRGB, some, sizeof(some));
	console_show_pixels(console, &bytes);
	bytes = pixels(2, 3, XRGB, some, sizeof(some));
	console_show_pixels(console, &bytes);
	bytes = pixels(2, 2, ARGB, some, 16);
	cr_assert_eq(shared - unshared, 1u);
	cr_assert_not(had_gap);
	console_disable(console);
	cr_assert_eq(shared, unshared);
}

/* Only the first redraw of each buffer is passed on; the picture is copied for the second one. */
Test(qemu_console, a_buffer_that_stays_is_compared_again)
{
	int first = new_screen_memory(), second = new_screen_memory();
	SharedPixels map = map_of(first), other = map_of(second);
	Console *console = &fixture.console;

	console_show_memory(console, &map);
	console_show_memory(console, &other);
	console_show_memory(console, &map);
	take_damage(screen_of(console), (VailRectangle){ 0, 0, 64, 32 });
	console_redraw(console, (int32_t[]){ 0, 0, 64, 1 });
	take_damage(screen_of(console), (VailRectangle){ 0, 0, 64, 1 });
	console_redraw(console, (int32_t[]){ 0, 0, 64, 1 });
	take_damage(screen_of(console), (VailRectangle){ 0, 0, 64, 32 });
	console_redraw(console, everything);
	cr_assert_eq(screen_of(console)->damage.count, 0u);
	close(first);
	close(second);
}

Test(qemu_console, the_part_of_a_buffer_belongs_to_its_identity)
{
	int memory = memfd_create("screen", MFD_CLOEXEC);
	SharedPixels map = map_of(memory);

	cr_assert_eq(ftruncate(memory, 4096 + 32 * 256), 0);
	console_show_memory(&fixture.console, &map);
	map.offset = 4096;
	console_show_memory(&fixture.console, &map);
	cr_assert_eq(shared, 2u);
	cr_assert_eq(unshared, 0u);
	map.is_bottom_up = true;
	console_show_memory(&fixture.console, &map);
	cr_assert_eq(shared, 3u);
	cr_assert_eq(unshared, 2u);
	close(memory);
}

/* ---- Formats ---- */

Test(qemu_console, a_screen_is_opaque)
{
	static const struct {
		char shown[5], expected[5];
	} rows[] = { { "AB24", "XB24" }, { "AR24", "XR24" }, { "AR30", "XR30" },
		     { "AB4H", "XB4H" }, { "XR24", "XR24" }, { "AB10", "AB10" } };
	static const uint32_t some[6] = { 0 };
	int memory = new_screen_memory();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		SharedPixels map = map_of(memory);
		char text[5];

		memcpy(&map.format, rows[i].shown, 4);
		console_show_memory(&fixture.console, &map);
		cr_assert_str_eq(
			object_image_format(screen_of(&fixture.console)->object.format, text),
			rows[i].expected);
	}
	Pixels bytes = pixels(3, 2, ARGB, some, sizeof(some));
	console_show_pixels(&fixture.console, &bytes);
	cr_assert_eq(screen_of(&fixture.console)->object.format, VAIL_FORMAT('X', 'R', '2', '4'));
	console_define_cursor(&fixture.console, 0, 0, &bytes);
	cr_assert_eq(buffers_surface(&fixture.console.cursor)->object.format,
		     VAIL_FORMAT('A', 'R', '2', '4'));
	close(memory);
}

Test(qemu_console, memory_of_an_unknown_format_is_not_shared)
{
	console_show_memory(&fixture.console,
			    &(SharedPixels){ .fd = 0, .width = 1, .height = 1, .stride = 4 });
	cr_assert_not(surface_is_shown(screen_of(&fixture.console)));
	cr_assert_eq(logged_messages_count(), 1u);
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
	cr_assert_eq(logged_messages_count(), 1u, "copying is logged");
	cr_assert_eq(pixel_of(screen_of(console), 0, 1), 4u);
	cr_assert_eq(pixel_of(screen_of(console), 2, 0), 7u);
	cr_assert_eq(pixel_of(screen_of(console), 2, 1), 8u);
	take_damage(screen_of(console), (VailRectangle){ 2, 0, 1, 2 });
	console_show_pixels(console, &screen); /* the same mode, so the same object */
	cr_assert_eq(shared, 1u);
	cr_assert_eq(pixel_of(screen_of(console), 2, 0), 3u);
	take_damage(screen_of(console), (VailRectangle){ 2, 0, 1, 2 });
	screen = pixels(2, 3, XRGB, first, sizeof(first));
	console_show_pixels(console, &screen);
	cr_assert_eq(shared, 2u);
	cr_assert_eq(unshared, 1u);
	cr_assert_eq(logged_messages_count(), 1u);
}

Test(qemu_console, copies_that_change_nothing_are_not_reported)
{
	static const uint32_t first[6] = { 1, 2, 3, 4, 5, 6 }, part[2] = { 5, 9 };
	Console *console = &fixture.console;
	Pixels screen = pixels(3, 2, XRGB, first, sizeof(first));
	Pixels row = pixels(2, 1, XRGB, part, sizeof(part));

	console_show_pixels(console, &screen);
	console_show_pixels(console, &screen);
	console_redraw(console, (int32_t[]){ 0, 0, 0, 0 });
	cr_assert_eq(screen_of(console)->damage.count, 0u);
	console_copy_pixels(console, 1, 1, &row);
	take_damage(screen_of(console), (VailRectangle){ 2, 1, 1, 1 });
	console_copy_pixels(console, 1, 1, &row);
	cr_assert_eq(screen_of(console)->damage.count, 0u);
}

/* The fd of a copy is closed with its memory. Another file may have its number from then on. */
Test(qemu_console, hiding_a_copy_twice_closes_no_other_file)
{
	static const uint32_t some[6] = { 0 };
	Console *console = &fixture.console;
	Pixels screen = pixels(3, 2, XRGB, some, sizeof(some));

	console_show_pixels(console, &screen);
	int number = screen_of(console)->object.planes[0].descriptor;
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
	cr_assert_eq(screen_of(console)->damage.count, 0u);
}

/* An older QEMU changes its mode without notice, and sends parts of the new screen. */
Test(qemu_console, mode_change_makes_the_copy_stale)
{
	static const uint32_t some[12] = { 0 };
	Console *console = &fixture.console;
	Pixels screen = pixels(3, 2, XRGB, some, 24), row = pixels(4, 1, XRGB, some, 16);
	Pixels other = pixels(1, 1, XBGR, some, 4);

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
	Surface *cursor = buffers_surface(&fixture.console.cursor);
	Pixels look = pixels(2, 2, ARGB, image, sizeof(image));
	CursorPlace place;

	console_move_cursor(&fixture.console, 30, 40, true);
	cr_assert_not(surface_is_shown(cursor));
	console_define_cursor(&fixture.console, 1, 1, &look);
	cursor = buffers_surface(&fixture.console.cursor);
	cr_assert_str_eq(cursor->object.name, "console 3 cursor");
	cr_assert(place_when_shared.x == 30 && place_when_shared.y == 40 &&
		  place_when_shared.is_visible && place_when_shared.hot_x == 1);
	cr_assert_eq(pixel_of(cursor, 0, 0), 0xff000001u);
	console_move_cursor(&fixture.console, -5, 6, true);
	console_define_cursor(&fixture.console, 0, 1, &look);
	cr_assert_eq(shared, 1u);
	take_damage(cursor, (VailRectangle){ 0, 0, 2, 2 });
	console_move_cursor(&fixture.console, -5, 6, true);
	console_define_cursor(&fixture.console, 0, 1, &look);
	cr_assert_eq(cursor->damage.count, 0u, "nothing has changed");
	cr_assert_eq(pread(cursor->object.planes[0].descriptor, &place, sizeof(place), 16),
		     (ssize_t)sizeof(place));
	cr_assert(place.x == -5 && place.y == 6 && place.is_visible && place.hot_x == 0 &&
		  place.hot_y == 1);
	look.width = 513;
	console_define_cursor(&fixture.console, 0, 1, &look);
	cr_assert_eq(shared, 1u);
}

Test(qemu_console, comparing_has_a_budget_of_cpu_time)
{
	CpuBudget budget = { .left = CPU_BUDGET_MAX, .filled_at = 5000 };

	cr_assert(cpu_budget_refill(&budget, 1000000000000));
	cr_assert_eq(budget.left, CPU_BUDGET_MAX);
	budget.left = -800;
	cr_assert_not(cpu_budget_refill(&budget, 1000000000000 + 800 * CPU_BUDGET_PART));
	cr_assert(cpu_budget_refill(&budget, 1000000000000 + 801 * CPU_BUDGET_PART));
	cr_assert_eq(budget.left, 1);
}

/* Without budget each redraw counts as a change, and the next one with budget shows all of it. */
Test(qemu_console, redraws_beyond_the_budget_are_passed_on)
{
	int memory = new_screen_memory();
	SharedPixels map = map_of(memory);
	CpuBudget *budget = &fixture.console.redraw.budget;

	console_show_memory(&fixture.console, &map);
	Surface *screen = screen_of(&fixture.console);
	for (int i = 0; i < 3; i++) {
		budget->left = INT64_MIN / 2;
		console_redraw(&fixture.console, (int32_t[]){ 1, 2, 3, 4 });
		take_damage(screen, (VailRectangle){ 1, 2, 3, 4 });
	}
	budget->left = CPU_BUDGET_MAX;
	console_redraw(&fixture.console, (int32_t[]){ 1, 2, 3, 4 });
	take_damage(screen, (VailRectangle){ 0, 0, 64, 32 });
	console_redraw(&fixture.console, (int32_t[]){ 1, 2, 3, 4 });
	cr_assert_eq(screen->damage.count, 0u);
	close(memory);
}
