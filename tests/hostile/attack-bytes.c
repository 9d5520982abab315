/* SPDX-License-Identifier: MIT */
#include <sys/epoll.h>

#include "tests/hostile/attacker.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/traffic.h"
#include "tests/support/helper.h"

#define GET_INFO     "{\"method\":\"org.varlink.service.GetInfo\"}"
#define IGNORED      "{\"method\":\"org.varlink.service.GetInfo\",\"ignored\":"
#define VALUES       21600 /* of three bytes each: a message of almost 64 KiB */
#define DIGITS       60000
#define PARTIAL_SIZE 65000
#define TOGETHER     256 /* small requests in one send() */

void attack_members(const Attacker *attacker)
{
	traffic_run(attacker, &(Traffic){
				      .text = text_build(IGNORED "[{}", ",{}", VALUES, "]}\n"),
				      .messages = 1,
			      });
}

void attack_digits(const Attacker *attacker)
{
	traffic_run(attacker, &(Traffic){
				      .text = text_build(IGNORED "1", "7", DIGITS, "}\n"),
				      .messages = 1,
			      });
}

void attack_bad_json(const Attacker *attacker)
{
	traffic_run(attacker, &(Traffic){
				      .text = text_repeat(1, "{\"method\":]"),
				      .messages = 1,
			      });
}

void attack_half_messages(const Attacker *attacker)
{
	traffic_run(attacker, &(Traffic){
				      .text = text_build(IGNORED "\"", "x", PARTIAL_SIZE, ""),
				      .messages = 1,
				      .only_once = true,
			      });
}

void attack_one_byte(const Attacker *attacker)
{
	traffic_run(attacker, &(Traffic){
				      .text = text_repeat(1, GET_INFO),
				      .messages = 1,
				      .piece = 1,
			      });
}

void attack_plain(const Attacker *attacker)
{
	traffic_run(attacker, &(Traffic){
				      .text = text_repeat(TOGETHER, GET_INFO),
				      .messages = TOGETHER,
			      });
}

void attack_never_reads(const Attacker *attacker)
{
	traffic_run(attacker,
		    &(Traffic){
			    .text = text_repeat(
				    TOGETHER,
				    "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
				    "\"parameters\":{\"interface\":\"io.vaild.Machine\"}}"),
			    .messages = TOGETHER,
			    .never_reads = true,
		    });
}

/* Keeps as many connections as the form demands, and replaces one of them after the other. */
void attack_connects(const Attacker *attacker)
{
	int *connections = calloc(attacker->connections, sizeof(*connections));

	if (!connections)
		err(2, "calloc");
	for (unsigned int i = 0; i < attacker->connections; i++)
		connections[i] = attacker_connect(attacker);
	attacker_begin(attacker);
	for (unsigned int i = 0;; i = (i + 1) % attacker->connections) {
		close(connections[i]);
		connections[i] = attacker_connect(attacker);
		attacker->board->work++;
	}
}
