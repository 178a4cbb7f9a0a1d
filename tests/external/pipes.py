"""Pipes exports out of real databases into clickaudit and compares with what the same rows give as files.

    python tests/external/pipes.py --clickaudit target/debug/clickaudit

Needs Debian's `postgresql` package, `pip install duckdb` and `pip install chdb` (ClickHouse as a library); what is
missing is reported as absent, by name. The server runs in a folder of its own, speaks through a socket in that folder only, and is stopped by its process id.
"""

import argparse
import glob
import os
import pathlib
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample-data"
STARTS_WITHIN_S = 30


class Run:
    """A folder with the outputs of all runs, and what reading the files gives."""

    def __init__(self, clickaudit, folder):
        self.clickaudit, self.folder, self.failures = str(clickaudit), folder, 0
        self.expected = self.sources("", SAMPLE / "clicks.csv", SAMPLE / "conversions.csv")

    def sources(self, pipe, clicks, conversions):
        """The CSV report on two inputs, with the output of a shell command on stdin."""
        out = self.folder / "sources.csv"
        out.unlink(missing_ok=True)
        words = [self.clickaudit, "audit", "--clicks", clicks, "--conversions", conversions, "-q", "-o", f"csv={out}"]
        command = " ".join(shlex.quote(str(word)) for word in words)
        done = subprocess.run(["bash", "-o", "pipefail", "-c", f"{pipe} | {command}" if pipe else command])
        return out.read_bytes() if done.returncode == 0 and out.exists() else None

    def check(self, name, pipe, side="clicks"):
        """What is piped in gives the same report as the file."""
        files = {"clicks": SAMPLE / "clicks.csv", "conversions": SAMPLE / "conversions.csv", side: "-"}
        found = self.sources(pipe, files["clicks"], files["conversions"])
        self.say(name, found is not None and found == self.expected)

    def say(self, name, good):
        print(f"{'ok  ' if good else 'FAIL'}  {name}", flush=True)
        self.failures += not good


# --- PostgreSQL ------------------------------------------------------------------------------------------------


