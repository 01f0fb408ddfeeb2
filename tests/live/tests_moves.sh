# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_moves.sh: a fleet's plan is carried out between two hypervisors (fleet.sh). Both have all pCPUs of this machine, so
# that vmtop can pin there, and are shown a /proc/stat in which these idle but for guests, and, where a test says so, a
# /proc/meminfo: all else is real.

# A guest that keeps one vCPU busy for four tenths of the time, with 24 MiB of noise in its memory, so that a migration has
# something to send. PERSIST=1: defined, and started with its host.
moves_guest() {
	local vm=$1
	[ -e "$LAB/noise" ] || head -c 24M /dev/urandom >"$LAB/noise"
	GUEST_MIB=64 GUEST_NOISE=$LAB/noise cpu_xml "$vm" 4 >"$LAB/$vm.xml"
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
	# Two too many; these two have room on one pCPU of the other host, for all are pinned to the same one.
	for ((i = 0; i < $(nproc) * 100 / 42 + 2; i++)); do
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
	wait_for 60 grep -qE 'running [1-9].*MiB left' "$LAB/out" || fail "no migration under way: $(cat "$LAB/out" "$LAB/err")"
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

# A plan with moves lies over the table.
plan_shown() {
	term_keys v
	sleep 0.5
	term_shows 'y carries out the move' || { term_keys x; false; }
}
# On the screen: y begins, Esc takes back what runs, and what came of it stays in sight after q.
moves_screen() {
	local vm
	for vm in "${GUESTS[@]}"; do on 1 migrate-setspeed "$vm" 1 || fail "no speed limit for $vm"; done
	term_start
	term_keys "$VMTOP fleet -d 2.75 a=qemu+tcp://10.99.0.1/system b=qemu+tcp://10.99.0.2/system; echo status \$?" Enter
	eventually 90 "a plan on the screen" plan_shown
	term_keys y
	eventually 60 "a migration on the screen" term_shows '1\. m[0-9]+: a -> b: running .*MiB left'
	term_keys Escape
	eventually 60 "its abort on the screen" term_shows '1\. m[0-9]+: a -> b: aborted: the guest runs on at a'
	term_shows '2\. m[0-9]+: a -> b: not begun' || fail "the second one began: $(term_text)"
	expect_eq "guests on host 2 after Esc" "$(guests_on 2 --all)" ""
	one_owner_each "$ALL"
	term_keys Escape
	eventually 10 "the end of the list" term_lacks 'Moves between hosts'
	term_keys q
	eventually 30 "the end of vmtop" term_shows '^status 0'
	term_shows '^vmtop: m[0-9]+: a -> b: aborted: the guest runs on at a' || fail "nothing is left in sight: $(term_text)"
	term_end
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
	wait_for 60 grep -q 'Type yes:' "$LAB/out" || fail "vmtop does not ask: $(cat "$LAB/out")"
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
	grep -qE '^  1\. m[0-9]+: a -> b, wants .*; (writes [0-9]+ MiB/s: .* to send|it writes [0-9]+ MiB/s)' "$LAB/out" ||
		fail "QEMU did not tell how fast the guests write: $(cat "$LAB/out")"
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
	moves_screen
	moves_full
	moves_done
	for vm in "${GUESTS[@]}"; do
		on 1 destroy "$vm" || on 2 destroy "$vm"
		on 1 undefine "$vm" || on 2 undefine "$vm"
	done
	true
}

# ---- Pacemaker's guests ---------------------------------------------------------------------------------------

# cluster_node I: Corosync and Pacemaker of host I, which see nothing of the machine's own.
cluster_node() {
	into "$1"
	"${INTO[@]}" bash -c '
		for dir in /var/lib/corosync /var/lib/pacemaker /dev/shm /var/log/pacemaker /var/log/corosync /etc/corosync \
			/etc/pacemaker; do mkdir -p $dir; mount -t tmpfs -o mode=1777 lab $dir; done
		mkdir -p /var/lib/pacemaker/{cib,pengine,cores,blackbox} /run/crm /run/resource-agents
		chown -R hacluster:haclient /var/lib/pacemaker /var/log/pacemaker /run/crm
		chmod 750 /var/lib/pacemaker/*
		printf "%s\n" "127.0.0.1 localhost" "10.99.0.1 host1" "10.99.0.2 host2" >'"$LAB"'/hosts
		mount --bind '"$LAB"'/hosts /etc/hosts
		cp '"$LAB"'/corosync.conf /etc/corosync/corosync.conf
		corosync -f >'"$LAB/corosync$1.log"' 2>&1 &
		sleep 2
		PCMK_logfile='"$LAB/pacemaker$1.log"' exec pacemakerd >'"$LAB/pacemakerd$1.log"' 2>&1' &
	echo $! >>"$LAB/pids"
}
cluster_conf() {
	cat >"$LAB/corosync.conf" <<-END
	totem {
	 version: 2
	 cluster_name: lab
	 transport: udpu
	 crypto_cipher: none
	 crypto_hash: none
	}
	nodelist {
	 node {
	  ring0_addr: 10.99.0.1
	  name: host1
	  nodeid: 1
	 }
	 node {
	  ring0_addr: 10.99.0.2
	  name: host2
	  nodeid: 2
	 }
	}
	quorum {
	 provider: corosync_votequorum
	 two_node: 1
	 wait_for_all: 0
	}
	logging {
	 to_logfile: yes
	 logfile: $LAB/corosync.log
	 to_syslog: no
	}
	END
}
# cib WORDS...: cibadmin on host 1.
cib() { "${INTO[@]}" cibadmin "$@" >"$LAB/cib" 2>"$LAB/cib.err"; }
both_online() { into 1; "${INTO[@]}" crm_mon -1 2>/dev/null | grep -q 'Online:.*host1 host2'; }
# cluster_guest NAME: a resource of the cluster that would rather be on host 1, but stays where it is.
cluster_guest() {
	cpu_xml "$1" 6 | sed "s|</name>|</name>\n|" >"$LAB/$1.xml" # its agent wants a line for the name
	into 1
	cib -o resources -C -X "<primitive id='vm-$1' class='ocf' provider='heartbeat' type='VirtualDomain'>
		<instance_attributes id='vm-$1-ia'><nvpair id='vm-$1-c' name='config' value='$LAB/$1.xml'/>
		<nvpair id='vm-$1-h' name='hypervisor' value='qemu:///system'/>
		<nvpair id='vm-$1-t' name='migration_transport' value='tcp'/></instance_attributes>
		<meta_attributes id='vm-$1-ma'><nvpair id='vm-$1-m' name='allow-migrate' value='true'/>
		<nvpair id='vm-$1-s' name='resource-stickiness' value='100'/></meta_attributes>
		<operations><op id='vm-$1-mon' name='monitor' interval='10s' timeout='120s'/>$(
			for op in start stop migrate_to migrate_from; do echo "<op id='vm-$1-$op' name='$op' interval='0' timeout='180s'/>"; done)
		</operations></primitive>" &&
		cib -o constraints -C -X "<rsc_location id='likes-$1' rsc='vm-$1' node='host1' score='50'/>" ||
		fail "no resource for $1: $(cat "$LAB/cib.err")"
}

# Two hosts of a pCPU each as a cluster of two nodes, whose guests c1 and c2 both run on host 1.
cluster_start() {
	local why tool
	why=$(fleet_missing)
	[ -z "$why" ] || skip "$why"
	for tool in corosync pacemakerd cibadmin crm_resource crm_simulate crm_node /usr/lib/ocf/resource.d/heartbeat/VirtualDomain; do
		command -v $tool >/dev/null || skip "$tool is not installed"
	done
	HOST_CPU=([1]=0 [2]=1) HOST_MIB=()
	fleet_start || skip "no bridge can be made here"
	node_start 1
	node_start 2
	cluster_conf
	cluster_node 1
	cluster_node 2
	eventually 90 "both nodes are online: $(tail -n 2 "$LAB"/pacemaker[12].log)" both_online
	cib -o crm_config -M --allow-create -X "<cluster_property_set id='cib-bootstrap-options'>
		<nvpair id='o-stonith' name='stonith-enabled' value='false'/></cluster_property_set>" || fail "$(cat "$LAB/cib.err")"
	cluster_guest c1
	cluster_guest c2
	eventually 120 "Pacemaker starts both on host 1" guests_are 1 "c1 c2"
	into 1
	WORDS=(host1=qemu+tcp://10.99.0.1/system host2=qemu+tcp://10.99.0.2/system)
}

test_moves_pacemaker() {
	local moved
	cluster_start
	"${INTO[@]}" "$VMTOP" fleet -d 2.75 --plan --carry-out --yes "${WORDS[@]}" >"$LAB/out" 2>"$LAB/err" ||
		fail "not carried out: $(cat "$LAB/out" "$LAB/err")"
	expect_eq "moves done" "$(tail -n 1 "$LAB/out")" "1 move done"
	grep -q 'running .* by Pacemaker' "$LAB/out" || fail "not by Pacemaker: $(cat "$LAB/out")"
	moved=$(guests_on 2)
	expect_eq "guests on host 2" "$(echo "$moved" | wc -w)" 1
	one_owner_each "c1 c2"
	cib --query
	! grep -q 'id="cli-' "$LAB/cib" || fail "a constraint is left: $(grep 'id="cli-' "$LAB/cib")"
	expect_eq "where Pacemaker has it" "$("${INTO[@]}" crm_resource --resource "vm-$moved" --locate 2>&1 | sed 's/.*on: *//; s/ *$//')" host2
	! grep -q 'fail-count' "$LAB/cib" || fail "Pacemaker counts a failure"
	note "$(sed -nE 's/^  1\. (c[12]): host1 -> host2: (done in .*)$/\1 \2 by Pacemaker/p' "$LAB/out")"
}
# guests_are I "NAMES": they run there.
guests_are() { [ "$(guests_on "$1")" = "$2" ]; }

# ---- unattended, by what Pacemaker is told of demand ---------------------------------------------------------

# auto WORDS...: vmtop fleet --auto=fleet on host 1 in the background, in AUTO; the fleet is $WORDS.
auto_start() {
	into 1
	: >"$LAB/auto" # else what the one before said is read as its word
	"${INTO[@]}" "$VMTOP" fleet -d 2.75 --auto=fleet -s fleet_auto_after=3 -s fleet_auto_rest=5 "$@" "${WORDS[@]}" \
		>"$LAB/auto" 2>"$LAB/auto.err" &
	AUTO=$!
	echo $AUTO >>"$LAB/pids"
}
auto_says() { grep -qE "$1" "$LAB/auto" || { ! kill -0 $AUTO 2>/dev/null && fail "vmtop has ended: $(cat "$LAB/auto" "$LAB/auto.err")"; }; }
# auto_end: it goes when it is asked to, and nothing is left of it.
auto_end() {
	local status=0
	kill -TERM $AUTO
	wait $AUTO || status=$?
	expect_eq "exit status after SIGTERM" $status 0
	expect_eq "marks left after SIGTERM" "$(marks)" 0
}
# How many sets of vmtop the cluster has.
marks() { cib --query; grep -c 'id="vmtop-set' "$LAB/cib"; }
has_marks() { [ "$(marks)" -gt 0 ]; }
# property NAME VALUE: of the whole cluster.
property() { "${INTO[@]}" crm_attribute --type crm_config --name "$1" --update "$2" >"$LAB/cib" 2>&1 || fail "$1: $(cat "$LAB/cib")"; }
cluster_idle() { "${INTO[@]}" crm_resource --wait --timeout 120 >/dev/null 2>&1; }
# at_home: both run on host 1, in the eyes of Pacemaker too, which has nothing to do.
at_home() {
	local vm
	cluster_idle
	guests_are 1 "c1 c2" && guests_are 2 "" || return
	for vm in c1 c2; do "${INTO[@]}" crm_resource --resource "vm-$vm" --locate 2>&1 | grep -q 'on: *host1' || return; done
}
# Both guests run on host 1 again, and stay there: a migration that had just been decided on has come to its end, too.
all_home() {
	local vm again still=0
	for again in {1..20}; do
		sleep 2
		if at_home; then
			still=$((still + 1))
			[ $still -lt 3 ] || return 0
			continue
		fi
		still=0
		for vm in c1 c2; do
			[[ " $(guests_on 2) " = *" $vm "* ]] || continue
			"${INTO[@]}" crm_resource --resource "vm-$vm" --move --node host1 >/dev/null 2>&1
			cluster_idle
			"${INTO[@]}" crm_resource --resource "vm-$vm" --clear >/dev/null 2>&1
		done
	done
	fail "not both on host 1: $(guests_on 1), on host 2 $(guests_on 2)"
}

# Until the administrator has said so, and beyond what he said, nothing is done.
auto_refused() {
	local status=0
	"$VMTOP" fleet --auto=fleet "${WORDS[@]}" >"$LAB/out" 2>"$LAB/err" || status=$?
	expect_eq "status where no cluster is" $status 3
	into 1
	status=0
	"${INTO[@]}" "$VMTOP" fleet -d 2.75 --auto=fleet "${WORDS[@]}" >"$LAB/out" 2>"$LAB/err" || status=$?
	expect_eq "status while placement-strategy is default" $status 2
	grep -q 'placement-strategy is default: crm_attribute' "$LAB/err" || fail "not told what to set: $(cat "$LAB/err")"
	status=0
	property placement-strategy utilization
	"${INTO[@]}" "$VMTOP" fleet -d 2.75 --auto=fleet a=qemu+tcp://10.99.0.1/system >"$LAB/out" 2>"$LAB/err" || status=$?
	expect_eq "status for a host that is no node" $status 2
	grep -q "host 'a' is no node of the cluster" "$LAB/err" || fail "not told which: $(cat "$LAB/err")"
	expect_eq "marks after refusals" "$(marks)" 0
}

# The agent notes down what its guests have as utilization: nodes have room for it.
cluster_room() {
	local i
	for i in 1 2; do
		cib -o nodes -M -X "<node id='$i' uname='host$i'><utilization id='room-$i'><nvpair id='r-$i-c' name='cpu' value='16'/>
			<nvpair id='r-$i-m' name='hv_memory' value='65536'/><nvpair id='r-$i-h' name='host_memory' value='65536'/>
			</utilization></node>" || fail "no room on host $i: $(cat "$LAB/cib.err")"
	done
}

auto_previews() {
	"${INTO[@]}" "$VMTOP" fleet -d 2.75 --plan --auto=fleet "${WORDS[@]}" >"$LAB/out" 2>"$LAB/err" || fail "no preview: $(cat "$LAB/out" "$LAB/err")"
	grep -qE '^  1\. migrate vm-c[12] \(c[12]\): host1 -> host2$' "$LAB/out" || fail "no prediction: $(cat "$LAB/out" "$LAB/err")"
	grep -q 'this is what --auto=fleet would have written; nothing is' "$LAB/out" || fail "not said that nothing is written: $(cat "$LAB/out")"
	expect_eq "marks after a preview" "$(marks)" 0
	guests_are 1 "c1 c2" || fail "a preview moved somebody"
	note "crm_simulate: $(sed -nE 's/^  1\. //p' "$LAB/out" | tail -n 1)"
}

# Who waits on both hosts, in percent of a pCPU.
most_waiting() { "$VMTOP" fleet -d 2.75 --json --vms -n 1 "${WORDS[@]}" | jq '[.vms[].wait_pct // 0] | max | floor'; }

# No host's guests want more than it has, and none starves.
nobody_in_need() {
	WAITS=$(most_waiting)
	"$VMTOP" fleet -d 2.75 --json --plan "${WORDS[@]}" >"$LAB/need" &&
		jq -e '.plan.overloaded == 0 and (.alerts // "" | test("STARVING") | not)' "$LAB/need" >/dev/null
}

auto_moves() {
	local wait_was
	wait_was=$(most_waiting)
	auto_start
	eventually 60 "demand is written" auto_says 'written: demand of 2 guests'
	eventually 120 "Pacemaker moves one" auto_says 'Pacemaker has moved 1 guest in [0-9]+ s; demand and capacity are taken away again'
	expect_eq "marks once it has moved" "$(marks)" 0
	expect_eq "guests on host 2" "$(guests_on 2 | wc -w)" 1
	one_owner_each "c1 c2"
	sleep 12 # more than after and rest: nobody is in need, nothing is written again
	expect_eq "times that demand was written" "$(grep -c 'written: demand' "$LAB/auto")" 1
	expect_eq "guests on host 2 later" "$(guests_on 2 | wc -w)" 1
	auto_end
	eventually 90 "nobody is in need (waited $wait_was %)" nobody_in_need
	note "$(sed -nE 's/.*(Pacemaker has moved 1 guest in [0-9]+ s).*/\1/p' "$LAB/auto"), waited $wait_was % before, $WAITS % after"
}

# Killed while its demand stands, it leaves what the next one takes away; asked to go then, it leaves nothing.
auto_killed() {
	all_home
	auto_start
	eventually 60 "demand stands" has_marks
	kill -KILL $AUTO
	wait $AUTO 2>/dev/null
	has_marks || fail "nothing is left that could be taken away"
	cluster_idle
	auto_start
	eventually 60 "what was left is taken away" auto_says 'had left behind is taken away'
	expect_eq "marks after the next start" "$(marks)" 0
	auto_end
	all_home
	auto_start
	eventually 60 "demand stands again" has_marks
	auto_end
	cluster_idle
}

# A node that takes nobody, and a cluster that is looked after by hand: nothing is written, and it is said why.
auto_waits() {
	all_home
	auto_start
	eventually 30 "it has begun" auto_says 'may move by Pacemaker'
	property maintenance-mode true
	eventually 60 "it says that it waits" auto_says 'Pacemaker is in maintenance mode'
	sleep 8
	expect_eq "marks in maintenance mode" "$(marks)" 0
	"${INTO[@]}" crm_attribute --node host2 --name standby --update on >/dev/null 2>&1
	property maintenance-mode false
	eventually 60 "it says that a node is standby" auto_says 'node host2 is standby'
	expect_eq "marks with a node in standby" "$(marks)" 0
	"${INTO[@]}" crm_attribute --node host2 --name standby --delete >/dev/null 2>&1
	eventually 90 "it goes on by itself" auto_says 'Pacemaker has moved 1 guest'
	auto_end
}

test_auto_pacemaker() {
	cluster_start
	cluster_room
	auto_refused
	auto_previews
	auto_moves
	auto_killed
	auto_waits
	cib --query
	! grep -q 'fail-count' "$LAB/cib" || fail "Pacemaker counts a failure"
	one_owner_each "c1 c2"
}
