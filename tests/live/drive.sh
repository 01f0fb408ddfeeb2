# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# drive.sh: vmtop as its users start it, in batch and in a terminal, and what a test says about it. Sourced after
# lab.sh. A test is a function that runs in a subshell of its own and ends with fail or by returning.

# Pins of a test's guests are read back after the end, so they are kept unless a test says otherwise.
# shellcheck disable=SC2034 # used by the tests
KEEP=(--no-config --on-exit keep)

fail() {
	printf '%s\n' "$*" >"$LAB/why"
	exit 1
}
skip() {
	printf '%s\n' "$*" >"$LAB/why"
	exit 77
}
# note TEXT: stands in the line of this test.
note() { printf '; %s' "$*" >>"$LAB/note"; }
# expect WHAT COMMAND...: WHAT names what should have held.
expect() {
	local what=$1
	shift
	"$@" || fail "not so: $what"
}
# expect_eq WHAT GOT WANTED
expect_eq() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; }
# eventually SECONDS WHAT COMMAND...
eventually() {
	local seconds=$1 what=$2
	shift 2
	wait_for "$seconds" "$@" || fail "not within $seconds s: $what"
}

# ---- batch ----------------------------------------------------------------------------------------------------

JSON_OUT=$LAB/json
# Starts vmtop with JSON output in the background; its objects go to JSON_OUT.
json_start() {
	: >"$JSON_OUT"
	"$VMTOP" --json "$@" >"$JSON_OUT" 2>"$LAB/stderr" &
	BATCH=$!
	echo "$BATCH" >>"$LAB/pids"
}
# Waits for its end, which must come within SECONDS and be a success.
json_end() {
	wait_for "$1" batch_gone || fail "vmtop still runs after $1 s"
	wait "$BATCH" || fail "vmtop ended with status $?: $(tail -1 "$LAB/stderr")"
	expect "every line of JSON keeps the contract" json_contract
}
# shellcheck disable=SC2317 # called by name
batch_gone() { ! kill -0 "$BATCH" || [ "$(ps -o stat= -p "$BATCH" | cut -c1)" = Z ]; }
json_run() {
	local seconds=$1
	shift
	json_start "$@"
	json_end "$seconds"
}
# json FILTER: over all objects so far, as one array; a last line that is being written is left out.
json() { sed '/[^}]$/d' "$JSON_OUT" | jq -rs "$1"; }
json_true() { [ "$(json "$1")" = true ]; }
json_contract() {
	jq -es 'length > 0 and all(.[]; .schema == 1
		and (.time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+([+-][0-9:]+|Z)$"))
		and has("elapsed_s") and (.uri | type == "string")
		and (.mode | .cpu | IN("auto", "manual")) and (.mode | .memory | IN("auto", "manual"))
		and (.mode.dry_run | type == "boolean") and (.mode.readonly | type == "boolean")
		and (.policy | has("cpu") and has("memory"))
		and (.host | has("name") and (.cpu | has("busy_pct") and has("load_stddev_pct"))
			and all(.cpu.pcpus[]; has("id") and has("node") and has("busy_pct") and has("load_pct"))
			and (.memory | has("total_kib") and has("available_kib")))
		and all(.vms[]; has("name") and has("uuid") and has("id") and has("state") and has("cpu_pct")
			and has("wait_pct")
			and all(.vcpus[]; has("id") and has("usage_pct") and has("wait_pct") and has("demand_pct")
				and has("pcpu") and has("affinity"))
			and (.memory | has("max_kib") and has("balloon_kib") and has("target_kib")
				and has("unused_kib") and has("usable_kib") and has("rss_kib") and has("age_s")
				and has("reason")))
		and all(.actions[]; (.kind | type == "string") and has("vm") and has("vcpu") and has("from")
			and has("to") and has("why") and has("error")
			and (.outcome | IN("done", "failed", "skipped", "planned", "unknown"))))' \
		"$JSON_OUT" >/dev/null
}

# ---- a terminal -----------------------------------------------------------------------------------------------

