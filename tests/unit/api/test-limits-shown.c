/* SPDX-License-Identifier: MIT */
/*
 * Each limit that refuses a request is shown by GetStatus as full, with the numbers that the
 * refusal names.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-display.h"
#include "tests/support/fake-gpu.h"
#include "tests/support/fake-share.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(limits_shown, .init = set_up, .fini = tear_down);

#define GET_STATUS "io.vaild.Monitor.GetStatus"
#define ROOM       3 /* units of a limit that a test leaves */

/* A row of GetStatus. Numbers are UINT64_MAX and texts "" if they are absent. */
typedef struct Row {
	uint64_t maximum, used, maximum_for_others, highest, uid;
	char machine[64], gpu_process[64], adapter[64];
} Row;

static uint64_t row_number(size_t i, const char *member)
{
	char path[64];

	snprintf(path, sizeof(path), "limits[%zu].%s", i, member);
	return reply_number(fixture.fake_host, path);
}

static const char *row_text(size_t i, const char *member)
{
	char path[64];

	snprintf(path, sizeof(path), "limits[%zu].%s", i, member);
	return reply_string(fixture.fake_host, path);
}

/* Returns the row of the limit in the last reply. Returns false if it has none. */
static bool find_row(const char *name, Row *ret)
{
	for (size_t i = 0; i < reply_count(fixture.fake_host, "limits"); i++) {
		if (strcmp(row_text(i, "name"), name) != 0)
			continue;
		*ret = (Row){
			.maximum = row_number(i, "maximum"),
			.used = row_number(i, "used"),
			.maximum_for_others = row_number(i, "maximumForOthers"),
			.highest = row_number(i, "highest"),
			.uid = row_number(i, "uid"),
		};
		snprintf(ret->machine, 64, "%s", row_text(i, "virtualMachineGuid"));
		snprintf(ret->gpu_process, 64, "%s", row_text(i, "gpuProcess"));
		snprintf(ret->adapter, 64, "%s", row_text(i, "adapter"));
		return true;
	}
	return false;
}

static Row row_of(Caller *caller, const char *name)
{
	Row row;

	cr_assert_str_eq(call(fixture.fake_host, caller, GET_STATUS, NULL), "STATUS_SUCCESS");
	cr_assert(find_row(name, &row), "%s is not shown", name);
	return row;
}

static Accounts *accounts(void)
{
	return &fixture.fake_host->service.broker->accounts;
}

/* ---- Limits of accounts, and totals ---- */

/* Charges the payer until that is refused. Returns the number of charges. */
static size_t use_up(const Payer *payer, LimitKind kind, Charge charges[static 32],
		     Failure *failure)
{
	size_t count = 0;

	*failure = (Failure){ 0 };
	while (count < 32 &&
	       charge_take(&charges[count], accounts(), payer, kind, failure) == STATUS_SUCCESS)
		count++;
	cr_assert_lt(count, 32u, "%s does not refuse", limit_name(kind, false));
	return count;
}

static void give_back(Charge *charges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		charge_return(&charges[i], accounts());
}

static void check_account(Caller *caller, LimitKind kind)
{
	const Payer payer = payer_of(caller);
	const char *name = limit_name(kind, true);
	uint64_t *limit = &accounts()->limits.per_uid[kind], before = *limit;
	Charge charges[32];
	Failure failure;

	*limit = accounts_used(accounts(), &payer, kind) + ROOM;
	size_t count = use_up(&payer, kind, charges, &failure);
	cr_assert_eq(count, (size_t)ROOM);
	cr_assert_str_eq(failure.limit, name);
	Row own = row_of(caller, name), of_operator = row_of(fixture.admin, name);
	cr_assert_eq(own.maximum, failure.maximum);
	cr_assert_eq(own.used, failure.used, "%s", name);
	cr_assert_eq(own.used, own.maximum, "%s is not full", name);
	cr_assert_eq(of_operator.highest, failure.used, "%s", name);
	cr_assert_eq(of_operator.uid, payer.uid, "%s", name);
	if (!caller->is_operator)
		cr_assert_eq(own.highest, UINT64_MAX, "%s tells of other users", name);
	give_back(charges, count);
	*limit = before;
}

