//! What one currency is worth in another on a day: constants of the mapping and rate files of the user's.
//!
//! A rate is the one of the row's day, or of the last day before it that has one, at most a week back. Refuses
//! to reach further, to interpolate, and to take a rate from the future.

use crate::base::error::{Error, Result, read_small};
use crate::base::time::{DAY, TimeFormat, TimeReader, Zone};
use std::collections::BTreeMap;
use std::path::Path;

/// A rate of 1.
pub const ONE: i64 = 1_000_000_000_000;

/// How many days old a rate may be: banks fix none over Easter and New Year.
pub const OLDEST_DAYS: i32 = 7;

/// The currency of the European Central Bank's tables.
const ECB_BASE: &str = "EUR";

/// The base of a generic file without a `base` column: the currency of the report.
const REPORT: &str = "";

/// So many faults of a rates file are told.
const FAULTS_TOLD: usize = 5;

/// A rate with its day, if it is of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    /// Units of the report's currency for one unit of the other, as so many [`ONE`]ths.
    pub value: i64,
    /// Days since 1970.
    pub day: Option<i32>,
}

impl Rate {
    /// The rate as a decimal number.
    pub fn text(self) -> String {
        let digits = format!("{}.{:012}", self.value / ONE, self.value % ONE);
        digits.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// Values of currencies in a base, by day and currency.
type Days = BTreeMap<i32, BTreeMap<String, f64>>;

/// Everything that is known about rates.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// One unit of a currency in the report's.
    constants: BTreeMap<String, f64>,
    /// What one unit of a currency is worth, by base.
    bases: BTreeMap<String, Days>,
    /// The files they came from, as the user named them.
    pub files: Vec<String>,
}

impl Rates {
    /// The constants of a mapping: one unit of each currency in the report's.
    ///
    /// # Errors
    /// A text that is no rate.
    pub fn constant(texts: &BTreeMap<String, String>) -> Result<Rates> {
        let mut rates = Rates::default();
        for (code, text) in texts {
            let rate = number(text).ok_or_else(|| {
                Error::usage(format!(
                    "`{text}` is no rate for {code}; expected a positive number such as 1.08"
                ))
            })?;
            rates.constants.insert(code.to_uppercase(), rate);
        }
        Ok(rates)
    }

    /// Adds a rates file.
    ///
    /// # Errors
    /// It cannot be read, or is no table of rates.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let text = read_small(path, "rates file")?;
        let name = path.display().to_string();
        self.add(&text).map_err(|faults| {
            let told: Vec<&str> = faults.iter().take(FAULTS_TOLD).map(String::as_str).collect();
            Error::usage(format!("{name} is no rates file: {}", told.join("; "))).help(
                "expected the European Central Bank's table (Date,USD,JPY,…), or the columns date,currency,rate: what one unit of the currency is worth in the report's, or in that of a fourth column, base",
            )
        })?;
        self.files.push(name);
        Ok(())
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.constants.is_empty() && self.bases.is_empty()
    }

    /// What one unit of `code` is worth in `ours` on a day. A day's own rate goes before a constant.
    pub fn of(&self, code: &str, ours: &str, day: Option<i32>) -> Option<Rate> {
        let daily = day.and_then(|day| self.daily(code, ours, day));
        let constant = || self.constants.get(code).map(|&rate| (rate, None));
        let (rate, day) = daily.or_else(constant)?;
        let value = (rate * ONE as f64).round();
        (value >= 1.0 && value < i64::MAX as f64).then_some(Rate { value: value as i64, day })
    }

    /// The rate of the latest day; between bases with the same day the first by name.
    fn daily(&self, code: &str, ours: &str, day: i32) -> Option<(f64, Option<i32>)> {
        let mut best: Option<(f64, Option<i32>)> = None;
        for (base, days) in &self.bases {
            let worth = |values: &BTreeMap<String, f64>, code: &str| {
                let is_base = code == base || (base == REPORT && code == ours);
                if is_base { Some(1.0) } else { values.get(code).copied() }
            };
            let rate = |(&at, values): (&i32, &BTreeMap<String, f64>)| {
                Some((worth(values, code)? / worth(values, ours)?, Some(at)))
            };
            let found = days.range(day - OLDEST_DAYS..=day).rev().find_map(rate);
            if found.is_some_and(|f| best.is_none_or(|b| f.1 > b.1)) {
                best = found;
            }
        }
        best
    }

