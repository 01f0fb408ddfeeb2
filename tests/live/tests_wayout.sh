# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_wayout.sh: the end of a run while libvirtd is stopped, or killed and started again, at each tenth of a second
# around the end. As found, or status 1 with the rest named and --restore puts it back; nothing in between.

# All of them: WAY_OUT_FROM=-10 WAY_OUT_TO=10 WAY_OUT_STEP=1, a quarter of an hour for each fault.
WAY_OUT_FROM=${WAY_OUT_FROM:--5} WAY_OUT_TO=${WAY_OUT_TO:-5} WAY_OUT_STEP=${WAY_OUT_STEP:-10}
WAY_OUT_KINDS=${WAY_OUT_KINDS:-batch key signal restore}

# Four guests on pCPU 0, two of which a vmtop that was killed has moved; its journal is kept.
way_out_prepare() {
	four_stacked
	json_start --no-config --auto=cpu --granularity cpu -d 1
	eventually 60 "two guests on each pCPU" two_and_two
	kill -KILL "$BATCH"
	eventually 5 "its end" batch_gone
	MOVED=()
	for vm in "${FOUR[@]}"; do [ "$(pinned "$vm")" != 1 ] || MOVED+=("$vm"); done
	rm -rf "$LAB/state.kept"
	cp -a "$LAB/state" "$LAB/state.kept"
}

# As after that crash.
way_out_again() {
	local vm
	rm -rf "$LAB/state"
	cp -a "$LAB/state.kept" "$LAB/state"
	for vm in "${MOVED[@]}"; do pin "$vm" 1; done
}

# An upgrade, as a service manager does it: one ends in order, and the next one starts.
libvirtd_again() {
	local was
	was=$(libvirtd_pid)
	kill -TERM "$was"
	wait_for 20 gone "$was" || kill -KILL "$was"
	lab_libvirtd
}

# fault stop|kill|restart|twice: what happens to libvirtd, in the background.
fault() {
	case $1 in
	stop) (kill -STOP "$(libvirtd_pid)"; sleep 5; kill -CONT "$(libvirtd_pid)") & ;;
	kill) (kill -KILL "$(libvirtd_pid)"; sleep 2; lab_libvirtd) >/dev/null 2>&1 & ;;
	restart) libvirtd_again >/dev/null 2>&1 & ;;
	twice) (libvirtd_again; sleep 0.3; kill -KILL "$(libvirtd_pid)"; sleep 1; lab_libvirtd) >/dev/null 2>&1 & ;;
	esac
	FAULT=$!
}

# end_of KIND: vmtop is asked to end. Its status and what it said are waited for in way_out_status.
end_of() {
	case $1 in
	batch) kill -TERM "$BATCH" ;;
	key) term_keys q ;;
	signal) kill -TERM "$(vmtop_pid)" ;;
	restore) ("$VMTOP" --no-config --restore >"$LAB/said" 2>"$LAB/stderr"; echo $? >"$LAB/status") & ;;
	esac
}
begin_of() {
	rm -f "$LAB/status"
	case $1 in
	batch)
		json_start --no-config --auto=cpu --granularity cpu -d 1
		eventually 20 "the first object" test -s "$JSON_OUT"
		;;
	key | signal) vmtop_start --no-config --on-exit restore -d 1 ;;
	esac
}
way_out_status() {
	case $1 in
	batch)
		eventually 70 "the end of vmtop" batch_gone
		wait "$BATCH"
		STATUS=$?
		cp "$LAB/stderr" "$LAB/said"
		;;
	key | signal)
		eventually 70 "the end of vmtop" term_shows '^status [0-9]+'
		STATUS=$(term_text | sed -n 's/^status //p' | tail -1)
		term_text >"$LAB/said"
		cp "$LAB/said" "$LAB/stderr"
		mux kill-server
		;;
	restore)
		eventually 70 "the end of --restore" test -s "$LAB/status"
		STATUS=$(cat "$LAB/status")
		;;
	esac
}

# tenths N: as seconds.
tenths() { printf '%d.%d' $(($1 / 10)) $(($1 % 10)); }

# way_out FAULT KIND TENTHS: the end comes so long after the fault (or before it, if negative).
way_out() {
	way_out_again
	begin_of "$2"
	if [ "$3" -lt 0 ]; then
		end_of "$2"
		sleep "$(tenths $((-$3)))"
		fault "$1"
	else
		fault "$1"
		sleep "$(tenths "$3")"
		end_of "$2"
	fi
	way_out_status "$2"
	wait "$FAULT"
	wait_for 20 virsh -q uri >/dev/null || fail "libvirtd is not back"
	if [ "$STATUS" != 0 ]; then
		REST=$((REST + 1))
		expect_eq "status of $*" "$STATUS" 1
		grep -q 'could not be put back' "$LAB/stderr" || fail "$*: status 1, and nothing said of what is left"
		"$VMTOP" --no-config --restore >/dev/null 2>&1 || fail "$*: --restore afterwards fails"
	fi
	[ "$STATUS" != 0 ] || [ "$2" = batch ] || grep -qE 'changes? put back' "$LAB/said" || fail "$*: not said that it was put back"
	expect_eq "guests as found after $*" "$(count_pinned 0 "${FOUR[@]}")" 4
	expect_eq "guests marked after $*" "$(count_marked "${FOUR[@]}")" 0
	DONE=$((DONE + 1))
}

way_out_all() {
	local kind at
	DONE=0 REST=0
	way_out_prepare
	for kind in $WAY_OUT_KINDS; do
		for ((at = WAY_OUT_FROM; at <= WAY_OUT_TO; at += WAY_OUT_STEP)); do way_out "$1" "$kind" "$at"; done
	done
	note "$DONE ends, $((DONE - REST)) as found, $REST said what was left"
}
test_way_out_stopped() { way_out_all stop; }
test_way_out_killed() { way_out_all kill; }
test_way_out_restarted() { way_out_all restart; }
# Restarted, and gone once more as soon as it answers.
test_way_out_twice() { way_out_all twice; }

# libvirtd stays away: one more signal leaves the rest, with a word, status 1, and --restore puts it back.
test_way_out_left() {
	local kind
	way_out_prepare
	for kind in batch key signal; do
		way_out_again
		begin_of "$kind"
		kill -STOP "$(libvirtd_pid)"
		end_of "$kind"
		sleep 4
		case $kind in
		batch) kill -TERM "$BATCH" ;;
		key) term_keys C-c ;;
		signal) kill -INT "$(vmtop_pid)" ;;
		esac
		LAB_BEGUN=$(now_ms)
		way_out_status "$kind"
		note "$kind left after $(($(now_ms) - LAB_BEGUN)) ms"
		[ $(($(now_ms) - LAB_BEGUN)) -lt 12000 ] || fail "$kind: not left soon after the signal"
		kill -CONT "$(libvirtd_pid)"
		expect_eq "status of $kind" "$STATUS" 1
		grep -qE 'could not be put back|what is not put back' "$LAB/stderr" || fail "$kind: nothing said of what is left"
		"$VMTOP" --no-config --restore >"$LAB/said" 2>&1 || fail "$kind: --restore afterwards: $(tail -n 1 "$LAB/said")"
		expect_eq "guests as found after $kind" "$(count_pinned 0 "${FOUR[@]}")" 4
		expect_eq "guests marked after $kind" "$(count_marked "${FOUR[@]}")" 0
	done
}
