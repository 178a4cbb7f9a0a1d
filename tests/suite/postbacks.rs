//! Logs of postbacks end to end: what is planted in one is found, and nobody else is accused.
//!
//! The log is made here: honest postbacks of four sources, and a source each whose postbacks are forged, sent
//! again, sent from elsewhere, sent with a wrong token, lost, and mangled.

use crate::runs::{Folder, absent, source};
use serde_json::Value;
use std::fmt::Write;

const SECRET: &str = "k3y-of-the-network";
const TOKEN: &str = "t0ken-of-the-network";

/// Conversions of each source, and clicks for each of them.
const CONVERSIONS: usize = 40;
const CLICKS_EACH: usize = 5;

const SOURCES: [&str; 10] =
    ["fair1", "fair2", "fair3", "fair4", "forger", "replayer", "stranger", "guesser", "loser", "mangler"];

/// Seconds of the first click since 1970: 2 March 2026.
const START: usize = 1_772_409_600;

const MAP: &str = "
postbacks:
  tracker: generic
  networks:
    acme:
      paths: [/pb]
      senders: [203.0.113.0/24, '2001:db8::/32']
      token: {parameter: token, file: token.txt}
      signature: {parameter: sig, file: key.txt}
";

/// One postback of a source, before anything is wrong with it.
struct Postback {
    click: String,
    transaction: String,
    source: &'static str,
    /// Seconds since 1970 of the event.
    time: usize,
}

impl Postback {
    fn query(&self, token: &str, amount: &str) -> String {
        format!(
            "click_id={}&event=sale&status=approved&payout={amount}&currency=USD&transaction_id={}&affiliate_id={}&timestamp={}&token={token}",
            self.click, self.transaction, self.source, self.time
        )
    }
}

/// Every postback that should be, in the order of sources.
fn postbacks() -> Vec<Postback> {
    let mut all = Vec::new();
    for (s, source) in SOURCES.into_iter().enumerate() {
        for i in 0..CONVERSIONS {
            let click = click_number(s, i * CLICKS_EACH);
            all.push(Postback {
                click: format!("c{click:05}"),
                transaction: format!("T{s}{i:03}"),
                source,
                time: START + click * 97 + 300 + 61 * i,
            });
        }
    }
    all
}

fn click_number(source: usize, at: usize) -> usize {
    at * SOURCES.len() + source
}

fn clicks() -> String {
    let mut text = "click_id,click_time,source,offer,cost\n".to_owned();
    for at in 0..CONVERSIONS * CLICKS_EACH {
        for (s, source) in SOURCES.iter().enumerate() {
            let n = click_number(s, at);
            let _ = writeln!(text, "c{n:05},{},{source},slots,0.10", shown(START + n * 97, "iso"));
        }
    }
    text
}

/// A second since 1970 as exports or logs write it; all lie in March 2026.
fn shown(second: usize, format: &str) -> String {
    let s = second - (START - 86_400);
    let (day, h, m, s) = (s / 86_400 + 1, s / 3_600 % 24, s / 60 % 60, s % 60);
    match format {
        "iso" => format!("2026-03-{day:02}T{h:02}:{m:02}:{s:02}Z"),
        "cloudfront" => format!("2026-03-{day:02}\t{h:02}:{m:02}:{s:02}"),
        _ => format!("{day:02}/Mar/2026:{h:02}:{m:02}:{s:02} +0000"),
    }
}

/// One request of a log.
#[derive(Clone)]
struct Line {
    second: usize,
    sender: &'static str,
    query: String,
    status: u16,
}

const NETWORK: &str = "203.0.113.9";
const ELSEWHERE: &str = "198.51.100.66";

fn signed(query: &str) -> String {
    format!("{query}&sig={}", hex(&hmac_sha256(SECRET.as_bytes(), query.as_bytes())))
}

