# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_harm.sh: what vmtop does to guests that need no help, and to those that do, in turns with and without it, and
# the same loads in the simulator beside that: its kernel must be like this one, and its verdicts too.

# Two pCPUs. LOAD: guests, duty in tenths, live pin of all, and the same for the simulator: a guest is busy by the wall
# clock, what it misses is lost. A load of 40 % would make up for it, and wait for more.
harm_load() {
	case $1 in
	float-steady) N=3 DUTY=6 AT='' ;;
	float-bursts) N=5 DUTY=3 AT='' ;;
	stacked) N=4 DUTY=4 AT=0 ;;
	esac
	LIKE="load bursts 100% 0% every 1s for 0.${DUTY}s"
}

harm_start() {
	local i
	for i in $(seq $N); do cpu_guest "g$i" "$DUTY" "$TWO" || return; done
	if [ -n "$AT" ]; then for i in $(seq $N); do pin "g$i" "$AT"; done; fi
}

# They want what they should, a while after their start: KVM below another hypervisor may lose a guest's timer, and the
# guest then sleeps for ever.
harm_in_rhythm() {
	local before after
	sleep 15
	before=$(harm_totals)
	sleep 6
	after=$(harm_totals)
	say "$before $after $N $DUTY" | awk '{ wants = ($5 - $1 + $6 - $2) * 1000 / ($8 - $4); due = $9 * $10 / 10
		exit wants < .9 * due || wants > 1.1 * due }'
}

# KVM where it works, which is tried once.
harm_guests() {
	if [ "${LAB_TYPE:-}" != qemu ] && [ -w /dev/kvm ]; then
		LAB_TYPE=kvm
		if harm_start && harm_in_rhythm; then return; fi
		guests_end
	fi
	LAB_TYPE=qemu
	harm_start || fail "guests do not start"
	sleep 2
}

# Seconds that all guests ran and waited, that the two pCPUs were busy, and the time of day.
harm_totals() {
	virsh -q domstats --vcpu | awk -F= '/vcpu\.[0-9]+\.time/ { t += $2 } /vcpu\.[0-9]+\.delay/ { d += $2 }
		END { printf "%.3f %.3f ", t / 1e9, d / 1e9 }'
	awk -v hz="$(getconf CLK_TCK)" '/^cpu[01] / { b += $2 + $3 + $4 + $7 + $8 + $9 } END { printf "%.2f ", b / hz }' /proc/stat
	now_ms
}

# harm_turn manual|auto SECONDS WARM: prints pCPUs used and waited for, on average, those used by others, and pins made. AUTO
# puts back what it did at its end.
harm_turn() {
	local before after pins=0
	if [ "$1" = auto ]; then json_start --no-config --auto=cpu -d 1; fi
	if [ "$1$AT" = auto0 ]; then wait_for 30 some_freed; fi
	sleep "$3"
	before=$(harm_totals)
	sleep "$2"
	after=$(harm_totals)
	if [ "$1" = auto ]; then
		pins=$(json '[.[].actions[] | select(.kind == "pin" and .outcome == "done")] | length')
		stop_batch
	fi
	say "$before $after $pins" | awk '{ s = ($8 - $4) / 1000
		printf "%.2f %.2f %.2f %d\n", ($5 - $1) / s, ($6 - $2) / s, ($7 - $3 - $5 + $1) / s, $9 }'
}

# harm_simulated: the same without and with minmove: pCPUs used and waited for, medians of three seeds.
harm_simulated() {
	{
		printf 'host\n\tpcpus 2\nvm g x%s\n\t%s\n' "$N" "$LIKE"
		[ -z "$AT" ] || printf '\tpin %s\n' "$AT"
	} >"$LAB/harm.scn"
	"$VMTOP" compare --json --seed 1 --seed 2 --seed 3 --end-time +300 --cpu-policy minmove -s delay=1 "$LAB/harm.scn" |
		jq -r 'def median(f): map(f / 300) | sort | .[1] * 100 | round / 100;
			.runs | group_by(.cpu_policy) | sort_by(.[0].cpu_policy != "none") |
			map(median(.work_vcpu_s), median(.waiting_vcpu_s)) | @tsv'
}

# harm LOAD TURNS SECONDS WARM: MANUAL and AUTO in turns, beside the simulator.
harm() {
	local i kind result sim manual=() auto=() line
	harm_load "$1"
	harm_guests
	for i in $(seq "$2"); do
		for kind in manual auto; do
			result=$(harm_turn $kind "$3" "$4") || fail "$1: $(cat "$LAB/why" 2>/dev/null || say "turn $i fails")"
			if [ $kind = manual ]; then manual+=("$result"); else auto+=("$result"); fi
		done
	done
	guests_end
	sim=$(harm_simulated)
	line=$(say "$(printf '%s\n' "${manual[@]}" | harm_mean) $(printf '%s\n' "${auto[@]}" | harm_mean) $sim")
	note "$1 ($LAB_TYPE): $(say "$line" | awk '{ printf "used %.2f, waited %.2f, with AUTO %.2f, %.2f; simulated %.2f, %.2f, with AUTO %.2f, %.2f; others used %.2f", $1, $2, $5, $6, $9, $10, $11, $12, $3 }')"
	say "$line" | awk -v cure="${AT:-no}" -f "$LAB/harm.awk" || fail "$1: $(say "$line" | awk -v cure="${AT:-no}" -v tell=1 -f "$LAB/harm.awk")"
}
harm_mean() { awk '{ u += $1; w += $2; o += $3; p += $4 } END { printf "%.3f %.3f %.3f %d", u / NR, w / NR, o / NR, p }'; }

