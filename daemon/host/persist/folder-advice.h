/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_FOLDER_ADVICE_H
#define DAEMON_HOST_PERSIST_FOLDER_ADVICE_H

#define FOLDER_ADVICE_SIZE 160

/*
 * Says what to do about a folder that vaild cannot use. error: a negative errno. Returns the text,
 * which fits between "cannot use it; " and ", or choose another".
 */
const char *folder_advice(const char *folder, int error, char text[static FOLDER_ADVICE_SIZE]);

#endif
