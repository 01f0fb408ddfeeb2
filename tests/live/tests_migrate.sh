# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_migrate.sh: guests under AUTO travel between two hypervisors, each in mount, network and UTS namespaces of its
# own and steered by a vmtop of its own. Pins of vmtop stay behind; a migration never fails because of them.

# node_main I: becomes libvirtd of host I. Its folders are empty, but for the hook.
node_main() {
	local dir i=$1
	mount --make-rprivate /
	for dir in /run "${LAB_FOLDERS[@]}"; do mount -t tmpfs -o mode=755 lab "$dir"; done
	mkdir -p /run/libvirt /run/lock /etc/libvirt/hooks/qemu.d
	hostname "host$i"
	ip link set lo up
	sed "s|/usr/local/bin/vmtop|$VMTOP|" "$TOP/packaging/libvirt-hook" >/etc/libvirt/hooks/qemu.d/vmtop
	chmod 755 /etc/libvirt/hooks/qemu.d/vmtop
	printf '%s\n' 'user="root"' 'group="root"' 'security_driver="none"' 'cgroup_controllers=[]' 'namespaces=[]' \
		'stdio_handler="file"' 'migration_address="0.0.0.0"' "migration_host=\"10.99.0.$i\"" >/etc/libvirt/qemu.conf
	printf '%s\n' 'auth_unix_rw="none"' 'auth_unix_ro="none"' 'unix_sock_rw_perms="0700"' 'listen_tls=0' \
		'listen_tcp=1' 'auth_tcp="none"' "host_uuid=\"00000000-0000-4000-8000-00000000000$i\"" >/etc/libvirt/libvirtd.conf
	exec libvirtd -l -p "$LAB/node$i.pid"
}

# node_start I: its namespaces, with a leg in the bridge; returns once it answers.
node_start() {
	local i=$1
	rm -f "$LAB/node$i."*
	export -f node_main
	export TOP VMTOP
	declare -p LAB_FOLDERS >"$LAB/folders.sh"
	unshare --mount --net --uts bash -c "echo \$\$ >$LAB/node$i.ns
		until [ -e $LAB/node$i.go ]; do sleep 0.05; done; . $LAB/folders.sh; node_main $i" >"$LAB/node$i.log" 2>&1 &
	echo $! >>"$LAB/pids"
	eventually 20 "namespaces of host $i" test -s "$LAB/node$i.ns"
	NODE[i]=$(cat "$LAB/node$i.ns")
	ip link add "v$i" type veth peer name "e$i" && ip link set "v$i" master br0 up &&
		ip link set "e$i" netns "${NODE[i]}" &&
		nsenter -t "${NODE[i]}" -n ip addr add "10.99.0.$i/24" dev "e$i" &&
		nsenter -t "${NODE[i]}" -n ip link set "e$i" up || fail "no line to host $i"
	touch "$LAB/node$i.go"
	wait_for 30 on "$i" uri || fail "no libvirtd on host $i: $(tail -n 3 "$LAB/node$i.log") $(cat "$LAB/virsh.err")"
}
# on I WORDS...: virsh there.
on() { virsh -q -c "qemu+tcp://10.99.0.$1/system" "${@:2}" >"$LAB/virsh" 2>"$LAB/virsh.err"; }
said() { cat "$LAB/virsh"; }
# node_vmtop I ARG...: vmtop there, in the background; its process id in STEERS[I].
node_vmtop() {
	local i=$1
	nsenter -t "${NODE[i]}" -m -u -n env XDG_STATE_HOME="$LAB/state$i" "$VMTOP" --no-config -c qemu:///system --batch \
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
	local vm i round
	command -v ip >/dev/null || skip "ip is not installed (iproute2)"
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	for i in br0 v1 v2; do ip link del $i 2>/dev/null; done # of a first go
	ip link set lo up
	{ ip link add br0 type bridge && ip addr add 10.99.0.254/24 dev br0 && ip link set br0 up; } || skip "no bridge can be made here"
	NODE=() STEERS=() MADE=0 MARKED=0
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
