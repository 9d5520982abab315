/* SPDX-License-Identifier: MIT */
#include "tests/hostile/stage.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tests/support/fake-service-manager.h"
#include "tests/support/helper.h"
#include "tests/support/measure.h"

#define STORE_ENTRIES   4096  /* FileDescriptorStoreMax= of the unit */
#define FDS             65536 /* LimitNOFILE= of the unit */
#define FIRST_BYSTANDER 47031 /* uid */

const char honest_guid[] = "8a000000-0000-4000-8000-000000000001";
const char *const hostile_guids[OWNERS_MAX] = { "8b000000-0000-4000-8000-000000000001",
						"8b000000-0000-4000-8000-000000000002" };
const char *const hostile_users[OWNERS_MAX] = { "vail-mallory", "vail-mordred" };

/* --- processors ------------------------------------------------------------------------------ */

static void run_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		err(2, "sched_setaffinity");
}

void run_on_first_cpu(void)
{
	run_on(0);
}

void run_on_last_cpu(void)
{
	run_on((int)sysconf(_SC_NPROCESSORS_ONLN) - 1);
}

void raise_fd_limit(unsigned int count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(2, "getrlimit");
	struct rlimit wanted = { count, count > limit.rlim_max ? count : limit.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* --- the daemon ------------------------------------------------------------------------------ */

static void write_configuration(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file ||
	    fputs("{ \"allowUserMachines\": true,\n"
		  "  \"limits\": { \"virtualMachinesPerUid\": 4096 } }\n",
		  file) < 0 ||
	    fclose(file) != 0)
		err(2, "%s", path);
}

/* Removes the persisted records of the previous daemon. */
static void remove_records(const char *folder)
{
	char command[TEXT_SIZE];

	snprintf(command, sizeof(command), "rm -f '%s'/*", folder);
	if (system(command) != 0)
		errx(2, "cannot empty %s", folder);
}

/*
 * Keeps other programs of the machine from delaying this process and its children. Many kernels
 * share a CPU between sessions, and respect priorities only inside a session.
 */
static void take_priority(void)
{
	setsid();
	int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
	/* A kernel without this file shares the CPU between processes. */
	if (fd >= 0 && write(fd, "-20", strlen("-20")) < 0)
		warn("/proc/self/autogroup");
	if (fd >= 0)
		close(fd);
	setpriority(PRIO_PROCESS, 0, -20);
}

/* The daemon has the limits of its unit. The attackers run on another CPU. */
static pid_t execute_daemon(FakeServiceManager *manager, const StageOptions *options)
{
	pid_t pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run_on_first_cpu();
	take_priority();
	raise_fd_limit(FDS);
	fake_service_manager_execute(manager, options->command, -1);
}

/* Returns the pid of the daemon's second process, which exists when the daemon is ready. */
static pid_t find_examiner(pid_t daemon)
{
	char command[TEXT_SIZE];
	int pid = 0;

	snprintf(command, sizeof(command), "pgrep --exact vaild-examiner --parent %d", (int)daemon);
	FILE *output = popen(command, "re");
	if (!output || fscanf(output, "%d", &pid) != 1)
		errx(2, "cannot find the examiner");
	pclose(output);
	return pid;
}

static void start_daemon(Stage *stage)
{
	static FakeServiceManager manager;
	char period[32];

	write_configuration(stage->options->configuration);
	remove_records(stage->options->runtime_directory);
	unlink(stage->options->socket);
	snprintf(period, sizeof(period), "%d", WATCHDOG_SECONDS * 1000000);
	setenv("WATCHDOG_USEC", period, 1);
	fake_service_manager_init(&manager, STORE_ENTRIES);
	stage->manager = manager_start(&manager, stage->board);
	stage->daemon = stage->board->daemon = execute_daemon(&manager, stage->options);
	fake_service_manager_deinit(&manager);
	stage->board->watchdog_last = bench_now();
	while (!stage->board->daemon_is_ready) {
		if (waitpid(stage->daemon, NULL, WNOHANG) != 0)
			errx(2, "the daemon does not start");
		usleep(1000);
	}
	stage->board->examiner = find_examiner(stage->daemon);
}

static void kill_and_wait(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- VMs ------------------------------------------------------------------------------------- */

static void assign_gpu(Stage *stage, const char *guid)
{
	talk_successfully(stage->operator_connection,
			  "{\"method\":\"io.vaild.Machine.AssignVirtualGpu\",\"parameters\":"
			  "{\"virtualMachineGuid\":\"%s\"}}",
			  guid);
}

static void add_machines_of_users(Stage *stage)
{
	talk_successfully(stage->operator_connection,
			  "{\"method\":\"io.vaild.Machine.RegisterVirtualMachine\",\"parameters\":"
			  "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,\"displayClients\":"
			  "[{\"user\":\"vail-alice\"},{\"user\":\"vail-bob\"}]}}",
			  honest_guid, stage->vmm.pid);
	assign_gpu(stage, honest_guid);
	for (size_t i = 0; i < OWNERS_MAX; i++) {
		talk_successfully(
			stage->operator_connection,
			"{\"method\":\"io.vaild.Machine.RegisterVirtualMachine\",\"parameters\":"
			"{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,\"displayClients\":"
			"[{\"user\":\"%s\"}],\"agent\":{\"user\":\"%s\"}}}",
			hostile_guids[i], stage->vmm.pid, hostile_users[i], hostile_users[i]);
		assign_gpu(stage, hostile_guids[i]);
	}
}

static void share_object(Stage *stage)
{
	ActorCommand command = { .memories = 0 };

	command_share(&command, honest_guid, 1, false);
	const ActorReport *report = actor_execute(&stage->vmm, &command);
	if (strcmp(report->status, "STATUS_SUCCESS") != 0)
		errx(2, "cannot share an object: %s", report->reply);
	reply_text(report->reply, "handle", stage->handle, sizeof(stage->handle));
}

void stage_add_machines(Stage *stage, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		talk_successfully(
			stage->operator_connection,
			"{\"method\":\"io.vaild.Machine.RegisterVirtualMachine\",\"parameters\":"
			"{\"virtualMachineGuid\":\"8c000000-0000-4000-8000-%012x\","
			"\"vmmPid\":%d,\"displayClients\":[{\"user\":\"vail-carol\"}]}}",
			i + 1, stage->vmm.pid);
}

/* --- bystanders ------------------------------------------------------------------------------ */

static _Noreturn void stand_by(const Stage *stage, uid_t uid, unsigned int count, int ready)
{
	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		err(2, "cannot become uid %u", uid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int i = 0; i < count; i++)
		talk_successfully(helper_connect(stage->options->socket),
				  "{\"method\":\"org.varlink.service.GetInfo\"}");
	if (write(ready, "", 1) != 1)
		err(2, "write");
	for (;;)
		pause();
}

void stage_add_bystanders(Stage *stage, unsigned int processes, unsigned int count)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		err(2, "pipe");
	for (unsigned int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(2, "fork");
		if (pid == 0)
			stand_by(stage, FIRST_BYSTANDER + i, count, ready[1]);
		stage->bystanders[i] = pid;
		if (read(ready[0], &byte, 1) != 1)
			err(2, "read");
	}
	close(ready[0]);
	close(ready[1]);
}

/* --- memory ---------------------------------------------------------------------------------- */

static void reset_peak_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)pid);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	/* A kernel without this file reports the peak since the start, which is not lower. */
	if (fd >= 0 && write(fd, "5", 1) != 1)
		err(2, "%s", path);
	if (fd >= 0)
		close(fd);
}

