/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_CONFIG_SYNTAX_H
#define DAEMON_HOST_CONFIG_SYNTAX_H

#include <stddef.h>

/*
 * Checks that the text of a configuration file is one JSON value. Returns NULL, or a static
 * sentence that says what is allowed at *ret_position, where the fault is.
 */
const char *config_syntax_check(const char *text, size_t length, size_t *ret_position);

#endif
