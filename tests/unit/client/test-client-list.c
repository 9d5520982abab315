/* SPDX-License-Identifier: MIT */
/* Display clients with rights, as options name them and as a request has them. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "client/common/client-list.h"
#include "proto/macros.h"

TestSuite(client_list);

Test(client_list, an_option_names_a_user_and_rights)
{
	static const struct {
		const char *value, *name;
		unsigned int rights;
	} cases[] = {
		{ "alice", "alice", VAIL_DISPLAY_VIEW },
		{ "alice:view", "alice", VAIL_DISPLAY_VIEW },
		{ "alice:input", "alice", VAIL_DISPLAY_VIEW | VAIL_DISPLAY_INPUT },
		{ "1000:input,view,audioInput", "1000",
		  VAIL_DISPLAY_VIEW | VAIL_DISPLAY_INPUT | VAIL_DISPLAY_AUDIO_INPUT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int rights;
		char value[64];

		snprintf(value, sizeof(value), "%s", cases[i].value);
		cr_assert(display_rights_split(value, &rights), "%s", cases[i].value);
		cr_assert_str_eq(value, cases[i].name);
		cr_assert_eq(rights, cases[i].rights, "%s", cases[i].value);
	}
}

Test(client_list, an_unknown_right_is_refused)
{
	static const char *const values[] = {
		"alice:",     "alice:view,",      "alice:fly",
		"alice:View", "alice:view:input", "alice:view input"
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		unsigned int rights;
		char value[64];

		snprintf(value, sizeof(value), "%s", values[i]);
		cr_assert_not(display_rights_split(value, &rights), "%s", values[i]);
	}
}

Test(client_list, the_text_of_rights_names_each)
{
	char text[DISPLAY_RIGHTS_SIZE];

	cr_assert_str_eq(display_rights_text(0, ',', text), "");
	cr_assert_str_eq(display_rights_text(VAIL_DISPLAY_VIEW | VAIL_DISPLAY_INPUT, ',', text),
			 "view,input");
	cr_assert_str_eq(display_rights_text(~0u, ',', text),
			 "view,input,clipboard,audioOutput,audioInput");
	cr_assert_str_eq(display_rights_text(~0u, ' ', text),
			 "view input clipboard audioOutput audioInput");
}

Test(client_list, a_request_has_rights_only_if_a_display_client_has_more_than_view)
{
	_cleanup_(client_list_deinit) ClientList clients = { 0 };
	VailMachine request = VAIL_MACHINE_INIT;

	client_list_put(&clients, &request);
	cr_assert_null(request.display_clients);
	cr_assert(client_list_add(&clients, (VailParty){ .user = "alice" }, 0));
	client_list_put(&clients, &request);
	cr_assert_eq(request.display_client_count, 1);
	cr_assert_null(request.display_client_rights);
	cr_assert(client_list_add(&clients, (VailParty){ .pid = 7 }, VAIL_DISPLAY_INPUT));
	client_list_put(&clients, &request);
	cr_assert_eq(request.display_client_count, 2);
	cr_assert_eq(request.display_clients[1].pid, 7);
	cr_assert_eq(request.display_client_rights[0], VAIL_DISPLAY_VIEW);
	cr_assert_eq(request.display_client_rights[1], VAIL_DISPLAY_VIEW | VAIL_DISPLAY_INPUT);
}
