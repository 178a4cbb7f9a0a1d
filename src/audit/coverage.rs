//! What the verdicts rest on: every row accounted for, by file and by side.

use super::{Settings, losses};
use crate::base::column::{Col, Grain};
use crate::base::money::Micro;
use crate::base::near::nearest;
use crate::base::symbol::Symbols;
use crate::base::text::Text;
use crate::base::time::{show, show_day};
use crate::clean::Cleaned;
use crate::clean::vocabulary::event;
use crate::ingest::rates::Rate;
use crate::ingest::{self, FileLedger, Intake, Known, Mapping, Past, Shape};
use crate::matching::gates::Gate;
use crate::matching::{Class, Matched};
use crate::measures::{self, Beyond, Clock, Measures};
use crate::peers::Sibling;
use crate::report::{
    self, AbsentSignal, Classes, Coverage, InputInfo, RateInfo, RowCount, RulesInfo, RunInfo,
};
use crate::rules::RuleSet;
use crate::signals::{self, Reading};
use crate::verdicts::Judged;
use std::collections::{BTreeMap, BTreeSet};

/// What cleaning saw and matching takes away.
pub struct Seen {
    /// Declared event names that no row has, with the nearest that are there.
    missing_events: Vec<String>,
    clicks_dropped: u64,
    conflicts: u64,
    conversion_rows: u64,
    unknown_statuses: BTreeMap<String, u64>,
}

impl Seen {
    /// Kept from the cleaned rows before they are matched.
    pub fn of(cleaned: &Cleaned, intake: &Intake, symbols: &Symbols) -> Seen {
        let here = Known { dropped: cleaned.clicks.dropped, conflicts: cleaned.clicks.conflicts };
        let known = intake.known.unwrap_or(here);
        Seen {
            missing_events: missing_events(cleaned, &intake.mapping, symbols),
            clicks_dropped: known.dropped,
            conflicts: known.conflicts,
            conversion_rows: cleaned.conversion_rows,
            unknown_statuses: cleaned.unknown_statuses.clone(),
        }
    }
}

/// A misspelt event changes verdicts without a word: it is said.
fn missing_events(cleaned: &Cleaned, mapping: &Mapping, symbols: &Symbols) -> Vec<String> {
    let there: BTreeSet<&str> = cleaned.conversions.iter().filter_map(|c| symbols.text(c.event)).collect();
    let declared = mapping.main_event.iter().chain(mapping.once.iter().flatten());
    let missing = declared.filter(|name| !there.is_empty() && !there.contains(event(name).0.as_str()));
    let sentence = |name: &String| {
        let near = nearest(name, there.iter().copied());
        let seen: Vec<String> = there.iter().take(8).map(|e| Text::new(*e).term(40)).collect();
        let hint = match near.as_slice() {
            [] => format!("there are {}", seen.join(", ")),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        format!("the declared event `{name}` is in no conversion; {hint}")
    };
    missing.map(sentence).collect()
}

/// Everything the coverage is told from.
pub struct Facts<'a> {
    pub intake: &'a Intake,
    pub matched: &'a Matched,
    pub measures: &'a Measures,
    pub seen: &'a Seen,
    pub gates: &'a [Gate],
    /// Gates that fired and that somebody has looked at.
    pub accepted: &'a [Gate],
}

