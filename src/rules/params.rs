//! Values that a run gives to the named numbers of rules, in place of the defaults in their files.

use std::collections::BTreeMap;

/// Values by rule and parameter. Nobody has set anything by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<(String, String), String>);

impl Params {
    /// Sets a parameter of a rule; the last one said holds.
    pub fn set(&mut self, rule: &str, name: &str, value: &str) {
        self.0.insert((rule.to_owned(), name.to_owned()), value.to_owned());
    }

    /// The value of a rule's parameter, if one was set.
    pub fn of(&self, rule: &str, name: &str) -> Option<&str> {
        self.0.get(&(rule.to_owned(), name.to_owned())).map(String::as_str)
    }

    /// Everything that was set, as rule, parameter and value; sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.iter().map(|((rule, name), value)| (rule.as_str(), name.as_str(), value.as_str()))
    }
}
