//! The evidence pack: a folder with all that a partner needs to check a claim and nothing else.
//!
//! Whoever gets it has neither this program nor the report: every file says by itself what it is about. Findings
//! about profit are no evidence of anything and never stand in it; neither do rules that only watch. Where a gate
//! fired nothing may be claimed: there are no letters, and every text says so. Names of folders are made from a digest
//! and the harmless part of the source's name. Letters and the readme are templates beside this file.

mod reasons;

pub use reasons::{REASONS, Reason, Value, reason, same_click, unlike_peers};

use super::csv::{rows, text_cell};
use super::explain::Sample;
use super::{Format, Gate, InputInfo, Kind, Look, NamedFile, Rendered, Report, phrase};
use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::base::time;
use crate::base::unit::Unit;
use crate::rules::{Action, Class};
use crate::signals::Signal;
use crate::verdicts::{Finding, Judged};
use minijinja::{Environment, Value as Told, context};
use std::collections::{BTreeMap, BTreeSet};

/// One flagged group.
#[derive(Clone, Debug)]
pub struct Dossier {
    /// Its place in the report's groups.
    pub group: usize,
    /// All of its conversions.
    pub all: u64,
    /// No conversion stands out: what was found concerns the whole source, and all of them are in question.
    pub as_a_whole: bool,
    /// Those in question, by time.
    pub cases: Vec<Case>,
}

/// One conversion in question.
#[derive(Clone, Debug)]
pub struct Case {
    pub sample: Sample,
    pub click_time: Option<i64>,
    /// When its status becomes final.
    pub lock_time: Option<i64>,
    /// When the same transaction was reported before, where it was.
    pub first_report: Option<i64>,
    /// Approved or pending.
    pub payable: bool,
    /// Never empty; the first is the one of the strongest finding.
    pub reasons: Vec<&'static Reason>,
    /// Hash of the row, for ties.
    pub content: u64,
}

/// Whether a finding may be held against a source in front of others.
pub fn accuses(finding: &Finding) -> bool {
    finding.rule.class != Class::Profit && matches!(finding.action, Action::Block | Action::Hold)
}

/// Cells of a name in a plain text, and of a sentence.
const NAME: usize = 80;
const SENTENCE: usize = 1_000;
/// A line of the texts, in characters.
const LINE: usize = 92;

fn render(report: &Report, _: &Look) -> Result<Rendered> {
    let mut dossiers: Vec<&Dossier> = report.dossiers.iter().collect();
    let rank: BTreeMap<*const Judged, usize> =
        report.ordered().into_iter().enumerate().map(|(at, g)| (std::ptr::from_ref(g), at)).collect();
    dossiers.sort_by_key(|d| rank[&std::ptr::from_ref(&report.groups[d.group])]);
    let mut taken = BTreeSet::new();
    let packs: Vec<Pack> = dossiers.into_iter().map(|d| Pack::of(report, d, &mut taken)).collect();
    let mut files = vec![
        NamedFile { name: "README.txt".into(), bytes: readme(report, &packs)?.into_bytes() },
        NamedFile { name: "index.csv".into(), bytes: index(report, &packs)? },
        NamedFile { name: "reason-codes.csv".into(), bytes: codes()? },
    ];
    for pack in &packs {
        let file = |name: &str, bytes: Vec<u8>| NamedFile { name: format!("{}/{name}", pack.folder), bytes };
        files.push(file("findings.txt", findings(report, pack).into_bytes()));
        files.push(file("conversions.csv", conversions(report, pack)?));
        for (name, language) in LETTERS.iter().filter(|_| report.coverage.gates.is_empty()) {
            files.push(file(name, letter(report, pack, *language)?.into_bytes()));
        }
    }
    Ok(Rendered::Files(files))
}

/// The letters to the partner, by file.
const LETTERS: [(&str, Language); 2] =
    [("letter-en.txt", Language::English), ("letter-ru.txt", Language::Russian)];

