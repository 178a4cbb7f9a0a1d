//! Calls of Spark Connect: gRPC in HTTP/2, one connection a call.
//!
//! A call is a message there and a stream of messages back. How a stream ended is told apart exactly, because that
//! decides whether it may be taken up again: well, with a status, by a broken connection, or because we stopped
//! waiting (gRPC over HTTP/2, github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).

use super::shortened;
use crate::engine::EngineFault;
use crate::engine::transport::patience::{PIECE, Patience, Waited};
use crate::engine::transport::tls::Tls;
use crate::engine::transport::{Access, Address, Trouble};
use bytes::{Buf, Bytes, BytesMut};
use h2::RecvStream;
use h2::client::SendRequest;
use http::{HeaderMap, HeaderValue, Request};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Servers send batches of some MiB; a message beyond this is none.
const LARGEST_MESSAGE: usize = 1 << 30;

/// What may be on the way without our word: batches of 4 MiB need not wait for us.
const WINDOW: u32 = 16 << 20;

/// How a call or its stream ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// As the server wanted it, with status 0.
    Well,
    /// With a status of gRPC and its words.
    Status { code: u32, words: String },
    /// Before it began: there was no connection.
    Unmet(Trouble),
    /// The connection broke.
    Broken(Trouble),
    /// Waiting ended.
    Waited(Waited),
    /// What came is not ours to read.
    Ours(Trouble),
}

impl From<Waited> for Ended {
    fn from(waited: Waited) -> Ended {
        Ended::Waited(waited)
    }
}

impl Ended {
    /// The same for what failed before a call began.
    fn unmet(self) -> Ended {
        match self {
            Ended::Broken(trouble) => Ended::Unmet(trouble),
            other => other,
        }
    }

    pub(super) fn trouble(self) -> Trouble {
        match self {
            Ended::Well => Trouble::new(EngineFault::CutShort, "the answer ended before it was whole"),
            Ended::Status { code, words } => of_status(code, &words),
            Ended::Waited(waited) => waited.trouble(),
            Ended::Unmet(trouble) | Ended::Broken(trouble) | Ended::Ours(trouble) => trouble,
        }
    }
}

/// Numbers of statuses (gRPC, `StatusCode`).
const CANCELLED: u32 = 1;
const DEADLINE_EXCEEDED: u32 = 4;
const PERMISSION_DENIED: u32 = 7;
const RESOURCE_EXHAUSTED: u32 = 8;
const UNIMPLEMENTED: u32 = 12;
const UNAVAILABLE: u32 = 14;
const UNAUTHENTICATED: u32 = 16;

/// Words of servers that say more than the status, which is 13 (internal) for all that a query does wrong: error
/// conditions of Spark (`error-conditions.json`), and what Sail says in their place.
const WORDS: &[(&str, EngineFault, &str)] = &[
    ("TABLE_OR_VIEW_NOT_FOUND", EngineFault::NoTable, ""),
    ("SCHEMA_NOT_FOUND", EngineFault::NoTable, ""),
    ("PATH_NOT_FOUND", EngineFault::NoTable, ""),
    ("table not found", EngineFault::NoTable, ""),
    ("UNRESOLVED_COLUMN", EngineFault::NoColumn, ""),
    ("cannot resolve attribute", EngineFault::NoColumn, ""),
    ("cannot resolve column", EngineFault::NoColumn, ""),
    ("OutOfMemoryError", EngineFault::Limit, "more memory for the executors, or fewer days in one run"),
    ("Resources exhausted", EngineFault::Limit, "more memory for the server, or fewer days in one run"),
    ("spark.driver.maxResultSize", EngineFault::Limit, "a limit of the server; it can be raised there"),
    (
        "OPERATION_NOT_FOUND",
        EngineFault::CutShort,
        "the server has forgotten the query: was it started anew?",
    ),
    (
        "OPERATION_ABANDONED",
        EngineFault::CutShort,
        "the server gave the query up: nobody had asked for it long enough",
    ),
    (
        "SESSION_NOT_FOUND",
        EngineFault::CutShort,
        "the server has forgotten the session: was it started anew?",
    ),
    ("SESSION_CLOSED", EngineFault::CutShort, "the server has closed the session"),
    ("SESSION_CHANGED", EngineFault::CutShort, "the server was started anew"),
    ("OPERATION_CANCELED", EngineFault::Cancelled, "somebody ended the query on the server"),
];

