/* SPDX-License-Identifier: MIT */
/*
 * gpu-driver SOCKET PID: registers an adapter through libvail, makes a GPU process on it for the
 * pid, with 2 MiB of its own and 4 MiB that may be mapped; prints what was answered, a line each,
 * and is the adapter's driver until stdin ends.
 */
#include <inttypes.h>
#include <vail.h>

#include "tool.h"

#define MIB (UINT64_C(1) << 20)

/* Prints the status; whoever was refused what it needs does not go on. */
static void must(const char *what, NTSTATUS status)
{
	const char *name = vail_status_name(status);

	printf("%s %s\n", what, name ? name : "unnamed");
	fflush(stdout);
	if (status != STATUS_SUCCESS)
		exit(1);
}

static void print(const char *what, NTSTATUS status)
{
	printf("%s %s\n", what, vail_status_name(status));
}

static uint64_t make_process(struct vail *vail, const char *adapter, pid_t pid,
			     char process[VAIL_HANDLE_SIZE])
{
	VailGpuProcess description = VAIL_GPU_PROCESS_INIT;
	uint64_t own, shared;

	description.pid = pid;
	description.name = "viewer";
	must("CreateProcess", vail_create_process(vail, adapter, &description, process));
	must("Reserve", vail_reserve_address_range(vail, process, 2 * MIB, 0, 0, false, &own));
	must("ReserveShared",
	     vail_reserve_address_range(vail, process, 4 * MIB, 4 * MIB, 0, true, &shared));
	must("Complete", vail_complete_create_process(vail, process));
	print("ReserveLate", vail_reserve_address_range(vail, process, 2 * MIB, 0, 0, false, &own));
	must("SetEntry", vail_set_page_table_entry(vail, process, own, 0x1000));
	printf("shared 0x%" PRIx64 "\n", shared);
	return own;
}

int main(int argc, char **argv)
{
	VailAdapter description = VAIL_ADAPTER_INIT;
	VailTranslation translation = VAIL_TRANSLATION_INIT;
	char adapter[VAIL_HANDLE_SIZE], system_process[VAIL_HANDLE_SIZE], process[VAIL_HANDLE_SIZE];
	struct vail *vail;
	bool restored;

	if (argc != 3)
		errx(2, "usage: gpu-driver SOCKET PID");
	must("open", vail_open(argv[1], &vail));
	description.name = "a card";
	description.page_table_index_bit_count[0] = 9;
	description.page_table_index_bit_count[1] = 9;
	description.page_table_index_bit_count[2] = 9;
	description.page_table_index_bit_count[3] = 9;
	must("RegisterAdapter",
	     vail_register_adapter(vail, &description, adapter, system_process, &restored));
	must("CompleteSystemProcess", vail_complete_create_process(vail, system_process));
	uint64_t own = make_process(vail, adapter, (pid_t)tool_number(argv[2]), process);
	must("Evict", vail_evict_page_table(vail, process, own));
	must("MakeResident", vail_make_page_table_resident(vail, process, own));
	must("Translate", vail_translate_address(vail, process, own, &translation));
	printf("state %d\n", translation.state);
	printf("adapter %s\nprocess %s\n", adapter, process);
	fflush(stdout);
	tool_wait_for_end_of_input();
	vail_close(vail);
	return 0;
}
