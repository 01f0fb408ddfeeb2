#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh BUILD SECONDS [NAME...]: runs the fuzz targets under BUILD, as many at once as there are CPUs, each for so many
# seconds from its seeds; what is found anew is kept in BUILD/corpus, a breach in BUILD/crash. Stops at nothing; status 1
# if any target failed. FUZZ_SEED=N: the same inputs in the same order each time, for a gate that must not depend on luck.
set -u
build=$1 seconds=$2
shift 2
cd "$(dirname "$0")/.." || exit 1
# shellcheck disable=SC2046 # names of targets have no blanks
[ $# -gt 0 ] || set -- $(ls tests/fuzz/fuzz_*.c | sed 's|.*/fuzz_||; s|\.c$||')
work=$(mktemp -d "${TMPDIR:-/tmp}/vmtop-fuzz.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

cat >"$work/one" <<'END'
work=$1 build=$2 seconds=$3 name=$4
mkdir -p "$build/corpus/$name" "$build/crash"
set -- "$build/corpus/$name"
[ ! -d "tests/fuzz/corpus/$name" ] || set -- "$@" "tests/fuzz/corpus/$name"
[ ! -f "tests/fuzz/$name.dict" ] || set -- "-dict=tests/fuzz/$name.dict" "$@"
begun=$(date +%s)
if "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=1024 -max_len=16384 \
	-print_final_stats=1 -seed="${FUZZ_SEED:-0}" -artifact_prefix="$build/crash/$name-" "$@" >"$work/$name.out" 2>&1; then
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.out")
	kept=$(find "$build/corpus/$name" -type f | wc -l)
	said="fuzz $name: ${runs:-?} inputs in $(($(date +%s) - begun)) s, $kept of them new to it"
	# A target whose inputs are all refused at the door finds nothing for ever, and would pass.
	if [ "$kept" -ge 10 ]; then
		echo "ok   $said"
	else
		echo "FAIL $said: nothing behind its first check was reached"
	fi
else
	echo "FAIL fuzz $name, see $build/crash"
	tail -n 60 "$work/$name.out"
fi >"$work/$name.said"
cat "$work/$name.said"
END
printf '%s\n' "$@" | xargs -n 1 -P "$(nproc 2>/dev/null || echo 2)" sh "$work/one" "$work" "$build" "$seconds"
[ "$(cat "$work"/*.said | grep -c '^ok ')" = $# ]
