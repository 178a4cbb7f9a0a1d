//! Rule files that are made to hurt: each is refused with the right fault, within a second of CPU and 100 MB. A
//! build without optimisation, which is about six times slower, has six seconds; the memory is the same for both.
//!
//! Both are measured on the running process and held by the system: a run beyond them is ended.

use crate::runs::{Folder, Run};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A good rule, for files beside which something else is wrong.
const GOOD: &str = "\
id: good
title: Conversions follow the click too fast
status: experimental
class: fraud
action: hold
why: Filling in a form takes a person seconds.
when:
  test: {signal: ctit_short_share, above: 30%}
";

/// Seconds of CPU that a run may take.
const SECONDS: u32 = if cfg!(debug_assertions) { 6 } else { 1 };

/// KiB of memory that a run may hold.
const KIB: u64 = 100 * 1_024;

/// The program within its bounds of CPU and memory.
fn bounded(folder: &Folder, arguments: &str) -> Run {
    let program = folder.command(arguments);
    let mut shell = Command::new("sh");
    let limits = format!("ulimit -t {SECONDS}; ulimit -d {KIB}; exec \"$@\"");
    shell.args(["-c", &limits, "sh"]).arg(program.get_program());
    shell.args(program.get_args()).current_dir(folder.path("")).env_clear();
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = shell.spawn().expect("a shell");
    let watcher = std::thread::spawn({
        let process = child.id();
        move || watched(process)
    });
    let run = Run::of(arguments, child.wait_with_output().expect("it ends"));
    let used = watcher.join().expect("a watcher");
    if let Some(Used { ticks, kib }) = used {
        let within = ticks <= u64::from(SECONDS) * TICKS && kib <= KIB;
        assert!(within, "{arguments}: {ticks} of {TICKS} ticks a second, {kib} KiB");
    }
    run
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Used {
    ticks: u64,
    kib: u64,
}

/// Ticks a second in which Linux counts CPU time.
const TICKS: u64 = 100;

/// The most that a process has used when it was last seen, a millisecond before its end; `None` where the system
/// does not tell. Its peak of memory is kept by the system and never falls.
fn watched(process: u32) -> Option<Used> {
    if !Path::new("/proc/self/stat").exists() {
        return None;
    }
    let mut last = Used::default();
    while let Some(used) = used(process) {
        last = used;
        std::thread::sleep(Duration::from_millis(1));
    }
    Some(last)
}

/// What a running process has used; `None` once it has ended, and before anything is known of it.
fn used(process: u32) -> Option<Used> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).ok();
    let status = read("status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let stat = read("stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Used { ticks: ticks(11)? + ticks(12)?, kib: peak.split_whitespace().next()?.parse().ok()? })
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_process_uses_is_seen() {
    let program = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let mut child = Command::new("sh").args(["-c", program]).spawn().expect("a shell");
    let used = watched(child.id()).expect("Linux tells");
    assert!(child.wait().is_ok_and(|status| status.success()));
    assert!(used.ticks > 0 && used.kib > 100, "{used:?}");
}

/// The names of the faults that `rules check` finds in a rule file, each once, in their order.
fn faults(text: &[u8]) -> Vec<String> {
    let folder = Folder::new().with("good.yml", text);
    let run = bounded(&folder, "rules check --format json good.yml").exits(2);
    let mut slugs: Vec<String> = run.text().lines().map(slug).collect();
    slugs.sort();
    slugs.dedup();
    slugs
}

fn slug(line: &str) -> String {
    let fault: Value = serde_json::from_str(line).expect("one JSON object per line");
    assert!(line.len() < 10_000, "a fault of {} bytes", line.len());
    fault["slug"].as_str().expect("a name").to_owned()
}

#[track_caller]
fn check(text: impl AsRef<[u8]>, expected: &[&str]) {
    assert_eq!(faults(text.as_ref()), expected);
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let bomb: String = (1..=30).map(|i| format!("x-{i}: &a{i} [*a{0}, *a{0}]\n", i - 1)).collect();
    check(format!("{GOOD}x-0: &a0 [lol, lol]\n{bomb}"), &["yaml-syntax"]);
    check(format!("{GOOD}innocent: &causes [a]\n"), &["yaml-syntax"]);
    check(format!("{GOOD}x-deep: {}{}\n", "[".repeat(200), "]".repeat(200)), &["yaml-syntax"]);
    let nots = "{not: ".repeat(200) + "{significant: true}" + &"}".repeat(200);
    check(
        GOOD.replace("\n  test: {signal: ctit_short_share, above: 30%}", &format!(" {nots}")),
        &["yaml-syntax"],
    );
    check(format!("{GOOD}x-wide: [{}]\n", "1,".repeat(300_000)), &["yaml-syntax"]);
}

#[test]
fn large_texts_are_refused() {
    check(GOOD.replace("Conversions follow", &"a".repeat(10 << 20)), &["yaml-syntax"]);
    check(GOOD.replace("id: good", &format!("id: {}", "a".repeat(3 << 20))), &["bad-id"]);
}

