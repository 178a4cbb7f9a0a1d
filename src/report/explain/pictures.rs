//! Pictures in characters: when people convert, when they click, and what came on which day.

use super::{Page, Sheet, whole};
use crate::base::time;
use crate::base::unit::Unit;
use crate::report::phrase::circle;
use crate::report::{CTIT, Spread};

/// Days shown, the last ones.
const DAYS_SHOWN: usize = 31;
/// Eighths of a cell, across and upwards.
const ACROSS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const UPWARDS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn write(sheet: &mut Sheet, page: &Page) {
    ctit(sheet, &page.details.pictures.ctit);
    hours(sheet, &page.details.pictures.hours, &page.run.tz);
    days(sheet, page);
}

fn shares(own: &[u64]) -> Vec<f64> {
    let all = own.iter().sum::<u64>().max(1) as f64;
    own.iter().map(|n| *n as f64 / all).collect()
}

fn largest(own: &[f64], spread: &Spread) -> f64 {
    let peers = spread.peers.iter().flat_map(|p| &p.shares);
    own.iter().chain(peers).copied().fold(f64::MIN_POSITIVE, f64::max)
}

/// Says whose shape stands beside the group's.
fn whose(sheet: &mut Sheet, spread: &Spread) {
    match &spread.peers {
        Some(peers) => {
            let n = whole(u64::from(peers.peers));
            sheet.say(&format!("Peers: {n} other groups {}, each with an equal vote.", circle(&peers.level)));
        }
        None => sheet.say("There are too few peers to draw theirs beside it."),
    }
}

fn ctit(sheet: &mut Sheet, spread: &Spread) {
    let all: u64 = spread.own.iter().sum();
    if all == 0 {
        return;
    }
    sheet.heading(&format!("Time from click to conversion ({} conversions)", whole(all)));
    let own = shares(&spread.own);
    let most = largest(&own, spread);
    let room = (sheet.width - 32) / if spread.peers.is_some() { 2 } else { 1 };
    let room = room.min(34);
    if spread.peers.is_some() {
        sheet.row(&format!("{:>12} {:>6} {:<room$} {:>6} peers", "", "here", "", ""));
    }
    for (at, (_, name)) in CTIT.iter().enumerate() {
        let column =
            |share: f64| format!("{:>6} {:<room$}", Unit::Share.format(share), bar(share / most, room));
        let peers = spread.peers.as_ref().map_or(String::new(), |p| column(p.shares[at]));
        sheet.row(&format!("{name:>12} {} {peers}", column(own[at])));
    }
    whose(sheet, spread);
}

/// A bar across; what is not nothing is seen.
fn bar(part: f64, room: usize) -> String {
    let eighths = (part * room as f64 * 8.0).round() as usize;
    let eighths = if part > 0.0 { eighths.max(1) } else { 0 };
    let mut bar = "█".repeat(eighths / 8);
    if eighths % 8 > 0 {
        bar.push(ACROSS[eighths % 8]);
    }
    bar
}

fn hours(sheet: &mut Sheet, spread: &Spread, zone: &str) {
    let all: u64 = spread.own.iter().sum();
    if all == 0 {
        return;
    }
    sheet.heading(&format!("Clicks by hour of the day ({zone})"));
    let own = shares(&spread.own);
    let most = largest(&own, spread);
    let hours: String = (0..24).step_by(3).map(|hour| format!("{hour:<6}")).collect();
    sheet.row(&format!("{:>6} {}", "", hours.trim_end()));
    sheet.row(&format!("{:>6} {}", "here", line(&own, most)));
    if let Some(peers) = &spread.peers {
        sheet.row(&format!("{:>6} {}", "peers", line(&peers.shares, most)));
    }
    sheet.say(&format!("A full block is {} of the clicks.", Unit::Share.format(most)));
    whose(sheet, spread);
}

/// Two cells for each hour.
fn line(shares: &[f64], most: f64) -> String {
    let block = |share: &f64| {
        let eighths = (share / most * 8.0).round() as usize;
        UPWARDS[if *share > 0.0 { eighths.clamp(1, 8) } else { 0 }]
    };
    shares.iter().flat_map(|share| [block(share); 2]).collect::<String>().trim_end().to_owned()
}

fn days(sheet: &mut Sheet, page: &Page) {
    let days = &page.details.pictures.days;
    if days.is_empty() {
        return;
    }
    sheet.heading(&format!("Clicks and their conversions by day ({})", page.run.tz));
    let shown = &days[days.len().saturating_sub(DAYS_SHOWN)..];
    let most = shown.iter().map(|d| d.clicks).max().unwrap_or(0).max(1) as f64;
    let room = (sheet.width - 40).min(40);
    let mut rows = vec![["day", "clicks", "conversions", ""].map(str::to_owned).to_vec()];
    rows.extend(shown.iter().map(|d| {
        let bar = bar(d.clicks as f64 / most, room);
        vec![time::show_day(d.day), whole(d.clicks), whole(d.conversions), bar]
    }));
    sheet.table(&rows, &[false, true, true, false]);
    let left_out = days.len() - shown.len();
    if left_out > 0 {
        sheet.say(&format!("The {} days before these are left out.", whole(left_out as u64)));
    }
}
