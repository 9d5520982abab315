/* SPDX-License-Identifier: MIT */
/*
 * check-speech speak COUNT: writes COUNT frames of two channels, which SDL reads in place of a
 * microphone. Each frame says which one it is, and none is silent.
 *
 * check-speech heard FILE [FIRST]: reads a record of them with samples of 16 bits, from the frame
 * FIRST. Prints the number of its frames, how many of them were spoken, and the most that were
 * spoken without a gap. Fails at a frame that is neither silent nor spoken.
 */
#include "tests/support/helper.h"

#define SILENT -1L

/* The numbers of a frame's left channel. The right one counts how often these were used up. */
#define LEFT_NUMBERS 30000

/* The most that fits into 16 bits. */
#define RIGHT_NUMBERS 32767

typedef struct Record {
	size_t frames, spoken;
	size_t run, longest_run; /* of frames that follow each other */
	long last;               /* the number of the last frame, or SILENT */
} Record;

/* Returns the number as a sample between -1 and 1, as SDL reads it. */
static float sample_of(long number)
{
	return (float)number / 32768;
}

static void speak(unsigned long count)
{
	for (long i = 0; i < (long)count; i++) {
		const float frame[] = { sample_of(1 + i % LEFT_NUMBERS),
					sample_of(-1 - i / LEFT_NUMBERS) };

		if (fwrite(frame, sizeof(frame), 1, stdout) != 1)
			err(2, "stdout");
	}
}

/* Returns the number of a recorded frame, or SILENT. */
static long number_of(const int16_t frame[2], size_t position)
{
	if (frame[0] == 0 && frame[1] == 0)
		return SILENT;
	if (frame[0] < 1 || frame[0] > LEFT_NUMBERS || frame[1] > -1 || frame[1] < -RIGHT_NUMBERS)
		errx(1, "frame %zu has the samples %d and %d, which were not spoken", position,
		     frame[0], frame[1]);
	return (-1L - frame[1]) * LEFT_NUMBERS + frame[0] - 1;
}

static void add_frame(Record *record, long number)
{
	record->frames++;
	if (number == SILENT)
		record->run = 0;
	else
		record->run = number == record->last + 1 ? record->run + 1 : 1;
	record->spoken += number != SILENT;
	record->last = number;
	if (record->run > record->longest_run)
		record->longest_run = record->run;
}

static void hear(const char *path, unsigned long first)
{
	Record record = { .last = SILENT };
	int16_t frame[2];
	FILE *file = fopen(path, "r");

	if (!file || fseek(file, (long)(first * sizeof(frame)), SEEK_SET) < 0)
		err(2, "%s", path);
	while (fread(frame, sizeof(frame), 1, file) == 1)
		add_frame(&record, number_of(frame, first + record.frames));
	fclose(file);
	printf("%zu %zu %zu\n", record.frames, record.spoken, record.longest_run);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "speak") == 0)
		speak(helper_number(argv[2]));
	else if (argc >= 3 && argc <= 4 && strcmp(argv[1], "heard") == 0)
		hear(argv[2], argc == 4 ? helper_number(argv[3]) : 0);
	else
		errx(2, "usage: check-speech speak COUNT | heard FILE [FIRST]");
	return 0;
}
