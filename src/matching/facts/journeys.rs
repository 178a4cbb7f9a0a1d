//! Which conversions are one player's, in the order of time.

use super::{Setting, order, real};
use crate::base::column::Col;
use crate::base::symbol::Symbol;
use crate::base::time::SECOND;
use crate::clean::{Conversion, Status};
use crate::matching::MatchedConversion;
use hashbrown::HashMap;

/// Whose offer it is: the network and the offer, as far as they are known.
pub type Scope = (Symbol, Symbol);

/// The conversions of one player with one offer; of no known player a row of its own.
pub struct Journey {
    pub scope: Scope,
    /// Whether a player or a click ID says whose it is.
    pub known: bool,
    /// Places of the rows, in the order of time. Void rows and a deposit that only repeats the first one under
    /// its other name are left out.
    pub rows: Vec<usize>,
}

/// All journeys, and what the exports of an offer say.
pub struct Journeys {
    pub all: Vec<Journey>,
    offers: HashMap<Scope, Words>,
}

/// The words in which an offer's conversions are reported.
#[derive(Clone, Copy, Default)]
pub struct Words {
    /// The event that a player's way starts with: registration, else lead, else install.
    pub start: Option<&'static str>,
    /// The first deposit has a name of its own.
    pub names_first: bool,
    /// First deposits and deposits.
    pub deposits: u32,
}

/// Events a player's way may start with, the best first.
const STARTS: [&str; 3] = ["registration", "lead", "install"];

impl Journeys {
    /// Sorts the conversions by player.
    pub fn of(rows: &[MatchedConversion], setting: &Setting) -> Journeys {
        let scope = |m: &MatchedConversion| (setting.column(m, Col::Network), setting.column(m, Col::Offer));
        let scopes: Vec<Scope> = rows.iter().map(scope).collect();
        let counted = |i: &usize| rows[*i].conversion.status != Status::Void;
        let mut journeys = Journeys { all: Vec::new(), offers: HashMap::new() };
        for i in (0..rows.len()).filter(counted) {
            journeys.offers.entry(scopes[i]).or_default().learn(rows[i].conversion.facts.name);
        }
        let of_click = players_of_clicks(rows, &scopes);
        let mut keyed: Vec<(Option<Player>, Scope, usize)> = (0..rows.len())
            .filter(counted)
            .map(|i| (player(&rows[i].conversion, scopes[i], &of_click), scopes[i], i))
            .collect();
        keyed.sort_by_cached_key(|(player, scope, i)| (*player, *scope, order(&rows[*i])));
        for of_player in keyed.chunk_by(|a, b| a.0.is_some() && (a.0, a.1) == (b.0, b.1)) {
            let mut places: Vec<usize> = of_player.iter().map(|(_, _, i)| *i).collect();
            drop_twins(&mut places, rows);
            let (known, scope) = (of_player[0].0.is_some(), of_player[0].1);
            journeys.all.push(Journey { scope, known, rows: places });
        }
        journeys
    }

    /// How an offer's conversions are reported.
    pub fn words(&self, scope: Scope) -> Words {
        self.offers.get(&scope).copied().unwrap_or_default()
    }
}

impl Words {
    fn learn(&mut self, event: &'static str) {
        let rank = |name: &str| STARTS.iter().position(|s| *s == name).unwrap_or(STARTS.len());
        if rank(event) < self.start.map_or(STARTS.len(), rank) {
            self.start = Some(event);
        }
        self.names_first |= event == "first_deposit";
        self.deposits += u32::from(is_deposit(event));
    }
}

/// Whether an event is a deposit, the first one or another.
pub fn is_deposit(event: &str) -> bool {
    matches!(event, "first_deposit" | "deposit")
}

/// The ID of a player, or of a click in its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Player<'a> {
    Named(&'a str),
    OfClick(&'a str),
}

/// The player whom rows of a click name: the first by text.
fn players_of_clicks<'a>(
    rows: &'a [MatchedConversion],
    scopes: &[Scope],
) -> HashMap<(Scope, &'a str), &'a str> {
    let mut players: HashMap<(Scope, &str), &str> = HashMap::new();
    for (m, scope) in rows.iter().zip(scopes) {
        if let (Some(click), Some(player)) = (real(&m.conversion.click_id), real(&m.conversion.player_id)) {
            let known = players.entry((*scope, &*click.text)).or_insert(&player.text);
            *known = (*known).min(&player.text);
        }
    }
    players
}

/// The player that the row names, else the one that another row of its click names, else the click.
fn player<'a>(
    c: &'a Conversion,
    scope: Scope,
    of_click: &HashMap<(Scope, &'a str), &'a str>,
) -> Option<Player<'a>> {
    if let Some(id) = real(&c.player_id) {
        return Some(Player::Named(&id.text));
    }
    let click: &str = &real(&c.click_id)?.text;
    Some(of_click.get(&(scope, click)).map_or(Player::OfClick(click), |player| Player::Named(player)))
}

/// A first deposit is often sent as a deposit as well, in the same minute.
const TWIN: i64 = 60 * SECOND;

/// Takes out deposits that are the player's first deposit under another name.
fn drop_twins(places: &mut Vec<usize>, rows: &[MatchedConversion]) {
    let named = |i: &usize, name: &str| rows[*i].conversion.facts.name == name;
    let Some(first) = places.iter().copied().find(|i| named(i, "first_deposit")) else { return };
    let first = &rows[first].conversion;
    let twin = |c: &Conversion| {
        let amounts = c.sale_amount.zip(first.sale_amount);
        (c.time - first.time).abs() < TWIN && amounts.is_none_or(|(a, b)| a == b)
    };
    places.retain(|i| !named(i, "deposit") || !twin(&rows[*i].conversion));
}
