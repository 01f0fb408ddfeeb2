# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_fault.sh: libvirtd dies or stops answering, or vmtop itself is killed, in the middle of its work.

libvirtd_pid() { cat "$LAB/libvirtd.pid"; }

KEY_TIMES=${KEY_TIMES:-$TOP/build/tests/live/key_times}

# answerer_ask LINE: what key_times says to it, in ANSWER.
answerer_ask() {
	echo "$1" >&"${ANSWERER[1]}"
	read -r -t 60 ANSWER <&"${ANSWERER[0]}" || fail "no answer to $1"
}
answerer_sees() {
	answerer_ask "see $1 $2"
	expect_eq "\"$2\" on the screen within $1 s" "$ANSWER" yes
}
# keys_answer WHEN: half of the keys within 50 ms, whatever is wrong with the hypervisor. (The worst of them tells of the
# machine; a screen that waited for libvirtd would take seconds each time.)
keys_answer() {
	answerer_ask keys
	note "$1 ${ANSWER% *} ms, at worst ${ANSWER#* }"
	[ "${ANSWER% *}" -lt 50 ] || fail "keys are answered after $ANSWER ms $1"
}

# Keys while a guest's monitor hangs, libvirtd is stopped, and dead.
test_keys() {
	[ -x "$KEY_TIMES" ] || skip "$KEY_TIMES is not built (make tests)"
	cpu_guest g1 10 && cpu_guest g2 10 || fail "guests do not start"
	coproc ANSWERER { exec "$KEY_TIMES" "$VMTOP" "${KEEP[@]}" -d 1; }
	# shellcheck disable=SC2153 # coproc sets it
	echo "$ANSWERER_PID" >>"$LAB/pids"
	answerer_sees 30 g2
	keys_answer "keys"
	hang g2
	answerer_sees 30 HUNG
	keys_answer "with a hung guest"
	unhang g2
	kill -STOP "$(libvirtd_pid)"
	answerer_sees 20 SLOW
	keys_answer "with libvirtd stopped"
	kill -KILL "$(libvirtd_pid)"
	answerer_sees 20 RECONNECTING
	keys_answer "without libvirtd"
	eval "exec ${ANSWERER[1]}>&-"
	read -r -t 20 ANSWER <&"${ANSWERER[0]}"
	expect_eq "the end" "$ANSWER" "status 0"
}

# Two busy guests more where two are already: something to balance.
two_more() {
	PIN=0 cpu_guest g5 10 "$TWO" && PIN=0 cpu_guest g6 10 "$TWO" || fail "guests g5 and g6 do not start"
}
three_and_three() { [ "$(count_pinned 0 "${FOUR[@]}" g5 g6) $(count_pinned 1 "${FOUR[@]}" g5 g6)" = "3 3" ]; }
connected() { ! term_shows 'RECONNECTING|CONNECTING|SLOW|STALE'; }

# libvirtd is killed and started again: the screen says so and lives on, and within an interval of libvirtd's return
# the work goes on.
test_libvirtd_killed() {
	local start
	four_stacked
	vmtop_start "${KEEP[@]}" --auto=cpu --granularity cpu --yes -d 2
	eventually 30 "two guests on each pCPU" two_and_two
	kill -KILL "$(libvirtd_pid)"
	eventually 10 "the loss on the screen" term_shows 'RECONNECTING'
	expect "what is known stays on the screen" term_shows 'g4 +[0-9]'
	sleep 3
	expect "usage goes on from /proc" term_shows 'g4 +[0-9]'
	expect "so that nothing on the screen is old" term_lacks 'STALE [0-9]+ s'
	lab_libvirtd || fail "libvirtd does not start again"
	start=$(now_ms)
	eventually 20 "connected again" connected
	note "back after $(($(now_ms) - start)) ms"
	[ $(($(now_ms) - start)) -lt 6000 ] || fail "back only $(($(now_ms) - start)) ms after libvirtd"
	two_more
	eventually 60 "three guests on each pCPU" three_and_three
	vmtop_quit
}

# libvirtd is stopped and goes on later; stopped again it does not keep vmtop from ending.
test_libvirtd_stopped() {
	four_stacked
	vmtop_start "${KEEP[@]}" --auto=cpu --granularity cpu --yes -d 1
	eventually 30 "two guests on each pCPU" two_and_two
	kill -STOP "$(libvirtd_pid)"
	eventually 20 "word of it on the screen" term_shows 'CONNECTING|SLOW|STALE'
	kill -CONT "$(libvirtd_pid)"
	eventually 20 "connected again" connected
	two_more
	eventually 60 "three guests on each pCPU" three_and_three
	kill -STOP "$(libvirtd_pid)"
	eventually 20 "word of it on the screen, again" term_shows 'CONNECTING|SLOW|STALE'
	vmtop_quit
	kill -CONT "$(libvirtd_pid)"
}

