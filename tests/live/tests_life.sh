# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_life.sh: how vmtop starts and ends: rights, drivers, addresses, signals.

# one_line STATUS ARG...: vmtop ends with STATUS, one line on stderr and nothing on stdout.
one_line() {
	local want=$1 status=0
	shift
	timeout 60 "$VMTOP" --no-config "$@" >"$LAB/stdout" 2>"$LAB/stderr" || status=$?
	expect_eq "status of $*" $status "$want"
	expect_eq "output of $*" "$(cat "$LAB/stdout")" ""
	expect_eq "lines on stderr of $*" "$(wc -l <"$LAB/stderr")" 1
}

test_bad_uri() {
	one_line 3 --json -n 1 -c nonsense:///there
	expect "the URI is named" grep -q nonsense:///there "$LAB/stderr"
	one_line 3 --json -n 1 -c 'qemu+unix:///system?socket=/nonexistent/socket'
	expect "the socket is named" grep -q /nonexistent/socket "$LAB/stderr"
	one_line 2 --json -n 1 -c sim:/nonexistent.scenario
}

# libvirt's own test driver: few calls are there, and what is missing is unknown, not zero.
test_test_driver() {
	json_run 40 --no-config -c test:///default -d 0.3 -n 2
	expect_eq "guests" "$(json '.[-1].vms | map(.name) | join(" ")')" test
	expect_eq "URI" "$(json '.[-1].uri')" test:///default
	expect "no made-up run-queue delay" json_true '.[-1].vms[0].wait_pct == null'
	expect "a reason not to touch its balloon" json_true '.[-1].vms[0].memory.reason | type == "string" and length > 0'
	vmtop_start --no-config -c test:///default -d 0.5
	eventually 30 "the guest on the screen" term_shows '(^| )test '
	vmtop_quit
}

test_readonly() {
	four_stacked
	events_start
	one_line 2 --json --readonly --auto=cpu -n 1
	json_run 60 --no-config --readonly -d 1 -n 4
	expect "read-only in JSON" json_true 'all(.[]; .mode.readonly)'
	expect "usage is seen" json_true 'all(.[-1].vms[]; .cpu_pct > 5)'
	expect_eq "pins made" "$(pins_made)" 0
	vmtop_start --no-config --readonly -d 0.5
	eventually 30 "the guests on the screen" term_shows 'g4'
	term_keys b
	sleep 1.5
	vmtop_quit
	expect_eq "pins made after the key" "$(pins_made)" 0
}

# A user who may only look.
test_nobody() {
	chmod 755 "$LAB"
	cpu_guest g1 10 || fail "guest does not start"
	setpriv --reuid 65534 --regid 65534 --clear-groups -- env -u XDG_STATE_HOME -u XDG_CONFIG_HOME HOME=/nonexistent \
		true || skip "cannot become another user"
	VMTOP_AS_ROOT=$VMTOP
	printf '#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups -- env HOME=/nonexistent %s "$@"\n' \
		"$VMTOP_AS_ROOT" >"$LAB/as-nobody"
	chmod 755 "$LAB/as-nobody"
	setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$VMTOP" || skip "the build folder is closed to other users"
	VMTOP=$LAB/as-nobody
	unset LIBVIRT_DEFAULT_URI
	json_run 60 --no-config -d 1 -n 2
	expect "read-only in JSON" json_true 'all(.[]; .mode.readonly)'
	expect_eq "URI" "$(json '.[-1].uri')" qemu:///system
	expect "usage is seen" json_true '.[-1].vms[0].cpu_pct > 30'
	one_line 1 --json -n 1 --auto=cpu
	expect "what is missing for AUTO, and where" grep -q 'qemu:///system: read-only: no right .* libvirt group' "$LAB/stderr"
	chmod 700 /run/libvirt/libvirt-sock-ro
	one_line 3 --json -n 1
	chmod 777 /run/libvirt/libvirt-sock-ro
	expect "what to do about the socket" grep -q 'qemu:///system: .*no right .* libvirt group' "$LAB/stderr"
}

test_signals() {
	local signal
	cpu_guest g1 3 || fail "guest does not start"
	for signal in INT TERM HUP QUIT; do
		vmtop_start "${KEEP[@]}" -d 0.5
		eventually 30 "the guest on the screen" term_shows 'g1'
		kill -$signal "$(vmtop_pid)"
		vmtop_ended 0
		mux kill-server
		wait_for 3 [ -z "$(vmtop_pid)" ]
	done
	json_start "${KEEP[@]}" -d 0.5
	eventually 30 "output" test -s "$JSON_OUT"
	kill -INT "$BATCH"
	json_end 20
}
