# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# fleet.sh: several private hypervisors on one machine, each in mount, network and UTS namespaces of its own, with a leg
# in one bridge. Sourced after lab.sh and drive.sh. A host may have a pCPU and memory of its own: its libvirtd, guests and
# vmtop run on this pCPU alone, and its files in /proc and /sys show no other, nor what else the machine does on it.
#
# NODE[I] is the process whose namespaces are those of host I; HOST_CPU[I] its pCPU; HOST_MIB[I] what its /proc/meminfo
# says, "TOTAL AVAILABLE". The last two are optional, and set before fleet_start.

declare -a NODE HOST_CPU HOST_MIB INTO
NODE_FILES=(/proc/stat /proc/cpuinfo /proc/meminfo /sys/devices/system/cpu/{online,present,possible}
	/sys/devices/system/node/node0/{cpulist,cpumap})

# Prints why there can be no fleet here; prints nothing where there can.
fleet_missing() {
	local tool
	for tool in ip taskset nsenter; do
		command -v $tool >/dev/null || { say "$tool is not installed (tests/live/PACKAGES)"; return; }
	done
	[ "$(nproc)" -ge 2 ] || say "needs two pCPUs"
}

# The bridge, and what hosts show of the machine.
fleet_start() {
	local i
	fleet_end
	ip link set lo up
	ip link add br0 type bridge && ip addr add 10.99.0.254/24 dev br0 && ip link set br0 up || return 1
	for i in "${!HOST_CPU[@]}" "${!HOST_MIB[@]}"; do own_files "$i"; done
	[ -z "${HOST_CPU[*]}" ] || own_stat
	fleet_ssh
}

# Everything that runs on a host, and what else there is of it.
fleet_end() {
	local i pid
	for i in "$LAB"/node[0-9]*.mnt; do
		[ -e "$i" ] || break
		for pid in $(find -L /proc/[0-9]*/ns/mnt -inum "$(cat "$i")" 2>/dev/null | cut -d/ -f3); do kill -KILL "$pid" 2>/dev/null; done
	done
	for i in $(ip -o link | sed -n 's/^[0-9]*: \(br0\|v[0-9]*\)[@:].*/\1/p'); do ip link del "$i" 2>/dev/null; done
	rm -rf "$LAB"/{node,host,state}[0-9]*
	NODE=()
}

