//! The way to a ClickHouse against a server on this machine that does whatever a test wants.

use crate::engine::transport::tests::{self, shown};
use crate::engine::transport::{Access, Kind, Progress, Secret, open};
use crate::engine::{Answer, Column, Engine, EngineFault, Values};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does to one request, one after the other.
#[derive(Clone)]
enum Act {
    Say(String),
    Wait(u64),
    /// Ends the connection with a reset in place of an end.
    Reset,
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
struct Asked {
    line: String,
    headers: Vec<String>,
    body: String,
}

impl Asked {
    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.line.split([' ', '?']).nth(2)?;
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(percent_encoding::percent_decode_str(found).decode_utf8_lossy().into_owned())
    }
}

/// A server on a port of its own; it ends with the test.
struct Fake {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A server that says who it is, and does this to any other query.
fn fake(settings: &str, acts: Vec<Act>) -> Fake {
    let settings = settings.to_owned();
    serve(move |asked| match asked.body.as_str() {
        sql if sql.contains("version()") => vec![Act::Say(texts("[\"version\"]", "[\"26.9.1\"]"))],
        sql if sql.contains("system.settings") => {
            vec![Act::Say(texts("[\"name\",\"value\",\"fixed\"]", &settings))]
        }
        sql if sql.contains("system.processes") => vec![Act::Say(ok(&NUMBER.replace('7', "0")))],
        _ => acts.clone(),
    })
}

fn serve(acts: impl Fn(&Asked) -> Vec<Act> + Send + 'static) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let socket = socket.expect("a connection");
            let request = receive(&socket);
            let acts = acts(&request);
            seen.lock().expect("the list").push(request);
            perform(socket, acts);
        }
    });
    Fake { address, asked }
}

fn receive(socket: &TcpStream) -> Asked {
    let mut reader = BufReader::new(socket);
    let mut asked = Asked::default();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(digits) = line.strip_prefix("Content-Length: ") {
            length = digits.trim().parse().expect("a length");
        }
        asked.headers.push(line.trim().to_owned());
    }
    asked.line = asked.headers.first().cloned().unwrap_or_default();
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).expect("a body");
    asked.body = String::from_utf8_lossy(&body).into_owned();
    asked
}

fn perform(mut socket: TcpStream, acts: Vec<Act>) {
    for act in acts {
        match act {
            Act::Say(text) if socket.write_all(text.as_bytes()).is_ok() => {}
            Act::Say(_) => return,
            Act::Wait(ms) => std::thread::sleep(Duration::from_millis(ms)),
            Act::Reset => {
                // What was sent and not read makes the close a reset; the request's end is left unread here.
                let _ = socket.set_nodelay(true);
                drop(socket);
                return;
            }
        }
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A good answer of texts: names, and rows as they stand in the document.
fn texts(names: &str, rows: &str) -> String {
    let names: Vec<String> = serde_json::from_str(names).expect("names");
    let meta: Vec<String> =
        names.iter().map(|n| format!("{{\"name\":\"{n}\",\"type\":\"String\"}}")).collect();
    let count = rows.matches('[').count();
    ok(&format!("{{\"meta\":[{}],\"data\":[{rows}],\"rows\":{count}}}", meta.join(",")))
}

const NUMBER: &str = r#"{"meta":[{"name":"n","type":"UInt64"}],"data":[["7"]],"rows":1}"#;

fn access(address: &str) -> Access {
    tests::access(Kind::ClickHouse, address)
}

fn engine(fake: &Fake) -> Box<dyn Engine> {
    open(access(&fake.address)).expect("a server that answers")
}

fn check(acts: Vec<Act>, expected: &str) -> Fake {
    let fake = fake("", acts);
    let found = shown(engine(&fake).query("about", "SELECT 7 AS n", &[]));
    assert!(found.contains(expected), "{found}\n  {expected}");
    assert!(found.contains("7") || found.contains(&fake.address), "{found}");
    fake
}

fn say(text: impl Into<String>) -> Vec<Act> {
    vec![Act::Say(text.into())]
}

#[test]
fn a_good_answer_is_read() {
    let fake = check(say(ok(NUMBER)), "Some(Int([Some(7)]))");
    let asked = fake.asked.lock().expect("the list").clone();
    let last = asked.last().expect("a query");
    let tag = last.parameter("query_id").expect("a name");
    assert!(tag.starts_with("run-1-"), "{tag}");
    assert_eq!(last.body, format!("/* clickaudit {tag} */ SELECT 7 AS n"));
    assert_eq!(last.parameter("wait_end_of_query").as_deref(), Some("1"));
    assert_eq!(last.parameter("default_format").as_deref(), Some("JSONCompact"));
    let mut names: Vec<_> = asked.iter().map(|a| a.parameter("query_id")).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "every query has a name of its own");
}

#[test]
fn every_cut_is_an_error() {
    let whole = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{NUMBER}\r\n0\r\n\r\n",
        NUMBER.len()
    );
    check(say(whole.clone()), "Some(Int([Some(7)]))");
    for end in [0, 5, 20, 46, 60, 80, whole.len() - 12, whole.len() - 5, whole.len() - 1] {
        check(say(&whole[..end]), "CutShort");
    }
    // A gate may mark a good end behind half an answer; the document itself knows better.
    for end in [10, 40, NUMBER.len() - 12, NUMBER.len() - 1] {
        check(say(ok(&NUMBER[..end])), "CutShort");
        check(say(format!("HTTP/1.1 200 OK\r\n\r\n{}", &NUMBER[..end])), "CutShort");
    }
    check(vec![Act::Say(whole[..70].to_owned()), Act::Reset], "CutShort");
}

