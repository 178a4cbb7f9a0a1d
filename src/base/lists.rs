//! From what is listed to the files of a destination: which columns are the file, which are the ID.

use super::destination::Destination;
use super::dialect::{Candidate, Dialect, Holds};
use super::networks::{self, Network, Widest};
use super::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The column in which IDs are valid: equal IDs of two traffic sources are two sources.
pub const TRAFFIC_SOURCE: &str = "traffic_source";

/// One group that is on a list: the values of its columns in the order of the grain, and the rule that says why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub key: Vec<(String, Option<Text>)>,
    pub rule: String,
}

/// The dialect of a traffic source's lists, where it is known.
pub type OwnDialect<'a> = &'a dyn Fn(&str) -> Option<&'static Dialect>;

/// How a list is written.
pub struct Sheet<'a> {
    pub dialect: &'static Dialect,
    /// The dialect of a traffic source, where each file has its own.
    pub own: Option<OwnDialect<'a>>,
    pub destination: &'a Destination,
    /// Addresses that must not be on any list.
    pub protected: &'a [Network],
    pub widest: Widest,
}

/// One file of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct ListFile {
    pub path: PathBuf,
    pub text: String,
    /// How many entries stand in it.
    pub entries: usize,
    /// What the dialect cannot hold, with the reason.
    pub refused: Vec<(Text, String)>,
}

impl Listed {
    fn value(&self, column: &str) -> Option<&Text> {
        self.key.iter().find(|(col, _)| col == column).and_then(|(_, value)| value.as_ref())
    }

    fn columns(&self) -> Vec<&str> {
        self.key.iter().map(|(col, _)| col.as_str()).collect()
    }

    fn has(&self, column: &str) -> bool {
        self.key.iter().any(|(col, _)| col == column)
    }

    /// The parts of the ID: the columns that neither the file nor the traffic source stands for. Where nothing
    /// is left the traffic source itself is what is listed.
    fn parts(&self, destination: &Destination) -> Vec<Option<&Text>> {
        let in_path = |col: &str| destination.columns().any(|c| c == col);
        let parts = |without: bool| {
            let kept = self.key.iter().filter(|(col, _)| !(in_path(col) || without && col == TRAFFIC_SOURCE));
            kept.map(|(_, value)| value.as_ref()).collect::<Vec<_>>()
        };
        let ids = parts(true);
        if ids.is_empty() { parts(false) } else { ids }
    }
}

/// Columns that hold an address or a network.
const ADDRESSES: &[&str] = &["ip", "ip24"];

/// Why no list of groups of these columns can be written so, if that is so: known before anything is read. Without
/// a `dialect` each traffic source has its own.
pub fn misfit(dialect: Option<&Dialect>, destination: &Destination, columns: &[&str]) -> Option<String> {
    let of_path: Vec<&str> = destination.columns().collect();
    if let Some(strange) = of_path.iter().find(|col| !columns.contains(col)) {
        return Some(format!("{{{strange}}} is no column of the groups; they have {}", columns.join(", ")));
    }
    let left: Vec<&str> = columns.iter().copied().filter(|col| !of_path.contains(col)).collect();
    if left.is_empty() {
        return Some(format!(
            "all columns of the groups ({}) stand in the path, and nothing is left to be listed",
            columns.join(", ")
        ));
    }
    let ids: Vec<&str> = left.iter().copied().filter(|col| *col != TRAFFIC_SOURCE).collect();
    let address = matches!(ids[..], [one] if ADDRESSES.contains(&one));
    let dialect = dialect.filter(|d| matches!(d.holds, Holds::Networks(_)) && !address)?;
    Some(format!(
        "{} lists addresses, and the groups are made of {}: audit with --by ip or --by ip24",
        dialect.name,
        columns.join(", ")
    ))
}

