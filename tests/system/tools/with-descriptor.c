/* SPDX-License-Identifier: MIT */
/*
 * with-descriptor open|path FILE COMMAND...: executes the command with a descriptor of FILE that is
 * open for reading, or is an O_PATH one. It is neither copied nor closed on the way.
 */
#include "tool.h"

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: with-descriptor open|path FILE COMMAND...");
	if (open(argv[2], strcmp(argv[1], "path") == 0 ? O_PATH : O_RDONLY) < 0)
		err(2, "%s", argv[2]);
	execvp(argv[3], argv + 3);
	err(2, "%s", argv[3]);
}
