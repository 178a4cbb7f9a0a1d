//! `clickaudit blocklist`: lists as a state.

use super::args::{
    ApplyArgs, BlocklistCommand, HistoryArgs, Limits, ListOutputs, PlanArgs, RenderArgs, RestoreArgs,
    TableFormat, VerifyArgs,
};
use super::audit::{prefix, share};
use super::exit::Exit;
use super::{complain, print};
use crate::base::column::Grain;
use crate::base::destination::Destination;
use crate::base::error::{Error, Fault, Result, read_small};
use crate::base::lists::{self, Listed, Sheet};
use crate::base::networks::{Network, Widest};
use crate::base::text::{Text, json_document};
use crate::blocklist::{
    Change, Entry, Kind, Left, Options, Plan, Revision, Run, Store, history, plan, plan_text, restore,
    run as report_of, state_text, verify,
};
use crate::ingest::mapping::seconds;
use crate::report::lists::list_of;
use crate::report::{self, FileOf, Output, Target};
use crate::verdicts::Protect;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Runs the command.
///
/// # Errors
/// Anything that keeps it from completing.
pub fn run(command: BlocklistCommand) -> Result<Exit> {
    match command {
        BlocklistCommand::Plan(args) => planned(&args),
        BlocklistCommand::Apply(args) => applied(&args),
        BlocklistCommand::Render(args) => rendered(&args),
        BlocklistCommand::Verify(args) => verified(&args),
        BlocklistCommand::History(args) => told(&args),
        BlocklistCommand::Restore(args) => restored(&args),
    }
}

// ---------------------------------------------------------------- plan

/// A plan as it is written: what it rests on, and what it would do. `apply` makes it again and refuses if it
/// comes out otherwise.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct PlanFile {
    schema_version: u32,
    report: PathBuf,
    report_digest: String,
    state: PathBuf,
    state_digest: String,
    protect: Vec<PathBuf>,
    options: Options,
    after: Revision,
}

fn planned(args: &PlanArgs) -> Result<Exit> {
    let options = options(&args.limits)?;
    let made = make(&args.report, &args.state, &args.limits.protect, options)?;
    print(plan_text(&made.plan).as_bytes())?;
    if let Some(path) = &args.plan {
        let json = serde_json::to_string_pretty(&made.file).expect("words and numbers are JSON");
        let text = json_document(&json) + "\n";
        report::put_files(&[FileOf { path: path.clone(), bytes: text.into_bytes() }])?;
    }
    Ok(braked(&made.plan))
}

struct Made {
    plan: Plan,
    file: PlanFile,
    before: Revision,
    run: Run,
}

fn make(report: &Path, state: &Path, protect: &[PathBuf], options: Options) -> Result<Made> {
    let run = report_of(&read(report)?)?;
    let before = Store::at(state).latest()?;
    let shield = protection(protect)?;
    let plan = plan(&before, &run, &|entry| shields(&shield, entry), &options)?;
    let file = PlanFile {
        schema_version: 1,
        report: report.to_owned(),
        report_digest: run.digest.clone(),
        state: state.to_owned(),
        state_digest: before.digest(),
        protect: protect.to_vec(),
        options,
        after: plan.after.clone(),
    };
    Ok(Made { plan, file, before, run })
}

fn braked(plan: &Plan) -> Exit {
    let Some(why) = &plan.brake else { return Exit::Completed };
    complain(&format!("exit {}: {why}", Exit::Braked as u8));
    Exit::Braked
}

fn protection(files: &[PathBuf]) -> Result<Protect> {
    files.iter().try_fold(Protect::nobody(), |all, path| {
        Ok(all.and(Protect::parse(&read_small(path, "protect list")?, &path.display().to_string())?))
    })
}

fn shields(protect: &Protect, entry: &Entry) -> bool {
    let key: Vec<Option<Text>> =
        entry.grain.iter().map(|col| entry.key.get(col).and_then(Option::as_deref).map(Text::new)).collect();
    Grain::parse(&entry.grain.join(","))
        .is_ok_and(|grain| grain.columns().len() == key.len() && protect.covers(&grain, &key))
}

fn options(limits: &Limits) -> Result<Options> {
    let default = Options::default();
    let [block, profit, scale] = default.ttl_days;
    Ok(Options {
        ttl_days: [
            days(&limits.ttl, block)?,
            days(&limits.profit_ttl, profit)?,
            days(&limits.scale_ttl, scale)?,
        ],
        max_new: limits.max_new.unwrap_or(default.max_new),
        max_source_share: share(&limits.max_source_share, default.max_source_share)?,
        max_click_share: share(&limits.max_click_share, default.max_click_share)?,
        max_spend_share: share(&limits.max_spend_share, default.max_spend_share)?,
        max_revenue_share: share(&limits.max_revenue_share, default.max_revenue_share)?,
        max_shrink: share(&limits.max_shrink, default.max_shrink)?,
        by: limits.by.clone().unwrap_or(default.by),
    })
}

