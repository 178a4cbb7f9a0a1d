//! Two statements against each other: every kind of difference is planted once and again, all are found, none is
//! invented; and the page that shows it says what the program does.

use crate::documents::follow_page;
use crate::runs::{Folder, project, time};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

const MINUTE: usize = 60;
const HOUR: usize = 3_600;
const DAY: usize = 86_400;

/// One conversion as a side tells it.
#[derive(Clone)]
struct Told {
    id: String,
    transaction: String,
    event: &'static str,
    second: usize,
    status: &'static str,
    payout: &'static str,
    currency: &'static str,
    deposit: &'static str,
    offer: &'static str,
    country: &'static str,
    source: &'static str,
}

/// Two statements, and the transactions of every planted difference.
struct Planted {
    ours: Vec<Told>,
    theirs: Vec<Told>,
    what: BTreeMap<&'static str, Vec<String>>,
}

/// A tracker's 14 days and a network's, who begins a day later and goes on for a day; ours ends at noon.
fn planted() -> Planted {
    let mut all = Planted { ours: Vec::new(), theirs: Vec::new(), what: BTreeMap::new() };
    for day in 0..15 {
        for at in 0..24 {
            let n = day * 24 + at;
            let told = conversion(n, day * DAY + at * HOUR + (n * 997) % 3_000 + 120);
            if day < 13 || day == 13 && at < 12 {
                all.ours.push(told.clone());
            }
            if day > 0 {
                all.theirs.push(Told { second: told.second + 7 + n % 40, ..told });
            }
        }
    }
    all
}

fn conversion(n: usize, second: usize) -> Told {
    let deposit = n.is_multiple_of(3);
    Told {
        id: format!("c{:06x}{n:03}", (n * 7_919 + 104_729) % 0xff_ffff),
        transaction: format!("T{:05}", 10_000 + n * 17),
        event: if deposit { "first_deposit" } else { "registration" },
        second,
        status: "approved",
        payout: if deposit { "50.00" } else { "3.00" },
        currency: "USD",
        deposit: if deposit { "20.00" } else { "" },
        offer: ["casino", "betting"][n / 5 % 2],
        country: ["DE", "BR", "IN"][n / 3 % 3],
        source: ["2903977", "3102266", "60935", "77120"][n / 7 % 4],
    }
}

impl Planted {
    fn note(&mut self, what: &'static str, transaction: &str) {
        self.what.entry(what).or_default().push(transaction.to_owned());
    }

    /// The places on our side of conversions of the compared days, with this event, not used yet.
    fn pick(&self, event: &str, from_day: usize, count: usize) -> Vec<String> {
        let used: Vec<&String> = self.what.values().flatten().collect();
        let fits =
            |t: &&Told| t.event == event && t.second >= from_day * DAY && !used.contains(&&t.transaction);
        self.ours.iter().filter(fits).take(count).map(|t| t.transaction.clone()).collect()
    }

    fn change(&mut self, what: &'static str, event: &str, day: usize, n: usize, change: impl Fn(&mut Told)) {
        for transaction in self.pick(event, day, n) {
            self.theirs.iter_mut().filter(|t| t.transaction == transaction).for_each(&change);
            self.note(what, &transaction);
        }
    }

    fn with_every_difference(mut self) -> Planted {
        for (event, day, n) in [("first_deposit", 3, 6), ("registration", 5, 2)] {
            for gone in self.pick(event, day, n) {
                self.theirs.retain(|t| t.transaction != gone);
                self.note("missing ours", &gone);
            }
        }
        for gone in self.pick("first_deposit", 7, 3) {
            self.ours.retain(|t| t.transaction != gone);
            self.note("missing theirs", &gone);
        }
        self.change("status_differs", "first_deposit", 4, 4, |t| t.status = "rejected");
        self.change("status_differs", "registration", 6, 2, |t| t.status = "pending");
        self.change("payout_differs", "first_deposit", 8, 3, |t| t.payout = "45.00");
        self.change("amount_differs", "first_deposit", 9, 2, |t| t.deposit = "25.00");
        self.change("currency_differs", "first_deposit", 10, 2, |t| t.currency = "EUR");
        self.change("event_differs", "first_deposit", 6, 2, |t| t.event = "registration_2");
        self.change("hours_differ", "registration", 3, 2, |t| t.second += 3 * HOUR - t.second % MINUTE);
        self.change("fallback", "first_deposit", 11, 3, |t| t.id.clear());
        for (what, event, day, n) in
            [("doubled theirs", "first_deposit", 5, 3), ("doubled ours", "registration", 9, 2)]
        {
            for transaction in self.pick(event, day, n) {
                let side = if what == "doubled ours" { &mut self.ours } else { &mut self.theirs };
                let again = side.iter().find(|t| t.transaction == transaction).cloned().expect("it is there");
                side.push(Told { second: again.second + 5, ..again });
                self.note(what, &transaction);
            }
        }
        self.ours.sort_by_key(|t| t.second);
        self.theirs.sort_by_key(|t| t.second);
        self
    }

