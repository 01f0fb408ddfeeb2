# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# lab.sh: a private hypervisor for tests. Sourced by the scripts beside it; needs root, but no KVM.
#
# The script that calls lab_enter is started again in mount, PID and network namespaces of its own, where empty folders
# lie over those of libvirt, and a vmtop of this machine is not met. Whatever it starts there (libvirtd, every QEMU,
# tmux) ends with it, however it ends: the kernel kills a PID namespace whose first process is gone. The machine's own libvirt folders are listed before
# and after, and must not have changed.
#
# Inside: LAB is a scratch folder, TOP the source tree, VMTOP the program under test.

set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VMTOP=${VMTOP:-$TOP/build/vmtop}
LAB_CACHE=${VMTOP_LAB_CACHE:-$TOP/build/live}
LAB_FOLDERS=(/etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt)
export LIBVIRT_DEFAULT_URI=qemu:///system LC_ALL=C.UTF-8

say() { printf '%s\n' "$*"; }
now_ms() { local t=${EPOCHREALTIME/[.,]/}; echo "${t%???}"; }

# ---- outside --------------------------------------------------------------------------------------------------

# Prints why the lab cannot run here; prints nothing where it can.
lab_missing() {
	local tool
	for tool in libvirtd virsh qemu-system-x86_64 tmux jq as objcopy unshare setpriv; do
		if ! PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null; then
			say "$tool is not installed (tests/live/PACKAGES)"
			return
		fi
	done
	[ "$(id -u)" = 0 ] || { say "needs root"; return; }
	unshare --mount --pid --net --fork --mount-proc true 2>/dev/null || say "not allowed to unshare namespaces"
}

# Starts the calling script again with sudo where that asks for nothing.
lab_root() {
	if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then
		exec sudo -n CI="${CI:-}" VMTOP="$VMTOP" VMTOP_LAB_CACHE="$LAB_CACHE" "$@"
	fi
}

# What the machine's own libvirt folders hold, to the second and the byte.
lab_list_folders() {
	find "${LAB_FOLDERS[@]}" /run/libvirt -printf '%p %y %m %U:%G %s %T@\n' 2>/dev/null | sort
}

# Starts SCRIPT [ARG...] inside the lab, in the background. It ends with this script, however that ends.
lab_open() {
	LAB=$(mktemp -d "${TMPDIR:-/tmp}/vmtop-lab.XXXXXX") || return 1
	export LAB LAB_INSIDE=1
	LAB_BEFORE=$(lab_list_folders)
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	trap 'rm -rf "$LAB"' EXIT
	# In the background, so that a signal is acted on at once; its death takes the namespace along.
	setsid setpriv --pdeathsig KILL unshare --mount --pid --net --fork --kill-child --mount-proc "$@" &
	LAB_PID=$!
	# A terminal that closes says so twice.
	trap 'trap "" INT TERM HUP; lab_kill; rm -rf "$LAB"' EXIT
}
lab_kill() { kill -KILL "$LAB_PID"; wait "$LAB_PID"; } 2>/dev/null

# Waits for its end; returns its status, or 1 when the machine's folders have changed.
lab_close() {
	local status=0
	wait "$LAB_PID" || status=$?
	LAB_PID=
	trap 'rm -rf "$LAB"' EXIT
	if [ "$LAB_BEFORE" != "$(lab_list_folders)" ] && ! pgrep -x 'libvirtd|virtqemud' >/dev/null; then
		say "FAIL lab: the machine's own libvirt folders have changed:"
		diff <(say "$LAB_BEFORE") <(lab_list_folders)
		[ $status != 0 ] || status=1
	fi
	return $status
}

# Runs SCRIPT [ARG...] inside the lab; status as that of lab_close.
lab_enter() {
	lab_open "$@" && lab_close
}

# ---- the private libvirtd -------------------------------------------------------------------------------------

# An empty folder over DIR, or over the nearest folder above it that exists.
lab_cover() {
	local at=$1
	while [ ! -d "$at" ]; do at=$(dirname "$at"); done
	mount -t tmpfs -o mode=755 lab "$at" && mkdir -p "$1"
}

# What runs before anything else inside: empty folders for libvirt.
lab_prepare() {
	local dir
	PATH=$PATH:/usr/sbin:/sbin
	favour self
	mount --make-rprivate / || return 1
	for dir in /run "${LAB_FOLDERS[@]}"; do
		lab_cover "$dir" || return 1
	done
	mkdir -p /run/libvirt /run/lock
	busybox ifconfig lo up 2>/dev/null # only the tests with a line need it
	lab_boot_sector
}

lab_start() {
	lab_prepare || return 1
	lab_config
	lab_libvirtd
}

# lab_config [CONTROLLERS]: guests get groups of these controllers: "\"cpu\",\"cpuset\"".
lab_config() {
	printf '%s\n' 'user="root"' 'group="root"' 'security_driver="none"' "cgroup_controllers=[${1:-}]" \
		'namespaces=[]' 'stdio_handler="file"' >/etc/libvirt/qemu.conf
	printf '%s\n' 'auth_unix_rw="none"' 'auth_unix_ro="none"' 'unix_sock_rw_perms="0700"' \
		'unix_sock_ro_perms="0777"' >/etc/libvirt/libvirtd.conf
}

