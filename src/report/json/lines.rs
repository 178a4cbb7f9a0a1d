//! The report as lines of JSON, for log shippers and streams: the run first, then what holds for several groups,
//! then one line a group. Each line says what it is; its fields are those of the JSON report.

use super::outline::OneLine;
use super::{Coverage, Incident, Peers, Run, SCHEMA_VERSION, Sibling, Sources, Totals};
use super::{coverage, harmless, incident, outbound, peers, run, sibling, totals};
use crate::base::error::Result;
use crate::report::output::failed;
use crate::report::{Format, Kind, Look, Rendered, Report};
use serde::Serialize;
use std::io::Write;

/// One line.
#[derive(Serialize)]
struct Line<T> {
    /// run, incident, sibling or source; readers have to expect others.
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
    let whole = Whole {
        run: run(&report.run),
        coverage: coverage(report),
        totals: totals(report),
        peers: peers(&report.peers),
    };
    let mut out = harmless(out);
    let out = &mut out;
    line(out, "run", whole)?;
    let incidents: Vec<Incident> = report.incidents.iter().map(incident).collect();
    incidents.into_iter().try_for_each(|i| line(out, "incident", i))?;
    let siblings: Vec<Sibling> = report.siblings.iter().map(sibling).collect();
    siblings.into_iter().try_for_each(|s| line(out, "sibling", s))?;
    let forwarded = report.forwarded.as_ref().map(outbound);
    forwarded.into_iter().try_for_each(|f| line(out, "forwarded", f))?;
    Sources(report).each(OneLine::MARKS, |source| line(out, "source", source))?;
    out.flush().map_err(failed)
}

fn line(out: &mut impl Write, record: &'static str, fields: impl Serialize) -> Result<()> {
    let line = Line { record, schema_version: SCHEMA_VERSION, fields };
    line.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, OneLine)).map_err(failed)?;
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
    use crate::report::sample;
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
        let lines = lines(&report);
        let records: Vec<&str> = lines.iter().map(|l| l["record"].as_str().unwrap()).collect();
        assert_eq!(records, [&["run", "incident", "sibling"][..], &["source"; 7]].concat());
        assert!(lines.iter().all(|l| l["schema_version"] == SCHEMA_VERSION));
        assert_eq!(lines[0]["totals"]["clicks"], 41_203);
        let first = &lines[3];
        assert_eq!((&first["key"]["source"], &first["verdict"]), (&"pub10032".into(), &"block".into()));
        assert_eq!(first["findings"][0]["rule"], "conversions-too-fast");
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
