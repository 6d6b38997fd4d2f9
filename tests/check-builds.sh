#!/bin/sh
# SPDX-License-Identifier: MIT
# check-builds.sh MAKE BUILD: every compiler and variant builds images and tools, and the same
# sources in another folder give the same images. Prints TAP.
set -u
make=$1
build=$2
passed=0
failed=0

result()
{
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) - $2"
	else
		failed=$((failed + 1))
		echo "not ok $((passed + failed)) - $2"
	fi
}

# Unset what the calling make hands down: these builds choose for themselves.
variant()
{
	dir=$build/variants/$1
	shift
	env -u MAKEFLAGS -u MFLAGS "$make" -s -j"$(nproc)" B="$dir" "$@" all >"$build/variant.log" 2>&1
	code=$?
	[ "$code" -eq 0 ] || sed -n '/^  [A-Z]/!s/^/# /p' "$build/variant.log"
	return "$code"
}

mkdir -p "$build/variants"
for cc in gcc clang; do
	variant "$cc" CC="$cc"
	result $? "$cc builds images and tools"
	variant "$cc-release" CC="$cc" NDEBUG=1
	result $? "$cc builds them without assertions"
done
variant gcc-again CC=gcc
for image in redoubt.elf redoubt.efi; do
	cmp "$build/variants/gcc/$image" "$build/variants/gcc-again/$image"
	result $? "a second build gives the same $image"
done

echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
