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
	fleet_guests
	for i in 1 2 3; do node_listen $i; done
}

# fleet_json NAME ARG...: vmtop fleet in the background; an object a line in NAME.json.
fleet_json() {
	"$VMTOP" fleet --json "${@:2}" >"$LAB/$1.json" 2>"$LAB/$1.err" &
	echo $! >>"$LAB/pids"
}
# fleet_last NAME FILTER: what jq makes of its last object so far is true.
fleet_last() { [ "$(sed '/[^}]$/d' "$LAB/$1.json" | tail -n 1 | jq "$2")" = true ]; }

# What a host sees of the machine: its own pCPU, and whether guests wait on it.
own_host() {
	into "$1"
	"${INTO[@]}" "$VMTOP" --no-config --readonly --json -n 2 -d 1 >"$LAB/own.json" 2>"$LAB/own.err" ||
		fail "vmtop on host $1: $(cat "$LAB/own.err")"
	tail -n 1 "$LAB/own.json" | jq -c '[.host.name, [.host.cpu.pcpus[] | .id], ([.vms[] | select(.wait_pct > 5)] | length >= 2)]'
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
	expect_eq "host 1" "$(own_host 1)" '["host1",[0],true]'
	expect_eq "host 2" "$(own_host 2)" '["host2",[1],false]'
	mapfile -t words < <(fleet_words 1 2 3)
	eventually 20 "metrics of three hosts" prom_says 'count(count by (host) (vmtop_host_info{source="libvirt"}))' '.[0].value[1] == "3"'
	eventually 20 "six guests, some of which starve" prom_says 'count(vmtop_vm_running) and sum(vmtop_vm_starved_seconds_total) > 0' '.[0].value[1] == "6"'
	for i in "${words[*]}" "prom:$PROM"; do
		# shellcheck disable=SC2086 # words
		"$VMTOP" fleet --batch -n 1 -d 1 $i >"$LAB/fleet.txt" 2>"$LAB/fleet.err" || fail "vmtop fleet $i: $(cat "$LAB/fleet.err")"
		expect "who starves, of $i: $(cat "$LAB/fleet.txt")" grep -qE '^STARVING [1-4] on host1$' "$LAB/fleet.txt"
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
	fleet_ages prom 12
	expect "the guest of the killed host is still known" fleet_last direct '.hosts | any(.name == "host3" and .running == 1)'
	note "longest gap between lines $(fleet_gap direct) s, $(fleet_gap prom) s"
}

# ---- moves ----------------------------------------------------------------------------------------------------

FLEET_GUESTS=(web1 web2 web3 web4 mail archive)
ALERT='ALERTS{alertname="VmtopGuestStarving", alertstate="firing"}'

# The fewest guests that would have to be elsewhere for no host's guests to want more than it has, found by trying all
# assignments of the guests to the hosts: of the last object in FILE.
fewest_moves() {
	# shellcheck disable=SC2016 # Python
	tail -n 1 "$1" | python3 -c '
import itertools, json, sys
f = json.load(sys.stdin)
hosts, vms = [h["name"] for h in f["hosts"]], f["vms"]
host = {h["name"]: h for h in f["hosts"]}
wants = [(v["cpu_pct"] + v["wait_pct"]) / 100 for v in vms]
own = {h: max(host[h]["load_pct"] * host[h]["pcpus"] - sum(v["cpu_pct"] for v in vms if v["host"] == h), 0) / 100 for h in hosts}
def good(where):
    cpu = {h: own[h] + sum(w for w, at in zip(wants, where) if at == h) for h in hosts}
    kib = {h: sum(v["balloon_kib"] for v, at in zip(vms, where) if at == h) for h in hosts}
    return all(cpu[h] <= 0.95 * host[h]["pcpus"] and kib[h] <= host[h]["total_kib"] * 15 / 16 for h in hosts)
print(min(sum(v["host"] != at for v, at in zip(vms, where)) for where in itertools.product(hosts, repeat=len(vms)) if good(where)))'
}

# Of each guest the part of ten seconds that its vCPU waited for its pCPU, in percent: "NAME WAIT" lines.
fleet_waits() {
	local i round
	for round in 1 2; do
		for i in 1 2 3; do
			on $i domstats --list-running --vcpu && said | awk '/^Domain:/ {gsub(/.*: .|.$/, ""); vm = $0} /vcpu.0.delay=/ {sub(/.*=/, ""); print vm, $0}'
		done | sort >"$LAB/delay$round"
		[ $round = 2 ] || sleep 10
	done
	join "$LAB/delay1" "$LAB/delay2" | awk '{printf "%s %.0f\n", $1, ($3 - $2) / 1e8}'
}

