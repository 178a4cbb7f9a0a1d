//! What differs from traffic source to traffic source: which variable of the tracker carries the zone, the
//! publisher, the creative, the campaign; the ad format, what is paid for, the currency and clock of its costs, and
//! the form of its blocklists.
//!
//! A tracker's export has one column for a variable and many traffic sources that put different things into it; a
//! preset can only take the first one for the zone. Refuses to guess: a traffic source that is not named keeps the
//! preset's reading, and an ID of a click is never a zone.

mod overlay;

pub use overlay::{Overlay, Picked};

use crate::base::column::Col;
use crate::base::diag::{self, BAD_TRAFFIC_SOURCE, Diag, did_you_mean};
use crate::base::dialect::{DIALECTS, Dialect};
use crate::base::error::{Error, Result, read_small};
use crate::base::time::Zone;
use crate::base::yaml::{self, Entries, Spanned};
use crate::ingest::mapping::folded;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// What a variable may carry: the key of the file, the column it becomes, and what it is.
pub const TOKENS: &[(&str, Col, &str)] = &[
    ("zone", Col::Source, "the zone, which would be blocked"),
    ("publisher", Col::Account, "who owns the zone; peers of one publisher count as one"),
    ("creative", Col::Creative, "the ad shown"),
    ("campaign", Col::ExternalCampaign, "the campaign's ID at the traffic source"),
];

/// How the n-th variable of a tracker is called in exports, letters and digits only; `#` is the number.
pub const VARIABLES: &[(&str, &str)] = &[
    ("customvariable#", "Voluum"),
    ("custom#", "BeMob"),
    ("token#", "Binom"),
    ("subid#", "Keitaro"),
    ("sub#", "RedTrack"),
    ("var#", "other trackers"),
    ("t#", "Binom"),
    ("c#", "BeMob"),
];

/// The most variables that a tracker has.
const MOST_VARIABLES: u32 = 50;

/// What is paid for at a traffic source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostModel {
    Cpc,
    Cpv,
    Cpm,
    Cpa,
    Flat,
}

/// Every cost model, its word, what it is, and whether a click is paid for: by itself or as a visit.
pub const COST_MODELS: &[(CostModel, &str, &str, bool)] = &[
    (CostModel::Cpc, "cpc", "a click", true),
    (CostModel::Cpv, "cpv", "a view of the page", true),
    (CostModel::Cpm, "cpm", "a thousand impressions", true),
    (CostModel::Cpa, "cpa", "a conversion", false),
    (CostModel::Flat, "flat", "a time, whatever comes", false),
];

/// Every key of an entry, and what it holds.
pub const KEYS: &[(&str, &str)] = &[
    ("starter", "the starter that lies under the entry; unless said, one of the entry's own name"),
    ("names", "other names that exports have for it"),
    ("zone", "the variable or column with the zone, which would be blocked (`source`)"),
    ("publisher", "the one with the zone's owner (`account`); peers of one owner count as one"),
    ("creative", "the one with the ad (`creative`)"),
    ("campaign", "the one with the campaign's ID at the traffic source (`external_campaign`)"),
    (
        "format",
        "pop, push, search and so on (`format`), where the export has none: traffic is compared with its like",
    ),
    ("cost_model", "what is paid for; see below"),
    ("account", "whose all its zones are, where it is one owner's (`account`)"),
    ("currency", "of its cost files, where they have no column for it"),
    ("time_zone", "in which its days end: the costs of a day are complete when it is over there"),
    ("blocklist", "the dialect of its lists, for `-o blocklist:own=…{traffic_source}…`"),
];

/// The example of the documentation.
pub const EXAMPLE: &str = "\
PropellerAds:
  zone: 5                       # the fifth custom variable
  currency: EUR
  time_zone: America/New_York
my push network:
  starter: richads
  names: [mpn, \"MPN / tier 1\"]
  zone: Site ID                 # or the header of the column
in-house:
  zone: 1
  format: native
  cost_model: flat
  account: us
  blocklist: comma
";

/// Headers that hold the traffic source's own ID of a click: never a zone.
const CLICK_IDS: &[&str] = &["externalid", "refid", "rdtkrefid", "clickrefid"];

/// Where the file says that a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// The n-th variable.
    Variable(u32),
    /// A column by its header.
    Header(String),
}

