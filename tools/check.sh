#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh BUILD [cli] [live]...: runs every test binary under BUILD, and the scripts asked for; a line each, the whole
# output of what failed, and at the end, alone on its line: N passed, N failed, N skipped.
set -u
build=$1
shift
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0 skipped=0
work=$(mktemp -d "${TMPDIR:-/tmp}/vmtop-check.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
out=$work/script
[ -f tools/lsan.supp ] && export LSAN_OPTIONS="suppressions=$PWD/tools/lsan.supp:print_suppressions=0:${LSAN_OPTIONS:-}"
[ -f tools/tsan.supp ] && export TSAN_OPTIONS="suppressions=$PWD/tools/tsan.supp ${TSAN_OPTIONS:-}"

# NAME STATUS PASSED FAILED SKIPPED: books one program; a program that died without counting is one failure.
book() {
	f=$4
	[ "$2" = 0 ] || [ "$f" != 0 ] || f=1
	passed=$((passed + $3)) failed=$((failed + f)) skipped=$((skipped + $5))
	if [ "$f" != 0 ]; then
		echo "FAIL $1 (status $2)"
		cat "$out"
	else
		echo "ok   $1: $3 passed$([ "$5" = 0 ] || echo ", $5 skipped")"
	fi
}

# How often cmocka says so; lines of the kind "[  PASSED  ] 8 test(s).".
count() {
	sed -n "s/^\[  $1 \] \([0-9]*\) test(s).*/\1/p" "$out" | awk '{n += $1} END {print n + 0}'
}

# They are independent of one another: as many at once as there are CPUs. Each leaves its output and status. Scripts,
# which wait more than they work, come first; those at a terminal and with real guests have the machine for themselves.
alone=''
for what; do
	[ -x "tests/$what/run" ] || continue
	case $what in
	term | live) alone="$alone $what" ;;
	*) echo "tests/$what/run" ;;
	esac
done >"$work/scripts"
cat >"$work/one" <<'END'
work=$1 t=$2 name=${2##*/}
case $t in
tests/*/run)
	name=${t#tests/} name=script_${name%/run}
	"$t" >"$work/$name.out" 2>&1 </dev/null
	exit 0
	;;
esac
case $name in
fuzz_*)
	seeds=tests/fuzz/corpus/${name#fuzz_}
	[ -d "$seeds" ] && set -- "$seeds" || set --
	;;
*) set -- ;;
esac
timeout 900 "$t" "$@" >"$work/$name.out" 2>&1 </dev/null
echo $? >"$work/$name.status"
END
# Those that take longest come first.
for t in "$build"/tests/scenario/test_* "$build"/tests/screen/test_* "$build"/tests/unit/test_* "$build"/tests/fuzz/fuzz_*; do
	case $t in *.o | *.d | *\*) ;; *) echo "$t" ;; esac
done >"$work/list"
VMTOP=$PWD/$build/vmtop
export VMTOP
cat "$work/scripts" "$work/list" | xargs -n 1 -P "$(nproc 2>/dev/null || echo 2)" sh "$work/one" "$work"
while read -r t; do
	name=${t##*/}
	out=$work/$name.out
	r=$(cat "$work/$name.status" 2>/dev/null || echo 127)
	case $name in
	fuzz_*) book "${t#"$build"/tests/}" "$r" "$((r == 0))" "$((r != 0))" 0 ;;
	*) book "${t#"$build"/tests/}" "$r" "$(count 'PASSED ')" "$(count 'FAILED ')" "$(count 'SKIPPED')" ;;
	esac
done <"$work/list"
out=$work/script

# Scripts close with the same line as this one. script_counts FILE: leaves $p $f $s.
script_counts() {
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$1" | tail -n 1)
	read -r p f s <<-END
		$(printf '%s\n' "${line:-0 passed, 1 failed}" | tr -dc '0-9 ')
	END
	s=${s:-0}
}
# Shown as it goes, because some take minutes.
script_now() {
	"$1" 2>&1 </dev/null | tee "$out"
	script_counts "$out"
}
# They wait for a real program, and a busy machine may be late: one that failed gets a second go, and it is said. The
# live tests do the same, each for itself.
script_booked() {
	if [ "$f" != 0 ] && [ "$1" != tests/live/run ]; then
		echo "AGAIN $1: $f failed at the first go"
		script_now "$1"
	fi
	if [ "${CI:-}" = true ]; then # what could not run is no success there
		f=$((f + s)) s=0
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}
while read -r t; do
	name=${t#tests/}
	cat "$work/script_${name%/run}.out"
	script_counts "$work/script_${name%/run}.out"
	script_booked "$t"
done <"$work/scripts"
for what in $alone; do
	script_now "tests/$what/run"
	script_booked "tests/$what/run"
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
