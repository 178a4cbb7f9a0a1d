//! One request and its answer over HTTP/1.1, as ClickHouse speaks it.
//!
//! ClickHouse reports progress by header lines that it sends while a query runs, one after the other, thousands in
//! an hour. Clients for general use show headers when all have come, and most refuse more than a hundred; so lines
//! are read here as they come. One connection serves one request: nothing can be left over from the one before.
//! Refuses: redirects, protocols of other kinds, headers and bodies beyond all measure, and to call a body whole
//! whose end was not marked.

use super::patience::{PIECE, Patience, Waited};
use super::tls::Tls;
use super::{Address, Trouble};
use crate::engine::EngineFault;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A line of a header longer than this is none.
const LONGEST_LINE: u64 = 64 << 10;

/// Lines of headers beside those that report progress.
const MOST_LINES: usize = 200;

/// An answer is a table of some hundred thousand groups at most; a body beyond this is no such thing.
const LARGEST_BODY: u64 = 4 << 30;

/// What is asked.
pub(super) struct Request<'r> {
    /// Parameters, not yet encoded.
    pub(super) parameters: &'r [(String, String)],
    pub(super) headers: &'r [(&'r str, String)],
    pub(super) body: &'r [u8],
}

/// What came back, whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Names in small letters.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }
}

/// Sends a request and waits for its whole answer. `seen` is told every header line when it comes, its name in
/// small letters; those that it takes are not kept.
pub(super) fn post(
    address: &Address,
    tls: Option<&Tls>,
    request: &Request,
    patience: &Patience<'_>,
    seen: &mut dyn FnMut(&str, &str) -> bool,
) -> Result<Reply, Trouble> {
    let mut wire = Wire::open(address, tls, patience)?;
    let sent = send(&mut wire, address, request);
    let closed =
        |e: &io::Error| matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
    let mut reader = BufReader::new(wire);
    match sent {
        Ok(()) => receive(&mut reader, seen),
        // A server that refuses says so before it has read everything, and closes.
        Err(e) if closed(&e) => match receive(&mut reader, seen) {
            Ok(reply) if reply.status >= 400 => Ok(reply),
            _ => Err(broken(e, "before the query was sent")),
        },
        Err(e) => Err(broken(e, "before the query was sent")),
    }
}

fn receive(reader: &mut impl BufRead, seen: &mut dyn FnMut(&str, &str) -> bool) -> Result<Reply, Trouble> {
    let (status, headers) = head(reader, seen)?;
    let body = body(reader, &headers)?;
    Ok(Reply { status, headers, body })
}

fn send(wire: &mut Wire, address: &Address, request: &Request) -> io::Result<()> {
    let mut head = format!("POST {}", address.path);
    for (i, (name, value)) in request.parameters.iter().enumerate() {
        let separator = if i == 0 { '?' } else { '&' };
        head.push_str(&format!("{separator}{name}={}", encoded(value)));
    }
    head.push_str(&format!(" HTTP/1.1\r\nHost: {}\r\n", address.authority()));
    head.push_str("User-Agent: clickaudit\r\nAccept: */*\r\nConnection: close\r\n");
    for (name, value) in request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", request.body.len()));
    wire.write_all(head.as_bytes())?;
    wire.write_all(request.body)?;
    wire.flush()
}

/// Everything but letters, digits and four marks is encoded (RFC 3986, 2.3).
fn encoded(value: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(value, KEPT).to_string()
}

// ---------------------------------------------------------------- the answer

type Head = (u16, Vec<(String, String)>);

/// Status and headers; what servers send before them (`100 Continue`) is passed over.
fn head(reader: &mut impl BufRead, seen: &mut dyn FnMut(&str, &str) -> bool) -> Result<Head, Trouble> {
    loop {
        let first = line(reader)?;
        let status = status(&first).ok_or_else(|| {
            Trouble::new(EngineFault::Unreachable, "what answers there does not speak HTTP")
                .help("is this the port for HTTP? ClickHouse has another one for its own protocol (9000)")
        })?;
        let headers = headers(reader, seen)?;
        if status >= 200 {
            return Ok((status, headers));
        }
    }
}

fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    let digits = rest.get(..3).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok().filter(|status| *status >= 100)
}

fn headers(
    reader: &mut impl BufRead,
    seen: &mut dyn FnMut(&str, &str) -> bool,
) -> Result<Vec<(String, String)>, Trouble> {
    let mut kept = Vec::new();
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            return Ok(kept);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| no_http("a header line without a colon"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if seen(&name, value) {
            continue;
        }
        if kept.len() == MOST_LINES {
            return Err(no_http("more header lines than any server needs"));
        }
        kept.push((name, value.to_owned()));
    }
}

fn no_http(what: &str) -> Trouble {
    Trouble::new(
        EngineFault::Unreachable,
        format!("what answers there does not speak HTTP as it should: {what}"),
    )
}

