/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_COMPLETION_ENTITIES_H
#define CLIENT_COMMON_COMPLETION_ENTITIES_H

#include "client/common/completion.h"

/*
 * Print candidates that vaild lists. They print nothing, and no error, if vaild cannot be reached
 * or does not answer within 2 seconds.
 */

/* The names and GUIDs of the VMs. */
void completion_machines(const CompletionLine *line);

/* The GUIDs in quarantine. */
void completion_quarantines(const CompletionLine *line);

/* The same of all hosts, by the vaild-fleet of the usual socket. */
void completion_fleet_machines(const CompletionLine *line);
void completion_fleet_quarantines(const CompletionLine *line);

/* The handles of all virtual GPUs, adapters, GPU processes, objects, and display channels. */
void completion_virtual_gpus(const CompletionLine *line);
void completion_adapters(const CompletionLine *line);
void completion_gpu_processes(const CompletionLine *line);
void completion_objects(const CompletionLine *line);
void completion_displays(const CompletionLine *line);

/*
 * The pids that are registered for a VM, and the names of its objects. machine: its name, its GUID,
 * or the beginning of the GUID; NULL for all VMs.
 */
void completion_registered_pids(const CompletionLine *line, const char *machine);
void completion_object_names(const CompletionLine *line, const char *machine);

#endif
