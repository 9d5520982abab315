/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_HOST_H
#define DAEMON_CORE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/core/account.h"
#include "daemon/core/adapter-device.h"
#include "daemon/core/credentials.h"
#include "daemon/core/fd.h"
#include "daemon/core/inner-pids.h"
#include "proto/guid.h"

/*
 * Everything that the pure part of the daemon (core, store, api) needs from outside, as one table
 * of functions. The daemon implements it with system calls (host-ops.c). Tests implement a fake
 * host. The pure part has no other access to clocks, randomness or processes.
 */

/*
 * Identifies a process. Unlike a pid, a key is never reused. It is valid until the end of the
 * current turn of the event loop. The key of a watched process is valid until the process is
 * unwatched, restarts of the daemon included.
 */
typedef uint64_t ProcessKey;

#define PROCESS_KEY_NONE UINT64_C(0)

typedef enum Lookup {
	LOOKUP_FOUND,
	LOOKUP_ABSENT,     /* does not exist */
	LOOKUP_GONE,       /* the process is dead or a zombie */
	LOOKUP_UNREADABLE, /* exists, but access is denied or the read failed */
	LOOKUP_EXHAUSTED,  /* out of fds or memory, so the answer is unknown */
	LOOKUP_PENDING,    /* not known yet; only from functions that say so */
} Lookup;

/* The device that gives a process its graphics context, in the order of the lookup. */
typedef enum GraphicsContextKind {
	GRAPHICS_CONTEXT_VAILD,
	GRAPHICS_CONTEXT_DRM,
	GRAPHICS_CONTEXT_NVIDIA,
	GRAPHICS_CONTEXT_KFD,
	GRAPHICS_CONTEXT_DXG,
	GRAPHICS_CONTEXT_MAX,
} GraphicsContextKind;

typedef struct Caller Caller;
typedef struct Event Event;
typedef struct AuditRecord AuditRecord;

