/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_RIGHTS_H
#define CLIENT_VAILCTL_RIGHTS_H

#include <stdbool.h>

#include "proto/json.h"

/* Rights on a display as text, such as "view,input". */
typedef struct RightsText {
	char *text;
} RightsText;

/* Makes the text of an array of names. Returns false if out of memory. */
bool rights_text_init(RightsText *rights, const JsonValue *names);
void rights_text_deinit(RightsText *rights);

#endif