#[test]
fn a_failure_behind_a_good_status_is_a_failure() {
    let said =
        "Code: 241, e.displayText() = DB::Exception: Memory limit (for query) exceeded: would use 9 GiB";
    check(say(ok(&format!("{}{said}", &NUMBER[..50]))), "Limit http://127.0.0.1");
    check(say(ok(&format!("{NUMBER}\n{said}"))), "Memory limit (for query) exceeded");
    let headed =
        format!("HTTP/1.1 200 OK\r\nX-ClickHouse-Exception-Code: 241\r\nContent-Length: 0\r\n\r\n{said}");
    check(say(headed), "Limit");
}

#[test]
fn what_the_server_says_is_passed_on() {
    let error = |status: u16, body: &str| {
        say(format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    check(error(404, "Code: 60, e.displayText() = DB::Exception: Table d.t doesn't exist."), "NoTable");
    check(error(404, "Code: 47. DB::Exception: Missing columns: 'x'"), "NoColumn");
    check(error(403, "Code: 516. DB::Exception: me: Authentication failed"), "Denied");
    check(error(401, ""), "Denied");
    check(error(502, "<html>Bad Gateway"), "CutShort");
    check(
        say("HTTP/1.1 301 Moved\r\nLocation: https://else/\r\nContent-Length: 0\r\n\r\n"),
        "it points elsewhere (HTTP 301): https://else/",
    );
}

#[test]
fn others_are_not_taken_for_clickhouse() {
    check(
        say(ok("<html>It works!</html>")),
        "what answers there is no ClickHouse: it says \"<html>It works!</html>\"",
    );
    check(say("220 mail.example.net ESMTP\r\n"), "what answers there does not speak HTTP");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", silent.local_addr().expect("an address"));
    let message = open(access(&address)).err().expect("nobody answers").to_string();
    assert!(message.contains("nothing came for 1 s"), "{message}");
    drop(silent);
    let message = open(access(&address)).err().expect("nobody is there").to_string();
    assert!(message.contains(&address) && message.contains("nobody answers there"), "{message}");
    let message = open(access("http://no-such-host.invalid")).err().expect("no such host").to_string();
    assert!(message.contains("this host is not known"), "{message}");
    let message = open(access(&address.replace("http", "https"))).err().expect("nobody is there").to_string();
    assert!(
        message.contains("nobody answers there") || message.contains("no certificates to trust"),
        "{message}"
    );
}

#[test]
fn a_silent_server_is_waited_for_and_told_to_stop() {
    let fake = check(vec![Act::Wait(2500), Act::Say(ok(NUMBER))], "TimedOut");
    let asked = wait_for(&fake, "KILL QUERY");
    assert!(asked.body.starts_with("KILL QUERY WHERE query_id = 'run-1-"), "{}", asked.body);
}

#[test]
fn signs_of_life_are_waited_for() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let keep = Rc::clone(&told);
    let line = |n: u32| {
        format!(
            "X-ClickHouse-Progress: {{\"read_rows\":\"{n}\",\"read_bytes\":\"80\",\"total_rows_to_read\":\"9\"}}\r\n"
        )
    };
    let mut acts = vec![Act::Say("HTTP/1.1 200 OK\r\n".to_owned())];
    for n in 0..4 {
        acts.extend([Act::Wait(600), Act::Say(line(n))]);
    }
    acts.push(Act::Say(format!("Content-Length: {}\r\n\r\n{NUMBER}", NUMBER.len())));
    let fake = fake("", acts);
    let mut access = access(&fake.address);
    access.progress = Some(Box::new(move |progress| keep.borrow_mut().push(progress)));
    let found = shown(open(access).expect("a server that answers").query("about", "SELECT 7 AS n", &[]));
    assert_eq!(found, "Some(Int([Some(7)]))");
    let expected = Progress { rows_read: 3, bytes_read: 80, rows_in_all: Some(9), tasks: None };
    assert_eq!((told.borrow().len(), told.borrow().last()), (4, Some(&expected)));
}

#[test]
fn a_query_that_drips_for_ever_ends() {
    let mut acts = vec![Act::Say("HTTP/1.1 200 OK\r\n".to_owned())];
    for _ in 0..40 {
        acts.extend([Act::Wait(150), Act::Say("X-ClickHouse-Progress: {}\r\n".to_owned())]);
    }
    let fake = fake("[\"max_execution_time\",\"0\",\"0\"]", acts);
    let mut access = access(&fake.address);
    access.limits.query_s = 2;
    let engine = open(access).expect("a server that answers");
    let found = shown(engine.query("about", "SELECT 7 AS n", &[]));
    assert!(found.contains("TimedOut") && found.contains("it was not done after 2 s"), "{found}");
    let asked = fake.asked.lock().expect("the list").clone();
    let query = asked.iter().find(|a| a.body.contains("SELECT 7")).expect("the query");
    assert_eq!(query.parameter("max_execution_time").as_deref(), Some("3"));
}

#[test]
fn a_stop_from_outside_ends_waiting() {
    let fake = fake("", vec![Act::Wait(3000), Act::Say(ok(NUMBER))]);
    let mut access = access(&fake.address);
    access.limits.silence_s = 60;
    let stop = access.stop.clone();
    let engine = open(access).expect("a server that answers");
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stop.stop();
    });
    let began = std::time::Instant::now();
    let found = shown(engine.query("about", "SELECT 7 AS n", &[]));
    assert!(found.contains("Cancelled"), "{found}");
    assert!(began.elapsed() < Duration::from_millis(2900) || found.contains("stopped"), "{found}");
    wait_for(&fake, "KILL QUERY");
}

