//! The report in one chat message: what to cut, hold and scale, the money, and what was not judged and why.
//!
//! Plain text for any service: nothing in it links, mentions or formats. It never exceeds what the strictest
//! of them takes in one message; what does not fit is counted. What changed is said only where nights are remembered
//! or an earlier run is named.

use super::idle;
use super::money::claimed;
use super::{First, Format, Kind, List, Look, Moved, News, Rendered, Report, phrase};
use crate::base::error::Result;
use crate::base::text::Text;
use crate::base::time;
use crate::rules::{Class, Why};
use crate::verdicts::{Idle, Judged, Verdict};

/// Telegram's limit for a message is 4,096 UTF-16 units; the text stays below it.
const LIMIT: usize = 4_095;
/// Sources named in one section, and cells of a name.
const NAMED: usize = 12;
const NAME: usize = 40;
const SENTENCE: usize = 200;
/// Cells of the reason for a change: with all that are named they leave room for the rest of the message.
const WHY: usize = 120;

fn render(report: &Report, _: &Look) -> Result<Rendered> {
    let mut lines = vec![head(report), money(report)];
    lines.extend(report.news.as_ref().map(|news| format!("Changed {}", news.headline(&currency(report)))));
    lines.extend(gates(report));
    let audited = report.audited();
    let of =
        |wanted: &dyn Fn(&Judged) -> bool| audited.iter().copied().filter(|g| wanted(g)).collect::<Vec<_>>();
    let cut = |profit: bool| {
        move |g: &Judged| g.verdict == Verdict::Block && (g.class == Some(Class::Profit)) == profit
    };
    section(&mut lines, "CUT (fraud, quality, data)", &of(&cut(false)), report);
    section(&mut lines, "CUT (loses money)", &of(&cut(true)), report);
    section(&mut lines, "HOLD (do not pay yet)", &of(&|g| g.verdict == Verdict::Hold), report);
    section(&mut lines, "SCALE (clean, earns more than the target)", &of(&|g| g.outlook.scalable), report);
    lines.extend(observed(report));
    lines.extend(suppressed(report));
    lines.extend(not_judged(report, &audited));
    lines.extend(withheld(report));
    let said = report.coverage.idle_settings.iter();
    lines.extend(said.map(|note| format!("Note: {}", note.chat(SENTENCE))));
    match &report.news {
        Some(news) => lines.extend(changed(news)),
        None => lines.push(report.since_before().map_or_else(
            || "No earlier run is named: nothing is said of what changed.".to_owned(),
            |first| format!("This is {first}."),
        )),
    }
    Ok(Rendered::Bytes(fitted(&lines).into_bytes()))
}

fn head(report: &Report) -> String {
    let window = report.run.window.map_or(String::new(), |(first, last)| {
        format!(" {} to {}", time::show_day(first), time::show_day(last))
    });
    let totals = &report.totals;
    format!(
        "Traffic audit{window}: {}, {}",
        phrase::counted(totals.clicks, "click", "clicks"),
        phrase::counted(totals.conversions, "conversion", "conversions")
    )
}

fn currency(report: &Report) -> String {
    report.run.currency.as_ref().map_or(String::new(), |c| format!(" {}", c.chat(8)))
}

fn money(report: &Report) -> String {
    let (totals, currency) = (&report.totals, currency(report));
    let claim = claimed(report, report.groups.iter());
    let of = if report.is_only_news() { " of what changed" } else { "" };
    let back = claim.map_or(String::new(), |claim| {
        let sum = phrase::money(Some(claim.total));
        format!(". {sum}{currency}{of} can be claimed back (counted): {}", claim.told())
    });
    format!(
        "Cost {}{currency}, revenue {}{currency}, profit {}{currency}{back}",
        phrase::money(totals.cost),
        phrase::money(totals.revenue),
        phrase::money(totals.profit)
    )
}

fn gates(report: &Report) -> Vec<String> {
    let mut gates: Vec<_> = report.coverage.gates.iter().collect();
    gates.sort();
    let line = |g: &super::Gate| format!("NOT JUDGED, the whole input: {}", g.sentence.chat(SENTENCE));
    gates.into_iter().map(line).collect()
}

fn section(lines: &mut Vec<String>, title: &str, groups: &[&Judged], report: &Report) {
    if groups.is_empty() {
        return;
    }
    let at_risk = phrase::sum(groups.iter().map(|g| g.money_at_risk))
        .map_or(String::new(), |sum| format!(", {}{} at risk", phrase::money(Some(sum)), currency(report)));
    lines.push(String::new());
    lines.push(format!("{title}: {}{at_risk}", groups.len()));
    lines.extend(groups.iter().take(NAMED).map(|g| source(g)));
    if groups.len() > NAMED {
        lines.push(format!("… and {} more", groups.len() - NAMED));
    }
}