/// Why the whole input is not judged, one gate a line; empty where it is.
fn refusals(report: &Report) -> Vec<String> {
    let mut gates: Vec<&Gate> = report.coverage.gates.iter().collect();
    gates.sort();
    gates.into_iter().map(|gate| format!("{}: {}", gate.name, gate.sentence.term(SENTENCE))).collect()
}

/// One folder of the pack.
struct Pack<'r> {
    dossier: &'r Dossier,
    group: &'r Judged<'r>,
    folder: String,
    name: String,
    findings: Vec<&'r Finding<'r>>,
    money: Money,
}

impl<'r> Pack<'r> {
    fn of(report: &'r Report<'r>, dossier: &'r Dossier, taken: &mut BTreeSet<String>) -> Pack<'r> {
        let group = &report.groups[dossier.group];
        let parts: Vec<String> = group
            .subject
            .key
            .iter()
            .map(|part| part.as_ref().map_or("(none)".into(), |t| t.term(NAME)))
            .collect();
        let name = parts.join(" / ");
        let stem = Text::of_user(name.as_str()).file_name();
        let numbered = (1..).map(|n| if n == 1 { stem.clone() } else { format!("{stem}-{n}") });
        let folder = numbered.into_iter().find(|f| !taken.contains(f)).expect("numbers do not end");
        taken.insert(folder.clone());
        Pack {
            dossier,
            group,
            folder,
            name,
            findings: group.findings.iter().filter(|f| accuses(f)).collect(),
            money: Money::of(&dossier.cases, report.run.as_of),
        }
    }

    /// The reasons in the order of the table, each with how many conversions have it.
    fn reasons(&self) -> Vec<(&'static Reason, usize)> {
        let count = |r: &Reason| self.dossier.cases.iter().filter(|c| c.reasons.contains(&r)).count();
        REASONS.iter().map(|r| (r, count(r))).filter(|(_, n)| *n > 0).collect()
    }
}

/// What the conversions in question pay, by whether it can still be taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Money {
    all: Option<Micro>,
    reversible: Option<Micro>,
    locked: Option<Micro>,
    unknown: Option<Micro>,
}

impl Money {
    /// Nothing is 0 where amounts are known, and absent where they are not.
    fn of(cases: &[Case], as_of: Option<i64>) -> Money {
        let known = cases.iter().any(|c| c.sample.amount.is_some()).then_some(Micro(0));
        let mut money = Money { all: known, reversible: known, locked: known, unknown: known };
        for case in cases.iter().filter(|c| c.payable) {
            let Some(amount) = case.sample.amount else { continue };
            let part = match reversible(case, as_of) {
                Some(true) => &mut money.reversible,
                Some(false) => &mut money.locked,
                None => &mut money.unknown,
            };
            add(part, amount);
            add(&mut money.all, amount);
        }
        money
    }
}

fn add(sum: &mut Option<Micro>, amount: Micro) {
    *sum = Some(Micro(sum.unwrap_or_default().0.saturating_add(amount.0)));
}

/// Whether the status of a conversion can still change; `None` where the exports do not say.
fn reversible(case: &Case, as_of: Option<i64>) -> Option<bool> {
    case.lock_time.zip(as_of).map(|(lock, now)| lock > now)
}

fn currency(report: &Report) -> String {
    report.run.currency.as_ref().map_or("currency unknown".to_owned(), |c| c.term(8))
}

fn days(report: &Report) -> (String, String) {
    let unknown = || "(unknown)".to_owned();
    report.run.window.map_or((unknown(), unknown()), |(a, b)| (time::show_day(a), time::show_day(b)))
}

fn as_of(report: &Report) -> String {
    report.run.as_of.map_or("(unknown)".to_owned(), time::show)
}

/// Fills a template. Its values are encoded already: nothing in them is markup to a plain text.
fn filled(template: &str, values: Told) -> Result<String> {
    let text = Environment::new()
        .render_str(template, values)
        .map_err(|e| Error::output("a template of the evidence pack cannot be filled").because(e))?;
    Ok(text + "\n")
}

