//! The report as Markdown, for tickets and wikis: what was decided, by what, and on how good an input.
//!
//! A page for people: flagged sources are listed as far as a page goes, and it says how many are left out.

use super::idle;
use super::money::claimed;
use super::{Format, InputInfo, Kind, List, Look, Moved, Rendered, Report, RowCount, phrase};
use crate::base::error::Result;
use crate::base::text::Text;
use crate::base::time;
use crate::verdicts::{Judged, Verdict};

/// Flagged sources that are listed.
const SHOWN: usize = 200;
/// Cells of a name, and of a sentence.
const NAME: usize = 60;
const SENTENCE: usize = 500;

fn render(report: &Report, _: &Look) -> Result<Rendered> {
    let mut page = vec!["# Traffic audit".to_owned(), String::new(), whole(report), String::new()];
    let audited = report.audited();
    let flagged: Vec<&Judged> = audited.iter().copied().filter(|g| g.verdict <= Verdict::Watch).collect();
    page.extend(gates(report));
    page.extend(verdicts(&audited));
    page.extend(claimable(report));
    page.extend(changed(report));
    page.extend(sources(report, &flagged));
    page.extend(reasons(&flagged));
    page.extend(observed(report));
    page.extend(suppressed(report));
    page.extend(lists(report));
    page.extend(quality(report));
    let rest = report.history.as_ref().map_or("this one run".to_owned(), |h| {
        format!("this night and {}", phrase::counted(h.nights as u64, "night before it", "nights before it"))
    });
    page.push(format!(
        "Made by clickaudit {} with {} rules ({}). The verdicts rest on {rest}.",
        report.run.version,
        report.run.rules.evaluated(),
        report.run.rules_digest
    ));
    page.push(String::new());
    Ok(Rendered::Bytes(page.join("\n").into_bytes()))
}

fn whole(report: &Report) -> String {
    let totals = &report.totals;
    let window = report.run.window.map_or("unknown days".to_owned(), |(first, last)| {
        format!("{} to {}", time::show_day(first), time::show_day(last))
    });
    let currency = report.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.md(8)));
    format!(
        "{}, {} from {window} ({}), by {}. Cost {}{currency}, revenue {}{currency}, profit {}{currency}.",
        phrase::counted(totals.clicks, "click", "clicks"),
        phrase::counted(totals.conversions, "conversion", "conversions"),
        report.run.tz,
        Text::of_user(report.run.grain.to_string()).md(SENTENCE),
        phrase::money(totals.cost),
        phrase::money(totals.revenue),
        phrase::money(totals.profit),
    )
}

fn gates(report: &Report) -> Vec<String> {
    let mut gates: Vec<_> = report.coverage.gates.iter().collect();
    gates.sort();
    let line =
        |g: &super::Gate| format!("> **This input is not judged** ({}): {}", g.name, g.sentence.md(SENTENCE));
    let mut lines: Vec<String> = gates.into_iter().map(line).collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

fn verdicts(audited: &[&Judged]) -> Vec<String> {
    let mut lines = table(&["verdict", "sources", "at risk"]);
    for verdict in [Verdict::Block, Verdict::Hold, Verdict::Watch, Verdict::Clean, Verdict::Undecided] {
        let of = || audited.iter().filter(|g| g.verdict == verdict);
        let at_risk = phrase::sum(of().map(|g| g.money_at_risk));
        lines.push(row(&[verdict.word().to_owned(), of().count().to_string(), phrase::money(at_risk)]));
    }
    lines.push(String::new());
    lines
}

/// What can be claimed back, where something can.
fn claimable(report: &Report) -> Vec<String> {
    let Some(claim) = claimed(report, report.groups.iter()) else { return Vec::new() };
    let currency = report.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.md(8)));
    let sum = phrase::money(Some(claim.total));
    vec![format!("{sum}{currency} can be claimed back (counted): {}.", claim.told()), String::new()]
}

/// What changed since the night before, or since the run that was named.
fn changed(report: &Report) -> Vec<String> {
    let Some(news) = &report.news else { return Vec::new() };
    let currency = report.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.md(8)));
    let mut lines = vec!["## What changed".to_owned(), String::new()];
    lines.extend([format!("{}.", news.headline(&currency).replacen('s', "S", 1)), String::new()]);
    let line = |moved: &Moved| {
        let name: Vec<String> =
            moved.key.iter().map(|part| part.as_ref().map_or("–".to_owned(), |t| t.md(NAME))).collect();
        let money = moved.at_risk.map_or(String::new(), |m| format!(", {} at risk", phrase::money(Some(m))));
        let why =
            moved.why.as_deref().map_or(String::new(), |why| format!(": {}", Text::new(why).md(SENTENCE)));
        format!("- {}: {}, {}{money}{why}", moved.change.word(), name.join(" / "), moved.step())
    };
    lines.extend(news.moved.iter().take(SHOWN).map(line));
    if news.moved.len() > SHOWN {
        lines.push(format!("- and {} more", news.moved.len() - SHOWN));
    }
    lines.extend(
        news.notes.iter().map(|note| format!("- Note: {}", Text::of_user(note.as_str()).md(SENTENCE))),
    );
    lines.push(String::new());
    lines
}

