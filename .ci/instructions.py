"""Counts the instructions of the hot paths with callgrind and holds them against `instructions.json`.

    python3 .ci/instructions.py CLICKAUDIT [--write]

Counts do not depend on how busy a machine is. They are those of an unoptimised build, so they tell that a path does
more work than before, not how long it takes; bench/ measures that. Exit code 1 where a path takes a tenth more than
what is written down. `--write` writes down what is counted: do it in the commit that says why.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

EXPECTED = pathlib.Path(__file__).with_name("instructions.json")
MOST = 1.10
"""What is counted: a function with all that it calls, on one thread."""
PATHS = {
    "read text": "clickaudit::ingest::text::read",
    "type Parquet": "clickaudit::ingest::parquet::validate",
    "find repeated clicks": "clickaudit::clean::clicks::duplicates",
    "match": "clickaudit::matching::matching",
    "measure": "clickaudit::measures::measure",
    "add up clicks": "clickaudit::measures::accumulate::Accumulator::add",
    "count the log of clicks": "clickaudit::measures::hits::Counter::groups",
    "compare with peers": "clickaudit::peers::profile::profiles",
    "load the rules": "clickaudit::cli::audit::asked_rules",
    "judge": "clickaudit::audit::judging::judged",
}
TRAFFIC = ["--clicks", "5000", "--conversions", "500", "--seed", "1"]


def counted(clickaudit, folder, form):
    """Instructions by function, all that it calls included, of one audit."""
    traffic, out = folder / form, folder / f"{form}.out"
    subprocess.run([clickaudit, "simulate", *TRAFFIC, "--format", form, traffic], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}", clickaudit, "audit",
                    traffic / f"clicks.{form}", traffic / f"conversions.{form}", "--threads", "1", "--no-config", "-q"],
                   check=True, stdout=subprocess.DEVNULL)
    told = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out], check=True,
                          capture_output=True, text=True).stdout
    line = re.compile(r"^\s*([\d,]+) .*?:(clickaudit::[^ ]+) \[")
    found = {}
    for count, name in (m.groups() for m in map(line.match, told.splitlines()) if m):
        found[name] = max(found.get(name, 0), int(count.replace(",", "")))
    return found


def main():
    clickaudit = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for form in ("csv", "parquet"):
            for name, count in counted(clickaudit, pathlib.Path(folder), form).items():
                found.setdefault(name, count)
    counts = {path: found.get(function) for path, function in PATHS.items()}
    missing = [path for path, count in counts.items() if count is None]
    if missing:
        sys.exit(f"no such function any more: {', '.join(PATHS[path] for path in missing)}")
    if "--write" in sys.argv:
        EXPECTED.write_text(json.dumps(counts, indent=2) + "\n")
    expected = json.loads(EXPECTED.read_text())
    for path, count in counts.items():
        print(f"{path:26} {count / 1e6:10.1f} M instructions, {count / expected[path]:.3f} of what is written down")
    more = [path for path, count in counts.items() if count > MOST * expected[path]]
    if more:
        sys.exit(f"more work than a tenth above what is written down: {', '.join(more)}")


if __name__ == "__main__":
    main()
