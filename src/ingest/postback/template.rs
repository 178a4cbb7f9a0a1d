//! Templates of postbacks: what one lacks, which of its macros the sender replaces, and how a whole one looks.
//!
//! Nothing is asked of a network: the answer is as good as the tables.

use super::query::{decoded, pair, parts, repaired, split};
use super::trackers::{Says, Tracker};
use super::{DAMAGED_NAMES, is_placeholder};
use crate::base::column::Col;
use crate::base::near::nearest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a postback should carry, and what its absence costs.
pub struct Need {
    pub what: &'static str,
    /// Any of these will do; none stands for the token.
    pub columns: &'static [Col],
    pub required: bool,
    pub why: &'static str,
}

/// Everything a postback is asked for, the most important first.
pub const NEEDS: &[Need] = &[
    Need {
        what: "click ID",
        columns: &[Col::ClickId],
        required: true,
        why: "without it no conversion finds its click",
    },
    Need {
        what: "amount",
        columns: &[Col::Payout, Col::Revenue, Col::SaleAmount],
        required: false,
        why: "without it revenue is a constant of the offer, or nothing",
    },
    Need {
        what: "currency",
        columns: &[Col::Currency],
        required: false,
        why: "without it an amount in another currency is read as your own",
    },
    Need {
        what: "event or status",
        columns: &[Col::Event, Col::Status],
        required: false,
        why: "without it registrations and deposits, approved and rejected look alike",
    },
    Need {
        what: "transaction ID",
        columns: &[Col::TransactionId, Col::ConversionId],
        required: false,
        why: "without it a retry cannot be told from a second conversion, nor a replay from either",
    },
    Need {
        what: "token",
        columns: &[],
        required: false,
        why: "without it anybody who knows the address can report conversions",
    },
];

/// What a template lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    pub what: &'static str,
    pub required: bool,
    pub why: &'static str,
    /// The receiver's parameter for it; it may have none.
    pub parameter: Option<&'static str>,
    /// The sender's macro for it with its brackets; it may have none.
    pub macro_: Option<String>,
}

/// A macro of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroUse {
    pub parameter: String,
    pub text: String,
    /// The sender replaces it.
    pub replaced: bool,
    /// What should stand in its place: the sender does not replace it, or by a click ID of its own.
    pub instead: Option<String>,
}

/// What a template came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Parameters that the receiver reads, with the word for what they say.
    pub read: Vec<(String, &'static str)>,
    /// Parameters that it does not know.
    pub unknown: Vec<String>,
    pub macros: Vec<MacroUse>,
    pub lacks: Vec<Advice>,
    /// Ampersands were lost to an HTML editor.
    pub damaged: bool,
    pub corrected: String,
}

impl Check {
    /// Whether nothing is to be repaired: no macro stays, no damage, nothing lacks that could be there.
    pub fn is_complete(&self) -> bool {
        let possible = |a: &Advice| a.parameter.is_some();
        !self.damaged
            && self.macros.iter().all(|m| m.replaced && m.instead.is_none())
            && !self.lacks.iter().any(possible)
    }
}

/// One parameter of a template: as it stands there, and what that means.
struct Part {
    /// Undecoded.
    written: String,
    name: String,
    /// Undecoded.
    value: String,
    says: Option<Says>,
    macros: Vec<MacroUse>,
}

impl Part {
    /// A macro stays in it that nothing can take the place of.
    fn stays(&self) -> bool {
        self.macros.iter().any(|m| !m.replaced && m.instead.is_none())
    }
}

/// A query may have lost an ampersand inside what another one left behind.
const MOST_REPAIRS: usize = 8;

/// Checks a URL or template that `receiver` gets and `sender` fires.
pub fn check(template: &str, receiver: &Tracker, sender: &Tracker) -> Check {
    let (_, _, query) = split(template.as_bytes());
    let known = |name: &str| receiver.says(name).is_some() || DAMAGED_NAMES.contains(&name);
    let mut whole = query.to_vec();
    let repairs = std::iter::from_fn(|| repaired(&whole, &known).map(|query| whole = query));
    let damaged = repairs.take(MOST_REPAIRS).count() > 0;
    let parts = parts_of(&whole, receiver, sender);
    let lacks = lacks(&parts, receiver, sender);
    let word = |says: Says| match says {
        Says::Column(col) => col.name(),
        Says::Words(status) => status,
        Says::Token => "token",
    };
    Check {
        read: parts.iter().filter_map(|p| p.says.map(|s| (p.name.clone(), word(s)))).collect(),
        unknown: parts.iter().filter(|p| p.says.is_none()).map(|p| p.name.clone()).collect(),
        damaged,
        corrected: corrected(template, &parts, &lacks),
        macros: parts.into_iter().flat_map(|p| p.macros).collect(),
        lacks,
    }
}

