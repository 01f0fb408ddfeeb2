# SPDX-License-Identifier: MIT
# fleet.py PROMETHEUS-PORT VMTOP: vmtop fleet over a real Prometheus: by federation, and by queries where a proxy before it
# forbids that. Both tell the same of the host and its VMs, hostile names included, and zero is not absent.
import http.server, json, subprocess, sys, threading, time, urllib.request

PORT, VMTOP = int(sys.argv[1]), sys.argv[2]
NAMES = {'quote" comma, back\\slash {brace}', "line\\x0abreak\\x09tab\\x1b[2J\\xff", "idle", "crowd"}
asked = []


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        if self.path.startswith("/federate"):
            self.send_error(403)
            return
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (PORT, self.path), timeout=10) as r:
            body = r.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def rows(port):
    run = [VMTOP, "fleet", "--json", "--vms", "-n", "1", "prom:http://127.0.0.1:%d" % port]
    return json.loads(subprocess.run(run, check=True, capture_output=True, timeout=60).stdout)


def look(port):
    """The peaks' rule is evaluated each second, and needs a moment for its first."""
    got = rows(port)
    assert len(got["hosts"]) == 1, got["hosts"]
    host, vms = got["hosts"][0], {v["name"]: v for v in got["vms"]}
    assert host["state"] == "ok" and host["pcpus"] == 4 and host["running"] == 4 and host["age_s"] < 10, host
    assert host["worst"] in vms and host["suffers_pct"] > 0, host
    assert set(vms) == NAMES, set(vms)
    assert {n: v["vcpus"] for n, v in vms.items() if len(n) < 6} == {"idle": 1, "crowd": 6}, vms
    assert all(v["cpu_pct"] is not None and v["wait_pct"] is not None and v["suffers_pct"] is not None for v in vms.values()), vms
    assert vms["idle"]["suffers_pct"] == 0 and vms["crowd"]["wait_pct"] > 10, vms
    return {n: (v["uuid"], v["vcpus"], v["balloon_kib"]) for n, v in vms.items()}


proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=proxy.serve_forever, daemon=True).start()
by_federation, by_queries = look(PORT), look(proxy.server_address[1])
assert by_federation == by_queries, (by_federation, by_queries)
assert any(v[2] for v in by_queries.values()), by_queries
assert any(p.startswith("/federate") for p in asked) and any(p.startswith("/api/v1/query") for p in asked), asked
