/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/local/local.h"

#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <vail.h>

#include "daemon/fleet/local/quarantine-call.h"
#include "daemon/fleet/local/replies.h"
#include "daemon/fleet/local/wall-clock.h"
#include "proto/macros.h"

#define RETRY_SECONDS 1

/* vaild is away if it does not answer within three intervals. */
#define PROBE_SECONDS 5
#define PROBES_MAX    3

/* From a change until the lists are read, so that many changes are read once. */
#define REFRESH_MICROSECONDS 50000

/* A handle of libvail in the event loop. */
typedef struct Link {
	struct vail *vail;
	struct event *event; /* of the descriptor, or NULL */
	Local *local;
} Link;

/*
 * A change of a quarantine in progress. The facts are a little old, so the request contains the
 * reason that they show, and vaild changes no quarantine that has another one by now.
 */
typedef struct Change {
	Local *local;
	Guid guid;
} Change;

struct Local {
	struct event_base *base;
	LocalHandlers handlers;
	void *context;
	char *socket; /* or NULL */
	char *host_name;
	Link watch;
	Link calls;
	struct event *retry;   /* connects again */
	struct event *refresh; /* reads the lists */
	struct event *rearm;   /* after calls from outside the loop's callbacks of a link */
	struct event *probe;   /* asks whether vaild answers */
	FleetFacts facts;
	Replies replies;
	unsigned int probes; /* intervals since the probe that is not answered yet; 0 if none */
	size_t pending;      /* calls of the refresh in progress */
	bool has_failed;     /* one of them has */
	bool is_dirty;       /* something has changed since it began */
	bool is_watching;    /* the watch has reported the present state */
	bool is_freed;       /* callbacks do nothing */
	bool is_reported;    /* the problem, until vaild is back */
	JsonParser *parser;
};

/* --- the event loop -------------------------------------------------------------------------- */

static void link_arm(Link *link);
static void lose(Local *local, const char *why);

static void on_ready(evutil_socket_t fd, short what, void *context)
{
	Link *link = context;

	(void)fd;
	(void)what;
	vail_process(link->vail);
	if (link->vail)
		link_arm(link);
}

/* Waits for what the handle waits for. The descriptor may be another one after each call. */
static void link_arm(Link *link)
{
	int fd = link->vail ? vail_descriptor(link->vail) : -1;
	short events = link->vail ? vail_events(link->vail) : 0;
	short wanted = (short)((events & POLLIN ? EV_READ : 0) | (events & POLLOUT ? EV_WRITE : 0));

	if (link->event)
		event_free(link->event);
	link->event = NULL;
	if (fd < 0 || wanted == 0)
		return;
	link->event = event_new(link->local->base, fd, wanted, on_ready, link);
	if (link->event)
		event_add(link->event, NULL);
}

static void link_close(Link *link)
{
	struct vail *vail = TAKE_POINTER(link->vail);

	link_arm(link);
	vail_close(vail);
}

static void start_timer(struct event *timer, long seconds, long microseconds)
{
	const struct timeval after = { seconds, microseconds };

	if (!event_pending(timer, EV_TIMEOUT, NULL))
		event_add(timer, &after);
}

/* --- the lists ------------------------------------------------------------------------------- */

/* Ends the refresh when its last call has been answered. */
static void finish_refresh(Local *local)
{
	bool is_done = !local->has_failed && local->is_watching;

	if (is_done && !replies_read(&local->replies, local->host_name, (double)boot_clock() / 1000,
				     &local->facts))
		is_done = false;
	replies_clear(&local->replies);
	if (local->is_dirty || !is_done)
		start_timer(local->refresh, is_done ? 0 : RETRY_SECONDS, REFRESH_MICROSECONDS);
	if (is_done)
		local->handlers.on_facts(local->context);
}

/* Parses a reply. Returns NULL if the call has failed. */
static JsonValue *parse_reply(Local *local, NTSTATUS status, const char *parameters)
{
	const char *error;

	if (status != STATUS_SUCCESS || !parameters)
		return NULL;
	return json_parse(local->parser, parameters, strlen(parameters), &error);
}

/* Notes a reply of the refresh. */
static void end_reply(Local *local, bool is_good, bool continues)
{
	local->has_failed |= !is_good;
	if (!continues && --local->pending == 0)
		finish_refresh(local);
}

static bool on_list(Local *local, ReplyList *list, NTSTATUS status, const char *parameters,
		    bool continues)
{
	if (local->is_freed)
		return false;
	JsonValue *reply = parse_reply(local, status, parameters);
	end_reply(local, reply && reply_list_add(list, reply), continues);
	return true;
}

