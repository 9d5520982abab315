#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make release writes a tarball of the tag and the notes of the version. Two runs have the same bytes,
# whatever options make has.
# If the working tree differs from the tag, it fails and names the command that helps.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

CLONE=$PRIVATE/clone
RELEASE=$PRIVATE/release
VERSION=$("$ROOT/packaging/version")

in_clone() { git -C "$CLONE" -c user.name=test -c user.email=test@localhost "$@"; }

# Makes a repository from a copy of the working tree, with a section in NEWS.md.
set_up() {
  "$ROOT/packaging/copy-source" "$CLONE"
  sed -i -e "s/^## $VERSION\$/## 0.0.1/" -e "s/^## Unreleased/## $VERSION/" "$CLONE/NEWS.md"
  git init --quiet "$CLONE"
  in_clone add --all
  in_clone commit --quiet -m "a version"
}

# expect_refusal CHECK PATTERN: expects make release to fail with this message.
expect_refusal() {
  if SAID=$("$CLONE/packaging/make-release" "$RELEASE" 2>&1); then
    not_ok "$1" "it succeeds: $SAID"
  else
    expect_match "$1" "$2" "$SAID"
  fi
}

check_refusals() {
  expect_refusal "without a tag, it names the command that makes one" "no tag v$VERSION.*git tag -a v$VERSION"
  in_clone tag "v$VERSION"
  echo >>"$CLONE/README.md"
  expect_refusal "a changed file is refused" "git status"
  in_clone commit --quiet --all -m "another"
  expect_refusal "another commit than the tag's is refused" "git checkout v$VERSION"
  in_clone tag --force "v$VERSION" >/dev/null
  touch "$CLONE/stray"
  expect_refusal "a file that git does not know is refused" "git status"
  rm "$CLONE/stray"
  sed -i "s/^## $VERSION/## Unreleased/" "$CLONE/NEWS.md"
  in_clone commit --quiet --all -m "without notes"
  in_clone tag --force "v$VERSION" >/dev/null
  expect_refusal "a version without notes is refused" "NEWS.md has no section"
  in_clone reset --quiet --hard HEAD~
  in_clone tag --force "v$VERSION" >/dev/null
}

check_release() {
  local name=vaild-$VERSION first

  expect "make release succeeds" quietly make --silent -C "$CLONE" release
  mv "$CLONE/build/release" "$RELEASE"
  first=$(cd "$RELEASE" && sha256sum ./*)
  # With these options, another make in the script would print folders and wait for a jobserver.
  expect "it succeeds again from make with other options" quietly make -w -j2 -C "$CLONE" release
  expect_equal "both have the same bytes" "$first" "$(cd "$CLONE/build/release" && sha256sum ./*)"
  mkdir "$PRIVATE/unpacked"
  tar -xzf "$RELEASE/$name.tar.gz" -C "$PRIVATE/unpacked"
  expect_equal "the tarball has one folder" "$name" "$(ls "$PRIVATE/unpacked")"
  rm -rf "$CLONE/build"
  expect_silent "its contents are those of the tag" diff -r --exclude .git "$CLONE" "$PRIVATE/unpacked/$name"
  expect_equal "its version is that of the tag" "$VERSION" \
    "$("$PRIVATE/unpacked/$name/packaging/version")"
  "$PRIVATE/unpacked/$name/packaging/copy-source" "$PRIVATE/copy"
  expect_silent "packages are built from the same files, also from the tarball" \
    diff -r "$PRIVATE/unpacked/$name" "$PRIVATE/copy"
  expect_equal "the notes are the section of NEWS.md" \
    "$(sed -n "/^## $VERSION\$/,/^## 0.0.1/p" "$CLONE/NEWS.md" | sed -e 1,2d -e '/^## /d')" "$(cat "$RELEASE/$name.md")"
}

set_up
check_refusals
check_release
finish
