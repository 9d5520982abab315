/* SPDX-License-Identifier: MIT */
/* vail-qemu's table of what each right allows on a display channel. */
#include <criterion/criterion.h>

#include "client/vail-qemu/channel-rights.h"
#include "proto/macros.h"
#include <vail.h>

TestSuite(qemu_channel_rights);

#define VIEW      VAIL_DISPLAY_VIEW
#define INPUT     (VIEW | VAIL_DISPLAY_INPUT)
#define CLIPBOARD VAIL_DISPLAY_CLIPBOARD
#define SOUND     (VAIL_DISPLAY_AUDIO_OUTPUT | VAIL_DISPLAY_AUDIO_INPUT)

static const struct {
	unsigned int rights;
	const char *interface;
	const char *member;
	bool allowed;
} calls[] = {
	{ VIEW, "org.qemu.Display1.Console", "RegisterListener", true },
	{ VIEW, "org.qemu.Display1.Console", "SetUIInfo", false },
	{ INPUT, "org.qemu.Display1.Console", "SetUIInfo", true },
	{ VIEW, "org.qemu.Display1.Keyboard", "Press", false },
	{ INPUT, "org.qemu.Display1.Keyboard", "Press", true },
	{ VIEW, "org.qemu.Display1.Mouse", "RelMotion", false },
	{ INPUT, "org.qemu.Display1.Mouse", "RelMotion", true },
	{ VIEW | CLIPBOARD | SOUND, "org.qemu.Display1.MultiTouch", "SendEvent", false },
	{ INPUT, "org.qemu.Display1.MultiTouch", "SendEvent", true },
	{ INPUT | SOUND, "org.qemu.Display1.Clipboard", "Register", false },
	{ VIEW | CLIPBOARD, "org.qemu.Display1.Clipboard", "Register", true },
	{ VIEW | CLIPBOARD, "org.qemu.Display1.Keyboard", "Press", false },
	{ INPUT | CLIPBOARD, "org.qemu.Display1.Audio", "RegisterOutListener", false },
	{ VIEW | VAIL_DISPLAY_AUDIO_INPUT, "org.qemu.Display1.Audio", "RegisterOutListener",
	  false },
	{ VIEW | VAIL_DISPLAY_AUDIO_OUTPUT, "org.qemu.Display1.Audio", "RegisterOutListener",
	  true },
	{ INPUT | VAIL_DISPLAY_AUDIO_OUTPUT, "org.qemu.Display1.Audio", "RegisterInListener",
	  false },
	{ VIEW | VAIL_DISPLAY_AUDIO_INPUT, "org.qemu.Display1.Audio", "RegisterInListener", true },
	{ INPUT | SOUND | CLIPBOARD, "org.qemu.Display1.Chardev", "Register", false },
	{ INPUT, "org.qemu.Display1.ConsoleX", "RegisterListener", false },
	{ INPUT, "org.qemu.Display1.Consol", "RegisterListener", false },
	{ INPUT, "", "Press", false },
	{ INPUT, NULL, "Press", false },
	{ INPUT, "org.qemu.Display1.Keyboard", NULL, false },
	{ 0, "org.qemu.Display1.Console", "RegisterListener", false },
	{ VIEW, "org.freedesktop.DBus.Properties", "GetAll", true },
	{ VIEW, "org.freedesktop.DBus.Introspectable", "Introspect", true },
	{ VIEW, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", false },
};

Test(qemu_channel_rights, calls_need_their_right)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		cr_assert_eq(channel_allows(calls[i].rights, calls[i].interface, calls[i].member),
			     calls[i].allowed, "row %zu", i);
}

Test(qemu_channel_rights, interfaces_need_their_right)
{
	cr_assert(channel_has_interface(VIEW, "org.qemu.Display1.VM"));
	cr_assert(channel_has_interface(VIEW, "org.qemu.Display1.Console"));
	cr_assert_not(channel_has_interface(VIEW, "org.qemu.Display1.Keyboard"));
	cr_assert_not(channel_has_interface(VIEW, "org.qemu.Display1.Mouse"));
	cr_assert_not(channel_has_interface(VIEW, "org.qemu.Display1.MultiTouch"));
	cr_assert(channel_has_interface(INPUT, "org.qemu.Display1.Keyboard"));
	cr_assert_not(channel_has_interface(INPUT | SOUND, "org.qemu.Display1.Clipboard"));
	cr_assert(channel_has_interface(VIEW | CLIPBOARD, "org.qemu.Display1.Clipboard"));
}