typedef struct Host {
	void *self;

	/* Returns the time in microseconds (CLOCK_BOOTTIME). */
	uint64_t (*now)(void *self);

	/* Fills a buffer of size bytes with random bytes. */
	void (*random_bytes)(void *self, void *bytes, size_t size);

	/*
	 * Starts watching a process. The host calls broker_process_exited() once when it exits, and
	 * keeps the key valid until unwatch_process(). Returns false if out of resources.
	 */
	bool (*watch_process)(void *self, ProcessKey key);
	void (*unwatch_process)(void *self, ProcessKey key);

	/* Tests whether the process is alive now. A zombie is not. */
	bool (*process_is_alive)(void *self, ProcessKey key);

	/*
	 * Finds the live process that has this pid in the caller's pid namespace, and sets *ret_key
	 * and *ret_pid, its pid in the daemon's namespace, if FOUND. Returns PENDING as
	 * find_graphics_context() does.
	 */
	Lookup (*find_process)(void *self, const Caller *caller, pid_t pid, ProcessKey *ret_key,
			       pid_t *ret_pid);

	/*
	 * Returns the pids of a process in the namespaces below the daemon's, or NULL if it has
	 * none. The caller takes a reference to keep them.
	 */
	InnerPids *(*find_inner_pids)(void *self, ProcessKey key);

	/*
	 * Reads a process's current credentials into *ret, which the caller deinitialises. Returns
	 * GONE if the process is dead, even if everything could be read.
	 */
	Lookup (*read_credentials)(void *self, ProcessKey key, Credentials *ret);

	/*
	 * Reads the groups of the caller's connection into its credentials, if it has any unread.
	 * Takes 50 ns for each group. Returns FOUND or EXHAUSTED.
	 */
	Lookup (*read_groups)(void *self, const Caller *caller);

	/*
	 * Tests whether the caller's process has a GPU device open, and sets *ret if FOUND. Returns
	 * PENDING if the search takes longer than a turn; the caller's session is pumped again when
	 * it has ended, and the same call then returns its result.
	 */
	Lookup (*find_graphics_context)(void *self, const Caller *caller, GraphicsContextKind *ret);

	/*
	 * Finds the GPU devices and functions that a process of this user has open now, for the
	 * caller's request. Sets *ret if FOUND. Returns PENDING as find_graphics_context() does,
	 * once or more for each call with another process. ABSENT means that it has none open.
	 * The user pays for the search and not the caller, because its files can make it hang. With
	 * UID_UNKNOWN it is the user that the process has now.
	 */
	Lookup (*find_held_gpus)(void *self, const Caller *caller, ProcessKey key, uid_t uid,
				 HeldGpus *ret);

	/*
	 * Lets a look begin at what the processes of the VM with this serial have open
	 * (found-gpu.h). It has this number or a higher one, and may be under way. The caller's
	 * session is pumped again when a look has been applied, which may be before this returns.
	 */
	void (*look_at_gpus)(void *self, const Caller *caller, uint64_t vm, uint64_t number);

	/* Finds a user by name or decimal uid. */
	Lookup (*find_user)(void *self, const char *user, uid_t *ret_uid);

	/*
	 * Reads the credentials of an ordinary login process of the user into *ret, which the
	 * caller deinitialises.
	 */
	Lookup (*read_user)(void *self, uid_t uid, Credentials *ret);

	/* Tests whether uid belongs to a person who logs in rather than to a system service. */
	bool (*is_login_user)(void *self, uid_t uid);

	/*
	 * Reads the kind, size and seals of an fd, which a client sent or the fdstore returned.
	 * Returns FOUND or EXHAUSTED.
	 */
	Lookup (*read_fd_info)(void *self, int fd, FdInfo *ret);

	/*
	 * Opens the daemon's own copy of an fd. A memfd is reopened (read-only unless read_write),
	 * so that its file offset and flags are not shared with the sender. Other kinds are
	 * duplicated. Release the result with release_fd(). Returns FOUND, UNREADABLE if
	 * the memfd cannot be reopened (mostly because of its file mode), or EXHAUSTED.
	 */
	Lookup (*open_fd)(void *self, int fd, FdKind kind, bool read_write, int *ret);

	/*
	 * Closes an fd from open_fd() or fdstore_find(), and removes it from the fdstore, perhaps
	 * in a later turn. Until then it uses room there, which fdstore_add() takes if it needs it.
	 */
	void (*release_fd)(void *self, int fd);

	/*
	 * Makes the sockets of a display channel: a connected pair, and a duplicate of the agent's
	 * end. Release the two ends with discard_fd(), and the duplicate with end_channel().
	 * Returns FOUND or EXHAUSTED.
	 */
	Lookup (*make_channel)(void *self, ChannelEnds *ret);

	/*
	 * Shuts a display channel down, at both ends at once. A channel that is stored stays
	 * connected if the host shuts down for a restart.
	 */
	void (*cut_channel)(void *self, int fd);

	/*
	 * Shuts a display channel down, at both ends at once, and releases the daemon's duplicate
	 * as release_fd() does. What clients have sent and nobody has read is discarded, which may
	 * block forever, so a child process does it, charged to the payer. A channel that is stored
	 * stays connected if the host shuts down for a restart.
	 */
	void (*end_channel)(void *self, int fd, const Payer *payer);

	/*
	 * Closes an fd received from a client. The close may block forever, so a child process does
	 * it, charged to the payer.
	 */
	void (*discard_fd)(void *self, int fd, const Payer *payer);

	/*
	 * Persists a quarantine with its payer across reboots, or removes a persisted one. reason
	 * may be NULL. Returns false if the change cannot be written.
	 */
	bool (*persist_quarantine)(void *self, const Guid *guid, const char *reason,
				   const Payer *payer);
	bool (*remove_quarantine)(void *self, const Guid *guid);

	/*
	 * Writes a persisted record, which survives restarts. It replaces an earlier one with this
	 * serial. It is a JSON object on one line that contains the serial; size is in bytes.
	 * Returns false, with the earlier record intact, if it cannot be written.
	 */
	bool (*persist)(void *self, uint64_t serial, const char *record, size_t size);

	/*
	 * Removes the persisted records with these serials, in the given order. Never fails: if a
	 * removal cannot be written, the next start finds that the entity has ended. After a crash,
	 * a prefix of the serials has been removed. Ignored once the host shuts down for a restart.
	 */
	void (*remove)(void *self, const uint64_t *serials, size_t count);

	/*
	 * Removes persisted records in later turns, in the order of the calls. After a crash, the
	 * last of them are still there, so call it only for records that the next start drops
	 * anyway: their process has exited, or the record of their VM has been removed.
	 */
	void (*remove_later)(void *self, const uint64_t *serials, size_t count);

	/*
	 * Tests whether the fdstore takes fds without delay. If not, the caller's session is pumped
	 * again when it does. Ask before an operation that may watch another process, or store
	 * fds.
	 */
	bool (*fdstore_is_ready)(void *self, const Caller *caller);

	/*
	 * Stores an fd from open_fd() across restarts and returns its id, or 0 if the
	 * fdstore is full. release_fd() removes it. Ids are never reused. Fds of one open
	 * file description may share an id, which can then be found once for each of them.
	 */
	uint64_t (*fdstore_add)(void *self, int fd);

	/*
	 * During a restore, returns the fd that was stored under the id. Release it with
	 * release_fd(). Fds that are not requested by the end of the restore are closed and
	 * removed. Returns FOUND, ABSENT or EXHAUSTED.
	 */
	Lookup (*fdstore_find)(void *self, uint64_t id, int *ret);

	/*
	 * During a restore, finds the process with a key from before the restart, and sets *ret_pid
	 * to its pid. Returns FOUND, GONE if it is no longer alive, ABSENT if it had already exited
	 * or was no longer watched before the restart, or EXHAUSTED.
	 */
	Lookup (*find_persisted_process)(void *self, ProcessKey key, pid_t *ret_pid);

	/*
	 * Reports progress of a restore, as the number of persisted records done out of count. The
	 * service manager then extends its start timeout.
	 */
	void (*restoring)(void *self, size_t done, size_t count);

	/*
	 * Call when a restore fails. All persisted records and fds stay as they are for the next
	 * start: the host ignores later removals and persists nothing more.
	 */
	void (*stop_persisting)(void *self);

	/*
	 * Reads the configuration again and applies it. If that fails, the old configuration stays
	 * in effect and the function returns false. The sentence in ret_mistake (of size bytes)
	 * then names the file and the key.
	 */
	bool (*reload_configuration)(void *self, char *ret_mistake, size_t size);

	/*
	 * Returns the number of child processes that close fds of the payer. If payer is NULL,
	 * returns that of the payer with the most, and stores its uid in *ret_uid.
	 */
	uint64_t (*count_closes)(void *self, const Payer *payer, uid_t *ret_uid);

	/* Reports a change after it was made. */
	void (*event)(void *self, const Event *event);

	/* Writes an audit record of a denied request, or of an allowed one that changed state. */
	void (*audit)(void *self, const AuditRecord *record);
} Host;

#endif
