//! One small report for the tests of every format, made by hand, and what each format shows of it.

use super::evidence::{Case, Dossier, reason};
use super::explain::Sample;
use super::{
    AbsentSignal, Arrived, Change, Classes, Coverage, First, InputInfo, List, Lists, Moved, News, Report,
    RowCount, RuleTally, RulesInfo, RunInfo, Totals,
};
use crate::base::column::{Col, Grain};
use crate::base::lists::Listed;
use crate::base::money::{Micro, SCALE};
use crate::base::networks::Widest;
use crate::base::text::Text;
use crate::measures::Incident;
use crate::peers::anomaly::{Odd, Oddness};
use crate::peers::expected_loss::Loss;
use crate::peers::ranking::Expected;
use crate::peers::shrink;
use crate::peers::{Direction, Level, Sibling, Sides, Versus};
use crate::rules::{Action, Class, Evidence, Limit, Rule, Truth, Why};
use crate::signals::{self, Absence, Estimate, Reading, Row};
use crate::verdicts::{
    Answers, Clawback, Counted, Finding, Judged, Listing, Resold, Shared, Subject, Verdict,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules whose findings the sample shows.
pub fn rules() -> Vec<Rule> {
    let rule = |id: &str, title: &str, class: Class| Rule {
        title: title.to_owned(),
        class,
        action: Action::Block,
        ..Rule::sample(id)
    };
    vec![
        rule("conversions-too-fast", "Too fast", Class::Fraud),
        rule("replayed-conversions", "Paid twice", Class::Fraud),
        rule("one-address", "One address", Class::Quality),
    ]
}

/// Seven groups: two to block, one to hold, one to watch, one clean, two undecided.
pub fn report(rules: &[Rule]) -> Report<'_> {
    let mut report = empty();
    report.groups = groups(rules);
    report.rules = tallies(rules);
    report.run.inputs = inputs();
    report.run.rules.stable = rules.len();
    report.coverage = coverage();
    report.totals = Totals {
        clicks: 41_203,
        conversions: 884,
        cost: Some(Micro(8_240_600_000)),
        revenue: Some(Micro(9_000 * SCALE)),
        profit: Some(Micro(759_400_000)),
        payout: None,
    };
    report.lists.block = List::Ready(Listing {
        ids: vec!["pub9".into(), "pub10032".into()],
        rejected: vec![(Text::new("*\u{1b}"), "it is no ID")],
        listed: ["pub9", "pub10032"].map(listed).to_vec(),
        mixed: None,
    });
    report
}

/// What changed since an earlier run, with a name from data.
pub fn news(name: &str) -> News {
    let key = |source: &str| vec![None, Some(Text::new(source))];
    let moved = |source: &str, change, from: Option<&str>, to: &str| Moved {
        key: key(source),
        change,
        from: from.map(str::to_owned),
        to: to.to_owned(),
        at_risk: Some(Micro(1_204 * SCALE)),
        why: Some(format!("{name} is too fast; acts at once")),
    };
    News {
        since: Some("2026-03-08T00:00:00Z".to_owned()),
        moved: vec![
            moved(name, Change::New, None, "block"),
            moved("pub31", Change::Cleared, Some("hold"), "clean"),
        ],
        gone: vec![(key(name), "watch".to_owned())],
        arrived: Arrived::of(7, vec![First { key: key(name), clicks: 608, verdict: "clean".to_owned() }]),
        notes: vec!["the rules are others than then".to_owned()],
    }
}

