#!/usr/bin/env python3
"""Holds engines against a run on files: the printed SQL gives the same integer table, row by row, and the same
verdicts, byte by byte.

The traffic has what breaks such a promise: IDs that are missing, repeated, reused, macros or full of quotes,
backslashes and invisible characters; rows of one click that differ; ties; orphans; conversions before their click;
transactions that are told twice; times that are none; a column whose name is full of quotes. Every scenario runs on
files with --portable, and on every engine that is installed: DuckDB, ClickHouse (chdb) and Sail, which speaks Spark's
dialect and reads the Parquet files where they lie. With --engine the program asks itself: ClickHouse over HTTP, behind
a small server on this machine, and Sail over Spark Connect; a table that grows meanwhile is as it was at the beginning,
and a server that fails in any way leaves one error and no output. The commands of the README run against the same
servers. What is not installed is told by name.

    python tests/external/engines.py --clickaudit target/debug/clickaudit [--only NAME] [--keep FOLDER]

`spark.py` beside this file does the same with Spark itself.
"""

import argparse
import contextlib
import datetime
import decimal
import json
import os
import pathlib
import random
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import transport

DAY = datetime.datetime(2026, 3, 20, tzinfo=datetime.timezone.utc)
ODD = ["it's", 'say "x"', "back\\slash", "tick`", "emoji😀", "zero\u200bwidth", "'; DROP TABLE clicks; --", "100%", "a|b~c",
       "{clickid}", "${SUBID}", "null", "\\N", "", "ключ", "trail ", "\\'", "{}", "%7Bsub%7D"]

# A column whose name would end any quotes that are not doubled or escaped.
ADDRESS = "the `visitor's \\ \"addr\""


def micros(moment):
    return int(moment.timestamp() * 1_000_000)


def traffic(rng, clicks=3000, conversions=600):
    """Rows of both sides, times in microseconds."""
    rows, start = [], micros(DAY)
    sources = [f"z{i}" for i in range(14)] + ODD[:9]
    for i in range(clicks):
        source = rng.choice(sources)
        odd = rng.random() < 0.04
        time = start + int(rng.random() * 14 * 86_400e6)
        if rng.random() < 0.3:
            time -= time % 1_000_000
        rows.append({
            "id": rng.choice(ODD) + str(rng.randrange(4)) if odd else f"c{i}",
            "ts": time,
            "net": rng.choice(["popmax", "pushly", None, "o'net"]),
            "zone": source if rng.random() > 0.01 else rng.choice([None, "", "{zone}", "NULL"]),
            "kind": rng.choice(["pop", "push", None]),
            "model": rng.choice(["CPA", None]),
            "offer": rng.choice(["o1", "o2", "o\\3", None]),
            "country": rng.choice(["DE", "BR", "US", None]),
            "device": rng.choice(["phone", "desktop"]),
            "page": rng.choice(["l1", "l2", None]),
            "owner": rng.choice(["a1", "a'2", None]),
            "advertiser": rng.choice(["n1", "n2"]),
            ADDRESS: rng.choice([None, f"10.0.{rng.randrange(9)}.{rng.randrange(40)}", "2001:db8::1", "1.2.3.4"]),
            "agent": rng.choice([None, "Mozilla/5.0", "UA 'x'", "UA \\ y"]),
            "as_number": rng.choice([None, "64500", "64501"]),
            "price": rng.choice([None, round(rng.random() / 50, 6), 0.0, rng.random() * 9, 2.5e-9]),
            "cents": rng.choice([None, decimal.Decimal("21.48"), decimal.Decimal("-3.05"), decimal.Decimal("9999999.99")]),
            "fine": rng.choice([None, decimal.Decimal("0.000012345"), decimal.Decimal("9300.123456789")]),
            "whole": rng.choice([None, 0, 3, 35, 2_000_000]),
            "crawler": rng.choice([None, "", "yes", "No", " 1 ", "FALSE", "null", "t"]),
            "landed": rng.choice([None, None, time + rng.randrange(-2_000_000, 90_000_000)]),
            "bot": rng.choice([None, True, False]),
            "ref": rng.choice([None, "", "https://x.example/?q='", "null"]),
            "hit": rng.choice(["visit", "visit", "visit", "impression", None]),
        })
    copies = []
    for row in rng.sample(rows, 300):
        copy = dict(row)
        what = rng.randrange(6)
        if what == 1:
            copy["country"], copy["price"] = rng.choice(["DE", "FR", None]), 0.5
        elif what == 2:
            copy["ts"] += 1
        elif what == 3:
            copy["zone"] = "z1"
        elif what == 4:
            copy["hit"] = "impression"
        elif what == 5:
            copy[ADDRESS], copy["ref"] = "9.9.9.9", "https://y.example"
        copies.append(copy)
        if rng.random() < 0.2:
            copies.append(dict(copy))
    rows += copies
    for time in [None, None, 0, -5_000_000, 32_503_680_000_000_000]:
        rows.append({**rows[7], "id": f"bad{time}", "ts": time})
    rows.append({**rows[7], "id": "badlander", "landed": 5})
    # What files refuse: flags that say neither yes nor no, amounts that are none or too large.
    for at, word in enumerate(["off", "bot", "-", "on", "2"]):
        rows.append({**rows[at], "id": f"badflag{at}", "crawler": word})
    for at, price in enumerate([float("nan"), float("inf"), float("-inf"), 10_000_000.0, 10_000_001.0, -2e7, 1e12, 1e300]):
        rows.append({**rows[at], "id": f"badprice{at}", "price": price, "whole": 20_000_000})
    rows.append({**rows[9], "id": "badtwice", "price": float("nan"), "crawler": "maybe"})
    for row in rng.sample(rows[:clicks], 60):
        # Another source's click of the same visitor right before.
        rows.append({**row, "id": f"near{row['ts']}", "zone": "z3", "ts": row["ts"] - rng.randrange(7_000_000)})
    rng.shuffle(rows)
    return rows, converted(rng, rows, conversions)


