"""Inputs that somebody made to bring a run down: each must end, in the memory that it may take.

Writes every input to a folder, audits it, and prints CPU, wall time and the largest anonymous memory beside the bound;
ends with exit code 1 where a run fails or takes more. See README.md beside this file. Needs Python 3.11; Linux only.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile

import run

CLICKS = "click_id,click_time,traffic_source,source,ip,user_agent,cost\n"
CONVERSIONS = "click_id,conversion_time,event,status,payout,transaction_id\n"


def time_of(i, seconds):
    """A time of the first week of March 2026, of so many rows that fill it."""
    at = i * 7 * 86_400 // seconds
    return f"2026-03-{1 + at // 86_400:02} {at // 3600 % 24:02}:{at // 60 % 60:02}:{at % 60:02}"


def address(i):
    return f"{11 + (i >> 24)}.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"


def repeated(n):
    """One click ID on every row of both sides."""
    return n, n, lambda i: ("same", f"s{i % 100}", address(i % 5_000)), lambda i: "same"


def distinct(n):
    """A source of its own for every click: random texts in a link."""
    return n, 1_000, lambda i: (f"c{i}", f"{i * 2654435761 % 2**32:08x}{i:08x}", address(i)), lambda i: f"c{i * 7}"


def converting(n):
    """A source and a conversion of its own for every click: groups at their dearest."""
    return n, n, distinct(n)[2], lambda i: f"c{i}"


def single(n):
    """One source with all the clicks, from few addresses."""
    return n, n // 50, lambda i: (f"c{i}", "one", address(i % 5_000)), lambda i: f"c{i * 50}"


def addresses(n):
    """An address of its own for every click."""
    return n, n // 50, lambda i: (f"c{i}", f"s{i % 1_000}", address(i)), lambda i: f"c{i * 50}"


INPUTS = {
    "one click ID on both sides": (repeated, 1_000_000, "4GB"),
    "a source for every click": (distinct, 10_000_000, "4GB"),
    "a source and a conversion for every click": (converting, 400_000, "4GB"),
    "the same with a quarter of the memory": (converting, 400_000, "1GB"),
    "one source with all clicks": (single, 5_000_000, "4GB"),
    "an address for every click": (addresses, 5_000_000, "4GB"),
}
BOUND = {"4GB": 3_815, "1GB": 954}
"""What a run may take of each limit, in MiB of anonymous memory."""


def write(folder, clicks, conversions, click, conversion):
    with open(folder / "clicks.csv", "w") as file:
        file.write(CLICKS)
        for i in range(clicks):
            click_id, source, ip = click(i)
            file.write(f"{click_id},{time_of(i, clicks)},net,{source},{ip},Agent/{i % 50},0.01\n")
    with open(folder / "conversions.csv", "w") as file:
        file.write(CONVERSIONS)
        for i in range(conversions):
            file.write(f"{conversion(i)},{time_of(i, conversions)},registration,approved,5,t{i}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=int, default=1, help="divide all sizes by this")
    parser.add_argument("--only", help="the input whose name has this in it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clickaudit", type=pathlib.Path, default=run.HERE.parent / "target/release/clickaudit")
    args = parser.parse_args()
    print("| input | rows | CPU s | wall s | anonymous MiB | may take |\n|---|---:|---:|---:|---:|---:|")
    over = []
    for name, (make, size, limit) in INPUTS.items():
        if args.only and args.only not in name:
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="extremes-"))
        try:
            clicks, conversions, *rows = make(size // args.part)
            write(folder, clicks, conversions, *rows)
            command = [args.clickaudit.resolve(), "audit", "--no-config", folder / "clicks.csv", folder / "conversions.csv",
                       "--threads", args.threads, "--memory-limit", limit, "-q", "-o", f"json={folder / 'report.json'}"]
            measured = run.measured(command, good=(0, 3, 4))
        finally:
            shutil.rmtree(folder)
        if measured is None:
            print(f"| {name} | {clicks:,} + {conversions:,} | out of memory | | | |", flush=True)
            over.append(name)
            continue
        mib = measured["anon"] / run.MIB
        print(f"| {name} | {clicks:,} + {conversions:,} | {measured['cpu']:.1f} | {measured['wall']:.1f} | {mib:.0f} | "
              f"{BOUND[limit]:,} |", flush=True)
        over += [name] if mib > BOUND[limit] else []
    if over:
        sys.exit(f"more than the limit: {', '.join(over)}")


if __name__ == "__main__":
    main()