fn of_status(code: u32, words: &str) -> Trouble {
    let said = format!("{} (gRPC status {code})", shortened(words));
    if let Some((_, fault, help)) = WORDS.iter().find(|known| words.contains(known.0)) {
        let trouble = Trouble::new(*fault, said);
        return if help.is_empty() { trouble } else { trouble.help(*help) };
    }
    match code {
        UNAUTHENTICATED | PERMISSION_DENIED => {
            Trouble::new(EngineFault::Denied, said).help("look at the token")
        }
        RESOURCE_EXHAUSTED => Trouble::new(EngineFault::Limit, said),
        DEADLINE_EXCEEDED => Trouble::new(EngineFault::TimedOut, said),
        CANCELLED => Trouble::new(EngineFault::Cancelled, said),
        UNIMPLEMENTED => {
            Trouble::new(EngineFault::Unreachable, said).help("is this a server of Spark Connect?")
        }
        UNAVAILABLE => Trouble::new(EngineFault::Unreachable, said),
        _ => Trouble::new(EngineFault::Refused, said),
    }
}

/// Whether a status says that the same may go well a moment later.
pub(super) fn is_passing(code: u32) -> bool {
    code == UNAVAILABLE
}

/// All that calls have in common.
pub(super) struct Calls {
    address: Address,
    tls: Option<Tls>,
    headers: HeaderMap,
}

impl Calls {
    pub(super) fn prepare(access: &Access) -> Result<Calls, Trouble> {
        let tls = Tls::prepare(access, &[b"h2"])?;
        let unsendable = |e: http::header::InvalidHeaderValue| {
            Trouble::new(EngineFault::Denied, "cannot be sent").because(e)
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &access.address.metadata {
            let name: http::HeaderName = name.parse().map_err(|e: http::header::InvalidHeaderName| {
                Trouble::new(EngineFault::Unreachable, format!("{name:?} is no name of a header")).because(e)
            })?;
            headers.insert(name, value.parse().map_err(unsendable)?);
        }
        if let Some(secret) = &access.secret {
            if !access.address.encrypted && !access.address.is_loopback() {
                return Err(Trouble::new(
                    EngineFault::Denied,
                    "a token is sent to another machine with encryption only",
                )
                .help("add ;use_ssl=true to the address"));
            }
            let value: HeaderValue = format!("Bearer {}", secret.token()).parse().map_err(unsendable)?;
            headers.insert(http::header::AUTHORIZATION, value);
        }
        Ok(Calls { address: access.address.clone(), tls, headers })
    }

    /// Begins a call.
    pub(super) async fn call(
        &self,
        method: &str,
        message: &impl prost::Message,
        patience: &Patience<'_>,
    ) -> Result<Stream, Ended> {
        let mut sender = self.connect(patience).await.map_err(Ended::unmet)?;
        let mut request = Request::builder()
            .method("POST")
            .uri(self.uri(method))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "clickaudit")
            .body(())
            .expect("host and method are plain words");
        request.headers_mut().extend(self.headers.clone());
        let (response, mut body) = sender.send_request(request, false).map_err(broken)?;
        body.send_data(framed(message), true).map_err(broken)?;
        let response = wait(response, patience).await?.map_err(broken)?;
        let (head, body) = response.into_parts();
        if head.status != http::StatusCode::OK {
            return Err(of_http(head.status));
        }
        let kind = head.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("application/grpc")) {
            return Err(no_grpc("it answers with another kind of content"));
        }
        // A call that fails at once has its status in front.
        match status(&head.headers) {
            Some((0, _)) | None => Ok(Stream { body, buffer: BytesMut::new(), _sender: sender }),
            Some((code, words)) => Err(Ended::Status { code, words }),
        }
    }

    fn uri(&self, method: &str) -> String {
        let scheme = if self.address.encrypted { "https" } else { "http" };
        format!("{scheme}://{}/spark.connect.SparkConnectService/{method}", self.address.authority())
    }

    async fn connect(&self, patience: &Patience<'_>) -> Result<SendRequest<Bytes>, Ended> {
        let place = (self.address.host.as_str(), self.address.port);
        let unreachable = |e: std::io::Error| {
            Ended::Unmet(Trouble::new(EngineFault::Unreachable, "nobody answers there").because(e))
        };
        let connecting = wait(tokio::time::timeout(patience.connect(), TcpStream::connect(place)), patience);
        let socket = connecting.await?.map_err(|e| unreachable(e.into()))?.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        match &self.tls {
            None => shake_hands(socket, patience).await,
            Some(tls) => {
                let connector = tokio_rustls::TlsConnector::from(tls.config.clone());
                let encrypted = wait(connector.connect(tls.name.clone(), socket), patience).await?;
                shake_hands(encrypted.map_err(unvouched)?, patience).await
            }
        }
    }
}

