# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_ordeal.sh: two hypervisors (fleet.sh) with guests of all kinds, a vmtop on each, and everything that happens to
# them in a month, drawn from a seed: guests come, go, reboot, get vCPUs and travel; pins and balloons are set by somebody
# else; libvirtd is killed or stands still, a QEMU stands still, memory is short, vmtop is killed. In turns in MANUAL and
# in AUTO, the same events in each pair. At the end of each turn every pin, affinity, balloon, statistics period, mark
# and claim is as found; guests waited no more in AUTO; memory and descriptors of vmtop stay flat.
#
# ORDEAL_S: seconds of a turn, of four; ORDEAL_SEED: of the draw. Neither pCPUs off line nor narrowed control groups, which
# would be the whole machine's: those are in tests/live/nested. Nor the clock, which no namespace has for itself.

ORDEAL_S=${ORDEAL_S:-60} ORDEAL_SEED=${ORDEAL_SEED:-1}

# ---- guests -----------------------------------------------------------------------------------------------------

# Three stacked on pCPU 0 of host 1, which their turns fill; others float. Both hosts have both pCPUs.
ORDEAL_STACKED=(s1 s2 s3) ORDEAL_FLOATING=(f1 f2) ORDEAL_MEMORY=(m1 m2)
declare -A HOME_OF=([s1]=1 [s2]=1 [s3]=1 [f1]=1 [f2]=2 [p1]=2 [m1]=1 [m2]=1)

ordeal_guests() {
	local vm
	for vm in "${ORDEAL_STACKED[@]}"; do PIN=0 node_guest 1 "$vm" 3 "$TWO"; done
	node_guest 1 f1 1 "$TWO" 2
	node_guest 2 f2 1 "$TWO"
	ordeal_plug_guest
	for vm in "${ORDEAL_MEMORY[@]}"; do
		mem_guest_xml "$vm" 512 384 >"$LAB/$vm.xml"
		rm -f "$LAB/$vm".pipe.*
		mkfifo "$LAB/$vm.pipe.in" "$LAB/$vm.pipe.out"
		on 1 create "$LAB/$vm.xml" || fail "guest $vm does not start: $(cat "$LAB/virsh.err")"
	done
	for vm in "${ORDEAL_MEMORY[@]}"; do eventually 180 "guest $vm up" console "$vm" 'lab: up'; done
	for vm in "${ORDEAL_MEMORY[@]}"; do eventually 60 "balloon of $vm" node_balloon_is 1 "$vm" 393216; done
}
# One of four vCPUs is plugged; the others can be.
ordeal_plug_guest() {
	cpu_xml p1 1 "$TWO" 4 | sed "s|<vcpu\\([ >]\\)|<vcpu current='1'\\1|" >"$LAB/p1.xml"
	on 2 create "$LAB/p1.xml" || fail "guest p1 does not start: $(cat "$LAB/virsh.err")"
}
node_balloon() { on "$1" domstats "$2" --balloon && said | sed -n 's/.*balloon.current=//p'; }
node_balloon_is() { [ "$(node_balloon "$1" "$2")" = "$3" ]; }

# host_memory AVAILABLE_MIB: of host 1, in place, for the file is bound into its namespace.
host_memory() {
	printf '%-16s%8d kB\n' MemTotal: $((2048 * 1024)) MemFree: $(($1 * 1024)) MemAvailable: $(($1 * 1024)) \
		Buffers: 0 Cached: 0 SwapTotal: 0 SwapFree: 0 1<>"$LAB/host1/meminfo"
}

# ---- what is found ----------------------------------------------------------------------------------------------

