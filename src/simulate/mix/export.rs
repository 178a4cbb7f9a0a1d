//! How the rows of a mix are written: which columns under which headers, and in whose words.

use super::agent::Agents;
use super::population::{Population, Source};
use super::visit::{Click, Line};
use crate::base::column::Col;
use crate::simulate::random::mix;
use crate::simulate::text::{Calendar, ClickId, amount, conversion_id};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

/// What a click row can say, in the order of the columns.
pub const CLICK_COLUMNS: &[Col] = &[
    Col::ClickId,
    Col::ClickTime,
    Col::TrafficSource,
    Col::Account,
    Col::Source,
    Col::SubSource,
    Col::Campaign,
    Col::Offer,
    Col::Network,
    Col::Format,
    Col::LanderClickTime,
    Col::Country,
    Col::Device,
    Col::Os,
    Col::Browser,
    Col::Isp,
    Col::Connection,
    Col::Ip,
    Col::UserAgent,
    Col::Cost,
    Col::Currency,
];

/// What a conversion row can say, in the order of the columns.
pub const CONVERSION_COLUMNS: &[Col] = &[
    Col::ConversionId,
    Col::TransactionId,
    Col::ClickId,
    Col::Event,
    Col::ConversionTime,
    Col::Status,
    Col::StatusTime,
    Col::Payout,
    Col::SaleAmount,
    Col::Currency,
    Col::PlayerId,
    Col::ClickTime,
    Col::TrafficSource,
    Col::Source,
    Col::Campaign,
    Col::Offer,
    Col::Network,
    Col::Country,
    Col::Ip,
    Col::UserAgent,
];

/// How a point in time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// `2026-03-02 13:05:09`.
    Iso,
    EpochS,
    EpochMs,
    EpochUs,
    /// A pattern of `%Y %y %m %d %H %I %M %S %p`.
    Pattern(String),
}

/// One file's columns and marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    pub columns: Vec<(Col, String)>,
    pub delimiter: u8,
    pub decimal: u8,
    pub stamp: Stamp,
    /// The export's words for statuses and events; a canonical word that is not there is written as it is.
    pub words: BTreeMap<String, String>,
    /// Whether the export has one kind of conversion only: the first after a click.
    pub leads_only: bool,
}

/// What is conversion, in the canonical words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Registration,
    FirstDeposit,
    Deposit,
}

/// The state of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    Approved,
    Rejected,
    Chargeback,
}

/// One row of the conversions.
#[derive(Clone, Debug)]
pub struct Row {
    pub conversion: u64,
    pub transaction: u64,
    pub player: u64,
    pub click: ClickId,
    pub click_time: i64,
    pub source: u32,
    pub group: usize,
    pub ip: IpAddr,
    pub country: &'static str,
    pub event: Event,
    pub time: i64,
    pub status: Status,
    pub status_time: i64,
    /// Micro-units.
    pub payout: i64,
    pub sale: Option<i64>,
    /// Whether the planted fraud made or changed it.
    pub touched: bool,
    pub agent: u16,
}

impl Event {
    fn word(self) -> &'static str {
        match self {
            Event::Registration => "registration",
            Event::FirstDeposit => "first_deposit",
            Event::Deposit => "deposit",
        }
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Approved => "approved",
            Status::Rejected => "rejected",
            Status::Chargeback => "chargeback",
        }
    }
}

impl Sheet {
    /// A comma-separated file with the canonical names as headers.
    pub fn plain(columns: &[Col]) -> Sheet {
        Sheet {
            columns: columns.iter().map(|&col| (col, col.name().to_owned())).collect(),
            delimiter: b',',
            decimal: b'.',
            stamp: Stamp::Iso,
            words: BTreeMap::new(),
            leads_only: false,
        }
    }

    /// Writes the line of headers.
    pub fn write_header(&self, out: &mut impl Write) -> io::Result<()> {
        for (at, (_, header)) in self.columns.iter().enumerate() {
            self.separate(at, out)?;
            match header.bytes().any(|b| b == self.delimiter || b == b'"') {
                true => write!(out, "\"{}\"", header.replace('"', "\"\""))?,
                false => write!(out, "{header}")?,
            }
        }
        writeln!(out)
    }

