# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_metrics.sh: what a Prometheus that looks seldom sees of real guests.

METRICS_PORT=19177
scrape() {
	exec 3<>/dev/tcp/127.0.0.1/$METRICS_PORT || return
	printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
	cat <&3 >"$LAB/metrics"
	exec 3>&-
	grep -q '^vmtop_host_info' "$LAB/metrics"
}
# metric NAME [LABEL]: its value in the text scraped last, of the first series with LABEL.
metric() { awk -v name="$1" -v label="${2:-}" '$1 ~ "^" name "([{]|$)" && index($0, label) {print $NF; exit}' "$LAB/metrics"; }
# holds EXPRESSION: of awk, over numbers.
holds() { awk "BEGIN {exit !($1)}"; }
scraped() { scrape && holds "$(metric "$1" "$2")+0 $3"; }

# Two guests wait for the same pCPU for three seconds, which two samples of a second lie in, between two looks; a monitor hangs and recovers between two looks;
# libvirtd stands still, and whoever asks has an answer at once.
test_metrics() {
	local start before
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	PIN=0 cpu_guest s1 0-10 && PIN=0 cpu_guest s2 0-10 && cpu_guest quiet 0 || fail "guests do not start"
	"$VMTOP" --no-config --readonly --format log --listen $METRICS_PORT -d 1 >"$LAB/log" 2>"$LAB/stderr" &
	echo $! >>"$LAB/pids"
	eventually 20 "an answer with rates" scraped vmtop_host_samples_total '' '> 3'
	expect "nobody starves at rest" holds "$(metric vmtop_vm_starved_seconds_total s1) + $(metric vmtop_vm_starved_seconds_total s2) == 0"
	expect "the exits of KVM, or none" holds "$(metric vmtop_vm_kvm_exits_total s1)+0 >= 0"
	before=$(metric vmtop_vm_wait_seconds_total s1)
	press s1 s2
	sleep 3
	pin s2 1
	sleep 20
	scrape
	note "starved $(metric vmtop_vm_starved_seconds_total s1) s, waited $before to $(metric vmtop_vm_wait_seconds_total s1) s, worst $(metric vmtop_vm_wait_max_ratio s1)"
	expect "two seconds of starving are in the counter" holds "$(metric vmtop_vm_starved_seconds_total s1) >= 2"
	expect "the waiting is in the counter" holds "$(metric vmtop_vm_wait_seconds_total s1) - $before > 0.5"
	expect "the worst of it is seen 20 s later" holds "$(metric vmtop_vm_wait_max_ratio s1) > 0.3"
	expect "by vCPU too" holds "$(metric vmtop_vcpu_wait_max_ratio s1) > 0.3"
	expect_eq "the quiet one has none of it" "$(metric vmtop_vm_starved_seconds_total quiet)" 0

	hang s2
	eventually 40 "a hung monitor" scraped vmtop_vm_hung s2 '== 1'
	sleep 5
	unhang s2
	eventually 60 "the monitor back" scraped vmtop_vm_hung s2 '== 0'
	expect "how long it hung at most" holds "$(metric vmtop_vm_hung_age_max_seconds s2) > 3"
	expect "and in all" holds "$(metric vmtop_vm_hung_seconds_total s2) > 3"

	kill -STOP "$(cat "$LAB/libvirtd.pid")"
	sleep 8
	start=$(now_ms)
	scrape || fail "no answer while libvirtd stands still"
	start=$(($(now_ms) - start))
	note "answered in $start ms, $(metric vmtop_host_sample_age_seconds) s after the last sample"
	[ $start -lt 1000 ] || fail "$start ms for an answer while libvirtd stands still"
	kill -CONT "$(cat "$LAB/libvirtd.pid")"
	eventually 30 "new samples" scraped vmtop_host_sample_age_seconds '' '< 2'
	expect "how old it was is not forgotten" holds "$(metric vmtop_host_sample_age_max_seconds) > 1.5"
	expect_eq "who claims the host" "$(metric vmtop_host_claim 'state="ours"')" 0
}
