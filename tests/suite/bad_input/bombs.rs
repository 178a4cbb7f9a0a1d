//! Small files that unpack to hundreds of megabytes end in a named cap, and in little memory.

use super::*;
use crate::runs::Folder;
use std::process::Stdio;
use std::time::Duration;

/// What an unpacked bomb would fill.
const UNPACKED: usize = 400 << 20;

/// The resident memory that a run on a bomb may take.
const MOST_KIB: u64 = 300 << 10;

/// A gzip of members that each unpack to 4 MiB of this text.
fn gzip_bomb(head: &str, text: &str) -> Bytes {
    let member = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let part = text.repeat((4 << 20) / text.len());
        encoder.write_all(part.as_bytes()).and_then(|()| encoder.finish()).expect("memory takes everything")
    };
    let members = UNPACKED / (4 << 20);
    std::iter::once(gzip(head.as_bytes())).chain(std::iter::repeat_n(member, members)).flatten().collect()
}

/// Runs an audit and watches its largest resident memory, in KiB; 0 where the system does not tell.
fn watched(folder: &Folder, arguments: &str) -> (Option<i32>, String, u64) {
    let mut command = folder.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let code = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(peak.unwrap_or_default());
        match child.try_wait().expect("the program ends") {
            Some(status) => break status.code(),
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut said).expect("text");
    (code, said, most)
}

#[test]
fn bombs_end_in_a_cap() {
    let header = format!("{CLICK_HEADER}\n");
    let object = format!("{{\"click_time\": \"{}\", \"user_agent\": \"", time(0));
    let cases = [
        ("one field of 400 MiB", gzip_bomb(&header, "xxxx")),
        ("100 million rows", gzip_bomb(&header, "a,b\n")),
        ("one object of 400 MiB", gzip_bomb(&object, "xxxx")),
        ("one quoted field of 400 MiB", gzip_bomb(&format!("{header}\""), "x\ny\n")),
    ];
    for (name, bytes) in cases {
        assert!(bytes.len() < 3 << 20, "{name}: {} bytes are no small file", bytes.len());
        let folder = Folder::new().with("clicks.csv.gz", &bytes);
        let (code, said, most) = watched(&folder, "audit --clicks clicks.csv.gz --threads 2");
        assert_eq!(code, Some(3), "{name}: {said}");
        assert!(said.contains("compression bomb") && said.contains("clicks.csv.gz"), "{name}: {said}");
        assert!(most < MOST_KIB, "{name}: {most} KiB");
        assert!(!cfg!(target_os = "linux") || most > 0, "{name}: nothing was measured");
    }
}
