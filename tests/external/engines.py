#!/usr/bin/env python3
"""Holds engines against a run on files: the printed SQL gives the same integer table, row by row, and the same
verdicts, byte by byte.

The traffic has what breaks such a promise: IDs that are missing, repeated, reused, macros or full of quotes,
backslashes and invisible characters; rows of one click that differ; ties; orphans; conversions before their click;
transactions that are told twice; times that are none. Every scenario runs on files with --portable, and on every
engine that is installed: DuckDB, ClickHouse (chdb) and Sail, which speaks Spark's dialect. With --engine the program
asks itself: ClickHouse over HTTP, behind a small server on this machine, and Sail over Spark Connect. What is not
installed is told by name.

    python tests/external/engines.py --clickaudit target/debug/clickaudit
"""

import argparse
import contextlib
import datetime
import decimal
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import transport

DAY = datetime.datetime(2026, 3, 20, tzinfo=datetime.timezone.utc)
ODD = ["it's", 'say "x"', "back\\slash", "tick`", "emoji😀", "zero\u200bwidth", "'; DROP TABLE clicks; --", "100%", "a|b~c",
       "{clickid}", "${SUBID}", "null", "\\N", "", "ключ", "trail ", "\\'", "{}", "%7Bsub%7D"]


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
            "addr": rng.choice([None, f"10.0.{rng.randrange(9)}.{rng.randrange(40)}", "2001:db8::1", "1.2.3.4"]),
            "agent": rng.choice([None, "Mozilla/5.0", "UA 'x'", "UA \\ y"]),
            "as_number": rng.choice([None, "64500", "64501"]),
            "price": rng.choice([None, round(rng.random() / 50, 6), 0.0]),
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
            copy["addr"], copy["ref"] = "9.9.9.9", "https://y.example"
        copies.append(copy)
        if rng.random() < 0.2:
            copies.append(dict(copy))
    rows += copies
    for time in [None, None, 0, -5_000_000, 32_503_680_000_000_000]:
        rows.append({**rows[7], "id": f"bad{time}", "ts": time})
    rows.append({**rows[7], "id": "badlander", "landed": 5})
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
               "pays": rng.choice([None, decimal.Decimal("1.50"), decimal.Decimal("20.000001")]), "goal": click["offer"]}
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
    "network": "advertiser", "ip": "addr", "user_agent": "agent", "asn": "as_number", "cost": "price",
    "lander_click_time": "landed", "is_bot": "bot", "referrer": "ref", "hit_type": "hit",
}
CONVERSION_COLUMNS = {
    "click_id": "cid", "conversion_time": "at", "transaction_id": "tx", "event": "what", "status": "state",
    "payout": "pays", "offer": "goal",
}

RULE = """\
id: recent-clicks-without-an-address
title: Recent clicks without an address
class: fraud
action: watch
status: test
grain: [traffic_source, source]
window: 7d
mature: 2d
rows:
  country: [DE, BR]
  event: [sale]
"""

# name, flags, the facts of the mapping
SCENARIOS = [
    ("as it is", [], "perspective: buyer\ncurrency: USD\n"),
    ("Berlin, by campaign's offer", ["--tz", "Europe/Berlin", "--by", "offer,network"], "perspective: buyer\n"),
    ("visits only, by network", ["--by", "network", "--maturity", "6h"],
     "perspective: network\nhit_type: visit\ntransaction_scope: network\n"),
    ("half-hour zone, with row limits", ["--tz", "Asia/Kolkata", "--pack", "mobile-cpi"], "perspective: buyer\n"),
]


# The scenario that runs on Sail, too.
SAIL_RUNS = 2


