//! The flags. What the project file says can all be said here, under the same names.

use super::exit::EXITS;
use crate::base::dialect::DIALECTS;
use crate::reconcile;
use crate::report::FORMATS;
use crate::rules::FIRST_SIGNAL;
use crate::simulate::mix::Fraud;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Reads the click and conversion exports you already have and says which traffic sources to block, hold or
/// watch, with the evidence, the uncertainty and the money.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = exit_codes())]
pub struct Cli {
    /// How messages on stderr are written: lines, or a JSON object a line
    #[arg(long, global = true, value_enum, value_name = "HOW", default_value_t)]
    pub log: LogFormat,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Audit a click export and a conversion export
    Audit(Box<AuditArgs>),
    /// Say everything about one group of an audit
    Explain(ExplainArgs),
    /// Say what a file is, or a pair: preset, columns, rows, words, IDs, clocks, and what is missing
    Inspect(InspectArgs),
    /// Hold two statements of the same conversions against each other: what is missing, what differs, what is owed
    Reconcile(Box<ReconcileArgs>),
    /// Write exports that can be shown to others: nobody's IDs, addresses and amounts, and the same relations
    Anonymise(AnonymiseArgs),
    /// Check and test rules
    Rules(RulesArgs),
    /// Check or build the link that reports conversions
    Postback(PostbackArgs),
    /// List the signals that rules may use
    Signals,
    /// Say what changed from one run to another: who is new, worse, better, cleared, with the money
    Diff(DiffArgs),
    /// Walk through the days of some exports as if live: what would have been blocked when, saving what
    Backtest(Box<BacktestArgs>),
    /// Tell the nights of one source: verdicts, numbers, reasons
    History(NightsArgs),
    /// Decide by hand what is done about a source, until a day
    Pin(PinArgs),
    /// Keep blocklists as a state: plan, apply, verify, go back
    Blocklist(BlocklistArgs),
    /// Look after the folder that nightly runs remember in
    Store(StoreArgs),
    /// Hold the manifest of a run against the outputs it names: are all of them of that run?
    Verify(VerifyRunArgs),
    /// Write labelled traffic with planted fraud, to try things on
    Simulate(SimulateArgs),
    /// Say how good the verdicts of a report are where the truth is known
    Evaluate(EvaluateArgs),
    /// Write a commented project file to begin with
    Init(InitArgs),
    /// Say what an audit would go by, and who says so
    Config(ConfigArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(ManArgs),
    /// Write the reference documentation
    #[command(hide = true)]
    Reference(ReferenceArgs),
    /// Read the inputs of an audit into the intake and forget them, to measure it
    #[command(hide = true)]
    Intake(Box<AuditArgs>),
    /// Read a Parquet file and forget it: an audit asks for it before it reads the file itself
    #[command(hide = true)]
    ReadParquet(ReadParquetArgs),
}

fn exit_codes() -> String {
    let lines: Vec<String> =
        EXITS.iter().map(|(exit, what)| format!("  {:>2}  {what}", *exit as u8)).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

fn formats() -> String {
    let lines: Vec<String> = FORMATS.iter().map(|f| format!("  {:<18} {}", f.name, f.summary)).collect();
    let dialects: Vec<String> = DIALECTS.iter().map(|d| format!("  {:<18} {}", d.name, d.summary)).collect();
    format!(
        "Output formats for -o FORMAT=PATH (`-` is stdout):\n{}\n\nDialects of lists, as in blocklist:DIALECT=PATH; \
         {{traffic_source}} or another column in the path makes a file for each; blocklist:own \
         writes each in the dialect that --sources has for its traffic source:\n{}\n\nExamples:\n  \
         clickaudit audit clicks.csv conversions.csv\n  \
         clickaudit audit --clicks 'exports/clicks-*.csv.gz' --conversions conv.csv -o json=report.json\n  \
         clickaudit audit clicks.csv conversions.csv -o blocklist:lines=- -q | sort",
        lines.join("\n"),
        dialects.join("\n")
    )
}

/// How messages on stderr are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Verdicts that `--fail-on` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    Block,
    Hold,
    Watch,
}

/// What outputs show of personal values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PiiMode {
    /// Addresses are cut to /24 and /48, e-mail addresses dropped, device IDs cut
    Mask,
    /// Tokens that stay the same from run to run of this installation
    Hash,
    /// Everything as it is; the files are for their owner only
    Raw,
}

