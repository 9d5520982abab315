/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_WATCH_FILTER_H
#define CLIENT_VAILCTL_WATCH_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include <vail.h>

typedef struct Options Options;

/*
 * Adds the kinds of events that the text names, separated by commas, to a set with one bit for each
 * VailEventKind. Returns EXIT_DONE, or EXIT_USAGE after it has logged that a kind is unknown, and
 * which there are.
 */
int event_kinds_parse(const char *text, uint64_t *kinds);

/*
 * Tests whether watch shows the event with these options. The end of the current state passes the
 * filter for an object. People see updates of objects only if they ask for them.
 */
bool watch_shows(const Options *options, const VailEvent *event);

#endif
