/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_NOTICE_H
#define CLIENT_VAIL_VIEW_NOTICE_H

#include <stdint.h>

#include "client/vail-view/rights-text.h"

/* A sentence that the window shows for some seconds. All times are in milliseconds. */

#define NOTICE_SIZE RIGHTS_LOST_SIZE

/* No time for notice_deadline(). */
#define NOTICE_NEVER INT64_MAX

/* Zero-initialize it. */
typedef struct Notice {
	char sentence[NOTICE_SIZE]; /* "" for none */
	int64_t until;
} Notice;

/* Shows the sentence in place of another one. */
void notice_say(Notice *notice, const char *sentence, int64_t now);

/* Returns the sentence to show, or NULL. */
const char *notice_sentence(Notice *notice, int64_t now);

/* Returns when it disappears, or NOTICE_NEVER. */
int64_t notice_deadline(const Notice *notice);

#endif
