/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTILE_TRAFFIC_H
#define TESTS_HOSTILE_TRAFFIC_H

#include "tests/hostile/hostile.h"

typedef struct Text {
	char *bytes;
	size_t length;
} Text;

/* Returns the request, with a newline, count times. */
Text text_repeat(size_t count, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns a text of begin, count times middle, and end. */
Text text_build(const char *begin, const char *middle, size_t count, const char *end);

/* The bytes that an attacker sends on all of its connections, as fast as the daemon takes them. */
typedef struct Traffic {
	Text text;             /* is sent again and again */
	size_t messages;       /* in the text, for board->work */
	const Text *own_texts; /* one for each connection, instead of text; NULL for none */
	size_t piece;          /* bytes of one send(); 0 for as many as fit */
	bool never_reads;
	bool only_once;  /* sends the text once per connection */
	bool only_first; /* only the first connection sends; the others read */
	Text greeting; /* sent once, before the text, by all others if only_first, otherwise by all
			*/
} Traffic;

/* Attacks with this traffic. A connection that the daemon closes is opened again. */
_Noreturn void traffic_run(const Attacker *attacker, const Traffic *traffic);

#endif
