/* SPDX-License-Identifier: MIT */
/*
 * The table from SDL's scan codes to QEMU's key numbers, key by key. Here the keys are in the order
 * of QEMU's numbers, with QEMU's own names beside them.
 */
#include <SDL.h>
#include <criterion/criterion.h>

#include "client/vail-view/window/key-codes.h"

TestSuite(key_codes);

#define KEY(name) SDL_SCANCODE_##name

static const struct {
	int scan_code;
	unsigned int code;
	const char *qemu; /* its name of the key */
} keys[] = {
	{ KEY(ESCAPE), 1, "esc" },
	{ KEY(1), 2, "1" },
	{ KEY(2), 3, "2" },
	{ KEY(3), 4, "3" },
	{ KEY(4), 5, "4" },
	{ KEY(5), 6, "5" },
	{ KEY(6), 7, "6" },
	{ KEY(7), 8, "7" },
	{ KEY(8), 9, "8" },
	{ KEY(9), 10, "9" },
	{ KEY(0), 11, "0" },
	{ KEY(MINUS), 12, "minus" },
	{ KEY(EQUALS), 13, "equal" },
	{ KEY(BACKSPACE), 14, "backspace" },
	{ KEY(TAB), 15, "tab" },
	{ KEY(Q), 16, "q" },
	{ KEY(W), 17, "w" },
	{ KEY(E), 18, "e" },
	{ KEY(R), 19, "r" },
	{ KEY(T), 20, "t" },
	{ KEY(Y), 21, "y" },
	{ KEY(U), 22, "u" },
	{ KEY(I), 23, "i" },
	{ KEY(O), 24, "o" },
	{ KEY(P), 25, "p" },
	{ KEY(LEFTBRACKET), 26, "bracket_left" },
	{ KEY(RIGHTBRACKET), 27, "bracket_right" },
	{ KEY(RETURN), 28, "ret" },
	{ KEY(LCTRL), 29, "ctrl" },
	{ KEY(A), 30, "a" },
	{ KEY(S), 31, "s" },
	{ KEY(D), 32, "d" },
	{ KEY(F), 33, "f" },
	{ KEY(G), 34, "g" },
	{ KEY(H), 35, "h" },
	{ KEY(J), 36, "j" },
	{ KEY(K), 37, "k" },
	{ KEY(L), 38, "l" },
	{ KEY(SEMICOLON), 39, "semicolon" },
	{ KEY(APOSTROPHE), 40, "apostrophe" },
	{ KEY(GRAVE), 41, "grave_accent" },
	{ KEY(LSHIFT), 42, "shift" },
	{ KEY(BACKSLASH), 43, "backslash" },
	{ KEY(NONUSHASH), 43, "backslash" },
	{ KEY(Z), 44, "z" },
	{ KEY(X), 45, "x" },
	{ KEY(C), 46, "c" },
	{ KEY(V), 47, "v" },
	{ KEY(B), 48, "b" },
	{ KEY(N), 49, "n" },
	{ KEY(M), 50, "m" },
	{ KEY(COMMA), 51, "comma" },
	{ KEY(PERIOD), 52, "dot" },
	{ KEY(SLASH), 53, "slash" },
	{ KEY(RSHIFT), 54, "shift_r" },
	{ KEY(KP_MULTIPLY), 55, "kp_multiply" },
	{ KEY(LALT), 56, "alt" },
	{ KEY(SPACE), 57, "spc" },
	{ KEY(CAPSLOCK), 58, "caps_lock" },
	{ KEY(F1), 59, "f1" },
	{ KEY(F2), 60, "f2" },
	{ KEY(F3), 61, "f3" },
	{ KEY(F4), 62, "f4" },
	{ KEY(F5), 63, "f5" },
	{ KEY(F6), 64, "f6" },
	{ KEY(F7), 65, "f7" },
	{ KEY(F8), 66, "f8" },
	{ KEY(F9), 67, "f9" },
	{ KEY(F10), 68, "f10" },
	{ KEY(NUMLOCKCLEAR), 69, "num_lock" },
	{ KEY(SCROLLLOCK), 70, "scroll_lock" },
	{ KEY(KP_7), 71, "kp_7" },
	{ KEY(KP_8), 72, "kp_8" },
	{ KEY(KP_9), 73, "kp_9" },
	{ KEY(KP_MINUS), 74, "kp_subtract" },
	{ KEY(KP_4), 75, "kp_4" },
	{ KEY(KP_5), 76, "kp_5" },
	{ KEY(KP_6), 77, "kp_6" },
	{ KEY(KP_PLUS), 78, "kp_add" },
	{ KEY(KP_1), 79, "kp_1" },
	{ KEY(KP_2), 80, "kp_2" },
	{ KEY(KP_3), 81, "kp_3" },
	{ KEY(KP_0), 82, "kp_0" },
	{ KEY(KP_PERIOD), 83, "kp_decimal" },
	{ KEY(SYSREQ), 84, "print" },
	{ KEY(F16), 85, "f16" },
	{ KEY(NONUSBACKSLASH), 86, "less" },
	{ KEY(F11), 87, "f11" },
	{ KEY(F12), 88, "f12" },
	{ KEY(KP_EQUALS), 89, "kp_equals" },
	{ KEY(F20), 90, "f20" },
	{ KEY(F13), 93, "f13" },
	{ KEY(F14), 94, "f14" },
	{ KEY(F15), 95, "f15" },
	{ KEY(PASTE), 101, "paste" },
	{ KEY(F23), 109, "f23" },
	{ KEY(F24), 111, "f24" },
	{ KEY(INTERNATIONAL2), 112, "katakanahiragana" },
	{ KEY(LANG2), 113, "lang2" },
	{ KEY(LANG1), 114, "lang1" },
	{ KEY(INTERNATIONAL1), 115, "ro" },
	{ KEY(F21), 116, "f21" },
	{ KEY(LANG4), 119, "hiragana" },
	{ KEY(INTERNATIONAL4), 121, "henkan" },
	{ KEY(INTERNATIONAL5), 123, "muhenkan" },
	{ KEY(INTERNATIONAL3), 125, "yen" },
	{ KEY(KP_COMMA), 126, "kp_comma" },
	{ KEY(F17), 131, "f17" },
	{ KEY(F19), 132, "f19" },
	{ KEY(AGAIN), 133, "again" },
	{ KEY(UNDO), 135, "undo" },
	{ KEY(AUDIOPREV), 144, "audioprev" },
	{ KEY(AUDIONEXT), 153, "audionext" },
	{ KEY(KP_ENTER), 156, "kp_enter" },
	{ KEY(RCTRL), 157, "ctrl_r" },
	{ KEY(MENU), 158, "menu" },
	{ KEY(MUTE), 160, "audiomute" },
	{ KEY(AUDIOMUTE), 160, "audiomute" },
	{ KEY(CALCULATOR), 161, "calculator" },
	{ KEY(AUDIOPLAY), 162, "audioplay" },
	{ KEY(AUDIOSTOP), 164, "audiostop" },
	{ KEY(VOLUMEDOWN), 174, "volumedown" },
	{ KEY(VOLUMEUP), 176, "volumeup" },
	{ KEY(AC_HOME), 178, "ac_home" },
	{ KEY(KP_DIVIDE), 181, "kp_divide" },
	{ KEY(PRINTSCREEN), 183, "print" },
	{ KEY(RALT), 184, "alt_r" },
	{ KEY(MODE), 184, "alt_r" },
	{ KEY(CUT), 188, "cut" },
	{ KEY(FIND), 193, "find" },
	{ KEY(PAUSE), 198, "pause" },
	{ KEY(HOME), 199, "home" },
	{ KEY(UP), 200, "up" },
	{ KEY(PAGEUP), 201, "pgup" },
	{ KEY(LEFT), 203, "left" },
	{ KEY(RIGHT), 205, "right" },
	{ KEY(END), 207, "end" },
	{ KEY(DOWN), 208, "down" },
	{ KEY(PAGEDOWN), 209, "pgdn" },
	{ KEY(INSERT), 210, "insert" },
	{ KEY(DELETE), 211, "delete" },
	{ KEY(LGUI), 219, "meta_l" },
	{ KEY(RGUI), 220, "meta_r" },
	{ KEY(APPLICATION), 221, "compose" },
	{ KEY(POWER), 222, "power" },
	{ KEY(SLEEP), 223, "sleep" },
	{ KEY(AC_BOOKMARKS), 230, "ac_bookmarks" },
	{ KEY(AC_REFRESH), 231, "ac_refresh" },
	{ KEY(STOP), 232, "stop" },
	{ KEY(AC_STOP), 232, "stop" },
	{ KEY(AC_FORWARD), 233, "ac_forward" },
	{ KEY(AC_BACK), 234, "ac_back" },
	{ KEY(COMPUTER), 235, "computer" },
	{ KEY(MAIL), 236, "mail" },
	{ KEY(MEDIASELECT), 237, "mediaselect" },
	{ KEY(HELP), 245, "help" },
	{ KEY(F18), 247, "f18" },
	{ KEY(COPY), 248, "copy" },
	{ KEY(F22), 249, "f22" },
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

Test(key_codes, each_key_has_its_number)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		cr_expect_eq(key_code(keys[i].scan_code), keys[i].code, "%s: %u instead of %u",
			     keys[i].qemu, key_code(keys[i].scan_code), keys[i].code);
}

static bool is_listed(int scan_code)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (keys[i].scan_code == scan_code)
			return true;
	return false;
}

Test(key_codes, no_other_key_has_one)
{
	for (int scan_code = -1000; scan_code < 1000; scan_code++)
		if (!is_listed(scan_code))
			cr_expect_eq(key_code(scan_code), 0, "scan code %d", scan_code);
	cr_expect_eq(key_code(INT32_MAX), 0);
	cr_expect_eq(key_code(INT32_MIN), 0);
}
