//! The page about a diagnostic: what is wrong, a rule that has the fault, what is said of it, and the rule
//! without the fault.
//!
//! The examples are the files that the tests walk, so no page can show a rule that behaves differently.

use super::model::{RuleFile, RuleSet};
use super::mutants::survivors;
use super::selftest::run_tests;
use crate::base::diag::{self, CODES, Code, Diag};

include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// How many lines of an example are shown.
const SHOWN: usize = 40;

/// What a page says.
pub struct Page {
    pub code: &'static Code,
    pub broken: Vec<RuleFile>,
    /// The faults of the broken files, drawn.
    pub faults: String,
    pub mended: Vec<RuleFile>,
}

/// The page about a diagnostic, by its code or its name.
///
/// # Errors
/// What to ask for instead.
pub fn page(name: &str) -> Result<Page, String> {
    let is = |code: &&&'static Code| code.code.eq_ignore_ascii_case(name) || code.slug == name;
    let Some(code) = CODES.iter().find(is) else {
        let all = || CODES.iter().flat_map(|c| [c.code, c.slug]);
        let near = diag::did_you_mean(name, all());
        return Err(
            near.unwrap_or_else(|| "`clickaudit rules check` names the code of every fault".to_owned())
        );
    };
    let broken = examples(BROKEN, "tests/bad-rules/", code.slug);
    let faults = diag::drawn(&first(code, faults(&broken)));
    Ok(Page { code, faults, mended: examples(MENDED, "tests/mended-rules/", code.slug), broken })
}

/// All faults of rules: those of `rules check`, and where there are none those of `rules test`.
pub fn faults(files: &[RuleFile]) -> Vec<Diag> {
    match RuleSet::of(files) {
        Err(faults) => faults,
        Ok(set) => {
            let failed: Vec<Diag> = run_tests(&set).into_iter().filter_map(|test| test.fault).collect();
            if failed.is_empty() { survivors(&set) } else { failed }
        }
    }
}

/// The faults of this code before others; a few say as much as a hundred.
fn first(code: &'static Code, mut faults: Vec<Diag>) -> Vec<Diag> {
    faults.sort_by_key(|fault| fault.code != code);
    faults.truncate(3);
    faults
}

/// The files `<slug>.yml` or `<slug>/…` of a folder.
fn examples(table: &[(&str, &[u8])], folder: &str, slug: &str) -> Vec<RuleFile> {
    let of_code = |(path, bytes): &(&str, &[u8])| {
        let name = path.strip_prefix(folder)?;
        let rest = name.strip_prefix(slug)?;
        (rest == ".yml" || rest.starts_with('/')).then(|| RuleFile::of_bytes(name, bytes))
    };
    table.iter().filter_map(of_code).collect()
}

impl Page {
    /// The page for a terminal.
    pub fn text(&self) -> String {
        let Code { code, slug, title, explanation } = self.code;
        let mut out = format!("{code} {slug}: {title}\n\n{explanation}\n");
        if self.broken.is_empty() {
            return out;
        }
        self.broken.iter().for_each(|file| out += &format!("\nWrong, {}:\n\n{}", file.name, indented(file)));
        out += &format!("\nWhat is said of it:\n\n{}\n", indent(&self.faults));
        self.mended.iter().for_each(|file| out += &format!("\nRight, {}:\n\n{}", file.name, indented(file)));
        out
    }

    /// The page for the documentation.
    pub fn markdown(&self) -> String {
        let Code { code, slug, title, explanation } = self.code;
        let fenced = |file: &RuleFile| format!("```yaml\n# {}\n{}```\n\n", file.name, shown(&file.text));
        let all = |files: &[RuleFile]| files.iter().map(fenced).collect::<String>();
        let head = format!("## {code} `{slug}`\n\n{title}: {explanation}\n\n");
        if self.broken.is_empty() {
            return head;
        }
        format!(
            "{head}Wrong:\n\n{}```text\n{}\n```\n\nRight:\n\n{}",
            all(&self.broken),
            self.faults.trim_end(),
            all(&self.mended)
        )
    }
}

fn indented(file: &RuleFile) -> String {
    indent(&shown(&file.text))
}

fn indent(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    text.trim_end().lines().map(line).collect()
}

/// The lines of an example, without the rest of a long one.
fn shown(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out: String = lines.iter().take(SHOWN).map(|line| format!("{line}\n")).collect();
    if lines.len() > SHOWN {
        out += &format!("# … and {} more lines\n", lines.len() - SHOWN);
    }
    out
}
