/* SPDX-License-Identifier: MIT */
#include "proto/pixel-format.h"

#include <string.h>

#include "proto/macros.h"

#define PLANES_MAX 3

/* A plane stores blocks of samples. Its samples may be fewer than the pixels of the image. */
typedef struct PlaneLayout {
	uint8_t block_size;   /* in bytes */
	uint8_t block_width;  /* in samples */
	uint8_t block_height; /* in samples */
	uint8_t x_step;       /* pixels per sample */
	uint8_t y_step;
} PlaneLayout;

typedef struct PixelFormat {
	char name[5];
	char opaque[5]; /* the same without alpha; "" if the format is opaque */
	PlaneLayout planes[PLANES_MAX];
} PixelFormat;

/* clang-format off */
#define SAMPLES(size)         { size, 1, 1, 1, 1 }
#define BLOCKS(size, w, h)    { size, w, h, 1, 1 }

#define PACKED(name, size)              { name, "", { SAMPLES(size) } },
#define ALPHA(name, opaque, size)       { name, opaque, { SAMPLES(size) } },
#define IN_BLOCKS(name, size, w, h)     { name, "", { BLOCKS(size, w, h) } },
#define ALPHA_IN_BLOCKS(name, opaque, size, w, h) { name, opaque, { BLOCKS(size, w, h) } },
#define ALPHA_PLANE(name, opaque, size) { name, opaque, { SAMPLES(size), SAMPLES(1) } },

/* Luma and pairs of chroma, one sample of which covers x by y pixels. */
#define TWO_PLANES(name, luma, chroma, x, y) \
	{ name, "", { SAMPLES(luma), { chroma, 1, 1, x, y } } },
#define TWO_PLANES_IN_BLOCKS(name, luma, luma_width, chroma, chroma_width, x, y) \
	{ name, "", { BLOCKS(luma, luma_width, 1), { chroma, chroma_width, 1, x, y } } },

#define THREE_PLANES(name, size, x, y) \
	{ name, "", { SAMPLES(size), { size, 1, 1, x, y }, { size, 1, 1, x, y } } },