/// The sample with everything that stands beside verdicts: a cluster of two, an odd source, money, growth.
pub fn with_outlook(rules: &[Rule]) -> Report<'_> {
    let mut report = report(rules);
    let units = |units: i64| Micro(units * SCALE);
    report.run.parameters = BTreeMap::from([
        ("assumed_horizon_days", "30".to_owned()),
        ("assumed_margin", "0.2".to_owned()),
        ("target_roi", "0.3".to_owned()),
    ]);
    report.clusters = vec![Resold {
        of_clicks: false,
        overlap: 0.65,
        expected_overlap: 0.02,
        shared_networks: 240,
        agents: Some(0.9),
        verdict: Verdict::Block,
        carried_by: 1,
        ln_p: Some(1e-4f64.ln()),
        clicks: 4_802,
        cost: Some(units(960)),
        money_at_risk: Some(units(1_204)),
    }];
    for at in [0, 3] {
        report.groups[at].outlook.shared = Some(Shared { cluster: 0, others: 1, verdict: Verdict::Block });
    }
    report.groups[0].outlook.recoverable_now = Some(Micro(96_500_000));
    let replays = Counted { count: 12, amount: Some(Micro(96_500_000)) };
    report.groups[0].outlook.clawback = Some(Clawback { replays, ..Clawback::default() });
    report.groups[0].outlook.loss = Some(Loss {
        money_at_risk: units(400),
        recoverable_now: Micro(96_500_000),
        loss_keep: units(1_600),
        loss_block: units(170),
        expected_saving: units(1_430),
        worth_holding: true,
    });
    let cr = shrink::Estimate { mean: 0.05, low: 0.04, high: 0.06 };
    report.groups[0].outlook.expected = Some(Expected { cr, epc: Some(0.4) });
    report.groups[3].outlook.odd = Some(Odd {
        oddness: Oddness { score: 0.7, rank_p: 0.002 },
        signals: vec![("gap_cv", 37.3), ("ip_hhi", 4.25), ("hour_r", 2.0)],
    });
    report.groups[4].outlook.scalable = true;
    report
}

/// A zone of no traffic source on a list.
fn listed(id: &str) -> Listed {
    let key = [("traffic_source", None), ("source", Some(Text::new(id)))];
    Listed { key: key.map(|(col, value)| (col.to_owned(), value)).to_vec(), rule: "a-rule".into() }
}

/// A report about nothing.
pub fn empty() -> Report<'static> {
    let none = || List::Ready(Listing::default());
    Report {
        peers: crate::peers::Summary::default(),
        incidents: vec![],
        siblings: vec![],
        forwarded: None,
        run: RunInfo {
            version: "0.1.0",
            inputs: vec![],
            rules_digest: "a94f00d15ea5e0123".into(),
            rules: RulesInfo::default(),
            grain: Grain::source(),
            window: Some((20_513, 20_526)),
            as_of: Some(1_773_532_799_000_000),
            tz: "UTC".into(),
            perspective: "buyer",
            currency: Some(Text::new("USD")),
            rates: Vec::new(),
            maturity_s: 172_800,
            parameters: BTreeMap::new(),
            pii: crate::base::privacy::Pii::Mask,
        },
        coverage: Coverage::default(),
        totals: Totals::default(),
        groups: vec![],
        lists: Lists {
            block: none(),
            profit: none(),
            scale: none(),
            protected: vec![],
            widest: Widest::CUSTOMER,
            sources: Default::default(),
        },
        clusters: vec![],
        dossiers: vec![],
        history: None,
        rules: vec![],
        news: None,
        pictures: BTreeMap::new(),
    }
}

/// One blocked group, every text of which is `text`.
pub fn hostile<'r>(rules: &'r [Rule], text: &str) -> Report<'r> {
    let mut report = report(rules);
    report.groups.truncate(1);
    report.groups[0].subject.key = vec![Some(Text::new(text)), Some(Text::new(text))];
    report.run.inputs.truncate(1);
    report.run.inputs[0].path = Text::new(text);
    report.run.currency = Some(Text::new(text));
    report.coverage.notes = vec![Text::new(text)];
    report.coverage.absent[0].reason = text.to_owned();
    report.incidents = vec![Incident { unit: Some((Col::Offer, Text::new(text))), ..incident() }];
    report.siblings = vec![Sibling {
        offer: Text::new(text),
        network: Text::new(text),
        against: Text::new(text),
        ..sibling()
    }];
    report.coverage.clicks.as_mut().unwrap().rejected.insert(text.to_owned(), 1);
    report.lists.block = List::Ready(Listing {
        rejected: vec![(Text::new(text), "it is no ID")],
        listed: vec![listed(text)],
        ..Listing::default()
    });
    report.dossiers = vec![Dossier { group: 0, all: 240, as_a_whole: false, cases: vec![case(text)] }];
    report
}

/// A conversion in question, every text of which is `text`.
pub fn case(text: &str) -> Case {
    let text = || Some(Text::new(text));
    Case {
        sample: Sample {
            click_id: text(),
            transaction_id: text(),
            time: 1_773_000_000_000_000,
            ctit_s: Some(3),
            class: "matched",
            event: Text::new("registration"),
            status: "approved",
            amount: Some(Micro(12 * SCALE)),
            offer: text(),
            country: text(),
            address: text(),
            fraud_reason: text(),
        },
        click_time: Some(1_772_999_997_000_000),
        lock_time: None,
        first_report: None,
        payable: true,
        reasons: vec![reason("ctit_short_share").expect("it is in the table")],
        content: 1,
    }
}

