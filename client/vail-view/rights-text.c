/* SPDX-License-Identifier: MIT */
#include "client/vail-view/rights-text.h"

#include <stdio.h>
#include <unistd.h>

#include "client/common/user-name.h"
#include "client/vail-view/own-login.h"

void rights_command(unsigned int rights, const char *machine, char command[RIGHTS_COMMAND_SIZE])
{
	char user[USER_NAME_SIZE], named[SHELL_QUOTE_SIZE], quoted[SHELL_QUOTE_SIZE];
	char names[DISPLAY_RIGHTS_SIZE];

	shell_quote(machine, quoted);
	display_rights_text(rights, ',', names);
	if (own_login_is_plain())
		snprintf(command, RIGHTS_COMMAND_SIZE,
			 "vailctl vm update %s --user %s:%s (and --user for each other user)",
			 quoted, shell_quote(user_name(getuid(), user), named), names);
	else
		snprintf(command, RIGHTS_COMMAND_SIZE,
			 "vailctl vm update %s --client-pid %d:%s (and --user or --client-pid for "
			 "each other display client)",
			 quoted, (int)getpid(), names);
}

void rights_advice(unsigned int rights, const char *machine, char advice[RIGHTS_ADVICE_SIZE])
{
	char command[RIGHTS_COMMAND_SIZE];

	rights_command(rights, machine, command);
	snprintf(advice, RIGHTS_ADVICE_SIZE, "Its owner can allow it with: %s.", command);
}

#define MICROPHONE_LOST                                                                       \
	"This virtual machine does not hear your microphone any more, because your right to " \
	"that was withdrawn."

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
	const char *microphone = lost & VAIL_DISPLAY_AUDIO_INPUT ? MICROPHONE_LOST : NULL;
	char advice[RIGHTS_ADVICE_SIZE];

	sentence[0] = '\0';
	if (!text && !microphone)
		return;
	rights_advice(rights | lost, machine, advice);
	snprintf(sentence, RIGHTS_LOST_SIZE, "%s%s%s %s", text ? text : "",
		 text && microphone ? " " : "", microphone ? microphone : "", advice);
}
