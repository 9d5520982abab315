/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_ALARMS_H
#define DAEMON_FLEET_ETCD_ALARMS_H

#include "daemon/fleet/etcd/message.h"
#include "daemon/fleet/etcd/transport.h"

/*
 * Asks the endpoint for the alarms of etcd, as often as the lease is kept alive. With an alarm,
 * for example because its database is full, etcd puts no key, but still answers keepalives and
 * serves watches. So what the client shows of other hosts may be old then.
 *
 * The member answers from its own memory, so that many hosts may ask. An endpoint that does not
 * answer is no failure: the last answer then counts on.
 */
typedef struct Alarms {
	Exchange exchange;
	int64_t sent_at;   /* of the question that runs */
	int64_t due_at;    /* of the next question */
	int64_t clear_at;  /* when the last question was sent that found no alarm; 0 for never */
	ServerWords alarm; /* the name of the present alarm, or "" */
} Alarms;

void alarms_init(Alarms *alarms);
void alarms_deinit(Alarms *alarms);

/* etcd is reached: tells the alarm again if there is one, and asks at once. */
void alarms_reached(Alarms *alarms);

/* Ends the question that runs. The alarm stays, because it is one of the whole etcd. */
void alarms_break(Alarms *alarms);

/* Sends the next question when it is due. */
void alarms_wake(Alarms *alarms);

int64_t alarms_deadline(const Alarms *alarms);

#endif
