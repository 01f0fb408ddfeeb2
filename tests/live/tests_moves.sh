# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_moves.sh: a fleet's plan is carried out between two hypervisors (fleet.sh). Both have all pCPUs of this machine, so
# that vmtop can pin there, and are shown a /proc/stat in which these idle but for guests, and, where a test says so, a
# /proc/meminfo: all else is real.

# A guest that keeps one vCPU busy half of the time, with 24 MiB of noise in its memory, so that a migration has
# something to send. PERSIST=1: defined, and started with its host.
moves_guest() {
	local vm=$1
	[ -e "$LAB/noise" ] || head -c 24M /dev/urandom >"$LAB/noise"
	cpu_xml "$vm" 5 | sed -e "s|>16</memory>|>64</memory>|" \
		-e "s|<domain type=|<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' type=|" \
		-e "s|</domain>|<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='loader,file=$LAB/noise,addr=0x1000000,force-raw=on'/></qemu:commandline></domain>|" \
		>"$LAB/$vm.xml"
	if [ -n "${PERSIST:-}" ]; then
		on 1 define "$LAB/$vm.xml" && on 1 autostart "$vm" && on 1 start "$vm"
	else
		on 1 create "$LAB/$vm.xml"
	fi || fail "guest $vm does not start: $(cat "$LAB/virsh.err")"
	on 1 vcpupin "$vm" 0 0 --live || fail "$vm cannot be pinned"
}

# show I FILE PATH: host I reads FILE where PATH is.
show() { nsenter -t "${NODE[$1]}" -m mount --bind "$2" "$3" || fail "host $1 cannot be shown a $3"; }

# An idle time that goes on, for both hosts.
moves_idle() {
	local n=0 cpu
	while sleep 0.2; do
		n=$((n + 20))
		{
			echo "cpu 0 0 0 $((n * $(nproc))) 0 0 0 0 0 0"
			for ((cpu = 0; cpu < $(nproc); cpu++)); do echo "cpu$cpu 0 0 0 $n 0 0 0 0 0 0"; done
			grep -v '^cpu' /proc/stat
		} >"$LAB/stat.new" && cat "$LAB/stat.new" >"$LAB/stat"
	done
}

# The names of the guests that run on host I, or are defined there (all), in one line.
guests_on() { on "$1" list --name "${@:2}" && said | sort | xargs; }
# Each guest runs on exactly one host, and nobody else is defined or runs anywhere.
one_owner_each() {
	local both
	both=$(printf '%s\n' $(guests_on 1) $(guests_on 2) | sort | xargs)
	expect_eq "guests that run, once each" "$both" "$1"
	both=$(printf '%s\n' $(guests_on 1 --all) $(guests_on 2 --all) | sort | xargs)
	expect_eq "guests that are known, once each" "$both" "$1"
	on 1 list --state-paused --name && expect_eq "guests paused on host 1" "$(said | xargs)" ""
	on 2 list --state-paused --name && expect_eq "guests paused on host 2" "$(said | xargs)" ""
}

