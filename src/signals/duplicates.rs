//! The same click, conversion or transaction again, and conversions that have no click.

use super::spread;
use super::{Absence, Against, Estimate, Family, Group, IntervalKind, Side, Signal, Suspicious};
use crate::base::column::Col;
use crate::base::unit::Unit;
use crate::matching::character_place;
use crate::measures::M;

/// The signals of this table.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "orphan_share",
        unit: Unit::Share,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions that could be told",
        range: (0.0, 1.0),
        summary: "conversions without a click although their click must lie in the loaded span",
        innocent: &["clicks that were filtered before export", "a tracking domain that was down"],
        measures: &[M::Orphans, M::Told],
        formula: orphan,
    },
    Signal {
        name: "before_click_share",
        unit: Unit::Share,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions with a click",
        range: (0.0, 1.0),
        summary: "conversions before their click",
        innocent: &["clocks that differ by seconds", "a click ID that is used again"],
        measures: &[M::BeforeClick, M::WithClick],
        formula: |g| g.share(M::BeforeClick, M::WithClick, "conversions with a click"),
    },
    Signal {
        name: "repeated_transaction_share",
        unit: Unit::Share,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions",
        range: (0.0, 1.0),
        summary: "conversions that repeat a transaction and are neither a retry within a day nor an allowed change of status",
        innocent: &["transaction IDs that are not unique: say so in the mapping"],
        measures: &[M::Replays, M::Conversions],
        formula: |g| repeated(g, g.share(M::Replays, M::Conversions, "conversions")),
    },
    Signal {
        name: "replayed_count",
        unit: Unit::Count,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "conversions",
        range: (0.0, f64::MAX),
        summary: "repetitions of a true transaction ID that are approved or pending, so that they are paid again",
        innocent: &["transaction IDs that are not unique: say so in the mapping"],
        measures: &[M::PaidReplays, M::Conversions],
        formula: |g| repeated(g, g.exact_count(M::PaidReplays, M::Conversions)),
    },
    Signal {
        name: "shared_transaction_count",
        unit: Unit::Count,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Exact,
        against: Against::Nothing,
        min_sample: 0,
        sample: "conversions",
        range: (0.0, f64::MAX),
        summary: "transactions of this group that another source had claimed before",
        innocent: &["transaction IDs that are not unique: say so in the mapping"],
        measures: &[M::SharedTransactions, M::Conversions],
        formula: shared,
    },
    Signal {
        name: "multi_conversion_click_share",
        unit: Unit::Share,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "clicks with a once-only event",
        range: (0.0, 1.0),
        summary: "clicks with several conversions of an event that a person can do only once",
        innocent: &["an event that is not once-only for this advertiser: say so in the mapping"],
        measures: &[M::RepeatedClicks, M::OnceClicks],
        formula: |g| repeated(g, g.share(M::RepeatedClicks, M::OnceClicks, "clicks with a once-only event")),
    },
    Signal {
        name: "reused_click_id_share",
        unit: Unit::Share,
        family: Family::Duplicates,
        side: Side::Click,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 100,
        sample: "clicks",
        range: (0.0, 1.0),
        summary: "clicks whose ID another click uses too, at another time or from another source",
        innocent: &["a tracker that gives a visitor one ID", "links that were copied with their ID"],
        measures: &[M::ReusedIds, M::Clicks],
        formula: reused,
    },
    Signal {
        name: "foreign_id_share",
        unit: Unit::Share,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "conversions with a click ID",
        range: (0.0, 1.0),
        summary: "conversions without a click whose click ID has a form that the IDs of clicks do not have",
        innocent: &[
            "an advertiser that sends another of its own IDs back",
            "a tracker that was changed in the window",
            "IDs that were cut or re-encoded on the way",
        ],
        measures: &[M::ForeignIds, M::IdCount],
        formula: |g| g.share(M::ForeignIds, M::IdCount, "conversions with a click ID"),
    },
    Signal {
        name: "id_form_top_share",
        unit: Unit::Share,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::Neither,
        kind: IntervalKind::Share,
        against: Against::Nothing,
        min_sample: 20,
        sample: "conversions with a click ID",
        range: (0.0, 1.0),
        summary: "conversions whose click ID has the commonest form: length and kinds of characters",
        innocent: &[
            "one tracker, whose IDs all have one form: a share near one is what is usual",
            "two trackers, or a new version of one, in the same export",
            "IDs that were cut or re-encoded on the way",
        ],
        measures: &[M::IdForms, M::IdCount],
        formula: |g| g.modal(M::IdForms, "conversions with a click ID"),
    },
    Signal {
        name: "id_step_share",
        unit: Unit::Share,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::High,
        kind: IntervalKind::Share,
        against: Against::Rate,
        min_sample: 20,
        sample: "successive conversions whose click IDs end in numbers",
        range: (0.0, 1.0),
        summary: "click IDs that count on by 1 to 16 from the source's one before that begins alike",
        innocent: &[
            "a tracker that numbers its clicks, with few clicks in between",
            "IDs that begin or end with the time",
        ],
        measures: &[M::Steps, M::StepsKnown],
        formula: |g| {
            g.share(M::Steps, M::StepsKnown, "successive conversions whose click IDs end in numbers")
        },
    },
    Signal {
        name: "id_entropy_bits",
        unit: Unit::Ratio,
        family: Family::Duplicates,
        side: Side::Conversion,
        suspicious: Suspicious::Low,
        kind: IntervalKind::Normal,
        against: Against::Normal,
        min_sample: 50,
        sample: "conversions with a click ID",
        range: (0.0, f64::MAX),
        summary: "how random the last characters of the click IDs are: mean entropy of a character; random hexadecimal digits have 4 bits",
        innocent: &[
            "a tracker whose IDs end in a campaign, server or version",
            "a tracker that numbers its clicks",
        ],
        measures: &[M::IdCharacters, M::IdCount],
        formula: id_entropy,
    },
];