    /// Our tracker's export: an earlier state of two conversions is in it, too.
    fn tracker(&self) -> String {
        let header = "conversion_id,transaction_id,click_id,event,conversion_time,status,status_time,payout,currency,\
             sale_amount,network,offer,traffic_source,source,country\n";
        let mut text = header.to_owned();
        for (at, t) in self.ours.iter().enumerate() {
            let mut states = vec![t.status];
            if at == 40 || at == 90 {
                states.insert(0, "pending");
            }
            for (later, status) in states.iter().enumerate() {
                text += &format!(
                    "v{at:04},{},{},{},{},{status},{},{},{},{},adnet,{},popmax,{},{}\n",
                    t.transaction,
                    t.id,
                    t.event,
                    time(t.second),
                    time(t.second + later * HOUR),
                    t.payout,
                    t.currency,
                    t.deposit,
                    t.offer,
                    t.source,
                    t.country
                );
            }
        }
        text
    }

    /// Their statement: another header, another separator, an hour ahead, our click ID in a sub parameter.
    fn network(&self) -> String {
        let mut text = "action;sub3;goal;created;state;earning;cur;deposit;offer_name;geo\n".to_owned();
        for (at, t) in self.theirs.iter().enumerate() {
            text += &format!(
                "A{:06};{};{};{};{};{};{};{};{};{}\n",
                900_000 + at,
                t.id,
                t.event,
                time(t.second + HOUR),
                t.status,
                t.payout,
                t.currency,
                t.deposit,
                t.offer,
                t.country
            );
        }
        text
    }
}

const MAPPING: &str = "columns:\n  transaction_id: action\n  event: goal\n  conversion_time: created\n  status: state\n  \
                       payout: earning\n  currency: cur\n  sale_amount: deposit\n  offer: offer_name\n  country: geo\n";

fn example() -> Folder {
    let planted = planted().with_every_difference();
    Folder::new()
        .with("tracker.csv", planted.tracker())
        .with("network.csv", planted.network())
        .with("network.yaml", MAPPING)
}

const RUN: &str = "reconcile tracker.csv network.csv --theirs-map network.yaml";

fn classes(report: &Value) -> BTreeMap<String, (u64, u64)> {
    let of = |class: &Value| {
        let n = |side: &str| class[side].as_u64().expect("a count");
        (class["class"].as_str().expect("a word").to_owned(), (n("ours"), n("theirs")))
    };
    report["classes"].as_array().expect("classes").iter().map(of).collect()
}

#[test]
fn every_planted_difference_is_found_and_none_is_invented() {
    let folder = example();
    let planted = planted().with_every_difference();
    let report = folder.run(&format!("{RUN} -o json=-")).exits(0).json();
    let classes = classes(&report);
    let planted_of = |what: &str| planted.what.get(what).map_or(0, Vec::len) as u64;
    for class in ["status_differs", "payout_differs", "amount_differs", "currency_differs", "event_differs"] {
        assert_eq!(classes[class], (planted_of(class), planted_of(class)), "{class}");
    }
    assert_eq!(classes["hours_differ"], (2, 2));
    assert_eq!(classes["missing"], (planted_of("missing ours"), planted_of("missing theirs")));
    assert_eq!(classes["doubled"], (planted_of("doubled ours"), planted_of("doubled theirs")));
    assert_eq!(classes["superseded"], (2, 0));
    assert_eq!(classes["outside_period"], (24, 24));
    assert_eq!(classes["partial_day"], (12, 24));
    assert_eq!(report["join"]["pairs_by_fallback"], 3);
    assert_eq!(report["join"]["theirs"], "sub3");
    assert_eq!(report["compared"]["their_clock_ahead_s"], 3_600);
    assert_eq!(report["compared"]["first_day"], "2026-03-02");
    assert_eq!(report["compared"]["last_day"], "2026-03-13");
    every_row_has_a_class(&folder, &classes);
    planted_rows_are_named(&planted, &report);
}

