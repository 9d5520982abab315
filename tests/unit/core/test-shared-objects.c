/* SPDX-License-Identifier: MIT */
/* Shared objects: validation, memory facts, opening, updates, limits and ends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

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

TestSuite(shared_objects, .init = set_up, .fini = tear_down);

#define SUCCESS "STATUS_SUCCESS"

Test(shared_objects, an_object_is_opened_as_it_was_described)
{
	char handle[64];
	ReceivedFds offered;
	char parameters[96];
	FakeHost *fake_host = fixture.fake_host;

	share_image(&fixture, handle);
	cr_assert_eq(fake_host_open_fds(fake_host), 1u, "only the daemon's copy of the fd is open");
	snprintf(parameters, sizeof(parameters), "{\"handle\":\"%s\"}", handle);
	cr_assert_str_eq(
		call_with_fds(fake_host, fixture.client, OPEN, parameters, NULL, 0, &offered),
		SUCCESS);
	cr_assert_eq(offered.count, 1u);
	cr_assert_not(fake_host_fd_of(fake_host, offered.items[0])->facts.is_writable);
	cr_assert_str_eq(reply_string(fake_host, "object.format"), "XR24");
	cr_assert_eq(reply_number(fake_host, "object.planes[0].fileDescriptor"), 0u);
	cr_assert_eq(reply_number(fake_host, "object.planes[0].stride"), 256u);
	cr_assert_str_eq(reply_string(fake_host, "memory.kind"), "memfd");
	cr_assert_eq(reply_number(fake_host, "memory.sizeInBytes"), IMAGE_SIZE);
	fake_host_close(fake_host, offered.items[0]);
	call(fake_host, fixture.admin, DESCRIBE, NAMES_A);
	cr_assert_eq(reply_number(fake_host, "virtualMachine.sharedObjects"), 1u);
	cr_assert_eq(reply_number(fake_host, "virtualMachine.sharedBytes"), IMAGE_SIZE);
	call(fake_host, fixture.client, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_number(fake_host, "registrations[0].openObjects"), 1u);
}

Test(shared_objects, the_seals_of_the_memory_are_reported)
{
	static const struct {
		bool size, writes;
		const char *sealed, *enforced;
	} rows[] = {
		{ false, false, "false", "false" },
		{ true, false, "true", "false" },
		{ false, true, "false", "false" },
		{ true, true, "true", "true" },
	};
	FakeHost *fake_host = fixture.fake_host;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int memory = sealed_memory(fake_host);
		FdInfo *facts = &fake_host_fd_of(fake_host, memory)->facts;

		facts->size_is_sealed = rows[i].size;
		facts->writes_are_sealed = rows[i].writes;
		cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, &memory, 1, NULL),
				 SUCCESS);
		char expected[64];
		snprintf(expected, sizeof(expected), "\"sizeSealed\":%s,\"accessEnforced\":%s",
			 rows[i].sealed, rows[i].enforced);
		cr_assert_not_null(strstr(fake_host->reply_text, expected), "%s",
				   fake_host->reply_text);
	}
}

#define PLANES(text) "\"type\":\"resource\",\"access\":\"read\",\"width\":64,\"height\":32," text

Test(shared_objects, the_order_of_the_rows_is_passed_on)
{
	FakeHost *fake_host = fixture.fake_host;
	int memory = sealed_memory(fake_host);
	char handle[64];

	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE ",\"firstRow\":\"bottom\"",
			       &memory, 1, handle),
			 SUCCESS);
	cr_assert_str_eq(reply_string(fake_host, "sharedObject.object.firstRow"), "bottom");
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL), SUCCESS);
	cr_assert_str_eq(reply_string(fake_host, "object.firstRow"), "bottom");
	memory = sealed_memory(fake_host);
	cr_assert_str_eq(
		share(fake_host, fixture.machine, IMAGE ",\"firstRow\":\"top\"", &memory, 1, NULL),
		SUCCESS);
	cr_assert_null(strstr(fake_host->reply_text, "firstRow"), "top is the default");
}

Test(shared_objects, the_time_of_the_last_update_is_listed)
{
	FakeHost *fake_host = fixture.fake_host;
	char handle[64];

	share_image(&fixture, handle);
	call(fake_host, fixture.machine, LIST_OBJECTS, NULL);
	cr_assert_null(strstr(fake_host->reply_text, "lastUpdate"));
	fake_host->now += 2500000;
	cr_assert_str_eq(with_handle(fake_host, fixture.machine, UPDATE_OBJECT, handle), SUCCESS);
	call(fake_host, fixture.machine, LIST_OBJECTS, NULL);
	char expected[64];
	snprintf(expected, sizeof(expected), "\"lastUpdate\":%.1f",
		 (double)fake_host->now / 1000000);
	cr_assert_not_null(strstr(fake_host->reply_text, expected), "%s not in %s", expected,
			   fake_host->reply_text);
}

/* Shares planes of width x height pixels in one memfd of this size. Returns the status. */
static const char *share_planes(const char *format, unsigned int width, unsigned int height,
				const char *modifier, const char *planes, uint64_t size)
{
	int memory = fake_host_fd(fixture.fake_host, FD_MEMFD, size);
	char object[640];

	fake_host_fd_of(fixture.fake_host, memory)->facts.can_be_sealed = false;
	snprintf(object, sizeof(object),
		 "\"type\":\"resource\",\"access\":\"read\",\"width\":%u,\"height\":%u,"
		 "\"format\":\"%s\",\"modifier\":\"%s\",\"planes\":[%s]",
		 width, height, format, modifier, planes);
	return share(fixture.fake_host, fixture.machine, object, &memory, 1, NULL);
}

