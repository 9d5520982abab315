/* SPDX-License-Identifier: MIT */
#ifndef PROTO_SUGGEST_H
#define PROTO_SUGGEST_H

#include <stddef.h>

/*
 * Finds the name that a person meant who typed another one. Upper and lower case are the same, and
 * '-' and '_' do not count, so "operator_group" is at distance 0 from "operatorGroup".
 */

/* Longer texts are near to nothing. */
#define SUGGEST_LENGTH_MAX 64

/*
 * Returns how many characters must be inserted, removed, replaced or exchanged with their neighbour
 * to make one text of the other; SUGGEST_LENGTH_MAX if one of them is too long.
 */
size_t suggest_distance(const char *one, const char *other);

/*
 * Returns the nearest of the names, the first one if several are; NULL if none is near. A text of 2
 * or 3 characters may have 1 mistake, one of up to 8 may have 2, and a longer one may be wrong in a
 * third. The beginning of a name is near as well. A negation like "unregister" is never near to the
 * name that it negates, because it means the opposite.
 *
 * names: may contain NULL, which is skipped.
 */
const char *suggest_nearest(const char *typed, const char *const *names, size_t count);

#endif
