/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes libvail with the replies of a server. An input has a byte with the number of fds that come
 * with the replies (bits 0-2) and their size (bits 3-7, as a power of two), a byte with a number
 * of calls, a byte for each call, and the replies, one in a line. In a watch, 0x1f ends the
 * connection, and what follows is the answer to the next one.
 *
 * No reply may crash the library, make it wait, or leave a fd open. Values that the library has
 * decoded are within their documented bounds.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/common/object-image.h"
#include "tests/fuzz/common/fuzz-input.h"
#include "tests/fuzz/common/prepared-server.h"

#define GUID        "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define HANDLE      "6c929f34ddfa8c9f63c9960ef6e348a3"
#define FDS_MAX     7
#define CALLS_MAX   8
#define IMAGE_MAX   (1u << 20) /* larger ones only cost time */
#define NEXT_ANSWER 0x1f
#define DISCONNECTS 4

const char program_name[] = "fuzz";

/* ---- Checks of what the library returns ---- */

/* Reads each byte, so that ASan finds text that has been freed. */
static void check_text(const char *text)
{
	fuzz_must(!text || strlen(text) < SIZE_MAX);
}

static void check_info(const VailObjectInfo *info)
{
	fuzz_must(info->size == sizeof(*info) && info->plane_count <= VAIL_PLANE_MAX);
	check_text(info->name);
}

static void check_object(const VailSharedObject *object)
{
	check_text(object->handle);
	check_text(object->virtual_machine);
	check_info(object->object);
	for (size_t i = 0; i < object->holder_count; i++)
		fuzz_must(!isnan(object->holders[i].since));
}

static bool take_object(struct vail *vail, const VailSharedObject *object, void *context)
{
	unsigned int *taken = context;

	(void)vail;
	check_object(object);
	return ++*taken < 100;
}

static bool take_process(struct vail *vail, const VailListedGpuProcess *process, void *context)
{
	(void)vail;
	(void)context;
	check_text(process->process);
	check_text(process->adapter);
	check_text(process->name);
	check_text(process->virtual_machine);
	return true;
}

static bool take_range(struct vail *vail, const VailRange *range, void *context)
{
	(void)vail;
	(void)context;
	fuzz_must(range->size == sizeof(*range) && range->kind <= VAIL_RANGE_MAPPING);
	return true;
}

static bool take_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		       void *context)
{
	(void)context;
	fuzz_must(!continues || status == STATUS_SUCCESS);
	check_text(parameters);
	int fd = vail_take_descriptor(vail, 0);
	if (fd >= 0)
		close(fd);
	return true;
}

static bool take_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		       void *context)
{
	bool *has_ended = context;

	(void)vail;
	fuzz_must(!*has_ended);
	fuzz_must(event ? status == STATUS_SUCCESS : !continues);
	*has_ended = !continues;
	if (!event)
		return false;
	check_text(event->json);
	check_text(event->virtual_machine);
	check_text(event->reason);
	for (size_t i = 0; i < event->damage_count; i++)
		fuzz_must(event->damage[i].x <= UINT32_MAX);
	if (event->shared_object)
		check_object(event->shared_object);
	return true;
}

/* ---- Calls ---- */

static void read_object(struct vail_object *object)
{
	const VailObjectInfo *info = vail_object_info(object);
	char byte, reason[256];
	void *data;
	size_t size;

	check_info(info);
	for (size_t i = 0; i <= info->plane_count; i++) {
		vail_object_read(object, i, info->planes[0].offset, &byte, 1);
		if (vail_object_map(object, i, &data, &size) == STATUS_SUCCESS && size > 0)
			fuzz_must(((volatile char *)data)[size - 1] == 0);
	}
	if (!object_image_check(info, reason, sizeof(reason)))
		return;
	size = (size_t)4 * info->width * info->height;
	data = size <= IMAGE_MAX ? malloc(size) : NULL;
	if (data)
		vail_object_read_image(object, data, size);
	free(data);
}

static void call_open(struct vail *vail)
{
	struct vail_object *object = NULL;

	if (vail_open_object(vail, HANDLE, &object) != STATUS_SUCCESS)
		return;
	vail_object_wait(object, 0);
	vail_object_set_timeout(object, 0);
	read_object(object);
	check_text(vail_object_error_message(object));
	vail_object_close(vail, object);
}

static void call_plain(struct vail *vail)
{
	char *reply = NULL;

	vail_call(vail, "org.varlink.service.GetInfo", NULL, &reply);
	check_text(reply);
	free(reply);
	int fd = vail_take_descriptor(vail, 0);
	if (fd >= 0)
		close(fd);
}

static void call_more(struct vail *vail)
{
	vail_call_more(vail, "io.vaild.ListRegistrations", NULL, take_reply, NULL);
}

static void call_submit(struct vail *vail)
{
	for (int i = 0; i < 3; i++)
		vail_submit(vail, "io.vaild.Gpu.ListAdapters", NULL, i > 0, take_reply, NULL);
	for (int i = 0; i < 8 && vail_process(vail) == STATUS_SUCCESS; i++)
		;
}

