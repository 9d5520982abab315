/* SPDX-License-Identifier: MIT */
#include "client/vailctl/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/program-options.h"
#include <vail.h>

bool rights_text_init(RightsText *rights, const JsonValue *names)
{
	size_t size;
	FILE *out = open_memstream(&rights->text, &size);

	if (!out)
		return false;
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string(json_array_at(names, i));

		fprintf(out, "%s%s", i > 0 ? "," : "", name ? name : "?");
	}
	return fclose(out) == 0;
}

void rights_text_deinit(RightsText *rights)
{
	free(rights->text);
}

bool rights_parse(char *names, unsigned int *ret_rights)
{
	char *name;

	*ret_rights = 0;
	while ((name = strsep(&names, ","))) {
		unsigned int right = vail_display_right(name);

		if (right == 0) {
			usage_error("%s is not a right on a display; give some of view, input, "
				    "clipboard, audioOutput, audioInput",
				    *name ? name : "\"\"");
			return false;
		}
		*ret_rights |= right;
	}
	return true;
}