# favour PID [NICE]: above the rest of the machine, whose work would show in the guests' usage. The scheduler's weights
# are those of sessions where it groups by session, else those of threads.
favour() {
	if [ "$1" = self ]; then renice -n -10 $$; fi
	echo "${2:--10}" >"/proc/$1/autogroup" || true
} >/dev/null 2>&1

# Starts libvirtd (again), and returns once it answers.
lab_libvirtd() {
	libvirtd -p "$LAB/libvirtd.pid" >>"$LAB/libvirtd.log" 2>&1 &
	disown # some tests kill it, and nobody needs to be told
	wait_for 20 virsh -q uri >/dev/null || { say "libvirtd does not answer:"; tail -5 "$LAB/libvirtd.log"; return 1; }
}

# Waits up to SECONDS until COMMAND succeeds; looks every LAB_POLL seconds.
wait_for() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" 2>/dev/null; do
		[ "$(now_ms)" -lt $end ] || return 1
		sleep "${LAB_POLL:-0.1}"
	done
}

# ---- guests ---------------------------------------------------------------------------------------------------

lab_boot_sector() {
	as --32 -o "$LAB/boot.o" "$TOP/tests/live/boot.S" && objcopy -O binary -j .text "$LAB/boot.o" "$LAB/boot.bin" &&
		[ "$(stat -c %s "$LAB/boot.bin")" = 512 ]
}

