/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_DISPLAY_H
#define TESTS_SUPPORT_FAKE_DISPLAY_H

#include "tests/support/fake-host.h"

/* An agent that serves the displays of a VM on the fake host, in a session that stays open. */
typedef struct FakeAgent {
	FakeHost *fake_host;
	Session session;
	Buffer replies; /* those read last, with a NUL */
	ReceivedFds fds;
	SessionState state;
} FakeAgent;

/* Calls ServeDisplays and reads its first replies. Returns their text. */
const char *fake_agent_serve(FakeAgent *agent, FakeHost *fake_host, Caller *caller,
			     const char *parameters);

/* Reads further replies and their fds. Returns the text, which is valid until the next read. */
const char *fake_agent_read(FakeAgent *agent);

/* Closes the connection and the fds. */
void fake_agent_end(FakeAgent *agent);

/* Closes the fds alone, for example before a restart of the fake host. */
void fake_agent_close_fds(FakeAgent *agent);

/*
 * Opens a display of GUID_A. rights is a JSON array, NULL for none. Copies the handle unless
 * ret_handle is NULL, and stores the viewer's end in *ret_fd. Returns the status.
 */
const char *open_display(FakeHost *fake_host, Caller *caller, const char *rights,
			 char ret_handle[64], int *ret_fd);

#endif
