//! Where there are too few peers fixed limits decide, but not against what an offer does to everybody.

use crate::runs::{Folder, Table, source, time};
use serde_json::Value;

const CLICKS: usize = 120;

/// Sources with an offer each, of whose conversions one in ten, or nine in ten, come three seconds after the click.
fn audited(sources: &[(&str, &str, bool)]) -> Value {
    let mut clicks = Table::new("click_id,click_time,source,offer,ip,cost");
    let mut conversions =
        Table::new("conversion_id,transaction_id,click_id,event,conversion_time,status,payout");
    for (number, (name, offer, fast)) in sources.iter().enumerate() {
        for i in 0..CLICKS {
            let (id, second) = (format!("{name}-{i}"), i * 3_607 + number * 97);
            let ip = format!("10.{}.{}.{}", number, second % 251, second / 251 % 251);
            clicks.push(&[&id, &time(second), name, offer, &ip, "0.01"]);
            if i % 12 >= 7 {
                let slow = (i / 12 + i % 12) % 10 == 0;
                let wait = if slow == *fast { 200 + i * 13 } else { 3 };
                let (own, then) = (format!("v-{id}"), time(second + wait));
                conversions.push(&[&own, &format!("t-{id}"), &id, "lead", &then, "approved", "1.50"]);
            }
        }
    }
    let folder = Folder::new().with("clicks.csv", clicks.csv()).with("conversions.csv", conversions.csv());
    folder.report("clicks.csv conversions.csv")
}

#[test]
fn what_most_sources_of_an_offer_do_accuses_none_of_them() {
    let of_tap = ["tap1", "tap2", "tap3", "tap4"].map(|name| (name, "tap", true));
    let of_form = ["form1", "form2", "form3", "form4"].map(|name| (name, "form", false));
    let fast = ("fast", "form", true);
    let all: Vec<_> = of_tap.into_iter().chain(of_form).chain([fast]).collect();
    let report = audited(&all);
    assert_eq!(source(&report, "fast")["verdict"], "block");
    for (name, ..) in of_tap {
        let group = source(&report, name);
        assert_eq!(
            (&group["verdict"], &group["findings"]),
            (&"undecided".into(), &Value::Array(vec![])),
            "{name}"
        );
        let because = group["undecided_because"].to_string();
        assert!(because.contains("most sources of its offer are beyond the limit"), "{name}: {because}");
    }
    of_form.iter().for_each(|(name, ..)| assert_ne!(source(&report, name)["verdict"], "block", "{name}"));
}

/// Three sources do not say what an offer is like, nor do any number if nobody says what was promoted.
#[test]
fn a_limit_stands_where_nobody_shows_what_is_usual() {
    for (names, offer) in [(&["tap1", "tap2", "tap3"][..], "tap"), (&["a", "b", "c", "d", "e"][..], "")] {
        let all: Vec<_> = names.iter().map(|name| (*name, offer, true)).collect();
        let report = audited(&all);
        all.iter().for_each(|(name, ..)| assert_eq!(source(&report, name)["verdict"], "block", "{name}"));
    }
}
