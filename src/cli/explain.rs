//! `clickaudit explain`: everything about one thing.

use super::args::{AuditArgs, ExplainArgs, ExplainCommand, ExplainSourceArgs, FailOn, PageFormat};
use super::exit::Exit;
use super::{audit, complain, print, project};
use crate::audit::explain;
use crate::base::error::{Error, Result};
use crate::report::explain::{Page, json};
use crate::rules;
use crate::verdicts::Verdict;

/// Runs the command.
///
/// # Errors
/// Anything that keeps it from completing.
pub fn run(args: ExplainArgs) -> Result<Exit> {
    match args.command {
        ExplainCommand::Source(args) => source(*args),
        ExplainCommand::Code { name } => code(&name),
    }
}

fn code(name: &str) -> Result<Exit> {
    let page = rules::page(name);
    let page = page.map_err(|help| Error::usage(format!("there is no diagnostic {name}")).help(help))?;
    print(page.text().as_bytes())?;
    Ok(Exit::Completed)
}

fn source(args: ExplainSourceArgs) -> Result<Exit> {
    let ExplainSourceArgs { name, format, mut audit } = args;
    refuse_outputs(&audit)?;
    let fail_on = audit.fail_on;
    let mut project = project::merge(&mut audit)?;
    let rules = audit::valid_rules(&audit, &mut project)?;
    let settings = audit::settings(&audit, project, &rules)?;
    audit::limit_threads(audit.threads);
    let (page, _) = explain(&settings, &rules, &name)?;
    let text = match format {
        PageFormat::Text => page.text(&audit::look(audit.color)),
        PageFormat::Json => json(&page)?,
    };
    print(text.as_bytes())?;
    Ok(exit(&page, fail_on))
}

/// A page goes to stdout; whatever else an audit writes is the audit's business. What a project file asks for
/// is left alone.
fn refuse_outputs(args: &AuditArgs) -> Result<()> {
    let flag = if args.output.is_empty() { "--rejects" } else { "--output" };
    if args.output.is_empty() && args.rejects.is_none() {
        return Ok(());
    }
    Err(Error::usage(format!("{flag} does not go with explain: the page goes to stdout"))
        .help("use --format text or --format json, or `clickaudit audit` for reports and lists"))
}

fn exit(page: &Page, fail_on: Option<FailOn>) -> Exit {
    let (exit, reason) = match (page.gates.first(), fail_on.map(Verdict::from)) {
        (Some(gate), _) => (Exit::Refused, format!("gate {}: {}", gate.name, gate.sentence.term(500))),
        (None, Some(limit)) if page.group.verdict <= limit && !page.group.protected => {
            (Exit::Findings, format!("the verdict is {}", page.group.verdict.word()))
        }
        _ => return Exit::Completed,
    };
    complain(&format!("exit {}: {reason}", exit as u8));
    exit
}
