//! Inline tests: every rule's own examples through the evaluator of the audit.

use super::View;
use super::evaluate::evaluate;
use super::model::{Evidence, Example, Limit, Node, Outcome, Rule, RuleSet, Test, Truth};
use crate::base::diag::{self, Diag};
use crate::peers::{Direction, Standing};
use crate::signals::{Absence, Estimate, Row, Signal};

/// What one inline test gave.
#[derive(Clone, Debug)]
pub struct TestResult {
    pub rule: String,
    pub name: String,
    /// None if the rule answered as expected.
    pub fault: Option<Diag>,
}

/// Runs the inline tests of all rules, retired ones included, in the order of ids and files.
pub fn run_tests(set: &RuleSet) -> Vec<TestResult> {
    let rules = set.rules.iter().chain(&set.retired);
    rules.flat_map(|rule| rule.tests.iter().map(|example| run(rule, example))).collect()
}

/// Whether a rule answers an example as the example expects.
pub(super) fn answers_as_expected(rule: &Rule, example: &Example) -> bool {
    asked(rule, example).truth.as_expected() == example.expect
}

fn asked<'r>(rule: &'r Rule, example: &Example) -> Outcome<'r> {
    let row = Row::of(&example.given, &Absence::Fact("not given in the test"));
    evaluate(rule, &View::new(&row, &example.key, &example.profile).with_past(Some(&example.past)))
}

fn run(rule: &Rule, example: &Example) -> TestResult {
    let outcome = asked(rule, example);
    let passed = outcome.truth.as_expected() == example.expect;
    TestResult {
        rule: rule.id.clone(),
        name: example.name.clone(),
        fault: (!passed).then(|| fault(&outcome, example)),
    }
}

fn given<'e>(example: &'e Example, signal: &Signal) -> Option<&'e Estimate> {
    let found = example.given.iter().find(|(s, _)| s.name == signal.name);
    found.and_then(|(_, reading)| reading.estimate())
}

fn fault(outcome: &Outcome, example: &Example) -> Diag {
    let (rule, got) = (outcome.rule, outcome.truth.as_expected().word());
    let message = format!(
        "rule `{}`, test \"{}\": expected {}, but it is {got}",
        rule.id,
        example.name,
        example.expect.word()
    );
    let diag =
        Diag::new(&diag::FAILED_TEST, &rule.file.name, message).at(&rule.file.text, example.span.clone());
    diag.help(explanation(outcome, example))
}

/// Why the answer is what it is: the reasons, the evidence, or what each test saw.
fn explanation(outcome: &Outcome, example: &Example) -> String {
    match &outcome.truth {
        Truth::Unknown(why) => why.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        Truth::Fires if outcome.evidence.is_empty() => "nothing that the condition excludes holds".to_owned(),
        Truth::Fires => outcome.evidence.iter().map(held).collect::<Vec<_>>().join("; "),
        Truth::Silent => seen(&outcome.rule.when, example).join("; "),
    }
}

/// What each test of a condition saw.
fn seen(node: &Node, example: &Example) -> Vec<String> {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().flat_map(|n| seen(n, example)).collect(),
        Node::Not(inner) => seen(inner, example),
        Node::Test(test) => vec![saw(test, example)],
        Node::Column(test) => {
            let found = example.key.iter().find(|(column, _)| *column == test.column);
            let text = found.and_then(|(_, text)| text.as_deref()).unwrap_or("absent");
            vec![format!("{} is {text}, which is none of the {} asked for", test.column, test.texts.len())]
        }
        Node::Risk { above, .. } => {
            let risk = example.profile.risk.map_or("absent".to_owned(), |r| r.to_string());
            vec![format!("risk is {risk}, asked for above {above}")]
        }
        Node::Significant(wanted) => {
            vec![format!("significant is {}, asked for {wanted}", example.profile.significant)]
        }
        Node::Pattern { pattern, .. } => vec![format!("asked for the pattern {}", pattern.word())],
    }
}