/// The files of a list. `seen` are all groups, listed or not: each of their files is there, be it empty, so that
/// no old list stays behind.
///
/// # Errors
/// The columns of the groups make no such path, groups of several traffic sources would share a file, or a file is
/// longer than its destination takes.
pub fn files(sheet: &Sheet, listed: &[Listed], seen: &[Listed]) -> Result<Vec<ListFile>, String> {
    let mut grains: BTreeSet<Vec<&str>> = BTreeSet::new();
    grains.extend(seen.iter().chain(listed).map(Listed::columns));
    if let Some(why) = grains.iter().find_map(|columns| misfit(None, sheet.destination, columns)) {
        return Err(why);
    }
    // A file's traffic source is known even if nothing of it is listed.
    let mut by_path: BTreeMap<PathBuf, (Option<&Text>, Vec<&Listed>)> = BTreeMap::new();
    for group in seen {
        let of_path = by_path.entry(sheet.destination.path(|col| group.value(col))).or_default();
        of_path.0 = of_path.0.or(group.value(TRAFFIC_SOURCE));
    }
    if sheet.destination.is_fixed() {
        by_path.entry(sheet.destination.path(|_| None)).or_default();
    }
    for group in listed {
        let of_path = by_path.entry(sheet.destination.path(|col| group.value(col))).or_default();
        of_path.0 = of_path.0.or(group.value(TRAFFIC_SOURCE));
        of_path.1.push(group);
    }
    by_path.into_iter().map(|(path, (seller, groups))| file(sheet, path, seller, groups)).collect()
}

/// Why the list would come out empty although something is listed, if it would: an ID that the dialect cannot hold
/// is told and left out, but where that is true of all of them the list is not what was meant, and must not replace
/// one that is. What is protected is meant to be left out.
pub fn emptied(files: &[ListFile], protected: &[Network]) -> Option<String> {
    let is_protected = |id: &Text| {
        let net = networks::parse(id.raw());
        net.is_some_and(|net| protected.iter().any(|p| networks::overlap(p, &net)))
    };
    let refused: Vec<&(Text, String)> = files.iter().flat_map(|file| &file.refused).collect();
    let kept = files.iter().any(|file| file.entries > 0) || refused.iter().any(|(id, _)| is_protected(id));
    let (id, why) = refused.first().filter(|_| !kept)?;
    Some(format!(
        "the list would be empty: none of the {} listed IDs can stand on it, the first of them {} ({why})",
        refused.len(),
        id.term(40)
    ))
}

fn file<'l>(
    sheet: &Sheet,
    path: PathBuf,
    seller: Option<&Text>,
    mut groups: Vec<&'l Listed>,
) -> Result<ListFile, String> {
    let dialect = sheet.own.zip(seller).and_then(|(own, seller)| own(seller.raw())).unwrap_or(sheet.dialect);
    groups.sort();
    one_traffic_source(&groups)?;
    let candidate =
        |group: &&'l Listed| Candidate { parts: group.parts(sheet.destination), rule: &group.rule };
    let candidates: Vec<Candidate> = groups.iter().map(candidate).collect();
    let accepted = dialect.accept(&candidates, sheet.protected, sheet.widest);
    let text = dialect.write(&accepted.entries).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(ListFile { path, text, entries: accepted.entries.len(), refused: accepted.refused })
}

/// Names shown in a message.
const SHOWN: usize = 5;

