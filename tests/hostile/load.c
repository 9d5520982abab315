/* SPDX-License-Identifier: MIT */
/*
 * A load sends one request per connection and period, and measures how long each reply takes. If a
 * reply takes longer than a period, the requests that were due meanwhile are not sent, but counted
 * with the waits that they would have had.
 */
#include "tests/hostile/load.h"

#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/hostile/talk.h"
#include "tests/support/helper.h"
#include "tests/support/measure.h"

#define CONNECTIONS_MAX   50
#define HONEST_PERIOD     UINT64_C(50000000)
#define OPERATOR_PERIOD   UINT64_C(5000000)
#define NEWCOMER_PERIOD   UINT64_C(50000000)
#define PAUSE_MAX         UINT64_C(2000000) /* without a look at the phase */
#define REPLY_SIZE        (64 << 10)
#define REQUESTS_MAX      5
#define REALTIME_PRIORITY 10

typedef struct LoadConnection {
	int fd;
	bool is_busy; /* awaits a reply */
	uint64_t due; /* begin of the current wait if busy, otherwise time of the next request */
	uint64_t cpu; /* CPU time of the daemon when the current request was sent */
	unsigned int turn;
	size_t received; /* bytes of the reply */
} LoadConnection;

typedef struct Load {
	Board *board;
	Meter *meter;
	const char *socket;
	const char *user; /* NULL for root */
	bool reconnects;
	uint64_t period;
	size_t count;
	LoadConnection connections[CONNECTIONS_MAX];
	char requests[REQUESTS_MAX][TEXT_SIZE];
	size_t request_count;
	char own_requests[2][TEXT_SIZE]; /* of the first connection, if it has some */
	clockid_t daemon_clock, examiner_clock;
	Phase phase;
	int poll;
} Load;

/* --- requests -------------------------------------------------------------------------------- */

/*
 * The first connection opens and closes an object, because a process is one holder: two connections
 * would close each other's.
 */
static void set_honest_requests(Load *load, const LoadOptions *options)
{
	static const char request[] = "{\"method\":\"%s\",\"parameters\":{\"%s\":\"%s\"}}\n";

	snprintf(load->own_requests[0], TEXT_SIZE, request, "io.vaild.OpenSharedObject", "handle",
		 options->handle);
	snprintf(load->own_requests[1], TEXT_SIZE, request, "io.vaild.CloseSharedObject", "handle",
		 options->handle);
	snprintf(load->requests[0], TEXT_SIZE, "{\"method\":\"org.varlink.service.GetInfo\"}\n");
	snprintf(load->requests[1], TEXT_SIZE, request, "io.vaild.RegisterVailProcess",
		 "virtualMachineGuid", options->guid);
	snprintf(load->requests[2], TEXT_SIZE, "{\"method\":\"io.vaild.ListRegistrations\"}\n");
	snprintf(load->requests[3], TEXT_SIZE, request, "io.vaild.Machine.DescribeVirtualMachine",
		 "virtualMachineGuid", options->guid);
	snprintf(load->requests[4], TEXT_SIZE, "{\"method\":\"io.vaild.ListSharedObjects\"}\n");
	load->request_count = 5;
}

static const char *next_request(Load *load, LoadConnection *connection)
{
	unsigned int turn = connection->turn++;

	if (connection == load->connections && load->own_requests[0][0] != '\0')
		return load->own_requests[turn % 2];
	return load
		->requests[(turn + (size_t)(connection - load->connections)) % load->request_count];
}

static void count_failure(Load *load, const char *what)
{
	if (load->meter->failures == 0)
		snprintf(load->meter->failure, TEXT_SIZE, "%.*s", (int)strcspn(what, "\n"), what);
	load->meter->failures++;
}

/* --- measuring ------------------------------------------------------------------------------- */

static uint64_t read_cpu(clockid_t clock)
{
	struct timespec used = { 0 };

	clock_gettime(clock, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* The daemon waits for the examiner, which runs on the same CPU. */
static uint64_t daemon_cpu(const Load *load)
{
	return read_cpu(load->daemon_clock) + read_cpu(load->examiner_clock);
}

static void record(Load *load, const LoadConnection *connection, uint64_t now)
{
	Meter *meter = load->meter;

	histogram_add_with_missed(&meter->waits[load->phase], now - connection->due, load->period);
	if (connection->is_busy)
		histogram_add(&meter->cpu[load->phase], daemon_cpu(load) - connection->cpu);
}

/* Ends the current waits at the end of a phase. They begin again in the next phase. */
static void follow_phase(Load *load, uint64_t now)
{
	Phase phase = load->board->phase;

	if (phase == load->phase)
		return;
	for (size_t i = 0; i < load->count; i++) {
		LoadConnection *connection = &load->connections[i];

		if (connection->due >= now)
			continue;
		record(load, connection, now);
		connection->due = now;
		connection->cpu = daemon_cpu(load);
	}
	load->phase = phase;
	load->meter->phase = phase;
}

/* --- connections ----------------------------------------------------------------------------- */

/* Returns false if the daemon's queue of new connections is full. */
static bool open_connection(Load *load, LoadConnection *connection)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
	struct sockaddr_un address = helper_address(load->socket);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno != EAGAIN)
			err(2, "connect");
		close(fd);
		return false;
	}
	connection->fd = fd;
	if (epoll_ctl(load->poll, EPOLL_CTL_ADD, fd, &event) < 0)
		err(2, "epoll_ctl");
	return true;
}

