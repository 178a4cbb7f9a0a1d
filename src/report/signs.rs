//! Which signals of a group are worth showing, and in which order: the same on every page about a group.

use crate::peers::{Standing, Versus};
use crate::signals::{self, Signal, Suspicious};
use crate::verdicts::Judged;
use std::collections::BTreeSet;

/// From this weight on a signal stands in the table: ten to one, in decibans.
const REMARKABLE: f64 = 10.0;

/// A signal, and how it stands among peers where it was compared.
pub type Sign = (&'static Signal, Option<Versus>);

/// What stands out among peers or is part of a finding, the strongest first, what accuses nobody last.
pub fn remarkable(group: &Judged) -> Vec<Sign> {
    let tested: BTreeSet<&str> =
        group.findings.iter().flat_map(|f| &f.evidence).map(|e| e.signal.name).collect();
    let of = |signal: &&'static Signal| {
        let versus = compared(group, signal);
        let stands_out = versus.as_ref().is_some_and(|v| v.decibans >= REMARKABLE);
        let shown = stands_out || tested.contains(signal.name);
        (shown && estimate(group, signal).is_some()).then_some((*signal, versus))
    };
    let mut found: Vec<Sign> = signals::all().iter().filter_map(of).collect();
    let weight = |v: &Option<Versus>| v.as_ref().map_or(-1.0, |v| v.decibans);
    let z = |v: &Option<Versus>| v.as_ref().map_or(0.0, |v| v.z.abs());
    found.sort_by(|(a, va), (b, vb)| {
        let strength = weight(vb).total_cmp(&weight(va)).then(z(vb).total_cmp(&z(va)));
        is_context(a).cmp(&is_context(b)).then(strength)
    });
    found
}

/// Whether a signal accuses nobody in either direction.
pub fn is_context(signal: &Signal) -> bool {
    signal.suspicious == Suspicious::Neither
}

/// How a signal of a group stands among peers, where it was compared.
pub fn compared(group: &Judged, signal: &Signal) -> Option<Versus> {
    match group.subject.profile.standing(signal) {
        Standing::Compared(versus) => Some(versus.clone()),
        Standing::TooFew(_) => None,
    }
}

/// The value of a signal of a group, if it has one.
pub fn estimate<'g>(group: &'g Judged, signal: &'static Signal) -> Option<&'g signals::Estimate> {
    group.subject.row.reading(signal).estimate()
}
