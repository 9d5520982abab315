/* SPDX-License-Identifier: MIT */
#include "tests/hostile/attacker.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/traffic.h"
#include "tests/support/helper.h"

#define MACHINES    3000
#define BYSTANDERS  3
#define CONNECTIONS 200 /* of each of them */
#define TOGETHER    32

void prepare_many_machines(Stage *stage)
{
	stage_add_machines(stage, MACHINES);
	stage_add_bystanders(stage, BYSTANDERS, CONNECTIONS);
}

/* Renames a VM of the attacker's own, of which it is the VMM. */
void attack_update_machine(const Attacker *attacker)
{
	char guid[GUID_SIZE];

	snprintf(guid, sizeof(guid), "8e000000-0000-4000-8000-%012x", attacker->number);
	talk_successfully(attacker_connect(attacker),
			  "{\"method\":\"io.vaild.Machine.RegisterVirtualMachine\","
			  "\"parameters\":{\"virtualMachineGuid\":\"%s\"}}",
			  guid);
	traffic_run(
		attacker,
		&(Traffic){
			.text = text_repeat(TOGETHER,
					    "{\"method\":\"io.vaild.Machine.UpdateVirtualMachine\","
					    "\"parameters\":{\"virtualMachineGuid\":\"%s\","
					    "\"name\":\"one\"}}\n"
					    "{\"method\":\"io.vaild.Machine.UpdateVirtualMachine\","
					    "\"parameters\":{\"virtualMachineGuid\":\"%s\","
					    "\"name\":\"two\"}}",
					    guid, guid),
			.messages = 2 * TOGETHER,
		});
}

/* The daemon looks at every VM, and shows one. */
void attack_list_machines(const Attacker *attacker)
{
	traffic_run(
		attacker,
		&(Traffic){
			.text = text_repeat(
				TOGETHER, "{\"method\":\"io.vaild.Machine.ListVirtualMachines\"}"),
			.messages = TOGETHER,
		});
}
