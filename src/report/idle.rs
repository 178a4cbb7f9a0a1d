//! Findings without effect, the same in every output for people: what only observes, and what somebody answers for.
//!
//! What a rule that observes would have done is worth as much as what the others did: a run that only observes has
//! nothing else to say. So no output for people leaves it out.

use super::Report;
use super::phrase::{self, counted};
use crate::verdicts::{Because, Finding, Idle, Judged, Verdict};

/// Rules named for each group.
const RULES_SHOWN: usize = 2;

/// Groups whose verdict would be worse if what observes acted, the worst first.
pub fn observed<'g, 'r>(report: &'g Report<'r>) -> Vec<&'g Judged<'r>> {
    let mut groups: Vec<&Judged> = report.ordered().into_iter().filter(|g| g.would_be < g.verdict).collect();
    groups.sort_by_key(|g| g.would_be);
    groups
}

/// Findings that somebody looked at, in the order of their groups.
pub fn suppressed<'g, 'r>(report: &'g Report<'r>) -> Vec<(&'g Judged<'r>, &'g Idle<'r>)> {
    let groups = report.ordered().into_iter();
    let all = groups.flat_map(|group| group.idle.iter().map(move |idle| (group, idle)));
    all.filter(|(_, idle)| matches!(idle.because, Because::Suppressed(_))).collect()
}

/// `Would have been, for 11 groups; these rules only observe, and nothing acts`.
pub fn would(groups: usize) -> String {
    let whom = counted(groups as u64, "group", "groups");
    format!("Would have been, for {whom}; these rules only observe, and nothing acts")
}

/// `3 findings are suppressed and without effect`.
pub fn silenced(findings: usize) -> String {
    format!("{} suppressed and without effect", counted(findings as u64, "finding is", "findings are"))
}

/// `What only observes would have blocked 6 and held 5.`; nothing where it would have done neither.
pub fn in_a_sentence(groups: &[&Judged]) -> Option<String> {
    let at = |verdict| groups.iter().filter(|g| g.would_be == verdict).count() as u64;
    let parts =
        [(at(Verdict::Block), "blocked"), (at(Verdict::Hold), "held"), (at(Verdict::Watch), "watched")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, done)| format!("{done} {}", phrase::count(*n)))
        .collect();
    let (last, first) = parts.split_last()?;
    let all = if first.is_empty() { last.clone() } else { format!("{} and {last}", first.join(", ")) };
    Some(format!("What only observes would have {all}; nothing acts."))
}

/// The observed findings of a group, the strongest first.
pub fn findings<'g, 'r>(group: &'g Judged<'r>) -> impl Iterator<Item = &'g Finding<'r>> {
    group.idle.iter().filter(|idle| idle.because == Because::Observed).map(|idle| &idle.finding)
}

/// `conversions-too-fast, one-address and 1 more rule`.
pub fn rules(group: &Judged) -> String {
    let rules: Vec<&str> = findings(group).map(|finding| finding.rule.id.as_str()).collect();
    let more = rules.len().saturating_sub(RULES_SHOWN) as u64;
    let mut shown = rules.into_iter().take(RULES_SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        shown.push_str(&format!(" and {}", counted(more, "more rule", "more rules")));
    }
    shown
}

/// `conversions-too-fast (suppressed until 2026-06-30 by ana: one-tap offers)`.
pub fn told(idle: &Idle) -> String {
    format!("{} ({})", idle.finding.rule.id, phrase::because(&idle.because))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{FORMATS, Look, sample};
    use crate::rules::Rule;
    use crate::verdicts::Suppressed;

    /// The sample as a run makes it that only observes.
    fn observing(rules: &[Rule]) -> Report<'_> {
        let mut report = sample::report(rules);
        for group in report.groups.iter_mut().filter(|g| g.verdict <= Verdict::Watch) {
            let because = |finding| Idle { finding, because: Because::Observed };
            group.idle = std::mem::take(&mut group.findings).into_iter().map(because).collect();
            (group.would_be, group.verdict) = (group.verdict, Verdict::Undecided);
        }
        report
    }

    fn shown(report: &Report, name: &str) -> String {
        let format = FORMATS.iter().find(|format| format.name == name).expect("it is declared");
        let bytes = (format.render)(report, &Look::PLAIN).unwrap().collected(report).unwrap().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_output_for_people_says_what_would_have_been() {
        let rules = sample::rules();
        let report = observing(&rules);
        let groups = observed(&report);
        assert_eq!(groups.len(), 4);
        assert!(groups.is_sorted_by_key(|g| g.would_be));
        let sentence = in_a_sentence(&groups).expect("there are some");
        assert_eq!(sentence, "What only observes would have blocked 2, held 1 and watched 1; nothing acts.");
        assert_eq!(in_a_sentence(&[]), None);
        for (name, said) in [
            ("table", "Would have been, for 4 groups"),
            ("md", "| – / pub10032 | block | conversions-too-fast, replayed-conversions and 1 more rule |"),
            ("html", "would have blocked 2, held 1 and watched 1; nothing acts"),
            ("html", "block pub10032: conversions-too-fast"),
            ("brief", "WOULD HAVE BEEN (only observed, nothing acts): 4"),
            ("brief", "• block pub10032: Too fast"),
        ] {
            let text = shown(&report, name);
            assert!(text.contains(said), "{name}: {text}");
        }
    }

    #[test]
    fn every_output_for_people_says_what_is_suppressed() {
        let rules = sample::rules();
        let mut report = sample::report(&rules);
        let finding = report.groups[0].findings.remove(0);
        let word = crate::base::text::Text::new;
        let suppressed = Suppressed { at: 0, by: word("ana"), reason: word("one-tap offers"), expires: None };
        report.groups[0].idle = vec![Idle { finding, because: Because::Suppressed(suppressed) }];
        for name in ["table", "md", "html", "brief"] {
            let text = shown(&report, name).replace("\\", "");
            assert!(text.contains("suppressed for good by ana: one-tap offers"), "{name}: {text}");
        }
    }
}
