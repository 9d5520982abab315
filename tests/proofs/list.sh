# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# All proofs, the longest first so that they run beside the short ones. The comment of each file says
# what is proved and why the bound is enough. See tests/proofs/run for the functions.

PERSIST="nothing lost, half done, back or orphaned after a crash"
model persist-one-crash persist.pml "$PERSIST" "1 crash, 1 failed write, 1 compaction" \
  "-DCRASHES=1 -DFAILURES=1 -DCOMPACTIONS=1"
model persist-two-crashes persist.pml "$PERSIST" "2 crashes" \
  "-DCRASHES=2 -DFAILURES=0 -DCOMPACTIONS=0"
mutation persist-two-crashes tests/proofs/persist.pml \
  's/:: ok -> is_shared\[o\] = true; MAY_CRASH; object\[o\] = SHARED/:: ok -> object[o] = SHARED; MAY_CRASH; is_shared[o] = false/'

model hand-over hand-over.pml "the VM is that of a daemon that never crashed" \
  "4 VMMs, 2 crashes" "-DCRASHES=2"
mutation hand-over tests/proofs/hand-over.pml \
  's/:: vmm == p \&\& alive\[incoming\] -> vmm = incoming/:: vmm == p \&\& alive[incoming] -> vmm = NONE/'
mutation hand-over tests/proofs/hand-over.pml 's/:: !alive\[vmm\] -> vmm = incoming/:: !alive[vmm] -> vmm = NONE/'

model fleet-where fleet-where.pml "one host has a VM at each epoch, whatever is late or lost" \
  "2 hosts, 3 claims" "-DEPOCHS=3 -DSTARTS=2"
mutation fleet-where tests/proofs/fleet-where.pml 's/:: sent_epoch\[h\] == epoch \&\& GUARD/:: GUARD/'
mutation fleet-where tests/proofs/fleet-where.pml 's/(sent_release\[h\] || (key\[h\] != absent \&\& key/(sent_release[h] || (key/'
mutation fleet-where tests/proofs/fleet-where.pml 's/key\[h\] != absent \&\& key\[where\] != running \&\& key\[where\] != conflict/key[h] != absent/'
mutation fleet-where tests/proofs/fleet-where.pml 's/runs\[h\] \&\& key\[h\] == running \&\& /runs[h] \&\& /'
mutation fleet-where tests/proofs/fleet-where.pml 's/(SEEN(h, seen_where\[h\]) == running ||/(false ||/'

model fleet-quarantine fleet-where.pml "no partition permits what the fleet forbids" \
  "2 hosts, 2 changes" "-DEPOCHS=1 -DSTARTS=1 -DCHANGES=2"
mutation fleet-quarantine tests/proofs/fleet-where.pml \
  's/:: atomic { !seen_quarantine\[h\] \&\& imposed\[h\]/:: atomic { imposed[h]/'
mutation fleet-quarantine tests/proofs/fleet-where.pml 's/runs\[h\] = true; permits\[h\] = !imposed\[h\]/runs[h] = true; permits[h] = true/'

proof guid-parse guid.c "accepts exactly the contract's forms, no overflow" "40 bytes of text" \
  "proto/guid.c" "--unwind 42"
mutation guid-parse proto/guid.c 's/position == 23/position == 24/'
mutation guid-parse proto/guid.c "s/text\[length - 1\] == '}'/true/"

proof guid-format guid.c "37 bytes, and parses back" "none" "proto/guid.c" "--unwind 42"
mutation guid-format proto/guid.c 's/text\[GUID_TEXT_LENGTH\] =/text[GUID_TEXT_LENGTH + 1] =/'

proof handle-parse guid.c "accepts exactly 32 lower-case digits" "40 bytes of text" \
  "proto/guid.c" "--unwind 42"
mutation handle-parse proto/guid.c "s/text\[i\] >= 'A' \&\& text\[i\] <= 'F'/false/"

proof handle-format guid.c "33 bytes, and parses back" "none" "proto/guid.c" "--unwind 42"

proof address-parse hex-address.c "accepts exactly 0x and 1 to 16 digits, no overflow" \
  "20 bytes of text" "proto/hex-address.c" "--unwind 22"
mutation address-parse proto/hex-address.c 's/DIGITS_MAX 16/DIGITS_MAX 17/'

proof gpu-mmu gpu-mmu.c "accepts exactly the contract's MMUs; no size overflows" "none" \
  "daemon/core/va/gpu-mmu.c tests/proofs/stubs.c" "--unwind 8 --unsigned-overflow-check"
mutation gpu-mmu daemon/core/va/gpu-mmu.h 's/GPU_ADDRESS_BITS_MAX     57/GPU_ADDRESS_BITS_MAX     58/'

POLICY="daemon/api/policy.c daemon/core/credentials.c tests/proofs/stubs.c"
proof policy-check policy.c "success only by a rule's facts; quarantine admits nobody" \
  "all rules, all facts" "$POLICY" "--unwind 3"