fn source(group: &Judged) -> String {
    let name = name(&group.subject.key);
    let why = group
        .findings
        .first()
        .map_or(String::new(), |f| format!(": {}", Text::of_user(f.title.as_str()).chat(SENTENCE)));
    let money = group.money_at_risk.map_or(String::new(), |m| format!(" ({})", phrase::money(Some(m))));
    let protected = if group.protected { " (protected, not listed)" } else { "" };
    format!("• {name}{money}{protected}{why}")
}

/// What rules that only observe would have done.
fn observed(report: &Report) -> Vec<String> {
    let groups = idle::observed(report);
    let line = |group: &&Judged| {
        let why = idle::findings(group).next().map_or(String::new(), |finding| {
            format!(": {}", Text::of_user(finding.title.as_str()).chat(SENTENCE))
        });
        format!("• {} {}{why}", group.would_be.word(), name(&group.subject.key))
    };
    listed("WOULD HAVE BEEN (only observed, nothing acts)", groups.iter().map(line).collect())
}

/// Findings that somebody answers for.
fn suppressed(report: &Report) -> Vec<String> {
    let line = |(group, idle): &(&Judged, &Idle)| {
        format!("• {}: {}", name(&group.subject.key), Text::of_user(idle::told(idle)).chat(SENTENCE))
    };
    listed("SUPPRESSED (without effect)", idle::suppressed(report).iter().map(line).collect())
}

/// A section with as many lines as one has; none without a line.
fn listed(title: &str, all: Vec<String>) -> Vec<String> {
    if all.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), format!("{title}: {}", all.len())];
    let more = all.len().saturating_sub(NAMED);
    lines.extend(all.into_iter().take(NAMED));
    lines.extend((more > 0).then(|| format!("… and {more} more")));
    lines
}

/// Who changed, the new ones first, then who left and who came.
fn changed(news: &News) -> Vec<String> {
    let gone = |(key, was): &(Vec<Option<Text>>, String)| {
        format!("• gone {}: was {}", name(key), Text::new(was.as_str()).chat(NAME))
    };
    let first = |first: &First| format!("• first seen {}: {}", name(&first.key), first.words());
    let moved = news.moved.iter().map(step).chain(news.gone.iter().map(gone));
    let all: Vec<String> = moved.chain(news.arrived.named.iter().map(first)).collect();
    let mut lines = Vec::new();
    if !all.is_empty() {
        lines.extend([String::new(), "CHANGED".to_owned()]);
    }
    lines.extend(all.iter().take(NAMED).cloned());
    if all.len() > NAMED {
        lines.push(format!("… and {} more", all.len() - NAMED));
    }
    lines.extend(
        news.notes.iter().map(|note| format!("Note: {}", Text::of_user(note.as_str()).chat(SENTENCE))),
    );
    lines
}

/// `• new popmax/3098120 (484.63): clean to block: why`.
fn step(moved: &Moved) -> String {
    let money = moved.at_risk.map_or(String::new(), |m| format!(" ({})", phrase::money(Some(m))));
    let why = moved.why.as_deref().map_or(String::new(), |why| format!(": {}", Text::new(why).chat(WHY)));
    format!("• {} {}{money}: {}{why}", moved.change.word(), name(&moved.key), moved.step())
}

fn name(key: &[Option<Text>]) -> String {
    let parts: Vec<String> = key.iter().flatten().map(|t| t.chat(NAME)).collect();
    if parts.is_empty() { "(none)".to_owned() } else { parts.join("/") }
}

/// Undecided groups, and the commonest reasons.
fn not_judged(report: &Report, audited: &[&Judged]) -> Vec<String> {
    let undecided: Vec<&&Judged> = audited.iter().filter(|g| g.verdict == Verdict::Undecided).collect();
    let mut lines = Vec::new();
    if !undecided.is_empty() {
        let mut reasons: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        for group in &undecided {
            let of_group: std::collections::BTreeSet<String> =
                group.unknown.iter().flat_map(|(_, why)| why.iter()).map(why).collect();
            of_group.into_iter().for_each(|why| *reasons.entry(why).or_default() += 1);
        }
        let mut reasons: Vec<(usize, String)> = reasons.into_iter().map(|(why, n)| (n, why)).collect();
        reasons.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        lines.push(String::new());
        lines.push(format!(
            "NOT JUDGED: {}, too little is known",
            phrase::counted(undecided.len() as u64, "source", "sources")
        ));
        lines.extend(
            reasons
                .iter()
                .take(3)
                .map(|(n, why)| format!("• {} ({n})", Text::of_user(why.as_str()).chat(SENTENCE))),
        );
    }
    let absent =
        report.coverage.absent.iter().map(|a| a.signal).collect::<std::collections::BTreeSet<_>>().len();
    if absent > 0 {
        lines.push(format!(
            "{} could not be told for some or all sources",
            phrase::counted(absent as u64, "signal", "signals")
        ));
    }
    lines
}

