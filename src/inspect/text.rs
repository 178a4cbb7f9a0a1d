//! The page for people: what the file is first, what is wrong with it next, what its gaps cost last.

use super::file::UNIQUE;
use super::{Alike, Clocks, FileFacts, IdFacts, Misfit, Page, Pair, Unread, Word};
use crate::base::text::Text;
use crate::base::time::show;
use crate::ingest::plan::How;

/// Cells of one text from the data.
const CELL: usize = 48;

/// The page as text of at most `width` cells, where words allow it.
pub fn text(page: &Page, width: usize) -> String {
    let mut out = String::new();
    for file in &page.files {
        out += &of_file(file, width);
        out.push('\n');
    }
    for file in &page.unread {
        out += &of_unread(file, width);
        out.push('\n');
    }
    if let Some(pair) = &page.pair {
        out += &of_pair(page, pair);
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}

fn of_file(file: &FileFacts, width: usize) -> String {
    let mut out = format!("{}\n", Text::new(file.path.display().to_string()).term(200));
    let export = file.reading.export.as_ref().map_or(String::new(), |e| format!(" ({e})"));
    out += &line("what", &format!("{}, read as {}{export}", file.shape.word(), file.reading.preset));
    out += &line("why", &why(file));
    file.others.iter().for_each(|other| out += &line("", &format!("not {other}")));
    for (col, from, to) in &file.spans {
        out += &line("time", &format!("{col} {} to {}", show(*from), show(*to)));
    }
    out += &line("rows", &rows(file));
    for (reason, count, first) in &file.rejects {
        let example =
            first.as_ref().map_or(String::new(), |(at, found)| format!("; line {at}: {}", found.term(CELL)));
        out += &line("", &format!("{count} {reason}{example}"));
    }
    if !file.currencies.is_empty() {
        let all = file.currencies.iter().map(|(code, n)| format!("{} {n}", Text::new(code.as_str()).term(8)));
        out += &line("money", &all.collect::<Vec<_>>().join(", "));
    }
    if file.currencies.len() > 1 {
        out += &line("", "! several currencies: an audit asks for --currency and --rates");
    }
    out += &section("Columns", columns(file));
    out += &section("Times that do not fit", wrapped(&misfits(file), width));
    out += &section("Words", words(file));
    out += &section("IDs", file.ids.iter().flat_map(ids).collect());
    out += &section("Clocks", file.clocks.iter().flat_map(clocks).collect());
    out += &section("What the export means", wrapped(&file.facts, width));
    out += &section("What is missing, and what that costs", missing(file, width));
    out
}

fn line(head: &str, text: &str) -> String {
    format!("  {head:<6} {text}\n")
}

fn section(title: &str, lines: Vec<String>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|l| format!("    {l}\n")).collect();
    format!("  {title}\n{lines}")
}

fn why(file: &FileFacts) -> String {
    match &file.reading.how {
        How::Named => "named by you".to_owned(),
        How::Detected(c) => format!("it {}; confidence {:.0} %", c.reasons.join("; "), 100.0 * c.confidence),
        How::Fallback => "no preset claims the header; its names are obvious enough".to_owned(),
    }
}

fn rows(file: &FileFacts) -> String {
    let blank =
        if file.blank_lines > 0 { format!("; {} blank lines", file.blank_lines) } else { String::new() };
    format!("{} read = {} used + {} rejected{blank}", file.rows, file.used, file.rows - file.used)
}

