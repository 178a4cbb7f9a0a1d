//! The page on engines: dialects, tables, and what cannot be counted there.

use crate::engine::dialect::{DIALECTS, Tested};
use crate::engine::{MONEY, TIMES};
use crate::measures::{MEASURES, Measure};
use crate::signals;
use std::collections::BTreeMap;

const INTRO: &str = "Clicks may stay where they are: in ClickHouse, in a lake that Spark reads, in a warehouse. The one heavy stage, counting \
clicks, is then a query there; conversions, which are few, and the clicks that they name come here, and everything else is as with files: \
which click a conversion belongs to, orphans, retries, replays, signals, peers, rules, lists.

## The way

1. Say in the project file which table holds clicks and which of its columns is which of ours; and a table of conversions, or of their click IDs \
alone, to say which clicks are needed here.
2. `clickaudit audit --as-of 2026-03-16 --print-sql DIALECT > measures.sql` prints one query. Run it, and write its whole result to a Parquet file, or \
to a folder of such. `--print-sql spark=FOLDER`, `databricks=FOLDER` and `duckdb=FILE` print a script that writes the result itself: \
`spark-sql -f measures.sql`. For Spark and Databricks a first statement sets the session's zone to UTC: run both in one session. Sail does not know that statement, and is in UTC \
unless it was told otherwise: leave it out there.
3. `clickaudit audit --measures FILE` goes on from there, with the same project file and flags. Conversions that are not at the engine are named \
with `--conversions FILE`, both times or only the second time.

The file says which plan it belongs to: other tables, rules, grain, zone or times are refused. Every row says how many there are, so a \
result that was cut off by a limit, or lacks one file of a folder, is refused, too. `--as-of` is part of the plan, because it decides which clicks are old enough.

## Asking the engine itself

A build with the cargo features `clickhouse` and `spark` does steps 2 and 3 by itself: `--engine clickhouse --engine-url https://HOST:8443/`, `--engine \
spark --engine-url 'sc://HOST:15002/;use_ssl=true'`. A user who may only read is enough. `--engine-secret FILE` (readable by its owner only) or the \
environment's `CLICKAUDIT_ENGINE_SECRET` holds `USER:PASSWORD` or the token; `--engine-ca FILE` the certificates to trust; `--engine-timeout 30m` ends a \
query that takes longer, Ctrl-C at once, both also at the engine. Conversions in files bring their click IDs along, for the time of a query, also where further conversions stand in a table. \
In the engine's log every query is called `clickaudit-DIGEST-PART-…`, where DIGEST is what the report and the manifest give \
as the digest of these clicks. `--as-of` need not be said: it is the newest row, as with files. \
One query after another is asked, so clicks and conversions from the second on in which the run began are left out: a table that receives clicks \
is as it was then. Where clicks arrive late, with times of before, say `until`. Every column that is mapped is looked for first, and one of a type that cannot be read is \
an error that names it.

On ClickHouse `readonly = 2` is the usual right. A user with `readonly = 1` may set nothing: then the server's own settings must be such that no \
result can be wrong, or there is an error that names them; and of the printed text such a user leaves out the last line, which raises limits of \
length and says how joins of `Distributed` tables are meant (a profile with `distributed_product_mode = local` is then none for it). A `Distributed` \
table is read and cut to its columns on its own servers, and counted on the one that is asked; this is by the documentation: the servers of the test, \
18.16, are too old for the text, because they lack queries under `WITH`, and only single joins ran there.

ADBC was considered as the one way and left: its driver for ClickHouse is unfinished, that for Spark at 0.3, and drivers would have to be found and \
installed by the user; HTTP and Spark Connect need nothing on either side. Everything else is reached by the printed query.

## Tables

