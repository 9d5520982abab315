/* SPDX-License-Identifier: MIT */
/*
 * has-kernel-feature passrights|peerpidfd: exits with 0 if the kernel has SO_PASSRIGHTS or
 * SO_PEERPIDFD, and with 1 if it does not.
 */
#include "tests/support/helper.h"

#define OPTION_PASSRIGHTS 83
#define OPTION_PEERPIDFD  77

int main(int argc, char **argv)
{
	int pair[2], value = 0;
	socklen_t length = sizeof(value);

	if (argc != 2)
		errx(2, "usage: has-kernel-feature passrights|peerpidfd");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		err(2, "socketpair");
	if (strcmp(argv[1], "passrights") == 0)
		return setsockopt(pair[0], SOL_SOCKET, OPTION_PASSRIGHTS, &value, length) < 0;
	if (strcmp(argv[1], "peerpidfd") == 0)
		return getsockopt(pair[0], SOL_SOCKET, OPTION_PEERPIDFD, &value, &length) < 0;
	errx(2, "%s is not a feature: write passrights or peerpidfd", argv[1]);
}
