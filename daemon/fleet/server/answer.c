/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/server/answer.h"

#include <stdio.h>
#include <string.h>

#include "daemon/fleet/server/refusal.h"
#include "proto/interfaces.h"
#include "proto/macros.h"
#include "proto/status.h"

#define FLEET   "io.vaild.Fleet"
#define SERVICE "org.varlink.service"

/* One request while it is answered. */
typedef struct Request {
	FleetService *service;
	const FleetCaller *caller;
	const JsonValue *parameters;
	uint64_t number; /* of the request, for its owner */
	Writer writer;
	char terminator;
	bool has_more; /* several replies are allowed */
	bool is_later;
	bool is_continued; /* at rest */
	FleetCursor rest;
	Refusal refusal; /* its status is STATUS_SUCCESS unless the request is refused */
} Request;

typedef enum Rule {
	RULE_ANYBODY,
	RULE_VIEWER,   /* display clients of the VM, observers and operators */
	RULE_OBSERVER, /* and operators */
	RULE_OPERATOR,
} Rule;

typedef struct FleetMethod {
	const char *name;
	Rule rule;
	const char *const *parameters; /* names, terminated by NULL */
	void (*handle)(Request *request);
} FleetMethod;

/* --- replies --------------------------------------------------------------------------------- */

static void reply_begin(Request *request)
{
	writer_object_begin(&request->writer);
	writer_key(&request->writer, "parameters");
	writer_object_begin(&request->writer);
	writer_key(&request->writer, "status");
	writer_string(&request->writer, status_name(STATUS_SUCCESS));
}

static void reply_end(Request *request)
{
	writer_object_end(&request->writer);
	if (request->is_continued) {
		writer_key(&request->writer, "continues");
		writer_boolean(&request->writer, true);
	}
	writer_object_end(&request->writer);
	writer_terminator(&request->writer, request->terminator);
}

/* --- parameters ------------------------------------------------------------------------------ */

/*
 * Reads a parameter that is a text of at most FLEET_TEXT_MAX bytes. Returns NULL if it is absent.
 * Refuses the request if it is of another form.
 */
static const char *text_parameter(Request *request, const char *name)
{
	const JsonValue *value = json_member(request->parameters, name);
	const char *text = json_string(value);

	if (value && !text)
		refuse_parameter(&request->refusal, name, "is not a string");
	else if (text && strlen(text) > FLEET_TEXT_MAX)
		refuse_parameter(&request->refusal, name, "is longer than 255 bytes");
	return text;
}

/* Reads a parameter that is a GUID. Returns false if it is absent or wrong. */
static bool guid_parameter(Request *request, Guid *ret_guid)
{
	const char *text = text_parameter(request, "virtualMachineGuid");

	if (text && guid_parse(text, ret_guid))
		return true;
	if (text)
		refuse_parameter(&request->refusal, "virtualMachineGuid", "is not a GUID");
	return false;
}

static bool is_refused(const Request *request)
{
	return request->refusal.status != STATUS_SUCCESS;
}

/* --- methods --------------------------------------------------------------------------------- */

/* Writes the reply with the entries from request->rest on, or with as many as may be in one. */
static void reply_list(Request *request)
{
	const size_t size_max = request->has_more ? FLEET_PART_SIZE : FLEET_REPLY_MAX;

	reply_begin(request);
	write_freshness(&request->writer, request->service);
	const FleetEntry *entry =
		write_entries(&request->writer, request->service, &request->rest, size_max);
	if (entry)
		request->rest.next = entry->key;
	request->is_continued = entry && request->has_more;
	reply_end(request);
}

static void list(Request *request, FleetKeyKind kind)
{
	request->rest = (FleetCursor){ .next = { .kind = kind } };
	reply_list(request);
}

static void list_hosts(Request *request)
{
	list(request, FLEET_KEY_HOST);
}

static void list_vms(Request *request)
{
	list(request, FLEET_KEY_VM);
}

static void list_gpus(Request *request)
{
	list(request, FLEET_KEY_GPU);
}

static void list_quarantines(Request *request)
{
	list(request, FLEET_KEY_QUARANTINE);
}

