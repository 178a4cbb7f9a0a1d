//! The systems that receive and fire postbacks: what their parameters mean and which macros they replace.
//!
//! One table. Names come from the vendors' public documentation; where that is silent, from postback links that
//! are in use, and the tracker says so. Nothing here is asked of a network: a tracker that renames a parameter needs a line changed.

use crate::base::column::Col;
use crate::ingest::mapping::TransactionScope;

/// What a parameter of a postback says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// A column of conversions.
    Column(Col),
    /// Words of the sender, separated by commas, that mean this status.
    Words(&'static str),
    /// The agreed secret word.
    Token,
}

/// A parameter of a receiver.
pub struct Parameter {
    pub name: &'static str,
    pub says: Says,
}

/// A macro that a sender replaces. `name` stands for `name1` to `name<up_to>` where `up_to` is not 0.
pub struct Macro {
    pub name: &'static str,
    pub up_to: u8,
    /// The column whose value it gives.
    pub gives: Option<Col>,
}

/// Where the names of a tracker's macros were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In its public documentation.
    Documented,
    /// Some in documents, some only in postback links that are in use: what it replaces today may differ.
    InLinks,
    /// Nobody's: they are this program's own.
    Own,
}

impl Found {
    /// As a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Found::Documented => "The macros are those of its public documentation.",
            Found::InLinks => {
                "The macros are partly those of its public documentation and partly those of links in use: check \
                 what it replaces before you rely on one."
            }
            Found::Own => "The macros are this program's own.",
        }
    }

    /// In few words.
    pub fn word(self) -> &'static str {
        match self {
            Found::Documented => "documented",
            Found::InLinks => "partly from links in use",
            Found::Own => "our own",
        }
    }
}

/// A system that receives postbacks, or fires them.
pub struct Tracker {
    pub name: &'static str,
    pub title: &'static str,
    pub found: Found,
    /// How the paths of its postbacks end; none where every request may be one.
    pub paths: &'static [&'static str],
    pub parameters: &'static [Parameter],
    /// How far its transaction ID is unique.
    pub scope: TransactionScope,
    /// Its own words for statuses, and the canonical ones.
    pub statuses: &'static [(&'static str, &'static str)],
    /// What stands around a macro.
    pub brackets: (&'static str, &'static str),
    pub macros: &'static [Macro],
    /// The macro that gives back the click ID of whoever sent the click, as opposed to its own.
    pub returns: &'static str,
}

const fn of(name: &'static str, column: Col) -> Parameter {
    Parameter { name, says: Says::Column(column) }
}

const fn words(name: &'static str, status: &'static str) -> Parameter {
    Parameter { name, says: Says::Words(status) }
}

const fn token(name: &'static str) -> Parameter {
    Parameter { name, says: Says::Token }
}

const fn gives(name: &'static str, column: Col) -> Macro {
    Macro { name, up_to: 0, gives: Some(column) }
}

const fn plain(name: &'static str) -> Macro {
    Macro { name, up_to: 0, gives: None }
}

const fn numbered(name: &'static str, up_to: u8) -> Macro {
    Macro { name, up_to, gives: None }
}

const CURLY: (&str, &str) = ("{", "}");

