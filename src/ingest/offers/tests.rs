//! What offers files say, and every way in which they can be wrong.

use super::*;
use crate::base::time::parse_day;

fn of(text: &str) -> Offers {
    Offers::parse(text, "offers.csv").unwrap_or_else(|faults| panic!("{}", crate::base::diag::plain(&faults)))
}

fn at(day: &str) -> i64 {
    i64::from(parse_day(day).expect(day)) * DAY
}

/// Every fault as `line:column message (help)`.
fn faults(text: &str) -> Vec<String> {
    let faults = Offers::parse(text, "offers.csv").expect_err(text);
    let told = |f: &Diag| {
        let (line, column) = f.position().expect("a place");
        assert!(f.help.is_some(), "{} has no help", f.message);
        assert_eq!(f.code.slug, "bad-offer");
        format!("{line}:{column} {}", f.message)
    };
    faults.iter().map(told).collect()
}

#[test]
fn a_row_holds_until_the_next_of_its_offer() {
    let offers = of("offer,from,model\nc,2026-03-10,CPL\nc,2026-03-01,cpa\nd,,revshare\n");
    let model = |offer, day| offers.terms(offer, at(day)).and_then(|t| t.model);
    assert_eq!(model("c", "2026-02-28"), None);
    assert_eq!(model("c", "2026-03-01"), Some(Model::Cpa));
    assert_eq!(model("c", "2026-03-09"), Some(Model::Cpa));
    assert_eq!(model(" c ", "2026-03-10"), Some(Model::Cpl));
    assert_eq!(model("d", "2001-01-01"), Some(Model::RevShare));
    assert_eq!(model("e", "2026-03-10"), None);
}

#[test]
fn payouts_go_by_country_tier_and_number() {
    let offers = of("offer;payout;tiers\nc;DE=80 DE@51=95 T1=60|*=40+25%;T1=US/uk/DE\n");
    let terms = offers.terms("c", 0).expect("terms");
    let pay = |country, nth| terms.pay(country, nth).map(|p| (p.fixed / 1_000_000, p.share));
    assert_eq!(pay(Some("de"), 50), Some((80, 0)));
    assert_eq!(pay(Some("DE"), 51), Some((95, 0)));
    assert_eq!(pay(Some("GB"), 51), Some((60, 0)));
    assert_eq!(pay(Some("UK"), 1), Some((60, 0)));
    assert_eq!(pay(Some("FR"), 1), Some((40, 2_500)));
    assert_eq!(pay(None, 1), Some((40, 2_500)));
    let rates = Rates::default();
    let paid = |sale| offers.paid(terms, terms.pay(None, 1).expect("pay"), sale, Some("USD"), &rates, 0);
    assert_eq!(paid(Some(100_000_000)), Some(65_000_000));
    assert_eq!(paid(None), None);
    let few = of("offer,payout\nc,DE=80\n");
    assert_eq!(few.terms("c", 0).and_then(|t| t.pay(Some("AT"), 1)), None);
}

#[test]
fn what_is_fixed_in_a_hybrid_is_paid_once() {
    let offers = of("offer,model,payout\nh,hybrid,40+25%\nr,RevShare,40+25%\n");
    let earned = |offer, event| {
        let terms = offers.terms(offer, 0).expect("terms");
        let pay = terms.earned(terms.pay(None, 1).expect("pay"), event);
        (pay.fixed / 1_000_000, pay.share)
    };
    assert_eq!(earned("h", "first_deposit"), (40, 2_500));
    assert_eq!(earned("h", "deposit"), (0, 2_500));
    assert_eq!(earned("r", "deposit"), (40, 2_500));
}

