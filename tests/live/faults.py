#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""faults.py N SEED [CAUSE...]: N faults (of these causes alone), one after another, put into real guests; what vmtop names first as the cause, as a matrix.
Run by faults.sh, which made the guests, with LAB, VMTOP and FAULT_PART set. Status 0: the true cause came first at the
third sample after the fault in 95 % of them, and no guest without a fault was accused."""
import collections
import contextlib
import ctypes
import datetime
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import termios
import threading
import time

LAB, PART = os.environ["LAB"], os.environ["FAULT_PART"]
LATE = 3  # samples: by then the cause must be first
TICK_S = 0.8
IDLE_PCT, BUSY_PCT = 35, 45  # vmtop calls a pCPU idle below 40; between these it may say either
# Guests' statistics are asked for once a memory cycle, and disks where a column shows them: here with each sample.
FRESH = ("--set", f"memory_cycle={TICK_S}", "--columns", "name,rdrq")
HEAL_S = 8
PROGRAMS_PCT = 10  # of a pCPU, taken by what is no guest of this host
STOLEN_PCT = .5  # of a pCPU: where this machine is a guest itself, the host below it may really take time away
NONE = "-"


def virsh(*words):
    return subprocess.run(["virsh", "-q", *map(str, words)], check=True, text=True, timeout=60, capture_output=True).stdout


def pid_of(vm):
    with open(f"/run/libvirt/qemu/{vm}.pid", encoding="ascii") as f:
        return int(f.read())


def group_of(vm, tree):
    """Its control group; libvirt's own parts of it lie below."""
    with open(f"/proc/{pid_of(vm)}/cgroup", encoding="ascii") as f:
        rows = [line.strip().split(":", 2) for line in f]
    at = next(path for _, names, path in rows if tree in names.split(","))
    return f"/sys/fs/cgroup/{tree}{os.path.dirname(at)}"


def put(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(text))


def busy_ns():
    """Of each pCPU, by the kernel's own count."""
    with open("/proc/stat", encoding="ascii") as f:
        rows = [line.split() for line in f if line.startswith("cpu") and line[3].isdigit()]
    tick = 10**9 // os.sysconf("SC_CLK_TCK")
    return [tick * (sum(map(int, r[1:9])) - int(r[4]) - int(r[5])) for r in rows]


