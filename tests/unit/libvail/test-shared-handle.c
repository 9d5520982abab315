/* SPDX-License-Identifier: MIT */
/*
 * Tests that a handle or an open object refuses a second thread with a status and a sentence, that
 * the first thread notices nothing, and that closing one that is in use does nothing.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/macros.h"
#include "tests/support/fake-server.h"

#define GUID   "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define HANDLE "0123456789abcdef0123456789abcdef"

#define OBJECT                                                                                   \
	"\"object\":{\"type\":\"resource\",\"access\":\"read\",\"name\":\"screen\",\"width\":3," \
	"\"height\":2,\"format\":\"XR24\",\"planes\":[{\"offset\":0,\"stride\":16}],\"fence\":{" \
	"\"fileDescriptor\":1}},\"memory\":{\"kind\":\"memfd\",\"sizeInBytes\":7,"               \
	"\"sizeSealed\":false,\"accessEnforced\":false}"

static FakeServer server;
static size_t open_before;

static void set_up(void)
{
	open_before = count_open_fds();
	fake_server_init(&server);
}

static void tear_down(void)
{
	fake_server_deinit(&server);
	cr_assert_eq(count_open_fds(), open_before, "fds are left open");
}

TestSuite(shared_handle, .init = set_up, .fini = tear_down);

static bool take_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		       void *context)
{
	(void)vail;
	(void)parameters;
	(void)context;
	return status == STATUS_SUCCESS && continues;
}

static bool take_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		       void *context)
{
	(void)event;
	return take_reply(vail, status, NULL, continues, context);
}

static bool take_object(struct vail *vail, const VailSharedObject *object, void *context)
{
	(void)object;
	return take_reply(vail, STATUS_SUCCESS, NULL, true, context);
}

static bool take_range(struct vail *vail, const VailRange *range, void *context)
{
	(void)range;
	return take_reply(vail, STATUS_SUCCESS, NULL, true, context);
}

static bool take_display(struct vail *vail, const VailDisplay *display, void *context)
{
	(void)display;
	return take_reply(vail, STATUS_SUCCESS, NULL, true, context);
}

static bool take_serve_event(struct vail *vail, NTSTATUS status, const VailServeEvent *event,
			     bool continues, void *context)
{
	(void)event;
	return take_reply(vail, status, NULL, continues, context);
}

static bool take_process(struct vail *vail, const VailListedGpuProcess *process, void *context)
{
	(void)process;
	return take_reply(vail, STATUS_SUCCESS, NULL, true, context);
}

/* ---- Every function, called while another thread uses the handle ---- */

