//! The way to a Spark against a server on this machine that ends, breaks and forgets whatever a test wants.

use super::batches::encode;
use super::messages::{
    ArrowBatch, ExecutePlanRequest, ExecutePlanResponse, Nothing, ReattachExecuteRequest, ResultComplete,
};
use crate::engine::transport::tests::{self, shown};
use crate::engine::transport::{Access, Kind, Secret, open};
use crate::engine::{Answer, Column, Engine, EngineFault, Values};
use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a stream of the server's goes on.
#[derive(Clone)]
enum Act {
    Send(ExecutePlanResponse),
    Wait(u64),
    /// Ends with this status.
    End(u32, &'static str),
    /// Ends without any status.
    Silent,
    /// Breaks the stream.
    Break,
}

/// A call as it came: method, its message, and its headers.
type Asked = (String, Vec<u8>, HeaderMap);

struct Fake {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    fn methods(&self) -> Vec<String> {
        self.asked.lock().expect("the list").iter().map(|asked| asked.0.clone()).collect()
    }
}

/// A server whose n-th stream of results goes like this; calls of other kinds go well.
fn fake(streams: Vec<Vec<Act>>) -> Fake {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("sc://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, streams) = (Arc::clone(&asked), Arc::new(Mutex::new(streams)));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            listener.set_nonblocking(true).expect("a socket");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                let (seen, streams) = (Arc::clone(&seen), Arc::clone(&streams));
                tokio::spawn(async move {
                    let Ok(mut connection) = h2::server::handshake(socket).await else { return };
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        tokio::spawn(serve(request, respond, Arc::clone(&seen), Arc::clone(&streams)));
                    }
                });
            }
        });
    });
    Fake { address, asked }
}

async fn serve(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    seen: Arc<Mutex<Vec<Asked>>>,
    streams: Arc<Mutex<Vec<Vec<Act>>>>,
) {
    let (head, mut body) = request.into_parts();
    let method = head.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let mut message = BytesMut::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        message.extend_from_slice(&data);
    }
    let runs = matches!(method.as_str(), "ExecutePlan" | "ReattachExecute");
    seen.lock().expect("the list").push((
        method,
        message.split_off(5.min(message.len())).to_vec(),
        head.headers,
    ));
    let acts = if runs {
        let mut streams = streams.lock().expect("the list");
        if streams.is_empty() { vec![Act::End(0, "")] } else { streams.remove(0) }
    } else {
        vec![Act::End(0, "")]
    };
    let response = Response::builder().header("content-type", "application/grpc").body(()).expect("a head");
    let Ok(mut stream) = respond.send_response(response, false) else { return };
    if !runs {
        let _ = stream.send_data(frame(&Nothing {}), false);
    }
    for act in acts {
        match act {
            Act::Send(response) => {
                let _ = stream.send_data(frame(&response), false);
            }
            Act::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Act::End(code, words) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", code.into());
                trailers.insert("grpc-message", words.parse().expect("words"));
                let _ = stream.send_trailers(trailers);
                return;
            }
            Act::Silent => {
                let _ = stream.send_data(Bytes::new(), true);
                return;
            }
            Act::Break => {
                stream.send_reset(h2::Reason::INTERNAL_ERROR);
                return;
            }
        }
    }
}

fn frame(message: &impl Message) -> Bytes {
    let encoded = message.encode_to_vec();
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(encoded.len()).expect("small").to_be_bytes());
    bytes.extend_from_slice(&encoded);
    Bytes::from(bytes)
}

fn table(numbers: &[i64]) -> Answer {
    let values = Values::Int(numbers.iter().map(|n| Some(*n)).collect());
    Answer { columns: vec![Column { name: "n".to_owned(), values }] }
}

fn response(id: &str) -> ExecutePlanResponse {
    ExecutePlanResponse {
        response_id: id.to_owned(),
        server_side_session_id: "one".to_owned(),
        ..Default::default()
    }
}

/// A batch of rows that begins at a row.
fn rows(id: &str, start: i64, numbers: &[i64]) -> Act {
    let row_count = i64::try_from(numbers.len()).expect("a few");
    let batch =
        ArrowBatch { row_count, data: encode(&table(numbers)).expect("a batch"), start_offset: Some(start) };
    Act::Send(ExecutePlanResponse { arrow_batch: Some(batch), ..response(id) })
}

fn complete(id: &str) -> Act {
    Act::Send(ExecutePlanResponse { result_complete: Some(ResultComplete {}), ..response(id) })
}

