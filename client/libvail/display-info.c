/* SPDX-License-Identifier: MIT */
#include "client/libvail/display-info.h"

#include "client/libvail/names.h"

VailDisplay display_read(const JsonValue *value)
{
	const JsonValue *names = json_member(value, "rights");
	VailDisplay display = {
		.size = sizeof(display),
		.handle = member_text(value, "display"),
		.virtual_machine = member_text(value, "virtualMachineGuid"),
		.pid = (pid_t)member_number(value, "pid"),
		.uid = (uid_t)member_number(value, "uid"),
	};

	for (size_t i = 0; i < json_array_size(names); i++)
		display.rights |= vail_display_right(json_string(json_array_at(names, i)));
	json_read_real(json_member(value, "since"), &display.since);
	return display;
}

void put_rights(Parameters *parameters, unsigned int rights)
{
	unsigned int known = 0;

	writer_array_begin(&parameters->writer);
	for (unsigned int right = 1; right != 0; right <<= 1) {
		const char *name = vail_display_right_name(right);

		known |= name ? right : 0;
		if (name && rights & right)
			writer_string(&parameters->writer, name);
	}
	writer_array_end(&parameters->writer);
	if (rights & ~known)
		parameters->wrong = "the rights have an unknown bit; combine VAIL_DISPLAY_VIEW and "
				    "its siblings";
}
