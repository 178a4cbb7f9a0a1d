//! What all parts of the page look at: the groups in order, which of them have a row and which a panel, and names.

use super::panel;
use super::writer::Html;
use crate::base::column::Col;
use crate::base::money::Micro;
use crate::report::phrase::{count, money};
use crate::report::{Report, ordered};
use crate::signals::{self, Estimate};
use crate::verdicts::{Judged, Verdict};
use std::cmp::Reverse;
use std::ops::Range;

/// Cells of a part of a name.
pub const NAME: usize = 60;

/// The same in the title of a mark.
const TITLE: usize = 24;

/// Rows of the table, and marks of the plots: all flagged groups, then those with the most clicks.
const ROWS: usize = 2_000;
/// Bytes for the panels of flagged groups. With [`ROWS`] this keeps the file below two megabytes.
const PANEL_BYTES: usize = 850_000;
/// Those for panels in words alone: what is left of them, and the rest, goes to the pictures of the gravest.
const WORD_BYTES: usize = 700_000;

/// The report as the page shows it.
pub struct View<'a, 'r> {
    pub report: &'a Report<'r>,
    /// All groups in the order of every output. The first [`View::panels`] of them have a panel.
    pub groups: Vec<&'a Judged<'r>>,
    /// Whether the group of this place has a row in the table.
    rows: Vec<bool>,
    /// The columns of the key that say anything, with their place in it.
    pub columns: Vec<(usize, Col)>,
    pub panels: usize,
    /// So many of them, the gravest, have pictures and tables; the others have their reasons in words.
    pub full: usize,
    /// The panels, written beforehand: links need to know which there are.
    pub written: Html,
}

impl<'a, 'r> View<'a, 'r> {
    pub fn new(report: &'a Report<'r>) -> View<'a, 'r> {
        let groups = ordered(&report.groups);
        let says = |at: usize| groups.iter().any(|g| g.subject.key.get(at).is_some_and(Option::is_some));
        let all = report.run.grain.columns().iter().copied().enumerate();
        let columns: Vec<(usize, Col)> = all.filter(|(at, _)| says(*at)).collect();
        let rows = rows(report, &groups);
        let mut view = View { report, groups, rows, columns, panels: 0, full: 0, written: Html::default() };
        view.write_panels();
        view
    }

    /// Every flagged group has its reasons in words, as far as the file reaches; the gravest have all.
    fn write_panels(&mut self) {
        let worded = self.panels(0..self.flagged(), panel::brief, WORD_BYTES);
        self.panels = worded.len();
        let mut left = PANEL_BYTES - worded.iter().map(Html::len).sum::<usize>();
        let mut whole = Vec::new();
        for (at, worded) in worded.iter().enumerate() {
            let mut one = Html::default();
            panel::one(&mut one, self, at);
            let Some(rest) = (left + worded.len()).checked_sub(one.len()) else { break };
            left = rest;
            whole.push(one);
        }
        self.full = whole.len();
        whole.iter().chain(&worded[self.full..]).for_each(|one| self.written.append(one));
    }

    /// The panels of these groups, as many as there is room for.
    fn panels(&self, groups: Range<usize>, write: fn(&mut Html, &View, usize), room: usize) -> Vec<Html> {
        let mut used = 0;
        let panel = |at| {
            let mut one = Html::default();
            write(&mut one, self, at);
            one
        };
        let fits = |one: &Html| {
            used += one.len();
            used <= room
        };
        groups.map(panel).take_while(fits).collect()
    }

    /// How many groups are at watch or graver: they come first.
    pub fn flagged(&self) -> usize {
        self.groups.iter().take_while(|g| g.verdict <= Verdict::Watch).count()
    }

    /// The groups of the audited grain that have a row, with their places.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &'a Judged<'r>)> + '_ {
        self.groups.iter().copied().enumerate().filter(|(at, _)| self.rows[*at])
    }

    /// Groups of the audited grain.
    pub fn audited(&self) -> usize {
        self.groups.iter().filter(|g| g.subject.grain == self.report.run.grain).count()
    }

    /// `1,204.50 USD`, or a dash.
    pub fn money(&self, amount: Option<Micro>) -> String {
        match (amount, &self.report.run.currency) {
            (Some(_), Some(currency)) => format!("{} {}", money(amount), currency.term(20)),
            _ => money(amount),
        }
    }

    /// The name of a group, its parts apart.
    pub fn name(&self, h: &mut Html, group: &Judged) {
        if group.subject.key.iter().flatten().next().is_none() {
            return h.text("(none)");
        }
        for (at, part) in group.subject.key.iter().flatten().enumerate() {
            if at > 0 {
                h.words("span", &[("class", "sep")], " / ");
            }
            h.element("bdi", &[], |h| h.data(part, NAME));
        }
    }

    /// The same as plain text, for the title of a mark.
    pub fn title(h: &mut Html, group: &Judged) {
        for (at, part) in group.subject.key.iter().flatten().enumerate() {
            if at > 0 {
                h.text(" / ");
            }
            h.data(part, TITLE);
        }
    }

    /// The link to a group's panel, or its name alone.
    pub fn link(&self, h: &mut Html, at: usize, inside: impl FnOnce(&mut Html)) {
        if at < self.panels {
            h.element("a", &[("href", &format!("#s{at}"))], inside);
        } else {
            inside(h);
        }
    }
}

/// Which groups have a row: those of the audited grain, flagged ones first, then the largest.
fn rows(report: &Report, groups: &[&Judged]) -> Vec<bool> {
    let mut places: Vec<usize> =
        (0..groups.len()).filter(|&at| groups[at].subject.grain == report.run.grain).collect();
    let size = |group: &Judged| Reverse(group.subject.clicks);
    places.sort_by_key(|&at| (Some(size(groups[at])).filter(|_| groups[at].verdict > Verdict::Watch), at));
    let mut rows = vec![false; groups.len()];
    places.into_iter().take(ROWS).for_each(|at| rows[at] = true);
    rows
}

/// The signal of this name of a group, if it has a value.
pub fn estimate<'g>(group: &'g Judged, name: &str) -> Option<&'g Estimate> {
    group.subject.row.reading(signals::find(name).expect("the signal is declared")).estimate()
}

/// The word of a verdict with its mark, which plots have, too: colour never says it alone.
pub fn badge(h: &mut Html, verdict: Verdict) {
    h.words("span", &[("class", &format!("v {}", class(verdict)))], verdict.word());
}

/// The class of what belongs to a verdict in the style sheet.
pub fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Block => "b",
        Verdict::Hold => "h",
        Verdict::Watch => "w",
        Verdict::Clean => "c",
        Verdict::Undecided => "u",
    }
}

/// All verdicts, the gravest first.
pub const VERDICTS: [Verdict; 5] =
    [Verdict::Block, Verdict::Hold, Verdict::Watch, Verdict::Clean, Verdict::Undecided];

/// `3 of 2,000 sources`.
pub fn of_all(n: usize, all: usize) -> String {
    format!("{} of {}", count(n as u64), count(all as u64))
}