fn end() -> Act {
    Act::End(0, "")
}

fn access(address: &str) -> Access {
    tests::access(Kind::Spark, address)
}

fn engine(fake: &Fake) -> Box<dyn Engine> {
    open(access(&fake.address)).expect("a server that answers")
}

fn check(streams: Vec<Vec<Act>>, expected: &str) -> Fake {
    let fake = fake(streams);
    let found = shown(engine(&fake).query("about", "SELECT n FROM t", &[]));
    assert!(found.starts_with(expected), "{found}\n  {expected}");
    fake
}

#[test]
fn a_whole_answer_is_read_and_let_go() {
    let fake =
        check(vec![vec![rows("a", 0, &[1, 2]), complete("b"), end()]], "Some(Int([Some(1), Some(2)]))");
    assert_eq!(fake.methods(), ["Config", "ExecutePlan", "ReleaseExecute", "ReleaseSession"]);
    let asked = fake.asked.lock().expect("the list");
    let plan = ExecutePlanRequest::decode(asked[1].1.as_slice()).expect("a plan");
    assert!(plan.request_options[0].reattach_options.as_ref().is_some_and(|options| options.reattachable));
    assert!(plan.tags[0].starts_with("run-1-"), "{:?}", plan.tags);
    let sql = plan.plan.and_then(|p| p.root).and_then(|r| r.sql).expect("a query").query;
    assert_eq!(sql, format!("/* clickaudit {} */ SELECT n FROM t", plan.tags[0]));
    assert_eq!(plan.operation_id.expect("an operation").len(), 36);
}

#[test]
fn a_stream_that_ends_well_before_the_answer_does_is_taken_up_again() {
    let fake = check(
        vec![
            vec![rows("a", 0, &[1]), end()],
            vec![end()],
            vec![rows("b", 1, &[2, 3]), end()],
            vec![complete("c"), end()],
        ],
        "Some(Int([Some(1), Some(2), Some(3)]))",
    );
    let asked = fake.asked.lock().expect("the list");
    let again: Vec<Option<String>> = asked
        .iter()
        .filter(|asked| asked.0 == "ReattachExecute")
        .map(|asked| ReattachExecuteRequest::decode(asked.1.as_slice()).expect("a request").last_response_id)
        .collect();
    assert_eq!(again, ["a", "a", "b"].map(|id| Some(id.to_owned())));
}

#[test]
fn a_server_that_gives_nothing_for_longer_than_a_stream_lasts_is_waited_for() {
    // Two streams end in silence before the first row is there; to take this for an answer without rows is the
    // fault of another client.
    check(
        vec![
            vec![Act::Wait(300), end()],
            vec![Act::Wait(300), end()],
            vec![rows("a", 0, &[5]), complete("b"), end()],
        ],
        "Some(Int([Some(5)]))",
    );
}

#[test]
fn an_answer_without_its_end_is_none() {
    check(vec![vec![rows("a", 0, &[1]), end()]], "CutShort");
    check(vec![vec![end()]], "CutShort");
    check(vec![vec![complete("a"), end()]], "CutShort");
    check(vec![vec![rows("a", 0, &[1]), end()], vec![rows("b", 2, &[3]), complete("c"), end()]], "CutShort");
}

#[test]
fn a_connection_that_breaks_is_made_anew() {
    check(
        vec![
            vec![rows("a", 0, &[1]), Act::Wait(100), Act::Break],
            vec![Act::End(14, "later")],
            vec![Act::Silent],
            vec![rows("b", 1, &[2]), complete("c"), end()],
        ],
        "Some(Int([Some(1), Some(2)]))",
    );
    // An end that was marked needs no good end of the stream.
    check(vec![vec![rows("a", 0, &[1]), complete("b"), Act::Wait(100), Act::Break]], "Some(Int([Some(1)]))");
}

#[test]
fn a_query_that_may_have_begun_is_not_begun_again() {
    let again = vec![rows("a", 0, &[1]), complete("b"), end()];
    let fake = check(vec![vec![Act::Break], again], "Some(Int([Some(1)]))");
    let methods = fake.methods();
    assert_eq!(methods.iter().filter(|method| *method == "ExecutePlan").count(), 1, "{methods:?}");
    let forgotten = vec![Act::End(13, "[INVALID_HANDLE.OPERATION_NOT_FOUND] The handle")];
    check(vec![vec![Act::Break], forgotten], "CutShort");
}

