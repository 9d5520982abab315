/* SPDX-License-Identifier: MIT */
/*
 * fake-qemu SOCKET NAME UUID TYPE...: behaves like QEMU 10 towards a client of its display. Serves
 * a QMP monitor at SOCKET, through which a client joins the display, and a console of each TYPE,
 * "Graphic" or "Text". Reads commands from stdin, one a line. After each it waits until the
 * listener has replied to all calls, and prints "ok", or "error N" if N calls failed. C is the
 * number of a console:
 *
 *   listen C COUNT                waits until COUNT listeners in total have registered or were
 *                                 ignored
 *   refuse C COUNT                refuses the next COUNT listeners
 *   ignore C COUNT                does not reply to the next COUNT listeners
 *   close C                       closes the listener's connection
 *   break C                       sends the listener an invalid D-Bus message
 *   map C W H                     shows new memory; prints its inode after "ok"
 *   draw C X Y W H...             draws into rectangles without a notification
 *   update C X Y W H...           draws into rectangles and notifies the listener
 *   play C RATE COUNT X Y W H...  draws COUNT times, RATE times a second
 *   repeat C RATE COUNT X Y W H.. notifies as often as play, but draws nothing
 *   resize C W H                  announces another size, without showing anything
 *   call C METHOD TYPES VALUE...  calls any method of the listener. A value of type h is the number
 *                                 of an inherited fd, "pipe", "memory=SIZE" for a new memfd, or
 *                                 "kept=N" for one of 16 KiB that stays, whose bytes are all N at
 *                                 first; a value of type ay is the number of bytes
 *   sound C METHOD TYPES VALUE... calls any method of the listener for sound, and waits for the
 *                                 reply; values as for call
 *   record C METHOD TYPES VALUE.. the same for the microphone; prints after "ok" the size of the
 *                                 last reply to Read, and its first byte that is not 0, or 00
 *   copy C TEXT                   the guest grabs the clipboard with this text, or with a text that
 *                                 has TEXT bytes if that is a number
 *   uncopy C                      the guest releases the clipboard
 *   reset C                       the guest's agent begins again
 *   paste C                       the guest pastes: prints the text of the client after "ok", or
 *                                 "nothing"
 *   clipboard C                   prints "GRABS RELEASES" of the client after "ok"
 *   fill N BYTE                   fills the kept memfd N, the number of a console, with this byte
 *   mouse C ABSOLUTE              makes the mouse absolute (1) or relative (0)
 *   heard C                       prints after "ok" what input has arrived since the last time: +N
 *                                 and -N for keys, +bN and -bN for buttons, atX,Y for positions
 *                                 and sizeWxH
 *   moved C                       prints after "ok" the sum of the mouse's motions so far
 *   wait C                        only waits for the listener
 *   joins C                       prints after "ok" how often a client has joined the display
 *   later COMMAND                 executes the command, but prints "ok" without waiting
 */
#include <limits.h>
#include <time.h>

#include "tests/system/helpers/fake-qemu/fake-qemu.h"

#define RECTANGLES_MAX 16
#define RESULT_SIZE    HEARD_SIZE /* of the longest result */

static uint64_t now_microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
}

static int32_t number(char **words)
{
	const char *word = strsep(words, " ");
	char *end;

	if (!word)
		errx(2, "the command needs another number");
	long long value = strtoll(word, &end, 0);
	if (*word == '\0' || *end != '\0' || value < INT32_MIN || value > UINT32_MAX)
		errx(2, "%s is not a number of 32 bits", word);
	return (int32_t)value;
}

/* The rectangles that one command draws. */
typedef struct Frame {
	int32_t rectangles[RECTANGLES_MAX][4];
	size_t count;
} Frame;

static Frame read_frame(char **words)
{
	Frame frame = { 0 };

	for (; *words && frame.count < RECTANGLES_MAX; frame.count++)
		for (size_t i = 0; i < 4; i++)
			frame.rectangles[frame.count][i] = number(words);
	return frame;
}

static void show_frame(QemuConsole *console, const Frame *frame)
{
	for (size_t i = 0; i < frame->count; i++)
		qemu_console_update(console, frame->rectangles[i]);
}

static void show_frame_again(QemuConsole *console, const Frame *frame)
{
	for (size_t i = 0; i < frame->count; i++)
		qemu_console_notify(console, frame->rectangles[i]);
}

/* ---- Waits ---- */

