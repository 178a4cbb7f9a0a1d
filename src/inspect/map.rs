//! A mapping file to edit: what was found as it stands, what is missing as comments.

use super::{FileFacts, Page, Unread};
use crate::base::text::Text;
use crate::base::time::TimeFormat;
use crate::ingest::preset::GENERIC;
use std::fmt::Write;

/// The mapping file of a page.
pub fn mapping(page: &Page) -> String {
    let mut out =
        "# Written by `clickaudit inspect`; edit it and use it with `clickaudit audit --map FILE`.\n\
                   # Every header on the right stands in the export as it is written here.\n"
            .to_owned();
    let first = page.files.first().map(|f| &f.reading.mapping);
    match first.and_then(|m| m.perspective) {
        Some(who) => {
            writeln!(out, "perspective: {}   # whose money it is: buyer, network or advertiser", who.word())
        }
        None => writeln!(out, "# perspective: buyer   # whose money it is: buyer, network or advertiser"),
    }
    .expect("text can be written");
    join(page, &mut out);
    words(page, &mut out);
    for file in &page.files {
        side(file, &mut out);
    }
    for file in &page.unread {
        unread(file, &mut out);
    }
    out
}

fn quoted(text: &Text) -> String {
    format!("'{}'", text.raw().replace('\'', "''").replace(['\n', '\r'], " "))
}

/// A text for a comment: nothing of it may end the line.
fn said(text: &Text) -> String {
    text.term(60).replace(['\n', '\r'], " ")
}

fn join(page: &Page, out: &mut String) {
    let best = page.pair.as_ref().and_then(|p| p.joins.first());
    let Some(best) = best.filter(|j| !j.mapped) else { return };
    let (first, second) = (&page.files[0], &page.files[1]);
    let end = |file: &FileFacts, header: &Text| format!("{}.{}", file.shape.word(), header.raw());
    let join = format!("{} = {}", end(second, &best.second), end(first, &best.first));
    let text = Text::new(join);
    writeln!(out, "join: {}   # {} of {} rows match", quoted(&text), best.matched, best.rows)
        .expect("text can be written");
}

/// The words that no vocabulary knows, to be filled in.
fn words(page: &Page, out: &mut String) {
    let unknown: Vec<_> = page.files.iter().flat_map(|f| &f.statuses).filter(|w| w.means.is_none()).collect();
    if unknown.is_empty() {
        return;
    }
    out.push_str("# statuses:   # say what these words mean: pending, approved, rejected, refund, chargeback or void\n");
    for word in unknown {
        writeln!(out, "#   {}: approved   # {} rows", quoted(&word.word), word.rows)
            .expect("text can be written");
    }
}

fn side(file: &FileFacts, out: &mut String) {
    let side = file.reading.mapping.side(file.shape);
    let path = Text::new(file.path.display().to_string());
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("\n# {}", said(&path)));
    if file.reading.preset != GENERIC {
        let export = file.reading.export.as_ref().map_or(String::new(), |e| format!("/{e}"));
        line(format!("# Read as {}{export}; its facts hold besides what stands here.", file.reading.preset));
    }
    line(format!("{}:", file.shape.word()));
    line(format!(
        "  time_format: {}   # or iso, epoch_s, epoch_ms, epoch_us, a pattern such as %d/%m/%Y %H:%M:%S",
        time_format(&side.time.format)
    ));
    line(format!("  time_zone: {}   # of times without an offset", side.time.zone.name()));
    line("  columns:".to_owned());
    for (col, header, example) in &file.columns {
        let example = example.as_ref().map_or(String::new(), |t| format!("   # such as {}", said(t)));
        line(format!("    {col}: {}{example}", quoted(header)));
    }
    for (cols, signals) in &file.missing {
        let missing = cols.iter().filter(|col| !file.columns.iter().any(|(c, ..)| c == *col));
        for col in missing {
            let cost = match signals.len() {
                0 => String::new(),
                n => format!("; {n} signals need it"),
            };
            line(format!("    # {col}: YOUR_HEADER   # {}{cost}", col.decl().summary));
        }
    }
    for (header, example) in &file.unmapped {
        let example = example.as_ref().map_or(String::new(), |t| format!(", such as {}", said(t)));
        line(format!("    # not used: {}{example}", said(header)));
    }
}

/// A file whose columns nothing tells: what it needs, and all that it has, to be put together.
fn unread(file: &Unread, out: &mut String) {
    let path = Text::new(file.path.display().to_string());
    let needs: Vec<String> = file.needs.iter().map(|col| format!("{col} ({})", col.decl().summary)).collect();
    out.push_str(&format!("\n# {}\n# It needs {}.\n", said(&path), needs.join(", ")));
    out.push_str(&format!("{}:\n  columns:\n", file.shape.word()));
    for col in file.needs {
        out.push_str(&format!("    {col}: YOUR_HEADER\n"));
    }
    for (header, example, looks) in &file.headers {
        let example = example.as_ref().map_or("always empty".to_owned(), |t| format!("such as {}", said(t)));
        let looks = looks.as_ref().map_or(String::new(), |kind| format!("; {kind}"));
        out.push_str(&format!(
            "    # YOUR_COLUMN: {}   # {example}{looks}\n",
            said(&Text::new(quoted(header)))
        ));
    }
}

fn time_format(format: &TimeFormat) -> String {
    let name = |format: &TimeFormat| match format {
        TimeFormat::Pattern(pattern) => format!("'{}'", pattern.replace('\'', "''")),
        named => named.name().to_owned(),
    };
    match format {
        TimeFormat::AnyOf(formats) => {
            format!("[{}]", formats.iter().map(name).collect::<Vec<_>>().join(", "))
        }
        one => name(one),
    }
}
