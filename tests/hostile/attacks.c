/* SPDX-License-Identifier: MIT */
#include "tests/hostile/attacks.h"

const Attack attacks[] = {
	{
		.name = "plain",
		.promise = "a user who sends requests without a pause delays nobody else",
		.is_short = true,
		.run = attack_plain,
	},
	{
		.name = "describe",
		.promise = "a list of 65 535 ranges without more is refused before it is written",
		.is_short = true,
		.run = attack_describe,
	},
	{
		.name = "members",
		.promise = "a message with 21 600 values costs no more than its framing",
		.is_short = true,
		.run = attack_members,
	},
	{
		.name = "digits",
		.promise = "a number of 60 000 digits costs no more than its framing",
		.is_short = true,
		.run = attack_digits,
	},
	{
		.name = "bad-json",
		.promise = "a user who sends bad JSON and connects again delays nobody else",
		.run = attack_bad_json,
	},
	{
		.name = "half-messages",
		.promise = "unfinished input is charged to its user and has a deadline",
		.run = attack_half_messages,
	},
	{
		.name = "watch-input",
		.promise = "unfinished input behind a watch is charged, too",
		.run = attack_watch_input,
	},
	{
		.name = "one-byte",
		.promise = "a user who sends every byte alone delays nobody else",
		.run = attack_one_byte,
	},
	{
		.name = "never-reads",
		.promise = "a user who never reads delays nobody else, and its memory is bounded",
		.is_short = true,
		.run = attack_never_reads,
	},
	{
		.name = "connects",
		.promise = "a user who connects and leaves without a pause delays nobody else",
		.run = attack_connects,
	},
	{
		.name = "denied",
		.promise = "a user whose requests are all denied delays nobody else",
		.run = attack_denied,
	},
	{
		.name = "many-groups",
		.promise = "a process with 65 536 groups costs neither time nor memory of others",
		.stays_root = true,
		.run = attack_many_groups,
	},
	{
		.name = "no-context",
		.promise = "a search of 1000 descriptors for a graphics context is bounded",
		.is_short = true,
		.run = attack_no_context,
	},
	{
		.name = "descriptors",
		.promise = "the descriptors of an agent are closed at its own cost",
		.run = attack_descriptors,
	},
	{
		.name = "free",
		.promise = "a reservation with 65 535 mappings is freed in slices",
		.is_short = true,
		.run = attack_free,
	},
	{
		.name = "holes",
		.promise = "the search through 65 534 holes is bounded",
		.is_short = true,
		.run = attack_holes,
	},
	{
		.name = "reserve-free",
		.promise = "the compaction of the record file delays nobody else",
		.run = attack_reserve_free,
	},
	{
		.name = "share-unshare",
		.promise = "a user who shares and unshares without a pause delays nobody else",
		.run = attack_share_unshare,
	},
	{
		.name = "watchers",
		.promise = "events for 255 watches are produced at their user's cost",
		.run = attack_watchers,
	},
	{
		.name = "dying-vmm",
		.promise = "the end of a VM with 1024 objects of 4 planes comes in slices",
		.run = attack_dying_vmm,
	},
	{
		.name = "displays",
		.promise =
			"a user who opens and closes displays without a pause delays nobody else",
		.is_short = true,
		.run = attack_displays,
	},
	{
		.name = "display-fds",
		.promise = "descriptors that are left on a display channel are closed by a child",
		.run = attack_display_fds,
	},
	{
		.name = "display-servers",
		.promise = "the end of a display server with 48 channels comes in slices",
		.run = attack_display_servers,
	},
	{
		.name = "display-exits",
		.promise = "the end of a process with 240 display channels comes in slices",
		.run = attack_display_exits,
	},
	{
		.name = "display-unread",
		.promise = "a display server that never reads costs others neither time nor memory",
		.run = attack_display_unread,
	},
	{
		.name = "list-displays",
		.promise = "a user who lists 240 displays without a pause delays nobody else",
		.run = attack_list_displays,
	},
	{
		.name = "update-machine",
		.promise = "the cost of UpdateVirtualMachine is independent of VMs and connections",
		.prepare = prepare_many_machines,
		.run = attack_update_machine,
	},
	{
		.name = "list-machines",
		.promise = "a user who lists one of 3000 VMs without a pause delays nobody else",
		.prepare = prepare_many_machines,
		.run = attack_list_machines,
	},
	{
		.name = "gpu-holders",
		.promise =
			"lists of the GPUs of 40 VMs with 1000 descriptors end with their clients",
		.is_short = true,
		.run = attack_gpu_holders,
	},
	{
		.name = "namespace",
		.promise = "root does not pay for the user namespaces that it made",
		.stays_root = true,
		.run = attack_namespace,
	},
	{
		.name = "dead-peers",
		.promise = "a connection whose maker has died is closed, and never a free one",
		.stays_root = true,
		.run = attack_dead_peers,
	},
	{
		.name = "pid-again",
		.promise = "a process with the pid of a dead peer gets no answer",
		.stays_root = true,
		.run = attack_pid_again,
	},
	{ .name = NULL },
};
