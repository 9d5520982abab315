/* SPDX-License-Identifier: MIT */
/*
 * A model of how vaild prepares, persists, commits and restores, checked by spin.
 *
 * The daemon may be killed at every step, at most CRASHES times, and starts again. An object is
 * shared, changed, held, closed and unshared, in every order, and its sharer may exit at any time,
 * also while the daemon is down. A range of addresses is
 * reserved, mapped, freed in the middle, and freed as a whole in slices. The record file may refuse FAILURES writes. It is compacted at
 * each start, and COMPACTIONS times in slices between the requests. Names are those of the code in daemon/store and
 * daemon/host/persist.
 *
 * Checked whenever the daemon serves:
 *
 *   lost         whatever was answered with success is there
 *   half done    whatever is there is complete: its records, its pidfd and its fd
 *   comes back   whatever was ended, refused or never asked for is not there
 *   orphan       no record and no stored fd belongs to nothing, once all slices are done
 *   same         the record file and the index say the same
 *
 * A request that a crash interrupts may have happened or not, but not by half.
 *
 * Assumed: the kernel outlives the daemon, and keeps each complete line of a write. After a crash
 * in a write, a prefix of its lines is there; a partial line counts as none. The service manager
 * has received what the daemon sent it before it starts the daemon again.
 */
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef FAILURES
#define FAILURES 1
#endif

#ifndef OBJECTS
#define OBJECTS 1
#endif
#ifndef COMPACTIONS
#define COMPACTIONS 1
#endif

/* The records, in restore order within an entity. Those of an object have numbers from 5 * o on. */
#define PROCESS(o)  (5 * (o))     /* PERSISTED_PROCESS: the sharer's pidfd */
#define FD(o)       (5 * (o) + 1) /* PERSISTED_FD: the memory's fd */
#define OBJECT(o)   (5 * (o) + 2) /* STORE_OBJECT */
#define SHARING(o)  (5 * (o) + 3) /* STORE_SHARING */
#define HOLDER(o)   (5 * (o) + 4) /* STORE_HOLDER */
#define RESERVATION (5 * OBJECTS) /* STORE_RESERVATION */
#define MAPPING     (5 * OBJECTS + 1) /* STORE_MAPPING: one over the whole reservation */
#define PART(n)     (5 * OBJECTS + 2 + (n)) /* STORE_MAPPING: what is left before and behind */
#define RECORDS     (5 * OBJECTS + 4)

/* The state of a record, in the last of its lines. */
#define REMOVED        0
#define STATE(version) (1 + (version))

/* --- what survives a crash ------------------------------------------------------------------- */

/*
 * The record file, and records.new, as a start would read them: the last state of each record.
 * Lines are appended or changed in place one by one, so each step changes the state of one record.
 */
byte records[RECORDS];
byte records_new[RECORDS];
bool fdstore[RECORDS]; /* the service manager's fds, by the record that describes them */
bool alive[OBJECTS];   /* the sharer */
byte crashes, failures, compactions;

/* --- what clients know ----------------------------------------------------------------------- */

mtype = { NEVER, ASKED, SHARED, END_ASKED, ENDED };

mtype object[OBJECTS];  /* SHARED: answered with success. ENDED: refused, unshared or exited. */
mtype holder[OBJECTS];  /* the same for opening and closing */
byte version[OBJECTS];  /* that was answered last */
byte asked[OBJECTS];    /* that was asked last */
byte space, space_asked; /* the shape of the address space */

/* Shapes, in the order in which requests change them. PARTIAL must never be seen. */
#define EMPTY    0
#define RESERVED 1
#define MAPPED   2
#define SPLIT    3
#define FREED    4
#define PARTIAL  5

/* --- the daemon's memory, empty after a crash ------------------------------------------------ */

byte index[RECORDS]; /* RecordIndex: the state, or REMOVED */
bool is_shared[OBJECTS], is_held[OBJECTS];
byte shape; /* of the address space */
byte version_now[OBJECTS];
bool reaping; /* the freed reservation still has records */