#define assert_refused(call)                                                               \
	do {                                                                               \
		cr_assert_eq(call, STATUS_INVALID_DEVICE_STATE, #call);                    \
		cr_assert_not_null(strstr(vail_error_message(vail), "another thread is "), \
				   #call ": %s", vail_error_message(vail));                \
		cr_assert_null(vail_error_name(vail), #call);                              \
		cr_assert_null(vail_error_parameter(vail), #call);                         \
		cr_assert_null(vail_error_limit(vail, NULL, NULL), #call);                 \
	} while (0)

static void refuse_calls(struct vail *vail)
{
	assert_refused(vail_call(vail, "a.b", NULL, NULL));
	assert_refused(vail_call_with_descriptors(vail, "a.b", NULL, NULL, 0, NULL));
	assert_refused(vail_call_more(vail, "a.b", NULL, take_reply, NULL));
	assert_refused(vail_submit(vail, "a.b", NULL, false, take_reply, NULL));
	assert_refused(
		vail_submit_with_descriptors(vail, "a.b", NULL, NULL, 0, false, take_reply, NULL));
	assert_refused(vail_send_oneway(vail, "a.b", NULL));
	assert_refused(vail_process(vail));
	assert_refused(vail_watch(vail, GUID, take_event, NULL));
	cr_assert_eq(vail_take_descriptor(vail, 0), -1);
	cr_assert_eq(vail_descriptor(vail), -1);
	cr_assert_eq(vail_events(vail), 0);
	cr_assert_str_eq(vail_path(vail), server.path);
}

static void refuse_machine_calls(struct vail *vail)
{
	char handle[VAIL_HANDLE_SIZE];

	assert_refused(vail_register_process(vail, GUID));
	assert_refused(vail_unregister_process(vail, GUID));
	assert_refused(vail_revoke_registration(vail, GUID, 1));
	assert_refused(vail_create_context(vail, NULL, handle, NULL));
	assert_refused(vail_destroy_context(vail, HANDLE));
	assert_refused(vail_register_virtual_machine(vail, GUID, NULL));
	assert_refused(vail_update_virtual_machine(vail, GUID, NULL));
	assert_refused(vail_unregister_virtual_machine(vail, GUID));
	assert_refused(vail_assign_virtual_gpu(vail, GUID, NULL, NULL, handle));
	assert_refused(vail_remove_virtual_gpu(vail, HANDLE));
	assert_refused(vail_set_quarantine(vail, GUID, true, NULL));
}

static void refuse_object_calls(struct vail *vail)
{
	const VailObject object = VAIL_OBJECT_INIT;
	struct vail_object *open;
	char handle[VAIL_HANDLE_SIZE];

	assert_refused(vail_share_object(vail, GUID, &object, handle));
	assert_refused(vail_update_object(vail, HANDLE, NULL, 0));
	assert_refused(vail_send_update(vail, HANDLE, NULL, 0));
	assert_refused(vail_unshare_object(vail, HANDLE, NULL));
	assert_refused(vail_list_objects(vail, GUID, take_object, NULL));
	assert_refused(vail_open_object(vail, HANDLE, &open));
	assert_refused(vail_object_close(vail, NULL));
}

static void refuse_display_calls(struct vail *vail)
{
	char handle[VAIL_HANDLE_SIZE];
	unsigned int rights;
	int descriptor;

	assert_refused(vail_open_display(vail, GUID, 0, handle, &rights, &descriptor));
	assert_refused(vail_close_display(vail, HANDLE));
	assert_refused(vail_list_displays(vail, GUID, take_display, NULL));
	assert_refused(vail_serve_displays(vail, GUID, take_serve_event, NULL));
}

static void refuse_gpu_calls(struct vail *vail)
{
	const VailAdapter adapter = VAIL_ADAPTER_INIT;
	const VailMapping mapping = VAIL_MAPPING_INIT;
	VailTranslation translation = VAIL_TRANSLATION_INIT;
	char handle[VAIL_HANDLE_SIZE], process[VAIL_HANDLE_SIZE];
	uint64_t address;
	bool restored;

	assert_refused(vail_register_adapter(vail, &adapter, handle, process, &restored));
	assert_refused(vail_unregister_adapter(vail, HANDLE));
	assert_refused(vail_create_process(vail, HANDLE, NULL, process));
	assert_refused(vail_reserve_address_range(vail, HANDLE, 1, 0, 0, false, &address));
	assert_refused(vail_complete_create_process(vail, HANDLE));
	assert_refused(vail_destroy_process(vail, HANDLE));
	assert_refused(vail_set_page_table_entry(vail, HANDLE, 1, 1));
	assert_refused(vail_evict_page_table(vail, HANDLE, 1));
	assert_refused(vail_make_page_table_resident(vail, HANDLE, 1));
	assert_refused(vail_reserve_address(vail, HANDLE, 1, 0, 0, 0, &address));
	assert_refused(vail_map_address(vail, HANDLE, &mapping, &address));
	assert_refused(vail_free_address(vail, HANDLE, 1, 1));
	assert_refused(vail_translate_address(vail, HANDLE, 1, &translation));
	assert_refused(vail_describe_address_space(vail, HANDLE, take_range, NULL));
	assert_refused(vail_list_gpu_processes(vail, take_process, NULL));
}

static void *use_from_second_thread(void *context)
{
	struct vail *vail = context;

	refuse_calls(vail);
	refuse_machine_calls(vail);
	refuse_object_calls(vail);
	refuse_display_calls(vail);
	refuse_gpu_calls(vail);
	vail_set_timeout(vail, 1);
	vail_set_resume(vail, false);
	vail_set_waiting(vail, 1, NULL, NULL);
	vail_close(vail);
	return NULL;
}

static void run_second_thread(void *(*function)(void *), void *context)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, function, context), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

/* A callback: the handle is in use until it returns. */
static bool meet_second_thread(struct vail *vail, NTSTATUS status, const char *parameters,
			       bool continues, void *context)
{
	(void)parameters;
	cr_assert_eq(status, STATUS_NOT_FOUND);
	run_second_thread(use_from_second_thread, vail);
	cr_assert_str_eq(vail_error_message(vail), "gone", "the first thread has its own details");
	cr_assert_str_eq(vail_error_name(vail), "io.vaild.NotFound");
	*(bool *)context = true;
	return continues;
}

Test(shared_handle, each_function_refuses_a_second_thread)
{
	static const char error[] =
		"{\"error\":\"io.vaild.NotFound\",\"parameters\":{\"status\":\"STATUS_NOT_FOUND\","
		"\"code\":\"0xC0000225\",\"message\":\"gone\"}}";
	bool was_called = false;

	cr_assert_eq(vail_submit(server.vail, "a.B", NULL, false, meet_second_thread, &was_called),
		     STATUS_SUCCESS);
	fake_server_send(&server, error, sizeof(error), NULL, 0);
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert(was_called);
	cr_assert_geq(vail_descriptor(server.vail), 0, "the second thread has not closed it");
	fake_server_answer_once(&server);
}

/* ---- A thread that waits in a call ---- */

/* A call by another thread. */
typedef struct OtherCall {
	struct vail *vail;
	struct vail_object *object;
	NTSTATUS status;
} OtherCall;

static void *make_call(void *context)
{
	OtherCall *call = context;

	call->status = vail_call(call->vail, "a.B", NULL, NULL);
	return NULL;
}

/* In a child, the handle stays as another thread has left it. */
static void expect_refusal_in_child(struct vail *vail)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(vail_call(vail, "a.B", NULL, NULL) != STATUS_INVALID_DEVICE_STATE);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

Test(shared_handle, a_waiting_call_is_not_disturbed)
{
	struct vail *vail = server.vail;
	ReceivedData received;
	OtherCall call = { .vail = vail };
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, make_call, &call), 0);
	char byte = 'x';
	while (byte != '\0') /* the other thread is in its call once the request is here */
		cr_assert_eq(recv(server.connection, &byte, 1, 0), 1);
	assert_refused(vail_register_process(vail, GUID));
	vail_close(vail);
	expect_refusal_in_child(vail);
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(call.status, STATUS_SUCCESS);
	cr_assert_not_null(strstr(vail_error_message(vail), "another thread is "),
			   "the sentence remains until the next call of this thread");
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_call(vail, "a.B", NULL, NULL), STATUS_SUCCESS);
	cr_assert_str_eq(vail_error_message(vail), "");
	fake_server_receive(&server, &received);
	received_data_close(&received);
}

static void *expect_no_message(void *context)
{
	cr_assert_str_eq(vail_error_message(context), "");
	return NULL;
}

Test(shared_handle, threads_may_take_turns)
{
	OtherCall call = { .vail = server.vail };

	fake_server_reply(&server, "", NULL, 0);
	run_second_thread(make_call, &call);
	cr_assert_eq(call.status, STATUS_SUCCESS);
	run_second_thread(expect_no_message, server.vail);
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_SUCCESS);
}

