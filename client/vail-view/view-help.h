/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_VIEW_HELP_H
#define CLIENT_VAIL_VIEW_VIEW_HELP_H

/* Prints the help of vail-view on stdout. */
void view_help_print(void);

#endif
