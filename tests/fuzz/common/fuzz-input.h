/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_COMMON_FUZZ_INPUT_H
#define TESTS_FUZZ_COMMON_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Functions that the fuzz targets share. A target is a file fuzz-NAME.c that defines
 * LLVMFuzzerTestOneInput(). Two inputs must not influence each other, so a target frees everything
 * that it has allocated.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts the program if the condition does not hold, so that the fuzzer keeps the input. */
#define fuzz_must(condition) fuzz_check((condition), #condition, __FILE__, __LINE__)
void fuzz_check(bool holds, const char *condition, const char *file, int line);

/* The rest of an input. */
typedef struct Input {
	const uint8_t *data;
	size_t size;
} Input;

/* Take a number from the head of the input, least significant byte first. Missing bytes are 0. */
uint8_t input_byte(Input *input);
uint32_t input_number(Input *input);
uint64_t input_long_number(Input *input);

/* Takes at most size bytes. */
Input input_take(Input *input, size_t size);

/* Takes the bytes before the separator and drops the separator. Takes everything without one. */
Input input_until(Input *input, char separator);

/* Returns a copy with a NUL at the end, which the caller frees. */
char *input_text(Input input);

/*
 * Returns the path of an empty folder, in $TMPDIR or in memory. It is created at the first call,
 * and removed with its content when the program exits.
 */
const char *fuzz_folder(void);

/* Replaces a file in that folder. The name may contain slashes. */
void fuzz_file_write(const char *name, Input content);

/* Removes everything in that folder. */
void fuzz_folder_clear(void);

/* Returns the number of fds that this process has open. */
size_t fuzz_count_fds(void);

/* Discards what the code under test writes to stderr. Reports of the sanitizers still appear. */
void fuzz_silence(void);

#endif
