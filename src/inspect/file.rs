//! The facts of one file, from its header and its rows.

use super::ids::Ids;
use super::{FileFacts, Opened, Rejected, Word, clocks, guess};
use crate::base::column::{COLUMNS, Col, Kind};
use crate::base::error::Result;
use crate::base::text::Text;
use crate::base::time::SECOND;
use crate::clean::Status;
use crate::clean::vocabulary::event;
use crate::ingest::mapping::{FACTS, ZoneFrom};
use crate::ingest::plan::How;
use crate::ingest::stated::Stating;
use crate::ingest::{Batch, Field, Mapping, Shape, StatusMeans, detect, preset};
use crate::measures::{PEER_COLUMNS, Rows, STRATUM_COLUMNS};
use crate::signals;
use std::collections::{BTreeMap, BTreeSet};

/// The columns whose texts are looked at as IDs.
const IDS: [Col; 8] = [
    Col::ClickId,
    Col::ConversionId,
    Col::TransactionId,
    Col::PlayerId,
    Col::Source,
    Col::SubSource,
    Col::Campaign,
    Col::Offer,
];

/// IDs of which each row has its own, as a rule.
pub const UNIQUE: [Col; 3] = [Col::ClickId, Col::ConversionId, Col::TransactionId];

/// So many words of a column are told.
const WORDS: usize = 12;

/// What the rows of a file say.
#[derive(Default)]
struct Seen {
    ids: BTreeMap<Col, Ids>,
    examples: BTreeMap<Col, String>,
    statuses: BTreeMap<String, u64>,
    events: BTreeMap<String, u64>,
    waits: Vec<i64>,
}

pub(super) fn facts(opened: &Opened) -> Result<FileFacts> {
    let (ledger, reading) = (&opened.intake.files[0], opened.reading());
    let mapping = &reading.mapping;
    let places = opened.places();
    let seen = see(opened)?;
    let headers = opened.headers();
    let header = |at: usize| Text::new(headers[at].as_str());
    let example = |col: &Col| seen.examples.get(col).map(|text| Text::new(text.as_str()));
    let taken: BTreeSet<usize> = places.values().copied().collect();
    let free = (0..headers.len()).filter(|at| !taken.contains(at));
    let first = |at: usize| guess::texts(&opened.sample, at).next().map(Text::new);
    let have = opened.table().columns();
    Ok(FileFacts {
        path: opened.path.clone(),
        shape: opened.shape,
        others: others(opened)?,
        columns: places.iter().map(|(col, at)| (*col, header(*at), example(col))).collect(),
        constants: constants(opened, &places),
        unmapped: free.map(|at| (header(at), first(at))).collect(),
        misfits: guess::misfits(&opened.sample, &places, mapping.side(opened.shape)),
        missing: missing(opened.shape, if have.is_empty() { places.keys().copied().collect() } else { have }),
        rows: ledger.rows,
        used: ledger.rows - ledger.rejects.total(),
        blank_lines: ledger.blank_lines,
        rejects: rejects(ledger),
        spans: ledger.spans.iter().map(|(col, (from, to))| (*col, *from, *to)).collect(),
        currencies: ledger.noticed.currencies.clone(),
        statuses: words(&seen.statuses, |word| status_means(mapping, word)),
        events: words(&seen.events, |word| event_means(mapping, word)),
        ids: seen.ids.iter().map(|(col, ids)| ids.facts(*col)).collect(),
        clocks: clocks(seen.waits),
        facts: preset_facts(opened),
        notes: opened.intake.notes.clone(),
        reading: reading.clone(),
    })
}

/// Presets that the header was held against, apart from the one that was chosen.
fn others(opened: &Opened) -> Result<Vec<String>> {
    let chosen = match &opened.reading().how {
        How::Detected(candidate) => Some((candidate.preset, candidate.export)),
        _ => None,
    };
    let found = detect::detect(opened.headers(), Some(opened.shape))?;
    let other = |c: &&detect::Candidate| Some((c.preset, c.export)) != chosen && c.preset != preset::GENERIC;
    let told = |c: &detect::Candidate| format!("{} ({}): {}", c.preset, c.export, c.reasons.join("; "));
    Ok(found.iter().filter(other).take(3).map(told).collect())
}

