/* SPDX-License-Identifier: MIT */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vail.h>

/*
 * Who looks at a screen: reads what has changed, and says what that was. The one gets it through
 * vail-qemu and vaild, the other is QEMU's own listener; for the rest they do the same.
 */
typedef struct Eye Eye;

/* Copies bytes of the screen's memory. Returns false when they cannot be had. */
typedef bool (*EyeRead)(void *context, uint64_t offset, void *buffer, size_t size);

/* Ends the program when there is no memory. */
Eye *eye_new(EyeRead read, void *context);

/* The screen is of this size, and has this stride, from now on; four bytes a pixel. */
void eye_show(Eye *eye, uint32_t width, uint32_t height, uint64_t stride);

/* A frame was drawn: reads where. It begins with the time, which says how long ago that was. */
void eye_see(Eye *eye, const VailRectangle *damage, size_t count);

/* A line on stdin asks what was seen since the last: frames, bytes, and the median of the latencies
 * in nanoseconds. Returns false when stdin has ended. */
bool eye_report(Eye *eye);

#endif