bool is_copying; /* RecordCopy */
bool is_written; /* no line of the new file waits in memory */
byte cursor;
bool is_copied[RECORDS];

byte i, o; /* scratch; they mean nothing between requests */
bool ok;

/* --- steps ----------------------------------------------------------------------------------- */

#define MAY_CRASH \
	if \
	:: crashes < CRASHES -> crashes++; goto crashed \
	:: true \
	fi

/* Whether the next write works. */
inline try_write()
{
	if
	:: failures < FAILURES -> failures++; ok = false
	:: true -> ok = true
	fi
}

/* record_copy_add(): a line of the old file goes into the new one, too. */
inline record_copy_add(record, state)
{
	if
	:: is_copying -> records_new[record] = state; is_copied[record] = true; is_written = false
	:: else
	fi
}

/* record_file_save(): sets ok. */
inline record_file_save(record, state)
{
	MAY_CRASH;
	try_write();
	if
	:: ok ->
		records[record] = state;
		MAY_CRASH;
		d_step { index[record] = state; record_copy_add(record, state) }
	:: else
	fi
}

/*
 * record_file_remove(): never fails. If no line can be appended, line_file_invalidate() changes the
 * last one in place, in the old file alone. The new one gets the removal in any case.
 */
inline record_file_remove(record)
{
	if
	:: index[record] != REMOVED ->
		MAY_CRASH;
		d_step {
			records[record] = REMOVED;
			index[record] = REMOVED;
			record_copy_add(record, REMOVED)
		}
		MAY_CRASH
	:: else
	fi
}

/* persist_with_fd(): the record first, so that no stored fd is ever without one. */
inline persist_with_fd(record)
{
	record_file_save(record, STATE(0));
	if
	:: ok -> fdstore[record] = true; MAY_CRASH
	:: else
	fi
}

/* fd_store_release() and the removal of its record. */
inline release_stored(record)
{
	if
	:: fdstore[record] -> fdstore[record] = false; MAY_CRASH
	:: else
	fi;
	record_file_remove(record)
}

/* --- requests -------------------------------------------------------------------------------- */

/* object_discard() after a refusal, and the end of the process's last use. */
inline release_fds()
{
	release_stored(FD(o));
	release_stored(PROCESS(o))
}

/* method_share_object(): watch, store_save_object(), object_commit(), reply. */
inline share()
{
	object[o] = ASKED;
	persist_with_fd(PROCESS(o));
	if
	:: ok -> persist_with_fd(FD(o))
	:: else
	fi;
	if
	:: ok -> record_file_save(OBJECT(o), STATE(0))
	:: else
	fi;
	if
	:: ok ->
		record_file_save(SHARING(o), STATE(0));
		if
		:: !ok -> record_file_remove(OBJECT(o)); ok = false
		:: else
		fi
	:: else
	fi;
	if
	:: ok -> is_shared[o] = true; MAY_CRASH; object[o] = SHARED
	:: else -> release_fds(); object[o] = ENDED
	fi
}

/* object_end_if_unused() */
inline object_end_if_unused()
{
	if
	:: !is_shared[o] && !is_held[o] -> record_file_remove(OBJECT(o))
	:: else
	fi
}

/* object_end(), then the end of the process's last use. */
inline unshare()
{
	object[o] = END_ASKED;
	is_shared[o] = false;
	release_stored(FD(o));
	record_file_remove(SHARING(o));
	object_end_if_unused();
	release_stored(PROCESS(o));
	object[o] = ENDED
}

/* store_save_object_sizes(), then object_resize(). */
inline update()
{
	asked[o] = 1;
	record_file_save(OBJECT(o), STATE(1));
	if
	:: ok -> version_now[o] = 1; MAY_CRASH; version[o] = 1
	:: else -> asked[o] = 0
	fi
}

