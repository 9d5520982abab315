/* SPDX-License-Identifier: MIT */
#include "daemon/api/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "proto/status.h"
#include "proto/version.h"

#define LINE_MAX_LENGTH 512

/* Text under construction. Once failed is set, later calls write nothing. */
typedef struct Text {
	Buffer *out;
	bool failed;
} Text;

static _printf_(2, 3) void put(Text *text, const char *format, ...)
{
	va_list arguments;

	if (text->failed || !buffer_reserve(text->out, LINE_MAX_LENGTH)) {
		text->failed = true;
		return;
	}
	va_start(arguments, format);
	int length = vsnprintf(buffer_tail(text->out), LINE_MAX_LENGTH, format, arguments);
	va_end(arguments);
	if (length < 0 || length >= LINE_MAX_LENGTH)
		text->failed = true;
	else
		text->out->end += (size_t)length;
}

static void put_family(Text *text, const char *name, const char *type, const char *help)
{
	put(text, "# TYPE vaild_%s %s\n# HELP vaild_%s %s\n", name, type, name, help);
}

static void put_use(Text *text, const Accounts *accounts)
{
	put_family(text, "used", "gauge", "Current use of each limit, in all.");
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		put(text, "vaild_used{limit=\"%s\"} %" PRIu64 "\n", limit_name(kind, false),
		    accounts->used[kind]);
	put_family(text, "limit", "gauge", "Value of each limit, in all and per uid.");
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		put(text, "vaild_limit{limit=\"%s\"} %" PRIu64 "\n", limit_name(kind, false),
		    accounts->limits.host_wide[kind]);
		put(text, "vaild_limit{limit=\"%s\"} %" PRIu64 "\n", limit_name(kind, true),
		    accounts->limits.per_uid[kind]);
	}
}

/* Leaves out counters that are 0, so that the text stays short. */
static void put_requests(Text *text, const Statistics *statistics)
{
	put_family(text, "requests", "counter", "Requests answered, by method and status.");
	for (size_t method = 0; method < method_count; method++)
		for (size_t status = 0; status < STATISTICS_STATUSES_MAX; status++) {
			if (statistics->requests[method][status] == 0)
				continue;
			put(text,
			    "vaild_requests_total{method=\"%s.%s\",status=\"%s\"} %" PRIu64 "\n",
			    methods[method].interface, methods[method].name, status_name_at(status),
			    statistics->requests[method][status]);
		}
}

bool metrics_write(Buffer *out, Service *service)
{
	Text text = { .out = out };
	const Statistics *statistics = &service->statistics;

	put_family(&text, "build_info", "gauge", "Version of the running daemon.");
	put(&text, "vaild_build_info{version=\"" VAILD_VERSION "\"} 1\n");
	put(&text,
	    "# TYPE vaild_start_boottime_seconds gauge\n# UNIT vaild_start_boottime_seconds "
	    "seconds\n# HELP vaild_start_boottime_seconds Start time on CLOCK_BOOTTIME.\n"
	    "vaild_start_boottime_seconds %" PRIu64 ".%06" PRIu64 "\n",
	    statistics->started_at / 1000000, statistics->started_at % 1000000);
	put_family(&text, "restored_records", "gauge", "Records that were restored at the start.");
	put(&text, "vaild_restored_records %" PRIu64 "\n", statistics->restored);
	put_use(&text, &service->broker->accounts);
	put_requests(&text, statistics);
	put(&text, "# EOF\n");
	return !text.failed && buffer_append(out, "", 1);
}
