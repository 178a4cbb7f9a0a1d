//! Plain lists: one ID a line, sorted, LF, a final newline; an empty list is an empty file.
//!
//! What may stand on a list is decided in `verdicts`; nothing is added or dropped here.

use super::{Format, Kind, List, Look, Rendered, Report};
use crate::base::error::Result;

fn render(list: &List) -> Rendered {
    match list {
        List::Ready(listing) => Rendered::Bytes(lines(&listing.ids).into_bytes()),
        List::Withheld(why) => Rendered::Withheld(why.clone()),
    }
}

fn lines(ids: &[String]) -> String {
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.iter().flat_map(|id| [*id, "\n"]).collect()
}

fn block(report: &Report, _: &Look) -> Result<Rendered> {
    Ok(render(&report.lists.block))
}

fn profit(report: &Report, _: &Look) -> Result<Rendered> {
    Ok(render(&report.lists.profit))
}

fn scale(report: &Report, _: &Look) -> Result<Rendered> {
    Ok(render(&report.lists.scale))
}

pub const BLOCK_FORMAT: Format = Format {
    name: "blocklist:lines",
    summary: "sources to block for fraud, quality or broken data, one ID a line",
    list: true,
    kind: Kind::Text,
    pictures: 0,
    render: block,
};

pub const PROFIT_FORMAT: Format = Format {
    name: "profit-list:lines",
    summary: "sources to cut because they lose money, one ID a line",
    list: true,
    kind: Kind::Text,
    pictures: 0,
    render: profit,
};

pub const SCALE_FORMAT: Format = Format {
    name: "scale-list:lines",
    summary: "clean sources that earn more than the target, to buy more of, one ID a line",
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
}