/* Finds the VM that the request means by GUID or name. Returns false if it is refused. */
static bool find_vm(Request *request, Guid *ret_guid)
{
	const char *name = text_parameter(request, "name");
	bool has_guid = guid_parameter(request, ret_guid);

	if (is_refused(request))
		return false;
	if (has_guid == (name != NULL)) {
		refuse_parameter(&request->refusal, "virtualMachineGuid",
				 "and name are alternatives; send one of them");
		return false;
	}
	size_t count =
		has_guid ? 1 : fleet_index_find_name(request->service->index, name, ret_guid);
	if (count == 0)
		refuse(&request->refusal, STATUS_NOT_FOUND,
		       "no host of the fleet has a VM with this name; give the name or the whole "
		       "GUID, as vailctl fleet vms shows them");
	if (count > 1)
		refuse_parameter(&request->refusal, "name",
				 "is the name of several VMs; send the GUID of one");
	return count == 1;
}

static void where(Request *request)
{
	Guid guid;

	if (!find_vm(request, &guid))
		return;
	const FleetEntry *entry = fleet_index_where(request->service->index, &guid);
	if (!entry) {
		refuse(&request->refusal, STATUS_NOT_FOUND,
		       "no host of the fleet has this VM; run vailctl fleet vms");
		return;
	}
	reply_begin(request);
	write_freshness(&request->writer, request->service);
	write_where(&request->writer, request->service, entry);
	reply_end(request);
}

static void place(Request *request)
{
	const char *type = text_parameter(request, "type");

	if (!type && !is_refused(request))
		refuse_parameter(&request->refusal, "type", "is missing");
	if (is_refused(request) ||
	    refuse_if_old(&request->refusal, request->service->index, request->service->now))
		return;
	reply_begin(request);
	if (!write_places(&request->writer, request->service, type))
		request->writer.failed = true;
	reply_end(request);
}

static void set_quarantine(Request *request)
{
	const char *reason = text_parameter(request, "reason");
	bool is_imposed;
	Guid guid;

	if (!guid_parameter(request, &guid) && !is_refused(request))
		refuse_parameter(&request->refusal, "virtualMachineGuid", "is missing");
	if (!json_read_boolean(json_member(request->parameters, "quarantined"), &is_imposed) &&
	    !is_refused(request))
		refuse_parameter(&request->refusal, "quarantined", "is neither true nor false");
	if (is_refused(request) ||
	    refuse_if_away(&request->refusal, request->service->index, request->service->now))
		return;
	request->is_later =
		request->service->change(request->service->context, request->caller, &guid,
					 is_imposed ? reason ? reason : "" : NULL, request->number);
	if (!request->is_later)
		refuse(&request->refusal, STATUS_NO_MEMORY, "vaild-fleet is out of memory");
}

static void get_metrics(Request *request)
{
	const FleetService *service = request->service;
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	FleetMetrics metrics = { .has_vaild = false };

	service->measure(service->context, &metrics);
	if (!fleet_metrics_write(&text, service->index, &metrics, service->version, service->now)) {
		request->writer.failed = true;
		return;
	}
	reply_begin(request);
	writer_key(&request->writer, "openMetrics");
	writer_string(&request->writer, buffer_head(&text));
	reply_end(request);
}

static const char *const no_parameters[] = { NULL };
static const char *const where_parameters[] = { "virtualMachineGuid", "name", NULL };
static const char *const place_parameters[] = { "type", NULL };
static const char *const quarantine_parameters[] = { "virtualMachineGuid", "quarantined", "reason",
						     NULL };

static const FleetMethod methods[] = {
	{ "ListHosts", RULE_OBSERVER, no_parameters, list_hosts },
	{ "ListVirtualMachines", RULE_OBSERVER, no_parameters, list_vms },
	{ "ListGpus", RULE_OBSERVER, no_parameters, list_gpus },
	{ "Where", RULE_VIEWER, where_parameters, where },
	{ "Place", RULE_OBSERVER, place_parameters, place },
	{ "SetQuarantine", RULE_OPERATOR, quarantine_parameters, set_quarantine },
	{ "ListQuarantines", RULE_OBSERVER, no_parameters, list_quarantines },
	{ "GetMetrics", RULE_OBSERVER, no_parameters, get_metrics },
};

/* --- org.varlink.service --------------------------------------------------------------------- */

static void varlink_begin(Request *request)
{
	writer_object_begin(&request->writer);
	writer_key(&request->writer, "parameters");
	writer_object_begin(&request->writer);
}

