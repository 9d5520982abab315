/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_VAILCTL_H
#define CLIENT_VAILCTL_VAILCTL_H

#include "client/vailctl/options.h"
#include "client/vailctl/terminal.h"
#include "proto/json.h"
#include <vail.h>

/*
 * vailctl: the command line tool for vaild.
 *
 *   vailctl.c                main
 *   vailctl-command-table.c  the table of commands, and help
 *   vailctl-options.c        the command line
 *   vailctl-output.c         error messages, and JSON output
 *   vailctl-terminal.c       colours and pager
 *   vailctl-listing.c        fetches the items of a list method
 *   vailctl-report.c         prints lists as tables or JSON
 *
 * Commands, by topic (declared in vailctl-commands.h):
 *
 *   vailctl-show.c           list, describe, registrations, quarantines
 *   vailctl-objects.c        shared objects and their holders
 *   vailctl-save.c           a shared object as a PNG file
 *   vailctl-gpu.c            adapters, GPU processes and their address spaces
 *   vailctl-monitor.c        status, limits, metrics, reload
 *   vailctl-watch.c          events
 *   vailctl-machine.c        VMs, vGPUs and registrations of other processes
 *   vailctl-process.c        registration of vailctl's own process
 *   vailctl-call.c           any method
 */

/* The context of a command. */
typedef struct Tool {
	Options options;
	const char *const *arguments; /* words after the command's name, NULL-terminated */
	struct vail *vail;
	JsonParser *parser;
	Terminal terminal;
} Tool;

#endif
