#!/bin/sh
# SPDX-License-Identifier: MIT
# lint.sh BUILD: the rules of the house that a program can check. One line for each breach; status 1 if any.
# BUILD holds objects of gcc without sanitizers.
set -u
build=$1
cd "$(dirname "$0")/.." || exit 1
breaches=$(mktemp "${TMPDIR:-/tmp}/vmtop-lint.XXXXXX") || exit 1
trap 'rm -f "$breaches"' EXIT

# RULE: the breaches of it come on stdin.
rule() {
	sed "s|^|$1: |" >>"$breaches"
}
sources() {
	find . -name '*.[ch]' -not -path './build*' -not -path './.*' | sed 's|^\./||' | sort
}
scripts() {
	find packaging tools tests .ci src -type f ! -name "*.c" ! -name "*.h" -exec grep -lIE "^#!.*[/ ](ba|da)?sh" {} + | sort
}

# Every file says its licence.
{ sources; scripts; find man packaging -name '*.in' -o -name '*.mdoc' -o -name '*.service'; echo Makefile; } | sort -u |
	while read -r f; do
		head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"
	done | rule "no SPDX line"

# Nothing is left for later.
sources | xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' | rule "left for later"

# Functions fit on a screen: from the brace in column 1 to the brace in column 1.
sources | xargs awk '
	FNR == 1 { start = 0 }
	/^{/ { start = FNR; name = last }
	/^}/ && start { if (FNR - start - 1 > 60) print FILENAME ":" start ": " FNR - start - 1 " lines: " name; start = 0 }
	/^[a-z].*\(/ { last = $0 }' | rule "function over 60 lines"

# Each header compiles alone, twice.
for h in include/vmtop/*.h; do
	printf '#include "%s"\n#include "%s"\n' "${h#include/}" "${h#include/}" |
		${CC:-cc} -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c - 2>&1 | head -n 3
done | rule "header does not stand alone"

# Who may include whom.
may_not() { # FOLDER REGEX
	find "src/$1" -name '*.[ch]' -exec grep -HnE "#include [<\"]($2)" {} + | rule "src/$1 may not know it"
}
libraries='microhttpd|libvirt/|curses|panel|jansson|ini\.h|sqlite3|libxml|pthread|unistd|sys/|poll|signal|fcntl'
may_not core "$libraries|vmtop/(engine|view|screen|settings|options|batch|command|columns|theme|keys)\.h"
may_not table "$libraries|vmtop/(backend|engine|view|screen|options|batch|keys)\.h"
may_not backend 'microhttpd|curses|panel|jansson|ini\.h|vmtop/(engine|view|screen|snapshot|options|batch)\.h'
# Within the backends: who reads files of the host, simulates or records asks no hypervisor.
for part in backend/host backend/sim backend/record backend/prom; do
	may_not "$part" 'libvirt/|\.\./libvirt/'
done
may_not backend/libvirt 'sqlite3|\.\./(sim|record|prom)/'
may_not talk 'microhttpd|libvirt/|curses|panel|jansson|ini\.h|libxml|vmtop/(engine|view|screen|settings|options|batch|control|model)\.h|changes\.h'
may_not changes 'microhttpd|libvirt/|curses|panel|ini\.h|libxml|vmtop/(engine|view|screen|settings|options|batch|placement)\.h'
may_not engine 'microhttpd|libvirt/|curses|panel|ini\.h|libxml|vmtop/(view|screen|settings|options|batch)\.h'
may_not ui 'microhttpd|libvirt/|jansson|ini\.h|sqlite3|libxml|vmtop/(options|batch|setup)\.h'
may_not cli 'libvirt/|curses|panel|sqlite3|libxml|vmtop/(view|screen|model|placement)\.h'
# Rooms stand in an order: no object calls one of a later room.
objects() { # ROOM
	find "src/$1" -name '*.c' | sort | while read -r f; do echo "$build/${f%.c}.o"; done
}
later='core table backend talk changes engine ui cli'
for room in $later; do
	later=${later#"$room"} later=${later# }
	mine=$(objects "$room" | xargs nm -u | awk '$1 == "U" {print $2}' | sort -u)
	for other in $later; do
		objects "$other" | xargs nm -g --defined-only | awk 'NF == 3 {print $3}' | grep -xF "$mine" |
			sed "s|^|src/$room calls src/$other: |"
	done
done | rule "against the order of rooms"
# Files call downwards: no circle has more than four.
tools/figures --knots "$build" | awk '$1 > 4' | rule "files that call in a circle"
grep -rlE --include='*.c' '#include <(n?curses|panel|term)\.h>' src | grep -vE '^src/ui/term(_[a-z]+)?\.c$' | rule "ncurses outside the terminal files"

grep -rlE --include='*.c' '#include <microhttpd\.h>' src | grep -vx 'src/cli/listen.c' | rule "libmicrohttpd outside its file"
grep -rlE --include='*.c' '#include <curl/' src | grep -vx 'src/backend/prom/http.c' | rule "libcurl outside its file"

# The pure rooms call nothing but each other and what is on the list; tables read numbers and names besides.
pure() { # ROOM...
	pure_objects=$(for room; do objects "$room"; done)
	defined=$(echo "$pure_objects" | xargs nm -g --defined-only | awk 'NF == 3 {print $3}' | sort -u)
	echo "$pure_objects" | xargs nm -u | awk 'NF == 2 && $1 == "U" {print $2}' | sort -u | grep -vxF "$defined" |
		grep -vxF -f tools/lint-pure.txt
}
pure core | rule "core calls"
pure core table | grep -vxE 'strcasecmp|strtod' | rule "table calls"
# Mutable globals are few and known. (.data.rel.ro is constant after relocation.)
for o in $(find src -name '*.c' | while read -r f; do echo "$build/${f%.c}.o"; done); do
	objdump -t "$o" | awk -v o="${o#"$build"/}" '$4 ~ /^\.t?(data|bss)/ && $4 !~ /rel\.ro/ && $5 !~ /^0+$/ {print o " " $NF}
		$3 == "O" && $4 ~ /^\.t?(data|bss)/ && $4 !~ /rel\.ro/ {print o " " $NF}'
done | sort -u | sed 's/\.[0-9]*$//' | grep -vxF -f tools/lint-globals.txt | rule "mutable global"

# One is not "1 moves": a count and its noun go through text_s().
grep -rnE --include='*.c' '%(zu|d|ld|lu|llu) ((NUMA|marked) )?(vCPU|VM|pCPU|pin|move|change|guest|tick|balloon|seed|node|decision|answer|line|CPU)s\b' src |
	rule "plural without text_s()"

if command -v clang-format >/dev/null 2>&1; then
	sources | xargs clang-format --dry-run -Werror 2>&1 | sed -n 's/^\([^:]*\):.*-Wclang-format-violations.*/\1/p' | sort -u |
		rule "not as clang-format writes it (make format)"
else
	echo "lint: clang-format is not installed, layout not checked"
fi
if command -v shellcheck >/dev/null 2>&1; then
	scripts | while read -r f; do head -n 1 "$f" | grep -qE "sh( |$)" && echo "$f"; done | xargs shellcheck -x -S warning -e SC1007,SC2034,SC2187 -f gcc 2>&1 | rule shellcheck
fi
if command -v mandoc >/dev/null 2>&1; then
	for page in "$build"/man/*.[1-8]; do
		[ ! -f "$page" ] || mandoc -Tlint -W warning "$page"
	done 2>&1 | rule mandoc
fi

cat "$breaches"
n=$(wc -l <"$breaches")
echo "lint: $n breach$([ "$n" = 1 ] || echo es)"
[ "$n" = 0 ]
