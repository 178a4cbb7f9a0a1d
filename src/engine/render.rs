//! The plan as SQL: one text in the portable subset.
//!
//! Two-level GROUP BY, COUNT, SUM, MIN, MAX, joins on equality, CASE over whole-number boundaries, texts and 64-bit
//! whole numbers that are never missing, names on every column, no function of one engine but those of the dialect's
//! projection. Absent texts are empty. All names and texts from outside pass [`Dialect::name`] or
//! [`Dialect::literal`].

use super::dialect::Dialect;
use super::numbers::{FAULTS, NO_TIME};
use super::plan::{Plan, Query, What, Width};
use super::tables::Table;
use crate::base::column::{Col, Kind};
use crate::base::time::{DAY, LATEST};
use crate::measures::portable::{Content, Part, bounds, clock_of, column};
use crate::measures::{Clock, Filter, Kind as MeasureKind, M};

/// The column of a whole result that says how many rows it has.
pub const ROWS: &str = "result_rows";

/// The table of click IDs that the run brings along.
pub const IDS: &str = "clickaudit_ids";

/// Macro marks: how they begin and end.
const MACROS: [(&str, &str); 6] =
    [("{", "}"), ("${", "}"), ("[", "]"), ("%7B", "%7D"), ("%7b", "%7d"), ("<", ">")];

const HOUR: i64 = DAY / 24;

/// A plan in one dialect.
pub struct Sql<'a> {
    pub plan: &'a Plan<'a>,
    pub dialect: &'static Dialect,
    /// Rows from this moment on were not there when the run began: one query after another must not find more.
    pub before: Option<i64>,
}

/// The steps between the user's tables and the counts, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// The table's columns under our names, as texts and whole numbers.
    Exported,
    /// Without the words that say nothing.
    Told,
    /// Rows without a fault, and what follows from single rows.
    Valid,
    /// Click IDs that conversions name.
    Ids,
    /// Rows that conversions name.
    Named,
    /// Click IDs that stand in several rows.
    Repeated,
    /// The clicks behind them.
    Same,
    /// How many clicks an ID has.
    Reused,
    /// Every click once.
    Kept,
    /// Those of the hit type that counts.
    Clicks,
}

impl Step {
    const ALL: [Step; 10] = [
        Step::Exported,
        Step::Told,
        Step::Valid,
        Step::Ids,
        Step::Named,
        Step::Repeated,
        Step::Same,
        Step::Reused,
        Step::Kept,
        Step::Clicks,
    ];

    fn name(self) -> &'static str {
        match self {
            Step::Exported => "ca_exported",
            Step::Told => "ca_told",
            Step::Valid => "ca_valid",
            Step::Ids => "ca_ids",
            Step::Named => "ca_named",
            Step::Repeated => "ca_repeated",
            Step::Same => "ca_same",
            Step::Reused => "ca_reused",
            Step::Kept => "ca_kept",
            Step::Clicks => "ca_clicks",
        }
    }

    /// The last steps that a query reads.
    fn of(what: &What) -> &'static [Step] {
        match what {
            What::Plan | What::Conversions => &[],
            What::Rows => &[Step::Told],
            What::Named => &[Step::Named],
            What::Near => &[Step::Named],
            What::Conflicts => &[Step::Repeated],
            What::Kept => &[Step::Kept],
            What::Counted(_) => &[Step::Clicks],
        }
    }

    /// Whether this step is read, directly or not, by one that is.
    fn serves(self, last: Step) -> bool {
        let ids = matches!(self, Step::Ids | Step::Named);
        self <= last && (!ids || matches!(last, Step::Named | Step::Ids))
    }
}

