/* SPDX-License-Identifier: MIT */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "credentials.h"
#include "descriptor.h"
#include "guid.h"

/*
 * All that the pure part of the daemon asks of the world, as one table of functions. The daemon
 * fills it from the kernel, tests fill it with a world of their own. Nothing else reaches core or
 * api: no clock, no randomness, no pid.
 */

/*
 * A process, not a pid: the host gives each process that it has looked at a key of its own, never
 * used again. A key stays good to the end of the turn, and beyond it while the process is watched,
 * over a restart as well.
 */
typedef uint64_t ProcessKey;

#define PROCESS_KEY_NONE UINT64_C(0)

typedef enum Evidence {
	EVIDENCE_FOUND,
	EVIDENCE_ABSENT,     /* there is no such thing */
	EVIDENCE_GONE,       /* the process is dead or a zombie */
	EVIDENCE_UNREADABLE, /* it is there, and may not or cannot be read */
	EVIDENCE_EXHAUSTED,  /* no descriptors or no memory to look with */
} Evidence;

/* How a process came by a graphics context, in the order in which they are looked for. */
typedef enum GraphicsContextKind {
	GRAPHICS_CONTEXT_VAILD,
	GRAPHICS_CONTEXT_DRM,
	GRAPHICS_CONTEXT_NVIDIA,
	GRAPHICS_CONTEXT_KFD,
	GRAPHICS_CONTEXT_DXG,
	GRAPHICS_CONTEXT_MAX,
} GraphicsContextKind;

typedef struct Event Event;
typedef struct Record Record;

typedef struct Host {
	void *self;

	/* Microseconds on CLOCK_BOOTTIME. */
	uint64_t (*now)(void *self);
	void (*random_bytes)(void *self, void *bytes, size_t size);

	/*
	 * From watch to unwatch the host keeps the process's key and calls broker_process_exited()
	 * once when it dies. Returns false when there is no room to watch.
	 */
	bool (*watch_process)(void *self, ProcessKey key);
	void (*unwatch_process)(void *self, ProcessKey key);

	/* Whether the process lives at this moment; a zombie does not. */
	bool (*process_is_alive)(void *self, ProcessKey key);

	/* The live process that has this number in the daemon's pid namespace. */
	Evidence (*find_process)(void *self, pid_t pid, ProcessKey *ret_key);

	/* Its credentials now. The caller deinits *ret. */
	Evidence (*read_credentials)(void *self, ProcessKey key, Credentials *ret);

	/* A GPU device that the process has open now. What it costs to look is account's. */
	Evidence (*find_graphics_context)(void *self, ProcessKey key, uid_t account,
					  GraphicsContextKind *ret);

	/* A user by name or decimal uid, and the credentials that the user's processes have. */
	Evidence (*find_user)(void *self, const char *user, uid_t *ret_uid);
	Evidence (*read_user)(void *self, uid_t uid, Credentials *ret);

	/* Whether the uid is that of somebody who logs in, and not a system service's. */
	bool (*is_login_user)(void *self, uid_t uid);

	/* What the descriptor is, of a message's or a kept one. FOUND or EXHAUSTED. */
	Evidence (*read_descriptor)(void *self, Descriptor descriptor, DescriptorFacts *ret);

	/*
	 * The daemon's own descriptor of the same: a memfd is opened anew, so that nobody shares
	 * offset and flags with it; others are duplicated. read_write: for a memfd, how. The caller
	 * releases it. FOUND, UNREADABLE (its mode forbids that) or EXHAUSTED.
	 */
	Evidence (*open_descriptor)(void *self, Descriptor descriptor, DescriptorKind kind,
				    bool read_write, Descriptor *ret);

	/* Closes what open_descriptor() has returned. */
	void (*release_descriptor)(void *self, Descriptor descriptor);

	/* Closes a message's, which can hang for good: what it costs is account's. */
	void (*discard_descriptor)(void *self, Descriptor descriptor, uid_t account);

	/* Makes a quarantine, or its absence, last over reboots. False: it did not. */
	bool (*keep_quarantine)(void *self, const Guid *guid, const char *reason);
	bool (*drop_quarantine)(void *self, const Guid *guid);

	/*
	 * Makes lasting over a restart what the record says of the thing with this serial, in the
	 * place of what was kept of it before. False: it did not, and all is as it was. The record
	 * is one JSON object without line breaks, and names its serial itself.
	 */
	bool (*keep)(void *self, uint64_t serial, const char *record, size_t size);

	/* The things are gone. Cannot fail: what cannot be written is found out at the next start.
	 * Cut short by a crash, the first of them are gone.
	 * A host that stops to come back lets nothing go from then on, whatever it is told. */
	void (*drop)(void *self, const uint64_t *serials, size_t count);

	/*
	 * Keeps what open_descriptor() has returned over a restart. The id is never used again;
	 * 0: there is no room. release_descriptor() lets it go. Descriptors of the same open file
	 * description may have one id, and are found as often as they were kept.
	 */
	uint64_t (*keep_descriptor)(void *self, Descriptor descriptor);

	/* After a restart: the descriptor that was kept under the id, to be released as one of
	 * open_descriptor(). What nobody has asked for when all is restored, the host lets go. */
	Evidence (*find_kept_descriptor)(void *self, uint64_t id, Descriptor *ret);

	/* After a restart: the process that has the key, if it is there still, and its pid. */
	Evidence (*find_kept_process)(void *self, ProcessKey key, pid_t *ret_pid);

	/* A restore goes on: so many of its records have come back. Who waits may be told. */
	void (*restoring)(void *self, size_t done, size_t count);

	/* What was kept cannot be restored now. It stays as it is for the next start: from now on
	 * nothing is kept, and nothing is let go, whatever the host is told. */
	void (*stop_keeping)(void *self);

	/* Reads the configuration anew. False: it is as it was, and *ret_mistake is a sentence that
	 * names file and key. */
	bool (*reload_configuration)(void *self, char *ret_mistake, size_t size);

	/* Something changed; after the fact. */
	void (*event)(void *self, const Event *event);

	/* An allow that changed state, or a deny. */
	void (*record)(void *self, const Record *record);
} Host;

#endif
