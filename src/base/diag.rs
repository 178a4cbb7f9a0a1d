//! A wrong user file: where it is wrong, what was found, what was expected, what to do next.
//!
//! Every kind of fault is one declaration in [`CODES`]; help and documentation are loops over that table.
//! This module collects and draws; it never decides what is wrong. The only home of annotate-snippets.

use crate::base::near::nearest;
use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str as clean,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// A kind of fault.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Short and stable: `R001`.
    pub code: &'static str,
    /// The name of its example under `tests/bad-rules`.
    pub slug: &'static str,
    pub title: &'static str,
    /// Why it is a fault and how it is mended.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($id:ident $code:literal $slug:literal $title:literal $explanation:literal;)*) => {
        $(#[doc = $title] pub static $id: Code =
            Code { code: $code, slug: $slug, title: $title, explanation: $explanation };)*
        /// Every kind of fault, sorted by code.
        pub static CODES: &[&Code] = &[$(&$id),*];
    };
}

codes! {
    UNKNOWN_RULE "C001" "unknown-rule" "an override or a suppression names a rule that does not exist"
        "What is said of a misspelt rule would silently change nothing. `clickaudit rules list` lists the rules with their ids.";
    BAD_OVERRIDE "C002" "bad-override" "an override that cannot be followed"
        "Overrides change the action of a rule, switch it off, let it observe, or set one of its parameters. A rule that is made to block needs what every blocking rule needs: `status: stable`, a minimum sample, and tests on both sides.";
    BAD_SUPPRESSION "C003" "bad-suppression" "a suppression that nobody could answer for"
        "A suppression names one rule, one group or a pattern of groups, the reason, who decided, and the day it ends: at most 180 days ahead, or `permanent: true` in place of the day. It is for findings that somebody has looked at; whole partners belong on the protect list.";
    TOO_MANY_CUTS "C004" "too-many-cuts" "the rules of a run limit their rows in too many ways"
        "Each different combination of `window`, `mature`, `events`, `where` and `by` is measured beside the whole, with a pass over the clicks and memory of its own. A run measures eight of them; rules with the same limits share one. Let rules share their limits, or leave some of them out with `disable`.";
    BAD_OFFER "C005" "bad-offer" "a cell or a row of an offers file that cannot be read"
        "An offers file is a table with a header line; every row says what holds for one offer from a day on. A row that is half read would judge partners by other terms than were agreed, so the whole file is refused. docs/offers.md says what each column holds.";
    BAD_TRAFFIC_SOURCE "C006" "bad-traffic-source" "a traffic source in a sources file that cannot be read"
        "A sources file says for each traffic source which variable of the tracker carries its zone, and how its costs and lists are. A wrong zone would block the wrong publisher, so the whole file is refused. docs/sources.md says what each key holds, and which starters there are.";
    BAD_LABEL "C007" "bad-label" "a row of a table of labels that cannot be used"
        "A table of labels says which sources are fraudulent: the columns `source` and `kind`, and where they are known `traffic_source`, `strength`, `conversions`, `touched_payout` and `since`. A row that is half read, or a source of two kinds, would count as found what was missed, so the whole table is refused. `honest`, `clean`, `ok`, `none` and an empty kind say that a source is not fraudulent.";
    FAILED_TEST "R001" "failed-test" "a test of a rule fails"
        "The rule's own example was evaluated exactly as in an audit and the answer was another one than the example expects. Mend the condition or the example; the message says what each test of the condition answered. Of a folder with exports the audit found something else than its `expected.yml` says: `-` is what was expected, `+` what was found.";
    BAD_ID "R002" "bad-id" "a rule's id is not well formed"
        "An id has 3 to 64 small letters, digits and single hyphens and starts with a letter, such as `conversions-too-fast`. It names the pattern that was seen, never the cure.";
    ID_NOT_FILE_NAME "R003" "id-not-file-name" "a rule's id is not its file's name"
        "A rule lives in a file of its own that is named `<id>.yml`, so that it is found by its id.";
    DUPLICATE_ID "R004" "duplicate-id" "two rules have one id"
        "Reports, lists and protect entries name a rule by its id. Give one of the two another id and file name.";
    UNKNOWN_SIGNAL "R005" "unknown-signal" "a rule names a signal that does not exist"
        "Rules read the signals that `clickaudit signals` lists, by their exact names.";
    WRONG_UNIT "R006" "wrong-unit" "a limit or an example value is not in the unit of its signal"
        "Limits carry their unit as text: `30%` for a share, `10s`, `5m`, `48h` for durations, `500` or `1.5k` for counts, `12.50` for money, `1.4` for ratios. A number that could mean two things is refused.";
    OUT_OF_RANGE "R007" "out-of-range" "a limit lies outside the values its signal can take"
        "Such a test would always or never hold. The message gives the range of the signal.";
    ONE_LIMIT "R008" "one-limit" "a test has no limit, or more than one"
        "A test of a signal has exactly one of `above`, `below`, `between`, `equals`, `in`, `present`, `above_peers`, `below_peers`, `above_own_past` and `below_own_past`; `present` and the peers take neither a confidence nor a sample size. A test of a column has `equals` or `in` and nothing else. For two limits write two tests under `all` or `any`.";
    CONSTANT "R009" "constant-condition" "a condition can never hold, or always holds"
        "Limits under one `all` exclude each other, a limit sits at the end of the signal's range, a list of conditions is empty, or the lack of peers is enough to fire. The rule would be silent for ever or fire on everything.";
    CONFIDENCE "R010" "confidence" "a confidence that cannot be used"
        "A confidence lies between 0.5 and 0.9999. The limits of some signals are known at 0.95 only; on these no other confidence can be asked for.";
    NO_SAMPLE_GUARD "R011" "no-sample-guard" "a blocking rule tests a signal without a minimum sample"
        "The signal itself asks for no minimum sample. State `min_sample` in the test, so that a handful of rows can never block a source, or mark the rule `deterministic` if one case proves it.";
    NOT_STABLE "R012" "not-stable" "a rule blocks without being stable"
        "Only rules with `status: stable` can block. Let an experimental rule hold or watch until it has proved itself.";
    CLICK_SIDE "R013" "click-side-alone" "a rule would block alone on click-side evidence"
        "Anyone can send clicks with a rival's ID, so `alone` and `deterministic` need a conversion-side signal in every way the rule can fire.";
    NOT_BLOCKING "R014" "alone-without-block" "a rule that does not block says that it blocks alone"
        "`alone` and `deterministic` strengthen `action: block` and mean nothing for another action.";
    WRONG_FAMILY "R015" "wrong-family" "a rule's family is none of its signals' families"
        "Two rules of one family count as one piece of evidence; the family therefore follows from the signals that the rule tests. A rule that asks about the whole group (`risk`, `significant`, `pattern`) may name any family, and must name one if it tests no signal.";
    BAD_GRAIN "R016" "bad-grain" "a rule groups by something that is no column"
        "`by` lists canonical columns that can make a group, such as `source` or `source` and `campaign`.";
    NO_FIRING_TEST "R018" "no-firing-test" "a stable rule has no test that fires"
        "A rule that was never seen firing may never fire. Add an example under `tests` with `expect: fires`.";
    NO_QUIET_TEST "R019" "no-quiet-test" "a blocking rule has no test that does not fire"
        "Show with an example that the rule leaves an honest source alone, or that it says `unknown` on too little data.";
    NO_INNOCENT "R020" "no-innocent" "a stable rule names no innocent cause"
        "Whoever reads the verdict must know what else could explain it. List at least one under `innocent`.";
    BAD_EXAMPLE "R021" "bad-example" "an example's value is impossible"
        "An example gives a signal as a value with its unit, as `{x, n}` for a share, as `{value, n}` for a fact or as `{value, n, low, high}` for a value with limits; 0 < n, x at most n, low at most value at most high. Beside these a signal that is compared may have `q`, `p` and `peers` (`high`, `low` or `few`). `risk` lies between 0 and 100, `significant` is true or false, `pattern` is the word of a pattern.";
    REPLACED_BY "R022" "replaced-by" "a rule that is not retired names its successor"
        "`replaced_by` belongs to `status: retired` and holds the id of another rule.";
    NOT_COMPARED "R023" "not-compared" "a rule asks for peers where there is nothing to compare"
        "Some signals are facts, or numbers that peers say nothing about, and of most signals one direction only is suspicious. `clickaudit signals` says which signals are compared.";
    PEER_LEVEL "R024" "peer-level" "a comparison with peers has no usable level"
        "`above_peers` and `below_peers` take exactly one of `q` and `p`. Both, and the `p` of a pattern, lie above 0 and are at most 0.5.";
    UNKNOWN_NAME "R025" "unknown-name" "a parameter or a list that the rule does not have"
        "`$name` stands for a number under `params`, `{list: name}` for a list under `lists` of the same file. What an override sets must be a parameter of the rule, too.";
    UNUSED "R026" "unused" "a parameter or a list that nothing uses"
        "Whoever changes it would believe that the rule changes with it. Use it in the condition, or remove it.";
    BAD_LIST "R027" "bad-list" "a list that cannot be read, or is empty"
        "A list is written out, or stands in a file with one text per line beside the rule's file; `#` starts a comment. The file must be a plain file of at most 4 MiB. An unreadable list is never taken for an empty one.";
    NOT_A_FACT "R028" "not-a-fact" "a value with an interval is held to equal a number"
        "`equals` and `in` are for counted facts and for columns. A share or a mean is known within an interval, which is never equal to a number: use `above`, `below` or `between`.";
    WRONG_COLUMN "R029" "wrong-column" "a column that is not there to be tested"
        "A test of a column reads the text that the group has in it, so the column must be one of those that make the rule's groups: those under `by`, where the rule has it.";
    BAD_MESSAGE "R030" "bad-message" "a message with a hole"
        "`{name}` in a message stands for the value of that signal. A brace that is meant as a brace is written twice.";
    BAD_RUNS "R031" "bad-runs" "the runs of `for` cannot be used"
        "`for: 2 of 3` asks that the rule held in two of the last three runs: at least one, at most all of them, at most 30.";
    WRONG_VERSION "R032" "wrong-version" "a rule that asks for another version of clickaudit"
        "`requires: \">=0.2\"` keeps older versions from half understanding a rule. Use a version that is new enough.";
    BAD_PAST "R033" "bad-past" "a comparison with the group's own past that says nothing"
        "`above_own_past` takes a ratio above 1, `below_own_past` one between 0 and 1: how many times what the signal was. `over` is the time that the past reaches back, at least a day.";
    UNTESTED_LIMIT "R034" "untested-limit" "a limit of a blocking rule that no test holds in place"
        "A blocking rule costs somebody a payment. So `rules test` moves each of its limits by a hair (a thousandth of it, or one of a count), turns `>` into `>=`, and asks for one case more and one less where the rule says `min_sample`; a test must notice. Add an example exactly at the limit and one just beyond it.";
    NO_PACK "R040" "no-pack" "a rule belongs to no pack"
        "A run evaluates the rules of the packs that are chosen. Without the key `packs` a rule belongs to `core` and always runs; with an empty list it would never run.";
    REPLACES "R041" "replaces" "a rule cannot stand in for the one it names"
        "`replaces` holds the id of another rule. Where one of the rule's own packs is chosen, the other rule is left out. A rule of `core` always runs and can replace nothing: retire the other one instead.";
    EMPTY_WINDOW "R050" "empty-window" "row limits that no row can meet"
        "`window` takes the clicks of the last so much time, `mature` those that are at least so old. A `window` that is not longer than `mature` leaves no click, so that the rule can never fire.";
    BAD_ROW_LIMIT "R051" "bad-row-limit" "a row limit that cannot be followed"
        "`window` and `mature` are times such as `7d`. `events` names events. `where` limits rows by format, model, offer, country, device, lander, account, network or event: `where: {offer: [casino], country: DE}`; a list of the rule may stand there as `{list: name}`.";
    PART_BESIDE_WHOLE "R052" "part-beside-whole" "a rule with row limits asks for peers or for the past"
        "`window`, `mature`, `events` and `where` let a rule ask about some of a group's rows. Risk, patterns, comparisons with peers and with the group's own past are made of all rows: held against a part of them they would say something else than they seem to. Use absolute limits, or write a second rule without row limits.";
    SYNTAX "Y001" "yaml-syntax" "the file is not the YAML that is read here"
        "One document of plain YAML: no anchors, no aliases, at most 32 levels and 4 MiB.";
    WRONG_SHAPE "Y002" "wrong-shape" "a value has another shape than expected"
        "For example a list where a text is expected. The message says what was expected and what was found.";
    UNKNOWN_KEY "Y003" "unknown-key" "a key that the format does not have"
        "Unknown keys are refused, since a misspelt one would otherwise be silently ignored. Keys that start with `x-` are yours and are not read.";
    MISSING_KEY "Y004" "missing-key" "a key that is needed is missing"
        "Add the key; the format's description says what it holds.";
    DUPLICATE_KEY "Y005" "duplicate-key" "a key stands twice in one mapping"
        "It would be unclear which of the two holds. Remove one.";
    UNKNOWN_WORD "Y006" "unknown-word" "a word that is none of the allowed ones"
        "The value must be one of a fixed list of words; the help lists them.";
    TOO_MANY "Y007" "too-many-faults" "a file with more faults than are told"
        "The first hundred faults of a file are told and the others are counted. So many mean that the file is something else than it is taken for.";
    UNREADABLE "Y008" "unreadable" "a file that cannot be read"
        "A rule file is a plain file of text in UTF-8, and links lead to one. The message says what was found instead; the other files are checked all the same. A rule that comes through a pipe is read from stdin: `clickaudit rules check -`.";
}

