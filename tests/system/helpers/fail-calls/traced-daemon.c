/* SPDX-License-Identifier: MIT */
#include "tests/system/helpers/fail-calls/traced-daemon.h"

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define STORE_ENTRIES 512
#define ARGUMENTS_MAX 48
#define LOOK_MS       10 /* interval of the checks whether a silent daemon has started */

/* --- folders --------------------------------------------------------------------------------- */

static void format_path(char path[static 128], const TracedDaemon *daemon, const char *name)
{
	snprintf(path, 128, "%s/%s", daemon->directory, name);
}

static void make_folder(const TracedDaemon *daemon, const char *name)
{
	char path[128];

	format_path(path, daemon, name);
	if (mkdir(path, 0755) < 0 || chown(path, daemon->owner, (gid_t)-1) < 0)
		err(2, "%s", path);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static void open_listener(TracedDaemon *daemon)
{
	struct sockaddr_un address;

	snprintf(daemon->socket, sizeof(daemon->socket), "%s/socket", daemon->directory);
	address = helper_address(daemon->socket);
	daemon->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(daemon->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(daemon->socket, 0666) < 0 || listen(daemon->listener, 64) < 0)
		err(2, "%s", daemon->socket);
}

/* Makes the file through which this process controls the daemon's allocations. */
static void make_allocator(TracedDaemon *daemon)
{
	char path[128];

	format_path(path, daemon, "allocator");
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0 || ftruncate(file, sizeof(Allocator)) < 0 ||
	    fchown(file, daemon->owner, (gid_t)-1) < 0)
		err(2, "%s", path);
	daemon->allocator =
		mmap(NULL, sizeof(Allocator), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (daemon->allocator == MAP_FAILED)
		err(2, "%s", path);
	close(file);
}

void traced_daemon_init(TracedDaemon *daemon, const char *directory)
{
	snprintf(daemon->directory, sizeof(daemon->directory), "%s", directory);
	if (mkdir(directory, 0755) < 0 || chown(directory, daemon->owner, (gid_t)-1) < 0)
		err(2, "%s", directory);
	make_folder(daemon, "run");
	make_folder(daemon, "state");
	make_folder(daemon, "config");
	make_allocator(daemon);
	open_listener(daemon);
	daemon->manager = calloc(1, sizeof(*daemon->manager));
	if (!daemon->manager)
		err(2, "memory");
	fake_service_manager_init(daemon->manager, STORE_ENTRIES);
	daemon->pidfd = -1;
}

void traced_daemon_deinit(TracedDaemon *daemon)
{
	if (daemon->pidfd >= 0)
		traced_daemon_end(daemon, SIGKILL);
	fake_service_manager_deinit(daemon->manager);
	free(daemon->manager);
	close(daemon->listener);
	munmap(daemon->allocator, sizeof(*daemon->allocator));
	nftw(daemon->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- starting and ending --------------------------------------------------------------------- */

typedef struct Arguments {
	size_t count;
	char *items[ARGUMENTS_MAX];
} Arguments;

static __attribute__((format(printf, 2, 3))) void add(Arguments *arguments, const char *format, ...)
{
	va_list values;

	if (arguments->count + 1 == ARGUMENTS_MAX)
		errx(2, "too many arguments");
	va_start(values, format);
	if (vasprintf(&arguments->items[arguments->count++], format, values) < 0)
		err(2, "memory");
	va_end(values);
}

static void arguments_free(Arguments *arguments)
{
	while (arguments->count > 0)
		free(arguments->items[--arguments->count]);
}

static void add_tracer(Arguments *arguments, const TracedDaemon *daemon, const Fault *fault)
{
	char path[128];

	format_path(path, daemon, "run.trace");
	unlink(path);
	add(arguments, "strace");
	add(arguments, "-o");
	add(arguments, "%s/run.trace", daemon->directory);
	if (!fault || fault->when == 0)
		return;
	add(arguments, "-etrace=%s", fault->call);
	add(arguments, "-einject=%s:%s:when=%u", fault->call, fault->what, fault->when);
}

static void add_daemon(Arguments *arguments, const TracedDaemon *daemon)
{
	add(arguments, "%s", daemon->program);
	add(arguments, "--socket");
	add(arguments, "%s", daemon->socket);
	add(arguments, "--runtime-dir");
	add(arguments, "%s/run", daemon->directory);
	add(arguments, "--state-dir");
	add(arguments, "%s/state", daemon->directory);
	add(arguments, "--config");
	add(arguments, "%s/config", daemon->directory);
}

static void reap(TracedDaemon *daemon)
{
	/* Handle what the daemon sent before its death. */
	fake_service_manager_read(daemon->manager);
	if (waitpid(daemon->pid, &daemon->status, 0) != daemon->pid)
		err(2, "waitpid");
	close(daemon->pidfd);
	daemon->pidfd = -1;
	daemon->deaths++;
}

static bool is_allocation(const Fault *fault)
{
	return fault && strcmp(fault->call, FAULT_ALLOCATION) == 0;
}

/* Resets the counters, and arms the fault if it is one of an allocation. */
static void set_allocator(TracedDaemon *daemon, const Fault *fault)
{
	daemon->allocator->count = daemon->allocator->refused = 0;
	daemon->allocator->fails = is_allocation(fault) ? fault->when : 0;
}

/* Starts the daemon with its stderr redirected to the log file. */
static void execute(TracedDaemon *daemon, const Arguments *arguments)
{
	char path[128];

	format_path(path, daemon, "allocator");
	setenv("VAILD_ALLOCATOR", path, 1);
	int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	format_path(path, daemon, "log");
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log < 0 || dup2(log, STDERR_FILENO) < 0)
		err(2, "%s", path);
	daemon->pid =
		fake_service_manager_start(daemon->manager, arguments->items, daemon->listener);
	dup2(own, STDERR_FILENO);
	close(own);
	close(log);
	daemon->pidfd = pidfd_open(daemon->pid, 0);
	if (daemon->pidfd < 0)
		err(2, "pidfd_open");
}

/* Tells whether the daemon waits in its event loop, which it enters after it reports readiness. */
static bool waits_for_events(const TracedDaemon *daemon)
{
	char path[64], text[32] = "";
	long call;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)daemon->pid);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(file);
	if (sscanf(text, "%ld", &call) != 1)
		return false; /* it runs, or is dead */
#ifdef SYS_epoll_wait
	if (call == SYS_epoll_wait)
		return true;
#endif
	return call == SYS_epoll_pwait;
}

