/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Timeout of a call, in microseconds. */
#define CALL_TIMEOUT 10000000u

/* Seconds after which a search ends, because a bus that never replies is useless. */
#define SEARCH_TIMEOUT 30

/* The name that QEMU owns on the bus. */
#define QEMU_NAME "org.qemu"

/* ---- The user ---- */

/* Parses the decimal number of a user or group other than -1. */
static bool parse_id(const char *text, unsigned int *ret)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number >= UINT32_MAX)
		return false;
	*ret = (unsigned int)number;
	return true;
}

/* A plus sign marks a number. Without one, a name comes first. */
static bool read_user(const char *text, uid_t *ret)
{
	const struct passwd *entry = *text == '+' ? NULL : getpwnam(text);

	if (entry)
		*ret = entry->pw_uid;
	return entry || parse_id(*text == '+' ? text + 1 : text, ret);
}

static bool read_group(const char *text, gid_t *ret)
{
	const struct group *entry = *text == '+' ? NULL : getgrnam(text);

	if (entry)
		*ret = entry->gr_gid;
	return entry || parse_id(*text == '+' ? text + 1 : text, ret);
}

bool bus_user_read(const char *label, ProcessUser *ret)
{
	ProcessUser user = { .uid = geteuid(), .gid = getegid() };
	_cleanup_free_ char *copy = strdup(label ? label : "");
	char *group = copy ? strchr(copy, ':') : NULL;

	if (!copy)
		return false;
	if (group)
		*group++ = '\0';
	if (label && (!group || !read_user(copy, &user.uid) || !read_group(group, &user.gid)))
		return false;
	*ret = user;
	return true;
}

const char *bus_obstacle(const Domain *domain)
{
	ProcessUser user;

	if (!domain->bus)
		return "not shared, because libvirt does not name the bus of its display; add "
		       "p2p='yes' to <graphics type='dbus'>";
	if (!bus_user_read(domain->owner, &user))
		return "not shared, because libvirt does not name QEMU's user, who alone can join "
		       "the bus of its display; add p2p='yes' to <graphics type='dbus'>";
	if (geteuid() != 0 && geteuid() != user.uid)
		return "not shared, because only QEMU's user can join the bus of its display; run "
		       "vail-libvirt as root, or add p2p='yes' to <graphics type='dbus'>";
	return NULL;
}

/* ---- The search, in a process of that user ---- */

typedef struct Search {
	const char *address;
	const char *guest;
	int result; /* the writing end of the pipe */
} Search;

static void bus_close(sd_bus **bus)
{
	sd_bus_close_unref(*bus);
}

static bool search_failed(const Search *search, const char *what, int result)
{
	if (result < 0)
		log_message("%s: %s: %s; trying again later", search->guest, what,
			    strerror(-result));
	return result < 0;
}

/*
 * Tests whether the bus is one of this user. A domain may name any address, and another user's bus
 * could name any process as QEMU.
 */
static bool is_own_bus(const Search *search, sd_bus *bus)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);

	if (getsockopt(sd_bus_get_fd(bus), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	    peer.uid == geteuid())
		return true;
	log_message("%s: not shared, because the bus of its display is not one of QEMU's user; "
		    "remove the address from <graphics type='dbus'>, so that libvirt runs a bus",
		    search->guest);
	return false;
}

/* Asks which process owns QEMU's name. */
static int ask_for_qemu(sd_bus *bus, pid_t *ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	uint32_t pid;
	int result = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
					"org.freedesktop.DBus", "GetConnectionUnixProcessID", NULL,
					&reply, "s", QEMU_NAME);

	if (result >= 0)
		result = sd_bus_message_read(reply, "u", &pid);
	if (result >= 0)
		*ret = (pid_t)pid;
	return result < 0 ? result : 0;
}

static int open_bus(const char *address, sd_bus **ret)
{
	_cleanup_(bus_close) sd_bus *bus = NULL;
	int result = sd_bus_new(&bus);

	if (result >= 0)
		result = sd_bus_set_address(bus, address);
	if (result >= 0)
		result = sd_bus_set_bus_client(bus, true);
	if (result >= 0)
		result = sd_bus_set_method_call_timeout(bus, CALL_TIMEOUT);
	if (result >= 0)
		result = sd_bus_start(bus);
	if (result >= 0)
		*ret = TAKE_POINTER(bus);
	return result;
}

/* Returns the exit status of the process. */
static int search(void *context)
{
	const Search *search = context;
	_cleanup_(bus_close) sd_bus *bus = NULL;
	_cleanup_close_ int pidfd = -1;
	pid_t qemu, again = 0;

	alarm(SEARCH_TIMEOUT);
	if (search_failed(search, "cannot connect to the bus of its display",
			  open_bus(search->address, &bus)) ||
	    !is_own_bus(search, bus) ||
	    search_failed(search, "the bus of its display does not name QEMU's process",
			  ask_for_qemu(bus, &qemu)))
		return EXIT_FAILED;
	/* QEMU still has the name after the pidfd was opened, so the pid is not that of another. */
	pidfd = pidfd_open(qemu, 0);
	if (pidfd < 0 || ask_for_qemu(bus, &again) < 0 || again != qemu) {
		log_message("%s: QEMU has left the bus of its display; trying again later",
			    search->guest);
		return EXIT_FAILED;
	}
	return write(search->result, &qemu, sizeof(qemu)) == sizeof(qemu) ? EXIT_DONE : EXIT_FAILED;
}

int bus_search_start(AgentProcess *process, const char *address, const ProcessUser *user,
		     const char *guest, AgentExited *exited, void *context, int *ret_result)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	Search searched = { .address = address, .guest = guest, .result = ends[1] };
	const AgentFunction function = {
		.call = search, .argument = &searched, .user = user, .fd = ends[1]
	};
	int error = agent_process_call(process, &function, exited, context);
	close(ends[1]);
	if (error != 0)
		close(ends[0]);
	else
		*ret_result = ends[0];
	return error;
}

/* Tests whether all uids of the process are those of the user, by the word of the kernel. */
static bool is_process_of(pid_t pid, uid_t uid)
{
	char path[64], line[128], uids[4][16], expected[16];
	bool is_equal = false;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	snprintf(expected, sizeof(expected), "%u", (unsigned int)uid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Uid: %15s %15s %15s %15s", uids[0], uids[1], uids[2], uids[3]) ==
		    4)
			is_equal = strcmp(uids[0], expected) == 0 &&
				   strcmp(uids[1], expected) == 0 &&
				   strcmp(uids[2], expected) == 0 && strcmp(uids[3], expected) == 0;
	if (file)
		fclose(file);
	return is_equal;
}

pid_t bus_search_result(int result, const ProcessUser *user)
{
	pid_t qemu = 0;

	if (read(result, &qemu, sizeof(qemu)) != sizeof(qemu) || qemu <= 0)
		return 0;
	return is_process_of(qemu, user->uid) ? qemu : 0;
}
