/* SPDX-License-Identifier: MIT */
/*
 * frames-bench SOCKET PID FOLDER: measures the cost of a frame from QEMU through vail-qemu and
 * vaild to viewers, of shared objects and of display channels, and to a listener of QEMU itself.
 * SOCKET and PID are those of the daemon. FOLDER is where the monitor's socket is made. QEMU is
 * fake-qemu, with a screen of 1280 by 800 pixels that it draws 30 times a second. With the damage
 * "unchanged", all drawings are the same. Prints a table.
 *
 * In the last row of channels, one more viewer never reads, which must not delay the others.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vail.h>

#include "tests/support/measure.h"

#define GUID        "5f1ae8ba-2c4e-4f4b-9b8b-0d5a3a4a7f10"
#define ROUNDS      5
#define FRAMES      30 /* in each round, which lasts a second */
#define VIEWERS_MAX 8

/* A child process that reads commands from stdin and prints a line for each. */
typedef struct Program {
	pid_t pid;
	FILE *in;
	FILE *out;
} Program;

static Program program_start(const char *const *arguments)
{
	Program program;
	int in[2], out[2];

	if (pipe(in) < 0 || pipe(out) < 0)
		bench_fail("cannot make pipes");
	program.pid = fork();
	if (program.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		for (int i = STDERR_FILENO + 1; i < 64; i++)
			close(i);
		execv(arguments[0], (char *const *)arguments);
		bench_fail("cannot execute %s", arguments[0]);
	}
	close(in[0]);
	close(out[1]);
	program.in = fdopen(in[1], "w");
	program.out = fdopen(out[0], "r");
	return program;
}

static void program_read_line(Program *program, char line[static 128])
{
	if (!fgets(line, 128, program->out))
		bench_fail("a process of the benchmark ended unexpectedly");
}

static void program_command(Program *program, const char *command, char line[static 128])
{
	fprintf(program->in, "%s\n", command);
	fflush(program->in);
	program_read_line(program, line);
}

static void program_end(Program *program)
{
	kill(program->pid, SIGKILL);
	waitpid(program->pid, NULL, 0);
	fclose(program->in);
	fclose(program->out);
}

/* ---- Measurements ---- */

typedef struct Stage {
	Program qemu;
	pid_t agent; /* 0 without vail-qemu */
	pid_t daemon;
	struct vail *vail;
	Program viewers[VIEWERS_MAX];
	size_t viewer_count;
} Stage;

/* Returns the bytes that the process has read and written, without those on sockets. */
static uint64_t bytes_of_files(pid_t pid)
{
	char path[64], line[128];
	uint64_t sum = 0, number;

	snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "rchar: %" SCNu64, &number) == 1 ||
		    sscanf(line, "wchar: %" SCNu64, &number) == 1)
			sum += number;
	if (file)
		fclose(file);
	return sum;
}

/* Returns the number of UpdateObject calls that vaild has executed. */
static uint64_t requests(const Stage *stage)
{
	char *reply = NULL;
	uint64_t number = 0;

	if (vail_call(stage->vail, "io.vaild.Monitor.GetMetrics", NULL, &reply) != STATUS_SUCCESS)
		bench_fail("GetMetrics: %s", vail_error_message(stage->vail));
	char *line =
		strstr(reply, "method=\\\"io.vaild.UpdateObject\\\",status=\\\"STATUS_SUCCESS");
	if (line)
		sscanf(strchr(line, '}'), "} %" SCNu64, &number);
	free(reply);
	return number;
}

/* The costs of a frame. */
typedef struct Frame {
	double agent; /* CPU time, nanoseconds */
	double daemon;
	double viewer; /* average over the viewers */
	double agent_bytes;
	double daemon_bytes;
	double viewer_bytes;
	double requests;
	double events;  /* to each viewer */
	double latency; /* nanoseconds from drawing to the event */
} Frame;

#define FRAME_NUMBERS (sizeof(Frame) / sizeof(double))

/* The costs of several rounds. */
typedef struct Rounds {
	Frame median;  /* of each cost */
	double spread; /* from the lowest to the highest latency */
} Rounds;

static Frame read_counters(const Stage *stage)
{
	Frame frame = { .daemon = (double)bench_cpu(stage->daemon),
			.daemon_bytes = (double)bytes_of_files(stage->daemon),
			.requests = (double)requests(stage) };

	if (stage->agent > 0) {
		frame.agent = (double)bench_cpu(stage->agent);
		frame.agent_bytes = (double)bytes_of_files(stage->agent);
	}
	for (size_t i = 0; i < stage->viewer_count; i++)
		frame.viewer +=
			(double)bench_cpu(stage->viewers[i].pid) / (double)stage->viewer_count;
	return frame;
}

