/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_SERVER_REFUSAL_H
#define DAEMON_FLEET_SERVER_REFUSAL_H

#include "daemon/fleet/model/index.h"
#include "proto/json-writer.h"
#include "proto/vail-status.h"

/* The reason why a request is refused, and its error reply. */
typedef struct Refusal {
	NTSTATUS status;           /* STATUS_SUCCESS if it is not refused */
	const char *varlink_error; /* one of org.varlink.service, or NULL */
	char parameter[96];        /* or empty; of a Varlink error its own parameter */
	char message[400];
} Refusal;

void refuse(Refusal *refusal, NTSTATUS status, const char *message);

/* Refuses with STATUS_INVALID_PARAMETER. The sentence is the parameter and the text. */
void refuse_parameter(Refusal *refusal, const char *parameter, const char *text);

/* Refuses with MethodNotFound, InterfaceNotFound or InvalidParameter of org.varlink.service. */
void refuse_varlink(Refusal *refusal, const char *error, const char *parameter);

/*
 * Refuse a request that needs to know all hosts as they are now, or one that changes keys in etcd.
 * Return true if it is refused. With an alarm, etcd itself says which changes it does not make.
 */
bool refuse_if_old(Refusal *refusal, const FleetIndex *index, uint64_t now);
bool refuse_if_away(Refusal *refusal, const FleetIndex *index, uint64_t now);

/* Writes the error reply, with errors of the interface. */
void refusal_write(const Refusal *refusal, const char *interface, Writer *writer, char terminator);

#endif
