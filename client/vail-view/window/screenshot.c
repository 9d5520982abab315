/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/screenshot.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/vail-view/output.h"

/* Number of screenshots of one second. */
#define SAME_SECOND_MAX 1000

/* Sets path to a new file, named after the time. Returns false if every name is taken. */
static bool choose_path(char path[PATH_MAX])
{
	char folder[PATH_MAX / 2], time_text[64];
	time_t now = time(NULL);
	struct stat status;
	struct tm local;

	if (!getcwd(folder, sizeof(folder)) || !localtime_r(&now, &local))
		return false;
	strftime(time_text, sizeof(time_text), "%Y-%m-%d-%H%M%S", &local);
	for (int i = 1; i <= SAME_SECOND_MAX; i++) {
		snprintf(path, PATH_MAX, i == 1 ? "%s/vail-view-%s.png" : "%s/vail-view-%s-%d.png",
			 folder, time_text, i);
		if (lstat(path, &status) != 0)
			return true;
	}
	return false;
}

bool screenshot_save(const Framebuffer *framebuffer, char *ret_note, size_t size)
{
	char path[PATH_MAX], message[OUTPUT_MESSAGE_SIZE];

	if (!choose_path(path)) {
		snprintf(ret_note, size, "not saved: the current folder has no room for a name");
		return false;
	}
	if (!output_write_png(path, framebuffer, message)) {
		snprintf(ret_note, size, "not saved as %s: %s", path, message);
		return false;
	}
	snprintf(ret_note, size, "saved as %s", path);
	return true;
}