/// How timings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimingFormat {
    Text,
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Args, Clone, Default)]
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
    /// Web server's log of postbacks, read as conversions; a file or a pattern, repeatable
    #[arg(long, value_name = "FILE")]
    pub postbacks: Vec<String>,
    /// Whose parameters the postbacks have [default: the mapping's, or generic]
    #[arg(long, value_name = "NAME")]
    pub postback_tracker: Option<String>,
    /// Export with click and conversion in one row
    #[arg(long, value_name = "FILE")]
    pub combined: Vec<String>,
    /// Export that is aggregated already: zone by day
    #[arg(long, value_name = "FILE")]
    pub report: Vec<String>,
    /// Costs by day and campaign or zone; they replace the clicks' own
    #[arg(long, value_name = "FILE")]
    pub costs: Vec<String>,
    #[command(flatten)]
    pub elsewhere: ElsewhereArgs,
    #[command(flatten)]
    pub outbound: OutboundArgs,
    /// What was agreed for each offer, by date: payout, cap, hold, allowed countries and so on; CSV
    #[arg(long, value_name = "FILE")]
    pub offers: Option<PathBuf>,
    /// What differs by traffic source, such as the variable that carries the zone: a YAML file, or the name of a
    /// starter; repeatable
    #[arg(long, value_name = "FILE")]
    pub sources: Vec<String>,
    /// Database in MaxMind's format that gives addresses their country, where the export has none
    #[arg(long, value_name = "MMDB")]
    pub geoip: Option<PathBuf>,
    /// Database in MaxMind's format that gives addresses their autonomous system
    #[arg(long, value_name = "MMDB")]
    pub asn_db: Option<PathBuf>,
    /// List of networks, one a line: datacenter, vpn or tor; repeatable
    #[arg(long, value_name = "KIND=FILE")]
    pub ip_list: Vec<String>,
    /// List of crawlers' user agents: patterns one a line, or the JSON of crawler-user-agents; repeatable
    #[arg(long, value_name = "FILE")]
    pub crawlers: Vec<PathBuf>,
    /// What makes one audited group, such as source,sub_source or campaign [default: source]
    #[arg(long, value_name = "COLUMNS")]
    pub by: Option<String>,
    /// What the columns of the exports are called
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Preset that reads the exports, or SIDE=NAME for one side, such as clicks=voluum; repeatable
    /// [default: what the header tells, or generic]
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
    /// What outputs show of addresses, e-mail addresses and device IDs [default: mask]
    #[arg(long, value_enum, value_name = "HOW")]
    pub pii: Option<PiiMode>,
    /// Secret of --pii hash, made if it is not there [default: in the user's state folder]
    #[arg(long, value_name = "FILE")]
    pub pii_key: Option<PathBuf>,
    /// Zone of local times in the exports, or SIDE=ZONE for one side; repeatable [default: the preset's]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Vec<String>,
    /// Rules in place of the built-in ones; a file or folder, repeatable
    #[arg(long, value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// Rules besides the others; a file or folder, repeatable
    #[arg(long, value_name = "PATH")]
    pub add_rules: Vec<PathBuf>,
    /// Rules of these packs besides core: igaming, mobile-cpi, leadgen, ecommerce; repeatable
    #[arg(long = "pack", visible_alias = "packs", value_delimiter = ',', value_name = "NAMES")]
    pub packs: Vec<String>,
    /// Change a rule for this run: ID.action=watch, ID.observe=true, ID.PARAMETER=VALUE; repeatable
    #[arg(long = "override", value_name = "RULE.KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Leave a rule out; repeatable
    #[arg(long, value_delimiter = ',', value_name = "RULES")]
    pub disable: Vec<String>,
    /// Let every rule only tell what it would have done: nothing acts, no list is written
    #[arg(long)]
    pub observe: bool,
    /// Findings that somebody has looked at and answers for; a YAML file, repeatable
    #[arg(long, value_name = "FILE")]
    pub suppressions: Vec<PathBuf>,
    /// IDs that are never listed, one a line
    #[arg(long, value_name = "FILE")]
    pub protect: Vec<PathBuf>,
    /// Output; without any the table goes to stdout
    #[arg(short, long, value_name = "FORMAT=PATH")]
    pub output: Vec<String>,
    /// Write every rejected row with file, line and reason to this CSV file
    #[arg(long, value_name = "PATH")]
    pub rejects: Option<PathBuf>,
    /// Write last, when all outputs are in place, which files belong to this run, with their digests
    #[arg(long, value_name = "PATH")]
    pub manifest: Option<PathBuf>,
    /// An earlier run's JSON report, or its ndjson: outputs for people then say who is new, worse, better, cleared
    #[arg(long, value_name = "REPORT")]
    pub previous: Option<PathBuf>,
    /// Exit with 1 if there is such a verdict or a graver one
    #[arg(long, value_name = "VERDICT")]
    pub fail_on: Option<FailOn>,
    /// Traffic source whose IDs the lists are for, where there are several
    #[arg(long, value_name = "NAME")]
    pub list_for: Option<String>,
    /// Share of all audited groups, if they are 20 or more, that one run may list [default: 25%]
    #[arg(long, value_name = "SHARE")]
    pub max_source_share: Option<String>,
    /// Share of all clicks that one run may list [default: 25%]
    #[arg(long, value_name = "SHARE")]
    pub max_click_share: Option<String>,
    /// Share of all spend that one run may list [default: 25%]
    #[arg(long, value_name = "SHARE")]
    pub max_spend_share: Option<String>,
    /// Share of all revenue that one run may list [default: 50%]
    #[arg(long, value_name = "SHARE")]
    pub max_revenue_share: Option<String>,
    /// Shortest prefix of an IPv4 network on a list of addresses [default: 24]
    #[arg(long, value_name = "BITS")]
    pub widest_ipv4: Option<u8>,
    /// Shortest prefix of an IPv6 network on a list of addresses [default: 48]
    #[arg(long, value_name = "BITS")]
    pub widest_ipv6: Option<u8>,
    /// ROI above which a clean source may be put on the scale list [default: 0%]
    #[arg(long, value_name = "SHARE")]
    pub target_roi: Option<String>,
    /// Whose money it is: buyer, network or advertiser [default: the preset's]
    #[arg(long, value_name = "WHO")]
    pub perspective: Option<String>,
    /// Currency to report in, where the exports have several or none
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// What other currencies are worth: the European Central Bank's table, or date,currency,rate; repeatable
    #[arg(long, value_name = "FILE")]
    pub rates: Vec<PathBuf>,
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
    /// The moment the exports reach up to, such as 2026-03-09T00:00, or now [default: the newest row]
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// With --as-of: refuse exports whose newest row is older [default: 48h]
    #[arg(long, value_name = "TIME")]
    pub max_age: Option<String>,
    /// Folder that nightly runs remember in; it is made if it is not there
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// With --store: let outputs hold only what changed since the night before; nothing where nothing did
    #[arg(long)]
    pub new_only: bool,
    /// With --store: judge this run by itself; know no nights and leave none
    #[arg(long, conflicts_with_all = ["new_only", "between_nights"])]
    pub no_history: bool,
    /// With --store: know the nights and leave none, for runs by the hour
    #[arg(long)]
    pub between_nights: bool,
    /// With --store: so many days are judged, the last one that of the newest row or of --as-of [default: 30d]
    #[arg(long, value_name = "DAYS")]
    pub window: Option<String>,
    /// Gate that somebody has looked at, such as volume: it is told, and lists are made; repeatable
    #[arg(long, value_delimiter = ',', value_name = "GATES")]
    pub accept: Vec<String>,
    /// With --store: how long to wait while another run is changing it
    #[arg(long, value_name = "TIME")]
    pub wait: Option<String>,
    /// Project file [default: ./clickaudit.yaml, if there is one]
    #[arg(long, value_name = "FILE", env = "CLICKAUDIT_CONFIG")]
    pub config: Option<PathBuf>,
    /// Read no project file
    #[arg(long, conflicts_with = "config")]
    pub no_config: bool,
    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Memory to keep within, such as 2GB: clicks beyond a quarter of it wait in temporary files, and --most-groups
    /// follows it [default: 4GB]
    #[arg(long, value_name = "SIZE")]
    pub memory_limit: Option<String>,
    /// How many sources, or other groups, are judged: of more, those with the most clicks [default: one for each
    /// 36 KB of --memory-limit, 111111 of 4GB]
    #[arg(long, value_name = "N")]
    pub most_groups: Option<usize>,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Say on stderr what each stage cost: time, rows, memory; text or json
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub timings: Option<TimingFormat>,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Colour,
}

