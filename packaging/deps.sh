#!/bin/sh
# SPDX-License-Identifier: MIT
# deps.sh build|fleet|test|bench|ci: installs what is missing, and nothing else. Says what it runs. Needs root or sudo.
# Every line of the table: what for, then the package of apt, dnf, pacman, zypper ("-": not packaged there).
set -eu
want=${1:?build, fleet, test, bench or ci}
top=$(cd "$(dirname "$0")/.." && pwd)

table() {
	cat <<'END'
build gcc gcc gcc gcc
build make make make make
build pkg-config pkgconf-pkg-config pkgconf pkg-config
build libvirt-dev libvirt-devel libvirt libvirt-devel
build libxml2-dev libxml2-devel libxml2 libxml2-devel
build libjansson-dev jansson-devel jansson libjansson-devel
build libmicrohttpd-dev libmicrohttpd-devel libmicrohttpd libmicrohttpd-devel
build libinih-dev inih-devel libinih libinih-devel
build libsqlite3-dev sqlite-devel sqlite sqlite3-devel
build libcurl4-openssl-dev libcurl-devel curl libcurl-devel
build libncurses-dev ncurses-devel ncurses ncurses-devel
fleet jq jq jq jq
fleet python3 python3 python python3
fleet prometheus golang-github-prometheus prometheus golang-github-prometheus-prometheus
test prometheus-node-exporter golang-github-prometheus-node-exporter prometheus-node-exporter golang-github-prometheus-node_exporter
test libcmocka-dev libcmocka-devel cmocka libcmocka-devel
test mandoc mandoc mandoc mandoc
test tmux tmux tmux tmux
test sqlite3 sqlite sqlite sqlite3
test gnuplot-nox gnuplot-minimal gnuplot gnuplot
test coinor-cbc coin-or-Cbc coin-or-cbc -
test patch patch patch patch
test zsh zsh zsh zsh
test fish fish fish fish
bench ganeti-htools - - -
bench htop htop htop htop
bench btop btop btop btop
bench atop atop atop atop
ci clang clang clang clang
ci libclang-rt-dev compiler-rt compiler-rt -
ci clang-format clang-tools-extra - clang-tools
ci binutils binutils binutils binutils
ci systemd systemd systemd systemd
ci valgrind valgrind valgrind valgrind
ci shellcheck ShellCheck shellcheck ShellCheck
END
	# What the live tests need is kept beside them, by its Debian name.
	[ ! -f "$top/tests/live/PACKAGES" ] || sed 's/.*/live & - - -/' "$top/tests/live/PACKAGES"
	echo "live - libvirt-daemon-driver-qemu libvirt libvirt-daemon-qemu"
	echo "live - libvirt-client - libvirt-client"
	echo "live - qemu-system-x86-core qemu-system-x86 qemu-x86"
}

column=0
for manager in apt-get dnf pacman zypper; do
	column=$((column + 1))
	command -v $manager >/dev/null 2>&1 && break
	manager=
done

case $want in
build) groups='^build ' ;;
fleet) groups='^(build|fleet|live) ' ;;
test) groups='^(build|fleet|test|live) ' ;;
bench) groups='^(build|test|bench) ' ;;
*) groups='^(build|fleet|test|live|ci) ' ;;
esac

# Without a known package manager the compiler will say what is missing.
if [ -z "$manager" ]; then
	echo "deps: no apt, dnf, pacman or zypper here; install by hand what README.md, BUILDING, lists" >&2
	exit 0
fi

installed() {
	case $manager in
	apt-get) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' ;;
	pacman) pacman -T "$1" >/dev/null 2>&1 ;;
	*) rpm -q --whatprovides "$1" >/dev/null 2>&1 ;;
	esac
}

missing=
for package in $(table | grep -E "$groups" | awk -v c=$((column + 1)) '$c != "-" {print $c}' | sort -u); do
	installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
run() {
	echo "+ $*"
	"$@" </dev/null
}
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # the list is meant to be split
case $manager in
apt-get)
	run $sudo apt-get -q update
	run $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
	;;
dnf) run $sudo dnf -y install $missing ;;
pacman) run $sudo pacman -S --noconfirm --needed $missing ;;
zypper) run $sudo zypper --non-interactive install $missing ;;
esac
