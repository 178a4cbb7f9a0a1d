//! `clickaudit config show` and `clickaudit init`: what a run is told, by whom, and a project file to begin with.
//!
//! Both are loops over the flags of `audit` as clap declares them: a new flag is shown and offered without a
//! line here. It judges nothing; a project file that `audit` would refuse is refused in the same words.

use super::args::{AuditArgs, ConfigShowArgs, InitArgs, PageFormat};
use super::exit::Exit;
use super::{complain, inspect, print, project};
use crate::base::error::{Result, read_small};
use crate::base::text::Text;
use crate::base::yaml::{self, Leaf};
use crate::ingest::preset::{self, Preset};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args};
use std::path::Path;

/// Flags that a project file does not know: they say where it is, or belong to one terminal.
const ONLY_FLAGS: &[&str] = &["pair", "print_sql", "config", "no_config", "timings", "color"];

/// Flags whose key in a project file has another name, since the flag's name means something else there.
const OTHER_NAMES: &[(&str, &str)] = &[("suppressions", "suppression_files")];

/// What a run reads; one of them on the command line replaces all those of the project file.
const INPUTS: &[&str] = &["clicks", "conversions", "postbacks", "combined", "report"];

/// Keys to which the command line adds; all others it replaces.
const ADDED: &[&str] = &["disable", "overrides", "protect", "suppression_files", "trusted"];

/// Values to begin with, for keys that have no default that could be written down.
const EXAMPLES: &[(&str, &str)] = &[
    ("accept", "[volume]"),
    ("as_of", "2026-03-09T00:00"),
    ("currency", "USD"),
    ("ip_list", "[datacenter=networks/datacenter.txt]"),
    ("map", "mapping.yaml"),
    ("memory_limit", "2GB"),
    ("most_groups", "50000"),
    ("output", "[table=-, html=report.html, \"blocklist:lines=block.txt\"]"),
    ("overrides", "{ctit-flood: {action: watch}}"),
    ("packs", "[igaming]"),
    ("perspective", "buyer"),
    ("store", "store"),
    ("threads", "2"),
    ("time_zone", "Europe/Berlin"),
    ("wait", "10m"),
    ("widest_ipv4", "24"),
    ("widest_ipv6", "48"),
];

/// Where the sections of a new file begin.
const SECTIONS: &[(&str, &str)] = &[
    ("clicks", "What is read: files, or patterns in quotes"),
    ("by", "How it is read, and what is judged"),
    ("rules", "Rules"),
    ("protect", "What comes out, and its limits"),
    ("target_roi", "Money, comparison and time"),
    ("store", "Every night"),
];

/// One thing that a run can be told.
struct Setting {
    arg: Arg,
    key: String,
}

/// A value that holds, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Effective {
    key: String,
    value: String,
    origin: String,
}

/// Prints what an audit with these arguments would go by.
///
/// # Errors
/// A project file that an audit would refuse.
pub fn show(args: ConfigShowArgs, matches: &ArgMatches) -> Result<Exit> {
    let mut audit = args.audit.clone();
    project::merge(&mut audit)?;
    let path = project::place(&args.audit);
    let leaves = path.as_deref().map(read_leaves).transpose()?.unwrap_or_default();
    let file = path.as_deref().map(|p| p.display().to_string()).unwrap_or_default();
    let values = effective(matches, &leaves, &file);
    let text = match args.format {
        PageFormat::Text => lines(&values, args.origin),
        PageFormat::Json => json(&values),
    };
    print(text.as_bytes())?;
    Ok(Exit::Completed)
}

fn read_leaves(path: &Path) -> Result<Vec<Leaf>> {
    let text = read_small(path, "project file")?;
    if project::only_comments(&text) {
        return Ok(Vec::new());
    }
    // `merge` has read the file: what is wrong with it was said there.
    Ok(yaml::leaves(&text, &path.display().to_string()).unwrap_or_default())
}