/// One fault in one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Diag {
    pub code: &'static Code,
    /// The file as the user named it.
    pub file: String,
    /// The file's content, to draw the place.
    pub text: Option<Arc<str>>,
    /// Bytes of the content.
    pub span: Option<Range<usize>>,
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl Diag {
    /// A fault of the whole file.
    pub fn new(code: &'static Code, file: impl Into<String>, message: impl Into<String>) -> Diag {
        Diag { code, file: file.into(), text: None, span: None, message: message.into(), help: None }
    }

    /// Points at bytes of the file's content.
    pub fn at(mut self, text: &Arc<str>, span: Range<usize>) -> Diag {
        self.text = Some(Arc::clone(text));
        self.span = Some(span);
        self
    }

    /// Adds what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Diag {
        self.help = Some(help.into());
        self
    }

    /// Line and column, both from 1, the column in characters.
    pub fn position(&self) -> Option<(usize, usize)> {
        let (text, span) = self.place()?;
        let before = &text[..span.start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Some((line, column))
    }

    /// The content and a span inside it, on character boundaries.
    fn place(&self) -> Option<(&str, Range<usize>)> {
        let (text, span) = (self.text.as_deref()?, self.span.as_ref()?);
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end).max(start);
        Some((text, start..end))
    }
}

/// Sorts faults by file, place and code, and drops repetitions.
pub fn sort(diags: &mut Vec<Diag>) {
    let key = |d: &Diag| (d.file.clone(), d.span.as_ref().map(|s| (s.start, s.end)), d.code.code);
    diags.sort_by_cached_key(|d| (key(d), d.message.clone()));
    diags.dedup();
}

