//! A letter to the other side, in English and Russian, with the list of everything that is in question.
//!
//! Whoever gets it has neither this program nor our statement: it says by itself what was compared, how, and what is
//! asked for. It states differences and accuses nobody: most of them have ordinary causes.

use super::words::{self, NAME};
use super::{Class, Direction, Reconciliation, Sum, rows};
use crate::base::error::{Error, Result};
use crate::base::money::Micro;
use crate::base::text::Text;
use crate::report::NamedFile;
use minijinja::{Environment, Value, context};

/// The folder's files.
///
/// # Errors
/// A template that cannot be filled.
pub fn files(found: &Reconciliation) -> Result<Vec<NamedFile>> {
    let values = values(found);
    let letter = |name: &str, template: &str| {
        let bytes = filled(template, &values)?.into_bytes();
        Ok(NamedFile { name: name.to_owned(), bytes })
    };
    Ok(vec![
        letter("letter-en.txt", include_str!("letter-en.txt"))?,
        letter("letter-ru.txt", include_str!("letter-ru.txt"))?,
        NamedFile { name: "differences.csv".to_owned(), bytes: rows::differences(found)? },
    ])
}

fn filled(template: &str, values: &Value) -> Result<String> {
    let failed = |e| Error::output("a letter cannot be written").because(e);
    Environment::new().render_str(template, values).map(|text| text + "\n").map_err(failed)
}

/// What the classes are called in a letter: of either side, in English and Russian.
const WORDS: &[(Class, [&str; 2], [&str; 2])] = &[
    (Class::Missing, ["with us only", "with you only"], ["есть только у нас", "есть только у вас"]),
    (Class::StatusDiffers, ["status differs", ""], ["различается статус", ""]),
    (Class::PayoutDiffers, ["payout differs", ""], ["различается выплата", ""]),
    (Class::AmountDiffers, ["amount of the customer differs", ""], ["различается сумма клиента", ""]),
    (Class::CurrencyDiffers, ["currency differs", ""], ["различается валюта", ""]),
    (Class::EventDiffers, ["event differs", ""], ["различается событие", ""]),
    (Class::HoursDiffer, ["time differs by whole hours", ""], ["время различается на целые часы", ""]),
    (Class::Doubled, ["doubled with us", "doubled with you"], ["дважды у нас", "дважды у вас"]),
];

fn values(found: &Reconciliation) -> Value {
    let (compared, differ) = found.disagreement();
    let (first_day, last_day) = words::days(found);
    let accounts: Vec<Value> = found
        .ledger
        .all
        .iter()
        .map(|(code, account)| {
            let told = |sum: &Sum| told(sum, ["conversion", "conversions"]);
            let told_ru = |sum: &Sum| told_ru(sum);
            context! {
                currency => code.as_ref().map_or("(currency unknown)".to_owned(), |code| code.term(8)),
                ours => told(&account.ours).unwrap_or_else(|| "0".into()),
                theirs => told(&account.theirs).unwrap_or_else(|| "0".into()),
                missing => told(&account.missing), refused => told(&account.refused),
                underpaid => told(&account.underpaid), overpaid => told(&account.overpaid),
                waiting => told(&account.waiting), unknown => told(&account.unknown),
                ours_ru => told_ru(&account.ours).unwrap_or_else(|| "0".into()),
                theirs_ru => told_ru(&account.theirs).unwrap_or_else(|| "0".into()),
                missing_ru => told_ru(&account.missing), refused_ru => told_ru(&account.refused),
                underpaid_ru => told_ru(&account.underpaid), overpaid_ru => told_ru(&account.overpaid),
                waiting_ru => told_ru(&account.waiting), unknown_ru => told_ru(&account.unknown),
            }
        })
        .collect();
    context! {
        first_day, last_day,
        tz => found.zone.name(),
        join => format!("{} = {}", found.join.ours.term(NAME), found.join.theirs.term(NAME)),
        we_claim => found.direction == Direction::TheyOweUs,
        agree => differ == 0,
        conversions => words::count(compared),
        differ => words::count(differ),
        clock => (found.ahead != 0).then(|| format!("Your times are {} {} ours and were corrected", words::clock(found.ahead_s()), side_of(found))),
        clock_ru => (found.ahead != 0).then(|| format!("Ваше время отличается от нашего на {} и приведено к нему", words::clock(found.ahead_s()).replace("min", "мин").replace(" h", " ч"))),
        fallback => (found.fallback > 0).then(|| format!("{} pairs without an ID in common were matched by offer, time, amount and country", words::count(found.fallback))),
        fallback_count => (found.fallback > 0).then(|| words::count(found.fallback)),
        classes => lines(found),
        accounts,
        version => env!("CARGO_PKG_VERSION"),
        our_files => inputs(found, true),
        their_files => inputs(found, false),
    }
}

fn side_of(found: &Reconciliation) -> &'static str {
    if found.ahead > 0 { "ahead of" } else { "behind" }
}

/// The classes on which the sides disagree, with their counts in a column.
fn lines(found: &Reconciliation) -> Vec<Value> {
    let mut all: Vec<(u64, &str, &str)> = Vec::new();
    for (class, english, russian) in WORDS {
        let tally = found.tally(*class);
        all.push((tally.ours, english[0], russian[0]));
        all.push((if english[1].is_empty() { 0 } else { tally.theirs }, english[1], russian[1]));
    }
    all.retain(|(n, ..)| *n > 0);
    let width = all.iter().map(|(n, ..)| words::count(*n).len()).max().unwrap_or(0);
    let line = |(n, what, what_ru): (u64, &str, &str)| {
        context! { count => format!("{:>width$}", words::count(n)), what, what_ru }
    };
    all.into_iter().map(line).collect()
}

/// `8 conversions, 306.00`; `None` where there is none.
fn told(sum: &Sum, words: [&str; 2]) -> Option<String> {
    let what = if sum.count == 1 { words[0] } else { words[1] };
    (sum.count > 0)
        .then(|| format!("{} {what}, {}", words::count(sum.count), priced(sum, "without an amount")))
}

fn told_ru(sum: &Sum) -> Option<String> {
    (sum.count > 0).then(|| format!("{} шт., {}", words::count(sum.count), priced(sum, "без суммы")))
}

fn priced(sum: &Sum, without: &str) -> String {
    let amount = words::amount(Micro(sum.amount.0));
    if sum.unpriced == 0 { amount } else { format!("{amount} ({} {without})", words::count(sum.unpriced)) }
}

/// Names and digests of one side's files.
fn inputs(found: &Reconciliation, ours: bool) -> String {
    let file = |file: &super::FileLine| {
        let name = file.ledger.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("{} (BLAKE3 {})", Text::of_user(name).term(80), &file.ledger.digest)
    };
    let names: Vec<String> = found.files.iter().filter(|f| f.ours == ours).map(file).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::CLASSES;

    #[test]
    fn every_class_that_disagrees_has_words_in_both_languages() {
        for facts in CLASSES.iter().filter(|facts| facts.disagrees) {
            let words = WORDS.iter().find(|(class, ..)| *class == facts.class);
            let (_, english, russian) = words.unwrap_or_else(|| panic!("{} has no words", facts.word));
            assert!(!english[0].is_empty() && !russian[0].is_empty());
            assert_eq!(english[1].is_empty(), russian[1].is_empty());
        }
    }
}
