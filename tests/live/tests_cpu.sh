# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_cpu.sh: balancing, seen from outside: pins are read back with virsh and counted from libvirt's events.

FOUR=(g1 g2 g3 g4)
# "Two pCPUs" on a machine with more: the guests are allowed on the first two only.
TWO=
[ "$(nproc)" = 2 ] || TWO=0-1

# These tests count guests by pCPU, so each is bound to one; by default minmove binds nobody.
PLACED=("${KEEP[@]}" --granularity cpu)

# Four busy guests, defined, all on pCPU 0.
four_stacked() {
	local vm
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	for vm in "${FOUR[@]}"; do
		cpu_guest_defined "$vm" 10 "$TWO" || fail "guest $vm does not start"
		pin "$vm" 0
	done
	definitions >"$LAB/before.xml"
}
two_and_two() { [ "$(count_pinned 0 "${FOUR[@]}") $(count_pinned 1 "${FOUR[@]}")" = "2 2" ]; }
definitions_same() { definitions | cmp -s - "$LAB/before.xml"; }

# rebalance_until WHAT COMMAND...: by key. Other work on the machine counts as load of the pCPU where it happens to run, so
# that on a busy one a single round may be right to stop short.
rebalance_until() {
	local i what=$1
	shift
	for i in 1 2 3 4 5 6; do
		term_keys b
		! wait_for 8 "$@" || break
	done
	PRESSED=$i
	expect "$what, after $i times b" "$@"
	[ "$i" = 1 ] || note "b pressed $i times"
}

test_rebalance_key() {
	local made
	four_stacked
	events_start
	vmtop_start "${PLACED[@]}" -d 1
	eventually 30 "the guests on the screen" term_shows 'g4'
	expect_eq "pins before the key" "$(pins_made)" 0
	rebalance_until "two guests on each pCPU" two_and_two
	eventually 20 "a line with what was done" term_shows 'rebalanced: [0-9]+ vCPUs? (moved|pinned|given)'
	[ "$PRESSED" != 1 ] || expect_eq "pins made" "$(pins_made)" 2
	made=$(pins_made)
	vmtop_quit
	expect "two guests on each pCPU after the end" two_and_two
	expect_eq "pins made at the end" "$(pins_made)" "$made"
	expect "definitions unchanged" definitions_same
}

# more_objects N: N objects from now on.
more_objects() {
	local from
	from=$(json length)
	eventually 60 "$1 more objects" json_true "length >= $((from + $1))"
}
stop_batch() {
	kill -TERM "$BATCH"
	json_end 20
}

test_auto_cpu() {
	four_stacked
	events_start
	json_start "${PLACED[@]}" --auto=cpu -d 1
	eventually 40 "two guests on each pCPU" two_and_two
	more_objects 10
	stop_batch
	expect "two guests on each pCPU at the end" two_and_two
	expect_eq "pins made" "$(pins_made)" 2
	expect_eq "pins in JSON" "$(json '[.[].actions[] | select(.kind == "pin" and .outcome == "done")] | length')" 2
	expect "no action in the last nine ticks" json_true '[.[-9:][].actions[]] == []'
	expect "what was read back is in JSON" json_true '[.[-1].vms[].vcpus[0].affinity] | sort == ["0", "0", "1", "1"]'
	expect "about half a pCPU each" json_true '[.[-5:][].vms[].cpu_pct] | add / length | . > 30 and . < 52'
	expect "definitions unchanged" definitions_same
}

# What the guests of the four have waited for a pCPU so far, in seconds.
waited() {
	virsh -q domstats --vcpu "${FOUR[@]}" | awk -F= '/vcpu.0.delay/ { s += $2 } END { print s / 1e9 }'
}
freed() { virsh -q vcpupin "$1" | awk '{ print $2 }' | grep -qE '^0[,-]1'; }
how_many_freed() {
	local vm n=0
	for vm in "${FOUR[@]}"; do ! freed "$vm" || n=$((n + 1)); done
	echo $n
}
some_freed() { [ "$(how_many_freed)" -ge 1 ]; } # two on a machine that has nothing else to do