fn sources(report: &Report, flagged: &[&Judged]) -> Vec<String> {
    if flagged.is_empty() {
        return vec!["No source is to be blocked, held or watched.".to_owned(), String::new()];
    }
    let columns: Vec<String> =
        report.run.grain.columns().iter().map(|c| Text::of_user(c.name()).md(NAME)).collect();
    let fixed = ["verdict", "class", "clicks", "cost", "at risk", "score", "rules"];
    let names: Vec<&str> = columns.iter().map(String::as_str).chain(fixed).collect();
    let mut lines = vec!["## Sources".to_owned(), String::new()];
    lines.extend(table(&names));
    lines.extend(flagged.iter().take(SHOWN).map(|group| row(&source(group))));
    lines.push(String::new());
    if flagged.len() > SHOWN {
        lines.push(format!("{} more flagged sources are left out here.", flagged.len() - SHOWN));
        lines.push(String::new());
    }
    lines
}

fn source(group: &Judged) -> Vec<String> {
    let mut cells = names(group);
    let protected = if group.protected { " (protected)" } else { "" };
    let rules: Vec<String> =
        group.findings.iter().map(|f| Text::of_user(f.rule.id.as_str()).md(NAME)).collect();
    cells.extend([
        format!("**{}**{protected}", group.verdict.word()),
        group.class.map_or("", |c| c.word()).to_owned(),
        phrase::count(group.subject.clicks),
        phrase::money(group.subject.spend),
        phrase::money(group.money_at_risk),
        group.score().map_or("–".to_owned(), |score| format!("{score:.0}")),
        rules.join(", "),
    ]);
    cells
}

fn names(group: &Judged) -> Vec<String> {
    group.subject.key.iter().map(|part| part.as_ref().map_or("–".to_owned(), |t| t.md(NAME))).collect()
}

fn reasons(flagged: &[&Judged]) -> Vec<String> {
    let mut lines = Vec::new();
    for group in flagged.iter().take(SHOWN) {
        if lines.is_empty() {
            lines.extend(["## Reasons".to_owned(), String::new()]);
        }
        lines.extend([format!("### {} – {}", names(group).join(" / "), group.verdict.word()), String::new()]);
        let finding = |f: &crate::verdicts::Finding| {
            let told = Text::of_user(phrase::finding(f)).md(usize::MAX);
            format!("- {}: {told}", Text::of_user(f.title.as_str()).md(usize::MAX))
        };
        lines.extend(group.findings.iter().map(finding));
        lines.push(String::new());
    }
    lines
}

/// What rules that only observe would have done.
fn observed(report: &Report) -> Vec<String> {
    let groups = idle::observed(report);
    if groups.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["## Would have been".to_owned(), String::new()];
    lines.extend([format!("{}.", idle::would(groups.len())), String::new()]);
    lines.extend(table(&["source", "would be", "rules", "finding"]));
    lines.extend(groups.iter().take(SHOWN).map(|group| {
        let told = idle::findings(group).next().map_or(String::new(), phrase::finding);
        let name = names(group).join(" / ");
        let rules = Text::of_user(idle::rules(group)).md(SENTENCE);
        row(&[name, group.would_be.word().to_owned(), rules, Text::of_user(told).md(SENTENCE)])
    }));
    lines.extend(more(groups.len()));
    lines
}

/// Findings that somebody answers for.
fn suppressed(report: &Report) -> Vec<String> {
    let all = idle::suppressed(report);
    if all.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["## Suppressed".to_owned(), String::new()];
    lines.extend([format!("{}:", idle::silenced(all.len())), String::new()]);
    lines.extend(all.iter().take(SHOWN).map(|(group, idle)| {
        format!("- {}: {}", names(group).join(" / "), Text::of_user(idle::told(idle)).md(SENTENCE))
    }));
    lines.extend(more(all.len()));
    lines
}

fn more(all: usize) -> Vec<String> {
    let more = (all > SHOWN).then(|| format!("{} more are left out here.", all - SHOWN));
    [Some(String::new()), more.clone(), more.map(|_| String::new())].into_iter().flatten().collect()
}