# Fields: used, waited, used by others, pins, of MANUAL and of AUTO; used, waited of MANUAL and of AUTO in the simulator.
# What the guests want is what they use and wait for; how much of it they wait for, and whether vmtop sees room for a
# cure, is comparable only while the machine has little else to do. AUTO that made no pin has done nothing: then other
# work is what they waited for. The margin of .4: guests keep their rhythm, so a run is one draw of how their busy times
# overlap, and in 98 of 100 draws they wait by at most so much more or less than on average. The margin of AUTO: turns
# of MANUAL on a busy machine differ by up to a tenth of a pCPU.
harm_rules() {
	cat >"$LAB/harm.awk" <<-'AWK'
	function bad(text) { why = why (why ? "; " : "") text }
	function far(a, b, most) { return a - b > most || b - a > most }
	{
		quiet = $3 < .3 && $7 < .3
		if (far($1 + $2, $9 + $10, .1 * ($9 + $10)))
			bad("wants " $1 + $2 " pCPUs, simulated " $9 + $10)
		if (quiet && far($2, $10, .4))
			bad("waits " $2 " without vmtop, simulated " $10)
		if (cure != "no") {
			if (quiet && $6 > .8 * $2) bad("waits " $6 " with AUTO, " $2 " without: not cured")
			if (quiet && $5 < $1) bad("uses less with AUTO: " $5 ", " $1 " without")
			if ($12 > .5 * $10) bad("simulated waits " $12 " with AUTO, " $10 " without: not cured")
		}
		if ($6 > 1.1 * $2 + .1 && (quiet || $8 > 0)) bad("waits " $6 " with AUTO, " $2 " without")
		if ($12 > 1.02 * $10 + .01) bad("simulated waits " $12 " with AUTO, " $10 " without")
	}
	END { if (tell) print why; exit why != "" }
	AWK
}

test_harm() {
	local load
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	harm_rules
	for load in float-steady float-bursts stacked; do harm $load 1 4 4; done
}

# Ten minutes each.
test_harm_long() {
	local load
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	harm_rules
	for load in float-steady float-bursts stacked; do harm $load 2 145 5; done
}

# The CPU shares of a guest as libvirt knows them.
cpu_shares() { virsh -q schedinfo "$1" --live | awk '$1 == "cpu_shares" { print $3 }'; }
lifted() { json_true 'any(.[].actions[]; .kind == "shares" and .reason == "lift" and .outcome == "done")'; }

# Real control groups: a guest with four busy vCPUs beside four with one counts for no more than each of them.
test_shares() {
	local found
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	[ -w /sys/fs/cgroup/cpu/cgroup.procs ] || skip "no CPU controller of version 1"
	[ -z "$(ls -d /sys/fs/cgroup/cpu/machine/*/ 2>/dev/null)" ] || skip "guests of this machine have control groups there"
	sed -i 's/^cgroup_controllers=.*/cgroup_controllers=["cpu"]/' /etc/libvirt/qemu.conf
	umount /sys/fs/cgroup/unified 2>/dev/null # a tree of version 2 without controllers beside them confuses libvirt
	kill "$(cat "$LAB/libvirtd.pid")"
	lab_libvirtd || fail "libvirtd does not start again"
	cpu_guest big 10 "$TWO" 4 || skip "no guest starts under the CPU controller"
	for vm in g1 g2 g3 g4; do cpu_guest $vm 10 "$TWO" || fail "guest $vm does not start"; done
	found=$(cpu_shares big)
	[ "${found:-0}" -gt 0 ] || skip "libvirt has no CPU controller here: $(virsh schedinfo big --live 2>&1 | tail -1)"
	json_start --no-config --auto=cpu --set shares=yes -d 1
	eventually 120 "more shares for the large guest" lifted
	expect "as libvirt has it" [ "$(cpu_shares big)" -gt "$found" ]
	note "from $found to $(cpu_shares big): $(json '[.[].actions[] | select(.kind == "shares")][0].why')"
	expect "nobody else is touched" json_true 'all(.[].actions[]; .kind != "shares" or .vm == "big")'
	stop_batch
	expect_eq "shares at the end" "$(cpu_shares big)" "$found"
	guests_end
	rmdir /sys/fs/cgroup/cpu/machine 2>/dev/null || true
}
