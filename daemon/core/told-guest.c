/* SPDX-License-Identifier: MIT */
#include "daemon/core/told-guest.h"

#include "daemon/core/broker.h"

static int compare_by_teller(const ToldGuest *a, const ToldGuest *b)
{
	int result = compare_numbers((uintptr_t)a->teller, (uintptr_t)b->teller);

	return result ? result : compare_numbers((uintptr_t)a, (uintptr_t)b);
}

TREE_GENERATE(ToldGuestTree, ToldGuest, by_teller, compare_by_teller)

void told_guest_index(Broker *broker, ToldGuest *guest)
{
	if (guest->teller)
		RB_INSERT(ToldGuestTree, &broker->told_guests, guest);
}

void told_guest_unindex(Broker *broker, ToldGuest *guest)
{
	if (guest->teller)
		RB_REMOVE(ToldGuestTree, &broker->told_guests, guest);
}

void told_guest_set(Broker *broker, ToldGuest *guest, GuestState state, const Caller *teller)
{
	told_guest_unindex(broker, guest);
	guest->state = state;
	guest->teller = teller;
	told_guest_index(broker, guest);
}

ToldGuest *told_guest_of(Broker *broker, const Caller *teller)
{
	ToldGuest *guest = RB_ROOT(&broker->told_guests);

	while (guest && guest->teller != teller)
		guest = (uintptr_t)teller < (uintptr_t)guest->teller ? RB_LEFT(guest, by_teller)
								     : RB_RIGHT(guest, by_teller);
	return guest;
}