/*
 * Waits until the daemon is ready or dead. If may_be_silent, kills a daemon that could not report
 * that it is ready, as systemd does.
 */
static void await_start(TracedDaemon *daemon, bool may_be_silent)
{
	while (!daemon->manager->is_ready && daemon->pidfd >= 0) {
		struct pollfd poll_for[] = {
			{ .fd = daemon->manager->socket, .events = POLLIN },
			{ .fd = daemon->pidfd, .events = POLLIN },
		};

		bool is_up = may_be_silent && waits_for_events(daemon);

		poll(poll_for, 2, is_up ? 0 : may_be_silent ? LOOK_MS : -1);
		fake_service_manager_read(daemon->manager);
		if (is_up && !daemon->manager->is_ready)
			kill(daemon->pid, SIGKILL);
		if (!daemon->manager->is_ready && poll_for[1].revents)
			reap(daemon);
	}
}

void traced_daemon_start(TracedDaemon *daemon, const Fault *fault)
{
	Arguments arguments = { 0 };

	for (size_t i = 0; daemon->prefix[i]; i++)
		add(&arguments, "%s", daemon->prefix[i]);
	set_allocator(daemon, fault);
	if (fault && !is_allocation(fault)) {
		add_tracer(&arguments, daemon, fault);
		/* As a grandchild, so that the daemon has the pid in $LISTEN_PID. */
		add(&arguments, "-D");
	}
	add_daemon(&arguments, daemon);
	execute(daemon, &arguments);
	arguments_free(&arguments);
	await_start(daemon, fault);
}

void traced_daemon_end(TracedDaemon *daemon, int signal_number)
{
	struct pollfd poll_for = { .fd = daemon->pidfd, .events = POLLIN };

	traced_daemon_detach(daemon);
	kill(daemon->pid, signal_number);
	if (poll(&poll_for, 1, -1) != 1)
		err(2, "poll");
	reap(daemon);
	daemon->deaths--; /* this death was expected */
}

/* --- tracing --------------------------------------------------------------------------------- */

/* Waits for strace's message that it has attached to the daemon. */
static void await_attached(int output)
{
	char line[256];
	ssize_t size = read(output, line, sizeof(line) - 1);

	if (size <= 0)
		errx(2, "strace ended");
	line[size] = '\0';
	if (!strstr(line, "attached"))
		errx(2, "strace: %s", line);
}