static bool on_vms(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		   void *context)
{
	Local *local = context;

	(void)vail;
	return on_list(local, &local->replies.vms, status, parameters, continues);
}

static bool on_adapters(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			void *context)
{
	Local *local = context;

	(void)vail;
	return on_list(local, &local->replies.adapters, status, parameters, continues);
}

static bool on_quarantines(struct vail *vail, NTSTATUS status, const char *parameters,
			   bool continues, void *context)
{
	Local *local = context;

	(void)vail;
	return on_list(local, &local->replies.quarantines, status, parameters, continues);
}

static bool on_status(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		      void *context)
{
	Local *local = context;

	(void)vail;
	if (local->is_freed)
		return false;
	JsonValue *reply = parse_reply(local, status, parameters);
	free(local->replies.version);
	local->replies.version = fleet_text_copy(json_string(json_member(reply, "version")));
	json_free(reply);
	end_reply(local, reply && local->replies.version, continues);
	return true;
}

/* Connects the handle for calls if necessary. Returns false if vaild cannot be reached. */
static bool open_calls(Local *local)
{
	return local->calls.vail || vail_new(local->socket, &local->calls.vail) == STATUS_SUCCESS;
}

static void submit(Local *local, const char *method, bool more, VailReply reply)
{
	if (vail_submit(local->calls.vail, method, NULL, more, reply, local) == STATUS_SUCCESS)
		local->pending++;
	else
		local->has_failed = true;
}

static void on_refresh(evutil_socket_t fd, short what, void *context)
{
	Local *local = context;

	(void)fd;
	(void)what;
	if (!local->is_watching)
		return;
	if (local->pending > 0) {
		local->is_dirty = true;
		return;
	}
	local->is_dirty = false;
	local->has_failed = !open_calls(local);
	if (!local->has_failed) {
		submit(local, "io.vaild.Monitor.GetStatus", false, on_status);
		submit(local, "io.vaild.Machine.ListVirtualMachines", true, on_vms);
		submit(local, "io.vaild.Gpu.ListAdapters", true, on_adapters);
		submit(local, "io.vaild.Machine.ListQuarantines", true, on_quarantines);
		link_arm(&local->calls);
	}
	if (local->pending == 0)
		finish_refresh(local);
}

/* --- the watch ------------------------------------------------------------------------------- */

/* Tests whether an event changes the facts. */
static bool is_relevant(VailEventKind kind)
{
	switch (kind) {
	case VAIL_EVENT_SHARED:
	case VAIL_EVENT_UPDATED:
	case VAIL_EVENT_UNSHARED:
	case VAIL_EVENT_OPENED:
	case VAIL_EVENT_RELEASED:
	case VAIL_EVENT_DISPLAY_OPENED:
	case VAIL_EVENT_DISPLAY_CLOSED:
	case VAIL_EVENT_GPU_PROCESS_REMOVED:
	case VAIL_EVENT_PAGE_TABLE_RESIDENT:
		return false;
	default:
		return true;
	}
}

static void on_event(Local *local, const VailEvent *event)
{
	if (event->kind == VAIL_EVENT_INTERRUPTED) {
		lose(local, "vaild is away");
		return;
	}
	if (event->kind == VAIL_EVENT_CURRENT || event->kind == VAIL_EVENT_RESUMED)
		local->is_watching = true;
	if (!local->is_watching || !is_relevant(event->kind))
		return;
	local->is_reported = false;
	local->is_dirty |= local->pending > 0;
	start_timer(local->refresh, 0, REFRESH_MICROSECONDS);
}

static bool on_watch(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		     void *context)
{
	Local *local = context;

	/* link_close() ends a watch, too, but forgets the handle first. */
	if (local->is_freed || vail != local->watch.vail)
		return false;
	if (event)
		on_event(local, event);
	else
		lose(local, status == STATUS_ACCESS_DENIED ? vail_error_message(vail)
							   : "the watch of vaild has ended");
	if (!continues)
		start_timer(local->retry, RETRY_SECONDS, 0);
	return true;
}

/* Notes that vaild cannot be asked. The facts stay, and are old from now on. */
static void lose(Local *local, const char *why)
{
	bool was_known = local->facts.is_known;

	local->is_watching = false;
	local->facts.is_known = false;
	if (!local->is_reported)
		local->handlers.on_problem(local->context, why);
	local->is_reported = true;
	if (was_known)
		local->handlers.on_facts(local->context);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	Local *local = context;
	NTSTATUS status = STATUS_NO_MEMORY;

	(void)fd;
	(void)what;
	link_close(&local->watch);
	if (vail_new(local->socket, &local->watch.vail) == STATUS_SUCCESS)
		status = vail_watch(local->watch.vail, NULL, on_watch, local);
	if (status != STATUS_SUCCESS) {
		lose(local,
		     local->watch.vail ? vail_error_message(local->watch.vail) : "out of memory");
		start_timer(local->retry, RETRY_SECONDS, 0);
	}
	link_arm(&local->watch);
}

