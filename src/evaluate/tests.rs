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
    held(&report(SOURCES), TRUTH).expect("the two fit")
}

/// What the table says, held against the report.
fn held(report: &str, table: &str) -> Result<Evaluation> {
    evaluate(report, &truth(table, "labels.csv")?, Level::Hold)
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
    let e = held(&report(&bare), TRUTH).unwrap();
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
    let bare = held(&report(SOURCES), "source,kind\na,injection\n").unwrap();
    assert_eq!(bare.money, None);
}

#[test]
fn nothing_planted_is_a_result() {
    let e = held(&report(SOURCES), "source,kind\n").unwrap();
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
        (
            &report(SOURCES),
            "source,kind,traffic_source\na,bots,t\na,bots,\n",
            "the labels of lines 2 and 3 are of one source, `a`",
        ),
    ] {
        let refused = held(report, truth).expect_err(message);
        assert!(refused.message.starts_with(message), "{}", refused.message);
    }
    assert!(held(twice, "source,kind,traffic_source\na,bots,u\n").is_ok());
}

#[test]
fn the_strongest_label_of_a_source_counts() {
    let truth = "source,kind,strength\na,bots,0.2\na,bots,50%\nb,honest,\n";
    let e = held(&report(SOURCES), truth).unwrap();
    assert_eq!((e.planted, e.kinds.len(), e.kinds[0].strong_large), (1, 1, Rate::of(1, 1)));
}

#[test]
fn every_word_for_an_honest_source_is_no_fraud() {
    for word in HONEST.iter().flat_map(|word| [(*word).to_owned(), word.to_uppercase()]) {
        let e = held(&report(SOURCES), &format!("source,kind\na,bots\nb,{word}\n")).unwrap();
        assert_eq!((e.planted, e.honest), (1, 7), "{word}");
    }
}

#[test]
fn labels_without_a_strength_have_columns_of_their_own() {
    let e = held(&report(SOURCES), "source,kind\na,bots\nc,bots\n").unwrap();
    let kind = &e.kinds[0];
    assert_eq!((kind.unknown_large, kind.unknown_small), (Rate::of(1, 1), Rate::of(1, 1)));
    assert_eq!((kind.strong_large.whole, kind.weak_small.whole), (0, 0));
    let text = text(&e);
    assert!(text.contains("| kind | all | f unknown c<30 | f unknown c≥30 |"), "{text}");
    assert!(text.contains("| bots | 1.00 (2/2) | 1.00 (1/1) | 1.00 (1/1) |"), "{text}");
}

#[test]
fn labels_are_read_as_people_write_them() {
    for table in [
        "\u{feff}Source;Kind;Touched Payout\r\na;Bots;10.5\r\n",
        "KIND\tSOURCE\nbots\ta\n",
        "note,source,kind\n\"a, b\",a,bots\n\n",
        "source|kind\n a | bots \n",
    ] {
        let labels = truth(table, "labels.csv").unwrap_or_else(|fault| panic!("{table}: {fault}"));
        let of: Vec<_> = labels.iter().map(|l| (l.source.as_str(), l.kind.as_str())).collect();
        assert_eq!(of, [("a", "bots")], "{table}");
    }
}

#[test]
fn every_fault_of_the_labels_is_told_with_its_line() {
    for (table, told) in [
        ("click_id,country\n1,DE\n", &["there is no column `source`", "there is no column `kind`"][..]),
        ("source,kinds\na,bots\n", &["there is no column `kind`", "labels.csv:1:1", "did you mean `kinds`?"]),
        ("source,kind,kind\na,bots,bots\n", &["the column `kind` stands there twice"]),
        (
            "source,kind,strength\na,bots,much\n,bots,\nb,bots,30\n",
            &[
                "`much` is no strength between 0 and 1",
                "labels.csv:2:8",
                "the row names no source",
                "labels.csv:3:1",
                "`30` is no strength",
                "labels.csv:4:8",
                "3 faults in 1 file",
            ],
        ),
        ("source,kind,conversions\na,bots,1.5\n", &["`1.5` is no whole number"]),
        ("source,kind\na\n", &["the row has 1 fields, the header 2", "labels.csv:2:1"]),
        (
            "source,kind\na,bots\nb,replay\na,replay\n",
            &["`a` is replay here and bots in line 2", "labels.csv:4:1"],
        ),
        ("source,kind\na,bots\na,\n", &["`a` is honest here and bots in line 2"]),
        ("", &["the table of labels is empty"]),
    ] {
        let fault = truth(table, "labels.csv").expect_err(table).message;
        for words in told {
            assert!(fault.contains(words), "no `{words}` in\n{fault}");
        }
    }
    assert!(truth("source,kind\na,clean\na,ok\n", "labels.csv").unwrap().is_empty());
}

#[test]
fn the_text_says_what_the_figures_are() {
    let text = text(&evaluated());
    for line in [
        "8 sources: 5 with a planted fraud, 3 honest. Average precision 0.598 (ranked by score).",
        "1 planted source is not in the report, and counted as missed.",
        "| hold or worse | 3 | 0.67 (0.21–0.94) | 0.40 (0.12–0.77) | 0.33 (0.06–0.79) | 333.3 (61.5–792.3) |",
        "| injection | 1.00 (2/2) | 1.00 (1/1) | - | - | 1.00 (1/1) |",
        "Payout of planted conversions: 50.00; in sources flagged (hold or worse): 30.50 (61 %).",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