/// Every tracker, sorted by name.
pub const TRACKERS: &[Tracker] = &[
    Tracker {
        name: "affise",
        title: "Affise",
        found: Found::Documented,
        paths: &["/postback"],
        parameters: &[
            of("clickid", Col::ClickId),
            of("click_id", Col::ClickId),
            of("action_id", Col::TransactionId),
            of("goal", Col::Event),
            of("sum", Col::Revenue),
            of("currency", Col::Currency),
            of("status", Col::Status),
            of("ip", Col::Ip),
            of("promo_code", Col::Coupon),
            of("user_id", Col::PlayerId),
            of("comment", Col::RejectReason),
            of("device_type", Col::Device),
            of("affiliate_id", Col::Source),
            of("pid", Col::Source),
            of("offer_id", Col::Offer),
            of("timestamp", Col::ConversionTime),
            token("secure"),
        ],
        scope: TransactionScope::Network,
        statuses: &[("1", "approved"), ("2", "pending"), ("3", "rejected"), ("5", "pending")],
        brackets: CURLY,
        returns: "sub1",
        macros: &[
            gives("clickid", Col::ClickId),
            gives("click_id", Col::ClickId),
            gives("transactionid", Col::TransactionId),
            gives("sum", Col::Payout),
            gives("currency", Col::Currency),
            gives("goal", Col::Event),
            gives("status", Col::Status),
            gives("timestamp", Col::ConversionTime),
            gives("pid", Col::Source),
            gives("offer_id", Col::Offer),
            gives("offerid", Col::Offer),
            gives("ip", Col::Ip),
            gives("geo", Col::Country),
            gives("promo_code", Col::Coupon),
            gives("user_id", Col::PlayerId),
            numbered("sub", 8),
            numbered("custom_field", 15),
            numbered("custom_field_", 7),
            numbered("ext", 3),
            plain("affiliate_name"),
            plain("advertiser_id"),
            plain("city"),
            plain("click_date"),
            plain("comment"),
            plain("date"),
            plain("date_only"),
            plain("device_ua"),
            plain("fbclid"),
            plain("offer_name"),
            plain("os"),
            plain("os_id"),
            plain("rand"),
            plain("ref_id"),
            plain("referrer"),
            plain("time"),
            plain("time_petty"),
            plain("uagent"),
        ],
    },
    Tracker {
        name: "bemob",
        title: "BeMob",
        found: Found::InLinks,
        paths: &["/postback"],
        parameters: &[
            of("cid", Col::ClickId),
            of("payout", Col::Payout),
            of("currency", Col::Currency),
            of("status", Col::Status),
            of("txid", Col::TransactionId),
        ],
        scope: TransactionScope::Click,
        statuses: &[],
        brackets: CURLY,
        returns: "externalId",
        macros: &[
            gives("clickId", Col::ClickId),
            gives("externalId", Col::ClickId),
            gives("payout", Col::Payout),
            gives("transactionId", Col::TransactionId),
            gives("conversionStatus", Col::Status),
            gives("campaignId", Col::Campaign),
            gives("country", Col::Country),
            gives("ip", Col::Ip),
            numbered("custom", 10),
            plain("trafficSourceId"),
            plain("offerId"),
            plain("cost"),
        ],
    },
    Tracker {
        name: "binom",
        title: "Binom",
        found: Found::InLinks,
        paths: &["/click.php", "/click"],
        parameters: &[
            of("cnv_id", Col::ClickId),
            of("payout", Col::Payout),
            of("cnv_status", Col::Status),
            of("cnv_status2", Col::Event),
            of("cnv_currency", Col::Currency),
        ],
        scope: TransactionScope::Click,
        statuses: &[],
        brackets: CURLY,
        returns: "externalid",
        macros: &[
            gives("clickid", Col::ClickId),
            gives("externalid", Col::ClickId),
            gives("payout", Col::Payout),
            gives("cnv_status", Col::Status),
            gives("cnv_status2", Col::Event),
            gives("cnv_currency", Col::Currency),
            gives("camp_id", Col::Campaign),
            gives("country", Col::Country),
            gives("ip", Col::Ip),
            numbered("t", 10),
            numbered("event_", 10),
        ],
    },
    Tracker {
        name: "cake",
        title: "CAKE",
        found: Found::InLinks,
        paths: &["/p.ashx", "/d.ashx", "/m.ashx"],
        parameters: &[
            of("click_id", Col::ClickId),
            of("reqid", Col::ClickId),
            of("r", Col::ClickId),
            of("unique_id", Col::TransactionId),
            of("t", Col::TransactionId),
            of("order_id", Col::TransactionId),
            of("payout", Col::Payout),
            of("revenue", Col::Revenue),
            of("p", Col::Revenue),
            of("e", Col::Event),
            of("o", Col::Offer),
            of("offer_id", Col::Offer),
            of("affiliate_id", Col::Source),
        ],
        scope: TransactionScope::Network,
        statuses: &[],
        brackets: ("#", "#"),
        returns: "s1",
        macros: &[
            gives("reqid", Col::ClickId),
            gives("tid", Col::TransactionId),
            gives("price", Col::Payout),
            gives("affid", Col::Source),
            gives("campid", Col::Campaign),
            gives("oid", Col::Offer),
            gives("ip", Col::Ip),
            numbered("s", 5),
            plain("leadid"),
            plain("cid"),
        ],
    },
    Tracker {
        name: "everflow",
        title: "Everflow",
        found: Found::InLinks,
        paths: &[],
        parameters: &[
            of("transaction_id", Col::ClickId),
            of("order_id", Col::TransactionId),
            of("event_id", Col::Event),
            of("adv_event_id", Col::Event),
            of("amount", Col::SaleAmount),
            of("currency", Col::Currency),
            of("coupon_code", Col::Coupon),
            of("user_ip", Col::Ip),
            of("timestamp", Col::ConversionTime),
            of("oid", Col::Offer),
            of("affid", Col::Source),
            of("affiliate_id", Col::Source),
            of("offer_id", Col::Offer),
            of("nid", Col::Network),
            token("verification_token"),
        ],
        scope: TransactionScope::Network,
        statuses: &[],
        brackets: CURLY,
        returns: "sub1",
        macros: &[
            gives("transaction_id", Col::ClickId),
            gives("order_id", Col::TransactionId),
            gives("conversion_id", Col::ConversionId),
            gives("payout_amount", Col::Payout),
            gives("sale_amount", Col::SaleAmount),
            gives("currency", Col::Currency),
            gives("event_id", Col::Event),
            gives("event_name", Col::Event),
            gives("timestamp", Col::ConversionTime),
            gives("affiliate_id", Col::Source),
            gives("source_id", Col::SubSource),
            gives("offer_id", Col::Offer),
            gives("country_code", Col::Country),
            gives("coupon_code", Col::Coupon),
            numbered("sub", 5),
            numbered("adv", 5),
            plain("affiliate_name"),
            plain("advertiser_id"),
            plain("creative_id"),
            plain("offer_name"),
            plain("random"),
            plain("user_agent"),
        ],
    },
    Tracker {
        name: "generic",
        title: "a system with obvious names",
        found: Found::Own,
        paths: &[],
        parameters: &[
            of("click_id", Col::ClickId),
            of("clickid", Col::ClickId),
            of("cid", Col::ClickId),
            of("subid", Col::ClickId),
            of("transaction_id", Col::TransactionId),
            of("txid", Col::TransactionId),
            of("tid", Col::TransactionId),
            of("order_id", Col::TransactionId),
            of("conversion_id", Col::ConversionId),
            of("event", Col::Event),
            of("event_name", Col::Event),
            of("goal", Col::Event),
            of("et", Col::Event),
            of("type", Col::Event),
            of("status", Col::Status),
            of("conv_status", Col::Status),
            of("payout", Col::Payout),
            of("sum", Col::Payout),
            of("revenue", Col::Revenue),
            of("amount", Col::SaleAmount),
            of("sale_amount", Col::SaleAmount),
            of("currency", Col::Currency),
            of("affiliate_id", Col::Source),
            of("source", Col::Source),
            of("source_id", Col::Source),
            of("zone_id", Col::Source),
            of("sub_source", Col::SubSource),
            of("traffic_source", Col::TrafficSource),
            of("campaign_id", Col::Campaign),
            of("offer_id", Col::Offer),
            of("network", Col::Network),
            of("timestamp", Col::ConversionTime),
            of("click_time", Col::ClickTime),
            of("player_id", Col::PlayerId),
            of("user_id", Col::PlayerId),
            of("coupon", Col::Coupon),
            of("country", Col::Country),
            of("ip", Col::Ip),
            token("token"),
        ],
        scope: TransactionScope::Network,
        statuses: &[],
        brackets: CURLY,
        returns: "click_id",
        macros: &[
            gives("click_id", Col::ClickId),
            gives("clickid", Col::ClickId),
            gives("transaction_id", Col::TransactionId),
            gives("event", Col::Event),
            gives("status", Col::Status),
            gives("payout", Col::Payout),
            gives("amount", Col::SaleAmount),
            gives("currency", Col::Currency),
            gives("affiliate_id", Col::Source),
            gives("campaign_id", Col::Campaign),
            gives("offer_id", Col::Offer),
            gives("timestamp", Col::ConversionTime),
            gives("player_id", Col::PlayerId),
            gives("country", Col::Country),
            gives("ip", Col::Ip),
            numbered("sub", 10),
        ],
    },
    Tracker {
        name: "keitaro",
        title: "Keitaro",
        found: Found::Documented,
        paths: &["/postback"],
        parameters: &[
            of("subid", Col::ClickId),
            of("status", Col::Status),
            of("payout", Col::Payout),
            of("revenue", Col::Payout),
            of("currency", Col::Currency),
            of("tid", Col::TransactionId),
            words("lead_status", "pending"),
            words("sale_status", "approved"),
            words("rejected_status", "rejected"),
            words("ignore_status", "void"),
        ],
        scope: TransactionScope::Click,
        statuses: &[],
        brackets: CURLY,
        returns: "external_id",
        macros: &[
            gives("subid", Col::ClickId),
            gives("external_id", Col::ClickId),
            gives("tid", Col::TransactionId),
            gives("status", Col::Status),
            gives("revenue", Col::Payout),
            gives("payout", Col::Payout),
            gives("currency", Col::Currency),
            gives("conversion_time", Col::ConversionTime),
            gives("campaign_id", Col::Campaign),
            gives("offer_id", Col::Offer),
            gives("country", Col::Country),
            gives("ip", Col::Ip),
            numbered("sub_id_", 30),
            numbered("extra_param_", 10),
            plain("ad_campaign_id"),
            plain("browser"),
            plain("browser_version"),
            plain("city"),
            plain("connection_type"),
            plain("cost"),
            plain("creative_id"),
            plain("current_domain"),
            plain("date"),
            plain("destination"),
            plain("device_brand"),
            plain("device_model"),
            plain("device_type"),
            plain("from_file"),
            plain("is_bot"),
            plain("is_using_proxy"),
            plain("isp"),
            plain("keyword"),
            plain("sample"),
        ],
    },
    Tracker {
        name: "redtrack",
        title: "RedTrack",
        found: Found::InLinks,
        paths: &["/postback"],
        parameters: &[
            of("clickid", Col::ClickId),
            of("sum", Col::Payout),
            of("payout", Col::Payout),
            of("currency", Col::Currency),
            of("type", Col::Event),
            of("status", Col::Status),
            of("rdtk_event_id", Col::TransactionId),
            of("convid", Col::ConversionId),
        ],
        scope: TransactionScope::Click,
        statuses: &[],
        brackets: CURLY,
        returns: "ref_id",
        macros: &[
            gives("clickid", Col::ClickId),
            gives("ref_id", Col::ClickId),
            gives("payout", Col::Payout),
            gives("sum", Col::Payout),
            gives("currency", Col::Currency),
            gives("type", Col::Event),
            gives("status", Col::Status),
            gives("campaignid", Col::Campaign),
            gives("offerid", Col::Offer),
            gives("country", Col::Country),
            gives("ip", Col::Ip),
            numbered("sub", 20),
            plain("cost"),
        ],
    },
    Tracker {
        name: "tune",
        title: "TUNE (HasOffers)",
        found: Found::InLinks,
        paths: &[],
        parameters: &[
            of("transaction_id", Col::ClickId),
            of("goal_id", Col::Event),
            of("goal_name", Col::Event),
            of("amount", Col::SaleAmount),
            of("offer_id", Col::Offer),
            of("aff_id", Col::Source),
            of("affiliate_id", Col::Source),
            of("adv_sub", Col::TransactionId),
            of("status", Col::Status),
            token("security_token"),
        ],
        scope: TransactionScope::Network,
        statuses: &[],
        brackets: CURLY,
        returns: "aff_sub",
        macros: &[
            gives("transaction_id", Col::ClickId),
            gives("adv_sub", Col::TransactionId),
            gives("payout", Col::Payout),
            gives("sale_amount", Col::SaleAmount),
            gives("currency", Col::Currency),
            gives("goal_id", Col::Event),
            gives("goal_name", Col::Event),
            gives("affiliate_id", Col::Source),
            gives("offer_id", Col::Offer),
            gives("country_code", Col::Country),
            gives("ip", Col::Ip),
            gives("datetime", Col::ConversionTime),
            numbered("aff_sub", 5),
            plain("aff_sub"),
            plain("affiliate_name"),
            plain("advertiser_id"),
            plain("date"),
            plain("file_name"),
            plain("offer_name"),
            plain("offer_url_id"),
            plain("ran"),
            plain("session_ip"),
            plain("source"),
            plain("time"),
        ],
    },
    Tracker {
        name: "voluum",
        title: "Voluum",
        found: Found::InLinks,
        paths: &["/postback"],
        parameters: &[
            of("cid", Col::ClickId),
            of("payout", Col::Payout),
            of("txid", Col::TransactionId),
            of("currency", Col::Currency),
            of("et", Col::Event),
        ],
        scope: TransactionScope::Click,
        statuses: &[],
        brackets: CURLY,
        returns: "externalid",
        macros: &[
            gives("clickid", Col::ClickId),
            gives("externalid", Col::ClickId),
            gives("payout", Col::Payout),
            gives("transaction.id", Col::TransactionId),
            gives("txid", Col::TransactionId),
            gives("conversion.type", Col::Event),
            gives("campaign.id", Col::Campaign),
            gives("offer.id", Col::Offer),
            gives("country", Col::Country),
            gives("ip", Col::Ip),
            numbered("var", 10),
            numbered("param", 5),
            plain("city"),
            plain("device"),
            plain("region"),
            plain("trafficsource.id"),
        ],
    },
];

