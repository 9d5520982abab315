/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/prctl.h>

#include "tests/hostile/attacker.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/traffic.h"
#include "tests/support/helper.h"

#define GET_INFO     "{\"method\":\"org.varlink.service.GetInfo\"}\n"
#define NULL_FDS     1000 /* almost the 1024 that vaild examines */
#define PLANES       4
#define OBJECTS      1024 /* objectsPerMachine */
#define WATCHES      255  /* watchesPerUid, less one */
#define PLANE_SIZE   8192
#define PARTIAL_SIZE 65000
#define TOGETHER     64

/* --- fds ------------------------------------------------------------------------------------- */

static int open_null(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		err(2, "/dev/null");
	return fd;
}

/* Sends as many fds as a message can carry, on one connection after the other. */
void attack_descriptors(const Attacker *attacker)
{
	int *connections = calloc(attacker->connections, sizeof(int)), fds[HELPER_FDS_MAX];
	char input[4096];

	if (!connections)
		err(2, "calloc");
	for (size_t i = 0; i < HELPER_FDS_MAX; i++)
		fds[i] = open_null();
	for (unsigned int i = 0; i < attacker->connections; i++)
		connections[i] = attacker_connect(attacker);
	attacker_begin(attacker);
	for (unsigned int i = 0;; i = (i + 1) % attacker->connections) {
		while (recv(connections[i], input, sizeof(input), MSG_DONTWAIT) > 0)
			;
		if (helper_sendmsg(connections[i], GET_INFO, strlen(GET_INFO), fds, HELPER_FDS_MAX,
				   MSG_DONTWAIT) > 0) {
			attacker->board->work++;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			close(connections[i]);
			connections[i] = attacker_connect(attacker);
		}
	}
}

/* Registers for the VM of the honest users, for which vaild reads the credentials in /proc. */
void attack_denied(const Attacker *attacker)
{
	traffic_run(attacker,
		    &(Traffic){
			    .text = text_repeat(TOGETHER,
						"{\"method\":\"io.vaild.RegisterVailProcess\","
						"\"parameters\":{\"virtualMachineGuid\":\"%s\"}}",
						honest_guid),
			    .messages = TOGETHER,
		    });
}

/* A display client without a graphics context registers, and vaild examines all its fds. */
void attack_no_context(const Attacker *attacker)
{
	for (unsigned int i = 0; i < NULL_FDS; i++)
		open_null();
	traffic_run(attacker,
		    &(Traffic){
			    .text = text_repeat(TOGETHER,
						"{\"method\":\"io.vaild.RegisterVailProcess\","
						"\"parameters\":{\"virtualMachineGuid\":\"%s\"}}",
						attacker->guid),
			    .messages = TOGETHER,
		    });
}

/* --- objects --------------------------------------------------------------------------------- */

static int make_memory(void)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, PLANE_SIZE) < 0 ||
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
		err(2, "memfd");
	return fd;
}

static void send_object(int connection, const char *guid, unsigned int planes, int memory)
{
	ActorCommand command = { .memories = 0 };
	int fds[PLANES] = { memory, memory, memory, memory };

	command_share(&command, guid, planes, false);
	while (!helper_send_fds(connection, command.text, fds, planes))
		if (errno != ETOOMANYREFS)
			err(2, "sendmsg");
}

/* Shares an object on each connection, and then unshares all of them. */
void attack_share_unshare(const Attacker *attacker)
{
	unsigned int count = attacker->connections;
	int *connections = calloc(count, sizeof(int)), memory = make_memory();
	char handle[HANDLE_SIZE], request[TEXT_SIZE];

	if (!connections)
		err(2, "calloc");
	for (unsigned int i = 0; i < count; i++)
		connections[i] = attacker_connect_as_agent(attacker);
	attacker_begin(attacker);
	for (;;) {
		for (unsigned int i = 0; i < count; i++)
			send_object(connections[i], attacker->guid, 1, memory);
		for (unsigned int i = 0; i < count; i++) {
			const char *reply = talk_receive(connections[i]);

			if (!reply_is_success(reply))
				errx(2, "cannot share: %s", reply);
			reply_text(reply, "handle", handle, sizeof(handle));
			snprintf(request, sizeof(request),
				 "{\"method\":\"io.vaild.UnshareObject\",\"parameters\":"
				 "{\"handle\":\"%s\"}}\n",
				 handle);
			helper_send(connections[i], request, strlen(request));
		}
		for (unsigned int i = 0; i < count; i++)
			talk_receive(connections[i]);
		attacker->board->work += count;
	}
}

static _Noreturn void live_as_vmm(const Attacker *attacker, const char *guid)
{
	int connection = attacker_connect(attacker);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	talk_successfully(connection,
			  "{\"method\":\"io.vaild.Machine.RegisterVirtualMachine\","
			  "\"parameters\":{\"virtualMachineGuid\":\"%s\"}}",
			  guid);
	talk_successfully(connection,
			  "{\"method\":\"io.vaild.Machine.AssignVirtualGpu\","
			  "\"parameters\":{\"virtualMachineGuid\":\"%s\"}}",
			  guid);
	for (unsigned int i = 0; i < OBJECTS; i++) {
		int memory = make_memory();

		send_object(connection, guid, PLANES, memory);
		talk_receive(connection);
		close(memory);
	}
	_exit(0);
}

void attack_dying_vmm(const Attacker *attacker)
{
	char guid[GUID_SIZE];

	attacker_hold_connections(attacker, attacker->connections - 1);
	snprintf(guid, sizeof(guid), "8d000000-0000-4000-8000-%012x", attacker->number);
	for (bool is_first = true;; is_first = false) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			live_as_vmm(attacker, guid);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			errx(2, "a VMM has failed");
		attacker->board->work++;
		if (is_first)
			attacker_begin(attacker);
	}
}

/* --- watches --------------------------------------------------------------------------------- */

/* The first connection updates an object without a pause, and up to 255 others watch it. */
void attack_watchers(const Attacker *attacker)
{
	char handle[HANDLE_SIZE];
	int connection = attacker_connect_as_agent(attacker);
	Attacker watcher = *attacker;

	send_object(connection, attacker->guid, 1, make_memory());
	reply_text(talk_receive(connection), "handle", handle, sizeof(handle));
	if (watcher.connections > WATCHES + 1)
		watcher.connections = WATCHES + 1;
	attacker_hold_connections(attacker, attacker->connections - watcher.connections);
	traffic_run(
		&watcher,
		&(Traffic){
			.text = text_repeat(TOGETHER,
					    "{\"oneway\":true,\"method\":\"io.vaild.UpdateObject\","
					    "\"parameters\":{\"handle\":\"%s\"}}",
					    handle),
			.messages = TOGETHER,
			.greeting = text_repeat(1, "{\"more\":true,\"method\":\"io.vaild.Watch\"}"),
			.only_first = true,
		});
}

/* Half a message waits behind each watch, for which the limit on watches makes room. */
void attack_watch_input(const Attacker *attacker)
{
	Attacker watcher = *attacker;

	if (watcher.connections > WATCHES)
		watcher.connections = WATCHES;
	attacker_hold_connections(attacker, attacker->connections - watcher.connections);
	traffic_run(&watcher,
		    &(Traffic){
			    .text = text_build("{\"more\":true,\"method\":\"io.vaild.Watch\"}\n"
					       "{\"method\":\"",
					       "x", PARTIAL_SIZE, ""),
			    .messages = 1,
			    .only_once = true,
		    });
}
