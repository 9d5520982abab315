/* SPDX-License-Identifier: MIT */
#ifndef TESTS_COMPARE_H
#define TESTS_COMPARE_H

#include "model.h"

NTSTATUS reply_status(const JsonValue *reply);

/*
 * One reply against the model's answer; of a list, the items from *at on, which it moves. NULL when
 * they agree, else in what they differ, good until the next call.
 */
const char *compare_reply(Model *model, const ModelRequest *request, const ModelAnswer *answer,
			  const JsonValue *reply, size_t *at);

#endif
