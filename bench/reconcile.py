#!/usr/bin/env python3
"""Makes two statements of N conversions each and measures `clickaudit reconcile` on them.

The statements differ in one row of a hundred, in every way that matters; what the program says is compared with what
was made. Prints processor time (user and system) and the largest resident memory of the process.

    cargo build --release
    python bench/reconcile.py                     # 5,000,000 rows on either side
    python bench/reconcile.py --rows 200000 --clickaudit target/debug/clickaudit
"""

import argparse
import json
import os
import pathlib
import sys
import time

DAY = 86_400
DAYS = 28
EPOCH = 1_772_323_200  # 2026-03-01T00:00:00Z


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of each statement")
    parser.add_argument("--clickaudit", default="target/release/clickaudit", help="the program")
    parser.add_argument("--dir", default="target/reconcile-bench", help="folder of the statements")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-cpu-s", type=float, help="fail above so many seconds of processor time")
    parser.add_argument("--max-rss-mib", type=float, help="fail above so much resident memory")
    return parser.parse_args()


def stamp(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(EPOCH + second))


def make(folder: pathlib.Path, rows: int) -> dict[str, tuple[int, int]]:
    """Writes the statements and says how many rows of either side are in each class."""
    ours, theirs = folder / f"ours-{rows}.csv", folder / f"theirs-{rows}.csv"
    counts = {name: [0, 0] for name in ("equal", "missing", "status_differs", "payout_differs", "doubled")}
    header = "transaction_id,click_id,event,conversion_time,status,payout,currency,network,offer,traffic_source,source,country\n"
    fresh = not (ours.exists() and theirs.exists())
    one = ours.open("w") if fresh else open(os.devnull, "w")
    other = theirs.open("w") if fresh else open(os.devnull, "w")
    with one, other:
        one.write(header)
        other.write(header)
        step = DAYS * DAY / rows
        for n in range(rows):
            second = int(n * step)
            deposit = n % 3 == 0
            event, payout = ("first_deposit", "50.00") if deposit else ("registration", "3.00")
            key = (n * 2_654_435_761) & 0xFFFFFFFFFF
            tail = f"USD,net{n % 7},offer{n % 40},ts{n % 5},z{n * 31 % 5_000},{('DE', 'BR', 'IN', 'US')[n % 4]}\n"
            first = f"T{n:09},{key:020x},{event},"
            one.write(f"{first}{stamp(second)},approved,{payout},{tail}")
            kind = n % 400
            status, paid, times = "approved", payout, 1
            if kind == 100:
                counts["missing"][0] += 1
                continue
            if kind == 200:
                status = "rejected"
                name = "status_differs"
            elif kind == 300:
                paid = "2.00" if not deposit else "45.00"
                name = "payout_differs"
            elif kind == 399:
                times = 2
                counts["doubled"][1] += 1
                name = "equal"
            else:
                name = "equal"
            counts[name][0] += 1
            counts[name][1] += 1
            line = f"{first}{stamp(second + n % 20)},{status},{paid},{tail}"
            other.write(line * times)
    return {name: tuple(both) for name, both in counts.items()}


def measure(program: list[str]) -> tuple[int, float, float, float]:
    """Exit status, processor seconds, wall seconds, MiB resident."""
    began = time.monotonic()
    child = os.posix_spawn(program[0], program, os.environ)
    _, status, usage = os.wait4(child, 0)
    wall = time.monotonic() - began
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def main() -> int:
    options = arguments()
    folder = pathlib.Path(options.dir)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = make(folder, options.rows)
    report = folder / "report.json"
    ours, theirs = (folder / f"{side}-{options.rows}.csv" for side in ("ours", "theirs"))
    command = [options.clickaudit, "reconcile", str(ours), str(theirs), "-q", "--threads", str(options.threads)]
    code, cpu, wall, rss = measure([*command, "-o", f"json={report}"])
    if code != 0:
        print(f"clickaudit ended with {code}")
        return 1
    classes = {c["class"]: (c["ours"], c["theirs"]) for c in json.loads(report.read_text())["classes"]}
    wrong = {name: (classes[name], both) for name, both in wanted.items() if classes[name] != both}
    print(f"{options.rows:,} rows on either side: {cpu:.1f} s of processor time, {wall:.1f} s, {rss:,.0f} MiB resident")
    for name, (found, made) in wrong.items():
        print(f"{name}: {found} found, {made} made")
    slow = options.max_cpu_s is not None and cpu > options.max_cpu_s
    large = options.max_rss_mib is not None and rss > options.max_rss_mib
    return 1 if wrong or slow or large else 0


if __name__ == "__main__":
    sys.exit(main())
