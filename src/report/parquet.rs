//! Signals and findings as Parquet, for data people: long tables whose columns never change their meaning.
//!
//! A new signal is new rows, not a new column, so that a query of today works tomorrow; the version of the schema
//! stands in the file's metadata under `clickaudit_schema_version`. This is the only place outside the heavy
//! stages that knows the engine, and it knows its writer only.

use super::output::failed;
use super::{Format, Kind, Look, Rendered, Report};
use crate::base::error::Result;
use crate::base::text::Text;
use crate::peers::Standing;
use crate::signals::{self, Reading, Signal};
use crate::verdicts::Judged;
use polars::io::parquet::write::{BatchedWriter, KeyValueMetadata};
use polars::prelude::{Column, DataFrame, ParquetCompression, ParquetWriter};
use std::io::Write;

/// Raised only when a column changes its meaning or goes away.
const SCHEMA_VERSION: &str = "1";

/// Rows of one row group, about: as many as fit some tens of megabytes.
const ROW_GROUP: usize = 200_000;

/// The columns in the making.
#[derive(Default)]
struct Rows {
    key: Vec<Vec<Option<String>>>,
    texts: Vec<Vec<Option<String>>>,
    numbers: Vec<Vec<Option<f64>>>,
    counts: Vec<Vec<Option<i64>>>,
}

/// A table: its names by type, in the order of the file: key, texts, whole numbers, numbers.
struct Table {
    texts: &'static [&'static str],
    counts: &'static [&'static str],
    numbers: &'static [&'static str],
}

/// One row a source and signal, absent ones included.
const SIGNALS: Table = Table {
    texts: &["verdict", "signal", "unit", "family", "absent", "level"],
    counts: &["n", "peer_count"],
    numbers: &["value", "low", "high", "peers", "ratio", "ratio_limit", "z", "p", "decibans"],
};

/// One row a source, rule and test that held; a rule without a test of its own has one row.
const FINDINGS: Table = Table {
    texts: &["verdict", "rule", "title", "class", "action", "reduced", "currency", "signal", "op"],
    counts: &["money_micro", "test", "n"],
    numbers: &["value", "low", "high", "limit", "limit_high", "confidence"],
};

impl Rows {
    fn of(report: &Report, table: &Table) -> Rows {
        Rows {
            key: vec![Vec::new(); report.run.grain.columns().len()],
            texts: vec![Vec::new(); table.texts.len()],
            counts: vec![Vec::new(); table.counts.len()],
            numbers: vec![Vec::new(); table.numbers.len()],
        }
    }

    fn len(&self) -> usize {
        self.texts[0].len()
    }

    fn push<const T: usize, const C: usize, const N: usize>(
        &mut self,
        group: &Judged,
        texts: [Option<&str>; T],
        counts: [Option<i64>; C],
        numbers: [Option<f64>; N],
    ) {
        for (column, part) in self.key.iter_mut().zip(&group.subject.key) {
            column.push(part.as_ref().map(Text::parquet));
        }
        self.texts.iter_mut().zip(texts).for_each(|(column, value)| column.push(value.map(str::to_owned)));
        self.counts.iter_mut().zip(counts).for_each(|(column, value)| column.push(value));
        let finite = |value: Option<f64>| value.filter(|v| v.is_finite());
        self.numbers.iter_mut().zip(numbers).for_each(|(column, value)| column.push(finite(value)));
    }

    fn frame(self, report: &Report, table: &Table) -> Result<DataFrame> {
        let key = report.run.grain.columns().iter().map(|c| c.name());
        let mut columns: Vec<Column> = Vec::new();
        columns.extend(key.zip(self.key).map(|(name, values)| Column::new(name.into(), values)));
        columns.extend(table.texts.iter().zip(self.texts).map(|(n, v)| Column::new((*n).into(), v)));
        columns.extend(table.counts.iter().zip(self.counts).map(|(n, v)| Column::new((*n).into(), v)));
        columns.extend(table.numbers.iter().zip(self.numbers).map(|(n, v)| Column::new((*n).into(), v)));
        DataFrame::new_infer_height(columns).map_err(failed)
    }
}