/* Serves all connections until *value is in the range, or for SECONDS_TO_ANSWER. */
static void serve_until(QemuDisplay *display, const unsigned long *value, unsigned long from,
			unsigned long to)
{
	while (*value < from || *value > to)
		qemu_check(sd_event_run(display->event, UINT64_MAX), "sd_event_run");
}

static void wait_for_answers(QemuDisplay *display, QemuConsole *console)
{
	serve_until(display, &console->waiting, 0, 0);
}

static void print_result(QemuConsole *console, const char *result)
{
	unsigned long failed = console->errors + console->waiting;

	if (failed > 0)
		printf("error %lu\n", failed);
	else
		printf("ok%s%s\n", *result ? " " : "", result);
	console->errors = 0;
}

/* ---- Commands ---- */

static void listen_to(QemuDisplay *display, QemuConsole *console, char *words)
{
	serve_until(display, &console->listeners, (unsigned long)number(&words), ULONG_MAX);
	wait_for_answers(display, console);
}

static void map(QemuDisplay *display, QemuConsole *console, char *words)
{
	uint32_t width = (uint32_t)number(&words), height = (uint32_t)number(&words);

	qemu_console_map(display, console, width, height);
}

static void draw(QemuDisplay *display, QemuConsole *console, char *words)
{
	const Frame frame = read_frame(&words);

	(void)display;
	for (size_t i = 0; i < frame.count; i++)
		qemu_console_draw(console, frame.rectangles[i]);
}

static void update(QemuDisplay *display, QemuConsole *console, char *words)
{
	const Frame frame = read_frame(&words);

	(void)display;
	show_frame(console, &frame);
}

static void show_frames(QemuDisplay *display, QemuConsole *console, char *words,
			void (*show)(QemuConsole *console, const Frame *frame))
{
	uint64_t period = 1000000u / (uint64_t)number(&words), count = (uint64_t)number(&words);
	const Frame frame = read_frame(&words);
	uint64_t begin = now_microseconds();

	for (uint64_t i = 0; i < count; i++) {
		uint64_t due = begin + i * period, now;

		while ((now = now_microseconds()) < due)
			qemu_check(sd_event_run(display->event, due - now), "sd_event_run");
		show(console, &frame);
	}
}

static void play(QemuDisplay *display, QemuConsole *console, char *words)
{
	show_frames(display, console, words, show_frame);
}

static void repeat(QemuDisplay *display, QemuConsole *console, char *words)
{
	show_frames(display, console, words, show_frame_again);
}

static void resize(QemuDisplay *display, QemuConsole *console, char *words)
{
	uint32_t width = (uint32_t)number(&words), height = (uint32_t)number(&words);

	qemu_console_resize(display, console, width, height);
}

static void refuse(QemuDisplay *display, QemuConsole *console, char *words)
{
	(void)display;
	console->refusals = (unsigned long)number(&words);
}

static void ignore(QemuDisplay *display, QemuConsole *console, char *words)
{
	(void)display;
	console->ignored = (unsigned long)number(&words);
}

static void set_absolute(QemuDisplay *display, QemuConsole *console, char *words)
{
	qemu_console_set_absolute(display, console, number(&words) != 0);
}

static void close_listener(QemuDisplay *display, QemuConsole *console, char *words)
{
	(void)display;
	(void)words;
	qemu_listener_close(console);
}

/* Sends the header of a message that is longer than D-Bus allows. */
static void break_listener(QemuDisplay *display, QemuConsole *console, char *words)
{
	static const unsigned char header[] = { 'l', 1, 0, 1, 0xff, 0xff, 0xff, 0xff,
						1,   0, 0, 0, 0xff, 0xff, 0xff, 0xff };

	(void)display;
	(void)words;
	if (console->listener)
		helper_send(sd_bus_get_fd(console->listener), (const char *)header, sizeof(header));
}

/* ---- The command "call" ---- */

#define KEPT_MAX  4
#define KEPT_SIZE 16384

