/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_PICTURES_H
#define CLIENT_VAIL_VIEW_PICTURES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The pictures that a VM shares, as far as a watch has reported them. They serve only to tell a
 * user what could be shown, so one that does not fit into memory is left out.
 */

typedef struct SharedPicture {
	char *handle;
	char *name; /* "" if it has none */
} SharedPicture;

typedef struct Pictures {
	SharedPicture *items;
	size_t count;
} Pictures;

/* Buffer size for pictures_names(). */
#define PICTURES_NAMES_SIZE 400

/* Adds a picture, unless it is there. name may be NULL. Both strings are copied. */
void pictures_add(Pictures *pictures, const char *handle, const char *name);

/* Removes the picture, if it is there. */
void pictures_remove(Pictures *pictures, const char *handle);

void pictures_clear(Pictures *pictures);

/* Tests whether a picture has this name. */
bool pictures_have(const Pictures *pictures, const char *name);

/* Writes the names of the first pictures as a list, and how many more there are. Returns text. */
const char *pictures_names(const Pictures *pictures, char text[PICTURES_NAMES_SIZE]);

#endif
