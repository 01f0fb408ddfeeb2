# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tests_daemons.sh: other daemons than the system's libvirtd: a user's own (qemu:///session), and libvirt's modular ones,
# virtqemud with virtsecretd, where they are installed.

# ---- a user's own ----

USER_URI=qemu:///session
USER_RUNS=(setpriv --reuid 65534 --regid 65534 --clear-groups -- env HOME="$LAB/user" USER=nobody XDG_RUNTIME_DIR="$LAB/user/run"
	XDG_CONFIG_HOME="$LAB/user/config" XDG_CACHE_HOME="$LAB/user/cache" XDG_STATE_HOME="$LAB/user/state")
user_virsh() { "${USER_RUNS[@]}" virsh -q -c $USER_URI "$@"; }
user_pinned() { user_virsh vcpuinfo "$1" --pretty | awk '/^CPU Affinity:/ {print $3}'; }
user_two_and_two() { [ "$(for vm in "${FOUR[@]}"; do user_pinned "$vm"; done | sort | xargs)" = "0 0 1 1" ]; }
user_as_found() { [ "$(for vm in "${FOUR[@]}"; do user_pinned "$vm"; done | xargs)" = "0 0 0 0" ]; }
user_claimed() { user_virsh secret-list | grep -q steers-this-host; }
user_libvirtd() { cat "$LAB/user/run/libvirt/libvirtd.pid"; }

# A user without any right on the system's libvirtd steers the guests of his own; his daemon ends under it and comes back.
test_session() {
	local vm pid
	[ "$(nproc)" -ge 2 ] || skip "needs two pCPUs"
	chmod 755 "$LAB"
	mkdir -p "$LAB/user/run" && chmod 700 "$LAB/user/run" && chown -R 65534:65534 "$LAB/user"
	"${USER_RUNS[@]}" test -x "$VMTOP" || skip "the build folder is closed to other users"
	for vm in "${FOUR[@]}"; do
		PIN=0 cpu_xml "$vm" 10 "$TWO" | "${USER_RUNS[@]}" tee "$LAB/user/$vm.xml" >/dev/null
		user_virsh create "$LAB/user/$vm.xml" >/dev/null || fail "guest $vm does not start"
	done
	"${USER_RUNS[@]}" "$VMTOP" --json --no-config -c $USER_URI --auto=cpu --granularity cpu -d 1 >"$JSON_OUT" 2>"$LAB/stderr" &
	BATCH=$!
	echo $BATCH >>"$LAB/pids"
	eventually 60 "two guests on each pCPU" user_two_and_two
	expect "its URI" json_true ".[-1].uri == \"$USER_URI\""
	expect "the claim is in his libvirtd" user_claimed
	expect "and not in the system's" no_claim
	pid=$(user_libvirtd)
	kill -KILL "$pid"
	more_objects 4
	user_virsh uri >/dev/null || fail "the user's libvirtd does not start again"
	expect "it is another one" [ "$(user_libvirtd)" != "$pid" ]
	eventually 40 "the claim in the new one" user_claimed
	kill -TERM "$BATCH"
	json_end 60
	expect "as found" user_as_found
	expect "no claim is left" [ "$(user_virsh secret-list | grep -c steers-this-host)" = 0 ]
	user_end
}
user_end() {
	local vm
	for vm in $(user_virsh list --name); do user_virsh destroy "$vm" >/dev/null; done
	kill "$(user_libvirtd)"
	rm -rf "$LAB/user"
}

# ---- the modular ones ----

MODULAR=(virtqemud virtsecretd)
modular_start() { # NAME...
	local name
	for name; do
		"$name" -p "$LAB/$name.pid" >>"$LAB/$name.log" 2>&1 &
		disown
	done
	wait_for 20 virsh -q uri >/dev/null || { tail -n 3 "$LAB"/virt*.log; fail "${*} does not answer"; }
}
modular_end() {
	local name
	for name in "${MODULAR[@]}"; do
		[ ! -s "$LAB/$name.pid" ] || kill -KILL "$(<"$LAB/$name.pid")"
	done 2>/dev/null
	rm -f /run/libvirt/virt*d-sock*
}

# virtqemud and virtsecretd instead of libvirtd: the claim is in a daemon of its own. Each of them ends under vmtop and comes
# back; without virtsecretd nobody can claim the host.
test_modular() {
	local name
	for name in "${MODULAR[@]}"; do command -v "$name" >/dev/null || skip "$name is not installed (Debian 12 has libvirtd alone)"; done
	guests_end
	kill -TERM "$(libvirtd_pid)"
	wait_for 10 libvirtd_gone || kill -KILL "$(libvirtd_pid)"
	rm -f /run/libvirt/libvirt-sock*
	modular_start "${MODULAR[@]}"
	four_stacked
	json_start --no-config --auto=cpu --granularity cpu -d 1
	eventually 60 "two guests on each pCPU" two_and_two
	expect "the claim in virtsecretd" claimed
	kill -KILL "$(<"$LAB/virtqemud.pid")"
	more_objects 4
	modular_start virtqemud
	two_more
	eventually 90 "three guests on each pCPU" three_and_three
	kill -KILL "$(<"$LAB/virtsecretd.pid")"
	more_objects 10
	modular_start virtsecretd
	eventually 60 "the claim in the new virtsecretd" claimed
	kill -TERM "$BATCH"
	json_end 60
	expect_eq "guests as found" "$(count_pinned 0 "${FOUR[@]}" g5 g6)" 6
	expect "no claim is left" no_claim
	guests_end
	modular_end
	lab_libvirtd
}