moves_vmtop() { "$VMTOP" fleet -d 2.75 --plan --carry-out "$@" a=qemu+tcp://10.99.0.1/system b=qemu+tcp://10.99.0.2/system; }

moves_hosts() {
	local i why
	why=$(fleet_missing)
	[ -z "$why" ] || skip "$why"
	[ "$(nproc)" -le 8 ] || skip "more than 8 pCPUs: they are not overloaded by two guests too many"
	HOST_CPU=() HOST_MIB=() STEERS=()
	fleet_start || skip "no bridge can be made here"
	grep . /proc/stat >"$LAB/stat"
	node_start 1
	node_start 2
	moves_idle &
	echo $! >>"$LAB/pids"
	show 1 "$LAB/stat" /proc/stat
	show 2 "$LAB/stat" /proc/stat
	GUESTS=()
	for ((i = 0; i <= 2 * $(nproc); i++)); do
		GUESTS+=("m$i")
		PERSIST=$((i % 2)) && [ $PERSIST = 1 ] || PERSIST=
		moves_guest "m$i"
	done
	ALL=$(printf '%s\n' "${GUESTS[@]}" | sort | xargs)
}

# In mid-migration ^C: it is taken back, the next one never begins, and the exit status says so.
moves_abort() {
	local vm pid status=0
	for vm in "${GUESTS[@]}"; do on 1 migrate-setspeed "$vm" 1 || fail "no speed limit for $vm"; done
	"$VMTOP" fleet -d 2.75 --plan --carry-out --yes a=qemu+tcp://10.99.0.1/system b=qemu+tcp://10.99.0.2/system \
		>"$LAB/out" 2>"$LAB/err" &
	pid=$!
	echo $pid >>"$LAB/pids"
	eventually 40 "a migration that is under way: $(cat "$LAB/out" "$LAB/err")" grep -qE 'running [1-9].*MiB left' "$LAB/out"
	kill -INT $pid
	wait $pid || status=$?
	expect_eq "exit status after ^C" $status 1
	grep -qE '^  1\. m[0-9]+: a -> b: aborted: the guest runs on at a$' "$LAB/out" || fail "not aborted: $(cat "$LAB/out")"
	grep -qE '^  2\. m[0-9]+: a -> b: not begun$' "$LAB/out" || fail "the second one began: $(cat "$LAB/out")"
	expect_eq "last words" "$(cat "$LAB/err")" "vmtop: fleet: 0 of 2 moves done, 1 aborted, 1 not begun"
	expect_eq "guests on host 2 after the abort" "$(guests_on 2 --all)" ""
	one_owner_each "$ALL"
	for vm in "${GUESTS[@]}"; do on 1 migrate-setspeed "$vm" 8796093022207; done
}

# Between plan and yes the target fills up: the look before the move sees it.
moves_full() {
	local status=0
	awk '/^(MemFree|MemAvailable|Buffers|Cached):/ {$2 = 1024} {print}' /proc/meminfo >"$LAB/meminfo.full"
	mkfifo "$LAB/answer"
	script -qec "$VMTOP fleet -d 2.75 --plan --carry-out a=qemu+tcp://10.99.0.1/system b=qemu+tcp://10.99.0.2/system" \
		/dev/null <"$LAB/answer" >"$LAB/out" 2>&1 &
	pid=$!
	echo $pid >>"$LAB/pids"
	exec 7>"$LAB/answer"
	eventually 40 "vmtop asks: $(cat "$LAB/out")" grep -q 'Type yes:' "$LAB/out"
	show 2 "$LAB/meminfo.full" /proc/meminfo
	echo yes >&7
	wait $pid || status=$?
	exec 7>&-
	nsenter -t "${NODE[2]}" -m umount /proc/meminfo
	expect_eq "exit status when the target is full" $status 1
	grep -qE '^  1\. m[0-9]+: a -> b: failed: b is full: .* available now' "$LAB/out" || fail "not refused: $(cat "$LAB/out")"
	grep -q 'fleet: 0 of 2 moves done, 1 failed, 1 not begun' "$LAB/out" || fail "no last word: $(cat "$LAB/out")"
	expect_eq "guests on host 2, which is full" "$(guests_on 2 --all)" ""
}

# Two moves, of guests that vmtop had pinned on host 1.
moves_done() {
	local vm moved
	node_vmtop 1 -d 0.5
	FOUR=("${GUESTS[@]}")
	eventually 60 "pins by vmtop" pinned_by_vmtop 1 1
	moves_vmtop --yes >"$LAB/out" 2>"$LAB/err" || fail "not carried out: $(cat "$LAB/out" "$LAB/err")"
	expect_eq "moves done" "$(tail -n 1 "$LAB/out")" "2 moves done"
	moved=$(guests_on 2)
	expect_eq "guests on host 2" "$(echo "$moved" | wc -w)" 2
	note "$(sed -nE 's/^  [12]\. (m[0-9]+): a -> b: (done in .*)$/\1 \2/p' "$LAB/out" | paste -sd, | sed 's/,m/, m/g')"
	one_owner_each "$ALL"
	for vm in $moved; do
		expect_eq "pin of $vm on the host without vmtop" "$(node_pin 2 "$vm")" 0
		! marked 2 "$vm" || fail "$vm still carries vmtop's mark"
		on 2 dominfo "$vm"
		case $vm in
		*[13579]) said | grep -qE '^Persistent: +yes' && said | grep -qE '^Autostart: +enable' || fail "$vm lost its definition: $(said)" ;;
		*) said | grep -qE '^Persistent: +no' || fail "$vm was transient: $(said)" ;;
		esac
	done
	# Whoever is not overloaded any more is left alone.
	moves_vmtop --yes --json >"$LAB/out" 2>"$LAB/err" || fail "the second plan: $(cat "$LAB/out" "$LAB/err")"
	expect_eq "moves of a second plan" "$(jq -s '.[0].plan.moves | length' "$LAB/out")" 0
	kill -TERM "${STEERS[1]}"
	wait "${STEERS[1]}" || fail "vmtop of host 1 ended with status $?: $(cat "$LAB/vmtop1.err")"
	expect "nothing failed there" test -z "$(grep -h 'failed:' "$LAB"/vmtop1.log)"
}

test_moves() {
	local vm
	moves_hosts
	moves_abort
	moves_full
	moves_done
	for vm in "${GUESTS[@]}"; do
		on 1 destroy "$vm" || on 2 destroy "$vm"
		on 1 undefine "$vm" || on 2 undefine "$vm"
	done
	true
}
