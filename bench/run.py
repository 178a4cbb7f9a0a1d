"""Runs `clickaudit audit` and DuckDB in turn on the same files, compares their numbers, prints a table.

See README.md beside this file. Needs Python 3.11 and `pip install duckdb`; Linux only, for /proc.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE_EVERY_S = 0.05
MIB = 1024 * 1024

CLICKS = {
    "click_id": "VARCHAR", "click_time": "TIMESTAMP", "traffic_source": "VARCHAR", "source": "VARCHAR",
    "sub_source": "VARCHAR", "campaign": "VARCHAR", "offer": "VARCHAR", "lander_click_time": "TIMESTAMP",
    "country": "VARCHAR", "device": "VARCHAR", "os": "VARCHAR", "browser": "VARCHAR", "ip": "VARCHAR",
    "user_agent": "VARCHAR", "cost": "DOUBLE", "currency": "VARCHAR",
}
CONVERSIONS = {
    "conversion_id": "VARCHAR", "transaction_id": "VARCHAR", "click_id": "VARCHAR", "event": "VARCHAR",
    "conversion_time": "TIMESTAMP", "status": "VARCHAR", "status_time": "TIMESTAMP", "payout": "DOUBLE",
    "currency": "VARCHAR", "click_time": "TIMESTAMP", "traffic_source": "VARCHAR", "source": "VARCHAR",
    "campaign": "VARCHAR", "ip": "VARCHAR", "country": "VARCHAR",
}


def scan(path, columns):
    """The FROM item that reads a file with declared types, never inferred ones."""
    if path.suffix == ".parquet":
        return f"read_parquet('{path}')"
    return f"read_csv('{path}', header = true, quote = '\"', auto_detect = false, columns = {columns})"


# --- files -----------------------------------------------------------------------------------------------------


def generate(args):
    """Writes the CSV files with the project's generator and converts them to typed Parquet, unless it is done."""
    args.dir.mkdir(parents=True, exist_ok=True)
    if not (args.dir / "clicks.csv").exists():
        run_checked([args.clickaudit, "simulate", "--clicks", str(args.clicks), "--conversions",
                     str(args.conversions), "--seed", str(args.seed), str(args.dir)])
    import duckdb
    for name, columns in (("clicks", CLICKS), ("conversions", CONVERSIONS)):
        parquet = args.dir / f"{name}.parquet"
        if not parquet.exists():
            part = parquet.with_suffix(".part")
            duckdb.sql(f"COPY (FROM {scan(args.dir / f'{name}.csv', columns)}) TO '{part}' (FORMAT parquet, COMPRESSION zstd)")
            part.rename(parquet)


def run_checked(command):
    done = subprocess.run(command)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with exit code {done.returncode}")


# --- one run ---------------------------------------------------------------------------------------------------


def duckdb_child(clicks, conversions, out, threads):
    """Computes the measures in this process; the parent measures it."""
    import duckdb
    # Without the threshold DuckDB stops midway to compress the tables it holds in memory: four CPU seconds for nothing.
    db = duckdb.connect(":memory:", config={"threads": threads, "checkpoint_threshold": "1TB"})
    db.sql(f"""CREATE TABLE clicks AS SELECT click_id, click_time, traffic_source, source, offer, country, device, ip,
               lander_click_time, CAST(round(cost * 1e6) AS BIGINT) AS cost_micro FROM {scan(clicks, CLICKS)}""")
    db.sql(f"""CREATE TABLE conversions AS SELECT conversion_id, transaction_id, click_id, event, conversion_time,
               status, status_time, CAST(round(payout * 1e6) AS BIGINT) AS payout_micro, click_time, traffic_source,
               source, ip FROM {scan(conversions, CONVERSIONS)}""")
    db.execute((HERE / "measures.sql").read_text())
    rows = db.sql("FROM compared")
    with open(out, "w") as file:
        json.dump([dict(zip(rows.columns, map(plain, row))) for row in rows.fetchall()], file)


def plain(value):
    return value if value is None or isinstance(value, str) else value if isinstance(value, float) else int(value)


def command(tool, args, fmt, out):
    clicks, conversions = args.dir / f"clicks.{fmt}", args.dir / f"conversions.{fmt}"
    if tool == "duckdb":
        return [sys.executable, __file__, "--child", clicks, conversions, out, "--threads", str(args.threads)]
    return [args.clickaudit, "audit", clicks, conversions, "--threads", str(args.threads), "-q", "-o", f"json={out}"]


def measured(command):
    """Runs a command; CPU and wall seconds, peak anonymous and peak resident memory in bytes."""
    started = time.monotonic()
    child = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE)
    peak, over = [0], threading.Event()
    sampler = threading.Thread(target=watch, args=(child.pid, peak, over))
    reader_text = []
    reader = threading.Thread(target=lambda: reader_text.append(child.stderr.read()))
    sampler.start(), reader.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    over.set(), sampler.join(), reader.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{reader_text[0].decode()}")
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "anon": peak[0], "rss": usage.ru_maxrss * 1024}


