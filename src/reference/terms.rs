//! The pages about offers and traffic sources.

use super::page;
use crate::base::error::Result;
use crate::ingest::offers::{COLUMNS, EXAMPLE, MODELS, REJECT_CLASSES};
use crate::ingest::sources::{self, COST_MODELS, KEYS, Starter, TOKENS, VARIABLES};

/// The page about the offers file.
pub fn offers() -> String {
    let mut out = page(
        "Offers",
        "`--offers FILE` (or `offers: FILE` in the project file) says what was agreed for each offer. It is a table with \
         a header line: comma, semicolon or tab between the cells, the columns in any order, and only those that you \
         need. A row holds from its day until the next row of the same offer; an empty cell was not agreed. Entries of \
         a cell stand between spaces or `|`. Terms explain what the exports say and never change it: an export's own \
         payout and model win. Every fault of the file is told before anything is read, with line, column and what to \
         do.",
    );
    out += "| column | holds | for example | what an audit does with it |\n|---|---|---|---|\n";
    for c in COLUMNS {
        let needed = if c.needed { " (needed)" } else { "" };
        let summary = c.summary.replace('|', "\\|");
        out += &format!("| `{}`{needed} | {summary} | `{}` | {} |\n", c.name, c.example, c.effect);
    }
    out += &format!(
        "\n## An example\n\n```csv\n{EXAMPLE}```\n\nFrom March on `casino-de` pays more, and most from the 101st first \
         deposit of a month on; each day, in Berlin, 80 are paid for. A first deposit below 20 is an \
         `unqualified_deposit`. Conversions of the last 14 days are not judged by approval. What is rejected as \
         `limit_hit`, or without a reason beyond the cap, says nothing of its source, and neither does `dup_acc`. \
         `sweeps` pays for leads, more in three countries, and takes rewarded traffic: rules that find such traffic \
         note it and hold nobody.\n"
    );
    out += "\n## Models\n\n| model | pays for, unless `pays` says otherwise |\n|---|---|\n";
    for (_, word, pays) in MODELS {
        out += &format!("| {word} | {} |\n", coded(pays.iter().copied()));
    }
    out += "\nWithout a model the events are those of CPA.\n\n## Why conversions are rejected\n\nThe words stand in the \
            export's `reject_reason`; case, hyphens and underscores do not matter. They hold without an offers file, \
            too. A reason that nobody knows counts against the source, as does none at all.\n\n| class | counts against \
            the source | usual words |\n|---|---|---|\n";
    for (_, word, counts, words) in REJECT_CLASSES {
        let counts = if *counts { "yes" } else { "no: counted apart" };
        out += &format!("| `{word}` | {counts} | {} |\n", words.join(", "));
    }
    out += "\nConversions find their offer by the click's column `offer`, or their own where the click has none. The \
            words of `events` and `rejects` are read before clicks are known: they are the offer's where the conversion \
            itself names it, and else those on which all offers of the file agree.\n";
    out
}

/// The page about traffic sources.
///
/// # Errors
/// The built-in starters have a fault.
pub fn sources() -> Result<String> {
    let mut out = page(
        "Traffic sources",
        "Trackers have numbered variables, and every traffic source fills them with other things. A preset can only take \
         the first one for the zone. `--sources FILE` (or `sources: FILE` in the project file; repeatable) says it for \
         each traffic source, by the name that the exports have for it (case does not matter). A starter may stand in \
         place of a file: `--sources propellerads`. Rows of a traffic source that is not named are read as the preset \
         says; the report counts them. The traffic source's own ID of a click (Voluum's `externalId`, RedTrack's \
         `ref_id`) is never a zone, and is refused as one.",
    );
    out += "| key | holds |\n|---|---|\n";
    for (key, summary) in KEYS {
        out += &format!("| `{key}` | {summary} |\n");
    }
    out += &format!(
        "\n## An example\n\n```yaml\n{}```\n\nThe first entry lies over the starter of the same name; the second takes \
         one under another name; the third has none. `-o 'blocklist:own=lists/{{traffic_source}}.txt'` then writes the \
         list of each traffic source in its own dialect, and plain lines where none is known.\n",
        sources::EXAMPLE
    );
    out += "\n## Variables\n\nA token is the header of a column, or the number of a variable. Of a numbered variable \
            these headers are looked for, in this order; `#` is the number, and spaces, dots, underscores and case do \
            not matter.\n\n| header | in |\n|---|---|\n";
    for (pattern, tracker) in VARIABLES {
        out += &format!("| `{pattern}` | {tracker} |\n");
    }
    out += "\nWhere the clicks have no such column, the zone of that traffic source is not known, and the report says so: \
            the preset's variable holds something else.\n\n## What is paid for\n\n| cost model | paid is | click loss |\n\
            |---|---|---|\n";
    for (_, word, what, clicks) in COST_MODELS {
        let loss = if *clicks { "judged" } else { "not judged: no click is paid for" };
        out += &format!("| `{word}` | {what} | {loss} |\n");
    }
    out += "\n## Starters\n\nThe ten commonest. The numbers are those that trackers' templates usually have: compare them \
            with the template of your campaign.\n\n| starter | also called | ";
    out += &TOKENS.iter().map(|t| t.0).collect::<Vec<_>>().join(" | ");
    out += " | format | cost model | lists |\n|---|---|";
    out += &"---|".repeat(TOKENS.len() + 3);
    out += "\n";
    for starter in sources::starters()? {
        out += &row(starter);
    }
    out += "\n";
    for starter in sources::starters()? {
        out += &format!("- **{}** (`{}`). {}\n", starter.title, starter.name, starter.about);
    }
    Ok(out)
}

fn row(starter: &Starter) -> String {
    let tokens: Vec<&str> = starter.tokens().iter().map(|t| t.unwrap_or("–")).collect();
    format!(
        "| `{}` | {} | {} | {} | {} | `{}` |\n",
        starter.name,
        starter.names.join(", "),
        tokens.join(" | "),
        starter.format,
        starter.cost_model,
        starter.blocklist
    )
}

fn coded<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
