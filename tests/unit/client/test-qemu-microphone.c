/* SPDX-License-Identifier: MIT */
/* The sound of a viewer's microphone, as vail-qemu passes it on to the guest. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/common/display-names.h"
#include "client/vail-qemu/guest-sound.h"

#define FRAME 4
#define READ  400 /* bytes that the guest reads at a time */

static Display display;
static GuestSound guest;
static ChannelBus channel; /* only its socket is used */
static int viewers_end;    /* of the channel */
static ChannelSound *sound;
static sd_bus *viewer;  /* the viewer's end of the listener */
static size_t asked;    /* bytes that the viewer was asked for last; 0 if it was not */
static size_t too_many; /* bytes that it replies beyond that */

static int64_t no_time(void)
{
	return 1;
}

static const WaitClock clock_of_test = { .now = no_time };

static int on_read(sd_bus_message *message, void *context, sd_bus_error *error)
{
	sd_bus_message *reply;
	uint64_t id, wanted;
	void *bytes;

	(void)context, (void)error;
	cr_assert_geq(sd_bus_message_read(message, "tt", &id, &wanted), 0);
	asked = (size_t)wanted;
	cr_assert_geq(sd_bus_message_new_method_return(message, &reply), 0);
	cr_assert_geq(sd_bus_message_append_array_space(reply, 'y', asked + too_many, &bytes), 0);
	memset(bytes, 'x', asked + too_many);
	cr_assert_geq(sd_bus_send(NULL, reply, NULL), 0);
	sd_bus_message_unref(reply);
	return 1;
}

static int on_other(sd_bus_message *message, void *context, sd_bus_error *error)
{
	(void)context, (void)error;
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Init", "tybbuyuub", "", on_other, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetEnabled", "tb", "", on_other, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Read", "tt", "ay", on_read, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

/* Lets both ends work until nothing is left. */
static void work(void)
{
	int result;

	do {
		channel_sound_process(sound);
		result = sd_bus_process(viewer, NULL);
		cr_assert_geq(result, 0);
		channel_sound_process(sound);
	} while (result > 0);
}

static SoundStream stream_of(uint64_t id)
{
	return (SoundStream){ .id = id,
			      .bits = 16,
			      .is_signed = true,
			      .frequency = 44100,
			      .channels = 2,
			      .bytes_per_frame = FRAME,
			      .bytes_per_second = 176400,
			      .is_enabled = true };
}

static void set_up(void)
{
	int pair[2], ends[2];

	asked = too_many = 0;
	display = (Display){ .link = { .clock = &clock_of_test } };
	guest_sound_init(&guest, &display, SOUND_RECORDED);
	guest.streams[0] = stream_of(1);
	guest.streams[1] = stream_of(2);
	guest.stream_count = 2;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	channel = (ChannelBus){ .socket = ends[0] };
	viewers_end = ends[1];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	sound = channel_sound_new(pair[0], &guest, &channel);
	cr_assert_not_null(sound);
	cr_assert_geq(sd_bus_new(&viewer), 0);
	cr_assert_geq(sd_bus_set_fd(viewer, pair[1], pair[1]), 0);
	cr_assert_geq(sd_bus_add_object_vtable(viewer, NULL, DISPLAY_MICROPHONE_PATH,
					       DISPLAY_MICROPHONE, methods, NULL),
		      0);
	cr_assert_geq(sd_bus_start(viewer), 0);
	work();
}

static void tear_down(void)
{
	channel_sound_free(sound);
	guest_sound_deinit(&guest);
	sd_bus_close_unref(viewer);
	close(channel.socket);
	close(viewers_end);
}

TestSuite(qemu_microphone, .init = set_up, .fini = tear_down);

/* The guest reads. Returns the number of bytes of the viewer's that it gets. */
static size_t read_stream(size_t i)
{
	char bytes[READ];
	size_t count = channel_sound_record(sound, &guest.streams[i], bytes, sizeof(bytes));

	for (size_t j = 0; j < count; j++)
		cr_assert_eq(bytes[j], 'x');
	work();
	return count;
}

/* A read of the guest asks the viewer. The next read gets the reply. */
Test(qemu_microphone, the_guest_gets_what_the_viewer_has_sent)
{
	cr_assert_eq(asked, 0u);
	cr_assert_eq(read_stream(0), 0u);
	cr_assert_eq(asked, 2 * READ);
	cr_assert_eq(read_stream(0), READ);
	cr_assert_eq(read_stream(0), READ);
}

Test(qemu_microphone, a_viewer_that_sends_more_than_was_asked_fills_no_memory)
{
	too_many = 60001;
	cr_assert_eq(read_stream(0), 0u);
	cr_assert_eq(buffer_size(&sound->record), 176400 / 5);
	for (int i = 0; i < 10; i++)
		read_stream(0);
	cr_assert_leq(buffer_size(&sound->record), 176400 / 5);
	cr_assert_eq(buffer_size(&sound->record) % FRAME, 0u);
}

Test(qemu_microphone, a_stream_that_stops_forgets_the_sound)
{
	read_stream(0);
	guest.streams[0].is_enabled = false;
	channel_sound_tell_enabled(sound, &guest.streams[0]);
	cr_assert_eq(read_stream(0), 0u);
	guest.streams[0].is_enabled = true;
	channel_sound_tell_enabled(sound, &guest.streams[0]);
	cr_assert_eq(read_stream(0), 0u);
	cr_assert_eq(read_stream(0), READ);
}

Test(qemu_microphone, one_stream_records_at_a_time)
{
	read_stream(0);
	cr_assert_eq(read_stream(1), 0u);
	cr_assert_eq(read_stream(1), 0u);
	cr_assert_eq(read_stream(0), READ);
	guest.streams[0].is_enabled = false;
	cr_assert_eq(read_stream(1), 0u);
	cr_assert_eq(read_stream(1), READ);
}

/* vaild shuts the channel down when the right is withdrawn. The listener is still there then. */
Test(qemu_microphone, the_guest_hears_nothing_after_the_channel_was_cut)
{
	read_stream(0);
	cr_assert_gt(buffer_size(&sound->record), 0u);
	shutdown(viewers_end, SHUT_RDWR);
	cr_assert_eq(read_stream(0), 0u);
}