fn every_row_has_a_class(folder: &Folder, classes: &BTreeMap<String, (u64, u64)>) {
    let rows = |name: &str| folder.text(name).lines().count() as u64 - 1;
    let sum = classes.values().fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
    assert_eq!(sum, (rows("tracker.csv"), rows("network.csv")));
}

/// The IDs of the found differences are those of the planted ones.
fn planted_rows_are_named(planted: &Planted, report: &Value) {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for difference in report["differences"].as_array().expect("differences") {
        let word = |name: &str| difference[name].as_str().expect("a word").to_owned();
        let (class, side) = (word("class"), word("side"));
        let key = if side == "both" { class } else { format!("{class} {side}") };
        let seen = if difference["ours"].is_null() { &difference["theirs"] } else { &difference["ours"] };
        found.entry(key).or_default().push(seen["id"].as_str().unwrap_or_default().to_owned());
    }
    let all = planted_ids(planted);
    for (what, transactions) in &planted.what {
        if *what == "fallback" {
            continue;
        }
        let mut wanted: Vec<String> = transactions.iter().map(|t| all[t].clone()).collect();
        let mut named = found.remove(*what).unwrap_or_default();
        wanted.sort();
        named.sort();
        assert_eq!(named, wanted, "{what}");
    }
    assert!(found.is_empty(), "invented: {found:?}");
}

/// Click IDs by transaction.
fn planted_ids(planted: &Planted) -> BTreeMap<String, String> {
    let both = planted.theirs.iter().chain(&planted.ours);
    both.filter(|t| !t.id.is_empty()).map(|t| (t.transaction.clone(), t.id.clone())).collect()
}

#[test]
fn statements_that_change_places_mirror_their_classes() {
    let folder = example();
    let there = folder.run(&format!("{RUN} -o json=-")).exits(0).json();
    let run = "reconcile network.csv tracker.csv --ours-map network.yaml --tz Etc/GMT+1 -o json=-";
    let back = folder.run(run).exits(0).json();
    assert_eq!(back["compared"]["their_clock_ahead_s"], -3_600);
    let mirrored: BTreeMap<String, (u64, u64)> =
        classes(&back).into_iter().map(|(class, (ours, theirs))| (class, (theirs, ours))).collect();
    assert_eq!(classes(&there), mirrored);
}

#[test]
fn equal_statements_agree() {
    let text = planted().tracker();
    let folder = Folder::new().with("a.csv", &text).with("b.csv", &text);
    let run = folder.run("reconcile a.csv b.csv --fail-on-difference 0").exits(0);
    assert!(run.text().starts_with("the statements agree: "), "{}", run.text());
    let report = folder.run("reconcile a.csv b.csv -o json=-").exits(0).json();
    assert_eq!(report["join"]["ours"], "transaction_id");
    assert_eq!(report["disagree"], 0);
}

#[test]
fn differences_fail_the_run_where_they_are_asked_to() {
    let folder = example();
    for (limit, code) in [("0", 1), ("1%", 1), ("100", 1), ("1000000", 0), ("50%", 0)] {
        folder.run(&format!("{RUN} -q --fail-on-difference {limit}")).exits(code);
    }
    folder.run(&format!("{RUN} --fail-on-difference lots")).exits(2);
}

#[test]
fn the_wrong_columns_end_the_run_and_the_better_pair_is_named() {
    let folder = example();
    folder.run(&format!("{RUN} --join conversion_id=transaction_id")).exits(3).says(&[
        "these are the wrong columns",
        "click_id = sub3",
        "--join 'click_id=sub3'",
    ]);
    folder.run(&format!("{RUN} --join click_id=sub3")).exits(0);
    folder.run(&format!("{RUN} --join click_id=sub9")).exits(3).says(&["sub9"]);
    let other = ["0", "1", "2", "3"]
        .iter()
        .fold(planted().network(), |text, digit| text.replace(&format!(";c{digit}"), &format!(";x{digit}")));
    let folder = example().with("network.csv", other);
    folder.run(RUN).exits(3).says(&["no pair of columns joins the statements", "inspect"]);
}

