/* SPDX-License-Identifier: MIT */
#include "tests/bench/fleet/processes.h"

#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/buffer.h"
#include "proto/macros.h"
#include "tests/support/measure.h"

#define PATIENCE_SECONDS 60

/* Starts a program, whose output goes to a file. It ends with this process. */
static pid_t start(char *const *arguments, const char *log)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dup2(file, STDOUT_FILENO);
	dup2(file, STDERR_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		execvp(arguments[0], arguments);
	_exit(127);
}

void process_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- plain requests -------------------------------------------------------------------------- */

static size_t keep(char *data, size_t size, size_t count, void *context)
{
	Buffer *answer = context;

	return buffer_append(answer, data, size * count) ? size * count : 0;
}

/* Returns the HTTP status, or 0. body: NULL for a GET. */
static long ask(const char *path, const char *body, Buffer *answer)
{
	static CURL *easy;
	char url[256];
	long status = 0;

	if (!easy)
		easy = curl_easy_init();
	snprintf(url, sizeof(url), ETCD_URL "/%s", path);
	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
	if (body)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	buffer_truncate(answer, 0);
	if (curl_easy_perform(easy) == CURLE_OK)
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

size_t post(const char *path, const char *body)
{
	_cleanup_(buffer_deinit) Buffer answer = BUFFER_INIT;
	long status = ask(path, body, &answer);

	if (status != 200)
		bench_fail("etcd answers %s with %ld", path, status);
	return buffer_size(&answer);
}

double etcd_counter(const char *prefix)
{
	_cleanup_(buffer_deinit) Buffer answer = BUFFER_INIT;
	double sum = 0;

	if (ask("metrics", NULL, &answer) != 200 || !buffer_append(&answer, "", 1))
		bench_fail("etcd has no metrics");
	for (const char *line = buffer_head(&answer); line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, prefix, strlen(prefix)) == 0)
			sum += strtod(line + strcspn(line, " "), NULL);
	}
	return sum;
}

/* --- processes ------------------------------------------------------------------------------- */

static void await_etcd(pid_t pid, const char *log)
{
	_cleanup_(buffer_deinit) Buffer answer = BUFFER_INIT;

	for (int i = 0; i < PATIENCE_SECONDS * 20; i++) {
		if (ask("health", NULL, &answer) == 200)
			return;
		if (waitpid(pid, NULL, WNOHANG) != 0)
			break;
		usleep(50000);
	}
	bench_fail("etcd does not start; see %s", log);
}

pid_t etcd_process_start(const char *folder)
{
	char data[256], log[256];
	char *const arguments[] = { "etcd",        "--data-dir", data,     "--logger", "zap",
				    "--log-level", "error",      "--name", "bench",    NULL };

	snprintf(data, sizeof(data), "%s/etcd", folder);
	snprintf(log, sizeof(log), "%s/etcd.log", folder);
	pid_t pid = start(arguments, log);
	await_etcd(pid, log);
	return pid;
}

pid_t fleet_process_start(const char *folder)
{
	char config[256], socket[256], vaild[256], log[256];
	char *const arguments[] = { "build/vaild-fleet", "--config", config, "--socket", socket,
				    "--vaild-socket",    vaild,      NULL };

	snprintf(config, sizeof(config), "%s/fleet.json", folder);
	snprintf(socket, sizeof(socket), "%s/fleet.sock", folder);
	snprintf(vaild, sizeof(vaild), "%s/vaild.sock", folder);
	snprintf(log, sizeof(log), "%s/fleet.log", folder);
	return start(arguments, log);
}

bool fleet_process_is_ready(const char *folder)
{
	char path[256], line[1024];
	bool is_ready = false;

	snprintf(path, sizeof(path), "%s/fleet.log", folder);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		is_ready |= strstr(line, "etcd is reached") != NULL;
	if (file)
		fclose(file);
	return is_ready;
}

double process_cpu(pid_t pid)
{
	char path[600];
	unsigned long long thread, sum = 0;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		bench_fail("cannot read %s", path);
	while ((entry = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
		FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (file && fscanf(file, "%llu", &thread) == 1)
			sum += thread;
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return (double)sum / 1e9;
}

size_t process_fds(pid_t pid)
{
	char path[64];
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *fds = opendir(path);
	while (fds && readdir(fds))
		count++;
	if (fds)
		closedir(fds);
	return count > 2 ? count - 2 : 0;
}

/* Returns a line of /proc/PID/status in MiB. */
static double read_memory(pid_t pid, const char *name)
{
	char path[64], line[256];
	double kibibytes = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			kibibytes = strtod(line + strlen(name), NULL);
	if (file)
		fclose(file);
	return kibibytes / 1024;
}

double process_memory(pid_t pid)
{
	return read_memory(pid, "VmRSS:");
}

double process_memory_peak(pid_t pid)
{
	return read_memory(pid, "VmHWM:");
}