impl Sql<'_> {
    /// One query with what it reads.
    pub fn alone(&self, query: &Query) -> String {
        let last = Step::of(&query.what);
        let steps = Step::ALL.into_iter().filter(|step| last.iter().any(|last| step.serves(*last)));
        self.with(steps, self.select(query))
    }

    /// All queries as one, whose result is one table; every row says how many there are, so that none can be lost
    /// unseen on the way.
    pub fn whole(&self, queries: &[Query]) -> String {
        let bodies: Vec<String> = queries.iter().map(|query| self.select(query)).collect();
        let Width { texts, numbers } = self.plan.width;
        let columns = std::iter::once("part".to_owned())
            .chain((1..=texts).map(|at| format!("t{at}")))
            .chain((1..=numbers).map(|at| format!("n{at}")));
        let counted = format!(
            "SELECT {}, CAST(COUNT(*) OVER () AS {}) AS {ROWS}\nFROM (\n{}\n) AS w",
            joined(columns.map(|name| format!("w.{name} AS {name}"))),
            self.dialect.whole,
            indented(&bodies.join("\nUNION ALL\n"))
        );
        let all = self.with(Step::ALL.into_iter(), counted);
        format!("{all}{}", self.dialect.suffix)
    }

    fn with(&self, steps: impl Iterator<Item = Step>, body: String) -> String {
        let written: Vec<String> =
            steps.map(|step| format!("{} AS (\n{}\n)", step.name(), indented(&self.step(step)))).collect();
        if written.is_empty() { body } else { format!("WITH {}\n{body}", written.join(",\n")) }
    }

    fn step(&self, step: Step) -> String {
        match step {
            Step::Exported => self.exported(&self.plan.tables.clicks),
            Step::Told => self.told(&self.plan.tables.clicks, "ca_exported"),
            Step::Valid => self.valid(),
            Step::Ids => self.ids(),
            Step::Named => self.named(),
            Step::Repeated => {
                "SELECT v.click_id AS click_id\nFROM ca_valid AS v\nWHERE v.click_id <> '' AND v.id_macro = 0\n\
                               GROUP BY v.click_id\nHAVING COUNT(*) > 1"
                    .to_owned()
            }
            Step::Same => {
                let keys = joined(self.same().map(|key| format!("v.{key}")));
                let named = joined(self.same().map(|key| format!("v.{key} AS {key}")));
                format!(
                    "SELECT {named}, MAX(v.content) AS content\nFROM ca_valid AS v\nJOIN ca_repeated AS d ON v.click_id = \
                     d.click_id\nWHERE v.id_macro = 0\nGROUP BY {keys}"
                )
            }
            Step::Reused => format!(
                "SELECT s.click_id AS click_id, s.counts AS counts, {} AS uses\nFROM ca_same AS s\nGROUP BY s.click_id, \
                 s.counts",
                self.count()
            ),
            Step::Kept => self.kept(),
            Step::Clicks => {
                "SELECT k.* FROM ca_kept AS k WHERE k.counts = 1".replace("k.*", &self.listed("k"))
            }
        }
    }

    /// What makes rows of one ID one click, as far as the table has it.
    fn same(&self) -> impl Iterator<Item = &'static str> {
        SAME.into_iter().filter(|key| Col::of(key).is_none_or(|col| self.plan.tables.clicks.has(col)))
    }

    /// The user's table under our names.
    fn exported(&self, table: &Table) -> String {
        let texts = table.texts().into_iter().map(|col| {
            let text = match table.column(self.dialect, col) {
                Some(column) => self.dialect.text_of(&column),
                None => self.dialect.literal(&table.constants[&col]),
            };
            format!("{text} AS {}", col.name())
        });
        let numbers = table.numbers().into_iter().filter_map(|col| self.loose(table, col));
        let name = self.dialect.table(&table.name);
        format!("SELECT\n{}\nFROM {name} AS r", lines(texts.chain(numbers)))
    }

    /// Names of a table's number columns as they stand behind [`Sql::told`].
    pub fn numbers(table: &Table) -> Vec<String> {
        let of = |col: Col| match col.kind() {
            Kind::Time | Kind::Flag => vec![col.name().to_owned()],
            _ => vec![format!("{}_known", col.name()), col.name().to_owned()],
        };
        table.numbers().into_iter().flat_map(of).collect()
    }

    fn told(&self, table: &Table, from: &str) -> String {
        let text = |col: Col| {
            let name = col.name();
            if table.nulls.is_empty() || table.constants.contains_key(&col) {
                return format!("a.{name} AS {name}");
            }
            let nulls = joined(table.nulls.iter().map(|null| self.dialect.literal(null)));
            format!("CASE WHEN a.{name} IN ({nulls}) THEN '' ELSE a.{name} END AS {name}")
        };
        let numbers = table.numbers().into_iter().flat_map(|col| self.strict(table, col));
        let of_period = wheres(&self.period(table));
        format!(
            "SELECT\n{}\nFROM {from} AS a{of_period}",
            lines(table.texts().into_iter().map(text).chain(numbers))
        )
    }

    /// What makes a row one of the period that is looked at. What is later than any time of a click is no newer row.
    fn period(&self, table: &Table) -> Vec<String> {
        let of_clicks = table.shape.is_of_clicks();
        let time = if of_clicks { Col::ClickTime } else { Col::ConversionTime };
        if !table.has(time) {
            return Vec::new();
        }
        let time = format!("a.{}", time.name());
        let from = table.from.map(|from| format!("{time} >= {from}"));
        let until = table.until.map(|until| format!("{time} < {until}"));
        let before = self.before.map(|before| format!("({time} < {before} OR {time} >= {LATEST})"));
        from.into_iter().chain(until).chain(before).collect()
    }

    fn valid(&self) -> String {
        let clicks = &self.plan.tables.clicks;
        let texts = clicks.texts().into_iter().map(|col| col.name().to_owned());
        let plain = texts.chain(Sql::numbers(clicks)).map(|name| format!("b.{name} AS {name}"));
        let macros: Vec<String> = [Col::ClickId, Col::Source]
            .into_iter()
            .filter(|col| clicks.has(*col))
            .map(|col| is_macro(&format!("b.{}", col.name())))
            .collect();
        let counts = match &self.plan.hit_type {
            Some(wanted) if clicks.has(Col::HitType) => {
                format!("CASE WHEN b.hit_type = {} THEN 1 ELSE 0 END", self.dialect.literal(wanted))
            }
            _ => "1".to_owned(),
        };
        let referred =
            if clicks.has(Col::Referrer) { "CASE WHEN b.referrer <> '' THEN 1 ELSE 0 END" } else { "0" };
        let more = [
            format!("CASE WHEN {} THEN 1 ELSE 0 END AS id_macro", is_macro("b.click_id")),
            format!("CASE WHEN {} THEN 1 ELSE 0 END AS any_macro", macros.join(" OR ")),
            format!("{counts} AS counts"),
            format!("{referred} AS referred"),
            format!("{} AS content", self.content()),
        ];
        format!("SELECT\n{}\nFROM ca_told AS b\nWHERE {} = 0", lines(plain.chain(more)), self.fault("b"))
    }

    /// The columns of a row as one text: `ClickDuplicates` goes by the same where rows are read here.
    fn content(&self) -> String {
        let clicks = &self.plan.tables.clicks;
        let number = |col: Col| {
            let name = col.name();
            let text = format!("CAST(b.{name} AS {})", self.dialect.text);
            match col.kind() {
                Kind::Flag => format!("CASE WHEN b.{name} < 0 THEN '' ELSE {text} END"),
                Kind::Time => format!("CASE WHEN b.{name} = {NO_TIME} THEN '' ELSE {text} END"),
                _ => format!("CASE WHEN b.{name}_known = 0 THEN '' ELSE {text} END"),
            }
        };
        let column = |col: &Col| match col.kind() {
            Kind::Text | Kind::Key => format!("REPLACE(REPLACE(b.{}, '~', '~0'), '|', '~1')", col.name()),
            _ => number(*col),
        };
        let told = |col: &&Col| clicks.has(**col);
        let mut pieces: Vec<String> = Vec::new();
        for col in self.plan.content.iter().filter(told) {
            if !pieces.is_empty() {
                pieces.push("'|'".to_owned());
            }
            let flag = *col == Col::Referrer && self.plan.only_referred;
            pieces.push(if flag {
                "CASE WHEN b.referrer <> '' THEN '1' ELSE '0' END".to_owned()
            } else {
                column(col)
            });
        }
        match pieces.len() {
            0 => "''".to_owned(),
            _ => format!("CONCAT('', {})", pieces.join(", ")),
        }
    }

    /// What conversions name: those of the table, and those that the run brings along.
    fn ids(&self) -> String {
        let table = self.plan.tables.conversions.as_ref();
        let of = |column: &str, name: &str| {
            format!("SELECT {} AS click_id FROM {name} AS r", self.dialect.text_of(column))
        };
        let there = table.map(|table| {
            let column = table.column(self.dialect, Col::ClickId).unwrap_or_default();
            of(&column, &self.dialect.table(&table.name))
        });
        let brought = self.plan.brings_ids.then(|| of("r.click_id", &self.dialect.name(IDS)));
        let all: Vec<String> = there.into_iter().chain(brought).collect();
        let nothing = table.into_iter().flat_map(|table| &table.nulls).map(String::as_str);
        let nothing = joined(std::iter::once("").chain(nothing).map(|text| self.dialect.literal(text)));
        format!(
            "SELECT i.click_id AS click_id\nFROM ({}) AS i\nWHERE i.click_id NOT IN ({nothing})\nGROUP BY i.click_id",
            all.join(" UNION ALL ")
        )
    }

    fn named(&self) -> String {
        let clicks = &self.plan.tables.clicks;
        let texts = clicks.texts().into_iter().map(|col| col.name().to_owned());
        let columns = texts.chain(Sql::numbers(clicks)).map(|name| format!("v.{name} AS {name}"));
        format!("SELECT\n{}\nFROM ca_valid AS v\nJOIN ca_ids AS i ON v.click_id = i.click_id", lines(columns))
    }

    /// The columns that counts read, the click's own first.
    fn kept_columns(&self) -> Vec<String> {
        let clicks = &self.plan.tables.clicks;
        let texts = self.plan.placing.iter().filter(|col| clicks.has(**col)).map(|col| col.name().to_owned());
        let names = texts.chain(Sql::numbers(clicks));
        let more = ["any_macro", "counts", "referred"].map(str::to_owned);
        let mut columns: Vec<String> = Vec::new();
        for name in std::iter::once("click_id".to_owned()).chain(names).chain(more) {
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
        columns
    }

    fn listed(&self, row: &str) -> String {
        let local = ["day", "hour", "reused"].map(str::to_owned);
        let columns = self.kept_columns().into_iter().chain(local);
        joined(columns.map(|name| format!("{row}.{name} AS {name}")))
    }

    fn kept(&self) -> String {
        let columns = self.kept_columns();
        let plain = joined(columns.iter().map(|name| format!("v.{name} AS {name}")));
        let keys = joined(columns.iter().map(|name| format!("v.{name}")));
        let same: Vec<String> = self.same().map(|key| format!("v.{key} = s.{key}")).collect();
        let clicks = format!(
            "SELECT {plain}, 0 AS reused\nFROM ca_valid AS v\nWHERE v.click_id NOT IN (SELECT d.click_id FROM ca_repeated AS d)\n\
             UNION ALL\nSELECT {plain}, CASE WHEN u.uses > 1 THEN 1 ELSE 0 END AS reused\nFROM ca_valid AS v\nJOIN ca_same AS s ON \
             {} AND v.content = s.content\nJOIN ca_reused AS u ON v.click_id = u.click_id AND v.counts = u.counts\nGROUP BY \
             {keys}, u.uses",
            same.join(" AND ")
        );
        let names = joined(columns.iter().map(|name| format!("l.{name} AS {name}")));
        let all = joined(columns.iter().map(|name| format!("e.{name} AS {name}")));
        format!(
            "SELECT {names}, l.reused AS reused, l.clock - MOD(l.clock, {DAY}) AS day, l.clock - MOD(l.clock, {HOUR}) AS \
             hour\nFROM (\n  SELECT {all}, e.reused AS reused, {} AS clock\n  FROM (\n{}\n  ) AS e\n) AS l",
            self.local("e.click_time"),
            indented(&indented(&clicks))
        )
    }

    /// A time as the clock of the audit's zone shows it.
    fn local(&self, time: &str) -> String {
        let changes = &self.plan.offsets;
        let case = |changes: &[(i64, i64)]| match changes {
            [] => time.to_owned(),
            [(_, offset)] => format!("{time} + {offset}"),
            [.., (_, last)] => {
                let ends = changes.iter().zip(&changes[1..]);
                let whens: Vec<String> = ends
                    .map(|((_, offset), (until, _))| format!("WHEN {time} < {until} THEN {offset}"))
                    .collect();
                format!("{time} + CASE {} ELSE {last} END", whens.join(" "))
            }
        };
        case(changes)
    }

    fn count(&self) -> String {
        format!("CAST(COUNT(*) AS {})", self.dialect.whole)
    }

    fn sum(&self, value: &str) -> String {
        format!("CAST(SUM({value}) AS {})", self.dialect.whole)
    }

    // ------------------------------------------------------------ single queries

    fn select(&self, query: &Query) -> String {
        match &query.what {
            What::Plan => {
                let texts = self.plan.stamp.iter().map(|text| self.dialect.literal(text)).collect();
                self.row(query, texts, Vec::new(), "")
            }
            What::Rows => self.rows(query),
            What::Kept => {
                let of = |counts: u8| self.sum(&format!("CASE WHEN k.counts = {counts} THEN 1 ELSE 0 END"));
                let numbers = [1, 0].map(|counts| format!("COALESCE({}, 0)", of(counts)));
                self.row(query, Vec::new(), numbers.to_vec(), "FROM ca_kept AS k")
            }
            What::Conflicts => {
                let keys = "v.click_id, v.counts, v.traffic_source, v.source";
                let keys = self.only_there(keys);
                let named = joined(keys.split(", ").map(|key| format!("{key} AS {}", &key[2..])));
                let from = format!(
                    "FROM (\n  SELECT s.click_id AS click_id, s.counts AS counts\n  FROM (SELECT {named} FROM ca_valid AS v \
                     JOIN ca_repeated AS d ON v.click_id = d.click_id WHERE v.id_macro = 0 GROUP BY {keys}) AS s\n  GROUP BY \
                     s.click_id, s.counts HAVING COUNT(*) > 1\n) AS c"
                );
                self.row(query, Vec::new(), vec![self.count()], &from)
            }
            What::Named => {
                let (texts, numbers) = self.of_table(&self.plan.tables.clicks, "n");
                self.row(query, texts, numbers, "FROM ca_named AS n")
            }
            What::Near => self.near(query),
            What::Conversions => self.conversions(query),
            What::Counted(part) => self.counted(query, part),
        }
    }

    /// Those of these columns of `v` that the table has.
    fn only_there(&self, keys: &str) -> String {
        let there = |key: &&str| Col::of(&key[2..]).is_none_or(|col| self.plan.tables.clicks.has(col));
        joined(keys.split(", ").filter(there).map(str::to_owned))
    }

    /// A SELECT in the form of all results: the query's name, texts, numbers, as many as the widest query has.
    fn row(&self, query: &Query, texts: Vec<String>, numbers: Vec<String>, from: &str) -> String {
        let Width { texts: wide, numbers: long } = self.plan.width;
        let pad = |list: Vec<String>, size: usize, mark: char, none: &str| -> Vec<String> {
            let filled = list.into_iter().chain(std::iter::repeat_with(|| none.to_owned()));
            filled.take(size).enumerate().map(|(at, value)| format!("{value} AS {mark}{}", at + 1)).collect()
        };
        // All parts of a union have the same types: not every engine widens a whole number by itself.
        let whole = |number: String| match number.starts_with("CAST(") {
            true => number,
            false => format!("CAST({number} AS {})", self.dialect.whole),
        };
        let numbers = numbers.into_iter().map(whole).collect();
        let columns = std::iter::once(format!("{} AS part", self.dialect.literal(&query.name)))
            .chain(pad(texts, wide, 't', "''"))
            .chain(pad(numbers, long, 'n', &whole("0".to_owned())));
        let from = if from.is_empty() { String::new() } else { format!("\n{from}") };
        format!("SELECT {}{from}", joined(columns))
    }

    fn of_table(&self, table: &Table, row: &str) -> (Vec<String>, Vec<String>) {
        let texts = table.texts().into_iter().map(|col| format!("{row}.{}", col.name())).collect();
        (texts, Sql::numbers(table).into_iter().map(|name| format!("{row}.{name}")).collect())
    }

    fn rows(&self, query: &Query) -> String {
        let of = |fault: usize| {
            format!("COALESCE({}, 0)", self.sum(&format!("CASE WHEN f.fault = {fault} THEN 1 ELSE 0 END")))
        };
        let mut numbers = vec![
            self.count(),
            of(0),
            format!("COALESCE(MIN(CASE WHEN f.fault = 0 THEN f.click_time ELSE {LATEST} END), 0)"),
            "COALESCE(MAX(CASE WHEN f.fault = 0 THEN f.click_time ELSE 0 END), 0)".to_owned(),
        ];
        numbers.extend((1..=FAULTS.len()).map(of));
        let from = format!(
            "FROM (SELECT b.click_time AS click_time, {} AS fault FROM ca_told AS b) AS f",
            self.fault("b")
        );
        self.row(query, Vec::new(), numbers, &from)
    }

    /// Clicks at most 5 s before one that a conversion names, of the same visitor: only what tells whose they are.
    fn near(&self, query: &Query) -> String {
        let told = [Col::TrafficSource, Col::Source, Col::HitType, Col::Ip, Col::UserAgent];
        let clicks = &self.plan.tables.clicks;
        let texts = clicks
            .texts()
            .into_iter()
            .map(|col| if told.contains(&col) { format!("v.{}", col.name()) } else { "''".to_owned() });
        let none = |name: &String| match name.as_str() {
            "click_time" => "v.click_time".to_owned(),
            "lander_click_time" => NO_TIME.to_string(),
            name if name.starts_with("is_") => "-1".to_owned(),
            _ => "0".to_owned(),
        };
        let numbers: Vec<String> = Sql::numbers(clicks).iter().map(none).collect();
        let keys = "v.traffic_source, v.source, v.hit_type, v.ip, v.user_agent, v.click_time";
        let from = format!(
            "FROM ca_valid AS v\nJOIN (SELECT n.ip AS ip, n.user_agent AS user_agent, n.click_time AS click_time FROM ca_named AS n \
             WHERE n.ip <> '' AND n.user_agent <> '' GROUP BY n.ip, n.user_agent, n.click_time) AS w ON v.ip = w.ip AND \
             v.user_agent = w.user_agent\nWHERE v.click_time <= w.click_time AND v.click_time >= w.click_time - 5000000\n\
             GROUP BY {}",
            self.only_there(keys)
        );
        self.row(query, texts.collect(), numbers, &from)
    }

    fn conversions(&self, query: &Query) -> String {
        let Some(table) = &self.plan.tables.conversions else {
            return self.row(query, Vec::new(), Vec::new(), "");
        };
        let (texts, numbers) = self.of_table(table, "c");
        let told = self.told(table, &format!("(\n{}\n)", indented(&self.exported(table))));
        self.row(query, texts, numbers, &format!("FROM (\n{}\n) AS c", indented(&told)))
    }

    fn counted(&self, query: &Query, part: &Part) -> String {
        let keyed = |row: &str, col: &Col| {
            if self.plan.tables.clicks.has(*col) { format!("{row}.{}", col.name()) } else { "''".to_owned() }
        };
        let texts = |row: &str| -> Vec<String> { part.columns.iter().map(|col| keyed(row, col)).collect() };
        let keys = |row: &str| texts(row).into_iter().filter(|key| key != "''").collect::<Vec<_>>();
        let plain = |what: &str, numbers: Vec<String>, by: &[&str], conditions: &[String]| {
            let by: Vec<String> = keys("c").into_iter().chain(by.iter().map(|b| (*b).to_owned())).collect();
            let from = format!("FROM {what} AS c{}{}", wheres(conditions), grouped(&by));
            self.row(query, texts("c"), numbers, &from)
        };
        let of_cut = self.of_cut(part, false);
        match part.content {
            Content::Cells => {
                let clock = self.clock(part);
                let sums = part.sums.iter().map(|m| self.measure(*m, clock));
                let numbers = std::iter::once("c.day".to_owned()).chain(sums).collect();
                plain("ca_clicks", numbers, &["c.day"], &of_cut)
            }
            Content::Hours => {
                plain("ca_clicks", vec!["c.hour".to_owned(), self.count()], &["c.hour"], &of_cut)
            }
            Content::Flows => {
                let hour = format!("c.click_time - MOD(c.click_time, {HOUR})");
                let names = keys("c").into_iter().map(|key| format!("{key} AS {}", &key[2..]));
                let inner = format!(
                    "(SELECT {} FROM ca_clicks AS c)",
                    joined(names.chain([format!("{hour} AS utc_hour")]))
                );
                plain(&inner, vec!["c.utc_hour".to_owned(), self.count()], &["c.utc_hour"], &[])
            }
            Content::Delays => {
                let delay = "c.lander_click_time - c.click_time";
                let names = keys("c").into_iter().map(|key| format!("{key} AS {}", &key[2..]));
                let whole =
                    format!("CASE WHEN {delay} < 0 THEN 0 ELSE {delay} - MOD({delay}, 1000000) END AS delay");
                let conditions: Vec<String> =
                    of_cut.into_iter().chain([format!("c.lander_click_time <> {NO_TIME}")]).collect();
                let inner = format!(
                    "(SELECT {} FROM ca_clicks AS c{})",
                    joined(names.chain([whole])),
                    wheres(&conditions)
                );
                plain(&inner, vec!["c.delay".to_owned(), self.count()], &["c.delay"], &[])
            }
            Content::Young => {
                let numbers = vec![format!("CAST(MAX(1) AS {})", self.dialect.whole)];
                plain("ca_clicks", numbers, &[], &self.of_cut(part, true))
            }
            Content::Multiplicities(identity) => self.two_levels(
                query,
                part,
                &[column(identity)],
                None,
                &["k.n"],
                vec!["k.n".to_owned(), self.count()],
            ),
            Content::Days(identity) => {
                let numbers = vec!["k.day".to_owned(), self.sum("k.n"), self.sum("k.n * (k.n - 1)")];
                self.two_levels(query, part, &[column(identity)], Some("day"), &["k.day"], numbers)
            }
            Content::Visitors => {
                self.two_levels(query, part, &[Col::Ip, Col::UserAgent], None, &[], vec![self.count()])
            }
        }
    }

    /// Clicks of every key first, then keys.
    fn two_levels(
        &self,
        query: &Query,
        part: &Part,
        identity: &[Col],
        day: Option<&str>,
        by: &[&str],
        numbers: Vec<String>,
    ) -> String {
        let clicks = &self.plan.tables.clicks;
        let there: Vec<&'static str> =
            part.columns.iter().filter(|col| clicks.has(**col)).map(|col| col.name()).collect();
        let mut inner: Vec<&str> = there.iter().copied().chain(day).collect();
        // Whoever groups by addresses has them among the columns already.
        let names = identity.iter().map(|col| col.name()).filter(|name| !there.contains(name));
        inner.extend(names.collect::<Vec<_>>());
        let conditions: Vec<String> = self
            .of_cut(part, false)
            .into_iter()
            .chain(identity.iter().map(|col| format!("c.{} <> ''", col.name())))
            .collect();
        let select = joined(inner.iter().map(|name| format!("c.{name} AS {name}")));
        let group: Vec<String> = inner.iter().map(|name| format!("c.{name}")).collect();
        let keyed = format!(
            "SELECT {select}, {} AS n FROM ca_clicks AS c{}{}",
            self.count(),
            wheres(&conditions),
            grouped(&group)
        );
        let text = |col: &Col| if clicks.has(*col) { format!("k.{}", col.name()) } else { "''".to_owned() };
        let outer: Vec<String> =
            there.iter().map(|name| format!("k.{name}")).chain(by.iter().map(|b| (*b).to_owned())).collect();
        let from = format!("FROM (\n{}\n) AS k{}", indented(&keyed), grouped(&outer));
        self.row(query, part.columns.iter().map(text).collect(), numbers, &from)
    }

    fn clock(&self, part: &Part) -> Clock {
        part.cut.map_or(self.plan.clock, |cut| clock_of(&self.plan.cuts[cut].0, self.plan.clock))
    }

    /// What makes a click one of a part's cut; or one that is only too young for it.
    fn of_cut(&self, part: &Part, young: bool) -> Vec<String> {
        let Some((cut, _)) = part.cut.map(|cut| &self.plan.cuts[cut]) else { return Vec::new() };
        let (from, until) = bounds(cut, self.plan.clock);
        let mut conditions = Vec::new();
        if young {
            conditions.push(format!("c.click_time > {until}"));
        } else {
            conditions.extend((from > i64::MIN).then(|| format!("c.click_time >= {from}")));
            conditions.extend((until < i64::MAX).then(|| format!("c.click_time <= {until}")));
        }
        for (col, texts) in &cut.only {
            let texts = joined(texts.iter().map(|text| self.dialect.literal(text)));
            conditions.push(match self.plan.tables.clicks.has(*col) {
                true => format!("c.{} IN ({texts})", col.name()),
                false => "1 = 0".to_owned(),
            });
        }
        conditions
    }

    /// One measure of a cell.
    fn measure(&self, measure: M, clock: Clock) -> String {
        let declared = measure.decl();
        let conditions: Vec<String> =
            declared.filters.iter().map(|filter| condition(*filter, clock)).collect();
        let value = match declared.kind {
            MeasureKind::Sum(_) => "c.cost",
            _ if conditions.is_empty() => return self.count(),
            _ => "1",
        };
        if conditions.is_empty() {
            return self.sum(value);
        }
        self.sum(&format!("CASE WHEN {} THEN {value} ELSE 0 END", conditions.join(" AND ")))
    }
}