/// What was run on what.
pub fn run(facts: &Facts, settings: &Settings, rules: &RuleSet, clock: Clock, main_event: String) -> RunInfo {
    let mapping = &facts.intake.mapping;
    let mut parameters = BTreeMap::from([
        ("fdr", format!("{}", settings.fdr)),
        ("attribution_window_s", format!("{}", mapping.attribution_window_s)),
        ("main_event", Text::new(main_event).json()),
        ("max_revenue_share", format!("{}", settings.brake.max_revenue_share)),
        ("max_source_share", format!("{}", settings.brake.max_source_share)),
        ("max_click_share", format!("{}", settings.brake.max_click_share)),
        ("max_spend_share", format!("{}", settings.brake.max_spend_share)),
        ("pii", settings.pii.word().to_owned()),
        ("target_roi", format!("{}", settings.target_roi)),
    ]);
    parameters.extend(mapping.offers.file.as_ref().map(|file| ("offers", Text::new(file.as_str()).json())));
    let sources = mapping.sources.told.join(", ");
    parameters.extend((!sources.is_empty()).then(|| ("sources", Text::new(sources).json())));
    parameters.extend(losses::parameters());
    parameters.extend(
        mapping.enrichment.told().iter().map(|(what, file)| (*what, Text::new(file.as_str()).json())),
    );
    RunInfo {
        version: env!("CARGO_PKG_VERSION"),
        inputs: facts.intake.files.iter().map(input).collect(),
        rules_digest: rules.digest.clone(),
        rules: RulesInfo::of(rules, settings.suppressions.count()),
        grain: settings.grain.clone(),
        window: facts.measures.days,
        as_of: (clock.as_of > 0).then_some(clock.as_of),
        tz: clock.zone.name().to_owned(),
        perspective: mapping.perspective.map_or("unsaid", |p| p.word()),
        currency: facts.intake.currency.as_deref().map(Text::new),
        rates: rates(facts.intake),
        maturity_s: settings.maturity_s as u64,
        parameters,
        pii: settings.pii.clone(),
    }
}

/// The rates that amounts were exchanged at, by currency and day.
fn rates(intake: &Intake) -> Vec<RateInfo> {
    let mut used: BTreeSet<(&str, Rate)> = BTreeSet::new();
    for (code, rates) in intake.files.iter().flat_map(|f| &f.noticed.rates) {
        used.extend(rates.iter().map(|rate| (code.as_str(), *rate)));
    }
    let info = |(code, rate): (&str, Rate)| RateInfo {
        currency: Text::new(code),
        day: rate.day.map(show_day),
        rate: rate.text(),
    };
    let mut rates: Vec<RateInfo> = used.into_iter().map(info).collect();
    rates.sort_by(|a, b| (&a.currency, &a.day).cmp(&(&b.currency, &b.day)));
    rates
}

/// One sentence for each currency that was exchanged.
fn exchanged(intake: &Intake) -> Vec<String> {
    let rates = rates(intake);
    let files = intake.mapping.rates.files.join(", ");
    let sentence = |of: &[RateInfo]| {
        let (first, last) = (of.first()?, of.last()?);
        let of_day = |r: &RateInfo| match &r.day {
            Some(day) => format!("{} ({day})", r.rate),
            None => r.rate.clone(),
        };
        let to = if of.len() > 1 { format!(" to {}", of_day(last)) } else { String::new() };
        let by =
            if last.day.is_some() { format!(", from {}", Text::new(&files).term(80)) } else { String::new() };
        let (code, ours) = (first.currency.term(8), Text::new(intake.currency.as_deref()?).term(8));
        Some(format!("amounts in {code} are exchanged at {}{to} {ours}{by}", of_day(first)))
    };
    rates.chunk_by(|a, b| a.currency == b.currency).filter_map(sentence).collect()
}

/// Times that a clock does not show exactly once, by zone.
fn clock_changes(intake: &Intake) -> Vec<String> {
    let mut zones: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for file in &intake.files {
        let (repeated, skipped) = zones.entry(file.zone.name()).or_default();
        *repeated += file.noticed.repeated_times;
        *skipped += file.noticed.skipped_times;
    }
    let mut sentences = Vec::new();
    for (zone, (repeated, skipped)) in zones {
        if repeated > 0 {
            sentences.push(format!("{repeated} times fall where the clock of {zone} is set back: each is taken as the earlier of the two it may be"));
        }
        if skipped > 0 {
            sentences.push(format!("{skipped} times fall where the clock of {zone} is set forward and shows no such time: each is read by the clock before"));
        }
    }
    sentences
}

fn input(file: &FileLedger) -> InputInfo {
    InputInfo {
        path: Text::new(file.path.display().to_string()),
        side: file.shape.word(),
        digest: file.digest.clone(),
        preset: file.reading.mapping.name.clone(),
        rows: rows([file].into_iter(), &BTreeMap::new()),
    }
}

