/* SPDX-License-Identifier: MIT */
#include "tests/system/helpers/fail-calls/daemon-snapshot.h"

#define LAST_UPDATE   ",\"lastUpdate\":"
#define HANDLE_LENGTH 32
#define HANDLES_MAX   256
#define REPLY_SIZE    (1 << 20)
#define ATTEMPTS_MAX  5
#define LINES_MAX     512

static const char *const role_names[ROLE_MAX] = {
	[ROLE_OPERATOR] = "OPERATOR",
	[ROLE_VMM] = "VMM",
	[ROLE_CLIENT] = "CLIENT",
	[ROLE_VIEWER] = "VIEWER",
};

/* The state of writing a snapshot. A handle's name is its index, in the order of appearance. */
typedef struct Names {
	const Actor *actors; /* of each role */
	FILE *out;
	size_t handle_count;
	char handles[HANDLES_MAX][HANDLE_LENGTH];
} Names;

/* --- requests -------------------------------------------------------------------------------- */

/* Returns false if the connection ends before that many lines of replies are received. */
static bool try_to_request(TracedDaemon *daemon, int connection, const char *requests, size_t lines,
			   char *replies)
{
	size_t size = 0, length = strlen(requests);
	bool is_alive = send(connection, requests, length, MSG_NOSIGNAL) == (ssize_t)length;

	while (is_alive && lines > 0) {
		traced_daemon_await(daemon, connection);
		ssize_t received =
			recv(connection, replies + size, REPLY_SIZE - 1 - size, MSG_DONTWAIT);
		is_alive = received > 0;
		for (ssize_t i = 0; i < received; i++)
			lines -= replies[size++] == '\n';
	}
	replies[size] = '\0';
	return is_alive;
}

static char *request_lines(TracedDaemon *daemon, const char *requests, size_t lines,
			   int *ret_connection)
{
	char *replies = malloc(REPLY_SIZE);

	if (!replies)
		err(2, "memory");
	for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		*ret_connection = helper_connect(daemon->socket);
		/* A daemon that is restarted meanwhile must not inherit it. */
		fcntl(*ret_connection, F_SETFD, FD_CLOEXEC);
		if (try_to_request(daemon, *ret_connection, requests, lines, replies))
			return replies;
		close(*ret_connection);
	}
	errx(2, "%s: the daemon closed %d connections without a reply", daemon->directory,
	     ATTEMPTS_MAX);
}

char *operator_request_on(TracedDaemon *daemon, const char *request, int *ret_connection)
{
	return request_lines(daemon, request, 1, ret_connection);
}

char *operator_request(TracedDaemon *daemon, const char *request)
{
	int connection;
	char *reply = request_lines(daemon, request, 1, &connection);

	close(connection);
	return reply;
}

/* --- names ----------------------------------------------------------------------------------- */

static const char *role_of(const Actor actors[static ROLE_MAX], long pid)
{
	for (Role role = 0; role < ROLE_MAX; role++)
		if (actors[role].pid == pid)
			return role_names[role];
	return pid == getpid() ? "SELF" : "NOBODY";
}

static size_t name_handle(Names *names, const char *handle)
{
	for (size_t i = 0; i < names->handle_count; i++)
		if (strncmp(names->handles[i], handle, HANDLE_LENGTH) == 0)
			return i;
	if (names->handle_count == HANDLES_MAX)
		errx(2, "too many handles");
	memcpy(names->handles[names->handle_count], handle, HANDLE_LENGTH);
	return names->handle_count++;
}

static bool begins_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool is_handle(const char *text)
{
	size_t length = strspn(text, "0123456789abcdef");

	return length == HANDLE_LENGTH && text[length] == '"';
}

