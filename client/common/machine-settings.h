/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_MACHINE_SETTINGS_H
#define CLIENT_COMMON_MACHINE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "client/common/client-list.h"
#include <vail.h>

/*
 * The settings of the VM in vaild. An operator may have chosen them, so vail-qemu only adds the
 * missing ones. It remembers them, because without systemd a restarted vaild knows no VM.
 */

/* A display client. */
typedef struct SettingsClient {
	char *user;          /* NULL for a process */
	pid_t pid;           /* 0 for a user */
	int pidfd;           /* of the process; -1 if this process cannot see it */
	unsigned int rights; /* on the VM's display, with VAIL_DISPLAY_VIEW */
} SettingsClient;

typedef struct MachineSettings {
	pid_t vmm;
	pid_t server;          /* the process that serves the display channels; 0 for none */
	pid_t incoming_vmm;    /* 0 unless the VM is being handed over */
	pid_t incoming_server; /* like server, for the incoming VMM */
	char *name;            /* NULL if the VM has none */
	bool has_agent;
	char *agent_user; /* NULL for a process */
	pid_t agent_pid;  /* 0 for a user */
	SettingsClient *clients;
	size_t client_count; /* 0 if processes with the VMM's privileges may register */
	bool clients_are_from_drop_in;
	bool clients_are_from_libvirt;
	size_t virtual_gpu_count;
} MachineSettings;

#define MACHINE_SETTINGS_INIT ((MachineSettings){ 0 })

/*
 * Reads the settings from vaild. The caller deinitialises them.
 *
 * Returns STATUS_NO_MEMORY, or as vail_call(). *ret is unchanged on failure.
 */
NTSTATUS settings_read(struct vail *vail, const char *guid, MachineSettings *ret);
void settings_deinit(MachineSettings *settings);

/* Tests whether the VM has an agent that is neither this process nor its user. */
bool settings_have_other_agent(const MachineSettings *settings);

/*
 * Returns the process, other than this one, that serves the display of the QEMU with this pid, or 0
 * if none does. A process that has ended, which vaild may not have noticed yet, serves nothing.
 */
pid_t settings_server_of(const MachineSettings *settings, pid_t qemu);

/* Tests whether the display clients are these users with these rights, in any order. */
bool settings_clients_are(const MachineSettings *settings, const ClientList *users);

/*
 * Appends the display clients with their rights, without processes that have ended, and without
 * those of a drop-in, which vaild adds itself. The strings stay those of the settings. Returns
 * false if out of memory.
 */
bool settings_clients(const MachineSettings *settings, ClientList *clients);

#endif
