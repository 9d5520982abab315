/* SPDX-License-Identifier: MIT */
/* The list of shared pictures that vail-view names to a user. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client/vail-view/pictures.h"

TestSuite(pictures);

Test(pictures, names_are_listed_in_the_order_of_sharing)
{
	char text[PICTURES_NAMES_SIZE];
	Pictures pictures = { 0 };

	cr_assert_str_eq(pictures_names(&pictures, text), "");
	pictures_add(&pictures, "1", "console 0");
	pictures_add(&pictures, "2", NULL);
	pictures_add(&pictures, "3", "console 1");
	pictures_add(&pictures, "1", "again");
	cr_assert_eq(pictures.count, 3u);
	cr_assert_str_eq(pictures_names(&pictures, text),
			 "console 0, a picture without a name, console 1");
	cr_assert(pictures_have(&pictures, "console 1"));
	cr_assert_not(pictures_have(&pictures, "again"));
	pictures_remove(&pictures, "1");
	pictures_remove(&pictures, "1");
	cr_assert_str_eq(pictures_names(&pictures, text), "a picture without a name, console 1");
	pictures_remove(&pictures, "3");
	cr_assert_not(pictures_have(&pictures, "console 1"));
	pictures_clear(&pictures);
	cr_assert_eq(pictures.count, 0u);
}

Test(pictures, names_that_do_not_fit_are_counted)
{
	char text[PICTURES_NAMES_SIZE], handle[16], name[256];
	Pictures pictures = { 0 };

	memset(name, 'n', 255);
	name[255] = '\0';
	for (int i = 0; i < 1000; i++) {
		snprintf(handle, sizeof(handle), "%d", i);
		pictures_add(&pictures, handle, name);
	}
	pictures_names(&pictures, text);
	cr_assert_eq(strlen(text), 255 + strlen(", and 999 more"));
	cr_assert_str_eq(text + 255, ", and 999 more");
	pictures_clear(&pictures);
}
