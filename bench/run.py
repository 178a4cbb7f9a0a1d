"""Runs `clickaudit audit` and DuckDB in turn on the same files, compares their numbers, prints a table.

See README.md beside this file. Needs Python 3.11 and `pip install duckdb`; Linux only, for /proc.
"""

import argparse
import dataclasses
import gzip
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

import contenders
from contenders import CLICKS, scan  # reading.py uses them

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE_EVERY_S = 0.05
MIB = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Tool:
    """One contender, or a limit that no tool can be faster than."""
    formats: tuple
    most_clicks: int = 10**12
    compute: object = None   # the function of contenders.py, in a Python process of its own
    limit: bool = False      # reads and computes nothing


ALL = ("parquet", "csv", "csv.gz")
TOOLS = {
    "clickaudit": Tool(ALL),
    "duckdb": Tool(ALL, compute=contenders.with_duckdb),
    "polars": Tool(ALL, compute=contenders.with_polars),
    "pandas": Tool(ALL, most_clicks=1_000_000, compute=contenders.with_pandas),
    "read": Tool(ALL, limit=True),
    "unpack": Tool(("csv.gz",), limit=True),
    "csv crate": Tool(("csv",), limit=True),
}


# --- files -----------------------------------------------------------------------------------------------------


def generate(args):
    """Makes the files of every format that is asked for with the project's generator, unless they are there."""
    args.dir.mkdir(parents=True, exist_ok=True)
    make = [args.clickaudit, "simulate", "--clicks", str(args.clicks), "--conversions", str(args.conversions),
            "--seed", str(args.seed)]
    for fmt in args.formats:
        if (args.dir / f"conversions.{fmt}").exists():
            continue
        if fmt == "parquet":
            part = args.dir / "part"
            run_checked([*make, "--format", "parquet", part])
            for name in ("clicks", "conversions"):
                (part / f"{name}.parquet").rename(args.dir / f"{name}.parquet")
            shutil.rmtree(part)
        elif fmt == "csv" or not (args.dir / "conversions.csv").exists():
            run_checked([*make, args.dir])
        if fmt == "csv.gz":
            pack(args.dir / "clicks.csv"), pack(args.dir / "conversions.csv")


def pack(path):
    """The file as gzip packs it by itself."""
    part = path.with_suffix(".part")
    with open(path, "rb") as plain, gzip.open(part, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, MIB)
    part.rename(path.with_suffix(".csv.gz"))


def run_checked(command):
    done = subprocess.run(command)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with exit code {done.returncode}")


# --- one run ---------------------------------------------------------------------------------------------------


def child(tool, clicks, conversions, out, threads):
    """Computes the measures in this process; the parent measures it."""
    rows = TOOLS[tool].compute(clicks, conversions, threads)
    out.write_text(json.dumps(rows))


def command(tool, args, fmt, out):
    clicks, conversions = args.dir / f"clicks.{fmt}", args.dir / f"conversions.{fmt}"
    if TOOLS[tool].compute:
        return [sys.executable, __file__, "--child", tool, clicks, conversions, out, "--threads", args.threads]
    return {
        "clickaudit": [args.clickaudit, "audit", clicks, conversions, "--accept", "export-limit", "--threads", args.threads, "-q", "-o", f"json={out}"],
        "read": ["dd", f"if={clicks}", "of=/dev/null", "bs=1M", "status=none"],
        "unpack": ["sh", "-c", 'gzip -dc "$0" > /dev/null', clicks],
        "csv crate": [args.csv_rows, clicks],
    }[tool]


OUT_OF_MEMORY = ("Out of Memory", "out of memory", "MemoryError", "memory allocation of")


