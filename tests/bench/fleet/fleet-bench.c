/* SPDX-License-Identifier: MIT */
/*
 * fleet-bench FOLDER HOSTS [BUDGET]: measures a fleet of simulated hosts with a real etcd, beside
 * the same by plain requests or with one host alone. FOLDER has fleet.json, vaild.sock of a real
 * vaild, and room for the data of etcd. If the start of all hosts takes more than BUDGET seconds of
 * CPU time for each CPU, fewer start. At the end, a real vaild-fleet reads the keys of all hosts.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/fleet/fill.h"
#include "tests/bench/fleet/processes.h"
#include "tests/bench/fleet/simulation.h"
#include "tests/support/measure.h"

#define FEW_HOSTS      50 /* by which the cost of more is estimated */
#define BUDGET_SECONDS 60 /* of CPU time for their start, for each CPU, unless one is given */
#define CHANGES        40
#define FLEET_CHANGES  500
#define SPREAD_SECONDS 30   /* in which all hosts start */
#define LIMIT_SECONDS  3600 /* of a phase */
#define STEADY_SECONDS 20
#define IDLE_SECONDS   5
#define FLOOR_REQUESTS 1000
#define FDS_PER_HOST   16

typedef struct Bench {
	const char *folder;
	size_t hosts;   /* of the fleet */
	size_t running; /* of these */
	double budget;  /* seconds of CPU time for their start */
	pid_t etcd;
	Simulation simulation;
	uint64_t mark;

	/* Floors */
	double idle_cpu;      /* of etcd, for each second in which nothing happens */
	double keepalive_cpu; /* seconds of etcd */
	double put_cpu;
	double list_cpu;
	double alone_p50; /* milliseconds */
	double alone_p99;
	double alone_cpu; /* seconds of etcd for one change */
} Bench;

/* --- printing -------------------------------------------------------------------------------- */

static void print_row(const char *what, double measured, double floor)
{
	if (floor > 0)
		printf("%-66s %10.2f %10.2f %7.2f\n", what, measured, floor, measured / floor);
	else
		printf("%-66s %10.2f\n", what, measured);
	fflush(stdout);
}

static void print_title(const char *title)
{
	printf("\n%-66s %10s %10s %7s\n", title, "measured", "floor", "ratio");
	fflush(stdout);
}

/* --- floors ---------------------------------------------------------------------------------- */

static void measure_idle_floor(Bench *bench)
{
	double before = process_cpu(bench->etcd);

	sleep(IDLE_SECONDS);
	bench->idle_cpu = (process_cpu(bench->etcd) - before) / IDLE_SECONDS;
}

static void measure_keepalive_floor(Bench *bench)
{
	post("v3/lease/grant", "{\"TTL\":\"600\",\"ID\":\"4711\"}");
	double before = process_cpu(bench->etcd);
	for (int i = 0; i < FLOOR_REQUESTS; i++)
		post("v3/lease/keepalive", "{\"ID\":\"4711\"}");
	bench->keepalive_cpu = (process_cpu(bench->etcd) - before) / FLOOR_REQUESTS;
}

/* Puts a key outside the prefix with a value of the usual length. */
static void measure_put_floor(Bench *bench)
{
	/* "floor", and 120 bytes */
	static const char body[] =
		"{\"key\":\"Zmxvb3I=\",\"value\":\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1"
		"Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1"
		"Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5\"}";
	double before = process_cpu(bench->etcd);

	for (int i = 0; i < FLOOR_REQUESTS; i++)
		post("v3/kv/put", body);
	bench->put_cpu = (process_cpu(bench->etcd) - before) / FLOOR_REQUESTS;
}

/* Lists all keys below the prefix, in one answer. */
static void measure_list_floor(Bench *bench)
{
	double before = process_cpu(bench->etcd);
	/* "/vaild/" to "/vaild0" */
	size_t size =
		post("v3/kv/range", "{\"key\":\"L3ZhaWxkLw==\",\"range_end\":\"L3ZhaWxkMA==\"}");

	bench->list_cpu = process_cpu(bench->etcd) - before;
	printf("One list of all keys has %.1f MiB of JSON, and takes etcd %.2f s of CPU time.\n",
	       (double)size / (1 << 20), bench->list_cpu);
}

/* --- changes --------------------------------------------------------------------------------- */

typedef struct Latencies {
	double p50;
	double p99;
	double cpu; /* of etcd for one change, in seconds */
} Latencies;

/* Measures changes of VMs on different hosts, one after the other. */
static Latencies measure_changes(Bench *bench, size_t hosts)
{
	Simulation *simulation = &bench->simulation;
	size_t count = 0;
	double *all = calloc(CHANGES * hosts, sizeof(*all));
	double before = process_cpu(bench->etcd);

	for (unsigned int i = 0; i < CHANGES; i++) {
		unsigned int host = (unsigned int)(i * 7919 % hosts);

		/* A key is put at most once in 3 seconds. */
		if (i % PLAYED_VMS == 0)
			simulation_run(simulation, simulation_never, 4);
		simulation_change(simulation, host, i % PLAYED_VMS, 100000 + bench->mark++,
				  all + count);
		if (simulation_run(simulation, simulation_has_seen, 60) < 0)
			printf("A change was seen by only %zu hosts in 60 seconds.\n",
			       simulation->change.seen);
		count += simulation->change.seen;
		simulation->change.latencies = NULL;
	}
	Latencies result = { .cpu = (process_cpu(bench->etcd) - before) / CHANGES };
	result.p50 = bench_median(all, count); /* sorts */
	result.p99 = count > 0 ? all[count * 99 / 100] : 0;
	free(all);
	return result;
}