fn readme(report: &Report, packs: &[Pack]) -> Result<String> {
    let (first_day, last_day) = days(report);
    let mut inputs: Vec<&InputInfo> = report.run.inputs.iter().collect();
    inputs.sort_by_key(|i| (i.side, &i.path, &i.digest));
    let input = |i: &InputInfo| {
        context! {
            digest => &*i.digest, path => file_name(&i.path), side => i.side,
            read => phrase::count(i.rows.read), rejected => phrase::count(i.rows.rejected.values().sum()),
        }
    };
    let source = |p: &Pack| {
        let codes: Vec<&str> = p.reasons().iter().map(|(r, _)| r.code).collect();
        context! {
            folder => &*p.folder, name => &*p.name, verdict => word(report, p),
            concerned => phrase::count(p.dossier.cases.len() as u64), all => phrase::count(p.dossier.all),
            amount => format!("{} {}", phrase::money(p.money.all), currency(report)), codes => codes.join(", "),
        }
    };
    let pii = match report.run.pii.word() {
        "mask" => "addresses are cut to /24 (IPv4) and /48 (IPv6), e-mail addresses left out",
        "hash" => "addresses and e-mail addresses are replaced by tokens",
        _ => "as in the exports; for the addressee only",
    };
    let values = context! {
        version => report.run.version, first_day, last_day, tz => &*report.run.tz, as_of => as_of(report),
        rules => &*report.run.rules_digest, rules_count => report.run.rules.evaluated(), currency => currency(report), pii,
        gates => refusals(report).iter().map(|gate| indented(gate, "  ")).collect::<Vec<_>>(),
        inputs => inputs.into_iter().map(input).collect::<Vec<_>>(),
        accounts => phrase::accounts(&report.coverage).iter().map(|line| indented(line, "  ")).collect::<Vec<_>>(),
        sources => packs.iter().map(source).collect::<Vec<_>>(),
    };
    filled(include_str!("evidence/readme.txt"), values)
}

/// The verdict, where one may be told.
fn word(report: &Report, pack: &Pack) -> &'static str {
    if report.coverage.gates.is_empty() { pack.group.verdict.word() } else { "not judged" }
}

/// The name of a file without its folders, which are nobody else's business.
fn file_name(path: &Text) -> String {
    let path = path.term(usize::MAX);
    path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
}

fn index(report: &Report, packs: &[Pack]) -> Result<Vec<u8>> {
    let header = [
        "source",
        "folder",
        "verdict",
        "conversions",
        "in_question",
        "amount",
        "reversible",
        "locked",
        "lock_unknown",
        "currency",
        "reason_codes",
    ];
    let row = |p: &Pack| {
        let codes: Vec<&str> = p.reasons().iter().map(|(r, _)| r.code).collect();
        let money = |m: Option<Micro>| m.map_or(String::new(), Micro::to_cents);
        [
            text_cell(&Text::of_user(p.name.as_str())),
            p.folder.clone(),
            word(report, p).to_owned(),
            p.dossier.all.to_string(),
            p.dossier.cases.len().to_string(),
            money(p.money.all),
            money(p.money.reversible),
            money(p.money.locked),
            money(p.money.unknown),
            report.run.currency.as_ref().map_or(String::new(), text_cell),
            codes.join("|"),
        ]
    };
    rows(&header, packs.iter().map(row))
}

fn codes() -> Result<Vec<u8>> {
    let row = |r: &Reason| [r.code, r.value.word(), r.english, r.russian].map(str::to_owned);
    rows(&["reason_code", "reason_value", "english", "russian"], REASONS.iter().map(row))
}

const CASES: &[&str] = &[
    "click_id",
    "transaction_id",
    "click_time_utc",
    "conversion_time_utc",
    "ctit_s",
    "click",
    "event",
    "status",
    "amount",
    "currency",
    "lock_time_utc",
    "reversible",
    "first_reported_utc",
    "address",
    "country",
    "offer",
    "reason_code",
    "reason_value",
    "other_reasons",
];

fn conversions(report: &Report, pack: &Pack) -> Result<Vec<u8>> {
    let currency = report.run.currency.as_ref().map_or(String::new(), text_cell);
    rows(CASES, pack.dossier.cases.iter().map(|case| row(case, &currency, report.run.as_of)))
}

