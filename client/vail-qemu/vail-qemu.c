/* SPDX-License-Identifier: MIT */
/*
 * vail-qemu: shares the screen of a QEMU guest with the processes that are registered for it.
 *
 *   vail-qemu.c      start, main loop and end
 *   options.c        the command line
 *   qmp.c            QEMU's monitor (QMP), to join its display
 *   display-link.c   the D-Bus connection to the display, from three kinds of places
 *   display.c        QEMU's D-Bus display: the VM and its consoles
 *   guest-watch.c    whether QEMU runs its guest, waits for it, or has sent it away
 *   wait.c           waits with a limit for QEMU
 *   machine-name.c   the VM's name in vaild
 *   listener.c       decodes QEMU's calls to a console's listener
 *   console.c        one console: its screen and its cursor
 *   agent.c          vaild: registers the VM, and follows it
 *   agent-surfaces.c shares screens and cursors with vaild
 *   screen-buffers.c the buffers that a screen has shown recently
 *   redraw.c         finds what a redraw has changed
 *   hand-over.c      two QEMUs of one GUID, as in a local migration
 *   agent-machine.c  the agent's VM in vaild: registration, settings, hand-over
 *   admission.c      whether vaild lets it share, before it joins QEMU's display
 *   damage.c         changed rectangles
 *   channels.c       the display channels of the VM, as vaild opens and closes them
 *   channel.c        one channel: the VM and its consoles on D-Bus; channel-rights.c says what a
 *                    right allows, channel-bus.c bounds what a viewer can send
 *   channel-console.c  a console of a channel
 *   channel-input.c  a viewer's keyboard, mouse and touch screen
 *   clipboard.c      QEMU's clipboard, and which viewer has it
 *   channel-clipboard.c   a viewer's side of it
 *   guest-sound.c    the sound that the guest plays or records; channel-sound.c is a viewer's
 *                    listener for it
 *   channel-viewer.c a viewer's listener; channel-pixels.c reads pixels for it
 *   console-properties.c  QEMU's description of a console
 *   pixman-format.c  pixel formats
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "client/common/completion.h"
#include "client/common/fleet-search.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vail-qemu/admission.h"
#include "client/vail-qemu/agent.h"
#include "client/vail-qemu/channels.h"
#include "client/vail-qemu/display.h"
#include "client/vail-qemu/guest-watch.h"
#include "client/vail-qemu/machine-name.h"
#include "client/vail-qemu/options.h"
#include "client/vail-qemu/qmp.h"
#include "proto/fd-util.h"
#include "proto/macros.h"
#include "proto/process-start.h"

const char program_name[] = "vail-qemu";

/* Time for QEMU to exit after its display has ended, in milliseconds. */
#define QEMU_EXIT_TIMEOUT 1000

/* ---- The main loop ---- */

typedef struct Bridge {
	int qemu; /* pidfd */
	Display display;
	Agent agent;
	Channels channels;
	GuestWatch guest;
	struct pollfd
		*poll_fds; /* QEMU's, the guest's, the agent's, the display's, the channels' */
	size_t poll_fd_count;
	bool is_ready;       /* systemd has been notified */
	bool is_admitted;    /* vaild lets this process join the display */
	bool has_qemu_ended; /* before the display was joined */
} Bridge;

/* Makes room for the fds of new channels. Returns false if out of memory. */
static bool make_poll_fds(Bridge *bridge)
{
	size_t count =
		3 + AGENT_FDS + bridge->display.console_count + channels_fds(&bridge->channels);
	struct pollfd *poll_fds;

	if (count <= bridge->poll_fd_count)
		return true;
	poll_fds = reallocarray(bridge->poll_fds, count, sizeof(*poll_fds));
	if (!poll_fds)
		return false;
	bridge->poll_fds = poll_fds;
	bridge->poll_fd_count = count;
	return true;
}

static void wait_for_event(Bridge *bridge)
{
	size_t count = 0;

	bridge->poll_fds[count++] = (struct pollfd){ .fd = bridge->qemu, .events = POLLIN };
	bridge->poll_fds[count++] = guest_watch_poll_for(&bridge->guest);
	agent_poll_for(&bridge->agent, bridge->poll_fds + count);
	count += AGENT_FDS;
	int milliseconds = display_poll_for(&bridge->display, bridge->poll_fds + count);
	count += 1 + bridge->display.console_count;
	milliseconds = shorter_timeout(milliseconds, agent_timeout(&bridge->agent));
	milliseconds = shorter_timeout(milliseconds, guest_watch_timeout(&bridge->guest));
	milliseconds = shorter_timeout(
		milliseconds, channels_poll_for(&bridge->channels, bridge->poll_fds + count));
	count += channels_fds(&bridge->channels);
	poll(bridge->poll_fds, count, milliseconds);
}