# By default nobody is bound: those that wait beside a pCPU with room are freed, and put back at the end.
test_freed() {
	local before after
	four_stacked
	before=$(waited)
	sleep 5
	before=$(awk "BEGIN { print $(waited) - $before }")
	json_start --no-config --auto=cpu -d 1
	eventually 90 "guests freed" some_freed
	sleep 4
	after=$(waited)
	sleep 5
	after=$(awk "BEGIN { print $(waited) - $after }")
	note "waited in 5 s: $before s pinned to one pCPU, $after s freed"
	# Where others want both pCPUs too there is little to win.
	if awk '{ exit !($1 < 6) }' /proc/loadavg; then
		expect "waiting less than before" awk "BEGIN { exit !($after < .95 * $before) }"
	else
		expect "waiting no more than before" awk "BEGIN { exit !($after < 1.05 * $before + .5) }"
	fi
	expect "each freed once" json_true '[.[].actions[] | select(.kind == "pin")] | group_by(.vm) | all(length == 1)'
	expect "with the reason" json_true 'all(.[].actions[]; .reason == "free")'
	stop_batch
	expect_eq "guests back on pCPU 0" "$(count_pinned 0 "${FOUR[@]}")" 4
}

test_balanced_start() {
	four_stacked
	pin g3 1
	pin g4 1
	events_start
	json_start "${PLACED[@]}" --auto=cpu -d 1
	more_objects 8
	stop_batch
	expect_eq "pins made" "$(pins_made)" 0
	expect "no actions" json_true '[.[].actions[]] == []'
	expect "two guests on each pCPU" two_and_two
}

# An administrator's rule in the guest's definition.
test_one_pcpu_rule() {
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	cpu_guest ruled 10 0 || fail "guest does not start"
	for vm in g1 g2 g3; do cpu_guest $vm 10 "$TWO" && pin $vm 0; done
	vmtop_start "${PLACED[@]}" -d 1
	eventually 30 "the guests on the screen" term_shows 'g3'
	rebalance_until "the three others spread" ruled_spread
	sleep 2
	expect_eq "pCPUs of the guest with the rule" "$(pinned ruled)" 0
	eventually 20 "its reason on the screen" term_shows 'single|one pCPU'
	vmtop_quit
}
ruled_spread() { [ "$(count_pinned 1 g1 g2 g3)" = 2 ]; }

# <vcpupin> of one vCPU leads out of <vcpu cpuset>, as libvirt allows: it is not driven back.
test_vcpupin_over_cpuset() {
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	PIN=0-1 cpu_guest wide 10 1 2 || fail "guest does not start"
	cpu_guest ruled 10 1 || fail "guest does not start"
	json_start "${KEEP[@]}" --auto=cpu --yes -d 1 --end-time +40
	eventually 60 "15 samples" json_true 'length >= 15'
	kill -TERM "$BATCH"
	json_end 10
	expect_eq "where the other vCPUs may run" "$(pinned wide 1) $(pinned ruled)" "1 1"
	expect "vCPU 0 of the wide one may run on pCPU 0: $(pinned wide)" on_0 "$(pinned wide)"
}
on_0() { [ "${1%%[-,]*}" = 0 ]; }

# What numad chose is not in the XML. The numad of the test has one word: node 0.
test_placed_by_numad() {
	[ -x "$SAMPLE_DUMP" ] || skip "$SAMPLE_DUMP is not built (make tests)"
	[ -e /usr/bin/numad ] || skip "numad is not installed (tests/live/PACKAGES)"
	printf '#!/bin/sh\necho 0\n' >"$LAB/numad"
	chmod 755 "$LAB/numad"
	mount --bind "$LAB/numad" /usr/bin/numad || skip "not allowed to mount over numad"
	cpu_xml g1 10 | sed "s|<vcpu>1</vcpu>|<vcpu placement='auto'>1</vcpu>|" >"$LAB/g1.xml"
	virsh -q create "$LAB/g1.xml" >/dev/null || fail "guest g1 does not start"
	umount /usr/bin/numad
	"$SAMPLE_DUMP" "$LIBVIRT_DEFAULT_URI" >"$LAB/dump" || fail "no sample"
	expect "bound to node 0: $(grep ^vm "$LAB/dump")" grep -q '^vm .* nodes=0x1(strict)' "$LAB/dump"
	expect_eq "pCPUs" "$(sed -n 's/.*vcpu 0 .* allowed=\([^ ]*\).*/\1/p' "$LAB/dump" | tail -1)" "$(node0_cpus)"
}
node0_cpus() { cat /sys/devices/system/node/node0/cpulist; }

