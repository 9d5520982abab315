#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Processes in containers that crun runs register with the daemon outside. The containers get its
# socket and libvail by the CDI file that make install installs. Each has its own pid namespace, and
# some have their own user namespace.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=c0c71111-2222-4333-8444-555555555555

command -v crun >/dev/null || {
  skip "$NAME" "crun is not installed"
  finish
}

# A folder of the test's own for the socket and crun's state, whatever is in /run.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/vaild
mount --bind "$PRIVATE/run" /run/vaild
# crun knows either only version 2 of control groups or only version 1, and this machine may have both.
mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null || true
CRUN=(crun --root /run/crun --cgroup-manager disabled)

## Containers

# cdi DEVICE: prints the edits of the device in the CDI file, as an engine makes them.
cdi() {
  sed "s|@libdir@|$PRIVATE/build|" "$ROOT/containers/vaild.json.in" |
    jq --arg name "$1" '{
      env: .containerEdits.env,
      mounts: [.devices[] | select(.name == $name) | .containerEdits.mounts[] |
        { destination: .containerPath, source: .hostPath, options }]
    }'
}

# make_bundle NAME USER NAMESPACES MAPPINGS COMMAND...: makes the files of a container. Its root file
# system has the host's programs and the users of the test. NAMESPACES are further ones, and MAPPINGS
# members of "linux", both as JSON.
make_bundle() {
  local bundle=$PRIVATE/bundles/$1 user=$2 namespaces=$3 mappings=$4 folder
  shift 4

  for folder in proc dev usr etc run tmp "$PRIVATE/build"; do
    mkdir -p "$bundle/rootfs/$folder"
  done
  for folder in bin lib lib64 sbin; do
    ln -s "usr/$folder" "$bundle/rootfs/$folder"
  done
  cp "$ROOT/build/vailctl" "$bundle/rootfs$PRIVATE/build/"
  jq -n --argjson user "$user" --argjson namespaces "$namespaces" --argjson mappings "$mappings" \
    --argjson cdi "$(cdi libvail)" --args '{
      ociVersion: "1.0.2",
      process: { user: $user, args: $ARGS.positional, cwd: "/", noNewPrivileges: true,
        env: (["PATH=/usr/bin:/bin"] + $cdi.env), capabilities: {} },
      root: { path: "rootfs" },
      mounts: ([
        { destination: "/proc", type: "proc", source: "proc" },
        { destination: "/usr", source: "/usr", options: ["rbind", "ro"] },
        { destination: "/etc/passwd", source: "/etc/passwd", options: ["bind", "ro"] },
        { destination: "/etc/group", source: "/etc/group", options: ["bind", "ro"] }
      ] + $cdi.mounts),
      linux: ({ namespaces: ([{ type: "pid" }, { type: "mount" }, { type: "ipc" }] + $namespaces) } +
        $mappings)
    }' -- "$@" >"$bundle/config.json"
}

# run_container NAME: runs the container to its end. Sets SAID to its output and STATUS to its status.
run_container() {
  STATUS=0
  SAID=$("${CRUN[@]}" run --bundle "$PRIVATE/bundles/$1" "$1" 2>&1 </dev/null) || STATUS=$?
}

# start_container NAME: starts the container, and sets INIT to the number of its first process here.
start_container() {
  "${CRUN[@]}" run --detach --bundle "$PRIVATE/bundles/$1" "$1" </dev/null >"$PRIVATE/$1.log" 2>&1 || {
    not_ok "the container $1 starts" "$(cat "$PRIVATE/$1.log")"
    finish
  }
  INIT=$("${CRUN[@]}" state "$1" | jq .pid)
}

# end_container NAME
end_container() { "${CRUN[@]}" delete --force "$1"; }

# inside [OPTION...] NAME COMMAND...: executes a command in a running container, as its user. Sets SAID
# to its output and STATUS to its status.
inside() {
  STATUS=0
  SAID=$("${CRUN[@]}" exec "$@" 2>&1 </dev/null) || STATUS=$?
}

