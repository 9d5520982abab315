/* SPDX-License-Identifier: MIT */
#include "client/vailctl/methods.h"

#include <stdio.h>
#include <string.h>

#include "proto/suggest.h"

const char *method_next(const Interface *interface, const char *at,
			char ret_name[static METHOD_NAME_SIZE])
{
	static const char method[] = "\nmethod ";

	at = strstr(at, method);
	if (!at)
		return NULL;
	at += strlen(method);
	snprintf(ret_name, METHOD_NAME_SIZE, "%s.%.*s", interface->name, (int)strcspn(at, "("), at);
	return at;
}

/* Returns the name without its interface. */
static const char *short_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* Tests whether both names have the same text before the last dot. */
static bool in_same_interface(const char *one, const char *other)
{
	size_t length = (size_t)(short_name(one) - one);

	return length == (size_t)(short_name(other) - other) && strncmp(one, other, length) == 0;
}

/* Tests whether the first name is nearer to the typed one than the second, which may be "". */
static bool is_nearer(const char *typed, const char *one, const char *other)
{
	size_t distance = suggest_distance(short_name(typed), short_name(one));
	size_t distance_of_other = suggest_distance(short_name(typed), short_name(other));

	if (*other == '\0' || distance < distance_of_other)
		return true;
	return distance == distance_of_other && in_same_interface(typed, one) &&
	       !in_same_interface(typed, other);
}

bool method_suggest(const char *typed, char ret_name[static METHOD_NAME_SIZE])
{
	char name[METHOD_NAME_SIZE];

	*ret_name = '\0';
	for (size_t i = 0; i < interface_count; i++)
		for (const char *at = interfaces[i].description;
		     (at = method_next(&interfaces[i], at, name));) {
			const char *choice = short_name(name);

			if (strcmp(name, typed) != 0 &&
			    suggest_nearest(short_name(typed), &choice, 1) &&
			    is_nearer(typed, name, ret_name))
				snprintf(ret_name, METHOD_NAME_SIZE, "%s", name);
		}
	return *ret_name != '\0';
}
