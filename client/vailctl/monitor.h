/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_MONITOR_H
#define CLIENT_VAILCTL_MONITOR_H

#include "client/vailctl/vailctl.h"
#include "proto/json.h"

/*
 * Calls GetStatus. With --json, prints the reply and sets *ret_reply to NULL. Otherwise the caller
 * frees *ret_reply, which is NULL on failure. Returns the exit status.
 */
int monitor_status_fetch(Tool *tool, JsonValue **ret_reply);

/*
 * Tests whether the caller sees everything, as operators and observers do, without a refusal that
 * vaild would log. Also true if that cannot be found out.
 */
bool tool_sees_all(const Tool *tool);

/* The same on a second connection, for a command whose connection watches. */
bool tool_sees_all_apart(const Tool *tool);

#endif