/// The flags that a project file may say, too, in their order.
fn settings() -> Vec<Setting> {
    let flags = AuditArgs::augment_args(clap::Command::new("audit"));
    let known = |arg: &&Arg| arg.get_long().is_some() && !ONLY_FLAGS.contains(&arg.get_id().as_str());
    flags.get_arguments().filter(known).map(|arg| Setting { key: key(arg), arg: arg.clone() }).collect()
}

fn key(arg: &Arg) -> String {
    let id = arg.get_id().as_str();
    OTHER_NAMES.iter().find(|(flag, _)| *flag == id).map_or(id, |(_, key)| key).to_owned()
}

/// Every value that holds: of each flag, then what only the file can say.
fn effective(matches: &ArgMatches, leaves: &[Leaf], file: &str) -> Vec<Effective> {
    let settings = settings();
    let inputs_said = INPUTS.iter().chain(&["pair"]).any(|id| said(matches, id).is_some());
    let mut values = Vec::new();
    for setting in &settings {
        let on_line = on_line(matches, setting);
        let replaced = on_line.is_some() && !ADDED.contains(&setting.key.as_str())
            || inputs_said && INPUTS.contains(&setting.key.as_str());
        let in_file = leaves.iter().filter(|leaf| top(leaf) == setting.key && !replaced);
        let before = values.len();
        values.extend(in_file.map(|leaf| of_file(leaf, file)));
        values.extend(on_line);
        if values.len() == before {
            values.extend(default(&setting.arg).map(|value| Effective {
                key: setting.key.clone(),
                value,
                origin: "default".to_owned(),
            }));
        }
    }
    let only_here = leaves.iter().filter(|leaf| settings.iter().all(|s| s.key != top(leaf)));
    values.extend(only_here.filter(|leaf| !leaf.path.starts_with("x-")).map(|leaf| of_file(leaf, file)));
    values
}

fn top(leaf: &Leaf) -> &str {
    leaf.path.split('.').next().unwrap_or_default()
}

fn of_file(leaf: &Leaf, file: &str) -> Effective {
    Effective { key: leaf.path.clone(), value: leaf.value.clone(), origin: format!("{file}:{}", leaf.line) }
}

/// What the command line or the environment says of a flag.
fn on_line(matches: &ArgMatches, setting: &Setting) -> Option<Effective> {
    let id = setting.arg.get_id().as_str();
    let place = INPUTS.iter().position(|input| *input == id);
    let (value, flag) = match (said(matches, id), place, said(matches, "pair")) {
        (Some(values), ..) => (values, setting.arg.get_long().map(|l| format!("--{l}")).unwrap_or_default()),
        (None, Some(place), Some(pair)) => (vec![pair.get(place)?.clone()], "the command line".to_owned()),
        _ => return None,
    };
    let list = matches!(setting.arg.get_action(), ArgAction::Append);
    let value = if list { format!("[{}]", value.join(", ")) } else { value.join(", ") };
    Some(Effective { key: setting.key.clone(), value, origin: flag })
}

/// The values of an argument that a person gave, not a default.
fn said(matches: &ArgMatches, id: &str) -> Option<Vec<String>> {
    if matches.value_source(id)? == ValueSource::DefaultValue {
        return None;
    }
    Some(matches.get_raw(id)?.map(|value| value.to_string_lossy().into_owned()).collect())
}

/// The default as its help says it.
fn default(arg: &Arg) -> Option<String> {
    let help = arg.get_help()?.to_string();
    let (_, rest) = help.split_once("[default: ")?;
    Some(rest.split_once(']')?.0.to_owned())
}

fn lines(values: &[Effective], origins: bool) -> String {
    let width = |of: fn(&Effective) -> &str| values.iter().map(|v| of(v).chars().count()).max().unwrap_or(0);
    let (keys, texts) = (width(|v| &v.key), width(|v| &v.value).min(48));
    let line = |v: &Effective| {
        let safe = |text: &str| Text::of_user(text).term(usize::MAX);
        let (key, value, origin) = (safe(&v.key), safe(&v.value), safe(&v.origin));
        if origins {
            format!("{key:keys$}  {value:texts$}  {origin}\n")
        } else {
            format!("{key:keys$}  {value}\n")
        }
    };
    values.iter().map(line).collect()
}