#define PLANE(offset, stride) "{\"fileDescriptor\":0,\"offset\":" #offset ",\"stride\":" #stride "}"

/* The exact number of bytes is enough, and one byte less is not. */
Test(shared_objects, a_plane_needs_the_bytes_of_its_last_row)
{
	static const struct {
		const char *what, *format;
		unsigned int width, height;
		const char *modifier, *planes;
		uint64_t size;
	} rows[] = {
		{ "the first head of a framebuffer", "XR24", 1024, 768, "0x0", PLANE(0, 8192),
		  8192 * 767 + 4096 },
		{ "its second head", "XR24", 1024, 768, "0x0", PLANE(4096, 8192), 8192 * 768 },
		{ "a last row without padding", "XR24", 1366, 768, "0x0", PLANE(0, 5504),
		  5504 * 767 + 1366 * 4 },
		{ "one row", "RG24", 5, 1, "0x0", PLANE(3, 4096), 18 },
		{ "overlapping rows", "XR24", 64, 2, "0x0", PLANE(0, 4), 4 + 256 },
		{ "a row of 8 pixels a byte", "C1  ", 9, 2, "0x0", PLANE(0, 64), 64 + 2 },
		{ "chroma of NV12", "NV12", 5, 3, "0x0", PLANE(0, 8) "," PLANE(24, 8), 24 + 8 + 6 },
		{ "chroma of YUV9", "YUV9", 1921, 1081, "0x0",
		  PLANE(0, 1921) "," PLANE(0, 481) "," PLANE(2076601, 481), 2076601 + 481 * 271 },
		{ "chroma of S010", "S010", 3, 3, "0x0",
		  PLANE(0, 8) "," PLANE(24, 8) "," PLANE(40, 8), 40 + 8 + 4 },
		{ "an unknown format", "ABCD", 5, 3, "0x0", PLANE(1, 100), 301 },
		{ "a plane that the format does not have", "XR24", 5, 3, "0x0",
		  PLANE(0, 20) "," PLANE(60, 100), 360 },
		{ "a plane of the modifier", "XR24", 5, 3, "0x100000000000004",
		  PLANE(0, 20) "," PLANE(60, 100), 160 },
		{ "a modifier of an unknown format", "ABCD", 5, 3, "0x100000000000004",
		  PLANE(0, 20) "," PLANE(60, 100), 360 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_str_eq(share_planes(rows[i].format, rows[i].width, rows[i].height,
					      rows[i].modifier, rows[i].planes, rows[i].size),
				 SUCCESS, "%s: %s", rows[i].what, fixture.fake_host->reply_text);
		cr_assert_str_eq(share_planes(rows[i].format, rows[i].width, rows[i].height,
					      rows[i].modifier, rows[i].planes, rows[i].size - 1),
				 "STATUS_INVALID_PARAMETER", "%s", rows[i].what);
	}
}

Test(shared_objects, an_error_names_the_invalid_parameter)
{
	static const struct {
		const char *object, *status, *parameter;
	} rows[] = {
		{ PLANES("\"format\":\"XR24\""), "STATUS_INVALID_PARAMETER", "object.planes" },
		{ PLANES("\"format\":\"XR2\",\"planes\":[]"), "STATUS_INVALID_PARAMETER",
		  "object.format" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"offset\":0,\"stride\":256}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0].fileDescriptor" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":1,\"offset\":0,"
			 "\"stride\":256}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0].fileDescriptor" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,"
			 "\"stride\":0}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0]" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":1,"
			 "\"stride\":256}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0]" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,"
			 "\"offset\":9223372036854775807,\"stride\":256}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0]" },
		{ PLANES("\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,"
			 "\"stride\":9223372036854775807}]"),
		  "STATUS_INVALID_PARAMETER", "object.planes[0]" },
		{ IMAGE ",\"fence\":{\"fileDescriptor\":0}", "STATUS_INVALID_PARAMETER",
		  "object.fence" },
		{ "\"type\":\"fence\",\"access\":\"read\",\"width\":1,"
		  "\"fence\":{\"fileDescriptor\":0}",
		  "STATUS_INVALID_PARAMETER", "object.width" },
		{ "\"type\":\"fence\",\"access\":\"read\"", "STATUS_INVALID_PARAMETER",
		  "object.fence" },
		{ "\"type\":\"fence\",\"access\":\"read\",\"firstRow\":\"top\","
		  "\"fence\":{\"fileDescriptor\":0}",
		  "STATUS_INVALID_PARAMETER", "object.firstRow" },
		{ IMAGE ",\"firstRow\":\"left\"", "STATUS_INVALID_PARAMETER", "object.firstRow" },
		{ "\"type\":\"fence\",\"access\":\"read\",\"fence\":{\"fileDescriptor\":0}",
		  "STATUS_OBJECT_TYPE_MISMATCH", "object.fence.fileDescriptor" },
		{ "\"type\":\"resource\",\"access\":\"readWrite\",\"width\":0,\"height\":32,"
		  "\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,"
		  "\"stride\":256}]",
		  "STATUS_INVALID_PARAMETER", "object.width" },
	};
	FakeHost *fake_host = fixture.fake_host;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int memory = sealed_memory(fake_host);

		cr_assert_str_eq(
			share(fake_host, fixture.machine, rows[i].object, &memory, 1, NULL),
			rows[i].status, "%s", rows[i].object);
		cr_assert_str_eq(reply_string(fake_host, "parameter"), rows[i].parameter, "%s",
				 rows[i].object);
		cr_assert_eq(fake_host_open_fds(fake_host), 0u, "%s", rows[i].object);
	}
}

