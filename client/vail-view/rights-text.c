/* SPDX-License-Identifier: MIT */
#include "client/vail-view/rights-text.h"

#include <stdio.h>
#include <unistd.h>

#include "client/common/user-name.h"

void rights_advice(unsigned int rights, const char *machine, char advice[RIGHTS_ADVICE_SIZE])
{
	char user[USER_NAME_SIZE], quoted[PLAIN_QUOTE_SIZE], names[DISPLAY_RIGHTS_SIZE];

	snprintf(advice, RIGHTS_ADVICE_SIZE,
		 "Its owner can allow it with: vailctl vm update %s --user %s:%s (and --user for "
		 "each other user).",
		 plain_quote(machine, quoted), user_name(getuid(), user),
		 display_rights_text(rights, ',', names));
}

/* Returns what the user notices first. */
static const char *loss_text(unsigned int lost)
{
	bool has_clipboard = lost & VAIL_DISPLAY_CLIPBOARD;
	bool has_sound = lost & VAIL_DISPLAY_AUDIO_OUTPUT;

	if (has_clipboard && has_sound)
		return "Text can no longer be copied to or from this virtual machine, and its "
		       "sound "
		       "is not played any more, because your rights to both were withdrawn.";
	if (has_clipboard)
		return "Text can no longer be copied to or from this virtual machine, because your "
		       "right to its clipboard was withdrawn.";
	return has_sound ? "The sound of this virtual machine is not played any more, because your "
			   "right to it was withdrawn."
			 : NULL;
}

void rights_lost(unsigned int lost, unsigned int rights, const char *machine,
		 char sentence[RIGHTS_LOST_SIZE])
{
	const char *text = loss_text(lost);
	char advice[RIGHTS_ADVICE_SIZE];

	sentence[0] = '\0';
	if (!text)
		return;
	rights_advice(rights | lost, machine, advice);
	snprintf(sentence, RIGHTS_LOST_SIZE, "%s %s", text, advice);
}
