#!/usr/bin/env python3
"""Holds engines against a run on files: the printed SQL gives the same integer table, row by row, and the same
verdicts, byte by byte.

The traffic has what breaks such a promise: IDs that are missing, repeated, reused, macros or full of quotes,
backslashes and invisible characters; rows of one click that differ; ties; orphans; conversions before their click;
transactions that are told twice; times that are none. Every scenario runs on files with --portable, and on every
engine that is installed: DuckDB and ClickHouse (chdb). What is not installed is told by name.

    python tests/external/engines.py --clickaudit target/debug/clickaudit
"""

import argparse
import datetime
import decimal
import json
import pathlib
import random
import subprocess
import sys
import tempfile

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

        self.db = duckdb.connect()
        self.db.execute("CREATE SCHEMA shop")
        for name in ["clicks", "conversions"]:
            self.db.execute(f"CREATE TABLE shop.{name} AS SELECT * FROM '{folder}/{name}.parquet'")
        self.name = f"DuckDB {duckdb.__version__}"

    def run(self, sql, target):
        self.db.execute(f"COPY ({sql}) TO '{target}' (FORMAT parquet)")


class ClickHouse:
    dialect = "clickhouse"

    def __init__(self, folder):
        import chdb
        from chdb import session

        self.session = session.Session()
        self.session.query("CREATE DATABASE shop")
        for name in ["clicks", "conversions"]:
            self.session.query(
                f"CREATE TABLE shop.{name} ENGINE = MergeTree ORDER BY tuple() AS "
                f"SELECT * FROM file('{folder}/{name}.parquet', Parquet)")
        version = str(self.session.query("SELECT version()", "TabSeparated")).strip()
        self.name = f"ClickHouse {version} (chdb)"

    def run(self, sql, target):
        answer = self.session.query(sql, "Parquet")
        pathlib.Path(target).write_bytes(answer.bytes())


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
    for kind, package in [(DuckDb, "duckdb"), (ClickHouse, "chdb")]:
        try:
            engines.append(kind(folder))
        except ImportError:
            print(f"absent: {kind.__name__} (PyPI package {package} is not installed)")
    faults = []
    for name, flags, facts in SCENARIOS if engines else []:
        found, compared = scenario(run, folder, engines, name, flags, facts)
        print(f"{name}: {compared} rows compared at {', '.join(e.name for e in engines)}; {len(found)} differences")
        faults += [f"{name}: {fault}" for fault in found]
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
