//! Lists that are asked for, held against the groups of the run before anything is read.

use crate::base::column::Grain;
use crate::base::error::{Error, Result};
use crate::base::lists;
use crate::report::Output;

/// Refuses lists that groups of this grain cannot fill.
///
/// # Errors
/// A path with a column that the groups do not have, or with all they have; addresses of groups that are none.
pub fn refuse_misfits(outputs: &[Output], grain: &Grain) -> Result<()> {
    let columns: Vec<&str> = grain.columns().iter().map(|col| col.name()).collect();
    for output in outputs.iter().filter(|output| output.format.list) {
        let dialect = output.dialect.filter(|_| !output.own);
        if let Some(why) = lists::misfit(dialect, &output.target.destination(), &columns) {
            let error = Error::usage(format!("{}: {why}", output.name()));
            return Err(error.help("choose another path, dialect or --by; nothing was read"));
        }
    }
    Ok(())
}
