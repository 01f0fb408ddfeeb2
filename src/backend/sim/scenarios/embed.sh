#!/bin/sh
# SPDX-License-Identifier: MIT
# embed.sh FILE.scn...: prints the C table that builds these scenarios into the program.
set -eu
for f; do
	printf 'static const unsigned char text_%s[] = {' "$(basename "$f" .scn)"
	od -An -v -tu1 "$f" | sed 's/ *\([0-9][0-9]*\)/\1,/g'
	echo '0};'
done
echo 'static const struct {
	const char *name;
	const unsigned char *text;
	unsigned long len;
} shipped[] = {'
for f; do
	n=$(basename "$f" .scn)
	printf '\t{"%s", text_%s, sizeof text_%s - 1},\n' "$n" "$n" "$n"
done
echo '};'