fn saw(test: &Test, example: &Example) -> String {
    let (signal, wanted) = (test.signal, wanted(test.limit, test.signal));
    let seen = match (test.limit, given(example, signal)) {
        (_, None) => "absent".to_owned(),
        (Limit::Peers(_), Some(_)) => beside_peers(example, signal),
        (_, Some(estimate)) => limits(signal, estimate.at(test.confidence)),
    };
    format!("{} is {seen}, asked for {wanted}", signal.name)
}

fn beside_peers(example: &Example, signal: &Signal) -> String {
    match example.profile.standing(signal) {
        Standing::TooFew(why) => why.to_string(),
        Standing::Compared(versus) => {
            let p = versus.ln_p(versus.direction).map_or(1.0, f64::exp);
            let side = if versus.direction == Direction::High { "above" } else { "below" };
            format!("{side} its peers with q {} and p {p:.1e}", versus.q)
        }
    }
}

fn held(evidence: &Evidence) -> String {
    let limits = limits(evidence.signal, evidence.estimate.at(evidence.confidence));
    format!("{} is {limits}, {}", evidence.signal.name, wanted(evidence.limit, evidence.signal))
}

fn wanted(limit: Limit, signal: &Signal) -> String {
    match limit {
        Limit::Present(_) => limit.text(signal.unit),
        _ => format!("{} {}", limit.word(), limit.text(signal.unit)),
    }
}

fn limits(signal: &Signal, (low, high): (f64, f64)) -> String {
    let (low, high) = (signal.unit.format(low), signal.unit.format(high));
    if low == high { low } else { format!("{low} to {high}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleFile;

    /// The faults of a rule that fires on `ctit_short_share` above 30 %, given this and expecting that.
    fn faults(given: &str, expect: &str) -> Vec<String> {
        let text = format!(
            "id: too-fast\ntitle: T\nstatus: experimental\nclass: fraud\naction: hold\nwhy: W\n\
             when: {{test: {{signal: ctit_short_share, above: 30%, min_sample: 30}}}}\n\
             tests:\n  - {{name: case, given: {{{given}}}, expect: {expect}}}\n"
        );
        let files = [RuleFile::new("too-fast.yml", &text)];
        let set = RuleSet::of(&files).unwrap_or_else(|d| panic!("{}", diag::plain(&d)));
        let found = run_tests(&set).into_iter().filter_map(|r| r.fault);
        found.map(|d| format!("{} ({})", d.message, d.help.unwrap_or_default())).collect()
    }

    #[track_caller]
    fn check(given: &str, expect: &str, expected: &[&str]) {
        assert_eq!(faults(given, expect), expected);
    }

    #[test]
    fn a_passing_test_has_no_fault() {
        check("ctit_short_share: {x: 149, n: 240}", "fires", &[]);
        check("ctit_short_share: {x: 4, n: 6}", "unknown", &[]);
        check("ctit_short_share: {x: 24, n: 240}", "silent", &[]);
        check("ctit_short_share: 31%", "fires", &[]);
        check("ctit_short_share: {value: 31%, n: 29}", "unknown", &[]);
        check("ctit_short_share: {value: 50%, n: 90, low: 29%, high: 60%}", "silent", &[]);
        check("", "unknown", &[]);
    }

    #[test]
    fn a_failing_test_says_what_the_condition_saw() {
        check(
            "ctit_short_share: {x: 149, n: 240}",
            "silent",
            &["rule `too-fast`, test \"case\": expected silent, but it is fires \
               (ctit_short_share is 55.8% to 68.0%, above 30%)"],
        );
        check(
            "ctit_short_share: {x: 24, n: 240}",
            "fires",
            &["rule `too-fast`, test \"case\": expected fires, but it is silent \
               (ctit_short_share is 6.8% to 14.4%, asked for above 30%)"],
        );
        check(
            "",
            "fires",
            &["rule `too-fast`, test \"case\": expected fires, but it is unknown \
               (ctit_short_share: not given in the test)"],
        );
    }
}