/* Closes the connection and opens it again for the next request, at the time due. */
static void replace_connection(LoadConnection *connection)
{
	close(connection->fd);
	connection->fd = -1;
	connection->is_busy = false;
}

static void lose_connection(Load *load, LoadConnection *connection)
{
	count_failure(load, "the daemon closed a connection");
	replace_connection(connection);
	connection->due = bench_now() + load->period;
}

static void send_request(Load *load, LoadConnection *connection)
{
	if (connection->fd < 0 && !open_connection(load, connection))
		return;
	const char *request = next_request(load, connection);
	connection->cpu = daemon_cpu(load);
	connection->is_busy = true;
	connection->received = 0;
	if (send(connection->fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		lose_connection(load, connection);
}

static void finish_request(Load *load, LoadConnection *connection)
{
	uint64_t now = bench_now();

	record(load, connection, now);
	connection->is_busy = false;
	while (connection->due < now) /* the missed requests have been counted */
		connection->due += load->period;
	if (load->reconnects)
		replace_connection(connection);
}

static void receive_reply(Load *load, LoadConnection *connection)
{
	static char bytes[REPLY_SIZE];
	int fd;
	ssize_t size =
		helper_recvmsg_one(connection->fd, bytes, sizeof(bytes) - 1, MSG_DONTWAIT, &fd);

	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0) {
		lose_connection(load, connection);
		return;
	}
	if (fd >= 0)
		close(fd);
	bytes[size] = '\0';
	if (connection->received == 0 && !reply_is_success(bytes))
		count_failure(load, bytes);
	connection->received += (size_t)size;
	if (bytes[size - 1] == '\n')
		finish_request(load, connection);
}

/* --- the process ----------------------------------------------------------------------------- */

/* Sends all requests that are due. Returns the time of the next one. */
static uint64_t send_due(Load *load, uint64_t now)
{
	uint64_t next = now + PAUSE_MAX;

	for (size_t i = 0; i < load->count; i++) {
		LoadConnection *connection = &load->connections[i];

		if (connection->is_busy)
			continue;
		if (connection->due <= now)
			send_request(load, connection);
		else if (connection->due < next)
			next = connection->due;
	}
	return next;
}

static _Noreturn void run(Load *load)
{
	struct epoll_event events[CONNECTIONS_MAX];

	for (;;) {
		uint64_t now = bench_now();

		follow_phase(load, now);
		uint64_t next = send_due(load, now);
		struct timespec timeout = { .tv_nsec = (long)(next - now) };
		int ready = epoll_pwait2(load->poll, events, CONNECTIONS_MAX, &timeout, NULL);

		for (int i = 0; i < ready; i++)
			receive_reply(load, events[i].data.ptr);
	}
}

static void register_process(Load *load, const char *guid)
{
	int connection = helper_connect(load->socket);

	talk_successfully(connection, "{\"method\":\"io.vaild.Gpu.CreateContext\"}");
	talk_successfully(connection,
			  "{\"method\":\"io.vaild.RegisterVailProcess\",\"parameters\":"
			  "{\"virtualMachineGuid\":\"%s\"}}",
			  guid);
	close(connection);
}

/* Without the right to real-time priority, the measured times are those of a busy machine. */
static void take_priority(void)
{
	struct sched_param parameters = { .sched_priority = REALTIME_PRIORITY };

	run_on_first_cpu();
	if (sched_setscheduler(0, SCHED_FIFO, &parameters) < 0)
		setpriority(PRIO_PROCESS, 0, -20);
}

static void connect_all(Load *load)
{
	uint64_t now = bench_now();

	load->poll = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < load->count; i++) {
		load->connections[i].fd = -1;
		load->connections[i].due = now + load->period * i / load->count;
		if (!load->reconnects && !open_connection(load, &load->connections[i]))
			errx(2, "the daemon does not accept connections");
	}
}

static void load_init(Load *load, LoadKind kind, const LoadOptions *options)
{
	static const char *const users[] = { [LOAD_ALICE] = "vail-alice", [LOAD_BOB] = "vail-bob" };
	static const char get_status[] = "{\"method\":\"io.vaild.Monitor.GetStatus\"}\n";

	load->meter = &load->board->meters[kind];
	if (kind == LOAD_ALICE || kind == LOAD_BOB) {
		load->user = users[kind];
		load->count = options->connections;
		load->period = HONEST_PERIOD;
		set_honest_requests(load, options);
	} else {
		load->count = 1;
		load->period = kind == LOAD_OPERATOR ? OPERATOR_PERIOD : NEWCOMER_PERIOD;
		load->reconnects = kind == LOAD_NEWCOMER;
		snprintf(load->requests[0], TEXT_SIZE, "%s", get_status);
		load->request_count = 1;
	}
}

pid_t load_start(Board *board, LoadKind kind, const LoadOptions *options)
{
	static Load load;
	pid_t pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid > 0)
		return pid;
	load = (Load){ .board = board, .socket = options->socket };
	load_init(&load, kind, options);
	take_priority();
	if (load.user && !helper_become_user(load.user))
		err(2, "cannot become %s", load.user);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the user change, which clears it */
	if (clock_getcpuclockid(board->daemon, &load.daemon_clock) != 0 ||
	    clock_getcpuclockid(board->examiner, &load.examiner_clock) != 0)
		errx(2, "cannot read the CPU time of the daemon");
	if (load.own_requests[0][0] != '\0')
		register_process(&load, options->guid);
	connect_all(&load);
	board->loads_ready++;
	run(&load);
}
