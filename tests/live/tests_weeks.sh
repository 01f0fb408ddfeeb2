# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_weeks.sh: what happens to vmtop as a service in weeks, in minutes. It is started with the command of
# packaging/vmtop.service over real guests, of which it pins some and takes memory from one. The program of the version
# before is killed in the middle of an upgrade, and the new one takes over its journal; settings are read again, the log
# is rotated, libvirtd is started again each night, the program ends by itself fourteen times in a row; Prometheus looks all the
# while, and what is recorded stays within its size. At the end all is as found.
#
# WEEKS_OLD: the commit that the version before is built from, once; by default the last one of 0.1.0. Where there is no
# history the tree itself is built as 0.0.9.

WEEKS_OLD=${WEEKS_OLD:-804a3cae33167f6cfcfd3cfcbcd45e53b263e4e9}
WEEKS_MIB=4 # what recordings may take

# ---- the version before ----

weeks_build() { nice make -s -C "$1" -j2 OPT=-O0 WERROR= "${@:2}" build/vmtop >"$LAB/old.log" 2>&1; }
# The program; in OLD.
weeks_old() {
	local to=$LAB_CACHE/old-${WEEKS_OLD:0:12}
	OLD=$to/build/vmtop
	[ ! -x "$OLD" ] || return 0
	rm -rf "$to" && mkdir -p "$to"
	if git -c safe.directory='*' -C "$TOP" archive "$WEEKS_OLD" 2>/dev/null | tar -x -C "$to" 2>/dev/null; then
		weeks_build "$to"
	else
		tar -C "$TOP" --exclude='./build*' --exclude=./.git -c . | tar -x -C "$to"
		weeks_build "$to" VERSION=0.0.9
	fi || fail "the version before does not build: $(tail -n 3 "$LAB/old.log")"
}

# ---- the service ----

# service_start PROGRAM [ARG...]: the unit's command with this program, and what systemctl edit added. Its process is
# SERVICE; systemd's journal is LAB/journal.
service_start() {
	local words
	read -ra words <<<"$(sed -n 's/^ExecStart=//p' "$TOP/packaging/vmtop.service")"
	setsid "$1" "${words[@]:1}" --config "$LAB/vmtop.conf" "${@:2}" >>"$LAB/journal" 2>&1 </dev/null &
	SERVICE=$!
	echo $SERVICE >>"$LAB/pids"
}
# service_stop: as systemd does it, within the unit's time.
service_stop() {
	kill -TERM $SERVICE
	wait_for "$(sed -n 's/^TimeoutStopSec=//p' "$TOP/packaging/vmtop.service")" service_gone || fail "the service does not end"
	wait $SERVICE || fail "the service ended with status $?: $(tail -n 2 "$LAB/journal")"
}
service_gone() { ! kill -0 $SERVICE || [ "$(ps -o stat= -p $SERVICE | cut -c1)" = Z ]; }
service_crash() {
	kill -KILL $SERVICE
	wait $SERVICE 2>/dev/null
}
new_service() { service_start "$VMTOP" --record "$LAB/weeks.rec"; }
logged() { grep -q -- "$1" "$LAB/vmtop.log"; }
logs_again() { # TEXT: more often than LOGGED times
	[ "$(grep -c -- "$1" "$LAB/vmtop.log")" -gt "$LOGGED" ]
}

weeks_settings() { # what both versions know; then ARG..., lines of their own
	printf '%s\n' 'auto = cpu,memory' 'delay = 1' 'granularity = cpu' 'cpu_policy = minmove' 'reclaim = proactive' 'memory_cycle = 1' \
		'mem_boot = 0' 'mem_hold = 3' 'mem_decay = 5' "output = $LAB/vmtop.log" "$@" >"$LAB/vmtop.conf"
}
new_settings() { weeks_settings "listen = $METRICS_PORT" "record_size = ${WEEKS_MIB}M" "$@"; }

# ---- what is found, and what is there of vmtop ----

# A vCPU that was pinned once keeps an entry in libvirt; which pCPUs it may use says what counts.
weeks_state() {
	local vm
	for vm in "${FOUR[@]}" idle; do
		virsh -q dumpxml "$vm" | grep -E '<shares|<stats period|urn:vmtop|<currentMemory' | sed "s/^ */$vm: /"
		say "$vm: may use $(pinned "$vm"), balloon $(balloon "$vm")"
	done
	find "$XDG_STATE_HOME" -type f -size +0 -printf 'journal %f\n' 2>/dev/null
}
as_found() { weeks_state | cmp -s "$LAB/found" -; }
# A balloon comes back in steps.
put_back() {
	LAB_POLL=0.5 wait_for 40 as_found ||
		fail "$1: not as found: $(weeks_state | diff "$LAB/found" - | grep '^[<>]' | head -n 6 | tr '\n' ';')"
}
shrunk() { [ "$(balloon idle)" -lt $((500 * MIB)) ]; }
claimed() { virsh -q secret-list | grep -q steers-this-host; }
claimed_by() { scrape && [ "$(metric vmtop_host_claim 'state="ours"')" = "$1" ]; }
recorded_kib() { du -ck --apparent-size "$LAB"/weeks.rec* | tail -n 1 | cut -f1; }
recordings() { find "$LAB" -maxdepth 1 -name 'weeks.rec*' ! -name '*-wal' ! -name '*-shm' | sort; }
# Of the files without their write-ahead logs, which are a few MiB while they are written.
within_size() {
	local kib
	kib=$(find "$LAB" -maxdepth 1 -name 'weeks.rec*' ! -name '*-wal' ! -name '*-shm' -printf '%s\n' | awk '{n += $1} END {print int(n / 1024)}')
	[ "$kib" -le $((WEEKS_MIB * 1024)) ]
}
service_size() { awk '/^VmRSS/ { print $2 }' "/proc/$SERVICE/status"; }
service_files() { find "/proc/$SERVICE/fd" | wc -l; }