mux() { tmux -S "$LAB/tmux" -f /dev/null "$@"; }
# A terminal of 120x40 with a shell in it.
term_start() {
	mux new-session -d -x 120 -y 40 -s t "env PS1='shell$ ' bash --norc --noprofile"
	eventually 20 "a shell in the terminal" term_shows '^shell\$$'
}
# Its server is gone afterwards: a new terminal would still find the old one.
term_end() {
	local server
	server=$(mux display -p '#{pid}')
	mux kill-server
	wait_for 10 gone "$server" || fail "the terminal's server does not end"
}
# shellcheck disable=SC2317 # called by name
gone() { ! kill -0 "$1" 2>/dev/null; }
term_text() { mux capture-pane -p -t t; }
# shellcheck disable=SC2317 # called by name
term_shows() { term_text | sed '/^$/d' | grep -qE -- "$1"; }
# shellcheck disable=SC2317 # called by name
term_lacks() { ! term_shows "$1"; }
term_keys() { mux send-keys -t t "$@"; }
# vmtop_start ARG...: vmtop in a new terminal; "status N" is printed after it.
vmtop_start() {
	term_start
	term_keys "stty -a >$LAB/stty.before; $VMTOP ${*@Q}; echo status \$?; stty -a >$LAB/stty.after" Enter
	# shellcheck disable=SC2034
	eventually 30 "the first screen" term_shows 'MANUAL|AUTO'
}
vmtop_pid() { pgrep -x vmtop -P "$(mux display -p -t t '#{pane_pid}')"; }
# Leaves vmtop by its key, whatever it asks.
vmtop_quit() {
	term_keys q
	vmtop_ended 0
}
# The shell is back, with this status, and the terminal is as it was.
vmtop_ended() {
	eventually 30 "the end of vmtop" term_shows '^status [0-9]+'
	expect_eq "exit status" "$(term_text | sed -n 's/^status //p' | tail -1)" "$1"
	eventually 10 "the shell's prompt" term_shows '^shell\$$'
	expect "terminal settings as before" cmp -s "$LAB/stty.before" "$LAB/stty.after"
	expect_eq "alternate screen, cursor, mouse, keypad" \
		"$(mux display -p -t t '#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_flag} #{keypad_cursor_flag}')" "0 1 0 0 0"
}

# ---- what happened, as libvirt tells it -----------------------------------------------------------------------

# From here on, events are counted.
events_start() {
	virsh event --all --loop >"$LAB/events" 2>&1 &
	echo $! >>"$LAB/pids"
	sleep 0.5
}
pins_made() { grep -c 'cputune.vcpupin' "$LAB/events"; }

# The definitions that outlive the guests.
definitions() {
	local vm
	for vm in $(virsh -q list --all --persistent --name); do virsh dumpxml --inactive "$vm"; done
}

# ---- running tests --------------------------------------------------------------------------------------------

# Everything that a test may have left.
test_clean() {
	local pid
	for pid in $(vmtop_pid 2>/dev/null) $(cat "$LAB/pids" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null; done
	mux kill-server 2>/dev/null
	fleet_end
	virsh -q uri >/dev/null 2>&1 || lab_libvirtd
	guests_end
	rm -rf "$LAB"/{state,events,owners,*.json,*.err} "$LAB/pids" "$LAB"/*.console
}

# What a failed test leaves for its reader.
test_keep() {
	local to=$LAB_CACHE/failed/$1
	rm -rf "$to"
	mkdir -p "$to"
	term_text >"$LAB/screen" 2>/dev/null
	cp "$LAB"/{json,stderr,second.err,screen,events,owners,out,err,auto,need,waits} "$LAB"/*.{log,json,err,console} /var/log/libvirt/qemu/*.log "$to" 2>/dev/null
}

# test_once NAME: test_NAME in a subshell; leaves $status and $took (tenths of a second).
test_once() {
	local start
	start=$(now_ms) status=0
	rm -f "$LAB"/{why,note,json,stderr,out,err,log,auto,auto.err,driver.log}
	("test_$1") >"$LAB/test.log" 2>&1 || status=$?
	took=$((($(now_ms) - start) / 100))
}

# test_run NAME: test_NAME, and its line. What else a machine does changes how its pCPUs are loaded: a test that failed
# gets a second go on fresh guests, and the line says so.
test_run() {
	local status took again=''
	test_once "$1"
	if [ $status != 0 ] && [ $status != 77 ]; then
		test_keep "$1"
		again="; at the first go: $(cat "$LAB/why" 2>/dev/null || tail -1 "$LAB/test.log")"
		test_clean
		sleep 5
		test_once "$1"
	fi
	case $status in
	0) report_ok "$1" "$((took / 10)).$((took % 10)) s$(cat "$LAB/note" 2>/dev/null)$again" ;;
	77) report_skip "$1" "$(cat "$LAB/why")" ;;
	*)
		test_keep "$1"
		report_fail "$1" "$(cat "$LAB/why" 2>/dev/null || tail -1 "$LAB/test.log")$again"
		;;
	esac
	test_clean
}
