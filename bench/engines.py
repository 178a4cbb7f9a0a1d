#!/usr/bin/env python3
"""What the printed query costs on an engine, beside the run on files: CPU and wall of each, on the same clicks.

    python bench/engines.py --clickaudit target/release/clickaudit --clicks 1000000

Traffic is the generator's. DuckDB and ClickHouse (chdb) run in a process of their own, which is measured from the
loaded table to the written result. The last line extrapolates to a billion clicks on 32 cores, as if cost grew with
rows and fell with cores: that is an extrapolation and no measurement.
"""

import argparse
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

COLUMNS = ["click_id", "click_time", "traffic_source", "source", "offer", "lander_click_time", "country", "device", "ip",
           "user_agent", "cost"]

CHILD = """
import resource, sys, time
sys.path.insert(0, {path!r})
import engines, pathlib
engine = getattr(engines, {kind!r})(pathlib.Path({folder!r}))
sql = open({sql!r}).read()
before, began = resource.getrusage(resource.RUSAGE_SELF), time.time()
engine.run(sql, {target!r})
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.time() - began, after.ru_maxrss / 1024, engine.name)
"""


def measured(words):
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode not in (0, 3, 4):
        sys.exit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.time() - began


def typed(folder, header):
    """The exports as typed Parquet, which engines load and the run on files reads."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    for name in ["clicks", "conversions"]:
        names = (folder / f"{name}.csv").open().readline().strip().split(",")
        types = {column: pa.timestamp("s") if column.endswith("_time") else pa.string() for column in names}
        types |= {column: pa.decimal128(18, 6) for column in ["cost", "payout"] if column in names}
        options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
        rows = pyarrow.csv.read_csv(folder / f"{name}.csv", convert_options=options)
        utc = [c.with_type(pa.timestamp("us", tz="UTC")) if c.name.endswith("_time") else c for c in rows.schema]
        pq.write_table(rows.cast(pa.schema(utc)), folder / f"{name}.parquet")
        header[name] = names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clickaudit", required=True)
    parser.add_argument("--clicks", type=int, default=1_000_000)
    options = parser.parse_args()
    external = pathlib.Path(__file__).resolve().parents[1] / "tests" / "external"
    sys.path.insert(0, str(external))
    with tempfile.TemporaryDirectory() as scratch:
        folder, header = pathlib.Path(scratch), {}
        subprocess.run([options.clickaudit, "simulate", "--clicks", str(options.clicks), "--conversions",
                        str(options.clicks // 50), str(folder)], check=True, capture_output=True)
        typed(folder, header)
        columns = "".join(f"      {name}: {name}\n" for name in COLUMNS if name in header["clicks"])
        (folder / "p.yaml").write_text(f"tables:\n  clicks:\n    table: shop.clicks\n    columns:\n{columns}  conversions:\n"
                                       "    table: shop.conversions\n    columns: {click_id: click_id}\nperspective: buyer\n")
        print(f"{options.clicks} clicks, {options.clicks // 50} conversions\n\n| what | CPU s | wall s | resident MiB |\n|---|---:|---:|---:|")
        words = [options.clickaudit, "audit", "--no-config", folder / "clicks.parquet", folder / "conversions.parquet",
                 "--perspective", "buyer", "-q", "-o", f"csv={folder}/here.csv"]
        for name, more in [("run on files", []), ("the same, --portable", ["--portable"])]:
            cpu, wall = measured([*words, *more])
            print(f"| {name} | {cpu:.2f} | {wall:.2f} | |")
        config = ["audit", "--config", folder / "p.yaml", "--conversions", folder / "conversions.parquet", "-q", "--as-of",
                  "2026-04-01"]
        costs = []
        for kind, dialect in [("DuckDb", "duckdb"), ("ClickHouse", "clickhouse")]:
            sql = subprocess.run([options.clickaudit, *map(str, config), "--print-sql", dialect], check=True,
                                 capture_output=True, text=True).stdout
            (folder / "q.sql").write_text(sql)
            child = CHILD.format(path=str(external), kind=kind, folder=str(folder), sql=str(folder / "q.sql"),
                                 target=str(folder / "m.parquet"))
            told = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
            if told.returncode:
                print(f"absent: {kind}: {told.stderr.strip().splitlines()[-1]}")
                continue
            cpu, wall, resident, name = told.stdout.strip().splitlines()[-1].split(" ", 3)
            print(f"| printed query, {name} | {float(cpu):.2f} | {float(wall):.2f} | {float(resident):.0f} |")
            cpu_here, wall_here = measured([options.clickaudit, *config, "--measures", folder / "m.parquet", "-o",
                                            f"csv={folder}/there.csv"])
            print(f"| and the rest of the run here | {cpu_here:.2f} | {wall_here:.2f} | |")
            costs.append((name, float(cpu)))
        for name, cpu in costs:
            total = cpu / options.clicks * 1e9
            print(f"\nextrapolated, not measured: a billion clicks on {name}: {total:,.0f} CPU s, {total / 32 / 60:,.0f} minutes on 32 cores")


if __name__ == "__main__":
    main()