fn columns(file: &FileFacts) -> Vec<String> {
    let widest =
        file.columns.iter().map(|(_, header, _)| header.term(CELL).chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = file
        .columns
        .iter()
        .map(|(col, header, example)| {
            let example = example.as_ref().map_or("(empty)".to_owned(), |t| t.term(CELL));
            format!("{:<18} {:<widest$}  {example}", col.name(), header.term(CELL))
        })
        .collect();
    lines.extend(
        file.constants.iter().map(|(col, text)| format!("{:<18} always {}", col.name(), text.term(CELL))),
    );
    if !file.unmapped.is_empty() {
        let cells = file.unmapped.iter().map(|(header, example)| (header, example.as_ref(), None));
        lines.push("not used:".to_owned());
        lines.extend(headers(cells).into_iter().map(|line| format!("  {line}")));
    }
    lines
}

/// Headers with an example each and what that looks like, in columns.
fn headers<'h>(all: impl Iterator<Item = (&'h Text, Option<&'h Text>, Option<&'h str>)>) -> Vec<String> {
    let cells: Vec<(String, String, Option<&str>)> = all
        .map(|(header, example, looks)| {
            (header.term(CELL), example.map_or("(empty)".to_owned(), |t| t.term(CELL)), looks)
        })
        .collect();
    let widest = cells.iter().map(|(header, ..)| header.chars().count()).max().unwrap_or(0);
    let looks = |looks: Option<&str>| looks.map_or(String::new(), |kind| format!("  ({kind})"));
    cells
        .iter()
        .map(|(header, example, kind)| format!("{header:<widest$}  {example}{}", looks(*kind)))
        .collect()
}

/// The page of a file that cannot be read yet.
fn of_unread(file: &Unread, width: usize) -> String {
    let mut out = format!("{}\n", Text::new(file.path.display().to_string()).term(200));
    out += &line("what", &format!("cannot be read as {} yet", file.shape.word()));
    out += &section("What is missing", wrapped(std::slice::from_ref(&file.why.message), width));
    out += &section("What to do", wrapped(&file.why.help.clone().into_iter().collect::<Vec<_>>(), width));
    out += &section("Presets it may be of", wrapped(&file.candidates, width));
    let cells =
        file.headers.iter().map(|(header, example, looks)| (header, example.as_ref(), looks.as_deref()));
    out += &section("Columns, with an example and what it looks like", headers(cells));
    out
}

fn misfits(file: &FileFacts) -> Vec<String> {
    let told = |m: &Misfit| {
        let what = match m.fitting.as_slice() {
            [] => "no usual format fits them all".to_owned(),
            [one] => format!(
                "`{one}` fits them all: say `{}: {{time_format: \"{one}\"}}` in a mapping file",
                file.shape.word()
            ),
            several => {
                let names: Vec<String> = several.iter().map(|f| format!("`{f}`")).collect();
                format!("{} fit them all, and only you know which is right", names.join(" and "))
            }
        };
        format!(
            "! {}: {} of the first {} are not as declared, such as {}; {what}",
            m.col,
            m.wrong,
            m.seen,
            m.example.term(CELL)
        )
    };
    file.misfits.iter().map(told).collect()
}

fn words(file: &FileFacts) -> Vec<String> {
    let of = |kind: &str, words: &[Word]| -> Vec<String> {
        let word = |w: &Word| match &w.means {
            Some(means) if means == w.word.raw() => format!("{kind} {} ({} rows)", w.word.term(CELL), w.rows),
            Some(means) => format!("{kind} {} ({} rows) = {means}", w.word.term(CELL), w.rows),
            None if kind == "status" => format!(
                "status {} ({} rows) is in no vocabulary: say `statuses: {{{}: approved}}` or what it means",
                w.word.term(CELL),
                w.rows,
                w.word.term(CELL)
            ),
            None => format!("{kind} {} ({} rows), an event of its own", w.word.term(CELL), w.rows),
        };
        words.iter().map(word).collect()
    };
    [of("status", &file.statuses), of("event", &file.events)].concat()
}

fn ids(ids: &IdFacts) -> Vec<String> {
    let name = ids.col.name();
    let mut lines =
        vec![format!("{name}: {} filled, {} empty, {} different", ids.filled, ids.empty, ids.distinct)];
    let mut say = |count: u64, sentence: String| lines.extend((count > 0).then_some(sentence));
    let example =
        |t: &Option<Text>| t.as_ref().map_or(String::new(), |t| format!(", such as {}", t.term(CELL)));
    if let Some((id, n)) = ids.commonest.as_ref().filter(|_| UNIQUE.contains(&ids.col)) {
        say(
            ids.repeated,
            format!("  {} rows repeat an ID; {} stands there {n} times", ids.repeated, id.term(CELL)),
        );
    }
    say(
        ids.macros,
        format!(
            "  ! {} rows hold a macro that was never replaced{}",
            ids.macros,
            example(&ids.macro_example)
        ),
    );
    let damaged = example(&ids.damaged_example);
    say(
        ids.damaged,
        format!(
            "  ! {} rows hold an ID that a spreadsheet has rounded{damaged}: export again, do not open it there",
            ids.damaged
        ),
    );
    if let Some((a, b)) = &ids.look_alike_example {
        let (a, b) = (a.term(CELL), b.term(CELL));
        say(
            ids.look_alikes,
            format!(
                "  ! {} groups of IDs look alike (case, spaces, invisible characters), such as {a} and {b}",
                ids.look_alikes
            ),
        );
    }
    lines
}

