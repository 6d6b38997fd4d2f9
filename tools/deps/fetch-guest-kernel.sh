#!/bin/sh
# SPDX-License-Identifier: MIT
# fetch-guest-kernel.sh DIR: puts Debian's newest 6.12 cloud kernel, unmodified, into
# DIR/vmlinuz and its package name and version into DIR/vmlinuz.version.
#
# The package comes from the Debian mirror that this machine is configured for, through an
# apt configuration of our own below DIR, so that the machine's own package lists and pins
# stay as they are. It is unpacked there and never installed.
set -eu

dir=$(mkdir -p "$1" && cd "$1" && pwd)
apt=$dir/apt
name='^linux-image-6\.12\.[0-9.]+\+[a-z0-9]+-cloud-amd64$'
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror is whatever the machine's own Debian entries name.
mirror()
{
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Origin: Debian' 'Label: Debian' 'Component: main' 2>/dev/null | head -n 1
}

uri=$(mirror)
if [ -z "$uri" ] && [ "$(id -u)" -eq 0 ]; then
	apt-get -qq update || true
	uri=$(mirror)
fi
if [ -z "$uri" ]; then
	echo "guest kernel: no Debian mirror is configured on this machine" >&2
	exit 1
fi

# Package lists and downloads of one suite, apart from the machine's.
use_suite()
{
	rm -rf "$apt"
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
	echo "deb [signed-by=$keyring] $uri $1 main" >"$apt/sources.list"
	cat >"$apt/apt.conf" <<-CONF
		Dir::Etc::SourceList "$apt/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		Dir::State "$apt/state";
		Dir::State::Status "/var/lib/dpkg/status";
		Dir::Cache "$apt/cache";
		Acquire::Languages "none";
		APT::Sandbox::User "root";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	CONF
	export APT_CONFIG="$apt/apt.conf"
	apt-get -qq update
}

package=
for suite in bookworm-backports trixie; do
	use_suite "$suite" || continue
	package=$(apt-cache search --names-only "$name" | cut -d' ' -f1 | sort -V | tail -n 1)
	[ -z "$package" ] || break
done
if [ -z "$package" ]; then
	echo "guest kernel: no 6.12 cloud kernel in bookworm-backports or trixie of $uri" >&2
	exit 1
fi

(cd "$apt" && apt-get -qq download "$package")
rm -rf "$apt/root"
dpkg-deb -x "$apt"/"$package"_*.deb "$apt/root"
cp "$apt"/root/boot/vmlinuz-* "$dir/vmlinuz.new"
dpkg-deb -f "$apt"/"$package"_*.deb Package Version >"$dir/vmlinuz.version"
rm -rf "$apt"
mv "$dir/vmlinuz.new" "$dir/vmlinuz"
echo "guest kernel: $package from $suite"