# The lab's ssh: HOST is hostI, and the command runs there. libvirt opens qemu+ssh://hostI/system by it.
fleet_ssh() {
	mkdir -p "$LAB/bin"
	cat >"$LAB/bin/ssh" <<-END
	#!/bin/sh
	while :; do
	    case \$1 in
	    --) shift; break ;;
	    -[eilop]) shift 2 ;;
	    -*) shift ;;
	    *) break ;;
	    esac
	done
	host=\${1##*@host}
	shift
	exec nsenter -t "\$(cat "$LAB/node\${host#host}.ns")" -m -n -u sh -c "\$*"
	END
	chmod 755 "$LAB/bin/ssh"
	PATH=$LAB/bin:$PATH
}

# ---- what a host shows of the machine -------------------------------------------------------------------------

# Files of host I that its namespace lays over the machine's; what is not among them shows the machine.
own_files() {
	local i=$1 at=$LAB/host$1 name
	mkdir -p "$at"
	if [ -n "${HOST_MIB[i]:-}" ]; then
		set -- ${HOST_MIB[i]}
		printf '%-16s%8d kB\n' MemTotal: $(($1 * 1024)) MemFree: $(($2 * 1024)) MemAvailable: $(($2 * 1024)) \
			Buffers: 0 Cached: 0 SwapTotal: 0 SwapFree: 0 >"$at/meminfo"
	fi
	[ -n "${HOST_CPU[i]:-}" ] || return 0
	for name in online present possible cpulist; do echo "${HOST_CPU[i]}" >"$at/$name"; done
	printf '%x\n' $((1 << HOST_CPU[i])) >"$at/cpumap"
	awk -v RS= -v want="${HOST_CPU[i]}" '/^processor/ && $3 == want {print $0 "\n"}' /proc/cpuinfo >"$at/cpuinfo"
}
# Keeps their /proc/stat.
own_stat() {
	local i words=()
	for i in "${!HOST_CPU[@]}"; do words+=("$i=${HOST_CPU[i]}"); done
	"$TOP/tests/live/own_stat.py" "$LAB" "${words[@]}" 2>"$LAB/own_stat.err" &
	echo $! >>"$LAB/pids"
	wait_for 10 test -s "$LAB/host$i/stat" || fail "the hosts have no /proc/stat: $(cat "$LAB/own_stat.err")"
}

# ---- a host ---------------------------------------------------------------------------------------------------

# node_main I: libvirtd of host I. Its folders are empty, but for the hook.
node_main() {
	local dir file i=$1
	mount --make-rprivate /
	for dir in /run "${LAB_FOLDERS[@]}"; do mount -t tmpfs -o mode=755 lab "$dir"; done
	for file in "${NODE_FILES[@]}"; do
		[ ! -e "$LAB/host$i/${file##*/}" ] || mount --bind "$LAB/host$i/${file##*/}" "$file"
	done
	mkdir -p /run/libvirt /run/lock /etc/libvirt/hooks/qemu.d
	hostname "host$i"
	ip link set lo up
	sed "s|/usr/local/bin/vmtop|$VMTOP|" "$TOP/packaging/libvirt-hook" >/etc/libvirt/hooks/qemu.d/vmtop
	# Also of a guest that has moved here (favour). Guests of hosts with a pCPU each are compared with each other: what else
	# the machine does on it would have them all wait.
	printf '%s\n' '#!/bin/sh' '[ "$2" != started ] || echo -15 >"/proc/$(cat "/run/libvirt/qemu/$1.pid")/autogroup"' 'exit 0' \
		>/etc/libvirt/hooks/qemu.d/weight
	chmod 755 /etc/libvirt/hooks/qemu.d/*
	printf '%s\n' 'user="root"' 'group="root"' 'security_driver="none"' 'cgroup_controllers=[]' 'namespaces=[]' \
		'stdio_handler="file"' 'migration_address="0.0.0.0"' "migration_host=\"10.99.0.$i\"" >/etc/libvirt/qemu.conf
	printf '%s\n' 'auth_unix_rw="none"' 'auth_unix_ro="none"' 'unix_sock_rw_perms="0700"' 'listen_tls=0' \
		'listen_tcp=1' 'auth_tcp="none"' "$(printf 'host_uuid="00000000-0000-4000-8000-%012d"' "$i")" >/etc/libvirt/libvirtd.conf
	libvirtd -l -p "$LAB/node$i.pid" &
	exec sleep infinity # the namespaces stay when libvirtd is killed
}

# node_start I: its namespaces, with a leg in the bridge; returns once it answers.
node_start() {
	local i=$1
	rm -f "$LAB/node$i."*
	export -f node_main
	export TOP VMTOP
	declare -p LAB_FOLDERS NODE_FILES >"$LAB/folders.sh"
	# shellcheck disable=SC2086 # three words, or none
	${HOST_CPU[i]:+taskset -c ${HOST_CPU[i]}} setsid unshare --mount --net --uts bash -c "echo \$\$ >$LAB/node$i.ns
		until [ -e $LAB/node$i.go ]; do sleep 0.05; done; . $LAB/folders.sh; node_main $i" >"$LAB/node$i.log" 2>&1 &
	echo $! >>"$LAB/pids"
	eventually 20 "namespaces of host $i" test -s "$LAB/node$i.ns"
	NODE[i]=$(cat "$LAB/node$i.ns")
	stat -Lc %i "/proc/${NODE[i]}/ns/mnt" >"$LAB/node$i.mnt"
	favour "${NODE[i]}" -15 # it has a session of its own, as its guests have
	ip link add "v$i" type veth peer name "e$i" && ip link set "v$i" master br0 up &&
		ip link set "e$i" netns "${NODE[i]}" &&
		nsenter -t "${NODE[i]}" -n ip addr add "10.99.0.$i/24" dev "e$i" &&
		nsenter -t "${NODE[i]}" -n ip link set "e$i" up || fail "no line to host $i"
	touch "$LAB/node$i.go"
	wait_for 30 on "$i" uri || fail "no libvirtd on host $i: $(tail -n 3 "$LAB/node$i.log") $(cat "$LAB/virsh.err")"
}
# into I: INTO is then what runs a command there, on its pCPU, as "${INTO[@]}" COMMAND...
into() {
	INTO=(nsenter -t "${NODE[$1]}" -m -n -u)
	[ -z "${HOST_CPU[$1]:-}" ] || INTO+=(taskset -c "${HOST_CPU[$1]}")
}
# node_libvirtd I: another libvirtd there, after the first was killed.
node_libvirtd() {
	into "$1"
	"${INTO[@]}" libvirtd -l -p "$LAB/node$1.pid" >>"$LAB/node$1.log" 2>&1 &
	disown
	wait_for 30 on "$1" uri || fail "no libvirtd on host $1: $(tail -n 3 "$LAB/node$1.log")"
}
# node_guest I NAME DUTY [CPUSET [VCPUS]]: a guest there, as cpu_xml.
node_guest() {
	cpu_xml "${@:2}" >"$LAB/$2.xml"
	on "$1" create "$LAB/$2.xml" || fail "guest $2 does not start on host $1: $(cat "$LAB/virsh.err")"
}
node_guest_pid() { cat "/proc/${NODE[$1]}/root/run/libvirt/qemu/$2.pid"; }
# The guests of a fleet of three: those of host 1 want 1.6 times its one pCPU, so that one of them waits a fifth of the
# time however their turns fall; host 2 has room for two of them; host 3 has none, for its memory is taken. GUEST_NOISE
# goes to those of host 1.
fleet_guests() {
	GUEST_MIB=48 node_guest 1 web1 6
	GUEST_MIB=64 node_guest 1 web2 5 # the dearest to move
	GUEST_MIB=48 node_guest 1 web3 3
	GUEST_MIB=48 node_guest 1 web4 2
	GUEST_NOISE='' node_guest 2 mail 0
	GUEST_NOISE='' GUEST_MIB=464 node_guest 3 archive 0
}
# on I WORDS...: virsh there.
on() { virsh -q -c "qemu+tcp://10.99.0.$1/system" "${@:2}" >"$LAB/virsh" 2>"$LAB/virsh.err"; }
said() { cat "$LAB/virsh"; }

# ---- what is watched ------------------------------------------------------------------------------------------

# 5 turns of the guests' work: so much of it is in each sample.
TURNS=2.75

# node_listen I [ARG...]: vmtop there, for Prometheus; its process id in LISTENS[I].
declare -a LISTENS
node_listen() {
	into "$1"
	"${INTO[@]}" env XDG_STATE_HOME="$LAB/state$1" "$VMTOP" --no-config -c qemu:///system --format log -d $TURNS \
		--listen "10.99.0.$1:19177" "${@:2}" >"$LAB/vmtop$1.log" 2>"$LAB/vmtop$1.err" &
	LISTENS[$1]=$!
	echo $! >>"$LAB/pids"
}

PROM=http://127.0.0.1:19090
# fleet_prometheus I...: a Prometheus with the rules that are shipped, for the vmtop of these hosts. It begins with nothing:
# the guests of an earlier one that was killed would be counted for five minutes.
fleet_prometheus() {
	local i targets=''
	for i; do targets+="\"10.99.0.$i:19177\","; done
	cat >"$LAB/prometheus.yml" <<-END
	global: {scrape_interval: 1s, evaluation_interval: 1s}
	rule_files: ["$TOP/packaging/prometheus/vmtop.rules.yml"]
	scrape_configs: [{job_name: vmtop, static_configs: [{targets: [${targets%,}]}]}]
	END
	rm -rf "$LAB/prometheus"
	mkdir -p "$LAB/prometheus"
	prometheus --config.file "$LAB/prometheus.yml" --storage.tsdb.path "$LAB/prometheus" \
		--web.listen-address "${PROM#http://}" >"$LAB/prometheus.log" 2>&1 &
	echo $! >>"$LAB/pids"
	eventually 30 "Prometheus answers: $(tail -n 1 "$LAB/prometheus.log")" prom_says 'up' 'true'
}
# prom_query QUERY: its answer, an array of JSON.
prom_query() {
	local q
	q=$(jq -rn --arg q "$1" '$q | @uri')
	exec 3<>"/dev/tcp/127.0.0.1/${PROM##*:}" || return
	printf 'GET /api/v1/query?query=%s HTTP/1.0\r\n\r\n' "$q" >&3
	sed '1,/^\r$/d' <&3 | jq -c '.data.result'
	exec 3>&-
}
# prom_says QUERY FILTER: what jq makes of the answer is true.
prom_says() { [ "$(prom_query "$1" | jq "$2")" = true ]; }

# Hosts of a fleet by their connections, as words of vmtop fleet.
fleet_words() {
	local i
	for i; do say "host$i=qemu+tcp://10.99.0.$i/system"; done
}
