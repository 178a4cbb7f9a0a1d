"""Measures detection on labelled traffic: simulate, audit, evaluate; the same for rivals; prints tables.

See README.md beside this file. Needs Python 3.11, `pip install duckdb pandas scipy scikit-learn`, and for ECOD `pyod`.
The traffic, the audit and every figure come from the program: rivals only write a report that `evaluate` reads.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import duckdb
import numpy as np
import pandas as pd
from scipy import stats

HERE = pathlib.Path(__file__).resolve().parent
TOOL = "clickaudit"
CONTAMINATION = 0.072   # what the detectors that need it are told: the true share of the reference mix
FDR = 0.10
UNKNOWN_ARGUMENT = 2    # exit code of wrong usage
# The kinds that must be found where they are strong and have a sample, and how far scores may be off in a tenth of the
# scale that has so many sources.
EXPECTED = ("bots", "flooding", "injection", "replay", "scripted")
SAMPLE = 30


class Absent(Exception):
    """A method cannot be run here; says why."""


# --- the program ---------------------------------------------------------------------------------------------------


def call(args, *words, codes=(0, 1)):
    """Runs the program; its standard output."""
    command = [str(args.clickaudit), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in codes:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout


def simulate(args, seed, folder):
    words = ["simulate", "--mix", args.mix, "--seed", seed, "--sources", args.sources, "--days", args.days]
    words += ["--clicks", args.clicks] if args.clicks else []
    words += ["--kinds", args.kinds] if args.kinds else []
    words += ["--fraud-share", "0"] if args.no_fraud else []
    call(args, *words, folder)


def audit(args, folder, name, *more):
    """Audits the traffic of `folder`; the path of the report."""
    report = folder / f"{name}.json"
    # 3: a gate on the whole input fired, 4: the brake on lists; the report is written in both cases.
    call(args, "audit", folder / "clicks.csv", folder / "conversions.csv", "--no-config", "-q", *more,
         "-o", f"json={report}", codes=(0, 1, 3, 4))
    return report


def evaluate(args, report, folder):
    return json.loads(call(args, "evaluate", report, "--truth", folder / "planted.csv", "--at", args.at,
                           "--format", "json"))


def families(args):
    """The families of signals that the program has: the third column of its list."""
    return sorted({line.split()[2] for line in call(args, "signals").splitlines() if line.strip()})


# --- rivals --------------------------------------------------------------------------------------------------------


def features(folder):
    """Counts by source, computed from the CSV files."""
    db = duckdb.connect()
    for name in ("clicks", "conversions"):
        db.sql(f"CREATE VIEW {name} AS FROM read_csv('{folder / name}.csv', header = true, all_varchar = true, "
               "delim = ',', quote = '\"')")
    db.execute((HERE / "features.sql").read_text())
    return db.sql("FROM features").df()


def share(part, whole, least=1):
    """part / whole, absent below the least sample."""
    return (part / whole.where(whole >= least)).astype(float)


def fixed_thresholds(f, _):
    """Ten limits as vendors document them, each with a minimum volume; the score is how many are passed."""
    passed = [
        share(f.short, f.regs, 30) >= 0.15,                           # under ten seconds
        share(f.long, f.regs, 50) >= 0.30,                            # after a day
        (f.ctit_mad / f.ctit_median).where(f.regs >= 30) < 0.1,       # all after the same time
        share(f.clicks, f.regs.clip(lower=1)).where(f.clicks >= 1000) >= 250,
        share(f.regs, f.clicks, 100) >= 0.20,
        share(f.regs, f.clicks, 1000) < 0.005,
        share(f.orphans, f.regs, 20) >= 0.05,
        share(f.duplicates, f.regs, 20) >= 0.03,
        share(f.rejected, f.approved + f.rejected, 30) >= 0.50,
        share(f.top_network_clicks, f.clicks, 100) >= 0.10,
    ]
    count = sum(p.astype(int) for p in passed)
    return 10.0 * count, count > 0


# Part, whole, and which end is suspicious: 1 high, -1 low, 0 both.
RATES = [
    ("regs", "clicks", 0), ("short", "regs", 1), ("long", "regs", 1), ("orphans", "regs", 1),
    ("duplicates", "regs", 1), ("approved", "decided", -1), ("ftds", "regs", 0), ("at_minimum", "ftds", 1),
    ("again", "depositors", -1), ("night", "clicks", 0), ("ip_repeats", "clicks", 1), ("hosting", "clicks", 1),
    ("top_network_clicks", "clicks", 1), ("id_repeats", "clicks", 1),
]


def binomial(f, _):
    """Every rate against the rate of its peers as if all differences were chance; Simes over rates, then BH."""
    f = f.assign(decided=f.approved + f.rejected)
    table = []
    for part, whole, end in RATES:
        peers = f.groupby(["offer", "country"])[[part, whole]].transform("sum")
        p0 = (peers[part] / peers[whole].clip(lower=1)).clip(1e-9, 1 - 1e-9)
        high = stats.binom.sf(f[part] - 1, f[whole], p0)
        low = stats.binom.cdf(f[part], f[whole], p0)
        p = {1: high, -1: low, 0: np.minimum(1, 2 * np.minimum(high, low))}[end]
        table.append(np.where(f[whole] >= 10, p, np.nan))
    p = np.array([simes(row[~np.isnan(row)]) for row in np.array(table).T])
    return 100 * (-np.log10(np.maximum(p, 1e-300))) / 300, benjamini_hochberg(p, FDR)


def simes(p):
    p = np.sort(p)
    return float(np.min(p * len(p) / np.arange(1, len(p) + 1))) if len(p) else 1.0


def benjamini_hochberg(p, q):
    order = np.argsort(p)
    below = p[order] <= q * np.arange(1, len(p) + 1) / len(p)
    limit = p[order][np.nonzero(below)[0].max()] if below.any() else -1.0
    return p <= limit


def raw_rates(f):
    """The logits of all rates, half a case added to each side."""
    f = f.assign(decided=f.approved + f.rejected)
    return np.column_stack([np.log((f[a] + 0.5) / (f[b] - f[a]).clip(lower=0).add(0.5)) for a, b, _ in RATES])


def z_scores(f, report):
    """The tool's own comparisons with peers; what is absent is taken for ordinary."""
    found = {}
    for group in json.loads(report.read_text())["sources"]:
        key = (group["key"].get("traffic_source"), group["key"]["source"])
        found[key] = {name: s["z"] for name, s in group["signals"].items() if s.get("z") is not None}
    names = sorted({name for z in found.values() for name in z})
    if not names:
        raise Absent("the report has no z-scores")
    rows = [found.get(key, {}) for key in zip(f.traffic_source, f.source)]
    return np.clip([[row.get(name, 0.0) for name in names] for row in rows], -40, 40)