fn clocks(c: &Clocks) -> Vec<String> {
    let share = |n: u64| 100.0 * n as f64 / c.pairs.max(1) as f64;
    let mut lines = vec![format!(
        "{} conversions with their click: {:.1} % within half an hour, {:.1} % before it, median {}",
        c.pairs,
        share(c.prompt),
        share(c.negative),
        duration(c.median_s)
    )];
    match c.offset_s {
        Some(s) => lines.push(format!(
            "! the conversions' clock seems to be {} {} that of the clicks: declare the zones with --time-zone SIDE=ZONE",
            duration(s.abs()),
            if s > 0 { "ahead of" } else { "behind" }
        )),
        None if c.are_suspicious() => lines.push(
            "! most conversions come before their click: another time zone, or the wrong column".to_owned(),
        ),
        None => {}
    }
    lines
}

fn duration(seconds: i64) -> String {
    crate::base::unit::Unit::Seconds.format(seconds as f64)
}

fn missing(file: &FileFacts, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (cols, signals) in &file.missing {
        let names: Vec<&str> = cols.iter().map(|c| c.name()).collect();
        let cost = match signals.len() {
            0 => "peers are not told apart by it".to_owned(),
            1 => format!("1 signal: {}", signals[0]),
            n => format!("{n} signals: {}", signals.join(", ")),
        };
        lines.extend(wrapped(&[format!("{}: {cost}", names.join(" or "))], width));
    }
    lines
}

/// Sentences in lines of at most `width` cells, continued lines further in.
fn wrapped(sentences: &[String], width: usize) -> Vec<String> {
    let room = width.saturating_sub(8).max(40);
    let mut lines = Vec::new();
    for sentence in sentences {
        let mut line = String::new();
        for word in sentence.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines.push(std::mem::replace(&mut line, " ".to_owned()));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        lines.push(line);
    }
    lines
}

fn of_pair(page: &Page, pair: &Pair) -> String {
    let names: Vec<String> = page
        .files
        .iter()
        .map(|f| f.path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    let names: Vec<String> = names.iter().map(|n| Text::new(n.as_str()).term(CELL)).collect();
    let mut out = format!("{} and {}\n", names[0], names[1]);
    let mut lines: Vec<String> = pair
        .joins
        .iter()
        .map(|join| {
            let mapped = if join.mapped { " (the click ID of both)" } else { "" };
            format!(
                "{:>5.1} %  {} of {} rows: {} = {}{mapped}",
                100.0 * join.matched as f64 / join.rows.max(1) as f64,
                join.matched,
                join.rows,
                join.first.term(CELL),
                join.second.term(CELL)
            )
        })
        .collect();
    match pair.joins.first() {
        None => lines.push(
            "no column of the one has values of a column of the other: nothing can be matched".to_owned(),
        ),
        Some(best) if !best.mapped => lines.push(format!(
            "say so in a mapping file: `join: conversions.{} = clicks.{}`",
            best.second.term(CELL),
            best.first.term(CELL)
        )),
        Some(_) => {}
    }
    lines.extend(pair.alike.iter().map(alike));
    out += &section("Columns that join them", lines);
    out += &section("Clocks", pair.clocks.iter().flat_map(clocks).collect());
    out
}

fn alike(a: &Alike) -> String {
    let (first, second) = &a.example;
    format!(
        "! {} rows have an ID in {} that {} has with other case, spaces or invisible characters, such as {} and {}: \
         an audit does not match them",
        a.rows,
        a.second.term(CELL),
        a.first.term(CELL),
        second.term(CELL),
        first.term(CELL)
    )
}
