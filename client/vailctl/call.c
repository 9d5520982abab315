/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/methods.h"
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

/* Tests whether vaild does not know the method that was called, or its interface. */
static bool is_unknown_method(const struct vail *vail)
{
	const char *name = vail_error_name(vail);

	return name && (strcmp(name, "org.varlink.service.MethodNotFound") == 0 ||
			strcmp(name, "org.varlink.service.InterfaceNotFound") == 0);
}

/* Reports why the call failed, and which method was meant if none has this name. */
static int refused(const Tool *tool, const char *method, NTSTATUS status)
{
	char meant[METHOD_NAME_SIZE];
	int exit_status = tool_refused(tool, status);

	if (is_unknown_method(tool->vail) && method_suggest(method, meant))
		log_message("did you mean %s?", meant);
	return exit_status;
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
		return refused(tool, method, status);
	if (reply)
		puts(reply);
	return EXIT_DONE;
}
