/* SPDX-License-Identifier: MIT */
#include "client/vail-view/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for the end of the list, such as ", and 1000 more". */
#define MORE_SIZE 32

static SharedPicture *pictures_find(const Pictures *pictures, const char *handle)
{
	for (size_t i = 0; i < pictures->count; i++)
		if (strcmp(pictures->items[i].handle, handle) == 0)
			return &pictures->items[i];
	return NULL;
}

static void picture_free(SharedPicture *picture)
{
	free(picture->handle);
	free(picture->name);
}

void pictures_add(Pictures *pictures, const char *handle, const char *name)
{
	if (pictures_find(pictures, handle))
		return;
	SharedPicture *items =
		reallocarray(pictures->items, pictures->count + 1, sizeof(*pictures->items));
	if (!items)
		return;
	pictures->items = items;
	SharedPicture picture = { strdup(handle), strdup(name ? name : "") };
	if (picture.handle && picture.name)
		items[pictures->count++] = picture;
	else
		picture_free(&picture);
}

void pictures_remove(Pictures *pictures, const char *handle)
{
	SharedPicture *picture = pictures_find(pictures, handle);

	if (!picture)
		return;
	picture_free(picture);
	size_t after = pictures->count - 1 - (size_t)(picture - pictures->items);
	memmove(picture, picture + 1, after * sizeof(*picture));
	pictures->count--;
}

void pictures_clear(Pictures *pictures)
{
	for (size_t i = 0; i < pictures->count; i++)
		picture_free(&pictures->items[i]);
	free(pictures->items);
	*pictures = (Pictures){ 0 };
}

bool pictures_have(const Pictures *pictures, const char *name)
{
	for (size_t i = 0; i < pictures->count; i++)
		if (strcmp(pictures->items[i].name, name) == 0)
			return true;
	return false;
}

const char *pictures_names(const Pictures *pictures, char text[PICTURES_NAMES_SIZE])
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < pictures->count; i++) {
		const char *name = pictures->items[i].name;
		size_t room = PICTURES_NAMES_SIZE - MORE_SIZE - used;
		int length = snprintf(text + used, room, "%s%s", i == 0 ? "" : ", ",
				      *name ? name : "a picture without a name");

		if (length >= 0 && (size_t)length < room) {
			used += (size_t)length;
			continue;
		}
		snprintf(text + used, MORE_SIZE, "%s%zu more", i == 0 ? "" : ", and ",
			 pictures->count - i);
		break;
	}
	return text;
}