/* store_save_holder(), then holder_commit(). */
inline open_object()
{
	holder[o] = ASKED;
	record_file_save(HOLDER(o), STATE(0));
	if
	:: ok -> is_held[o] = true; MAY_CRASH; holder[o] = SHARED
	:: else -> holder[o] = ENDED
	fi
}

/* holder_end() */
inline close_object()
{
	holder[o] = END_ASKED;
	is_held[o] = false;
	record_file_remove(HOLDER(o));
	object_end_if_unused();
	holder[o] = ENDED
}

/* A range of its own: store_save_space_change() with one part, then the commit. */
inline add_range(record, new_shape)
{
	space_asked = new_shape;
	record_file_save(record, STATE(0));
	if
	:: ok -> shape = new_shape; MAY_CRASH; space = new_shape
	:: else -> space_asked = space
	fi
}

/*
 * Frees pages in the middle of the mapping: store_save_space_change() saves both parts or none, and
 * the commit removes the record of the mapping afterwards.
 */
inline split_mapping()
{
	space_asked = SPLIT;
	record_file_save(PART(0), STATE(0));
	if
	:: ok ->
		record_file_save(PART(1), STATE(0));
		if
		:: !ok -> record_file_remove(PART(0)); ok = false
		:: else
		fi
	:: else
	fi;
	if
	:: ok -> shape = SPLIT; record_file_remove(MAPPING); space = SPLIT
	:: else -> space_asked = space
	fi
}

/* Frees the reservation at once, and removes the records of its mappings in later slices. */
inline free_space()
{
	space_asked = FREED;
	shape = FREED;
	record_file_remove(RESERVATION);
	reaping = true;
	space = FREED
}

inline reap_one()
{
	if
	:: index[MAPPING] != REMOVED -> record_file_remove(MAPPING)
	:: else ->
		if
		:: index[PART(0)] != REMOVED -> record_file_remove(PART(0))
		:: else ->
			if
			:: index[PART(1)] != REMOVED -> record_file_remove(PART(1))
			:: else -> reaping = false
			fi
		fi
	fi
}

/* --- the compaction in slices ---------------------------------------------------------------- */

inline record_copy_begin()
{
	d_step {
		is_copying = true;
		is_written = false;
		cursor = 0;
		for (i : 0 .. RECORDS - 1) {
			is_copied[i] = false;
			records_new[i] = REMOVED
		}
		i = 0
	}
}

inline record_copy_abort()
{
	d_step {
		is_copying = false;
		is_written = false;
		cursor = 0;
		for (i : 0 .. RECORDS - 1) {
			is_copied[i] = false;
			records_new[i] = REMOVED
		}
		i = 0
	}
}

/* copy_some(): copies the next record, unless a later line of it is there. */
inline copy_some()
{
	d_step {
		if
		:: index[cursor] != REMOVED && !is_copied[cursor] ->
			records_new[cursor] = index[cursor];
			is_copied[cursor] = true
		:: else
		fi;
		cursor++
	}
}

/* record_copy_finish(): the rename. What waits in memory would be lost. */
inline record_copy_finish()
{
	assert(is_written);
	d_step {
		for (i : 0 .. RECORDS - 1) {
			records[i] = records_new[i]
		}
		i = 0
	}
	MAY_CRASH;
	record_copy_abort()
}

/* record_copy_step() */
inline record_copy_step()
{
	if
	:: cursor < RECORDS -> copy_some()
	:: cursor == RECORDS && !is_written ->
		try_write();
		if
		:: ok -> is_written = true
		:: else -> record_copy_abort()
		fi
	:: cursor == RECORDS && is_written -> record_copy_finish()
	fi
}

/* --- the start ------------------------------------------------------------------------------- */

/* apply_lines() */
inline read_lines()
{
	d_step {
		for (i : 0 .. RECORDS - 1) {
			index[i] = records[i]
		}
		i = 0
	}
}