def watch(pid, peak, over):
    """Keeps the largest RssAnon seen. Mapped files can be dropped at any time and do not count."""
    while not over.is_set():
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        for line in text.splitlines():
            if line.startswith("RssAnon:"):
                peak[0] = max(peak[0], int(line.split()[1]) * 1024)
        over.wait(SAMPLE_EVERY_S)


# --- comparison ------------------------------------------------------------------------------------------------


def from_audit(path):
    """The compared numbers by (traffic source, source) from the JSON report."""
    found = {}
    for group in json.loads(path.read_text())["sources"]:
        key = (group["key"]["traffic_source"], group["key"]["source"])
        signals = group["signals"]
        found[key] = {
            "clicks": count(signals, "click_count"),
            "conversions": count(signals, "conversion_count"),
            "cost": float(value(signals, "cost") or 0),
            "distinct_ips": part(signals, "distinct_ip_share"),
            "top_ip_clicks": part(signals, "top_ip_share"),
            "ctit_count": signals.get("ctit_short_share", {}).get("n", 0),
            "ctit_p50_s": value(signals, "ctit_p50_s"),
        }
    return found


def value(signals, name):
    return signals.get(name, {}).get("value")


def count(signals, name):
    return int(float(value(signals, name) or 0))


def part(signals, name):
    """The numerator of a share."""
    signal = signals.get(name, {})
    return None if signal.get("value") is None else round(float(signal["value"]) * signal["n"])


def from_duckdb(path):
    found = {}
    for row in json.loads(path.read_text()):
        key = (row.pop("traffic_source"), row.pop("source"))
        row["cost"] = row.pop("cost_micro") / 1e6
        found[key] = row
    return found


def same(name, ours, theirs):
    if ours is None or theirs is None:
        return ours is None and theirs is None
    if name == "cost":   # the report writes two decimals
        return abs(ours - theirs) < 0.0051
    if name == "ctit_p50_s":   # both interpolate between whole seconds
        return abs(ours - theirs) < 1e-6
    return ours == theirs


def compare(ours, theirs):
    """Every difference, as sentences."""
    faults = [f"{key}: only one of the two has it" for key in sorted(ours.keys() ^ theirs.keys(), key=str)]
    for key in sorted(ours.keys() & theirs.keys()):
        for name in theirs[key]:
            a, b = ours[key][name], theirs[key][name]
            if name == "ctit_p50_s" and a is None and theirs[key]["ctit_count"] < 6:
                continue   # too few for a median with limits
            if not same(name, a, b):
                faults.append(f"{key} {name}: clickaudit {a}, DuckDB {b}")
    return faults


# --- all -------------------------------------------------------------------------------------------------------


def bench(args, fmt):
    """All rounds on one format, the tools in turn; their measurements."""
    tools = ["duckdb"] if args.only_duckdb else ["clickaudit", "duckdb"]
    runs = {tool: [] for tool in tools}
    for number in range(args.rounds):
        for tool in tools if number % 2 == 0 else tools[::-1]:
            out = args.dir / f"{tool}-{fmt}.json"
            runs[tool].append(measured(command(tool, args, fmt, out)))
            print(f"{fmt} round {number + 1}: {tool} {runs[tool][-1]['wall']:.2f} s", file=sys.stderr)
    if not args.only_duckdb:
        faults = compare(from_audit(args.dir / f"clickaudit-{fmt}.json"), from_duckdb(args.dir / f"duckdb-{fmt}.json"))
        if faults:
            sys.exit("\n".join(faults[:20]) + f"\n{len(faults)} differences on {fmt}")
    return runs


def row(fmt, tool, runs):
    median = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    cells = f"{median['cpu']:.2f} | {median['wall']:.2f} | {median['anon'] / MIB:.0f} | {median['rss'] / MIB:.0f}"
    return median, f"| {fmt} | {tool} | {cells} |"


def table(results):
    lines = ["| input | tool | CPU s | wall s | anonymous MiB | resident MiB |", "|---|---|---:|---:|---:|---:|"]
    for fmt, runs in results.items():
        medians = {}
        for tool in runs:
            medians[tool], line = row(fmt, tool, runs[tool])
            lines.append(line)
        if len(medians) == 2:
            ratios = [medians["clickaudit"][n] / medians["duckdb"][n] for n in ("cpu", "wall", "anon", "rss")]
            lines.append(f"| {fmt} | ratio | " + " | ".join(f"{r:.2f}" for r in ratios) + " |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=5_000_000)
    parser.add_argument("--conversions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--formats", default="parquet,csv")
    parser.add_argument("--dir", type=pathlib.Path, help="where the files are made and kept (target/bench-CLICKS)")
    parser.add_argument("--clickaudit", type=pathlib.Path, default=HERE.parent / "target/release/clickaudit")
    parser.add_argument("--only-duckdb", action="store_true", help="leave out clickaudit and the comparison")
    parser.add_argument("--child", nargs=3, type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.clickaudit = args.clickaudit.resolve()
    args.dir = args.dir or HERE.parent / f"target/bench-{args.clicks}-{args.conversions}-{args.seed}"
    return args


def main():
    args = arguments()
    if args.child:
        return duckdb_child(*args.child, args.threads)
    generate(args)
    print(table({fmt: bench(args, fmt) for fmt in args.formats.split(",")}))


if __name__ == "__main__":
    main()
