//! What the user's own files, and the address and user agent themselves, say of a visitor: offline, per row,
//! while it is typed.
//!
//! Every column that can be found this way is one line of [`DERIVED`]. An export's own column always wins, for
//! the whole file: two answers are never mixed in one column. What no file says anything about stays absent.
//! Nothing is fetched, and nothing is guessed from a range that a list does not name.

mod agents;
mod crawlers;
mod databases;
mod networks;

pub use agents::Agent;

use super::mapping::Shape;
use crate::base::column::{Col, Side};
use crate::base::error::{Error, Result};
use agents::Agents;
use crawlers::Crawlers;
use databases::{Database, Subject};
use networks::Networks;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What an address list says of the addresses on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListKind {
    Datacenter,
    Vpn,
    Tor,
}

/// The lists of addresses: kind, word of the command line, what it is.
pub const LISTS: &[(ListKind, &str, &str)] = &[
    (ListKind::Datacenter, "datacenter", "servers and hosting providers"),
    (ListKind::Vpn, "vpn", "exits of virtual private networks"),
    (ListKind::Tor, "tor", "exits of the Tor network"),
];

impl ListKind {
    /// The kind of this word.
    ///
    /// # Errors
    /// The word is none of the table's.
    pub fn of(word: &str) -> Result<ListKind> {
        let words: Vec<&str> = LISTS.iter().map(|l| l.1).collect();
        let found = LISTS.iter().find(|l| l.1 == word).map(|l| l.0);
        found.ok_or_else(|| {
            Error::usage(format!("`{word}` is no kind of address list"))
                .help(format!("use --ip-list KIND=FILE with {}", words.join(", ")))
        })
    }

    /// The word of the command line.
    pub fn word(self) -> &'static str {
        LISTS[self as usize].1
    }
}

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The database of countries.
    Countries,
    /// The database of autonomous systems.
    Operators,
    List(ListKind),
    /// The list of crawlers' user agents.
    Crawlers,
    /// The address itself: the network that it lies in, which needs no file.
    Neighbourhood,
    /// The user agent's own words, which need no file.
    Family,
    System,
    Headless,
}

impl Source {
    /// Whether it answers from a file of the user's.
    pub fn needs_file(self) -> bool {
        !matches!(self, Source::Neighbourhood | Source::Family | Source::System | Source::Headless)
    }

    /// The canonical column that is asked about.
    pub fn origin(self) -> Col {
        match self {
            Source::Countries | Source::Operators | Source::List(_) | Source::Neighbourhood => Col::Ip,
            Source::Crawlers | Source::Family | Source::System | Source::Headless => Col::UserAgent,
        }
    }
}

/// A canonical column that can be found where an export has none.
pub struct Derived {
    pub col: Col,
    pub source: Source,
    /// Of clicks only: a conversion's address is not its click's.
    pub of_clicks: bool,
}

/// Every column that can be found, in the order of [`Col`].
pub const DERIVED: &[Derived] = &[
    Derived { col: Col::Country, source: Source::Countries, of_clicks: false },
    Derived { col: Col::Os, source: Source::System, of_clicks: false },
    Derived { col: Col::Asn, source: Source::Operators, of_clicks: false },
    Derived { col: Col::ClickCountry, source: Source::Countries, of_clicks: true },
    Derived { col: Col::Ip24, source: Source::Neighbourhood, of_clicks: false },
    Derived { col: Col::UaFamily, source: Source::Family, of_clicks: false },
    Derived { col: Col::IsDatacenter, source: Source::List(ListKind::Datacenter), of_clicks: true },
    Derived { col: Col::IsVpn, source: Source::List(ListKind::Vpn), of_clicks: true },
    Derived { col: Col::IsTor, source: Source::List(ListKind::Tor), of_clicks: true },
    Derived { col: Col::IsKnownBot, source: Source::Crawlers, of_clicks: true },
    Derived { col: Col::IsHeadless, source: Source::Headless, of_clicks: true },
];

impl Derived {
    /// Whether rows of this shape may have it.
    pub fn fits(&self, shape: Shape) -> bool {
        match shape {
            Shape::Clicks | Shape::Combined => true,
            Shape::Conversions => !self.of_clicks && self.col.decl().side != Side::Clicks,
            _ => false,
        }
    }
}

