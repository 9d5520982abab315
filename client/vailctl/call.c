/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "client/common/program-options.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/output.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"
#include <vail.h>

static bool print_reply(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			void *context)
{
	(void)vail;
	(void)continues;
	(void)context;
	if (status != STATUS_SUCCESS)
		return true; /* vail_call_more() returns the status as well */
	puts(parameters);
	fflush(stdout); /* a reader of the stream must see each reply at once */
	return !ferror(stdout);
}

int command_call(Tool *tool)
{
	const char *method = tool->arguments[0], *parameters = tool->arguments[1];
	_cleanup_free_ char *reply = NULL;
	NTSTATUS status;

	if (options_have(&tool->options, OPTION_MORE)) {
		/* A stream is silent while nothing happens. */
		vail_set_timeout(tool->vail, VAIL_TIMEOUT_NONE);
		vail_set_waiting(tool->vail, 0, NULL, NULL);
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
