/* SPDX-License-Identifier: MIT */
#include "daemon/core/software-driver.h"

#include "daemon/core/gpu-process.h"

const GpuMmu software_mmu = { .level_count = 4, .index_bits = { 9, 9, 9, 9 } };

static NTSTATUS create_process(const void *self, const DriverCallbacks *callbacks,
			       GpuProcess *gpu_process, Failure *failure)
{
	const SoftwareAdapterSettings *settings = self;
	const ConfiguredReservations *reservations =
		gpu_process->is_system ? &settings->of_system_process : &settings->of_processes;
	NTSTATUS status = STATUS_SUCCESS;
	uint64_t address;

	for (size_t i = 0; i < reservations->count && status == STATUS_SUCCESS; i++)
		status = callbacks->reserve_gpu_virtual_address_range(
			callbacks->broker, gpu_process, &reservations->items[i], &address, failure);
	return status;
}

const Driver software_driver = { .name = "software", .create_process = create_process };

NTSTATUS software_driver_check(const ConfiguredReservations *reservations, const Limits *limits,
			       bool is_system, size_t *ret_index, Failure *failure)
{
	Payer payer = { .is_daemon = is_system };
	AddressSpace space;
	Accounts accounts;
	NTSTATUS status = STATUS_SUCCESS;
	uint64_t address;

	accounts_init(&accounts, limits);
	if (!address_space_init(&space, &software_mmu, &accounts))
		status = failure_no_memory(failure);
	for (size_t i = 0; i < reservations->count && status == STATUS_SUCCESS; i++) {
		*ret_index = i;
		status = address_space_reserve_for_driver(&space, &payer, &reservations->items[i],
							  &address, failure);
	}
	address_space_deinit(&space);
	accounts_deinit(&accounts);
	return status;
}