# What else the machine does is waiting too: some ten seconds are looked at where need be.
nobody_starves() { fleet_waits >"$LAB/waits" && [ -z "$(awk '$2 >= 20' "$LAB/waits")" ]; }

# Guests that run, or are known, are paused, on all hosts together, in one line.
fleet_list() {
	local i
	for i in 1 2 3; do on $i list --name "$@" && said; done | sort | xargs
}
# Each guest runs on exactly one host, nobody is paused, and there is a QEMU for each and none besides.
fleet_sane() {
	local all
	all=$(printf '%s\n' "${FLEET_GUESTS[@]}" | sort | xargs)
	[ "$(fleet_list)" = "$all" ] && [ "$(fleet_list --all)" = "$all" ] && [ -z "$(fleet_list --state-paused)" ] &&
		[ "$(ps -eo args | sed -n 's/^[^ ]*qemu-system[^ ]* .*guest=\([^,]*\),.*/\1/p' | sort | xargs)" = "$all" ]
}
fleet_told() { say "run: $(fleet_list); known: $(fleet_list --all); paused: $(fleet_list --state-paused); QEMUs: $(pgrep -c qemu-system)"; }
# Pins of all guests, and what a vmtop that steers leaves in libvirt to say so.
fleet_marks() {
	local i vm
	for vm in "${FLEET_GUESTS[@]}"; do
		for i in 1 2 3; do ! on $i dumpxml "$vm" || said | grep -E 'vcpupin|urn:vmtop' | sed "s/^/$vm /"; done
	done
	for i in 1 2 3; do on $i secret-list && said | grep vmtop; done
}

# fleet_carry ARG...: vmtop plans and carries out.
fleet_carry() {
	local words
	mapfile -t words < <(fleet_words 1 2 3)
	exec "$VMTOP" fleet --plan --carry-out --yes -d $TURNS "$@" "${words[@]}"
}
# Of moves.json, the lines of the moves that are done: "NAME to HOST in N ms, downtime N ms", ....
moves_told() {
	jq -rs '[.[] | select(.state == "done") | "\(.vm) to \(.to) in \(.took_ms | round) ms, downtime \(.downtime_ms | round) ms"] | join("; ")' "$LAB/moves.json"
}

# A guest that has moved is a row of its new host alone, whatever rules have recorded of it on the old one.
each_once() {
	local told
	told=$("$VMTOP" fleet -d 1 --json --vms -n 1 "prom:$PROM" 2>"$LAB/once.err" | jq -r '[.vms[].name] | sort | join(" ")')
	[ "$told" = "$(printf '%s\n' "${FLEET_GUESTS[@]}" | sort | xargs)" ]
}

# Guests that want more than their pCPU: the alert fires, the plan is the shortest there is, and after it nobody starves.
test_fleet_moves() {
	local start
	fleet_three
	fleet_prometheus 1 2 3
	start=$(now_ms)
	eventually 180 "the alert" prom_says "$ALERT" 'length > 0'
	note "alert after $((($(now_ms) - start) / 1000)) s for $(prom_query "$ALERT" | jq -r '[.[].metric.vm] | sort | join(" ")')"
	nobody_starves && fail "nobody starves, though the alert says so: $(xargs <"$LAB/waits")"
	note "waiting before: $(xargs <"$LAB/waits")"
	(fleet_carry --json --vms) >"$LAB/moves.json" 2>"$LAB/moves.err" || fail "not carried out: $(tail -n 1 "$LAB/moves.json") $(cat "$LAB/moves.err")"
	head -n 1 "$LAB/moves.json" >"$LAB/plan.json"
	expect_eq "moves, of the fewest that all assignments have" "$(jq '.plan.moves | length' "$LAB/plan.json")" "$(fewest_moves "$LAB/plan.json")"
	expect_eq "where they lead" "$(jq -c '[.plan.moves[] | [.from, .to]] | unique' "$LAB/plan.json")" '[["host1","host2"]]'
	expect_eq "moves done" "$(tail -n 1 "$LAB/moves.json" | jq .done)" "$(jq '.plan.moves | length' "$LAB/plan.json")"
	note "$(jq '.plan.moves | length' "$LAB/plan.json") moves, the fewest of 729 assignments: $(moves_told)"
	start=$(now_ms)
	wait_for 120 nobody_starves || fail "two minutes after the moves there are guests that starve: $(xargs <"$LAB/waits")"
	note "waiting after: $(xargs <"$LAB/waits"), measured to the end $((($(now_ms) - start) / 1000)) s after the last move"
	eventually 20 "each guest is one row, over Prometheus" each_once
	expect_eq "all guests are there" "$(cut -d' ' -f1 "$LAB/waits" | xargs)" "$(printf '%s\n' "${FLEET_GUESTS[@]}" | sort | xargs)"
	(fleet_carry --json) >"$LAB/moves.json" 2>"$LAB/moves.err" || fail "the second plan: $(cat "$LAB/moves.err")"
	expect_eq "moves of a second plan" "$(head -n 1 "$LAB/moves.json" | jq -c .plan.moves)" "[]"
}