# ---- chapters ----

# An upgrade whose end was not waited for: what the version before pinned and took is put on in the new one's books.
weeks_upgrade() {
	weeks_settings
	service_start "$OLD"
	eventually 60 "the version before pins" two_and_two
	eventually 60 "and takes memory from the idle guest" shrunk
	timeout 60 "$VMTOP" --no-config -c qemu:///system --batch -n 1 -d 1 --auto=cpu --yes >"$LAB/second" 2>&1
	expect "the new version beside it watches" grep -qE 'steers this host' "$LAB/second"
	expect "and leaves its pins" two_and_two
	service_crash
	new_settings
	new_service
	eventually 20 "the new version says what was left" logged 'an earlier vmtop left its changes on up to [0-9]* VM'
	eventually 20 "it claims the host" claimed_by 1
	expect "no line of the journal is lost on it" [ "$(grep -c 'of the journal is not used' "$LAB/vmtop.log")" = 0 ]
	eventually 30 "its pins" two_and_two
	note "taken over from $("$OLD" --version 2>&1 | head -n 1)"
}
weeks_reload() {
	new_settings 'cpu_policy = origin-c'
	kill -HUP $SERVICE
	eventually 10 "the settings are read again" logged 'settings read again: CPU AUTO origin-c, memory AUTO'
	new_settings
	LOGGED=$(grep -c 'settings read again' "$LAB/vmtop.log")
	kill -HUP $SERVICE
	eventually 10 "and again" logs_again 'settings read again'
}
# As logrotate does it: moved away, and the service told.
weeks_rotate() {
	mv "$LAB/vmtop.log" "$LAB/vmtop.log.1"
	kill -HUP $SERVICE
	eventually 10 "a new log" test -s "$LAB/vmtop.log"
	expect "its first line is of now" logged 'settings read again'
	LOGGED=$(wc -l <"$LAB/vmtop.log.1")
	eventually 20 "lines in the new log" [ "$(wc -l <"$LAB/vmtop.log")" -ge 1 ]
	expect_eq "lines in the old one" "$(wc -l <"$LAB/vmtop.log.1")" "$LOGGED"
}
weeks_night() {
	kill -TERM "$(libvirtd_pid)"
	wait_for 20 libvirtd_gone || kill -KILL "$(libvirtd_pid)"
	expect "metrics without libvirtd" scrape
	sleep "$1"
	lab_libvirtd || fail "libvirtd does not start again"
	eventually 40 "the claim in the new libvirtd" claimed
	eventually 20 "and the metrics say so" claimed_by 1
	# A guest that comes in the morning is steered.
	PIN=0 cpu_guest "day$1" 10 "$TWO" || fail "guest day$1 does not start"
	eventually 90 "three guests at most on each pCPU" spread_out "day$1"
	virsh -q destroy "day$1" >/dev/null
}
libvirtd_gone() { ! kill -0 "$(libvirtd_pid)"; }
spread_out() { [ "$(count_pinned 0 "${FOUR[@]}" "$1")" -le 3 ] && [ "$(count_pinned 1 "${FOUR[@]}" "$1")" -ge 2 ]; }
# It ends by itself and is started again, which systemd does after RestartSec.
weeks_crashes() {
	local i
	for i in $(seq 14); do
		service_crash
		new_service
		eventually 20 "start $i after an end by itself" claimed_by 1
		eventually 10 "recordings below $WEEKS_MIB MiB" within_size
		sleep 1
	done
	expect "the first recording has gone" [ ! -e "$LAB/weeks.rec" ]
	note "$(recordings | wc -l) recordings of $(recorded_kib) KiB with their logs"
}

test_weeks() {
	local rss files file
	memory_needs
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	weeks_old
	rm -f "$LAB"/weeks.rec* "$LAB/journal" "$LAB"/vmtop.log*
	four_stacked
	mem_guest idle 512 512 || fail "guest does not start"
	guest_up idle 512
	weeks_state >"$LAB/found"
	weeks_upgrade
	weeks_reload
	rss=$(service_size) files=$(service_files)
	weeks_rotate
	weeks_night 3
	weeks_night 6
	weeks_rotate
	note "RSS $rss to $(service_size) KiB, $files to $(service_files) descriptors"
	expect "memory stays flat" [ "$(service_size)" -lt $((rss + 4096)) ]
	expect "descriptors too" [ "$(service_files)" -le $((files + 3)) ]
	expect "guests are steered" two_and_two

	# The upgrade in good order: all is put back, and the new program begins anew.
	service_stop
	put_back "after the first end"
	new_service
	eventually 60 "pins again" two_and_two
	weeks_crashes
	eventually 60 "pins after all" two_and_two
	service_stop
	put_back "after the last end"
	expect "no claim is left" no_claim
	for file in $(recordings); do
		timeout 60 "$VMTOP" --no-config --replay "$file" --json --virtual-time >"$LAB/replay.json" 2>"$LAB/stderr" ||
			[ "$(sqlite3 "$file" 'SELECT count(*) < 3 FROM tick')" = 1 ] ||
			fail "a recording cannot be played: $file: $(cat "$LAB/stderr")"
	done
	expect_eq "guests with something killed" "$(killed_in idle)" ""
}
