/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_DISPLAY_RIGHT_H
#define DAEMON_CORE_DISPLAY_RIGHT_H

/* The rights of a viewer on the display of a VM. A set of rights is a number with a bit for each.
 */
typedef enum DisplayRight {
	DISPLAY_RIGHT_VIEW, /* every display client has it */
	DISPLAY_RIGHT_INPUT,
	DISPLAY_RIGHT_CLIPBOARD,
	DISPLAY_RIGHT_AUDIO_OUTPUT,
	DISPLAY_RIGHT_AUDIO_INPUT,
	DISPLAY_RIGHT_MAX,
} DisplayRight;

#define DISPLAY_RIGHT_BIT(right) (1u << (right))
#define DISPLAY_RIGHTS_ALL       (DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_MAX) - 1)

#endif