fn lists(report: &Report) -> Vec<String> {
    let all =
        [("block", &report.lists.block), ("profit", &report.lists.profit), ("scale", &report.lists.scale)];
    let line = |(name, list): (&str, &List)| match list {
        List::Ready(listing) => {
            let left = match listing.rejected.len() {
                0 => String::new(),
                n => format!(", {n} left out: a list cannot hold them"),
            };
            format!("- {name}: {}{left}", phrase::counted(listing.ids.len() as u64, "ID", "IDs"))
        }
        List::Withheld(why) => format!("- {name}: withheld, {}", Text::new(why.as_str()).md(SENTENCE)),
    };
    let mut lines = vec!["## Lists".to_owned(), String::new()];
    lines.extend(all.map(line));
    lines.push(String::new());
    lines
}

fn quality(report: &Report) -> Vec<String> {
    let mut lines = vec!["## Data quality".to_owned(), String::new()];
    lines.extend(table(&["input", "read as", "rows read", "rejected", "BLAKE3"]));
    let mut inputs: Vec<&InputInfo> = report.run.inputs.iter().collect();
    inputs.sort_by_key(|i| (i.side, &i.path, &i.digest));
    lines.extend(inputs.into_iter().map(|i| row(&input(i))));
    lines.push(String::new());
    lines.extend(
        phrase::accounts(&report.coverage)
            .into_iter()
            .map(|line| format!("- {}", Text::of_user(line).md(SENTENCE))),
    );
    lines.push(String::new());
    let classes = report.coverage.classes.table();
    let known: Vec<String> = classes
        .iter()
        .filter(|(_, _, n)| *n > 0)
        .map(|(_, words, n)| format!("{} {words}", phrase::count(*n)))
        .collect();
    if !known.is_empty() {
        lines.extend([format!("Conversions: {}.", known.join(", ")), String::new()]);
    }
    let mut notes: Vec<String> =
        report.coverage.notes.iter().map(|n| format!("- {}", n.md(SENTENCE))).collect();
    notes.sort();
    if !notes.is_empty() {
        notes.push(String::new());
    }
    lines.extend(notes);
    lines
}

fn input(input: &InputInfo) -> Vec<String> {
    let rows: &RowCount = &input.rows;
    vec![
        input.path.md(NAME),
        input.side.to_owned(),
        phrase::count(rows.read),
        phrase::count(rows.rejected.values().sum()),
        input.digest.chars().take(12).collect(),
    ]
}

fn table(columns: &[&str]) -> Vec<String> {
    let rule: Vec<&str> = columns.iter().map(|_| "---").collect();
    vec![row(&columns.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>()), format!("|{}|", rule.join("|"))]
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

pub const FORMAT: Format = Format {
    name: "md",
    summary: "a page in Markdown, for tickets and wikis",
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

    fn page(report: &Report) -> String {
        let bytes = render(report, &Look::PLAIN).unwrap().collected(report).unwrap().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_sample_as_a_page() {
        let rules = sample::rules();
        let page = page(&sample::report(&rules));
        for part in [
            "| **block** | fraud | 2,401 | 480.20 | 1,204.00 | – | conversions-too-fast, replayed-conversions, one-address |",
            "| block | 2 | 1,204.00 |",
            "- block: 2 IDs, 1 left out: a list cannot hold them",
            "| clicks.csv | clicks | 10 | 0 | d1 |",
            "- clicks: 41,215 rows read = 41,203 used + 8 rejected + 4 duplicate (click_time is no time 7, ",
            "### – / pub10032 – block",
        ] {
            assert!(page.contains(part), "no {part} in\n{page}");
        }
    }

    #[test]
    fn no_text_becomes_markup() {
        let rules = sample::rules();
        let lines = |text: &str| page(&sample::hostile(&rules, text)).lines().count();
        let expected = lines("x");
        for text in HOSTILE {
            let shown = page(&sample::hostile(&rules, text));
            assert_eq!(shown.lines().count(), expected, "{text:?}");
            let table: Vec<&str> = shown.lines().filter(|l| l.contains("**block**")).collect();
            let bars = table[0].replace("\\|", "").matches('|').count();
            assert_eq!(bars, 10, "{text:?}: {}", table[0]);
            assert!(!shown.replace("> **", "").contains(['<', '@']), "{text:?}: {shown}");
        }
    }

    #[test]
    fn a_long_list_says_what_it_leaves_out() {
        let rules = sample::rules();
        let page = page(&sample::watched(&rules, SHOWN + 7));
        assert!(page.contains("7 more flagged sources are left out here."));
    }
}
