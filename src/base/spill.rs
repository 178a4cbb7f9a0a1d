//! Records in parts, of which no more than a bound are in memory.
//!
//! What does not fit goes to a file without a name, which the system removes with the process however it ends. A
//! part is taken back as a whole: whoever chooses the parts must see to it that one of them fits. Refuses to know
//! what the records mean.

use super::error::{Error, Result};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// A value of fixed size that can be written down.
pub trait Record: Copy {
    /// Bytes of one.
    const SIZE: usize;
    /// Appends the record, [`Record::SIZE`] bytes of it.
    fn write(&self, out: &mut Vec<u8>);
    /// What was written.
    fn read(bytes: &[u8]) -> Self;
}

impl Record for u64 {
    const SIZE: usize = 8;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> u64 {
        u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }
}

/// How many bytes records may hold, and into how many parts they go.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub bytes: u64,
    pub parts: usize,
}

impl Bound {
    /// No bound: one part, all of it in memory.
    pub const NONE: Bound = Bound { bytes: u64::MAX, parts: 1 };

    /// A bound with parts that are small beside it.
    pub fn of(bytes: u64) -> Bound {
        Bound { bytes, parts: PARTS }
    }
}

/// Enough that a part of what is a hundred times the bound still fits.
const PARTS: usize = 128;

/// Records of one block of memory. Blocks are never moved and never larger: a hundred lists that each double in turn
/// would leave as much again in holes between them.
const BLOCK: usize = 1 << 13;

/// One part: what is in memory, block by block, and where in the file the rest stands.
struct Part<T> {
    here: Vec<Vec<T>>,
    runs: Vec<(u64, usize)>,
}

impl<T: Copy> Part<T> {
    fn push(&mut self, record: T) {
        match self.here.last_mut() {
            Some(block) if block.len() < BLOCK => block.push(record),
            last => {
                let mut block = if last.is_none() { Vec::new() } else { Vec::with_capacity(BLOCK) };
                block.push(record);
                self.here.push(block);
            }
        }
    }

    /// How many records are in memory.
    fn held(&self) -> usize {
        self.here.last().map_or(0, |last| (self.here.len() - 1) * BLOCK + last.len())
    }
}

/// Records in parts.
pub struct Spill<T> {
    parts: Vec<Part<T>>,
    most: usize,
    held: usize,
    file: Option<File>,
    written: u64,
}

impl<T: Record> Spill<T> {
    /// Nothing yet.
    pub fn new(bound: Bound) -> Spill<T> {
        let part = || Part { here: Vec::new(), runs: Vec::new() };
        Spill {
            parts: (0..bound.parts.max(1)).map(|_| part()).collect(),
            most: usize::try_from(bound.bytes / T::SIZE as u64).unwrap_or(usize::MAX),
            held: 0,
            file: None,
            written: 0,
        }
    }

    /// Number of parts.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Adds records to a part.
    ///
    /// # Errors
    /// What does not fit could not be written.
    pub fn extend(&mut self, part: usize, records: impl IntoIterator<Item = T>) -> Result<()> {
        let part = &mut self.parts[part];
        for record in records {
            part.push(record);
            self.held += 1;
        }
        if self.held > self.most { self.empty() } else { Ok(()) }
    }

    /// Writes all that is in memory to the file.
    fn empty(&mut self) -> Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile().map_err(failed)?,
        };
        let mut bytes = Vec::new();
        for part in self.parts.iter_mut().filter(|part| !part.here.is_empty()) {
            part.runs.push((self.written, part.held()));
            // The memory goes back: the next records may be of other parts.
            for block in std::mem::take(&mut part.here) {
                bytes.clear();
                block.iter().for_each(|record| record.write(&mut bytes));
                file.write_all(&bytes).map_err(failed)?;
                self.written += bytes.len() as u64;
            }
        }
        (self.held, self.file) = (0, Some(file));
        Ok(())
    }

    /// All records of a part, in the order in which they were added.
    ///
    /// # Errors
    /// What was written could not be read.
    pub fn copy(&self, part: usize) -> Result<Vec<T>> {
        let mut all = self.written(part)?;
        self.parts[part].here.iter().for_each(|block| all.extend_from_slice(block));
        Ok(all)
    }

    /// What of a part stands in the file, with room for the rest of it.
    fn written(&self, part: usize) -> Result<Vec<T>> {
        let part = &self.parts[part];
        let mut all = Vec::with_capacity(part.held() + part.runs.iter().map(|run| run.1).sum::<usize>());
        for (start, length) in &part.runs {
            let file = self.file.as_ref().expect("runs stand in a file");
            read_run(file, *start, *length, &mut all).map_err(failed)?;
        }
        Ok(all)
    }

    /// Takes all records of a part, in the order in which they were added.
    ///
    /// # Errors
    /// What was written could not be read.
    pub fn take(&mut self, part: usize) -> Result<Vec<T>> {
        let mut all = self.written(part)?;
        let part = &mut self.parts[part];
        self.held -= part.held();
        part.runs.clear();
        std::mem::take(&mut part.here).into_iter().for_each(|block| all.extend_from_slice(&block));
        Ok(all)
    }
}

/// Records that are written or read at a time.
const CHUNK: usize = 1 << 14;

fn read_run<T: Record>(mut file: &File, start: u64, length: usize, all: &mut Vec<T>) -> io::Result<()> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; CHUNK.min(length) * T::SIZE];
    let mut left = length;
    while left > 0 {
        let chunk = &mut bytes[..CHUNK.min(left) * T::SIZE];
        file.read_exact(chunk)?;
        all.extend(chunk.chunks_exact(T::SIZE).map(T::read));
        left -= chunk.len() / T::SIZE;
    }
    Ok(())
}

fn failed(cause: io::Error) -> Error {
    Error::output("cannot keep in a temporary file what does not fit into memory")
        .because(cause)
        .help("give it room (TMPDIR says where it is), or more memory with --memory-limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(bound: Bound) -> Spill<u64> {
        let mut spill = Spill::new(bound);
        for value in 0..100_000u64 {
            let part = (value * 7 % 5) as usize % spill.parts();
            spill.extend(part, [value]).unwrap();
        }
        spill
    }

    #[test]
    fn what_does_not_fit_comes_back_in_order() {
        let (mut bounded, mut free) =
            (filled(Bound { bytes: 8 * 1_000, parts: 5 }), filled(Bound { bytes: u64::MAX, parts: 5 }));
        assert!(bounded.written > 700_000 && free.file.is_none());
        for part in [3, 0, 4, 1, 2] {
            assert_eq!(bounded.copy(part).unwrap(), free.copy(part).unwrap());
            assert_eq!(bounded.take(part).unwrap(), free.take(part).unwrap());
            assert!(bounded.take(part).unwrap().is_empty());
        }
    }

    #[test]
    fn no_more_than_the_bound_is_held() {
        let mut spill = Spill::new(Bound { bytes: 8 * 10, parts: 2 });
        for value in 0..1_000u64 {
            spill.extend((value % 2) as usize, [value]).unwrap();
            assert!(spill.held <= 10);
            assert!(spill.parts.iter().map(Part::held).sum::<usize>() <= 10);
        }
    }

    #[test]
    fn without_a_bound_there_is_one_part() {
        let mut spill = filled(Bound::NONE);
        assert_eq!(spill.parts(), 1);
        assert_eq!(spill.take(0).unwrap(), (0..100_000).collect::<Vec<u64>>());
    }
}