impl Tracker {
    /// The tracker of this name.
    pub fn of(name: &str) -> Option<&'static Tracker> {
        TRACKERS.iter().find(|t| t.name == name)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        TRACKERS.iter().map(|t| t.name)
    }

    /// What a parameter of this name says; case does not count.
    pub fn says(&self, name: &str) -> Option<Says> {
        self.parameters.iter().find(|p| p.name.eq_ignore_ascii_case(name)).map(|p| p.says)
    }

    /// The parameter that is told a column, the first of several names.
    pub fn parameter_for(&self, column: Col) -> Option<&'static str> {
        self.parameters.iter().find(|p| p.says == Says::Column(column)).map(|p| p.name)
    }

    /// The parameter that carries the token.
    pub fn token(&self) -> Option<&'static str> {
        self.parameters.iter().find(|p| p.says == Says::Token).map(|p| p.name)
    }

    /// The macro that gives a column to `receiver`, the first of several, without brackets. Its own click ID
    /// means nothing to another system: that gets its own one back.
    pub fn macro_for(&self, column: Col, receiver: &Tracker) -> Option<&'static str> {
        if column == Col::ClickId && receiver.name != self.name {
            return Some(self.returns);
        }
        self.macros.iter().find(|m| m.gives == Some(column)).map(|m| m.name)
    }

    /// The macro of this name. Keitaro's take settings behind a colon and an underscore before the name.
    pub fn macro_named(&self, name: &str) -> Option<&'static Macro> {
        let plain = name.split(':').next().unwrap_or_default().trim_start_matches('_');
        self.macros.iter().find(|m| m.is(name) || (self.name == "keitaro" && m.is(plain)))
    }
}

