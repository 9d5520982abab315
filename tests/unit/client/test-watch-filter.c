/* SPDX-License-Identifier: MIT */
/* Tests which events watch shows. */
#include <criterion/criterion.h>

#include "client/vailctl/options.h"
#include "client/vailctl/watch-filter.h"
#include "tests/unit/client/logged-messages.h"

TestSuite(watch_filter);

#define HANDLE "6c929f34ddfa8c9f63c9960ef6e348a3"
#define OTHER  "00000000000000000000000000000001"

static bool shows(const Options *options, VailEventKind kind, const char *handle)
{
	VailSharedObject shared = { .handle = handle };
	VailEvent event = { .kind = kind, .shared_object = handle ? &shared : NULL };

	return watch_shows(options, &event);
}

Test(watch_filter, leaves_out_updates_for_people)
{
	Options options = { 0 };

	cr_expect(shows(&options, VAIL_EVENT_SHARED, HANDLE));
	cr_expect(!shows(&options, VAIL_EVENT_UPDATED, HANDLE));
	options.given = OPTION_BIT(OPTION_ALL);
	cr_expect(shows(&options, VAIL_EVENT_UPDATED, HANDLE));
	options.given = OPTION_BIT(OPTION_JSON);
	cr_expect(shows(&options, VAIL_EVENT_UPDATED, HANDLE));
	cr_expect(shows(&options, VAIL_EVENT_UNKNOWN, NULL));
}

Test(watch_filter, kinds)
{
	Options options = { .given = OPTION_BIT(OPTION_KIND) };

	cr_expect_eq(event_kinds_parse("updated", &options.kinds), EXIT_DONE);
	cr_expect_eq(event_kinds_parse("registered,resumed", &options.kinds), EXIT_DONE);
	cr_expect(shows(&options, VAIL_EVENT_UPDATED, HANDLE));
	cr_expect(shows(&options, VAIL_EVENT_REGISTERED, NULL));
	cr_expect(shows(&options, VAIL_EVENT_RESUMED, NULL));
	cr_expect(!shows(&options, VAIL_EVENT_SHARED, HANDLE));
	cr_expect(!shows(&options, VAIL_EVENT_CURRENT, NULL));
	cr_expect(!shows(&options, VAIL_EVENT_UNKNOWN, NULL));
}

Test(watch_filter, unknown_kinds)
{
	static const char *const wrong[] = { "", "register", "registeredd", "shared,",
					     "shared,,updated" };
	uint64_t kinds = 0;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		logged_messages_clear();
		cr_expect_eq(event_kinds_parse(wrong[i], &kinds), EXIT_USAGE, "%s", wrong[i]);
		cr_expect(logged_messages_have("is no kind of event; "));
		cr_expect(logged_messages_have("see vailctl help watch"));
	}
	logged_messages_clear();
	event_kinds_parse("registeredd", &kinds);
	cr_expect(logged_messages_have("did you mean registered?"));
}

Test(watch_filter, object)
{
	Options options = { .given = OPTION_BIT(OPTION_OBJECT), .object = HANDLE };

	cr_expect(shows(&options, VAIL_EVENT_OPENED, HANDLE));
	cr_expect(shows(&options, VAIL_EVENT_CURRENT, NULL));
	cr_expect(!shows(&options, VAIL_EVENT_OPENED, OTHER));
	cr_expect(!shows(&options, VAIL_EVENT_REGISTERED, NULL));
	cr_expect(!shows(&options, VAIL_EVENT_UPDATED, HANDLE));
}
