/* SPDX-License-Identifier: MIT */
/*
 * Attacks with display channels. The hostile user is both agent and viewer of a VM, or runs VMs of
 * its own.
 */
#include <signal.h>
#include <sys/prctl.h>

#include "tests/hostile/attacker.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/traffic.h"
#include "tests/support/helper.h"

#define CHANNELS     48 /* three quarters of displaysPerMachine */
#define OWN_MACHINES 5  /* their channels are almost displaysPerUid */
#define WATCHES      240
#define TOGETHER     64

/* --- what the attacks share ------------------------------------------------------------------ */

/* Makes the connection serve the displays of the VM. Returns false if it has a server. */
static bool try_to_serve(int connection, const char *guid)
{
	return reply_is_success(talk(connection,
				     "{\"method\":\"io.vaild.Display.ServeDisplays\",\"more\":true,"
				     "\"parameters\":{\"virtualMachineGuid\":\"%s\"}}",
				     guid));
}

static _Noreturn void serve_for_ever(const Attacker *attacker, const char *guid, int ready)
{
	int connection = attacker_connect(attacker);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!try_to_serve(connection, guid)) /* the former server may not have left yet */
		usleep(1000);
	if (write(ready, "", 1) != 1)
		err(2, "write");
	for (;;)
		talk_receive(connection); /* closes the fds */
}

/* Starts a process that serves the displays of the VM, and waits until it does. */
static pid_t start_server(const Attacker *attacker, const char *guid)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		err(2, "pipe");
	pid_t pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (pid == 0)
		serve_for_ever(attacker, guid, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		errx(2, "a display server has failed");
	close(ready[0]);
	return pid;
}

/* Returns a connection of this process, which has registered for the VM. */
static int connect_as_viewer(const Attacker *attacker, const char *guid)
{
	int connection = attacker_connect(attacker);

	talk_successfully(connection, "{\"method\":\"io.vaild.Gpu.CreateContext\"}");
	talk_successfully(connection,
			  "{\"method\":\"io.vaild.RegisterVailProcess\",\"parameters\":"
			  "{\"virtualMachineGuid\":\"%s\"}}",
			  guid);
	return connection;
}

static void send_open(int connection, const char *guid)
{
	char request[TEXT_SIZE];

	snprintf(request, sizeof(request),
		 "{\"method\":\"io.vaild.Display.OpenDisplay\",\"parameters\":"
		 "{\"virtualMachineGuid\":\"%s\"}}\n",
		 guid);
	helper_send(connection, request, strlen(request));
}

static void send_close(int connection, const char *display)
{
	char request[TEXT_SIZE];

	snprintf(request, sizeof(request),
		 "{\"method\":\"io.vaild.Display.CloseDisplay\",\"parameters\":"
		 "{\"display\":\"%s\"}}\n",
		 display);
	helper_send(connection, request, strlen(request));
}

/*
 * Receives the reply, and the viewer's end that comes with it. Returns -1 if the request is
 * refused, as while too many closes are under way.
 */
static int receive_channel(int connection, char display[static HANDLE_SIZE])
{
	char reply[4096];
	int fd;
	ssize_t size = helper_recvmsg_one(connection, reply, sizeof(reply) - 1, 0, &fd);

	if (size <= 0)
		errx(2, "the daemon has closed the connection");
	reply[size] = '\0';
	if (fd >= 0)
		reply_text(reply, "display", display, HANDLE_SIZE);
	return fd;
}

/* Closes a channel at both ends, if it was opened. */
static void close_channel(int connection, const char *display, int channel)
{
	if (channel < 0)
		return;
	close(channel);
	send_close(connection, display);
	talk_receive(connection);
}

/* Opens channels whose ends here are closed. They last as long as the registration. */
static void open_channels(const Attacker *attacker, int connection, const char *guid)
{
	unsigned int count = 0;

	while (count < CHANNELS) {
		send_open(connection, guid);
		count += reply_is_success(talk_receive(connection));
		attacker->board->work++;
	}
}

/* Registers a VM of this process, with its user as display client. Writes its GUID. */
static void add_own_machine(const Attacker *attacker, unsigned int index, char guid[GUID_SIZE])
{
	int connection = attacker_connect(attacker);

	snprintf(guid, GUID_SIZE, "8f000000-0000-4000-8000-%04x%08x", attacker->number, index);
	talk_successfully(connection,
			  "{\"method\":\"io.vaild.Machine.RegisterVirtualMachine\",\"parameters\":"
			  "{\"virtualMachineGuid\":\"%s\",\"displayClients\":[{\"user\":\"%s\"}],"
			  "\"agent\":{\"user\":\"%s\"}}}",
			  guid, attacker->user, attacker->user);
	talk_successfully(connection,
			  "{\"method\":\"io.vaild.Machine.AssignVirtualGpu\",\"parameters\":"
			  "{\"virtualMachineGuid\":\"%s\"}}",
			  guid);
	close(connection);
}

/* Serves the displays of own VMs, without ever reading, and registers for each. */
static void serve_own_machines(const Attacker *attacker, int viewers[static OWN_MACHINES],
			       char guids[static OWN_MACHINES][GUID_SIZE])
{
	for (unsigned int i = 0; i < OWN_MACHINES; i++) {
		add_own_machine(attacker, i, guids[i]);
		if (!try_to_serve(attacker_connect(attacker), guids[i]))
			errx(2, "cannot serve an own VM");
		viewers[i] = connect_as_viewer(attacker, guids[i]);
	}
}