static void get_info(Request *request)
{
	Writer *writer = &request->writer;

	varlink_begin(request);
	writer_key(writer, "vendor");
	writer_string(writer, "vaild");
	writer_key(writer, "product");
	writer_string(writer, "vaild-fleet");
	writer_key(writer, "version");
	writer_string(writer, request->service->version);
	writer_key(writer, "url");
	writer_string(writer, "");
	writer_key(writer, "interfaces");
	writer_array_begin(writer);
	for (size_t i = 0; i < fleet_interface_count; i++)
		writer_string(writer, fleet_interfaces[i].name);
	writer_array_end(writer);
	reply_end(request);
}

static void get_description(Request *request)
{
	const char *name = text_parameter(request, "interface");

	for (size_t i = 0; name && i < fleet_interface_count; i++) {
		if (strcmp(fleet_interfaces[i].name, name) != 0)
			continue;
		varlink_begin(request);
		writer_key(&request->writer, "description");
		writer_string(&request->writer, fleet_interfaces[i].description);
		reply_end(request);
		return;
	}
	if (!is_refused(request))
		refuse_varlink(&request->refusal, name ? "InterfaceNotFound" : "InvalidParameter",
			       name ? name : "interface");
}

static const char *const interface_parameters[] = { "interface", NULL };

static const FleetMethod service_methods[] = {
	{ "GetInfo", RULE_ANYBODY, no_parameters, get_info },
	{ "GetInterfaceDescription", RULE_ANYBODY, interface_parameters, get_description },
};

/* --- dispatch -------------------------------------------------------------------------------- */