# Nothing is asked for: nothing happens.
test_manual() {
	local key
	four_stacked
	events_start
	vmtop_start "${KEEP[@]}" -d 0.5
	eventually 30 "the guests on the screen" term_shows 'g4'
	for key in Down Up Space '?' Escape 2 1; do
		term_keys "$key"
		sleep 0.3
	done
	sleep 2
	expect "MANUAL on the screen" term_shows MANUAL
	vmtop_quit
	expect_eq "pins made" "$(pins_made)" 0
	expect_eq "guests on pCPU 0" "$(count_pinned 0 "${FOUR[@]}")" 4
	expect "definitions unchanged" definitions_same
}

test_restore_on_exit() {
	four_stacked
	json_start --no-config --granularity cpu --auto=cpu -d 1
	eventually 40 "two guests on each pCPU" two_and_two
	stop_batch
	expect_eq "guests back on pCPU 0" "$(count_pinned 0 "${FOUR[@]}")" 4
}

# Guests come, go and are paused while vmtop steers.
test_churn() {
	local vm
	for vm in g1 g2 g3; do cpu_guest $vm 10 || fail "guest $vm does not start"; done
	json_start "${KEEP[@]}" --auto=cpu -d 0.5
	more_objects 3
	cpu_guest g4 10 || fail "guest g4 does not start"
	eventually 20 "the new guest" json_true '.[-1].vms | map(.name) | sort == ["g1", "g2", "g3", "g4"]'
	virsh -q suspend g2
	eventually 20 "the pause" json_true 'any(.[-1].vms[]; .name == "g2" and .state == "paused")'
	virsh -q destroy g1
	eventually 20 "the end of one" json_true '.[-1].vms | map(.name) | sort == ["g2", "g3", "g4"]'
	virsh -q resume g2
	eventually 20 "the end of the pause" json_true 'any(.[-1].vms[]; .name == "g2" and .state == "running" and .cpu_pct > 5)'
	more_objects 3
	stop_batch
	expect "no gap" json_true '[.[1:][].elapsed_s] | max < 6'
	expect "guests at the start" json_true '.[0].vms | map(.name) | sort == ["g1", "g2", "g3"]'
	expect "the others sampled throughout" json_true 'all(.[2:][].vms[] | select(.name == "g3"); .cpu_pct > 5)'
	expect "no failed action" json_true 'all(.[].actions[]; .outcome != "failed" or .vm == "g1")'
	expect_eq "messages" "$(cat "$LAB/stderr")" ""
}

# The QEMU of one guest is stopped: its monitor answers nothing, and blocks who asks it. Then two more guests are
# started where two busy ones are already, so that there is something to balance.
test_hung() {
	local other
	four_stacked
	json_start "${PLACED[@]}" --auto=cpu -d 1
	eventually 40 "two guests on each pCPU" two_and_two
	other=$((1 - $(pinned g4)))
	hang g4
	eventually 40 "the guest set aside as hung" json_true 'any(.[-1].vms[]; .name == "g4" and .hung)'
	eventually 30 "the others sampled" json_true 'all(.[-2:][].vms[] | select(.name != "g4"); .cpu_pct > 5)'
	PIN=$other cpu_guest g5 10 "$TWO" || fail "guest g5 does not start"
	PIN=$other cpu_guest g6 10 "$TWO" || fail "guest g6 does not start"
	eventually 60 "the others balanced" others_balanced
	expect "the stopped one left alone" [ "$(pinned g4)" = $((1 - other)) ]
	unhang g4
	eventually 40 "the guest back" json_true 'any(.[-1].vms[]; .name == "g4" and (.hung | not) and .cpu_pct > 5)'
	stop_batch
}
others_balanced() {
	local n
	n=$(count_pinned 1 g1 g2 g3 g5 g6)
	[ "$n" = 2 ] || [ "$n" = 3 ]
}

