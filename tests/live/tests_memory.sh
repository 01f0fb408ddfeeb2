# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_memory.sh: balloons of real Linux guests.

MIB=1024

memory_needs() {
	[ -z "${LAB_NO_KERNEL:-}" ] || skip "$LAB_NO_KERNEL"
	memory_prepare || fail "no initramfs"
}
# guest_up NAME MIB: it has booted, and its balloon has come down to this.
guest_up() {
	eventually 180 "guest $1 up" console "$1" 'lab: up'
	eventually 60 "balloon of $1 at $2 MiB" balloon_is "$1" $(($2 * MIB))
}
balloon_is() { [ "$(balloon "$1")" = "$2" ]; }
# balloon_within NAME MIB MIB
balloon_within() {
	local now
	now=$(balloon "$1")
	[ "$now" -ge $(($2 * MIB)) ] && [ "$now" -le $(($3 * MIB)) ]
}
period_is() { virsh dumpxml "$1" | grep -q "<stats period='$2'/>"; }
no_period() { ! virsh dumpxml "$1" | grep -q '<stats period'; }

test_stats_period() {
	memory_needs
	mem_guest idle 512 256 || fail "guest does not start"
	guest_up idle 256
	expect "no statistics period at first" no_period idle
	json_run 30 "${KEEP[@]}" -d 0.5 -n 1
	expect "no statistics period after a look" no_period idle
	expect "the reason why they stand still" json_true '.[0].vms[0].memory.reason == "no-statistics"'
	json_start --no-config --stats-period 1 -d 1 --end-time +120
	eventually 30 "statistics period on" period_is idle 1
	eventually 30 "statistics known" json_true '.[-1].vms[0].memory | .unused_kib > 50000 and .unused_kib < 262144 and .age_s < 5'
	kill -TERM "$BATCH"
	json_end 20
	expect "statistics period put back" no_period idle
	expect "balloon as it was" balloon_is idle 262144
}

# ---- what all of them must keep to, over the objects from number FROM on --------------------------------------

# balloon_rules FROM MIN_MIB MAX_MIB GUEST...
balloon_rules() {
	local from=$1 min=$2 max=$3 vm
	shift 3
	expect_eq "guests with something killed" "$(killed_in "$@")" ""
	for vm; do expect "$vm could always eat" console_lacks "$vm" 'lab: cannot eat'; done
	expect "every target between floor and maximum" json_true "[.[$from:][].actions[] | select(.kind == \"balloon\")]
		| all(.[]; .to >= $((min * MIB)) and .to <= $((max * MIB)))"
	expect "shrinks in steps of a quarter at most" json_true "[.[$from:][].actions[] | select(.kind == \"balloon\")]
		| all(.[]; .from - .to <= 0.25 * .from)"
	expect "no shrink that leaves less than 100 MiB usable" json_true "[.[$from:][] | .vms as \$vms | .actions[]
		| select(.kind == \"balloon\" and .to < .from) | . as \$a | (\$vms[] | select(.name == \$a.vm).memory)
		| (.usable_kib - (.balloon_kib - \$a.to))] | all(.[]; . >= $((100 * MIB)))"
	expect "the host keeps 200 MiB" json_true "all(.[$from:][].host.memory; .available_kib >= $((200 * MIB)))"
}
# steps FROM GUEST: the balloon's changes that were made, "down" and "up", with their number: "3 down 1 up".
steps() {
	json "[.[$1:][].actions[] | select(.kind == \"balloon\" and .vm == \"$2\" and .outcome == \"done\")]
		| \"\(map(select(.to < .from)) | length) down \(map(select(.to > .from)) | length) up\""
}

