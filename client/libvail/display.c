/* SPDX-License-Identifier: MIT */
/* Typed calls for display channels. */
#include <string.h>

#include "client/libvail/display-info.h"
#include "client/libvail/internal.h"
#include "client/libvail/list.h"

/* Asks vaild to close a channel whose descriptor this process did not get. */
static void undo_open(struct vail *vail, const char *display)
{
	_cleanup_(parameters_deinit) Parameters parameters;
	const char *text = NULL;

	parameters_begin(&parameters);
	put_string(&parameters, "display", display);
	if (parameters_end(vail, &parameters, &text) == STATUS_SUCCESS)
		vail_send_oneway(vail, "io.vaild.Display.CloseDisplay", text);
}

NTSTATUS vail_open_display(struct vail *vail, const char *virtual_machine, unsigned int rights,
			   char ret_display[VAIL_HANDLE_SIZE], unsigned int *ret_rights,
			   int *ret_descriptor)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;
	_cleanup_(free_message) JsonValue *message = NULL;
	JsonValue *reply = NULL;
	char handle[VAIL_HANDLE_SIZE];

	if (!vail || !ret_descriptor)
		return STATUS_INVALID_PARAMETER;
	parameters_begin(&parameters);
	put_required(&parameters, "virtualMachineGuid", virtual_machine);
	if (rights != 0) {
		writer_key(&parameters.writer, "rights");
		put_rights(&parameters, rights);
	}
	NTSTATUS status = parameters_call(vail, "io.vaild.Display.OpenDisplay", &parameters,
					  &message, &reply);
	if (status == STATUS_SUCCESS)
		status = read_handle(vail, json_member(reply, "display"), "display", handle);
	if (status != STATUS_SUCCESS)
		return status;
	int descriptor = vail_take_descriptor(vail, 0);
	if (descriptor < 0) {
		undo_open(vail, handle);
		return error_set(
			vail, STATUS_INVALID_NETWORK_RESPONSE,
			"vaild's reply lacks the display's file descriptor; use the libvail "
			"that belongs to this vaild");
	}
	if (ret_display)
		memcpy(ret_display, handle, sizeof(handle));
	if (ret_rights)
		*ret_rights = display_read(json_member(reply, "display")).rights;
	*ret_descriptor = descriptor;
	return STATUS_SUCCESS;
}

NTSTATUS vail_close_display(struct vail *vail, const char *display)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "display", display);
	return parameters_call_plain(vail, "io.vaild.Display.CloseDisplay", &parameters);
}

/* The user's callback for a list's items. */
typedef struct ListCallback {
	VailDisplayTaker take;
	void *context;
} ListCallback;

static bool report_display(struct vail *vail, const JsonValue *value, void *context)
{
	const ListCallback *list = context;
	const VailDisplay display = display_read(value);

	return list->take(vail, &display, list->context);
}

NTSTATUS vail_list_displays(struct vail *vail, const char *virtual_machine, VailDisplayTaker take,
			    void *context)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;
	ListCallback list = { .take = take, .context = context };

	parameters_begin(&parameters);
	put_string(&parameters, "virtualMachineGuid", virtual_machine);
	if (!take)
		parameters.wrong = "take is NULL; it is required";
	return parameters_call_list(vail, "io.vaild.Display.ListDisplays", &parameters, "displays",
				    report_display, &list);
}
