//! Mixes: a few thousand sources as they differ in reality, a share of them fraudulent, to measure detection
//! with.
//!
//! Where the sample shows every fraud once and plainly, a mix has weak ones and small sources, and honest
//! sources that look odd. What is planted where, and how much of the traffic it touched, is told in
//! `planted.csv`. The honest numbers are in [`assumptions`].

mod agent;
mod assumptions;
pub mod export;
mod fraud;
mod funnel;
mod population;
mod visit;

#[cfg(test)]
mod tests;

pub use fraud::Fraud;

use super::schedule::HOUR_S;
use super::text::{Calendar, amount};
use super::{HOURS, START, Summary};
use agent::Agents;
use assumptions::{Assumptions, REFERENCE, WORLD};
use export::{Context, Sheet};
use funnel::{Funnel, Tally};
use population::{DAYS_BEFORE, Population, Source};
use std::io::{self, BufWriter, Write};
use visit::{Click, Visits};

/// What is taken for granted about honest traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// The mix that the method was designed on.
    Reference,
    /// Other assumptions wherever the design had to assume something.
    Other,
}

/// How strong a fraud is: the share of clicks or conversions that it touches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strength {
    /// Anything between .1 and .6, drawn for each source.
    Drawn,
    Fixed(f64),
}

/// What mix to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    pub world: World,
    pub seed: u64,
    pub sources: u32,
    /// All clicks together, about; otherwise what the sources have by nature.
    pub clicks: Option<u64>,
    pub days: u32,
    /// Share of the sources with a planted fraud.
    pub fraud_share: f64,
    pub strength: Strength,
    /// What is planted; nothing stands for the usual ones.
    pub kinds: Vec<Fraud>,
    /// Exported days before the planted fraud begins.
    pub onset: u32,
}

impl Mix {
    /// The reference mix or the other world, as large as the proof of detection uses it.
    pub fn new(world: World, seed: u64) -> Mix {
        Mix {
            world,
            seed,
            sources: 2_000,
            clicks: None,
            days: 14,
            fraud_share: 0.072,
            strength: Strength::Drawn,
            kinds: Vec::new(),
            onset: 0,
        }
    }

    /// The frauds that are planted.
    fn frauds(&self) -> Vec<Fraud> {
        if self.kinds.is_empty() { Fraud::usual() } else { self.kinds.clone() }
    }

    fn assumptions(&self) -> &'static Assumptions {
        match self.world {
            World::Reference => &REFERENCE,
            World::Other => &WORLD,
        }
    }

    /// The exported hours, hour numbers since 1970.
    fn hours(&self) -> std::ops::Range<i64> {
        let first = i64::from(START) * HOURS;
        first..first + i64::from(self.days) * HOURS
    }

    /// The first second of the planted fraud, since 1970.
    fn begins(&self) -> i64 {
        (self.hours().start + i64::from(self.onset) * HOURS) * HOUR_S
    }

    /// Writes clicks in order of time, conversions in the order in which a tracker would have learned of
    /// them, and at last what was planted. Without `conversions` the sheet of clicks holds both: registrations only.
    ///
    /// # Errors
    /// Whatever the writers say.
    pub fn write(
        &self,
        clicks: (&Sheet, &mut dyn Write),
        conversions: Option<(&Sheet, &mut dyn Write)>,
        planted: &mut dyn Write,
    ) -> io::Result<Summary> {
        let (population, agents) = (Population::new(self), Agents::new());
        let leads_only = conversions.as_ref().is_none_or(|(sheet, _)| sheet.leads_only);
        let run = Run::new(self, &population, &agents, leads_only);
        let (summary, tallies) = match conversions {
            Some((sheet, out)) => run.write(clicks.0, clicks.1, Some(sheet), out)?,
            None => run.write(clicks.0, clicks.1, None, &mut io::sink())?,
        };
        let since = crate::base::time::show_day(START + self.onset as i32);
        write_planted(&population.sources, &tallies, &since, planted)?;
        Ok(summary)
    }
}

/// Everything that one run keeps.
struct Run<'a> {
    hours: std::ops::Range<i64>,
    population: &'a Population,
    agents: &'a Agents,
    visits: Visits<'a>,
    funnel: Funnel<'a>,
    calendar: Calendar,
}

