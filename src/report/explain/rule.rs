//! One rule on one page: what it looks at, why, what else it could be, how it is tested, and how often it fired.

use crate::base::text::Text;
use crate::report::terminal::Page as Lines;
use crate::report::{Look, phrase};
use crate::rules::{Rule, describe};
use phrase::{count, counted};

/// Cells of a page that no terminal shows, and those of a file's name.
const WIDTH: usize = 100;
const NAME: usize = 200;
/// Nights that are told one by one.
const NIGHTS: usize = 7;
/// Indent of what belongs to a heading.
const INDENT: usize = 2;

/// Everything that the page says.
pub struct RulePage {
    pub rule: Rule,
    /// Where its file lies.
    pub origin: String,
    /// Why a run leaves it out, if it does.
    pub left_out: Option<String>,
    /// What it said in the runs whose reports were given.
    pub runs: Vec<RuleRun>,
    /// What it said in the nights of a store, by grain.
    pub nights: Vec<RuleNights>,
}

/// Where a rule fired with effect in the nights of one grain.
pub struct RuleNights {
    /// The columns that make a group.
    pub grain: Vec<String>,
    /// The nights that were looked at: the last ones.
    pub nights: usize,
    /// Those on which it fired, the newest first.
    pub fired: Vec<RuleNight>,
}

/// A night on which a rule fired.
pub struct RuleNight {
    pub night: String,
    pub groups: u64,
    pub fires: u64,
}

/// What a rule said in one run.
pub struct RuleRun {
    /// The file of the report.
    pub name: Text,
    /// None if the run did not ask it.
    pub counts: Option<RuleCounts>,
}

/// Groups by a rule's answer.
#[derive(Clone, Copy, Debug)]
pub struct RuleCounts {
    pub groups: u64,
    pub fires: u64,
    pub unknown: u64,
    pub suppressed: u64,
}

impl RulePage {
    /// The page as text.
    pub fn text(&self, look: &Look) -> String {
        let width = look.width.unwrap_or(WIDTH).max(60);
        let mut lines = Lines { look: Look { width: Some(width), ..*look }, text: String::new() };
        let rule = &self.rule;
        lines.line("", 0, &format!("{}: {}.", rule.id, rule.title));
        lines.line("", 0, &what(rule));
        lines.line("", 0, &format!("It comes from {}.", self.origin));
        if let Some(why) = &self.left_out {
            lines.line("", 0, &format!("A run leaves it out: {why}."));
        }
        looks_at(&mut lines, rule);
        heading(&mut lines, "Why");
        lines.line("  ", INDENT, &phrase::unwrapped(&rule.why));
        list(&mut lines, "Innocent causes", &rule.innocent);
        let params: Vec<String> = rule
            .params
            .iter()
            .map(|p| format!("{} is {} (its file says {})", p.name, p.value, p.default))
            .collect();
        list(&mut lines, "Parameters", &params);
        let changed: Vec<String> = rule
            .changed
            .iter()
            .map(|c| format!("{} is {}, not {} ({})", c.what, c.to, c.from, c.place))
            .collect();
        list(&mut lines, "Changed for a run", &changed);
        let tests: Vec<String> =
            rule.tests.iter().map(|test| format!("{:<7} {}", test.expect.word(), test.name)).collect();
        list(&mut lines, "Tests", &tests);
        list(&mut lines, "Where its limits come from", &rule.references);
        let runs: Vec<String> = self.runs.iter().map(run).chain(self.nights.iter().map(nights)).collect();
        list(&mut lines, "How often it fired", &runs);
        lines.text
    }
}

/// `block, fraud, family ctit, stable; pack core; it decides whether a group is clean; it blocks alone.`
fn what(rule: &Rule) -> String {
    let packs: Vec<&str> = rule.packs.iter().map(|pack| pack.word()).collect();
    let mut parts = vec![
        format!(
            "Action {}, class {}, family {}, {}",
            rule.action.word(),
            rule.class.word(),
            rule.family.word(),
            rule.status.word()
        ),
        format!("pack {}", packs.join(", ")),
    ];
    let flags = [
        (rule.decides, "no group is clean without its answer"),
        (rule.alone, "it blocks without a second family of evidence"),
        (rule.deterministic, "its evidence proves itself"),
        (rule.observe, "it only observes"),
    ];
    parts.extend(flags.iter().filter(|(holds, _)| *holds).map(|(_, words)| (*words).to_owned()));
    parts.extend(rule.allowed_by.map(|a| format!("it only notes where the offers allow {}", a.word())));
    parts.extend(rule.by.as_ref().map(|grain| format!("it groups by {grain}")));
    parts.extend(rule.replaces.as_ref().map(|id| format!("it stands in for {id}")));
    parts.extend(rule.replaced_by.as_ref().map(|id| format!("{id} took its place")));
    parts.join("; ") + "."
}

fn looks_at(lines: &mut Lines, rule: &Rule) {
    heading(lines, "It fires on");
    for line in describe::condition(rule) {
        let indent = INDENT + 2 * line.depth;
        lines.line(&" ".repeat(indent), indent + 2, &line.text);
    }
    lines.part();
    for signal in describe::signals(rule) {
        lines.line("  ", INDENT + 2, &format!("{}: {}.", signal.name, signal.summary));
    }
}

fn run(run: &RuleRun) -> String {
    let name = run.name.term(NAME);
    let Some(counts) = run.counts else { return format!("{name}: the run did not ask it") };
    let mut text =
        format!("{name}: on {} of {}", count(counts.fires), counted(counts.groups, "group", "groups"));
    for (n, what) in [(counts.suppressed, "suppressed"), (counts.unknown, "without an answer")] {
        if n > 0 {
            text.push_str(&format!(", {} {what}", count(n)));
        }
    }
    text
}

/// `stored nights by source: with effect on 2 of the last 3: 2026-03-14 on 4 of 33 groups, 2026-03-13 on 4 of 31 groups`.
fn nights(of: &RuleNights) -> String {
    let grain: Vec<String> =
        of.grain.iter().map(|column| Text::of_user(column.as_str()).term(NAME)).collect();
    let nights = match of.nights {
        1 => "the last one".to_owned(),
        n => format!("the last {}", count(n as u64)),
    };
    let text = format!("stored nights by {}: with effect on {} of {nights}", grain.join(","), of.fired.len());
    let one = |night: &RuleNight| {
        let day = Text::of_user(night.night.as_str()).term(NAME);
        format!("{day} on {} of {}", count(night.fires), counted(night.groups, "group", "groups"))
    };
    let mut all: Vec<String> = of.fired.iter().take(NIGHTS).map(one).collect();
    let more = of.fired.len().saturating_sub(NIGHTS) as u64;
    all.extend((more > 0).then(|| counted(more, "earlier night", "earlier nights")));
    if all.is_empty() { text } else { format!("{text}: {}", all.join(", ")) }
}

fn heading(lines: &mut Lines, title: &str) {
    lines.part();
    lines.line("", 0, title);
}

fn list(lines: &mut Lines, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    heading(lines, title);
    items.iter().for_each(|item| lines.line("  ", INDENT + 2, item));
}