static void measure_one_host(Bench *bench)
{
	Simulation *simulation = &bench->simulation;

	simulation_start(simulation, 0, 0);
	if (simulation_run(simulation, simulation_is_current, 60) < 0)
		bench_fail("one host alone does not put its keys within 60 seconds");
	Latencies alone = measure_changes(bench, 1);
	bench->alone_p50 = alone.p50;
	bench->alone_p99 = alone.p99;
	bench->alone_cpu = alone.cpu;
}

/* --- phases ---------------------------------------------------------------------------------- */

static void report_phase(Bench *bench, double took, double cpu)
{
	Simulation *simulation = &bench->simulation;

	if (took < 0)
		printf("Not all hosts were current within %.0f seconds.\n", -took);
	print_row("  seconds until each host knows all of all others", fabs(took), 0);
	print_row("  seconds of CPU time of etcd", cpu, 0);
	print_row("  MiB of memory of etcd, at most so far", process_memory_peak(bench->etcd), 0);
	printf("  %llu lists of keys, %llu breaks, %llu leases lost, %.2f million changes shown\n",
	       (unsigned long long)simulation->lists, (unsigned long long)simulation->breaks,
	       (unsigned long long)simulation->lost, (double)simulation->events / 1e6);
	simulation->lists = simulation->breaks = simulation->lost = simulation->events = 0;
	fflush(stdout);
}

/* Starts the hosts up to a number, within SPREAD_SECONDS. Returns the CPU time of etcd. */
static double start_hosts(Bench *bench, size_t until)
{
	Simulation *simulation = &bench->simulation;
	double before = process_cpu(bench->etcd);
	static uint32_t random = 1;
	char title[64];

	snprintf(title, sizeof(title), "Hosts %zu to %zu start within %d seconds",
		 simulation->expected + 1, until, SPREAD_SECONDS);
	print_title(title);
	while (simulation->expected < until) {
		random = random * 1103515245 + 12345;
		simulation_start(simulation, (unsigned int)simulation->expected,
				 (random >> 8) % (SPREAD_SECONDS * 1000));
	}
	double took = simulation_run(simulation, simulation_is_current, LIMIT_SECONDS);
	double cpu = process_cpu(bench->etcd) - before;
	report_phase(bench, took, cpu);
	if (took < 0)
		bench_fail("this machine is too slow for %zu hosts; set HOSTS lower", until);
	return cpu;
}

/*
 * Starts as many hosts as this machine can have in a few minutes. Each host is shown the keys of
 * all others, so the cost grows with the square of their number. A few hosts tell how much it is.
 */
static void measure_cold_start(Bench *bench)
{
	double few = bench->hosts < FEW_HOSTS ? (double)bench->hosts : FEW_HOSTS;
	double cpu = start_hosts(bench, (size_t)few);
	double all = cpu * pow((double)bench->hosts / few, 2);

	bench->running = bench->hosts;
	if (all > bench->budget) {
		bench->running = (size_t)(few * sqrt(bench->budget / cpu));
		printf("\nA start of %zu hosts would take etcd about %.0f s of CPU time, which is "
		       "too "
		       "much for the %ld CPUs of this machine. %zu hosts start.\n",
		       bench->hosts, all, sysconf(_SC_NPROCESSORS_ONLN), bench->running);
	}
	if (bench->running > bench->simulation.expected)
		start_hosts(bench, bench->running);
}

static void measure_steady(Bench *bench)
{
	static const char keepalives[] = "grpc_server_started_total{grpc_method=\"LeaseKeepAlive\"";
	double keepalives_before = etcd_counter(keepalives);
	double before = process_cpu(bench->etcd);

	simulation_run(&bench->simulation, simulation_never, STEADY_SECONDS);
	double cpu = process_cpu(bench->etcd) - before;
	double count = etcd_counter(keepalives) - keepalives_before;
	print_title("Nothing happens");
	print_row("  keepalives per second", count / STEADY_SECONDS, 0);
	print_row("  watches", etcd_counter("etcd_debugging_mvcc_watcher_total"), 0);
	print_row("  connections of etcd", (double)process_fds(bench->etcd), 0);
	print_row("  percent of one CPU of etcd, beside one without hosts",
		  cpu / STEADY_SECONDS * 100, bench->idle_cpu * 100);
	print_row("  microseconds of CPU time of etcd for a keepalive",
		  (cpu - bench->idle_cpu * STEADY_SECONDS) / count * 1e6,
		  bench->keepalive_cpu * 1e6);
	print_row("  MiB of memory of etcd", process_memory(bench->etcd), 0);
}