#[test]
fn amounts_are_exchanged() {
    let offers = of("offer,payout,currency\nc,80,eur\n");
    let terms = offers.terms("c", 0).expect("terms");
    let rates = Rates::constant(&BTreeMap::from([("EUR".to_owned(), "1.25".to_owned())])).expect("a rate");
    assert_eq!(offers.amount(terms, 80, Some("USD"), &rates, 0), Some(100));
    assert_eq!(offers.amount(terms, 80, Some("EUR"), &rates, 0), Some(80));
    assert_eq!(offers.amount(terms, 80, Some("USD"), &Rates::default(), 0), None);
}

#[test]
fn periods_start_anew_in_the_offers_zone() {
    let offers = of("offer,cap,cap_zone\nc,50,Asia/Tokyo\nw,50/week,\nm,9/month,\n");
    let period = |offer, time: i64| {
        let terms = offers.terms(offer, time).expect("terms");
        terms.period(terms.cap.expect("a cap").period, time)
    };
    let hour = DAY / 24;
    // Midnight in Tokyo is 15:00 UTC.
    assert_ne!(period("c", at("2026-03-02") + 14 * hour), period("c", at("2026-03-02") + 15 * hour));
    assert_eq!(period("c", at("2026-03-02") + 15 * hour), period("c", at("2026-03-03") + 14 * hour));
    // 2026-03-02 is a Monday.
    assert_ne!(period("w", at("2026-03-01")), period("w", at("2026-03-02")));
    assert_eq!(period("w", at("2026-03-02")), period("w", at("2026-03-08")));
    assert_ne!(period("m", at("2026-03-31")), period("m", at("2026-04-01")));
    assert_ne!(period("m", at("2025-04-01")), period("m", at("2026-04-01")));
}

#[test]
fn words_are_the_offers_or_those_on_which_all_agree() {
    let offers = of(
        "offer,events,rejects\nc,reg=registration dep=first_deposit,limit_hit=cap\nd,dep=deposit REG=registration,\n",
    );
    let event = |offer, word: &str| offers.words(offer, 0).and_then(|t| t.events.get(word).cloned());
    assert_eq!(event(Some("c"), "dep").as_deref(), Some("first_deposit"));
    assert_eq!(event(Some("d"), "dep").as_deref(), Some("deposit"));
    assert_eq!(event(None, "dep"), None);
    assert_eq!(event(None, "reg").as_deref(), Some("registration"));
    let class = |reason| offers.words(Some("c"), 0).and_then(|t| t.class(reason));
    assert_eq!(class("Limit-Hit"), Some(RejectClass::Cap));
    assert_eq!(class("wrong_geo"), Some(RejectClass::Geo));
    assert_eq!(class("who knows"), None);
}

#[test]
fn every_word_of_a_reject_belongs_to_one_class() {
    let mut words: Vec<&str> = REJECT_CLASSES.iter().flat_map(|c| c.3.iter().copied()).collect();
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), count);
    for (class, name, counts, words) in REJECT_CLASSES {
        assert_eq!((class.word(), class.counts()), (*name, *counts));
        assert!(words.iter().all(|w| folded(w) == *w && words.is_sorted()), "{name}");
    }
    let against: Vec<&str> = REJECT_CLASSES.iter().filter(|c| c.2).map(|c| c.1).collect();
    assert_eq!(against, ["quality", "fraud"]);
}

#[test]
fn every_column_is_once_and_reads_its_example() {
    let mut names: Vec<&str> = COLUMNS.iter().map(|c| c.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), COLUMNS.len());
    for column in COLUMNS {
        let mut terms = Terms::default();
        let read = (column.read)(&mut terms, column.example);
        assert!(read.is_ok() && !column.effect.is_empty(), "{}", column.name);
        assert!(column.name == "offer" || terms != Terms::default(), "{} has no effect", column.name);
    }
}

