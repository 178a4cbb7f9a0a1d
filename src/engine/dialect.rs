//! The dialects of SQL that the plan is written in: one line of a table each.
//!
//! The plan keeps to what all of them share; what differs is how a name and a text are quoted, what types are
//! called, and how a point in time becomes microseconds. Refuses: a text with control characters, of which no two
//! dialects think alike.

use crate::base::error::{Error, Result};
use crate::base::near::nearest;
use crate::base::text::Text;

/// How a mark inside quotes is kept from ending them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    /// The mark twice; a backslash is a backslash.
    Doubled,
    /// A backslash before it and before every backslash.
    Backslash,
    /// The mark twice, and every backslash twice.
    DoubledBoth,
}

/// Whether the text of a dialect has been run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tested {
    /// By `tests/external/engines.py`, row by row against a run on files.
    Run,
    /// Written by the engine's documentation.
    Written,
}

/// One dialect.
#[derive(Debug)]
pub struct Dialect {
    pub name: &'static str,
    pub about: &'static str,
    pub tested: Tested,
    /// The mark around names, and how it is escaped.
    mark: char,
    names: Escape,
    texts: Escape,
    /// The type of texts, of texts that may be missing, and of whole numbers that may be.
    pub text: &'static str,
    maybe_text: &'static str,
    maybe_whole: &'static str,
    pub whole: &'static str,
    /// The type of floats of 64 bits, which may be missing.
    maybe_float: &'static str,
    /// Such a float, `{}`, without a fraction: what lies in the middle goes away from zero.
    rounded: &'static str,
    /// Microseconds since 1970 of a point in time, `{}`.
    micros: &'static str,
    /// What stands behind the whole query.
    pub suffix: &'static str,
    /// A statement before the query, without which it may mean something else.
    before: Option<&'static str>,
    /// What stands around the query in a statement that writes its result as Parquet to `{}`.
    writes: Option<[&'static str; 2]>,
}

/// All dialects, sorted.
pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "bigquery",
        about: "Google BigQuery",
        tested: Tested::Written,
        mark: '`',
        names: Escape::Backslash,
        texts: Escape::Backslash,
        text: "STRING",
        maybe_text: "STRING",
        maybe_whole: "INT64",
        whole: "INT64",
        maybe_float: "FLOAT64",
        rounded: "ROUND({})",
        micros: "UNIX_MICROS(CAST({} AS TIMESTAMP))",
        suffix: "",
        before: None,
        writes: None,
    },
    Dialect {
        name: "clickhouse",
        about: "ClickHouse 22.1 and newer (`--engine`: 21.4)",
        tested: Tested::Run,
        mark: '`',
        names: Escape::Backslash,
        texts: Escape::Backslash,
        text: "String",
        maybe_text: "Nullable(String)",
        maybe_whole: "Nullable(Int64)",
        whole: "Int64",
        maybe_float: "Nullable(Float64)",
        // Its own ROUND takes a float in the middle to the even neighbour.
        rounded: "(trunc({}) + trunc(2 * ({} - trunc({}))))",
        micros: "toUnixTimestamp64Micro(CAST({} AS Nullable(DateTime64(6, 'UTC'))))",
        suffix: "\nSETTINGS join_use_nulls = 0, distributed_product_mode = 'global', max_ast_elements = 1000000, \
                 max_expanded_ast_elements = 1000000",
        before: None,
        writes: None,
    },
    Dialect {
        name: "databricks",
        about: "Databricks SQL",
        tested: Tested::Written,
        mark: '`',
        names: Escape::Doubled,
        texts: Escape::Backslash,
        text: "STRING",
        maybe_text: "STRING",
        maybe_whole: "BIGINT",
        whole: "BIGINT",
        maybe_float: "DOUBLE",
        rounded: "ROUND({})",
        micros: "unix_micros(CAST({} AS TIMESTAMP))",
        suffix: "",
        // A time without a zone becomes an instant by the session's.
        before: Some("SET TIME ZONE 'UTC'"),
        writes: Some(["INSERT OVERWRITE DIRECTORY {} USING parquet\n", ""]),
    },
    Dialect {
        name: "duckdb",
        about: "DuckDB, MotherDuck",
        tested: Tested::Run,
        mark: '"',
        names: Escape::Doubled,
        texts: Escape::Doubled,
        text: "VARCHAR",
        maybe_text: "VARCHAR",
        maybe_whole: "BIGINT",
        whole: "BIGINT",
        maybe_float: "DOUBLE",
        rounded: "ROUND({})",
        micros: "epoch_us({})",
        suffix: "",
        before: None,
        writes: Some(["COPY (\n", "\n) TO {} (FORMAT parquet)"]),
    },
    Dialect {
        name: "snowflake",
        about: "Snowflake; names are quoted, so write them in capitals if they were made without quotes",
        tested: Tested::Written,
        mark: '"',
        names: Escape::Doubled,
        texts: Escape::DoubledBoth,
        text: "VARCHAR",
        maybe_text: "VARCHAR",
        maybe_whole: "BIGINT",
        whole: "BIGINT",
        maybe_float: "DOUBLE",
        rounded: "ROUND({})",
        micros: "DATE_PART(EPOCH_MICROSECOND, {})",
        suffix: "",
        before: None,
        writes: None,
    },
    Dialect {
        name: "spark",
        about: "Apache Spark SQL 3.1 and newer, Sail",
        tested: Tested::Run,
        mark: '`',
        names: Escape::Doubled,
        texts: Escape::Backslash,
        text: "STRING",
        maybe_text: "STRING",
        maybe_whole: "BIGINT",
        whole: "BIGINT",
        maybe_float: "DOUBLE",
        rounded: "ROUND({})",
        micros: "unix_micros(CAST({} AS TIMESTAMP))",
        suffix: "",
        // A time without a zone becomes an instant by the session's.
        before: Some("SET TIME ZONE 'UTC'"),
        writes: Some(["INSERT OVERWRITE DIRECTORY {} USING parquet\n", ""]),
    },
    Dialect {
        name: "trino",
        about: "Trino, Athena, Presto",
        tested: Tested::Written,
        mark: '"',
        names: Escape::Doubled,
        texts: Escape::Doubled,
        text: "VARCHAR",
        maybe_text: "VARCHAR",
        maybe_whole: "BIGINT",
        whole: "BIGINT",
        maybe_float: "DOUBLE",
        rounded: "ROUND({})",
        micros: "CAST(ROUND(to_unixtime({}) * 1e6) AS BIGINT)",
        suffix: "",
        before: None,
        writes: None,
    },
];

