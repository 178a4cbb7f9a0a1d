//! The flags. What the project file says can all be said here, under the same names.

use super::exit::EXITS;
use crate::report::FORMATS;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Reads the click and conversion exports you already have and says which traffic sources to block, hold or
/// watch, with the evidence, the uncertainty and the money.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = exit_codes())]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Audit a click export and a conversion export
    Audit(Box<AuditArgs>),
    /// Say everything about one group of an audit
    Explain(ExplainArgs),
    /// Check and test rules
    Rules(RulesArgs),
    /// List the signals that rules may use
    Signals,
    /// Write labelled traffic with planted fraud, to try things on
    Simulate(SimulateArgs),
    /// Say how good the verdicts of a report are where the truth is known
    Evaluate(EvaluateArgs),
    /// Write the reference documentation
    #[command(hide = true)]
    Reference(ReferenceArgs),
}

fn exit_codes() -> String {
    let lines: Vec<String> =
        EXITS.iter().map(|(exit, what)| format!("  {:>2}  {what}", *exit as u8)).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

fn formats() -> String {
    let lines: Vec<String> = FORMATS.iter().map(|f| format!("  {:<18} {}", f.name, f.summary)).collect();
    format!(
        "Output formats for -o FORMAT=PATH (`-` is stdout):\n{}\n\nExamples:\n  \
         clickaudit audit clicks.csv conversions.csv\n  \
         clickaudit audit --clicks 'exports/clicks-*.csv.gz' --conversions conv.csv -o json=report.json\n  \
         clickaudit audit clicks.csv conversions.csv -o blocklist:lines=- -q | sort",
        lines.join("\n")
    )
}

/// Verdicts that `--fail-on` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    Block,
    Hold,
    Watch,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Args, Default)]
#[command(after_help = formats())]
pub struct AuditArgs {
    /// The click export and the conversion export
    #[arg(value_names = ["CLICKS", "CONVERSIONS"], num_args = 0..=2)]
    pub pair: Vec<String>,
    /// Click export; a file or a pattern in quotes, repeatable
    #[arg(long, value_name = "FILE")]
    pub clicks: Vec<String>,
    /// Conversion export; a file or a pattern, repeatable
    #[arg(long, value_name = "FILE")]
    pub conversions: Vec<String>,
    /// Export with click and conversion in one row
    #[arg(long, value_name = "FILE")]
    pub combined: Vec<String>,
    /// Export that is aggregated already: zone by day
    #[arg(long, value_name = "FILE")]
    pub report: Vec<String>,
    /// Costs by day and campaign or zone; they replace the clicks' own
    #[arg(long, value_name = "FILE")]
    pub costs: Vec<String>,
    /// What makes one audited group, such as source,sub_source or campaign [default: source]
    #[arg(long, value_name = "COLUMNS")]
    pub by: Option<String>,
    /// What the columns of the exports are called
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Preset that reads the exports [default: generic]
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Rules in place of the built-in ones; a file or folder, repeatable
    #[arg(long, value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// Rules besides the others; a file or folder, repeatable
    #[arg(long, value_name = "PATH")]
    pub add_rules: Vec<PathBuf>,
    /// IDs that are never listed, one a line
    #[arg(long, value_name = "FILE")]
    pub protect: Vec<PathBuf>,
    /// Output; without any the table goes to stdout
    #[arg(short, long, value_name = "FORMAT=PATH")]
    pub output: Vec<String>,
    /// Write every rejected row with file, line and reason to this CSV file
    #[arg(long, value_name = "PATH")]
    pub rejects: Option<PathBuf>,
    /// Exit with 1 if there is such a verdict or a graver one
    #[arg(long, value_name = "VERDICT")]
    pub fail_on: Option<FailOn>,
    /// Traffic source whose IDs the lists are for, where there are several
    #[arg(long, value_name = "NAME")]
    pub list_for: Option<String>,
    /// Share of all clicks that one run may list [default: 25%]
    #[arg(long, value_name = "SHARE")]
    pub max_click_share: Option<String>,
    /// Share of all spend that one run may list [default: 25%]
    #[arg(long, value_name = "SHARE")]
    pub max_spend_share: Option<String>,
    /// ROI above which a clean source may be put on the scale list [default: 0%]
    #[arg(long, value_name = "SHARE")]
    pub target_roi: Option<String>,
    /// Whose money it is: buyer, network or advertiser [default: the preset's]
    #[arg(long, value_name = "WHO")]
    pub perspective: Option<String>,
    /// Currency to report in, where the exports have several or none
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Event that conversion rates are on [default: the most frequent]
    #[arg(long, value_name = "EVENT")]
    pub main_event: Option<String>,
    /// Share of false accusations among all significant groups that is acceptable [default: 10%]
    #[arg(long, value_name = "SHARE")]
    pub fdr: Option<String>,
    /// Source that is known to be honest and anchors the comparison with peers; repeatable
    #[arg(long, value_name = "SOURCE")]
    pub trusted: Vec<String>,
    /// Family of signals that peers are not asked about, to see what it is worth; repeatable
    #[arg(long, value_name = "FAMILY")]
    pub without: Vec<String>,
    /// Clicks younger than this are no evidence of missing conversions [default: 24h]
    #[arg(long, value_name = "TIME")]
    pub maturity: Option<String>,
    /// Time zone in which days are cut [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// The moment the exports reach up to, such as 2026-03-09T00:00 [default: the newest row]
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// With --as-of: refuse exports whose newest row is older [default: 48h]
    #[arg(long, value_name = "TIME")]
    pub max_age: Option<String>,
    /// Project file [default: ./clickaudit.yaml, if there is one]
    #[arg(long, value_name = "FILE", env = "CLICKAUDIT_CONFIG")]
    pub config: Option<PathBuf>,
    /// Read no project file
    #[arg(long, conflicts_with = "config")]
    pub no_config: bool,
    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Colour,
}