#[derive(Args)]
pub struct VerifyRunArgs {
    /// What the run wrote with --manifest
    #[arg(value_name = "MANIFEST")]
    pub manifest: PathBuf,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
}

/// Where clicks are counted that are in no file.
#[derive(Args, Clone, Default)]
pub struct ElsewhereArgs {
    /// Print the queries that count the clicks in the tables of the project file, for any warehouse: bigquery,
    /// clickhouse, databricks, duckdb, snowflake, spark or trino; spark=FOLDER, databricks=FOLDER or duckdb=FILE as a
    /// script that writes the result there
    #[arg(long, value_name = "DIALECT")]
    pub print_sql: Option<String>,
    /// The result of the printed queries, in place of clicks: a Parquet file, or a folder of such
    #[arg(long, value_name = "FILE")]
    pub measures: Option<PathBuf>,
    /// Engine that counts the clicks in the tables of the project file: clickhouse or spark
    #[arg(long, value_name = "NAME")]
    pub engine: Option<String>,
    /// Where the engine is, such as https://clickhouse.example.net:8443 or sc://spark.example.net:15002
    #[arg(long, value_name = "URL")]
    pub engine_url: Option<String>,
    /// File with what the engine asks for, readable by its owner only: USER:PASSWORD for clickhouse, the token for
    /// spark [default: the environment's CLICKAUDIT_ENGINE_SECRET]
    #[arg(long, value_name = "FILE")]
    pub engine_secret: Option<PathBuf>,
    /// Certificates in PEM that the engine's is checked by, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub engine_ca: Option<PathBuf>,
    /// How long one query may take [default: as long as the engine is at work]
    #[arg(long, value_name = "TIME")]
    pub engine_timeout: Option<String>,
    /// Compute only what an engine could compute, too
    #[arg(long)]
    pub portable: bool,
    /// With --portable: write what was counted of clicks to this Parquet file, to be held against an engine's result
    #[arg(long, value_name = "FILE")]
    pub save_measures: Option<PathBuf>,
}