/* start_file(): rewrites the file in one go. If that fails, it is used as it is. */
inline start_file()
{
	record_copy_begin();
	do
	:: cursor < RECORDS -> copy_some()
	:: else -> break
	od;
	MAY_CRASH;
	try_write();
	if
	:: ok -> is_written = true; record_copy_finish()
	:: else -> record_copy_abort()
	fi
}

/* restore_one() and drop_missing() of persistence.c, for a pidfd or an fd. */
inline restore_fd(record, is_alive)
{
	if
	:: fdstore[record] && (index[record] == REMOVED || !(is_alive)) ->
		record_file_remove(record);
		fdstore[record] = false;
		MAY_CRASH
	:: !fdstore[record] -> record_file_remove(record)
	:: else
	fi
}

/* store_restore() of one object: OBJECT, then SHARING and HOLDER, which need it. */
inline restore_object()
{
	d_step {
		version_now[o] = 0;
		if
		:: index[OBJECT(o)] == STATE(1) -> version_now[o] = 1
		:: else
		fi;
		is_shared[o] = index[OBJECT(o)] != REMOVED && index[SHARING(o)] != REMOVED &&
			       index[PROCESS(o)] != REMOVED && index[FD(o)] != REMOVED;
		is_held[o] = index[OBJECT(o)] != REMOVED && index[HOLDER(o)] != REMOVED
	}
}

/* remove_dropped(), end_unused_objects() and persistence_end_restore(). */
inline remove_dropped()
{
	if
	:: !is_shared[o] -> record_file_remove(SHARING(o))
	:: else
	fi;
	if
	:: !is_held[o] -> record_file_remove(HOLDER(o))
	:: else
	fi;
	object_end_if_unused();
	if
	:: !is_shared[o] -> release_fds()
	:: else
	fi
}

/*
 * store_restore() of the ranges, by kind and serial. A mapping without its reservation is dropped,
 * and so is a part that overlaps the mapping, which has the lower serial.
 */
inline restore_space()
{
	if
	:: index[RESERVATION] == REMOVED ->
		shape = (space == EMPTY -> EMPTY : FREED);
		record_file_remove(MAPPING)
	:: else
	fi;
	if
	:: index[RESERVATION] == REMOVED || index[MAPPING] != REMOVED ->
		record_file_remove(PART(0));
		record_file_remove(PART(1))
	:: else
	fi;
	if
	:: index[RESERVATION] != REMOVED ->
		shape = (index[MAPPING] != REMOVED -> MAPPED :
			(index[PART(0)] == index[PART(1)] ->
				(index[PART(0)] != REMOVED -> SPLIT : RESERVED) : PARTIAL))
	:: else
	fi;
	if
	:: shape == space_asked -> space = shape
	:: else -> space_asked = space
	fi
}

/* --- the properties -------------------------------------------------------------------------- */

/* A request that the crash interrupted has happened, or it has not. Clients ask what is there. */
inline settle(promise, is_there)
{
	if
	:: (promise == ASKED || promise == END_ASKED) && is_there -> promise = SHARED
	:: (promise == ASKED || promise == END_ASKED) && !(is_there) -> promise = ENDED
	:: else
	fi
}

#define IS_PROMISED(promise, is_there) ((promise == SHARED) == (is_there))

