"""What the outputs of an audit of 100,000 sources cost beyond the audit itself.

Makes an export of that many sources, audits it without any output and with all text outputs, in turn, and prints CPU
and resident memory of both, the difference, and the size of every output. `--max-cpu 5 --max-mb 500` makes it fail
above that. See README.md beside this file. Needs Python 3.11; Linux only.
"""

import argparse
import pathlib
import random
import shutil
import statistics
import sys
import time

import run

OUTPUTS = {
    "table": "table.txt", "json": "report.json", "ndjson": "report.ndjson", "csv": "groups.csv", "money": "money.csv",
    "brief": "brief.txt", "md": "report.md", "prom": "report.prom", "blocklist:lines": "block/{traffic_source}.txt",
    "profit-list:csv": "cut/{traffic_source}.csv", "scale-list:json": "scale/{traffic_source}.json",
}
NETWORKS, OFFERS = ["popmax", "pushly", "adzone", "nativeco"], 12
COUNTRIES = ["DE", "FR", "IT", "PL", "ES", "BR", "IN", "US"]
START, DAYS = 1_772_323_200, 14
"""One source in so many converts a second after the click."""
FAST = 50


def moment(second):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


def generate(args):
    """Sources by Zipf's law, the smallest with a handful of clicks; one in fifty is faked."""
    clicks, conversions = args.dir / "clicks.csv", args.dir / "conversions.csv"
    if clicks.exists() and conversions.exists():
        return clicks, conversions
    args.dir.mkdir(parents=True, exist_ok=True)
    draw = random.Random(args.seed)
    weight = sum(1 / (at + 20) for at in range(args.sources))
    number = 0
    with open(clicks.with_suffix(".part"), "w") as out, open(conversions.with_suffix(".part"), "w") as paid:
        out.write("click_id,click_time,traffic_source,source,offer,country,ip,user_agent,cost\n")
        paid.write("click_id,conversion_time,event,status,payout\n")
        for source in range(args.sources):
            network, offer = NETWORKS[source % 4], draw.randrange(OFFERS)
            country, rate = draw.choice(COUNTRIES), draw.uniform(0.01, 0.04)
            for _ in range(3 + int((args.clicks - 3 * args.sources) / (source + 20) / weight)):
                number += 1
                at = START + draw.randrange(DAYS * 86_400)
                ip = f"{draw.randrange(11, 99)}.{draw.randrange(256)}.{draw.randrange(256)}.{draw.randrange(256)}"
                out.write(f"c{number:08x}{source:05x},{moment(at)},{network},z{source:06d},o{offer},{country},{ip},"
                          f"agent {draw.randrange(400)},0.0{draw.randrange(1, 9)}\n")
                if draw.random() < rate:
                    delay = 1 if source % FAST == 7 else int(draw.lognormvariate(6, 1.5)) + 5
                    status = draw.choice(["approved", "approved", "approved", "rejected"])
                    paid.write(f"c{number:08x}{source:05x},{moment(at + delay)},sale,{status},{draw.randrange(1, 9)}.50\n")
    for path in (clicks, conversions):
        path.with_suffix(".part").rename(path)
    return clicks, conversions


def command(args, exports, outputs):
    said = [word for name, path in outputs.items() for word in ("-o", f"{name}={args.dir / 'out' / path}")]
    open_brakes = ["--max-source-share", "100%", "--max-click-share", "100%", "--max-spend-share", "100%",
                   "--max-revenue-share", "100%"]
    return [args.clickaudit, "audit", *exports, "-q", "--threads", args.threads, *open_brakes, *said]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=100_000)
    parser.add_argument("--clicks", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dir", type=pathlib.Path, help="where the files are made and kept (target/outputs-SOURCES)")
    parser.add_argument("--clickaudit", type=pathlib.Path, default=run.HERE.parent / "target/release/clickaudit")
    parser.add_argument("--each", action="store_true", help="measure every output by itself, too")
    parser.add_argument("--max-cpu", type=float, help="exit with 1 if all outputs take more CPU seconds")
    parser.add_argument("--max-mb", type=float, help="exit with 1 if they take more resident megabytes")
    args = parser.parse_args()
    args.dir = args.dir or run.HERE.parent / f"target/outputs-{args.sources}"
    exports = generate(args)
    cases = {"no output": {}, "all text outputs": OUTPUTS}
    if args.each:
        cases |= {name: {name: path} for name, path in OUTPUTS.items()}
    runs = {name: [] for name in cases}
    for _ in range(args.rounds):
        for name, outputs in cases.items():
            shutil.rmtree(args.dir / "out", ignore_errors=True)
            (args.dir / "out").mkdir()
            runs[name].append(run.measured(command(args, exports, outputs)))
            if outputs == OUTPUTS:
                files = [path for path in (args.dir / "out").rglob("*") if path.is_file()]
                sizes = {str(path.relative_to(args.dir / "out")): path.stat().st_size for path in files}
    median = {name: {key: statistics.median(r[key] for r in of) for key in of[0]} for name, of in runs.items()}
    base = median["no output"]
    print("| outputs | CPU s | wall s | resident MB | CPU s beyond | resident MB beyond |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, of in median.items():
        beyond = of["cpu"] - base["cpu"], (of["rss"] - base["rss"]) / 1e6
        print(f"| {name} | {of['cpu']:.2f} | {of['wall']:.2f} | {of['rss'] / 1e6:.0f} | {beyond[0]:.2f} | {beyond[1]:.0f} |")
    print(f"\n{sum(sizes.values()) / 1e6:.0f} MB: " + ", ".join(
        f"{name} {size / 1e6:.1f}" for name, size in sorted(sizes.items(), key=lambda s: -s[1])[:6]))
    whole = median["all text outputs"]
    cpu, rss = whole["cpu"] - base["cpu"], (whole["rss"] - base["rss"]) / 1e6
    for what, found, most in (("CPU seconds", cpu, args.max_cpu), ("resident megabytes", rss, args.max_mb)):
        if most is not None and found > most:
            sys.exit(f"all text outputs take {found:.1f} {what} beyond the audit, more than {most}")


if __name__ == "__main__":
    main()