/* More than the connections and store entries that every operator may have. */
#define BUSY (LIMIT_OPERATOR_CONNECTIONS + 4)

/* Gives the payer units before the limit is set, so that it uses more than anybody else. */
static void check_busy_account(Caller *caller)
{
	const Payer payer = payer_of(caller);

	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		Charge charges[BUSY];
		Failure failure;

		for (size_t i = 0; i < ARRAY_SIZE(charges); i++)
			cr_assert_eq(charge_take(&charges[i], accounts(), &payer, kind, &failure),
				     STATUS_SUCCESS);
		check_account(caller, kind);
		give_back(charges, ARRAY_SIZE(charges));
	}
}

Test(limits_shown, limits_of_an_account)
{
	check_busy_account(fixture.stranger);
}

Test(limits_shown, limits_of_an_operators_account)
{
	check_busy_account(fixture.admin);
}

static void check_total(const Payer *payer, LimitKind kind, bool has_share)
{
	const char *name = limit_name(kind, false);
	uint64_t *limit = &accounts()->limits.host_wide[kind], before = *limit;
	Charge charges[32];
	Failure failure;

	*limit = accounts()->used[kind] + BUSY;
	size_t count = use_up(payer, kind, charges, &failure);
	Row row = row_of(fixture.admin, name);
	uint64_t full = has_share && !payer->is_operator ? row.maximum_for_others : row.maximum;
	if (kind == LIMIT_STORE_ENTRIES) {
		cr_assert_eq(failure.status, STATUS_INSUFFICIENT_RESOURCES);
	} else {
		cr_assert_str_eq(failure.limit, name);
		cr_assert_eq(full, failure.maximum, "%s", name);
		/* The refusal of a total names the caller's own use. */
		cr_assert_eq(failure.used, accounts_used(accounts(), payer, kind), "%s", name);
	}
	cr_assert_eq(row.used, full, "%s is not full", name);
	cr_assert_eq(row.maximum_for_others != UINT64_MAX, has_share, "%s", name);
	give_back(charges, count);
	*limit = before;
}

Test(limits_shown, totals)
{
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		bool has_share = kind == LIMIT_CONNECTIONS || kind == LIMIT_STORE_ENTRIES ||
				 kind == LIMIT_QUARANTINES;
		Row row;

		check_total(ORDINARY(1001), kind, has_share);
		check_total(OPERATOR(0), kind, has_share);
		call(fixture.fake_host, fixture.stranger, GET_STATUS, NULL);
		cr_assert_not(find_row(limit_name(kind, false), &row));
	}
}

/* ---- Limits of one VM, GPU process or adapter ---- */

static char subject[64]; /* the handle that the row must name, or "" */

static const char *share_an_object(void)
{
	int fd = sealed_memory(fixture.fake_host);

	return share(fixture.fake_host, fixture.machine, IMAGE, &fd, 1, NULL);
}

static const char *assign_to_machine(void)
{
	return call(fixture.fake_host, fixture.admin, ASSIGN, NAMES_A);
}

static FakeAgent agent;

static void serve_displays(void)
{
	fake_agent_serve(&agent, fixture.fake_host, fixture.machine, NAMES_A);
}

static const char *open_a_display(void)
{
	int fd = FD_NONE;
	const char *status = open_display(fixture.fake_host, fixture.client, NULL, NULL, &fd);

	if (fd != FD_NONE)
		fake_host_close(fixture.fake_host, fd);
	return status;
}

static void begin_adapter(void)
{
	FakeAdapter adapter = fake_running_adapter(fixture.fake_host, fixture.admin, "9,9,9,9");

	strcpy(subject, adapter.adapter);
}

