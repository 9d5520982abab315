/* SPDX-License-Identifier: MIT */
#include "client/vail-view/guest-size.h"

void guest_size_note(GuestSize *size, int64_t now)
{
	size->due_at = now + GUEST_SIZE_SETTLED;
}

bool guest_size_is_due(GuestSize *guest_size, Size size, int64_t now)
{
	if (now < guest_size->due_at)
		return false;
	guest_size->due_at = GUEST_SIZE_NEVER;
	if (guest_size->asked.width == size.width && guest_size->asked.height == size.height)
		return false;
	guest_size->asked = size;
	return true;
}