# ordeal_state FILE: all that vmtop may change, of the guests that stay, and what it leaves of itself.
ordeal_state() {
	local vm i tid pid
	for vm in "${!HOME_OF[@]}"; do
		i=${HOME_OF[$vm]}
		on "$i" dumpxml "$vm" || { say "$vm is not on host $i"; continue; }
		said | grep -E "<vcpupin|<emulatorpin|<iothreadpin|<shares|<stats period|urn:vmtop|<currentMemory" | sed "s/^ */$vm: /"
		pid=$(node_guest_pid "$i" "$vm")
		for tid in "/proc/$pid/task"/*; do
			[[ $(<"$tid/comm") != CPU* ]] || say "$vm: $(<"$tid/comm") may use $(sed -n 's/^Cpus_allowed_list:\t//p' "$tid/status")"
		done
	done | sort >"$1"
	for i in 1 2; do
		find "$LAB/state$i" -type f -size +0 ! -name '*.lock' -printf "host $i: %f\n" 2>/dev/null
		find "/proc/${NODE[i]}/root/run/vmtop" -type f -size +0 -printf "host $i: claim %f\n" 2>/dev/null
	done >>"$1"
}
# Balloons come back in steps, and QEMU tells them late.
state_is_as_found() {
	ordeal_state "$LAB/after"
	cmp -s "$LAB/found" "$LAB/after"
}

# ---- vmtop ------------------------------------------------------------------------------------------------------

# ordeal_vmtop I MODE...: vmtop of host I; its process id in STEERS[I].
ordeal_vmtop() {
	local i=$1
	into "$i"
	"${INTO[@]}" env XDG_STATE_HOME="$LAB/state$i" "$VMTOP" --no-config -c qemu:///system --batch --format log -d 1 \
		-s mem_boot=0 -s mem_hold=3 -s mem_decay=5 "${@:2}" >>"$LAB/vmtop$i.log" 2>>"$LAB/vmtop$i.err" &
	STEERS[i]=$!
	echo $! >>"$LAB/pids"
}
# ordeal_look: memory and descriptors of both, now; the first look of each is kept, and the most seen after it.
ordeal_look() {
	local i now
	for i in 1 2; do
		now="$(awk '/^VmRSS/ { print $2 }' "/proc/${STEERS[i]}/status" 2>/dev/null) $(ls "/proc/${STEERS[i]}/fd" 2>/dev/null | wc -l)"
		say "$i ${STEERS[i]} $now"
	done >>"$LAB/looks"
}
# Each process: most after its tenth second, less what it had then.
ordeal_growth() {
	awk 'NF == 4 { n[$2]++; if (n[$2] == 5) { rss[$2] = $3; fd[$2] = $4 }
		if (n[$2] > 5) { if ($3 - rss[$2] > r) r = $3 - rss[$2]; if ($4 - fd[$2] > f) f = $4 - fd[$2] } }
		END { print r + 0, f + 0 }' "$LAB/looks"
}

# ---- what happens -----------------------------------------------------------------------------------------------

pick() { local -n all=$1; PICKED=${all[RANDOM % ${#all[@]}]}; }
# where NAME: the host it is on now, of the two.
where() { if on 1 domid "$1"; then say 1; else say 2; fi; }

happens_guest() { # comes, lives for a while, goes
	CAME=$((CAME + 1))
	node_guest $((RANDOM % 2 + 1)) "x$CAME" 1 "$TWO"
	if [ $CAME -gt 2 ]; then on "$(where x$((CAME - 2)))" destroy x$((CAME - 2)); fi
}
happens_reboot() { pick ORDEAL_FLOATING && on "$(where "$PICKED")" reset "$PICKED"; }
# The boot sector gives no vCPU back: with all four it is started again.
happens_plug() {
	if [ $PLUGGED -lt 4 ] && on 2 setvcpus p1 $((PLUGGED + 1)) --live; then
		PLUGGED=$((PLUGGED + 1)) PLUGS=$((PLUGS + 1))
	else
		on 2 destroy p1 && ordeal_plug_guest
		PLUGGED=1
	fi
}
happens_travel() {
	local from
	pick ORDEAL_TRAVELLERS
	from=$(where "$PICKED")
	say "    $PICKED from host $from" >>"$LAB/happened.log"
	on "$from" migrate --live --unsafe "$PICKED" "qemu+tcp://10.99.0.$((3 - from))/system" &&
		TRAVELS=$((TRAVELS + 1))
}
ORDEAL_TRAVELLERS=(s1 s2 s3 f1 f2)
# Somebody moves a guest, and puts it back.
happens_pin() {
	local at
	pick ORDEAL_STACKED
	at=$(where "$PICKED")
	on "$at" vcpupin "$PICKED" 0 1 --live && sleep 3 && on "$at" vcpupin "$PICKED" 0 0 --live
}
happens_balloon() {
	pick ORDEAL_MEMORY
	on 1 setmem "$PICKED" 300M --live && sleep 3 && on 1 setmem "$PICKED" 384M --live
}
happens_eating() {
	pick ORDEAL_MEMORY
	tell "$PICKED" eat e$RANDOM 200 40
	sleep 6
	tell "$PICKED" free
}
happens_short() { # of memory
	host_memory 120
	sleep 5
	host_memory 1200
}
happens_libvirtd_killed() {
	local i=$((RANDOM % 2 + 1))
	kill -KILL "$(node_libvirtd_pid $i)"
	sleep 1
	node_libvirtd $i
}
happens_libvirtd_stops() {
	local i=$((RANDOM % 2 + 1)) pid
	pid=$(node_libvirtd_pid $i)
	kill -STOP "$pid" && sleep 4 && kill -CONT "$pid"
}
happens_qemu_stops() {
	local pid
	pick ORDEAL_FLOATING
	pid=$(node_guest_pid "$(where "$PICKED")" "$PICKED")
	kill -STOP "$pid" && sleep 4 && kill -CONT "$pid"
}
happens_vmtop_killed() {
	local i=$((RANDOM % 2 + 1))
	kill -KILL "${STEERS[i]}"
	wait "${STEERS[i]}" 2>/dev/null
	sleep 0.$((RANDOM % 10))
	ordeal_vmtop $i "${ORDEAL_MODE[@]}"
}
node_libvirtd_pid() { cat "/proc/${NODE[$1]}/root$LAB/node$1.pid"; }

ORDEAL_EVENTS=(guest guest reboot plug travel travel travel pin balloon eating short libvirtd_killed libvirtd_stops qemu_stops
	vmtop_killed)

# Each kind once, in an order drawn from the seed, then again in another, until the turn is over.
ordeal_happens() {
	local end=$1 deck=() at
	while [ "$(now_ms)" -lt "$end" ]; do
		[ ${#deck[@]} != 0 ] || deck=("${ORDEAL_EVENTS[@]}")
		at=$((RANDOM % ${#deck[@]}))
		say "$(date +%T.%N | cut -c1-12) ${deck[at]}" >>"$LAB/happened.log"
		"happens_${deck[at]}" || say "    refused: $(cat "$LAB/virsh.err")" >>"$LAB/happened.log"
		HAPPENED=$((HAPPENED + 1))
		deck=("${deck[@]:0:at}" "${deck[@]:at + 1}")
		ordeal_look
		sleep 1
		ordeal_look
	done
}
# Who travelled comes home, who came goes, p1 is as at first.
ordeal_tidy() {
	local vm i
	host_memory 1200
	for vm in "${ORDEAL_TRAVELLERS[@]}"; do
		i=${HOME_OF[$vm]}
		on "$i" domid "$vm" || on $((3 - i)) migrate --live --unsafe "$vm" "qemu+tcp://10.99.0.$i/system" ||
			fail "$vm does not come home: $(cat "$LAB/virsh.err")"
	done
	for i in 1 2; do
		on "$i" list --name || fail "host $i lists nothing: $(cat "$LAB/virsh.err")"
		for vm in $(said | grep '^x'); do on "$i" destroy "$vm"; done
	done
	[ $PLUGGED = 1 ] || { on 2 destroy p1 && ordeal_plug_guest; }
	for vm in "${ORDEAL_MEMORY[@]}"; do tell "$vm" free; done
}

# ---- turns ------------------------------------------------------------------------------------------------------

# ordeal_turn NUMBER SEED MODE...: MODE is how vmtop runs. What the guests waited is left in waited.NUMBER.
ordeal_turn() {
	local turn=$1 i begun
	RANDOM=$2
	ORDEAL_MODE=("${@:3}") CAME=0 PLUGGED=1
	rm -f "$LAB/waits"
	"$TOP/tests/live/waits.py" "$LAB/waits" &
	WAITS=$!
	echo $WAITS >>"$LAB/pids"
	wait_for 5 test -s "$LAB/waits"
	cp "$LAB/waits" "$LAB/waits.begin"
	for i in 1 2; do ordeal_vmtop $i "${ORDEAL_MODE[@]}"; done
	begun=$(now_ms)
	ordeal_happens $((begun + ORDEAL_S * 1000))
	ordeal_tidy
	kill $WAITS
	wait $WAITS 2>/dev/null
	awk -v s=$((($(now_ms) - begun) / 1000)) 'NR == FNR { was[$1] = $3; next }
		$1 !~ /^[xm]/ { printf "%s %.1f\n", $1, 100 * ($3 - was[$1]) / s }' "$LAB/waits.begin" "$LAB/waits" >"$LAB/waited.$turn"
	for i in 1 2; do
		kill -TERM "${STEERS[i]}"
		wait "${STEERS[i]}" || fail "turn $turn: vmtop of host $i ended with status $?: $(tail -n 2 "$LAB/vmtop$i.err")"
	done
	LAB_POLL=0.5 wait_for 30 state_is_as_found ||
		fail "turn $turn: not as found: $(diff "$LAB/found" "$LAB/after" | grep '^[<>]' | head -n 6 | tr '\n' ';')"
}

# ordeal_waited TURN TURN: percent of the time that each guest waited in these turns, "s1 12.3 ..."; before them "all", the
# sum, and "others", what else the machine did, in percent of one pCPU.
ordeal_waited() {
	awk '{ w[$1] += $2; all += $2; if (!($1 in order)) { order[$1] = ++n; name[n] = $1 } }
		END { printf "all %.1f", (all - w["others"]) / 2; for (i = 1; i <= n; i++) printf " %s %.1f", name[i], w[name[i]] / 2 }' \
		"$LAB/waited.$1" "$LAB/waited.$2"
}

test_ordeal() {
	local why manual auto growth
	why=$(fleet_missing)
	[ -z "$why" ] || skip "$why"
	memory_needs
	HOST_CPU=() STEERS=() HAPPENED=0 TRAVELS=0 PLUGS=0
	HOST_MIB=([1]='2048 1200')
	: >"$LAB/happened.log"
	: >"$LAB/looks"
	fleet_start || skip "no bridge can be made here"
	node_start 1
	node_start 2
	ordeal_guests
	ordeal_state "$LAB/found"
	ordeal_turn 1 "$ORDEAL_SEED"
	ordeal_turn 2 "$ORDEAL_SEED" --auto=cpu,memory --on-exit restore
	ordeal_turn 3 $((ORDEAL_SEED + 1))
	ordeal_turn 4 $((ORDEAL_SEED + 1)) --auto=cpu,memory --on-exit restore
	manual=$(ordeal_waited 1 3) auto=$(ordeal_waited 2 4) growth=$(ordeal_growth)
	note "$HAPPENED events, $TRAVELS migrations, $PLUGS vCPUs plugged, $(cat "$LAB"/vmtop[12].log | grep -c "vCPU [0-9]*: .* -> ") pins, $(cat "$LAB"/vmtop[12].log | grep -c "balloon: .* -> ") balloons; waiting in percent of the time: MANUAL $manual, AUTO $auto; growth of RSS in KiB and descriptors: $growth"
	expect_eq "guests with something killed" "$(killed_in "${ORDEAL_MEMORY[@]}")" ""
	say "$manual $auto" | awk '{ half = NF / 2; quiet = $4 < 40 && $(half + 4) < 40
		exit quiet && $(half + 2) > 1.1 * $2 + 5 }' || fail "guests waited more in AUTO: $auto, in MANUAL $manual"
	say "$growth" | awk '{ exit $1 > 2048 || $2 > 4 }' || fail "vmtop grew: $growth"
}