/// The log with everything planted.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for (n, p) in postbacks().into_iter().enumerate() {
        let i = n % CONVERSIONS;
        let good = Line {
            second: p.time + 2,
            sender: NETWORK,
            query: signed(&p.query(TOKEN, "12.50")),
            status: 200,
        };
        let failed = Line { status: 502, ..good.clone() };
        match (p.source, i % 4) {
            // The amount was changed behind the signature.
            ("forger", 0 | 1) => lines.push(Line { query: good.query.replace("12.50", "99.00"), ..good }),
            ("replayer", 0 | 1) => {
                lines.push(Line { second: good.second + 2 * 86_400, ..good.clone() });
                lines.push(good);
            }
            ("stranger", 0..=2) => lines.push(Line { sender: ELSEWHERE, ..good }),
            ("guesser", 0) => lines.push(Line { query: signed(&p.query("t0ken", "12.50")), ..good }),
            ("loser", 0) => lines.push(failed),
            ("mangler", 0) => {
                let damaged = p
                    .query(TOKEN, "12.50")
                    .replace("&currency", "%C2%A4cy")
                    .replace("&timestamp", "%C3%97tamp");
                lines.push(Line { query: signed(&damaged), ..good });
            }
            ("mangler", 1) => {
                let left = p.query(TOKEN, "12.50").replace(&p.click, "%7Bsub1%7D");
                lines.push(Line { query: signed(&left), ..good });
            }
            // An honest network whose first try fails once in a while, and that sends twice now and then.
            (_, 3) if i == 3 => lines.extend([failed, Line { second: good.second + 60, ..good }]),
            (_, 3) if i == 7 => lines.extend([good.clone(), Line { second: good.second + 5, ..good }]),
            _ => lines.push(good),
        }
    }
    lines.sort_by_key(|line| line.second);
    lines
}

/// The log in a format, with what else a server is asked for.
fn log(format: &str) -> String {
    let mut text = match format {
        "cloudfront" => "#Version: 1.0\n#Fields: date time x-edge-location c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query\n".to_owned(),
        _ => String::new(),
    };
    for (n, line) in lines().into_iter().enumerate() {
        let Line { second, sender, query, status } = line;
        let when = shown(second, format);
        let _ = match format {
            "cloudfront" => {
                writeln!(text, "{when}\tFRA\t{sender}\tGET\tt.example\t/pb\t{status}\t-\tnet%2F1\t{query}")
            }
            "alb" => writeln!(
                text,
                "https {} app/lb/1 {sender}:4711 10.0.0.1:80 0.0 0.0 0.0 {status} {status} 10 10 \"GET https://t.example:443/pb?{query} HTTP/1.1\" \"net/1\" - - arn \"Root=1\"",
                shown(second, "iso")
            ),
            _ => writeln!(
                text,
                "{sender} - - [{when}] \"GET /pb?{query} HTTP/1.1\" {status} 2 \"-\" \"net/1\""
            ),
        };
        if format == "combined" && n % 2 == 0 {
            let _ = writeln!(
                text,
                "192.0.2.1 - - [{when}] \"GET /banner/{n}.png HTTP/1.1\" 200 900 \"-\" \"Mozilla\""
            );
        }
    }
    text
}

fn folder(format: &str) -> Folder {
    Folder::new()
        .with("clicks.csv", clicks())
        .with("access.log", log(format))
        .with("map.yaml", MAP)
        .with("key.txt", format!("{SECRET}\n"))
        .with("token.txt", TOKEN)
}

const AUDIT: &str = "--clicks clicks.csv --postbacks access.log --map map.yaml";

/// The IDs of the rules that found something at a source.
fn rules(report: &Value, name: &str) -> Vec<String> {
    let findings = source(report, name)["findings"].as_array().expect("findings").clone();
    findings.iter().map(|f| f["rule"].as_str().unwrap_or_default().to_owned()).collect()
}

#[track_caller]
fn check(report: &Value, name: &str, verdict: &str, found: &[&str]) {
    let rules = rules(report, name);
    let of_logs: Vec<&str> =
        rules.iter().map(String::as_str).filter(|rule| rule.starts_with("postback")).collect();
    assert_eq!(of_logs, found, "{name}");
    assert_eq!(source(report, name)["verdict"], verdict, "{name}: {rules:?}");
}

#[test]
fn what_is_planted_in_a_log_is_found_and_nothing_else() {
    let report = folder("combined").report(AUDIT);
    check(&report, "forger", "block", &["postbacks-forged"]);
    check(&report, "replayer", "block", &["postbacks-replayed"]);
    check(&report, "stranger", "hold", &["postbacks-from-foreign-senders"]);
    check(&report, "guesser", "hold", &["postbacks-with-wrong-token"]);
    for honest in ["fair1", "fair2", "fair3", "fair4"] {
        assert!(!rules(&report, honest).iter().any(|rule| rule.starts_with("postback")), "{honest}");
        assert!(!["block", "hold"].contains(&source(&report, honest)["verdict"].as_str().unwrap_or("block")));
    }
    assert!(rules(&report, "loser").contains(&"postbacks-lost".to_owned()));
    assert!(rules(&report, "mangler").contains(&"postback-macros-not-replaced".to_owned()));
    let mangled = &source(&report, "mangler")["signals"];
    assert_eq!(mangled["missing_click_id_share"]["value"], 0.25);
    assert_eq!(mangled["forged_postback_count"]["value"], 0.0);
}