    fn separate(&self, at: usize, out: &mut impl Write) -> io::Result<()> {
        if at > 0 { out.write_all(&[self.delimiter]) } else { Ok(()) }
    }

    /// Writes the row of a click; in a combined file with its conversion, if it has one before `until`.
    pub fn write_click(&self, click: &Click, context: &Context, out: &mut impl Write) -> io::Result<()> {
        for (at, &(col, _)) in self.columns.iter().enumerate() {
            self.separate(at, out)?;
            self.click_cell(col, click, context, out)?;
        }
        writeln!(out)
    }

    fn click_cell(&self, col: Col, click: &Click, context: &Context, out: &mut impl Write) -> io::Result<()> {
        let source = &context.population.sources[click.source as usize];
        let group = &context.population.groups[source.markets[usize::from(click.market)].0];
        let (visitor, agent) = (&click.visitor, context.agents.get(click.visitor.agent));
        let converted = click.fate.map(|f| click.time + f.ctit).filter(|&at| at < context.until);
        match col {
            Col::ClickId => write!(out, "{}", click.id),
            Col::ClickTime => self.time(click.time, context.calendar, out),
            Col::Account => write!(out, "acc{}", source.account),
            Col::SubSource => write!(out, "{}", click.sub_source),
            Col::Format => out.write_all(source.format.as_bytes()),
            Col::LanderClickTime => {
                click.lander.map_or(Ok(()), |delay| self.time(click.time + delay, context.calendar, out))
            }
            Col::Country => out.write_all(visitor.place.country().code.as_bytes()),
            Col::Device => out.write_all(agent.device.as_bytes()),
            Col::Os => out.write_all(agent.os.as_bytes()),
            Col::Browser => out.write_all(agent.browser.as_bytes()),
            Col::Isp => isp(visitor.line, visitor.place.country().code, out),
            Col::Connection => out.write_all(connection(visitor.line).as_bytes()),
            Col::Ip => write!(out, "{}", visitor.ip),
            Col::UserAgent => write!(out, "\"{}\"", agent.text),
            Col::Cost => self.amount(click.cost, 5, out),
            Col::Event => converted.map_or(Ok(()), |_| self.word(Event::Registration.word(), out)),
            Col::ConversionTime => converted.map_or(Ok(()), |at| self.time(at, context.calendar, out)),
            _ => of_source(col, source, group.program.name, out),
        }
    }

    /// Writes a conversion row.
    pub fn write_conversion(&self, row: &Row, context: &Context, out: &mut impl Write) -> io::Result<()> {
        for (at, &(col, _)) in self.columns.iter().enumerate() {
            self.separate(at, out)?;
            self.conversion_cell(col, row, context, out)?;
        }
        writeln!(out)
    }

    fn conversion_cell(
        &self,
        col: Col,
        row: &Row,
        context: &Context,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let source = &context.population.sources[row.source as usize];
        match col {
            Col::ConversionId => write!(out, "{}", conversion_id(row.conversion)),
            Col::TransactionId => write!(out, "TX{:010}", row.transaction),
            Col::ClickId => write!(out, "{}", row.click),
            Col::Event => self.word(row.event.word(), out),
            Col::ConversionTime | Col::ReceivedTime => self.time(row.time, context.calendar, out),
            Col::Status => self.word(row.status.word(), out),
            Col::StatusTime => self.time(row.status_time, context.calendar, out),
            Col::Payout => self.amount(row.payout, 2, out),
            Col::SaleAmount => row.sale.map_or(Ok(()), |sale| self.amount(sale, 2, out)),
            Col::PlayerId => write!(out, "P{:010}", row.player % 10_000_000_000),
            Col::ClickTime => self.time(row.click_time, context.calendar, out),
            Col::Country => out.write_all(row.country.as_bytes()),
            Col::Ip => write!(out, "{}", row.ip),
            Col::UserAgent => write!(out, "\"{}\"", context.agents.get(row.agent).text),
            _ => of_source(col, source, context.population.groups[row.group].program.name, out),
        }
    }

