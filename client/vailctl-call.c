/* SPDX-License-Identifier: MIT */
#include "vailctl.h"

static bool print_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			void *context)
{
	(void)vail;
	(void)continues;
	(void)context;
	if (status != STATUS_SUCCESS)
		return true; /* the call ends with it, and tells */
	puts(parameters);
	fflush(stdout); /* whoever reads a stream wants each reply when it comes */
	return !ferror(stdout);
}

int command_call(Tool *tool)
{
	const char *method = tool->arguments[0], *parameters = tool->arguments[1];
	_cleanup_free_ char *reply = NULL;
	NTSTATUS status;

	if (options_have(&tool->options, OPTION_MORE)) {
		/* A stream may be silent for as long as nothing happens. */
		vail_set_timeout(tool->vail, VAIL_TIMEOUT_NONE);
		status = vail_call_more(tool->vail, method, parameters, print_reply, NULL);
	} else {
		status = vail_call(tool->vail, method, parameters, &reply);
	}
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (reply)
		puts(reply);
	return EXIT_DONE;
}
