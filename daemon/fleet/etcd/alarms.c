/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/alarms.h"

#include <string.h>

#include "daemon/fleet/etcd/client.h"
#include "proto/macros.h"

static Etcd *client_of(Alarms *alarms)
{
	return container_of(alarms, Etcd, alarms);
}

static void tell(Alarms *alarms)
{
	Etcd *etcd = client_of(alarms);
	const char *alarm = alarms->alarm.text;

	if (etcd->handlers.on_alarm)
		etcd->handlers.on_alarm(etcd->context, alarm[0] ? alarm : NULL, alarms->clear_at);
}

static void note(Alarms *alarms, const ServerWords *alarm)
{
	if (!alarm->text[0])
		alarms->clear_at = alarms->sent_at;
	if (strcmp(alarms->alarm.text, alarm->text) == 0)
		return;
	alarms->alarm = *alarm;
	tell(alarms);
}

static void on_end(Exchange *exchange, const ExchangeResult *result)
{
	Alarms *alarms = container_of(exchange, Alarms, exchange);
	JsonText text = { buffer_head(&exchange->answer), buffer_size(&exchange->answer) };
	ServerWords alarm;

	if (result->status == 200 && !message_read_status(client_of(alarms)->parser, text, &alarm))
		note(alarms, &alarm);
}

static void ask(Alarms *alarms)
{
	Etcd *etcd = client_of(alarms);

	alarms->sent_at = etcd_now(etcd);
	alarms->due_at = alarms->sent_at + (int64_t)etcd->settings.ttl * 1000 / 3;
	buffer_truncate(&alarms->exchange.request, 0);
	if (message_status(&alarms->exchange.request))
		etcd_exchange(etcd, &alarms->exchange, "v3/maintenance/status", ETCD_PATIENCE);
	else
		etcd_break(etcd, ETCD_BREAK_AGAIN, "out of memory");
}

static bool may_ask(const Alarms *alarms)
{
	return container_of(alarms, Etcd, alarms)->is_reached && !exchange_runs(&alarms->exchange);
}

void alarms_wake(Alarms *alarms)
{
	if (may_ask(alarms) && etcd_now(client_of(alarms)) >= alarms->due_at)
		ask(alarms);
}

int64_t alarms_deadline(const Alarms *alarms)
{
	return may_ask(alarms) ? alarms->due_at : INT64_MAX;
}

void alarms_reached(Alarms *alarms)
{
	alarms->due_at = 0;
	if (alarms->alarm.text[0])
		tell(alarms);
}

void alarms_break(Alarms *alarms)
{
	exchange_cancel(&alarms->exchange);
}

void alarms_init(Alarms *alarms)
{
	*alarms = (Alarms){ .exchange = { .answer_max = 65536, .on_end = on_end } };
}

void alarms_deinit(Alarms *alarms)
{
	alarms_break(alarms);
	exchange_deinit(&alarms->exchange);
}
