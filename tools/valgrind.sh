#!/bin/sh
# SPDX-License-Identifier: MIT
# valgrind.sh BUILD [quick | NAME...]: the test binaries under BUILD (unit, scenario, screen, the seeds of the fuzz
# targets) under memcheck, as many at once as there are CPUs: nothing read that was never written, nothing lost. quick:
# without those that take long there or keep deadlines by the clock. A line each, the whole output of what failed, and at
# the end: N clean, N failed.
set -u
build=$1
shift
cd "$(dirname "$0")/.." || exit 1
command -v valgrind >/dev/null || { echo "valgrind is not installed" >&2; exit 1; }
slow=' test_noise test_situations test_story_cpu test_story_memory test_minmove test_minmove_plan test_replay test_hosts
 test_faults test_faults_far test_mem_props test_keys_fuzz test_record test_cpu_ctl test_place test_place_exact test_memory test_golden
 test_compare test_cases test_memory_life test_sim test_restore test_man test_mem_guards test_killed test_link
 test_libvirt_testdriver test_libvirt_wide test_harm test_relief test_relief_cases test_memory_harm test_balloon_back
 test_one_number test_fleet_whatif test_field_plans
 fuzz_keys fuzz_replay fuzz_scenario '
only=''
[ "${1:-}" = quick ] || { slow='' only=" $* "; }
work=$(mktemp -d "${TMPDIR:-/tmp}/vmtop-valgrind.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

cat >"$work/one" <<'END'
work=$1 t=$2 name=${2##*/} begun=$(date +%s)
shift 2
[ ! -d "tests/fuzz/corpus/${name#fuzz_}" ] || set -- "tests/fuzz/corpus/${name#fuzz_}"
if timeout 1800 valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect,possible \
	--errors-for-leak-kinds=definite,indirect,possible --suppressions=tools/valgrind.supp \
	"$t" "$@" >"$work/$name.out" 2>&1 </dev/null; then
	echo "ok   $name, $(($(date +%s) - begun)) s"
else
	echo "FAIL $name (status $?), $(($(date +%s) - begun)) s"
	grep -vE '^\[ +(RUN|OK) +\]' "$work/$name.out" | head -n 150
fi >"$work/$name.said"
cat "$work/$name.said"
END
for t in "$build"/tests/unit/test_* "$build"/tests/scenario/test_* "$build"/tests/screen/test_* "$build"/tests/fuzz/fuzz_*; do
	name=${t##*/}
	case $name in *.o | *.d | *\*) continue ;; esac
	case $slow in *[[:space:]]"$name"[[:space:]]*) continue ;; esac
	case $only in '' | '  ' | *" $name "*) echo "$t" ;; esac
done >"$work/list"
xargs -n 1 -P "$(nproc 2>/dev/null || echo 2)" sh "$work/one" "$work" <"$work/list"
clean=$(cat "$work"/*.said 2>/dev/null | grep -c '^ok ')
failed=$(($(wc -l <"$work/list") - clean))
echo "valgrind: $clean clean, $failed failed"
[ "$failed" = 0 ] && [ "$clean" != 0 ]