fn json(values: &[Effective]) -> String {
    let value = |v: &Effective| serde_json::json!({"key": v.key, "value": v.value, "origin": v.origin});
    let values: Vec<serde_json::Value> = values.iter().map(value).collect();
    format!("{:#}\n", serde_json::json!({ "settings": values }))
}

// ---------------------------------------------------------------- a file to begin with

/// Writes a commented project file, which must not be there yet.
///
/// # Errors
/// A preset that is not known, or a file that is there or cannot be written.
pub fn init(args: &InitArgs) -> Result<Exit> {
    let preset = args.preset.as_deref().map(preset::named).transpose()?;
    inspect::write_new(&args.file, &new_file(preset))?;
    complain(&format!(
        "wrote {}: say in it where your exports are, then run clickaudit audit in this folder",
        args.file.display()
    ));
    Ok(Exit::Completed)
}

fn new_file(preset: Option<&Preset>) -> String {
    let mut text = String::from(
        "# The project file of clickaudit: `clickaudit audit` in this folder goes by it, and the command line wins.\n\
         # A key behind `# ` is not in force: it shows the default, or an example. What holds, and who says so,\n\
         # is printed by `clickaudit config show --origin`.\n",
    );
    for setting in settings() {
        if let Some((_, title)) = SECTIONS.iter().find(|(key, _)| *key == setting.key) {
            text.push_str(&format!("\n# ---- {title}\n"));
        }
        text.push_str(&entry(&setting, preset));
    }
    text
}

/// A key with what it means, in force where there is something to begin with.
fn entry(setting: &Setting, preset: Option<&Preset>) -> String {
    let help = setting.arg.get_help().map(ToString::to_string).unwrap_or_default();
    let mut text: String = help.lines().map(|line| format!("\n# {}", line.trim())).collect();
    if setting.key == "preset"
        && let Some(preset) = preset
    {
        preset.notes.iter().for_each(|note| text.push_str(&format!("\n#   {note}")));
    }
    let key = &setting.key;
    match begins_with(key, preset) {
        Some(value) => text.push_str(&format!("\n{key}: {value}\n")),
        None => text.push_str(&format!("\n# {key}: {}\n", example(setting))),
    }
    text
}

/// The values that a new file says itself: where the exports of the preset are expected, and the preset.
fn begins_with(key: &str, preset: Option<&Preset>) -> Option<String> {
    let sides = preset.map_or_else(|| vec!["clicks", "conversions"], sides);
    match key {
        "preset" => preset.map(|p| p.name.clone()),
        _ if INPUTS.contains(&key) && sides.contains(&key) => Some(format!("[\"exports/{key}-*.csv\"]")),
        _ => None,
    }
}

/// The exports of a preset that one audit reads: kinds that exclude each other are not in force together.
fn sides(preset: &Preset) -> Vec<&'static str> {
    let mut sides: Vec<&str> = preset.exports.iter().map(|export| export.shape.word()).collect();
    if let Some(kind) = ["clicks", "combined"].into_iter().find(|kind| sides.contains(kind)) {
        let others = ["combined", "report"];
        sides.retain(|side| *side == kind || !others.contains(side));
    }
    sides
}

