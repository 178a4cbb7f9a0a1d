"""What a night costs: the run that adds one day to a window in a store, beside an audit of that day alone.

Prints CPU, wall time and memory of both and of a second run over a store that knows all files, the ratios, and the
size of the store beside the gzipped exports. See README.md beside this file. Needs Python 3.11; Linux only.
"""

import argparse
import csv
import gzip
import json
import pathlib
import shutil
import statistics
import subprocess

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
            args.threads, "-q", "-o", f"json={args.dir / 'report.json'}", *more]


def median(runs, what):
    return statistics.median(run[what] for run in runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks-a-day", type=int, default=500_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--sources", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
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
        runs["one day"].append(run.measured(audit(args, *last)))
        runs["night"].append(run.measured(audit(args, *last, *window)))
        runs["again"].append(run.measured(audit(args, *last, *window)))
    print(f"{args.clicks_a_day} clicks a day, a window of {args.days} days, medians of {args.rounds}, {args.threads} threads")
    for name, measured in runs.items():
        ratio = median(measured, "cpu") / median(runs["one day"], "cpu")
        print(f"{name:8} CPU {median(measured, 'cpu'):7.2f} s  wall {median(measured, 'wall'):7.2f} s  "
              f"memory {median(measured, 'anon') / run.MIB:6.0f} MiB  {ratio:5.2f} x one day")
    told = subprocess.run([args.clickaudit, "store", "status", "--store", store, "--format", "json"],
                          capture_output=True, check=True)
    sides = json.loads(told.stdout)["sides"].values()
    total = lambda key: sum(side[key] for side in sides)
    exports, rows, index = total("export_bytes"), total("bytes"), total("index_bytes")
    print(f"exports {exports / run.MIB:.1f} MiB gzipped, store {(rows + index) / run.MIB:.1f} MiB "
          f"({(rows + index) / exports:.2f} x), of which the index {index / run.MIB:.1f} MiB")


if __name__ == "__main__":
    main()
