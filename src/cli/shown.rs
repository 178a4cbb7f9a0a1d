//! Every command that the documents, and the files for cron, systemd and containers, show is one.

use super::args::Cli;
use clap::CommandFactory;
use std::path::{Path, PathBuf};

/// What people are shown to run: documents, and the files for cron, systemd and containers.
fn shown() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "docs", "docs/nightly", "rules", "bench"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).expect("a folder"));
    let paths = files.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    let shows = |path: &PathBuf| {
        let nightly = path.parent().is_some_and(|folder| folder.ends_with("nightly"));
        nightly || path.extension().is_some_and(|e| e == "md")
    };
    let read = |path: PathBuf| std::fs::read_to_string(&path).ok().map(|text| (path, text));
    paths.filter(shows).filter_map(read).collect()
}

/// The commands of this program in a text: in blocks of `sh` and `console` of a document, anywhere else in
/// other files.
fn commands(path: &Path, text: &str) -> Vec<String> {
    let document = path.extension().is_some_and(|e| e == "md");
    let whole = text.replace("\\\n", " ");
    let (mut inside, mut prompted) = (!document, false);
    let mut found = Vec::new();
    for line in whole.lines() {
        if document && line.starts_with("```") {
            (inside, prompted) = (["```sh", "```console"].contains(&line), line == "```console");
        }
        let line = line.trim_start();
        let Some(line) = line.strip_prefix("$ ").or_else(|| (!prompted).then_some(line)) else { continue };
        let at = ["ExecStart=/usr/local/bin/clickaudit ", "&& clickaudit ", "| clickaudit "];
        let begins = line.strip_prefix("clickaudit ");
        let rest = begins.or_else(|| at.iter().find_map(|start| Some(line.split_once(start)?.1)));
        found.extend(rest.filter(|_| inside).map(str::to_owned));
    }
    found
}

/// The words of a command up to the end of it, as a shell would split them.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec!["clickaudit".to_owned()], None::<String>, None);
    for c in command.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(q)) if c == q => quote = None,
            ('|' | '>' | '<' | '&' | ';' | '#', None) if word.is_none() => break,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_that_people_are_shown_is_one() {
    let mut seen = 0;
    for (path, text) in shown() {
        for command in commands(&path, &text) {
            if let Some(e) = fault(&command) {
                panic!("{}: clickaudit {command}\n{e}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} commands");
}

/// What is wrong with a command; a request for help or the version is one, too.
fn fault(command: &str) -> Option<clap::Error> {
    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
    let taken = Cli::command().try_get_matches_from(words(command));
    taken.err().filter(|e| ![DisplayHelp, DisplayVersion].contains(&e.kind()))
}
