#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh OUTPUT PROGRAM...: packs busybox, the init beside this script and the programs into
# a gzipped initramfs, the same bytes for the same inputs.
set -eu

here=$(dirname "$0")
out=$1
shift
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp"
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$@" "$root/bin/"
cp "$here/init" "$root/init"
chmod 755 "$root/init" "$root/bin/busybox"
find "$root" -exec touch -h -d @0 '{}' +

(cd "$root" && find . | LC_ALL=C sort |
	cpio --quiet -o -H newc -R 0:0 --reproducible) | gzip -n -9 >"$out"