#[derive(Args)]
pub struct ExplainArgs {
    #[command(subcommand)]
    pub command: ExplainCommand,
}

#[derive(Subcommand)]
pub enum ExplainCommand {
    /// One page about one source: verdict, evidence, peers, what would change it, conversions to look at
    Source(Box<ExplainSourceArgs>),
}

#[derive(Args)]
pub struct ExplainSourceArgs {
    /// The source, or traffic_source/source; with --by the group's values joined by /
    pub name: String,
    /// How the page is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
    #[command(flatten)]
    pub audit: AuditArgs,
}

/// How a page is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    #[default]
    Text,
    Json,
}

#[derive(Args)]
pub struct RulesArgs {
    #[command(subcommand)]
    pub command: RulesCommand,
}

#[derive(Subcommand)]
pub enum RulesCommand {
    /// Say every fault of every rule file
    Check(RulePaths),
    /// Run the tests inside the rules
    Test(RulePaths),
    /// List the rules
    List(RulePaths),
    /// Print the JSON Schema of rule files
    Schema,
}

#[derive(Args)]
pub struct RulePaths {
    /// Rule files or folders [default: the built-in rules]
    pub paths: Vec<PathBuf>,
    /// How faults are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: FaultFormat,
}

/// How faults are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FaultFormat {
    #[default]
    Text,
    Json,
}

#[derive(Args)]
pub struct SimulateArgs {
    /// Folder to write clicks, conversions and planted.csv to
    pub folder: PathBuf,
    /// Make the traffic of sample-data/
    #[arg(long, conflicts_with_all = ["clicks", "conversions", "mix", "format"])]
    pub sample: bool,
    /// Make a mix to measure detection with: the one the method was designed on, or one that assumes
    /// something else about honest traffic
    #[arg(long, value_enum, value_name = "NAME", conflicts_with = "conversions")]
    pub mix: Option<MixName>,
    /// Number of clicks [default: 100000; of a mix: what its sources have by nature]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub clicks: Option<u64>,
    /// Number of conversions, about
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    pub conversions: u64,
    /// Same seed, same bytes
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Sources of a mix
    #[arg(long, default_value_t = 2_000, value_name = "N", requires = "mix", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub sources: u32,
    /// Days of a mix
    #[arg(long, default_value_t = 14, value_name = "N", requires = "mix", value_parser = clap::value_parser!(u32).range(1..=400))]
    pub days: u32,
    /// Share of the sources of a mix with a planted fraud
    #[arg(long, default_value = "7.2%", value_name = "SHARE", requires = "mix")]
    pub fraud_share: String,
    /// Share of the clicks or conversions that a fraud touches [default: drawn between 10% and 60%]
    #[arg(long, value_name = "SHARE", requires = "mix")]
    pub strength: Option<String>,
    /// Frauds to plant, separated by commas, or `all` [default: those of the reference mix]
    #[arg(long, value_delimiter = ',', value_name = "KINDS", requires = "mix")]
    pub kinds: Vec<String>,
    /// What the exports are written as; planted.csv stays text
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// Write the headers and words of this preset [default: generic]
    #[arg(long, value_name = "NAME", requires = "mix")]
    pub preset: Option<String>,
}

/// What exports are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    #[default]
    Csv,
    Parquet,
}

/// Which mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MixName {
    Reference,
    World,
}

#[derive(Args)]
pub struct EvaluateArgs {
    /// JSON report of an audit by source
    pub report: PathBuf,
    /// CSV file with the columns source and kind, such as planted.csv; sources that are not in it count as
    /// honest
    #[arg(long, value_name = "FILE")]
    pub truth: PathBuf,
    /// Mildest verdict that counts as flagged in the tables by kind and in the money
    #[arg(long, value_enum, value_name = "VERDICT", default_value = "hold")]
    pub at: FailOn,
    /// How the tables are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// How tables are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    #[default]
    Text,
    Json,
}

#[derive(Args)]
pub struct ReferenceArgs {
    /// Folder to write to
    pub folder: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