/// One line without its end.
fn line(reader: &mut impl BufRead) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
    let read = reader.take(LONGEST_LINE).read_until(b'\n', &mut bytes);
    read.map_err(|e| broken(e, "before it had answered"))?;
    if bytes.pop() != Some(b'\n') {
        return Err(match bytes.len() as u64 + 1 {
            LONGEST_LINE => no_http("a line of more than 64 KiB"),
            _ => gone("before it had answered"),
        });
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The body, by the way its end is marked.
fn body(reader: &mut impl BufRead, headers: &[(String, String)]) -> Result<Vec<u8>, Trouble> {
    let of = |name: &str| headers.iter().find(|h| h.0 == name).map(|h| h.1.as_str());
    if of("content-encoding").is_some_and(|coding| coding != "identity") {
        return Err(no_http("an encoding that was not asked for"));
    }
    match (of("transfer-encoding"), of("content-length")) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => chunks(reader),
        (Some(_), _) => Err(no_http("a transfer encoding that was not asked for")),
        (None, Some(length)) => {
            let length = length.parse().map_err(|_| no_http("a length that is no number"))?;
            let mut body = Vec::new();
            exactly(reader, length, &mut body)?;
            Ok(body)
        }
        // The end of such a body is not marked; its text has to prove it.
        (None, None) => {
            let mut body = Vec::new();
            let read = reader.take(LARGEST_BODY + 1).read_to_end(&mut body);
            read.map_err(|e| broken(e, "in the middle of its answer"))?;
            within(body.len() as u64)?;
            Ok(body)
        }
    }
}

fn chunks(reader: &mut impl BufRead) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    loop {
        let head = line(reader).map_err(in_the_middle)?;
        let digits = head.split(';').next().unwrap_or_default().trim();
        let length = u64::from_str_radix(digits, 16).map_err(|_| no_http("a chunk without a length"))?;
        if length == 0 {
            break;
        }
        within(body.len() as u64 + length)?;
        exactly(reader, length, &mut body)?;
        if !line(reader).map_err(in_the_middle)?.is_empty() {
            return Err(no_http("a chunk that is longer than it says"));
        }
    }
    while !line(reader).map_err(in_the_middle)?.is_empty() {}
    Ok(body)
}

fn exactly(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> Result<(), Trouble> {
    within(length)?;
    let read = reader.take(length).read_to_end(body).map_err(|e| broken(e, "in the middle of its answer"))?;
    if (read as u64) < length {
        return Err(gone("in the middle of its answer"));
    }
    Ok(())
}

fn within(length: u64) -> Result<(), Trouble> {
    if length > LARGEST_BODY {
        return Err(Trouble::new(EngineFault::Limit, "the answer is larger than 4 GiB"));
    }
    Ok(())
}

/// The server closed the connection.
fn gone(when: &str) -> Trouble {
    Trouble::new(EngineFault::CutShort, format!("the connection was closed {when}"))
        .help("the server, or a gate before it, went away or gave up; its log says why")
}

/// A line that is missing inside a body is missing in the middle of the answer.
fn in_the_middle(trouble: Trouble) -> Trouble {
    if trouble.fault == EngineFault::CutShort { gone("in the middle of its answer") } else { trouble }
}

/// The connection failed, or waiting ended.
fn broken(error: io::Error, when: &str) -> Trouble {
    if let Some(waited) = error.get_ref().and_then(|inner| inner.downcast_ref::<Waited>()) {
        return waited.trouble();
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => gone(when),
        _ => Trouble::new(EngineFault::CutShort, format!("the connection broke {when}")).because(error),
    }
}

// ---------------------------------------------------------------- the wire

trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

/// A connection that waits in pieces.
struct Wire<'p> {
    stream: Box<dyn Duplex>,
    patience: &'p Patience<'p>,
}

impl<'p> Wire<'p> {
    fn open(address: &Address, tls: Option<&Tls>, patience: &'p Patience<'p>) -> Result<Wire<'p>, Trouble> {
        let socket = connect(address, patience)?;
        let prepared = socket
            .set_read_timeout(Some(PIECE))
            .and_then(|()| socket.set_write_timeout(Some(PIECE)))
            .and_then(|()| socket.set_nodelay(true));
        prepared.map_err(|e| Trouble::new(EngineFault::Unreachable, "cannot use a connection").because(e))?;
        let Some(tls) = tls else {
            return Ok(Wire { stream: Box::new(socket), patience });
        };
        let begun = rustls::ClientConnection::new(tls.config.clone(), tls.name.clone());
        let talk = begun.map_err(|e| Trouble::new(EngineFault::Unreachable, "cannot encrypt").because(e))?;
        let mut wire = Wire { stream: Box::new(rustls::StreamOwned::new(talk, socket)), patience };
        // Flushing nothing shakes hands.
        wire.flush().map_err(unvouched)?;
        Ok(wire)
    }

    /// Does once more what had to wait, until patience ends.
    fn patiently<T>(&mut self, mut act: impl FnMut(&mut dyn Duplex) -> io::Result<T>) -> io::Result<T> {
        let mut silent = Duration::ZERO;
        loop {
            match act(&mut *self.stream) {
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    silent += PIECE;
                    self.patience.ask(silent).map_err(io::Error::other)?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {
                    self.patience.ask(silent).map_err(io::Error::other)?;
                }
                done => return done,
            }
        }
    }
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Whoever sends a byte now and then is asked for the limit of the whole query, too.
        self.patience.ask(Duration::ZERO).map_err(io::Error::other)?;
        self.patiently(|stream| stream.read(buffer))
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.patiently(|stream| stream.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.patiently(|stream| stream.flush())
    }
}