static const PixelFormat formats[] = {
	/* one channel */
	IN_BLOCKS("C1  ", 1, 8, 1) IN_BLOCKS("C2  ", 1, 4, 1) IN_BLOCKS("C4  ", 1, 2, 1)
	PACKED("C8  ", 1)
	IN_BLOCKS("D1  ", 1, 8, 1) IN_BLOCKS("D2  ", 1, 4, 1) IN_BLOCKS("D4  ", 1, 2, 1)
	PACKED("D8  ", 1)
	IN_BLOCKS("R1  ", 1, 8, 1) IN_BLOCKS("R2  ", 1, 4, 1) IN_BLOCKS("R4  ", 1, 2, 1)
	PACKED("R8  ", 1) PACKED("R10 ", 2) PACKED("R12 ", 2) PACKED("R16 ", 2)
	PACKED("R  H", 2) PACKED("R  F", 4)
	PACKED("GREY", 1) IN_BLOCKS("YPA4", 4, 3, 1)

	/* two and three channels */
	PACKED("RG88", 2) PACKED("GR88", 2) PACKED("RG32", 4) PACKED("GR32", 4)
	PACKED("GR H", 4) PACKED("GR F", 8)
	PACKED("RGB8", 1) PACKED("BGR8", 1) PACKED("RG16", 2) PACKED("BG16", 2)
	PACKED("RG24", 3) PACKED("BG24", 3) PACKED("BGRH", 6) PACKED("BGRF", 12)

	/* red, green and blue, and alpha or padding */
	PACKED("XR12", 2) PACKED("XB12", 2) PACKED("RX12", 2) PACKED("BX12", 2)
	ALPHA("AR12", "XR12", 2) ALPHA("AB12", "XB12", 2)
	ALPHA("RA12", "RX12", 2) ALPHA("BA12", "BX12", 2)
	PACKED("XR15", 2) PACKED("XB15", 2) PACKED("RX15", 2) PACKED("BX15", 2)
	ALPHA("AR15", "XR15", 2) ALPHA("AB15", "XB15", 2)
	ALPHA("RA15", "RX15", 2) ALPHA("BA15", "BX15", 2)
	PACKED("XR24", 4) PACKED("XB24", 4) PACKED("RX24", 4) PACKED("BX24", 4)
	ALPHA("AR24", "XR24", 4) ALPHA("AB24", "XB24", 4)
	ALPHA("RA24", "RX24", 4) ALPHA("BA24", "BX24", 4)
	PACKED("XR30", 4) PACKED("XB30", 4) PACKED("RX30", 4) PACKED("BX30", 4)
	ALPHA("AR30", "XR30", 4) ALPHA("AB30", "XB30", 4)
	ALPHA("RA30", "RX30", 4) ALPHA("BA30", "BX30", 4)
	PACKED("XR48", 8) PACKED("XB48", 8)
	ALPHA("AR48", "XR48", 8) ALPHA("AB48", "XB48", 8)
	PACKED("XR4H", 8) PACKED("XB4H", 8)
	ALPHA("AR4H", "XR4H", 8) ALPHA("AB4H", "XB4H", 8)
	PACKED("AB10", 8) PACKED("AB8F", 16)
	ALPHA_PLANE("XRA8", "XR24", 4) ALPHA_PLANE("XBA8", "XB24", 4)
	ALPHA_PLANE("RXA8", "RX24", 4) ALPHA_PLANE("BXA8", "BX24", 4)
	ALPHA_PLANE("R8A8", "RG24", 3) ALPHA_PLANE("B8A8", "BG24", 3)
	ALPHA_PLANE("R5A8", "RG16", 2) ALPHA_PLANE("B5A8", "BG16", 2)

	/* luma and chroma in one plane */
	IN_BLOCKS("YUYV", 4, 2, 1) IN_BLOCKS("YVYU", 4, 2, 1)
	IN_BLOCKS("UYVY", 4, 2, 1) IN_BLOCKS("VYUY", 4, 2, 1)
	PACKED("XYUV", 4) PACKED("XVUY", 4) PACKED("XY30", 4)
	ALPHA("AYUV", "XYUV", 4) ALPHA("AVUY", "XVUY", 4)
	PACKED("VU24", 3)
	IN_BLOCKS("Y210", 8, 2, 1) IN_BLOCKS("Y212", 8, 2, 1) IN_BLOCKS("Y216", 8, 2, 1)
	PACKED("XV30", 4) PACKED("XV36", 8) PACKED("XV48", 8)
	ALPHA("Y410", "XV30", 4) ALPHA("Y412", "XV36", 8) ALPHA("Y416", "XV48", 8)
	IN_BLOCKS("X0L0", 8, 2, 2) IN_BLOCKS("X0L2", 8, 2, 2)
	ALPHA_IN_BLOCKS("Y0L0", "X0L0", 8, 2, 2) ALPHA_IN_BLOCKS("Y0L2", "X0L2", 8, 2, 2)

	/* luma, and chroma in one other plane */
	TWO_PLANES("NV12", 1, 2, 2, 2) TWO_PLANES("NV21", 1, 2, 2, 2)
	TWO_PLANES("NV16", 1, 2, 2, 1) TWO_PLANES("NV61", 1, 2, 2, 1)
	TWO_PLANES("NV24", 1, 2, 1, 1) TWO_PLANES("NV42", 1, 2, 1, 1)
	TWO_PLANES_IN_BLOCKS("NV15", 5, 4, 5, 2, 2, 2)
	TWO_PLANES_IN_BLOCKS("NV20", 5, 4, 5, 2, 2, 1)
	TWO_PLANES_IN_BLOCKS("NV30", 5, 4, 5, 2, 1, 1)
	TWO_PLANES("P210", 2, 4, 2, 1) TWO_PLANES("P010", 2, 4, 2, 2)
	TWO_PLANES("P012", 2, 4, 2, 2) TWO_PLANES("P016", 2, 4, 2, 2)
	TWO_PLANES_IN_BLOCKS("P030", 4, 3, 8, 3, 2, 2)
	TWO_PLANES_IN_BLOCKS("XV15", 4, 3, 8, 3, 2, 2)
	TWO_PLANES_IN_BLOCKS("XV20", 4, 3, 8, 3, 2, 1)

	/* luma, and chroma in two other planes */
	THREE_PLANES("Q410", 2, 1, 1) THREE_PLANES("Q401", 2, 1, 1)
	THREE_PLANES("S010", 2, 2, 2) THREE_PLANES("S210", 2, 2, 1) THREE_PLANES("S410", 2, 1, 1)
	THREE_PLANES("S012", 2, 2, 2) THREE_PLANES("S212", 2, 2, 1) THREE_PLANES("S412", 2, 1, 1)
	THREE_PLANES("S016", 2, 2, 2) THREE_PLANES("S216", 2, 2, 1) THREE_PLANES("S416", 2, 1, 1)
	THREE_PLANES("YUV9", 1, 4, 4) THREE_PLANES("YVU9", 1, 4, 4)
	THREE_PLANES("YU11", 1, 4, 1) THREE_PLANES("YV11", 1, 4, 1)
	THREE_PLANES("YU12", 1, 2, 2) THREE_PLANES("YV12", 1, 2, 2)
	THREE_PLANES("YU16", 1, 2, 1) THREE_PLANES("YV16", 1, 2, 1)
	THREE_PLANES("YU24", 1, 1, 1) THREE_PLANES("YV24", 1, 1, 1)
	{ "X403", "", { BLOCKS(4, 3, 1), BLOCKS(4, 3, 1), BLOCKS(4, 3, 1) } },
};
/* clang-format on */

static const PixelFormat *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (memcmp(formats[i].name, name, 4) == 0)
			return &formats[i];
	return NULL;
}

static uint64_t divide_up(uint64_t count, uint64_t by)
{
	return count / by + (count % by > 0);
}

static PlaneRows rows_in(const PlaneLayout *layout, uint64_t width, uint64_t height)
{
	uint64_t samples = divide_up(width, layout->x_step);
	uint64_t sample_rows = divide_up(height, layout->y_step);

	return (PlaneRows){ .count = divide_up(sample_rows, layout->block_height),
			    .size = divide_up(samples, layout->block_width) * layout->block_size };
}

PlaneRows pixel_format_rows(const char *format, size_t plane, uint64_t width, uint64_t height)
{
	const PixelFormat *found = find(format);

	if (!found || plane >= PLANES_MAX || found->planes[plane].block_size == 0)
		return (PlaneRows){ .count = height };
	return rows_in(&found->planes[plane], width, height);
}

const char *pixel_format_opaque(const char *format)
{
	const PixelFormat *found = find(format);

	return found && found->opaque[0] ? found->opaque : format;
}
