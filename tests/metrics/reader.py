# SPDX-License-Identifier: MIT
# reader.py NAME ARG...: one look at a vmtop that listens; ends with an error that says what is wrong.
import http.client, os, pty, socket, sys, threading, time

NAME, PORT = sys.argv[1], int(sys.argv[2])
HOST = "127.0.0.1"


def get(path="/metrics", method="GET", headers=None, body=None):
    c = http.client.HTTPConnection(HOST, PORT, timeout=20)
    c.request(method, path, headers=headers or {}, body=body)
    r = c.getresponse()
    return r.status, r.headers, r.read().decode("utf-8")


def raw(data, wait=10):
    s = socket.create_connection((HOST, PORT), timeout=wait)
    got = b""
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        while chunk := s.recv(65536):
            got += chunk
    except OSError as e:
        assert not isinstance(e, TimeoutError), "it hangs"
    s.close()
    return got


def formats():
    status, head, text = get()
    assert status == 200 and head["Content-Type"].startswith("text/plain; version=0.0.4"), (status, head)
    assert "# TYPE vmtop_vm_cpu_seconds_total counter\n" in text and "# EOF" not in text
    status, head, text = get(headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert status == 200 and head["Content-Type"].startswith("application/openmetrics-text; version=1.0.0"), head
    assert text.endswith("# EOF\n") and "# TYPE vmtop_vm_cpu_seconds counter\n" in text
    status, head, text = get("/")
    assert status == 200 and text.count("\n") == 1, text
    status, head, text = get(method="HEAD")
    assert status == 200 and int(head["Content-Length"]) > 1000 and text == "", head


def refused():
    want = {405: [dict(method="POST", body="x=1"), dict(method="DELETE"), dict(method="PUT", body="x" * 100000)],
            404: [dict(path="/metrics/"), dict(path="/../etc/passwd"), dict(path="/%2e%2e/")],
            }
    for code, many in want.items():
        for one in many:
            status = get(**one)[0]
            assert status == code, (one, status)
    for data in (b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100000 + b"\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"\0\xff garbage\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n"):
        got = raw(data)
        assert not got or got.split(b" ")[1][:1] in (b"4", b"5"), (data[:40], got[:80])
    assert get()[0] == 200


def node_exporter():
    """Each series of the file, with its value, and no error of the collector."""
    want = {line for line in open(sys.argv[3], encoding="utf-8") if line.startswith("vmtop_")}
    end = time.time() + 20
    while True:
        try:
            text = get()[2]
            break
        except OSError:
            assert time.time() < end, "it does not answer"
            time.sleep(0.2)
    assert "\nnode_textfile_scrape_error 0\n" in text, [line for line in text.splitlines() if "textfile" in line]

    def parts(line):
        name, _, value = line.rpartition(" ")
        head, _, labels = name.rstrip("}").partition("{")
        return head, frozenset(labels.split('",')), float(value)

    got = {parts(line)[0] for line in text.splitlines() if line.startswith("vmtop_")}
    assert got == {parts(line)[0] for line in want}, got ^ {parts(line)[0] for line in want}
    n = sum(line.startswith("vmtop_") for line in text.splitlines())
    assert n == len(want), (n, len(want))


def crowd():
    """100 at once: each has its answer, and the program goes on."""
    bad = []

    def one():
        try:
            status, _, text = get()
            if status != 200 or "vmtop_host_info" not in text:
                bad.append(status)
        except Exception as e:
            bad.append(repr(e))

    threads = [threading.Thread(target=one) for _ in range(100)]
    start = time.time()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad, bad[:3]
    assert time.time() - start < 10, time.time() - start


def slow():
    """Connections that say nothing, half of something, or do not read: after their few seconds others are served."""
    held = [socket.create_connection((HOST, PORT), timeout=20) for _ in range(70)]
    for i, s in enumerate(held):
        if i % 3 == 1:
            s.sendall(b"GET /metr")
        elif i % 3 == 2:
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    start = time.time()
    assert get()[0] == 200
    assert time.time() - start < 12, time.time() - start
    for s in held:
        s.close()


def screen():
    """argv[3]: vmtop. On a terminal it draws, answers, and ends by q."""
    pid, tty = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", LINES="30", COLUMNS="100")
        os.execv(sys.argv[3], [sys.argv[3], "--no-config", "-c", "sim:demo", "-d", "0.2", "--listen", str(PORT)])
    drawn = [b""]

    def reads():
        try:
            while data := os.read(tty, 65536):
                drawn[0] += data
        except OSError:
            pass

    t = threading.Thread(target=reads)
    t.start()
    for _ in range(100):
        names = ["vmtop_vm_memory_used_bytes", "vmtop_pcpu_busy_ratio", "vmtop_host_deviation_ratio"]
        try:
            text = get()[2]
            names = [n for n in names if n not in text]
        except ConnectionRefusedError:
            pass
        if not names:
            break
        time.sleep(0.1)
    os.write(tty, b"q")
    _, status = os.waitpid(pid, 0)
    t.join()
    assert not names and status == 0 and b"web-1" in drawn[0], (names, status, len(drawn[0]))


def grows():
    """Counters never fall from scrape to scrape, and some grow."""
    def read():
        out = {}
        for line in get()[2].splitlines():
            name, value = line.rsplit(" ", 1)
            if not line.startswith("#") and name.split("{")[0].endswith("_total"):
                out[name] = float(value)
        return out

    first = before = read()
    for _ in range(5):
        time.sleep(0.5)
        now = read()
        fell = [n for n in before if n in now and now[n] < before[n]]
        assert not fell, fell[:3]
        before = now
    grew = {n.split("{")[0] for n in before if before[n] > first.get(n, 0)}
    assert {"vmtop_vm_cpu_seconds_total", "vmtop_vcpu_cpu_seconds_total", "vmtop_host_samples_total",
            "vmtop_process_cpu_seconds_total", "vmtop_host_busy_seconds_total"} <= grew, grew


globals()[NAME]()
