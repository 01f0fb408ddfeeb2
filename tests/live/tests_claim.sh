# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_claim.sh: one owner per host, whoever comes, from where, as which user, and however an owner ends.

# owner NAME ARG...: a vmtop in AUTO with a state folder of its own; its objects go to NAME.json.
owner() {
	local name=$1
	shift
	mkdir -p "$LAB/state/$name"
	: >"$LAB/$name.json"
	XDG_STATE_HOME=$LAB/state/$name "${AS[@]}" "$VMTOP" --json --no-config --on-exit keep --auto=cpu --granularity cpu -d 0.5 "$@" \
		>>"$LAB/$name.json" 2>"$LAB/$name.err" &
	echo $! >"$LAB/$name.pid"
	echo $! >>"$LAB/pids"
}
AS=()
owner_signal() { kill "-$2" "$(<"$LAB/$1.pid")"; }
objects_of() { sed '/[^}]$/d' "$LAB/$1.json" | jq -cs "$2"; }
# What the last object of NAME says of the claim.
claim_of() { [ "$(objects_of "$1" '.[-1].claim.state' | tr -d '"')" = "$2" ]; }
names_holder() { [[ $(objects_of "$1" '.[-1].claim.who') == *"process $(<"$LAB/$2.pid"),"* ]]; }
acted() { [ "$(objects_of "$1" '[.[].actions[] | select(.outcome == "done")] | length')" != 0 ]; }

# At no time two: no object in which one says that it steers, or has changed something, lies between the first and the
# last such object of another.
never_two() {
	local name
	for name; do
		objects_of "$name" ".[] | select(.claim.state == \"ours\" or any(.actions[]; .outcome == \"done\")) | [.time, \"$name\"]"
	done | jq -cs 'sort | map(.[1])' >"$LAB/owners"
	jq -e '[range(1; length) as $i | select(.[$i] != .[$i - 1]) | .[$i]] as $turns
		| ([.[0]] + $turns) | length == (unique | length)' "$LAB/owners" >/dev/null
}

# Two clients, one of the socket and one of TCP, come at once; then the owner is stopped, killed, ended and cut off.
test_owners() {
	local first=unix second=tcp start
	four_stacked
	line_up
	owner unix -c qemu:///system
	owner tcp -c "qemu+tcp://localhost:$PORT/system"
	eventually 40 "two guests on each pCPU" two_and_two
	claim_of unix ours || { first=tcp second=unix; }
	eventually 10 "an owner" claim_of $first ours
	eventually 10 "the other one knows" claim_of $second other
	expect "who it is" names_holder $second $first
	expect "the other one changed nothing" [ "$(objects_of $second '[.[].actions[] | select(.outcome == "done")] | length')" = 0 ]
	expect "it waits" [ "$(objects_of $second '.[-1].mode | .cpu == "manual" and .waits')" = true ]
	expect "on stderr it says for whom" grep -q "process $(<"$LAB/$first.pid"), .* steers this host; AUTO waits until it ends" "$LAB/$second.err"

	owner_signal $first STOP
	start=$(now_ms)
	eventually 70 "the other one takes over from one that is stopped" claim_of $second ours
	note "stopped owner followed after $((($(now_ms) - start) / 1000)) s"
	[ $(($(now_ms) - start)) -gt 30000 ] || fail "taken over after $(($(now_ms) - start)) ms only"
	two_more
	eventually 60 "it steers" acted $second
	owner_signal $first CONT
	eventually 20 "the first one knows that it lost" claim_of $first other
	expect "its word" grep -q "process $(<"$LAB/$second.pid"), .* steers this host; AUTO waits" "$LAB/$first.err"
	sleep 5
	expect "never two owners" never_two unix tcp

	owner_signal $second KILL
	start=$(now_ms)
	eventually 20 "the first one takes over from one that was killed" claim_of $first ours
	note "a killed one after $(($(now_ms) - start)) ms"
	eventually 10 "its AUTO goes on" goes_on $first
	owner_signal $first TERM
	eventually 20 "nothing left of the claim after a clean end" no_claim
}
goes_on() { [ "$(objects_of "$1" ".[-1].mode.cpu")" = '"auto"' ]; }
no_claim() { ! virsh -q secret-list | grep -q steers-this-host; }

# A remote owner whose line hangs: what it has under way does not arrive after somebody else has taken over.
test_owner_cut_off() {
	four_stacked
	line_up
	owner tcp -c "qemu+tcp://localhost:$PORT/system"
	eventually 40 "two guests on each pCPU" two_and_two
	owner unix -c qemu:///system
	eventually 10 "the second knows" claim_of unix other
	kill -STOP "$LINE"
	eventually 70 "the second takes over" claim_of unix ours
	two_more
	eventually 60 "it steers" acted unix
	kill -CONT "$LINE"
	eventually 40 "the first is back and knows" claim_of tcp other
	sleep 5
	expect "never two owners" never_two unix tcp
}

# Users and namespaces: another user with the right to steer waits too, and so does a service in a network namespace of
# its own; who has no right can neither claim the host nor free it.
test_owner_of_users() {
	local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups -- env HOME="$LAB/nobody")
	chmod 755 "$LAB"
	mkdir -p "$LAB/nobody" && chown 65534:65534 "$LAB/nobody"
	"${nobody[@]}" test -x "$VMTOP" || skip "the build folder is closed to other users"
	four_stacked
	"${nobody[@]}" virsh -c qemu:///system secret-define /dev/stdin <<-XML 2>/dev/null && fail "no right, and yet the claim"
	<secret ephemeral='yes' private='yes'><usage type='ceph'><name>vmtop/steers-this-host</name></usage></secret>
	XML
	owner root -c qemu:///system
	eventually 40 "two guests on each pCPU" two_and_two
	expect "root steers" claim_of root ours
	"${nobody[@]}" virsh -r -c qemu:///system secret-undefine "$(virsh -q secret-list | awk '{print $1}')" 2>/dev/null && fail "no right, and yet the claim is gone"
	json_run 60 --no-config -d 1 -n 1 --readonly
	expect "a reader sees who" json_true '.[-1].claim | .state == "other" and (.who | test("^root@.*, process [0-9]+, since "))'
	AS=(unshare -n)
	owner apart -c qemu:///system
	AS=("${nobody[@]}" XDG_STATE_HOME="$LAB/nobody")
	chmod 777 /run/libvirt/libvirt-sock
	owner nobody -c qemu:///system
	AS=()
	eventually 20 "the service apart waits" claim_of apart other
	eventually 20 "the other user waits" claim_of nobody other
	sleep 3
	expect "neither changed anything" [ "$(cat "$LAB"/{apart,nobody}.json | jq -s '[.[].actions[] | select(.outcome == "done")] | length')" = 0 ]
	owner_signal root TERM
	eventually 20 "one of the two goes on" one_goes_on
	sleep 7
	expect "one of them alone" one_goes_on
	chmod 700 /run/libvirt/libvirt-sock
	expect "never two owners" never_two root apart nobody
}
one_goes_on() {
	if claim_of apart ours; then claim_of nobody other; else claim_of nobody ours && claim_of apart other; fi
}
