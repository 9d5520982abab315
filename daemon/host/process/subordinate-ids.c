/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/subordinate-ids.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/tree.h"
#include "daemon/host/log/log.h"
#include "daemon/host/process/file-read.h"
#include "daemon/host/process/user-database.h"
#include "proto/macros.h"

static int compare_ranges(const void *a, const void *b)
{
	const SubordinateRange *x = a, *y = b;

	return compare_numbers(x->first, y->first);
}

/* Parses "user:first:count", and cuts the line there. Returns false for any other line. */
static bool parse_line(char *line, const char **ret_user, SubordinateRange *ret)
{
	uint64_t count;
	char *first = strchr(line, ':');
	int length = 0;

	if (!first || first == line)
		return false;
	*first++ = '\0';
	if (sscanf(first, "%" SCNu64 ":%" SCNu64 "%n", &ret->first, &count, &length) != 2 ||
	    first[length] != '\0' || ret->first >= UINT32_MAX || count > UINT32_MAX)
		return false;
	ret->end = ret->first + count;
	*ret_user = line;
	return true;
}

/*
 * Parses the lines. Ignores those of root and of unknown users. Returns false if a user cannot be
 * looked up now.
 */
static bool parse_lines(char *text, SubordinateRange *ranges, size_t *ret_count)
{
	char *rest = text, *line;
	const char *user;
	size_t count = 0;

	while ((line = strsep(&rest, "\n"))) {
		SubordinateRange range;

		if (!parse_line(line, &user, &range))
			continue;
		Lookup lookup = user_database_find(user, &range.owner);
		if (lookup == LOOKUP_EXHAUSTED)
			return false;
		if (lookup == LOOKUP_FOUND && range.owner != 0)
			ranges[count++] = range;
	}
	qsort(ranges, count, sizeof(*ranges), compare_ranges);
	*ret_count = count;
	return true;
}

static size_t count_lines(const char *text)
{
	size_t count = 1;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

/* Replaces the ranges by those of the file. Returns 0, or a negative errno and changes nothing. */
static int read_ranges(SubordinateIds *ids)
{
	Buffer file;
	int error = proc_file_read(AT_FDCWD, ids->path, &file);
	_cleanup_free_ SubordinateRange *ranges = NULL;
	size_t count = 0;

	if (error == 0) {
		ranges = calloc(count_lines(file.data), sizeof(*ranges));
		if (!ranges)
			error = -ENOMEM;
		else if (!parse_lines(file.data, ranges, &count))
			error = -EAGAIN;
	}
	buffer_deinit(&file);
	if (error < 0 && error != -ENOENT)
		return error;
	free(ids->ranges);
	ids->ranges = TAKE_POINTER(ranges);
	ids->count = count;
	return 0;
}

static bool is_unchanged(const SubordinateIds *ids, const struct stat *file)
{
	return ids->is_read && ids->file.st_ino == file->st_ino &&
	       ids->file.st_size == file->st_size &&
	       ids->file.st_ctim.tv_sec == file->st_ctim.tv_sec &&
	       ids->file.st_ctim.tv_nsec == file->st_ctim.tv_nsec;
}

static void refresh(SubordinateIds *ids)
{
	struct stat file = { 0 };

	if (stat(ids->path, &file) < 0 && errno != ENOENT)
		return;
	if (is_unchanged(ids, &file))
		return;
	int error = read_ranges(ids);
	if (error < 0)
		log_warning("%s: cannot be read: %s; reload vaild when it can, so that it knows "
			    "who pays for subordinate uids",
			    ids->path, strerror(-error));
	ids->is_read = true;
	ids->file = file;
}

void subordinate_ids_init(SubordinateIds *ids, const char *path)
{
	*ids = (SubordinateIds){ .path = path };
	refresh(ids);
}

void subordinate_ids_deinit(SubordinateIds *ids)
{
	free(ids->ranges);
	*ids = (SubordinateIds){ .path = ids->path };
}

void subordinate_ids_reload(SubordinateIds *ids)
{
	ids->is_read = false;
	refresh(ids);
}

uid_t subordinate_ids_owner(SubordinateIds *ids, uid_t uid)
{
	size_t low = 0, high;

	refresh(ids);
	high = ids->count;
	while (low < high) { /* finds the first range that begins after the uid */
		size_t middle = low + (high - low) / 2;

		if (ids->ranges[middle].first <= uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && uid < ids->ranges[low - 1].end ? ids->ranges[low - 1].owner : uid;
}