Test(shared_objects, memory_is_judged_by_the_kernels_facts)
{
	FakeHost *fake_host = fixture.fake_host;
	int memory[2];

	memory[0] = fake_host_fd(fake_host, FD_OTHER, IMAGE_SIZE);
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, memory, 1, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	memory[0] = sealed_memory(fake_host);
	fake_host_fd_of(fake_host, memory[0])->facts.can_be_sealed = true;
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, memory, 1, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	memory[0] = sealed_memory(fake_host);
	fake_host_fd_of(fake_host, memory[0])->is_forbidden = true;
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, memory, 1, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	memory[0] = sealed_memory(fake_host);
	memory[1] = sealed_memory(fake_host);
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, memory, 2, NULL),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, NULL, 0, NULL),
			 "STATUS_INVALID_PARAMETER");
	fake_host->service.settings.require_sealed_memory = true;
	memory[0] = sealed_memory(fake_host);
	fake_host_fd_of(fake_host, memory[0])->facts.size_is_sealed = false;
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, memory, 1, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	cr_assert_eq(fake_host_open_fds(fake_host), 0u);
}

Test(shared_objects, a_resource_is_opened_together_with_its_fence)
{
	size_t count;
	char handle[64];
	FakeHost *fake_host = fixture.fake_host;
	int fds[2] = { sealed_memory(fake_host), fake_host_fd(fake_host, FD_SYNC_FILE, 0) };

	cr_assert_str_eq(
		share(fake_host, fixture.machine,
		      "\"type\":\"resourceWithFence\",\"access\":\"read\",\"width\":64,"
		      "\"height\":32,\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,"
		      "\"offset\":0,\"stride\":256}],\"fence\":{\"fileDescriptor\":1}",
		      fds, 2, handle),
		SUCCESS);
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, &count), SUCCESS);
	cr_assert_eq(count, 2u);
	cr_assert_eq(reply_number(fake_host, "object.fence.fileDescriptor"), 1u);
	/* If only one of the two fds can be opened, none is sent. */
	with_handle(fake_host, fixture.client, CLOSE, handle);
	fake_host->fd_limit = fake_host_open_fds(fake_host) + 1;
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, &count),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_eq(count, 0u);
	cr_assert_eq(fake_host_events(fake_host, EVENT_OPENED), 1u);
}

