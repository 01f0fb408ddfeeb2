# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_fleet.sh: three private hosts with a pCPU each (fleet.sh), as one vmtop sees them over their connections and over a
# Prometheus that scrapes a vmtop on each.

# Host 1 has guests that want more than its pCPU, host 2 room, host 3 an own pCPU but no memory to spare.
fleet_three() {
	local i why
	why=$(fleet_missing)
	[ -z "$why" ] || skip "$why"
	command -v prometheus >/dev/null || skip "prometheus is not installed"
	HOST_CPU=([1]=0 [2]=1 [3]=1) HOST_MIB=([1]="2048 1536" [2]="2048 1792" [3]="512 320")
	fleet_start || skip "no bridge can be made here"
	for i in 1 2 3; do node_start $i; done
	for i in 1 2 3 4; do node_guest 1 "web$i" $((3 + i % 2)); done
	node_guest 2 mail 0
	MIB=464 node_guest 3 archive 0
	for i in 1 2 3; do node_listen $i; done
}

# fleet_json NAME ARG...: vmtop fleet in the background; an object a line in NAME.json.
fleet_json() {
	"$VMTOP" fleet --json "${@:2}" >"$LAB/$1.json" 2>"$LAB/$1.err" &
	echo $! >>"$LAB/pids"
}
# fleet_last NAME FILTER: what jq makes of its last object so far is true.
fleet_last() { [ "$(sed '/[^}]$/d' "$LAB/$1.json" | tail -n 1 | jq "$2")" = true ]; }

# What a host sees of the machine: its own pCPU, and who waits on it.
own_host() {
	into "$1"
	"${INTO[@]}" "$VMTOP" --no-config --readonly --json -n 2 -d 1 >"$LAB/own.json" 2>"$LAB/own.err" ||
		fail "vmtop on host $1: $(cat "$LAB/own.err")"
	tail -n 1 "$LAB/own.json" | jq -c '[.host.name, [.host.cpu.pcpus[] | .id], ([.vms[] | select(.wait_pct > 5)] | length)]'
}

# One line a reading, all in time: the longest gap in seconds.
fleet_gap() {
	jq -s '[.[].time | sub("\\..*"; "Z") | fromdate] | [.[1:], .[:-1]] | transpose | map(.[0] - .[1]) | max' "$LAB/$1.json"
}
# fleet_ages NAME FRESH: the host that was killed and the one that hangs age in their rows; host 1 is as fresh as ever.
fleet_ages() {
	local name=$1
	eventually 20 "the killed host is lost, over $name" fleet_last "$name" '.hosts | any(.name == "host3" and .state == "LOST" and .age_s > 3)'
	eventually 20 "the host that hangs is late or lost, over $name" fleet_last "$name" '.hosts | any(.name == "host2" and .state != "ok" and .age_s > 3)'
	expect "host1 is as fresh as ever, over $name" fleet_last "$name" ".hosts | any(.name == \"host1\" and .state == \"ok\" and .age_s <= $2)"
	expect "nothing was held up, over $name: $(fleet_gap "$name") s" [ "$(fleet_gap "$name")" -le 2 ]
}

test_fleet() {
	local i words
	fleet_three
	fleet_prometheus 1 2 3
	expect_eq "host 1" "$(own_host 1)" '["host1",[0],4]'
	expect_eq "host 2" "$(own_host 2)" '["host2",[1],0]'
	mapfile -t words < <(fleet_words 1 2 3)
	eventually 20 "metrics of three hosts" prom_says 'count(count by (host) (vmtop_host_info{source="libvirt"}))' '.[0].value[1] == "3"'
	eventually 20 "six guests, four of which starve" prom_says 'sum(vmtop_vm_starved_seconds_total > bool 0) * 10 + count(vmtop_vm_running)' '.[0].value[1] == "46"'
	for i in "${words[*]}" "prom:$PROM"; do
		# shellcheck disable=SC2086 # words
		"$VMTOP" fleet --batch -n 1 -d 1 $i >"$LAB/fleet.txt" 2>"$LAB/fleet.err" || fail "vmtop fleet $i: $(cat "$LAB/fleet.err")"
		expect "who starves, of $i: $(cat "$LAB/fleet.txt")" grep -qx 'STARVING 4 on host1' "$LAB/fleet.txt"
		expect "the overloaded host is first, of $i" grep -A1 '^HOST' "$LAB/fleet.txt" | grep -q '^host1 *ok '
	done
	fleet_json direct "${words[@]}" -d 0.5
	fleet_json prom "prom:$PROM" -d 0.5
	for i in direct prom; do
		eventually 20 "all of three hosts, over $i" fleet_last $i '[.hosts[] | select(.state == "ok") | .name] | sort == ["host1", "host2", "host3"]'
	done
	kill -KILL "$(cat "$LAB/node3.pid")" "${LISTENS[3]}"
	kill -STOP "$(cat "$LAB/node2.pid")"
	fleet_ages direct 3
	fleet_ages prom 9
	expect "the guest of the killed host is still known" fleet_last direct '.hosts | any(.name == "host3" and .running == 1)'
	note "longest gap between lines $(fleet_gap direct) s, $(fleet_gap prom) s"
}