def converted(rng, clicks, count):
    rows = []
    good = [c for c in clicks if c["id"] and c["ts"] and 0 < c["ts"] < 32_503_680_000_000_000]
    for i in range(count):
        click = rng.choice(good)
        time = click["ts"] + int(rng.expovariate(1 / 4000) * 1e6) * rng.choice([1, 1, 1, 1, -1])
        row = {"cid": click["id"], "at": time, "tx": f"t{i}", "what": rng.choice(["registration", "sale"]),
               "state": rng.choice(["approved", "approved", "pending", "rejected", "odd"]),
               "pays": rng.choice([None, decimal.Decimal("1.50"), decimal.Decimal("20.000001")]), "goal": click["offer"],
               "pays_cents": rng.choice([None, decimal.Decimal("21.48"), decimal.Decimal("1234567.89")]),
               "pays_float": rng.choice([None, 0.1, 12.3456785, 2e7 if i % 97 == 0 else 4.0, float("nan") if i % 89 == 0 else 5.0]),
               "pays_whole": rng.choice([None, 0, 35, 5_000_000])}
        if rng.random() < 0.08:
            row["cid"] = rng.choice([f"orphan{i}", None, "", "{clickid}", "it's gone\\"])
        rows.append(row)
        if rng.random() < 0.08:
            rows.append({**row, "at": row["at"] + rng.randrange(1, 90_000) * 1_000_000})
        if rng.random() < 0.04:
            rows.append({**row, "cid": rng.choice(good)["id"], "at": row["at"] + 86_400_000_000})
    return rows


CLICK_COLUMNS = {
    "click_id": "id", "click_time": "ts", "traffic_source": "net", "source": "zone", "format": "kind", "model": "model",
    "offer": "offer", "country": "country", "device": "device", "lander": "page", "account": "owner",
    "network": "advertiser", "ip": ADDRESS, "user_agent": "agent", "asn": "as_number",
    "lander_click_time": "landed", "is_bot": "bot", "is_known_bot": "crawler", "referrer": "ref", "hit_type": "hit",
}
CONVERSION_COLUMNS = {
    "click_id": "cid", "conversion_time": "at", "transaction_id": "tx", "event": "what", "status": "state",
    "offer": "goal",
}

# A period of clicks by the clock of Kolkata, and in UTC.
PERIOD = ["2026-03-22", "2026-03-31T12:00"]
HALF_PAST_FIVE = datetime.timezone(datetime.timedelta(hours=5, minutes=30))

# name, flags, the facts of the mapping, the columns of amounts, which are of every type that overflows somewhere
SCENARIOS = [
    ("as it is", [], "perspective: buyer\ncurrency: USD\n", {"cost": "price", "payout": "pays"}),
    ("Berlin, by campaign's offer", ["--tz", "Europe/Berlin", "--by", "offer,network"], "perspective: buyer\n",
     {"cost": "cents", "payout": "pays_cents"}),
    ("visits only, by network", ["--by", "network", "--maturity", "6h"],
     "perspective: network\nhit_type: visit\ntransaction_scope: network\n", {"cost": "fine", "payout": "pays_float"}),
    ("half-hour zone, with row limits", ["--tz", "Asia/Kolkata", "--pack", "mobile-cpi"],
     "perspective: buyer\ncurrency: RUB\n", {"cost": "whole", "payout": "pays_whole", "period": PERIOD}),
]


