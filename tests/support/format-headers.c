/* SPDX-License-Identifier: MIT */
#include "tests/support/format-headers.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Where Debian's libdrm-dev and linux-libc-dev install the header. */
static const char *const paths[] = { "/usr/include/libdrm/drm_fourcc.h",
				     "/usr/include/drm/drm_fourcc.h" };

/* The comment before a group of formats, which describes their planes. */
typedef struct Group {
	unsigned int bits[3];
	unsigned int samples[3];
	bool has_alpha_plane;
	bool is_undefined;
	char packed[160]; /* a comment with the bits of the following format */
} Group;

/* Returns the number of bits in "[N:0]", or 0 if the text has none. */
static unsigned int bits_in(const char *text)
{
	const char *open = strchr(text, '[');
	unsigned int highest;

	return open && sscanf(open, "[%u:0]", &highest) == 1 ? highest + 1 : 0;
}

/* Returns how many samples of a component, such as Y0 to Y3, the text names; at least 1. */
static unsigned int samples_in(const char *text, const char *component)
{
	unsigned int count = 1, index;
	size_t length = strlen(component);

	for (; (text = strstr(text, component)); text += length)
		if (sscanf(text + length, "%u", &index) == 1 &&
		    isdigit((unsigned char)text[length]) && index + 1 > count)
			count = index + 1;
	return count;
}

static void read_comment(Group *group, const char *line)
{
	unsigned int index;
	const char *plane = strstr(line, "index ");

	if (strstr(line, "/*"))
		*group = (Group){ 0 };
	if (strstr(line, "non-Linear modifier"))
		group->is_undefined = true;
	if (strstr(line, "/* ["))
		snprintf(group->packed, sizeof(group->packed), "%.159s", line);
	if (!plane || sscanf(plane, "index %u", &index) != 1 || index > 2)
		return;
	group->has_alpha_plane = strstr(line, "A plane") != NULL;
	group->bits[index] = bits_in(line);
	group->samples[index] = samples_in(line, index == 0 ? "Y" : "Cr");
}

static void set_plane(DrmFormat *format, size_t plane, unsigned int bits, unsigned int width)
{
	format->planes[plane].bits = bits;
	format->planes[plane].width = width;
	format->planes[plane].height = 1;
	format->planes[plane].x_step = format->planes[plane].y_step = 1;
}

/* One plane. The comment has its bits, and the number of pixels that they hold. */
static void read_packed(DrmFormat *format, const char *comment)
{
	unsigned int luma = samples_in(comment, "Y");

	set_plane(format, 0, bits_in(comment), luma);
	if (luma == 4) { /* these formats store tiles */
		format->planes[0].width = 2;
		format->planes[0].height = 2;
	}
	if (strstr(comment, "eight pixels/byte"))
		format->planes[0].width = 8;
	else if (strstr(comment, "four pixels/byte"))
		format->planes[0].width = 4;
	else if (strstr(comment, "two pixels/byte"))
		format->planes[0].width = 2;
}

/* Several planes. The comment of the format has the steps, that of the group the bits. */
static void read_planes(DrmFormat *format, const Group *group, const char *comment)
{
	unsigned int x = 1, y = 1;
	const char *steps = strstr(comment, " subsampled");

	if (steps && steps - comment >= 3)
		sscanf(steps - 3, "%ux%u", &x, &y);
	for (size_t i = 0; i < 3 && group->bits[i] > 0; i++) {
		set_plane(format, i, group->bits[i], group->samples[i]);
		format->planes[i].x_step = i > 0 ? x : 1;
		format->planes[i].y_step = i > 0 ? y : 1;
	}
}

static bool read_define(DrmFormat *format, const Group *group, const char *line)
{
	const char *comment = strstr(line, "/*");
	char *code = format->code;

	*format = (DrmFormat){ 0 };
	if (sscanf(line, "#define DRM_FORMAT_%39[A-Za-z0-9_] fourcc_code('%c', '%c', '%c', '%c')",
		   format->name, &code[0], &code[1], &code[2], &code[3]) != 5)
		return false;
	comment = comment ? comment : "";
	format->is_undefined = group->is_undefined || strstr(comment, "Non-linear modifier only");
	if (group->has_alpha_plane)
		set_plane(format, 1, group->bits[1], 1);
	else if (group->bits[0] > 0)
		read_planes(format, group, comment);
	else
		read_packed(format, bits_in(comment) > 0 ? comment : group->packed);
	return true;
}

static size_t read_file(FILE *file, DrmFormat formats[static DRM_FORMATS_MAX])
{
	Group group = { 0 };
	char line[512];
	size_t count = 0;

	while (fgets(line, sizeof(line), file)) {
		bool is_define = strncmp(line, "#define", 7) == 0;

		if (is_define && count < DRM_FORMATS_MAX)
			count += read_define(&formats[count], &group, line);
		else if (!is_define)
			read_comment(&group, line);
	}
	return count;
}

/* The first plane of a format with a plane for alpha is that of the format without it. */
static void complete_alpha_planes(DrmFormat *formats, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *end = strstr(formats[i].name, "_A8");

		if (!end)
			continue;
		*end = '\0';
		const DrmFormat *opaque = drm_format_find(formats, i, formats[i].name);
		*end = '_';
		if (opaque)
			formats[i].planes[0] = opaque->planes[0];
	}
}

size_t drm_formats_read(DrmFormat formats[static DRM_FORMATS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && count == 0; i++) {
		FILE *file = fopen(paths[i], "re");

		if (!file)
			continue;
		count = read_file(file, formats);
		fclose(file);
	}
	complete_alpha_planes(formats, count);
	return count;
}

const DrmFormat *drm_format_find(const DrmFormat *formats, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}
