# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_why.sh: faults put into real guests, and what vmtop names as the cause. Beside each there are guests that
# nothing is done to, and nothing may be said of them. LATE is how many samples may pass before the cause is first.

LATE=3
WHY_GROUPS=/sys/fs/cgroup/cpu

# first_cause GUEST: the heaviest cause in the newest object, "" for none.
first_cause() { json ".[-1].vms[] | select(.name == \"$1\").suffers.causes[0].cause // \"\""; }
# The heaviest causes of GUEST from object number FROM on, each once.
causes_since() { json "[.[$2:][].vms[] | select(.name == \"$1\").suffers.causes[0].cause // empty] | unique | join(\" \")"; }
# named_since GUEST CAUSE FROM: CAUSE comes first in object FROM + LATE, counted from the one in which it could show, or before.
named_since() {
	json_true "any(.[$3:$3 + $LATE + 1][].vms[]; .name == \"$1\" and .suffers.causes[0].cause == \"$2\")"
}
# The second pCPU was idle in the samples in which the cause had to be named; 40 % is what vmtop calls idle.
idle_elsewhere() { json_true "all(.[$1 + 1:$1 + $LATE + 1][]; .host.cpu.pcpus[1].busy_pct < 40)"; }
why_objects() { [ "$(json length)" -ge "$1" ]; }
# inject CAUSE GUEST... -- COMMAND...: the command is the fault, and CAUSE is what it makes these guests suffer from.
inject() {
	local cause=$1 from guests=()
	shift
	while [ "$1" != -- ]; do guests+=("$1"); shift; done
	shift
	"$@" || fail "cannot inject $cause"
	from=$(json length)
	eventually 30 "samples after the fault" why_objects $((from + LATE + 1))
	# What else this machine does may leave no pCPU idle: then waiting is the truth, and no pin is to blame.
	[ "$cause" != pins ] || idle_elsewhere "$from" || cause=wait
	for vm in "${guests[@]}"; do
		expect "$cause first of $vm within $LATE samples (it was: $(causes_since "$vm" "$from"))" named_since "$vm" "$cause" "$from"
	done
	note "$cause"
}
# accused FROM GUEST...: of whom something was said from object FROM on.
accused() {
	local vm from=$1
	shift
	for vm; do
		[ -z "$(causes_since "$vm" "$from")" ] || printf '%s: %s; ' "$vm" "$(causes_since "$vm" "$from")"
	done
}

# why_watch: from here on vmtop looks on, and changes nothing.
why_watch() {
	json_start --no-config --readonly -d 1
	eventually 30 "the first samples" why_objects 3
}
why_end() {
	kill -TERM "$BATCH"
	json_end 20
}

# A guest with a monitor of its own, at which a line can be said without libvirt's knowledge.
guest_with_monitor() {
	rm -f "$LAB/$1".mon.*
	mkfifo "$LAB/$1.mon.in" "$LAB/$1.mon.out"
	PIN=$3 cpu_xml "$1" "$2" | sed "s|</domain>|<qemu:commandline><qemu:arg value='-chardev'/><qemu:arg value='pipe,id=lab,path=$LAB/$1.mon'/><qemu:arg value='-mon'/><qemu:arg value='chardev=lab,mode=readline'/></qemu:commandline></domain>|" >"$LAB/$1.xml"
	cat "$LAB/$1.mon.out" >/dev/null &
	echo $! >>"$LAB/pids"
	virsh -q create "$LAB/$1.xml" >/dev/null && favour "$(guest_pid "$1")"
}
# Keeps its main thread at work, in pieces that libvirt's own words get between.
busy_emulator() {
	virsh -q emulatorpin "$1" "$2" --live >/dev/null || return 1
	while :; do echo 'pmemsave 0 0x400000 /dev/null'; done >"$LAB/$1.mon.in" 2>/dev/null &
	echo $! >>"$LAB/pids"
}
press() { local vm; for vm; do virsh -q send-key "$vm" KEY_A >/dev/null || return 1; done; }

