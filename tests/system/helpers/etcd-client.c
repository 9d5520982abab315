/* SPDX-License-Identifier: MIT */
/*
 * etcd-client [OPTIONS] ENDPOINT...: shows the keys below /vaild-test/ in an etcd, with the client
 * of vaild-fleet, and obeys the commands on stdin. Prints one line for each report of the client.
 *
 *   --ttl SECONDS, --ca FILE, --certificate FILE, --key FILE
 *
 *   put KEY VALUE, delete KEY   print the outcome
 *   swap KEY REVISION VALUE     prints the outcome; a VALUE of "-" deletes the key
 *   hold KEY VALUE              keeps a leased key, and puts it again whenever that is needed
 *   fill KEY BYTES COUNT        puts a long value so often, and prints the last outcome
 *   quit
 */
#include <err.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/fleet/etcd/etcd.h"

typedef struct Program {
	struct event_base *base;
	struct evbuffer *input;
	Etcd *etcd;
	char *held_key; /* NULL for none */
	char *held_value;
} Program;

static void print_outcome(void *context, EtcdOutcome outcome, int64_t revision, const char *why)
{
	static const char *const names[ETCD_OUTCOME_MAX] = { "done", "lost", "unknown", "failed" };

	(void)context;
	printf("outcome: %s %lld %s\n", names[outcome], (long long)revision, why ? why : "");
}

static void put_held(Program *program)
{
	if (program->held_key && etcd_is_reached(program->etcd) && etcd_has_lease(program->etcd))
		etcd_put(program->etcd, program->held_key, program->held_value, true, NULL, NULL);
}

static void on_snapshot(void *context, const EtcdEntry *entries, size_t count, int64_t revision)
{
	(void)context;
	printf("snapshot: %zu keys at %lld\n", count, (long long)revision);
	for (size_t i = 0; i < count; i++)
		printf("has: %s=%.60s\n", entries[i].key, entries[i].value);
}

static void on_put(void *context, const EtcdEntry *entry)
{
	(void)context;
	printf("put: %s=%.60s at %lld\n", entry->key, entry->value, (long long)entry->mod_revision);
}

static void on_delete(void *context, const char *key, int64_t revision)
{
	(void)context;
	printf("delete: %s at %lld\n", key, (long long)revision);
}

static void on_lease(void *context, bool is_held, const char *why)
{
	printf("lease: %s\n", is_held ? "held" : why);
	put_held(context);
}

static void on_reach(void *context, bool is_reached, const char *why, int64_t since)
{
	(void)since;
	if (is_reached)
		printf("reached\n");
	else
		printf("away: %s\n", why);
	put_held(context);
}

static const EtcdHandlers handlers = { .on_snapshot = on_snapshot,
				       .on_put = on_put,
				       .on_delete = on_delete,
				       .on_lease = on_lease,
				       .on_reach = on_reach };

static void hold(Program *program, const char *key, const char *value)
{
	free(program->held_key);
	free(program->held_value);
	program->held_key = strdup(key);
	program->held_value = strdup(value);
	put_held(program);
}

static void fill(Program *program, const char *key, size_t size, size_t count)
{
	char *value = malloc(size + 1);

	memset(value, 'x', size);
	value[size] = '\0';
	for (size_t i = 1; i <= count; i++)
		etcd_put(program->etcd, key, value, false, i < count ? NULL : print_outcome, NULL);
	free(value);
}

static void obey(Program *program, char *line)
{
	char *words[4] = { 0 };
	char *rest = line;

	for (size_t i = 0; i < 4; i++) {
		words[i] = strsep(&rest, " ");
		if (!words[i])
			words[i] = "";
	}
	if (strcmp(words[0], "put") == 0)
		etcd_put(program->etcd, words[1], words[2], false, print_outcome, NULL);
	else if (strcmp(words[0], "delete") == 0)
		etcd_delete(program->etcd, words[1], print_outcome, NULL);
	else if (strcmp(words[0], "swap") == 0)
		etcd_swap(program->etcd, words[1], atoll(words[2]),
			  strcmp(words[3], "-") == 0 ? NULL : words[3], NULL, print_outcome, NULL);
	else if (strcmp(words[0], "hold") == 0)
		hold(program, words[1], words[2]);
	else if (strcmp(words[0], "fill") == 0)
		fill(program, words[1], strtoul(words[2], NULL, 10), strtoul(words[3], NULL, 10));
	else if (strcmp(words[0], "quit") == 0)
		event_base_loopexit(program->base, NULL);
	else
		errx(2, "%s is not a command", words[0]);
}

static void on_input(evutil_socket_t fd, short events, void *context)
{
	Program *program = context;
	char *line;

	(void)events;
	if (evbuffer_read(program->input, fd, -1) <= 0)
		event_base_loopexit(program->base, NULL);
	while ((line = evbuffer_readln(program->input, NULL, EVBUFFER_EOL_LF))) {
		obey(program, line);
		free(line);
	}
}

static void parse_options(int argc, char **argv, EtcdSettings *settings)
{
	static const struct option options[] = { { "ttl", required_argument, NULL, 't' },
						 { "ca", required_argument, NULL, 'a' },
						 { "certificate", required_argument, NULL, 'c' },
						 { "key", required_argument, NULL, 'k' },
						 { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			settings->ttl = (unsigned int)atoi(optarg);
		else if (option == 'a')
			settings->ca = optarg;
		else if (option == 'c')
			settings->certificate = optarg;
		else if (option == 'k')
			settings->private_key = optarg;
		else
			exit(2);
	}
	settings->endpoints = (const char *const *)argv + optind;
	settings->endpoint_count = (size_t)(argc - optind);
}

int main(int argc, char **argv)
{
	EtcdSettings settings = { .prefix = "/vaild-test/", .ttl = 15 };
	Program program = { 0 };

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	parse_options(argc, argv, &settings);
	if (settings.endpoint_count == 0)
		errx(2, "usage: etcd-client [OPTIONS] ENDPOINT...");
	program.base = event_base_new();
	program.input = evbuffer_new();
	program.etcd = etcd_new(program.base, &settings, &handlers, &program);
	if (!program.etcd)
		errx(1, "the client does not start");
	struct event *input =
		event_new(program.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &program);
	event_add(input, NULL);
	event_base_dispatch(program.base);
	event_free(input);
	etcd_free(program.etcd);
	evbuffer_free(program.input);
	event_base_free(program.base);
	free(program.held_key);
	free(program.held_value);
	return 0;
}
