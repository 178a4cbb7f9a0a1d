//! The page for programs.

use super::{Alike, Clocks, FileFacts, IdFacts, Misfit, Page, Pair, Unread, Word};
use crate::base::text::{Text, json_document};
use crate::base::time::show;
use crate::ingest::plan::How;
use serde_json::{Value, json};

/// The page as JSON.
pub fn json(page: &Page) -> String {
    let document = json!({
        "schema_version": 1,
        "files": page.files.iter().map(file).collect::<Vec<_>>(),
        "unread": page.unread.iter().map(unread).collect::<Vec<_>>(),
        "pair": page.pair.as_ref().map(pair),
    });
    json_document(&format!("{document:#}\n"))
}

fn raw(text: &Option<Text>) -> Option<&str> {
    text.as_ref().map(Text::raw)
}

fn file(file: &FileFacts) -> Value {
    let (how, confidence, reasons) = match &file.reading.how {
        How::Named => ("named", None, Vec::new()),
        How::Detected(c) => ("detected", Some(c.confidence), c.reasons.clone()),
        How::Fallback => ("obvious_names", None, Vec::new()),
    };
    let columns = file.columns.iter();
    let spans = file.spans.iter();
    let rejects = file.rejects.iter();
    let missing = file.missing.iter();
    json!({
        "path": file.path.display().to_string(),
        "side": file.shape.word(),
        "preset": file.reading.preset,
        "export": file.reading.export,
        "how": how,
        "confidence": confidence,
        "reasons": reasons,
        "others": file.others,
        "columns": columns.map(|(col, header, example)| json!({
            "column": col.name(), "header": header.raw(), "example": raw(example),
        })).collect::<Vec<_>>(),
        "constants": file.constants.iter().map(|(col, text)| (col.name(), text.raw())).collect::<std::collections::BTreeMap<_, _>>(),
        "unmapped": file.unmapped.iter().map(|(header, example)| json!({
            "header": header.raw(), "example": raw(example),
        })).collect::<Vec<_>>(),
        "misfits": file.misfits.iter().map(misfit).collect::<Vec<_>>(),
        "missing": missing.map(|(cols, signals)| json!({
            "columns": cols.iter().map(|c| c.name()).collect::<Vec<_>>(), "signals": signals,
        })).collect::<Vec<_>>(),
        "rows": {"read": file.rows, "used": file.used, "blank_lines": file.blank_lines, "rejected": rejects.map(|(reason, count, first)| json!({
            "reason": reason, "rows": count,
            "first": first.as_ref().map(|(line, found)| json!({"line": line, "found": found.raw()})),
        })).collect::<Vec<_>>()},
        "spans": spans.map(|(col, from, to)| json!({
            "column": col.name(), "from": show(*from), "to": show(*to),
        })).collect::<Vec<_>>(),
        "currencies": file.currencies,
        "statuses": file.statuses.iter().map(word).collect::<Vec<_>>(),
        "events": file.events.iter().map(word).collect::<Vec<_>>(),
        "ids": file.ids.iter().map(ids).collect::<Vec<_>>(),
        "clocks": file.clocks.as_ref().map(clocks),
        "facts": file.facts,
        "notes": file.notes,
    })
}

fn unread(file: &Unread) -> Value {
    json!({
        "path": file.path.display().to_string(),
        "side": file.shape.word(),
        "why": file.why.message,
        "help": file.why.help,
        "candidates": file.candidates,
        "needs": file.needs.iter().map(|col| col.name()).collect::<Vec<_>>(),
        "headers": file.headers.iter().map(|(header, example, looks)| json!({
            "header": header.raw(), "example": raw(example), "looks": looks,
        })).collect::<Vec<_>>(),
    })
}

fn misfit(misfit: &Misfit) -> Value {
    json!({
        "column": misfit.col.name(),
        "seen": misfit.seen,
        "wrong": misfit.wrong,
        "example": misfit.example.raw(),
        "fitting": misfit.fitting,
    })
}

fn alike(alike: &Alike) -> Value {
    json!({
        "first": alike.first.raw(),
        "second": alike.second.raw(),
        "rows": alike.rows,
        "example": [alike.example.0.raw(), alike.example.1.raw()],
    })
}

fn word(word: &Word) -> Value {
    json!({"word": word.word.raw(), "rows": word.rows, "means": word.means})
}

fn ids(ids: &IdFacts) -> Value {
    json!({
        "column": ids.col.name(),
        "filled": ids.filled,
        "empty": ids.empty,
        "different": ids.distinct,
        "repeated": ids.repeated,
        "commonest": ids.commonest.as_ref().map(|(id, rows)| json!({"id": id.raw(), "rows": rows})),
        "macros": ids.macros,
        "macro_example": raw(&ids.macro_example),
        "damaged": ids.damaged,
        "damaged_example": raw(&ids.damaged_example),
        "look_alikes": ids.look_alikes,
        "look_alike_example": ids.look_alike_example.as_ref().map(|(a, b)| [a.raw(), b.raw()]),
    })
}

fn clocks(clocks: &Clocks) -> Value {
    json!({
        "pairs": clocks.pairs,
        "negative": clocks.negative,
        "within_half_an_hour": clocks.prompt,
        "median_s": clocks.median_s,
        "offset_s": clocks.offset_s,
        "suspicious": clocks.are_suspicious(),
    })
}

fn pair(pair: &Pair) -> Value {
    json!({
        "joins": pair.joins.iter().map(|join| json!({
            "first": join.first.raw(),
            "second": join.second.raw(),
            "rows": join.rows,
            "matched": join.matched,
            "mapped": join.mapped,
        })).collect::<Vec<_>>(),
        "alike": pair.alike.as_ref().map(alike),
        "clocks": pair.clocks.as_ref().map(clocks),
    })
}
