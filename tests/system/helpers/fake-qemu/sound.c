/* SPDX-License-Identifier: MIT */
/* The sound of QEMU's display (org.qemu.Display1.Audio). */
#include "tests/system/helpers/fake-qemu/fake-qemu.h"

#define ROOT   "/org/qemu/Display1"
#define PREFIX "org.qemu.Display1"

sd_bus_message *qemu_sound_call(QemuSound *sound, const char *method)
{
	sd_bus_message *call = NULL;

	if (sound->listener)
		qemu_check(sd_bus_message_new_method_call(sound->listener, &call, NULL,
							  ROOT "/AudioOutListener",
							  PREFIX ".AudioOutListener", method),
			   method);
	return call;
}

static int on_answer(sd_bus_message *answer, void *context, sd_bus_error *error)
{
	QemuSound *sound = context;

	(void)error;
	sound->is_waiting = false;
	sound->has_failed = sd_bus_message_is_method_error(answer, NULL);
	return 0;
}

void qemu_sound_send(QemuSound *sound, sd_bus_message *call)
{
	sound->is_waiting = true;
	qemu_check(sd_bus_call_async(sound->listener, NULL, call, on_answer, sound, UINT64_MAX),
		   "sound");
	sd_bus_message_unref(call);
}

static int on_register(sd_bus_message *message, void *context, sd_bus_error *error)
{
	QemuSound *sound = context;
	int socket;

	if (sound->listener)
		return sd_bus_error_set(error, "org.qemu.Display1.Error.Invalid",
					"`p2p` is already registered!");
	qemu_check(sd_bus_message_read(message, "h", &socket), "RegisterOutListener");
	sound->listener = qemu_serve_bus(sd_bus_get_event(sd_bus_message_get_bus(message)),
					 fcntl(socket, F_DUPFD_CLOEXEC, 0));
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("RegisterOutListener", "h", "", on_register, 0),
	SD_BUS_VTABLE_END,
};

void qemu_sound_join(QemuDisplay *display)
{
	QemuSound *sound = &display->sound;

	sound->listener = sd_bus_close_unref(sound->listener);
	qemu_check(sd_bus_add_object_vtable(display->bus, NULL, ROOT "/Audio", PREFIX ".Audio",
					    methods, sound),
		   "Audio");
}
