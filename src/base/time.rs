//! Points in time: microseconds since 1970 in UTC, read in the declared format and zone, never guessed.

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use std::str::FromStr;

pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
pub const DAY: i64 = 24 * HOUR;

/// 2000-01-01 and 2100-01-01: nothing the field exports lies outside.
/// What is earlier, or not before [`LATEST`], is no time of a click: microseconds since 1970.
pub const EARLIEST: i64 = 946_684_800 * SECOND;
pub const LATEST: i64 = 4_102_444_800 * SECOND;

/// How a time column is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-03-02 13:05:09`, with `T`, fraction, offset or `Z`, or without seconds or time of day.
    Iso,
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// Microseconds since 1970.
    EpochUs,
    /// A chrono pattern such as `%Y-%m-%d %I:%M:%S %p`.
    Pattern(String),
    /// Any of these; no text is one time in one of them and another time in another.
    AnyOf(Vec<TimeFormat>),
}

impl FromStr for TimeFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "iso" => Ok(TimeFormat::Iso),
            "epoch_s" => Ok(TimeFormat::EpochS),
            "epoch_ms" => Ok(TimeFormat::EpochMs),
            "epoch_us" => Ok(TimeFormat::EpochUs),
            pattern if pattern.contains('%') => Ok(TimeFormat::Pattern(pattern.to_owned())),
            other => Err(format!(
                "`{other}` is no time format; expected iso, epoch_s, epoch_ms, epoch_us or a pattern such as `%d/%m/%Y %H:%M:%S`"
            )),
        }
    }
}

/// Points in time that formats are held against each other with, through the whole century: the step is some
/// months, days, hours, minutes and seconds, so that all parts of a time vary.
const PROBES: i64 = 64;
const PROBE_STEP: i64 = 48_271_309;

impl TimeFormat {
    /// A column that may be written in each of several formats, row by row.
    ///
    /// # Errors
    /// None is named.
    pub fn any_of(mut formats: Vec<TimeFormat>) -> Result<TimeFormat, String> {
        match formats.len() {
            0 => Err("no time format is named".to_owned()),
            1 => Ok(formats.remove(0)),
            _ => Ok(TimeFormat::AnyOf(formats)),
        }
    }

    /// Refuses formats that cannot hold beside each other in one column.
    ///
    /// # Errors
    /// A text can be one time in one of them and another time in another: then only who made the file knows which
    /// it is.
    pub fn refuse_doubt(formats: &[TimeFormat]) -> Result<(), String> {
        for (at, one) in formats.iter().enumerate() {
            for other in &formats[..at] {
                if let Some(text) = one.taken_by(other).or_else(|| other.taken_by(one)) {
                    return Err(format!(
                        "`{text}` is one time as `{}` and another as `{}`; name the one that holds",
                        other.name(),
                        one.name()
                    ));
                }
            }
        }
        Ok(())
    }

    /// The formats of a column, mostly one.
    pub fn all(&self) -> &[TimeFormat] {
        match self {
            TimeFormat::AnyOf(formats) => formats,
            one => std::slice::from_ref(one),
        }
    }

    /// As a mapping declares it; of several the first.
    pub fn name(&self) -> &str {
        match self {
            TimeFormat::Iso => "iso",
            TimeFormat::EpochS => "epoch_s",
            TimeFormat::EpochMs => "epoch_ms",
            TimeFormat::EpochUs => "epoch_us",
            TimeFormat::Pattern(pattern) => pattern,
            TimeFormat::AnyOf(formats) => formats.first().map_or("", TimeFormat::name),
        }
    }

    /// Microseconds of one step of an epoch format.
    fn step(&self) -> Option<i64> {
        match self {
            TimeFormat::EpochS => Some(SECOND),
            TimeFormat::EpochMs => Some(1_000),
            TimeFormat::EpochUs => Some(1),
            TimeFormat::Iso | TimeFormat::Pattern(_) | TimeFormat::AnyOf(_) => None,
        }
    }

    /// Whether whole numbers can be times.
    pub fn counts(&self) -> bool {
        self.all().iter().any(|format| format.step().is_some())
    }