IN_CONTAINER=$PRIVATE/build/vailctl
AS_ALICE="{\"uid\":$ALICE,\"gid\":$ALICE,\"additionalGids\":[47010]}"

## Checks

# A user of the host in a container equals itself, if the container gives it exactly its groups.
users_of_the_host() {
  make_bundle web "$AS_ALICE" '[]' '{}' "$IN_CONTAINER" exec "$GUID" -- sleep infinity
  start_container web
  expect "a process in a container is registered" eventually registered_pids_are "$INIT"
  inside web "$IN_CONTAINER" --json list
  expect_equal "in the container it sees its VM" "$GUID" \
    "$(jq -r '.virtualMachines[].virtualMachineGuid' <<<"$SAID")"
  inside --user 0:0 web "$IN_CONTAINER" --json registrations
  expect_equal "in the container it has the container's number" 1 "$(jq '.registrations[].pid' <<<"$SAID")"
  end_container web
  expect "its registration ends with it" eventually registered_pids_are ""

  make_bundle groups "{\"uid\":$ALICE,\"gid\":$ALICE}" '[]' '{}' "$IN_CONTAINER" exec "$GUID" -- true
  run_container groups
  expect_match "a container without the user's groups is refused" 'other groups than' "$SAID"
}

# uid 0 without a user namespace is root of the host. The manual warns of it.
root_of_the_host() {
  make_bundle root '{"uid":0,"gid":0}' '[]' '{}' "$IN_CONTAINER" --json list
  run_container root
  expect_equal "root in a container without a user namespace is an operator" "$GUID" \
    "$(jq -r '.virtualMachines[].virtualMachineGuid' <<<"$SAID")"
}

# A rootless container is in a user namespace, where no user of the host is.
rootless_containers() {
  local mappings="{\"uidMappings\":[{\"containerID\":0,\"hostID\":$ALICE,\"size\":1}],
    \"gidMappings\":[{\"containerID\":0,\"hostID\":$ALICE,\"size\":1}]}"

  unshare --user true 2>/dev/null || {
    skip "a rootless container registers" "this machine has no user namespaces"
    return
  }
  make_bundle rootless '{"uid":0,"gid":0}' '[{"type":"user"}]' "$mappings" sleep infinity
  chown -R "$ALICE:$ALICE" "$PRIVATE/bundles/rootless" # crun makes files in it as this user
  start_container rootless
  inside rootless "$IN_CONTAINER" exec "$GUID" -- true
  expect_match "a user namespace is not that of the display client" 'another user namespace' "$SAID"
  inside rootless "$IN_CONTAINER" --json list
  expect_equal "its root sees no VM, and is no operator" 0 "$(jq '.virtualMachines | length' <<<"$SAID")"
  "${CTL[@]}" vm update "$GUID" --client-pid "$INIT"
  inside rootless "$IN_CONTAINER" exec "$GUID" -- "$IN_CONTAINER" --json list
  expect_equal "if its first process is the display client, the others are registered" "$GUID" \
    "$(jq -r '.virtualMachines[].virtualMachineGuid' <<<"$SAID")"
  "${CTL[@]}" vm update "$GUID" --user vail-alice
  inside rootless "$IN_CONTAINER" exec "$GUID" -- true
  expect_match "after an update it is refused again" 'another user namespace' "$SAID"
  end_container rootless
}

# The folder is mounted and not the socket, which is a new one after a restart.
a_new_socket() {
  make_bundle long "$AS_ALICE" '[]' '{}' sleep infinity
  start_container long
  stop_daemon
  inside long "$IN_CONTAINER" status
  expect "without the daemon, the container has no socket that answers" [ "$STATUS" -ne 0 ]
  start_daemon
  inside long "$IN_CONTAINER" status
  expect_equal "the container finds the socket of a later daemon" 0 "$STATUS"
  end_container long
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
make_bundle try "$AS_ALICE" '[]' '{}' true
run_container try
if [ "$STATUS" -ne 0 ]; then
  skip "$NAME" "crun cannot run a container on this machine: $SAID"
  finish
fi
users_of_the_host
root_of_the_host
rootless_containers
a_new_socket
expect_clean_stop
finish
