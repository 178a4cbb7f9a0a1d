//! Which field of a row is read as which column, by the row's traffic source.

use super::{Seller, Sources, TOKENS, Token, VARIABLES};
use crate::base::column::Col;
use crate::ingest::mapping::{Shape, folded, normalise};
use std::collections::{BTreeMap, BTreeSet};

/// Where a traffic source's columns are in one file.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// Where the traffic source stands; `None` where every row has the same.
    seller_at: Option<usize>,
    /// The traffic source of every row.
    seller: Option<usize>,
    /// The columns that are read otherwise, and where the file itself has them.
    pub columns: Vec<(Col, Option<usize>)>,
    /// For every traffic source and column what is read.
    picks: Vec<Vec<Pick>>,
    sources: Sources,
    /// Tokens that a traffic source should have and this file has no column for.
    pub missing: Vec<(String, &'static str, String)>,
    /// What is read from where, to be told: traffic source, token, header.
    pub found: Vec<(String, &'static str, String)>,
}

/// What of a row becomes a column.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pick {
    /// What the preset or mapping says.
    Own,
    At(usize),
    /// The traffic source has it, and this file does not.
    Nothing,
    /// The same for the whole traffic source; the file's own value goes before it.
    Fixed(String),
}

/// The text of an overlaid column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picked<'t> {
    Text(&'t [u8]),
    Fixed(&'t str),
}

impl Overlay {
    /// The overlay of a file with these headers; `None` where nothing is read otherwise than its mapping says.
    pub fn of(
        sources: &Sources,
        shape: Shape,
        headers: &[String],
        places: &BTreeMap<Col, usize>,
        constants: &BTreeMap<Col, String>,
    ) -> Option<Overlay> {
        let rows = matches!(shape, Shape::Clicks | Shape::Conversions | Shape::Combined);
        let seller_at = places.get(&Col::TrafficSource).copied();
        let seller = constants.get(&Col::TrafficSource).and_then(|name| sources.place(name));
        if !rows || sources.is_empty() || (seller_at.is_none() && seller.is_none()) {
            return None;
        }
        let used = |seller: &Seller, col: Col| fixed(seller, col).is_some() || told(seller, col).is_some();
        let all = TOKENS.iter().map(|t| t.1).chain([Col::Format]);
        let columns: Vec<(Col, Option<usize>)> = all
            .filter(|col| !constants.contains_key(col) && sources.sellers.iter().any(|s| used(s, *col)))
            .map(|col| (col, places.get(&col).copied()))
            .collect();
        let mut overlay = Overlay {
            seller_at,
            seller,
            columns,
            picks: Vec::new(),
            sources: sources.clone(),
            missing: Vec::new(),
            found: Vec::new(),
        };
        for seller in &sources.sellers {
            let picks =
                overlay.columns.clone().into_iter().map(|(col, _)| overlay.pick(seller, col, headers));
            let picks: Vec<Pick> = picks.collect();
            overlay.picks.push(picks);
        }
        Some(overlay)
    }

    fn pick(&mut self, seller: &Seller, col: Col, headers: &[String]) -> Pick {
        let Some((what, token)) = told(seller, col) else {
            return fixed(seller, col).map_or(Pick::Own, |text| Pick::Fixed(text.to_owned()));
        };
        match place(token, headers) {
            Some(at) => {
                self.found.push((seller.name.clone(), what, headers[at].clone()));
                Pick::At(at)
            }
            None => {
                self.missing.push((seller.name.clone(), what, words(token)));
                Pick::Nothing
            }
        }
    }

    /// All that decides what rows become.
    pub fn told(&self) -> String {
        let names = self.sources.names();
        format!("{:?} {:?} {:?} {:?} {names:?}", self.seller_at, self.seller, self.columns, self.picks)
    }

    /// Whether a column is read by traffic source.
    pub fn has(&self, col: Col) -> bool {
        self.columns.iter().any(|(c, _)| *c == col)
    }

    /// The fields of a record that may be read.
    pub fn places(&self) -> BTreeSet<usize> {
        let tokens = self.picks.iter().flatten().filter_map(|pick| match pick {
            Pick::At(at) => Some(*at),
            _ => None,
        });
        tokens.chain(self.columns.iter().filter_map(|(_, own)| *own)).chain(self.seller_at).collect()
    }

    /// What one column of a row says, given the text of a field by its place; `None` where nothing does.
    pub fn text<'t>(&'t self, col: Col, text: &dyn Fn(usize) -> &'t [u8]) -> Option<Picked<'t>> {
        let at = self.columns.iter().position(|(c, _)| *c == col)?;
        let own = || self.columns[at].1.map(|place| Picked::Text(text(place)));
        let name = self.seller_at.map(|place| std::str::from_utf8(text(place)).unwrap_or_default());
        let seller = name.map_or(self.seller, |name| self.sources.place(name));
        let Some(seller) = seller else { return own() };
        match &self.picks[seller][at] {
            Pick::Own => own(),
            Pick::At(place) => Some(Picked::Text(text(*place))),
            Pick::Nothing => None,
            Pick::Fixed(fixed) => match own() {
                Some(Picked::Text(said)) if !said.trim_ascii().is_empty() => Some(Picked::Text(said)),
                _ => Some(Picked::Fixed(fixed)),
            },
        }
    }
}

/// The token that a column is read from.
fn told(seller: &Seller, col: Col) -> Option<(&'static str, &Token)> {
    let at = TOKENS.iter().position(|t| t.1 == col)?;
    seller.tokens[at].as_ref().map(|token| (TOKENS[at].0, token))
}

/// The text of a column that holds for the whole traffic source.
fn fixed(seller: &Seller, col: Col) -> Option<&str> {
    match col {
        Col::Format => seller.format.as_deref(),
        Col::Account => seller.account.as_deref(),
        _ => None,
    }
}

/// Where a token stands in a file.
fn place(token: &Token, headers: &[String]) -> Option<usize> {
    match token {
        Token::Header(name) => {
            let exact = headers.iter().position(|h| h == name);
            let alike = || headers.iter().position(|h| normalise(h) == normalise(name));
            exact.or_else(alike).or_else(|| headers.iter().position(|h| folded(h) == folded(name)))
        }
        Token::Variable(n) => VARIABLES.iter().find_map(|(pattern, _)| {
            let wanted = pattern.replace('#', &n.to_string());
            headers.iter().position(|h| folded(h) == wanted)
        }),
    }
}

/// A token as it is told.
fn words(token: &Token) -> String {
    match token {
        Token::Header(name) => name.clone(),
        Token::Variable(n) => format!("variable {n}"),
    }
}
