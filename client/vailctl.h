/* SPDX-License-Identifier: MIT */
#ifndef VAILCTL_H
#define VAILCTL_H

/*
 * vailctl: vaild from the command line.
 *
 *   vailctl.c          the table of commands, help, main
 *   vailctl-options.c  the command line, taken apart
 *   vailctl-output.c   what becomes of refusals, and JSON for programs
 *   vailctl-listing.c  lists, fetched whole however long they are
 *   vailctl-show.c     commands that show: list, describe, registrations, quarantines
 *   vailctl-objects.c  shared objects, and who holds them
 *   vailctl-save.c     a shared object as a picture
 *   vailctl-gpu.c      adapters, GPU processes, and what is where in their address spaces
 *   vailctl-monitor.c  commands that show what the daemon is doing: status, limits, metrics, reload
 *   vailctl-watch.c    changes, as they come
 *   vailctl-terminal.c colours and pager
 *   vailctl-machine.c  commands that change VMs, vGPUs and others' registrations
 *   vailctl-process.c  commands that register vailctl's own process, and what it becomes
 *   vailctl-call.c     any method, as it stands
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "json.h"
#include "macros.h"
#include "vail.h"
#include "writer.h"

/* Exit statuses. What exec and vm add run have their own, or one of the last two. */
#define EXIT_DONE       0
#define EXIT_REFUSED    1
#define EXIT_USAGE      2
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND  127

typedef enum Option {
	OPTION_SOCKET,
	OPTION_JSON,
	OPTION_NO_LEGEND,
	OPTION_NO_PAGER,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_CONTEXT,
	OPTION_MORE,
	OPTION_NAME,
	OPTION_PID,
	OPTION_USER,
	OPTION_CLIENT_PID,
	OPTION_AGENT_USER,
	OPTION_AGENT_PID,
	OPTION_ADAPTER,
	OPTION_PROFILE,
	OPTION_REASON,
	OPTION_MAX,
} Option;

#define OPTION_BIT(option) (1u << (option))

/* The command line. Texts are argv's. */
typedef struct Options {
	unsigned int given; /* bits of Option */
	const char *socket;
	const char *name;
	const char *adapter;
	const char *profile;
	const char *reason;
	pid_t pid;
	VailParty *clients; /* in the order given */
	size_t client_count;
	VailParty agent;
	char **words; /* what is no option */
	size_t word_count;
	char **run; /* what stands behind --, NULL at its end; NULL without -- */
} Options;

static inline bool options_have(const Options *options, Option option)
{
	return options->given & OPTION_BIT(option);
}

typedef struct Tool {
	Options options;
	const char *const *arguments; /* the words behind the command's own */
	struct vail *vail;
	JsonParser *parser;
	bool has_terminal; /* stdout was one before the pager */
	bool has_colours;
	pid_t pager; /* 0: none */
	int output;  /* what stdout was before the pager */
} Tool;

/* ---- vailctl-options.c ---- */

/* Returns EXIT_DONE; otherwise a sentence was written and this is the exit status. */
int options_parse(int argc, char **argv, Options *ret_options);
void options_deinit(Options *options);

/* "--name" */
const char *option_text(Option option);

/* Reads a pid, 1 to 2^31-1 in decimal. Says so, and returns false, when it is none. */
bool pid_parse(const char *text, pid_t *ret_pid);

/* ---- vailctl-output.c ---- */

/* Writes "vailctl: ..." to stderr, safe for a terminal. Returns EXIT_USAGE. */
_printf_(1, 2) int usage_error(const char *format, ...);

/* The same for what was asked rightly and did not work. Returns EXIT_REFUSED. */
_printf_(1, 2) int command_error(const char *format, ...);

/* The same for what failed in vailctl itself, as a sentence and its status, in JSON as well where
 * that is asked for. Returns EXIT_REFUSED. */
_printf_(3, 4) int tool_failed(const Tool *tool, NTSTATUS status, const char *format, ...);

/* Tells why the last call failed: one sentence with its status. Returns EXIT_REFUSED. */
int tool_refused(const Tool *tool, NTSTATUS status);
int tool_no_memory(void);

