# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# kernel.sh: a small Linux for guests: Debian's cloud kernel, unpacked and never installed, and an initramfs of
# busybox, the modules named and one init script. The download is kept in LAB_CACHE. Sourced after lab.sh.

# Sets KERNEL and MODULES (a lib/modules/VERSION folder); prints the reason on failure.
kernel_get() {
	local dir=$LAB_CACHE/kernel package
	if [ ! -e "$dir/done" ]; then
		command -v apt-get >/dev/null || { say "no apt-get to fetch a kernel with"; return 1; }
		rm -rf "$dir"
		mkdir -p "$dir"
		package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
		[ -n "$package" ] || { say "no linux-image-cloud-amd64 in apt's lists"; return 1; }
		(cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg-deb -x ./*.deb . &&
			rm ./*.deb) >"$dir/log" 2>&1 || { say "cannot fetch $package: $(tail -1 "$dir/log")"; return 1; }
		touch "$dir/done"
	fi
	KERNEL=$(echo "$dir"/boot/vmlinuz-*)
	MODULES=$(echo "$dir"/lib/modules/* "$dir"/usr/lib/modules/*)
	MODULES=${MODULES%% *}
	[ -r "$KERNEL" ] && [ -d "$MODULES" ] || { say "no kernel in $dir"; return 1; }
}

# initramfs OUT INIT MODULE...: modules by name; those built into the kernel are not found, and not missed.
initramfs() {
	local out=$1 init=$2 root module file
	shift 2
	root=$(mktemp -d "$LAB/initramfs.XXXXXX")
	mkdir -p "$root"/{bin,dev,proc,sys,modules,new}
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$init" "$root/init"
	chmod +x "$root/init"
	for module; do
		file=$(find "$MODULES" -name "$module.ko*" | head -1)
		case $file in
		*.xz) xz -dc "$file" >"$root/modules/$module.ko" ;;
		*.zst) zstd -qdc "$file" >"$root/modules/$module.ko" ;;
		*.ko) cp "$file" "$root/modules/" ;;
		esac
	done
	(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$out"
	rm -rf "$root"
}