def measured(command, good=(0,)):
    """Runs a command that ends with a good exit code; CPU and wall seconds, peak anonymous and peak resident memory in
    bytes; None if it ran out of memory."""
    started = time.monotonic()
    child = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE)
    peak, over = {"RssAnon": 0, "VmHWM": 0}, threading.Event()
    sampler = threading.Thread(target=watch, args=(child.pid, peak, over))
    reader_text = []
    reader = threading.Thread(target=lambda: reader_text.append(child.stderr.read()))
    sampler.start(), reader.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    over.set(), sampler.join(), reader.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    said = reader_text[0].decode()
    if child.returncode == -9 or child.returncode and any(words in said for words in OUT_OF_MEMORY):
        return None
    if child.returncode not in good:
        sys.exit(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{said}")
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "anon": peak["RssAnon"], "rss": peak["VmHWM"],
            "said": said}


def watch(pid, peak, over):
    """Keeps the largest values seen. Mapped files can be dropped at any time and are not in RssAnon. What wait4 tells
    of resident memory begins with the parent's, so that it is not used."""
    while not over.is_set():
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        for line in text.splitlines():
            name, _, value = line.partition(":")
            if name in peak:
                peak[name] = max(peak[name], int(value.split()[0]) * 1024)
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
            "mature_clicks": count(signals, "mature_click_count"),
            "lander_clicks": part(signals, "lander_click_share"),
            "weekend_clicks": part(signals, "weekend_click_share"),
            "distinct_ips": part(signals, "distinct_ip_share"),
            "top_ip_clicks": part(signals, "top_ip_share"),
            "top_network_clicks": part(signals, "top_network_share"),
            "crowd_networks": count(signals, "crowd_network_count"),
            "crowd_clicks": part(signals, "crowd_click_share"),
            "distinct_agents": part(signals, "distinct_agent_share"),
            "distinct_visitors": part(signals, "distinct_visitor_share"),
            "repeats": part(signals, "repeat_60s_share"),
            "busiest_five_minutes": count(signals, "busiest_five_minute_count"),
            "macros": part(signals, "unexpanded_macro_share"),
            "reused": part(signals, "reused_click_id_share"),
            "burst_clicks": part(signals, "burst_click_share"),
            "orphans": part(signals, "orphan_share") or 0,
            "before_click": part(signals, "before_click_share") or 0,
            "replays": part(signals, "repeated_transaction_share") or 0,
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


def from_rows(path):
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


def compare(ours, theirs, tool):
    """Every difference, as sentences."""
    faults = [f"{key}: only one of clickaudit and {tool} has it" for key in sorted(ours.keys() ^ theirs.keys(), key=str)]
    for key in sorted(ours.keys() & theirs.keys()):
        for name in theirs[key]:
            a, b = ours[key][name], theirs[key][name]
            if name == "ctit_p50_s" and a is None and theirs[key]["ctit_count"] < 6:
                continue   # too few for a median with limits
            if not same(name, a, b):
                faults.append(f"{key} {name}: clickaudit {a}, {tool} {b}")
    return faults


# --- all -------------------------------------------------------------------------------------------------------


def bench(args, fmt):
    """All rounds on one format, the tools in turn; their measurements."""
    tools = [tool for tool in args.tools if fmt in TOOLS[tool].formats and args.clicks <= TOOLS[tool].most_clicks]
    runs = {tool: [] for tool in tools}
    for number in range(args.rounds):
        for tool in tools if number % 2 == 0 else tools[::-1]:
            if None in runs[tool]:
                continue
            runs[tool].append(measured(command(tool, args, fmt, args.dir / f"{tool}-{fmt}.json")))
            print(f"{args.clicks} {fmt} round {number + 1}: {tool} {told(runs[tool][-1])}", file=sys.stderr)
    if "clickaudit" in tools:
        ours = from_audit(args.dir / f"clickaudit-{fmt}.json")
        for tool in [tool for tool in tools if TOOLS[tool].compute and None not in runs[tool]]:
            faults = compare(ours, from_rows(args.dir / f"{tool}-{fmt}.json"), tool)
            if faults:
                sys.exit("\n".join(faults[:20]) + f"\n{len(faults)} differences on {fmt}")
    return runs


def told(run):
    return f"{run['wall']:.2f} s" if run else "out of memory"


