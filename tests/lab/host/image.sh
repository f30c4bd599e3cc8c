# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Pieces of initramfs. The kernel accepts cpio archives one after another, each laid over those before it, so each
# piece is an archive of its own: the userland of a package list, the modules of a kernel, and what changes with
# every run. They are not compressed, since unpacking costs an emulated processor far more than copying.
# Sourced by build-images and by the driver.

# pack TREE ARCHIVE: everything in the tree, owned by root.
pack()
{
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
		cpio --quiet -0 -o -H newc --owner=+0:+0) >"$2"
	# A piece must end at a multiple of 4 bytes, where the next one begins; cpio pads to 512.
	[[ $(($(stat -c %s "$2") % 4)) -eq 0 ]] || die "$2 has an odd size"
}

# Sonames that the ELF files of a tree want, each once.
wanted_libraries()
{
	find "$1" -type f \( -perm /111 -o -name '*.so*' \) -print0 |
		xargs -0 -r readelf -d 2>/dev/null | sed -nE 's/.*\(NEEDED\).*\[(.*)\]$/\1/p' | sort -u
}

# Copies libraries from one tree to another until nothing that is needed is missing.
add_libraries()
{
	local from=$1 to=$2 name dir found again=yes

	mkdir -p "$to/usr/lib/x86_64-linux-gnu"
	cp "$from/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$to/usr/lib64/ld-linux-x86-64.so.2"
	while [[ $again == yes ]]; do
		again=no
		while read -r name; do
			[[ -e $to/usr/lib/x86_64-linux-gnu/$name || -e $to/usr/lib64/$name ]] && continue
			found=''
			for dir in "$from/usr/lib/x86_64-linux-gnu" "$from"/usr/lib/x86_64-linux-gnu/*/; do
				[[ -e $dir/$name ]] && found=$dir/$name && break
			done
			[[ -n $found ]] || die "a program in the image needs $name, which is in no package of its list"
			cp -L "$found" "$to/usr/lib/x86_64-linux-gnu/$name"
			again=yes
		done < <(wanted_libraries "$to")
	done
}

# stub_libraries TREE PROGRAM SONAME...: one small library under each of these names, with the functions that the
# program wants and finds nowhere else. Debian's fio is linked with the libraries of several network storage
# systems, 80 MB that no scenario uses but that each emulated guest would have to load. A stub's function traps.
stub_libraries()
{
	local tree=$1 program=$2 dir=$1/usr/lib/x86_64-linux-gnu work name

	shift 2
	work=$(mktemp -d "$CACHE/stub.XXXXXX")
	for name; do
		# Versions of the symbols that the program expects from this library.
		readelf -W --version-info "$tree$program" |
			awk -v want="$name" '/File: /{ on = ($5 == want) } on && /Name: /{ print $3 }'
	done | sort -u >"$work/versions"
	readelf -W --dyn-syms "$tree$program" | awk '$7 == "UND" && $4 == "FUNC" { print $8 }' | sort -u |
		awk -F@ -v code="$work/stub.c" -v map="$work/stub.map" '
			FNR == NR { known[$1] = 1; next }
			NF > 1 && !($2 in known) { next }
			{ print "void " $1 "(void) { __builtin_trap(); }" >code }
			NF > 1 { list[$2] = list[$2] " " $1 ";" }
			END { for (v in known) print v " { global:" list[v] " };" >map }' "$work/versions" -
	gcc -shared -fPIC -fno-builtin -w -nostdlib -Wl,--version-script="$work/stub.map" \
		-o "$work/stub.so" "$work/stub.c" || die "cannot build the stub library for $program"
	mkdir -p "$dir"
	cp "$work/stub.so" "$dir/$1"
	for name in "${@:2}"; do
		ln -sfn "$1" "$dir/$name"
	done
	rm -rf "$work"
}

# The files that a path with * ? {a,b} stands for; what names no file is printed as it is, and fails later.
expand_path()
{
	local head tail word

	if [[ $1 == *'{'*'}'* ]]; then
		head=${1%%'{'*} tail=${1#*'}'} word=${1#*'{'}
		for word in ${word//,/ }; do
			expand_path "$head${word%%'}'*}$tail"
			[[ $word != *'}'* ]] || break
		done
	else
		compgen -G "$1" || echo "$1"
	fi
}

# busybox_links OUT: a link for each applet whose name is still free.
busybox_links()
{
	local out=$1 name

	for name in $("$out/usr/bin/busybox" --list); do
		[[ -e $out/usr/bin/$name || -L $out/usr/bin/$name || -e $out/usr/sbin/$name || -L $out/usr/sbin/$name ]] ||
			ln -s busybox "$out/usr/bin/$name"
	done
	# The kernel calls this one by its path.
	[[ -e $out/usr/sbin/modprobe ]] || ln -s ../bin/busybox "$out/usr/sbin/modprobe"
}

# copy_paths TREE OUT DEB PATH...: the picked files of one package.
copy_paths()
{
	local tree=$1 out=$2 deb=$3 path files=() match follow

	shift 3
	for path; do
		if [[ $path == '*' ]]; then
			mapfile -t files < <(dpkg-deb --fsys-tarfile "$deb" | tar -t |
				grep -vE '/$|/usr/share/(doc|man|locale|info|lintian|bug|bash-completion)' |
				sed 's,^\./,,')
		else
			mapfile -t files < <(cd "$tree" && expand_path "${path#/}")
			[[ ${#files[@]} -gt 0 ]] || die "$path: no such file in the package tree (${deb##*/})"
		fi
		for match in "${files[@]}"; do
			# The tree is walked by the names of its real folders: bin/x is usr/bin/x.
			case $match in
			bin/* | sbin/* | lib/* | lib64/*) match=usr/$match ;;
			esac
			follow=''
			# A library is copied under the name it is looked up by, not as a link to another.
			[[ $match == usr/lib/*.so* ]] && follow=-L
			(cd "$tree" && cp -a $follow --parents "$match" "$out/") || die "cannot copy $match"
		done
	done
}
