//! The canonical columns: the only names that mappings, presets, grains and costs may use.

use std::fmt;

/// What a column's text is parsed into at intake, and how its absence and faults are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text kept as it is; empty or a null word is absent.
    Text,
    /// An identifier: text that is joined or counted; a 64-bit key is kept beside it.
    Key,
    /// A point in time; microseconds since 1970 in UTC.
    Time,
    /// An amount in micro-units of the report's currency.
    Money,
    /// A whole number that can be added up (aggregated reports).
    Count,
    /// A yes or no.
    Flag,
}

/// On which side of the audit a column may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Clicks,
    Conversions,
    Both,
    /// Aggregated reports and cost files.
    Report,
}

/// One canonical column.
pub struct Column {
    pub id: Col,
    pub name: &'static str,
    pub kind: Kind,
    pub side: Side,
    pub summary: &'static str,
}

macro_rules! columns {
    ($($id:ident $name:literal $kind:ident $side:ident $summary:literal,)*) => {
        /// The name of a canonical column, after validation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Col { $($id,)* }
        /// All canonical columns in the order of [`Col`].
        pub const COLUMNS: &[Column] = &[$(Column {
            id: Col::$id, name: $name, kind: Kind::$kind, side: Side::$side, summary: $summary,
        },)*];
    };
}

columns! {
    ClickId "click_id" Key Both "the ID that ties a conversion to its click",
    ClickTime "click_time" Time Both "when the click happened; in a conversion report: the click time that the report repeats",
    TrafficSource "traffic_source" Text Both "the network the traffic was bought from",
    Source "source" Text Both "the zone or publisher that sent the traffic and would be blocked",
    SubSource "sub_source" Text Both "the level below the source",
    Account "account" Text Both "who owns the source",
    Campaign "campaign" Text Both "the buyer's campaign",
    ExternalCampaign "external_campaign" Text Both "the campaign's ID at the traffic source",
    Offer "offer" Text Both "what was promoted",
    Network "network" Text Both "the affiliate network or advertiser of the offer",
    Lander "lander" Text Both "the landing page",
    Creative "creative" Text Both "the ad shown",
    Keyword "keyword" Text Both "the keyword or target",
    Referrer "referrer" Text Both "the referring page",
    Format "format" Text Both "pop, push, search and so on",
    Model "model" Text Both "what is paid for: CPA, CPL, RevShare, hybrid",
    HitType "hit_type" Text Clicks "impression, visit or lander_click; rates are on one declared type",
    LanderClickTime "lander_click_time" Time Clicks "when the visitor clicked through the landing page",
    Country "country" Text Both "country of the visitor",
    Region "region" Text Both "region of the visitor",
    City "city" Text Both "city of the visitor",
    Device "device" Text Both "device class or model",
    Os "os" Text Both "operating system",
    Browser "browser" Text Both "browser",
    Language "language" Text Both "language of the browser",
    Isp "isp" Text Both "internet provider",
    Connection "connection" Text Both "kind of connection",
    Ip "ip" Key Both "address of the visitor",
    UserAgent "user_agent" Key Both "user agent of the visitor",
    Asn "asn" Key Both "autonomous system of the visitor's address",
    ClickCountry "click_country" Text Both "country of the click's address, by a database of addresses",
    Ip24 "ip24" Text Both "network of the visitor's address: the /24, or the /48 of an IPv6 one",
    UaFamily "ua_family" Text Both "browser or program, as the user agent says",
    Cost "cost" Money Clicks "what the click cost",
    Currency "currency" Text Both "currency of the row's amounts",
    IsBot "is_bot" Flag Clicks "the tracker took the click for a bot",
    IsDatacenter "is_datacenter" Flag Clicks "the address belongs to a data centre",
    IsVpn "is_vpn" Flag Clicks "the address is an exit of a virtual private network",
    IsTor "is_tor" Flag Clicks "the address is an exit of the Tor network",
    IsKnownBot "is_known_bot" Flag Clicks "the user agent is on a list of crawlers",
    IsHeadless "is_headless" Flag Clicks "the user agent is that of a browser without a screen",
    ClickStatus "click_status" Text Clicks "the tracker's own judgement of the click",
    ConversionId "conversion_id" Key Conversions "the report's own ID of the row; the same ID again is an update",
    TransactionId "transaction_id" Key Conversions "the advertiser's or network's ID of the transaction",
    Event "event" Text Conversions "registration, deposit, sale, install and so on",
    ConversionTime "conversion_time" Time Conversions "when the event happened",
    ReceivedTime "received_time" Time Conversions "when the postback arrived",
    StatusTime "status_time" Time Conversions "when the status was set",
    LockTime "lock_time" Time Conversions "when the status becomes final",
    Status "status" Text Conversions "approved, pending, rejected and so on, in the export's own words",
    RejectReason "reject_reason" Text Conversions "why the conversion was rejected",
    FraudReason "fraud_reason" Text Conversions "why an anti-fraud service blocked or flagged the conversion",
    Payout "payout" Money Conversions "what the affiliate earns",
    Revenue "revenue" Money Conversions "what the network or advertiser receives",
    SaleAmount "sale_amount" Money Conversions "what the customer paid or deposited; never revenue",
    PlayerId "player_id" Key Conversions "the advertiser's ID of the customer",
    Coupon "coupon" Text Conversions "coupon code",
    PostbackIp "postback_ip" Key Conversions "address that sent the postback",
    HttpStatus "http_status" Count Conversions "what the server answered to the postback",
    Request "request" Key Conversions "the postback's request, or a digest of it: equal requests are deliveries of one postback",
    ReceiptOrder "receipt_order" Count Conversions "the postback's place in its log: the order of receipt within a second",
    FiredBy "fired_by" Text Conversions "server, or browser where a page fires the postback: its address and IDs are the visitor's then",
    SenderListed "sender_listed" Flag Conversions "the postback came from an address of the sender list",
    Token "token" Text Conversions "what the postback's token came to: right, missing or wrong",
    Signature "signature" Text Conversions "what the postback's signature came to: valid, missing or forged",
    MacroLeft "macro_left" Flag Conversions "a macro of the postback was never replaced",
    Day "day" Time Report "the day an aggregated row or a cost is for",
    Clicks "clicks" Count Report "clicks of an aggregated row",
    Conversions "conversions" Count Report "conversions of an aggregated row",
}

