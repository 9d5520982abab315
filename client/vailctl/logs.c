/* SPDX-License-Identifier: MIT */
/*
 * The logs command. It becomes journalctl(1), which knows how to page, colour and follow, and whose
 * output people know. The entries are selected by the unit, which only the journal itself sets, so
 * that no other program can add entries.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "client/common/json-members.h"
#include "client/common/program-options.h"
#include "client/common/run-program.h"
#include "client/common/user-message.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/machine-argument.h"
#include "client/vailctl/output.h"
#include "client/vailctl/vailctl.h"
#include "proto/guid.h"
#include "proto/macros.h"

/* Entries before the new ones of --follow, as with tail(1). */
#define LINES_BEFORE_NEW "10"

/* The maximum number of arguments of journalctl, with the NULL at the end. */
#define ARGUMENTS_MAX 12

/* The arguments of journalctl. */
typedef struct JournalCall {
	char *arguments[ARGUMENTS_MAX];
	size_t count;
	char lines[40];
	char machine[sizeof("VAIL_VM=") + GUID_TEXT_LENGTH];
} JournalCall;

/* argument: must outlive the call. */
static void add(JournalCall *call, const char *argument)
{
	call->arguments[call->count++] = (char *)argument; /* execvp() does not change it */
}

/* ---- Permission ---- */

/* Tests whether the folder has the system's journal, and the caller must not read it. */
static bool is_closed(const char *folder, bool *ret_is_readable)
{
	char path[128], id[SD_ID128_STRING_MAX];
	sd_id128_t machine;

	if (sd_id128_get_machine(&machine) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/%s/system.journal", folder,
		 sd_id128_to_string(machine, id));
	*ret_is_readable = access(path, R_OK) == 0;
	return !*ret_is_readable && errno == EACCES;
}

typedef enum JournalAccess {
	JOURNAL_READABLE,
	JOURNAL_CLOSED, /* there is one of the system, and the caller may not read it */
	JOURNAL_ABSENT,
} JournalAccess;

static JournalAccess journal_access(void)
{
	bool is_kept_readable = false, is_volatile_readable = false;
	bool is_kept_closed = is_closed("/var/log/journal", &is_kept_readable);
	bool is_volatile_closed = is_closed("/run/log/journal", &is_volatile_readable);

	if (is_kept_readable || is_volatile_readable)
		return JOURNAL_READABLE;
	return is_kept_closed || is_volatile_closed ? JOURNAL_CLOSED : JOURNAL_ABSENT;
}

/* How long logs waits for vaild, in milliseconds. The log of a vaild that hangs is wanted most. */
#define STATUS_TIMEOUT 500

/* Size of the buffer of the place where vaild writes its log. */
#define PLACE_SIZE 512

/*
 * Writes where the log of a vaild goes that was started by hand: the path of its stderr if the
 * caller may see that. Such a vaild listens itself, so the kernel names it as the peer.
 */
static void find_log(const struct vail *vail, char place[static PLACE_SIZE])
{
	char link[40], target[PLACE_SIZE];
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	ssize_t length = -1;

	if (getsockopt(vail_descriptor(vail), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	    peer.pid > 0) {
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)peer.pid, STDERR_FILENO);
		length = readlink(link, target, sizeof(target) - 1);
	}
	target[length > 0 ? length : 0] = '\0';
	snprintf(place, PLACE_SIZE, "%s",
		 *target == '/' ? target : "the terminal or file where it was started");
}

/*
 * Tests whether vaild runs and was started by hand, so that its log is not in the journal. If so,
 * also writes where the log is.
 */
static bool is_started_by_hand(const Tool *tool, char place[static PLACE_SIZE])
{
	_cleanup_free_ char *text = NULL;
	struct vail *vail = NULL;
	JsonValue *reply = NULL;
	const char *error;

	if (vail_new(tool->options.socket, &vail) != STATUS_SUCCESS)
		return false;
	vail_set_resume(vail, false);
	vail_set_timeout(vail, STATUS_TIMEOUT);
	if (vail_call(vail, "io.vaild.Monitor.GetStatus", NULL, &text) == STATUS_SUCCESS)
		reply = json_parse(tool->parser, text, strlen(text), &error);
	bool is_by_hand =
		reply && json_member(reply, "underSystemd") && !member_flag(reply, "underSystemd");
	json_free(reply);
	if (is_by_hand)
		find_log(vail, place);
	vail_close(vail);
	return is_by_hand;
}