def write(folder, rows, conversions):
    import pyarrow as pa
    import pyarrow.parquet as pq

    moment = pa.timestamp("us", tz="UTC")
    types = {"ts": moment, "landed": moment, "at": moment, "price": pa.float64(), "pays": pa.decimal128(18, 6),
             "bot": pa.bool_()}
    for name, table in [("clicks", rows), ("conversions", conversions)]:
        schema = pa.schema([(column, types.get(column, pa.string())) for column in table[0]])
        pq.write_table(pa.Table.from_pylist(table, schema), folder / f"{name}.parquet")


def mapping(columns, facts, shape):
    lines = "".join(f"    {ours}: {theirs}\n" for ours, theirs in columns.items())
    return f"{facts}{shape}:\n  columns:\n{lines}"


def project(folder, facts):
    ours = lambda columns, keep=None: "".join(
        f"      {c}: {t}\n" for c, t in columns.items() if keep is None or c in keep)
    both = facts + "".join(
        f"{shape}:\n  columns:\n" + "".join(f"    {c}: {t}\n" for c, t in columns.items())
        for shape, columns in [("clicks", CLICK_COLUMNS), ("conversions", CONVERSION_COLUMNS)])
    (folder / "map.yml").write_text(both)
    only = facts + "conversions:\n  columns:\n" + "".join(f"    {c}: {t}\n" for c, t in CONVERSION_COLUMNS.items())
    (folder / "map-conversions.yml").write_text(only)
    for name, keep in [("all", None), ("ids", {"click_id"})]:
        (folder / f"{name}.yaml").write_text(
            "tables:\n  clicks:\n    table: shop.clicks\n    columns:\n" + ours(CLICK_COLUMNS)
            + "  conversions:\n    table: shop.conversions\n    columns:\n" + ours(CONVERSION_COLUMNS, keep))


class DuckDb:
    dialect = "duckdb"

    def __init__(self, folder):
        import duckdb

        self.db, self.folder = duckdb.connect(), folder
        self.db.execute("CREATE SCHEMA shop")
        self.load("clicks")
        self.load("conversions")
        self.name = f"DuckDB {duckdb.__version__}"

    def load(self, name):
        self.db.execute(f"CREATE TABLE shop.{name} AS SELECT * FROM '{self.folder}/{name}.parquet'")

    def run(self, sql, target):
        self.db.execute(f"COPY ({sql}) TO '{target}' (FORMAT parquet)")


class ClickHouse:
    dialect = "clickhouse"

    def __init__(self, folder):
        import chdb
        from chdb import session

        self.session, self.folder = session.Session(), folder
        self.session.query("CREATE DATABASE shop")
        self.load("clicks")
        self.load("conversions")
        version = str(self.session.query("SELECT version()", "TabSeparated")).strip()
        self.name = f"ClickHouse {version} (chdb)"

    def load(self, name):
        self.session.query(
            f"CREATE TABLE shop.{name} ENGINE = MergeTree ORDER BY tuple() AS "
            f"SELECT * FROM file('{self.folder}/{name}.parquet', Parquet)")

    def run(self, sql, target):
        answer = self.session.query(sql, "Parquet")
        pathlib.Path(target).write_bytes(answer.bytes())


