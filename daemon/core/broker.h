/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_BROKER_H
#define DAEMON_CORE_BROKER_H

#include "daemon/core/account.h"
#include "daemon/core/context.h"
#include "daemon/core/display-channel.h"
#include "daemon/core/display-server.h"
#include "daemon/core/drop-in.h"
#include "daemon/core/ending.h"
#include "daemon/core/entity.h"
#include "daemon/core/found-gpu.h"
#include "daemon/core/found-vm.h"
#include "daemon/core/gpu-process.h"
#include "daemon/core/handle-entry.h"
#include "daemon/core/host.h"
#include "daemon/core/incoming-vmm.h"
#include "daemon/core/object.h"
#include "daemon/core/process.h"
#include "daemon/core/quarantine.h"
#include "daemon/core/reaper.h"
#include "daemon/core/registration.h"
#include "daemon/core/software-driver.h"
#include "daemon/core/told-guest.h"
#include "daemon/core/vm.h"

/*
 * The complete state of the core: all VMs, registrations, adapters, contexts, quarantines and
 * accounts. Core makes no system call. Everything from outside comes through the Host.
 *
 * Every operation has three steps: prepare, persist, commit. Prepare may fail, and then leaves
 * nothing behind. Persist writes persisted records, which survive a restart. Commit cannot fail.
 *
 * Entities are listed in the order of their serials. A serial is never reused, so the serial of the
 * last item is the cursor for the next page of a list.
 */
struct Broker {
	const Host *host;
	Accounts accounts;
	uint64_t last_serial; /* the newest serial of an entity or of any other persisted record */
	EntityTree entities[ENTITY_MAX];
	ProcessTree processes;
	HandleTree handles;
	VmGuidTree vms_by_guid;
	AgentUserTree agents_by_user;
	ToldGuestTree told_guests; /* those that a connection has told */
	RegistrationPartiesTree registrations_by_parties;
	QuarantineGuidTree quarantines_by_guid;
	ReaperQueue reaper_queue;
	Endings endings;
	SoftwareAdapterSettings software_adapter;
	const DropIns *drop_ins; /* NULL for none */
	DriverCallbacks driver_callbacks;
	TAILQ_HEAD(, DisplayChannel) cut_channels;
	Ending cutting;            /* ends them; has begun while there are any */
	uint64_t display_deadline; /* when channels end that wait for their server; 0 for none */
	uint64_t looks_begun;      /* see daemon/core/found-gpu.h */
	bool is_restoring; /* suppresses events, because they were sent before the restart */
	bool is_stopping;  /* connections close because the daemon stops, not their clients */
};

/*
 * Allocates a broker with its software adapter. The adapter's driver makes the reservations listed
 * in software, or none if that is NULL. limits and software are copied; host must outlive the
 * broker. Returns NULL if out of memory, or if the limits do not allow the adapter's system
 * process.
 */
Broker *broker_new(const Host *host, const Limits *limits, const SoftwareAdapterSettings *software);

/* Ends every entity except quarantines, frees the broker and returns NULL. Accepts NULL. */
Broker *broker_free(Broker *broker);

/*
 * Replaces the limits and the software adapter's reservations. Both apply to later operations only:
 * resources in use and existing GPU processes stay as they are.
 */
void broker_configure(Broker *broker, const Limits *limits,
		      const SoftwareAdapterSettings *software);

/* Call before shutdown: connections closed later end no adapters. */
void broker_stop(Broker *broker);

/* Ends the adapters that the closed connection had registered. */
void broker_connection_closed(Broker *broker, const Caller *caller);

/*
 * Begins to end everything that depends on the exited process. The host calls it for watched
 * processes, and then broker_end_some().
 */
void broker_process_exited(Broker *broker, ProcessKey key);

/* Walks all state and asserts its invariants. */
void broker_check(Broker *broker);

/*
 * Bracket a restore of the state from before a restart. In between, no limit is checked and no
 * event is sent. Temporary serials given out in between are above last_serial. After the end,
 * serials continue from last_serial.
 */
void broker_restore_begin(Broker *broker, uint64_t last_serial);
void broker_restore_end(Broker *broker, uint64_t last_serial);

/* The functions below serve core and store. */

/* Returns the time in microseconds (CLOCK_BOOTTIME). */
uint64_t broker_now(Broker *broker);

/*
 * Returns a serial that was never used before. Serials given out during a restore are temporary;
 * broker_restore_end() allows their reuse.
 */
uint64_t broker_next_serial(Broker *broker);

/* Removes one persisted record. Ignores serial 0, which means that nothing was persisted. */
void broker_remove_record(Broker *broker, uint64_t serial);

/* Removes the record in a later turn. See Host.remove_later for when this is allowed. */
void broker_remove_record_later(Broker *broker, uint64_t serial);

/*
 * Removes the record of an entity that ends: later if the reason is inherited, otherwise at once,
 * because a request is answered only when its effect is lasting.
 */
void broker_remove_ended(Broker *broker, uint64_t serial, EndReason reason);

/* Sends an event to the host, unless the broker is restoring. */
void broker_event(Broker *broker, const Event *event);

#endif
