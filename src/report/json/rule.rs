//! The page about one rule as JSON.

use crate::base::error::{Error, Result};
use crate::base::text::json_document;
use crate::report::explain::RulePage;
use crate::rules::describe;
use serde_json::{Value, json};

/// The page as JSON.
///
/// # Errors
/// None that is known: whatever keeps the page from becoming JSON.
pub fn rule_page(page: &RulePage) -> Result<String> {
    let rule = &page.rule;
    let lines = |line: &describe::Line| format!("{}{}", "  ".repeat(line.depth), line.text);
    let signal = |s: &&crate::signals::Signal| json!({"signal": s.name, "summary": s.summary});
    let document = json!({
        "schema_version": 1,
        "id": rule.id,
        "title": rule.title,
        "status": rule.status.word(),
        "class": rule.class.word(),
        "action": rule.action.word(),
        "family": rule.family.word(),
        "packs": rule.packs.iter().map(|pack| pack.word()).collect::<Vec<_>>(),
        "decides": rule.decides,
        "alone": rule.alone,
        "deterministic": rule.deterministic,
        "allowed_by": rule.allowed_by.map(|a| a.word()),
        "observe": rule.observe,
        "origin": page.origin,
        "left_out": page.left_out,
        "condition": describe::condition(rule).iter().map(lines).collect::<Vec<String>>(),
        "signals": describe::signals(rule).iter().map(signal).collect::<Vec<Value>>(),
        "why": rule.why,
        "innocent": rule.innocent,
        "references": rule.references,
        "params": rule.params.iter().map(|p| json!({"name": p.name, "value": p.value, "default": p.default})).collect::<Vec<Value>>(),
        "changed": rule.changed.iter().map(|c| json!({"what": c.what, "from": c.from, "to": c.to, "place": c.place})).collect::<Vec<Value>>(),
        "tests": rule.tests.iter().map(|t| json!({"name": t.name, "expect": t.expect.word()})).collect::<Vec<Value>>(),
        "runs": page.runs.iter().map(|run| json!({
            "report": run.name.json(),
            "groups": run.counts.map(|c| c.groups),
            "fires": run.counts.map(|c| c.fires),
            "unknown": run.counts.map(|c| c.unknown),
            "suppressed": run.counts.map(|c| c.suppressed),
        })).collect::<Vec<Value>>(),
        "nights": page.nights.iter().map(|of| json!({
            "grain": of.grain,
            "nights": of.nights,
            "fired": of.fired.iter().map(|n| json!({"night": n.night, "groups": n.groups, "fires": n.fires})).collect::<Vec<Value>>(),
        })).collect::<Vec<Value>>(),
    });
    let text = serde_json::to_string_pretty(&document)
        .map_err(|e| Error::output("cannot put the page into JSON").because(e))?;
    Ok(json_document(&text) + "\n")
}