/// Adds up files; `duplicates` are those found between rows of all of them.
fn rows<'a>(files: impl Iterator<Item = &'a FileLedger>, duplicates: &BTreeMap<&str, u64>) -> RowCount {
    let mut count = RowCount::default();
    for file in files {
        count.read += file.rows;
        for (reason, n) in &file.rejects.counts {
            *count.rejected.entry(reason.slug().to_owned()).or_default() += n;
        }
        if file.duplicate_of.is_some() {
            *count.duplicate.entry("same_file".to_owned()).or_default() += file.rows;
        }
    }
    for (reason, n) in duplicates.iter().filter(|(_, n)| **n > 0) {
        *count.duplicate.entry((*reason).to_owned()).or_default() += n;
    }
    let lost: u64 = count.rejected.values().chain(count.duplicate.values()).sum();
    count.used = count.read.saturating_sub(lost);
    count
}

/// How much of the input the verdicts rest on.
pub fn coverage(
    facts: &Facts,
    groups: &[Judged],
    siblings: &[Sibling],
    settings: &Settings,
    as_of: i64,
) -> Coverage {
    let files = |shapes: &'static [Shape]| facts.intake.files.iter().filter(|f| shapes.contains(&f.shape));
    let click_shapes: &[Shape] = &[Shape::Clicks, Shape::Combined, Shape::Report];
    let dropped = BTreeMap::from([("same_click", facts.seen.clicks_dropped)]);
    let given = |shapes| files(shapes).next().is_some();
    let said = said(facts, groups, settings, as_of);
    Coverage {
        clicks: given(click_shapes).then(|| rows(files(click_shapes), &dropped)),
        conversions: conversions(facts),
        classes: classes(facts.matched),
        conflicts: facts.seen.conflicts + facts.matched.source_conflicts,
        absent: absent(groups, &settings.grain),
        gates: facts.gates.iter().map(gate).collect(),
        notes: [
            exchanged(facts.intake),
            clock_changes(facts.intake),
            notes(facts),
            said.clone(),
            left_out(facts),
            beside(siblings, settings),
        ]
        .into_iter()
        .flatten()
        .map(Text::new)
        .collect(),
        idle_settings: said.into_iter().map(Text::new).collect(),
    }
}

/// The days of incidents.
fn left_out(facts: &Facts) -> Vec<String> {
    let incidents = match facts.measures.incidents.len() {
        0 => return Vec::new(),
        1 => "an incident".to_owned(),
        n => format!("{n} incidents"),
    };
    vec![format!(
        "the clicks of {incidents} are treated as not mature: what waits for a conversion (CR, EPC, ROI, approval) is not \
         judged on these days; clicks, cost, revenue and times to conversion stay"
    )]
}

/// How networks of one offer were compared, where that was asked for.
fn beside(siblings: &[Sibling], settings: &Settings) -> Vec<String> {
    let asked = settings.grain.columns();
    if ![Col::Offer, Col::Network].iter().all(|col| asked.contains(col)) {
        return Vec::new();
    }
    let behind = siblings.iter().filter(|sibling| sibling.behind).count();
    vec![match siblings.len() {
        0 => "no offer runs at two networks with five zones and 30 conversions in common: networks are not compared"
            .to_owned(),
        n => {
            let pairs = if n == 1 { "1 pair of networks was" } else { &format!("{n} pairs of networks were") };
            let fall = if behind == 1 { "falls" } else { "fall" };
            format!("{pairs} compared by one offer on the same zones; {behind} {fall} behind")
        }
    }]
}

/// In a combined export every row with a conversion time is a conversion row.
fn conversions(facts: &Facts) -> Option<RowCount> {
    if facts.intake.combined {
        let mut count = rows(std::iter::empty(), &facts.matched.duplicates);
        count.read = facts.seen.conversion_rows;
        count.used = count.read - count.duplicate.values().sum::<u64>();
        return Some(count);
    }
    let files = || facts.intake.files.iter().filter(|f| f.shape == Shape::Conversions);
    files().next().is_some().then(|| rows(files(), &facts.matched.duplicates))
}

fn classes(matched: &Matched) -> Classes {
    let class = |class| matched.classes.get(&class).copied().unwrap_or(0);
    let duplicate = |reason| matched.duplicates.get(reason).copied().unwrap_or(0);
    Classes {
        matched: class(Class::Matched),
        orphan: class(Class::Orphan),
        outside_span: class(Class::OutsideSpan),
        older_click: class(Class::OlderClick),
        before_click: class(Class::BeforeClick),
        without_id: class(Class::WithoutId),
        retry: duplicate("retry"),
        update: duplicate("status_update"),
        replay: matched.replays,
    }
}