/// Writes a table group by group, so that it is never whole in memory.
fn written(
    report: &Report,
    table: &Table,
    out: &mut dyn Write,
    each: fn(&Report, &Judged, &mut Rows),
) -> Result<()> {
    let empty = Rows::of(report, table).frame(report, table)?;
    let version = ("clickaudit_schema_version".to_owned(), SCHEMA_VERSION.to_owned());
    let mut writer: BatchedWriter<&mut dyn Write> = ParquetWriter::new(out)
        .with_compression(ParquetCompression::Lz4Raw)
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(vec![version])))
        .batched(empty.schema())
        .map_err(failed)?;
    let mut rows = Rows::of(report, table);
    for group in report.audited() {
        each(report, group, &mut rows);
        if rows.len() >= ROW_GROUP {
            let full = std::mem::replace(&mut rows, Rows::of(report, table));
            writer.write_batch(&full.frame(report, table)?).map_err(failed)?;
        }
    }
    if rows.len() > 0 {
        writer.write_batch(&rows.frame(report, table)?).map_err(failed)?;
    }
    writer.finish().map(drop).map_err(failed)
}

fn signals_of(_: &Report, group: &Judged, rows: &mut Rows) {
    signals::all().iter().for_each(|signal| signal_row(group, signal, rows));
}

fn signal_row(group: &Judged, signal: &'static Signal, rows: &mut Rows) {
    let said = (group.verdict.word(), signal.name, signal.unit.word(), signal.family.word());
    let texts = |absent, level| [Some(said.0), Some(said.1), Some(said.2), Some(said.3), absent, level];
    let estimate = match group.subject.row.reading(signal) {
        Reading::Present(estimate) => estimate,
        Reading::Absent(why) => {
            return rows.push(group, texts(Some(&why.to_string()), None), [None, None], [None; 9]);
        }
    };
    let ((low, high), n) = (estimate.printed(), i64::try_from(estimate.n).ok());
    let own = [Some(estimate.value()), Some(low), Some(high)];
    match group.subject.profile.standing(signal) {
        Standing::TooFew(_) => {
            let [value, low, high] = own;
            rows.push(
                group,
                texts(None, None),
                [n, None],
                [value, low, high, None, None, None, None, None, None],
            );
        }
        Standing::Compared(v) => {
            let p = v.ln_p(v.direction).map(|ln| ln.exp().max(f64::MIN_POSITIVE));
            let [value, low, high] = own;
            let versus =
                [Some(v.expected), Some(v.ratio), Some(v.ratio_limit), Some(v.z), p, Some(v.decibans)];
            let [expected, ratio, limit, z, p, decibans] = versus;
            let numbers = [value, low, high, expected, ratio, limit, z, p, decibans];
            rows.push(group, texts(None, Some(&*v.level)), [n, Some(i64::from(v.peers))], numbers);
        }
    }
}

fn findings_of(report: &Report, group: &Judged, rows: &mut Rows) {
    let currency = report.run.currency.as_ref().map(Text::parquet);
    for finding in &group.findings {
        let texts = |signal, op| {
            [
                Some(group.verdict.word()),
                Some(finding.rule.id.as_str()),
                Some(finding.title.as_str()),
                Some(finding.rule.class.word()),
                Some(finding.action.word()),
                finding.reduced,
                currency.as_deref(),
                signal,
                op,
            ]
        };
        let money = finding.money.map(|m| m.0);
        if finding.evidence.is_empty() {
            rows.push(group, texts(None, None), [money, None, None], [None; 6]);
        }
        for (at, evidence) in finding.evidence.iter().enumerate() {
            let (low, high) = evidence.estimate.at(evidence.confidence);
            let mut limits = evidence.limit.values().into_iter();
            let numbers = [
                Some(evidence.estimate.value()),
                Some(low),
                Some(high),
                limits.next(),
                limits.next(),
                Some(evidence.confidence),
            ];
            let counts = [money, i64::try_from(at + 1).ok(), i64::try_from(evidence.estimate.n).ok()];
            rows.push(group, texts(Some(evidence.signal.name), Some(evidence.limit.word())), counts, numbers);
        }
    }
}