/* Adds the viewers' reports since the last call. */
static void read_reports(Stage *stage, Frame *frame)
{
	double count = (double)stage->viewer_count, frames, bytes, latency;
	char line[128];

	for (size_t i = 0; i < stage->viewer_count; i++) {
		program_command(&stage->viewers[i], "report", line);
		if (sscanf(line, "%lf %lf %lf", &frames, &bytes, &latency) != 3)
			bench_fail("unexpected report of a viewer: '%s'", line);
		frame->events += frames / count;
		frame->viewer_bytes += bytes / count;
		frame->latency += latency / count;
	}
}

/* Reads the counters before and after the frames, and then the viewers' reports. */
static Frame measure_round(Stage *stage, const char *how, const char *rectangle)
{
	char line[128], command[128];
	Frame seen = { 0 };

	snprintf(command, sizeof(command), "%s 0 %d %d %s", how, FRAMES, FRAMES, rectangle);
	read_reports(stage, &(Frame){ 0 });
	Frame before = read_counters(stage);
	program_command(&stage->qemu, command, line);
	if (strncmp(line, "ok", 2) != 0)
		bench_fail("%s: %s", command, line);
	usleep(50000); /* for the last events, without costs for a request */
	Frame after = read_counters(stage);
	read_reports(stage, &seen);
	return (Frame){
		.agent = (after.agent - before.agent) / FRAMES,
		.daemon = (after.daemon - before.daemon) / FRAMES,
		.viewer = (after.viewer - before.viewer) / FRAMES,
		.agent_bytes = (after.agent_bytes - before.agent_bytes) / FRAMES,
		.daemon_bytes = (after.daemon_bytes - before.daemon_bytes) / FRAMES,
		.viewer_bytes = seen.viewer_bytes / FRAMES,
		.requests = (after.requests - before.requests) / FRAMES,
		.events = seen.events / FRAMES,
		.latency = seen.latency,
	};
}

static Rounds measure(Stage *stage, const char *how, const char *rectangle)
{
	union {
		Frame frame;
		double numbers[FRAME_NUMBERS];
	} rounds[ROUNDS], medians;
	double values[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++)
		rounds[i].frame = measure_round(stage, how, rectangle);
	for (size_t number = 0; number < FRAME_NUMBERS; number++) {
		for (size_t i = 0; i < ROUNDS; i++)
			values[i] = rounds[i].numbers[number];
		medians.numbers[number] = bench_median(values, ROUNDS);
	}
	for (size_t i = 0; i < ROUNDS; i++)
		values[i] = rounds[i].frame.latency;
	bench_median(values, ROUNDS); /* sorts them */
	return (Rounds){ medians.frame, values[ROUNDS - 1] - values[0] };
}

static void measure_and_print(Stage *stage, const char *who)
{
	static const struct {
		const char *name;
		const char *how;
		const char *rectangle;
	} damages[] = { { "full", "play", "0 0 1280 800" },
			{ "64x64", "play", "600 300 64 64" },
			{ "unchanged", "repeat", "0 0 1280 800" } };

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		Rounds rounds = measure(stage, damages[i].how, damages[i].rectangle);
		Frame frame = rounds.median;

		printf("%-16s %-10s %8.1f %8.1f %8.1f %8.1f %8.1f   %5.0f %5.0f %8.0f   %5.2f "
		       "%5.2f\n",
		       who, damages[i].name, frame.agent / 1000, frame.daemon / 1000,
		       frame.viewer / 1000, frame.latency / 1000, rounds.spread / 1000,
		       frame.agent_bytes, frame.daemon_bytes, frame.viewer_bytes / 1000,
		       frame.requests, frame.events);
		fflush(stdout);
	}
}

/* ---- Processes ---- */

static void wait_for(Program *program, const char *word)
{
	char line[128];

	program_read_line(program, line);
	if (strncmp(line, word, strlen(word)) != 0)
		bench_fail("a process of the benchmark printed '%s' instead of '%s'", line, word);
}

static void command_qemu(Stage *stage, const char *command)
{
	char line[128];

	program_command(&stage->qemu, command, line);
	if (strncmp(line, "ok", 2) != 0)
		bench_fail("fake-qemu: %s: %s", command, line);
}