```yaml
tables:
  clicks:
    table: tracker.clicks        # or parquet.`s3://lake/clicks`, or [tracker, clicks]
    columns: {click_id: id, click_time: created_at, traffic_source: network, source: zone, ip: ip, user_agent: ua, cost: cost}
    times: timestamp             # what time columns hold
    money: units                 # what amounts are in
    nulls: [\"null\", \"NULL\"]      # texts that say nothing
    from: 2026-03-01             # the period: from here on, and before there
    until: 2026-03-16            # as --as-of is written; of --tz without an offset
  conversions:
    table: sales
    columns: {click_id: click_id, conversion_time: at, event: event, status: status, payout: payout, transaction_id: tx}
```

`click_id` and `click_time` are needed; of conversions `click_id`, and with `conversion_time` the conversions themselves are taken from the table. \
The columns are those of [columns](columns.md). A part of a table's name that has dots stands in backquotes or double quotes, whatever the \
engine's own are; so a lake without a catalogue is named, too: ``parquet.`/lake/clicks` `` on Spark, `\"/lake/clicks/*.parquet\"` on DuckDB. What needs \
more than a name, such as `s3Cluster(…)` on ClickHouse, becomes a view there. `constants:` gives a column one text in every row. Nothing is found by likeness. Costs of clicks are in one currency (`--currency`).

Times are instants, or in UTC where their type has no zone; so is the session where that matters. A `time_zone`, in a mapping or as `--time-zone`, that \
would be of a table is an error: let a view turn local times into UTC. `from` and `until` limit clicks by their time; rows \
without one are in no period. Whether an engine then reads less is its own affair: where a table is cut by another column, a view can say that column, too.

A row is a reject for the reasons of files, and counted under them: without a time, or with one before 2000 or after 2099; a flag that is \
neither yes (`1`, `true`, `t`, `yes`, `y`) nor no (`0`, `false`, `f`, `no`, `n`); an amount that is NaN, infinite or above ten million. Amounts may \
have any type of number. They are read as floats of 64 bits, as from Parquet files, so nine decimals are exact up to some two million units, six up to \
the largest amount.
";

const SAME: &str = "## The same numbers

The text keeps to what all engines understand alike: two-level GROUP BY, COUNT, SUM, MIN, MAX, joins on equality, CASE over whole numbers, texts \
and 64-bit whole numbers that are never missing. No approximate function, no engine's own aggregate, no date function but one that turns a \
timestamp into microseconds. A click that stands in several rows (same ID, time and source) counts once, and it is the same row that counts: the \
one whose columns make the largest text. An ID that stands for several clicks counts for each and is told as reused.

`clickaudit audit --portable` computes from files only what an engine could compute, too; `--save-measures FILE` writes what it counted in the \
form of the printed query's result. `tests/external/engines.py` holds both against each other row by row, and the verdict files byte by byte, on \
traffic with missing, repeated, reused and hostile IDs, amounts as INT, DECIMAL and floats, and rows that are refused. The same runs with Sail, and, by hand, with Spark itself \
(`tests/external/spark.py`: a master, two workers, streams that end after three seconds). Of Spark 4.3.0 it printed: 0 differences in four scenarios \
of 9,964 to 39,939 rows, with 71 to 166 s a scenario on two cores beside other work; the sample's verdict file to the byte, printed and with \
`--engine`; the README's commands with Spark's own `spark-sql`; an answer after 8 s whole; twenty minutes in all; that was before amounts were read as floats, and not run since. One thing may differ: a click ID \
with a NUL character, which is a reject in files only.
";

/// The page.
pub fn page() -> String {
    let mut out = super::page("Engines", INTRO.trim_end());
    out += &format!("`times` is one of {}; `money` one of {}.\n\n", words(TIMES), words(MONEY));
    out += SAME;
    out += "\n## Dialects\n\nNames and texts from the project file are written by one encoder each, so that none of them can end its quotes.\n\n";
    out +=
        "| `--print-sql` | what it is | writes by itself (`=PLACE`) | run by the test |\n|---|---|---|---|\n";
    for dialect in DIALECTS {
        let tested = if dialect.tested == Tested::Run { "yes" } else { "no: written by the documentation" };
        let writes = if dialect.writes() { "yes" } else { "no" };
        out += &format!("| `{}` | {} | {writes} | {tested} |\n", dialect.name, dialect.about);
    }
    out += "\n## What is not computed on an engine\n\nThese signals are absent there, with the reason; rules on them are unknown, and a group that such a rule decides is undecided unless another acts. Clusters of sources that send the same visitors are not looked for.\n\n";
    out += "| because | signals |\n|---|---|\n";
    for (why, names) in absent() {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        out += &format!("| {why} | {} |\n", names.join(", "));
    }
    out += "\nMeasures one by one: [measures](measures.md).\n";
    out
}

fn words<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Signals that read what is not portable, by the first reason.
fn absent() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut by_reason: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
    for signal in signals::all() {
        let read = MEASURES.iter().filter(|m| signal.measures.contains(&m.id));
        if let Some(why) = read.filter_map(Measure::unportable).next() {
            by_reason.entry(why).or_default().push(signal.name);
        }
    }
    by_reason
}
