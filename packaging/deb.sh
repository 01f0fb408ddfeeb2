#!/bin/sh
# SPDX-License-Identifier: MIT
# deb.sh VERSION BUILD: the Debian package, made of a clean copy of the tree, in BUILD; lintian, where it is
# there, has the last word. The packaging folder is at packaging/debian, dpkg wants it at the top.
set -eu
version=$1 build=$2
cd "$(dirname "$0")/.."
top=$build/vmtop-$version
rm -rf "$build"
mkdir -p "$top"
if [ -e .git ]; then
	git archive HEAD | tar -x -C "$top"
else
	tar -c --exclude='./build*' . | tar -x -C "$top"
fi
cp -R packaging/debian "$top/debian"
(cd "$top" && dpkg-buildpackage --no-sign --build=binary)
ls -l "$build"/*.deb
# Without these an upgrade would leave the old program at work, and a removal would leave its pins.
for script in postinst=restart prerm=stop; do
	dpkg-deb -I "$build/vmtop_${version}_"*.deb ${script%=*} | grep -q "deb-systemd-invoke ${script#*=} " ||
		{ echo "the package's ${script%=*} does not ${script#*=} the service" && exit 1; }
done
if command -v lintian >/dev/null 2>&1; then
	lintian --fail-on error,warning --info "$build"/vmtop_*.changes
else
	echo "lintian is not here: the package was not checked"
fi