/// The dialect of this name.
///
/// # Errors
/// There is none.
pub fn named(name: &str) -> Result<&'static Dialect> {
    let names = || DIALECTS.iter().map(|dialect| dialect.name);
    DIALECTS.iter().find(|dialect| dialect.name == name).ok_or_else(|| {
        let near = nearest(name, names());
        let help = match near.as_slice() {
            [] => format!("the dialects are {}", names().collect::<Vec<_>>().join(", ")),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        Error::usage(format!("`{}` is no dialect of SQL", Text::of_user(name).term(60))).help(help)
    })
}

impl Dialect {
    /// A query as it is printed: with what has to stand before it, or as a script that writes the result to a target.
    ///
    /// # Errors
    /// There is no statement that writes, or the target cannot stand in one.
    pub fn script(&self, query: &str, into: Option<&str>) -> Result<String> {
        let query = match into {
            None => query.to_owned(),
            Some(target) => {
                refuse_unwritable(target, "a place to write to")?;
                let [begins, ends] = self.writes.ok_or_else(|| self.writes_nothing())?;
                let [begins, ends] = [begins, ends].map(|part| part.replace("{}", &self.literal(target)));
                format!("{begins}{query}{ends}")
            }
        };
        Ok(match (self.before, into) {
            (Some(before), _) => format!("{before};\n{query};"),
            (None, Some(_)) => format!("{query};"),
            (None, None) => query,
        })
    }

    fn writes_nothing(&self) -> Error {
        let others: Vec<&str> = DIALECTS.iter().filter(|d| d.writes.is_some()).map(|d| d.name).collect();
        Error::usage(format!("no statement of {} writes a Parquet file where its client runs", self.name))
            .help(format!(
                "say --print-sql {} and let its client write the result; {} can write themselves",
                self.name,
                others.join(", ")
            ))
    }

    /// Whether a script can write its result itself.
    pub fn writes(&self) -> bool {
        self.writes.is_some()
    }

    /// A name in quotes.
    pub fn name(&self, name: &str) -> String {
        quoted(name, self.mark, self.names)
    }

    /// A name of several parts, each in quotes.
    pub fn table(&self, parts: &[String]) -> String {
        parts.iter().map(|part| self.name(part)).collect::<Vec<_>>().join(".")
    }

    /// A text in quotes.
    pub fn literal(&self, text: &str) -> String {
        quoted(text, '\'', self.texts)
    }

    /// Anything as a text, empty where it is missing.
    pub fn text_of(&self, value: &str) -> String {
        format!("COALESCE(CAST({value} AS {}), '')", self.maybe_text)
    }

    /// A number as a whole number, which may be missing.
    pub fn whole_of(&self, value: &str) -> String {
        format!("CAST({value} AS {})", self.maybe_whole)
    }

