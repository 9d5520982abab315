/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_JSON_STYLE_H
#define CLIENT_VAILCTL_JSON_STYLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The state of a stream that writes JSON documents over several lines, with indentation. */
typedef struct JsonStyle {
	FILE *out; /* the stream for the result; NULL if the style is closed */
	FILE *compact;
	size_t depth;
	bool in_string;
	bool is_escaped; /* the last character was a backslash in a string */
	bool is_empty;   /* the innermost object or array has no item yet */
	bool in_line;    /* the line began outside of a document */
} JsonStyle;

/*
 * Replaces stdout by a stream that takes compact documents, one a line, and writes them indented to
 * the old stdout. Lines that do not begin with "{" stay as they are. The style must outlive the
 * stream. Returns false if out of memory.
 */
bool json_style_open(JsonStyle *style);

/* Flushes the stream, keeps its error indicator by returning false, and restores stdout. */
bool json_style_close(JsonStyle *style);

#endif
