//! What single conversions are among the others: steps of a player's way, amounts of an offer, IDs of a form.
//!
//! Whatever looks at several conversions at once is settled here, so that measures only count rows. A fact
//! that cannot be told is absent, never "no".

mod amounts;
mod countries;
mod decisions;
mod forms;
mod funnel;
mod journeys;
mod neighbours;
mod sequences;

use super::MatchedConversion;
use super::terms::Book;
use super::transactions::{order, real};
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::symbol::{Symbol, Symbols};
use crate::ingest::Intake;
pub use countries::differ as countries_differ;
use hashbrown::{HashMap, HashSet};
use journeys::Journeys;

/// What a conversion is among the others. A pair of "may be asked" and "is so" is an option.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// A player's first registration, old enough for a first deposit: whether one came in that time.
    pub deposited: Option<bool>,
    /// A player's first deposit, old enough for a second one: whether one came in that time.
    pub deposited_again: Option<bool>,
    /// A player's first registration within a week of a click at least a week old: whether a deposit came
    /// in that week.
    pub deposited_d7: Option<bool>,
    /// The same for 30 days.
    pub deposited_d30: Option<bool>,
    /// What this deposit adds to the amounts of that week and of those 30 days, micro-units.
    pub amount_d7: Option<i64>,
    pub amount_d30: Option<i64>,
    /// The player's first payment, with a positive amount: the amount in micro-units.
    pub first_amount: Option<i64>,
    /// It is not above the smallest amount that several sources of the offer share.
    pub at_floor: bool,
    /// Whether the conversion's own country is another than its click's.
    pub countries_differ: Option<bool>,
    /// The form of the click ID, for equality only; on the first conversion of each source's ID.
    pub id_form: Option<i64>,
    /// The ID is matched to no click and has a form that matched ones do not have.
    pub foreign_form: bool,
    /// Whether the click ID counts on by 1 to 16 from the source's ID of the same beginning before it.
    pub step: Option<bool>,
    /// Whether another source's click of the same visitor came at most 5 s before its click.
    pub neighbour: Option<bool>,
    /// Nine in ten decisions of the offer take no longer than this conversion is old, or nobody can say.
    pub decision_due: bool,
}

/// The last characters of a click ID are so many.
const CHARACTERS: usize = 6;

/// A character fits into so many bits.
const CHARACTER_BITS: u32 = 21;

impl MatchedConversion {
    /// The last six letters and digits of the click ID, each with its place from the end: `place << 21 | character`.
    /// Empty unless the ID has a form to be counted.
    pub fn id_characters(&self) -> Vec<i64> {
        let id = self.conversion.click_id.as_ref().filter(|_| self.facts.id_form.is_some());
        let text = id.map_or("", |id| &*id.text);
        let last = text.chars().rev().filter(|c| c.is_alphanumeric()).take(CHARACTERS);
        last.enumerate()
            .map(|(place, c)| (place as i64) << CHARACTER_BITS | i64::from(u32::from(c)))
            .collect()
    }

    /// Whether the first payment is a whole multiple of ten units.
    pub fn is_round_amount(&self) -> bool {
        const TEN: i64 = 10_000_000;
        self.facts.first_amount.is_some_and(|amount| amount % TEN == 0)
    }
}

/// The place of a number of [`MatchedConversion::id_characters`].
pub fn character_place(packed: i64) -> i64 {
    packed >> CHARACTER_BITS
}

/// What the facts of conversions depend on besides them.
pub struct Setting<'a> {
    /// The columns of [`MatchedConversion::columns`].
    pub columns: &'a [Col],
    /// Where those stand that make a source.
    pub sources: &'a [usize],
    /// The moment the input reaches up to.
    pub as_of: i64,
    /// What was agreed for each offer.
    pub book: &'a Book<'a>,
}

impl Setting<'_> {
    fn column(&self, m: &MatchedConversion, col: Col) -> Symbol {
        let at = self.columns.iter().position(|c| *c == col);
        at.map_or(Symbol::NONE, |at| m.columns[at])
    }

    fn source(&self, m: &MatchedConversion) -> Vec<Symbol> {
        self.sources.iter().map(|&i| m.columns[i]).collect()
    }
}

