use super::*;
use crate::base::column::Col;
use crate::base::text::{HOSTILE, Text};
use crate::peers::{Level, Shape, Standing, Standings};
use crate::report::{CTIT, Day, Pictures, Spread, sample};
use crate::rules::Rule;
use crate::signals::{self, Estimate, Reading};
use crate::verdicts::Verdict;

fn page(report: &Report) -> String {
    let Rendered::Bytes(bytes) = render(report, &Look::PLAIN).unwrap() else { panic!("withheld") };
    String::from_utf8(bytes).unwrap()
}

/// The sample with pictures of every group.
fn pictured(rules: &[Rule]) -> Report<'_> {
    let mut report = sample::with_outlook(rules);
    picture(&mut report);
    report
}

fn picture(report: &mut Report) {
    for group in &report.groups {
        let of_grain = report.pictures.entry(group.subject.grain.clone()).or_default();
        of_grain.insert(group.subject.key.clone(), pictures());
    }
}

fn pictures() -> Pictures {
    let spread = |own: Vec<u64>| {
        let shares = vec![1.0 / own.len() as f64; own.len()];
        Spread {
            own,
            peers: Some(Shape { shares, level: Level::of(&[Col::Offer, Col::Country]), peers: 38 }),
        }
    };
    let mut ctit = vec![0; CTIT.len()];
    (ctit[0], ctit[3]) = (149, 91);
    Pictures {
        ctit: spread(ctit),
        hours: spread((0..24).collect()),
        days: vec![
            Day { day: 20_513, clicks: 1_200, conversions: 120 },
            Day { day: 20_515, clicks: 1_201, conversions: 0 },
        ],
        addresses: spread(vec![700, 300, 1_401]),
        networks: spread(vec![900, 600, 901]),
        agents: Spread::default(),
    }
}