def stolen_ns():
    """Of all pCPUs, taken by the host below."""
    with open("/proc/stat", encoding="ascii") as f:
        total = next(line.split() for line in f if line.startswith("cpu "))
    return int(total[8]) * (10**9 // os.sysconf("SC_CLK_TCK"))


def guests_ns():
    with open(f"/sys/fs/cgroup/cpuacct/{PART}.partition/cpuacct.usage_percpu", encoding="ascii") as f:
        return list(map(int, f.read().split()))


class Watch(threading.Thread):
    """vmtop, and what it says, sample by sample; beside it how busy the pCPUs were, and with what but guests."""

    def __init__(self):
        super().__init__(daemon=True)
        self.cond, self.seen, self.used, self.stolen = threading.Condition(), [], [], []
        self.vmtop = subprocess.Popen([os.environ["VMTOP"], "--json", "--no-config", "--readonly", "-d", str(TICK_S), *FRESH],
                                      stdout=subprocess.PIPE, text=True)

    def run(self):
        last = time.monotonic(), busy_ns(), guests_ns(), stolen_ns()
        for line in self.vmtop.stdout:
            now = time.monotonic(), busy_ns(), guests_ns(), stolen_ns()
            past = (now[0] - last[0]) * 1e7
            busy = [(b - a) / past for a, b in zip(last[1], now[1])]
            other = [max(0, x - (b - a) / past) for x, a, b in zip(busy, last[2], now[2])]
            stolen = (now[3] - last[3]) / past
            last = now
            o = json.loads(line)
            at = datetime.datetime.fromisoformat(o["time"]).timestamp()
            found = {vm["name"]: vm["suffers"]["causes"] for vm in o["vms"]}
            unknown = {vm["name"]: vm["suffers"].get("not_known") for vm in o["vms"]}
            with self.cond:
                self.seen.append((at, found, unknown))
                self.used.append((busy, other))
                self.stolen.append(stolen)
                self.cond.notify_all()

    def wait(self, ready, seconds):
        with self.cond:
            if not self.cond.wait_for(lambda: ready(self.seen), seconds):
                return False
            return True

    def after(self, at, n):
        """Numbers of the first n samples that were taken after a time."""
        def which(seen):
            return [i for i, s in enumerate(seen) if s[0] > at][:n]
        if not self.wait(lambda seen: len(which(seen)) == n, 10 + 4 * n * TICK_S):
            raise RuntimeError("vmtop is silent")
        return which(self.seen)


def first(causes):
    return causes[0]["cause"] if causes else NONE


class Again(Exception):
    """What else this machine does made it another fault."""


KINDS = []


def kind(cause, way):
    def add(f):
        KINDS.append((cause, way, f))
        return f
    return add


def wake(*vms):
    for vm in vms:
        virsh("resume", vm)


def rest(*vms):
    for vm in vms:
        virsh("suspend", vm)


def pin(vm, cpus, vcpus=1):
    for k in range(vcpus):
        virsh("vcpupin", vm, k, cpus, "--live")


def sched(vm, **settings):
    virsh("schedinfo", vm, "--live", *(f"--set={k}={v}" for k, v in settings.items()))


class Storm:
    """Keeps the main thread of a guest's QEMU at work, in pieces that libvirt's own words get between."""

    def __init__(self, vm):
        self.on = True
        self.fd = os.open(f"{LAB}/{vm}.mon.in", os.O_RDWR)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while self.on:
            if self.unread() < 60:
                os.write(self.fd, 4 * b"pmemsave 0 0x200000 /dev/null\n")
            else:
                time.sleep(.003)

    def unread(self):
        left = bytearray(4)
        fcntl.ioctl(self.fd, termios.FIONREAD, left)
        return int.from_bytes(left, sys.byteorder)

    def end(self):
        self.on = False
        self.thread.join()
        os.close(self.fd)


# ---- the faults: each sets up guests that are healthy, yields who takes part; the fault; yields; takes it away -----

SINGLE, HOGS = ("v1", "v3"), ("hog1", "hog2")


@kind("hung", "its QEMU stopped")
def stopped(r):
    vm = r.choice(("v1", "v2", "v3", "calm", "lin"))
    if vm.startswith("v"):
        wake(vm)
    yield vm
    os.kill(pid_of(vm), signal.SIGSTOP)
    yield
    os.kill(pid_of(vm), signal.SIGCONT)
    if vm.startswith("v"):
        rest(vm)


@kind("wait", "guests on all pCPUs")
def full(r):
    vm, hogs = r.choice(SINGLE + ("v2",)), ["hog1", "hog2"] + r.choice(([], ["hog3"]))
    wake(vm)
    yield vm, *hogs
    wake(*hogs)
    yield
    rest(vm, *hogs)


@kind("wait", "programs on all pCPUs")
def programs(r):
    vm = r.choice(SINGLE + ("v2",))
    wake(vm)
    yield vm
    own = f"/sys/fs/cgroup/cpu/{PART}-programs"
    os.makedirs(own, exist_ok=True)
    put(f"{own}/cpu.shares", 262144)
    burners = [subprocess.Popen(["taskset", "-c", str(i % 2), "sh", "-c", f"echo $$ >{own}/cgroup.procs; while :; do :; done"])
               for i in range(r.randint(4, 6))]
    yield
    for b in burners:
        b.kill()
        b.wait()
    rest(vm)


@kind("pins", "pinned beside an idle pCPU")
def stacked(r):
    vm, hog, cpu = r.choice(SINGLE), r.choice(HOGS), r.randint(0, 1)
    pin(hog, cpu)
    pin(vm, "0-1")
    wake(vm)
    pin(vm, cpu)
    yield vm, hog, 1 - cpu
    wake(hog)
    yield
    rest(vm, hog)
    pin(vm, "0-1")
    pin(hog, "0-1")


@kind("pins", "cpuset narrowed")
def narrowed(r):
    vm, hog, cpu = r.choice(SINGLE), r.choice(HOGS), r.randint(0, 1)
    group = group_of(vm, "cpuset")
    pin(hog, cpu)
    wake(vm, hog)
    yield vm, hog, 1 - cpu
    for part in ("vcpu0", "emulator", ""):
        put(f"{group}/{part}/cpuset.cpus", cpu)
    yield
    for part in ("", "emulator", "vcpu0"):
        put(f"{group}/{part}/cpuset.cpus", "0-1")
    rest(vm, hog)
    pin(vm, "0-1")
    pin(hog, "0-1")


def quota(r, key):
    vm = r.choice(SINGLE + ("v2",))
    wake(vm)
    yield vm
    sched(vm, **{key: 1000 * r.randint(8, 45)})
    yield
    sched(vm, **{key: -1})
    rest(vm)


@kind("quota", "vcpu_quota")
def vcpu_quota(r):
    yield from quota(r, "vcpu_quota")


@kind("quota", "global_quota")
def global_quota(r):
    yield from quota(r, "global_quota")


@kind("quota", "cap of a slice")
def slice_quota(r):
    wake("sliced")
    yield "sliced"
    put(f"/sys/fs/cgroup/cpu/{PART}.partition/slice.partition/cpu.cfs_quota_us", 1000 * r.randint(8, 45))
    yield
    put(f"/sys/fs/cgroup/cpu/{PART}.partition/slice.partition/cpu.cfs_quota_us", -1)
    rest("sliced")


@kind("shares", "few against many")
def shares(r):
    vm = r.choice(SINGLE)
    sched(vm, cpu_shares=r.randint(60, 400))
    wake(vm)
    yield vm, *HOGS
    wake(*HOGS)
    yield
    rest(vm, *HOGS)
    sched(vm, cpu_shares=1024)


@kind("emulator", "busy on the vCPU's pCPU")
def emulator_busy(r):
    vm, cpu = r.choice(SINGLE), r.randint(0, 1)
    pin(vm, cpu)
    virsh("emulatorpin", vm, cpu, "--live")
    wake(vm)
    yield vm
    storm = Storm(vm)
    yield
    storm.end()
    rest(vm)
    pin(vm, "0-1")
    virsh("emulatorpin", vm, "0-1", "--live")


@kind("emulator", "kept on a busy pCPU")
def emulator_waits(r):
    vm, hog, cpu = r.choice(SINGLE), r.choice(HOGS), r.randint(0, 1)
    pin(vm, 1 - cpu)
    pin(hog, cpu)
    virsh("emulatorpin", vm, 1 - cpu, "--live")
    wake(vm, hog)
    yield vm, hog
    virsh("emulatorpin", vm, cpu, "--live")
    storm = Storm(vm)
    yield
    storm.end()
    rest(vm, hog)
    pin(vm, "0-1")
    pin(hog, "0-1")
    virsh("emulatorpin", vm, "0-1", "--live")


def until(what, ready, seconds):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(.1)


def tell(vm, words):
    put(f"{LAB}/{vm}.pipe.in", words + "\n")


def console(vm):
    with open(f"{LAB}/{vm}.console", encoding="utf-8", errors="replace") as f:
        return f.read()


def told(vm, words):
    return console(vm).count(words)


def freed(vm):
    n = told(vm, "lab: freed")
    tell(vm, "free it")
    until(f"{vm} freed its memory", lambda: told(vm, "lab: freed") > n, 60)
    until(f"{vm} says so", lambda: balloon(vm, "usable") > 64 * 1024, 60)


def disk(vm, dev, field):
    rows = (line.split() for line in virsh("domblkstat", vm, dev).splitlines())
    return next(int(row[2]) for row in rows if row[1] == field)


def balloon(vm, field):
    """What its driver has reported, in KiB."""
    rows = (line.split("=") for line in virsh("domstats", vm, "--balloon").splitlines() if "=" in line)
    return next(int(row[1]) for row in rows if row[0].strip() == f"balloon.{field}")


@kind("swap", "more eaten than it has")
def swaps(r):
    yield "lin"
    before = balloon("lin", "swap_out")
    tell("lin", f"churn it {r.randint(280, 400)}")
    until("the guest says that it swaps", lambda: balloon("lin", "swap_out") > before + 2048, 60)
    yield
    freed("lin")


@kind("memory", "hardly any left, no swap")
def short(r):
    yield "tight"
    n = told("tight", "lab: full")
    mib = balloon("tight", "usable") // 1024 - r.randint(7, 10)
    tell("tight", f"eat it {mib} {mib}")
    until("the guest has eaten", lambda: told("tight", "lab: full") > n, 60)
    until("the guest says so", lambda: balloon("tight", "usable") < 14 * 1024, 20)
    yield
    freed("tight")


@kind("storage", "few requests a second allowed")
def storage(r):
    n = disk("lin", "vdb", "wr_req")
    tell("lin", "write it")
    until("the guest writes", lambda: disk("lin", "vdb", "wr_req") > n + 5, 30)
    yield "lin"
    virsh("blkdeviotune", "lin", "vdb", "--total-iops-sec", r.randint(3, 5), "--live")
    yield
    virsh("blkdeviotune", "lin", "vdb", "--total-iops-sec", 0, "--live")
    freed("lin")


def ram_of(vm):
    """The memory of the guest in QEMU: its largest mapping."""
    with open(f"/proc/{pid_of(vm)}/maps", encoding="utf-8") as f:
        spans = [tuple(int(x, 16) for x in line.split()[0].split("-")) for line in f if " rw-p " in line]
    return max(spans, key=lambda s: s[1] - s[0])


class Span(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("len", ctypes.c_size_t)]


def page_out(vm, size):
    """process_madvise(MADV_PAGEOUT)"""
    libc = ctypes.CDLL(None, use_errno=True)
    at, _ = ram_of(vm)
    fd = os.pidfd_open(pid_of(vm))
    done = libc.syscall(440, fd, ctypes.byref(Span(at, size)), ctypes.c_size_t(1), 21, 0)
    os.close(fd)
    if done <= 0:
        raise RuntimeError(f"process_madvise: {os.strerror(ctypes.get_errno())}")


def page_in(vm):
    at, end = ram_of(vm)
    with open(f"/proc/{pid_of(vm)}/mem", "rb") as f:
        f.seek(at)
        while at < end:
            at += len(f.read(min(1 << 20, end - at))) or (1 << 20)


@kind("host-swap", "paged out")
def host_swap(r):
    yield "big"
    page_out("big", r.randint(60, 200) << 20)
    yield
    page_in("big")


def sends(vm):
    """QEMU's own thread for it runs."""
    for tid in os.listdir(f"/proc/{pid_of(vm)}/task"):
        try:
            with open(f"/proc/{pid_of(vm)}/task/{tid}/comm", encoding="ascii") as f:
                if f.read().startswith(("live_migration", "mig/src/")):
                    return True
        except OSError:
            pass
    return False


@kind("job", "a slow dump of its memory")
def job(r):
    yield "big"
    fd = os.open(f"{LAB}/big.mon.in", os.O_RDWR)
    dump = subprocess.Popen(["virsh", "-q", "dump", "big", f"{LAB}/big.core", "--live"], stderr=subprocess.DEVNULL)
    slow, left = b"migrate_set_parameter max-bandwidth %dM\n" % r.randint(2, 5), 20
    while left and dump.poll() is None:  # libvirt lifts the limit just before the start
        os.write(fd, slow)
        time.sleep(.01)
        left -= sends("big")
    os.close(fd)
    yield
    over = dump.poll() is not None or "None" in virsh("domjobinfo", "big").splitlines()[0]
    if not over:
        virsh("domjobabort", "big")
        dump.wait(30)
    if os.path.exists(f"{LAB}/big.core"):
        os.unlink(f"{LAB}/big.core")
    if over:
        raise Again


# ---- one after another ----------------------------------------------------------------------------------------

class Run:
    def __init__(self):
        self.watch, self.matrix, self.ways = Watch(), collections.Counter(), collections.defaultdict(list)
        self.accused, self.rightly, self.healthy, self.again, self.unmade = [], [], 0, 0, 0
        self.below = []  # steal named while the kernel counted some
        self.lock = open(os.environ["LOCK"], "w", encoding="ascii") if os.environ.get("LOCK") else None

    def crowded(self, numbers):
        """Programs besides the guests took a good part of a pCPU: who waits then does so for them."""
        return max(max(self.watch.used[i][1]) for i in numbers) > PROGRAMS_PCT

    def stole(self, i):
        """A cause stands for two samples, and is seen over the one before."""
        return max(self.watch.stolen[max(0, i - 3):i + 1]) >= STOLEN_PCT

    def accuse(self, numbers, but, when):
        """Who has no fault, and is blamed all the same."""
        here = set()
        for i in numbers:
            for vm, causes in self.watch.seen[i][1].items():
                if vm not in but and causes and vm not in here:
                    here.add(vm)
                    rightly = causes[0]["cause"] in ("wait", "emulator") and self.crowded(numbers)
                    below = causes[0]["cause"] == "steal" and self.stole(i)
                    (self.rightly if rightly else self.below if below else self.accused).append(
                        f"{vm} {when}: {causes[0]['cause']}: {causes[0]['evidence']}")
        return here

    def healed(self, at):
        """Two samples in a row in which nobody suffers; what lingers longer than HEAL_S is an accusation."""
        def good(seen):
            late = [s for s in seen if s[0] > at]
            return len(late) >= 2 and not any(c for s in late[-2:] for c in s[1].values())
        if not self.watch.wait(good, HEAL_S):
            self.accuse([len(self.watch.seen) - 1], (), "at rest")
            raise Again

    @staticmethod
    def other_pcpu(busy, cause, way):
        """What else this machine does may leave no pCPU idle: then waiting is the truth, and no pin is to blame."""
        if max(busy) <= IDLE_PCT:
            return cause, way
        if min(busy) < BUSY_PCT:
            raise Again
        return "wait", "pinned, and the other is busy too"

    def one(self, n, cause, way, fault, r):
        steps = fault(r)
        who = next(steps)
        who = list(who) if isinstance(who, tuple) else [who]
        idle = who.pop() if isinstance(who[-1], int) else None
        try:
            self.healed(time.time())
        except Again:
            next(steps)
            next(steps, None)
            raise
        next(steps)
        at = time.time()
        numbers = self.watch.after(at, LATE)
        names = [first(self.watch.seen[i][1].get(who[0], [])) for i in numbers]
        said = self.watch.seen[numbers[-1]][1].get(who[0], [])
        next(steps, None)
        if idle is not None:
            cause, way = self.other_pcpu([self.watch.used[i][0][idle] for i in numbers], cause, way)
        self.accuse(numbers, who, f"beside {cause}")
        self.healthy += sum(vm not in who for vm in self.watch.seen[numbers[-1]][1])
        self.matrix[cause, names[-1]] += 1
        late = next((k + 1 for k in range(LATE) if all(x == cause for x in names[k:])), None)
        self.ways[cause, way].append(late)
        print(f"{n:3} {cause:9} {way:30} {who[0]:6} {' '.join(names):30} "
              f"{said[0]['evidence'] if said else f'not known: {self.watch.seen[numbers[-1]][2].get(who[0])}'}"
              f"{'; then ' + ', '.join(c['cause'] for c in said[1:]) if said[1:] else ''}", flush=True)

    @contextlib.contextmanager
    def turn(self):
        """With LOCK, whoever else takes that lock runs between two faults; one that keeps it long runs beside them."""
        for _ in range(50 if self.lock else 0):
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(.1)
        try:
            yield
        finally:
            if self.lock:
                fcntl.flock(self.lock, fcntl.LOCK_UN)
                time.sleep(.2)

    def some(self, n, seed, only):
        r = random.Random(seed)
        swap = len(open("/proc/swaps", encoding="ascii").readlines()) > 1
        kinds = [k for k in KINDS if k[0] in only and (swap or k[0] != "host-swap")]
        todo = []
        while len(todo) < n:
            todo += r.sample(kinds, len(kinds))
        for i, (cause, way, fault) in enumerate(todo[:n], 1):
            for _ in range(8):
                try:
                    with self.turn():
                        self.one(i, cause, way, fault, r)
                    break
                except RuntimeError as e:
                    self.unmade += 1
                    for vm in ("lin", "tight"):  # what it ate is no fault of the next
                        with contextlib.suppress(RuntimeError):
                            freed(vm)
                    print(f"{i:3} {cause:9} {way:30} not made: {e}", flush=True)
                    break
                except Again:
                    self.again += 1
                    print(f"{i:3} {cause:9} {way:30} drawn again", flush=True)

    def say(self):
        causes = list(dict.fromkeys(k[0] for k in KINDS))
        named = causes + sorted({b for _, b in self.matrix} - set(causes))
        print(f"\n{'is / named':30}" + "".join(f" {x:>9}" for x in named))
        for a in causes:
            print(f"{a:30}" + "".join(f" {self.matrix[a, b] or '.':>9}" for b in named))
        print(f"\n{'by the way it was made':42}  right  at sample 1  2  3")
        for (a, way), late in self.ways.items():
            print(f"{a:9}  {way:30} {sum(x is not None for x in late):3} of {len(late):3}   " +
                  " ".join(f"{late.count(k):3}" for k in range(1, LATE + 1)))
        total, right = sum(self.matrix.values()), sum(v for (a, b), v in self.matrix.items() if a == b)
        other = [sum(o) for _, o in self.watch.used[1:]] or [0]
        print(f"\nthe true cause first at sample {LATE}: {right} of {total} ({100 * right / max(1, total):.1f} %)")
        print(f"accused without a fault: {len(self.accused)} of {self.healthy} guests beside them")
        for a in self.accused[:20]:
            print(f"  {a}")
        print(f"steal, while the kernel counted some on this machine: {len(self.below)}")
        for a in self.below[:5]:
            print(f"  {a}")
        print(f"said of guests while programs took more than {PROGRAMS_PCT} % of a pCPU, waiting alone: {len(self.rightly)}")
        for a in self.rightly[:5]:
            print(f"  {a}")
        print(f"drawn again, since the rest of this machine came between: {self.again}; not made: {self.unmade}; "
              f"programs besides the guests took {sum(other) / len(other):.0f} % of a pCPU, at most {max(other):.0f} %")
        return total > 0 and right >= .95 * total and not self.accused


def main():
    n, seed = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    run = Run()
    run.watch.start()
    try:
        run.watch.after(0, 3)
        run.some(n, seed, sys.argv[3:] or [k[0] for k in KINDS])
    finally:
        good = run.say()
        run.watch.vmtop.terminate()
    sys.exit(0 if good and sum(run.matrix.values()) == n else 1)


main()
