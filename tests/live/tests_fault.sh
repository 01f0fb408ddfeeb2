# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_fault.sh: libvirtd dies or stops answering, or vmtop itself is killed, in the middle of its work.

libvirtd_pid() { cat "$LAB/libvirtd.pid"; }

# shellcheck disable=SC2317 # called by name
view_3() { term_shows 'Decisions' && ! term_shows 'Pin map'; }
# shellcheck disable=SC2317
view_1() { term_shows 'Pin map' && ! term_shows 'Decisions'; }
# key_ms KEY: milliseconds from the key of a view to that view, as seen through tmux.
key_ms() {
	local start end
	start=$(now_ms)
	end=$((start + 10000))
	term_keys "$1"
	until "view_$1"; do [ "$(now_ms)" -lt $end ] || break; done
	say $(($(now_ms) - start))
}
# keys_answer WHEN: the screen answers keys. It is the middle of ten times that counts, and how far below a second it
# is depends on tmux and the machine; a screen that waited for libvirtd would take seconds.
keys_answer() {
	local i times=""
	for i in 1 2 3 4 5; do times+="$(key_ms 3) $(key_ms 1) "; done
	# shellcheck disable=SC2086 # one number a line
	i=$(printf '%s\n' $times | sort -n | sed -n 5p)
	note "keys within $i ms $1"
	[ "$i" -lt 1000 ] || fail "a key takes $i ms $1 ($times)"
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
	vmtop_start "${KEEP[@]}" --auto=cpu --yes -d 2
	eventually 30 "two guests on each pCPU" two_and_two
	keys_answer "before"
	kill -KILL "$(libvirtd_pid)"
	eventually 10 "the loss on the screen" term_shows 'RECONNECTING'
	expect "what is known stays on the screen" term_shows 'g4 +[0-9]'
	keys_answer "without libvirtd"
	eventually 10 "the age of the data on the screen" term_shows 'data [0-9]+ s old'
	lab_libvirtd || fail "libvirtd does not start again"
	start=$(now_ms)
	eventually 20 "connected again" connected
	note "back after $(($(now_ms) - start)) ms"
	[ $(($(now_ms) - start)) -lt 4000 ] || fail "back only $(($(now_ms) - start)) ms after libvirtd"
	two_more
	eventually 60 "three guests on each pCPU" three_and_three
	vmtop_quit
}

# libvirtd is stopped and goes on later; stopped again it does not keep vmtop from ending.
test_libvirtd_stopped() {
	four_stacked
	vmtop_start "${KEEP[@]}" --auto=cpu --yes -d 1
	eventually 30 "two guests on each pCPU" two_and_two
	kill -STOP "$(libvirtd_pid)"
	eventually 20 "word of it on the screen" term_shows 'CONNECTING|SLOW|STALE'
	keys_answer "with libvirtd stopped"
	kill -CONT "$(libvirtd_pid)"
	eventually 20 "connected again" connected
	two_more
	eventually 60 "three guests on each pCPU" three_and_three
	kill -STOP "$(libvirtd_pid)"
	eventually 20 "word of it on the screen, again" term_shows 'CONNECTING|SLOW|STALE'
	vmtop_quit
	kill -CONT "$(libvirtd_pid)"
}

# vmtop is killed while it steers: the next one says what it left, and --restore puts it back.
test_vmtop_killed() {
	four_stacked
	pin g4 0-1
	json_start --no-config --auto=cpu -d 1
	eventually 30 "two guests on each pCPU" two_and_two
	kill -KILL "$BATCH"
	eventually 5 "its end" batch_gone
	expect "its pins stay" two_and_two
	"$VMTOP" --no-config -b -n 1 -d 1 >"$LAB/stdout" 2>"$LAB/stderr" || fail "vmtop ended with status $?: $(cat "$LAB/stderr")"
	expect "the next one says what was left" grep -q 'an earlier vmtop left its changes' "$LAB/stdout" "$LAB/stderr"
	expect "and changes nothing" two_and_two
	"$VMTOP" --no-config --restore >"$LAB/stdout" 2>"$LAB/stderr" || fail "--restore ended with status $?: $(cat "$LAB/stderr")"
	expect_eq "guests back on pCPU 0" "$(count_pinned 0 g1 g2 g3)" 3
	expect_eq "affinity of the fourth" "$(pinned g4)" 0-1
	"$VMTOP" --no-config --restore >"$LAB/stdout" 2>"$LAB/stderr" || fail "the second --restore ended with status $?"
	expect "nothing left to restore" grep -q 'nothing to put back' "$LAB/stdout"
}