/// Postbacks that were forwarded to the traffic source.
#[derive(Args, Clone, Default)]
pub struct OutboundArgs {
    /// Postbacks forwarded to the traffic source, held against the conversions; a file or a pattern, repeatable
    #[arg(long, value_name = "FILE")]
    pub sent: Vec<String>,
    /// What the columns of --sent are called; its conversion_time is when a postback was sent
    #[arg(long, value_name = "FILE")]
    pub sent_map: Option<PathBuf>,
    /// A postback that is sent later after its conversion is late [default: 1h]
    #[arg(long, value_name = "TIME")]
    pub sent_late: Option<String>,
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
    /// One page about one rule: what it looks at, why, innocent causes, tests, and how often it fired
    Rule(Box<ExplainRuleArgs>),
    /// One page about a fault that `rules check` and `rules test` find: cause, a wrong rule, the right one
    Code {
        /// The code, such as R012, or its name, such as not-stable
        name: String,
    },
}

/// Which rules are meant, and what is changed about them; as in an audit.
#[derive(Args, Default)]
pub struct RuleChoice {
    /// Rules in place of the built-in ones; a file or folder, repeatable
    #[arg(long, value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// Rules besides the others; a file or folder, repeatable
    #[arg(long, value_name = "PATH")]
    pub add_rules: Vec<PathBuf>,
    /// Rules of these packs besides core; repeatable
    #[arg(long = "pack", visible_alias = "packs", value_delimiter = ',', value_name = "NAMES")]
    pub packs: Vec<String>,
    /// Change a rule: ID.action=watch, ID.observe=true, ID.PARAMETER=VALUE; repeatable
    #[arg(long = "override", value_name = "RULE.KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Leave a rule out; repeatable
    #[arg(long, value_delimiter = ',', value_name = "RULES")]
    pub disable: Vec<String>,
    /// Project file [default: ./clickaudit.yaml, if there is one]
    #[arg(long, value_name = "FILE", env = "CLICKAUDIT_CONFIG")]
    pub config: Option<PathBuf>,
    /// Read no project file
    #[arg(long, conflicts_with = "config")]
    pub no_config: bool,
}