/// The signals that groups of the audited grain lack, by reason.
fn absent(groups: &[Judged], grain: &Grain) -> Vec<AbsentSignal> {
    let mut counts: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
    for group in groups.iter().filter(|g| g.subject.grain == *grain) {
        for signal in signals::all() {
            if let Reading::Absent(why) = group.subject.row.reading(signal) {
                *counts.entry((signal.name, why.to_string())).or_default() += 1;
            }
        }
    }
    counts.into_iter().map(|((signal, reason), groups)| AbsentSignal { signal, reason, groups }).collect()
}

/// What was asked for and has no effect, or another one than meant.
fn said(facts: &Facts, groups: &[Judged], settings: &Settings, as_of: i64) -> Vec<String> {
    let mut notes = Vec::new();
    let times = [Col::ClickTime, Col::ConversionTime];
    let newest = times.iter().filter_map(|c| facts.intake.span(*c)).map(|s| s.1).max();
    if let Some((as_of, newest)) = settings.as_of.zip(newest).filter(|(as_of, newest)| newest > as_of) {
        notes.push(format!("rows go up to {}, later than --as-of {}; they count", show(newest), show(as_of)));
    }
    let keys = || groups.iter().map(|g| (&g.subject.grain, g.subject.key.as_slice()));
    for entry in settings.protect.unused(keys) {
        notes.push(format!("the protect list's entry `{entry}` means no group of this input"));
    }
    let fired = groups.iter().flat_map(|group| {
        let subject = &group.subject;
        subject
            .answers
            .fired()
            .map(|outcome| (outcome.rule.id.as_str(), &subject.grain, subject.key.as_slice()))
    });
    notes.extend(settings.suppressions.notes(fired, as_of));
    notes
}