impl<'a> Run<'a> {
    fn new(settings: &Mix, population: &'a Population, agents: &'a Agents, leads_only: bool) -> Run<'a> {
        let hours = settings.hours();
        // Claimed click times and clicks through the landing page may lie a little outside.
        let days = hours.start / HOURS - DAYS_BEFORE as i64..hours.end / HOURS + 2;
        Run {
            visits: Visits::new(population, agents, settings, hours.clone()),
            funnel: Funnel::new(population, settings, leads_only),
            calendar: Calendar::new(days.start, days.end),
            hours,
            population,
            agents,
        }
    }

    fn write(
        mut self,
        sheet: &Sheet,
        clicks: &mut dyn Write,
        conversion_sheet: Option<&Sheet>,
        conversions: &mut dyn Write,
    ) -> io::Result<(Summary, Vec<Tally>)> {
        let (mut clicks, mut conversions) = (BufWriter::new(clicks), BufWriter::new(conversions));
        sheet.write_header(&mut clicks)?;
        conversion_sheet.map_or(Ok(()), |sheet| sheet.write_header(&mut conversions))?;
        self.days_before();
        for hour in self.hours.clone() {
            let made = self.visits.hour(hour);
            self.write_clicks(&made, sheet, &mut clicks)?;
            let context = context(self.population, self.agents, &self.calendar, self.hours.end);
            let sheet = conversion_sheet.map(|sheet| (sheet, &context));
            self.funnel.write_due((hour + 1) * HOUR_S, sheet, &mut conversions)?;
        }
        clicks.flush()?;
        conversions.flush()?;
        Ok((self.summary(), self.funnel.tallies))
    }

    fn days_before(&mut self) {
        let first = self.hours.start;
        for hour in first - DAYS_BEFORE as i64 * HOURS..first {
            self.visits.earlier_hour(hour).iter().for_each(|click| self.funnel.visit(click));
        }
    }

    fn write_clicks(&mut self, made: &[Click], sheet: &Sheet, out: &mut impl Write) -> io::Result<()> {
        let context = context(self.population, self.agents, &self.calendar, self.hours.end);
        for click in made {
            self.funnel.visit(click);
            if click.lost || click.time >= self.hours.end * HOUR_S {
                continue;
            }
            let tally = &mut self.funnel.tallies[click.source as usize];
            tally.clicks += 1;
            tally.touched_clicks += u64::from(click.touched);
            sheet.write_click(click, &context, out)?;
        }
        Ok(())
    }

    fn summary(&self) -> Summary {
        Summary {
            clicks: self.funnel.tallies.iter().map(|t| t.clicks).sum(),
            conversions: self.funnel.rows(),
            sources: self.population.sources.len() as u64,
            planted: self.funnel.tallies.iter().filter(|t| t.is_touched()).count() as u64,
        }
    }
}

fn context<'c>(
    population: &'c Population,
    agents: &'c Agents,
    calendar: &'c Calendar,
    end: i64,
) -> Context<'c> {
    Context { population, agents, calendar, until: end * HOUR_S }
}

/// Writes `planted.csv`: what is planted where, since which day, and what of the export it touched. A
/// fraud that touched no row of the export is none that anybody could find: it is not listed.
fn write_planted(sources: &[Source], tallies: &[Tally], since: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "source,kind,strength,what,traffic_source,clicks,conversions,touched_clicks,touched_conversions,payout,\
         touched_payout,since"
    )?;
    for (source, tally) in sources.iter().zip(tallies) {
        let Some(plant) = source.plant.as_ref().filter(|_| tally.is_touched()) else { continue };
        let decl = plant.fraud.decl();
        let what = decl.what.replace("{}", &format!("{:.0}", 100.0 * plant.strength));
        write!(
            out,
            "{},{},{:.3},\"{what}\",{}",
            source.zone, decl.name, plant.strength, source.traffic_source
        )?;
        write!(out, ",{},{}", tally.clicks, tally.conversions)?;
        write!(out, ",{},{}", tally.touched_clicks, tally.touched_conversions)?;
        let [payout, touched] = [tally.payout, tally.touched_payout].map(|micro| amount(micro.max(0), 2));
        writeln!(out, ",{payout},{touched},{since}")?;
    }
    Ok(())
}