/// One traffic source.
#[derive(Clone, Debug, Default)]
pub struct Seller {
    /// The name in the file.
    pub name: String,
    /// As [`TOKENS`].
    pub tokens: [Option<Token>; 4],
    pub format: Option<String>,
    pub cost_model: Option<CostModel>,
    /// Whose all its zones are.
    pub account: Option<String>,
    pub currency: Option<String>,
    /// In which days of its reports are cut.
    pub zone: Option<Zone>,
    pub blocklist: Option<&'static Dialect>,
}

impl Seller {
    /// Whether clicks are what is paid for, as far as is known.
    pub fn sells_clicks(&self) -> bool {
        self.cost_model.is_none_or(|model| COST_MODELS[model as usize].3)
    }
}

/// A traffic source as it stands in the file.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    starter: Option<Spanned<String>>,
    names: Vec<Spanned<String>>,
    zone: Option<Spanned<String>>,
    publisher: Option<Spanned<String>>,
    creative: Option<Spanned<String>>,
    campaign: Option<Spanned<String>>,
    format: Option<String>,
    cost_model: Option<Spanned<String>>,
    account: Option<String>,
    currency: Option<Spanned<String>>,
    time_zone: Option<Spanned<String>>,
    blocklist: Option<Spanned<String>>,
}

/// A traffic source that is known from the beginning.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Starter {
    pub name: String,
    pub title: String,
    pub about: String,
    /// Other words for it in exports.
    #[serde(default)]
    pub names: Vec<String>,
    #[serde(default)]
    pub zone: Option<String>,
    #[serde(default)]
    pub publisher: Option<String>,
    #[serde(default)]
    pub creative: Option<String>,
    #[serde(default)]
    pub campaign: Option<String>,
    pub format: String,
    pub cost_model: String,
    pub blocklist: String,
}

/// All starters, by name.
///
/// # Errors
/// The built-in file has a fault, which a test finds first.
pub fn starters() -> Result<&'static [Starter]> {
    static ALL: OnceLock<std::result::Result<Vec<Starter>, String>> = OnceLock::new();
    let read =
        || yaml::load(include_str!("starters.yml"), "starters.yml").map_err(|faults| diag::plain(&faults));
    ALL.get_or_init(read).as_deref().map_err(|faults| Error::usage(faults.clone()))
}

fn starter(name: &str) -> Result<Option<&'static Starter>> {
    Ok(starters()?.iter().find(|s| s.name == key(name)))
}

impl Starter {
    /// The tokens as [`TOKENS`].
    pub fn tokens(&self) -> [Option<&str>; 4] {
        [&self.zone, &self.publisher, &self.creative, &self.campaign].map(|t| t.as_deref())
    }

    fn seller(&self) -> Seller {
        Seller {
            name: self.name.clone(),
            tokens: self.tokens().map(|text| text.and_then(|text| token(text).ok())),
            format: Some(self.format.clone()),
            cost_model: cost_model(&self.cost_model),
            account: None,
            currency: None,
            zone: None,
            blocklist: Dialect::find(&self.blocklist),
        }
    }
}

/// A name of a traffic source as it is compared.
fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// What is known of the traffic sources of a run.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// By every name that exports may call it.
    by_name: BTreeMap<String, usize>,
    pub sellers: Vec<Seller>,
    /// What the user named: files and starters.
    pub told: Vec<String>,
}

impl Sources {
    /// Reads what `--sources` names: files, or starters.
    ///
    /// # Errors
    /// A file that cannot be read or has faults: all of them, with line and column. A name that is neither.
    pub fn load(named: &[String]) -> Result<Sources> {
        let mut sources = Sources::default();
        for name in named {
            let path = Path::new(name);
            match starter(name)? {
                Some(known) if !path.exists() => sources.add_starter(known)?,
                None if !path.exists() && !name.contains(['/', '.']) => return Err(no_starter(name)?),
                _ => {
                    let text = read_small(path, "sources file")?;
                    let faults = sources.parse(&text, name).err().unwrap_or_default();
                    if !faults.is_empty() {
                        return Err(Error::usage(format!(
                            "{name} is no valid sources file\n{}",
                            diag::plain(&faults)
                        )));
                    }
                }
            }
            sources.told.push(name.clone());
        }
        Ok(sources)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.sellers.is_empty()
    }

