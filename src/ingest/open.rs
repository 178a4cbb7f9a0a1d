//! Opens a text export: plain, gzip or zstd, told apart by their first bytes and never by their name.
//!
//! Refuses what would otherwise be read as garbage (UTF-16, CR-only line ends, empty files) and stops a
//! compressed bomb before it fills anything.

use crate::base::error::{Error, Result};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The most bytes one file may unpack to.
const UNPACKED_CAP: u64 = 1 << 40;

/// A compressed file may unpack to this many times its size once it is past [`RATIO_FREE`] bytes. Logs of clicks
/// come to some ten times; the format gzip itself allows a thousand.
const RATIO_CAP: u64 = 200;
const RATIO_FREE: u64 = 64 << 20;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
    Parquet,
}

impl Packing {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Packing::Plain => "plain",
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
            Packing::Parquet => "parquet",
        }
    }
}

/// The packing that the first bytes of a file tell.
///
/// # Errors
/// A path that is missing, a directory, empty or unreadable.
pub fn packing(path: &Path) -> Result<Packing> {
    let meta =
        std::fs::metadata(path).map_err(|e| Error::reading(path, e).help("check the path and its rights"))?;
    if meta.is_dir() {
        return Err(Error::input(format!("{} is a directory; expected a file", path.display()))
            .help("name the files, or give a pattern in quotes such as 'exports/clicks-*.csv.gz'"));
    }
    let mut head = [0u8; 4];
    let mut file = File::open(path).map_err(|e| Error::reading(path, e))?;
    let length = fill(&mut file, &mut head).map_err(|e| Error::reading(path, e))?;
    Ok(match head[..length] {
        [] => {
            return Err(Error::input(format!("{} is empty; expected a header line", path.display()))
                .help("an export that failed often leaves an empty file: export it again"));
        }
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
        [b'P', b'A', b'R', b'1'] => Packing::Parquet,
        _ => Packing::Plain,
    })
}

/// Reads until `buffer` is full or the input ends; the number of bytes read.
pub fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(length)
}

/// The digest of a file's bytes, known when they have been read.
#[derive(Clone, Default)]
pub struct Digest(Arc<Mutex<blake3::Hasher>>);

impl Digest {
    /// BLAKE3 of the bytes read so far, hexadecimal.
    pub fn hex(&self) -> String {
        self.0.lock().map(|hasher| hasher.finalize().to_hex().to_string()).unwrap_or_default()
    }
}

/// A file whose bytes are digested as they are read.
struct Digested {
    file: File,
    digest: Digest,
}

impl Read for Digested {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        if let Ok(mut hasher) = self.digest.0.lock() {
            hasher.update(&buffer[..n]);
        }
        Ok(n)
    }
}

/// BLAKE3 of some bytes, hexadecimal.
pub fn digest_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The digest of a whole file.
///
/// # Errors
/// The file cannot be read.
pub fn digest(path: &Path) -> Result<Digest> {
    let digest = Digest::default();
    let file = File::open(path).map_err(|e| Error::reading(path, e))?;
    let mut reader = Digested { file, digest: digest.clone() };
    let mut buffer = vec![0; 1 << 20];
    while fill(&mut reader, &mut buffer).map_err(|e| Error::reading(path, e))? > 0 {}
    Ok(digest)
}

/// The unpacked bytes of a text export; `digest` is that of the file when they have been read to the end.
///
/// # Errors
/// The file cannot be opened.
pub fn text(path: &Path, packing: Packing, digest: &Digest) -> Result<Box<dyn Read + Send>> {
    let file = File::open(path).map_err(|e| Error::reading(path, e))?;
    let size = file.metadata().map_err(|e| Error::reading(path, e))?.len();
    let digested = Digested { file, digest: digest.clone() };
    if packing == Packing::Plain {
        return Ok(Box::new(digested));
    }
    let buffered = BufReader::with_capacity(1 << 20, digested);
    let capped =
        |inner: Box<dyn Read + Send>| Box::new(Capped { inner, read: 0, packed: size, path: path.into() });
    Ok(match packing {
        Packing::Gzip => capped(Box::new(flate2::bufread::MultiGzDecoder::new(buffered))),
        _ => {
            let decoder =
                zstd::stream::read::Decoder::with_buffer(buffered).map_err(|e| Error::reading(path, e))?;
            capped(Box::new(decoder))
        }
    })
}