# ---- faults in the middle of a migration ----------------------------------------------------------------------

# The guests of host 1 have noise to send, at 1 MiB/s: a migration takes half a minute.
fleet_slow() {
	local vm
	for vm in $(on 1 list --name && said); do
		on 1 migrate-setspeed "$vm" 1 || fail "no speed limit for $vm: $(cat "$LAB/virsh.err")"
	done
}

# The first migration of a plan that vmtop carries out is under way: of MOVES, by DRIVER.
fault_begin() {
	fleet_slow
	: >"$LAB/driver.log" # what the one before said is not read as the word of this one, which empties it when it begins
	(fleet_carry) >"$LAB/driver.log" 2>&1 &
	DRIVER=$!
	echo $DRIVER >>"$LAB/pids"
	eventually 40 "a migration that is under way" grep -qE 'running [1-9].*MiB left' "$LAB/driver.log"
	MOVES=$(sed -n 's/^ *1\. \(.*\): host1 -> host2: running.*/\1/p' "$LAB/driver.log" | head -n 1)
	! fleet_sane || fail "the check sees no second QEMU of $MOVES in the middle of its migration"
}
# fault_end NAME STATUS: vmtop ends so; nothing is lost, nobody has two owners, no QEMU is left over, pins and marks are
# as found. Who has moved comes back for the next.
fault_end() {
	local vm start status=0
	start=$(now_ms)
	BATCH=$DRIVER
	wait_for 180 batch_gone || fail "$1: vmtop still runs after 180 s: $(cat "$LAB/driver.log")"
	wait "$DRIVER" || status=$?
	expect_eq "exit status of vmtop, $1" $status "$2"
	wait_for 120 fleet_sane || fail "$1: not as it should be after 120 s: $(fleet_told)"
	note "$1 ($MOVES): sound after $((($(now_ms) - start) / 1000)) s, host2 has $(on 2 list --name && said | sort | xargs); $(tail -n 1 "$LAB/driver.log" | cut -c1-90)"
	expect_eq "pins and marks after: $1" "$(fleet_marks)" "$FOUND_MARKS"
	for vm in $(on 2 list --name && said | grep web); do
		on 2 migrate --live --p2p "$vm" qemu+tcp://10.99.0.1/system || fail "$vm does not come back: $(cat "$LAB/virsh.err")"
	done
	expect "all is sound again: $(fleet_told)" fleet_sane
}

test_fleet_faults() {
	local qemu
	head -c 24M /dev/urandom >"$LAB/noise"
	GUEST_NOISE=$LAB/noise
	fleet_three
	FOUND_MARKS=$(fleet_marks)

	fault_begin
	kill -KILL "$DRIVER"
	fault_end "vmtop killed" 137

	fault_begin
	ip link set v2 down
	sleep 45
	ip link set v2 up
	fault_end "link cut" 1

	fault_begin
	qemu=$(node_guest_pid 1 "$MOVES")
	kill -STOP "$qemu"
	sleep 15
	kill -CONT "$qemu"
	fault_end "QEMU stopped" 0

	fault_begin
	kill -KILL "$(cat "$LAB/node2.pid")"
	sleep 5
	node_libvirtd 2
	fault_end "libvirtd of the target killed" 1
}

# ---- by way of a real ssh -------------------------------------------------------------------------------------

# ssh_server I: an sshd on host I as a distribution sets it up, but for its files: keys alone let somebody in.
ssh_server() {
	[ -e "$LAB/hostkey" ] || ssh-keygen -q -t ed25519 -N '' -f "$LAB/hostkey" || fail "no key of a host"
	cat >"$LAB/sshd_config" <<-END
	HostKey $LAB/hostkey
	AuthorizedKeysFile $LAB/authorized
	StrictModes no
	PasswordAuthentication no
	KbdInteractiveAuthentication no
	UsePAM no
	PidFile none
	END
	into "$1"
	"${INTO[@]}" sh -c 'mkdir -p /run/sshd; exec /usr/sbin/sshd -D -e -f "$0"' "$LAB/sshd_config" 2>"$LAB/sshd$1.log" &
	echo $! >>"$LAB/pids"
	wait_for 10 bash -c "exec 3<>/dev/tcp/10.99.0.$1/22" || fail "no sshd on host $1: $(tail -n 1 "$LAB/sshd$1.log")"
}
# What root's own ~/.ssh would hold, for the lab and its hosts alone: whom to believe, and a key. The lab's own ssh is gone.
ssh_client() {
	rm -f "$LAB"/{bin/ssh,key,known}
	ssh-keygen -q -t ed25519 -N '' -f "$LAB/key" && cp "$LAB/key.pub" "$LAB/authorized" || fail "no key"
	printf '%s\n' "UserKnownHostsFile $LAB/known" "IdentityFile $LAB/key" >"$LAB/ssh_config"
	mount --bind "$LAB/ssh_config" /etc/ssh/ssh_config || fail "no configuration for ssh"
}
# Hosts by qemu+ssh, as README has it.
ssh_words() { printf 'host%s=qemu+ssh://root@10.99.0.%s/system\n' 1 1 2 2; }
# None is left that vmtop had.
ssh_gone() { ! pgrep -x ssh >/dev/null; }