#[test]
fn many_faults_are_told_in_bounds() {
    let keys: String = (0..90_000).map(|i| format!("k{i}: 1\n")).collect();
    check(format!("{GOOD}{keys}"), &["too-many-faults", "unknown-key"]);
    let twice = "title: again\n".repeat(50_000);
    check(format!("{GOOD}{twice}"), &["duplicate-key"]);
    let tests = "    - test: {signal: no_such, above: 1}\n".repeat(20_000);
    let when = format!("\n  any:\n{tests}");
    check(
        GOOD.replace("\n  test: {signal: ctit_short_share, above: 30%}\n", &when),
        &["too-many-faults", "unknown-signal"],
    );
}

#[test]
fn what_is_not_plain_yaml_is_said() {
    check(format!("{GOOD}\ttags: [a]\n"), &["yaml-syntax"]);
    check(format!("{GOOD}---\n{GOOD}"), &["yaml-syntax"]);
    check(format!("{GOOD}title: Again\n"), &["duplicate-key"]);
    check("", &["wrong-shape"]);
    check("[]", &["wrong-shape"]);
    check(GOOD.replace("why: F", "why: \0F"), &["yaml-syntax"]);
}

#[test]
fn files_that_are_no_text_are_named() {
    let folder = Folder::new().with("good.yml", b"id: \xff\xfe");
    bounded(&folder, "rules check good.yml").exits(2).says(&[
        "error[Y008]: this file cannot be read: the byte 0xff is no text in UTF-8",
        "--> good.yml:1:5",
    ]);
    bounded(&folder, "rules check none.yml").exits(2).says(&["error[Y008]", "No such file", "--> none.yml"]);
    let made = Command::new("mkfifo").arg(folder.path("pipe.yml")).status();
    assert!(made.is_ok_and(|status| status.success()), "no pipe");
    bounded(&folder, "rules check pipe.yml").exits(2).says(&["it is no plain file", "--> pipe.yml"]);
}

#[test]
fn a_file_that_cannot_be_read_hides_no_fault_of_others() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("many")).expect("a folder");
    let folder = folder.with("many/latin.yml", b"id: J\xf6rg\n");
    let folder = folder.with("many/other.yml", GOOD.replace("above: 30%", "above: 30"));
    #[cfg(unix)]
    std::os::unix::fs::symlink("loop.yml", folder.path("many/loop.yml")).expect("a link to itself");
    for (format, expected) in [("json", "\"code\":\"R006\""), ("github", "title=R006 wrong-unit")] {
        let run = bounded(&folder, &format!("rules check --format {format} many none.yml")).exits(2);
        let told = run.text();
        assert!(told.contains(expected) && told.contains("Y008") && told.contains("none.yml"), "{told}");
    }
}

#[test]
fn a_list_that_cannot_be_read_is_a_fault() {
    let rule = |file: &str| {
        let test = format!(
            "all: [{{test: {{signal: ctit_short_share, above: 30%}}}}, {{not: {{test: {{column: source, in: {{list: ours}}}}}}}}]\nlists: {{ours: {{file: {file}}}}}"
        );
        GOOD.replace("test: {signal: ctit_short_share, above: 30%}", &test)
    };
    let folder = Folder::new().with("empty.txt", "# nobody\n").with("large.txt", "a\n".repeat(3 << 20));
    let folder = folder.with("binary.txt", b"\xff\xfe\0").with("ours.txt", "pub1\npub2\n");
    std::fs::create_dir(folder.path("folder")).expect("a folder");
    let made = Command::new("mkfifo").arg(folder.path("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "no pipe");
    for (file, why) in [
        ("none.txt", "No such file"),
        ("/etc/passwd", "it lies outside the rule's folder"),
        ("folder", "it is no plain file"),
        ("pipe", "it is no plain file"),
        ("empty.txt", "there is no text in it"),
        ("large.txt", "it has more than"),
        ("binary.txt", "stream did not contain valid UTF-8"),
    ] {
        std::fs::write(folder.path("good.yml"), rule(file)).expect("a rule");
        bounded(&folder, "rules check good.yml").exits(2).says(&["error[R027]", why]);
    }
    let folder = folder.with("good.yml", rule("ours.txt"));
    bounded(&folder, "rules check good.yml").exits(0);
}

#[cfg(unix)]
#[test]
fn folders_that_lead_round_in_circles_are_read_once() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("rules/a/folder.yml")).expect("a folder with a rule's name");
    std::fs::write(folder.path("rules/good.yml"), GOOD).expect("a rule");
    for name in ["rules/self", "rules/a/up", "rules/a/again", "rules/a/folder.yml/round"] {
        symlink(folder.path("rules"), folder.path(name)).expect("a link");
    }
    symlink(folder.path("rules/loop.yml"), folder.path("rules/loop.yml")).expect("a link to itself");
    let made = Command::new("mkfifo").arg(folder.path("rules/pipe.yml")).status();
    assert!(made.is_ok_and(|status| status.success()), "no pipe");
    bounded(&folder, "rules check rules").exits(2).says(&["error[Y008]", "rules/loop.yml"]);
    std::fs::remove_file(folder.path("rules/loop.yml")).expect("it is there");
    bounded(&folder, "rules check rules").exits(0).says(&["1 rule file, no faults"]);
}