fn row(case: &Case, currency: &str, as_of: Option<i64>) -> Vec<String> {
    let sample = &case.sample;
    let text = |t: &Option<Text>| t.as_ref().map_or(String::new(), text_cell);
    let when = |t: Option<i64>| t.map_or(String::new(), time::show);
    let (first, others) = case.reasons.split_first().expect("a case has a reason");
    let words = |known: Option<bool>| known.map_or("unknown", |yes| if yes { "yes" } else { "no" });
    vec![
        text(&sample.click_id),
        text(&sample.transaction_id),
        when(case.click_time),
        time::show(sample.time),
        sample.ctit_s.map_or(String::new(), |s| s.to_string()),
        sample.class.to_owned(),
        text_cell(&sample.event),
        sample.status.to_owned(),
        sample.amount.map_or(String::new(), Micro::to_cents),
        currency.to_owned(),
        when(case.lock_time),
        words(reversible(case, as_of)).to_owned(),
        when(case.first_report),
        text(&sample.address),
        text(&sample.country),
        text(&sample.offer),
        first.code.to_owned(),
        text_cell(&first.value.of(case)),
        others.iter().map(|r| r.code).collect::<Vec<&str>>().join("|"),
    ]
}

/// What was found, in words and numbers.
fn findings(report: &Report, pack: &Pack) -> String {
    let (first_day, last_day) = days(report);
    let gates = refusals(report);
    let mut lines = vec![
        format!("FINDINGS ABOUT {}", pack.name),
        String::new(),
        format!("Period       {first_day} to {last_day} ({})", report.run.tz),
        format!("Traffic      {}", traffic(pack)),
        format!("In question  {}", in_question(report, pack)),
        format!("Verdict      {}", if gates.is_empty() { verdict(pack) } else { NOT_JUDGED }),
    ];
    lines.extend(gates.iter().flat_map(|gate| wrapped(&format!("             {gate}"), "             ")));
    for (at, finding) in pack.findings.iter().enumerate() {
        lines.extend([String::new(), String::new()]);
        lines.extend(told(report, pack, at + 1, finding));
    }
    let weaker = pack.group.findings.len() - pack.findings.len();
    if weaker > 0 {
        lines.extend([String::new(), String::new()]);
        lines.extend(wrapped(WEAKER, ""));
    }
    lines.push(String::new());
    lines.join("\n")
}

const NOT_JUDGED: &str = "none: the whole input cannot be judged, and nothing may be claimed from it";
const WEAKER: &str = "Other observations about this source are no evidence by themselves and are left out.";

fn traffic(pack: &Pack) -> String {
    let clicks = phrase::counted(pack.group.subject.clicks, "click", "clicks");
    format!("{clicks}, {}", phrase::counted(pack.dossier.all, "conversion", "conversions"))
}

fn in_question(report: &Report, pack: &Pack) -> String {
    let n = phrase::counted(pack.dossier.cases.len() as u64, "conversion", "conversions");
    let of = if pack.dossier.as_a_whole { " (what was found concerns the source as a whole)" } else { "" };
    match pack.money.all {
        None => format!("{n}{of}"),
        Some(_) => {
            format!("{n}{of}; {} {} approved or pending", phrase::money(pack.money.all), currency(report))
        }
    }
}

fn verdict(pack: &Pack) -> &'static str {
    match pack.findings.first().map(|f| f.action) {
        Some(Action::Block) => "do not pay, stop the traffic",
        _ => "do not pay yet: a person has to look at it",
    }
}