# The image for a duty of 0 to 10 tenths, or for two, "0-10": the second from the first key press on (after 0 only 0 or
# 10, for there is no timer then).
lab_floppy() {
	local img=$LAB/duty$1.img
	if [ ! -e "$img" ]; then
		cp "$LAB/boot.bin" "$img"
		printf '%b' "\\x$(printf %02x "${1#*-}")\\x$(printf %02x "${1%-*}")" |
			dd of="$img" bs=1 seek=508 conv=notrunc status=none
		truncate -s 64K "$img"
	fi
	say "$img"
}

# cpu_xml NAME DUTY [CPUSET [VCPUS]]: a guest that keeps each of its vCPUs busy for DUTY tenths of the time (or as
# lab_floppy says).
# With PIN set, vCPU 0 starts with this live pin; GUEST_MIB is its memory; GUEST_NOISE a file that lies in it from 16 MiB
# on, so that a migration has something to send; LAB_TYPE is kvm or qemu.
cpu_xml() {
	# shellcheck disable=SC2016 # a here document: the quotes are part of it
	cat <<-XML
	<domain type='${LAB_TYPE:-qemu}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
	  <name>$1</name><memory unit='MiB'>${GUEST_MIB:-16}</memory>
	  <vcpu${3:+ cpuset='$3'}>${4:-1}</vcpu>
	  ${PIN:+<cputune><vcpupin vcpu='0' cpuset='$PIN'/></cputune>}
	  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='fd'/></os>
	  <features><acpi/><apic/></features>
	  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot>
	  <devices>
	    <disk type='file' device='floppy'><driver name='qemu' type='raw'/><source file='$(lab_floppy "$2")'/>
	      <target dev='fda'/><readonly/></disk>
	    <controller type='usb' model='none'/><memballoon model='none'/>
	  </devices>
	  ${GUEST_NOISE:+<qemu:commandline><qemu:arg value='-device'/>
	    <qemu:arg value='loader,file=$GUEST_NOISE,addr=0x1000000,force-raw=on'/></qemu:commandline>}
	</domain>
	XML
}

# A transient guest, as cpu_xml.
cpu_guest() {
	cpu_xml "$@" >"$LAB/$1.xml" && virsh -q create "$LAB/$1.xml" >/dev/null && favour "$(guest_pid "$1")"
}

# The same, but defined first: its settings are kept, and may be looked at with --inactive.
cpu_guest_defined() {
	cpu_xml "$@" >"$LAB/$1.xml" && virsh -q define "$LAB/$1.xml" >/dev/null && virsh -q start "$1" >/dev/null &&
		favour "$(guest_pid "$1")"
}

mem_guest_xml() {
	cat <<-XML
	<domain type='qemu'>
	  <name>$1</name><memory unit='MiB'>$2</memory><currentMemory unit='MiB'>$3</currentMemory>
	  <vcpu>1</vcpu>
	  <os><type arch='x86_64' machine='pc'>hvm</type><kernel>$KERNEL</kernel><initrd>$LAB/memory.img</initrd>
	    <cmdline>console=ttyS0 quiet panic=-1</cmdline></os>
	  <features><acpi/></features>
	  <devices>
	    <serial type='file'><source path='$LAB/$1.console'/></serial>
	    <serial type='pipe'><source path='$LAB/$1.pipe'/></serial>
	    <controller type='usb' model='none'/><memballoon model='virtio'/>
	  </devices>
	</domain>
	XML
}
mem_guest_start() {
	rm -f "$LAB/$1".pipe.*
	mkfifo "$LAB/$1.pipe.in" "$LAB/$1.pipe.out" && virsh -q create "$LAB/$1.xml" >/dev/null
}

# mem_guest NAME MAX_MIB NOW_MIB: a Linux with a balloon that runs memory-init. Needs memory_prepare.
mem_guest() {
	mem_guest_xml "$@" >"$LAB/$1.xml"
	mem_guest_start "$1"
}
# vmem_guest NAME MIB SLOT_MIB: the same, started with MIB of memory and with room for SLOT_MIB more by virtio-mem.
vmem_guest() {
	mem_guest_xml "$1" $(($2 + $3)) "$2" |
		sed -e "s|<memory |<maxMemory slots='4' unit='MiB'>$(($2 + $3))</maxMemory><memory |" \
			-e "s|panic=-1|panic=-1 memhp_default_state=online_movable|" \
			-e "s|<devices>|<cpu><numa><cell id='0' cpus='0' memory='$2' unit='MiB'/></numa></cpu><devices>|" \
			-e "s|<memballoon|<memory model='virtio-mem'><target><size unit='MiB'>$3</size><node>0</node><block unit='MiB'>2</block><requested unit='MiB'>0</requested></target></memory><memballoon|" \
			>"$LAB/$1.xml"
	mem_guest_start "$1"
}

memory_prepare() {
	kernel_get && initramfs "$LAB/memory.img" "$TOP/tests/live/memory-init" virtio virtio_ring \
		virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_balloon virtio_mem virtio_blk
}

# tell NAME WORDS: a line for its memory-init.
tell() {
	local name=$1
	shift
	echo "$*" >"$LAB/$name.pipe.in"
}
# console NAME TEXT: its console has shown TEXT.
console() { grep -q -- "$2" "$LAB/$1.console"; }
console_lacks() { ! console "$@"; }
# Guests, of those named, in which something was killed for want of memory.
killed_in() {
	local vm
	for vm; do ! grep -qiE 'out of memory|oom-kill|killed process|kernel panic' "$LAB/$vm.console" || say "$vm"; done
}
# balloon NAME [FIELD]: KiB of a domain's balloon statistics (current, unused, usable, ...).
balloon() { virsh -q domstats "$1" --balloon | awk -F= -v key="balloon.${2:-current}" '{gsub(/ /, "", $1)} $1 == key {print $2}'; }

# The same as QEMU itself tells it, in MiB.
qemu_balloon() { virsh -q qemu-monitor-command "$1" --hmp info balloon | sed -n 's/.*actual=\([0-9]*\).*/\1/p'; }

guest_pid() { cat "/run/libvirt/qemu/$1.pid"; }
# The monitor of this guest answers no more, or again.
hang() { kill -STOP "$(guest_pid "$1")"; }
unhang() { kill -CONT "$(guest_pid "$1")"; }

# guests_end: all of them, also those that hang.
guests_end() {
	local vm
	for vm in $(virsh -q list --name 2>/dev/null); do
		unhang "$vm" 2>/dev/null
		virsh -q destroy "$vm" >/dev/null 2>&1
	done
	for vm in $(virsh -q list --all --name 2>/dev/null); do
		virsh -q undefine "$vm" >/dev/null 2>&1
	done
	true
}

# ---- looking at them without vmtop ----------------------------------------------------------------------------

# pin NAME CPULIST [VCPU]: live.
pin() { virsh -q vcpupin "$1" "${3:-0}" "$2" --live >/dev/null; }
# The CPU list that vCPU 0 (or VCPU) of NAME may run on: the real affinity of its thread.
pinned() { virsh -q vcpuinfo "$1" --pretty | awk -v want="${2:-0}" '/^VCPU:/ {v = $2} /^CPU Affinity:/ && v == want {print $3}'; }
# How many of the named guests are pinned to exactly CPULIST.
count_pinned() {
	local cpus=$1 n=0 vm
	shift
	for vm in "$@"; do [ "$(pinned "$vm")" != "$cpus" ] || n=$((n + 1)); done
	say $n
}
# How many of these guests say that a pin of theirs is of vmtop's making.
count_marked() {
	local n=0 vm
	for vm; do ! virsh -q metadata "$vm" urn:vmtop:pins:1 >/dev/null 2>&1 || n=$((n + 1)); done
	say $n
}
# Usage and run-queue delay of vCPU 0 over a second, in percent.
vcpu_load() {
	local a b
	a=$(virsh -q domstats "$1" --vcpu | awk -F= '/vcpu.0.(time|delay)/ {printf "%s ", $2}' ; now_ms)
	sleep 1
	b=$(virsh -q domstats "$1" --vcpu | awk -F= '/vcpu.0.(time|delay)/ {printf "%s ", $2}' ; now_ms)
	# shellcheck disable=SC2086 # three words each
	set -- $a $b
	say "usage $((($4 - $1) / ($6 - $3) / 10000)) delay $((($5 - $2) / ($6 - $3) / 10000))"
}
