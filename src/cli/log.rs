//! How messages on stderr are written: lines for people, or a JSON object a line for machines.

use super::args::LogFormat;
use crate::base::text::Text;
use serde_json::json;
use std::sync::OnceLock;

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Settles it for the whole run.
pub fn write_as(format: LogFormat) {
    let _ = FORMAT.set(format);
}

/// Whether messages are JSON.
pub fn is_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// How grave a message is, by how it begins.
const LEVELS: &[(&str, &str)] =
    &[("error", "error"), ("internal error", "error"), ("exit ", "error"), ("note:", "note")];

/// A message as it is written, without the last line feed.
pub fn line(message: &str) -> String {
    if !is_json() {
        let safe: Vec<String> =
            message.split('\n').map(|line| Text::of_user(line).term(usize::MAX)).collect();
        return safe.join("\n");
    }
    object(message)
}

fn object(message: &str) -> String {
    let level =
        LEVELS.iter().find(|(begins, _)| message.starts_with(begins)).map_or("info", |(_, level)| level);
    let safe: Vec<String> = message.split('\n').map(|line| Text::of_user(line).term(usize::MAX)).collect();
    json!({"level": level, "message": safe.join("\n")}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_object_in_one_line() {
        for (message, level) in
            [("error: no\n  help: yes", "error"), ("note: x", "note"), ("wrote a\tb", "info")]
        {
            let line = object(message);
            let object: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!((object["level"].as_str(), line.lines().count()), (Some(level), 1));
        }
    }
}