#[test]
fn bad_statements_are_refused_with_what_to_do() {
    let folder = example();
    folder.run("reconcile tracker.csv nothing.csv").exits(3).says(&["nothing.csv"]);
    folder.run(&format!("{RUN} --event install")).exits(3).says(&["no row has the event `install`"]);
    folder.run(&format!("{RUN} --only zone=1")).exits(2).says(&["network, offer"]);
    folder.run(&format!("{RUN} --from 2026-13-01")).exits(2).says(&["no day"]);
    folder.run(&format!("{RUN} -o jsn=x")).exits(2).says(&["did you mean `json`"]);
    folder.run(&format!("{RUN} -o csv=tracker.csv")).exits(2).says(&["read by this run"]);
    let silent = planted().network().replace("goal", "what");
    let folder =
        example().with("silent.csv", silent).with("silent.yaml", MAPPING.replace("  event: goal\n", ""));
    let run = "reconcile tracker.csv silent.csv --theirs-map silent.yaml";
    folder.run(run).exits(3).says(&["several events", "--event"]);
    let apart = planted().network().replace("2026-03", "2026-05");
    let folder = example().with("network.csv", apart);
    folder.run(RUN).exits(3).says(&["no whole day in common"]);
}

#[test]
fn rejected_rows_are_told_and_written() {
    let planted = planted().with_every_difference();
    let broken = planted.network() + "A1;c1;registration;yesterday;approved;1;USD;;casino;DE\n";
    let folder = example().with("network.csv", broken);
    let run = folder.run(&format!("{RUN} --rejects rejects.csv -o table=-")).exits(0);
    assert!(run.text().contains("network.csv: rows rejected: 1 a time that does not fit"), "{}", run.text());
    assert!(
        folder.text("rejects.csv").contains("bad_time,A1;c1;registration;yesterday"),
        "{}",
        folder.text("rejects.csv")
    );
}

#[test]
fn a_statement_of_one_network_is_held_against_its_own_rows_only() {
    let planted = planted().with_every_difference();
    let others = planted.tracker();
    let more: String = others
        .lines()
        .skip(1)
        .map(|line| {
            line.replace(",adnet,", ",othernet,").replace(",c", ",d").replace('v', "w").replace(",T", ",U")
        })
        .map(|line| line + "\n")
        .collect();
    let folder = example().with("tracker.csv", others + &more);
    let report = folder.run(&format!("{RUN} --only network=adnet -o json=-")).exits(0).json();
    let plain = example().run(&format!("{RUN} -o json=-")).exits(0).json();
    assert_eq!(report["totals"], plain["totals"]);
    assert!(classes(&report)["not_asked"].0 > 300);
}

#[test]
fn money_of_two_currencies_is_never_added_up() {
    let folder = example();
    let report = folder.run(&format!("{RUN} -o json=-")).exits(0).json();
    let totals = report["totals"].as_array().expect("totals");
    let currencies: Vec<&str> = totals.iter().filter_map(|t| t["currency"].as_str()).collect();
    assert_eq!(currencies, ["EUR", "USD"]);
    assert_eq!(totals[0]["ours"]["count"], 0);
    assert_eq!(totals[0]["theirs"]["amount"], "100.00");
    let usd = &totals[1];
    assert_eq!(
        (usd["missing"]["count"].as_u64(), usd["missing"]["amount"].as_str()),
        (Some(8), Some("306.00"))
    );
    assert_eq!(
        (usd["refused"]["count"].as_u64(), usd["refused"]["amount"].as_str()),
        (Some(4), Some("200.00"))
    );
    assert_eq!(usd["underpaid"]["amount"], "15.00");
    assert_eq!(usd["waiting"]["count"], 2);
    assert_eq!(usd["unknown"]["amount"], "150.00");
    assert_eq!(usd["owed"], "521.00");
}

#[test]
fn hostile_ids_reach_no_output_as_they_are() {
    let planted = planted().with_every_difference();
    let gone = &planted.what["missing ours"][0];
    let id = planted_ids(&planted)[gone].clone();
    let tracker = planted.tracker().replace(&id, "=HYPERLINK(1)\u{1b}[2J");
    let folder = example().with("tracker.csv", tracker);
    let run = folder.run(&format!("{RUN} -o csv=found.csv -o table=-")).exits(0);
    assert!(!run.text().contains('\u{1b}'));
    assert!(folder.text("found.csv").contains("'=HYPERLINK(1)\\u{1b}[2J"), "{}", folder.text("found.csv"));
}

// ---------------------------------------------------------------- the page

