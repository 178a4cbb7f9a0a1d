//! The report as one page for people who have only this file: no network, no other file, no library.
//!
//! It opens from a mail attachment, in print, in the dark and on a telephone; without a script it only cannot sort.
//! The page carries a policy that lets nothing be loaded and nothing run but its own style sheet and script, which
//! it names by their hashes. Text from data is text of elements, through one encoder (`writer.rs`); there are no
//! links made of data. The file stays below two megabytes: what does not fit is counted in it.

mod beside;
mod charts;
mod guide;
mod panel;
mod plots;
mod quality;
mod sources;
mod summary;
mod view;
mod writer;

use super::{Format, Kind, Look, Rendered, Report};
use crate::base::error::Result;
use crate::base::time;
use sha2::{Digest, Sha256};
use view::View;
use writer::Html;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Groups that are pictured at most; fewer where the file would grow too large.
const PICTURED: usize = 200;

/// Parts of the page: the anchor, its name in the list of contents, and what writes it.
type Part = (&'static str, &'static str, fn(&mut Html, &View));

const PARTS: &[Part] = &[
    ("summary", "Summary", summary::write),
    ("sources", "Sources", sources::write),
    ("evidence", "Evidence", panel::write),
    ("plots", "Comparison", plots::write),
    ("beside", "Also found", beside::write),
    ("quality", "Data quality", quality::write),
    ("rules", "Rules", quality::rules),
    ("guide", "How to read it", guide::write),
];

fn render(report: &Report, _: &Look) -> Result<Rendered> {
    let view = View::new(report);
    let mut h = Html::default();
    h.doctype();
    h.element("html", &[("lang", "en")], |h| {
        h.element("head", &[], |h| head(h, &view));
        h.line();
        h.element("body", &[], |h| body(h, &view));
    });
    h.line();
    Ok(Rendered::Bytes(h.into_bytes()))
}

fn head(h: &mut Html, view: &View) {
    h.void("meta", &[("charset", "utf-8")]);
    h.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy())]);
    let names = [
        ("viewport", "width=device-width, initial-scale=1"),
        ("color-scheme", "light dark"),
        ("referrer", "no-referrer"),
        ("robots", "noindex"),
        ("generator", &format!("clickaudit {}", view.report.run.version)),
    ];
    for (name, content) in names {
        h.void("meta", &[("name", name), ("content", content)]);
    }
    h.words("title", &[], &title(view));
    h.line();
    h.built_in("style", STYLE);
}

fn title(view: &View) -> String {
    let days = |(first, last)| format!(", {} to {}", time::show_day(first), time::show_day(last));
    format!("Traffic audit{}", view.report.run.window.map_or(String::new(), days))
}

/// Nothing is loaded, framed, sent or run but the style sheet and the script of this very file.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

fn digest(content: &str) -> String {
    base64(&Sha256::digest(content.as_bytes()))
}

/// Base 64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().chain(&[0, 0]).take(3).fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize] as char;
            out.push(if place <= three.len() { digit } else { '=' });
        }
    }
    out
}

fn body(h: &mut Html, view: &View) {
    h.words("a", &[("class", "skip"), ("href", "#main")], "Skip to the summary");
    h.element("header", &[], |h| {
        h.words("p", &[("class", "brand")], "clickaudit");
        h.words("h1", &[], "Traffic audit");
        h.words("p", &[("class", "soft")], &summary::frame(view));
        h.element("nav", &[("aria-label", "Contents")], |h| {
            for (anchor, name, _) in PARTS {
                h.words("a", &[("href", &format!("#{anchor}"))], name);
            }
        });
    });
    h.element("main", &[("id", "main")], |h| {
        for (anchor, _, write) in PARTS {
            h.line();
            h.element("section", &[("id", anchor)], |h| write(h, view));
        }
    });
    h.line();
    h.element("footer", &[], |h| quality::footer(h, view));
    h.line();
    h.built_in("script", SCRIPT);
}

pub const FORMAT: Format = Format {
    name: "html",
    summary: "one page for people: verdicts, evidence and pictures in a single file that loads nothing",
    list: false,
    kind: Kind::Text,
    pictures: PICTURED,
    render,
};

#[cfg(test)]
mod tests;
