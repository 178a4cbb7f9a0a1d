"""What a night costs: the run that adds one day to a window in a store, beside an audit of that day alone.

Prints CPU, wall time and memory of both and of a second run over a store that knows all files, what of the night adds up
over days and what must be exact over the window, the ratios, and the size of the store beside the gzipped exports. See README.md beside this file. Needs Python 3.11; Linux only.
"""

import argparse
import csv
import gzip
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

import run


def generate(args):
    """Writes a mix of so many days, cut into one gzipped export of each side a day, unless it is there."""
    if (args.dir / "whole").exists():
        return sorted(p.name[len("clicks-"):-len(".csv.gz")] for p in args.dir.glob("clicks-*.csv.gz"))
    made = args.dir / "mix"
    shutil.rmtree(args.dir, ignore_errors=True)
    args.dir.mkdir(parents=True)
    run.run_checked([args.clickaudit, "simulate", "--mix", "reference", "--sources", str(args.sources), "--days",
                     str(args.days + 1), "--clicks", str(args.clicks_a_day * (args.days + 1)), "--seed",
                     str(args.seed), str(made)])
    days = set()
    for side, column in (("clicks", "click_time"), ("conversions", "conversion_time")):
        files = {}
        with open(made / f"{side}.csv", newline="") as file:
            rows = csv.reader(file)
            header = next(rows)
            at = header.index(column)
            for row in rows:
                day = row[at][:10]
                if day not in files:
                    files[day] = gzip.open(args.dir / f"{side}-{day}.csv.gz", "wt", newline="", compresslevel=6)
                    csv.writer(files[day]).writerow(header)
                csv.writer(files[day]).writerow(row)
        for file in files.values():
            file.close()
        days = days & set(files) if days else set(files)
    shutil.rmtree(made)
    (args.dir / "whole").touch()
    return sorted(days)


def audit(args, clicks, conversions, *more):
    return [args.clickaudit, "audit", "--no-config", "--clicks", clicks, "--conversions", conversions, "--threads",
            args.threads, "-q", "--timings=json", "-o", f"json={args.dir / 'report.json'}", *more]


def median(runs, what):
    return statistics.median(run[what] for run in runs)


def timed(command):
    """A run's measures, and the CPU seconds of each kind of cost and of each stage and step."""
    found = run.measured(command)
    line = next(line for line in found["said"].splitlines() if line.startswith('{"timings"'))
    told = json.loads(line)
    found |= {kind: spent["cpu_s"] for kind, spent in told["totals"].items()}
    for lap in told["timings"]:
        found[lap["stage"]] = lap["cpu_s"]
        found |= {f"{lap['stage']}/{step['step']}": step["cpu_s"] for step in lap["steps"]}
    return found


def explained(runs):
    """Where the CPU of a run goes, in one line."""
    parts = [name for name in runs[0] if name.startswith("measures/") or name in STAGES]
    return ", ".join(f"{name.removeprefix('measures/')} {median(runs, name):.2f}" for name in parts)


STAGES = ("ingest", "clean", "matching", "peers", "rules", "report", "outputs")
KINDS = {"adds_up": "what adds up over days", "over_window": "what must be exact over the window",
         "judging": "what is made of the groups"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks-a-day", type=int, default=500_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--sources", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-ratio", type=float, default=float("inf"),
                        help="fail if what adds up over days costs more than so many times the day alone")
    parser.add_argument("--dir", type=pathlib.Path, help="where the files are made and kept (target/nightly-…)")
    parser.add_argument("--clickaudit", type=pathlib.Path, default=run.HERE.parent / "target/release/clickaudit")
    args = parser.parse_args()
    args.clickaudit = args.clickaudit.resolve()
    args.dir = args.dir or run.HERE.parent / f"target/nightly-{args.clicks_a_day}-{args.days}-{args.seed}"
    days = generate(args)[:args.days + 1]
    store, before = args.dir / "store", args.dir / "before"
    window = ("--no-history", "--store", store, "--window", f"{args.days}d", "--accept", "volume")
    side = lambda name, day: args.dir / f"{name}-{day}.csv.gz"
    if not before.exists():
        shutil.rmtree(store, ignore_errors=True)
        for day in days[:-1]:
            run.measured(audit(args, side("clicks", day), side("conversions", day), *window))
        store.rename(before)
    last = (side("clicks", days[-1]), side("conversions", days[-1]))
    runs = {"one day": [], "night": [], "again": []}
    for _ in range(args.rounds):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(before, store)
        runs["one day"].append(timed(audit(args, *last)))
        runs["night"].append(timed(audit(args, *last, *window)))
        runs["again"].append(timed(audit(args, *last, *window)))
    print(f"{args.clicks_a_day} clicks a day, a window of {args.days} days, medians of {args.rounds}, {args.threads} threads")
    for name, measured in runs.items():
        ratio = median(measured, "cpu") / median(runs["one day"], "cpu")
        print(f"{name:8} CPU {median(measured, 'cpu'):7.2f} s  wall {median(measured, 'wall'):7.2f} s  "
              f"memory {median(measured, 'anon') / run.MIB:6.0f} MiB  {ratio:5.2f} x one day")
    day = median(runs["one day"], "cpu")
    for kind, words in KINDS.items():
        cost = median(runs["night"], kind)
        print(f"the night, {words}: CPU {cost:.2f} s, {cost / day:.2f} x one day")
    print(f"the night, by stage and step: {explained(runs['night'])}")
    told = subprocess.run([args.clickaudit, "store", "status", "--store", store, "--format", "json"],
                          capture_output=True, check=True)
    sides = json.loads(told.stdout)["sides"].values()
    total = lambda key: sum(side[key] for side in sides)
    exports, rows = total("export_bytes"), total("bytes")
    index, measures = total("index_bytes"), total("measured_bytes")
    store = rows + index + measures
    print(f"exports {exports / run.MIB:.1f} MiB gzipped, store {store / run.MIB:.1f} MiB ({store / exports:.2f} x), of which "
          f"the index {index / run.MIB:.1f} MiB and what was counted {measures / run.MIB:.1f} MiB")
    ratio = median(runs["night"], "adds_up") / day
    if ratio > args.max_ratio:
        sys.exit(f"what adds up over days costs {ratio:.2f} times the day alone, more than {args.max_ratio}")


if __name__ == "__main__":
    main()