/// `BLESS=1 cargo test reconcile` writes the statements of the page anew.
#[test]
fn the_committed_statements_are_the_planted_ones() {
    let planted = planted().with_every_difference();
    let files = [
        ("tracker.csv", planted.tracker()),
        ("network.csv", planted.network()),
        ("network.yaml", MAPPING.to_owned()),
    ];
    for (name, text) in files {
        let path = project("sample-data/reconcile").join(name);
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(project("sample-data/reconcile")).expect("the folder");
            fs::write(&path, &text).expect("the file can be written");
        }
        assert!(fs::read_to_string(&path).unwrap_or_default() == text, "{name} is not what is planted");
    }
}

#[test]
fn the_page_shows_what_the_program_says() {
    let ran = follow_page("docs/reconcile.md");
    assert!(ran >= 3, "{ran} commands");
}

// ---------------------------------------------------------------- the outbound leg

/// What the traffic source was told of the first 40 first deposits, with every fault planted once or more; its own
/// IDs of postbacks, and our click ID in `ext`.
fn sent(planted: &Planted) -> String {
    let mut text = "postback_id,ext,event,sent_at,payout,currency\n".to_owned();
    let deposits: Vec<&Told> = planted.ours.iter().filter(|t| t.event == "first_deposit").take(40).collect();
    for (at, t) in deposits.iter().enumerate() {
        let mut row = |event: &str, second: usize, payout: &str| {
            text += &format!("P{:05},{},{event},{},{payout},USD\n", 70_000 + text.len(), t.id, time(second));
        };
        match at {
            5 | 9 => {}
            11 => row(t.event, t.second + 3 * HOUR, t.payout),
            14 => {
                row(t.event, t.second + 5, t.payout);
                row(t.event, t.second + 9, t.payout);
            }
            17 => row("install", t.second + 5, t.payout),
            20 | 21 => row(t.event, t.second + 5, "5.00"),
            _ => row(t.event, t.second + 5, t.payout),
        }
    }
    text + &format!("P99999,c-of-nobody,first_deposit,{},50.00,USD\n", time(4 * DAY))
}

#[test]
fn what_the_traffic_source_was_told_is_held_against_the_conversions() {
    let planted = planted();
    let deposits: Vec<&Told> = planted.ours.iter().filter(|t| t.event == "first_deposit").collect();
    let rejected = deposits[25].id.clone();
    let tracker: String = planted
        .tracker()
        .lines()
        .map(|line| if line.contains(&rejected) { line.replace("approved", "rejected") } else { line.to_owned() } + "\n")
        .collect();
    let folder = example().with("tracker.csv", tracker).with("sent.csv", sent(&planted));
    let reports = [
        folder.run(&format!("{RUN} --sent sent.csv -o json=-")).exits(0).json(),
        folder.run("audit --conversions tracker.csv --sent sent.csv -o json=-").json(),
    ];
    for report in &reports {
        let found = &report["forwarded"];
        assert_eq!(found["join"], serde_json::json!(["click_id", "ext"]));
        let sources = found["traffic_sources"].as_array().expect("a list");
        let told = sources.iter().find(|t| t["traffic_source"] == "popmax").expect("popmax");
        let count = |name: &str| told[name].as_u64().expect("a count");
        let names = ["not_sent", "late", "doubled", "wrong_event", "wrong_value", "rejected"];
        assert_eq!(names.map(count), [2, 1, 1, 1, 2, 1], "{told}");
        assert_eq!(found["never_sent"], serde_json::json!(["registration"]));
        let unknown: u64 = sources.iter().filter_map(|t| t["unknown"].as_u64()).sum();
        assert_eq!(unknown, 1);
    }
    let text = folder.run(&format!("{RUN} --sent sent.csv")).exits(0).text();
    assert!(text.contains("popmax: 39 postbacks for "), "{text}");
    assert!(
        text.contains("2 not sent, 1 late, 1 doubled, 1 wrong event, 2 wrong value, 1 rejected but sent"),
        "{text}"
    );
    let text = folder.run("audit --conversions tracker.csv --sent sent.csv").text();
    assert!(text.contains("2 not sent, 1 late"), "{text}");
    folder.run(&format!("{RUN} --sent nothing.csv")).exits(3).says(&["nothing.csv"]);
    folder.run("audit --clicks tracker.csv --sent sent.csv").exits(2).says(&["--conversions"]);
}
