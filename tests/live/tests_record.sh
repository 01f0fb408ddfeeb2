# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_record.sh: a run on real guests is recorded, vmtop is killed, and the recording tells what happened.
# KEEP_FIGURES, a folder, gets the figures of the report, to be looked at.

REC=$LAB/run.db
# rec SQL: the first column of what a recording answers, a line each.
rec() { python3 -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(row[0])' "$REC" "$1"; }
# What both outputs must tell alike, an object a line.
told() {
	sed '/[^}]$/d' "$1" | jq -c '{time, host: .host.cpu | {busy_pct, load_stddev_pct, pcpus},
		vms: [.vms[] | {name, id, state, cpu_pct, wait_pct, vcpus}] | sort_by(.name)}'
}

test_record_killed() {
	four_stacked
	rm -f "$REC"*
	json_start "${KEEP[@]}" --auto=cpu --granularity cpu -d 0.5 --record "$REC"
	eventually 30 "two guests on each pCPU" two_and_two
	eventually 60 "twelve objects" json_true 'length >= 12'
	kill -KILL "$BATCH"
	eventually 5 "its end" batch_gone
	told "$JSON_OUT" >"$LAB/live.told"
	expect_eq "integrity of the recording" "$(rec 'PRAGMA integrity_check')" ok
	expect_eq "pins recorded" "$(rec "SELECT count(*) FROM action WHERE kind = 'pin' AND outcome = 'done'")" 2
	expect_eq "guests recorded" "$(rec 'SELECT name FROM vm ORDER BY name' | xargs)" "g1 g2 g3 g4"
	timeout 60 "$VMTOP" --no-config --replay "$REC" --json --virtual-time >"$LAB/replay.json" 2>"$LAB/stderr" ||
		fail "the replay ended with status $?: $(cat "$LAB/stderr")"
	told "$LAB/replay.json" >"$LAB/replay.told"
	# The kill may have come between the last tick's output and its recording, and the other way round.
	head -n -1 "$LAB/live.told" >"$LAB/sure.told"
	head -n "$(wc -l <"$LAB/sure.told")" "$LAB/replay.told" | cmp -s "$LAB/sure.told" - ||
		fail "the replay tells otherwise: $(diff "$LAB/sure.told" "$LAB/replay.told" | head -2 | cut -c1-300 | xargs -0)"
	note "$(wc -l <"$LAB/sure.told") ticks the same"
	"$VMTOP" compare "$REC" --json >"$LAB/compare.json" 2>"$LAB/stderr" || fail "compare: $(cat "$LAB/stderr")"
	expect_eq "policies compared" "$(jq -r '[.runs[].cpu_policy] | unique | join(" ")' "$LAB/compare.json")" \
		"minmove none origin-a origin-b origin-c recorded"
	if command -v gnuplot >/dev/null; then
		"$VMTOP" report "$REC" "$LAB/figures" >/dev/null 2>"$LAB/stderr" || fail "report: $(cat "$LAB/stderr")"
		[ -s "$LAB/figures/deviation.png" ] || fail "the report has no figures"
		[ -z "${KEEP_FIGURES:-}" ] || cp -r "$LAB/figures" "$LAB/compare.json" "$KEEP_FIGURES"
	fi
	vmtop_start --no-config --replay "$REC"
	eventually 10 "the guests on the screen" term_shows 'g4'
	vmtop_quit
}