/* ---- Callbacks ---- */

static bool close_in_callback(struct vail *vail, NTSTATUS status, const char *parameters,
			      bool continues, void *context)
{
	(void)parameters;
	cr_assert_eq(status, *(NTSTATUS *)context);
	vail_close(vail);
	cr_assert_not_null(strstr(vail_error_message(vail), "cannot be closed from its own"), "%s",
			   vail_error_message(vail));
	*(NTSTATUS *)context = STATUS_CONNECTION_DISCONNECTED;
	return continues;
}

Test(shared_handle, a_callback_cannot_close_its_handle)
{
	NTSTATUS expected = STATUS_SUCCESS;

	cr_assert_eq(vail_submit(server.vail, "a.B", NULL, false, close_in_callback, &expected),
		     STATUS_SUCCESS);
	fake_server_reply(&server, "", NULL, 0);
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	cr_assert_eq(expected, STATUS_CONNECTION_DISCONNECTED);
	/* The next one is called by vail_close() itself, which fake_server_deinit() calls. */
	cr_assert_eq(vail_submit(server.vail, "a.B", NULL, false, close_in_callback, &expected),
		     STATUS_SUCCESS);
	vail_close(server.vail);
	server.vail = NULL;
}

/* ---- Open objects ---- */

static struct vail_object *open_with_fence(int fence)
{
	struct vail_object *object;
	int fds[] = { make_file("content"), fence };

