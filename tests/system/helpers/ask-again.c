/* SPDX-License-Identifier: MIT */
/*
 * ask-again SOCKET COUNT REQUEST: sends the request COUNT times on one connection, each time after
 * the previous reply, and prints the replies.
 */
#include "tests/support/helper.h"

int main(int argc, char **argv)
{
	if (argc != 4)
		errx(2, "usage: ask-again SOCKET COUNT REQUEST");
	int connection = helper_connect(argv[1]);

	for (unsigned long count = helper_number(argv[2]); count > 0; count--) {
		helper_send(connection, argv[3], strlen(argv[3]));
		helper_send(connection, "\n", 1);
		helper_print_reply(connection);
	}
	return 0;
}
