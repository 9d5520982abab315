/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_AUDIT_DETAILS_H
#define DAEMON_API_AUDIT_DETAILS_H

#include "daemon/api/methods.h"
#include "daemon/core/audit-record.h"

/*
 * Initialises the details with what the request asks for, once its parameters are decoded. Only
 * methods by which operators and owners grant something or take it back have any. The texts are as
 * the client sent them: whoever shows them has to escape them.
 */
void audit_details_init(AuditDetails *details, const Request *request);

#endif
