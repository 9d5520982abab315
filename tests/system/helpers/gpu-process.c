/* SPDX-License-Identifier: MIT */
/*
 * gpu-process SOCKET: creates a context on an adapter and uses its GPU address space, through
 * libvail. First reads two lines from stdin: the handle of the adapter, or "-" for the software
 * adapter, and the address at which the adapter's driver lets it map, or "-" to map in a range that
 * it reserves itself. Prints a line for each call: its name and status, or a result. Lives until
 * stdin ends.
 */
#include <inttypes.h>
#include <vail.h>

#include "tests/support/helper.h"

static void read_line(char *line, int size)
{
	if (!fgets(line, size, stdin))
		errx(2, "stdin ended before two lines were read");
	line[strcspn(line, "\n")] = '\0';
}

static void print(const char *what, NTSTATUS status)
{
	printf("%s %s\n", what, vail_status_name(status));
	fflush(stdout);
}

static void use(struct vail *vail, const char *process, uint64_t shared)
{
	VailMapping mapping = VAIL_MAPPING_INIT;
	VailTranslation translation = VAIL_TRANSLATION_INIT;
	uint64_t reserved = 0, mapped = 0;

	print("Reserve", vail_reserve_address(vail, process, 1 << 20, 0, 0, 0, &reserved));
	mapping.size_in_bytes = 65536;
	mapping.base = shared ? shared : reserved;
	mapping.protection = VAIL_PROTECTION_READ_WRITE;
	mapping.allocation = 7;
	print("Map", vail_map_address(vail, process, &mapping, &mapped));
	print("MapAgain", vail_map_address(vail, process, &mapping, &mapped));
	print("Translate", vail_translate_address(vail, process, mapped + 4096, &translation));
	printf("allocation %" PRIu64 " offset %" PRIu64 "\n", translation.allocation,
	       translation.offset);
	print("Free", vail_free_address(vail, process, mapped, 4096));
	print("FreeAgain", vail_free_address(vail, process, mapped + 65536, 1 << 21));
}

int main(int argc, char **argv)
{
	char context[VAIL_HANDLE_SIZE], process[VAIL_HANDLE_SIZE];
	char adapter[64], shared[64];
	struct vail *vail;

	if (argc != 2)
		errx(2, "usage: gpu-process SOCKET");
	read_line(adapter, sizeof(adapter));
	read_line(shared, sizeof(shared));
	print("open", vail_open(argv[1], &vail));
	vail_set_timeout(vail, VAIL_TIMEOUT_NONE);
	NTSTATUS status = vail_create_context(vail, strcmp(adapter, "-") == 0 ? NULL : adapter,
					      context, process);
	print("CreateContext", status);
	if (status == STATUS_SUCCESS) {
		use(vail, process, strtoull(shared, NULL, 16));
		printf("process %s\n", process);
		fflush(stdout);
	}
	helper_wait_for_end_of_input();
	/* The test may have ended the GPU process meanwhile. */
	if (status == STATUS_SUCCESS)
		print("Late", vail_free_address(vail, process, 1 << 20, 4096));
	vail_close(vail);
	return 0;
}
