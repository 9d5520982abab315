/* SPDX-License-Identifier: MIT */
/* The sentence for each object that cannot be shown or saved says what is wrong with it. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/common/object-image.h"

TestSuite(image_refusals);

static const struct {
	const char *format;
	uint64_t modifier;
	size_t planes;
	const char *says;
	const char *does_not_say;
} rows[] = {
	{ "XR24", 0x00ffffffffffffff, 1, "modifier of the XR24 image is unknown", "not linear" },
	{ "XR24", 0x0100000000000001, 1, "not linear (modifier 0x100000000000001)", "unknown" },
	{ "BX24", 0, 1, "format is BX24 with 1 plane;", "linear" },
	{ "XR30", 0, 1, "format is XR30 with 1 plane;", "linear" },
	{ "NV12", 0x00ffffffffffffff, 2, "format is NV12 with 2 planes;", "modifier" },
};

Test(image_refusals, sentences)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *format = rows[i].format;
		VailObjectInfo info = {
			.width = 4,
			.height = 4,
			.format = VAIL_FORMAT(format[0], format[1], format[2], format[3]),
			.modifier = rows[i].modifier,
			.plane_count = rows[i].planes,
		};
		char message[256];

		info.planes[0].stride = 16;
		cr_assert_not(object_image_check(&info, message, sizeof(message)));
		cr_assert_not_null(strstr(message, rows[i].says), "%s", message);
		cr_assert_null(strstr(message, rows[i].does_not_say), "%s", message);
	}
}
