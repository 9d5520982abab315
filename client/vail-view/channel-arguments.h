/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_CHANNEL_ARGUMENTS_H
#define CLIENT_VAIL_VIEW_CHANNEL_ARGUMENTS_H

/* Stands for the number of the channel's fd in a program's arguments. */
#define CHANNEL_FD_PLACE "{}"

/*
 * Returns a copy of the arguments with the number in each place of CHANNEL_FD_PLACE, or NULL if out
 * of memory. The first argument, the program, stays as it is. The caller frees it with
 * channel_arguments_free().
 */
char **channel_arguments_new(char *const *arguments, int number);

/* NULL is ignored. */
void channel_arguments_free(char **arguments);

#endif
