//! `clickaudit verify`: whether the outputs that stand there are of one run.

use super::args::{PageFormat, VerifyRunArgs};
use super::exit::Exit;
use super::{complain, print};
use crate::base::error::Result;
use crate::base::text::{Text, json_document};
use crate::report::{self, Checked, Verified};
use serde_json::json;

/// Runs the command.
///
/// # Errors
/// What was named is no manifest of a run.
pub fn run(args: &VerifyRunArgs) -> Result<Exit> {
    let verified = report::verify(&args.manifest)?;
    let shown = match args.format {
        PageFormat::Text => text(&verified),
        PageFormat::Json => document(&verified),
    };
    print(shown.as_bytes())?;
    if verified.is_whole() {
        return Ok(Exit::Completed);
    }
    complain(&format!(
        "exit {}: the outputs are not all of this run; take none of them before it has run again",
        Exit::Refused as u8
    ));
    Ok(Exit::Refused)
}

/// Cells of a name.
const NAME: usize = 200;

fn text(verified: &Verified) -> String {
    let as_of = verified.as_of.as_ref().map_or(String::new(), |at| format!(" as of {}", at.term(NAME)));
    let mut out = format!("run {}{as_of}\n", verified.run_id.term(NAME));
    for Checked { format, path, fault } in &verified.outputs {
        let what = fault.as_deref().unwrap_or("is as the run wrote it");
        out += &format!("{} {} {what}\n", format.term(NAME), path.term(NAME));
    }
    for (format, why) in &verified.withheld {
        out += &format!("{} was not written: {}\n", format.term(NAME), why.term(NAME));
    }
    out
}

fn document(verified: &Verified) -> String {
    let outputs = verified.outputs.iter().map(|output| {
        json!({
            "format": output.format.json(), "path": output.path.json(), "fault": output.fault,
        })
    });
    let withheld =
        verified.withheld.iter().map(|(format, why)| json!({"format": format.json(), "reason": why.json()}));
    let document = json!({
        "schema_version": 1,
        "whole": verified.is_whole(),
        "run": {"id": verified.run_id.json(), "as_of": verified.as_of.as_ref().map(Text::json)},
        "outputs": outputs.collect::<Vec<_>>(),
        "withheld": withheld.collect::<Vec<_>>(),
    });
    json_document(&format!("{document:#}")) + "\n"
}
