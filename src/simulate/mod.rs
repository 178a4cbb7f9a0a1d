//! Labelled traffic: clicks and conversions as a tracker exports them, with fraud planted where `planted.csv`
//! says.
//!
//! This is the project's one traffic generator: the sample data, the benchmark and whoever wants to try rules
//! use it. It reads nothing, not even the clock: the same [`Traffic`] gives the same bytes on every machine.
//! Rows are written as they are made, so that the size of the traffic does not matter to the memory.

mod click;
mod crowd;
pub mod mix;
mod postback;
mod random;
mod sample;
mod schedule;
mod source;
mod text;
mod world;

#[cfg(test)]
mod tests;

use click::Clicks;
use postback::Ledger;
use schedule::{HOUR_S, Schedule, Tick};
use source::Source;
use std::io::{self, BufWriter, Write};
use text::Calendar;

/// Days before the export whose clicks are not exported, but whose later conversions are.
const DAYS_BEFORE: i64 = 1;

/// 2026-03-02, a Monday.
const START: i32 = 20_514;

const HOURS: i64 = 24;

/// Who is in the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// The sources of `sample-data/`, as they are declared; numbers of clicks, conversions and sources
    /// follow.
    Sample,
    /// Sources drawn by the seed.
    Crowd,
}

/// What traffic to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    pub cast: Cast,
    pub seed: u64,
    /// Clicks within the exported days, exactly.
    pub clicks: u64,
    /// Rows of the conversions file, about.
    pub conversions: u64,
    pub sources: u32,
    pub days: u32,
    /// The first exported day, a day number since 1970.
    pub start: i32,
    /// Whether fraud is planted in a crowd; it always is in the sample.
    pub fraud: bool,
    /// Whether user agents are written; they make up half of a row.
    pub user_agents: bool,
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Rows of clicks.
    pub clicks: u64,
    /// Rows of conversions, status updates and repetitions included.
    pub conversions: u64,
    pub sources: u64,
    /// Sources with planted fraud.
    pub planted: u64,
}

impl Traffic {
    /// The traffic of `sample-data/`.
    pub fn sample() -> Traffic {
        let sources = sample::sources();
        Traffic {
            cast: Cast::Sample,
            seed: 137,
            clicks: sources.iter().map(|s| s.clicks).sum(),
            conversions: 4_000,
            sources: sources.len() as u32,
            days: 14,
            start: START,
            fraud: true,
            user_agents: false,
        }
    }

    /// The traffic of the benchmark: 5,000 sources in seven days.
    pub fn bench(clicks: u64, conversions: u64, seed: u64) -> Traffic {
        Traffic {
            cast: Cast::Crowd,
            seed,
            clicks,
            conversions,
            sources: 5_000,
            days: 7,
            start: START,
            fraud: true,
            user_agents: true,
        }
    }

    /// Writes the three files. Clicks are in order of click time, conversions in the order in which a tracker
    /// would have learned of them.
    ///
    /// # Errors
    /// Whatever the writers say.
    pub fn write(
        &self,
        clicks: &mut dyn Write,
        conversions: &mut dyn Write,
        planted: &mut dyn Write,
    ) -> io::Result<Summary> {
        let sources = match self.cast {
            Cast::Sample => sample::sources(),
            Cast::Crowd => crowd::sources(self),
        };
        let planted = source::write_planted(&sources, planted)?;
        let (clicks, conversions) = Run::new(self, &sources).write(clicks, conversions)?;
        Ok(Summary { clicks, conversions, sources: sources.len() as u64, planted })
    }

    /// The headers of clicks and conversions.
    pub const HEADERS: [&str; 2] = [click::HEADER, postback::HEADER];

    /// The exported hours, hour numbers since 1970.
    fn hours(&self) -> std::ops::Range<i64> {
        let first = i64::from(self.start) * HOURS;
        first..first + i64::from(self.days) * HOURS
    }
}

/// Everything that one run keeps.
struct Run<'a> {
    traffic: &'a Traffic,
    schedule: Schedule<'a>,
    clicks: Clicks<'a>,
    ledger: Ledger<'a>,
    calendar: Calendar,
}

impl<'a> Run<'a> {
    fn new(traffic: &'a Traffic, sources: &'a [Source]) -> Run<'a> {
        let (seed, hours) = (traffic.seed, traffic.hours());
        // Clicks through the landing page and claimed click times may lie a little outside.
        let days = hours.start / HOURS - DAYS_BEFORE..hours.end / HOURS + 1;
        Run {
            traffic,
            schedule: Schedule::new(sources, seed, hours.start, hours.end),
            clicks: Clicks::new(sources, seed),
            ledger: Ledger::new(sources, hours.start * HOUR_S, hours.end * HOUR_S),
            calendar: Calendar::new(days.start, days.end),
        }
    }

    fn write(mut self, clicks: &mut dyn Write, conversions: &mut dyn Write) -> io::Result<(u64, u64)> {
        let (mut clicks, mut conversions) = (BufWriter::new(clicks), BufWriter::new(conversions));
        writeln!(clicks, "{}", click::HEADER)?;
        writeln!(conversions, "{}", postback::HEADER)?;
        self.days_before();
        let mut count = 0;
        for hour in self.traffic.hours() {
            let ticks = self.schedule.hour(hour);
            self.write_hour(&ticks, &mut clicks)?;
            self.ledger.write_due((hour + 1) * HOUR_S, &self.calendar, &mut conversions)?;
            count += ticks.len() as u64;
        }
        clicks.flush()?;
        conversions.flush()?;
        Ok((count, self.ledger.rows()))
    }

    fn days_before(&mut self) {
        let first = self.traffic.hours().start;
        for hour in first - DAYS_BEFORE * HOURS..first {
            for tick in self.schedule.earlier_hour(hour) {
                let click = self.clicks.click(&tick);
                self.ledger.visit(&click);
            }
        }
    }

    fn write_hour(&mut self, ticks: &[Tick], out: &mut impl Write) -> io::Result<()> {
        for tick in ticks {
            let click = self.clicks.click(tick);
            let ctit = self.ledger.visit(&click);
            self.clicks.write(&click, ctit, &self.calendar, self.traffic.user_agents, out)?;
        }
        Ok(())
    }
}
