/* SPDX-License-Identifier: MIT */
/* The sound of QEMU's display (org.qemu.Display1.Audio). */
#include "tests/system/helpers/fake-qemu/fake-qemu.h"

#define ROOT   "/org/qemu/Display1"
#define PREFIX "org.qemu.Display1"

sd_bus_message *qemu_sound_call(QemuSound *sound, const char *method)
{
	sd_bus_message *call = NULL;

	if (sound->listener)
		qemu_check(sd_bus_message_new_method_call(sound->listener, &call, NULL, sound->path,
							  sound->interface, method),
			   method);
	return call;
}

static void note_recorded(QemuSound *sound, sd_bus_message *answer)
{
	const void *data;
	size_t size, i = 0;

	qemu_check(sd_bus_message_read_array(answer, 'y', &data, &size), "Read");
	while (i < size && ((const uint8_t *)data)[i] == 0)
		i++;
	snprintf(sound->recorded, sizeof(sound->recorded), "%zu %02x", size,
		 i < size ? ((const uint8_t *)data)[i] : 0);
}

static int on_answer(sd_bus_message *answer, void *context, sd_bus_error *error)
{
	QemuSound *sound = context;

	(void)error;
	sound->is_waiting = false;
	sound->has_failed = sd_bus_message_is_method_error(answer, NULL);
	if (sd_bus_message_has_signature(answer, "ay") > 0)
		note_recorded(sound, answer);
	return 0;
}

void qemu_sound_send(QemuSound *sound, sd_bus_message *call)
{
	sound->is_waiting = true;
	qemu_check(sd_bus_call_async(sound->listener, NULL, call, on_answer, sound, UINT64_MAX),
		   "sound");
	sd_bus_message_unref(call);
}

static int register_listener(QemuSound *sound, sd_bus_message *message, sd_bus_error *error)
{
	int socket;

	if (sound->listener)
		return sd_bus_error_set(error, "org.qemu.Display1.Error.Invalid",
					"`p2p` is already registered!");
	qemu_check(sd_bus_message_read(message, "h", &socket), "RegisterOutListener");
	sound->listener = qemu_serve_bus(sd_bus_get_event(sd_bus_message_get_bus(message)),
					 fcntl(socket, F_DUPFD_CLOEXEC, 0));
	return sd_bus_reply_method_return(message, "");
}

static int on_register_out(sd_bus_message *message, void *context, sd_bus_error *error)
{
	return register_listener(&((QemuDisplay *)context)->sound, message, error);
}

static int on_register_in(sd_bus_message *message, void *context, sd_bus_error *error)
{
	return register_listener(&((QemuDisplay *)context)->microphone, message, error);
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("RegisterOutListener", "h", "", on_register_out, 0),
	SD_BUS_METHOD("RegisterInListener", "h", "", on_register_in, 0),
	SD_BUS_VTABLE_END,
};

void qemu_sound_join(QemuDisplay *display)
{
	sd_bus_close_unref(display->sound.listener);
	sd_bus_close_unref(display->microphone.listener);
	display->sound = (QemuSound){ .path = ROOT "/AudioOutListener",
				      .interface = PREFIX ".AudioOutListener" };
	display->microphone = (QemuSound){ .path = ROOT "/AudioInListener",
					   .interface = PREFIX ".AudioInListener" };
	qemu_check(sd_bus_add_object_vtable(display->bus, NULL, ROOT "/Audio", PREFIX ".Audio",
					    methods, display),
		   "Audio");
}
