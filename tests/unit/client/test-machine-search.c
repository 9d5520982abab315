/* SPDX-License-Identifier: MIT */
/* The VM that a text on the command line names: by GUID, by name or by the beginning of a GUID. */
#include <criterion/criterion.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/common/machine-search.h"
#include "proto/macros.h"
#include "tests/support/fake-server.h"

#define WEB    "1b4e28ba-2fa1-4d3b-8c5e-000000000001"
#define SHOP   "1b4e28ba-2fa1-4d3b-8c5e-000000000002"
#define BACKUP "beef0000-2fa1-4d3b-8c5e-000000000003"

TestSuite(machine_search);

/* Adds three VMs to the search. */
static void add_all(MachineSearch *search)
{
	machine_search_add(search, WEB, "web");
	machine_search_add(search, SHOP, "shop");
	machine_search_add(search, BACKUP, NULL);
}

/* guid: the only VM that must fit, or NULL. part: a part of the message, or NULL. */
static void expect_result(const char *text, NTSTATUS status, const char *guid, const char *part)
{
	_cleanup_(machine_search_deinit) MachineSearch search;

	machine_search_init(&search, text);
	add_all(&search);
	cr_assert_eq(machine_search_status(&search), status, "%s: 0x%x", text,
		     (unsigned int)machine_search_status(&search));
	if (guid)
		cr_assert_str_eq(search.fits[0].guid, guid, "%s", text);
	_cleanup_free_ char *message = machine_search_message(&search);
	if (part)
		cr_assert_not_null(strstr(message, part), "%s: %s", text, message);
}

Test(machine_search, a_name_must_be_exact)
{
	expect_result("web", STATUS_SUCCESS, WEB, NULL);
	expect_result("shop", STATUS_SUCCESS, SHOP, NULL);
	expect_result("Web", STATUS_NOT_FOUND, NULL, "the name \"Web\"; to see");
	expect_result("we", STATUS_NOT_FOUND, NULL, "vailctl list");
	expect_result("web ", STATUS_NOT_FOUND, NULL, "\"web \"");
}

Test(machine_search, the_beginning_of_a_GUID_may_have_either_case_and_a_brace)
{
	expect_result("beef", STATUS_SUCCESS, BACKUP, NULL);
	expect_result("BEEF0000-2f", STATUS_SUCCESS, BACKUP, NULL);
	expect_result("{beef0000-", STATUS_SUCCESS, BACKUP, NULL);
	expect_result("1b4e28ba-2fa1-4d3b-8c5e-000000000002", STATUS_SUCCESS, SHOP, NULL);
	expect_result("beef00002f", STATUS_NOT_FOUND, NULL, "has the name \"beef00002f\"; to");
	expect_result("beef0000-2fa1-4d3b-8c5e-0000000000033", STATUS_NOT_FOUND, NULL, NULL);
	expect_result("beef1", STATUS_NOT_FOUND, NULL, "or a GUID that begins with it");
}

Test(machine_search, the_beginning_of_a_GUID_needs_four_characters)
{
	expect_result("bee", STATUS_NOT_FOUND, NULL, "needs at least 4 characters");
	expect_result("{bee", STATUS_NOT_FOUND, NULL, "needs at least 4 characters");
	expect_result("b", STATUS_NOT_FOUND, NULL, "needs at least 4 characters");
}

Test(machine_search, several_VMs_that_fit_are_shown)
{
	expect_result("1b4e", STATUS_OBJECT_NAME_COLLISION, NULL,
		      "\"1b4e\" fits 2 virtual machines: " WEB " (\"web\"), " SHOP
		      " (\"shop\"); give the GUID of one of them, or more of its beginning");
}

Test(machine_search, an_empty_text_names_no_VM)
{
	_cleanup_(machine_search_deinit) MachineSearch search;

	machine_search_init(&search, "");
	machine_search_add(&search, WEB, "");
	cr_assert_eq(machine_search_status(&search), STATUS_INVALID_PARAMETER);
	cr_assert_eq(search.fit_count, 0);
	expect_result("", STATUS_INVALID_PARAMETER, NULL, "empty");
}

