/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_REGISTER_H
#define CLIENT_VAILCTL_REGISTER_H

#include "client/vailctl/vailctl.h"

/* Replaces vailctl by the program in the options. Returns as program_exec(). */
int tool_exec(const Tool *tool);

#endif