fn told(report: &Report, pack: &Pack, number: usize, finding: &Finding) -> Vec<String> {
    let rule = finding.rule;
    let own = |text: &str| Text::of_user(text).term(usize::MAX);
    let mut lines = wrapped(&format!("{number}. {}", own(&finding.title)), "   ");
    lines.push(String::new());
    lines.extend(wrapped(&own(&rule.why), "   ").into_iter().map(|line| format!("   {}", line.trim_start())));
    lines.extend([String::new(), "   Measured:".to_owned()]);
    for evidence in &finding.evidence {
        let measured = format!("   - {}: {}", evidence.signal.summary, phrase::evidence(evidence));
        lines.extend(wrapped(&measured, "     "));
        lines.extend(others(report, pack.group, evidence.signal).map(|text| format!("     {text}")));
    }
    if !rule.innocent.is_empty() {
        lines.push("   Innocent explanations that were considered:".to_owned());
    }
    for cause in &rule.innocent {
        lines.extend(wrapped(&format!("   - {}", outward(&own(cause))), "     "));
    }
    if !rule.references.is_empty() {
        lines.push("   Sources for the limit:".to_owned());
        for reference in &rule.references {
            lines.extend(wrapped(&format!("   - {}", own(reference)), "     "));
        }
    }
    lines.push(format!("   Rule: {} (digest of the rule set {})", own(&rule.id), report.run.rules_digest));
    lines
}

/// A cause without what is said to the user of this program alone: a partner has no mapping file.
fn outward(cause: &str) -> String {
    const INSIDE: &str = " in the mapping)";
    let mut text = cause.to_owned();
    while let Some(end) = text.find(INSIDE) {
        let Some(start) = text[..end].rfind(" (") else { break };
        text.replace_range(start..end + INSIDE.len(), "");
    }
    text
}

/// Below so many other sources there is nothing to compare with.
const LEAST_OTHERS: usize = 5;

