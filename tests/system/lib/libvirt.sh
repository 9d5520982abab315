# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# A real libvirtd in a box. To be sourced after box.sh. The tests use one guest at a time, with the
# GUID; make_disk gives it a DISK.

GUID=5f1ae8ba-2c4e-4f4b-9b8b-0d5a3a4a7f10
NAMESPACE=https://vaild.io/libvirt/1
DISK=
TEXT_MODE="720 400" PATTERN="640 400" # sizes of its pictures

# Skips the check if libvirt is not installed where the box gets its programs.
needs_libvirt() {
  local system=${BOX_SYSTEM:-}

  [ -x "$system/usr/sbin/libvirtd" ] && [ -x "$system/usr/bin/virsh" ] && return
  skip "$1" "libvirtd or virsh is not installed"
  finish
}

# Starts libvirtd in the box. Debian's package libvirt-daemon-system has the unit and the user. The
# tests need neither of them on this machine, where the package would start libvirtd, and so the box
# gets its own.
start_libvirt() {
  local unit=$BOX_ROOT/etc/systemd/system/libvirtd.service

  sed -i '/^libvirt-qemu:/d' "$BOX_ROOT/etc/passwd" "$BOX_ROOT/etc/group"
  echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >>"$BOX_ROOT/etc/passwd"
  echo 'libvirt-qemu:x:64055:' >>"$BOX_ROOT/etc/group"
  mkdir -p "$BOX_ROOT/etc/libvirt"
  echo 'stdio_handler = "file"' >"$BOX_ROOT/etc/libvirt/qemu.conf" # there is no virtlogd
  printf '%s\n' '[Service]' 'Type=notify' 'ExecStart=/usr/sbin/libvirtd' KillMode=process >"$unit"
  box systemctl daemon-reload
  expect "libvirtd starts" quietly box systemctl start libvirtd.service
}

# print_domain NAME GUID GRAPHICS: prints the definition of a guest with these <graphics> elements, and
# the DISK.
print_domain() {
  cat <<EOF
<domain type='qemu'>
  <name>$1</name><uuid>$2</uuid><memory unit='MiB'>64</memory><os><type>hvm</type></os>
  <devices>$DISK$3<video><model type='virtio'/></video><memballoon model='none'/></devices>
</domain>
EOF
}

# define NAME GUID GRAPHICS: defines such a guest.
define() {
  print_domain "$@" >"$BOX_ROOT/root/$1.xml"
  quietly box virsh define "/root/$1.xml"
}

# Gives the guest a disk whose boot code waits for a key, shows a pattern in a graphics mode, waits
# for another key, and resets the machine.
make_disk() {
  {
    printf '\x30\xe4\xcd\x16\xb8\x13\x00\xcd\x10' # xor ah,ah; int 16; mov ax,13; int 10
    printf '\xb8\x00\xa0\x8e\xc0\x31\xff\x31\xc9' # mov ax,a000; mov es,ax; xor di,di; xor cx,cx
    printf '\x88\xc8\xaa\xe2\xfb'                 # mov al,cl; stosb; loop to mov
    printf '\x30\xe4\xcd\x16\xb0\xfe\xe6\x64\xf4' # xor ah,ah; int 16; mov al,fe; out 64,al; hlt
  } | boot_sector >"$BOX_ROOT/srv/guest.img"
  DISK="<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
  DISK+="<source file='/srv/guest.img'/><target dev='hda' bus='ide'/></disk>"
}

# consent NAME OPTION...: changes the guest's metadata.
consent() { quietly box virsh metadata "$1" "$NAMESPACE" --key vail "${@:2}"; }

# of USER...: prints metadata that name these users.
of() { printf -- "<access>%s</access>" "$(printf "<displayClient user='%s'/>" "$@")"; }

# vm EXPRESSION: prints a jq expression of the guest's VM in vaild.
vm() {
  box vailctl --json list |
    jq -r ".virtualMachines[] | select(.virtualMachineGuid == \"$GUID\") | $1"
}

# Prints the handle of the screen's object, or nothing.
handle() {
  box vailctl --json objects |
    jq -r '.sharedObjects[] | select(.object.name == "console 0") | .handle'
}
is_shared() { [ -n "$(handle)" ]; }
is_not_shared() { [ -z "$(handle)" ]; }
is_shared_anew() { is_shared && [ "$(handle)" != "$1" ]; }
rights_are() { [ "$(vm '[.displayClients[] | "\(.user):\(.rights | join(","))"] | sort | join(" ")')" = "$1" ]; }
clients_are() { [ "$(vm '[.displayClients[].user] | sort | join(" ")')" = "$1" ]; }
vm_is_gone() { [ -z "$(vm .state)" ]; }

# sees USER: tests whether the user's vail-view can save the guest's screen.
sees() {
  run_as "$1" vail-view "$GUID" --png - >"$PRIVATE/view.png" 2>"$PRIVATE/view.log" &&
    [ -s "$PRIVATE/view.png" ]
}

# alice_sees SIZE: tests whether alice's vail-view saves a picture of this size.
alice_sees() { sees vail-alice && [ "$(png_size "$PRIVATE/view.png")" = "$1" ]; }

is_refused() { ! sees "$1" && grep -q STATUS_ACCESS_DENIED "$PRIVATE/view.log"; }

# expect_seen_by_alice_alone WHEN
expect_seen_by_alice_alone() {
  expect "$1: alice sees the screen" sees vail-alice
  expect "$1: bob is refused" is_refused vail-bob
}

libvirt_log_has() { UNIT=vail-libvirt.service log_has "$1"; }

# is_shared_by_another PID: tests whether the only vail-qemu is another process, and shares the screen.
is_shared_by_another() {
  local now

  now=$(box pgrep -x vail-qemu) && [ "$now" != "$1" ] && is_shared
}

# Starts a vail-view of alice's that saves each frame. Sets VIEWER to its pid in the box.
start_viewer() {
  box install -d -o vail-alice /srv/viewer
  run_as vail-alice vail-view "$GUID" --png /srv/viewer/frame.png --frames 1000000 \
    2>"$PRIVATE/viewer.log" &
  eventually box pgrep -x vail-view >/dev/null
  VIEWER=$(box pgrep -x vail-view)
}
viewer_shows() { [ "$(png_size "$BOX_ROOT/srv/viewer/frame.png" 2>/dev/null)" = "$1" ]; }

# viewer_shows_after_key SIZE: see shows_after_key.
viewer_shows_after_key() {
  viewer_shows "$1" || { quietly box virsh send-key guest KEY_A && viewer_shows "$1"; }
}

# shows_after_key SIZE: tests whether alice sees a picture of this size, now or after another key. The
# guest takes no key before its boot code waits for one, and may take several later.
shows_after_key() { alice_sees "$1" || { quietly box virsh send-key guest KEY_A && alice_sees "$1"; }; }

# Restarts libvirtd, and waits until vail-libvirt follows it again.
restart_libvirt() {
  local followed

  followed=$(times_followed)
  quietly box systemctl restart libvirtd
  expect "vail-libvirt follows a restarted libvirtd" eventually has_followed_more_than "$followed"
}
times_followed() {
  box journalctl --sync
  box journalctl --quiet --no-pager -o cat --unit vail-libvirt.service | grep -c 'following qemu' || true
}
has_followed_more_than() { [ "$(times_followed)" -gt "$1" ]; }