    /// A whole number as microseconds since 1970: of several steps the one that leads into our century.
    ///
    /// # Errors
    /// No format counts steps, or the number lies before 2000 or after 2099.
    pub fn of_number(&self, number: i64) -> Result<i64, TimeFault> {
        let mut steps = self.all().iter().filter_map(TimeFormat::step).peekable();
        let none = if steps.peek().is_some() { TimeFault::OutOfRange } else { TimeFault::Unreadable };
        steps.find_map(|step| in_range(number.saturating_mul(step)).ok()).ok_or(none)
    }

    /// A text of this format that another one reads as another time.
    fn taken_by(&self, other: &TimeFormat) -> Option<String> {
        let reader = |format: &TimeFormat| TimeReader { format: format.clone(), zone: Zone::UTC };
        let (own, other) = (reader(self), reader(other));
        let texts = (0..PROBES).flat_map(|i| self.written(978_307_200 + i * PROBE_STEP));
        texts.filter(|text| own.read(text.as_bytes()).is_ok()).find(|text| {
            let read = other.read(text.as_bytes());
            read.is_ok() && read != own.read(text.as_bytes())
        })
    }

    /// Ways to write a point in time, given in seconds.
    fn written(&self, second: i64) -> Vec<String> {
        let time = DateTime::from_timestamp(second, 0).unwrap_or_default();
        let with = |pattern: &str| {
            let mut text = String::new();
            std::fmt::Write::write_fmt(&mut text, format_args!("{}", time.format(pattern)))
                .map(|()| text)
                .ok()
        };
        match self {
            TimeFormat::Iso => [with("%Y-%m-%d %H:%M:%S"), with("%Y-%m-%d")].into_iter().flatten().collect(),
            TimeFormat::Pattern(pattern) => with(pattern).into_iter().collect(),
            format => format.step().map(|step| (second * (SECOND / step)).to_string()).into_iter().collect(),
        }
    }
}

/// How a local time stands to the clock of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It happens once.
    Plain,
    /// It happens twice, when the clock is set back.
    Repeated,
    /// It never happens, because the clock is set forward over it.
    Skipped,
}

/// The zone that local times are in and days are cut in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    pub const UTC: Zone = Zone(Tz::UTC);

    /// The IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Day number since 1970 and hour of the day of a point in time, in this zone.
    pub fn day_and_hour(self, micros: i64) -> (i32, u8) {
        let local = if self.0 == Tz::UTC { micros } else { micros + self.offset(micros) };
        (local.div_euclid(DAY) as i32, (local.rem_euclid(DAY) / HOUR) as u8)
    }

    /// The offsets from UTC between two times, the second excluded: since when each holds, in microseconds both.
    /// The first one holds from the beginning of time.
    pub fn offsets(self, from: i64, until: i64) -> Vec<(i64, i64)> {
        let mut offsets = vec![(i64::MIN, self.offset(from))];
        let mut before = from;
        while self.0 != Tz::UTC && before < until {
            let after = (before + DAY).min(until);
            let (was, is) = (self.offset(before), self.offset(after));
            if was != is {
                offsets.push((self.change(before, after), is));
            }
            before = after;
        }
        offsets
    }

    /// The whole second between two times at which the offset becomes that of the second.
    fn change(self, before: i64, after: i64) -> i64 {
        let (mut low, mut high) = (before / SECOND, after.div_euclid(SECOND));
        while high - low > 1 {
            let middle = (low + high) / 2;
            let changed = self.offset(middle * SECOND) == self.offset(after);
            (low, high) = if changed { (low, middle) } else { (middle, high) };
        }
        high * SECOND
    }

    fn offset(self, micros: i64) -> i64 {
        use chrono::Offset;
        let utc = DateTime::from_timestamp_micros(micros).unwrap_or_default().naive_utc();
        i64::from(self.0.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * SECOND
    }

    /// A local time as UTC. A time that happens twice is the earlier one; a time that the clock skips is read
    /// by the clock before it. A log must not become unreadable twice a year.
    pub fn to_utc(self, local: i64) -> (i64, Clock) {
        if self.0 == Tz::UTC {
            return (local, Clock::Plain);
        }
        let naive = DateTime::from_timestamp_micros(local).unwrap_or_default().naive_utc();
        match self.0.from_local_datetime(&naive) {
            LocalResult::Single(t) => (t.timestamp_micros(), Clock::Plain),
            LocalResult::Ambiguous(t, _) => (t.timestamp_micros(), Clock::Repeated),
            LocalResult::None => (local - self.offset(local - DAY), Clock::Skipped),
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Tz::from_str(text).map(Zone).map_err(|_| {
            let near = crate::base::near::nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|z| z.name()));
            match near.as_slice() {
                [] => format!("`{text}` is no time zone; expected an IANA name such as Europe/Berlin or UTC"),
                names => format!("`{text}` is no time zone; did you mean {}?", names.join(" or ")),
            }
        })
    }
}

