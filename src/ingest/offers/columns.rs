//! The columns of an offers file, declared: what each holds, what it does, how it is read.

use super::{
    Cap, MODELS, PERIODS, Pay, PayLine, Period, REJECT_CLASSES, RejectClass, Terms, country_code, folded,
};
use crate::base::diag::did_you_mean;
use crate::base::money::SCALE;
use crate::base::time::{DAY, Zone, parse_day};
use crate::ingest::mapping::seconds;
use std::collections::{BTreeMap, BTreeSet};

/// The canonical events, as [`crate::ingest`]'s right neighbour knows them; a test compares the two.
pub const EVENT_NAMES: [&str; 10] = [
    "install",
    "registration",
    "lead",
    "first_deposit",
    "sale",
    "conversion",
    "deposit",
    "rebill",
    "chargeback",
    "refund",
];

/// What is wrong with a cell, and what to do about it.
pub struct Wrong {
    pub message: String,
    pub help: Option<String>,
}

/// One column of the file.
pub struct Column {
    pub name: &'static str,
    pub needed: bool,
    /// What stands in a cell.
    pub summary: &'static str,
    pub example: &'static str,
    /// What an audit does with it.
    pub effect: &'static str,
    /// Reads a cell that is not empty.
    pub read: fn(&mut Terms, &str) -> Result<(), Wrong>,
}

