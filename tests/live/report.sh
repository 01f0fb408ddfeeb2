# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# report.sh: one line a test, and one at the end. Sourced by scripts that run tests.

PASSED=0 FAILED=0 SKIPPED=0

report_ok() { PASSED=$((PASSED + 1)); printf 'ok %s%s\n' "$1" "${2:+ ($2)}"; }
report_fail() { FAILED=$((FAILED + 1)); printf 'FAIL %s: %s\n' "$1" "$2"; }
report_skip() { SKIPPED=$((SKIPPED + 1)); printf 'skip %s: %s\n' "$1" "$2"; }

# The closing line. Fails when a test did, and in CI also when one could not run.
report_end() {
	printf '%d passed, %d failed, %d skipped\n' $PASSED $FAILED $SKIPPED
	[ $FAILED = 0 ] || return 1
	if [ "${CI:-}" = true ] && [ $SKIPPED != 0 ]; then
		say "CI=true: a test that could not run counts as a failure" >&2
		return 1
	fi
}
