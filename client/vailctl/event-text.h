/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_EVENT_TEXT_H
#define CLIENT_VAILCTL_EVENT_TEXT_H

#include <stddef.h>

#include <vail.h>

/* Maximum number of details of an event. */
#define EVENT_DETAILS_MAX 3

/* An event in words. All texts are untrusted, and owned by the structure. */
typedef struct EventText {
	char *sentence; /* such as "process 12 registered"; NULL if out of memory */
	char *details[EVENT_DETAILS_MAX]; /* to show where there is room; the important ones first
					   */
	size_t detail_count;
} EventText;

/*
 * Writes the event in words, without its time and VM. The caller calls event_text_deinit().
 *
 * name_columns: columns for the name of an object (at least 3), which is shortened to them.
 */
void event_text_init(EventText *text, const VailEvent *event, size_t name_columns);
void event_text_deinit(EventText *text);

/*
 * Writes a name of the interface as words: "displayClients" becomes "display clients", and
 * "incomingVmmPid" becomes "incoming VMM pid". Other text, such as one with spaces, stays as it is.
 * The caller frees the result. Returns NULL if out of memory.
 */
char *words_of(const char *name);

#endif
