#!/bin/bash
# SPDX-License-Identifier: MIT
#
# piuparts installs, removes and purges the packages in a copy of the Debian 12, and finds nothing
# that is left behind.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

PACKAGES=$ROOT/build/packages

# There is no version of these packages in Debian to upgrade from. apt-utils makes the ignored folder.
if piuparts --distribution bookworm --existing-chroot "$PACKAGES/bookworm" --no-upgrade-test --ignore-regex '^/var/cache/debconf/tmp.ci' \
  --log-file "$PACKAGES/piuparts.log" "$PACKAGES"/this/*.deb >/dev/null 2>&1; then
  ok "piuparts finds nothing"
else
  grep -E 'ERROR|FAIL' "$PACKAGES/piuparts.log" | sed 's/^/# /'
  not_ok "piuparts finds nothing" "see $PACKAGES/piuparts.log"
fi
finish
