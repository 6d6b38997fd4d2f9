#!/bin/sh
# SPDX-License-Identifier: MIT
# install-packages.sh [BUILD [bench]]: installs the Debian packages that building and testing
# need and this machine lacks; with `bench`, also what the benchmarks compare and count with.
# Nothing to do takes well under a second and needs no privileges.
set -eu

packages="
make gcc libc6-dev binutils clang clang-format clang-tidy nasm gnu-efi
acpica-tools qemu-system-x86 ovmf grub-common grub-pc-bin xorriso mtools
python3 cpio busybox-static debian-archive-keyring
"

if [ "${2:-}" = bench ]; then
	packages="$packages libroaring-dev libjudy-dev valgrind"
fi

lacking()
{
	for p in $packages; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null |
			grep -qx installed || echo "$p"
	done
}

missing=$(lacking | tr '\n' ' ')
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps: as root, install: $missing" >&2
	exit 1
fi
echo "deps: installing $missing"
export DEBIAN_FRONTEND=noninteractive
# A broken third-party source must not stop us; what matters is whether the install works.
apt-get -qq update || echo "deps: apt-get update reported errors" >&2
# shellcheck disable=SC2086  # A list of words on purpose.
apt-get -qq -y install --no-install-recommends $missing >/dev/null

missing=$(lacking | tr '\n' ' ')
if [ -n "$missing" ]; then
	echo "deps: still missing: $missing" >&2
	exit 1
fi