def write(folder, rows, conversions):
    import pyarrow as pa
    import pyarrow.parquet as pq

    moment = pa.timestamp("us", tz="UTC")
    types = {"ts": moment, "landed": moment, "at": moment, "bot": pa.bool_(), "price": pa.float64(), "cents": pa.decimal128(9, 2),
             "fine": pa.decimal128(18, 9), "whole": pa.int32(), "pays": pa.decimal128(18, 6), "pays_cents": pa.decimal128(9, 2),
             "pays_float": pa.float64(), "pays_whole": pa.int32()}
    for name, table in [("clicks", rows), ("conversions", conversions)]:
        schema = pa.schema([(column, types.get(column, pa.string())) for column in table[0]])
        pq.write_table(pa.Table.from_pylist(table, schema), folder / f"{name}.parquet")
        if name == "clicks":
            begin, end = (micros(datetime.datetime.fromisoformat(text).replace(tzinfo=HALF_PAST_FIVE)) for text in PERIOD)
            inside = [row for row in table if row["ts"] is not None and begin <= row["ts"] < end]
            pq.write_table(pa.Table.from_pylist(inside, schema), folder / "clicks-of-period.parquet")


def listed(columns, keep=None, margin=4):
    return "".join(f"{' ' * margin}{ours}: {json.dumps(theirs, ensure_ascii=False)}\n" for ours, theirs in columns.items()
                   if keep is None or ours in keep)


def project(folder, facts, amounts, engine=None):
    """The mapping of a run on files, and the project files of runs at an engine: with all conversions there, with
    their click IDs, with none."""
    of_clicks = {**CLICK_COLUMNS, "cost": amounts["cost"]}
    of_sales = {**CONVERSION_COLUMNS, "payout": amounts["payout"]}
    of_conversions = "conversions:\n  columns:\n" + listed(of_sales)
    (folder / "facts.yml").write_text(facts)
    (folder / "map.yml").write_text(facts + "clicks:\n  columns:\n" + listed(of_clicks) + of_conversions)
    (folder / "map-conversions.yml").write_text(facts + of_conversions)
    if engine is not None:
        period = "".join(f"    {key}: {text}\n" for key, text in zip(["from", "until"], amounts.get("period", [])))
        clicks = f"tables:\n  clicks:\n    table: {engine.called('clicks')}\n{period}    columns:\n" + listed(of_clicks, margin=6)
        conversions = f"  conversions:\n    table: {engine.called('conversions')}\n    columns:\n"
        (folder / "clicks.yaml").write_text(clicks)
        for name, keep in [("all", None), ("ids", {"click_id"})]:
            (folder / f"{name}.yaml").write_text(clicks + conversions + listed(of_sales, keep, margin=6))


def statements(script):
    """What a printed script consists of."""
    return [one.removesuffix(";") for one in script.strip().split(";\n")]


class Engine:
    """What the engines have in common: where they can be asked, and how a table is called in the project file."""

    url = asked_as = None
    # Whether it can be asked by a script that writes its result itself.
    writes = False
    # Whether a table that is not there has others beside it.
    hints = True
    # Which scenarios run with the conversions' IDs alone, too; the rest runs with all conversions at the engine.
    ids = {0, 1, 2, 3}

    def called(self, name):
        return f"shop.{name}"

    def opens_a_shop(self, bin):
        """Gets ready for the README: its tables, and a client of its name among the programs."""

    def client(self, bin, name):
        program = bin / name
        program.write_text(CLIENTS[name].format(python=sys.executable, url=self.url))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def close(self):
        pass


class DuckDb(Engine):
    dialect, writes = "duckdb", True

    def __init__(self, folder):
        import duckdb

        self.db, self.folder = duckdb.connect(), folder
        self.db.execute("CREATE SCHEMA shop")
        self.name = f"DuckDB {duckdb.__version__}"

    def load(self, name):
        self.db.execute(f"CREATE TABLE shop.{name} AS SELECT * FROM '{self.folder}/{name}.parquet'")

    def run(self, sql, target):
        self.db.execute(f"COPY ({sql}) TO '{target}' (FORMAT parquet)")

    def script(self, sql):
        self.db.execute(sql)


class ClickHouse(Engine):
    dialect = asked_as = "clickhouse"

    def __init__(self, folder):
        import chdb
        from chdb import session

        self.session, self.folder = session.Session(), folder
        self.session.query("CREATE DATABASE shop")
        version = str(self.session.query("SELECT version()", "TabSeparated")).strip()
        self.name = f"ClickHouse {version} (chdb)"
        transport.Shim.session, transport.Shim.folder = self.session, folder
        self.ending = contextlib.ExitStack()
        self.url = f"http://127.0.0.1:{self.ending.enter_context(transport.shim(transport.Shim))}/"

    def load(self, name):
        self.session.query(
            f"CREATE TABLE shop.{name} ENGINE = MergeTree ORDER BY tuple() AS "
            f"SELECT * FROM file('{self.folder}/{name}.parquet', Parquet)")

    def run(self, sql, target):
        answer = self.session.query(sql, "Parquet")
        pathlib.Path(target).write_bytes(answer.bytes())

    def opens_a_shop(self, bin):
        self.client(bin, "clickhouse-client")
        self.session.query("CREATE DATABASE tracker")
        for name in ["clicks", "conversions"]:
            self.session.query(f"RENAME TABLE shop.sample_{name} TO tracker.{name}")

    def close(self):
        self.ending.close()