def isolation_forest(x):
    from sklearn.ensemble import IsolationForest
    forest = IsolationForest(n_estimators=300, random_state=1, n_jobs=-1).fit(x)
    return most_suspicious(-forest.score_samples(x))


def ecod(x):
    try:
        from pyod.models.ecod import ECOD
    except ImportError:
        raise Absent("pyod is not installed") from None
    return most_suspicious(ECOD().fit(x).decision_scores_)


def most_suspicious(score):
    """Scores as ranks, and as many flagged as there are frauds in the reference mix: such detectors cannot tell."""
    rank = stats.rankdata(score) / len(score)
    return 100 * rank, rank > 1 - CONTAMINATION


RIVALS = {
    "ten fixed thresholds": fixed_thresholds,
    "binomial + BH": binomial,
    "IsolationForest, raw rates": lambda f, _: isolation_forest(raw_rates(f)),
    "IsolationForest, the tool's z": lambda f, report: isolation_forest(z_scores(f, report)),
    "ECOD, raw rates": lambda f, _: ecod(raw_rates(f)),
    "ECOD, the tool's z": lambda f, report: ecod(z_scores(f, report)),
}


def write_report(f, score, flagged, path):
    """A rival's result in the form that `evaluate` reads."""
    sources = [
        {"key": {"traffic_source": t, "source": s}, "verdict": "hold" if flag else "clean", "score": float(x),
         "events": {"registration": {"approved": int(n)}}, "findings": []}
        for t, s, x, flag, n in zip(f.traffic_source, f.source, score, flagged, f.regs)
    ]
    path.write_text(json.dumps({"schema_version": 1, "sources": sources}))
    return path