static void add_viewers(Stage *stage, const char *const *arguments, size_t count)
{
	for (; stage->viewer_count < count; stage->viewer_count++) {
		Program *viewer = &stage->viewers[stage->viewer_count];

		*viewer = program_start(arguments);
		wait_for(viewer, "ready");
	}
}

static void remove_viewers(Stage *stage)
{
	while (stage->viewer_count > 0)
		program_end(&stage->viewers[--stage->viewer_count]);
}

static void start_qemu(Stage *stage, const char *monitor)
{
	stage->qemu = program_start((const char *[]){ "build/tests/helpers/fake-qemu", monitor,
						      "frames", GUID, "Graphic", NULL });
	while (access(monitor, F_OK) < 0)
		if (waitpid(stage->qemu.pid, NULL, WNOHANG) != 0)
			bench_fail("fake-qemu ended unexpectedly");
}

/* Measures frames on display channels, the last time with one more viewer that never reads. */
static void measure_channels(Stage *stage, const char *const *arguments)
{
	add_viewers(stage, arguments, 1);
	measure_and_print(stage, "one channel");
	add_viewers(stage, arguments, 4);
	measure_and_print(stage, "four channels");
	add_viewers(stage, arguments, 7);
	measure_and_print(stage, "seven channels");
	add_viewers(stage, arguments, 8);
	measure_and_print(stage, "eight channels");
	const Program *stuck = &stage->viewers[--stage->viewer_count];
	kill(stuck->pid, SIGSTOP);
	measure_and_print(stage, "and one stopped");
	stage->viewer_count++;
	remove_viewers(stage);
}

/* Measures frames through vail-qemu and vaild. */
static void measure_vaild(Stage *stage, const char *socket, const char *monitor)
{
	Program agent = program_start(
		(const char *[]){ "build/vail-qemu", "--qmp", monitor, "--socket", socket, NULL });
	const char *const viewer[] = { "build/tests/frame-viewer", socket, GUID, NULL };
	const char *const on_channel[] = { "build/tests/frame-listener", socket, GUID, NULL };

	command_qemu(stage, "listen 0 1");
	command_qemu(stage, "map 0 1280 800");
	stage->agent = agent.pid;
	add_viewers(stage, viewer, 1);
	measure_and_print(stage, "one viewer");
	add_viewers(stage, viewer, 4);
	measure_and_print(stage, "four viewers");
	remove_viewers(stage);
	measure_channels(stage, on_channel);
	stage->agent = 0;
	program_end(&agent);
}

static void measure_listener(Stage *stage, const char *monitor)
{
	add_viewers(stage, (const char *[]){ "build/tests/frame-listener", monitor, NULL }, 1);
	command_qemu(stage, "listen 0 2");
	measure_and_print(stage, "QEMU's listener");
	remove_viewers(stage);
}

int main(int argc, char **argv)
{
	Stage stage = { 0 };
	char monitor[96];

	if (argc != 4)
		bench_fail("usage: frames-bench SOCKET PID FOLDER");
	stage.daemon = (pid_t)atoi(argv[2]);
	snprintf(monitor, sizeof(monitor), "%s/qmp", argv[3]);
	bench_pin_to_one_cpu();
	if (vail_new(argv[1], &stage.vail) != STATUS_SUCCESS)
		bench_fail("vail_new");
	printf("\nCosts of a frame of 1280x800 pixels at %d frames per second, on one CPU, medians "
	       "of %d rounds:\n"
	       "CPU time in microseconds of vail-qemu (agent), vaild and a viewer; microseconds "
	       "from drawing to the event,\n"
	       "and from the fastest to the slowest round (spread); bytes of file I/O by vail-qemu "
	       "and vaild;\n"
	       "kB of the screen read by a viewer; requests to vaild and events to each viewer.\n\n"
	       "%-16s %-10s %8s %8s %8s %8s %8s   %5s %5s %8s   %5s %5s\n",
	       FRAMES, ROUNDS, "viewers", "damage", "agent", "vaild", "viewer", "latency", "spread",
	       "agent", "vaild", "read kB", "req", "event");
	start_qemu(&stage, monitor);
	measure_vaild(&stage, argv[1], monitor);
	measure_listener(&stage, monitor);
	program_end(&stage.qemu);
	vail_close(stage.vail);
	return EXIT_SUCCESS;
}