/// Settles the facts of all conversions; whether there were enough matched click IDs to learn their forms.
///
/// # Errors
/// The clicks cannot be read.
pub fn settle(
    rows: &mut [MatchedConversion],
    setting: &Setting,
    intake: &Intake,
    symbols: &mut Symbols,
) -> Result<bool> {
    let forms_known = settle_rows(rows, setting, symbols);
    neighbours::mark(rows, setting, intake, symbols)?;
    Ok(forms_known)
}

/// Settles what needs no clicks.
fn settle_rows(rows: &mut [MatchedConversion], setting: &Setting, symbols: &Symbols) -> bool {
    let journeys = Journeys::of(rows, setting);
    funnel::mark(rows, &journeys, setting.as_of);
    amounts::mark(rows, &journeys, setting, symbols);
    countries::mark(rows, setting, symbols);
    decisions::mark(rows, setting, symbols);
    let ids = first_ids(rows, setting);
    sequences::mark(rows, &ids);
    forms::mark(rows, &ids, setting)
}

/// The first conversion of each click ID of each source, with a number for the source; in the order of time.
fn first_ids(rows: &[MatchedConversion], setting: &Setting) -> Vec<(u32, usize)> {
    let mut in_time: Vec<usize> = (0..rows.len()).collect();
    in_time.sort_by_key(|&i| order(&rows[i]));
    let mut sources: HashMap<Vec<Symbol>, u32> = HashMap::new();
    let mut met: HashSet<(u32, &str)> = HashSet::new();
    let mut first = Vec::new();
    for i in in_time {
        let Some(id) = real(&rows[i].conversion.click_id) else { continue };
        // What a page fires has the IDs that the page made.
        if rows[i].conversion.postback.from_browser {
            continue;
        }
        let next = sources.len() as u32;
        let source = *sources.entry(setting.source(&rows[i])).or_insert(next);
        if met.insert((source, &id.text)) {
            first.push((source, i));
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::DAY;
    use crate::clean::vocabulary::event;
    use crate::clean::{Conversion, Id, Status};
    use crate::matching::{Class, Origin};

    const COLUMNS: [Col; 5] = [Col::TrafficSource, Col::Source, Col::Network, Col::Offer, Col::Country];

    /// A conversion from `key=value` words: s(ource), o(ffer), id, p(layer), e(vent), t(ime), click, at (status
    /// time) in days, a(mount) in units, st(atus), own and of (countries), class.
    fn row(text: &str, symbols: &mut Symbols) -> MatchedConversion {
        let word = |key: &str| text.split_whitespace().find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
        let days = |key| word(key).map(|w| (w.parse::<f64>().expect("days") * DAY as f64).round() as i64);
        let id = |key| word(key).map(Id::new);
        let (_, facts) = event(word("e").unwrap_or("registration"));
        let texts = |country| [Some("t"), word("s"), None, word("o"), country];
        let mut of = |country| texts(country).map(|t| symbols.of_option(t)).to_vec();
        let (carried, columns) = (of(word("own")), of(word("of")));
        let event = symbols.of(facts.name);
        let class = match word("class") {
            Some("orphan") => Class::Orphan,
            _ => Class::Matched,
        };
        let time = days("t").unwrap_or(0);
        MatchedConversion {
            conversion: Conversion {
                conversion_id: None,
                transaction_id: None,
                click_id: id("id"),
                event,
                facts,
                once: facts.once,
                status: word("st").map_or(Status::Approved, Status::of),
                time,
                click_time: days("click"),
                status_time: days("at"),
                lock_time: None,
                payout: None,
                revenue: None,
                sale_amount: word("a").map(|w| (w.parse::<f64>().expect("units") * 1e6).round() as i64),
                fraud_reason: Symbol::NONE,
                reject_class: None,
                player_id: id("p"),
                ip: None,
                carried,
                was_approved: false,
                scope: None,
                times: crate::ingest::Times::Event,
                as_of: 0,
                content: crate::ingest::key(text.as_bytes()),
                postback: Default::default(),
            },
            class,
            columns: columns.clone(),
            click_time: days("click"),
            ctit_s: None,
            first_of_event: false,
            first_on_click: false,
            batched: false,
            repeated_event: false,
            replay: word("replay").is_some(),
            shared: false,
            facts: Facts::default(),
            agreed: Default::default(),
            origin: word("of").map(|_| Origin { time, columns, visitor: None }),
        }
    }

    /// The facts of rows that reach up to a day, in any order the same.
    fn facts(as_of: f64, texts: &[String]) -> (Vec<MatchedConversion>, bool) {
        let settled = |texts: &mut dyn Iterator<Item = &String>| {
            let mut symbols = Symbols::default();
            let mut rows: Vec<MatchedConversion> = texts.map(|text| row(text, &mut symbols)).collect();
            let as_of = (as_of * DAY as f64) as i64;
            let (offers, rates) = (Default::default(), Default::default());
            let book = Book::new(&offers, None, &rates, &COLUMNS);
            let setting = Setting { columns: &COLUMNS, sources: &[0, 1], as_of, book: &book };
            let known = settle_rows(&mut rows, &setting, &symbols);
            (rows, known)
        };
        let forward = settled(&mut texts.iter());
        let backward = settled(&mut texts.iter().rev());
        assert!(forward.0.iter().map(|m| &m.facts).eq(backward.0.iter().rev().map(|m| &m.facts)));
        assert_eq!(forward.1, backward.1);
        forward
    }

    /// Checks what `show` says of the first rows.
    fn check(as_of: f64, texts: &[String], show: fn(&Facts) -> String, expected: &[&str]) {
        let (rows, _) = facts(as_of, texts);
        let shown: Vec<String> = rows.iter().take(expected.len()).map(|m| show(&m.facts)).collect();
        assert_eq!(shown, expected);
    }

    fn of(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|t| (*t).to_owned()).collect()
    }

    fn said(told: Option<bool>) -> String {
        match told {
            None => "-".to_owned(),
            Some(yes) => if yes { "yes" } else { "no" }.to_owned(),
        }
    }

    /// What makes an offer one that reports deposits, and the conversions span 40 days.
    const DEPOSITS: [&str; 3] = [
        "o=x id=d1 e=first_deposit t=0 click=0",
        "o=x id=d2 e=first_deposit t=20 click=20",
        "o=x id=d3 e=first_deposit t=40 click=40",
    ];

    #[test]
    fn a_registration_is_asked_for_a_deposit_when_its_week_is_over() {
        let mut rows = of(&[
            "o=x id=a t=1",
            "o=x id=b t=1",
            "o=x id=c t=1 p=7",
            "o=x id=d t=36",
            "o=x id=e t=1 st=void",
            "o=x id=a t=2",
            "o=x t=1",
            "o=y id=f t=1",
            "o=x id=g t=1 st=rejected",
        ]);
        let expected = ["yes", "no", "yes", "-", "-", "-", "-", "-", "no"];
        rows.extend(of(&DEPOSITS));
        rows.extend(of(&[
            "o=x id=a e=ftd t=7.9",
            "o=x id=b e=ftd t=8.1",
            "o=x id=z p=7 e=deposit t=3",
            "o=x id=d e=ftd t=37",
        ]));
        check(40.0, &rows, |f| said(f.deposited), &expected);
    }

    #[test]
    fn a_player_is_found_by_the_click_where_only_some_rows_name_it() {
        let mut rows = of(&["o=x id=a t=1", "o=x id=b t=1"]);
        rows.extend(of(&DEPOSITS));
        rows.extend(of(&["o=x id=a p=1 e=ftd t=20", "o=x id=q p=1 e=deposit t=2"]));
        check(40.0, &rows, |f| said(f.deposited), &["yes", "no"]);
    }

    #[test]
    fn the_way_starts_with_what_the_offer_reports_first() {
        let mut rows = of(&["o=x id=a e=install t=1", "o=x id=a e=lead t=1.5", "o=x id=a e=ftd t=2"]);
        rows.extend(of(&DEPOSITS));
        check(40.0, &rows, |f| said(f.deposited), &["-", "yes", "-"]);
    }

    #[test]
    fn short_inputs_wait_half_their_span() {
        let rows = of(&[
            "o=x id=a t=0",
            "o=x id=b t=2.9",
            "o=x id=c t=3.1",
            "o=x id=a e=ftd t=3.5",
            "o=x id=b e=ftd t=4",
            "o=x id=c e=ftd t=6",
        ]);
        check(6.0, &rows, |f| said(f.deposited), &["no", "yes", "-"]);
    }

    #[test]
    fn a_second_deposit_is_another_payment() {
        let mut rows = of(&[
            "o=x id=a e=ftd t=1 a=20",
            "o=x id=b e=ftd t=1 a=20",
            "o=x id=c e=ftd t=1 a=20",
            "o=x id=d e=ftd t=1",
            "o=x id=e e=ftd t=30",
            "o=x id=f e=deposit t=1",
            "o=x id=g e=ftd t=1",
        ]);
        rows.extend(of(&DEPOSITS));
        rows.extend(of(&[
            "o=x id=a e=deposit t=1.0001 a=20",
            "o=x id=b e=deposit t=1.0001 a=30",
            "o=x id=c e=deposit t=15.1",
            "o=x id=d e=rebill t=14",
            "o=x id=e e=deposit t=31",
            "o=x id=f e=deposit t=2",
            "o=x id=g e=ftd t=2",
        ]));
        check(40.0, &rows, |f| said(f.deposited_again), &["no", "yes", "no", "yes", "-", "-", "no"]);
        let rows = of(&["o=y id=f e=deposit t=1", "o=y id=f e=deposit t=2", "o=y id=g e=deposit t=40"]);
        check(40.0, &rows, |f| said(f.deposited_again), &["yes", "-", "-"]);
    }

    #[test]
    fn cohorts_are_of_equal_age_since_the_click() {
        let show = |f: &Facts| format!("{} {}", said(f.deposited_d7), said(f.deposited_d30));
        let mut rows = of(&[
            "o=x id=a t=2 click=1",
            "o=x id=b t=2 click=1",
            "o=x id=c t=9 click=1",
            "o=x id=d t=35 click=34",
            "o=x id=e t=12 click=11",
        ]);
        rows.extend(of(&DEPOSITS));
        rows.extend(of(&["o=x id=a e=ftd t=8", "o=x id=b e=ftd t=8.1", "o=x id=e e=ftd t=13"]));
        check(40.0, &rows, show, &["yes yes", "no yes", "- no", "- -", "yes -"]);
    }

    #[test]
    fn amounts_are_those_of_the_cohort() {
        let show = |f: &Facts| format!("{:?}", f.amount_d7.map(|a| a / 1_000_000));
        let mut rows = of(&[
            "o=x id=a e=ftd t=3 click=1 a=20",
            "o=x id=a e=deposit t=7 click=1 a=50",
            "o=x id=a e=deposit t=9 click=1 a=70",
            "o=x id=a e=deposit t=6 click=1 a=80 st=chargeback",
            "o=x id=a e=deposit t=5 click=1 a=90 replay=1",
            "o=x id=b e=ftd t=3 click=1 a=20",
            "o=y id=c e=ftd t=3 click=1 a=20",
            "o=y id=d e=ftd t=39 click=38 a=20",
        ]);
        rows.push("o=x id=a t=2 click=1".to_owned());
        check(
            40.0,
            &rows,
            show,
            &["Some(20)", "Some(50)", "None", "None", "None", "None", "Some(20)", "None"],
        );
    }

    #[test]
    fn the_floor_is_what_several_sources_share() {
        let payment =
            |source: &str, id: usize, amount: &str| format!("o=x s={source} id={id} e=ftd a={amount}");
        let mut rows: Vec<String> = ["10", "10.1", "10.3", "3", "30", "0"]
            .iter()
            .enumerate()
            .map(|(id, amount)| payment(["a", "b", "c"][id % 3], id, amount))
            .collect();
        rows.push(payment("c", 10, "10.2"));
        let show = |f: &Facts| format!("{} {}", f.first_amount.is_some(), f.at_floor);
        let expected =
            ["true true", "true true", "true false", "true true", "true false", "false false", "true true"];
        check(40.0, &rows, show, &expected);
        rows.iter_mut().for_each(|r| *r = r.replace("s=c", "s=a"));
        check(40.0, &rows, show, &["true false", "true false", "true false", "true false"]);
    }

    #[test]
    fn only_the_first_payment_of_a_player_is_looked_at() {
        let rows = of(&[
            "o=x id=a e=ftd t=1 a=30",
            "o=x id=a e=deposit t=2 a=40",
            "o=y id=a e=sale t=1 a=25",
            "o=y id=a e=sale t=2 a=40",
            "o=y e=sale t=2 a=40",
            "o=y e=registration t=2 a=40",
        ]);
        let (rows, _) = facts(40.0, &rows);
        let round: Vec<_> = rows.iter().map(|m| m.facts.first_amount.map(|_| m.is_round_amount())).collect();
        assert_eq!(round, [Some(true), None, Some(false), None, Some(true), None]);
    }

    #[test]
    fn countries_are_compared_where_both_are_written_alike() {
        let pairs = [
            ("br", "BR", "no"),
            ("BR", "DE", "yes"),
            ("UK", "GB", "no"),
            ("Brazil", "BR", "-"),
            ("Brazil", "Germany", "yes"),
            ("XX", "BR", "-"),
        ];
        let rows: Vec<String> = pairs.iter().map(|(own, of, _)| format!("own={own} of={of}")).collect();
        check(40.0, &rows, |f| said(f.countries_differ), &pairs.map(|p| p.2));
        check(40.0, &of(&["own=BR", "of=BR"]), |f| said(f.countries_differ), &["-", "-"]);
    }

    #[test]
    fn ids_count_on_behind_the_same_beginning() {
        for (ids, expected) in [
            (["x1", "x2", "x18", "x35"], ["-", "yes", "yes", "no"]),
            (["x9", "y10", "x11", "y9"], ["-", "-", "yes", "no"]),
            (["k-fe", "k-ff", "k-100", "k-1ff"], ["-", "yes", "yes", "no"]),
            (["a99", "a100", "a99", "a101"], ["-", "yes", "-", "yes"]),
            (["zq", "zr", "zs", "zt"], ["-"; 4]),
            (["1000000000000000007", "1000000000000000008", "q", "r"], ["-", "yes", "-", "-"]),
        ] {
            let at = |(time, id): (usize, &&str)| format!("s=a id={id} t={time}");
            let rows: Vec<String> = ids.iter().enumerate().map(at).collect();
            check(40.0, &rows, |f| said(f.step), &expected);
        }
        check(40.0, &of(&["s=a id=x1 t=1", "s=b id=x2 t=2"]), |f| said(f.step), &["-", "-"]);
    }

    /// Characters as a mixer makes them: the same on every machine.
    fn random(seed: u64, digits: &str, length: usize) -> String {
        let digit = |at: usize| {
            let hash = crate::ingest::key(format!("{seed} {at}").as_bytes());
            digits.as_bytes()[(hash % digits.len() as u64) as usize] as char
        };
        (0..length).map(digit).collect()
    }

    const HEX: &str = "0123456789abcdef";
    const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    fn uuid(seed: u64) -> String {
        let hex = random(seed, HEX, 32);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// How many forms matched IDs have, and which of the orphans' are foreign.
    fn check_forms(ids: &dyn Fn(u64) -> String, count: u64, orphans: &[(&str, bool)]) -> usize {
        let mut rows: Vec<String> =
            orphans.iter().map(|(id, _)| format!("s=a id={id} class=orphan")).collect();
        rows.extend((0..count).map(|seed| format!("s=b id={}", ids(seed))));
        let (rows, known) = facts(40.0, &rows);
        assert_eq!(known, count >= 50);
        for (m, (id, foreign)) in rows.iter().zip(orphans) {
            assert_eq!(m.facts.foreign_form, *foreign, "{id}");
        }
        let matched = rows.iter().filter(|m| m.class == Class::Matched);
        matched.filter_map(|m| m.facts.id_form).collect::<std::collections::BTreeSet<_>>().len()
    }

    #[test]
    fn random_ids_have_one_form_and_guessed_ones_another() {
        let other_uuid = uuid(9_999);
        let upper = other_uuid.to_uppercase();
        let orphans = [
            (&*other_uuid, false),
            (&*upper, true),
            ("01234567-0123-0123-0123-012345678901", false),
            ("click-1", true),
        ];
        assert_eq!(check_forms(&uuid, 500, &orphans), 1);
        let base64 = |seed| random(seed, BASE64, 22);
        let orphans = [("--AAbbcc00112233445566", false), ("aabbcc0011223344556677", false), ("abc", true)];
        assert!(check_forms(&base64, 500, &orphans) < 4);
        let short_hex = |seed| random(seed, HEX, 8);
        assert_eq!(check_forms(&short_hex, 500, &[("12345678", false), ("1234567g", true)]), 2);
    }

    #[test]
    fn few_matched_ids_say_nothing_of_forms() {
        assert_eq!(check_forms(&uuid, 49, &[("click-1", false)]), 1);
        check_forms(&uuid, 50, &[("click-1", true)]);
    }

    #[test]
    fn an_id_counts_once_a_source() {
        let rows = of(&["s=a id=x t=2", "s=a id=x t=1 e=ftd", "s=b id=x t=3", "s=a", "s=a id={click_id}"]);
        let show = |f: &Facts| f.id_form.is_some().to_string();
        check(40.0, &rows, show, &["false", "true", "true", "false", "false"]);
        let (rows, _) = facts(40.0, &of(&["id=ab-1", "id=abcdefgh"]));
        let last = |m: &MatchedConversion| {
            let unpack =
                |c: i64| format!("{}{}", c >> 21, char::from_u32((c & 0x1f_ffff) as u32).unwrap_or('?'));
            m.id_characters().into_iter().map(unpack).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(last(&rows[0]), "01 1b 2a");
        assert_eq!(last(&rows[1]), "0h 1g 2f 3e 4d 5c");
    }

    #[test]
    fn decisions_are_due_when_nine_in_ten_are_made() {
        let decided = |offer: &str, day: usize| {
            format!("o={offer} id={offer}{day} t=0 at={day} st={}", ["approved", "rejected"][day % 2])
        };
        let due = |f: &Facts| f.decision_due.to_string();
        // Lags of 1 to 20 days: nine in ten take at most 18.
        let mut rows = of(&["o=x id=p t=22.1 st=refund", "o=x id=q t=21.9 st=refund"]);
        rows.extend((1..=20).map(|day| decided("x", day)));
        check(40.0, &rows, due, &["false", "true"]);
        // Twenty that have waited for ten days: of the thirty left then ten are decided, 7.5 % of all each.
        rows.extend((0..20).map(|i| format!("o=x id=w{i} t=30 st=pending")));
        rows.push("o=x id=r t=21 st=refund".to_owned());
        check(40.0, &rows, due, &["false", "false"]);
        rows.rotate_right(1);
        check(40.0, &rows, due, &["true"]);
        // An offer with few dated decisions borrows from all.
        let mut rows = of(&["o=y id=p t=39 st=pending", "o=y id=q t=20.9 st=pending"]);
        rows.extend((1..=20).map(|day| decided("x", day)));
        check(40.0, &rows, due, &["false", "true"]);
        // Without dates every decision is due.
        check(40.0, &of(&["o=x id=a t=40", "o=x id=b t=40 st=pending"]), due, &["true", "true"]);
    }
}