Test(machine_search, a_name_does_not_replace_the_beginning_of_a_GUID)
{
	for (int order = 0; order < 2; order++) {
		_cleanup_(machine_search_deinit) MachineSearch search;

		machine_search_init(&search, "beef");
		if (order == 0)
			machine_search_add(&search, BACKUP, "backup");
		machine_search_add(&search, WEB, "beef");
		if (order == 1)
			machine_search_add(&search, BACKUP, "backup");
		cr_assert_eq(machine_search_status(&search), STATUS_OBJECT_NAME_COLLISION);
		_cleanup_free_ char *message = machine_search_message(&search);
		cr_assert_not_null(strstr(message, "\"beef\" fits 2 virtual machines: "), "%s",
				   message);
		cr_assert_not_null(strstr(message, WEB " (\"beef\")"), "%s", message);
		cr_assert_not_null(strstr(message, BACKUP " (\"backup\")"), "%s", message);
	}
}

Test(machine_search, a_VM_may_be_named_as_its_own_GUID_begins)
{
	_cleanup_(machine_search_deinit) MachineSearch search;

	machine_search_init(&search, "beef");
	machine_search_add(&search, WEB, "web");
	machine_search_add(&search, BACKUP, "beef");
	cr_assert_eq(machine_search_status(&search), STATUS_SUCCESS);
	cr_assert_str_eq(search.fits[0].guid, BACKUP);
}

Test(machine_search, VMs_of_the_same_name_are_shown)
{
	_cleanup_(machine_search_deinit) MachineSearch search;

	machine_search_init(&search, "web");
	machine_search_add(&search, WEB, "web");
	machine_search_add(&search, BACKUP, "web");
	cr_assert_eq(machine_search_status(&search), STATUS_OBJECT_NAME_COLLISION);
	_cleanup_free_ char *message = machine_search_message(&search);
	cr_assert_not_null(strstr(message, WEB " (\"web\"), " BACKUP " (\"web\")"), "%s", message);
}

Test(machine_search, a_GUID_that_is_listed_twice_fits_once)
{
	_cleanup_(machine_search_deinit) MachineSearch search;

	machine_search_init(&search, "beef");
	machine_search_add(&search, BACKUP, "backup");
	machine_search_add(&search, BACKUP, NULL);
	cr_assert_eq(machine_search_status(&search), STATUS_SUCCESS);
}

Test(machine_search, a_message_shows_eight_VMs_and_counts_the_rest)
{
	_cleanup_(machine_search_deinit) MachineSearch search;
	char guid[GUID_TEXT_LENGTH + 1];

	machine_search_init(&search, "web");
	for (int i = 0; i < 11; i++) {
		snprintf(guid, sizeof(guid), "%08x-2fa1-4d3b-8c5e-000000000001", i);
		machine_search_add(&search, guid, "web");
	}
	_cleanup_free_ char *message = machine_search_message(&search);
	cr_assert_not_null(strstr(message, "fits 11 virtual machines"), "%s", message);
	cr_assert_not_null(strstr(message, "00000007-2fa1"), "%s", message);
	cr_assert_null(strstr(message, "00000008-2fa1"), "%s", message);
	cr_assert_not_null(strstr(message, " and 3 more;"), "%s", message);
}

Test(machine_search, texts_cannot_control_the_terminal)
{
	_cleanup_(machine_search_deinit) MachineSearch search;

	setlocale(LC_CTYPE, "C.UTF-8");
	machine_search_init(&search, "a\x1b[31m\n");
	machine_search_add(&search, WEB, "a\x1b[31m\n");
	machine_search_add(&search, BACKUP, "a\x1b[31m\n");
	_cleanup_free_ char *message = machine_search_message(&search);
	cr_assert_not_null(strstr(message, "\"a\\x1b[31m\\x0a\" fits 2"), "%s", message);
	cr_assert_not_null(strstr(message, WEB " (\"a\\x1b[31m\\x0a\")"), "%s", message);
	cr_assert_null(strchr(message, '\x1b'));
	cr_assert_null(strchr(message, '\n'));
}

/* ---- Asking vaild ---- */

static FakeServer server;

static void setup(void)
{
	fake_server_init(&server);
}

static void teardown(void)
{
	fake_server_deinit(&server);
}

TestSuite(machine_find, .init = setup, .fini = teardown);