# One guest eats, one idles.
test_memory() {
	memory_needs
	mem_guest idle 1024 400 || fail "guest does not start"
	mem_guest eater 1024 400 || fail "guest does not start"
	guest_up idle 400
	guest_up eater 400
	json_start "${KEEP[@]}" --auto=memory -d 1 -s memory_cycle=1 -s mem_boot=0 -s mem_hold=5 -s mem_decay=5 -s reclaim=proactive --end-time +300
	eventually 30 "statistics of both" json_true 'all(.[-1].vms[]; .memory.usable_kib != null)'
	tell eater eat once 480 16
	eventually 120 "the guest has eaten" console eater 'lab: full once'
	eventually 60 "the eater got memory" balloon_within eater 520 1024
	eventually 60 "the idle one gave some" balloon_within idle 128 360
	kill -TERM "$BATCH"
	json_end 20
	balloon_rules 0 128 1024 idle eater
	expect "the idle one gave in steps" json_true '[.[].actions[] | select(.kind == "balloon" and .vm == "idle")]
		| length >= 3 and all(.[]; .from - .to <= 0.16 * .from)'
	expect "the idle one keeps 100 MiB unused" json_true \
		'[.[].vms[] | select(.name == "idle") | .memory.unused_kib | select(. != null)] | length > 0 and min >= 102400'
}

# ---- another client holds libvirt's job -------------------------------------------------------------------------

# Somebody who keeps the monitor at work with one long command after another.
job_held() {
	while :; do
		for _ in 1 2 3 4 5 6 7 8; do echo "qemu-monitor-command $1 --hmp 'pmemsave 0 0xc000000 /dev/null'"; done |
			virsh -q >/dev/null 2>&1
	done
}
hold_job() {
	local n
	HOLDERS=()
	for n in 1 2 3; do
		job_held "$1" &
		HOLDERS+=($!)
		echo $! >>"$LAB/pids"
	done
}
release_job() {
	kill "${HOLDERS[@]}"
	wait "${HOLDERS[@]}" 2>/dev/null
	true
}
# busy_readings FROM: of the objects from number FROM on, those that say so.
busy_readings() { json "[.[$1:][].vms[0].memory | select(.busy)] | length"; }
busy_at_least() { [ "$(busy_readings "$1")" -ge "$2" ]; }
fresh_again() { json_true '.[-1].vms[0].memory | (.busy | not) and .age_s < 4'; }

# The bulk call gives no balloon figures then: the last ones stand, with their age, and the reason is told. Nothing is said
# of the guest's driver, neither to who has seen figures before nor to who comes meanwhile.
test_busy() {
	local from
	memory_needs
	mem_guest g 512 256 || fail "guest does not start"
	guest_up g 256
	virsh -q dommemstat g --period 1 --live || fail "no statistics period"
	json_start "${KEEP[@]}" -d 0.3 --stats-period 1 -s memory_cycle=0.5
	eventually 30 "figures" json_true '.[-1].vms[0].memory.usable_kib > 50000'
	hold_job g
	sleep 1
	from=$(json length)
	eventually 40 "30 readings" json_true "length >= $from + 32"
	eventually 20 "the job was met" busy_at_least "$from" 8
	expect "the last figures stand" json_true "all(.[$from:][].vms[0].memory; .usable_kib > 50000 and .balloon_kib == 262144 and .max_kib == 524288)"
	expect "with an age that grows" json_true "[.[$from:][].vms[0].memory | select(.busy).age_s] | all(. != null) and max > 0.9"
	note "$(busy_readings "$from") of $(($(json length) - from)) readings while the job was held, figures up to $(json "[.[$from:][].vms[0].memory.age_s] | max | floor") s old"
	release_job
	eventually 20 "fresh figures again" fresh_again
	kill -TERM "$BATCH"
	json_end 20
	expect "the driver is not blamed" json_true 'all(.[].vms[0].memory; .reason != "no-driver")'

	hold_job g
	sleep 1
	json_start "${KEEP[@]}" -d 0.3 --stats-period 1 -s memory_cycle=0.5
	eventually 30 "ten readings" json_true 'length >= 10'
	release_job
	eventually 20 "figures" json_true '.[-1].vms[0].memory.usable_kib > 50000'
	kill -TERM "$BATCH"
	json_end 20
	note "$(busy_readings 0) of who came meanwhile"
	expect "met by who comes meanwhile" busy_at_least 0 1
	expect "nor then is the driver blamed" json_true 'all(.[].vms[0].memory; .reason != "no-driver")'
}

