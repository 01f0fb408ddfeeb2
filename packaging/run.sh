#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh VMTOP [ARG...]: starts vmtop on the local hypervisor, or, where no system daemon answers or it runs no
# guest, on the simulated demo host, and says which.
set -eu
vmtop=$1
shift
if [ $# != 0 ] || [ -n "${LIBVIRT_DEFAULT_URI:-}" ]; then
	exec "$vmtop" "$@"
fi
why=
if found=$(timeout 10 "$vmtop" --no-config -c qemu:///system --readonly -d 0.2 -n 1 --json 2>&1); then
	case $found in
	*'"vms":[]'*) why="qemu:///system runs no guest" ;;
	*'"vms":['*) ;;
	*) why="qemu:///system gave no answer" ;;
	esac
else
	why=$(printf '%s\n' "${found:-no answer from qemu:///system within 10 s}" | tail -n 1)
fi
if [ -z "$why" ]; then
	echo "Starting on the local hypervisor, qemu:///system."
	exec "$vmtop"
fi
echo "$why"
echo "Starting on the simulated demo host instead (vmtop -c sim:demo)."
exec "$vmtop" -c sim:demo