/* --- a vaild that hangs --------------------------------------------------------------------- */

static bool on_probed(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		      void *context)
{
	Local *local = context;

	(void)vail;
	(void)status;
	(void)parameters;
	if (!continues)
		local->probes = 0;
	return true;
}

/* A vaild that hangs closes no connection, so it is asked something now and then. */
static void on_probe(evutil_socket_t fd, short what, void *context)
{
	Local *local = context;

	(void)fd;
	(void)what;
	if (local->probes > 0 && local->probes++ < PROBES_MAX)
		return;
	if (local->probes > 0) {
		lose(local, "vaild does not answer");
		link_close(&local->calls);
		start_timer(local->retry, 0, 0);
		local->probes = 0;
	} else if (local->is_watching && open_calls(local) &&
		   vail_submit(local->calls.vail, "org.varlink.service.GetInfo", NULL, false,
			       on_probed, local) == STATUS_SUCCESS) {
		local->probes = 1;
		link_arm(&local->calls);
	}
}

/* --- the rest -------------------------------------------------------------------------------- */

const FleetFacts *local_facts(const Local *local)
{
	return &local->facts;
}

static void on_rearm(evutil_socket_t fd, short what, void *context)
{
	Local *local = context;

	(void)fd;
	(void)what;
	link_arm(&local->calls);
}

static bool on_set(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		   void *context)
{
	Change *change = context;
	Local *local = change->local;
	QuarantineOutcome outcome = quarantine_outcome(status);

	(void)parameters;
	(void)continues;
	if (outcome != QUARANTINE_DONE && outcome != QUARANTINE_OVERTAKEN && !local->is_freed)
		local->handlers.on_problem(local->context, vail_error_message(vail));
	if (!local->is_freed)
		local->handlers.on_quarantine(local->context, &change->guid, outcome);
	free(change);
	return true;
}

void local_set_quarantine(Local *local, const Guid *guid, const char *reason)
{
	_cleanup_free_ char *parameters = quarantine_parameters(&local->facts, guid, reason);
	Change *change = calloc(1, sizeof(*change));

	if (change)
		*change = (Change){ .local = local, .guid = *guid };
	if (change && parameters && open_calls(local) &&
	    vail_submit(local->calls.vail, "io.vaild.Machine.SetQuarantine", parameters, false,
			on_set, change) == STATUS_SUCCESS) {
		event_active(local->rearm, EV_TIMEOUT, 0);
		return;
	}
	free(change);
	local->handlers.on_quarantine(local->context, guid, QUARANTINE_HINDERED);
}

Local *local_new(struct event_base *base, const char *socket, const char *host_name,
		 const LocalHandlers *handlers, void *context)
{
	static const struct timeval interval = { PROBE_SECONDS, 0 };
	Local *local = calloc(1, sizeof(*local));

	if (!local)
		return NULL;
	*local = (Local){ .base = base, .handlers = *handlers, .context = context };
	local->watch.local = local;
	local->calls.local = local;
	local->parser = json_parser_new();
	local->host_name = fleet_text_copy(host_name);
	local->facts.host.name = fleet_text_copy(host_name);
	local->facts.host.version = fleet_text_copy(NULL);
	local->socket = socket ? strdup(socket) : NULL;
	local->retry = evtimer_new(base, on_retry, local);
	local->refresh = evtimer_new(base, on_refresh, local);
	local->rearm = evtimer_new(base, on_rearm, local);
	local->probe = event_new(base, -1, EV_PERSIST, on_probe, local);
	if (!local->parser || !local->host_name || !local->facts.host.name ||
	    !local->facts.host.version || (socket && !local->socket) || !local->retry ||
	    !local->refresh || !local->rearm || !local->probe ||
	    event_add(local->probe, &interval)) {
		local_free(local);
		return NULL;
	}
	event_active(local->retry, EV_TIMEOUT, 0);
	return local;
}

void local_free(Local *local)
{
	struct event **const timers[] = { &local->retry, &local->refresh, &local->rearm,
					  &local->probe };

	if (!local)
		return;
	local->is_freed = true;
	link_close(&local->watch);
	link_close(&local->calls);
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
		if (*timers[i])
			event_free(*timers[i]);
	replies_clear(&local->replies);
	fleet_facts_deinit(&local->facts);
	json_parser_free(local->parser);
	free(local->socket);
	free(local->host_name);
	free(local);
}