# ---- the four cases of the course, scaled down: 256 MiB at the start, 768 at most ------------------------------

# Sets TAG, one for each case, and FROM, the number of the next object.
case_begin() {
	NAME=$1 TAG=case$((++CASE))
	FROM=$(json length)
}
# case_eat GUEST:MIB...: all at once, 12 MiB a second; returns when all are full.
case_eat() {
	local guest
	for guest; do tell "${guest%:*}" eat "$TAG" "${guest#*:}" 12; done
	for guest; do eventually 240 "$NAME: ${guest%:*} full" console "${guest%:*}" "lab: full $TAG"; done
}
# case_reach GUEST...: they get all they may have.
case_reach() {
	local vm
	for vm; do eventually 60 "$NAME: $vm near its maximum" balloon_within "$vm" 718 768; done
}
# case_free GUEST...: they let go of everything, and give it back within 45 cycles, never asking for more.
case_free() {
	local vm at
	for vm; do tell "$vm" free "$TAG"; done
	for vm; do eventually 20 "$NAME: $vm free" console "$vm" "lab: freed $TAG"; done
	at=$(($(json length) + 2))
	for vm; do eventually 100 "$NAME: $vm gives back" balloon_within "$vm" 128 300; done
	for vm; do expect_eq "$NAME: steps up of $vm afterwards" "$(steps $at "$vm" | sed 's/.*down //')" "0 up"; done
}
# case_end IDLE...: the rules were kept, and those that idled gave little and never got any.
case_end() {
	local vm
	balloon_rules "$FROM" 128 768 m1 m2 m3 m4
	for vm; do
		expect_eq "$NAME: steps up of $vm, which idles" "$(steps "$FROM" "$vm" | sed 's/.*down //')" "0 up"
		expect "$NAME: $vm, which idles, gave 128 MiB at most" balloon_within "$vm" 128 256
	done
	note "$NAME: $(($(json length) - FROM)) ticks"
}

test_memory_cases() {
	local vm CASE=0
	memory_needs
	for vm in m1 m2 m3 m4; do mem_guest $vm 768 256 || fail "guest $vm does not start"; done
	for vm in m1 m2 m3 m4; do guest_up $vm 256; done
	json_start --on-exit keep --config "$TOP/packaging/examples/course.conf" --auto=memory
	eventually 60 "statistics of all" json_true 'all(.[-1].vms[]; .memory.usable_kib != null)'
	case_begin "one consumer"
	case_eat m1:600
	case_reach m1
	case_free m1
	case_end m2 m3 m4
	case_begin "four at once"
	case_eat m1:600 m2:600 m3:600 m4:600
	case_reach m1 m2 m3 m4
	case_free m1 m2 m3 m4
	case_end
	case_begin "two of four stop early"
	case_eat m3:150 m4:150 m1:600 m2:600
	case_reach m1 m2
	case_free m1 m2 m3 m4
	case_end
	case_begin "one of two stops early"
	case_eat m2:150 m1:600
	case_reach m1
	case_free m1 m2
	case_end m3 m4
	kill -TERM "$BATCH"
	json_end 20
}

# ---- as found -------------------------------------------------------------------------------------------------

qemu_balloon_is() { [ "$(qemu_balloon "$1")" = "$2" ]; }
qemu_balloon_below() { [ "$(qemu_balloon "$1")" -lt "$2" ]; }
nobody_blamed() { json_true 'all(.[].vms[]; .memory.reason != "foreign-balloon")'; }