static void measure_all_changes(Bench *bench)
{
	Latencies all = measure_changes(bench, bench->running);

	print_title("A VM on one host changes, and all others see it");
	print_row("  milliseconds, median", all.p50, bench->alone_p50);
	print_row("  milliseconds, 99 of 100", all.p99, bench->alone_p99);
	print_row("  milliseconds of CPU time of etcd for a change", all.cpu * 1e3,
		  bench->alone_cpu * 1e3);
	print_row("  microseconds of CPU time of etcd for each host that sees it",
		  all.cpu * 1e6 / (double)bench->running, bench->put_cpu * 1e6);
}

/* etcd is killed and starts again, so that all hosts come back at the same time. */
static void measure_herd(Bench *bench)
{
	print_title("etcd is killed and starts again");
	process_kill(bench->etcd);
	bench->etcd = etcd_process_start(bench->folder);
	double took = simulation_run(&bench->simulation, simulation_is_current, LIMIT_SECONDS);
	double cpu = process_cpu(bench->etcd);
	report_phase(bench, took, cpu);
	print_row("  seconds of CPU time of etcd, beside as many plain lists", cpu,
		  bench->list_cpu * (double)bench->running);
}

/* Waits until vaild-fleet has reached etcd. Returns the seconds. */
static double await_fleet(const Bench *bench)
{
	uint64_t begin = bench_now();

	while (!fleet_process_is_ready(bench->folder)) {
		if (bench_now() - begin > UINT64_C(120000000000))
			bench_fail("vaild-fleet does not reach etcd; see %s/fleet.log",
				   bench->folder);
		usleep(20000);
	}
	return (double)(bench_now() - begin) / 1e9;
}

/* Changes VMs one after the other, each after the vaild-fleet has slept. Returns its CPU time. */
static double measure_fleet_changes(const Bench *bench, pid_t fleet)
{
	double before = process_cpu(fleet);

	for (unsigned int i = 0; i < FLEET_CHANGES; i++) {
		fill_vm((unsigned int)(i * 7919 % bench->hosts), i % PLAYED_VMS, 200000 + i);
		usleep(5000);
	}
	return (process_cpu(fleet) - before) / FLEET_CHANGES;
}

/* A real vaild-fleet that knows all hosts, also those that were not started. */
static void measure_one_fleet(Bench *bench)
{
	char title[80];

	fill_hosts((unsigned int)bench->hosts);
	measure_list_floor(bench);
	pid_t fleet = fleet_process_start(bench->folder);
	snprintf(title, sizeof(title), "One vaild-fleet that knows %zu hosts with %zu VMs",
		 bench->hosts, bench->hosts * PLAYED_VMS);
	print_title(title);
	double took = await_fleet(bench);
	print_row("  seconds until it knows all", took, 0);
	print_row("  seconds of its CPU time until then", process_cpu(fleet), 0);
	print_row("  MiB of its memory, at most", process_memory_peak(fleet), 0);
	print_row("  MiB of its memory", process_memory(fleet), 0);
	print_row("  milliseconds of its CPU time for a change",
		  measure_fleet_changes(bench, fleet) * 1e3, 0);
	process_kill(fleet);
}

/* Each host has a few connections, a timer and a socket. */
static void raise_limits(size_t hosts)
{
	struct rlimit limit = { hosts * FDS_PER_HOST + 1000, hosts * FDS_PER_HOST + 1000 };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		bench_fail("%zu hosts need %zu fds; run this as root, or set HOSTS lower", hosts,
			   (size_t)limit.rlim_max);
}

int main(int argc, char **argv)
{
	Bench bench = { 0 };

	if (argc < 3 || argc > 4 || strtoul(argv[2], NULL, 10) < 2)
		bench_fail("usage: fleet-bench FOLDER HOSTS [BUDGET], with at least 2 hosts");
	bench.folder = argv[1];
	bench.hosts = strtoul(argv[2], NULL, 10);
	bench.budget = argc > 3 ? strtod(argv[3], NULL) : BUDGET_SECONDS;
	bench.budget *= (double)sysconf(_SC_NPROCESSORS_ONLN);
	signal(SIGPIPE, SIG_IGN);
	raise_limits(bench.hosts);
	simulation_init(&bench.simulation, ETCD_URL, bench.folder, bench.hosts);
	bench.etcd = etcd_process_start(bench.folder);
	printf("\nA fleet of hosts with %d VMs each and one etcd, whose data is in memory. Floor: "
	       "plain "
	       "requests, or one host alone.\n",
	       PLAYED_VMS);
	measure_idle_floor(&bench);
	measure_keepalive_floor(&bench);
	measure_put_floor(&bench);
	measure_one_host(&bench);
	measure_cold_start(&bench);
	measure_steady(&bench);
	measure_all_changes(&bench);
	measure_list_floor(&bench);
	measure_herd(&bench);
	simulation_end(&bench.simulation);
	measure_one_fleet(&bench);
	process_kill(bench.etcd);
	return EXIT_SUCCESS;
}