/// Draws every fault with its place and a caret; ends with one line that counts them.
pub fn plain(diags: &[Diag]) -> String {
    render(diags, &Renderer::plain())
}

/// The faults as [`plain`] draws them, without the line that counts them.
pub fn drawn(diags: &[Diag]) -> String {
    let text = plain(diags);
    text.rsplit_once("\n\n").map_or(text.clone(), |(faults, _)| faults.to_owned() + "\n")
}

/// As [`plain`], with colours for a terminal.
pub fn coloured(diags: &[Diag]) -> String {
    render(diags, &Renderer::styled())
}

/// One JSON object per fault and line.
pub fn json_lines(diags: &[Diag]) -> String {
    diags.iter().map(|d| json(d) + "\n").collect()
}

/// One annotation of GitHub's workflow commands per fault and line.
pub fn github(diags: &[Diag]) -> String {
    diags.iter().map(|d| annotation(d) + "\n").collect()
}

fn annotation(diag: &Diag) -> String {
    let value = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| value(text).replace(':', "%3A").replace(',', "%2C");
    let place = diag.position().map_or(String::new(), |(line, col)| format!(",line={line},col={col}"));
    let help = diag.help.as_ref().map_or(String::new(), |help| format!("\nhelp: {help}"));
    let (file, title) = (property(&diag.file), property(&format!("{} {}", diag.code.code, diag.code.slug)));
    let message = clean(&format!("{}{help}", diag.message)).replace(is_c1, "\u{fffd}");
    format!("::error file={file}{place},title={title}::{}", value(&message))
}