#[test]
fn hashes_are_those_of_the_standard() {
    assert_eq!(base64(b""), "");
    assert_eq!(base64(b"f"), "Zg==");
    assert_eq!(base64(b"fo"), "Zm8=");
    assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    assert_eq!(digest("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

#[test]
fn the_policy_names_what_the_page_holds() {
    let rules = sample::rules();
    let page = page(&pictured(&rules));
    let between = |name: &str| {
        let (_, rest) = page.split_once(&format!("<{name}>")).expect(name);
        rest.split_once(&format!("</{name}>")).expect(name).0
    };
    for name in ["style", "script"] {
        assert!(page.contains(&format!("{name}-src &#39;sha256-{}&#39;", digest(between(name)))), "{name}");
        assert_eq!(page.matches(&format!("<{name}")).count(), 1, "{name}");
    }
    assert!(page.contains("content=\"default-src &#39;none&#39;; "));
    let refused = |word: &str| word.starts_with("style=") || (word.starts_with("on") && word.contains('='));
    assert!(!tags(&page).iter().any(|tag| tag.split_whitespace().any(refused)));
}

/// What loads, or makes markup or code of text, stands nowhere in what the page is made of.
#[test]
fn nothing_is_loaded_and_no_text_becomes_markup() {
    let written = include_str!("writer.rs");
    let built_in = [STYLE, SCRIPT, written];
    let forbidden = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval",
        "new Function",
        "|safe",
        "setTimeout",
        "createContextualFragment",
        "DOMParser",
        "@import",
        "import(",
        "fetch",
        "XMLHttp",
        "url(",
        "http",
        "//#",
        "localStorage",
    ];
    for (source, word) in built_in.iter().flat_map(|source| forbidden.map(|word| (source, word))) {
        assert!(!source.contains(word), "{word}");
    }
    let rules = sample::rules();
    let page = page(&pictured(&rules));
    for word in [" src=", "http:", "https:", "<link", "<iframe", "<object", "<base", "<form action", "<img"] {
        assert!(!page.contains(word), "{word}");
    }
}

/// The tags of a page in their order, with their attributes.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|rest| rest.split_once('>').expect("a tag ends").0).collect()
}

#[test]
fn no_text_changes_the_markup() {
    let rules = sample::rules();
    let of = |text: &str| {
        let mut report = sample::hostile(&rules, text);
        picture(&mut report);
        page(&report)
    };
    let harmless = of("x");
    for text in HOSTILE {
        let hostile = of(text);
        assert_eq!(tags(&hostile), tags(&harmless), "{text:?}");
        assert!(hostile.contains(&format!("<bdi>{}</bdi>", Text::new(*text).html(view::NAME))), "{text:?}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let rules = sample::rules();
    let page = page(&pictured(&rules));
    let links: Vec<&str> =
        tags(&page).iter().filter_map(|tag| tag.split_once("href=\"#")).map(|(_, rest)| rest).collect();
    assert!(links.len() > 10);
    for link in links {
        let id = link.split('"').next().unwrap_or_default();
        assert!(page.contains(&format!(" id={id}>")) || page.contains(&format!(" id={id} ")), "{id}");
    }
}

#[test]
fn the_sample_as_a_page() {
    let rules = sample::rules();
    let page = page(&pictured(&rules));
    let said = [
        "Block 2 of 7 sources and hold 1. Together they cost 1,440.60 USD, 17.5% of all. At least 1,204.00 USD is at risk.",
        "Of 2 others too little is known to say anything",
        "<dt>At risk</dt><dd class=big>1,204.00 USD</dd>",
        "<dt>Can be claimed back</dt><dd class=big>96.50 USD</dd>",
        ": 149 of 240 (62.1%), 95 % interval 55.8–68.0%; the limit is above 30%",
        "The rule asks for block, but: click side only.",
        "It is protected: it is never put on a list.",
        "Time from click to conversion (240 conversions)",
        "38 other groups of the same offer and country, each with an equal vote.",
        "aria-label=\"Time from click to conversion: 62.1% at 0–10 s, peers 8.3%\"",
        "fewer than 3 sources have both cost and revenue",
        "2 groups are undecided: there is not enough data to call them clean.",
        "assumes: an honest source leaves a margin of 0.2, payouts go on for 30 days as in this window.",
        "3 rules were asked; the set is named a94f00d15ea5.",
    ];
    for words in said {
        assert!(page.contains(words), "no `{words}` in\n{page}");
    }
}

#[test]
fn a_group_without_pictures_says_so() {
    let rules = sample::rules();
    assert!(page(&sample::report(&rules)).contains("There are no pictures of this group"));
}

#[test]
fn a_gate_stands_first() {
    let mut report = sample::empty();
    let sentence = Text::new("2 of 884 conversions match a click");
    report.coverage.gates.push(crate::report::Gate { name: "match-rate", sentence });
    let page = page(&report);
    let at = |words: &str| page.find(words).expect(words);
    assert!(at("match-rate: 2 of 884 conversions match a click") < at("<h2>Summary</h2>"));
    assert!(page.contains("There is nothing to judge"));
}

/// Whatever names look like, and however many sources are flagged.
#[test]
fn the_file_stays_small_and_says_what_it_leaves_out() {
    const SOURCES: usize = 3_000;
    let rules = sample::rules();
    let mut report = sample::watched(&rules, SOURCES);
    for (at, group) in report.groups.iter_mut().enumerate() {
        group.subject.key = vec![None, Some(Text::new(format!("{at}{}", "<&\"'".repeat(60))))];
    }
    picture(&mut report);
    let page = page(&report);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains(" of 3,000 sources: all that are flagged first, then those with the most clicks."));
    assert!(page.contains(" of 3,000 are here, so that the file stays small"));
    assert!(page.contains("; the others are told in words alone."));
}

/// Two thousand sources, one in ten flagged: each of these says why.
#[test]
fn every_flagged_source_of_two_thousand_has_its_reasons() {
    const SOURCES: usize = 2_000;
    const FLAGGED: usize = 200;
    let rules = sample::rules();
    let mut report = sample::watched(&rules, SOURCES);
    report.groups.iter_mut().skip(FLAGGED).for_each(|group| group.verdict = Verdict::Clean);
    picture(&mut report);
    let page = page(&report);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<details id=s").count(), FLAGGED);
    assert_eq!(page.matches("<ol class=reasons>").count(), FLAGGED);
    let pictured = page.matches("<div class=pictures>").count();
    assert!((40..FLAGGED).contains(&pictured), "{pictured}");
    assert!(page.contains(&format!("The first {pictured} have pictures")), "{pictured}");
}

/// Both funnels, and sources moved to where they would stand if their peers were on the middle line.
#[test]
fn a_funnel_shows_chance_and_honest_differences() {
    let rules = sample::rules();
    let mut report = sample::watched(&rules, 40);
    for (at, group) in report.groups.iter_mut().enumerate() {
        let clicks = 100 * (at as u64 + 1);
        let x = if at == 7 { clicks / 4 } else { clicks / 50 };
        let versus = sample::versus(if at % 2 == 0 { 0.02 } else { 0.04 });
        let cr = signals::find("cr").expect("declared");
        let place = signals::all().iter().position(|s| s.name == cr.name).expect("declared");
        group.subject.row.readings[place] = Reading::Present(Estimate::share(x, clicks));
        group.subject.profile.signals = Standings::of([(cr, Standing::Compared(versus))]);
    }
    let without = page(&report);
    assert!(without.contains("There are too few groups to say how much honest sources differ"));
    assert!(!without.contains("<path class=z998"));
    report.peers.spreads.insert("cr", (0.3, 0.4));
    report.run.parameters.insert("fdr", "0.1".into());
    let page = page(&report);
    for class in ["middle", "chance", "z95", "z998", "zcut"] {
        assert!(page.contains(&format!("<path class={class} d=")), "{class}");
    }
    assert!(page.contains("40 sources with at least 100 mature clicks. The line in the middle: 4.0%."));
    assert!(page.contains(": 200 of 800 (25.0%, peers 4.0%)</title>"), "{page}");
    assert!(page.contains("fewer than 3 sources have 20 decided conversions"));
}