# --- one seed ------------------------------------------------------------------------------------------------------


def of_seed(args, seed, folder, absent):
    """Every method's evaluation on the traffic of one seed."""
    found, started = {}, time.monotonic()
    simulate(args, seed, folder)
    simulated = time.monotonic()
    report = audit(args, folder, "report")
    audited = time.monotonic()
    found[TOOL] = evaluate(args, report, folder)
    if not args.no_rivals:
        table = features(folder)
        for name, rival in RIVALS.items():
            try:
                path = write_report(table, *rival(table, report), folder / "rival.json")
                found[name] = evaluate(args, path, folder)
            except Absent as why:
                absent[name] = str(why)
    for family in args.ablate:
        name = f"{TOOL} without {family}"
        try:
            found[name] = evaluate(args, audit(args, folder, "ablated", "--without", family), folder)
        except subprocess.CalledProcessError as failed:
            if failed.returncode != UNKNOWN_ARGUMENT:
                raise
            absent[name] = failed.stderr.strip().splitlines()[0]
    print(f"seed {seed}: simulate {simulated - started:.0f} s, audit {audited - simulated:.0f} s, "
          f"rest {time.monotonic() - audited:.0f} s", file=sys.stderr)
    return found


# --- tables --------------------------------------------------------------------------------------------------------


def level(evaluation, word):
    return next(l for l in evaluation["levels"] if l["level"] == word)


def pooled(evaluations, word, rate):
    """Part over whole, summed over the seeds; absent where there is nothing to divide by."""
    parts = [level(e, word)[rate] for e in evaluations]
    whole = sum(r["whole"] for r in parts)
    return sum(r["part"] for r in parts) / whole if whole else None


def mean(values):
    values = [v for v in values if v is not None]
    return statistics.fmean(values) if values else None


