//! Documents that cannot drift: generated ones equal what the declarations say, and what a page shows of the
//! program is what the program does.
//!
//! `BLESS=1 cargo test documents` rewrites the generated ones. Of a page's console blocks the test runs every
//! command of this program and compares what follows; it knows pipes to `sort`, `grep` and `head`, and
//! nothing else of a shell. A block that begins with ```` ```yaml NAME ```` is written to that file first.

use crate::runs::{Folder, project};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

// ---------------------------------------------------------------- generated documents

/// Where a generated document stands.
fn place(name: &str) -> PathBuf {
    let folder = if name == "rule.schema.json" { "rules" } else { "docs" };
    project(folder).join(name)
}

#[test]
fn generated_documents_are_up_to_date() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut stale = Vec::new();
    for (name, text) in clickaudit::reference::documents() {
        let path = place(name);
        if fs::read_to_string(&path).unwrap_or_default() == text {
            continue;
        }
        if bless {
            fs::write(&path, text).expect("the document can be written");
        } else {
            stale.push(name);
        }
    }
    assert_eq!(
        stale, [""; 0],
        "these differ from the declarations; `BLESS=1 cargo test documents` writes them"
    );
}

/// The README with its generated parts as they should be: each stands between two marks.
fn with_parts(page: &str) -> String {
    clickaudit::reference::parts().iter().fold(page.to_owned(), |page, (name, text)| {
        let (open, close) = (format!("<!-- {name}: generated -->\n"), format!("<!-- end of {name} -->"));
        let (before, rest) =
            page.split_once(&open).unwrap_or_else(|| panic!("README has no mark for {name}"));
        let (_, after) = rest.split_once(&close).unwrap_or_else(|| panic!("README has no end of {name}"));
        format!("{before}{open}{text}{close}{after}")
    })
}

#[test]
fn generated_parts_of_the_readme_are_up_to_date() {
    let path = project("README.md");
    let page = fs::read_to_string(&path).expect("the page");
    let wanted = with_parts(&page);
    if std::env::var_os("BLESS").is_some() && wanted != page {
        fs::write(&path, &wanted).expect("the page can be written");
        return;
    }
    assert!(
        wanted == page,
        "a table of README.md differs from the declarations; `BLESS=1 cargo test documents` writes it"
    );
}

/// What was measured, and with which command, and examples are written by hand; the latter are run.
const BY_HAND: [&str; 6] =
    ["nightly", "nightly.md", "performance.md", "reconcile.md", "report.png", "validation.md"];

#[test]
fn every_file_in_docs_is_generated() {
    let mut generated: BTreeSet<PathBuf> =
        clickaudit::reference::documents().iter().map(|(name, _)| place(name)).collect();
    generated.extend(BY_HAND.map(|name| project("docs").join(name)));
    for entry in fs::read_dir(project("docs")).expect("the folder").flatten() {
        assert!(generated.contains(&entry.path()), "nothing generates {}", entry.path().display());
    }
}

#[test]
fn the_command_writes_the_same_documents() {
    let folder = Folder::new();
    folder.run("reference .").exits(0);
    for (name, text) in clickaudit::reference::documents() {
        assert!(folder.text(name) == text, "{name}");
    }
}

// ---------------------------------------------------------------- pages

/// Every page that people write: name and text.
fn pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for folder in ["", "bench", "rules", "sample-data"] {
        let entries = fs::read_dir(project(folder)).expect("the folder").flatten();
        for path in entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "md")) {
            let name = path.strip_prefix(project("")).unwrap_or(&path).display().to_string();
            pages.push((name, fs::read_to_string(&path).expect("the page")));
        }
    }
    pages.sort();
    pages
}

/// A command that a page shows, with the output it shows; or `write NAME` with the text of a file.
struct Shown {
    command: String,
    output: Vec<String>,
}

/// The commands of all console blocks; a command that ends in `\` goes on in the next line.
fn shown(page: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let (mut inside, mut goes_on) = (false, false);
    let mut writes = false;
    for line in page.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            inside = fence == "console";
            let name = fence.strip_prefix("yaml ").filter(|_| !writes);
            writes = name.is_some();
            found.extend(name.map(|name| Shown { command: format!("write {name}"), output: Vec::new() }));
        } else if writes {
            found.last_mut().expect("its name").output.push(line.to_owned());
        } else if inside && goes_on {
            let last = found.last_mut().expect("its first line");
            last.command = format!("{} {}", last.command.trim_end_matches('\\').trim_end(), line.trim());
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            found.push(Shown { command: command.to_owned(), output: Vec::new() });
        } else if inside {
            found.last_mut().expect("a block begins with a command").output.push(line.to_owned());
            continue;
        }
        goes_on = inside && line.ends_with('\\');
    }
    found
}