fn constants(opened: &Opened, places: &BTreeMap<Col, usize>) -> Vec<(Col, Text)> {
    let side = opened.reading().mapping.side(opened.shape);
    let constant = side.constants.iter().filter(|(col, _)| !places.contains_key(col));
    constant.map(|(col, text)| (*col, Text::new(text.as_str()))).collect()
}

fn rejects(ledger: &crate::ingest::FileLedger) -> Vec<Rejected> {
    let first = |reason| ledger.rejects.kept.iter().find(|r| r.reason == reason);
    let counts = ledger.rejects.counts.iter();
    counts.map(|(reason, n)| (reason.slug(), *n, first(*reason).map(|r| (r.line, r.found.clone())))).collect()
}

fn see(opened: &Opened) -> Result<Seen> {
    let mut seen = Seen::default();
    let fields: Vec<Field> = COLUMNS.iter().map(|c| Field::Value(c.id)).collect();
    opened.table().scan(&fields, None, &mut |batch| {
        seen.batch(batch);
        Ok(())
    })?;
    Ok(seen)
}

impl Seen {
    fn batch(&mut self, batch: &Batch) {
        for col in COLUMNS.iter().map(|c| c.id) {
            let Some(texts) = batch.texts(col) else { continue };
            if !self.examples.contains_key(&col) {
                let first = texts.iter().flatten().find(|t| !t.is_empty());
                self.examples.extend(first.map(|text| (col, text.to_owned())));
            }
            if IDS.contains(&col) {
                let ids = self.ids.entry(col).or_default();
                texts.iter().for_each(|text| ids.see(text));
            }
            let words = match col {
                Col::Status => &mut self.statuses,
                Col::Event => &mut self.events,
                _ => continue,
            };
            for text in texts.iter().flatten() {
                *words.entry(text.to_owned()).or_default() += 1;
            }
        }
        self.numbers(batch);
    }

    /// Examples of what is no text, and the times from click to conversion.
    fn numbers(&mut self, batch: &Batch) {
        for col in COLUMNS.iter().map(|c| c.id).filter(|c| !self.examples.contains_key(c)).collect::<Vec<_>>()
        {
            let Some(value) = batch.integers(col).and_then(|c| c.iter().flatten().next()) else { continue };
            self.examples.insert(col, shown(col, value));
        }
        let times = batch.integers(Col::ClickTime).zip(batch.integers(Col::ConversionTime));
        if let Some((clicks, conversions)) = times {
            let wait = |(a, b): (Option<i64>, Option<i64>)| Some((b? - a?).div_euclid(SECOND));
            self.waits.extend(clicks.iter().zip(conversions.iter()).filter_map(wait));
        }
    }
}

/// A number as people write it.
fn shown(col: Col, value: i64) -> String {
    match col.kind() {
        Kind::Time => crate::base::time::show(value),
        Kind::Money => crate::base::money::Micro(value).to_string(),
        Kind::Flag => if value == 1 { "yes" } else { "no" }.to_owned(),
        _ => value.to_string(),
    }
}

fn words(counts: &BTreeMap<String, u64>, means: impl Fn(&str) -> Option<String>) -> Vec<Word> {
    let mut words: Vec<Word> = counts
        .iter()
        .map(|(word, rows)| Word { word: Text::new(word.as_str()), rows: *rows, means: means(word) })
        .collect();
    words.sort_by_key(|w| std::cmp::Reverse(w.rows));
    words.truncate(WORDS);
    words
}

fn status_means(mapping: &Mapping, word: &str) -> Option<String> {
    if mapping.status_means == StatusMeans::Event {
        return event_means(mapping, word);
    }
    let mapped = mapping.statuses.get(&word.trim().to_lowercase());
    let status = Status::of(mapped.map_or(word, String::as_str));
    (status != Status::Unknown).then(|| status.word().to_owned())
}