static const char *assign_on_adapter(void)
{
	return callf(fixture.fake_host, fixture.admin, ASSIGN,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"%s\"}", subject);
}

static void begin_own_process(void)
{
	call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL);
	strcpy(subject, reply_string(fixture.fake_host, "process"));
}

static const char *map_a_page(void)
{
	return map(fixture.fake_host, fixture.client, subject, 4096, NULL);
}

static void begin_driver_process(void)
{
	FakeAdapter adapter = fake_running_adapter(fixture.fake_host, fixture.admin, "9,9,9,9");

	create_gpu_process(fixture.fake_host, fixture.admin, &adapter, ",\"pid\":300", subject);
}

static const char *reserve_for_driver(void)
{
	return reserve_range(fixture.fake_host, fixture.admin, subject, 2 << 20, "");
}

static uint64_t next_table;

static void begin_tables(void)
{
	begin_driver_process();
	cr_assert_str_eq(reserve_range(fixture.fake_host, fixture.admin, subject, 64 << 20,
				       ",\"baseAddress\":\"0x8000000000\""),
			 "STATUS_SUCCESS");
	next_table = UINT64_C(0x8000000000);
	cr_assert_str_eq(complete_process(fixture.fake_host, fixture.admin, subject),
			 "STATUS_SUCCESS");
}

static const char *set_next_entry(void)
{
	char address[32];

	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)next_table);
	next_table += 2 << 20;
	return set_entry(fixture.fake_host, fixture.admin, subject, address, "0x1000");
}

/* A limit of one entity, and a request that uses a unit of it. */
static const struct {
	const char *name;
	LimitKind kind; /* LIMIT_MAX if the configuration does not set the limit */
	void (*begin)(void);
	const char *(*use)(void);
	bool is_of_machine;
} entity_limits[] = {
	{ "objectsPerMachine", LIMIT_OBJECTS, NULL, share_an_object, true },
	{ "objectMebibytesPerMachine", LIMIT_OBJECT_MEBIBYTES, NULL, share_an_object, true },
	{ "displaysPerMachine", LIMIT_DISPLAYS, serve_displays, open_a_display, true },
	{ "virtualGpusPerMachine", LIMIT_MAX, NULL, assign_to_machine, true },
	{ "maxVirtualGpus", LIMIT_MAX, begin_adapter, assign_on_adapter, false },
	{ "userRangesPerProcess", LIMIT_USER_RANGES, begin_own_process, map_a_page, false },
	{ "driverReservationsPerProcess", LIMIT_DRIVER_RESERVATIONS, begin_driver_process,
	  reserve_for_driver, false },
	{ "pageTableEntriesPerProcess", LIMIT_PAGE_TABLE_ENTRIES, begin_tables, set_next_entry,
	  false },
};

static void check_entity(size_t i)
{
	FakeHost *fake_host = fixture.fake_host;
	const char *name = entity_limits[i].name, *status;
	size_t units = 0;

	subject[0] = '\0';
	if (entity_limits[i].kind < LIMIT_MAX)
		accounts()->limits.per_entity[entity_limits[i].kind] = ROOM;
	if (entity_limits[i].begin)
		entity_limits[i].begin();
	while (strcmp(status = entity_limits[i].use(), "STATUS_SUCCESS") == 0)
		cr_assert_lt(units++, 100u, "%s does not refuse", name);
	cr_assert_str_eq(status, "STATUS_QUOTA_EXCEEDED", "%s: %s", name,
			 reply_string(fake_host, "message"));
	cr_assert_str_eq(reply_string(fake_host, "limit"), name);
	if (entity_limits[i].kind < LIMIT_MAX)
		cr_assert_not_null(
			strstr(reply_string(fake_host, "message"),
			       entity_limits[i].is_of_machine ? "this VM" : "this GPU process"),
			"%s: %s", name, reply_string(fake_host, "message"));
	uint64_t maximum = reply_number(fake_host, "maximum");
	uint64_t used = reply_number(fake_host, "used");
	Row row = row_of(fixture.admin, name);
	cr_assert_eq(row.maximum, maximum, "%s", name);
	cr_assert_eq(row.used, used, "%s: shown %llu, refused at %llu", name,
		     (unsigned long long)row.used, (unsigned long long)used);
	cr_assert_eq(row.used, row.maximum, "%s is not full", name);
	cr_assert_str_eq(row.machine, entity_limits[i].is_of_machine ? GUID_A : "", "%s", name);
	if (*subject)
		cr_assert(strcmp(row.gpu_process, subject) == 0 ||
				  strcmp(row.adapter, subject) == 0,
			  "%s", name);
}

