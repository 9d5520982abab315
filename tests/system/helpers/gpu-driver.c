/* SPDX-License-Identifier: MIT */
/*
 * gpu-driver SOCKET PID: acts as the driver of an adapter, through libvail. Registers the adapter
 * and creates a GPU process for PID on it, with 2 MiB of driver addresses and 4 MiB in which the
 * process may map. Prints a line for each call: its name and status, or a result. Stays the driver
 * until stdin ends.
 *
 * For each line on stdin, registers the adapter again, as after a restart of the daemon, and sets
 * its page table entry. Prints STATUS restored|new same|other STATE SET STATE: the status of the
 * registration, whether the adapter was restored and has the same handles, and the status of
 * setting the entry with the translation's state before and after that.
 */
#include <inttypes.h>
#include <vail.h>

#include "tests/support/helper.h"

#define MIB (UINT64_C(1) << 20)

/* Prints the status of a call, and exits if it failed. */
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
	uint64_t own, shared; /* addresses of the driver's range and the process's range */

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

typedef struct Card {
	VailAdapter description;
	char adapter[VAIL_HANDLE_SIZE];
	char system_process[VAIL_HANDLE_SIZE];
	bool restored;
} Card;

static NTSTATUS register_card(struct vail *vail, Card *card)
{
	return vail_register_adapter(vail, &card->description, card->adapter, card->system_process,
				     &card->restored);
}

static VailTranslationState state_of(struct vail *vail, const char *process, uint64_t address)
{
	VailTranslation translation = VAIL_TRANSLATION_INIT;

	if (vail_translate_address(vail, process, address, &translation) != STATUS_SUCCESS)
		return VAIL_TRANSLATION_INVALID;
	return translation.state;
}

static void register_again(struct vail *vail, const Card *before, const char *process, uint64_t own)
{
	Card card = *before;
	NTSTATUS status = register_card(vail, &card);
	bool same = strcmp(card.adapter, before->adapter) == 0 &&
		    strcmp(card.system_process, before->system_process) == 0;
	VailTranslationState state = state_of(vail, process, own);
	NTSTATUS set = vail_set_page_table_entry(vail, process, own, 0x2000);

	printf("%s %s %s %d %s %d\n", vail_status_name(status), card.restored ? "restored" : "new",
	       same ? "same" : "other", state, vail_status_name(set), state_of(vail, process, own));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	Card card = { .description = VAIL_ADAPTER_INIT };
	VailAdapter *description = &card.description;
	char process[VAIL_HANDLE_SIZE], line[HELPER_LINE_SIZE];
	struct vail *vail;

	if (argc != 3)
		errx(2, "usage: gpu-driver SOCKET PID");
	must("open", vail_open(argv[1], &vail));
	vail_set_timeout(vail, VAIL_TIMEOUT_NONE);
	description->name = "a card";
	description->max_virtual_gpus = 4;
	memcpy(description->page_table_index_bit_count, (uint8_t[]){ 9, 9, 9, 9 }, 4);
	must("RegisterAdapter", register_card(vail, &card));
	must("CompleteSystemProcess", vail_complete_create_process(vail, card.system_process));
	uint64_t own = make_process(vail, card.adapter, (pid_t)helper_number(argv[2]), process);
	must("Evict", vail_evict_page_table(vail, process, own));
	must("MakeResident", vail_make_page_table_resident(vail, process, own));
	printf("state %d\n", state_of(vail, process, own));
	printf("adapter %s\nprocess %s\n", card.adapter, process);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		register_again(vail, &card, process, own);
	vail_close(vail);
	return 0;
}