Test(shared_objects, only_a_holder_can_close_an_unshared_object)
{
	char handle[64];
	FakeHost *fake_host = fixture.fake_host;

	share_image(&fixture, handle);
	open_and_close_fds(fake_host, fixture.client, handle, NULL);
	open_and_close_fds(fake_host, fixture.client, handle, NULL);
	cr_assert_eq(fake_host_events(fake_host, EVENT_OPENED), 1u,
		     "a second open made a second holder");
	cr_assert_str_eq(with_handle(fake_host, fixture.machine, UNSHARE, handle), SUCCESS);
	cr_assert_eq(reply_count(fake_host, "holders"), 1u);
	cr_assert_eq(reply_number(fake_host, "holders[0].pid"), 300u);
	cr_assert_eq(fake_host_open_fds(fake_host), 0u);
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL),
			 "STATUS_INVALID_HANDLE");
	cr_assert_str_eq(with_handle(fake_host, fixture.machine, UPDATE_OBJECT, handle),
			 "STATUS_INVALID_HANDLE");
	cr_assert_str_eq(with_handle(fake_host, fixture.stranger, CLOSE, handle),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(with_handle(fake_host, fixture.client, CLOSE, handle), SUCCESS);
	cr_assert_str_eq(with_handle(fake_host, fixture.client, CLOSE, handle),
			 "STATUS_INVALID_HANDLE");
}

Test(shared_objects, a_holder_outlives_its_registration)
{
	char handle[64];
	FakeHost *fake_host = fixture.fake_host;

	share_image(&fixture, handle);
	open_and_close_fds(fake_host, fixture.client, handle, NULL);
	call(fake_host, fixture.client, UNREGISTER, NAMES_A);
	cr_assert_eq(fake_host_events(fake_host, EVENT_RELEASED), 0u);
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(with_handle(fake_host, fixture.client, CLOSE, handle), SUCCESS);
	cr_assert_eq(fake_host_events(fake_host, EVENT_RELEASED), 1u);
}

Test(shared_objects, objects_and_holders_end_with_their_vm_and_process)
{
	char handle[64];
	FakeHost *fake_host = fixture.fake_host;

	share_image(&fixture, handle);
	open_and_close_fds(fake_host, fixture.client, handle, NULL);
	fake_host_exit(fake_host, fixture.viewer);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_RELEASED)->reason, END_PROCESS_EXITED);
	call(fake_host, fixture.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_UNSHARED)->reason, END_QUARANTINED);
	int memory = sealed_memory(fake_host);
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, &memory, 1, NULL),
			 "STATUS_ACCESS_DENIED");
	call(fake_host, fixture.admin, SET_QUARANTINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":false}");
	share_image(&fixture, handle);
	fake_host_exit(fake_host, fixture.vmm);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_UNSHARED)->reason, END_VMM_EXITED);
	cr_assert_eq(fake_host_open_fds(fake_host), 0u);
}

Test(shared_objects, an_object_that_grows_past_the_limit_is_unshared)
{
	char handle[64];
	Limits limits = limits_default;
	FakeHost *fake_host = fixture.fake_host;
	int memory = sealed_memory(fake_host);

	limits.per_entity[LIMIT_OBJECT_MEBIBYTES] = 2;
	broker_configure(fake_host->service.broker, &limits,
			 &fake_host->service.settings.software_adapter);
	fake_host_fd_of(fake_host, memory)->facts.size_is_sealed = false;
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, &memory, 1, handle), SUCCESS);
	FdInfo *facts = &fake_host->fds[0].facts;
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		if (fake_host->fds[i].open)
			facts = &fake_host->fds[i].facts;
	facts->size = UINT64_C(2) << 20;
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL), SUCCESS);
	facts->size = (UINT64_C(2) << 20) + 1;
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fake_host, "limit"), "objectMebibytesPerMachine");
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_UNSHARED)->reason, END_OVER_BUDGET);
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL),
			 "STATUS_INVALID_HANDLE");
}

