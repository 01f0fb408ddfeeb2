# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_migrate.sh: guests under AUTO travel between two hypervisors (fleet.sh), each steered by a vmtop of its own. Pins
# of vmtop stay behind; a migration never fails because of them.

# node_vmtop I ARG...: vmtop there, in the background; its process id in STEERS[I].
node_vmtop() {
	local i=$1
	into "$i"
	"${INTO[@]}" env XDG_STATE_HOME="$LAB/state$i" "$VMTOP" --no-config -c qemu:///system --batch \
		--format log --auto=cpu --granularity cpu "${@:2}" >"$LAB/vmtop$i.log" 2>"$LAB/vmtop$i.err" &
	STEERS[i]=$!
	echo $! >>"$LAB/pids"
}

# The pin that libvirt keeps for vCPU 0 of NAME on host I.
node_pin() { on "$1" dumpxml "$2" && said | sed -n "s/.*<vcpupin vcpu='0' cpuset='\([^']*\)'.*/\1/p"; }
marked() { on "$1" dumpxml "$2" && said | grep -q urn:vmtop:pins; }
# travel FROM TO NAME
travel() {
	! marked "$1" "$3" || MARKED=$((MARKED + 1))
	on "$1" migrate --live --unsafe "$3" "qemu+tcp://10.99.0.$2/system" || fail "migration $MADE of $3: $(cat "$LAB/virsh.err")"
	MADE=$((MADE + 1))
}
# At least N guests of host I are pinned by vmtop.
pinned_by_vmtop() {
	local n=0 vm
	for vm in "${FOUR[@]}"; do ! marked "$1" "$vm" || n=$((n + 1)); done
	[ $n -ge "$2" ]
}

test_migration() {
	local vm round why
	why=$(fleet_missing)
	[ -z "$why" ] || skip "$why"
	HOST_CPU=() HOST_MIB=() STEERS=() MADE=0 MARKED=0
	fleet_start || skip "no bridge can be made here"
	node_start 1
	node_start 2
	for vm in "${FOUR[@]}"; do
		cpu_xml "$vm" 10 "$TWO" >"$LAB/$vm.xml"
		on 1 create "$LAB/$vm.xml" || fail "guest $vm does not start: $(cat "$LAB/virsh.err")"
		on 1 vcpupin "$vm" 0 0 --live || fail "$vm cannot be pinned"
	done
	node_vmtop 1 -d 0.5
	node_vmtop 2 -d 0.5
	eventually 60 "pins by vmtop" pinned_by_vmtop 1 1
	for round in 1 2 3 4 5; do
		for vm in g1 g2; do travel 1 2 "$vm"; done
		sleep 3
		for vm in g1 g2; do travel 2 1 "$vm"; done
		sleep 3
	done
	note "$MADE migrations under AUTO, $MARKED of them of guests that vmtop had pinned"
	[ "$MARKED" -gt 0 ] || fail "no guest that vmtop had pinned travelled"
	# To a host that nobody steers: as found, without a mark.
	kill -TERM "${STEERS[2]}"
	wait "${STEERS[2]}" || fail "vmtop of host 2 ended with status $?: $(cat "$LAB/vmtop2.err")"
	eventually 60 "pins by vmtop" pinned_by_vmtop 1 1
	MARKED=0
	for vm in "${FOUR[@]}"; do travel 1 2 "$vm"; done
	[ "$MARKED" -gt 0 ] || fail "no guest that vmtop had pinned travelled to the host without"
	for vm in "${FOUR[@]}"; do
		expect_eq "pin of $vm on the host without vmtop" "$(node_pin 2 "$vm")" 0
		! marked 2 "$vm" || fail "$vm still carries vmtop's mark"
	done
	note "$MARKED pinned ones to a host without"
	kill -TERM "${STEERS[1]}"
	wait "${STEERS[1]}" || fail "vmtop of host 1 ended with status $?: $(cat "$LAB/vmtop1.err")"
	expect "nothing failed there" test -z "$(grep -h 'failed:' "$LAB"/vmtop[12].log)"
	for vm in "${FOUR[@]}"; do on 2 destroy "$vm"; done
}
