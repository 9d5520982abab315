/* SPDX-License-Identifier: MIT */
/*
 * with-display SOCKET GUID RIGHTS COMMAND...: registers this process for the VM, opens a display
 * channel with these rights, as a number, and executes the command with the channel as fd 3.
 */
#include <vail.h>

#include "tests/support/helper.h"

#define CHANNEL 3

static void must(const struct vail *vail, NTSTATUS status)
{
	if (status != STATUS_SUCCESS)
		errx(2, "%s: %s", vail_status_name(status), vail_error_message(vail));
}

int main(int argc, char **argv)
{
	char context[VAIL_HANDLE_SIZE];
	struct vail *vail;
	int channel;

	if (argc < 5)
		errx(2, "usage: with-display SOCKET GUID RIGHTS COMMAND...");
	if (vail_new(argv[1], &vail) != STATUS_SUCCESS)
		errx(2, "vail_new");
	must(vail, vail_create_context(vail, NULL, context, NULL));
	must(vail, vail_register_process(vail, argv[2]));
	must(vail,
	     vail_open_display(vail, argv[2], (unsigned int)atoi(argv[3]), NULL, NULL, &channel));
	if (channel == CHANNEL ? fcntl(channel, F_SETFD, 0) < 0 : dup2(channel, CHANNEL) < 0)
		err(2, "dup2");
	execvp(argv[4], argv + 4);
	err(2, "%s", argv[4]);
}
