/* SPDX-License-Identifier: MIT */
#include "record-file.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "own-descriptor.h"
#include "proc-file.h"
#include "record-file-read.h"
#include "record-file-write.h"

static int compare_records(const LiveRecord *a, const LiveRecord *b)
{
	int order = compare_numbers(a->kind, b->kind);

	return order != 0 ? order : compare_numbers(a->number, b->number);
}

TREE_GENERATE(LiveRecordTree, LiveRecord, by_number, compare_records)

static LiveRecord *find_live(const RecordFile *file, KeptKind kind, uint64_t number)
{
	LiveRecord wanted = { .kind = kind, .number = number };

	return RB_FIND(LiveRecordTree, (LiveRecordTree *)&file->live, &wanted);
}

/* A place for the record's line, its old one where it has one; NULL where there is no memory. */
static LiveRecord *get_live(RecordFile *file, KeptKind kind, uint64_t number)
{
	LiveRecord *live = find_live(file, kind, number);

	if (live)
		return live;
	live = calloc(1, sizeof(*live));
	if (!live)
		return NULL;
	live->kind = kind;
	live->number = number;
	RB_INSERT(LiveRecordTree, &file->live, live);
	file->live_count++;
	return live;
}

static void live_free(RecordFile *file, LiveRecord *live)
{
	RB_REMOVE(LiveRecordTree, &file->live, live);
	file->live_count--;
	file->live_size -= live->size;
	free(live);
}

static void live_moved(RecordFile *file, LiveRecord *live, off_t offset, size_t size)
{
	file->live_size += size - live->size;
	live->offset = offset;
	live->size = size;
}

static void number_was_used(RecordFile *file, KeptKind kind, uint64_t number)
{
	if (number > file->header.last[kind])
		file->header.last[kind] = number;
}

/* Room that has to be left behind the lines for saying that so many things are gone. */
static off_t room_for_ends(size_t count)
{
	return (off_t)count * GONE_LINE_SIZE_MAX;
}

/* Appends the line in file->line, after which so many things are recorded. */
static bool append_line(RecordFile *file, size_t live_count)
{
	off_t end = file->size + (off_t)buffer_size(&file->line);

	if (!file_allocate(file->file, &file->allocated, end + room_for_ends(live_count)))
		return false;
	if (file_write_at(file->file, &file->line, file->size)) {
		file->size = end;
		return true;
	}
	int error = errno;
	/* That cannot fail for want of anything; it gives back what was set aside. */
	if (ftruncate(file->file, file->size) < 0)
		log_error("the record file cannot be cut: %s", strerror(errno));
	file->allocated = file->size;
	file_allocate(file->file, &file->allocated, file->size + room_for_ends(file->live_count));
	errno = error;
	return false;
}

#define COPIED_AT_ONCE (64 << 10)

/* The header and all that is so, into a file that is empty. Returns its size or a negative errno.
 */
static off_t copy_all(RecordFile *file, int to)
{
	Buffer text = BUFFER_INIT;
	LiveRecord *live;
	FileRun run = { 0 };
	off_t written = 0;
	int error = record_header_append(&text, &file->header) ? 0 : -ENOMEM;

	RB_FOREACH (live, LiveRecordTree, &file->live) {
		if (error == 0)
			error = file_run_add(file->file, &run, live->offset, live->size, &text);
		if (error < 0 || buffer_size(&text) < COPIED_AT_ONCE)
			continue;
		error = file_write_at(to, &text, written) ? 0 : -errno;
		written += (off_t)buffer_size(&text);
		buffer_truncate(&text, 0);
	}
	if (error == 0)
		error = file_run_end(file->file, &run, &text);
	if (error == 0)
		error = file_write_at(to, &text, written) ? 0 : -errno;
	written += (off_t)buffer_size(&text);
	buffer_deinit(&text);
	return error < 0 ? error : written;
}