    fn word(&self, canonical: &str, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.words.get(canonical).map_or(canonical, String::as_str).as_bytes())
    }

    fn amount(&self, micro: i64, decimals: u32, out: &mut impl Write) -> io::Result<()> {
        match self.decimal {
            b'.' => write!(out, "{}", amount(micro, decimals)),
            mark => {
                let text = amount(micro, decimals).to_string().replace('.', &char::from(mark).to_string());
                if mark == self.delimiter { write!(out, "\"{text}\"") } else { write!(out, "{text}") }
            }
        }
    }

    fn time(&self, at: i64, calendar: &Calendar, out: &mut impl Write) -> io::Result<()> {
        match &self.stamp {
            Stamp::Iso => write!(out, "{}", calendar.show(at)),
            Stamp::EpochS => write!(out, "{at}"),
            Stamp::EpochMs => write!(out, "{}", at * 1_000),
            Stamp::EpochUs => write!(out, "{}", at * 1_000_000),
            Stamp::Pattern(pattern) => {
                let text = patterned(pattern, &calendar.show(at).to_string());
                match text.bytes().any(|b| b == self.delimiter) {
                    true => write!(out, "\"{text}\""),
                    false => write!(out, "{text}"),
                }
            }
        }
    }
}

/// What rows are written with.
pub struct Context<'a> {
    pub population: &'a Population,
    pub agents: &'a Agents,
    pub calendar: &'a Calendar,
    /// The end of the export, seconds since 1970.
    pub until: i64,
}

/// What clicks and conversions both repeat of their source. A column that nobody has is empty.
fn of_source(col: Col, source: &Source, offer: &str, out: &mut impl Write) -> io::Result<()> {
    match col {
        Col::TrafficSource => out.write_all(source.traffic_source.as_bytes()),
        Col::Source => write!(out, "{}", source.zone),
        Col::Campaign => write!(out, "{}", campaign(source, offer)),
        Col::Offer => out.write_all(offer.as_bytes()),
        Col::Network => out.write_all(source.network.as_bytes()),
        Col::Currency => out.write_all(b"USD"),
        _ => Ok(()),
    }
}

/// The buyer's campaign: one for each traffic source and offer.
fn campaign(source: &Source, offer: &str) -> u64 {
    let bytes = source.traffic_source.bytes().chain(offer.bytes());
    1_000 + bytes.fold(7, |hash, byte| mix(hash ^ u64::from(byte))) % 9_000
}

fn isp(line: Line, country: &str, out: &mut impl Write) -> io::Result<()> {
    match line {
        Line::Fixed(nth) => write!(out, "{country} Cable {}", nth + 1),
        Line::Carrier(nth) => write!(out, "{country} Mobile {}", nth + 1),
        Line::Hosting => write!(out, "Hosting"),
    }
}

fn connection(line: Line) -> &'static str {
    match line {
        Line::Fixed(_) => "wifi",
        Line::Carrier(_) => "mobile",
        Line::Hosting => "hosting",
    }
}

/// `iso`, which is `2026-03-02 13:05:09`, in another pattern.
fn patterned(pattern: &str, iso: &str) -> String {
    let hour: u32 = iso[11..13].parse().unwrap_or(0);
    let (twelve, half) = ((hour + 11) % 12 + 1, if hour < 12 { "AM" } else { "PM" });
    let parts = [
        ("%Y", &iso[..4]),
        ("%y", &iso[2..4]),
        ("%m", &iso[5..7]),
        ("%d", &iso[8..10]),
        ("%H", &iso[11..13]),
        ("%I", &format!("{twelve:02}")),
        ("%M", &iso[14..16]),
        ("%S", &iso[17..19]),
        ("%p", half),
    ];
    parts.iter().fold(pattern.to_owned(), |text, (mark, value)| text.replace(mark, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_a_preset_wants_them() {
        for (pattern, text) in [
            ("%d/%m/%Y %H:%M:%S", "02/03/2026 13:05:09"),
            ("%Y-%m-%d %I:%M:%S %p", "2026-03-02 01:05:09 PM"),
            ("%m/%d/%y %H:%M", "03/02/26 13:05"),
        ] {
            assert_eq!(patterned(pattern, "2026-03-02 13:05:09"), text);
        }
        assert_eq!(patterned("%I %p", "2026-03-02 00:05:09"), "12 AM");
    }
}
