//! The `postbacks:` section of a mapping: how a log of postbacks is read, and who may send them.
//!
//! Loose while it is YAML ([`PostbackFile`]), strict afterwards ([`Postbacks`]). Secrets are named by file only.

use super::checks::{OVERS, Secret, SignatureCheck, TokenCheck};
use super::logs::{LOG_FORMATS, LogFormat};
use super::trackers::{Says, Tracker};
use crate::base::column::{COLUMNS, Col, Side};
use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::networks;
use crate::base::text::Text;
use crate::ingest::mapping::TransactionScope;
use glob::{MatchOptions, Pattern};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Who fires a network's postbacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FiredBy {
    #[default]
    Server,
    /// The visitor's browser: a pixel. Its address is the visitor's, its IDs are whatever the page made.
    Browser,
}

impl FiredBy {
    /// The word of the column.
    pub fn word(self) -> &'static str {
        match self {
            FiredBy::Server => "server",
            FiredBy::Browser => "browser",
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    parameter: Option<String>,
    file: Option<PathBuf>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureFile {
    parameter: String,
    file: PathBuf,
    over: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NetworkFile {
    paths: Option<Vec<String>>,
    fired_by: Option<FiredBy>,
    senders: Option<Vec<String>>,
    token: Option<TokenFile>,
    signature: Option<SignatureFile>,
}

/// The section as it stands in YAML. What it says beside `networks` holds for every network that does not say
/// it itself.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostbackFile {
    tracker: Option<String>,
    format: Option<String>,
    parameters: BTreeMap<String, OneOrMany>,
    forwarded: Option<bool>,
    paths: Option<Vec<String>>,
    fired_by: Option<FiredBy>,
    senders: Option<Vec<String>>,
    token: Option<TokenFile>,
    signature: Option<SignatureFile>,
    networks: BTreeMap<String, NetworkFile>,
}

/// What is agreed with one network.
#[derive(Clone, Default)]
pub struct Network {
    /// `None` where none is told.
    pub name: Option<String>,
    paths: Vec<Pattern>,
    pub fired_by: FiredBy,
    pub senders: Vec<networks::Network>,
    pub token: Option<TokenCheck>,
    pub signature: Option<SignatureCheck>,
}

/// How logs of postbacks are read.
#[derive(Clone)]
pub struct Postbacks {
    pub tracker: &'static Tracker,
    /// Recognised where it is not said.
    pub format: Option<&'static LogFormat>,
    /// The user's own parameters, lower case.
    parameters: BTreeMap<String, Col>,
    /// The sender is the last address of X-Forwarded-For.
    pub forwarded: bool,
    any: Network,
    networks: Vec<Network>,
    /// The scope of transaction IDs that the user's mapping states.
    own_scope: Option<TransactionScope>,
}

/// Secrets are not shown, not even to who debugs.
impl std::fmt::Debug for Postbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postbacks").field("tracker", &self.tracker.name).finish_non_exhaustive()
    }
}

impl PostbackFile {
    /// The same with the parameters of this tracker.
    pub fn fired_for(&mut self, tracker: &str) {
        self.tracker = Some(tracker.to_owned());
    }
}

impl Postbacks {
    /// The section, checked; its secrets are read.
    ///
    /// # Errors
    /// An unknown tracker, format or column; what is no path, network of addresses or secret.
    pub fn build(file: &PostbackFile, own_scope: Option<TransactionScope>) -> Result<Postbacks> {
        let tracker = tracker(file.tracker.as_deref().unwrap_or("generic"))?;
        let default = NetworkFile {
            paths: file.paths.clone(),
            fired_by: file.fired_by,
            senders: file.senders.clone(),
            token: file.token.clone(),
            signature: file.signature.clone(),
        };
        let any = default.strict(None, tracker)?;
        let own =
            |(name, network): (&String, &NetworkFile)| network.over(&default).strict(Some(name), tracker);
        Ok(Postbacks {
            tracker,
            format: file.format.as_deref().map(format).transpose()?,
            parameters: parameters(&file.parameters)?,
            forwarded: file.forwarded.unwrap_or(false),
            any,
            networks: file.networks.iter().map(own).collect::<Result<_>>()?,
            own_scope,
        })
    }