fn parts_of(query: &[u8], receiver: &Tracker, sender: &Tracker) -> Vec<Part> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let part = |raw| {
        let (name, value) = pair(raw);
        let (written, name) = (text(name), text(&decoded(name)));
        let mut part =
            Part { says: receiver.says(&name), written, name, value: text(value), macros: Vec::new() };
        part.macros = macros(&part, receiver, sender);
        part
    };
    parts(query).map(part).collect()
}

/// All macros of a value: of the sender's brackets, of anybody's around the whole of it, and words of templates.
fn macros(part: &Part, receiver: &Tracker, sender: &Tracker) -> Vec<MacroUse> {
    let value = String::from_utf8_lossy(&decoded(part.value.as_bytes())).into_owned();
    let mut own = inside(&value, sender.brackets);
    if own.is_empty() && is_placeholder(value.as_bytes()) {
        own.push(value);
    }
    own.into_iter().map(|text| judged(part, text, receiver, sender)).collect()
}

/// What stands between brackets, with them.
fn inside(value: &str, (open, close): (&str, &str)) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.find(open) {
        let after = &rest[at + open.len()..];
        let Some(end) = after.find(close).filter(|end| *end > 0) else { break };
        found.push(format!("{open}{}{close}", &after[..end]));
        rest = &after[end + close.len()..];
    }
    found
}

fn judged(part: &Part, text: String, receiver: &Tracker, sender: &Tracker) -> MacroUse {
    let (open, close) = sender.brackets;
    let name = text.strip_prefix(open).and_then(|t| t.strip_suffix(close));
    let found = name.and_then(|name| sender.macro_named(name));
    let of_column = match part.says {
        Some(Says::Column(col)) => macro_for(sender, col, receiver),
        _ => None,
    };
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric());
    let near =
        || nearest(bare, sender.macros.iter().filter(|m| m.up_to == 0).map(|m| m.name)).first().copied();
    let instead = match found {
        None => of_column.or_else(near),
        Some(m) => of_column.filter(|own| {
            m.gives == Some(Col::ClickId) && gives_own(part, sender, receiver) && m.name != *own
        }),
    };
    MacroUse {
        parameter: part.name.clone(),
        text,
        replaced: found.is_some(),
        instead: instead.map(|name| format!("{open}{name}{close}")),
    }
}

/// Whether a parameter is for the receiver's click ID and the sender has another one.
fn gives_own(part: &Part, sender: &Tracker, receiver: &Tracker) -> bool {
    part.says == Some(Says::Column(Col::ClickId)) && sender.name != receiver.name
}

fn lacks(parts: &[Part], receiver: &Tracker, sender: &Tracker) -> Vec<Advice> {
    let said = |says: Says| parts.iter().any(|p| p.says == Some(says) && !p.value.is_empty() && !p.stays());
    let met = |need: &Need| match need.columns {
        [] => said(Says::Token),
        columns => columns.iter().any(|col| said(Says::Column(*col))),
    };
    NEEDS.iter().filter(|need| !met(need)).map(|need| advice(need, receiver, sender)).collect()
}

/// The receiver's parameter and the sender's macro of the first column that both know.
fn advice(need: &Need, receiver: &Tracker, sender: &Tracker) -> Advice {
    let bracketed = |name: &str| format!("{}{name}{}", sender.brackets.0, sender.brackets.1);
    let known = || need.columns.iter().filter_map(|col| Some((receiver.parameter_for(*col)?, *col)));
    let both = known().find_map(|(parameter, col)| Some((parameter, macro_for(sender, col, receiver)?)));
    let (parameter, macro_) = match (need.columns, both) {
        ([], _) => (receiver.token(), None),
        (_, Some((parameter, name))) => (Some(parameter), Some(bracketed(name))),
        (_, None) => (known().next().map(|(parameter, _)| parameter), None),
    };
    Advice { what: need.what, required: need.required, why: need.why, parameter, macro_ }
}

/// One party's payout is the next one's amount.
fn macro_for(sender: &Tracker, col: Col, receiver: &Tracker) -> Option<&'static str> {
    const AMOUNTS: [Col; 3] = [Col::Payout, Col::SaleAmount, Col::Revenue];
    let other =
        || AMOUNTS.iter().filter(|_| AMOUNTS.contains(&col)).find_map(|c| sender.macro_for(*c, receiver));
    sender.macro_for(col, receiver).or_else(other)
}

