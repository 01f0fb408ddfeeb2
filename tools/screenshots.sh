#!/bin/sh
# SPDX-License-Identifier: MIT
# screenshots.sh BUILD [FOLDER]: pictures of real runs of vmtop on the simulator, through tmux, into FOLDER
# (screenshots). Needs tmux and python3, no font and no image program: the pictures are SVG.
set -eu
cd "$(dirname "$0")/.."
vmtop=$PWD/${1:?folder of the build}/vmtop
to=${2:-screenshots}
work=$(mktemp -d "${TMPDIR:-/tmp}/vmtop-pictures.XXXXXX")
tmux="tmux -L vmtop-pictures-$$ -f /dev/null"
trap '$tmux kill-server 2>/dev/null || :; rm -rf "$work"' EXIT
export HOME="$work" XDG_CONFIG_HOME="$work" XDG_CONFIG_DIRS="$work" XDG_STATE_HOME="$work" LC_ALL=C.UTF-8
unset NO_COLOR TMUX LIBVIRT_DEFAULT_URI
for tool in tmux python3; do
	command -v $tool >/dev/null || { echo "screenshots: $tool is not installed" >&2; exit 1; }
done
mkdir -p "$to"

# NAME SIZE ARG...: starts it; the screen is named like the picture.
start() {
	name=$1 size=$2
	shift 2
	$tmux new-session -d -s "$name" -x "${size%x*}" -y "${size#*x}" \
		"TERM=xterm-256color exec '$vmtop' --no-config $*"
}
# NAME KEY...: a word is typed as keys, with time to be drawn.
keys() {
	name=$1
	shift
	for key; do
		$tmux send-keys -t "=$name:" "$key"
		sleep "${pause:-0.6}"
	done
}
# NAME TITLE
picture() {
	$tmux capture-pane -e -p -t "=$1:" | python3 tools/ansi2svg.py "$2" >"$to/$1.svg.new"
	mv "$to/$1.svg.new" "$to/$1.svg"
	$tmux kill-session -t "=$1"
	echo "$to/$1.svg: $(wc -c <"$to/$1.svg") bytes"
}

# The figure of README.md, by the commands that stand above it there. gnuplot draws it.
if command -v gnuplot >/dev/null; then
	(cd "$work" && "$vmtop" --no-config -c sim:demo --virtual-time --batch --auto=cpu --yes -n 120 -d 2 --record day.rec >/dev/null &&
		"$vmtop" report day.rec figures >/dev/null)
	cp "$work/figures/deviation.svg" "$to/figure.svg"
	echo "$to/figure.svg: $(wc -c <"$to/figure.svg") bytes"
else
	echo "screenshots: gnuplot is not installed, $to/figure.svg stays as it is"
fi

start overview 132x40 -c sim:demo -d 1
start pinmap 104x38 -c sim:demo -d 1
start memory 132x40 -c sim:demo -d 1
start vm 112x34 -c sim:demo -d 1
start decisions 132x40 -c sim:demo -d 1 --auto --yes
start why 104x34 -c sim:sick -d 1
start big512 80x24 -c sim:big512 -d 2
sleep "${SECONDS_OF_HISTORY:-75}"

keys pinmap 1 v v
keys memory 2 m y
keys decisions 3
keys vm / ci-runner-2 Enter 4
keys why w
picture overview "vmtop: overview of a host with 23 guests"
picture pinmap "vmtop: pin map with the moves of a planned round as ghosts"
picture vm "vmtop: one guest in depth"
picture decisions "vmtop: decisions and their reasons"
picture why "vmtop: why a guest suffers, and what would cure it"
picture big512 "vmtop: 512 pCPUs and 1,000 guests in 80x24"
sleep 12
picture memory "vmtop: memory, steered"
