/* SPDX-License-Identifier: MIT */
/*
 * Serving display channels: decodes the stream of io.vaild.Display.ServeDisplays into structs.
 *
 * To survive a restart of vaild, it remembers the channels that the program has, and names them in
 * the call that it sends again. vaild lets those go on, and reports the others as closed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "client/libvail/display-info.h"
#include "client/libvail/internal.h"

/* A channel that the program has. */
typedef struct ServedChannel {
	char handle[VAIL_HANDLE_SIZE];
	TAILQ_ENTRY(ServedChannel) link;
} ServedChannel;

/* Exists from vail_serve_displays() until the last call of the callback. */
typedef struct DisplayService {
	struct vail *vail;
	VailDisplayServer callback;
	void *context;
	char *virtual_machine;
	TAILQ_HEAD(, ServedChannel) channels;
	bool interrupted; /* VAIL_SERVE_INTERRUPTED was reported, and vaild has not replied since */
} DisplayService;

static DisplayService *service_new(struct vail *vail, const char *virtual_machine,
				   VailDisplayServer callback, void *context)
{
	DisplayService *service = calloc(1, sizeof(*service));

	if (!service)
		return NULL;
	*service = (DisplayService){ .vail = vail, .callback = callback, .context = context };
	TAILQ_INIT(&service->channels);
	service->virtual_machine = strdup(virtual_machine);
	if (service->virtual_machine)
		return service;
	free(service);
	return NULL;
}

static ServedChannel *find_channel(const DisplayService *service, const char *handle)
{
	ServedChannel *channel;

	TAILQ_FOREACH (channel, &service->channels, link)
		if (strcmp(channel->handle, handle) == 0)
			return channel;
	return NULL;
}

static void forget_channel(DisplayService *service, ServedChannel *channel)
{
	if (!channel)
		return;
	TAILQ_REMOVE(&service->channels, channel, link);
	free(channel);
}

static bool remember_channel(DisplayService *service, const char *handle)
{
	ServedChannel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return false;
	strncpy(channel->handle, handle, sizeof(channel->handle) - 1);
	TAILQ_INSERT_TAIL(&service->channels, channel, link);
	return true;
}

static void service_free(DisplayService *service)
{
	while (!TAILQ_EMPTY(&service->channels))
		forget_channel(service, TAILQ_FIRST(&service->channels));
	free(service->virtual_machine);
	free(service);
}

/* ---- The request ---- */

/* Encodes the call with the channels that the program has. The message is empty on failure. */
static NTSTATUS encode_request(const DisplayService *service, Parameters *parameters,
			       CallRequest *ret_request)
{
	const ServedChannel *channel;

	*ret_request = (CallRequest){ .method = "io.vaild.Display.ServeDisplays", .more = true };
	parameters_begin(parameters);
	put_required(parameters, "virtualMachineGuid", service->virtual_machine);
	if (!TAILQ_EMPTY(&service->channels)) {
		writer_key(&parameters->writer, "displays");
		writer_array_begin(&parameters->writer);
		TAILQ_FOREACH (channel, &service->channels, link)
			writer_string(&parameters->writer, channel->handle);
		writer_array_end(&parameters->writer);
	}
	return parameters_end(service->vail, parameters, &ret_request->parameters);
}

/* ---- Reporting ---- */

static bool end_service(const DisplayService *service, NTSTATUS status)
{
	service->callback(service->vail, status, NULL, false, service->context);
	return false;
}

static bool report(const DisplayService *service, VailServeEvent event, bool continues)
{
	event.size = sizeof(event);
	return service->callback(service->vail, STATUS_SUCCESS, &event, continues,
				 service->context);
}

/* The connection is lost. Returns false, with the service freed, if it has ended. */
static bool serve_on_disconnect(struct vail *vail, PendingCall *call)
{
	DisplayService *service = call->context;
	_cleanup_(parameters_deinit) Parameters parameters;
	CallRequest request;
	bool goes_on = service->interrupted ||
		       report(service, (VailServeEvent){ .kind = VAIL_SERVE_INTERRUPTED }, true);

	service->interrupted = true;
	NTSTATUS status = encode_request(service, &parameters, &request);
	if (goes_on && status == STATUS_SUCCESS) {
		buffer_deinit(&call->message);
		status = request_encode(vail, &request, &call->message);
	}
	if (goes_on && status != STATUS_SUCCESS)
		goes_on = end_service(service, status);
	if (!goes_on)
		service_free(service);
	return goes_on;
}

/* Reports an opened channel, whose descriptor the callback can take. */
static bool report_opened(DisplayService *service, const JsonValue *value, Reply *reply)
{
	struct vail *vail = service->vail;
	const VailDisplay display = display_read(value);

	if (!display.handle || strlen(display.handle) >= VAIL_HANDLE_SIZE || reply->fds.count == 0)
		return end_service(
			service,
			error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
				  "vaild's reply lacks the display's handle or file "
				  "descriptor; use the libvail that belongs to this vaild"));
	if (!remember_channel(service, display.handle))
		return end_service(service, error_set_no_memory(vail));
	vail->reply_fds = fd_list_take(&reply->fds);
	bool goes_on = report(service,
			      (VailServeEvent){
				      .kind = VAIL_SERVE_OPENED,
				      .display = &display,
				      .handle = display.handle,
			      },
			      reply->continues);
	fd_list_close(&vail->reply_fds);
	return goes_on;
}

static bool report_reply(DisplayService *service, Reply *reply)
{
	const JsonValue *opened = json_member(reply->parameters, "opened");
	VailServeEvent event = {
		.kind = VAIL_SERVE_BEGUN,
		.handle = member_text(reply->parameters, "closed"),
		.reason = member_text(reply->parameters, "reason"),
	};

	service->interrupted = false;
	if (opened)
		return report_opened(service, opened, reply);
	if (event.handle) {
		event.kind = VAIL_SERVE_CLOSED;
		forget_channel(service, find_channel(service, event.handle));
	} else if (!reply->continues) {
		event.kind = VAIL_SERVE_ENDED;
	}
	return report(service, event, reply->continues);
}

static bool serve_on_reply(struct vail *vail, const PendingCall *call, Reply *reply)
{
	DisplayService *service = call->context;
	bool goes_on = false;

	(void)vail;
	if (reply->status == STATUS_SUCCESS && reply->message)
		goes_on = report_reply(service, reply);
	else
		end_service(service, reply->status);
	if (!reply->continues || !goes_on)
		service_free(service);
	return goes_on;
}

static NTSTATUS submit(DisplayService *service)
{
	_cleanup_(parameters_deinit) Parameters parameters;
	CallRequest request;
	PendingCall call = { .more = true,
			     .handler = serve_on_reply,
			     .on_disconnect = serve_on_disconnect,
			     .context = service };
	NTSTATUS status = encode_request(service, &parameters, &request);

	if (status != STATUS_SUCCESS)
		return status;
	handle_begin_call(service->vail);
	return call_submit(service->vail, &request, &call);
}

NTSTATUS vail_serve_displays(struct vail *vail, const char *virtual_machine,
			     VailDisplayServer server, void *context)
{
	use_or_refuse(vail);
	if (!vail || !virtual_machine || !server)
		return STATUS_INVALID_PARAMETER;
	DisplayService *service = service_new(vail, virtual_machine, server, context);
	if (!service)
		return error_set_no_memory(vail);
	NTSTATUS status = submit(service);
	if (status != STATUS_SUCCESS)
		service_free(service);
	return status;
}
