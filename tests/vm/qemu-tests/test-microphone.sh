#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A Linux guest in QEMU 10 records with ALSA's arecord from an HDA card, while vail-view's window has the
# microphone. SDL reads a file in place of a microphone. What arrives in the guest is what was in that
# file, sample by sample, and silence without a window, without --microphone or without the right.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/desktop.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu-guest.sh"
# shellcheck source=tests/vm/qemu-image.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu-image.sh"

QEMU_USER=vail-vmm
SPOKEN=$HOME_OF_ALICE/spoken
RECORD=$PRIVATE/guest/record
FREQUENCY=44100
WITH_DESKTOP+=(SDL_AUDIODRIVER=disk "SDL_DISKAUDIOFILEIN=$SPOKEN")

## The guest

# Prints the guest's init. The card's mixer is at its full volume, so that QEMU changes no sample. Each
# record takes some seconds, and the window opens the microphone again for the next one.
print_init() {
  cat <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
for module in /modules/*; do
  /bin/busybox insmod "$module"
done
exec >/dev/ttyS0 2>&1
until /usr/bin/amixer -q -c 0 sset Capture 100% cap; do
  /bin/busybox sleep 1
done
/usr/bin/amixer -c 0 sget Capture
echo records
port=$(echo /dev/vport*p1)
while /usr/bin/arecord -q -D hw:0 -t raw -f S16_LE -c 2 -r 44100 -d 5 >"$port"; do :; done
echo failed
/bin/busybox sleep 1000000
INIT
}

# add_program PATH...: adds programs of QEMU_TREE and their libraries to the guest's initramfs.
add_program() {
  local library

  for library in "$@" $(chroot "$QEMU_TREE" ldd "$@" | grep -o '/[^ :]*'); do
    mkdir -p "$PRIVATE/additional$(dirname "$library")"
    cp -L "$QEMU_TREE$library" "$PRIVATE/additional$library"
  done
}

start_linux() {
  mkdir "$PRIVATE/additional"
  print_init >"$PRIVATE/additional/init"
  chmod 755 "$PRIVATE/additional/init"
  add_program /usr/bin/arecord /usr/bin/amixer
  mkdir -p "$PRIVATE/additional/usr/share"
  cp -r "$QEMU_TREE/usr/share/alsa" "$PRIVATE/additional/usr/share/"
  make_guest_initrd sound-initrd
  MEMORY=256 start_guest -name "a guest" -uuid "$GUID" -display "dbus,p2p=yes,audiodev=sound" \
    -device virtio-vga,id=gpu0 -audiodev dbus,id=sound \
    -device ich9-intel-hda -device hda-duplex,audiodev=sound \
    -device virtio-serial-pci -chardev "file,id=record,path=$RECORD" \
    -device virtserialport,chardev=record,name=record \
    -kernel /guest/vmlinuz -initrd "$PRIVATE/guest/initrd" -serial "file:$SERIAL" \
    -append "quiet mitigations=off tsc=reliable no_timer_check nokaslr"
  start_agent --user vail-alice:view,input,audioInput
  expect "the guest has a sound card" eventually_unless_gone "$QEMU" guest_says records
  guest_says records || sed 's/^/# guest: /' "$SERIAL"
  expect "its mixer is at full volume" grep -qF "[100%]" "$SERIAL"
  expect "vail-qemu shares the guest's screen" eventually_unless_gone "$AGENT" shares_screen
}
shares_screen() { [ -n "$(console_handle)" ]; }
guest_says() { tr -d '\r' <"$SERIAL" | grep -qxF -- "$1"; }

## The record

# Prints the number of frames that the guest has recorded.
recorded() { echo $(($(stat -c %s "$RECORD") / 4)); }

# has_recorded FRAMES
has_recorded() { [ "$(recorded)" -ge "$1" ]; }

# heard FIRST: reads the guest's record from its frame FIRST. Sets SPEECH and LONGEST to the numbers of
# spoken frames, and of those without a gap. Fails if the guest has heard something else.
heard() {
  read -r _ SPEECH LONGEST < <("$HELPERS/check-speech" heard "$RECORD" "$1" 2>"$PRIVATE/heard.log")
}

# hears_speech FIRST: tests whether the guest has heard half a second of speech from its frame FIRST, and a
# part of it without a gap. On a slow machine, QEMU reads sooner than the window has recorded enough.
hears_speech() { heard "$1" && [ "$SPEECH" -ge $((FREQUENCY / 2)) ] && [ "$LONGEST" -ge 256 ]; }
hears_speech_or_noise() { hears_speech "$1" || [ -s "$PRIVATE/heard.log" ]; }

# expect_speech CHECK: waits until the guest hears what is spoken from now on.
expect_speech() {
  local first

  first=$(recorded)
  eventually_unless_gone "$QEMU" hears_speech_or_noise "$first" || true
  if hears_speech "$first"; then ok "$1"; else not_ok "$1" "$(cat "$PRIVATE/heard.log")"; fi
  echo "# $SPEECH frames were spoken, $LONGEST of them without a gap"
}

# Tests whether the guest has heard nothing in the last quarter of a second.
has_heard_nothing() {
  local count

  count=$(recorded)
  [ "$count" -ge "$FREQUENCY" ] && heard $((count - FREQUENCY / 4)) && [ "$SPEECH" -eq 0 ]
}

# expect_silence CHECK: checks that the guest records a second, and hears nothing. In the second before
# that, it may hear what was on its way.
expect_silence() {
  local first

  first=$(($(recorded) + FREQUENCY))
  eventually_unless_gone "$QEMU" has_recorded $((first + FREQUENCY)) || true
  expect "$1: the guest records" has_recorded $((first + FREQUENCY))
  heard "$first" || SPEECH=$(cat "$PRIVATE/heard.log")
  expect_equal "$1: it hears nothing" 0 "$SPEECH"
}

## Checks

# is_on: tests whether the window has the microphone.
is_on() { find "/proc/$VIEWER/fd" -lname "$SPOKEN" | grep -q .; }
is_off() { ! is_on; }

check_window() {
  start_window "a guest" --microphone
  expect_speech "the guest hears what the microphone of the window gives, sample by sample"
  expect "the title says that the microphone is on" eventually_unless_gone "$VIEWER" \
    title_matches "\(microphone on\)"
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view,input >/dev/null
  expect "the microphone is off when the right is withdrawn" eventually_unless_gone "$VIEWER" is_off
  expect_silence "the right is withdrawn"
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view,input,audioInput >/dev/null
  expect_speech "the guest hears the user again, with the right"
  key q
  expect_ends "vail-view succeeds when it is closed" 0
  expect_silence "the window is closed"
}

# QEMU 10 gives the guest memory that it has not cleared, until vail-qemu is its microphone.
check_before_viewers() {
  expect "the guest hears silence before any viewer comes" eventually_unless_gone "$QEMU" \
    has_heard_nothing
  expect_silence "without a window"
}

check_not_asked_for() {
  start_window "a guest"
  expect_silence "without --microphone"
  expect "the microphone is off then" is_off
  key q
  expect_ends "that window closes" 0
}

needs_qemu_tree
needs_desktop
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
start_daemon
start_linux
check_before_viewers
start_desktop
"$HELPERS/check-speech" speak $((FREQUENCY * 30)) >"$SPOKEN"
chmod 644 "$SPOKEN"
check_not_asked_for
check_window
kill_and_wait "$QEMU"
agent_ends "vail-qemu exits when QEMU is killed" 0 'QEMU has ended$'
expect_clean_stop
finish