class Sail:
    """A server of Spark Connect on this machine, its tables Parquet files."""

    dialect = "spark"

    def __init__(self, folder):
        import pysail
        from pyspark.sql import SparkSession

        port = transport.free_port()
        program = pathlib.Path(sys.executable).with_name("sail")
        words = [program, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
        log = open(folder / "sail.log", "w")
        environment = {**os.environ, "SAIL_MODE": "local-cluster"}
        self.server = subprocess.Popen(words, stdout=log, stderr=log, env=environment, cwd=folder)
        if not transport.waits(lambda: transport.listens(port), self.server):
            sys.exit("Sail did not start")
        self.url = f"sc://127.0.0.1:{port}"
        self.session = SparkSession.builder.remote(self.url).getOrCreate()
        self.session.sql("CREATE DATABASE shop")
        self.folder = folder
        self.load("clicks")
        self.load("conversions")
        self.name = f"Sail {getattr(pysail, '__version__', '')}"

    def load(self, name):
        self.session.sql(f"CREATE TABLE shop.{name} USING parquet LOCATION '{self.folder}/{name}.parquet'")

    def run(self, sql, target):
        import pyarrow.parquet as pq

        pq.write_table(self.session.sql(sql).toArrow(), target)

    def close(self):
        transport.stop(self.server)


def table(path, names):
    """The rows of the counts by part, without the columns that only fill up; sorted."""
    import pyarrow.parquet as pq

    rows = pq.read_table(path).to_pylist()
    widths = {}
    parts = {}
    text = lambda value: value.decode() if isinstance(value, bytes) else value
    for row in rows:
        part = text(row["part"])
        if part in names:
            values = [text(v) for k, v in row.items() if k != "part"]
            texts = [v for k, v in zip((k for k in row if k != "part"), values) if k.startswith("t")]
            numbers = [int(v) for k, v in zip((k for k in row if k != "part"), values) if k.startswith("n")]
            while texts and texts[-1] == "":
                texts.pop()
            while numbers and numbers[-1] == 0:
                numbers.pop()
            parts.setdefault(part, []).append((tuple(texts), tuple(numbers)))
    return {part: sorted(rows) for part, rows in parts.items()}


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
    found = []
    for part in sorted(set(ours) | set(theirs)):
        a, b = ours.get(part, []), theirs.get(part, [])
        if a != b:
            only = sorted(set(a) - set(b))[:3], sorted(set(b) - set(a))[:3]
            found.append(f"{part}: {len(a)} rows here, {len(b)} at {engine}; only here {only[0]}; only there {only[1]}")
    return found


def scenario(run, folder, engines, name, flags, facts):
    project(folder, facts)
    common = [*flags, "--as-of", "2026-04-03T00:00", "-q"]
    here = folder / "here"
    run("audit", "--no-config", "--clicks", folder / "clicks.parquet", "--conversions", folder / "conversions.parquet",
        "--map", folder / "map.yml", *common, "--portable", "--save-measures", here.with_suffix(".parquet"),
        "-o", f"csv={here}.csv", "-o", f"json={here}.json")
    faults, rows = [], 0
    for engine in engines:
        for tables, conversions, mapped in [
            ("ids", ["--conversions", folder / "conversions.parquet"], folder / "map-conversions.yml"),
            ("all", [], folder / "facts.yml"),
        ]:
            (folder / "facts.yml").write_text(facts)
            config = ["--config", folder / f"{tables}.yaml"]
            sql = run("audit", *config, *conversions, "--map", mapped, *common, "--print-sql", engine.dialect)
            there = folder / f"there-{tables}"
            engine.run(sql, f"{there}.parquet")
            names = names_of(f"{there}.parquet") - {"plan", "rows", "kept", "conflicts", "named", "near", "conversions"}
            ours = table(f"{here}.parquet", names | names_of(f"{here}.parquet"))
            rows += sum(map(len, ours.values()))
            faults += differences(ours, table(f"{there}.parquet", names), engine.name)
            run("audit", *config, *conversions, "--map", mapped, *common, "--measures", f"{there}.parquet",
                "-o", f"csv={there}.csv", "-o", f"json={there}.json")
            if pathlib.Path(f"{here}.csv").read_bytes() != pathlib.Path(f"{there}.csv").read_bytes():
                faults.append(f"{engine.name}, {tables}: the verdict files differ")
            a, b = comparable(f"{here}.json"), comparable(f"{there}.json")
            for key in sorted(set(a) | set(b)):
                if a.get(key) != b.get(key):
                    faults.append(f"{engine.name}, {tables}: `{key}` of the reports differs")
    return faults, rows


SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "sample-data"


def sample(run, folder, engines):
    """The sample, as a user has it: clicks at the engine, conversions in a file."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    moment, names = pa.timestamp("s"), {}
    for name in ["clicks", "conversions"]:
        names[name] = (SAMPLE / f"{name}.csv").open().readline().strip().split(",")
        types = {column: moment if column.endswith("_time") else pa.string() for column in names[name]}
        types |= {column: pa.decimal128(18, 6) for column in ["cost", "payout"] if column in names[name]}
        options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
        rows = pyarrow.csv.read_csv(SAMPLE / f"{name}.csv", convert_options=options)
        utc = [column if not column.name.endswith("_time") else column.with_type(pa.timestamp("us", tz="UTC"))
               for column in rows.schema]
        pq.write_table(rows.cast(pa.schema(utc)), folder / f"sample_{name}.parquet")
    columns = "".join(f"      {name}: {name}\n" for name in names["clicks"] if name not in ["currency"])
    (folder / "sample.yaml").write_text(
        f"tables:\n  clicks:\n    table: shop.sample_clicks\n    columns:\n{columns}"
        "  conversions:\n    table: shop.sample_conversions\n    columns: {click_id: click_id}\nperspective: buyer\n")
    common, here, faults = ["--as-of", "2026-03-15T23:59:52", "-q"], folder / "sample", []
    run("audit", "--no-config", SAMPLE / "clicks.csv", SAMPLE / "conversions.csv", *common, "--portable", "-o",
        f"csv={here}.csv", "--perspective", "buyer")
    for engine in engines:
        engine.load("sample_clicks")
        engine.load("sample_conversions")
        words = ["audit", "--config", folder / "sample.yaml", "--conversions", SAMPLE / "conversions.csv", *common]
        engine.run(run(*words, "--print-sql", engine.dialect), folder / "sample-there.parquet")
        run(*words, "--measures", folder / "sample-there.parquet", "-o", f"csv={folder}/sample-there.csv")
        same = pathlib.Path(f"{here}.csv").read_bytes() == (folder / "sample-there.csv").read_bytes()
        faults += [] if same else [f"the sample at {engine.name}: the verdict files differ"]
        print(f"the sample at {engine.name}: {'the same verdict file' if same else 'ANOTHER verdict file'}")
    return faults


def of_engines(run, options, folder, engines, ending):
    faults = []
    _, flags, facts = SCENARIOS[2]
    for engine in engines:
        if isinstance(engine, ClickHouse):
            transport.Shim.session, transport.Shim.folder = engine.session, folder
            port = ending.enter_context(transport.shim(transport.Shim))
            faults += asked(run, folder, engine.name, f"http://127.0.0.1:{port}/", "clickhouse", flags, facts)
            faults += refused(options, folder, "clickhouse", f"http://127.0.0.1:{port}/")
        if isinstance(engine, Sail):
            faults += asked(run, folder, engine.name, engine.url, "spark", flags, facts)
            faults += refused(options, folder, "spark", engine.url)
    return faults


def asked(run, folder, name, url, engine, flags, facts):
    """The program asks the engine itself; conversions lie there, or are brought along. Verdicts as from files."""
    project(folder, facts)
    common = [*flags, "-q"]
    here, faults = folder / "files", []
    run("audit", "--no-config", "--clicks", folder / "clicks.parquet", "--conversions", folder / "conversions.parquet",
        "--map", folder / "map.yml", *common, "--portable", "-o", f"csv={here}.csv", "-o", f"json={here}.json")
    text = (folder / "all.yaml").read_text()
    (folder / "clicks.yaml").write_text(text[:text.index("  conversions:")])
    (folder / "facts.yml").write_text(facts)
    for tables, conversions, mapped in [
        ("all", [], folder / "facts.yml"),
        ("clicks", ["--conversions", folder / "conversions.parquet"], folder / "map-conversions.yml"),
    ]:
        there = folder / f"asked-{tables}"
        run("audit", "--config", folder / f"{tables}.yaml", *conversions, "--map", mapped, *common, "--engine", engine,
            "--engine-url", url, "-o", f"csv={there}.csv", "-o", f"json={there}.json")
        if pathlib.Path(f"{here}.csv").read_bytes() != pathlib.Path(f"{there}.csv").read_bytes():
            faults.append(f"--engine {engine} at {name}, {tables}: the verdict files differ")
        a, b = comparable(f"{here}.json"), comparable(f"{there}.json")
        faults += [f"--engine {engine} at {name}, {tables}: `{key}` of the reports differs"
                   for key in sorted(set(a) | set(b)) if a.get(key) != b.get(key)]
    print(f"--engine {engine} at {name}: {len(faults)} differences")
    return faults


def refused(options, folder, engine, url):
    """What cannot be is said in one error, and nothing is written."""
    faults = []
    for what, code, phrases, change in [
        ("a table that is not there", 2, ["nosuch"], ("shop.clicks", "shop.nosuch")),
        ("a column that is not there", 2, ["no column `adr`", "did you mean addr"], ("ip: addr", "ip: adr")),
        ("a type that cannot be read", 2, ["`kind` is", "expected a timestamp"], ("click_time: ts", "click_time: kind")),
    ]:
        (folder / "wrong.yaml").write_text((folder / "all.yaml").read_text().replace(*change))
        words = ["audit", "--config", folder / "wrong.yaml", "--engine", engine, "--engine-url", url, "-o",
                 f"csv={folder}/wrong.csv"]
        found = subprocess.run([options.clickaudit, *map(str, words)], capture_output=True, text=True)
        if found.returncode != code or not all(phrase in found.stderr for phrase in phrases):
            faults.append(f"{engine}, {what}: exit {found.returncode}: {found.stderr[-400:]}")
        if (folder / "wrong.csv").exists():
            faults.append(f"{engine}, {what}: something was written")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clickaudit", required=True)
    parser.add_argument("--keep", help="a folder for all files, to look at them")
    options = parser.parse_args()
    scratch = tempfile.TemporaryDirectory()
    folder = pathlib.Path(options.keep or scratch.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)

    def run(*words):
        found = subprocess.run([options.clickaudit, *map(str, words)], capture_output=True, text=True)
        if found.returncode not in (0, 3, 4):
            sys.exit(f"{' '.join(map(str, words))}\nexit {found.returncode}\n{found.stderr}")
        return found.stdout

    rows, conversions = traffic(random.Random(20260320))
    write(folder, rows, conversions)
    engines = []
    for kind, package in [(DuckDb, "duckdb"), (ClickHouse, "chdb"), (Sail, "pysail and pyspark-client")]:
        try:
            engines.append(kind(folder))
        except ImportError:
            print(f"absent: {kind.__name__} (PyPI package {package} is not installed)")
    faults = []
    with contextlib.ExitStack() as ending:
        sail = next((engine for engine in engines if isinstance(engine, Sail)), None)
        ending.callback(lambda: sail and sail.close())
        for at, (name, flags, facts) in enumerate(SCENARIOS if engines else []):
            # Sail runs one of them: its planning takes minutes on a small machine.
            asked_now = [engine for engine in engines if engine is not sail or at == SAIL_RUNS]
            found, compared = scenario(run, folder, asked_now, name, flags, facts)
            print(f"{name}: {compared} rows compared at {', '.join(e.name for e in asked_now)}; {len(found)} differences")
            faults += [f"{name}: {fault}" for fault in found]
        faults += sample(run, folder, engines)
        built = subprocess.run([options.clickaudit, "audit", "--engine", "clickhouse", "--engine-url", "http://127.0.0.1:1/",
                                "--config", folder / "all.yaml"], capture_output=True, text=True).stderr
        if "does not speak to" in built:
            print("absent: --engine (built without the features clickhouse and spark)")
        else:
            faults += of_engines(run, options, folder, engines, ending)
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