    /// The traffic source that an export calls so.
    pub fn of(&self, traffic_source: &str) -> Option<&Seller> {
        self.place(traffic_source).map(|at| &self.sellers[at])
    }

    /// Every name with the place of its traffic source.
    fn names(&self) -> &BTreeMap<String, usize> {
        &self.by_name
    }

    /// The currencies of traffic sources by every name of theirs.
    pub fn currencies(&self) -> BTreeMap<&str, &str> {
        let all = self.by_name.iter();
        all.filter_map(|(name, at)| Some((name.as_str(), self.sellers[*at].currency.as_deref()?))).collect()
    }

    fn place(&self, traffic_source: &str) -> Option<usize> {
        self.by_name.get(&key(traffic_source)).copied()
    }

    fn add_starter(&mut self, known: &Starter) -> Result<()> {
        let at = self.sellers.len();
        for name in known.names.iter().chain([&known.name]) {
            if self.by_name.insert(key(name), at).is_some() {
                return Err(Error::usage(format!("the traffic source `{name}` is named twice by --sources"))
                    .help("keep one of them"));
            }
        }
        self.sellers.push(known.seller());
        Ok(())
    }

    /// Adds the traffic sources of a file's text.
    ///
    /// # Errors
    /// Every fault of it.
    pub fn parse(&mut self, text: &str, file: &str) -> std::result::Result<(), Vec<Diag>> {
        let entries: Entries<Raw> = yaml::load(text, file)?;
        let mut reader = Reader { text: Arc::from(text), file, faults: Vec::new() };
        for (name, raw) in entries.0 {
            let (seller, names) = reader.seller(&name, &raw);
            let at = self.sellers.len();
            for name in names {
                if self.by_name.insert(key(&name), at).is_some() {
                    reader.fault(
                        name.span.clone(),
                        format!("the traffic source `{}` stands there twice", *name),
                        Some("keep one of them".to_owned()),
                    );
                }
            }
            self.sellers.push(seller);
        }
        diag::sort(&mut reader.faults);
        if reader.faults.is_empty() { Ok(()) } else { Err(reader.faults) }
    }
}

fn no_starter(name: &str) -> Result<Error> {
    let names: Vec<&str> = starters()?.iter().map(|s| s.name.as_str()).collect();
    let help = did_you_mean(name, names.iter().copied());
    let help = help.unwrap_or_else(|| format!("the starters are {}", names.join(", ")));
    Ok(Error::usage(format!("`{name}` is neither a sources file nor a starter")).help(help))
}

fn cost_model(word: &str) -> Option<CostModel> {
    COST_MODELS.iter().find(|(_, known, ..)| known.eq_ignore_ascii_case(word.trim())).map(|m| m.0)
}

/// A number is a variable, anything else a header.
fn token(text: &str) -> std::result::Result<Token, &'static str> {
    let text = text.trim();
    match text.parse::<u32>() {
        Ok(n) if (1..=MOST_VARIABLES).contains(&n) => Ok(Token::Variable(n)),
        Ok(_) => Err("write the number of the variable, from 1 on, or the header of its column"),
        Err(_) if text.is_empty() => Err("write the number of the variable, or the header of its column"),
        Err(_) => Ok(Token::Header(text.to_owned())),
    }
}

/// Turns entries of a file into traffic sources.
struct Reader<'a> {
    text: Arc<str>,
    file: &'a str,
    faults: Vec<Diag>,
}

