//! Click IDs that count on from one another: clicks come from all sources at once, a forger's IDs from one loop.

use super::{order, real};
use crate::matching::MatchedConversion;

/// So far may one ID be from the next: a loop that skips a few.
const STEP: u64 = 16;

/// Marks, among the first conversions of each source's IDs, those whose ID has the same beginning as an
/// earlier one and counts on from it.
pub fn mark(rows: &mut [MatchedConversion], ids: &[(u32, usize)]) {
    for base in [Base::Ten, Base::Sixteen] {
        for (i, step) in steps(rows, ids, base) {
            let known = &mut rows[i].facts.step;
            *known = Some(step || known.unwrap_or(false));
        }
    }
}

/// For each ID after another one of its source and beginning: whether it is a step.
fn steps(rows: &[MatchedConversion], ids: &[(u32, usize)], base: Base) -> Vec<(usize, bool)> {
    let numbered = |&(source, i): &(u32, usize)| {
        let (beginning, number) = base.split(&real(&rows[i].conversion.click_id)?.text)?;
        Some((source, beginning, rows[i].conversion.time, number, i))
    };
    let mut numbered: Vec<_> = ids.iter().filter_map(numbered).collect();
    numbered.sort_by(|a, b| {
        (a.0, a.1, a.2, a.3)
            .cmp(&(b.0, b.1, b.2, b.3))
            .then_with(|| order(&rows[a.4]).cmp(&order(&rows[b.4])))
    });
    let pairs = numbered.windows(2).filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1));
    let is_step = |from: u64, to: u64| to > from && to - from <= STEP;
    pairs.map(|pair| (pair[1].4, is_step(pair[0].3, pair[1].3))).collect()
}

/// In which digits an ID may count.
#[derive(Clone, Copy)]
enum Base {
    Ten,
    Sixteen,
}

impl Base {
    /// What a number of these digits at the end of an ID stands behind, and the number; of more digits than fit
    /// 64 bits the last ones.
    fn split(self, id: &str) -> Option<(&str, u64)> {
        let (radix, most) = match self {
            Base::Ten => (10, 18),
            Base::Sixteen => (16, 15),
        };
        let digits = id.bytes().rev().take_while(|b| char::from(*b).is_digit(radix)).take(most).count();
        let (beginning, number) = id.split_at(id.len() - digits);
        Some((beginning, u64::from_str_radix(number, radix).ok()?))
    }
}