	fake_server_answer_once(&server);
	fake_server_reply(&server, OBJECT, fds, ARRAY_SIZE(fds));
	cr_assert_eq(vail_open_object(server.vail, HANDLE, &object), STATUS_SUCCESS);
	close(fds[0]);
	return object;
}

/* Waits for the fence, as soon as the other thread does not use the object. */
static void *wait_for_fence(void *context)
{
	OtherCall *call = context;

	do
		call->status = vail_object_wait(call->object, VAIL_TIMEOUT_NONE);
	while (call->status == STATUS_INVALID_DEVICE_STATE && sched_yield() == 0);
	return NULL;
}

static void assert_object_refuses(struct vail_object *object)
{
	char buffer[4 * 3 * 2];
	void *data;
	size_t size;

	cr_assert_eq(vail_object_read(object, 0, 0, buffer, 1), STATUS_INVALID_DEVICE_STATE);
	cr_assert_eq(vail_object_read_image(object, buffer, sizeof(buffer)),
		     STATUS_INVALID_DEVICE_STATE);
	cr_assert_eq(vail_object_map(object, 0, &data, &size), STATUS_INVALID_DEVICE_STATE);
	cr_assert_eq(vail_object_wait(object, 0), STATUS_INVALID_DEVICE_STATE);
	vail_object_set_timeout(object, 1);
	cr_assert_not_null(strstr(vail_object_error_message(object), "another thread is "), "%s",
			   vail_object_error_message(object));
	cr_assert_eq(vail_object_close(NULL, object), STATUS_INVALID_DEVICE_STATE);
	cr_assert_eq(vail_object_close(server.vail, object), STATUS_INVALID_DEVICE_STATE);
	cr_assert_not_null(strstr(vail_error_message(server.vail), "using this object"), "%s",
			   vail_error_message(server.vail));
	cr_assert_str_eq(vail_object_handle(object), HANDLE);
	cr_assert_eq(vail_object_info(object)->width, 3u);
	cr_assert_geq(vail_object_descriptor(object, 0), 0);
	cr_assert_geq(vail_object_fence_descriptor(object), 0);
}

Test(shared_handle, an_object_refuses_a_second_thread)
{
	int fence = eventfd(0, EFD_CLOEXEC);
	struct vail_object *object = open_with_fence(fence);
	OtherCall call = { .object = object };
	pthread_t thread;
	char byte;

	cr_assert_eq(pthread_create(&thread, NULL, wait_for_fence, &call), 0);
	while (vail_object_read(object, 0, 0, &byte, 1) == STATUS_SUCCESS)
		sched_yield();
	assert_object_refuses(object);
	cr_assert_eq(eventfd_write(fence, 1), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(call.status, STATUS_SUCCESS);
	cr_assert_eq(vail_object_read(object, 0, 0, &byte, 1), STATUS_SUCCESS);
	cr_assert_eq(byte, 'c');
	cr_assert_eq(vail_object_close(NULL, object), STATUS_SUCCESS);
	close(fence);
}