class Spark(Engine):
    """What speaks Spark Connect; its tables are Parquet files, named by their paths."""

    dialect = asked_as = "spark"
    hints = False

    def connect(self, folder, port):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pyspark.sql import SparkSession

            # Its warnings are about versions of pandas, which is not used here.
            self.url, self.folder = f"sc://127.0.0.1:{port}", folder
            self.session = SparkSession.builder.remote(self.url).getOrCreate()

    def called(self, name):
        return json.dumps(f"parquet.`{self.folder}/{name}.parquet`")

    def load(self, name):
        pass

    def prepare(self, statement):
        self.session.sql(statement)

    def opens_a_shop(self, bin):
        self.client(bin, "spark-sql")

    def run(self, sql, target):
        import pyarrow.parquet as pq

        *before, query = statements(sql)
        for statement in before:
            self.prepare(statement)
        pq.write_table(self.session.sql(query).toArrow(), target)

    def leave(self):
        """Ends the client's session, while the server is there: it would look for it for minutes."""
        session, self.session = self.session, None
        if session is not None and self.server.poll() is None:
            session.stop()

    def close(self):
        self.leave()
        transport.stop(self.server)


class Sail(Spark):
    """Sail as a cluster on this machine. Its planning takes a quarter of a minute a query."""

    ids = {2}

    def prepare(self, statement):
        """It does not know Spark's word for the session's zone, which is UTC by itself."""
        assert statement.endswith("SET TIME ZONE 'UTC'"), statement
        assert self.session.conf.get("spark.sql.session.timeZone") in ("UTC", "Etc/UTC")

    def __init__(self, folder):
        import pysail
        import pyspark.sql  # noqa: F401

        port = transport.free_port()
        program = pathlib.Path(sys.executable).with_name("sail")
        words = [program, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
        log = open(folder / "sail.log", "w")
        environment = {**os.environ, "SAIL_MODE": "local-cluster"}
        self.server = subprocess.Popen(words, stdout=log, stderr=log, env=environment, cwd=folder)
        if not transport.waits(lambda: transport.listens(port), self.server):
            sys.exit("Sail did not start")
        self.connect(folder, port)
        self.name = f"Sail {getattr(pysail, '__version__', '')}"


def table(path, names):
    """The rows of the counts by part, with the names of their columns."""
    import pyarrow.parquet as pq

    read = pq.read_table(path)
    columns = sorted((name for name in read.column_names if name[0] in "tn"), key=lambda name: (name[0] == "n", int(name[1:])))
    parts = {}
    text = lambda value: value.decode() if isinstance(value, bytes) else value
    for row in read.to_pylist():
        part = text(row["part"])
        if part in names:
            values = [text(row[name]) if name[0] == "t" else int(row[name]) for name in columns]
            parts.setdefault(part, []).append(dict(zip(columns, values)))
    return columns, parts


def names_of(path):
    import pyarrow.parquet as pq

    return set(pq.read_table(path, columns=["part"])["part"].to_pylist())


def comparable(path):
    """A JSON report without where its rows came from."""
    report = json.loads(pathlib.Path(path).read_text())
    report["run"].pop("id")
    for given in report["run"]["inputs"]:
        for key in ["path", "digest", "preset"]:
            given.pop(key, None)
    return report


def differences(ours, theirs, engine):
    """What differs between two tables. One may be wider, if nothing stands in what the other does not have."""
    (a_columns, ours), (b_columns, theirs) = ours, theirs
    columns = [name for name in a_columns if name in b_columns]
    widths = [sum(name[0] == mark for name in found) for found in (a_columns, b_columns) for mark in "tn"]
    found = []
    for part in sorted(set(ours) | set(theirs)):
        for rows, where in [(ours.get(part, []), "here"), (theirs.get(part, []), f"at {engine}")]:
            if any(value not in ("", 0) for row in rows for name, value in row.items() if name not in columns):
                found.append(f"{part}: more columns {where} than there are for the other {widths}")
        a, b = (sorted(tuple(row[name] for name in columns) for row in rows.get(part, [])) for rows in (ours, theirs))
        if a != b:
            only = sorted(set(a) - set(b))[:3], sorted(set(b) - set(a))[:3]
            found.append(f"{part}: {len(a)} rows here, {len(b)} at {engine}; only here {only[0]}; only there {only[1]}")
    return found


def scenario(run, folder, engines, at):
    """One scenario on files and at every engine; its faults, and what was compared."""
    _, flags, facts, amounts = SCENARIOS[at]
    project(folder, facts, amounts)
    common = [*flags, "--as-of", "2026-04-03T00:00", "-q"]
    here, clicks = folder / "here", "clicks-of-period" if "period" in amounts else "clicks"
    run("audit", "--no-config", "--clicks", folder / f"{clicks}.parquet", "--conversions", folder / "conversions.parquet",
        "--map", folder / "map.yml", *common, "--portable", "--save-measures", here.with_suffix(".parquet"),
        "-o", f"csv={here}.csv", "-o", f"json={here}.json")
    ours = table(f"{here}.parquet", names_of(f"{here}.parquet") - {"plan"})
    faults, told = [], []
    for engine in engines:
        began = time.monotonic()
        project(folder, facts, amounts, engine)
        ways = [("all", [], folder / "facts.yml")]
        if at in engine.ids:
            ways += [("ids", ["--conversions", folder / "conversions.parquet"], folder / "map-conversions.yml")]
        for tables, conversions, mapped in ways:
            words = ["audit", "--config", folder / f"{tables}.yaml", *conversions, "--map", mapped, *common]
            there = folder / f"there-{tables}"
            engine.run(run(*words, "--print-sql", engine.dialect), f"{there}.parquet")
            names = names_of(f"{there}.parquet") - {"plan", "rows", "kept", "conflicts", "named", "near", "conversions"}
            faults += differences(ours, table(f"{there}.parquet", names), engine.name)
            run(*words, "--measures", f"{there}.parquet", "-o", f"csv={there}.csv", "-o", f"json={there}.json")
            faults += of_reports(here, there, f"{engine.name}, {tables}")
        told.append(f"{engine.name} ({len(ways)} x, {time.monotonic() - began:.0f} s)")
    return faults, f"{sum(map(len, ours[1].values()))} rows at {', '.join(told)}"


def of_reports(here, there, where):
    """What differs between two verdict files, and between two reports."""
    faults = []
    if pathlib.Path(f"{here}.csv").read_bytes() != pathlib.Path(f"{there}.csv").read_bytes():
        faults.append(f"{where}: the verdict files differ")
    a, b = comparable(f"{here}.json"), comparable(f"{there}.json")
    return faults + [f"{where}: `{key}` of the reports differs" for key in sorted(set(a) | set(b)) if a.get(key) != b.get(key)]


SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "sample-data"


def typed_sample(folder, engines):
    """The sample as typed Parquet, its times in UTC."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    names = {}
    for name in ["clicks", "conversions"]:
        names[name] = (SAMPLE / f"{name}.csv").open().readline().strip().split(",")
        types = {column: pa.timestamp("s") if column.endswith("_time") else pa.string() for column in names[name]}
        types |= {column: pa.decimal128(18, 6) for column in ["cost", "payout"] if column in names[name]}
        options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
        rows = pyarrow.csv.read_csv(SAMPLE / f"{name}.csv", convert_options=options)
        utc = [column if not column.name.endswith("_time") else column.with_type(pa.timestamp("us", tz="UTC"))
               for column in rows.schema]
        pq.write_table(rows.cast(pa.schema(utc)), folder / f"sample_{name}.parquet")
        for engine in engines:
            engine.load(f"sample_{name}")
    return names


def sample(run, folder, engines, speaks):
    """The sample audited with its clicks at each engine gives the verdict file of a run on its files, to the byte."""
    names, here, faults = typed_sample(folder, engines), folder / "sample", []
    common = ["--as-of", "2026-03-15T23:59:52", "-q"]
    run("audit", "--no-config", SAMPLE / "clicks.csv", SAMPLE / "conversions.csv", *common, "--portable", "-o",
        f"csv={here}.csv", "--perspective", "buyer")
    columns = "".join(f"      {name}: {name}\n" for name in names["clicks"] if name not in ["currency"])
    for engine in engines:
        (folder / "sample.yaml").write_text(
            f"tables:\n  clicks:\n    table: {engine.called('sample_clicks')}\n    columns:\n{columns}"
            f"  conversions:\n    table: {engine.called('sample_conversions')}\n    columns: {{click_id: click_id}}\n"
            "perspective: buyer\n")
        words = ["audit", "--config", folder / "sample.yaml", "--conversions", SAMPLE / "conversions.csv", *common]
        there, ways = folder / "sample-there", [("printed", ["--measures", folder / "sample-there.parquet"])]
        engine.run(run(*words, "--print-sql", engine.dialect), folder / "sample-there.parquet")
        if engine.writes:
            script = f"{folder}/sample-script.parquet"
            engine.script(run(*words, "--print-sql", f"{engine.dialect}={script}"))
            ways.append(("a script that writes", ["--measures", script]))
        if engine.url and speaks:
            ways.append(("--engine", ["--engine", engine.asked_as, "--engine-url", engine.url]))
        for way, flags in ways:
            run(*words, *flags, "-o", f"csv={there}.csv")
            same = pathlib.Path(f"{here}.csv").read_bytes() == pathlib.Path(f"{there}.csv").read_bytes()
            faults += [] if same else [f"the sample at {engine.name}, {way}: the verdict files differ"]
            print(f"the sample at {engine.name}, {way}: {'the same verdict file' if same else 'ANOTHER verdict file'}")
    return faults


def asked(run, folder, engine):
    """The program asks the engine itself; conversions lie there, or are brought along. Verdicts as from files."""
    _, flags, facts, amounts = SCENARIOS[2]
    project(folder, facts, amounts, engine)
    here, faults = folder / "files", []
    run("audit", "--no-config", "--clicks", folder / "clicks.parquet", "--conversions", folder / "conversions.parquet",
        "--map", folder / "map.yml", *flags, "-q", "--portable", "-o", f"csv={here}.csv", "-o", f"json={here}.json")
    for tables, conversions, mapped in [
        ("all", [], folder / "facts.yml"),
        ("clicks", ["--conversions", folder / "conversions.parquet"], folder / "map-conversions.yml"),
    ]:
        there = folder / f"asked-{tables}"
        run("audit", "--config", folder / f"{tables}.yaml", *conversions, "--map", mapped, *flags, "-q", "--engine",
            engine.asked_as, "--engine-url", engine.url, "-o", f"csv={there}.csv", "-o", f"json={there}.json")
        faults += of_reports(here, there, f"--engine {engine.asked_as} at {engine.name}, {tables}")
    print(f"--engine {engine.asked_as} at {engine.name}: {len(faults)} differences")
    return faults


class Growing(transport.Shim):
    """A server whose table of clicks grows after every query."""

    def work(self, parameters, body):
        super().work(parameters, body)
        Growing.session.query(
            "INSERT INTO shop.growing SELECT * REPLACE (concat('late', toString(generateUUIDv4())) AS id, now64(6) AS ts) "
            "FROM shop.clicks WHERE ts IS NOT NULL LIMIT 3")


def growing(run, folder, engine):
    """A table that receives clicks while the program asks is as it was when the run began."""
    _, flags, facts, amounts = SCENARIOS[2]
    project(folder, facts, amounts, engine)
    engine.session.query("CREATE TABLE shop.growing ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM shop.clicks")
    grown = lambda: int(str(engine.session.query("SELECT count() FROM shop.growing", "TabSeparated")))
    config, there, before = folder / "growing.yaml", folder / "growing", grown()
    config.write_text((folder / "all.yaml").read_text().replace("shop.clicks", "shop.growing"))
    with transport.shim(Growing) as port:
        run("audit", "--config", config, "--map", folder / "facts.yml", *flags, "-q", "--engine", "clickhouse", "--engine-url",
            f"http://127.0.0.1:{port}/", "-o", f"csv={there}.csv", "-o", f"json={there}.json")
    faults = of_reports(folder / "files", there, f"a table that grows at {engine.name}")
    if grown() <= before:
        faults.append("the table did not grow")
    print(f"a table that grew by {grown() - before} clicks meanwhile at {engine.name}: {len(faults)} differences")
    return faults


class Faulty(transport.Shim):
    """A server that fails in some way after so many requests."""

    way, after, asked = None, 0, 0
    stuck, released = threading.Event(), threading.Event()

    def do_POST(self):
        Faulty.asked += 1
        self.fails = Faulty.way if Faulty.asked > Faulty.after else None
        if self.fails != "hangs":
            return super().do_POST()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if b"KILL QUERY" in body or "KILL" in self.path:
            return self.answer(200, b"")
        Faulty.stuck.set()
        Faulty.released.wait(30)

    def answer(self, status, body, code=None):
        if self.fails == "memory":
            status, code, body = 500, 241, b"Code: 241. DB::Exception: Memory limit (for query) exceeded (MEMORY_LIMIT_EXCEEDED)"
        if self.fails == "rights":
            status, code, body = 403, 497, b"Code: 497. DB::Exception: reader: Not enough privileges (ACCESS_DENIED)"
        if self.fails == "cut":
            body = body[:len(body) // 2]
        if self.fails != "killed":
            return super().answer(status, body, code)
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s" % (len(body), body[:len(body) // 2]))
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


# How a server fails, with which exit code the program then ends, and what its error says.
FAILING = [
    ("memory", 3, ["Code: 241", "more memory", "exit 3: no answer from the engine"]),
    ("rights", 2, ["Code: 497", "exit 2: wrong usage"]),
    ("cut", 3, ["exit 3: no answer from the engine"]),
    ("killed", 3, ["the connection", "exit 3: no answer from the engine"]),
    ("hangs", 3, ["it was stopped from outside", "exit 3: no answer from the engine"]),
]


def failing(options, folder, engine):
    """Whatever becomes of the engine, the program ends with one error, and what an earlier run wrote stays."""
    project(folder, *SCENARIOS[0][2:], engine)
    old, faults, tried = folder / "old.csv", [], 0
    secret = {**os.environ, "CLICKAUDIT_ENGINE_SECRET": "reader:pw"}
    words = [options.clickaudit, "audit", "--config", folder / "all.yaml", "-q", "-o", f"csv={old}", "--engine", "clickhouse"]

    def told(name, expected, phrases, url, environment, during=lambda process: None):
        nonlocal tried
        old.write_text("earlier\n")
        process = subprocess.Popen([str(word) for word in [*words, "--engine-url", url]], stderr=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, env=environment)
        during(process)
        out, said = process.communicate(timeout=120)
        tried += 1
        lacks = [phrase for phrase in phrases if phrase not in said]
        if process.returncode != expected or lacks or said.count("error: ") != 1 or out or old.read_text() != "earlier\n":
            faults.append(f"{engine.name}, {name}: exit {process.returncode}, lacks {lacks}: {said[-500:]}")

    def interrupted(process):
        Faulty.stuck.wait(60)
        process.send_signal(signal.SIGINT)

    with transport.shim(Faulty) as port:
        url = f"http://127.0.0.1:{port}/"
        for way, code, phrases in FAILING:
            for after in [8, 20]:
                Faulty.way, Faulty.after, Faulty.asked = way, after, 0
                Faulty.stuck.clear(), Faulty.released.clear()
                during = interrupted if way == "hangs" else lambda process: None
                told(f"{way} after {after} requests", code, phrases, url, secret, during)
                Faulty.released.set()
        Faulty.way = None
        wrong = {**secret, "CLICKAUDIT_ENGINE_SECRET": "reader:wrong"}
        told("a wrong password", 2, ["Code: 516", "password"], url, wrong)
    nobody = f"http://127.0.0.1:{transport.free_port()}/"
    told("nobody there", 3, ["nobody answers there", "exit 3: no answer from the engine"], nobody, secret)
    print(f"{tried} ways to fail at {engine.name}: {len(faults)} faults")
    return faults


# What is wrong, what the error says, and what in the project file is changed for it.
WRONG = [
    ("a table that is not there", ["cliks"], ("clicks", "cliks")),
    ("a column that is not there", ["no column `agnt`", "did you mean agent"], ("user_agent: \"agent\"", "user_agent: \"agnt\"")),
    ("a column that would be a query", ["no column"], ("\"agent\"", json.dumps("agent` FROM shop.clicks; DROP TABLE shop.clicks; --"))),
    ("a type that cannot be read", ["`kind` is", "expected a timestamp"], ("click_time: \"ts\"", "click_time: \"kind\"")),
]


def refused(options, folder, engine):
    """What cannot be is said in one error, and nothing is written."""
    faults, target = [], folder / "wrong.csv"
    text, name = (folder / "all.yaml").read_text(), engine.called("clicks")
    for what, phrases, (found, put) in WRONG:
        change = (name, name.replace(found, put)) if found == "clicks" else (found, put)
        assert change[0] in text, what
        if found == "clicks" and engine.hints:
            phrases = [*phrases, "did you mean clicks"]
        (folder / "wrong.yaml").write_text(text.replace(*change))
        words = ["audit", "--config", folder / "wrong.yaml", "--engine", engine.asked_as, "--engine-url", engine.url, "-o",
                 f"csv={target}"]
        told = subprocess.run([options.clickaudit, *map(str, words)], capture_output=True, text=True)
        if told.returncode != 2 or not all(phrase in told.stderr for phrase in phrases) or told.stderr.count("error: ") != 1:
            faults.append(f"{engine.name}, {what}: exit {told.returncode}: {told.stderr[-400:]}")
        if target.exists():
            faults.append(f"{engine.name}, {what}: something was written")
    print(f"{len(WRONG)} wrong project files at {engine.name}: {len(faults)} faults")
    return faults


# What stands in for the engines' own clients, which are not installed here.
CLIENTS = {
    "clickhouse-client": """#!{python}
import http.client, sys, urllib.request
assert sys.argv[1] == "--query"
http.client._MAXHEADERS = 1000  # progress comes as headers
sys.stdout.buffer.write(urllib.request.urlopen("{url}", sys.argv[2].encode()).read())
""",
    "spark-sql": """#!{python}
import sys
from pyspark.sql import SparkSession
assert sys.argv[1] == "-f"
session = SparkSession.builder.remote("{url}").getOrCreate()
for statement in open(sys.argv[2]).read().strip().split(";\\n"):
    if "SET TIME ZONE 'UTC'" not in statement:  # which Sail does not know; its sessions are in UTC
        session.sql(statement.removesuffix(";"))
""",
}


def commands():
    """The README's project file, and its commands, each with the engine that it is for."""
    text = (SAMPLE.parent / "README.md").read_text()
    text = text[text.index("## When one machine is not enough"):]
    text = text[:text.index("\n## ", 1)]
    found = []
    for block in text.split("```sh\n")[1:]:
        engine = "clickhouse"
        for command in block.split("```")[0].replace("\\\n", " ").splitlines():
            engine = next((name for name in ["spark", "clickhouse"] if name in command), engine)
            found.append((engine, command))
    return text.split("```yaml\n")[1].split("```")[0], found


def readme(options, folder, engines):
    """The commands of the README, word by word but for addresses, folders and the names of Spark's tables."""
    project, wanted = commands()
    shell, bin, faults, ran = folder / "readme", folder / "bin", [], 0
    for made in [shell, bin]:
        made.mkdir(exist_ok=True)
    (shell / "secret.txt").write_text("reader:pw\n")
    (shell / "secret.txt").chmod(0o600)
    (shell / "conversions.csv").write_bytes((SAMPLE / "conversions.csv").read_bytes())
    if not (bin / "clickaudit").exists():
        (bin / "clickaudit").symlink_to(pathlib.Path(options.clickaudit).resolve())
    for engine in engines:
        engine.opens_a_shop(bin)
    for name, command in wanted:
        engine = next((engine for engine in engines if engine.asked_as == name), None)
        if engine is None:
            continue
        said = project
        if isinstance(engine, Spark):
            for table in ["clicks", "conversions"]:
                said = said.replace(f"table: tracker.{table}", f"table: {engine.called(f'sample_{table}')}")
        (shell / "clickaudit.yaml").write_text(said)
        for address in ["https://clickhouse.example.net:8443/", "'sc://spark.example.net:15002/;use_ssl=true'"]:
            command = command.replace(address, engine.url)
        command = command.replace("/tmp/measures", str(shell / "measures"))
        path = {**os.environ, "PATH": f"{bin}:{os.environ['PATH']}"}
        done = subprocess.run(command, shell=True, cwd=shell, capture_output=True, text=True, env=path)
        ran += 1
        if done.returncode not in (0, 4):
            faults.append(f"README: {command}\nexit {done.returncode}: {done.stderr[-600:]}")
    print(f"the README: {ran} of {len(wanted)} commands ran; {len(faults)} failed")
    return faults


def started(folder, only):
    """The engines that are installed."""
    for kind, packages in [(DuckDb, "duckdb"), (ClickHouse, "chdb"), (Sail, "pysail and pyspark-client")]:
        if only in (None, kind.__name__):
            try:
                yield kind(folder)
            except ImportError as error:
                print(f"absent: {kind.__name__} (PyPI packages {packages}: {error.name} is not installed)")


def held(options, run, folder, engines):
    """All that is held at these engines; what does not hold."""
    faults = []
    write(folder, *traffic(random.Random(20260320)))
    for engine in engines:
        for name in ["clicks", "conversions"]:
            engine.load(name)
    for at, (name, *_) in enumerate(SCENARIOS):
        found, compared = scenario(run, folder, engines, at)
        print(f"{name}: {compared}; {len(found)} differences", flush=True)
        faults += [f"{name}: {fault}" for fault in found]
    project(folder, *SCENARIOS[0][2:], engines[0])
    words = ["audit", "--engine", "clickhouse", "--engine-url", "http://127.0.0.1:1/", "--config", folder / "all.yaml"]
    built = subprocess.run([options.clickaudit, *map(str, words)], capture_output=True, text=True).stderr
    speaks = "does not speak to" not in built
    faults += sample(run, folder, engines, speaks)
    if not speaks:
        print("absent: --engine (built without the features clickhouse and spark)")
        return faults
    for engine in engines:
        if engine.url:
            faults += asked(run, folder, engine)
            faults += refused(options, folder, engine)
        if isinstance(engine, ClickHouse):
            faults += growing(run, folder, engine)
            faults += failing(options, folder, engine)
    return faults + readme(options, folder, engines)


def runner(options):
    def run(*words):
        found = subprocess.run([options.clickaudit, *map(str, words)], capture_output=True, text=True)
        if found.returncode not in (0, 3, 4):
            sys.exit(f"{' '.join(map(str, words))}\nexit {found.returncode}\n{found.stderr}")
        return found.stdout

    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clickaudit", required=True)
    parser.add_argument("--keep", help="a folder for all files, to look at them")
    parser.add_argument("--only", choices=["DuckDb", "ClickHouse", "Sail"])
    options = parser.parse_args()
    scratch = tempfile.TemporaryDirectory()
    folder = pathlib.Path(options.keep or scratch.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as ending:
        engines = []
        for engine in started(folder, options.only):
            ending.callback(engine.close)
            engines.append(engine)
        faults = held(options, runner(options), folder, engines) if engines else []
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