/// How a page calls the program.
const PROGRAM: &[&str] = &["clickaudit ", "cargo run --release -- ", "./target/release/clickaudit "];

/// Commands that this test cannot run: they would build the project or need a network.
const OTHERS: &[&str] = &["cargo build", "cargo test", "cargo install", "git clone", "cd "];

#[test]
fn console_blocks_show_what_the_program_does() {
    let folder = with_project_files(Folder::new());
    let (mut ran, mut wrong) = (0, Vec::new());
    for (page, text) in pages() {
        ran += follow(&folder, &page, &text, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran >= 2, "{ran} commands in the pages");
}

/// Follows one page in a folder with the project's files; what it shows must be what the program does. Counts
/// the commands.
#[track_caller]
pub fn follow_page(page: &str) -> usize {
    let folder = with_project_files(Folder::new());
    let text = fs::read_to_string(project(page)).expect("the page");
    let mut wrong = Vec::new();
    let ran = follow(&folder, page, &text, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    ran
}

/// Does what a page says: writes its files and runs its commands. Counts the commands.
fn follow(folder: &Folder, page: &str, text: &str, wrong: &mut Vec<String>) -> usize {
    let mut ran = 0;
    for shown in shown(text).iter().filter(|s| !OTHERS.iter().any(|other| s.command.starts_with(other))) {
        if let Some(name) = shown.command.strip_prefix("write ") {
            fs::write(folder.path(name), shown.output.join("\n") + "\n").expect("a file in the folder");
            continue;
        }
        ran += 1;
        let found = output(folder, &shown.command);
        if !fits(&shown.output, &found) {
            wrong.push(format!("{page}: $ {}\nprints\n{}\n", shown.command, found.join("\n")));
        }
    }
    ran
}

/// Somebody who has only the page about rules writes one that is valid, tested, and finds what it is about.
#[test]
fn the_page_on_rules_leads_to_a_working_rule() {
    let folder = Folder::new();
    copy(&project("sample-data"), &folder.path("sample-data"));
    let text = fs::read_to_string(project("rules/README.md")).expect("the page");
    let mut wrong = Vec::new();
    let ran = follow(&folder, "rules/README.md", &text, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran >= 6, "{ran} commands");
    let rule = fs::read_to_string(folder.path("half-rejected.yml")).expect("the rule that the page makes");
    assert!(rule.contains("above: 30%") || rule.contains("below: 50%"), "{rule}");
    let exports = "sample-data/clicks.csv sample-data/conversions.csv";
    let report = folder.report(&format!("{exports} --add-rules half-rejected.yml"));
    let hit = crate::runs::source(&report, "3079915")["findings"].as_array().expect("findings");
    assert!(hit.iter().any(|f| f["rule"] == "half-rejected" && f["action"] == "hold"), "{hit:?}");
}

/// Copies what commands of a page may read; what they write goes into the folder.
fn with_project_files(folder: Folder) -> Folder {
    for (from, to) in [("sample-data", "sample-data"), ("rules", "rules")] {
        copy(&project(from), &folder.path(to));
    }
    folder
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            drop(fs::copy(entry.path(), target))
        }
    }
}

/// What a command line prints: the last stage's stdout, then what the program said on stderr.
#[track_caller]
fn output(folder: &Folder, line: &str) -> Vec<String> {
    let stages = split(line);
    let (program, filters) = stages.split_first().expect("a command");
    let words: Vec<&str> = program.iter().map(String::as_str).collect();
    let called = PROGRAM.iter().find_map(|call| {
        let call: Vec<&str> = call.split_whitespace().collect();
        words.strip_prefix(call.as_slice())
    });
    let arguments = called.unwrap_or_else(|| panic!("`{line}` is no command that this test knows"));
    let run = folder.command("").args(arguments).output().expect("the program starts");
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(bytes).lines().map(|line| line.trim_end().to_owned()).collect()
    };
    let mut shown = filters.iter().fold(lines(&run.stdout), |input, filter| filtered(input, filter));
    shown.extend(lines(&run.stderr));
    shown
}

