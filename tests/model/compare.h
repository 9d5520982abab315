/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_COMPARE_H
#define TESTS_MODEL_COMPARE_H

#include "tests/model/model.h"

/*
 * Returns the status of a reply. Errors of org.varlink.service count as STATUS_INVALID_PARAMETER or
 * STATUS_NOT_FOUND.
 */
NTSTATUS reply_status(const JsonValue *reply);

/*
 * Compares a reply with the model's answer. A reply of a list has some of its items: those from *at
 * on, which is advanced. Returns a description of the difference, valid until the next call, or
 * NULL if they agree.
 */
const char *compare_reply(Model *model, const ModelRequest *request, const ModelAnswer *answer,
			  const JsonValue *reply, size_t *at);

#endif
