//! What would change the verdict, and conversions to look at.

use super::{Change, INDENT, Move, Page, Sample, Sheet, aligned, breadth, whole, widths};
use crate::base::text::Text;
use crate::base::time;
use crate::base::unit::Unit;
use crate::report::phrase::{count, counted, money, told};
use crate::report::signs;
use crate::rules::{Limit, Rule, Why};
use crate::signals::{Interval, Signal};
use crate::verdicts::Verdict;
use std::collections::BTreeMap;

/// Cells of an ID and of another text in the table of conversions.
const ID: usize = 64;
const WORD: usize = 14;
/// Indent of what stands below a conversion.
const BELOW: usize = 6;

pub(super) fn write(sheet: &mut Sheet, page: &Page) {
    sheet.heading("What would have to change");
    match page.group.verdict {
        Verdict::Block | Verdict::Hold | Verdict::Watch => carried(sheet, page),
        Verdict::Clean => nearest(sheet, page),
        Verdict::Undecided => missing(sheet, page),
    }
    samples(sheet, page);
}

fn carried(sheet: &mut Sheet, page: &Page) {
    let outlook = &page.details.outlook;
    let rules = counted(outlook.changes.len() as u64, "rule", "rules");
    sheet.say(&format!("The verdict rests on {rules}. All else the same,"));
    for change in &outlook.changes {
        let then = match change.verdict {
            same if same == page.group.verdict => {
                format!("and the verdict still {} by the others", same.word())
            }
            other => format!("and the verdict {}", other.word()),
        };
        sheet.labelled(
            "·",
            &format!("{} would be silent, {then}, if {}.", change.rule.id, ways(page, change)),
        );
    }
    if let Some(left) = outlook.without_all.filter(|_| outlook.changes.len() > 1) {
        sheet.say(&format!("With all of these silent the verdict would be {}.", left.word()));
    }
    limits(sheet, &outlook.changes);
}

/// Why a value has to go further than its limit.
fn limits(sheet: &mut Sheet, changes: &[Change]) {
    let uncertain = |m: &Move| !matches!(m.from.interval, Interval::Exact(_));
    if changes.iter().flat_map(|c| &c.moves).any(uncertain) {
        sheet.say(
            "A limit is held against the end of the interval that favours the source, not against the value.",
        );
    }
}

fn nearest(sheet: &mut Sheet, page: &Page) {
    let changes = &page.details.outlook.changes;
    if changes.is_empty() {
        return sheet.say("No rule comes near to firing by a change of one value.");
    }
    sheet.say("Nearest to a finding: all else the same,");
    for change in changes {
        let then = change.verdict.word();
        let words =
            format!("{} would fire, and the verdict be {then}, if {}.", change.rule.id, ways(page, change));
        sheet.labelled("·", &words);
    }
    limits(sheet, changes);
}

/// `ctit_short_share fell from 149 of 240 (62.1%) to 88 of 240 (36.7%)`, and the other ways.
fn ways(page: &Page, change: &Change) -> String {
    if change.moves.is_empty() {
        return unlike_peers(page, change.rule);
    }
    let between = if change.together { ", and " } else { ", or if " };
    change.moves.iter().map(|step| one(page, step)).collect::<Vec<String>>().join(between)
}

/// Signals that are named where a rule rests on the comparison with peers.
const NAMED: usize = 3;

/// No value alone decides what rests on the group as a whole, or on the form of a curve: what stands beside the peers
/// is told instead.
fn unlike_peers(page: &Page, rule: &Rule) -> String {
    let finding = page.group.findings.iter().find(|f| f.rule.id == rule.id);
    let mut signals: Vec<&'static Signal> = Vec::new();
    for evidence in finding.iter().flat_map(|f| &f.evidence) {
        if !signals.contains(&evidence.signal) {
            signals.push(evidence.signal);
        }
    }
    let more = signals.len() > NAMED;
    signals.truncate(NAMED);
    let names: Vec<String> = signals.into_iter().map(|signal| with_peers(page, signal)).collect();
    match (names.as_slice(), more) {
        ([], _) => "it were no longer set apart from its peers".to_owned(),
        (names, false) => format!("it were no longer set apart from its peers by {}", names.join(" and ")),
        (names, true) => {
            format!("it were no longer set apart from its peers by {} and others", names.join(", "))
        }
    }
}

/// `ctit_modal_share (95.6%, peers 2.2%)`.
fn with_peers(page: &Page, signal: &'static Signal) -> String {
    let peers = signs::compared(&page.group, signal).filter(|v| v.peers > 0);
    match (signs::estimate(&page.group, signal), peers) {
        (Some(own), Some(versus)) => {
            let [own, peers] = [own.value(), versus.expected].map(|value| signal.unit.format(value));
            format!("{} ({own}, peers {peers})", signal.name)
        }
        _ => signal.name.to_owned(),
    }
}

