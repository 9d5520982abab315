/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/canvas.h"

#include <stdlib.h>
#include <string.h>

#include "client/vail-view/font.h"
#include "client/vail-view/text-image.h"

/* Longest line of the sentence, in characters. */
#define COLUMNS_MAX 56

/* Brightness of a picture behind a sentence, of 255. */
#define DARK 80

bool canvas_init(Canvas *canvas, SDL_Window *window)
{
	*canvas = (Canvas){ .has_changed = true };
	canvas->renderer = SDL_CreateRenderer(window, -1, SDL_RENDERER_PRESENTVSYNC);
	return canvas->renderer;
}

static void layer_deinit(Layer *layer)
{
	if (layer->texture)
		SDL_DestroyTexture(layer->texture);
	*layer = (Layer){ 0 };
}

void canvas_deinit(Canvas *canvas)
{
	layer_deinit(&canvas->picture);
	layer_deinit(&canvas->cursor);
	layer_deinit(&canvas->text);
	free(canvas->sentence);
	if (canvas->renderer)
		SDL_DestroyRenderer(canvas->renderer);
}

Size canvas_size(const Canvas *canvas)
{
	int width = 0, height = 0;

	SDL_GetRendererOutputSize(canvas->renderer, &width, &height);
	return (Size){ width > 0 ? width : 1, height > 0 ? height : 1 };
}

/* ---- Layers ---- */

/* Makes the layer's texture, unless it has one. Returns false if SDL does not support that. */
static bool layer_prepare(Layer *layer, SDL_Renderer *renderer, Size size, uint32_t format)
{
	if (layer->texture && layer->size.width == size.width &&
	    layer->size.height == size.height && layer->format == format)
		return true;
	layer_deinit(layer);
	*layer = (Layer){ .size = size, .format = format };
	layer->texture = SDL_CreateTexture(renderer, format, SDL_TEXTUREACCESS_STATIC, size.width,
					   size.height);
	return layer->texture;
}

/* Copies rows in memory of the framebuffer to the texture. */
static bool upload(const Layer *layer, const Framebuffer *framebuffer, uint32_t first,
		   uint32_t count)
{
	SDL_Rect rows = { 0, (int)first, layer->size.width, (int)count };

	return SDL_UpdateTexture(layer->texture, &rows,
				 framebuffer->pixels + first * framebuffer->stride,
				 (int)framebuffer->stride) == 0;
}

static bool layer_set(Layer *layer, SDL_Renderer *renderer, const Framebuffer *framebuffer,
		      uint32_t format, bool is_whole)
{
	const StaleRanges *fresh = &framebuffer->fresh;
	const SDL_Texture *before = layer->texture;
	Size size = { (int32_t)framebuffer->width, (int32_t)framebuffer->height };
	bool is_done = layer_prepare(layer, renderer, size, format);

	layer->is_bottom_up = framebuffer->is_bottom_up;
	if (is_done && (is_whole || layer->texture != before))
		return upload(layer, framebuffer, 0, framebuffer->height);
	for (size_t i = 0; is_done && i < fresh->count; i++) {
		uint32_t first, count;

		framebuffer_range_rows(framebuffer, &fresh->ranges[i], &first, &count);
		is_done = upload(layer, framebuffer, first, count);
	}
	return is_done;
}

/* Tests whether red comes first in memory. */
static bool is_red_first(const Framebuffer *framebuffer)
{
	return (framebuffer->format >> 8 & 0xff) == 'B';
}

/* A screen is opaque, whatever its alpha says. */
bool canvas_set_picture(Canvas *canvas, const Framebuffer *framebuffer, bool is_whole)
{
	uint32_t format =
		is_red_first(framebuffer) ? SDL_PIXELFORMAT_XBGR8888 : SDL_PIXELFORMAT_XRGB8888;

	canvas->has_changed = true;
	return layer_set(&canvas->picture, canvas->renderer, framebuffer, format, is_whole);
}

void canvas_remove_picture(Canvas *canvas)
{
	canvas->has_changed |= canvas->picture.texture != NULL;
	layer_deinit(&canvas->picture);
}

bool canvas_set_cursor(Canvas *canvas, const Framebuffer *framebuffer, const CursorPlace *place)
{
	uint32_t format =
		is_red_first(framebuffer) ? SDL_PIXELFORMAT_ABGR8888 : SDL_PIXELFORMAT_ARGB8888;

	canvas->has_changed = true;
	canvas->place = *place;
	if (!layer_set(&canvas->cursor, canvas->renderer, framebuffer, format, true))
		return false;
	return SDL_SetTextureBlendMode(canvas->cursor.texture, SDL_BLENDMODE_BLEND) == 0;
}

void canvas_remove_cursor(Canvas *canvas)
{
	canvas->has_changed |= canvas->cursor.texture != NULL;
	layer_deinit(&canvas->cursor);
}

void canvas_set_actual(Canvas *canvas, bool is_actual)
{
	canvas->has_changed |= canvas->is_actual != is_actual;
	canvas->is_actual = is_actual;
}

/* ---- The sentence ---- */

bool canvas_say(Canvas *canvas, const char *sentence, bool is_note)
{
	const char *before = canvas->sentence;

	canvas->has_changed |= canvas->is_note != is_note;
	canvas->is_note = is_note;
	if (sentence && before ? strcmp(sentence, before) == 0 : sentence == before)
		return false;
	free(canvas->sentence);
	canvas->sentence = sentence ? strdup(sentence) : NULL;
	layer_deinit(&canvas->text);
	canvas->has_changed = true;
	return true;
}