fn orphan(group: &Group) -> Result<Estimate, Absence> {
    let conversions = group.count(M::Conversions)?;
    let context = group.context;
    match () {
        () if context.aggregated => return Err(Absence::Aggregated),
        () if context.drops_orphans => {
            return Err(Absence::Preset("the tracker drops conversions without a click before export"));
        }
        () if !context.clicks_given => return Err(Absence::NoClicks),
        // Where click and conversion stand in one row, no conversion can be without a click.
        () if !context.joined && !context.combined => return Err(Absence::Columns(None, vec![Col::ClickId])),
        () => {}
    }
    match group.count(M::Told)? {
        0 if conversions > 0 => Err(Absence::SpanTooShort),
        0 => Err(Absence::Nothing("conversions")),
        n => Ok(Estimate::share(group.count(M::Orphans)?.min(n), n)),
    }
}

/// Repetitions are absent where the tracker takes them out before export.
fn repeated(group: &Group, estimate: Result<Estimate, Absence>) -> Result<Estimate, Absence> {
    if group.context.drops_duplicates {
        return Err(Absence::Preset("the tracker drops repeated conversions before export"));
    }
    estimate
}

fn reused(group: &Group) -> Result<Estimate, Absence> {
    group.get(M::ReusedIds)?;
    if group.context.reuses_click_ids {
        return Err(Absence::Preset("one click ID stands for several clicks by design"));
    }
    group.share(M::ReusedIds, M::Clicks, "clicks")
}

fn shared(group: &Group) -> Result<Estimate, Absence> {
    group.get(M::SharedTransactions)?;
    if !group.context.true_transactions {
        return Err(Absence::Preset("transaction IDs are unique within one click only"));
    }
    repeated(group, group.exact_count(M::SharedTransactions, M::Conversions))
}

fn id_entropy(group: &Group) -> Result<Estimate, Absence> {
    group.get(M::IdCharacters)?;
    let places = spread::by_group(&group.totals.values(M::IdCharacters), character_place);
    spread::entropy_bits(&places, group.count(M::IdCount)?)
}
