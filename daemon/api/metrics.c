/* SPDX-License-Identifier: MIT */
#include "daemon/api/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "proto/open-metrics.h"
#include "proto/status.h"
#include "proto/version.h"

static void put_use(OpenMetrics *text, const Accounts *accounts)
{
	open_metrics_family(text, "used", "gauge", NULL, "Current use of each limit, in all.");
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		open_metrics_put(text, "vaild_used{limit=\"%s\"} %" PRIu64 "\n",
				 limit_name(kind, false), accounts->used[kind]);
	open_metrics_family(text, "limit", "gauge", NULL,
			    "Value of each limit, in all and per uid.");
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		open_metrics_put(text, "vaild_limit{limit=\"%s\"} %" PRIu64 "\n",
				 limit_name(kind, false), accounts->limits.host_wide[kind]);
		open_metrics_put(text, "vaild_limit{limit=\"%s\"} %" PRIu64 "\n",
				 limit_name(kind, true), accounts->limits.per_uid[kind]);
	}
}

/* Leaves out counters that are 0, so that the text stays short. */
static void put_requests(OpenMetrics *text, const Statistics *statistics)
{
	open_metrics_family(text, "requests", "counter", NULL,
			    "Requests answered, by method and status.");
	for (size_t method = 0; method < method_count; method++)
		for (size_t status = 0; status < STATISTICS_STATUSES_MAX; status++) {
			if (statistics->requests[method][status] == 0)
				continue;
			open_metrics_put(
				text,
				"vaild_requests_total{method=\"%s.%s\",status=\"%s\"} %" PRIu64
				"\n",
				methods[method].interface, methods[method].name,
				status_name_at(status), statistics->requests[method][status]);
		}
}

bool metrics_write(Buffer *out, Service *service)
{
	OpenMetrics text = { .out = out, .prefix = "vaild" };
	const Statistics *statistics = &service->statistics;

	open_metrics_family(&text, "build_info", "gauge", NULL, "Version of the running daemon.");
	open_metrics_put(&text, "vaild_build_info{version=\"" VAILD_VERSION "\"} 1\n");
	open_metrics_family(&text, "start_boottime_seconds", "gauge", "seconds",
			    "Start time on CLOCK_BOOTTIME.");
	open_metrics_put(&text, "vaild_start_boottime_seconds %" PRIu64 ".%06" PRIu64 "\n",
			 statistics->started_at / 1000000, statistics->started_at % 1000000);
	open_metrics_family(&text, "restored_records", "gauge", NULL,
			    "Records that were restored at the start.");
	open_metrics_put(&text, "vaild_restored_records %" PRIu64 "\n", statistics->restored);
	put_use(&text, &service->broker->accounts);
	put_requests(&text, statistics);
	return open_metrics_end(&text);
}