/// Every column; the order is that of the documentation.
pub const COLUMNS: &[Column] = &[
    Column {
        name: "offer",
        needed: true,
        summary: "the offer, exactly as the exports call it",
        example: "casino-de",
        effect: "rows of the exports find their terms by it",
        read: |_, _| Ok(()),
    },
    Column {
        name: "from",
        needed: false,
        summary: "the day from which the row holds, until the next row of the same offer; empty: from the beginning",
        example: "2026-03-01",
        effect: "rows before the first day have no terms",
        read: |terms, text| {
            terms.from = Some(parse_day(text).ok_or_else(|| wrong("is no day", "write it as 2026-03-01"))?);
            Ok(())
        },
    },
    Column {
        name: "model",
        needed: false,
        summary: "CPA, CPL, RevShare or hybrid",
        example: "CPA",
        effect: "fills the column `model` where an export has none: peers of one offer are compared by it; says which events are paid for",
        read: |terms, text| {
            let known = MODELS.iter().find(|(_, word, _)| word.eq_ignore_ascii_case(text));
            terms.model = Some(known.ok_or_else(|| unknown("model", text, MODELS.iter().map(|m| m.1)))?.0);
            Ok(())
        },
    },
    Column {
        name: "payout",
        needed: false,
        summary: "what a conversion pays: an amount, a percentage of what the customer paid, or both (`40+25%`); by country or tier (`DE=80 T1=60 *=40`), and from a conversion of the month on (`DE@51=95`)",
        example: "DE=80 DE@51=95 *=40",
        effect: "stands for the payout where an export has none; otherwise `payout_in_rates` says how the payouts compare with it",
        read: payout,
    },
    Column {
        name: "tiers",
        needed: false,
        summary: "countries of the tiers that `payout` names",
        example: "T1=US/GB/CA T2=DE/AT",
        effect: "what a tier in `payout` means",
        read: |terms, text| {
            for entry in entries(text) {
                let (name, countries) = pair(entry)?;
                let codes = countries.split('/').map(code).collect::<Result<BTreeSet<_>, _>>()?;
                if terms.tiers.insert(name.to_uppercase(), codes).is_some() {
                    return Err(twice(name));
                }
            }
            Ok(())
        },
    },
    Column {
        name: "pays",
        needed: false,
        summary: "the events that are paid for; empty: those of the model",
        example: "first_deposit",
        effect: "caps and payouts count these events only",
        read: |terms, text| {
            for event in entries(text) {
                terms.pays.insert(event_name(event)?);
            }
            Ok(())
        },
    },
    Column {
        name: "currency",
        needed: false,
        summary: "of payout and minimum deposit; empty: the report's",
        example: "EUR",
        effect: "amounts are exchanged at the rate of the conversion's day (`--rates`)",
        read: |terms, text| {
            let fits = (3..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
            if !fits {
                return Err(wrong("is no currency code", "write it as USD"));
            }
            terms.currency = Some(text.to_uppercase());
            Ok(())
        },
    },
    Column {
        name: "events",
        needed: false,
        summary: "what the advertiser's words for events mean",
        example: "reg=registration dep=first_deposit redep=deposit",
        effect: "events are counted under their usual names, before the mapping's `events`",
        read: |terms, text| {
            for entry in entries(text) {
                let (word, event) = pair(entry)?;
                if terms.events.insert(word.to_lowercase(), event_name(event)?).is_some() {
                    return Err(twice(word));
                }
            }
            Ok(())
        },
    },
    Column {
        name: "min_deposit",
        needed: false,
        summary: "the smallest first deposit that qualifies",
        example: "20",
        effect: "a first deposit below it becomes the event `unqualified_deposit`, which pays nothing and is no deposit; the smallest amount that `min_deposit_share` looks at is this one",
        read: |terms, text| {
            terms.min_deposit = Some(amount(text)?);
            Ok(())
        },
    },
    Column {
        name: "cap",
        needed: false,
        summary: "the most conversions that are paid for in a period: a number, or with the period `50/day`, `300/week`, `1000/month`, `500/total`",
        example: "50/day",
        effect: "rejected conversions beyond it say nothing against their source; `over_cap_share` counts them",
        read: cap,
    },
    Column {
        name: "cap_zone",
        needed: false,
        summary: "time zone in which the cap starts anew; empty: UTC",
        example: "Europe/Berlin",
        effect: "cuts the days, weeks and months of `cap`, and the months of `payout`",
        read: |terms, text| {
            terms.zone =
                Some(text.parse::<Zone>().map_err(|why| wrong_because(&why, "write it as Europe/Berlin"))?);
            Ok(())
        },
    },
    Column {
        name: "hold_days",
        needed: false,
        summary: "days until the advertiser has decided",
        example: "14",
        effect: "younger conversions are no evidence of approval or rejection; replaces what is learned from the decisions' dates",
        read: |terms, text| {
            let days = text.parse::<u32>().ok().filter(|d| *d <= 400);
            let days = days.ok_or_else(|| wrong("is no number of days", "write a whole number up to 400"))?;
            terms.hold = Some(i64::from(days) * DAY);
            Ok(())
        },
    },
    Column {
        name: "attribution_window",
        needed: false,
        summary: "how old a click may be, with its unit",
        example: "30d",
        effect: "a conversion without a click is an orphan only if its click must lie in the loaded span: so long before it",
        read: |terms, text| {
            let window = seconds(text).map_err(|e| wrong_because(&e.message, "write it as 30d or 24h"))?;
            terms.window = Some((window * 1e6) as i64);
            Ok(())
        },
    },
    Column {
        name: "countries",
        needed: false,
        summary: "the countries that the offer takes; empty: all",
        example: "DE AT CH",
        effect: "`disallowed_country_share` counts conversions from others",
        read: |terms, text| {
            for country in entries(text) {
                terms.countries.insert(code(country)?);
            }
            Ok(())
        },
    },
    Column {
        name: "incentive",
        needed: false,
        summary: "whether rewarded traffic is allowed: yes or no",
        example: "no",
        effect: "where it is, rules that find rewarded traffic only note it",
        read: |terms, text| {
            terms.incentive = Some(yes(text)?);
            Ok(())
        },
    },
    Column {
        name: "brand",
        needed: false,
        summary: "whether bidding on the advertiser's name is allowed: yes or no",
        example: "no",
        effect: "where it is, rules that find it only note it",
        read: |terms, text| {
            terms.brand = Some(yes(text)?);
            Ok(())
        },
    },
    Column {
        name: "rejects",
        needed: false,
        summary: "what the advertiser's words in `reject_reason` mean: quality, fraud, cap, geo, existing_customer or kyc; an underscore stands for a space",
        example: "limit_hit=cap dup_acc=existing_customer",
        effect: "only quality and fraud count against a source; the others are counted apart",
        read: |terms, text| {
            for entry in entries(text) {
                let (word, class) = pair(entry)?;
                if terms.rejects.insert(folded(word), reject_class(class)?).is_some() {
                    return Err(twice(word));
                }
            }
            Ok(())
        },
    },
];

fn wrong(what: &str, help: &str) -> Wrong {
    Wrong { message: what.to_owned(), help: Some(help.to_owned()) }
}

/// What another reader said of the cell.
fn wrong_because(why: &str, help: &str) -> Wrong {
    Wrong { message: format!("cannot be read: {why}"), help: Some(help.to_owned()) }
}

fn unknown<'a>(what: &str, text: &str, choices: impl Iterator<Item = &'a str>) -> Wrong {
    Wrong { message: format!("is no {what}"), help: did_you_mean(text, choices) }
}

fn twice(word: &str) -> Wrong {
    wrong(&format!("names `{word}` twice"), "keep one of them")
}

/// The entries of a cell: between spaces or `|`.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == '|').filter(|entry| !entry.is_empty())
}

/// `WORD=MEANING`.
fn pair(entry: &str) -> Result<(&str, &str), Wrong> {
    let found = entry.split_once('=').filter(|(word, means)| !word.is_empty() && !means.is_empty());
    found.ok_or_else(|| Wrong {
        message: format!("has the entry `{entry}`, which is no WORD=MEANING"),
        help: Some("write entries with spaces between them, and none around `=`".to_owned()),
    })
}

fn code(country: &str) -> Result<String, Wrong> {
    let fits = country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic());
    if fits {
        Ok(country_code(country))
    } else {
        Err(wrong(&format!("has `{country}`, which is no country"), "use codes of two letters, such as DE"))
    }
}