static void fill_kept(int memory, uint8_t byte)
{
	uint8_t bytes[KEPT_SIZE];

	memset(bytes, byte, sizeof(bytes));
	if (pwrite(memory, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		err(2, "memfd");
}

/* Returns the kept memory of this number, made when it is first used. */
static int kept_memory(unsigned int number)
{
	static int kept[KEPT_MAX];

	if (number >= KEPT_MAX)
		errx(2, "there are only %d kept memfds", KEPT_MAX);
	if (kept[number] == 0) {
		kept[number] = memfd_create("screen", MFD_CLOEXEC);
		if (kept[number] < 0)
			err(2, "memfd");
		fill_kept(kept[number], (uint8_t)number);
	}
	return kept[number];
}

/* Returns an fd. *ret_is_ours is false if it is inherited and must stay open. */
static int open_value(const char *value, bool *ret_is_ours)
{
	unsigned long size;
	unsigned int kept;
	int ends[2];

	*ret_is_ours = true;
	if (strcmp(value, "pipe") == 0) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			err(2, "pipe");
		close(ends[1]);
		return ends[0];
	}
	if (sscanf(value, "memory=%lu", &size) == 1) {
		int memory = memfd_create("screen", MFD_CLOEXEC);
		if (memory < 0 || ftruncate(memory, (off_t)size) < 0)
			err(2, "memfd");
		return memory;
	}
	*ret_is_ours = false;
	if (sscanf(value, "kept=%u", &kept) == 1)
		return kept_memory(kept);
	return (int)helper_number(value);
}

static int append_fd(sd_bus_message *call, const char *value)
{
	bool is_ours;
	int fd = open_value(value, &is_ours);
	int result = sd_bus_message_append(call, "h", fd);

	if (is_ours)
		close(fd);
	return result;
}

static int append_bytes(sd_bus_message *call, size_t size)
{
	void *bytes;
	int result = sd_bus_message_append_array_space(call, 'y', size, &bytes);

	for (size_t i = 0; result >= 0 && i < size; i++)
		((uint8_t *)bytes)[i] = (uint8_t)i;
	return result;
}

/* Appends a value. All types that QEMU uses have 32 bits, except t. */
static int append(sd_bus_message *call, const char *type, char **words)
{
	if (*type == 'h')
		return append_fd(call, strsep(words, " "));
	if (*type == 'a')
		return append_bytes(call, (size_t)number(words));
	if (*type == 't')
		return sd_bus_message_append(call, "t", (uint64_t)number(words));
	return sd_bus_message_append(call, (const char[]){ *type, '\0' }, number(words));
}

static void call_listener(QemuDisplay *display, QemuConsole *console, char *words)
{
	const char *method = strsep(&words, " "), *types = words ? strsep(&words, " ") : "";
	sd_bus_message *call = qemu_listener_call(console, method);

	(void)display;
	for (; call && *types; types += *types == 'a' ? 2 : 1)
		qemu_check(append(call, types, &words), method);
	if (call)
		qemu_listener_send(console, call);
	else
		console->errors++;
}

/* The first word is the number of the kept memory, where other commands have the console. */
static void fill(QemuDisplay *display, QemuConsole *console, char *words)
{
	(void)display;
	fill_kept(kept_memory(console->number), (uint8_t)number(&words));
}

/* ---- Sound ---- */

static void call_sound_listener(QemuDisplay *display, QemuSound *sound, QemuConsole *console,
				char *words)
{
	const char *method = strsep(&words, " "), *types = words ? strsep(&words, " ") : "";
	sd_bus_message *call = qemu_sound_call(sound, method);

	for (; call && *types; types += *types == 'a' ? 2 : 1)
		qemu_check(append(call, types, &words), method);
	sound->has_failed = !call;
	if (call)
		qemu_sound_send(sound, call);
	while (sound->is_waiting)
		qemu_check(sd_event_run(display->event, UINT64_MAX), "sd_event_run");
	console->errors += sound->has_failed;
}

static void call_sound(QemuDisplay *display, QemuConsole *console, char *words)
{
	call_sound_listener(display, &display->sound, console, words);
}

static void call_microphone(QemuDisplay *display, QemuConsole *console, char *words)
{
	call_sound_listener(display, &display->microphone, console, words);
}

/* ---- The clipboard ---- */

static void copy(QemuDisplay *display, QemuConsole *console, char *words)
{
	size_t size = (size_t)strtoul(words ? words : "", NULL, 10);
	char *text = size > 0 ? calloc(size + 1, 1) : strdup(words ? words : "");

	(void)console;
	if (!text)
		err(2, "calloc");
	memset(text, 'x', size);
	qemu_clipboard_copy(&display->clipboard, text);
	free(text);
}

static void uncopy(QemuDisplay *display, QemuConsole *console, char *words)
{
	(void)console, (void)words;
	qemu_clipboard_release(&display->clipboard);
}

static void reset(QemuDisplay *display, QemuConsole *console, char *words)
{
	(void)console, (void)words;
	qemu_clipboard_reset(&display->clipboard);
}

static void paste(QemuDisplay *display, QemuConsole *console, char *words)
{
	(void)console, (void)words;
	qemu_clipboard_paste(&display->clipboard);
	while (display->clipboard.is_pasting)
		qemu_check(sd_event_run(display->event, UINT64_MAX), "sd_event_run");
}

/* ---- Command lines ---- */

static const struct {
	const char *name;
	void (*execute)(QemuDisplay *display, QemuConsole *console, char *words);
} commands[] = {
	{ "listen", listen_to },
	{ "refuse", refuse },
	{ "ignore", ignore },
	{ "close", close_listener },
	{ "break", break_listener },
	{ "map", map },
	{ "draw", draw },
	{ "update", update },
	{ "play", play },
	{ "repeat", repeat },
	{ "resize", resize },
	{ "call", call_listener },
	{ "sound", call_sound },
	{ "record", call_microphone },
	{ "copy", copy },
	{ "uncopy", uncopy },
	{ "reset", reset },
	{ "paste", paste },
	{ "clipboard", NULL },
	{ "fill", fill },
	{ "mouse", set_absolute },
	{ "heard", NULL },
	{ "moved", NULL },
	{ "wait", NULL },
	{ "joins", NULL },
};

static void execute(QemuDisplay *display, const char *name, QemuConsole *console, char *words)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		if (commands[i].execute)
			commands[i].execute(display, console, words);
		return;
	}
	errx(2, "%s: unknown command", name);
}

