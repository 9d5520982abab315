/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FRAME_READER_H
#define TESTS_SUPPORT_FRAME_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vail.h>

/*
 * A frame reader reads the changed parts of a screen, and counts frames, bytes and latencies. The
 * benchmark uses it in two programs: frame-viewer gets the screen through vail-qemu and vaild,
 * frame-listener is a listener of QEMU itself.
 */
typedef struct FrameReader FrameReader;

/* Copies bytes of the screen's memory to buffer. Returns false if they cannot be read. */
typedef bool (*FrameReadFunction)(void *context, uint64_t offset, void *buffer, size_t size);

/* Makes a reader. Exits with an error if out of memory. */
FrameReader *frame_reader_new(FrameReadFunction read, void *context);

/* Sets the size of the screen in pixels, of four bytes each, and its stride in bytes. */
void frame_reader_set_screen(FrameReader *reader, uint32_t width, uint32_t height, uint64_t stride);

/*
 * Reads a new frame: the damaged rectangles. The first one begins with the time at which the frame
 * was drawn (CLOCK_MONOTONIC, nanoseconds), from which the reader computes the latency.
 */
void frame_reader_read(FrameReader *reader, const VailRectangle *damage, size_t count);

/*
 * Reads a line from stdin and prints "FRAMES BYTES LATENCY" since the last report; LATENCY is the
 * median in nanoseconds. Returns false at the end of stdin.
 */
bool frame_reader_report(FrameReader *reader);

#endif