# Targets of a guest with virtio-mem are in QEMU's unit: what is plugged is no balloon.
test_virtio_mem() {
	memory_needs
	vmem_guest vm 512 512 || fail "guest does not start"
	eventually 180 "guest up" console vm 'lab: up'
	json_start --no-config --yes --auto=memory -d 1 --stats-period 1 -s memory_cycle=1 -s mem_boot=0 -s reclaim=proactive -s mem_hold=5 \
		-s mem_decay=5 --end-time +400
	eventually 60 "it gave some" qemu_balloon_below vm 400
	expect_eq "the maximum shown, in MiB" "$(json '.[-1].vms[0].memory.max_kib / 1024')" 512
	virsh -q update-memory-device vm --requested-size 256MiB || fail "not plugged"
	eventually 30 "256 MiB plugged, and seen" json_true '.[-1].vms[0].memory.plugged_kib == 262144'
	sleep 8
	tell vm eat once 450 40
	eventually 60 "the guest has eaten" console vm 'lab: full once'
	virsh -q update-memory-device vm --requested-size 64MiB || fail "not unplugged"
	sleep 8
	expect "balloons as QEMU has them" json_true '[.[].vms[0].memory.balloon_kib] | max <= 524288'
	expect "every change was made" json_true '[.[].actions[] | select(.kind == "balloon")]
		| length > 3 and all(.[]; .outcome == "done" and .to <= 524288)'
	expect "nobody else is blamed" nobody_blamed
	expect_eq "killed" "$(killed_in vm)" ""
	kill -TERM "$BATCH"
	json_end 20
	eventually 30 "the balloon as found" qemu_balloon_is vm 512
}

# run_and_end CYCLE TENTHS GUEST...: one run of AUTO that ends TENTHS of a second after its first shrink.
run_and_end() {
	local cycle=$1 tenths=$2 vm
	shift 2
	json_start --no-config --yes --auto=memory -d 0.5 -s memory_cycle="$cycle" -s mem_boot=0 -s reclaim=proactive --stats-period 1 --end-time +90
	LAB_POLL=0.02 eventually 60 "a shrink" json_true '[.[].actions[] | select(.kind == "balloon" and .to < .from)] | length > 0'
	sleep "$((tenths / 10)).$((tenths % 10))"
	kill -TERM "$BATCH"
	json_end 20
	for vm; do eventually 30 "cycle $cycle, $tenths tenths after the shrink: $vm as found" qemu_balloon_is "$vm" 512; done
	expect "nobody else is blamed (cycle $cycle, $tenths)" nobody_blamed
}

# The end at each tenth of a second after a shrink.
test_balloon_back() {
	local cycle tenths n=0
	memory_needs
	mem_guest m1 1024 512 || fail "guest does not start"
	mem_guest m2 1024 512 || fail "guest does not start"
	guest_up m1 512
	guest_up m2 512
	for cycle in 0.5 5; do
		for ((tenths = 0; tenths < 20; tenths += ${BALLOON_STEP:-9})); do
			run_and_end $cycle $tenths m1 m2
			n=$((n + 1))
		done
	done
	note "$n ends"
}

# Undo at tenths of a second after a shrink (BALLOON_STEP=1: at each), then the end with everything put back.
test_balloon_undo() {
	local cycle tenths n=0
	memory_needs
	mem_guest m1 1024 512 || fail "guest does not start"
	guest_up m1 512
	for cycle in 0.5 5; do
		for ((tenths = 0; tenths < 10; tenths += ${BALLOON_STEP:-9})); do
			vmtop_start --no-config --yes --auto=memory --on-exit restore -d 0.5 -s memory_cycle=$cycle -s mem_boot=0 -s reclaim=proactive \
				--stats-period 1
			LAB_POLL=0.02 eventually 60 "a shrink" qemu_balloon_below m1 512
			sleep "0.$tenths"
			term_keys u
			sleep "$((tenths % 2)).$((5 - tenths % 2))" # two keys at once are a paste, and do nothing
			vmtop_quit
			eventually 30 "cycle $cycle, undo $tenths tenths after the shrink: as found" qemu_balloon_is m1 512
			term_end
			n=$((n + 1))
		done
	done
	note "$n undos"
}
