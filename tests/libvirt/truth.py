#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""truth.py FACTS SOURCE: every domain and capabilities file and every sysfs tree among libvirt's own tests (SOURCE: its
unpacked source), read by vmtop (FACTS: the program built from facts.c) and, in its own way, here. Prints how many there
were of each kind, each difference that is known with its reason, and each other one; status 1 when there was one of
those. Differences are told by kind of fact, so that a new one in an old file is not hidden by an old one."""
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

VFIO, SEV, LOCKED, HUGEPAGES, RT, EMULATOR, DEDICATED, NOVA = 1, 2, 4, 8, 32, 256, 512, 1024
CPUS = 1024

# (kind of fact, regular expression for the file, why the two differ and why that is right). None is known.
EXPLAINED = []


def id_set(text):
    """libvirt's lists: 0-3,^2. None: not a list."""
    inside, outside = set(), set()
    for part in text.split(","):
        m = re.fullmatch(r"\s*(\^?)(\d+)(?:-(\d+))?\s*", part)
        if not m:
            return None
        low = int(m[2])
        high = int(m[3] or low)
        (outside if m[1] else inside).update(range(low, min(high, 1 << 16) + 1))
    return inside - outside


def fmt(ids):
    ids = sorted(i for i in ids if i < CPUS)
    runs = []
    for i in ids:
        if runs and runs[-1][1] == i - 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def to_kib(e):
    if e is None:
        return None
    unit = (e.get("unit") or "KiB").lower()
    power = "kmgtpe".find(unit[0]) + 1
    scale = 1 if unit in ("b", "byte", "bytes") else (1000 if unit[1:] == "b" else 1024) ** power
    return -(-int(e.text) * scale // 1024)


# ---- domains ----

def memory_pinned(dom):
    """Which devices keep the guest's pages where they are."""
    for e in dom.findall("devices/*"):
        kind = e.get("type")
        if e.tag == "hostdev" and kind in ("pci", "mdev"):
            return True
        if e.tag == "interface" and kind in ("hostdev", "vdpa"):
            return True
        if e.tag == "disk":
            parts = [e] + [p for p in e.iter() if p.tag in ("backingStore", "mirror", "dataStore")]
            if any(p.get("type") in ("nvme", "vhostvdpa") for p in parts):
                return True
    return False


def arguments(dom):
    return [a.get("value") or "" for a in dom.iter("{http://libvirt.org/schemas/domain/qemu/1.0}arg")]


def dom_flags(dom, pins):
    args = arguments(dom)
    flags = VFIO * (memory_pinned(dom) or any(re.search(r"(^|[\s,=\"'])(vfio-|vhost-vdpa|nvme://)", a) for a in args))
    flags |= SEV * (dom.find("launchSecurity") is not None or any(re.search(r"(sev|tdx)[a-z-]*guest", a) for a in args))
    flags |= LOCKED * (dom.find("memoryBacking/locked") is not None or any("lock=on" in a for a in args))
    flags |= HUGEPAGES * (dom.find("memoryBacking/hugepages") is not None)
    flags |= RT * any(s.get("scheduler") in ("fifo", "rr") for s in dom.findall("cputune/vcpusched"))
    flags |= EMULATOR * (dom.find("cputune/emulatorpin") is not None)
    flags |= NOVA * any(e.tag.startswith("{http://openstack.org/xmlns/libvirt/nova/") and e.tag.endswith("}instance")
                        for e in dom.findall("metadata/*"))
    vcpu = dom.find("vcpu")
    many = int(vcpu.get("current") or vcpu.text) if vcpu is not None else 0
    single = [tuple(sorted(p)) for p in pins.values()]
    if pins and len(pins) >= many and all(len(p) == 1 for p in single) and len(set(single)) == len(single):
        flags |= DEDICATED
    return flags


def binding(dom):
    """Nodes of the guest's memory, whether all of it must stay there, and whether libvirt has to be asked."""
    vcpu, memory = dom.find("vcpu"), dom.find("numatune/memory")
    auto = vcpu is not None and vcpu.get("placement") == "auto"
    asks = auto or memory is not None
    loose = ("preferred", "interleave")
    if memory is not None and memory.get("placement") == "auto":
        return 0, False, asks
    own = {c.get("cellid"): c for c in dom.findall("numatune/memnode")}
    cells = len(dom.findall("cpu/numa/cell"))
    rules = list(own.values())
    common = memory if memory is not None and memory.get("nodeset") else None
    whole = bool(own) and len(own) >= cells
    if not whole and common is not None:
        rules.append(common)
    nodes = set().union(*[id_set(r.get("nodeset")) or set() for r in rules]) if rules else set()
    bits = sum(1 << n for n in nodes if n < 64)
    strict = bool(bits) and all(r.get("mode") not in loose for r in rules) and (whole or common is not None)
    return bits, strict, asks


def ballooned(dom):
    """What the balloon may have and has: libvirt's sums less what lies in devices that QEMU's balloon does not reach. A
    sum above the most is one of another moment, or counts those devices too: it says nothing of the balloon."""
    memory, now = to_kib(dom.find("memory")), to_kib(dom.find("currentMemory"))
    devices = [m for m in dom.findall("devices/memory") if m.get("model") != "dimm"]
    sizes = [to_kib(m.find("target/size")) or 0 for m in devices]
    plugged = [to_kib(m.find("target/current")) or 0 for m in devices if m.get("model") == "virtio-mem"]
    now = memory if now is None else now
    if not devices or memory is None:
        return memory, now
    most, now = memory - sum(sizes), now - sum(plugged)
    most = most if most > 0 else None
    return most, now if most is not None and 0 < now <= most else None


def dom_truth(dom):
    pins = {}
    for p in dom.findall("cputune/vcpupin"):
        pins.setdefault(int(p.get("vcpu")), id_set(p.get("cpuset")) or set())
    vcpu = dom.find("vcpu")
    auto = vcpu is not None and vcpu.get("placement") == "auto"
    cpuset = None if vcpu is None or auto or vcpu.get("cpuset") is None else id_set(vcpu.get("cpuset")) or set()
    flags = dom_flags(dom, pins)
    bits, strict, asks = binding(dom)
    most, now = ballooned(dom)
    balloon, stats = dom.find("devices/memballoon"), dom.find("devices/memballoon/stats")
    quota, period = dom.find("cputune/quota"), dom.find("cputune/period")
    capped = quota is not None and int(quota.text) > 0
    others = set(range(CPUS)) if cpuset is None else cpuset
    return {
        "flags": flags,
        "cpuset": None if cpuset is None else fmt(cpuset),
        "allowed": [fmt(pins.get(i, others)) for i in range(16)],
        "nodes": bits,
        "strict": strict,
        "asks_cpus": auto and not flags & EMULATOR,
        "asks_nodes": asks,
        "balloon": balloon is None or balloon.get("model") != "none",
        "period": int(stats.get("period")) if stats is not None else 0,
        "max": most,
        "current": now,
        "min": to_kib(dom.find("memtune/min_guarantee")),
        "quota": 100 * int(quota.text) / int(period.text if period is not None else 100000) if capped else None,
    }


# ---- topologies ----

def topology_truth(caps):
    """Nodes; for each pCPU its node, socket, core and last-level cache. Of two banks that hold it (code and data) the
    first counts."""
    host = caps.find("host")
    nodes, cpus, core_of = [], {}, {}
    banks = [(int(b.get("level")), id_set(b.get("cpus"))) for b in host.findall("cache/bank")]
    last = [cpus_of for level, cpus_of in banks if level == max(b[0] for b in banks)]
    for cell in host.findall("topology/cells/cell"):
        node = int(cell.get("id"))
        nodes.append([node, to_kib(cell.find("memory"))])
        for c in cell.findall("cpus/cpu"):
            i = int(c.get("id"))
            siblings = c.get("siblings")
            core_of[i] = frozenset(id_set(siblings)) if siblings else None
            llc = next((n for n, bank in enumerate(last) if i in bank), -1)
            cpus[i] = [node, int(c.get("socket_id", -1)), llc]
    dense = {}
    for i in sorted(cpus):
        if core_of[i] is not None:
            dense.setdefault(core_of[i], len(dense))
    rows = [[i, cpus[i][0], cpus[i][1], dense.get(core_of[i], -1), cpus[i][2]] for i in sorted(cpus)]
    return {"nodes": nodes, "cpus": rows, "has_llc": bool(last) and all(r[4] >= 0 or r[3] < 0 for r in rows)}


def read(path):
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError:
        return None


def make_root(tree, root):
    """A /proc and a /sys around one of libvirt's trees; returns what is to be found there."""
    os.makedirs(f"{root}/proc")
    os.makedirs(f"{root}/sys/devices/system")
    for kind in ("cpu", "node"):
        if os.path.isdir(f"{tree}/{kind}"):
            shutil.copytree(f"{tree}/{kind}", f"{root}/sys/devices/system/{kind}", symlinks=True)
    # A kernel shows the memory of each node; the trees are cut down to what libvirt's tests read.
    for n in id_set(read(f"{tree}/node/online") or "") or set():
        os.makedirs(f"{root}/sys/devices/system/node/node{n}", exist_ok=True)
        with open(f"{root}/sys/devices/system/node/node{n}/meminfo", "w") as f:
            f.write(f"Node {n} MemTotal: 1024 kB\nNode {n} MemFree: 512 kB\n")
    have = {int(d[3:]) for d in os.listdir(f"{tree}/cpu") if re.fullmatch(r"cpu\d+", d)}
    online = read(f"{tree}/cpu/online")
    on = id_set(online) if online else {i for i in have if (read(f"{tree}/cpu/cpu{i}/online") or "1") == "1"}
    with open(f"{root}/proc/stat", "w") as f:
        f.write("cpu  1 2 3 4 5 6 7 0 0 0\n" + "".join(f"cpu{i} 10 0 10 100 0 0 0 0 0 0\n" for i in sorted(on)))
    present = read(f"{tree}/cpu/present")
    all_ids = on | (id_set(present) if present else set())
    node_of = {}
    nodes = id_set(read(f"{tree}/node/online") or "") or set()
    for n in sorted(nodes):
        for i in id_set(read(f"{tree}/node/node{n}/cpulist") or "") or set():
            node_of[i] = n
    return {"cpus": sorted([i, i in on, node_of.get(i, -1)] for i in all_ids if i < CPUS), "nodes": sorted(nodes)}


def host_caps_truth(caps):
    """Where the tree's capabilities are known: node of each pCPU, as libvirt itself worked it out."""
    return {int(c.get("id")): int(cell.get("id")) for cell in caps.findall("host/topology/cells/cell")
            for c in cell.findall("cpus/cpu")}


# ---- libvirt's own word ----

def memlock_truth(source):
    """qemumemlocktest.c: for which guests libvirt raises the limit of locked memory. PPC64, and a limit that is raised
    only because <hard_limit> says how far, are left out: nothing of those is locked."""
    text = read(f"{source}/tests/qemumemlocktest.c")
    return {name: limit.strip() != "0" for name, limit in re.findall(r'DO_TEST\("([^"]+)",\s*([^;]*?)\)\s*;', text)
            if not name.startswith("pseries") and name not in ("pc-hardlimit",)}


# ---- comparing ----

class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self.known = collections.defaultdict(list)
        self.unknown = []

    def difference(self, kind, name, truth, got):
        for k, pattern, why in EXPLAINED:
            if k == kind and re.search(pattern, name):
                self.known[why].append(f"{name}: {kind}")
                return
        self.unknown.append(f"{name}: {kind}: truth {truth}, vmtop {got}")

    def compare(self, name, truth, got):
        for kind, value in truth.items():
            have = got.get(kind)
            same = abs(value - have) < 1e-9 * max(1, abs(value)) if kind == "quota" and None not in (value, have) \
                else value == have
            if not same:
                self.difference(kind, name, value, have)

    def end(self):
        print(", ".join(f"{n} {what}" for what, n in self.counts.items()))
        for why, where in sorted(self.known.items()):
            print(f"explained, {len(where)}: {why}")
            for line in where:
                print(f"    {line}")
        for line in self.unknown:
            print(f"DIFFERS {line}")
        print(f"{len(self.unknown)} unexplained differences")
        return 1 if self.unknown or not self.counts["domains"] else 0


def facts(program, kind, paths):
    out = subprocess.run([program, kind], input="".join(p + "\n" for p in paths), capture_output=True, text=True,
                         check=True)
    if out.stderr:
        sys.exit(f"{kind}: something was written to stderr: {out.stderr[:200]}")
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    if [j["file"] for j in lines] != paths:
        sys.exit(f"{kind}: {len(lines)} answers to {len(paths)} files")
    return lines


def documents(source, scratch):
    """(name, path, tree or None) of every XML file; a domain inside another document becomes a file of its own."""
    for folder, _, files in sorted(os.walk(f"{source}/tests")):
        for name in sorted(f for f in files if f.endswith(".xml")):
            path = f"{folder}/{name}"
            short = os.path.relpath(path, f"{source}/tests")
            try:
                root = ET.parse(path).getroot()
            except ET.ParseError:
                yield short, path, None
                continue
            yield short, path, root
            if root.tag == "domain":
                continue
            for n, inner in enumerate(root.iter("domain")):
                part = f"{scratch}/{len(os.listdir(scratch))}.xml"
                ET.ElementTree(inner).write(part)
                yield f"{short}#{n}", part, inner


def check_domains(program, docs, report, locks):
    names = [d for d in docs if d[2] is None or d[2].tag == "domain"]
    for (name, _, root), got in zip(names, facts(program, "dom", [d[1] for d in names])):
        if root is None or "error" in got:
            if (root is None) != ("error" in got):
                report.difference("readable", name, root is not None, got.get("error", "read"))
            report.counts["files that are no XML"] += root is None
            continue
        report.counts["domains"] += 1
        try:
            report.compare(name, dom_truth(root), got)
        except (TypeError, ValueError, KeyError) as e:
            report.difference("no truth", name, repr(e), "read")
        lock = locks.get(os.path.basename(name)[:-4].removeprefix("qemumemlock-")) if name.startswith("qemumemlockdata/") else None
        if lock is not None:
            report.counts["limits of locked memory by libvirt"] += 1
            report.compare(name, {"locked": lock}, {"locked": bool(got["flags"] & (VFIO | LOCKED))})


def check_topologies(program, docs, report):
    caps = [d for d in docs if d[2] is not None and d[2].tag == "capabilities"]
    for (name, _, root), got in zip(caps, facts(program, "topology", [d[1] for d in caps])):
        report.counts["capabilities"] += 1
        report.compare(name, topology_truth(root), got)


def check_hosts(program, source, scratch, report):
    trees = sorted(folder for folder, dirs, _ in os.walk(f"{source}/tests") if "cpu" in dirs and
                   any(re.fullmatch(r"cpu\d+", d) for d in os.listdir(f"{folder}/cpu")))
    roots = [f"{scratch}/root{n}" for n in range(len(trees))]
    truths = [make_root(t, r) for t, r in zip(trees, roots)]
    for tree, truth, got in zip(trees, truths, facts(program, "host", roots)):
        name = os.path.relpath(tree, f"{source}/tests")
        report.counts["sysfs trees"] += 1
        got.get("cpus", []).sort()
        report.compare(name, truth, got)
        m = re.fullmatch(r"vircaps2xmldata/linux-(.*)/system", name)
        for xml in (f"{source}/tests/vircaps2xmldata/vircaps-{a}-{m[1]}.xml" for a in ("x86_64", "aarch64") if m):
            if os.path.exists(xml):
                report.counts["of them with libvirt's own reading"] += 1
                nodes = host_caps_truth(ET.parse(xml).getroot())
                report.compare(name, {"node of pCPU": nodes}, {"node of pCPU": {c[0]: c[2] for c in got["cpus"]}})


def main():
    program, source = sys.argv[1:3]
    report = Report()
    with tempfile.TemporaryDirectory() as scratch:
        os.mkdir(f"{scratch}/parts")
        docs = list(documents(source, f"{scratch}/parts"))
        check_domains(program, docs, report, memlock_truth(source))
        check_topologies(program, docs, report)
        check_hosts(program, source, scratch, report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