#[test]
fn a_server_that_forgets_is_an_error() {
    check(
        vec![
            vec![rows("a", 0, &[1]), end()],
            vec![Act::End(13, "[INVALID_HANDLE.OPERATION_NOT_FOUND] The handle")],
        ],
        "CutShort",
    );
    let another = ExecutePlanResponse {
        server_side_session_id: "two".to_owned(),
        result_complete: Some(ResultComplete {}),
        ..response("b")
    };
    check(vec![vec![rows("a", 0, &[1]), end()], vec![Act::Send(another), end()]], "CutShort");
}

#[test]
fn what_the_server_says_is_passed_on() {
    check(
        vec![vec![Act::End(13, "[TABLE_OR_VIEW_NOT_FOUND] The table or view `t` cannot be found")]],
        "NoTable sc://",
    );
    check(vec![vec![Act::End(13, "[UNRESOLVED_COLUMN.WITH_SUGGESTION] `x`")]], "NoColumn");
    check(vec![vec![Act::End(16, "no token")]], "Denied");
    check(vec![vec![Act::End(13, "java.lang.OutOfMemoryError: heap")]], "Limit");
    check(vec![vec![Act::End(13, "[DIVIDE_BY_ZERO] x")]], "Refused");
}

#[test]
fn a_silent_server_is_waited_for_and_told_to_stop() {
    let fake = check(vec![vec![rows("a", 0, &[1]), Act::Wait(3000), end()]], "TimedOut");
    let methods = fake.methods();
    assert!(methods.contains(&"Interrupt".to_owned()), "{methods:?}");
}

#[test]
fn a_stop_from_outside_ends_waiting() {
    let fake = fake(vec![vec![rows("a", 0, &[1]), Act::Wait(3000), end()]]);
    let mut access = access(&fake.address);
    access.limits.silence_s = 60;
    let stop = access.stop.clone();
    let engine = open(access).expect("a server that answers");
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stop.stop();
    });
    let found = shown(engine.query("about", "SELECT n FROM t", &[]));
    assert!(found.starts_with("Cancelled"), "{found}");
    assert!(fake.methods().contains(&"Interrupt".to_owned()));
}

#[test]
fn a_token_is_a_header_and_goes_to_strangers_encrypted_only() {
    let fake = fake(Vec::new());
    let mut with_token = access(&fake.address);
    with_token.secret = Some(Secret::of("tok", "x").expect("a secret"));
    drop(open(with_token).expect("a server that answers"));
    let asked = fake.asked.lock().expect("the list");
    assert!(asked.iter().all(|asked| asked.2["authorization"] == "Bearer tok"), "{asked:?}");
    let mut far = access("sc://far.example.net");
    far.secret = Some(Secret::of("tok", "x").expect("a secret"));
    let error = open(far).err().expect("a refusal");
    assert!(error.to_string().contains("with encryption only"), "{error}");
}

#[test]
fn tables_of_ours_are_views_before_the_query() {
    let fake = fake(vec![vec![complete("a"), end()], vec![rows("a", 0, &[1]), complete("b"), end()]]);
    engine(&fake).query("about", "SELECT n FROM mine", &[("mine", &table(&[1]))]).expect("an answer");
    let asked = fake.asked.lock().expect("the list");
    let plan = ExecutePlanRequest::decode(asked[1].1.as_slice()).expect("a plan").plan.expect("a plan");
    let view = plan.command.and_then(|c| c.create_dataframe_view).expect("a view");
    assert_eq!((view.name.as_str(), view.replace, view.is_global), ("mine", true, false));
}

#[test]
fn others_are_not_taken_for_spark() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("sc://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            use std::io::Write;
            let _ = socket
                .expect("a connection")
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let message = open(access(&address)).err().expect("no Spark").to_string();
    assert!(message.contains(&address), "{message}");
    let message = open(access("sc://127.0.0.1:1")).err().expect("nobody is there").to_string();
    assert!(message.contains("nobody answers there"), "{message}");
}

#[test]
fn an_error_is_one_chain_with_address_and_name() {
    let fake = fake(vec![vec![Act::End(13, "[DIVIDE_BY_ZERO] x")]]);
    let error = engine(&fake).query("about", "SELECT n FROM t", &[]).expect_err("a failure");
    assert_eq!((error.fault, error.url.as_str()), (EngineFault::Refused, fake.address.as_str()));
    assert!(error.tag.starts_with("run-1-"), "{}", error.tag);
}
