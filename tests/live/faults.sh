# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# faults.sh: the host on which faults.py puts faults into guests. Sourced after lab.sh. The guests lie in a partition of
# their own, in control groups that libvirt makes, with far more CPU shares than anything else on this machine has:
# what else it does must not be the true cause of what they suffer. It needs control groups of version 1.

FAULT_PART=vmtop-faults-lab
FAULT_CONTROLS=(cpu cpuset cpuacct)
fault_dir() { say "/sys/fs/cgroup/$1/$FAULT_PART.partition"; }

# Prints why the faults cannot be made here; prints nothing where they can.
faults_missing() {
	local c
	faults_clean # what a run that was killed left
	[ "$(nproc)" = 2 ] || { say "written for two pCPUs"; return; }
	for c in "${FAULT_CONTROLS[@]}"; do
		[ -w "/sys/fs/cgroup/$c/cgroup.procs" ] || { say "no $c controller of version 1"; return; }
		[ ! -e "$(fault_dir "$c")" ] || { say "$(fault_dir "$c") exists: another run"; return; }
	done
	python3 -c '' 2>/dev/null || say "python3 is not installed"
}

# A partition: a group for guests, in each tree. SHARES for tree cpu.
fault_partition() {
	local c
	for c in "${FAULT_CONTROLS[@]}"; do mkdir -p "$(fault_dir "$c")$1" || return 1; done
	for c in cpus mems; do cat "/sys/fs/cgroup/cpuset/cpuset.$c" >"$(fault_dir cpuset)$1/cpuset.$c" || return 1; done
	echo "$2" >"$(fault_dir cpu)$1/cpu.shares"
}
# Who watches must not wait either.
fault_watchers() {
	local dir=/sys/fs/cgroup/cpu/$FAULT_PART-watch
	mkdir -p "$dir" && echo 262144 >"$dir/cpu.shares" && echo $$ >"$dir/cgroup.procs"
}
# Outside, once all that was inside is dead.
faults_clean() {
	local c dir
	for c in "${FAULT_CONTROLS[@]}"; do
		for dir in "$(fault_dir "$c")" "/sys/fs/cgroup/$c/$FAULT_PART"-*; do
			[ ! -d "$dir" ] || find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null
		done
	done
	true
}

# A libvirtd that makes control groups, in place of one that runs here already.
faults_libvirtd() {
	local pid
	pid=$(cat "$LAB/libvirtd.pid" 2>/dev/null)
	if [ -n "$pid" ]; then
		kill "$pid"
		wait_for 20 libvirtd_ended "$pid" || return 1
	fi
	lab_config "$1"
	lab_libvirtd
}
libvirtd_ended() { ! kill -0 "$1" || [ "$(ps -o stat= -p "$1" | cut -c1)" = Z ]; }
faults_start() {
	# A tree of version 2 without controllers beside them confuses libvirt.
	! umount /sys/fs/cgroup/unified 2>/dev/null || FAULT_UNIFIED=1
	fault_watchers && fault_partition "" 196608 && fault_partition /slice.partition 1024 || return 1
	faults_libvirtd '"cpu","cpuset","cpuacct"'
}
# Everything as faults_start found it.
faults_end() {
	guests_end
	echo $$ >/sys/fs/cgroup/cpu/cgroup.procs
	faults_libvirtd ""
	[ -z "${FAULT_UNIFIED:-}" ] || mount -t cgroup2 none /sys/fs/cgroup/unified
	faults_clean
}

# The definition of a guest, put into a partition.
in_partition() { sed "s|<os>|<resource><partition>/$FAULT_PART$1</partition></resource>&|"; }
# With a monitor of its own, at which a line can be said without libvirt's knowledge.
with_monitor() {
	rm -f "$LAB/$1".mon.*
	mkfifo "$LAB/$1.mon.in" "$LAB/$1.mon.out"
	sed "s|</domain>|<qemu:commandline><qemu:arg value='-chardev'/><qemu:arg value='pipe,id=lab,path=$LAB/$1.mon'/><qemu:arg value='-mon'/><qemu:arg value='chardev=lab,mode=readline'/></qemu:commandline>&|"
}
# fault_guest NAME DUTY VCPUS [PARTITION]: paused at once, until a fault needs it.
fault_guest() {
	local vm=$1
	cpu_xml "$1" "$2" "" "$3" | in_partition "${4:-}" | with_monitor "$vm" >"$LAB/$vm.xml"
	cat "$LAB/$vm.mon.out" >/dev/null &
	virsh -q create "$LAB/$vm.xml" >/dev/null
}
# fault_linux NAME MAX_MIB NOW_MIB [DISK_XML]
fault_linux() {
	mem_guest_xml "$1" "$2" "$3" | in_partition "" | sed "s|</devices>|${4:-}&|" >"$LAB/$1.xml"
	mem_guest_start "$1"
}
fault_disk() {
	truncate -s "$3" "$LAB/$1.$2"
	say "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' io='threads'/><source file='$LAB/$1.$2'/><target dev='$2' bus='virtio'/></disk>"
}

# All of them. Who is named v, hog or sliced is asleep until a fault wakes it; the others are healthy beside them.
faults_guests() {
	memory_prepare || return 1
	fault_guest v1 10 1 && fault_guest v2 6 2 && fault_guest v3 7 1 && fault_guest sliced 10 1 /slice || return 1
	for vm in hog1 hog2; do fault_guest $vm 10 1 || return 1; done
	fault_guest hog3 10 2 && fault_guest calm 1 1 && fault_guest quiet 0 1 || return 1
	for vm in v1 v2 v3 sliced hog1 hog2 hog3; do virsh -q suspend $vm >/dev/null || return 1; done
	head -c 200M /dev/urandom >"$LAB/noise"
	GUEST_NOISE=$LAB/noise GUEST_MIB=256 fault_guest big 0 1 || return 1
	fault_linux lin 320 256 "$(fault_disk lin vda 512M)$(fault_disk lin vdb 16M)" && fault_linux tight 256 160 || return 1
	for vm in lin tight; do
		wait_for 180 console $vm 'lab: up' || return 1
		virsh -q dommemstat $vm --period 1 --live || return 1
	done
}

# faults_run N SEED [CAUSE...]
faults_run() { FAULT_PART=$FAULT_PART VMTOP=$VMTOP LAB=$LAB python3 "$TOP/tests/live/faults.py" "$@"; }
