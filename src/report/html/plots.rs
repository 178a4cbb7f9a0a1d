//! All sources beside each other: funnels of conversion rate and approval, and what a click earns beside ROI.
//!
//! A funnel shows how far a rate may lie from the peers' by chance alone at a sample of that size (Spiegelhalter
//! 2005). The dotted one is that of chance only; the other has the spread between honest sources in it, too, and
//! says why a large source beyond the dotted line may be ordinary (statistics.md, 4.5).

use super::charts::short;
use super::view::{VERDICTS, View, class, estimate};
use super::writer::Html;
use crate::base::unit::Unit;
use crate::peers::{Versus, funnel};
use crate::report::phrase::{count, counted};
use crate::report::signs;
use crate::signals::{self, Interval, Signal};
use crate::verdicts::{Judged, Verdict};
use std::fmt::Write;

/// The drawing and the frame inside it.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 536.0;
const TOP: f64 = 14.0;
const FOOT: f64 = 284.0;

/// Fewer sources are no picture.
const LEAST: usize = 3;
/// Flagged marks with a name of their own; the others of a verdict are one path.
const NAMED: usize = 150;
/// Points of a curve.
const STEPS: usize = 48;
/// Normal scores of the funnels: of a hundred honest sources five lie outside of the first, of a thousand two
/// outside of the second (Spiegelhalter 2005).
const SCORES: [(f64, &str); 2] = [(1.96, "95"), (3.09, "998")];

pub fn write(h: &mut Html, view: &View) {
    h.words("h2", &[], "Comparison");
    h.element("p", &[("class", "legend")], |h| {
        VERDICTS.iter().for_each(|v| super::view::badge(h, *v));
        h.words("span", &[("class", "soft")], "A mark with a colour leads to its panel.");
    });
    h.element("div", &[("class", "plots")], |h| {
        rate(h, view, "cr", "Conversion rate by number of clicks");
        rate(h, view, "approval_share", "Approval by number of decided conversions");
        earnings(h, view);
    });
}

/// One source in a plot.
struct Mark<'a, 'r> {
    place: usize,
    group: &'a Judged<'r>,
    x: f64,
    y: f64,
    says: String,
}