/* Writes the text with pids, times and handles replaced. */
static void write_named(Names *names, const char *text)
{
	while (*text) {
		char *end = NULL;

		if (begins_with(text, "pid\":") || begins_with(text, "Pid\":")) {
			long pid = strtol(text + strlen("pid\":"), &end, 10);
			fprintf(names->out, "pid\":%s", role_of(names->actors, pid));
		} else if (begins_with(text, "since\":")) {
			strtod(text + strlen("since\":"), &end);
			fputs("since\":0", names->out);
		} else if (begins_with(text, LAST_UPDATE)) { /* a restart forgets it */
			strtod(text + strlen(LAST_UPDATE), &end);
		} else if (is_handle(text)) {
			fprintf(names->out, "H%zu", name_handle(names, text));
			end = (char *)text + HANDLE_LENGTH;
		} else {
			/* One line for each object, so that people can read differences. */
			fputs(*text == '{' ? "\n  {" : (char[]){ *text, '\0' }, names->out);
			end = (char *)text + 1;
		}
		text = end;
	}
}

/* Writes the used amount of each limit, except of those for connections. */
static void write_limits(FILE *out, const char *status)
{
	static const char name_key[] = "{\"name\":\"", used_key[] = "\"used\":";

	for (const char *at = status; (at = strstr(at, name_key));) {
		at += strlen(name_key);
		const char *used = strstr(at, used_key);
		int length = (int)strcspn(at, "\"");
		unsigned long number = used ? strtoul(used + strlen(used_key), NULL, 10) : 0;

		if (!begins_with(at, "connections") && number > 0)
			fprintf(out, "limit %.*s: %lu\n", length, at, number);
	}
}

/* --- the fd store ---------------------------------------------------------------------------- */

static long pid_of_pidfd(int pidfd)
{
	char path[64], text[512] = "";

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0)
		err(2, "%s", path);
	close(file);
	const char *line = strstr(text, "Pid:");
	return line ? strtol(line + strlen("Pid:"), NULL, 10) : 0;
}

/* Writes how many entries each process has, and how many entries and inodes are memory. */
static void write_store(FILE *out, const FakeServiceManager *manager,
			const Actor actors[static ROLE_MAX])
{
	size_t processes[ROLE_MAX] = { 0 }, others = 0, memories = 0, distinct = 0;
	ino_t inodes[FAKE_FDSTORE_MAX];

	for (size_t i = 0; i < manager->count; i++) {
		const FakeStoreEntry *entry = &manager->entries[i];
		struct stat status;
		Role role = 0;

		if (entry->name[0] == 'p') {
			long pid = pid_of_pidfd(entry->fd);
			while (role < ROLE_MAX && actors[role].pid != pid)
				role++;
			*(role < ROLE_MAX ? &processes[role] : &others) += 1;
			continue;
		}
		fstat(entry->fd, &status);
		size_t same = 0;
		while (same < distinct && inodes[same] != status.st_ino)
			same++;
		inodes[same] = status.st_ino;
		distinct += same == distinct;
		memories++;
	}
	for (Role role = 0; role < ROLE_MAX; role++)
		fprintf(out, "stored %s: %zu\n", role_names[role], processes[role]);
	fprintf(out, "stored others: %zu\nstored memories: %zu of %zu\n", others, memories,
		distinct);
}

/* --- the snapshot ---------------------------------------------------------------------------- */

static char *handle_before(const char *text, const char *at)
{
	static const char key[] = "\"process\":\"";
	const char *found = NULL;

	for (const char *next = text; (next = strstr(next, key)) && next < at; next++)
		found = next + strlen(key);
	return found ? strndup(found, HANDLE_LENGTH) : NULL;
}

