//! The money file: what each source is counted to have been paid for nothing, and what is estimated to be at risk.
//!
//! Claw-back is exact: every unit of it stands on single conversions, and each of them is counted once. What is at
//! risk is an estimate and stands in columns of its own; the two overlap and are never added up. There are no
//! totals: a sum over sources of one file is the reader's. What all sources together come to is [`claimed`], the one
//! figure of every output for people. Where a gate fired nothing is claimed, and every row says so.

use super::csv::{rows, text_cell};
use super::output::failed;
use super::{Format, Kind, Look, Rendered, Report, phrase};
use crate::base::error::Result;
use crate::base::money::Micro;
use crate::verdicts::{Clawback, Counted, Judged, Verdict};
use std::cmp::Reverse;
use std::io::Write;

/// What may be claimed back of the audited groups, by why, and all of it.
pub struct Claim {
    pub total: Micro,
    parts: Vec<(Micro, &'static str)>,
}

/// The parts of a claim in their order.
type Part = (fn(&Clawback) -> Counted, &'static str);

const PARTS: [Part; 3] = [
    (|c| c.replays, "for transactions that were sent again"),
    (|c| c.before_click, "for conversions before their click"),
    (|c| c.repeats, "for once-only events that were sent again on one click"),
];

/// What can be claimed back of these groups; `None` where nothing can, or where a gate says that nothing may be
/// claimed from this input.
pub fn claimed<'g>(report: &Report, groups: impl Iterator<Item = &'g Judged<'g>>) -> Option<Claim> {
    let clawbacks: Vec<Clawback> = groups.filter_map(|g| g.outlook.clawback).collect();
    let part = |(of, words): &Part| {
        let amount = phrase::sum(clawbacks.iter().map(|c| of(c).amount)).filter(|sum| sum.0 > 0)?;
        Some((amount, *words))
    };
    let parts: Vec<(Micro, &'static str)> = PARTS.iter().filter_map(part).collect();
    let total = phrase::sum(parts.iter().map(|(amount, _)| Some(*amount)))?;
    report.coverage.gates.is_empty().then_some(Claim { total, parts })
}

impl Claim {
    /// `852.00 for transactions that were sent again, 528.00 for once-only events that were sent again on one click`.
    pub fn told(&self) -> String {
        if let [(_, words)] = self.parts.as_slice() {
            return format!("all of it {words}");
        }
        let part = |(amount, words): &(Micro, &str)| format!("{} {words}", phrase::money(Some(*amount)));
        self.parts.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

const COLUMNS: &[&str] = &[
    "verdict",
    "protected",
    "currency",
    "replays_count",
    "replays_amount",
    "before_click_count",
    "before_click_amount",
    "repeated_events_count",
    "repeated_events_amount",
    "clawback_count",
    "clawback_amount",
    "at_risk_least",
    "at_risk_expected",
    "cost",
    "expected_saving",
    "not_judged",
];

fn render(_: &Report, _: &Look) -> Result<Rendered> {
    Ok(Rendered::Streamed(write))
}

fn write(report: &Report, out: &mut dyn Write) -> Result<()> {
    let key = report.run.grain.columns().iter().map(|c| c.name());
    let header: Vec<&str> = key.chain(COLUMNS.iter().copied()).collect();
    let mut groups: Vec<&Judged> = report.audited().into_iter().filter(|g| concerned(g)).collect();
    groups.sort_by_key(|group| rank(group));
    let lines = groups.into_iter().map(|g| row(report, g));
    out.write_all(&rows(&header, lines)?).map_err(failed)
}

/// What is expected to be saved, from large to small, then what is at risk (statistics.md, 5.5); of equals the order of
/// every output.
fn rank(group: &Judged) -> impl Ord + use<> {
    let loss = group.outlook.loss;
    let saving = loss.map_or(Micro(0), |loss| loss.expected_saving.max(Micro(0)));
    Reverse((saving, loss.map(|loss| loss.money_at_risk), group.money_at_risk))
}

/// Groups with something to claim, to hold or to lose.
fn concerned(group: &Judged) -> bool {
    let counted = group.outlook.clawback.is_some_and(|c| c.total().count > 0);
    counted || group.money_at_risk.is_some() || group.verdict <= Verdict::Watch
}

fn row(report: &Report, group: &Judged) -> Vec<String> {
    let mut row: Vec<String> =
        group.subject.key.iter().map(|part| part.as_ref().map_or(String::new(), text_cell)).collect();
    row.extend([
        group.verdict.word().to_owned(),
        group.protected.to_string(),
        report.run.currency.as_ref().map_or(String::new(), text_cell),
    ]);
    match group.outlook.clawback {
        None => row.extend(std::iter::repeat_n(String::new(), 8)),
        Some(c) => {
            row.extend([c.replays, c.before_click, c.repeats, c.total()].into_iter().flat_map(counted))
        }
    }
    let amount = |m: Option<Micro>| m.map_or(String::new(), Micro::to_cents);
    row.extend([
        amount(group.money_at_risk),
        amount(group.outlook.loss.map(|loss| loss.money_at_risk)),
        amount(group.subject.spend),
        amount(group.outlook.loss.map(|loss| loss.expected_saving)),
        gates(report),
    ]);
    row
}

/// The gates that fired: with any of them the row is no claim.
fn gates(report: &Report) -> String {
    let mut gates: Vec<&str> = report.coverage.gates.iter().map(|gate| gate.name).collect();
    gates.sort_unstable();
    gates.join("|")
}

fn counted(part: Counted) -> [String; 2] {
    let nothing = (part.count == 0).then_some(Micro(0));
    [part.count.to_string(), part.amount.or(nothing).map_or(String::new(), Micro::to_cents)]
}

pub const FORMAT: Format = Format {
    name: "money",
    summary: "per source what can be claimed back (counted) and what is at risk (estimated), as CSV",
    list: false,
    kind: Kind::Text,
    pictures: 0,
    render,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Text;
    use crate::report::{Gate, sample};

    fn part(count: u64, amount: Option<i64>) -> Counted {
        Counted { count, amount: amount.map(|units| Micro(units * 1_000_000)) }
    }

    #[test]
    fn what_can_be_claimed_is_one_sum_with_its_parts() {
        let rules = sample::rules();
        let mut report = sample::report(&rules);
        let clawback = |replays, repeats| Some(Clawback { replays, repeats, ..Clawback::default() });
        report.groups[0].outlook.clawback = clawback(part(2, Some(852)), part(0, None));
        let claim = claimed(&report, report.groups.iter()).expect("there is one");
        assert_eq!(claim.told(), "all of it for transactions that were sent again");
        report.groups[1].outlook.clawback = clawback(part(0, None), part(3, Some(528)));
        let claim = claimed(&report, report.groups.iter()).expect("there is one");
        assert_eq!(claim.total, Micro(1_380_000_000));
        assert_eq!(
            claim.told(),
            "852.00 for transactions that were sent again, 528.00 for once-only events that were sent again on one click"
        );
        report.coverage.gates = vec![Gate { name: "too-many-rejects", sentence: Text::new("x") }];
        assert!(claimed(&report, report.groups.iter()).is_none());
        let bytes = render(&report, &Look::PLAIN).unwrap().collected(&report).unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.lines().skip(1).all(|line| line.ends_with(",too-many-rejects")), "{text}");
    }

    #[test]
    fn exact_and_estimated_amounts_stand_apart() {
        let rules = sample::rules();
        let mut report = sample::with_outlook(&rules);
        report.groups[0].outlook.clawback = Some(Clawback {
            replays: part(12, Some(96)),
            before_click: part(2, None),
            repeats: part(1, Some(8)),
        });
        report.groups[4].outlook.clawback =
            Some(Clawback { replays: part(1, Some(3)), ..Clawback::default() });
        let bytes = render(&report, &Look::PLAIN).unwrap().collected(&report).unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            "traffic_source,source,verdict,protected,currency,replays_count,replays_amount,before_click_count,\
             before_click_amount,repeated_events_count,repeated_events_amount,clawback_count,clawback_amount,\
             at_risk_least,at_risk_expected,cost,expected_saving,not_judged",
            ",pub10032,block,false,USD,12,96.00,2,,1,8.00,15,104.00,1204.00,400.00,480.20,1430.00,",
            ",pub9,block,false,USD,,,,,,,,,,,480.20,,",
            ",pub77,hold,true,USD,,,,,,,,,,,480.20,,",
            ",pub31,watch,false,USD,,,,,,,,,,,480.20,,",
            ",pub1,clean,false,USD,1,3.00,0,0.00,0,0.00,1,3.00,,,480.20,,",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_largest_saving_stands_first() {
        let rules = sample::rules();
        let mut report = sample::with_outlook(&rules);
        let loss = report.groups[0].outlook.loss.expect("the first group has one");
        let with = |saving: i64, at_risk: i64| {
            Some(crate::peers::expected_loss::Loss {
                expected_saving: Micro(saving),
                money_at_risk: Micro(at_risk),
                ..loss
            })
        };
        report.groups[0].outlook.loss = with(-5, 900);
        report.groups[1].outlook.loss = with(7, 1);
        report.groups[2].outlook.loss = with(9, 1);
        let bytes = render(&report, &Look::PLAIN).unwrap().collected(&report).unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let names: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
        assert_eq!(names[..3], ["pub77", "pub9", "pub10032"], "{text}");
    }
}
