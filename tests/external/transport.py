#!/usr/bin/env python3
"""Holds the ways to engines against real servers on this machine: what comes back, and what is said when nothing can.

    python tests/external/transport.py --query target/debug/examples/engine_query [--only NAME]

Three servers, each told by name if it cannot be had: two ClickHouse 18.16 with a distributed table (Debian package
`clickhouse-server`), a current ClickHouse as a library behind a small server of HTTP (PyPI package `chdb`), and Sail
for Spark Connect (PyPI packages `pysail` and `grpcio`), the latter behind a gate that ends every stream after a
second, as Spark does after two minutes. `spark.py` beside this file asks Spark itself.

All servers listen on 127.0.0.1 and are stopped by their process ID.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STARTS_WITHIN_S = 90
ODD = ["it's", 'say "x"', "back\\slash", "\\N", "\\'; DROP TABLE t; --", "tab\there", "line\nend\r", "zero\u200bwidth",
       "emoji😀", "ключ", "", " ", "null", "{a}", "100%", "x\x01y"]
LARGEST, SMALLEST = 2**63 - 1, -(2**63)


class Checks:
    """What was held, and what did not hold."""

    def __init__(self, query):
        self.query, self.failures = str(query), 0

    def say(self, name, good, found=None):
        print(f"{'ok  ' if good else 'FAIL'}  {name}", flush=True)
        if not good:
            print(f"      {found}", flush=True)
        self.failures += not good

    def ask(self, kind, address, *words, timeout=120):
        command = [self.query, kind, address, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)

    def answers(self, name, expected, kind, address, *words):
        done = self.ask(kind, address, *words)
        found = json.loads(done.stdout) if done.returncode == 0 else done.stderr
        self.say(name, found == expected, found)

    def fails(self, name, code, words, kind, address, *rest, timeout=120):
        """It fails with this exit code, its message has these words, and nothing is written."""
        done = self.ask(kind, address, *rest, timeout=timeout)
        good = done.returncode == code and all(word in done.stderr for word in words) and not done.stdout
        self.say(name, good, f"exit {done.returncode}: {done.stderr}{done.stdout}")

    def begins(self, kind, address, *words):
        command = [self.query, kind, address, *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ended(self, name, process, code, words):
        out, err = process.communicate(timeout=60)
        good = process.returncode == code and all(word in err for word in words) and not out
        self.say(name, good, f"exit {process.returncode}: {err}{out}")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def waits(until, process=None, within=STARTS_WITHIN_S):
    """Whether something comes true in time, and before a process ends."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if until():
            return True
        if process is not None and process.poll() is not None:
            return False
        time.sleep(0.1)
    return False


def listens(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def stop(process, how=signal.SIGTERM):
    """Stops a server of ours by its process ID."""
    if process.poll() is None:
        os.kill(process.pid, how)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()


def secret(folder, name, text):
    path = folder / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def uploaded(folder, name, columns):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(columns))
    return f"{name}={path}"


def clicks(rng, count):
    """Rows (source, click ID, time), with IDs that repeat."""
    return [(rng.choice(["z1", "z2", "z'3"]), f"c{rng.randrange(count * 9 // 10)}", 10**15 + rng.randrange(10**9))
            for _ in range(count)]


def counted(rows, first):
    """What PORTABLE says, counted here: by source, IDs, repeats, conversions and the earliest time."""
    groups = {}
    for source, click, at in rows:
        ids = groups.setdefault(source, {})
        n, earliest = ids.get(click, (0, at))
        ids[click] = (n + 1, min(earliest, at))
    out = {"source": [], "ids": [], "repeats": [], "convs": [], "earliest": []}
    for source in sorted(groups):
        ids = groups[source]
        out["source"].append(source)
        out["ids"].append(len(ids))
        out["repeats"].append(sum(n - 1 for n, _ in ids.values()))
        out["convs"].append(sum(click in first for click in ids))
        out["earliest"].append(min(at for _, at in ids.values()))
    return out


