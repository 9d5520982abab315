/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the record file. Each line of an input becomes a line of the file. Its first character
 * decides how: '+' adds the checksum, '-' adds the checksum of an invalidated line, and any other
 * character leaves the rest of the line as it is. The last line may be incomplete.
 *
 * The file opens whatever it contains. What was read can be read again after records were saved and
 * removed, and after a restart.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "daemon/host/persist/record-file.h"
#include "tests/fuzz/common/fuzz-input.h"

#define BOOT "0123456789abcdef0123456789abcdef"

static void add_line(Buffer *file, Input line)
{
	uint8_t how = input_byte(&line);
	char checksum[LINE_CHECKSUM_SIZE + 2];

	snprintf(checksum, sizeof(checksum), "%08lx ", crc32_z(0, line.data, line.size));
	if (how == '-')
		line_checksum_invert(checksum);
	if (how == '+' || how == '-')
		fuzz_must(buffer_append(file, checksum, strlen(checksum)));
	fuzz_must(buffer_append(file, line.data, line.size));
}

static void write_file(Input input)
{
	Buffer file = BUFFER_INIT;

	while (input.size > 0) {
		size_t before = input.size;
		Input line = input_until(&input, '\n');

		add_line(&file, line);
		if (before > line.size)
			fuzz_must(buffer_append(&file, "\n", 1));
	}
	fuzz_file_write("records",
			(Input){ (const uint8_t *)buffer_head(&file), buffer_size(&file) });
	buffer_deinit(&file);
}

/* Returns the records of all kinds as text. Checks that each can also be read alone. */
static char *read_all(const RecordFile *file)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fuzz_must(out != NULL);
	for (PersistedKind kind = 0; kind < PERSISTED_KIND_MAX; kind++) {
		PersistedRecords records;

		fuzz_must(record_file_load(file, kind, &records) == 0);
		for (size_t i = 0; i < records.count; i++) {
			const PersistedRecord *record = &records.items[i];
			Buffer alone;

			fprintf(out, "%d %" PRIu64 " ", kind, record->number);
			fwrite(record->text, 1, record->size, out);
			fputc('\n', out);
			fuzz_must(record->number <= records.last_number);
			fuzz_must(record_file_read(file, kind, record->number, &alone) == 0);
			fuzz_must(buffer_size(&alone) == record->size &&
				  memcmp(buffer_head(&alone), record->text, record->size) == 0);
			buffer_deinit(&alone);
		}
		persisted_records_deinit(&records);
	}
	fclose(out);
	return text;
}

/* Changes the file, and undoes the change. */
static void save_and_remove(RecordFile *file)
{
	const PersistedRecord record = {
		.number = record_file_last(file, PERSISTED_ENTITY) + 1,
		.text = "{}",
		.size = 2,
	};

	fuzz_must(record_file_save(file, PERSISTED_ENTITY, &record));
	record_file_remove(file, PERSISTED_ENTITY, record.number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Statistics statistics;
	RecordFileOptions options = {
		.directory = fuzz_folder(),
		.boot_id = BOOT,
		.parser = json_parser_new(),
		.statistics = &statistics,
	};
	RecordFile file;

	fuzz_silence();
	write_file((Input){ data, size });
	int error = record_file_open(&file, &options);
	fuzz_must(error == 0 || error == -EPROTO); /* a newer version wrote the file */
	if (error == 0) {
		char *before = read_all(&file);

		save_and_remove(&file);
		record_file_close(&file);
		fuzz_must(record_file_open(&file, &options) == 0);
		char *after = read_all(&file);
		fuzz_must(strcmp(before, after) == 0);
		record_file_close(&file);
		free(before);
		free(after);
	}
	json_parser_free(options.parser);
	fuzz_folder_clear();
	return 0;
}