def shown(value, form="{:.3f}"):
    return "-" if value is None else form.format(value)


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def main_table(args, results):
    lines = [row("method", "AP (least–most)", "precision", "recall", "FDR", "false flags per 1000 honest",
                 "undecided", "money recall"), "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for name, of in results.items():
        ap = [e["average_precision"] for e in of if e["average_precision"] is not None]
        spread = f" ({min(ap):.2f}–{max(ap):.2f})" if ap else ""
        false_flags = pooled(of, args.at, "false_flags")
        lines.append(row(
            name, shown(mean(ap)) + spread, shown(pooled(of, args.at, "precision")),
            shown(pooled(of, args.at, "recall")), shown(pooled(of, args.at, "false_discoveries")),
            shown(false_flags and 1000 * false_flags or false_flags, "{:.1f}"),
            shown(mean(e["undecided_planted"] + e["undecided_honest"] for e in of), "{:.0f}"),
            shown(mean(e["money"]["recall"] if e["money"] else None for e in of), "{:.2f}"),
        ))
    return lines


def levels_table(of):
    lines = [row("verdict", "flagged per run", "precision", "recall", "FDR", "false flags per 1000 honest"),
             "|---|---:|---:|---:|---:|---:|"]
    for word in ("block", "hold", "watch"):
        false_flags = pooled(of, word, "false_flags")
        lines.append(row(word if word == "block" else f"{word} or worse",
                         f"{mean(level(e, word)['flagged'] for e in of):.1f}",
                         *(shown(pooled(of, word, rate)) for rate in ("precision", "recall", "false_discoveries")),
                         shown(None if false_flags is None else 1000 * false_flags, "{:.2f}")))
    return lines


def kinds_table(results):
    """Recall over all sources of a kind, and over those with 30 registrations and strength .3 at least."""
    kinds = sorted({k["kind"] for of in results.values() for e in of for k in e["kinds"]})
    lines = [row("method", *(f"{kind}" for kind in kinds)), "|---" * (len(kinds) + 1) + "|"]
    for name, of in results.items():
        cells = []
        for kind in kinds:
            own = [k for e in of for k in e["kinds"] if k["kind"] == kind]
            both = [(sum(k[b]["part"] for k in own), sum(k[b]["whole"] for k in own)) for b in ("all", "strong_large")]
            cells.append(" / ".join(shown(p / n if n else None, "{:.2f}") for p, n in both) + f" ({both[0][1]}, {both[1][1]})")
        lines.append(row(name, *cells))
    return lines


def strong_recall(of):
    """Recall of the expected kinds, pooled, in sources with strength .3 and 30 registrations at least."""
    rates = [k["strong_large"] for e in of for k in e["kinds"] if k["kind"] in EXPECTED]
    return sum(r["part"] for r in rates), sum(r["whole"] for r in rates)


def calibration_bins(of):
    """Over all seeds: from, sources, mean score and share planted of every tenth of the scale."""
    scored = [e["calibration"] for e in of if e["calibration"]]
    for nth in range(10 if scored else 0):
        bins = [c["bins"][nth] for c in scored]
        n = sum(b["sources"] for b in bins)
        predicted = sum(b["sources"] * b["predicted"] for b in bins if b["sources"])
        planted = sum(b["actual"]["part"] for b in bins)
        yield 10 * nth, n, predicted / n if n else None, planted / n if n else None


def calibration_table(of):
    scored = [e["calibration"] for e in of if e["calibration"]]
    if not scored:
        return ["The report has no scores, so there is no calibration."]
    lines = [f"Brier {mean(c['brier'] for c in scored):.4f}, expected calibration error "
             f"{mean(c['ece'] for c in scored):.4f}.", "",
             row("score", "sources", "predicted", "really planted"), "|---|---:|---:|---:|"]
    for start, n, predicted, planted in calibration_bins(of):
        lines.append(row(f"{start}–{start + 10}", str(n), shown(predicted, "{:.2f}"), shown(planted, "{:.2f}")))
    return lines


def no_fraud_table(args, results):
    lines = [row("method", "false flags per 2000 honest", "most in one run", "runs with any"), "|---|---:|---:|---:|"]
    for name, of in results.items():
        flags = [2000 * level(e, args.at)["false_flags"]["part"] / max(e["honest"], 1) for e in of]
        lines.append(row(name, f"{mean(flags):.2f}", f"{max(flags):.0f}", f"{sum(f > 0 for f in flags)}/{len(flags)}"))
    return lines


def report_text(args, results, absent):
    own = results[TOOL]
    what = f"{args.mix} mix, {args.sources} sources, {args.days} days, {len(own)} seeds from {args.first_seed}"
    lines = [f"Detection, {what}; flagged: {args.at} or worse.", ""]
    if args.no_fraud:
        lines += ["No fraud is planted.", "", *no_fraud_table(args, results)]
    else:
        lines += [*main_table(args, results), "", f"{TOOL} by verdict:", "", *levels_table(own), "",
                  "Recall by kind: of all / of those with strength ≥ .3 and ≥ 30 registrations (how many).", "",
                  *kinds_table(results), "", f"Calibration of {TOOL}:", "", *calibration_table(own)]
    for name, why in absent.items():
        lines += ["", f"Not run: {name} ({why})."]
    return "\n".join(lines)


# --- gates ---------------------------------------------------------------------------------------------------------


def broken_gates(args, of):
    """What the program does not reach of what was asked for."""
    ap = mean(e["average_precision"] for e in of)
    fdr = pooled(of, args.at, "false_discoveries")
    flags = 2000 * (pooled(of, args.at, "false_flags") or 0.0)
    found = []
    if args.min_ap is not None and (ap is None or ap < args.min_ap):
        found.append(f"average precision {shown(ap)} is below {args.min_ap}")
    if args.max_fdr is not None and fdr is not None and fdr > args.max_fdr:
        found.append(f"false discovery rate {fdr:.3f} is above {args.max_fdr}")
    if args.max_false_flags is not None and flags > args.max_false_flags:
        found.append(f"{flags:.2f} false flags per 2000 honest are more than {args.max_false_flags}")
    if args.min_recall is not None and not args.no_fraud:
        recall = pooled(of, args.at, "recall")
        if recall is None or recall < args.min_recall:
            found.append(f"recall {shown(recall)} is below {args.min_recall}")
    if args.min_recall_strong is not None:
        found += strong_gate(args, *strong_recall(of))
    if args.max_miscalibration is not None:
        found += calibration_gate(args, list(calibration_bins(of)))
    return found


def strong_gate(args, part, whole):
    if whole < SAMPLE:
        return [f"only {whole} strong sources of {', '.join(EXPECTED)}: too few to hold the recall against a limit"]
    if part / whole < args.min_recall_strong:
        return [f"recall of strong sources {part / whole:.3f} ({part} of {whole}) is below {args.min_recall_strong}"]
    return []


def calibration_gate(args, bins):
    """Scores are held against the truth at both ends of the scale; with sources at one end only it would say nothing."""
    counted = [(start, n, predicted, planted) for start, n, predicted, planted in bins if n >= SAMPLE]
    ends = {start >= 50 for start, *_ in counted}
    found = [] if len(ends) == 2 else ["too few sources at one end of the scale to hold scores against the truth"]
    for start, n, predicted, planted in counted:
        if abs(predicted - planted) > args.max_miscalibration:
            found.append(f"of the {n} sources with a score of {start} to {start + 10} {planted:.2f} are planted, not "
                         f"{predicted:.2f}")
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--clickaudit", type=pathlib.Path, default=pathlib.Path("target/release/clickaudit"), help="the program")
    add("--mix", choices=["reference", "world"], default="reference")
    add("--seeds", type=int, default=10, help="how many [10]")
    add("--first-seed", type=int, default=1)
    add("--sources", type=int, default=2000)
    add("--clicks", type=int, help="all clicks of a run, about [what the sources have by nature]")
    add("--days", type=int, default=14)
    add("--kinds", help="frauds to plant, as `simulate --kinds` takes them")
    add("--no-fraud", action="store_true", help="plant nothing: how many honest sources are accused?")
    add("--at", choices=["block", "hold", "watch"], default="hold", help="mildest verdict that counts [hold]")
    add("--no-rivals", action="store_true")
    add("--ablate", action="append", default=[], metavar="FAMILY",
        help="audit without a family of signals, too; repeatable; `all` is each in turn")
    add("--quick", action="store_true",
        help="4 seeds, 400 sources with 2500 clicks each, no rivals: for CI, with a debug build")
    add("--min-ap", type=float), add("--max-fdr", type=float), add("--min-recall", type=float)
    add("--max-false-flags", type=float, metavar="N", help="per 2000 honest sources")
    add("--min-recall-strong", type=float, metavar="SHARE",
        help=f"of {', '.join(EXPECTED)} with strength .3 and 30 registrations at least")
    add("--max-miscalibration", type=float, metavar="SHARE",
        help=f"between mean score and share planted, in every tenth of the scale with {SAMPLE} sources at least")
    add("--dir", type=pathlib.Path, help="where traffic is written [a temporary folder]")
    add("--keep", action="store_true", help="keep the traffic; needs --dir")
    add("--json", type=pathlib.Path, help="write all evaluations to this file, too")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.sources, args.no_rivals = 4, 400, True
        args.clicks = args.clicks or 1_000_000
    return args


def main():
    args = arguments()
    if args.ablate == ["all"]:
        args.ablate = families(args)
    results, absent = {}, {}
    if args.dir:
        pathlib.Path(args.dir).mkdir(parents=True, exist_ok=True)
    base = pathlib.Path(tempfile.mkdtemp(dir=args.dir)) if not args.keep else args.dir
    try:
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            folder = base / f"{args.mix}-{seed}"
            for name, evaluation in of_seed(args, seed, folder, absent).items():
                results.setdefault(name, []).append(evaluation)
            if not args.keep:
                shutil.rmtree(folder)
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{' '.join(failed.cmd)} ended with exit code {failed.returncode}:\n{failed.stderr}")
    finally:
        if not args.keep:
            shutil.rmtree(base, ignore_errors=True)
    print(report_text(args, results, absent))
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    broken = broken_gates(args, results[TOOL])
    for gate in broken:
        print(f"gate: {gate}", file=sys.stderr)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