# Three guests on pCPU 0 and one on pCPU 1, quiet at first; then all are busy, and both pCPUs read 100 %.
test_hidden_overload() {
	local vm made
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	for vm in g1 g2 g3; do PIN=0 cpu_guest $vm 0-10 "$TWO" || fail "guest $vm does not start"; done
	PIN=1 cpu_guest g4 0-10 "$TWO" || fail "guest g4 does not start"
	events_start
	json_start "${PLACED[@]}" --auto=cpu -d 1
	eventually 40 "all quiet" json_true 'length > 6 and all(.[-5:][].vms[]; .cpu_pct < 20)'
	expect_eq "pins made while quiet" "$(pins_made)" 0
	for vm in "${FOUR[@]}"; do virsh -q send-key "$vm" KEY_B || fail "no key can be pressed"; done
	eventually 60 "two guests on each pCPU" two_and_two
	made=$(pins_made)
	more_objects 6
	stop_batch
	# One is enough, but the keys come one after another, and a round in between acts on what it sees by then.
	[ "$made" -le 3 ] || fail "pins made: $made, not at most 3"
	expect_eq "pins made since it was cured" "$(($(pins_made) - made))" 0
}

# Where the last object says that the guests may run, sorted.
affinities() { json '[.[-1].vms[].vcpus[].affinity | tostring] | sort | join(" ")'; }
may_run() { [ "$(affinities)" = "$1" ]; }

# The cpuset around the guests shrinks while vmtop steers, and grows again. No event tells of it.
test_cpuset_narrowed() {
	local vm pid dir=/sys/fs/cgroup/cpuset/vmtop-lab-$$
	mkdir -p "$dir/vm" 2>/dev/null && cat /sys/fs/cgroup/cpuset/cpuset.mems >"$dir/cpuset.mems" 2>/dev/null ||
		skip "no cpuset of version 1 that may be written"
	cat "$dir/cpuset.mems" >"$dir/vm/cpuset.mems"
	for vm in "$dir" "$dir/vm"; do echo 0-1 >"$vm/cpuset.cpus"; done
	four_stacked
	for vm in "${FOUR[@]}"; do echo "$(guest_pid "$vm")" >"$dir/vm/cgroup.procs"; done
	json_start "${PLACED[@]}" --auto=cpu -d 0.5
	eventually 60 "two guests on each pCPU" may_run "0 0 1 1"
	echo 0 >"$dir/vm/cpuset.cpus"
	echo 0 >"$dir/cpuset.cpus"
	eventually 20 "all on pCPU 0" may_run "0 0 0 0"
	more_objects 10
	expect "no pin failed" json_true '[.[].actions[] | select(.outcome == "failed")] == []'
	expect "nobody is taken for a rival" json_true '.[-1].mode.cpu == "auto"'
	echo 0-1 >"$dir/cpuset.cpus"
	echo 0-1 >"$dir/vm/cpuset.cpus"
	eventually 60 "two guests on each pCPU again" may_run "0 0 1 1"
	stop_batch
	while read -r pid; do echo "$pid" >/sys/fs/cgroup/cpuset/cgroup.procs; done <"$dir/vm/cgroup.procs"
	rmdir "$dir/vm" "$dir"
}

# taskset tells nobody, and is somebody's wish all the same.
test_affinity_by_hand() {
	local pid thread
	four_stacked
	json_start "${PLACED[@]}" --auto=cpu -d 0.5
	eventually 60 "two guests on each pCPU" may_run "0 0 1 1"
	more_objects 4
	pid=$(guest_pid g1)
	for thread in "/proc/$pid/task"/*; do
		case $(<"$thread/comm") in "CPU "*) taskset -pc 0-1 "${thread##*/}" >/dev/null ;; esac
	done
	more_objects 12
	expect "it is left so" json_true '[.[-1].vms[] | select(.name == "g1") | .vcpus[0].affinity] == ["0-1"]'
	expect "AUTO stays on" json_true '.[-1].mode.cpu == "auto"'
	stop_batch
}