/// What stands for a token, which only the user knows.
pub const TOKEN_PLACE: &str = "YOUR-TOKEN";

/// The template with macros that the sender replaces, and with what it lacks.
fn corrected(template: &str, parts: &[Part], lacks: &[Advice]) -> String {
    let begin = template.split('?').next().unwrap_or(template);
    let kept = parts.iter().filter(|part| !part.value.is_empty() && !part.stays());
    let mut pairs: Vec<(String, String)> = kept.map(|part| (part.written.clone(), value_of(part))).collect();
    for advice in lacks {
        let Some(parameter) = advice.parameter else { continue };
        match &advice.macro_ {
            Some(text) => pairs.push((parameter.to_owned(), text.clone())),
            None if advice.what == "token" => pairs.push((parameter.to_owned(), TOKEN_PLACE.to_owned())),
            None => {}
        }
    }
    joined(begin, &pairs)
}

/// A value with what should stand in the place of its macros. Where one is encoded it takes the whole place.
fn value_of(part: &Part) -> String {
    let (mut out, mut rest) = (String::new(), part.value.as_str());
    for m in &part.macros {
        match (rest.split_once(&m.text), &m.instead) {
            (Some((before, after)), instead) => {
                out += before;
                out += instead.as_deref().unwrap_or(&m.text);
                rest = after;
            }
            (None, Some(instead)) => return instead.clone(),
            (None, None) => {}
        }
    }
    out + rest
}

fn joined(begin: &str, pairs: &[(String, String)]) -> String {
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if query.is_empty() { begin.to_owned() } else { format!("{begin}?{}", query.join("&")) }
}

/// A URL that was built, and what of a whole postback it could not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub url: String,
    pub lacks: Vec<Advice>,
}