#[test]
fn every_fault_is_found_at_once_with_its_place() {
    let text = "offer,from,model,payout,min_deposit,cap,cap_zone,hold_days,attribution_window,countries,incentive,rejects,events,pays,currency\n\
                a,yesterday,CPX,DE=x,-1,ten,Mars,many,30,Germany,maybe,x=sometimes,dep=frst_deposit,frist,EURO!\n";
    assert_eq!(
        faults(text),
        [
            "2:3 from: `yesterday` is no day",
            "2:13 model: `CPX` is no model",
            "2:17 payout: `DE=x` is no amount",
            "2:22 min_deposit: `-1` is no amount",
            "2:25 cap: `ten` is no cap",
            "2:29 cap_zone: `Mars` cannot be read: `Mars` is no time zone; expected an IANA name such as Europe/Berlin or UTC",
            "2:34 hold_days: `many` is no number of days",
            "2:39 attribution_window: `30` cannot be read: `30` is no duration",
            "2:42 countries: `Germany` has `Germany`, which is no country",
            "2:50 incentive: `maybe` is neither yes nor no",
            "2:56 rejects: `x=sometimes` has `sometimes`, which is no class of rejects",
            "2:68 events: `dep=frst_deposit` has `frst_deposit`, which is no event",
            "2:85 pays: `frist` has `frist`, which is no event",
            "2:91 currency: `EURO!` is no currency code",
        ]
    );
}

#[test]
fn what_is_no_offers_file_is_told() {
    for (text, expected) in [
        ("", "1:1 the offers file is empty"),
        ("model\nCPA\n", "1:1 the column `offer` is missing"),
        ("offer,modle\na,CPA\n", "1:7 there is no column `modle` in an offers file"),
        ("offer,Offer\na,b\n", "1:7 the column `offer` stands there twice"),
        ("offer,model\na\n", "2:1 the row has 1 fields, the header 2"),
        ("offer,model\n,CPA\n", "2:1 the row names no offer"),
        ("offer,model\n\"a,CPA\n", "2:1 a quote does not close"),
        (
            "offer,from\na,2026-03-01\nb,\na,2026-03-01\n",
            "4:1 a second row of the offer holds from 2026-03-01",
        ),
        ("offer\na\na\n", "3:1 a second row of the offer holds from the beginning"),
        (
            "offer,payout\na,T1=80\n",
            "2:3 payout: pays for `T1`, which is neither a country nor one of the row's tiers",
        ),
        ("offer,payout\na,DE=80 de=90\n", "2:3 payout: `DE=80 de=90` names `de` twice"),
        ("offer,payout\na,DE@0=80\n", "2:3 payout: `DE@0=80` has `DE@0=80`, which starts with no conversion"),
        ("offer,payout\na,120%\n", "2:3 payout: `120%` pays more than 100% of what the customer paid"),
        ("offer,events\na,dep\n", "2:3 events: `dep` has the entry `dep`, which is no WORD=MEANING"),
        ("offer,cap\na,50/hour\n", "2:3 cap: `50/hour` is no period of a cap"),
    ] {
        assert_eq!(faults(text), [expected], "{text:?}");
    }
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let offers = of(EXAMPLE);
    let terms = |day| offers.terms("casino-de", at(day)).expect("terms");
    assert_eq!(terms("2026-02-28").cap, Some(Cap { most: 50, period: Period::Day }));
    assert_eq!(terms("2026-03-01").pay(Some("DE"), 101).map(|p| p.fixed), Some(100_000_000));
    let sweeps = offers.terms("sweeps", 0).expect("terms");
    assert_eq!(sweeps.pay(Some("FR"), 1).map(|p| p.fixed), Some(1_200_000));
    assert!(sweeps.pays_for("lead") && !sweeps.pays_for("sale") && sweeps.incentive == Some(true));
}

#[test]
fn quotes_bom_and_line_ends_are_read() {
    let offers = of("\u{feff}\"offer\" ;payout\r\n\"a;\"\"b\"\"\"; \"DE=80 *=40\"\r\n\r\nc;\r\n");
    assert_eq!(offers.count(), 2);
    assert!(offers.terms("a;\"b\"", 0).is_some_and(|t| t.payout.len() == 2));
    assert!(offers.pay() && !offers.have_models());
}