void traced_daemon_attach(TracedDaemon *daemon, const Fault *fault)
{
	Arguments arguments = { 0 };
	int output[2];

	set_allocator(daemon, fault);
	if (is_allocation(fault))
		return;
	add_tracer(&arguments, daemon, fault);
	add(&arguments, "-p");
	add(&arguments, "%d", (int)daemon->pid);
	if (pipe2(output, O_CLOEXEC) < 0)
		err(2, "pipe2");
	daemon->tracer = fork();
	if (daemon->tracer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(output[1], STDERR_FILENO);
		execvp(arguments.items[0], arguments.items);
		err(2, "strace");
	}
	close(output[1]);
	await_attached(output[0]);
	daemon->tracer_output = output[0];
	arguments_free(&arguments);
}

void traced_daemon_detach(TracedDaemon *daemon)
{
	daemon->allocator->fails = 0;
	if (daemon->tracer <= 0)
		return;
	kill(daemon->tracer, SIGTERM);
	waitpid(daemon->tracer, NULL, 0);
	close(daemon->tracer_output);
	daemon->tracer = 0;
}

static char *read_file(const TracedDaemon *daemon, const char *name)
{
	char path[128], *text = NULL;
	size_t size = 0;

	format_path(path, daemon, name);
	FILE *file = fopen(path, "r");
	if (!file || getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	if (file)
		fclose(file);
	return text;
}

size_t traced_daemon_count_allocations(const TracedDaemon *daemon)
{
	return daemon->allocator->count;
}

char *traced_daemon_read_trace(const TracedDaemon *daemon)
{
	return read_file(daemon, "run.trace");
}

bool traced_daemon_was_refused(const TracedDaemon *daemon)
{
	char *trace = traced_daemon_read_trace(daemon);
	bool was_refused = strstr(trace, "(INJECTED)") || daemon->allocator->refused > 0;

	free(trace);
	return was_refused;
}

/* --- inspection ------------------------------------------------------------------------------ */

void traced_daemon_await(TracedDaemon *daemon, int fd)
{
	for (;;) {
		struct pollfd poll_for[] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = daemon->manager->socket, .events = POLLIN },
			{ .fd = daemon->pidfd, .events = POLLIN },
		};

		if (poll(poll_for, 3, -1) < 0)
			err(2, "poll");
		fake_service_manager_read(daemon->manager);
		if (poll_for[2].revents) {
			reap(daemon);
			traced_daemon_detach(daemon);
			traced_daemon_start(daemon, NULL);
			if (daemon->pidfd < 0)
				errx(2, "%s: the daemon did not restart after its death",
				     daemon->directory);
		} else if (poll_for[0].revents) {
			return;
		}
	}
}

size_t traced_daemon_count_fds(const TracedDaemon *daemon)
{
	char path[128], target[64];
	size_t count = 0;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon->pid);
	DIR *folder = opendir(path);
	if (!folder)
		err(2, "%s", path);
	while ((entry = readdir(folder))) {
		ssize_t size = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target));

		count += size > 0 && strncmp(target, "socket:", strlen("socket:")) != 0;
	}
	closedir(folder);
	return count;
}

bool traced_daemon_has_children(const TracedDaemon *daemon)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)daemon->pid,
		 (int)daemon->pid);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		err(2, "%s", path);
	ssize_t size = read(file, text, sizeof(text) - 1);
	close(file);
	text[size > 0 ? size : 0] = '\0';
	/* A blank follows each pid. One of them is the examiner's. */
	return strchr(text, ' ') != strrchr(text, ' ');
}

void traced_daemon_print_refused(const TracedDaemon *daemon)
{
	char *trace = traced_daemon_read_trace(daemon);

	for (char *rest = trace, *line; (line = strsep(&rest, "\n"));)
		if (strstr(line, "(INJECTED)"))
			printf("# %s\n", line);
	free(trace);
}

void traced_daemon_print_log(const TracedDaemon *daemon)
{
	char *log = read_file(daemon, "log");

	for (char *rest = log, *line; (line = strsep(&rest, "\n"));)
		if (*line)
			printf("# log: %s\n", line);
	free(log);
}

bool traced_daemon_log_has(const TracedDaemon *daemon, const char *text)
{
	char *log = read_file(daemon, "log");
	bool has = strstr(log, text);

	free(log);
	return has;
}
