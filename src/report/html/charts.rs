//! Pictures as SVG: bars of one group, and lines where its peers are. Numbers stand beside the bars as text, so that
//! neither colour nor a pointer is needed to read them.

use super::view::class;
use super::writer::Html;
use crate::base::time;
use crate::base::unit::Unit;
use crate::report::phrase::{circle, count, counted};
use crate::report::{CTIT, Day, RANKS, Spread};
use crate::verdicts::Verdict;
use std::fmt::Write;

/// Width of the pictures of a panel, in units of the drawing.
const WIDTH: f64 = 480.0;
/// Where bars begin and end across, and where the two columns of numbers end.
const LEFT: f64 = 122.0;
const RIGHT: f64 = 366.0;
const OWN: f64 = 418.0;
const PEERS: f64 = 474.0;
/// Height of a row of bars.
const ROW: f64 = 17.0;

/// The part of a whole as a bar with its number.
pub fn part(h: &mut Html, verdict: Verdict, part: f64) {
    let wide = short(part * 90.0);
    let bar = format!("M0 1h{wide}v8H0z");
    let attributes = [
        ("class", "part"),
        ("viewBox", "0 0 90 10"),
        ("width", "90"),
        ("height", "10"),
        ("aria-hidden", "true"),
    ];
    h.element("svg", &attributes, |h| {
        path(h, "rail", "M0 1h90v8h-90z");
        path(h, class(verdict), &bar);
    });
    h.text(&Unit::Share.format(part));
}

/// A picture with its name; `says` is what it shows, for those who do not see it.
fn figure(h: &mut Html, name: &str, below: &str, height: f64, says: &str, draw: impl FnOnce(&mut Html)) {
    h.element("figure", &[], |h| {
        h.words("h4", &[], name);
        let view = format!("0 0 {WIDTH} {}", short(height));
        h.element("svg", &[("viewBox", &view), ("role", "img"), ("aria-label", says)], draw);
        h.words("figcaption", &[], below);
    });
}

/// A picture that there is nothing to draw of.
fn none(h: &mut Html, name: &str, why: &str) {
    h.element("figure", &[("class", "none")], |h| {
        h.words("h4", &[], name);
        h.words("p", &[], &format!("Not enough data: {why}."));
    });
}

fn text(h: &mut Html, class: &str, x: f64, y: f64, words: &str) {
    h.words("text", &[("class", class), ("x", &short(x)), ("y", &short(y))], words);
}

fn path(h: &mut Html, class: &str, d: &str) {
    h.element("path", &[("class", class), ("d", d)], |_| ());
}

