#!/usr/bin/env python3
"""What counting on an engine costs, beside the run on files: CPU and wall of each, on the same clicks.

    python bench/engines.py --clickaudit target/release/clickaudit --clicks 1000000

Traffic is the generator's. DuckDB and ClickHouse (chdb) run in a process of their own, Sail is a server; each is measured
from the loaded table to the written result, once for the printed query and once, where the program was built with the
features for it, for `--engine`, which asks part by part. The last lines extrapolate to a billion clicks on 32 cores, as
if cost grew with rows and fell with cores: that is an extrapolation and no measurement.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import tempfile
import time

EXTERNAL = pathlib.Path(__file__).resolve().parents[1] / "tests" / "external"
sys.path.insert(0, str(EXTERNAL))

COLUMNS = ["click_id", "click_time", "traffic_source", "source", "offer", "lander_click_time", "country", "device", "ip",
           "user_agent", "cost"]
ENGINES = ["DuckDb", "ClickHouse", "Sail"]
# Sail works on all parts of the printed query at once: a million clicks took more than 16 GiB.
SAIL_AT_MOST = 100_000
TICKS = os.sysconf("SC_CLK_TCK")


def measured(words):
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode not in (0, 3, 4):
        sys.exit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.time() - began


def spent(pid):
    """CPU seconds of a process and its highest resident MiB."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    high = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / TICKS, high / 1024


def typed(folder):
    """The exports as typed Parquet, which engines load and the run on files reads."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    header = {}
    for name in ["clicks", "conversions"]:
        names = (folder / f"{name}.csv").open().readline().strip().split(",")
        types = {column: pa.timestamp("s") if column.endswith("_time") else pa.string() for column in names}
        types |= {column: pa.decimal128(18, 6) for column in ["cost", "payout"] if column in names}
        options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
        rows = pyarrow.csv.read_csv(folder / f"{name}.csv", convert_options=options)
        utc = [c.with_type(pa.timestamp("us", tz="UTC")) if c.name.endswith("_time") else c for c in rows.schema]
        pq.write_table(rows.cast(pa.schema(utc)), folder / f"{name}.parquet")
        header[name] = names
    return header


def made(options, folder, clicks):
    """Generated traffic of so many clicks."""
    folder.mkdir()
    words = [options.clickaudit, "simulate", "--clicks", str(clicks), "--conversions", str(clicks // 50), str(folder)]
    subprocess.run(words, check=True, capture_output=True)
    names = typed(folder)["clicks"]
    (folder / "columns.json").write_text(json.dumps([name for name in COLUMNS if name in names]))
    return folder


def one(options, kind, folder):
    """One engine, in this process or beside it: a line of JSON for each way."""
    import engines

    engine = getattr(engines, kind)(folder)
    try:
        for name in ["clicks", "conversions"]:
            engine.load(name)
        columns = "".join(f"      {name}: {name}\n" for name in json.loads((folder / "columns.json").read_text()))
        (folder / "p.yaml").write_text(
            f"tables:\n  clicks:\n    table: {engine.called('clicks')}\n    columns:\n{columns}  conversions:\n"
            f"    table: {engine.called('conversions')}\n    columns: {{click_id: click_id}}\nperspective: buyer\n")
        config = [options.clickaudit, "audit", "--config", folder / "p.yaml", "--conversions", folder / "conversions.parquet",
                  "-q", "--as-of", "2026-04-01"]
        config = list(map(str, config))
        sql = subprocess.run([*config, "--print-sql", engine.dialect], check=True, capture_output=True, text=True).stdout
        pid = engine.server.pid if hasattr(engine, "server") else os.getpid()

        def told(what, act):
            before, began = spent(pid)[0], time.time()
            here = act()
            (cpu, resident), wall = spent(pid), time.time() - began
            row = {"what": f"{what}, {engine.name}", "cpu": cpu - before, "wall": wall, "resident": resident, "here": here}
            print(json.dumps(row), flush=True)

        told("printed query", lambda: engine.run(sql, folder / "m.parquet") and None)
        rest = measured([*config, "--measures", folder / "m.parquet", "-o", f"csv={folder}/there.csv"])
        print(json.dumps({"what": "and the rest of the run here", "cpu": rest[0], "wall": rest[1]}), flush=True)
        asked = [*config, "--engine", str(engine.asked_as), "--engine-url", str(engine.url), "-o", f"csv={folder}/asked.csv"]
        nobody = [*config, "--engine", str(engine.asked_as), "--engine-url", f"{str(engine.url).split(':')[0]}://127.0.0.1:1"]
        if engine.url and b"does not speak" not in subprocess.run(nobody, capture_output=True).stderr:
            told("--engine", lambda: measured(asked)[0])
    finally:
        engine.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clickaudit", required=True)
    parser.add_argument("--clicks", type=int, default=1_000_000)
    parser.add_argument("--only", choices=ENGINES)
    parser.add_argument("--one", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--dir", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.clickaudit = str(pathlib.Path(options.clickaudit).resolve())
    if options.one:
        return one(options, options.one, pathlib.Path(options.dir))
    with tempfile.TemporaryDirectory() as scratch:
        folder, costs = made(options, pathlib.Path(scratch) / "all", options.clicks), []
        print(f"{options.clicks} clicks, {options.clicks // 50} conversions, {os.cpu_count()} cores, {platform.machine()}\n\n"
              "| what | CPU s | wall s | resident MiB |\n|---|---:|---:|---:|")
        words = [options.clickaudit, "audit", "--no-config", folder / "clicks.parquet", folder / "conversions.parquet",
                 "--perspective", "buyer", "-q", "-o", f"csv={folder}/here.csv"]
        for name, more in [("run on files", []), ("the same, --portable", ["--portable"])]:
            cpu, wall = measured([*words, *more])
            print(f"| {name} | {cpu:.2f} | {wall:.2f} | |", flush=True)
        for kind in [options.only] if options.only else ENGINES:
            few = kind == "Sail" and options.clicks > SAIL_AT_MOST
            at = made(options, pathlib.Path(scratch) / "few", SAIL_AT_MOST) if few else folder
            child = [sys.executable, "-W", "ignore", __file__, "--clickaudit", options.clickaudit, "--one", kind, "--dir", at]
            told = subprocess.run(list(map(str, child)), capture_output=True, text=True)
            for row in map(json.loads, told.stdout.splitlines()):
                resident = f"{row['resident']:.0f}" if "resident" in row else ""
                clicks = f"{SAIL_AT_MOST} clicks: " if few else ""
                print(f"| {clicks}{row['what']} | {row['cpu']:.2f} | {row['wall']:.2f} | {resident} |", flush=True)
                if row.get("here"):
                    print(f"| of the program, beside it | {row['here']:.2f} | | |", flush=True)
                # Most of Sail's time is planning, which does not grow with rows.
                if row["what"].startswith("printed") and kind != "Sail":
                    costs.append((row["what"], row["cpu"]))
            if told.returncode:
                print(f"absent: {kind}: {told.stderr.strip().splitlines()[-1]}")
        for what, cpu in costs:
            total = cpu / options.clicks * 1e9
            print(f"\nextrapolated, not measured: a billion clicks, {what}: {total:,.0f} CPU s, {total / 32 / 60:,.0f} minutes "
                  "on 32 cores")


if __name__ == "__main__":
    main()