const DAY_S: f64 = 86_400.0;

fn days(text: &Option<String>, default: u32) -> Result<u32> {
    let Some(text) = text else { return Ok(default) };
    let days = seconds(text)? / DAY_S;
    let whole = days.fract() == 0.0 && (1.0..=365.0).contains(&days);
    whole.then_some(days as u32).ok_or_else(|| {
        Error::usage(format!("`{text}` is no time for an entry to stay")).help("use whole days, 1d to 365d")
    })
}

// ---------------------------------------------------------------- apply

fn applied(args: &ApplyArgs) -> Result<Exit> {
    let outputs = list_outputs(&args.lists)?;
    let text = read(&args.what)?;
    let planned: Option<PlanFile> = serde_json::from_str(&text).ok();
    let state = match (&args.state, &planned) {
        (Some(state), _) => state.clone(),
        (None, Some(plan)) => plan.state.clone(),
        (None, None) => {
            return Err(Error::usage("which list?").help("say where it is kept with --state FOLDER"));
        }
    };
    let store = Store::at(&state);
    let Some(_lock) = store.lock()? else { return Ok(locked(&state)) };
    let made = match &planned {
        Some(plan) => again(plan, &state)?,
        None => make(&args.what, &state, &args.limits.protect, options(&args.limits)?)?,
    };
    if made.before.revision > 0 && made.before.report == made.run.digest && !made.plan.changes_a_list() {
        complain(&format!(
            "revision {} was made from this report already; nothing changes",
            made.before.revision
        ));
        return write_lists(&made.before, &outputs, &args.lists, &made.file.protect)
            .map(|()| Exit::Completed);
    }
    if made.plan.brake.is_some() {
        return Ok(braked(&made.plan));
    }
    let staged = staged(&made.plan.after, &outputs, &args.lists, &made.file.protect)?;
    store.add(&made.plan.after)?;
    report::put_files(&staged)?;
    summary(&made.plan);
    Ok(Exit::Completed)
}

fn locked(state: &Path) -> Exit {
    complain(&format!(
        "exit {}: another run is changing the lists in {}",
        Exit::Locked as u8,
        state.display()
    ));
    Exit::Locked
}

/// Makes a plan again, from the files that it was made from.
fn again(file: &PlanFile, state: &Path) -> Result<Made> {
    let made = make(&file.report, state, &file.protect, file.options.clone())?;
    let what = match () {
        () if made.file.report_digest != file.report_digest => {
            format!("the report {}", file.report.display())
        }
        () if made.file.state_digest != file.state_digest => format!("the list in {}", state.display()),
        () if made.file.after != file.after => "a protect list, or the plan itself,".to_owned(),
        () => return Ok(made),
    };
    Err(Error::input(format!("{what} changed since the plan was made"))
        .help("plan again and look at it again"))
}

fn summary(plan: &Plan) {
    for list in Kind::ALL {
        let count = |change| plan.of(change, list).count();
        let (gone, stay) = (plan.gone(list), count(Change::Renew) + count(Change::Keep));
        complain(&format!("{} list: +{} -{gone} ={stay}", list.word(), count(Change::Add)));
    }
}

// ---------------------------------------------------------------- lists

fn list_outputs(lists: &ListOutputs) -> Result<Vec<Output>> {
    let outputs: Vec<Output> = lists.output.iter().map(|text| Output::parse(text)).collect::<Result<_>>()?;
    if let Some(other) = outputs.iter().find(|o| o.dialect.is_none()) {
        return Err(Error::usage(format!("`{}` is no list", other.name())).help("write blocklist:lines=PATH"));
    }
    if let Some(own) = outputs.iter().find(|o| o.own) {
        return Err(Error::usage(format!(
            "`{}` is for audits: a state knows no traffic sources' dialects",
            own.name()
        ))
        .help("name the dialect, such as blocklist:comma"));
    }
    report::check(&outputs, &[], &[])?;
    Ok(outputs)
}

fn rendered(args: &RenderArgs) -> Result<Exit> {
    let shield = protection(&args.protect)?;
    let revision = Store::at(&args.state).latest()?.without(&|entry| shields(&shield, entry));
    if args.lists.output.is_empty() {
        print(state_text(&revision).as_bytes())?;
        return Ok(Exit::Completed);
    }
    write_lists(&revision, &list_outputs(&args.lists)?, &args.lists, &args.protect).map(|()| Exit::Completed)
}