/* Makes a texture of the image: white, with the image as alpha. */
static bool text_layer_make(Canvas *canvas, const TextImage *image)
{
	Size size = { (int32_t)image->width, (int32_t)image->height };
	size_t count = (size_t)image->width * image->height;
	uint32_t *pixels = malloc(count * sizeof(*pixels));
	bool is_done = pixels && layer_prepare(&canvas->text, canvas->renderer, size,
					       SDL_PIXELFORMAT_ARGB8888);

	for (size_t i = 0; is_done && i < count; i++)
		pixels[i] = (uint32_t)image->pixels[i] << 24 | 0xffffff;
	is_done = is_done && SDL_UpdateTexture(canvas->text.texture, NULL, pixels,
					       size.width * (int)sizeof(*pixels)) == 0;
	free(pixels);
	return is_done && SDL_SetTextureBlendMode(canvas->text.texture, SDL_BLENDMODE_BLEND) == 0;
}

/* Makes the layer of the sentence for lines of this length, unless it is there. */
static bool prepare_text(Canvas *canvas, size_t columns)
{
	TextImage image;

	if (canvas->text.texture && canvas->text_columns == columns)
		return true;
	if (!text_image_init(&image, canvas->sentence, columns))
		return false;
	canvas->text_columns = columns;
	bool is_done = text_layer_make(canvas, &image);
	text_image_deinit(&image);
	return is_done;
}

/* Darkens the picture behind a note. */
static void draw_ground(const Canvas *canvas, Size window, SDL_Rect text)
{
	SDL_Rect ground = { 0, text.y, window.width, text.h };

	SDL_SetRenderDrawBlendMode(canvas->renderer, SDL_BLENDMODE_BLEND);
	SDL_SetRenderDrawColor(canvas->renderer, 0, 0, 0, 255 - DARK);
	SDL_RenderFillRect(canvas->renderer, &ground);
}

static void draw_sentence(Canvas *canvas, Size window)
{
	int factor = canvas->text_factor;

	if (factor < 1 || window.width < COLUMNS_MAX / 2 * CELL_WIDTH * factor)
		factor = 1;
	size_t columns = (size_t)(window.width / (CELL_WIDTH * factor));
	columns = columns > 2 ? columns - 2 : 1;
	if (!prepare_text(canvas, columns < COLUMNS_MAX ? columns : COLUMNS_MAX))
		return;
	Size size = canvas->text.size;
	SDL_Rect to = { 0, 0, size.width * factor, size.height * factor };
	to.x = (window.width - to.w) / 2;
	to.y = canvas->is_note ? window.height - to.h : (window.height - to.h) / 2;
	if (canvas->is_note)
		draw_ground(canvas, window, to);
	SDL_SetTextureScaleMode(canvas->text.texture, SDL_ScaleModeNearest);
	SDL_RenderCopy(canvas->renderer, canvas->text.texture, NULL, &to);
}

/* ---- Drawing ---- */

static void draw_layer(SDL_Renderer *renderer, const Layer *layer, Box box, bool is_dark)
{
	SDL_Rect to = { box.x, box.y, box.width, box.height };
	uint8_t brightness = is_dark ? DARK : 255;
	bool is_exact = box.width % layer->size.width == 0 && box.height % layer->size.height == 0;

	SDL_SetTextureScaleMode(layer->texture,
				is_exact ? SDL_ScaleModeNearest : SDL_ScaleModeLinear);
	SDL_SetTextureColorMod(layer->texture, brightness, brightness, brightness);
	SDL_RenderCopyEx(renderer, layer->texture, NULL, &to, 0, NULL,
			 layer->is_bottom_up ? SDL_FLIP_VERTICAL : SDL_FLIP_NONE);
}

Box canvas_picture_box(const Canvas *canvas)
{
	Size picture = canvas->picture.size, window = canvas_size(canvas);

	return canvas->is_actual ? placement_actual(picture, window)
				 : placement_fit(picture, window);
}

static void draw_picture(const Canvas *canvas)
{
	const Layer *picture = &canvas->picture, *cursor = &canvas->cursor;
	const CursorPlace *place = &canvas->place;
	bool is_dark = canvas->sentence && !canvas->is_note;
	Box box = canvas_picture_box(canvas);
	SDL_Rect clip = { box.x, box.y, box.width, box.height };

	draw_layer(canvas->renderer, picture, box, is_dark);
	if (!cursor->texture || !place->is_visible)
		return;
	SDL_RenderSetClipRect(canvas->renderer, &clip);
	draw_layer(canvas->renderer, cursor,
		   placement_part(
			   picture->size, box,
			   (Box){ place->x, place->y, cursor->size.width, cursor->size.height }),
		   is_dark);
	SDL_RenderSetClipRect(canvas->renderer, NULL);
}

void canvas_draw(Canvas *canvas)
{
	Size window = canvas_size(canvas);

	if (!canvas->has_changed)
		return;
	canvas->has_changed = false;
	SDL_SetRenderDrawColor(canvas->renderer, 0, 0, 0, SDL_ALPHA_OPAQUE);
	SDL_RenderClear(canvas->renderer);
	if (canvas->picture.texture)
		draw_picture(canvas);
	if (canvas->sentence)
		draw_sentence(canvas, window);
	SDL_RenderPresent(canvas->renderer);
}