/// Two days of an offer on which nothing converted.
pub fn incident() -> Incident {
    Incident {
        unit: Some((Col::Offer, Text::new("offer-7"))),
        first_day: 20_517,
        last_day: 20_518,
        hours: None,
        expected: 61.4,
        low: 38.2,
        high: 98.7,
        observed: 0,
        told: 9,
        fell: 9,
        ln_p: -34.5,
    }
}

/// A network that falls behind another one.
pub fn sibling() -> Sibling {
    Sibling {
        offer: Text::new("offer-7"),
        network: Text::new("alpha"),
        against: Text::new("beta"),
        ratio: 0.6,
        low: 0.5,
        high: 0.7,
        zones: 12,
        ln_p: -14.0,
        q: 1e-6,
        behind: true,
        turn: None,
    }
}

/// A comparison with 41 peers that have this share.
pub fn versus(expected: f64) -> Versus {
    Versus {
        expected,
        level: Level::of(&[Col::Offer, Col::Country]),
        peers: 41,
        ratio: 6.0,
        ratio_limit: 4.0,
        z: 6.0,
        direction: Direction::High,
        sides: Sides::new(Some(-20.0), None),
        q: 0.001,
        large: true,
        decibans: 30.0,
    }
}

/// So many groups at watch.
pub fn watched(rules: &[Rule], n: usize) -> Report<'_> {
    let mut report = empty();
    report.groups =
        (0..n).map(|i| group(&format!("pub{i}"), Verdict::Watch, vec![finding(&rules[2])])).collect();
    report
}

fn groups(rules: &[Rule]) -> Vec<Judged<'_>> {
    let short = |x, n| Evidence {
        signal: signals::find("ctit_short_share").unwrap(),
        estimate: Estimate::share(x, n),
        limit: Limit::Above(0.3),
        confidence: 0.95,
        versus: None,
        own: None,
        cut: None,
    };
    let replays = Evidence {
        signal: signals::find("replayed_count").unwrap(),
        estimate: Estimate::exact(12.0, 240),
        limit: Limit::Above(2.0),
        confidence: 0.95,
        versus: None,
        own: None,
        cut: None,
    };
    let fast = |x, n, money: Option<i64>| Finding {
        evidence: vec![short(x, n)],
        money: money.map(|m| Micro(m * SCALE)),
        ..finding(&rules[0])
    };
    let replayed = Finding { evidence: vec![replays], money: Some(Micro(96_500_000)), ..finding(&rules[1]) };
    let held = Finding { action: Action::Hold, reduced: Some("click side only"), ..finding(&rules[2]) };
    let watch = Finding { action: Action::Watch, reduced: None, ..finding(&rules[2]) };
    let mut groups = vec![
        group("pub10032", Verdict::Block, vec![fast(149, 240, Some(1_204)), replayed, finding(&rules[2])]),
        group("pub9", Verdict::Block, vec![fast(80, 96, None)]),
        group("pub77", Verdict::Hold, vec![held]),
        group("pub31", Verdict::Watch, vec![watch]),
        group("pub1", Verdict::Clean, vec![]),
        group("new1", Verdict::Undecided, vec![]),
        group("new2", Verdict::Undecided, vec![]),
    ];
    groups[2].protected = true;
    groups[6].subject.key = vec![None, None];
    for (n, group) in groups[5..].iter_mut().enumerate() {
        group.unknown = unknown(rules, n as u64);
    }
    groups
}

/// What each rule said of these groups.
fn tallies(rules: &[Rule]) -> Vec<RuleTally<'_>> {
    let groups = groups(rules);
    let tally = |rule| {
        let mut tally = RuleTally::new(rule);
        for group in &groups {
            let fires = group.findings.iter().any(|finding| finding.rule.id == tally.rule.id);
            tally.add(if fires { &Truth::Fires } else { &Truth::Silent });
        }
        tally
    };
    rules.iter().map(tally).collect()
}

fn unknown(rules: &[Rule], n: u64) -> Vec<(&Rule, Arc<[Why]>)> {
    let signal = |name| signals::find(name).unwrap();
    let sample = Why::Sample { signal: signal("ctit_short_share"), n: 4 + n, needed: 30 };
    let absent = Why::Absent { signal: signal("replayed_count"), absence: Absence::NoConversions };
    let second = if n == 1 { vec![sample.clone(), absent] } else { vec![sample.clone()] };
    vec![(&rules[0], [sample].into()), (&rules[1], second.into())]
}