PORTABLE = """SELECT source, count(*) AS ids, sum(n - 1) AS repeats, sum(m) AS convs, min(t) AS earliest FROM
 (SELECT c.source AS source, c.n AS n, c.t AS t, CASE WHEN v.one = 1 THEN 1 ELSE 0 END AS m FROM
   (SELECT source, click_id, count(*) AS n, min(ts) AS t FROM {clicks} GROUP BY source, click_id) AS c
  LEFT JOIN (SELECT click_id AS conv_id, max(1) AS one FROM convs GROUP BY click_id) AS v ON c.click_id = v.conv_id) AS j
GROUP BY source ORDER BY source"""


# --- two ClickHouse 18.16 -----------------------------------------------------------------------------------------


CONFIG = """<yandex><logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/err</errorlog></logger>
<http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><listen_host>127.0.0.1</listen_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><users_config>users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>5368709</mark_cache_size>
<remote_servers><two>{shards}</two></remote_servers></yandex>"""
USERS = """<yandex><profiles><default/>
<reads><readonly>2</readonly></reads>
<strict><readonly>1</readonly></strict>
<little><readonly>2</readonly><max_memory_usage>30000000</max_memory_usage></little>
<cuts><readonly>1</readonly><max_rows_to_read>10</max_rows_to_read><read_overflow_mode>break</read_overflow_mode></cuts>
</profiles><quotas><default/></quotas><users>{users}</users></yandex>"""
USER = """<{name}><password>{password}</password><networks><ip>127.0.0.1</ip></networks><profile>{profile}</profile>
<quota>default</quota></{name}>"""


