/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_VIEW_H
#define DAEMON_FLEET_ETCD_VIEW_H

#include "daemon/fleet/etcd/message.h"
#include "daemon/fleet/etcd/resume.h"
#include "daemon/fleet/etcd/transport.h"

/*
 * Shows the keys: lists them page by page as of one revision, and watches from the next revision
 * on. The snapshot is shown when the watch stands, because both are then right.
 *
 * After a break, only the changes that were missed are shown. The view first asks for the mark of
 * the resume, which etcd answers only if it has a quorum, and then watches from the mark on. It
 * lists the keys instead if etcd does not know the mark any more, has another history, or has
 * changed too much, and if the client cannot know that it has shown everything.
 */

/* Bounds of a list. A server with more keys is not reached. */
#define VIEW_ENTRIES_MAX ((size_t)262144)
#define VIEW_BYTES_MAX   ((size_t)64 << 20)

/*
 * The keys of the first page. Later pages are smaller if one was too long. For each page, etcd 3.4
 * visits all keys up to the end of the prefix, so smaller pages cost it more time.
 */
#define VIEW_PAGE 2048

typedef struct View {
	Exchange list;
	Exchange watch;
	Exchange recall; /* asks for the mark */
	MessageStream stream;

	/* The list that is being read. */
	EtcdEntry *entries; /* each with its key and value in one allocation */
	size_t count;
	size_t capacity;
	size_t bytes;
	Buffer last_key;
	int64_t revision;  /* 0 before the end of the first page */
	uint64_t cluster;  /* of the first page */
	unsigned int page; /* how many keys to ask for at a time */

	/* The watch. */
	bool stands;
	int64_t last;    /* revision of the last change in it; 0 before the first one */
	size_t backlog;  /* number of revisions that it has shown; until etcd is reached */
	bool is_resumed; /* and not all missed changes have been shown */

	Resume resume; /* kept over breaks */
} View;

void view_init(View *view);
void view_deinit(View *view);

/* Begins a list, or resumes the watch. Nothing of the view may be in progress. */
void view_start(View *view);

/* Ends the list and the watch. */
void view_stop(View *view);

/* Lets the next start be a list. */
void view_forget(View *view);

#endif