fn finding(rule: &Rule) -> Finding<'_> {
    let evidence = Evidence {
        signal: signals::find("top_ip_share").unwrap(),
        estimate: Estimate::share(700, 2_401),
        limit: Limit::Above(0.2),
        confidence: 0.95,
        versus: None,
        own: None,
        cut: None,
    };
    Finding {
        rule,
        title: rule.title.clone(),
        action: rule.action,
        reduced: None,
        confirmed: false,
        evidence: vec![evidence],
        money: None,
    }
}

fn group<'r>(id: &str, verdict: Verdict, findings: Vec<Finding<'r>>) -> Judged<'r> {
    let money_at_risk = findings.iter().filter_map(|f| f.money).max();
    Judged {
        subject: Subject {
            profile: crate::peers::Profile::default(),
            grain: Grain::source(),
            key: vec![None, Some(Text::new(id))],
            row: row(),
            answers: Answers::of([].into()),
            clicks: 2_401,
            revenue: None,
            spend: Some(Micro(480_200_000)),
            events: vec![(Text::new("registration"), "approved", 7)],
            fraud_reasons: Vec::new(),
            reject_classes: Vec::new(),
            at_stake: money_at_risk,
            suppressed: vec![],
        },
        verdict,
        class: findings.first().map(|f| f.rule.class),
        findings,
        idle: vec![],
        would_be: verdict,
        unknown: vec![],
        not_possible: 2,
        money_at_risk,
        protected: false,
        outlook: crate::verdicts::Outlook::default(),
        kept: None,
    }
}

/// A few signals present, all others absent.
fn row() -> Row {
    let reading = |name: &str| match name {
        "click_count" => Reading::Present(Estimate::exact(2_401.0, 2_401)),
        "conversion_count" => Reading::Present(Estimate::exact(240.0, 240)),
        "ctit_short_share" => Reading::Present(Estimate::share(149, 240)),
        "profit" => Reading::Present(Estimate::limits(-12.5, -20.0, -5.0, 240)),
        _ => Reading::Absent(Absence::NoConversions),
    };
    Row { readings: signals::all().iter().map(|s| reading(s.name)).collect() }
}

fn inputs() -> Vec<InputInfo> {
    let input = |path: &str, side| InputInfo {
        path: Text::new(path),
        side,
        digest: "d1".into(),
        preset: "generic".into(),
        rows: RowCount { read: 10, used: 10, ..RowCount::default() },
    };
    vec![input("clicks.csv", "clicks"), input("conversions.csv", "conversions")]
}

fn coverage() -> Coverage {
    let reasons = |of: &[(&str, u64)]| of.iter().map(|(why, n)| (why.to_string(), *n)).collect();
    let absent = |signal, reason: &str, groups| AbsentSignal { signal, reason: reason.to_owned(), groups };
    Coverage {
        clicks: Some(RowCount {
            read: 41_215,
            used: 41_203,
            rejected: reasons(&[("no source", 1), ("click_time is no time", 7)]),
            duplicate: reasons(&[("the same click ID again", 4)]),
        }),
        conversions: Some(RowCount { read: 884, used: 884, ..RowCount::default() }),
        classes: Classes { matched: 870, orphan: 12, replay: 2, ..Classes::default() },
        conflicts: 1,
        absent: vec![
            absent("lander_click_share", "no column is mapped to lander_click_time", 7),
            absent("hour_spread", "no column is mapped to lander_click_time", 7),
            absent("approval_share", "the group has no decided conversions", 2),
        ],
        gates: vec![],
        notes: vec![Text::new("without history a verdict rests on this one run")],
        idle_settings: vec![],
    }
}

/// The CSV with the signals of [`CSV`] only, since every other signal is another four columns.
pub fn without_other_signals(csv: &str) -> String {
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    let records: Vec<::csv::StringRecord> = reader.records().map(|r| r.unwrap()).collect();
    let wanted = |name: &str| !signals::all().iter().any(|s| name.starts_with(s.name)) || kept(name);
    let kept: Vec<usize> = (0..records[0].len()).filter(|i| wanted(&records[0][*i])).collect();
    let line = |r: &::csv::StringRecord| kept.iter().map(|i| &r[*i]).collect::<Vec<&str>>().join(";") + "\n";
    records.iter().map(line).collect()
}

