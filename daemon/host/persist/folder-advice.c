/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/folder-advice.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Even root cannot write there, because vaild gives up that capability when it starts. */
static const char *name_owner(const char *folder, char text[static FOLDER_ADVICE_SIZE])
{
	struct stat status;

	if (stat(folder, &status) < 0 || status.st_uid == geteuid())
		return NULL;
	snprintf(text, FOLDER_ADVICE_SIZE,
		 "it belongs to uid %u, as the folders of the service do; run: systemctl start "
		 "vaild.socket",
		 (unsigned int)status.st_uid);
	return text;
}

const char *folder_advice(const char *folder, int error, char text[static FOLDER_ADVICE_SIZE])
{
	const char *advice = NULL;

	if (error == -EACCES && geteuid() != 0)
		advice = "start vaild as root";
	else if (error == -EACCES)
		advice = name_owner(folder, text);
	return advice ? advice : "let vaild write to it";
}