class Pair:
    """Two servers that know each other."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.http, self.tcp = [free_port(), free_port()], [free_port(), free_port()]
        self.processes = []

    def __enter__(self):
        shards = "".join(f"<shard><replica><host>127.0.0.1</host><port>{p}</port></replica></shard>" for p in self.tcp)
        users = [("default", "", "default"), ("reader", "r:1'", "reads"), ("strict", "s", "strict"), ("little", "l", "little"),
                 ("cuts", "c", "cuts")]
        users = "".join(USER.format(name=n, password=p, profile=f) for n, p, f in users)
        for i in (0, 1):
            home = self.folder / f"server{i}"
            for part in ("data", "tmp"):
                (home / part).mkdir(parents=True)
            config = CONFIG.format(folder=home, http=self.http[i], tcp=self.tcp[i], shards=shards)
            (home / "config.xml").write_text(config)
            (home / "users.xml").write_text(USERS.format(users=users))
        for i in (0, 1):
            self.start(i)
        return self

    def start(self, i):
        home = self.folder / f"server{i}"
        words = [self.program, f"--config-file={home}/config.xml"]
        process = subprocess.Popen(words, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes[i:i + 1] = [process]
        if not waits(lambda: listens(self.http[i]), process):
            sys.exit("clickhouse-server did not start")

    def __exit__(self, *_):
        for process in self.processes:
            stop(process)

    def url(self, i=0):
        return f"http://127.0.0.1:{self.http[i]}/"

    def run(self, sql, body=b"", i=0):
        url = self.url(i) + "?" + urllib.parse.urlencode({"query": sql, "insert_distributed_sync": 1})
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST")) as answer:
            return answer.read().decode()


def old_clickhouse(checks, folder):
    program = shutil.which("clickhouse-server") or shutil.which("clickhouse-server", path="/usr/sbin")
    if program is None:
        print("absent: two ClickHouse 18.16 (Debian package clickhouse-server is not installed)")
        return
    with Pair(program, folder) as pair:
        rows = clicks(random.Random(1), 40_000)
        text = "\n".join("\t".join([s.replace("'", "\\'"), c, str(t)]) for s, c, t in rows).encode()
        for i in (0, 1):
            pair.run("CREATE TABLE clicks_l (source String, click_id String, ts Int64) ENGINE = MergeTree ORDER BY click_id", i=i)
            pair.run("CREATE TABLE clicks AS clicks_l ENGINE = Distributed(two, default, clicks_l, cityHash64(click_id))", i=i)
        pair.run("INSERT INTO clicks FORMAT TabSeparated", text)
        print(f"two ClickHouse {pair.run('SELECT version()').strip()}, {len(rows)} clicks on two shards")
        login = ["--secret", secret(folder, "reader", "reader:r:1'")]
        url = pair.url()
        results_of(checks, folder, pair, login, rows)
        refusals_of(checks, folder, pair, login)
        endings_of(checks, pair, login)


def results_of(checks, folder, pair, login, rows):
    url, first = pair.url(), {f"c{i}" for i in range(0, 30_000, 7)}
    convs = uploaded(folder, "convs", {"click_id": sorted(first) + ["c7", "orphan", None]})
    checks.answers("a join over two shards with a table of ours", counted(rows, first), "clickhouse", url, *login,
                   "--table", convs, PORTABLE.format(clicks="clicks"))
    odd = {"i": list(range(len(ODD) + 1)), "t": ODD + [None], "n": [LARGEST, SMALLEST] + [None] * (len(ODD) - 1)}
    table = uploaded(folder, "mine", odd)
    checks.answers("odd texts and the ends of 64 bits, there and back", odd, "clickhouse", url, *login, "--table", table,
                   "SELECT i, t, n FROM mine ORDER BY i")
    checks.answers("no rows are no rows", {"n": []}, "clickhouse", url, *login, "SELECT ts AS n FROM clicks WHERE 0")
    checks.answers("the columns of a table", [["source", "String"], ["click_id", "String"], ["ts", "Int64"]],
                   "clickhouse", url, *login, "--columns", "clicks")
    strict = ["--secret", secret(folder, "strict", "strict:s")]
    checks.answers("a user who may set nothing", {"n": [len(rows)]}, "clickhouse", url, *strict,
                   "SELECT count() AS n FROM clicks")
    checks.answers("a server that says nothing while it works is waited for", {"n": [50]}, "clickhouse", url, *login, "--silence", 1,
                   "SELECT count() AS n FROM (SELECT sleepEachRow(0.1) FROM numbers(50)) SETTINGS max_block_size = 1")


def refusals_of(checks, folder, pair, login):
    url, ch = pair.url(), "clickhouse"
    one = "SELECT 1 AS n"
    checks.fails("a wrong password", 2, ["Code: 193", "user and the password"], ch, url, "--secret",
                 secret(folder, "wrong", "reader:x"), one)
    checks.fails("an unknown user", 2, ["Code: 192"], ch, url, "--secret", secret(folder, "nobody", "nobody:x"), one)
    loose = secret(folder, "loose", "reader:x")
    loose.chmod(0o644)
    checks.fails("a secret that others can read", 2, ["others can read", "chmod 600"], ch, url, "--secret", loose, one)
    checks.fails("nobody there", 3, ["nobody answers there", "refused"], ch, f"http://127.0.0.1:{free_port()}/", one)
    checks.fails("the port of the other protocol", 3, ["is for clickhouse-client program"], ch, f"http://127.0.0.1:{pair.tcp[0]}/", one)
    checks.fails("encryption where there is none", 3, ["no encrypted connection"], ch,
                 f"https://127.0.0.1:{pair.http[0]}/", one)
    checks.fails("a table that is not there", 2, ["Code: 60", "nosuch", f"{url}:", "query test-"], ch, url, *login,
                 "SELECT count() AS n FROM nosuch")
    checks.fails("a column that is not there", 2, ["nosuch"], ch, url, *login, "SELECT nosuch AS n FROM clicks")
    checks.fails("a database that is not there", 2, ["Code: 81", "?database=NAME"], ch, f"{url}?database=nosuch", *login, one)
    checks.fails("a server that is too old for a whole audit", 3, ["Code: 62", "21.4 or newer"], ch, url, *login,
                 "WITH c AS (SELECT 1 AS n) SELECT c.n AS n FROM c AS c")
    checks.fails("a type that is none of ours", 3, ["`x` is Float64"], ch, url, *login, "SELECT 0.5 AS x")
    checks.fails("a number beyond 64 bits", 3, ["`x` is no whole number of 64 bits"], ch, url, *login,
                 "SELECT toUInt64(18446744073709551615) AS x")
    checks.fails("too little memory", 3, ["Code: 241", "more memory for this user"], ch, url, "--secret",
                 secret(folder, "little", "little:l"), "SELECT count() AS n FROM (SELECT number FROM numbers(9000000) ORDER BY toString(number) DESC)")
    checks.fails("a profile that cuts results off", 2, ["read_overflow_mode = break where throw is needed"], ch, url,
                 "--secret", secret(folder, "cuts", "cuts:c"), "SELECT count() AS n FROM clicks")
    checks.fails("whoever may only read cannot write", 2, ["Code: 164"], ch, url, *login,
                 "INSERT INTO clicks_l VALUES ('a', 'b', 1)")
    checks.fails("nor may who could", 2, ["Code: 164"], ch, url, "INSERT INTO clicks_l VALUES ('a', 'b', 1)")


SLOW = "SELECT count() AS n FROM (SELECT sleepEachRow(0.1) FROM numbers(600)) SETTINGS max_block_size = 1"


def endings_of(checks, pair, login):
    url, ch = pair.url(), "clickhouse"
    runs = lambda: pair.run("SELECT count() FROM system.processes WHERE query_id LIKE 'test-%'").strip() != "0"
    gone = lambda: waits(lambda: not runs(), within=20)
    checks.fails("a query that takes too long", 3, ["it was not done after 2 s"], ch, url, *login, "--limit", 2, SLOW)
    process = checks.begins(ch, url, *login, "--silence", 2, SLOW)
    waits(runs, process, within=20)
    pair.processes[0].send_signal(signal.SIGSTOP)
    checks.ended("a server that hangs", process, 3, ["nothing came for 2 s"])
    pair.processes[0].send_signal(signal.SIGCONT)
    checks.say("and its query has ended at the server, too", gone())
    process = checks.begins(ch, url, *login, SLOW)
    checks.say("a query bears the name of the run", waits(runs, process, within=20))
    process.send_signal(signal.SIGINT)
    checks.ended("Ctrl-C", process, 3, ["it was stopped from outside"])
    checks.say("and its query has ended at the server, too", gone())
    process = checks.begins(ch, url, *login, SLOW)
    waits(runs, process, within=20)
    stop(pair.processes[0], signal.SIGKILL)
    checks.ended("a server that is killed", process, 3, ["the connection"])
    pair.start(0)
    stop(pair.processes[1], signal.SIGKILL)
    checks.fails("a shard that is missing", 3, ["a server of the cluster cannot be reached"], ch, url, *login,
                 "SELECT count() AS n FROM clicks")
    pair.start(1)


# --- a current ClickHouse, as a library behind HTTP -----------------------------------------------------------------


class Shim(BaseHTTPRequestHandler):
    """As much of ClickHouse's HTTP as a client needs: parameters are settings, forms are tables."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    seen = []

    def log_message(self, *_):
        pass

    def do_POST(self):
        parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("X-ClickHouse-Key", "pw") != "pw":
            return self.answer(403, b"Code: 516. DB::Exception: reader: Authentication failed. (AUTHENTICATION_FAILED)", 516)
        with Shim.lock:
            self.work(parameters, body)

    def work(self, parameters, body):
        Shim.seen.append(parameters)
        reserved = {"query_id", "wait_end_of_query", "default_format", "database", "query"}
        settings = {k: v for k, v in parameters.items()
                    if k not in reserved and not k.endswith(("_structure", "_format"))}
        sql, made = parameters.get("query"), []
        try:
            if self.headers.get("Content-Type", "").startswith("multipart/form-data"):
                for name, content in self.parts(body):
                    if name == "query":
                        sql = content.decode()
                        continue
                    self.session.query(f"CREATE TABLE {name} ({parameters[name + '_structure']}) ENGINE = Memory")
                    made.append(name)
                    path = self.folder / f"{name}.tsv"
                    path.write_bytes(content)
                    self.session.query(f"INSERT INTO {name} FROM INFILE '{path}' FORMAT {parameters[name + '_format']}")
            sql = sql or body.decode()
            if settings and "SETTINGS" not in sql:
                sql += " SETTINGS " + ", ".join(f"{k} = '{v}'" for k, v in settings.items() if k != "readonly")
            self.answer(200, self.session.query(sql, parameters.get("default_format", "TSV")).bytes())
        except Exception as error:
            # The library keeps what a failed query had written until then for the next one.
            self.session.query("SELECT 1")
            code = re.search(r"Code: (\d+)", str(error))
            self.answer(500, str(error).encode(), code.group(1) if code else 1000)
        finally:
            for name in made:
                self.session.query(f"DROP TABLE {name}")

    def parts(self, body):
        boundary = self.headers["Content-Type"].split("boundary=")[1].encode()
        for part in body.split(b"--" + boundary)[1:-1]:
            head, content = part.split(b"\r\n\r\n", 1)
            yield re.search(rb'name="(\w+)"', head).group(1).decode(), content.removesuffix(b"\r\n")

    def answer(self, status, body, code=None):
        self.send_response(status)
        for n in range(300):
            self.send_header("X-ClickHouse-Progress", '{"read_rows":"%d","read_bytes":"9","total_rows_to_read":"300"}' % n)
        if code is not None:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(0, len(body), 1000):
            piece = body[i:i + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")


@contextlib.contextmanager
def shim(handler, context=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def certificate(folder):
    """An authority of our own, and a certificate for 127.0.0.1 that it signed; nothing if openssl is missing."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

    if shutil.which("openssl") is None:
        return None
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=server")
    (folder / "own.ext").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "own.ext", "-out", "own.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    return context


def new_clickhouse(checks, folder):
    try:
        from chdb import session
    except ImportError:
        print("absent: a current ClickHouse (PyPI package chdb is not installed)")
        return
    Shim.session, Shim.folder = session.Session(), folder
    rows = clicks(random.Random(2), 40_000)
    Shim.session.query("CREATE TABLE clicks (source String, click_id String, ts Int64) ENGINE = Memory")
    path = folder / "clicks.tsv"
    path.write_text("\n".join("\t".join([s.replace("'", "\\'"), c, str(t)]) for s, c, t in rows))
    Shim.session.query(f"INSERT INTO clicks FROM INFILE '{path}' FORMAT TSV")
    print(f"ClickHouse {str(Shim.session.query('SELECT version()', 'TSV')).strip()} as a library, {len(rows)} clicks")
    with shim(Shim) as port:
        url, ch = f"http://127.0.0.1:{port}/", "clickhouse"
        first = {f"c{i}" for i in range(0, 30_000, 7)}
        convs = uploaded(folder, "convs", {"click_id": sorted(first) + ["c7", "orphan", None]})
        for name, begin in [("a join with a table of ours", ""), ("the same, with a long query", f"/* {'x' * 20_000} */ ")]:
            checks.answers(name, counted(rows, first), ch, url, "--table", convs, begin + PORTABLE.format(clicks="clicks"))
        odd = {"i": list(range(len(ODD) + 1)), "t": ODD + [None], "n": [LARGEST, SMALLEST] + [None] * (len(ODD) - 1)}
        checks.answers("odd texts and the ends of 64 bits, there and back", odd, ch, url, "--table",
                       uploaded(folder, "mine", odd), "SELECT i, t, n FROM mine ORDER BY i")
        done = checks.ask(ch, url, "--progress", "SELECT 1 AS n")
        checks.say("progress is told, however often", done.stderr.count("rows_in_all: Some(300)") == 900, done.stderr[-300:])
        sent = Shim.seen[-1]
        wanted = {"join_algorithm": "grace_hash", "readonly": "2", "log_comment": "test"}
        checks.say("its settings are those of its version", wanted.items() <= sent.items(), sent)
        checks.fails("a table that is not there", 2, ["Code: 60", "nosuch"], ch, url, "SELECT count() AS n FROM nosuch")
        checks.fails("a column that is not there", 2, ["Code: 47", "nosuch"], ch, url, "SELECT nosuch AS n FROM clicks")
        checks.fails("a wrong password", 2, ["Code: 516"], ch, url, "--secret", secret(folder, "bad", "reader:x"), "SELECT 1 AS n")
        checks.fails("too little memory", 3, ["Code: 241"], ch, url,
                     "SELECT uniqExact(toString(number)) AS n FROM numbers(9000000) SETTINGS max_memory_usage = 30000000")
    encrypted(checks, folder)


def encrypted(checks, folder):
    context = certificate(folder)
    if context is None:
        print("absent: encryption (openssl is not installed)")
        return
    with shim(Shim, context) as port:
        url, ch = f"https://127.0.0.1:{port}/", "clickhouse"
        login = ["--secret", secret(folder, "good", "reader:pw")]
        checks.answers("encrypted, with an authority of our own", {"n": [1]}, ch, url, *login, "--ca", folder / "ca.pem",
                       "SELECT 1 AS n")
        checks.fails("a certificate that nobody vouches for", 3, ["no encrypted connection came about"], ch, url, *login,
                     "SELECT 1 AS n")
        checks.fails("a certificate for another name", 3, ["no encrypted connection came about"], ch,
                     f"https://localhost:{port}/", *login, "--ca", folder / "ca.pem", "SELECT 1 AS n")
        checks.fails("no encryption where there must be", 3, ["127.0.0.1"], ch, url.replace("https", "http"), *login, "SELECT 1 AS n")


# --- Spark Connect ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def gate(upstream, lasts_s, tls=None, token=None):
    """A gate before a server of gRPC that ends every stream well after some time, whatever is still to come."""
    import grpc

    channel = grpc.insecure_channel(f"127.0.0.1:{upstream}", options=[("grpc.max_receive_message_length", -1)])
    ended = []

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            method = details.method
            if token is not None and ("authorization", f"Bearer {token}") not in details.invocation_metadata:
                return grpc.unary_unary_rpc_method_handler(
                    lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?"))
            if method.endswith(("ExecutePlan", "ReattachExecute")):
                return grpc.unary_stream_rpc_method_handler(lambda request, context: streamed(method, request, context))
            call = channel.unary_unary(method)
            return grpc.unary_unary_rpc_method_handler(lambda request, context: once(call, request, context))

    def once(call, request, context):
        try:
            return call(request, timeout=30)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())

    def streamed(method, request, context):
        messages, done = [], threading.Event()
        call = channel.unary_stream(method)(request)
        state = {}

        def pump():
            try:
                for message in call:
                    messages.append(message)
            except grpc.RpcError as error:
                state["error"] = error
            done.set()

        threading.Thread(target=pump, daemon=True).start()
        deadline, sent = time.monotonic() + lasts_s, 0
        while time.monotonic() < deadline:
            over = done.wait(0.02)
            while sent < len(messages):
                yield messages[sent]
                sent += 1
            if over:
                if "error" in state:
                    context.abort(state["error"].code(), state["error"].details())
                return
        ended.append(method)
        call.cancel()

    server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Handler(),))
    if tls is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = ((tls / "own.key").read_bytes(), (tls / "own.pem").read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    yield port, ended
    server.stop(0)
    channel.close()


def connect(checks, folder, name, url, slow, kills):
    """What holds for every server of Spark Connect."""
    spark, rows = "spark", clicks(random.Random(3), 20_000)
    columns = {"source": [r[0] for r in rows], "click_id": [r[1] for r in rows], "ts": [r[2] for r in rows]}
    first = {f"c{i}" for i in range(0, 15_000, 7)}
    tables = ["--table", uploaded(folder, "clicks", columns),
              "--table", uploaded(folder, "convs", {"click_id": sorted(first) + ["c7", "orphan", None]})]
    checks.answers("a join of tables of ours", counted(rows, first), spark, url, *tables, PORTABLE.format(clicks="clicks"))
    odd = {"i": list(range(len(ODD) + 1)), "t": ODD + [None], "n": [LARGEST, SMALLEST] + [None] * (len(ODD) - 1)}
    mine = ["--table", uploaded(folder, "mine", odd)]
    checks.answers("odd texts and the ends of 64 bits, there and back", odd, spark, url, *mine, "SELECT i, t, n FROM mine ORDER BY i")
    checks.answers("no rows are no rows", {"n": []}, spark, url, *mine, "SELECT n FROM mine WHERE i < 0")
    many = checks.ask(spark, url, "SELECT CAST(id AS BIGINT) AS n FROM range(300000)")
    good = many.returncode == 0 and sorted(json.loads(many.stdout)["n"]) == list(range(300_000))
    checks.say("a large answer in many batches", good, many.stderr)
    checks.fails("a table that is not there", 2, ["nosuch", f"{url.rstrip('/')}", "query test-"], spark, url, "SELECT count(*) AS n FROM nosuch")
    checks.fails("a column that is not there", 2, ["nosuch"], spark, url, *mine, "SELECT nosuch AS n FROM mine")
    checks.fails("a type that is none of ours", 3, ["`x` is double"], spark, url, "SELECT CAST(0.5 AS DOUBLE) AS x")
    checks.fails("nobody there", 3, ["nobody answers there"], spark, f"sc://127.0.0.1:{free_port()}", "SELECT 1 AS n")
    checks.fails("a server that takes too long", 3, ["it was not done after 2 s"], spark, url, "--limit", 2, slow)
    process = checks.begins(spark, url, slow)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    checks.ended("Ctrl-C", process, 3, ["it was stopped from outside"])
    process = checks.begins(spark, url, slow)
    time.sleep(3)
    kills()
    checks.ended("a server that is killed", process, 3, [url.rstrip("/")])


def sail(checks, folder):
    try:
        import grpc  # noqa: F401
        import pysail
    except ImportError as error:
        print(f"absent: Sail (PyPI packages pysail and grpcio are not installed: {error.name})")
        return
    port = free_port()
    program = pathlib.Path(sys.executable).with_name("sail")
    environment = {**os.environ, "SAIL_MODE": "local-cluster"}
    log = open(folder / "sail.log", "w")
    words = [str(program), "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(words, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        if not waits(lambda: listens(port), server):
            sys.exit("Sail did not start")
        print(f"Sail {getattr(pysail, '__version__', '')} as a local cluster")
        slow = "SELECT count(*) AS n FROM range(60000) AS a JOIN range(60000) AS b ON (a.id * b.id) % 1000003 = 7"
        middling, expected, took_s = lasting(checks, port, 3.0)
        with gate(port, took_s / 10) as (narrow, ended):
            checks.answers("an answer that takes longer than streams last", expected, "spark", f"sc://127.0.0.1:{narrow}", middling)
            checks.say("its stream had been ended before it was there", len(ended) > 0, ended)
        encrypted_spark(checks, folder, port)
        connect(checks, folder, "Sail", f"sc://127.0.0.1:{port}", slow, lambda: stop(server, signal.SIGKILL))
    finally:
        stop(server)


def lasting(checks, port, least_s):
    """A query that this machine takes at least so long to answer, its answer, and how long it took."""
    for rows in (20_000, 40_000, 80_000, 160_000):
        query = f"SELECT count(*) AS n FROM range({rows}) AS a JOIN range({rows}) AS b ON (a.id * b.id) % 1000003 = 7"
        began = time.monotonic()
        answer = json.loads(checks.ask("spark", f"sc://127.0.0.1:{port}", query).stdout)
        took_s = time.monotonic() - began
        if took_s >= least_s:
            break
    return query, answer, took_s


def encrypted_spark(checks, folder, upstream):
    if certificate(folder) is None:
        print("absent: encryption (openssl is not installed)")
        return
    with gate(upstream, 60, tls=folder, token="tok") as (port, _):
        url, one = f"sc://127.0.0.1:{port}/;use_ssl=true", "SELECT CAST(1 AS BIGINT) AS n"
        login, ca = ["--secret", secret(folder, "token", "tok")], ["--ca", folder / "ca.pem"]
        checks.answers("encrypted, with an authority of our own and a token", {"n": [1]}, "spark", url, *login, *ca, one)
        checks.fails("no token", 2, ["who are you?", "look at the token"], "spark", url, *ca, one)
        checks.fails("a certificate that nobody vouches for", 3, ["no encrypted connection came about"], "spark", url, *login, one)
        checks.fails("no encryption where there must be", 3, ["127.0.0.1"], "spark", f"sc://127.0.0.1:{port}", *login, one)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--query", required=True)
    parser.add_argument("--only", choices=["old_clickhouse", "new_clickhouse", "sail"])
    options = parser.parse_args()
    checks = Checks(pathlib.Path(options.query).resolve())
    parts = {"old_clickhouse": old_clickhouse, "new_clickhouse": new_clickhouse, "sail": sail}
    for name, part in parts.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                part(checks, pathlib.Path(folder))
    sys.exit(f"{checks.failures} checks failed" if checks.failures else 0)


if __name__ == "__main__":
    main()
