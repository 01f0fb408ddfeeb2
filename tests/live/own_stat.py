#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""own_stat.py DIR I=PCPU...: keeps DIR/hostI/stat as /proc/stat would be on a machine that has this pCPU alone and runs
nothing but the processes of host I: those in the mount namespace of the process named in DIR/nodeI.ns.

Written in place ten times a second, for the file is bound into that namespace. Lines have one length and counters only
grow, so a reader never meets the end of an older text."""
import os
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Host:
    def __init__(self, folder, number, pcpu):
        self.pcpu, self.ns_file = pcpu, f"{folder}/node{number}.ns"
        self.ns, self.seen, self.busy, self.idle = None, {}, 0.0, 0.0
        self.fd = os.open(f"{folder}/host{number}/stat", os.O_WRONLY | os.O_CREAT, 0o644)

    def namespace(self):
        try:
            with open(self.ns_file) as f:
                self.ns = self.ns or os.stat(f"/proc/{int(f.read())}/ns/mnt").st_ino
        except (OSError, ValueError):
            pass
        return self.ns

    def book(self, now, spent, boot):
        """spent: ticks of each of its processes; what one had when it was first seen counts from then on."""
        ran = sum(max(ticks - self.seen.get(pid, ticks), 0) for pid, ticks in now.items())
        self.seen = now
        self.busy += ran
        self.idle += max(spent - ran, 0)
        counters = [int(self.busy), 0, 0, int(self.idle), 0, 0, 0, 0, 0, 0]
        rows = [f"{name} " + " ".join(map(str, counters)) for name in ("cpu ", f"cpu{self.pcpu}")] + [boot]
        os.pwrite(self.fd, "".join(f"{row:<159}\n" for row in rows).encode(), 0)


def processes():
    """(mount namespace, pid, ticks) of all."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
            yield os.stat(f"/proc/{pid}/ns/mnt").st_ino, pid, int(fields[11]) + int(fields[12])
        except OSError:
            pass


def main():
    hosts = [Host(sys.argv[1], *arg.split("=")) for arg in sys.argv[2:]]
    with open("/proc/stat") as f:
        boot = next(line for line in f.read().split("\n") if line.startswith("btime"))
    before = time.monotonic()
    while True:
        now, found = time.monotonic(), {}
        for ns, pid, ticks in processes():
            found.setdefault(ns, {})[pid] = ticks
        for host in hosts:
            host.book(found.get(host.namespace(), {}), (now - before) * TICKS, boot)
        before = now
        time.sleep(0.1)


main()