/// From values to places of the drawing.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let scale = |v: f64| if self.log { v.max(f64::MIN_POSITIVE).ln() } else { v };
        let (low, high) = (scale(self.low), scale(self.high));
        let part = ((scale(value) - low) / (high - low)).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * part
    }

    /// Round values inside the axis.
    fn ticks(&self) -> Vec<f64> {
        if self.log {
            let first = self.low.log10().floor() as i32;
            let last = self.high.log10().ceil() as i32;
            let inside = |v: &f64| (self.low..=self.high).contains(v);
            let decades: Vec<f64> = (first..=last).map(|power| 10f64.powi(power)).collect();
            let all = decades.iter().flat_map(|d| [1.0, 2.0, 5.0].map(|f| f * d)).filter(inside);
            return if decades.iter().filter(|d| inside(d)).count() > 2 {
                decades.into_iter().filter(inside).collect()
            } else {
                all.collect()
            };
        }
        let span = self.high - self.low;
        let rough = 10f64.powf((span / 4.0).log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().map(|f| f * rough).find(|s| span / s <= 5.0).unwrap_or(span);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

/// What a funnel is drawn around.
struct Centre {
    eta: f64,
    /// The spread of honest sources below and above; `None` where nothing could be compared.
    spread: Option<(f64, f64)>,
}

/// A rate by its sample, with its funnels.
fn rate(h: &mut Html, view: &View, name: &str, title: &str) {
    let signal = signals::find(name).expect("the signal is declared");
    let points: Vec<(usize, &Judged, u64, u64)> = view
        .rows()
        .filter_map(|(at, group)| {
            let e = estimate(group, name).filter(|e| e.n >= signal.min_sample.max(1))?;
            let Interval::Share { x } = e.interval else { return None };
            Some((at, group, x, e.n))
        })
        .collect();
    if points.len() < LEAST {
        let n = count(signal.min_sample);
        return none(h, title, &format!("fewer than {LEAST} sources have {n} {}", signal.sample));
    }
    let centre = centre(view, signal, &points);
    let marks: Vec<Mark> =
        points.iter().map(|&(at, group, x, n)| mark(&centre, signal, at, group, x, n)).collect();
    let xs = || marks.iter().map(|m| m.x);
    let (least, most) = (xs().fold(f64::MAX, f64::min), xs().fold(0.0, f64::max));
    let (_, wide) = funnel(centre.eta, 0.0, 0.0, least.max(1.0) as u64, SCORES[1].0);
    let top = marks.iter().map(|m| m.y).fold(wide.min(4.0 * expit(centre.eta)), f64::max);
    let axes = [
        Axis { low: least / 1.15, high: most * 1.15, from: LEFT, to: RIGHT, log: true },
        Axis { low: 0.0, high: (top * 1.06).min(1.0), from: FOOT, to: TOP, log: false },
    ];
    let cut = cut(view, signal);
    plot(h, title, &below(signal, &centre, cut, points.len()), &axes, signal, |h| {
        curves(h, &centre, cut, &axes);
        draw(h, view, &marks, &axes);
    });
}

/// The point on which the funnel is centred: the median of what is expected of the sources, or of their rates.
fn centre(view: &View, signal: &'static Signal, points: &[(usize, &Judged, u64, u64)]) -> Centre {
    let mut expected: Vec<f64> =
        points.iter().filter_map(|(_, group, ..)| versus(group, signal)).map(|v| v.expected).collect();
    expected.sort_by(f64::total_cmp);
    let spread = view.report.peers.spreads.get(signal.name).copied().filter(|_| !expected.is_empty());
    let mut own: Vec<f64> = points.iter().map(|&(.., x, n)| (x as f64 + 0.5) / (n as f64 + 1.0)).collect();
    own.sort_by(f64::total_cmp);
    let middle = if expected.is_empty() { own } else { expected };
    Centre { eta: logit(middle[middle.len() / 2]), spread }
}

fn versus(group: &Judged, signal: &'static Signal) -> Option<Versus> {
    signs::compared(group, signal).filter(|v| v.peers > 0)
}

/// Where a source stands: at its own rate, moved by what its peers' rate differs from the centre.
fn mark<'a, 'r>(
    centre: &Centre,
    signal: &'static Signal,
    place: usize,
    group: &'a Judged<'r>,
    x: u64,
    n: u64,
) -> Mark<'a, 'r> {
    let own = x as f64 / n as f64;
    let peers = versus(group, signal);
    let moved = peers.as_ref().map_or(own, |v| expit(logit(own) - logit(v.expected) + centre.eta));
    let beside = peers.map_or(String::new(), |v| format!(", peers {}", Unit::Share.format(v.expected)));
    let says = format!("{} of {} ({}{beside})", count(x), count(n), Unit::Share.format(own));
    Mark { place, group, x: n as f64, y: moved, says }
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}

fn expit(eta: f64) -> f64 {
    1.0 / (1.0 + (-eta).exp())
}

fn below(signal: &Signal, centre: &Centre, cut: Option<f64>, points: usize) -> String {
    let sources = counted(points as u64, "source", "sources");
    let mut words = format!(
        "{sources} with at least {} {}. The line in the middle: {}. Dotted: how far chance alone reaches (99.8 %). ",
        count(signal.min_sample),
        signal.sample,
        Unit::Share.format(expit(centre.eta))
    );
    match centre.spread {
        Some(_) => {
            words.push_str(
                "Solid and dashed: how far chance and the differences between honest sources reach together (99.8 % and \
                 95 %); that is why a large source outside of the dotted line can be ordinary. Every source is drawn \
                 where it would stand if its peers, of the same offer and country, were on the middle line.",
            );
            if let Some(z) = cut {
                words.push_str(&format!(
                    " Dashes and dots: from there on the difference alone is significant among all that was looked at ({z:.1} \
                     standard deviations)."
                ));
            }
        }
        None => words.push_str(
            "There are too few groups to say how much honest sources differ, so a source outside of it is no suspect by \
             that alone.",
        ),
    }
    words
}

/// The least distance from which on the signal alone is significant at the run's level, where any source reaches it.
fn cut(view: &View, signal: &Signal) -> Option<f64> {
    let level = view.report.run.parameters.get("fdr").and_then(|text| text.parse::<f64>().ok())?;
    let found =
        view.groups.iter().filter_map(|g| signs::compared(g, signal)).filter(|v| v.peers > 0 && v.q <= level);
    found.map(|v| v.z.abs()).min_by(f64::total_cmp).filter(|z| z.is_finite() && *z > SCORES[0].0)
}

fn curves(h: &mut Html, centre: &Centre, cut: Option<f64>, axes: &[Axis; 2]) {
    let middle = short(axes[1].at(expit(centre.eta)));
    line(h, "middle", &format!("M{LEFT} {middle}H{RIGHT}"));
    both(h, "chance", axes, |n| funnel(centre.eta, 0.0, 0.0, n, SCORES[1].0));
    if let Some((low, high)) = centre.spread {
        let scores = SCORES.into_iter().chain(cut.map(|z| (z, "cut")));
        for (z, name) in scores {
            both(h, &format!("z{name}"), axes, |n| funnel(centre.eta, high, low, n, z));
        }
    }
}

/// A lower and an upper limit over the sample.
fn both(h: &mut Html, class: &str, [x, y]: &[Axis; 2], limits: impl Fn(u64) -> (f64, f64)) {
    let at = |step: usize| {
        let n = (x.low.ln() + (x.high.ln() - x.low.ln()) * step as f64 / STEPS as f64).exp();
        (n, limits(n.max(1.0) as u64))
    };
    let (mut low, mut high) = (String::new(), String::new());
    for step in 0..=STEPS {
        let (n, (bottom, top)) = at(step);
        let start = if step == 0 { 'M' } else { 'L' };
        let _ = write!(low, "{start}{} {}", short(x.at(n)), short(y.at(bottom)));
        let _ = write!(high, "{start}{} {}", short(x.at(n)), short(y.at(top)));
    }
    line(h, class, &(low + &high));
}

fn line(h: &mut Html, class: &str, d: &str) {
    h.element("path", &[("class", class), ("d", d)], |_| ());
}

/// What a click earns beside what it returns.
fn earnings(h: &mut Html, view: &View) {
    let title = "Earnings per click and return on investment";
    let points: Vec<(usize, &Judged, f64, f64)> = view
        .rows()
        .filter_map(|(at, group)| {
            let (epc, roi) = (estimate(group, "epc")?, estimate(group, "roi")?);
            Some((at, group, epc.value(), roi.value()))
        })
        .collect();
    if points.len() < LEAST {
        return none(h, title, &format!("fewer than {LEAST} sources have both cost and revenue"));
    }
    let money = |amount: f64| format!("{amount:.3}");
    let marks: Vec<Mark> = points
        .iter()
        .map(|&(place, group, epc, roi)| Mark {
            place,
            group,
            x: epc,
            y: roi,
            says: format!(
                "EPC {}, ROI {}, cost {}",
                money(epc),
                Unit::Ratio.format(roi),
                view.money(group.subject.spend)
            ),
        })
        .collect();
    let [xs, ys] = [spread(&marks, |m| m.x), spread(&marks, |m| m.y)];
    let axes = [
        Axis { low: xs.0.min(0.0), high: xs.1, from: LEFT, to: RIGHT, log: false },
        Axis { low: ys.0.min(-1.0), high: ys.1.max(0.5), from: FOOT, to: TOP, log: false },
    ];
    let currency = view.report.run.currency.as_ref().map_or(String::new(), |c| format!(" ({})", c.term(20)));
    let beyond = marks.iter().filter(|m| m.x > xs.1 || m.y > ys.1.max(0.5)).count();
    let edge = if beyond > 0 {
        format!(" {} beyond the scale stand at its edge.", counted(beyond as u64, "source", "sources"))
    } else {
        String::new()
    };
    let below = format!(
        "{}. Across: revenue per mature click{currency}. Upwards: ROI of mature clicks; above the line in the middle a source \
         earns more than it costs.{edge}",
        counted(marks.len() as u64, "source", "sources")
    );
    let roi = signals::find("roi").expect("the signal is declared");
    plot(h, title, &below, &axes, roi, |h| {
        line(h, "middle", &format!("M{LEFT} {}H{RIGHT}", short(axes[1].at(0.0))));
        draw(h, view, &marks, &axes);
    });
}

/// The range of nearly all marks: a few far ones must not press the rest into a corner.
fn spread(marks: &[Mark], of: impl Fn(&Mark) -> f64) -> (f64, f64) {
    let mut values: Vec<f64> = marks.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let at = |part: f64| values[((values.len() - 1) as f64 * part).round() as usize];
    let (low, high) = (at(0.0), at(0.98));
    (low, if high > low { high + 0.08 * (high - low) } else { low + 1.0 })
}

/// A frame with ticks; `signal` is that of the upright axis.
fn plot(
    h: &mut Html,
    title: &str,
    below: &str,
    axes: &[Axis; 2],
    signal: &Signal,
    inside: impl FnOnce(&mut Html),
) {
    h.element("figure", &[], |h| {
        h.words("h3", &[], title);
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        h.element("svg", &[("viewBox", &view), ("role", "group"), ("aria-label", title)], |h| {
            line(h, "axis", &format!("M{LEFT} {TOP}V{FOOT}H{RIGHT}"));
            for value in axes[1].ticks() {
                let y = axes[1].at(value);
                line(h, "grid", &format!("M{LEFT} {}H{RIGHT}", short(y)));
                label(h, "e", LEFT - 6.0, y + 4.0, &tick(signal.unit, value));
            }
            for value in axes[0].ticks() {
                let x = axes[0].at(value);
                line(h, "grid", &format!("M{} {FOOT}v5", short(x)));
                let words = if axes[0].log { count(value as u64) } else { tick(Unit::Money, value) };
                label(h, "m", x, FOOT + 19.0, &words);
            }
            let across = if axes[0].log { signal.sample } else { "EPC" };
            label(h, "m", (LEFT + RIGHT) / 2.0, FOOT + 38.0, across);
            inside(h);
        });
        h.words("figcaption", &[], below);
    });
}

/// A round number without its last zeros.
fn tick(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => {
            let percent = value * 100.0;
            if (percent - percent.round()).abs() < 1e-9 {
                format!("{percent:.0}%")
            } else {
                format!("{percent:.1}%")
            }
        }
        Unit::Money if value.abs() < 0.995 && value != 0.0 => {
            format!("{value:.3}").trim_end_matches('0').to_owned()
        }
        _ => short(value),
    }
}

fn label(h: &mut Html, class: &str, x: f64, y: f64, words: &str) {
    h.words("text", &[("class", class), ("x", &short(x)), ("y", &short(y))], words);
}

fn none(h: &mut Html, title: &str, why: &str) {
    h.element("figure", &[("class", "none")], |h| {
        h.words("h3", &[], title);
        h.words("p", &[], &format!("Not enough data: {why}."));
    });
}

/// All marks, what is ordinary below what is flagged.
fn draw(h: &mut Html, view: &View, marks: &[Mark], axes: &[Axis; 2]) {
    for verdict in VERDICTS.iter().rev() {
        let of_verdict = || marks.iter().filter(|m| m.group.verdict == *verdict);
        let named = |m: &&Mark| *verdict <= Verdict::Watch && m.place < view.panels.min(NAMED);
        let place =
            |m: &Mark| format!("M{} {}{}", short(axes[0].at(m.x)), short(axes[1].at(m.y)), shape(*verdict));
        let together: String = of_verdict().filter(|m| !named(m)).map(place).collect();
        if !together.is_empty() {
            line(h, &format!("p {}", class(*verdict)), &together);
        }
        for mark in of_verdict().filter(named) {
            let link = [("href", &*format!("#s{}", mark.place)), ("tabindex", "-1")];
            h.element("a", &link, |h| {
                h.element(
                    "path",
                    &[("class", &format!("p {}", class(*verdict))), ("d", &place(mark))],
                    |h| {
                        h.element("title", &[], |h| {
                            View::title(h, mark.group);
                            h.text(&format!(": {}", mark.says));
                        });
                    },
                );
            });
        }
    }
}

/// The mark of a verdict, drawn from its middle; the badge of the verdict has the same.
fn shape(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Block => "m-4-4h8v8h-8z",
        Verdict::Hold => "m0-5.5l5.5 5.5l-5.5 5.5l-5.5-5.5z",
        Verdict::Watch => "m0-5l5 9h-10z",
        Verdict::Clean => "h0",
        Verdict::Undecided => "m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = |low, high, log| Axis { low, high, from: 0.0, to: 100.0, log };
        assert_eq!(axis(90.0, 12_000.0, true).ticks(), [100.0, 1_000.0, 10_000.0]);
        assert_eq!(axis(-1.0, 1.2, false).ticks(), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(axis(0.0, 0.25, false).ticks().len(), 6);
    }

    #[test]
    fn places_stay_inside_the_frame() {
        let axis = Axis { low: 0.0, high: 2.0, from: 10.0, to: 110.0, log: false };
        assert_eq!([axis.at(-5.0), axis.at(1.0), axis.at(9.0)], [10.0, 60.0, 110.0]);
    }
}