static void notify_ready(Bridge *bridge)
{
	if (!bridge->is_ready && bridge->agent.state == AGENT_READY)
		bridge->is_ready = sd_notifyf(0, "READY=1\nSTATUS=Sharing the screen of %s.",
					      bridge->agent.machine.guid) >= 0;
}

/* Waits for QEMU to exit in this time. Returns false, without a message, if it goes on. */
static bool qemu_has_ended(const Bridge *bridge, int milliseconds)
{
	struct pollfd poll_fd = { .fd = bridge->qemu, .events = POLLIN };

	if (bridge->qemu < 0 || poll(&poll_fd, 1, milliseconds) <= 0)
		return false;
	log_message("QEMU has ended");
	return true;
}

/* The exit status if an operator has removed the VM, so that a manager does not add it again. */
#define EXIT_VM_REMOVED 3

/* Returns the exit status. */
static int run(Bridge *bridge)
{
	bool has_display = true;

	if (bridge->agent.state == AGENT_DISCONNECTED)
		agent_connect(&bridge->agent);
	while (has_display && bridge->agent.state != AGENT_ENDED) {
		notify_ready(bridge);
		display_listen(&bridge->display);
		if (!make_poll_fds(bridge)) {
			log_message("this process is out of memory");
			return EXIT_FAILED;
		}
		wait_for_event(bridge);
		has_display = display_process(&bridge->display);
		channels_note(&bridge->channels);
		agent_flush(&bridge->agent);
		agent_process(&bridge->agent);
		guest_watch_process(&bridge->guest);
		agent_note_guest(&bridge->agent, bridge->guest.state);
		channels_process(&bridge->channels);
		has_display = has_display && bridge->poll_fds[0].revents == 0;
		if (has_display && agent_must_connect(&bridge->agent))
			agent_connect(&bridge->agent); /* may wait for vaild */
	}
	/* The usual reason why the display or the VM has ended. */
	if (qemu_has_ended(bridge, QEMU_EXIT_TIMEOUT))
		return EXIT_DONE;
	log_message("%s",
		    has_display ? bridge->agent.end_reason
				: "QEMU has closed its display; another client may have joined it");
	return has_display && bridge->agent.is_removed ? EXIT_VM_REMOVED : EXIT_FAILED;
}

/* ---- Start and end ---- */

/* Checks that QEMU was started with a UUID; otherwise it reports the nil UUID. */
static bool check_uuid(const char *uuid)
{
	sd_id128_t id;

	if (uuid && sd_id128_from_string(uuid, &id) >= 0 && !sd_id128_is_null(id))
		return true;
	log_message("QEMU's VM has no UUID, so vaild cannot identify it; start QEMU with -uuid");
	return false;
}

static bool init_agent(Bridge *bridge, const Options *options, pid_t qemu, const char *uuid,
		       const char *name)
{
	AgentMachine machine = { .qemu = qemu,
				 .adapter = options->adapter,
				 .profile = "vail-qemu",
				 .clients = options->clients,
				 .settings_source = options->settings_source,
				 .is_registered = options->is_registered };

	snprintf(machine.guid, sizeof(machine.guid), "%s", uuid);
	machine_name_make(name, machine.guid, machine.name);
	return agent_init(&bridge->agent, options->socket, &machine);
}

/* The context of may_join(). */
typedef struct JoinContext {
	Bridge *bridge;
	const Options *options;
	bool is_found; /* this attempt has found QEMU */
	bool must_ask; /* vaild must be asked before the next attempt */
} JoinContext;

/*
 * A QmpCheck. Does not ask vaild itself, because the monitor serves only one client. An old QEMU
 * cannot be checked, because only its display tells its name.
 */
