/* SPDX-License-Identifier: MIT */
/*
 * with-groups COUNT COMMAND...: executes the command with COUNT supplementary groups, the gids from
 * 2000000 on. Must be started by root.
 */
#include "tests/support/helper.h"

#define FIRST_GROUP 2000000

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: with-groups COUNT COMMAND...");
	size_t count = helper_number(argv[1]);
	gid_t *groups = calloc(count + 1, sizeof(*groups));
	if (!groups)
		err(2, "calloc");
	for (size_t i = 0; i < count; i++)
		groups[i] = (gid_t)(FIRST_GROUP + i);
	if (setgroups(count, groups) < 0)
		err(2, "setgroups");
	execvp(argv[2], argv + 2);
	err(2, "%s", argv[2]);
}