static size_t peak_of(pid_t pid)
{
	char path[64], line[TEXT_SIZE];
	size_t peak = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0; /* the process has ended */
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "VmHWM:", strlen("VmHWM:")) == 0)
			peak = strtoul(line + strlen("VmHWM:"), NULL, 10);
	fclose(file);
	return peak;
}

void stage_reset_peak(const Stage *stage)
{
	reset_peak_of(stage->daemon);
	reset_peak_of(stage->board->examiner);
}

size_t stage_peak(const Stage *stage)
{
	return peak_of(stage->daemon) + peak_of(stage->board->examiner);
}

/* --- the stage ------------------------------------------------------------------------------- */

void stage_open(Stage *stage, const StageOptions *options, Board *board)
{
	memset(board, 0, sizeof(*board));
	*stage = (Stage){ .options = options, .board = board };
	start_daemon(stage);
	stage->operator_connection = helper_connect(options->socket);
	stage->vmm = actor_start(options->socket, "vail-vmm");
	/* Only a connection that has been accepted is allowed to send fds. */
	actor_request(&stage->vmm, "{\"method\":\"org.varlink.service.GetInfo\"}");
	add_machines_of_users(stage);
	share_object(stage);
}

bool stage_close(Stage *stage)
{
	bool is_alive = waitpid(stage->daemon, NULL, WNOHANG) == 0;

	for (size_t i = 0; stage->bystanders[i] > 0; i++)
		kill_and_wait(stage->bystanders[i]);
	actor_end(&stage->vmm, SIGKILL);
	close(stage->operator_connection);
	if (is_alive)
		kill_and_wait(stage->daemon);
	kill_and_wait(stage->manager);
	return is_alive;
}
