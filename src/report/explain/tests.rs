use super::*;
use crate::base::column::Col;
use crate::base::text::HOSTILE;
use crate::peers;
use crate::peers::{Direction, Level, Pattern, Profile, Sides, Standing, Standings, TooFew, Versus};
use crate::report::{CTIT, Day, Pictures, Spread, sample};
use crate::rules::{Class, Rule};
use crate::signals::{self, Absence, Reading};
use std::collections::BTreeSet;

const PLAIN: Look = Look::PLAIN;

fn versus(expected: f64, ratio: f64, decibans: f64) -> Versus {
    Versus {
        expected,
        level: Level::of(&[Col::Offer, Col::Country]),
        peers: 41,
        ratio,
        ratio_limit: ratio,
        z: 6.0,
        direction: Direction::High,
        sides: Sides::new(Some(-20.0), None),
        q: 0.001,
        large: true,
        decibans,
    }
}

/// The page about the group at a place of the sample report.
fn page(rules: &[Rule], at: usize) -> Page<'_> {
    let signal = |name| signals::find(name).expect(name);
    let mut report = sample::report(rules);
    let mut group = report.groups.swap_remove(at);
    group.subject.profile = Profile {
        signals: Standings::of([
            (signal("ctit_short_share"), Standing::Compared(versus(0.012, 134.6, 57.4))),
            (signal("profit"), Standing::TooFew(TooFew::Peers)),
        ]),
        risk: Some(99.95),
        significant: true,
        patterns: vec![(Pattern::Injection, -20.0)],
        ..Profile::default()
    };
    let spread = |own: Vec<u64>, shares: Vec<f64>| Spread {
        own,
        peers: Some(peers::Shape { shares, level: Level::of(&[Col::Offer, Col::Country]), peers: 38 }),
    };
    let mut ctit = vec![0; CTIT.len()];
    (ctit[0], ctit[3]) = (149, 91);
    let mut usual = vec![0.05; CTIT.len()];
    (usual[0], usual[3]) = (0.012, 0.488);
    let hour = |hour: u64| if (6..22).contains(&hour) { hour } else { 0 };
    let details = Details {
        pictures: Pictures {
            ctit: spread(ctit, usual),
            hours: spread((0..24).map(hour).collect(), vec![1.0 / 24.0; 24]),
            days: vec![
                Day { day: 20_513, clicks: 1_200, conversions: 120 },
                Day { day: 20_514, clicks: 1_201, conversions: 0 },
            ],
            ..Pictures::default()
        },
        outlook: outlook(rules),
        samples: Samples { what: "the fastest".to_owned(), all: 149, rows: vec![row()] },
    };
    Page { run: report.run, gates: vec![], group, details }
}

fn outlook(rules: &[Rule]) -> Outlook<'_> {
    let step = Move {
        signal: signals::find("ctit_short_share").unwrap(),
        from: Estimate::share(149, 240),
        to: Estimate::share(85, 240),
        limit: Limit::Above(0.3),
    };
    let one = Change { rule: &rules[0], moves: vec![step], together: false, verdict: Verdict::Block };
    let other = Change { rule: &rules[1], moves: vec![], together: false, verdict: Verdict::Block };
    Outlook { changes: vec![one, other], without_all: Some(Verdict::Hold) }
}

fn row() -> Sample {
    Sample {
        click_id: Some(Text::new("c1")),
        transaction_id: None,
        time: 1_773_532_799_000_000,
        ctit_s: Some(3),
        class: "matched",
        event: Text::new("install"),
        status: "approved",
        amount: Some(Micro(12_000_000)),
        offer: Some(Text::new("7")),
        country: None,
        address: Some(Text::new("203.0.113.77")),
        fraud_reason: None,
    }
}

/// The page without the list of absent signals, which is as long as the catalogue.
fn shown(page: &Page, look: &Look) -> String {
    let text = page.text(look);
    let mut absent = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        absent = line.starts_with("  Absent (") || (absent && !line.is_empty());
        kept.extend((!absent).then_some(line));
    }
    kept.join("\n") + "\n"
}

#[test]
fn a_blocked_group() {
    let rules = sample::rules();
    assert_eq!(shown(&page(&rules, 0), &PLAIN), BLOCKED);
}

#[test]
fn a_clean_group_that_stands_out_is_not_called_fine() {
    let rules = sample::rules();
    let mut page = page(&rules, 4);
    page.details.outlook.changes.truncate(1);
    let text = shown(&page, &PLAIN);
    assert!(text.contains("CLEAN No rule found anything, but it stands out among its peers"), "{text}");
    assert!(text.contains("conversions-too-fast would fire, and the verdict be block, if"), "{text}");
}

#[test]
fn an_undecided_group_says_what_is_missing() {
    let rules = sample::rules();
    let mut page = page(&rules, 6);
    page.details =
        Details { pictures: Pictures::default(), outlook: Outlook::default(), samples: Samples::default() };
    page.group.subject.profile = Profile::default();
    assert_eq!(shown(&page, &PLAIN), UNDECIDED);
}

