/* SPDX-License-Identifier: MIT */
/*
 * register-process SOCKET GUID: creates a context and registers for the VM, through libvail. Prints
 * the name and status of each call, closes the connection, and lives until stdin ends.
 */
#include <vail.h>

#include "tests/support/helper.h"

static void print_status(const char *what, NTSTATUS status)
{
	const char *name = vail_status_name(status);

	printf("%s %s\n", what, name ? name : "unnamed");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char context[VAIL_HANDLE_SIZE];
	struct vail *vail;

	if (argc != 3)
		errx(2, "usage: register-process SOCKET GUID");
	NTSTATUS status = vail_open(argv[1], &vail);
	if (status != STATUS_SUCCESS) {
		print_status("open", status);
		return 1;
	}
	print_status("CreateContext", vail_create_context(vail, NULL, context, NULL));
	print_status("RegisterVailProcess", vail_register_process(vail, argv[2]));
	vail_close(vail);
	helper_wait_for_end_of_input();
	return 0;
}
