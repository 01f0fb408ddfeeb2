#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""waits.py FILE: what each guest has waited, run and lost so far, in FILE as lines "GUEST RUN_S WAIT_S", by the name in
its QEMU's command line, wherever it runs and however often it was started; written anew five times a second. The line
"others 0 BUSY_S" before them: what the machine did beside.

Counters are those of its vCPU threads (/proc/PID/task/TID/schedstat). What a thread did between the last look and its end
is not seen."""
import os
import re
import sys
import time

NAME = re.compile(rb"(?:^|,)guest=([^,]+)")


def guest_of(pid):
    """The name of a QEMU's guest, or None."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().split(b"\0")
    except OSError:
        return None
    if b"qemu" not in words[0]:
        return None
    for word in words:
        m = NAME.search(word)
        if m:
            return m.group(1).decode()
    return None


def vcpu_threads(pid):
    """(thread, nanoseconds run, nanoseconds waited)"""
    for tid in os.listdir(f"/proc/{pid}/task"):
        at = f"/proc/{pid}/task/{tid}"
        with open(f"{at}/comm") as f:
            if not f.read().startswith("CPU "):
                continue
        with open(f"{at}/schedstat") as f:
            ran, waited, _ = map(int, f.read().split())
        yield tid, ran, waited


def look(pids, seen, sums):
    """Adds what came since the last look. A name is asked for until there is one: the command line comes with exec."""
    now = set(filter(str.isdigit, os.listdir("/proc")))
    for pid in [p for p in pids if p not in now]:
        del pids[pid]
    for pid in now:
        if not pids.get(pid):
            pids[pid] = guest_of(pid)
        if not pids[pid]:
            continue
        try:
            for tid, ran, waited in vcpu_threads(pid):
                was = seen.get((pid, tid), (0, 0))
                total = sums.setdefault(pids[pid], [0, 0])
                total[0] += ran - was[0]
                total[1] += waited - was[1]
                seen[pid, tid] = ran, waited
        except OSError:
            pass  # it ends


def busy():
    """Seconds that all pCPUs were busy."""
    with open("/proc/stat") as f:
        words = f.readline().split()
    return sum(int(words[i]) for i in (1, 2, 3, 6, 7, 8)) / os.sysconf("SC_CLK_TCK")


def main():
    pids, seen, sums = {}, {}, {}
    while True:
        look(pids, seen, sums)
        with open(sys.argv[1] + ".new", "w") as f:
            f.write(f"others 0 {busy() - sum(ran for ran, _ in sums.values()) / 1e9:.3f}\n")
            f.writelines(f"{name} {ran / 1e9:.3f} {waited / 1e9:.3f}\n" for name, (ran, waited) in sorted(sums.items()))
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        time.sleep(0.2)


main()