Test(limits_shown, objects_of_a_machine)
{
	check_entity(0);
}
Test(limits_shown, mebibytes_of_a_machine)
{
	check_entity(1);
}
Test(limits_shown, displays_of_a_machine)
{
	check_entity(2);
	fake_agent_end(&agent);
}
Test(limits_shown, virtual_gpus_of_a_machine)
{
	check_entity(3);
}
Test(limits_shown, virtual_gpus_of_an_adapter)
{
	check_entity(4);
}
Test(limits_shown, user_ranges_of_a_process)
{
	check_entity(5);
}
Test(limits_shown, driver_reservations_of_a_process)
{
	check_entity(6);
}
Test(limits_shown, page_table_entries_of_a_process)
{
	check_entity(7);
}

Test(limits_shown, machines_are_shown_to_those_who_use_them)
{
	static const char *const name = "objectsPerMachine";

	share_image(&fixture, (char[64]){ 0 });
	cr_assert_eq(row_of(fixture.machine, name).used, 1u);
	cr_assert_str_eq(row_of(fixture.machine, name).machine, GUID_A);
	cr_assert_eq(row_of(fixture.client, name).used, 0u);
	cr_assert_str_eq(row_of(fixture.client, name).machine, "");
	cr_assert_eq(row_of(fixture.stranger, name).used, 0u);
	call(fixture.fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	cr_assert_eq(row_of(fixture.stranger, name).used, 1u);
}

Test(limits_shown, closes_under_way)
{
	Failure failure;

	failure_closes_under_way(&failure);
	fixture.fake_host->closer = *ORDINARY(1001);
	fixture.fake_host->closes = failure.used;
	Row row = row_of(fixture.stranger, failure.limit);
	cr_assert_eq(row.used, failure.used);
	cr_assert_eq(row.maximum, failure.maximum);
	cr_assert_eq(row_of(fixture.client, failure.limit).used, 0u);
	row = row_of(fixture.admin, failure.limit);
	cr_assert_eq(row.used, 0u);
	cr_assert_eq(row.highest, failure.used);
	cr_assert_eq(row.uid, 1001u);
}

/* ---- All limits ---- */

static bool is_tested(const char *name)
{
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		if (strcmp(limit_name(kind, true), name) == 0 ||
		    strcmp(limit_name(kind, false), name) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(entity_limits); i++)
		if (strcmp(entity_limits[i].name, name) == 0)
			return true;
	return strcmp(name, "closesUnderWay") == 0;
}

Test(limits_shown, every_limit_is_shown_and_tested_here)
{
	Row row;

	call(fixture.fake_host, fixture.admin, GET_STATUS, NULL);
	for (size_t i = 0; i < reply_count(fixture.fake_host, "limits"); i++)
		cr_assert(is_tested(row_text(i, "name")), "%s", row_text(i, "name"));
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		cr_assert(find_row(limit_name(kind, true), &row));
		cr_assert(find_row(limit_name(kind, false), &row));
		cr_assert(!limit_entity_name(kind) || is_tested(limit_entity_name(kind)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(entity_limits); i++)
		cr_assert(find_row(entity_limits[i].name, &row), "%s", entity_limits[i].name);
	cr_assert(find_row("closesUnderWay", &row));
}