/* Writes the address ranges of the client's GPU process. */
static void write_spaces(Names *names, TracedDaemon *daemon, const char *lists)
{
	char wanted[32], request[256];
	const char *processes = strstr(lists, "\"processes\":");

	snprintf(wanted, sizeof(wanted), "\"pid\":%d,", names->actors[ROLE_CLIENT].pid);
	const char *at = processes ? strstr(processes, wanted) : NULL;
	if (!at || at > strchr(processes, '\n'))
		return;
	char *process = handle_before(processes, at);
	snprintf(request, sizeof(request),
		 "{\"method\":\"io.vaild.Gpu.DescribeAddressSpace\",\"parameters\":{\"process\":"
		 "\"%s\"}}\n",
		 process ? process : "");
	char *ranges = operator_request(daemon, request);
	write_named(names, ranges);
	free(ranges);
	free(process);
}

char *snapshot_take(TracedDaemon *daemon, const Actor actors[static ROLE_MAX])
{
	static const char requests[] = "{\"method\":\"io.vaild.Gpu.ListAdapters\"}\n"
				       "{\"method\":\"io.vaild.Machine.ListVirtualMachines\"}\n"
				       "{\"method\":\"io.vaild.ListRegistrations\"}\n"
				       "{\"method\":\"io.vaild.ListSharedObjects\"}\n"
				       "{\"method\":\"io.vaild.Machine.ListQuarantines\"}\n"
				       "{\"method\":\"io.vaild.Gpu.ListProcesses\"}\n"
				       "{\"method\":\"io.vaild.Monitor.GetStatus\"}\n";
	static Names names;
	int connection;
	char *lists = request_lines(daemon, requests, 7, &connection), *snapshot;
	char *status = strstr(lists, "\"limits\":");
	size_t size;

	names = (Names){ .actors = actors, .out = open_memstream(&snapshot, &size) };
	close(connection);
	if (!names.out || !status)
		errx(2, "cannot take a snapshot, the daemon replied: %s", lists);
	write_spaces(&names, daemon, lists);
	write_limits(names.out, status);
	while (status > lists && status[-1] != '\n')
		status--;
	*status = '\0';
	write_named(&names, lists);
	fake_service_manager_read(daemon->manager);
	write_store(names.out, daemon->manager, actors);
	fclose(names.out);
	free(lists);
	return snapshot;
}

/* --- records --------------------------------------------------------------------------------- */

typedef struct Line {
	char name[64]; /* its beginning, up to the serial */
	char kind[32];
	bool is_removed;
} Line;

static int compare_lines(const void *a, const void *b)
{
	return strcmp(((const Line *)a)->kind, ((const Line *)b)->kind);
}

/* Adds a line of the file. It replaces an earlier line about the same entity. */
static void add_line(Line lines[static LINES_MAX], size_t *count, const char *text)
{
	static const char key[] = "\"kind\":\"";
	const char *begin = strchr(text, '{'), *kind = strstr(text, key);
	Line line = { .is_removed = strstr(text, "\"record\":null") };
	size_t i = 0;

	if (!begin || *count == LINES_MAX)
		errx(2, "not a record, or too many: %s", text);
	snprintf(line.name, sizeof(line.name), "%.*s", (int)strcspn(begin, ","), begin);
	if (kind)
		kind += strlen(key);
	else
		kind = begin + 2;
	snprintf(line.kind, sizeof(line.kind), "%.*s", (int)strcspn(kind, "\""), kind);
	while (i < *count && strcmp(lines[i].name, line.name) != 0)
		i++;
	lines[i] = line;
	*count += i == *count;
}

char *snapshot_take_records(const TracedDaemon *daemon)
{
	static Line lines[LINES_MAX];
	char path[128], *text = NULL, *snapshot;
	size_t room = 0, count = 0, size;

	snprintf(path, sizeof(path), "%s/run/records", daemon->directory);
	FILE *file = fopen(path, "r"), *out = open_memstream(&snapshot, &size);
	if (!file || !out)
		err(2, "%s", path);
	while (getline(&text, &room, file) > 0)
		add_line(lines, &count, text);
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < count; i++)
		if (!lines[i].is_removed)
			fprintf(out, "record %s\n", lines[i].kind);
	free(text);
	fclose(file);
	fclose(out);
	return snapshot;
}
