/* SPDX-License-Identifier: MIT */
/*
 * play-display SOCKET GUID: plays the agent of a VM, or a viewer, on a display channel, through
 * libvail. Reads commands from stdin, and answers each with one line:
 *
 *   serve         begins to serve the VM's display
 *   next          waits for the next event of that: "begun", "opened RIGHTS", "closed REASON",
 *                 "interrupted", "ended REASON" or the status of a failure
 *   register      creates a context and registers this process
 *   open RIGHTS   opens a display with these rights, as a number: the status, and the rights
 *   say WORD      writes the word to the channel opened last: "said" or "broken"
 *   hang          sends an fd on it whose close blocks: the pid of a process that keeps it so
 *   hear          reads a word from it: the word or "end"
 */
#include <netinet/in.h>
#include <vail.h>

#include "tests/support/helper.h"

typedef struct Player {
	const char *guid;
	struct vail *vail;   /* for all other calls */
	struct vail *server; /* for the stream */
	char event[160];     /* empty if none has happened since it was read */
	int channel;         /* -1 if there is none */
} Player;

static void keep_channel(Player *player, int channel)
{
	if (player->channel >= 0)
		close(player->channel);
	player->channel = channel;
}

static bool on_event(struct vail *vail, NTSTATUS status, const VailServeEvent *event,
		     bool continues, void *context)
{
	static const char *const names[] = { "begun", "opened", "closed", "interrupted", "ended" };
	Player *player = context;
	char *text = player->event + strlen(player->event);
	size_t size = sizeof(player->event) - strlen(player->event);

	(void)continues;
	if (!event) {
		snprintf(text, size, "%s;", vail_status_name(status));
		return true;
	}
	if (event->kind == VAIL_SERVE_OPENED) {
		keep_channel(player, vail_take_descriptor(vail, 0));
		snprintf(text, size, "opened %u;", event->display->rights);
	} else {
		snprintf(text, size, "%s%s%s;", names[event->kind], event->reason ? " " : "",
			 event->reason ? event->reason : "");
	}
	return true;
}

/* Waits for the next event and prints it. */
static void print_event(Player *player)
{
	while (player->event[0] == '\0') {
		struct pollfd fd = { .fd = vail_descriptor(player->server),
				     .events = vail_events(player->server) };

		if (poll(&fd, 1, -1) < 0 && errno != EINTR)
			err(2, "poll");
		vail_process(player->server);
	}
	char *end = strchr(player->event, ';');
	*end = '\0';
	puts(player->event);
	memmove(player->event, end + 1, strlen(end + 1) + 1);
}

static void register_process(const Player *player)
{
	char context[VAIL_HANDLE_SIZE];
	NTSTATUS status = vail_create_context(player->vail, NULL, context, NULL);

	if (status == STATUS_SUCCESS)
		status = vail_register_process(player->vail, player->guid);
	puts(vail_status_name(status));
}

static void open_channel(Player *player, unsigned int rights)
{
	int channel = -1;
	NTSTATUS status =
		vail_open_display(player->vail, player->guid, rights, NULL, &rights, &channel);

	if (status != STATUS_SUCCESS) {
		puts(vail_status_name(status));
		return;
	}
	keep_channel(player, channel);
	printf("%s %u\n", vail_status_name(status), rights);
}

/* Reads up to a newline. */
static void hear(const Player *player)
{
	char word[64] = "";
	size_t length = 0;

	while (length < sizeof(word) - 1 && read(player->channel, word + length, 1) == 1 &&
	       word[length] != '\n')
		length++;
	word[length] = '\0';
	puts(length > 0 ? word : "end");
}

static void say(const Player *player, const char *word)
{
	char line[80];
	int length = snprintf(line, sizeof(line), "%s\n", word);
	bool is_said = send(player->channel, line, (size_t)length, MSG_NOSIGNAL) == length;

	puts(is_said ? "said" : "broken");
}

/* Returns a connected TCP socket whose last close waits until the peer reads. */
static int open_lingering(int *ret_peer)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 36000 };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char data[4096] = { 0 };

	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
	    connect(fd, (struct sockaddr *)&address, size) < 0)
		err(2, "connect");
	*ret_peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		err(2, "SO_LINGER");
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* The peer of the lingering socket belongs to another process, which outlives this one. */
static void send_lingering(Player *player)
{
	int peer, fd = open_lingering(&peer);
	pid_t keeper = fork();

	if (keeper == 0) {
		close_range(0, (unsigned int)peer - 1, 0);
		close_range((unsigned int)peer + 1, ~0u, 0);
		pause();
		_exit(0);
	}
	close(peer);
	if (!helper_send_fds(player->channel, "x", &fd, 1))
		err(2, "sendmsg");
	close(fd);
	printf("%d\n", (int)keeper);
}

static void serve(Player *player)
{
	NTSTATUS status = vail_serve_displays(player->server, player->guid, on_event, player);

	puts(vail_status_name(status));
}

static void obey(Player *player, const char *command)
{
	if (strcmp(command, "serve") == 0)
		serve(player);
	else if (strcmp(command, "next") == 0)
		print_event(player);
	else if (strcmp(command, "register") == 0)
		register_process(player);
	else if (strncmp(command, "open ", 5) == 0)
		open_channel(player, (unsigned int)atoi(command + 5));
	else if (strncmp(command, "say ", 4) == 0)
		say(player, command + 4);
	else if (strcmp(command, "hang") == 0)
		send_lingering(player);
	else if (strcmp(command, "hear") == 0)
		hear(player);
	else
		errx(2, "%s is no command", command);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	Player player = { .guid = argc == 3 ? argv[2] : NULL, .channel = -1 };
	char line[HELPER_LINE_SIZE];

	if (argc != 3)
		errx(2, "usage: play-display SOCKET GUID");
	if (vail_new(argv[1], &player.vail) != STATUS_SUCCESS ||
	    vail_new(argv[1], &player.server) != STATUS_SUCCESS)
		errx(2, "vail_new");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		obey(&player, line);
	}
	vail_close(player.server);
	vail_close(player.vail);
	return 0;
}
