/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_CONFIG_SYNTAX_H
#define DAEMON_CONFIG_CONFIG_SYNTAX_H

#include <stddef.h>

/*
 * Checks that the text of a configuration file is one JSON value. Returns NULL, or a static
 * sentence about the fault at *ret_position, which names the allowed text.
 */
const char *config_syntax_check(const char *text, size_t length, size_t *ret_position);

#endif
