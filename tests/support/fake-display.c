/* SPDX-License-Identifier: MIT */
#include "tests/support/fake-display.h"

#include <stdio.h>
#include <string.h>

#include "daemon/api/session-fds.h"

/* Takes the fds of the output, as the agent would. */
static void take_fds(FakeAgent *agent, size_t size)
{
	OutgoingFds *outgoing = session_outgoing_fds(&agent->session);

	for (; outgoing; outgoing = STAILQ_NEXT(outgoing, link)) {
		for (size_t i = 0; i < outgoing->count; i++) {
			fake_host_must(agent->fds.count < CALL_FDS_MAX);
			agent->fds.items[agent->fds.count++] = outgoing->items[i];
		}
		outgoing->count = 0;
	}
	session_sent(&agent->session, size);
}

const char *fake_agent_read(FakeAgent *agent)
{
	Buffer *replies = &agent->replies;

	buffer_truncate(replies, 0);
	do {
		Buffer out = BUFFER_INIT;

		agent->fake_host->must_ask_fdstore = true;
		agent->state = session_pump(&agent->session, &out);
		agent->fake_host->must_ask_fdstore = false;
		fake_host_must(buffer_append(replies, buffer_head(&out), buffer_size(&out)));
		take_fds(agent, buffer_size(&out));
		buffer_deinit(&out);
	} while (agent->state == SESSION_PAUSED || agent->state == SESSION_WAITS);
	fake_host_must(buffer_append(replies, "", 1));
	return buffer_head(replies);
}

const char *fake_agent_serve(FakeAgent *agent, FakeHost *fake_host, Caller *caller,
			     const char *parameters)
{
	char request[512];
	int size = snprintf(request, sizeof(request),
			    "{\"method\":\"" SERVE_DISPLAYS "\",\"more\":true,\"parameters\":%s}\n",
			    parameters);

	*agent = (FakeAgent){ .fake_host = fake_host, .replies = BUFFER_INIT };
	session_init(&agent->session, &fake_host->service, caller);
	fake_host_must(buffer_append(&agent->session.input, request, (size_t)size));
	session_arrived(&agent->session, &(InputMetadata){ 0 });
	return fake_agent_read(agent);
}

void fake_agent_close_fds(FakeAgent *agent)
{
	for (size_t i = 0; i < agent->fds.count; i++)
		fake_host_close(agent->fake_host, agent->fds.items[i]);
	agent->fds.count = 0;
}

void fake_agent_end(FakeAgent *agent)
{
	session_deinit(&agent->session);
	fake_agent_close_fds(agent);
	buffer_deinit(&agent->replies);
}

const char *open_display(FakeHost *fake_host, Caller *caller, const char *rights,
			 char ret_handle[64], int *ret_fd)
{
	ReceivedFds fds;
	char parameters[256];

	snprintf(parameters, sizeof(parameters), "{\"virtualMachineGuid\":\"" GUID_A "\"%s%s}",
		 rights ? ",\"rights\":" : "", rights ? rights : "");
	const char *status =
		call_with_fds(fake_host, caller, OPEN_DISPLAY, parameters, NULL, 0, &fds);
	fake_host_must((strcmp(status, "STATUS_SUCCESS") == 0) == (fds.count == 1));
	if (fds.count == 1)
		*ret_fd = fds.items[0];
	if (fds.count == 1 && ret_handle)
		snprintf(ret_handle, 64, "%s", reply_string(fake_host, "display.display"));
	return status;
}