impl Col {
    /// The declaration of this column.
    pub fn decl(self) -> &'static Column {
        &COLUMNS[self as usize]
    }

    /// The canonical name.
    pub fn name(self) -> &'static str {
        self.decl().name
    }

    /// What the column is parsed into.
    pub fn kind(self) -> Kind {
        self.decl().kind
    }

    /// The column of this canonical name.
    pub fn of(name: &str) -> Option<Col> {
        COLUMNS.iter().find(|c| c.name == name).map(|c| c.id)
    }
}

impl fmt::Display for Col {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The columns that make one audited group, in the order given; never empty, never twice the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grain(Vec<Col>);

impl Grain {
    /// The default: a source together with the traffic source it belongs to, since zone IDs of two
    /// networks may be equal.
    pub fn source() -> Grain {
        Grain(vec![Col::TrafficSource, Col::Source])
    }

    /// Parses `source,sub_source`; `source` brings `traffic_source` along.
    ///
    /// # Errors
    /// The name that is no text or key column, or that stands twice.
    pub fn parse(text: &str) -> Result<Grain, String> {
        let mut cols = Vec::new();
        for name in text.split(',').map(str::trim) {
            let col = Col::of(name)
                .filter(|c| matches!(c.kind(), Kind::Text | Kind::Key) && c.decl().side == Side::Both)
                .ok_or_else(|| name.to_owned())?;
            let needed: &[Col] = if col == Col::Source { &[Col::TrafficSource, Col::Source] } else { &[col] };
            for &c in needed {
                if cols.contains(&c) && c != Col::TrafficSource {
                    return Err(name.to_owned());
                }
                if !cols.contains(&c) {
                    cols.push(c);
                }
            }
        }
        Ok(Grain(cols))
    }

    /// The columns, first is coarsest.
    pub fn columns(&self) -> &[Col] {
        &self.0
    }

    /// Names of all columns that a grain may be made of.
    pub fn choices() -> impl Iterator<Item = &'static str> {
        COLUMNS
            .iter()
            .filter(|c| matches!(c.kind, Kind::Text | Kind::Key) && c.side == Side::Both)
            .map(|c| c.name)
    }
}

impl fmt::Display for Grain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|c| c.name()).collect();
        f.write_str(&names.join(","))
    }
}