fn one_traffic_source(groups: &[&Listed]) -> Result<(), String> {
    let below = |group: &&&Listed| group.has(TRAFFIC_SOURCE) && group.key.len() > 1;
    let found: BTreeSet<Option<&Text>> =
        groups.iter().filter(below).map(|g| g.value(TRAFFIC_SOURCE)).collect();
    if found.len() < 2 {
        return Ok(());
    }
    let name = |t: Option<&Text>| t.map_or_else(|| "(none)".to_owned(), |t| t.term(40));
    let mut names: Vec<String> = found.iter().take(SHOWN).map(|t| name(*t)).collect();
    if found.len() > SHOWN {
        names.push(format!("{} more", found.len() - SHOWN));
    }
    Err(format!(
        "the listed groups belong to {} traffic sources ({}), and equal IDs of two of them would merge on one list; \
         write {{traffic_source}} into the path, or say which one the list is for",
        found.len(),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(network: &str, campaign: &str, zone: &str) -> Listed {
        let text = |t: &str| (!t.is_empty()).then(|| Text::from(t));
        let key = [("traffic_source", network), ("campaign", campaign), ("source", zone)];
        Listed { key: key.iter().map(|(c, v)| ((*c).to_owned(), text(v))).collect(), rule: "r".into() }
    }

    fn check(path: &str, listed: &[Listed], seen: &[Listed]) -> Result<Vec<(String, String)>, String> {
        let destination = Destination::parse(path).expect(path);
        let dialect = Dialect::find("lines").expect("a dialect");
        let sheet =
            Sheet { dialect, own: None, destination: &destination, protected: &[], widest: Widest::CUSTOMER };
        let files = files(&sheet, listed, seen)?;
        Ok(files.into_iter().map(|f| (f.path.display().to_string(), f.text)).collect())
    }

    #[test]
    fn a_zone_is_blocked_where_it_is_bad() {
        let bad = group("popmax", "a", "z1");
        let seen = [bad.clone(), group("popmax", "b", "z1"), group("pushly", "a", "z1")];
        let files =
            check("{traffic_source}/{campaign}.txt", std::slice::from_ref(&bad), &seen).expect("files");
        let expected = [("popmax/a.txt", "z1\n"), ("popmax/b.txt", ""), ("pushly/a.txt", "")];
        assert_eq!(files, expected.map(|(p, t)| (p.to_owned(), t.to_owned())));
    }

    #[test]
    fn what_the_path_does_not_say_is_in_the_id() {
        let listed = [group("popmax", "a", "z1"), group("popmax", "b", "z2")];
        assert_eq!(check("l.txt", &listed, &[]).expect("one file")[0].1, "a:z1\nb:z2\n");
        assert_eq!(check("{traffic_source}.txt", &listed, &[]).expect("one file")[0].1, "a:z1\nb:z2\n");
    }

    #[test]
    fn traffic_sources_do_not_share_a_file() {
        let listed = [group("popmax", "a", "z1"), group("pushly", "a", "z2")];
        assert!(check("l.txt", &listed, &[]).expect_err("two").contains("(popmax, pushly)"));
        assert_eq!(check("{traffic_source}", &listed, &[]).expect("two files").len(), 2);
        assert!(
            check("{zone}", &listed, &[])
                .expect_err("no column")
                .contains("they have traffic_source, campaign")
        );
    }

    #[test]
    fn a_path_leaves_something_to_be_listed() {
        let listed = [group("popmax", "a", "z1")];
        let why = check("{traffic_source}/{campaign}/{source}.txt", &listed, &[]).expect_err("no ID is left");
        assert!(why.contains("nothing is left to be listed"), "{why}");
    }

    #[track_caller]
    fn fits(dialect: &str, path: &str, columns: &[&str], expected: Option<&str>) {
        let destination = Destination::parse(path).expect(path);
        let why = misfit(Dialect::find(dialect), &destination, columns);
        assert_eq!(why.is_some(), expected.is_some(), "{why:?}");
        assert!(why.unwrap_or_default().contains(expected.unwrap_or_default()));
    }

    #[test]
    fn what_no_group_can_fill_is_known_before_there_is_one() {
        let source = &["traffic_source", "source"];
        fits("lines", "l.txt", source, None);
        fits("lines", "{traffic_source}.txt", source, None);
        fits("lines", "{offer}.txt", source, Some("{offer} is no column"));
        fits("lines", "{traffic_source}/{source}", source, Some("nothing is left"));
        fits("nginx", "l.txt", source, Some("nginx lists addresses"));
        fits("nginx", "l.txt", &["ip24"], None);
        fits("nginx", "{traffic_source}", &["traffic_source", "ip"], None);
        fits("nginx", "l.txt", &["ip", "country"], Some("made of ip, country"));
        fits("nginx", "{country}", &["ip", "country"], None);
        fits("own", "l.txt", source, None);
    }

    #[track_caller]
    fn empties(dialect: &str, ids: &[&str], protected: &[&str], expected: bool) {
        let destination = Destination::parse("l.txt").expect("a path");
        let protected: Vec<Network> = protected.iter().filter_map(|p| networks::parse(p)).collect();
        let dialect = Dialect::find(dialect).expect("a dialect");
        let widest = Widest::CUSTOMER;
        let sheet = Sheet { dialect, own: None, destination: &destination, protected: &protected, widest };
        let listed = |id: &&str| Listed {
            key: vec![("source".to_owned(), Some(Text::from(*id)))],
            rule: "r".to_owned(),
        };
        let listed: Vec<Listed> = ids.iter().map(listed).collect();
        let why = emptied(&files(&sheet, &listed, &[]).expect("a file"), &protected);
        assert_eq!(why.is_some(), expected, "{why:?}");
    }

    #[test]
    fn a_list_is_not_emptied_by_what_it_cannot_hold() {
        empties("lines", &["z1", "*"], &[], false);
        empties("lines", &["*"], &[], true);
        empties("lines", &[], &[], false);
        empties("nginx", &["10.0.0.1"], &[], true);
        empties("nginx", &["198.41.0.4"], &["198.41.0.0/24"], false);
    }

    #[test]
    fn a_list_of_nothing_is_an_empty_file() {
        assert_eq!(check("l.txt", &[], &[]).expect("a file"), [("l.txt".to_owned(), String::new())]);
    }
}
