/* SPDX-License-Identifier: MIT */
#include "client/vail-view/notice.h"

#include <stdio.h>

/* Time for which it is shown, in milliseconds. */
#define SHOWN_FOR 8000

void notice_say(Notice *notice, const char *sentence, int64_t now)
{
	snprintf(notice->sentence, sizeof(notice->sentence), "%s", sentence);
	notice->until = now + SHOWN_FOR;
}

const char *notice_sentence(Notice *notice, int64_t now)
{
	if (*notice->sentence && now >= notice->until)
		notice->sentence[0] = '\0';
	return *notice->sentence ? notice->sentence : NULL;
}

int64_t notice_deadline(const Notice *notice)
{
	return *notice->sentence ? notice->until : NOTICE_NEVER;
}