fn write_lists(
    revision: &Revision,
    outputs: &[Output],
    lists: &ListOutputs,
    protect: &[PathBuf],
) -> Result<()> {
    report::put_files(&staged(revision, outputs, lists, protect)?)
}

/// The files of all lists; what goes to stdout is printed.
fn staged(
    revision: &Revision,
    outputs: &[Output],
    args: &ListOutputs,
    protect: &[PathBuf],
) -> Result<Vec<FileOf>> {
    let widest = Widest {
        v4: prefix(args.widest_ipv4, Widest::CUSTOMER.v4, 8..=32)?,
        v6: prefix(args.widest_ipv6, Widest::CUSTOMER.v6, 12..=128)?,
    };
    let protected = protection(protect)?.networks();
    let mut files = Vec::new();
    for output in outputs {
        files.extend(of_output(revision, output, &protected, widest)?);
    }
    Ok(files)
}

fn of_output(
    revision: &Revision,
    output: &Output,
    protected: &[Network],
    widest: Widest,
) -> Result<Vec<FileOf>> {
    let kind = kind(output);
    let destination: Destination = output.target.destination();
    let dialect = output.dialect.ok_or_else(|| Error::usage("no dialect"))?;
    let sheet = Sheet { dialect, own: None, destination: &destination, protected, widest };
    for entry in &revision.entries {
        refuse_misfit(output, &destination, entry)?;
    }
    let listed: Vec<Listed> = revision.standing(kind).map(listed).collect();
    let seen: Vec<Listed> = revision.entries.iter().filter(|e| e.list == kind).map(self::listed).collect();
    let made = lists::files(&sheet, &listed, if destination.is_fixed() { &[] } else { &seen });
    let braked = |why| Error::new(Fault::Braked, format!("{}: {why}", output.name()));
    let made = made.map_err(braked)?;
    if let Some(why) = lists::emptied(&made, protected) {
        return Err(braked(why));
    }
    let mut files = Vec::new();
    for file in made {
        for (id, why) in &file.refused {
            complain(&format!("{}: {} is not listed: {why}", output.name(), id.term(80)));
        }
        if output.target == Target::Stdout {
            print(file.text.as_bytes())?;
        } else {
            files.extend(report::lists::files_of(&file));
        }
    }
    Ok(files)
}

/// Refuses a list that entries of this grain cannot fill.
fn refuse_misfit(output: &Output, destination: &Destination, entry: &Entry) -> Result<()> {
    let columns: Vec<&str> = entry.grain.iter().map(String::as_str).collect();
    match lists::misfit(output.dialect, destination, &columns) {
        Some(why) => Err(Error::usage(format!("{}: {why}", output.name())).help("nothing is changed")),
        None => Ok(()),
    }
}

fn kind(output: &Output) -> Kind {
    match list_of(output.format.name) {
        "profit" => Kind::Profit,
        "scale" => Kind::Scale,
        _ => Kind::Block,
    }
}

fn listed(entry: &Entry) -> Listed {
    let value =
        |col: &String| entry.key.get(col).and_then(Option::as_deref).map(|id| Text::new(id).as_name());
    Listed {
        key: entry.grain.iter().map(|col| (col.clone(), value(col))).collect(),
        rule: entry.rule.clone(),
    }
}

// ---------------------------------------------------------------- verify, history, restore

fn verified(args: &VerifyArgs) -> Result<Exit> {
    let text = read(&args.list)?;
    let output = Output::parse(&format!("{}=-", args.of))?;
    let Some(dialect) = output.dialect else {
        return Err(Error::usage(format!("`{}` is no list", args.of)).help("write --of blocklist:lines"));
    };
    let expected = args.state.as_deref().map(|state| expected(state, &output, &args.only)).transpose()?;
    let findings = verify(&text, dialect, expected.as_deref());
    let shown = match args.format {
        TableFormat::Json => {
            let rows: Vec<_> = findings
                .iter()
                .map(|f| {
                    let examples: Vec<String> = f.examples.iter().map(Text::json).collect();
                    serde_json::json!({"what": f.what, "count": f.count, "examples": examples})
                })
                .collect();
            json_document(&format!("{:#}", serde_json::Value::Array(rows))) + "\n"
        }
        TableFormat::Text => findings
            .iter()
            .map(|f| {
                let examples: Vec<String> = f.examples.iter().map(|t| format!("`{}`", t.term(40))).collect();
                format!("{} {}: {}\n", f.count, f.of_so_many, examples.join(", "))
            })
            .collect(),
    };
    print(shown.as_bytes())?;
    if findings.is_empty() {
        complain("nothing is wrong with the list");
        return Ok(Exit::Completed);
    }
    complain(&format!("exit {}: the list is not as it should be; do not upload it", Exit::Refused as u8));
    Ok(Exit::Refused)
}