#[test]
fn a_password_is_a_header_and_nothing_else() {
    let fake = fake("", say(ok(NUMBER)));
    let mut access = access(&fake.address);
    access.secret = Some(Secret::of("me:s3cr:et\n", "x").expect("a secret"));
    open(access).expect("a server that answers").query("about", "SELECT 7 AS n", &[]).expect("an answer");
    for asked in fake.asked.lock().expect("the list").iter() {
        assert!(asked.headers.contains(&"X-ClickHouse-User: me".to_owned()), "{asked:?}");
        assert!(asked.headers.contains(&"X-ClickHouse-Key: s3cr:et".to_owned()), "{asked:?}");
        assert!(!asked.line.contains("s3cr") && !asked.body.contains("s3cr"));
    }
}

#[test]
fn what_the_user_may_not_set_is_not_sent() {
    let fake = fake(
        "[\"join_use_nulls\",\"0\",\"0\"],[\"limit\",\"0\",\"0\"],[\"log_comment\",\"\",\"0\"],[\"readonly\",\"1\",\"0\"]",
        say(ok(NUMBER)),
    );
    engine(&fake).query("about", "SELECT 7 AS n", &[]).expect("an answer");
    let line = fake.asked.lock().expect("the list").last().expect("a query").line.clone();
    assert!(
        !line.contains("join_use_nulls") && !line.contains("log_comment") && !line.contains("readonly"),
        "{line}"
    );
}

