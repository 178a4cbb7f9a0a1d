//! From what is listed to the files of a destination: which columns are the file, which are the ID.

use super::destination::Destination;
use super::dialect::{Candidate, Dialect};
use super::networks::{Network, Widest};
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
    /// What the dialect cannot hold, with the reason.
    pub refused: Vec<(Text, String)>,
}

impl Listed {
    fn value(&self, column: &str) -> Option<&Text> {
        self.key.iter().find(|(col, _)| col == column).and_then(|(_, value)| value.as_ref())
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

/// The files of a list. `seen` are all groups, listed or not: each of their files is there, be it empty, so that
/// no old list stays behind.
///
/// # Errors
/// A column of the path is none of the groups', groups of several traffic sources would share a file, or a file
/// is longer than its destination takes.
pub fn files(sheet: &Sheet, listed: &[Listed], seen: &[Listed]) -> Result<Vec<ListFile>, String> {
    if let Some((column, group)) =
        sheet.destination.columns().find_map(|c| Some((c, seen.iter().chain(listed).find(|l| !l.has(c))?)))
    {
        let there: Vec<&str> = group.key.iter().map(|(col, _)| col.as_str()).collect();
        return Err(format!("{{{column}}} is no column of the groups; they have {}", there.join(", ")));
    }
    let in_path = |col: &String| sheet.destination.columns().any(|c| c == col);
    if let Some(group) = seen.iter().chain(listed).find(|l| l.key.iter().all(|(col, _)| in_path(col))) {
        let columns: Vec<&str> = group.key.iter().map(|(col, _)| col.as_str()).collect();
        return Err(format!(
            "all columns of the groups ({}) stand in the path, and nothing is left to be listed",
            columns.join(", ")
        ));
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
    Ok(ListFile { path, text, refused: accepted.refused })
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

    #[test]
    fn a_list_of_nothing_is_an_empty_file() {
        assert_eq!(check("l.txt", &[], &[]).expect("a file"), [("l.txt".to_owned(), String::new())]);
    }
}