/// Why a rule could not be decided, in words that need no list of signals.
fn why(why: &Why) -> String {
    match why {
        Why::Sample { signal, needed, .. } => {
            format!("fewer than {} {}", phrase::count(*needed), signal.sample)
        }
        Why::Absent { absence, .. } => absence.to_string(),
        other => phrase::why(other),
    }
}

fn withheld(report: &Report) -> Vec<String> {
    let lists = [("Block list", &report.lists.block), ("Profit list", &report.lists.profit)];
    let line = |(name, list): (&str, &List)| match list {
        List::Withheld(why) => Some(format!("{name} unchanged: {}", Text::new(why.as_str()).chat(SENTENCE))),
        List::Ready(_) => None,
    };
    lists.into_iter().filter_map(line).collect()
}

/// Lines as long as they fit; the last says how many do not.
fn fitted(lines: &[String]) -> String {
    let units = |text: &str| text.encode_utf16().count() + 1;
    let room = LIMIT - units("… 10000 more lines");
    let (mut used, mut kept) = (0, 0);
    for line in lines {
        used += units(line);
        if used > room {
            break;
        }
        kept += 1;
    }
    let mut text = lines[..kept].iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>();
    if kept < lines.len() {
        text.push_str(&format!("… {} more lines\n", lines.len() - kept));
    }
    text
}

pub const FORMAT: Format = Format {
    name: "brief",
    summary: "one chat message below 4,096 characters: what to cut, hold and scale, and the money",
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

    fn message(report: &Report) -> String {
        let bytes = render(report, &Look::PLAIN).unwrap().collected(report).unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.encode_utf16().count() <= LIMIT, "{}", text.len());
        text
    }

    #[test]
    fn the_sample_as_a_message() {
        let rules = sample::rules();
        let text = message(&sample::with_outlook(&rules));
        for part in [
            "CUT (fraud, quality, data): 2, 1,204.00 USD at risk",
            "• pub10032 (1,204.00): Too fast",
            "HOLD (do not pay yet): 1",
            "• pub77 (protected, not listed): One address",
            "SCALE (clean, earns more than the target): 1\n• pub1\n",
            "NOT JUDGED: 2 sources, too little is known",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
    }

    #[test]
    fn what_no_longer_has_an_effect_is_said() {
        let rules = sample::rules();
        let mut report = sample::report(&rules);
        report.coverage.idle_settings = vec![Text::new("the suppression of `a` on `b` is unused")];
        let text = message(&report);
        assert!(text.contains("Note: the suppression of") && text.contains("is unused"), "{text}");
    }

    #[test]
    fn a_message_keeps_its_limit_whatever_there_is_to_say() {
        let rules = sample::rules();
        let mut report = sample::watched(&rules, 500);
        for group in &mut report.groups {
            group.verdict = Verdict::Block;
            group.outlook.scalable = true;
            group.subject.key = vec![Some(Text::new("😀".repeat(100))), Some(Text::new("é".repeat(500)))];
        }
        report.lists.block = List::Withheld("x".repeat(10_000));
        let text = message(&report);
        assert!(text.contains("more"), "{text}");
    }

    #[test]
    fn changes_have_their_reasons_and_keep_the_limit() {
        let rules = sample::rules();
        let mut report = sample::with_outlook(&rules);
        let news = sample::news("pub10032");
        report.news = Some(news.clone());
        let text = message(&report);
        for part in [
            ", 1 gone, 7 first seen\n",
            "• new pub10032 (1,204.00): not there to block: pub10032 is too fast; acts at once\n",
            "• gone pub10032: was watch\n• first seen pub10032: 608 clicks, clean\n",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        let moved = Moved { why: Some("why ".repeat(100)), ..news.moved[0].clone() };
        report.news = Some(News { moved: vec![moved; 400], ..news });
        let text = message(&report);
        assert!(text.contains(&"why ".repeat(10)) && text.contains("… and 390 more"), "{text}");
    }

    #[test]
    fn no_text_acts_in_a_chat() {
        let rules = sample::rules();
        let lines = |text: &str| message(&sample::hostile(&rules, text)).lines().count();
        let expected = lines("x");
        for text in HOSTILE {
            assert_eq!(lines(text), expected, "{text:?}");
            assert!(!message(&sample::hostile(&rules, text)).contains(['@', '<', '*', '`']), "{text:?}");
        }
    }
}