# A guest that dies slowly holds its lock in libvirtd, which then answers nothing about any VM: the others go on from
# /proc, the one that dies is set aside, and no sample follows another at once.
test_destroy_slow() {
	local gap
	cpu_guest g1 10 && cpu_guest g2 10 || fail "guests do not start"
	json_start --no-config -d 1
	eventually 30 "both guests" json_true '.[-1].vms | map(.name) | sort == ["g1", "g2"]'
	more_objects 3
	hang g1
	virsh -q destroy g1 &
	more_objects 12
	wait $!
	eventually 30 "one guest" json_true '.[-1].vms | map(.name) == ["g2"]'
	more_objects 3
	stop_batch
	gap=$(json '[.[1:][].elapsed_s] | "\(min) to \(max)"')
	note "$gap s between samples"
	expect "no gap: $gap" json_true '[.[1:][].elapsed_s] | max < 4'
	expect "no sample at once after another: $gap" json_true '[.[1:][].elapsed_s] | min > 0.4'
	expect "the other sampled throughout" json_true 'all(.[1:][].vms[] | select(.name == "g2"); .cpu_pct > 5)'
	expect "the one that dies set aside" json_true 'any(.[].vms[]; .name == "g1" and .cpu_pct == null)'
}

# A key pressed while libvirtd is stopped: the screen says that it waits, Esc drops it, and after a few seconds it is
# forgotten; what is done by then is nothing.
test_key_waits() {
	four_stacked
	events_start
	vmtop_start "${KEEP[@]}" --granularity cpu -d 1
	eventually 30 "the guests on the screen" term_shows 'g4'
	sleep 3
	kill -STOP "$(libvirtd_pid)"
	term_keys b
	eventually 10 "word that it waits" term_shows 'waiting for libvirt'
	term_keys Escape
	eventually 5 "word that it was dropped" term_shows 'dropped'
	kill -CONT "$(libvirtd_pid)"
	eventually 20 "connected again" connected
	sleep 4
	expect_eq "pins made after Esc" "$(pins_made)" 0
	kill -STOP "$(libvirtd_pid)"
	term_keys b
	sleep 12
	kill -CONT "$(libvirtd_pid)"
	eventually 20 "connected again" connected
	sleep 4
	expect_eq "pins made long after the key" "$(pins_made)" 0
	rebalance_until "two guests on each pCPU" two_and_two
	vmtop_quit
}

# vmtop is killed while it steers: the next one says what it left, and --restore puts it back.
test_vmtop_killed() {
	local vm
	four_stacked
	pin g4 0-1
	json_start --no-config --auto=cpu --granularity cpu -d 1
	eventually 30 "two guests on each pCPU" two_and_two
	kill -KILL "$BATCH"
	eventually 5 "its end" batch_gone
	expect "its pins stay" two_and_two
	"$VMTOP" --no-config -b -n 1 -d 1 >"$LAB/stdout" 2>"$LAB/stderr" || fail "vmtop ended with status $?: $(cat "$LAB/stderr")"
	expect "the next one says what was left" grep -q 'an earlier vmtop left its changes' "$LAB/stdout" "$LAB/stderr"
	expect "and changes nothing" two_and_two
	expect "they are marked as its own" [ "$(count_marked g1 g2 g3 g4)" -ge 2 ]
	# One is back by somebody else's hand: its mark goes too.
	for vm in g3 g2 g1; do [ "$(pinned $vm)" != 1 ] || break; done
	pin $vm 0
	"$VMTOP" --no-config --restore >"$LAB/stdout" 2>"$LAB/stderr" || fail "--restore ended with status $?: $(cat "$LAB/stderr")"
	expect_eq "guests back on pCPU 0" "$(count_pinned 0 g1 g2 g3)" 3
	expect_eq "affinity of the fourth" "$(pinned g4)" 0-1
	expect_eq "guests marked still" "$(count_marked g1 g2 g3 g4)" 0
	"$VMTOP" --no-config --restore >"$LAB/stdout" 2>"$LAB/stderr" || fail "the second --restore ended with status $?"
	expect "nothing left to restore" grep -q 'nothing to put back' "$LAB/stdout"
}