    /// All that decides what a row becomes; of secrets only whether there are any.
    pub fn way(&self) -> String {
        let network = |n: &Network| {
            let proofs = (n.token.is_some(), n.signature.is_some());
            format!("{:?} {:?} {:?} {proofs:?}", n.name, n.fired_by, n.senders)
        };
        let networks: Vec<String> = std::iter::once(&self.any).chain(&self.networks).map(network).collect();
        let format = self.format.map(|f| f.name);
        format!("{} {format:?} {:?} {} {networks:?}", self.tracker.name, self.parameters, self.forwarded)
    }

    /// What a parameter says. Where the user names a column's parameters, the tracker's are not asked for it.
    pub fn says(&self, name: &str) -> Option<Says> {
        let name = name.to_ascii_lowercase();
        if let Some(col) = self.parameters.get(&name) {
            return Some(Says::Column(*col));
        }
        self.tracker.says(&name).filter(|says| match says {
            Says::Column(col) => !self.parameters.values().any(|c| c == col),
            Says::Words(_) | Says::Token => true,
        })
    }

    /// How far transaction IDs of these postbacks are unique.
    pub fn scope(&self) -> TransactionScope {
        self.own_scope.unwrap_or(self.tracker.scope)
    }

    /// The network that a postback is of: by its path, or by its name in a parameter.
    pub fn network(&self, path: &str, named: Option<&str>) -> &Network {
        let by_path = self.networks.iter().find(|n| n.is_at(path));
        let by_name = || self.networks.iter().find(|n| n.name.as_deref() == named && named.is_some());
        by_path.or_else(by_name).unwrap_or(&self.any)
    }

    /// The parameters that carry a secret or what was made of one.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let all = std::iter::once(&self.any).chain(&self.networks);
        all.flat_map(|n| {
            let token = n.token.as_ref().map(|t| t.parameter.as_str());
            token.into_iter().chain(n.signature.as_ref().map(|s| s.parameter.as_str()))
        })
    }

    /// Whether the user says which paths are postbacks, and this is one.
    pub fn is_declared(&self, path: &str) -> Option<bool> {
        let declared = || std::iter::once(&self.any).chain(&self.networks).filter(|n| !n.paths.is_empty());
        declared().next().map(|_| declared().any(|n| n.is_at(path)))
    }
}

impl Network {
    fn is_at(&self, path: &str) -> bool {
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        self.paths.iter().any(|pattern| pattern.matches_with(path, options))
    }

    /// Whether anything of who sends is checked.
    pub fn checks_senders(&self) -> bool {
        self.fired_by == FiredBy::Server && !self.senders.is_empty()
    }
}

impl NetworkFile {
    /// This network's own words, and the section's where it has none. Paths are its own.
    fn over(&self, section: &NetworkFile) -> NetworkFile {
        NetworkFile {
            paths: self.paths.clone(),
            fired_by: self.fired_by.or(section.fired_by),
            senders: self.senders.clone().or_else(|| section.senders.clone()),
            token: self.token.clone().or_else(|| section.token.clone()),
            signature: self.signature.clone().or_else(|| section.signature.clone()),
        }
    }

    fn strict(&self, name: Option<&String>, tracker: &Tracker) -> Result<Network> {
        Ok(Network {
            name: name.cloned(),
            paths: self.paths.iter().flatten().map(|p| path(p)).collect::<Result<_>>()?,
            fired_by: self.fired_by.unwrap_or_default(),
            senders: self.senders.iter().flatten().map(|s| sender(s)).collect::<Result<_>>()?,
            token: self.token.as_ref().map(|t| t.strict(tracker)).transpose()?,
            signature: self.signature.as_ref().map(SignatureFile::strict).transpose()?,
        })
    }
}

