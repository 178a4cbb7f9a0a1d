"""Reads a click export of 20 columns with `clickaudit intake` and with DuckDB's read_csv into Parquet, in turn.

Prints CPU, wall time and memory of both, and the ratio. See README.md beside this file. Needs Python 3.11 and
`pip install duckdb`; Linux only.
"""

import argparse
import pathlib
import statistics
import sys

import run

COLUMNS = run.CLICKS | {"referrer": "VARCHAR", "keyword": "VARCHAR", "language": "VARCHAR", "connection": "VARCHAR"}
"""Texts that the generator does not write, as a pop or push export has them."""
MORE = """CASE WHEN i % 3 = 0 THEN '' ELSE 'https://site' || i % 997 || '.example/page?z=' || i % 61 END AS referrer,
          'kw' || i % 1009 AS keyword, ['en', 'de', 'pt-BR', 'hi'][i % 4 + 1] AS language,
          ['wifi', 'cellular'][i % 2 + 1] AS connection"""


def generate(args):
    """Writes the export from the project's generator, unless it is there."""
    args.dir.mkdir(parents=True, exist_ok=True)
    export = args.dir / "clicks-20.csv"
    if export.exists():
        return export
    if not (args.dir / "clicks.csv").exists():
        run.run_checked([args.clickaudit, "simulate", "--clicks", str(args.clicks), "--conversions", "1000",
                         "--seed", str(args.seed), str(args.dir)])
    import duckdb
    texts = {name: "VARCHAR" for name in run.CLICKS}
    part = export.with_suffix(".part")
    duckdb.sql(f"""COPY (SELECT * EXCLUDE i, {MORE} FROM (SELECT *, row_number() OVER () AS i
                   FROM {run.scan(args.dir / 'clicks.csv', texts)})) TO '{part}' (FORMAT csv, HEADER)""")
    part.rename(export)
    return export


def duckdb_child(export, out, threads):
    """CSV to Parquet in this process; the parent measures it."""
    import duckdb
    db = duckdb.connect(":memory:", config={"threads": threads})
    db.sql(f"COPY (FROM {run.scan(export, COLUMNS)}) TO '{out}' (FORMAT parquet, COMPRESSION lz4_raw)")


def command(tool, args, export):
    if tool == "duckdb":
        return [sys.executable, __file__, "--child", export, args.dir / "duckdb.parquet", "--threads", args.threads]
    return [args.clickaudit, "intake", "--clicks", export, "--preset", "generic", "--threads", args.threads]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dir", type=pathlib.Path, help="where the files are made and kept (target/reading-CLICKS)")
    parser.add_argument("--clickaudit", type=pathlib.Path, default=run.HERE.parent / "target/release/clickaudit")
    parser.add_argument("--max-ratio", type=float, help="exit with 1 if clickaudit takes more CPU than so many times DuckDB's")
    parser.add_argument("--child", nargs=2, type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return duckdb_child(*args.child, args.threads)
    args.clickaudit = args.clickaudit.resolve()
    args.dir = args.dir or run.HERE.parent / f"target/reading-{args.clicks}-{args.seed}"
    export = generate(args)
    runs = {"clickaudit": [], "duckdb": []}
    for number in range(args.rounds):
        for tool in list(runs) if number % 2 == 0 else list(runs)[::-1]:
            runs[tool].append(run.measured(command(tool, args, export)))
    print(f"{args.clicks:,} clicks, {len(COLUMNS)} columns, {export.stat().st_size / run.MIB:,.0f} MiB\n")
    print(run.table(args.clicks, {"csv": runs}))
    cpu = {tool: statistics.median(r["cpu"] for r in measured) for tool, measured in runs.items()}
    if args.max_ratio and cpu["clickaudit"] > args.max_ratio * cpu["duckdb"]:
        sys.exit(f"clickaudit takes {cpu['clickaudit'] / cpu['duckdb']:.2f} times DuckDB's CPU, more than {args.max_ratio}")


if __name__ == "__main__":
    main()
