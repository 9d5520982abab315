/* SPDX-License-Identifier: MIT */
#ifndef PROTO_OPEN_METRICS_H
#define PROTO_OPEN_METRICS_H

#include <stdbool.h>

#include "proto/buffer.h"
#include "proto/macros.h"

/* Text in the OpenMetrics format under construction. Once failed is set, later calls write nothing.
 */
typedef struct OpenMetrics {
	Buffer *out;
	const char *prefix; /* of the names of all families, without the underscore behind it */
	bool failed;        /* out of memory, or a line was too long */
} OpenMetrics;

/* Appends one or more lines, of at most 511 bytes in all. */
_printf_(2, 3) void open_metrics_put(OpenMetrics *text, const char *format, ...);

/* Begins a family. type: gauge or counter. unit: with which the name ends, or NULL. */
void open_metrics_family(OpenMetrics *text, const char *name, const char *type, const char *unit,
			 const char *help);

/* Ends the text with a NUL. Returns false if anything has failed. */
bool open_metrics_end(OpenMetrics *text);

#endif