impl Macro {
    fn is(&self, name: &str) -> bool {
        if self.up_to == 0 {
            return self.name == name;
        }
        let number = name.strip_prefix(self.name).filter(|digits| !digits.starts_with('0'));
        number.and_then(|digits| digits.parse::<u8>().ok()).is_some_and(|n| (1..=self.up_to).contains(&n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::column::{Kind, Side};
    use crate::ingest::mapping::STATUS_WORDS;

    #[test]
    fn trackers_are_sorted_and_every_name_is_once() {
        assert!(TRACKERS.windows(2).all(|w| w[0].name < w[1].name));
        for tracker in TRACKERS {
            let mut names: Vec<&str> = tracker.parameters.iter().map(|p| p.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|w| w[0] != w[1]), "{}", tracker.name);
            let mut macros: Vec<(&str, u8)> = tracker.macros.iter().map(|m| (m.name, m.up_to)).collect();
            macros.sort_unstable();
            assert!(macros.windows(2).all(|w| w[0] != w[1]), "{}", tracker.name);
            assert!(tracker.parameter_for(Col::ClickId).is_some(), "{}", tracker.name);
            assert!(tracker.macro_named(tracker.returns).is_some(), "{}", tracker.name);
        }
    }

    #[test]
    fn parameters_say_columns_of_conversions_and_known_statuses() {
        for tracker in TRACKERS {
            for parameter in tracker.parameters {
                match parameter.says {
                    Says::Column(col) => assert!(col.decl().side != Side::Clicks && col.kind() != Kind::Flag),
                    Says::Words(status) => assert!(STATUS_WORDS.contains(&status)),
                    Says::Token => {}
                }
            }
            assert!(tracker.statuses.iter().all(|(_, status)| STATUS_WORDS.contains(status)));
        }
    }

    #[test]
    fn macros_are_found_by_number_and_with_settings() {
        let found = |tracker: &str, name| Tracker::of(tracker).expect("known").macro_named(name).is_some();
        for (tracker, name) in [
            ("everflow", "sub5"),
            ("keitaro", "status:lead=0 sale=1"),
            ("keitaro", "_tid"),
            ("voluum", "transaction.id"),
            ("tune", "aff_sub"),
        ] {
            assert!(found(tracker, name), "{tracker} {name}");
        }
        for (tracker, name) in [
            ("everflow", "sub6"),
            ("everflow", "sub"),
            ("everflow", "sub05"),
            ("voluum", "_txid"),
            ("cake", "s0"),
        ] {
            assert!(!found(tracker, name), "{tracker} {name}");
        }
    }
}
