/* SPDX-License-Identifier: MIT */
/*
 * talk-with-fds SOCKET: a client that sends fds with its requests on one connection. It also has
 * its own memfd like a scanout of QEMU, called "own". Reads commands from stdin, one a line, and
 * prints one line for each:
 *
 *   command         effect                                      printed
 *   KINDS TEXT      sends TEXT and a newline, with fds          the reply, or "closed"; the name of
 *                                                               the error if it cannot be sent;
 *                                                               "none: ..." if this machine has no
 *                                                               such fd
 *   reconnect       waits for the end of the connection and     "closed"
 *                   opens a new one
 *   truncate SIZE   change the memfd with ftruncate(),          "done", or the name of the error
 *   write TEXT      pwrite(), F_ADD_SEALS or fchmod()
 *   seal NUMBER
 *   mode NUMBER
 *   flicker COUNT   truncates it to 0 and back, COUNT times     "done", or the name of the error
 *
 * KINDS is "-" for no fds, or a list with commas. Its items are names from fd-kinds.h, "own", the
 * numbers of inherited fds, and paths of files, which are opened for reading. NAME*COUNT stands for
 * COUNT fds of that kind. A '|' in TEXT stands for a newline. To send a request in parts, separate
 * the parts of KINDS with '+' and those of TEXT with '^'.
 */
#include "tests/system/helpers/fd-kinds.h"

typedef struct Talk {
	const char *path;
	int connection;
	int own_memfd;
} Talk;

/* Fds to send with a message. */
typedef struct Bundle {
	int items[HELPER_FDS_MAX];
	bool is_ours[HELPER_FDS_MAX]; /* to be closed after sending */
	size_t count;
} Bundle;

/* --- fds ------------------------------------------------------------------------------------- */

static int make_kind(const char *name)
{
	for (size_t i = 0; i < FD_KINDS; i++)
		if (strcmp(name, fd_kinds[i].name) == 0)
			return fd_kinds[i].make();
	errx(2, "%s is not a kind of fd", name);
}

/* Returns an fd that stays open after sending, or -1 if the name is that of a kind. */
static int find_lasting(const Talk *talk, const char *name)
{
	if (strcmp(name, "own") == 0)
		return talk->own_memfd;
	if (*name == '/')
		return open(name, O_RDONLY | O_CLOEXEC);
	return *name >= '0' && *name <= '9' ? (int)helper_number(name) : -1;
}

static bool bundle_add(Bundle *bundle, const Talk *talk, const char *name)
{
	int fd = find_lasting(talk, name);
	bool is_ours = fd < 0;

	if (is_ours)
		fd = make_kind(name);
	if (fd < 0) {
		printf("none: %s: %s\n", name, strerror(errno));
		return false;
	}
	if (bundle->count == HELPER_FDS_MAX)
		errx(2, "a message has at most %d fds", HELPER_FDS_MAX);
	bundle->is_ours[bundle->count] = is_ours;
	bundle->items[bundle->count++] = fd;
	return true;
}

/* Makes the fds of a list. Prints the reason and returns false if one cannot be made. */
static bool bundle_make(Bundle *bundle, const Talk *talk, char *kinds)
{
	char *name;

	bundle->count = 0;
	while ((name = strsep(&kinds, ","))) {
		char *count = strchr(name, '*');
		size_t times = count ? helper_number(count + 1) : 1;

		if (count)
			*count = '\0';
		for (size_t i = 0; strcmp(name, "-") != 0 && i < times; i++)
			if (!bundle_add(bundle, talk, name))
				return false;
	}
	return true;
}

static void bundle_close(const Bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++)
		if (bundle->is_ours[i])
			close(bundle->items[i]);
}

/* --- requests -------------------------------------------------------------------------------- */

/* Sends a part. Prints the reason and returns false if it cannot be sent. */
static bool send_part(const Talk *talk, char *kinds, const char *text)
{
	Bundle bundle;
	bool sent = bundle_make(&bundle, talk, kinds);

	if (sent && bundle.count == 0)
		helper_send(talk->connection, text, strlen(text));
	else if (sent) {
		sent = helper_send_fds(talk->connection, text, bundle.items, bundle.count);
		if (!sent)
			puts(strerrorname_np(errno));
	}
	bundle_close(&bundle);
	return sent;
}

static void ask(const Talk *talk, char *kinds, char *text)
{
	static char part[65536];
	char *one_kinds;

	for (char *lf = text; (lf = strchr(lf, '|'));)
		*lf = '\n';
	while ((one_kinds = strsep(&kinds, "+"))) {
		const char *one = strsep(&text, "^");

		if (!one)
			errx(2, "the text has fewer parts than the kinds");
		snprintf(part, sizeof(part), "%s%s", one, text ? "" : "\n");
		if (!send_part(talk, one_kinds, part))
			return;
	}
	helper_print_reply(talk->connection);
}

static void reconnect(Talk *talk)
{
	helper_print_reply(talk->connection);
	close(talk->connection);
	talk->connection = helper_connect(talk->path);
}

/* --- the memfd ------------------------------------------------------------------------------- */

static int flicker(int memory, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ftruncate(memory, 0) < 0 || ftruncate(memory, KIND_MEMORY_SIZE) < 0)
			return -1;
	return 0;
}

/* Executes a command that changes the memfd. Returns false if the command is another one. */
static bool change(const Talk *talk, const char *how, const char *value)
{
	int result;

	if (strcmp(how, "truncate") == 0)
		result = ftruncate(talk->own_memfd, (off_t)helper_number(value));
	else if (strcmp(how, "write") == 0)
		result = pwrite(talk->own_memfd, value, strlen(value) + 1, 0) < 0 ? -1 : 0;
	else if (strcmp(how, "seal") == 0)
		result = fcntl(talk->own_memfd, F_ADD_SEALS, (int)helper_number(value));
	else if (strcmp(how, "mode") == 0)
		result = fchmod(talk->own_memfd, (mode_t)helper_number(value));
	else if (strcmp(how, "flicker") == 0)
		result = flicker(talk->own_memfd, helper_number(value));
	else
		return false;
	puts(result < 0 ? strerrorname_np(errno) : "done");
	return true;
}

int main(int argc, char **argv)
{
	static char line[65536];

	if (argc != 2)
		errx(2, "usage: talk-with-fds SOCKET");
	Talk talk = {
		.path = argv[1],
		.connection = helper_connect(argv[1]),
		.own_memfd = kind_scanout(),
	};
	while (fgets(line, sizeof(line), stdin)) {
		char *rest = line;

		line[strcspn(line, "\n")] = '\0';
		char *word = strsep(&rest, " ");
		if (strcmp(word, "reconnect") == 0)
			reconnect(&talk);
		else if (!rest)
			errx(2, "%s: unknown command", word);
		else if (!change(&talk, word, rest))
			ask(&talk, word, rest);
		fflush(stdout);
	}
	return 0;
}