/// The files that the user named.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pub countries: Option<PathBuf>,
    pub operators: Option<PathBuf>,
    pub lists: Vec<(ListKind, PathBuf)>,
    pub crawlers: Vec<PathBuf>,
}

/// The user's files, read into memory.
#[derive(Default)]
pub struct Enrichment {
    countries: Option<Database>,
    operators: Option<Database>,
    lists: [Option<Networks>; LISTS.len()],
    agents: Agents,
    told: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for Enrichment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrichment").field("told", &self.told).finish()
    }
}

impl Enrichment {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged, and every fault of a list.
    pub fn load(files: &Files) -> Result<Enrichment> {
        let mut found = Enrichment::default();
        if let Some(path) = &files.countries {
            let database = Database::open(path, Subject::Country)?;
            found.told.push(("geoip", database.about()));
            found.countries = Some(database);
        }
        if let Some(path) = &files.operators {
            let database = Database::open(path, Subject::Operator)?;
            found.told.push(("asn_db", database.about()));
            found.operators = Some(database);
        }
        for (kind, path) in &files.lists {
            found.lists[*kind as usize].get_or_insert_default().read(path)?;
        }
        for networks in found.lists.iter_mut().flatten() {
            networks.merge();
        }
        if !files.crawlers.is_empty() {
            found.agents = Agents::with(Crawlers::load(&files.crawlers)?);
        }
        found.tell_lists(files);
        Ok(found)
    }

    fn tell_lists(&mut self, files: &Files) {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for (kind, word, _) in LISTS {
            let Some(networks) = &self.lists[*kind as usize] else { continue };
            let of_kind = files.lists.iter().filter(|(k, _)| k == kind);
            let names: Vec<String> = of_kind.map(|(_, path)| name(path)).collect();
            self.told.push((word, format!("{} ({})", names.join(", "), counted(networks.len(), "range"))));
        }
        if let Some(count) = self.agents.patterns() {
            let names: Vec<String> = files.crawlers.iter().map(|path| name(path)).collect();
            self.told.push(("crawlers", format!("{} ({})", names.join(", "), counted(count, "pattern"))));
        }
    }

    /// What was read: what it is for, and which file; for the report.
    pub fn told(&self) -> &[(&'static str, String)] {
        &self.told
    }

    /// Whether a source has anything to answer from.
    pub fn has(&self, source: Source) -> bool {
        match source {
            Source::Countries => self.countries.is_some(),
            Source::Operators => self.operators.is_some(),
            Source::List(kind) => self.lists[kind as usize].is_some(),
            Source::Crawlers => self.agents.patterns().is_some(),
            Source::Neighbourhood | Source::Family | Source::System | Source::Headless => true,
        }
    }

    /// The country of an address, as a code of two letters.
    pub fn country(&self, address: IpAddr) -> Option<&str> {
        self.countries.as_ref()?.country(address)
    }

    /// The autonomous system of an address.
    pub fn operator(&self, address: IpAddr) -> Option<String> {
        self.operators.as_ref()?.operator(address)
    }

    /// Whether an address is on a list.
    pub fn listed(&self, kind: ListKind, address: IpAddr) -> Option<bool> {
        self.lists[kind as usize].as_ref().map(|networks| networks.holds(address))
    }

    /// What user agents say.
    pub fn agents(&self) -> &Agents {
        &self.agents
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order() {
        for (at, (kind, word, about)) in LISTS.iter().enumerate() {
            assert_eq!((*kind as usize, kind.word()), (at, *word));
            assert!(!about.is_empty());
            assert_eq!(ListKind::of(word).expect("a word of the table"), *kind);
        }
        assert!(DERIVED.windows(2).all(|pair| pair[0].col < pair[1].col));
        assert!(ListKind::of("proxy").expect_err("no such list").help.expect("help").contains("vpn"));
    }

    #[test]
    fn what_belongs_to_clicks_is_not_found_for_conversions() {
        let fits = |col, shape| DERIVED.iter().find(|d| d.col == col).expect("derived").fits(shape);
        assert!(fits(Col::Country, Shape::Conversions) && fits(Col::ClickCountry, Shape::Combined));
        assert!(!fits(Col::ClickCountry, Shape::Conversions) && !fits(Col::IsHeadless, Shape::Conversions));
        assert!(!fits(Col::Country, Shape::Report) && !fits(Col::Country, Shape::Costs));
    }
}
