/* SPDX-License-Identifier: MIT */
/* A list of the fleet that came in several replies is as old as its oldest part. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/vailctl/listing.h"
#include "proto/macros.h"

TestSuite(fleet_listing);

/* Tests whether the reply with this number is the one that says how old the list is. */
static bool oldest_is(const char *const texts[], size_t count, size_t number)
{
	JsonParser *parser = json_parser_new();
	JsonValue *replies[4];
	const Listing listing = { .key = "hosts", .replies = replies, .reply_count = count };
	const char *error;

	for (size_t i = 0; i < count; i++)
		replies[i] = json_parse(parser, texts[i], strlen(texts[i]), &error);
	bool is_oldest = listing_oldest_reply(&listing) == replies[number];
	for (size_t i = 0; i < count; i++)
		json_free(replies[i]);
	json_parser_free(parser);
	return is_oldest;
}

#define CURRENT "{\"current\":true,\"hosts\":[]}"
#define OLD     "{\"current\":false,\"age\":5,\"hosts\":[]}"

Test(fleet_listing, one_old_part_makes_the_list_old)
{
	cr_assert(oldest_is((const char *const[]){ CURRENT, OLD, CURRENT }, 3, 1));
	cr_assert(oldest_is((const char *const[]){ OLD, CURRENT }, 2, 0));
	cr_assert(oldest_is((const char *const[]){ CURRENT, OLD }, 2, 1));
	cr_assert(oldest_is((const char *const[]){ CURRENT, CURRENT }, 2, 0));
}

Test(fleet_listing, a_list_without_replies_has_no_age)
{
	cr_assert_null(listing_oldest_reply(&(Listing){ .key = "hosts" }));
}