fn write_signals(report: &Report, out: &mut dyn Write) -> Result<()> {
    written(report, &SIGNALS, out, signals_of)
}

fn write_findings(report: &Report, out: &mut dyn Write) -> Result<()> {
    written(report, &FINDINGS, out, findings_of)
}

fn render_signals(_: &Report, _: &Look) -> Result<Rendered> {
    Ok(Rendered::Streamed(write_signals))
}

fn render_findings(_: &Report, _: &Look) -> Result<Rendered> {
    Ok(Rendered::Streamed(write_findings))
}

pub const SIGNALS_FORMAT: Format = Format {
    name: "parquet:signals",
    summary: "every signal of every source as a long table in Parquet, schema version 1",
    list: false,
    kind: Kind::Binary,
    pictures: 0,
    render: render_signals,
};

pub const FINDINGS_FORMAT: Format = Format {
    name: "parquet:findings",
    summary: "every test that held, by source and rule, in Parquet, schema version 1",
    list: false,
    kind: Kind::Binary,
    pictures: 0,
    render: render_findings,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use crate::report::sample;
    use polars::prelude::{ParquetReader, SerReader};

    fn frame(report: &Report, render: fn(&Report, &Look) -> Result<Rendered>) -> DataFrame {
        let bytes = render(report, &Look::PLAIN).unwrap().collected(report).unwrap().unwrap();
        ParquetReader::new(std::io::Cursor::new(bytes)).finish().unwrap()
    }

    fn schema(frame: &DataFrame) -> String {
        let columns = frame.schema().iter().map(|(name, of)| format!("{name} {of}")).collect::<Vec<_>>();
        columns.join(", ")
    }

    #[test]
    fn the_schemas_are_these() {
        let rules = sample::rules();
        for report in [&sample::report(&rules), &sample::empty()] {
            let expected = "traffic_source str, source str, verdict str, signal str, unit str, family str, absent str, \
                            level str, n i64, peer_count i64, value f64, low f64, high f64, peers f64, ratio f64, \
                            ratio_limit f64, z f64, p f64, decibans f64";
            assert_eq!(schema(&frame(report, render_signals)), expected);
            let expected = "traffic_source str, source str, verdict str, rule str, title str, class str, action str, \
                            reduced str, currency str, signal str, op str, money_micro i64, test i64, n i64, \
                            value f64, low f64, high f64, limit f64, limit_high f64, confidence f64";
            assert_eq!(schema(&frame(report, render_findings)), expected);
        }
    }

    #[test]
    fn every_source_has_every_signal_and_every_test() {
        let rules = sample::rules();
        let report = sample::report(&rules);
        let signals = frame(&report, render_signals);
        assert_eq!(signals.height(), 7 * signals::all().len());
        let findings = frame(&report, render_findings);
        let tests: usize = report.groups.iter().flat_map(|g| &g.findings).map(|f| f.evidence.len()).sum();
        assert_eq!(findings.height(), tests);
        assert_eq!(findings.column("money_micro").unwrap().i64().unwrap().get(0), Some(1_204_000_000));
        assert_eq!(findings.column("source").unwrap().str().unwrap().get(0), Some("pub10032"));
    }

    #[test]
    fn any_text_comes_back() {
        let rules = sample::rules();
        for text in HOSTILE {
            let findings = frame(&sample::hostile(&rules, text), render_findings);
            assert_eq!(findings.column("source").unwrap().str().unwrap().get(0), Some(*text));
        }
    }
}
