/* SPDX-License-Identifier: MIT */
/*
 * with-fd open|path FILE COMMAND...: opens FILE for reading, or with O_PATH, and executes the
 * command, which inherits the fd.
 */
#include "tests/support/helper.h"

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: with-fd open|path FILE COMMAND...");
	if (open(argv[2], strcmp(argv[1], "path") == 0 ? O_PATH : O_RDONLY) < 0)
		err(2, "%s", argv[2]);
	execvp(argv[3], argv + 3);
	err(2, "%s", argv[3]);
}