#[test]
fn whoever_loses_money_is_not_accused() {
    let rules = sample::rules();
    let mut page = page(&rules, 0);
    page.group.class = Some(Class::Profit);
    assert!(
        page.text(&PLAIN).contains("BLOCK Stop buying it: it loses money. That accuses nobody of anything.")
    );
}

#[test]
fn a_pattern_accuses_only_whom_peers_set_apart() {
    let rules = sample::rules();
    let mut page = page(&rules, 0);
    page.group.subject.profile.significant = false;
    assert!(!page.text(&PLAIN).contains("injection"));
}

#[test]
fn colour_adds_codes_and_nothing_else() {
    let rules = sample::rules();
    let page = page(&rules, 0);
    for width in [None, Some(80), Some(200)] {
        let coloured = page.text(&Look { width, colour: true });
        let bare = coloured.replace("\u{1b}[1;31m", "").replace("\u{1b}[1m", "").replace(terminal::PLAIN, "");
        assert_eq!(bare, page.text(&Look { width, colour: false }), "{width:?}");
    }
}

#[test]
fn hostile_text_is_harmless() {
    let rules = sample::rules();
    for text in HOSTILE {
        let mut page = page(&rules, 0);
        let hostile = || Some(Text::new(*text));
        page.group.subject.key = vec![hostile(), hostile()];
        page.run.currency = hostile();
        page.gates = vec![Gate { name: "late", sentence: Text::new(*text) }];
        let sample = &mut page.details.samples.rows[0];
        sample.event = Text::new(*text);
        (sample.click_id, sample.transaction_id) = (hostile(), hostile());
        (sample.offer, sample.country) = (hostile(), hostile());
        for out in [page.text(&PLAIN), json(&page).unwrap()] {
            let active = |c: char| c.is_control() && c != '\n';
            assert!(!out.contains(active), "{text:?}: {out:?}");
            assert!(!out.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{2028}', '\u{feff}']), "{text:?}");
        }
    }
}

/// A page with all that is wide: long names of signals, every column of the conversions, IDs of 60 cells.
fn wide(rules: &[Rule]) -> Page<'_> {
    let mut page = page(rules, 0);
    let signals = ["ctit_short_share", "registration_deposit_share", "multi_conversion_click_share"];
    let names = signals.map(|name| signals::find(name).expect(name));
    let estimates = names.map(|signal| (signal, Reading::Present(Estimate::share(1_234_567, 9_876_543))));
    page.group.subject.row = signals::Row::of(&estimates, &Absence::NoConversions);
    let compared = names.map(|s| (s, Standing::Compared(versus(0.000_123, 1_346.0, 57.4))));
    page.group.subject.profile.signals = Standings::of(compared);
    let id = |letter: &str| Some(Text::new(letter.repeat(60)));
    let row = &mut page.details.samples.rows[0];
    (row.click_id, row.transaction_id, row.country) = (id("c"), id("t"), Some(Text::new("AT")));
    (row.offer, row.event) = (id("o"), Text::new("registration-and-deposit"));
    (row.address, row.class, row.status) =
        (Some(Text::new("2001:db8:abcd::1")), "before_click", "chargeback");
    page
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let rules = sample::rules();
    for page in [page(&rules, 0), wide(&rules)] {
        for width in [72, 80, 100, 140] {
            let text = page.text(&Look { width: Some(width), colour: false });
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_narrow_page_says_what_a_wide_one_says() {
    let rules = sample::rules();
    let words = |width| -> BTreeSet<String> {
        let text = wide(&rules).text(&Look { width: Some(width), colour: false });
        text.split_whitespace().map(str::to_owned).filter(|w| !w.contains(['█', '▏', '▋', '▊'])).collect()
    };
    let lost: Vec<String> = words(140).difference(&words(80)).cloned().collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn a_score_says_what_it_rests_on() {
    let mut rules = sample::rules();
    rules[0].deterministic = true;
    let mut page = page(&rules, 0);
    let shown = |page: &Page| page.text(&Look { width: Some(1_000), colour: false });
    page.group.subject.profile.risk = Some(12.0);
    let said = "Risk 99.0 of 100, because conversions-too-fast proves itself. By peers alone it would be 12.0: in \
                what could be compared it is much like its peers";
    assert!(shown(&page).contains(said), "{}", shown(&page));
    page.group.subject.profile.risk = None;
    let said =
        "Risk 99.0 of 100, because conversions-too-fast proves itself, whatever others do. Peers say nothing";
    assert!(shown(&page).contains(said), "{}", shown(&page));
    page.group.findings.clear();
    assert!(shown(&page).contains("Risk: unknown"), "{}", shown(&page));
    page.group.subject.profile = Profile { risk: Some(97.0), ..Profile::default() };
    assert!(shown(&page).contains("Risk 97.0 of 100, by signs of its own"), "{}", shown(&page));
}

#[test]
fn the_document_holds_the_group_of_the_report_and_more() {
    let rules = sample::rules();
    let text = json(&page(&rules, 0)).unwrap();
    for part in [
        "\"verdict\": \"block\"",
        "\"name\": \"0–10 s\",\n        \"count\": 149,\n        \"peers\": 0.012",
        "\"level\": \"offer, country\"",
        "\"from\": 0.6208333333,\n          \"to\": 0.3541666667,\n          \"n\": 240",
        "\"without_all\": \"hold\"",
        "\"network\": \"203.0.113.0/24\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

const BLOCKED: &str = r#"(none)/pub10032
BLOCK Stop the traffic and do not pay for it.
It looks like injection: conversions follow clicks that were made up once they were under way.

Risk over 99.9 of 100: so far from its peers that of a hundred such groups fewer than one would be
ordinary. That says unusual; it does not yet say fraud.
Compared in 1 signal with 41 other groups of the same offer and country.

2,401 clicks · 240 conversions · at least 1,204.00 USD at risk
2026-03-01 to 2026-03-14 (UTC) · traffic_source (none) · source pub10032 · buyer's view

Why
  block   Too fast (conversions-too-fast, fraud)
          ctit_short_share 62.1% of 240 (55.8–68.0%, limit: above 30%)
          At least 1,204.00 USD at risk.
          For tests.
  block   Paid twice (replayed-conversions, fraud)
          replayed_count 12 (limit: above 2)
          At least 96.50 USD at risk.
          For tests.
  block   One address (one-address, quality)
          top_ip_share 29.2% of 2,401 (27.4–31.0%, limit: above 20%)
          For tests.
  2 other checks were not possible with these exports.

Signals
  signal            value  95 % interval   of  peers   times  decibans
  ctit_short_share  62.1%     55.8–68.0%  240   1.2%  134.60        57  ▲ higher
  of: the sample. peers: what is expected among them; of several offers, on the one where it differs
  most. times: how many times the peers' odds (of a share) or value. decibans: the most that this
  can weigh against its being ordinary; 10 is ten to one, 20 a hundred to one, 60 the end of the
  scale. Signals hang together, so these are not to be added up.
  Too few peers to compare with: profit -12.50.
  Facts of which peers say nothing: click_count 2,401, conversion_count 240.

Time from click to conversion (240 conversions)
                 here                                           peers
        0–10 s  62.1% ██████████████████████████████████   1.2% ▋
       10–30 s   0.0%                                      5.0% ██▊
       30–60 s   0.0%                                      5.0% ██▊
       1–5 min  37.9% ████████████████████▊               48.8% ██████████████████████████▊
      5–15 min   0.0%                                      5.0% ██▊
     15–60 min   0.0%                                      5.0% ██▊
         1–3 h   0.0%                                      5.0% ██▊
        3–12 h   0.0%                                      5.0% ██▊
       12–24 h   0.0%                                      5.0% ██▊
      1–3 days   0.0%                                      5.0% ██▊
      3–7 days   0.0%                                      5.0% ██▊
   over 7 days   0.0%                                      5.0% ██▊
  Peers: 38 other groups of the same offer and country, each with an equal vote.

Clicks by hour of the day (UTC)
         0     3     6     9     12    15    18    21
    here             ▂▂▃▃▃▃▃▃▄▄▄▄▅▅▅▅▅▅▆▆▆▆▆▆▇▇▇▇████
   peers ▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃
  A full block is 9.7% of the clicks.
  Peers: 38 other groups of the same offer and country, each with an equal vote.

Clicks and their conversions by day (UTC)
  day         clicks  conversions
  2026-03-01   1,200          120  ████████████████████████████████████████
  2026-03-02   1,201            0  ████████████████████████████████████████

What would have to change
  The verdict rests on 2 rules. All else the same,
  · conversions-too-fast would be silent, and the verdict still block by the others, if
    ctit_short_share fell from 149 of 240 (62.1%) to 85 of 240 (35.4%) (limit: above 30%).
  · replayed-conversions would be silent, and the verdict still block by the others, if it were no
    longer set apart from its peers by replayed_count.
  With all of these silent the verdict would be hold.
  A limit is held against the end of the interval that favours the source, not against the value.

Conversions to look at: the fastest (1 of 149)
  time                  CTIT  event    status    amount  offer  network
  2026-03-14T23:59:59Z    3s  install  approved   12.00  7      203.0.113.0/24
      click c1
"#;

const UNDECIDED: &str = r#"(none)/(none)
UNDECIDED Nobody can tell yet: too little is known to call it clean.

Risk: unknown, because hardly anything could be compared with peers.
Compared with nobody: there are too few groups of its kind, so only the fixed limits of the rules
speak.

2,401 clicks · 240 conversions
2026-03-01 to 2026-03-14 (UTC) · traffic_source (none) · source (none) · buyer's view

Why
  No rule found anything, but some that decide could not be answered; see below.
  2 other checks were not possible with these exports.

Signals
  None stands out.
  Facts of which peers say nothing: click_count 2,401, conversion_count 240, ctit_short_share 62.1%,
  profit -12.50.

What would have to change
  These rules have to be answered before it can be called clean:
  · conversions-too-fast: 25 more conversions with a CTIT (5 now, 30 needed for ctit_short_share).
  · replayed-conversions: 25 more conversions with a CTIT (5 now, 30 needed for ctit_short_share);
    and replayed_count: no conversions were given.
"#;