    /// A number of any type as a float of 64 bits, which may be missing.
    pub fn float_of(&self, value: &str) -> String {
        format!("CAST({value} AS {})", self.maybe_float)
    }

    /// A float without its fraction, as a float; what lies in the middle goes away from zero.
    pub fn rounded(&self, float: &str) -> String {
        self.rounded.replace("{}", float)
    }

    /// A point in time as microseconds.
    pub fn micros_of(&self, value: &str) -> String {
        self.micros.replace("{}", value)
    }
}

fn quoted(text: &str, mark: char, escape: Escape) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(mark);
    for c in text.chars() {
        match escape {
            Escape::Backslash if c == mark || c == '\\' => quoted.push('\\'),
            Escape::Doubled | Escape::DoubledBoth if c == mark => quoted.push(c),
            Escape::DoubledBoth if c == '\\' => quoted.push(c),
            _ => {}
        }
        quoted.push(c);
    }
    quoted.push(mark);
    quoted
}

/// Refuses what cannot be written into every dialect.
///
/// # Errors
/// An empty text, or one with control characters.
pub fn refuse_unwritable(text: &str, what: &str) -> Result<()> {
    if !text.is_empty() && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::usage(format!("`{}` cannot be {what}", Text::of_user(text).term(60)))
        .help("it is empty, or has control characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_are_sorted_and_told() {
        assert!(DIALECTS.is_sorted_by_key(|dialect| dialect.name));
        for dialect in DIALECTS {
            let templates = [dialect.micros, dialect.rounded];
            assert!(templates.iter().all(|template| template.contains("{}")), "{}", dialect.name);
            assert!(!dialect.about.is_empty(), "{}", dialect.name);
            assert_eq!(named(dialect.name).expect("it is there").name, dialect.name);
        }
        assert!(named("clickhose").expect_err("no such one").help.expect("a hint").contains("clickhouse"));
    }

    /// Reads a quoted text back as the dialect's own lexer would; what is left over behind it.
    fn read_back(text: &str, mark: char, escape: Escape) -> (String, String) {
        let mut chars = text.strip_prefix(mark).expect("it begins with the mark").chars().peekable();
        let mut read = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' if escape != Escape::Doubled => read.push(chars.next().expect("something is escaped")),
                c if c == mark && escape != Escape::Backslash && chars.peek() == Some(&mark) => {
                    read.push(mark);
                    chars.next();
                }
                c if c == mark => return (read, chars.collect()),
                c => read.push(c),
            }
        }
        panic!("{text} does not end")
    }

    #[test]
    fn scripts_write_where_they_are_told() {
        let spark = named("spark").expect("it is there");
        let whole =
            "SET TIME ZONE 'UTC';\nINSERT OVERWRITE DIRECTORY 's3://lake/it\\'s' USING parquet\nSELECT 1;";
        assert_eq!(spark.script("SELECT 1", Some("s3://lake/it's")).expect("a script"), whole);
        assert_eq!(spark.script("SELECT 1", None).expect("a script"), "SET TIME ZONE 'UTC';\nSELECT 1;");
        let duckdb = named("duckdb").expect("it is there");
        let whole = "COPY (\nSELECT 1\n) TO 'm.parquet' (FORMAT parquet);";
        assert_eq!(duckdb.script("SELECT 1", Some("m.parquet")).expect("a script"), whole);
        assert_eq!(duckdb.script("SELECT 1", None).expect("a script"), "SELECT 1");
        let refused = |dialect: &str, target: &str| {
            named(dialect)
                .expect("it is there")
                .script("SELECT 1", Some(target))
                .expect_err("refused")
                .message
        };
        assert!(refused("trino", "m").contains("no statement of trino writes"));
        assert!(refused("spark", "a\nb").contains("cannot be a place"));
        assert!(refused("spark", "").contains("cannot be a place"));
    }

    #[test]
    fn no_text_ends_its_quotes() {
        let hostile = [
            "'",
            "''",
            "\\",
            "\\'",
            "'; DROP TABLE clicks; --",
            "`",
            "\"",
            "\\`; SELECT 1 --",
            "a\u{200b}b",
            "😀'",
            "\\\\'",
            "x') OR ('1'='1",
            "/*",
            "{}",
            "\u{ff07}",
        ];
        for dialect in DIALECTS {
            for text in hostile {
                let literal = read_back(&dialect.literal(text), '\'', dialect.texts);
                assert_eq!(literal, (text.to_owned(), String::new()), "{}", dialect.name);
                let name = read_back(&dialect.name(text), dialect.mark, dialect.names);
                assert_eq!(name, (text.to_owned(), String::new()), "{}", dialect.name);
            }
        }
        assert!(refuse_unwritable("a\nb", "a name").is_err() && refuse_unwritable("", "a name").is_err());
    }
}