static void call_lists(struct vail *vail)
{
	unsigned int taken = 0;

	vail_list_objects(vail, GUID, take_object, &taken);
}

static void call_processes(struct vail *vail)
{
	vail_list_gpu_processes(vail, take_process, NULL);
}

static void call_ranges(struct vail *vail)
{
	vail_describe_address_space(vail, HANDLE, take_range, NULL);
}

static void call_addresses(struct vail *vail)
{
	VailTranslation translation = VAIL_TRANSLATION_INIT;
	uint64_t address;

	vail_translate_address(vail, HANDLE, 4096, &translation);
	vail_reserve_address(vail, HANDLE, 4096, 0, 0, 0, &address);
	vail_reserve_address_range(vail, HANDLE, 4096, 0, 0, true, &address);
}

/* Handles that the library copies have room for their NUL. */
static void call_handles(struct vail *vail)
{
	VailAdapter adapter = VAIL_ADAPTER_INIT;
	char first[VAIL_HANDLE_SIZE], second[VAIL_HANDLE_SIZE];
	bool restored;

	adapter.name = "name";
	if (vail_create_context(vail, NULL, first, second) == STATUS_SUCCESS)
		fuzz_must(strlen(first) < sizeof(first) && strlen(second) < sizeof(second));
	if (vail_register_adapter(vail, &adapter, first, second, &restored) == STATUS_SUCCESS)
		fuzz_must(strlen(first) < sizeof(first) && strlen(second) < sizeof(second));
	if (vail_assign_virtual_gpu(vail, GUID, NULL, NULL, first) == STATUS_SUCCESS)
		fuzz_must(strlen(first) < sizeof(first));
}

static void call_share(struct vail *vail)
{
	VailObject object = VAIL_OBJECT_INIT;
	char handle[VAIL_HANDLE_SIZE];
	struct vail_memory *memory;
	uint64_t holders;

	fuzz_must(vail_memory_new(4096, "fuzz", &memory) == STATUS_SUCCESS);
	object.width = object.height = 32;
	object.format = VAIL_FORMAT('X', 'R', '2', '4');
	object.planes[0] =
		(VailPlane){ .descriptor = vail_memory_descriptor(memory), .stride = 128 };
	object.plane_count = 1;
	if (vail_share_object(vail, GUID, &object, handle) == STATUS_SUCCESS)
		fuzz_must(strlen(handle) < sizeof(handle));
	vail_unshare_object(vail, HANDLE, &holders);
	vail_memory_free(memory);
}

/*
 * Passes the answers that are left, one to each connection. Sets *has_ended when the watch ends, at
 * the latest when the handle is closed.
 */
static void watch(struct vail *vail, Input *answers, bool *has_ended)
{
	int disconnects = 0;

	vail_set_resume(vail, true);
	if (vail_watch(vail, GUID, take_event, has_ended) != STATUS_SUCCESS)
		return;
	for (int i = 0; i < 64 && !*has_ended && disconnects < DISCONNECTS; i++) {
		vail_process(vail);
		if (*has_ended || answers->size == 0)
			continue;
		char *text = input_text(input_until(answers, NEXT_ANSWER));
		size_t size = strlen(text);
		for (size_t at = 0; at < size; at++)
			if (text[at] == '\n')
				text[at] = '\0';
		disconnects += prepared_server_answer((Input){ (uint8_t *)text, size }, NULL, 0);
		free(text);
	}
}

static void (*const calls[])(struct vail *vail) = {
	call_plain,  call_more, call_submit,    call_lists,   call_processes,
	call_ranges, call_open, call_addresses, call_handles, call_share,
};

static size_t make_fds(uint8_t which, int fds[FDS_MAX])
{
	size_t count = which & 7;

	for (size_t i = 0; i < count; i++) {
		fds[i] = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		fuzz_must(fds[i] >= 0 && ftruncate(fds[i], (off_t)1 << (which >> 3)) == 0);
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size }, made, answer;
	bool has_ended[CALLS_MAX] = { false }; /* for each call that is a watch */
	int fds[FDS_MAX];

	prepared_server_path();
	size_t before = fuzz_count_fds(), count = make_fds(input_byte(&input), fds);
	made = input_take(&input, input_byte(&input) % (CALLS_MAX + 1));
	answer = input_until(&input, NEXT_ANSWER);
	struct vail *vail = prepared_server_connect(answer, fds, count);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	for (size_t i = 0; i < made.size; i++) {
		size_t call = made.data[i] % (sizeof(calls) / sizeof(calls[0]) + 1);

		if (call < sizeof(calls) / sizeof(calls[0]))
			calls[call](vail);
		else
			watch(vail, &input, &has_ended[i]);
		check_text(vail_error_message(vail));
	}
	vail_close(vail);
	prepared_server_refuse();
	fuzz_must(fuzz_count_fds() == before);
	return 0;
}
