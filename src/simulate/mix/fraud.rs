//! The frauds that a mix may hold, as a table.

/// The declaration of one fraud.
pub struct FraudDecl {
    /// The word of `planted.csv` and of `--kinds`.
    pub name: &'static str,
    /// Whether the reference mix has it when nothing else is said.
    pub usual: bool,
    /// One sentence for `planted.csv`; `{}` stands for the strength in percent.
    pub what: &'static str,
}

macro_rules! frauds {
    ($($id:ident $name:literal $usual:literal $what:literal;)*) => {
        /// What may be planted in a mix.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fraud { $($id,)* }
        impl Fraud {
            /// Every fraud, in the order of its declaration.
            pub const ALL: &[Fraud] = &[$(Fraud::$id,)*];

            /// The declaration of this fraud.
            pub fn decl(self) -> &'static FraudDecl {
                const FRAUDS: &[FraudDecl] =
                    &[$(FraudDecl { name: $name, usual: $usual, what: $what },)*];
                &FRAUDS[self as usize]
            }
        }
    };
}

frauds! {
    Injection "injection" true "{} % of the conversions come seconds after a click that was made up once the conversion was under way.";
    Flooding "flooding" true "Five to 25 times as many clicks, and {} % of the conversions are visitors of others who came within a week.";
    Scripted "scripted" true "{} % of the registrations are sent by a script after a constant delay.";
    Replay "replay" true "{} % of the conversions are earlier ones sent again an hour to ten days later.";
    Bots "bots" true "{} % of the clicks come from a few /24 networks at all hours alike and never convert.";
    Incentive "incentive" true "{} % of the first deposits are paid for: the minimum deposit, and never a second one.";
    Orphans "orphans" false "{} % of the conversions name a click ID that was never issued.";
    Stolen "stolen" false "{} % of the conversions carry the transaction ID of a paid conversion of another source.";
    Repeated "repeated" false "{} % of the converting clicks register two to four times, each time with another transaction ID.";
    Rejected "rejected" false "{} % of the leads are made up, and the advertiser rejects them.";
    Spend "spend" false "{} % of the clicks are worthless: money is spent and nobody converts.";
    ReusedIds "reused_ids" false "{} % of the clicks carry the click ID of an earlier click of the same source.";
    Paced "paced" false "{} % of the clicks come at even intervals and never convert.";
    Bursts "bursts" false "{} % of the clicks come in bursts of minutes and never convert.";
    UaRotation "ua_rotation" false "{} % of the clicks come from twenty addresses, each with another user agent, and never convert.";
    GeoMismatch "geo_mismatch" false "{} % of the conversions come from another country than their click.";
    SequentialIds "sequential_ids" false "{} % of the clicks carry forged click IDs that count upwards.";
    Stuffing "stuffing" false "{} % of the conversions follow another source's click: the same visitor is made to click seconds later.";
    Coalition "coalition" false "{} % of the clicks come from /24 networks shared with other sources of the same ring; their leads are worth little.";
    Ramp "ramp" false "Click injection that grows evenly from nothing to {} % of the conversions over the whole time.";
}

impl Fraud {
    /// The fraud of this name.
    pub fn of(name: &str) -> Option<Fraud> {
        Fraud::ALL.iter().copied().find(|f| f.decl().name == name)
    }

    /// The frauds of the reference mix.
    pub fn usual() -> Vec<Fraud> {
        Fraud::ALL.iter().copied().filter(|f| f.decl().usual).collect()
    }

    /// Whether it needs an offer with deposits.
    pub fn needs_deposits(self) -> bool {
        self == Fraud::Incentive
    }
}
