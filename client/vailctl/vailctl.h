/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_VAILCTL_H
#define CLIENT_VAILCTL_VAILCTL_H

#include "client/common/machine-search.h"
#include "client/vailctl/options.h"
#include "client/vailctl/terminal.h"
#include "proto/json.h"
#include "proto/process-start.h"
#include <vail.h>

/*
 * vailctl: the command line tool for vaild.
 *
 *   vailctl.c        main
 *   command-table.c  the table of commands
 *   help.c           the help
 *   options.c        the command line
 *   complete.c       completion in shells
 *   output.c         error messages, and JSON output
 *   wording.c        refusals of vaild in the words of the command line
 *   json-style.c     indents JSON documents
 *   terminal.c       colours, width and pager
 *   listing.c        fetches the items of a list method
 *   table.c          fits the columns of a table to a width, and prints it
 *   amounts.c        ages, sizes and percentages
 *   wall-clock.c     local dates and times
 *   vm-names.c       the names of VMs, in place of GUIDs
 *   machine-argument.c, handle-argument.c
 *                    the VM or handle that the user has shortened
 *   report.c         prints lists as tables or JSON
 *   ended.c          what a command has ended, of other processes
 *
 * Commands, by topic (declared in commands.h):
 *
 *   show.c           list, show, registrations, quarantines
 *   objects.c        shared objects and their holders
 *   save.c           a shared object as a PNG file
 *   gpu.c            adapters, GPU processes and their address spaces
 *   gpu-holders.c    which VMs hold GPU devices
 *   address-map/     the drawing of an address space
 *   virtual-gpus.c   virtual GPUs
 *   monitor.c        status, metrics, reload
 *   limits.c         limits
 *   watch.c          events
 *   event-text.c     an event in words
 *   watch-filter.c   which events are shown
 *   wait.c           waits for an event
 *   logs.c           the daemon's journal
 *   machine.c        VMs, vGPUs and registrations of other processes
 *   register.c       registration of vailctl's own process
 *   call.c           any method
 *   methods.c        the names of the methods
 *   fleet.c          all hosts, by vaild-fleet
 *   fleet-quarantine.c
 *                    the quarantines of all hosts
 *   fleet-call.c     the calls of vaild-fleet
 */

/* The context of a command. */
typedef struct Tool {
	StartState start; /* handed on to the programs that vailctl runs */
	Options options;
	const char **arguments; /* words after the command's name, NULL-terminated */
	const char *typed;      /* the first argument as the user wrote it, if it names a VM */
	char guid[MACHINE_GUID_SIZE];  /* of that VM */
	char handle[VAIL_HANDLE_SIZE]; /* whose beginning the user wrote */
	struct vail *vail;
	JsonParser *parser;
	Terminal terminal;
} Tool;

#endif
