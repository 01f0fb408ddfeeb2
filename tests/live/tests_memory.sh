# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_memory.sh: balloons of real Linux guests.

START_KIB=$((400 << 10))
MAX_KIB=$((1024 << 10))

memory_needs() {
	[ -z "${LAB_NO_KERNEL:-}" ] || skip "$LAB_NO_KERNEL"
	memory_prepare || fail "no initramfs"
}
# guest_up NAME KIB: it has booted, and its balloon has come down to this.
guest_up() {
	eventually 60 "guest $1 up" console "$1" 'lab: up'
	eventually 20 "balloon of $1 at $2 KiB" balloon_is "$1" "$2"
}
balloon_is() { [ "$(balloon "$1")" = "$2" ]; }
period_is() { virsh dumpxml "$1" | grep -q "<stats period='$2'/>"; }
no_period() { ! virsh dumpxml "$1" | grep -q '<stats period'; }

test_stats_period() {
	memory_needs
	mem_guest idle 512 256 || fail "guest does not start"
	guest_up idle 262144
	expect "no statistics period at first" no_period idle
	json_run 10 "${KEEP[@]}" -d 0.5 -n 1
	expect "no statistics period after a look" no_period idle
	expect "the reason why they stand still" json_true '.[0].vms[0].memory.reason == "no-statistics"'
	json_start --no-config --stats-period 1 -d 1 -n 6
	eventually 8 "statistics period on" period_is idle 1
	json_end 20
	expect "statistics known" json_true '.[-1].vms[0].memory | .unused_kib > 50000 and .unused_kib < 262144 and .age_s < 5'
	expect "statistics period put back" no_period idle
	expect "balloon as it was" balloon_is idle 262144
}

# One guest eats, one idles.
test_memory() {
	memory_needs
	mem_guest idle 1024 400 || fail "guest does not start"
	mem_guest eater 1024 400 eat:480:16:1:12 || fail "guest does not start"
	guest_up idle $START_KIB
	guest_up eater $START_KIB
	json_start "${KEEP[@]}" --auto=memory -d 1 -s memory_cycle=1 -s mem_boot=0 -s mem_hold=5 -s mem_decay=5 --end-time +60
	eventually 70 "the guest has eaten" console eater 'lab: full'
	json_end 70
	expect_eq "guests with something killed" "$(killed_in idle eater)" ""
	expect "it could always eat" bash -c "! grep -q 'cannot eat' '$LAB/eater.console'"
	expect "the eater got memory" [ "$(balloon eater)" -gt $((START_KIB + (120 << 10))) ]
	expect "the idle one gave some" [ "$(balloon idle)" -lt $((START_KIB - (40 << 10))) ]
	expect "it gave in steps" json_true "[.[].actions[] | select(.kind == \"balloon\" and .vm == \"idle\" and .outcome == \"done\" and .to < .from)]
		| length >= 3 and all(.[]; .from - .to <= 0.16 * .from)"
	expect "every target between floor and maximum" json_true \
		"[.[].actions[] | select(.kind == \"balloon\")] | length > 0 and all(.[]; .to >= $((128 << 10)) and .to <= $MAX_KIB)"
	expect "the idle one keeps 100 MiB unused" json_true \
		'[.[].vms[] | select(.name == "idle") | .memory.unused_kib | select(. != null)] | length > 0 and min >= 102400'
}
