/* SPDX-License-Identifier: MIT */
/* Opening the record file: what an earlier daemon has left is read, and damage is set aside. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "daemon/host/log/log.h"
#include "daemon/host/persist/file-io.h"
#include "daemon/host/persist/record-file-compact.h"
#include "daemon/host/persist/record-file.h"
#include "daemon/host/process/file-read.h"
#include "proto/fd-util.h"

/* Applies a line to the index. Returns 0, -EBADMSG if the line is damaged, or -ENOMEM. */
static int apply_line(RecordFile *file, const char *line, size_t length, off_t offset)
{
	RecordIndex *index = &file->index;
	PersistedRecord record;
	PersistedKind kind;

	if (!record_line_parse(line, length, &kind, &record))
		return -EBADMSG;
	record_header_note(&file->header, kind, record.number);
	LiveRecord *live = record.text ? record_index_get(index, kind, record.number)
				       : record_index_find(index, kind, record.number);
	if (!live)
		return record.text ? -ENOMEM : 0;
	if (record.text)
		record_index_move(index, live, offset, length + 1);
	else
		record_index_remove(index, live);
	return 0;
}

/* Applies all complete lines. Returns the number of damaged lines, or -ENOMEM. */
static int apply_lines(RecordFile *file, const Buffer *contents, size_t at)
{
	size_t size = buffer_size(contents);
	const char *text = buffer_head(contents), *end;
	int damaged = 0;

	while (at < size && (end = memchr(text + at, '\n', size - at))) {
		size_t length = (size_t)(end - text) - at;
		int error = apply_line(file, text + at, length, (off_t)at);

		if (error == -ENOMEM)
			return error;
		if (error < 0)
			damaged++;
		at += length + 1;
	}
	file->lines.size = (off_t)at;
	return damaged;
}

typedef struct OldFile {
	Buffer contents;
	bool exists;
	uint64_t version;
	int damaged;     /* number of lines */
	bool is_cut_off; /* the last line is incomplete */
} OldFile;

static int read_old(RecordFile *file, OldFile *old)
{
	LineFile *lines = &file->lines;
	off_t size;

	lines->file = file_open_regular(lines->directory, RECORDS, O_RDWR, &size);
	if (lines->file < 0)
		return lines->file == -ENOENT ? 0 : lines->file;
	old->exists = true;
	if (!buffer_reserve(&old->contents, (size_t)size + 1))
		return -ENOMEM;
	return file_read_all(lines->file, &old->contents);
}

static void remark(const RecordFileOptions *options, const char *message)
{
	log_warning("%s/" RECORDS ": %s", options->directory, message);
	statistics_remark(options->statistics, RECORDS, message);
}

/* Applies the lines if the header permits it. Returns 0 or a negative errno. */
static int apply_old(RecordFile *file, const RecordFileOptions *options, OldFile *old)
{
	const char *text = buffer_head(&old->contents);
	const char *end = memchr(text, '\n', buffer_size(&old->contents));
	size_t length = end ? (size_t)(end - text) : 0;
	RecordHeader header;
	int error = record_header_parse(text, length, options->parser, &header);

	if (error == -ENOMEM)
		return error; /* says nothing about the file */
	if (error < 0 || header.version == 0) {
		remark(options, "its header is invalid, so the whole file is ignored");
		old->damaged = 1;
		return 0;
	}
	if (header.version > RECORD_VERSION) {
		log_error("%s/" RECORDS " is of a newer version of vaild: start that version, or "
			  "remove the file, which discards everything that it persists",
			  options->directory);
		return -EPROTO;
	}
	if (strcmp(header.boot_id, options->boot_id) != 0) {
		log_info("%s/" RECORDS
			 " is discarded: it was written before the machine was started",
			 options->directory);
		return 0;
	}
	old->version = header.version;
	memcpy(file->header.last, header.last, sizeof(header.last));
	old->damaged = apply_lines(file, &old->contents, length + 1);
	old->is_cut_off = file->lines.size < (off_t)buffer_size(&old->contents);
	if (old->is_cut_off)
		remark(options, "its last line is incomplete and ignored; perhaps the daemon was "
				"killed while writing it");
	return old->damaged < 0 ? old->damaged : 0;
}