/// What the other sources of the run have, flagged ones included.
fn others(report: &Report, group: &Judged, signal: &'static Signal) -> Option<String> {
    let enough = |g: &&Judged| g.subject.grain == report.run.grain && !std::ptr::eq(*g, group);
    let reading = |g: &Judged| {
        let estimate = g.subject.row.reading(signal).estimate()?;
        (estimate.n >= signal.min_sample).then(|| estimate.value())
    };
    let mut values: Vec<f64> = report.groups.iter().filter(enough).filter_map(reading).collect();
    if values.len() < LEAST_OTHERS || matches!(signal.unit, Unit::Count | Unit::Money) {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    let (middle, most) = (signal.unit.format(at(0.5)), phrase::range(signal.unit, at(0.1), at(0.9)));
    Some(format!("(the {} other sources: median {middle}, eight of ten within {most})", values.len()))
}

/// A text in lines that all begin with `indent`.
fn indented(text: &str, indent: &str) -> String {
    wrapped(&format!("{indent}{text}"), indent).join("\n")
}

/// A text in lines; all but the first begin with `indent`.
fn wrapped(text: &str, indent: &str) -> Vec<String> {
    let start = text.len() - text.trim_start().len();
    let mut lines = vec![text[..start].to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a line");
        let fresh = line.trim().is_empty();
        if !fresh && line.chars().count() + 1 + word.chars().count() > LINE {
            lines.push(format!("{indent}{word}"));
        } else {
            line.push_str(if fresh { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}

#[derive(Clone, Copy, PartialEq)]
enum Language {
    English,
    Russian,
}

fn letter(report: &Report, pack: &Pack, language: Language) -> Result<String> {
    let (first_day, last_day) = days(report);
    let reason = |(reason, count): (&'static Reason, usize)| {
        let text = if language == Language::English { reason.english } else { reason.russian };
        context! { code => reason.code, count => phrase::count(count as u64), text => wrapped(&format!("  {text}"), "  ").join("\n").trim_start() }
    };
    let place = if language == Language::English { 0 } else { 1 };
    let causes = pack.reasons().into_iter().flat_map(|(reason, _)| reason.innocent).map(|both| both[place]);
    let innocent: BTreeSet<&str> = causes.collect();
    let innocent: Vec<String> =
        innocent.iter().map(|cause| indented(cause, "    ").trim_start().to_owned()).collect();
    let cost = pack.group.subject.spend.filter(|_| report.run.perspective == "buyer");
    let values = context! {
        source => &*pack.name, first_day, last_day, tz => &*report.run.tz, as_of => as_of(report),
        concerned => phrase::count(pack.dossier.cases.len() as u64), is_about_some => !pack.dossier.cases.is_empty(),
        all => phrase::count(pack.dossier.all), as_a_whole => pack.dossier.as_a_whole,
        reasons => pack.reasons().into_iter().map(reason).collect::<Vec<_>>(),
        currency => currency(report), amount => phrase::money(pack.money.all),
        reversible => phrase::money(pack.money.reversible), locked => phrase::money(pack.money.locked),
        unknown => phrase::money(pack.money.unknown), cost => cost.map(|c| phrase::money(Some(c))),
        buyer => report.run.perspective == "buyer", innocent,
        version => report.run.version, rules => &*report.run.rules_digest,
    };
    let template = match language {
        Language::English => include_str!("evidence/letter-en.txt"),
        Language::Russian => include_str!("evidence/letter-ru.txt"),
    };
    filled(template, values)
}

pub const FORMAT: Format = Format {
    name: "evidence",
    summary: "a folder for a dispute: per flagged source findings, conversions with reason codes, letters",
    list: false,
    kind: Kind::Folder,
    pictures: 0,
    render,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use crate::report::sample;

    fn files(report: &Report) -> BTreeMap<String, String> {
        let Rendered::Files(files) = render(report, &Look::PLAIN).unwrap() else { panic!("no files") };
        let text = |f: NamedFile| (f.name, String::from_utf8(f.bytes).unwrap());
        files.into_iter().map(text).collect()
    }

    fn one<'f>(files: &'f BTreeMap<String, String>, name: &str) -> &'f str {
        let mut found = files.iter().filter(|(path, _)| path.ends_with(name));
        let (_, text) = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none(), "several {name}");
        text
    }

    #[test]
    fn a_source_has_its_folder_with_all_a_reader_needs() {
        let rules = sample::rules();
        let files = files(&sample::hostile(&rules, "pub10032"));
        assert_eq!(files.len(), 3 + 4);
        let letter = one(&files, "letter-en.txt");
        for part in
            ["pub10032", "ctit_short: 1", "approved or pending: 12.00", "no lock time in our data: 12.00"]
        {
            assert!(letter.contains(part), "no {part} in\n{letter}");
        }
        assert!(one(&files, "letter-ru.txt").contains("ctit_short: 1"));
        let findings = one(&files, "findings.txt").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            findings.contains("ctit_short_share 62.1% of 240 (55.8–68.0%, limit: above 30%)"),
            "{findings}"
        );
        let rows = one(&files, "conversions.csv");
        assert!(rows.lines().next().unwrap().starts_with("click_id,transaction_id,click_time_utc"));
        assert!(rows.lines().nth(1).unwrap().contains("ctit_short,3,"), "{rows}");
        assert_eq!(one(&files, "reason-codes.csv").lines().count(), REASONS.len() + 1);
    }

    #[test]
    fn an_input_that_is_not_judged_claims_nothing() {
        let rules = sample::rules();
        let mut report = sample::hostile(&rules, "pub10032");
        report.coverage.gates =
            vec![Gate { name: "too-many-rejects", sentence: Text::new("20% of the rows were rejected") }];
        let files = files(&report);
        assert!(files.keys().all(|name| !name.contains("letter")), "{:?}", files.keys());
        let said = "too-many-rejects: 20% of the rows were rejected";
        let readme = one(&files, "README.txt");
        assert!(readme.contains("NOT JUDGED") && readme.contains(said), "{readme}");
        assert!(!readme.contains("letter-en.txt"), "{readme}");
        let findings = one(&files, "findings.txt");
        assert!(findings.contains(NOT_JUDGED) && findings.contains(said), "{findings}");
        assert!(!findings.contains("stop the traffic"), "{findings}");
        assert!(one(&files, "index.csv").lines().nth(1).unwrap().contains(",not judged,"));
    }

    #[test]
    fn a_letter_names_innocent_causes_in_its_own_language() {
        let rules = sample::rules();
        let files = files(&sample::hostile(&rules, "pub10032"));
        let [english, russian] = reason("ctit_short_share").expect("it has a reason").innocent[0];
        let flat = |name: &str| one(&files, name).split_whitespace().collect::<Vec<_>>().join(" ");
        let letter = flat("letter-ru.txt");
        assert!(letter.contains(russian) && !letter.contains(english), "{letter}");
        assert!(flat("letter-en.txt").contains(english));
    }

    #[test]
    fn no_built_in_rule_talks_of_mappings_to_a_partner() {
        let rules = crate::rules::RuleSet::of(&crate::rules::builtin_files()).expect("without fault");
        let causes: Vec<&String> = rules.rules.iter().flat_map(|rule| &rule.innocent).collect();
        assert!(causes.iter().any(|cause| cause.contains("mapping")), "nothing is left to cut");
        causes.iter().for_each(|cause| assert!(!outward(cause).contains("mapping"), "{cause}"));
        assert_eq!(outward("IDs (say so in the mapping), where few run it"), "IDs, where few run it");
        assert_eq!(outward("IDs (of orders)"), "IDs (of orders)");
    }

    #[test]
    fn profit_never_enters() {
        let rules = [crate::rules::Rule { class: Class::Profit, ..sample::rules().remove(0) }];
        let finding = |action| Finding {
            rule: &rules[0],
            title: String::new(),
            action,
            reduced: None,
            confirmed: false,
            evidence: vec![],
            money: None,
        };
        assert!(!accuses(&finding(Action::Block)));
        let rules = sample::rules();
        let finding = |action| Finding {
            rule: &rules[0],
            title: String::new(),
            action,
            reduced: None,
            confirmed: false,
            evidence: vec![],
            money: None,
        };
        assert!(accuses(&finding(Action::Block)) && accuses(&finding(Action::Hold)));
        assert!(!accuses(&finding(Action::Watch)) && !accuses(&finding(Action::Note)));
    }

    #[test]
    fn amounts_are_parted_by_their_lock_time() {
        let locked = |at: Option<i64>| Case { lock_time: at, ..sample::case("x") };
        let cases =
            [locked(None), locked(Some(10)), locked(Some(11)), Case { payable: false, ..locked(None) }];
        let money = Money::of(&cases, Some(10));
        let units = |n: i64| Some(Micro(n * 12_000_000));
        let expected = Money { all: units(3), reversible: units(1), locked: units(1), unknown: units(1) };
        assert_eq!(money, expected);
        let free = Case { sample: Sample { amount: None, ..sample::case("x").sample }, ..locked(None) };
        assert_eq!(Money::of(&[free], Some(10)), Money::default());
    }

    #[test]
    fn no_text_leaves_its_cell_its_line_or_its_folder() {
        let rules = sample::rules();
        let lines = |files: &BTreeMap<String, String>, name: &str| one(files, name).lines().count();
        for text in HOSTILE {
            let files = files(&sample::hostile(&rules, text));
            assert_eq!(lines(&files, "conversions.csv"), 2, "{text:?}");
            assert_eq!(lines(&files, "index.csv"), 2, "{text:?}");
            for name in files.keys() {
                assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-./".contains(&b)), "{name}");
                assert!(!name.contains("..") && name.matches('/').count() <= 1, "{name}");
            }
            assert!(!one(&files, "letter-en.txt").contains("{{ "), "{text:?}");
        }
    }

    #[test]
    fn two_sources_of_one_masked_name_have_two_folders() {
        let rules = sample::rules();
        let mut report = sample::report(&rules);
        report.groups.truncate(2);
        for (at, group) in report.groups.iter_mut().enumerate() {
            group.subject.key = vec![None, Some(Text::new(format!("203.0.113.{at}")))];
        }
        let dossier = |group| Dossier { group, all: 1, as_a_whole: true, cases: vec![sample::case("x")] };
        report.dossiers = vec![dossier(0), dossier(1)];
        let files = files(&report);
        let folders: BTreeSet<&str> =
            files.keys().filter_map(|n| n.split_once('/')).map(|(f, _)| f).collect();
        assert_eq!(folders.len(), 2, "{folders:?}");
        assert!(folders.iter().all(|f| f.contains("203-0-113-0-24")), "{folders:?}");
    }
}