#[test]
fn settings_that_could_cut_results_are_refused() {
    let fake = fake("[\"read_overflow_mode\",\"break\",\"0\"],[\"readonly\",\"1\",\"0\"]", say(ok(NUMBER)));
    let message = open(access(&fake.address)).err().expect("a refusal").to_string();
    assert!(message.contains("read_overflow_mode = break where throw is needed"), "{message}");
}

#[test]
fn tables_of_ours_travel_with_the_query() {
    let fake = fake("", say(ok(NUMBER)));
    let table = Answer {
        columns: vec![
            Column { name: "id".to_owned(), values: Values::Text(vec![Some("a\tb'".to_owned()), None]) },
            Column { name: "n".to_owned(), values: Values::Int(vec![Some(-1), Some(2)]) },
        ],
    };
    let engine = engine(&fake);
    engine.query("about", "SELECT count() AS n FROM mine", &[("mine", &table)]).expect("an answer");
    let long = format!("SELECT 7 AS n -- {}", "x".repeat(20_000));
    engine.query("about", &long, &[("mine", &table)]).expect("an answer");
    let asked = fake.asked.lock().expect("the list").clone();
    let [.., short, long] = asked.as_slice() else { panic!("two queries") };
    assert!(short.parameter("query").expect("the query").ends_with("*/ SELECT count() AS n FROM mine"));
    assert_eq!(short.parameter("mine_structure").as_deref(), Some("id Nullable(String), n Nullable(Int64)"));
    assert_eq!(short.parameter("mine_format").as_deref(), Some("TabSeparated"));
    assert!(
        short.body.contains("name=\"mine\"; filename=\"mine\"\r\n\r\na\\tb'\t-1\n\\N\t2\n\r\n--"),
        "{}",
        short.body
    );
    assert!(long.parameter("query").is_none() && long.body.contains("name=\"query\"\r\n\r\n/* clickaudit"));
    let wrong = shown(engine.query("about", "SELECT 7 AS n", &[("mine; DROP", &table)]));
    assert!(wrong.contains("is no name of a table or column"), "{wrong}");
}

#[test]
fn columns_are_those_that_the_server_describes() {
    let fake = serve(|asked| match asked.body.as_str() {
        sql if sql.contains("version()") => say(texts("[\"version\"]", "[\"18.16.1\"]")),
        sql if sql.contains("system.settings") => say(texts("[\"name\",\"value\",\"fixed\"]", "")),
        sql if sql.ends_with("*/ DESCRIBE TABLE `d`.`t`") => say(texts(
            "[\"name\",\"type\",\"default_type\"]",
            "[\"a\",\"DateTime\",\"\"],[\"b\",\"Nullable(String)\",\"\"]",
        )),
        _ => say(ok("")),
    });
    let found = engine(&fake).columns("`d`.`t`").expect("columns");
    let expected = [("a", "DateTime"), ("b", "Nullable(String)")];
    assert_eq!(found, expected.map(|(n, t)| (n.to_owned(), t.to_owned())));
}

#[test]
fn an_error_is_one_chain_with_address_and_name() {
    let fake = fake("", say("HTTP/1.1 500 X\r\nContent-Length: 32\r\n\r\nCode: 241. DB::Exception: Memory"));
    let error = engine(&fake).query("about", "SELECT 7 AS n", &[]).expect_err("a failure");
    assert_eq!(
        (error.fault, error.url.as_str()),
        (EngineFault::Limit, format!("{}/", fake.address).as_str())
    );
    assert!(error.tag.starts_with("run-1-"), "{}", error.tag);
    assert!(error.help.as_deref().is_some_and(|help| help.contains("max_memory_usage")), "{:?}", error.help);
}

fn wait_for(fake: &Fake, words: &str) -> Asked {
    for _ in 0..100 {
        if let Some(found) = fake.asked.lock().expect("the list").iter().find(|a| a.body.contains(words)) {
            return found.clone();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody asked for {words}");
}