/* Number of damaged files to save. Beyond it, each replaces the last one. */
#define DAMAGED_FILES_MAX 8

/* Saves the damaged file under a second name. Returns 0 or a negative errno. */
static int save_damaged(const RecordFile *file, const RecordFileOptions *options)
{
	char name[sizeof(RECORDS ".damaged.") + 12] = RECORDS ".damaged", message[160];
	int directory = file->lines.directory, error = -EEXIST;

	for (int i = 1; i <= DAMAGED_FILES_MAX && error == -EEXIST; i++) {
		if (i > 1)
			snprintf(name, sizeof(name), RECORDS ".damaged.%d", i);
		if (i == DAMAGED_FILES_MAX)
			unlinkat(directory, name, 0);
		error = linkat(directory, RECORDS, directory, name, 0) < 0 ? -errno : 0;
	}
	if (error == 0) {
		snprintf(message, sizeof(message),
			 "it was damaged; the damaged file is saved as %s", name);
		remark(options, message);
	}
	return error;
}

/* Raises the file's version to this one, so that an older daemon refuses the file. */
static int raise_version(const RecordFile *file, OldFile *old)
{
	char *line = old->contents.data + old->contents.start;
	const char *end = memchr(line, '\n', buffer_size(&old->contents));
	size_t length = end ? (size_t)(end - line) : 0;

	if (!record_header_raise(line, length))
		return -EBADMSG;
	return file_write_at(file->lines.file, line, length, 0) ? 0 : -errno;
}

/* Keeps using the file, without the incomplete line at its end. */
static int use_old(RecordFile *file, const RecordFileOptions *options, OldFile *old)
{
	LineFile *lines = &file->lines;

	if (ftruncate(lines->file, lines->size) < 0)
		return -errno;
	int error = old->version < RECORD_VERSION ? raise_version(file, old) : 0;
	if (error < 0)
		return error;
	lines->allocated = lines->size;
	line_file_preallocate(lines, file->index.count);
	remark(options, "it cannot be rewritten and is used as it is; free some space in its "
			"directory");
	return 0;
}

/* Replaces the file that was read by a compact one, or creates it. */
static int start_file(RecordFile *file, const RecordFileOptions *options, OldFile *old)
{
	bool is_usable = old->exists && file->lines.size > 0;
	int error = old->damaged > 0 ? save_damaged(file, options) : 0;

	unlinkat(file->lines.directory, RECORDS_NEW, 0); /* left by a killed daemon */
	if (error == 0)
		error = record_file_rewrite(file);
	if (error == 0 || !is_usable)
		return error;
	/* Without space for new records, the old file still has all existing ones. */
	log_warning("%s/" RECORDS ": %s", options->directory, strerror(-error));
	return use_old(file, options, old);
}

int record_file_open(RecordFile *file, const RecordFileOptions *options)
{
	OldFile old = { .contents = BUFFER_INIT };

	*file = RECORD_FILE_INIT;
	record_index_init(&file->index);
	file->work_due = options->work_due;
	file->work_context = options->work_context;
	file->header.version = RECORD_VERSION;
	snprintf(file->header.boot_id, sizeof(file->header.boot_id), "%s", options->boot_id);
	file->lines.directory = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = file->lines.directory < 0 ? -errno : read_old(file, &old);
	if (error == 0 && old.exists)
		error = apply_old(file, options, &old);
	if (error == 0)
		error = start_file(file, options, &old);
	file->was_damaged = old.damaged > 0 || old.is_cut_off;
	buffer_deinit(&old.contents);
	if (error < 0 && error != -EPROTO)
		log_error(
			"%s/" RECORDS ": cannot use the file: %s; remove it if vaild did not write "
			"it, let vaild write to the directory and free some space there, or choose "
			"another directory with --runtime-dir",
			options->directory, strerror(-error));
	if (error < 0)
		record_file_close(file);
	return error;
}
