//! Damaged Parquet files: whatever a flipped bit makes the engine do, the run ends with a message and an exit
//! code of its own.

use crate::runs::{Folder, folder_of_pair};
use std::fs;

/// Runs with flipped bytes; each starts three processes.
const FLIPS: usize = 48;

/// Files that made the engine end its process with a signal, or panic, when it read them.
const FATAL: &[&str] = &["slice-out-of-range.parquet", "thrift-bool.parquet"];

/// A folder with the small pair, and the clicks also as Parquet.
fn folder() -> Folder {
    let folder = folder_of_pair(&["bad"]);
    crate::shapes::write_parquet(&crate::runs::pair(&["bad"]).0, &folder.path("clicks.parquet"));
    folder
}

/// A run on a damaged file reports, or refuses with a message that names the file. Nothing else.
#[track_caller]
fn check(folder: &Folder, name: &str, what: &str) {
    let run = folder.run(&format!("audit {name} conversions.csv -q -o json=-"));
    match run.code {
        Some(0 | 3) if !run.stdout.is_empty() => {}
        Some(3) => assert!(run.stderr.contains(name), "{what}: {}", run.stderr),
        code => panic!("{what}: exit {code:?}\n{}", run.stderr),
    }
}

/// Small steps of a linear congruential generator (Numerical Recipes): the same flips in every run.
fn draws() -> impl Iterator<Item = usize> {
    let step = |seed: &u32| Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(2_026), step).map(|seed| (seed >> 8) as usize)
}

#[test]
fn flipped_bytes_end_with_a_message() {
    let folder = folder();
    let good = fs::read(folder.path("clicks.parquet")).expect("the file");
    let mut draws = draws();
    let mut draw = |below: usize| draws.next().expect("it never ends") % below;
    for round in 0..FLIPS {
        let mut bytes = good.clone();
        for _ in 0..=draw(3) {
            // Every other time in the last two KiB: lengths and types of everything stand there.
            let from = if round % 2 == 0 { 4 } else { bytes.len() - 2_048 };
            let at = from + draw(bytes.len() - 8 - from);
            bytes[at] = [0xff, 0x7f, 0x80, bytes[at] ^ (1 << draw(8))][draw(4)];
        }
        fs::write(folder.path("flipped.parquet"), bytes).expect("a file in the folder");
        check(&folder, "flipped.parquet", &format!("round {round}"));
    }
}

#[test]
fn what_kills_the_engine_kills_no_run() {
    let folder = folder();
    for name in FATAL {
        let path = crate::runs::project("tests/corpus/parquet").join(name);
        fs::copy(&path, folder.path(name)).expect("a file of the corpus");
        let run = folder.run(&format!("audit --clicks {name} --conversions conversions.csv")).exits(3);
        run.says(&[&format!("{name} is damaged: the engine cannot read it"), "export or copy it again"]);
    }
}

#[test]
fn other_faults_of_parquet() {
    let folder = folder();
    let good = fs::read(folder.path("clicks.parquet")).expect("the file");
    let cut = &good[..good.len() - 100];
    let mut endless = good.clone();
    let at = endless.len() - 8;
    endless[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let text = [b"PAR1".as_slice(), b"click_id,click_time\n"].concat();
    let cases: [(&str, &[u8]); 4] = [("cut", cut), ("endless", &endless), ("text", &text), ("mark", b"PAR1")];
    for (name, bytes) in cases {
        let folder = folder_of_pair(&[]).with(name, bytes);
        let run = folder.run(&format!("audit {name} conversions.csv")).exits(3);
        run.says(&[&format!("{name} is damaged: the engine cannot read it")]);
    }
}
