//! How to read the page, for people who have never seen one.

use super::view::{View, badge};
use super::writer::Html;
use crate::verdicts::Verdict;

const VERDICTS: &[(Verdict, &str)] = &[
    (
        Verdict::Block,
        "The evidence stands alone, or two independent kinds of it agree. Blocked sources go on the list; \
      those that only lose money go on a list of their own, which accuses nobody.",
    ),
    (
        Verdict::Hold,
        "One kind of evidence, or the source is unlike its peers. A person looks before anything is paid or \
      blocked.",
    ),
    (Verdict::Watch, "Something is unusual, too little to act on. Look again after the next run."),
    (Verdict::Clean, "Every rule that decides had enough data, and none that acts fired."),
    (
        Verdict::Undecided,
        "A rule that decides lacked data or columns. This is a result of its own and not the same as \
      clean.",
    ),
];

const WORDS: &[(&str, &str)] = &[
    (
        "95 % interval",
        "Where the true value lies with 95 % certainty, given the sample. Rules act on the end of the \
      interval that favours the source, never on the value itself: few clicks convict nobody.",
    ),
    ("of, sample", "How many clicks or conversions a value was counted from."),
    (
        "peers",
        "Other sources with the same offer, country, device and so on, as narrow as there are enough of them. \
      What honest sources differ by is part of the comparison.",
    ),
    (
        "score",
        "0 to 100: how unlike its peers a source is, all signals together. 90 means that of a hundred sources as \
      unlike as this one, at most about ten would be ordinary: it errs in favour of the source. Unusual is not yet fraud. A source without a score could not be \
      compared.",
    ),
    (
        "q",
        "The share of false accusations to expect if everything at least as unusual were called significant.",
    ),
    (
        "at risk",
        "The least money that the evidence supports, from the cautious end of the interval. Amounts of several \
      findings about one source are not added up.",
    ),
    ("recoverable now", "Exact: the payouts of true transactions that were reported again."),
    (
        "clicks",
        "Mature clicks only, wherever a rate waits for conversions: younger ones are no evidence of missing ones.",
    ),
    (
        "CR, EPC, ROI",
        "Clicks with a conversion per click; revenue per click; revenue less cost, over cost. 1.00 of ROI \
      doubles the money, -1.00 loses all of it.",
    ),
    (
        "CTIT",
        "Time from a click to its conversion. People need seconds at least, and most act within the hour.",
    ),
    ("a dash", "There is not enough data for a value, or no column in the exports. It is not zero."),
];

pub fn write(h: &mut Html, _: &View) {
    h.words("h2", &[], "How to read it");
    h.element("dl", &[("class", "guide")], |h| {
        for (verdict, words) in VERDICTS {
            h.element("dt", &[], |h| badge(h, *verdict));
            h.words("dd", &[], words);
        }
        for (word, words) in WORDS {
            h.words("dt", &[], word);
            h.words("dd", &[], words);
        }
    });
}