fn event_name(word: &str) -> Result<String, Wrong> {
    let known = EVENT_NAMES.iter().find(|name| name.eq_ignore_ascii_case(word));
    let known = known.ok_or_else(|| Wrong {
        message: format!("has `{word}`, which is no event"),
        help: did_you_mean(word, EVENT_NAMES.iter().copied()),
    })?;
    Ok((*known).to_owned())
}

fn reject_class(word: &str) -> Result<RejectClass, Wrong> {
    let known = REJECT_CLASSES.iter().find(|(_, name, ..)| name.eq_ignore_ascii_case(word));
    known.map(|(class, ..)| *class).ok_or_else(|| Wrong {
        message: format!("has `{word}`, which is no class of rejects"),
        help: did_you_mean(word, REJECT_CLASSES.iter().map(|c| c.1)),
    })
}

fn yes(text: &str) -> Result<bool, Wrong> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err(wrong("is neither yes nor no", "write yes or no")),
    }
}

/// The largest amount of an offer, in units.
const MOST: f64 = 10_000_000.0;

/// An amount in micro-units: digits and a point.
fn amount(text: &str) -> Result<i64, Wrong> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let units = text.parse::<f64>().ok().filter(|units| plain && (0.0..=MOST).contains(units));
    let units =
        units.ok_or_else(|| wrong("is no amount", "write it as 80 or 12.50, without a currency mark"))?;
    Ok((units * SCALE as f64).round() as i64)
}

/// `40`, `25%`, `40+25%`.
fn pay(text: &str) -> Result<Pay, Wrong> {
    let mut pay = Pay::default();
    for part in text.split('+') {
        match part.strip_suffix('%') {
            Some(percent) => {
                let share = amount(percent)? / (SCALE / 100);
                if share > 10_000 {
                    return Err(wrong(
                        "pays more than 100% of what the customer paid",
                        "write a percentage up to 100%",
                    ));
                }
                pay.share += share;
            }
            None => pay.fixed += amount(part)?,
        }
    }
    Ok(pay)
}

fn payout(terms: &mut Terms, text: &str) -> Result<(), Wrong> {
    for entry in entries(text) {
        let (place, paid) = entry.split_once('=').unwrap_or(("*", entry));
        let (place, from) = place.split_once('@').unwrap_or((place, "1"));
        let from = from.parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(|| {
            wrong(
                &format!("has `{entry}`, which starts with no conversion"),
                "write `DE@51=95`: from the 51st conversion of the month on",
            )
        })?;
        let place = (place != "*" && !place.is_empty()).then(|| country_code(place));
        let line = PayLine { place, from, pay: pay(paid)? };
        if terms.payout.iter().any(|l| (&l.place, l.from) == (&line.place, line.from)) {
            return Err(twice(entry.split('=').next().unwrap_or(entry)));
        }
        terms.payout.push(line);
    }
    Ok(())
}

fn cap(terms: &mut Terms, text: &str) -> Result<(), Wrong> {
    let (most, period) = text.split_once('/').unwrap_or((text, "day"));
    let most = most.trim().parse::<u64>().map_err(|_| wrong("is no cap", "write it as 50/day"))?;
    let known = PERIODS.iter().find(|(_, word)| word.eq_ignore_ascii_case(period.trim()));
    let period: Period =
        known.ok_or_else(|| unknown("period of a cap", period, PERIODS.iter().map(|p| p.1)))?.0;
    terms.cap = Some(Cap { most, period });
    Ok(())
}

/// A place in `payout` is a country or a tier of the same row.
pub fn unknown_place(terms: &Terms) -> Option<Wrong> {
    let country = |place: &str| place.len() == 2 && place.bytes().all(|b| b.is_ascii_alphabetic());
    let known = |place: &String| terms.tiers.contains_key(place) || country(place);
    let place = terms.payout.iter().filter_map(|line| line.place.as_ref()).find(|place| !known(place))?;
    Some(Wrong {
        message: format!("pays for `{place}`, which is neither a country nor one of the row's tiers"),
        help: Some("use codes of two letters, or say in `tiers` which countries it means".to_owned()),
    })
}

/// Every column by its name.
pub fn by_name() -> BTreeMap<&'static str, &'static Column> {
    COLUMNS.iter().map(|column| (column.name, column)).collect()
}

/// The example of the documentation.
pub const EXAMPLE: &str = "\
offer,from,model,payout,tiers,min_deposit,cap,cap_zone,hold_days,attribution_window,countries,incentive,events,rejects
casino-de,2026-02-01,CPA,DE=80 AT=70,,20,50/day,Europe/Berlin,14,30d,DE AT,no,reg=registration dep=first_deposit,limit_hit=cap dup_acc=existing_customer
casino-de,2026-03-01,CPA,DE=90 DE@101=100 AT=70,,20,80/day,Europe/Berlin,14,30d,DE AT,no,reg=registration dep=first_deposit,limit_hit=cap dup_acc=existing_customer
sweeps,,CPL,T1=4.50 *=1.20,T1=US/CA/GB,,300/week,America/New_York,3,7d,,yes,,
";
