//! The report as lines of JSON, for log shippers and streams: the run first, then what holds for several groups,
//! then one line a group. Each line says what it is; its fields are those of the JSON report.

use super::changed::changed;
use super::{Coverage, Incident, Peers, Run, SCHEMA_VERSION, Sibling, Sources, Totals};
use super::{coverage, harmless, incident, outbound, peers, run, sibling, totals};
use crate::base::error::Result;
use crate::report::output::failed;
use crate::report::{Format, Kind, Look, Rendered, Report};
use serde::Serialize;
use std::io::{self, Write};

/// One line.
#[derive(Serialize)]
struct Line<T> {
    /// run, incident, sibling, forwarded, changed or source; readers have to expect others.
    record: &'static str,
    schema_version: u32,
    #[serde(flatten)]
    fields: T,
}

#[derive(Serialize)]
struct Whole {
    run: Run,
    coverage: Coverage,
    totals: Totals,
    peers: Peers,
}

fn render(_: &Report, _: &Look) -> Result<Rendered> {
    Ok(Rendered::Streamed(write))
}

fn write(report: &Report, out: &mut dyn Write) -> Result<()> {
    let mut out = harmless(out);
    head(report, &mut out)?;
    let sources = Sources { report, also: None };
    let written = sources.each(|source| write_source(&mut out, source).map_err(serde_json::Error::io));
    written.and_then(|()| out.flush().map_err(serde_json::Error::io)).map_err(failed)
}

/// All lines before those of the groups.
pub(super) fn head(report: &Report, out: &mut impl Write) -> Result<()> {
    let whole = Whole {
        run: run(&report.run),
        coverage: coverage(report),
        totals: totals(report),
        peers: peers(&report.peers),
    };
    line(out, "run", whole)?;
    let incidents: Vec<Incident> = report.incidents.iter().map(incident).collect();
    incidents.into_iter().try_for_each(|i| line(out, "incident", i))?;
    let siblings: Vec<Sibling> = report.siblings.iter().map(sibling).collect();
    siblings.into_iter().try_for_each(|s| line(out, "sibling", s))?;
    let forwarded = report.forwarded.as_ref().map(outbound);
    forwarded.into_iter().try_for_each(|f| line(out, "forwarded", f))?;
    changed(report).into_iter().try_for_each(|c| line(out, "changed", c))
}

/// The line of a group, whose fields are written already.
pub(super) fn write_source(out: &mut impl Write, source: &[u8]) -> io::Result<()> {
    write!(out, "{{\"record\":\"source\",\"schema_version\":{SCHEMA_VERSION},")?;
    out.write_all(&source[1..])?;
    out.write_all(b"\n")
}

fn line(out: &mut impl Write, record: &'static str, fields: impl Serialize) -> Result<()> {
    let line = Line { record, schema_version: SCHEMA_VERSION, fields };
    serde_json::to_writer(&mut *out, &line).map_err(failed)?;
    out.write_all(b"\n").map_err(failed)
}

pub const FORMAT: Format = Format {
    name: "ndjson",
    summary: "the same as lines: one for the run, one for each group",
    list: false,
    kind: Kind::Text,
    pictures: 0,
    render,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use crate::report::{json, sample};
    use serde_json::Value;

    fn lines(report: &Report) -> Vec<Value> {
        let bytes = render(report, &Look::PLAIN).unwrap().collected(report).unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_line_says_what_it_is() {
        let rules = sample::rules();
        let mut report = sample::with_outlook(&rules);
        report.incidents = vec![sample::incident()];
        report.siblings = vec![sample::sibling()];
        report.news = Some(sample::news("pub10032"));
        let lines = lines(&report);
        let records: Vec<&str> = lines.iter().map(|l| l["record"].as_str().unwrap()).collect();
        assert_eq!(records, [&["run", "incident", "sibling", "changed"][..], &["source"; 7]].concat());
        assert!(lines.iter().all(|l| l["schema_version"] == SCHEMA_VERSION));
        assert_eq!(lines[0]["totals"]["clicks"], 41_203);
        let first = &lines[4];
        assert_eq!((&first["key"]["source"], &first["verdict"]), (&"pub10032".into(), &"block".into()));
        assert_eq!(first["findings"][0]["rule"], "conversions-too-fast");
    }

    #[test]
    fn both_outputs_together_are_what_each_is_alone() {
        let rules = sample::rules();
        let reports = HOSTILE.iter().map(|text| sample::hostile(&rules, text));
        for report in reports.chain([sample::with_outlook(&rules), sample::empty()]) {
            let (mut document, mut lines) = (Vec::new(), Vec::new());
            json::write_both(&report, &mut document, &mut lines).unwrap();
            let alone = |format: &Format| {
                (format.render)(&report, &Look::PLAIN).unwrap().collected(&report).unwrap().unwrap()
            };
            assert_eq!(document, alone(&json::FORMAT));
            assert_eq!(lines, alone(&FORMAT));
        }
    }

    #[test]
    fn either_output_may_fail() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let rules = sample::rules();
        let report = sample::with_outlook(&rules);
        let both = json::write_both;
        assert!(both(&report, &mut Full, &mut Vec::new()).is_err());
        assert!(both(&report, &mut Vec::new(), &mut Full).is_err());
    }

    #[test]
    fn no_text_breaks_a_line() {
        let rules = sample::rules();
        for text in HOSTILE {
            let lines = lines(&sample::hostile(&rules, text));
            assert_eq!(lines.last().unwrap()["key"]["source"], *text);
        }
    }
}