fn kept(name: &str) -> bool {
    name.starts_with("ctit_short_share") || name.starts_with("profit")
}

pub const CSV: &str = r#"traffic_source;source;verdict;class;protected;clicks;money_at_risk;currency;ctit_short_share;ctit_short_share_n;ctit_short_share_low;ctit_short_share_high;profit;profit_n;profit_low;profit_high;reasons;recoverable_now;at_risk_expected;expected_saving;loss_keep;loss_block;cluster;shared_sources;scalable;would_be;without_effect;verdict_tonight;change;standing;standing_since;new_clicks
;pub10032;block;fraud;false;2401;1204.00;USD;0.6208333333;240;0.5580028481;0.6798566212;-12.5;240;-20;-5;conversions-too-fast (fraud): ctit_short_share 62.1% of 240 (55.8–68.0%, limit: above 30%) | replayed-conversions (fraud): replayed_count 12 (limit: above 2) | one-address (quality): top_ip_share 29.2% of 2,401 (27.4–31.0%, limit: above 20%);;;;;;;0;false;block;;;;;;
;pub9;block;fraud;false;2401;;USD;0.6208333333;240;0.5580028481;0.6798566212;-12.5;240;-20;-5;conversions-too-fast (fraud): ctit_short_share 83.3% of 96 (74.6–89.5%, limit: above 30%);;;;;;;0;false;block;;;;;;
;pub77;hold;quality;true;2401;;USD;0.6208333333;240;0.5580028481;0.6798566212;-12.5;240;-20;-5;one-address (quality): top_ip_share 29.2% of 2,401 (27.4–31.0%, limit: above 20%); by itself hold, not block: click side only;;;;;;;0;false;hold;;;;;;
;pub31;watch;quality;false;2401;;USD;0.6208333333;240;0.5580028481;0.6798566212;-12.5;240;-20;-5;one-address (quality): top_ip_share 29.2% of 2,401 (27.4–31.0%, limit: above 20%);;;;;;;0;false;watch;;;;;;
;pub1;clean;;false;2401;;USD;0.6208333333;240;0.5580028481;0.6798566212;-12.5;240;-20;-5;;;;;;;;0;false;clean;;;;;;
;;undecided;;false;2401;;USD;0.6208333333;240;0.5580028481;0.6798566212;-12.5;240;-20;-5;;;;;;;;0;false;undecided;;;;;;
;new1;undecided;;false;2401;;USD;0.6208333333;240;0.5580028481;0.6798566212;-12.5;240;-20;-5;;;;;;;;0;false;undecided;;;;;;
"#;
pub const JSON: &str = include_str!("sample.json");
pub const TABLE: &str = r#"clickaudit 0.1.0 · 41,203 clicks, 884 conversions · 2026-03-01 to 2026-03-14 (UTC) · by traffic_source,source · buyer's view · USD
cost 8,240.60 · revenue 9,000.00 · profit 759.40
2 block (1,204.00 USD at risk) · 1 hold · 1 watch · 1 clean · 2 undecided

verdict  source    clicks  conversions    cost   at risk  score
block    pub10032   2,401          240  480.20  1,204.00      –
           conversions-too-fast (fraud): ctit_short_share 62.1% of 240 (55.8–68.0%, limit: above 30%)
           replayed-conversions (fraud): replayed_count 12 (limit: above 2)
           and 1 more finding
block    pub9       2,401          240  480.20         –      –
           conversions-too-fast (fraud): ctit_short_share 83.3% of 96 (74.6–89.5%, limit: above 30%)
hold     pub77      2,401          240  480.20         –      –
           protected: it is never put on a list
           one-address (quality): top_ip_share 29.2% of 2,401 (27.4–31.0%, limit: above 20%); by itself hold, not block: click side only
watch    pub31      2,401          240  480.20         –      –
           one-address (quality): top_ip_share 29.2% of 2,401 (27.4–31.0%, limit: above 20%)

2 groups are undecided: too little is known to call them clean.
           (none), new1
           ctit_short_share: a sample below 30 (2 groups)
           replayed_count: no conversions were given (1 group)

The blocklist leaves out:
           `*\u{1b}`: it is no ID

clicks       41,215 rows read = 41,203 used + 8 rejected + 4 duplicate
             rejected: click_time is no time (7), no source (1)
             duplicate: the same click ID again (4)
