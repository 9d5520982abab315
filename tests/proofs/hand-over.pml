/* SPDX-License-Identifier: MIT */
/*
 * A model of how vaild hands a VM over to its incoming VMM, checked by spin.
 *
 * VMMs are registered for one GUID, and exit at any time, also while the daemon is down or has not
 * been notified yet. The daemon may be killed at every step, at most CRASHES times, and starts
 * again. The record of the VM is written when a VMM is registered, and not when one exits. Names are
 * those of daemon/core/incoming-vmm.c and daemon/store/restore-machine.c.
 *
 * Whenever the daemon has noticed all exits, its VM is exactly that of a daemon that was never
 * killed and notices each exit at once: the GUID runs as long as its VMM or its incoming VMM lives,
 * and no VMM comes back. A registration that a crash interrupts may have happened or not.
 */
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef VMMS
#define VMMS 4
#endif

#define NONE VMMS

/* The VM in memory, in its record, and in a daemon that is never killed. NONE: no such process. */
byte vmm = NONE, incoming = NONE;
byte recorded_vmm = NONE, recorded_incoming = NONE;
byte ideal_vmm = NONE, ideal_incoming = NONE;

bool alive[VMMS + 1]; /* alive[NONE] stays false */
bool noticed[VMMS + 1];
bool is_down = false;
byte started = 0, crashes = 0;

/* --- the daemon that is never killed --------------------------------------------------------- */

inline ideal_exit(p) {
  if
  :: ideal_incoming == p -> ideal_incoming = NONE
  :: else
  fi;
  if
  :: ideal_vmm == p -> ideal_vmm = ideal_incoming; ideal_incoming = NONE
  :: else
  fi
}

inline ideal_register(p) {
  if
  :: ideal_vmm == NONE -> ideal_vmm = p
  :: ideal_vmm != NONE && ideal_vmm != p -> ideal_incoming = p
  :: else
  fi
}

/* --- the daemon ------------------------------------------------------------------------------ */

/* process_exited(): hands the VM over or ends it, and writes nothing. */
inline process_exited(p) {
  if
  :: vmm == p && alive[incoming] -> vmm = incoming; incoming = NONE
  :: vmm == p && !alive[incoming] -> vmm = NONE; incoming = NONE
  :: else
  fi;
  if
  :: incoming == p -> incoming = NONE
  :: else
  fi;
  noticed[p] = true
}

/* restore_vm(): the record may name processes that are gone. */
inline restore() {
  vmm = recorded_vmm;
  incoming = recorded_incoming;
  if
  :: !alive[vmm] -> vmm = incoming; incoming = NONE
  :: else
  fi;
  if
  :: !alive[vmm] -> vmm = NONE; incoming = NONE; recorded_vmm = NONE; recorded_incoming = NONE
  :: else
  fi;
  if
  :: !alive[incoming] -> incoming = NONE
  :: else
  fi
}

/* The daemon is killed and starts again. Processes exit before, between and after these steps. */
inline crash() {
  crashes++;
  vmm = NONE;
  incoming = NONE;
  is_down = true
}

inline start() {
  d_step {
    restore();
    p = 0;
    do
    :: p < VMMS -> noticed[p] = !alive[p] && p < started; p++
    :: else -> break
    od;
    is_down = false
  }
}

/*
 * RegisterVirtualMachine by an operator: notices a dead VMM, persists, and commits. An exit before
 * the record is written counts as one before the request, a later one as one after it.
 */
inline register(p) {
  d_step {
    dead = vmm;
    if
    :: !alive[dead] -> process_exited(dead)
    :: else
    fi;
    is_new = alive[p] && p != vmm && p != incoming;
    if
    :: is_new ->
      recorded_incoming = (vmm == NONE -> NONE : p);
      recorded_vmm = (vmm == NONE -> p : vmm);
      noticed[p] = false; /* it is watched from now on */
      ideal_register(p)
    :: else
    fi
  }
  if
  :: is_new && crashes < CRASHES -> crash()
  :: is_new && vmm == NONE -> vmm = p
  :: is_new && vmm != NONE -> incoming = p
  :: !is_new
  fi
}

/* Compares the VM with that of the ideal daemon, unless an exit has yet to be noticed. */
inline check() {
  d_step {
    is_behind = is_down;
    p = 0;
    do
    :: p < VMMS -> is_behind = is_behind || (p < started && !alive[p] && !noticed[p]); p++
    :: else -> break
    od;
    assert(is_behind || (vmm == ideal_vmm && incoming == ideal_incoming));
    p = 0
  }
}

active proctype daemon() {
  byte p, dead;
  bool is_behind, is_new;

  do
  :: check();
    if
    :: is_down -> start()
    :: !is_down && crashes < CRASHES -> crash()
    :: !is_down ->
      select(p : 0 .. VMMS - 1);
      if
      :: alive[p] -> register(p)
      :: p < started && !alive[p] && !noticed[p] -> d_step { process_exited(p) }
      :: else
      fi
    fi
  od
}

active proctype processes() {
  byte q;

  do
  :: started < VMMS -> d_step { alive[started] = true; started++ }
  :: started > 0 ->
    select(q : 0 .. VMMS - 1);
    if
    :: d_step { alive[q] -> alive[q] = false; ideal_exit(q) }
    :: else
    fi
  od
}
