/* SPDX-License-Identifier: MIT */
#ifndef CORE_BROKER_H
#define CORE_BROKER_H

#include "account.h"
#include "context.h"
#include "gpu-process.h"
#include "host.h"
#include "named.h"
#include "object.h"
#include "process.h"
#include "quarantine.h"
#include "registration.h"
#include "software-driver.h"
#include "thing.h"
#include "vm.h"

/*
 * The one context of the core: all VMs, registrations, adapters, contexts and quarantines, and the
 * books. It makes no system call; what it needs of the world it asks of its host.
 *
 * Every operation is prepare, make lasting, commit. Prepare may fail and leaves nothing behind when
 * it does; commit cannot fail; between the two lies whatever must last. Things are listed in the
 * order of their serials, which are never used again: a cursor is the serial of the last item.
 */
struct Broker {
	const Host *host;
	Accounts accounts;
	uint64_t last_serial; /* of what is listed, and of all else that is made lasting */
	ThingTree things[THING_MAX];
	ProcessTree processes;
	NamedTree named;
	VmGuidTree vms_by_guid;
	RegistrationPartiesTree registrations_by_parties;
	QuarantineGuidTree quarantines_by_guid;
	SoftwareAdapterSettings software_adapter;
	DriverCallbacks driver_callbacks;
	bool is_restoring; /* what comes back was told when it came to be, and is not told again */
	bool is_stopping;  /* what ends, ends with the daemon */
};

/*
 * A broker with its software adapter, whose driver makes the reservations of software (NULL: none).
 * host must outlive it. NULL when there is no memory, or the adapter's system process cannot be
 * made within the limits.
 */
Broker *broker_new(const Host *host, const Limits *limits, const SoftwareAdapterSettings *software);

/* Ends everything, quarantines excepted, and returns NULL. */
Broker *broker_free(Broker *broker);

/* From now on; what is in use already stays, and so do the processes that there are. */
void broker_configure(Broker *broker, const Limits *limits,
		      const SoftwareAdapterSettings *software);

/* The daemon is about to end: that connections go from now on is the end of nothing. */
void broker_stop(Broker *broker);

/* The connection is gone, and with it what it is the driver of. */
void broker_connection_closed(Broker *broker, const Caller *caller);

/* A watched process has exited. */
void broker_process_exited(Broker *broker, ProcessKey key);

/* Walks every structure and asserts what always holds. */
void broker_check(Broker *broker);

/* Between the two, what was there before a restart is made again: no limit is asked, and nobody is
 * told. No serial that is given meanwhile is last_serial or before; afterwards they go on there. */
void broker_restore_begin(Broker *broker, uint64_t last_serial);
void broker_restore_end(Broker *broker, uint64_t last_serial);

/* For core itself. */
uint64_t broker_now(Broker *broker);
uint64_t broker_next_serial(Broker *broker);
void broker_drop(Broker *broker, uint64_t serial); /* 0: was never made lasting */
void broker_event(Broker *broker, const Event *event);

#endif
