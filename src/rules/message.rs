//! Messages: a rule's own sentence for the report, in which signals stand by name.
//!
//! A message is checked with its rule, so a sentence never has a hole. Only the program's numbers and the words
//! of the rule's author can stand in it, no text from data.

use crate::signals::{self, Reading, Signal};

/// A sentence with places for signals.
#[derive(Clone, Debug, PartialEq)]
pub struct Message(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Signal(&'static Signal),
}

/// Why a text is no message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// There is no signal of this name.
    Unknown(String),
    /// A brace without its other half.
    Brace,
}

impl Message {
    /// Reads `{ctit_short_share} of {conversion_count} conversions`; `{{` and `}}` are braces.
    pub(super) fn parse(text: &str) -> Result<Message, Broken> {
        let (mut parts, mut words) = (Vec::new(), String::new());
        let mut rest = text.trim();
        while let Some(at) = rest.find(['{', '}']) {
            words.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let after = &rest[at + 1..];
            if let Some(after) = after.strip_prefix(brace) {
                words.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = after.split_once('}').filter(|_| brace == "{").ok_or(Broken::Brace)?;
            parts.push(Part::Text(std::mem::take(&mut words)));
            parts.push(Part::Signal(signals::find(name).ok_or_else(|| Broken::Unknown(name.to_owned()))?));
            rest = after;
        }
        parts.push(Part::Text(words + rest));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Message(parts))
    }

    /// The sentence about one group.
    pub fn text<'r>(&self, read: impl Fn(&'static Signal) -> &'r Reading) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Signal(signal) => match read(signal) {
                Reading::Present(estimate) => signal.unit.format(estimate.value()),
                Reading::Absent(_) => format!("an unknown {}", signal.name),
            },
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::{Absence, Estimate};

    #[track_caller]
    fn check(message: &str, expected: Result<&str, Broken>) {
        let (share, none) =
            (Reading::Present(Estimate::share(61, 100)), Reading::Absent(Absence::NoConversions));
        let read = |s: &'static Signal| if s.name == "ctit_short_share" { &share } else { &none };
        let text = Message::parse(message).map(|m| m.text(read));
        assert_eq!(text, expected.map(str::to_owned), "{message}");
    }

    #[test]
    fn signals_take_their_places() {
        check("{ctit_short_share} come at once", Ok("61.0% come at once"));
        check("plain", Ok("plain"));
        check("{{{ctit_short_share}}}", Ok("{61.0%}"));
        check("a rate of {cr}", Ok("a rate of an unknown cr"));
        check("{ctit}", Err(Broken::Unknown("ctit".to_owned())));
        check("{ctit_short_share", Err(Broken::Brace));
        check("}", Err(Broken::Brace));
        check("{}", Err(Broken::Unknown(String::new())));
    }
}
