//! "Did you mean …?": the only module that compares spellings.

/// At most three of `choices` that `text` may have been meant for, nearest first, then by name.
pub fn nearest<'a>(text: &str, choices: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = text.to_lowercase();
    let mut scored: Vec<(f64, &str)> = choices.map(|c| (score(&wanted, &c.to_lowercase()), c)).collect();
    scored.retain(|(s, _)| *s >= 0.8);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

fn score(wanted: &str, choice: &str) -> f64 {
    let whole = strsim::jaro_winkler(wanted, choice);
    let letters = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    if letters(wanted) == letters(choice) { 1.0 } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let choices = ["click_id", "click_time", "country", "ctit_short_share", "source"];
        assert_eq!(nearest(text, choices.into_iter()), expected, "{text}");
    }

    #[test]
    fn finds_what_was_meant() {
        check("clickid", &["click_id", "click_time"]);
        check("Contry", &["country"]);
        check("ctit_short_shar", &["ctit_short_share"]);
        check("weather", &[]);
    }
}
