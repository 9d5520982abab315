/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_LOCAL_QUARANTINE_CALL_H
#define DAEMON_FLEET_LOCAL_QUARANTINE_CALL_H

#include "daemon/fleet/model/facts.h"
#include "daemon/fleet/model/quarantine.h"
#include "proto/vail-status.h"

/* The call of SetQuarantine that changes a quarantine in vaild. */

/*
 * Writes the parameters. The facts are a little old, so they contain the reason that the facts
 * show, and vaild changes no quarantine that has another one by now.
 *
 * reason: NULL to lift the quarantine.
 *
 * The caller frees the result. Returns NULL if out of memory.
 */
char *quarantine_parameters(const FleetFacts *facts, const Guid *guid, const char *reason);

/* Finds what the status says about the change. */
QuarantineOutcome quarantine_outcome(NTSTATUS status);

#endif