async fn shake_hands<S>(socket: S, patience: &Patience<'_>) -> Result<SendRequest<Bytes>, Ended>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let shaken = wait(builder.handshake::<S, Bytes>(socket), patience).await?;
    let (sender, connection) = shaken.map_err(broken)?;
    // It lives as long as the call; what breaks it is told to the call.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    wait(sender.ready(), patience).await?.map_err(broken)
}

fn unvouched(error: std::io::Error) -> Ended {
    Ended::Ours(
        Trouble::new(EngineFault::Unreachable, "no encrypted connection came about").because(error).help(
            "does this port encrypt, and is its certificate in the file of --engine-ca, or known to the system?",
        ),
    )
}

fn broken(error: h2::Error) -> Ended {
    // What answers in another protocol breaks the rules of this one at once.
    if error.is_go_away() && error.is_library() || error.reason() == Some(h2::Reason::PROTOCOL_ERROR) {
        return no_grpc("it does not speak HTTP/2");
    }
    let said = "the connection broke";
    Ended::Broken(Trouble::new(EngineFault::Unreachable, said).because(error))
}

fn no_grpc(why: &str) -> Ended {
    let trouble =
        Trouble::new(EngineFault::Unreachable, format!("what answers there is no Spark Connect: {why}"));
    Ended::Ours(trouble.help("is this the port of Spark Connect? It has a port of its own (15002)"))
}

/// A status of HTTP in place of gRPC's: a gate before the server speaks (gRPC, http-grpc-status-mapping.md).
fn of_http(status: http::StatusCode) -> Ended {
    let words = format!("a gate before the server answers with HTTP {}", status.as_u16());
    match status.as_u16() {
        401 => Ended::Status { code: UNAUTHENTICATED, words },
        403 => Ended::Status { code: PERMISSION_DENIED, words },
        429 | 502 | 503 | 504 => Ended::Status { code: UNAVAILABLE, words },
        _ => no_grpc(&words),
    }
}

fn framed(message: &impl prost::Message) -> Bytes {
    let encoded = message.encode_to_vec();
    let mut frame = Vec::with_capacity(encoded.len() + 5);
    frame.push(0);
    let length = u32::try_from(encoded.len()).expect("a message of ours is far below 4 GiB");
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&encoded);
    Bytes::from(frame)
}

/// Status and words, where there are some.
fn status(headers: &HeaderMap) -> Option<(u32, String)> {
    let code = headers.get("grpc-status")?.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(2);
    let words = headers.get("grpc-message").map(|words| words.as_bytes()).unwrap_or_default();
    Some((code, percent_encoding::percent_decode(words).decode_utf8_lossy().into_owned()))
}

/// Waits in pieces.
pub(super) async fn wait<F: Future>(future: F, patience: &Patience<'_>) -> Result<F::Output, Waited> {
    let mut future = pin!(future);
    let mut silent = Duration::ZERO;
    loop {
        if let Ok(done) = tokio::time::timeout(PIECE, future.as_mut()).await {
            return Ok(done);
        }
        silent += PIECE;
        patience.ask(silent)?;
    }
}

