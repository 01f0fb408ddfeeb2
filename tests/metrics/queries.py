# SPDX-License-Identifier: MIT
# queries.py PROMETHEUS-PORT DASHBOARD RULES MANUAL: the dashboard has the shape that Grafana reads; each of its queries
# has an answer; each rule is evaluated without an error; both name only metrics that the manual has.
import json, re, sys, time, urllib.parse, urllib.request

port, dashboard, rules, manual = sys.argv[1:5]
board = json.load(open(dashboard))


def ask(path, **args):
    with urllib.request.urlopen("http://127.0.0.1:%s/api/v1/%s?%s" % (port, path, urllib.parse.urlencode(args)), timeout=10) as r:
        answer = json.load(r)
    assert answer["status"] == "success", answer
    return answer["data"]


def shape():
    """What Grafana's schema of a dashboard requires, and what it silently gets wrong without."""
    assert board["uid"] and board["title"] and board["schemaVersion"] >= 36 and board["panels"]
    names = {v["name"]: v["type"] for v in board["templating"]["list"]}
    assert names.get("datasource") == "datasource", names
    taken, ids = set(), set()
    for p in board["panels"]:
        assert p["type"] in ("stat", "timeseries", "table") and p["title"] and p["targets"], p["title"]
        assert p["id"] not in ids
        ids.add(p["id"])
        at = p["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, "%s lies on another panel" % p["title"]
        taken |= cells
        assert set(p["fieldConfig"]) == {"defaults", "overrides"}
        refs = [t["refId"] for t in p["targets"]]
        assert len(set(refs)) == len(refs)
        for t in p["targets"]:
            assert t["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            for used in re.findall(r"\$(?!__)\{?(\w+)", t["expr"]):
                assert used in names, "%s: no variable %s" % (p["title"], used)


def known_names():
    known = set(re.findall(r"vmtop_\w+", open(manual).read().replace(r"\&", "")))
    recorded = {"vmtop_vms_starved", "vmtop_vm_wait_seconds", "vmtop_vm_cpu_seconds", "vmtop_vm_wanted", "vmtop_host_busy", "vmtop_host_steal_seconds"}
    for name in (dashboard, rules):
        used = set(re.findall(r"\bvmtop_\w+", open(name).read()))
        assert used - known - recorded == set(), (name, used - known - recorded)


def filled(expr):
    expr = expr.replace("$__rate_interval", "20s").replace("$instance", ".*").replace("$vm", ".*")
    return ask("query", query=expr)["result"]


def queries():
    """Each has an answer: within the time that rates and rules need for their first."""
    exprs = [(p["title"], t["expr"]) for p in board["panels"] for t in p["targets"]]
    for v in board["templating"]["list"]:
        if v["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", v["definition"]).groups()
            exprs.append(("variable " + v["name"], "count by (%s) (%s)" % (label, metric)))
    end = time.time() + 25
    while missing := [(t, e) for t, e in exprs if not filled(e)]:
        assert time.time() < end, "no answer: %s" % missing
        time.sleep(0.5)
    print("%d queries" % len(exprs))


def evaluated():
    end = time.time() + 10
    while True:
        all_rules = [r for g in ask("rules")["groups"] for r in g["rules"]]
        assert len(all_rules) > 10
        bad = [(r["name"], r.get("lastError")) for r in all_rules if r["health"] == "err"]
        assert not bad, bad
        if all(r["health"] == "ok" for r in all_rules):
            return
        assert time.time() < end, "rules are not evaluated"
        time.sleep(0.5)


def scraped():
    """As OpenMetrics, without an error, all that is there."""
    targets = ask("targets", state="active")["activeTargets"]
    assert targets and all(t["health"] == "up" and not t["lastError"] for t in targets), targets
    assert float(ask("query", query="scrape_samples_scraped")["result"][0]["value"][1]) > 200


shape()
known_names()
queries()
evaluated()
scraped()