/// Why a text is no usable time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFault {
    Unreadable,
    OutOfRange,
}

/// Reads one time column.
#[derive(Clone, Debug)]
pub struct TimeReader {
    pub format: TimeFormat,
    pub zone: Zone,
}

impl TimeReader {
    /// Microseconds since 1970 in UTC.
    ///
    /// # Errors
    /// The text does not fit the format, or lies before 2000 or after 2099.
    pub fn read(&self, text: &[u8]) -> Result<i64, TimeFault> {
        self.read_by_clock(text).map(|(micros, _)| micros)
    }

    /// The same, and how the text stands to the clock of the zone; with an offset of its own it is plain.
    ///
    /// # Errors
    /// Those of [`TimeReader::read`].
    pub fn read_by_clock(&self, text: &[u8]) -> Result<(i64, Clock), TimeFault> {
        let text = text.trim_ascii();
        let mut outcome = Err(TimeFault::Unreadable);
        for format in self.format.all() {
            match self.read_as(format, text) {
                Ok(read) => return Ok(read),
                Err(fault) if outcome == Err(TimeFault::Unreadable) => outcome = Err(fault),
                Err(_) => {}
            }
        }
        outcome
    }

    fn read_as(&self, format: &TimeFormat, text: &[u8]) -> Result<(i64, Clock), TimeFault> {
        let found = match format {
            TimeFormat::Iso => self.iso(text),
            TimeFormat::Pattern(pattern) => self.pattern(text, pattern),
            format => format.step().and_then(|step| epoch(text, step)).map(|micros| (micros, Clock::Plain)),
        };
        let (micros, clock) = found.ok_or(TimeFault::Unreadable)?;
        in_range(micros).map(|micros| (micros, clock))
    }

    fn iso(&self, text: &[u8]) -> Option<(i64, Clock)> {
        let (local, rest) = iso_local(text)?;
        match rest {
            b"" => Some(self.zone.to_utc(local)),
            b"Z" | b"z" | b" UTC" => Some((local, Clock::Plain)),
            _ => Some((local - iso_offset(rest)?, Clock::Plain)),
        }
    }

    fn pattern(&self, text: &[u8], pattern: &str) -> Option<(i64, Clock)> {
        let text = std::str::from_utf8(text).ok()?;
        if let Ok(with_zone) = DateTime::parse_from_str(text, pattern) {
            return Some((with_zone.timestamp_micros(), Clock::Plain));
        }
        let naive = NaiveDateTime::parse_from_str(text, pattern)
            .or_else(|_| NaiveDate::parse_from_str(text, pattern).map(|d| d.and_time(chrono::NaiveTime::MIN)))
            .ok()?;
        Some(self.zone.to_utc(naive.and_utc().timestamp_micros()))
    }
}

/// Refuses a point in time outside 2000..2100.
pub fn in_range(micros: i64) -> Result<i64, TimeFault> {
    if (EARLIEST..LATEST).contains(&micros) { Ok(micros) } else { Err(TimeFault::OutOfRange) }
}

/// Whole or broken steps since 1970, such as `1772456709.250`; what is finer than a microsecond is cut off.
fn epoch(text: &[u8], step: i64) -> Option<i64> {
    let point = text.iter().position(|&b| b == b'.');
    let (whole, fraction) = point.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
    let number: i64 = std::str::from_utf8(whole).ok()?.parse().ok()?;
    let mut part = 0;
    if let Some(fraction) = fraction {
        digits(fraction.get(..1)?)?;
        let mut worth = step;
        for digit in fraction {
            worth /= 10;
            part += worth * digits(std::slice::from_ref(digit))?;
        }
    }
    number.checked_mul(step)?.checked_add(part)
}