/* Tests that nothing was sent to the server. */
static bool is_silent(void)
{
	char byte;

	return recv(server.connection, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

static void expect_found(const char *text, MachineScope scope, const char *expected)
{
	char guid[MACHINE_GUID_SIZE];
	char *message;

	cr_assert_eq(machine_find(server.vail, text, scope, guid, &message), STATUS_SUCCESS);
	cr_assert_str_eq(guid, expected);
	cr_assert_null(message);
}

/* part: of the message; NULL if there must be none. */
static void expect_not_found(const char *text, NTSTATUS status, const char *part)
{
	char guid[MACHINE_GUID_SIZE] = "unchanged";
	_cleanup_free_ char *message = NULL;

	cr_assert_eq(machine_find(server.vail, text, MACHINES_AND_QUARANTINES, guid, &message),
		     status);
	cr_assert_str_eq(guid, "unchanged");
	cr_assert_eq(!message, !part);
	if (part)
		cr_assert_not_null(strstr(message, part), "%s", message);
}

#define MACHINES_REPLY                                                         \
	"{\"parameters\":{\"virtualMachines\":[{\"virtualMachineGuid\":\"" WEB \
	"\",\"name\":\"web\"},{\"virtualMachineGuid\":\"" SHOP "\"}]}}"
#define QUARANTINES_REPLY                                                     \
	"{\"parameters\":{\"quarantines\":[{\"virtualMachineGuid\":\"" BACKUP \
	"\"},{\"virtualMachineGuid\":\"" WEB "\"}]}}"
#define DENIED_REPLY                                                                       \
	"{\"error\":\"io.vaild.AccessDenied\",\"parameters\":{\"status\":\"STATUS_ACCESS_" \
	"DENIED\"}}"

/* Replies to two calls, one after the other. The second reply may be NULL. */
typedef struct Replies {
	const char *texts[2];
	pthread_t thread;
} Replies;

static void *reply_to_calls(void *context)
{
	Replies *replies = context;
	char call[4096];

	for (int i = 0; i < 2 && replies->texts[i]; i++) {
		if (recv(server.connection, call, sizeof(call), 0) <= 0)
			break;
		fake_server_send(&server, replies->texts[i], strlen(replies->texts[i]) + 1, NULL,
				 0);
	}
	return NULL;
}

static void replies_begin(Replies *replies, const char *first, const char *second)
{
	*replies = (Replies){ .texts = { first, second } };
	cr_assert_eq(pthread_create(&replies->thread, NULL, reply_to_calls, replies), 0);
}

static void replies_end(Replies *replies)
{
	pthread_join(replies->thread, NULL);
}

Test(machine_find, a_whole_GUID_needs_no_call)
{
	expect_found(WEB, MACHINES_AND_QUARANTINES, WEB);
	expect_found("{" WEB "}", MACHINES_RUNNING, "{" WEB "}");
	expect_found("1B4E28BA-2FA1-4D3B-8C5E-000000000001", MACHINES_RUNNING,
		     "1B4E28BA-2FA1-4D3B-8C5E-000000000001");
	cr_assert(is_silent());
}

Test(machine_find, an_empty_text_needs_no_call)
{
	expect_not_found("", STATUS_INVALID_PARAMETER, "empty");
	cr_assert(is_silent());
}

Test(machine_find, a_name_and_a_beginning_are_looked_up_in_the_list)
{
	Replies replies;

	replies_begin(&replies, MACHINES_REPLY, MACHINES_REPLY);
	expect_found("web", MACHINES_RUNNING, WEB);
	expect_found("{1B4E28BA-2FA1-4d3b-8c5e-000000000002", MACHINES_RUNNING, SHOP);
	replies_end(&replies);
}

Test(machine_find, GUIDs_in_quarantine_fit_if_they_are_wanted)
{
	Replies replies;

	replies_begin(&replies, MACHINES_REPLY, QUARANTINES_REPLY);
	expect_found("beef", MACHINES_AND_QUARANTINES, BACKUP);
	replies_end(&replies);
	replies_begin(&replies, MACHINES_REPLY, QUARANTINES_REPLY);
	expect_not_found("1b4e", STATUS_OBJECT_NAME_COLLISION, "fits 2 virtual machines");
	replies_end(&replies);
}

Test(machine_find, quarantines_that_the_caller_may_not_see_are_left_out)
{
	Replies replies;

	replies_begin(&replies, MACHINES_REPLY, DENIED_REPLY);
	expect_not_found("beef", STATUS_NOT_FOUND, "\"beef\"");
	replies_end(&replies);
}

Test(machine_find, a_refused_list_is_reported_by_the_handle)
{
	Replies replies;

	replies_begin(&replies, DENIED_REPLY, NULL);
	expect_not_found("web", STATUS_ACCESS_DENIED, NULL);
	replies_end(&replies);
}