impl TokenFile {
    fn strict(&self, tracker: &Tracker) -> Result<TokenCheck> {
        let own = || tracker.token().map(str::to_owned);
        let parameter = self.parameter.clone().or_else(own).ok_or_else(|| {
            Error::usage(format!("{} has no parameter for a token", tracker.title))
                .help("name it: `token: {parameter: NAME, file: FILE}`")
        })?;
        Ok(TokenCheck { parameter, secret: self.file.as_deref().map(Secret::read).transpose()? })
    }
}

impl SignatureFile {
    fn strict(&self) -> Result<SignatureCheck> {
        let word = self.over.as_deref().unwrap_or("query");
        let over = OVERS.iter().find(|(_, w)| *w == word).map(|(over, _)| *over);
        Ok(SignatureCheck {
            parameter: self.parameter.clone(),
            over: over.ok_or_else(|| unknown("thing to sign", word, OVERS.iter().map(|(_, w)| *w)))?,
            secret: Secret::read(&self.file)?,
        })
    }
}

/// The tracker of this name.
///
/// # Errors
/// There is none; with the nearest names.
pub fn tracker(name: &str) -> Result<&'static Tracker> {
    Tracker::of(name).ok_or_else(|| unknown("tracker", name, Tracker::names()))
}

fn format(name: &str) -> Result<&'static LogFormat> {
    LogFormat::of(name).ok_or_else(|| unknown("format of logs", name, LOG_FORMATS.iter().map(|f| f.name)))
}

fn unknown<'n>(what: &str, found: &str, names: impl Iterator<Item = &'n str> + Clone) -> Error {
    let near = nearest(found, names.clone());
    let help = match near.as_slice() {
        [] => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Error::usage(format!("`{}` is no {what}", Text::new(found).term(60))).help(help)
}

fn path(text: &str) -> Result<Pattern> {
    let wrong = || {
        Error::usage(format!("`{}` is no path", Text::new(text).term(80)))
            .help("begin with `/`; `*` stands for a part between two of them: /*/postback")
    };
    if text.starts_with('/') { Pattern::new(text).map_err(|e| wrong().because(e)) } else { Err(wrong()) }
}

fn sender(text: &str) -> Result<networks::Network> {
    networks::of_any_form(text.trim()).ok_or_else(|| {
        Error::usage(format!("`{}` is no address or network of addresses", Text::new(text).term(60)))
            .help("write senders as 203.0.113.7 or 203.0.113.0/24")
    })
}

/// Columns that a parameter may be read as.
fn parameter_columns() -> impl Iterator<Item = &'static str> + Clone {
    let columns = COLUMNS.iter().filter(|c| matches!(c.side, Side::Both | Side::Conversions));
    columns.map(|c| c.name).filter(|name| !super::FOUND.iter().any(|found| found.name() == *name))
}

fn parameters(file: &BTreeMap<String, OneOrMany>) -> Result<BTreeMap<String, Col>> {
    let mut parameters = BTreeMap::new();
    for (column, names) in file {
        let known = parameter_columns().find(|name| name == column).and_then(Col::of);
        let col =
            known.ok_or_else(|| unknown("column that a parameter can be", column, parameter_columns()))?;
        let names = match names {
            OneOrMany::One(name) => std::slice::from_ref(name),
            OneOrMany::Many(names) => names,
        };
        for name in names {
            if let Some(other) = parameters.insert(name.to_ascii_lowercase(), col).filter(|c| *c != col) {
                return Err(Error::usage(format!(
                    "the parameter `{}` stands for {other} and for {col}",
                    Text::new(name.as_str()).term(60)
                ))
                .help("keep one of them"));
            }
        }
    }
    Ok(parameters)
}
