/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "tests/hostile/attacker.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/traffic.h"
#include "tests/support/helper.h"

#define PAGE         UINT64_C(4096)
#define SPACE_BEGIN  (UINT64_C(1) << 40) /* behind the first entry of the root table */
#define TOGETHER     64                  /* requests in one send() */
#define HOLE_STRIDE  32                  /* pages */
#define HOLE_WALL    2                   /* pages */
#define REQUEST_SIZE 256

/* The GPU process of the attacker, and the connection that prepares it. */
typedef struct Space {
	int connection;
	char process[HANDLE_SIZE];
} Space;

static Space space_open(const Attacker *attacker)
{
	Space space = { .connection = attacker_connect(attacker) };
	const char *reply =
		talk_successfully(space.connection, "{\"method\":\"io.vaild.Gpu.CreateContext\"}");

	reply_text(reply, "process", space.process, sizeof(space.process));
	return space;
}

/* Maps count ranges of some pages, one in each stride, with oneway requests. */
static void space_map(const Space *space, uint64_t begin, unsigned int count, uint64_t stride,
		      uint64_t pages)
{
	static char batch[TOGETHER * REQUEST_SIZE];
	size_t length = 0;

	for (unsigned int i = 0; i < count; i++) {
		length += (size_t)snprintf(
			batch + length, REQUEST_SIZE,
			"{\"oneway\":true,\"method\":\"io.vaild.Gpu.MapGpuVirtualAddress\","
			"\"parameters\":{\"process\":\"%s\",\"sizeInBytes\":%" PRIu64
			",\"baseAddress\":\"0x%" PRIx64 "\",\"protection\":\"zero\"}}\n",
			space->process, pages * PAGE, begin + i * stride * PAGE);
		if ((i + 1) % TOGETHER == 0 || i + 1 == count) {
			helper_send(space->connection, batch, length);
			length = 0;
		}
	}
}

/* Exits if the process has fewer ranges, because the attack would then be none. */
static void space_check(const Space *space, unsigned int expected)
{
	const char *reply =
		talk_successfully(space->connection, "{\"method\":\"io.vaild.Gpu.ListProcesses\"}");
	const char *ranges = strstr(reply, "\"ranges\":");

	if (!ranges || strtoul(ranges + strlen("\"ranges\":"), NULL, 10) < expected)
		errx(2, "the address space has fewer than %u ranges: %s", expected, reply);
}

void attack_describe(const Attacker *attacker)
{
	Space space = space_open(attacker);

	space_map(&space, SPACE_BEGIN, attacker->ranges, 1, 1);
	space_check(&space, attacker->ranges);
	traffic_run(attacker, &(Traffic){
				      .text = text_repeat(TOGETHER,
							  "{\"oneway\":true,\"method\":"
							  "\"io.vaild.Gpu.DescribeAddressSpace\","
							  "\"parameters\":{\"process\":\"%s\"}}",
							  space.process),
				      .messages = TOGETHER,
			      });
}

/*
 * Each hole has 30 pages, more than the 64 KiB that a reservation needs, but none contains 64 KiB
 * that are aligned. The daemon therefore has to look at every hole.
 */
void attack_holes(const Attacker *attacker)
{
	Space space = space_open(attacker);
	uint64_t first = SPACE_BEGIN + 15 * PAGE;
	uint64_t end = first + attacker->ranges * HOLE_STRIDE * PAGE;

	space_map(&space, first, attacker->ranges, HOLE_STRIDE, HOLE_WALL);
	space_check(&space, attacker->ranges);
	traffic_run(attacker,
		    &(Traffic){
			    .text = text_repeat(
				    TOGETHER,
				    "{\"method\":\"io.vaild.Gpu.ReserveGpuVirtualAddress\","
				    "\"parameters\":{\"process\":\"%s\",\"sizeInBytes\":65536,"
				    "\"minimumAddress\":\"0x%" PRIx64
				    "\",\"maximumAddress\":\"0x%" PRIx64 "\"}}",
				    space.process, first + HOLE_WALL * PAGE, end - PAGE * 30),
			    .messages = TOGETHER,
		    });
}

/* Reserves, maps every page of the reservation, and frees it whole, again and again. */
void attack_free(const Attacker *attacker)
{
	Space space = space_open(attacker);
	unsigned int mappings = attacker->ranges;
	uint64_t size = (mappings * PAGE + 65535) / 65536 * 65536;

	attacker_hold_connections(attacker, attacker->connections - 1);
	for (bool is_first = true;; is_first = false) {
		talk_successfully(space.connection,
				  "{\"method\":\"io.vaild.Gpu.ReserveGpuVirtualAddress\","
				  "\"parameters\":{\"process\":\"%s\",\"sizeInBytes\":%" PRIu64
				  ",\"baseAddress\":\"0x%" PRIx64 "\"}}",
				  space.process, size, SPACE_BEGIN);
		space_map(&space, SPACE_BEGIN, mappings, 1, 1);
		space_check(&space, mappings);
		if (is_first)
			attacker_begin(attacker);
		talk_successfully(space.connection,
				  "{\"method\":\"io.vaild.Gpu.FreeGpuVirtualAddress\","
				  "\"parameters\":{\"process\":\"%s\",\"sizeInBytes\":%" PRIu64
				  ",\"baseAddress\":\"0x%" PRIx64 "\"}}",
				  space.process, size, SPACE_BEGIN);
		attacker->board->work++;
	}
}

/* Each connection reserves and frees a range of its own. Every pair leaves obsolete records. */
void attack_reserve_free(const Attacker *attacker)
{
	Space space = space_open(attacker);
	Text *texts = calloc(attacker->connections, sizeof(*texts));

	if (!texts)
		err(2, "calloc");
	for (unsigned int i = 0; i < attacker->connections; i++) {
		uint64_t base = SPACE_BEGIN + i * UINT64_C(65536);

		texts[i] = text_repeat(TOGETHER,
				       "{\"oneway\":true,\"method\":"
				       "\"io.vaild.Gpu.ReserveGpuVirtualAddress\",\"parameters\":"
				       "{\"process\":\"%s\",\"sizeInBytes\":65536,"
				       "\"baseAddress\":\"0x%" PRIx64 "\"}}\n"
				       "{\"oneway\":true,\"method\":"
				       "\"io.vaild.Gpu.FreeGpuVirtualAddress\",\"parameters\":"
				       "{\"process\":\"%s\",\"sizeInBytes\":65536,"
				       "\"baseAddress\":\"0x%" PRIx64 "\"}}",
				       space.process, base, space.process, base);
	}
	traffic_run(attacker, &(Traffic){ .own_texts = texts, .messages = 2 * TOGETHER });
}