conversions  884 rows read = 884 used + 0 rejected + 0 duplicate
matching     870 matched · 12 orphans · 0 outside the span · 0 before their click · 0 retries · 0 updates · 2 replays · 0 without a click ID
conflicts    1 click ID stands under more than one source
absent       hour_spread, lander_click_share: no column is mapped to lander_click_time (all groups)
absent       approval_share: the group has no decided conversions (2 groups)
peers        too few groups to be held against each other; rules use their fixed limits alone
rules        3 rules: 3 stable (a94f00d15ea5) · as of 2026-03-14T23:59:59Z
note         without history a verdict rests on this one run
"#;
pub const TABLE_80: &str = r#"clickaudit 0.1.0 · 41,203 clicks, 884 conversions · 2026-03-01 to 2026-03-14
(UTC) · by traffic_source,source · buyer's view · USD
cost 8,240.60 · revenue 9,000.00 · profit 759.40
2 block (1,204.00 USD at risk) · 1 hold · 1 watch · 1 clean · 2 undecided

verdict  source    clicks  conversions    cost   at risk  score
block    pub10032   2,401          240  480.20  1,204.00      –
           conversions-too-fast (fraud): ctit_short_share 62.1% of 240
           (55.8–68.0%, limit: above 30%)
           replayed-conversions (fraud): replayed_count 12 (limit: above 2)
           and 1 more finding
block    pub9       2,401          240  480.20         –      –
           conversions-too-fast (fraud): ctit_short_share 83.3% of 96
           (74.6–89.5%, limit: above 30%)
hold     pub77      2,401          240  480.20         –      –
           protected: it is never put on a list
           one-address (quality): top_ip_share 29.2% of 2,401 (27.4–31.0%,
           limit: above 20%); by itself hold, not block: click side only
watch    pub31      2,401          240  480.20         –      –
           one-address (quality): top_ip_share 29.2% of 2,401 (27.4–31.0%,
           limit: above 20%)

2 groups are undecided: too little is known to call them clean.
           (none), new1
           ctit_short_share: a sample below 30 (2 groups)
           replayed_count: no conversions were given (1 group)

The blocklist leaves out:
           `*\u{1b}`: it is no ID

clicks       41,215 rows read = 41,203 used + 8 rejected + 4 duplicate
             rejected: click_time is no time (7), no source (1)
             duplicate: the same click ID again (4)
conversions  884 rows read = 884 used + 0 rejected + 0 duplicate
matching     870 matched · 12 orphans · 0 outside the span · 0 before their
             click · 0 retries · 0 updates · 2 replays · 0 without a click ID
conflicts    1 click ID stands under more than one source
absent       hour_spread, lander_click_share: no column is mapped to
             lander_click_time (all groups)
absent       approval_share: the group has no decided conversions (2 groups)
peers        too few groups to be held against each other; rules use their fixed
             limits alone
rules        3 rules: 3 stable (a94f00d15ea5) · as of 2026-03-14T23:59:59Z
note         without history a verdict rests on this one run
"#;
pub const GATED: &str = r#"clickaudit 0.1.0 · 0 clicks, 0 conversions · 2026-03-01 to 2026-03-14 (UTC) · by traffic_source,source · buyer's view · USD
0 block · 0 hold · 0 watch · 0 clean · 0 undecided

This input cannot be judged as a whole; no list is written:
    match-rate: 2 of 884 conversions match a click; is the time zone right?

No blocklist: a gate fired

clicks       not given
conversions  not given
peers        too few groups to be held against each other; rules use their fixed limits alone
rules        0 rules (a94f00d15ea5) · as of 2026-03-14T23:59:59Z
"#;

/// What stands beside the verdicts, in the table.
pub const OUTLOOK: &str = r#"
96.50 USD was paid, or is due, and can be claimed back now: all of it for transactions that were sent again.
Blocking 1 group at block or hold is expected to save 1,430.00 USD.
           An estimate, which assumes: an honest source leaves a margin of 0.2, payouts go on for 30 days as in this window.

These sources send the same visitors (by itself no fault: zones of one site do so):
           pub10032, pub31: at least 65.0% of their networks in common; together block (1 of 2) · 4,802 clicks · 1,204.00 USD at risk

Worth a look, no verdict (the oddest over all signals; there always is an oddest):
           pub31 (watch): gap_cv over 8 sd off, ip_hhi 4.2 sd off, hour_r 2.0 sd off

1 source could be scaled: clean, and the ROI is above 30.0% at its lower limit.
           pub1
"#;
