//! Figures that can be checked by hand.

use super::*;

/// A report of these sources: name, verdict, class of the only finding, score, registrations.
fn report(sources: &[(&str, &str, &str, Option<f64>, u64)]) -> String {
    let group = |&(name, verdict, class, score, count): &(&str, &str, &str, Option<f64>, u64)| {
        let score = score.map_or(String::new(), |s| format!(r#""score": {s},"#));
        let findings = match class {
            "" => String::new(),
            class => format!(r#"{{"rule": "r", "class": "{class}", "action": "{verdict}"}}"#),
        };
        format!(
            r#"{{"key": {{"traffic_source": "t", "source": "{name}"}}, "verdict": "{verdict}", "class": "{class}",
                {score} "money_at_risk": "1.00", "events": {{"registration": {{"approved": {count}}}}},
                "findings": [{findings}]}}"#
        )
    };
    let groups: Vec<String> = sources.iter().map(group).collect();
    format!(r#"{{"schema_version": 1, "sources": [{}]}}"#, groups.join(","))
}

const SOURCES: &[(&str, &str, &str, Option<f64>, u64)] = &[
    ("a", "block", "fraud", Some(99.0), 100),
    ("b", "hold", "fraud", Some(90.0), 50),
    ("c", "hold", "fraud", Some(80.0), 20),
    ("d", "watch", "quality", Some(35.0), 40),
    ("e", "hold", "profit", Some(10.0), 40),
    ("f", "clean", "", Some(5.0), 40),
    ("g", "undecided", "", Some(5.0), 2),
    ("h", "block", "profit", None, 40),
];

const TRUTH: &str = "source,kind,strength,what,touched_payout\n\
                     a,injection,0.40,x,10.00\n\
                     c,injection,0.20,x,20.50\n\
                     d,bots,0.50,x,0\n\
                     g,bots,0.10,x,9.50\n\
                     h,spend,1,x,0\n\
                     z,replay,0.50,x,10.00\n";

fn evaluated() -> Evaluation {
    evaluate(&report(SOURCES), TRUTH, Level::Hold).expect("the two fit")
}

#[test]
fn verdicts_are_counted_by_level() {
    let e = evaluated();
    assert_eq!((e.sources, e.planted, e.not_in_report, e.honest), (8, 5, 1, 3));
    assert_eq!((e.undecided_planted, e.undecided_honest), (1, 0));
    let parts: Vec<_> =
        e.levels.iter().map(|l| (l.flagged, l.precision.part, l.recall.whole, l.false_flags.part)).collect();
    // Block: a. Hold: a, b, c; that e loses money accuses nobody. Watch: d besides.
    assert_eq!(parts, [(1, 1, 5, 0), (3, 2, 5, 1), (4, 3, 5, 1)]);
    assert_eq!(e.levels[1].false_discoveries, Rate::of(1, 3));
    assert_eq!((e.profit_only_planted, e.profit_only_honest, e.spend.part, e.spend.whole), (0, 1, 1, 1));
}

/// Ranks 1, 3 and 4 of those found, then two of equal rank 6 to 7; one of five is never reached:
/// (1/1 + 2/3 + 3/4 + 4/7 + 0) / 5.
#[test]
fn average_precision_is_that_of_the_ranking() {
    let expected = (1.0 + 2.0 / 3.0 + 3.0 / 4.0 + 4.0 / 7.0) / 5.0;
    assert!((evaluated().average_precision.unwrap() - expected).abs() < 1e-12);
}

#[test]
fn without_scores_verdict_and_money_rank() {
    let bare: Vec<_> =
        SOURCES.iter().map(|&(name, verdict, class, _, n)| (name, verdict, class, None, n)).collect();
    let e = evaluate(&report(&bare), TRUTH, Level::Hold).unwrap();
    // Block a; hold b and c alike; watch d; the rest alike: seven sources.
    let expected = (1.0 + 2.0 / 3.0 + 3.0 / 4.0 + 4.0 / 7.0) / 5.0;
    assert!((e.average_precision.unwrap() - expected).abs() < 1e-12);
    assert_eq!((e.ranked_by, e.calibration), ("verdict and money", None));
}

#[test]
fn kinds_are_told_apart_by_strength_and_volume() {
    let e = evaluated();
    let of = |kind: &str| e.kinds.iter().find(|k| k.kind == kind).expect("it is planted");
    let parts = |r: Rate| (r.part, r.whole);
    assert_eq!(e.kinds.iter().map(|k| k.kind.as_str()).collect::<Vec<_>>(), ["bots", "injection", "replay"]);
    assert_eq!((parts(of("injection").strong_large), parts(of("injection").weak_small)), ((1, 1), (1, 1)));
    assert_eq!((parts(of("bots").all), parts(of("bots").strong_large)), ((0, 2), (0, 1)));
    assert_eq!(parts(of("replay").all), (0, 1));
}

#[test]
fn scores_are_compared_with_the_truth() {
    let calibration = evaluated().calibration.expect("there are scores");
    // 99+ 90- 80+ 35+ 10- 5- 5+
    let squares = [0.01f64, 0.9, 0.2, 0.65, 0.1, 0.05, 0.95].map(|d| d * d);
    assert!((calibration.brier - squares.iter().sum::<f64>() / 7.0).abs() < 1e-12);
    // Bins: 90 (99+, 90-: .945 and .5), 80 (.8 and 1), 30 (.35 and 1), 10 (.1 and 0), 0 (.05 and .5).
    assert!((calibration.ece - (0.89 + 0.2 + 0.65 + 0.1 + 0.9) / 7.0).abs() < 1e-12);
    assert_eq!(calibration.bins[9].sources, 2);
}

#[test]
fn money_is_that_of_planted_conversions() {
    let money = evaluated().money.expect("the truth has amounts");
    assert_eq!((money.planted, money.flagged), (50_000_000, 30_500_000));
    let bare = evaluate(&report(SOURCES), "source,kind\na,injection\n", Level::Hold).unwrap();
    assert_eq!(bare.money, None);
}

#[test]
fn nothing_planted_is_a_result() {
    let e = evaluate(&report(SOURCES), "source,kind\n", Level::Hold).unwrap();
    assert_eq!((e.planted, e.honest, e.average_precision), (0, 8, None));
    assert_eq!(e.levels[1].recall, Rate::of(0, 0));
    assert!(text(&e).contains("Average precision -"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let twice = r#"{"schema_version": 1, "sources": [
        {"key": {"traffic_source": "t", "source": "a"}, "verdict": "clean"},
        {"key": {"traffic_source": "u", "source": "a"}, "verdict": "clean"}]}"#;
    let other = r#"{"schema_version": 1, "sources": [{"key": {"campaign": "a"}, "verdict": "clean"}]}"#;
    for (report, truth, message) in [
        ("source,kind", TRUTH, "the report is no JSON"),
        (r#"{"rows": []}"#, TRUTH, "the JSON is no report of an audit"),
        (other, TRUTH, "the groups of the report are not sources"),
        (twice, "source,kind\na,bots\n", "the label `a` fits several sources"),
        (&report(SOURCES), "source,kind\nnobody,bots\n", "no source of the truth is in the report"),
        (&report(SOURCES), "click_id,country\n1,DE\n", "the truth has no column `source`"),
        (
            &report(SOURCES),
            "source,kind,strength\na,bots,much\n",
            "line 2 of the truth: `much` is no strength",
        ),
        (&report(SOURCES), "source,kind\n,bots\n", "line 2 of the truth has no source"),
        (&report(SOURCES), "source,kind\na\n", "the truth is no CSV file"),
    ] {
        let refused = evaluate(report, truth, Level::Hold).expect_err(message);
        assert!(refused.message.starts_with(message), "{}", refused.message);
    }
    assert!(evaluate(twice, "source,kind,traffic_source\na,bots,u\n", Level::Hold).is_ok());
}

#[test]
fn the_strongest_label_of_a_source_counts() {
    let truth = "source,kind,strength\na,bots,0.2\na,replay,0.5\nb,honest,\n";
    let e = evaluate(&report(SOURCES), truth, Level::Hold).unwrap();
    assert_eq!((e.planted, e.kinds.len(), e.kinds[0].kind.as_str()), (1, 1, "replay"));
}

#[test]
fn the_text_says_what_the_figures_are() {
    let text = text(&evaluated());
    for line in [
        "8 sources: 5 with a planted fraud, 3 honest. Average precision 0.598 (ranked by score).",
        "1 planted sources are not in the report; they count as missed.",
        "| hold or worse | 3 | 0.67 (0.21–0.94) | 0.40 (0.12–0.77) | 0.33 (0.06–0.79) | 333.3 (61.5–792.3) |",
        "| injection | 1.00 (2/2) | 1.00 (1/1) | - | - | 1.00 (1/1) |",
        "Payout of planted conversions: 50.00; in sources flagged (hold or worse): 30.50 (61 %).",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