class Server:
    """A PostgreSQL server of this run's own."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.data, self.socket = folder / "data", folder / "socket"
        for made in (self.data, self.socket):
            made.mkdir()
            if self.user:
                os.chown(made, self.user.pw_uid, self.user.pw_gid)
        folder.chmod(0o755)

    def __enter__(self):
        self.as_owner([self.programs / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync"])
        words = [self.programs / "postgres", "-D", self.data, "-k", self.socket, "-c", "listen_addresses=", "-c", "fsync=off"]
        self.process = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        cwd=self.folder, **self.owner())
        deadline = time.monotonic() + STARTS_WITHIN_S
        while subprocess.run(self.psql("select 1"), shell=True, capture_output=True).returncode != 0:
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.__exit__()
                sys.exit("PostgreSQL did not start")
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(STARTS_WITHIN_S)

    def owner(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}

    def as_owner(self, words):
        subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self.owner())

    def psql(self, command):
        return f"psql -h {self.socket} -U postgres -v ON_ERROR_STOP=1 -q -t -c {shlex.quote(command)}"

    def load(self, table):
        columns = (SAMPLE / f"{table}.csv").open().readline().strip().split(",")
        typed = ", ".join(f"{c} {'timestamptz' if c.endswith('_time') else 'numeric' if c in ('cost', 'payout') else 'text'}"
                          for c in columns)
        for command in (f"create table {table} ({typed})", f"\\copy {table} from '{SAMPLE}/{table}.csv' csv header"):
            subprocess.run(self.psql(command), shell=True, check=True, stdout=subprocess.DEVNULL)


def postgresql(run):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found or not shutil.which("psql"):
        print("absent: PostgreSQL (Debian package postgresql could not be installed)")
        return
    with tempfile.TemporaryDirectory(prefix="pipes-") as folder:
        with Server(pathlib.Path(found[-1]).parent, pathlib.Path(folder)) as server:
            server.load("clicks"), server.load("conversions")
            copy = lambda table, how: server.psql(f"\\copy (select * from {table}) to stdout {how}")
            run.check("PostgreSQL, clicks as CSV", f"PGTZ=UTC {copy('clicks', 'csv header')}")
            run.check("PostgreSQL, conversions in another zone", f"PGTZ=Asia/Kathmandu {copy('conversions', 'csv header')}", "conversions")
            rows = server.psql("select row_to_json(c) from clicks c").replace("-q -t", "-q -A -t")
            run.check("PostgreSQL, clicks as NDJSON", f"PGTZ=UTC {rows}")


# --- DuckDB ----------------------------------------------------------------------------------------------------


def duckdb(run):
    if subprocess.run([sys.executable, "-c", "import duckdb"], capture_output=True).returncode != 0:
        print("absent: DuckDB (PyPI package duckdb could not be installed)")
        return
    for table in ("clicks", "conversions"):
        for how in ("csv, header", "json", "parquet", "parquet, compression zstd", "csv, header, compression gzip"):
            sql = (f"copy (from read_csv('{SAMPLE}/{table}.csv', all_varchar = true)) "
                   f"to '/dev/stdout' (format {how})")
            run.check(f"DuckDB, {table} as {how}", f"{shlex.quote(sys.executable)} -c {shlex.quote(f'import duckdb; duckdb.sql({sql!r})')}", table)


# --- ClickHouse ------------------------------------------------------------------------------------------------


def clickhouse(run):
    """What `clickhouse-client --query '… FORMAT …'` writes: ClickHouse's own writers, in this process."""
    if subprocess.run([sys.executable, "-c", "import chdb"], capture_output=True).returncode != 0:
        print("absent: ClickHouse (PyPI package chdb could not be installed)")
        return
    text = "SETTINGS input_format_csv_use_best_effort_in_schema_inference = 0"
    for table in ("clicks", "conversions"):
        file = f"file('{SAMPLE}/{table}.csv', 'CSVWithNames')"
        columns = (SAMPLE / f"{table}.csv").open().readline().strip().split(",")
        # Times as DateTime64 in UTC, as a warehouse holds them; everything else as it stands in the file.
        times = {c for c in columns if c.endswith("_time")}
        cast = lambda c: f"parseDateTime64BestEffortOrNull({c}, 6, 'UTC') AS {c}" if c in times else c
        chosen = ", ".join(map(cast, columns))
        for how, query in (
            ("CSVWithNames", f"SELECT * FROM {file} {text}"),
            ("TSVWithNames", f"SELECT * FROM {file} {text}"),
            ("JSONEachRow", f"SELECT * FROM {file} {text}"),
            ("Parquet", f"SELECT * FROM {file} {text}, output_format_parquet_string_as_string = 1"),
            ("CSVWithNames", f"SELECT {chosen} FROM {file} {text}"),
            ("JSONEachRow", f"SELECT {chosen} FROM {file} {text}"),
            ("Parquet", f"SELECT {chosen} FROM {file} {text}, output_format_parquet_string_as_string = 1"),
        ):
            code = f"import chdb, sys; sys.stdout.buffer.write(chdb.query({query!r}, {how!r}).bytes())"
            kind = "with typed times" if "DateTime64" in query else "as text"
            run.check(f"ClickHouse, {table} {kind}, FORMAT {how}", f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}", table)


# --- a terminal ------------------------------------------------------------------------------------------------


def terminal(run):
    """`-` at a terminal is an error at once, not a program that waits for somebody to type an export."""
    import pty
    ours, theirs = pty.openpty()
    words = [run.clickaudit, "audit", "--clicks", "-", "--conversions", str(SAMPLE / "conversions.csv")]
    try:
        done = subprocess.run(words, stdin=theirs, capture_output=True, timeout=30)
        run.say("a terminal on stdin is refused", done.returncode == 2 and b"nothing is piped in" in done.stderr)
    except subprocess.TimeoutExpired:
        run.say("a terminal on stdin is refused", False)
    os.close(ours), os.close(theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clickaudit", type=pathlib.Path, default=ROOT / "target/release/clickaudit")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pipes-") as folder:
        run = Run(args.clickaudit.resolve(), pathlib.Path(folder))
        if run.expected is None:
            sys.exit("the sample cannot be audited")
        for check in (terminal, duckdb, clickhouse, postgresql):
            check(run)
    sys.exit(1 if run.failures else 0)


main()