fn event_means(mapping: &Mapping, word: &str) -> Option<String> {
    let mapped = mapping.events.get(&word.trim().to_lowercase());
    let (name, facts) = event(mapped.map_or(word, String::as_str));
    (!facts.name.is_empty()).then_some(name)
}

/// The signals that the file's gaps cost, by the columns that are missing; the dearest first.
fn missing(shape: Shape, have: BTreeSet<Col>) -> Vec<(Vec<Col>, Vec<&'static str>)> {
    let sides: &[Rows] = match shape {
        Shape::Clicks => &[Rows::Clicks],
        Shape::Conversions => &[Rows::Conversions],
        Shape::Combined => &[Rows::Clicks, Rows::Conversions],
        Shape::Report | Shape::Costs => return Vec::new(),
    };
    let mut lost: BTreeMap<Vec<Col>, Vec<&'static str>> = BTreeMap::new();
    for signal in signals::all() {
        let of_side = signal.measures.iter().map(|m| m.decl()).filter(|m| sides.contains(&m.rows));
        let needs: BTreeSet<Col> =
            of_side.flat_map(|m| m.needs).copied().filter(|c| !have.contains(c)).collect();
        if !needs.is_empty() {
            lost.entry(needs.into_iter().collect()).or_default().push(signal.name);
        }
    }
    for col in STRATUM_COLUMNS.into_iter().chain(PEER_COLUMNS).chain([Col::Source, Col::TrafficSource]) {
        if !have.contains(&col) && shape != Shape::Conversions {
            lost.entry(vec![col]).or_default();
        }
    }
    let mut lost: Vec<(Vec<Col>, Vec<&'static str>)> = lost.into_iter().collect();
    lost.sort_by_key(|(cols, signals)| (std::cmp::Reverse(signals.len()), cols.clone()));
    lost
}

/// What the preset states of its exports, as sentences.
fn preset_facts(opened: &Opened) -> Vec<String> {
    let mapping = &opened.reading().mapping;
    let side = mapping.side(opened.shape);
    let mut facts = vec![match mapping.perspective {
        Some(who) => format!("money is seen from the {}'s side", who.word()),
        None => "nobody says whose money it is: say --perspective".to_owned(),
    }];
    facts.push(match side.zone_from {
        ZoneFrom::Format => format!("times without an offset are {}", side.time.zone.name()),
        from => format!(
            "times without an offset are read as {}, but the {} decides their zone: say --time-zone",
            side.time.zone.name(),
            from.word()
        ),
    });
    if opened.shape != Shape::Clicks {
        facts.push(format!("conversion times are those of the {}", side.times.word()));
    }
    let mut fact = |holds: bool, sentence: &str| facts.extend(holds.then(|| sentence.to_owned()));
    fact(
        mapping.drops_orphans,
        "conversions without a click are left out by the exporter: no orphans can be found",
    );
    fact(
        mapping.drops_duplicates,
        "repeated conversions are left out by the exporter: no replays can be found",
    );
    fact(mapping.reuses_click_ids, "one click ID stands for several clicks by design");
    fact(mapping.bots_filtered, "bots are left out by the exporter");
    if !mapping.export_limits.is_empty() {
        let limits: Vec<String> = mapping.export_limits.iter().map(u64::to_string).collect();
        facts.push(format!("a file of exactly {} rows was cut off by its exporter", limits.join(" or ")));
    }
    if let Ok(preset) = preset::named(&opened.reading().preset) {
        facts.push(format!("click ID: {}", preset.ids.click));
        let unknown = FACTS.iter().filter(|fact| fact.of(&preset.mapping) == Stating::Unknown);
        let unknown: Vec<&str> = unknown.map(|fact| fact.summary).collect();
        if !unknown.is_empty() {
            facts
                .push(format!("nobody told us {}: say it in a mapping file if you know", unknown.join(", ")));
        }
        facts.extend(preset.notes.iter().cloned());
    }
    facts
}