fn example(setting: &Setting) -> String {
    if let Some((_, example)) = EXAMPLES.iter().find(|(key, _)| *key == setting.key) {
        return (*example).to_owned();
    }
    if matches!(setting.arg.get_action(), ArgAction::SetTrue) {
        return "false".to_owned();
    }
    let word = || setting.arg.get_possible_values().first().map(|word| word.get_name().to_owned());
    let name = || setting.arg.get_value_names().and_then(|n| n.first()).map(ToString::to_string);
    let single = |text: &String| !text.contains(' ');
    let value = default(&setting.arg).filter(single).or_else(word).or_else(name).unwrap_or_default();
    let quoted = format!("{value:?}");
    if matches!(setting.arg.get_action(), ArgAction::Append) { format!("[{quoted}]") } else { quoted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use crate::cli::project::{Project, keys};
    use clap::CommandFactory;

    fn shown(line: &[&str], file: &str) -> Vec<Effective> {
        let words = ["clickaudit", "config", "show"].iter().chain(line);
        let matches = Cli::command().try_get_matches_from(words).unwrap();
        let (_, config) = matches.subcommand().unwrap();
        let (_, show) = config.subcommand().unwrap();
        effective(show, &yaml::leaves(file, "p.yaml").unwrap(), "p.yaml")
    }

    fn of<'a>(values: &'a [Effective], key: &str) -> Vec<(&'a str, &'a str)> {
        values.iter().filter(|v| v.key == key).map(|v| (v.value.as_str(), v.origin.as_str())).collect()
    }

    #[test]
    fn every_value_says_who_set_it() {
        let file = "clicks: [a.csv]\nby: campaign\nprotect: [keep.txt]\nmaturity: 6h\nmapping:\n  columns:\n    ip: addr\n";
        let values = shown(&["--by", "offer", "--protect", "more.txt"], file);
        assert_eq!(of(&values, "clicks"), [("[a.csv]", "p.yaml:1")]);
        assert_eq!(of(&values, "by"), [("offer", "--by")]);
        assert_eq!(of(&values, "protect"), [("[keep.txt]", "p.yaml:3"), ("[more.txt]", "--protect")]);
        assert_eq!(of(&values, "maturity"), [("6h", "p.yaml:4")]);
        assert_eq!(of(&values, "mapping.columns.ip"), [("addr", "p.yaml:7")]);
        assert_eq!(of(&values, "fdr"), [("10%", "default")]);
    }

    #[test]
    fn a_pair_on_the_command_line_replaces_the_files_inputs() {
        let values = shown(&["c.csv", "v.csv"], "combined: [all.csv]\nclicks: [a.csv]\n");
        assert_eq!(of(&values, "clicks"), [("[c.csv]", "the command line")]);
        assert_eq!(of(&values, "conversions"), [("[v.csv]", "the command line")]);
        assert!(of(&values, "combined").is_empty());
    }

    #[test]
    fn every_flag_is_a_key_of_the_project_file() {
        let known = keys();
        let missing: Vec<String> =
            settings().into_iter().map(|s| s.key).filter(|key| !known.contains(&key.as_str())).collect();
        assert!(missing.is_empty(), "flags of audit that no project file can say: {missing:?}");
    }

    #[test]
    fn a_new_file_is_valid_with_every_line_in_force() {
        let presets = preset::all().unwrap();
        for preset in presets.iter().map(Some).chain([None]) {
            let text = new_file(preset);
            yaml::load::<Project>(&text, "new").unwrap();
            let all: String = text.lines().map(|line| format!("{}\n", in_force(line))).collect();
            if let Err(faults) = yaml::load::<Project>(&all, "new") {
                panic!("{}\n{all}", crate::base::diag::plain(&faults));
            }
        }
    }

    #[test]
    fn a_new_file_reads_one_kind_of_exports() {
        for preset in preset::all().unwrap() {
            let sides = sides(preset);
            let kinds = [&["clicks", "conversions"][..], &["combined"], &["report"]];
            let of_kinds = kinds.iter().filter(|kind| kind.iter().any(|side| sides.contains(side))).count();
            assert_eq!(of_kinds, 1, "{}: {sides:?}", preset.name);
        }
    }

    /// A line that says a key, without its comment sign.
    fn in_force(line: &str) -> &str {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split_once(": ").map_or("", |(key, _)| key);
        if keys().contains(&key) { bare } else { line }
    }
}
