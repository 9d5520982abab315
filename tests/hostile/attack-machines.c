/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/socket.h>

#include "tests/hostile/attacker.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/traffic.h"
#include "tests/support/helper.h"

#define MACHINES    3000
#define BYSTANDERS  3
#define CONNECTIONS 200 /* of each of them */
#define TOGETHER    32
#define HOLDER_FDS  1000 /* of the VMM of all these VMs */
#define HOLDERS     40

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

static void become_vmm_of_many(const Attacker *attacker)
{
	int connection = attacker_connect(attacker);

	for (unsigned int i = 0; i < HOLDERS; i++)
		talk_successfully(connection,
				  "{\"method\":\"io.vaild.Machine.RegisterVirtualMachine\","
				  "\"parameters\":{\"virtualMachineGuid\":"
				  "\"8f000000-0000-4000-8000-%06x%06x\"}}",
				  attacker->number, i);
	for (unsigned int i = 0; i < HOLDER_FDS; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			err(2, "/dev/null");
}

/* Asks for lists that take long to make, and leaves without waiting for them. */
void attack_gpu_holders(const Attacker *attacker)
{
	static const char request[] = "{\"method\":\"io.vaild.Gpu.ListHolders\"}\n";
	int *connections = calloc(attacker->connections, sizeof(*connections));

	if (!connections)
		err(2, "calloc");
	become_vmm_of_many(attacker);
	for (unsigned int i = 0; i < attacker->connections; i++)
		connections[i] = attacker_connect(attacker);
	attacker_begin(attacker);
	for (unsigned int i = 0;; i = (i + 1) % attacker->connections) {
		close(connections[i]);
		connections[i] = attacker_connect(attacker);
		send(connections[i], request, sizeof(request) - 1, MSG_NOSIGNAL);
		attacker->board->work++;
	}
}
