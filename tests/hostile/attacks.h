/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTILE_ATTACKS_H
#define TESTS_HOSTILE_ATTACKS_H

#include "tests/hostile/hostile.h"
#include "tests/hostile/stage.h"

/* The functions of the table in attacks.c, which says what they attack. */

/* attack-bytes.c: bytes that are expensive to parse, to hold or to wait for */
void attack_members(const Attacker *attacker);
void attack_digits(const Attacker *attacker);
void attack_bad_json(const Attacker *attacker);
void attack_half_messages(const Attacker *attacker);
void attack_one_byte(const Attacker *attacker);
void attack_plain(const Attacker *attacker);
void attack_never_reads(const Attacker *attacker);
void attack_connects(const Attacker *attacker);

/* attack-spaces.c: GPU address spaces with many ranges */
void attack_describe(const Attacker *attacker);
void attack_holes(const Attacker *attacker);
void attack_free(const Attacker *attacker);
void attack_reserve_free(const Attacker *attacker);

/* attack-objects.c: fds, shared objects and watches */
void attack_descriptors(const Attacker *attacker);
void attack_denied(const Attacker *attacker);
void attack_no_context(const Attacker *attacker);
void attack_share_unshare(const Attacker *attacker);
void attack_watchers(const Attacker *attacker);
void attack_watch_input(const Attacker *attacker);
void attack_dying_vmm(const Attacker *attacker);

/* attack-displays.c: display channels */
void attack_displays(const Attacker *attacker);
void attack_display_fds(const Attacker *attacker);
void attack_display_servers(const Attacker *attacker);
void attack_display_exits(const Attacker *attacker);
void attack_display_unread(const Attacker *attacker);
void attack_list_displays(const Attacker *attacker);

/* attack-machines.c: many VMs and connections */
void prepare_many_machines(Stage *stage);
void attack_update_machine(const Attacker *attacker);
void attack_list_machines(const Attacker *attacker);
void attack_gpu_holders(const Attacker *attacker);

/* attack-identity.c: connections that are charged to another user, or to no user */
void attack_namespace(const Attacker *attacker);
void attack_dead_peers(const Attacker *attacker);
void attack_many_groups(const Attacker *attacker);
void attack_pid_again(const Attacker *attacker);

#endif