/// What `sort`, `grep WORD` and `head -N` make of lines.
fn filtered(mut lines: Vec<String>, filter: &[String]) -> Vec<String> {
    let words: Vec<&str> = filter.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["sort"] => lines.sort(),
        ["grep", word] => lines.retain(|line| line.contains(word)),
        ["head", count] => {
            let count = count.strip_prefix('-').and_then(|n| n.parse().ok());
            lines.truncate(count.expect("head -N"));
        }
        other => panic!("this test does not know the filter {other:?}"),
    }
    lines
}

/// The words of each stage of a pipe; quotes keep words together.
fn split(line: &str) -> Vec<Vec<String>> {
    let (mut stages, mut word, mut quote) = (vec![Vec::new()], None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '|') => {
                stages.last_mut().expect("never empty").extend(word.take());
                if c == '|' {
                    stages.push(Vec::new());
                }
            }
            (None, '>' | '<' | '&' | ';' | '$' | '`') => panic!("this test does not know `{c}` in `{line}`"),
            _ => word.get_or_insert_default().push(c),
        }
    }
    stages.last_mut().expect("never empty").extend(word.take());
    stages
}

/// Whether lines are as shown; `...` alone stands for any lines.
fn fits<A: AsRef<str>, B: AsRef<str>>(shown: &[A], found: &[B]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((any, rest)) if any.as_ref() == "..." => {
            (0..=found.len()).any(|skipped| fits(rest, &found[skipped..]))
        }
        Some((line, rest)) => {
            found.first().is_some_and(|f| f.as_ref() == line.as_ref().trim_end()) && fits(rest, &found[1..])
        }
    }
}

#[test]
fn shown_lines_are_compared_whole() {
    for (shown, found, same) in [
        ("a\nb", "a\nb", true),
        ("a", "a\nb", false),
        ("a\nb", "a", false),
        ("a\n...", "a\nb\nc", true),
        ("a\n...", "a", true),
        ("...\nc", "a\nb\nc", true),
        ("a\n...\nc", "a\nb", false),
        ("a\n...\nc\n...\ne", "a\nc\nx\ne", true),
        ("a...", "abc", false),
    ] {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<String>>();
        assert_eq!(fits(&lines(shown), &lines(found)), same, "{shown:?} and {found:?}");
    }
}

#[test]
fn commands_are_found_and_split() {
    let page =
        "```sh\n$ no\n```\n```console\n$ clickaudit 'a b' \\\n    -q | sort | head -3\none\n\n$ cd x\n```\n";
    let found = shown(page);
    let commands: Vec<&str> = found.iter().map(|s| s.command.as_str()).collect();
    assert_eq!(commands, ["clickaudit 'a b' -q | sort | head -3", "cd x"]);
    assert_eq!(found[0].output, ["one", ""]);
    assert_eq!(split(commands[0]), [vec!["clickaudit", "a b", "-q"], vec!["sort"], vec!["head", "-3"]]);
}

// ---------------------------------------------------------------- what pages refer to

#[test]
fn links_of_pages_lead_somewhere() {
    for (page, text) in pages() {
        let base = project(&page);
        let folder = base.parent().expect("a page is in a folder");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if !target.contains("://") && !path.is_empty() {
                assert!(folder.join(path).exists(), "{page} links to {target}");
            }
        }
    }
}

/// The README's table of promises names the test that holds each.
#[test]
fn promises_name_tests_that_exist() {
    let readme = fs::read_to_string(project("README.md")).expect("the page");
    let (_, after) = readme.split_once("## Promises").expect("the promises");
    let rows = after.split("\n## ").next().unwrap_or_default().lines().filter(|l| l.starts_with("| "));
    let named: Vec<&str> = rows
        .skip(1)
        .flat_map(|row| row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default().split('`'))
        .filter(|word| word.contains('_'))
        .collect();
    assert!(named.len() >= 5, "{named:?}");
    let mut code = String::new();
    for folder in ["src", "tests"] {
        gather(&project(folder), &mut code);
    }
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

fn gather(folder: &std::path::Path, code: &mut String) {
    for path in fs::read_dir(folder).expect("the source").flatten().map(|e| e.path()) {
        if path.is_dir() {
            gather(&path, code);
        } else if path.extension().is_some_and(|e| e == "rs") {
            code.push_str(&fs::read_to_string(&path).expect("the source"));
        }
    }
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_help() {
    let readme = fs::read_to_string(project("README.md")).expect("the page");
    let help = Folder::new().run("--help").exits(0).text();
    let (_, codes) = help.split_once("Exit codes:\n").expect("a table of exit codes");
    for line in codes.lines() {
        let number = line.split_whitespace().next().unwrap_or_default();
        assert!(readme.contains(&format!("\n| {number} |")), "the README lacks exit code {number}");
    }
}
