/* SPDX-License-Identifier: MIT */
/* The sentence about calls that leave no handle behind when they fail. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <vail/d3dkmthk.h>

#include "tests/support/fake-server.h"

#define NOWHERE "/nonexistent/vaild.sock"

static const char *expect_refused(const char *path)
{
	struct vail *vail = NULL;

	cr_assert_eq(vail_open(path, &vail), STATUS_CONNECTION_REFUSED);
	cr_assert_null(vail);
	return vail_error_message(NULL);
}

Test(open_error, a_failed_open_has_a_sentence)
{
	cr_assert_str_eq(vail_error_message(NULL), "");
	const char *sentence = expect_refused(NOWHERE);
	cr_assert_not_null(strstr(sentence, "cannot reach vaild at " NOWHERE), "%s", sentence);
	cr_assert_not_null(strstr(sentence, "; start it with: "), "%s", sentence);
}

Test(open_error, an_open_that_succeeds_clears_it)
{
	FakeServer server;

	expect_refused(NOWHERE);
	fake_server_init(&server);
	cr_assert_str_eq(vail_error_message(NULL), "");
	fake_server_deinit(&server);
}

Test(open_error, a_path_that_is_too_long_is_no_overflow)
{
	char path[4096];
	struct vail *vail = NULL;

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	cr_assert_neq(vail_open(path, &vail), STATUS_SUCCESS);
	cr_assert_str_neq(vail_error_message(NULL), "");
}

/* Each handle keeps its own sentence. */
Test(open_error, a_handle_is_not_changed)
{
	struct vail *vail = NULL;

	expect_refused(NOWHERE);
	cr_assert_eq(vail_new(NOWHERE, &vail), STATUS_SUCCESS);
	cr_assert_str_eq(vail_error_message(vail), "");
	cr_assert_str_neq(vail_error_message(NULL), "");
	vail_close(vail);
}

Test(open_error, the_function_of_windows_has_a_sentence)
{
	GUID guid = { .Data1 = 1 };

	setenv("VAILD_SOCKET", NOWHERE, 1);
	cr_assert_eq(D3DKMTRegisterVailProcess(&guid), STATUS_CONNECTION_REFUSED);
	cr_assert_not_null(strstr(vail_error_message(NULL), NOWHERE));
}

/* The sentence is never that of an older call. */
Test(open_error, a_null_pointer_has_a_sentence)
{
	expect_refused(NOWHERE);
	cr_assert_eq(vail_open(NOWHERE, NULL), STATUS_INVALID_PARAMETER);
	cr_assert_str_eq(vail_error_message(NULL), "a pointer is NULL; pass a valid one");
	expect_refused(NOWHERE);
	cr_assert_eq(D3DKMTRegisterVailProcess(NULL), STATUS_INVALID_PARAMETER);
	cr_assert_str_eq(vail_error_message(NULL), "a pointer is NULL; pass a valid one");
}

static void *read_message(void *context)
{
	*(bool *)context = *vail_error_message(NULL) == '\0';
	return NULL;
}

Test(open_error, another_thread_has_its_own_sentence)
{
	bool is_empty = false;
	pthread_t thread;

	expect_refused(NOWHERE);
	cr_assert_eq(pthread_create(&thread, NULL, read_message, &is_empty), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(is_empty);
}
