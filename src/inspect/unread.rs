//! A file whose columns nothing tells: what its headers hold, so that its user can say which is which.

use super::{Unread, guess};
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::ingest::detect::{self, RECOGNISED};
use crate::ingest::preset::GENERIC;
use crate::ingest::{Sample, Shape};
use std::path::Path;

/// So many presets that lack a mark are told.
const NEAR: usize = 3;

/// What can be told of a file that cannot be read, and why it cannot.
///
/// # Errors
/// A built-in preset has a fault.
pub(super) fn unread(path: &Path, shape: Shape, sample: &Sample, why: Error) -> Result<Unread> {
    Ok(Unread {
        path: path.to_owned(),
        shape,
        why,
        candidates: candidates(&sample.headers, shape)?,
        headers: sample
            .headers
            .iter()
            .enumerate()
            .map(|(at, header)| of_header(sample, at, header))
            .collect(),
        needs: shape.required(),
    })
}

/// All presets that claim the header, of this side if any is; if there is none, those that lack the least.
fn candidates(headers: &[String], shape: Shape) -> Result<Vec<String>> {
    let mut found = detect::detect(headers, None)?;
    found.retain(|c| c.preset != GENERIC);
    if found.iter().any(|c| c.shape == shape && c.confidence >= RECOGNISED) {
        found.retain(|c| c.shape == shape);
    }
    let claim = found.iter().filter(|c| c.confidence >= RECOGNISED).count();
    found.truncate(if claim > 0 { claim } else { NEAR });
    let told = |c: &detect::Candidate| {
        let name = format!("--preset {}={}/{}", c.shape.word(), c.preset, c.export);
        format!("{name}: {}", c.reasons.join("; "))
    };
    Ok(found.iter().map(told).collect())
}

fn of_header(sample: &Sample, at: usize, header: &str) -> (Text, Option<Text>, Option<String>) {
    let texts = || guess::texts(sample, at);
    (Text::new(header), texts().next().map(Text::new), guess::kind(texts()))
}
