/* SPDX-License-Identifier: MIT */
/*
 * persist-fds DIRECTORY SOCKET: a service that persists fds and processes with the daemon's own
 * code (daemon/host/persist/). Its persisted records are in DIRECTORY. It restores all that its
 * service manager returns, and then handles one command for each connection to SOCKET and replies
 * with a line:
 *
 *   command       effect                                       reply
 *   make          persists a new memfd                         its id
 *   again ID      persists a copy of the fd with this id       the id of the copy
 *   release ID    releases one fd with this id                 "kept" if the store still has an fd
 *                                                              with this id, or "gone"
 *   fill          persists new memfds until the store is full  how many
 *   watch PID     persists a process                           its key
 *   list                                                       all fds as "mID:INODE" and processes
 *                                                              as "pKEY:PID", in numerical order
 */
#include <event2/event.h>
#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "daemon/host/persist/persistence.h"
#include "tests/support/helper.h"

#define OPENED_MAX 8192
#define REPLY_SIZE (256 << 10)

typedef struct Service {
	Persistence persistence;
	ProcessTable processes;
	Statistics statistics;
	int opened[OPENED_MAX]; /* the persisted fds, unordered */
	uint64_t ids[OPENED_MAX];
	size_t count;
	char reply[REPLY_SIZE];
} Service;

static void ignore_exit(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

static void add(Service *service, uint64_t id, int fd)
{
	if (service->count == OPENED_MAX)
		errx(2, "more than %d fds", OPENED_MAX);
	service->opened[service->count] = fd;
	service->ids[service->count++] = id;
}

static size_t find(const Service *service, uint64_t id)
{
	for (size_t i = 0; i < service->count; i++)
		if (service->ids[i] == id)
			return i;
	errx(2, "there is no fd with id %" PRIu64, id);
}

/* Finds and uses every restored fd and process, because unused ones are removed afterwards. */
static void restore(Service *service)
{
	PersistedRecords records;

	if (record_file_load(&service->persistence.records, PERSISTED_FD, &records) < 0)
		errx(2, "cannot read the records");
	for (size_t i = 0; i < records.count; i++) {
		uint64_t id = records.items[i].number;
		int fd;

		if (persistence_fdstore_find(&service->persistence, id, &fd) != LOOKUP_FOUND)
			errx(2, "fd %" PRIu64 " was not restored", id);
		add(service, id, fd);
	}
	persisted_records_deinit(&records);
	if (record_file_load(&service->persistence.records, PERSISTED_PROCESS, &records) < 0)
		errx(2, "cannot read the records");
	for (size_t i = 0; i < records.count; i++)
		host_process_watch(
			process_table_find(&service->processes, records.items[i].number));
	persisted_records_deinit(&records);
	persistence_end_restore(&service->persistence);
}

static void start(Service *service, const char *directory)
{
	ListenFds passed;
	struct event_base *base = event_base_new();
	PersistenceOptions options = {
		.runtime_directory = directory,
		.roots = FS_ROOTS_DEFAULT,
		.processes = &service->processes,
		.parser = json_parser_new(),
		.statistics = &service->statistics,
	};

	event_base_priority_init(base, 2);
	process_table_init(&service->processes, base, &FS_ROOTS_DEFAULT, ignore_exit, NULL);
	if (fd_info_init(&options.memfds) < 0 || listen_fds_init(&passed) < 0 ||
	    persistence_open(&service->persistence, &options, &passed) < 0)
		exit(2);
	listen_fds_deinit(&passed);
	restore(service);
}

/* Returns the id, or 0 if the fd cannot be persisted. */
static uint64_t persist(Service *service, int fd)
{
	uint64_t id = persistence_fdstore_add(&service->persistence, fd);

	if (id != 0)
		add(service, id, fd);
	else
		close(fd);
	return id;
}

static int make_memory(void)
{
	int memory = memfd_create("kept", MFD_CLOEXEC);

	if (memory < 0)
		err(2, "memfd_create");
	return memory;
}

static void release(Service *service, uint64_t id)
{
	size_t at = find(service, id);
	StoreName name = { .kind = PERSISTED_FD, .number = id };

	if (!persistence_fdstore_release(&service->persistence, service->opened[at]))
		close(service->opened[at]);
	while (persistence_remove_ended(&service->persistence))
		;
	service->count--;
	service->opened[at] = service->opened[service->count];
	service->ids[at] = service->ids[service->count];
	strcpy(service->reply, fd_store_find(&service->persistence.store, &name) ? "kept" : "gone");
}

static uint64_t watch(Service *service, pid_t pid)
{
	HostProcess *process;

	if (process_table_open(&service->processes, pid, &process) != LOOKUP_FOUND ||
	    !host_process_watch(process))
		errx(2, "%d cannot be watched", (int)pid);
	return process->key;
}

static void list(Service *service)
{
	FILE *out = fmemopen(service->reply, sizeof(service->reply), "w");
	const char *separator = "";
	struct stat status;
	HostProcess *process;

	for (uint64_t id = 1; id <= service->persistence.last_id; id++) {
		StoreName name = { .kind = PERSISTED_FD, .number = id };

		if (!fd_store_find(&service->persistence.store, &name))
			continue;
		fstat(service->opened[find(service, id)], &status);
		fprintf(out, "%sm%" PRIu64 ":%ju", separator, id, (uintmax_t)status.st_ino);
		separator = " ";
	}
	for (ProcessKey key = 1; key <= service->processes.last_key; key++) {
		process = process_table_find(&service->processes, key);
		if (!process || !process->watched)
			continue;
		fprintf(out, "%sp%" PRIu64 ":%d", separator, key, (int)process->pid);
		separator = " ";
	}
	fclose(out);
}

static void answer(Service *service, const char *line)
{
	uint64_t number = 0;

	service->reply[0] = '\0';
	if (strcmp(line, "make") == 0) {
		number = persist(service, make_memory());
	} else if (sscanf(line, "again %" SCNu64, &number) == 1) {
		number = persist(service, dup(service->opened[find(service, number)]));
	} else if (strcmp(line, "fill") == 0) {
		while (persist(service, make_memory()) != 0)
			number++;
	} else if (sscanf(line, "watch %" SCNu64, &number) == 1) {
		number = watch(service, (pid_t)number);
	} else if (sscanf(line, "release %" SCNu64, &number) == 1) {
		release(service, number);
		return;
	} else {
		list(service);
		return;
	}
	snprintf(service->reply, sizeof(service->reply), "%" PRIu64, number);
}

int main(int argc, char **argv)
{
	static Service service;

	if (argc != 3)
		errx(2, "usage: persist-fds DIRECTORY SOCKET");
	start(&service, argv[1]);
	struct sockaddr_un address = helper_address(argv[2]);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(argv[2]);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 8) < 0)
		err(2, "%s", argv[2]);
	sd_notify(false, "READY=1");
	for (;;) {
		int connection = accept(listener, NULL, NULL);
		char line[HELPER_LINE_SIZE];
		FILE *in = connection < 0 ? NULL : fdopen(connection, "r");

		if (!in)
			err(2, "accept");
		if (fgets(line, sizeof(line), in)) {
			line[strcspn(line, "\n")] = '\0';
			answer(&service, line);
			strcat(service.reply, "\n");
			helper_send(connection, service.reply, strlen(service.reply));
		}
		fclose(in);
	}
}
