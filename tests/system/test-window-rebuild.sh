#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make builds vail-view again when SDL 2 has been installed or removed since the last time. A compiler
# that only makes its output shows that in seconds.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

TREE=$PRIVATE/tree

# make_view WINDOW [OPTION...]: makes vail-view as if SDL 2 were there (window), or not (nothing).
make_view() {
  local window=$1
  shift
  make -s -C "$TREE" CC="$PRIVATE/touch" AR="$PRIVATE/touch" WINDOW="$window" "$@" build/vail-view \
    >"$PRIVATE/make.log" 2>&1
}

# has_object NAME: tests whether the library of vail-view has been made from this object.
has_object() { grep -q " [^ ]*/$1\\.o" "$TREE/build/client/vail-view.a"; }

# rebuilds CHECK WINDOW OBJECT: checks that make builds with the object, and then has nothing to do.
rebuilds() {
  expect "$1" make_view "$2"
  expect "$1: the right files" has_object "$3"
  expect "$1: nothing is left to do" make_view "$2" -q
}

# The second argument of ar, and the option -o of the compiler, name the output.
cat >"$PRIVATE/touch" <<'END'
#!/bin/sh
line="$0 $*"
[ "$1" != rcs ] || { echo "$line" >"$2"; exit; }
while [ $# -gt 1 ]; do
  [ "$1" != -o ] || echo "$line" >"$2"
  shift
done
END
chmod 755 "$PRIVATE/touch"
mkdir "$TREE"
cp -R "$ROOT"/{Makefile,client,daemon,proto,tests} "$TREE"
rebuilds "without SDL 2" "" no-window
rebuilds "after SDL 2 is installed" window window
rebuilds "after SDL 2 is removed" "" no-window
finish
