/* SPDX-License-Identifier: MIT */
/* The QMP monitor. It serves one client at a time, with the commands needed to join the display. */
#include "proto/json-writer.h"
#include "proto/json.h"
#include "proto/macros.h"
#include "tests/system/helpers/fake-qemu/fake-qemu.h"

#define MONITOR_LINE_SIZE 4096

typedef struct Monitor {
	QemuDisplay *display;
	sd_event_source *listening;
	sd_event_source *talking; /* owns the client's connection */
	JsonParser *parser;
	bool is_negotiated;
	int passed; /* received fd without a name, or -1 */
	char name[64];
	int named_fd; /* fd with that name, or -1 */
	char line[MONITOR_LINE_SIZE];
	size_t size;
} Monitor;

static void send_line(int client, const char *line)
{
	send(client, line, strlen(line), MSG_NOSIGNAL); /* the client may have disconnected */
	send(client, "\r\n", 2, MSG_NOSIGNAL);
}

static void refuse(int client, const char *class, const char *why)
{
	char line[256];

	snprintf(line, sizeof(line), "{\"error\": {\"class\": \"%s\", \"desc\": \"%s\"}}", class,
		 why);
	send_line(client, line);
}

static void send_success(int client)
{
	send_line(client, "{\"return\": {}}");
}

static const char *argument(const JsonValue *command, const char *name)
{
	const char *text = json_string(json_member(json_member(command, "arguments"), name));

	return text ? text : "";
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void take_fd(Monitor *monitor, int client, const JsonValue *command)
{
	if (monitor->passed < 0) {
		refuse(client, "GenericError", "No file descriptor supplied via SCM_RIGHTS");
		return;
	}
	close_fd(&monitor->named_fd);
	monitor->named_fd = monitor->passed;
	monitor->passed = -1;
	snprintf(monitor->name, sizeof(monitor->name), "%s", argument(command, "fdname"));
	send_success(client);
}

static void add_client(Monitor *monitor, int client, const JsonValue *command)
{
	if (strcmp(argument(command, "protocol"), "@dbus-display") != 0) {
		refuse(client, "GenericError", "Invalid parameter 'protocol'");
	} else if (monitor->named_fd < 0 ||
		   strcmp(monitor->name, argument(command, "fdname")) != 0) {
		refuse(client, "GenericError", "File descriptor named has not been found");
	} else {
		qemu_display_join(monitor->display, monitor->named_fd);
		monitor->named_fd = -1;
		send_success(client);
	}
}

/* Like QEMU, has no name to tell if it was started without one. */
static void send_name(const Monitor *monitor, int client)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	writer_object_begin(&writer);
	writer_key(&writer, "return");
	writer_object_begin(&writer);
	if (*monitor->display->name) {
		writer_key(&writer, "name");
		writer_string(&writer, monitor->display->name);
	}
	writer_object_end(&writer);
	writer_object_end(&writer);
	buffer_append(&text, "", 1);
	send_line(client, buffer_head(&text));
}

static void send_uuid(const Monitor *monitor, int client)
{
	char line[128];

	snprintf(line, sizeof(line), "{\"return\": {\"UUID\": \"%s\"}}", monitor->display->uuid);
	send_line(client, line);
}

static void execute(Monitor *monitor, int client, const JsonValue *command)
{
	const char *name = json_string(json_member(command, "execute"));

	if (!name) {
		refuse(client, "GenericError", "QMP input lacks member 'execute'");
	} else if (strcmp(name, "qmp_capabilities") == 0) {
		monitor->is_negotiated = true;
		send_success(client);
	} else if (!monitor->is_negotiated) {
		refuse(client, "CommandNotFound",
		       "Expecting capabilities negotiation with 'qmp_capabilities'");
	} else if (strcmp(name, "query-name") == 0) {
		send_name(monitor, client);
	} else if (strcmp(name, "query-uuid") == 0) {
		send_uuid(monitor, client);
	} else if (strcmp(name, "query-status") == 0) {
		send_line(client, "{\"return\": {\"status\": \"running\", \"running\": true}}");
	} else if (strcmp(name, "getfd") == 0) {
		take_fd(monitor, client, command);
	} else if (strcmp(name, "add_client") == 0) {
		add_client(monitor, client, command);
	} else {
		refuse(client, "CommandNotFound", "The command has not been found");
	}
}

/* Receives some input and perhaps an fd. Returns false if the client has disconnected. */
static bool receive(Monitor *monitor, int client)
{
	int fd;
	ssize_t size =
		helper_recvmsg_one(client, monitor->line + monitor->size,
				   sizeof(monitor->line) - monitor->size, MSG_CMSG_CLOEXEC, &fd);

	if (size <= 0)
		return false;
	if (fd >= 0) {
		close_fd(&monitor->passed);
		monitor->passed = fd;
	}
	monitor->size += (size_t)size;
	return true;
}

static void execute_lines(Monitor *monitor, int client)
{
	const char *error;
	char *end;

	while ((end = memchr(monitor->line, '\n', monitor->size))) {
		size_t length = (size_t)(end - monitor->line);

		*end = '\0';
		JsonValue *command = json_parse(monitor->parser, monitor->line, length, &error);
		if (command)
			execute(monitor, client, command);
		else
			refuse(client, "GenericError", "JSON parse error");
		json_free(command);
		monitor->size -= length + 1;
		memmove(monitor->line, end + 1, monitor->size);
	}
}

static int on_command(sd_event_source *source, int client, uint32_t events, void *context)
{
	Monitor *monitor = context;

	(void)source;
	(void)events;
	if (receive(monitor, client)) {
		execute_lines(monitor, client);
		return 0;
	}
	monitor->talking = sd_event_source_disable_unref(monitor->talking);
	close_fd(&monitor->passed);
	close_fd(&monitor->named_fd);
	return sd_event_source_set_enabled(monitor->listening, SD_EVENT_ON);
}

static int on_client(sd_event_source *source, int listener, uint32_t events, void *context)
{
	Monitor *monitor = context;
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (client < 0)
		err(2, "accept");
	monitor->is_negotiated = false;
	monitor->size = 0;
	qemu_check(sd_event_add_io(monitor->display->event, &monitor->talking, client, EPOLLIN,
				   on_command, monitor),
		   "a monitor's client");
	sd_event_source_set_io_fd_own(monitor->talking, true);
	send_line(client,
		  "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 0, \"major\": "
		  "10}, \"package\": \"fake\"}, \"capabilities\": [\"oob\"]}}");
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

void qemu_monitor_serve(QemuDisplay *display, const char *path)
{
	static Monitor monitor = { .passed = -1, .named_fd = -1 };
	struct sockaddr_un address = helper_address(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 1) < 0)
		err(2, "%s", path);
	monitor.display = display;
	monitor.parser = json_parser_new();
	qemu_check(sd_event_add_io(display->event, &monitor.listening, listener, EPOLLIN, on_client,
				   &monitor),
		   "the monitor");
}
