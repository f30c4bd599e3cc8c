# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The emulated machine: QEMU's command line, and the disks that a run hands to it. README.md says why each odd
# setting is needed. What belongs to one run (scenario, settings, installation under test, guests' kernels) comes on
# disks rather than in the initramfs, so that every run may begin from the same saved state (state.sh).

# Size of each disk; they are sparse files, and a saved state wants them all alike.
DISK_SIZE=1G

# The images that the settings ask for: IMAGE[NAME]=FOLDER.
machine_images()
{
	local names=(xen dom0 guest "kernel-${SETTING[dom0_kernel]}") kernel name folder list

	for kernel in $(guest_kernels); do
		names+=("kernel-$kernel")
	done
	# QEMU can't save the state of the IOMMU that a PVH Dom0 needs.
	[[ ${SETTING[dom0_type]} == pv ]] || BOOT=yes
	# shellcheck disable=SC2206 # lists separated by commas
	names+=(${SETTING[packages]//,/ } ${SETTING[guest_packages]//,/ })
	[[ -z $(driver_domain_kernels) ]] || names+=(driver)
	mapfile -t names < <(printf '%s\n' "${names[@]}" | sort -u)
	declare -gA IMAGE=()
	list=$("$LAB_DIR/build-images" --cache "$CACHE" "${names[@]}") || exit 2
	while read -r name folder; do
		IMAGE[$name]=$folder
	done <<<"$list"
}

# An empty tree with Debian's merged /usr, so that a file for /sbin does not turn that link into a folder.
merged_tree()
{
	local dir

	mkdir -p "$1"/usr/{bin,sbin,lib,lib64}
	for dir in bin sbin lib lib64; do
		ln -sfn "usr/$dir" "$1/$dir"
	done
}

# copy_into TREE SOURCE:DESTINATION...: files or folders of the host to absolute paths in Dom0 or guests.
copy_into()
{
	local tree=$1 pair source destination

	shift
	for pair; do
		[[ $pair == *:* ]] || die "files_in: '$pair' is not SOURCE:DESTINATION"
		source=${pair%%:*} destination=${pair#*:}
		[[ $source == /* || -e $source ]] || source=$TOP/$source
		[[ -e $source ]] || die "files_in: there is no $source"
		[[ $destination == /* ]] || die "files_in: '$destination' must be an absolute path"
		mkdir -p "$tree$(dirname "$destination")"
		cp -aL "$source" "$tree$destination"
	done
}

# Dies if a program that is brought in needs a library that Dom0 does not have.
check_libraries()
{
	local tree=$1 name missing=()

	while read -r name; do
		grep -qF "/$name" "${IMAGE[dom0]}/files" || [[ -n $(find "$tree" -name "$name" -print -quit) ]] ||
			missing+=("$name")
	done < <(wanted_libraries "$tree")
	[[ ${#missing[@]} -eq 0 ]] ||
		die "what is brought into Dom0 needs ${missing[*]}; add its package to images/packages.dom0"
}

# machine_run_disk RUN MODE SCENARIO INSTALL FILE_IN...: writes RUN/run.img, a tar that Dom0 unpacks at its root.
machine_run_disk()
{
	local run=$1 mode=$2 scenario=$3 install=$4 tree=$1/stage name rows columns

	shift 4
	merged_tree "$tree"
	for name in ${SETTING[packages]//,/ }; do
		(cd "$tree" && cpio --quiet -i -d -u) <"${IMAGE[$name]}/image.cpio" || die "cannot unpack the image $name"
	done
	mkdir -p "$tree/lab/scenarios"
	cp -r "$LAB_DIR"/dom0/{lab-lib.sh,lib,run-scenario,scenario-shell,shellrc} "$tree/lab/"
	settings_for_dom0 "$mode" "$scenario" >"$tree/lab/settings"
	[[ ${SETTING[fast_pvh]} == yes ]] || : >"$tree/lab/slow-pvh"
	if [[ $mode == shell && -t 0 ]]; then
		read -r rows columns < <(stty size)
		printf 'LAB_ROWS=%d\nLAB_COLUMNS=%d\nexport TERM=%q\n' "$rows" "$columns" "${TERM:-vt100}" \
			>>"$tree/lab/settings"
	fi
	if [[ -n $install ]]; then
		tar -c -C "$install" . | tar -x -C "$tree" --keep-directory-symlink --no-same-owner
	fi
	# shellcheck disable=SC2086 # a list separated by commas
	copy_into "$tree" ${SETTING[files_in]//,/ } "$@"
	check_libraries "$tree"
	tar -c -C "$tree" --format=ustar --owner=0 --group=0 -f "$run/run.img" .
	[[ $(stat -c %s "$run/run.img") -le $((1 << 30)) ]] || die "more than $DISK_SIZE to take into Dom0"
	rm -rf "$tree"
}

# driver_domain_piece ARCHIVE INSTALL: what a driver domain has beyond a guest.
driver_domain_piece()
{
	local tree=$1.tree

	merged_tree "$tree"
	[[ -z $2 ]] || tar -c -C "$2" . | tar -x -C "$tree" --keep-directory-symlink --no-same-owner
	pack "$tree" "$1.own"
	cat "${IMAGE[driver]}/image.cpio" "$1.own" >"$1"
	rm -rf "$tree" "$1.own"
}

# machine_guest_disk RUN INSTALL: writes RUN/guests.img, a file system with KERNEL/vmlinux and KERNEL/initrd for the guests,
# and KERNEL/initrd.driver for driver domains.
machine_guest_disk()
{
	local run=$1 install=$2 tree=$1/stage/guest disk=$1/stage/disk kernel name pieces

	merged_tree "$tree"
	mkdir -p "$tree"/{proc,sys,dev,run,tmp,root,mnt,lab} "$disk"
	cp "$LAB_DIR/guest/init" "$tree/init"
	cp "$LAB_DIR/guest/agent" "$tree/lab/agent"
	cp "$LAB_DIR/guest/shutdown" "$tree/usr/sbin/poweroff"
	cp "$LAB_DIR/guest/shutdown" "$tree/usr/sbin/reboot"
	# shellcheck disable=SC2086 # a list separated by commas
	copy_into "$tree" ${SETTING[guest_files_in]//,/ }
	pack "$tree" "$run/stage/guest.cpio"
	for kernel in $(guest_kernels); do
		mkdir "$disk/$kernel"
		pieces=("${IMAGE[guest]}/image.cpio" "${IMAGE[kernel-$kernel]}/guest.cpio")
		for name in ${SETTING[guest_packages]//,/ }; do
			pieces+=("${IMAGE[$name]}/image.cpio")
		done
		cat "${pieces[@]}" "$run/stage/guest.cpio" >"$disk/$kernel/initrd"
		cp "${IMAGE[kernel-$kernel]}/vmlinux" "$disk/$kernel/vmlinux"
	done
	for kernel in $(driver_domain_kernels); do
		driver_domain_piece "$run/stage/driver.cpio" "$install"
		# All of Dom0's modules: those of a backend are among them.
		cat "$disk/$kernel/initrd" "${IMAGE[kernel-$kernel]}/dom0.cpio" "$run/stage/driver.cpio" >"$disk/$kernel/initrd.driver"
	done
	truncate -s $DISK_SIZE "$run/guests.img"
	mke2fs -q -F -t ext4 -O ^has_journal -m 0 -d "$disk" "$run/guests.img" ||
		die "cannot make the disk with the guests' kernels"
	rm -rf "$run/stage"
}

# machine_disks FOLDER: makes all disks that are not there yet, at their full size.
machine_disks()
{
	local name

	for name in results run guests; do
		truncate -s $DISK_SIZE "$1/$name.img"
	done
}

# machine_initrd FILE: Dom0's initramfs, which is the same for all runs.
machine_initrd()
{
	local tree=$1.tree

	merged_tree "$tree"
	mkdir -p "$tree"/{proc,sys,dev,run,tmp,root,mnt,srv,lab/lib}
	cp "$LAB_DIR/dom0/init" "$tree/init"
	cp "$LAB_DIR"/dom0/lib/{progress,clean}.sh "$tree/lab/lib/"
	mkdir -p "$tree/usr/local/bin"
	cp "$LAB_DIR/dom0/xl" "$tree/usr/local/bin/xl"
	cp "${IMAGE[xen]}/pvh-start.so" "$tree/lab/pvh-start.so"
	pack "$tree" "$1.cpio"
	cat "${IMAGE[dom0]}/image.cpio" "${IMAGE[kernel-${SETTING[dom0_kernel]}]}/dom0.cpio" "$1.cpio" >"$1"
	rm -rf "$tree" "$1.cpio"
}

# machine_command FOLDER: fills the array QEMU with what is the same for booting and for going on from a saved
# state; the disks are those in the folder.
machine_command()
{
	local disks=$1 disk='' machine=pc

	# -erms: rep movsb and rep stosb take a step for each byte here, where a processor that has the feature takes 32 or more bytes a
	# cycle; without it everybody goes by words. The other features that are not there make something fail.
	# A PVH Dom0's addresses are not the machine's, so its devices go through an IOMMU.
	[[ ${SETTING[dom0_type]} == pv ]] || machine=q35 disk=,iommu_platform=on,disable-legacy=on
	QEMU=(qemu-system-x86_64 -machine "$machine" -cpu max,-smap,-pku,-rdtscp,-avx,-avx2,-erms,-fsrm
		-smp "$PROCESSORS" -m "$(machine_memory)" -display none -vga none -net none -no-reboot
		-kernel "${IMAGE[xen]}/xen"
		-drive "file=$disks/results.img,format=raw,if=none,id=results,cache=unsafe"
		-device "virtio-blk-pci,drive=results$disk"
		-drive "file=$disks/run.img,format=raw,if=none,id=run,readonly=on"
		-device "virtio-blk-pci,drive=run$disk"
		-drive "file=$disks/guests.img,format=raw,if=none,id=guests,readonly=on"
		-device "virtio-blk-pci,drive=guests$disk")
	[[ ${SETTING[dom0_type]} == pv ]] || QEMU+=(-device amd-iommu)
	if [[ ${SETTING[icount]} == yes ]]; then
		QEMU+=(-accel tcg,thread=single -icount "shift=0,sleep=off")
	else
		QEMU+=(-accel tcg,thread=multi)
	fi
}

# machine_boot INITRD: adds what a machine that boots needs.
machine_boot()
{
	local xen dom0

	xen="com1=115200,8n1 console=com1 dom0_mem=${SETTING[dom0_memory]},max:${SETTING[dom0_memory]} xsave=0"
	xen+=" dom0_max_vcpus=${SETTING[dom0_vcpus]} dom0_vcpus_pin guest_loglvl=all loglvl=all bootscrub=0"
	[[ ${SETTING[dom0_type]} == pv ]] || xen+=" dom0=pvh"
	dom0="console=hvc0 quiet cryptomgr.notests=1 norandmaps"
	if [[ ${SETTING[mitigations]} == off ]]; then
		xen+=" spec-ctrl=no"
		dom0+=" mitigations=off init_on_alloc=0"
	fi
	xen+=" ${SETTING[xen_args]//,/ }"
	dom0+=" ${SETTING[dom0_args]//,/ }"
	# QEMU takes a comma for the end of a module's arguments; doubled it is a comma.
	QEMU+=(-append "$xen" -initrd "${IMAGE[kernel-${SETTING[dom0_kernel]}]}/vmlinux ${dom0//,/,,},$1")
}