fn one(page: &Page, step: &Move) -> String {
    let (from, to) = (&step.from, &step.to);
    let verb = if to.value() < from.value() { "fell" } else { "rose" };
    let limit = match step.limit {
        Limit::Above(_) | Limit::Below(_) => {
            format!(" (limit: {} {})", step.limit.word(), step.limit.text(step.signal.unit))
        }
        Limit::Peers(_) => beside(page, step),
        _ => format!(" (limit: {})", step.limit.text(step.signal.unit)),
    };
    let (from, to) = (told(step.signal, from), told(step.signal, to));
    format!("{} {verb} from {from} to {to}{limit}", step.signal.name)
}

/// ` (peers have 1.2%; limit: q 0.1)`.
fn beside(page: &Page, step: &Move) -> String {
    let versus = signs::compared(&page.group, step.signal);
    let usual =
        versus.map_or(String::new(), |v| format!("peers have {}; ", step.signal.unit.format(v.expected)));
    format!(" ({usual}limit: {})", step.limit.text(step.signal.unit))
}

/// What the rules that decide lack.
fn missing(sheet: &mut Sheet, page: &Page) {
    sheet.say("These rules have to be answered before it can be called clean:");
    let mut lacks: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (rule, whys) in &page.group.unknown {
        let Rule { id, .. } = rule;
        let words: Vec<String> = whys.iter().map(lack).collect();
        lacks.entry(words.join("; and ")).or_default().push(id);
    }
    for (lack, rules) in lacks {
        sheet.labelled("·", &format!("{}: {lack}.", rules.join(", ")));
    }
}

fn lack(why: &Why) -> String {
    match why {
        Why::Sample { signal, n, needed } => {
            let more = count(needed.saturating_sub(*n));
            let (n, needed) = (count(*n), count(*needed));
            format!("{more} more {} ({n} now, {needed} needed for {})", signal.sample, signal.name)
        }
        other => other.to_string(),
    }
}

fn samples(sheet: &mut Sheet, page: &Page) {
    let samples = &page.details.samples;
    if samples.rows.is_empty() {
        return;
    }
    let shown = if samples.all > samples.rows.len() as u64 {
        format!(" ({} of {})", samples.rows.len(), whole(samples.all))
    } else {
        String::new()
    };
    sheet.heading(&format!("Conversions to look at: {}{shown}", samples.what));
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|c| samples.rows.iter().any(|r| (c.cell)(r).is_some())).collect();
    let cells = |row| columns.iter().map(|c| (c.cell)(row).unwrap_or_else(|| "–".to_owned())).collect();
    let mut rows = vec![columns.iter().map(|c| c.name.to_owned()).collect::<Vec<String>>()];
    rows.extend(samples.rows.iter().map(cells));
    let beside = fitting(&widths(&rows), sheet.width - INDENT);
    let shown: Vec<Vec<String>> = rows.iter().map(|row| row[..beside].to_vec()).collect();
    let right: Vec<bool> = columns.iter().map(|c| c.right).collect();
    let mut lines = aligned(&shown, &right).into_iter();
    lines.next().iter().for_each(|heads| sheet.row(heads));
    for (line, row) in lines.zip(&samples.rows) {
        sheet.row(&line);
        sheet.lines.line("", BELOW, &below(row, &columns[beside..]));
    }
}

/// How many of the columns have room beside each other.
fn fitting(widths: &[usize], room: usize) -> usize {
    (1..=widths.len()).rev().find(|&n| breadth(&widths[..n]) <= room).unwrap_or(1)
}

/// What stands below a conversion: the columns that have no room beside the others, and the IDs to ask the
/// advertiser about, uncut.
fn below(sample: &Sample, columns: &[&Column]) -> String {
    let more = columns.iter().filter_map(|c| Some(format!("{} {}", c.name, (c.cell)(sample)?)));
    let click = text(&sample.click_id, ID).map_or("no click ID".to_owned(), |id| format!("click {id}"));
    let transaction = text(&sample.transaction_id, ID).map(|id| format!("transaction {id}"));
    more.chain([click]).chain(transaction).collect::<Vec<String>>().join(" · ")
}

/// A column of the table of conversions.
struct Column {
    name: &'static str,
    right: bool,
    cell: fn(&Sample) -> Option<String>,
}

const COLUMNS: &[Column] = &[
    Column { name: "time", right: false, cell: |s| Some(time::show(s.time)) },
    Column { name: "CTIT", right: true, cell: |s| s.ctit_s.map(|t| Unit::Seconds.format(t as f64)) },
    Column { name: "event", right: false, cell: |s| Some(s.event.term(WORD)) },
    Column { name: "status", right: false, cell: |s| Some(s.status.to_owned()) },
    Column { name: "amount", right: true, cell: |s| s.amount.map(|a| money(Some(a))) },
    Column { name: "offer", right: false, cell: |s| text(&s.offer, WORD) },
    Column { name: "country", right: false, cell: |s| text(&s.country, WORD) },
    Column { name: "network", right: false, cell: |s| s.address.as_ref().map(|a| a.term(ID)) },
    Column {
        name: "matched",
        right: false,
        cell: |s| (s.class != "matched").then(|| s.class.replace('_', " ")),
    },
];

fn text(text: &Option<Text>, room: usize) -> Option<String> {
    text.as_ref().map(|t| t.term(room))
}
