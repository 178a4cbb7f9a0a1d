//! What was found beside the verdicts: incidents, shared visitors, odd sources, growth, and what could not be decided.

use super::view::View;
use super::writer::Html;
use crate::base::text::Text;
use crate::report::phrase::{count, counted};
use crate::report::{List, forwarded_lines, idle, terminal};
use crate::verdicts::{Idle, Judged, Verdict};

/// Lines of a list; the JSON report has all.
const SHOWN: usize = 20;
/// Cells of a sentence.
const SENTENCE: usize = 1_000;

pub fn write(h: &mut Html, view: &View) {
    h.words("h2", &[], "Also found");
    let parts = [
        observed(view),
        suppressed(view),
        incidents(view),
        siblings(view),
        forwarded(view),
        clusters(view),
        odd(view),
        growth(view),
        undecided(view),
        left_out(view),
    ];
    let parts: Vec<Part> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        h.words("p", &[], "No incidents, no shared visitors, no source that stands out beside the verdicts.");
    }
    for part in parts {
        h.words("h3", &[], part.name);
        h.words("p", &[("class", "soft")], &part.says);
        h.element("ul", &[], |h| part.lines.iter().take(SHOWN).for_each(|line| h.words("li", &[], line)));
        let more = part.lines.len().saturating_sub(SHOWN) as u64;
        if more > 0 {
            h.words("p", &[("class", "soft")], &format!("and {} more", count(more)));
        }
    }
}

/// A list with what it means.
struct Part {
    name: &'static str,
    says: String,
    lines: Vec<String>,
}

/// The part, if it has a line.
fn part(name: &'static str, says: impl Into<String>, lines: Vec<String>) -> Option<Part> {
    (!lines.is_empty()).then(|| Part { name, says: says.into(), lines })
}

fn observed(view: &View) -> Option<Part> {
    let groups = idle::observed(view.report);
    let line =
        |g: &&Judged| format!("{} {}: {}", g.would_be.word(), terminal::name(&g.subject.key), idle::rules(g));
    part("Would have been", format!("{}.", idle::would(groups.len())), groups.iter().map(line).collect())
}

fn suppressed(view: &View) -> Option<Part> {
    let all = idle::suppressed(view.report);
    let line =
        |(g, idle): &(&Judged, &Idle)| format!("{}: {}", terminal::name(&g.subject.key), idle::told(idle));
    part("Suppressed findings", format!("{}.", idle::silenced(all.len())), all.iter().map(line).collect())
}

fn incidents(view: &View) -> Option<Part> {
    let says = "Days on which most sources stop converting at once judge no source.";
    part("Incidents", says, view.report.incidents.iter().map(terminal::incident).collect())
}

fn siblings(view: &View) -> Option<Part> {
    let behind = view.report.siblings.iter().flat_map(|s| {
        let comparison = s.behind.then(|| terminal::comparison(s));
        comparison.into_iter().chain(terminal::turn(s))
    });
    part(
        "Networks that fall behind",
        "The same offer on the same zones; this accuses no source.",
        behind.collect(),
    )
}

fn forwarded(view: &View) -> Option<Part> {
    let lines: Vec<String> = view.report.forwarded.iter().flat_map(forwarded_lines).collect();
    part("What the traffic source was told", "Postbacks that were forwarded, beside the conversions.", lines)
}

fn clusters(view: &View) -> Option<Part> {
    let all = view.report.clusters.iter().zip(view.report.clustered());
    let lines = all.map(|(resold, members)| terminal::outlook::cluster(view.report, resold, &members));
    let says = "Sources whose clicks come from the same networks with the same user agents. By itself no fault: zones of \
                one site do so, too.";
    part("The same visitors", says, lines.collect())
}

fn odd(view: &View) -> Option<Part> {
    let lines = view.report.odd().into_iter().map(|(group, odd)| terminal::outlook::oddity(group, odd));
    let says = "The oddest over all signals together. That is no verdict: some source is always the oddest.";
    part("Worth a look", says, lines.collect())
}

fn growth(view: &View) -> Option<Part> {
    let growing: Vec<&Judged> = view.groups.iter().copied().filter(|g| g.outlook.scalable).collect();
    let gated = !view.report.coverage.gates.is_empty();
    let lines = growing.iter().filter(|_| !gated).map(|g| terminal::name(&g.subject.key)).collect();
    part("Could be scaled", terminal::outlook::scaled(view.report, growing.len()), lines)
}

fn undecided(view: &View) -> Option<Part> {
    let groups: Vec<&Judged> =
        view.groups.iter().copied().filter(|g| g.verdict == Verdict::Undecided).collect();
    let lacks = terminal::lacks(&groups);
    let lines = lacks.into_iter().map(|(why, n)| format!("{why}: {}", counted(n, "group", "groups")));
    let total = counted(groups.len() as u64, "group is", "groups are");
    let says = format!("{total} undecided: there is not enough data to call them clean. What they lack:");
    part("Undecided", says, lines.collect())
}

fn left_out(view: &View) -> Option<Part> {
    let lists = [("block list", &view.report.lists.block), ("profit list", &view.report.lists.profit)];
    let mut lines = Vec::new();
    for (name, list) in lists {
        if let List::Ready(listing) = list {
            let mut rejected: Vec<&(Text, &str)> = listing.rejected.iter().collect();
            rejected.sort_unstable();
            lines.extend(rejected.into_iter().map(|(id, why)| format!("{name}: {}: {why}", id.term(60))));
        }
    }
    lines.iter_mut().for_each(|line| *line = line.chars().take(SENTENCE).collect());
    part("Left out of the lists", "IDs that a list cannot hold; they have to be blocked by hand.", lines)
}