#[test]
fn every_line_of_a_log_is_accounted_for() {
    let report = folder("combined").report(AUDIT);
    let rows = &report["coverage"]["conversions"];
    let number = |v: &Value| v.as_u64().unwrap_or_default();
    let sum = |v: &Value| v.as_object().map_or(0, |o| o.values().map(number).sum::<u64>());
    assert_eq!(number(&rows["read"]), log("combined").lines().count() as u64);
    assert_eq!(
        number(&rows["read"]),
        number(&rows["used"]) + sum(&rows["rejected"]) + sum(&rows["duplicate"])
    );
    let others = log("combined").lines().filter(|line| line.contains("banner")).count() as u64;
    assert_eq!(rows["rejected"]["other_request"], others);
    assert_eq!(sum(&rows["rejected"]), others);
    // The second try of every source's fourth postback, and the second copy of its eighth; the replayer's, too.
    assert_eq!(rows["duplicate"]["retry"], 20);
    assert_eq!(number(&rows["used"]), (SOURCES.len() * CONVERSIONS + CONVERSIONS / 2) as u64);
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("10 URLs had lost an ampersand"), "{notes}");
}

#[test]
fn formats_of_logs_tell_the_same() {
    let of = |format: &str| {
        let report = folder(format).report(AUDIT);
        SOURCES.map(|name| source(&report, name)["signals"].clone())
    };
    let combined = of("combined");
    assert!(of("cloudfront") == combined, "CloudFront");
    assert!(of("alb") == combined, "ALB");
}

#[test]
fn packed_and_split_logs_tell_the_same() {
    let folder = folder("combined");
    let whole = folder.report(AUDIT)["sources"].clone();
    let text = log("combined");
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = lines.split_at(lines.len() / 3);
    let folder = folder
        .with("access.log.2", first.join("\n") + "\n")
        .with("access.log.1.gz", gzip(second.join("\n").as_bytes()));
    let parted = folder.report("--clicks clicks.csv --postbacks access.log.* --map map.yaml");
    assert!(parted["sources"] == whole);
    let backwards: Vec<&str> = lines.iter().rev().copied().collect();
    let folder = folder.with("access.log", backwards.join("\n"));
    assert!(folder.report(AUDIT)["sources"] == whole);
}

/// Without a list, a token or a secret nobody is on no list.
#[test]
fn what_is_not_declared_is_absent() {
    let report = folder("combined").report("--clicks clicks.csv --postbacks access.log");
    for (name, reason) in [
        ("forged_postback_share", "no log of postbacks with a declared signature was read"),
        ("wrong_token_share", "no log of postbacks with a declared token was read"),
        ("foreign_sender_share", "no log of postbacks with a list of senders was read"),
    ] {
        assert_eq!(absent(&report, "forger", name), reason, "{name}");
    }
    assert_eq!(source(&report, "forger")["signals"]["lost_postback_share"]["n"], CONVERSIONS);
}

/// A pixel carries the visitor's address and the page's IDs.
#[test]
fn a_browsers_postbacks_are_not_held_against_senders() {
    let map = MAP.replace("      paths", "      fired_by: browser\n      paths");
    let report = folder("combined").with("map.yaml", map).report(AUDIT);
    let stranger = source(&report, "stranger");
    assert!(stranger["signals"]["foreign_sender_share"]["value"].is_null());
    assert!(stranger["signals"]["id_entropy_bits"]["value"].is_null());
    assert_eq!(stranger["signals"]["conversion_top_ip_share"]["n"], CONVERSIONS);
    check(&report, "forger", "block", &["postbacks-forged"]);
}

/// Affiliate and status without a click ID: the conversions count for the affiliate.
#[test]
fn conversions_without_a_click_id_count_for_their_affiliate() {
    let text: String = (0..30)
        .map(|i| format!("2026-03-02T10:{i:02}:00Z https://t.example/pb?affiliate_id=a7&status=approved&payout=2&timestamp={}\n", START + i))
        .collect();
    let folder = Folder::new().with("urls.txt", text);
    let report = folder.report("--postbacks urls.txt");
    let affiliate = source(&report, "a7");
    assert_eq!(affiliate["signals"]["conversion_count"]["value"], 30.0);
    assert_eq!(
        absent(&report, "a7", "missing_click_id_share"),
        "no column is mapped to conversions.click_id"
    );
    assert_eq!(report["coverage"]["conversion_classes"]["without_id"], 30);
}