/* --- the attacks ----------------------------------------------------------------------------- */

/* Opens a channel on each connection, and closes them. */
void attack_displays(const Attacker *attacker)
{
	unsigned int count = attacker->connections > CHANNELS ? CHANNELS : attacker->connections;
	int viewers[CHANNELS], channels[CHANNELS];
	char displays[CHANNELS][HANDLE_SIZE];

	start_server(attacker, attacker->guid);
	attacker_hold_connections(attacker, attacker->connections - count);
	for (unsigned int i = 0; i < count; i++)
		viewers[i] = connect_as_viewer(attacker, attacker->guid);
	attacker_begin(attacker);
	for (;;) {
		for (unsigned int i = 0; i < count; i++)
			send_open(viewers[i], attacker->guid);
		for (unsigned int i = 0; i < count; i++)
			channels[i] = receive_channel(viewers[i], displays[i]);
		for (unsigned int i = 0; i < count; i++)
			close_channel(viewers[i], displays[i], channels[i]);
		attacker->board->work += count;
	}
}

/* Sends as many fds on a channel as the kernel allows, and ends it before they are received. */
void attack_display_fds(const Attacker *attacker)
{
	char display[HANDLE_SIZE];
	int fds[HELPER_FDS_MAX], viewer;

	for (size_t i = 0; i < HELPER_FDS_MAX; i++) {
		fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fds[i] < 0)
			err(2, "/dev/null");
	}
	start_server(attacker, attacker->guid);
	viewer = connect_as_viewer(attacker, attacker->guid);
	attacker_hold_connections(attacker, attacker->connections - 1);
	attacker_begin(attacker);
	for (;;) {
		send_open(viewer, attacker->guid);
		int channel = receive_channel(viewer, display);
		while (channel >= 0 &&
		       helper_sendmsg(channel, "x", 1, fds, HELPER_FDS_MAX, MSG_DONTWAIT) > 0)
			;
		close_channel(viewer, display, channel);
		attacker->board->work++;
	}
}

/* The server of many channels leaves, and the next one comes. */
void attack_display_servers(const Attacker *attacker)
{
	int viewer = -1;

	attacker_hold_connections(attacker, attacker->connections - 1);
	for (;;) {
		pid_t server = start_server(attacker, attacker->guid);

		if (viewer < 0) {
			viewer = connect_as_viewer(attacker, attacker->guid);
			attacker_begin(attacker);
		}
		open_channels(attacker, viewer, attacker->guid);
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
}

static _Noreturn void live_with_displays(const Attacker *attacker)
{
	int viewers[OWN_MACHINES];
	char guids[OWN_MACHINES][GUID_SIZE];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	serve_own_machines(attacker, viewers, guids);
	for (unsigned int i = 0; i < OWN_MACHINES; i++)
		open_channels(attacker, viewers[i], guids[i]);
	_exit(0);
}

/* Watches own VMs on the connections that are left. The user is their agent. */
static _Noreturn void watch_own_machines(const Attacker *attacker)
{
	Attacker watcher = *attacker;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	watcher.connections -= 2 * OWN_MACHINES + 1;
	if (watcher.connections > WATCHES)
		watcher.connections = WATCHES;
	traffic_run(&watcher,
		    &(Traffic){
			    .text = text_repeat(1, "{\"more\":true,\"method\":\"io.vaild.Watch\"}"),
			    .messages = 1,
			    .only_once = true,
		    });
}

/*
 * A process that is VMM, display server and viewer of several VMs dies again and again, while
 * others of its user watch.
 */
void attack_display_exits(const Attacker *attacker)
{
	pid_t watcher = fork();

	if (watcher < 0)
		err(2, "fork");
	if (watcher == 0)
		watch_own_machines(attacker);
	for (;;) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			live_with_displays(attacker);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			errx(2, "a VMM has failed");
	}
}

/* Opens and closes channels whose servers never read what vaild sends them. */
void attack_display_unread(const Attacker *attacker)
{
	int viewers[OWN_MACHINES];
	char guids[OWN_MACHINES][GUID_SIZE], display[HANDLE_SIZE];

	serve_own_machines(attacker, viewers, guids);
	attacker_hold_connections(attacker, attacker->connections - 2 * OWN_MACHINES);
	attacker_begin(attacker);
	for (unsigned int i = 0;; i = (i + 1) % OWN_MACHINES) {
		send_open(viewers[i], guids[i]);
		int channel = receive_channel(viewers[i], display);

		close_channel(viewers[i], display, channel);
		attacker->board->work++;
	}
}

/* Lists as many channels as a user can have. */
void attack_list_displays(const Attacker *attacker)
{
	Attacker lister = *attacker;
	int viewers[OWN_MACHINES];
	char guids[OWN_MACHINES][GUID_SIZE];

	serve_own_machines(attacker, viewers, guids);
	for (unsigned int i = 0; i < OWN_MACHINES; i++)
		open_channels(attacker, viewers[i], guids[i]);
	lister.connections -= 2 * OWN_MACHINES;
	traffic_run(&lister,
		    &(Traffic){
			    .text = text_repeat(TOGETHER,
						"{\"method\":\"io.vaild.Display.ListDisplays\"}"),
			    .messages = TOGETHER,
		    });
}