/// Tries every address that the name has.
fn connect(address: &Address, patience: &Patience) -> Result<TcpStream, Trouble> {
    let unreachable = |said: String| Trouble::new(EngineFault::Unreachable, said);
    let found = (address.host.as_str(), address.port).to_socket_addrs();
    let found = found.map_err(|e| unreachable("this host is not known".to_owned()).because(e))?;
    let mut last = unreachable("this host has no address".to_owned());
    for place in found {
        patience.ask(Duration::ZERO).map_err(Waited::trouble)?;
        match TcpStream::connect_timeout(&place, patience.connect()) {
            Ok(socket) => return Ok(socket),
            Err(e) => last = unreachable("nobody answers there".to_owned()).because(e),
        }
    }
    Err(last)
}

fn unvouched(error: io::Error) -> Trouble {
    if let Some(waited) = error.get_ref().and_then(|inner| inner.downcast_ref::<Waited>()) {
        return waited.trouble();
    }
    Trouble::new(EngineFault::Unreachable, "no encrypted connection came about").because(error).help(
        "does this port encrypt, and is its certificate in the file of --engine-ca, or known to the system?",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Result<Reply, String> {
        let mut reader = answer.as_bytes();
        let mut progress = 0;
        let (status, headers) = head(&mut reader, &mut |name, _| {
            progress += usize::from(name == "x-clickhouse-progress");
            name == "x-clickhouse-progress"
        })
        .map_err(|e| e.said)?;
        let body = body(&mut reader, &headers).map_err(|e| e.said)?;
        Ok(Reply { status, headers, body })
    }

    fn check(answer: &str, expected: &str) {
        let found = match read(answer) {
            Ok(reply) => format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)),
            Err(said) => said,
        };
        assert!(found.starts_with(expected), "{answer:?}: {found}");
    }

    #[test]
    fn bodies_end_where_they_say() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", "200 abc");
        check("HTTP/1.0 404 No\r\n\r\nto the end", "404 to the end");
        check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "200 a");
        check(&format!("{chunked}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n"), "200 abcde");
        for cut in ["", "3", "3\r\n", "3\r\nab", "3\r\nabc\r\n", "3\r\nabc\r\n0\r\n", "3\r\nabc\r\n0"] {
            check(&format!("{chunked}{cut}"), "the connection was closed in the middle of its answer");
        }
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "the connection was closed in the middle");
        for cut in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Le"] {
            check(cut, "the connection was closed before it had answered");
        }
    }

    #[test]
    fn what_is_no_http_is_said_to_be_none() {
        check("SSH-2.0-OpenSSH_9.6\r\n", "what answers there does not speak HTTP");
        check("HTTP/2 200\r\n", "what answers there does not speak HTTP");
        check("HTTP/1.1 OK\r\n", "what answers there does not speak HTTP");
        for wrong in [
            "nonsense\r\n\r\n",
            "Content-Length: x\r\n\r\n",
            "Content-Encoding: gzip\r\n\r\n",
            "Transfer-Encoding: gzip\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        ] {
            check(
                &format!("HTTP/1.1 200 OK\r\n{wrong}"),
                "what answers there does not speak HTTP as it should",
            );
        }
        let many = "X: y\r\n".repeat(MOST_LINES + 1);
        check(
            &format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
            "what answers there does not speak HTTP as it should",
        );
        let long = "y".repeat(70 << 10);
        check(
            &format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n"),
            "what answers there does not speak HTTP as it should",
        );
        check("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "the answer is larger than 4 GiB");
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n", "the answer is larger");
    }

    #[test]
    fn progress_may_come_a_thousand_times() {
        let lines = "X-ClickHouse-Progress: {}\r\n".repeat(5000);
        let reply =
            read(&format!("HTTP/1.1 200 OK\r\n{lines}A: b\r\nContent-Length: 0\r\n\r\n")).expect("an answer");
        assert_eq!(reply.headers.len(), 2);
        assert_eq!(reply.header("a"), Some("b"));
    }

    #[test]
    fn parameters_are_encoded() {
        assert_eq!(encoded("a b&c=d\r\n'ü"), "a%20b%26c%3Dd%0D%0A%27%C3%BC");
    }
}
