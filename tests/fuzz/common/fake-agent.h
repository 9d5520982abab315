/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_COMMON_FAKE_AGENT_H
#define TESTS_FUZZ_COMMON_FAKE_AGENT_H

#include "client/vail-qemu/agent.h"

/*
 * Stands for vail-qemu's agent, which shares surfaces with vaild: checks each surface that would be
 * shared. A target that calls fake_agent_init() is linked with these functions instead.
 */
void fake_agent_init(Agent *agent);

#endif