/* ---- Arguments ---- */

/* Adds the VM. Returns the exit status. */
static int add_machine(Tool *tool, JournalCall *call)
{
	char found[MACHINE_GUID_SIZE], canonical[GUID_TEXT_LENGTH + 1];
	Guid guid;

	if (!tool->arguments[0])
		return EXIT_DONE;
	int exit_status =
		tool_find_machine(tool, tool->arguments[0], MACHINES_AND_QUARANTINES, found);
	if (exit_status != EXIT_DONE)
		return exit_status;
	if (!guid_parse(found, &guid))
		return tool_failed(tool, STATUS_INVALID_NETWORK_RESPONSE,
				   "vaild has replied %s, which is no GUID", found);
	snprintf(call->machine, sizeof(call->machine), "VAIL_VM=%s", guid_format(&guid, canonical));
	add(call, call->machine);
	return EXIT_DONE;
}

static void add_options(const Tool *tool, JournalCall *call)
{
	const Options *options = &tool->options;

	add(call, "journalctl");
	add(call, "--unit=vaild.service");
	if (options_have(options, OPTION_JSON))
		add(call, "--output=json");
	if (options_have(options, OPTION_JSON) || options_have(options, OPTION_NO_LEGEND))
		add(call, "--quiet"); /* leaves "-- No entries --" out */
	if (options_have(options, OPTION_NO_PAGER))
		add(call, "--no-pager");
	if (options_have(options, OPTION_FOLLOW))
		add(call, "--follow");
	if (options->lines > 0)
		snprintf(call->lines, sizeof(call->lines), "--lines=%lu", options->lines);
	else if (options_have(options, OPTION_FOLLOW))
		snprintf(call->lines, sizeof(call->lines), "--lines=" LINES_BEFORE_NEW);
	if (*call->lines)
		add(call, call->lines);
}

/* place: where a vaild that was started by hand writes its log; NULL for any other. */
static int refuse_closed(const Tool *tool, const char *place)
{
	return tool_failed(tool, STATUS_ACCESS_DENIED,
			   "%s%s%syou may not read the system's journal; root may, and the members "
			   "of the groups systemd-journal and adm",
			   place ? "this vaild was started by hand: it writes its log to " : "",
			   place ? place : "", place ? ", and " : "");
}

int command_logs(Tool *tool)
{
	JournalCall call = { .count = 0 };
	char place[PLACE_SIZE];

	add_options(tool, &call);
	int exit_status = add_machine(tool, &call);
	if (exit_status != EXIT_DONE)
		return exit_status;
	JournalAccess access = journal_access();
	bool is_by_hand = is_started_by_hand(tool, place);
	if (access == JOURNAL_CLOSED)
		return refuse_closed(tool, is_by_hand ? place : NULL);
	if (is_by_hand && access == JOURNAL_ABSENT)
		return tool_failed(tool, STATUS_NOT_SUPPORTED,
				   "this vaild was started by hand: it writes its log to %s, and "
				   "there is no journal that you may read",
				   place);
	if (is_by_hand) {
		log_message("this vaild was started by hand: it writes its log to %s, and not to "
			    "the journal",
			    place);
		add(&call, "--quiet"); /* only old entries can be there */
	} else if (options_have(&tool->options, OPTION_FOLLOW) && isatty(STDERR_FILENO)) {
		log_message("waiting for new entries%s%s, until you press Ctrl-C",
			    tool->arguments[0] ? " about VM " : "",
			    tool->arguments[0] ? tool->arguments[0] : "");
	}
	start_state_restore(&tool->start);
	execvp(call.arguments[0], call.arguments);
	if (errno == ENOENT)
		return tool_failed(tool, STATUS_NOT_SUPPORTED,
				   "journalctl is not installed; without systemd, vaild writes its "
				   "log to its standard error");
	return tool_failed(tool, STATUS_NOT_SUPPORTED, "cannot run journalctl: %s",
			   strerror(errno));
}