# ^C on a terminal ends every ssh that vmtop has there, too; what it began is taken back all the same.
ssh_aborts() {
	term_start
	term_keys "$VMTOP fleet -d 2.75 --plan --carry-out --yes ${WORDS[*]}; echo status \$?" Enter
	eventually 60 "a migration that is under way" term_shows 'running [1-9].*MiB left'
	term_keys C-c
	eventually 60 "the end after ^C" term_shows '^status 1'
	term_shows '1\. web[12]: host1 -> host2: aborted: the guest runs on at host1' || fail "not aborted: $(term_text)"
	term_end
	one_owner_each "web1 web2"
	expect_eq "guests on host 2 after ^C" "$(guests_on 2 --all)" ""
}
# The line to host 2 is cut, and comes back.
ssh_line_cut() {
	fleet_json ssh "${WORDS[@]}" -d 1
	eventually 30 "both hosts over ssh" fleet_last ssh '[.hosts[] | select(.state == "ok" and .running != null) | .name] | sort == ["host1", "host2"]'
	ip link set v2 down
	eventually 40 "the host behind the cut is lost or late" fleet_last ssh '.hosts | any(.name == "host2" and .state != "ok" and .age_s > 3)'
	expect "host1 is as fresh as ever" fleet_last ssh '.hosts | any(.name == "host1" and .state == "ok" and .age_s <= 3)'
	ip link set v2 up
	eventually 90 "it comes back by itself" fleet_last ssh '.hosts | any(.name == "host2" and .state == "ok" and .age_s <= 3)'
	expect "nothing was held up: $(fleet_gap ssh) s" [ "$(fleet_gap ssh)" -le 2 ]
	SSH_READER=$(tail -n 1 "$LAB/pids")
	expect "what is told are the user's own words" [ "$(grep -c no_tty "$LAB/ssh.json")" = 0 ]
}

test_fleet_ssh() {
	local why
	why=$(fleet_missing)
	[ -z "$why" ] || skip "$why"
	for why in ssh ssh-keygen ssh-keyscan /usr/sbin/sshd; do
		command -v $why >/dev/null || skip "$why is not installed (openssh-client, openssh-server)"
	done
	HOST_CPU=([1]=0 [2]=1) HOST_MIB=()
	fleet_start || skip "no bridge can be made here"
	ssh_client
	node_start 1
	node_start 2
	ssh_server 1
	ssh_server 2
	head -c 24M /dev/urandom >"$LAB/noise"
	for why in web1 web2; do GUEST_MIB=48 GUEST_NOISE=$LAB/noise node_guest 1 $why 6; done
	mapfile -t WORDS < <(ssh_words)
	"$VMTOP" fleet --batch -n 1 -d 2.75 "${WORDS[@]}" >"$LAB/fleet.txt" 2>"$LAB/fleet.err" </dev/null || fail "$(cat "$LAB/fleet.err")"
	grep -q '^host1 *LOST[ -]* Host key verification failed' "$LAB/fleet.txt" || fail "a host with an unknown key: $(cat "$LAB/fleet.txt")"
	ssh-keyscan -t ed25519 10.99.0.1 10.99.0.2 >"$LAB/known" 2>/dev/null
	ssh_line_cut
	fleet_slow
	ssh_aborts
	for why in web1 web2; do on 1 migrate-setspeed $why 8796093022207; done
	"$VMTOP" fleet -d 2.75 --plan --carry-out --yes "${WORDS[@]}" >"$LAB/out" 2>"$LAB/err" || fail "not carried out: $(cat "$LAB/out" "$LAB/err")"
	expect_eq "moves done" "$(tail -n 1 "$LAB/out")" "1 move done"
	one_owner_each "web1 web2"
	expect_eq "guests on host 2" "$(guests_on 2 | wc -w)" 1
	note "$(sed -nE 's/^  1\. (web[12]): host1 -> host2: (done in .*)$/\1 \2 over ssh/p' "$LAB/out")"
	kill -TERM $SSH_READER
	wait_for 10 ssh_gone || fail "ssh is left: $(pgrep -ax ssh)"
}