static bool may_join(const QmpDisplay *found, void *context)
{
	JoinContext *join = context;
	Bridge *bridge = join->bridge;

	/* QEMU may have been replaced since the first attempt. */
	join->is_found = bridge->qemu < 0 || found->qemu == bridge->agent.machine.qemu;
	bridge->agent.guest_report.state = found->guest_state;
	if (found->is_old || !found->uuid || bridge->is_admitted)
		return join->is_found;
	if (!check_uuid(found->uuid))
		return false;
	bridge->qemu = fcntl(found->pidfd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	join->must_ask = init_agent(bridge, join->options, found->qemu, found->uuid,
				    found->name ? found->name : "");
	bridge->agent.guest_report.state = found->guest_state;
	return false;
}

/*
 * Waits until vaild lets this process share the screen. Returns false if it refuses, or if QEMU has
 * ended.
 */
static bool wait_for_admission(Bridge *bridge)
{
	Admission admission;

	do {
		admission = admission_ask(&bridge->agent, bridge->qemu);
		bridge->has_qemu_ended = qemu_has_ended(
			bridge, admission == ADMISSION_DELAYED ? ADMISSION_INTERVAL : 0);
	} while (admission == ADMISSION_DELAYED && !bridge->has_qemu_ended);
	bridge->is_admitted = admission == ADMISSION_GRANTED && !bridge->has_qemu_ended;
	return bridge->is_admitted;
}

/*
 * Connects to QEMU's display by its monitor, as soon as vaild lets this process share the screen.
 *
 * ret_name: the VM's name, which the caller frees; unchanged if only the display knows it.
 */
static bool join_by_monitor(Bridge *bridge, const Options *options, DisplayLink *link,
			    char **ret_name)
{
	JoinContext join = { .bridge = bridge, .options = options };
	QmpDisplay qemu;

	while (!qmp_join_display(options->qmp, &wait_system_clock, may_join, &join, &qemu)) {
		if (!join.must_ask) {
			/* A QEMU that was found, and is not any more, is probably exiting. */
			bridge->has_qemu_ended =
				qemu_has_ended(bridge, join.is_found ? 0 : WAIT_LIMIT);
			return false;
		}
		if (!wait_for_admission(bridge))
			return false;
		join.is_found = join.must_ask = false;
	}
	fd_close(&bridge->qemu);
	bridge->qemu = qemu.pidfd;
	free(qemu.uuid);
	if (!qemu.is_old)
		*ret_name = qemu.name ? qemu.name : strdup("");
	return link_open(link, qemu.socket, qemu.qemu, &wait_system_clock);
}

static bool join_display(Bridge *bridge, const Options *options, char **ret_name)
{
	_cleanup_(link_close) DisplayLink link = { 0 };
	bool is_open;

	if (options->qmp)
		is_open = join_by_monitor(bridge, options, &link, ret_name);
	else if (options->bus)
		is_open = link_open_bus(&link, options->bus, &wait_system_clock, &bridge->qemu);
	else
		is_open = link_open_passed(&link, options->display_fd, &wait_system_clock,
					   &bridge->qemu);
	if (!is_open)
		return false;
	const DisplayLink taken = link;
	link.bus = NULL;
	return display_init(&bridge->display, &taken) && check_uuid(bridge->display.uuid) &&
	       (*ret_name || display_read_name(&bridge->display, ret_name));
}

static bool start(Bridge *bridge, const Options *options)
{
	_cleanup_free_ char *name = NULL;

	if (!join_display(bridge, options, &name))
		return false;
	if (!bridge->agent.calls &&
	    !init_agent(bridge, options, bridge->display.link.qemu, bridge->display.uuid, name))
		return false;
	if (!display_find_consoles(&bridge->display, &bridge->agent))
		return false;
	channels_init(&bridge->channels, &bridge->display, &bridge->agent);
	if (guest_watch_init(&bridge->guest, options->qmp, fleet_socket_path(),
			     bridge->agent.machine.qemu, &wait_system_clock)) {
		bridge->guest.state = bridge->agent.guest_report.state;
		return true;
	}
	log_message("this process is out of memory");
	return false;
}

/* Ends a start that has failed. Returns the exit status. */
static int give_up(Bridge *bridge)
{
	if (bridge->agent.calls)
		admission_withdraw(&bridge->agent);
	if (bridge->has_qemu_ended)
		return EXIT_DONE;
	return bridge->agent.is_removed ? EXIT_VM_REMOVED : EXIT_FAILED;
}

static void bridge_deinit(Bridge *bridge)
{
	/* Skip unsharing each surface: vaild notices the exit and ends the objects. */
	bridge->agent.state = AGENT_ENDED;
	channels_deinit(&bridge->channels);
	guest_watch_deinit(&bridge->guest);
	display_deinit(&bridge->display);
	agent_deinit(&bridge->agent);
	fd_close(&bridge->qemu);
	free(bridge->poll_fds);
}

/* Each console needs several fds. Raises the limit to what the host permits. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	_cleanup_(options_deinit) Options options = { .display_fd = -1 };
	_cleanup_(bridge_deinit) Bridge bridge = { .qemu = -1, .guest = GUEST_WATCH_INIT };
	StartState inherited;

	process_start(program_name, true, &inherited);
	setlocale(LC_CTYPE, ""); /* for names in messages */
	if (completion_wanted(argc, argv))
		return options_complete(argc, argv);
	signal(SIGPIPE, SIG_IGN); /* it goes on sharing when the reader of its messages has gone */
	raise_fd_limit();
	options_parse(argc, argv, &options);
	return start(&bridge, &options) ? run(&bridge) : give_up(&bridge);
}
