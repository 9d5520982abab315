/* SPDX-License-Identifier: MIT */
/*
 * A model of how hosts claim a VM in etcd (where/GUID), and of the fleet's quarantine, checked by
 * spin.
 *
 * The VM begins and ends on each host at any time, so also on several at once. Hosts lose their
 * lease and their way to etcd, and see an earlier state of etcd until they look again. A swap arrives
 * at any time after it was sent, also when its sender has lost its lease, or never. etcd then compares
 * what the swap rests on: the epoch, and for a claim also the keys of both hosts. A host relies on
 * its lease no longer than etcd keeps it. Names are those of daemon/fleet/model.
 *
 * - No two hosts ever see different holders at the same epoch, and the epoch that a host sees never
 *   decreases.
 * - A host sends a claim only with a lease, while its own key says "running", and never for a VM
 *   that another host has, as far as it sees. A claim replaces only the holder that its sender saw.
 * - However late a claim arrives, it succeeds only if its sender has a key of the VM and the earlier
 *   holder does not have the VM.
 * - Processes may register on a host exactly if its VM runs there and it has no quarantine: neither
 *   a partition nor a lost lease permits anything, and a quarantine is lifted only when the fleet
 *   has lifted it.
 * - When all hosts have looked and nothing is on its way, the VM is where it runs, and that host
 *   alone says "running".
 */
#ifndef HOSTS
#define HOSTS 2
#endif
#ifndef EPOCHS
#define EPOCHS 3
#endif
#ifndef STARTS
#define STARTS 2
#endif
/* The quarantine does not depend on the claims, so each is checked without the other. */
#ifndef CHANGES
#define CHANGES 0
#endif

#define NONE HOSTS

mtype = { absent, incoming, running, conflict };

/* etcd */
byte where = NONE, epoch = 0;
byte holder_of[EPOCHS + 1];
mtype key[HOSTS + 1] = absent; /* key[NONE] stays absent */
bool has_lease[HOSTS];
bool is_quarantined = false;
byte quarantine_changes = 0;

/* One host as it sees etcd. */
byte seen_where[HOSTS] = NONE, seen_epoch[HOSTS];
mtype seen_key[HOSTS * (HOSTS + 1)] = absent;
bool seen_quarantine[HOSTS];
bool is_reached[HOSTS];
bool relies_on_lease[HOSTS];
bool has_tried[HOSTS], has_held[HOSTS];

/* Its swap on the way. */
bool is_sent[HOSTS], sent_release[HOSTS];
byte sent_epoch[HOSTS];

/* The host itself. */
bool runs[HOSTS], imposed[HOSTS], permits[HOSTS];
byte starts = 0;

#define SEEN(h, o) seen_key[(h) * (HOSTS + 1) + (o)]
#define IS_LIVE(h) (seen_where[h] != NONE && (SEEN(h, seen_where[h]) == running || \
                    SEEN(h, seen_where[h]) == conflict))
#define MAY_ACT(h) (is_reached[h] && relies_on_lease[h])

/* claim_state() */
#define STATE(h) (seen_where[h] == h || !IS_LIVE(h) -> running : \
                  (has_held[h] || has_tried[h] -> conflict : incoming))

inline look(h) {
  d_step {
    assert(seen_epoch[h] <= epoch);
    seen_where[h] = where;
    seen_epoch[h] = epoch;
    seen_quarantine[h] = is_quarantined;
    o = 0;
    do
    :: o < HOSTS -> SEEN(h, o) = key[o]; o++
    :: else -> break
    od;
    has_held[h] = has_held[h] || (runs[h] && where == h);
    is_reached[h] = true;
    o = 0
  }
}

/* A host without its way to etcd uses what it has seen only for quarantines. */
inline lose(h) {
  d_step {
    is_reached[h] = false;
    seen_where[h] = NONE;
    seen_epoch[h] = 0;
    o = 0;
    do
    :: o < HOSTS -> SEEN(h, o) = absent; o++
    :: else -> break
    od;
    o = 0
  }
}

/* wanted_plan(): the own key first, and then the claim. */
inline put_key(h) {
  d_step {
    key[h] = (runs[h] -> STATE(h) : absent);
    SEEN(h, h) = key[h];
    has_tried[h] = has_tried[h] && runs[h];
    has_held[h] = has_held[h] && runs[h]
  }
}

inline send_claim(h) {
  d_step {
    assert(relies_on_lease[h] && has_lease[h] && key[h] == running);
    assert(seen_where[h] == NONE || SEEN(h, seen_where[h]) == absent ||
           SEEN(h, seen_where[h]) == incoming);
    is_sent[h] = true;
    sent_release[h] = false;
    sent_epoch[h] = seen_epoch[h];
    has_tried[h] = true
  }
}

inline forget_swap(h) {
  is_sent[h] = false;
  sent_release[h] = false;
  sent_epoch[h] = 0
}

/*
 * WantedGuard. etcd compares revisions, so it refuses also a key that has changed and changed back.
 * Here it does not, which allows more runs.
 */
#define GUARD_HOLDS(h) (sent_release[h] || (key[h] != absent && key[where] != running && key[where] != conflict))

