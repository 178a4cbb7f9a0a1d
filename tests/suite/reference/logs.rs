//! What a log says of postbacks, the plainest way.

use super::{Conversion, DAY, Group, Value, exact, share};
use std::collections::BTreeMap;

fn failed(c: &Conversion) -> bool {
    c.row.http_status.is_some_and(|status| !(100..400).contains(&(status / 1_000_000)))
}

/// What counts is the delivery that was taken.
pub fn absorb(earlier: &mut Conversion, later: &Conversion) {
    if failed(earlier) && later.row.http_status.is_some() && !failed(later) {
        earlier.row.request = later.row.request.clone();
        earlier.row.http_status = later.row.http_status;
        earlier.row.sender_listed = later.row.sender_listed;
        earlier.row.token = later.row.token.clone();
        earlier.row.signature = later.row.signature.clone();
        earlier.row.macro_left = later.row.macro_left;
    }
    earlier.delivered_again = true;
}

/// Deliveries of one request: after a failure, or within a day of the one before, they are retries. Where the request
/// names neither a transaction nor an event that happens once, two that were taken are two conversions.
pub fn deliveries(mut all: Vec<Conversion>) -> Vec<Conversion> {
    all.sort_by_key(|c| (c.time, !failed(c)));
    let mut kept: Vec<Conversion> = Vec::new();
    let mut met: Vec<Conversion> = Vec::new();
    for mut c in all {
        let same = |k: &&Conversion| k.row.request.is_some() && k.row.request == c.row.request;
        let last_met = met.iter().rfind(same).map(|k| k.time);
        met.push(c.clone());
        let Some(at) = kept.iter().rposition(|k| same(&k)) else {
            kept.push(c);
            continue;
        };
        let numbered = c.once || c.row.transaction_id.is_some() || c.row.conversion_id.is_some();
        let foreign = c.row.sender_listed == Some(false) && kept[at].row.sender_listed != Some(false);
        let late = last_met.is_some_and(|t| c.time - t > DAY);
        if failed(&c) || failed(&kept[at]) || (numbered && !foreign && !late) {
            absorb(&mut kept[at], &c);
        } else {
            c.replayed = numbered;
            kept.push(c);
        }
    }
    kept
}

impl Group<'_> {
    pub(super) fn log_signals(&self, all: &mut BTreeMap<&'static str, Option<Value>>) {
        let part = |column: &str, known: fn(&Conversion) -> bool, test: fn(&Conversion) -> bool| {
            let n = self.conversions_where(known);
            let x = self.conversions_where(|c| known(c) && test(c));
            (x, n, self.with_conversions(&[column]))
        };
        let mut shares = |name, (x, n, given): (usize, usize, bool)| {
            all.insert(name, share(x, n).filter(|_| given));
            (x, n, given)
        };
        let answered = |c: &Conversion| c.row.http_status.is_some();
        shares("lost_postback_share", part("http_status", answered, failed));
        let requested = |c: &Conversion| c.row.request.is_some();
        shares("retried_postback_share", part("request", requested, |c| c.delivered_again));
        let replayed = shares("replayed_postback_share", part("request", requested, |c| c.replayed));
        let listed = |c: &Conversion| c.row.sender_listed.is_some();
        shares("foreign_sender_share", part("sender_listed", listed, |c| c.row.sender_listed == Some(false)));
        let told = |c: &Conversion| word(&c.row.token, &["right", "missing", "wrong"]);
        shares("missing_token_share", part("token_verdict", told, |c| word(&c.row.token, &["missing"])));
        shares("wrong_token_share", part("token_verdict", told, |c| word(&c.row.token, &["wrong"])));
        let proved = |c: &Conversion| word(&c.row.signature, &["valid", "missing", "forged"]);
        shares(
            "unsigned_postback_share",
            part("signature_verdict", proved, |c| word(&c.row.signature, &["missing"])),
        );
        let forged = shares(
            "forged_postback_share",
            part("signature_verdict", proved, |c| word(&c.row.signature, &["forged"])),
        );
        let looked = |c: &Conversion| c.row.macro_left.is_some();
        shares("postback_macro_share", part("macro_left", looked, |c| c.row.macro_left == Some(true)));
        for (name, (x, n, given)) in
            [("replayed_postback_count", replayed), ("forged_postback_count", forged)]
        {
            all.insert(name, exact(x as f64, n).filter(|_| given && n > 0));
        }
    }
}

/// Whether a text is one of these words, however it is written.
fn word(text: &Option<String>, words: &[&str]) -> bool {
    text.as_ref().is_some_and(|t| words.contains(&t.trim().to_lowercase().as_str()))
}

/// The latest row of a conversion ID has its own postback, delivered as often as it was.
pub fn take(earlier: &mut Conversion, later: &Conversion) {
    (earlier.delivered_again, earlier.replayed) = (later.delivered_again, later.replayed);
}