/// The entries that a list should have.
fn expected(state: &Path, output: &Output, only: &[String]) -> Result<Vec<String>> {
    let revision = Store::at(state).latest()?;
    let mut wanted = Vec::new();
    for filter in only {
        let (col, value) = filter.split_once('=').ok_or_else(|| {
            Error::usage(format!("`{filter}` is no filter"))
                .help("write COLUMN=VALUE, such as traffic_source=popmax")
        })?;
        wanted.push((col.to_owned(), value.to_owned()));
    }
    let meant =
        |e: &&Entry| wanted.iter().all(|(col, value)| e.key.get(col).and_then(Option::as_ref) == Some(value));
    let dialect = output.dialect.ok_or_else(|| Error::usage("no dialect"))?;
    let listed: Vec<Listed> = revision.standing(kind(output)).filter(meant).map(listed).collect();
    // Columns that are filtered on stand for the file that is verified.
    let columns: String = wanted.iter().map(|(col, _)| format!("{{{col}}}")).collect();
    let destination = Destination::parse(&format!("list{columns}")).map_err(Error::usage)?;
    let sheet = Sheet {
        dialect,
        own: None,
        destination: &destination,
        protected: &[],
        widest: Widest { v4: 8, v6: 12 },
    };
    let files = lists::files(&sheet, &listed, &[])
        .map_err(|why| Error::input(why).help("say which file it is with --only traffic_source=NAME"))?;
    Ok(files.iter().flat_map(|file| dialect.read(&file.text)).collect())
}

fn told(args: &HistoryArgs) -> Result<Exit> {
    let store = Store::at(&args.state);
    let revisions: Vec<Revision> =
        store.numbers()?.into_iter().map(|n| store.revision(n)).collect::<Result<_>>()?;
    if revisions.is_empty() {
        return Err(Error::input(format!("there is no list in {}", args.state.display()))
            .help("make one with `clickaudit blocklist apply REPORT --state FOLDER`"));
    }
    let shown = match args.format {
        TableFormat::Text => history(&revisions, args.id.as_deref()),
        TableFormat::Json => {
            let has = |e: &Entry| args.id.as_ref().is_none_or(|id| e.key.values().flatten().any(|v| v == id));
            let narrowed = revisions.into_iter().map(|mut r| {
                r.entries.retain(has);
                r
            });
            let rows: Vec<Revision> = narrowed.collect();
            json_document(&serde_json::to_string_pretty(&rows).expect("words and numbers are JSON")) + "\n"
        }
    };
    print(shown.as_bytes())?;
    Ok(Exit::Completed)
}

fn restored(args: &RestoreArgs) -> Result<Exit> {
    let outputs = list_outputs(&args.lists)?;
    let store = Store::at(&args.state);
    let Some(_lock) = store.lock()? else { return Ok(locked(&args.state)) };
    let (now, old) = (store.latest()?, store.revision(args.revision)?);
    let shield = protection(&args.protect)?;
    let by = args.by.clone().unwrap_or_else(|| Options::default().by);
    let restored = restore(&now, &old, &|entry| shields(&shield, entry), &by)?;
    let staged = staged(&restored, &outputs, &args.lists, &args.protect)?;
    store.add(&restored)?;
    report::put_files(&staged)?;
    complain(&format!(
        "revision {} is revision {} again{}",
        restored.revision,
        args.revision,
        left_behind(&restored, &old)
    ));
    Ok(Exit::Completed)
}

/// `, without 2 that are protected and 3 that had run out by 2026-04-15T00:00:00Z`.
fn left_behind(restored: &Revision, old: &Revision) -> String {
    let stood = |e: &Entry| old.standing(e.list).any(|o| o.key == e.key);
    let count = |why| restored.entries.iter().filter(|e| e.left == Some(why) && stood(e)).count();
    let (shielded, over) = (count(Left::Protected), count(Left::RunOut));
    let shielded_words = if shielded == 1 { "that is protected" } else { "that are protected" };
    let parts = [
        (shielded, format!("{shielded} {shielded_words}")),
        (over, format!("{over} that had run out by {}", restored.as_of)),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, words)| words).collect();
    if parts.is_empty() { String::new() } else { format!(", without {}", parts.join(" and ")) }
}

fn read(path: &Path) -> Result<String> {
    if path.as_os_str() == "-" {
        return std::io::read_to_string(std::io::stdin()).map_err(|e| Error::reading(path, e));
    }
    let bytes = std::fs::read(path).map_err(|e| Error::reading(path, e))?;
    String::from_utf8(bytes).map_err(|_| Error::input(format!("{} is no text", path.display())))
}
