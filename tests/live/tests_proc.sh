# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_proc.sh: vCPUs read from /proc against libvirt's own numbers.

PROC_SAME=${PROC_SAME:-$TOP/build/tests/live/proc_same}

# Side by side: busy, resting, paused and pinned guests, two vCPUs, and a Linux with a balloon where there is a kernel.
test_proc_same() {
	[ -x "$PROC_SAME" ] || skip "$PROC_SAME is not built (make tests)"
	cpu_guest g1 3 || fail "guest g1 does not start"
	PIN=0 cpu_guest_defined g2 10 "" 2 || fail "guest g2 does not start"
	cpu_guest g3 5 0 || fail "guest g3 does not start"
	virsh -q suspend g3 >/dev/null
	if [ -z "${LAB_NO_KERNEL:-}" ] && memory_prepare; then
		mem_guest g4 512 300 || fail "guest g4 does not start"
		virsh -q dommemstat g4 --period 1 --live
		wait_for 60 has_usable g4 || fail "guest g4 reports no statistics"
	fi
	"$PROC_SAME" "$LIBVIRT_DEFAULT_URI" 3 >"$LAB/same" 2>&1 || fail "$(head -3 "$LAB/same" | tr '\n' ';')"
}
has_usable() { [ "$(balloon "$1" usable)" -gt 0 ]; }

# A vCPU that is plugged in while vmtop runs.
test_proc_hotplug() {
	cpu_xml g1 5 | sed "s|<vcpu>1</vcpu>|<vcpu current='1'>2</vcpu>|" >"$LAB/g1.xml"
	virsh -q create "$LAB/g1.xml" >/dev/null || fail "guest g1 does not start"
	json_start "${KEEP[@]}" -d 0.5 --end-time +90
	eventually 20 "one vCPU" json_true '.[-1].vms[0].vcpus | length == 1'
	virsh -q setvcpus g1 2 --live || skip "this QEMU plugs no vCPU"
	eventually 20 "two vCPUs" json_true '.[-1].vms[0].vcpus | map(.id) == [0, 1]'
	eventually 20 "both with an affinity" json_true '.[-1].vms[0].vcpus | all(.affinity != null)'
	kill -TERM "$BATCH"
	json_end 10
}

SAMPLE_DUMP=${SAMPLE_DUMP:-$TOP/build/tests/live/sample_dump}

# forger UUID: a process of another user that looks like a guest's, its vCPU busy.
forger() {
	cat >"$LAB/forger" <<-'SH'
	#!/bin/bash
	printf 'CPU 0/TCG' >/proc/$$/comm
	while :; do :; done
	SH
	chmod 755 "$LAB" "$LAB/forger"
	setpriv --reuid=65534 --clear-groups bash -c 'exec -a qemu bash "$0" "$@"' "$LAB/forger" -name guest=g1 \
		-uuid "$1" -S /var/lib/libvirt/qemu/domain-1-g1/x &
	FORGER=$!
	echo "$FORGER" >>"$LAB/pids"
	wait_for 10 grep -q CPU "/proc/$FORGER/comm"
}

# Somebody makes a process that looks like the guest, before the guest is there and while it is.
test_proc_forged() {
	local uuid=0000abcd-1111-4222-8333-444455556666 real
	[ -x "$SAMPLE_DUMP" ] || skip "$SAMPLE_DUMP is not built (make tests)"
	forger $uuid || fail "the forged process does not start"
	sleep 3 # it has run for longer than an idle guest will
	cpu_xml g1 0 | sed "s|<memory|<uuid>$uuid</uuid><memory|" >"$LAB/g1.xml"
	virsh -q create "$LAB/g1.xml" >/dev/null || fail "guest g1 does not start"
	json_start "${KEEP[@]}" -d 0.5 --end-time +60
	eventually 20 "a usage of its vCPU" json_true '.[-1].vms[0].vcpus[0].usage_pct != null'
	eventually 30 "a usage that is the guest's own" json_true '.[-1].vms[0].vcpus[0].usage_pct < 30'
	real=$(guest_pid g1)
	expect "the guest's process is known, not only libvirt's numbers" json_true '.[-1].vms[0].memory.rss_kib != null'
	expect_eq "resident memory, to 4 MiB" "$(json '.[-1].vms[0].memory.rss_kib / 4096 | floor')" \
		"$(($(awk '/^VmRSS/ {print $2}' "/proc/$real/status") / 4096))"
	kill -TERM "$BATCH"
	json_end 10
	kill "$FORGER"
}