impl Reader<'_> {
    fn fault(&mut self, span: std::ops::Range<usize>, message: impl Into<String>, help: Option<String>) {
        let mut fault = Diag::new(&BAD_TRAFFIC_SOURCE, self.file, message).at(&self.text, span);
        fault.help = help;
        self.faults.push(fault);
    }

    /// A traffic source and every name of it; a starter of the same name, or the one that is named, lies under it.
    fn seller(&mut self, name: &Spanned<String>, raw: &Raw) -> (Seller, Vec<Spanned<String>>) {
        let known = self.starter(name, raw);
        let mut seller = known.map_or_else(Seller::default, Starter::seller);
        seller.name.clone_from(name);
        let tokens = [&raw.zone, &raw.publisher, &raw.creative, &raw.campaign];
        for (at, said) in tokens.into_iter().enumerate() {
            if let Some(said) = said {
                seller.tokens[at] = self.token(TOKENS[at].0, said);
            }
        }
        seller.format = raw.format.clone().map(|f| key(&f)).or(seller.format);
        seller.account = raw.account.clone();
        self.read(&raw.cost_model, &mut seller.cost_model, |text| {
            cost_model(text)
                .ok_or_else(|| ("cost model", did_you_mean(text, COST_MODELS.iter().map(|m| m.1))))
        });
        self.read(&raw.currency, &mut seller.currency, |text| {
            let fits = (3..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
            if fits {
                Ok(text.to_uppercase())
            } else {
                Err(("currency code", Some("write it as USD".to_owned())))
            }
        });
        self.read(&raw.time_zone, &mut seller.zone, |text| {
            text.parse::<Zone>().map_err(|why| ("time zone", Some(why)))
        });
        self.read(&raw.blocklist, &mut seller.blocklist, |text| {
            Dialect::find(text)
                .ok_or_else(|| ("dialect of lists", did_you_mean(text, DIALECTS.iter().map(|d| d.name))))
        });
        let span = name.span.clone();
        let of_starter = known
            .into_iter()
            .flat_map(|s| &s.names)
            .map(|n| Spanned { value: n.clone(), span: span.clone() });
        let names = [name.clone()].into_iter().chain(raw.names.iter().cloned()).chain(of_starter);
        let mut unique: BTreeMap<String, Spanned<String>> = BTreeMap::new();
        for name in names {
            unique.entry(key(&name)).or_insert(name);
        }
        (seller, unique.into_values().collect())
    }

    fn starter(&mut self, name: &str, raw: &Raw) -> Option<&'static Starter> {
        let all = starters().unwrap_or_default();
        let asked = raw.starter.as_ref();
        let known = all.iter().find(|s| s.name == key(asked.map_or(name, |said| said)));
        if let Some(said) = asked.filter(|_| known.is_none()) {
            let help = did_you_mean(said, all.iter().map(|s| s.name.as_str()));
            self.fault(said.span.clone(), format!("there is no starter `{}`", **said), help);
        }
        known
    }

    fn token(&mut self, what: &str, said: &Spanned<String>) -> Option<Token> {
        let read = token(said);
        if let Err(help) = read {
            self.fault(
                said.span.clone(),
                format!("`{}` is no variable that carries the {what}", **said),
                Some(help.to_owned()),
            );
        }
        let token = read.ok()?;
        let header = match &token {
            Token::Header(header) => folded(header),
            Token::Variable(_) => String::new(),
        };
        if what == "zone" && CLICK_IDS.contains(&header.as_str()) {
            let help =
                "every click has another one; name the variable that the traffic source fills with its zone";
            self.fault(
                said.span.clone(),
                format!("`{}` is the traffic source's ID of the click, never a zone", **said),
                Some(help.to_owned()),
            );
        }
        Some(token)
    }

    fn read<T>(
        &mut self,
        said: &Option<Spanned<String>>,
        into: &mut Option<T>,
        read: impl Fn(&str) -> std::result::Result<T, (&'static str, Option<String>)>,
    ) {
        let Some(said) = said else { return };
        match read(said.trim()) {
            Ok(value) => *into = Some(value),
            Err((what, help)) => self.fault(said.span.clone(), format!("`{}` is no {what}", **said), help),
        }
    }
}

#[cfg(test)]
mod tests;
