# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Debian packages without installing them. apt itself resolves what a list of packages needs, against an empty
# status file, so the answer does not depend on what this machine has installed; the .deb files are then unpacked
# into a tree. No root is needed. Sourced by build-images.
#
# A package list has one package a line, followed by the paths that go into the image:
#     PACKAGE PATH...     paths may have * ? {a,b}; the shared libraries that they need follow by themselves
#     PACKAGE *           everything but documentation
#     +stub PROGRAM SONAME...   see stub_libraries in image.sh
#     +busybox          each command that busybox has and nothing else provides, as a link to it
# '#' begins a comment.

# The words of a package list without its comments, one line each.
list_lines()
{
	sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$1"
}

# apt with our own status and archive folders.
lab_apt()
{
	mkdir -p "$CACHE/debs/partial" "$CACHE/apt"
	: >"$CACHE/apt/status"
	apt-get -q -y -o Dir::State::status="$CACHE/apt/status" -o Dir::Cache::archives="$CACHE/debs" \
		-o Dir::Cache::pkgcache="" -o Dir::Cache::srcpkgcache="" -o Debug::NoLocking=true \
		-o APT::Install-Recommends=false -o APT::Sandbox::User="" "${APT_LISTS[@]}" "$@"
}

# Uses this machine's package lists, or, where it has none that know our packages, private ones.
apt_prepare()
{
	APT_LISTS=()
	lab_apt -s install xen-hypervisor-4.17-amd64 >/dev/null 2>&1 && return
	mkdir -p "$CACHE/apt/lists/partial"
	APT_LISTS=(-o "Dir::State::lists=$CACHE/apt/lists")
	lab_apt -s install xen-hypervisor-4.17-amd64 >/dev/null 2>&1 && return
	progress "images: fetching the archive's package lists"
	lab_apt update >"$CACHE/apt/update.log" 2>&1 ||
		die "apt-get update failed, see $CACHE/apt/update.log"
	lab_apt -s install xen-hypervisor-4.17-amd64 >"$CACHE/apt/resolve.log" 2>&1 ||
		die "this machine's package archive has no xen-hypervisor-4.17-amd64 (Debian 12 is needed)," \
			"see $CACHE/apt/resolve.log"
}

# Prints the .deb file of each package in the closure of those given, downloading what is not there yet.
apt_closure()
{
	local log=$CACHE/apt/download.log

	lab_apt --download-only install "$@" >"$log" 2>&1 || die "cannot download $*, see $log"
	lab_apt -s install "$@" | sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*\[([a-z0-9]+)\].*/\1 \2 \3/p' |
		while read -r name version arch; do
			echo "$CACHE/debs/${name}_${version//:/%3a}_$arch.deb"
		done
}

# Prints the .deb file of one package alone, downloading it if need be.
apt_single()
{
	local log=$CACHE/apt/download.log name version arch deb

	read -r name version arch < <(lab_apt -s install "$1" |
		sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*\[([a-z0-9]+)\].*/\1 \2 \3/p' | grep "^$1 ")
	deb=$CACHE/debs/${name}_${version//:/%3a}_$arch.deb
	if [[ ! -f $deb ]]; then
		(cd "$CACHE/debs/partial" && lab_apt download "$1") >"$log" 2>&1 ||
			die "cannot download $1, see $log"
		mv "$CACHE/debs/partial/${deb##*/}" "$deb"
	fi
	echo "$deb"
}

# The kernel package that a metapackage such as linux-image-amd64 stands for.
kernel_package()
{
	lab_apt -s install "$1" | sed -nE 's/^Inst (linux-image-[0-9][^ ]*[0-9][^ ]*-amd64) .*/\1/p' |
		grep -v "^$1\$" | head -n 1
}

# unpack TREE DEB...: into a tree with Debian's merged /usr, leaving documentation out.
unpack()
{
	local tree=$1 deb dir

	shift
	mkdir -p "$tree"/usr/{bin,sbin,lib,lib64}
	for dir in bin sbin lib lib64; do
		ln -sfn "usr/$dir" "$tree/$dir"
	done
	for deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tree" --keep-directory-symlink --no-same-owner \
			--exclude='./usr/share/doc*' --exclude='./usr/share/man*' --exclude='./usr/share/locale' \
			--exclude='./usr/share/info' || die "cannot unpack $deb"
	done
}
