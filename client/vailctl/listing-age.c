/* SPDX-License-Identifier: MIT */
#include "client/common/json-members.h"
#include "client/vailctl/listing.h"

const JsonValue *listing_oldest_reply(const Listing *listing)
{
	for (size_t i = 0; i < listing->reply_count; i++)
		if (!member_flag(listing->replies[i], "current"))
			return listing->replies[i];
	return listing->reply_count > 0 ? listing->replies[0] : NULL;
}
