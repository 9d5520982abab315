/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_DOUBLINGS 2 /* of the patience */

static uint32_t draw(const EtcdClock *clock)
{
	return clock->random(clock->context);
}

bool endpoints_init(Endpoints *endpoints, const char *const *urls, size_t count,
		    const EtcdClock *clock)
{
	*endpoints = (Endpoints){ .urls = calloc(count, sizeof(char *)),
				  .told = calloc(count, sizeof(char *)),
				  .count = count };
	if (!endpoints->urls || !endpoints->told)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(urls[i]);
		while (length > 0 && urls[i][length - 1] == '/')
			length--;
		endpoints->urls[i] = strndup(urls[i], length);
		if (!endpoints->urls[i])
			return false;
	}
	endpoints->current = draw(clock) % count;
	return true;
}

void endpoints_deinit(Endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->count; i++) {
		if (endpoints->urls)
			free(endpoints->urls[i]);
		if (endpoints->told)
			free(endpoints->told[i]);
	}
	free(endpoints->urls);
	free(endpoints->told);
	*endpoints = (Endpoints){ 0 };
}

int64_t endpoints_pause(Endpoints *endpoints, const EtcdClock *clock)
{
	int64_t longest = ENDPOINTS_FIRST_PAUSE;

	endpoints->failures++;
	if (endpoints->failures >= endpoints->count) {
		size_t doublings = endpoints->failures - endpoints->count;
		longest = doublings < 16 ? (int64_t)ENDPOINTS_PAUSE << doublings
					 : ENDPOINTS_LONGEST_PAUSE;
		if (longest > ENDPOINTS_LONGEST_PAUSE)
			longest = ENDPOINTS_LONGEST_PAUSE;
	}
	return longest / 2 + (int64_t)draw(clock) % (longest / 2 + 1);
}

int64_t endpoints_patience(const Endpoints *endpoints, int64_t milliseconds)
{
	size_t rounds = endpoints->failures / endpoints->count;

	return milliseconds << (rounds < LONGEST_DOUBLINGS ? rounds : LONGEST_DOUBLINGS);
}

void endpoints_next(Endpoints *endpoints)
{
	endpoints->current = (endpoints->current + 1) % endpoints->count;
}

bool endpoints_tell(Endpoints *endpoints, const char *why)
{
	char **told = &endpoints->told[endpoints->current];

	if (*told && strcmp(*told, why) == 0)
		return false;
	free(*told);
	*told = strdup(why); /* NULL if out of memory: it is then told again */
	return true;
}

void endpoints_forget(Endpoints *endpoints)
{
	endpoints->failures = 0;
	for (size_t i = 0; i < endpoints->count; i++) {
		free(endpoints->told[i]);
		endpoints->told[i] = NULL;
	}
}