/// What may stand in a value besides letters and digits.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Builds the template that `receiver` gets at `place` and `sender` fires; `fixed` are parameters with a value
/// of their own.
pub fn build(place: &str, receiver: &Tracker, sender: &Tracker, fixed: &[(String, String)]) -> Built {
    let encode = |(name, value): &(String, String)| format!("{name}={}", utf8_percent_encode(value, VALUE));
    let fixed: Vec<String> = fixed.iter().map(encode).collect();
    let mark = if place.contains('?') { "&" } else { "?" };
    let given = if fixed.is_empty() { place.to_owned() } else { format!("{place}{mark}{}", fixed.join("&")) };
    let url = check(&given, receiver, sender).corrected;
    let rest = check(&url, receiver, sender);
    Built { url, lacks: rest.lacks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::postback::TRACKERS;
    use proptest::prelude::*;

    fn of(name: &str) -> &'static Tracker {
        Tracker::of(name).expect("a tracker of the table")
    }

    fn corrected(template: &str, receiver: &str, sender: &str) -> String {
        check(template, of(receiver), of(sender)).corrected
    }

    #[test]
    fn a_whole_template_stays_as_it_is() {
        for (template, receiver, sender) in [
            (
                "https://t.example/postback?click_id={click_id}&event={event}&amount={amount}&currency={currency}\
                 &transaction_id={transaction_id}&token=s3",
                "generic",
                "generic",
            ),
            (
                "https://t.example/postback?cid={sub1}&payout={payout_amount}&txid={conversion_id}\
                 &currency={currency}&et={event_name}",
                "voluum",
                "everflow",
            ),
        ] {
            let found = check(template, of(receiver), of(sender));
            assert!(found.is_complete(), "{found:?}");
            assert_eq!(found.corrected, template);
        }
    }

    #[test]
    fn what_lacks_is_added_with_the_senders_macros() {
        assert_eq!(
            corrected("https://t.example/postback?cid={sub1}", "voluum", "everflow"),
            "https://t.example/postback?cid={sub1}&payout={payout_amount}&currency={currency}&et={event_id}\
             &txid={order_id}"
        );
        assert_eq!(
            corrected("https://t.example/click.php", "binom", "cake"),
            "https://t.example/click.php?cnv_id=#s1#&payout=#price#"
        );
    }

    #[test]
    fn macros_of_others_are_told_and_replaced() {
        let found = check("/postback?cid={clickid}&payout=[PAYOUT]&et=REPLACE", of("voluum"), of("everflow"));
        let told: Vec<(&str, bool, Option<&str>)> =
            found.macros.iter().map(|m| (m.text.as_str(), m.replaced, m.instead.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("{clickid}", false, Some("{sub1}")),
                ("[PAYOUT]", false, Some("{payout_amount}")),
                ("REPLACE", false, Some("{event_id}")),
            ]
        );
        assert!(found.corrected.starts_with("/postback?cid={sub1}&payout={payout_amount}&et={event_id}"));
    }

    #[test]
    fn a_click_id_of_the_senders_own_is_not_the_receivers() {
        let found = check("/postback?cid={transaction_id}", of("voluum"), of("everflow"));
        assert!(!found.is_complete());
        assert_eq!((found.macros[0].replaced, found.macros[0].instead.as_deref()), (true, Some("{sub1}")));
        assert!(found.corrected.starts_with("/postback?cid={sub1}&"));
        assert!(
            check("/p?transaction_id={transaction_id}", of("everflow"), of("everflow")).macros[0]
                .instead
                .is_none()
        );
    }

    #[test]
    fn damage_and_unknown_parameters_are_told() {
        let found = check("/p?click_id={click_id}&foo=1¤cy=USD", of("generic"), of("generic"));
        assert!(found.damaged);
        assert_eq!(found.unknown, ["foo"]);
        assert!(found.corrected.starts_with("/p?click_id={click_id}&foo=1&currency=USD&"));
    }

    #[test]
    fn corrections_are_stable() {
        let templates = [
            "/p",
            "/p?",
            "/p?cid={x}&cid=",
            "https://t.example?subid=#s1#",
            "x?y",
            "",
            "/p?{}=&&=",
            "/p?a=%7Bb%7D",
        ];
        for template in templates {
            for receiver in TRACKERS {
                for sender in TRACKERS {
                    let once = check(template, receiver, sender).corrected;
                    let twice = check(&once, receiver, sender);
                    assert_eq!(twice.corrected, once, "{} {} {template}", receiver.name, sender.name);
                    assert!(twice.macros.iter().all(|m| m.replaced && m.instead.is_none()), "{once}");
                }
            }
        }
    }

    /// Pieces of templates in any order.
    fn templates() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "cid",
            "subid",
            "payout",
            "transaction_id",
            "currency",
            "token",
            "et",
            "status",
            "=",
            "=",
            "&",
            "&",
            "{",
            "}",
            "#",
            "[",
            "]",
            "{clickid}",
            "{sub1}",
            "{externalid}",
            "{sub1}{clickid}",
            "#s1#",
            "[CID]",
            "REPLACE",
            "%7Bsub%7D",
            "%7B",
            "%7D",
            "%26",
            "%3D",
            "%",
            "+",
            "¤cy=",
            "×tamp=",
            "&amp;",
            "&amp;amp;",
            "%C2%A4",
            "?",
            "/",
            "x",
            "é",
            "1.5",
            " ",
            "YOUR-TOKEN",
        ]);
        prop::collection::vec(piece, 0..16)
            .prop_map(|pieces| format!("https://t.example/p?{}", pieces.concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(17), ..ProptestConfig::with_cases(4_000) })]

        /// What was corrected needs no correction: no damage, no macro that stays, nothing lacking that could
        /// be there, and the same text.
        #[test]
        fn a_corrected_template_is_right(template in templates(), receiver in 0..TRACKERS.len(), sender in 0..TRACKERS.len()) {
            let (receiver, sender) = (&TRACKERS[receiver], &TRACKERS[sender]);
            let once = check(&template, receiver, sender).corrected;
            let twice = check(&once, receiver, sender);
            prop_assert_eq!(&twice.corrected, &once, "{} {} {}", receiver.name, sender.name, template);
            prop_assert!(twice.macros.iter().all(|m| m.replaced && m.instead.is_none()), "{}: {:?}", once, twice);
            prop_assert!(!twice.damaged && !twice.lacks.iter().any(|a| a.parameter.is_some() && a.macro_.is_some()), "{}: {:?}", once, twice);
        }
    }

    #[test]
    fn a_built_url_encodes_what_is_fixed() {
        let fixed = [("et".to_owned(), "first deposit & more".to_owned())];
        let built = build("https://t.example/postback", of("voluum"), of("affise"), &fixed);
        assert_eq!(
            built.url,
            "https://t.example/postback?et=first%20deposit%20%26%20more&cid={sub1}&payout={sum}\
             &currency={currency}&txid={transactionid}"
        );
        assert_eq!(built.lacks.iter().map(|l| l.what).collect::<Vec<_>>(), ["token"]);
    }
}