/// What makes rows of one ID one click.
const SAME: [&str; 5] = ["click_id", "counts", "click_time", "traffic_source", "source"];

/// A filter of clicks on a row of `clicks`, which is called `c`.
fn condition(filter: Filter, clock: Clock) -> String {
    let yes = |col: Col| format!("c.{} = 1", col.name());
    let said = |col: Col| format!("c.{} <> ''", col.name());
    match filter {
        Filter::Mature => format!("c.click_time <= {}", clock.mature_until()),
        Filter::Costed => "c.cost_known = 1".to_owned(),
        Filter::LanderClicked => format!("c.lander_click_time <> {NO_TIME}"),
        Filter::ReusedId => "c.reused = 1".to_owned(),
        Filter::UnexpandedMacro => "c.any_macro = 1".to_owned(),
        Filter::HasReferrer => "c.referred = 1".to_owned(),
        Filter::HasIp => said(Col::Ip),
        Filter::HasUserAgent => said(Col::UserAgent),
        Filter::HasAsn => said(Col::Asn),
        Filter::MarkedBot => yes(Col::IsBot),
        Filter::Datacenter => yes(Col::IsDatacenter),
        Filter::Vpn => yes(Col::IsVpn),
        Filter::Tor => yes(Col::IsTor),
        Filter::KnownBot => yes(Col::IsKnownBot),
        Filter::Headless => yes(Col::IsHeadless),
        other => unreachable!("{other:?} is declared as not portable, or counted elsewhere"),
    }
}

/// Whether a text is a macro that was never replaced.
fn is_macro(text: &str) -> String {
    let wrapped = |(open, close): &(&str, &str)| {
        let (begins, ends) = (open.len(), close.len());
        format!(
            "(LENGTH({text}) > {} AND SUBSTR({text}, 1, {begins}) = '{open}' AND SUBSTR({text}, LENGTH({text}) - {}, {ends}) = '{close}')",
            begins + ends,
            ends - 1
        )
    };
    MACROS.iter().map(wrapped).collect::<Vec<_>>().join(" OR ")
}

fn wheres(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

fn grouped(keys: &[String]) -> String {
    if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) }
}

fn joined(list: impl Iterator<Item = String>) -> String {
    list.collect::<Vec<_>>().join(", ")
}

fn lines(list: impl Iterator<Item = String>) -> String {
    list.map(|line| format!("  {line}")).collect::<Vec<_>>().join(",\n")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