fn digits(text: &[u8]) -> Option<i64> {
    let all = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    all.then(|| text.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
}

/// Local microseconds of `YYYY-MM-DD[ T]HH:MM[:SS[.f]]` or `YYYY-MM-DD`, and what follows.
fn iso_local(text: &[u8]) -> Option<(i64, &[u8])> {
    let day = civil_day(text.get(..10)?)?;
    let Some(separator) = text.get(10) else { return Some((day * DAY, b"")) };
    if !matches!(separator, b' ' | b'T') {
        return None;
    }
    let colon = text[11..].iter().position(|&b| b == b':').filter(|&at| at <= 2)? + 11;
    let (hour, minute) = (digits(&text[11..colon])?, digits(text.get(colon + 1..colon + 3)?)?);
    let (second, micros, rest) = iso_seconds(&text[colon + 3..])?;
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then_some((day * DAY + hour * HOUR + (minute * 60 + second) * SECOND + micros, rest))
}

/// Seconds and fraction of `:SS[.f]`, if they are there, and what follows.
fn iso_seconds(text: &[u8]) -> Option<(i64, i64, &[u8])> {
    let Some((b':', after)) = text.split_first() else { return Some((0, 0, text)) };
    let second = digits(after.get(..2)?)?;
    let Some((b'.', fraction)) = after[2..].split_first() else { return Some((second, 0, &after[2..])) };
    let length = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    let micros = fraction[..length].iter().take(6).fold(0, |n, d| n * 10 + i64::from(d - b'0'));
    let scale = 10i64.pow(6u32.saturating_sub(length as u32));
    (length > 0).then_some((second, micros * scale, &fraction[length..]))
}

/// Microseconds of `+02:00`, `-0530` or `+02`.
fn iso_offset(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text.split_first()? {
        (b'+', rest) => (1, rest),
        (b'-', rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (digits(rest)?, 0),
        4 => (digits(&rest[..2])?, digits(&rest[2..])?),
        5 if rest[2] == b':' => (digits(&rest[..2])?, digits(&rest[3..])?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * HOUR + minutes * 60 * SECOND))
}

/// Days since 1970 of `YYYY-MM-DD`.
fn civil_day(text: &[u8]) -> Option<i64> {
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..10])?);
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let valid = (1..=12).contains(&month) && (1..=lengths[month as usize - 1]).contains(&day);
    valid.then(|| days_from_civil(year, month, day))
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Howard Hinnant's `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// `2026-03-02T13:05:09Z` of a point in time; the fraction is left out.
pub fn show(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The same with all six digits of the fraction.
pub fn show_micros(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The day that is written as `2026-03-09`, in days since 1970.
pub fn parse_day(text: &str) -> Option<i32> {
    let reader = TimeReader { format: TimeFormat::Iso, zone: Zone::UTC };
    let whole = text.len() == 10;
    let micros = reader.read(text.as_bytes()).ok().filter(|_| whole)?;
    i32::try_from(micros.div_euclid(DAY)).ok()
}

/// `2026-03-02` of a day number since 1970.
pub fn show_day(day: i32) -> String {
    let date = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default() + chrono::Days::new(day.max(0) as u64);
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &str, zone: &str, text: &str, expected: Result<&str, TimeFault>) {
        let reader = TimeReader { format: format.parse().unwrap(), zone: zone.parse().unwrap() };
        let actual = reader.read(text.as_bytes()).map(show);
        assert_eq!(actual, expected.map(str::to_owned), "{format} {zone} {text}");
    }

    #[test]
    fn reads_every_declared_format() {
        check("iso", "UTC", "2026-03-02 13:05:09", Ok("2026-03-02T13:05:09Z"));
        check("iso", "UTC", " 2026-03-02T13:05:09.123456Z ", Ok("2026-03-02T13:05:09Z"));
        check("iso", "UTC", "2026-03-02T13:05:09+02:00", Ok("2026-03-02T11:05:09Z"));
        check("iso", "UTC", "2017-11-07 9:30", Ok("2017-11-07T09:30:00Z"));
        check("iso", "UTC", "2026-03-02", Ok("2026-03-02T00:00:00Z"));
        check("epoch_s", "UTC", "1772456709", Ok("2026-03-02T13:05:09Z"));
        check("epoch_ms", "UTC", "1772456709000", Ok("2026-03-02T13:05:09Z"));
        check("epoch_us", "UTC", "1772456709000000", Ok("2026-03-02T13:05:09Z"));
        check("epoch_s", "UTC", "1772456709.999999999", Ok("2026-03-02T13:05:09Z"));
        check("%m/%d/%Y %I:%M:%S %p", "America/New_York", "3/2/2026 1:05:09 pm", Ok("2026-03-02T18:05:09Z"));
        check("%m/%d/%Y %I:%M %p", "UTC", "12/18/2025 12:00 PM", Ok("2025-12-18T12:00:00Z"));
        check("%d.%m.%Y %H:%M", "UTC", "18.12.2025 9:05", Ok("2025-12-18T09:05:00Z"));
        check("%Y-%m-%d %H:%M:%S %z", "Asia/Tokyo", "2026-03-02 13:05:09 -0500", Ok("2026-03-02T18:05:09Z"));
        check("%Y-%m-%d %I:%M:%S %p", "UTC", "2025-12-18 12:52:23 AM", Ok("2025-12-18T00:52:23Z"));
        check("%d/%m/%Y", "UTC", "18/12/2025", Ok("2025-12-18T00:00:00Z"));
    }

    /// What is mixed in one column is read row by row only where no row could be two times.
    #[test]
    fn several_formats_hold_beside_each_other_where_no_text_is_two_times() {
        let any = |names: &[&str]| {
            let formats: Vec<TimeFormat> = names.iter().map(|name| name.parse().expect("a format")).collect();
            TimeFormat::refuse_doubt(&formats).and_then(|()| TimeFormat::any_of(formats))
        };
        let voluum = any(&["%Y-%m-%d %I:%M:%S %p", "iso"]).expect("no text is both");
        let reader = TimeReader { format: voluum, zone: "America/New_York".parse().unwrap() };
        for (text, utc) in [
            ("2026-03-02 01:05:09 PM", "2026-03-02T18:05:09Z"),
            ("2026-03-02 13:05:09", "2026-03-02T18:05:09Z"),
            ("2026-03-02T13:05:09.250Z", "2026-03-02T13:05:09Z"),
        ] {
            assert_eq!(reader.read(text.as_bytes()).map(show), Ok(utc.to_owned()), "{text}");
        }
        assert_eq!(reader.read(b"1999-01-01 00:00:00"), Err(TimeFault::OutOfRange));
        let numbers = any(&["iso", "epoch_s", "epoch_ms"]).expect("numbers tell themselves by their size");
        assert_eq!(
            (numbers.of_number(1_772_456_709), numbers.of_number(1_772_456_709_000)),
            (Ok(1_772_456_709 * SECOND), Ok(1_772_456_709 * SECOND))
        );
        assert_eq!(numbers.of_number(7), Err(TimeFault::OutOfRange));
        for names in [
            ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"],
            ["%m/%d/%y", "%d/%m/%y"],
            ["%Y-%d-%m %H:%M:%S", "iso"],
            ["epoch_s", "%H%M%d%m%y"],
        ] {
            let why = any(&names).expect_err("a text can be both");
            assert!(
                why.contains("is one time as") && why.contains(names[0]) && why.contains(names[1]),
                "{why}"
            );
        }
        assert!(any(&[]).is_err() && any(&["iso", "%Y-%m-%d %H:%M:%S"]).is_ok());
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in
            ["", "yesterday", "2026-13-02 00:00:00", "2026-02-29", "2026-03-02 24:00:00", "2026-03-02 10"]
        {
            check("iso", "UTC", text, Err(TimeFault::Unreadable));
        }
        check("iso", "UTC", "1999-12-31 23:59:59", Err(TimeFault::OutOfRange));
        check("iso", "UTC", "9999-01-01 00:00:00", Err(TimeFault::OutOfRange));
        check("epoch_s", "UTC", "1772456709000", Err(TimeFault::OutOfRange));
        check("epoch_ms", "UTC", "1772456709", Err(TimeFault::OutOfRange));
        check("epoch_s", "UTC", "9223372036854775807", Err(TimeFault::Unreadable));
        for text in ["1.7E+09", "1772456709.", ".5", "1772456709.2.5", "17724 56709", "0x69a58a05"] {
            check("epoch_s", "UTC", text, Err(TimeFault::Unreadable));
        }
        check("%I:%M %p", "UTC", "13:05 PM", Err(TimeFault::Unreadable));
    }

    /// The clock change must neither lose a row nor stop the run.
    #[test]
    fn local_times_at_the_clock_change() {
        check("iso", "Europe/Berlin", "2026-07-01 12:00:00", Ok("2026-07-01T10:00:00Z"));
        check("iso", "Europe/Berlin", "2026-10-25 02:30:00", Ok("2026-10-25T00:30:00Z"));
        check("iso", "Europe/Berlin", "2026-03-29 02:30:00", Ok("2026-03-29T01:30:00Z"));
        check("iso", "Australia/Lord_Howe", "2026-10-04 02:15:00", Ok("2026-10-03T15:45:00Z"));
    }

    /// Both clock changes of a year in three zones, one of them by half an hour: what happens twice is taken
    /// as the earlier, what never happens is read by the clock before it. Both are told.
    #[test]
    fn what_the_clock_repeats_and_skips_is_told() {
        for (zone, text, utc, clock) in [
            ("Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29T00:59:59Z", Clock::Plain),
            ("Europe/Berlin", "2026-03-29 02:00:00", "2026-03-29T01:00:00Z", Clock::Skipped),
            ("Europe/Berlin", "2026-03-29 02:59:59", "2026-03-29T01:59:59Z", Clock::Skipped),
            ("Europe/Berlin", "2026-03-29 03:00:00", "2026-03-29T01:00:00Z", Clock::Plain),
            ("Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z", Clock::Plain),
            ("Europe/Berlin", "2026-10-25 02:00:00", "2026-10-25T00:00:00Z", Clock::Repeated),
            ("Europe/Berlin", "2026-10-25 02:59:59", "2026-10-25T00:59:59Z", Clock::Repeated),
            ("Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z", Clock::Plain),
            ("Europe/Berlin", "2026-10-25 02:30:00+01:00", "2026-10-25T01:30:00Z", Clock::Plain),
            ("America/New_York", "2026-03-08 02:30:00", "2026-03-08T07:30:00Z", Clock::Skipped),
            ("America/New_York", "2026-11-01 01:30:00", "2026-11-01T05:30:00Z", Clock::Repeated),
            ("Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-03T15:45:00Z", Clock::Skipped),
            ("Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z", Clock::Repeated),
            ("UTC", "2026-03-29 02:30:00", "2026-03-29T02:30:00Z", Clock::Plain),
        ] {
            let reader = TimeReader { format: TimeFormat::Iso, zone: zone.parse().unwrap() };
            let found = reader.read_by_clock(text.as_bytes()).map(|(micros, clock)| (show(micros), clock));
            assert_eq!(found, Ok((utc.to_owned(), clock)), "{zone} {text}");
        }
    }

    #[test]
    fn offsets_hold_from_the_second_on() {
        let at = |text: &str| {
            TimeReader { format: TimeFormat::Iso, zone: Zone::UTC }.read(text.as_bytes()).unwrap()
        };
        let (from, until) = (at("2026-01-01"), at("2027-01-01"));
        for name in ["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Asia/Kolkata"] {
            let zone: Zone = name.parse().unwrap();
            let offsets = zone.offsets(from, until);
            assert_eq!(offsets.len(), if name == "Asia/Kolkata" { 1 } else { 3 }, "{name}");
            for (time, offset) in &offsets[1..] {
                assert_eq!(zone.offset(*time), *offset);
                assert_ne!(zone.offset(*time - 1), *offset);
            }
        }
        assert_eq!(Zone::UTC.offsets(from, until), [(i64::MIN, 0)]);
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(show(berlin.offsets(from, until)[1].0), "2026-03-29T01:00:00Z");
    }

    #[test]
    fn days_are_cut_in_the_zone() {
        let micros =
            TimeReader { format: TimeFormat::Iso, zone: Zone::UTC }.read(b"2026-03-02 23:30:00").unwrap();
        assert_eq!(show_day(Zone::UTC.day_and_hour(micros).0), "2026-03-02");
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(berlin.day_and_hour(micros).1, 0);
        assert_eq!(show_day(berlin.day_and_hour(micros).0), "2026-03-03");
    }
}
