/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_COMMANDS_H
#define CLIENT_VAILCTL_COMMANDS_H

/* The commands. Each returns the exit status. */

typedef struct Tool Tool;

int command_list(Tool *tool);
int command_describe(Tool *tool);
int command_registrations(Tool *tool);
int command_quarantines(Tool *tool);

int command_objects(Tool *tool);
int command_holders(Tool *tool);
int command_save(Tool *tool);

int command_displays(Tool *tool);
int command_display_close(Tool *tool);

int command_gpu_adapters(Tool *tool);
int command_gpu_processes(Tool *tool);
int command_gpu_holders(Tool *tool);
int command_gpu_map(Tool *tool);

int command_status(Tool *tool);
int command_limits(Tool *tool);
int command_metrics(Tool *tool);
int command_reload(Tool *tool);
int command_watch(Tool *tool);
int command_wait(Tool *tool);
int command_logs(Tool *tool);

int command_vm_add(Tool *tool);
int command_vm_update(Tool *tool);
int command_vm_remove(Tool *tool);
int command_vm_quarantine(Tool *tool);
int command_vm_release(Tool *tool);
int command_vgpu_list(Tool *tool);
int command_vgpu_assign(Tool *tool);
int command_vgpu_remove(Tool *tool);
int command_revoke(Tool *tool);

int command_register(Tool *tool);
int command_exec(Tool *tool);

int command_call(Tool *tool);

int command_fleet_hosts(Tool *tool);
int command_fleet_vms(Tool *tool);
int command_fleet_gpus(Tool *tool);
int command_fleet_where(Tool *tool);
int command_fleet_place(Tool *tool);
int command_fleet_quarantine(Tool *tool);
int command_fleet_quarantines(Tool *tool);
int command_fleet_release(Tool *tool);
int command_fleet_metrics(Tool *tool);

int command_help(Tool *tool);

#endif