/// What comes back from a call.
pub(super) struct Stream {
    body: RecvStream,
    buffer: BytesMut,
    /// The connection closes when nobody can send on it any more.
    _sender: SendRequest<Bytes>,
}

impl Stream {
    /// The next message; none when the server ended its stream with status 0.
    pub(super) async fn next<M: prost::Message + Default>(
        &mut self,
        patience: &Patience<'_>,
    ) -> Result<Option<M>, Ended> {
        // Whoever sends a message now and then is asked for the limit of the whole query, too.
        patience.ask(Duration::ZERO)?;
        loop {
            if let Some(message) = self.take()? {
                let decoded = M::decode(message);
                return decoded.map(Some).map_err(|e| no_grpc(&format!("a message cannot be read: {e}")));
            }
            match wait(self.body.data(), patience).await? {
                Some(data) => {
                    let data = data.map_err(broken)?;
                    let _ = self.body.flow_control().release_capacity(data.len());
                    self.buffer.extend_from_slice(&data);
                }
                None => return self.end(patience).await,
            }
        }
    }

    async fn end<M>(&mut self, patience: &Patience<'_>) -> Result<Option<M>, Ended> {
        let trailers = wait(self.body.trailers(), patience).await?.map_err(broken)?;
        if !self.buffer.is_empty() {
            let trouble = Trouble::new(EngineFault::CutShort, "a message ended in its middle");
            return Err(Ended::Broken(trouble));
        }
        match trailers.as_ref().and_then(status) {
            Some((0, _)) => Ok(None),
            Some((code, words)) => Err(Ended::Status { code, words }),
            None => {
                Err(Ended::Broken(Trouble::new(EngineFault::CutShort, "the stream ended without a status")))
            }
        }
    }

    /// The next message, if it is here as a whole.
    fn take(&mut self) -> Result<Option<Bytes>, Ended> {
        if self.buffer.len() < 5 {
            return Ok(None);
        }
        let length =
            u32::from_be_bytes([self.buffer[1], self.buffer[2], self.buffer[3], self.buffer[4]]) as usize;
        if self.buffer[0] != 0 {
            return Err(no_grpc("it packs messages, which was not asked for"));
        }
        if length > LARGEST_MESSAGE {
            return Err(Ended::Ours(Trouble::new(EngineFault::Limit, "a message is larger than 1 GiB")));
        }
        if self.buffer.len() < 5 + length {
            return Ok(None);
        }
        self.buffer.advance(5);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_more_than_a_status() {
        for (code, words, fault) in [
            (13, "[TABLE_OR_VIEW_NOT_FOUND] The table or view `x` cannot be found.", EngineFault::NoTable),
            (13, "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column `a`", EngineFault::NoColumn),
            (13, "java.lang.OutOfMemoryError: Java heap space", EngineFault::Limit),
            (13, "anything", EngineFault::Refused),
            (16, "who are you", EngineFault::Denied),
            (7, "not you", EngineFault::Denied),
            (14, "later", EngineFault::Unreachable),
            (12, "Method not found", EngineFault::Unreachable),
            (13, "[INVALID_HANDLE.OPERATION_NOT_FOUND] The handle", EngineFault::CutShort),
        ] {
            let trouble = of_status(code, words);
            assert_eq!(trouble.fault, fault, "{words}");
            assert!(trouble.said.starts_with(words), "{}", trouble.said);
        }
    }

    #[test]
    fn a_status_is_read_with_its_words() {
        let mut headers = HeaderMap::new();
        assert_eq!(status(&headers), None);
        headers.insert("grpc-status", HeaderValue::from_static("13"));
        headers.insert("grpc-message", HeaderValue::from_static("a%20b %E2%82%AC"));
        assert_eq!(status(&headers), Some((13, "a b €".to_owned())));
        headers.insert("grpc-status", HeaderValue::from_static("x"));
        assert_eq!(status(&headers).map(|s| s.0), Some(2));
    }
}
