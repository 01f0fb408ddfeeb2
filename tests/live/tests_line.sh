# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_line.sh: a host behind a line that breaks or hangs, and other controllers on the same host.

# line_up [PORT]: the line is there (again); its process is LINE, its port PORT.
line_up() {
	: >"$LAB/line"
	"$TOP/tests/live/line.py" "${1:-0}" /run/libvirt/libvirt-sock >"$LAB/line" 2>"$LAB/line.err" &
	LINE=$!
	echo "$LINE" >>"$LAB/pids"
	eventually 10 "the line" test -s "$LAB/line"
	PORT=$(<"$LAB/line")
}
# halves GUEST...: as many on pCPU 0 as on pCPU 1.
halves() { [ "$(count_pinned 0 "$@") $(count_pinned 1 "$@")" = "$(($# / 2)) $(($# / 2))" ]; }

# A remote host: everything by calls, nothing from /proc. The line is cut, then it hangs until keepalive gives it up.
test_line_cut() {
	local start
	four_stacked
	line_up
	vmtop_start "${KEEP[@]}" -c "qemu+tcp://localhost:$PORT/system" --auto=cpu --granularity cpu --yes -d 1
	eventually 60 "two guests on each pCPU" two_and_two
	kill -KILL "$LINE"
	eventually 10 "the loss on the screen" term_shows 'RECONNECTING'
	expect "what is known stays on the screen" term_shows 'g4 +[0-9]'
	eventually 10 "the age of the data on the screen" term_shows 'STALE [0-9]+ s'
	line_up "$PORT"
	start=$(now_ms)
	eventually 20 "connected again" connected
	note "back $(($(now_ms) - start)) ms after the cut line"
	[ $(($(now_ms) - start)) -lt 6000 ] || fail "back only $(($(now_ms) - start)) ms after the line"
	kill -STOP "$LINE"
	start=$(now_ms)
	eventually 20 "the silence on the screen" term_shows 'SLOW|STALE'
	eventually 40 "the line given up" term_shows 'RECONNECTING|CONNECTING'
	note "silence noticed, given up after $(($(now_ms) - start)) ms"
	kill -CONT "$LINE"
	start=$(now_ms)
	eventually 20 "connected after the silence" connected
	note "back $(($(now_ms) - start)) ms after it"
	two_more
	eventually 60 "three guests on each pCPU" three_and_three
	kill -STOP "$LINE"
	eventually 20 "the silence on the screen, again" term_shows 'SLOW|STALE'
	vmtop_quit
}

# Another vmtop for the same host, of another folder and under another name of the host, only watches. Then somebody
# pins two of our vCPUs: those are left alone, nothing of it is undone, and AUTO goes on.
test_rival() {
	local vm
	four_stacked
	json_start "${KEEP[@]}" --auto=cpu --granularity cpu -d 0.5
	eventually 40 "two guests on each pCPU" two_and_two
	XDG_STATE_HOME=$LAB/other timeout 60 "$VMTOP" "${KEEP[@]}" --auto=cpu --granularity cpu -c qemu+unix:///system --json -n 3 -d 0.5 \
		>"$LAB/second" 2>"$LAB/second.err" || fail "the second ended with status $?: $(cat "$LAB/second.err")"
	expect "it names the first" grep -q "process $BATCH, since .* steers this host; AUTO waits until it ends" "$LAB/second.err"
	expect "it changes nothing" jq -es 'all(.[].actions[]; .outcome != "done")' "$LAB/second"
	expect "the first stays in AUTO" json_true '.[-1].mode.cpu == "auto"'
	# Those that it moved, widened: neither where it put them nor where it found them.
	for vm in "${FOUR[@]}"; do [ "$(pinned "$vm")" = 0 ] || pin "$vm" 0-1; done
	eventually 20 "their vCPUs are left alone" json_true '[.[-1].vms[] | select(.cpu_reason == "foreign-pin")] | length == 2'
	more_objects 4
	expect "AUTO stays on" json_true '.[-1].mode.cpu == "auto"'
	stop_batch
	expect_eq "guests left as the other one pinned them" "$(count_pinned 0-1 "${FOUR[@]}")" 2
}

# Guests are reset, saved to disk and brought back, and get a vCPU, while vmtop steers: nothing of that is a rival, the
# pins come back with the guest, and in the end every guest is as it was found.
test_vm_life() {
	local moved still vm
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	for vm in g1 g2; do
		cpu_xml $vm 10 "$TWO" | sed "s|>1</vcpu>| current='1'>2</vcpu>|" >"$LAB/$vm.xml"
		virsh -q define "$LAB/$vm.xml" >/dev/null && virsh -q start $vm >/dev/null && pin $vm 0 || fail "guest $vm does not start"
	done
	json_start --no-config --auto=cpu --granularity cpu -d 0.5
	eventually 40 "one guest on each pCPU" halves g1 g2
	moved=g1 still=g2
	[ "$(pinned g1)" != 0 ] || moved=g2 still=g1
	virsh -q reset $still
	virsh -q reset $moved
	more_objects 4
	expect "where they were after a reset" halves g1 g2
	# The definition outlives the guest, so both ways to disk are there.
	virsh -q save $moved "$LAB/saved" >/dev/null || fail "no save: $(tail -1 "$LAB/test.log")"
	eventually 10 "the saved guest gone" json_true '.[-1].vms | length == 1'
	virsh -q restore "$LAB/saved" >/dev/null || fail "no restore"
	eventually 10 "the guest back" json_true '.[-1].vms | length == 2'
	expect "the pin came back with it" [ "$(pinned $moved)" = 1 ]
	virsh -q managedsave $moved >/dev/null && virsh -q start $moved >/dev/null || fail "no managed save"
	eventually 10 "the guest back again" json_true '.[-1].vms | length == 2'
	more_objects 6
	expect "no rival seen" json_true 'all(.[]; .mode.cpu == "auto")'
	expect "where they were after all that" halves g1 g2
	virsh -q setvcpus $still 2 --live || skip "this QEMU plugs no vCPU"
	eventually 20 "its second vCPU" json_true ".[-1].vms[] | select(.name == \"$still\").vcpus | map(.id) == [0, 1]"
	more_objects 4
	stop_batch
	expect_eq "messages" "$(grep -v 'end: ' "$LAB/stderr")" ""
	expect_eq "guests as they were found" "$(count_pinned 0 g1 g2)" 2
	expect "no journal left" [ -z "$(find "$LAB/state" -name '*.journal')" ]
}