static const FleetMethod *find_row(const FleetMethod *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* Finds the row of a method. Returns NULL, with the request refused, if there is none. */
static const FleetMethod *find_method(Request *request, const char *name)
{
	static const char fleet[] = FLEET ".", service[] = SERVICE ".";
	const FleetMethod *row = NULL;
	bool is_fleet = strncmp(name, fleet, strlen(fleet)) == 0;

	if (is_fleet)
		row = find_row(methods, ARRAY_SIZE(methods), name + strlen(fleet));
	else if (strncmp(name, service, strlen(service)) == 0)
		row = find_row(service_methods, ARRAY_SIZE(service_methods),
			       name + strlen(service));
	else {
		refuse_varlink(&request->refusal, "InterfaceNotFound", name);
		return NULL;
	}
	if (!row)
		refuse_varlink(&request->refusal, "MethodNotFound", name);
	return row;
}

/*
 * Tests whether the caller is a display client of the VM that the request names. The search for a
 * name in the whole fleet is only for those who have a VM with this name.
 */
static bool is_viewer(const Request *request)
{
	const FleetService *service = request->service;
	const FleetCaller *caller = request->caller;
	const char *text = json_string(json_member(request->parameters, "virtualMachineGuid"));
	const char *name = json_string(json_member(request->parameters, "name"));
	Guid guid;

	if (!service->is_viewer)
		return false;
	if (text && guid_parse(text, &guid))
		return service->is_viewer(service->context, caller, &guid, NULL);
	return name && service->is_viewer(service->context, caller, NULL, name) &&
	       fleet_index_find_name(service->index, name, &guid) == 1 &&
	       service->is_viewer(service->context, caller, &guid, NULL);
}

static bool may_call(const Request *request, Rule rule)
{
	const FleetCaller *caller = request->caller;

	switch (rule) {
	case RULE_ANYBODY:
		return true;
	case RULE_VIEWER:
		return caller->is_observer || caller->is_operator || is_viewer(request);
	case RULE_OBSERVER:
		return caller->is_observer || caller->is_operator;
	case RULE_OPERATOR:
		return caller->is_operator;
	}
	return false;
}

/* Refuses a parameter that the method does not have. */
static void check_parameters(Request *request, const FleetMethod *method)
{
	JsonMembers members = json_members(request->parameters);

	while (!is_refused(request) && json_members_next(&members)) {
		const char *const *name = method->parameters;

		while (*name && strcmp(*name, members.name) != 0)
			name++;
		if (!*name)
			refuse_parameter(&request->refusal, members.name,
					 "is no parameter of this method; leave it out");
	}
}

static const char *const denials[] = {
	[RULE_VIEWER] = "only operators and observers of vaild, and users that are display clients "
			"of the VM on this host, may do this; become root, or join the observers' "
			"group",
	[RULE_OBSERVER] = "only operators and observers of vaild may do this; become root, or join "
			  "the observers' group",
	[RULE_OPERATOR] = "only operators of vaild may do this; become root, or join the "
			  "operators' group",
};

static void call(Request *request, const FleetMethod *method, bool is_foreign)
{
	if (is_foreign)
		refuse(&request->refusal, STATUS_ACCESS_DENIED,
		       "another process than the one that connected has sent this; connect from "
		       "the "
		       "process that calls");
	else if (!may_call(request, method->rule))
		refuse(&request->refusal, STATUS_ACCESS_DENIED, denials[method->rule]);
	else
		check_parameters(request, method);
	if (!is_refused(request))
		method->handle(request);
}

/* Checks the envelope of a message. Returns the name of the method, or NULL if it is refused. */
static const char *open_envelope(Request *request, const JsonValue *message)
{
	const char *method = json_string(json_member(message, "method"));
	const JsonValue *parameters = json_member(message, "parameters");

	if (json_repeated_name(request->service->parser))
		refuse_parameter(&request->refusal, "parameters",
				 "or another object has a name twice; send it once");
	else if (!method)
		refuse_parameter(&request->refusal, "method",
				 "is missing; send one JSON object with a string \"method\"");
	else if (parameters && json_type_of(parameters) != JSON_OBJECT)
		refuse_parameter(&request->refusal, "parameters", "is not an object");
	request->parameters = parameters;
	return is_refused(request) ? NULL : method;
}

static bool is_true(const JsonValue *message, const char *name)
{
	bool value = false;

	return json_read_boolean(json_member(message, name), &value) && value;
}

Answer answer_message(FleetService *service, const FleetCaller *caller, JsonText message,
		      bool is_foreign, char terminator, uint64_t number, Buffer *out,
		      FleetCursor *ret_rest)
{
	Request request = { .service = service,
			    .caller = caller,
			    .number = number,
			    .writer = WRITER_INIT(out),
			    .terminator = terminator };
	size_t begin = buffer_size(out);
	const char *error;
	JsonValue *value = json_build(service->parser, message, &error);

	if (error)
		return ANSWER_NO_MEMORY;
	const char *name = open_envelope(&request, value);
	const FleetMethod *method = name ? find_method(&request, name) : NULL;
	request.has_more = is_true(value, "more");
	bool is_oneway = is_true(value, "oneway") && !request.has_more;
	if (method)
		call(&request, method, is_foreign);
	if (buffer_size(out) - begin > FLEET_REPLY_MAX) {
		buffer_truncate(out, begin);
		refuse(&request.refusal, STATUS_INSUFFICIENT_RESOURCES,
		       request.has_more
			       ? "the fleet is too large for this method, whose reply would have "
				 "more than 1 MiB"
			       : "the fleet is too large for a list in one reply, which would have "
				 "more than 1 MiB; send \"more\": true, as vailctl does");
	}
	if (is_refused(&request))
		refusal_write(&request.refusal, FLEET, &request.writer, terminator);
	json_free(value);
	if (request.writer.failed || is_oneway)
		buffer_truncate(out, begin);
	if (request.writer.failed)
		return ANSWER_NO_MEMORY;
	if (is_oneway)
		return ANSWER_NONE;
	*ret_rest = request.rest;
	if (request.is_continued)
		return ANSWER_CONTINUES;
	return request.is_later ? ANSWER_LATER : ANSWER_WRITTEN;
}

Answer answer_rest(FleetService *service, FleetCursor *rest, char terminator, Buffer *out)
{
	Request request = { .service = service,
			    .writer = WRITER_INIT(out),
			    .terminator = terminator,
			    .has_more = true,
			    .rest = *rest };

	reply_list(&request);
	if (request.writer.failed)
		return ANSWER_NO_MEMORY;
	*rest = request.rest;
	return request.is_continued ? ANSWER_CONTINUES : ANSWER_WRITTEN;
}

bool answer_error(NTSTATUS status, const char *message, char terminator, Buffer *out)
{
	Writer writer = WRITER_INIT(out);
	Refusal refusal = { .status = STATUS_SUCCESS };
	size_t begin = buffer_size(out);

	refuse(&refusal, status, message);
	refusal_write(&refusal, FLEET, &writer, terminator);
	if (writer.failed)
		buffer_truncate(out, begin);
	return !writer.failed;
}

bool answer_change(const char *why, char terminator, Buffer *out)
{
	Request request = { .writer = WRITER_INIT(out), .terminator = terminator };
	char text[400];

	if (why) {
		snprintf(text, sizeof(text),
			 "etcd has not confirmed this: %s; see vailctl fleet quarantines", why);
		return answer_error(STATUS_INVALID_DEVICE_STATE, text, terminator, out);
	}
	reply_begin(&request);
	reply_end(&request);
	return !request.writer.failed;
}
