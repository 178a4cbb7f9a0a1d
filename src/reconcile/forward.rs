//! The outbound leg: postbacks that were forwarded to the traffic source, held against our conversions.

use super::join;
use super::side::{Files, Side};
use crate::base::column::Col;
use crate::base::error::Result;
use crate::base::symbol::Symbols;
use crate::clean::statement::{self, Kinds, Money};
use crate::matching::forwarded::{Forwarded, Limits, Sides, forwarded};

/// Postbacks that were sent, and what is allowed of them.
#[derive(Clone)]
pub struct Sent {
    pub conversions: Files,
    pub postbacks: Files,
    pub limits: Limits,
}

/// Reads both files and compares them.
///
/// # Errors
/// A file that cannot be read, or columns that do not match.
pub fn forward(sent: &Sent) -> Result<Forwarded> {
    let mut conversions = Side::read(sent.conversions.clone())?;
    let mut postbacks = Side::read(sent.postbacks.clone())?;
    let join = join::choose(&conversions, &postbacks, None)?;
    let mut columns = join.columns;
    if let Some(header) = &join.headers[0] {
        conversions = conversions.by(header)?;
        columns[0] = Col::ClickId;
    }
    if let Some(header) = &join.headers[1] {
        postbacks = postbacks.by(header)?;
        columns[1] = Col::ClickId;
    }
    let (mut symbols, mut kinds) = (Symbols::default(), Kinds::default());
    let money = Money::Payout;
    let mine = statement::read(&conversions.intake, columns[0], money, &mut symbols, &mut kinds)?;
    let sent_rows = statement::read(&postbacks.intake, columns[1], money, &mut symbols, &mut kinds)?;
    let sides = Sides { conversions: &mine, postbacks: &sent_rows, kinds: &kinds, symbols: &symbols };
    Ok(Forwarded { join: Some((join.ours.clone(), join.theirs.clone())), ..forwarded(&sides, &sent.limits) })
}
