//! Lists for the tools that block: which groups, in which dialect, in which files.
//!
//! What may stand on a list is decided in `verdicts`, what its dialect can hold in `base`; nothing is added or
//! dropped here without being told.

use super::{FileOf, Format, Kind, List, Lists, Look, Rendered, Report};
use crate::base::destination::Destination;
use crate::base::dialect::Dialect;
use crate::base::error::Result;
use crate::base::lists::{self, ListFile, Listed, OwnDialect, Sheet, TRAFFIC_SOURCE};
use crate::base::text::Text;
use crate::verdicts::entry;

/// The dialect of a list that is asked for without one.
pub const PLAIN: &str = "lines";

/// The files of one list, or why there is none. `format` is the name of one of the list formats.
pub fn files(
    report: &Report,
    format: &str,
    dialect: &'static Dialect,
    own: bool,
    destination: &Destination,
) -> std::result::Result<Vec<ListFile>, String> {
    let listing = match of(format, &report.lists) {
        List::Ready(listing) => listing,
        List::Withheld(why) => return Err(why.clone()),
    };
    if let Some(why) = listing.mixed.as_ref().filter(|_| destination.columns().all(|c| c != TRAFFIC_SOURCE)) {
        return Err(why.clone());
    }
    let lists = &report.lists;
    let of_source = |name: &str| lists.sources.of(name).and_then(|seller| seller.blocklist);
    let own: Option<OwnDialect> = if own { Some(&of_source) } else { None };
    let sheet = Sheet { dialect, own, destination, protected: &lists.protected, widest: lists.widest };
    let grain = &report.run.grain;
    let audited = || report.groups.iter().filter(|g| g.subject.grain == *grain);
    let seen: Vec<Listed> = if destination.is_fixed() { Vec::new() } else { audited().map(entry).collect() };
    lists::files(&sheet, &listing.listed, &seen)
}

/// Which list a format is: `block`, `profit` or `scale`.
pub fn list_of(format: &str) -> &'static str {
    match format {
        n if n == PROFIT_FORMAT.name => "profit",
        n if n == SCALE_FORMAT.name => "scale",
        _ => "block",
    }
}

fn of<'l>(format: &str, lists: &'l Lists) -> &'l List {
    match list_of(format) {
        "profit" => &lists.profit,
        "scale" => &lists.scale,
        _ => &lists.block,
    }
}

/// The file of a list, and beside it the one that says what the list could not hold: if there is something, or
/// a file of an earlier run says what is no longer so.
pub fn files_of(file: &ListFile) -> Vec<FileOf> {
    let mut name = file.path.file_name().unwrap_or_default().to_owned();
    name.push(".refused.csv");
    let beside = file.path.with_file_name(name);
    let mut files = vec![FileOf { path: file.path.clone(), bytes: file.text.clone().into_bytes() }];
    if !file.refused.is_empty() || beside.exists() {
        files.push(FileOf { path: beside, bytes: refused(&file.refused) });
    }
    files
}

/// The file beside a list that says what the list could not hold.
fn refused(refused: &[(Text, String)]) -> Vec<u8> {
    let cell = |text: String| format!("\"{}\"", text.replace('"', "\"\""));
    let row =
        |(id, why): &(Text, String)| format!("{},{}\n", cell(id.csv()), cell(Text::new(why.as_str()).csv()));
    format!("id,reason\n{}", refused.iter().map(row).collect::<String>()).into_bytes()
}

fn plain(report: &Report, format: &str) -> Result<Rendered> {
    let dialect = Dialect::find(PLAIN).expect("the plain dialect is declared");
    let destination = Destination::parse(PLAIN).expect("a path without columns");
    Ok(match files(report, format, dialect, false, &destination) {
        Ok(files) => Rendered::Bytes(files.into_iter().flat_map(|f| f.text.into_bytes()).collect()),
        Err(why) => Rendered::Withheld(why),
    })
}

fn block(report: &Report, _: &Look) -> Result<Rendered> {
    plain(report, BLOCK_FORMAT.name)
}

fn profit(report: &Report, _: &Look) -> Result<Rendered> {
    plain(report, PROFIT_FORMAT.name)
}

fn scale(report: &Report, _: &Look) -> Result<Rendered> {
    plain(report, SCALE_FORMAT.name)
}

pub const BLOCK_FORMAT: Format = Format {
    name: "blocklist",
    summary: "sources to block for fraud, quality or broken data, in a dialect: `blocklist:lines`",
    list: true,
    kind: Kind::Text,
    pictures: 0,
    render: block,
};

pub const PROFIT_FORMAT: Format = Format {
    name: "profit-list",
    summary: "sources to cut because they lose money, in a dialect: `profit-list:lines`",
    list: true,
    kind: Kind::Text,
    pictures: 0,
    render: profit,
};

pub const SCALE_FORMAT: Format = Format {
    name: "scale-list",
    summary: "clean sources that earn more than the target, to buy more of, in a dialect: `scale-list:lines`",
    list: true,
    kind: Kind::Text,
    pictures: 0,
    render: scale,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// The list, or why there is none.
    fn told(rendered: Result<Rendered>) -> std::result::Result<String, String> {
        match rendered.unwrap() {
            Rendered::Bytes(bytes) => Ok(String::from_utf8(bytes).unwrap()),
            Rendered::Withheld(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_id_a_line_and_nothing_else() {
        let rules = sample::rules();
        let report = sample::report(&rules);
        assert_eq!(told(block(&report, &Look::PLAIN)), Ok("pub10032\npub9\n".into()));
        assert_eq!(told(profit(&report, &Look::PLAIN)), Ok(String::new()));
    }

    #[test]
    fn a_withheld_list_is_not_an_empty_one() {
        let mut report = sample::empty();
        report.lists.block = List::Withheld("a gate fired".into());
        assert_eq!(told(block(&report, &Look::PLAIN)), Err("a gate fired".into()));
    }

    #[test]
    fn what_is_refused_is_a_table_without_formulas() {
        let bytes = refused(&[(Text::new("=1+1"), "it is \"no\" ID".into())]);
        assert_eq!(String::from_utf8(bytes).unwrap(), "id,reason\n\"'=1+1\",\"it is \"\"no\"\" ID\"\n");
    }
}
