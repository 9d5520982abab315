/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <time.h>

#include "tests/soak/soak.h"

/* --- replies --------------------------------------------------------------------------------- */

/* Appends a reply to out. */
static void receive(int connection, FILE *out)
{
	char byte = '\0';

	while (byte != '\n') {
		if (recv(connection, &byte, 1, 0) != 1)
			errx(1, "the daemon closed an operator's connection");
		fputc(byte, out);
	}
}

/* Replaces the value of each of these keys with '*'. */
static void mask_numbers(char *text, const char *key)
{
	for (char *at = text; (at = strstr(at, key));) {
		at += strlen(key);
		const char *rest = at + strcspn(at, ",}");
		*at = '*';
		memmove(at + 1, rest, strlen(rest) + 1);
	}
}

/*
 * Masks values that change from run to run: handles, pids and times, and the limits, which change
 * with the configuration.
 */
static void mask(char *text)
{
	static const char *const keys[] = { "\"pid\":", "\"startedAt\":", "\"restored\":",
					    "\"dropped\":", "\"maximum\":" };
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		mask_numbers(text, keys[i]);
	for (char *at = text; *at; at += *at != '\0') {
		size_t length = strspn(at, digits);

		if (length == HANDLE_SIZE - 1)
			memset(at, '*', length);
		at += length;
	}
}

/*
 * Removes the remarks about the start from the replies, and returns how many are unexpected.
 * Remarks about processes that had ended are expected, and the one that the test hides the system
 * bus. One other remark is, too: about an entity whose persisted record was just being written or
 * removed when the daemon was killed.
 */
static size_t count_strange_remarks(char *answers)
{
	static const char *const usual[] = { "is gone\"",
					     "no longer has the privileges of a display client",
					     "it is no longer shared or held",
					     "this host has no system bus" };
	static const char key[] = "\"message\":";
	char *at = strstr(answers, ",\"remarks\":[");
	size_t count = 0;

	if (!at)
		return 1;
	*at++ = '\0';
	while ((at = strstr(at, key))) {
		bool is_usual = false;
		char *end = strchr(at, '}');

		*end = '\0';
		for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
			is_usual |= strstr(at, usual[i]) != NULL;
		count += !is_usual;
		if (count > 1)
			printf("# unexpected remark: %s\n", at);
		at = end + 1;
	}
	return count > 1 ? count : 0;
}

static void list_all(int connection, Audit *audit)
{
	static const char *const methods[] = {
		"ListRegistrations",       "ListSharedObjects", "Machine.ListVirtualMachines",
		"Machine.ListQuarantines", "Gpu.ListAdapters",  "Gpu.ListProcesses",
		"Monitor.GetStatus",
	};
	size_t size;
	FILE *out = open_memstream(&audit->answers, &size);

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "{\"method\":\"io.vaild.%s\"}\n", methods[i]);
		helper_send(connection, text, strlen(text));
		receive(connection, out);
	}
	fclose(out);
	mask(audit->answers);
	audit->remarks = count_strange_remarks(audit->answers);
}

/* Unregisters the adapters of drivers that ended, for which a restarted daemon still waits. */
static void unregister_adapters(int connection)
{
	static const char list[] = "{\"method\":\"io.vaild.Gpu.ListAdapters\"}\n";
	static const char key[] = "{\"adapter\":\"";
	char *adapters = NULL;
	size_t size;
	FILE *out = open_memstream(&adapters, &size);

	helper_send(connection, list, strlen(list));
	receive(connection, out);
	fclose(out);
	for (const char *at = adapters; (at = strstr(at, key));) {
		char text[128];

		at += strlen(key);
		/* This fails for the first one, the software adapter. */
		snprintf(text, sizeof(text),
			 "{\"method\":\"io.vaild.Gpu.UnregisterAdapter\",\"parameters\":{"
			 "\"adapter\":\"%.32s\"}}\n",
			 at);
		helper_send(connection, text, strlen(text));
	}
	free(adapters);
}

