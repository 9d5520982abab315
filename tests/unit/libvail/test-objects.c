/* SPDX-License-Identifier: MIT */
/*
 * Tests the requests that libvail sends for shared objects, that it seals shared memory, and that
 * no change of the memory by its sharer makes a reader fault or wait without a limit.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/libvail/fault-safe-copy.h"
#include "tests/support/fake-server.h"

#define GUID   "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define HANDLE "0123456789abcdef0123456789abcdef"

#define OBJECT(planes)                                                                           \
	"\"object\":{\"type\":\"resource\",\"access\":\"read\",\"name\":\"screen\",\"width\":3," \
	"\"height\":2,\"format\":\"XR24\",\"planes\":[" planes "]}"
#define PLANE "{\"offset\":4096,\"stride\":16}"
#define MEMORY                                                                      \
	"\"memory\":{\"kind\":\"memfd\",\"sizeInBytes\":8192,\"sizeSealed\":false," \
	"\"accessEnforced\":false}"
#define SHARED                                                                                     \
	"{\"handle\":\"" HANDLE "\",\"virtualMachineGuid\":\"" GUID                                \
	"\"," OBJECT(PLANE) "," MEMORY ",\"sharedByPid\":7,\"since\":2.5,\"holders\":[{\"pid\":8," \
			    "\"uid\":9,\"since\":3.5}]}"

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

static FakeServer server;
static ReceivedData received;
static size_t open_before;

static void set_up(void)
{
	open_before = count_open_fds();
	fake_server_init(&server);
}

static void tear_down(void)
{
	received_data_close(&received);
	fake_server_deinit(&server);
	cr_assert_eq(count_open_fds(), open_before, "fds are left open");
}

TestSuite(objects, .init = set_up, .fini = tear_down);

/* ---- Sharing ---- */

static VailObject screen(int fd)
{
	VailObject object = VAIL_OBJECT_INIT;

	object.name = "screen";
	object.width = 3;
	object.height = 2;
	object.format = VAIL_FORMAT('X', 'R', '2', '4');
	object.planes[0] = (VailPlane){ .descriptor = fd, .offset = 4096, .stride = 16 };
	object.plane_count = 1;
	return object;
}