/* The sharer can change the file mode at any time. The daemon's copy stays open. */
Test(shared_objects, memory_is_not_opened_if_its_file_mode_forbids_it)
{
	char handle[64];
	FakeHost *fake_host = fixture.fake_host;

	share_image(&fixture, handle);
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		fake_host->fds[i].is_forbidden = true;
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL),
			 "STATUS_OBJECT_TYPE_MISMATCH");
	cr_assert_not_null(strstr(reply_string(fake_host, "message"), "mode"));
	cr_assert_eq(fake_host_open_fds(fake_host), 1u);
	cr_assert_eq(fake_host_events(fake_host, EVENT_OPENED), 0u);
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		fake_host->fds[i].is_forbidden = false;
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL), SUCCESS);
}

Test(shared_objects, the_damage_of_an_update_lies_within_the_object)
{
	static const struct {
		const char *damage, *status;
	} rows[] = {
		{ "[]", SUCCESS },
		{ "[{\"x\":0,\"y\":0,\"width\":64,\"height\":32}]", SUCCESS },
		{ "[{\"x\":63,\"y\":31,\"width\":1,\"height\":1}]", SUCCESS },
		{ "[{\"x\":63,\"y\":31,\"width\":2,\"height\":1}]", "STATUS_INVALID_PARAMETER" },
		{ "[{\"x\":0,\"y\":0,\"width\":0,\"height\":1}]", "STATUS_INVALID_PARAMETER" },
		{ "[{\"x\":9223372036854775807,\"y\":0,\"width\":1,\"height\":1}]",
		  "STATUS_INVALID_PARAMETER" },
	};
	char handle[64];

	share_image(&fixture, handle);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_str_eq(callf(fixture.fake_host, fixture.machine, UPDATE_OBJECT,
				       "{\"handle\":\"%s\",\"damage\":%s}", handle, rows[i].damage),
				 rows[i].status, "%s", rows[i].damage);
	cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_UPDATED), 3u);
	cr_assert_str_eq(with_handle(fixture.fake_host, fixture.admin, UPDATE_OBJECT, handle),
			 "STATUS_ACCESS_DENIED",
			 "an operator updated an object of another process");
}

Test(shared_objects, limits_bound_objects_and_holders)
{
	char handle[64], other[64];
	Limits limits = limits_default;
	FakeHost *fake_host = fixture.fake_host;

	limits.per_entity[LIMIT_OBJECTS] = 2;
	limits.per_uid[LIMIT_HOLDERS] = 1;
	broker_configure(fake_host->service.broker, &limits,
			 &fake_host->service.settings.software_adapter);
	share_image(&fixture, handle);
	share_image(&fixture, other);
	int memory = sealed_memory(fake_host);
	cr_assert_str_eq(share(fake_host, fixture.machine, IMAGE, &memory, 1, NULL),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fake_host, "limit"), "objectsPerMachine");
	cr_assert_eq(fake_host_open_fds(fake_host), 2u,
		     "the fd of the refused object is still open");
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL), SUCCESS);
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, other, NULL),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fake_host, "limit"), "holdersPerUid");
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, handle, NULL), SUCCESS,
			 "a second open counts as another holder");
}

Test(shared_objects, a_limit_bounds_the_rectangles_of_an_update)
{
	char handle[64], damage[LIMIT_DAMAGE_RECTANGLES * 48 + 96];

	share_image(&fixture, handle);
	for (size_t count = LIMIT_DAMAGE_RECTANGLES; count <= LIMIT_DAMAGE_RECTANGLES + 1;
	     count++) {
		size_t length = 0;

		for (size_t i = 0; i < count; i++)
			length += (size_t)sprintf(damage + length,
						  "%s{\"x\":0,\"y\":0,\"width\":1,\"height\":1}",
						  i > 0 ? "," : "");
		cr_assert_str_eq(callf(fixture.fake_host, fixture.machine, UPDATE_OBJECT,
				       "{\"handle\":\"%s\",\"damage\":[%s]}", handle, damage),
				 count <= LIMIT_DAMAGE_RECTANGLES ? SUCCESS
								  : "STATUS_INVALID_PARAMETER");
	}
}