/* The lines stand behind the header, in the tree's order. */
static void live_have_moved(RecordFile *file)
{
	off_t offset = file->size - (off_t)file->live_size;
	LiveRecord *live;

	RB_FOREACH (live, LiveRecordTree, &file->live) {
		live->offset = offset;
		offset += (off_t)live->size;
	}
}

/* Writes all that is so to a file of its own, which takes the place of what was there. Returns 0,
 * or a negative errno with nothing changed. */
static int record_file_write_anew(RecordFile *file)
{
	_cleanup_close_ int anew =
		openat(file->directory, RECORDS_NEW,
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	off_t allocated = 0;

	if (anew < 0)
		return -errno;
	off_t size = copy_all(file, anew);
	int error = size < 0 ? (int)size : 0;
	if (error == 0 && !file_allocate(anew, &allocated, size + room_for_ends(file->live_count)))
		error = -errno;
	if (error == 0 && renameat(file->directory, RECORDS_NEW, file->directory, RECORDS) < 0)
		error = -errno;
	if (error < 0) {
		unlinkat(file->directory, RECORDS_NEW, 0);
		return error;
	}
	descriptor_close(&file->file);
	file->file = TAKE_DESCRIPTOR(anew);
	file->size = size;
	file->allocated = allocated;
	live_have_moved(file);
	return 0;
}

/* Below that it is not worth it. */
#define COMPACT_ABOVE (64 << 10)

static void compact_where_worth_it(RecordFile *file)
{
	if (file->size <= COMPACT_ABOVE || file->size <= file->compact_above ||
	    file->size <= 2 * (off_t)file->live_size)
		return;
	/* Where it fails the file is as good as before, only longer. */
	file->compact_above = record_file_write_anew(file) < 0 ? 2 * file->size : 0;
}

bool record_file_keep(RecordFile *file, const KeptRecord *record)
{
	assert(record->text);
	bool is_new = !find_live(file, record->kind, record->number);
	LiveRecord *live = file->file < 0 ? NULL : get_live(file, record->kind, record->number);

	if (!live)
		return false;
	buffer_truncate(&file->line, 0);
	if (!record_line_append(&file->line, record) || !append_line(file, file->live_count)) {
		log_error("what shall last over a restart cannot be recorded: %s", strerror(errno));
		if (is_new)
			live_free(file, live);
		return false;
	}
	size_t size = buffer_size(&file->line);
	live_moved(file, live, file->size - (off_t)size, size);
	number_was_used(file, record->kind, record->number);
	compact_where_worth_it(file);
	return true;
}

void record_file_drop(RecordFile *file, KeptKind kind, uint64_t number)
{
	LiveRecord *live = find_live(file, kind, number);

	if (!live || file->file < 0)
		return;
	live_free(file, live);
	buffer_truncate(&file->line, 0);
	if (!record_line_append(&file->line, &(KeptRecord){ .kind = kind, .number = number }) ||
	    !append_line(file, file->live_count))
		/* The next compaction leaves it out; before that it is found out at the next start.
		 */
		log_error("that something is gone cannot be recorded: %s", strerror(errno));
	compact_where_worth_it(file);
}

bool record_file_next(const RecordFile *file, KeptKind kind, uint64_t *number)
{
	LiveRecord wanted = { .kind = kind, .number = *number + 1 };
	const LiveRecord *live = RB_NFIND(LiveRecordTree, (LiveRecordTree *)&file->live, &wanted);

	if (!live || live->kind != kind)
		return false;
	*number = live->number;
	return true;
}

uint64_t record_file_last(const RecordFile *file, KeptKind kind)
{
	return file->header.last[kind];
}

/* One line of the file as it is read at start; a damaged one counts. */
static int take_line(RecordFile *file, const char *line, size_t length, off_t offset)
{
	KeptRecord record;

	if (!record_line_parse(line, length, &record))
		return -EBADMSG;
	number_was_used(file, record.kind, record.number);
	LiveRecord *live = record.text ? get_live(file, record.kind, record.number)
				       : find_live(file, record.kind, record.number);
	if (!live)
		return record.text ? -ENOMEM : 0;
	if (record.text)
		live_moved(file, live, offset, length + 1);
	else
		live_free(file, live);
	return 0;
}

/* All lines behind the header. Returns how many are damaged, or -ENOMEM. */
static int take_lines(RecordFile *file, const Buffer *contents, size_t at)
{
	size_t size = buffer_size(contents);
	int damaged = 0;

	while (at < size) {
		const char *line = buffer_head(contents) + at;
		const char *end = memchr(line, '\n', size - at);
		size_t length = end ? (size_t)(end - line) : size - at;
		int error = end ? take_line(file, line, length, (off_t)at) : -EBADMSG;

		if (error == -ENOMEM)
			return error;
		if (error < 0)
			damaged++;
		at += length + 1;
	}
	return damaged;
}

typedef struct OldFile {
	Buffer contents;
	bool is_there;
	int damaged; /* lines */
} OldFile;

static int read_old(RecordFile *file, OldFile *old)
{
	struct stat status;

	file->file = openat(file->directory, RECORDS,
			    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (file->file < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(file->file, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	old->is_there = true;
	if (!buffer_reserve(&old->contents, (size_t)status.st_size + 1))
		return -ENOMEM;
	return file_read_all(file->file, &old->contents);
}

static void remark(const RecordFileOptions *options, const char *message)
{
	log_warning("%s/" RECORDS ": %s", options->directory, message);
	statistics_remark(options->statistics, RECORDS, message);
}

/* What the header says decides what becomes of the lines. Returns 0 or a negative errno. */
static int judge_old(RecordFile *file, const RecordFileOptions *options, OldFile *old)
{
	const char *text = buffer_head(&old->contents);
	const char *end = memchr(text, '\n', buffer_size(&old->contents));
	size_t length = end ? (size_t)(end - text) : 0;
	RecordHeader header;

	if (!record_header_parse(text, length, options->parser, &header) || header.version == 0) {
		remark(options, "it is not known what wrote it, and nothing of it is believed");
		old->damaged = 1;
		return 0;
	}
	if (header.version > RECORD_VERSION) {
		log_error("%s/" RECORDS " is of a newer version of vaild: start that version, or "
			  "remove the file, which ends all that it has recorded",
			  options->directory);
		return -EPROTO;
	}
	if (strcmp(header.boot_id, options->boot_id) != 0) {
		log_info("%s/" RECORDS " is dropped: it was written before the machine was started",
			 options->directory);
		return 0;
	}
	memcpy(file->header.last, header.last, sizeof(header.last));
	old->damaged = take_lines(file, &old->contents, length + 1);
	file->size = (off_t)buffer_size(&old->contents);
	return old->damaged < 0 ? old->damaged : 0;
}

/* The file under another name as well, before it loses its own. */
static int set_aside(const RecordFile *file, const RecordFileOptions *options)
{
	char name[sizeof(RECORDS ".damaged.") + 12] = RECORDS ".damaged", message[160];

	for (int i = 2; i <= 100; i++) {
		if (linkat(file->directory, RECORDS, file->directory, name, 0) == 0) {
			snprintf(message, sizeof(message),
				 "it was damaged; as it was it is kept as %s", name);
			remark(options, message);
			return 0;
		}
		if (errno != EEXIST || i == 100)
			break;
		snprintf(name, sizeof(name), RECORDS ".damaged.%d", i);
	}
	return -errno;
}

/* Replaces what was read by a file without what is over. */
static int begin(RecordFile *file, const RecordFileOptions *options, const OldFile *old)
{
	bool is_sound = old->is_there && old->damaged == 0 && file->size > 0;
	int error = old->damaged > 0 ? set_aside(file, options) : 0;

	unlinkat(file->directory, RECORDS_NEW, 0); /* of a daemon that was killed meanwhile */
	if (error == 0)
		error = record_file_write_anew(file);
	if (error == 0 || !is_sound)
		return error;
	/* The old one will do: better no room for new things than the loss of all. */
	log_warning("%s/" RECORDS " cannot be written anew: %s", options->directory,
		    strerror(-error));
	file->allocated = file->size;
	file_allocate(file->file, &file->allocated, file->size + room_for_ends(file->live_count));
	return 0;
}

int record_file_open(RecordFile *file, const RecordFileOptions *options)
{
	OldFile old = { .contents = BUFFER_INIT };

	*file = (RecordFile){ .directory = -1, .file = -1 };
	RB_INIT(&file->live);
	file->header.version = RECORD_VERSION;
	snprintf(file->header.boot_id, sizeof(file->header.boot_id), "%s", options->boot_id);
	file->directory = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = file->directory < 0 ? -errno : read_old(file, &old);
	if (error == 0 && old.is_there)
		error = judge_old(file, options, &old);
	if (error == 0)
		error = begin(file, options, &old);
	buffer_deinit(&old.contents);
	if (error < 0 && error != -EPROTO)
		log_error("%s/" RECORDS ": cannot be used: %s; make the directory one that vaild "
			  "may write to, or choose another with --runtime-dir",
			  options->directory, strerror(-error));
	if (error < 0)
		record_file_close(file);
	return error;
}

void record_file_close(RecordFile *file)
{
	LiveRecord *live, *next;

	RB_FOREACH_SAFE (live, LiveRecordTree, &file->live, next)
		live_free(file, live);
	descriptor_close(&file->file);
	descriptor_close(&file->directory);
	buffer_deinit(&file->line);
}

/* The lines of one kind, one behind the other. Returns their number or a negative errno. */
static ssize_t load_lines(const RecordFile *file, KeptKind kind, Buffer *ret)
{
	LiveRecord *live;
	FileRun run = { 0 };
	ssize_t count = 0;
	int error = 0;

	RB_FOREACH (live, LiveRecordTree, (LiveRecordTree *)&file->live) {
		if (live->kind == kind && error == 0) {
			error = file_run_add(file->file, &run, live->offset, live->size, ret);
			count++;
		}
	}
	if (error == 0)
		error = file_run_end(file->file, &run, ret);
	return error < 0 ? error : count;
}

int record_file_load(const RecordFile *file, KeptKind kind, KeptRecords *ret)
{
	*ret = (KeptRecords){ .text = BUFFER_INIT };
	ssize_t count = load_lines(file, kind, &ret->text);
	if (count < 0)
		return (int)count;
	ret->items = calloc((size_t)count + 1, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	char *line = ret->text.data;
	for (ssize_t i = 0; i < count; i++) {
		char *end = memchr(line, '\n', (size_t)(ret->text.data + ret->text.end - line));
		KeptRecord *record = &ret->items[ret->count++];

		if (!end || !record_line_parse(line, (size_t)(end - line), record))
			return -EIO; /* it was sound when it was written, or read */
		end[-1] = '\0';      /* in the place of the line's last brace */
		line = end + 1;
	}
	return 0;
}

int record_file_read(const RecordFile *file, KeptKind kind, uint64_t number, Buffer *ret)
{
	const LiveRecord *live = find_live(file, kind, number);
	KeptRecord record = { 0 };

	*ret = BUFFER_INIT;
	int error = live ? file_read_at(file->file, live->offset, live->size, ret) : -ENOENT;
	if (error == 0 && (!record_line_parse(ret->data, live->size - 1, &record) || !record.text))
		error = -EIO;
	if (error < 0) {
		buffer_deinit(ret);
		return error;
	}
	ret->start = (size_t)(record.text - ret->data);
	ret->end = ret->start + record.size;
	ret->data[ret->end] = '\0'; /* in the place of the line's last brace */
	return 0;
}

void kept_records_deinit(KeptRecords *records)
{
	free(records->items);
	buffer_deinit(&records->text);
	records->items = NULL;
	records->count = 0;
}