static int new_memfd(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_eq(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static NTSTATUS share(const VailObject *object, char handle[VAIL_HANDLE_SIZE])
{
	fake_server_answer_once(&server);
	fake_server_reply(&server, "\"sharedObject\":" SHARED, NULL, 0);
	return vail_share_object(server.vail, GUID, object, handle);
}

Test(objects, sharing_seals_and_sends_memory)
{
	char handle[VAIL_HANDLE_SIZE];
	struct vail_memory *memory;

	cr_assert_eq(vail_memory_new(8192, "screen", &memory), STATUS_SUCCESS);
	VailObject object = screen(vail_memory_descriptor(memory));
	cr_assert_eq(fcntl(vail_memory_descriptor(memory), F_GET_SEALS),
		     F_SEAL_SHRINK | F_SEAL_GROW);
	cr_assert_eq(share(&object, handle), STATUS_SUCCESS);
	cr_assert_str_eq(handle, HANDLE);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes,
			 "{\"method\":\"io.vaild.ShareObjectWithHost\",\"parameters\":{"
			 "\"virtualMachineGuid\":\"" GUID "\",\"object\":{\"type\":\"resource\","
			 "\"access\":\"read\",\"name\":\"screen\",\"width\":3,\"height\":2,"
			 "\"format\":\"XR24\",\"modifier\":\"0x0\",\"planes\":[{"
			 "\"fileDescriptor\":0,\"offset\":4096,\"stride\":16}]}}}");
	cr_assert_eq(received.count, 1u);
	cr_assert_eq(fcntl(received.fds[0], F_GET_SEALS), ALL_SEALS | F_SEAL_FUTURE_WRITE);
	cr_assert_eq(pwrite(received.fds[0], "x", 1, 0), -1, "holders cannot write");
	memcpy(vail_memory_data(memory), "frame", 5);
	char bytes[5];
	cr_assert_eq(pread(received.fds[0], bytes, 5, 0), 5);
	cr_assert_arr_eq(bytes, "frame", 5, "the sharer can write");
	vail_memory_free(memory);
}

Test(objects, the_order_of_the_rows_is_sent)
{
	char handle[VAIL_HANDLE_SIZE];
	int memory = new_memfd(8192);
	VailObject object = screen(memory);

	object.first_row = VAIL_FIRST_ROW_BOTTOM;
	cr_assert_eq(share(&object, handle), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_not_null(strstr(received.bytes, "\"firstRow\":\"bottom\""));
	object.first_row = (VailFirstRow)2;
	cr_assert_eq(vail_share_object(server.vail, GUID, &object, handle),
		     STATUS_INVALID_PARAMETER);
	cr_assert_not_null(strstr(vail_error_message(server.vail), "VAIL_FIRST_ROW_BOTTOM"));
	close(memory);
}

/* A program that was built with an older vail.h does not have the member. */
Test(objects, an_older_structure_is_accepted)
{
	char handle[VAIL_HANDLE_SIZE];
	int memory = new_memfd(8192);
	VailObject object = screen(memory);

	object.size = offsetof(VailObject, first_row);
	object.first_row = (VailFirstRow)0x5a5a;
	cr_assert_eq(share(&object, handle), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_null(strstr(received.bytes, "firstRow"));
	object.size--;
	cr_assert_eq(vail_share_object(server.vail, GUID, &object, handle),
		     STATUS_INVALID_PARAMETER);
	close(memory);
}

Test(objects, plane_fds_precede_the_fence)
{
	char handle[VAIL_HANDLE_SIZE];
	int memory = new_memfd(8192), fence = make_file("fence");
	VailObject object = screen(memory);

	object.access = VAIL_ACCESS_READ_WRITE;
	object.planes[1] = object.planes[0];
	object.plane_count = 2;
	object.fence = fence;
	cr_assert_eq(share(&object, handle), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_not_null(strstr(received.bytes, "\"type\":\"resourceWithFence\""));
	cr_assert_not_null(strstr(received.bytes, "\"fence\":{\"fileDescriptor\":2}"));
	cr_assert_eq(received.count, 3u);
	cr_assert(has_content(received.fds[2], "fence"));
	cr_assert_eq(fcntl(memory, F_GET_SEALS), ALL_SEALS, "holders can still write");
	close(memory);
	close(fence);
}

Test(objects, invalid_objects_are_refused)
{
	char handle[VAIL_HANDLE_SIZE] = "untouched";
	int memory = new_memfd(8192);
	VailObject wrong[5];

	for (size_t i = 0; i < 5; i++)
		wrong[i] = screen(memory);
	wrong[0].size--;
	wrong[1].plane_count = 0;
	wrong[2].plane_count = 2;
	wrong[3].plane_count = VAIL_PLANE_MAX + 1;
	wrong[4].format = 0;
	for (size_t i = 0; i < 5; i++) {
		cr_assert_eq(vail_share_object(server.vail, GUID, &wrong[i], handle),
			     STATUS_INVALID_PARAMETER, "%zu", i);
		cr_assert_str_neq(vail_error_message(server.vail), "");
	}
	cr_assert_str_eq(handle, "untouched");
	cr_assert_eq(fcntl(memory, F_GET_SEALS), 0, "nothing was sealed");
	close(memory);
}

Test(objects, memory_size_and_name_are_limited)
{
	struct vail_memory *memory = NULL;
	char name[300];

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(vail_memory_new(0, NULL, &memory), STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_memory_new(4096, name, &memory), STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_memory_new(SIZE_MAX, NULL, &memory), STATUS_INVALID_PARAMETER);
	cr_assert_null(memory);
	cr_assert_eq(vail_memory_new(5, NULL, &memory), STATUS_SUCCESS);
	cr_assert_eq(vail_memory_size(memory), 5u);
	cr_assert_eq(ftruncate(vail_memory_descriptor(memory), 4), -1);
	vail_memory_free(memory);
	vail_memory_free(NULL);
}

Test(objects, update_requests)
{
	VailRectangle damage[2] = { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } };

	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_update_object(server.vail, HANDLE, damage, 2), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(
		received.bytes,
		"{\"method\":\"io.vaild.UpdateObject\",\"parameters\":{\"handle\":\"" HANDLE
		"\",\"damage\":[{\"x\":1,\"y\":2,\"width\":3,\"height\":4},"
		"{\"x\":5,\"y\":6,\"width\":7,\"height\":8}]}}");
	cr_assert_eq(vail_send_update(server.vail, HANDLE, NULL, 0), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(
		received.bytes,
		"{\"method\":\"io.vaild.UpdateObject\",\"parameters\":{\"handle\":\"" HANDLE
		"\"},\"oneway\":true}");
	cr_assert_eq(vail_send_update(server.vail, NULL, NULL, 0), STATUS_INVALID_PARAMETER);
}

Test(objects, unsharing_counts_holders)
{
	uint64_t holders = 0;

	fake_server_reply(&server, "\"holders\":[{\"pid\":1},{\"pid\":2}]", NULL, 0);
	cr_assert_eq(vail_unshare_object(server.vail, HANDLE, &holders), STATUS_SUCCESS);
	cr_assert_eq(holders, 2u);
}

/* ---- Lists and events ---- */

static void check_shared(const VailSharedObject *object)
{
	cr_assert_eq(object->size, sizeof(*object));
	cr_assert_str_eq(object->handle, HANDLE);
	cr_assert_str_eq(object->virtual_machine, GUID);
	cr_assert_eq(object->shared_by_pid, 7);
	cr_assert_eq(object->since, 2.5);
	cr_assert_eq(object->holder_count, 1u);
	cr_assert_eq(object->holders[0].pid, 8);
	cr_assert_eq(object->holders[0].uid, 9u);
	cr_assert_eq(object->object->type, VAIL_OBJECT_RESOURCE);
	cr_assert_eq(object->object->format, VAIL_FORMAT('X', 'R', '2', '4'));
	cr_assert_eq(object->object->planes[0].offset, 4096u);
	cr_assert_eq(object->object->planes[0].descriptor, -1);
	cr_assert_eq(object->object->memory, VAIL_MEMORY_MEMFD);
}

static bool take_one(struct vail *vail, const VailSharedObject *object, void *context)
{
	(void)vail;
	check_shared(object);
	++*(unsigned int *)context;
	return false;
}

Test(objects, listing_stops_when_the_callback_returns_false)
{
	static const char first[] = "{\"parameters\":{\"sharedObjects\":[" SHARED "]},"
				    "\"continues\":true}";
	unsigned int taken = 0;

	fake_server_send(&server, first, sizeof(first), NULL, 0);
	fake_server_reply(&server, "\"sharedObjects\":[" SHARED "]", NULL, 0);
	cr_assert_eq(vail_list_objects(server.vail, GUID, take_one, &taken), STATUS_SUCCESS);
	cr_assert_eq(taken, 1u);
	cr_assert_geq(vail_descriptor(server.vail), 0);
}

static bool take_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		       void *context)
{
	unsigned int *events = context;

	(void)vail;
	if (!event)
		return false;
	cr_assert_eq(status, STATUS_SUCCESS);
	check_shared(event->shared_object);
	if (event->kind == VAIL_EVENT_UPDATED) {
		cr_assert_eq(event->damage_count, 1u);
		cr_assert_eq(event->damage[0].width, 30u);
		cr_assert_eq(event->holder_pid, 0);
	} else {
		cr_assert_eq(event->kind, VAIL_EVENT_OPENED);
		cr_assert_eq(event->holder_pid, 11);
		cr_assert_eq(event->holder_uid, 12u);
		cr_assert_eq(event->pid, 0, "the event concerns no registration");
	}
	++*events;
	return continues;
}

Test(objects, object_events)
{
	static const char opened[] =
		"{\"continues\":true,\"parameters\":{\"event\":{\"kind\":"
		"\"opened\",\"sharedObject\":" SHARED ",\"holder\":{\"pid\":11,\"uid\":12}}}}";
	static const char updated[] =
		"{\"continues\":true,\"parameters\":{\"event\":{\"kind\":"
		"\"updated\",\"sharedObject\":" SHARED
		",\"damage\":[{\"x\":1,\"y\":2,\"width\":30,\"height\":4}]}}}";
	unsigned int events = 0;

	cr_assert_eq(vail_watch(server.vail, GUID, take_event, &events), STATUS_SUCCESS);
	fake_server_send(&server, opened, sizeof(opened), NULL, 0);
	fake_server_send(&server, updated, sizeof(updated), NULL, 0);
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert_eq(events, 2u);
	cr_assert_str_eq(vail_event_name(VAIL_EVENT_RELEASED), "released");
}

static bool take_change(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
			void *context)
{
	size_t *counts = context;

	(void)vail;
	if (!event)
		return false;
	cr_assert_eq(status, STATUS_SUCCESS);
	cr_assert_eq(event->kind, VAIL_EVENT_VIRTUAL_MACHINE_CHANGED);
	if (event->changed_count == 2) {
		cr_assert_str_eq(event->changed[0], "name");
		cr_assert_str_eq(event->changed[1], "later");
	}
	counts[event->changed_count]++;
	return continues;
}

/* An older vaild does not say what changed, and a later one may send other names. */
Test(objects, changes_of_a_machine)
{
#define CHANGED(more)                                                                        \
	"{\"continues\":true,\"parameters\":{\"event\":{\"kind\":\"virtualMachineChanged\"," \
	"\"virtualMachineGuid\":\"" GUID "\"" more "}}}"
	static const char *const events[] = {
		CHANGED(""),
		CHANGED(",\"changed\":[]"),
		CHANGED(",\"changed\":[\"name\",5,\"later\"]"),
	};
	size_t counts[3] = { 0 };

	cr_assert_eq(vail_watch(server.vail, GUID, take_change, counts), STATUS_SUCCESS);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		fake_server_send(&server, events[i], strlen(events[i]) + 1, NULL, 0);
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert_eq(counts[0], 2u);
	cr_assert_eq(counts[2], 1u);
}

/* ---- Open objects ---- */

/* Opens an object with a single plane, which has this fd. */
static struct vail_object *open_plane(int fd)
{
	struct vail_object *object = NULL;

	fake_server_reply(&server, OBJECT(PLANE) "," MEMORY, &fd, 1);
	cr_assert_eq(vail_open_object(server.vail, HANDLE, &object), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	return object;
}

static void close_object(struct vail_object *object)
{
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_object_close(server.vail, object), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"io.vaild.CloseSharedObject\","
					 "\"parameters\":{\"handle\":\"" HANDLE "\"}}");
}

Test(objects, open_and_read)
{
	static const char rows[] = "abcdABCDefgh----"
				   "ijklIJKLmnop----";
	char bytes[24];
	int memory = new_memfd(8192);

	cr_assert_eq(pwrite(memory, rows, 32, 4096), 32);
	struct vail_object *object = open_plane(memory);
	cr_assert_eq(vail_object_info(object)->width, 3u);
	cr_assert_str_eq(vail_object_info(object)->name, "screen");
	cr_assert_str_eq(vail_object_handle(object), HANDLE);
	cr_assert_geq(vail_object_descriptor(object, 0), 0);
	cr_assert_eq(vail_object_descriptor(object, 1), -1);
	cr_assert_eq(vail_object_read(object, 0, 4, bytes, 4), STATUS_SUCCESS);
	cr_assert_arr_eq(bytes, "ABCD", 4);
	cr_assert_eq(vail_object_read_image(object, bytes, sizeof(bytes)), STATUS_SUCCESS);
	cr_assert_arr_eq(bytes, "abcdABCDefghijklIJKLmnop", 24, "rows have no gaps");
	cr_assert_eq(vail_object_read_image(object, bytes, 23), STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_object_read(object, 1, 0, bytes, 1), STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_object_read(object, 0, 4096, bytes, 1), STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_object_read(object, 0, UINT64_MAX, bytes, 1), STATUS_INVALID_PARAMETER);
	cr_assert_eq(vail_object_read(object, 0, INT64_MAX, bytes, 1), STATUS_INVALID_PARAMETER);
	close_object(object);
	close(memory);
}

/* Opens an image of 3 x 2 pixels in this memory, described by further members. */
static struct vail_object *open_image(int memory, const char *members)
{
	struct vail_object *object = NULL;
	char *text = NULL;

	cr_assert_gt(asprintf(&text,
			      "\"object\":{\"type\":\"resource\",\"width\":3,\"height\":2,"
			      "\"format\":\"XR24\",%s}," MEMORY,
			      members),
		     0);
	fake_server_reply(&server, text, &memory, 1);
	free(text);
	cr_assert_eq(vail_open_object(server.vail, HANDLE, &object), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	return object;
}

Test(objects, an_image_is_read_with_the_top_row_first)
{
	static const char *const strides[] = { "12", "16" };
	char bytes[24];
	int memory = new_memfd(8192);

	for (size_t i = 0; i < 2; i++) {
		char members[128];
		int stride = atoi(strides[i]);

		cr_assert_eq(pwrite(memory, "lower row 12", 12, 100), 12);
		cr_assert_eq(pwrite(memory, "upper row 12", 12, 100 + stride), 12);
		snprintf(members, sizeof(members),
			 "\"firstRow\":\"bottom\",\"planes\":[{\"offset\":100,\"stride\":%s}]",
			 strides[i]);
		struct vail_object *object = open_image(memory, members);
		cr_assert_eq(vail_object_info(object)->first_row, VAIL_FIRST_ROW_BOTTOM);
		cr_assert_eq(vail_object_read_image(object, bytes, sizeof(bytes)), STATUS_SUCCESS);
		cr_assert_arr_eq(bytes, "upper row 12lower row 12", 24, "stride %s", strides[i]);
		cr_assert_eq(vail_object_read(object, 0, 0, bytes, 12), STATUS_SUCCESS);
		cr_assert_arr_eq(bytes, "lower row 12", 12, "bytes are as they are in memory");
		close_object(object);
	}
	close(memory);
}

/* Returns size bytes that end at the end of a page, behind which every access faults. */
static char *guarded_bytes(size_t size)
{
	size_t page = (size_t)getpagesize();
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(pages, MAP_FAILED);
	cr_assert_eq(mprotect(pages + page, page, PROT_NONE), 0);
	return pages + page - size;
}

/* The padding behind the last row does not exist: the memory ends with the last pixel. */
Test(objects, reading_an_image_ends_with_its_last_pixel)
{
	static const char *const orders[] = { "top", "bottom" };
	char *bytes = guarded_bytes(24);
	size_t last = (size_t)getpagesize();

	for (size_t i = 0; i < 2; i++) {
		int memory = new_memfd(last);
		char members[128];

		snprintf(members, sizeof(members),
			 "\"firstRow\":\"%s\",\"planes\":[{\"offset\":%zu,\"stride\":64}]",
			 orders[i], last - 64 - 12);
		struct vail_object *object = open_image(memory, members);
		cr_assert_eq(vail_object_read_image(object, bytes, 24), STATUS_SUCCESS, "%s",
			     vail_object_error_message(object));
		cr_assert_eq(vail_object_read(object, 0, 64, bytes, 12), STATUS_SUCCESS);
		cr_assert_eq(vail_object_read(object, 0, 64, bytes, 13), STATUS_INVALID_PARAMETER);
		cr_assert_eq(ftruncate(memory, (off_t)last - 1), 0);
		cr_assert_eq(vail_object_read_image(object, bytes, 24),
			     STATUS_INVALID_DEVICE_STATE);
		close_object(object);
		close(memory);
	}
}

Test(objects, shrunken_memory_does_not_fault)
{
	char bytes[24];
	void *data;
	size_t size;
	int memory = new_memfd(8192);
	struct vail_object *object = open_plane(memory);

	cr_assert_eq(vail_object_map(object, 0, &data, &size), STATUS_NOT_SUPPORTED);
	cr_assert_not_null(strstr(vail_object_error_message(object), "vail_object_read()"));
	cr_assert_eq(vail_object_read_image(object, bytes, sizeof(bytes)), STATUS_SUCCESS);
	cr_assert_str_eq(vail_object_error_message(object), "");
	cr_assert_eq(ftruncate(memory, 4096 + 17), 0);
	cr_assert_eq(vail_object_read(object, 0, 0, bytes, 16), STATUS_SUCCESS);
	cr_assert_eq(vail_object_read(object, 0, 16, bytes, 16), STATUS_INVALID_DEVICE_STATE);
	cr_assert_not_null(strstr(vail_object_error_message(object), "shrunk"));
	cr_assert_eq(vail_object_read_image(object, bytes, 24), STATUS_INVALID_DEVICE_STATE);
	cr_assert_eq(ftruncate(memory, 0), 0);
	cr_assert_eq(vail_object_read(object, 0, 0, bytes, 1), STATUS_INVALID_DEVICE_STATE);
	close_object(object);
	close(memory);
}

Test(objects, sealed_memory_is_mapped)
{
	void *data;
	size_t size;
	int memory = new_memfd(8192);

	cr_assert_eq(pwrite(memory, "here", 4, 4096), 4);
	cr_assert_eq(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	struct vail_object *object = open_plane(memory);
	cr_assert_eq(vail_object_map(object, 0, &data, &size), STATUS_SUCCESS);
	cr_assert_eq(size, 4096u);
	cr_assert_arr_eq(data, "here", 4);
	cr_assert_eq(vail_object_map(object, 0, &data, &size), STATUS_SUCCESS, "again");
	close_object(object);
	close(memory);
}

Test(objects, objects_outlive_the_handle)
{
	char byte;
	int memory = new_memfd(8192);
	struct vail_object *object = open_plane(memory);

	vail_close(server.vail);
	server.vail = NULL;
	cr_assert_eq(vail_object_read(object, 0, 0, &byte, 1), STATUS_SUCCESS);
	cr_assert_eq(vail_object_close(NULL, object), STATUS_SUCCESS);
	cr_assert_eq(vail_object_close(NULL, NULL), STATUS_SUCCESS);
	close(memory);
}

Test(objects, reply_without_fds_is_invalid)
{
	struct vail_object *object = NULL;

	fake_server_reply(&server, OBJECT(PLANE) "," MEMORY, NULL, 0);
	cr_assert_eq(vail_open_object(server.vail, HANDLE, &object),
		     STATUS_INVALID_NETWORK_RESPONSE);
	cr_assert_null(object);
	cr_assert_str_neq(vail_error_message(server.vail), "");
	fake_server_receive(&server, &received);
	const char *second = received.bytes + strlen(received.bytes) + 1;
	cr_assert_str_eq(second,
			 "{\"method\":\"io.vaild.CloseSharedObject\",\"parameters\":{"
			 "\"handle\":\"" HANDLE "\"},\"oneway\":true}",
			 "the object is closed in vaild");
}

Test(objects, fence_wait)
{
	struct vail_object *object = NULL;
	int fence = eventfd(0, EFD_CLOEXEC);

	fake_server_reply(&server,
			  "\"object\":{\"type\":\"fence\",\"access\":\"read\",\"fence\":{"
			  "\"fileDescriptor\":0}},\"memory\":{\"kind\":\"none\"}",
			  &fence, 1);
	cr_assert_eq(vail_open_object(server.vail, HANDLE, &object), STATUS_SUCCESS);
	fake_server_receive(&server, &received);
	cr_assert_eq(vail_object_info(object)->type, VAIL_OBJECT_FENCE);
	cr_assert_eq(vail_object_wait(object, 0), STATUS_IO_TIMEOUT);
	cr_assert_eq(vail_object_wait(object, 10), STATUS_IO_TIMEOUT);
	struct pollfd watch = { .fd = vail_object_fence_descriptor(object), .events = POLLIN };
	cr_assert_eq(poll(&watch, 1, 0), 0);
	cr_assert_eq(eventfd_write(fence, 1), 0);
	cr_assert_eq(vail_object_wait(object, 10), STATUS_SUCCESS);
	cr_assert_eq(vail_object_wait(object, VAIL_TIMEOUT_NONE), STATUS_SUCCESS);
	close_object(object);
	close(fence);
}

Test(objects, unsupported_image_formats_are_refused)
{
	static const char *const objects[] = {
		"\"format\":\"NV12\",\"planes\":[" PLANE "," PLANE "]",
		"\"format\":\"RG16\",\"planes\":[" PLANE "]",
		"\"format\":\"XR24\",\"modifier\":\"0x100000000000001\",\"planes\":[" PLANE "]",
		"\"format\":\"XR24\",\"planes\":[{\"offset\":0,\"stride\":11}]",
	};
	char bytes[24];
	int memories[2] = { new_memfd(8192), new_memfd(8192) };

	for (size_t i = 0; i < 4; i++) {
		struct vail_object *object = NULL;
		char *text = NULL;

		cr_assert_gt(asprintf(&text, "\"object\":{\"width\":3,\"height\":2,%s},%s",
				      objects[i], MEMORY),
			     0);
		fake_server_reply(&server, text, memories, 2);
		free(text);
		cr_assert_eq(vail_open_object(server.vail, HANDLE, &object), STATUS_SUCCESS);
		fake_server_receive(&server, &received);
		cr_assert_eq(vail_object_read_image(object, bytes, sizeof(bytes)),
			     STATUS_NOT_SUPPORTED, "%zu", i);
		cr_assert_str_neq(vail_object_error_message(object), "");
		close_object(object);
	}
	close(memories[0]);
	close(memories[1]);
}

/* Like a dma-buf whose pages were freed, the truncated part of this mapping faults. */
Test(objects, truncated_mapping_does_not_fault)
{
	char bytes[64] = { 0 };
	int memory = new_memfd(8192), scratch = fault_safe_copy_open();
	char *data = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

	memcpy(data + 4000, "whole", 5);
	cr_assert_eq(fault_safe_copy(scratch, data + 4000, bytes, 5), 0);
	cr_assert_str_eq(bytes, "whole");
	cr_assert_eq(ftruncate(memory, 4096), 0);
	cr_assert_eq(fault_safe_copy(scratch, data + 4064, bytes, 64), -EFAULT);
	cr_assert_eq(fault_safe_copy(scratch, data + 4096, bytes, 1), -EFAULT);
	cr_assert_eq(fault_safe_copy(scratch, data + 4032, bytes, 64), 0);
	munmap(data, 8192);
	close(scratch);
	close(memory);
}

Test(objects, large_mappings_are_copied_in_pieces)
{
	size_t size = (3u << 20) + 17;
	int memory = new_memfd(size), scratch = fault_safe_copy_open();
	char *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	char *copy = malloc(size);

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 31 >> 3);
	cr_assert_eq(fault_safe_copy(scratch, data, copy, size), 0);
	cr_assert_eq(memcmp(data, copy, size), 0);
	free(copy);
	munmap(data, size);
	close(scratch);
	close(memory);
}