# Pins that stack, a busy emulator, a monitor that hangs, a guest that is paused; with healthy ones beside them.
test_why() {
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	PIN=0 cpu_guest s1 0-10 && PIN=0 cpu_guest s2 0-10 && cpu_guest quiet 0 && cpu_guest asleep 0 && cpu_guest hangs 0 &&
		guest_with_monitor loaded 0-10 0 || fail "guests do not start"
	why_watch
	expect_eq "accused at rest" "$(accused 0 s1 s2 quiet asleep hangs loaded)" ""
	inject pins s1 s2 -- press s1 s2
	expect_eq "accused beside stacked pins" "$(accused 0 quiet asleep hangs loaded)" ""
	virsh -q destroy s1 && virsh -q destroy s2
	press loaded
	inject emulator loaded -- busy_emulator loaded 0
	expect_eq "accused beside a busy emulator" "$(accused 0 quiet asleep hangs)" ""
	virsh -q suspend asleep
	hang hangs
	eventually 30 "the cause of the guest whose monitor hangs" json_true '.[-1].vms[] | select(.name == "hangs").suffers.causes[0].cause == "hung"'
	note hung
	expect_eq "accused beside a monitor that hangs" "$(accused 0 quiet asleep)" ""
	why_end
	unhang hangs
	expect "the same from the command" "$VMTOP" why quiet --samples 3
}

# ---- CPU quota and shares: by control groups named as libvirt's, where this machine has that controller -------------

why_group() {
	mkdir -p "$WHY_GROUPS/machine-qemu-lab-$1" && echo "$2" >"$WHY_GROUPS/machine-qemu-lab-$1/cpu.shares" &&
		echo "$(guest_pid "$1")" >"$WHY_GROUPS/machine-qemu-lab-$1/cgroup.procs"
}
why_groups_end() {
	guests_end
	rmdir "$WHY_GROUPS"/machine-qemu-lab-* 2>/dev/null
}
why_quota() { echo 20000 >"$WHY_GROUPS/machine-qemu-lab-$1/cpu.cfs_quota_us"; }

test_why_group() {
	[ -w "$WHY_GROUPS/cpu.shares" ] || { note "skipped: no cpu controller"; return 0; }
	[ "$(nproc)" = 2 ] || { note "skipped: needs just two pCPUs"; return 0; }
	trap why_groups_end EXIT
	cpu_guest capped 0-10 && PIN=0 cpu_guest big1 0-10 && PIN=1 cpu_guest big2 0-10 && cpu_guest small 0-10 && cpu_guest quiet 0 ||
		fail "guests do not start"
	why_group capped 8192 && why_group big1 65536 && why_group big2 65536 && why_group small 8192 || fail "no control groups"
	why_watch
	press capped
	eventually 20 "more samples" why_objects 6
	expect_eq "accused at rest" "$(accused 0 capped big1 big2 small quiet)" ""
	inject quota capped -- why_quota capped
	expect_eq "accused beside a quota" "$(accused 0 big1 big2 small quiet)" ""
	virsh -q destroy capped
	inject shares small -- press big1 big2 small
	expect_eq "accused beside larger shares" "$(accused 0 big1 big2 quiet)" ""
	why_end
}

# ---- memory -----------------------------------------------------------------------------------------------------

# A guest that has hardly anything left behind its balloon; one beside it that has enough.
test_why_memory() {
	memory_needs
	mem_guest roomy 512 300 || fail "guest does not start"
	mem_guest tight 512 200 || fail "guest does not start"
	guest_up roomy 300
	guest_up tight 200
	virsh -q dommemstat roomy --period 1 --live && virsh -q dommemstat tight --period 1 --live || fail "no statistics period"
	why_watch
	expect_eq "accused at rest" "$(accused 0 roomy tight)" ""
	tell tight eat it "$(($(balloon tight usable) / 1024 - 10))" 5
	eventually 60 "the guest has eaten" console tight 'lab: full it'
	inject memory tight -- true
	expect_eq "accused beside it" "$(accused 0 roomy)" ""
	why_end
}

# ---- every kind that this machine can make, drawn by a script; bench/faults_live does the same two hundred times ---------

test_faults() {
	local why
	why=$(faults_missing)
	[ -z "$why" ] || skip "$why"
	[ -z "${LAB_NO_KERNEL:-}" ] || skip "$LAB_NO_KERNEL"
	trap faults_end EXIT
	faults_start || fail "no libvirtd with control groups"
	faults_guests || fail "guests do not start"
	faults_run 17 1 >"$LAB/faults.log" 2>&1 || fail "$(grep -A20 '^the true' "$LAB/faults.log" || tail -3 "$LAB/faults.log")"
	note "$(grep -E '^(the true|accused|drawn)' "$LAB/faults.log" | tr '\n' ';')"
}
