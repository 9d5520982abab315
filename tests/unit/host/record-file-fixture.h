/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_HOST_RECORD_FILE_FIXTURE_H
#define TESTS_UNIT_HOST_RECORD_FILE_FIXTURE_H

#include <sys/types.h>

#include "daemon/host/persist/record-file.h"

/* An open record file in a directory of its own, for the tests of the record file. */

#define BOOT "0123456789abcdef0123456789abcdef"

typedef struct Fixture {
	char path[64];
	RecordFile file;
	RecordFileOptions options;
	Statistics statistics;
} Fixture;

extern Fixture fixture;

/* For .init and .fini of a test suite. */
void set_up(void);
void tear_down(void);

void fixture_open(void);
void fixture_reopen(void);

bool save(PersistedKind kind, uint64_t number, const char *text);

/* Returns all records of the kind as "number=text;number=text;". The caller frees the text. */
char *all(PersistedKind kind);

void assert_all(PersistedKind kind, const char *expected);

/* Reads a file of the directory. The caller deinitialises the result. */
Buffer read_named(const char *name);

/* Tests whether the directory has the file. */
bool has(const char *name);

/* Compacts the file if that is worthwhile. */
void compact(void);

/* Lets writes beyond the size fail. */
void limit_file_size(off_t size);

#endif