inline check()
{
	d_step {
		for (o : 0 .. OBJECTS - 1) {
			assert(IS_PROMISED(object[o], is_shared[o])); /* lost, comes back */
			assert(IS_PROMISED(holder[o], is_held[o]));
			assert(!is_shared[o] || version_now[o] == version[o]);
			assert(!is_shared[o] || alive[o]);

			/* half done, orphan */
			assert((index[SHARING(o)] != REMOVED) == is_shared[o]);
			assert((index[HOLDER(o)] != REMOVED) == is_held[o]);
			assert((index[OBJECT(o)] != REMOVED) == (is_shared[o] || is_held[o]));
			assert((index[FD(o)] != REMOVED) == is_shared[o]);
			assert((index[PROCESS(o)] != REMOVED) == is_shared[o]);
			assert(fdstore[FD(o)] == is_shared[o]);
			assert(fdstore[PROCESS(o)] == is_shared[o])
		}
		assert(shape == space);
		assert((index[RESERVATION] != REMOVED) ==
		       (shape == RESERVED || shape == MAPPED || shape == SPLIT));
		assert(reaping || (index[MAPPING] != REMOVED) == (shape == MAPPED));
		assert(reaping || (index[PART(0)] != REMOVED) == (shape == SPLIT));
		assert(reaping || (index[PART(1)] != REMOVED) == (shape == SPLIT));

		/* same */
		for (i : 0 .. RECORDS - 1) {
			assert(records[i] == index[i])
		}
		i = 0;
		o = 0;
		ok = false
	}
}

/* A sharer exits. Its client expects nothing more. */
inline exit_sharer(number)
{
	alive[number] = false;
	if
	:: object[number] != NEVER && object[number] != ENDED -> object[number] = END_ASKED
	:: else -> object[number] = ENDED
	fi
}

active proctype daemon()
{
	d_step {
		for (o : 0 .. OBJECTS - 1) {
			alive[o] = true;
			object[o] = NEVER;
			holder[o] = NEVER
		}
		o = 0
	}

start:
	skip;
	read_lines();
	start_file();
	o = 0;
	do
	:: o < OBJECTS -> restore_fd(PROCESS(o), alive[o]); restore_fd(FD(o), true); o++
	:: else -> break
	od;
	o = 0;
	do
	:: o < OBJECTS -> restore_object(); remove_dropped(); o++
	:: else -> break
	od;
	restore_space();
	d_step {
		for (o : 0 .. OBJECTS - 1) {
			settle(object[o], is_shared[o]);
			settle(holder[o], is_held[o]);
			if
			:: is_shared[o] && asked[o] == version_now[o] -> version[o] = asked[o]
			:: else -> asked[o] = version[o]
			fi
		}
	}

serve:
	skip;
	check();
end:
	if
	:: o = 0; goto request
#if OBJECTS > 1
	:: o = 1; goto request
#endif
	:: is_copying -> record_copy_step(); goto serve
	:: !is_copying && compactions < COMPACTIONS ->
		compactions++;
		record_copy_begin();
		goto serve
	:: reaping -> reap_one(); goto serve
	:: space == EMPTY -> add_range(RESERVATION, RESERVED); goto serve
	:: space == RESERVED -> add_range(MAPPING, MAPPED); goto serve
	:: space == MAPPED -> split_mapping(); goto serve
	:: space == MAPPED || space == SPLIT -> free_space(); goto serve
	:: crashes < CRASHES -> crashes++; goto crashed
	fi;
request:
	if
	:: object[o] == NEVER -> share()
	:: object[o] == SHARED -> unshare()
	:: object[o] == SHARED && version[o] == 0 -> update()
	:: object[o] == SHARED && holder[o] == NEVER -> open_object()
	:: holder[o] == SHARED -> close_object()
	:: alive[o] && object[o] == SHARED -> exit_sharer(o); unshare()
	:: else -> goto end
	fi;
	goto serve;

crashed:
	skip;
	d_step {
		for (i : 0 .. RECORDS - 1) {
			index[i] = REMOVED;
			is_copied[i] = false
		}
		for (i : 0 .. OBJECTS - 1) {
			is_shared[i] = false;
			is_held[i] = false;
			version_now[i] = 0
		}
		shape = EMPTY;
		reaping = false;
		is_copying = false;
		is_written = false;
		cursor = 0;
		for (i : 0 .. RECORDS - 1) {
			records_new[i] = REMOVED
		}
		i = 0;
		o = 0;
		ok = false
	}
	if
	:: alive[0] -> exit_sharer(0)
	:: true
	fi;
	goto start
}