impl From<RuleChoice> for AuditArgs {
    fn from(choice: RuleChoice) -> AuditArgs {
        AuditArgs {
            rules: choice.rules,
            add_rules: choice.add_rules,
            packs: choice.packs,
            overrides: choice.overrides,
            disable: choice.disable,
            config: choice.config,
            no_config: choice.no_config,
            ..AuditArgs::default()
        }
    }
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

#[derive(Args)]
pub struct ExplainRuleArgs {
    /// The rule's id
    pub id: String,
    /// JSON report of a run, to count in; repeatable
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
    /// Store whose nights are counted in, too; by default the project file's
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// How the page is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
    #[command(flatten)]
    pub choice: RuleChoice,
}

#[derive(Args)]
pub struct RulesDiffArgs {
    /// The rules as they are: files or folders joined by commas, `built-in` among them; or a JSON report
    pub old: String,
    /// The rules as they might be, or the JSON report made with them; --pack, --override and --disable are for these
    pub new: String,
    /// How the comparison is printed
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
#[command(after_help = "Examples:\n  clickaudit inspect visits.csv\n  \
    clickaudit inspect clicks.csv conversions.csv --write-map mapping.yaml")]
pub struct InspectArgs {
    /// One export, or clicks and conversions; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What a single file is: clicks, conversions, combined, report or costs [default: what its header tells]
    #[arg(long, value_name = "SIDE")]
    pub side: Option<String>,
    /// What the columns of the exports are called
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Preset that reads them; NAME or SIDE=NAME, repeatable [default: what the header tells]
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
    /// Zone of times without an offset; ZONE or SIDE=ZONE, repeatable
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Vec<String>,
    /// Write a mapping file to edit; it must not be there yet
    #[arg(long, value_name = "FILE")]
    pub write_map: Option<PathBuf>,
    /// How the page is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Colour,
}

fn statement_formats() -> String {
    let lines: Vec<String> =
        reconcile::FORMATS.iter().map(|f| format!("  {:<8} {}", f.name, f.summary)).collect();
    format!(
        "Output formats for -o FORMAT=PATH (`-` is stdout):\n{}\n\nExamples:\n  \
         clickaudit reconcile tracker.csv network.csv\n  \
         clickaudit reconcile tracker.csv network.csv --event first_deposit --only network=adnet -o csv=differences.csv\n  \
         clickaudit reconcile tracker.csv network.csv --theirs-preset affise --join click_id=sub3 --fail-on-difference 1%",
        lines.join("\n")
    )
}

#[derive(Args)]
#[command(after_help = statement_formats())]
pub struct ReconcileArgs {
    /// Our statement of conversions; a file, or a pattern in quotes
    pub ours: String,
    /// Their statement
    pub theirs: String,
    /// Preset that reads ours [default: what the header tells, or generic]
    #[arg(long, value_name = "NAME")]
    pub ours_preset: Option<String>,
    /// Preset that reads theirs
    #[arg(long, value_name = "NAME")]
    pub theirs_preset: Option<String>,
    /// What the columns of ours are called
    #[arg(long, value_name = "FILE")]
    pub ours_map: Option<PathBuf>,
    /// What the columns of theirs are called
    #[arg(long, value_name = "FILE")]
    pub theirs_map: Option<PathBuf>,
    /// Zone of local times in ours [default: the preset's]
    #[arg(long, value_name = "ZONE")]
    pub ours_time_zone: Option<String>,
    /// Zone of local times in theirs
    #[arg(long, value_name = "ZONE")]
    pub theirs_time_zone: Option<String>,
    /// Currency of rows of ours that say none
    #[arg(long, value_name = "CODE")]
    pub ours_currency: Option<String>,
    /// Currency of rows of theirs that say none
    #[arg(long, value_name = "CODE")]
    pub theirs_currency: Option<String>,
    /// Whose statement ours is: buyer, network or advertiser [default: the preset's]
    #[arg(long, value_name = "WHO")]
    pub ours_perspective: Option<String>,
    /// Whose statement theirs is
    #[arg(long, value_name = "WHO")]
    pub theirs_perspective: Option<String>,
    /// IDs or headers to join by, such as click_id=sub3 [default: the pair that matches best]
    #[arg(long, value_name = "OURS=THEIRS")]
    pub join: Option<String>,
    /// Compare only this event; repeatable
    #[arg(long, value_name = "EVENT")]
    pub event: Vec<String>,
    /// Compare only rows of ours with this value: network, offer, traffic_source, source or country; repeatable
    #[arg(long, value_name = "COLUMN=VALUE")]
    pub only: Vec<String>,
    /// First day to compare [default: the first that both cover whole]
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// Last day to compare
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    /// Time zone in which days are cut
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    /// How far apart rows without an ID in common may be
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub time_tolerance: String,
    /// By how much equal amounts may differ
    #[arg(long, value_name = "AMOUNT", default_value = "0.01")]
    pub amount_tolerance: String,
    #[command(flatten)]
    pub outbound: OutboundArgs,
    /// Exit with 1 if so much money is in dispute in any currency, or such a share of the conversions differs
    #[arg(long, value_name = "AMOUNT|SHARE")]
    pub fail_on_difference: Option<String>,
    /// Output; without any the table goes to stdout
    #[arg(short, long, value_name = "FORMAT=PATH")]
    pub output: Vec<String>,
    /// Write every rejected row with file, line and reason to this CSV file
    #[arg(long, value_name = "PATH")]
    pub rejects: Option<PathBuf>,
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

/// What becomes of user agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AgentMode {
    /// As they are
    #[default]
    Keep,
    /// Only the program and the system
    Bucket,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  clickaudit anonymise clicks.csv conversions.csv --out shared\n  \
    clickaudit anonymise 'exports/*.csv.gz' --out shared --scale-amounts --key-file case.key")]
pub struct AnonymiseArgs {
    /// Exports of text or NDJSON, packed or not; files or patterns. What joins them has to go through one key
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Folder to write them to, under the same names
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Secret, made if it is not there [default: in the user's state folder]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Multiply all amounts by one secret factor
    #[arg(long)]
    pub scale_amounts: bool,
    /// What becomes of user agents
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub user_agents: AgentMode,
    /// Header of a column that stays as it is; repeatable
    #[arg(long, value_name = "COLUMN")]
    pub keep: Vec<String>,
    /// Header of a column that is emptied; repeatable
    #[arg(long, value_name = "COLUMN")]
    pub drop: Vec<String>,
    /// What the columns of the exports are called
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Preset that reads them; NAME or SIDE=NAME, repeatable [default: what the header tells]
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  clickaudit diff --store state\n  \
    clickaudit diff 2026-03-14 2026-03-15 --store state\n  clickaudit diff monday.json tuesday.json")]
pub struct DiffArgs {
    /// The older run and the newer: a JSON report, or a night of the store such as 2026-03-14 [default: the last two
    /// nights of the store]
    #[arg(value_names = ["OLD", "NEW"], num_args = 0..=2)]
    pub runs: Vec<String>,
    #[command(flatten)]
    pub nights: Nights,
    /// Say nothing where nothing changed
    #[arg(short, long)]
    pub quiet: bool,
    /// How the changes are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
}

#[derive(Args)]
#[command(
    after_help = "Every night looks at --window days, as a nightly run does. What --rules, --add-rules, --pack, \
    --override, --disable, --suppressions, --fdr, --without and --maturity change is told beside the walk without \
    them.\n\nExamples:\n  clickaudit backtest clicks.csv conversions.csv --truth planted.csv\n  \
    clickaudit backtest clicks.csv conversions.csv --override conversions-too-fast.action=hold\n  \
    clickaudit backtest clicks.csv conversions.csv --my-list blocked-by-hand.txt\n  \
    clickaudit backtest --store state --override conversions-too-fast.action=hold"
)]
pub struct BacktestArgs {
    /// CSV file with the columns source and kind, and since where it is known, such as planted.csv
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// IDs that were blocked by hand, one a line, with the day behind it where it is known
    #[arg(long, value_name = "FILE")]
    pub my_list: Option<PathBuf>,
    /// How the walk is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
    #[command(flatten)]
    pub audit: AuditArgs,
}

/// Which stored nights.
#[derive(Args)]
pub struct Nights {
    /// Folder that nightly runs remember in
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// What made one audited group [default: source]
    #[arg(long, value_name = "COLUMNS")]
    pub by: Option<String>,
    /// Project file [default: ./clickaudit.yaml, if there is one]
    #[arg(long, value_name = "FILE", env = "CLICKAUDIT_CONFIG")]
    pub config: Option<PathBuf>,
    /// Read no project file
    #[arg(long, conflicts_with = "config")]
    pub no_config: bool,
}

#[derive(Args)]
pub struct NightsArgs {
    /// The source, or traffic_source/source; with --by the group's values joined by /
    pub name: String,
    #[command(flatten)]
    pub nights: Nights,
    /// How the nights are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    clickaudit pin 2977431 --as ok --until 2026-06-30 --reason 'agreed with the network' --store state\n  \
    clickaudit pin 2977431 --remove --store state\n  clickaudit pin --store state")]
pub struct PinArgs {
    /// The source, or traffic_source/source; without one, all pins are listed
    pub name: Option<String>,
    /// What is done about it: block, hold, watch or ok
    #[arg(long = "as", value_name = "WHAT", requires = "name")]
    pub pinned: Option<String>,
    /// The last day on which it holds, such as 2026-06-30; at most 180 days after the last night
    #[arg(long, value_name = "DAY", requires = "pinned")]
    pub until: Option<String>,
    /// Why, for who looks at it later
    #[arg(long, value_name = "TEXT", requires = "pinned")]
    pub reason: Option<String>,
    /// Who does it [default: clickaudit]
    #[arg(long = "signed", value_name = "NAME")]
    pub signed: Option<String>,
    /// Take the pin off
    #[arg(long, requires = "name", conflicts_with = "pinned")]
    pub remove: bool,
    #[command(flatten)]
    pub nights: Nights,
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
    /// Run the tests inside the rules, and those of folders with exports
    Test(RulesTestArgs),
    /// List the rules
    List(RulesListArgs),
    /// Print a rule's file, where it comes from, and what a run changes about it
    Show(RulesShowArgs),
    /// Write a new rule to start from: commented, valid, with tests
    New(RulesNewArgs),
    /// Say which groups change their verdict, and with how much traffic and money, from one rule set to another
    Diff(Box<RulesDiffArgs>),
    /// Print the JSON Schema of rule files
    Schema,
}

#[derive(Args)]
pub struct RulePaths {
    /// Rule files or folders, or - for stdin [default: the built-in rules]
    pub paths: Vec<PathBuf>,
    /// How faults of the rules are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: FaultFormat,
}

#[derive(Args)]
pub struct RulesTestArgs {
    #[command(flatten)]
    pub paths: RulePaths,
    /// Write what was found into the expected.yml of every folder with exports; read the difference
    #[arg(long)]
    pub update: bool,
}

#[derive(Args)]
pub struct RulesListArgs {
    #[command(flatten)]
    pub paths: RulePaths,
    /// Only the rules that run with these packs
    #[arg(long = "pack", visible_alias = "packs", value_delimiter = ',', value_name = "NAMES")]
    pub packs: Vec<String>,
}

#[derive(Args)]
pub struct RulesShowArgs {
    /// The rule's id
    pub id: String,
    #[command(flatten)]
    pub choice: RuleChoice,
}

#[derive(Args)]
pub struct RulesNewArgs {
    /// The new rule's id, such as half-rejected: it says what is seen
    pub id: String,
    /// Signal that it looks at; `clickaudit signals` lists them
    #[arg(long, value_name = "NAME", default_value = FIRST_SIGNAL)]
    pub signal: String,
    /// Folder that ID.yml is written to
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,
}

/// How faults are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FaultFormat {
    #[default]
    Text,
    Json,
    /// Annotations of GitHub's workflow commands
    Github,
}

#[derive(Args)]
pub struct BlocklistArgs {
    #[command(subcommand)]
    pub command: BlocklistCommand,
}

#[derive(Subcommand)]
pub enum BlocklistCommand {
    /// Say what a report would change on the lists, and change nothing
    Plan(Box<PlanArgs>),
    /// Carry out a plan, or the step from a report, and write the lists
    Apply(Box<ApplyArgs>),
    /// Write the lists as they stand
    Render(RenderArgs),
    /// Say what is wrong with a list that somebody may have edited
    Verify(VerifyArgs),
    /// Say what changed when, of all entries or of one
    History(HistoryArgs),
    /// Make an earlier revision the one that holds
    Restore(RestoreArgs),
}

#[derive(Args, Clone)]
pub struct PlanArgs {
    /// JSON report of an audit
    pub report: PathBuf,
    /// Folder that keeps the lists
    #[arg(long, value_name = "FOLDER")]
    pub state: PathBuf,
    /// Write the plan to this file, for `apply`
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
}

/// What a step may do.
#[derive(Args, Clone)]
pub struct Limits {
    /// IDs that are never on a list, one a line
    #[arg(long, value_name = "FILE")]
    pub protect: Vec<PathBuf>,
    /// How long a block stays after the last match [default: 14d]
    #[arg(long, value_name = "TIME")]
    pub ttl: Option<String>,
    /// How long a profit cut stays [default: 3d]
    #[arg(long, value_name = "TIME")]
    pub profit_ttl: Option<String>,
    /// How long a source to scale stays [default: 7d]
    #[arg(long, value_name = "TIME")]
    pub scale_ttl: Option<String>,
    /// New entries that one step may add to a list [default: 50]
    #[arg(long, value_name = "N")]
    pub max_new: Option<usize>,
    /// Share of the report's sources that new entries may be [default: 25%]
    #[arg(long, value_name = "SHARE")]
    pub max_source_share: Option<String>,
    /// Share of its clicks [default: 25%]
    #[arg(long, value_name = "SHARE")]
    pub max_click_share: Option<String>,
    /// Share of its spend [default: 25%]
    #[arg(long, value_name = "SHARE")]
    pub max_spend_share: Option<String>,
    /// Share of its revenue [default: 50%]
    #[arg(long, value_name = "SHARE")]
    pub max_revenue_share: Option<String>,
    /// Share of a list that may leave it in one step [default: 50%]
    #[arg(long, value_name = "SHARE")]
    pub max_shrink: Option<String>,
    /// Who does it [default: clickaudit]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

#[derive(Args)]
pub struct ApplyArgs {
    /// Plan that `blocklist plan --plan` wrote, or JSON report of an audit
    pub what: PathBuf,
    /// Folder that keeps the lists [default: the plan's]
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub lists: ListOutputs,
}

/// Which lists are written where.
#[derive(Args)]
pub struct ListOutputs {
    /// List to write, such as blocklist:lines=block.txt or blocklist:comma='{traffic_source}.txt'; repeatable
    #[arg(short, long, value_name = "LIST:DIALECT=PATH")]
    pub output: Vec<String>,
    /// Shortest prefix of an IPv4 network on a list of addresses [default: 24]
    #[arg(long, value_name = "BITS")]
    pub widest_ipv4: Option<u8>,
    /// Shortest prefix of an IPv6 network on a list of addresses [default: 48]
    #[arg(long, value_name = "BITS")]
    pub widest_ipv6: Option<u8>,
}

#[derive(Args)]
pub struct RenderArgs {
    /// Folder that keeps the lists
    #[arg(long, value_name = "FOLDER")]
    pub state: PathBuf,
    /// IDs that are never on a list, one a line
    #[arg(long, value_name = "FILE")]
    pub protect: Vec<PathBuf>,
    #[command(flatten)]
    pub lists: ListOutputs,
}

#[derive(Args)]
pub struct VerifyArgs {
    /// The list as it is now; `-` is stdin
    pub list: PathBuf,
    /// The list and dialect that it should be, such as blocklist:lines
    #[arg(long, value_name = "LIST:DIALECT")]
    pub of: String,
    /// Folder that keeps the lists, to compare with what was applied
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// Only entries with this value, such as traffic_source=popmax; repeatable
    #[arg(long, value_name = "COLUMN=VALUE", requires = "state")]
    pub only: Vec<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

#[derive(Args)]
pub struct HistoryArgs {
    /// Folder that keeps the lists
    #[arg(long, value_name = "FOLDER")]
    pub state: PathBuf,
    /// Only this ID
    pub id: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

#[derive(Args)]
pub struct RestoreArgs {
    /// Number of the revision
    pub revision: u64,
    /// Folder that keeps the lists
    #[arg(long, value_name = "FOLDER")]
    pub state: PathBuf,
    /// Who does it [default: clickaudit]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// IDs that are never on a list, one a line; who was protected when the list changed last stays so
    #[arg(long, value_name = "FILE")]
    pub protect: Vec<PathBuf>,
    #[command(flatten)]
    pub lists: ListOutputs,
}

#[derive(Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    pub command: StoreCommand,
}

#[derive(Subcommand)]
pub enum StoreCommand {
    /// Say what the store holds: days, files, rows, size
    Status(StoreStatusArgs),
    /// Check every file against its digest, records of nights and pins, too
    Verify(StorePlace),
    /// Let go of rows and nights that are older; their clicks stay known as long as conversions may come
    Prune(StorePruneArgs),
    /// Remove the rows that hold an address or an ID
    Forget(StoreForgetArgs),
}

/// Which store.
#[derive(Args)]
pub struct StorePlace {
    /// The store's folder [default: the project file's]
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// Project file [default: ./clickaudit.yaml, if there is one]
    #[arg(long, value_name = "FILE", env = "CLICKAUDIT_CONFIG")]
    pub config: Option<PathBuf>,
    /// Read no project file
    #[arg(long, conflicts_with = "config")]
    pub no_config: bool,
    /// How long to wait while a run is changing it
    #[arg(long, value_name = "TIME")]
    pub wait: Option<String>,
}

#[derive(Args)]
pub struct StoreStatusArgs {
    #[command(flatten)]
    pub place: StorePlace,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

#[derive(Args)]
pub struct StorePruneArgs {
    #[command(flatten)]
    pub place: StorePlace,
    /// Age of the newest row of an export, counted from the newest row of all, such as 60d; and of a night, counted
    /// from the newest night. `history` and `diff` no longer tell of nights that went, and rules no longer compare
    /// with them; the newest one stays, with everybody's standing and habits
    #[arg(long, value_name = "TIME")]
    pub older_than: String,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Forgotten {
    /// Address, as it stands in the exports
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<String>,
    /// ID of a click, conversion, transaction or player
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

#[derive(Args)]
pub struct StoreForgetArgs {
    #[command(flatten)]
    pub place: StorePlace,
    #[command(flatten)]
    pub who: Forgotten,
}

#[derive(Args)]
pub struct PostbackArgs {
    #[command(subcommand)]
    pub command: PostbackCommand,
}

#[derive(Subcommand)]
pub enum PostbackCommand {
    /// Say what a postback link lacks, which of its macros are replaced, and how it should look
    Check(PostbackCheckArgs),
    /// Build a postback link
    Url(PostbackUrlArgs),
}

/// Who receives and who fires.
#[derive(Args)]
pub struct Parties {
    /// Whose link it is: its parameters, and unless --sender says otherwise its macros
    #[arg(long, value_name = "NAME")]
    pub tracker: String,
    /// Who fires the postback and replaces its macros [default: the tracker]
    #[arg(long, value_name = "NAME")]
    pub sender: Option<String>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
}

#[derive(Args)]
pub struct PostbackCheckArgs {
    /// The link, with macros or with values; in quotes
    #[arg(value_name = "URL")]
    pub url: String,
    #[command(flatten)]
    pub parties: Parties,
}

#[derive(Args)]
pub struct PostbackUrlArgs {
    /// Where the postback goes, such as https://track.example.com/postback [default: a placeholder]
    #[arg(long, value_name = "URL")]
    pub at: Option<String>,
    /// Parameter with a value of its own, such as event=first_deposit; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    #[command(flatten)]
    pub parties: Parties,
}

#[derive(Args)]
#[command(after_help = frauds())]
pub struct SimulateArgs {
    /// Folder to write clicks, conversions and planted.csv to; with --preset map.yaml, too, which says how to read them
    pub folder: PathBuf,
    /// Overwrite files that no earlier simulation wrote
    #[arg(long)]
    pub force: bool,
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
    /// Frauds to plant, separated by commas, or `all`; listed below [default: those marked with *]
    #[arg(long, value_delimiter = ',', value_name = "KINDS", requires = "mix")]
    pub kinds: Vec<String>,
    /// Day of a mix on which the planted fraud begins; the first is 1
    #[arg(long, default_value_t = 1, value_name = "N", requires = "mix", value_parser = clap::value_parser!(u32).range(1..))]
    pub onset: u32,
    /// What the exports are written as; planted.csv stays text
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// Write the headers and words of this preset [default: generic]
    #[arg(long, value_name = "NAME", requires = "mix")]
    pub preset: Option<String>,
}

/// The frauds of a mix, for the help.
fn frauds() -> String {
    let line = |fraud: &Fraud| {
        let decl = fraud.decl();
        let what = decl.what.replace("{} %", "A share");
        format!("  {}{:<15} {what}", if decl.usual { '*' } else { ' ' }, decl.name)
    };
    let lines: Vec<String> = Fraud::ALL.iter().map(line).collect();
    format!("Frauds (--kinds); how large the share is, --strength says:\n{}", lines.join("\n"))
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
    /// Table of labels with the columns source and kind, such as planted.csv; traffic_source, strength, conversions
    /// and touched_payout where they are known. The kinds honest, clean, ok and none, an empty kind, and sources
    /// that are not in the table count as honest; spend as money lost and no fraud
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
pub struct InitArgs {
    /// Preset that reads the exports; `docs/presets.md` lists them
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// The file to write; it must not be there yet
    #[arg(default_value = super::project::NAME, value_name = "FILE")]
    pub file: PathBuf,
}

#[derive(Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Print every value that holds, with the flags of an audit
    Show(Box<ConfigShowArgs>),
}

#[derive(Args)]
pub struct ConfigShowArgs {
    /// Say of each value who set it: a flag, a line of the project file, or nobody
    #[arg(long)]
    pub origin: bool,
    /// How the values are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
    #[command(flatten)]
    pub audit: AuditArgs,
}

#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[derive(Args)]
pub struct ManArgs {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

#[derive(Args)]
pub struct ReferenceArgs {
    /// Folder to write to
    pub folder: PathBuf,
}

#[derive(Args)]
pub struct ReadParquetArgs {
    /// The file
    pub file: PathBuf,
    /// Places of the columns to decode
    #[arg(long, value_delimiter = ',', value_name = "N", num_args = 0..)]
    pub columns: Vec<String>,
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
