//! Which preset a header belongs to, with reasons: a fingerprint of names, never of rows.
//!
//! An export is recognised where all its marks are there. What two presets claim alike is ambiguous and left
//! to the user: a wrong preset is a wrong time zone or a wrong perspective.

use super::mapping::{Mapping, MappingFile, Names, Shape, folded};
use super::preset::{self, Export, GENERIC, Preset};
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::text::Text;
use std::collections::BTreeSet;

/// A preset that a header may belong to.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub preset: &'static str,
    /// The preset's name of this kind of file.
    pub export: &'static str,
    pub shape: Shape,
    /// Above [`RECOGNISED`] where all marks are there; never above 1.
    pub confidence: f64,
    /// What speaks for and against it, as sentences.
    pub reasons: Vec<String>,
}

/// All marks of the export are there from here on.
pub const RECOGNISED: f64 = 0.5;

/// Two presets that are nearer to each other than this are ambiguous.
const CLEAR: f64 = 0.1;

/// What a header was taken for.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// One preset's, clearly.
    Clear(Candidate),
    /// Several presets claim it alike, best first.
    Ambiguous(Vec<Candidate>),
    /// Nobody's, or only the generic preset's.
    Unclaimed,
}

/// The presets that a header may belong to, best first; with a shape only exports of this shape.
/// Candidates below [`RECOGNISED`] lack some of their marks and are worth a mention, no more.
///
/// # Errors
/// A built-in preset has a fault.
pub fn detect(headers: &[String], shape: Option<Shape>) -> Result<Vec<Candidate>> {
    let there: BTreeSet<String> = headers.iter().map(|h| folded(h)).filter(|h| !h.is_empty()).collect();
    let mut found = Vec::new();
    for preset in preset::all()? {
        for export in preset.exports.iter().filter(|e| shape.is_none_or(|shape| e.shape == shape)) {
            let candidate = match preset.name == GENERIC {
                true => obvious(preset, export, headers)?,
                false => claimed(preset, export, &there)?,
            };
            found.extend(candidate);
        }
    }
    found.sort_by(|a, b| {
        let name = |c: &Candidate| (c.preset, c.shape, c.export);
        b.confidence.total_cmp(&a.confidence).then_with(|| name(a).cmp(&name(b)))
    });
    Ok(found)
}

/// The one preset that a header of this shape belongs to, if it is clear.
///
/// # Errors
/// A built-in preset has a fault.
pub fn recognise(headers: &[String], shape: Shape) -> Result<Verdict> {
    let mut found = detect(headers, Some(shape))?;
    found.retain(|c| c.confidence >= RECOGNISED);
    let Some(best) = found.first().cloned() else { return Ok(Verdict::Unclaimed) };
    found.retain(|c| best.confidence - c.confidence < CLEAR);
    Ok(if found.len() > 1 { Verdict::Ambiguous(found) } else { Verdict::Clear(best) })
}

/// The export of a named preset that a header belongs to; `None` where its exports cannot be told apart.
pub fn export_of<'p>(preset: &'p Preset, headers: &[String], shape: Shape) -> Option<&'p Export> {
    let there: BTreeSet<String> = headers.iter().map(|h| folded(h)).collect();
    let fits = |e: &&Export| lacking(e, &there).is_empty() && barred(e, &there).is_none();
    let mut fitting: Vec<&Export> = preset.exports_of(shape).filter(fits).collect();
    fitting.sort_by_key(|e| std::cmp::Reverse(e.marks.len()));
    match fitting.as_slice() {
        [] => preset.exports_of(shape).next().filter(|_| preset.exports_of(shape).count() == 1),
        [first, second, ..] if first.marks.len() == second.marks.len() => None,
        [first, ..] => Some(first),
    }
}

/// The marks that are not there, by their first spelling.
fn lacking(export: &Export, there: &BTreeSet<String>) -> Vec<String> {
    let is_there = |names: &Names| names.list().iter().any(|name| there.contains(&folded(name)));
    export.marks.iter().filter(|m| !is_there(m)).filter_map(|m| m.list().into_iter().next()).collect()
}

/// A header that this export never has.
fn barred<'e>(export: &'e Export, there: &BTreeSet<String>) -> Option<&'e str> {
    export.never.iter().find(|name| there.contains(&folded(name))).map(String::as_str)
}

/// An export of a tracker, judged by its marks and by how many of the headers it knows.
fn claimed(
    preset: &'static Preset,
    export: &'static Export,
    there: &BTreeSet<String>,
) -> Result<Option<Candidate>> {
    let lacking = lacking(export, there);
    let marks = export.marks.len();
    if lacking.len() == marks || barred(export, there).is_some() {
        return Ok(None);
    }
    let known = known(preset, export)?;
    let strange: Vec<&str> = there.iter().filter(|h| !known.contains(*h)).map(String::as_str).collect();
    let share = 1.0 - strange.len() as f64 / there.len().max(1) as f64;
    let met = (marks - lacking.len()) as f64 / marks as f64;
    let confidence =
        if lacking.is_empty() { RECOGNISED + (1.0 - RECOGNISED) * share } else { 0.4 * met * share };
    let mut reasons = vec![match lacking.as_slice() {
        [] => format!("has {}", listed(&firsts(export, there))),
        lacking => format!("lacks {}", listed(lacking)),
    }];
    reasons.push(format!("{} of {} headers are known to it", there.len() - strange.len(), there.len()));
    Ok(Some(Candidate {
        preset: &preset.name,
        export: &export.name,
        shape: export.shape,
        confidence,
        reasons,
    }))
}

/// The spelling of each mark that is there.
fn firsts(export: &Export, there: &BTreeSet<String>) -> Vec<String> {
    let spelt = |m: &Names| m.list().into_iter().find(|name| there.contains(&folded(name)));
    export.marks.iter().filter_map(spelt).collect()
}

/// Every header that an export of the preset may have, folded.
fn known(preset: &Preset, export: &Export) -> Result<BTreeSet<String>> {
    let mapping = Mapping::of(preset, Some(export), &MappingFile::default())?;
    let columns = mapping.side(export.shape).columns.values().flat_map(|(names, _)| names);
    let marks = export.marks.iter().flat_map(|m| m.list());
    Ok(columns.chain(&export.others).cloned().chain(marks).map(|name| folded(&name)).collect())
}

/// The generic preset claims a header whose obvious names say what it is; a tracker's marks say more.
fn obvious(
    preset: &'static Preset,
    export: &'static Export,
    headers: &[String],
) -> Result<Option<Candidate>> {
    let mapping = Mapping::of(preset, Some(export), &MappingFile::default())?;
    let places = mapping.side(export.shape).found(headers);
    let needed = export.shape.required();
    if !needed.iter().all(|col| places.contains_key(col)) {
        return Ok(None);
    }
    let share = places.len() as f64 / headers.len().max(1) as f64;
    let names: Vec<String> =
        needed.iter().filter_map(|col: &Col| Some(headers[*places.get(col)?].clone())).collect();
    let reasons = vec![
        format!("has {}", listed(&names)),
        format!("{} of {} headers are obvious names", places.len().min(headers.len()), headers.len()),
    ];
    let confidence = 0.1 + 0.3 * share.min(1.0);
    Ok(Some(Candidate {
        preset: &preset.name,
        export: &export.name,
        shape: export.shape,
        confidence,
        reasons,
    }))
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(6).map(|n| format!("`{}`", Text::new(n.as_str()).term(40))).collect();
    shown.join(", ")
}
