/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_RIGHTS_TEXT_H
#define CLIENT_VAIL_VIEW_RIGHTS_TEXT_H

#include "client/common/client-list.h"
#include "client/common/plain-words.h"

/* Sentences about rights on a display, for the user of the window. */

/* Buffer sizes for the command, for advice with it, and for the sentence about lost rights. */
#define RIGHTS_COMMAND_SIZE (2 * SHELL_QUOTE_SIZE + DISPLAY_RIGHTS_SIZE + 128)
#define RIGHTS_ADVICE_SIZE  (RIGHTS_COMMAND_SIZE + 64)
#define RIGHTS_LOST_SIZE    (RIGHTS_ADVICE_SIZE + 384)

/*
 * Writes the command with which the VM's owner gives this process the rights, and a remark in
 * parentheses. The command names the user if a named user can match this process. Otherwise it
 * names the process, for example because it has capabilities.
 *
 * rights: all that the process shall have then.
 * machine: the VM, as typed.
 */
void rights_command(unsigned int rights, const char *machine, char command[RIGHTS_COMMAND_SIZE]);

/*
 * Writes the advice to ask the VM's owner for the rights, with the command.
 *
 * rights: all that the user shall have then.
 * machine: the VM, as typed.
 */
void rights_advice(unsigned int rights, const char *machine, char advice[RIGHTS_ADVICE_SIZE]);

/*
 * Writes what the user lacks without the rights to clipboard, sound and microphone that were
 * withdrawn. Leaves the buffer empty if lost has none of them.
 *
 * lost, rights: those that were withdrawn, and those that are left.
 */
void rights_lost(unsigned int lost, unsigned int rights, const char *machine,
		 char sentence[RIGHTS_LOST_SIZE]);

#endif