/// Which columns no export had and the user's files gave, by side.
fn found(intake: &Intake) -> Vec<String> {
    if intake.mapping.enrichment.told().is_empty() {
        return Vec::new();
    }
    let of = |(side, table): (&str, &ingest::Table)| {
        let derived = table.parts.iter().flat_map(|part| &part.layout.derived);
        let names: BTreeSet<&str> = derived.filter(|d| d.source.needs_file()).map(|d| d.col.name()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        (!names.is_empty()).then(|| format!("of {side} {}", names.join(", ")))
    };
    let sides: Vec<String> = [("clicks", &intake.clicks), ("conversions", &intake.conversions)]
        .into_iter()
        .filter_map(of)
        .collect();
    vec![match sides.as_slice() {
        [] => "the address and user-agent files tell nothing: the exports have no such column, or all they would tell"
            .to_owned(),
        sides => format!(
            "found from addresses and user agents, where the export has no column of its own: {}",
            sides.join("; ")
        ),
    }]
}

fn gate(gate: &Gate) -> report::Gate {
    report::Gate { name: gate.name, sentence: Text::new(gate.sentence.as_str()) }
}

/// How a log of postbacks was read.
fn log_note(file: &FileLedger) -> Option<String> {
    let log = file.log.as_ref()?;
    let path = Text::new(file.path.display().to_string()).term(120);
    let mut note =
        format!("{path} was read as a log of postbacks ({}, parameters of {})", log.format, log.tracker);
    if log.repaired > 0 {
        note += &format!(
            "; {} URLs had lost an ampersand to an HTML editor (`¤cy` for `&currency`) and were repaired: correct \
             the template",
            log.repaired
        );
    }
    Some(note)
}

/// What the sources file came to: where zones were read, and which traffic sources it does not name.
fn sellers(facts: &Facts) -> Vec<String> {
    let sources = &facts.intake.mapping.sources;
    if sources.is_empty() {
        return Vec::new();
    }
    let there: BTreeSet<&str> = facts
        .measures
        .traffic_sources
        .iter()
        .filter_map(|(name, _)| sources.of(name.as_deref()?))
        .map(|s| s.name.as_str())
        .collect();
    let tables = [("clicks", &facts.intake.clicks), ("conversions", &facts.intake.conversions)];
    let overlays = tables
        .iter()
        .flat_map(|(side, t)| t.parts.iter().filter_map(move |p| Some((*side, p.layout.overlay.as_ref()?))));
    let mut told: BTreeSet<String> = BTreeSet::new();
    for (side, overlay) in overlays {
        let shown = |text: &str| Text::new(text).term(60);
        for (seller, what, header) in
            overlay.found.iter().filter(|(seller, ..)| there.contains(seller.as_str()))
        {
            told.insert(format!(
                "of {side} from {}, the {what} is read from `{}`",
                shown(seller),
                shown(header)
            ));
        }
        for (seller, what, token) in
            overlay.missing.iter().filter(|(s, ..)| side == "clicks" && there.contains(s.as_str()))
        {
            told.insert(format!(
                "the clicks have no column for the {what} of {} ({}): it is not known",
                shown(seller),
                shown(token)
            ));
        }
    }
    let mut notes: Vec<String> = told.into_iter().take(SELLERS_TOLD).collect();
    let unknown: Vec<&(Option<String>, u64)> = facts
        .measures
        .traffic_sources
        .iter()
        .filter(|(name, _)| name.as_deref().is_none_or(|n| sources.of(n).is_none()))
        .collect();
    let clicks: u64 = unknown.iter().map(|(_, n)| n).sum();
    if clicks > 0 {
        let names: Vec<String> = unknown
            .iter()
            .take(5)
            .map(|(name, _)| name.as_deref().map_or("(none)".to_owned(), |n| Text::new(n).term(40)))
            .collect();
        notes.push(format!(
            "{clicks} clicks are of traffic sources that the sources file does not name ({}{}): they are read as the preset says",
            names.join(", "),
            if unknown.len() > names.len() { ", …" } else { "" }
        ));
    }
    notes
}

/// Sentences about traffic sources, at most.
const SELLERS_TOLD: usize = 40;

/// What the offers file came to.
fn terms(facts: &Facts) -> Vec<String> {
    let offers = &facts.intake.mapping.offers;
    let Some(file) = &offers.file else { return Vec::new() };
    let told = facts.matched.terms;
    let mut notes = vec![format!(
        "the terms of offers are those of {} ({})",
        Text::new(file.as_str()).term(120),
        offers.count()
    )];
    let mut note = |count: u64, sentence: String| {
        if count > 0 {
            notes.push(sentence);
        }
    };
    let sum = crate::base::money::Micro(told.filled_sum);
    note(
        told.filled,
        format!(
            "{} conversions carry no payout of their own: what was agreed stands for it ({sum} in all)",
            told.filled
        ),
    );
    note(
        told.unqualified,
        format!(
            "{} first deposits are below the minimum of their offer and do not qualify",
            told.unqualified
        ),
    );
    note(
        told.over_cap,
        format!(
            "{} conversions lie beyond the cap of their offer: being rejected says nothing against their source",
            told.over_cap
        ),
    );
    note(
        told.without,
        format!(
            "{} conversions are of offers, or of days, for which the offers file has no terms",
            told.without
        ),
    );
    notes
}

/// What a run that remembers looked at.
fn remembered(past: &Past, facts: &Facts) -> Vec<String> {
    let exports = facts.intake.files.iter().filter(|f| f.duplicate_of.is_none()).count();
    let fresh = past.fresh.kept.len();
    let mut notes = vec![format!(
        "the window begins at {}: its rows are of {exports} exports; {fresh} were read for the first time",
        show(past.window.from)
    )];
    let mut note = |count: u64, sentence: &str| {
        if count > 0 {
            notes.push(sentence.replace("{}", &count.to_string()));
        }
    };
    let outside: u64 = facts.intake.files.iter().map(|f| f.outside).sum();
    note(outside, "{} rows of these exports lie outside the window and are not looked at");
    note(past.outside as u64, "{} of the named exports have no row in the window");
    note(past.pruned as u64, "{} exports of the window were pruned from the store: name them again");
    note(
        facts.matched.classes.get(&Class::OlderClick).copied().unwrap_or(0),
        "{} conversions are of clicks before the window: they keep their source and have no CTIT",
    );
    notes
}

/// What of the cost files fits no click, and which clicks have no complete costs.
fn cost_gaps(facts: &Facts) -> Vec<String> {
    let Some(gaps) = &facts.measures.cost_gaps else { return Vec::new() };
    let mut notes = Vec::new();
    if gaps.unallocated != 0 {
        let left = crate::base::money::Micro(gaps.unallocated);
        notes.push(format!("{left} of the cost file lies on days or keys without clicks and is in no group"));
    }
    if gaps.unseen_clicks > 0 {
        notes.push(format!(
            "{} bought clicks are of keys that no click ever came of: they are in no group's click loss",
            gaps.unseen_clicks
        ));
    }
    let (mut unknown, mut told) = (0, 0);
    for uncosted in &gaps.uncosted {
        let of = uncosted
            .traffic_source
            .as_deref()
            .map_or(String::new(), |name| format!(" of {}", Text::new(name).term(60)));
        match uncosted.days.filter(|(first, last)| first <= last) {
            Some((first, last)) if told < GAPS_TOLD => {
                told += 1;
                notes.push(format!(
                    "the costs{of} are complete from {} to {}: {} clicks on other days are left out of ROI and profit",
                    show_day(first),
                    show_day(last),
                    uncosted.clicks
                ));
            }
            Some(_) => {}
            None => unknown += uncosted.clicks,
        }
    }
    if unknown > 0 {
        notes.push(format!(
            "{unknown} clicks are of traffic sources for which the cost file is complete on no day: they have no ROI and no profit"
        ));
    }
    notes
}

/// Traffic sources whose gaps are told one by one.
const GAPS_TOLD: usize = 10;

/// What there was no room for.
fn beyond(beyond: &Beyond) -> String {
    let Beyond { grain, groups, kept, clicks, conversions, cost } = beyond;
    let cost = if *cost == 0 { String::new() } else { format!(", cost {}", Micro(*cost).to_cents()) };
    format!(
        "of {groups} groups by {grain} the {kept} with the most clicks are judged; the others, {clicks} clicks and \
         {conversions} conversions{cost}, are in no group and in no total of money (--most-groups)"
    )
}

fn notes(facts: &Facts) -> Vec<String> {
    let mut notes = facts.intake.notes.clone();
    notes.extend(facts.accepted.iter().map(|g| format!("gate {}, accepted: {}", g.name, g.sentence)));
    notes.extend(facts.seen.missing_events.iter().cloned());
    let mut note = |count: u64, sentence: &str| {
        if count > 0 {
            notes.push(sentence.replace("{}", &count.to_string()));
        }
    };
    note(facts.measures.other_hits, "{} click rows are of another hit type and not counted as clicks");
    note(
        facts.matched.batched,
        "{} conversions came in batch uploads of many sources at one second: they have no CTIT",
    );
    let headers = facts.intake.files.iter().map(|f| f.repeated_headers).sum();
    note(headers, "{} lines repeat the header and are not rows");
    let blank = facts.intake.files.iter().map(|f| f.blank_lines).sum();
    note(blank, "{} blank lines are not rows");
    notes.extend(facts.intake.files.iter().filter_map(log_note));
    if !facts.intake.costs.is_empty() {
        let key: Vec<&str> = measures::cost_columns(facts.intake).iter().map(|c| c.name()).collect();
        notes.push(format!(
            "costs by day and {} are dealt to clicks in equal parts: exact for whole keys, an assumption below them",
            key.join(", ")
        ));
    }
    notes.extend(facts.measures.grains.iter().filter_map(|grain| grain.beyond.as_ref()).map(beyond));
    notes.extend(cost_gaps(facts));
    notes.extend(terms(facts));
    notes.extend(sellers(facts));
    notes.extend(facts.intake.past.as_ref().into_iter().flat_map(|past| remembered(past, facts)));
    notes.extend(found(facts.intake));
    for (word, count) in facts.seen.unknown_statuses.iter().take(10) {
        let word = Text::new(word.as_str()).term(40);
        notes.push(format!(
            "status `{word}` ({count} rows) is in no vocabulary: name it in the mapping under `statuses`"
        ));
    }
    for file in facts.intake.files.iter().filter(|f| f.duplicate_of.is_some()) {
        notes
            .push(format!("{} has the same bytes as another input and is counted once", file.path.display()));
    }
    notes
}
