/* SPDX-License-Identifier: MIT */
#include "tests/unit/va/space-fixture.h"

#include "tests/support/space-at-once.h"

const Payer fixture_payer = { .uid = 1000 };

const GpuMmu four_levels = { 4, { 9, 9, 9, 9 } };
const GpuMmu two_levels = { 2, { 10, 10 } };

void fixture_init(SpaceFixture *fixture, const GpuMmu *mmu)
{
	accounts_init(&fixture->accounts, &limits_default);
	cr_assert(address_space_init(&fixture->space, mmu, &fixture->accounts));
	fixture->failure = FAILURE_INIT;
}

void fixture_deinit(SpaceFixture *fixture)
{
	address_space_check(&fixture->space);
	accounts_check(&fixture->accounts);
	address_space_deinit(&fixture->space);
	accounts_deinit(&fixture->accounts);
}

void fixture_reserve_for_driver(SpaceFixture *fixture, uint64_t base, uint64_t size, bool allow)
{
	uint64_t address = 0;

	cr_assert_eq(address_space_reserve_for_driver(
			     &fixture->space, &fixture_payer,
			     &(DriverReservation){ .size = size,
						   .base_address = base,
						   .allow_user_mode_mapping = allow },
			     &address, &fixture->failure),
		     STATUS_SUCCESS, "%s", fixture->failure.message);
	cr_assert_eq(address, base);
}

NTSTATUS fixture_map(SpaceFixture *fixture, uint64_t base, uint64_t size)
{
	uint64_t address = 0;

	return address_space_map(&fixture->space, &fixture_payer,
				 &(Placement){ .size = size, .base_address = base },
				 &(Mapping){ .protection = GPU_PROTECTION_READ_WRITE,
					     .has_allocation = true,
					     .allocation = 7,
					     .offset = MiB },
				 &address, &fixture->failure);
}

NTSTATUS fixture_unmap(SpaceFixture *fixture, uint64_t base, uint64_t size)
{
	return address_space_free(&fixture->space, &fixture_payer, base, size, &fixture->failure);
}

NTSTATUS fixture_set_entry(SpaceFixture *fixture, uint64_t address, uint64_t page_table)
{
	return address_space_set_entry(&fixture->space, &fixture_payer, address, page_table,
				       &fixture->failure);
}

NTSTATUS fixture_evict(SpaceFixture *fixture, uint64_t address)
{
	return address_space_evict(&fixture->space, &fixture_payer, address, &fixture->failure);
}

bool fixture_make_resident(SpaceFixture *fixture, uint64_t address, uint64_t begins_at)
{
	bool became_resident = false;
	uint64_t first = begins_at;

	cr_expect_eq(address_space_make_resident(&fixture->space, address, &became_resident, &first,
						 &fixture->failure),
		     STATUS_SUCCESS);
	cr_expect_eq(first, begins_at);
	return became_resident;
}

Translation fixture_translation(SpaceFixture *fixture, uint64_t address)
{
	Translation found = { .state = TRANSLATION_MAX };

	cr_expect_eq(address_space_translate(&fixture->space, address, &found, &fixture->failure),
		     STATUS_SUCCESS);
	return found;
}

TranslationState fixture_state(SpaceFixture *fixture, uint64_t address)
{
	return fixture_translation(fixture, address).state;
}

uint64_t fixture_written(SpaceFixture *fixture)
{
	return accounts_used(&fixture->accounts, &fixture_payer, LIMIT_PAGE_TABLE_ENTRIES);
}
