/* SPDX-License-Identifier: MIT */
#include "client/vailctl/rights.h"

#include <stdio.h>
#include <stdlib.h>

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