/// "did you mean `a` or `b`?", or all choices if none is near and they are few.
pub fn did_you_mean<'a>(name: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let choices: Vec<&str> = choices.into_iter().collect();
    let near = nearest(name, choices.iter().copied());
    let quoted = |names: &[&str]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>();
    match (near.len(), choices.len()) {
        (0, 1..=24) => Some(format!("one of {}", quoted(&choices).join(", "))),
        (0, _) => None,
        _ => Some(format!("did you mean {}?", quoted(&near).join(" or "))),
    }
}

fn render(diags: &[Diag], renderer: &Renderer) -> String {
    let mut out: String = diags.iter().map(|d| renderer.render(&[group(d)]) + "\n\n").collect();
    out = out.replace(is_c1, "\u{fffd}");
    let files = diags.iter().map(|d| &d.file).collect::<BTreeSet<_>>().len();
    out + &format!("{} in {}\n", counted(diags.len(), "fault"), counted(files, "file"))
}

/// Control characters that annotate-snippets lets through and some terminals obey.
fn is_c1(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}

fn group(diag: &Diag) -> Group<'_> {
    let title = Level::ERROR.primary_title(clean(&diag.message)).id(diag.code.code);
    let group = match diag.place() {
        Some((text, span)) => {
            let (line, number, mark) = excerpt(text, span);
            let snippet = Snippet::source(line).line_start(number).path(clean(&diag.file));
            title.element(snippet.annotation(AnnotationKind::Primary.span(mark)))
        }
        None => title.element(Origin::path(clean(&diag.file))),
    };
    match &diag.help {
        Some(help) => group.element(Level::HELP.message(clean(help))),
        None => group,
    }
}