/* Writes what the command prints after "ok", for some commands. */
static void find_result(char result[static RESULT_SIZE], const QemuDisplay *display,
			QemuConsole *console, const char *command)
{
	struct stat status;

	if (strcmp(command, "map") == 0 && fstat(console->memory, &status) == 0)
		snprintf(result, RESULT_SIZE, "%ju", (uintmax_t)status.st_ino);
	if (strcmp(command, "joins") == 0)
		snprintf(result, RESULT_SIZE, "%u", display->joins);
	if (strcmp(command, "record") == 0)
		snprintf(result, RESULT_SIZE, "%s", display->microphone.recorded);
	if (strcmp(command, "paste") == 0)
		snprintf(result, RESULT_SIZE, "%s", display->clipboard.pasted);
	if (strcmp(command, "clipboard") == 0)
		snprintf(result, RESULT_SIZE, "%lu %lu", display->clipboard.grabs,
			 display->clipboard.releases);
	if (strcmp(command, "moved") == 0)
		snprintf(result, RESULT_SIZE, "%d,%d", console->moved_x, console->moved_y);
	if (strcmp(command, "heard") == 0) {
		snprintf(result, RESULT_SIZE, "%s", console->heard);
		console->heard[0] = '\0';
	}
}

static void execute_line(QemuDisplay *display, char *words)
{
	const char *name = strsep(&words, " ");
	bool waits = strcmp(name, "later") != 0;
	char result[RESULT_SIZE] = "";

	if (!waits)
		name = strsep(&words, " ");
	size_t index = (size_t)number(&words);
	if (index >= display->console_count)
		errx(2, "there is no console %zu", index);
	QemuConsole *console = &display->consoles[index];
	execute(display, name, console, words);
	if (waits)
		wait_for_answers(display, console);
	find_result(result, display, console, name);
	if (waits)
		print_result(console, result);
	else
		printf("ok %s\n", result);
	fflush(stdout);
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)fd;
	(void)events;
	*(bool *)context = true;
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

int main(int argc, char **argv)
{
	QemuDisplay display = { 0 };
	sd_event_source *input;
	bool has_input = false;
	char line[HELPER_LINE_SIZE];

	if (argc < 5 || argc - 4 > QEMU_CONSOLES_MAX)
		errx(2, "usage: fake-qemu SOCKET NAME UUID TYPE...");
	display.name = argv[2];
	display.uuid = argv[3];
	for (int i = 4; i < argc; i++)
		display.consoles[display.console_count++] = (QemuConsole){
			.number = (unsigned int)i - 4, .type = argv[i], .memory = -1
		};
	setvbuf(stdin, NULL, _IONBF, 0); /* so that poll() sees every line */
	qemu_check(sd_event_new(&display.event), "sd_event_new");
	qemu_monitor_serve(&display, argv[1]);
	qemu_check(
		sd_event_add_io(display.event, &input, STDIN_FILENO, EPOLLIN, on_input, &has_input),
		"stdin");
	for (;;) {
		qemu_check(sd_event_run(display.event, UINT64_MAX), "sd_event_run");
		if (!has_input)
			continue;
		if (!helper_read_line(line))
			return 0;
		execute_line(&display, line);
		has_input = false;
		sd_event_source_set_enabled(input, SD_EVENT_ON);
	}
}