void audit_clear(const Soak *soak)
{
	int connection = helper_connect(soak->socket);
	char reply[4096];

	unregister_adapters(connection);
	for (unsigned int i = 0; i < GUIDS; i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "{\"method\":\"io.vaild.Machine.SetQuarantine\",\"parameters\":{"
			 "\"virtualMachineGuid\":\"50a450a4-50a4-40a4-80a4-0000000000%02x\","
			 "\"quarantined\":false}}\n",
			 i);
		helper_send(connection, text, strlen(text));
	}
	shutdown(connection, SHUT_WR);
	while (recv(connection, reply, sizeof(reply), 0) > 0)
		;
	close(connection);
}

/* --- /proc ----------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns the sorted link targets of the daemon's fds, without the numbers of sockets and pipes. */
static char *list_fds(const Soak *soak)
{
	char folder[64], *text = NULL, *items[4096];
	size_t count = 0, size;
	struct dirent *entry;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", soak->board->daemon);
	DIR *directory = opendir(folder);
	if (!directory)
		err(2, "%s", folder);
	while ((entry = readdir(directory)) && count < sizeof(items) / sizeof(items[0])) {
		char target[512];
		ssize_t length =
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		if (length <= 0)
			continue;
		target[length] = '\0';
		target[strcspn(target, "0123456789")] = '\0'; /* inode of a socket or pipe */
		items[count++] = strdup(target);
	}
	closedir(directory);
	qsort(items, count, sizeof(items[0]), compare_texts);
	FILE *out = open_memstream(&text, &size);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%s%s", i > 0 ? " " : "", items[i]);
		free(items[i]);
	}
	fclose(out);
	return text;
}

/* Returns the value of the key in a file of /proc/PID, in kB, or 0 if it is missing. */
static size_t read_kilobytes(pid_t pid, const char *name, const char *key)
{
	char path[64], line[256];
	size_t result = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	FILE *file = fopen(path, "re");
	if (!file)
		err(2, "%s", path);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			result = strtoul(line + strlen(key), NULL, 10);
	fclose(file);
	return result;
}

static off_t measure_records(const Soak *soak)
{
	struct stat status;
	char path[512];

	snprintf(path, sizeof(path), "%s/records", soak->runtime_directory);
	if (stat(path, &status) < 0)
		err(2, "%s", path);
	return status.st_size;
}

/* Reads the state on one connection, which is part of it. */
static Audit read_state(const Soak *soak)
{
	pid_t pid = soak->board->daemon;
	int connection = helper_connect(soak->socket);
	Audit audit = { .records = measure_records(soak) };

	list_all(connection, &audit);
	audit.fds = list_fds(soak);
	if (soak->bound > 0)
		service_command(SERVICE_MEASURE);
	audit.stored = soak->board->stored;
	audit.memory.resident = read_kilobytes(pid, "status", "VmRSS:");
	audit.memory.heap = soak->board->heap;
	audit.memory.anonymous = read_kilobytes(pid, "smaps_rollup", "Anonymous:");
	close(connection);
	return audit;
}

void audit_free(Audit *audit)
{
	free(audit->answers);
	free(audit->fds);
}

static bool is_same(const Audit *a, const Audit *b)
{
	return strcmp(a->answers, b->answers) == 0 && strcmp(a->fds, b->fds) == 0 &&
	       a->stored == b->stored;
}

/* Waits until the state equals the earlier one. Returns false if it does not in time. */
static bool settles(const Soak *soak, const Audit *before, Audit *ret)
{
	time_t deadline = time(NULL) + HELPER_HANG_SECONDS;

	for (*ret = read_state(soak); !is_same(before, ret); *ret = read_state(soak)) {
		if (time(NULL) > deadline)
			return false;
		audit_free(ret);
		poll(NULL, 0, 20);
	}
	return true;
}

bool audit_returns(const Soak *soak, const Audit *before, Audit *ret)
{
	if (settles(soak, before, ret))
		return true;
	printf("before: %s\n  %s\n  %zu stored\nnow: %s\n  %s\n  %zu stored\n", before->answers,
	       before->fds, before->stored, ret->answers, ret->fds, ret->stored);
	return false;
}

Audit audit_take(const Soak *soak)
{
	Audit audit = read_state(soak);

	while (!strstr(audit.answers, "\"connections\":1,")) {
		audit_free(&audit);
		audit = read_state(soak);
	}
	return audit;
}