mutation policy-check daemon/api/policy.c 's/return facts->is_object_holder;/return true;/'
mutation policy-check daemon/api/policy.c 's/if (facts->is_quarantined)/if (false)/'
mutation policy-check daemon/core/credentials.c 's/^const char \*difference_name(/const char *another_name(/'
mutation policy-check daemon/api/policy.c 's/rule == RULE_OBJECT_OPENER || rule == RULE_DISPLAY_OPENER)$/rule == RULE_OBJECT_OPENER)/'
mutation policy-check daemon/api/policy.c 's/return facts->is_display_opener ||/return true ||/'
mutation policy-check daemon/api/policy.c 's/^\treturn false;/\treturn true;/'
proof policy-groups policy.c "observers read, and the quarantine group quarantines" \
  "all rules" "$POLICY" "--unwind 3"
mutation policy-groups daemon/api/policy.c 's/\[RULE_MACHINE_OWNER\] = { OPERATORS,/[RULE_MACHINE_OWNER] = { OPERATORS | OBSERVERS,/'
mutation policy-groups daemon/api/policy.c 's/\[RULE_QUARANTINER\] = { OPERATORS | QUARANTINERS,/[RULE_QUARANTINER] = { OPERATORS | OBSERVERS | QUARANTINERS,/'
proof policy-views policy.c "lists leave out what their methods would refuse" \
  "all rules, all facts" "$POLICY" "--unwind 3"
proof policy-needs-privileges policy.c "privileges matter only if they were asked for" \
  "all rules, all facts" "$POLICY" "--unwind 3"
mutation policy-needs-privileges daemon/api/policy.c 's/return facts->is_registered;/return false;/'

proof framing framing.c "stays inside; any split finds the same one message" "3 bytes, one split" \
  "proto/framing.c proto/buffer.c proto/json-scan*.c" "-DBYTES=3 --unwind 5"
mutation framing proto/framing.c 's/\.length = frame->value_end,/.length = frame->value_end + 1,/'

ACCOUNT="daemon/core/account.c tests/proofs/stubs.c"
for name in take charge return; do
  proof account-$name account.c "sums stay equal, no limit passed, nothing below zero" \
    "one step from any state" "$ACCOUNT" "-Itests/proofs/include --unwind 18"
done
mutation account-take daemon/core/account.c 's/more > per_uid - used/more > per_uid/'
mutation account-take daemon/core/account.c 's/accounts->used\[kind\] += count;/accounts->used[kind]++;/'
mutation account-return daemon/core/account.c 's/accounts->used\[kind\] -= count;//'

proof dispatch dispatch.c "decode, find, authorise, handle; operator methods authorise first" \
  "all rows of a method table" "daemon/api/dispatch.c daemon/api/caller-roles.c tests/proofs/stubs.c" "--unwind 3"
mutation dispatch daemon/api/dispatch.c 's/if (status == STATUS_SUCCESS \&\& !is_authorised_first)/if (status == STATUS_SUCCESS \&\& false)/'
mutation dispatch daemon/api/dispatch.c 's/if (status == STATUS_SUCCESS \&\& is_authorised_first)/if (false)/'
mutation dispatch daemon/api/dispatch.c 's/is_authorised_first = policy_precedes_subject(method->rule)/is_authorised_first = false/'
mutation dispatch daemon/api/dispatch.c 's/if (method->flags \& METHOD_CHANGES_STATE \&\&/if (false \&\&/'
mutation dispatch daemon/api/dispatch.c 's/request->subject = (Subject){ 0 };//'
mutation dispatch daemon/api/dispatch.c 's/= display_clients_rights(clients, &privileges)/= 15/'
mutation dispatch daemon/api/dispatch.c 's/ || request->changed)/)/'
mutation dispatch daemon/api/dispatch.c 's/lookup == LOOKUP_GONE || lookup == LOOKUP_EXHAUSTED/lookup == LOOKUP_EXHAUSTED/'

proof plane-rows pixel-format.c "1 to height rows, of 1 to 16 bytes a pixel" \
  "all formats, planes and sizes" "tests/proofs/stubs.c" "--unwind 10 --unsigned-overflow-check"
mutation plane-rows proto/pixel-format.c 's/count % by > 0/1/'
proof plane-fits planes.c "an accepted plane lies inside; no overflow" "1, 2 and 65537 rows" \
  "tests/proofs/stubs.c" "--unwind 10 --unsigned-overflow-check"
mutation plane-fits daemon/api/object-settings.c 's/ || end > facts->size)/)/'
mutation plane-fits daemon/api/object-settings.c 's/!__builtin_add_overflow(\*ret_end, plane->offset, ret_end)/(*ret_end += plane->offset, true)/'
mutation plane-fits daemon/api/object-settings.c 's/!__builtin_add_overflow(\*ret_end, last_row, ret_end)/true/'

proof range-node-slot range-node.c "contract of range_node_slot()" "16 slots" \
  "daemon/core/va/range-node.c" "--unwind 18"
edit range-node-slot daemon/core/va/range-node.h 's/RANGE_NODE_SLOTS = 48/RANGE_NODE_SLOTS = 16/'
for name in insert remove; do
  proof range-node-$name range-node.c "contract of range_node_${name//-/_}()" "4 slots" \
    "daemon/core/va/range-node.c tests/proofs/memmove.c" "--unwind 6"
  edit range-node-$name daemon/core/va/range-node.h 's/RANGE_NODE_SLOTS = 48/RANGE_NODE_SLOTS = 4/'
done
mutation range-node-slot daemon/core/va/range-node.c 's/return passed - 1;/return passed;/'
mutation range-node-insert daemon/core/va/range-node.c 's/node->count - slot);/node->count - slot - 1);/'
