/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_ENDED_H
#define CLIENT_VAILCTL_ENDED_H

#include "client/vailctl/listing.h"
#include "client/vailctl/vailctl.h"
#include "proto/guid.h"
#include <vail.h>

/*
 * Finds the registrations, display channels and shared objects of other processes that a command
 * ends. No reply of vaild has them, so the lists from before and after the command are compared.
 * The caller may see whose they are, or only how many there are.
 */
typedef struct EndedProgram {
	pid_t pid;
	char name[64];   /* "" if it is unknown */
	bool has_exited; /* before the command, although vaild still listed it */
} EndedProgram;

typedef struct Ended {
	bool is_of_all; /* the command concerns all VMs */
	bool is_known;  /* the VM ran before the command, or is_of_all is set */
	char guid[GUID_TEXT_LENGTH + 1];
	Listing machines, registrations, displays; /* before the command */
	bool lists_registrations, lists_displays;  /* they had items before the command */
	EndedProgram *programs; /* of the registrations; they may exit when those end */
	size_t program_count;
} Ended;

#define ENDED_INIT ((Ended){ 0 })

/*
 * Call before the command. A list that cannot be fetched counts as empty.
 *
 * guid: the VM that the command concerns, which need not run; NULL for all VMs.
 */
void ended_begin(Tool *tool, const char *guid, Ended *ret_ended);

/* The same for the VM that has this virtual GPU, or the process with this display channel. */
void ended_begin_of_virtual_gpu(Tool *tool, const char *handle, Ended *ret_ended);
void ended_begin_of_display(Tool *tool, const char *handle, Ended *ret_ended);

/*
 * Like tool_finish(), and says what has ended since ended_begin(): a message for each registration
 * and channel, or with --json the members endedRegistrations and endedDisplays.
 */
int ended_finish(Tool *tool, NTSTATUS status, Ended *ended);

void ended_deinit(Ended *ended);

#endif
