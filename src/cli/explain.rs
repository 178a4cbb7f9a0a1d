//! `clickaudit explain`: everything about one thing.

use super::args::{
    AuditArgs, Colour, ExplainArgs, ExplainCommand, ExplainRuleArgs, ExplainSourceArgs, FailOn, PageFormat,
};
use super::exit::Exit;
use super::rules::{Chosen, chosen, origin};
use super::{audit, complain, elsewhere, print, project};
use crate::audit::explain;
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::compare;
use crate::history::Folder;
use crate::report::explain::{Page, RuleCounts, RuleNight, RuleNights, RulePage, RuleRun, json, rule_json};
use crate::rules;
use crate::store::Store;
use crate::verdicts::Verdict;
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// Anything that keeps it from completing.
pub fn run(args: ExplainArgs) -> Result<Exit> {
    match args.command {
        ExplainCommand::Source(args) => source(*args),
        ExplainCommand::Rule(args) => rule(*args),
        ExplainCommand::Code { name } => code(&name),
    }
}

/// One page about one rule; of each report, what the rule said in that run.
fn rule(args: ExplainRuleArgs) -> Result<Exit> {
    let ExplainRuleArgs { id, report, store, format, choice } = args;
    let Chosen { rule, left_out, store: of_project } = chosen(&id, choice)?;
    let nights = store
        .or(of_project.filter(|folder| folder.is_dir()))
        .map_or(Ok(Vec::new()), |store| nights(&store, &id))?;
    let mut runs = Vec::new();
    for path in &report {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| Error::reading(path, e))?;
        let said = compare::report(&text, &name)?.rules.get(&id).copied();
        let counts = said.map(|c| RuleCounts {
            groups: c.groups,
            fires: c.fires,
            unknown: c.unknown,
            suppressed: c.suppressed,
        });
        runs.push(RuleRun { name: Text::new(name), counts });
    }
    let page = RulePage { origin: origin(&rule), rule, left_out, runs, nights };
    let text = match format {
        PageFormat::Text => page.text(&audit::look(Colour::Auto)),
        PageFormat::Json => rule_json(&page)?,
    };
    print(text.as_bytes())?;
    Ok(Exit::Completed)
}

/// Nights that are looked at, the last ones: a month of them is read in seconds, whatever their size.
const NIGHTS: usize = 30;

/// On which of the last nights of a store the rule fired with effect, for every grain that the store knows.
fn nights(store: &Path, id: &str) -> Result<Vec<RuleNights>> {
    Store::look(store)?;
    Folder::all(store)?.iter().map(|folder| fired(folder, id)).filter_map(Result::transpose).collect()
}

fn fired(folder: &Folder, id: &str) -> Result<Option<RuleNights>> {
    let nights = folder.nights()?;
    let last = nights.len().saturating_sub(NIGHTS);
    let mut found = RuleNights { grain: Vec::new(), nights: nights.len() - last, fired: Vec::new() };
    for night in nights[last..].iter().rev() {
        let record = folder.read(*night)?;
        let fires =
            record.lines.iter().filter(|line| line.findings.iter().any(|f| f.rule == id)).count() as u64;
        let groups = record.lines.len() as u64;
        found.grain = record.head.grain;
        found.fired.extend((fires > 0).then_some(RuleNight { night: record.head.night, groups, fires }));
    }
    Ok(Some(found).filter(|found| found.nights > 0))
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
    elsewhere::refuse(&audit, "explain")?;
    let rules = audit::valid_rules(&audit, &mut project)?;
    let mut settings = audit::settings(&audit, project, &rules)?;
    audit::limit_threads(audit.threads);
    let _store = audit::remember(&audit, &mut settings)?;
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
    let asked = [
        ("--output", !args.output.is_empty()),
        ("--rejects", args.rejects.is_some()),
        ("--manifest", args.manifest.is_some()),
    ];
    let Some((flag, _)) = asked.into_iter().find(|(_, asked)| *asked) else { return Ok(()) };
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