/// Secrets are named by file, and what was rejected is shown without them.
#[test]
fn no_output_shows_a_secret() {
    let hostile = format!(
        "203.0.113.9 - - [02/Mar/2026:10:00:00 +0000] \"GET /pb?click_id=a&event=sale&payout=x&token={TOKEN}&sig=abc HTTP/1.1\" 200 2\n"
    );
    let log = hostile.clone() + &log("combined") + "not a line of a log with token=" + TOKEN + "\n";
    let folder = folder("combined").with("access.log", log);
    let run = folder.run(&format!("audit {AUDIT} -o json=r.json -o table=- --rejects rejects.csv")).exits(0);
    let rejects = folder.text("rejects.csv");
    assert!(
        rejects.contains("bad_number") && rejects.contains("token=…") && rejects.contains("sig=…"),
        "{rejects}"
    );
    for text in [folder.text("r.json"), rejects, run.text(), run.stderr] {
        assert!(!text.contains(TOKEN) && !text.contains(SECRET));
    }
}

#[test]
fn a_link_is_checked_and_built() {
    let folder = Folder::new();
    let run = folder
        .run("postback check https://t.example/postback?cid={clickid}&payout=[PAYOUT]¤cy=USD --tracker voluum --sender everflow --format json")
        .exits(0);
    let found = run.json();
    assert_eq!(found["complete"], false);
    assert_eq!(found["damaged"], true);
    assert_eq!(found["macros"][0]["instead"], "{sub1}");
    assert_eq!(
        found["corrected"],
        "https://t.example/postback?cid={sub1}&payout={payout_amount}&currency=USD&et={event_id}&txid={order_id}"
    );
    let again = found["corrected"].as_str().expect("a link");
    let run = folder.run(&format!("postback check {again} --tracker voluum --sender everflow")).exits(0);
    assert!(run.text().contains("nothing is to be corrected"), "{}", run.text());
    let url = folder
        .run("postback url --tracker keitaro --sender affise --at https://k.example/key/postback")
        .exits(0);
    let first = "https://k.example/key/postback?subid={sub1}&payout={sum}&currency={currency}&status={status}&tid={transactionid}";
    assert_eq!(url.text().lines().next(), Some(first));
    folder
        .run("postback check /p?x --tracker volum")
        .exits(2)
        .says(&["`volum` is no tracker", "did you mean voluum?"]);
    folder.run("postback check words --tracker voluum").exits(2).says(&["`words` is no link"]);
    folder.run("postback url --tracker voluum --set =x").exits(2).says(&["`=x` is no parameter"]);
}

// ---------------------------------------------------------------- a second HMAC-SHA256, by the book

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// RFC 2104 over FIPS 180-4; keys are shorter than a block here.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |pad: u8| (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ pad).collect::<Vec<u8>>();
    let inner = sha256(&[padded(0x36), message.to_vec()].concat());
    sha256(&[padded(0x5c), inner].concat())
}

/// The first 32 bits of the fractional parts of the roots (square or cube) of the first primes.
fn fractions(count: usize, root: fn(f64) -> f64) -> Vec<u32> {
    let prime = |n: &u32| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..).filter(prime).take(count).map(|p| (root(f64::from(p)).fract() * 4_294_967_296.0) as u32).collect()
}

fn sha256(message: &[u8]) -> Vec<u8> {
    let k = fractions(64, f64::cbrt);
    let mut h = fractions(8, f64::sqrt);
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend(((message.len() * 8) as u64).to_be_bytes());
    for block in padded.chunks(64) {
        let mut w: Vec<u32> =
            block.chunks(4).map(|b| u32::from_be_bytes(b.try_into().expect("four bytes"))).collect();
        for i in 16..64 {
            let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
            let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
            w.push(w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1));
        }
        let mut v = h.clone();
        for i in 0..64 {
            let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let first = v[7].wrapping_add(s1).wrapping_add(choice).wrapping_add(k[i]).wrapping_add(w[i]);
            let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(first);
            v[0] = first.wrapping_add(s0).wrapping_add(majority);
        }
        h.iter_mut().zip(v).for_each(|(h, v)| *h = h.wrapping_add(v));
    }
    h.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The first test of FIPS 180-4 and the second of RFC 4231.
#[test]
fn the_second_hmac_is_right() {
    assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
    assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes everything")
}