inline land(h) {
  d_step {
    if
    :: sent_epoch[h] == epoch && GUARD_HOLDS(h) ->
      assert(where == holder_of[sent_epoch[h]]);
      assert(sent_release[h] || (has_lease[h] && key[h] != absent));
      assert(sent_release[h] || (key[where] != running && key[where] != conflict));
      epoch++;
      where = (sent_release[h] -> NONE : h);
      holder_of[epoch] = where
    :: else
    fi;
    forget_swap(h)
  }
}

/* The other hosts of which this one knows a key. */
#define OTHERS(h) (SEEN(h, (h + 1) % HOSTS) != absent || SEEN(h, (h + HOSTS - 1) % HOSTS) != absent)

proctype host(byte h) {
  byte o;

  do
  /* The VM. */
  :: atomic { !runs[h] && starts < STARTS -> starts++; runs[h] = true; permits[h] = !imposed[h] }
  :: atomic { runs[h] -> runs[h] = false; permits[h] = false; has_tried[h] = false; has_held[h] = false }

  /* The way to etcd, and the lease. */
  :: atomic { !is_reached[h] || seen_epoch[h] != epoch || seen_quarantine[h] != is_quarantined ||
              SEEN(h, (h + 1) % HOSTS) != key[(h + 1) % HOSTS] ||
              SEEN(h, (h + HOSTS - 1) % HOSTS) != key[(h + HOSTS - 1) % HOSTS] ||
              SEEN(h, h) != key[h] -> look(h) }
  :: atomic { is_reached[h] -> lose(h) }
  :: atomic { !relies_on_lease[h] && is_reached[h] && !has_lease[h] ->
              has_lease[h] = true; relies_on_lease[h] = true }
  :: relies_on_lease[h] -> relies_on_lease[h] = false
  :: d_step { has_lease[h] && !relies_on_lease[h] -> has_lease[h] = false; key[h] = absent }

  /* The changes in etcd. */
  :: atomic { MAY_ACT(h) && key[h] != (runs[h] -> STATE(h) : absent) -> put_key(h) }
  :: atomic { MAY_ACT(h) && runs[h] && key[h] == running && STATE(h) == running &&
              seen_where[h] != h && !is_sent[h] && seen_epoch[h] < EPOCHS -> send_claim(h) }
  :: d_step { MAY_ACT(h) && !runs[h] && key[h] == absent && seen_where[h] == h && !is_sent[h] &&
              !OTHERS(h) && seen_epoch[h] < EPOCHS ->
              is_sent[h] = true; sent_release[h] = true; sent_epoch[h] = seen_epoch[h] }
  :: atomic { is_sent[h] && epoch < EPOCHS -> land(h) }
  :: d_step { is_sent[h] -> forget_swap(h) } /* it is lost */

  /* The quarantine. */
  :: atomic { seen_quarantine[h] && !imposed[h] -> imposed[h] = true; permits[h] = false }
  :: atomic { !seen_quarantine[h] && imposed[h] && is_reached[h] ->
              assert(!seen_quarantine[h]); imposed[h] = false; permits[h] = runs[h] }
  od
}

proctype operator() {
  do
  :: atomic { quarantine_changes < CHANGES -> quarantine_changes++; is_quarantined = !is_quarantined }
  :: else -> break
  od
}

#define CURRENT(h) (is_reached[h] && relies_on_lease[h] && !is_sent[h] && seen_epoch[h] == epoch && \
                    seen_quarantine[h] == is_quarantined && imposed[h] == is_quarantined)

/* Checks each state that the others can reach. */
proctype checker() {
  byte i, j, live;
  bool is_settled;

  do
  :: d_step {
       is_settled = epoch < EPOCHS;
       live = 0;
       i = 0;
       do
       :: i < HOSTS ->
         assert(seen_where[i] == holder_of[seen_epoch[i]]);
         assert(permits[i] == (runs[i] && !imposed[i]));
         is_settled = is_settled && CURRENT(i) && key[i] == (runs[i] -> STATE(i) : absent);
         live = live + (runs[i] -> 1 : 0);
         j = 0;
         do
         :: j < HOSTS -> is_settled = is_settled && SEEN(i, j) == key[j]; j++
         :: else -> break
         od;
         is_settled = is_settled && !(runs[i] && STATE(i) == running && seen_where[i] != i);
         is_settled = is_settled && !(!runs[i] && seen_where[i] == i && !OTHERS(i));
         i++
       :: else -> break
       od;
       i = 0;
       do
       :: i < HOSTS ->
         assert(!is_settled || !runs[i] || (key[i] == running) == (where == i));
         i++
       :: else -> break
       od;
       assert(!is_settled || (live == 0 -> where == NONE : where != NONE && runs[where]));
       i = 0; j = 0; live = 0; is_settled = false
     }
  od
}

init {
  byte n;

  atomic {
    n = 0;
    do
    :: n <= EPOCHS -> holder_of[n] = NONE; n++
    :: else -> break
    od;
    n = 0;
    do
    :: n < HOSTS -> run host(n); n++
    :: else -> break
    od;
    run operator();
    run checker()
  }
}