/// The line that a span begins on, its number, and the part of the span that lies on it, so that the caret stays
/// readable and no more of a large file is drawn than is shown.
fn excerpt(text: &str, span: Range<usize>) -> (&str, usize, Range<usize>) {
    let start = text[..span.start].rfind('\n').map_or(0, |n| n + 1);
    let end = text[span.start..].find('\n').map_or(text.len(), |n| span.start + n);
    let number = text[..start].matches('\n').count() + 1;
    (&text[start..end], number, span.start - start..span.end.min(end) - start)
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

/// `1 fault`, `2 faults`.
fn counted(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// The shape of a fault in JSON.
#[derive(Serialize)]
struct Json<'a> {
    code: &'a str,
    slug: &'a str,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

fn json(diag: &Diag) -> String {
    let (line, column) = diag.position().unzip();
    let shape = Json {
        code: diag.code.code,
        slug: diag.code.slug,
        file: &diag.file,
        line,
        column,
        message: &diag.message,
        help: diag.help.as_deref(),
    };
    serde_json::to_string(&shape).expect("text and whole numbers are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diag(text: &str, span: Range<usize>) -> Diag {
        let message = "there is no signal `ctit_shor_share`";
        Diag::new(&UNKNOWN_SIGNAL, "rules/a.yml", message)
            .at(&text.into(), span)
            .help("did you mean `ctit_short_share`?")
    }

    #[track_caller]
    fn check_position(text: &str, at: usize, expected: (usize, usize)) {
        assert_eq!(diag(text, at..at).position(), Some(expected), "{text:?} {at}");
    }

    #[test]
    fn a_fault_is_drawn_with_its_place() {
        let text = "when:\n  test: {signal: ctit_shor_share, above: 30%}\n";
        let start = text.find("ctit").expect("in the text");
        let expected = "\
error[R005]: there is no signal `ctit_shor_share`
 --> rules/a.yml:2:18
  |
2 |   test: {signal: ctit_shor_share, above: 30%}
  |                  ^^^^^^^^^^^^^^^
  |
  = help: did you mean `ctit_short_share`?

1 fault in 1 file
";
        assert_eq!(plain(&[diag(text, start..start + 15)]), expected);
        assert!(coloured(&[diag(text, start..start + 15)]).contains("\u{1b}["));
        assert!(plain(&[Diag::new(&SYNTAX, "b.yml", "too long")]).contains("--> b.yml"));
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        check_position("ab\ncd", 0, (1, 1));
        check_position("ab\ncd", 3, (2, 1));
        check_position("ab\r\ncd", 5, (2, 2));
        check_position("éé x", 5, (1, 4));
        check_position("éé x", 1, (1, 1));
        check_position("ab", 99, (1, 3));
    }

    #[test]
    fn hostile_text_reaches_no_terminal() {
        let mut hostile = diag("id: \u{1b}[2J\u{9b}31m\u{202e}\r\nx: y", 4..8);
        hostile.message = "\u{1b}[31m\u{9b}\u{202e}".to_owned();
        hostile.help = Some("\u{1b}]0;x\u{7}".to_owned());
        hostile.file = "\u{1b}[2J.yml".to_owned();
        let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        let out = plain(&[hostile]);
        assert!(!out.contains(bad), "{out:?}");
    }

    #[test]
    fn json_has_one_object_per_line() {
        let lines = json_lines(&[diag("a: b", 3..4), Diag::new(&SYNTAX, "b.yml", "x")]);
        let expected = "\
{\"code\":\"R005\",\"slug\":\"unknown-signal\",\"file\":\"rules/a.yml\",\"line\":1,\"column\":4,\
\"message\":\"there is no signal `ctit_shor_share`\",\"help\":\"did you mean `ctit_short_share`?\"}
{\"code\":\"Y001\",\"slug\":\"yaml-syntax\",\"file\":\"b.yml\",\"message\":\"x\"}
";
        assert_eq!(lines, expected);
    }

    #[test]
    fn annotations_stay_on_their_line() {
        let mut hostile = diag("a: b", 3..4);
        hostile.file = "a,b:c\n.yml".to_owned();
        hostile.message = "100% \u{1b}[31m\n::error::no".to_owned();
        let lines = github(&[diag("a: b", 3..4), hostile]);
        let expected = "::error file=rules/a.yml,line=1,col=4,title=R005 unknown-signal::there is no signal \
                        `ctit_shor_share`%0Ahelp: did you mean `ctit_short_share`?";
        assert_eq!(lines.lines().next(), Some(expected));
        let second = lines.lines().nth(1).expect("a second line");
        assert!(second.starts_with("::error file=a%2Cb%3Ac%0A.yml,line=1,col=4,"), "{second}");
        assert!(second.contains("100%25 ") && !second.contains('\u{1b}'), "{second}");
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn faults_are_sorted_and_never_repeated() {
        let mut diags = vec![diag("a: b", 3..4), Diag::new(&SYNTAX, "a.yml", "x"), diag("a: b", 0..1)];
        diags.push(diags[0].clone());
        sort(&mut diags);
        let places: Vec<_> = diags.iter().map(Diag::position).collect();
        assert_eq!(places, [None, Some((1, 1)), Some((1, 4))]);
    }

    #[test]
    fn the_table_of_codes_is_sorted_unique_and_complete() {
        assert!(CODES.windows(2).all(|w| w[0].code < w[1].code));
        let slugs: BTreeSet<&str> = CODES.iter().map(|c| c.slug).collect();
        assert_eq!(slugs.len(), CODES.len());
        assert!(CODES.iter().all(|c| !c.title.is_empty() && c.explanation.ends_with('.')));
    }
}