NUMBERS = ("cpu", "wall", "anon", "rss")
"""What is measured, and how many of its units are printed as one."""
UNITS = {"cpu": 1, "wall": 1, "anon": MIB, "rss": MIB}


def medians(runs):
    return {name: statistics.median(run[name] for run in runs) for name in NUMBERS}


def cells(numbers):
    return " | ".join(f"{numbers[name] / UNITS[name]:.{0 if UNITS[name] > 1 else 2}f}" for name in NUMBERS)


def table(clicks, results):
    """One line for each tool, and its ratio to the best rival where it is ours."""
    head = "| clicks | input | tool | CPU s | wall s | anonymous MiB | resident MiB |"
    lines = [head, "|---:|---|---|---:|---:|---:|---:|"]
    for fmt, runs in results.items():
        of = {tool: medians(runs[tool]) for tool in runs if None not in runs[tool]}
        for tool in runs:
            name = f"*{tool}*" if TOOLS[tool].limit else tool
            told = cells(of[tool]) if tool in of else "out of memory | | | "
            lines.append(f"| {clicks:,} | {fmt} | {name} | {told} |")
        for rival in [tool for tool in of if TOOLS[tool].compute and "clickaudit" in of]:
            ratios = " | ".join(f"{of['clickaudit'][n] / of[rival][n]:.2f}" for n in NUMBERS)
            lines.append(f"| {clicks:,} | {fmt} | clickaudit / {rival} | {ratios} |")
    return "\n".join(lines)


def growth(sizes):
    """What a million clicks cost clickaudit at each size."""
    lines = ["| clicks | input | CPU s per million | anonymous MiB per million |", "|---:|---|---:|---:|"]
    for clicks, results in sizes.items():
        for fmt, runs in results.items():
            if "clickaudit" in runs and None not in runs["clickaudit"]:
                of = medians(runs["clickaudit"])
                million = clicks / 1e6
                lines.append(f"| {clicks:,} | {fmt} | {of['cpu'] / million:.2f} | {of['anon'] / MIB / million:.0f} |")
    return "\n".join(lines)


def names(known):
    def read(text):
        unknown = [name for name in text.split(",") if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: use some of {', '.join(known)}")
        return text.split(",")
    return read


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=lambda text: [int(n) for n in text.split(",")], default=[5_000_000],
                        metavar="N,N", help="sizes (5000000)")
    parser.add_argument("--conversions", type=int, help="conversions of each size (one for 50 clicks)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--formats", type=names(ALL), default=["parquet", "csv"], metavar="NAME,NAME", help=", ".join(ALL))
    parser.add_argument("--tools", type=names(TOOLS), default=["clickaudit", "duckdb"], metavar="NAME,NAME",
                        help=", ".join(TOOLS))
    parser.add_argument("--dir", type=pathlib.Path, help="where the files are made and kept (target/bench)")
    parser.add_argument("--clickaudit", type=pathlib.Path, default=HERE.parent / "target/release/clickaudit")
    parser.add_argument("--csv-rows", type=pathlib.Path, default=HERE.parent / "target/release/examples/csv_rows",
                        help="the program of the `csv crate` limit: cargo build --release --example csv_rows")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.clickaudit = args.clickaudit.resolve()
    return args


def of_size(args, clicks):
    """The arguments for one size: its conversions and its folder."""
    conversions = args.conversions or clicks // 50
    folder = (args.dir or HERE.parent / "target/bench") / f"{clicks}-{conversions}-{args.seed}"
    return argparse.Namespace(**vars(args) | {"clicks": clicks, "conversions": conversions, "dir": folder})


def main():
    args = arguments()
    if args.child:
        tool, *paths = args.child
        return child(tool, *map(pathlib.Path, paths), args.threads)
    sizes = {}
    for clicks in args.clicks:
        one = of_size(args, clicks)
        generate(one)
        sizes[clicks] = {fmt: bench(one, fmt) for fmt in args.formats}
        print(table(clicks, sizes[clicks]), flush=True)
    if len(sizes) > 1:
        print(growth(sizes))


if __name__ == "__main__":
    main()
