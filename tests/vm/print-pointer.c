/* SPDX-License-Identifier: MIT */
/*
 * print-pointer: runs in a guest. Finds its input device with absolute positions, and prints a line
 * for each report of it: "at X Y", where the device's corners are 0 and 32767, and "+CODE" or
 * "-CODE" for a button that went down or up. Prints "pointer MAXIMUM" first. Linked statically.
 */
#include <linux/input.h>

#include "tests/support/helper.h"

#define DEVICES_MAX 16

/* Opens the first input device that has an absolute X axis, and tells the axis' largest value. */
static int open_pointer(int *ret_maximum)
{
	for (int i = 0; i < DEVICES_MAX; i++) {
		struct input_absinfo axis;
		char path[40];

		snprintf(path, sizeof(path), "/dev/input/event%d", i);
		int device = open(path, O_RDONLY);
		if (device < 0)
			continue;
		if (ioctl(device, EVIOCGABS(ABS_X), &axis) == 0 && axis.maximum > 0) {
			*ret_maximum = axis.maximum;
			return device;
		}
		close(device);
	}
	errx(1, "no input device has absolute positions");
}

static void handle(const struct input_event *event, int place[static 2], bool *has_moved)
{
	if (event->type == EV_ABS && event->code <= ABS_Y) {
		place[event->code] = event->value;
		*has_moved = true;
	} else if (event->type == EV_KEY) {
		printf("%c%u\n", event->value ? '+' : '-', event->code);
	} else if (event->type == EV_SYN && *has_moved) {
		printf("at %d %d\n", place[0], place[1]);
		*has_moved = false;
	}
	fflush(stdout);
}

int main(void)
{
	struct input_event event;
	int maximum, place[2] = { 0 };
	bool has_moved = false;
	int device = open_pointer(&maximum);

	printf("pointer %d\n", maximum);
	fflush(stdout);
	while (read(device, &event, sizeof(event)) == (ssize_t)sizeof(event))
		handle(&event, place, &has_moved);
	err(1, "the input device ended");
}