/* The end of a command that has nothing more to say than whether it worked. */
int tool_finish(const Tool *tool, NTSTATUS status);

/* Prints what was written as one line. Returns EXIT_DONE. */
int tool_print_json(const Writer *writer);

/* Writes a value that was read, as it is. */
void writer_value_of(Writer *writer, const JsonValue *value);

/* ---- vailctl-listing.c ---- */

/* The items of a list method. */
typedef struct Listing {
	const char *key; /* what the method calls them, like "adapters" */
	JsonValue **replies;
	size_t reply_count;
	JsonValue **items; /* inside the replies */
	size_t item_count;
} Listing;

/* Fetches all items of the method. parameters: JSON text; NULL for none. ret_listing is the
 * caller's in any case, to be deinited. */
NTSTATUS listing_fetch(Tool *tool, const char *method, const char *parameters, const char *key,
		       Listing *ret_listing);
void listing_deinit(Listing *listing);

/* The item whose member has this value; NULL when there is none. */
const JsonValue *listing_find(const Listing *listing, const char *name, const char *value);

/* Writes "key":[items], as a member of an object. */
void listing_write(Writer *writer, const Listing *listing);

/* ---- vailctl-terminal.c ---- */

/*
 * Looks whether stdout is a terminal. Colours are for a terminal alone, unless NO_COLOR is set or
 * TERM is dumb. With paged, which --no-pager overrules, stdout becomes the input of $PAGER (none
 * where that is empty or "cat") or of less, until terminal_close() has waited for its end.
 */
void terminal_open(Tool *tool, bool paged);
void terminal_close(Tool *tool);

/* How many columns there are: $COLUMNS, or the terminal's, or 80; never fewer than minimum. */
size_t terminal_width(const Tool *tool, size_t minimum);

/* ---- vailctl-show.c ---- */

typedef struct Table Table;

/* A number member, and how long ago the seconds on CLOCK_BOOTTIME in the member were. */
void add_number(Table *table, const JsonValue *object, const char *name);
void add_age(Table *table, const JsonValue *object, const char *name);

/* Prints the table, or the sentence where it is empty. Returns the exit status. */
int show_table(const Tool *tool, Table *table, const char *empty);

/* Begins the document that --json prints: its status. */
void begin_document(Writer *writer);

/* Prints a document of up to two listings; the second may be NULL. */
int show_json(const Listing *first, const Listing *second);

/* Fetches the list, and shows it as JSON or by way of fill, which adds one item's row. */
int show_list(Tool *tool, const char *method, const char *key, Table *table,
	      void (*fill)(Table *table, const JsonValue *item), const char *empty);

/* ---- vailctl-objects.c ---- */

/* Fetches the shared objects that the caller may see, of one VM or, with NULL, of all. As
 * listing_fetch(). */
NTSTATUS objects_fetch(Tool *tool, const char *guid, Listing *ret_objects);

/* ---- Commands: each returns the exit status ---- */

int command_list(Tool *tool);
int command_describe(Tool *tool);
int command_registrations(Tool *tool);
int command_quarantines(Tool *tool);

int command_objects(Tool *tool);
int command_holders(Tool *tool);
int command_save(Tool *tool);

int command_gpu_adapters(Tool *tool);
int command_gpu_processes(Tool *tool);
int command_gpu_map(Tool *tool);

int command_vm_add(Tool *tool);
int command_vm_update(Tool *tool);
int command_vm_remove(Tool *tool);
int command_vm_quarantine(Tool *tool);
int command_vm_release(Tool *tool);
int command_vgpu_assign(Tool *tool);
int command_vgpu_remove(Tool *tool);
int command_revoke(Tool *tool);

int command_register(Tool *tool);
int command_exec(Tool *tool);

/* Becomes the program behind --. Returns only when it cannot be run, with the exit status. */
int tool_run(const Tool *tool);

int command_call(Tool *tool);
int command_status(Tool *tool);
int command_limits(Tool *tool);
int command_metrics(Tool *tool);
int command_reload(Tool *tool);
int command_watch(Tool *tool);

#endif