/// A number of a drawing: one decimal is less than can be seen.
pub fn short(x: f64) -> String {
    let text = format!("{x:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Whose lines are drawn beside the bars.
fn whose(spread: &Spread) -> String {
    match &spread.peers {
        Some(peers) => {
            let groups = counted(u64::from(peers.peers), "other group", "other groups");
            format!("Bars: this one. Lines: {groups} {}, each with an equal vote.", circle(&peers.level))
        }
        None => "There are too few peers to draw theirs beside it.".to_owned(),
    }
}

fn shares(own: &[u64]) -> Vec<f64> {
    let all = own.iter().sum::<u64>().max(1) as f64;
    own.iter().map(|n| *n as f64 / all).collect()
}

/// One line of bars across.
struct Bar {
    name: String,
    own: f64,
    peers: Option<f64>,
}

fn bars(h: &mut Html, bars: &[Bar]) {
    let most = bars.iter().flat_map(|b| [Some(b.own), b.peers]).flatten().fold(f64::MIN_POSITIVE, f64::max);
    let scale = |share: f64| (RIGHT - LEFT) * share / most;
    let (mut own, mut lines) = (String::new(), String::new());
    text(h, "e", OWN, 10.0, "here");
    if bars.iter().any(|b| b.peers.is_some()) {
        text(h, "e", PEERS, 10.0, "peers");
    }
    for (at, bar) in bars.iter().enumerate() {
        let y = 14.0 + ROW * at as f64;
        text(h, "e", LEFT - 6.0, y + 12.0, &bar.name);
        text(h, "e o", OWN, y + 12.0, &Unit::Share.format(bar.own));
        let wide = short(scale(bar.own).max(if bar.own > 0.0 { 1.0 } else { 0.0 }));
        let _ = write!(own, "M{LEFT} {}h{wide}v11h-{wide}z", short(y + 3.0));
        if let Some(peers) = bar.peers {
            text(h, "e", PEERS, y + 12.0, &Unit::Share.format(peers));
            let _ = write!(lines, "M{} {}v15", short(LEFT + scale(peers)), short(y + 1.0));
        }
    }
    path(h, "own", &own);
    path(h, "peers", &lines);
}

/// Conversions by their time from the click.
pub fn ctit(h: &mut Html, spread: &Spread) {
    let name = "Time from click to conversion";
    let all: u64 = spread.own.iter().sum();
    if all == 0 {
        return none(h, name, "no conversion with a click and a time of its own");
    }
    let own = shares(&spread.own);
    let list: Vec<Bar> = CTIT
        .iter()
        .enumerate()
        .map(|(at, (_, name))| Bar {
            name: (*name).to_owned(),
            own: own[at],
            peers: spread.peers.as_ref().map(|p| p.shares[at]),
        })
        .collect();
    let title = format!("{name} ({})", counted(all, "conversion", "conversions"));
    figure(h, &title, &whose(spread), 18.0 + ROW * list.len() as f64, &stands_out(name, &list), |h| {
        bars(h, &list)
    });
}

/// The bar that differs most from the peers', or the longest, in words.
fn stands_out(name: &str, bars: &[Bar]) -> String {
    let gap = |b: &&Bar| b.own - b.peers.unwrap_or(0.0);
    let Some(most) = bars.iter().max_by(|a, b| gap(a).total_cmp(&gap(b))) else { return name.to_owned() };
    let peers = most.peers.map_or(String::new(), |p| format!(", peers {}", Unit::Share.format(p)));
    format!("{name}: {} at {}{peers}", Unit::Share.format(most.own), most.name)
}

/// How much of the clicks comes from the busiest addresses, networks and user agents.
pub fn concentration(h: &mut Html, sides: [(&str, &str, &Spread); 3]) {
    let name = "Where the clicks come from";
    let mut list = Vec::new();
    for (what, many, spread) in sides.iter().filter(|(.., s)| s.own.iter().sum::<u64>() > 0) {
        let own = shares(&spread.own);
        let upto = |shares: &[f64], rank: usize| shares[..=rank].iter().sum::<f64>();
        for rank in 0..RANKS.len() - 1 {
            let name = if rank == 0 { format!("busiest {what}") } else { format!("10 busiest {many}") };
            let peers = spread.peers.as_ref().map(|p| upto(&p.shares, rank));
            list.push(Bar { name, own: upto(&own, rank), peers });
        }
    }
    if list.is_empty() {
        return none(h, name, "no addresses and no user agents");
    }
    let spread = sides.iter().map(|(.., s)| *s).find(|s| s.peers.is_some()).unwrap_or(sides[0].2);
    let below = format!(
        "Share of the clicks. {} Small groups have larger shares by nature. A network is a /24 or /48.",
        whose(spread)
    );
    figure(h, name, &below, 18.0 + ROW * list.len() as f64, &stands_out(name, &list), |h| bars(h, &list));
}

/// Upright bars from `left` on, their feet at `foot`.
fn columns(values: &[f64], left: f64, step: f64, foot: f64, height: f64) -> String {
    let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let wide = short((step * 0.8).max(1.0));
    let mut d = String::new();
    for (at, value) in values.iter().enumerate().filter(|(_, v)| **v > 0.0) {
        let (x, tall) = (left + step * at as f64, (height * value / most).max(1.0));
        let _ = write!(d, "M{} {foot}v-{}h{wide}v{}z", short(x), short(tall), short(tall));
    }
    d
}

/// Clicks by hour of the day.
pub fn hours(h: &mut Html, spread: &Spread, zone: &str) {
    let name = "Clicks by hour of the day";
    let all: u64 = spread.own.iter().sum();
    if all == 0 {
        return none(h, name, "no clicks with a time");
    }
    let own = shares(&spread.own);
    let peers = spread.peers.as_ref().map(|p| p.shares.as_slice()).unwrap_or_default();
    let most = own.iter().chain(peers).copied().fold(f64::MIN_POSITIVE, f64::max);
    let (left, step, foot, height) = (40.0, 18.0, 104.0, 88.0);
    let busiest = (0..24).max_by(|a, b| own[*a].total_cmp(&own[*b])).unwrap_or(0);
    let says = format!("{name}: the busiest is {busiest}:00 with {}", Unit::Share.format(own[busiest]));
    let title = format!("{name} ({}, {zone})", counted(all, "click", "clicks"));
    figure(h, &title, &whose(spread), 122.0, &says, |h| {
        text(h, "e", left - 5.0, foot - height + 4.0, &Unit::Share.format(most));
        text(h, "e", left - 5.0, foot, "0");
        path(h, "axis", &format!("M{left} {foot}h432"));
        path(h, "own", &scaled(&own, most, left, step, foot, height));
        let mut line = String::new();
        for (at, share) in peers.iter().enumerate() {
            let y = short(foot - height * share / most);
            let x = short(left + step * at as f64 - 1.8);
            let _ = write!(line, "{}{x} {y}h{step}", if at == 0 { "M" } else { "L" });
        }
        path(h, "peers", &line);
        for hour in (0..24).step_by(6) {
            text(h, "", left + step * hour as f64, foot + 14.0, &format!("{hour}:00"));
        }
    });
}

/// Columns on the scale of another largest value.
fn scaled(values: &[f64], most: f64, left: f64, step: f64, foot: f64, height: f64) -> String {
    let own = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    columns(values, left, step, foot, height * own / most)
}

/// Days that are drawn, the last ones.
const DAYS: usize = 62;

/// Clicks and their conversions by day.
pub fn days(h: &mut Html, days: &[Day], zone: &str) {
    let name = "Clicks and their conversions by day";
    if days.is_empty() {
        return none(h, name, "no rows with a day");
    }
    let drawn = calendar(&days[days.len().saturating_sub(DAYS)..]);
    let (left, foot) = (52.0, [58.0, 112.0]);
    let step = (WIDTH - left - 8.0) / drawn.len().max(7) as f64;
    let (clicks, conversions): (Vec<f64>, Vec<f64>) =
        drawn.iter().map(|d| (d.clicks as f64, d.conversions as f64)).unzip();
    let most = |values: &[f64]| count(values.iter().copied().fold(0.0, f64::max) as u64);
    let (first, last) = (time::show_day(drawn[0].day), time::show_day(drawn[drawn.len() - 1].day));
    let says = format!(
        "{name}, {first} to {last}: at most {} clicks and {} conversions",
        most(&clicks),
        most(&conversions)
    );
    let below =
        format!("Upper bars: clicks. Lower bars: conversions of the clicks of that day. Days of {zone}.");
    figure(h, name, &below, 130.0, &says, |h| {
        for (values, foot, height) in [(&clicks, foot[0], 46.0), (&conversions, foot[1], 40.0)] {
            text(h, "e", left - 5.0, foot - height + 6.0, &most(values));
            text(h, "e", left - 5.0, foot, "0");
            path(h, "axis", &format!("M{left} {foot}h{}", short(WIDTH - left)));
            path(h, "own", &columns(values, left + 1.0, step, foot, height));
        }
        text(h, "", left, foot[1] + 14.0, &first);
        if drawn.len() > 1 {
            text(h, "e", (left + step * drawn.len() as f64).max(left + 150.0), foot[1] + 14.0, &last);
        }
    });
}

/// Days without a gap: a day on which nothing came is a day.
fn calendar(days: &[Day]) -> Vec<Day> {
    let last = days[days.len() - 1].day;
    let first = days[0].day.max(last - DAYS as i32 + 1);
    let on = |day: i32| days.iter().find(|d| d.day == day).copied();
    (first..=last).map(|day| on(day).unwrap_or(Day { day, clicks: 0, conversions: 0 })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_without_clicks_is_a_day() {
        let day = |day, clicks| Day { day, clicks, conversions: 0 };
        assert_eq!(calendar(&[day(3, 5), day(5, 2)]), [day(3, 5), day(4, 0), day(5, 2)]);
        assert_eq!(calendar(&[day(0, 5), day(100, 2)]).len(), DAYS);
    }

    #[test]
    fn numbers_of_drawings_are_short() {
        assert_eq!([short(1.0), short(0.25), short(-0.04), short(12.36)], ["1", "0.2", "0", "12.4"]);
    }
}