/// Packs what is written to it as a file is packed.
pub enum Packer<'w> {
    Plain(&'w mut dyn Write),
    Gzip(flate2::write::GzEncoder<&'w mut dyn Write>),
    Zstd(zstd::stream::write::Encoder<'static, &'w mut dyn Write>),
}

impl<'w> Packer<'w> {
    /// A packer of this kind; what is no archive goes through.
    ///
    /// # Errors
    /// The archive cannot be begun.
    pub fn new(packing: Packing, sink: &'w mut dyn Write) -> io::Result<Packer<'w>> {
        Ok(match packing {
            Packing::Gzip => {
                Packer::Gzip(flate2::write::GzEncoder::new(sink, flate2::Compression::default()))
            }
            Packing::Zstd => Packer::Zstd(zstd::stream::write::Encoder::new(sink, 0)?),
            Packing::Plain | Packing::Parquet => Packer::Plain(sink),
        })
    }

    /// Writes the end of the archive.
    ///
    /// # Errors
    /// The sink takes no more.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Packer::Plain(sink) => sink.flush(),
            Packer::Gzip(encoder) => encoder.finish().map(drop),
            Packer::Zstd(encoder) => encoder.finish().map(drop),
        }
    }
}

impl Write for Packer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packer::Plain(sink) => sink.write(bytes),
            Packer::Gzip(encoder) => encoder.write(bytes),
            Packer::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packer::Plain(sink) => sink.flush(),
            Packer::Gzip(encoder) => encoder.flush(),
            Packer::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// Stops a file that unpacks to far more than its size.
struct Capped {
    inner: Box<dyn Read + Send>,
    read: u64,
    packed: u64,
    path: PathBuf,
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read += n as u64;
        let limit = RATIO_FREE.max(self.packed.saturating_mul(RATIO_CAP)).min(UNPACKED_CAP);
        if self.read > limit {
            return Err(io::Error::other(format!(
                "{} unpacks to more than {limit} bytes, {} times its size: refused as a compression bomb",
                self.path.display(),
                limit / self.packed.max(1)
            )));
        }
        Ok(n)
    }
}

/// Files that are no export, by their first bytes: what they are, and what to do.
const FOREIGN: &[(&[u8], &str, &str)] = &[
    (b"BZh", "bzip2", "unpack it first: bunzip2 FILE"),
    (b"\xfd7zXZ\0", "xz", "unpack it first: unxz FILE"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "unpack it first: 7z x FILE"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"%PDF", "a PDF", "export rows as CSV"),
    (b"<!doctype", "a web page", "did the download ask to log in? Export it again"),
    (b"<html", "a web page", "did the download ask to log in? Export it again"),
    (b"<?xml", "XML", "export rows as CSV or NDJSON"),
];

/// Refuses what is no text in UTF-8 with LF or CRLF line ends, by its first bytes.
///
/// # Errors
/// Files of other kinds, UTF-16, CR-only line ends.
pub fn refuse_foreign_text(path: &Path, head: &[u8]) -> Result<()> {
    let begin = head.trim_ascii_start();
    let is = |magic: &[u8]| begin.get(..magic.len()).is_some_and(|b| b.eq_ignore_ascii_case(magic));
    if let Some((_, what, help)) = FOREIGN.iter().find(|(magic, ..)| is(magic)) {
        let message = format!("{} is {what}; expected CSV, NDJSON or Parquet", path.display());
        return Err(Error::input(message).help(*help));
    }
    let utf16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) || zeroes_between(head);
    if utf16 {
        return Err(Error::input(format!("{} is UTF-16; expected UTF-8", path.display()))
            .help("convert it, for example: iconv -f UTF-16 -t UTF-8 IN > OUT"));
    }
    let cr_only = !head.contains(&b'\n') && head.iter().filter(|&&b| b == b'\r').count() > 1;
    if cr_only {
        return Err(Error::input(format!("{} has CR-only line ends; expected LF or CRLF", path.display()))
            .help("convert it, for example: tr '\\r' '\\n' < IN > OUT"));
    }
    Ok(())
}

/// UTF-16 without a mark: every other byte of ASCII text is zero.
fn zeroes_between(head: &[u8]) -> bool {
    let pairs = head.chunks_exact(2).take(64);
    let zeroes = pairs.clone().filter(|p| (p[0] == 0) != (p[1] == 0)).count();
    pairs.len() >= 8 && zeroes * 10 > pairs.len() * 9
}
