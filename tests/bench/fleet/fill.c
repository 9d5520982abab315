/* SPDX-License-Identifier: MIT */
#include "tests/bench/fleet/fill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/etcd/base64.h"
#include "proto/macros.h"
#include "tests/bench/fleet/played-local.h"
#include "tests/bench/fleet/processes.h"
#include "tests/bench/fleet/simulation.h"
#include "tests/support/measure.h"

#define PUTS_MAX 128 /* that etcd allows in one request */

/* One request with many puts. */
typedef struct Batch {
	Buffer body;
	size_t count;
} Batch;

static void add_text(Batch *batch, const char *text)
{
	if (!buffer_append(&batch->body, text, strlen(text)))
		bench_fail("out of memory");
}

static void add_base64(Batch *batch, const char *text)
{
	if (!base64_encode(&batch->body, text, strlen(text)))
		bench_fail("out of memory");
}

static void batch_send(Batch *batch)
{
	if (batch->count == 0)
		return;
	add_text(batch, "]}");
	if (!buffer_append(&batch->body, "", 1))
		bench_fail("out of memory");
	post("v3/kv/txn", buffer_head(&batch->body));
	buffer_truncate(&batch->body, 0);
	batch->count = 0;
}

/* Adds a put. Frees the value. */
static void batch_put(Batch *batch, const FleetKey *fleet_key, const FleetValue *value)
{
	_cleanup_free_ char *text = fleet_value_format(value);
	char name[FLEET_KEY_SIZE], key[sizeof(SIMULATION_PREFIX) + FLEET_KEY_SIZE];

	snprintf(key, sizeof(key), SIMULATION_PREFIX "%s", fleet_key_format(fleet_key, name));
	add_text(batch, batch->count == 0 ? "{\"success\":[" : ",");
	add_text(batch, "{\"request_put\":{\"key\":\"");
	add_base64(batch, key);
	add_text(batch, "\",\"value\":\"");
	add_base64(batch, text);
	add_text(batch, "\"}}");
	if (++batch->count == PUTS_MAX)
		batch_send(batch);
}

static void add_vm(Batch *batch, const HostId *id, const FleetFacts *facts, size_t vm)
{
	const FleetLocalVm *local = &facts->vms[vm];
	const FleetKey key = fleet_key_vm(&local->guid, id),
		       where_key = fleet_key_where(&local->guid);
	const FleetValue value = { .kind = FLEET_KEY_VM, .vm = local->vm };
	const FleetValue where = { .kind = FLEET_KEY_WHERE,
				   .where = { .host = *id,
					      .host_name = facts->host.name,
					      .vm_name = local->vm.name,
					      .date = local->vm.date } };

	batch_put(batch, &key, &value);
	batch_put(batch, &where_key, &where);
}

static HostId id_of(unsigned int host)
{
	char text[33];
	HostId id;

	snprintf(text, sizeof(text), PLAYED_HOST_FORMAT, host + 1);
	if (!host_id_parse(text, &id))
		bench_fail("%s is no machine ID", text);
	return id;
}

static void add_host(Batch *batch, unsigned int host)
{
	const HostId id = id_of(host);
	FleetFacts facts = played_facts(host);
	const FleetKey key = fleet_key_host(&id), gpu_key = fleet_key_gpu(&id, facts.gpus->address);
	const FleetValue value = { .kind = FLEET_KEY_HOST, .host = facts.host };
	const FleetValue gpu = { .kind = FLEET_KEY_GPU, .gpu = facts.gpus->gpu };

	batch_put(batch, &key, &value);
	batch_put(batch, &gpu_key, &gpu);
	for (size_t vm = 0; vm < facts.vm_count; vm++)
		add_vm(batch, &id, &facts, vm);
	fleet_facts_deinit(&facts);
}

void fill_hosts(unsigned int count)
{
	Batch batch = { .body = BUFFER_INIT };

	for (unsigned int host = 0; host < count; host++)
		add_host(&batch, host);
	batch_send(&batch);
	buffer_deinit(&batch.body);
}

void fill_vm(unsigned int host, unsigned int vm, uint64_t registrations)
{
	const HostId id = id_of(host);
	FleetFacts facts = played_facts(host);
	Batch batch = { .body = BUFFER_INIT };

	facts.vms[vm].vm.registrations = registrations;
	const FleetKey key = fleet_key_vm(&facts.vms[vm].guid, &id);
	const FleetValue value = { .kind = FLEET_KEY_VM, .vm = facts.vms[vm].vm };
	batch_put(&batch, &key, &value);
	batch_send(&batch);
	buffer_deinit(&batch.body);
	fleet_facts_deinit(&facts);
}