    fn add(&mut self, text: &str) -> std::result::Result<(), Vec<String>> {
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let header = lines.next().map(|(_, line)| line).ok_or_else(|| vec!["it is empty".to_owned()])?;
        let mark = [',', ';', '\t'].into_iter().max_by_key(|m| header.matches(*m).count()).unwrap_or(',');
        let names: Vec<String> = fields(header, mark).map(str::to_lowercase).collect();
        let rows = lines.map(|(at, line)| (at + 1, fields(line, mark).collect::<Vec<_>>()));
        match columns(&names) {
            Some(columns) => self.add_list(columns, rows),
            None if is_table(&names) => self.add_table(&names, rows),
            None => Err(vec![format!("the header is `{}`", crate::base::text::Text::new(header).term(80))]),
        }
    }

    /// Rows of one day, one currency, one rate.
    fn add_list<'t>(
        &mut self,
        (date, currency, rate, base): (usize, usize, usize, Option<usize>),
        rows: impl Iterator<Item = (usize, Vec<&'t str>)>,
    ) -> std::result::Result<(), Vec<String>> {
        let mut faults = Vec::new();
        for (line, row) in rows {
            let field = |at: usize| row.get(at).copied().unwrap_or_default();
            let found = day(field(date)).zip(code(field(currency))).zip(number(field(rate)));
            let base = base.map_or(Some(REPORT.to_owned()), |at| code(field(at)));
            match found.zip(base) {
                Some((((day, code), rate), base)) => faults.extend(self.put(base, day, code, rate, line)),
                None => faults.push(format!("line {line} is `{}`", row.join(","))),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Rows of one day, with a column for each currency: how many units of it one euro buys.
    fn add_table<'t>(
        &mut self,
        names: &[String],
        rows: impl Iterator<Item = (usize, Vec<&'t str>)>,
    ) -> std::result::Result<(), Vec<String>> {
        let mut faults = Vec::new();
        for (line, row) in rows {
            let Some(day) = row.first().and_then(|text| day(text)) else {
                faults.push(format!("line {line} has the date `{}`", row.first().unwrap_or(&"")));
                continue;
            };
            for (name, text) in names.iter().zip(&row).skip(1) {
                if name.is_empty() || text.is_empty() || text.eq_ignore_ascii_case("n/a") {
                    continue;
                }
                match number(text) {
                    Some(rate) => {
                        faults.extend(self.put(
                            ECB_BASE.to_owned(),
                            day,
                            name.to_uppercase(),
                            1.0 / rate,
                            line,
                        ));
                    }
                    None => faults.push(format!("line {line} has the rate `{text}`")),
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Keeps a rate; a fault if the same day has another one.
    fn put(&mut self, base: String, day: i32, code: String, rate: f64, line: usize) -> Option<String> {
        let values = self.bases.entry(base).or_default().entry(day).or_default();
        let before = values.insert(code.clone(), rate);
        before
            .filter(|b| *b != rate)
            .map(|_| format!("line {line} has another rate of {code} for the same day"))
    }
}

fn fields(line: &str, mark: char) -> impl Iterator<Item = &str> {
    line.split(mark).map(|field| field.trim().trim_matches('"').trim())
}

/// Places of date, currency, rate and base.
fn columns(names: &[String]) -> Option<(usize, usize, usize, Option<usize>)> {
    let at = |words: &[&str]| names.iter().position(|n| words.contains(&n.as_str()));
    Some((at(&["date", "day"])?, at(&["currency", "code"])?, at(&["rate"])?, at(&["base"])))
}

/// The European Central Bank's table: a date, then currencies, the euro not among them; the last name is empty.
fn is_table(names: &[String]) -> bool {
    let currency = |name: &String| name.is_empty() || (code(name).is_some() && name != "eur");
    names.len() > 1 && names[0] == "date" && names[1..].iter().all(currency)
}

fn code(text: &str) -> Option<String> {
    let fits = (3..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then(|| text.to_uppercase())
}

fn number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse::<f64>().ok().filter(|r| plain && *r > 1e-9 && *r < 1e9)
}

/// Days since 1970 of `2026-03-13`, or of `13 March 2026` as the table of a single day has it.
fn day(text: &str) -> Option<i32> {
    let read = |format: TimeFormat| TimeReader { format, zone: Zone::UTC }.read(text.as_bytes()).ok();
    let micros = read(TimeFormat::Iso).or_else(|| read(TimeFormat::Pattern("%d %B %Y".to_owned())))?;
    Some(micros.div_euclid(DAY) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECB: &str = "Date,USD,RUB,PLN,\n2026-03-13,1.25,N/A,4.00,\n2026-03-12,1.20,N/A,4.20,\n2026-02-20,1.10,N/A,4.30,\n";

    fn of(text: &str) -> Rates {
        let mut rates = Rates::default();
        rates.add(text).unwrap_or_else(|faults| panic!("{faults:?}"));
        rates
    }

    #[track_caller]
    fn check(rates: &Rates, code: &str, ours: &str, on: &str, expected: Option<(f64, &str)>) {
        let found = rates.of(code, ours, day(on)).map(|r| (r.value as f64 / ONE as f64, r.day));
        assert_eq!(found, expected.map(|(rate, on)| (rate, day(on))), "{code} in {ours} on {on}");
    }

    #[test]
    fn the_last_earlier_day_counts() {
        let rates = of(ECB);
        check(&rates, "EUR", "USD", "2026-03-13", Some((1.25, "2026-03-13")));
        check(&rates, "EUR", "USD", "2026-03-20", Some((1.25, "2026-03-13")));
        check(&rates, "EUR", "USD", "2026-03-21", None);
        check(&rates, "EUR", "USD", "2026-03-12", Some((1.2, "2026-03-12")));
        check(&rates, "EUR", "USD", "2026-03-11", None);
        check(&rates, "USD", "EUR", "2026-03-13", Some((0.8, "2026-03-13")));
        check(&rates, "PLN", "USD", "2026-03-14", Some((0.3125, "2026-03-13")));
        check(&rates, "RUB", "USD", "2026-03-13", None);
        check(&rates, "XYZ", "USD", "2026-03-13", None);
    }

    #[test]
    fn generic_files_say_what_a_unit_is_worth() {
        let own = of("date;currency;rate\n2026-03-13;RUB;0.0125\n2026-03-13;USDT;1\n");
        check(&own, "RUB", "USD", "2026-03-15", Some((0.0125, "2026-03-13")));
        check(&own, "usdt", "USD", "2026-03-13", None);
        let based = of("rate,base,currency,date\n0.00004,USD,VND,2026-03-13\n1.1,USD,EUR,2026-03-13\n");
        check(&based, "VND", "USD", "2026-03-13", Some((0.000_04, "2026-03-13")));
        check(&based, "USD", "EUR", "2026-03-13", Some((0.909_090_909_091, "2026-03-13")));
    }

    #[test]
    fn the_latest_of_several_files_counts_and_constants_are_last() {
        let mut rates = Rates::constant(&BTreeMap::from([("eur".into(), "9".into())])).expect("a rate");
        rates.add(ECB).expect("a table");
        rates.add("date,currency,rate\n2026-03-14,EUR,1.5\n").expect("a list");
        check(&rates, "EUR", "USD", "2026-03-13", Some((1.25, "2026-03-13")));
        check(&rates, "EUR", "USD", "2026-03-14", Some((1.5, "2026-03-14")));
        assert_eq!(rates.of("EUR", "USD", day("2027-01-01")), Some(Rate { value: 9 * ONE, day: None }));
        assert_eq!(rates.of("EUR", "USD", None), Some(Rate { value: 9 * ONE, day: None }));
    }

    #[test]
    fn the_table_of_one_day_is_read() {
        let rates = of("Date, USD, JPY, \n13 March 2026, 1.0850, 160.00, \n");
        check(&rates, "JPY", "EUR", "2026-03-13", Some((0.006_25, "2026-03-13")));
    }

    #[test]
    fn what_is_no_rates_file_is_refused() {
        for (text, fault) in [
            ("", "it is empty"),
            ("a,b,c\n", "the header is"),
            ("Date,USD,EUR\n2026-03-13,1,1\n", "the header is"),
            ("date,currency,rate\n13.03.2026,EUR,1\n", "line 2 is"),
            ("date,currency,rate\n2026-03-13,EUR,-1\n", "line 2 is"),
            ("date,currency,rate\n2026-03-13,EUR,NaN\n", "line 2 is"),
            ("date,currency,rate\n2026-03-13,EUR\n", "line 2 is"),
            ("date,currency,rate\n2026-03-13,EUR,1\n2026-03-13,EUR,2\n", "line 3 has another rate of EUR"),
            ("Date,USD\n2026-03-13,x\n", "line 2 has the rate `x`"),
            ("Date,USD\nyesterday,1\n", "line 2 has the date"),
        ] {
            let faults = Rates::default().add(text).expect_err(text);
            assert!(faults[0].starts_with(fault), "{text}: {faults:?}");
        }
    }
}
